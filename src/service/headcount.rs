//! How many threads of a service are at work, for who waits until none is.

use crate::deadline::{Deadline, wait_until};
use crate::sync::{Condvar, Mutex};

#[derive(Default)]
pub(super) struct Headcount {
    present: Mutex<usize>,
    all_left: Condvar,
}

impl Headcount {
    pub fn enter(&self) {
        *self.present.lock() += 1;
    }

    pub fn leave(&self) {
        *self.present.lock() -= 1;
        self.all_left.notify_all();
    }

    /// Waits until all have left; tells whether they have by the deadline.
    pub fn wait_until_all_left(&self, deadline: Deadline) -> bool {
        let mut present = self.present.lock();
        while *present > 0 {
            if wait_until(&self.all_left, &mut present, deadline) {
                return *present == 0;
            }
        }
        true
    }
}

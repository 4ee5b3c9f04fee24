//! The places of the handle table, as arc-swap's documentation promises them: each is an `Arc` or none, and loading, storing and
//! comparing are one step each.

use crate::sync::{Arc, Mutex};
use std::ops::Deref;

pub struct ArcSwapOption<T>(Mutex<Option<Arc<T>>>);

/// What was there when it was loaded, for as long as this is kept.
pub struct Guard<T>(T);

impl<T> Default for ArcSwapOption<T> {
    fn default() -> Self {
        ArcSwapOption(Mutex::new(None))
    }
}

impl<T> ArcSwapOption<T> {
    pub fn load(&self) -> Guard<Option<Arc<T>>> {
        Guard(self.0.lock().clone())
    }

    pub fn store(&self, value: Option<Arc<T>>) {
        let before = std::mem::replace(&mut *self.0.lock(), value);
        // Without the lock: what is dropped may do anything.
        drop(before);
    }

    /// Answers what was there, which is what was expected if the new value is there now.
    pub fn compare_and_swap(
        &self,
        expected: &Guard<Option<Arc<T>>>,
        new: Option<Arc<T>>,
    ) -> Guard<Option<Arc<T>>> {
        let mut place = self.0.lock();
        let is_expected = match (&*place, &expected.0) {
            (Some(there), Some(expected)) => Arc::ptr_eq(there, expected),
            (None, None) => true,
            _ => false,
        };
        if !is_expected {
            return Guard(place.clone());
        }
        Guard(std::mem::replace(&mut *place, new))
    }
}

impl<T> Deref for Guard<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

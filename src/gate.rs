//! What can be shut for good while others wait at it.

use crate::error::{Result, Status};
use crate::sync::OnceLock;
use crate::sync::atomic::{AtomicBool, Ordering, fence};
use crate::sys::{RawDescriptor, Waker};

/// Open until it is shut. Whoever waits at it is woken then, and is told `Closed`.
#[derive(Default)]
pub(crate) struct Gate {
    shut: AtomicBool,
    /// Made by the first call that has to wait.
    waker: OnceLock<Waker>,
}

impl Gate {
    pub fn shut(&self) {
        self.shut.store(true, Ordering::SeqCst);
        // Pairs with the fence of `wait`: of the store here and the making of a waker there, one sees the other.
        fence(Ordering::SeqCst);
        if let Some(waker) = self.waker.get() {
            waker.signal();
        }
    }

    pub fn check(&self) -> Result<()> {
        if self.shut.load(Ordering::Acquire) { Err(Status::Closed.into()) } else { Ok(()) }
    }

    /// Waits by `wait`, which ends early when its waker is signalled.
    pub fn wait<T>(&self, wait: impl FnOnce(&Waker) -> Result<T>) -> Result<T> {
        let waker = self.waker()?;
        fence(Ordering::SeqCst);
        self.check()?;
        let answer = wait(waker);
        self.check()?;
        answer
    }

    /// What it waits with, if anybody had to wait.
    pub fn descriptor(&self) -> Option<RawDescriptor> {
        self.waker.get().map(Waker::descriptor)
    }

    fn waker(&self) -> Result<&Waker> {
        match self.waker.get() {
            Some(waker) => Ok(waker),
            None => {
                let waker = Waker::new()?;
                Ok(self.waker.get_or_init(|| waker))
            }
        }
    }
}

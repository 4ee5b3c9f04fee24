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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deadline::{Deadline, Timeout};
    use crate::sys::{Readiness, Stream};
    use std::sync::mpsc;
    use std::time::Duration;

    #[test]
    fn what_is_shut_answers_closed_and_lets_nobody_wait() {
        let gate = Gate::default();
        assert!(gate.check().is_ok() && gate.descriptor().is_none());
        let waited_with = gate.wait(|waker| Ok(waker.descriptor())).unwrap();
        assert_eq!(gate.descriptor(), Some(waited_with));
        gate.shut();
        assert_eq!(gate.check().unwrap_err().status(), Status::Closed);
        let late = gate.wait(|_| -> Result<()> { panic!("nothing ends this wait") });
        assert_eq!(late.unwrap_err().status(), Status::Closed);
    }

    #[test]
    fn shutting_ends_a_wait_whatever_it_found() {
        let (near, _far) = Stream::pair().unwrap();
        let (gate, watchdog) = (Gate::default(), Timeout::After(Duration::from_secs(30)));
        let (begun, begins) = mpsc::channel();
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| {
                gate.wait(|waker| {
                    begun.send(()).unwrap();
                    let readable = Readiness { readable: true, ..Readiness::default() };
                    let ended = near.wait(readable, waker, Deadline::from(watchdog));
                    assert!(ended.is_ok(), "woken and not timed out: {ended:?}");
                    ended
                })
            });
            begins.recv().unwrap();
            gate.shut();
            assert_eq!(waits.join().unwrap().unwrap_err().status(), Status::Closed);
        });
    }
}

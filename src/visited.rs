//! A lock of something that one thread works with while others may look in: who is turned away by one of these is not forgotten.

use crate::deadline::{Deadline, lock_until};
use crate::error::Status;
use crate::sync::atomic::{AtomicBool, Ordering, fence};
use crate::sync::{Mutex, MutexGuard};

/// Locked by one thread at a time, for as long as its work takes, or for the moment of a visit.
pub(crate) struct Visited<T> {
    value: Mutex<T>,
    /// Somebody was turned away since the last one began to work.
    turned_away: AtomicBool,
}

impl<T> Visited<T> {
    pub fn new(value: T) -> Visited<T> {
        Visited { value: Mutex::new(value), turned_away: AtomicBool::new(false) }
    }

    /// Locks it to work with it. Who is turned away says so before it gives up: whoever had it until then has left it, or sees afterwards
    /// that somebody was turned away.
    pub fn lock_until(&self, deadline: Deadline) -> Result<MutexGuard<'_, T>, Status> {
        let locked = lock_until(&self.value, deadline).or_else(|expiry| {
            self.turned_away.store(true, Ordering::Release);
            fence(Ordering::SeqCst);
            self.value.try_lock().ok_or(expiry)
        })?;
        self.turned_away.store(false, Ordering::Release);
        Ok(locked)
    }

    /// Does something with it that does not take long, unless somebody else has it. Tells, too, whether somebody was turned away meanwhile,
    /// who is to be told that it could work now.
    pub fn visit<R>(&self, work: impl FnOnce(&mut T) -> R) -> Option<(R, bool)> {
        let done = work(&mut *self.value.try_lock()?);
        // Pairs with the fence of `lock_until`.
        fence(Ordering::SeqCst);
        Some((done, self.turned_away.load(Ordering::Relaxed)))
    }

    /// For who knows that nobody has it for long.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.value.lock()
    }

    pub fn has_turned_away(&self) -> bool {
        self.turned_away.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_turned_away_is_known_until_somebody_works_again() {
        let visited = Visited::new(0);
        assert_eq!(visited.visit(|value| *value += 1), Some(((), false)));
        let working = visited.lock();
        assert_eq!(visited.lock_until(Deadline::Now).map(drop), Err(Status::WouldBlock));
        assert!(visited.visit(|_| ()).is_none() && visited.has_turned_away());
        drop(working);
        assert_eq!(visited.visit(|value| *value += 1), Some(((), true)));
        assert_eq!(*visited.lock_until(Deadline::Now).unwrap(), 2);
        assert!(!visited.has_turned_away());
    }

    #[test]
    fn who_comes_during_a_visit_is_told_of() {
        let visited = Visited::new(());
        let visit = visited.visit(|()| assert!(visited.lock_until(Deadline::Now).is_err()));
        assert_eq!(visit, Some(((), true)));
    }
}

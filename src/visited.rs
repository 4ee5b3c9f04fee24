//! A lock of something that one thread works with while others may look in: who is turned away by one of these is not forgotten, and
//! who waits while somebody else is asked about it can be sent away.

use crate::deadline::{Deadline, lock_until, wait_until};
use crate::error::Status;
use crate::sync::atomic::{AtomicBool, Ordering, fence};
use crate::sync::{Condvar, Mutex, MutexGuard};
use std::ops::{Deref, DerefMut};

/// Locked by one thread at a time, for as long as its work takes, or for the moment of a visit.
pub(crate) struct Visited<T> {
    /// None while who works with it has stepped out with it.
    value: Mutex<Option<T>>,
    /// Somebody was turned away since the last one began to work.
    turned_away: AtomicBool,
    absence: Mutex<Absence>,
    absence_changed: Condvar,
}

/// Who works with it has stepped out.
#[derive(Default)]
struct Absence {
    lasts: bool,
    /// Nobody waits for the end of one.
    shut: bool,
}

/// The right to work with it, until it is dropped.
pub(crate) struct Working<'a, T> {
    visited: &'a Visited<T>,
    value: MutexGuard<'a, Option<T>>,
}

const THERE: &str = "nobody has stepped out with it";

impl<T> Visited<T> {
    pub fn new(value: T) -> Visited<T> {
        Visited {
            value: Mutex::new(Some(value)),
            turned_away: AtomicBool::new(false),
            absence: Mutex::default(),
            absence_changed: Condvar::new(),
        }
    }

    /// Locks it to work with it. Who is turned away says so before it gives up: whoever had it until then has left it, or sees afterwards
    /// that somebody was turned away. `Closed`: it was shut.
    pub fn lock_until(&self, deadline: Deadline) -> Result<Working<'_, T>, Status> {
        let working = self.wait_for(deadline).or_else(|why| {
            self.turned_away.store(true, Ordering::Release);
            fence(Ordering::SeqCst);
            self.value.try_lock().and_then(|value| self.work_with(value)).ok_or(why)
        })?;
        self.turned_away.store(false, Ordering::Release);
        Ok(working)
    }

    /// Does something with it that does not take long, unless somebody else has it. Tells, too, whether somebody was turned away meanwhile,
    /// who is to be told that it could work now.
    pub fn visit<R>(&self, work: impl FnOnce(&mut T) -> R) -> Option<(R, bool)> {
        let done = work(self.value.try_lock()?.as_mut()?);
        // Pairs with the fence of `lock_until`.
        fence(Ordering::SeqCst);
        Some((done, self.turned_away.load(Ordering::Relaxed)))
    }

    /// For who knows that nobody has it for long; none if it was shut meanwhile.
    pub fn lock(&self) -> Option<Working<'_, T>> {
        self.wait_for(Deadline::Never).ok()
    }

    pub fn has_turned_away(&self) -> bool {
        self.turned_away.load(Ordering::Acquire)
    }

    /// Whoever waits while somebody has stepped out with it is told `Closed`, now and later.
    pub fn shut(&self) {
        self.absence.lock().shut = true;
        self.absence_changed.notify_all();
    }

    fn wait_for(&self, deadline: Deadline) -> Result<Working<'_, T>, Status> {
        loop {
            if let Some(working) = self.work_with(lock_until(&self.value, deadline)?) {
                return Ok(working);
            }
            let mut absence = self.absence.lock();
            while absence.lasts {
                if absence.shut {
                    return Err(Status::Closed);
                }
                if wait_until(&self.absence_changed, &mut absence, deadline) {
                    return Err(deadline.expiry());
                }
            }
        }
    }

    fn work_with<'a>(&'a self, value: MutexGuard<'a, Option<T>>) -> Option<Working<'a, T>> {
        value.is_some().then_some(Working { visited: self, value })
    }

    fn set_absence(&self, lasts: bool) {
        self.absence.lock().lasts = lasts;
        self.absence_changed.notify_all();
    }
}

impl<T> Working<'_, T> {
    /// Steps out with it to do something that may take as long as it likes. Nobody else has it meanwhile.
    pub fn step_out<R>(&mut self, work: impl FnOnce(&mut T) -> R) -> R {
        /// Comes back also when the work panics.
        struct Out<'w, 'a, T> {
            working: &'w mut Working<'a, T>,
            value: Option<T>,
        }

        impl<T> Drop for Out<'_, '_, T> {
            fn drop(&mut self) {
                *self.working.value = self.value.take();
                self.working.visited.set_absence(false);
            }
        }

        let mut out = Out { value: self.value.take(), working: self };
        out.working.visited.set_absence(true);
        let value = out.value.as_mut().expect(THERE);
        MutexGuard::unlocked(&mut out.working.value, || work(value))
    }
}

impl<T> Deref for Working<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.value.as_ref().expect(THERE)
    }
}

impl<T> DerefMut for Working<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.value.as_mut().expect(THERE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

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

    #[test]
    fn while_somebody_has_stepped_out_nobody_else_has_it() {
        let visited = Visited::new(1);
        let mut working = visited.lock_until(Deadline::Now).unwrap();
        working.step_out(|value| {
            *value += 1;
            assert!(visited.visit(|_| ()).is_none());
            assert_eq!(visited.lock_until(Deadline::Now).map(drop), Err(Status::WouldBlock));
            assert_eq!(visited.lock_until(Deadline::At(Instant::now())).map(drop), Err(Status::TimedOut));
            assert!(visited.has_turned_away());
        });
        assert_eq!(*working, 2);
        drop(working);
        assert_eq!(visited.visit(|value| *value), Some((2, true)));
    }

    #[test]
    fn who_panics_outside_has_come_back() {
        let visited = Visited::new(1);
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            visited.lock_until(Deadline::Now).unwrap().step_out(|_| panic!("on purpose"));
        }));
        assert!(panicked.is_err());
        assert_eq!(visited.lock_until(Deadline::Never).map(|value| *value), Ok(1));
    }

    #[test]
    fn what_is_shut_is_not_waited_for_while_somebody_is_outside_and_is_there_afterwards() {
        let visited = Visited::new(1);
        let mut working = visited.lock_until(Deadline::Now).unwrap();
        visited.shut();
        working.step_out(|_| {
            assert_eq!(visited.lock_until(Deadline::Never).map(drop), Err(Status::Closed));
            assert!(visited.lock().is_none());
        });
        drop(working);
        assert_eq!(visited.lock().map(|value| *value), Some(1));
    }
}

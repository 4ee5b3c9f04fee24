//! How long a call may wait.

use crate::clock::Clock;
use crate::error::Status;
use crate::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// How long a call may wait. Nothing in this library waits without being given one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timeout {
    /// Not at all.
    None,
    /// At most so long.
    After(Duration),
    /// For ever: until it happens, or until another thread closes the object.
    Forever,
}

impl From<Duration> for Timeout {
    fn from(duration: Duration) -> Self {
        if duration.is_zero() { Timeout::None } else { Timeout::After(duration) }
    }
}

/// The moment until which a call may wait: a [`Timeout`] from the moment the call began.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Deadline {
    Now,
    At(Instant),
    Never,
}

impl Deadline {
    /// The moment on a clock.
    pub fn on(clock: &Clock, timeout: Timeout) -> Deadline {
        match timeout {
            Timeout::None => Deadline::Now,
            Timeout::Forever => Deadline::Never,
            // A time beyond what the clock can say is for ever.
            Timeout::After(after) => clock.now().checked_add(after).map_or(Deadline::Never, Deadline::At),
        }
    }

    /// How long to sleep at most, of a moment on a clock: as [`Clock::patience`].
    pub fn patience(self, clock: &Clock) -> Option<Duration> {
        match self {
            Deadline::Now => Some(Duration::ZERO),
            Deadline::At(at) => clock.patience(at),
            Deadline::Never => None,
        }
    }

    /// Whether it has passed, of a moment on a clock.
    pub fn has_passed_on(self, clock: &Clock) -> bool {
        match self {
            Deadline::Now => true,
            Deadline::At(at) => at <= clock.now(),
            Deadline::Never => false,
        }
    }

    /// The time left; `None` is for ever.
    pub fn remaining(self) -> Option<Duration> {
        match self {
            Deadline::Now => Some(Duration::ZERO),
            Deadline::At(at) => Some(at.saturating_duration_since(Instant::now())),
            Deadline::Never => None,
        }
    }

    /// How long a call may wait that is a part of one with this deadline. It times out, as the whole does, if none is left.
    pub fn timeout(self) -> Timeout {
        match self {
            Deadline::Now => Timeout::None,
            Deadline::At(at) => Timeout::After(at.saturating_duration_since(Instant::now())),
            Deadline::Never => Timeout::Forever,
        }
    }

    /// An error if the call may not wait at all: asked before anything is made to wait with.
    pub fn check_may_wait(self) -> Result<(), Status> {
        match self {
            Deadline::Now => Err(Status::WouldBlock),
            Deadline::At(_) | Deadline::Never => Ok(()),
        }
    }

    pub fn has_passed(self) -> bool {
        self.remaining().is_some_and(|left| left.is_zero())
    }

    /// What a call answers that could not finish in time.
    pub fn expiry(self) -> Status {
        match self {
            Deadline::Now => Status::WouldBlock,
            Deadline::At(_) | Deadline::Never => Status::TimedOut,
        }
    }

    /// The earlier of this and `instant`.
    pub fn earlier(self, instant: Instant) -> Deadline {
        match self {
            Deadline::Now => Deadline::Now,
            Deadline::At(at) => Deadline::At(at.min(instant)),
            Deadline::Never => Deadline::At(instant),
        }
    }
}

impl From<Timeout> for Deadline {
    fn from(timeout: Timeout) -> Self {
        Deadline::on(&Clock::system(), timeout)
    }
}

/// Takes a lock within the deadline.
pub(crate) fn lock_until<T>(lock: &Mutex<T>, deadline: Deadline) -> Result<MutexGuard<'_, T>, Status> {
    match deadline {
        Deadline::Now => lock.try_lock(),
        Deadline::At(at) => lock.try_lock_until(at),
        Deadline::Never => Some(lock.lock()),
    }
    .ok_or(deadline.expiry())
}

/// Waits to be told of a change within the deadline; whether that has passed. It may have changed all the same, just then.
pub(crate) fn wait_until<T>(changed: &Condvar, state: &mut MutexGuard<'_, T>, deadline: Deadline) -> bool {
    match deadline {
        Deadline::Now => true,
        Deadline::At(at) => changed.wait_until(state, at).timed_out(),
        Deadline::Never => {
            changed.wait(state);
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_moment_of_a_clock_has_passed_once_the_clock_is_there() {
        let clock = Clock::manual();
        let deadline = Deadline::on(&clock, Timeout::After(HOUR));
        assert!(!deadline.has_passed_on(&clock));
        // Whoever moves the clock wakes those that wait.
        assert_eq!(deadline.patience(&clock), None);
        clock.advance(HOUR).unwrap();
        assert!(deadline.has_passed_on(&clock));
        assert_eq!(deadline.patience(&clock), Some(Duration::ZERO));
        assert!(Deadline::Now.has_passed_on(&clock) && !Deadline::Never.has_passed_on(&clock));
    }

    #[test]
    fn what_may_not_wait_would_block_and_what_waited_has_timed_out() {
        let deadlines = [Timeout::None, Timeout::After(HOUR), Timeout::Forever].map(Deadline::from);
        assert_eq!(deadlines.map(Deadline::has_passed), [true, false, false]);
        assert_eq!(
            deadlines.map(|deadline| deadline.remaining().map(|left| left.is_zero())),
            [Some(true), Some(false), None]
        );
        assert_eq!(deadlines.map(Deadline::check_may_wait), [Err(Status::WouldBlock), Ok(()), Ok(())]);
        let lock = Mutex::new(());
        let held = lock.lock();
        let answer = |deadline| lock_until(&lock, deadline).map(drop);
        assert_eq!(answer(Deadline::Now), Err(Status::WouldBlock));
        assert_eq!(answer(Deadline::At(Instant::now())), Err(Status::TimedOut));
        drop(held);
        assert_eq!(deadlines.map(answer), [Ok(()); 3]);
    }

    #[test]
    fn a_part_of_what_has_timed_out_times_out() {
        let deadlines =
            [Timeout::None, Timeout::After(Duration::from_nanos(1)), Timeout::Forever].map(Deadline::from);
        let parts = deadlines.map(|deadline| Deadline::from(deadline.timeout()).expiry());
        assert_eq!(parts, [Status::WouldBlock, Status::TimedOut, Status::TimedOut]);
        assert!(matches!(deadlines[1].timeout(), Timeout::After(_)));
        assert_eq!(deadlines[2].timeout(), Timeout::Forever);
    }

    #[test]
    fn no_time_is_not_at_all_and_more_than_a_clock_has_is_for_ever() {
        assert_eq!(Timeout::from(Duration::ZERO), Timeout::None);
        assert_eq!(Timeout::from(HOUR), Timeout::After(HOUR));
        assert!(matches!(Deadline::from(Timeout::After(Duration::MAX)), Deadline::Never));
    }

    #[test]
    fn the_earlier_of_two_moments_is_one_of_them() {
        let (now, later) = (Instant::now(), Instant::now() + HOUR);
        assert!(matches!(Deadline::Now.earlier(later), Deadline::Now));
        for deadline in [Deadline::At(now).earlier(later), Deadline::At(later).earlier(now)] {
            assert!(matches!(deadline, Deadline::At(at) if at == now));
        }
        assert!(matches!(Deadline::Never.earlier(now), Deadline::At(at) if at == now));
    }
}

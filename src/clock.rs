//! What deadlines are measured on: the system's clock, or one that a test moves.

use crate::sync::Mutex;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The clock that deadlines of a service, a poller or a fixture run on. Clones are the same clock.
#[derive(Clone, Default)]
pub struct Clock(Option<Arc<Manual>>);

/// How far a clock goes: what callers in C and C++ can be told, who count microseconds in 64 bits with a sign.
const FURTHEST: Duration = Duration::from_micros(i64::MAX as u64);

/// A clock that stands still until it is moved.
struct Manual {
    start: Instant,
    passed: Mutex<Duration>,
    /// Each is told that the clock has moved, and answers whether it wants to be told again.
    followers: Mutex<Vec<Box<dyn Fn() -> bool + Send>>>,
}

impl Clock {
    /// The system's monotonic clock, which is the default.
    pub fn system() -> Clock {
        Clock(None)
    }

    /// A clock that stands still until [`Clock::advance`] moves it.
    pub fn manual() -> Clock {
        let manual = Manual { start: Instant::now(), passed: Mutex::default(), followers: Mutex::default() };
        Clock(Some(Arc::new(manual)))
    }

    /// Moves a manual clock. Deadlines that have passed then take effect at once, on the threads that wait for them. Any thread.
    ///
    /// # Errors
    ///
    /// `InvalidState`: it is the system's clock, which nobody moves. `InvalidArgument`: further than a clock goes.
    pub fn advance(&self, by: Duration) -> crate::Result<()> {
        use crate::{Error, Status};
        let Some(manual) = &self.0 else {
            return Err(Error::new(Status::InvalidState, "move the system's clock"));
        };
        {
            let mut passed = manual.passed.lock();
            let goes = |moved: &Duration| *moved <= FURTHEST && manual.start.checked_add(*moved).is_some();
            let moved = passed.checked_add(by).filter(goes);
            *passed = moved.ok_or_else(|| {
                Error::new(Status::InvalidArgument, format!("move a clock by {} s", by.as_secs()))
            })?;
        }
        manual.followers.lock().retain(|follower| follower());
        Ok(())
    }

    /// How far a manual clock was moved in all; zero for the system's.
    pub fn passed(&self) -> Duration {
        self.0.as_ref().map_or(Duration::ZERO, |manual| *manual.passed.lock())
    }

    pub(crate) fn now(&self) -> Instant {
        match &self.0 {
            None => Instant::now(),
            Some(manual) => manual.start + *manual.passed.lock(),
        }
    }

    /// Has `moved` called whenever the clock was moved, and now and then besides, until that answers false. The system's clock calls
    /// nobody.
    pub(crate) fn follow(&self, moved: impl Fn() -> bool + Send + 'static) {
        if let Some(manual) = &self.0 {
            let mut followers = manual.followers.lock();
            // A clock that nobody moves would keep those that have gone. They are found by telling all, which does no harm, and only
            // when there is no room for another: each is told the more rarely, the more there are.
            if followers.len() == followers.capacity() {
                followers.retain(|follower| follower());
            }
            followers.push(Box::new(moved));
        }
    }

    /// The time from now to `instant`, for a thread that waits: on a manual clock that has to be moved first, and who moves it wakes
    /// those that follow it, so that they wait for ever until then.
    pub(crate) fn patience(&self, instant: Instant) -> Option<Duration> {
        let left = instant.saturating_duration_since(self.now());
        (left.is_zero() || self.0.is_none()).then_some(left)
    }

    pub(crate) fn is_manual(&self) -> bool {
        self.0.is_some()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            None => f.write_str("system"),
            Some(_) => write!(f, "manual, moved by {:?}", self.passed()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_manual_clock_stands_until_it_is_moved_and_tells_who_wants_to_be_told() {
        let clock = Clock::manual();
        let told = Arc::new(AtomicUsize::new(0));
        let count = told.clone();
        clock.follow(move || count.fetch_add(1, Ordering::Relaxed) == 0);
        let begun = clock.now();
        for _ in 0..3 {
            clock.advance(HOUR).unwrap();
        }
        assert_eq!(told.load(Ordering::Relaxed), 2);
        assert_eq!((clock.now() - begun, clock.passed()), (3 * HOUR, 3 * HOUR));
        assert_eq!(format!("{clock:?}"), "manual, moved by 10800s");
    }

    /// As those of pollers that are made and dropped while nobody moves the clock.
    #[test]
    fn followers_that_have_gone_do_not_add_up() {
        let clock = Clock::manual();
        let stays = Arc::new(());
        for _ in 0..10 {
            let stays = Arc::downgrade(&stays);
            clock.follow(move || stays.strong_count() > 0);
            (0..100).for_each(|_| clock.follow(|| false));
        }
        let followers = clock.0.as_ref().unwrap().followers.lock().len();
        assert!((10..=100).contains(&followers), "{followers}");
    }

    #[test]
    fn a_move_that_is_refused_moves_nothing() {
        let (system, manual) = (Clock::system(), Clock::manual());
        assert_eq!(system.advance(HOUR).unwrap_err().status(), crate::Status::InvalidState);
        manual.advance(HOUR).unwrap();
        assert_eq!(manual.advance(Duration::MAX).unwrap_err().status(), crate::Status::InvalidArgument);
        assert_eq!((system.passed(), manual.passed()), (Duration::ZERO, HOUR));
        manual.advance(FURTHEST - HOUR).unwrap();
        for by in [Duration::from_micros(1), FURTHEST, 3 * FURTHEST] {
            assert_eq!(manual.advance(by).unwrap_err().status(), crate::Status::InvalidArgument);
        }
        assert_eq!(manual.passed(), FURTHEST);
    }

    #[test]
    fn threads_wait_for_the_systems_clock_and_are_told_of_a_manual_one() {
        let (system, manual) = (Clock::system(), Clock::manual());
        let (now, later) = (manual.now(), Instant::now() + HOUR);
        assert!(system.patience(later).is_some_and(|left| !left.is_zero()));
        assert_eq!(system.patience(now), Some(Duration::ZERO));
        assert_eq!((manual.patience(later), manual.patience(now)), (None, Some(Duration::ZERO)));
        assert_eq!((system.is_manual(), manual.is_manual()), (false, true));
        assert_eq!(format!("{system:?}"), "system");
    }
}

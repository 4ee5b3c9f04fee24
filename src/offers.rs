//! Offering the processor to others between two looks: what is waited for may need it, or somebody else may keep it.

use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Who has kept the processor for so long has done something else than answer. A slice of Linux's scheduler is some three milliseconds.
const TAKEN: Duration = Duration::from_micros(500);
/// And so much more for each of the events that came of it.
const TAKEN_FOR_EVENT: Duration = Duration::from_micros(5);
/// For so many times as long nothing is offered then, but no longer than that: where somebody always wants the processor, offers cost some
/// six per cent of the time, and where it was the other side, which had much to do for once, that is soon forgotten.
const PAUSE: (u32, Duration) = (16, Duration::from_millis(50));
/// Of so many waits that would offer first, one looks first: that may have become enough.
const WAITS_PER_TRIAL: u32 = 32;
/// Of so many, one asks how long they took together. How long each offer took is asked only if that was long: two looks at the clock are
/// some per cent of a wait.
const WAITS_PER_QUESTION: u32 = 8;

/// After so many in a row that came at once, one that does not is the scheduler's doing: the other side has had more of the processor, and
/// gets it only from who sleeps.
const SURE_AFTER: u32 = 16;
/// And no more than so many count, of which each that does not come takes so many away.
const MOST_SURE: (u32, u32) = (64, 4);

/// What the waits of one place have learnt of offering the processor. Several may use it at once: what they write over of one another
/// is only a guess.
#[derive(Debug, Default)]
pub(crate) struct Offers {
    /// How often in a row something came as soon as it was offered: the other side shares it, and a look before that is in vain.
    at_once: AtomicU32,
    /// Waits that would have offered first.
    firsts: AtomicU32,
    /// When it was last asked how long these took.
    asked: Mutex<Option<Instant>>,
    /// They took long, for one reason or another.
    took_long: AtomicBool,
    /// Until then nothing is offered.
    pause: Mutex<Option<Instant>>,
}

/// When a wait offers the processor for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    AfterLook,
    /// Before the first look; measured if it is to be told how long that took, and sure if something is to come of it at once.
    First {
        measured: bool,
        sure: bool,
    },
}

impl Offers {
    /// A wait begins that looks.
    pub fn begin(&self) -> Offer {
        let at_once = self.at_once.load(Ordering::Relaxed);
        if at_once == 0 {
            return Offer::AfterLook;
        }
        let firsts = self.firsts.load(Ordering::Relaxed).wrapping_add(1);
        self.firsts.store(firsts, Ordering::Relaxed);
        if firsts.is_multiple_of(WAITS_PER_QUESTION) {
            let now = Instant::now();
            let before = self.asked.lock().replace(now);
            self.took_long.store(before.is_none_or(|before| now - before >= TAKEN), Ordering::Relaxed);
        }
        if firsts.is_multiple_of(WAITS_PER_TRIAL) {
            return Offer::AfterLook;
        }
        Offer::First { measured: self.took_long.load(Ordering::Relaxed), sure: at_once >= SURE_AFTER }
    }

    /// Whether it may be offered after a look.
    pub fn may_go_on(&self, now: Instant) -> bool {
        self.pause.lock().is_none_or(|until| until <= now)
    }

    /// An offer has taken so long, and so many events came of it. Whether somebody else has kept the processor.
    pub fn were_taken(&self, now: Instant, lasted: Duration, events: u32) -> bool {
        let is_taken = lasted >= TAKEN.saturating_add(TAKEN_FOR_EVENT.saturating_mul(events));
        if is_taken {
            let (times, longest) = PAUSE;
            *self.pause.lock() = Some(now + lasted.saturating_mul(times).min(longest));
            self.took_long.store(true, Ordering::Relaxed);
            self.are_not_first();
        }
        is_taken
    }

    /// Something came as soon as it was offered.
    pub fn came_at_once(&self) {
        let at_once = self.at_once.load(Ordering::Relaxed);
        self.at_once.store((at_once + 1).min(MOST_SURE.0), Ordering::Relaxed);
    }

    /// Nothing came of one that was sure.
    pub fn failed(&self) {
        let at_once = self.at_once.load(Ordering::Relaxed);
        self.at_once.store(at_once.saturating_sub(MOST_SURE.1), Ordering::Relaxed);
    }

    /// The next waits look first.
    pub fn are_not_first(&self) {
        self.at_once.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    /// That offer first, and did not take long.
    fn quick() -> Offers {
        let offers = Offers::default();
        offers.came_at_once();
        *offers.asked.lock() = Some(Instant::now() + HOUR);
        offers
    }

    #[test]
    fn one_wait_in_so_many_looks_first() {
        let offers = quick();
        for _ in 0..3 {
            let trials = (0..WAITS_PER_TRIAL).filter(|_| offers.begin() == Offer::AfterLook).count();
            assert_eq!(trials, 1);
        }
        offers.are_not_first();
        assert!((0..WAITS_PER_TRIAL).all(|_| offers.begin() == Offer::AfterLook));
    }

    #[test]
    fn who_is_sure_stays_so_for_a_while() {
        let offers = quick();
        let is_sure = |offers: &Offers| offers.begin() == Offer::First { measured: false, sure: true };
        for _ in 2..SURE_AFTER {
            offers.came_at_once();
        }
        assert!(!is_sure(&offers));
        offers.came_at_once();
        assert!(is_sure(&offers));
        offers.failed();
        assert!(!is_sure(&offers));
        for _ in 0..1000 {
            offers.came_at_once();
        }
        let mut failures = 0;
        offers.firsts.store(0, Ordering::Relaxed);
        while is_sure(&offers) {
            offers.failed();
            *offers.asked.lock() = Some(Instant::now() + HOUR);
            failures += 1;
        }
        assert_eq!(failures, 13);
    }

    #[test]
    fn each_is_measured_while_several_take_long() {
        const WAITS: usize = WAITS_PER_QUESTION as usize;
        // Of so many waits of which the first one asks.
        let measured = |offers: &Offers, asked: Option<Instant>| {
            *offers.asked.lock() = asked;
            offers.firsts.store(WAITS_PER_QUESTION - 1, Ordering::Relaxed);
            (0..WAITS).filter(|_| offers.begin() == Offer::First { measured: true, sure: false }).count()
        };
        let offers = quick();
        assert_eq!(measured(&offers, None), WAITS, "it was not asked before");
        assert_eq!(measured(&offers, Some(Instant::now() + HOUR)), 0);
        assert_eq!(measured(&offers, Some(Instant::now() - TAKEN)), WAITS);
        assert_eq!(measured(&offers, Some(Instant::now() + HOUR)), 0);
        assert!(offers.were_taken(Instant::now(), HOUR, 1));
        offers.came_at_once();
        offers.firsts.store(WAITS_PER_QUESTION, Ordering::Relaxed);
        assert_eq!(offers.begin(), Offer::First { measured: true, sure: false });
    }

    #[test]
    fn nothing_is_offered_for_a_multiple_of_what_was_taken_up_to_a_limit() {
        let now = Instant::now();
        let offers = quick();
        assert!(offers.may_go_on(now));
        for (taken, pause) in [(TAKEN, 8), (Duration::from_millis(3), 48), (Duration::MAX, 50)] {
            assert!(offers.were_taken(now, taken, 0));
            assert_eq!(offers.begin(), Offer::AfterLook);
            let pause = Duration::from_millis(pause);
            assert!(!offers.may_go_on(now + pause - Duration::from_nanos(1)));
            assert!(offers.may_go_on(now + pause));
        }
    }

    #[test]
    fn what_brings_many_events_may_take_longer() {
        let now = Instant::now();
        let nanosecond = Duration::from_nanos(1);
        for events in [0, 1, 10, 100] {
            let enough = Duration::from_micros(500 + 5 * u64::from(events));
            for (lasted, is_taken) in [(enough - nanosecond, false), (enough, true)] {
                let offers = quick();
                assert_eq!(offers.were_taken(now, lasted, events), is_taken, "{lasted:?}, {events}");
                assert_eq!(offers.may_go_on(now), !is_taken);
                assert_eq!(offers.begin() == Offer::AfterLook, is_taken);
            }
        }
        assert!(quick().were_taken(now, Duration::MAX, u32::MAX));
    }
}

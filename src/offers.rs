//! Offering the processor to others between two looks: what is waited for may need it, or somebody else may keep it.

use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Who has kept the processor for so long has done something else than answer.
const TAKEN: Duration = Duration::from_micros(500);
/// Waits without an offer after one that was taken, and at most after many. A slice of Linux's scheduler is some three milliseconds, which
/// are a thousand of the shortest waits: where somebody always wants the processor an offer has to be rare to cost next to nothing.
const WITHOUT: (u32, u32) = (16_384, 262_144);
/// By how many they become fewer again with each offer after which something came.
const FORGIVEN: u32 = 256;
/// Of so many waits that would offer first, one looks first: that may have become enough.
const WAITS_PER_TRIAL: u32 = 32;
/// Of so many, one asks how long they took together. How long each offer took is asked only if that was long, or one was taken before:
/// two looks at the clock are some per cent of a wait.
const WAITS_PER_QUESTION: u32 = 8;

/// What the waits of one place have learnt of offering the processor. Several may use it at once: what they write over of one another
/// is only a guess.
#[derive(Debug, Default)]
pub(crate) struct Offers {
    /// The last time something came once it was offered: the other side shares it, and a look before that is in vain.
    first: AtomicBool,
    /// Waits that would have offered first.
    firsts: AtomicU32,
    /// When it was last asked how long these took.
    asked: Mutex<Option<Instant>>,
    /// They took long, for one reason or another.
    took_long: AtomicBool,
    /// Waits that pass before it is offered again.
    without: AtomicU32,
    /// What `without` was set to the last time, less what was forgiven since.
    penalty: AtomicU32,
}

/// When a wait offers the processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    Never,
    AfterLooks,
    /// Before the first look; measured if it is to be told how long that took.
    First {
        measured: bool,
    },
}

impl Offers {
    /// A wait begins. One that does not look offers nothing.
    pub fn begin(&self, looks: bool) -> Offer {
        let without = self.without.load(Ordering::Relaxed);
        if without > 0 {
            self.without.store(without - 1, Ordering::Relaxed);
            return Offer::Never;
        }
        if !looks {
            return Offer::Never;
        }
        if !self.first.load(Ordering::Relaxed) {
            return Offer::AfterLooks;
        }
        let firsts = self.firsts.load(Ordering::Relaxed).wrapping_add(1);
        self.firsts.store(firsts, Ordering::Relaxed);
        if firsts.is_multiple_of(WAITS_PER_QUESTION) {
            let now = Instant::now();
            let before = self.asked.lock().replace(now);
            self.took_long.store(before.is_none_or(|before| now - before >= TAKEN), Ordering::Relaxed);
        }
        if firsts.is_multiple_of(WAITS_PER_TRIAL) {
            return Offer::AfterLooks;
        }
        let measured = self.took_long.load(Ordering::Relaxed) || self.penalty.load(Ordering::Relaxed) > 0;
        Offer::First { measured }
    }

    /// The first offer of a wait, or several of them and looks for so long, took `elapsed`. Whether something had come by then, and there
    /// was but one.
    pub fn learn(&self, elapsed: Duration, looks: Duration, came_at_once: bool) {
        let penalty = self.penalty.load(Ordering::Relaxed);
        if elapsed >= looks.saturating_add(TAKEN) {
            let (fewest, most) = WITHOUT;
            let penalty = (2 * penalty).clamp(fewest, most);
            self.penalty.store(penalty, Ordering::Relaxed);
            self.without.store(penalty, Ordering::Relaxed);
            self.first.store(false, Ordering::Relaxed);
        } else {
            if came_at_once {
                self.penalty.store(penalty.saturating_sub(FORGIVEN), Ordering::Relaxed);
            }
            self.first.store(came_at_once, Ordering::Relaxed);
        }
    }

    /// Something was there before anything was offered.
    pub fn were_not_needed(&self) {
        self.first.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Duration = Duration::from_micros(5);
    const LOOKS: Duration = Duration::from_micros(50);

    /// Offers after which something came at once the last time, and that were quick.
    fn quick() -> Offers {
        let offers = Offers::default();
        offers.learn(QUICK, Duration::ZERO, true);
        *offers.asked.lock() = Some(Instant::now() + Duration::from_secs(3600));
        offers
    }

    fn taken(offers: &Offers) -> u32 {
        offers.learn(TAKEN, Duration::ZERO, true);
        let mut without = 0;
        while offers.begin(without % 2 == 0) == Offer::Never {
            without += 1;
        }
        without
    }

    #[test]
    fn it_is_offered_after_looks_until_something_comes_once_it_is_and_first_from_then_on() {
        let offers = Offers::default();
        assert_eq!(offers.begin(true), Offer::AfterLooks);
        offers.learn(QUICK, LOOKS, false);
        assert_eq!(offers.begin(true), Offer::AfterLooks);
        offers.learn(QUICK, Duration::ZERO, true);
        assert!(matches!(offers.begin(true), Offer::First { .. }));
        assert_eq!(offers.begin(false), Offer::Never, "a wait that sleeps at once");
        offers.learn(QUICK, LOOKS, false);
        assert_eq!(offers.begin(true), Offer::AfterLooks);
    }

    #[test]
    fn one_wait_in_so_many_looks_first_and_may_find_that_enough() {
        let offers = quick();
        for _ in 0..3 {
            let trials = (0..WAITS_PER_TRIAL).filter(|_| offers.begin(true) == Offer::AfterLooks).count();
            assert_eq!(trials, 1);
        }
        offers.were_not_needed();
        assert_eq!(offers.begin(true), Offer::AfterLooks);
    }

    #[test]
    fn each_is_measured_while_several_take_long_or_one_was_taken() {
        const WAITS: usize = WAITS_PER_QUESTION as usize;
        let hour = Duration::from_secs(3600);
        // Of so many waits of which the first one asks.
        let measured = |offers: &Offers, asked: Option<Instant>| {
            *offers.asked.lock() = asked;
            offers.firsts.store(WAITS_PER_QUESTION - 1, Ordering::Relaxed);
            (0..WAITS).filter(|_| offers.begin(true) == Offer::First { measured: true }).count()
        };
        let offers = quick();
        assert_eq!(measured(&offers, None), WAITS, "it was not asked before");
        assert_eq!(measured(&offers, Some(Instant::now() + hour)), 0);
        assert_eq!(measured(&offers, Some(Instant::now() - TAKEN)), WAITS);
        assert_eq!(measured(&offers, Some(Instant::now() + hour)), 0);
        taken(&offers);
        offers.learn(QUICK, Duration::ZERO, true);
        assert_eq!(measured(&offers, Some(Instant::now() + hour)), WAITS);
    }

    #[test]
    fn who_takes_it_is_offered_it_ever_less() {
        let offers = quick();
        for expected in [16_384, 32_768, 65_536, 131_072, 262_144, 262_144] {
            assert_eq!(taken(&offers), expected);
            assert_eq!(offers.begin(true), Offer::AfterLooks);
        }
        for _ in 0..262_144 / FORGIVEN {
            offers.learn(QUICK, Duration::ZERO, true);
        }
        assert_eq!(taken(&offers), 16_384, "it is forgiven in the end");
        offers.learn(QUICK, Duration::ZERO, false);
        assert_eq!(taken(&offers), 32_768, "but not for offers after which nothing came");
    }

    #[test]
    fn what_the_looks_took_is_not_held_against_the_others() {
        for (elapsed, looks, is_taken) in
            [(TAKEN, Duration::ZERO, true), (TAKEN, LOOKS, false), (TAKEN + LOOKS, LOOKS, true)]
        {
            let offers = quick();
            offers.learn(elapsed, looks, false);
            assert_eq!(offers.begin(true) == Offer::Never, is_taken, "{elapsed:?}, {looks:?}");
        }
    }
}

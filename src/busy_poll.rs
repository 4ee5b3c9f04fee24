//! Looking again and again before sleeping.

use crate::offers::{Offer, Offers};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Whether a wait looks again and again before it sleeps. A sleeping thread takes some 20 to 50 µs to wake on another processor, and
/// whoever wakes it pays for that too, so where answers come at once looking for them is faster than sleeping. Between some of the looks
/// the processor is offered to others: what is waited for may need it. Where it does, offering it and looking again costs less, too, than
/// sleeping and being woken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BusyPoll {
    /// For at most 50 µs a wait, as long as that finds something for which it would have been better not to sleep. Each time that it
    /// does not it is left for twice as many waits as the last time, so that it costs next to nothing where it does not pay; an idle
    /// thread sleeps.
    #[default]
    Adaptive,
    /// Sleep at once.
    Never,
    /// Every wait, for so long.
    For(Duration),
}

/// The longest that is looked for adaptively: about what it costs to wake a thread.
const ADAPTIVE: Duration = Duration::from_micros(50);
/// The most waits that pass before it is tried again. With the shortest waits, of some two microseconds, a vain try costs them one in
/// a hundred, and a conversation that has begun anew is noticed within the time of so many of its turns.
const MOST_SKIPPED: u32 = 2048;
/// Of so many looks in a row, after one the processor is offered to others. Nobody wants it where the other side has a processor of its
/// own, and the call costs as much as a look.
const LOOKS_PER_OFFER: u32 = 8;

/// What the waits of one place have learnt. Several may use it at once: what they write over of one another is only a guess.
#[derive(Debug, Default)]
pub(crate) struct BusyPoller {
    mode: BusyPoll,
    /// Waits that pass before it is tried again.
    skip: AtomicU32,
    /// What `skip` was set to after the last vain try.
    penalty: AtomicU32,
    offers: Offers,
}

impl BusyPoller {
    pub fn new(mode: BusyPoll) -> BusyPoller {
        BusyPoller { mode, ..BusyPoller::default() }
    }

    /// A wait begins.
    pub fn begin(&self) -> Looking<'_> {
        self.begin_for(match self.mode {
            BusyPoll::Never => Duration::ZERO,
            BusyPoll::For(longest) => longest,
            BusyPoll::Adaptive => match self.skip.load(Ordering::Relaxed) {
                0 => ADAPTIVE,
                skip => {
                    self.skip.store(skip - 1, Ordering::Relaxed);
                    Duration::ZERO
                }
            },
        })
    }

    /// A wait begins that looks for so long at most.
    pub fn begin_for(&self, longest: Duration) -> Looking<'_> {
        let offer = self.offers.begin(!longest.is_zero());
        let mut looking = Looking { poller: self, left: longest, offer, begun: None, offered: 0, vain: 0 };
        if let Offer::First { measured } = offer {
            looking.begun = measured.then(Instant::now);
            looking.offer_processor();
        }
        looking
    }

    fn learn(&self, paid: bool) {
        if self.mode == BusyPoll::Adaptive {
            let penalty =
                if paid { 0 } else { (2 * self.penalty.load(Ordering::Relaxed)).clamp(1, MOST_SKIPPED) };
            self.penalty.store(penalty, Ordering::Relaxed);
            self.skip.store(penalty, Ordering::Relaxed);
        }
    }
}

/// One wait.
pub(crate) struct Looking<'a> {
    poller: &'a BusyPoller,
    /// Zero: it may sleep.
    left: Duration,
    offer: Offer,
    /// When it began to cost anything, if that was asked: with the offer before the first look, or after that if it found nothing.
    begun: Option<Instant>,
    /// How often the processor was offered to others.
    offered: u32,
    /// Looks that found nothing.
    vain: u32,
}

impl Looking<'_> {
    /// Whether it is to look without sleeping.
    pub fn goes_on(&self) -> bool {
        !self.left.is_zero()
    }

    /// A look has found nothing. Offers the processor to others, at first and from time to time, or says that enough is enough.
    pub fn found_nothing(&mut self) {
        if self.left.is_zero() {
            return;
        }
        let elapsed = self.begun.get_or_insert_with(Instant::now).elapsed();
        if elapsed >= self.left {
            self.learn(elapsed, false);
            self.left = Duration::ZERO;
            return;
        }
        if self.offer != Offer::Never && self.offered <= self.vain / LOOKS_PER_OFFER {
            self.offer_processor();
        }
        self.vain = self.vain.wrapping_add(1);
    }

    fn offer_processor(&mut self) {
        self.offered += 1;
        std::thread::yield_now();
    }

    /// A look has found so many.
    #[inline]
    pub fn found(self, count: usize) {
        if self.left.is_zero() {
            return;
        }
        match self.begun {
            Some(begun) => {
                let elapsed = begun.elapsed();
                // Too long: whoever had the processor meanwhile wants it for itself. Several have been made ready by one who was not
                // interrupted for the first, and so took less time for each.
                let longest = self.left.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX).max(1));
                self.learn(elapsed, elapsed < longest);
            }
            // It would have been found without looking, too.
            None if self.offered == 0 => self.poller.offers.were_not_needed(),
            None => {}
        }
    }

    /// The time of the wait is over before that of the looks.
    pub fn ends(self) {
        if let Some(begun) = self.begun.filter(|_| self.goes_on()) {
            self.learn_from_offers(begun.elapsed(), false);
        }
    }

    fn learn(&self, elapsed: Duration, paid: bool) {
        self.learn_from_offers(elapsed, paid);
        self.poller.learn(paid);
    }

    fn learn_from_offers(&self, elapsed: Duration, paid: bool) {
        if self.offered > 0 {
            let is_first = self.offered == 1 && self.vain <= 1;
            let for_looks = if is_first { Duration::ZERO } else { self.left };
            self.poller.offers.learn(elapsed, for_looks, is_first && paid);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many waits that find nothing sleep before one looks again.
    fn slept(poller: &BusyPoller) -> u32 {
        let mut slept = 0;
        while !poller.begin().goes_on() {
            slept += 1;
        }
        slept
    }

    fn look_in_vain(poller: &BusyPoller) {
        let mut looking = poller.begin();
        assert!(looking.goes_on());
        while looking.goes_on() {
            looking.found_nothing();
        }
    }

    #[test]
    fn what_does_not_pay_is_tried_ever_less_and_what_pays_always() {
        let poller = BusyPoller::default();
        for expected in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 2048] {
            look_in_vain(&poller);
            assert_eq!(slept(&poller), expected);
        }
        // However busy the machine is, once in so many tries it is given the processor back at once.
        let paid = (0..1_000_000).any(|_| {
            slept(&poller);
            let mut looking = poller.begin();
            looking.found_nothing();
            looking.found(1);
            poller.begin().goes_on()
        });
        assert!(paid);
        look_in_vain(&poller);
        assert_eq!(slept(&poller), 1);
    }

    #[test]
    fn what_is_there_at_once_says_nothing() {
        let poller = BusyPoller::default();
        look_in_vain(&poller);
        look_in_vain_until(&poller, 4);
        slept(&poller);
        poller.begin().found(1);
        assert_eq!(poller.penalty.load(Ordering::Relaxed), 4);
    }

    fn look_in_vain_until(poller: &BusyPoller, penalty: u32) {
        while poller.penalty.load(Ordering::Relaxed) < penalty {
            slept(poller);
            look_in_vain(poller);
        }
    }

    #[test]
    fn never_is_never_and_a_fixed_time_is_always() {
        let never = BusyPoller::new(BusyPoll::Never);
        assert!(!never.begin().goes_on());
        let always = BusyPoller::new(BusyPoll::For(Duration::from_millis(1)));
        for _ in 0..3 {
            let begun = Instant::now();
            look_in_vain(&always);
            assert!(begun.elapsed() >= Duration::from_millis(1));
        }
    }

    /// A wait that began just now, looks so long at most, and has offered the processor and looked in vain so often.
    fn wait(poller: &BusyPoller, left: Duration, offered: u32, vain: u32) -> Looking<'_> {
        Looking { poller, left, offer: Offer::AfterLooks, begun: Some(Instant::now()), offered, vain }
    }

    fn offers_first(poller: &BusyPoller) -> bool {
        poller.begin().offered == 1
    }

    const LONG: Duration = Duration::from_secs(3600);

    #[test]
    fn what_is_found_in_time_pays_and_what_is_found_later_does_not() {
        let pays = |count, left, meanwhile: Duration| {
            let poller = BusyPoller::default();
            let looking = wait(&poller, left, 1, 1);
            std::thread::sleep(meanwhile);
            looking.found(count);
            poller.penalty.load(Ordering::Relaxed) == 0
        };
        for count in [1, 2] {
            assert!(pays(count, LONG, Duration::ZERO), "{count}");
            assert!(!pays(count, Duration::from_nanos(1), Duration::ZERO), "{count}");
        }
        let short = Duration::from_millis(5);
        assert!(!pays(1, short, short));
        assert!(!pays(5, short / 5, short), "each had as long as that");
        assert!(pays(1_000_000, short, short));
    }

    #[test]
    fn what_comes_with_the_first_offer_has_the_next_wait_offer_before_it_looks() {
        // With one before the first look, or after it.
        for (offered, vain, comes_with_it) in [(1, 0, true), (1, 1, true), (1, 2, false), (2, 9, false)] {
            let poller = BusyPoller::default();
            // However busy the machine is, once in so many tries it is given the processor at once.
            let learnt = (0..1000).any(|_| {
                let poller = BusyPoller::default();
                wait(&poller, LONG, offered, vain).found(1);
                offers_first(&poller)
            });
            assert_eq!(learnt, comes_with_it, "{offered}, {vain}");
            // And not without an offer.
            wait(&poller, LONG, 0, vain).found(1);
            assert!(!offers_first(&poller));
        }
    }

    /// That offers the processor before the first look.
    fn poller_that_offers_first(mode: BusyPoll) -> BusyPoller {
        let poller = BusyPoller::new(mode);
        while !offers_first(&poller) {
            poller.offers.learn(Duration::ZERO, Duration::ZERO, true);
        }
        poller
    }

    #[test]
    fn what_is_there_without_an_offer_needs_none() {
        let poller = poller_that_offers_first(BusyPoll::default());
        let looking = Looking {
            poller: &poller,
            left: LONG,
            offer: Offer::AfterLooks,
            begun: None,
            offered: 0,
            vain: 0,
        };
        looking.found(1);
        assert!(!offers_first(&poller));
        // What is there after one that was not measured says nothing.
        let poller = poller_that_offers_first(BusyPoll::default());
        let looking = Looking {
            poller: &poller,
            left: LONG,
            offer: Offer::AfterLooks,
            begun: None,
            offered: 1,
            vain: 0,
        };
        looking.found(1);
        assert!(offers_first(&poller));
    }

    #[test]
    fn it_is_offered_once_and_again_after_so_many_looks() {
        for mode in [BusyPoll::Adaptive, BusyPoll::For(LONG)] {
            let after_looks = BusyPoller::new(mode);
            let first = poller_that_offers_first(mode);
            for (poller, offers) in [(&after_looks, 0), (&first, 1)] {
                let mut looking = poller.begin();
                looking.left = LONG;
                let mut offered = vec![looking.offered];
                for _ in 0..=2 * LOOKS_PER_OFFER {
                    looking.found_nothing();
                    offered.push(looking.offered);
                }
                let of = |vain: u32| offered[vain as usize];
                let expected = [(0, offers), (1, 1), (8, 1), (9, 2), (16, 2), (17, 3)];
                assert!(expected.iter().all(|(vain, count)| of(*vain) == *count), "{offered:?}");
            }
        }
    }

    #[test]
    fn it_is_not_offered_for_a_while_when_somebody_has_kept_it() {
        let kept = |end: fn(Looking)| {
            let poller = BusyPoller::new(BusyPoll::For(LONG));
            let mut looking = wait(&poller, Duration::from_micros(50), 2, 9);
            looking.begun = looking.begun.and_then(|begun| begun.checked_sub(Duration::from_millis(1)));
            end(looking);
            let mut next = poller.begin();
            next.found_nothing();
            next.offered == 0
        };
        assert!(kept(|looking| looking.found(1)));
        assert!(kept(|mut looking| looking.found_nothing()));
        assert!(kept(|looking| looking.ends()));
        assert!(!kept(|_| {}));
    }

    #[test]
    fn a_wait_whose_time_is_over_says_nothing_of_looking() {
        let poller = BusyPoller::default();
        wait(&poller, Duration::from_nanos(1), 1, 1).ends();
        assert_eq!(poller.penalty.load(Ordering::Relaxed), 0);
    }
}

//! Looking again and again before sleeping.

use crate::offers::{Offer, Offers};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Whether a wait looks again and again before it sleeps. A sleeping thread takes some 20 to 50 µs to wake on another processor, and
/// whoever wakes it pays for that too, so where answers come at once looking for them is faster than sleeping. Between some of the looks
/// the processor is offered to others: what is waited for may need it. Where it does, offering it and looking again costs less, too, than
/// sleeping and being woken. Where somebody else keeps it, nothing is offered for a while.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
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
        let mut looking = Looking {
            poller: self,
            left: longest,
            begun: None,
            looks_before_offer: 0,
            offers: 0,
            just_offered: false,
            offered_at: None,
            is_sure: false,
        };
        if looking.goes_on()
            && let Offer::First { measured, sure } = self.offers.begin()
        {
            // Others look for as long as they were told.
            looking.is_sure = sure && self.mode == BusyPoll::Adaptive;
            looking.begun = measured.then(Instant::now);
            looking.offer_processor(looking.begun);
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
    /// When it began to cost anything, if that was asked: with the offer before the first look, or after that if it found nothing.
    begun: Option<Instant>,
    /// How many until the processor is offered again.
    looks_before_offer: u32,
    /// How often it was.
    offers: u32,
    /// It was, after the last look, and when, if that was asked.
    just_offered: bool,
    offered_at: Option<Instant>,
    /// Something is to come of the first offer, or it sleeps.
    is_sure: bool,
}

impl Looking<'_> {
    /// Whether it is to look without sleeping.
    pub fn goes_on(&self) -> bool {
        !self.left.is_zero()
    }

    /// A look has found nothing. Offers the processor to others, at first and from time to time, or says that enough is enough.
    pub fn found_nothing(&mut self) {
        self.found_nothing_at(Instant::now);
    }

    fn found_nothing_at(&mut self, now: impl FnOnce() -> Instant) {
        if self.left.is_zero() {
            return;
        }
        let now = now();
        let was_taken = self.was_taken(now, 0);
        self.just_offered = false;
        if std::mem::take(&mut self.is_sure) && !was_taken {
            self.left = Duration::ZERO;
            self.poller.offers.failed();
            return;
        }
        if now - *self.begun.get_or_insert(now) >= self.left {
            self.left = Duration::ZERO;
            self.poller.offers.are_not_first();
            self.poller.learn(false);
        } else if self.looks_before_offer > 0 {
            self.looks_before_offer -= 1;
        } else if self.poller.offers.may_go_on(now) {
            self.offer_processor(Some(now));
        }
    }

    fn offer_processor(&mut self, now: Option<Instant>) {
        self.looks_before_offer = LOOKS_PER_OFFER - 1;
        self.offers = self.offers.saturating_add(1);
        self.just_offered = true;
        self.offered_at = now;
        std::thread::yield_now();
    }

    /// Whether somebody else kept the processor that was offered after the last look, before so many events came.
    fn was_taken(&mut self, now: Instant, events: u32) -> bool {
        self.offered_at.take().is_some_and(|at| self.poller.offers.were_taken(now, now - at, events))
    }

    /// A look has found so many.
    #[inline]
    pub fn found(self, count: usize) {
        self.found_at(count, Instant::now);
    }

    #[inline]
    fn found_at(mut self, count: usize, now: impl FnOnce() -> Instant) {
        if self.left.is_zero() {
            return;
        }
        match self.begun {
            Some(begun) => self.learn(begun, count, now()),
            // It would have been found without looking, too.
            None if !self.just_offered => self.poller.offers.are_not_first(),
            None => self.poller.offers.came_at_once(),
        }
    }

    fn learn(&mut self, begun: Instant, count: usize, now: Instant) {
        let events = u32::try_from(count).unwrap_or(u32::MAX);
        // Too long: whoever had the processor meanwhile wants it for itself. Several have been made ready by one who was not
        // interrupted for the first, and so took less time for each. None: a wake-up.
        let in_time = now - begun < self.left.saturating_mul(events.max(1));
        let was_taken = self.was_taken(now, events);
        if in_time && self.just_offered && self.offers == 1 && !was_taken {
            self.poller.offers.came_at_once();
        } else {
            self.poller.offers.are_not_first();
        }
        self.poller.learn(in_time);
    }

    /// The time of the wait is over before that of the looks.
    pub fn ends(mut self) {
        if self.offered_at.is_some() {
            self.was_taken(Instant::now(), 0);
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

    const LONG: Duration = Duration::from_secs(3600);

    /// A wait that looks so long at most, and offers the processor after its first look.
    fn wait(poller: &BusyPoller, left: Duration) -> Looking<'_> {
        Looking { left, ..poller.begin_for(LONG) }
    }

    fn offers_first(poller: &BusyPoller) -> bool {
        poller.begin_for(LONG).just_offered
    }

    #[test]
    fn what_is_found_in_time_pays_and_what_is_found_later_does_not() {
        let pays = |count, left, meanwhile: Duration| {
            let poller = BusyPoller::default();
            let looking = Looking { begun: Some(Instant::now()), ..wait(&poller, left) };
            std::thread::sleep(meanwhile);
            looking.found(count);
            poller.penalty.load(Ordering::Relaxed) == 0
        };
        for count in [0, 1, 2] {
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
        for (looks, comes_with_it) in [(0, false), (1, true), (2, false), (9, false)] {
            let poller = BusyPoller::default();
            // No time passes, however long somebody else has the processor.
            let at = Instant::now();
            let mut looking = wait(&poller, LONG);
            for _ in 0..looks {
                looking.found_nothing_at(|| at);
            }
            looking.found_at(1, || at);
            assert_eq!(offers_first(&poller), comes_with_it, "{looks}");
        }
    }

    #[test]
    fn who_offers_first_goes_on_as_long_as_something_comes_with_it() {
        let after = |looks: u32, left| {
            let poller = BusyPoller::default();
            poller.offers.came_at_once();
            let mut looking = poller.begin_for(LONG);
            assert!(looking.just_offered && looking.begun.is_none(), "not measured");
            looking.left = left;
            for _ in 0..looks {
                looking.found_nothing();
            }
            looking.found(1);
            offers_first(&poller)
        };
        assert!(after(0, LONG));
        assert!(!after(1, LONG));
        assert!(!after(2, Duration::from_nanos(1)), "the time for looking is over");
        // One that looks first, and finds something.
        let poller = BusyPoller::default();
        poller.offers.came_at_once();
        let looking = Looking { just_offered: false, ..poller.begin_for(LONG) };
        looking.found(1);
        assert!(!offers_first(&poller));
    }

    #[test]
    fn it_is_offered_once_and_again_after_so_many_looks() {
        for is_first in [false, true] {
            let poller = BusyPoller::default();
            if is_first {
                poller.offers.came_at_once();
            }
            let at = Instant::now();
            let mut looking = poller.begin_for(LONG);
            let mut offered = vec![looking.just_offered];
            for _ in 0..=2 * LOOKS_PER_OFFER {
                looking.found_nothing_at(|| at);
                offered.push(looking.just_offered);
            }
            let looks: Vec<usize> = (0..).zip(offered).filter(|it| it.1).map(|it| it.0).collect();
            assert_eq!(looks, if is_first { [0, 8, 16] } else { [1, 9, 17] });
        }
    }

    #[test]
    fn who_is_sure_sleeps_when_nothing_comes_of_the_offer() {
        for (mode, sleeps) in [(BusyPoll::Adaptive, true), (BusyPoll::For(LONG), false)] {
            let poller = BusyPoller::new(mode);
            for _ in 0..100 {
                poller.offers.came_at_once();
            }
            let at = Instant::now();
            let mut looking = poller.begin();
            looking.found_nothing_at(|| at);
            assert_eq!(!looking.goes_on(), sleeps);
            // It is no reason not to look the next time.
            assert!(poller.begin().goes_on());
        }
    }

    #[test]
    fn it_is_not_offered_for_a_while_when_somebody_has_kept_it() {
        let kept = |end: fn(Looking)| {
            let poller = BusyPoller::default();
            poller.offers.came_at_once();
            let mut looking = wait(&poller, LONG);
            looking.begun = Some(Instant::now());
            looking.offered_at = looking.begun.and_then(|begun| begun.checked_sub(Duration::from_secs(60)));
            end(looking);
            let mut next = poller.begin_for(LONG);
            let first = next.just_offered;
            next.found_nothing();
            !first && !next.just_offered
        };
        assert!(kept(|looking| looking.found(1)));
        assert!(kept(|mut looking| looking.found_nothing()));
        assert!(kept(|looking| looking.ends()));
        assert!(!kept(|_| {}));
        assert!(!kept(|looking| looking.found(100_000_000)), "for each of so many that is little");
    }

    #[test]
    fn who_waits_long_offers_it_again_in_the_end() {
        let poller = BusyPoller::default();
        let long_ago = Instant::now().checked_sub(Duration::from_secs(1)).unwrap();
        assert!(poller.offers.were_taken(long_ago, Duration::from_millis(1), 1));
        let mut looking = wait(&poller, LONG);
        looking.found_nothing();
        assert!(looking.just_offered);
    }

    #[test]
    fn a_wait_whose_time_is_over_says_nothing_of_looking() {
        let poller = BusyPoller::default();
        let mut looking = wait(&poller, LONG);
        looking.found_nothing();
        looking.ends();
        assert_eq!(poller.penalty.load(Ordering::Relaxed), 0);
    }
}

//! Looking again and again before sleeping.

use crate::sys;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Whether a wait looks again and again before it sleeps. A sleeping thread takes some 20 to 50 µs to wake on another processor, and
/// whoever wakes it pays for that too, so where answers come at once looking for them is faster than sleeping. Between some of the looks
/// the processor is offered to others: what is waited for may need it.
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
/// Of so many waits in a row that paid, in one it is asked who had the processor, which costs as much as a look.
const WAITS_PER_QUESTION: u32 = 64;

/// What the waits of one place have learnt. Several may use it at once: what they write over of one another is only a guess.
#[derive(Debug, Default)]
pub(crate) struct BusyPoller {
    mode: BusyPoll,
    /// Waits that pass before it is tried again.
    skip: AtomicU32,
    /// What `skip` was set to after the last vain try.
    penalty: AtomicU32,
    /// Waits whose first look found nothing.
    waits: AtomicU32,
}

impl BusyPoller {
    pub fn new(mode: BusyPoll) -> BusyPoller {
        BusyPoller { mode, ..BusyPoller::default() }
    }

    /// A wait begins.
    pub fn begin(&self) -> Looking<'_> {
        let longest = match self.mode {
            BusyPoll::Never => Duration::ZERO,
            BusyPoll::For(longest) => longest,
            BusyPoll::Adaptive => match self.skip.load(Ordering::Relaxed) {
                0 => ADAPTIVE,
                skip => {
                    self.skip.store(skip - 1, Ordering::Relaxed);
                    Duration::ZERO
                }
            },
        };
        Looking { poller: self, left: longest, begun: None, vain: 0 }
    }

    /// Whether a wait whose first look has found nothing asks who has the processor.
    fn asks(&self) -> bool {
        if self.mode != BusyPoll::Adaptive {
            return false;
        }
        let waits = self.waits.load(Ordering::Relaxed);
        self.waits.store(waits.wrapping_add(1), Ordering::Relaxed);
        waits.is_multiple_of(WAITS_PER_QUESTION) || self.penalty.load(Ordering::Relaxed) > 0
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

/// Of so many looks in a row, after one the processor is offered to others. Nobody wants it where the other side has a processor of its
/// own, and the call costs as much as a look.
const LOOKS_PER_OFFER: u32 = 8;

/// One wait.
pub(crate) struct Looking<'a> {
    poller: &'a BusyPoller,
    /// Zero: it may sleep.
    left: Duration,
    /// The first look that found nothing.
    begun: Option<Begun>,
    /// Looks that found nothing.
    vain: u32,
}

/// When the looking began.
struct Begun {
    at: Instant,
    /// How long the thread had had a processor by then, if that is asked.
    ran: Option<Duration>,
}

impl Begun {
    fn now(asks: bool) -> Begun {
        Begun { ran: asks.then(sys::thread_time), at: Instant::now() }
    }

    /// Whether the thread had the processor for nearly all of the time that has passed, as far as that was asked. If not, what it waited
    /// for needed the same processor, and would have had it at once if the thread had slept.
    fn had_processor(&self, elapsed: Duration) -> bool {
        self.ran.is_none_or(|ran| sys::thread_time().saturating_sub(ran) >= elapsed / 4 * 3)
    }
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
        let begun = self.begun.get_or_insert_with(|| Begun::now(self.poller.asks()));
        if begun.at.elapsed() >= self.left {
            self.left = Duration::ZERO;
            self.poller.learn(false);
        } else {
            if self.vain.is_multiple_of(LOOKS_PER_OFFER) {
                std::thread::yield_now();
            }
            self.vain = self.vain.wrapping_add(1);
        }
    }

    /// A look has found so many.
    #[inline]
    pub fn found(self, count: usize) {
        // Found at the first look it would have been without, too.
        let Some(begun) = &self.begun else { return };
        if !self.left.is_zero() {
            self.learn_from(begun, count);
        }
    }

    fn learn_from(&self, begun: &Begun, count: usize) {
        let elapsed = begun.at.elapsed();
        // Too long: whoever had the processor meanwhile wants it for itself. Several have been made ready by one who was not
        // interrupted for the first, and so took less time for each.
        let in_time = elapsed < self.left.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX).max(1));
        self.poller.learn(in_time && (count > 1 || begun.had_processor(elapsed)));
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

    /// What a wait learns that has found so many, of which each might have taken so long, after a while in which it ran or slept.
    fn pays(count: usize, left: Duration, meanwhile: impl FnOnce()) -> bool {
        let poller = BusyPoller::default();
        let begun = Some(Begun::now(true));
        meanwhile();
        Looking { poller: &poller, left, begun, vain: 1 }.found(count);
        poller.penalty.load(Ordering::Relaxed) == 0
    }

    const LONG: Duration = Duration::from_secs(3600);
    const SHORT: Duration = Duration::from_millis(5);

    fn run() {
        let begun = sys::thread_time();
        while sys::thread_time() - begun < SHORT {}
    }

    fn sleep() {
        std::thread::sleep(SHORT);
    }

    #[test]
    fn what_is_found_in_time_pays_and_what_is_found_later_does_not() {
        // However busy the machine is, once in so many tries it is given the processor at once.
        assert!((0..1000).any(|_| pays(1, LONG, run)));
        for count in [1, 2] {
            assert!(!pays(count, Duration::from_nanos(1), run), "{count}");
        }
    }

    #[test]
    fn what_is_found_when_others_had_the_processor_pays_only_if_it_is_much() {
        assert!(!pays(1, LONG, sleep));
        assert!(!pays(1, LONG, || {
            run();
            sleep();
        }));
        assert!(pays(2, LONG, sleep));
        assert!(!pays(5, SHORT / 5, sleep));
        assert!(pays(1000, SHORT, sleep));
    }

    #[test]
    fn who_has_the_processor_is_asked_after_what_did_not_pay_and_from_time_to_time() {
        const WAITS: u32 = 3 * WAITS_PER_QUESTION;
        let poller = BusyPoller::default();
        let asked = |poller: &BusyPoller| {
            let asks = |_: &u32| {
                // What is there at once tells nothing, so nothing is asked.
                poller.begin().found(1);
                let mut looking = poller.begin();
                // However long this thread is interrupted now, it is not over.
                looking.left = LONG;
                looking.found_nothing();
                looking.begun.is_some_and(|begun| begun.ran.is_some())
            };
            (0..WAITS).filter(asks).count()
        };
        assert_eq!(asked(&poller), 3);
        poller.learn(false);
        while poller.skip.load(Ordering::Relaxed) > 0 {
            assert!(!poller.begin().goes_on());
        }
        assert_eq!(asked(&poller), WAITS as usize);
        assert_eq!(asked(&BusyPoller::new(BusyPoll::For(LONG))), 0);
    }
}

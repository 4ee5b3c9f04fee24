//! Waiting with a poller, which one thread at a time does.

use super::{Event, Poller, Shared};
use crate::busy_poll::Looking;
use crate::clock::Clock;
use crate::deadline::{Deadline, Timeout, lock_until};
use crate::endpoint::Watched;
use crate::error::{Error, Result, Status};
use crate::soloist::Soloist;
use crate::sources::{Key, Watch};
use crate::sync::MutexGuard;
use crate::sys::{Readiness, Selection};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Who waits with a poller.
pub(crate) trait Waiter {
    /// Gets one of the events that the wait has found. It must not use the poller.
    fn found(&mut self, event: Event);

    /// Receives what is there for the only one that has been ready of late, without having been told that something is: that saves
    /// the call that would tell. Whether something was, which ends the wait; none if it leaves looking to the poller. It must not use
    /// the poller's waits.
    fn receive(&mut self, token: u64) -> Option<bool> {
        let _ = token;
        None
    }
}

impl<Found: FnMut(Event)> Waiter for Found {
    fn found(&mut self, event: Event) {
        self(event);
    }
}

/// What the thread that waits has.
pub(super) struct Waiting {
    selection: Selection,
    /// What was watched anew, kept until the sources are unlocked: the last reference to an endpoint removes it from them. Empty
    /// between two waits; its room is kept.
    rewatched: Vec<Arc<dyn Watched>>,
    soloist: Soloist,
    told_of_all: bool,
}

/// A thread's turn to wait with a poller: others queue until it is dropped.
pub(crate) struct Turn<'a> {
    poller: &'a Poller,
    waiting: MutexGuard<'a, Waiting>,
}

impl Poller {
    /// As [`Poller::look`], for at most `capacity` events that the waiter gets one by one.
    pub(crate) fn look_each(
        &self,
        capacity: usize,
        duration: Duration,
        waiter: impl Waiter,
    ) -> Result<usize> {
        // Begins before the first look, so it has passed before the looking ends.
        let deadline = Deadline::from(Timeout::from(duration));
        let mut turn = self.turn(deadline)?;
        let looking = deadline.check_may_wait().is_ok().then(|| self.looker.begin_for(duration));
        turn.wait_until(deadline, &Clock::default(), looking, capacity, waiter)
    }

    /// As [`Poller::wait`], for at most `capacity` events that the waiter gets one by one.
    pub(crate) fn wait_each(&self, capacity: usize, timeout: Timeout, waiter: impl Waiter) -> Result<usize> {
        // It waits for its turn until a deadline that no test moves, and for events until one on the clock.
        let deadline = Deadline::on(&self.clock, timeout);
        self.turn(Deadline::from(timeout))?.wait_before(deadline, capacity, waiter)
    }

    /// The turn to wait, for as long as it is kept. Of a poller that was closed meanwhile the one that has it is just leaving it.
    pub(crate) fn turn(&self, deadline: Deadline) -> Result<Turn<'_>> {
        let waiting = lock_until(&self.shared.selection, deadline);
        let waiting = waiting.or_else(|expiry| self.check_open().and(Err(expiry.into())))?;
        Ok(Turn { poller: self, waiting })
    }
}

impl Turn<'_> {
    /// As [`Poller::wait_each`].
    pub fn wait_each(&mut self, capacity: usize, timeout: Timeout, waiter: impl Waiter) -> Result<usize> {
        self.wait_before(Deadline::on(&self.poller.clock, timeout), capacity, waiter)
    }

    /// Whether the last wait has told of all that was ready when it looked, rather than of the only one that has been of late, or of as
    /// many as it had room for.
    pub fn has_told_of_all(&self) -> bool {
        self.waiting.told_of_all
    }

    fn wait_before(&mut self, deadline: Deadline, capacity: usize, waiter: impl Waiter) -> Result<usize> {
        let Poller { clock, busy_poller, .. } = self.poller;
        let looking = deadline.check_may_wait().is_ok().then(|| busy_poller.begin());
        self.wait_until(deadline, clock, looking, capacity, waiter)
    }

    fn wait_until(
        &mut self,
        deadline: Deadline,
        clock: &Clock,
        mut looking: Option<Looking<'_>>,
        capacity: usize,
        mut waiter: impl Waiter,
    ) -> Result<usize> {
        if capacity == 0 {
            return Err(Error::new(Status::InvalidArgument, "wait with room for no event"));
        }
        let Turn { poller, waiting } = self;
        waiting.told_of_all = false;
        loop {
            poller.check_open()?;
            let looks = looking.as_ref().is_some_and(Looking::goes_on);
            let sleep = if looks { Some(Duration::ZERO) } else { deadline.patience(clock) };
            let came = if looks { waiting.glance(&poller.shared, &mut waiter) } else { None };
            let mut count = usize::from(came == Some(true));
            let woken = came.is_none()
                && waiting
                    .select(&poller.shared, capacity, sleep, |event| {
                        count += 1;
                        waiter.found(event);
                    })
                    .map_err(|error| Error::os(error, "wait with a poller"))?;
            waiting.told_of_all |= came.is_none() && count + usize::from(woken) < capacity;
            poller.check_open()?;
            // Asked whatever else was found: a wake-up ends one wait.
            let woken = woken && !poller.was_the_clock();
            if count > 0 || woken {
                looking.into_iter().for_each(|it| it.found(count));
                return Ok(count);
            }
            if let Some(looking) = &mut looking {
                looking.found_nothing();
            }
            if deadline.has_passed_on(clock) {
                match looking.take() {
                    // The last look is at everything, and after all offers of the processor.
                    Some(looking) if looks => looking.ends(),
                    _ => return Err(deadline.expiry().into()),
                }
            }
        }
    }
}

impl Waiting {
    pub fn new(selection: Selection) -> Waiting {
        Waiting { selection, rewatched: Vec::new(), soloist: Soloist::default(), told_of_all: false }
    }

    /// Looks at the soloist alone: whether something has come. None if only the system can tell. What the system would say of it is
    /// left as it is, and said at the next look at everything.
    fn glance(&mut self, shared: &Shared, waiter: &mut impl Waiter) -> Option<bool> {
        let soloist = &mut self.soloist;
        let key = Key::unpack(soloist.next_look()?);
        let looked_for = |watch: &&mut Watch| watch.interest.readable && !watch.insists;
        let token = shared.sources.lock().get_mut(key).filter(looked_for)?.token;
        let came = match waiter.receive(token) {
            Some(came) => came,
            None if !soloist.is_worth_judging() => return None,
            None => {
                // Not held during the waiter's receive, which may end the connection and be about its descriptor.
                let endpoint = shared.sources.lock().get_mut(key)?.endpoint.upgrade()?;
                let Readiness { readable, hangup, .. } = endpoint.glance();
                let came = soloist.judge(readable)?;
                if came {
                    waiter.found(Event { token, readable, hangup, writable: false });
                }
                came
            }
        };
        if came {
            soloist.came();
        }
        Some(came)
    }

    fn select(
        &mut self,
        shared: &Shared,
        capacity: usize,
        timeout: Option<Duration>,
        mut found: impl FnMut(Event),
    ) -> io::Result<bool> {
        let Waiting { selection, rewatched, soloist, .. } = self;
        let mut sources = None;
        let mut first = true;
        let woken = selection.wait(capacity, timeout, |packed, ready| {
            // Taken at the first event only: a wait that finds nothing should not get in the way of those who add.
            let sources = sources.get_or_insert_with(|| shared.sources.lock());
            let Some(watch) = sources.get_mut(Key::unpack(packed)) else { return };
            soloist.learn(packed, std::mem::take(&mut first));
            let Readiness { readable, writable, hangup } = ready;
            found(Event { token: watch.token, readable, writable, hangup });
            if !watch.interest.edge
                && let Some(wanted) = watch.interest.wanted()
                && let Some(endpoint) = watch.endpoint.upgrade()
            {
                // Watching anew makes the system report what is still so at the next wait. It fails only for a
                // descriptor that somebody else has closed, of which there is nothing to report.
                let _ = endpoint.rewatch(&shared.selector, packed, wanted);
                rewatched.push(endpoint);
            }
        });
        drop(sources);
        rewatched.clear();
        woken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::busy_poll::BusyPoll;
    use crate::poller::{Interest, PollerOptions};
    use crate::socket::{Socket, SocketOptions};

    const WATCHDOG: Timeout = Timeout::After(Duration::from_secs(30));

    /// Receives for itself, and tells what for.
    #[derive(Default)]
    struct Receiver {
        events: Vec<u64>,
        received: Vec<u64>,
    }

    impl Waiter for &mut Receiver {
        fn found(&mut self, event: Event) {
            self.events.push(event.token);
        }

        fn receive(&mut self, token: u64) -> Option<bool> {
            self.received.push(token);
            Some(true)
        }
    }

    #[test]
    fn who_waits_receives_for_what_alone_is_ready_without_being_told() {
        let busy_poll = BusyPoll::For(Duration::from_secs(3600));
        let poller = Poller::new(PollerOptions { busy_poll, ..PollerOptions::default() }).unwrap();
        let (near, far) = Socket::pair(&SocketOptions::default()).unwrap();
        poller.add(&near, Interest::READABLE_EDGE, 7).unwrap();
        let mut receiver = Receiver::default();
        // After so many, several looks at it alone would follow if nothing came.
        let mut turn = poller.turn(Deadline::Now).unwrap();
        for _ in 0..22 {
            far.send(b"x", Timeout::None).unwrap();
            let told = receiver.events.len();
            turn.wait_each(8, WATCHDOG, &mut receiver).unwrap();
            // There may be others when only this one was looked at.
            assert_eq!(turn.has_told_of_all(), receiver.events.len() > told);
        }
        drop(turn);
        let Receiver { events, received } = receiver;
        assert!(!events.is_empty() && received.len() >= 5, "{events:?}, received {received:?}");
        assert!(events.iter().chain(&received).all(|token| *token == 7));
        // Although it always has something it does not hide the others.
        let (other, peer_of_other) = Socket::pair(&SocketOptions::default()).unwrap();
        poller.add(&other, Interest::READABLE_EDGE, 8).unwrap();
        peer_of_other.send(b"x", Timeout::None).unwrap();
        let mut receiver = Receiver::default();
        for _ in 0..2 {
            far.send(b"x", Timeout::None).unwrap();
            poller.wait_each(8, WATCHDOG, &mut receiver).unwrap();
        }
        assert!(receiver.events.contains(&8), "{:?}", receiver.events);
    }

    #[test]
    fn who_waits_knows_whether_that_was_all_there_was() {
        let poller = Poller::new(PollerOptions::default()).unwrap();
        let pairs = [(); 2].map(|()| Socket::pair(&SocketOptions::default()).unwrap());
        for (near, far) in &pairs {
            poller.add(near, Interest::READABLE, 0).unwrap();
            far.send(b"x", Timeout::None).unwrap();
        }
        let mut turn = poller.turn(Deadline::Now).unwrap();
        for (capacity, all) in [(1, false), (3, true), (2, false), (1, false)] {
            let found = turn.wait_each(capacity, WATCHDOG, |_: Event| {}).unwrap();
            assert_eq!((found, turn.has_told_of_all()), (capacity.min(2), all), "room for {capacity}");
        }
        // A wake-up takes the room of an event.
        poller.wake().unwrap();
        while turn.wait_each(2, WATCHDOG, |_: Event| {}).unwrap() == 2 {}
        assert!(!turn.has_told_of_all());
    }

    /// What wakes the second wait is the clock.
    #[test]
    fn a_wake_up_that_comes_with_an_event_ends_no_other_wait() {
        let clock = Clock::manual();
        let poller = Poller::new(PollerOptions { clock: clock.clone(), ..PollerOptions::default() }).unwrap();
        let (near, far) = Socket::pair(&SocketOptions::default()).unwrap();
        poller.add(&near, Interest::READABLE_EDGE, 7).unwrap();
        far.send(b"x", Timeout::None).unwrap();
        poller.wake().unwrap();
        let mut events = [Event::default(); 8];
        assert_eq!(poller.wait(&mut events, WATCHDOG).unwrap(), 1);
        let hour = Timeout::After(Duration::from_secs(3600));
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| poller.wait(&mut [Event::default(); 8], hour));
            // Once a second of the clock, until it waits and after that.
            while !waiter.is_finished() {
                clock.advance(Duration::from_secs(1)).unwrap();
                std::thread::yield_now();
            }
            assert_eq!(waiter.join().unwrap().unwrap_err().status(), Status::TimedOut);
        });
    }

    #[test]
    fn a_look_that_ends_has_looked_at_everything() {
        let poller =
            Poller::new(PollerOptions { busy_poll: BusyPoll::Never, ..PollerOptions::default() }).unwrap();
        let (near, far) = Socket::pair(&SocketOptions::default()).unwrap();
        let (other, peer_of_other) = Socket::pair(&SocketOptions::default()).unwrap();
        poller.add(&near, Interest::READABLE_EDGE, 7).unwrap();
        poller.add(&other, Interest::READABLE_EDGE, 8).unwrap();
        let mut events = [Event::default(); 8];
        for _ in 0..20 {
            for _ in 0..10 {
                far.send(b"x", Timeout::None).unwrap();
                poller.wait(&mut events, WATCHDOG).unwrap();
                near.receive(&mut [0; 8], WATCHDOG).unwrap();
            }
            // The soloist's first look is left to the system.
            assert_eq!(
                poller.look(&mut events, Duration::from_nanos(1)).unwrap_err().status(),
                Status::TimedOut
            );
            peer_of_other.send(b"x", Timeout::None).unwrap();
            assert_eq!(poller.look(&mut events, Duration::from_nanos(1)).unwrap(), 1);
            assert_eq!(events[0].token, 8);
            other.receive(&mut [0; 8], WATCHDOG).unwrap();
        }
    }
}

//! Readiness of thousands of servers and sockets.

use crate::busy_poll::{BusyPoll, BusyPoller, Looking};
use crate::clock::Clock;
use crate::deadline::{Deadline, Timeout, lock_until};
use crate::endpoint::Watched;
use crate::error::{Error, Result, Status};
use crate::server::Server;
use crate::socket::Socket;
use crate::soloist::Soloist;
use crate::sources::{Key, Sources, Watch};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, MutexGuard};
use crate::sys::{self, RawDescriptor, Readiness, Selection, Selector};
use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// What to look for at a server or socket.
///
/// A server is readable when a connection may be there to accept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interest {
    /// Data, the end of the peer's stream, or a connection to accept.
    pub readable: bool,
    /// Room to send. To be asked for after a send that fell short: otherwise nearly every wait finds it.
    pub writable: bool,
    /// Report each change once instead of as long as it lasts: who is told reads until `WouldBlock` or less than asked
    /// for, and sends until `WouldBlock`. Cheaper by a system call an event. Now and then a change is reported twice.
    pub edge: bool,
}

impl Interest {
    /// Readable, reported as long as it lasts.
    pub const READABLE: Interest = Interest { readable: true, writable: false, edge: false };
    /// Readable, each change reported once.
    pub const READABLE_EDGE: Interest = Interest { readable: true, writable: false, edge: true };
    /// Both directions, each change reported once. Only for a socket with something left to send: the system reports room at
    /// every read of the peer.
    pub const EDGE: Interest = Interest { readable: true, writable: true, edge: true };

    fn wanted(self) -> Option<Readiness> {
        let Interest { readable, writable, .. } = self;
        (readable || writable).then_some(Readiness { readable, writable, hangup: false })
    }
}

/// What a wait found. An end of the connection counts as readable, and if nothing can be sent any more as writable, so
/// that whoever waits for either gets to see it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// The number given with [`Poller::add`].
    pub token: u64,
    /// A receive or accept would not wait.
    pub readable: bool,
    /// A send would not wait.
    pub writable: bool,
    /// The peer has ended its sending direction or the connection.
    pub hangup: bool,
}

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

/// How a poller waits.
#[derive(Clone, Debug, Default)]
pub struct PollerOptions {
    /// Whether the waits look again and again before they sleep.
    pub busy_poll: BusyPoll,
    /// What the timeouts of the waits run on.
    pub clock: Clock,
}

/// Watches servers and sockets, each in at most one poller. Any thread may add, change and remove while one waits.
pub struct Poller {
    shared: Arc<Shared>,
    clock: Clock,
    busy_poller: BusyPoller,
    /// What the looks of [`Poller::look`] have learnt. How long they last they are told.
    looker: BusyPoller,
}

struct Shared {
    selector: Selector,
    selection: Mutex<Waiting>,
    sources: Mutex<Sources>,
    closed: AtomicBool,
    /// With a manual clock: somebody called wake, as opposed to the clock, which wakes by its moves.
    wake_called: AtomicBool,
    /// A forked child shares what the system watches with its parent, and must not change it.
    process: u32,
}

/// What the thread that waits has.
struct Waiting {
    selection: Selection,
    /// What was watched anew, kept until the sources are unlocked: the last reference to an endpoint removes it from them. Empty
    /// between two waits; its room is kept.
    rewatched: Vec<Arc<dyn Watched>>,
    soloist: Soloist,
}

/// A thread's turn to wait with a poller: others queue until it is dropped.
pub(crate) struct Turn<'a> {
    poller: &'a Poller,
    waiting: MutexGuard<'a, Waiting>,
}

/// An endpoint's place in a poller. The endpoint has it.
pub(crate) struct Registration {
    poller: Weak<Shared>,
    key: Key,
}

impl Registration {
    pub fn is_alive(&self) -> bool {
        self.poller.upgrade().is_some_and(|poller| !poller.closed.load(Ordering::SeqCst))
    }

    /// Has the poller report anew what is so of the endpoint.
    pub fn report_anew(&self, endpoint: &dyn Watched) {
        if let Some(poller) = self.poller.upgrade()
            && let Some(watch) = poller.sources.lock().get_mut(self.key)
            && let Some(wanted) = watch.interest.wanted()
        {
            // It fails only for a descriptor that was closed meanwhile, of which there is nothing to report.
            let _ = endpoint.rewatch(&poller.selector, self.key.pack(), wanted);
        }
    }

    pub fn remove(&self, endpoint: &dyn Watched) {
        if let Some(poller) = self.poller.upgrade() {
            if poller.process != sys::process_id() {
                return;
            }
            let watch = poller.sources.lock().remove(self.key);
            if watch.is_some_and(|watch| watch.interest.wanted().is_some()) {
                // Fails only if the system does not know the descriptor, which is what was wanted.
                let _ = endpoint.unwatch(&poller.selector);
            }
        }
    }
}

impl Poller {
    /// A poller that watches nothing yet.
    ///
    /// # Errors
    ///
    /// `LimitReached` when descriptors are used up.
    pub fn new(options: PollerOptions) -> Result<Poller> {
        let (selector, selection) = Selector::new()?;
        let shared = Arc::new(Shared {
            selector,
            selection: Mutex::new(Waiting { selection, rewatched: Vec::new(), soloist: Soloist::default() }),
            sources: Mutex::default(),
            closed: AtomicBool::new(false),
            wake_called: AtomicBool::new(false),
            process: sys::process_id(),
        });
        let follower = Arc::downgrade(&shared);
        options.clock.follow(move || follower.upgrade().is_some_and(|shared| shared.selector.wake().is_ok()));
        Ok(Poller {
            shared,
            clock: options.clock,
            busy_poller: BusyPoller::new(options.busy_poll),
            looker: BusyPoller::new(BusyPoll::Never),
        })
    }

    /// Watches a server or socket; events about it carry the token. With an interest in nothing it is in the poller,
    /// but never reported.
    ///
    /// # Errors
    ///
    /// `InvalidState`: it is in a poller already, or a server that does not listen. `Closed`. `LimitReached`.
    pub fn add(&self, pollable: &impl Pollable, interest: Interest, token: u64) -> Result<()> {
        self.check_open()?;
        let endpoint = pollable.endpoint()?.0;
        let mut registration = endpoint.registration();
        // Asked with the lock, which closing takes after it has said that it closes.
        endpoint.check_open()?;
        if registration.as_ref().is_some_and(Registration::is_alive) {
            return Err(Error::new(Status::InvalidState, "add to a poller: it is in one already"));
        }
        let interest = Interest { edge: interest.edge && !endpoint.insists(), ..interest };
        let mut sources = self.shared.sources.lock();
        let key = sources.insert(&endpoint, token, interest)?;
        if let Some(wanted) = interest.wanted()
            && let Err(error) = endpoint.watch(&self.shared.selector, key.pack(), wanted)
        {
            sources.remove(key);
            return Err(Error::os(error, "add to a poller"));
        }
        *registration = Some(Registration { poller: Arc::downgrade(&self.shared), key });
        Ok(())
    }

    /// Changes interest and token of what this poller watches. What is ready now is reported anew.
    ///
    /// # Errors
    ///
    /// `InvalidState`: it is not in this poller. `Closed`.
    pub fn modify(&self, pollable: &impl Pollable, interest: Interest, token: u64) -> Result<()> {
        self.check_open()?;
        let endpoint = pollable.endpoint()?.0;
        let registration = endpoint.registration();
        let key = self.key_of(registration.as_ref())?;
        let interest = Interest { edge: interest.edge && !endpoint.insists(), ..interest };
        let mut sources = self.shared.sources.lock();
        let watch = sources.get_mut(key).ok_or_else(not_here)?;
        let selector = &self.shared.selector;
        match (watch.interest.wanted(), interest.wanted()) {
            (None, None) => Ok(()),
            (None, Some(wanted)) => endpoint.watch(selector, key.pack(), wanted),
            (Some(_), None) => endpoint.unwatch(selector),
            (Some(_), Some(wanted)) => endpoint.rewatch(selector, key.pack(), wanted),
        }
        .map_err(|error| Error::os(error, "change what a poller looks for"))?;
        watch.interest = interest;
        watch.token = token;
        Ok(())
    }

    /// Stops watching. No later wait reports it; one that is under way in another thread may still.
    ///
    /// # Errors
    ///
    /// `InvalidState`: it is not in this poller.
    pub fn remove(&self, pollable: &impl Pollable) -> Result<()> {
        let endpoint = pollable.endpoint()?.0;
        let mut registration = endpoint.registration();
        self.key_of(registration.as_ref())?;
        if let Some(registration) = registration.take() {
            registration.remove(&*endpoint);
        }
        Ok(())
    }

    /// Waits until something is ready; fills `events` from the start and tells how many. What does not fit is reported by
    /// the next wait. Returns 0 only after [`Poller::wake`]. One thread at a time waits, others queue.
    ///
    /// # Errors
    ///
    /// `WouldBlock`, `TimedOut`: nothing was ready in time. `Closed`, also when another thread closes it meanwhile.
    /// `InvalidArgument`: no room for an event.
    pub fn wait(&self, events: &mut [Event], timeout: Timeout) -> Result<usize> {
        self.wait_each(events.len(), timeout, into_slots(events))
    }

    /// As [`Poller::wait`], but looks again and again instead of sleeping, whatever the options say: for the event loops of others,
    /// which go on when this has found nothing, and sleep themselves until [`Poller::descriptor`] is readable. It uses the
    /// processor meanwhile, and offers it to others from time to time. The duration is the system's, whatever the clock of the poller.
    ///
    /// # Errors
    ///
    /// As [`Poller::wait`].
    pub fn look(&self, events: &mut [Event], duration: Duration) -> Result<usize> {
        self.look_each(events.len(), duration, into_slots(events))
    }

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

    /// The turn to wait, for as long as it is kept.
    pub(crate) fn turn(&self, deadline: Deadline) -> Result<Turn<'_>, Status> {
        Ok(Turn { poller: self, waiting: lock_until(&self.shared.selection, deadline)? })
    }

    /// Ends the wait that is under way, or else the next one. From any thread.
    ///
    /// # Errors
    ///
    /// `Closed`; `OsError` if the system fails.
    pub fn wake(&self) -> Result<()> {
        self.check_open()?;
        if self.clock.is_manual() {
            self.shared.wake_called.store(true, Ordering::SeqCst);
        }
        self.shared.selector.wake().map_err(|error| Error::os(error, "wake a poller"))
    }

    /// A descriptor that any other event loop can watch: it is readable when a wait would return something. It stays the
    /// poller's.
    ///
    /// # Errors
    ///
    /// `Closed`.
    pub fn descriptor(&self) -> Result<RawDescriptor> {
        self.check_open()?;
        Ok(self.shared.selector.descriptor())
    }

    /// The descriptors that it keeps.
    pub(crate) fn descriptors(&self) -> Vec<RawDescriptor> {
        self.shared.selector.descriptors()
    }

    /// Ends every wait with `Closed`. What it watches stays open.
    pub fn close(&self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        if self.shared.process == sys::process_id() {
            // A counter that is too full to take the wake-up is a wake-up too.
            let _ = self.shared.selector.wake();
        }
    }

    /// Whether what woke a wait was only the clock's being moved.
    fn was_the_clock(&self) -> bool {
        self.clock.is_manual() && !self.shared.wake_called.swap(false, Ordering::SeqCst)
    }

    fn check_open(&self) -> Result<()> {
        if self.shared.closed.load(Ordering::SeqCst) { Err(Status::Closed.into()) } else { Ok(()) }
    }

    fn key_of(&self, registration: Option<&Registration>) -> Result<Key> {
        registration
            .filter(|registration| registration.poller.as_ptr() == Arc::as_ptr(&self.shared))
            .map(|registration| registration.key)
            .ok_or_else(not_here)
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        self.close();
    }
}

impl Turn<'_> {
    /// As [`Poller::wait_each`].
    pub fn wait_each(&mut self, capacity: usize, timeout: Timeout, waiter: impl Waiter) -> Result<usize> {
        self.wait_before(Deadline::on(&self.poller.clock, timeout), capacity, waiter)
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
        loop {
            poller.check_open()?;
            let looks = looking.as_ref().is_some_and(Looking::goes_on);
            let sleep = if looks { Some(Duration::ZERO) } else { deadline.patience(clock) };
            let came = if looks { poller.shared.glance(&mut waiting.soloist, &mut waiter) } else { None };
            let mut count = usize::from(came == Some(true));
            let woken = came.is_none()
                && poller
                    .shared
                    .select(waiting, capacity, sleep, |event| {
                        count += 1;
                        waiter.found(event);
                    })
                    .map_err(|error| Error::os(error, "wait with a poller"))?;
            poller.check_open()?;
            if count > 0 || (woken && !poller.was_the_clock()) {
                looking.into_iter().for_each(|it| it.found(count));
                return Ok(count);
            }
            if let Some(looking) = &mut looking {
                looking.found_nothing();
            }
            if deadline.has_passed_on(clock) {
                // The last look is at everything.
                match looking.take().filter(Looking::goes_on) {
                    Some(looking) => looking.ends(),
                    None => return Err(deadline.expiry().into()),
                }
            }
        }
    }
}

impl Shared {
    /// Looks at the soloist alone: whether something has come. None if only the system can tell. What the system would say of it is
    /// left as it is, and said at the next look at everything.
    fn glance(&self, soloist: &mut Soloist, waiter: &mut impl Waiter) -> Option<bool> {
        let key = Key::unpack(soloist.next_look()?);
        let looked_for = |watch: &&mut Watch| watch.interest.readable && !watch.insists;
        let token = self.sources.lock().get_mut(key).filter(looked_for)?.token;
        let came = match waiter.receive(token) {
            Some(came) => came,
            None if !soloist.is_worth_judging() => return None,
            None => {
                // Not held during the waiter's receive, which may end the connection and be about its descriptor.
                let endpoint = self.sources.lock().get_mut(key)?.endpoint.upgrade()?;
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
        &self,
        waiting: &mut Waiting,
        capacity: usize,
        timeout: Option<Duration>,
        mut found: impl FnMut(Event),
    ) -> io::Result<bool> {
        let Waiting { selection, rewatched, soloist, .. } = waiting;
        let mut sources = None;
        let mut first = true;
        let woken = selection.wait(capacity, timeout, |packed, ready| {
            // Taken at the first event only: a wait that finds nothing should not get in the way of those who add.
            let sources = sources.get_or_insert_with(|| self.sources.lock());
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
                let _ = endpoint.rewatch(&self.selector, packed, wanted);
                rewatched.push(endpoint);
            }
        });
        drop(sources);
        rewatched.clear();
        woken
    }
}

/// Puts the events into the slots, from the first one on.
fn into_slots(events: &mut [Event]) -> impl FnMut(Event) {
    let mut next = events.iter_mut();
    move |event| {
        if let Some(slot) = next.next() {
            *slot = event;
        }
    }
}

fn not_here() -> Error {
    Error::new(Status::InvalidState, "it is not in this poller")
}

/// What a [`Poller`] can watch: a [`Server`] or a [`Socket`].
pub trait Pollable: sealed::Sealed {}
impl Pollable for Server {}
impl Pollable for Socket {}

pub(crate) mod sealed {
    use super::*;

    pub struct Endpoint(pub(crate) Arc<dyn Watched>);

    pub trait Sealed {
        fn endpoint(&self) -> Result<Endpoint>;
    }

    impl Sealed for Server {
        fn endpoint(&self) -> Result<Endpoint> {
            Ok(Endpoint(Server::endpoint(self)?))
        }
    }

    impl Sealed for Socket {
        fn endpoint(&self) -> Result<Endpoint> {
            Ok(Endpoint(Socket::endpoint(self)?))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::SocketOptions;

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
        for _ in 0..22 {
            far.send(b"x", Timeout::None).unwrap();
            poller.wait_each(8, WATCHDOG, &mut receiver).unwrap();
        }
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
    fn a_look_that_ends_has_looked_at_everything() {
        let poller =
            Poller::new(PollerOptions { busy_poll: BusyPoll::Never, ..PollerOptions::default() }).unwrap();
        let (near, far) = Socket::pair(&SocketOptions::default()).unwrap();
        let (other, peer_of_other) = Socket::pair(&SocketOptions::default()).unwrap();
        poller.add(&near, Interest::READABLE_EDGE, 7).unwrap();
        poller.add(&other, Interest::READABLE_EDGE, 8).unwrap();
        let mut events = [Event::default(); 8];
        for _ in 0..10 {
            far.send(b"x", Timeout::None).unwrap();
            poller.wait(&mut events, WATCHDOG).unwrap();
            near.receive(&mut [0; 8], WATCHDOG).unwrap();
        }
        for _ in 0..20 {
            peer_of_other.send(b"x", Timeout::None).unwrap();
            assert_eq!(poller.look(&mut events, Duration::from_nanos(1)).unwrap(), 1);
            assert_eq!(events[0].token, 8);
            other.receive(&mut [0; 8], WATCHDOG).unwrap();
            far.send(b"x", Timeout::None).unwrap();
            poller.wait(&mut events, WATCHDOG).unwrap();
            near.receive(&mut [0; 8], WATCHDOG).unwrap();
        }
    }
}

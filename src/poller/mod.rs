//! Readiness of thousands of servers and sockets.

mod turn;

pub(crate) use turn::Waiter;

use crate::busy_poll::{BusyPoll, BusyPoller};
use crate::clock::Clock;
use crate::deadline::Timeout;
use crate::endpoint::Watched;
use crate::error::{Error, Result, Status};
use crate::server::Server;
use crate::socket::Socket;
use crate::sources::{Key, Sources};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sys::{self, RawDescriptor, Readiness, Selector};
use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::{Arc, Weak};
use std::time::Duration;
use turn::Waiting;

/// What to look for at a server or socket.
///
/// A server is readable when a connection may be there to accept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interest {
    /// Data, the end of the peer's stream, or a connection to accept.
    pub readable: bool,
    /// Room to send. To be asked for after a send that fell short: otherwise nearly every wait finds it.
    pub writable: bool,
    /// Report each change once instead of as long as it lasts: who is told reads until `WouldBlock` and sends until `WouldBlock`. Less
    /// than asked for is the end of what is there, too, unless the peer sends descriptors or out of band (`MSG_OOB`): the system
    /// ends a receive with those, and what is behind them is told with what comes next. Cheaper by a system call an event. Now and then a change is reported twice.
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
            selection: Mutex::new(Waiting::new(selection)),
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
        // Again, since the one that it was in may have been this one, which another thread has just closed.
        self.check_open()?;
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

    /// In a forked child: ceases to have open what it watches, and leaves the rest to the parent. Waits for no lock, which a thread may
    /// hold that only the parent has; then the child keeps all of it.
    pub(crate) fn leave_to_parent(&self) {
        if let Some(sources) = self.shared.sources.try_lock() {
            sources.endpoints().for_each(|endpoint| endpoint.vacate());
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

/// Puts the events into the slots, from the first one on.
fn into_slots(events: &mut [Event]) -> impl FnMut(Event) {
    let mut next = events.iter_mut();
    move |event| {
        if let Some(slot) = next.next() {
            *slot = event;
        }
    }
}

impl fmt::Debug for Poller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_closed = self.shared.closed.load(Ordering::SeqCst);
        f.debug_struct("Poller").field("is_closed", &is_closed).finish_non_exhaustive()
    }
}

// What it keeps under its locks is whole whenever one of them is released, also by a panic.
impl UnwindSafe for Poller {}
impl RefUnwindSafe for Poller {}

fn not_here() -> Error {
    Error::new(Status::InvalidState, "it is not in this poller")
}

/// What a [`Poller`] can watch: a [`Server`] or a [`Socket`].
pub trait Pollable: sealed::Sealed {}
impl Pollable for Server {}
impl Pollable for Socket {}

pub(crate) mod sealed {
    use super::*;

    #[allow(missing_debug_implementations)] // nobody else can have one
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
    use std::sync::Barrier;

    #[test]
    fn what_is_in_a_poller_is_not_added_again_while_another_thread_closes_that() {
        for _ in 0..100 {
            let poller = Poller::new(PollerOptions::default()).unwrap();
            let (near, _far) = Socket::pair(&SocketOptions::default()).unwrap();
            poller.add(&near, Interest::READABLE, 7).unwrap();
            let endpoint = near.endpoint().unwrap();
            // Keeps the add in its middle.
            let registration = endpoint.registration();
            let begun = Barrier::new(2);
            std::thread::scope(|scope| {
                let adder = scope.spawn(|| {
                    begun.wait();
                    poller.add(&near, Interest::READABLE, 8)
                });
                begun.wait();
                (0..100).for_each(|_| std::thread::yield_now());
                poller.close();
                drop(registration);
                assert_eq!(adder.join().unwrap().unwrap_err().status(), Status::Closed);
            });
        }
    }
}

//! A server on threads of its own.

mod connection;
mod headcount;
mod mailbox;
mod running;
mod worker;

pub use connection::Connection;

use crate::busy_poll::BusyPoll;
use crate::clock::Clock;
use crate::deadline::{Deadline, Timeout};
use crate::error::{Error, Result, Status};
use crate::name::Scope;
use crate::policy::Policy;
use crate::server::Server;
use crate::slot::Slot;
use crate::socket::MessageOptions;
use crate::sys::Descriptor;
use crate::testkit::faults::FaultPlan;
use parking_lot::Mutex;
use running::{Running, stopped_meanwhile};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use worker::Worker;

/// What a service does with its connections.
///
/// The calls for one connection come one after another, on one thread of the service; with several workers, calls for
/// different connections come at the same time. A call that panics costs its connection, and the panic's message is in
/// the [`ServiceReport`]; the others don't notice. While a call runs, its thread serves nobody else.
///
/// The service's threads block all signals but those of faults, which threads that a call starts inherit, and programs, too, unless
/// [`std::process::Command`] starts them, which blocks none.
pub trait Handler: Send + Sync + 'static {
    /// Somebody connected.
    fn connected(&self, connection: &Connection) {
        let _ = connection;
    }

    /// Some bytes came: what one receive gave, which need not be what one send sent. Not called with
    /// [`ServiceOptions::messages`].
    /// Descriptors that come with them are closed.
    fn received(&self, connection: &Connection, data: &[u8]) {
        let (_, _) = (connection, data);
    }

    /// Whether a message may be delivered. If not, the connection ends with `Refused`.
    fn admits(&self, connection: &Connection, message: &[u8]) -> bool {
        let (_, _) = (connection, message);
        true
    }

    /// A message came. Called with [`ServiceOptions::messages`] only.
    fn message(&self, connection: &Connection, message: &[u8]) {
        let (_, _) = (connection, message);
    }

    /// A message came, with descriptors if the peer sent some and [`MessageOptions::max_descriptors`] allows. Unless a handler has
    /// its own, this closes them and calls [`Handler::message`]. Called with [`ServiceOptions::messages`] only.
    fn message_with_descriptors(
        &self,
        connection: &Connection,
        message: &[u8],
        descriptors: Vec<Descriptor>,
    ) {
        drop(descriptors);
        self.message(connection, message);
    }

    /// The peer will send no more, but may still read. The connection closes now, unless this does not.
    fn finished(&self, connection: &Connection) {
        connection.close();
    }

    /// The last call for this connection. `Disconnected`: the peer has gone, or had ended its sending before this side closed the
    /// connection. `Closed`: this side closed it otherwise, or the service stops. `Internal`: a call panicked. `TimedOut`: the
    /// peer was idle, or too slow with a message or its handshake, or did not read what was queued for a close. `Refused`: by
    /// [`Handler::admits`]. Others: as [`crate::Socket::receive`] and [`crate::Socket::receive_message`] say; or why the system did
    /// not send what was queued.
    fn disconnected(&self, connection: &Connection, reason: Status) {
        let (_, _) = (connection, reason);
    }

    /// More than [`ServiceOptions::high_water`] is queued to the peer, or a send has found no room; so nothing is read from it for
    /// now. `low_water` follows, unless the connection ends before.
    fn high_water(&self, connection: &Connection, queued: usize) {
        let (_, _) = (connection, queued);
    }

    /// The queue has drained to [`ServiceOptions::low_water`] again, and reading goes on.
    fn low_water(&self, connection: &Connection, queued: usize) {
        let (_, _) = (connection, queued);
    }
}

/// A handler that sends back what it gets.
#[derive(Clone, Copy, Debug, Default)]
pub struct Echo;

impl Handler for Echo {
    fn received(&self, connection: &Connection, data: &[u8]) {
        // What is read at a time fits into the queue. It fails when the peer has gone, of which the service hears too.
        let _ = connection.send(data, Timeout::None);
    }

    fn message(&self, connection: &Connection, message: &[u8]) {
        // A queue that is not full takes a message of any size, and nothing is read above high water. It fails when the peer
        // has gone, of which the service hears too.
        let _ = connection.send_message(message, Timeout::None);
    }
}

/// How a service runs.
#[derive(Clone, Debug)]
pub struct ServiceOptions {
    /// As of a server.
    pub scope: Scope,
    /// As of a server.
    pub mode: Option<u32>,
    /// As of a server.
    pub backlog: Option<u32>,
    /// Threads, each serving its share of the connections.
    pub workers: usize,
    /// Bytes queued to one peer at most, of messages one more than that.
    pub queue_limit: usize,
    /// Above so many queued bytes, nothing more is read from that peer. Less than the limit.
    pub high_water: usize,
    /// At so few queued bytes, reading goes on. Less than `high_water`.
    pub low_water: usize,
    /// [`PollerOptions::busy_poll`](crate::PollerOptions::busy_poll) of the threads.
    pub busy_poll: BusyPoll,
    /// Connections at once; more are closed as soon as they come. None: as many as there are descriptors.
    pub max_connections: Option<usize>,
    /// Messages instead of a stream of bytes.
    pub messages: Option<Arc<MessageOptions>>,
    /// How long a connection may be without a byte in either direction before it ends with `TimedOut`. What other threads send that need
    /// not be queued is noticed only when that is over, and begins it anew; on a clock that a test moves it does so from the send on. None: for
    /// ever.
    pub idle_timeout: Option<Duration>,
    /// Whom connections are taken from.
    pub policy: Policy,
    /// Connections accepted in a second at most, on average; more wait in the backlog. None: as many as come.
    pub connection_rate: Option<u32>,
    /// How long a connection that closes may be without sending anything of what is queued; the rest is dropped then.
    pub linger: Duration,
    /// What the deadlines of the connections and [`ServiceOptions::connection_rate`] run on; how long a stop may take, and when it looks
    /// again whether there is a descriptor for the next connection, is the system's time always.
    pub clock: Clock,
    /// As of a server.
    pub faults: Option<FaultPlan>,
}

impl Default for ServiceOptions {
    fn default() -> Self {
        ServiceOptions {
            scope: Scope::default(),
            mode: None,
            backlog: None,
            workers: 1,
            queue_limit: 1 << 20,
            high_water: 1 << 19,
            low_water: 1 << 17,
            busy_poll: BusyPoll::default(),
            max_connections: None,
            messages: None,
            idle_timeout: None,
            policy: Policy::Everyone,
            connection_rate: None,
            linger: Duration::from_secs(10),
            clock: Clock::default(),
            faults: None,
        }
    }
}

/// What a service did from start to stop.
#[derive(Debug)]
#[non_exhaustive]
pub struct ServiceReport {
    /// Connections accepted.
    pub accepted: u64,
    /// Connections closed at once because of [`ServiceOptions::max_connections`] or [`ServiceOptions::policy`].
    pub refused: u64,
    /// Connections that were there when it was told to stop.
    pub open_at_stop: u64,
    /// Bytes received.
    pub received: u64,
    /// Bytes that the kernel took.
    pub sent: u64,
    /// Bytes that sends accepted and the kernel never got.
    pub unsent: u64,
    /// Why the connections ended.
    pub endings: Endings,
    /// The messages of panics in the handler: the first thousand.
    pub failures: Vec<String>,
    /// `Ok` if the stop lost nothing, otherwise `WouldBlock` or `TimedOut`, as in [`crate::socket::CloseReport`], also if it was not its
    /// own time that was short: [`ServiceOptions::linger`] was, or the system could not send it.
    pub outcome: Status,
    /// Why the socket file could not be removed, if it was left behind.
    pub left_behind: Option<Error>,
}

/// How many connections ended for what reason; the statuses are those of [`Handler::disconnected`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Endings {
    /// `Disconnected`: the peer left.
    pub disconnected: u64,
    /// `Closed`: by this side.
    pub closed: u64,
    /// `TimedOut`: the peer was idle or too slow.
    pub timed_out: u64,
    /// `Malformed`, `Mismatch`, `MessageTooLarge`: the peer broke the protocol.
    pub malformed: u64,
    /// `Refused`: by [`Handler::admits`].
    pub refused: u64,
    /// Anything else: limits, panics of the handler, the system.
    pub other: u64,
}

impl Endings {
    fn count(&mut self, reason: Status) {
        *match reason {
            Status::Disconnected => &mut self.disconnected,
            Status::Closed => &mut self.closed,
            Status::TimedOut => &mut self.timed_out,
            Status::Malformed | Status::Mismatch | Status::MessageTooLarge => &mut self.malformed,
            Status::Refused => &mut self.refused,
            _ => &mut self.other,
        } += 1;
    }
}

/// A server on threads of its own. It listens when `start` returns, and no call of its handler runs after `stop` returned
/// `Ok`, or after it was dropped.
pub struct Service {
    /// Tells this service from all others of the process.
    number: u64,
    options: ServiceOptions,
    handler: Arc<dyn Handler>,
    /// There until it has finished, so that whoever wants it to stop can wait for that.
    running: Slot<Arc<Running>>,
    /// What calls of `start` make listen, so that who shuts it down sees their names come no more.
    starting: Mutex<Vec<Starting>>,
}

/// A server that a call of `start` makes listen.
#[derive(Clone)]
struct Starting {
    /// The call's, with which it fills the place of what runs.
    token: Arc<()>,
    server: Arc<Server>,
}

/// A place among those that are starting, until it is dropped.
struct Place<'a> {
    service: &'a Service,
    server: Arc<Server>,
}

impl Service {
    /// A service that does not run yet.
    ///
    /// # Errors
    ///
    /// `InvalidArgument`: no workers, or no connections in a second, or the marks are not low < high < limit.
    pub fn new(options: ServiceOptions, handler: Arc<dyn Handler>) -> Result<Service> {
        let ServiceOptions { workers, queue_limit, high_water, low_water, .. } = options;
        if workers == 0 {
            return Err(Error::new(Status::InvalidArgument, "a service with no workers"));
        }
        if options.connection_rate == Some(0) {
            return Err(Error::new(Status::InvalidArgument, "a service with no connections in a second"));
        }
        if !(low_water < high_water && high_water < queue_limit) {
            let marks = format!("low water {low_water}, high water {high_water}, limit {queue_limit}");
            return Err(Error::new(Status::InvalidArgument, marks + ": each must be less than the next"));
        }
        static NUMBERS: AtomicU64 = AtomicU64::new(1);
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        Ok(Service { number, options, handler, running: Slot::default(), starting: Mutex::default() })
    }

    /// A service that sends back what it gets.
    ///
    /// # Errors
    ///
    /// As [`Service::new`].
    pub fn echo(options: ServiceOptions) -> Result<Service> {
        Service::new(options, Arc::new(Echo))
    }

    /// Starts under a name. When this returns, it listens.
    ///
    /// # Errors
    ///
    /// As [`Server::listen`]. `InvalidState`: it runs already, or another thread is just starting it. `Closed`: another thread
    /// stopped it or shut it down meanwhile. `LimitReached`: no descriptors or threads left.
    pub fn start(&self, name: impl AsRef<OsStr>) -> Result<()> {
        self.start_with(|server| server.listen(name))
    }

    /// Starts under a new name that nobody has, which begins with the prefix.
    ///
    /// # Errors
    ///
    /// As [`Service::start`].
    pub fn start_unique(&self, prefix: impl AsRef<OsStr>) -> Result<()> {
        self.start_with(|server| server.listen_unique(prefix))
    }

    fn start_with(&self, listen: impl FnOnce(&Server) -> Result<()>) -> Result<()> {
        let filling = self.running.begin().map_err(|status| match status {
            Status::Closed => Error::new(status, "start: the service was destroyed"),
            _ => Error::new(status, "start: the service runs already"),
        })?;
        let place = Place::new(self, filling.token());
        // Who shut it down before may not have found the server; who does so from here on does.
        filling.check().map_err(|_| stopped_meanwhile())?;
        let server = place.server.clone();
        let prepared = Running::prepare(self.number, &self.options, &self.handler, server, listen);
        // Whatever does not go with a server that is closed, it was closed by who shut it down.
        let (started, workers) =
            prepared.map_err(|error| filling.check().map_or_else(|_| stopped_meanwhile(), |()| error))?;
        let started = Arc::new(started);
        filling.finish(started.clone()).map_err(|_| stopped_meanwhile())?;
        drop(place);
        self.spawn(&started, workers)
    }

    /// From here on others can stop it, and wait for the calls of the handler that its first threads make.
    fn spawn(&self, started: &Arc<Running>, workers: Vec<Worker>) -> Result<()> {
        started.spawn(workers).inspect_err(|error| {
            // If it was stopped, the report is for who did that.
            if error.status() != Status::Closed {
                started.shut_down();
                self.forget(started);
            }
        })
    }

    /// Its server, if it runs.
    pub(crate) fn server(&self) -> Option<Arc<Server>> {
        self.running.with(|running| running.server())
    }

    /// The full name to connect to.
    ///
    /// # Errors
    ///
    /// `InvalidState`: it does not run.
    pub fn full_name(&self) -> Result<OsString> {
        self.running()?.full_name()
    }

    /// What it has done since it started; bytes count when their connection has ended.
    ///
    /// # Errors
    ///
    /// `InvalidState`: it does not run.
    pub fn statistics(&self) -> Result<ServiceReport> {
        Ok(self.running()?.statistics())
    }

    fn running(&self) -> Result<Arc<Running>> {
        let not_running = || Error::new(Status::InvalidState, "the service does not run");
        self.running.with(Arc::clone).ok_or_else(not_running)
    }

    /// Stops: gives the name back, sends what is queued until the deadline, closes the connections, and ends the threads. To who does
    /// not read, it sends no longer than [`ServiceOptions::linger`], even if it may wait for ever. As soon as the thread of a
    /// connection has heard of it, after the call of the handler that it is in, sends to the connection end with `Closed`, also those that
    /// wait for room. It may start again. Whether bytes were lost is the outcome in the report.
    ///
    /// When the deadline has passed, what the handler still sends ends with `Closed`, and a call of it that runs is waited
    /// for at most a quarter of a second longer.
    ///
    /// # Errors
    ///
    /// `WouldBlock`, `TimedOut`: a call of the handler runs still, or one of [`Service::start`]; stop again to wait for it.
    /// `InvalidState`: it does not run, or this is a call of its own handler. `Closed`: another thread stopped it or shut it
    /// down meanwhile, and has the report.
    pub fn stop(&self, timeout: Timeout) -> Result<ServiceReport> {
        let deadline = Deadline::from(timeout);
        self.refuse_own_threads()?;
        // Who destroys it while this is called may be first.
        let why_not = |error| if self.running.is_shut() { stopped_by_another() } else { error };
        let running = self.running().map_err(why_not)?;
        if running.is_inherited() {
            return Err(Error::new(Status::InvalidState, "stop: the service is the parent process's"));
        }
        running.order_stop(deadline);
        if !running.wait_finished(deadline) {
            return Err(Error::new(
                deadline.expiry(),
                "stop: a call of the handler, or of start, runs still",
            ));
        }
        running.join();
        // Of several that wait for it to stop, one has stopped it.
        if !self.forget(&running) || running.was_shut_down() {
            return Err(stopped_by_another());
        }
        Ok(running.report(deadline.expiry()))
    }

    /// Stops without sending what is queued, and waits for calls of the handler that run, also when another thread stops it
    /// just now; what they still send ends with `Closed`. Does nothing if it does not run. A call that is just starting it ends with
    /// `Closed`, and its name is gone when this returns, or does not come any more.
    ///
    /// # Errors
    ///
    /// `InvalidState`: this is a call of its own handler.
    pub fn shut_down(&self) -> Result<()> {
        self.refuse_own_threads()?;
        self.running.interrupt();
        let mut ended = self.starting.lock().clone();
        // What began to start only after that may go on.
        ended.retain(|starting| !self.running.is_filled_by(&starting.token));
        // Nobody is told of a file that stays, as of what runs.
        ended.iter().for_each(|starting| drop(starting.server.close_for_good()));
        if let Ok(running) = self.running() {
            running.shut_down();
            self.forget(&running);
        }
        Ok(())
    }

    /// As `shut_down`, and it does not start again: a call that has come by now to start it ends with `Closed`.
    pub(crate) fn shut_down_for_good(&self) -> Result<()> {
        self.refuse_own_threads()?;
        self.running.shut();
        self.shut_down()
    }

    /// As [`Server::leave_to_parent`], and of its connections.
    pub(crate) fn leave_to_parent(&self) {
        if let Some(starting) = self.starting.try_lock() {
            starting.iter().for_each(|starting| starting.server.leave_to_parent());
        }
        self.running.try_with(|running| running.leave_to_parent());
    }

    /// Its own threads would wait for themselves.
    fn refuse_own_threads(&self) -> Result<()> {
        if mailbox::on_thread_of(self.number) {
            let context = "stop: called from the service's own handler";
            return Err(Error::new(Status::InvalidState, context));
        }
        Ok(())
    }

    /// It has finished: the next start is free. Of several that saw it finish, one is told so.
    fn forget(&self, finished: &Arc<Running>) -> bool {
        self.running.take_if(|running| Arc::ptr_eq(running, finished)).is_some()
    }
}

impl<'a> Place<'a> {
    fn new(service: &'a Service, token: Arc<()>) -> Self {
        let server = Arc::new(Running::server_for(&service.options));
        service.starting.lock().push(Starting { token, server: server.clone() });
        Place { service, server }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.service.starting.lock().retain(|starting| !Arc::ptr_eq(&starting.server, &self.server));
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.running.try_with(|running| running.full_name().ok()).flatten();
        f.debug_struct("Service").field("name", &name).finish_non_exhaustive()
    }
}

// What it keeps under its locks is whole whenever one of them is released, also by a panic; those of a handler are caught call by call.
impl UnwindSafe for Service {}
impl RefUnwindSafe for Service {}

fn stopped_by_another() -> Error {
    Error::new(Status::Closed, "stop: another thread has stopped it")
}

impl Drop for Service {
    fn drop(&mut self) {
        // It fails in a call of its own handler only, which holds the last reference then: nobody can wait for that
        // thread, which ends after this call. Nor may the others wait any more, whom nobody could wake later.
        if self.shut_down().is_err()
            && let Some(running) = self.running.take()
        {
            running.cut_short();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status<T>(result: Result<T>) -> Status {
        result.err().map_or(Status::Ok, |error| error.status())
    }

    #[test]
    fn what_was_shut_down_for_good_does_not_start_again() {
        let service = Service::echo(ServiceOptions::default()).unwrap();
        service.start_unique("service").unwrap();
        service.shut_down().unwrap();
        service.start_unique("service").unwrap();
        service.shut_down_for_good().unwrap();
        assert_eq!(status(service.full_name()), Status::InvalidState);
        assert_eq!(status(service.start_unique("service")), Status::Closed);
    }

    /// In whatever order their threads come.
    #[test]
    fn who_stops_what_another_thread_has_just_destroyed_is_told_that_it_is_closed() {
        let service = Service::echo(ServiceOptions::default()).unwrap();
        service.start_unique("service").unwrap();
        service.shut_down_for_good().unwrap();
        assert_eq!(status(service.stop(Timeout::Forever)), Status::Closed);
    }

    /// A service that another thread may stop, and whose own threads are still to be started.
    fn almost_started(service: &Service) -> (Arc<Running>, Vec<Worker>) {
        let filling = service.running.begin().unwrap();
        let server = Arc::new(Running::server_for(&service.options));
        let listen = |server: &Server| server.listen_unique("service");
        let (running, workers) =
            Running::prepare(service.number, &service.options, &service.handler, server, listen).unwrap();
        let running = Arc::new(running);
        assert!(filling.finish(running.clone()).is_ok());
        (running, workers)
    }

    #[test]
    fn what_was_shut_down_before_its_threads_start_has_none() {
        let service = Service::echo(ServiceOptions::default()).unwrap();
        let (running, workers) = almost_started(&service);
        service.shut_down().unwrap();
        assert_eq!(status(service.spawn(&running, workers)), Status::Closed);
        assert_eq!(status(service.full_name()), Status::InvalidState);
    }

    /// Whoever sees its end first.
    #[test]
    fn who_stops_what_another_thread_shuts_down_has_no_report() {
        let service = Service::echo(ServiceOptions::default()).unwrap();
        service.start_unique("service").unwrap();
        service.running().unwrap().cut_short();
        assert_eq!(status(service.stop(Timeout::Forever)), Status::Closed);
    }

    #[test]
    fn who_stops_it_before_its_threads_start_waits_for_them_and_has_the_report() {
        let service = Service::echo(ServiceOptions { workers: 2, ..ServiceOptions::default() }).unwrap();
        let (running, workers) = almost_started(&service);
        assert_eq!(status(service.stop(Timeout::None)), Status::WouldBlock);
        std::thread::scope(|scope| {
            let stopped = scope.spawn(|| status(service.stop(Timeout::Forever)));
            assert_eq!(status(service.spawn(&running, workers)), Status::Closed);
            assert_eq!(stopped.join().unwrap(), Status::Ok);
        });
        assert_eq!(status(service.stop(Timeout::None)), Status::InvalidState);
    }
}

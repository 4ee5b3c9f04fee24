//! A faulty wire between two names, for programs that are not ours.

use super::faults::{Direction, FaultPlan};
use super::tap::Tap;
use super::text::visible;
use super::wire::{Link, Want, Wire};
use crate::deadline::{Deadline, Timeout};
use crate::error::{Error, Result, Status};
use crate::gate::Gate;
use crate::name::Name;
use crate::server::{Server, ServerOptions};
use crate::socket::{Socket, SocketOptions, Trust};
use crate::sys::RawDescriptor;
use crate::thread::OwnThread;
use parking_lot::Mutex;
use std::ffi::OsString;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{fmt, fs};

/// How a proxy works.
#[derive(Clone, Debug)]
pub struct ProxyOptions {
    /// What goes wrong. None: nothing.
    pub faults: Option<FaultPlan>,
    /// Records what passes. None: nothing is recorded.
    pub tap: Option<Tap>,
    /// The permission bits of the proxy's socket file; as of a server.
    pub mode: Option<u32>,
    /// As of a server.
    pub backlog: Option<u32>,
    /// Whose server the proxy connects to.
    pub trust: Trust,
    /// How long to try for a connection to a server whose backlog is full, before the client's is closed.
    pub connect_timeout: Duration,
}

impl Default for ProxyOptions {
    fn default() -> Self {
        ProxyOptions {
            faults: None,
            tap: None,
            mode: None,
            backlog: None,
            trust: Trust::SameUser,
            connect_timeout: Duration::from_secs(10),
        }
    }
}

/// What a proxy has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProxyStatistics {
    /// Clients accepted, those included that could not be connected to the target.
    pub accepted: u64,
    /// Of these, those that could not be connected to the target, or that the proxy has broken for want of descriptors or memory.
    pub not_connected: u64,
    /// Bytes passed on to the server.
    pub to_server: u64,
    /// Bytes passed on to the client.
    pub to_client: u64,
}

/// More failures than this that nobody takes are only counted.
const FAILURES: usize = 10_000;

/// How often a server with a full backlog is tried: no call tells when it has room without waiting in the kernel, where nothing but
/// the time ends it. And an accept, when there is no descriptor for it.
const RETRY: Duration = Duration::from_millis(5);

/// Listens under one name, connects each client to the server of another, and carries what they say, with its faults.
pub struct Proxy {
    shared: Arc<Shared>,
    thread: OwnThread,
}

struct Shared {
    server: Server,
    target: Name,
    options: ProxyOptions,
    wire: Wire,
    /// Shut when it stops.
    open: Gate,
    failures: Arc<Failures>,
}

/// What has failed, of which the connections tell as well.
#[derive(Default)]
struct Failures {
    lines: Mutex<Vec<String>>,
    not_connected: AtomicU64,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy").finish_non_exhaustive()
    }
}

impl Proxy {
    /// Starts a proxy. It listens when this returns. Whether the target has a server is seen when clients come.
    ///
    /// # Errors
    ///
    /// As [`Server::listen`]. `InvalidArgument`: the two names are the same, or one leads to the other. `LimitReached`: no
    /// descriptors or threads left.
    pub fn start(name: Name, target: Name, options: ProxyOptions) -> Result<Proxy> {
        let own_server =
            |name: &Name| Error::new(Status::InvalidArgument, format!("{name}: it would be its own server"));
        if name == target {
            return Err(own_server(&name));
        }
        let server = Server::new(ServerOptions {
            mode: options.mode,
            backlog: options.backlog,
            ..ServerOptions::default()
        })
        .with_accept_faults(options.faults.clone());
        let shared = Arc::new(Shared {
            server,
            target,
            options,
            wire: Wire::new()?,
            open: Gate::default(),
            failures: Arc::default(),
        });
        shared.server.listen_on(name.clone())?;
        // Only now is there something that a link can lead to.
        if is_link_to(&shared.target, &name) {
            return Err(own_server(&name));
        }
        let runner = shared.clone();
        let proxy = Proxy { shared, thread: OwnThread::none() };
        proxy.thread.start("moorline-proxy", move || runner.run())?;
        Ok(proxy)
    }

    /// The full name to connect to.
    ///
    /// # Errors
    ///
    /// `InvalidState`: it has stopped.
    pub fn full_name(&self) -> Result<OsString> {
        self.shared.server.full_name()
    }

    /// Its server, and the descriptors of its wire.
    pub(crate) fn parts(&self) -> (&Server, Vec<RawDescriptor>) {
        (&self.shared.server, self.shared.wire.descriptors())
    }

    /// What it has done so far.
    pub fn statistics(&self) -> ProxyStatistics {
        ProxyStatistics {
            accepted: self.shared.server.statistics().accepted,
            not_connected: self.shared.failures.not_connected.load(Ordering::Relaxed),
            to_server: self.shared.wire.passed(Direction::ToServer),
            to_client: self.shared.wire.passed(Direction::ToClient),
        }
    }

    /// What failed, a line each, which are taken with this: clients that could not be connected to the target; what came on a connection
    /// and could not be received for want of descriptors or memory, which breaks it, or passed on, which is tried again; and accepts. What
    /// is tried again is told once, however often that is. At most ten thousand are kept.
    pub fn take_failures(&self) -> Vec<String> {
        std::mem::take(&mut *self.shared.failures.lines.lock())
    }

    /// Takes the failures if `take` does, and gives its answer.
    pub(crate) fn take_failures_by(&self, take: impl FnOnce(&[String]) -> Result<()>) -> Result<()> {
        let mut failures = self.shared.failures.lines.lock();
        take(&failures)?;
        failures.clear();
        Ok(())
    }

    /// Stops listening, waits until the conversations have ended by themselves, and at the deadline breaks them.
    ///
    /// # Errors
    ///
    /// `WouldBlock`, `TimedOut`: some were broken. `Closed`: they were broken by another thread that stopped it as well, or by an
    /// earlier stop. `InvalidState`: this is a forked child, and the proxy its parent's. Others of giving the name back, as
    /// [`Server::close`].
    pub fn stop(&self, timeout: Timeout) -> Result<()> {
        if self.thread.is_inherited() {
            return Err(Error::new(Status::InvalidState, "stop a proxy: it is the parent process's"));
        }
        let deadline = Deadline::from(timeout);
        let closed = self.shared.server.close();
        self.shared.open.shut();
        self.thread.join();
        let idle = self.shared.wire.wait_idle(deadline);
        self.shared.wire.end();
        closed?;
        // Of those that were there still some may have ended meanwhile.
        Ok(idle.or_else(|_| self.shared.wire.wait_idle(Deadline::Now).or(idle))?)
    }

    /// As [`Server::leave_to_parent`], and of its connections.
    pub(crate) fn leave_to_parent(&self) {
        self.shared.server.leave_to_parent();
        self.shared.wire.leave_to_parent();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Nobody is left to tell. Who wants to know calls stop.
        let _ = self.stop(Timeout::None);
    }
}

impl Shared {
    fn run(&self) {
        // What it fails by is told once, however often it is tried, and told again once something else has come between.
        let mut told = None;
        loop {
            match self.server.accept(Timeout::Forever) {
                Ok(client) => {
                    told = None;
                    // Told before the client is closed, which is when somebody may ask.
                    match self.connect() {
                        Ok(server) => self.carry(client, server),
                        Err(error) => self.failures.could_not_connect(&error),
                    }
                }
                Err(error) if matches!(error.status(), Status::Closed | Status::InvalidState) => return,
                // No descriptors, most likely. The connection waits in the backlog meanwhile.
                Err(error) => {
                    let failure = error.to_string();
                    if told.as_ref() != Some(&failure) {
                        self.failures.tell(&failure);
                        told = Some(failure);
                    }
                    pause();
                }
            }
        }
    }

    fn connect(&self) -> Result<Socket> {
        let options = SocketOptions { trust: self.options.trust, ..SocketOptions::default() };
        // A time beyond what the clock can say is for ever.
        let until = Instant::now().checked_add(self.options.connect_timeout);
        let in_time = || until.is_none_or(|until| Instant::now() < until);
        loop {
            match Socket::connect_to(&self.target, &options, Timeout::None) {
                Err(error) if error.status() == Status::WouldBlock && in_time() => {
                    pause();
                    self.open.check()?;
                }
                connected => return connected,
            }
        }
    }

    fn carry(&self, client: Socket, server: Socket) {
        let conversation = self.options.tap.as_ref().map(|tap| tap.open(client.peer_credentials().ok()));
        let schedules = self.options.faults.as_ref().map(FaultPlan::schedules).unwrap_or_default();
        let number = self.server.statistics().accepted;
        let failures = self.failures.clone();
        let wanting = Box::new(move |want, error: &Error| {
            if want == Want::Breaks {
                failures.not_connected.fetch_add(1, Ordering::Relaxed);
            }
            failures.tell(&format!("connection {number}: {error}"));
        });
        if let Err(error) = self.wire.carry(Link::new([client, server], schedules, conversation, wanting)) {
            self.failures.could_not_connect(&error);
        }
    }
}

impl Failures {
    fn could_not_connect(&self, error: &Error) {
        self.not_connected.fetch_add(1, Ordering::Relaxed);
        self.tell(&error.to_string());
    }

    fn tell(&self, failure: &str) {
        let mut lines = self.lines.lock();
        if lines.len() < FAILURES {
            // It has names in it, with which it stays one line.
            lines.push(visible(failure));
        }
    }
}

/// Whether a client of the one name comes to what stands at the other, by links of the files or of the directories above them.
fn is_link_to(name: &Name, other: &Name) -> bool {
    let real = |name: &Name| name.as_path().and_then(|path| fs::canonicalize(path).ok());
    real(name).is_some_and(|path| real(other) == Some(path))
}

/// A moment, for which a stop waits as well: being woken from it would take a descriptor, of which there may be none.
fn pause() {
    std::thread::sleep(RETRY);
}

//! A server: listens under a name, accepts connections.

use crate::claim::{Claim, Sweep, Taken};
use crate::deadline::{Deadline, Timeout};
use crate::endpoint::Endpoint;
use crate::error::{Error, Result, Status};
use crate::name::{Name, Scope};
use crate::policy::Policy;
use crate::slot::{Filling, Slot};
use crate::socket::{MessageOptions, Socket, SocketOptions};
use crate::sync::{Condvar, Mutex};
use crate::sys::{self, Descriptor, Listener, Place, RawDescriptor, Stream};
use crate::testkit::faults::{FaultPlan, Role};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How a server listens.
#[derive(Clone, Debug, Default)]
pub struct ServerOptions {
    /// Where a plain name lives.
    pub scope: Scope,
    /// The permission bits of the socket file, exactly, whatever the umask; whoever may write may connect: unix(7).
    /// None: 0600, this user only. Abstract names have no permissions. Without the owner's right to write, a name whose server was
    /// killed is not recovered.
    pub mode: Option<u32>,
    /// Connections that may wait to be accepted, exactly, at least one. None: as many as the system allows.
    pub backlog: Option<u32>,
    /// [`crate::SocketOptions::send_queue_limit`] of the accepted sockets.
    pub send_queue_limit: usize,
    /// [`crate::SocketOptions::messages`] of the accepted sockets.
    pub messages: Option<Arc<MessageOptions>>,
    /// Whom connections are taken from.
    pub policy: Policy,
    /// What a test wants to go wrong with the connections, and with accepting them.
    pub faults: Option<FaultPlan>,
}

/// What a server has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerStatistics {
    /// Connections accepted.
    pub accepted: u64,
    /// Connections turned away by [`ServerOptions::policy`].
    pub refused: u64,
}

const DEFAULT_MODE: u32 = 0o600;
const PERMISSION_BITS: u32 = 0o777;

/// A server. Any thread may use it at any time, and close it: calls that wait then end with `Closed`.
pub struct Server {
    options: ServerOptions,
    /// Of the accepted sockets.
    accepted: SocketOptions,
    /// The system turns away who sends descriptors to the accepted sockets, where it can.
    refuses_descriptors: bool,
    /// What goes wrong with accepting.
    accept_faults: Option<FaultPlan>,
    accepted_count: AtomicU64,
    refused_count: AtomicU64,
    listening: Slot<Listening>,
    /// To publish the name and to give it back.
    turns: Turns,
}

struct Listening {
    endpoint: Arc<Endpoint<Listener>>,
    /// None: adopted from somebody who bound it without a name.
    name: Option<Name>,
    /// None: there is no file, or it is somebody else's.
    claim: Option<Claim>,
}

impl Server {
    /// A server that does not listen yet.
    pub fn new(options: ServerOptions) -> Server {
        let ServerOptions { send_queue_limit, ref messages, .. } = options;
        let accepted =
            SocketOptions { send_queue_limit, messages: messages.clone(), ..SocketOptions::default() };
        let accept_faults = options.faults.clone();
        Server {
            options,
            refuses_descriptors: accepted.refuse_descriptors(),
            accepted,
            accept_faults,
            accepted_count: AtomicU64::new(0),
            refused_count: AtomicU64::new(0),
            listening: Slot::default(),
            turns: Turns::default(),
        }
    }

    /// This server with what goes wrong with accepting, but not with the connections, which somebody else sees to.
    pub(crate) fn with_accept_faults(mut self, faults: Option<FaultPlan>) -> Server {
        self.accept_faults = faults;
        self
    }

    /// This server for accepted sockets that are nobody's to take descriptors from but by messages.
    pub(crate) fn keeping_sockets(mut self) -> Server {
        self.refuses_descriptors |= self.accepted.messages.is_none();
        self
    }

    /// Listens under a name. When this returns, the name leads here.
    ///
    /// A name whose server died is taken over, if this user may write to its file; a live server's never.
    ///
    /// # Errors
    ///
    /// Of the name, as [`Name::resolve`] says. `NameInUse`: a server has it, or something that is no socket; or a socket file that
    /// this user may not write to, of which nobody can tell whether its server is alive. `NotFound`:
    /// its directory is missing. `PermissionDenied`, also if the name is dead and this user may not remove it, or not read
    /// its directory, as recovering takes. `InvalidState`: it listens already, or another thread is just making it listen. `Closed`: another thread closed it meanwhile. `InvalidArgument`: the mode has other bits than permissions.
    /// `LimitReached`: no descriptors left.
    pub fn listen(&self, name: impl AsRef<OsStr>) -> Result<()> {
        self.listen_on(Name::resolve(name, self.options.scope)?)
    }

    /// Listens under a new name that nobody has, which begins with the prefix.
    ///
    /// # Errors
    ///
    /// As [`Server::listen`].
    pub fn listen_unique(&self, prefix: impl AsRef<OsStr>) -> Result<()> {
        self.listen_on(Name::unique(prefix, self.options.scope)?)
    }

    /// Listens under a name that was resolved before.
    ///
    /// # Errors
    ///
    /// As [`Server::listen`].
    pub fn listen_on(&self, name: Name) -> Result<()> {
        // Without a lock from here on: a claim may take a second.
        let filling = self.begin_to_listen()?;
        self.accepted.check()?;
        let mode = self.options.mode.unwrap_or(DEFAULT_MODE);
        if mode & !PERMISSION_BITS != 0 {
            let context = format!("listen on {name} with mode {mode:#o}: 0777 at most");
            return Err(Error::new(Status::InvalidArgument, context));
        }
        // Who closes the server waits for what is done in turn. So when that is done, the name does not come any more.
        let in_turn = || {
            let turn = self.turns.take();
            filling.check().map_err(|_| closed_meanwhile())?;
            Ok(turn)
        };
        let (claim, mut listener, turn, sweep) = match name.place() {
            Place::Path(path) => {
                let Taken { claim, listener, permission, sweep } =
                    Claim::take(path, mode, self.options.backlog, in_turn)?;
                (Some(claim), listener, permission, Some(sweep))
            }
            Place::Abstract(bytes) => {
                let turn = in_turn()?;
                let listener = Listener::bind_abstract(bytes, self.options.backlog)
                    .map_err(|error| Error::os(error, format!("listen on {name}")))?;
                (None, listener, turn, None)
            }
        };
        if self.refuses_descriptors {
            listener.refuse_descriptors();
        }
        let endpoint = Arc::new(Endpoint::new(listener));
        if let Some(faults) = &self.accept_faults
            && let Err(error) = faults.fill_backlog(&name, &endpoint)
        {
            return claim.map_or(Ok(()), Claim::release).and(Err(error));
        }
        let finished = filling.finish(Listening { endpoint, name: Some(name), claim }).or_else(|in_vain| {
            in_vain.end()?;
            Err(closed_meanwhile())
        });
        drop(turn);
        sweep.into_iter().for_each(Sweep::run);
        finished
    }

    /// Listens with a socket that somebody else made to listen, as [`std::os::unix::net::UnixListener`], and takes it over; it becomes
    /// non-blocking and close-on-exec. On failure it is closed. Its name is read back from it; its file, if any, is never removed.
    ///
    /// # Errors
    ///
    /// `InvalidArgument`: it is not a listening local stream socket. `InvalidState`: the server listens already.
    pub fn listen_descriptor(&self, descriptor: impl Into<Descriptor>) -> Result<()> {
        self.adopt(|| Listener::adopt_owned(descriptor.into()))
    }

    /// As [`Server::listen_descriptor`], of a descriptor that the caller gives away by calling this; on failure it stays the caller's.
    pub(crate) fn listen_number(&self, descriptor: RawDescriptor) -> Result<()> {
        self.adopt(|| Listener::adopt(descriptor))
    }

    fn adopt(&self, take_over: impl FnOnce() -> Result<(Listener, Option<Place>)>) -> Result<()> {
        let filling = self.begin_to_listen()?;
        self.accepted.check()?;
        let (listener, place) = take_over()?;
        let name = place.map(Name::from_place);
        let endpoint = Arc::new(Endpoint::new(listener));
        // If another thread closed the server meanwhile, it is as if it did so afterwards: the socket was taken over.
        filling.finish(Listening { endpoint, name, claim: None }).or_else(Listening::end)
    }

    fn begin_to_listen(&self) -> Result<Filling<'_, Listening>> {
        self.listening.begin().map_err(|status| match status {
            Status::Closed => Error::new(status, "listen: the server was destroyed"),
            _ => Error::new(status, "listen: the server listens already"),
        })
    }

    /// The name; None for an adopted socket without one.
    ///
    /// # Errors
    ///
    /// `InvalidState`: it does not listen.
    pub fn name(&self) -> Result<Option<Name>> {
        self.listening.with(|listening| listening.name.clone()).ok_or_else(not_listening)
    }

    /// The full name to connect to: the path, or the abstract name; empty if it has none.
    ///
    /// # Errors
    ///
    /// `InvalidState`: it does not listen.
    pub fn full_name(&self) -> Result<OsString> {
        Ok(self.name()?.map(|name| name.to_os_string()).unwrap_or_default())
    }

    /// Accepts the next connection, and waits until there is one.
    ///
    /// # Errors
    ///
    /// `WouldBlock`, `TimedOut`: there was none in time. `Closed`: another thread closed the server meanwhile.
    /// `InvalidState`: it does not listen. `PermissionDenied`: somebody was turned away by [`ServerOptions::policy`], and the
    /// next call goes on. `LimitReached`: no descriptor left; it listens still, and the connection waits.
    pub fn accept(&self, timeout: Timeout) -> Result<Socket> {
        let deadline = Deadline::from(timeout);
        // Who destroys it while this is called may be first.
        let why_not = |error| if self.listening.is_shut() { Status::Closed.into() } else { error };
        let endpoint = self.endpoint().map_err(why_not)?;
        loop {
            endpoint.check_open()?;
            if let Some(faults) = &self.accept_faults {
                faults.wait_to_accept(&endpoint, deadline)?;
            }
            match endpoint.source().accept() {
                Ok(stream) if self.is_refused_by_plan(&stream, &endpoint) => continue,
                Ok(stream) => return self.admit(stream),
                Err(errno) => {
                    let error = Error::os(errno, "accept a connection");
                    if error.status() != Status::WouldBlock {
                        return Err(error);
                    }
                }
            }
            deadline.check_may_wait()?;
            endpoint.wait(deadline, |listener, waker, deadline| listener.wait(waker, deadline))?;
        }
    }

    fn admit(&self, stream: Stream) -> Result<Socket> {
        if !self.options.policy.is_everyone() {
            // Who has left already, and can't be asked about, is nobody.
            let checked = stream.credentials().and_then(|peer| self.options.policy.check(&peer));
            if let Err(error) = checked {
                self.refused_count.fetch_add(1, Ordering::Relaxed);
                return Err(error);
            }
        }
        let stream = match &self.options.faults {
            Some(faults) => faults.interpose(stream, Role::Server)?,
            None => stream,
        };
        let socket = Socket::new(stream, &self.accepted)?;
        self.accepted_count.fetch_add(1, Ordering::Relaxed);
        Ok(socket)
    }

    /// Whether somebody is to be closed at once who was just accepted.
    fn is_refused_by_plan(&self, stream: &Stream, listener: &Arc<Endpoint<Listener>>) -> bool {
        self.accept_faults.as_ref().is_some_and(|faults| faults.refuses(stream, listener))
    }

    /// What it has done so far, since it was made.
    pub fn statistics(&self) -> ServerStatistics {
        ServerStatistics {
            accepted: self.accepted_count.load(Ordering::Relaxed),
            refused: self.refused_count.load(Ordering::Relaxed),
        }
    }

    /// The descriptor, which stays the server's: for options, not for accepting, nor for what comes beside the bytes (SO_PASSCRED,
    /// SO_PASSRIGHTS and their like).
    ///
    /// # Errors
    ///
    /// `InvalidState`: it does not listen.
    pub fn descriptor(&self) -> Result<RawDescriptor> {
        Ok(self.endpoint()?.source().descriptor())
    }

    /// The descriptors that it keeps.
    pub(crate) fn descriptors(&self) -> Vec<RawDescriptor> {
        let open = self.listening.with(|listening| {
            let claim = listening.claim.as_ref().map(Claim::descriptor);
            listening.endpoint.descriptors().chain(claim).collect()
        });
        open.unwrap_or_default()
    }

    /// Stops listening and gives the name back; calls that wait end with `Closed`, and so does one that is just making it
    /// listen. Connections that nobody accepted are reset; accepted ones live on. The server may listen again. That it does
    /// not listen is fine. While another thread closes it, or just has its name appear, this waits until that is done, so that the
    /// name is free afterwards, and stays so unless somebody takes it anew.
    ///
    /// # Errors
    ///
    /// Of the system, when the file could not be removed. It does not listen any more even so.
    pub fn close(&self) -> Result<()> {
        self.listening.interrupt();
        let _turn = self.turns.take();
        self.listening.take().map_or(Ok(()), Listening::end)
    }

    /// As `close`, and it does not listen again: what a call does that has come by now to have it listen ends with `Closed`.
    pub(crate) fn close_for_good(&self) -> Result<()> {
        self.listening.shut();
        self.close()
    }

    /// In a forked child: ceases to have the listening socket open, and leaves the rest to the parent. Waits for no lock, which a
    /// thread may hold that only the parent has; then the child keeps the socket.
    pub(crate) fn leave_to_parent(&self) {
        if let Some(endpoint) = self.listening.try_with(|listening| listening.endpoint.clone()) {
            sys::vacate(endpoint.source());
        }
    }

    pub(crate) fn endpoint(&self) -> Result<Arc<Endpoint<Listener>>> {
        self.listening.with(|listening| listening.endpoint.clone()).ok_or_else(not_listening)
    }
}

impl Listening {
    fn end(self) -> Result<()> {
        // Whoever waits does not wait for the file system, which may take its time.
        self.endpoint.close();
        // The name goes before the socket: as long as it is there, it leads to one that listens.
        self.claim.map_or(Ok(()), Claim::release)
    }
}

/// One at a time. A forked child does not wait for its parent's threads, which it does not have.
#[derive(Default)]
struct Turns {
    /// The process whose turn it is.
    taken: Mutex<Option<u32>>,
    ended: Condvar,
}

struct Turn<'a>(&'a Turns);

impl Turns {
    fn take(&self) -> Turn<'_> {
        let process = Some(sys::process_id());
        let mut taken = self.taken.lock();
        while *taken == process {
            self.ended.wait(&mut taken);
        }
        *taken = process;
        Turn(self)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.0.taken.lock() = None;
        self.0.ended.notify_one();
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.listening.try_with(|listening| listening.name.clone()).flatten();
        f.debug_struct("Server").field("name", &name).finish_non_exhaustive()
    }
}

// What it keeps under its locks is whole whenever one of them is released, also by a panic.
impl UnwindSafe for Server {}
impl RefUnwindSafe for Server {}

impl Drop for Server {
    fn drop(&mut self) {
        // Nobody is left to tell. Who wants to know calls close.
        let _ = self.close();
    }
}

fn closed_meanwhile() -> Error {
    Error::new(Status::Closed, "another thread closed the server meanwhile")
}

fn not_listening() -> Error {
    Error::new(Status::InvalidState, "the server does not listen")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_waits_for_a_thread_that_only_the_parent_has() {
        let forked = Turns { taken: Mutex::new(Some(sys::process_id() ^ 1)), ..Turns::default() };
        drop(forked.take());
        drop(forked.take());
    }

    #[test]
    fn who_was_destroyed_does_not_listen_again() {
        let server = Server::new(ServerOptions::default());
        server.listen_unique("server").unwrap();
        server.close_for_good().unwrap();
        for refused in [server.listen_unique("server"), server.listen_number(-1)] {
            let error = refused.unwrap_err();
            assert_eq!(error.status(), Status::Closed);
            assert!(error.to_string().contains("destroyed"), "{error}");
        }
        assert_eq!(server.full_name().map_err(|error| error.status()), Err(Status::InvalidState));
    }

    /// In whatever order their threads come.
    #[test]
    fn who_accepts_from_what_another_thread_has_just_destroyed_is_told_that_it_is_closed() {
        let server = Server::new(ServerOptions::default());
        let accept = || server.accept(Timeout::Forever).map_err(|error| error.status()).err();
        assert_eq!(accept(), Some(Status::InvalidState));
        server.listen_unique("server").unwrap();
        server.close_for_good().unwrap();
        assert_eq!(accept(), Some(Status::Closed));
    }
}

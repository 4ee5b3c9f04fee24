//! A connected socket.

mod close;
mod message;
mod messaging;
mod outgoing;
mod stream;

pub use close::{CloseReport, Direction};
pub use message::Message;
pub use messaging::{MessageOptions, Validator};

use crate::busy_poll::{BusyPoll, BusyPoller};
use crate::deadline::{Deadline, Timeout};
use crate::endpoint::Endpoint;
use crate::error::{Error, Result, Status};
use crate::gate::Gate;
use crate::name::{Name, Scope};
use crate::policy::Policy;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Mutex, OnceLock};
use crate::sys::{self, Stream};
pub use crate::sys::{BorrowedDescriptor, Credentials, Descriptor, RawDescriptor};
use crate::testkit::faults::{FaultPlan, Role};
use messaging::Messaging;
use outgoing::Outgoing;
use std::ffi::OsStr;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::{Arc, Weak};
use std::{fmt, io};

/// Whose server a socket connects to. Checked by the kernel's word before anything is sent, so that whoever squats on
/// a name gets nobody's data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trust {
    /// A server of the same user, or of root.
    #[default]
    SameUser,
    /// Anyone's.
    Anyone,
}

/// How a socket connects and sends.
#[derive(Clone, Debug, Default)]
pub struct SocketOptions {
    /// Where a plain name lives.
    pub scope: Scope,
    /// Whose server is connected to.
    pub trust: Trust,
    /// Bytes that [`Socket::send`] keeps for later when the kernel takes no more, of messages one more than that. Zero: it waits for the
    /// kernel instead. What is kept goes out with the next sends, receives, waits and flushes, and while those wait that find it when
    /// they begin; nothing else sends it.
    pub send_queue_limit: usize,
    /// Messages instead of a stream of bytes.
    pub messages: Option<Arc<MessageOptions>>,
    /// What a test wants to go wrong with the connection, of which this is the client's side.
    pub faults: Option<FaultPlan>,
    /// Whether a receive that waits looks again and again before it sleeps.
    pub busy_poll: BusyPoll,
}

impl SocketOptions {
    /// Whether the messages are without descriptors, so that none need be let through. What comes without messages is the caller's
    /// to say.
    pub(crate) fn refuse_descriptors(&self) -> bool {
        self.messages.as_ref().is_some_and(|messages| messages.max_descriptors == 0)
    }

    /// That they make sense, before anything is done with them.
    pub(crate) fn check(&self) -> Result<()> {
        self.messages.as_ref().map_or(Ok(()), |messages| Messaging::new(messages).map(drop))
    }
}

/// A connected stream socket. Any thread may use it at any time, and close it: calls that wait then end with `Closed`.
// It is small, and what few sockets need is made when one does: where thousands take turns, each page of memory that they are in is one to
// look up, and each cache line one to wait for. So what each send and receive touches lies together, too, here and in what holds sockets.
#[repr(C)]
pub struct Socket {
    /// None as soon as it begins to close. Locked for a receive that does not wait, and by calls that wait for a moment, to hold the
    /// endpoint while they use it.
    open: Mutex<Option<Arc<Endpoint<Stream>>>>,
    received: AtomicU64,
    messaging: Option<Box<Messaging>>,
    outgoing: Outgoing,
    /// Held while one close flushes.
    closing: Mutex<()>,
    /// Shut when that is to end, or is not to begin.
    flushing: Gate,
    busy_poll: BusyPoll,
    /// Made by the first receive that waits.
    busy_poller: OnceLock<Box<BusyPoller>>,
    /// What is open, or closes as it flushes: also for a forked child, which can wait for no lock.
    unlocked: Weak<Endpoint<Stream>>,
}

/// What a socket has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SocketStatistics {
    /// Bytes that the kernel took.
    pub sent: u64,
    /// Bytes received.
    pub received: u64,
    /// Messages accepted to be sent.
    pub messages_sent: u64,
    /// Messages delivered to the caller.
    pub messages_received: u64,
    /// Bytes queued to be sent, now.
    pub queued: u64,
    /// Bytes queued to be sent, at most.
    pub queue_peak: u64,
}

impl Socket {
    /// Connects to a server.
    ///
    /// Waits while the server's backlog is full.
    ///
    /// # Errors
    ///
    /// Of the name, as [`Name::resolve`] says. `NotFound`: there is no such name. `ConnectionRefused`: nobody listens
    /// there. `PermissionDenied`: by the system, or the server is not of the user that [`SocketOptions::trust`] asks for.
    /// `WouldBlock`, `TimedOut`: the backlog stayed full. `LimitReached`: no descriptor left.
    pub fn connect(name: impl AsRef<OsStr>, options: &SocketOptions, timeout: Timeout) -> Result<Socket> {
        Socket::connect_to(&Name::resolve(name, options.scope)?, options, timeout)
    }

    /// Connects to a server by a name that was resolved before.
    ///
    /// # Errors
    ///
    /// As [`Socket::connect`].
    pub fn connect_to(name: &Name, options: &SocketOptions, timeout: Timeout) -> Result<Socket> {
        let deadline = Deadline::from(timeout);
        options.check()?;
        let stream = Stream::connect(name.place(), options.refuse_descriptors(), deadline)?;
        if options.trust == Trust::SameUser {
            check_trust(&stream, name)?;
        }
        Socket::client(stream, options)
    }

    /// The client's side of a connection, with the faults that its options ask for.
    fn client(stream: Stream, options: &SocketOptions) -> Result<Socket> {
        let stream = match &options.faults {
            Some(faults) => faults.interpose(stream, Role::Client)?,
            None => stream,
        };
        Socket::new(stream, options)
    }

    /// Two sockets, connected to each other. Faults are those of the first, as of a client, and of what goes over the connection.
    ///
    /// # Errors
    ///
    /// `LimitReached`: no descriptors left.
    pub fn pair(options: &SocketOptions) -> Result<(Socket, Socket)> {
        let (mut first, mut second) = Stream::pair()?;
        if options.refuse_descriptors() {
            first.refuse_descriptors();
            second.refuse_descriptors();
        }
        Ok((Socket::client(first, options)?, Socket::new(second, options)?))
    }

    /// Takes over a connected stream socket, as [`std::os::unix::net::UnixStream`] is one, which becomes non-blocking and close-on-exec.
    /// On failure it is closed.
    ///
    /// ```
    /// use moorline::{Socket, SocketOptions, Timeout};
    /// use std::io::Read;
    /// use std::os::unix::net::UnixStream;
    ///
    /// let (near, mut far) = UnixStream::pair()?;
    /// let socket = Socket::adopt(near, &SocketOptions::default())?;
    /// socket.send(b"hello", Timeout::Forever)?;
    /// let mut buffer = [0; 5];
    /// far.read_exact(&mut buffer)?;
    /// assert_eq!(&buffer, b"hello");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// A number is not enough, as nobody could tell whose the descriptor is:
    ///
    /// ```compile_fail
    /// # use moorline::{Socket, SocketOptions};
    /// # use std::os::fd::AsRawFd;
    /// # let (near, _far) = std::os::unix::net::UnixStream::pair().unwrap();
    /// Socket::adopt(near.as_raw_fd(), &SocketOptions::default());
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidArgument`: it is not a connected local stream socket. `LimitReached`: no descriptors left for its faults.
    pub fn adopt(descriptor: impl Into<Descriptor>, options: &SocketOptions) -> Result<Socket> {
        options.check()?;
        Socket::client(Stream::adopt_owned(descriptor.into())?, options)
    }

    /// As [`Socket::adopt`], of a descriptor that the caller gives away by calling this; on failure it stays the caller's, unless there
    /// are no descriptors left for its faults.
    pub(crate) fn adopt_number(descriptor: RawDescriptor, options: &SocketOptions) -> Result<Socket> {
        options.check()?;
        Socket::client(Stream::adopt(descriptor)?, options)
    }

    /// A socket of a connected stream. With checked frames it says its greeting, for which a new stream has room.
    pub(crate) fn new(stream: Stream, options: &SocketOptions) -> Result<Socket> {
        let messaging = options.messages.as_ref().map(Messaging::new).transpose()?.map(Box::new);
        let first_words = messaging.as_ref().map(|messaging| messaging.first_words()).unwrap_or_default();
        let endpoint = Arc::new(Endpoint::new(stream));
        let socket = Socket {
            unlocked: Arc::downgrade(&endpoint),
            outgoing: Outgoing::new(endpoint.clone(), options.send_queue_limit, &first_words),
            open: Mutex::new(Some(endpoint)),
            messaging,
            closing: Mutex::new(()),
            flushing: Gate::default(),
            busy_poll: options.busy_poll,
            busy_poller: OnceLock::new(),
            received: AtomicU64::new(0),
        };
        // That the peer has left already is what the first call will tell.
        let _ = socket.outgoing.flush();
        Ok(socket)
    }

    /// Whether the connection has ended in both directions, so that nothing sent can arrive; or is closed. Does not block.
    pub fn is_gone(&self) -> bool {
        self.endpoint().map_or(true, |endpoint| endpoint.source().is_gone())
    }

    /// Who is at the other end.
    ///
    /// # Errors
    ///
    /// `Closed`; `NotSupported` where the system does not tell.
    pub fn peer_credentials(&self) -> Result<Credentials> {
        self.endpoint()?.source().credentials()
    }

    /// A descriptor of the process at the other end (a pidfd), which, unlike its number, never comes to mean another process.
    ///
    /// # Errors
    ///
    /// `NotSupported`: the system has none, as Linux before 6.5. `NotFound`: the process has ended and is forgotten. `Closed`.
    pub fn peer_process(&self) -> Result<Descriptor> {
        self.endpoint()?.source().peer_process()
    }

    /// The descriptor, which stays the socket's: for options, not for reading or writing, nor for what comes beside the bytes
    /// (SO_PASSCRED, SO_PASSRIGHTS and their like).
    ///
    /// # Errors
    ///
    /// `Closed`.
    pub fn descriptor(&self) -> Result<RawDescriptor> {
        Ok(self.endpoint()?.source().descriptor())
    }

    /// In a forked child: ceases to have the connection open, and leaves the rest to the parent. Waits for no lock, which a thread may
    /// hold that only the parent has.
    pub(crate) fn leave_to_parent(&self) {
        if let Some(endpoint) = self.unlocked.upgrade() {
            sys::vacate(endpoint.source());
        }
    }

    /// The descriptors that it keeps, also while a close flushes.
    pub(crate) fn descriptors(&self) -> Vec<RawDescriptor> {
        let endpoint = self.unlocked.upgrade();
        let wakers = [self.outgoing.waker_descriptor(), self.flushing.descriptor()];
        endpoint.iter().flat_map(|it| it.descriptors()).chain(wakers.into_iter().flatten()).collect()
    }

    /// What it has done so far. Also of a closed socket.
    pub fn statistics(&self) -> SocketStatistics {
        SocketStatistics {
            sent: self.sent(),
            received: self.received(),
            messages_sent: self.count_messages(|messaging| &messaging.sent),
            messages_received: self.messages_received(),
            queued: self.queued() as u64,
            queue_peak: self.outgoing.queue_peak() as u64,
        }
    }

    /// Bytes that the kernel took.
    pub fn sent(&self) -> u64 {
        self.outgoing.sent()
    }

    /// Bytes that went either way.
    pub(crate) fn traffic(&self) -> u64 {
        self.sent() + self.received()
    }

    /// Bytes that were accepted and never sent, once it is closed.
    pub fn unsent(&self) -> u64 {
        self.outgoing.unsent()
    }

    /// Bytes received.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    pub(crate) fn messages_received(&self) -> u64 {
        self.count_messages(|messaging| &messaging.received)
    }

    fn count_messages(&self, counter: impl FnOnce(&Messaging) -> &AtomicU64) -> u64 {
        self.messaging.as_ref().map_or(0, |messaging| counter(messaging).load(Ordering::Relaxed))
    }

    pub(crate) fn endpoint(&self) -> Result<Arc<Endpoint<Stream>>> {
        self.open.lock().clone().ok_or_else(|| Status::Closed.into())
    }

    fn busy_poller(&self) -> &BusyPoller {
        self.busy_poller.get_or_init(|| Box::new(BusyPoller::new(self.busy_poll)))
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without a lock, which whoever shows it may have.
        let descriptor = self.unlocked.upgrade().map(|endpoint| endpoint.source().descriptor());
        f.debug_struct("Socket").field("descriptor", &descriptor).finish_non_exhaustive()
    }
}

// What it keeps under its locks is whole whenever one of them is released, also by a panic.
impl UnwindSafe for Socket {}
impl RefUnwindSafe for Socket {}

fn check_trust(stream: &Stream, name: &Name) -> Result<()> {
    let server = stream.credentials()?;
    if Policy::SameUserOrRoot.admits(&server, sys::user_id()) {
        return Ok(());
    }
    let context =
        format!("connect to {name}: its server is user {}'s, not this user's or root's", server.uid);
    Err(Error::new(Status::PermissionDenied, context))
}

/// Adds to a counter that only those add to who hold a certain lock, so that it need not be done in one step.
fn add_locked(counter: &AtomicU64, more: usize) {
    counter.store(counter.load(Ordering::Relaxed) + more as u64, Ordering::Relaxed);
}

pub(crate) fn is_would_block(error: impl Into<io::Error>) -> bool {
    error.into().kind() == io::ErrorKind::WouldBlock
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where thousands take turns, more would be felt.
    #[cfg(target_pointer_width = "64")]
    #[test]
    fn it_is_small() {
        assert!(size_of::<Socket>() <= 184 && size_of::<Endpoint<Stream>>() <= 56);
    }

    #[test]
    fn it_keeps_its_descriptor_until_a_close_has_flushed() {
        let options = SocketOptions { send_queue_limit: 1 << 20, ..SocketOptions::default() };
        let (near, _far) = Socket::pair(&options).unwrap();
        let descriptor = near.descriptor().unwrap();
        near.send(&vec![5; 1 << 20], Timeout::None).unwrap();
        std::thread::scope(|scope| {
            let closing = scope.spawn(|| near.close(Timeout::Forever));
            while near.descriptor().is_ok() {
                std::thread::yield_now();
            }
            let kept = near.descriptors();
            near.abort();
            assert!(closing.join().unwrap().unsent > 0);
            assert!(kept.contains(&descriptor), "{kept:?}");
        });
        assert!(!near.descriptors().contains(&descriptor));
    }
}

//! A connected socket.

mod close;
mod message;

pub use close::{CloseReport, Direction};
pub use message::{Message, MessageOptions, Validator};

use crate::deadline::{Deadline, Timeout, lock_until};
use crate::endpoint::Endpoint;
use crate::error::{Error, Result, Status};
use crate::gate::Gate;
use crate::name::{Name, Place, Scope};
use crate::outbox::Outbox;
use crate::poller::{Event, Interest};
use crate::sys::{self, Readiness, Stream};
pub use crate::sys::{BorrowedDescriptor, Credentials, Descriptor, RawDescriptor};
use crate::testkit::faults::{FaultPlan, Role};
use close::Abort;
use message::Messaging;
use parking_lot::Mutex;
use std::ffi::OsStr;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Whose server a socket connects to. Checked by the kernel's word before anything is sent, so that whoever squats on
/// a name gets nobody's data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
    /// Bytes that [`Socket::send`] keeps for later when the kernel takes no more. Zero: it waits for the kernel instead.
    pub send_queue_limit: usize,
    /// Messages instead of a stream of bytes.
    pub messages: Option<Arc<MessageOptions>>,
    /// What a test wants to go wrong with the connection.
    pub faults: Option<FaultPlan>,
}

impl SocketOptions {
    /// That they make sense, before anything is done with them.
    pub(crate) fn check(&self) -> Result<()> {
        self.messages.as_ref().map_or(Ok(()), |messages| Messaging::new(messages).map(drop))
    }
}

/// A connected stream socket. Any thread may use it at any time, and close it: calls that wait then end with `Closed`.
pub struct Socket {
    open: Mutex<Option<Arc<Endpoint<Stream>>>>,
    /// Shut when nothing may be sent any more; what is queued may still go out.
    sending: Gate,
    /// Held for a whole send, so that what several threads send does not interleave.
    turn: Mutex<()>,
    outbox: Mutex<Outbox>,
    /// How much is in the outbox, for those who don't lock it.
    queued: AtomicUsize,
    /// Whether it may queue what it need not.
    queues: bool,
    messaging: Option<Box<Messaging>>,
    /// Held while one close flushes, with what ends that early.
    closing: Mutex<()>,
    abort: Mutex<Abort>,
    sent: AtomicU64,
    unsent: AtomicU64,
    received: AtomicU64,
    messages_sent: AtomicU64,
    messages_received: AtomicU64,
}

/// What a socket has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
        let stream = match name.place() {
            Place::Path(path) => Stream::connect(path, deadline),
            Place::Abstract(name) => Stream::connect_abstract(name, deadline),
        }?;
        if options.trust == Trust::SameUser {
            check_trust(&stream, name)?;
        }
        let stream = match &options.faults {
            Some(faults) => faults.interpose(stream, Role::Client)?,
            None => stream,
        };
        Socket::new(stream, options)
    }

    /// Two sockets, connected to each other.
    ///
    /// # Errors
    ///
    /// `LimitReached`: no descriptors left.
    pub fn pair(options: &SocketOptions) -> Result<(Socket, Socket)> {
        let (first, second) = Stream::pair()?;
        Ok((Socket::new(first, options)?, Socket::new(second, options)?))
    }

    /// Takes over a connected stream socket of the caller's, which becomes non-blocking and close-on-exec. On failure it
    /// stays the caller's.
    ///
    /// # Errors
    ///
    /// `InvalidArgument`: it is not a connected local stream socket.
    pub fn adopt(descriptor: RawDescriptor, options: &SocketOptions) -> Result<Socket> {
        options.check()?;
        Socket::new(Stream::adopt(descriptor)?, options)
    }

    /// A socket of a connected stream. With checked frames it says its greeting, for which a new stream has room.
    pub(crate) fn new(stream: Stream, options: &SocketOptions) -> Result<Socket> {
        let messaging = options.messages.as_ref().map(Messaging::new).transpose()?.map(Box::new);
        let mut outbox = Outbox::new(options.send_queue_limit);
        if let Some(messaging) = &messaging {
            outbox.push_all(&messaging.first_words());
        }
        let socket = Socket {
            open: Mutex::new(Some(Arc::new(Endpoint::new(stream)))),
            sending: Gate::default(),
            turn: Mutex::new(()),
            queues: options.send_queue_limit > 0,
            queued: AtomicUsize::new(outbox.len()),
            outbox: Mutex::new(outbox),
            messaging,
            closing: Mutex::new(()),
            abort: Mutex::default(),
            sent: AtomicU64::new(0),
            unsent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            messages_sent: AtomicU64::new(0),
            messages_received: AtomicU64::new(0),
        };
        if socket.messaging.is_some() {
            // That the peer has left already is what the first call will tell.
            let _ = socket.endpoint().and_then(|endpoint| socket.flush_now(&endpoint));
        }
        Ok(socket)
    }

    /// Sends all of `data`, and tells how much of it was taken and why not all, if so. Taken is what the kernel has, and what
    /// the queue of [`SocketOptions::send_queue_limit`] has.
    ///
    /// What one call sends is never mixed with what other threads send.
    ///
    /// # Errors
    ///
    /// `WouldBlock`, `TimedOut`: not all was taken in time. `Closed`. `Disconnected`: the peer has gone. `InvalidState`: the
    /// socket has messages, not a stream.
    pub fn send_counted(&self, data: &[u8], timeout: Timeout) -> (usize, Result<()>) {
        let deadline = Deadline::from(timeout);
        let mut taken = 0;
        let result = self.send_all(data, deadline, &mut taken);
        (taken, result)
    }

    /// As [`Socket::send_counted`], where it does not matter how much of a failed send was taken.
    ///
    /// # Errors
    ///
    /// As [`Socket::send_counted`].
    pub fn send(&self, data: &[u8], timeout: Timeout) -> Result<()> {
        self.send_counted(data, timeout).1
    }

    fn send_all(&self, data: &[u8], deadline: Deadline, taken: &mut usize) -> Result<()> {
        let endpoint = self.endpoint()?;
        self.check_unframed()?;
        let _turn = lock_until(&self.turn, deadline)?;
        loop {
            self.send_some(&endpoint, data, taken)?;
            if *taken == data.len() {
                return Ok(());
            }
            deadline.check_may_wait()?;
            let wanted = Readiness { writable: true, ..Readiness::default() };
            self.sending.wait(|waker| endpoint.source().wait(wanted, waker, deadline))?;
        }
    }

    /// Sends what is possible at once: first what is queued, then the data, then queues the rest.
    fn send_some(&self, endpoint: &Endpoint<Stream>, data: &[u8], taken: &mut usize) -> Result<()> {
        let mut outbox = self.outbox.lock();
        // Asked with the lock: what is accepted after the gate was shut would be in no report.
        self.sending.check()?;
        self.flush_some(endpoint, &mut outbox)?;
        while outbox.is_empty() && *taken < data.len() {
            match endpoint.source().send(&data[*taken..]) {
                Ok(sent) => {
                    *taken += sent;
                    self.sent.fetch_add(sent as u64, Ordering::Relaxed);
                }
                Err(errno) if is_would_block(errno) => break,
                Err(errno) => return Err(send_error(errno)),
            }
        }
        *taken += outbox.push(&data[*taken..]);
        self.queued.store(outbox.len(), Ordering::Relaxed);
        Ok(())
    }

    fn flush_some(&self, endpoint: &Endpoint<Stream>, outbox: &mut Outbox) -> Result<()> {
        if outbox.is_empty() {
            return Ok(());
        }
        let before = outbox.len();
        let result = outbox.flush(endpoint.source()).map_err(send_error);
        self.sent.fetch_add((before - outbox.len()) as u64, Ordering::Relaxed);
        self.queued.store(outbox.len(), Ordering::Relaxed);
        result.map(drop)
    }

    /// Ends sends, with `Closed`, now and later. What is queued may still go out.
    pub(crate) fn end_sending(&self) {
        self.sending.shut();
    }

    /// Sends what is queued.
    ///
    /// # Errors
    ///
    /// `WouldBlock`, `TimedOut`: some is queued still. `Closed`. `Disconnected`.
    pub fn flush(&self, timeout: Timeout) -> Result<()> {
        let deadline = Deadline::from(timeout);
        let endpoint = self.endpoint()?;
        loop {
            if self.flush_now(&endpoint)? == 0 {
                return Ok(());
            }
            deadline.check_may_wait()?;
            let wanted = Readiness { writable: true, ..Readiness::default() };
            endpoint.wait_ready(wanted, deadline)?;
        }
    }

    /// Sends of what is queued what is possible at once; tells how much is left.
    fn flush_now(&self, endpoint: &Endpoint<Stream>) -> Result<usize> {
        let mut outbox = self.outbox.lock();
        self.flush_some(endpoint, &mut outbox)?;
        Ok(outbox.len())
    }

    /// Bytes queued to be sent.
    pub fn queued(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }

    /// Receives what is there, at least one byte; waits until something is. What is queued to be sent goes out meanwhile.
    ///
    /// # Errors
    ///
    /// `WouldBlock`, `TimedOut`: nothing came in time. `Closed`. `Disconnected`: the peer has gone, or has ended its
    /// sending direction, and all it sent was read. `InvalidArgument`: the buffer has no room. `InvalidState`: the socket
    /// has messages, not a stream.
    pub fn receive(&self, buffer: &mut [u8], timeout: Timeout) -> Result<usize> {
        if buffer.is_empty() {
            return Err(Error::new(Status::InvalidArgument, "receive into a buffer without room"));
        }
        let deadline = Deadline::from(timeout);
        let endpoint = self.endpoint()?;
        self.check_unframed()?;
        loop {
            endpoint.check_open()?;
            match endpoint.source().receive(buffer) {
                Ok(0) => return Err(Status::Disconnected.into()),
                Ok(received) => {
                    self.received.fetch_add(received as u64, Ordering::Relaxed);
                    return Ok(received);
                }
                Err(errno) if is_would_block(errno) => {}
                Err(errno) => return Err(Error::os(errno, "receive")),
            }
            if let Err(status) = deadline.check_may_wait() {
                self.flush_if_queued(&endpoint);
                return Err(status.into());
            }
            self.wait_flushing(&endpoint, Interest::READABLE, deadline)?;
        }
    }

    /// Receives what is there, as `receive` does that may not wait; also tells whether there may be more although the buffer was not
    /// filled.
    pub(crate) fn receive_now(&self, buffer: &mut [u8]) -> Result<(usize, bool)> {
        let endpoint = self.endpoint()?;
        match endpoint.source().receive_to_stop(buffer) {
            Ok((0, _)) => Err(Status::Disconnected.into()),
            Ok((received, stopped)) => {
                self.received.fetch_add(received as u64, Ordering::Relaxed);
                Ok((received, stopped || received == buffer.len()))
            }
            Err(errno) if is_would_block(errno) => {
                self.flush_if_queued(&endpoint);
                Err(Status::WouldBlock.into())
            }
            Err(errno) => Err(Error::os(errno, "receive")),
        }
    }

    /// Waits until a receive or a send, as asked, would not wait, and tells which.
    ///
    /// # Errors
    ///
    /// `WouldBlock`, `TimedOut`: neither. `Closed`. `InvalidArgument`: nothing was asked.
    pub fn wait(&self, interest: Interest, timeout: Timeout) -> Result<Event> {
        if !interest.readable && !interest.writable {
            return Err(Error::new(Status::InvalidArgument, "wait for nothing"));
        }
        let endpoint = self.endpoint()?;
        let ready = self.wait_flushing(&endpoint, interest, Deadline::from(timeout))?;
        let Readiness { readable, writable, hangup } = ready;
        Ok(Event { token: 0, readable, writable, hangup })
    }

    /// Sends what is queued, as far as it goes at once; tells whether something is left. A failure to send is the next send's
    /// to tell: there may be data to read still.
    fn flush_if_queued(&self, endpoint: &Endpoint<Stream>) -> bool {
        self.queued() > 0 && self.flush_now(endpoint).is_ok_and(|left| left > 0)
    }

    /// Waits for what is asked, and sends meanwhile what is queued: it may be what the peer waits for.
    fn wait_flushing(
        &self,
        endpoint: &Endpoint<Stream>,
        interest: Interest,
        deadline: Deadline,
    ) -> Result<Readiness> {
        let Interest { readable, writable, .. } = interest;
        loop {
            let flushing = self.flush_if_queued(endpoint);
            let wanted = Readiness { readable, writable: writable || flushing, hangup: false };
            let ready = endpoint.wait_ready(wanted, deadline)?;
            if (readable && ready.readable) || (writable && ready.writable) {
                return Ok(Readiness { writable: ready.writable && writable, ..ready });
            }
        }
    }

    /// Whether the connection has ended in both directions, so that nothing sent can arrive.
    pub(crate) fn is_gone(&self) -> bool {
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

    /// The descriptor, which stays the socket's: for options, not for reading or writing.
    ///
    /// # Errors
    ///
    /// `Closed`.
    pub fn descriptor(&self) -> Result<RawDescriptor> {
        Ok(self.endpoint()?.source().descriptor())
    }

    /// What it has done so far. Also of a closed socket.
    pub fn statistics(&self) -> SocketStatistics {
        let outbox = self.outbox.lock();
        SocketStatistics {
            sent: self.sent(),
            received: self.received(),
            messages_sent: self.messages_sent.load(Ordering::Relaxed),
            messages_received: self.messages_received.load(Ordering::Relaxed),
            queued: outbox.len() as u64,
            queue_peak: outbox.peak() as u64,
        }
    }

    /// Bytes that the kernel took.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Bytes that went either way.
    pub(crate) fn traffic(&self) -> u64 {
        self.sent() + self.received()
    }

    /// Bytes that were accepted and never sent, once it is closed.
    pub fn unsent(&self) -> u64 {
        self.unsent.load(Ordering::Relaxed)
    }

    /// Bytes received.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Parts of messages are not for the caller to send or take.
    fn check_unframed(&self) -> Result<()> {
        match self.messaging {
            None => Ok(()),
            Some(_) => Err(Error::new(Status::InvalidState, "the socket has messages, not a stream")),
        }
    }

    pub(crate) fn endpoint(&self) -> Result<Arc<Endpoint<Stream>>> {
        let open = self.open.lock();
        let endpoint = open.as_ref().ok_or(Status::Closed)?;
        endpoint.check_open()?;
        Ok(endpoint.clone())
    }
}

fn check_trust(stream: &Stream, name: &Name) -> Result<()> {
    const ROOT: u32 = 0;
    let server = stream.credentials()?.uid;
    if server == sys::user_id() || server == ROOT {
        return Ok(());
    }
    let context = format!("connect to {name}: its server is user {server}'s, not this user's or root's");
    Err(Error::new(Status::PermissionDenied, context))
}

pub(crate) fn is_would_block(error: impl Into<io::Error>) -> bool {
    error.into().kind() == io::ErrorKind::WouldBlock
}

fn send_error(error: impl Into<io::Error>) -> Error {
    Error::os(error, "send")
}

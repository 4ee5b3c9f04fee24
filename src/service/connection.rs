//! A connection of a service.

use super::mailbox::{Mailbox, Order};
use crate::clock::Clock;
use crate::deadline::Timeout;
use crate::error::{Result, Status};
use crate::socket::{Credentials, Socket, SocketStatistics};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use crate::sys::{BorrowedDescriptor, Descriptor};
use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::{Arc, Weak};
use std::time::Instant;

/// A connection of a service. Clones are the same connection. Any thread may use it at any time, also after it has ended.
#[derive(Clone)]
pub struct Connection(Arc<Inner>);

// See `Socket`.
#[repr(C)]
struct Inner {
    wish: AtomicU8,
    /// Whether the worker has been asked to look at it and has not looked yet.
    asked: AtomicBool,
    /// Whether a send has found no room, and the worker does not know yet.
    found_no_room: AtomicBool,
    tag: AtomicUsize,
    socket: Socket,
    mailbox: Weak<Mailbox>,
    slot: usize,
    used: Option<Box<Used>>,
}

/// When somebody last sent something or closed it, on a clock that a test moves. Who sees what was sent may move the clock before the
/// worker, which has still to come back from the handler, looks at it: it was sent before that all the same.
struct Used {
    clock: Clock,
    last: Mutex<Option<Instant>>,
}

/// How the connection is wished to end, by this side.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd)]
#[repr(u8)]
pub(super) enum Wish {
    Stay = 0,
    /// After what is queued was sent.
    Close = 1,
    /// At once.
    Abort = 2,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("tag", &self.tag()).finish_non_exhaustive()
    }
}

// What it keeps under its locks is whole whenever one of them is released, also by a panic.
impl UnwindSafe for Connection {}
impl RefUnwindSafe for Connection {}

impl Connection {
    pub(super) fn new(socket: Socket, mailbox: &Arc<Mailbox>, slot: usize, clock: &Clock) -> Connection {
        let used = clock.is_manual().then(|| Box::new(Used { clock: clock.clone(), last: Mutex::default() }));
        let mailbox = Arc::downgrade(mailbox);
        Connection(Arc::new(Inner {
            socket,
            mailbox,
            slot,
            tag: AtomicUsize::new(0),
            wish: AtomicU8::new(Wish::Stay as u8),
            asked: AtomicBool::new(false),
            found_no_room: AtomicBool::new(false),
            used,
        }))
    }

    /// Sends all of `data`, and tells how much of it was taken and why not all, if so. Taken is what the kernel has, and what
    /// is queued. When the queue is full it waits; in a call of the handler that holds up all connections of its thread.
    ///
    /// # Errors
    ///
    /// `WouldBlock`, `TimedOut`: the queue was full; [`super::Handler::low_water`] will tell when to go on. `Closed`: also after
    /// [`Connection::close`], and when the service stops. `Disconnected`.
    pub fn send_counted(&self, data: &[u8], timeout: Timeout) -> (usize, Result<()>) {
        self.sending(|socket| socket.send_counted(data, timeout))
    }

    /// As [`Connection::send_counted`], where it does not matter how much of a failed send was taken.
    ///
    /// # Errors
    ///
    /// As [`Connection::send_counted`].
    pub fn send(&self, data: &[u8], timeout: Timeout) -> Result<()> {
        self.send_counted(data, timeout).1
    }

    /// Sends or queues all of `data` or nothing, and does not wait. Any room is not enough: there must be enough for all of it in the
    /// queue.
    ///
    /// # Errors
    ///
    /// `WouldBlock`: there is no room for all of it now; [`super::Handler::low_water`] will tell when to try again. `InvalidArgument`:
    /// it is more than [`super::ServiceOptions::queue_limit`]. `Closed`, `Disconnected`: as [`Connection::send_counted`].
    /// `InvalidState`: the service has messages, of which none is ever sent in part.
    pub fn try_send(&self, data: &[u8]) -> Result<()> {
        self.sending(|socket| (0, socket.try_send(data))).1
    }

    /// Sends a message, whole or not at all. When the queue is full it waits; in a call of the handler that holds up all
    /// connections of its thread. Any room is enough for a message, so the limit and one message are queued at most.
    ///
    /// # Errors
    ///
    /// As [`Socket::send_message`]. After `WouldBlock` and `TimedOut` [`super::Handler::low_water`] will tell when to go on.
    pub fn send_message(&self, message: &[u8], timeout: Timeout) -> Result<()> {
        self.send_message_with(message, &[], timeout)
    }

    /// As [`Connection::send_message`], and sends duplicates of descriptors with the message. With some, the message waits for the
    /// queue to be empty.
    ///
    /// # Errors
    ///
    /// As [`Socket::send_message_with`].
    pub fn send_message_with(
        &self,
        message: &[u8],
        descriptors: &[BorrowedDescriptor<'_>],
        timeout: Timeout,
    ) -> Result<()> {
        let (_, answer) = self.sending(|socket| (0, socket.send_message_with(message, descriptors, timeout)));
        if answer.is_err() && self.0.socket.broken_off().is_some() {
            // Nothing else tells the worker.
            self.ask();
        }
        answer
    }

    /// Ends the connection after what is queued was sent. Nothing more is read. Does not wait.
    pub fn close(&self) {
        self.wish_for(Wish::Close);
    }

    /// Ends the connection and drops what is queued. Does not wait.
    pub fn abort(&self) {
        self.wish_for(Wish::Abort);
    }

    /// What went over it so far; in [`super::Handler::disconnected`], all that ever did.
    pub fn statistics(&self) -> SocketStatistics {
        self.0.socket.statistics()
    }

    /// Bytes that were accepted and never sent, once the connection has ended.
    pub fn unsent(&self) -> u64 {
        self.0.socket.unsent()
    }

    /// Who is at the other end.
    ///
    /// # Errors
    ///
    /// `Closed`; `NotSupported` where the system does not tell.
    pub fn peer_credentials(&self) -> Result<Credentials> {
        self.0.socket.peer_credentials()
    }

    /// A descriptor of the process at the other end (a pidfd), which, unlike its number, never comes to mean another process.
    ///
    /// # Errors
    ///
    /// As [`Socket::peer_process`].
    pub fn peer_process(&self) -> Result<Descriptor> {
        self.0.socket.peer_process()
    }

    /// The number that [`Connection::set_tag`] gave it, at first 0.
    pub fn tag(&self) -> usize {
        self.0.tag.load(Ordering::Relaxed)
    }

    /// Gives it a number, for the use of the handler.
    pub fn set_tag(&self, tag: usize) {
        self.0.tag.store(tag, Ordering::Relaxed);
    }

    pub(super) fn socket(&self) -> &Socket {
        &self.0.socket
    }

    pub(super) fn slot(&self) -> usize {
        self.0.slot
    }

    pub(super) fn is(&self, other: &Connection) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(super) fn wish(&self) -> Wish {
        match self.0.wish.load(Ordering::Acquire) {
            0 => Wish::Stay,
            1 => Wish::Close,
            _ => Wish::Abort,
        }
    }

    /// Notes the time before something is sent, or wished for, if a test moves the clock.
    fn use_now(&self) {
        if let Some(used) = &self.0.used {
            let now = used.clock.now();
            let mut last = used.last.lock();
            *last = (*last).max(Some(now));
        }
    }

    /// Something goes either way without a send, for which the time counts at which the worker notices it.
    pub(super) fn forget_use(&self) {
        if let Some(used) = &self.0.used {
            *used.last.lock() = None;
        }
    }

    /// When something was sent or wished for, if that was the last. None on the system's clock, which goes on meanwhile, and costs a
    /// call to look at.
    pub(super) fn used(&self) -> Option<Instant> {
        self.0.used.as_ref().and_then(|used| *used.last.lock())
    }

    pub(super) fn wish_for(&self, wish: Wish) {
        self.use_now();
        self.0.wish.fetch_max(wish as u8, Ordering::AcqRel);
        self.0.socket.end_sending();
        self.ask();
    }

    /// The worker looks at it now.
    pub(super) fn answered(&self) {
        // Not a store: what was wished before it was asked is to be seen after this.
        self.0.asked.swap(false, Ordering::AcqRel);
    }

    /// Whether a send has found no room since this was asked last.
    pub(super) fn take_lack_of_room(&self) -> bool {
        self.0.found_no_room.load(Ordering::Relaxed) && self.0.found_no_room.swap(false, Ordering::AcqRel)
    }

    /// Sends, and has the worker look at what that does to the queue: it watches for room to send only while something is queued,
    /// reads on when a send has taken the queue along, and tells when there is room again for who has found none.
    fn sending(&self, send: impl FnOnce(&Socket) -> (usize, Result<()>)) -> (usize, Result<()>) {
        self.use_now();
        let socket = &self.0.socket;
        let was_queued = socket.queued() > 0;
        let (taken, answer) = send(socket);
        let found_no_room = answer
            .as_ref()
            .is_err_and(|error| [Status::WouldBlock, Status::TimedOut].contains(&error.status()));
        if found_no_room {
            self.0.found_no_room.store(true, Ordering::Release);
        }
        if was_queued || found_no_room || socket.queued() > 0 {
            self.ask();
        }
        (taken, answer)
    }

    /// Asks the worker to look at it.
    fn ask(&self) {
        if !self.0.asked.swap(true, Ordering::AcqRel) {
            // Without a mailbox the service has stopped, and this has ended.
            if let Some(mailbox) = self.0.mailbox.upgrade() {
                // A worker that has left has ended it before.
                let _ = mailbox.post(Order::Look(self.clone()));
            }
        }
    }
}

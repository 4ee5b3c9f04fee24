//! A socket without messages: its real closing, sending and receiving, and what `socket/mod.rs` has for them.

use crate::busy_poll::{BusyPoll, BusyPoller};
use crate::deadline::Timeout;
use crate::endpoint::Endpoint;
use crate::error::{Error, Result, Status};
use crate::gate::Gate;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sys::{BorrowedDescriptor, Descriptor, File, RawDescriptor, Stream};
use std::io;
use std::sync::Arc;

mod close {
    library!("socket_close.rs");
}
mod outgoing {
    library!("socket_outgoing.rs");
}
mod stream {
    library!("socket_stream.rs");
}

pub use close::{CloseReport, Direction};
use outgoing::Outgoing;

pub struct Socket {
    open: Mutex<Option<Arc<Endpoint<Stream>>>>,
    outgoing: Outgoing,
    messaging: Option<()>,
    busy_poller: BusyPoller,
    closing: Mutex<()>,
    flushing: Gate,
    received: AtomicU64,
}

pub struct Credentials;
pub struct SocketStatistics;

impl Socket {
    /// A socket that queues whatever it sends, and what the system keeps of it.
    pub fn new() -> (Socket, Arc<File>) {
        Socket::with(File::default(), usize::MAX)
    }

    /// A socket of a file, and how much it queues.
    pub fn with(file: File, queue_limit: usize) -> (Socket, Arc<File>) {
        let file = Arc::new(file);
        let endpoint = Arc::new(Endpoint::new(Stream(file.clone())));
        let socket = Socket {
            outgoing: Outgoing::new(endpoint.clone(), queue_limit, &[]),
            open: Mutex::new(Some(endpoint)),
            messaging: None,
            busy_poller: BusyPoller::new(BusyPoll::Never),
            closing: Mutex::new(()),
            flushing: Gate::default(),
            received: AtomicU64::new(0),
        };
        (socket, file)
    }

    pub(crate) fn endpoint(&self) -> Result<Arc<Endpoint<Stream>>> {
        self.open.lock().clone().ok_or_else(|| Status::Closed.into())
    }

    fn busy_poller(&self) -> &BusyPoller {
        &self.busy_poller
    }

    /// What sends a message, in the middle of `send_message_with`.
    pub fn send_message_with(
        &self,
        message: &[u8],
        descriptors: &[BorrowedDescriptor<'_>],
        timeout: Timeout,
    ) -> Result<()> {
        let deadline = timeout.into();
        let mut turn = self.outgoing.turn(deadline)?;
        while !turn.commit([message, &[], &[]], descriptors)? {
            deadline.check_may_wait()?;
            turn.wait_for_room(deadline)?;
        }
        Ok(())
    }

    fn with_empty_inbox<T>(&self, work: impl FnOnce() -> T) -> Result<T, &'static str> {
        Ok(work())
    }

    fn shut_inbox(&self) {}

    fn drop_inbox(&self) {}

    fn has_message(&self) -> bool {
        false
    }

    pub fn broken_off(&self) -> Option<Status> {
        None
    }

    pub fn sent(&self) -> u64 {
        self.outgoing.sent()
    }

    pub fn unsent(&self) -> u64 {
        self.outgoing.unsent()
    }

    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    pub fn statistics(&self) -> SocketStatistics {
        SocketStatistics
    }

    pub fn peer_credentials(&self) -> Result<Credentials> {
        Err(Error::from(Status::NotSupported))
    }

    pub fn peer_process(&self) -> Result<Descriptor> {
        Err(Error::from(Status::NotSupported))
    }
}

fn add_locked(counter: &AtomicU64, more: usize) {
    counter.store(counter.load(Ordering::Relaxed) + more as u64, Ordering::Relaxed);
}

pub(crate) fn is_would_block(error: impl Into<io::Error>) -> bool {
    error.into().kind() == io::ErrorKind::WouldBlock
}

#[cfg(test)]
#[path = "models/socket.rs"]
mod models;

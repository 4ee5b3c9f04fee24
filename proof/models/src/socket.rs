//! A socket, as far as handles, pollers and services know it: an endpoint, and how much is queued.

use crate::deadline::Timeout;
use crate::endpoint::Endpoint;
use crate::error::{Error, Result, Status};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sys::{BorrowedDescriptor, Descriptor, File, Stream};
use std::sync::Arc;

pub struct Socket {
    open: Mutex<Option<Arc<Endpoint<Stream>>>>,
    queued: AtomicUsize,
}

pub struct Credentials;
pub struct SocketStatistics;

impl Socket {
    /// The socket, and what the system keeps of it.
    pub fn new() -> (Socket, Arc<File>) {
        let file = Arc::new(File::default());
        let endpoint = Arc::new(Endpoint::new(Stream(file.clone())));
        (Socket { open: Mutex::new(Some(endpoint)), queued: AtomicUsize::new(0) }, file)
    }

    pub(crate) fn endpoint(&self) -> Result<Arc<Endpoint<Stream>>> {
        self.open.lock().clone().ok_or_else(|| Status::Closed.into())
    }

    pub fn abort(&self) {
        let endpoint = self.open.lock().take();
        if let Some(endpoint) = endpoint {
            endpoint.close();
        }
    }

    pub fn queued(&self) -> usize {
        self.queued.load(Ordering::Acquire)
    }

    pub fn send_counted(&self, data: &[u8], _: Timeout) -> (usize, Result<()>) {
        self.queued.fetch_add(data.len(), Ordering::AcqRel);
        (data.len(), Ok(()))
    }

    /// The kernel takes what is queued.
    pub fn drain(&self) {
        self.queued.store(0, Ordering::Release);
    }

    pub fn send_message_with(
        &self,
        message: &[u8],
        _: &[BorrowedDescriptor<'_>],
        timeout: Timeout,
    ) -> Result<()> {
        self.send_counted(message, timeout).1
    }

    pub fn end_sending(&self) {}

    pub fn statistics(&self) -> SocketStatistics {
        SocketStatistics
    }

    pub fn unsent(&self) -> u64 {
        0
    }

    pub fn peer_credentials(&self) -> Result<Credentials> {
        Err(Error::from(Status::NotSupported))
    }

    pub fn peer_process(&self) -> Result<Descriptor> {
        Err(Error::from(Status::NotSupported))
    }
}

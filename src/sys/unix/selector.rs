//! Readiness of many sockets, edge-triggered, by mio.

use super::super::Readiness;
use super::{RawDescriptor, raw};
use crate::error::Error;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Registry, Token, Waker};
use rustix::fd::AsFd;
use std::io;
use std::time::Duration;

const WAKE: Token = Token(usize::MAX);

/// The side of the selector that any thread may use at any time.
pub(crate) struct Selector {
    registry: Registry,
    waker: Waker,
    descriptor: RawDescriptor,
}

/// The side of the selector that one thread at a time waits with.
pub(crate) struct Selection {
    poll: Poll,
    events: Events,
}

impl Selector {
    pub fn new() -> Result<(Selector, Selection), Error> {
        let make = || -> io::Result<(Selector, Selection)> {
            let poll = Poll::new()?;
            let registry = poll.registry().try_clone()?;
            let waker = Waker::new(&registry, WAKE)?;
            let descriptor = std::os::fd::AsRawFd::as_raw_fd(&poll);
            let selection = Selection { poll, events: Events::with_capacity(1) };
            Ok((Selector { registry, waker, descriptor }, selection))
        };
        make().map_err(|error| Error::os(error, "create a poller"))
    }

    /// Becomes readable when a wait would find something.
    pub fn descriptor(&self) -> RawDescriptor {
        self.descriptor
    }

    /// The descriptors that it keeps, except that of its wake-up, which mio does not tell.
    pub fn descriptors(&self) -> Vec<RawDescriptor> {
        vec![self.descriptor, std::os::fd::AsRawFd::as_raw_fd(&self.registry)]
    }

    pub fn add(&self, source: &impl AsFd, key: usize, wanted: Readiness) -> io::Result<()> {
        self.registry.register(&mut SourceFd(&raw(source)), Token(key), interest(wanted))
    }

    /// Changes what is wanted; what is ready now counts as newly ready.
    pub fn modify(&self, source: &impl AsFd, key: usize, wanted: Readiness) -> io::Result<()> {
        self.registry.reregister(&mut SourceFd(&raw(source)), Token(key), interest(wanted))
    }

    pub fn remove(&self, source: &impl AsFd) -> io::Result<()> {
        self.registry.deregister(&mut SourceFd(&raw(source)))
    }

    /// Ends the wait under way, or else the next one.
    pub fn wake(&self) -> io::Result<()> {
        self.waker.wake()
    }
}

impl Selection {
    /// Waits for at most `capacity` events, which `found` gets one by one with their key. Tells whether it was woken.
    /// A signal ends the wait early, with nothing found.
    pub fn wait(
        &mut self,
        capacity: usize,
        timeout: Option<Duration>,
        mut found: impl FnMut(usize, Readiness),
    ) -> io::Result<bool> {
        if self.events.capacity() != capacity {
            self.events = Events::with_capacity(capacity);
        }
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(false),
            answer => answer?,
        }
        let mut woken = false;
        for event in &self.events {
            if event.token() == WAKE {
                woken = true;
                continue;
            }
            let hangup = event.is_read_closed() || event.is_error();
            let readable = event.is_readable() || hangup;
            // What has ended takes nothing any more, and says so at once, although the system may see no room.
            let writable = event.is_writable() || event.is_write_closed() || event.is_error();
            found(event.token().0, Readiness { readable, writable, hangup });
        }
        Ok(woken)
    }
}

fn interest(wanted: Readiness) -> Interest {
    match (wanted.readable, wanted.writable) {
        (true, true) => Interest::READABLE | Interest::WRITABLE,
        (false, true) => Interest::WRITABLE,
        // mio has no empty interest, and of what nothing is wanted a poller does not tell the system.
        _ => Interest::READABLE,
    }
}

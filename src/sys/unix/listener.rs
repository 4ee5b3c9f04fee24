//! A listening Unix socket that never waits.

use super::super::Readiness;
use super::address::Bound;
use super::{RawDescriptor, Stream, Waker, check_stream_socket, platform, raw, take_over};
use crate::deadline::Deadline;
use crate::error::Error;
use interprocess::os::unix::uds_local_socket;
use rustix::fd::{AsFd, BorrowedFd};
use rustix::io::Errno;
use rustix::net::SocketType;
use std::io;
use std::path::Path;

/// A listening stream socket: non-blocking, close-on-exec.
pub(crate) struct Listener(uds_local_socket::Listener);

impl Listener {
    /// Binds a socket file that only gets the permissions that both `mode` and the umask allow, and listens.
    pub(super) fn bind(path: &Path, mode: u32, backlog: Option<u32>) -> io::Result<Listener> {
        platform::bind(path, mode, backlog).map(Listener)
    }

    /// Binds an abstract name, which interprocess does not take with NULs inside, and listens. The kernel has no
    /// permissions for these, and binds before it listens.
    pub fn bind_abstract(name: &[u8], backlog: Option<u32>) -> io::Result<Listener> {
        let address = platform::abstract_address(name)?;
        let socket = platform::socket(SocketType::STREAM, false)?;
        rustix::net::bind(&socket, &address)?;
        rustix::net::listen(&socket, platform::backlog_number(backlog))?;
        Ok(Listener(socket.into()))
    }

    /// Takes over a listening socket of the caller's; on failure it stays the caller's.
    pub fn adopt(descriptor: RawDescriptor) -> Result<(Listener, Bound), Error> {
        let mut bound = Bound::Unnamed;
        let socket = take_over(descriptor, |socket| {
            check_stream_socket(socket, true)?;
            bound = Bound::of(socket)?;
            Ok(())
        })?;
        Ok((Listener(socket.into()), bound))
    }

    pub fn descriptor(&self) -> RawDescriptor {
        raw(&self.0)
    }

    pub fn accept(&self) -> rustix::io::Result<Stream> {
        loop {
            match platform::accept(&self.0) {
                Ok(socket) => return Ok(Stream::from(socket)),
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(errno) => return Err(errno),
            }
        }
    }

    /// Waits until a connection may be there to accept, or the waker is signalled.
    pub fn wait(&self, waker: &Waker, deadline: Deadline) -> Result<Readiness, Error> {
        let wanted = Readiness { readable: true, ..Readiness::default() };
        super::wait::wait(&self.0, wanted, waker, deadline)
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

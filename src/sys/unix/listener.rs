//! A listening Unix socket that never waits.

use super::super::Readiness;
use super::address::Bound;
use super::{RawDescriptor, Stream, Waker, check_stream_socket, raw, take_over};
use crate::deadline::Deadline;
use crate::error::Error;
use interprocess::local_socket::{GenericFilePath, ListenerNonblockingMode, ListenerOptions, ToFsName};
use interprocess::os::unix::local_socket::ListenerOptionsExt;
use interprocess::os::unix::uds_local_socket;
use rustix::fd::{AsFd, BorrowedFd};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use std::io;
use std::path::Path;

/// A listening stream socket: non-blocking, close-on-exec.
pub(crate) struct Listener(uds_local_socket::Listener);

impl Listener {
    /// Binds a socket file that only gets the permissions that both `mode` and the umask allow, and listens.
    pub(super) fn bind(path: &Path, mode: u32, backlog: Option<u32>) -> io::Result<Listener> {
        // The name is `crate::claim`'s to give back, not to be unlinked by path in a drop.
        let listener: uds_local_socket::Listener = ListenerOptions::new()
            .name(path.to_fs_name::<GenericFilePath>()?)
            .mode(mode as libc::mode_t)
            .reclaim_name(false)
            .nonblocking(ListenerNonblockingMode::Accept)
            .create_sync_as()?;
        if let Some(backlog) = backlog {
            // A second listen(2) changes the backlog, which was the system's maximum.
            rustix::net::listen(&listener, backlog_number(backlog))?;
        }
        Ok(Listener(listener))
    }

    /// Binds an abstract name, which interprocess does not take with NULs inside, and listens. The kernel has no
    /// permissions for these, and binds before it listens.
    pub fn bind_abstract(name: &[u8], backlog: Option<u32>) -> io::Result<Listener> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        rustix::net::bind(&socket, &SocketAddrUnix::new_abstract_name(name)?)?;
        rustix::net::listen(&socket, backlog.map_or(i32::MAX, backlog_number))?;
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
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            match rustix::net::accept_with(&self.0, flags) {
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

/// Linux lets one more wait than listen(2) is told.
fn backlog_number(backlog: u32) -> i32 {
    i32::try_from(backlog.saturating_sub(1)).unwrap_or(i32::MAX)
}

//! A listening Unix socket that never waits.

use super::super::{Place, Readiness};
use super::address::bound_to;
use super::{RawDescriptor, Stream, Waker, check_stream_socket, platform, prepare, raw, take_over};
use crate::deadline::Deadline;
use crate::error::Error;
use interprocess::os::unix::uds_local_socket;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::SocketType;
use std::io;
use std::path::Path;

/// A listening stream socket: non-blocking, close-on-exec.
pub(crate) struct Listener {
    socket: uds_local_socket::Listener,
    /// It was told to. A connection has what was said of that when it was made.
    refuses_descriptors: bool,
}

impl Listener {
    /// Binds a socket file that only gets the permissions that both `mode` and the umask allow, and listens.
    pub(super) fn bind(path: &Path, mode: u32, backlog: Option<u32>) -> io::Result<Listener> {
        platform::bind(path, mode, backlog).map(Listener::from)
    }

    /// Binds an abstract name, which interprocess does not take with NULs inside, and listens. The kernel has no
    /// permissions for these, and binds before it listens.
    pub fn bind_abstract(name: &[u8], backlog: Option<u32>) -> io::Result<Listener> {
        let address = platform::abstract_address(name)?;
        let socket = platform::socket(SocketType::STREAM, false)?;
        rustix::net::bind(&socket, &address)?;
        rustix::net::listen(&socket, platform::backlog_number(backlog))?;
        Ok(Listener::from(uds_local_socket::Listener::from(socket)))
    }

    /// Takes over a listening socket of the caller's, and tells where it is bound; on failure it stays the caller's.
    pub fn adopt(descriptor: RawDescriptor) -> Result<(Listener, Option<Place>), Error> {
        let mut place = None;
        let socket = take_over(descriptor, |socket| {
            check_stream_socket(socket, true)?;
            place = bound_to(socket)?;
            Ok(())
        })?;
        Ok((Listener::from(uds_local_socket::Listener::from(socket)), place))
    }

    /// As `adopt`; on failure it is closed.
    pub fn adopt_owned(descriptor: OwnedFd) -> Result<(Listener, Option<Place>), Error> {
        prepare(descriptor.as_fd(), |socket| check_stream_socket(socket, true))?;
        let place = bound_to(&descriptor)?;
        Ok((Listener::from(uds_local_socket::Listener::from(descriptor)), place))
    }

    /// Turns away who sends descriptors to the connections to come, where the system can.
    pub fn refuse_descriptors(&mut self) {
        self.refuses_descriptors = platform::pass_descriptors(self.as_fd(), false).is_ok();
    }

    pub fn descriptor(&self) -> RawDescriptor {
        raw(&self.socket)
    }

    pub fn accept(&self) -> rustix::io::Result<Stream> {
        loop {
            match platform::accept(&self.socket) {
                Ok(socket) => {
                    // Those that came before that was said do not.
                    let refuses = self.refuses_descriptors && !platform::passes_descriptors(socket.as_fd());
                    return Ok(Stream::accepted(socket, refuses));
                }
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(errno) => return Err(errno),
            }
        }
    }

    /// Waits until a connection may be there to accept, or the waker is signalled.
    pub fn wait(&self, waker: &Waker, deadline: Deadline) -> Result<Readiness, Error> {
        let wanted = Readiness { readable: true, ..Readiness::default() };
        super::wait::wait(&self.socket, wanted, waker, deadline)
    }
}

impl From<uds_local_socket::Listener> for Listener {
    fn from(socket: uds_local_socket::Listener) -> Self {
        Listener { socket, refuses_descriptors: false }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
mod tests {
    use super::*;

    /// What came before may have brought descriptors, so it is received from as if it had.
    #[test]
    fn only_connections_that_came_since_are_believed_to_refuse_descriptors() {
        let name = format!("moorline-{}", fastrand::u64(..));
        let mut listener = Listener::bind_abstract(name.as_bytes(), None).unwrap();
        let place = Place::Abstract(name.into_bytes());
        let connect = || Stream::connect(&place, false, Deadline::Now).unwrap();
        let descriptor = std::fs::File::open("/dev/null").unwrap();
        let sent = |to: &Stream| to.send_pieces([b"x"], &[descriptor.as_fd()]);
        let early = connect();
        listener.refuse_descriptors();
        let late = connect();
        assert_eq!(sent(&early), Ok(1));
        assert_eq!(sent(&late), if listener.refuses_descriptors { Err(Errno::PERM) } else { Ok(1) });
        early.send(b"behind").unwrap();
        let accepted = listener.accept().unwrap();
        let mut buffer = [0; 10];
        assert_eq!(accepted.receive_to_stop(&mut buffer).unwrap(), (1, true));
        assert_eq!(accepted.receive_to_stop(&mut buffer).unwrap(), (6, false));
    }
}

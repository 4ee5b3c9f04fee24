//! A connected Unix socket that never waits.

use super::super::{Credentials, Place, Readiness, TurnsAway};
use super::address::ShortPath;
use super::{
    DESCRIPTORS_LIMIT, Descriptor, RawDescriptor, Waker, check_stream_socket, platform, prepare, raw,
    take_over,
};
use crate::deadline::Deadline;
use crate::error::{Error, Status};
use interprocess::local_socket::traits::StreamCommon;
use interprocess::os::unix::uds_local_socket;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::sockopt::{self, Timeout as Direction};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, Shutdown, SocketAddrUnix, SocketType,
};
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;

/// Up to so many bytes, copying pieces together costs less than what sendmsg(2) costs more than send(2).
const WORTH_GATHERING: usize = 6 * 1024;

/// The largest size of a buffer that setsockopt(2) takes.
const LARGEST_BUFFER: usize = i32::MAX as usize;

/// The bytes that as many descriptors as possible need beside a message.
const CONTROL_SPACE: usize = rustix::cmsg_space!(ScmRights(DESCRIPTORS_LIMIT));

/// The bytes that so many descriptors need beside a message.
fn control_space(descriptors: usize) -> usize {
    if descriptors == 0 { 0 } else { rustix::cmsg_space!(ScmRights(descriptors)) }
}

/// A connected stream socket: non-blocking, close-on-exec, without SIGPIPE.
pub(crate) struct Stream {
    socket: uds_local_socket::Stream,
    /// The kernel turns away who sends descriptors, so none can come.
    refuses_descriptors: bool,
    /// Of a stream that something stands between and its peer.
    between: Option<Box<Between>>,
}

/// What a stream that something stands between and its peer has instead of what the kernel would say and do.
struct Between {
    peer: Peer,
    turns_away: Option<TurnsAway>,
}

/// What the kernel said of the peer of a stream before something was put between.
pub(crate) struct Peer {
    credentials: Option<Credentials>,
    process: Option<OwnedFd>,
}

impl Stream {
    /// Connects to the server at a place. If it refuses descriptors, the system turns away who sends some, where it can.
    pub fn connect(place: &Place, refuses_descriptors: bool, deadline: Deadline) -> Result<Stream, Error> {
        let connected = match place {
            Place::Path(path) => ShortPath::existing(path)
                .and_then(|short| connect(&short.address()?, refuses_descriptors, deadline)),
            Place::Abstract(name) => platform::abstract_address(name)
                .and_then(|address| connect(&address, refuses_descriptors, deadline)),
        };
        connected.map_err(|errno| refusal(errno, deadline, place))
    }

    /// Two sockets, connected to each other.
    pub fn pair() -> Result<(Stream, Stream), Error> {
        platform::socket_pair()
            .map(|(first, second)| (Stream::from(first), Stream::from(second)))
            .map_err(|errno| Error::os(errno, "make a pair of sockets"))
    }

    /// Takes over a connected socket of the caller's; on failure it stays the caller's.
    pub fn adopt(descriptor: RawDescriptor) -> Result<Stream, Error> {
        take_over(descriptor, check_connected).map(Stream::from)
    }

    /// Takes over a connected socket; on failure it is closed.
    pub fn adopt_owned(descriptor: OwnedFd) -> Result<Stream, Error> {
        prepare(descriptor.as_fd(), check_connected)?;
        Ok(Stream::from(descriptor))
    }

    pub fn descriptor(&self) -> RawDescriptor {
        raw(&self.socket)
    }

    /// A connection that a server accepted.
    pub(super) fn accepted(socket: OwnedFd, refuses_descriptors: bool) -> Stream {
        Stream { refuses_descriptors, ..Stream::from(socket) }
    }

    /// Turns away who sends descriptors, where the system can. Nobody can have sent any yet.
    pub fn refuse_descriptors(&mut self) {
        // Asked as well: who does not know the option may say nothing.
        self.refuses_descriptors = platform::pass_descriptors(self.as_fd(), false).is_ok()
            && !platform::passes_descriptors(self.as_fd());
    }

    /// A second descriptor of the same socket, which is the caller's, and takes descriptors as any socket does. This one is not to be
    /// received from any more.
    pub fn release(&self) -> Result<Descriptor, Error> {
        let released = rustix::io::fcntl_dupfd_cloexec(&self.socket, 0)
            .map_err(|errno| Error::os(errno, "duplicate the socket's descriptor"))?;
        if self.refuses_descriptors {
            platform::pass_descriptors(released.as_fd(), true)
                .map_err(|error| Error::os(error, "have descriptors passed on"))?;
        }
        Ok(released)
    }

    fn let_through(&self, sends: bool) -> rustix::io::Result<()> {
        match self.turns_away() {
            Some(turns_away) if turns_away(sends) => Err(Errno::AGAIN),
            _ => Ok(()),
        }
    }

    pub fn turns_away(&self) -> Option<&TurnsAway> {
        self.between.as_ref()?.turns_away.as_ref()
    }

    pub fn send(&self, data: &[u8]) -> rustix::io::Result<usize> {
        self.let_through(true)?;
        retry(|| rustix::net::send(&self.socket, data, platform::SENDING))
    }

    /// Sends pieces in one call, and duplicates of descriptors with their first byte.
    pub fn send_pieces<const N: usize>(
        &self,
        pieces: [&[u8]; N],
        descriptors: &[BorrowedFd<'_>],
    ) -> rustix::io::Result<usize> {
        let length = pieces.iter().map(|piece| piece.len()).sum();
        if !descriptors.is_empty() || length > WORTH_GATHERING {
            return self.send_where_they_are(pieces, descriptors);
        }
        let mut gathered = [MaybeUninit::uninit(); WORTH_GATHERING];
        let mut end = 0;
        for piece in pieces {
            gathered[end..end + piece.len()].write_copy_of_slice(piece);
            end += piece.len();
        }
        // SAFETY: the pieces were written there, one behind the other, and so long they are together.
        self.send(unsafe { gathered[..length].assume_init_ref() })
    }

    // Not a part of its caller, where each short message would pay for what this one needs.
    #[inline(never)]
    fn send_where_they_are<const N: usize>(
        &self,
        pieces: [&[u8]; N],
        descriptors: &[BorrowedFd<'_>],
    ) -> rustix::io::Result<usize> {
        self.let_through(true)?;
        let pieces = pieces.map(IoSlice::new);
        if descriptors.len() > DESCRIPTORS_LIMIT {
            return Err(Errno::TOOMANYREFS);
        }
        let mut space = [MaybeUninit::uninit(); CONTROL_SPACE];
        let mut control = SendAncillaryBuffer::new(&mut space[..control_space(descriptors.len())]);
        if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
            return Err(Errno::TOOMANYREFS);
        }
        retry(|| rustix::net::sendmsg(&self.socket, &pieces, &mut control, platform::SENDING))
    }

    /// Receives what is there; 0 at the end of the peer's stream.
    pub fn receive(&self, buffer: &mut [u8]) -> Result<usize, Error> {
        self.let_through(false).map_err(receive_error)?;
        let (received, _) = retry(|| rustix::net::recv(&self.socket, &mut *buffer, RecvFlags::empty()))
            .map_err(receive_error)?;
        Ok(received)
    }

    /// As `receive`; also tells whether the system stopped at descriptors, which are closed, so that more may be there although the
    /// buffer has room.
    pub fn receive_to_stop(&self, buffer: &mut [u8]) -> Result<(usize, bool), Error> {
        // recvmsg(2), which alone can tell, costs more. It would also tell of credentials, at which recv(2) stops as well: SO_PASSCRED
        // and its like are not the user's to set.
        if self.refuses_descriptors {
            return self.receive(buffer).map(|received| (received, false));
        }
        self.receive_pieces([buffer])
    }

    /// As `receive_to_stop`, into one buffer after the other.
    pub fn receive_pieces<const N: usize>(&self, buffers: [&mut [u8]; N]) -> Result<(usize, bool), Error> {
        self.let_through(false).map_err(receive_error)?;
        let mut buffers = buffers.map(IoSliceMut::new);
        let answer = retry(|| {
            let mut control = RecvAncillaryBuffer::default();
            rustix::net::recvmsg(&self.socket, &mut buffers, &mut control, RecvFlags::empty())
        })
        .map_err(receive_error)?;
        Ok((answer.bytes, answer.flags.contains(ReturnFlags::CTRUNC)))
    }

    /// Ends one direction: the peer sees the end of the stream, or can send no more.
    pub fn shut_down(&self, sending: bool) -> Result<(), Error> {
        let direction = if sending { Shutdown::Write } else { Shutdown::Read };
        rustix::net::shutdown(&self.socket, direction).map_err(|errno| Error::os(errno, "shut down"))
    }

    /// Whether the connection has ended in both directions.
    pub fn is_gone(&self) -> bool {
        let mut polled = [PollFd::new(&self.socket, PollFlags::empty())];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        rustix::event::poll(&mut polled, Some(&now)).is_ok()
            && polled[0].revents().intersects(PollFlags::HUP | PollFlags::ERR)
    }

    /// As `receive_to_stop`, and takes at most so many descriptors that came with the bytes: some more if there were more.
    #[inline]
    pub fn receive_with(&self, buffer: &mut [u8], most: usize) -> Result<(usize, Vec<OwnedFd>, bool), Error> {
        if most > 0 {
            return self.receive_with_descriptors(buffer, most);
        }
        self.receive_to_stop(buffer).map(|(received, stopped)| (received, Vec::new(), stopped))
    }

    fn receive_with_descriptors(
        &self,
        buffer: &mut [u8],
        most: usize,
    ) -> Result<(usize, Vec<OwnedFd>, bool), Error> {
        self.let_through(false).map_err(receive_error)?;
        let mut space = [MaybeUninit::uninit(); CONTROL_SPACE];
        // With room for one too many, by which they are found out.
        let room = control_space(most.saturating_add(1).min(DESCRIPTORS_LIMIT));
        let mut control = RecvAncillaryBuffer::new(&mut space[..room]);
        let answer = retry(|| {
            let mut buffers = [IoSliceMut::new(&mut *buffer)];
            rustix::net::recvmsg(&self.socket, &mut buffers, &mut control, platform::RECEIVING_DESCRIPTORS)
        })
        .map_err(receive_error)?;
        let rights = |message| match message {
            RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
            _ => None,
        };
        let descriptors: Vec<OwnedFd> = control.drain().filter_map(rights).flatten().collect();
        if answer.flags.contains(ReturnFlags::CTRUNC) && descriptors.len() <= most {
            // There was room for more: this process may not have so many, and the kernel has closed the others.
            return Err(Error::os(super::no_descriptors(), "receive descriptors"));
        }
        // Which is done where it was not asked for above.
        #[cfg(target_vendor = "apple")]
        for descriptor in &descriptors {
            rustix::io::fcntl_setfd(descriptor, rustix::io::FdFlags::CLOEXEC)
                .map_err(|errno| Error::os(errno, "receive a descriptor"))?;
        }
        let stopped = !descriptors.is_empty();
        Ok((answer.bytes, descriptors, stopped))
    }

    pub fn wait(&self, wanted: Readiness, waker: &Waker, deadline: Deadline) -> Result<Readiness, Error> {
        super::wait::wait(&self.socket, wanted, waker, deadline)
    }

    /// What is so of `wanted` at this moment; `WouldBlock` if nothing is.
    pub fn look(&self, wanted: Readiness) -> Result<Readiness, Error> {
        super::wait::look(&self.socket, wanted)
    }

    /// What is known of the peer, to be handed to another stream.
    pub fn peer(&self) -> Peer {
        Peer { credentials: self.credentials().ok(), process: self.peer_process().ok() }
    }

    /// This stream with another peer than the kernel names, and calls turned away that the kernel might do.
    pub fn between(self, peer: Peer, turns_away: Option<TurnsAway>) -> Stream {
        Stream { between: Some(Box::new(Between { peer, turns_away })), ..self }
    }

    /// Has the kernel keep at most about so many bytes that were sent and not received: it doubles the number for its own needs
    /// and has a least one of its own, socket(7).
    pub fn set_send_buffer(&self, bytes: usize) -> Result<(), Error> {
        sockopt::set_socket_send_buffer_size(&self.socket, bytes.min(LARGEST_BUFFER))
            .map_err(|errno| Error::os(errno, "set the size of a send buffer"))
    }

    /// Whether the peer has received everything that was sent.
    pub fn is_drained(&self) -> bool {
        let mut queued: libc::c_int = 0;
        // SAFETY: SIOCOUTQ, which unix(7) calls TIOCOUTQ's equal, writes an integer.
        let answer = unsafe { libc::ioctl(self.descriptor(), libc::TIOCOUTQ, &raw mut queued) };
        answer != 0 || queued == 0
    }

    /// A descriptor of the process at the other end.
    pub fn peer_process(&self) -> Result<OwnedFd, Error> {
        if let Some(Between { peer, .. }) = self.between.as_deref() {
            let process = peer
                .process
                .as_ref()
                .ok_or_else(|| Error::new(Status::NotSupported, "ask for the peer's process"))?;
            return process.try_clone().map_err(|error| Error::os(error, "ask for the peer's process"));
        }
        platform::peer_process(self.socket.as_fd())
    }

    pub fn credentials(&self) -> Result<Credentials, Error> {
        if let Some(Between { peer, .. }) = self.between.as_deref() {
            return peer.credentials.ok_or_else(|| Error::new(Status::NotSupported, "ask who the peer is"));
        }
        let peer = self.socket.peer_creds().map_err(|error| Error::os(error, "ask who the peer is"))?;
        match (peer.euid(), peer.egid()) {
            (Some(uid), Some(gid)) => {
                let pid = peer.pid().and_then(|pid| u32::try_from(pid).ok());
                Ok(Credentials { uid, gid, pid })
            }
            _ => Err(Error::new(Status::NotSupported, "ask who the peer is")),
        }
    }
}

impl From<OwnedFd> for Stream {
    fn from(socket: OwnedFd) -> Self {
        Stream { socket: socket.into(), refuses_descriptors: false, between: None }
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// connect(2) has no deadline on Unix sockets, and poll(2) does not tell when a full backlog has room again. A blocking
/// connect waits for that in the kernel, and SO_SNDTIMEO bounds its wait: socket(7).
fn connect(
    address: &SocketAddrUnix,
    refuses_descriptors: bool,
    deadline: Deadline,
) -> rustix::io::Result<Stream> {
    let socket = platform::socket(SocketType::STREAM, !matches!(deadline, Deadline::Now))?;
    let mut stream = Stream::from(socket);
    if refuses_descriptors {
        stream.refuse_descriptors();
    }
    let socket = &stream.socket;
    loop {
        if let Deadline::At(_) = deadline {
            match deadline.remaining() {
                // A time of zero would mean for ever. What could not wait before either is tried once.
                Some(left) if left.is_zero() => rustix::io::ioctl_fionbio(socket, true)?,
                left => sockopt::set_socket_timeout(socket, Direction::Send, left)?,
            }
        }
        match rustix::net::connect(socket, address) {
            Ok(()) => break,
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) if !deadline.has_passed() => {}
            Err(errno) => return Err(errno),
        }
    }
    if let Deadline::At(_) = deadline {
        // The limit was this call's, and whoever the socket is released to may have it wait.
        sockopt::set_socket_timeout(socket, Direction::Send, None)?;
    }
    rustix::io::ioctl_fionbio(socket, true)?;
    Ok(stream)
}

fn refusal(errno: Errno, deadline: Deadline, place: &Place) -> Error {
    let context = format!("connect to {place}");
    match errno {
        Errno::AGAIN => Error::os_as(deadline.expiry(), errno, context + ": its backlog is full"),
        errno => Error::os(errno, context),
    }
}

/// That nothing is there is no failure to tell of: it is found at the end of everything that comes, and its error costs nothing.
fn receive_error(errno: Errno) -> Error {
    match errno {
        Errno::AGAIN => Status::WouldBlock.into(),
        errno => Error::os(errno, "receive"),
    }
}

fn retry<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> rustix::io::Result<T> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            answer => return answer,
        }
    }
}

/// That a descriptor is a connected Unix stream socket.
fn check_connected(socket: BorrowedFd<'_>) -> Result<(), Error> {
    check_stream_socket(socket, false)?;
    match rustix::net::getpeername(socket) {
        Ok(_) => Ok(()),
        Err(errno) => Err(Error::os_as(Status::InvalidArgument, errno, "it is not connected")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_stands_between_turns_every_call_away() {
        let (stream, far) = Stream::pair().unwrap();
        far.send(b"received").unwrap();
        let peer = stream.peer();
        let stream = stream.between(peer, Some(Box::new(|_| true)));
        let file = std::fs::File::open("/dev/null").unwrap();
        let sends = [
            stream.send(b"x"),
            stream.send_pieces([b"x"], &[]),
            stream.send_pieces([&[0; WORTH_GATHERING + 1]], &[]),
            stream.send_pieces([b"x"], &[file.as_fd()]),
        ];
        assert_eq!(sends, [Err(Errno::AGAIN); 4]);
        let mut buffer = [0; 8];
        let receives = [
            stream.receive(&mut buffer).err(),
            stream.receive_to_stop(&mut buffer).err(),
            stream.receive_pieces([&mut buffer]).err(),
            stream.receive_with(&mut buffer, 0).err(),
            stream.receive_with(&mut buffer, 1).err(),
        ];
        assert!(receives.iter().flatten().all(|error| error.status() == Status::WouldBlock));
        assert_eq!((receives.iter().flatten().count(), buffer), (5, [0; 8]));
        assert_eq!(far.receive(&mut buffer).unwrap_err().status(), Status::WouldBlock);
    }
}

//! What macOS and FreeBSD do in their own way, and Linux in its: the two files have the same functions.
//!
//! What these systems lack answers with NOT_SUPPORTED: abstract names, and a descriptor of the peer's process. Paths longer than
//! `sun_path` are too long here, as no path leads through a descriptor. macOS alone has no way to make a socket close-on-exec from
//! birth, so a program that forks and executes at that very moment hands it down.

use super::super::FileIdentity;
use super::RawDescriptor;
use crate::error::{Error, Status};
use interprocess::os::unix::uds_local_socket;
use rustix::event::PollFlags;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, Stat};
use rustix::io::{Errno, FdFlags};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketType, sockopt};
use std::ffi::CStr;
use std::io;
use std::path::{Path, PathBuf};

/// What `sun_path` holds besides its terminating NUL: 104 bytes in all, unix(4).
pub(super) const SUN_PATH_LIMIT: usize = 103;

/// How a directory is opened to find things in it: open(2).
#[cfg(not(target_vendor = "apple"))]
pub(super) const DIRECTORY_FLAGS: OFlags = OFlags::PATH;
/// How a directory is opened to find things in it. For lack of O_PATH it has to be readable.
#[cfg(target_vendor = "apple")]
pub(super) const DIRECTORY_FLAGS: OFlags = OFlags::empty();

/// The event of a peer that sends no more: the end of the stream is readable, and nothing else tells of it.
pub(super) const END_OF_STREAM: PollFlags = PollFlags::empty();

/// Sends without SIGPIPE: SO_NOSIGPIPE, which `prepare` sets, sees to that.
pub(super) const SENDING: SendFlags = SendFlags::empty();

/// Receives descriptors that are close-on-exec from birth.
#[cfg(not(target_vendor = "apple"))]
pub(super) const RECEIVING_DESCRIPTORS: RecvFlags = RecvFlags::CMSG_CLOEXEC;
/// Receives descriptors, which are made close-on-exec afterwards.
#[cfg(target_vendor = "apple")]
pub(super) const RECEIVING_DESCRIPTORS: RecvFlags = RecvFlags::empty();

/// Makes a new socket close-on-exec and free of SIGPIPE.
fn prepare(socket: OwnedFd, waits: bool) -> rustix::io::Result<OwnedFd> {
    rustix::io::fcntl_setfd(&socket, FdFlags::CLOEXEC)?;
    sockopt::set_socket_nosigpipe(&socket, true)?;
    rustix::io::ioctl_fionbio(&socket, !waits)?;
    Ok(socket)
}

#[cfg(not(target_vendor = "apple"))]
mod birth {
    use super::*;
    use rustix::net::SocketFlags;

    pub fn socket(kind: SocketType) -> rustix::io::Result<OwnedFd> {
        rustix::net::socket_with(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)
    }

    pub fn socket_pair() -> rustix::io::Result<(OwnedFd, OwnedFd)> {
        rustix::net::socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
    }

    pub fn accept(listener: &impl AsFd) -> rustix::io::Result<OwnedFd> {
        rustix::net::accept_with(listener, SocketFlags::CLOEXEC)
    }
}

#[cfg(target_vendor = "apple")]
mod birth {
    use super::*;
    use rustix::net::SocketFlags;

    pub fn socket(kind: SocketType) -> rustix::io::Result<OwnedFd> {
        rustix::net::socket(AddressFamily::UNIX, kind, None)
    }

    pub fn socket_pair() -> rustix::io::Result<(OwnedFd, OwnedFd)> {
        rustix::net::socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::empty(), None)
    }

    pub fn accept(listener: &impl AsFd) -> rustix::io::Result<OwnedFd> {
        rustix::net::accept(listener)
    }
}

/// A Unix socket.
pub(super) fn socket(kind: SocketType, waits: bool) -> rustix::io::Result<OwnedFd> {
    prepare(birth::socket(kind)?, waits)
}

/// Two connected stream sockets that never wait.
pub(super) fn socket_pair() -> rustix::io::Result<(OwnedFd, OwnedFd)> {
    let (first, second) = birth::socket_pair()?;
    Ok((prepare(first, false)?, prepare(second, false)?))
}

/// The next connection of a listening socket: one that never waits.
pub(super) fn accept(listener: &impl AsFd) -> rustix::io::Result<OwnedFd> {
    prepare(birth::accept(listener)?, false)
}

/// Has the number of a descriptor mean what another is open on, too.
pub(super) fn duplicate_to(descriptor: &impl AsFd, number: RawDescriptor) {
    // SAFETY: dup2(2) and fcntl(2) take numbers. Whose the second is still has a descriptor there afterwards.
    unsafe {
        libc::dup2(super::raw(descriptor), number);
        libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC);
    }
}

/// Binds a socket file, gives it its permissions, and then listens: nobody can connect in between. The permissions of a socket
/// that is not bound yet, which interprocess would set, do not count on all of these systems.
pub(super) fn bind(path: &Path, mode: u32, backlog: Option<u32>) -> io::Result<uds_local_socket::Listener> {
    let socket = socket(SocketType::STREAM, false)?;
    rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
    let mode = Mode::from_raw_mode(raw_mode(mode));
    rustix::fs::chmodat(CWD, path, mode, AtFlags::SYMLINK_NOFOLLOW)?;
    rustix::net::listen(&socket, backlog_number(backlog))?;
    Ok(socket.into())
}

fn raw_mode(mode: u32) -> rustix::fs::RawMode {
    // Permissions are the low twelve bits.
    (mode & 0o7777) as rustix::fs::RawMode
}

/// What listen(2) is told, which is cut to the system's maximum.
pub(super) fn backlog_number(backlog: Option<u32>) -> i32 {
    backlog.map_or(i32::MAX, |backlog| i32::try_from(backlog).unwrap_or(i32::MAX))
}

/// That a descriptor is a Unix socket: its own address tells, bound or not.
pub(super) fn is_unix_socket(socket: BorrowedFd<'_>) -> rustix::io::Result<bool> {
    Ok(rustix::net::getsockname(socket)?.address_family() == AddressFamily::UNIX)
}

/// Whether a socket listens.
#[cfg(not(target_vendor = "apple"))]
pub(super) fn listens(socket: BorrowedFd<'_>) -> rustix::io::Result<bool> {
    sockopt::socket_acceptconn(socket)
}

/// Whether a socket listens. The system has SO_ACCEPTCONN in name only: one that has a name and no peer counts as listening.
#[cfg(target_vendor = "apple")]
pub(super) fn listens(socket: BorrowedFd<'_>) -> rustix::io::Result<bool> {
    let is_bound = SocketAddrUnix::try_from(rustix::net::getsockname(socket)?)?.path_bytes().is_some();
    Ok(is_bound && rustix::net::getpeername(socket).is_err())
}

/// There are no abstract names.
pub(super) fn abstract_address(_name: &[u8]) -> rustix::io::Result<SocketAddrUnix> {
    Err(Errno::OPNOTSUPP)
}

/// There are no abstract names.
pub(super) fn abstract_name(_address: &SocketAddrUnix) -> Option<&[u8]> {
    None
}

/// No short path leads to what a descriptor is open on.
pub(super) fn path_through(_descriptor: &impl AsFd) -> rustix::io::Result<PathBuf> {
    Err(Errno::NAMETOOLONG)
}

/// The path without links of an open directory is not known.
pub(super) fn canonical_path(_directory: &impl AsFd) -> Option<PathBuf> {
    None
}

/// Changes the mode of a file in a directory; a link is not followed.
pub(super) fn change_mode(directory: &impl AsFd, file: &CStr, mode: u32) -> io::Result<()> {
    let mode = mode as libc::mode_t;
    // SAFETY: it reads an open descriptor and a NUL-terminated string, both alive here. rustix has no call that changes a mode without
    // following links.
    let answer =
        unsafe { libc::fchmodat(super::raw(directory), file.as_ptr(), mode, libc::AT_SYMLINK_NOFOLLOW) };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Which file it is.
pub(super) fn identity(stat: &Stat) -> FileIdentity {
    FileIdentity { device: i64::from(stat.st_dev as i32).cast_unsigned(), inode: stat.st_ino }
}

/// What tells this process from those that it was forked from, beside its number: nothing is needed, as no two have the same.
pub(super) fn generation() -> u32 {
    0
}

/// Sixty-four random bits of the system: getentropy(2), getentropy(3).
pub(super) fn random() -> rustix::io::Result<[u8; 8]> {
    let mut bytes = [0; 8];
    // SAFETY: it writes as many bytes as it is told, at most 256, to an array of that size.
    match unsafe { libc::getentropy(bytes.as_mut_ptr().cast(), bytes.len()) } {
        0 => Ok(bytes),
        _ => Err(Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::IO)),
    }
}

/// The number of this thread: pthread_getthreadid_np(3).
#[cfg(not(target_vendor = "apple"))]
pub(super) fn thread_id() -> u32 {
    // SAFETY: it takes nothing and always succeeds.
    unsafe { libc::pthread_getthreadid_np() }.cast_unsigned()
}

/// The low half of the number of this thread: pthread_threadid_np(3).
#[cfg(target_vendor = "apple")]
pub(super) fn thread_id() -> u32 {
    let mut id = 0_u64;
    // SAFETY: thread 0 is this one, and it writes an integer.
    unsafe { libc::pthread_threadid_np(0, &raw mut id) };
    id as u32
}

/// A descriptor of the process at the other end is not to be had.
pub(super) fn peer_process(_socket: BorrowedFd<'_>) -> Result<OwnedFd, Error> {
    Err(Error::new(
        Status::NotSupported,
        "ask for the peer's process: this system has no descriptors of processes",
    ))
}

/// Whether a socket is passed descriptors is not to be changed here.
pub(super) fn pass_descriptors(_socket: BorrowedFd<'_>, _pass: bool) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Whether a socket is passed descriptors: every one is.
pub(super) fn passes_descriptors(_socket: BorrowedFd<'_>) -> bool {
    true
}

/// What becomes readable when it is set, and stays so: a pipe with a byte in it.
pub(super) struct Event {
    reading: OwnedFd,
    writing: OwnedFd,
}

impl Event {
    pub fn new() -> rustix::io::Result<Event> {
        let (reading, writing) = rustix::pipe::pipe()?;
        for end in [&reading, &writing] {
            rustix::io::fcntl_setfd(end, FdFlags::CLOEXEC)?;
            rustix::io::ioctl_fionbio(end, true)?;
        }
        Ok(Event { reading, writing })
    }

    pub fn set(&self) {
        // Fails only when the pipe is full, which is as set as can be.
        let _ = rustix::io::write(&self.writing, &[1]);
    }
}

impl AsFd for Event {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reading.as_fd()
    }
}

//! What Linux does in its own way, and the systems of BSD in theirs: the two files have the same functions.

use super::super::FileIdentity;
use super::RawDescriptor;
use crate::error::{Error, Status};
use interprocess::local_socket::{GenericFilePath, ListenerNonblockingMode, ListenerOptions, ToFsName};
use interprocess::os::unix::local_socket::ListenerOptionsExt;
use interprocess::os::unix::uds_local_socket;
use rustix::event::{EventfdFlags, PollFlags};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, Mode, OFlags, Stat};
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, sockopt};
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

/// What `sun_path` holds besides its terminating NUL: 108 bytes in all, unix(7).
pub(super) const SUN_PATH_LIMIT: usize = 107;

/// How a directory is opened to find things in it.
pub(super) const DIRECTORY_FLAGS: OFlags = OFlags::PATH;

/// The event of a peer that sends no more.
pub(super) const END_OF_STREAM: PollFlags = PollFlags::RDHUP;

/// Sends without SIGPIPE.
pub(super) const SENDING: SendFlags = SendFlags::NOSIGNAL;

/// Receives descriptors that are close-on-exec from birth.
pub(super) const RECEIVING_DESCRIPTORS: RecvFlags = RecvFlags::CMSG_CLOEXEC;

/// A Unix socket, close-on-exec from birth.
pub(super) fn socket(kind: SocketType, waits: bool) -> rustix::io::Result<OwnedFd> {
    let mut flags = SocketFlags::CLOEXEC;
    flags.set(SocketFlags::NONBLOCK, !waits);
    rustix::net::socket_with(AddressFamily::UNIX, kind, flags, None)
}

/// Two connected stream sockets that never wait.
pub(super) fn socket_pair() -> rustix::io::Result<(OwnedFd, OwnedFd)> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    rustix::net::socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None)
}

/// The next connection of a listening socket: one that never waits.
pub(super) fn accept(listener: &impl AsFd) -> rustix::io::Result<OwnedFd> {
    rustix::net::accept_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)
}

/// Has the number of a descriptor mean what another is open on, too.
pub(super) fn duplicate_to(descriptor: &impl AsFd, number: RawDescriptor) {
    // SAFETY: dup3(2) takes two numbers. Whose the second is still has a descriptor there afterwards, which is close-on-exec.
    unsafe { libc::dup3(super::raw(descriptor), number, libc::O_CLOEXEC) };
}

/// Binds a socket file that only gets the permissions that both `mode` and the umask allow, and listens.
pub(super) fn bind(path: &Path, mode: u32, backlog: Option<u32>) -> io::Result<uds_local_socket::Listener> {
    // The name is `crate::claim`'s to give back, not to be unlinked by path in a drop.
    let listener: uds_local_socket::Listener = ListenerOptions::new()
        .name(path.to_fs_name::<GenericFilePath>()?)
        .mode(mode as libc::mode_t)
        .reclaim_name(false)
        .nonblocking(ListenerNonblockingMode::Accept)
        .create_sync_as()?;
    if backlog.is_some() {
        // A second listen(2) changes the backlog, which was the system's maximum.
        rustix::net::listen(&listener, backlog_number(backlog))?;
    }
    Ok(listener)
}

/// Linux lets one more wait than listen(2) is told.
pub(super) fn backlog_number(backlog: Option<u32>) -> i32 {
    backlog.map_or(i32::MAX, |backlog| i32::try_from(backlog.saturating_sub(1)).unwrap_or(i32::MAX))
}

/// That a descriptor is a Unix socket.
pub(super) fn is_unix_socket(socket: BorrowedFd<'_>) -> rustix::io::Result<bool> {
    Ok(sockopt::socket_domain(socket)? == AddressFamily::UNIX)
}

/// Whether a socket listens.
pub(super) fn listens(socket: BorrowedFd<'_>) -> rustix::io::Result<bool> {
    sockopt::socket_acceptconn(socket)
}

/// The address of an abstract name.
pub(super) fn abstract_address(name: &[u8]) -> rustix::io::Result<SocketAddrUnix> {
    SocketAddrUnix::new_abstract_name(name)
}

/// The abstract name of an address that has one.
pub(super) fn abstract_name(address: &SocketAddrUnix) -> Option<&[u8]> {
    address.abstract_name()
}

/// A short path to what a descriptor is open on, which leads nowhere else: `/proc/self/fd/N` is a link to it, proc(5). Where that is
/// not mounted, there is none.
pub(super) fn path_through(descriptor: &impl AsFd) -> rustix::io::Result<PathBuf> {
    let path = PathBuf::from(format!("/proc/self/fd/{}", super::raw(descriptor)));
    if super::leads_to(&path, descriptor) { Ok(path) } else { Err(Errno::NAMETOOLONG) }
}

/// The path without links of an open directory, if one leads there.
pub(super) fn canonical_path(directory: &impl AsFd) -> Option<PathBuf> {
    let link = path_through(directory).ok()?;
    let path = std::fs::read_link(link).ok()?;
    super::leads_to(&path, directory).then_some(path)
}

/// fchmodat2(2) of Linux 6.6, which libc does not name for most processors.
const FCHMODAT2: libc::c_long = 452;

/// Changes the mode of a file in a directory; a link is not followed. Unless it is new, the C library does so by `/proc`, which may not be
/// mounted where it is needed: in a chroot(2).
pub(super) fn change_mode(directory: &impl AsFd, file: &CStr, mode: u32) -> io::Result<()> {
    let (number, name, flags) = (super::raw(directory), file.as_ptr(), libc::AT_SYMLINK_NOFOLLOW);
    // SAFETY: fchmodat(3) reads an open descriptor and a NUL-terminated string, both alive here. rustix has no call that changes a mode
    // without following links.
    if unsafe { libc::fchmodat(number, name, mode as libc::mode_t, flags) } == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    // SAFETY: as above.
    let changes = || unsafe { libc::syscall(FCHMODAT2, number, name, mode as libc::mode_t, flags) } == 0;
    let is_so = || {
        rustix::fs::statat(directory, file, AtFlags::SYMLINK_NOFOLLOW)
            .is_ok_and(|stat| Mode::from_raw_mode(stat.st_mode).bits() == mode)
    };
    if error.raw_os_error() == Some(libc::EOPNOTSUPP)
        && (changes() || is_so() || change_mode_if_it_is_no_link(directory, file, mode))
    {
        Ok(())
    } else {
        Err(error)
    }
}

/// Changes the mode of a file that this user has just made in a directory, if nobody but this user and root can have put a link in its
/// place since: by a call that would follow one, which is all that systems before Linux 6.6 have without `/proc`. Tells whether it has.
fn change_mode_if_it_is_no_link(directory: &impl AsFd, file: &CStr, mode: u32) -> bool {
    let is_safe = rustix::fs::fstat(directory).is_ok_and(|stat| {
        let permissions = Mode::from_raw_mode(stat.st_mode);
        let others_write = permissions.intersects(Mode::WGRP | Mode::WOTH);
        [0, super::user_id()].contains(&stat.st_uid) && (!others_write || permissions.contains(Mode::SVTX))
    });
    is_safe && rustix::fs::chmodat(directory, file, Mode::from_raw_mode(mode), AtFlags::empty()).is_ok()
}

/// Which file it is.
pub(super) fn identity(stat: &Stat) -> FileIdentity {
    FileIdentity { device: stat.st_dev, inode: stat.st_ino }
}

/// What tells this process from those that it was forked from, beside its number, which is the same where the first process of a PID
/// namespace forks that of another: pid_namespaces(7). Waits for no lock, which a thread may hold that only the parent has. Zero where
/// the system cannot tell.
pub(super) fn generation() -> u32 {
    /// The generation of this process, which the system wipes in a forked child; null before anybody asked, and dangling if there is none.
    static OURS: AtomicPtr<AtomicU32> = AtomicPtr::new(std::ptr::null_mut());
    /// At least that of this process, or of its parent.
    static LAST: AtomicU32 = AtomicU32::new(0);
    let mut place = OURS.load(Ordering::Acquire);
    if place.is_null() {
        let made = wiped_in_children();
        place = match OURS.compare_exchange(place, made, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => made,
            Err(there) => {
                unmap(made);
                there
            }
        };
    }
    if place == NOWHERE {
        return 0;
    }
    // SAFETY: what `wiped_in_children` has made and nobody unmaps.
    let ours = unsafe { &*place };
    match ours.load(Ordering::Acquire) {
        0 => {
            let next = LAST.fetch_add(1, Ordering::AcqRel) + 1;
            ours.compare_exchange(0, next, Ordering::AcqRel, Ordering::Acquire)
                .map_or_else(|there| there, |_| next)
        }
        generation => generation,
    }
}

const NOWHERE: *mut AtomicU32 = std::ptr::dangling_mut();
const WIPED_SIZE: usize = size_of::<AtomicU32>();

/// A number that is zero, and is so again in every forked child: MADV_WIPEONFORK, madvise(2). It is somewhere, or `NOWHERE`.
fn wiped_in_children() -> *mut AtomicU32 {
    const PROTECTION: libc::c_int = libc::PROT_READ | libc::PROT_WRITE;
    const FLAGS: libc::c_int = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: mmap(2) makes a page that nobody else has.
    let page = unsafe { libc::mmap(std::ptr::null_mut(), WIPED_SIZE, PROTECTION, FLAGS, -1, 0) };
    if page == libc::MAP_FAILED {
        return NOWHERE;
    }
    // SAFETY: that page.
    if unsafe { libc::madvise(page, WIPED_SIZE, libc::MADV_WIPEONFORK) } != 0 {
        unmap(page.cast());
        return NOWHERE;
    }
    page.cast()
}

fn unmap(made: *mut AtomicU32) {
    if made != NOWHERE {
        // SAFETY: a page of `wiped_in_children`, which nobody has yet.
        unsafe { libc::munmap(made.cast(), WIPED_SIZE) };
    }
}

/// Sixty-four random bits of the system.
pub(super) fn random() -> rustix::io::Result<[u8; 8]> {
    let mut bytes = [0; 8];
    let got = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
    debug_assert_eq!(got, bytes.len(), "getrandom(2) gives up to 256 bytes whole");
    Ok(bytes)
}

/// The number of this thread: gettid(2).
pub(super) fn thread_id() -> u32 {
    rustix::thread::gettid().as_raw_nonzero().get().cast_unsigned()
}

/// A pidfd of the process at the other end: pidfd_open(2), and SO_PEERPIDFD of Linux 6.5.
pub(super) fn peer_process(socket: BorrowedFd<'_>) -> Result<OwnedFd, Error> {
    let descriptor = option(socket, libc::SO_PEERPIDFD).map_err(|error| {
        let status = match error.raw_os_error() {
            Some(libc::ENOPROTOOPT) => Status::NotSupported,
            Some(libc::ESRCH | libc::ENODATA | libc::EINVAL) => Status::NotFound,
            _ => super::status_of(&error),
        };
        Error::os_as(status, error, "ask for the peer's process")
    })?;
    // SAFETY: the system has just made this descriptor for the caller; it is close-on-exec.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Tells senders of descriptors EPERM instead of passing them on: socket(7) has no word of it yet, `include/uapi/asm-generic/socket.h`
/// and unix_stream_sendmsg() of Linux 6.16 have.
#[cfg(not(any(target_arch = "sparc", target_arch = "sparc64")))]
const SO_PASSRIGHTS: libc::c_int = 83;
#[cfg(any(target_arch = "sparc", target_arch = "sparc64"))]
const SO_PASSRIGHTS: libc::c_int = 92;

/// Whether the kernel from now on passes descriptors on to a socket, and to those that connect to it if it listens. Fails before
/// Linux 6.16, which always does.
pub(super) fn pass_descriptors(socket: BorrowedFd<'_>, pass: bool) -> io::Result<()> {
    let pass = libc::c_int::from(pass);
    let length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: setsockopt(2) reads `length` bytes of an integer of that size.
    let answer = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            SO_PASSRIGHTS,
            (&raw const pass).cast(),
            length,
        )
    };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Whether the kernel passes descriptors on to a socket.
pub(super) fn passes_descriptors(socket: BorrowedFd<'_>) -> bool {
    option(socket, SO_PASSRIGHTS).map_or(true, |passes| passes != 0)
}

/// An option of a socket that rustix does not know, and that is an integer.
fn option(socket: BorrowedFd<'_>, name: libc::c_int) -> io::Result<libc::c_int> {
    let mut value: libc::c_int = 0;
    let mut length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: getsockopt(2) writes at most `length` bytes to an integer of that size.
    let answer = unsafe {
        libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, name, (&raw mut value).cast(), &raw mut length)
    };
    if answer == 0 { Ok(value) } else { Err(io::Error::last_os_error()) }
}

/// What becomes readable when it is set, and stays so: an eventfd(2).
pub(super) struct Event(OwnedFd);

impl Event {
    pub fn new() -> rustix::io::Result<Event> {
        rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map(Event)
    }

    pub fn set(&self) {
        // Fails only when the counter is full, which is as set as can be.
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }
}

impl AsFd for Event {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// As without `/proc` before Linux 6.6.
    #[test]
    fn a_mode_is_changed_by_a_call_that_follows_links_only_where_nobody_else_can_have_put_one() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("name");
        let _socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let mode_of = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o7777;
        let set_mode = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        let changes = || {
            set_mode(&path, 0o600);
            let directory =
                rustix::fs::open(root.path(), DIRECTORY_FLAGS | OFlags::CLOEXEC, Mode::empty()).unwrap();
            let has_changed = change_mode_if_it_is_no_link(&directory, c"name", 0o777);
            assert_eq!(mode_of(&path), if has_changed { 0o777 } else { 0o600 });
            has_changed
        };
        for (mode, is_safe) in
            [(0o700, true), (0o755, true), (0o720, false), (0o702, false), (0o777, false), (0o1777, true)]
        {
            set_mode(root.path(), mode);
            assert_eq!(changes(), is_safe, "{mode:o}");
        }
        // Another user's, which only root can make it.
        if std::os::unix::fs::chown(root.path(), Some(super::super::user_id() + 1), None).is_ok() {
            assert!(!changes());
        }
    }
}

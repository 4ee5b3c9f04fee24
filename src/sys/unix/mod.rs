//! Unix: sockets are descriptors, names are files.

mod address;
mod directory;
mod listener;
// What the systems do differently.
#[cfg_attr(any(target_os = "linux", target_os = "android"), path = "linux.rs")]
#[cfg_attr(not(any(target_os = "linux", target_os = "android")), path = "bsd.rs")]
mod platform;
pub(crate) mod resources;
mod selector;
mod stream;
mod wait;

pub(crate) use directory::Directory;
pub(crate) use listener::Listener;
pub(crate) use selector::{Selection, Selector};
pub(crate) use stream::Stream;
pub(crate) use wait::Waker;

use super::Readiness;
use crate::error::{Error, Status};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::{Errno, FdFlags};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::FromRawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

/// What an endpoint is made of.
pub(crate) trait Source: AsFd + Send + Sync + 'static {
    /// Whether calls may be told that they would block after the system has reported it as ready, for once.
    fn turns_calls_away(&self) -> bool {
        false
    }

    /// Whether there is something to receive or accept at this moment.
    fn glance(&self) -> Readiness {
        wait::glance(self)
    }
}
impl Source for Listener {}
impl Source for Stream {
    fn turns_calls_away(&self) -> bool {
        self.turns_away().is_some()
    }
}

/// A descriptor as a number: what `adopt` takes over and `release` gives away.
pub type RawDescriptor = std::os::fd::RawFd;

/// A descriptor that is closed when it is dropped.
pub type Descriptor = OwnedFd;

/// A descriptor that somebody else closes, later.
pub type BorrowedDescriptor<'a> = BorrowedFd<'a>;

/// The longest path of a file that the system takes, without the terminating NUL: `PATH_MAX`, limits.h.
pub(crate) const PATH_LIMIT: usize = libc::PATH_MAX as usize - 1;
/// The longest component of a path: `NAME_MAX`, limits.h.
pub(crate) const FILE_NAME_LIMIT: usize = 255;
/// The longest abstract name: `sun_path` of unix(7) without the leading NUL.
pub(crate) const ABSTRACT_LIMIT: usize = 107;
/// The most descriptors that go with one sendmsg(2): SCM_MAX_FD, unix(7).
pub(crate) const DESCRIPTORS_LIMIT: usize = 253;

/// Whether an error of a send with descriptors means that the receiver takes none: what SO_PASSRIGHTS of Linux 6.16 has it answer.
pub(crate) fn is_refusal_of_descriptors(error: Errno) -> bool {
    error == Errno::PERM
}

/// The status of a system error, by errno(3).
pub(crate) fn status_of(error: &io::Error) -> Status {
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::AGAIN) => Status::WouldBlock,
        Some(Errno::TIMEDOUT) => Status::TimedOut,
        Some(Errno::PIPE | Errno::CONNRESET | Errno::NOTCONN) => Status::Disconnected,
        Some(Errno::INVAL | Errno::BADF | Errno::NOTSOCK) => Status::InvalidArgument,
        Some(Errno::NAMETOOLONG) => Status::NameTooLong,
        Some(Errno::NOTDIR | Errno::LOOP | Errno::ILSEQ) => Status::NameInvalid,
        Some(Errno::ADDRINUSE | Errno::EXIST) => Status::NameInUse,
        Some(Errno::NOENT) => Status::NotFound,
        Some(Errno::ACCESS | Errno::PERM | Errno::ROFS) => Status::PermissionDenied,
        Some(Errno::CONNREFUSED | Errno::PROTOTYPE) => Status::ConnectionRefused,
        Some(
            Errno::MFILE
            | Errno::NFILE
            | Errno::NOBUFS
            | Errno::NOMEM
            | Errno::NOSPC
            | Errno::DQUOT
            | Errno::TOOMANYREFS,
        ) => Status::LimitReached,
        Some(Errno::MSGSIZE) => Status::MessageTooLarge,
        Some(Errno::OPNOTSUPP | Errno::NOSYS | Errno::AFNOSUPPORT) => Status::NotSupported,
        _ => Status::OsError,
    }
}

/// The number of this process. Asked anew each time: a forked child must see itself.
pub(crate) fn process_number() -> u32 {
    rustix::process::getpid().as_raw_nonzero().get().cast_unsigned()
}

/// This process, as opposed to those that it was forked from: also to one that has the same number in another PID namespace.
pub(crate) fn process_id() -> u32 {
    /// The largest number of a process is less: PID_MAX_LIMIT of Linux.
    const NUMBER_BITS: u32 = 22;
    process_number() ^ (platform::generation() << NUMBER_BITS)
}

/// The effective user of this process.
pub(crate) fn user_id() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Sixty-four random bits of the system.
pub(crate) fn random() -> Result<u64, Error> {
    platform::random()
        .map(u64::from_ne_bytes)
        .map_err(|errno| Error::os(errno, "ask the system for random bytes"))
}

/// Starts a thread that takes none of the program's signals, which the program's own threads are for. Those that a fault
/// of the thread itself raises are left alone.
pub(crate) fn spawn_without_signals<T>(spawn: impl FnOnce() -> T) -> T {
    const FAULTS: [libc::c_int; 6] =
        [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, libc::SIGSYS];
    let mut before = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigfillset(3) initialises the set, whose address is good, and the signals of the array exist; then
    // pthread_sigmask(3) reads one set and writes the other. A new thread inherits the mask: pthread_create(3).
    let before = unsafe {
        let mut blocked = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigfillset(blocked.as_mut_ptr());
        for fault in FAULTS {
            libc::sigdelset(blocked.as_mut_ptr(), fault);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, blocked.as_ptr(), before.as_mut_ptr());
        before.assume_init()
    };
    let spawned = spawn();
    // SAFETY: the set was written above.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut()) };
    spawned
}

/// A string of the system's from the bytes of a C string: any bytes are one.
pub(crate) fn native_string(bytes: &[u8]) -> Result<&OsStr, Error> {
    Ok(OsStr::from_bytes(bytes))
}

/// The bytes of a C string from a string of the system's.
pub(crate) fn native_bytes(string: &OsStr) -> &[u8] {
    string.as_bytes()
}

fn native_path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsString::from_vec(bytes.to_vec()))
}

/// Whether a path leads to what a descriptor is open on, at this moment.
fn leads_to(path: &std::path::Path, descriptor: impl AsFd) -> bool {
    match (rustix::fs::stat(path), rustix::fs::fstat(descriptor)) {
        (Ok(there), Ok(here)) => platform::identity(&there) == platform::identity(&here),
        _ => false,
    }
}

/// Whether the directory is one that only this user can use: what the XDG Base Directory Specification asks of
/// `XDG_RUNTIME_DIR`.
pub(crate) fn is_private_directory(path: &std::path::Path) -> io::Result<bool> {
    let stat = rustix::fs::stat(path)?;
    let mode = rustix::fs::Mode::from_raw_mode(stat.st_mode);
    let is_directory = rustix::fs::FileType::from_raw_mode(stat.st_mode) == rustix::fs::FileType::Directory;
    let others = rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO;
    Ok(is_directory && stat.st_uid == user_id() && !mode.intersects(others))
}

/// Takes a descriptor over from the caller, after `check` accepted it; until then it stays the caller's.
fn take_over(
    descriptor: RawDescriptor,
    check: impl FnOnce(BorrowedFd<'_>) -> Result<(), Error>,
) -> Result<OwnedFd, Error> {
    let borrowed = borrow(descriptor).map_err(|error| error.within("adopt"))?;
    prepare(borrowed, check)?;
    // SAFETY: it is an open socket, as `check` saw, and by calling this the caller gives it away.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Makes a descriptor what the library's own are, after `check` accepted it.
fn prepare(
    descriptor: BorrowedFd<'_>,
    check: impl FnOnce(BorrowedFd<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    let number = raw(&descriptor);
    check(descriptor).map_err(|error| error.within(&format!("adopt descriptor {number}")))?;
    rustix::io::fcntl_setfd(descriptor, FdFlags::CLOEXEC)
        .and_then(|()| rustix::io::ioctl_fionbio(descriptor, true))
        .map_err(|errno| Error::os(errno, format!("adopt descriptor {number}")))
}

/// That a descriptor is a Unix stream socket, listening or not.
fn check_stream_socket(descriptor: BorrowedFd<'_>, listening: bool) -> Result<(), Error> {
    use rustix::net::{SocketType, sockopt};
    let context = "ask what it is";
    let is_unix = platform::is_unix_socket(descriptor).map_err(|e| Error::os(e, context))?;
    let kind = sockopt::socket_type(descriptor).map_err(|e| Error::os(e, context))?;
    let listens = platform::listens(descriptor).map_err(|e| Error::os(e, context))?;
    if !is_unix || kind != SocketType::STREAM {
        return Err(Error::new(Status::InvalidArgument, "it is not a Unix stream socket"));
    }
    match (listening, listens) {
        (true, false) => Err(Error::new(Status::InvalidArgument, "it does not listen")),
        (false, true) => Err(Error::new(Status::InvalidArgument, "it listens: it is a server's")),
        _ => Ok(()),
    }
}

/// A descriptor of the caller's, for the duration of a call.
pub(crate) fn borrow<'call>(descriptor: RawDescriptor) -> Result<BorrowedDescriptor<'call>, Error> {
    if descriptor < 0 {
        let context = format!("descriptor {descriptor}: a descriptor is not negative");
        return Err(Error::new(Status::InvalidArgument, context));
    }
    // SAFETY: not negative; a number that is no open descriptor only makes the calls that use it fail with EBADF.
    Ok(unsafe { BorrowedFd::borrow_raw(descriptor) })
}

/// A descriptor, for the duration of a call.
pub(crate) fn lend(descriptor: &Descriptor) -> BorrowedDescriptor<'_> {
    descriptor.as_fd()
}

/// The error of a process that has as many descriptors as it may: accept(2).
pub(crate) fn no_descriptors() -> io::Error {
    Errno::MFILE.into()
}

/// Makes a file that only this user can read and write, where there is none.
pub(crate) fn create_private_file(path: &std::path::Path) -> io::Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Lets go of what a descriptor is open on, but not of its number: threads that are about to use that find a socket without a peer
/// there. Without a descriptor left for that one, nothing happens.
pub(crate) fn vacate(descriptor: &impl AsFd) {
    if let Ok(alone) = platform::socket(rustix::net::SocketType::STREAM, false) {
        platform::duplicate_to(&alone, raw(descriptor));
    }
}

/// Leaves a descriptor to the caller.
pub(crate) fn give_away(descriptor: Descriptor) -> RawDescriptor {
    std::os::fd::IntoRawFd::into_raw_fd(descriptor)
}

pub(crate) fn raw(descriptor: &impl AsFd) -> RawDescriptor {
    std::os::fd::AsRawFd::as_raw_fd(&descriptor.as_fd())
}

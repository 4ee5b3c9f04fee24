//! Windows: not supported yet. This backend shows that nothing outside this folder stands in the way of one on named pipes.
//!
//! Whatever would open something answers NOT_SUPPORTED and says why. The types of what would be open have no values, so there is
//! nothing to be said about their use. Facts about the process and its strings are real.

mod closed;
pub(crate) mod resources;

pub(crate) use closed::{Directory, Listener, Selection, Selector, Stream, Waker};

use super::Readiness;
use crate::error::{Error, Status};
use std::ffi::OsStr;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::windows::io::{
    AsHandle, AsRawHandle, BorrowedHandle, FromRawHandle, IntoRawHandle, OwnedHandle, RawHandle,
};
use std::path::Path;

/// What an endpoint is made of.
pub(crate) trait Source: AsHandle + Send + Sync + 'static {
    /// Whether calls may be told that they would block after the system has reported it as ready, for once.
    fn turns_calls_away(&self) -> bool {
        false
    }

    /// Whether there is something to receive or accept at this moment. Nothing is known to be.
    fn glance(&self) -> Readiness {
        Readiness::default()
    }
}
impl Source for Listener {}
impl Source for Stream {}

/// A handle of the system as the C ABI has it. Its 32 significant bits, which are sign-extended to a pointer, fit an `int`:
/// "Interprocess Communication Between 32-bit and 64-bit Applications" of the Windows documentation.
pub type RawDescriptor = i32;

/// A handle of the system that is closed when it is dropped.
pub type Descriptor = OwnedHandle;

/// A handle of the system that somebody else closes, later.
pub type BorrowedDescriptor<'a> = BorrowedHandle<'a>;

/// The longest path that the system takes: 32,767 characters with the terminating one, "Maximum Path Length Limitation".
pub(crate) const PATH_LIMIT: usize = 32_766;
/// The longest component of a path, as the file systems have it.
pub(crate) const FILE_NAME_LIMIT: usize = 255;
/// The longest abstract name: as on Linux, for lack of a limit of the system's.
pub(crate) const ABSTRACT_LIMIT: usize = 107;
/// The most handles that go with a message: none yet.
pub(crate) const DESCRIPTORS_LIMIT: usize = 0;

fn not_supported(what: &str) -> Error {
    Error::new(Status::NotSupported, format!("{what}: there are no local sockets on Windows yet"))
}

/// Whether an error of a send with descriptors means that the receiver takes none.
pub(crate) fn is_refusal_of_descriptors(_error: closed::Failure) -> bool {
    false
}

/// The status of a system error, by what std makes of it.
pub(crate) fn status_of(error: &io::Error) -> Status {
    match error.kind() {
        io::ErrorKind::WouldBlock => Status::WouldBlock,
        io::ErrorKind::TimedOut => Status::TimedOut,
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset | io::ErrorKind::NotConnected => {
            Status::Disconnected
        }
        io::ErrorKind::InvalidInput => Status::InvalidArgument,
        io::ErrorKind::InvalidFilename | io::ErrorKind::NotADirectory => Status::NameInvalid,
        io::ErrorKind::AddrInUse | io::ErrorKind::AlreadyExists => Status::NameInUse,
        io::ErrorKind::NotFound => Status::NotFound,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Status::PermissionDenied,
        io::ErrorKind::ConnectionRefused => Status::ConnectionRefused,
        io::ErrorKind::OutOfMemory | io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Status::LimitReached
        }
        io::ErrorKind::Unsupported => Status::NotSupported,
        _ => Status::OsError,
    }
}

/// The number of this process.
pub(crate) fn process_number() -> u32 {
    std::process::id()
}

/// This process: nothing is forked here.
pub(crate) fn process_id() -> u32 {
    process_number()
}

/// Users have no numbers here: the one that nobody has, as no peer's is known either.
pub(crate) fn user_id() -> u32 {
    u32::MAX
}

/// Sixty-four random bits of the system: what std takes from it for its hash tables.
pub(crate) fn random() -> Result<u64, Error> {
    Ok(RandomState::new().hash_one(()))
}

/// Starts a thread. There are no signals that it could take from the program's own.
pub(crate) fn spawn_without_signals<T>(spawn: impl FnOnce() -> T) -> T {
    spawn()
}

/// A string of the system's from the bytes of a C string, which are UTF-8.
pub(crate) fn native_string(bytes: &[u8]) -> Result<&OsStr, Error> {
    std::str::from_utf8(bytes)
        .map(OsStr::new)
        .map_err(|error| Error::new(Status::NameInvalid, format!("a string that is not UTF-8: {error}")))
}

/// The bytes of a C string from a string of the system's: UTF-8, but for halves of surrogate pairs.
pub(crate) fn native_bytes(string: &OsStr) -> &[u8] {
    string.as_encoded_bytes()
}

/// Whether the directory is one that only this user can use.
pub(crate) fn is_private_directory(_path: &Path) -> io::Result<bool> {
    Err(io::ErrorKind::Unsupported.into())
}

/// A handle of the caller's, for the duration of a call.
pub(crate) fn borrow<'call>(_descriptor: RawDescriptor) -> Result<BorrowedDescriptor<'call>, Error> {
    Err(not_supported("send a handle"))
}

/// A handle, for the duration of a call.
pub(crate) fn lend(descriptor: &Descriptor) -> BorrowedDescriptor<'_> {
    descriptor.as_handle()
}

/// The number of a handle; -1 of one that is none.
pub(crate) fn raw(descriptor: &impl AsHandle) -> RawDescriptor {
    i32::try_from(descriptor.as_handle().as_raw_handle() as isize).unwrap_or(-1)
}

/// No process is forked from another here.
pub(crate) fn vacate(_descriptor: &impl AsHandle) {}

/// Leaves a handle to the caller.
pub(crate) fn give_away(descriptor: Descriptor) -> RawDescriptor {
    let number = descriptor.into_raw_handle() as isize;
    i32::try_from(number).unwrap_or_else(|_| {
        // SAFETY: it was owned a moment ago, and nobody has got it.
        drop(unsafe { OwnedHandle::from_raw_handle(number as RawHandle) });
        -1
    })
}

/// The error of a process that has as many handles as it may.
pub(crate) fn no_descriptors() -> io::Error {
    io::ErrorKind::OutOfMemory.into()
}

/// Makes a file where there is none. It has the permissions of its directory, which for a user's own are the user's alone.
pub(crate) fn create_private_file(path: &Path) -> io::Result<std::fs::File> {
    std::fs::OpenOptions::new().write(true).create_new(true).open(path)
}

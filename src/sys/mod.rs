//! What `interprocess` and `std` lack, behind one contract. Nothing outside this folder names a type of one
//! operating system.
//!
//! A backend provides:
//!
//! - `Stream`: a connected socket that never waits. `connect` to a [`Place`] (until a deadline), `pair`, `adopt` and `adopt_owned`; `send`,
//!   `send_pieces`, `receive`, `receive_to_stop`, `receive_pieces` and `receive_with` fail with `WouldBlock` instead of waiting and raise no signal; `credentials`, `peer_process`;
//!   `peer` and `between`, for what stands between two others; `set_send_buffer`, `is_drained`;
//!   `wait` until ready, woken, or the deadline; `look` whether it is ready; `shut_down` of a direction; `is_gone`;
//!   `release` to the caller; `refuse_descriptors`, which may do nothing; its `descriptor` as a number.
//! - `Listener`: a listening socket that never waits. `accept` gives a `Stream`; `wait`; `bind_abstract` makes one of an abstract
//!   name, where there are any, and a `Directory` one of a file; `adopt`, and `adopt_owned`, take over a descriptor and tell the [`Place`] it is bound
//!   to; `refuse_descriptors` for those it accepts; its `descriptor` as a number.
//! - `Source`: what both of these are. `turns_calls_away`, as a plan of faults may have it; `glance`: what is ready at this moment.
//! - `Directory`: the place of a name: everything that [`crate::claim`] does to files, each step relative to one
//!   opened directory, so that renaming or replacing the path meanwhile changes nothing; and `probe`: whether somebody
//!   listens at a file there, without disturbing a server.
//! - `Waker`: ends the `wait` of every thread that uses it, for good; it can be waited for itself.
//! - `Selector` and `Selection`: readiness of many sockets, edge-triggered, with a wake-up and a pollable descriptor.
//! - `is_refusal_of_descriptors`: whether a send with descriptors failed because the receiver takes none.
//! - `status_of`: the [`crate::Status`] that an error of the system means.
//! - `borrow`, `lend` and `give_away`: descriptors as numbers, from the caller and to the caller, and our own for a call; `raw`: the
//!   number of our own.
//! - `vacate`: lets go of what a descriptor is open on, but not of its number.
//! - `no_descriptors`: the error of a process that has none left.
//! - `create_private_file`: a new file that only this user can use; `is_private_directory`: whether a directory is such a one.
//! - `resources`: the descriptors and threads of this process.
//! - `spawn_without_signals`: threads that leave the program's signals to the program.
//! - small facts: `process_id`, by which a process knows what it was forked with, `process_number`, `user_id`, `random`,
//!   `native_string`, `native_bytes`.
//!
//! Every descriptor is close-on-exec from birth.

#[cfg_attr(unix, path = "unix/mod.rs")]
#[cfg_attr(windows, path = "windows/mod.rs")]
mod system;

pub(crate) use system::*;
pub use system::{BorrowedDescriptor, Descriptor, RawDescriptor};

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Where a socket is, for others to find.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// At a file.
    Path(PathBuf),
    /// Under an abstract name.
    Abstract(Vec<u8>),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Path(path) => path.display().fmt(f),
            Place::Abstract(name) => write!(f, "abstract name {}", String::from_utf8_lossy(name)),
        }
    }
}

/// What a wait looks for, or found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Readiness {
    pub readable: bool,
    pub writable: bool,
    /// The peer has closed its sending direction, or the connection has ended. Found, never looked for.
    pub hangup: bool,
}

/// Says of each send (true) and each receive (false) whether it is told that it would block, although the system might do it.
pub(crate) type TurnsAway = Box<dyn Fn(bool) -> bool + Send + Sync>;

/// Whether somebody listens at a socket file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(windows, expect(dead_code, reason = "nothing can be asked there yet"))]
pub(crate) enum Liveness {
    Alive,
    Dead,
}

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(windows, expect(dead_code, reason = "nothing can be looked at there yet"))]
pub(crate) enum FileKind {
    Socket,
    Other(&'static str),
}

/// How publishing a file under a second name ended.
#[derive(Debug, PartialEq, Eq)]
#[cfg_attr(windows, expect(dead_code, reason = "no directory of names is ever opened there yet"))]
pub(crate) enum Published {
    Yes,
    /// Something has that name already.
    Taken,
    /// The file to publish is not there any more.
    SourceGone,
}

/// A file that is still the same one: the same inode of the same device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileIdentity {
    pub device: u64,
    pub inode: u64,
}

/// Who is at the other end, as the kernel tells: for a client the process that called listen, for a server the one
/// that called connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Effective user id.
    pub uid: u32,
    /// Effective group id.
    pub gid: u32,
    /// Process id, where the system tells it. The process may have ended since, and the number may be another's.
    pub pid: Option<u32>,
}

/// An open descriptor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OpenDescriptor {
    pub number: i32,
    /// What it is: the path of a file, or a kind and a number that no other open one has, as `socket:[4711]`.
    pub what: String,
    /// Of a file that has a path: its device and its number there, which it keeps when it is renamed or removed.
    pub file: Option<(u64, u64)>,
    /// Of a bound Unix socket: its path.
    pub bound: Option<PathBuf>,
}

/// A running thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RunningThread {
    pub id: u32,
    pub name: String,
    /// How long it runs.
    pub age: Option<Duration>,
}

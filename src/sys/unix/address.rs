//! Addresses of Unix sockets, however long their paths are, and whether somebody listens there.

use super::super::Liveness;
use super::native_path;
use crate::error::Error;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// What `sun_path` holds besides its terminating NUL: 108 bytes in all, unix(7).
const SUN_PATH_LIMIT: usize = 107;

/// A path short enough for `sun_path` that leads to a file of any path. A long one goes through an open descriptor:
/// `/proc/self/fd/N` is a link to what it is open on, proc(5).
pub(super) struct ShortPath {
    path: PathBuf,
    _held: Option<OwnedFd>,
}

impl ShortPath {
    /// The way to something that exists.
    pub fn existing(path: &Path) -> rustix::io::Result<ShortPath> {
        if path.as_os_str().len() <= SUN_PATH_LIMIT {
            return Ok(ShortPath { path: path.to_owned(), _held: None });
        }
        let held = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", super::raw(&held)));
        Ok(ShortPath { path, _held: Some(held) })
    }

    /// The way to `file`, which need not exist and has a short name, in an open directory.
    pub fn within(directory: &impl AsFd, directory_path: &Path, file: &OsStr) -> ShortPath {
        let direct = directory_path.join(file);
        let path = if direct.as_os_str().len() <= SUN_PATH_LIMIT {
            direct
        } else {
            Path::new(&format!("/proc/self/fd/{}", super::raw(directory))).join(file)
        };
        ShortPath { path, _held: None }
    }

    pub fn as_path(&self) -> &Path {
        &self.path
    }

    pub fn address(&self) -> rustix::io::Result<SocketAddrUnix> {
        SocketAddrUnix::new(&self.path)
    }
}

/// Where a socket that somebody else bound is bound to.
pub(crate) enum Bound {
    Path(PathBuf),
    Abstract(Vec<u8>),
    Unnamed,
}

impl Bound {
    pub(super) fn of(socket: impl AsFd) -> Result<Bound, Error> {
        let address = rustix::net::getsockname(socket)
            .and_then(SocketAddrUnix::try_from)
            .map_err(|errno| Error::os(errno, "ask where it is bound"))?;
        Ok(match (address.path_bytes(), address.abstract_name()) {
            (Some(path), _) => Bound::Path(native_path(path)),
            (None, Some(name)) => Bound::Abstract(name.to_vec()),
            (None, None) => Bound::Unnamed,
        })
    }
}

/// Whether somebody listens at a path. A datagram socket asks, which no stream server ever gets to see: connect(2)
/// answers EPROTOTYPE where another type of socket is bound and ECONNREFUSED where none is, in a live process.
/// A socket that this process may not ask counts as alive.
pub(crate) fn probe(path: &Path) -> Result<Liveness, Error> {
    let ask = || {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?;
        rustix::net::connect(&socket, &ShortPath::existing(path)?.address()?)
    };
    match ask() {
        Err(Errno::CONNREFUSED | Errno::NOENT) => Ok(Liveness::Dead),
        Ok(()) | Err(Errno::PROTOTYPE | Errno::ACCESS | Errno::PERM) => Ok(Liveness::Alive),
        Err(errno) => Err(Error::os(errno, format!("ask whether somebody listens at {}", path.display()))),
    }
}

//! Addresses of Unix sockets, however long their paths are, and whether somebody listens there.

use super::super::Liveness;
use super::native_path;
use super::platform::{self, SUN_PATH_LIMIT};
use crate::error::Error;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{SocketAddrUnix, SocketType};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// A path short enough for `sun_path` that leads to a file of any path. A long one goes through an open descriptor, where the
/// system has paths that do.
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
        let held = rustix::fs::open(path, platform::DIRECTORY_FLAGS | OFlags::CLOEXEC, Mode::empty())?;
        let path = platform::path_through(&held)?;
        Ok(ShortPath { path, _held: Some(held) })
    }

    /// The way to `file`, which need not exist and has a short name, in an open directory.
    pub fn within(
        directory: &impl AsFd,
        directory_path: &Path,
        file: &OsStr,
    ) -> rustix::io::Result<ShortPath> {
        let direct = directory_path.join(file);
        let path = if direct.as_os_str().len() <= SUN_PATH_LIMIT {
            direct
        } else {
            platform::path_through(directory)?.join(file)
        };
        Ok(ShortPath { path, _held: None })
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
        Ok(match (address.path_bytes(), platform::abstract_name(&address)) {
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
        let socket = platform::socket(SocketType::DGRAM, false)?;
        rustix::net::connect(&socket, &ShortPath::existing(path)?.address()?)
    };
    match ask() {
        Err(Errno::CONNREFUSED | Errno::NOENT) => Ok(Liveness::Dead),
        Ok(()) | Err(Errno::PROTOTYPE | Errno::ACCESS | Errno::PERM) => Ok(Liveness::Alive),
        Err(errno) => Err(Error::os(errno, format!("ask whether somebody listens at {}", path.display()))),
    }
}

//! Addresses of Unix sockets, however long their paths are.

use super::super::Place;
use super::native_path;
use super::platform::{self, SUN_PATH_LIMIT};
use crate::error::Error;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::net::SocketAddrUnix;
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

    pub fn address(&self) -> rustix::io::Result<SocketAddrUnix> {
        SocketAddrUnix::new(&self.path)
    }
}

/// Where a socket that somebody else bound is bound to; none if it has no name.
pub(super) fn bound_to(socket: impl AsFd) -> Result<Option<Place>, Error> {
    let address = rustix::net::getsockname(socket)
        .and_then(SocketAddrUnix::try_from)
        .map_err(|errno| Error::os(errno, "ask where it is bound"))?;
    let path = address.path_bytes().map(|path| Place::Path(native_path(path)));
    Ok(path.or_else(|| platform::abstract_name(&address).map(|name| Place::Abstract(name.to_vec()))))
}

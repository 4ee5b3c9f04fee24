//! Addresses of Unix sockets, however long their paths are.

use super::super::Place;
use super::native_path;
use super::platform::{self, SUN_PATH_LIMIT};
use crate::error::Error;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix};
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
    name_of(socket).map_err(|errno| Error::os(errno, "ask where it is bound"))
}

fn name_of(socket: impl AsFd) -> rustix::io::Result<Option<Place>> {
    let address = rustix::net::getsockname(socket)?;
    if address.address_family() != AddressFamily::UNIX {
        return Err(Errno::AFNOSUPPORT);
    }
    // Read here: rustix takes the NUL behind a path of 107 bytes for a part of it, and panics at one of 108, which may be bound to, too:
    // unix(7).
    // SAFETY: the address lives on, and so many bytes of it are there.
    let bytes =
        unsafe { std::slice::from_raw_parts(address.as_ptr().cast::<u8>(), address.addr_len() as usize) };
    let name = bytes.get(std::mem::offset_of!(libc::sockaddr_un, sun_path)..).unwrap_or_default();
    let path = name.split(|byte| *byte == 0).next().unwrap_or_default();
    if !path.is_empty() {
        return Ok(Some(Place::Path(native_path(path))));
    }
    let address = SocketAddrUnix::try_from(address)?;
    Ok(platform::abstract_name(&address).map(|name| Place::Abstract(name.to_vec())))
}

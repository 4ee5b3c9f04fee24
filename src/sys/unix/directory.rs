//! The directory of a name: what a claim does to files, relative to one opened directory.

use super::super::{FileIdentity, FileKind};
use super::address::ShortPath;
use super::{Listener, RawDescriptor, platform, raw};
use crate::error::{Error, Status};
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use std::ffi::{CString, OsStr};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A directory, opened once: that its path leads elsewhere later changes nothing.
pub(crate) struct Directory {
    descriptor: OwnedFd,
    path: PathBuf,
}

/// How publishing a file under a second name ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Published {
    Yes,
    /// Something has that name already.
    Taken,
    /// The file to publish is not there any more.
    SourceGone,
}

/// Exclusive use of a directory by convention; ends with the value.
pub(crate) struct DirectoryLock(OwnedFd);

impl Drop for DirectoryLock {
    fn drop(&mut self) {
        // Said explicitly, because a child forked meanwhile shares the descriptor and would keep the lock.
        let _ = rustix::fs::flock(&self.0, FlockOperation::Unlock);
    }
}

impl Directory {
    pub fn open(path: &Path) -> Result<Directory, Error> {
        let flags = platform::DIRECTORY_FLAGS | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let descriptor = rustix::fs::open(path, flags, Mode::empty())
            .map_err(|errno| Error::os(errno, format!("open directory {}", path.display())))?;
        Ok(Directory { descriptor, path: path.to_owned() })
    }

    pub fn descriptor(&self) -> RawDescriptor {
        raw(&self.descriptor)
    }

    /// What the file is, if there is one; a link is not followed.
    pub fn look(&self, file: &OsStr) -> Result<Option<(FileKind, FileIdentity)>, Error> {
        match rustix::fs::statat(&self.descriptor, file, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => {
                let kind = match FileType::from_raw_mode(stat.st_mode) {
                    FileType::Socket => FileKind::Socket,
                    FileType::RegularFile => FileKind::Other("a regular file"),
                    FileType::Directory => FileKind::Other("a directory"),
                    FileType::Symlink => FileKind::Other("a symbolic link"),
                    FileType::Fifo => FileKind::Other("a named pipe"),
                    _ => FileKind::Other("a device"),
                };
                Ok(Some((kind, platform::identity(&stat))))
            }
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(self.error(errno, "look at", file)),
        }
    }

    /// Binds a socket file with exactly this mode, whatever the umask, and listens. Until the mode is right the file
    /// allows less. NAME_IN_USE if the file exists.
    pub fn bind(
        &self,
        file: &OsStr,
        mode: u32,
        backlog: Option<u32>,
    ) -> Result<(Listener, FileIdentity), Error> {
        let short = ShortPath::within(&self.descriptor, &self.path, file)
            .map_err(|errno| self.error(errno, "bind", file))?;
        let listener = Listener::bind(short.as_path(), mode, backlog)
            .map_err(|error| Error::os(error, self.context("bind", file)))?;
        let identity = match self.look(file)? {
            Some((FileKind::Socket, identity)) => identity,
            _ => return Err(Error::new(Status::NotFound, self.context("bind", file))),
        };
        if let Err(error) = self.change_mode(file, mode) {
            self.remove_same(file, identity)?;
            return Err(error);
        }
        Ok((listener, identity))
    }

    fn change_mode(&self, file: &OsStr, mode: u32) -> Result<(), Error> {
        let name = CString::new(file.as_bytes())
            .map_err(|_| Error::new(Status::NameInvalid, self.context("name", file)))?;
        let descriptor = self.descriptor.as_raw_fd();
        // SAFETY: fchmodat(3) reads an open descriptor and a NUL-terminated string, both alive here. rustix has no call
        // that changes a mode without following links.
        let answer = unsafe {
            libc::fchmodat(descriptor, name.as_ptr(), mode as libc::mode_t, libc::AT_SYMLINK_NOFOLLOW)
        };
        if answer == 0 {
            Ok(())
        } else {
            let error = std::io::Error::last_os_error();
            Err(Error::os(error, self.context("set the permissions of", file)))
        }
    }

    /// Gives a file a second name, at once and only if that name is free: link(2).
    pub fn publish(&self, file: &OsStr, name: &OsStr) -> Result<Published, Error> {
        let (from, to) = (&self.descriptor, &self.descriptor);
        match rustix::fs::linkat(from, file, to, name, AtFlags::empty()) {
            Ok(()) => Ok(Published::Yes),
            Err(Errno::EXIST) => Ok(Published::Taken),
            Err(Errno::NOENT) => Ok(Published::SourceGone),
            Err(errno) => Err(self.error(errno, "publish", name)),
        }
    }

    /// Removes a file if it is still this very socket; tells whether it was.
    pub fn remove_same(&self, file: &OsStr, identity: FileIdentity) -> Result<bool, Error> {
        if self.look(file)? != Some((FileKind::Socket, identity)) {
            return Ok(false);
        }
        match rustix::fs::unlinkat(&self.descriptor, file, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(self.error(errno, "remove", file)),
        }
    }

    /// Tries to lock the directory against others that do so too; None while another has it. The lock is flock(2) on
    /// the directory itself: it leaves no file, and ends with its process. It takes a directory that this user may read.
    pub fn try_lock(&self) -> Result<Option<DirectoryLock>, Error> {
        let lock = || {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let opened = rustix::fs::openat(&self.descriptor, ".", flags, Mode::empty())?;
            match rustix::fs::flock(&opened, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => Ok(Some(DirectoryLock(opened))),
                Err(Errno::WOULDBLOCK) => Ok(None),
                Err(errno) => Err(errno),
            }
        };
        lock().map_err(|errno| {
            Error::os(errno, format!("lock directory {} by reading it", self.path.display()))
        })
    }

    pub fn path_of(&self, file: &OsStr) -> PathBuf {
        self.path.join(file)
    }

    fn error(&self, errno: Errno, verb: &str, file: &OsStr) -> Error {
        Error::os(errno, self.context(verb, file))
    }

    fn context(&self, verb: &str, file: &OsStr) -> String {
        format!("{verb} {}", self.path_of(file).display())
    }
}

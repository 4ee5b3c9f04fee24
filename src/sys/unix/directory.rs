//! The directory of a name: what a claim does to files, relative to one opened directory.

use super::super::{FileIdentity, FileKind, Liveness, Published};
use super::{Listener, RawDescriptor, leads_to, platform, raw};
use crate::error::{Error, Status};
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{SocketAddrUnix, SocketType};
use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A directory, opened once: that its path leads elsewhere later changes nothing.
pub(crate) struct Directory {
    descriptor: OwnedFd,
    path: PathBuf,
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

    /// Whether somebody listens at a socket file. None: it has gone meanwhile, or the answer may have been another file's, so it is
    /// to be looked at again. A socket that this process may not ask counts as alive.
    pub fn probe(&self, file: &OsStr) -> Result<Option<Liveness>, Error> {
        let answer = match self.hold(file) {
            Ok((_held, way)) => ask(&way),
            Err(Errno::NOENT) => Err(Errno::NOENT),
            Err(_) => self.ask_by_path(file),
        };
        match answer {
            Err(Errno::NOENT) => Ok(None),
            Err(Errno::CONNREFUSED) => Ok(Some(Liveness::Dead)),
            Ok(()) | Err(Errno::PROTOTYPE) => Ok(Some(Liveness::Alive)),
            // Where the directory may not be entered any more, that is what is wrong, and not how long the way to the file is.
            Err(_) if self.look(file)?.is_none() => Ok(None),
            Err(Errno::ACCESS | Errno::PERM) => Ok(Some(Liveness::Alive)),
            Err(errno) => Err(self.error(errno, "ask whether somebody listens at", file)),
        }
    }

    /// A descriptor of a file, and a path through it, which leads to this very file as long as it is open.
    fn hold(&self, file: &OsStr) -> rustix::io::Result<(OwnedFd, PathBuf)> {
        // Whatever stands there by now is not waited for.
        let flags = platform::DIRECTORY_FLAGS | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let held = rustix::fs::openat(&self.descriptor, file, flags, Mode::empty())?;
        let way = platform::path_through(&held)?;
        Ok((held, way))
    }

    /// Where no path leads through a descriptor: an answer that came while the path led here is this directory's.
    fn ask_by_path(&self, file: &OsStr) -> rustix::io::Result<()> {
        let path = self.way_by_path(file)?;
        let answer = ask(&path);
        match path.parent() {
            Some(directory) if leads_to(directory, &self.descriptor) => answer,
            _ => Err(Errno::NOENT),
        }
    }

    /// A path for a new file, whose name is short. The system tells whoever asks what a socket was bound to, so this one says where,
    /// if it may; then only renaming directories could lead it elsewhere, and turning links could not.
    fn way_to_new(&self, file: &OsStr) -> rustix::io::Result<PathBuf> {
        let said =
            platform::canonical_path(&self.descriptor).map(|path| path.join(file)).filter(|path| fits(path));
        said.map_or_else(|| platform::path_through(&self.descriptor).map(|path| path.join(file)), Ok)
            .or_else(|_| self.way_by_path(file))
    }

    /// Where no path leads through a descriptor: the one that was opened, if it leads here still. It is told without its links, or one
    /// that is turned all the time could lead here before a call and after it, and elsewhere meanwhile: a live server elsewhere would be
    /// dead here.
    fn way_by_path(&self, file: &OsStr) -> rustix::io::Result<PathBuf> {
        let leads_here = |path: &PathBuf| leads_to(path, &self.descriptor);
        let straight = std::fs::canonicalize(&self.path).ok().filter(leads_here).ok_or(Errno::NOENT)?;
        // The one with links may be short enough where that is not.
        let mut ways = [&straight, &self.path].into_iter().map(|path| path.join(file));
        ways.find(|way| fits(way)).ok_or(Errno::NAMETOOLONG)
    }

    /// Binds a socket file with exactly this mode, whatever the umask, and listens. Until the mode is right the file
    /// allows less. NAME_IN_USE if the file exists, or somebody has removed it by the time that this has bound it.
    pub fn bind(
        &self,
        file: &OsStr,
        mode: u32,
        backlog: Option<u32>,
    ) -> Result<(Listener, FileIdentity), Error> {
        let way = self.way_to_new(file).map_err(|errno| self.error(errno, "bind", file))?;
        let listener = Listener::bind(&way, mode, backlog)
            .map_err(|error| Error::os(error, self.context("bind", file)))?;
        let identity = match self.look(file)? {
            Some((FileKind::Socket, identity)) => identity,
            _ => return Err(self.interfered(file)),
        };
        if let Err(error) = self.change_mode(file, mode) {
            let is_there = self.remove_same(file, identity)?;
            return Err(if is_there { error } else { self.interfered(file) });
        }
        Ok((listener, identity))
    }

    fn change_mode(&self, file: &OsStr, mode: u32) -> Result<(), Error> {
        let name = CString::new(file.as_bytes())
            .map_err(|_| Error::new(Status::NameInvalid, self.context("name", file)))?;
        platform::change_mode(&self.descriptor, &name, mode)
            .map_err(|error| Error::os(error, self.context("set the permissions of", file)))
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
        self.try_lock_by(FlockOperation::NonBlockingLockExclusive)
    }

    /// As `try_lock`, but others may share it.
    pub fn try_share(&self) -> Result<Option<DirectoryLock>, Error> {
        self.try_lock_by(FlockOperation::NonBlockingLockShared)
    }

    fn try_lock_by(&self, operation: FlockOperation) -> Result<Option<DirectoryLock>, Error> {
        let lock = || {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let opened = rustix::fs::openat(&self.descriptor, ".", flags, Mode::empty())?;
            match rustix::fs::flock(&opened, operation) {
                Ok(()) => Ok(Some(DirectoryLock(opened))),
                Err(Errno::WOULDBLOCK) => Ok(None),
                Err(errno) => Err(errno),
            }
        };
        lock().map_err(|errno| {
            Error::os(errno, format!("lock directory {} by reading it", self.path.display()))
        })
    }

    fn interfered(&self, file: &OsStr) -> Error {
        Error::new(Status::NameInUse, self.context("somebody else has removed", file))
    }

    fn path_of(&self, file: &OsStr) -> PathBuf {
        self.path.join(file)
    }

    fn error(&self, errno: Errno, verb: &str, file: &OsStr) -> Error {
        Error::os(errno, self.context(verb, file))
    }

    fn context(&self, verb: &str, file: &OsStr) -> String {
        format!("{verb} {}", self.path_of(file).display())
    }
}

fn fits(path: &Path) -> bool {
    path.as_os_str().len() <= platform::SUN_PATH_LIMIT
}

/// Asks whether somebody listens, by a datagram socket, which no stream server ever gets to see: connect(2) answers EPROTOTYPE where
/// another type of socket is bound and ECONNREFUSED where none is, in a live process.
fn ask(path: &Path) -> rustix::io::Result<()> {
    let socket = platform::socket(SocketType::DGRAM, false)?;
    rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    use crate::sys::Place;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    /// Two directories, with a live server in the first and a dead one in the second, and the first opened by a path that leads to
    /// the second now.
    struct Turned {
        root: tempfile::TempDir,
        opened: Directory,
        _live: UnixListener,
    }

    const NAME: &str = "name";

    impl Turned {
        fn new(is_link: bool) -> Turned {
            let root = tempfile::tempdir().unwrap();
            let [live, dead, way, aside] =
                ["live", "dead", "way", "aside"].map(|name| root.path().join(name));
            std::fs::create_dir(&live).unwrap();
            std::fs::create_dir(&dead).unwrap();
            let _live = UnixListener::bind(live.join(NAME)).unwrap();
            drop(UnixListener::bind(dead.join(NAME)).unwrap());
            let opened = if is_link {
                symlink(&live, &way).unwrap();
                let opened = Directory::open(&way).unwrap();
                std::fs::remove_file(&way).unwrap();
                symlink(&dead, &way).unwrap();
                opened
            } else {
                let opened = Directory::open(&live).unwrap();
                std::fs::rename(&live, &aside).unwrap();
                std::fs::rename(&dead, &live).unwrap();
                opened
            };
            Turned { root, opened, _live }
        }

        /// The files in the directory that was opened, and in the other.
        fn files(&self) -> [usize; 2] {
            let names =
                if self.root.path().join("aside").exists() { ["aside", "live"] } else { ["live", "dead"] };
            names.map(|name| self.root.path().join(name).read_dir().unwrap().count())
        }
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    #[test]
    fn a_path_that_leads_elsewhere_meanwhile_changes_nothing() {
        for is_link in [true, false] {
            let turned = Turned::new(is_link);
            let opened = &turned.opened;
            assert_eq!(opened.probe(OsStr::new(NAME)).unwrap(), Some(Liveness::Alive));
            let (_listener, identity) = opened.bind(OsStr::new("new"), 0o600, None).unwrap();
            assert_eq!(turned.files(), [2, 1]);
            assert_eq!(opened.look(OsStr::new("new")).unwrap(), Some((FileKind::Socket, identity)));
        }
    }

    /// As where no path leads through a descriptor.
    #[test]
    fn the_answer_of_another_directory_is_none() {
        let turned = Turned::new(true);
        assert_eq!(turned.opened.ask_by_path(OsStr::new(NAME)), Err(Errno::NOENT));
        let dead = Directory::open(&turned.root.path().join("dead")).unwrap();
        assert_eq!(dead.ask_by_path(OsStr::new(NAME)), Err(Errno::CONNREFUSED));
        let live = Directory::open(&turned.root.path().join("live")).unwrap();
        assert_eq!(live.ask_by_path(OsStr::new(NAME)), Err(Errno::PROTOTYPE));
    }

    /// As where no path leads through a descriptor, and a link is turned in the middle of a call, and back before its end.
    #[test]
    fn a_link_that_is_turned_does_not_lead_a_path_elsewhere_that_was_told_before() {
        let turned = Turned::new(true);
        let [live, dead, way] = ["live", "dead", "way"].map(|name| turned.root.path().join(name));
        let turn_to = |target: &Path| {
            std::fs::remove_file(&way).unwrap();
            symlink(target, &way).unwrap();
        };
        turn_to(&live);
        let opened = Directory::open(&way).unwrap();
        let [asked, bound] = [NAME, "new"].map(|file| opened.way_by_path(OsStr::new(file)).unwrap());
        turn_to(&dead);
        // The dead one is in the other directory.
        assert_eq!(ask(&asked), Err(Errno::PROTOTYPE));
        let _listener = Listener::bind(&bound, 0o600, None).unwrap();
        assert_eq!(turned.files(), [2, 1]);
        assert_eq!(opened.way_by_path(OsStr::new("new")), Err(Errno::NOENT));
    }

    #[test]
    fn a_path_with_a_link_does_where_the_one_without_is_too_long() {
        let root = tempfile::tempdir().unwrap();
        let (long, link) = (root.path().join("x".repeat(100)), root.path().join("link"));
        std::fs::create_dir(&long).unwrap();
        symlink(&long, &link).unwrap();
        let way = |path: &Path, file: &str| Directory::open(path).unwrap().way_by_path(OsStr::new(file));
        assert_eq!(way(&link, "new"), Ok(link.join("new")));
        assert_eq!(way(&long, "new"), Err(Errno::NAMETOOLONG));
        assert_eq!(way(&link, &"y".repeat(100)), Err(Errno::NAMETOOLONG));
    }

    /// As when somebody takes the permissions away between two calls.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    #[test]
    fn a_directory_that_may_not_be_entered_any_more_says_so_and_nothing_of_its_names() {
        use std::os::unix::fs::PermissionsExt;
        let set_mode = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        let answer_of = move |length| {
            let root = tempfile::tempdir().unwrap();
            let path = root.path().join("x".repeat(length));
            std::fs::create_dir(&path).unwrap();
            let opened = Directory::open(&path).unwrap();
            let (_listener, _) = opened.bind(OsStr::new(NAME), 0o600, None).unwrap();
            set_mode(&path, 0);
            let answer = opened.probe(OsStr::new(NAME));
            set_mode(&path, 0o700);
            answer.map_err(|error| error.status())
        };
        let answers = std::thread::spawn(move || {
            // What root may, this thread may no more.
            let none = rustix::thread::CapabilitySets {
                effective: rustix::thread::CapabilitySet::empty(),
                permitted: rustix::thread::CapabilitySet::empty(),
                inheritable: rustix::thread::CapabilitySet::empty(),
            };
            rustix::thread::set_capabilities(None, none).unwrap();
            [1, 120].map(answer_of)
        });
        assert_eq!(answers.join().unwrap(), [Err(Status::PermissionDenied); 2]);
    }

    #[test]
    fn what_has_gone_is_neither_dead_nor_alive() {
        let root = tempfile::tempdir().unwrap();
        let opened = Directory::open(root.path()).unwrap();
        assert_eq!(opened.probe(OsStr::new(NAME)).unwrap(), None);
    }

    /// Whoever asks the system is told in which directory a server has its name.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    #[test]
    fn a_bound_socket_says_where_as_far_as_that_fits() {
        let root = tempfile::tempdir().unwrap();
        let root_path = root.path().canonicalize().unwrap();
        let (long, link) = (root_path.join("x".repeat(100)), root_path.join("link"));
        std::fs::create_dir(&long).unwrap();
        symlink(&root_path, &link).unwrap();
        let bound_to = |directory: &Path| {
            let (listener, _) =
                Directory::open(directory).unwrap().bind(OsStr::new("new"), 0o600, None).unwrap();
            match super::super::address::bound_to(&listener).unwrap() {
                Some(Place::Path(path)) => path,
                _ => panic!("it has no path"),
            }
        };
        assert_eq!(bound_to(&link), root_path.join("new"));
        // The longest path that does, and one that is a byte longer.
        let [longest, too_long] = [0, 1].map(|more| {
            let around = root_path.as_os_str().len() + "//new".len();
            root_path.join("y".repeat(platform::SUN_PATH_LIMIT - around + more))
        });
        std::fs::create_dir(&longest).unwrap();
        std::fs::create_dir(&too_long).unwrap();
        assert_eq!(bound_to(&longest), longest.join("new"));
        assert!(bound_to(&too_long).starts_with("/proc/self/fd"));
        assert!(bound_to(&long).starts_with("/proc/self/fd"));
        assert!(long.join("new").exists());
    }
}

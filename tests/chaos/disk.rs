//! The disk is full, or may only be read. Root makes such disks; for others these tests do nothing.

use super::role::Actor;
use super::support::{WATCHDOG, status};
use moorline::testkit::Tap;
use moorline::{Server, ServerOptions, Socket, SocketOptions, Status};
use std::path::Path;
use std::process::Command;

/// A small disk, until it is dropped.
struct Disk(tempfile::TempDir);

impl Disk {
    /// One in memory; none for those who may not mount.
    fn mount(options: &str) -> Option<Disk> {
        Disk::mount_from(&["-t", "tmpfs", "-o", options, "moorline-chaos"])
    }

    fn mount_from(arguments: &[&str]) -> Option<Disk> {
        let place = tempfile::tempdir().unwrap();
        let mounted = run("mount", arguments, place.path());
        if !mounted {
            println!("skipped: only root mounts a disk");
        }
        mounted.then_some(Disk(place))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

/// Changes wait until it is dropped.
struct Frozen<'a>(&'a Path);

impl Frozen<'_> {
    fn new(disk: &Path) -> Option<Frozen<'_>> {
        run("fsfreeze", &["--freeze"], disk).then_some(Frozen(disk))
    }
}

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        run("fsfreeze", &["--unfreeze"], self.0);
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        run("umount", &[], self.0.path());
    }
}

fn run(command: &str, arguments: &[&str], place: &Path) -> bool {
    Command::new(command).args(arguments).arg(place).output().is_ok_and(|output| output.status.success())
}

fn listen(place: &Path) -> moorline::Result<Server> {
    let server = Server::new(ServerOptions::default());
    server.listen(place.join("server")).map(|()| server)
}

/// With no place for a file, a name cannot be taken; with one, it can.
pub fn use_a_full_disk(place: &Path) {
    let mut files = 0;
    while std::fs::write(place.join(format!("file-{files}")), "").is_ok() {
        files += 1;
    }
    let before = std::fs::read_dir(place).unwrap().count();
    let error = listen(place).expect_err("there is no room for a name");
    assert_eq!(error.status(), Status::LimitReached, "{error}");
    assert!(error.to_string().contains(&*place.to_string_lossy()), "{error}");
    assert_eq!(std::fs::read_dir(place).unwrap().count(), before, "a file stays");
    assert_eq!(Tap::create(place.join("tap")).err().map(|error| error.status()), Some(Status::LimitReached));

    // The private name and the real one are two entries of one file: first there is room for the private one only.
    std::fs::remove_file(place.join("file-0")).unwrap();
    assert_eq!(status(listen(place)), Status::LimitReached);
    assert_eq!(std::fs::read_dir(place).unwrap().count(), before - 1, "a file stays");
    std::fs::remove_file(place.join("file-1")).unwrap();
    let server = listen(place).unwrap();
    Socket::connect(server.full_name().unwrap(), &SocketOptions::default(), WATCHDOG).unwrap();
    server.close().unwrap();
    assert_eq!(std::fs::read_dir(place).unwrap().count(), before - 2, "a file stays");
}

#[test]
fn a_full_disk_is_said_and_nothing_stays_on_it() {
    if let Some(disk) = Disk::mount("size=64k,nr_inodes=8") {
        Actor::start("use a full disk", disk.path()).ends_well();
    }
}

/// A name that was taken stays usable on a disk that became read-only, and cannot be given back there.
pub fn use_a_read_only_disk(place: &Path) {
    let server = listen(place).unwrap();
    let name = server.full_name().unwrap();
    assert!(run("mount", &["-o", "remount,ro"], place));
    Socket::connect(&name, &SocketOptions::default(), WATCHDOG).unwrap();
    let other = Server::new(ServerOptions::default());
    assert_eq!(status(other.listen(place.join("other"))), Status::PermissionDenied);
    let error = server.close().expect_err("the file cannot be removed");
    assert_eq!(error.status(), Status::PermissionDenied, "{error}");
    assert_eq!(
        status(Socket::connect(&name, &SocketOptions::default(), WATCHDOG)),
        Status::ConnectionRefused
    );

    assert!(run("mount", &["-o", "remount,rw"], place));
    let next = listen(place).expect("a dead name is recovered");
    next.close().unwrap();
    assert_eq!(std::fs::read_dir(place).unwrap().count(), 0, "a file stays");
}

#[test]
fn a_read_only_disk_is_said_and_what_stayed_on_it_is_recovered() {
    if let Some(disk) = Disk::mount("size=64k") {
        Actor::start("use a read-only disk", disk.path()).ends_well();
    }
}

/// A disk may take its time to remove a file, as one over a network does, or one that is just being copied. Whoever waits for a connection
/// is not kept waiting by that.
#[test]
fn who_waits_at_a_server_that_is_closed_on_a_frozen_disk_is_woken() {
    let image = tempfile::NamedTempFile::new().unwrap();
    image.as_file().set_len(4 << 20).unwrap();
    let disk = run("mkfs.ext4", &["-q"], image.path())
        .then(|| Disk::mount_from(&["-o", "loop", &*image.path().to_string_lossy()]));
    let Some(disk) = disk.flatten() else { return };
    let server = listen(disk.path()).unwrap();
    let Some(frozen) = Frozen::new(disk.path()) else { return };
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| server.accept(WATCHDOG).err().map(|error| error.status()));
        let closes = scope.spawn(|| server.close().unwrap());
        let waited = waits.join();
        drop(frozen);
        closes.join().unwrap();
        // Not listening, if it was closed before that began to wait.
        assert!([Some(Status::Closed), Some(Status::InvalidState)].contains(&waited.unwrap()));
    });
    assert!(!disk.path().join("server").exists());
}

//! A dead name that can't be recovered for now, so that a claim of it waits.

use super::until;
use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use tempfile::TempDir;

pub struct Contended {
    directory: TempDir,
    lock: File,
}

impl Contended {
    pub fn new() -> Contended {
        let directory = tempfile::tempdir().unwrap();
        let lock = File::open(directory.path()).unwrap();
        flock(&lock, FlockOperation::LockExclusive).unwrap();
        let contended = Contended { directory, lock };
        drop(UnixListener::bind(contended.name()).unwrap());
        contended
    }

    pub fn name(&self) -> PathBuf {
        self.directory.path().join("name")
    }

    pub fn files(&self) -> usize {
        self.directory.path().read_dir().unwrap().count()
    }

    /// Waits until somebody claims the name, or has ceased to.
    pub fn until_claimed(&self, has_ceased: impl Fn() -> bool) {
        until(|| self.files() > 1 || has_ceased());
    }

    /// Lets the claim go on.
    pub fn release(&self) {
        flock(&self.lock, FlockOperation::Unlock).unwrap();
    }
}

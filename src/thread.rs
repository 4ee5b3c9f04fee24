//! Threads of the library's own.

use crate::error::{Error, Result, Status};
use crate::sys;
use parking_lot::Mutex;
use std::io;
use std::thread::{Builder, JoinHandle};

/// Starts a thread of this name by `spawn`. The program's signals are not for it.
pub(crate) fn start<T>(name: &str, spawn: impl FnOnce(Builder) -> io::Result<T>) -> Result<T> {
    let builder = Builder::new().name(name.to_owned());
    sys::spawn_without_signals(|| spawn(builder))
        .map_err(|error| Error::os_as(Status::LimitReached, error, "start a thread"))
}

/// The thread of an object, or none yet. It is the process's that has made the object, and no forked child waits for it.
pub(crate) struct OwnThread {
    handle: Mutex<Option<JoinHandle<()>>>,
    process: u32,
}

impl OwnThread {
    pub fn none() -> OwnThread {
        OwnThread { handle: Mutex::default(), process: sys::process_id() }
    }

    /// Starts it, unless it was started before and nobody has waited for its end.
    pub fn start(&self, name: &str, run: impl FnOnce() + Send + 'static) -> Result<()> {
        let mut handle = self.handle.lock();
        if handle.is_none() {
            *handle = Some(start(name, |builder| builder.spawn(run))?);
        }
        Ok(())
    }

    /// Whether this is a forked child, and the thread its parent's. To be asked before anything is locked, perhaps for good by a thread
    /// that a forked child does not have.
    pub fn is_inherited(&self) -> bool {
        self.process != sys::process_id()
    }

    /// Waits until it has ended, if it was started. Of several that wait none comes back before.
    pub fn join(&self) {
        if let Some(handle) = self.handle.lock().take() {
            // It does not panic; a panic has been printed.
            let _ = handle.join();
        }
    }
}

impl Drop for OwnThread {
    fn drop(&mut self) {
        if self.is_inherited() {
            // Neither joining nor detaching it is this process's.
            std::mem::forget(self.handle.get_mut().take());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn it_runs_once_until_somebody_has_waited_for_its_end() {
        let thread = OwnThread::none();
        thread.join();
        let (told, tells) = mpsc::channel();
        for name in ["first", "second"] {
            let (begin, begins) = mpsc::channel::<()>();
            let told = told.clone();
            let run = move || {
                begins.recv().unwrap();
                told.send(std::thread::current().name().map(str::to_owned)).unwrap();
            };
            thread.start(name, run).unwrap();
            thread.start("another", || panic!("there is one already")).unwrap();
            begin.send(()).unwrap();
            thread.join();
            assert_eq!(tells.try_recv().unwrap().as_deref(), Some(name));
        }
        assert!(!thread.is_inherited());
    }
}

//! The operating system: descriptors that can be waited for, as far as `poll` and `epoll` go. One lock has all of it, as if each
//! call of the system were one step.

use crate::deadline::Deadline;
use crate::error::{Error, Status};
use crate::sync::{Condvar, Mutex, MutexGuard};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::Mutex as Plain;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

pub type RawDescriptor = i32;
pub struct Descriptor;
pub struct BorrowedDescriptor<'a>(std::marker::PhantomData<&'a ()>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    pub readable: bool,
    pub writable: bool,
    pub hangup: bool,
}

pub fn status_of(_: &io::Error) -> Status {
    Status::OsError
}

pub fn raw(_: &impl Source) -> RawDescriptor {
    0
}

pub fn process_id() -> u32 {
    1
}

/// Of this process. Whatever a call of the system looks at is changed with its lock only.
#[derive(Default)]
struct Kernel {
    lock: Mutex<()>,
    changed: Condvar,
}

loom::lazy_static! {
    static ref KERNEL: Kernel = Kernel::default();
}

impl Kernel {
    fn change(&self, change: impl FnOnce()) {
        let _lock = self.lock.lock();
        change();
        self.changed.notify_all();
    }

    fn wait(
        &self,
        deadline: Deadline,
        mut ready: impl FnMut() -> bool,
    ) -> Result<MutexGuard<'_, ()>, Status> {
        let mut lock = self.lock.lock();
        while !ready() {
            deadline.check_may_wait()?;
            self.changed.wait(&mut lock);
        }
        Ok(lock)
    }
}

#[derive(Default)]
pub struct Waker {
    signalled: AtomicBool,
}

impl Waker {
    pub fn new() -> Result<Waker, Error> {
        Ok(Waker::default())
    }

    pub fn descriptor(&self) -> RawDescriptor {
        0
    }

    pub fn signal(&self) {
        KERNEL.change(|| self.signalled.store(true, Relaxed));
    }

    /// Waits until it is signalled.
    pub fn wait(&self) -> Result<Readiness, Error> {
        drop(KERNEL.wait(Deadline::Never, || self.signalled.load(Relaxed))?);
        Ok(Readiness::default())
    }
}

pub trait Source: Send + Sync + 'static {
    fn file(&self) -> &Arc<File>;

    fn turns_calls_away(&self) -> bool {
        false
    }
}

/// What a descriptor stands for.
#[derive(Default)]
pub struct File {
    readable: AtomicBool,
    watched: Plain<Option<Watched>>,
}

#[derive(Clone)]
struct Watched {
    by: Arc<Epoll>,
    key: usize,
}

impl File {
    /// Something has come.
    pub fn arrive(&self) {
        KERNEL.change(|| {
            self.readable.store(true, Relaxed);
            self.report();
        });
    }

    fn report(&self) {
        let watched = self.watched.lock().expect("not poisoned").clone();
        if let Some(watched) = watched
            && self.readable.load(Relaxed)
        {
            watched.by.ready.lock().expect("not poisoned").push_back(watched.key);
        }
    }

    /// Whether it is in a selector.
    pub fn is_watched(&self) -> bool {
        self.watched.lock().expect("not poisoned").is_some()
    }
}

/// A socket, of which only matters whether it is readable.
#[derive(Default)]
pub struct Stream(pub Arc<File>);

impl Source for Stream {
    fn file(&self) -> &Arc<File> {
        &self.0
    }
}

impl Stream {
    pub fn wait(&self, _: Readiness, waker: &Waker, deadline: Deadline) -> Result<Readiness, Error> {
        let ready = || self.0.readable.load(Relaxed) || waker.signalled.load(Relaxed);
        let _lock = KERNEL.wait(deadline, ready)?;
        let readable = !waker.signalled.load(Relaxed);
        Ok(Readiness { readable, ..Readiness::default() })
    }
}

#[derive(Default)]
struct Epoll {
    ready: Plain<VecDeque<usize>>,
    woken: AtomicBool,
}

pub struct Selector(Arc<Epoll>);
pub struct Selection(Arc<Epoll>);

impl Selector {
    pub fn new() -> Result<(Selector, Selection), Error> {
        let epoll = Arc::new(Epoll::default());
        Ok((Selector(epoll.clone()), Selection(epoll)))
    }

    pub fn descriptor(&self) -> RawDescriptor {
        0
    }

    pub fn descriptors(&self) -> Vec<RawDescriptor> {
        Vec::new()
    }

    pub fn add(&self, source: &impl Source, key: usize, _: Readiness) -> io::Result<()> {
        KERNEL.change(|| {
            let watched = Watched { by: self.0.clone(), key };
            *source.file().watched.lock().expect("not poisoned") = Some(watched);
            source.file().report();
        });
        Ok(())
    }

    pub fn modify(&self, source: &impl Source, key: usize, wanted: Readiness) -> io::Result<()> {
        if source.file().is_watched() {
            self.add(source, key, wanted)
        } else {
            Err(io::ErrorKind::NotFound.into())
        }
    }

    pub fn remove(&self, source: &impl Source) -> io::Result<()> {
        KERNEL.change(|| {
            let watched = source.file().watched.lock().expect("not poisoned").take();
            if let Some(Watched { by, key }) = watched {
                by.ready.lock().expect("not poisoned").retain(|ready| *ready != key);
            }
        });
        Ok(())
    }

    pub fn wake(&self) -> io::Result<()> {
        KERNEL.change(|| self.0.woken.store(true, Relaxed));
        Ok(())
    }
}

impl Selection {
    pub fn wait(
        &mut self,
        capacity: usize,
        timeout: Option<Duration>,
        mut found: impl FnMut(usize, Readiness),
    ) -> io::Result<bool> {
        let deadline = if timeout.is_none() { Deadline::Never } else { Deadline::Now };
        let Epoll { ready, woken } = &*self.0;
        let any = || woken.load(Relaxed) || !ready.lock().expect("not poisoned").is_empty();
        let Ok(lock) = KERNEL.wait(deadline, any) else { return Ok(false) };
        let was_woken = woken.swap(false, Relaxed);
        let mut queue = ready.lock().expect("not poisoned");
        let length = capacity.min(queue.len());
        let events: Vec<usize> = queue.drain(..length).collect();
        drop((queue, lock));
        for key in events {
            found(key, Readiness { readable: true, ..Readiness::default() });
        }
        Ok(was_woken)
    }
}

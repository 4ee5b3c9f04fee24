//! The operating system: descriptors that can be waited for, as far as `poll` and `epoll` go. One lock has all of it, as if each
//! call of the system were one step.

use crate::deadline::Deadline;
use crate::error::{Error, Status};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::Mutex as Plain;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
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

pub fn is_refusal_of_descriptors(_: WouldBlock) -> bool {
    false
}

pub fn raw(_: &impl Source) -> RawDescriptor {
    0
}

pub fn vacate(_: &impl Source) {}

pub fn give_away(_: Descriptor) -> RawDescriptor {
    0
}

pub fn process_id() -> u32 {
    1
}

/// Of this process. Whatever a call of the system looks at is changed with its lock only.
#[derive(Default)]
pub(crate) struct Kernel {
    lock: loom::sync::Mutex<()>,
    changed: loom::sync::Condvar,
    /// Every moment that a call waits for has come.
    time_has_passed: AtomicBool,
}

loom::lazy_static! {
    pub(crate) static ref KERNEL: Kernel = Kernel::default();
}

/// What holds the kernel's lock; empty only while a call waits.
pub(crate) struct Locked(Option<loom::sync::MutexGuard<'static, ()>>);

impl Kernel {
    pub fn lock(&'static self) -> Locked {
        Locked(Some(self.lock.lock().expect("no model panics with a lock")))
    }

    pub fn change(&'static self, change: impl FnOnce()) {
        let _lock = self.lock();
        change();
        self.changed.notify_all();
    }

    pub fn wait(
        &'static self,
        lock: &mut Locked,
        deadline: Deadline,
        mut ready: impl FnMut() -> bool,
    ) -> Result<(), Status> {
        while !ready() {
            deadline.check_may_wait()?;
            if matches!(deadline, Deadline::At(_)) && self.time_has_passed.load(Relaxed) {
                return Err(deadline.expiry());
            }
            let held = lock.0.take().expect("it is held");
            lock.0 = Some(self.changed.wait(held).expect("no model panics with a lock"));
        }
        Ok(())
    }
}

/// Time passes: every moment that anybody waits for, now or later.
pub fn pass_time() {
    KERNEL.change(|| KERNEL.time_has_passed.store(true, Relaxed));
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
        KERNEL.wait(&mut KERNEL.lock(), Deadline::Never, || self.signalled.load(Relaxed))?;
        Ok(Readiness::default())
    }
}

pub trait Source: Send + Sync + 'static {
    fn file(&self) -> &Arc<File>;

    fn turns_calls_away(&self) -> bool {
        false
    }

    fn glance(&self) -> Readiness {
        Readiness { readable: self.file().readable.load(Relaxed), ..Readiness::default() }
    }
}

/// The one error of a send: there is no room.
#[derive(Clone, Copy, Debug)]
pub struct WouldBlock;

impl From<WouldBlock> for io::Error {
    fn from(_: WouldBlock) -> Self {
        io::ErrorKind::WouldBlock.into()
    }
}

/// What a descriptor stands for.
#[derive(Default)]
pub struct File {
    /// A byte has come.
    readable: AtomicBool,
    /// How many bytes more it takes before the peer reads.
    room: AtomicUsize,
    /// What it took and the peer has not read.
    sent: Plain<Vec<u8>>,
    watched: Plain<Option<Watched>>,
}

#[derive(Clone)]
struct Watched {
    by: Arc<Epoll>,
    key: usize,
}

impl File {
    /// It takes so many bytes before the peer reads.
    pub fn with_room(room: usize) -> File {
        File { room: AtomicUsize::new(room), ..File::default() }
    }

    /// It takes so many bytes more.
    pub fn make_room(&self, bytes: usize) {
        KERNEL.change(|| self.room.store(self.room.load(Relaxed) + bytes, Relaxed));
    }

    /// The peer reads what was sent, which makes room; waits until something was.
    pub fn read(&self) -> Vec<u8> {
        let mut lock = KERNEL.lock();
        let is_there = || !self.sent().is_empty();
        KERNEL.wait(&mut lock, Deadline::Never, is_there).expect("it waits for ever");
        drop(lock);
        let mut read = Vec::new();
        KERNEL.change(|| {
            read = std::mem::take(&mut *self.sent());
            self.room.fetch_add(read.len(), Relaxed);
        });
        read
    }

    fn sent(&self) -> std::sync::MutexGuard<'_, Vec<u8>> {
        self.sent.lock().expect("not poisoned")
    }

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
    pub fn wait(&self, wanted: Readiness, waker: &Waker, deadline: Deadline) -> Result<Readiness, Error> {
        let mut lock = KERNEL.lock();
        let ready = || waker.signalled.load(Relaxed) || self.find(wanted) != Readiness::default();
        KERNEL.wait(&mut lock, deadline, ready)?;
        Ok(if waker.signalled.load(Relaxed) { Readiness::default() } else { self.find(wanted) })
    }

    pub fn look(&self, wanted: Readiness) -> Result<Readiness, Error> {
        let _lock = KERNEL.lock();
        let found = self.find(wanted);
        if found == Readiness::default() { Err(Status::WouldBlock.into()) } else { Ok(found) }
    }

    fn find(&self, wanted: Readiness) -> Readiness {
        Readiness {
            readable: wanted.readable && self.0.readable.load(Relaxed),
            writable: wanted.writable && self.0.room.load(Relaxed) > 0,
            hangup: false,
        }
    }

    pub fn send(&self, data: &[u8]) -> Result<usize, WouldBlock> {
        let mut taken = 0;
        KERNEL.change(|| {
            taken = data.len().min(self.0.room.load(Relaxed));
            self.0.room.fetch_sub(taken, Relaxed);
            self.0.sent().extend(&data[..taken]);
        });
        if taken > 0 { Ok(taken) } else { Err(WouldBlock) }
    }

    pub fn send_pieces<const N: usize>(
        &self,
        pieces: [&[u8]; N],
        _: &[BorrowedDescriptor<'_>],
    ) -> Result<usize, WouldBlock> {
        self.send(&pieces.concat())
    }

    pub fn receive(&self, buffer: &mut [u8]) -> Result<usize, Error> {
        let mut came = false;
        KERNEL.change(|| came = self.0.readable.swap(false, Relaxed));
        buffer[0] = b'x';
        if came { Ok(1) } else { Err(Status::WouldBlock.into()) }
    }

    pub fn receive_to_stop(&self, buffer: &mut [u8]) -> Result<(usize, bool), Error> {
        self.receive(buffer).map(|received| (received, false))
    }

    pub fn shut_down(&self, _: bool) -> Result<(), Error> {
        Ok(())
    }

    pub fn release(&self) -> Result<Descriptor, Error> {
        Ok(Descriptor)
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
        let mut lock = KERNEL.lock();
        if KERNEL.wait(&mut lock, deadline, any).is_err() {
            return Ok(false);
        }
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

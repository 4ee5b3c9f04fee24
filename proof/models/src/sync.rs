//! What threads meet at, as in the library's `sync`, of loom's.

pub(crate) use crate::thread_local;
use loom::cell::UnsafeCell;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::time::Instant;

pub(crate) mod atomic {
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering, fence};
}

/// loom's, as the library writes it.
#[macro_export]
macro_rules! thread_local {
    (static $name:ident: $type:ty = const $init:block;) => {
        loom::thread_local! { static $name: $type = $init; }
    };
}

/// As parking_lot's.
#[derive(Default)]
pub struct Mutex<T>(loom::sync::Mutex<T>);

/// As parking_lot's. Empty only while a condition is waited for.
pub struct MutexGuard<'a, T>(Option<loom::sync::MutexGuard<'a, T>>);

const HELD: &str = "the lock is held";

impl<T> Mutex<T> {
    pub fn new(value: T) -> Self {
        Mutex(loom::sync::Mutex::new(value))
    }

    pub fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard(Some(self.0.lock().expect("no model panics with a lock")))
    }

    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.0.try_lock().ok().map(|guard| MutexGuard(Some(guard)))
    }

    /// No model holds a lock until somebody's deadline.
    pub fn try_lock_until(&self, _: Instant) -> Option<MutexGuard<'_, T>> {
        Some(self.lock())
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.0.as_ref().expect(HELD)
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.as_mut().expect(HELD)
    }
}

/// As parking_lot's.
#[derive(Default)]
pub struct Condvar(loom::sync::Condvar);

pub struct WaitTimeoutResult;

impl WaitTimeoutResult {
    pub fn timed_out(&self) -> bool {
        no_time()
    }
}

impl Condvar {
    pub fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        let held = guard.0.take().expect(HELD);
        guard.0 = Some(self.0.wait(held).expect("no model panics with a lock"));
    }

    pub fn wait_until<T>(&self, _: &mut MutexGuard<'_, T>, _: Instant) -> WaitTimeoutResult {
        no_time()
    }

    pub fn notify_all(&self) {
        self.0.notify_all();
    }
}

fn no_time() -> ! {
    panic!("time does not pass in a model: 0 or for ever")
}

/// As std's: what initialised it happened before whatever finds it.
pub struct OnceLock<T> {
    is_set: atomic::AtomicBool,
    setting: Mutex<()>,
    value: UnsafeCell<Option<T>>,
}

// SAFETY: the value is shared after it was set, and set under the lock.
unsafe impl<T: Send + Sync> Sync for OnceLock<T> {}

impl<T> Default for OnceLock<T> {
    fn default() -> Self {
        OnceLock {
            is_set: atomic::AtomicBool::new(false),
            setting: Mutex::new(()),
            value: UnsafeCell::new(None),
        }
    }
}

impl<T> OnceLock<T> {
    pub fn get(&self) -> Option<&T> {
        if !self.is_set.load(atomic::Ordering::Acquire) {
            return None;
        }
        // SAFETY: once set, it is never changed.
        self.value.with(|value| unsafe { (*value).as_ref() })
    }

    pub fn get_or_init(&self, init: impl FnOnce() -> T) -> &T {
        let setting = self.setting.lock();
        if self.get().is_none() {
            // SAFETY: it is not set, and this has the lock.
            self.value.with_mut(|value| unsafe { *value = Some(init()) });
            self.is_set.store(true, atomic::Ordering::Release);
        }
        drop(setting);
        self.get().expect("it was set")
    }
}

/// As std's, for statics: each run of a model has its own value.
pub struct LazyLock<T: 'static>(loom::lazy_static::Lazy<T>);

impl<T> LazyLock<T> {
    pub const fn new(init: fn() -> T) -> Self {
        LazyLock(loom::lazy_static::Lazy { init, _p: PhantomData })
    }
}

impl<T> Deref for LazyLock<T> {
    type Target = T;
    fn deref(&self) -> &T {
        let this: *const Self = self;
        // SAFETY: only statics are made of it.
        unsafe { &*this }.0.get()
    }
}

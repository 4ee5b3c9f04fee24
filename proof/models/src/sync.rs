//! What threads meet at, as in the library's `sync`, of loom's.

use crate::deadline::Deadline;
use crate::sys::KERNEL;
pub(crate) use crate::thread_local;
use loom::cell::UnsafeCell;
pub(crate) use loom::sync::Arc;
use std::collections::VecDeque;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::Mutex as Plain;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

pub(crate) mod atomic {
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering, fence};
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

/// As parking_lot's.
pub struct MutexGuard<'a, T> {
    mutex: &'a Mutex<T>,
    /// None only while a condition is waited for, or in `unlocked`.
    held: Option<loom::sync::MutexGuard<'a, T>>,
}

const HELD: &str = "the lock is held";

impl<T> Mutex<T> {
    pub fn new(value: T) -> Self {
        Mutex(loom::sync::Mutex::new(value))
    }

    pub fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard { mutex: self, held: Some(self.hold()) }
    }

    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.0.try_lock().ok().map(|held| MutexGuard { mutex: self, held: Some(held) })
    }

    /// No model holds a lock until somebody's deadline.
    pub fn try_lock_until(&self, _: Instant) -> Option<MutexGuard<'_, T>> {
        Some(self.lock())
    }

    fn hold(&self) -> loom::sync::MutexGuard<'_, T> {
        self.0.lock().expect("no model panics with a lock")
    }
}

impl<T> MutexGuard<'_, T> {
    pub fn unlocked<R>(guard: &mut Self, work: impl FnOnce() -> R) -> R {
        guard.held = None;
        let answer = work();
        guard.held = Some(guard.mutex.hold());
        answer
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.held.as_ref().expect(HELD)
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.held.as_mut().expect(HELD)
    }
}

/// As parking_lot's: nobody wakes without a reason, and who runs out of time is no longer there to be told. What the system keeps
/// for it is changed with the system's lock.
#[derive(Default)]
pub struct Condvar {
    /// Those that sleep, each with whether it was told.
    sleepers: Plain<VecDeque<Told>>,
}

type Told = std::sync::Arc<std::sync::atomic::AtomicBool>;

pub struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    pub fn timed_out(&self) -> bool {
        self.0
    }
}

impl Condvar {
    pub fn new() -> Self {
        Condvar::default()
    }

    pub fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        self.sleep(guard, Deadline::Never);
    }

    pub fn wait_until<T>(&self, guard: &mut MutexGuard<'_, T>, at: Instant) -> WaitTimeoutResult {
        WaitTimeoutResult(!self.sleep(guard, Deadline::At(at)))
    }

    /// Sleeps until it is told, or until the deadline; answers whether it was told.
    fn sleep<T>(&self, guard: &mut MutexGuard<'_, T>, deadline: Deadline) -> bool {
        let me = Told::new(false.into());
        let mut kernel = KERNEL.lock();
        self.sleepers().push_back(me.clone());
        guard.held = None;
        let told = KERNEL.wait(&mut kernel, deadline, || me.load(Relaxed)).is_ok();
        if !told {
            self.sleepers().retain(|sleeper| !Told::ptr_eq(sleeper, &me));
        }
        drop(kernel);
        guard.held = Some(guard.mutex.hold());
        told
    }

    pub fn notify_one(&self) {
        KERNEL.change(|| {
            if let Some(first) = self.sleepers().pop_front() {
                first.store(true, Relaxed);
            }
        });
    }

    pub fn notify_all(&self) {
        KERNEL.change(|| self.sleepers().drain(..).for_each(|sleeper| sleeper.store(true, Relaxed)));
    }

    fn sleepers(&self) -> std::sync::MutexGuard<'_, VecDeque<Told>> {
        self.sleepers.lock().expect("not poisoned")
    }
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

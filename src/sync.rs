//! What threads meet at. The files that the models of `proof/models` compile take it from here, and there from loom, which
//! tries every order in which threads can run.

pub(crate) use parking_lot::{Condvar, Mutex, MutexGuard};
pub(crate) use std::sync::{Arc, LazyLock, OnceLock};
pub(crate) use std::thread_local;

pub(crate) mod atomic {
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering, fence};
}

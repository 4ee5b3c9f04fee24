//! An open socket of either kind, what ends the waits on it, and its poller.

use crate::deadline::Deadline;
use crate::error::Result;
use crate::gate::Gate;
use crate::poller::Registration;
use crate::sync::{Mutex, MutexGuard};
use crate::sys::{self, RawDescriptor, Readiness, Selector, Source, Waker};
use std::io;

/// An open listener or stream. Calls hold it by an `Arc` while they use it, so that its descriptor is closed when it
/// has been closed and the last of them has left.
pub(crate) struct Endpoint<S: Source> {
    source: S,
    gate: Gate,
    registration: Mutex<Option<Registration>>,
}

impl<S: Source> Endpoint<S> {
    pub fn new(source: S) -> Self {
        Endpoint { source, gate: Gate::default(), registration: Mutex::new(None) }
    }

    pub fn source(&self) -> &S {
        &self.source
    }

    /// The descriptors that it keeps.
    pub fn descriptors(&self) -> impl Iterator<Item = RawDescriptor> {
        std::iter::once(sys::raw(&self.source)).chain(self.gate.descriptor())
    }

    /// Ends every wait on it, now and later, and takes it from its poller.
    pub fn close(&self) {
        self.gate.shut();
        self.leave_poller();
    }

    pub fn check_open(&self) -> Result<()> {
        self.gate.check()
    }

    /// Waits by `wait` until it finds something, or the deadline, or `close`.
    pub fn wait(
        &self,
        deadline: Deadline,
        wait: impl FnOnce(&S, &Waker, Deadline) -> Result<Readiness>,
    ) -> Result<Readiness> {
        self.gate.wait(|waker| wait(&self.source, waker, deadline))
    }

    /// Has its poller report anew what is so of it.
    pub fn report_anew(&self) {
        if let Some(registration) = self.registration.lock().as_ref() {
            registration.report_anew(self);
        }
    }

    fn leave_poller(&self) {
        if let Some(registration) = self.registration.lock().take() {
            registration.remove(self);
        }
    }
}

impl<S: Source> Drop for Endpoint<S> {
    fn drop(&mut self) {
        // Before the descriptor is closed: a forked child may hold a duplicate, and then closing is not removing.
        self.leave_poller();
    }
}

/// What a poller does with the endpoints that it watches.
pub(crate) trait Watched: Send + Sync {
    fn check_open(&self) -> Result<()>;
    /// Whether it is to be reported as long as it is ready even to those who want each change once: [`Source::turns_calls_away`].
    fn insists(&self) -> bool;
    /// [`Source::glance`].
    fn glance(&self) -> Readiness;
    /// Its place in a poller, if it is in one.
    fn registration(&self) -> MutexGuard<'_, Option<Registration>>;
    fn watch(&self, selector: &Selector, key: usize, wanted: Readiness) -> io::Result<()>;
    fn rewatch(&self, selector: &Selector, key: usize, wanted: Readiness) -> io::Result<()>;
    fn unwatch(&self, selector: &Selector) -> io::Result<()>;
    /// [`sys::vacate`].
    fn vacate(&self);
}

impl<S: Source> Watched for Endpoint<S> {
    fn check_open(&self) -> Result<()> {
        Endpoint::check_open(self)
    }

    fn insists(&self) -> bool {
        self.source.turns_calls_away()
    }

    fn glance(&self) -> Readiness {
        self.source.glance()
    }

    fn registration(&self) -> MutexGuard<'_, Option<Registration>> {
        self.registration.lock()
    }

    fn watch(&self, selector: &Selector, key: usize, wanted: Readiness) -> io::Result<()> {
        selector.add(&self.source, key, wanted)
    }

    fn rewatch(&self, selector: &Selector, key: usize, wanted: Readiness) -> io::Result<()> {
        selector.modify(&self.source, key, wanted)
    }

    fn unwatch(&self, selector: &Selector) -> io::Result<()> {
        selector.remove(&self.source)
    }

    fn vacate(&self) {
        sys::vacate(&self.source);
    }
}

impl Endpoint<sys::Stream> {
    /// Waits until it may be read or written, as wanted. Who may not wait needs nothing to be woken by, for which a descriptor may be
    /// missing.
    pub fn wait_ready(&self, wanted: Readiness, deadline: Deadline) -> Result<Readiness> {
        if let Deadline::Now = deadline {
            self.check_open()?;
            return self.source.look(wanted);
        }
        self.wait(deadline, |stream, waker, deadline| stream.wait(wanted, waker, deadline))
    }
}

//! A service between start and stop: its threads, and what they have in common.

use super::headcount::Headcount;
use super::mailbox::Mailbox;
use super::worker::Worker;
use super::{Endings, Handler, ServiceOptions, ServiceReport};
use crate::deadline::Deadline;
use crate::error::{Error, Result, Status};
use crate::poller::PollerOptions;
use crate::server::{Server, ServerOptions};
use crate::socket::MessageOptions;
use crate::sys;
use crate::thread;
use parking_lot::Mutex;
use std::ffi::OsString;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How much longer than its deadline a stop waits for its threads: they have nothing left to wait for then, unless a call of
/// the handler takes longer.
const STOP_GRACE: Duration = Duration::from_millis(250);

pub(super) struct Running {
    server: Arc<Server>,
    shared: Arc<Shared>,
    mailboxes: Vec<Arc<Mailbox>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Why the socket file could not be removed, until that is told.
    left_behind: Mutex<Option<Error>>,
    /// Whatever a stop waits for was cut short, which is not of its doing.
    was_shut_down: AtomicBool,
    process: u32,
}

/// What the threads of a service have in common.
pub(super) struct Shared {
    pub service: u64,
    pub options: ServiceOptions,
    pub handler: Arc<dyn Handler>,
    pub totals: Totals,
    /// It was told to stop, whether its threads know or not.
    pub stopped: AtomicBool,
    pub endings: Mutex<Endings>,
    pub failures: Mutex<Vec<String>>,
    pub workers: Headcount,
}

#[derive(Default)]
pub(super) struct Totals {
    pub accepted: AtomicU64,
    pub refused: AtomicU64,
    pub open: AtomicU64,
    pub open_at_stop: AtomicU64,
    pub received: AtomicU64,
    pub sent: AtomicU64,
    pub unsent: AtomicU64,
    /// Of the unsent, what a stop could not wait for.
    pub cut_off: AtomicU64,
}

impl Shared {
    /// What was accepted and is not served any more, since the service stops, ends here all the same.
    pub fn count_unserved(&self) {
        self.totals.open_at_stop.fetch_add(1, Ordering::Relaxed);
        self.totals.open.fetch_sub(1, Ordering::Relaxed);
        self.endings.lock().count(Status::Closed);
    }
}

impl Running {
    /// The server of a service that is to be.
    pub fn server_for(options: &ServiceOptions) -> Server {
        let ServiceOptions { scope, mode, backlog, queue_limit, ref clock, .. } = *options;
        let messages = options.messages.as_ref().map(|messages| {
            Arc::new(MessageOptions { clock: clock.clone(), ..MessageOptions::clone(messages) })
        });
        Server::new(ServerOptions {
            scope,
            mode,
            backlog,
            send_queue_limit: queue_limit,
            messages,
            policy: options.policy.clone(),
            faults: options.faults.clone(),
        })
        .keeping_sockets()
    }

    /// A service that listens, and the workers that are to serve it on threads of their own. Who stops it waits for them from now on.
    pub fn prepare(
        service: u64,
        options: &ServiceOptions,
        handler: &Arc<dyn Handler>,
        server: Arc<Server>,
        listen: impl FnOnce(&Server) -> Result<()>,
    ) -> Result<(Running, Vec<Worker>)> {
        let shared = Arc::new(Shared {
            service,
            options: options.clone(),
            handler: handler.clone(),
            totals: Totals::default(),
            stopped: AtomicBool::new(false),
            endings: Mutex::default(),
            failures: Mutex::default(),
            workers: Headcount::default(),
        });
        let polling = PollerOptions { busy_poll: options.busy_poll, ..PollerOptions::default() };
        let mailboxes = (0..options.workers)
            .map(|_| Mailbox::new(polling.clone()).map(Arc::new))
            .collect::<Result<Vec<_>>>()?;
        for mailbox in &mailboxes {
            let mailbox = Arc::downgrade(mailbox);
            // Its worker looks at everything that may be late whenever it is woken.
            options
                .clock
                .follow(move || mailbox.upgrade().is_some_and(|mailbox| mailbox.poller.wake().is_ok()));
        }
        // Listening comes last of what can fail for a reason of the caller's: a name that appears is served.
        listen(&server)?;
        let worker = |(index, mailbox): (usize, &Arc<Mailbox>)| {
            let accepts = (index == 0).then(|| (server.clone(), mailboxes.clone()));
            Worker::new(shared.clone(), mailbox.clone(), accepts)
        };
        let workers = mailboxes.iter().enumerate().map(worker).collect::<Result<Vec<_>>>()?;
        let running = Running {
            server,
            shared,
            mailboxes,
            threads: Mutex::default(),
            left_behind: Mutex::default(),
            was_shut_down: AtomicBool::new(false),
            process: sys::process_id(),
        };
        Ok((running, workers))
    }

    /// Starts the threads, unless it was told to stop before. Workers that get none have left.
    pub fn spawn(&self, workers: Vec<Worker>) -> Result<()> {
        let mut threads = self.threads.lock();
        if self.shared.stopped.load(Ordering::Acquire) {
            return Err(stopped_meanwhile());
        }
        for (index, worker) in workers.into_iter().enumerate() {
            let name = format!("moorline-{index}");
            threads.push(thread::start(&name, |builder| builder.spawn(move || worker.run()))?);
        }
        Ok(())
    }

    /// Whether this is a forked child, and the threads its parent's.
    pub fn is_inherited(&self) -> bool {
        self.process != sys::process_id()
    }

    pub fn server(&self) -> Arc<Server> {
        self.server.clone()
    }

    pub fn full_name(&self) -> Result<OsString> {
        self.server.full_name()
    }

    /// Gives the name back and tells the threads to finish by the deadline.
    pub fn order_stop(&self, deadline: Deadline) {
        self.shared.stopped.store(true, Ordering::Release);
        if let Err(error) = self.server.close() {
            *self.left_behind.lock() = Some(error);
        }
        for mailbox in &self.mailboxes {
            mailbox.order_stop(deadline);
        }
    }

    /// Waits until the threads have finished, at most a little longer than the deadline; at the deadline it ends what calls of the
    /// handler wait for.
    pub fn wait_finished(&self, deadline: Deadline) -> bool {
        if self.shared.workers.wait_until_all_left(deadline) {
            return true;
        }
        self.abort_connections();
        self.shared.workers.wait_until_all_left(Deadline::At(Instant::now() + STOP_GRACE))
    }

    /// Stops without sending what is queued, and waits until it has.
    pub fn shut_down(&self) {
        self.cut_short();
        self.join();
    }

    /// As `shut_down`, but does not wait: its threads end once the calls of the handler do.
    pub fn cut_short(&self) {
        if self.is_inherited() {
            self.threads.lock().drain(..).for_each(std::mem::forget);
            return;
        }
        self.was_shut_down.store(true, Ordering::Release);
        self.order_stop(Deadline::Now);
        self.abort_connections();
    }

    /// In a forked child: see [`Server::leave_to_parent`].
    pub fn leave_to_parent(&self) {
        self.server.leave_to_parent();
        self.mailboxes.iter().for_each(|mailbox| mailbox.poller.leave_to_parent());
    }

    pub fn was_shut_down(&self) -> bool {
        self.was_shut_down.load(Ordering::Acquire)
    }

    fn abort_connections(&self) {
        self.mailboxes.iter().for_each(|mailbox| mailbox.abort_connections());
    }

    /// Waits until the threads have ended. Who comes while another does so waits for the same.
    pub fn join(&self) {
        let mut threads = self.threads.lock();
        for thread in threads.drain(..) {
            // Calls of the handler are caught one by one; the thread itself does not panic.
            let _ = thread.join();
        }
    }

    /// What it did until it stopped, with the failures and what was left behind, which are told once; `expiry` is the outcome if
    /// something was cut off.
    pub fn report(&self, expiry: Status) -> ServiceReport {
        let failures = std::mem::take(&mut *self.shared.failures.lock());
        let left_behind = self.left_behind.lock().take();
        let cut_off = self.shared.totals.cut_off.load(Ordering::Relaxed);
        let outcome = if cut_off > 0 { expiry } else { Status::Ok };
        ServiceReport { failures, outcome, left_behind, ..self.statistics() }
    }

    pub fn statistics(&self) -> ServiceReport {
        let Shared { totals, endings, failures, .. } = &*self.shared;
        let get = |total: &AtomicU64| total.load(Ordering::Relaxed);
        ServiceReport {
            accepted: get(&totals.accepted),
            refused: get(&totals.refused),
            open_at_stop: get(&totals.open_at_stop),
            received: get(&totals.received),
            sent: get(&totals.sent),
            unsent: get(&totals.unsent),
            endings: *endings.lock(),
            failures: failures.lock().clone(),
            outcome: Status::Ok,
            left_behind: None,
        }
    }
}

/// Why a start was in vain.
pub(super) fn stopped_meanwhile() -> Error {
    Error::new(Status::Closed, "start: another thread stopped the service meanwhile")
}

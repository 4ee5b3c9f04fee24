//! How a worker accepts connections and deals them out.

use super::{FAIR_SHARE, SERVER, Worker};
use crate::clock::Clock;
use crate::deadline::Timeout;
use crate::error::{Result, Status};
use crate::poller::Interest;
use crate::server::Server;
use crate::service::mailbox::{Mailbox, Order};
use crate::socket::Socket;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How much of the connection rate may be caught up with at once.
const RATE_BURST: Duration = Duration::from_millis(100);
/// How long accepting rests when there is no descriptor for another connection, unless one closes earlier.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Of the one worker of a service that accepts for all.
pub(super) struct Acceptor {
    server: Arc<Server>,
    workers: Vec<Arc<Mailbox>>,
    next: usize,
    /// More connections may wait, since when they are to be looked for.
    pub(super) due: Option<Due>,
    /// When the next connection is due by [`crate::ServiceOptions::connection_rate`]; so far behind it may be that a burst of a
    /// tenth of a second's worth is taken at once.
    next_by_rate: Instant,
}

/// A time by a clock: of the service's deadlines, or the system's for what is the system's state.
pub(super) struct Due {
    at: Instant,
    by: Clock,
}

impl Due {
    fn has_come(&self) -> bool {
        self.at <= self.by.now()
    }

    pub fn patience(&self) -> Option<Duration> {
        self.by.patience(self.at)
    }
}

impl Acceptor {
    pub fn new(
        server: Arc<Server>,
        workers: Vec<Arc<Mailbox>>,
        own: &Mailbox,
        now: Instant,
    ) -> Result<Acceptor> {
        own.poller.add(&*server, Interest::READABLE_EDGE, SERVER)?;
        Ok(Acceptor { server, workers, next: 0, due: None, next_by_rate: now })
    }
}

impl Worker {
    pub(super) fn accept_now(&mut self) {
        let by = self.clock().clone();
        if let Some(acceptor) = &mut self.acceptor {
            acceptor.due = Some(Due { at: by.now(), by });
        }
    }

    pub(super) fn accept_if_due(&mut self) {
        if self.acceptor.as_ref().is_none_or(|acceptor| acceptor.due.is_none()) {
            return;
        }
        let now = self.now();
        for _ in 0..FAIR_SHARE {
            let Some(acceptor) = &mut self.acceptor else { return };
            if acceptor.due.as_ref().is_none_or(|due| !due.has_come()) {
                return;
            }
            let rate = self.shared.options.connection_rate;
            if rate.is_some() && acceptor.next_by_rate > now {
                acceptor.due = Some(Due { at: acceptor.next_by_rate, by: self.shared.options.clock.clone() });
                return;
            }
            // A custom policy is the caller's code. Its panic turns the peer away.
            let accept = AssertUnwindSafe(|| acceptor.server.accept(Timeout::None));
            let accepted = match catch_unwind(accept) {
                Ok(accepted) => accepted,
                Err(panic) => {
                    self.shared.totals.refused.fetch_add(1, Ordering::Relaxed);
                    self.record(&*panic);
                    continue;
                }
            };
            match accepted {
                Ok(socket) => {
                    if let Some(rate) = rate {
                        let earliest = now.checked_sub(RATE_BURST).unwrap_or(now);
                        let interval = Duration::from_secs(1) / rate;
                        acceptor.next_by_rate = acceptor.next_by_rate.max(earliest) + interval;
                    }
                    self.admit(socket);
                }
                Err(error) => {
                    acceptor.due = match error.status() {
                        Status::WouldBlock | Status::Closed | Status::InvalidState => None,
                        Status::PermissionDenied if error.os_error().is_none() => {
                            self.shared.totals.refused.fetch_add(1, Ordering::Relaxed);
                            continue;
                        }
                        // No descriptors, most likely. The connections wait in the backlog meanwhile.
                        _ => Some(Due { at: Instant::now() + ACCEPT_PAUSE, by: Clock::system() }),
                    };
                }
            }
        }
    }

    fn admit(&mut self, socket: Socket) {
        let totals = &self.shared.totals;
        let limit = self.shared.options.max_connections.map_or(u64::MAX, |limit| limit as u64);
        if totals.open.load(Ordering::Relaxed) >= limit {
            totals.refused.fetch_add(1, Ordering::Relaxed);
            return;
        }
        totals.accepted.fetch_add(1, Ordering::Relaxed);
        totals.open.fetch_add(1, Ordering::Relaxed);
        let Some(acceptor) = &mut self.acceptor else { return };
        acceptor.next = (acceptor.next + 1) % acceptor.workers.len();
        let chosen = acceptor.workers[acceptor.next].clone();
        if Arc::ptr_eq(&chosen, &self.mailbox) {
            self.serve(socket);
        } else if chosen.post(Order::Serve(Box::new(socket))).is_err() {
            // The service stops, and that worker was done sooner.
            self.shared.count_unserved();
        }
    }
}

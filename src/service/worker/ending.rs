//! How connections end, and all of them when the service stops.

use super::Worker;
use crate::deadline::Deadline;
use crate::error::Status;
use crate::service::connection::Wish;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;

impl Worker {
    /// What is queued goes out first.
    pub(super) fn end_after_flush(&mut self, slot: usize, reason: Status) {
        if let Some(served) = self.served.get_mut(slot) {
            served.ending.get_or_insert_with(|| (reason, self.shared.options.clock.now()));
            // Or those who send all the time would have it never end.
            served.connection.socket().end_sending();
            self.look(slot);
            self.set_alarm(slot);
        }
    }

    /// What is queued is given up. The handler is told.
    pub(super) fn end(&mut self, slot: usize, reason: Status) {
        let Some(served) = self.served.try_remove(slot) else { return };
        let connection = served.connection;
        // Everything fails when a send of somebody's has found what the peer did wrong.
        let peers_fault = connection.socket().broken_off();
        let reason = peers_fault.unwrap_or(reason);
        self.mailbox.leave(&connection);
        let report = connection.socket().abort();
        let totals = &self.shared.totals;
        totals.sent.fetch_add(report.sent, Ordering::Relaxed);
        totals.unsent.fetch_add(report.unsent, Ordering::Relaxed);
        totals.received.fetch_add(report.received, Ordering::Relaxed);
        totals.open.fetch_sub(1, Ordering::Relaxed);
        // Neither the peer nor the handler has ended it.
        let cut_off = peers_fault.is_none()
            && !matches!(reason, Status::Disconnected | Status::Internal)
            && connection.wish() != Wish::Abort;
        if self.shared.stopped.load(Ordering::Acquire) && cut_off {
            totals.cut_off.fetch_add(report.unsent, Ordering::Relaxed);
        }
        self.shared.endings.lock().count(reason);
        let handler = &self.shared.handler;
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| handler.disconnected(&connection, reason))) {
            self.record(&*panic);
        }
        // A descriptor is free: connections may wait for it.
        if self.acceptor.as_ref().is_some_and(|acceptor| acceptor.due.is_some()) {
            self.accept_now();
        }
    }

    /// Nobody is accepted any more, and all connections end.
    pub(super) fn begin_stop(&mut self) {
        self.acceptor = None;
        let slots: Vec<usize> = self.served.iter().map(|(slot, _)| slot).collect();
        self.shared.totals.open_at_stop.fetch_add(slots.len() as u64, Ordering::Relaxed);
        for slot in slots {
            self.end_after_flush(slot, Status::Closed);
        }
    }

    /// Ends what is left when the deadline has passed; tells whether nothing is left.
    pub(super) fn finish_if_stopped(&mut self) -> bool {
        if self.stopping.is_some_and(Deadline::has_passed) {
            let slots: Vec<usize> = self.served.iter().map(|(slot, _)| slot).collect();
            for slot in slots {
                self.end(slot, Status::Closed);
            }
        }
        self.served.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deadline::Timeout;
    use crate::service::Endings;
    use crate::service::worker::tests::sending_worker;
    use crate::socket::Direction;

    #[test]
    fn a_stop_has_not_cut_off_who_leaves_while_it_sends() {
        let (mut worker, connection, peer) = sending_worker();
        let queued = connection.socket().queued() as u64;
        worker.begin_stop();
        drop(peer);
        worker.flush(0);
        assert_eq!((worker.served.len(), connection.unsent()), (0, queued));
        assert_eq!(worker.shared.totals.cut_off.load(Ordering::Relaxed), 0, "there was time");
        assert_eq!(*worker.shared.endings.lock(), Endings { disconnected: 1, ..Endings::default() });
    }

    #[test]
    fn a_stop_has_cut_off_whose_queue_it_gave_up_also_if_the_peer_had_finished() {
        let (mut worker, connection, peer) = sending_worker();
        let queued = connection.socket().queued() as u64;
        peer.shut_down(Direction::Sending, Timeout::None).unwrap();
        worker.read(0);
        assert_eq!(worker.served.len(), 1, "it was to be sent");
        // While a call of the handler takes too long.
        worker.mailbox.abort_connections();
        worker.flush(0);
        assert_eq!((worker.served.len(), connection.unsent()), (0, queued));
        assert_eq!(worker.shared.totals.cut_off.load(Ordering::Relaxed), queued);
        assert_eq!(*worker.shared.endings.lock(), Endings { closed: 1, ..Endings::default() });
    }
}

//! How a worker ends connections that are late.

use super::{Served, Worker};
use crate::error::Status;
use std::cmp::Reverse;
use std::time::Instant;

impl Worker {
    /// When the connection has to have gone on.
    fn due(&self, served: &Served) -> Option<Instant> {
        let options = &self.shared.options;
        let idle = options.idle_timeout.and_then(|timeout| served.active.checked_add(timeout));
        let lingering = served.ending.and_then(|(_, since)| since.checked_add(options.linger));
        // A peer that nothing is read from can't go on.
        let is_read = !served.paused && served.ending.is_none();
        let peer = if is_read { served.connection.socket().peer_due() } else { None };
        [idle, lingering, peer].into_iter().flatten().min()
    }

    /// Sees to it that the connection is looked at when it is due.
    pub(super) fn set_alarm(&mut self, slot: usize) {
        let Some(served) = self.served.get(slot) else { return };
        if !self.minds_time && served.ending.is_none() {
            return;
        }
        let Some(due) = self.due(served) else { return };
        if served.alarm.is_none_or(|alarm| due < alarm) {
            self.alarms.push(Reverse((due, slot, served.number)));
            self.served[slot].alarm = Some(due);
            self.drop_old_alarms();
        }
    }

    /// Alarms of connections that have ended would otherwise stay until their time.
    fn drop_old_alarms(&mut self) {
        if self.alarms.len() > 2 * self.served.len() + 64 {
            let served = &self.served;
            self.alarms.retain(|Reverse((alarm, slot, number))| {
                served.get(*slot).is_some_and(|it| it.number == *number && it.alarm == Some(*alarm))
            });
        }
    }

    pub(super) fn end_late_ones(&mut self) {
        if self.alarms.is_empty() {
            return;
        }
        let now = self.now();
        while let Some(Reverse((alarm, slot, number))) = self.alarms.peek().copied() {
            if alarm > now {
                return;
            }
            self.alarms.pop();
            let Some(served) = self.served.get_mut(slot) else { continue };
            if served.number != number || served.alarm != Some(alarm) {
                continue;
            }
            served.alarm = None;
            // What other threads sent is noticed only here.
            self.notice_traffic(slot);
            if self.is_late(slot, now) {
                self.catch_up(slot);
            }
            if self.served.get(slot).is_none_or(|served| served.number != number) {
                continue;
            }
            if self.is_late(slot, now) {
                self.end(slot, Status::TimedOut);
            } else {
                self.set_alarm(slot);
            }
        }
    }

    fn is_late(&self, slot: usize, now: Instant) -> bool {
        self.served.get(slot).and_then(|served| self.due(served)).is_some_and(|due| due <= now)
    }

    /// The worker may have been at others' while the peer went on: its time begins anew where there is something to read, or to be sent.
    fn catch_up(&mut self, slot: usize) {
        let received = |served: &Served| served.connection.socket().received();
        let before = self.served.get(slot).map(received);
        self.flush(slot);
        self.read(slot);
        self.notice_traffic(slot);
        // That it took something is no part of a message.
        if let Some(served) = self.served.get(slot)
            && Some(received(served)) != before
        {
            served.connection.socket().restart_peer_clock();
        }
    }

    /// Notes whether something went either way since the last time.
    fn notice_traffic(&mut self, slot: usize) {
        let Some(served) = self.served.get_mut(slot) else { return };
        let traffic = served.connection.socket().traffic();
        if served.traffic == traffic {
            return;
        }
        served.traffic = traffic;
        served.touch(&self.shared.options);
        if let Some((_, since)) = &mut served.ending {
            *since = self.shared.options.clock.now();
        }
    }
}

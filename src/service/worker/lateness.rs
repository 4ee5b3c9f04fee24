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
        // Nothing is read from a paused peer, so it can't go on.
        let peer = if served.paused { None } else { served.connection.socket().peer_due() };
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
            let traffic = served.connection.socket().traffic();
            if served.traffic != traffic {
                served.traffic = traffic;
                served.touch(&self.shared.options);
            }
            let served = &self.served[slot];
            match self.due(served) {
                Some(due) if due <= now => self.end(slot, Status::TimedOut),
                _ => self.set_alarm(slot),
            }
        }
    }
}

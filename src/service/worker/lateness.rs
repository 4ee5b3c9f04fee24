//! How a worker ends connections that are late.

use super::{Served, Worker};
use crate::clock::Clock;
use crate::error::Status;
use crate::service::ServiceOptions;
use std::cmp::Reverse;
use std::time::{Duration, Instant};

/// What the system holds of what a peer sends at least, unless the peer wants it otherwise: whoever has sent less was not kept from
/// sending the rest. Linux has room for 277 bytes by default, sent one by one, as it counts the memory that each call takes.
const ROOM: u64 = 256;

/// How long a worker has been at work, ever: all the time for which it did not wait.
pub(super) struct Work {
    clock: Clock,
    done: Duration,
    since: Option<Instant>,
    /// What was done when the poller last told of all that was ready.
    told: Duration,
    /// What was done when it did so before its last wait: who is ready now may have been since then.
    told_before: Duration,
}

impl Work {
    pub fn new(clock: &Clock) -> Work {
        Work {
            clock: clock.clone(),
            done: Duration::ZERO,
            since: None,
            told: Duration::ZERO,
            told_before: Duration::ZERO,
        }
    }

    pub fn begin(&mut self) {
        if self.since.is_none() {
            self.since = Some(self.clock.now());
        }
    }

    pub fn end(&mut self) {
        self.done = self.done();
        self.since = None;
    }

    pub fn has_waited(&mut self, was_told_of_all: bool) {
        self.told_before = self.told;
        if was_told_of_all {
            // Without what was done for the only one that has been ready of late, which the wait has received from.
            self.told = self.done;
        }
    }

    fn done(&self) -> Duration {
        let present = self.since.map(|since| self.clock.now().saturating_duration_since(since));
        self.done + present.unwrap_or_default()
    }
}

/// For how long the worker may have kept a peer from sending the rest of a message: it did not read what was there already.
#[derive(Default)]
pub(super) struct HeldUp {
    /// When that message would be due without it.
    due: Option<Instant>,
    time: Duration,
    /// The work that was done when the connection was last read.
    work: Duration,
}

impl HeldUp {
    fn add(&mut self, due: Instant, time: Duration) {
        if self.due != Some(due) {
            (self.due, self.time) = (Some(due), Duration::ZERO);
        }
        self.time += time;
    }

    fn postpone(&self, due: Instant) -> Option<Instant> {
        if self.due == Some(due) { due.checked_add(self.time) } else { Some(due) }
    }
}

impl Served {
    /// Notes whether something went either way since the last time.
    fn notice_traffic(&mut self, options: &ServiceOptions) {
        // Nobody else wants to know, and looking at the clock for every read costs.
        if options.idle_timeout.is_none() && self.ending.is_none() {
            return;
        }
        let traffic = self.connection.socket().traffic();
        if self.traffic != traffic {
            self.traffic = traffic;
            self.active = self.connection.used().unwrap_or_else(|| options.clock.now());
            if let Some((_, since)) = &mut self.ending {
                *since = self.active.max(*since);
            }
        }
    }
}

impl Worker {
    pub(super) fn begin_work(&mut self) {
        self.work.iter_mut().for_each(Work::begin);
    }

    pub(super) fn end_work(&mut self) {
        self.work.iter_mut().for_each(Work::end);
    }

    pub(super) fn has_waited(&mut self, was_told_of_all: bool) {
        self.work.iter_mut().for_each(|work| work.has_waited(was_told_of_all));
    }

    /// Of a connection that is new.
    pub(super) fn not_held_up(&self) -> Option<Box<HeldUp>> {
        self.work.as_ref().map(|work| Box::new(HeldUp { work: work.done(), ..HeldUp::default() }))
    }

    /// Reads a share of a connection, and notes for how long the rest of a message was held up.
    pub(super) fn read(&mut self, slot: usize) {
        if self.work.is_none() {
            return self.read_share(slot);
        }
        let progress = |served: &Served| {
            let socket = served.connection.socket();
            (socket.peer_due(), socket.received())
        };
        let Some((due_before, received_before)) = self.served.get(slot).map(progress) else { return };
        self.read_share(slot);
        let (Some(work), Some(served)) = (&self.work, self.served.get_mut(slot)) else { return };
        let (due, received) = progress(served);
        let Some(held_up) = &mut served.held_up else { return };
        let done = work.done();
        if let Some(due) = due.filter(|due| due_before == Some(*due))
            && received - received_before >= ROOM
        {
            // Not what was done before it was last read, nor before the poller last said that nothing had come.
            held_up.add(due, done - held_up.work.max(work.told_before));
        }
        held_up.work = done;
    }

    /// When the connection has to have gone on.
    fn due(&self, served: &Served) -> Option<Instant> {
        let options = &self.shared.options;
        let idle = options.idle_timeout.and_then(|timeout| served.active.checked_add(timeout));
        let lingering = served.ending.and_then(|(_, since)| since.checked_add(options.linger));
        // A peer that nothing is read from can't go on.
        let is_read = !served.paused && served.ending.is_none();
        let peer = if is_read { served.connection.socket().peer_due() } else { None };
        let peer = match &served.held_up {
            Some(held_up) => peer.and_then(|due| held_up.postpone(due)),
            None => peer,
        };
        [idle, lingering, peer].into_iter().flatten().min()
    }

    /// Sees to it that the connection is looked at when it is due, after whatever was done for it: what went either way by then is not
    /// to be taken for something later.
    pub(super) fn set_alarm(&mut self, slot: usize) {
        let Some(served) = self.served.get_mut(slot) else { return };
        if !self.minds_time && served.ending.is_none() {
            return;
        }
        served.notice_traffic(&self.shared.options);
        let served = &self.served[slot];
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
            served.notice_traffic(&self.shared.options);
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

    /// The worker may have been at others' while the peer went on.
    fn catch_up(&mut self, slot: usize) {
        self.flush(slot);
        self.read(slot);
        if let Some(served) = self.served.get_mut(slot) {
            served.notice_traffic(&self.shared.options);
        }
    }
}

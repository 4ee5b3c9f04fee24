//! The thread that carries bytes from one socket to another.

mod link;

pub(crate) use link::{Link, Want};

use super::faults::Direction;
use crate::deadline::{Deadline, Timeout, wait_until};
use crate::error::{Error, Result, Status};
use crate::poller::{Event, Interest, Poller, PollerOptions};
use crate::sys::RawDescriptor;
use crate::thread::OwnThread;
use link::{Passed, State};
use parking_lot::{Condvar, Mutex};
use slab::Slab;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

const EVENTS: usize = 64;
const READ_SIZE: usize = 64 * 1024;

/// Carries what goes over its links, on a thread that the first of them starts. Dropping it breaks them.
pub(crate) struct Wire {
    shared: Arc<Shared>,
    thread: OwnThread,
}

struct Shared {
    poller: Poller,
    orders: Mutex<Vec<Order>>,
    ended: AtomicBool,
    /// Links that have not ended, and who waits for that.
    links: Mutex<usize>,
    fewer: Condvar,
    passed: Passed,
}

enum Order {
    Carry(Box<Link>),
    At(Instant, Box<dyn FnOnce() + Send>),
}

impl Wire {
    pub fn new() -> Result<Wire> {
        let shared = Arc::new(Shared {
            poller: Poller::new(PollerOptions::default())?,
            orders: Mutex::default(),
            ended: AtomicBool::new(false),
            links: Mutex::new(0),
            fewer: Condvar::new(),
            passed: Passed::default(),
        });
        Ok(Wire { shared, thread: OwnThread::none() })
    }

    /// Carries what goes over a link from now on. If the wire has ended, the link breaks.
    pub fn carry(&self, link: Link) -> Result<()> {
        self.order(Order::Carry(Box::new(link)))
    }

    /// Calls a function at that time, unless the wire has ended.
    pub fn at(&self, time: Instant, call: impl FnOnce() + Send + 'static) -> Result<()> {
        self.order(Order::At(time, Box::new(call)))
    }

    fn order(&self, order: Order) -> Result<()> {
        if self.is_inherited() {
            let context = "put a wire between: it is the parent process's";
            return Err(Error::new(Status::InvalidState, context));
        }
        let mut orders = self.shared.orders.lock();
        if self.has_ended() {
            return Ok(());
        }
        let runner = self.shared.clone();
        self.thread.start("moorline-wire", move || Runner::new(runner).run())?;
        if matches!(order, Order::Carry(_)) {
            *self.shared.links.lock() += 1;
        }
        orders.push(order);
        drop(orders);
        // It fails only when the counter is full, which is a wake-up too.
        let _ = self.shared.poller.wake();
        Ok(())
    }

    /// Bytes that all links have passed on in that direction.
    pub fn passed(&self, direction: Direction) -> u64 {
        self.shared.passed[direction as usize].load(Ordering::Relaxed)
    }

    /// [`OwnThread::is_inherited`].
    pub fn is_inherited(&self) -> bool {
        self.thread.is_inherited()
    }

    /// The descriptors that it keeps for itself.
    pub fn descriptors(&self) -> Vec<RawDescriptor> {
        self.shared.poller.descriptors()
    }

    pub fn has_ended(&self) -> bool {
        self.shared.ended.load(Ordering::SeqCst)
    }

    /// Waits until the sides of every link have ended it. `Closed`: the wire has ended, which broke some.
    pub fn wait_idle(&self, deadline: Deadline) -> Result<(), Status> {
        let mut links = self.shared.links.lock();
        while *links > 0 {
            if self.has_ended() {
                return Err(Status::Closed);
            }
            let expired = wait_until(&self.shared.fewer, &mut links, deadline);
            if expired && *links > 0 && !self.has_ended() {
                return Err(deadline.expiry());
            }
        }
        Ok(())
    }

    /// As [`Poller::leave_to_parent`], of the sides of its links.
    pub fn leave_to_parent(&self) {
        self.shared.poller.leave_to_parent();
    }

    /// Breaks the links whose sides have not ended them, and ends the thread.
    pub fn end(&self) {
        if self.is_inherited() {
            return;
        }
        {
            // With the lock, which those who order something have between asking whether it has ended and ordering.
            let _orders = self.shared.orders.lock();
            self.shared.ended.store(true, Ordering::SeqCst);
        }
        self.shared.poller.close();
        self.thread.join();
        // Those that the thread has not taken, as it has left.
        self.shared.orders.lock().clear();
        // With the lock, which those who wait have between looking and waiting.
        let _links = self.shared.links.lock();
        self.shared.fewer.notify_all();
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.end();
    }
}

/// What the thread of a wire has.
struct Runner {
    shared: Arc<Shared>,
    links: Slab<Link>,
    /// The alarms of all links.
    alarms: BTreeSet<(Instant, usize)>,
    /// Links that have had their share and not done all they could. One may have ended, and another have its place, which does no harm.
    ready: Vec<usize>,
    calls: Vec<(Instant, Box<dyn FnOnce() + Send>)>,
    buffer: Vec<u8>,
}

impl Runner {
    fn new(shared: Arc<Shared>) -> Runner {
        Runner {
            shared,
            links: Slab::new(),
            alarms: BTreeSet::new(),
            ready: Vec::new(),
            calls: Vec::new(),
            buffer: vec![0; READ_SIZE],
        }
    }

    fn run(mut self) {
        let mut events: Vec<Event> = Vec::with_capacity(EVENTS);
        while !self.shared.ended.load(Ordering::SeqCst) {
            self.follow_orders();
            let alarm = self.alarms.first().map(|(at, _)| *at);
            let due = alarm.into_iter().chain(self.calls.iter().map(|(at, _)| *at)).min();
            let left = due.map(|due| due.saturating_duration_since(Instant::now()));
            let ready = std::mem::take(&mut self.ready);
            let timeout =
                if ready.is_empty() { left.map_or(Timeout::Forever, Timeout::from) } else { Timeout::None };
            events.clear();
            // It ends early, in vain, or because it was woken or closed; the loop looks at everything anyway.
            let _ = self.shared.poller.wait_each(EVENTS, timeout, |event: Event| events.push(event));
            let happened = events.iter().map(|event| event.token as usize);
            for slot in happened.clone() {
                self.links.get_mut(slot).into_iter().for_each(Link::notice);
            }
            let slots: BTreeSet<usize> = happened.chain(ready).collect();
            for slot in slots {
                self.carry(slot);
            }
            self.follow_alarms();
        }
        self.look_once_more();
        // Those that break now stay counted: who waits for their ends is told that they had none.
    }

    /// What sides have ended by now is not what breaks, although nobody was told of it yet. The poller is closed.
    fn look_once_more(&mut self) {
        for order in std::mem::take(&mut *self.shared.orders.lock()) {
            if let Order::Carry(link) = order {
                self.links.insert(*link);
            }
        }
        let slots: Vec<usize> = self.links.iter().map(|(slot, _)| slot).collect();
        slots.into_iter().for_each(|slot| self.carry(slot));
    }

    fn follow_orders(&mut self) {
        let orders = std::mem::take(&mut *self.shared.orders.lock());
        for order in orders {
            match order {
                Order::Carry(link) => {
                    let slot = self.links.insert(*link);
                    let added = self.links[slot]
                        .sides
                        .iter()
                        .try_for_each(|side| self.shared.poller.add(side, Interest::EDGE, slot as u64));
                    match added {
                        Ok(()) => self.carry(slot),
                        // The poller was closed meanwhile: it is looked at once more, as those are that were there before.
                        Err(_) if self.shared.ended.load(Ordering::SeqCst) => {}
                        // Only for want of memory or descriptors.
                        Err(error) => {
                            self.links[slot].breaks_by(&error);
                            self.drop_link(slot);
                        }
                    }
                }
                Order::At(at, call) => self.calls.push((at, call)),
            }
        }
    }

    fn carry(&mut self, slot: usize) {
        let Some(link) = self.links.get_mut(slot) else { return };
        match link.carry(&mut self.buffer, &self.shared.passed) {
            State::Ready => self.ready.push(slot),
            State::Over => self.drop_link(slot),
            State::Waiting(until) => self.set_alarm(slot, until),
        }
    }

    /// Instead of the alarm that the link has.
    fn set_alarm(&mut self, slot: usize, alarm: Option<Instant>) {
        if let Some(before) = std::mem::replace(&mut self.links[slot].alarm, alarm) {
            self.alarms.remove(&(before, slot));
        }
        if let Some(alarm) = alarm {
            self.alarms.insert((alarm, slot));
        }
    }

    fn drop_link(&mut self, slot: usize) {
        self.set_alarm(slot, None);
        drop(self.links.remove(slot));
        *self.shared.links.lock() -= 1;
        self.shared.fewer.notify_all();
    }

    fn follow_alarms(&mut self) {
        let now = Instant::now();
        while let Some((at, slot)) = self.alarms.first().copied()
            && at <= now
        {
            self.set_alarm(slot, None);
            self.carry(slot);
        }
        let calls = std::mem::take(&mut self.calls);
        for (at, call) in calls {
            if at <= now { call() } else { self.calls.push((at, call)) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::link::tests::link;
    use super::*;
    use crate::testkit::faults::Faults;
    use std::time::Duration;

    /// Also of those that the thread has not looked at yet, or never.
    #[test]
    fn what_its_sides_have_ended_does_not_break() {
        for both_stay in [false, true] {
            let wire = Wire::new().unwrap();
            let (link, client, server) = link(Faults::default());
            client.send(b"last words", Timeout::None).unwrap();
            let stays = both_stay.then_some(client);
            wire.carry(link).unwrap();
            wire.end();
            let expected = if both_stay { Err(Status::Closed) } else { Ok(()) };
            assert_eq!(wire.wait_idle(Deadline::Now), expected);
            assert_eq!(server.receive(&mut [0; 20], Timeout::None).unwrap(), 10);
            drop(stays);
        }
    }

    /// The wire ends between the thread's taking an order and following it.
    #[test]
    fn nor_does_what_the_thread_has_just_taken() {
        for both_stay in [false, true] {
            let wire = Wire::new().unwrap();
            let (link, client, server) = link(Faults::default());
            client.send(b"last words", Timeout::None).unwrap();
            let stays = both_stay.then_some(client);
            *wire.shared.links.lock() += 1;
            wire.shared.orders.lock().push(Order::Carry(Box::new(link)));
            wire.shared.ended.store(true, Ordering::SeqCst);
            wire.shared.poller.close();
            let mut runner = Runner::new(wire.shared.clone());
            runner.follow_orders();
            runner.look_once_more();
            let expected = if both_stay { Err(Status::Closed) } else { Ok(()) };
            assert_eq!(wire.wait_idle(Deadline::Now), expected);
            assert_eq!(server.receive(&mut [0; 20], Timeout::None).unwrap(), 10);
            drop(stays);
        }
    }

    #[test]
    fn a_link_has_one_alarm_however_often_it_is_looked_at_and_none_when_it_is_over() {
        let hour = Duration::from_secs(3600);
        let (link, client, server) = link(Faults { delay: Some(hour..=hour), ..Faults::default() });
        let wire = Wire::new().unwrap();
        let shared = wire.shared.clone();
        *shared.links.lock() = 1;
        shared.orders.lock().push(Order::Carry(Box::new(link)));
        let mut runner = Runner::new(shared);
        client.send(b"late", Timeout::None).unwrap();
        runner.follow_orders();
        for _ in 0..10 {
            server.send(b"at once", Timeout::None).unwrap();
            runner.carry(0);
            assert_eq!(client.receive(&mut [0; 10], Timeout::None).unwrap(), 7);
            assert_eq!(runner.alarms.len(), 1);
        }
        drop((client, server));
        runner.carry(0);
        assert_eq!((runner.links.len(), runner.alarms.len()), (0, 0));
    }
}

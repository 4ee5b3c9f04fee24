//! The thread that carries bytes from one socket to another, and whatever a schedule makes of them.

use super::faults::Direction;
use super::schedule::{Schedule, Verdict};
use super::tap::Conversation;
use crate::deadline::{Deadline, Timeout, wait_until};
use crate::error::{Error, Result, Status};
use crate::poller::{Event, Interest, Poller, PollerOptions};
use crate::socket::{self, Socket, is_would_block};
use crate::sys::{self, BorrowedDescriptor, Descriptor, RawDescriptor};
use crate::thread::OwnThread;
use parking_lot::{Condvar, Mutex};
use slab::Slab;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const EVENTS: usize = 64;
const READ_SIZE: usize = 64 * 1024;
/// How many pieces one direction of a link passes on before the others get their turn.
const FAIR_SHARE: usize = 16;
/// How long it is waited at first until it is asked again whether a piece was received that the next one waits for. The system tells when
/// there is room to send, a moment before it counts the last of the bytes as received, and not again after that.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
/// And how long at most, when nothing happens.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

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

/// Bytes passed on, to the server and to the client.
type Passed = [AtomicU64; 2];

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

/// Two sockets whose bytes go to each other: the client's side and the server's.
pub(crate) struct Link {
    sides: [Socket; 2],
    flows: [Flow; 2],
    tap: Option<Conversation>,
    /// When it is looked at again, whatever its sides do.
    alarm: Option<Instant>,
}

/// One direction of a link.
struct Flow {
    schedule: Option<Schedule>,
    /// Bytes taken from the sender, ever.
    taken: u64,
    /// What is to be passed on, from `passed` on, with these descriptors.
    piece: Vec<u8>,
    passed: usize,
    descriptors: Vec<Descriptor>,
    /// The piece is held back until then.
    held: Option<Instant>,
    receipt: Receipt,
    /// The sender will send no more, or is not listened to any more.
    ended: bool,
    /// The receiver has been told so.
    told: bool,
}

/// When it is asked again whether the piece before was received.
struct Receipt {
    again: Option<Instant>,
    pause: Duration,
}

impl Default for Receipt {
    fn default() -> Self {
        Receipt { again: None, pause: FIRST_PAUSE }
    }
}

impl Receipt {
    /// When, as it was not by now. Each time it is waited for longer, as somebody may not read for a long time.
    fn ask_again(&mut self, now: Instant) -> Instant {
        if let Some(again) = self.again.filter(|again| *again > now) {
            return again;
        }
        let again = now + self.pause;
        self.again = Some(again);
        self.pause = (2 * self.pause).min(LONGEST_PAUSE);
        again
    }
}

/// What a link waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// For one of its sides, or for that time.
    Waiting(Option<Instant>),
    /// For nothing but the others' turn.
    Ready,
    Over,
}

impl Link {
    pub fn new(sides: [Socket; 2], schedules: [Option<Schedule>; 2], tap: Option<Conversation>) -> Link {
        let flows = schedules.map(|schedule| Flow {
            schedule,
            taken: 0,
            piece: Vec::new(),
            passed: 0,
            descriptors: Vec::new(),
            held: None,
            receipt: Receipt::default(),
            ended: false,
            told: false,
        });
        Link { sides, flows, tap, alarm: None }
    }

    /// Something happened at one of its sides: a piece was received, perhaps, or will be in a moment.
    fn notice(&mut self) {
        self.flows.iter_mut().for_each(|flow| flow.receipt = Receipt::default());
    }

    /// Carries what can be carried now.
    fn carry(&mut self, buffer: &mut [u8], passed: &Passed) -> State {
        let mut until: Option<Instant> = None;
        let mut ready = false;
        for direction in [Direction::ToServer, Direction::ToClient] {
            match self.carry_one(direction, buffer, &passed[direction as usize]) {
                State::Over => return State::Over,
                State::Ready => ready = true,
                State::Waiting(held) => until = until.into_iter().chain(held).min(),
            }
        }
        let both_told = self.flows.iter().all(|flow| flow.told);
        // Who has closed altogether gets nothing more, and nothing more comes from it.
        let one_left = [0, 1].iter().any(|side| self.flows[*side].told && self.sides[*side].is_gone());
        match (both_told || one_left, ready) {
            (true, _) => State::Over,
            (false, true) => State::Ready,
            (false, false) => State::Waiting(until),
        }
    }

    fn carry_one(&mut self, direction: Direction, buffer: &mut [u8], passed: &AtomicU64) -> State {
        let index = direction as usize;
        let [client, server] = &self.sides;
        let (from, to) = match direction {
            Direction::ToServer => (client, server),
            Direction::ToClient => (server, client),
        };
        let flow = &mut self.flows[index];
        let mut taken = 0;
        loop {
            if let Some(held) = flow.held {
                if held > Instant::now() {
                    return State::Waiting(Some(held));
                }
                flow.held = None;
            }
            if flow.passed < flow.piece.len() {
                match flow.pass(to, passed) {
                    Ok(None) => continue,
                    Ok(Some(waiting)) => return waiting,
                    // The receiver has left. The sender is to see that as it would without us.
                    Err(_) => {
                        flow.drop_piece();
                        flow.ended = true;
                        flow.told = true;
                        // It fails if the sender has left as well.
                        let _ = from.shut_down(socket::Direction::Receiving, Timeout::None);
                        return State::Waiting(None);
                    }
                }
            }
            if flow.ended {
                if !flow.told {
                    flow.told = true;
                    if let Some(tap) = &mut self.tap {
                        tap.end(direction);
                    }
                    // It fails if the receiver has left, who need not be told then.
                    let _ = to.shut_down(socket::Direction::Sending, Timeout::None);
                }
                return State::Waiting(None);
            }
            if taken == FAIR_SHARE {
                return State::Ready;
            }
            taken += 1;
            match flow.take(from, buffer) {
                Ok(Verdict::Pass(delay)) => {
                    flow.held = delay.and_then(|delay| Instant::now().checked_add(delay));
                    if let Some(tap) = &mut self.tap
                        && !flow.piece.is_empty()
                    {
                        tap.data(direction, &flow.piece, flow.descriptors.len());
                    }
                }
                Ok(Verdict::Reset) => return State::Over,
                Err(Status::WouldBlock) => return State::Waiting(None),
                // What it sent before has been taken.
                Err(_) => flow.ended = true,
            }
        }
    }
}

impl Flow {
    /// Passes on what the receiver takes of the piece; and tells what the rest waits for, unless that is all of it.
    fn pass(&mut self, to: &Socket, passed: &AtomicU64) -> Result<Option<State>, Status> {
        let endpoint = to.endpoint().map_err(|error| error.status())?;
        let cut = self.schedule.as_ref().is_some_and(Schedule::is_cut);
        if self.passed == 0 && cut && !endpoint.source().is_drained() {
            return Ok(Some(State::Waiting(Some(self.receipt.ask_again(Instant::now())))));
        }
        self.receipt = Receipt::default();
        let descriptors: Vec<BorrowedDescriptor<'_>> = self.descriptors.iter().map(sys::lend).collect();
        match endpoint.source().send_pieces([&self.piece[self.passed..]], &descriptors) {
            Ok(sent) => {
                self.passed += sent;
                passed.fetch_add(sent as u64, Ordering::Relaxed);
                self.descriptors.clear();
                Ok((self.passed < self.piece.len()).then_some(State::Waiting(None)))
            }
            Err(errno) if is_would_block(errno) => Ok(Some(State::Waiting(None))),
            // The receiver takes none, and its system says so. The sender believes them sent, so the bytes go on without, as where the
            // receiver's system closes them.
            Err(errno) if !descriptors.is_empty() && sys::is_refusal_of_descriptors(errno) => {
                self.descriptors.clear();
                self.pass(to, passed)
            }
            Err(_) => Err(Status::Disconnected),
        }
    }

    /// Takes the next piece from the sender.
    fn take(&mut self, from: &Socket, buffer: &mut [u8]) -> Result<Verdict, Status> {
        self.drop_piece();
        let room = match &mut self.schedule {
            Some(schedule) => match schedule.room(self.taken, buffer.len()) {
                Some(room) => room,
                // Nothing more is taken from it; that it has left is seen all the same.
                None if from.is_gone() => return Err(Status::Disconnected),
                None => return Err(Status::WouldBlock),
            },
            None => buffer.len(),
        };
        let endpoint = from.endpoint().map_err(|error| error.status())?;
        let (received, descriptors, _) = endpoint
            .source()
            .receive_with(&mut buffer[..room], sys::DESCRIPTORS_LIMIT)
            .map_err(|error| error.status())?;
        if received == 0 {
            return Err(Status::Disconnected);
        }
        self.piece.extend_from_slice(&buffer[..received]);
        self.descriptors = descriptors;
        let verdict = match &mut self.schedule {
            Some(schedule) => schedule.apply(self.taken, &mut self.piece),
            None => Verdict::Pass(None),
        };
        self.taken += received as u64;
        Ok(verdict)
    }

    fn drop_piece(&mut self) {
        self.piece.clear();
        self.passed = 0;
        self.descriptors.clear();
        self.held = None;
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
                        // Only for want of memory or descriptors: it breaks, as it would without us.
                        Err(_) => self.drop_link(slot),
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
    use super::*;
    use crate::socket::SocketOptions;
    use crate::sys::Stream;
    use crate::testkit::faults::{FaultPlan, Faults};

    /// A link with these faults to the server, and none to the client; and who is at its ends.
    fn link(faults: Faults) -> (Link, Socket, Socket) {
        let pair = || {
            let (one, other) = Stream::pair().unwrap();
            let socket = |stream| Socket::new(stream, &SocketOptions::default()).unwrap();
            (socket(one), socket(other))
        };
        let ((client, near), (far, server)) = (pair(), pair());
        let faults = Faults { direction: Some(Direction::ToServer), ..faults };
        let schedules = FaultPlan::new(faults).unwrap().schedules();
        (Link::new([near, far], schedules, None), client, server)
    }

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

    /// Each byte comes with a descriptor, and the system ends a read at each of those, so that there are many pieces to take at once.
    #[test]
    fn a_direction_with_much_to_carry_leaves_the_others_their_turn() {
        let (mut link, client, _server) = link(Faults::default());
        let pieces = 3 * FAIR_SHARE;
        let sender = client.endpoint().unwrap();
        let file: Descriptor = std::fs::File::open("/dev/null").unwrap().into();
        for _ in 0..pieces {
            sender.source().send_pieces([b"x"], &[sys::lend(&file)]).unwrap();
        }
        let passed = Passed::default();
        let mut carry = || {
            let state = link.carry(&mut [0; 100], &passed);
            (state, passed[0].load(Ordering::Relaxed) as usize)
        };
        assert_eq!(carry(), (State::Ready, FAIR_SHARE));
        assert_eq!(carry(), (State::Ready, 2 * FAIR_SHARE));
        assert_eq!(carry(), (State::Ready, pieces));
        assert_eq!(carry(), (State::Waiting(None), pieces));
    }

    #[test]
    fn whether_a_piece_was_received_is_asked_again_although_the_system_tells_nothing() {
        let (mut link, client, server) = link(Faults { pieces: Some(1..=1), ..Faults::default() });
        let passed = Passed::default();
        let mut carry = || link.carry(&mut [0; 100], &passed);
        client.send(b"ab", Timeout::None).unwrap();
        for piece in b"ab" {
            assert!(matches!(carry(), State::Waiting(again) if again.is_some() == (*piece == b'a')));
            let mut received = [0; 10];
            assert_eq!(server.receive(&mut received, Timeout::None).unwrap(), 1);
            assert_eq!(received[0], *piece);
        }
        assert_eq!(carry(), State::Waiting(None));
    }

    #[test]
    fn whether_a_piece_was_received_is_asked_less_often_until_something_happens() {
        let (mut link, client, _server) = link(Faults { pieces: Some(1..=1), ..Faults::default() });
        client.send(b"ab", Timeout::None).unwrap();
        let carry = |link: &mut Link| match link.carry(&mut [0; 100], &Passed::default()) {
            State::Waiting(Some(again)) => again,
            state => panic!("{state:?}"),
        };
        // As if nothing had happened for an hour.
        let mut now = carry(&mut link) + Duration::from_secs(3600);
        let mut pauses = Vec::new();
        for _ in 0..7 {
            let again = link.flows[0].receipt.ask_again(now);
            pauses.push((again - now).as_millis());
            now = again;
        }
        assert_eq!(pauses, [2, 4, 8, 16, 32, 50, 50]);
        assert_eq!(carry(&mut link), now);
        link.notice();
        assert!(carry(&mut link) <= Instant::now() + FIRST_PAUSE);
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

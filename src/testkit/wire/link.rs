//! Two sockets whose bytes go to each other, and whatever a schedule makes of them.

use crate::deadline::Timeout;
use crate::error::{Error, Result, Status};
use crate::socket::{self, Socket, is_would_block};
use crate::sys::{self, BorrowedDescriptor, Descriptor};
use crate::testkit::faults::Direction;
use crate::testkit::schedule::{Schedule, Verdict};
use crate::testkit::tap::Conversation;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How many pieces one direction of a link passes on before the others get their turn.
const FAIR_SHARE: usize = 16;
/// How long it is waited at first until it is asked again whether a piece was received that the next one waits for. The system tells when
/// there is room to send, a moment before it counts the last of the bytes as received, and not again after that.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
/// And how long at most, when nothing happens.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// Bytes passed on, to the server and to the client.
pub(super) type Passed = [AtomicU64; 2];

/// What this process, or its system, lacked descriptors or memory for, which neither side of a link is to blame for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    /// It is tried again until there are enough.
    Waits,
    /// What came is lost, so the link breaks.
    Breaks,
}

/// Told of it, before the sides of the link see any of it.
pub(crate) type Wanting = Box<dyn Fn(Want, &Error) + Send>;

/// Two sockets whose bytes go to each other: the client's side and the server's.
pub(crate) struct Link {
    pub(super) sides: [Socket; 2],
    flows: [Flow; 2],
    tap: Option<Conversation>,
    wanting: Wanting,
    /// When it is looked at again, whatever its sides do.
    pub(super) alarm: Option<Instant>,
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
    retry: Retry,
    /// It was told that it waits for want of something.
    wants: bool,
    /// The sender will send no more, or is not listened to any more.
    ended: bool,
    /// The receiver has been told so.
    told: bool,
}

/// When it is asked again whether the piece before was received, or whether the system has what it takes to pass this one on.
struct Retry {
    again: Option<Instant>,
    pause: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Retry { again: None, pause: FIRST_PAUSE }
    }
}

impl Retry {
    /// When, as it was not so by now. Each time it is waited for longer, as somebody may not read for a long time.
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
pub(super) enum State {
    /// For one of its sides, or for that time.
    Waiting(Option<Instant>),
    /// For nothing but the others' turn.
    Ready,
    Over,
}

impl Link {
    pub fn new(
        sides: [Socket; 2],
        schedules: [Option<Schedule>; 2],
        tap: Option<Conversation>,
        wanting: Wanting,
    ) -> Link {
        let flows = schedules.map(|schedule| Flow {
            schedule,
            taken: 0,
            piece: Vec::new(),
            passed: 0,
            descriptors: Vec::new(),
            held: None,
            retry: Retry::default(),
            wants: false,
            ended: false,
            told: false,
        });
        Link { sides, flows, tap, wanting, alarm: None }
    }

    /// Tells what it breaks by.
    pub(super) fn breaks_by(&self, error: &Error) {
        (self.wanting)(Want::Breaks, error);
    }

    /// Something happened at one of its sides: a piece was received, perhaps, or will be in a moment.
    pub(super) fn notice(&mut self) {
        self.flows.iter_mut().for_each(|flow| flow.retry = Retry::default());
    }

    /// Carries what can be carried now.
    pub(super) fn carry(&mut self, buffer: &mut [u8], passed: &Passed) -> State {
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
                    // Too many descriptors are on their way to receivers, or there is no memory, for now; nothing tells when that is over.
                    // A receiver that leaves meanwhile is another error.
                    Err(error) if error.status() == Status::LimitReached => {
                        if !std::mem::replace(&mut flow.wants, true) {
                            (self.wanting)(Want::Waits, &error);
                        }
                        return State::Waiting(Some(flow.retry.ask_again(Instant::now())));
                    }
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
                Err(error) => match error.status() {
                    Status::WouldBlock => return State::Waiting(None),
                    // What it sent before has been taken.
                    Status::Disconnected => flow.ended = true,
                    // What the receiver would miss from here on is not the sender's doing: an end would say that it were.
                    _ => {
                        self.breaks_by(&error);
                        return State::Over;
                    }
                },
            }
        }
    }
}

impl Flow {
    /// Passes on what the receiver takes of the piece; and tells what the rest waits for, unless that is all of it.
    fn pass(&mut self, to: &Socket, passed: &AtomicU64) -> Result<Option<State>> {
        let endpoint = to.endpoint()?;
        let cut = self.schedule.as_ref().is_some_and(Schedule::is_cut);
        if self.passed == 0 && cut && !endpoint.source().is_drained() {
            return Ok(Some(State::Waiting(Some(self.retry.ask_again(Instant::now())))));
        }
        let descriptors: Vec<BorrowedDescriptor<'_>> = self.descriptors.iter().map(sys::lend).collect();
        match endpoint.source().send_pieces([&self.piece[self.passed..]], &descriptors) {
            Ok(sent) => {
                self.retry = Retry::default();
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
            Err(errno) => Err(Error::os(errno, "pass on what came")),
        }
    }

    /// Takes the next piece from the sender.
    fn take(&mut self, from: &Socket, buffer: &mut [u8]) -> Result<Verdict> {
        self.drop_piece();
        let room = match &mut self.schedule {
            Some(schedule) => match schedule.room(self.taken, buffer.len()) {
                Some(room) => room,
                // Nothing more is taken from it; that it has left is seen all the same.
                None if from.is_gone() => return Err(Status::Disconnected.into()),
                None => return Err(Status::WouldBlock.into()),
            },
            None => buffer.len(),
        };
        let endpoint = from.endpoint()?;
        let (received, descriptors, _) =
            endpoint.source().receive_with(&mut buffer[..room], sys::DESCRIPTORS_LIMIT)?;
        if received == 0 {
            return Err(Status::Disconnected.into());
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

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::socket::SocketOptions;
    use crate::sys::Stream;
    use crate::testkit::faults::{FaultPlan, Faults};

    /// A link with these faults to the server, and none to the client; and who is at its ends.
    pub(in crate::testkit::wire) fn link(faults: Faults) -> (Link, Socket, Socket) {
        let pair = || {
            let (one, other) = Stream::pair().unwrap();
            let socket = |stream| Socket::new(stream, &SocketOptions::default()).unwrap();
            (socket(one), socket(other))
        };
        let ((client, near), (far, server)) = (pair(), pair());
        let faults = Faults { direction: Some(Direction::ToServer), ..faults };
        let schedules = FaultPlan::new(faults).unwrap().schedules();
        (Link::new([near, far], schedules, None, Box::new(|_, _| {})), client, server)
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
            let again = link.flows[0].retry.ask_again(now);
            pauses.push((again - now).as_millis());
            now = again;
        }
        assert_eq!(pauses, [2, 4, 8, 16, 32, 50, 50]);
        assert_eq!(carry(&mut link), now);
        link.notice();
        assert!(carry(&mut link) <= Instant::now() + FIRST_PAUSE);
    }
}

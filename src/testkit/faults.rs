//! What a test wants to go wrong with a connection, from a seed, so that it goes wrong in the same way again.
//!
//! A plan stands between a socket and its peer: bytes go through it as through a bad wire. So everything that the program under test
//! sees is what the system really does, and sockets without a plan pay nothing. What concerns accepting is done by the server, and
//! calls that are turned away by the socket itself.

use super::schedule::{Schedule, Storm};
use super::wire::{Link, Wire};
use crate::deadline::Deadline;
use crate::endpoint::Endpoint;
use crate::error::{Error, Result, Status};
use crate::name::{Name, Place};
use crate::socket::{Socket, SocketOptions};
use crate::sys::{self, Listener, RawDescriptor, Stream, TurnsAway, Waker};
use parking_lot::Mutex;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// A direction of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From the client to the server.
    ToServer = 0,
    /// From the server to the client.
    ToClient = 1,
}

impl Direction {
    /// The other one.
    pub fn reverse(self) -> Direction {
        match self {
            Direction::ToServer => Direction::ToClient,
            Direction::ToClient => Direction::ToServer,
        }
    }
}

/// What goes wrong. Places are counted in bytes from the beginning of each connection, in each direction that is affected; connections
/// from 1, in the order in which they come.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Where chance decides, this decides what chance does.
    pub seed: u64,
    /// The one direction whose bytes are affected. None: both.
    pub direction: Option<Direction>,
    /// Bytes pass in pieces of so many, each one only when the one before was received: the receiver's reads are short, and after
    /// each it is told that there is nothing more. Now and then one that is interrupted in the middle of a read finds the next piece, too.
    pub pieces: Option<RangeInclusive<usize>>,
    /// Each piece is held back for so long.
    pub delay: Option<RangeInclusive<Duration>>,
    /// The system takes about so many bytes from the affected socket and no more until some have passed: its writes are short, and
    /// many find no room. The system has a least size, of a few thousand bytes. Of sockets of this library only: a proxy has no hold
    /// over the sending side of others.
    pub window: Option<usize>,
    /// Each send and each receive of the affected socket is first turned away so many times in a row, as if there were no room or
    /// nothing to receive, although the system, and pollers, report it as ready: a storm of would-blocks. Of sockets of this library
    /// only, as `window`.
    pub would_block: Option<RangeInclusive<u32>>,
    /// The connection breaks when so many bytes have come, and with 0 when the first one has. The last of them does not pass, nor does
    /// what is on its way.
    pub reset_after: Option<u64>,
    /// After so many bytes nothing more is taken, as from a peer that has stopped reading; the connection stays.
    pub stop_reading_after: Option<u64>,
    /// One bit of this byte is turned over.
    pub flip_at: Option<u64>,
    /// One bit is turned over in one of so many bytes, on average.
    pub flip_one_in: Option<u64>,
    /// This byte is left out.
    pub lose_at: Option<u64>,
    /// One of so many bytes, on average, is left out.
    pub lose_one_in: Option<u64>,
    /// This connection is accepted and closed at once. Of servers and proxies, as all that follow.
    pub refuse_accept_at: Option<u64>,
    /// Accepting this connection fails for want of a descriptor, once; it stays in the backlog.
    pub no_descriptors_at: Option<u64>,
    /// A connection that waits is accepted only after so long.
    pub accept_delay: Option<Duration>,
    /// The backlog is full from the start, so that nobody can connect, until [`FaultPlan::open_backlog`]. The server needs a backlog
    /// that is small against the number of descriptors.
    pub backlog_full: bool,
}

impl Faults {
    pub(super) fn affects(&self, direction: Direction) -> bool {
        self.direction.is_none_or(|only| only == direction)
    }

    fn check(&self) -> Result<()> {
        let invalid = |what: &str| Err(Error::new(Status::InvalidArgument, format!("faults: {what}")));
        if self.pieces.as_ref().is_some_and(|pieces| *pieces.start() == 0 || pieces.is_empty()) {
            return invalid("pieces are of one byte or more, the lesser number first");
        }
        if self.delay.as_ref().is_some_and(RangeInclusive::is_empty) {
            return invalid("the lesser delay comes first");
        }
        if self.would_block.as_ref().is_some_and(RangeInclusive::is_empty) {
            return invalid("of the would-blocks in a row, the lesser number comes first");
        }
        if [self.flip_one_in, self.lose_one_in].contains(&Some(0)) {
            return invalid("one in no bytes is flipped or lost");
        }
        if [self.refuse_accept_at, self.no_descriptors_at].contains(&Some(0)) {
            return invalid("connections are counted from 1");
        }
        Ok(())
    }
}

/// How often what went wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultCounts {
    /// Connections that went through the plan.
    pub connections: u64,
    /// Pieces passed on.
    pub pieces: u64,
    /// Bytes with a bit turned over.
    pub flipped: u64,
    /// Bytes left out.
    pub lost: u64,
    /// Connections broken.
    pub resets: u64,
    /// Directions from which nothing more is taken.
    pub stops: u64,
    /// Connections refused.
    pub refused: u64,
    /// Accepts without a descriptor.
    pub without_descriptor: u64,
    /// Accepts delayed.
    pub delayed_accepts: u64,
    /// Sends and receives turned away.
    pub would_blocks: u64,
}

pub(super) type Counter = AtomicU64;

/// What has gone wrong so far.
#[derive(Default)]
pub(crate) struct FaultLog {
    pub(super) flipped: Counter,
    pub(super) lost: Counter,
    pub(super) resets: Counter,
    pub(super) stops: Counter,
    connections: Counter,
    pieces: Counter,
    refused: Counter,
    without_descriptor: Counter,
    delayed_accepts: Counter,
    would_blocks: Counter,
    lines: Mutex<Vec<String>>,
}

/// There are at most so many lines, the last of which says so.
const LINES: usize = 10_000;

impl FaultLog {
    pub(super) fn note(&self, counter: impl Fn(&FaultLog) -> &Counter, line: impl FnOnce() -> String) {
        counter(self).fetch_add(1, Ordering::Relaxed);
        let mut lines = self.lines.lock();
        match LINES - lines.len() {
            0 => {}
            1 => lines.push("what else happens is only counted".to_owned()),
            _ => lines.push(line()),
        }
    }

    pub(super) fn count_would_block(&self) {
        self.would_blocks.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_piece(&self) {
        self.pieces.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.lines.lock().clone()
    }

    fn counts(&self) -> FaultCounts {
        let get = |counter: &Counter| counter.load(Ordering::Relaxed);
        FaultCounts {
            connections: get(&self.connections),
            pieces: get(&self.pieces),
            flipped: get(&self.flipped),
            lost: get(&self.lost),
            resets: get(&self.resets),
            stops: get(&self.stops),
            refused: get(&self.refused),
            without_descriptor: get(&self.without_descriptor),
            delayed_accepts: get(&self.delayed_accepts),
            would_blocks: get(&self.would_blocks),
        }
    }
}

/// Which side of a connection a socket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Client,
    Server,
}

/// A plan of faults at work. Clones are the same plan. It is given to servers, sockets, services and proxies by their options, to any
/// number of them; what they have connected goes through a thread of the plan.
#[derive(Clone)]
pub struct FaultPlan(Arc<Plan>);

struct Plan {
    faults: Faults,
    log: Arc<FaultLog>,
    wire: Wire,
    /// Numbers the connections.
    connections: AtomicU64,
    accepting: Mutex<Accepting>,
}

/// What concerns accepting.
#[derive(Default)]
struct Accepting {
    /// Connections that were accepted, or refused, or found no descriptor.
    seen: u64,
    exhausted: bool,
    /// Connections of our own that fill a backlog.
    fillers: Vec<Stream>,
    /// How many of those that fill, or have filled, are still to be met in whose backlog.
    fillers_to_skip: Vec<(Weak<Endpoint<Listener>>, usize)>,
    full: bool,
    hold: Option<Arc<Hold>>,
}

impl Accepting {
    /// How many of those that have filled the backlog are still to be met there.
    fn fillers_to_skip(&mut self, listener: &Arc<Endpoint<Listener>>) -> Option<&mut usize> {
        self.fillers_to_skip.retain(|(other, left)| *left > 0 && other.strong_count() > 0);
        let own = self.fillers_to_skip.iter_mut().find(|(other, _)| other.as_ptr() == Arc::as_ptr(listener));
        own.map(|(_, left)| left)
    }
}

/// What comes before the next connection may be accepted.
enum Before {
    Nothing,
    /// The connection itself, which has its delay from then on.
    Connection,
    /// The end of a hold.
    Over(Arc<Hold>),
}

/// A connection waits, and is not to be accepted yet.
struct Hold {
    /// Signalled when it may be.
    over: Waker,
    /// The system's time; none: until the backlog is opened.
    until: Option<Instant>,
    /// Those that were kept from accepting.
    listeners: Mutex<Vec<Weak<Endpoint<Listener>>>>,
}

impl Hold {
    fn new(until: Option<Instant>) -> Result<Hold> {
        Ok(Hold { over: Waker::new()?, until, listeners: Mutex::default() })
    }

    fn add(&self, listener: &Arc<Endpoint<Listener>>) {
        let listener = Arc::downgrade(listener);
        let mut listeners = self.listeners.lock();
        if !listeners.iter().any(|other| other.ptr_eq(&listener)) {
            listeners.push(listener);
        }
    }

    fn end(&self) {
        self.over.signal();
        for listener in self.listeners.lock().iter().filter_map(Weak::upgrade) {
            listener.report_anew();
        }
    }
}

impl FaultPlan {
    /// A plan of these faults.
    ///
    /// # Errors
    ///
    /// `InvalidArgument`: they make no sense. `LimitReached`: no descriptors left.
    pub fn new(faults: Faults) -> Result<FaultPlan> {
        faults.check()?;
        let accepting = Accepting { full: faults.backlog_full, ..Accepting::default() };
        Ok(FaultPlan(Arc::new(Plan {
            faults,
            log: Arc::default(),
            wire: Wire::new()?,
            connections: AtomicU64::new(0),
            accepting: Mutex::new(accepting),
        })))
    }

    /// How often what went wrong so far.
    pub fn counts(&self) -> FaultCounts {
        self.0.log.counts()
    }

    /// What went wrong so far, a line each: which connection, in which direction, at which byte. Of ten thousand lines the last says
    /// that what else happens is only counted.
    pub fn happened(&self) -> Vec<String> {
        self.0.log.lines()
    }

    /// The descriptors that it keeps for itself.
    pub(crate) fn descriptors(&self) -> Vec<RawDescriptor> {
        self.0.wire.descriptors()
    }

    /// Lets connections into the backlog that was full, and has them accepted.
    pub fn open_backlog(&self) {
        let mut accepting = self.0.accepting.lock();
        accepting.full = false;
        accepting.fillers.clear();
        let hold = accepting.hold.take();
        drop(accepting);
        if let Some(hold) = hold {
            hold.end();
        }
    }

    /// Ends the plan: its connections break, except those of proxies, which carry them themselves; and its thread has ended when this
    /// returns. Connections that are made later have no faults. In a forked child it does nothing: the plan is the parent's.
    pub fn end(&self) {
        if self.0.wire.is_inherited() {
            return;
        }
        // First, so that whoever is let go on by an open backlog finds the plan ended.
        self.0.wire.end();
        self.open_backlog();
    }

    /// As [`Wire::leave_to_parent`].
    pub(crate) fn leave_to_parent(&self) {
        self.0.wire.leave_to_parent();
    }

    /// The stream that a socket gets in the place of one that is connected to a peer.
    pub(crate) fn interpose(&self, stream: Stream, role: Role) -> Result<Stream> {
        let Plan { faults, log, wire, .. } = &*self.0;
        if wire.has_ended() {
            return Ok(stream);
        }
        let number = self.0.connections.fetch_add(1, Ordering::Relaxed) + 1;
        let (inner, outer) = Stream::pair()?;
        let outer = outer.between(stream.peer(), self.storm(number, role));
        if let Some(window) = faults.window {
            outer.set_send_buffer(window)?;
        }
        let plain = SocketOptions::default();
        let (inner, stream) = (Socket::new(inner, &plain)?, Socket::new(stream, &plain)?);
        let sides = match role {
            Role::Client => [inner, stream],
            Role::Server => [stream, inner],
        };
        let schedules = schedules(faults, number, log);
        wire.carry(Link::new(sides, schedules, None))?;
        log.connections.fetch_add(1, Ordering::Relaxed);
        Ok(outer)
    }

    /// What turns calls of a socket away, if that is planned.
    fn storm(&self, number: u64, role: Role) -> Option<TurnsAway> {
        let Plan { faults, log, .. } = &*self.0;
        faults.would_block.as_ref()?;
        let (out, back) = match role {
            Role::Client => (Direction::ToServer, Direction::ToClient),
            Role::Server => (Direction::ToClient, Direction::ToServer),
        };
        let [sends, receives] = [out, back].map(|way| Storm::new(faults, number, way, log).map(Mutex::new));
        Some(Box::new(move |sending| {
            let storm = if sending { &sends } else { &receives };
            storm.as_ref().is_some_and(|storm| storm.lock().turns_away())
        }))
    }

    /// The faults of a connection that a proxy has made by itself.
    pub(super) fn schedules(&self) -> [Option<Schedule>; 2] {
        if self.0.wire.has_ended() {
            return [None, None];
        }
        let number = self.0.connections.fetch_add(1, Ordering::Relaxed) + 1;
        self.0.log.connections.fetch_add(1, Ordering::Relaxed);
        schedules(&self.0.faults, number, &self.0.log)
    }

    // Accepting.

    /// Waits until the next connection may be accepted, if one waits that may not be yet.
    pub(crate) fn wait_to_accept(
        &self,
        listener: &Arc<Endpoint<Listener>>,
        deadline: Deadline,
    ) -> Result<()> {
        loop {
            if self.0.wire.has_ended() {
                return Ok(());
            }
            let before = {
                let mut accepting = self.0.accepting.lock();
                self.before_accept(&mut accepting, listener)?
            };
            if let Before::Nothing = before {
                return Ok(());
            }
            deadline.check_may_wait()?;
            listener.wait(deadline, |listener, closed, deadline| match &before {
                Before::Over(hold) => hold.over.wait(closed, deadline),
                Before::Connection | Before::Nothing => listener.wait(closed, deadline),
            })?;
        }
    }

    /// What to wait for before the next connection may be accepted.
    fn before_accept(&self, accepting: &mut Accepting, listener: &Arc<Endpoint<Listener>>) -> Result<Before> {
        if let Some(hold) = &accepting.hold {
            if hold.until.is_none_or(|until| until > Instant::now()) {
                hold.add(listener);
                return Ok(Before::Over(hold.clone()));
            }
            accepting.hold = None;
            return Ok(Before::Nothing);
        }
        let delay = self.0.faults.accept_delay;
        if !accepting.full {
            let lacks_descriptor =
                !accepting.exhausted && self.0.faults.no_descriptors_at == Some(accepting.seen + 1);
            // Those that have filled the backlog were there before everybody else, and are no connections with which something could
            // go wrong.
            if accepting.fillers_to_skip(listener).is_some() || delay.is_none() && !lacks_descriptor {
                return Ok(Before::Nothing);
            }
            if !has_waiting(listener) {
                // Not left to the accept: what came just before it would come without its delay, or its failure.
                return Ok(Before::Connection);
            }
            if lacks_descriptor {
                return Err(self.lack_descriptor(accepting));
            }
        }
        // A time beyond what the clock can say is for ever.
        let until = delay.filter(|_| !accepting.full).and_then(|delay| Instant::now().checked_add(delay));
        let hold = Arc::new(Hold::new(until)?);
        hold.add(listener);
        if !accepting.full {
            self.0.log.note(
                |log| &log.delayed_accepts,
                || format!("connection {}: its accept waits", accepting.seen + 1),
            );
        }
        if let Some(until) = until {
            let over = hold.clone();
            // The hold itself stays, as one that is over, for the accept that comes then.
            self.0.wire.at(until, move || over.end())?;
        }
        accepting.hold = Some(hold.clone());
        Ok(Before::Over(hold))
    }

    fn lack_descriptor(&self, accepting: &mut Accepting) -> Error {
        accepting.exhausted = true;
        self.0.log.note(
            |log| &log.without_descriptor,
            || format!("connection {}: no descriptor to accept it", accepting.seen + 1),
        );
        Error::os(sys::no_descriptors(), "accept a connection")
    }

    /// Whether the connection that was accepted is to be closed at once: by plan, or because it only filled the backlog.
    pub(crate) fn refuses(&self, stream: &Stream, listener: &Arc<Endpoint<Listener>>) -> bool {
        let mut accepting = self.0.accepting.lock();
        if let Some(left) = accepting.fillers_to_skip(listener)
            && is_own(stream)
            && stream.is_gone()
        {
            *left -= 1;
            return true;
        }
        accepting.seen += 1;
        let refused = !self.0.wire.has_ended() && self.0.faults.refuse_accept_at == Some(accepting.seen);
        if refused {
            self.0.log.note(|log| &log.refused, || format!("connection {}: refused", accepting.seen));
        }
        refused
    }

    /// Fills the backlog of a server that has just begun to listen, if that is planned.
    pub(crate) fn fill_backlog(&self, name: &Name, listener: &Arc<Endpoint<Listener>>) -> Result<()> {
        let mut accepting = self.0.accepting.lock();
        if !accepting.full {
            return Ok(());
        }
        let mut count = 0;
        loop {
            let filler = match name.place() {
                Place::Path(path) => Stream::connect(path, false, Deadline::Now),
                Place::Abstract(name) => Stream::connect_abstract(name, false, Deadline::Now),
            };
            match filler {
                Ok(filler) => {
                    accepting.fillers.push(filler);
                    count += 1;
                }
                Err(error) if error.status() == Status::WouldBlock => {
                    accepting.fillers_to_skip.push((Arc::downgrade(listener), count));
                    return Ok(());
                }
                Err(error) => {
                    accepting.fillers.clear();
                    let place = "fill the backlog, for which the server should have a small one";
                    return Err(error.within(place));
                }
            }
        }
    }
}

impl fmt::Debug for FaultPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.faults.fmt(f)
    }
}

fn schedules(faults: &Faults, number: u64, log: &Arc<FaultLog>) -> [Option<Schedule>; 2] {
    [Direction::ToServer, Direction::ToClient]
        .map(|direction| faults.affects(direction).then(|| Schedule::new(faults, number, direction, log)))
}

fn has_waiting(listener: &Endpoint<Listener>) -> bool {
    listener.wait(Deadline::Now, |listener, closed, now| listener.wait(closed, now)).is_ok()
}

fn is_own(stream: &Stream) -> bool {
    stream.credentials().is_ok_and(|peer| peer.pid == Some(sys::process_number()))
}

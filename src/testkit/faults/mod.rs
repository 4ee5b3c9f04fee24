//! What a test wants to go wrong with a connection, from a seed, so that it goes wrong in the same way again.
//!
//! A plan stands between a socket and its peer: bytes go through it as through a bad wire. So everything that the program under test
//! sees is what the system really does, and sockets without a plan pay nothing. What concerns accepting is done by the server, and
//! calls that are turned away by the socket itself.

mod accepting;
mod log;

pub use log::FaultCounts;
pub(super) use log::FaultLog;

use super::schedule::{Schedule, Storm};
use super::wire::{Link, Wire};
use crate::error::{Error, Result, Status};
use crate::socket::{Socket, SocketOptions};
use crate::sys::{RawDescriptor, Stream, TurnsAway};
use accepting::Accepting;
use parking_lot::Mutex;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

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

impl FaultPlan {
    /// A plan of these faults.
    ///
    /// # Errors
    ///
    /// `InvalidArgument`: they make no sense. `LimitReached`: no descriptors left.
    pub fn new(faults: Faults) -> Result<FaultPlan> {
        faults.check()?;
        let accepting = Accepting::new(&faults);
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

    /// What went wrong so far, a line each: which connection, in which direction, at which byte. That there were too few descriptors, or
    /// too little memory, for what came on a connection is told as well, although it was not planned. Of ten thousand lines the last says
    /// that what else happens is only counted.
    pub fn happened(&self) -> Vec<String> {
        self.0.log.lines()
    }

    /// The descriptors that it keeps for itself.
    pub(crate) fn descriptors(&self) -> Vec<RawDescriptor> {
        self.0.wire.descriptors()
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
        let failing = log.clone();
        let wanting =
            Box::new(move |_, error: &Error| failing.tell(&format!("connection {number}: {error}")));
        wire.carry(Link::new(sides, schedules, None, wanting))?;
        log.count(|counts| &mut counts.connections);
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
        self.0.log.count(|counts| &mut counts.connections);
        schedules(&self.0.faults, number, &self.0.log)
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

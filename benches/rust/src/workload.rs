//! The work that every system does: the systems differ only in how the bytes travel. `workload.hpp` is the same in C++.

use crate::fail;
use std::ops::Range;
use std::sync::Arc;

/// Events that one wait reports at most.
pub const EVENTS_AT_ONCE: usize = 1024;
/// Bytes that one read asks for.
pub const READ_SIZE: usize = 64 * 1024;
/// Of the pattern. A prime, so no power of two of bytes is a whole number of periods.
const PERIOD: usize = 65_521;

/// What each connection has to send and to receive next. Every byte is verified.
pub struct Workload {
    chunk: usize,
    lanes: Vec<Lane>,
    pattern: Arc<[u8]>,
    left: u64,
}

#[derive(Clone, Default)]
struct Lane {
    left: u64,
    /// Of the present chunk, in the pattern.
    start: usize,
    sent: usize,
    received: usize,
}

impl Workload {
    /// For so many connections, each with one chunk of so many bytes on its way at a time.
    pub fn new(connections: usize, chunk: usize) -> Workload {
        // A sequence without short repeats. Each connection begins elsewhere in it, so bytes of another place or another
        // connection are found out.
        let mut state: u32 = 2_463_534_242;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as u8
        };
        let period: Vec<u8> = (0..PERIOD).map(|_| next()).collect();
        let pattern = period.iter().copied().cycle().take(PERIOD + chunk).collect();
        let lane = |index| Lane { start: index * 251 % PERIOD, ..Lane::default() };
        Workload { chunk, lanes: (0..connections).map(lane).collect(), pattern, left: 0 }
    }

    /// Gives the first `active` connections their shares; the others have nothing to do. Whoever calls it sends the first
    /// piece of each.
    pub fn begin(&mut self, round_trips: u64, active: usize) {
        let count = active as u64;
        for (index, lane) in (0..).zip(&mut self.lanes[..active]) {
            lane.left = round_trips / count + u64::from(index < round_trips % count);
            lane.sent = 0;
            lane.received = 0;
        }
        self.left = round_trips;
    }

    /// Whether all round trips are done.
    pub fn is_done(&self) -> bool {
        self.left == 0
    }

    /// How many connections there are.
    pub fn connections(&self) -> usize {
        self.lanes.len()
    }

    /// What the connection may send now; nothing if it has to wait for the answer, or has no more to do.
    pub fn to_send(&self, index: usize) -> &[u8] {
        &self.pattern[self.range_to_send(index)]
    }

    /// Where that is in the pattern.
    pub fn range_to_send(&self, index: usize) -> Range<usize> {
        let lane = &self.lanes[index];
        let length = if lane.left == 0 { 0 } else { self.chunk - lane.sent };
        let start = lane.start + lane.sent;
        start..start + length
    }

    /// All that is ever sent, for those who cannot borrow it from here.
    pub fn pattern(&self) -> Arc<[u8]> {
        self.pattern.clone()
    }

    /// So much of it was sent.
    pub fn sent(&mut self, index: usize, length: usize) {
        self.lanes[index].sent += length;
    }

    /// Verifies what came back; tells whether the chunk is complete and the next one may be sent.
    pub fn received(&mut self, index: usize, data: &[u8]) -> bool {
        let lane = &mut self.lanes[index];
        if data.len() > lane.sent - lane.received {
            fail(format_args!("connection {index}: more came back than was sent"));
        }
        if data != &self.pattern[lane.start + lane.received..][..data.len()] {
            fail(format_args!("connection {index}: something else came back than was sent"));
        }
        lane.received += data.len();
        if lane.received < self.chunk {
            return false;
        }
        lane.start = (lane.start + self.chunk) % PERIOD;
        lane.sent = 0;
        lane.received = 0;
        lane.left -= 1;
        self.left -= 1;
        lane.left > 0
    }

    /// Whether the connection's chunk is on its way.
    pub fn is_under_way(&self, index: usize) -> bool {
        self.lanes[index].sent > 0
    }
}

//! What a plan of faults has done.

use parking_lot::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

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

pub(crate) type Counter = AtomicU64;

/// What has gone wrong so far.
#[derive(Default)]
pub(crate) struct FaultLog {
    pub connections: Counter,
    pub pieces: Counter,
    pub flipped: Counter,
    pub lost: Counter,
    pub resets: Counter,
    pub stops: Counter,
    pub refused: Counter,
    pub without_descriptor: Counter,
    pub delayed_accepts: Counter,
    pub would_blocks: Counter,
    lines: Mutex<Vec<String>>,
}

/// There are at most so many lines, the last of which says so.
const LINES: usize = 10_000;

impl FaultLog {
    pub fn count(&self, counter: impl Fn(&FaultLog) -> &Counter) {
        counter(self).fetch_add(1, Ordering::Relaxed);
    }

    /// Counts it, and says it with a line.
    pub fn note(&self, counter: impl Fn(&FaultLog) -> &Counter, line: impl FnOnce() -> String) {
        self.count(counter);
        let mut lines = self.lines.lock();
        match LINES - lines.len() {
            0 => {}
            1 => lines.push("what else happens is only counted".to_owned()),
            _ => lines.push(line()),
        }
    }

    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().clone()
    }

    pub fn counts(&self) -> FaultCounts {
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

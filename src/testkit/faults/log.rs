//! What a plan of faults has done.

use parking_lot::Mutex;

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

/// What has gone wrong so far.
#[derive(Default)]
pub(crate) struct FaultLog(Mutex<Log>);

#[derive(Default)]
struct Log {
    counts: FaultCounts,
    lines: Vec<String>,
}

/// There are at most so many lines, the last of which says so.
const LINES: usize = 10_000;

impl Log {
    fn add(&mut self, line: impl FnOnce() -> String) {
        match LINES - self.lines.len() {
            0 => {}
            1 => self.lines.push("what else happens is only counted".to_owned()),
            _ => self.lines.push(line()),
        }
    }
}

impl FaultLog {
    pub fn count(&self, counter: impl Fn(&mut FaultCounts) -> &mut u64) {
        *counter(&mut self.0.lock().counts) += 1;
    }

    /// Counts it, and says it with a line.
    pub fn note(&self, counter: impl Fn(&mut FaultCounts) -> &mut u64, line: impl FnOnce() -> String) {
        let mut log = self.0.lock();
        *counter(&mut log.counts) += 1;
        log.add(line);
    }

    /// Says what was not planned, with a line.
    pub fn tell(&self, line: &str) {
        self.0.lock().add(|| line.to_owned());
    }

    pub fn lines(&self) -> Vec<String> {
        self.0.lock().lines.clone()
    }

    pub fn counts(&self) -> FaultCounts {
        self.0.lock().counts
    }
}

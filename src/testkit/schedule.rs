//! Where in a stream of bytes which fault is. It follows from the seed and the place in the stream alone, not from the sizes and times
//! in which the bytes come, so that a run can be had again.

use super::faults::{Direction, FaultCounts, FaultLog, Faults};
use fastrand::Rng;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

/// The faults of one direction of one connection.
pub(super) struct Schedule {
    cuts: Option<Cuts>,
    delays: Option<Delays>,
    flips: Marks,
    losses: Marks,
    bits: Rng,
    reset_after: Option<u64>,
    stop_after: Option<u64>,
    stopped: bool,
    direction: Direction,
    connection: u64,
    log: Arc<FaultLog>,
}

struct Cuts {
    rng: Rng,
    sizes: RangeInclusive<usize>,
    next: u64,
}

struct Delays {
    rng: Rng,
    range: RangeInclusive<Duration>,
    /// That of the piece that is not whole yet, of which more may come: each part of it is held back as long.
    begun: Option<Duration>,
}

/// What is to be done with bytes that were taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Pass them on after so long.
    Pass(Option<Duration>),
    /// Pass nothing on, and break the connection.
    Reset,
}

impl Schedule {
    pub fn new(faults: &Faults, connection: u64, direction: Direction, log: &Arc<FaultLog>) -> Schedule {
        let rng = |kind| rng(faults, connection, direction, kind);
        let cuts = faults.pieces.clone().map(|sizes| {
            let mut rng = rng(0);
            let next = rng.usize(sizes.clone()) as u64;
            Cuts { rng, sizes, next }
        });
        Schedule {
            cuts,
            delays: faults.delay.clone().map(|range| Delays { rng: rng(1), range, begun: None }),
            flips: Marks::new(faults.flip_at, faults.flip_one_in, rng(2)),
            losses: Marks::new(faults.lose_at, faults.lose_one_in, rng(3)),
            bits: rng(4),
            reset_after: faults.reset_after,
            stop_after: faults.stop_reading_after,
            stopped: false,
            direction,
            connection,
            log: log.clone(),
        }
    }

    /// Whether pieces are passed on one at a time: the next one only when the one before was received.
    pub fn is_cut(&self) -> bool {
        self.cuts.is_some()
    }

    /// How many bytes may be taken from the sender now, at this place of the stream. None: none, for good.
    pub fn room(&mut self, position: u64, most: usize) -> Option<usize> {
        // A connection that breaks at its first byte has to be told of that byte, and takes no other.
        let reset = self.reset_after.map(|reset| reset.max(1));
        let ends = [reset, self.stop_after, self.cuts.as_ref().map(|cuts| cuts.next)];
        if self.stop_after.is_some_and(|stop| stop <= position) {
            if !std::mem::replace(&mut self.stopped, true) {
                self.note(|counts| &mut counts.stops, "nothing more is taken", position);
            }
            return None;
        }
        let next = ends.into_iter().flatten().filter(|end| *end > position).min();
        let left = next.map_or(u64::MAX, |next| next - position);
        Some(most.min(usize::try_from(left).unwrap_or(usize::MAX)))
    }

    /// Changes bytes as planned that were taken at this place of the stream.
    pub fn apply(&mut self, position: u64, bytes: &mut Vec<u8>) -> Verdict {
        let end = position + bytes.len() as u64;
        if let Some(reset) = self.reset_after.filter(|reset| *reset <= end) {
            self.note(|counts| &mut counts.resets, "the connection is broken", reset);
            return Verdict::Reset;
        }
        while let Some(at) = self.flips.next_before(end) {
            let byte = &mut bytes[(at - position) as usize];
            let before = *byte;
            *byte ^= 1 << self.bits.u32(0..8);
            let what = format!("{before:#04x} becomes {:#04x}", *byte);
            self.note(|counts| &mut counts.flipped, &what, at);
        }
        let mut lost = 0;
        while let Some(at) = self.losses.next_before(end) {
            let byte = bytes.remove((at - position - lost) as usize);
            lost += 1;
            self.note(|counts| &mut counts.lost, &format!("{byte:#04x} is lost"), at);
        }
        // What did not fill a piece is one all the same, when its sender sent no more.
        let is_whole = match &mut self.cuts {
            Some(cuts) if cuts.next > end => false,
            Some(cuts) => {
                cuts.next = cuts.next.saturating_add(cuts.rng.usize(cuts.sizes.clone()) as u64);
                true
            }
            None => true,
        };
        let delay = self.delays.as_mut().map(|delays| delays.next(is_whole));
        self.log.count(|counts| &mut counts.pieces);
        Verdict::Pass(delay)
    }

    fn note(&self, counter: impl Fn(&mut FaultCounts) -> &mut u64, what: &str, at: u64) {
        let to = match self.direction {
            Direction::ToServer => "server",
            Direction::ToClient => "client",
        };
        self.log.note(counter, || {
            format!("connection {}, to the {to}, after {at} bytes: {what}", self.connection)
        });
    }
}

impl Delays {
    /// One is drawn for each piece, whatever the parts in which it comes: chance follows from the place in the stream alone.
    fn next(&mut self, is_whole: bool) -> Duration {
        let delay = self.begun.take().unwrap_or_else(|| {
            let (least, most) = (self.range.start().as_nanos(), self.range.end().as_nanos());
            let nanos = self.rng.u128(least..=most);
            Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
        });
        self.begun = (!is_whole).then_some(delay);
        delay
    }
}

/// A storm of would-blocks on the sends or the receives of one socket: which calls are turned away.
pub(super) struct Storm {
    rng: Rng,
    in_a_row: RangeInclusive<u32>,
    /// So many are turned away before the next is let through.
    left: u32,
    log: Arc<FaultLog>,
}

impl Storm {
    /// That of the calls that make or take the bytes of this direction, if it is affected.
    pub fn new(faults: &Faults, connection: u64, direction: Direction, log: &Arc<FaultLog>) -> Option<Storm> {
        let in_a_row = faults.would_block.clone().filter(|_| faults.affects(direction))?;
        let mut rng = rng(faults, connection, direction, 5);
        let left = rng.u32(in_a_row.clone());
        Some(Storm { rng, in_a_row, left, log: log.clone() })
    }

    pub fn turns_away(&mut self) -> bool {
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                self.log.count(|counts| &mut counts.would_blocks);
                true
            }
            None => {
                self.left = self.rng.u32(self.in_a_row.clone());
                false
            }
        }
    }
}

/// Each kind of fault has numbers of its own, so that one more kind in a plan moves none of the others.
fn rng(faults: &Faults, connection: u64, direction: Direction, kind: u64) -> Rng {
    let which = connection << 8 | (direction as u64) << 4 | kind;
    Rng::with_seed(faults.seed ^ which.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// Places in a stream: one that is fixed, and others at random distances.
struct Marks {
    fixed: Option<u64>,
    random: Option<(Rng, u64, u64)>,
}

impl Marks {
    fn new(fixed: Option<u64>, one_in: Option<u64>, mut rng: Rng) -> Marks {
        let random = one_in.map(|one_in| {
            let first = distance(&mut rng, one_in) - 1;
            (rng, one_in, first)
        });
        Marks { fixed, random }
    }

    /// Takes the next place before `end`, if there is one.
    fn next_before(&mut self, end: u64) -> Option<u64> {
        let random = self.random.as_ref().map(|(_, _, next)| *next);
        let next = self.fixed.into_iter().chain(random).min().filter(|next| *next < end)?;
        if self.fixed == Some(next) {
            self.fixed = None;
        }
        if let Some((rng, one_in, at)) = &mut self.random
            && *at == next
        {
            *at = at.saturating_add(distance(rng, *one_in));
        }
        Some(next)
    }
}

/// One to twice the mean, less one: on average the mean.
fn distance(rng: &mut Rng, mean: u64) -> u64 {
    rng.u64(1..=mean.saturating_mul(2).saturating_sub(1).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(faults: &Faults, stream: &[u8], chunks: &[usize]) -> (Vec<u8>, Vec<String>) {
        let log = Arc::new(FaultLog::default());
        let mut schedule = Schedule::new(faults, 1, Direction::ToServer, &log);
        let (mut passed, mut position) = (Vec::new(), 0);
        let mut chunks = chunks.iter().copied().cycle();
        while position < stream.len() {
            let there = chunks.next().unwrap().min(stream.len() - position);
            let Some(room) = schedule.room(position as u64, there) else { break };
            let mut bytes = stream[position..position + room].to_vec();
            if schedule.apply(position as u64, &mut bytes) == Verdict::Reset {
                break;
            }
            position += room;
            passed.extend(bytes);
        }
        (passed, log.lines())
    }

    #[test]
    fn what_goes_wrong_follows_from_the_seed_and_not_from_the_sizes_that_come() {
        let stream: Vec<u8> = (0..20_000_u32).map(|number| number as u8).collect();
        let faults = Faults {
            seed: 7,
            pieces: Some(1..=9),
            flip_one_in: Some(500),
            lose_one_in: Some(300),
            lose_at: Some(3),
            ..Faults::default()
        };
        let (passed, lines) = run(&faults, &stream, &[1]);
        for chunks in [&[7][..], &[1000, 3], &[20_000]] {
            assert_eq!(run(&faults, &stream, chunks), (passed.clone(), lines.clone()));
        }
        assert!(passed.len() < stream.len() && lines.len() > 40, "{}", lines.len());
        let other = Faults { seed: 8, ..faults };
        assert_ne!(run(&other, &stream, &[1]).1, lines);
    }

    #[test]
    fn rates_are_about_what_was_asked_for() {
        let stream = vec![0; 100_000];
        let faults = Faults { flip_one_in: Some(100), ..Faults::default() };
        let (passed, lines) = run(&faults, &stream, &[4096]);
        let flipped = passed.iter().filter(|byte| **byte != 0).count();
        assert_eq!(flipped, lines.len());
        assert!((800..1200).contains(&flipped), "{flipped}");
    }

    #[test]
    fn it_stops_and_resets_at_the_very_byte() {
        let stream = vec![1; 100];
        let stops = Faults { stop_reading_after: Some(17), ..Faults::default() };
        assert_eq!(run(&stops, &stream, &[10]).0.len(), 17);
        let resets = Faults { reset_after: Some(17), ..Faults::default() };
        assert_eq!(run(&resets, &stream, &[10]).0.len(), 10);
        let resets_at_once = Faults { reset_after: Some(0), ..Faults::default() };
        let broken = "connection 1, to the server, after 0 bytes: the connection is broken";
        assert_eq!(run(&resets_at_once, &stream, &[10]), (vec![], vec![broken.to_owned()]));
        assert_eq!(run(&Faults { flip_at: Some(4), ..Faults::default() }, &stream, &[3]).1.len(), 1);
    }
}

//! What a socket has received and nobody has taken yet.

use crate::clock::Clock;
use crate::error::Result;
use crate::frame::{Frame, Parser};
use crate::sys::Descriptor;
use std::collections::VecDeque;
use std::ops::Range;
use std::time::Instant;

/// What is read at a time: little at first, and twice as much whenever that was not enough, so that an idle connection costs
/// little and a busy one few calls.
const READ_SIZES: (usize, usize) = (4 * 1024, 64 * 1024);
/// More room than this is given back when everything was taken; less is kept, so that messages of some size cost no allocation each.
const KEPT_CAPACITY: usize = 256 * 1024;

/// Received bytes, of which the first message is looked for. Its room grows with what has come, not with what a length on the
/// wire promises.
pub(crate) struct Inbox {
    bytes: Vec<u8>,
    filled: Range<usize>,
    parser: Parser,
    first: Option<Frame>,
    /// When the first byte of the first message came.
    begun: Option<Instant>,
    /// The validator has seen the first message.
    validated: bool,
    read_size: usize,
    /// The last receive took all that the system had.
    drained: bool,
    /// How many bytes were taken before the filled ones, ever.
    taken: u64,
    descriptors: VecDeque<Arrival>,
    clock: Clock,
}

/// Descriptors that came with the byte at this place of the stream: the last byte of what one receive gave, which is in
/// the message that they were sent with, since the kernel ends a receive with what descriptors were sent with.
struct Arrival {
    position: u64,
    descriptors: Vec<Descriptor>,
}

impl Inbox {
    pub fn new(parser: Parser, clock: Clock) -> Inbox {
        Inbox {
            bytes: Vec::new(),
            filled: 0..0,
            parser,
            first: None,
            begun: None,
            validated: false,
            read_size: READ_SIZES.0,
            drained: false,
            taken: 0,
            descriptors: VecDeque::new(),
            clock,
        }
    }

    /// What was received and not taken.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[self.filled.clone()]
    }

    /// When the first byte of a message came that is not whole yet.
    pub fn begun(&self) -> Option<Instant> {
        self.begun
    }

    /// The first message, if it is whole.
    pub fn first(&mut self) -> Result<Option<&[u8]>> {
        if self.first.is_none() {
            self.first = self.parser.parse(&self.bytes[self.filled.clone()])?;
        }
        Ok(self.message())
    }

    /// What is left as the last message when the stream has ended.
    pub fn last(&mut self) -> Result<Option<&[u8]>> {
        if self.first.is_none() {
            self.first = self.parser.finish(&self.bytes[self.filled.clone()])?;
        }
        Ok(self.message())
    }

    fn message(&self) -> Option<&[u8]> {
        let payload = &self.first.as_ref()?.payload;
        Some(&self.bytes()[payload.clone()])
    }

    /// The first message, which `first` or `last` has found, and the descriptors that came with it, taken out.
    pub fn open_first(&mut self) -> Option<(&[u8], Vec<Descriptor>)> {
        let end = self.taken + self.first.as_ref()?.length as u64;
        let mut with_it = Vec::new();
        while self.descriptors.front().is_some_and(|arrival| arrival.position < end) {
            with_it.extend(self.descriptors.pop_front().into_iter().flat_map(|arrival| arrival.descriptors));
        }
        Some((self.message()?, with_it))
    }

    /// Puts back what was taken out of the first message, which stays.
    pub fn close_first(&mut self, descriptors: Vec<Descriptor>) {
        if !descriptors.is_empty() {
            self.descriptors.push_front(Arrival { position: self.taken, descriptors });
        }
    }

    /// Drops the first message, which `first` or `last` has found.
    pub fn drop_first(&mut self) {
        if let Some(frame) = self.first.take() {
            self.validated = false;
            self.skip(frame.length);
        }
    }

    /// Drops everything.
    pub fn clear(&mut self) {
        self.first = None;
        self.skip(self.filled.len());
        self.bytes = Vec::new();
        self.descriptors.clear();
    }

    /// Drops so many of the first bytes.
    pub fn skip(&mut self, length: usize) {
        self.filled.start += length;
        self.taken += length as u64;
        self.begun = (!self.filled.is_empty()).then(|| self.clock.now());
        if self.filled.is_empty() {
            self.filled = 0..0;
            if self.bytes.len() > KEPT_CAPACITY {
                self.bytes = Vec::new();
            }
        }
    }

    /// Whether the validator has seen the first message.
    pub fn is_validated(&self) -> bool {
        self.validated
    }

    /// It need not see the first message again, if that stays.
    pub fn set_validated(&mut self) {
        self.validated = true;
    }

    /// As if the first byte of an unfinished message had come now.
    pub fn restart_clock(&mut self) {
        self.begun = self.begun.map(|_| self.clock.now());
    }

    /// How many descriptors came and were not taken.
    pub fn descriptors(&self) -> usize {
        self.descriptors.iter().map(|arrival| arrival.descriptors.len()).sum()
    }

    /// Whether the last receive took all that the system had then.
    pub fn is_drained(&self) -> bool {
        self.drained
    }

    /// Adds what `receive` puts into a buffer, and tells how much that was. `receive` answers with the number of bytes, the descriptors
    /// that came with them, and whether the system stopped at descriptors.
    pub fn fill<E>(
        &mut self,
        receive: impl FnOnce(&mut [u8]) -> std::result::Result<(usize, Vec<Descriptor>, bool), E>,
    ) -> std::result::Result<usize, E> {
        if self.bytes.len() - self.filled.end < self.read_size {
            self.make_room();
        }
        let room = self.bytes.len() - self.filled.end;
        // It fails when there is nothing.
        self.drained = true;
        let (received, descriptors, stopped) = receive(&mut self.bytes[self.filled.end..])?;
        self.drained = received < room && !stopped;
        if received > 0 {
            self.begun.get_or_insert_with(|| self.clock.now());
            self.filled.end += received;
            if received == room {
                self.read_size = READ_SIZES.1.min(2 * self.read_size);
            }
        }
        if !descriptors.is_empty() {
            let position = (self.taken + self.filled.len() as u64).saturating_sub(1);
            self.descriptors.push_back(Arrival { position, descriptors });
        }
        Ok(received)
    }

    fn make_room(&mut self) {
        if self.filled.start > 0 {
            self.bytes.copy_within(self.filled.clone(), 0);
            self.filled = 0..self.filled.len();
        }
        let needed = self.filled.end + self.read_size;
        if self.bytes.len() < needed {
            // Doubling, so that a large message is not copied for every piece of it.
            let room = needed.max(self.filled.end * 2);
            self.bytes.reserve_exact(room - self.bytes.len());
            self.bytes.resize(room, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Framing;
    use std::convert::Infallible;
    use std::time::Duration;

    const PIECE: usize = READ_SIZES.0;

    fn lines(clock: &Clock) -> Inbox {
        Inbox::new(Parser::new(Framing::Lines, 1 << 20), clock.clone())
    }

    /// Receives these bytes, with so many descriptors; tells how much room there was for them.
    fn put_with(inbox: &mut Inbox, bytes: &[u8], descriptors: usize) -> usize {
        let mut room = 0;
        let Ok(received) = inbox.fill::<Infallible>(|buffer| {
            room = buffer.len();
            buffer[..bytes.len()].copy_from_slice(bytes);
            let descriptor = |_| tempfile::tempfile().unwrap().into();
            Ok((bytes.len(), (0..descriptors).map(descriptor).collect(), descriptors > 0))
        });
        assert_eq!(received, bytes.len());
        room
    }

    fn put(inbox: &mut Inbox, bytes: &[u8]) -> usize {
        put_with(inbox, bytes, 0)
    }

    #[test]
    fn room_grows_with_what_came_and_not_with_what_was_promised() {
        let mut inbox = Inbox::new(Parser::new(Framing::BigEndian, 1 << 30), Clock::default());
        put(&mut inbox, &(1_u32 << 30).to_be_bytes());
        assert_eq!(inbox.first().unwrap(), None);
        assert!(inbox.bytes.capacity() <= 2 * PIECE);
        let mut capacities = vec![inbox.bytes.capacity()];
        for _ in 0..1000 {
            put(&mut inbox, &[0; PIECE]);
            capacities.push(inbox.bytes.capacity());
        }
        assert!(inbox.bytes.capacity() <= 2 * 1001 * PIECE + READ_SIZES.1);
        // And not so slowly that each piece has everything before it copied.
        capacities.dedup();
        assert!(capacities.len() <= 16, "{capacities:?}");
    }

    #[test]
    fn more_is_read_at_a_time_when_the_room_was_too_small() {
        let mut inbox = lines(&Clock::default());
        let mut rooms = Vec::new();
        for _ in 0..5 {
            let room = put(&mut inbox, &[]);
            rooms.push(room);
            put(&mut inbox, &vec![b'x'; room]);
        }
        assert_eq!(rooms, [4096, 8192, 16_384, 32_768, 65_536]);
        // That is the most.
        inbox.clear();
        assert_eq!(put(&mut inbox, &[]), 65_536);
        // It was enough.
        let mut inbox = lines(&Clock::default());
        assert_eq!(put(&mut inbox, &[b'x'; PIECE - 1]), PIECE);
        assert_eq!(put(&mut inbox, b"x"), PIECE);
    }

    #[test]
    fn what_is_left_moves_to_the_front_only_when_the_room_behind_it_is_too_small() {
        let mut inbox = lines(&Clock::default());
        inbox.bytes = vec![0; 2 * PIECE];
        assert_eq!(put(&mut inbox, b"one\ntwo\n"), 2 * PIECE);
        put(&mut inbox, &[b'x'; PIECE - 8]);
        assert_eq!(inbox.first().unwrap(), Some(&b"one"[..]));
        inbox.drop_first();
        assert_eq!(put(&mut inbox, b"x"), PIECE);
        assert_eq!(put(&mut inbox, b"\n"), PIECE + 3);
        assert_eq!(inbox.bytes.len(), 2 * PIECE);
        assert_eq!(inbox.first().unwrap(), Some(&b"two"[..]));
        inbox.drop_first();
        assert_eq!(inbox.first().unwrap(), Some(&[b'x'; PIECE - 7][..]));
    }

    #[test]
    fn room_is_added_when_what_there_is_does_not_suffice() {
        let mut inbox = lines(&Clock::default());
        // Two of three pieces are used, and one is free at the front.
        inbox.bytes = vec![b'x'; 3 * PIECE];
        inbox.filled = PIECE..3 * PIECE;
        assert_eq!(put(&mut inbox, &[]), PIECE);
        assert_eq!((inbox.bytes.len(), inbox.bytes().len()), (3 * PIECE, 2 * PIECE));
        inbox.filled = 0..3 * PIECE;
        assert_eq!(put(&mut inbox, &[]), 3 * PIECE);
        assert_eq!((inbox.bytes.len(), inbox.bytes.capacity()), (6 * PIECE, 6 * PIECE));
    }

    #[test]
    fn messages_are_taken_one_by_one_and_large_room_is_given_back() {
        let mut inbox = lines(&Clock::default());
        put(&mut inbox, b"one\ntwo\nthr");
        for expected in [b"one", b"two"] {
            assert_eq!(inbox.first().unwrap(), Some(&expected[..]));
            assert_eq!(inbox.first().unwrap(), Some(&expected[..]));
            assert!(
                inbox
                    .open_first()
                    .is_some_and(|(message, descriptors)| { message == expected && descriptors.is_empty() })
            );
            inbox.drop_first();
        }
        assert_eq!(inbox.first().unwrap(), None);
        assert!(inbox.begun().is_some() && inbox.open_first().is_none());
        for _ in 0..100 {
            put(&mut inbox, &[b'x'; PIECE]);
        }
        put(&mut inbox, b"\n");
        assert_eq!(inbox.first().unwrap().unwrap().len(), 3 + 100 * PIECE);
        inbox.drop_first();
        assert_eq!((inbox.bytes.capacity(), inbox.begun()), (0, None));
        for (room, kept) in [(262_144, 262_144), (262_145, 0)] {
            inbox.bytes = vec![0; room];
            put(&mut inbox, b"x");
            inbox.skip(1);
            assert_eq!(inbox.bytes.len(), kept);
        }
    }

    #[test]
    fn the_last_message_is_what_is_left_and_clearing_leaves_nothing() {
        let mut inbox = lines(&Clock::default());
        put_with(&mut inbox, b"one\ntwo", 1);
        assert_eq!(inbox.first().unwrap(), Some(&b"one"[..]));
        assert_eq!(inbox.last().unwrap(), Some(&b"one"[..]));
        inbox.drop_first();
        assert_eq!(inbox.last().unwrap(), Some(&b"two"[..]));
        inbox.clear();
        assert_eq!((inbox.bytes(), inbox.begun(), inbox.descriptors()), (&b""[..], None, 0));
        assert_eq!(inbox.last().unwrap(), None);
        assert_eq!(inbox.bytes.capacity(), 0);
    }

    #[test]
    fn a_message_is_timed_from_its_first_byte_on() {
        let clock = Clock::manual();
        let pass = || {
            clock.advance(Duration::from_secs(1)).unwrap();
            clock.now()
        };
        let mut inbox = lines(&clock);
        put(&mut inbox, &[]);
        inbox.restart_clock();
        assert_eq!(inbox.begun(), None);
        let begun = pass();
        put(&mut inbox, b"on");
        pass();
        put(&mut inbox, b"e\ntw");
        assert_eq!(inbox.begun(), Some(begun));
        assert_eq!(inbox.first().unwrap(), Some(&b"one"[..]));
        let taken = pass();
        inbox.drop_first();
        assert_eq!(inbox.begun(), Some(taken));
        let restarted = pass();
        inbox.restart_clock();
        assert_eq!(inbox.begun(), Some(restarted));
        inbox.skip(2);
        assert_eq!(inbox.begun(), None);
    }

    #[test]
    fn what_the_validator_has_seen_is_forgotten_with_its_message() {
        let mut inbox = lines(&Clock::default());
        put(&mut inbox, b"one\n");
        inbox.first().unwrap();
        assert!(!inbox.is_validated());
        inbox.set_validated();
        assert!(inbox.is_validated());
        inbox.drop_first();
        assert!(!inbox.is_validated());
    }

    #[test]
    fn descriptors_are_of_the_message_whose_byte_they_came_with() {
        let mut inbox = lines(&Clock::default());
        put_with(&mut inbox, b"one\n", 1);
        // The first byte of a message, right behind one that has none; and two receives of one message.
        put(&mut inbox, b"two\n");
        put_with(&mut inbox, b"t", 2);
        put_with(&mut inbox, b"hree\n", 1);
        put_with(&mut inbox, b"four\n", 1);
        for (message, with_it, left) in
            [(&b"one"[..], 1, 4), (b"two", 0, 4), (b"three", 3, 1), (b"four", 1, 0)]
        {
            assert_eq!(inbox.first().unwrap(), Some(message));
            for _ in 0..2 {
                let (opened, descriptors) = inbox.open_first().unwrap();
                assert_eq!((opened, descriptors.len()), (message, with_it));
                assert_eq!(inbox.descriptors(), left);
                inbox.close_first(descriptors);
                assert_eq!(inbox.descriptors(), left + with_it);
                assert!(inbox.descriptors.iter().all(|arrival| !arrival.descriptors.is_empty()));
            }
            let _taken = inbox.open_first().unwrap();
            inbox.drop_first();
        }
    }

    #[test]
    fn the_system_has_nothing_more_after_a_short_receive_or_none_unless_descriptors_ended_it() {
        let mut inbox = lines(&Clock::default());
        assert!(!inbox.is_drained(), "nobody has looked");
        put(&mut inbox, b"short");
        assert!(inbox.is_drained());
        let Ok(_) = inbox.fill::<Infallible>(|room| Ok((room.len(), Vec::new(), false)));
        assert!(!inbox.is_drained(), "it filled the room");
        put_with(&mut inbox, b"short", 1);
        assert!(!inbox.is_drained(), "it stopped at a descriptor");
        assert_eq!(inbox.fill(|_| Err(())), Err(()));
        assert!(inbox.is_drained(), "there was nothing");
    }
}

//! What a socket has received and nobody has taken yet.

use crate::clock::Clock;
use crate::error::Result;
use crate::frame::{Frame, Parser};
use crate::room;
use crate::sys::Descriptor;
use std::collections::VecDeque;
use std::ops::{Range, RangeInclusive};
use std::time::Instant;

/// The least room that is read into: little at first, and twice as much whenever that was not enough, so that a connection costs
/// little and a busy one few calls.
const READ_SIZES: (usize, usize) = (4 * 1024, 64 * 1024);
/// While nothing comes, the room for a message that is not whole is at most so many times what has come of it, and what is read into
/// at least.
const MOST_SPARE: usize = 4;

/// The lengths of messages that are received at their place: for shorter ones the pieces cost the system more than a copy would, and
/// longer ones come in parts.
const WORTH_PLACING: RangeInclusive<usize> = 16 * 1024..=128 * 1024;

/// Received bytes, of which the first message is looked for. Its room grows with what has come, not with what a length on the
/// wire promises, and is the thread's where that has some.
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
    /// The length of the message that was taken last.
    last_length: usize,
    /// The last receive took all that the system had.
    drained: bool,
    /// How many bytes were taken before the filled ones, ever.
    taken: u64,
    descriptors: VecDeque<Arrival>,
    /// Of whoever minds how long a message takes.
    clock: Option<Clock>,
}

/// Descriptors that came with the byte at this place of the stream: the last byte of what one receive gave, which is in
/// the message that they were sent with, since the kernel ends a receive with what descriptors were sent with.
struct Arrival {
    position: u64,
    descriptors: Vec<Descriptor>,
}

impl Inbox {
    pub fn new(parser: Parser, clock: Option<Clock>) -> Inbox {
        Inbox {
            bytes: Vec::new(),
            filled: 0..0,
            parser,
            first: None,
            begun: None,
            validated: false,
            read_size: READ_SIZES.0,
            last_length: 0,
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

    /// When the first byte of a message came that is not whole yet, if there is a clock.
    pub fn begun(&self) -> Option<Instant> {
        self.begun
    }

    /// The first message, if it is whole.
    pub fn first(&mut self) -> Result<Option<&[u8]>> {
        if self.first.is_none() && !self.filled.is_empty() {
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

    /// The first message, which `first` or `last` has found.
    pub fn message(&self) -> Option<&[u8]> {
        let payload = &self.first.as_ref()?.payload;
        Some(&self.bytes()[payload.clone()])
    }

    /// How many descriptors came with the first message.
    pub fn first_descriptors(&self) -> usize {
        let end = self.first_end();
        self.descriptors
            .iter()
            .take_while(|arrival| arrival.position < end)
            .map(|arrival| arrival.descriptors.len())
            .sum()
    }

    /// Where in the stream the first message ends, if it is whole.
    fn first_end(&self) -> u64 {
        self.taken + self.first.as_ref().map_or(0, |first| first.length as u64)
    }

    /// The first message, which `first` or `last` has found, and the descriptors that came with it, taken out.
    pub fn open_first(&mut self) -> Option<(&[u8], Vec<Descriptor>)> {
        let end = self.first_end();
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
            self.last_length = frame.payload.len();
            self.skip(frame.length);
        }
    }

    /// Drops everything.
    pub fn clear(&mut self) {
        self.first = None;
        self.skip(self.filled.len());
        self.descriptors.clear();
    }

    /// Drops so many of the first bytes.
    pub fn skip(&mut self, length: usize) {
        self.filled.start += length;
        self.taken += length as u64;
        self.begun = if self.filled.is_empty() { None } else { self.now() };
        if self.filled.is_empty() {
            self.filled = 0..0;
            room::give(std::mem::take(&mut self.bytes));
        }
    }

    /// Nothing comes for now. Gives back room that others can use better.
    #[inline]
    pub fn rest(&mut self) {
        if !self.bytes.is_empty() {
            self.give_back();
        }
    }

    fn give_back(&mut self) {
        if self.filled.is_empty() {
            room::give(std::mem::take(&mut self.bytes));
        } else if self.bytes.len() > MOST_SPARE * self.filled.len() + self.read_size {
            let mut bytes = Vec::with_capacity(self.filled.len() + self.read_size);
            bytes.extend_from_slice(self.bytes());
            bytes.resize(bytes.capacity(), 0);
            self.filled = 0..self.filled.len();
            room::give(std::mem::replace(&mut self.bytes, bytes));
        }
    }

    fn now(&self) -> Option<Instant> {
        self.clock.as_ref().map(Clock::now)
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
        self.begun = self.begun.and_then(|_| self.now());
    }

    /// How many descriptors came at a time and were not taken.
    pub fn arrivals(&self) -> impl Iterator<Item = usize> {
        self.descriptors.iter().map(|arrival| arrival.descriptors.len())
    }

    pub fn has_descriptors(&self) -> bool {
        !self.descriptors.is_empty()
    }

    /// The system may have something again.
    pub fn forget_drained(&mut self) {
        self.drained = false;
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
        self.fill_at_most(usize::MAX, receive)
    }

    /// As [`Inbox::fill`], with a buffer of so many bytes at most.
    pub fn fill_at_most<E>(
        &mut self,
        most: usize,
        receive: impl FnOnce(&mut [u8]) -> std::result::Result<(usize, Vec<Descriptor>, bool), E>,
    ) -> std::result::Result<usize, E> {
        self.make_room(self.read_size);
        let room = most.min(self.bytes.len() - self.filled.end);
        // It fails when there is nothing.
        self.drained = true;
        let (received, descriptors, stopped) = receive(&mut self.bytes[self.filled.end..][..room])?;
        self.add(received, received == room, stopped);
        if !descriptors.is_empty() {
            let position = (self.taken + self.filled.len() as u64).saturating_sub(1);
            self.descriptors.push_back(Arrival { position, descriptors });
        }
        Ok(received)
    }

    /// The length of the message that is likely to come next, if it is worth receiving at its place and nothing comes before it.
    pub fn expected(&self) -> Option<usize> {
        let is_likely = self.filled.is_empty() && self.parser.head_length() > 0;
        Some(self.last_length).filter(|length| is_likely && WORTH_PLACING.contains(length))
    }

    /// As [`Inbox::fill`], of an empty inbox: what `receive` puts into a buffer, then into the place of a message, then into another
    /// buffer. Tells how much that was, and whether it began with a message that is now whole at its place and not in the inbox.
    pub fn fill_around<E>(
        &mut self,
        place: &mut [u8],
        receive: impl FnOnce([&mut [u8]; 3]) -> std::result::Result<(usize, bool), E>,
    ) -> std::result::Result<(usize, bool), E> {
        let head = self.parser.head_length();
        let length = head + place.len();
        self.make_room(length + self.read_size);
        // The place stands in for a part of the room.
        let (before, after) = self.bytes.split_at_mut(length);
        let room = length + after.len();
        self.drained = true;
        let (received, stopped) = receive([&mut before[..head], place, after])?;
        self.add(received, received == room, stopped);
        if received >= length && self.parser.is_head_of(&self.bytes[..head], place) {
            self.skip(length);
            return Ok((received, true));
        }
        let came = received.saturating_sub(head).min(place.len());
        self.bytes[head..head + came].copy_from_slice(&place[..came]);
        Ok((received, false))
    }

    /// So many bytes came after the filled ones.
    fn add(&mut self, received: usize, filled_room: bool, stopped: bool) {
        self.drained = !filled_room && !stopped;
        if received > 0 {
            self.begun = self.begun.or_else(|| self.now());
            self.filled.end += received;
            if filled_room && received >= self.read_size {
                self.read_size = READ_SIZES.1.min(2 * self.read_size);
            }
        }
    }

    /// Has room for so many bytes after the filled ones.
    fn make_room(&mut self, wanted: usize) {
        if self.bytes.is_empty() {
            self.bytes = room::take();
        }
        if self.bytes.len() - self.filled.end >= wanted {
            return;
        }
        if self.filled.start > 0 {
            self.bytes.copy_within(self.filled.clone(), 0);
            self.filled = 0..self.filled.len();
        }
        let needed = self.filled.end + wanted;
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
    use crate::frame::{Envelope, Framing};
    use std::convert::Infallible;
    use std::time::Duration;

    const PIECE: usize = READ_SIZES.0;

    fn lines(clock: &Clock) -> Inbox {
        Inbox::new(Parser::new(Framing::Lines, 1 << 20), Some(clock.clone()))
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

    fn unclaimed(inbox: &Inbox) -> usize {
        inbox.arrivals().sum()
    }

    fn put(inbox: &mut Inbox, bytes: &[u8]) -> usize {
        put_with(inbox, bytes, 0)
    }

    #[test]
    fn room_grows_with_what_came_and_not_with_what_was_promised() {
        let mut inbox = Inbox::new(Parser::new(Framing::BigEndian, 1 << 30), None);
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
        drop(room::take());
        assert_eq!(put(&mut inbox, &[]), 65_536);
        // It was enough.
        drop(room::take());
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
    fn messages_are_taken_one_by_one() {
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
    }

    #[test]
    fn those_in_which_nothing_is_left_share_the_room_of_the_thread() {
        let mut inboxes = [lines(&Clock::default()), lines(&Clock::default())];
        room::give(vec![0; 10 * PIECE]);
        for _ in 0..2 {
            for inbox in &mut inboxes {
                assert_eq!(put(inbox, b"one\n"), 10 * PIECE);
                inbox.first().unwrap();
                inbox.drop_first();
                assert_eq!(inbox.bytes.capacity(), 0);
                // Nothing has come.
                assert_eq!(put(inbox, b""), 10 * PIECE);
                inbox.rest();
                assert_eq!(inbox.bytes.capacity(), 0);
            }
        }
        assert_eq!(put(&mut inboxes[0], b"on"), 10 * PIECE);
        assert_eq!(put(&mut inboxes[1], b"one\n"), PIECE, "the other one has it");
    }

    #[test]
    fn what_is_left_for_a_while_holds_no_more_room_than_in_proportion() {
        let large = 25 * PIECE;
        for (left, kept) in [(1, 1 + PIECE), (6 * PIECE - 1, 7 * PIECE - 1), (6 * PIECE, large)] {
            let mut inbox = lines(&Clock::default());
            inbox.bytes = vec![0; large];
            let text: Vec<u8> = (0..left).map(|index| b'a' + (index % 23) as u8).collect();
            put(&mut inbox, b"one\n");
            put(&mut inbox, &text);
            inbox.first().unwrap();
            inbox.drop_first();
            inbox.rest();
            assert_eq!((inbox.bytes.len(), inbox.bytes()), (kept, &text[..]), "{left}");
            let given_back = room::take().len();
            assert_eq!(given_back, if kept < large { large } else { 0 });
            put(&mut inbox, b"\n");
            assert_eq!(inbox.first().unwrap(), Some(&text[..]));
        }
    }

    #[test]
    fn a_message_is_expected_to_be_as_long_as_the_last_one_if_that_was_long() {
        for (framing, length, expected) in [
            (Framing::BigEndian, 16_384, Some(16_384)),
            (Framing::BigEndian, 131_072, Some(131_072)),
            (Framing::BigEndian, 16_383, None),
            (Framing::BigEndian, 131_073, None),
            (Framing::Lines, 16_384, None),
        ] {
            let mut inbox = Inbox::new(Parser::new(framing, 1 << 20), None);
            assert_eq!(inbox.expected(), None);
            for frame in [framed(framing, &vec![b'x'; length]), framed(framing, b"")] {
                // Larger than what is read at a time, in which case it comes in parts.
                frame.chunks(PIECE).for_each(|part| {
                    put(&mut inbox, part);
                });
            }
            inbox.first().unwrap();
            inbox.drop_first();
            assert_eq!(inbox.expected(), None, "something is there already");
            inbox.clear();
            assert_eq!(inbox.expected(), expected, "{framing:?}");
        }
    }

    fn framed(framing: Framing, message: &[u8]) -> Vec<u8> {
        let envelope = Envelope::new(framing, usize::MAX, message).unwrap();
        [envelope.head(), message, envelope.tail].concat()
    }

    /// Receives these bytes around a place; tells whether it has a message now.
    fn put_around(inbox: &mut Inbox, place: &mut [u8], bytes: &[u8], stopped: bool) -> bool {
        let Ok((received, whole)) = inbox.fill_around::<Infallible>(place, |pieces| {
            let mut rest = bytes;
            for piece in pieces {
                let (now, later) = rest.split_at(rest.len().min(piece.len()));
                piece[..now.len()].copy_from_slice(now);
                rest = later;
            }
            assert!(rest.is_empty());
            Ok((bytes.len(), stopped))
        });
        assert_eq!(received, bytes.len());
        whole
    }

    /// All messages that are in there.
    fn messages(inbox: &mut Inbox) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| {
            let message = inbox.first().unwrap().map(<[u8]>::to_vec);
            inbox.drop_first();
            message
        })
        .collect()
    }

    #[test]
    fn a_message_comes_to_its_place_only_whole_and_as_long_as_expected() {
        const EXPECTED: usize = 100;
        let numbered = |length: usize| (0..length).map(|index| index as u8).collect::<Vec<u8>>();
        for framing in [Framing::BigEndian, Framing::LittleEndian, Framing::Checked] {
            for (lengths, in_place) in [
                (&[EXPECTED][..], true),
                (&[EXPECTED, 5, EXPECTED], true),
                (&[99], false),
                (&[101, 7], false),
            ] {
                let sent: Vec<Vec<u8>> = lengths.iter().map(|length| numbered(*length)).collect();
                let stream: Vec<u8> = sent.iter().flat_map(|message| framed(framing, message)).collect();
                for cut in 0..=stream.len() {
                    let clock = Clock::manual();
                    let mut inbox = Inbox::new(Parser::new(framing, 1000), Some(clock));
                    let mut place = [0; EXPECTED];
                    let mut received = Vec::new();
                    let (now, later) = stream.split_at(cut);
                    if put_around(&mut inbox, &mut place, now, false) {
                        received.push(place.to_vec());
                    }
                    let is_whole = cut >= framed(framing, &sent[0]).len();
                    assert_eq!(received.len(), usize::from(in_place && is_whole), "{framing:?} {cut}");
                    received.append(&mut messages(&mut inbox));
                    assert_eq!(inbox.begun().is_some(), !inbox.bytes().is_empty());
                    put(&mut inbox, later);
                    received.append(&mut messages(&mut inbox));
                    assert_eq!(received, sent, "{framing:?} {lengths:?} cut at {cut}");
                    assert_eq!(inbox.taken, stream.len() as u64);
                }
            }
        }
    }

    #[test]
    fn what_came_around_a_place_may_be_all_that_the_system_had() {
        let mut inbox = Inbox::new(Parser::new(Framing::BigEndian, 1 << 20), None);
        let frame = framed(Framing::BigEndian, b"message");
        for (stopped, drained) in [(true, false), (false, true)] {
            assert!(put_around(&mut inbox, &mut [0; 7], &frame, stopped));
            assert_eq!(inbox.is_drained(), drained);
        }
        inbox.forget_drained();
        assert!(!inbox.is_drained(), "it has not been asked since");
        let mut room = 0;
        let Ok(_) = inbox.fill_around::<Infallible>(&mut [0; 7], |pieces| {
            assert_eq!([pieces[0].len(), pieces[1].len()], [4, 7]);
            room = pieces.iter().map(|piece| piece.len()).sum();
            Ok((room, false))
        });
        assert_eq!((room, inbox.is_drained()), (4 + 7 + PIECE, false), "it filled the room");
        assert_eq!(inbox.fill_around(&mut [0; 7], |_| Err(())), Err(()));
        assert!(inbox.is_drained(), "there was nothing");
    }

    #[test]
    fn a_damaged_message_is_found_out_at_its_place_too() {
        let mut inbox = Inbox::new(Parser::new(Framing::Checked, 1000), None);
        let mut frame = framed(Framing::Checked, b"message");
        frame[10] ^= 1;
        assert!(!put_around(&mut inbox, &mut [0; 7], &frame, false));
        assert!(inbox.first().is_err_and(|error| error.status() == crate::Status::Malformed));
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
        assert_eq!((inbox.bytes(), inbox.begun(), unclaimed(&inbox)), (&b""[..], None, 0));
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
                assert_eq!(inbox.first_descriptors(), with_it);
                let (opened, descriptors) = inbox.open_first().unwrap();
                assert_eq!((opened, descriptors.len()), (message, with_it));
                assert_eq!(unclaimed(&inbox), left);
                inbox.close_first(descriptors);
                assert_eq!(unclaimed(&inbox), left + with_it);
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

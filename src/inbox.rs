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

    fn put(inbox: &mut Inbox, bytes: &[u8]) {
        let Ok(_) = inbox.fill::<Infallible>(|room| {
            room[..bytes.len()].copy_from_slice(bytes);
            Ok((bytes.len(), Vec::new(), false))
        });
    }

    #[test]
    fn room_grows_with_what_came_and_not_with_what_was_promised() {
        const PIECE: usize = READ_SIZES.0;
        let mut inbox = Inbox::new(Parser::new(Framing::BigEndian, 1 << 30), Clock::default());
        put(&mut inbox, &(1_u32 << 30).to_be_bytes());
        assert_eq!(inbox.first().unwrap(), None);
        assert!(inbox.bytes.capacity() <= 2 * PIECE);
        for _ in 0..1000 {
            put(&mut inbox, &[0; PIECE]);
        }
        assert!(inbox.bytes.capacity() <= 2 * 1001 * PIECE + READ_SIZES.1);
    }

    #[test]
    fn messages_are_taken_one_by_one_and_large_room_is_given_back() {
        let mut inbox = Inbox::new(Parser::new(Framing::Lines, 1 << 20), Clock::default());
        put(&mut inbox, b"one\ntwo\nthr");
        for expected in [b"one", b"two"] {
            assert_eq!(inbox.first().unwrap(), Some(&expected[..]));
            assert_eq!(inbox.first().unwrap(), Some(&expected[..]));
            assert!(inbox.open_first().is_some_and(|(_, descriptors)| descriptors.is_empty()));
            inbox.drop_first();
        }
        assert_eq!(inbox.first().unwrap(), None);
        assert!(inbox.begun().is_some());
        for _ in 0..100 {
            put(&mut inbox, &[b'x'; READ_SIZES.0]);
        }
        put(&mut inbox, b"\n");
        assert_eq!(inbox.first().unwrap().unwrap().len(), 3 + 100 * READ_SIZES.0);
        inbox.drop_first();
        assert_eq!((inbox.bytes.capacity(), inbox.begun()), (0, None));
    }
}

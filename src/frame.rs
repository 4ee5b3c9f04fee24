//! Messages in a stream of bytes: where one ends and the next begins.
//!
//! Nothing here reads or writes. The formats are described for other implementations in `docs/wire.md`.

use crate::crc32c::crc32c;
use crate::error::{Error, Result, Status};
use memchr::memchr;
use std::ops::Range;

/// How messages are told apart in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Framing {
    /// The length first, as four bytes, most significant first: what QDataStream does with a QByteArray.
    BigEndian,
    /// The length first, as four bytes, least significant first.
    LittleEndian,
    /// A line feed after each message, which has none itself. A carriage return before it is dropped when received.
    Lines,
    /// A handshake; then a length, a CRC32C and the message.
    Checked,
}

/// The largest message, unless an option says otherwise.
pub const DEFAULT_MAX_MESSAGE: usize = 16 << 20;

/// Where the first message of some received bytes is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Of the message itself.
    pub payload: Range<usize>,
    /// Of all that belongs to it.
    pub length: usize,
}

/// Finds messages in received bytes, of which it is shown ever more until one is whole.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parser {
    framing: Framing,
    limit: usize,
    /// So much of the bytes was searched in vain for the end of a line.
    searched: usize,
}

const LENGTH: usize = 4;
const LENGTH_AND_CHECK: usize = 8;

impl Parser {
    pub fn new(framing: Framing, limit: usize) -> Parser {
        Parser { framing, limit, searched: 0 }
    }

    /// The first message of the bytes, if it is whole. The next call is shown the same bytes and more, or those after the
    /// message.
    pub fn parse(&mut self, bytes: &[u8]) -> Result<Option<Frame>> {
        match self.framing {
            Framing::BigEndian => self.parse_length(bytes, u32::from_be_bytes),
            Framing::LittleEndian => self.parse_length(bytes, u32::from_le_bytes),
            Framing::Lines => self.parse_line(bytes),
            Framing::Checked => self.parse_checked(bytes),
        }
    }

    /// What is left when the stream has ended: nothing, the last line without its end, or an error.
    pub fn finish(&mut self, bytes: &[u8]) -> Result<Option<Frame>> {
        match self.framing {
            Framing::Lines => {
                self.searched = 0;
                let rest = Frame { payload: 0..bytes.len(), length: bytes.len() };
                if bytes.len() > self.limit {
                    Err(self.too_long(bytes.len()))
                } else {
                    Ok((!bytes.is_empty()).then_some(rest))
                }
            }
            _ if bytes.is_empty() => Ok(None),
            _ => {
                let context = format!("the peer left after {} bytes of a message", bytes.len());
                Err(Error::new(Status::Malformed, context))
            }
        }
    }

    /// How long what comes before each message is; 0 if there is no telling from it where the message ends.
    pub fn head_length(&self) -> usize {
        match self.framing {
            Framing::BigEndian | Framing::LittleEndian => LENGTH,
            Framing::Lines => 0,
            Framing::Checked => LENGTH_AND_CHECK,
        }
    }

    /// Whether this is what comes before this message.
    pub fn is_head_of(&self, head: &[u8], message: &[u8]) -> bool {
        let Ok(length) = u32::try_from(message.len()) else { return false };
        message.len() <= self.limit
            && match self.framing {
                Framing::BigEndian => head == length.to_be_bytes(),
                Framing::LittleEndian => head == length.to_le_bytes(),
                Framing::Lines => false,
                // The cheaper part first.
                Framing::Checked => head.split_at_checked(LENGTH).is_some_and(|(said, check)| {
                    let length = length.to_be_bytes();
                    said == length && check == checksum(length, message).to_be_bytes()
                }),
            }
    }

    fn parse_length(&self, bytes: &[u8], decode: fn([u8; LENGTH]) -> u32) -> Result<Option<Frame>> {
        let Some(head) = bytes.first_chunk() else { return Ok(None) };
        let end = LENGTH + self.check_length(decode(*head))?;
        Ok((bytes.len() >= end).then_some(Frame { payload: LENGTH..end, length: end }))
    }

    fn parse_checked(&self, bytes: &[u8]) -> Result<Option<Frame>> {
        let Some(head) = bytes.first_chunk::<LENGTH_AND_CHECK>() else { return Ok(None) };
        let [l0, l1, l2, l3, c0, c1, c2, c3] = *head;
        let end = LENGTH_AND_CHECK + self.check_length(u32::from_be_bytes([l0, l1, l2, l3]))?;
        if bytes.len() < end {
            return Ok(None);
        }
        let payload = LENGTH_AND_CHECK..end;
        let (said, found) =
            (u32::from_be_bytes([c0, c1, c2, c3]), checksum([l0, l1, l2, l3], &bytes[payload.clone()]));
        if said != found {
            let length = payload.len();
            let context =
                format!("a message of {length} bytes with CRC32C {found:08x}, said to be {said:08x}");
            return Err(Error::new(Status::Malformed, context));
        }
        Ok(Some(Frame { payload, length: end }))
    }

    fn parse_line(&mut self, bytes: &[u8]) -> Result<Option<Frame>> {
        let Some(end) = memchr(b'\n', &bytes[self.searched..]).map(|offset| self.searched + offset) else {
            self.searched = bytes.len();
            // A carriage return at the end may belong to the line's end, so one byte more than the limit is no proof yet.
            return if bytes.len() > self.limit + 1 { Err(self.too_long(bytes.len())) } else { Ok(None) };
        };
        self.searched = 0;
        let text = if bytes[..end].ends_with(b"\r") { end - 1 } else { end };
        if text > self.limit {
            Err(self.too_long(text))
        } else {
            Ok(Some(Frame { payload: 0..text, length: end + 1 }))
        }
    }

    fn check_length(&self, length: u32) -> Result<usize> {
        match usize::try_from(length) {
            Ok(length) if length <= self.limit => Ok(length),
            _ => {
                let context = format!("a message of {length} bytes, {} at most", self.limit);
                Err(Error::new(Status::MessageTooLarge, context))
            }
        }
    }

    fn too_long(&self, length: usize) -> Error {
        let context = format!("a line of {length} bytes or more, {} at most", self.limit);
        Error::new(Status::MessageTooLarge, context)
    }
}

/// What goes before and after a message on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Envelope {
    head: [u8; LENGTH_AND_CHECK],
    head_length: usize,
    pub tail: &'static [u8],
}

impl Envelope {
    /// The envelope of a message.
    ///
    /// # Errors
    ///
    /// `MessageTooLarge`: more than the limit. `InvalidArgument`: a line with a line feed in it, or a carriage return at its
    /// end, which the other side would drop.
    pub fn new(framing: Framing, limit: usize, message: &[u8]) -> Result<Envelope> {
        let too_large = || {
            let context = format!("send a message of {} bytes, {limit} at most", message.len());
            Error::new(Status::MessageTooLarge, context)
        };
        if message.len() > limit {
            return Err(too_large());
        }
        let length = u32::try_from(message.len()).map_err(|_| too_large());
        let mut envelope = Envelope::default();
        match framing {
            Framing::BigEndian => envelope.put(&length?.to_be_bytes()),
            Framing::LittleEndian => envelope.put(&length?.to_le_bytes()),
            Framing::Lines => {
                if message.contains(&b'\n') || message.ends_with(b"\r") {
                    let context = "send a line with a line feed in it, or a carriage return at its end";
                    return Err(Error::new(Status::InvalidArgument, context));
                }
                envelope.tail = b"\n";
            }
            Framing::Checked => {
                let length = length?.to_be_bytes();
                envelope.put(&length);
                envelope.put(&checksum(length, message).to_be_bytes());
            }
        }
        Ok(envelope)
    }

    pub fn head(&self) -> &[u8] {
        &self.head[..self.head_length]
    }

    fn put(&mut self, bytes: &[u8]) {
        self.head[self.head_length..][..bytes.len()].copy_from_slice(bytes);
        self.head_length += bytes.len();
    }
}

/// The checksum of a checked frame: of its length as sent, then its message.
fn checksum(length: [u8; LENGTH], message: &[u8]) -> u32 {
    crc32c(&[&length, message])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FRAMINGS: [Framing; 4] =
        [Framing::BigEndian, Framing::LittleEndian, Framing::Lines, Framing::Checked];

    fn encode(framing: Framing, message: &[u8]) -> Vec<u8> {
        let envelope = Envelope::new(framing, usize::MAX, message).unwrap();
        [envelope.head(), message, envelope.tail].concat()
    }

    /// All messages of a stream that comes in these pieces, and how it ends.
    fn decode(framing: Framing, limit: usize, pieces: &[&[u8]]) -> (Vec<Vec<u8>>, Option<(Status, String)>) {
        let mut parser = Parser::new(framing, limit);
        let (mut bytes, mut messages) = (Vec::new(), Vec::new());
        for piece in pieces {
            bytes.extend_from_slice(piece);
            loop {
                match parser.parse(&bytes) {
                    Ok(None) => break,
                    Ok(Some(frame)) => {
                        messages.push(bytes[frame.payload].to_vec());
                        bytes.drain(..frame.length);
                    }
                    Err(error) => return (messages, Some((error.status(), error.to_string()))),
                }
            }
        }
        match parser.finish(&bytes) {
            Ok(None) => (messages, None),
            Ok(Some(frame)) => {
                messages.push(bytes[frame.payload].to_vec());
                (messages, None)
            }
            Err(error) => (messages, Some((error.status(), error.to_string()))),
        }
    }

    fn cut<'a>(stream: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut % (stream.len() + 1)).collect();
        places.extend([0, stream.len()]);
        places.sort_unstable();
        places.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect()
    }

    fn any_framing() -> impl Strategy<Value = Framing> {
        proptest::sample::select(&FRAMINGS[..])
    }

    proptest! {
        #[test]
        fn any_bytes_cut_anyhow_give_the_same(
            framing in any_framing(),
            limit in 0_usize..64,
            stream in proptest::collection::vec(proptest::sample::select(vec![0_u8, 1, 5, b'\n', b'\r', b'x']), 0..200),
            cuts in proptest::collection::vec(any::<usize>(), 0..20),
        ) {
            let (messages, end) = decode(framing, limit, &[&stream]);
            let (pieces, end_of_pieces) = decode(framing, limit, &cut(&stream, &cuts));
            prop_assert_eq!(messages, pieces);
            // The text of a line that is too long says how much of it was there.
            prop_assert_eq!(end.map(|(status, _)| status), end_of_pieces.map(|(status, _)| status));
        }

        #[test]
        fn what_was_sent_is_received_however_it_is_cut(
            framing in any_framing(),
            messages in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..50), 0..10),
            cuts in proptest::collection::vec(any::<usize>(), 0..20),
        ) {
            let clean = |message: &Vec<u8>| match framing {
                Framing::Lines => message.iter().map(|byte| byte | 0x10).filter(|byte| *byte != b'\r').collect(),
                _ => message.clone(),
            };
            let messages: Vec<Vec<u8>> = messages.iter().map(clean).map(|m| {
                if framing == Framing::Lines { m.into_iter().filter(|b| *b != b'\n').collect() } else { m }
            }).collect();
            let stream: Vec<u8> = messages.iter().flat_map(|message| encode(framing, message)).collect();
            prop_assert_eq!(decode(framing, 50, &cut(&stream, &cuts)), (messages, None));
        }

        #[test]
        fn one_flipped_bit_of_a_checked_frame_is_found(
            message in proptest::collection::vec(any::<u8>(), 0..100),
            bit in any::<usize>(),
        ) {
            let mut stream = encode(Framing::Checked, &message);
            let bit = bit % (stream.len() * 8);
            stream[bit / 8] ^= 1 << (bit % 8);
            let (messages, end) = decode(Framing::Checked, 100, &[&stream]);
            prop_assert!(messages.is_empty() && end.is_some());
        }
    }

    #[test]
    fn a_head_is_that_of_its_message_only() {
        for framing in [Framing::BigEndian, Framing::LittleEndian, Framing::Checked] {
            let parser = Parser::new(framing, 10);
            let encoded = encode(framing, b"message");
            let (head, message) = encoded.split_at(parser.head_length());
            assert_eq!(message, b"message");
            assert!(parser.is_head_of(head, message));
            assert!(!parser.is_head_of(head, b"messag"));
            assert_eq!(parser.is_head_of(head, b"massage"), framing != Framing::Checked);
            assert!(!Parser::new(framing, 6).is_head_of(head, message), "too large");
        }
        assert_eq!(Parser::new(Framing::Lines, 10).head_length(), 0);
    }

    #[test]
    fn wire_formats_are_as_documented() {
        assert_eq!(encode(Framing::BigEndian, b"ab"), b"\0\0\0\x02ab");
        assert_eq!(encode(Framing::LittleEndian, b"ab"), b"\x02\0\0\0ab");
        assert_eq!(encode(Framing::Lines, b"ab"), b"ab\n");
        let checked = encode(Framing::Checked, b"ab");
        assert_eq!(checked[..4], [0, 0, 0, 2]);
        assert_eq!(checked[4..8], crc32c(&[b"\0\0\0\x02ab"]).to_be_bytes());
        assert_eq!(checked[8..], *b"ab");
    }

    #[test]
    fn limits_are_checked_before_the_message_is_there() {
        for (framing, head) in [
            (Framing::BigEndian, &b"\0\0\0\x0b"[..]),
            (Framing::LittleEndian, b"\x0b\0\0\0"),
            (Framing::Checked, b"\0\0\0\x0b\0\0\0\0"),
            (Framing::Lines, b"12345678901\r"),
        ] {
            let error = Parser::new(framing, 10).parse(head).unwrap_err();
            assert_eq!(error.status(), Status::MessageTooLarge, "{framing:?}");
            assert!(error.to_string().contains(" 1"), "names the length: {error}");
            assert_eq!(
                Envelope::new(framing, 10, b"12345678901").unwrap_err().status(),
                Status::MessageTooLarge
            );
        }
        assert_eq!(decode(Framing::Lines, 10, &[b"1234567890\r\n"]), (vec![b"1234567890".to_vec()], None));
    }

    #[test]
    fn an_end_in_the_middle_is_malformed_but_for_lines() {
        assert_eq!(decode(Framing::BigEndian, 10, &[b"\0\0\0\x05abc"]).1.unwrap().0, Status::Malformed);
        assert_eq!(
            decode(Framing::Lines, 10, &[b"one\ntwo"]),
            (vec![b"one".to_vec(), b"two".to_vec()], None)
        );
        for line in [&b"a\nb"[..], b"a\r"] {
            assert_eq!(
                Envelope::new(Framing::Lines, 10, line).unwrap_err().status(),
                Status::InvalidArgument
            );
        }
        let mut parser = Parser::new(Framing::Lines, 10);
        assert_eq!(parser.parse(b"abc").unwrap(), None);
        assert_eq!(parser.searched, 3, "a long line that comes byte by byte is not searched as often");
        assert!(parser.finish(b"abc").unwrap().is_some());
        assert_eq!(parser.parse(b"").unwrap(), None);
    }

    #[test]
    fn a_line_may_be_as_long_as_the_limit_and_its_end_does_not_count() {
        for end in ["", "\r", "\n", "\r\n"] {
            // A carriage return is part of a last line that has no end.
            let part = if end == "\r" { end } else { "" };
            let (messages, error) =
                decode(Framing::Lines, 4 + part.len(), &[format!("1234{end}").as_bytes()]);
            assert_eq!((messages, error), (vec![format!("1234{part}").into_bytes()], None));
            let (messages, error) = decode(Framing::Lines, 4, &[format!("12345{end}").as_bytes()]);
            assert_eq!((messages, error.unwrap().0), (vec![], Status::MessageTooLarge));
        }
        assert_eq!(DEFAULT_MAX_MESSAGE, 16_777_216);
    }
}

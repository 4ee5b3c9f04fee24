//! Any stream, cut anyhow, gives the same messages, none above the limit; and what they are sent as is read again.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use moorline::Framing;
use moorline::fuzzing::{decode, encode};

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    framing: u8,
    limit: u16,
    cuts: Vec<u16>,
    stream: &'a [u8],
}

fuzz_target!(|input: Input| {
    let framings = [Framing::BigEndian, Framing::LittleEndian, Framing::Lines, Framing::Checked];
    let framing = framings[usize::from(input.framing) % framings.len()];
    let limit = usize::from(input.limit);
    let stream = input.stream;

    let (messages, end) = decode(framing, limit, &[stream]);
    assert!(messages.iter().all(|message| message.len() <= limit + 1), "a message above the limit");
    let mut places: Vec<usize> =
        input.cuts.iter().map(|cut| usize::from(*cut) % (stream.len() + 1)).collect();
    places.extend([0, stream.len()]);
    places.sort_unstable();
    let pieces: Vec<&[u8]> = places.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect();
    let (messages_of_pieces, end_of_pieces) = decode(framing, limit, &pieces);
    assert_eq!((&messages, end), (&messages_of_pieces, end_of_pieces));

    // A stream of its own: the messages are sent as they were read.
    let mut again = Vec::new();
    let mut sent = Vec::new();
    for message in messages {
        if let Some(bytes) = encode(framing, limit, &message) {
            again.extend(bytes);
            sent.push(message);
        }
    }
    assert_eq!(decode(framing, limit, &[&again]), (sent, None));
});

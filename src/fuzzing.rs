//! What the fuzzers of `fuzz/` reach that is not public. Only they compile it.

pub use crate::ffi::all as c;

use crate::frame::{Envelope, Parser};
use crate::handshake::Greeting;
use crate::inbox::Inbox;
use crate::{Application, Framing, Status};
use std::convert::Infallible;

/// The messages of a stream that comes in these pieces, and why it did not come to its end, if so.
pub fn decode(framing: Framing, limit: usize, pieces: &[&[u8]]) -> (Vec<Vec<u8>>, Option<Status>) {
    let mut inbox = Inbox::new(Parser::new(framing, limit), None);
    let mut messages = Vec::new();
    for piece in pieces {
        let mut rest = *piece;
        while !rest.is_empty() {
            let Ok(taken) = inbox.fill::<Infallible>(|room| {
                let length = room.len().min(rest.len());
                room[..length].copy_from_slice(&rest[..length]);
                Ok((length, Vec::new(), false))
            });
            rest = &rest[taken..];
            loop {
                match inbox.first() {
                    Ok(Some(message)) => messages.push(message.to_vec()),
                    Ok(None) => break,
                    Err(error) => return (messages, Some(error.status())),
                }
                inbox.drop_first();
            }
        }
    }
    match inbox.last() {
        Ok(last) => messages.extend(last.map(<[u8]>::to_vec)),
        Err(error) => return (messages, Some(error.status())),
    }
    (messages, None)
}

/// A message as it is sent, if it can be.
pub fn encode(framing: Framing, limit: usize, message: &[u8]) -> Option<Vec<u8>> {
    let envelope = Envelope::new(framing, limit, message).ok()?;
    Some([envelope.head(), message, envelope.tail].concat())
}

/// What a peer's greeting says, and how it would be sent again: its length, limit, name, version, and bytes. None: it is not whole.
/// An error: it is not one.
pub fn greeting(bytes: &[u8]) -> Result<Option<(usize, Vec<u8>)>, Status> {
    let parsed = Greeting::parse(bytes).map_err(|error| error.status())?;
    Ok(parsed.map(|(greeting, length)| (length, greeting.encode())))
}

/// Whether one side would talk to the other, by what the other says first.
pub fn greet(ours: &Application, max_message: usize, theirs: &[u8]) -> Option<Status> {
    let ours = Greeting::new(ours, max_message).ok()?;
    let (theirs, _) = Greeting::parse(theirs).ok()??;
    Some(ours.check(&theirs).err().map_or(Status::Ok, |error| error.status()))
}

//! What both sides of a connection with checked frames say first.
//!
//! The format is described for other implementations in `docs/wire.md`.

use crate::crc32c::crc32c;
use crate::error::{Error, Result, Status};

/// What an application is, for the other side to compare with itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Application {
    /// Its name, at most 255 bytes. Both sides must have the same.
    pub name: String,
    /// The version of what its messages mean. Both sides must have the same.
    pub version: u32,
}

const MAGIC: [u8; 4] = *b"MOOR";
/// Of this handshake and of the frames after it.
const PROTOCOL: u16 = 1;
/// Magic 4, protocol 2, reserved 2, limit 4, version 4, length of the name 1.
const FIXED: usize = 17;
const CHECK: usize = 4;
const NAME_LIMIT: usize = 255;

/// One side's greeting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Greeting {
    pub application: Application,
    /// The largest message that this side takes.
    pub max_message: u32,
}

impl Greeting {
    pub fn new(application: &Application, max_message: usize) -> Result<Greeting> {
        let length = application.name.len();
        if length > NAME_LIMIT {
            let context = format!("an application's name of {length} bytes, {NAME_LIMIT} at most");
            return Err(Error::new(Status::InvalidArgument, context));
        }
        let max_message = u32::try_from(max_message).unwrap_or(u32::MAX);
        Ok(Greeting { application: application.clone(), max_message })
    }

    pub fn encode(&self) -> Vec<u8> {
        let name = self.application.name.as_bytes();
        let mut bytes = Vec::with_capacity(FIXED + name.len() + CHECK);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&PROTOCOL.to_be_bytes());
        bytes.extend_from_slice(&[0; 2]);
        bytes.extend_from_slice(&self.max_message.to_be_bytes());
        bytes.extend_from_slice(&self.application.version.to_be_bytes());
        // `new` has checked that it fits.
        bytes.push(name.len() as u8);
        bytes.extend_from_slice(name);
        let check = crc32c(&[&bytes]);
        bytes.extend_from_slice(&check.to_be_bytes());
        bytes
    }

    /// The greeting at the front of received bytes, and its length, once it is whole. What can't become one is refused at
    /// its first wrong byte.
    pub fn parse(bytes: &[u8]) -> Result<Option<(Greeting, usize)>> {
        let magic = &bytes[..bytes.len().min(MAGIC.len())];
        if !MAGIC.starts_with(magic) {
            let context = format!("handshake: the peer began with {magic:02x?}, not \"MOOR\"");
            return Err(Error::new(Status::Mismatch, context));
        }
        if let Some(&[high, low]) = bytes.get(4..6) {
            let theirs = u16::from_be_bytes([high, low]);
            if theirs != PROTOCOL {
                let context =
                    format!("handshake: the peer has protocol version {theirs}, this side {PROTOCOL}");
                return Err(Error::new(Status::Mismatch, context));
            }
        }
        let Some(fixed) = bytes.first_chunk::<FIXED>() else { return Ok(None) };
        let name_end = FIXED + usize::from(fixed[FIXED - 1]);
        let end = name_end + CHECK;
        let Some(&[c0, c1, c2, c3]) = bytes.get(name_end..end) else { return Ok(None) };
        if u32::from_be_bytes([c0, c1, c2, c3]) != crc32c(&[&bytes[..name_end]]) {
            return Err(Error::new(Status::Malformed, "handshake: the CRC32C is wrong"));
        }
        let number = |at: usize| u32::from_be_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]]);
        let name = String::from_utf8(bytes[FIXED..name_end].to_vec()).map_err(|_| {
            Error::new(Status::Malformed, "handshake: the name of the application is not UTF-8")
        })?;
        let application = Application { name, version: number(12) };
        Ok(Some((Greeting { application, max_message: number(8) }, end)))
    }

    /// How many bytes a greeting has still to have that begins with these, as far as they say.
    pub fn missing(bytes: &[u8]) -> usize {
        let end = match bytes.get(FIXED - 1) {
            Some(name_length) => FIXED + usize::from(*name_length) + CHECK,
            None => FIXED,
        };
        end.saturating_sub(bytes.len())
    }

    /// That the peer is the same application, of the same version.
    pub fn check(&self, theirs: &Greeting) -> Result<()> {
        if self.application == theirs.application {
            return Ok(());
        }
        let (ours, theirs) = (&self.application, &theirs.application);
        let context = format!(
            "handshake: the peer is \"{}\" version {}, this side \"{}\" version {}",
            theirs.name, theirs.version, ours.name, ours.version
        );
        Err(Error::new(Status::Mismatch, context))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn greeting(name: &str, version: u32) -> Greeting {
        Greeting::new(&Application { name: name.to_owned(), version }, 0x0506_0708).unwrap()
    }

    #[test]
    fn a_greeting_is_read_back_from_any_prefix_on() {
        for name in ["", "editor", &"n".repeat(255)] {
            let mine = greeting(name, 0x0102_0304);
            let bytes = mine.encode();
            assert_eq!(bytes[..16], *b"MOOR\0\x01\0\0\x05\x06\x07\x08\x01\x02\x03\x04");
            assert_eq!(usize::from(bytes[16]), name.len());
            for length in 0..bytes.len() {
                assert_eq!(Greeting::parse(&bytes[..length]).unwrap(), None);
            }
            let more = [&bytes[..], b"rest"].concat();
            assert_eq!(Greeting::parse(&more).unwrap(), Some((mine, bytes.len())));
        }
        let long = Application { name: "n".repeat(256), version: 0 };
        assert_eq!(Greeting::new(&long, 1).unwrap_err().status(), Status::InvalidArgument);
    }

    #[test]
    fn a_name_that_is_no_text_is_not_taken_for_another() {
        let mut bytes = greeting("editor", 7).encode();
        bytes.truncate(FIXED + "editor".len());
        bytes[FIXED] = 0xff;
        let check = crc32c(&[&bytes]);
        bytes.extend(check.to_be_bytes());
        let error = Greeting::parse(&bytes).unwrap_err();
        assert_eq!(error.status(), Status::Malformed);
        assert!(error.to_string().contains("UTF-8"), "{error}");
    }

    #[test]
    fn what_differs_is_said_of_both_sides() {
        let mut bytes = greeting("editor", 7).encode();
        let error = greeting("editor", 8).check(&greeting("editor", 7)).unwrap_err();
        assert_eq!(error.status(), Status::Mismatch);
        let text = error.to_string();
        assert!(text.contains("version 7") && text.contains("version 8"), "{text}");
        assert!(greeting("other", 7).check(&greeting("editor", 7)).is_err());

        bytes[12] ^= 1;
        assert_eq!(Greeting::parse(&bytes).unwrap_err().status(), Status::Malformed);
        bytes[5] = 9;
        let error = Greeting::parse(&bytes[..6]).unwrap_err();
        assert_eq!(error.status(), Status::Mismatch);
        assert!(error.to_string().contains("version 9"), "{error}");
        assert_eq!(Greeting::parse(b"GET").unwrap_err().status(), Status::Mismatch);
        assert_eq!(Greeting::parse(b"MO").unwrap(), None);
    }
}

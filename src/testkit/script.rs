//! What a fixture expects of its peer and answers, as text. The language is described in `docs/script-language.md`.

use super::text::{duration, quote, show_duration, text_of, unquote, visible};
use crate::error::{Error, Result, Status};
use crate::frame::{DEFAULT_MAX_MESSAGE, Envelope, Framing};
use std::fmt;
use std::time::Duration;

/// A step of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// These bytes come, within so long.
    Expect(Vec<u8>, Duration),
    /// The peer ends its sending, within so long.
    ExpectEnd(Duration),
    Send(Vec<u8>),
    Wait(Duration),
    /// End the sending.
    End,
    /// End the connection when everything was sent.
    Close,
    /// End the connection at once.
    Reset,
    /// Send back what comes, until the peer ends its sending.
    Echo,
    /// Take what comes, until the peer ends its sending.
    Sink,
    /// Send so many bytes, or without end, until the peer has left.
    Flood(Option<u64>),
}

/// A step, and the line that it is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub number: usize,
    pub step: Step,
}

/// What a fixture does on each of its connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    pub(super) lines: Vec<Line>,
}

/// How long the peer may take, unless the script says otherwise.
const PATIENCE: Duration = Duration::from_secs(10);

impl Script {
    /// Reads a script.
    ///
    /// # Errors
    ///
    /// `InvalidArgument`: it is none; the text names the line and what is wrong in it.
    pub fn parse(text: impl AsRef<[u8]>) -> Result<Script> {
        let wrong = |line: usize, what: &str| {
            Error::new(Status::InvalidArgument, format!("script, line {line}: {}", visible(what)))
        };
        let text = text_of(text.as_ref()).map_err(|(line, what)| wrong(line, what))?;
        let mut reader = Reader { patience: PATIENCE, framing: None };
        let mut lines = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let number = index + 1;
            let step = reader.read(line.trim()).map_err(|what| wrong(number, &what))?;
            lines.extend(step.map(|step| Line { number, step }));
        }
        Ok(Script { lines })
    }

    /// Sends back whatever comes.
    pub fn echo() -> Script {
        Script { lines: vec![Line { number: 1, step: Step::Echo }] }
    }

    /// Takes whatever comes.
    pub fn sink() -> Script {
        Script { lines: vec![Line { number: 1, step: Step::Sink }] }
    }

    /// Sends as much as the peer takes, so many bytes, or without end. The bytes count up from 0 to 250 and begin again.
    pub fn flood(bytes: Option<u64>) -> Script {
        Script { lines: vec![Line { number: 1, step: Step::Flood(bytes) }] }
    }
}

/// What the lines so far have set.
struct Reader {
    patience: Duration,
    framing: Option<Framing>,
}

impl Reader {
    /// The step of a line, if it has one.
    fn read(&mut self, line: &str) -> Result<Option<Step>, String> {
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim();
        let step = match word {
            "" => return Ok(None),
            _ if word.starts_with('#') => return Ok(None),
            "framing" => {
                self.framing = Some(match rest {
                    "big-endian" => Framing::BigEndian,
                    "little-endian" => Framing::LittleEndian,
                    "lines" => Framing::Lines,
                    other => {
                        return Err(format!("framing is big-endian, little-endian or lines, not {other}"));
                    }
                });
                return Ok(None);
            }
            "within" => {
                self.patience = duration(rest)?;
                return Ok(None);
            }
            "expect" => {
                let (bytes, within) = self.text_and_patience(rest)?;
                Step::Expect(not_empty(bytes)?, within)
            }
            "expect-message" => {
                let (bytes, within) = self.text_and_patience(rest)?;
                Step::Expect(self.message(&bytes)?, within)
            }
            "expect-end" => Step::ExpectEnd(self.patience_of(rest)?),
            "send" => Step::Send(not_empty(only_text(rest)?)?),
            "send-message" => Step::Send(self.message(&only_text(rest)?)?),
            "wait" => Step::Wait(duration(rest)?),
            "flood" if rest.is_empty() => Step::Flood(None),
            "flood" => Step::Flood(Some(
                rest.parse().map_err(|_| format!("flood takes a number of bytes, not {rest}"))?,
            )),
            "end" | "close" | "reset" | "echo" | "sink" if !rest.is_empty() => {
                return Err(format!("{word} stands alone, without {rest}"));
            }
            "end" => Step::End,
            "close" => Step::Close,
            "reset" => Step::Reset,
            "echo" => Step::Echo,
            "sink" => Step::Sink,
            other => return Err(format!("there is no step {other}")),
        };
        Ok(Some(step))
    }

    fn text_and_patience(&self, rest: &str) -> Result<(Vec<u8>, Duration), String> {
        let (bytes, rest) = unquote(rest)?;
        Ok((bytes, self.patience_of(rest.trim())?))
    }

    /// The duration after "within", or the one set before.
    fn patience_of(&self, rest: &str) -> Result<Duration, String> {
        match rest.split_once(char::is_whitespace) {
            _ if rest.is_empty() => Ok(self.patience),
            Some(("within", text)) => duration(text.trim()),
            _ => Err(format!("only \"within\" and a duration may follow, not {rest}")),
        }
    }

    fn message(&self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        let framing = self.framing.ok_or("a line \"framing\" must come before the first message")?;
        let envelope = Envelope::new(framing, DEFAULT_MAX_MESSAGE, bytes)
            .map_err(|error| error.context().map_or_else(|| error.to_string(), str::to_owned))?;
        Ok([envelope.head(), bytes, envelope.tail].concat())
    }
}

fn only_text(rest: &str) -> Result<Vec<u8>, String> {
    match unquote(rest)? {
        (bytes, "") => Ok(bytes),
        (_, more) => Err(format!("nothing may follow the text, not {more}")),
    }
}

fn not_empty(bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    if bytes.is_empty() { Err("the text is empty".to_owned()) } else { Ok(bytes) }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Expect(bytes, within) => {
                write!(f, "expect {} within {}", quote(bytes), show_duration(*within))
            }
            Step::ExpectEnd(within) => write!(f, "expect-end within {}", show_duration(*within)),
            Step::Send(bytes) => write!(f, "send {}", quote(bytes)),
            Step::Wait(duration) => write!(f, "wait {}", show_duration(*duration)),
            Step::End => f.write_str("end"),
            Step::Close => f.write_str("close"),
            Step::Reset => f.write_str("reset"),
            Step::Echo => f.write_str("echo"),
            Step::Sink => f.write_str("sink"),
            Step::Flood(None) => f.write_str("flood"),
            Step::Flood(Some(bytes)) => write!(f, "flood {bytes}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_framed_as_was_said() {
        for (framing, framed) in
            [("big-endian", &b"\0\0\0\x01y"[..]), ("little-endian", b"\x01\0\0\0y"), ("lines", b"y\n")]
        {
            let script = Script::parse(format!("framing {framing}\nsend-message \"y\"")).unwrap();
            assert_eq!(script.lines, [Line { number: 2, step: Step::Send(framed.to_vec()) }]);
        }
    }

    #[test]
    fn every_step_is_read() {
        let script = Script::parse(
            "# a comment\n\nframing lines\nwithin 200ms\nexpect \"a b\"\n  expect-message \"x\" within 3s\n\
             send \"\\x00\"\nsend-message \"y\"\nwait 5us\nexpect-end\nend\nclose\nreset\necho\nsink\nflood\nflood 7",
        )
        .unwrap();
        let second = Duration::from_secs(1);
        let expected = [
            (5, Step::Expect(b"a b".to_vec(), second / 5)),
            (6, Step::Expect(b"x\n".to_vec(), 3 * second)),
            (7, Step::Send(b"\0".to_vec())),
            (8, Step::Send(b"y\n".to_vec())),
            (9, Step::Wait(Duration::from_micros(5))),
            (10, Step::ExpectEnd(second / 5)),
            (11, Step::End),
            (12, Step::Close),
            (13, Step::Reset),
            (14, Step::Echo),
            (15, Step::Sink),
            (16, Step::Flood(None)),
            (17, Step::Flood(Some(7))),
        ];
        let lines: Vec<_> = script.lines.into_iter().map(|line| (line.number, line.step)).collect();
        assert_eq!(lines, expected);
    }

    #[test]
    fn mistakes_are_named_with_their_lines() {
        for (text, what) in [
            ("send", "line 1: a text in quotes is missing"),
            ("\nsend \"\"", "line 2: the text is empty"),
            ("send \"x\" y", "line 1: nothing may follow"),
            ("expect \"x\" 5ms", "line 1: only \"within\""),
            ("expect \"x\" within 5", "line 1: a duration"),
            ("send-message \"x\"", "line 1: a line \"framing\""),
            ("framing checked", "line 1: framing is"),
            ("framing lines\nsend-message \"a\\n\"", "line 2: send a line"),
            ("end now", "line 1: end stands alone"),
            ("jump", "line 1: there is no step jump"),
            ("flood x", "line 1: flood takes"),
        ] {
            let error = Script::parse(text).unwrap_err();
            assert_eq!(error.status(), Status::InvalidArgument);
            assert!(error.to_string().contains(what), "{error}");
            assert_eq!(error.to_string().matches("an argument is invalid").count(), 1, "{error}");
        }
        for (text, what) in [
            ("send \"x\" \u{1b}[2Jy", "\\u{1b}[2Jy"),
            ("ju\u{200b}mp", "no step ju\\u{200b}mp"),
            ("\u{feff}echo", "line 1: it begins with a byte order mark"),
        ] {
            let error = Script::parse(text).unwrap_err().to_string();
            assert!(error.contains(what) && !error.contains(char::is_control), "{error:?}");
        }
        let error = Script::parse(b"echo\n\xff").unwrap_err();
        assert!(error.to_string().starts_with("script, line 2: it is not UTF-8"), "{error}");
    }
}

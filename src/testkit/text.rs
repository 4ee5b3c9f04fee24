//! Bytes as text that people read and write: transcripts, scripts, recordings.

use std::fmt::Write;
use std::time::Duration;

/// Bytes in quotes: printable ASCII as it is, the rest as escapes that scripts have too.
pub fn quote(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() + 2);
    text.push('"');
    for byte in bytes {
        match byte {
            b'"' => text.push_str("\\\""),
            b'\\' => text.push_str("\\\\"),
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            b' '..=b'~' => text.push(char::from(*byte)),
            _ => {
                // Writing to a string does not fail.
                let _ = write!(text, "\\x{byte:02x}");
            }
        }
    }
    text.push('"');
    text
}

/// Bytes in quotes, at most so many of them, with the number of those that are left out.
pub fn excerpt(bytes: &[u8], most: usize) -> String {
    match bytes.len().checked_sub(most) {
        None | Some(0) => quote(bytes),
        Some(more) => format!("{} and {more} bytes more", quote(&bytes[..most])),
    }
}

/// The bytes of a quoted text, and what follows it. Escapes: `\n`, `\r`, `\t`, `\0`, `\\`, `\"`, and `\x` with two digits.
pub(super) fn unquote(text: &str) -> Result<(Vec<u8>, &str), String> {
    let body = text.strip_prefix('"').ok_or_else(|| format!("a text in quotes is missing at: {text}"))?;
    let mut bytes = Vec::new();
    let mut rest = body.char_indices();
    while let Some((at, character)) = rest.next() {
        match character {
            '"' => return Ok((bytes, &body[at + 1..])),
            '\\' => match rest.next() {
                Some((_, 'n')) => bytes.push(b'\n'),
                Some((_, 'r')) => bytes.push(b'\r'),
                Some((_, 't')) => bytes.push(b'\t'),
                Some((_, '0')) => bytes.push(0),
                Some((_, same @ ('\\' | '"'))) => bytes.push(same as u8),
                Some((at, 'x')) => {
                    let digits = body.get(at + 1..at + 3).and_then(|digits| unhex(digits).ok());
                    let [byte] = digits.as_deref().unwrap_or_default() else {
                        return Err("\\x needs two hexadecimal digits".to_owned());
                    };
                    bytes.push(*byte);
                    rest.nth(1);
                }
                Some((_, other)) => return Err(format!("there is no escape \\{other}")),
                None => break,
            },
            other => bytes.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Err("a text in quotes has no end".to_owned())
}

/// A file's bytes as text, or the line, from 1, in which they are none, and what is wrong there.
pub(super) fn text_of(bytes: &[u8]) -> Result<&str, (usize, &'static str)> {
    if bytes.starts_with(b"\xef\xbb\xbf") {
        return Err((1, "it begins with a byte order mark, of which nothing can be seen"));
    }
    std::str::from_utf8(bytes).map_err(|error| {
        (memchr::memchr_iter(b'\n', &bytes[..error.valid_up_to()]).count() + 1, "it is not UTF-8")
    })
}

/// A text that repeats what was read: what cannot be seen there, or would move the cursor of a terminal or colour it, is shown as an
/// escape.
pub(super) fn visible(text: &str) -> String {
    let mut visible = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' | '\'' | '\\' => visible.push(character),
            _ => visible.extend(character.escape_debug()),
        }
    }
    visible
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let pairs = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    pairs.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

/// The bytes of hexadecimal digits.
pub(super) fn unhex(text: &str) -> Result<Vec<u8>, String> {
    let digit = |digit: u8| char::from(digit).to_digit(16).map(|value| value as u8);
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    };
    text.as_bytes()
        .chunks(2)
        .map(|chunk| {
            pair(chunk).ok_or_else(|| format!("these are no pairs of hexadecimal digits: {text:.20}"))
        })
        .collect()
}

/// A duration with its unit: `us`, `ms` or `s`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let split = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let make = match unit {
        "us" => Duration::from_micros,
        "ms" => Duration::from_millis,
        "s" => Duration::from_secs,
        _ => return Err(format!("a duration is a number with us, ms or s, not {text}")),
    };
    number.parse().map(make).map_err(|_| format!("the number of a duration is missing or too large: {text}"))
}

/// A duration as [`duration`] reads it, in the largest unit that says it whole.
pub(super) fn show_duration(duration: Duration) -> String {
    let micros = duration.as_micros();
    match micros {
        _ if micros.is_multiple_of(1_000_000) => format!("{}s", micros / 1_000_000),
        _ if micros.is_multiple_of(1000) => format!("{}ms", micros / 1000),
        _ => format!("{micros}us"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_quoted_is_read_again(bytes in proptest::collection::vec(any::<u8>(), 0..50), rest in ".{0,5}") {
            let text = quote(&bytes) + &rest;
            prop_assert_eq!(unquote(&text), Ok((bytes.clone(), rest.as_str())));
            prop_assert_eq!(unhex(&hex(&bytes)), Ok(bytes));
        }

        #[test]
        fn no_text_is_a_surprise(text in ".{0,30}") {
            let _ = (unquote(&text), unhex(&text), duration(&text));
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (text, what) in
            [("x", "quotes"), ("\"x", "no end"), ("\"\\q\"", "\\q"), ("\"\\x1\"", "two"), ("\"\\", "no end")]
        {
            assert!(unquote(text).unwrap_err().contains(what), "{text}");
        }
        assert_eq!(unquote("\"\u{e4}\\0\" b").unwrap(), (vec![0xc3, 0xa4, 0], " b"));
        assert!(unhex("abc").is_err() && unhex("xy").is_err());
        assert_eq!(text_of(b"a\n\nb\xff\n\xff"), Err((3, "it is not UTF-8")));
        assert!(text_of("\u{feff}a\n".as_bytes()).unwrap_err().1.contains("byte order mark"));
        assert_eq!(
            visible("\"\u{e4}\u{20ac}\" '\\' \u{1b}[2J\r\t\u{200b}"),
            "\"\u{e4}\u{20ac}\" '\\' \\u{1b}[2J\\r\\t\\u{200b}"
        );
    }

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("200ms"), Ok(Duration::from_millis(200)));
        assert_eq!(duration("3s"), Ok(Duration::from_secs(3)));
        assert_eq!(duration("5us"), Ok(Duration::from_micros(5)));
        for wrong in ["", "5", "ms", "5 ms", "99999999999999999999s", "-1s"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
        for shown in ["1500ms", "3s", "5us"] {
            assert_eq!(show_duration(duration(shown).unwrap()), shown);
        }
        assert_eq!(excerpt(b"hello", 2), "\"he\" and 3 bytes more");
    }
}

//! What can go wrong, as a value: [`Error`] with its numbered [`Status`].

use std::any::Any;
use std::{fmt, io};

/// The kind of an outcome, numbered for the C ABI. Values are only ever appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(i32)]
pub enum Status {
    /// It worked.
    Ok = 0,
    /// The call would have had to wait, and was told not to.
    WouldBlock = 1,
    /// The deadline passed.
    TimedOut = 2,
    /// This side closed or destroyed the object, perhaps while the call was waiting.
    Closed = 3,
    /// The peer has gone, and all that it sent was read.
    Disconnected = 4,
    /// The handle was destroyed, or never was one (C ABI only).
    StaleHandle = 5,
    /// The handle belongs to another type (C ABI only).
    WrongKind = 6,
    /// An argument is out of its range.
    InvalidArgument = 7,
    /// The object is not in a state in which the call makes sense.
    InvalidState = 8,
    /// The name can't be one.
    NameInvalid = 9,
    /// The name is longer than the system allows.
    NameTooLong = 10,
    /// Somebody serves that name, or something that is no socket has it.
    NameInUse = 11,
    /// There is nothing of that name, or its directory is missing.
    NotFound = 12,
    /// The system forbids it, or the trust that was asked for, or the peer takes no descriptors.
    PermissionDenied = 13,
    /// The name is there, but nobody listens.
    ConnectionRefused = 14,
    /// Descriptors, memory or a limit of an option are used up.
    LimitReached = 15,
    /// A message is larger than agreed.
    MessageTooLarge = 16,
    /// The peer sent something that the protocol does not allow.
    Malformed = 17,
    /// What came back is not what was sent, or the two sides disagree.
    Mismatch = 18,
    /// This system can't do it.
    NotSupported = 19,
    /// A callback asked to stop.
    Cancelled = 20,
    /// The caller's buffer can't hold the result.
    BufferTooSmall = 21,
    /// The system refused for a reason that has no status of its own.
    OsError = 22,
    /// A bug: a panic that was caught.
    Internal = 23,
    /// A validator or a policy of this side refused it.
    Refused = 24,
}

impl Status {
    /// The status of this number, if there is one.
    pub fn from_code(code: i32) -> Option<Status> {
        Self::ALL.iter().copied().find(|status| status.code() == code)
    }

    /// The number that the C ABI uses.
    pub const fn code(self) -> i32 {
        self as i32
    }

    /// The name without prefix, as in the C header: `NAME_IN_USE`.
    pub const fn name(self) -> &'static std::ffi::CStr {
        match self {
            Status::Ok => c"OK",
            Status::WouldBlock => c"WOULD_BLOCK",
            Status::TimedOut => c"TIMED_OUT",
            Status::Closed => c"CLOSED",
            Status::Disconnected => c"DISCONNECTED",
            Status::StaleHandle => c"STALE_HANDLE",
            Status::WrongKind => c"WRONG_KIND",
            Status::InvalidArgument => c"INVALID_ARGUMENT",
            Status::InvalidState => c"INVALID_STATE",
            Status::NameInvalid => c"NAME_INVALID",
            Status::NameTooLong => c"NAME_TOO_LONG",
            Status::NameInUse => c"NAME_IN_USE",
            Status::NotFound => c"NOT_FOUND",
            Status::PermissionDenied => c"PERMISSION_DENIED",
            Status::ConnectionRefused => c"CONNECTION_REFUSED",
            Status::LimitReached => c"LIMIT_REACHED",
            Status::MessageTooLarge => c"MESSAGE_TOO_LARGE",
            Status::Malformed => c"MALFORMED",
            Status::Mismatch => c"MISMATCH",
            Status::NotSupported => c"NOT_SUPPORTED",
            Status::Cancelled => c"CANCELLED",
            Status::BufferTooSmall => c"BUFFER_TOO_SMALL",
            Status::OsError => c"OS_ERROR",
            Status::Internal => c"INTERNAL",
            Status::Refused => c"REFUSED",
        }
    }

    /// Every status, in the order of their numbers.
    pub const ALL: &'static [Status] = &[
        Status::Ok,
        Status::WouldBlock,
        Status::TimedOut,
        Status::Closed,
        Status::Disconnected,
        Status::StaleHandle,
        Status::WrongKind,
        Status::InvalidArgument,
        Status::InvalidState,
        Status::NameInvalid,
        Status::NameTooLong,
        Status::NameInUse,
        Status::NotFound,
        Status::PermissionDenied,
        Status::ConnectionRefused,
        Status::LimitReached,
        Status::MessageTooLarge,
        Status::Malformed,
        Status::Mismatch,
        Status::NotSupported,
        Status::Cancelled,
        Status::BufferTooSmall,
        Status::OsError,
        Status::Internal,
        Status::Refused,
    ];

    const fn explanation(self) -> &'static str {
        match self {
            Status::Ok => "no error",
            Status::WouldBlock => "the call would have to wait",
            Status::TimedOut => "the deadline has passed",
            Status::Closed => "this side closed it",
            Status::Disconnected => "the peer has gone",
            Status::StaleHandle => "the handle was destroyed or never was one",
            Status::WrongKind => "the handle is of another type",
            Status::InvalidArgument => "an argument is invalid",
            Status::InvalidState => "the object is in the wrong state for this call",
            Status::NameInvalid => "the name is invalid",
            Status::NameTooLong => "the name is too long",
            Status::NameInUse => "the name is in use",
            Status::NotFound => "nothing of that name",
            Status::PermissionDenied => "permission denied",
            Status::ConnectionRefused => "nobody listens",
            Status::LimitReached => "a limit is reached",
            Status::MessageTooLarge => "the message is too large",
            Status::Malformed => "the peer broke the protocol",
            Status::Mismatch => "the two sides disagree",
            Status::NotSupported => "not supported on this system",
            Status::Cancelled => "cancelled",
            Status::BufferTooSmall => "the buffer is too small",
            Status::OsError => "the system reported an error",
            Status::Internal => "internal error",
            Status::Refused => "refused",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.explanation())
    }
}

/// A failure: its [`Status`], what was tried on what, and the system's own error if there was one.
///
/// The errors of the path of a byte (`WouldBlock`, `TimedOut`, `Closed`, `Disconnected`) are made without
/// allocating.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.text())]
pub struct Error {
    status: Status,
    detail: Option<Box<Detail>>,
}

#[derive(Debug)]
struct Detail {
    context: String,
    os: Option<io::Error>,
}

/// What the library's functions return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error that says what was tried, and on what. Control characters, as a name may have them, become escapes, so that nothing in
    /// it begins a line of a log or moves the cursor of a terminal.
    #[cold]
    pub fn new(status: Status, context: impl Into<String>) -> Self {
        let detail = Detail { context: in_one_line(context.into()), os: None };
        Error { status, detail: Some(Box::new(detail)) }
    }

    /// An error of the system, with what was tried; the status follows from the system's code.
    #[cold]
    pub(crate) fn os(error: impl Into<io::Error>, context: impl Into<String>) -> Self {
        let error = error.into();
        Error::os_as(crate::sys::status_of(&error), error, context)
    }

    /// As [`Error::os`], where the caller knows the status better than the code tells.
    #[cold]
    pub(crate) fn os_as(status: Status, error: impl Into<io::Error>, context: impl Into<String>) -> Self {
        let detail = Detail { context: in_one_line(context.into()), os: Some(error.into()) };
        Error { status, detail: Some(Box::new(detail)) }
    }

    /// Its kind.
    pub fn status(&self) -> Status {
        self.status
    }

    /// The system's error code (`errno` on Unix), if the system had a part in it.
    pub fn os_error(&self) -> Option<i32> {
        self.detail.as_ref()?.os.as_ref()?.raw_os_error()
    }

    /// What was tried, and on what, without the words of the status; for who says more exactly what is wrong.
    pub fn context(&self) -> Option<&str> {
        self.detail.as_ref().map(|detail| detail.context.as_str())
    }

    /// As [`Error::new`], of a text that has lines: a list or a transcript, in which what others chose is escaped already, or what a test
    /// itself says.
    #[cold]
    pub(crate) fn in_lines(status: Status, text: &str) -> Self {
        let context =
            text.split('\n').map(|line| in_one_line(line.to_owned())).collect::<Vec<_>>().join("\n");
        Error { status, detail: Some(Box::new(Detail { context, os: None })) }
    }

    /// The same error with more said in front of it: where it happened.
    #[cold]
    pub(crate) fn within(self, place: &str) -> Self {
        let place = in_one_line(place.to_owned());
        let (context, os) = match self.detail {
            Some(detail) => (format!("{place}: {}", detail.context), detail.os),
            None => (place, None),
        };
        Error { status: self.status, detail: Some(Box::new(Detail { context, os })) }
    }

    /// The same, for one more who asks.
    #[cold]
    pub(crate) fn again(&self) -> Self {
        let once_more = |os: &io::Error| match os.raw_os_error() {
            Some(code) => io::Error::from_raw_os_error(code),
            None => io::Error::new(os.kind(), os.to_string()),
        };
        let copy = |detail: &Detail| {
            Box::new(Detail { context: detail.context.clone(), os: detail.os.as_ref().map(once_more) })
        };
        Error { status: self.status, detail: self.detail.as_deref().map(copy) }
    }

    fn kind(&self) -> io::ErrorKind {
        use io::ErrorKind;
        match self.status {
            Status::WouldBlock => ErrorKind::WouldBlock,
            Status::TimedOut => ErrorKind::TimedOut,
            Status::Closed => ErrorKind::NotConnected,
            Status::Disconnected => ErrorKind::UnexpectedEof,
            Status::InvalidArgument | Status::NameInvalid => ErrorKind::InvalidInput,
            Status::NameTooLong => ErrorKind::InvalidFilename,
            Status::NameInUse => ErrorKind::AddrInUse,
            Status::NotFound => ErrorKind::NotFound,
            Status::PermissionDenied | Status::Refused => ErrorKind::PermissionDenied,
            Status::ConnectionRefused => ErrorKind::ConnectionRefused,
            Status::Malformed | Status::Mismatch | Status::MessageTooLarge => ErrorKind::InvalidData,
            Status::NotSupported => ErrorKind::Unsupported,
            // Not Interrupted, of Cancelled: who gets that tries again.
            _ => ErrorKind::Other,
        }
    }

    fn text(&self) -> String {
        match &self.detail {
            None => self.status.to_string(),
            Some(detail) => match &detail.os {
                None => format!("{}: {}", detail.context, self.status),
                Some(os) => format!("{}: {} ({os})", detail.context, self.status),
            },
        }
    }
}

/// For who has to do with errors of the standard library: the kind that is nearest, with this as its inner error. `Disconnected` is what
/// a read calls an unexpected end. What no kind says is `Other`.
impl From<Error> for io::Error {
    #[cold]
    fn from(error: Error) -> Self {
        io::Error::new(error.kind(), error)
    }
}

/// What a panic that was caught has said, if that was a text.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> Option<&str> {
    panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str))
}

fn in_one_line(text: String) -> String {
    if !text.contains(char::is_control) {
        return text;
    }
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            line.extend(character.escape_debug());
        } else {
            line.push(character);
        }
    }
    line
}

impl From<Status> for Error {
    #[cold]
    fn from(status: Status) -> Self {
        Error { status, detail: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_distinct_and_round_trip() {
        for (index, status) in Status::ALL.iter().enumerate() {
            assert_eq!(status.code(), index as i32);
            assert_eq!(Status::from_code(status.code()), Some(*status));
        }
        let names: std::collections::HashSet<_> = Status::ALL.iter().map(|s| s.name()).collect();
        assert_eq!(names.len(), Status::ALL.len());
        assert_eq!(Status::from_code(-1), None);
    }

    #[test]
    fn text_has_context_status_and_the_systems_words() {
        let refused = io::Error::from_raw_os_error(libc::ECONNREFUSED);
        let error = Error::os(refused, "connect to /tmp/x");
        assert_eq!(error.status(), Status::ConnectionRefused);
        assert_eq!(error.os_error(), Some(libc::ECONNREFUSED));
        assert_eq!(
            (error.context(), Error::from(Status::Closed).context()),
            (Some("connect to /tmp/x"), None)
        );
        let text = error.within("test").to_string();
        assert!(text.starts_with("test: connect to /tmp/x: nobody listens ("), "{text}");
    }

    #[test]
    fn whatever_names_are_in_it_its_text_is_one_line() {
        let refused = io::Error::from_raw_os_error(libc::ECONNREFUSED);
        let name = "/tmp/a\nERROR b\u{1b}[2J\u{e4}\\";
        for error in [
            Error::new(Status::ConnectionRefused, format!("connect to {name}")),
            Error::os(refused, format!("connect to {name}")),
            Error::from(Status::ConnectionRefused).within(name),
        ] {
            let text = error.within(name).to_string();
            assert!(!text.contains(char::is_control), "{text:?}");
            assert_eq!(text.matches("/tmp/a\\nERROR b\\u{1b}[2J\u{e4}\\").count(), 2, "{text}");
        }
    }

    #[test]
    fn a_text_of_lines_has_these_lines_and_no_other_controls() {
        let error = Error::in_lines(Status::Mismatch, "first\n\tb\u{1b}[2J\n");
        assert_eq!(error.context(), Some("first\n\\tb\\u{1b}[2J\n"));
    }

    #[test]
    fn errors_of_the_byte_path_are_small_and_allocate_nothing() {
        assert!(std::mem::size_of::<Error>() <= 16);
        assert!(Error::from(Status::WouldBlock).detail.is_none());
    }
}

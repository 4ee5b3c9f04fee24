//! `moorline_status`: the numbers of [`crate::Status`].

use super::guard::guard_or;
use crate::error::Status;
use std::ffi::c_char;

/// What a function answers: one of the values of `moorline_status_code`. An integer, because a later version may know more
/// values than this one.
#[allow(non_camel_case_types)]
pub type moorline_status = i32;

/// The values of `moorline_status`. New ones are only ever appended.
#[allow(non_camel_case_types, clippy::upper_case_acronyms, dead_code)]
#[derive(Clone, Copy)]
#[repr(i32)]
pub enum moorline_status_code {
    /// It worked.
    MOORLINE_OK = 0,
    /// The call would have had to wait, and its timeout was 0.
    MOORLINE_WOULD_BLOCK = 1,
    /// The timeout passed.
    MOORLINE_TIMED_OUT = 2,
    /// This side closed or destroyed the object, perhaps while the call was waiting.
    MOORLINE_CLOSED = 3,
    /// The peer has gone, and all that it sent was read.
    MOORLINE_DISCONNECTED = 4,
    /// The handle was destroyed, or never was one.
    MOORLINE_STALE_HANDLE = 5,
    /// The handle is one of another type.
    MOORLINE_WRONG_KIND = 6,
    /// NULL where something is needed, or a number out of its range.
    MOORLINE_INVALID_ARGUMENT = 7,
    /// The object is not in a state in which the call makes sense.
    MOORLINE_INVALID_STATE = 8,
    /// The name can't be one.
    MOORLINE_NAME_INVALID = 9,
    /// The name is longer than the system allows.
    MOORLINE_NAME_TOO_LONG = 10,
    /// Somebody serves that name, or something that is no socket has it.
    MOORLINE_NAME_IN_USE = 11,
    /// There is nothing of that name, or its directory is missing.
    MOORLINE_NOT_FOUND = 12,
    /// The system forbids it, or the trust that was asked for, or the peer takes no descriptors.
    MOORLINE_PERMISSION_DENIED = 13,
    /// The name is there, but nobody listens.
    MOORLINE_CONNECTION_REFUSED = 14,
    /// Descriptors, memory or a limit of an option are used up.
    MOORLINE_LIMIT_REACHED = 15,
    /// A message is larger than agreed.
    MOORLINE_MESSAGE_TOO_LARGE = 16,
    /// The peer sent something that the protocol does not allow.
    MOORLINE_MALFORMED = 17,
    /// What came back is not what was sent, or the two sides disagree.
    MOORLINE_MISMATCH = 18,
    /// This system can't do it.
    MOORLINE_NOT_SUPPORTED = 19,
    /// A callback asked to stop.
    MOORLINE_CANCELLED = 20,
    /// The caller's buffer can't hold the result.
    MOORLINE_BUFFER_TOO_SMALL = 21,
    /// The system refused for a reason that has no status of its own; moorline_last_os_error tells its number.
    MOORLINE_OS_ERROR = 22,
    /// A bug of the library: a panic that was caught.
    MOORLINE_INTERNAL = 23,
    /// A validator or a policy of this side refused it.
    MOORLINE_REFUSED = 24,
}

/// The name of a status without its prefix, as "NAME_IN_USE".
///
/// @param status  any number
/// @return static text; "UNKNOWN" for a number that this version does not know
///
/// Does not block. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn moorline_status_name(status: moorline_status) -> *const c_char {
    guard_or(c"UNKNOWN".as_ptr(), || Status::from_code(status).map(|status| status.name().as_ptr()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_and_core_have_the_same_numbers() {
        use moorline_status_code::*;
        let header = [
            MOORLINE_OK,
            MOORLINE_WOULD_BLOCK,
            MOORLINE_TIMED_OUT,
            MOORLINE_CLOSED,
            MOORLINE_DISCONNECTED,
            MOORLINE_STALE_HANDLE,
            MOORLINE_WRONG_KIND,
            MOORLINE_INVALID_ARGUMENT,
            MOORLINE_INVALID_STATE,
            MOORLINE_NAME_INVALID,
            MOORLINE_NAME_TOO_LONG,
            MOORLINE_NAME_IN_USE,
            MOORLINE_NOT_FOUND,
            MOORLINE_PERMISSION_DENIED,
            MOORLINE_CONNECTION_REFUSED,
            MOORLINE_LIMIT_REACHED,
            MOORLINE_MESSAGE_TOO_LARGE,
            MOORLINE_MALFORMED,
            MOORLINE_MISMATCH,
            MOORLINE_NOT_SUPPORTED,
            MOORLINE_CANCELLED,
            MOORLINE_BUFFER_TOO_SMALL,
            MOORLINE_OS_ERROR,
            MOORLINE_INTERNAL,
            MOORLINE_REFUSED,
        ];
        assert_eq!(
            header.map(|code| code as i32)[..],
            Status::ALL.iter().map(|s| s.code()).collect::<Vec<_>>()
        );
    }
}

//! The library as a whole: version, last error, live handles.

use super::arguments::{Out, OutText, string};
use super::guard::{guard, guard_or, last_error};
use super::handle;
use super::status::moorline_status;
use crate::error::Error;
use std::ffi::{CStr, OsString, c_char, c_void};

const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
    Ok(version) => version,
    Err(_) => c"",
};

/// Changes when a caller has to be compiled anew; the soname has it too.
pub const MOORLINE_ABI_VERSION: u32 = 0;

/// The version of the library that is loaded, as "0.1.0". The header's own is in MOORLINE_VERSION.
///
/// @return static text
///
/// Does not block. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn moorline_version() -> *const c_char {
    guard_or(c"".as_ptr(), || Some(VERSION.as_ptr()))
}

/// The version of the ABI of the library that is loaded. The header's own is MOORLINE_ABI_VERSION.
///
/// @return a number that changes when callers have to be compiled anew
///
/// Does not block. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn moorline_abi_version() -> u32 {
    guard_or(0, || Some(MOORLINE_ABI_VERSION))
}

/// What the last call of this thread that failed has to say: what was tried, on which full name, and the system's words.
/// Control characters of names, as line feeds, are escapes in it, so that it is one line of a log; only the test kit's list
/// of what is left behind, its transcripts and the failures of its verdicts have lines. A call that succeeds leaves it as it
/// is; so does this function, whatever it answers.
///
/// @param buffer    room for the text and a NUL; may be NULL if capacity is 0
/// @param capacity  bytes of room
/// @param needed    out, may be NULL: bytes that the text needs, with its NUL
/// @return MOORLINE_OK; MOORLINE_BUFFER_TOO_SMALL (the buffer gets an empty string); MOORLINE_INVALID_ARGUMENT
///
/// Does not block. Any thread; each has its own.
///
/// # Safety
///
/// The pointers are as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_last_error(
    buffer: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> moorline_status {
    guard_or(crate::Status::Internal.code(), || {
        // SAFETY: as the caller says.
        let text = unsafe { OutText::empty(buffer, capacity, needed) };
        let last = last_error(|error| error.map(ToString::to_string)).unwrap_or_default();
        Some(
            text.set(&OsString::from(last))
                .map_or_else(|error| error.status(), |()| crate::Status::Ok)
                .code(),
        )
    })
}

/// The system's number for the last failure of this thread: errno on Unix.
///
/// @return 0 if the system had no part in it, or nothing has failed yet
///
/// Does not block. Any thread; each has its own.
#[unsafe(no_mangle)]
pub extern "C" fn moorline_last_os_error() -> i32 {
    guard_or(0, || last_error(|error| error.and_then(Error::os_error)))
}

/// How many handles were made and not destroyed, of every type, leak guards too. Connections are their service's.
///
/// @param count  out: the number, of the whole process
/// @return MOORLINE_OK; MOORLINE_INVALID_ARGUMENT
///
/// Does not block. Any thread.
///
/// # Safety
///
/// The pointer is as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_live_handles(count: *mut usize) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let count = unsafe { Out::zeroed(count) }.required("count")?;
        count.set(handle::count());
        Ok(())
    })
}

/// A line for each handle that was made and not destroyed: its type, value, name, age, and where it was made if
/// moorline_handle_set_origin told.
///
/// @param buffer    room for the text and a NUL; may be NULL if capacity is 0
/// @param capacity  bytes of room
/// @param needed    out, may be NULL: bytes that the text needs, with its NUL; handles made meanwhile change that
/// @return MOORLINE_OK; MOORLINE_BUFFER_TOO_SMALL (the buffer gets an empty string); MOORLINE_INVALID_ARGUMENT
///
/// Does not block. Any thread.
///
/// # Safety
///
/// The pointers are as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_live_handles_report(
    buffer: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let text = unsafe { OutText::empty(buffer, capacity, needed) };
        text.set(&OsString::from(handle::report()))
    })
}

/// Notes where in the caller's code a handle was made, for moorline_live_handles_report and leak guards. The C++ header
/// does it by itself.
///
/// @param handle  a handle of any type but moorline_connection, which is its service's
/// @param file    the file's name; copied
/// @param line    the line
/// @return MOORLINE_OK; MOORLINE_STALE_HANDLE; MOORLINE_INVALID_ARGUMENT
///
/// Does not block. Any thread.
///
/// # Safety
///
/// The string is as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_handle_set_origin(
    handle: *const c_void,
    file: *const c_char,
    line: u32,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let file = unsafe { string(file, "file") }?.to_string_lossy().into_owned();
        handle::set_origin(handle.addr(), file, line)
    })
}

//! Names, without a server or a socket.

use super::arguments::{self, Out, OutText, string};
use super::guard::guard;
use super::status::moorline_status;
use crate::name::{Name, NameState};
use std::ffi::c_char;

/// There is nothing of that name.
pub const MOORLINE_NAME_ABSENT: u32 = 0;
/// A socket file that no server listens on any more.
pub const MOORLINE_NAME_DEAD: u32 = 1;
/// A server has it.
pub const MOORLINE_NAME_LIVE: u32 = 2;
/// Something has it that is no socket.
pub const MOORLINE_NAME_OCCUPIED: u32 = 3;

/// Where the socket of a name is.
///
/// @param name      a plain name, or an absolute path
/// @param scope     MOORLINE_SCOPE_*
/// @param buffer    room for the full name and a NUL; may be NULL if capacity is 0
/// @param capacity  bytes of room
/// @param needed    out, may be NULL: bytes that the full name needs, with its NUL
/// @return MOORLINE_OK; MOORLINE_NAME_INVALID; MOORLINE_NAME_TOO_LONG; MOORLINE_NOT_FOUND or MOORLINE_PERMISSION_DENIED
///         (there is no runtime directory, or it is not this user's alone); MOORLINE_BUFFER_TOO_SMALL;
///         MOORLINE_INVALID_ARGUMENT
///
/// Does not block. Any thread.
///
/// # Safety
///
/// The pointers are as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_name_resolve(
    name: *const c_char,
    scope: u32,
    buffer: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let (text, name) = unsafe { (OutText::empty(buffer, capacity, needed), string(name, "name")) };
        text.set(&Name::resolve(name?, arguments::scope(scope)?)?.to_os_string())
    })
}

/// What stands at a name now. Does not disturb a server that is there.
///
/// @param name   a plain name, or an absolute path
/// @param scope  MOORLINE_SCOPE_*, not abstract
/// @param state  out: MOORLINE_NAME_ABSENT, _DEAD, _LIVE or _OCCUPIED
/// @return MOORLINE_OK; as moorline_name_resolve; MOORLINE_PERMISSION_DENIED; MOORLINE_NOT_SUPPORTED for an abstract name;
///         MOORLINE_LIMIT_REACHED
///
/// Does not block. Any thread.
///
/// # Safety
///
/// The pointers are as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_name_state(
    name: *const c_char,
    scope: u32,
    state: *mut u32,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let (state, name) = unsafe { (Out::zeroed(state).required("state")?, string(name, "name")) };
        state.set(match Name::resolve(name?, arguments::scope(scope)?)?.state()? {
            NameState::Absent => MOORLINE_NAME_ABSENT,
            NameState::Dead => MOORLINE_NAME_DEAD,
            NameState::Live => MOORLINE_NAME_LIVE,
            NameState::Occupied => MOORLINE_NAME_OCCUPIED,
        });
        Ok(())
    })
}

/// Removes the socket file of a name, also a live server's: an explicit take-over, which that server will not notice.
/// moorline_server_listen recovers dead names by itself and needs no such help.
///
/// @param name   a plain name, or an absolute path
/// @param scope  MOORLINE_SCOPE_*, not abstract
/// @return MOORLINE_OK, also if there was nothing; MOORLINE_NAME_IN_USE if what is there is no socket, which is left alone;
///         as moorline_name_resolve; MOORLINE_PERMISSION_DENIED; MOORLINE_NOT_SUPPORTED for an abstract name;
///         MOORLINE_LIMIT_REACHED
///
/// Does not block, except for milliseconds while others take or give back names of the directory. Any thread.
///
/// # Safety
///
/// The pointer is as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_name_remove(name: *const c_char, scope: u32) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let name = unsafe { string(name, "name") }?;
        Name::resolve(name, arguments::scope(scope)?)?.remove()
    })
}

//! `moorline_tap`.

use crate::error::Result;
use crate::ffi::arguments::{Out, string};
use crate::ffi::guard::guard;
use crate::ffi::handle::{self, kind};
use crate::ffi::status::moorline_status;
use crate::testkit::tap::Tap;
use std::ffi::c_char;

/// Records conversations to a file as they happen. Any thread may use it at any time.
#[allow(non_camel_case_types)]
pub struct moorline_tap(());

kind!(Tap, moorline_tap, 12);

/// The tap of a handle; none for NULL.
pub(super) fn tap(tap: *const moorline_tap) -> Result<Option<Tap>> {
    if tap.is_null() { Ok(None) } else { Ok(Some(handle::get::<Tap>(tap)?.clone())) }
}

/// Makes a tap, to be given to proxies by their options. It records to a new file, which only this user may read: conversations have
/// secrets.
///
/// @param path  the file's path; a relative one is from the working directory
/// @param tap   out: the new handle, to be destroyed by the caller
/// @return MOORLINE_OK; MOORLINE_NAME_IN_USE (there is a file already); MOORLINE_NOT_FOUND; MOORLINE_PERMISSION_DENIED;
///         MOORLINE_LIMIT_REACHED; MOORLINE_INVALID_ARGUMENT; MOORLINE_OS_ERROR
///
/// Blocks only for the file system. Any thread.
///
/// # Safety
///
/// The pointers are as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_tap_create(
    path: *const c_char,
    tap: *mut *mut moorline_tap,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let (tap, path) = unsafe { (Out::zeroed(tap).required("tap")?, string(path, "path")?) };
        tap.set(handle::create(Tap::create(path)?)?);
        Ok(())
    })
}

/// Whether everything was written so far. The conversations go on whether or not.
///
/// @param tap  any tap
/// @return MOORLINE_OK; of the first write that failed, after which nothing was written: MOORLINE_LIMIT_REACHED (the disk is full),
///         MOORLINE_OS_ERROR; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Blocks only for the file system. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_tap_check(tap: *mut moorline_tap) -> moorline_status {
    guard(|| handle::get::<Tap>(tap)?.check())
}

/// Makes the handle stale. What goes over a proxy that has the tap in its options is recorded still; the file is closed with the last
/// of those.
///
/// @param tap  any tap
/// @return MOORLINE_OK; MOORLINE_STALE_HANDLE (as when destroyed twice); MOORLINE_WRONG_KIND; MOORLINE_INVALID_ARGUMENT
///
/// Does not block. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_tap_destroy(tap: *mut moorline_tap) -> moorline_status {
    guard(|| handle::destroy::<Tap>(tap, |_| {}))
}

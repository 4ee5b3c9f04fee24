//! `moorline_verdicts`.

use super::text::{Kept, kept};
use crate::error::{Error, Result, Status};
use crate::ffi::arguments::{Out, OutStruct, Versioned, microseconds, string, timeout};
use crate::ffi::guard::guard;
use crate::ffi::handle::{self, kind};
use crate::ffi::status::moorline_status;
use crate::testkit::verdicts::{Failure, Verdicts};
use std::ffi::c_char;

/// The verdicts of one test. Any thread may use them at any time.
#[allow(non_camel_case_types)]
pub struct moorline_verdicts(());

kind!(Verdicts, moorline_verdicts, 8);

/// A check that failed. Begin with MOORLINE_FAILURE_INIT.
///
/// The strings are the library's: they last until the same thread asks for the next failure, of whatever verdicts.
#[allow(non_camel_case_types)]
#[derive(Clone, Copy)]
#[repr(C)]
pub struct moorline_failure {
    /// sizeof(moorline_failure).
    pub struct_size: usize,
    /// The file of the check.
    pub file: *const c_char,
    /// The line of the check.
    pub line: u32,
    /// Zero.
    pub reserved: u32,
    /// What was wrong: the check, and the values.
    pub text: *const c_char,
    /// The thread that found it: its name if it has one, and its number.
    pub thread: *const c_char,
    /// When, in microseconds from the making of the verdicts on.
    pub after_us: u64,
}

// SAFETY: integers and pointers only.
unsafe impl Versioned for moorline_failure {}

thread_local! {
    static FAILURE: Kept<3> = const { Kept::new() };
}

/// The verdicts of a handle; none for NULL.
pub(super) fn verdicts(verdicts: *const moorline_verdicts) -> Result<Option<Verdicts>> {
    if verdicts.is_null() { Ok(None) } else { Ok(Some(handle::get::<Verdicts>(verdicts)?.clone())) }
}

/// Makes the verdicts of one test: no failures yet, and one thing to be done.
///
/// @param verdicts  out: the new handle, to be destroyed by the caller
/// @return MOORLINE_OK; MOORLINE_LIMIT_REACHED; MOORLINE_INVALID_ARGUMENT
///
/// Does not block. Any thread.
///
/// # Safety
///
/// The pointer is as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_verdicts_create(verdicts: *mut *mut moorline_verdicts) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let verdicts = unsafe { Out::zeroed(verdicts) }.required("verdicts")?;
        verdicts.set(handle::create(Verdicts::new())?);
        Ok(())
    })
}

/// Records a failure, and ends the wait. It never unwinds. Of more than a thousand that nobody takes the others are only counted.
///
/// @param verdicts  any verdicts
/// @param file      the file of the check; copied
/// @param line      the line of the check
/// @param text      what was wrong: the check, and the values; copied
/// @return MOORLINE_OK; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Does not block. Any thread, also in callbacks.
///
/// # Safety
///
/// The strings are as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_verdicts_fail(
    verdicts: *mut moorline_verdicts,
    file: *const c_char,
    line: u32,
    text: *const c_char,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let (file, text) = unsafe { (string(file, "file")?, string(text, "text")?) };
        handle::get::<Verdicts>(verdicts)?.fail(&file.to_string_lossy(), line, text.to_string_lossy());
        Ok(())
    })
}

/// Sets how many more calls of moorline_verdicts_done are waited for, instead of the one at the beginning or what is left of it.
///
/// @param verdicts  any verdicts
/// @param times     how many
/// @return MOORLINE_OK; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Does not block. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_verdicts_expect(
    verdicts: *mut moorline_verdicts,
    times: u64,
) -> moorline_status {
    guard(|| {
        handle::get::<Verdicts>(verdicts)?.expect(times);
        Ok(())
    })
}

/// Says that what the test waits for has been done, or one time of several.
///
/// @param verdicts  any verdicts
/// @return MOORLINE_OK; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Does not block. Any thread, also in callbacks.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_verdicts_done(verdicts: *mut moorline_verdicts) -> moorline_status {
    guard(|| {
        handle::get::<Verdicts>(verdicts)?.done();
        Ok(())
    })
}

/// Waits until everything has been done, and ends at once with the first failure, also one that came before.
///
/// @param verdicts    any verdicts
/// @param timeout_ms  how long to wait, in milliseconds; -1 for ever, 0 not at all
/// @return MOORLINE_OK; MOORLINE_MISMATCH (there are failures that were not taken: moorline_last_error tells the first);
///         MOORLINE_WOULD_BLOCK, MOORLINE_TIMED_OUT (something has still to be done); MOORLINE_CLOSED (another thread destroyed
///         the verdicts meanwhile); MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Blocks until the timeout. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_verdicts_wait(
    verdicts: *mut moorline_verdicts,
    timeout_ms: i64,
) -> moorline_status {
    guard(|| handle::get::<Verdicts>(verdicts)?.wait(timeout(timeout_ms)?))
}

/// How many failures were recorded, ever.
///
/// @param verdicts  any verdicts
/// @param count     out: how many
/// @return MOORLINE_OK; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Does not block. Any thread.
///
/// # Safety
///
/// The pointer is as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_verdicts_count(
    verdicts: *mut moorline_verdicts,
    count: *mut u64,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let count = unsafe { Out::zeroed(count) }.required("count")?;
        count.set(handle::get::<Verdicts>(verdicts)?.count());
        Ok(())
    })
}

/// Takes the first failure that was not taken yet.
///
/// @param verdicts  any verdicts
/// @param failure   out: with its struct_size set by the caller
/// @return MOORLINE_OK; MOORLINE_NOT_FOUND (there is none); MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE;
///         MOORLINE_WRONG_KIND
///
/// Does not block. Any thread.
///
/// # Safety
///
/// The pointer is as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_verdicts_take_first(
    verdicts: *mut moorline_verdicts,
    failure: *mut moorline_failure,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let out = unsafe { OutStruct::zeroed(failure, "failure") }?.required("failure")?;
        let none = || Error::new(Status::NotFound, "take a failure: there is none");
        let Failure { file, line, text, thread, after } =
            handle::get::<Verdicts>(verdicts)?.take_first().ok_or_else(none)?;
        let [file, text, thread] = kept(&FAILURE, [file, text, thread])?;
        let after_us = microseconds(after);
        out.set(moorline_failure { struct_size: 0, file, line, reserved: 0, text, thread, after_us });
        Ok(())
    })
}

/// Makes the handle stale. A wait ends with MOORLINE_CLOSED; fixtures that have the verdicts in their options record there in vain.
///
/// @param verdicts  any verdicts
/// @return MOORLINE_OK; MOORLINE_STALE_HANDLE (as when destroyed twice); MOORLINE_WRONG_KIND; MOORLINE_INVALID_ARGUMENT
///
/// Does not block. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_verdicts_destroy(verdicts: *mut moorline_verdicts) -> moorline_status {
    guard(|| handle::destroy::<Verdicts>(verdicts, Verdicts::close))
}

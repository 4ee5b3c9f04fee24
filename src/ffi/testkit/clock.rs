//! `moorline_clock`.

use crate::clock::Clock;
use crate::error::Result;
use crate::ffi::arguments::{Out, microseconds};
use crate::ffi::guard::guard;
use crate::ffi::handle::{self, kind, moorline_clock};
use crate::ffi::status::moorline_status;
use std::time::Duration;

kind!(Clock, moorline_clock, 6);

/// The clock of a handle; the system's for NULL.
pub(in crate::ffi) fn clock(clock: *const moorline_clock) -> Result<Clock> {
    if clock.is_null() { Ok(Clock::system()) } else { Ok(handle::get::<Clock>(clock)?.clone()) }
}

/// Makes a clock that stands still until moorline_clock_advance moves it. The deadlines of a service, a poller or a fixture that has
/// it in its options pass when it has been moved that far, and not before.
///
/// @param clock  out: the new handle, to be destroyed by the caller
/// @return MOORLINE_OK; MOORLINE_LIMIT_REACHED; MOORLINE_INVALID_ARGUMENT
///
/// Does not block. Any thread.
///
/// # Safety
///
/// The pointer is as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_clock_create(clock: *mut *mut moorline_clock) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let clock = unsafe { Out::zeroed(clock) }.required("clock")?;
        clock.set(handle::create(Clock::manual())?);
        Ok(())
    })
}

/// Moves a clock. Deadlines that have passed then take effect at once, on the threads that wait for them.
///
/// @param clock  any clock
/// @param by_us  how far, in microseconds
/// @return MOORLINE_OK; MOORLINE_INVALID_ARGUMENT (also: further than a clock goes); MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Does not block. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_clock_advance(clock: *mut moorline_clock, by_us: u64) -> moorline_status {
    guard(|| handle::get::<Clock>(clock)?.advance(Duration::from_micros(by_us)))
}

/// How far a clock was moved in all.
///
/// @param clock      any clock
/// @param passed_us  out: microseconds
/// @return MOORLINE_OK; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Does not block. Any thread.
///
/// # Safety
///
/// The pointer is as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_clock_passed(
    clock: *mut moorline_clock,
    passed_us: *mut u64,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let passed_us = unsafe { Out::zeroed(passed_us) }.required("passed_us")?;
        let passed = handle::get::<Clock>(clock)?.passed();
        passed_us.set(microseconds(passed));
        Ok(())
    })
}

/// Makes the handle stale. What has the clock in its options keeps it, and is never moved any more.
///
/// @param clock  any clock
/// @return MOORLINE_OK; MOORLINE_STALE_HANDLE (as when destroyed twice); MOORLINE_WRONG_KIND; MOORLINE_INVALID_ARGUMENT
///
/// Does not block. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_clock_destroy(clock: *mut moorline_clock) -> moorline_status {
    guard(|| handle::destroy::<Clock>(clock, |_| {}))
}

//! `moorline_fixture`.

use super::verdicts::{moorline_verdicts, verdicts};
use super::{clock, faults};
use crate::ffi::arguments::{
    Out, OutStruct, OutText, Versioned, check_reserved, options, scope, string, timeout, unless_zero,
};
use crate::ffi::guard::guard;
use crate::ffi::handle::{self, kind, moorline_clock, moorline_fault_plan};
use crate::ffi::status::moorline_status;
use crate::testkit::fixture::{Fixture, FixtureOptions, FixtureReport};
use crate::testkit::script::Script;
use std::ffi::{OsString, c_char};

/// A server on a private name that follows a script. Any thread may use it at any time.
#[allow(non_camel_case_types)]
pub struct moorline_fixture(());

kind!(Fixture, moorline_fixture, 9);

/// How a fixture works. Begin with MOORLINE_FIXTURE_OPTIONS_INIT; zero in a field is its default.
#[allow(non_camel_case_types)]
#[derive(Clone, Copy)]
#[repr(C)]
pub struct moorline_fixture_options {
    /// sizeof(moorline_fixture_options).
    pub struct_size: usize,
    /// MOORLINE_SCOPE_*: where its name is.
    pub scope: u32,
    /// As in moorline_server_options.
    pub backlog: u32,
    /// Not 0: the transcript of a missed expectation is not printed to the standard error output.
    pub quiet: u32,
    /// Zero.
    pub reserved: u32,
    /// What its name begins with; copied. NULL: "fixture".
    pub prefix: *const c_char,
    /// What goes wrong with its connections. NULL: nothing.
    pub faults: *const moorline_fault_plan,
    /// What the deadlines and waits of its script run on. NULL: the system's clock.
    pub clock: *const moorline_clock,
    /// Where a missed expectation is recorded, so that it ends the wait of the test. NULL: nowhere.
    pub verdicts: *const moorline_verdicts,
}

// SAFETY: integers and pointers only.
unsafe impl Versioned for moorline_fixture_options {}

/// What a fixture has seen so far. Begin with MOORLINE_FIXTURE_STATS_INIT.
#[allow(non_camel_case_types)]
#[derive(Clone, Copy)]
#[repr(C)]
pub struct moorline_fixture_stats {
    /// sizeof(moorline_fixture_stats).
    pub struct_size: usize,
    /// Connections that came.
    pub connections: u64,
    /// Of these, those whose script has come to its end, well or not.
    pub finished: u64,
    /// Of these, those that missed an expectation.
    pub missed: u64,
    /// Bytes received.
    pub received: u64,
    /// Bytes sent.
    pub sent: u64,
}

// SAFETY: integers only.
unsafe impl Versioned for moorline_fixture_stats {}

/// Starts a fixture: a server under a unique name that only this user can connect to, with a thread that follows a script on each
/// connection. It listens when this returns.
///
/// A script is lines of steps: `expect`, `expect-message`, `expect-end`, `send`, `send-message`, `wait`, `end`, `close`, `reset`,
/// and `echo`, `sink` and `flood`, each of which makes a whole script as well: "echo" sends back what comes, "sink" takes it, "flood"
/// sends without end, and "flood 1000" so many bytes, which count up from 0 to 250 and begin again.
///
/// @param script   the script
/// @param options  may be NULL: the defaults
/// @param fixture  out: the new handle, to be destroyed by the caller
/// @return MOORLINE_OK; MOORLINE_INVALID_ARGUMENT (also: the script is none; moorline_last_error names the line and what is wrong
///         in it); MOORLINE_LIMIT_REACHED (no descriptors or threads left); as moorline_server_listen; MOORLINE_STALE_HANDLE,
///         MOORLINE_WRONG_KIND (of the options)
///
/// Does not block. Any thread.
///
/// # Safety
///
/// The pointers are as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_fixture_start(
    script: *const c_char,
    options: *const moorline_fixture_options,
    fixture: *mut *mut moorline_fixture,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let (fixture, script, given) = unsafe {
            (
                Out::zeroed(fixture).required("fixture")?,
                string(script, "script")?,
                self::options(options, "fixture options")?,
            )
        };
        check_reserved(given.reserved, "fixture options")?;
        let prefix = if given.prefix.is_null() {
            OsString::new()
        } else {
            // SAFETY: as the caller says.
            unsafe { string(given.prefix, "prefix") }?.to_owned()
        };
        let options = FixtureOptions {
            scope: scope(given.scope)?,
            prefix,
            backlog: unless_zero(given.backlog),
            faults: faults(given.faults)?,
            clock: clock(given.clock)?,
            verdicts: verdicts(given.verdicts)?,
            quiet: given.quiet != 0,
        };
        fixture.set(handle::create(Fixture::start(Script::parse(script.as_encoded_bytes())?, options)?)?);
        Ok(())
    })
}

/// The full name to connect to.
///
/// @param fixture   a fixture that was not stopped
/// @param buffer    room for the name and a NUL; may be NULL if capacity is 0
/// @param capacity  bytes of room
/// @param needed    out, may be NULL: bytes that the name needs, with its NUL
/// @return MOORLINE_OK; MOORLINE_BUFFER_TOO_SMALL (the buffer gets an empty string); MOORLINE_INVALID_STATE (it has stopped);
///         MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Does not block. Any thread.
///
/// # Safety
///
/// The pointers are as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_fixture_full_name(
    fixture: *mut moorline_fixture,
    buffer: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let text = unsafe { OutText::empty(buffer, capacity, needed) };
        text.set(&handle::get::<Fixture>(fixture)?.full_name()?)
    })
}

/// What a fixture has seen so far. Also of a stopped one.
///
/// @param fixture     any fixture
/// @param statistics  out: with its struct_size set by the caller
/// @return MOORLINE_OK; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Does not block. Any thread.
///
/// # Safety
///
/// The pointer is as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_fixture_statistics(
    fixture: *mut moorline_fixture,
    statistics: *mut moorline_fixture_stats,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let out = unsafe { OutStruct::zeroed(statistics, "statistics") }?.required("statistics")?;
        let FixtureReport { connections, finished, missed, received, sent } =
            handle::get::<Fixture>(fixture)?.report();
        out.set(moorline_fixture_stats { struct_size: 0, connections, finished, missed, received, sent });
        Ok(())
    })
}

/// What happened on its connections so far, a line each: times, what came, what was sent. Of a long run the first thousand
/// lines and the last thousand, and how many were left out between. Also of a stopped fixture.
///
/// @param fixture   any fixture
/// @param buffer    room for the text and a NUL; may be NULL if capacity is 0
/// @param capacity  bytes of room
/// @param needed    out, may be NULL: bytes that the text needs, with its NUL; what happens meanwhile changes that
/// @return MOORLINE_OK; MOORLINE_BUFFER_TOO_SMALL (the buffer gets an empty string); MOORLINE_INVALID_ARGUMENT;
///         MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Does not block. Any thread.
///
/// # Safety
///
/// The pointers are as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_fixture_transcript(
    fixture: *mut moorline_fixture,
    buffer: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let text = unsafe { OutText::empty(buffer, capacity, needed) };
        text.set(&OsString::from(handle::get::<Fixture>(fixture)?.transcript()))
    })
}

/// Waits until so many connections have come to the ends of their scripts, and ends at once with a missed expectation.
///
/// @param fixture      any fixture
/// @param connections  how many, since it was started
/// @param timeout_ms   how long to wait, in milliseconds of the system's clock; -1 for ever, 0 not at all
/// @return MOORLINE_OK; MOORLINE_MISMATCH (an expectation was missed: moorline_last_error has the whole transcript of its
///         connection); MOORLINE_WOULD_BLOCK, MOORLINE_TIMED_OUT (fewer have come to their ends); MOORLINE_CLOSED (it was stopped
///         or destroyed before); MOORLINE_INVALID_STATE (in a forked child); MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Blocks until the timeout. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_fixture_wait(
    fixture: *mut moorline_fixture,
    connections: u64,
    timeout_ms: i64,
) -> moorline_status {
    guard(|| handle::get::<Fixture>(fixture)?.wait(connections, timeout(timeout_ms)?))
}

/// Waits until so many bytes have come, over all connections.
///
/// @param fixture     any fixture
/// @param bytes       how many, since it was started
/// @param timeout_ms  how long to wait, in milliseconds of the system's clock; -1 for ever, 0 not at all
/// @return MOORLINE_OK; MOORLINE_WOULD_BLOCK, MOORLINE_TIMED_OUT (fewer have come); MOORLINE_CLOSED (it was stopped or destroyed
///         before); MOORLINE_INVALID_STATE (in a forked child); MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Blocks until the timeout. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_fixture_wait_received(
    fixture: *mut moorline_fixture,
    bytes: u64,
    timeout_ms: i64,
) -> moorline_status {
    guard(|| handle::get::<Fixture>(fixture)?.wait_received(bytes, timeout(timeout_ms)?))
}

/// Ends its connections, its thread and its name. Waits end with MOORLINE_CLOSED. Doing so again does nothing, nor does it in a forked
/// child. What it has seen can be asked still. It waits for the thread, which writes what was missed to stderr: where nobody reads
/// that, it does not come back.
///
/// @param fixture  any fixture
/// @return MOORLINE_OK; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Otherwise it blocks as little as moorline_server_close. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_fixture_stop(fixture: *mut moorline_fixture) -> moorline_status {
    guard(|| {
        handle::get::<Fixture>(fixture)?.stop();
        Ok(())
    })
}

/// Stops the fixture, as moorline_fixture_stop, and makes its handle stale. Waits end with MOORLINE_CLOSED.
///
/// @param fixture  any fixture
/// @return MOORLINE_OK; MOORLINE_STALE_HANDLE (as when destroyed twice); MOORLINE_WRONG_KIND; MOORLINE_INVALID_ARGUMENT
///
/// Otherwise it blocks as little as moorline_server_close. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_fixture_destroy(fixture: *mut moorline_fixture) -> moorline_status {
    guard(|| handle::destroy_or_leave::<Fixture>(fixture, Fixture::stop, Fixture::leave_to_parent))
}

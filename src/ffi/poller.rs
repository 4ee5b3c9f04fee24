//! `moorline_poller`.

use super::arguments::{Out, Versioned, busy_poll, interest, options, timeout};
use super::guard::guard;
use super::handle::{self, Kind, moorline_clock, moorline_poller, moorline_server, moorline_socket};
use super::socket::readiness;
use super::status::moorline_status;
use super::testkit::clock;
use crate::error::{Error, Result, Status};
use crate::poller::{Event, Pollable, Poller, PollerOptions, Waiter};
use crate::server::Server;
use crate::socket::Socket;
use std::time::Duration;

/// How a poller waits. Begin with MOORLINE_POLLER_OPTIONS_INIT; zero in a field is its default.
#[allow(non_camel_case_types)]
#[derive(Clone, Copy)]
#[repr(C)]
pub struct moorline_poller_options {
    /// sizeof(moorline_poller_options).
    pub struct_size: usize,
    /// Microseconds to look again and again before sleeping, at each wait: a waking thread costs tens of them. 0: some 50, as long
    /// as that pays, and ever less often where it does not. MOORLINE_BUSY_POLL_NEVER: sleep at once.
    pub busy_poll_us: u32,
    /// What the timeouts of the waits run on: moorline/testkit.h. NULL: the system's clock.
    pub clock: *const moorline_clock,
}

// SAFETY: integers and pointers only.
unsafe impl Versioned for moorline_poller_options {}

/// What a wait found.
#[allow(non_camel_case_types)]
#[derive(Clone, Copy)]
#[repr(C)]
pub struct moorline_event {
    /// The number that the server or socket was added with.
    pub token: u64,
    /// MOORLINE_READABLE, MOORLINE_WRITABLE and MOORLINE_HANGUP. The end of a connection counts as readable, and if nothing
    /// can be sent any more as writable too.
    pub readiness: u32,
    /// Zero.
    pub reserved: u32,
}

/// More events than this are left for the next wait.
const EVENTS_LIMIT: usize = 1 << 16;

fn add<T: Kind + Pollable>(
    poller: *mut moorline_poller,
    target: *mut T::Opaque,
    flags: u32,
    token: u64,
) -> Result<()> {
    let (poller, target) = (handle::get::<Poller>(poller)?, handle::get::<T>(target)?);
    poller.add(&*target, interest(flags)?, token)
}

fn modify<T: Kind + Pollable>(
    poller: *mut moorline_poller,
    target: *mut T::Opaque,
    flags: u32,
    token: u64,
) -> Result<()> {
    let (poller, target) = (handle::get::<Poller>(poller)?, handle::get::<T>(target)?);
    poller.modify(&*target, interest(flags)?, token)
}

fn remove<T: Kind + Pollable>(poller: *mut moorline_poller, target: *mut T::Opaque) -> Result<()> {
    let (poller, target) = (handle::get::<Poller>(poller)?, handle::get::<T>(target)?);
    poller.remove(&*target)
}

/// Makes a poller that watches nothing yet.
///
/// @param options  may be NULL: the defaults
/// @param poller   out: the new handle, to be destroyed by the caller
/// @return MOORLINE_OK; MOORLINE_LIMIT_REACHED; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE, MOORLINE_WRONG_KIND
///         (options->clock)
///
/// Does not block. Any thread.
///
/// # Safety
///
/// The pointers are as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_poller_create(
    options: *const moorline_poller_options,
    poller: *mut *mut moorline_poller,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let (poller, given) =
            unsafe { (Out::zeroed(poller).required("poller")?, self::options(options, "poller options")?) };
        let (busy_poll, clock) = (busy_poll(given.busy_poll_us), clock(given.clock)?);
        poller.set(handle::create(Poller::new(PollerOptions { busy_poll, clock })?)?);
        Ok(())
    })
}

/// Watches a socket. Events are reported as long as they last, unless MOORLINE_EDGE is asked for.
///
/// @param poller    any poller
/// @param socket    a socket that is in no poller
/// @param interest  MOORLINE_READABLE, MOORLINE_WRITABLE, MOORLINE_EDGE; neither direction: never reported for now
/// @param token     what events about it carry
/// @return MOORLINE_OK; MOORLINE_INVALID_STATE (it is in a poller); MOORLINE_CLOSED; MOORLINE_LIMIT_REACHED;
///         MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Does not block. Any thread, also while another waits. Closing or destroying the socket removes it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_poller_add_socket(
    poller: *mut moorline_poller,
    socket: *mut moorline_socket,
    interest: u32,
    token: u64,
) -> moorline_status {
    guard(|| add::<Socket>(poller, socket, interest, token))
}

/// Changes what is looked for at a socket. What is ready now is reported anew.
///
/// @param poller    any poller
/// @param socket    a socket that is in this poller
/// @param interest  as in moorline_poller_add_socket
/// @param token     what events about it carry from now on
/// @return MOORLINE_OK; MOORLINE_INVALID_STATE (it is not in this poller); MOORLINE_CLOSED; MOORLINE_INVALID_ARGUMENT;
///         MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Does not block. Any thread, also while another waits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_poller_modify_socket(
    poller: *mut moorline_poller,
    socket: *mut moorline_socket,
    interest: u32,
    token: u64,
) -> moorline_status {
    guard(|| modify::<Socket>(poller, socket, interest, token))
}

/// Stops watching a socket. No wait that begins later reports it; one that is under way in another thread may still.
///
/// @param poller  any poller
/// @param socket  a socket that is in this poller
/// @return MOORLINE_OK; MOORLINE_INVALID_STATE (it is not in this poller); MOORLINE_CLOSED; MOORLINE_INVALID_ARGUMENT;
///         MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Does not block. Any thread, also while another waits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_poller_remove_socket(
    poller: *mut moorline_poller,
    socket: *mut moorline_socket,
) -> moorline_status {
    guard(|| remove::<Socket>(poller, socket))
}

/// Watches a server: it is readable when there may be a connection to accept.
///
/// @param poller    any poller
/// @param server    a server that listens and is in no poller; closing it removes it
/// @param interest  MOORLINE_READABLE, MOORLINE_EDGE; not readable: never reported for now
/// @param token     what events about it carry
/// @return MOORLINE_OK; MOORLINE_INVALID_STATE (it is in a poller, or does not listen); MOORLINE_CLOSED;
///         MOORLINE_LIMIT_REACHED; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Does not block. Any thread, also while another waits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_poller_add_server(
    poller: *mut moorline_poller,
    server: *mut moorline_server,
    interest: u32,
    token: u64,
) -> moorline_status {
    guard(|| add::<Server>(poller, server, interest, token))
}

/// Changes what is looked for at a server. What is ready now is reported anew.
///
/// @param poller    any poller
/// @param server    a server that is in this poller
/// @param interest  as in moorline_poller_add_server
/// @param token     what events about it carry from now on
/// @return MOORLINE_OK; MOORLINE_INVALID_STATE (it is not in this poller, or does not listen); MOORLINE_CLOSED;
///         MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Does not block. Any thread, also while another waits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_poller_modify_server(
    poller: *mut moorline_poller,
    server: *mut moorline_server,
    interest: u32,
    token: u64,
) -> moorline_status {
    guard(|| modify::<Server>(poller, server, interest, token))
}

/// Stops watching a server. No wait that begins later reports it; one that is under way in another thread may still.
///
/// @param poller  any poller
/// @param server  a server that is in this poller
/// @return MOORLINE_OK; MOORLINE_INVALID_STATE (it is not in this poller, or does not listen); MOORLINE_INVALID_ARGUMENT;
///         MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Does not block. Any thread, also while another waits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_poller_remove_server(
    poller: *mut moorline_poller,
    server: *mut moorline_server,
) -> moorline_status {
    guard(|| remove::<Server>(poller, server))
}

/// The caller's room for events.
struct Slots {
    next: *mut moorline_event,
    capacity: usize,
}

impl Slots {
    /// # Safety
    ///
    /// There is room for as many events as that.
    unsafe fn new(events: *mut moorline_event, capacity: usize) -> Result<Slots> {
        if events.is_null() {
            return Err(Error::new(Status::InvalidArgument, "events is NULL"));
        }
        Ok(Slots { next: events, capacity: capacity.min(EVENTS_LIMIT) })
    }
}

impl Waiter for Slots {
    fn found(&mut self, event: Event) {
        let event = moorline_event { token: event.token, readiness: readiness(event), reserved: 0 };
        // SAFETY: there is room for `capacity` of them, says who made this, and no more are reported.
        unsafe {
            self.next.write(event);
            self.next = self.next.add(1);
        }
    }
}

/// Waits until something is ready.
///
/// @param poller      any poller
/// @param events      where to put what was found
/// @param capacity    how many events there is room for, at least 1; what does not fit is reported by the next wait
/// @param timeout_ms  how long to wait, in milliseconds; -1 for ever, 0 not at all
/// @param count       out: how many were found
/// @return MOORLINE_OK (with count 0: moorline_poller_wake ended the wait); MOORLINE_WOULD_BLOCK, MOORLINE_TIMED_OUT (nothing
///         was ready in time); MOORLINE_CLOSED (another thread closed or destroyed the poller); MOORLINE_INVALID_ARGUMENT;
///         MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND; MOORLINE_OS_ERROR
///
/// Blocks until the timeout. Any thread; one at a time waits for events, others wait for their turn.
///
/// # Safety
///
/// The pointers are as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_poller_wait(
    poller: *mut moorline_poller,
    events: *mut moorline_event,
    capacity: usize,
    timeout_ms: i64,
    count: *mut usize,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let count = unsafe { Out::zeroed(count) }.required("count")?;
        // SAFETY: as the caller says.
        let slots = unsafe { Slots::new(events, capacity) }?;
        count.set(handle::get::<Poller>(poller)?.wait_each(slots.capacity, timeout(timeout_ms)?, slots)?);
        Ok(())
    })
}

/// Looks again and again for something that is ready, as a wait of so long, but never sleeps, whatever the options say: for event
/// loops of others, which go on when nothing was found, and sleep themselves until the poller's descriptor is readable. It uses the
/// processor meanwhile, and offers it to others from time to time. The duration is the system's, whatever the clock of the poller.
///
/// @param poller       any poller
/// @param events       where to put what was found
/// @param capacity     how many events there is room for, at least 1; what does not fit is reported by the next wait
/// @param duration_us  how long to look, in microseconds; 0 once
/// @param count        out: how many were found
/// @return MOORLINE_OK (with count 0: moorline_poller_wake ended it); MOORLINE_WOULD_BLOCK (nothing was ready, and it was to look
///         once), MOORLINE_TIMED_OUT (nothing was ready in time); MOORLINE_CLOSED (another thread closed or destroyed the poller);
///         MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND; MOORLINE_OS_ERROR
///
/// Blocks for the duration. Any thread; one at a time looks or waits for events, others wait for their turn.
///
/// # Safety
///
/// The pointers are as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_poller_look(
    poller: *mut moorline_poller,
    events: *mut moorline_event,
    capacity: usize,
    duration_us: u32,
    count: *mut usize,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let count = unsafe { Out::zeroed(count) }.required("count")?;
        // SAFETY: as the caller says.
        let slots = unsafe { Slots::new(events, capacity) }?;
        let duration = Duration::from_micros(duration_us.into());
        count.set(handle::get::<Poller>(poller)?.look_each(slots.capacity, duration, slots)?);
        Ok(())
    })
}

/// Ends the wait that is under way, or else the next one, which answers MOORLINE_OK with what is ready then, often nothing. Whom it is to
/// tell something looks for that after every wait, not only after one with count 0.
///
/// @param poller  any poller
/// @return MOORLINE_OK; MOORLINE_CLOSED; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND;
///         MOORLINE_OS_ERROR
///
/// Does not block. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_poller_wake(poller: *mut moorline_poller) -> moorline_status {
    guard(|| handle::get::<Poller>(poller)?.wake())
}

/// A descriptor that any other event loop can watch for reading: it is readable when a wait with timeout 0 may return
/// something. Reading from it is the library's.
///
/// @param poller      any poller
/// @param descriptor  out: its number, which is the poller's until it is destroyed
/// @return MOORLINE_OK; MOORLINE_CLOSED; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Does not block. Any thread.
///
/// # Safety
///
/// The pointer is as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_poller_descriptor(
    poller: *mut moorline_poller,
    descriptor: *mut libc::intptr_t,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let descriptor = unsafe { Out::zeroed(descriptor) }.required("descriptor")?;
        descriptor.set(handle::get::<Poller>(poller)?.descriptor()? as libc::intptr_t);
        Ok(())
    })
}

/// Ends every wait with MOORLINE_CLOSED, now and later. What the poller watched stays open.
///
/// @param poller  any poller
/// @return MOORLINE_OK; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Does not block. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_poller_close(poller: *mut moorline_poller) -> moorline_status {
    guard(|| {
        handle::get::<Poller>(poller)?.close();
        Ok(())
    })
}

/// Closes the poller and makes its handle stale. What it watched stays open, and may join another.
///
/// @param poller  any poller
/// @return MOORLINE_OK; MOORLINE_STALE_HANDLE (as when destroyed twice); MOORLINE_WRONG_KIND; MOORLINE_INVALID_ARGUMENT
///
/// Does not block. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_poller_destroy(poller: *mut moorline_poller) -> moorline_status {
    guard(|| handle::destroy::<Poller>(poller, Poller::close))
}

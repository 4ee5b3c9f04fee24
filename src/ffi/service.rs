//! `moorline_service`.

use super::arguments::{
    Out, OutStruct, OutText, Versioned, busy_poll, check_reserved, count, milliseconds, options, scope,
    string, timeout, unless_zero,
};
use super::guard::guard;
use super::handle::{self, moorline_clock, moorline_connection, moorline_fault_plan, moorline_service};
use super::message::{message_options, moorline_message_options};
use super::policy::{moorline_policy, policy};
use super::status::moorline_status;
use super::testkit::{clock, faults};
use crate::error::{Error, Result, Status};
use crate::service::{Connection, Echo, Handler, Service, ServiceOptions, ServiceReport};
use crate::sys::{self, Descriptor};
use std::ffi::{c_char, c_int, c_void};
use std::sync::Arc;

/// How a service runs. Begin with MOORLINE_SERVICE_OPTIONS_INIT; zero in a field is its default.
#[allow(non_camel_case_types)]
#[derive(Clone, Copy)]
#[repr(C)]
pub struct moorline_service_options {
    /// sizeof(moorline_service_options).
    pub struct_size: usize,
    /// As in moorline_server_options.
    pub scope: u32,
    /// As in moorline_server_options.
    pub mode: u32,
    /// As in moorline_server_options.
    pub backlog: u32,
    /// Threads, each serving its share of the connections. 0: one.
    pub workers: u32,
    /// Bytes queued to one peer at most, of messages one more than that. 0: 1 MiB.
    pub queue_limit: usize,
    /// Above so many queued bytes, nothing more is read from that peer. 0: half the limit.
    pub high_water: usize,
    /// At so few queued bytes, reading goes on. 0: a quarter of high_water.
    pub low_water: usize,
    /// As in moorline_poller_options.
    pub busy_poll_us: u32,
    /// Connections at once; more are closed as soon as they come. 0: as many as there are descriptors.
    pub max_connections: u32,
    /// Connections accepted in a second at most, on average; more wait in the backlog. 0: as many as come.
    pub connection_rate: u32,
    /// Milliseconds that a connection may be without a byte in either direction before it ends with MOORLINE_TIMED_OUT. What other
    /// threads send that need not be queued is noticed only when they are over, and begins them anew; on a clock that a test moves
    /// it does so from the send on. 0: for ever.
    pub idle_timeout_ms: u32,
    /// Milliseconds that a connection which closes may be without sending anything of what is queued; the rest is dropped then.
    /// 0: 10,000.
    pub linger_ms: u32,
    /// Zero.
    pub reserved: u32,
    /// Messages instead of a stream of bytes; copied. NULL: a stream of bytes.
    pub messages: *const moorline_message_options,
    /// As in moorline_server_options.
    pub policy: *const moorline_policy,
    /// As in moorline_server_options.
    pub faults: *const moorline_fault_plan,
    /// What its deadlines run on, except that of stopping: moorline/testkit.h. NULL: the system's clock.
    pub clock: *const moorline_clock,
}

// SAFETY: integers and pointers only.
unsafe impl Versioned for moorline_service_options {}

/// What a service calls. Begin with MOORLINE_SERVICE_CALLBACKS_INIT; each callback may be NULL.
///
/// They are called on the service's threads, for one connection one after another, and with several workers for different
/// connections at the same time. They must return: no exception, no longjmp. They may call any function of the library,
/// except that stopping or destroying their own service answers MOORLINE_INVALID_STATE. None is called any more after
/// moorline_service_stop has stopped it, or after moorline_service_destroy.
///
/// The service's threads block all signals but those of faults, and what a callback starts, a thread or a program, inherits that:
/// sigprocmask(2). A program that is to end by SIGTERM is started with another mask, as posix_spawnattr_setsigmask(3) sets it.
#[allow(non_camel_case_types)]
#[derive(Clone, Copy)]
#[repr(C)]
pub struct moorline_service_callbacks {
    /// sizeof(moorline_service_callbacks).
    pub struct_size: usize,
    /// What the callbacks get as their first argument. The caller's; it must live as long as callbacks may come.
    pub context: *mut c_void,
    /// Somebody connected.
    pub connected: Option<unsafe extern "C" fn(context: *mut c_void, connection: *mut moorline_connection)>,
    /// Some bytes came: what one receive gave. They are the library's and end with the call. Descriptors that come with
    /// them are closed. Not called with messages.
    pub received: Option<
        unsafe extern "C" fn(
            context: *mut c_void,
            connection: *mut moorline_connection,
            data: *const c_void,
            length: usize,
        ),
    >,
    /// The last call for this connection, whose handle is stale afterwards; moorline_connection_statistics has its numbers.
    /// MOORLINE_DISCONNECTED: the peer has gone, or had ended its sending before this side closed the connection. MOORLINE_CLOSED: this
    /// side closed it otherwise, or the service stops.
    /// MOORLINE_TIMED_OUT: the peer was idle, or too slow with a message or its handshake, or did not read what was queued for
    /// a close. MOORLINE_REFUSED: by `admits`. Others: as moorline_socket_receive and moorline_socket_receive_message; or why the
    /// system did not send what was queued.
    pub disconnected: Option<
        unsafe extern "C" fn(
            context: *mut c_void,
            connection: *mut moorline_connection,
            reason: moorline_status,
        ),
    >,
    /// More than high_water bytes are queued to the peer, or a send has found no room: nothing is read from it for now. `low_water`
    /// follows, unless the connection ends before.
    pub high_water: Option<
        unsafe extern "C" fn(context: *mut c_void, connection: *mut moorline_connection, queued: usize),
    >,
    /// The queue has drained to low_water again, and reading goes on.
    pub low_water: Option<
        unsafe extern "C" fn(context: *mut c_void, connection: *mut moorline_connection, queued: usize),
    >,
    /// Says of a message whether it may be delivered; 0 ends the connection with MOORLINE_REFUSED. NULL: all are.
    pub admits: Option<
        unsafe extern "C" fn(
            context: *mut c_void,
            connection: *mut moorline_connection,
            data: *const c_void,
            length: usize,
        ) -> i32,
    >,
    /// A message came. It is the library's and ends with the call. Called with messages only.
    pub message: Option<
        unsafe extern "C" fn(
            context: *mut c_void,
            connection: *mut moorline_connection,
            data: *const c_void,
            length: usize,
        ),
    >,
    /// The peer will send no more, but may still read: the connection is this side's to close. NULL: it is closed.
    pub finished: Option<unsafe extern "C" fn(context: *mut c_void, connection: *mut moorline_connection)>,
    /// If not NULL it is called instead of `message`, which can take no descriptors and has them closed. The count is at most the
    /// max_descriptors of the message options, often 0. Each descriptor is the callback's, to be closed by it, and close-on-exec;
    /// the message and the array end with the call.
    pub message_with_descriptors: Option<
        unsafe extern "C" fn(
            context: *mut c_void,
            connection: *mut moorline_connection,
            data: *const c_void,
            length: usize,
            descriptors: *const c_int,
            count: usize,
        ),
    >,
}

// SAFETY: integers, pointers and nullable functions only.
unsafe impl Versioned for moorline_service_callbacks {}

/// What a service did from start to stop. Begin with MOORLINE_SERVICE_REPORT_INIT.
#[allow(non_camel_case_types)]
#[derive(Clone, Copy)]
#[repr(C)]
pub struct moorline_service_report {
    /// sizeof(moorline_service_report).
    pub struct_size: usize,
    /// Connections accepted.
    pub accepted: u64,
    /// Connections closed at once because of max_connections or the policy.
    pub refused: u64,
    /// Connections that were there when it was told to stop.
    pub open_at_stop: u64,
    /// Bytes received.
    pub received: u64,
    /// Bytes that the kernel took.
    pub sent: u64,
    /// Bytes that sending accepted and the kernel never got.
    pub unsent: u64,
    /// Connections that ended because the peer left.
    pub ended_by_peer: u64,
    /// Connections that this side closed.
    pub ended_by_us: u64,
    /// Connections whose peer was idle or too slow.
    pub ended_late: u64,
    /// Connections whose peer broke the protocol: MOORLINE_MALFORMED, _MISMATCH, _MESSAGE_TOO_LARGE.
    pub ended_malformed: u64,
    /// Connections with a message that was refused.
    pub ended_refused: u64,
    /// Connections that ended for another reason: limits, the system.
    pub ended_otherwise: u64,
}

// SAFETY: integers only.
unsafe impl Versioned for moorline_service_report {}

/// Hands the service's calls on to C. The handle of a connection is kept in its tag.
struct Callbacks(moorline_service_callbacks);

// SAFETY: the context is only handed on; what it points to is shared between threads by the caller, who is told so.
unsafe impl Send for Callbacks {}
// SAFETY: as above.
unsafe impl Sync for Callbacks {}

fn handle_of(connection: &Connection) -> *mut moorline_connection {
    std::ptr::without_provenance_mut(connection.tag())
}

impl Handler for Callbacks {
    fn connected(&self, connection: &Connection) {
        match handle::create_owned(connection.clone()) {
            Ok(made) => connection.set_tag(made.addr()),
            Err(_) => return connection.abort(),
        }
        if let Some(connected) = self.0.connected {
            // SAFETY: the caller's function with the caller's context, as both were given.
            unsafe { connected(self.0.context, handle_of(connection)) };
        }
    }

    fn received(&self, connection: &Connection, data: &[u8]) {
        if let Some(received) = self.0.received {
            let (data, length) = (data.as_ptr().cast(), data.len());
            // SAFETY: as above.
            unsafe { received(self.0.context, handle_of(connection), data, length) };
        }
    }

    fn admits(&self, connection: &Connection, message: &[u8]) -> bool {
        self.0.admits.is_none_or(|admits| {
            let (data, length) = (message.as_ptr().cast(), message.len());
            // SAFETY: as above.
            unsafe { admits(self.0.context, handle_of(connection), data, length) != 0 }
        })
    }

    fn message(&self, connection: &Connection, message: &[u8]) {
        if let Some(deliver) = self.0.message {
            let (data, length) = (message.as_ptr().cast(), message.len());
            // SAFETY: as above.
            unsafe { deliver(self.0.context, handle_of(connection), data, length) };
        }
    }

    fn message_with_descriptors(
        &self,
        connection: &Connection,
        message: &[u8],
        descriptors: Vec<Descriptor>,
    ) {
        let Some(deliver) = self.0.message_with_descriptors else {
            drop(descriptors);
            return self.message(connection, message);
        };
        let given: Vec<c_int> = descriptors.into_iter().map(sys::give_away).collect();
        let (data, length) = (message.as_ptr().cast(), message.len());
        // SAFETY: as above.
        unsafe {
            deliver(self.0.context, handle_of(connection), data, length, given.as_ptr(), given.len());
        }
    }

    fn finished(&self, connection: &Connection) {
        match self.0.finished {
            // SAFETY: as above.
            Some(finished) => unsafe { finished(self.0.context, handle_of(connection)) },
            None => connection.close(),
        }
    }

    fn disconnected(&self, connection: &Connection, reason: Status) {
        // The caller does not know of a connection that no handle could be made for.
        if connection.tag() == 0 {
            return;
        }
        if let Some(disconnected) = self.0.disconnected {
            // SAFETY: as above.
            unsafe { disconnected(self.0.context, handle_of(connection), reason.code()) };
        }
        // The caller can't have destroyed it: there is no function for that.
        let _ = handle::destroy::<Connection>(handle_of(connection), |_| {});
    }

    fn high_water(&self, connection: &Connection, queued: usize) {
        if let Some(high_water) = self.0.high_water {
            // SAFETY: as above.
            unsafe { high_water(self.0.context, handle_of(connection), queued) };
        }
    }

    fn low_water(&self, connection: &Connection, queued: usize) {
        if let Some(low_water) = self.0.low_water {
            // SAFETY: as above.
            unsafe { low_water(self.0.context, handle_of(connection), queued) };
        }
    }
}

pub(super) fn report(done: &ServiceReport) -> moorline_service_report {
    let ServiceReport { accepted, refused, open_at_stop, received, sent, unsent, endings, .. } = *done;
    moorline_service_report {
        struct_size: 0,
        accepted,
        refused,
        open_at_stop,
        received,
        sent,
        unsent,
        ended_by_peer: endings.disconnected,
        ended_by_us: endings.closed,
        ended_late: endings.timed_out,
        ended_malformed: endings.malformed,
        ended_refused: endings.refused,
        ended_otherwise: endings.other,
    }
}

/// # Safety
///
/// As for [`message_options`] and [`policy`].
unsafe fn service_options(given: moorline_service_options) -> Result<ServiceOptions> {
    check_reserved(given.reserved, "service options")?;
    // SAFETY: as the caller says.
    let policy = unsafe { policy(given.policy) }?;
    let defaults = ServiceOptions::default();
    let queue_limit = unless_zero(given.queue_limit).unwrap_or(defaults.queue_limit);
    let high_water = unless_zero(given.high_water).unwrap_or(queue_limit / 2);
    let low_water = unless_zero(given.low_water).unwrap_or(high_water / 4);
    Ok(ServiceOptions {
        clock: clock(given.clock)?,
        faults: faults(given.faults)?,
        scope: scope(given.scope)?,
        mode: unless_zero(given.mode),
        backlog: unless_zero(given.backlog),
        workers: count(given.workers.max(1))?,
        queue_limit,
        high_water,
        low_water,
        busy_poll: busy_poll(given.busy_poll_us),
        max_connections: unless_zero(given.max_connections).map(count).transpose()?,
        // SAFETY: as the caller says.
        messages: unsafe { message_options(given.messages) }?,
        policy,
        connection_rate: unless_zero(given.connection_rate),
        idle_timeout: milliseconds(given.idle_timeout_ms),
        linger: milliseconds(given.linger_ms).unwrap_or(defaults.linger),
    })
}

/// Makes a service, which does not run yet.
///
/// @param options    may be NULL: the defaults
/// @param callbacks  copied; may be NULL: it sends back what it gets
/// @param service    out: the new handle, to be destroyed by the caller
/// @return MOORLINE_OK; MOORLINE_INVALID_ARGUMENT (also: not low_water < high_water < queue_limit); MOORLINE_LIMIT_REACHED;
///         MOORLINE_STALE_HANDLE, MOORLINE_WRONG_KIND (options->faults, options->clock)
///
/// Does not block. Any thread.
///
/// # Safety
///
/// The pointers are as described, and the callbacks can be called as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_service_create(
    options: *const moorline_service_options,
    callbacks: *const moorline_service_callbacks,
    service: *mut *mut moorline_service,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let (service, given) = unsafe { (Out::zeroed(service), self::options(options, "service options")?) };
        // SAFETY: as the caller says.
        let (options, functions) =
            unsafe { (service_options(given)?, self::options(callbacks, "service callbacks")?) };
        let handler: Arc<dyn Handler> =
            if callbacks.is_null() { Arc::new(Echo) } else { Arc::new(Callbacks(functions)) };
        let service = service.required("service")?;
        service.set(handle::create(Service::new(options, handler)?)?);
        Ok(())
    })
}

/// Starts the service under a name. When this returns, it listens.
///
/// @param service  a service that does not run
/// @param name     a plain name, or an absolute path
/// @return as moorline_server_listen; MOORLINE_INVALID_STATE (it runs already, or another thread is just starting it);
///         MOORLINE_CLOSED (another thread stopped or destroyed it meanwhile); MOORLINE_LIMIT_REACHED (no descriptors or
///         threads left)
///
/// Blocks as little as moorline_server_listen. Any thread.
///
/// # Safety
///
/// The string is as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_service_start(
    service: *mut moorline_service,
    name: *const c_char,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let name = unsafe { string(name, "name") };
        handle::get::<Service>(service)?.start(name?)
    })
}

/// Starts the service under a new name that nobody has. moorline_service_full_name tells it.
///
/// @param service  a service that does not run
/// @param prefix   what the name begins with
/// @return as moorline_service_start
///
/// Does not block. Any thread.
///
/// # Safety
///
/// The string is as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_service_start_unique(
    service: *mut moorline_service,
    prefix: *const c_char,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let prefix = unsafe { string(prefix, "prefix") };
        handle::get::<Service>(service)?.start_unique(prefix?)
    })
}

/// The full name to connect to.
///
/// @param service   a service that runs
/// @param buffer    room for the name and a NUL; may be NULL if capacity is 0
/// @param capacity  bytes of room
/// @param needed    out, may be NULL: bytes that the name needs, with its NUL
/// @return MOORLINE_OK; MOORLINE_BUFFER_TOO_SMALL (the buffer gets an empty string); MOORLINE_INVALID_STATE (it does not
///         run); MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Does not block. Any thread.
///
/// # Safety
///
/// The pointers are as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_service_full_name(
    service: *mut moorline_service,
    buffer: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let text = unsafe { OutText::empty(buffer, capacity, needed) };
        text.set(&handle::get::<Service>(service)?.full_name()?)
    })
}

/// Stops: gives the name back, sends what is queued until the timeout, closes the connections and ends the threads. To who does
/// not read, it sends no longer than linger_ms, even if it may wait for ever. As soon as a connection's
/// thread has heard of it, after the callback that it is in, sends to the connection end with MOORLINE_CLOSED, also those that wait for
/// room. The service may start again.
///
/// @param service     a service that runs
/// @param timeout_ms  how long to wait for what is queued to go out, in milliseconds; -1 for ever, 0 not at all
/// @param report      out, may be NULL: what it did since it started; with its struct_size set by the caller
/// @return MOORLINE_OK; MOORLINE_WOULD_BLOCK, MOORLINE_TIMED_OUT (it has stopped, and of the report->unsent bytes some were lost
///         because of the timeout or linger_ms, or as the system could not send them; or, if the report is all zero, a callback
///         or a start runs still: stop again to wait);
///         MOORLINE_CLOSED (another thread stopped or destroyed it meanwhile, and has the report: this one is all zero);
///         MOORLINE_INVALID_STATE (it does not run, or this is one of its callbacks); MOORLINE_INVALID_ARGUMENT;
///         MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND; the system's reason when it has stopped and lost nothing, but the
///         socket file could not be removed
///
/// Blocks until the timeout, and at most 250 ms longer for a callback that runs. Any thread.
///
/// # Safety
///
/// The pointer is as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_service_stop(
    service: *mut moorline_service,
    timeout_ms: i64,
    report: *mut moorline_service_report,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let out = unsafe { OutStruct::zeroed(report, "service report") }?;
        let done = handle::get::<Service>(service)?.stop(timeout(timeout_ms)?)?;
        out.set(self::report(&done));
        match (done.outcome, done.left_behind) {
            (Status::Ok, None) => Ok(()),
            (Status::Ok, Some(error)) => Err(error.within("stop")),
            (status, left_behind) => {
                let left_behind = left_behind.map(|error| format!("; {error}")).unwrap_or_default();
                Err(Error::new(status, format!("stop: {} bytes stayed unsent{left_behind}", done.unsent)))
            }
        }
    })
}

/// Stops the service without sending what is queued, and makes its handle stale. A call that is just starting it ends with
/// MOORLINE_CLOSED; its name is gone when this returns, and does not come any more.
///
/// @param service  any service
/// @return MOORLINE_OK; MOORLINE_INVALID_STATE (this is one of its callbacks: nothing happened); MOORLINE_STALE_HANDLE (as
///         when destroyed twice); MOORLINE_WRONG_KIND; MOORLINE_INVALID_ARGUMENT
///
/// Blocks while a callback runs, so that none runs afterwards, whichever of several threads it is destroyed by; otherwise as little
/// as moorline_server_close. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_service_destroy(service: *mut moorline_service) -> moorline_status {
    guard(|| {
        let held = handle::get::<Service>(service)?;
        // Before the handle is gone, because it may be refused; in a forked child there is nobody to wait for.
        if !held.is_inherited() {
            held.shut_down_for_good()?;
        }
        drop(held);
        handle::destroy_or_leave::<Service>(service, |_| {}, Service::leave_to_parent)
    })
}

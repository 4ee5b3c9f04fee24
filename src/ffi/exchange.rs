//! The exchange.

use super::arguments::{OutStruct, Versioned, busy_poll, count, options, scope, string, timeout};
use super::guard::guard;
use super::socket::trust;
use super::status::moorline_status;
use crate::exchange::{self, ExchangeOptions, Progress};
use crate::socket::SocketOptions;
use std::ffi::{c_char, c_void};

/// What to exchange. Begin with MOORLINE_EXCHANGE_OPTIONS_INIT; zero in a field is its default.
#[allow(non_camel_case_types)]
#[derive(Clone, Copy)]
#[repr(C)]
pub struct moorline_exchange_options {
    /// sizeof(moorline_exchange_options).
    pub struct_size: usize,
    /// As in moorline_socket_options.
    pub scope: u32,
    /// As in moorline_socket_options.
    pub trust: u32,
    /// Sockets, all connected at the same time. 0: one.
    pub connections: u32,
    /// As in moorline_poller_options.
    pub busy_poll_us: u32,
    /// Bytes of a round trip. 0: one, which is ping-pong.
    pub chunk: usize,
    /// Round trips over all connections together; each connection has one on its way at a time. 0: one a connection.
    pub round_trips: u64,
    /// Called on the calling thread about ten times a second, while it connects, too; and at the start, when all are connected
    /// and nothing is sent yet, and at the end; 0 cancels. May be NULL. It must return: no exception, no longjmp.
    pub progress: Option<unsafe extern "C" fn(context: *mut c_void, done: u64, total: u64) -> i32>,
    /// What `progress` gets as its first argument. The caller's.
    pub context: *mut c_void,
}

// SAFETY: integers, pointers and nullable functions only.
unsafe impl Versioned for moorline_exchange_options {}

/// What was exchanged. Begin with MOORLINE_EXCHANGE_REPORT_INIT.
#[allow(non_camel_case_types)]
#[derive(Clone, Copy)]
#[repr(C)]
pub struct moorline_exchange_report {
    /// sizeof(moorline_exchange_report).
    pub struct_size: usize,
    /// Round trips that came back whole and right.
    pub round_trips: u64,
    /// Bytes sent.
    pub bytes_sent: u64,
    /// Bytes received and found right.
    pub bytes_received: u64,
    /// Nanoseconds from the first send to the last receive; connecting is not in it.
    pub duration_ns: u64,
}

// SAFETY: integers only.
unsafe impl Versioned for moorline_exchange_report {}

/// Connects sockets to an echo, exchanges data with it, and verifies every byte.
///
/// @param name        the name of the echo, as for moorline_socket_connect
/// @param options     may be NULL: the defaults
/// @param timeout_ms  how long all of it may take, in milliseconds; -1 for ever
/// @param report      out, may be NULL: what was exchanged, also on failure; with its struct_size set by the caller
/// @return MOORLINE_OK (all came back, every byte right); MOORLINE_MISMATCH (moorline_last_error says on which connection and
///         at which byte of its stream); MOORLINE_DISCONNECTED; MOORLINE_WOULD_BLOCK, MOORLINE_TIMED_OUT;
///         MOORLINE_CANCELLED; as moorline_socket_connect; MOORLINE_INVALID_ARGUMENT (also: more than a million
///         connections, or chunks of more than a gibibyte)
///
/// Blocks until all is done, or the timeout. Any thread.
///
/// # Safety
///
/// The pointers are as described, and the callback can be called as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_exchange_run(
    name: *const c_char,
    options: *const moorline_exchange_options,
    timeout_ms: i64,
    report: *mut moorline_exchange_report,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let (out, name, given) = unsafe {
            (
                OutStruct::zeroed(report, "exchange report")?,
                string(name, "name")?,
                self::options(options, "exchange options")?,
            )
        };
        let connections = given.connections.max(1);
        let wanted = ExchangeOptions {
            socket: SocketOptions {
                scope: scope(given.scope)?,
                trust: trust(given.trust)?,
                ..SocketOptions::default()
            },
            connections: count(connections)?,
            chunk: given.chunk.max(1),
            round_trips: if given.round_trips == 0 { connections.into() } else { given.round_trips },
            busy_poll: busy_poll(given.busy_poll_us),
        };
        let progress = |Progress { done, total }| match given.progress {
            // SAFETY: the caller's function with the caller's context, as both were given.
            Some(progress) => unsafe { progress(given.context, done, total) != 0 },
            None => true,
        };
        let (done, result) = exchange::run(name, &wanted, timeout(timeout_ms)?, progress);
        out.set(moorline_exchange_report {
            struct_size: 0,
            round_trips: done.round_trips,
            bytes_sent: done.sent,
            bytes_received: done.received,
            duration_ns: done.duration.as_nanos().try_into().unwrap_or(u64::MAX),
        });
        result
    })
}

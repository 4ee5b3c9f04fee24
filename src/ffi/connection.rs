//! `moorline_connection`.

use super::arguments::{Out, OutStruct, bytes, timeout};
use super::guard::guard;
use super::handle::{self, moorline_connection};
use super::message::borrow_all;
use super::socket::{credentials, moorline_credentials};
use super::status::moorline_status;
use crate::service::Connection;
use crate::sys;
use std::ffi::{c_int, c_void};

/// Sends all the data. When the queue is full it waits; in a callback that holds up all connections of its thread. What one
/// call sends is never mixed with what other threads send.
///
/// @param connection  a connection that has not ended
/// @param data        what to send; may be NULL if length is 0
/// @param length      bytes
/// @param timeout_ms  how long to wait for room, in milliseconds; -1 for ever, 0 not at all
/// @param sent        out: how many bytes the kernel or the queue has taken; all on MOORLINE_OK, perhaps some otherwise
/// @return MOORLINE_OK (all was taken); MOORLINE_WOULD_BLOCK, MOORLINE_TIMED_OUT (not all, in time; the callback `low_water` will
///         tell when to go on); MOORLINE_DISCONNECTED;
///         MOORLINE_CLOSED (also after moorline_connection_close, and when the service stops); MOORLINE_INVALID_STATE (the
///         service has messages); MOORLINE_LIMIT_REACHED (no descriptors to wait with); MOORLINE_INVALID_ARGUMENT;
///         MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Blocks until the timeout. Any thread.
///
/// # Safety
///
/// The pointers are as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_connection_send(
    connection: *mut moorline_connection,
    data: *const c_void,
    length: usize,
    timeout_ms: i64,
    sent: *mut usize,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let (sent, data) = unsafe { (Out::zeroed(sent).required("sent")?, bytes(data, length)?) };
        let connection = handle::get::<Connection>(connection)?;
        let (taken, result) = connection.send_counted(data, timeout(timeout_ms)?);
        sent.set(taken);
        result
    })
}

/// Sends or queues all the data or nothing, and does not wait. There must be room for all of it in the queue.
///
/// @param connection  a connection that has not ended
/// @param data        what to send; may be NULL if length is 0
/// @param length      bytes
/// @return MOORLINE_OK; MOORLINE_WOULD_BLOCK (there is no room for all of it now; the callback `low_water` will tell when to try
///         again); MOORLINE_INVALID_ARGUMENT (also: more than the service's queue_limit); MOORLINE_DISCONNECTED; MOORLINE_CLOSED (also
///         after moorline_connection_close, and when the service stops); MOORLINE_INVALID_STATE (the service has messages);
///         MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Does not block. Any thread.
///
/// # Safety
///
/// The pointer is as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_connection_try_send(
    connection: *mut moorline_connection,
    data: *const c_void,
    length: usize,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let data = unsafe { bytes(data, length) }?;
        handle::get::<Connection>(connection)?.try_send(data)
    })
}

/// Sends a message, whole or not at all. When the queue is full it waits; in a callback that holds up all connections of its
/// thread. Any room is enough for a message, so the limit and one message are queued at most.
///
/// @param connection  a connection that has not ended, of a service with messages
/// @param data        the message; may be NULL if length is 0
/// @param length      bytes
/// @param timeout_ms  how long to wait for room, in milliseconds; -1 for ever, 0 not at all
/// @return as moorline_socket_send_message; after MOORLINE_WOULD_BLOCK and MOORLINE_TIMED_OUT the callback `low_water` will tell when
///         to go on
///
/// Blocks until the timeout. Any thread; messages of several threads don't mix.
///
/// # Safety
///
/// The pointer is as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_connection_send_message(
    connection: *mut moorline_connection,
    data: *const c_void,
    length: usize,
    timeout_ms: i64,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let data = unsafe { bytes(data, length) }?;
        handle::get::<Connection>(connection)?.send_message(data, timeout(timeout_ms)?)
    })
}

/// As moorline_connection_send_message, and sends duplicates of descriptors with the message. With some, the message waits for the
/// queue to be empty.
///
/// @param connection   a connection that has not ended, of a service with messages
/// @param data         the message; may be NULL if length is 0
/// @param length       bytes
/// @param descriptors  open descriptors, which stay the caller's
/// @param count        how many, at most 253: unix(7)
/// @param timeout_ms   how long to wait for room, in milliseconds; -1 for ever, 0 not at all
/// @return as moorline_socket_send_message_with_descriptors
///
/// Blocks until the timeout. Any thread; messages of several threads don't mix.
///
/// # Safety
///
/// The pointers are as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_connection_send_message_with_descriptors(
    connection: *mut moorline_connection,
    data: *const c_void,
    length: usize,
    descriptors: *const c_int,
    count: usize,
    timeout_ms: i64,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let (data, descriptors) = unsafe { (bytes(data, length)?, borrow_all(descriptors, count)?) };
        let connection = handle::get::<Connection>(connection)?;
        connection.send_message_with(data, &descriptors, timeout(timeout_ms)?)
    })
}

/// Ends the connection after what is queued was sent. Nothing more is read. The callback `disconnected` follows: with
/// MOORLINE_CLOSED, or with MOORLINE_DISCONNECTED if the peer had ended its sending before; or with the reason why not all that was
/// queued was sent, such as MOORLINE_TIMED_OUT.
///
/// @param connection  a connection that has not ended
/// @return MOORLINE_OK; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Does not block. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_connection_close(connection: *mut moorline_connection) -> moorline_status {
    guard(|| {
        handle::get::<Connection>(connection)?.close();
        Ok(())
    })
}

/// Ends the connection and drops what is queued. The callback `disconnected` follows: with MOORLINE_CLOSED, unless the connection
/// ends for another reason just then.
///
/// @param connection  a connection that has not ended
/// @return MOORLINE_OK; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Does not block. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_connection_abort(connection: *mut moorline_connection) -> moorline_status {
    guard(|| {
        handle::get::<Connection>(connection)?.abort();
        Ok(())
    })
}

/// Who connected, by the kernel's word.
///
/// @param connection   a connection that has not ended
/// @param credentials  out: with its struct_size set by the caller
/// @return MOORLINE_OK; MOORLINE_CLOSED; MOORLINE_NOT_SUPPORTED; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE;
///         MOORLINE_WRONG_KIND
///
/// Does not block. Any thread.
///
/// # Safety
///
/// The pointer is as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_connection_peer_credentials(
    connection: *mut moorline_connection,
    credentials: *mut moorline_credentials,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let out = unsafe { OutStruct::zeroed(credentials, "credentials") }?.required("credentials")?;
        out.set(self::credentials(handle::get::<Connection>(connection)?.peer_credentials()?));
        Ok(())
    })
}

/// A descriptor of the process at the other end (a pidfd), which, unlike its number, never comes to mean another process.
///
/// @param connection  a connection that has not ended
/// @param descriptor  out: the pidfd, to be closed by the caller; close-on-exec
/// @return as moorline_socket_peer_process
///
/// Does not block. Any thread.
///
/// # Safety
///
/// The pointer is as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_connection_peer_process(
    connection: *mut moorline_connection,
    descriptor: *mut libc::intptr_t,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let descriptor = unsafe { Out::zeroed(descriptor) }.required("descriptor")?;
        let process = handle::get::<Connection>(connection)?.peer_process()?;
        descriptor.set(sys::give_away(process) as libc::intptr_t);
        Ok(())
    })
}

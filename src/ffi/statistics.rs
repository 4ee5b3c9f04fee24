//! What sockets, connections, servers and services have done so far.

use super::arguments::{OutStruct, Versioned};
use super::guard::guard;
use super::handle::{self, moorline_connection, moorline_server, moorline_service, moorline_socket};
use super::service::{moorline_service_report, report};
use super::status::moorline_status;
use crate::server::Server;
use crate::service::{Connection, Service};
use crate::socket::{Socket, SocketStatistics};

/// What a socket or a connection has done so far. Begin with MOORLINE_SOCKET_STATS_INIT.
#[allow(non_camel_case_types)]
#[derive(Clone, Copy)]
#[repr(C)]
pub struct moorline_socket_stats {
    /// sizeof(moorline_socket_stats).
    pub struct_size: usize,
    /// Bytes that the kernel took.
    pub sent: u64,
    /// Bytes that were accepted and never sent, once it is closed.
    pub unsent: u64,
    /// Bytes received.
    pub received: u64,
    /// Messages accepted to be sent.
    pub messages_sent: u64,
    /// Messages delivered.
    pub messages_received: u64,
    /// Bytes queued to be sent, now.
    pub queued: u64,
    /// Bytes queued to be sent, at most.
    pub queue_peak: u64,
}

// SAFETY: integers only.
unsafe impl Versioned for moorline_socket_stats {}

/// What a server has done so far. Begin with MOORLINE_SERVER_STATS_INIT.
#[allow(non_camel_case_types)]
#[derive(Clone, Copy)]
#[repr(C)]
pub struct moorline_server_stats {
    /// sizeof(moorline_server_stats).
    pub struct_size: usize,
    /// Connections accepted.
    pub accepted: u64,
    /// Connections turned away by the policy.
    pub refused: u64,
}

// SAFETY: integers only.
unsafe impl Versioned for moorline_server_stats {}

fn stats(statistics: SocketStatistics, unsent: u64) -> moorline_socket_stats {
    let SocketStatistics { sent, received, messages_sent, messages_received, queued, queue_peak } =
        statistics;
    moorline_socket_stats {
        struct_size: 0,
        sent,
        unsent,
        received,
        messages_sent,
        messages_received,
        queued,
        queue_peak,
    }
}

/// What a socket has done so far. Also of a closed one.
///
/// @param socket      any socket
/// @param statistics  out: with its struct_size set by the caller
/// @return MOORLINE_OK; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Does not block. Any thread.
///
/// # Safety
///
/// The pointer is as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_socket_statistics(
    socket: *mut moorline_socket,
    statistics: *mut moorline_socket_stats,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let out = unsafe { OutStruct::zeroed(statistics, "statistics") }?.required("statistics")?;
        let socket = handle::get::<Socket>(socket)?;
        out.set(stats(socket.statistics(), socket.unsent()));
        Ok(())
    })
}

/// What went over a connection so far; in the callback `disconnected`, all that ever did.
///
/// @param connection  a connection that has not ended, or is just ending
/// @param statistics  out: with its struct_size set by the caller
/// @return MOORLINE_OK; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Does not block. Any thread.
///
/// # Safety
///
/// The pointer is as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_connection_statistics(
    connection: *mut moorline_connection,
    statistics: *mut moorline_socket_stats,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let out = unsafe { OutStruct::zeroed(statistics, "statistics") }?.required("statistics")?;
        let connection = handle::get::<Connection>(connection)?;
        out.set(stats(connection.statistics(), connection.unsent()));
        Ok(())
    })
}

/// What a server has done so far, since it was made.
///
/// @param server      any server
/// @param statistics  out: with its struct_size set by the caller
/// @return MOORLINE_OK; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Does not block. Any thread.
///
/// # Safety
///
/// The pointer is as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_server_statistics(
    server: *mut moorline_server,
    statistics: *mut moorline_server_stats,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let out = unsafe { OutStruct::zeroed(statistics, "statistics") }?.required("statistics")?;
        let done = handle::get::<Server>(server)?.statistics();
        let (accepted, refused) = (done.accepted, done.refused);
        out.set(moorline_server_stats { struct_size: 0, accepted, refused });
        Ok(())
    })
}

/// What a service has done since it started; bytes and reasons count when their connection has ended.
///
/// @param service     a service that runs
/// @param statistics  out: with its struct_size set by the caller
/// @return MOORLINE_OK; MOORLINE_INVALID_STATE (it does not run); MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE;
///         MOORLINE_WRONG_KIND
///
/// Does not block. Any thread.
///
/// # Safety
///
/// The pointer is as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_service_statistics(
    service: *mut moorline_service,
    statistics: *mut moorline_service_report,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let out = unsafe { OutStruct::zeroed(statistics, "statistics") }?.required("statistics")?;
        out.set(report(&handle::get::<Service>(service)?.statistics()?));
        Ok(())
    })
}

//! `moorline_socket`.

use super::arguments::{
    MOORLINE_HANGUP, MOORLINE_READABLE, MOORLINE_WRITABLE, Out, OutStruct, Versioned, busy_poll, bytes,
    bytes_mut, check_reserved, interest, options, scope, string, timeout,
};
use super::guard::guard;
use super::handle::{self, moorline_fault_plan, moorline_socket};
use super::message::{message_options, moorline_message_options};
use super::status::moorline_status;
use super::testkit::faults;
use crate::error::{Error, Result, Status};
use crate::name::Name;
use crate::poller::Event;
use crate::socket::{CloseReport, Credentials, Direction, Socket, SocketOptions, Trust};
use crate::sys;
use std::ffi::{c_char, c_int, c_void};

/// Connect only to a server of the same user, or of root.
pub const MOORLINE_TRUST_SAME_USER: u32 = 0;
/// Connect to anyone's server.
pub const MOORLINE_TRUST_ANYONE: u32 = 1;

/// How a socket connects and sends. Begin with MOORLINE_SOCKET_OPTIONS_INIT; zero in a field is its default.
#[allow(non_camel_case_types)]
#[derive(Clone, Copy)]
#[repr(C)]
pub struct moorline_socket_options {
    /// sizeof(moorline_socket_options).
    pub struct_size: usize,
    /// MOORLINE_SCOPE_*: where plain names live.
    pub scope: u32,
    /// MOORLINE_TRUST_*: whose server to connect to. It is checked before anything is sent.
    pub trust: u32,
    /// Bytes that sending keeps for later when the kernel takes no more, of messages one more than that. 0: sending waits for the kernel
    /// instead. What is kept goes out with the next sends, receives, waits and flushes, and while those wait that find it when they
    /// begin; nothing else sends it.
    pub send_queue_limit: usize,
    /// Messages instead of a stream of bytes; copied. NULL: a stream of bytes.
    pub messages: *const moorline_message_options,
    /// What a test wants to go wrong with the connection, of which this is the client's side: moorline/testkit.h. NULL: nothing, which costs nothing.
    pub faults: *const moorline_fault_plan,
    /// As in moorline_poller_options, of a receive that waits.
    pub busy_poll_us: u32,
    /// Zero.
    pub reserved: u32,
}

// SAFETY: integers and pointers only.
unsafe impl Versioned for moorline_socket_options {}

/// What became of everything that a socket was given. Begin with MOORLINE_CLOSE_REPORT_INIT.
#[allow(non_camel_case_types)]
#[derive(Clone, Copy)]
#[repr(C)]
pub struct moorline_close_report {
    /// sizeof(moorline_close_report).
    pub struct_size: usize,
    /// Bytes that the kernel took, over the socket's life.
    pub sent: u64,
    /// Bytes that sending accepted and the kernel never got.
    pub unsent: u64,
    /// Bytes received, over the socket's life.
    pub received: u64,
}

// SAFETY: integers only.
unsafe impl Versioned for moorline_close_report {}

/// Who is at the other end. Begin with MOORLINE_CREDENTIALS_INIT.
#[allow(non_camel_case_types)]
#[derive(Clone, Copy)]
#[repr(C)]
pub struct moorline_credentials {
    /// sizeof(moorline_credentials).
    pub struct_size: usize,
    /// Effective user.
    pub uid: u32,
    /// Effective group.
    pub gid: u32,
    /// Process, -1 where the system does not tell. It may have ended since, and the number may be another's.
    pub pid: i64,
}

// SAFETY: integers only.
unsafe impl Versioned for moorline_credentials {}

pub(super) fn trust(trust: u32) -> Result<Trust> {
    match trust {
        MOORLINE_TRUST_SAME_USER => Ok(Trust::SameUser),
        MOORLINE_TRUST_ANYONE => Ok(Trust::Anyone),
        _ => Err(Error::new(Status::InvalidArgument, format!("there is no trust {trust}"))),
    }
}

/// # Safety
///
/// As for [`options`], and the messages as for [`message_options`].
unsafe fn read_options(given: *const moorline_socket_options) -> Result<SocketOptions> {
    // SAFETY: as the caller says.
    let given = unsafe { options(given, "socket options") }?;
    check_reserved(given.reserved, "socket options")?;
    // SAFETY: as the caller says.
    let messages = unsafe { message_options(given.messages) }?;
    Ok(SocketOptions {
        scope: scope(given.scope)?,
        trust: trust(given.trust)?,
        send_queue_limit: given.send_queue_limit,
        messages,
        faults: faults(given.faults)?,
        busy_poll: busy_poll(given.busy_poll_us),
    })
}

fn tell(closed: CloseReport, report: &OutStruct<moorline_close_report>) -> Result<()> {
    let CloseReport { sent, unsent, received, outcome } = closed;
    report.set(moorline_close_report { struct_size: 0, sent, unsent, received });
    match outcome {
        Status::Ok => Ok(()),
        status => Err(Error::new(status, format!("close: {unsent} bytes stayed unsent"))),
    }
}

pub(super) fn credentials(credentials: Credentials) -> moorline_credentials {
    let Credentials { uid, gid, pid } = credentials;
    moorline_credentials { struct_size: 0, uid, gid, pid: pid.map_or(-1, i64::from) }
}

pub(super) fn readiness(event: Event) -> u32 {
    let flag = |is: bool, flag: u32| if is { flag } else { 0 };
    flag(event.readable, MOORLINE_READABLE)
        | flag(event.writable, MOORLINE_WRITABLE)
        | flag(event.hangup, MOORLINE_HANGUP)
}

/// Connects to a server. Waits while its backlog is full.
///
/// @param name        a plain name, or an absolute path
/// @param options     may be NULL: the defaults
/// @param timeout_ms  how long to wait, in milliseconds; -1 for ever, 0 not at all
/// @param socket      out: the new handle, to be destroyed by the caller
/// @return MOORLINE_OK; MOORLINE_NOT_FOUND (there is no such name); MOORLINE_CONNECTION_REFUSED (nobody listens there);
///         MOORLINE_PERMISSION_DENIED (by the system, or the server is not of a user that options->trust allows);
///         MOORLINE_WOULD_BLOCK, MOORLINE_TIMED_OUT (the backlog stayed full); MOORLINE_LIMIT_REACHED;
///         MOORLINE_NAME_INVALID; MOORLINE_NAME_TOO_LONG; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE,
///         MOORLINE_WRONG_KIND (options->faults); MOORLINE_OS_ERROR
///
/// Blocks until the timeout. Any thread.
///
/// # Safety
///
/// The pointers are as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_socket_connect(
    name: *const c_char,
    options: *const moorline_socket_options,
    timeout_ms: i64,
    socket: *mut *mut moorline_socket,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let (socket, name, options) = unsafe {
            (Out::zeroed(socket).required("socket")?, string(name, "name")?, read_options(options)?)
        };
        socket.set(handle::create(Socket::connect(name, &options, timeout(timeout_ms)?)?)?);
        Ok(())
    })
}

/// Connects to the server of an abstract name of any bytes, NULs too, whatever options->scope says.
///
/// @param name        the bytes, all of which count
/// @param length      how many, 1 to 107
/// @param options     may be NULL: the defaults
/// @param timeout_ms  how long to wait, in milliseconds; -1 for ever, 0 not at all
/// @param socket      out: the new handle, to be destroyed by the caller
/// @return as moorline_socket_connect; MOORLINE_CONNECTION_REFUSED: there is no such name
///
/// Blocks until the timeout. Any thread.
///
/// # Safety
///
/// The pointers are as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_socket_connect_abstract(
    name: *const c_void,
    length: usize,
    options: *const moorline_socket_options,
    timeout_ms: i64,
    socket: *mut *mut moorline_socket,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let (socket, name, options) = unsafe {
            (Out::zeroed(socket).required("socket")?, bytes(name, length)?, read_options(options)?)
        };
        let name = Name::from_abstract(name)?;
        socket.set(handle::create(Socket::connect_to(&name, &options, timeout(timeout_ms)?)?)?);
        Ok(())
    })
}

/// Makes two sockets that are connected to each other. options->faults are those of the first, as of a client.
///
/// @param options  may be NULL: the defaults
/// @param first    out: the one handle, to be destroyed by the caller
/// @param second   out: the other handle, likewise
/// @return MOORLINE_OK; MOORLINE_LIMIT_REACHED; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE, MOORLINE_WRONG_KIND
///         (options->faults)
///
/// Does not block. Any thread.
///
/// # Safety
///
/// The pointers are as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_socket_pair(
    options: *const moorline_socket_options,
    first: *mut *mut moorline_socket,
    second: *mut *mut moorline_socket,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let (first, second) = unsafe { (Out::zeroed(first), Out::zeroed(second)) };
        let (first, second) = (first.required("first")?, second.required("second")?);
        // SAFETY: as the caller says.
        let options = unsafe { read_options(options) }?;
        let (one, other) = Socket::pair(&options)?;
        let one = handle::create(one)?;
        match handle::create(other) {
            Ok(other) => {
                first.set(one);
                second.set(other);
                Ok(())
            }
            Err(error) => {
                handle::destroy::<Socket>(one, |_| {})?;
                Err(error)
            }
        }
    })
}

/// Takes over a connected socket.
///
/// @param descriptor  a connected local stream socket; the new socket's from MOORLINE_OK on, and made non-blocking and
///                    close-on-exec; otherwise the caller's still
/// @param options     may be NULL: the defaults; scope and trust don't matter here
/// @param socket      out: the new handle, to be destroyed by the caller
/// @return MOORLINE_OK; MOORLINE_INVALID_ARGUMENT (also: it is not such a socket); MOORLINE_LIMIT_REACHED (too many handles
///         are alive, or there are no descriptors for its faults; the descriptor is closed); MOORLINE_STALE_HANDLE,
///         MOORLINE_WRONG_KIND (options->faults)
///
/// Does not block. Any thread.
///
/// # Safety
///
/// The pointers are as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_socket_adopt_descriptor(
    descriptor: c_int,
    options: *const moorline_socket_options,
    socket: *mut *mut moorline_socket,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let (socket, options) = unsafe { (Out::zeroed(socket).required("socket")?, read_options(options)?) };
        socket.set(handle::create(Socket::adopt_number(descriptor, &options)?)?);
        Ok(())
    })
}

/// Gives the descriptor away, still connected, and destroys the socket. From then on it is passed descriptors as any socket is, for
/// whoever else has a descriptor of it, too.
///
/// @param socket      any socket; its handle is stale from MOORLINE_OK on
/// @param descriptor  out: the descriptor, to be closed by the caller; non-blocking and close-on-exec
/// @return MOORLINE_OK; MOORLINE_INVALID_STATE (something is queued to be sent, or a send is under way: flush first; or a
///         message or a part of one was read ahead and nobody has received it, or a receive of a message is under way);
///         MOORLINE_CLOSED; MOORLINE_LIMIT_REACHED; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Does not block. Any thread. Other calls that wait end with MOORLINE_CLOSED.
///
/// # Safety
///
/// The pointer is as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_socket_release_descriptor(
    socket: *mut moorline_socket,
    descriptor: *mut libc::intptr_t,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let descriptor = unsafe { Out::zeroed(descriptor) }.required("descriptor")?;
        let released = handle::get::<Socket>(socket)?.release()?;
        match handle::destroy::<Socket>(socket, |_| {}) {
            Ok(()) => {
                descriptor.set(released as libc::intptr_t);
                Ok(())
            }
            Err(error) => {
                // Another thread destroyed the socket meanwhile, so nobody gets the descriptor: taking it over closes it.
                drop(Socket::adopt_number(released, &SocketOptions::default()));
                Err(error)
            }
        }
    })
}

/// The descriptor, for asking the system about it and setting options. Reading, writing, closing or waiting for it is the
/// library's, and so is what comes beside the bytes: SO_PASSCRED, SO_PASSRIGHTS and their like.
///
/// @param socket      a socket that is not closed
/// @param descriptor  out: its number, which is the socket's until it is closed
/// @return MOORLINE_OK; MOORLINE_CLOSED; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Does not block. Any thread.
///
/// # Safety
///
/// The pointer is as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_socket_descriptor(
    socket: *mut moorline_socket,
    descriptor: *mut libc::intptr_t,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let descriptor = unsafe { Out::zeroed(descriptor) }.required("descriptor")?;
        descriptor.set(handle::get::<Socket>(socket)?.descriptor()? as libc::intptr_t);
        Ok(())
    })
}

/// Sends all the data. What one call sends is never mixed with what other threads send on the same socket.
///
/// @param socket      any socket
/// @param data        what to send; may be NULL if length is 0
/// @param length      bytes
/// @param timeout_ms  how long to wait for room, in milliseconds; -1 for ever, 0 not at all
/// @param sent        out: how many bytes the kernel, or the queue of options.send_queue_limit, has taken; all on
///                    MOORLINE_OK, perhaps some otherwise
/// @return MOORLINE_OK (all was taken); MOORLINE_WOULD_BLOCK, MOORLINE_TIMED_OUT (not all, in time); MOORLINE_DISCONNECTED
///         (the peer has gone); MOORLINE_CLOSED; MOORLINE_INVALID_STATE (the socket has messages); MOORLINE_LIMIT_REACHED;
///         MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Blocks until the timeout. Any thread. Raises no SIGPIPE.
///
/// # Safety
///
/// The pointers are as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_socket_send(
    socket: *mut moorline_socket,
    data: *const c_void,
    length: usize,
    timeout_ms: i64,
    sent: *mut usize,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let (sent, data) = unsafe { (Out::zeroed(sent).required("sent")?, bytes(data, length)?) };
        let (taken, result) = handle::get::<Socket>(socket)?.send_counted(data, timeout(timeout_ms)?);
        sent.set(taken);
        result
    })
}

/// Sends or queues all the data or nothing, and does not wait. There must be room for all of it in the queue of
/// options.send_queue_limit.
///
/// @param socket  any socket
/// @param data    what to send; may be NULL if length is 0
/// @param length  bytes
/// @return MOORLINE_OK; MOORLINE_WOULD_BLOCK (there is no room for all of it now, or another thread's send is under way);
///         MOORLINE_INVALID_ARGUMENT (also: more than options.send_queue_limit); MOORLINE_DISCONNECTED (the peer has gone);
///         MOORLINE_CLOSED; MOORLINE_INVALID_STATE (the socket has messages); MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Does not block. Any thread. Raises no SIGPIPE.
///
/// # Safety
///
/// The pointer is as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_socket_try_send(
    socket: *mut moorline_socket,
    data: *const c_void,
    length: usize,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let data = unsafe { bytes(data, length) }?;
        handle::get::<Socket>(socket)?.try_send(data)
    })
}

/// Receives what is there, at least one byte. What is queued to be sent when it begins goes out while it waits.
///
/// @param socket      any socket
/// @param buffer      where to put it
/// @param capacity    bytes of room, at least 1
/// @param timeout_ms  how long to wait for the first byte, in milliseconds; -1 for ever, 0 not at all
/// @param received    out: how many bytes came
/// @return MOORLINE_OK; MOORLINE_WOULD_BLOCK, MOORLINE_TIMED_OUT (nothing came in time); MOORLINE_DISCONNECTED (the peer has
///         gone, or will send no more, and all it sent was read); MOORLINE_CLOSED; MOORLINE_INVALID_STATE (the socket has
///         messages); MOORLINE_LIMIT_REACHED; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Blocks until the timeout. Any thread.
///
/// # Safety
///
/// The pointers are as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_socket_receive(
    socket: *mut moorline_socket,
    buffer: *mut c_void,
    capacity: usize,
    timeout_ms: i64,
    received: *mut usize,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let (received, buffer) =
            unsafe { (Out::zeroed(received).required("received")?, bytes_mut(buffer, capacity)?) };
        received.set(handle::get::<Socket>(socket)?.receive(buffer, timeout(timeout_ms)?)?);
        Ok(())
    })
}

/// Sends what is queued.
///
/// @param socket      any socket
/// @param timeout_ms  how long to wait for room, in milliseconds; -1 for ever, 0 not at all
/// @return MOORLINE_OK (nothing is queued any more); MOORLINE_WOULD_BLOCK, MOORLINE_TIMED_OUT; MOORLINE_DISCONNECTED;
///         MOORLINE_CLOSED; MOORLINE_LIMIT_REACHED; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Blocks until the timeout. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_socket_flush(
    socket: *mut moorline_socket,
    timeout_ms: i64,
) -> moorline_status {
    guard(|| handle::get::<Socket>(socket)?.flush(timeout(timeout_ms)?))
}

/// Waits until a receive or a send would not wait. What is queued to be sent when it begins goes out meanwhile. Messages that another
/// thread's receive reads ahead meanwhile do not end it.
///
/// @param socket      any socket
/// @param interest    MOORLINE_READABLE or MOORLINE_WRITABLE, or both
/// @param timeout_ms  how long to wait, in milliseconds; -1 for ever, 0 not at all
/// @param ready       out: which of MOORLINE_READABLE, MOORLINE_WRITABLE and MOORLINE_HANGUP is so
/// @return MOORLINE_OK; MOORLINE_WOULD_BLOCK, MOORLINE_TIMED_OUT; MOORLINE_CLOSED; MOORLINE_LIMIT_REACHED;
///         MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Blocks until the timeout. Any thread.
///
/// # Safety
///
/// The pointer is as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_socket_wait(
    socket: *mut moorline_socket,
    interest: u32,
    timeout_ms: i64,
    ready: *mut u32,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let ready = unsafe { Out::zeroed(ready) }.required("ready")?;
        let interest = self::interest(interest)?;
        let found = handle::get::<Socket>(socket)?.wait(interest, timeout(timeout_ms)?)?;
        ready.set(readiness(found));
        Ok(())
    })
}

/// Who is at the other end, by the kernel's word: for the connecting side the process that called listen.
///
/// @param socket       a socket that is not closed
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
pub unsafe extern "C" fn moorline_socket_peer_credentials(
    socket: *mut moorline_socket,
    credentials: *mut moorline_credentials,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let out = unsafe { OutStruct::zeroed(credentials, "credentials") }?.required("credentials")?;
        out.set(self::credentials(handle::get::<Socket>(socket)?.peer_credentials()?));
        Ok(())
    })
}

/// A descriptor of the process at the other end (a pidfd), which, unlike its number, never comes to mean another process.
///
/// @param socket      a socket that is not closed
/// @param descriptor  out: the pidfd, to be closed by the caller; close-on-exec
/// @return MOORLINE_OK; MOORLINE_NOT_SUPPORTED (as on Linux before 6.5); MOORLINE_NOT_FOUND (the process has ended and is
///         forgotten); MOORLINE_CLOSED; MOORLINE_LIMIT_REACHED; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE;
///         MOORLINE_WRONG_KIND
///
/// Does not block. Any thread.
///
/// # Safety
///
/// The pointer is as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_socket_peer_process(
    socket: *mut moorline_socket,
    descriptor: *mut libc::intptr_t,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let descriptor = unsafe { Out::zeroed(descriptor) }.required("descriptor")?;
        let process = handle::get::<Socket>(socket)?.peer_process()?;
        descriptor.set(sys::give_away(process) as libc::intptr_t);
        Ok(())
    })
}

/// Ends the calls of other threads that wait, with MOORLINE_CLOSED; sends what is queued until the timeout; closes. It is closed
/// whatever this answers but MOORLINE_INVALID_ARGUMENT. Closing again only reports; while another call sends what is queued, it ends
/// that at its own timeout. The handle is to be destroyed still.
///
/// @param socket      any socket
/// @param timeout_ms  how long to wait for what is queued to go out, in milliseconds; -1 for ever, 0 not at all
/// @param report      out, may be NULL: what became of everything; with its struct_size set by the caller
/// @return MOORLINE_OK; MOORLINE_WOULD_BLOCK, MOORLINE_TIMED_OUT, MOORLINE_DISCONNECTED, MOORLINE_LIMIT_REACHED
///         (report->unsent bytes were lost, and why); MOORLINE_CLOSED (likewise: it was closed before, or
///         meanwhile destroyed, or closed by a call that waited less); MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE;
///         MOORLINE_WRONG_KIND
///
/// Blocks until the timeout. Any thread.
///
/// # Safety
///
/// The pointer is as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_socket_close(
    socket: *mut moorline_socket,
    timeout_ms: i64,
    report: *mut moorline_close_report,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let report = unsafe { OutStruct::zeroed(report, "close report") }?;
        let closed = handle::get::<Socket>(socket)?.close(timeout(timeout_ms)?);
        tell(closed, &report)
    })
}

/// Ends one direction; the other works on. Ending the sending one sends what is queued first: sends answer MOORLINE_CLOSED from
/// then on, and the peer sees the end of the stream. Ending the receiving one makes the peer's sends fail, but for one that waits
/// for room already: the system does not tell that one before there is some. What has come already can be read.
///
/// @param socket      any socket
/// @param direction   MOORLINE_WRITABLE: sending; MOORLINE_READABLE: receiving
/// @param timeout_ms  how long to wait for what is queued to go out, in milliseconds; -1 for ever, 0 not at all
/// @return MOORLINE_OK; MOORLINE_WOULD_BLOCK, MOORLINE_TIMED_OUT (something is queued still, nothing has ended);
///         MOORLINE_DISCONNECTED; MOORLINE_CLOSED; MOORLINE_LIMIT_REACHED; MOORLINE_INVALID_ARGUMENT;
///         MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Blocks until the timeout. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_socket_shutdown(
    socket: *mut moorline_socket,
    direction: u32,
    timeout_ms: i64,
) -> moorline_status {
    guard(|| {
        let direction = match direction {
            MOORLINE_WRITABLE => Direction::Sending,
            MOORLINE_READABLE => Direction::Receiving,
            other => {
                return Err(Error::new(Status::InvalidArgument, format!("there is no direction {other}")));
            }
        };
        handle::get::<Socket>(socket)?.shut_down(direction, timeout(timeout_ms)?)
    })
}

/// As moorline_socket_close, without sending what is queued.
///
/// @param socket  any socket
/// @param report  out, may be NULL: what became of everything; with its struct_size set by the caller
/// @return MOORLINE_OK; MOORLINE_CLOSED (report->unsent bytes were lost); MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE;
///         MOORLINE_WRONG_KIND
///
/// Does not block. Any thread.
///
/// # Safety
///
/// The pointer is as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_socket_abort(
    socket: *mut moorline_socket,
    report: *mut moorline_close_report,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let report = unsafe { OutStruct::zeroed(report, "close report") }?;
        tell(handle::get::<Socket>(socket)?.abort(), &report)
    })
}

/// Closes the socket without sending what is queued, and makes its handle stale. Calls that wait end with MOORLINE_CLOSED.
///
/// @param socket  any socket
/// @return MOORLINE_OK; MOORLINE_STALE_HANDLE (as when destroyed twice); MOORLINE_WRONG_KIND; MOORLINE_INVALID_ARGUMENT
///
/// Does not block. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_socket_destroy(socket: *mut moorline_socket) -> moorline_status {
    guard(|| {
        let abort = |socket: &Socket| {
            socket.abort();
        };
        handle::destroy_or_leave::<Socket>(socket, abort, Socket::leave_to_parent)
    })
}

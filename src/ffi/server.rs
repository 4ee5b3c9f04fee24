//! `moorline_server`.

use super::arguments::{Out, OutText, Versioned, bytes, options, scope, string, timeout, unless_zero};
use super::guard::guard;
use super::handle::{self, moorline_fault_plan, moorline_server, moorline_socket};
use super::message::{message_options, moorline_message_options};
use super::policy::{moorline_policy, policy};
use super::status::moorline_status;
use super::testkit::faults;
use crate::name::Name;
use crate::server::{Server, ServerOptions};
use std::ffi::{c_char, c_int, c_void};

/// How a server listens. Begin with MOORLINE_SERVER_OPTIONS_INIT; zero in a field is its default.
#[allow(non_camel_case_types)]
#[derive(Clone, Copy)]
#[repr(C)]
pub struct moorline_server_options {
    /// sizeof(moorline_server_options).
    pub struct_size: usize,
    /// MOORLINE_SCOPE_*: where plain names live.
    pub scope: u32,
    /// Permission bits of the socket file, exactly these whatever the umask; who may write may connect. 0: 0600, this user
    /// only. Abstract names have no permissions. Without the owner's right to write, a name whose server was killed is not
    /// recovered.
    pub mode: u32,
    /// Connections that may wait to be accepted, exactly. 0: as many as the system allows.
    pub backlog: u32,
    /// Of the accepted sockets, as in moorline_socket_options.
    pub send_queue_limit: usize,
    /// Of the accepted sockets, as in moorline_socket_options.
    pub messages: *const moorline_message_options,
    /// Whom connections are taken from; copied. NULL: everyone.
    pub policy: *const moorline_policy,
    /// What a test wants to go wrong with the connections, and with accepting them: moorline/testkit.h. NULL: nothing, which costs
    /// nothing.
    pub faults: *const moorline_fault_plan,
}

// SAFETY: integers and pointers only.
unsafe impl Versioned for moorline_server_options {}

/// Makes a server, which does not listen yet.
///
/// @param options  may be NULL: the defaults
/// @param server   out: the new handle, to be destroyed by the caller
/// @return MOORLINE_OK; MOORLINE_INVALID_ARGUMENT; MOORLINE_LIMIT_REACHED; MOORLINE_STALE_HANDLE, MOORLINE_WRONG_KIND
///         (options->faults)
///
/// Does not block. Any thread.
///
/// # Safety
///
/// The pointers are as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_server_create(
    options: *const moorline_server_options,
    server: *mut *mut moorline_server,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let (server, given) = unsafe { (Out::zeroed(server), self::options(options, "server options")?) };
        // SAFETY: as the caller says.
        let (policy, messages) = unsafe { (policy(given.policy)?, message_options(given.messages)?) };
        let server = server.required("server")?;
        server.set(handle::create(Server::new(ServerOptions {
            scope: scope(given.scope)?,
            mode: unless_zero(given.mode),
            backlog: unless_zero(given.backlog),
            send_queue_limit: given.send_queue_limit,
            messages,
            policy,
            faults: faults(given.faults)?,
        }))?);
        Ok(())
    })
}

/// Listens under a name. When this returns, the name leads here. A name whose server died is taken over, if this user may
/// write to its file; a live server's never.
///
/// @param server  a server that does not listen
/// @param name    a plain name, or an absolute path
/// @return MOORLINE_OK; MOORLINE_NAME_IN_USE (a server has it, or something that is no socket; or a socket file that this user
///         may not write to, of which nobody can tell whether its server is alive); MOORLINE_NAME_INVALID;
///         MOORLINE_NAME_TOO_LONG; MOORLINE_NOT_FOUND (its directory is missing); MOORLINE_PERMISSION_DENIED (also: the
///         name is dead, and this user may not remove it or not read the directory, as recovering takes);
///         MOORLINE_INVALID_STATE (it listens already, or another thread is just making it listen); MOORLINE_CLOSED (another
///         thread closed or destroyed it meanwhile); MOORLINE_LIMIT_REACHED; MOORLINE_INVALID_ARGUMENT (also: the mode has
///         more than permission bits); MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND; MOORLINE_OS_ERROR
///
/// Does not block, except for milliseconds while a dead name is recovered, and at most for a second if somebody keeps its
/// directory locked; nobody else waits for that. Any thread.
///
/// # Safety
///
/// The string is as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_server_listen(
    server: *mut moorline_server,
    name: *const c_char,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let name = unsafe { string(name, "name") };
        handle::get::<Server>(server)?.listen(name?)
    })
}

/// Listens under a new name that nobody has: the prefix, the process and sixty-four random bits.
/// moorline_server_full_name tells it.
///
/// @param server  a server that does not listen
/// @param prefix  what the name begins with
/// @return as moorline_server_listen
///
/// Does not block. Any thread.
///
/// # Safety
///
/// The string is as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_server_listen_unique(
    server: *mut moorline_server,
    prefix: *const c_char,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let prefix = unsafe { string(prefix, "prefix") };
        handle::get::<Server>(server)?.listen_unique(prefix?)
    })
}

/// Listens under an abstract name of any bytes, NULs too, whatever options.scope says.
///
/// @param server  a server that does not listen
/// @param name    the bytes, all of which count
/// @param length  how many, 1 to 107
/// @return MOORLINE_OK; MOORLINE_NAME_IN_USE; MOORLINE_NAME_INVALID; MOORLINE_NAME_TOO_LONG; MOORLINE_INVALID_STATE (it
///         listens already); MOORLINE_CLOSED (another thread closed or destroyed it meanwhile); MOORLINE_LIMIT_REACHED;
///         MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND; MOORLINE_OS_ERROR
///
/// Does not block. Any thread.
///
/// # Safety
///
/// The buffer is as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_server_listen_abstract(
    server: *mut moorline_server,
    name: *const c_void,
    length: usize,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let name = unsafe { bytes(name, length) }?;
        handle::get::<Server>(server)?.listen_on(Name::from_abstract(name)?)
    })
}

/// Whether the server's name is in the abstract namespace, which moorline_server_full_name does not tell.
///
/// @param server       a server that listens
/// @param is_abstract  out: 1 if so, otherwise 0
/// @return MOORLINE_OK; MOORLINE_INVALID_STATE (it does not listen); MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE;
///         MOORLINE_WRONG_KIND
///
/// Does not block. Any thread.
///
/// # Safety
///
/// The pointer is as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_server_is_abstract(
    server: *mut moorline_server,
    is_abstract: *mut u32,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let is_abstract = unsafe { Out::zeroed(is_abstract) }.required("is_abstract")?;
        let name = handle::get::<Server>(server)?.name()?;
        is_abstract.set(u32::from(name.is_some_and(|name| name.is_abstract())));
        Ok(())
    })
}

/// Listens with a socket that was made to listen elsewhere, as by a service manager. The file of its name, if it has one,
/// is never removed.
///
/// @param server      a server that does not listen
/// @param descriptor  a listening local stream socket; the server's from MOORLINE_OK on, and made non-blocking and
///                    close-on-exec; otherwise the caller's still
/// @return MOORLINE_OK; MOORLINE_INVALID_ARGUMENT (it is not such a socket); MOORLINE_INVALID_STATE (the server listens
///         already); MOORLINE_CLOSED (another thread has just destroyed it); MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Does not block. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_server_listen_descriptor(
    server: *mut moorline_server,
    descriptor: c_int,
) -> moorline_status {
    guard(|| handle::get::<Server>(server)?.listen_number(descriptor))
}

/// The full name to connect to: the path, or the abstract name. Empty for an adopted socket without a name.
///
/// @param server    a server that listens
/// @param buffer    room for the name and a NUL; may be NULL if capacity is 0
/// @param capacity  bytes of room
/// @param needed    out, may be NULL: bytes that the name needs, with its NUL
/// @return MOORLINE_OK; MOORLINE_BUFFER_TOO_SMALL (the buffer gets an empty string); MOORLINE_INVALID_STATE (it does not
///         listen); MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Does not block. Any thread.
///
/// # Safety
///
/// The pointers are as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_server_full_name(
    server: *mut moorline_server,
    buffer: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let text = unsafe { OutText::empty(buffer, capacity, needed) };
        text.set(&handle::get::<Server>(server)?.full_name()?)
    })
}

/// Accepts the next connection.
///
/// @param server      a server that listens
/// @param timeout_ms  how long to wait for one, in milliseconds; -1 for ever, 0 not at all
/// @param socket      out: the new handle, to be destroyed by the caller
/// @return MOORLINE_OK; MOORLINE_WOULD_BLOCK, MOORLINE_TIMED_OUT (there was none in time); MOORLINE_CLOSED (another thread
///         closed or destroyed the server meanwhile); MOORLINE_LIMIT_REACHED (no descriptor left: it listens still, the
///         connection waits); MOORLINE_PERMISSION_DENIED (somebody was turned away by the policy: call again);
///         MOORLINE_INVALID_STATE (it does not listen); MOORLINE_INVALID_ARGUMENT;
///         MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Blocks until the timeout. Any thread.
///
/// # Safety
///
/// The pointer is as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_server_accept(
    server: *mut moorline_server,
    timeout_ms: i64,
    socket: *mut *mut moorline_socket,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let socket = unsafe { Out::zeroed(socket) }.required("socket")?;
        let accepted = handle::get::<Server>(server)?.accept(timeout(timeout_ms)?)?;
        socket.set(handle::create(accepted)?);
        Ok(())
    })
}

/// The descriptor, for asking the system about it and setting options. Accepting, closing or waiting for it is the library's, and so
/// is what comes beside the bytes: SO_PASSCRED, SO_PASSRIGHTS and their like.
///
/// @param server      a server that listens
/// @param descriptor  out: its number, which is the server's until it is closed
/// @return MOORLINE_OK; MOORLINE_INVALID_STATE (it does not listen); MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE;
///         MOORLINE_WRONG_KIND
///
/// Does not block. Any thread.
///
/// # Safety
///
/// The pointer is as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_server_descriptor(
    server: *mut moorline_server,
    descriptor: *mut libc::intptr_t,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let descriptor = unsafe { Out::zeroed(descriptor) }.required("descriptor")?;
        descriptor.set(handle::get::<Server>(server)?.descriptor()? as libc::intptr_t);
        Ok(())
    })
}

/// Stops listening and gives the name back. Calls that wait or are just making it listen end with MOORLINE_CLOSED,
/// connections that nobody accepted are reset, accepted ones live on. The server may listen again. That it does not listen
/// is fine. While another thread closes it, this waits until that is done, so that the name is free afterwards.
///
/// @param server  any server
/// @return MOORLINE_OK; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND; MOORLINE_INVALID_ARGUMENT; the system's reason when the
///         file could not be removed, and even then it does not listen any more
///
/// Does not block, except for milliseconds while a name of the same directory is recovered or taken over. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_server_close(server: *mut moorline_server) -> moorline_status {
    guard(|| handle::get::<Server>(server)?.close())
}

/// Closes the server, as moorline_server_close does, and makes its handle stale. Calls that wait end with MOORLINE_CLOSED.
///
/// @param server  any server
/// @return MOORLINE_OK; MOORLINE_STALE_HANDLE (as when destroyed twice); MOORLINE_WRONG_KIND; MOORLINE_INVALID_ARGUMENT
///
/// Blocks as little as moorline_server_close. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_server_destroy(server: *mut moorline_server) -> moorline_status {
    guard(|| {
        let close = |server: &Server| {
            // The handle is gone whatever the system says to removing the file; who wants to know calls close first.
            let _ = server.close_for_good();
        };
        handle::destroy_or_leave::<Server>(server, close, Server::leave_to_parent)
    })
}

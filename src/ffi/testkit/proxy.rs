//! `moorline_proxy`.

use super::faults;
use super::tap::{moorline_tap, tap};
use super::text::lines;
use crate::deadline::Timeout;
use crate::ffi::arguments::{
    Out, OutText, Versioned, check_reserved, milliseconds, options, scope, string, timeout, unless_zero,
};
use crate::ffi::guard::guard;
use crate::ffi::handle::{self, kind, moorline_fault_plan};
use crate::ffi::socket::trust;
use crate::ffi::status::moorline_status;
use crate::name::Name;
use crate::testkit::proxy::{Proxy, ProxyOptions};
use std::ffi::{OsString, c_char};

/// A faulty wire between two names. Any thread may use it at any time.
#[allow(non_camel_case_types)]
pub struct moorline_proxy(());

kind!(Proxy, moorline_proxy, 11);

/// How a proxy works. Begin with MOORLINE_PROXY_OPTIONS_INIT; zero in a field is its default.
#[allow(non_camel_case_types)]
#[derive(Clone, Copy)]
#[repr(C)]
pub struct moorline_proxy_options {
    /// sizeof(moorline_proxy_options).
    pub struct_size: usize,
    /// MOORLINE_SCOPE_*: where plain names live, the proxy's and the target's.
    pub scope: u32,
    /// The permission bits of the proxy's socket file, as in moorline_server_options.
    pub mode: u32,
    /// As in moorline_server_options.
    pub backlog: u32,
    /// MOORLINE_TRUST_*: whose server the proxy connects to.
    pub trust: u32,
    /// How long to try for a connection to a server whose backlog is full, before the client's is closed, in milliseconds. 0: 10,000.
    pub connect_timeout_ms: u32,
    /// Zero.
    pub reserved: u32,
    /// What goes wrong. NULL: nothing.
    pub faults: *const moorline_fault_plan,
    /// Records what passes. NULL: nothing is recorded.
    pub tap: *const moorline_tap,
}

// SAFETY: integers and pointers only.
unsafe impl Versioned for moorline_proxy_options {}

/// Starts a proxy: it listens under one name, connects each client to the server of another, and carries what they say, with its
/// faults. It listens when this returns. Whether the target has a server is seen when clients come.
///
/// @param name     the proxy's name: a plain name, or an absolute path
/// @param target   the server's name, likewise
/// @param options  may be NULL: the defaults
/// @param proxy    out: the new handle, to be destroyed by the caller
/// @return MOORLINE_OK; as moorline_server_listen; MOORLINE_LIMIT_REACHED (no descriptors or threads left);
///         MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE, MOORLINE_WRONG_KIND (of the options)
///
/// Blocks as little as moorline_server_listen. Any thread.
///
/// # Safety
///
/// The pointers are as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_proxy_start(
    name: *const c_char,
    target: *const c_char,
    options: *const moorline_proxy_options,
    proxy: *mut *mut moorline_proxy,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let (proxy, name, target, given) = unsafe {
            (
                Out::zeroed(proxy).required("proxy")?,
                string(name, "name")?,
                string(target, "target")?,
                self::options(options, "proxy options")?,
            )
        };
        check_reserved(given.reserved, "proxy options")?;
        let scope = scope(given.scope)?;
        let connect_timeout =
            milliseconds(given.connect_timeout_ms).unwrap_or(ProxyOptions::default().connect_timeout);
        let options = ProxyOptions {
            faults: faults(given.faults)?,
            tap: tap(given.tap)?,
            mode: unless_zero(given.mode),
            backlog: unless_zero(given.backlog),
            trust: trust(given.trust)?,
            connect_timeout,
        };
        let (name, target) = (Name::resolve(name, scope)?, Name::resolve(target, scope)?);
        proxy.set(handle::create(Proxy::start(name, target, options)?)?);
        Ok(())
    })
}

/// The full name to connect to.
///
/// @param proxy     a proxy that was not stopped
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
pub unsafe extern "C" fn moorline_proxy_full_name(
    proxy: *mut moorline_proxy,
    buffer: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let text = unsafe { OutText::empty(buffer, capacity, needed) };
        text.set(&handle::get::<Proxy>(proxy)?.full_name()?)
    })
}

/// Clients that could not be connected to the target; what came on a connection and could not be received for want of descriptors or
/// memory, which breaks it, or passed on, which is tried again; and accepts that failed. What is tried again is told once, however often
/// that is; a line each, at most ten thousand. They are taken with this, if there is room for all. Also of a stopped proxy.
///
/// @param proxy     any proxy
/// @param buffer    room for the text and a NUL; may be NULL if capacity is 0
/// @param capacity  bytes of room
/// @param needed    out, may be NULL: bytes that the text needs, with its NUL; those that come meanwhile change that
/// @return MOORLINE_OK; MOORLINE_BUFFER_TOO_SMALL (the buffer gets an empty string, nothing is taken); MOORLINE_INVALID_ARGUMENT;
///         MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Does not block. Any thread.
///
/// # Safety
///
/// The pointers are as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_proxy_take_failures(
    proxy: *mut moorline_proxy,
    buffer: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let text = unsafe { OutText::empty(buffer, capacity, needed) };
        handle::get::<Proxy>(proxy)?.take_failures_by(|failures| text.set(&OsString::from(lines(failures))))
    })
}

/// Stops listening, waits until the conversations have ended by themselves, and at the deadline breaks them.
///
/// @param proxy       any proxy
/// @param timeout_ms  how long to wait, in milliseconds; -1 for ever, 0 not at all
/// @return MOORLINE_OK; MOORLINE_WOULD_BLOCK, MOORLINE_TIMED_OUT (some were broken); MOORLINE_CLOSED (another thread destroyed the
///         proxy, or stopped it earlier, which broke some); MOORLINE_INVALID_STATE (in a forked child); MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE;
///         MOORLINE_WRONG_KIND; the system's reason when the socket file could not be removed
///
/// Blocks until the timeout. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_proxy_stop(proxy: *mut moorline_proxy, timeout_ms: i64) -> moorline_status {
    guard(|| handle::get::<Proxy>(proxy)?.stop(timeout(timeout_ms)?))
}

/// Stops the proxy, which breaks the conversations, and makes its handle stale. A stop that waits ends with MOORLINE_CLOSED.
///
/// @param proxy  any proxy
/// @return MOORLINE_OK; MOORLINE_STALE_HANDLE (as when destroyed twice); MOORLINE_WRONG_KIND; MOORLINE_INVALID_ARGUMENT
///
/// Blocks as little as moorline_server_close. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_proxy_destroy(proxy: *mut moorline_proxy) -> moorline_status {
    guard(|| {
        let stop = |proxy: &Proxy| {
            // The handle is gone whatever was broken; who wants to know calls stop first.
            let _ = proxy.stop(Timeout::None);
        };
        handle::destroy_or_leave::<Proxy>(proxy, stop, Proxy::leave_to_parent)
    })
}

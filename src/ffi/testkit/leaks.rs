//! `moorline_leak_guard`.

use super::text::{Kept, kept};
use crate::error::{Error, Result, Status};
use crate::ffi::arguments::{Out, OutStruct, OutText, Versioned, microseconds, timeout};
use crate::ffi::guard::guard;
use crate::ffi::handle::{self, Kind, kind};
use crate::ffi::status::moorline_status;
use crate::poller::Poller;
use crate::server::Server;
use crate::service::Service;
use crate::socket::Socket;
use crate::sys::RawDescriptor;
use crate::testkit::faults::FaultPlan;
use crate::testkit::fixture::Fixture;
use crate::testkit::leaks::{self, Age, Leak, LeakGuard, LeakKind, Origins};
use crate::testkit::proxy::Proxy;
use crate::testkit::tap::Tap;
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::ffi::{OsString, c_char};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

/// Tells what is new since it was made. Any thread may use it at any time.
#[allow(non_camel_case_types)]
pub struct moorline_leak_guard(());

/// The kit's guard, and what concerns handles.
struct Guard {
    guard: LeakGuard,
    handles: BTreeSet<usize>,
    /// By the last wait.
    found: Mutex<Vec<Leak>>,
    destroyed: AtomicBool,
}

kind!(Guard, moorline_leak_guard, 10);

/// Handles of this library.
pub const MOORLINE_LEAK_HANDLES: u32 = 1;
/// Open descriptors of the process, whoever opened them. None is seen where proc(5) is not mounted, as in a chroot.
pub const MOORLINE_LEAK_DESCRIPTORS: u32 = 2;
/// Running threads of the process, whoever started them. None is seen while the process has no descriptor left, or where
/// proc(5) is not mounted.
pub const MOORLINE_LEAK_THREADS: u32 = 4;
/// Socket files that servers of this process, of whatever library, listen on. Of other libraries' none is seen where proc(5) is not
/// mounted.
pub const MOORLINE_LEAK_SOCKET_FILES: u32 = 8;

/// Something that was made after a guard was, and is still there. Begin with MOORLINE_LEAK_INIT.
///
/// The strings are the library's: they last until the same thread asks for another leak, of whatever guard.
#[allow(non_camel_case_types)]
#[derive(Clone, Copy)]
#[repr(C)]
pub struct moorline_leak {
    /// sizeof(moorline_leak).
    pub struct_size: usize,
    /// One of MOORLINE_LEAK_*: what kind of thing it is.
    pub kind: u32,
    /// Not 0: it is exactly as old as age_us says. 0: it is at most so old.
    pub age_is_exact: u32,
    /// How old it is, in microseconds.
    pub age_us: u64,
    /// Which one: a handle's type and value, a descriptor's number and what it is open on, a thread's number and name, a path.
    pub name: *const c_char,
    /// The file that made it, as moorline_handle_set_origin told of its handle. NULL: unknown.
    pub file: *const c_char,
    /// The line that made it.
    pub line: u32,
    /// Zero.
    pub reserved: u32,
}

// SAFETY: integers and pointers only.
unsafe impl Versioned for moorline_leak {}

thread_local! {
    static LEAK: Kept<2> = const { Kept::new() };
}

const FLAGS: [(LeakKind, u32); 4] = [
    (LeakKind::Handle, MOORLINE_LEAK_HANDLES),
    (LeakKind::Descriptor, MOORLINE_LEAK_DESCRIPTORS),
    (LeakKind::Thread, MOORLINE_LEAK_THREADS),
    (LeakKind::SocketFile, MOORLINE_LEAK_SOCKET_FILES),
];

fn kinds(flags: u32) -> Result<Vec<LeakKind>> {
    let all = FLAGS.iter().fold(0, |all, (_, flag)| all | flag);
    if flags & !all != 0 {
        return Err(Error::new(Status::InvalidArgument, format!("there are no kinds of leaks {flags:#x}")));
    }
    let wanted = if flags == 0 { all } else { flags };
    Ok(FLAGS.iter().filter(|(_, flag)| wanted & flag != 0).map(|(kind, _)| *kind).collect())
}

/// The descriptors and the socket file that belong to a handle, as far as it keeps them for its own lifetime.
fn belongings(handle: usize) -> (Vec<RawDescriptor>, Option<PathBuf>) {
    fn of<T: Kind, R>(handle: usize, ask: impl FnOnce(&T) -> R) -> Option<R> {
        handle::get::<T>(std::ptr::without_provenance(handle)).ok().map(|held| ask(&held))
    }
    let listening = |server: &Server| {
        let name = server.name().ok().flatten();
        (server.descriptors(), name.and_then(|name| name.as_path().map(ToOwned::to_owned)))
    };
    let and = |(descriptors, file): (Vec<RawDescriptor>, Option<PathBuf>), more: Vec<RawDescriptor>| {
        ([descriptors, more].concat(), file)
    };
    of(handle, listening)
        .or_else(|| of(handle, |socket: &Socket| (socket.descriptors(), None)))
        .or_else(|| of(handle, |poller: &Poller| (poller.descriptors(), None)))
        .or_else(|| of(handle, |service: &Service| service.server().map(|server| listening(&server)))?)
        .or_else(|| of(handle, |plan: &FaultPlan| (plan.descriptors(), None)))
        .or_else(|| of(handle, |tap: &Tap| (vec![tap.descriptor()], None)))
        .or_else(|| {
            of(handle, |proxy: &Proxy| {
                let (server, wire) = proxy.parts();
                and(listening(server), wire)
            })
        })
        .or_else(|| {
            of(handle, |fixture: &Fixture| {
                let (server, poller) = fixture.parts();
                and(listening(server), poller.descriptors())
            })
        })
        .unwrap_or_default()
}

impl Guard {
    /// Everything new of these kinds that is there now, except the guard's own handle.
    fn look(&self, own: usize, kinds: &[LeakKind]) -> Result<Vec<Leak>> {
        if self.destroyed.load(Ordering::SeqCst) {
            return Err(Status::Closed.into());
        }
        let alive = handle::alive();
        let mut origins = Origins::default();
        for handle in &alive {
            if let Some(origin) = &handle.origin {
                let (descriptors, file) = belongings(handle.value);
                origins.descriptors.extend(descriptors.into_iter().map(|number| (number, origin.clone())));
                origins.files.extend(file.map(|file| (file, origin.clone())));
            }
        }
        let new =
            alive.into_iter().filter(|alive| alive.value != own && !self.handles.contains(&alive.value));
        let mut found: Vec<Leak> = Vec::new();
        if kinds.contains(&LeakKind::Handle) {
            found.extend(new.map(|alive| Leak {
                kind: LeakKind::Handle,
                name: alive.to_string(),
                age: Age::Exactly(alive.made.elapsed()),
                origin: alive.origin,
            }));
        }
        found.extend(self.guard.look_with(kinds, &origins));
        Ok(found)
    }
}

/// Makes a guard. What is made from here on, of the kinds that moorline_leak_guard_wait asks for, is new; the guard itself is not.
///
/// @param guard  out: the new handle, to be destroyed by the caller
/// @return MOORLINE_OK; MOORLINE_LIMIT_REACHED; MOORLINE_INVALID_ARGUMENT
///
/// Does not block. Any thread. What other threads make at the same time may be new or not.
///
/// # Safety
///
/// The pointer is as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_leak_guard_create(guard: *mut *mut moorline_leak_guard) -> moorline_status {
    self::guard(|| {
        // SAFETY: as the caller says.
        let out = unsafe { Out::zeroed(guard) }.required("guard")?;
        let handles = handle::alive().into_iter().map(|alive| alive.value).collect();
        let (found, destroyed) = (Mutex::default(), AtomicBool::new(false));
        out.set(handle::create(Guard { guard: LeakGuard::new(), handles, found, destroyed })?);
        Ok(())
    })
}

/// Waits until nothing new of these kinds is there any more: threads that have been joined, and what other threads are just closing,
/// take a moment to go.
///
/// @param guard       any guard
/// @param kinds       MOORLINE_LEAK_*; 0: all of them
/// @param timeout_ms  how long to wait, in milliseconds; -1 for ever, 0 not at all
/// @param count       out, may be NULL: how many were there at the end, on a timeout too
/// @return MOORLINE_OK (there are none); MOORLINE_WOULD_BLOCK, MOORLINE_TIMED_OUT (there are some: moorline_leak_guard_report tells
///         which, and so does moorline_last_error); MOORLINE_CLOSED (another thread destroyed the guard meanwhile);
///         MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Blocks until the timeout. Any thread.
///
/// # Safety
///
/// The pointer is as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_leak_guard_wait(
    guard: *mut moorline_leak_guard,
    kinds: u32,
    timeout_ms: i64,
    count: *mut usize,
) -> moorline_status {
    self::guard(|| {
        // SAFETY: as the caller says.
        let count = unsafe { Out::zeroed(count) };
        let own = guard.addr();
        let guard = handle::get::<Guard>(guard)?;
        let (kinds, timeout) = (self::kinds(kinds)?, timeout(timeout_ms)?);
        let (found, answer) = leaks::wait_until_none(timeout, || guard.look(own, &kinds));
        count.set(found.len());
        *guard.found.lock() = found;
        answer
    })
}

/// What the last wait of this guard has found, a line each: kind, name, age, and file and line that made it where that is known.
///
/// @param guard     any guard
/// @param buffer    room for the text and a NUL; may be NULL if capacity is 0
/// @param capacity  bytes of room
/// @param needed    out, may be NULL: bytes that the text needs, with its NUL
/// @return MOORLINE_OK; MOORLINE_BUFFER_TOO_SMALL (the buffer gets an empty string); MOORLINE_INVALID_ARGUMENT;
///         MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Does not block. Any thread.
///
/// # Safety
///
/// The pointers are as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_leak_guard_report(
    guard: *mut moorline_leak_guard,
    buffer: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> moorline_status {
    self::guard(|| {
        // SAFETY: as the caller says.
        let text = unsafe { OutText::empty(buffer, capacity, needed) };
        let report = leaks::report(&handle::get::<Guard>(guard)?.found.lock());
        text.set(&OsString::from(report))
    })
}

/// One of those that the last wait of this guard has found.
///
/// @param guard  any guard
/// @param index  which one, from 0
/// @param leak   out: with its struct_size set by the caller
/// @return MOORLINE_OK; MOORLINE_NOT_FOUND (there are fewer); MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Does not block. Any thread.
///
/// # Safety
///
/// The pointer is as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_leak_guard_leak(
    guard: *mut moorline_leak_guard,
    index: usize,
    leak: *mut moorline_leak,
) -> moorline_status {
    self::guard(|| {
        // SAFETY: as the caller says.
        let out = unsafe { OutStruct::zeroed(leak, "leak") }?.required("leak")?;
        let found = handle::get::<Guard>(guard)?.found.lock().get(index).cloned();
        let fewer = || Error::new(Status::NotFound, format!("there is no leak {index}"));
        let Leak { kind, name, age, origin } = found.ok_or_else(fewer)?;
        let (age, age_is_exact) = match age {
            Age::Exactly(age) => (age, 1),
            Age::AtMost(age) => (age, 0),
        };
        let known = origin.is_some();
        let (file, line) = origin.unwrap_or_default();
        let [name, file] = kept(&LEAK, [name, file])?;
        out.set(moorline_leak {
            struct_size: 0,
            kind: FLAGS.iter().find(|(one, _)| *one == kind).map_or(0, |(_, flag)| *flag),
            age_is_exact,
            age_us: microseconds(age),
            name,
            file: if known { file } else { std::ptr::null() },
            line,
            reserved: 0,
        });
        Ok(())
    })
}

/// Makes the handle stale. A wait ends with MOORLINE_CLOSED.
///
/// @param guard  any guard
/// @return MOORLINE_OK; MOORLINE_STALE_HANDLE (as when destroyed twice); MOORLINE_WRONG_KIND; MOORLINE_INVALID_ARGUMENT
///
/// Does not block. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_leak_guard_destroy(guard: *mut moorline_leak_guard) -> moorline_status {
    self::guard(|| handle::destroy::<Guard>(guard, |guard| guard.destroyed.store(true, Ordering::SeqCst)))
}

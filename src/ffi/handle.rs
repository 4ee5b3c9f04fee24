//! Handles: a handle is a key with a generation, never an address.
//!
//! A handle is, from its top bit: four bits that say the type, and the key of the object in the type's [`table`](super::table).

use super::table::{Held, KEY_BITS, Table};
use crate::error::{Error, Result, Status};
use crate::poller::Poller;
use crate::server::Server;
use crate::service::{Connection, Service};
use crate::socket::Socket;
use crate::sync::{LazyLock, Mutex};
use crate::testkit::{Fixture, Proxy};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::{self, Write};
use std::time::Instant;

/// The opaque types of the header.
#[allow(non_camel_case_types)]
mod opaque {
    /// A server: listens under a name, accepts connections. Any thread may use it at any time.
    pub struct moorline_server(());
    /// A connected socket. Any thread may use it at any time.
    pub struct moorline_socket(());
    /// Watches servers and sockets. Any thread may use it at any time; one at a time waits.
    pub struct moorline_poller(());
    /// A server on threads of its own. Any thread may use it at any time.
    pub struct moorline_service(());
    /// A connection of a service, which owns it: the handle is stale once its `disconnected` callback has returned. Any
    /// thread may use it at any time.
    pub struct moorline_connection(());
    /// A clock that a test moves. It is made with moorline/testkit.h. Any thread may use it at any time.
    pub struct moorline_clock(());
    /// What a test wants to go wrong. It is made with moorline/testkit.h. Any thread may use it at any time.
    pub struct moorline_fault_plan(());
}
pub use opaque::*;

const KEY_MASK: usize = (1 << KEY_BITS) - 1;
const KINDS: [&str; 14] = [
    "",
    "server",
    "socket",
    "poller",
    "service",
    "connection",
    "clock",
    "fault plan",
    "verdicts",
    "fixture",
    "leak guard",
    "proxy",
    "tap",
    "recording",
];

/// What has handles of its own type.
pub(super) trait Kind: Sized + Send + Sync + 'static {
    type Opaque;
    /// The index in `KINDS`.
    const KIND: usize;
    fn table() -> &'static Table<Self>;
}

macro_rules! kind {
    ($type:ty, $opaque:ty, $kind:expr) => {
        impl $crate::ffi::handle::Kind for $type {
            type Opaque = $opaque;
            const KIND: usize = $kind;
            fn table() -> &'static $crate::ffi::table::Table<Self> {
                static TABLE: $crate::sync::LazyLock<$crate::ffi::table::Table<$type>> =
                    $crate::sync::LazyLock::new(Default::default);
                &TABLE
            }
        }
    };
}
pub(super) use kind;

kind!(Server, moorline_server, 1);
kind!(Socket, moorline_socket, 2);
kind!(Poller, moorline_poller, 3);
kind!(Service, moorline_service, 4);
kind!(Connection, moorline_connection, 5);

/// What is known of each live handle that the caller has to destroy.
struct Record {
    made: Instant,
    origin: Option<(String, u32)>,
}

static RECORDS: LazyLock<Mutex<BTreeMap<usize, Record>>> = LazyLock::new(Mutex::default);

/// Makes a handle that the caller has to destroy.
pub(super) fn create<T: Kind>(object: T) -> Result<*mut T::Opaque> {
    let handle = create_owned(object)?;
    RECORDS.lock().insert(handle.addr(), Record { made: Instant::now(), origin: None });
    Ok(handle)
}

/// Makes a handle that the library itself destroys.
pub(super) fn create_owned<T: Kind>(object: T) -> Result<*mut T::Opaque> {
    let key = T::table()
        .insert(object)
        .ok_or_else(|| Error::new(Status::LimitReached, "make a handle: too many are alive"))?;
    Ok(std::ptr::without_provenance_mut(T::KIND << KEY_BITS | key))
}

/// The object of a handle.
pub(super) fn get<T: Kind>(handle: *const T::Opaque) -> Result<Held<T>> {
    let key = key::<T>(handle.addr())?;
    T::table().get(key).ok_or_else(stale::<T>)
}

/// Makes a handle stale, and has `end` end what its calls do. The object goes when the last call has left.
pub(super) fn destroy<T: Kind>(handle: *const T::Opaque, end: impl FnOnce(&T)) -> Result<()> {
    destroy_or_leave(handle, end, |_| {})
}

/// As `destroy`. In a forked child, where locks of the parent's objects may be held by threads that it does not have, it leaves the
/// object as it is, but for what `leave` does, which waits for no lock.
pub(super) fn destroy_or_leave<T: Kind>(
    handle: *const T::Opaque,
    end: impl FnOnce(&T),
    leave: impl FnOnce(&T),
) -> Result<()> {
    let held = get::<T>(handle)?;
    let is_inherited = held.is_inherited();
    // Of several that destroy it at once, one does.
    if !(if is_inherited { held.disown() } else { T::table().remove(&held) }) {
        return Err(stale::<T>());
    }
    if is_inherited {
        leave(&held);
        return Ok(());
    }
    RECORDS.lock().remove(&handle.addr());
    end(&held);
    Ok(())
}

fn key<T: Kind>(handle: usize) -> Result<usize> {
    if handle == 0 {
        let context = format!("the {} handle is NULL", KINDS[T::KIND]);
        return Err(Error::new(Status::InvalidArgument, context));
    }
    match handle >> KEY_BITS {
        kind if kind == T::KIND => Ok(handle & KEY_MASK),
        kind if (1..KINDS.len()).contains(&kind) => {
            let context = format!("a {} handle where a {} is needed", KINDS[kind], KINDS[T::KIND]);
            Err(Error::new(Status::WrongKind, context))
        }
        _ => Err(stale::<T>()),
    }
}

#[cold]
fn stale<T: Kind>() -> Error {
    Error::new(Status::StaleHandle, format!("the {} handle", KINDS[T::KIND]))
}

/// How many handles the caller has still to destroy.
pub(super) fn count() -> usize {
    RECORDS.lock().len()
}

/// Notes where in the caller's code a handle was made.
pub(super) fn set_origin(handle: usize, file: String, line: u32) -> Result<()> {
    if handle == 0 {
        return Err(Error::new(Status::InvalidArgument, "the handle is NULL"));
    }
    match RECORDS.lock().get_mut(&handle) {
        Some(record) => {
            record.origin = Some((file, line));
            Ok(())
        }
        None => Err(Error::new(Status::StaleHandle, "note where a handle was made")),
    }
}

/// A handle that the caller has still to destroy. Displayed: its type, value, and name.
pub(super) struct Alive {
    pub value: usize,
    pub made: Instant,
    pub origin: Option<(String, u32)>,
    name: Option<String>,
}

impl fmt::Display for Alive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:#x}", KINDS[(self.value >> KEY_BITS).min(KINDS.len() - 1)], self.value)?;
        match &self.name {
            Some(name) => write!(f, " \"{name}\""),
            None => Ok(()),
        }
    }
}

/// The handles that the caller has still to destroy.
pub(super) fn alive() -> Vec<Alive> {
    let alive = |(handle, record): (&usize, &Record)| Alive {
        value: *handle,
        made: record.made,
        origin: record.origin.clone(),
        name: None,
    };
    let mut handles: Vec<Alive> = RECORDS.lock().iter().map(alive).collect();
    // Names are asked for without the lock: others are not to wait for that.
    for handle in &mut handles {
        handle.name = name(handle.value);
    }
    handles
}

/// A line for each handle that the caller has still to destroy: type, value, name, age, and where it was made.
pub(super) fn report() -> String {
    let mut text = String::new();
    for handle in alive() {
        let age = handle.made.elapsed().as_secs_f64();
        // Writing to a string does not fail.
        let _ = write!(text, "{handle}, {age:.3} s old");
        if let Some((file, line)) = &handle.origin {
            let _ = write!(text, ", made at {file}:{line}");
        }
        text.push('\n');
    }
    text
}

fn name(handle: usize) -> Option<String> {
    fn of<T: Kind>(handle: usize, name: impl FnOnce(&T) -> Result<OsString>) -> Option<OsString> {
        name(&*T::table().get(handle & KEY_MASK)?).ok()
    }
    let name = match handle >> KEY_BITS {
        Server::KIND => of(handle, Server::full_name),
        Service::KIND => of(handle, Service::full_name),
        Fixture::KIND => of(handle, Fixture::full_name),
        Proxy::KIND => of(handle, Proxy::full_name),
        _ => None,
    };
    name.map(|name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::Name;
    use crate::testkit::{FixtureOptions, ProxyOptions, Script};
    use crate::{PollerOptions, Scope, ServerOptions, ServiceOptions};

    fn server() -> *mut moorline_server {
        create(Server::new(ServerOptions::default())).unwrap()
    }

    fn status<T>(result: Result<T>) -> Status {
        result.err().map_or(Status::Ok, |error| error.status())
    }

    #[test]
    fn a_handle_is_good_until_it_is_destroyed_and_never_again() {
        let first = server();
        assert_eq!(status(get::<Server>(first)), Status::Ok);
        assert_eq!(status(destroy::<Server>(first, |_| {})), Status::Ok);
        for _ in 0..100 {
            let next = server();
            assert_ne!(next, first);
            assert_eq!(status(get::<Server>(first)), Status::StaleHandle);
            assert_eq!(status(destroy::<Server>(next, |_| {})), Status::Ok);
            assert_eq!(status(destroy::<Server>(next, |_| {})), Status::StaleHandle);
        }
    }

    #[test]
    fn types_and_null_and_garbage_are_told_apart() {
        let poller = create(Poller::new(PollerOptions::default()).unwrap()).unwrap();
        assert_eq!(status(get::<Server>(poller.cast())), Status::WrongKind);
        assert_eq!(status(get::<Server>(std::ptr::null())), Status::InvalidArgument);
        let message = |result: Result<Held<Server>>| result.err().unwrap().to_string();
        let text = message(get::<Server>(poller.cast()));
        assert!(text.contains("a poller handle where a server is needed"), "{text}");
        for garbage in [1, 0x1000, usize::MAX, 1 << KEY_BITS | 0xffff, KINDS.len() << KEY_BITS] {
            let garbage = std::ptr::without_provenance(garbage);
            assert_eq!(status(get::<Server>(garbage)), Status::StaleHandle);
        }
        destroy::<Poller>(poller, |_| {}).unwrap();
    }

    #[test]
    fn of_several_that_destroy_a_handle_at_once_one_does() {
        const THREADS: usize = 4;
        for _ in 0..200 {
            let handle = server().addr();
            let start = std::sync::Barrier::new(THREADS);
            let destroy_it = || {
                start.wait();
                status(destroy::<Server>(std::ptr::without_provenance(handle), |_| {}))
            };
            let answers: Vec<Status> = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(destroy_it)).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            assert_eq!(answers.iter().filter(|answer| **answer == Status::Ok).count(), 1, "{answers:?}");
        }
    }

    #[test]
    fn a_call_keeps_the_object_that_is_destroyed_meanwhile() {
        let handle = server();
        let held = get::<Server>(handle).unwrap();
        destroy::<Server>(handle, |_| {}).unwrap();
        assert_eq!(status(held.full_name()), Status::InvalidState);
    }

    /// What is known of a handle.
    fn known<T: Kind>(handle: *mut T::Opaque) -> Option<Alive> {
        alive().into_iter().find(|alive| alive.value == handle.addr())
    }

    fn make<T: Kind>(object: T) -> *mut T::Opaque {
        create(object).unwrap()
    }

    #[test]
    fn a_handle_that_the_library_destroys_is_in_no_report() {
        let owned = create_owned(Server::new(ServerOptions::default())).unwrap();
        assert!(known::<Server>(owned).is_none());
        let handle = server();
        let found = known::<Server>(handle).unwrap();
        assert_eq!(found.to_string(), format!("server {:#x}", handle.addr()));
        let ended = std::cell::Cell::new(false);
        destroy::<Server>(handle, |_| ended.set(true)).unwrap();
        assert!(ended.get() && known::<Server>(handle).is_none());
        destroy::<Server>(owned, |_| {}).unwrap();
    }

    #[test]
    fn a_report_says_of_each_handle_what_it_is_its_name_and_where_it_was_made() {
        let listening = Server::new(ServerOptions::default());
        listening.listen_unique("handle").unwrap();
        let name = listening.full_name().unwrap().into_string().unwrap();
        let (handle, other) = (make(listening), server());
        assert!(count() >= 2);
        set_origin(handle.addr(), "main.c".to_owned(), 7).unwrap();
        assert_eq!(known::<Server>(handle).unwrap().origin, Some(("main.c".to_owned(), 7)));
        let report = report();
        let line = |handle: *mut moorline_server| {
            let begin = format!("server {:#x}", handle.addr());
            report.lines().find_map(|line| line.strip_prefix(&begin)).unwrap()
        };
        assert!(line(handle).starts_with(&format!(" \"{name}\", ")), "{report}");
        assert!(line(handle).ends_with(" s old, made at main.c:7"), "{report}");
        assert!(line(other).starts_with(", ") && line(other).ends_with(" s old"), "{report}");
        for handle in [handle, other] {
            destroy::<Server>(handle, |_| {}).unwrap();
        }
        let set_again = set_origin(handle.addr(), "main.c".to_owned(), 7);
        assert_eq!(status(set_again), Status::StaleHandle);
        assert_eq!(status(set_origin(0, String::new(), 0)), Status::InvalidArgument);
    }

    #[test]
    fn what_has_a_name_is_reported_with_it() {
        let service = Service::echo(ServiceOptions::default()).unwrap();
        service.start_unique("handle").unwrap();
        let fixture = Fixture::start(Script::echo(), FixtureOptions::default()).unwrap();
        let unique = || Name::unique("handle", Scope::default()).unwrap();
        let proxy = Proxy::start(unique(), unique(), ProxyOptions::default()).unwrap();
        let poller = Poller::new(PollerOptions::default()).unwrap();
        let names = [service.full_name(), fixture.full_name(), proxy.full_name()];
        let names = names.map(|name| name.unwrap().into_string().ok());
        let (service, fixture, proxy, poller) = (make(service), make(fixture), make(proxy), make(poller));
        let told = [known::<Service>(service), known::<Fixture>(fixture), known::<Proxy>(proxy)];
        assert_eq!(told.map(|alive| alive.unwrap().name), names);
        assert_eq!(known::<Poller>(poller).unwrap().name, None);
        destroy::<Service>(service, |_| {}).unwrap();
        destroy::<Fixture>(fixture, |_| {}).unwrap();
        destroy::<Proxy>(proxy, |_| {}).unwrap();
        destroy::<Poller>(poller, |_| {}).unwrap();
    }
}

//! What the crate's types are to a Rust program, beside what they do.

#![deny(unreachable_patterns)]

mod support;

use moorline::exchange::{ExchangeOptions, ExchangeReport, Progress};
use moorline::name::{Name, NameState};
use moorline::server::ServerStatistics;
use moorline::service::{Echo, Endings, ServiceReport};
use moorline::socket::{CloseReport, Credentials, Direction, Message, SocketStatistics};
use moorline::testkit::faults::{FaultPlan, Faults};
use moorline::testkit::fixture::Fixture;
use moorline::testkit::leaks::LeakGuard;
use moorline::testkit::proxy::Proxy;
use moorline::{
    Application, BusyPoll, Clock, Connection, Error, Event, Framing, Interest, MessageOptions, Policy,
    Poller, PollerOptions, Scope, Server, ServerOptions, Service, ServiceOptions, Socket, SocketOptions,
    Status, Timeout, Trust,
};
use std::fmt::Debug;
use std::io;
use std::panic::{RefUnwindSafe, UnwindSafe, catch_unwind};
use support::*;

/// The compiler is the test.
#[test]
fn every_type_goes_to_any_thread_and_can_be_shown() {
    fn is_so<T: Debug + Send + Sync>() {}
    macro_rules! are_so { ($($type:ty),* $(,)?) => { $(is_so::<$type>();)* } }
    are_so!(
        Application,
        BusyPoll,
        Clock,
        CloseReport,
        Connection,
        Credentials,
        Direction,
        Echo,
        Endings,
        Error,
        Event,
        ExchangeOptions,
        ExchangeReport,
        FaultPlan,
        Faults,
        Fixture,
        Framing,
        Interest,
        LeakGuard,
        Message,
        MessageOptions,
        Name,
        NameState,
        Policy,
        Poller,
        PollerOptions,
        Progress,
        Proxy,
        Scope,
        Server,
        ServerOptions,
        ServerStatistics,
        Service,
        ServiceOptions,
        ServiceReport,
        Socket,
        SocketOptions,
        SocketStatistics,
        Status,
        Timeout,
        Trust,
    );
}

#[test]
fn what_has_handles_is_used_where_panics_are_caught() {
    fn is_so<T: UnwindSafe + RefUnwindSafe>() {}
    is_so::<Connection>();
    is_so::<Poller>();
    is_so::<Server>();
    is_so::<Service>();
    let (near, far) = Socket::pair(&SocketOptions::default()).unwrap();
    let caught = catch_unwind(|| {
        near.send(b"x", WATCHDOG).unwrap();
        panic!("meant");
    });
    assert!(caught.is_err());
    assert_eq!(receive_exactly(&far, 1), b"x");
}

#[test]
fn they_show_what_tells_them_apart() {
    let server = listening(ServerOptions::default());
    let name = server.full_name().unwrap().into_string().unwrap();
    assert!(format!("{server:?}").contains(&name), "{server:?}");
    let socket = connect(&server);
    let shown = format!("{}", socket.descriptor().unwrap());
    assert!(format!("{socket:?}").contains(&shown), "{socket:?}");
    let _ = socket.close(Timeout::None);
    assert!(format!("{socket:?}").contains("None"), "{socket:?}");
    let service = Service::echo(ServiceOptions::default()).unwrap();
    assert!(format!("{service:?}").contains("None"), "{service:?}");
    service.start_unique("types").unwrap();
    let name = service.full_name().unwrap().into_string().unwrap();
    assert!(format!("{service:?}").contains(&name), "{service:?}");
}

#[test]
fn an_error_becomes_one_of_the_standard_library_and_is_in_it() {
    fn connect_to_nobody() -> io::Result<Socket> {
        Ok(Socket::connect("/nowhere/at/all", &SocketOptions::default(), WATCHDOG)?)
    }
    let error = connect_to_nobody().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    assert!(error.to_string().contains("/nowhere/at/all"), "{error}");
    let inner = error.into_inner().unwrap().downcast::<Error>().unwrap();
    assert_eq!(inner.status(), Status::NotFound);
    // None may be what the standard library goes on after.
    let kinds = Status::ALL.iter().map(|status| io::Error::from(Error::from(*status)).kind());
    assert!(!kinds.collect::<Vec<_>>().contains(&io::ErrorKind::Interrupted));
}

/// Who looks at a value says what comes of those that later versions have: the last arms would not be reached otherwise.
#[allow(clippy::match_like_matches_macro)] // in which the compiler does not look for such arms
#[test]
fn what_may_grow_says_so() {
    let scope = match Scope::default() {
        Scope::Temporary | Scope::Runtime | Scope::Abstract => true,
        _ => false,
    };
    let trust = match Trust::default() {
        Trust::SameUser | Trust::Anyone => true,
        _ => false,
    };
    let policy = match Policy::default() {
        Policy::Everyone
        | Policy::SameUser
        | Policy::SameUserOrRoot
        | Policy::Listed { .. }
        | Policy::Custom(_) => true,
        _ => false,
    };
    assert!(scope && trust && policy);
    // Options are made with the defaults of the rest, and can grow so.
    let _ = ServiceOptions { workers: 2, ..ServiceOptions::default() };
    let _ = MessageOptions { max_message: 1, ..MessageOptions::new(Framing::Lines) };
}

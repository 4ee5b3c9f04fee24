//! Services: what their handlers are told, and who may connect.

mod support;

use moorline::exchange::{self, ExchangeOptions};
use moorline::socket::Direction;
use moorline::{BusyPoll, Connection, Handler, Policy, Service, ServiceOptions, Socket, Status};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;
use support::scene::PATIENCE;
use support::services::*;
use support::*;

struct Panics;

impl Handler for Panics {
    fn received(&self, connection: &Connection, data: &[u8]) {
        assert_ne!(data, b"panic", "asked to");
        connection.send(data, WATCHDOG).unwrap();
    }
}

#[test]
fn a_panic_costs_its_connection_and_is_reported() {
    let service = Service::new(ServiceOptions::default(), Arc::new(Panics)).unwrap();
    service.start_unique("panics").unwrap();
    let (good, bad) = (connect_to(&service), connect_to(&service));
    bad.send(b"panic", WATCHDOG).unwrap();
    assert_eq!(status(bad.receive(&mut [0; 8], WATCHDOG)), Status::Disconnected);
    good.send(b"fine", WATCHDOG).unwrap();
    assert_eq!(receive_exactly(&good, 4), b"fine");
    let report = service.stop(WATCHDOG).unwrap();
    assert_eq!(report.failures.len(), 1);
    assert!(report.failures[0].contains("asked to"));
}

struct PanicsAtTheEnd;

impl Handler for PanicsAtTheEnd {
    fn disconnected(&self, _: &Connection, _: Status) {
        panic!("planted");
    }
}

#[test]
fn a_panic_about_the_end_of_a_connection_is_reported_too() {
    let service = Service::new(ServiceOptions::default(), Arc::new(PanicsAtTheEnd)).unwrap();
    service.start_unique("panics").unwrap();
    drop(connect_to(&service));
    until(|| service.statistics().unwrap().endings.disconnected == 1);
    assert_eq!(service.stop(WATCHDOG).unwrap().failures, ["planted"]);
}

#[test]
fn events_come_in_order_with_their_reasons() {
    let (service, reports) = reporting();
    let leaves = connect_to(&service);
    assert_eq!(next(&reports), "connected");
    leaves.send(b"hello", WATCHDOG).unwrap();
    assert_eq!(next(&reports), "data");
    drop(leaves);
    assert_eq!(next(&reports), "disconnected 1 Disconnected");

    let closed = connect_to(&service);
    assert_eq!(next(&reports), "connected");
    closed.send(b"close", WATCHDOG).unwrap();
    assert_eq!(next(&reports), "disconnected 1 Closed");
    assert_eq!(status(closed.receive(&mut [0; 1], WATCHDOG)), Status::Disconnected);
}

#[test]
fn more_connections_than_allowed_are_closed_at_once() {
    let options = ServiceOptions { max_connections: Some(1), ..ServiceOptions::default() };
    let service = Service::echo(options).unwrap();
    service.start_unique("one").unwrap();
    let first = connect_to(&service);
    first.send(b"x", WATCHDOG).unwrap();
    assert_eq!(receive_exactly(&first, 1), b"x");
    let second = connect_to(&service);
    assert_eq!(status(second.receive(&mut [0; 1], WATCHDOG)), Status::Disconnected);
    assert_eq!(service.stop(WATCHDOG).unwrap().refused, 1);
}

#[test]
fn a_policy_that_panics_turns_the_peer_away_and_is_reported() {
    let policy = Policy::Custom(Arc::new(|_| panic!("planted")));
    let service = Service::echo(ServiceOptions { policy, ..ServiceOptions::default() }).unwrap();
    service.start_unique("policy").unwrap();
    for _ in 0..2 {
        let peer = connect_to(&service);
        assert_eq!(status(peer.receive(&mut [0], WATCHDOG)), Status::Disconnected);
    }
    let report = service.stop(WATCHDOG).unwrap();
    assert_eq!((report.accepted, report.refused), (0, 2));
    assert_eq!(report.failures, ["planted", "planted"]);
}

#[test]
fn a_peer_that_has_finished_still_gets_its_answer() {
    let service = Service::echo(ServiceOptions::default()).unwrap();
    service.start_unique("half").unwrap();
    let socket = connect_to(&service);
    socket.send(&[7; 100_000], WATCHDOG).unwrap();
    socket.shut_down(Direction::Sending, WATCHDOG).unwrap();
    assert_eq!(status(socket.send(b"x", WATCHDOG)), Status::Closed);
    assert_eq!(receive_exactly(&socket, 100_000).len(), 100_000);
    assert_eq!(status(socket.receive(&mut [0; 1], WATCHDOG)), Status::Disconnected);
    // The peer has ended it, although this side has closed it then.
    let endings = service.stop(WATCHDOG).unwrap().endings;
    assert_eq!((endings.disconnected, endings.closed), (1, 0));
}

#[test]
fn a_handler_may_go_on_talking_to_a_peer_that_has_finished() {
    struct Late(Mutex<mpsc::Sender<Connection>>, mpsc::SyncSender<Status>);
    impl Handler for Late {
        fn finished(&self, connection: &Connection) {
            let _ = self.0.lock().unwrap().send(connection.clone());
        }
        fn disconnected(&self, _: &Connection, reason: Status) {
            let _ = self.1.send(reason);
        }
    }
    let ((sender, finished), (ended, reasons)) = (mpsc::channel(), mpsc::sync_channel(8));
    let service = Service::new(ServiceOptions::default(), Arc::new(Late(Mutex::new(sender), ended))).unwrap();
    service.start_unique("late").unwrap();
    let socket = connect_to(&service);
    socket.shut_down(Direction::Sending, WATCHDOG).unwrap();
    let connection = finished.recv_timeout(Duration::from_secs(30)).unwrap();
    connection.send(b"late answer", WATCHDOG).unwrap();
    assert_eq!(receive_exactly(&socket, 11), b"late answer");
    drop(socket);
    assert_eq!(reasons.recv_timeout(Duration::from_secs(30)).unwrap(), Status::Disconnected);
}

#[test]
fn no_more_connections_a_second_than_allowed_are_accepted() {
    let options = ServiceOptions { connection_rate: Some(50), ..ServiceOptions::default() };
    let service = Service::echo(options).unwrap();
    service.start_unique("rate").unwrap();
    let start = std::time::Instant::now();
    let options = ExchangeOptions { connections: 16, round_trips: 16, ..ExchangeOptions::default() };
    let (exchanged, result) = exchange::run(service.full_name().unwrap(), &options, WATCHDOG, |_| true);
    assert_eq!((exchanged.round_trips, status(result)), (16, Status::Ok));
    // A tenth of a second's worth, five, may come at once; the others take their time.
    assert!(start.elapsed() >= Duration::from_millis(200), "{:?}", start.elapsed());
}

#[test]
fn a_connection_that_is_always_talking_does_not_hide_the_others() {
    let busy_poll = BusyPoll::For(Duration::from_secs(3600));
    let service = Service::echo(ServiceOptions { busy_poll, ..ServiceOptions::default() }).unwrap();
    service.start_unique("service").unwrap();
    let answer = |socket: &Socket| {
        socket.send(b"x", WATCHDOG).unwrap();
        receive_exactly(socket, 1);
    };
    let talking = connect_to(&service);
    thread::scope(|scope| {
        scope.spawn(|| {
            let talk = || talking.send(b"x", WATCHDOG).and_then(|()| talking.receive(&mut [0; 8], WATCHDOG));
            while talk().is_ok() {}
        });
        for _ in 0..20 {
            answer(&connect_to(&service));
        }
        // Nor does it keep the service from stopping. Its own conversation ends with that.
        service.stop(WATCHDOG).unwrap();
    });
}

/// Tells which signals its thread has blocked, a bit each: proc(5), status.
struct Masks(mpsc::Sender<u64>);

impl Handler for Masks {
    fn connected(&self, _: &Connection) {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let blocked = status.lines().find_map(|line| line.strip_prefix("SigBlk:")).unwrap();
        self.0.send(u64::from_str_radix(blocked.trim(), 16).unwrap()).unwrap();
    }
}

/// What a thread raises itself, as by a call that a filter of the program's traps (seccomp(2)), ends the process if it is blocked,
/// whatever handler there is.
#[test]
fn the_threads_of_a_service_take_the_signals_that_they_raise_themselves_and_no_others() {
    use libc::{SIGBUS, SIGFPE, SIGILL, SIGKILL, SIGSEGV, SIGSTOP, SIGSYS, SIGTRAP};
    let (masks, told) = mpsc::channel();
    let service = Service::new(ServiceOptions::default(), Arc::new(Masks(masks))).unwrap();
    service.start_unique("masks").unwrap();
    let _peer = connect_to(&service);
    let blocked = told.recv_timeout(PATIENCE).unwrap();
    let taken: Vec<_> = (1..32).filter(|signal| blocked & (1 << (signal - 1)) == 0).collect();
    let mut expected = [SIGBUS, SIGFPE, SIGILL, SIGKILL, SIGSEGV, SIGSTOP, SIGSYS, SIGTRAP];
    expected.sort_unstable();
    assert_eq!(taken, expected);
}

#[test]
fn a_service_that_could_never_serve_anybody_is_not_made() {
    let none = ServiceOptions { workers: 0, ..ServiceOptions::default() };
    let never = ServiceOptions { connection_rate: Some(0), ..ServiceOptions::default() };
    for (options, what) in [(none, "workers"), (never, "in a second")] {
        let error = Service::echo(options).err().unwrap();
        assert_eq!(error.status(), Status::InvalidArgument);
        assert!(error.to_string().contains(what), "{error}");
    }
}

//! The exchange, with services that echo and others.

mod support;

use moorline::exchange::{self, ExchangeOptions};
use moorline::socket::Direction;
use moorline::{
    Connection, Handler, ServerOptions, Service, ServiceOptions, Socket, SocketOptions, Status, Timeout,
};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use support::*;

fn exchange_with(service: &Service, options: &ExchangeOptions) -> (u64, Status) {
    let (report, result) = exchange::run(service.full_name().unwrap(), options, WATCHDOG, |_| true);
    (report.round_trips, status(result))
}

#[test]
fn an_echo_serves_many_connections_with_one_and_with_several_workers() {
    for workers in [1, 3] {
        let service = Service::echo(ServiceOptions { workers, ..ServiceOptions::default() }).unwrap();
        service.start_unique("echo").unwrap();
        for (connections, chunk, round_trips) in
            [(1, 1, 100), (50, 1, 1000), (7, 300_000, 30), (2, 3_000_000, 4), (3, 1000, 1)]
        {
            let options = ExchangeOptions { connections, chunk, round_trips, ..ExchangeOptions::default() };
            assert_eq!(exchange_with(&service, &options), (round_trips, Status::Ok));
        }
        let report = service.stop(WATCHDOG).unwrap();
        assert_eq!((report.accepted, report.unsent), (63, 0));
        assert_eq!(report.sent, report.received);
    }
}

/// Before it connects: nobody listens there.
#[test]
fn an_exchange_of_nothing_or_of_too_much_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    for (connections, chunk) in [(0, 1), ((1 << 20) + 1, 1), (1, 0), (1, (1 << 30) + 1)] {
        let options = ExchangeOptions { connections, chunk, ..ExchangeOptions::default() };
        let (_, result) = exchange::run(directory.path().join("absent"), &options, WATCHDOG, |_| true);
        assert_eq!(status(result), Status::InvalidArgument, "{connections} of {chunk} bytes");
    }
}

/// Changes one byte, which one is told.
struct Liar {
    at: Mutex<u64>,
}

impl Handler for Liar {
    fn received(&self, connection: &Connection, data: &[u8]) {
        let mut at = self.at.lock().unwrap();
        let mut data = data.to_vec();
        if *at < data.len() as u64 {
            data[*at as usize] ^= 0x10;
        }
        *at = at.wrapping_sub(data.len() as u64);
        connection.send(&data, WATCHDOG).unwrap();
    }
}

#[test]
fn a_wrong_byte_is_found_and_named() {
    let service =
        Service::new(ServiceOptions::default(), Arc::new(Liar { at: Mutex::new(777_777) })).unwrap();
    service.start_unique("liar").unwrap();
    let options = ExchangeOptions { chunk: 100_000, round_trips: 10, ..ExchangeOptions::default() };
    let (report, result) = exchange::run(service.full_name().unwrap(), &options, WATCHDOG, |_| true);
    let error = result.unwrap_err();
    assert_eq!(error.status(), Status::Mismatch);
    assert!(error.to_string().contains("connection 0: byte 777777 "), "{error}");
    assert_eq!(report.round_trips, 7);
}

/// Sends back a byte more than it got.
struct Talker;

impl Handler for Talker {
    fn received(&self, connection: &Connection, data: &[u8]) {
        connection.send(&[data, b"x"].concat(), WATCHDOG).unwrap();
    }
}

#[test]
fn what_comes_back_beyond_what_was_sent_is_found() {
    let service = Service::new(ServiceOptions::default(), Arc::new(Talker)).unwrap();
    service.start_unique("talker").unwrap();
    let options = ExchangeOptions { chunk: 100, round_trips: 10, ..ExchangeOptions::default() };
    let (report, result) = exchange::run(service.full_name().unwrap(), &options, WATCHDOG, |_| true);
    let error = result.unwrap_err();
    assert_eq!(error.status(), Status::Mismatch);
    assert!(error.to_string().contains("more came back than was sent, at byte 100"), "{error}");
    assert_eq!((report.round_trips, report.sent, report.received), (0, 100, 0));
}

/// Answers the first connection and closes it, and answers the other one after that.
#[derive(Default)]
struct OneByOne {
    first: Mutex<Option<Connection>>,
    other: Mutex<Option<(Connection, Vec<u8>)>>,
}

impl Handler for OneByOne {
    fn received(&self, connection: &Connection, data: &[u8]) {
        let mut first = self.first.lock().unwrap();
        if let Some(first) = first.take() {
            *self.other.lock().unwrap() = Some((connection.clone(), data.to_vec()));
            first.close();
        } else {
            connection.send(data, WATCHDOG).unwrap();
            *first = Some(connection.clone());
        }
    }

    fn disconnected(&self, _: &Connection, _: Status) {
        if let Some((connection, data)) = self.other.lock().unwrap().take() {
            connection.send(&data, WATCHDOG).unwrap();
        }
    }
}

#[test]
fn a_connection_that_has_had_its_answers_may_be_closed() {
    let service = Service::new(ServiceOptions::default(), Arc::<OneByOne>::default()).unwrap();
    service.start_unique("one-by-one").unwrap();
    let options = ExchangeOptions { connections: 2, round_trips: 2, ..ExchangeOptions::default() };
    let (report, result) = exchange::run(service.full_name().unwrap(), &options, WATCHDOG, |_| true);
    result.unwrap();
    assert_eq!((report.round_trips, report.sent, report.received), (2, 2, 2));
}

/// Sends back to each of two connections what the other one sent.
#[derive(Default)]
struct Swapper(Mutex<Option<(Connection, Vec<u8>)>>);

impl Handler for Swapper {
    fn received(&self, connection: &Connection, data: &[u8]) {
        let mut waiting = self.0.lock().unwrap();
        match waiting.take() {
            None => *waiting = Some((connection.clone(), data.to_vec())),
            Some((other, others)) => {
                // The exchange ends with the first that it sees.
                let _ = other.send(data, WATCHDOG);
                let _ = connection.send(&others, WATCHDOG);
            }
        }
    }
}

#[test]
fn bytes_of_another_connection_are_found() {
    let service = Service::new(ServiceOptions::default(), Arc::<Swapper>::default()).unwrap();
    service.start_unique("swapper").unwrap();
    let options =
        ExchangeOptions { connections: 2, chunk: 1000, round_trips: 2, ..ExchangeOptions::default() };
    let (report, result) = exchange::run(service.full_name().unwrap(), &options, WATCHDOG, |_| true);
    assert_eq!(status(result), Status::Mismatch);
    assert_eq!((report.round_trips, report.sent, report.received), (0, 2000, 0));
}

#[test]
fn a_connection_without_a_round_trip_is_sent_nothing() {
    let service = Service::echo(ServiceOptions::default()).unwrap();
    service.start_unique("echo").unwrap();
    let options =
        ExchangeOptions { connections: 5, chunk: 1000, round_trips: 3, ..ExchangeOptions::default() };
    let (report, result) = exchange::run(service.full_name().unwrap(), &options, WATCHDOG, |_| true);
    result.unwrap();
    assert_eq!((report.round_trips, report.sent, report.received), (3, 3000, 3000));
    let report = service.stop(WATCHDOG).unwrap();
    assert_eq!((report.accepted, report.received, report.sent), (5, 3000, 3000));
}

/// The first bytes that the first connection of an exchange sends.
fn first_bytes(length: usize) -> Vec<u8> {
    let server = listening(ServerOptions::default());
    let options = ExchangeOptions { chunk: length, ..ExchangeOptions::default() };
    std::thread::scope(|scope| {
        let bytes = scope.spawn(|| receive_exactly(&server.accept(WATCHDOG).unwrap(), length));
        // It is not answered.
        let (_, result) = exchange::run(server.full_name().unwrap(), &options, WATCHDOG, |_| true);
        assert_eq!(status(result), Status::Disconnected);
        bytes.join().unwrap()
    })
}

/// The system tells of both at once, and of neither again.
#[test]
fn an_end_that_comes_with_the_last_bytes_is_seen() {
    let first = first_bytes(2);
    let server = listening(ServerOptions::default());
    let options = ExchangeOptions { chunk: 2, ..ExchangeOptions::default() };
    let mut accepted = None;
    let (report, result) = exchange::run(server.full_name().unwrap(), &options, WATCHDOG, |_| {
        // Once it is connected, half of the answer and the end are there before it has sent anything.
        if accepted.is_none()
            && let Ok(socket) = server.accept(Timeout::None)
        {
            socket.send(&first[..1], WATCHDOG).unwrap();
            socket.shut_down(Direction::Sending, WATCHDOG).unwrap();
            accepted = Some(socket);
        }
        true
    });
    assert_eq!(status(result), Status::Disconnected);
    assert_eq!((report.round_trips, report.sent, report.received), (0, 2, 1));
}

/// Also while nothing comes back; and no oftener than that while much does.
#[test]
fn an_exchange_tells_about_ten_times_a_second_how_far_it_is() {
    /// When it begins to connect, and when it has.
    const AT_FIRST: u32 = 2;
    const LATER: u32 = 3;
    let echo = Service::echo(ServiceOptions::default()).unwrap();
    echo.start_unique("echo").unwrap();
    let silent = listening(ServerOptions::default());
    let endless = ExchangeOptions { round_trips: u64::MAX, ..ExchangeOptions::default() };
    for name in [echo.full_name().unwrap(), silent.full_name().unwrap()] {
        let mut told = Vec::new();
        let begun = Instant::now();
        let (_, result) = exchange::run(&name, &endless, WATCHDOG, |progress| {
            told.push(progress.done);
            told.len() < (AT_FIRST + LATER) as usize
        });
        assert_eq!(status(result), Status::Cancelled);
        assert!(begun.elapsed() >= LATER * Duration::from_millis(100), "{:?}", begun.elapsed());
        assert!(told.is_sorted() && told[..AT_FIRST as usize] == [0, 0], "{told:?}");
    }
}

#[test]
fn an_exchange_can_be_cancelled_and_has_a_deadline() {
    let service = Service::echo(ServiceOptions::default()).unwrap();
    service.start_unique("echo").unwrap();
    let name = service.full_name().unwrap();
    let endless = ExchangeOptions { round_trips: u64::MAX, ..ExchangeOptions::default() };
    let (_, result) = exchange::run(&name, &endless, WATCHDOG, |progress| progress.done == 0);
    assert_eq!(status(result), Status::Cancelled);
    // How soon the first answer is there is the machine's business.
    let mut short = Duration::from_millis(50);
    let report = loop {
        let begun = Instant::now();
        let (report, result) = exchange::run(&name, &endless, Timeout::After(short), |_| true);
        assert_eq!(status(result), Status::TimedOut);
        assert!(begun.elapsed() >= short);
        if report.round_trips > 0 {
            break report;
        }
        short *= 2;
    };
    assert!(report.duration > Duration::ZERO);
}

#[test]
fn an_exchange_whose_time_is_over_before_it_is_connected_has_timed_out() {
    let server = listening(ServerOptions { backlog: Some(1), ..ServerOptions::default() });
    let name = server.full_name().unwrap();
    let none = SocketOptions::default();
    let connect = || Socket::connect(&name, &none, Timeout::None).ok();
    let _held: Vec<_> = std::iter::from_fn(connect).collect();
    let run = |timeout| status(exchange::run(&name, &ExchangeOptions::default(), timeout, |_| true).1);
    assert_eq!(run(Timeout::After(Duration::from_nanos(1))), Status::TimedOut);
    assert_eq!(run(Timeout::None), Status::WouldBlock);
}

/// It is told when the first connection is due, and when all are there.
#[test]
fn an_exchange_tells_when_it_is_connected_before_it_sends() {
    let server = listening(ServerOptions::default());
    let name = server.full_name().unwrap();
    let mut told = 0;
    let (_, result) = exchange::run(&name, &ExchangeOptions::default(), WATCHDOG, |progress| {
        told += 1;
        progress.done == 0 && told < 2
    });
    assert_eq!((status(result), told), (Status::Cancelled, 2));
    let accepted = server.accept(WATCHDOG).unwrap();
    assert_eq!(status(accepted.receive(&mut [0; 8], WATCHDOG)), Status::Disconnected);
}

#[test]
fn an_exchange_can_be_cancelled_while_it_connects() {
    let server = listening(ServerOptions { backlog: Some(1), ..ServerOptions::default() });
    let options = ExchangeOptions { connections: 100, ..ExchangeOptions::default() };
    let mut told = 0;
    let (report, result) = exchange::run(server.full_name().unwrap(), &options, WATCHDOG, |progress| {
        told += 1;
        assert_eq!((progress.done, progress.total), (0, 1));
        told < 3
    });
    assert_eq!((status(result), told, report.sent), (Status::Cancelled, 3, 0));
}

//! What is queued for a peer of a service that does not read, and what is told of it.

mod support;

use moorline::{Connection, Handler, Service, ServiceOptions, Socket, Status, Timeout};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;
use support::scene::PATIENCE;
use support::services::*;
use support::*;

#[test]
fn a_peer_that_does_not_read_pauses_reading_until_it_does() {
    let (service, reports) = reporting();
    let slow = connect_to(&service);
    assert_eq!(next(&reports), "connected");
    slow.send(b"flood", WATCHDOG).unwrap();
    assert_eq!(next(&reports), "took all: true");
    assert_eq!(next(&reports), "high true");
    slow.send(b"ignored for now", WATCHDOG).unwrap();
    assert_eq!(receive_exactly(&slow, 1 << 20).len(), 1 << 20);
    assert_eq!(next(&reports), "low true");
    assert_eq!(next(&reports), "data");
}

/// Hands the connection out, and tells when its queue has drained.
struct Drains {
    connected: mpsc::Sender<Connection>,
    told: mpsc::Sender<&'static str>,
}

impl Handler for Drains {
    fn connected(&self, connection: &Connection) {
        self.connected.send(connection.clone()).unwrap();
    }

    fn received(&self, _: &Connection, _: &[u8]) {
        self.told.send("received").unwrap();
    }

    fn high_water(&self, _: &Connection, _: usize) {
        self.told.send("high").unwrap();
    }

    fn low_water(&self, _: &Connection, _: usize) {
        self.told.send("low").unwrap();
    }
}

/// A service that serves a peer, and what it tells.
fn draining(high_water: usize) -> (Service, Socket, Connection, mpsc::Receiver<&'static str>) {
    let ((connected, connections), (told, tells)) = (mpsc::channel(), mpsc::channel());
    let options =
        ServiceOptions { queue_limit: 8000, high_water, low_water: 100, ..ServiceOptions::default() };
    let service = Service::new(options, Arc::new(Drains { connected, told })).unwrap();
    service.start_unique("drains").unwrap();
    let peer = connect_to(&service);
    let connection = connections.recv_timeout(PATIENCE).unwrap();
    (service, peer, connection, tells)
}

#[test]
fn a_queue_that_another_threads_send_has_taken_along_has_drained() {
    let (_service, peer, connection, tells) = draining(1000);
    let mut sent = 0;
    while connection.send(&[1; 500], Timeout::None).is_ok() {
        sent += 500;
    }
    assert_eq!(tells.recv_timeout(PATIENCE), Ok("high"));
    peer.send(b"request", WATCHDOG).unwrap();
    // There is room for the queue now, but so little that the system does not tell of it.
    receive_exactly(&peer, sent / 3);
    until(|| connection.send(b"1", Timeout::None).is_ok() && connection.statistics().queued == 0);
    assert_eq!(tells.recv_timeout(PATIENCE), Ok("low"));
    assert_eq!(tells.recv_timeout(PATIENCE), Ok("received"));
}

#[test]
fn who_has_found_no_room_is_told_when_there_is_some_however_little_is_queued() {
    let (_service, peer, connection, tells) = draining(7000);
    let mut sent = 0;
    while connection.statistics().queued == 0 {
        connection.try_send(&[1; 500]).unwrap();
        sent += 500;
    }
    let queued = connection.statistics().queued;
    assert_eq!(status(connection.try_send(&[2; 8001])), Status::InvalidArgument);
    assert_eq!(status(connection.try_send(&[2; 8000])), Status::WouldBlock);
    assert_eq!(tells.recv_timeout(PATIENCE), Ok("high"));
    assert_eq!(connection.statistics().queued, queued, "all or nothing");
    assert!(receive_exactly(&peer, sent) == vec![1; sent]);
    assert_eq!(tells.recv_timeout(PATIENCE), Ok("low"));
    connection.try_send(&[3; 8000]).unwrap();
    assert!(receive_exactly(&peer, 8000) == [3; 8000]);

    // A send that has waited in vain, too.
    while connection.send(&[4; 500], Timeout::None).is_ok() {}
    assert_eq!(status(connection.send(b"x", Timeout::After(Duration::from_millis(1)))), Status::TimedOut);
    assert_eq!(tells.recv_timeout(PATIENCE), Ok("high"));
    connection.close();
    assert_eq!(status(connection.try_send(b"x")), Status::Closed);
}

/// Sends back what it is given, and tells how much that is.
struct Answers(mpsc::Sender<usize>);

impl Handler for Answers {
    fn received(&self, connection: &Connection, data: &[u8]) {
        self.0.send(data.len()).unwrap();
        connection.send(data, Timeout::None).unwrap();
    }
}

#[test]
fn a_handler_is_given_no_more_at_a_time_than_there_is_room_for_to_answer() {
    const SENT: usize = 1 << 20;
    let (tell, told) = mpsc::channel();
    let options =
        ServiceOptions { queue_limit: 8000, high_water: 5000, low_water: 100, ..ServiceOptions::default() };
    let service = Service::new(options, Arc::new(Answers(tell))).unwrap();
    service.start_unique("answers").unwrap();
    let peer = connect_to(&service);
    thread::scope(|scope| {
        scope.spawn(|| peer.send(&vec![1; SENT], WATCHDOG).unwrap());
        until(|| {
            let given = told.recv_timeout(PATIENCE).unwrap();
            assert!(given <= 3000, "{given}");
            given == 3000
        });
        receive_exactly(&peer, SENT);
    });
    assert_eq!(service.stop(WATCHDOG).unwrap().failures, Vec::<String>::new());
}

//! What a send of a service's finds of the handshake, before the service's thread has read anything.

mod support;

use moorline::socket::MessageOptions;
use moorline::{Connection, Framing, Handler, Service, ServiceOptions, Status, Timeout};
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;
use support::{WATCHDOG, first_words};

const PATIENCE: Duration = Duration::from_secs(60);

enum Told {
    Connected(Connection),
    Got(Vec<u8>),
    Ended(Status),
}

/// Stops at each connection until it is let go, and greets it then if it is told to.
struct Greeter {
    tell: mpsc::Sender<Told>,
    greets: Mutex<mpsc::Receiver<bool>>,
}

impl Handler for Greeter {
    fn connected(&self, connection: &Connection) {
        self.tell.send(Told::Connected(connection.clone())).unwrap();
        if self.greets.lock().unwrap().recv_timeout(PATIENCE).unwrap() {
            let _ = connection.send_message(b"welcome", Timeout::None);
        }
    }
    fn message(&self, _: &Connection, message: &[u8]) {
        self.tell.send(Told::Got(message.to_vec())).unwrap();
    }
    fn disconnected(&self, _: &Connection, reason: Status) {
        // The test may be over.
        let _ = self.tell.send(Told::Ended(reason));
    }
}

struct Scene {
    service: Service,
    told: mpsc::Receiver<Told>,
    greets: mpsc::Sender<bool>,
}

impl Scene {
    fn new() -> Scene {
        let (tell, told) = mpsc::channel();
        let (greets, asked) = mpsc::channel();
        let messages = Some(Arc::new(MessageOptions::new(Framing::Checked)));
        let options = ServiceOptions { messages, workers: 1, ..ServiceOptions::default() };
        let service = Service::new(options, Arc::new(Greeter { tell, greets: Mutex::new(asked) })).unwrap();
        service.start_unique("greeter").unwrap();
        Scene { service, told, greets }
    }

    fn next(&self) -> Told {
        self.told.recv_timeout(PATIENCE).unwrap()
    }

    /// A peer that has sent this while the service's thread stops at its connection.
    fn connect(&self, sent: &[u8]) -> (UnixStream, Connection) {
        let mut peer = UnixStream::connect(self.service.full_name().unwrap()).unwrap();
        peer.write_all(sent).unwrap();
        match self.next() {
            Told::Connected(connection) => (peer, connection),
            _ => panic!("something else comes before the connection"),
        }
    }

    fn reason(&self) -> Status {
        match self.next() {
            Told::Ended(reason) => reason,
            _ => panic!("something else comes before the end"),
        }
    }
}

#[test]
fn a_message_that_came_with_the_handshake_is_told_although_a_send_came_first() {
    let scene = Scene::new();
    let (_peer, _) = scene.connect(&first_words(b"request"));
    scene.greets.send(true).unwrap();
    assert!(matches!(scene.next(), Told::Got(message) if message == b"request"));
}

#[test]
fn a_handshake_that_who_has_left_does_not_get_is_no_loss() {
    let scene = Scene::new();
    let (peer, _) = scene.connect(b"");
    // It is accepted when it has gone.
    drop(UnixStream::connect(scene.service.full_name().unwrap()).unwrap());
    scene.greets.send(false).unwrap();
    assert!(matches!(scene.next(), Told::Connected(_)));
    scene.greets.send(false).unwrap();
    assert_ne!(scene.reason(), Status::TimedOut);
    drop(peer);
    assert_ne!(scene.reason(), Status::TimedOut);
    let report = scene.service.stop(WATCHDOG).unwrap();
    assert_eq!((report.accepted, report.unsent), (2, 0));
}

#[test]
fn a_wrong_handshake_that_a_send_finds_in_the_thread_of_the_service_is_the_reason_of_the_end() {
    let scene = Scene::new();
    let (_peer, _) = scene.connect(b"nonsense");
    scene.greets.send(true).unwrap();
    assert_eq!(scene.reason(), Status::Mismatch);
}

#[test]
fn a_wrong_handshake_that_a_send_of_another_thread_finds_ends_the_connection_at_once() {
    let scene = Scene::new();
    let (mut peer, connection) = scene.connect(b"");
    scene.greets.send(false).unwrap();
    // While the service's thread is at another connection.
    let (_other, _) = scene.connect(b"");
    peer.write_all(b"nonsense").unwrap();
    let sent = connection.send_message(b"x", WATCHDOG);
    assert_eq!(sent.unwrap_err().status(), Status::Mismatch);
    scene.greets.send(false).unwrap();
    assert_eq!(scene.reason(), Status::Mismatch);
    assert_eq!(scene.service.statistics().unwrap().endings.malformed, 1);
}

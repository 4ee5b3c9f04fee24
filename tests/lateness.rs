//! A peer is not late while it is the service that has no time.

mod support;

use moorline::socket::MessageOptions;
use moorline::{BusyPoll, Clock, Connection, Framing, Handler, Service, ServiceOptions, Status, Timeout};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;
use support::{first_words, until};

const LIMIT: Duration = Duration::from_secs(3600);
const PATIENCE: Duration = Duration::from_secs(60);
const FLOOD: usize = 600_000;
/// More than the system takes, and less than what has the service read no more.
const TALK: usize = 400_000;

#[derive(Debug, PartialEq)]
enum Told {
    Working,
    Got(Vec<u8>),
    Ended(Status),
}

/// Does what it is sent, and tells of it.
struct Worker {
    clock: Clock,
    has_messages: bool,
    tell: mpsc::Sender<Told>,
    /// Asked in the middle of the work.
    may_go_on: Mutex<mpsc::Receiver<()>>,
}

impl Worker {
    fn send(&self, connection: &Connection, length: usize) {
        let flood = vec![b'f'; length];
        let sent = if self.has_messages {
            connection.send_message(&flood, Timeout::None)
        } else {
            connection.send(&flood, Timeout::None)
        };
        sent.unwrap();
    }

    fn got(&self, connection: &Connection, data: &[u8]) {
        match data {
            b"work" => {
                self.tell.send(Told::Working).unwrap();
                self.may_go_on.lock().unwrap().recv_timeout(PATIENCE).unwrap();
                self.clock.advance(2 * LIMIT).unwrap();
                return;
            }
            b"work a little" => self.clock.advance(LIMIT / 4).unwrap(),
            b"flood" => {
                self.send(connection, FLOOD);
                connection.close();
            }
            b"talk" => self.send(connection, TALK),
            _ => {}
        }
        self.tell.send(Told::Got(data.to_vec())).unwrap();
    }
}

impl Handler for Worker {
    fn received(&self, connection: &Connection, data: &[u8]) {
        self.got(connection, data);
    }
    fn message(&self, connection: &Connection, message: &[u8]) {
        self.got(connection, message);
    }
    fn disconnected(&self, _: &Connection, reason: Status) {
        // The test may be over.
        let _ = self.tell.send(Told::Ended(reason));
    }
}

struct Scene {
    service: Service,
    clock: Clock,
    told: mpsc::Receiver<Told>,
    go_on: mpsc::Sender<()>,
}

impl Scene {
    fn new(options: ServiceOptions) -> Scene {
        let (tell, told) = mpsc::channel();
        let (go_on, may_go_on) = mpsc::channel();
        let clock = Clock::manual();
        let options = ServiceOptions { clock: clock.clone(), workers: 1, ..options };
        let has_messages = options.messages.is_some();
        let worker = Worker { clock: clock.clone(), has_messages, tell, may_go_on: Mutex::new(may_go_on) };
        let service = Service::new(options, Arc::new(worker)).unwrap();
        service.start_unique("late").unwrap();
        Scene { service, clock, told, go_on }
    }

    fn connect(&self) -> UnixStream {
        let peer = UnixStream::connect(self.service.full_name().unwrap()).unwrap();
        peer.set_read_timeout(Some(PATIENCE)).unwrap();
        peer
    }

    fn next(&self) -> Told {
        self.told.recv_timeout(PATIENCE).unwrap()
    }

    /// Sends this, of which the service tells.
    fn exchange(&self, peer: &mut UnixStream, sent: &[u8], expected: &[u8]) {
        peer.write_all(sent).unwrap();
        assert_eq!(self.next(), Told::Got(expected.to_vec()));
    }

    /// What happens while the service has no time for longer than anything may take.
    fn during_work<T>(&self, busy: &mut UnixStream, work: &[u8], happens: impl FnOnce() -> T) -> T {
        busy.write_all(work).unwrap();
        assert_eq!(self.next(), Told::Working);
        let happened = happens();
        self.go_on.send(()).unwrap();
        happened
    }
}

fn lines() -> ServiceOptions {
    let messages = MessageOptions { message_timeout: Some(LIMIT), ..MessageOptions::new(Framing::Lines) };
    ServiceOptions { messages: Some(Arc::new(messages)), ..Default::default() }
}

/// Two connections, of the second of which a part of a line has come.
fn with_a_part_of_a_line() -> (Scene, UnixStream, UnixStream) {
    with_a_part_of_a_line_for(lines())
}

fn with_a_part_of_a_line_for(options: ServiceOptions) -> (Scene, UnixStream, UnixStream) {
    let scene = Scene::new(options);
    let (mut busy, mut peer) = (scene.connect(), scene.connect());
    scene.exchange(&mut peer, b"connected\n", b"connected");
    peer.write_all(b"hel").unwrap();
    // Events come in their order.
    for _ in 0..2 {
        scene.exchange(&mut busy, b"x\n", b"x");
    }
    (scene, busy, peer)
}

#[test]
fn whole_messages_that_wait_for_their_turn_are_not_late() {
    const MESSAGES: usize = 40;
    let scene = Scene::new(lines());
    let mut peers = [scene.connect(), scene.connect()];
    for peer in &mut peers {
        peer.write_all(&b"work a little\n".repeat(MESSAGES)).unwrap();
    }
    for _ in 0..2 * MESSAGES {
        assert_eq!(scene.next(), Told::Got(b"work a little".to_vec()));
    }
}

#[test]
fn the_rest_of_a_message_that_came_meanwhile_is_not_late() {
    let (scene, mut busy, mut peer) = with_a_part_of_a_line();
    scene.during_work(&mut busy, b"work\n", || peer.write_all(b"lo\n").unwrap());
    assert_eq!(scene.next(), Told::Got(b"hello".to_vec()));
}

#[test]
fn nor_is_the_rest_of_a_message_for_which_there_was_no_room() {
    const LENGTH: usize = 1_000_000;
    let rest = [b'l'; LENGTH];
    for busy_poll in [BusyPoll::Adaptive, BusyPoll::For(LIMIT)] {
        let (scene, mut busy, mut peer) = with_a_part_of_a_line_for(ServiceOptions { busy_poll, ..lines() });
        let mut sent = 0;
        // After so many, a wait receives for itself from who alone is ready.
        for _ in 0..100 {
            scene.exchange(&mut busy, b"x\n", b"x");
        }
        for _ in 0..3 {
            scene.during_work(&mut busy, b"work\n", || {
                peer.set_nonblocking(true).unwrap();
                while let Ok(length) = peer.write(&rest[sent..]) {
                    sent += length;
                }
                peer.set_nonblocking(false).unwrap();
            });
            assert!(sent > 0 && sent < LENGTH);
            // It has looked at the other one meanwhile.
            scene.exchange(&mut busy, b"x\n", b"x");
        }
        peer.write_all(&rest[sent..]).unwrap();
        peer.write_all(b"\n").unwrap();
        assert_eq!(scene.next(), Told::Got([b"hel", &rest[..]].concat()));
    }
}

#[test]
fn nor_is_one_that_is_sent_in_small_pieces() {
    for length in [1, 10, 1000] {
        let (scene, mut busy, mut peer) = with_a_part_of_a_line();
        let (piece, mut sent) = (vec![b'l'; length], 0);
        scene.during_work(&mut busy, b"work\n", || {
            peer.set_nonblocking(true).unwrap();
            while let Ok(length) = peer.write(&piece) {
                sent += length;
            }
            peer.set_nonblocking(false).unwrap();
        });
        scene.exchange(&mut busy, b"x\n", b"x");
        peer.write_all(b"o\n").unwrap();
        assert_eq!(scene.next(), Told::Got([b"hel", &*vec![b'l'; sent], b"o"].concat()));
    }
}

/// However much of it comes at a time.
#[test]
fn one_for_which_there_was_room_is_late_although_the_service_was_busy_before_it_came() {
    let (scene, mut busy, mut peer) = with_a_part_of_a_line();
    for _ in 0..3 {
        scene.exchange(&mut busy, b"work a little\n", b"work a little");
        // It looks at everything meanwhile.
        for _ in 0..4 {
            scene.exchange(&mut busy, b"x\n", b"x");
        }
        peer.write_all(&[b'l'; 10_000]).unwrap();
        for _ in 0..4 {
            scene.exchange(&mut busy, b"x\n", b"x");
        }
    }
    scene.exchange(&mut busy, b"work a little\n", b"work a little");
    assert_eq!(scene.next(), Told::Ended(Status::TimedOut));
}

#[test]
fn the_rest_of_a_message_that_did_not_come_is_late() {
    let (scene, mut busy, _peer) = with_a_part_of_a_line();
    scene.during_work(&mut busy, b"work\n", || {});
    assert_eq!(scene.next(), Told::Ended(Status::TimedOut));
}

/// Of more than is read before the others get their turn, and nothing else comes meanwhile.
#[test]
fn the_rest_of_a_message_behind_many_others_is_late() {
    const MESSAGES: usize = 40;
    let scene = Scene::new(lines());
    let (mut busy, mut peer) = (scene.connect(), scene.connect());
    peer.write_all(&[&b"x\n".repeat(MESSAGES)[..], b"hel"].concat()).unwrap();
    for _ in 0..MESSAGES {
        assert_eq!(scene.next(), Told::Got(b"x".to_vec()));
    }
    for _ in 0..2 {
        scene.exchange(&mut busy, b"x\n", b"x");
    }
    scene.during_work(&mut busy, b"work\n", || {});
    assert_eq!(scene.next(), Told::Ended(Status::TimedOut));
}

/// By a wait that looks at what alone has been ready of late, of which nothing else is told.
#[test]
fn the_rest_of_a_message_that_a_wait_has_received_is_late() {
    let scene = Scene::new(ServiceOptions { busy_poll: BusyPoll::For(LIMIT), ..lines() });
    let mut peer = scene.connect();
    for _ in 0..100 {
        scene.exchange(&mut peer, b"x\n", b"x");
    }
    scene.exchange(&mut peer, b"x\nhel", b"x");
    // The first time it may not have come to the rest yet.
    until(|| {
        scene.clock.advance(2 * LIMIT).unwrap();
        scene.told.recv_timeout(Duration::from_millis(10)) == Ok(Told::Ended(Status::TimedOut))
    });
}

/// How busy the service is with others does not give it the time.
#[test]
fn what_came_meanwhile_does_not_make_up_for_the_rest_of_the_message() {
    let (scene, mut busy, mut peer) = with_a_part_of_a_line();
    scene.during_work(&mut busy, b"work\n", || peer.write_all(b"l").unwrap());
    assert_eq!(scene.next(), Told::Ended(Status::TimedOut));
}

#[test]
fn who_sent_something_meanwhile_is_not_idle() {
    let scene = Scene::new(ServiceOptions { idle_timeout: Some(LIMIT), ..Default::default() });
    let (mut busy, mut peer) = (scene.connect(), scene.connect());
    scene.exchange(&mut peer, b"connected", b"connected");
    scene.during_work(&mut busy, b"work", || peer.write_all(b"alive").unwrap());
    assert_eq!(scene.next(), Told::Got(b"alive".to_vec()));
    scene.exchange(&mut peer, b"still", b"still");
}

#[test]
fn who_only_reads_is_late_with_the_rest_of_a_message() {
    let scene = Scene::new(lines());
    let (mut busy, mut peer) = (scene.connect(), scene.connect());
    scene.exchange(&mut peer, b"talk\nand a par", b"talk");
    scene.during_work(&mut busy, b"work\n", || {
        let mut read = vec![0; TALK];
        assert!(peer.read(&mut read).unwrap() > 0);
    });
    assert_eq!(scene.next(), Told::Ended(Status::TimedOut));
}

/// Nothing is read from it any more.
#[test]
fn who_said_more_to_a_connection_that_closes_is_not_late_with_it() {
    let scene = Scene::new(ServiceOptions { linger: 100 * LIMIT, ..lines() });
    let (mut busy, mut peer) = (scene.connect(), scene.connect());
    scene.exchange(&mut peer, b"flood\nand a par", b"flood");
    scene.during_work(&mut busy, b"work\n", || {});
    scene.exchange(&mut busy, b"x\n", b"x");
    let mut read = vec![0; FLOOD];
    peer.read_exact(&mut read).unwrap();
    assert_eq!(scene.next(), Told::Ended(Status::Closed));
}

#[test]
fn who_takes_nothing_is_idle_although_something_is_queued() {
    let scene =
        Scene::new(ServiceOptions { idle_timeout: Some(LIMIT), linger: 100 * LIMIT, ..Default::default() });
    let (mut busy, mut peer) = (scene.connect(), scene.connect());
    scene.exchange(&mut peer, b"flood", b"flood");
    scene.during_work(&mut busy, b"work", || {});
    assert_eq!(scene.next(), Told::Ended(Status::TimedOut));
}

#[test]
fn a_handshake_that_came_meanwhile_is_not_late() {
    let messages = MessageOptions { handshake_timeout: LIMIT, ..MessageOptions::new(Framing::Checked) };
    let scene = Scene::new(ServiceOptions { messages: Some(Arc::new(messages)), ..Default::default() });
    let (mut busy, mut peer) = (scene.connect(), scene.connect());
    scene.during_work(&mut busy, &first_words(b"work"), || peer.write_all(&first_words(b"hello")).unwrap());
    assert_eq!(scene.next(), Told::Got(b"hello".to_vec()));
}

#[test]
fn who_goes_on_reading_gets_everything_of_a_connection_that_closes() {
    let scene = Scene::new(ServiceOptions { linger: LIMIT, ..Default::default() });
    let (mut busy, mut peer) = (scene.connect(), scene.connect());
    scene.exchange(&mut peer, b"flood", b"flood");
    let mut read = vec![0; FLOOD];
    let mut length = 0;
    scene.during_work(&mut busy, b"work", || {
        peer.set_nonblocking(true).unwrap();
        loop {
            match peer.read(&mut read[length..]) {
                Ok(more) => length += more,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
        peer.set_nonblocking(false).unwrap();
    });
    assert!(length > 0 && length < FLOOD);
    // It has sent more by then, and not all.
    scene.exchange(&mut busy, b"x", b"x");
    peer.read_exact(&mut read[length..]).unwrap();
    assert_eq!(read, [b'f'; FLOOD]);
    assert_eq!(scene.next(), Told::Ended(Status::Closed));
}

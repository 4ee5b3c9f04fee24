//! Deadlines on a clock that a test moves.

mod support;

use moorline::poller::{Interest, Poller, PollerOptions};
use moorline::socket::MessageOptions;
use moorline::{Clock, Framing, Handler, Service, ServiceOptions, Socket, SocketOptions, Status, Timeout};
use std::sync::{Arc, mpsc};
use std::time::Duration;
use support::{WATCHDOG, until};

const HOUR: Duration = Duration::from_secs(3600);

/// An echo that tells of each connection that came, and why one ended.
struct Tells(mpsc::Sender<Option<Status>>);

impl Handler for Tells {
    fn connected(&self, _: &moorline::Connection) {
        self.0.send(None).unwrap();
    }
    fn received(&self, connection: &moorline::Connection, data: &[u8]) {
        let _ = connection.send(data, Timeout::None);
    }
    fn disconnected(&self, _: &moorline::Connection, reason: Status) {
        self.0.send(Some(reason)).unwrap();
    }
}

fn service(options: ServiceOptions) -> (Service, Socket, mpsc::Receiver<Option<Status>>) {
    service_of(options, |tells| tells)
}

fn service_of<H: Handler + 'static>(
    options: ServiceOptions,
    handler: impl Fn(Tells) -> H,
) -> (Service, Socket, mpsc::Receiver<Option<Status>>) {
    let (tell, told) = mpsc::channel();
    let service = Service::new(options, Arc::new(handler(Tells(tell)))).unwrap();
    service.start_unique("clock").unwrap();
    let client = Socket::connect(service.full_name().unwrap(), &SocketOptions::default(), WATCHDOG).unwrap();
    assert_eq!(told.recv_timeout(Duration::from_secs(60)).unwrap(), None);
    (service, client, told)
}

fn stays(told: &mpsc::Receiver<Option<Status>>) {
    assert!(told.recv_timeout(Duration::from_millis(20)).is_err());
}

fn ends(told: &mpsc::Receiver<Option<Status>>) -> Status {
    told.recv_timeout(Duration::from_secs(60)).unwrap().unwrap()
}

#[test]
fn an_idle_connection_of_a_service_ends_when_the_clock_says_so() {
    let clock = Clock::manual();
    let options = ServiceOptions { idle_timeout: Some(HOUR), clock: clock.clone(), ..Default::default() };
    let (_service, _client, told) = service(options);
    clock.advance(HOUR - Duration::from_millis(1)).unwrap();
    stays(&told);
    clock.advance(Duration::from_millis(1)).unwrap();
    assert_eq!(ends(&told), Status::TimedOut);
}

/// A second connection, of the same worker: when that knows it, it has done all that there was to do for the first one.
fn second(service: &Service, told: &mpsc::Receiver<Option<Status>>) -> Socket {
    let second = Socket::connect(service.full_name().unwrap(), &SocketOptions::default(), WATCHDOG).unwrap();
    assert_eq!(told.recv_timeout(Duration::from_secs(60)).unwrap(), None);
    second
}

#[test]
fn a_connection_is_idle_from_its_last_byte_on() {
    let clock = Clock::manual();
    let options = ServiceOptions { idle_timeout: Some(HOUR), clock: clock.clone(), ..Default::default() };
    let (service, client, told) = service(options);
    clock.advance(HOUR / 2).unwrap();
    client.send(b"x", WATCHDOG).unwrap();
    client.receive(&mut [0; 1], WATCHDOG).unwrap();
    let second = second(&service, &told);
    clock.advance(HOUR - Duration::from_millis(1)).unwrap();
    stays(&told);
    clock.advance(Duration::from_millis(1)).unwrap();
    assert_eq!([ends(&told), ends(&told)], [Status::TimedOut; 2]);
    drop(second);
}

/// Answers, and moves the clock before it returns: as who sees the answer may do.
struct AnswersAndMoves {
    tells: Tells,
    clock: Clock,
    before: Duration,
    after: Duration,
}

impl Handler for AnswersAndMoves {
    fn connected(&self, connection: &moorline::Connection) {
        self.tells.connected(connection);
    }
    fn received(&self, connection: &moorline::Connection, data: &[u8]) {
        self.clock.advance(self.before).unwrap();
        connection.send(data, WATCHDOG).unwrap();
        self.clock.advance(self.after).unwrap();
        self.tells.0.send(None).unwrap();
    }
    fn disconnected(&self, connection: &moorline::Connection, reason: Status) {
        self.tells.disconnected(connection, reason);
    }
}

#[test]
fn a_clock_that_moves_before_the_handler_returns_has_moved_after_the_answer() {
    let clock = Clock::manual();
    let options = ServiceOptions { idle_timeout: Some(HOUR), clock: clock.clone(), ..Default::default() };
    let (_service, client, told) = service_of(options, |tells| AnswersAndMoves {
        tells,
        clock: clock.clone(),
        before: Duration::ZERO,
        after: HOUR,
    });
    client.send(b"x", WATCHDOG).unwrap();
    assert_eq!(told.recv_timeout(Duration::from_secs(60)).unwrap(), None);
    assert_eq!(ends(&told), Status::TimedOut);
}

#[test]
fn a_clock_that_moves_before_the_handler_answers_has_moved_before_the_answer() {
    let clock = Clock::manual();
    let options = ServiceOptions { idle_timeout: Some(HOUR), clock: clock.clone(), ..Default::default() };
    let (_service, client, told) = service_of(options, |tells| AnswersAndMoves {
        tells,
        clock: clock.clone(),
        before: HOUR,
        after: HOUR - Duration::from_millis(1),
    });
    client.send(b"x", WATCHDOG).unwrap();
    assert_eq!(told.recv_timeout(Duration::from_secs(60)).unwrap(), None);
    stays(&told);
    clock.advance(Duration::from_millis(1)).unwrap();
    assert_eq!(ends(&told), Status::TimedOut);
}

/// Queues more than the system takes, closes, moves the clock, and tells as the other one does.
struct ClosesAndMoves(Tells, Clock);

impl Handler for ClosesAndMoves {
    fn connected(&self, connection: &moorline::Connection) {
        while connection.send(&[0; 4096], Timeout::None).is_ok() {}
        connection.close();
        self.1.advance(HOUR).unwrap();
        self.0.connected(connection);
    }
    fn disconnected(&self, connection: &moorline::Connection, reason: Status) {
        self.0.disconnected(connection, reason);
    }
}

#[test]
fn a_clock_that_moves_before_the_handler_returns_has_moved_after_its_close() {
    let clock = Clock::manual();
    let options = ServiceOptions { linger: HOUR, clock: clock.clone(), ..Default::default() };
    let (_service, _peer, told) = service_of(options, |tells| ClosesAndMoves(tells, clock.clone()));
    assert_eq!(ends(&told), Status::TimedOut);
}

/// Queues more than the system takes, closes, and tells as the other one does.
struct Closes(Tells);

impl Handler for Closes {
    fn connected(&self, connection: &moorline::Connection) {
        while connection.send(&[0; 4096], Timeout::None).is_ok() {}
        connection.close();
        self.0.connected(connection);
    }
    fn disconnected(&self, connection: &moorline::Connection, reason: Status) {
        self.0.disconnected(connection, reason);
    }
}

#[test]
fn a_connection_lingers_from_its_close_on_whatever_was_sent_before() {
    let (tell, told) = mpsc::channel();
    let clock = Clock::manual();
    let options = ServiceOptions { linger: HOUR, clock: clock.clone(), ..Default::default() };
    let service = Service::new(options, Arc::new(Closes(Tells(tell)))).unwrap();
    service.start_unique("clock").unwrap();
    let _peers = [second(&service, &told), second(&service, &told)];
    clock.advance(HOUR).unwrap();
    assert_eq!(ends(&told), Status::TimedOut);
}

#[test]
fn a_slow_message_of_a_service_ends_its_connection_when_the_clock_says_so() {
    let clock = Clock::manual();
    let messages = MessageOptions { message_timeout: Some(HOUR), ..MessageOptions::new(Framing::BigEndian) };
    let options =
        ServiceOptions { messages: Some(Arc::new(messages)), clock: clock.clone(), ..Default::default() };
    let (service, client, told) = service(options);
    client.send(b"\0\0\0\x05ab", WATCHDOG).unwrap();
    // When its first bytes have come is only known by what the peer sees next.
    let other = second(&service, &told);
    stays(&told);
    clock.advance(HOUR).unwrap();
    assert_eq!(ends(&told), Status::TimedOut);
    drop(other);
}

/// Answers each message with more than the peer has room for, and tells when it is not read any more and when it is again.
struct Answers(Tells);

impl Handler for Answers {
    fn connected(&self, connection: &moorline::Connection) {
        self.0.connected(connection);
    }
    fn message(&self, connection: &moorline::Connection, _: &[u8]) {
        while connection.send_message(&[0; 4096], Timeout::None).is_ok() {}
    }
    fn high_water(&self, _: &moorline::Connection, _: usize) {
        self.0.0.send(None).unwrap();
    }
    fn low_water(&self, _: &moorline::Connection, _: usize) {
        self.0.0.send(None).unwrap();
    }
    fn disconnected(&self, connection: &moorline::Connection, reason: Status) {
        self.0.disconnected(connection, reason);
    }
}

#[test]
fn the_time_for_the_rest_of_a_message_begins_anew_when_it_is_read_again() {
    let clock = Clock::manual();
    let messages = MessageOptions { message_timeout: Some(HOUR), ..MessageOptions::new(Framing::BigEndian) };
    let options =
        ServiceOptions { messages: Some(Arc::new(messages)), clock: clock.clone(), ..Default::default() };
    let (service, client, told) = service_of(options, Answers);
    client.send(b"\0\0\0\x01x\0\0\0\x02a", WATCHDOG).unwrap();
    assert_eq!(told.recv_timeout(Duration::from_secs(60)).unwrap(), None);
    clock.advance(2 * HOUR).unwrap();
    stays(&told);
    let mut buffer = [0; 4096];
    until(|| {
        let _ = client.receive(&mut buffer, Timeout::None);
        told.try_recv().is_ok_and(|ended| ended.is_none())
    });
    clock.advance(HOUR - Duration::from_millis(1)).unwrap();
    // When it knows of that one, it has looked at the time.
    let other = second(&service, &told);
    stays(&told);
    clock.advance(Duration::from_millis(1)).unwrap();
    assert_eq!(ends(&told), Status::TimedOut);
    drop(other);
}

#[test]
fn a_wait_with_a_poller_ends_when_the_clock_says_so_and_a_wake_is_still_one() {
    let clock = Clock::manual();
    let poller = Poller::new(PollerOptions { clock: clock.clone(), ..Default::default() }).unwrap();
    let (socket, _peer) = Socket::pair(&SocketOptions::default()).unwrap();
    poller.add(&socket, Interest::READABLE, 1).unwrap();
    std::thread::scope(|scope| {
        let (tell, told) = mpsc::channel();
        let poller = &poller;
        scope.spawn(move || {
            for _ in 0..2 {
                let mut events = [Default::default(); 4];
                tell.send(poller.wait(&mut events, Timeout::After(HOUR)).map_err(|error| error.status()))
                    .unwrap();
            }
        });
        // Before the wait begins or during it: an hour has to pass after it began.
        let answer = loop {
            clock.advance(HOUR / 2).unwrap();
            if let Ok(answer) = told.recv_timeout(Duration::from_millis(20)) {
                break answer;
            }
        };
        assert_eq!(answer, Err(Status::TimedOut));
        poller.wake().unwrap();
        assert_eq!(told.recv_timeout(Duration::from_secs(60)).unwrap(), Ok(0));
    });
}

#[test]
fn the_systems_clock_is_not_moved() {
    let error = Clock::system().advance(HOUR).unwrap_err();
    assert_eq!(error.status(), Status::InvalidState);
    let clock = Clock::manual();
    assert_eq!(clock.advance(Duration::MAX).unwrap_err().status(), Status::InvalidArgument);
    clock.advance(HOUR).unwrap();
    assert_eq!(clock.passed(), HOUR);
}

//! Services.

mod support;

use moorline::exchange::{self, ExchangeOptions};
use moorline::socket::Direction;
use moorline::{
    BusyPoll, Connection, Framing, Handler, MessageOptions, Service, ServiceOptions, Socket, SocketOptions,
    Status, Timeout,
};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};
use support::contended::Contended;
use support::scene::PATIENCE;
use support::*;

fn connect_to(service: &Service) -> Socket {
    Socket::connect(service.full_name().unwrap(), &SocketOptions::default(), WATCHDOG).unwrap()
}

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

/// Reports what happens; floods whoever says so.
struct Reporter(Mutex<mpsc::Sender<String>>);

impl Reporter {
    fn say(&self, what: impl Into<String>) {
        let _ = self.0.lock().unwrap().send(what.into());
    }
}

impl Handler for Reporter {
    fn connected(&self, connection: &Connection) {
        connection.set_tag(1);
        self.say("connected");
    }

    fn received(&self, connection: &Connection, data: &[u8]) {
        match data {
            b"close" => connection.close(),
            b"flood" => {
                let (taken, result) = connection.send_counted(&vec![1; 1 << 20], Timeout::None);
                self.say(format!("took all: {}", taken == 1 << 20 && result.is_ok()));
            }
            _ => self.say("data"),
        }
    }

    fn disconnected(&self, connection: &Connection, reason: Status) {
        self.say(format!("disconnected {} {reason:?}", connection.tag()));
    }

    fn high_water(&self, _: &Connection, queued: usize) {
        self.say(format!("high {}", queued > 300_000));
    }

    fn low_water(&self, _: &Connection, queued: usize) {
        self.say(format!("low {}", queued <= 100_000));
    }
}

fn reporting() -> (Service, mpsc::Receiver<String>) {
    let (sender, reports) = mpsc::channel();
    let options = ServiceOptions {
        queue_limit: 2 << 20,
        high_water: 300_000,
        low_water: 100_000,
        ..ServiceOptions::default()
    };
    let service = Service::new(options, Arc::new(Reporter(Mutex::new(sender)))).unwrap();
    service.start_unique("reporter").unwrap();
    (service, reports)
}

fn next(reports: &mpsc::Receiver<String>) -> String {
    reports.recv_timeout(Duration::from_secs(30)).expect("the service says something")
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

#[test]
fn a_stop_flushes_until_its_deadline_and_counts_what_was_lost() {
    let (service, reports) = reporting();
    let slow = connect_to(&service);
    slow.send(b"flood", WATCHDOG).unwrap();
    while next(&reports) != "high true" {}
    let report = service.stop(Timeout::None).unwrap();
    assert_eq!(report.sent + report.unsent, 1 << 20);
    assert!(report.unsent > 0);
    assert_eq!((report.open_at_stop, report.outcome), (1, Status::WouldBlock));
    assert_eq!(next(&reports), "disconnected 1 Closed");
    assert_eq!(receive_exactly(&slow, report.sent as usize).len() as u64, report.sent);

    service.start_unique("again").unwrap();
    assert_eq!(status(service.start_unique("twice")), Status::InvalidState);
    let eager = connect_to(&service);
    eager.send(b"flood", WATCHDOG).unwrap();
    while next(&reports) != "high true" {}
    let reader = std::thread::spawn(move || receive_exactly(&eager, 1 << 20));
    let report = service.stop(WATCHDOG).unwrap();
    assert_eq!((report.unsent, report.outcome), (0, Status::Ok));
    assert_eq!(reader.join().unwrap().len(), 1 << 20);
    assert_eq!(status(service.stop(WATCHDOG)), Status::InvalidState);
}

/// Keeps the connection that came last.
#[derive(Default)]
struct Keeper(Mutex<Option<Connection>>);

impl Handler for Keeper {
    fn connected(&self, connection: &Connection) {
        *self.0.lock().unwrap() = Some(connection.clone());
    }
}

/// Nor, then, for ever, where threads of the program send all the time.
#[test]
fn a_stop_waits_for_what_was_queued_before_it_and_for_no_more() {
    let keeper = Arc::new(Keeper::default());
    let service = Service::new(ServiceOptions::default(), keeper.clone()).unwrap();
    service.start_unique("stop").unwrap();
    let slow = connect_to(&service);
    until(|| keeper.0.lock().unwrap().is_some());
    let connection = keeper.0.lock().unwrap().clone().unwrap();
    thread::scope(|scope| {
        let sender = scope.spawn(|| connection.send_counted(&[7; 4 << 20], WATCHDOG));
        until(|| connection.statistics().queued == 1 << 20);
        let stopped = scope.spawn(|| service.stop(WATCHDOG).unwrap());
        let (taken, ended) = sender.join().unwrap();
        assert_eq!(status(ended), Status::Closed);
        assert_eq!(receive_exactly(&slow, taken).len(), taken);
        assert_eq!(status(slow.receive(&mut [0], WATCHDOG)), Status::Disconnected);
        let report = stopped.join().unwrap();
        assert_eq!((report.sent, report.unsent, report.outcome), (taken as u64, 0, Status::Ok));
    });
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

fn messages(framing: Framing) -> MessageOptions {
    MessageOptions { max_message: 1 << 20, ..MessageOptions::new(framing) }
}

fn message_service(options: MessageOptions, handler: Arc<dyn Handler>) -> (Service, SocketOptions) {
    let messages = Some(Arc::new(options));
    let service =
        Service::new(ServiceOptions { messages: messages.clone(), ..ServiceOptions::default() }, handler)
            .unwrap();
    service.start_unique("messages").unwrap();
    (service, SocketOptions { messages, ..SocketOptions::default() })
}

#[test]
fn an_echo_sends_messages_back_whole() {
    for framing in [Framing::BigEndian, Framing::LittleEndian, Framing::Lines, Framing::Checked] {
        let (service, options) = message_service(messages(framing), Arc::new(moorline::service::Echo));
        let socket = Socket::connect(service.full_name().unwrap(), &options, WATCHDOG).unwrap();
        for message in [&b""[..], b"one", &[b'x'; 1 << 20], b"two"] {
            socket.send_message(message, WATCHDOG).unwrap();
            assert!(socket.receive_message(WATCHDOG).unwrap().data == message, "{framing:?}");
        }
        assert_eq!(service.stop(WATCHDOG).unwrap().unsent, 0);
    }
}

#[test]
fn bytes_are_not_for_a_service_with_messages_to_send() {
    let keeper = Arc::new(Keeper::default());
    let (service, options) = message_service(messages(Framing::Lines), keeper.clone());
    let _socket = Socket::connect(service.full_name().unwrap(), &options, WATCHDOG).unwrap();
    until(|| keeper.0.lock().unwrap().is_some());
    let connection = keeper.0.lock().unwrap().clone().unwrap();
    assert_eq!(status(connection.send(b"x", WATCHDOG)), Status::InvalidState);
    assert_eq!(status(connection.try_send(b"x")), Status::InvalidState);
}

/// Admits only what begins with "ok"; says how connections end.
struct Gatekeeper(Mutex<mpsc::Sender<Status>>);

impl Handler for Gatekeeper {
    fn admits(&self, _: &Connection, message: &[u8]) -> bool {
        message.starts_with(b"ok")
    }

    fn message(&self, connection: &Connection, message: &[u8]) {
        connection.send_message(message, WATCHDOG).unwrap();
    }

    fn disconnected(&self, _: &Connection, reason: Status) {
        let _ = self.0.lock().unwrap().send(reason);
    }
}

#[test]
fn a_bad_peer_loses_its_connection_with_a_reason_and_the_others_do_not_notice() {
    let (sender, reasons) = mpsc::channel();
    let slow =
        MessageOptions { message_timeout: Some(Duration::from_millis(50)), ..messages(Framing::BigEndian) };
    let (service, options) = message_service(slow, Arc::new(Gatekeeper(Mutex::new(sender))));
    let name = service.full_name().unwrap();
    let good = Socket::connect(&name, &options, WATCHDOG).unwrap();
    for (bytes, reason) in [
        (&b"\0\0\0\x03bad"[..], Status::Refused),
        (b"\xff\xff\xff\xff", Status::MessageTooLarge),
        (b"\0\0", Status::TimedOut),
    ] {
        let bad = Socket::connect(&name, &SocketOptions::default(), WATCHDOG).unwrap();
        bad.send(bytes, WATCHDOG).unwrap();
        assert_eq!(reasons.recv_timeout(Duration::from_secs(30)).unwrap(), reason);
        assert_eq!(status(bad.receive(&mut [0; 1], WATCHDOG)), Status::Disconnected);
        good.send_message(b"ok", WATCHDOG).unwrap();
        assert_eq!(good.receive_message(WATCHDOG).unwrap().data, b"ok");
    }
}

#[test]
fn a_peer_that_leaves_in_the_middle_of_a_message_ends_its_connection_as_malformed() {
    let (sender, reasons) = mpsc::channel();
    let (service, _) =
        message_service(messages(Framing::BigEndian), Arc::new(Gatekeeper(Mutex::new(sender))));
    let cut = connect_to(&service);
    cut.send(b"\0\0\0\x09only", WATCHDOG).unwrap();
    drop(cut);
    assert_eq!(reasons.recv_timeout(Duration::from_secs(30)).unwrap(), Status::Malformed);
}

#[test]
fn an_idle_connection_and_one_that_does_not_let_itself_be_closed_end_in_time() {
    let (sender, reasons) = mpsc::channel();
    let options =
        ServiceOptions { idle_timeout: Some(Duration::from_millis(50)), ..ServiceOptions::default() };
    let service = Service::new(options, Arc::new(Gatekeeper(Mutex::new(sender)))).unwrap();
    service.start_unique("idle").unwrap();
    let start = std::time::Instant::now();
    let idle = connect_to(&service);
    assert_eq!(reasons.recv_timeout(Duration::from_secs(30)).unwrap(), Status::TimedOut);
    assert!(start.elapsed() >= Duration::from_millis(50));
    assert_eq!(status(idle.receive(&mut [0; 1], WATCHDOG)), Status::Disconnected);

    /// Queues more than a socket takes, and closes.
    struct Floods(mpsc::Sender<Status>);
    impl Handler for Floods {
        fn connected(&self, connection: &Connection) {
            connection.send(&vec![0; 900_000], Timeout::None).unwrap();
            connection.close();
        }
        fn disconnected(&self, _: &Connection, reason: Status) {
            let _ = self.0.send(reason);
        }
    }
    let (sender, reasons) = mpsc::channel();
    let options = ServiceOptions { linger: Duration::from_millis(50), ..ServiceOptions::default() };
    let service = Service::new(options, Arc::new(Floods(sender))).unwrap();
    service.start_unique("linger").unwrap();
    let _never_reads = connect_to(&service);
    assert_eq!(reasons.recv_timeout(Duration::from_secs(30)).unwrap(), Status::TimedOut);
    // That was lost before, and told then.
    let report = service.stop(WATCHDOG).unwrap();
    assert!(report.unsent > 0 && report.outcome == Status::Ok);
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
fn statistics_say_what_happened_and_why_connections_ended() {
    let (sender, _reasons) = mpsc::channel();
    let (service, options) =
        message_service(messages(Framing::BigEndian), Arc::new(Gatekeeper(Mutex::new(sender))));
    let name = service.full_name().unwrap();
    let good = Socket::connect(&name, &options, WATCHDOG).unwrap();
    good.send_message(b"ok", WATCHDOG).unwrap();
    good.receive_message(WATCHDOG).unwrap();
    let statistics = good.statistics();
    assert_eq!((statistics.messages_sent, statistics.messages_received), (1, 1));
    assert_eq!((statistics.sent, statistics.received, statistics.queued), (6, 6, 0));
    assert_eq!(service.statistics().unwrap().accepted, 1);
    let bad = Socket::connect(&name, &options, WATCHDOG).unwrap();
    bad.send_message(b"bad", WATCHDOG).unwrap();
    assert_eq!(status(bad.receive_message(WATCHDOG)), Status::Disconnected);
    let report = service.stop(WATCHDOG).unwrap();
    let endings = report.endings;
    assert_eq!((endings.refused, endings.closed, endings.disconnected), (1, 1, 0));
    assert_eq!((report.accepted, report.received, report.sent), (2, 13, 6));

    let (near, _far) =
        Socket::pair(&SocketOptions { send_queue_limit: 1 << 20, ..SocketOptions::default() }).unwrap();
    near.send(&vec![1; 1 << 20], Timeout::None).unwrap();
    let queued = near.statistics().queued;
    assert!(queued > 0 && near.statistics().queue_peak == queued);
    near.abort();
    assert_eq!((near.unsent(), near.statistics().queued), (queued, 0));
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

/// Counts what floods in, and tells how much of that had come when something else did.
struct Flooded {
    flood: AtomicU64,
    others: mpsc::SyncSender<u64>,
}

impl Handler for Flooded {
    fn message(&self, _: &Connection, message: &[u8]) {
        let before = self.flood.load(Ordering::SeqCst);
        if message.starts_with(b"flood") {
            self.flood.store(before + 1, Ordering::SeqCst);
        } else {
            self.others.send(before).unwrap();
        }
    }
}

#[test]
fn a_peer_that_floods_has_no_more_than_its_share_however_long_it_does() {
    let (others, told) = mpsc::sync_channel(100);
    let handler = Arc::new(Flooded { flood: AtomicU64::new(0), others });
    let (service, options) = message_service(messages(Framing::Lines), handler.clone());
    let name = service.full_name().unwrap();
    let other = Socket::connect(&name, &options, WATCHDOG).unwrap();
    let flooding = Socket::connect(&name, &SocketOptions::default(), WATCHDOG).unwrap();
    let flood = || handler.flood.load(Ordering::SeqCst);
    thread::scope(|scope| {
        scope.spawn(|| {
            let line = [&b"flood"[..], &[b' '; 1000], b"\n"].concat();
            let block = line.repeat(4);
            while flooding.send(&block, WATCHDOG).is_ok() {}
        });
        // As long as a busy machine has the time.
        let begun = Instant::now();
        until(|| flood() > 400_000 || begun.elapsed() > Duration::from_secs(10));
        let meanwhile = (0..20).map(|_| {
            let before = flood();
            other.send_message(b"other", WATCHDOG).unwrap();
            told.recv_timeout(Duration::from_secs(30)).unwrap() - before
        });
        // Few turns of sixteen messages, but for when the threads here were interrupted.
        let fewest = meanwhile.min().unwrap();
        service.stop(Timeout::None).unwrap();
        assert!(fewest < 200, "{fewest} messages of the flood came between");
    });
}

/// A claim gives up after a second, which a busy machine may take from it. One that others wait for always does.
#[test]
fn who_shuts_a_service_down_while_it_claims_a_name_ends_that_and_nobody_waits() {
    for _ in 0..5 {
        let contended = Contended::new();
        let service = Service::echo(ServiceOptions::default()).unwrap();
        let started = thread::scope(|scope| {
            let starts = scope.spawn(|| status(service.start(contended.name())));
            contended.until_claimed(|| starts.is_finished());
            assert_eq!(status(service.full_name()), Status::InvalidState);
            assert_eq!(status(service.statistics()), Status::InvalidState);
            assert_eq!(status(service.stop(WATCHDOG)), Status::InvalidState);
            service.shut_down().unwrap();
            contended.release();
            starts.join().unwrap()
        });
        assert_eq!(status(service.full_name()), Status::InvalidState);
        if started == Status::Closed {
            assert_eq!(contended.files(), 0);
            service.start(contended.name()).unwrap();
            assert_eq!(status(service.start(contended.name())), Status::InvalidState);
            return;
        }
        assert_eq!(started, Status::NameInUse);
    }
    panic!("the claim was always held up");
}

/// Sends as it connects, for ever, and is kept in the middle of a call by whoever sends it something.
struct Talkative {
    received: mpsc::Sender<()>,
    may_go_on: Mutex<mpsc::Receiver<()>>,
}

impl Handler for Talkative {
    fn connected(&self, connection: &Connection) {
        // It ends early when the service is shut down.
        let _ = connection.send(&vec![1; 4 << 20], Timeout::Forever);
    }

    fn received(&self, _: &Connection, _: &[u8]) {
        self.received.send(()).unwrap();
        self.may_go_on.lock().unwrap().recv().unwrap();
    }
}

#[test]
fn who_shuts_a_service_down_does_not_wait_for_what_is_sent_to_a_connection_that_comes_only_then() {
    let (received, told) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel();
    let handler = Arc::new(Talkative { received, may_go_on: Mutex::new(may_go_on) });
    let options = ServiceOptions { workers: 2, ..ServiceOptions::default() };
    let service = Arc::new(Service::new(options, handler).unwrap());
    service.start_unique("talkative").unwrap();
    let served = [connect_to(&service), connect_to(&service)];
    for peer in &served {
        receive_exactly(peer, 4 << 20);
    }
    served[0].send(b"stay", WATCHDOG).unwrap();
    told.recv_timeout(PATIENCE).unwrap();
    // It waits for the same worker.
    let _late = connect_to(&service);
    until(|| service.statistics().unwrap().accepted == 3);
    let (answer, answered) = mpsc::channel();
    let ends = service.clone();
    // Not one that the test joins: it must not wait for ever itself.
    thread::spawn(move || answer.send(ends.shut_down()));
    // By then the connections of that worker are aborted, but for the late one.
    assert_eq!(status(served[0].receive(&mut [0; 1], WATCHDOG)), Status::Disconnected);
    go_on.send(()).unwrap();
    answered.recv_timeout(PATIENCE).expect("it returns").unwrap();
}

/// Owns its service, and drops it when told so; another call of it sends for ever meanwhile.
struct Drops {
    service: Mutex<Option<Service>>,
    sending: mpsc::Sender<()>,
    sent: mpsc::Sender<Status>,
}

impl Handler for Drops {
    fn received(&self, connection: &Connection, data: &[u8]) {
        if data == b"drop" {
            drop(self.service.lock().unwrap().take());
        } else {
            while connection.send(&[1; 4096], Timeout::None).is_ok() {}
            self.sending.send(()).unwrap();
            self.sent.send(status(connection.send(&[1; 4096], Timeout::Forever))).unwrap();
        }
    }
}

#[test]
fn who_drops_a_service_in_its_own_handler_ends_what_other_calls_of_it_wait_for() {
    let ((sending, is_sending), (sent, has_sent)) = (mpsc::channel(), mpsc::channel());
    let handler = Arc::new(Drops { service: Mutex::default(), sending, sent });
    let options = ServiceOptions { workers: 2, ..ServiceOptions::default() };
    let service = Service::new(options, handler.clone()).unwrap();
    service.start_unique("drops").unwrap();
    // Each has a worker of its own.
    let (waits, drops) = (connect_to(&service), connect_to(&service));
    *handler.service.lock().unwrap() = Some(service);
    waits.send(b"send", WATCHDOG).unwrap();
    is_sending.recv_timeout(PATIENCE).unwrap();
    drops.send(b"drop", WATCHDOG).unwrap();
    assert_eq!(has_sent.recv_timeout(PATIENCE), Ok(Status::Closed));
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

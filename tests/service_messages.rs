//! Services whose peers send messages, as they ought to and otherwise.

mod support;

use moorline::{
    Connection, Framing, Handler, MessageOptions, Service, ServiceOptions, Socket, SocketOptions, Status,
    Timeout,
};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};
use support::services::*;
use support::*;

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
    let connection = keeper.connection();
    assert_eq!(status(connection.send(b"x", WATCHDOG)), Status::InvalidState);
    assert_eq!(status(connection.try_send(b"x")), Status::InvalidState);
}

/// Keeps the messages; fails at one that says so, and closes the connection at another.
#[derive(Default)]
struct Obeys {
    messages: Mutex<Vec<Vec<u8>>>,
}

impl Handler for Obeys {
    fn message(&self, connection: &Connection, message: &[u8]) {
        assert!(message != b"fail", "as asked");
        if message == b"close" {
            connection.close();
        }
        self.messages.lock().unwrap().push(message.to_vec());
    }
}

#[test]
fn a_message_at_which_the_handler_fails_costs_its_connection() {
    let (service, options) = message_service(messages(Framing::Lines), Arc::<Obeys>::default());
    let socket = Socket::connect(service.full_name().unwrap(), &options, WATCHDOG).unwrap();
    socket.send_message(b"fail", WATCHDOG).unwrap();
    assert_eq!(status(socket.receive_message(WATCHDOG)), Status::Disconnected);
    let report = service.stop(WATCHDOG).unwrap();
    assert_eq!(report.failures, ["as asked"]);
}

#[test]
fn no_message_comes_after_the_one_at_which_the_connection_was_closed() {
    let obeys = Arc::<Obeys>::default();
    let (service, _) = message_service(messages(Framing::Lines), obeys.clone());
    let socket = Socket::connect(service.full_name().unwrap(), &SocketOptions::default(), WATCHDOG).unwrap();
    socket.send(b"close\nmore\n", WATCHDOG).unwrap();
    assert_eq!(status(socket.receive(&mut [0], WATCHDOG)), Status::Disconnected);
    assert_eq!(*obeys.messages.lock().unwrap(), [b"close"]);
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

//! How services and their connections end, and what is waited for then.

mod support;

use moorline::{Connection, Handler, Service, ServiceOptions, Status, Timeout};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;
use std::time::Duration;
use support::contended::Contended;
use support::scene::PATIENCE;
use support::services::*;
use support::*;

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

/// Nor, then, for ever, where threads of the program send all the time.
#[test]
fn a_stop_waits_for_what_was_queued_before_it_and_for_no_more() {
    let keeper = Arc::new(Keeper::default());
    let service = Service::new(ServiceOptions::default(), keeper.clone()).unwrap();
    service.start_unique("stop").unwrap();
    let slow = connect_to(&service);
    let connection = keeper.connection();
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
fn an_idle_connection_and_one_that_does_not_let_itself_be_closed_end_in_time() {
    struct Tells(mpsc::Sender<Status>);
    impl Handler for Tells {
        fn disconnected(&self, _: &Connection, reason: Status) {
            let _ = self.0.send(reason);
        }
    }
    let (sender, reasons) = mpsc::channel();
    let options =
        ServiceOptions { idle_timeout: Some(Duration::from_millis(50)), ..ServiceOptions::default() };
    let service = Service::new(options, Arc::new(Tells(sender))).unwrap();
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
fn so_does_one_that_another_thread_closes() {
    let keeper = Arc::new(Keeper::default());
    let options = ServiceOptions { linger: Duration::from_millis(50), ..ServiceOptions::default() };
    let service = Service::new(options, keeper.clone()).unwrap();
    service.start_unique("linger").unwrap();
    let _never_reads = connect_to(&service);
    let connection = keeper.connection();
    connection.send(&vec![0; 900_000], Timeout::None).unwrap();
    connection.close();
    until(|| service.statistics().unwrap().endings.timed_out == 1);
}

/// Whatever keeps the claim, which somebody else holds up here until the end. It gives up after a second by itself, which a busy machine
/// may take from it.
#[test]
fn who_shuts_a_service_down_while_it_claims_a_name_ends_that_and_nobody_waits() {
    for _ in 0..5 {
        let contended = Contended::new();
        let service = Service::echo(ServiceOptions::default()).unwrap();
        let (was_over, started) = thread::scope(|scope| {
            let starts = scope.spawn(|| status(service.start(contended.name())));
            contended.until_claimed(|| starts.is_finished());
            assert_eq!(status(service.full_name()), Status::InvalidState);
            assert_eq!(status(service.statistics()), Status::InvalidState);
            assert_eq!(status(service.stop(WATCHDOG)), Status::InvalidState);
            let was_over = starts.is_finished();
            service.shut_down().unwrap();
            (was_over, starts.join().unwrap())
        });
        assert_eq!(status(service.full_name()), Status::InvalidState);
        if !was_over {
            assert_eq!((started, contended.files()), (Status::Closed, 1));
            contended.release();
            service.start(contended.name()).unwrap();
            assert_eq!(status(service.start(contended.name())), Status::InvalidState);
            return;
        }
        assert_eq!(started, Status::NameInUse);
    }
    panic!("the claim was always held up");
}

#[test]
fn when_a_service_is_shut_down_that_another_thread_starts_its_name_does_not_come_any_more() {
    const ROUNDS: usize = 1000;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("name");
    let service = Service::echo(ServiceOptions::default()).unwrap();
    let meeting = Barrier::new(2);
    thread::scope(|scope| {
        let starting = scope.spawn(|| {
            let mut answers = Vec::new();
            for _ in 0..ROUNDS {
                meeting.wait();
                answers.push(status(service.start(&path)));
                meeting.wait();
                // Who came after that has the name still.
                meeting.wait();
                assert_eq!(status(service.shut_down()), Status::Ok);
            }
            answers
        });
        let mut late = 0;
        for round in 0..ROUNDS {
            meeting.wait();
            // What starts is in the middle of this, sooner or later.
            for _ in 0..round % 100 {
                let _ = path.exists();
            }
            service.shut_down().unwrap();
            let seen = (0..20).filter(|_| path.exists()).count();
            meeting.wait();
            late += usize::from(seen > 0 && service.full_name().is_err());
            meeting.wait();
        }
        let mut answers = starting.join().unwrap();
        answers.retain(|answer| ![Status::Ok, Status::Closed].contains(answer));
        assert_eq!((late, answers), (0, Vec::new()));
    });
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

/// Sends more than the peer takes, for ever.
struct SendsForEver(mpsc::Sender<()>);

impl Handler for SendsForEver {
    fn connected(&self, connection: &Connection) {
        self.0.send(()).unwrap();
        while connection.send(&[1; 4096], Timeout::Forever).is_ok() {}
    }
}

#[test]
fn a_stop_whose_time_is_over_ends_what_a_call_of_the_handler_waits_for() {
    let (sending, is_sending) = mpsc::channel();
    let service = Service::new(ServiceOptions::default(), Arc::new(SendsForEver(sending))).unwrap();
    service.start_unique("sends").unwrap();
    let _peer = connect_to(&service);
    is_sending.recv_timeout(PATIENCE).unwrap();
    let short = Timeout::After(Duration::from_millis(1));
    // The call may need longer to return than a stop waits for it then.
    until(|| service.stop(short).is_ok());
}

struct StopsItself(Mutex<Option<Arc<Service>>>, mpsc::Sender<[Status; 2]>);

impl Handler for StopsItself {
    fn received(&self, _: &Connection, _: &[u8]) {
        let service = self.0.lock().unwrap().take().unwrap();
        self.1.send([status(service.stop(Timeout::None)), status(service.shut_down())]).unwrap();
    }
}

#[test]
fn a_handler_does_not_stop_its_own_service() {
    let (tell, told) = mpsc::channel();
    let handler = Arc::new(StopsItself(Mutex::default(), tell));
    let service = Arc::new(Service::new(ServiceOptions::default(), handler.clone()).unwrap());
    service.start_unique("stops").unwrap();
    *handler.0.lock().unwrap() = Some(service.clone());
    connect_to(&service).send(b"stop", WATCHDOG).unwrap();
    assert_eq!(told.recv_timeout(PATIENCE).unwrap(), [Status::InvalidState; 2]);
    service.stop(WATCHDOG).unwrap();
}

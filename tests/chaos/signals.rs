//! Signals come all the time while a call waits, with handlers that don't restart it: it waits on, and ends as if none had come.

#![allow(unsafe_code)]

use super::support::{WATCHDOG, connect, fill, listening, status};
use moorline::{
    Connection, Framing, Handler, Interest, MessageOptions, Poller, PollerOptions, ServerOptions, Service,
    ServiceOptions, Socket, SocketOptions, Status, Timeout,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

static RECEIVED: AtomicU64 = AtomicU64::new(0);

extern "C" fn count(_: libc::c_int) {
    RECEIVED.fetch_add(1, Ordering::Relaxed);
}

/// A handler without SA_RESTART: each signal interrupts what waits in the system, by signal(7).
fn install() {
    // SAFETY: a zeroed sigaction is one without flags and with an empty mask; the handler only counts.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = count as *const () as usize;
        assert_eq!(libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut()), 0);
    }
}

/// Rains signals on this thread while the call runs.
fn in_the_rain<T>(call: impl FnOnce() -> T) -> T {
    install();
    // SAFETY: it always succeeds.
    let this = unsafe { libc::pthread_self() } as usize;
    let over = AtomicBool::new(false);
    let before = RECEIVED.load(Ordering::Relaxed);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                // SAFETY: the thread waits for the end of this scope.
                assert_eq!(unsafe { libc::pthread_kill(this as libc::pthread_t, libc::SIGUSR1) }, 0);
                std::thread::sleep(Duration::from_micros(50));
            }
        });
        while RECEIVED.load(Ordering::Relaxed) == before {
            std::thread::yield_now();
        }
        let answer = call();
        over.store(true, Ordering::Relaxed);
        answer
    })
}

const WHILE: Duration = Duration::from_millis(30);

/// It ends when its time is over, not earlier.
fn times_out<T>(call: impl FnOnce(Timeout) -> moorline::Result<T>) {
    let begun = Instant::now();
    let answer = in_the_rain(|| status(call(Timeout::After(WHILE))));
    assert_eq!(answer, Status::TimedOut);
    assert!(begun.elapsed() >= WHILE, "it ended early, after {:?}", begun.elapsed());
}

fn messages() -> SocketOptions {
    let messages = Some(Arc::new(MessageOptions::new(Framing::BigEndian)));
    SocketOptions { messages, ..SocketOptions::default() }
}

#[test]
fn each_wait_lasts_its_time() {
    let server = listening(ServerOptions::default());
    times_out(|time| server.accept(time));
    let (socket, _peer) = Socket::pair(&SocketOptions::default()).unwrap();
    times_out(|time| socket.receive(&mut [0], time));
    times_out(|time| socket.wait(Interest::READABLE, time));
    fill(&socket);
    times_out(|time| socket.send(b"x", time));
    let (with_messages, _peer) = Socket::pair(&messages()).unwrap();
    times_out(|time| with_messages.receive_message(time));
    let poller = Poller::new(PollerOptions::default()).unwrap();
    times_out(|time| poller.wait(&mut [moorline::Event::default()], time));
    let queueing = SocketOptions { send_queue_limit: 1 << 20, ..SocketOptions::default() };
    let (queueing, _peer) = Socket::pair(&queueing).unwrap();
    queueing.send(&vec![0; 1 << 20], Timeout::None).unwrap();
    times_out(|time| queueing.flush(time));
    let begun = Instant::now();
    let report = in_the_rain(|| queueing.close(Timeout::After(WHILE)));
    assert!(report.unsent > 0 && begun.elapsed() >= WHILE, "{report:?} after {:?}", begun.elapsed());
    assert_eq!(report.sent + report.unsent, 1 << 20);
}

#[test]
fn a_connect_to_a_full_backlog_lasts_its_time() {
    let server = listening(ServerOptions { backlog: Some(1), ..ServerOptions::default() });
    let name = server.full_name().unwrap();
    let mut waiting = Vec::new();
    while let Ok(socket) = Socket::connect(&name, &SocketOptions::default(), Timeout::None) {
        waiting.push(socket);
    }
    times_out(|time| Socket::connect(&name, &SocketOptions::default(), time));
}

/// A megabyte there and back, verified, with signals all the way on both sides.
#[test]
fn every_byte_arrives() {
    let server = listening(ServerOptions::default());
    let client = connect(&server);
    let accepted = server.accept(WATCHDOG).unwrap();
    let data: Vec<u8> = (0..1_u32 << 20).map(|index| (index % 251) as u8).collect();
    std::thread::scope(|scope| {
        scope.spawn(|| in_the_rain(|| client.send(&data, WATCHDOG).unwrap()));
        let received = in_the_rain(|| super::support::receive_exactly(&accepted, data.len()));
        assert!(received == data, "what came is not what was sent");
    });
}

#[test]
fn a_stop_waits_for_what_is_queued() {
    const LENGTH: usize = 400_000;
    struct Floods;
    impl Handler for Floods {
        fn connected(&self, connection: &Connection) {
            connection.send(&[7; LENGTH], Timeout::None).unwrap();
        }
    }
    let options = ServiceOptions {
        queue_limit: 1 << 20,
        high_water: 1 << 19,
        low_water: 1,
        ..ServiceOptions::default()
    };
    let service = Service::new(options, Arc::new(Floods)).unwrap();
    service.start_unique("signals").unwrap();
    let client = Socket::connect(service.full_name().unwrap(), &SocketOptions::default(), WATCHDOG).unwrap();
    client.wait(Interest::READABLE, WATCHDOG).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| super::support::receive_exactly(&client, LENGTH));
        let report = in_the_rain(|| service.stop(WATCHDOG)).unwrap();
        assert_eq!((report.unsent, report.sent), (0, LENGTH as u64), "{report:?}");
    });
}

//! Signals come all the time while a call waits, with handlers that don't restart it: it waits on, and ends as if none had come.

#![allow(unsafe_code)]

use super::support::{WATCHDOG, connect, listening, until};
use super::waits::each_lasts_its_time;
use moorline::{
    Connection, Handler, Interest, ServerOptions, Service, ServiceOptions, Socket, SocketOptions, Timeout,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

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
        until(|| RECEIVED.load(Ordering::Relaxed) != before);
        let answer = call();
        over.store(true, Ordering::Relaxed);
        answer
    })
}

#[test]
fn each_wait_lasts_its_time() {
    each_lasts_its_time(&|call| in_the_rain(call));
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

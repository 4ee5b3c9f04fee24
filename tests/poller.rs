//! The poller.

mod support;

use moorline::{
    BusyPoll, Clock, Error, Event, Interest, Poller, PollerOptions, ServerOptions, Socket, SocketOptions,
    Status, Timeout,
};
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};
use support::*;

fn pair() -> (Socket, Socket) {
    Socket::pair(&SocketOptions::default()).unwrap()
}

fn tokens(poller: &Poller, capacity: usize, timeout: Timeout) -> Vec<u64> {
    let mut events = vec![Event::default(); capacity];
    match poller.wait(&mut events, timeout) {
        Ok(count) => events[..count].iter().map(|event| event.token).collect(),
        Err(error) => {
            assert!(matches!(error.status(), Status::WouldBlock | Status::TimedOut), "{error}");
            Vec::new()
        }
    }
}

/// As the duplicate that a forked child holds does.
#[test]
fn what_is_closed_is_not_reported_although_a_duplicate_keeps_it_open() {
    let poller = Poller::new(PollerOptions::default()).unwrap();
    let (near, mut far) = UnixStream::pair().unwrap();
    let _duplicate = near.try_clone().unwrap();
    let near = Socket::adopt(near, &SocketOptions::default()).unwrap();
    poller.add(&near, Interest::READABLE, 1).unwrap();
    let _ = near.close(Timeout::None);
    far.write_all(b"x").unwrap();
    assert_eq!(tokens(&poller, 8, Timeout::None), []);
}

/// Its descriptor is open until then.
#[test]
fn what_is_closed_is_not_reported_while_it_sends_what_is_queued() {
    const MUCH: usize = 4 << 20;
    let poller = Poller::new(PollerOptions::default()).unwrap();
    let options = SocketOptions { send_queue_limit: MUCH, ..SocketOptions::default() };
    let (near, far) = Socket::pair(&options).unwrap();
    near.send(&vec![0; MUCH], Timeout::None).unwrap();
    poller.add(&near, Interest::READABLE, 1).unwrap();
    far.send(b"x", WATCHDOG).unwrap();
    assert_eq!(tokens(&poller, 8, WATCHDOG), [1]);
    thread::scope(|scope| {
        let closes = scope.spawn(|| near.close(WATCHDOG));
        until(|| tokens(&poller, 8, Timeout::None).is_empty());
        assert!(!closes.is_finished());
        far.abort();
        assert!(closes.join().unwrap().unsent > 0);
    });
}

#[test]
fn a_closed_poller_changes_nothing() {
    let poller = Poller::new(PollerOptions::default()).unwrap();
    let (near, far) = pair();
    poller.add(&near, Interest::READABLE, 1).unwrap();
    poller.close();
    assert_eq!(status(poller.modify(&near, Interest::EDGE, 2)), Status::Closed);
    assert_eq!(status(poller.add(&far, Interest::READABLE, 3)), Status::Closed);
}

#[test]
fn level_is_reported_as_long_as_it_lasts_and_edge_once() {
    for (interest, repeats) in
        [(Interest::READABLE, true), (Interest { edge: true, ..Interest::READABLE }, false)]
    {
        let poller = Poller::new(PollerOptions::default()).unwrap();
        let (near, far) = pair();
        poller.add(&near, interest, 42).unwrap();
        assert_eq!(tokens(&poller, 8, Timeout::None), []);
        far.send(b"x", WATCHDOG).unwrap();
        assert_eq!(tokens(&poller, 8, WATCHDOG), [42]);
        assert_eq!(tokens(&poller, 8, Timeout::None) == [42], repeats);
        receive_exactly(&near, 1);
        assert_eq!(tokens(&poller, 8, Timeout::None), []);
    }
}

#[test]
fn what_does_not_fit_is_reported_by_the_next_wait() {
    let poller = Poller::new(PollerOptions::default()).unwrap();
    let pairs: Vec<_> = (0..100).map(|_| pair()).collect();
    for (token, (near, far)) in pairs.iter().enumerate() {
        poller.add(near, Interest { edge: true, ..Interest::READABLE }, token as u64).unwrap();
        far.send(b"x", WATCHDOG).unwrap();
    }
    let mut seen = Vec::new();
    while seen.len() < 100 {
        seen.extend(tokens(&poller, 7, WATCHDOG));
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..100).collect::<Vec<u64>>());
    assert_eq!(tokens(&poller, 7, Timeout::None), []);
}

#[test]
fn one_poller_at_a_time_and_gone_when_closed() {
    let (first, second) =
        (Poller::new(PollerOptions::default()).unwrap(), Poller::new(PollerOptions::default()).unwrap());
    let (near, far) = pair();
    first.add(&near, Interest::READABLE, 1).unwrap();
    assert_eq!(status(second.add(&near, Interest::READABLE, 1)), Status::InvalidState);
    assert_eq!(status(second.modify(&near, Interest::READABLE, 1)), Status::InvalidState);
    assert_eq!(status(second.remove(&near)), Status::InvalidState);
    first.remove(&near).unwrap();
    second.add(&near, Interest::default(), 2).unwrap();
    far.send(b"x", WATCHDOG).unwrap();
    assert_eq!(tokens(&second, 8, Timeout::None), []);
    second.modify(&near, Interest::READABLE, 3).unwrap();
    assert_eq!(tokens(&second, 8, WATCHDOG), [3]);
    let _ = near.close(Timeout::None);
    assert_eq!(tokens(&second, 8, Timeout::None), []);
    assert_eq!(status(second.add(&near, Interest::READABLE, 2)), Status::Closed);
}

#[test]
fn waking_and_closing_end_waits() {
    let poller = Poller::new(PollerOptions::default()).unwrap();
    poller.wake().unwrap();
    assert_eq!(poller.wait(&mut [Event::default()], Timeout::Forever).unwrap(), 0);
    thread::scope(|scope| {
        let waiting: Vec<_> = (0..2)
            .map(|_| scope.spawn(|| status(poller.wait(&mut [Event::default()], Timeout::Forever))))
            .collect();
        thread::yield_now();
        poller.close();
        for wait in waiting {
            assert_eq!(wait.join().unwrap(), Status::Closed);
        }
    });
}

/// Another thread has the turn to wait still, which it is just leaving.
#[test]
fn what_is_closed_says_so_also_to_who_does_not_wait_for_a_turn() {
    for _ in 0..100 {
        let poller = Poller::new(PollerOptions::default()).unwrap();
        let waits = |timeout| status(poller.wait(&mut [Event::default(); 8], timeout));
        thread::scope(|scope| {
            let waiting = scope.spawn(|| waits(Timeout::Forever));
            (0..20).for_each(|_| thread::yield_now());
            poller.close();
            assert_eq!(waits(Timeout::None), Status::Closed);
            assert_eq!(status(poller.look(&mut [Event::default(); 8], Duration::ZERO)), Status::Closed);
            assert_eq!(waiting.join().unwrap(), Status::Closed);
        });
    }
}

#[test]
fn a_server_is_readable_while_somebody_waits_to_be_accepted() {
    let poller = Poller::new(PollerOptions::default()).unwrap();
    let server = listening(ServerOptions::default());
    poller.add(&server, Interest::READABLE, 9).unwrap();
    assert_eq!(tokens(&poller, 8, Timeout::None), []);
    let _client = connect(&server);
    assert_eq!(tokens(&poller, 8, WATCHDOG), [9]);
    server.accept(WATCHDOG).unwrap();
    assert_eq!(tokens(&poller, 8, Timeout::None), []);
}

#[test]
fn a_socket_dropped_while_the_poller_waits_is_no_danger() {
    let poller = Poller::new(PollerOptions::default()).unwrap();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let mut events = [Event::default(); 4];
            while poller.wait(&mut events, Timeout::Forever).is_ok() {}
        });
        for token in 0..2000 {
            let (near, far) = pair();
            poller.add(&near, Interest { writable: true, ..Interest::READABLE }, token).unwrap();
            far.send(b"x", WATCHDOG).unwrap();
        }
        poller.close();
        waiting.join().unwrap();
    });
}

/// A poller whose waits never sleep, with a socket in it that alone has been ready of late, and that socket's peer.
fn poller_with_a_soloist(token: u64) -> (Poller, Socket, Socket) {
    let options =
        PollerOptions { busy_poll: BusyPoll::For(Duration::from_secs(3600)), ..PollerOptions::default() };
    let poller = Poller::new(options).unwrap();
    let (near, far) = pair();
    poller.add(&near, Interest::READABLE_EDGE, token).unwrap();
    for _ in 0..20 {
        far.send(b"x", WATCHDOG).unwrap();
        assert_eq!(tokens(&poller, 8, WATCHDOG), [token]);
        receive_exactly(&near, 1);
    }
    // What the system has still to say of what has been read.
    while !tokens(&poller, 8, Timeout::None).is_empty() {}
    (poller, near, far)
}

#[test]
fn who_alone_is_ready_does_not_hide_the_others() {
    let (poller, _near, _far) = poller_with_a_soloist(1);
    let (other, peer_of_other) = pair();
    poller.add(&other, Interest::READABLE_EDGE, 2).unwrap();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| tokens(&poller, 8, WATCHDOG));
        peer_of_other.send(b"x", WATCHDOG).unwrap();
        assert_eq!(waiting.join().unwrap(), [2]);
    });
}

#[test]
fn what_is_left_unread_by_who_alone_is_ready_is_not_told_of_again_and_again() {
    let (poller, near, far) = poller_with_a_soloist(1);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| tokens(&poller, 8, WATCHDOG));
        far.send(b"x", WATCHDOG).unwrap();
        assert_eq!(waiting.join().unwrap(), [1]);
    });
    // Once more, perhaps: the look at the soloist told of it, and then the system does.
    let again =
        (0..100).map(|_| tokens(&poller, 8, Timeout::from(Duration::from_millis(1))).len()).sum::<usize>();
    assert!(again <= 1, "{again} times");
    receive_exactly(&near, 1);
}

#[test]
fn who_alone_was_ready_and_was_removed_is_not_told_of() {
    let (poller, near, far) = poller_with_a_soloist(1);
    poller.remove(&near).unwrap();
    far.send(b"x", WATCHDOG).unwrap();
    assert_eq!(tokens(&poller, 8, Timeout::from(Duration::from_millis(10))), []);
    poller.add(&near, Interest::default(), 1).unwrap();
    assert_eq!(tokens(&poller, 8, Timeout::from(Duration::from_millis(10))), []);
}

#[test]
fn who_alone_was_ready_is_not_told_of_for_what_nobody_looks_for_any_more() {
    let (poller, near, far) = poller_with_a_soloist(1);
    let filled = fill(&near);
    poller.modify(&near, Interest { writable: true, ..Interest::default() }, 1).unwrap();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| tokens(&poller, 8, Timeout::from(Duration::from_millis(50))));
        // Mostly it has looked at it in vain by then.
        (0..20).for_each(|_| thread::yield_now());
        far.send(b"x", WATCHDOG).unwrap();
        assert_eq!(waiting.join().unwrap(), []);
    });
    receive_exactly(&far, filled);
    assert_eq!(tokens(&poller, 8, WATCHDOG), [1]);
}

#[test]
fn the_end_of_who_alone_is_ready_is_told_of() {
    let (poller, near, far) = poller_with_a_soloist(1);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let mut events = [Event::default(); 8];
            poller.wait(&mut events, WATCHDOG).map(|count| events[..count].to_vec())
        });
        let _ = far.close(Timeout::None);
        let events = waiting.join().unwrap().unwrap();
        assert!(matches!(events[..], [Event { token: 1, readable: true, hangup: true, .. }]), "{events:?}");
    });
    drop(near);
}

#[test]
fn a_look_finds_what_is_ready_and_ends_in_time() {
    let options = PollerOptions { busy_poll: BusyPoll::Never, ..PollerOptions::default() };
    let poller = Poller::new(options).unwrap();
    let (near, far) = pair();
    poller.add(&near, Interest::READABLE_EDGE, 3).unwrap();
    let mut events = [Event::default(); 2];
    let status = |result: Result<usize, Error>| result.unwrap_err().status();
    assert_eq!(status(poller.look(&mut events, Duration::ZERO)), Status::WouldBlock);
    let begun = Instant::now();
    assert_eq!(status(poller.look(&mut events, Duration::from_millis(10))), Status::TimedOut);
    assert!(begun.elapsed() >= Duration::from_millis(10));
    far.send(b"x", WATCHDOG).unwrap();
    assert_eq!(poller.look(&mut events, Duration::ZERO).unwrap(), 1);
    assert_eq!(events[0].token, 3);
    // On a clock that nobody moves, too.
    let options = PollerOptions { clock: Clock::manual(), ..PollerOptions::default() };
    let poller = Poller::new(options).unwrap();
    assert_eq!(status(poller.look(&mut events, Duration::from_millis(1))), Status::TimedOut);
}

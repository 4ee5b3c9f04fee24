use super::explore;
use crate::error::{Result, Status};
use crate::socket::Socket;
use crate::{Clock, Event, Interest, Poller, PollerOptions, Timeout};
use loom::thread;
use std::sync::Arc;
use std::time::Duration;

fn poller() -> Arc<Poller> {
    Arc::new(Poller::new(PollerOptions::default()).unwrap())
}

fn wait(poller: &Poller, timeout: Timeout) -> Result<Vec<u64>> {
    let mut events = [Event::default(); 4];
    let count = poller.wait(&mut events, timeout)?;
    Ok(events[..count].iter().map(|event| event.token).collect())
}

fn status<T>(answer: Result<T>) -> Status {
    answer.err().map_or(Status::Ok, |error| error.status())
}

fn in_thread<T: 'static>(
    poller: &Arc<Poller>,
    work: impl FnOnce(&Poller) -> T + 'static,
) -> thread::JoinHandle<T> {
    let poller = poller.clone();
    thread::spawn(move || work(&poller))
}

#[test]
fn waking_ends_a_wait() {
    explore(3, || {
        let poller = poller();
        let waiter = in_thread(&poller, |poller| wait(poller, Timeout::Forever).unwrap());
        poller.wake().unwrap();
        assert_eq!(waiter.join().unwrap(), []);
    });
}

#[test]
fn closing_ends_every_wait() {
    explore(2, || {
        let poller = poller();
        let waiters = [(); 2].map(|()| in_thread(&poller, |poller| status(wait(poller, Timeout::Forever))));
        poller.close();
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap(), Status::Closed);
        }
    });
}

#[test]
fn what_comes_is_reported() {
    explore(3, || {
        let poller = poller();
        let (socket, file) = Socket::new();
        let waiter = in_thread(&poller, |poller| wait(poller, Timeout::Forever).unwrap());
        poller.add(&socket, Interest::READABLE, 7).unwrap();
        file.arrive();
        assert_eq!(waiter.join().unwrap(), [7]);
        // And again, as long as it lasts.
        assert_eq!(wait(&poller, Timeout::None).unwrap(), [7]);
    });
}

#[test]
fn a_socket_that_closes_as_it_is_added_does_not_stay_in_the_poller() {
    explore(3, || {
        let poller = poller();
        let (socket, file) = Socket::new();
        // A call that is under way, so that the end of the last one does not do the work.
        let _held = socket.endpoint().unwrap();
        let socket = Arc::new(socket);
        let adder = in_thread(&poller, {
            let socket = socket.clone();
            move |poller| status(poller.add(&*socket, Interest::READABLE, 1))
        });
        socket.abort();
        let answer = adder.join().unwrap();
        assert!([Status::Ok, Status::Closed].contains(&answer), "{answer:?}");
        assert!(!file.is_watched());
    });
}

#[test]
fn an_event_of_one_that_was_removed_is_not_the_next_ones() {
    explore(3, || {
        let poller = poller();
        let (first, file) = Socket::new();
        let (second, _quiet) = Socket::new();
        poller.add(&first, Interest::READABLE, 1).unwrap();
        file.arrive();
        let waiter = in_thread(&poller, |poller| wait(poller, Timeout::None).unwrap_or_default());
        poller.remove(&first).unwrap();
        poller.add(&second, Interest::READABLE, 2).unwrap();
        let events = waiter.join().unwrap();
        assert!(events.is_empty() || events == [1], "{events:?}");
        assert_eq!(status(wait(&poller, Timeout::None)), Status::WouldBlock);
    });
}

/// As the workers of a service wait for what is due next.
#[test]
fn moving_the_clock_wakes_who_follows_it() {
    const AFTER: Duration = Duration::from_secs(1);
    explore(3, || {
        let clock = Clock::manual();
        let poller = poller();
        let due = clock.now() + AFTER;
        clock.follow({
            let poller = poller.clone();
            move || poller.wake().is_ok()
        });
        let waiter = in_thread(&poller, {
            let clock = clock.clone();
            move |poller| {
                while clock.now() < due {
                    let patience = clock.patience(due).map_or(Timeout::Forever, Timeout::from);
                    let _ = wait(poller, patience);
                }
            }
        });
        clock.advance(AFTER).unwrap();
        waiter.join().unwrap();
    });
}

use super::connection::{Connection, Wish};
use super::headcount::Headcount;
use super::mailbox::{Mailbox, Order, enter_thread};
use crate::clock::Clock;
use crate::deadline::Deadline;
use crate::error::Status;
use crate::models::explore;
use crate::socket::Socket;
use crate::sys::File;
use crate::{PollerOptions, Timeout};
use loom::thread;
use std::sync::Arc;

fn mailbox() -> Arc<Mailbox> {
    Arc::new(Mailbox::new(PollerOptions::default()).unwrap())
}

/// What the loop of a worker does with a mailbox: follows orders until `look` says that it is done, and waits between them.
fn work(mailbox: &Arc<Mailbox>, mut look: impl FnMut(&[Order], Option<Deadline>) -> bool) {
    enter_thread(mailbox, 1);
    loop {
        if let Some(orders) = mailbox.take() {
            for order in &orders.list {
                if let Order::Look(connection) = order {
                    connection.answered();
                }
            }
            if look(&orders.list, orders.stop) {
                return;
            }
        }
        let _ = mailbox.poller.wait_each(4, Timeout::Forever, |_: crate::poller::Event| {});
    }
}

#[test]
fn a_wish_is_seen_whatever_was_asked_before() {
    explore(2, || {
        let mailbox = mailbox();
        let connection = Connection::new(Socket::new().0, &mailbox, 0, &Clock::system());
        let sender = thread::spawn({
            let connection = connection.clone();
            // Or it is closed already.
            move || drop(connection.send(b"x", Timeout::None))
        });
        let closer = thread::spawn({
            let connection = connection.clone();
            move || connection.close()
        });
        work(&mailbox, |orders, _| !orders.is_empty() && connection.wish() == Wish::Close);
        sender.join().unwrap();
        closer.join().unwrap();
    });
}

#[test]
fn a_lack_of_room_is_seen_whatever_was_asked_before() {
    explore(2, || {
        let mailbox = mailbox();
        let connection = Connection::new(Socket::with(File::default(), 2).0, &mailbox, 0, &Clock::system());
        // There is room for the one or the other.
        let senders = [&b"x"[..], b"xy"].map(|data| {
            let connection = connection.clone();
            thread::spawn(move || drop(connection.try_send(data)))
        });
        work(&mailbox, |_, _| connection.take_lack_of_room());
        for sender in senders {
            sender.join().unwrap();
        }
    });
}

#[test]
fn an_order_to_stop_is_seen() {
    explore(3, || {
        let mailbox = mailbox();
        let stopper = thread::spawn({
            let mailbox = mailbox.clone();
            move || mailbox.order_stop(Deadline::Now)
        });
        work(&mailbox, |_, stop| stop.is_some());
        stopper.join().unwrap();
    });
}

#[test]
fn every_order_is_found() {
    explore(2, || {
        let mailbox = mailbox();
        let posters = [0, 1].map(|slot| {
            let mailbox = mailbox.clone();
            let connection = Connection::new(Socket::new().0, &mailbox, slot, &Clock::system());
            thread::spawn(move || assert!(mailbox.post(Order::Look(connection)).is_ok()))
        });
        let mut found = 0;
        work(&mailbox, |orders, _| {
            found += orders.len();
            found == 2
        });
        for poster in posters {
            poster.join().unwrap();
        }
    });
}

#[test]
fn nothing_is_left_in_the_mailbox_of_a_worker_that_has_left() {
    explore(3, || {
        let mailbox = mailbox();
        let (socket, _file) = Socket::new();
        let acceptor = thread::spawn({
            let mailbox = mailbox.clone();
            move || mailbox.post(Order::Serve(Box::new(socket))).is_err()
        });
        let found = mailbox.close().list.len();
        let given_back = acceptor.join().unwrap();
        assert_eq!(found, usize::from(!given_back));
        assert!(mailbox.take().is_none_or(|orders| orders.list.is_empty()));
    });
}

#[test]
fn aborting_connections_ends_what_waits_on_one() {
    explore(2, || {
        let mailbox = mailbox();
        let connection = Connection::new(Socket::new().0, &mailbox, 0, &Clock::system());
        let endpoint = connection.socket().endpoint().unwrap();
        mailbox.enter(&connection);
        let waiter = thread::spawn(move || {
            let wanted = crate::sys::Readiness { readable: true, ..Default::default() };
            endpoint.wait_ready(wanted, Deadline::Never).unwrap_err().status()
        });
        mailbox.abort_connections();
        assert_eq!(waiter.join().unwrap(), Status::Closed);
    });
}

#[test]
fn whoever_comes_while_connections_are_aborted_is_aborted_too() {
    explore(2, || {
        let mailbox = mailbox();
        let connection = Connection::new(Socket::new().0, &mailbox, 0, &Clock::system());
        let worker = thread::spawn({
            let (mailbox, connection) = (mailbox.clone(), connection.clone());
            move || mailbox.enter(&connection)
        });
        mailbox.abort_connections();
        worker.join().unwrap();
        assert_eq!(connection.socket().endpoint().err().map(|error| error.status()), Some(Status::Closed));
    });
}

#[test]
fn who_waits_for_the_workers_hears_when_the_last_leaves() {
    explore(2, || {
        let workers = Arc::new(Headcount::default());
        let threads = [(); 2].map(|()| {
            workers.enter();
            let workers = workers.clone();
            thread::spawn(move || workers.leave())
        });
        assert!(workers.wait_until_all_left(Deadline::Never));
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

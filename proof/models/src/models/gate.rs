use super::explore;
use crate::deadline::Deadline;
use crate::endpoint::Endpoint;
use crate::error::{Result, Status};
use crate::gate::Gate;
use crate::sys::{Readiness, Stream};
use loom::thread;
use std::sync::Arc;

fn status<T>(answer: Result<T>) -> Status {
    answer.err().map_or(Status::Ok, |error| error.status())
}

/// A wait that nobody ended is a deadlock, which loom reports.
#[test]
fn shutting_ends_a_wait_that_begins_meanwhile() {
    explore(3, || {
        let gate = Arc::new(Gate::default());
        let waiter = thread::spawn({
            let gate = gate.clone();
            move || status(gate.wait(|waker| waker.wait()))
        });
        gate.shut();
        assert_eq!(waiter.join().unwrap(), Status::Closed);
        assert_eq!(status(gate.check()), Status::Closed);
    });
}

#[test]
fn shutting_ends_every_wait() {
    explore(2, || {
        let gate = Arc::new(Gate::default());
        let waiters = [(); 2].map(|()| {
            let gate = gate.clone();
            thread::spawn(move || status(gate.wait(|waker| waker.wait())))
        });
        gate.shut();
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap(), Status::Closed);
        }
    });
}

#[test]
fn closing_an_endpoint_ends_a_wait_for_data() {
    explore(3, || {
        let endpoint = Arc::new(Endpoint::new(Stream::default()));
        let waiter = thread::spawn({
            let endpoint = endpoint.clone();
            move || {
                status(
                    endpoint
                        .wait_ready(Readiness { readable: true, ..Readiness::default() }, Deadline::Never),
                )
            }
        });
        endpoint.close();
        assert_eq!(waiter.join().unwrap(), Status::Closed);
    });
}

#[test]
fn data_ends_a_wait_for_it() {
    explore(3, || {
        let endpoint = Arc::new(Endpoint::new(Stream::default()));
        let waiter = thread::spawn({
            let endpoint = endpoint.clone();
            move || {
                status(
                    endpoint
                        .wait_ready(Readiness { readable: true, ..Readiness::default() }, Deadline::Never),
                )
            }
        });
        endpoint.source().0.arrive();
        assert_eq!(waiter.join().unwrap(), Status::Ok);
    });
}

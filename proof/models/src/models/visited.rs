use super::explore;
use crate::deadline::Deadline;
use crate::error::Status;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::visited::Visited;
use loom::thread;
use std::sync::Arc;

/// Nobody loses both: the work, and the word that it could be done now.
#[test]
fn who_is_turned_away_by_a_visitor_is_not_forgotten() {
    explore(3, || {
        let visited = Arc::new(Visited::new(()));
        // Where the model may have the other thread run: before an attempt to lock, and in the middle of a visit.
        let pause = Arc::new(AtomicBool::new(false));
        let visitor = thread::spawn({
            let (visited, pause) = (visited.clone(), pause.clone());
            move || visited.visit(|_| pause.store(true, Ordering::Relaxed))
        });
        pause.store(true, Ordering::Relaxed);
        let worked = visited.lock_until(Deadline::Now).map(drop);
        let visit = visitor.join().unwrap();
        if let Err(expiry) = worked {
            assert_eq!((expiry, visit), (Status::WouldBlock, Some(((), true))));
            assert!(visited.has_turned_away());
        }
    });
}

/// Whether it comes back or is shut first: nobody is left waiting.
#[test]
fn who_waits_while_somebody_has_stepped_out_hears_the_end_of_it() {
    explore(3, || {
        let visited = Arc::new(Visited::new(0));
        let waiter = thread::spawn({
            let visited = visited.clone();
            move || visited.lock_until(Deadline::Never).map(|value| *value)
        });
        let worked =
            visited.lock_until(Deadline::Never).map(|mut working| working.step_out(|value| *value += 1));
        assert_eq!(worked, Ok(()));
        assert!(matches!(waiter.join().unwrap(), Ok(0 | 1)));
    });
}

#[test]
fn who_waits_while_somebody_has_stepped_out_is_sent_away_when_it_is_shut() {
    explore(3, || {
        let visited = Arc::new(Visited::new(()));
        let mut working = visited.lock_until(Deadline::Never).unwrap();
        working.step_out(|()| {
            let waiter = thread::spawn({
                let visited = visited.clone();
                move || visited.lock_until(Deadline::Never).map(drop)
            });
            visited.shut();
            assert_eq!(waiter.join().unwrap(), Err(Status::Closed));
        });
    });
}

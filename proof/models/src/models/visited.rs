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

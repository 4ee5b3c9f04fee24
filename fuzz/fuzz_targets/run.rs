//! Calls by several threads, in any order, and that nothing of them is left behind.

use crate::calls::Handles;
use arbitrary::Arbitrary;
use moorline::fuzzing::c;
use std::path::PathBuf;
use std::sync::{LazyLock, OnceLock};
use std::time::{Duration, Instant};

/// What is called, with what.
pub trait Make {
    fn make(&self, handles: &Handles);
}

#[derive(Arbitrary, Debug)]
pub struct Run<C> {
    threads: [Vec<C>; 3],
}

/// Where the plain names are, and recordings, for this process alone.
static PLACE: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    let place = tempfile::tempdir().expect("a directory for names");
    // SAFETY: nothing else runs yet: the first input is still being read.
    unsafe { std::env::set_var("TMPDIR", place.path()) };
    place
});

pub fn begin() {
    LazyLock::force(&PLACE);
}

/// A file for a recording, one of a few.
pub fn recording(which: u8) -> PathBuf {
    PLACE.path().join(format!("recording{}", which % 3))
}

/// What the process has open, and how many threads.
struct Held {
    descriptors: Vec<PathBuf>,
    threads: usize,
}

/// What it had after the first run.
static HELD: OnceLock<Held> = OnceLock::new();

impl Held {
    fn now() -> Held {
        let entries = |of| std::fs::read_dir(of).expect("read what the process has").flatten();
        let links = entries("/proc/self/fd").filter_map(|entry| std::fs::read_link(entry.path()).ok());
        // Pipes aside: the fuzzer has them to what it asks for the names of functions, and the library has none.
        let descriptors = links.filter(|link| !link.to_string_lossy().starts_with("pipe:")).collect();
        Held { descriptors, threads: entries("/proc/self/task").count() }
    }
}

impl<C: Make + Sync> Run<C> {
    pub fn perform(&self) {
        let handles = Handles::default();
        std::thread::scope(|scope| {
            let work = |calls: &Vec<C>| calls.iter().take(64).for_each(|call| call.make(&handles));
            let threads = self.threads.each_ref().map(|calls| scope.spawn(move || work(calls)));
            // The end of the scope would not wait for what threads drop as they end.
            threads.into_iter().for_each(|thread| thread.join().expect("calls don't panic"));
        });
        handles.destroy_all();
        let mut alive = usize::MAX;
        // SAFETY: the output is there.
        assert_eq!(
            (unsafe { c::moorline_live_handles(&mut alive) }, alive),
            (0, 0),
            "something was left behind"
        );
        // They are the caller's.
        (0..3).for_each(|which| drop(std::fs::remove_file(recording(which))));
        let left: Vec<_> = std::fs::read_dir(PLACE.path()).expect("read the directory").collect();
        assert!(left.is_empty(), "{left:?}");
        let first = HELD.get_or_init(Held::now);
        let begun = Instant::now();
        loop {
            let held = Held::now();
            let descriptors = &held.descriptors;
            assert!(
                descriptors.len() == first.descriptors.len(),
                "descriptors were left open: {descriptors:?}, not {:?}",
                first.descriptors
            );
            // The system may count one that was joined for a moment more, also in the first run.
            if held.threads <= first.threads {
                break;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "threads were left: {}, not {} at most",
                held.threads,
                first.threads
            );
            std::thread::yield_now();
        }
    }
}

//! The C ABI, called by several threads with any handles, lengths, options and numbers, in any order. Only what C cannot get wrong
//! without being wrong about its own memory is right: buffers are as long as is said, and descriptors are the caller's.
#![no_main]

mod calls;

use arbitrary::Arbitrary;
use calls::{Call, Handles};
use libfuzzer_sys::fuzz_target;
use moorline::fuzzing::c;
use std::path::PathBuf;
use std::sync::{LazyLock, OnceLock};

#[derive(Arbitrary, Debug)]
struct Run {
    threads: [Vec<Call>; 3],
}

/// Where the plain names are, for this process alone.
static PLACE: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    let place = tempfile::tempdir().expect("a directory for names");
    // SAFETY: nothing else runs yet: the first input is still being read.
    unsafe { std::env::set_var("TMPDIR", place.path()) };
    place
});

/// What is open after the first run.
static DESCRIPTORS: OnceLock<Vec<PathBuf>> = OnceLock::new();

/// Pipes aside: the fuzzer has them to what it asks for the names of functions, and the library has none.
fn descriptors() -> Vec<PathBuf> {
    let entries = std::fs::read_dir("/proc/self/fd").expect("read the descriptors");
    let links = entries.flatten().filter_map(|entry| std::fs::read_link(entry.path()).ok());
    links.filter(|link| !link.to_string_lossy().starts_with("pipe:")).collect()
}

fuzz_target!(init: { LazyLock::force(&PLACE); }, |run: Run| {
    let handles = Handles::default();
    std::thread::scope(|scope| {
        let work = |calls: &Vec<Call>| calls.iter().take(64).for_each(|call| call.make(&handles));
        let threads = run.threads.each_ref().map(|calls| scope.spawn(move || work(calls)));
        // The end of the scope would not wait for what threads drop as they end.
        threads.into_iter().for_each(|thread| thread.join().expect("calls don't panic"));
    });
    handles.destroy_all();
    let mut alive = usize::MAX;
    // SAFETY: the output is there.
    assert_eq!((unsafe { c::moorline_live_handles(&mut alive) }, alive), (0, 0), "something was left behind");
    let left: Vec<_> = std::fs::read_dir(PLACE.path()).expect("read the directory").collect();
    assert!(left.is_empty(), "{left:?}");
    let open = descriptors();
    let first = DESCRIPTORS.get_or_init(|| open.clone());
    assert!(open.len() == first.len(), "descriptors were left open: {open:?}, not {first:?}");
});

//! Which processors the two sides run on; `placement.hpp` says why.

use crate::{checked, fail};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// Where the two sides run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// A processor for each side.
    Apart,
    /// One for both.
    Together,
    /// As the kernel likes.
    Free,
}

impl Placement {
    /// By its name.
    pub fn named(name: &str) -> Placement {
        match name {
            "apart" => Placement::Apart,
            "together" => Placement::Together,
            "free" => Placement::Free,
            _ => fail(format_args!("unknown placement: {name}")),
        }
    }

    /// The first two processors that the process may use; the same twice if there is but one.
    pub fn processors() -> [usize; 2] {
        let allowed = checked(sched_getaffinity(Pid::from_raw(0)), "sched_getaffinity");
        let mut all = (0..CpuSet::count()).filter(|processor| allowed.is_set(*processor).unwrap_or(false));
        let first = all.next().unwrap_or(0);
        [first, all.next().unwrap_or(first)]
    }

    /// Starts the server's threads, then makes this thread the clients'.
    pub fn run_server<T>(self, start: impl FnOnce() -> T) -> T {
        if self == Placement::Free {
            return start();
        }
        let processors = Placement::processors();
        stay_on(processors[0]);
        let server = start();
        stay_on(processors[usize::from(self == Placement::Apart)]);
        server
    }
}

/// Keeps this thread, and those that it starts from now on, on one processor.
pub fn stay_on(processor: usize) {
    let mut chosen = CpuSet::new();
    checked(chosen.set(processor), "choose a processor");
    checked(sched_setaffinity(Pid::from_raw(0), &chosen), "sched_setaffinity");
}

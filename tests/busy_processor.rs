//! Where somebody else always wants the processor, who looks again before sleeping does not hand it over each time: that would take a
//! slice of the scheduler's, some milliseconds, for each look.

mod support;

use moorline::{BusyPoll, Event, Poller, PollerOptions, Socket, SocketOptions, Status, Timeout};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::fs;
use std::hint::spin_loop;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use support::*;

const LOOKS: u32 = 300;
const LOOK: Duration = Duration::from_micros(50);

/// Runs `test` on one processor, which another thread always wants, too.
fn beside_a_rival(test: impl FnOnce()) {
    let allowed = sched_getaffinity(None).unwrap();
    let processor = (0..CpuSet::MAX_CPU).find(|number| allowed.is_set(*number)).unwrap();
    let mut one = CpuSet::new();
    one.set(processor);
    sched_setaffinity(None, &one).unwrap();
    let (rival_runs, test_is_over) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        // It may run where this thread may.
        scope.spawn(|| {
            rival_runs.store(true, Ordering::Relaxed);
            while !test_is_over.load(Ordering::Relaxed) {
                spin_loop();
            }
        });
        let _set_even_by_a_panic = SetAtEnd(&test_is_over);
        until(|| rival_runs.load(Ordering::Relaxed));
        test();
    });
}

struct SetAtEnd<'a>(&'a AtomicBool);

impl Drop for SetAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// How often this thread has lost the processor. proc(5), status.
fn switches() -> u32 {
    let status = fs::read_to_string("/proc/thread-self/status").unwrap();
    let count = |line: &str| line.split_once("ctxt_switches:")?.1.trim().parse::<u32>().ok();
    let counts: Vec<u32> = status.lines().filter_map(count).collect();
    assert_eq!(counts.len(), 2, "voluntary and not: {status}");
    counts.iter().sum()
}

/// How often it loses the processor with so many looks.
fn lost(mut look: impl FnMut()) -> u32 {
    let before = switches();
    (0..LOOKS).for_each(|_| look());
    switches() - before
}

#[test]
fn who_keeps_the_processor_is_not_offered_it_for_each_look() {
    // Each look is as long as it may be, however often it was in vain.
    let busy_poll = BusyPoll::For(Duration::from_secs(3600));
    let poller = Poller::new(PollerOptions { busy_poll, ..PollerOptions::default() }).unwrap();
    let options = SocketOptions { busy_poll, ..SocketOptions::default() };
    let (socket, _peer) = Socket::pair(&options).unwrap();
    let look = || status(poller.look(&mut [Event::default(); 8], LOOK));
    let wait = || status(poller.wait(&mut [Event::default(); 8], Timeout::After(LOOK)));
    let receive = || status(socket.receive(&mut [0; 8], Timeout::After(LOOK)));
    let calls: [(&str, &dyn Fn() -> Status); 3] = [("look", &look), ("wait", &wait), ("receive", &receive)];
    beside_a_rival(|| {
        let offering_each_time = lost(|| {
            let begun = Instant::now();
            while begun.elapsed() < LOOK {}
            thread::yield_now();
        });
        if offering_each_time < LOOKS / 2 {
            eprintln!("nothing is proved: {LOOKS} offers lost the processor {offering_each_time} times only");
        }
        for (name, call) in calls {
            let lost = lost(|| assert_eq!(call(), Status::TimedOut, "{name}"));
            assert!(lost < LOOKS / 2, "{name}: {lost} times in {LOOKS} looks");
        }
    });
}

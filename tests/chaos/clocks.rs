//! Somebody sets the time of day. No wait may end by it, or last longer.
//!
//! The kernel answers for that: a process that it kills for any wait by the time of day waits in every way there is. To step the
//! clock itself is another matter, as it is the whole machine's: that is done only where `MOORLINE_CHAOS_CLOCK_STEP` says by how many seconds.

#![allow(unsafe_code)]

use super::number;
use super::role::Actor;
use super::support::WATCHDOG;
use super::waits::each_lasts_its_time;
use moorline::{Service, ServiceOptions, Socket, SocketOptions, Status};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Every wait, and what a service ends by itself.
fn wait_in_every_way(place: &Path) {
    each_lasts_its_time(&|call| call());
    const IDLE: Duration = Duration::from_millis(30);
    let service =
        Service::echo(ServiceOptions { idle_timeout: Some(IDLE), ..ServiceOptions::default() }).unwrap();
    service.start(place.join("idle")).unwrap();
    let begun = Instant::now();
    let client = Socket::connect(place.join("idle"), &SocketOptions::default(), WATCHDOG).unwrap();
    let answer = client.receive(&mut [0], WATCHDOG);
    assert_eq!(answer.map_err(|error| error.status()), Err(Status::Disconnected));
    assert!(begun.elapsed() >= IDLE, "it was idle for {:?} only", begun.elapsed());
    service.stop(WATCHDOG).unwrap();
}

/// Has the kernel kill this process when it waits by the time of day.
fn forbid_the_time_of_day() {
    // seccomp_data, seccomp(2): the number of the call, then from byte 16 its arguments of eight bytes each.
    const NUMBER: u32 = 0;
    const fn argument(index: u32, upper: bool) -> u32 {
        16 + 8 * index + if upper != cfg!(target_endian = "big") { 4 } else { 0 }
    }
    const LOAD: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    const EQUALS: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    const HAS: u32 = libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K;
    const ANSWER: u32 = libc::BPF_RET | libc::BPF_K;
    let statement = |code: u32, k: u32| libc::sock_filter { code: code as u16, jt: 0, jf: 0, k };
    let jump = |code: u32, k: u32, jt: u8, jf: u8| libc::sock_filter { code: code as u16, jt, jf, k };
    let mut filter = [
        statement(LOAD, NUMBER),
        // 1: a futex whose time, if it has one, is of the time of day; pthread_join(3) says that of no time.
        jump(EQUALS, libc::SYS_futex as u32, 0, 6),
        statement(LOAD, argument(1, false)),
        jump(HAS, libc::FUTEX_CLOCK_REALTIME as u32, 0, 9),
        statement(LOAD, argument(3, false)),
        jump(EQUALS, 0, 0, 8),
        statement(LOAD, argument(3, true)),
        jump(EQUALS, 0, 5, 6),
        // 8: sleeps and timers
        jump(EQUALS, libc::SYS_clock_nanosleep as u32, 2, 0),
        jump(EQUALS, libc::SYS_timerfd_create as u32, 1, 0),
        jump(EQUALS, libc::SYS_timer_create as u32, 0, 2),
        statement(LOAD, argument(0, false)),
        jump(EQUALS, libc::CLOCK_REALTIME as u32, 1, 0),
        // 13: allowed, 14: killed
        statement(ANSWER, libc::SECCOMP_RET_ALLOW),
        statement(ANSWER, libc::SECCOMP_RET_KILL_PROCESS),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: the program is alive for the call; what it forbids is what the process wants.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        let answer = libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program);
        assert_eq!(answer, 0, "{}", std::io::Error::last_os_error());
    }
}

pub fn wait_without_the_time_of_day(place: &Path) {
    forbid_the_time_of_day();
    // Threads of its own are under it, too.
    wait_in_every_way(place);
}

/// What must kill it, or the filter says nothing: a sleep, and a wait for a lock.
pub fn wait_by_the_time_of_day(place: &Path) {
    forbid_the_time_of_day();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let until = timespec(now);
    // SAFETY: times, a number and a semaphore that are alive.
    unsafe {
        if place.ends_with("sleep") {
            let absolute = libc::TIMER_ABSTIME;
            libc::clock_nanosleep(libc::CLOCK_REALTIME, absolute, &raw const until, std::ptr::null_mut());
        } else {
            let word = 0_u32;
            let wait = libc::FUTEX_WAIT_BITSET | libc::FUTEX_CLOCK_REALTIME;
            let (until, none) = (&raw const until, std::ptr::null::<u32>());
            libc::syscall(
                libc::SYS_futex,
                &raw const word,
                wait,
                0,
                until,
                none,
                libc::FUTEX_BITSET_MATCH_ANY,
            );
        }
    }
}

#[test]
fn every_wait_works_for_whom_the_kernel_forbids_the_time_of_day() {
    let place = tempfile::tempdir().unwrap();
    for way in ["sleep", "futex"] {
        let (status, said) = Actor::start("wait by the time of day", &place.path().join(way)).end();
        assert_eq!(status.signal(), Some(libc::SIGSYS), "a {way} by the time of day is not found: {said}");
    }
    Actor::start("wait without the time of day", place.path()).ends_well();
}

fn timespec(time: Duration) -> libc::timespec {
    libc::timespec { tv_sec: time.as_secs() as libc::time_t, tv_nsec: time.subsec_nanos().into() }
}

/// The time of day, which is what it would have been when this is dropped.
struct TimeOfDay {
    began: Duration,
    since: Instant,
}

impl TimeOfDay {
    fn step(&self, forward: bool, seconds: u64) -> io::Result<()> {
        let (now, by) = (self.began + self.since.elapsed(), Duration::from_secs(seconds));
        let time = timespec(if forward { now + by } else { now - by });
        // SAFETY: a time that is alive.
        match unsafe { libc::clock_settime(libc::CLOCK_REALTIME, &raw const time) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

impl Drop for TimeOfDay {
    fn drop(&mut self) {
        let _ = self.step(true, 0);
    }
}

#[test]
fn the_time_of_day_is_stepped_back_and_forth_while_everything_waits() {
    let Some(seconds) = number("MOORLINE_CHAOS_CLOCK_STEP") else {
        println!("skipped: MOORLINE_CHAOS_CLOCK_STEP does not say by how many seconds");
        return;
    };
    let began = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let time = TimeOfDay { began, since: Instant::now() };
    if let Err(error) = time.step(true, 0) {
        println!("skipped: the clock cannot be set: {error}");
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let stepper = scope.spawn(|| {
            let mut steps = 0;
            while !over.load(Ordering::Relaxed) {
                time.step(steps % 2 == 0, seconds).unwrap();
                steps += 1;
                std::thread::sleep(Duration::from_millis(5));
            }
            steps
        });
        let waits = scope.spawn(|| wait_in_every_way(place.path()));
        let waited = waits.join();
        over.store(true, Ordering::Relaxed);
        println!("{} steps of {seconds} seconds", stepper.join().unwrap());
        waited.unwrap();
    });
}

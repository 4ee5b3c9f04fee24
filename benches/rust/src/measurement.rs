//! What is measured of a process.

use crate::checked;
use nix::sys::resource::{UsageWho, getrusage};
use nix::time::{ClockId, clock_gettime};

/// The clock's seconds.
pub fn read_clock(clock: ClockId) -> f64 {
    let time = checked(clock_gettime(clock), "clock_gettime");
    time.tv_sec() as f64 + time.tv_nsec() as f64 * 1e-9
}

/// Time, processor time and context switches of the whole process since it began.
pub struct Measurement {
    time: f64,
    cpu_time: f64,
    switches: i64,
}

impl Measurement {
    /// Begins now.
    pub fn start() -> Measurement {
        let usage = checked(getrusage(UsageWho::RUSAGE_SELF), "getrusage");
        Measurement {
            switches: usage.voluntary_context_switches() + usage.involuntary_context_switches(),
            // Not the usage's own times, which the kernel counts in ticks.
            cpu_time: read_clock(ClockId::CLOCK_PROCESS_CPUTIME_ID),
            time: read_clock(ClockId::CLOCK_MONOTONIC),
        }
    }

    /// Ends now, as one line of JSON, which the driver reads.
    pub fn stop(self, round_trips: u64) -> String {
        let now = Measurement::start();
        format!(
            "{{\"round_trips\": {round_trips}, \"seconds\": {:.9}, \"cpu_seconds\": {:.9}, \"switches\": {}}}",
            now.time - self.time,
            now.cpu_time - self.cpu_time,
            now.switches - self.switches
        )
    }

    /// Seconds until now.
    pub fn seconds(&self) -> f64 {
        read_clock(ClockId::CLOCK_MONOTONIC) - self.time
    }
}

/// Resident memory of this process.
pub fn resident_bytes() -> u64 {
    let text = checked(std::fs::read_to_string("/proc/self/statm"), "/proc/self/statm");
    let pages: u64 = text.split(' ').nth(1).and_then(|field| field.parse().ok()).unwrap_or(0);
    // What the kernel counts by on the machines that this is for.
    pages * 4096
}

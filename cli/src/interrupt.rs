//! Being asked to end: by Ctrl-C, or by another process with SIGTERM or SIGHUP.

use crate::failure::{Answer, Failure};
use moorline::{Status, Timeout};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

/// What a command waits for: an interrupt, or something of its own that it sends itself.
pub struct Ending {
    pub sender: Sender<()>,
    pub receiver: Receiver<()>,
}

impl Ending {
    /// Stops by `stop`, which may take so long; another interrupt makes it stop at once.
    pub fn stop<T: Send>(
        &self,
        linger: Duration,
        stop: impl Fn(Timeout) -> moorline::Result<T> + Sync,
    ) -> moorline::Result<T> {
        let (sender, stopped) = (&self.sender, AtomicBool::new(false));
        thread::scope(|threads| {
            let stopping = threads.spawn(|| {
                let answer = stop(Timeout::After(linger));
                stopped.store(true, Ordering::Release);
                // The other end is here still.
                let _ = sender.send(());
                answer
            });
            let mut at_once = None;
            while !stopped.load(Ordering::Acquire) {
                // There is a sender here.
                let _ = self.receiver.recv();
                if !stopped.load(Ordering::Acquire) {
                    at_once = at_once.or(stop(Timeout::None).ok());
                }
            }
            // It does not panic. Of two that stop the same, one has the answer.
            let answer = stopping.join().unwrap_or(Err(Status::Internal.into()));
            answer.or_else(|error| at_once.ok_or(error))
        })
    }
}

/// Interrupts end the process no more, but arrive here. Once in a process.
pub fn watch() -> Answer<Ending> {
    let (sender, receiver) = mpsc::channel();
    let interrupted = sender.clone();
    on_interrupt(move || {
        // Nobody waits any more when the command is ending already.
        let _ = interrupted.send(());
    })?;
    Ok(Ending { sender, receiver })
}

/// Interrupts end the process no more, but are counted. Once in a process.
pub fn defer() -> Answer {
    on_interrupt(|| ())
}

/// How many have come of those that end the process no more.
pub fn count() -> usize {
    COUNT.load(Ordering::Relaxed)
}

static COUNT: AtomicUsize = AtomicUsize::new(0);

/// Interrupts end the process no more, but are counted and then call this, on a thread of its own. Those that the process was started to
/// ignore, as nohup and a shell's background have it, are ignored still.
fn on_interrupt(mut call: impl FnMut() + Send + 'static) -> Answer {
    let ignored = ignored();
    let watched = [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| ignored & 1 << (signal - 1) == 0);
    let mut signals = Signals::new(watched).map_err(Failure::system("watch for an interrupt"))?;
    thread::spawn(move || {
        for _ in signals.forever() {
            COUNT.fetch_add(1, Ordering::Relaxed);
            call();
        }
    });
    Ok(())
}

/// Has children stay until they are waited for, also in a process that was started to ignore their ends, whose children go at once and
/// leave their numbers to others: wait(2). Children do not inherit what is caught.
pub fn keep_children() -> Answer {
    let caught = signal_hook::flag::register(SIGCHLD, Arc::default());
    caught.map(drop).map_err(Failure::system("keep the children"))
}

/// The signals that this process ignores, a bit each from the first on: proc(5).
fn ignored() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

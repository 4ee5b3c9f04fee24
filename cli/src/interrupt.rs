//! Being asked to end: by Ctrl-C, or by another process with SIGTERM or SIGHUP.

use crate::failure::{Answer, Failure};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::fs;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

/// What a command waits for: an interrupt, or something of its own that it sends itself.
pub struct Ending {
    pub sender: Sender<()>,
    pub receiver: Receiver<()>,
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

/// Interrupts end the process no more, but call this, on a thread of its own. Once in a process. Those that the process was started to
/// ignore, as nohup and a shell's background have it, are ignored still.
pub fn on_interrupt(mut call: impl FnMut() + Send + 'static) -> Answer {
    let ignored = ignored();
    let watched = [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| ignored & 1 << (signal - 1) == 0);
    let mut signals = Signals::new(watched).map_err(Failure::system("watch for an interrupt"))?;
    thread::spawn(move || signals.forever().for_each(|_| call()));
    Ok(())
}

/// The signals that this process ignores, a bit each from the first on: proc(5).
fn ignored() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

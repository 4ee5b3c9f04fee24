//! Being asked to end: by Ctrl-C, or by another process with SIGTERM or SIGHUP.

use crate::failure::{Answer, Failure};
use std::sync::mpsc::{self, Receiver, Sender};

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

/// Interrupts end the process no more, but call this, on a thread of its own. Once in a process.
pub fn on_interrupt(call: impl FnMut() + Send + 'static) -> Answer {
    ctrlc::set_handler(call).map_err(|error| Failure::Error(format!("watch for an interrupt: {error}")))
}

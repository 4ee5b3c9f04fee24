//! What is said on the standard error: nobody waits for whoever reads it, but at the end.

use crate::interrupt;
use crate::output::visible;
use crate::pipe::{PIECE, write};
use std::io;
use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// What was said on the standard error and has not been written there.
struct Said {
    text: Vec<u8>,
    /// So much was said after that for which there is no room.
    left_out: u64,
    /// There is a thread that writes.
    writing: bool,
    /// Pieces that it has written, ever.
    written: u64,
    /// It has found no room for the next one.
    full: bool,
    /// It was waited for in vain, and has not come further.
    stuck: bool,
    /// An interrupt came while it was waited for: from now on it is only where there is room.
    given_up: bool,
}

static SAID: Mutex<Said> = Mutex::new(Said::NOTHING);
static WRITTEN: Condvar = Condvar::new();
/// So many bytes are kept for whoever reads the standard error: far more than comes at once. Beyond them nobody reads it.
const KEPT: usize = 16 << 20;
/// So long it is waited at the end until somebody reads some of them.
const PATIENCE: Duration = Duration::from_secs(2);

impl Said {
    const NOTHING: Said = Said {
        text: Vec::new(),
        left_out: 0,
        writing: false,
        written: 0,
        full: false,
        stuck: false,
        given_up: false,
    };

    fn add(&mut self, text: &str) {
        if self.text.len() < KEPT {
            self.text.extend_from_slice(text.as_bytes());
            self.text.push(b'\n');
        } else {
            self.left_out += 1;
        }
    }

    /// What is to be written next, with a word of what is missing after it.
    fn take(&mut self) -> Vec<u8> {
        let mut text = mem::take(&mut self.text);
        match mem::take(&mut self.left_out) {
            0 => {}
            count => text.extend(
                format!("moorline: {count} messages that nobody read in time are left out here\n").bytes(),
            ),
        }
        text
    }
}

fn said() -> MutexGuard<'static, Said> {
    SAID.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says something on the standard error, as a line, and does not wait until somebody reads it. Nobody can be told that nobody listens
/// there.
pub fn tell(text: &str) {
    let mut said = said();
    said.add(text);
    if !mem::replace(&mut said.writing, true) {
        drop(said);
        if thread::Builder::new().spawn(write_said).is_err() {
            write_said();
        }
    }
}

/// Says what is the matter, as one line: it has names in it, and words of files and of the system, that others chose.
pub fn complain(what: &str) {
    tell(&format!("moorline: {}", visible(what)));
}

fn write_said() {
    let mut now = said();
    while !now.text.is_empty() {
        let text = now.take();
        for piece in text.chunks(PIECE) {
            drop(now);
            let _ = write(io::stderr(), piece, || {
                said().full = true;
                WRITTEN.notify_all();
                true
            });
            now = said();
            now.written += 1;
            (now.full, now.stuck) = (false, false);
            WRITTEN.notify_all();
        }
    }
    now.writing = false;
    WRITTEN.notify_all();
}

/// Waits until what was said has been written; where somebody has to read it first, not for ever, nor after an interrupt.
pub fn finish() {
    let interrupts = interrupt::count();
    let mut said = said();
    while said.writing && !said.stuck && !(said.given_up && said.full) {
        let before = said.written;
        let waited = WRITTEN.wait_timeout_while(said, PATIENCE, |said| {
            said.writing && said.written == before && !(said.given_up && said.full)
        });
        said = waited.unwrap_or_else(PoisonError::into_inner).0;
        said.stuck = said.writing && said.written == before;
        said.given_up |= interrupt::count() != interrupts;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_there_is_no_room_for_is_told_to_be_missing_where_it_is() {
        let mut said = Said::NOTHING;
        said.add(&"x".repeat(KEPT));
        said.add("lost");
        said.add("lost");
        let text = String::from_utf8(said.take()).unwrap();
        assert_eq!(
            text.split_once('\n').unwrap().1,
            "moorline: 2 messages that nobody read in time are left out here\n"
        );
        said.add("kept");
        assert_eq!(said.take(), b"kept\n");
    }
}

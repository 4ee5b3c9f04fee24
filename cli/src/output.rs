//! The standard output: tables and JSON, without a fuss when the reader leaves.

use crate::failure::{Answer, Failure};
use crate::interrupt;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use serde_json::Value;
use std::ffi::OsStr;
use std::io;
use std::mem;
use std::os::fd::AsFd;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Prints a text and sees that it gets there. A reader that has left has seen enough, which is no failure: what the command has to do
/// still, and its exit code, are the same.
pub fn print(text: &str) -> Answer {
    print_to_reader(text.as_bytes()).map(drop)
}

/// Prints the name that a command listens under, as a line of just these bytes: whoever reads it connects to it.
pub fn print_name(name: &OsStr) -> Answer {
    print_to_reader(&[name.as_encoded_bytes(), b"\n"].concat()).map(drop)
}

/// Prints bytes, and tells whether there is somebody still who reads them. An interrupt that comes while it waits for whoever reads makes
/// it fail.
pub fn print_to_reader(bytes: &[u8]) -> Answer<bool> {
    // A terminal shows both, in the order in which they came.
    finish();
    let before = interrupt::count();
    match write(io::stdout(), bytes, || interrupt::count() == before) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::system("write to the standard output")(error)),
    }
}

/// Bytes that are written at a time: a pipe with room has as much, PIPE_BUF of pipe(7).
const PIECE: usize = 4096;
/// How often one who waits for room sees whether it is to wait on.
const LOOK: Duration = Duration::from_millis(50);

/// Writes all of it, also to a pipe that others have set not to wait for room. It waits nowhere else than here, and only as long as it is
/// to wait on: `Interrupted` otherwise.
fn write(output: impl AsFd, mut bytes: &[u8], waits_on: impl Fn() -> bool) -> io::Result<()> {
    while !bytes.is_empty() {
        match write_piece(&output, bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) if waits_on() => {
                match poll_for_room(&output, LOOK) {
                    // Perhaps by what ends the wait.
                    Ok(_) | Err(Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            Err(Errno::AGAIN) => return Err(io::ErrorKind::Interrupted.into()),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Writes what there is room for now.
fn write_piece(output: &impl AsFd, bytes: &[u8]) -> rustix::io::Result<usize> {
    // Both outputs may be one pipe, and who has seen room there is to find it.
    static ROOM: Mutex<()> = Mutex::new(());
    let _room = ROOM.lock().unwrap_or_else(PoisonError::into_inner);
    if poll_for_room(output, Duration::ZERO)? {
        rustix::io::write(output, &bytes[..bytes.len().min(PIECE)])
    } else {
        Err(Errno::AGAIN)
    }
}

fn poll_for_room(output: &impl AsFd, limit: Duration) -> rustix::io::Result<bool> {
    let limit = Timespec::try_from(limit).ok();
    Ok(poll(&mut [PollFd::new(output, PollFlags::OUT)], limit.as_ref())? > 0)
}

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

pub fn print_json(value: &Value) -> Answer {
    print(&format!("{value:#}\n"))
}

/// A text that others chose, for a person to read: what would move the cursor, colour the terminal or begin a line is shown as an escape,
/// and so is what is no text.
pub fn visible(text: impl AsRef<OsStr>) -> String {
    let mut visible = String::new();
    for chunk in text.as_ref().as_encoded_bytes().utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_control() {
                visible.extend(character.escape_debug());
            } else {
                visible.push(character);
            }
        }
        visible.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    visible
}

/// Prints rows below their titles, each column as wide as its widest cell. Cells that are numbers are right-aligned.
pub fn print_table(titles: &[&str], rows: &[Vec<String>]) -> Answer {
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(visible).collect()).collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([titles[column].len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..titles.len()).map(width).collect();
    let titles: Vec<String> = titles.iter().map(|&title| title.to_owned()).collect();
    let mut text = String::new();
    for row in std::iter::once(&titles).chain(&rows) {
        let mut line = String::new();
        for (cell, &width) in row.iter().zip(&widths) {
            let is_number = cell.starts_with(|first: char| first.is_ascii_digit());
            line += &if is_number { format!("{cell:>width$}") } else { format!("{cell:<width$}") };
            line += "  ";
        }
        text += line.trim_end();
        text.push('\n');
    }
    print(&text)
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

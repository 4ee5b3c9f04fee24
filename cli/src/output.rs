//! The standard output: tables and JSON, without a fuss when the reader leaves.

use crate::failure::{Answer, Failure};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, retry_on_intr};
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

/// Prints bytes, and tells whether there is somebody still who reads them.
pub fn print_to_reader(bytes: &[u8]) -> Answer<bool> {
    // A terminal shows both, in the order in which they came.
    finish();
    match write(io::stdout(), bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::system("write to the standard output")(error)),
    }
}

/// Writes all of it, also to a pipe that others have set not to wait for room.
fn write(output: impl AsFd, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(&output, bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                retry_on_intr(|| poll(&mut [PollFd::new(&output, PollFlags::OUT)], None))?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// What was said on the standard error and has not been written there.
struct Said {
    text: Vec<u8>,
    /// There is a thread that writes.
    writing: bool,
    /// It was waited for in vain, and has not come further.
    stuck: bool,
}

static SAID: Mutex<Said> = Mutex::new(Said { text: Vec::new(), writing: false, stuck: false });
static WRITTEN: Condvar = Condvar::new();
/// So many bytes are kept for whoever reads the standard error: far more than comes at once. Beyond them nobody reads it.
const KEPT: usize = 16 << 20;
/// So long it is waited at the end until somebody reads them.
const PATIENCE: Duration = Duration::from_secs(2);

fn said() -> MutexGuard<'static, Said> {
    SAID.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says something on the standard error, as a line, and does not wait until somebody reads it. Nobody can be told that nobody listens
/// there.
pub fn tell(text: &str) {
    let mut said = said();
    if said.text.len() < KEPT {
        said.text.extend_from_slice(text.as_bytes());
        said.text.push(b'\n');
    }
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
        let text = mem::take(&mut now.text);
        drop(now);
        let _ = write(io::stderr(), &text);
        now = said();
        now.stuck = false;
    }
    now.writing = false;
    WRITTEN.notify_all();
}

/// Waits until what was said has been written, but not for ever where nobody reads it.
pub fn finish() {
    let said = said();
    if !said.stuck {
        let waited = WRITTEN.wait_timeout_while(said, PATIENCE, |said| said.writing);
        let mut said = waited.unwrap_or_else(PoisonError::into_inner).0;
        said.stuck = said.writing;
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

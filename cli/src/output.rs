//! The standard output: tables and JSON, without a fuss when the reader leaves.

use crate::failure::{Answer, Failure};
use crate::pipe::write;
use crate::{diagnostics, interrupt};
use serde_json::Value;
use std::ffi::OsStr;
use std::io;

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
    diagnostics::finish();
    let before = interrupt::count();
    match write(io::stdout(), bytes, || interrupt::count() == before) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::system("write to the standard output")(error)),
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

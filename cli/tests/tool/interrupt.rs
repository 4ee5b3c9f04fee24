//! An interrupt, while something else is waited for.

use crate::support::{Place, end_of};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

#[test]
fn a_file_that_another_program_has_still_to_write_is_waited_for_until_an_interrupt() {
    let place = Place::new();
    let file = place.pipe("pipe");
    for arguments in [&["serve", "x", "--script", &file][..], &["replay", &file, "--listen", "x"]] {
        let process = place.command(arguments).stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // It has been opened there, too.
        let _writer = File::options().write(true).open(&file).unwrap();
        kill_process(Pid::from_child(&process), Signal::TERM).unwrap();
        assert_eq!(end_of(process).signal(), Some(Signal::TERM.as_raw()), "{arguments:?}");
    }
}

//! An interrupt, while something else is waited for.

use crate::support::{Place, WATCHDOG, end_of};
use rustix::fs::{Mode, OFlags, open};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::thread;
use std::time::Instant;

/// Opens a named pipe to write to, once somebody has it open to read.
fn open_when_it_is_read(pipe: &str) -> OwnedFd {
    let start = Instant::now();
    loop {
        match open(pipe, OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty()) {
            Ok(writer) => return writer,
            Err(error) => assert!(start.elapsed() < WATCHDOG, "{error}"),
        }
        thread::yield_now();
    }
}

#[test]
fn a_file_that_another_program_has_still_to_write_is_waited_for_until_an_interrupt() {
    let place = Place::new();
    let file = place.pipe("pipe");
    for arguments in [&["serve", "x", "--script", &file][..], &["replay", &file, "--listen", "x"]] {
        let process = place.command(arguments).stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let _writer = open_when_it_is_read(&file);
        kill_process(Pid::from_child(&process), Signal::TERM).unwrap();
        assert_eq!(end_of(process).signal(), Some(Signal::TERM.as_raw()), "{arguments:?}");
    }
}

#[test]
fn a_pipe_for_a_page_that_nobody_reads_yet_is_waited_for_until_an_interrupt() {
    let place = Place::new();
    let pipe = place.pipe("pipe");
    let mut command = place.command(&["exchange", "--connections", "1", "--report", &pipe]);
    let process = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    // An interrupt that comes before it waits ends it in any case.
    let status = format!("/proc/{}/status", process.id());
    let start = Instant::now();
    while !fs::read_to_string(&status).unwrap().contains("State:\tS") {
        assert!(start.elapsed() < WATCHDOG);
        thread::yield_now();
    }
    kill_process(Pid::from_child(&process), Signal::TERM).unwrap();
    assert_eq!(end_of(process).signal(), Some(Signal::TERM.as_raw()));
}

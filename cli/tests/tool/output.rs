//! The standard output, and the standard error, when nobody reads them.

use crate::support::{Place, Running, WATCHDOG, end_of, read_to_end};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::process::{Child, Stdio};
use std::thread;
use std::time::Instant;

/// Starts the tool with an output that its reader has left.
fn unread(place: &Place, arguments: &[&str]) -> Child {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    place.command(arguments).stdin(Stdio::null()).stdout(writer).stderr(Stdio::null()).spawn().unwrap()
}

/// Connects to a server that tells nobody when it listens.
fn connect_when_it_listens(place: &Place, name: &str) -> UnixStream {
    let start = Instant::now();
    loop {
        match UnixStream::connect(place.path(name)) {
            Ok(stream) => return stream,
            Err(error) => assert!(start.elapsed() < WATCHDOG, "{error}"),
        }
        thread::yield_now();
    }
}

#[test]
fn what_was_found_out_is_the_exit_code_all_the_same() {
    let place = Place::new();
    let _server = Running::serve(&place, &["echo"]);
    for (arguments, code) in [
        (&["doctor", "nobody"][..], 1),
        (&["doctor", "nobody", "--json"], 1),
        (&["doctor", "echo"], 0),
        (&["ls"], 0),
        (&["clean", "/nowhere", "--json"], 1),
        (&["exchange", "nobody", "--connections", "1"], 1),
    ] {
        assert_eq!(unread(&place, arguments).wait().unwrap().code(), Some(code), "{arguments:?}");
    }
}

#[test]
fn a_missed_expectation_counts_when_nobody_reads_of_it() {
    let place = Place::new();
    let steps = place.file("steps", "expect \"a\"");
    for (says, code) in [(b"a", 0), (b"b", 1)] {
        let mut server =
            unread(&place, &["serve", "script", "--script", &steps, "--json", "--connections", "1"]);
        let mut stream = connect_when_it_listens(&place, "script");
        stream.write_all(says).unwrap();
        drop(stream);
        assert_eq!(server.wait().unwrap().code(), Some(code));
    }
}

#[test]
fn a_recording_goes_on_when_nobody_reads_the_name() {
    let place = Place::new();
    let _server = Running::serve(&place, &["echo"]);
    let file = place.path("recording");
    let mut tap = unread(&place, &["tap", "wire", "echo", file.to_str().unwrap()]);
    let mut stream = connect_when_it_listens(&place, "wire");
    stream.write_all(b"hello").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&mut stream), b"hello");
    kill_process(Pid::from_child(&tap), Signal::TERM).unwrap();
    assert_eq!(tap.wait().unwrap().code(), Some(0));
    assert!(fs::read_to_string(&file).unwrap().contains("68656c6c6f"));
}

#[test]
fn a_full_standard_error_that_nobody_reads_holds_nothing_up() {
    let script = Place::new();
    let steps = script.file("steps", "expect \"a\"");
    for (arguments, code) in [
        (&["proxy", "x", "echo", "--flip-one-in", "1"][..], 0),
        (&["serve", "x", "--", "sh", "-c", "read line; exit 3"], 1),
        (&["serve", "x", "--script", &steps], 1),
    ] {
        let place = Place::new();
        let _server = Running::serve(&place, &["echo"]);
        let (reader, mut full) = std::io::pipe().unwrap();
        rustix::io::ioctl_fionbio(&full, true).unwrap();
        while full.write(&[0]).is_ok() {}
        rustix::io::ioctl_fionbio(&full, false).unwrap();
        let mut command = place.command(arguments);
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(full).spawn().unwrap();
        for _ in 0..2 {
            let mut stream = connect_when_it_listens(&place, "x");
            stream.set_read_timeout(Some(WATCHDOG)).unwrap();
            stream.write_all(b"b\n").unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            // It is served, as the one before it was.
            read_to_end(&mut stream);
        }
        kill_process(Pid::from_child(&process), Signal::TERM).unwrap();
        assert_eq!((end_of(process).code(), place.path("x").exists()), (Some(code), false), "{arguments:?}");
        drop(reader);
    }
}

#[test]
fn an_output_that_does_not_wait_for_room_gets_everything_all_the_same() {
    let place = Place::new();
    let steps = place.file("steps", "flood 3000000\nend");
    let _server = Running::serve(&place, &["flood", "--script", &steps]);
    let (mut reader, writer) = std::io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&writer, true).unwrap();
    let mut command = place.command(&["connect", "flood"]);
    let client = command.stdin(Stdio::null()).stdout(writer).spawn().unwrap();
    // Nor does this process have the other end any more.
    drop(command);
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).unwrap();
    assert_eq!((bytes.len(), end_of(client).code()), (3_000_000, Some(0)));
}

#[test]
fn a_client_whose_output_nobody_reads_leaves() {
    let place = Place::new();
    let steps = place.file("steps", "flood");
    let _server = Running::serve(&place, &["flood", "--script", &steps]);
    assert_eq!(unread(&place, &["connect", "flood"]).wait().unwrap().code(), Some(0));
}

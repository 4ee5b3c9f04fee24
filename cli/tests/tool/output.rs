//! The standard output, and the standard error, when nobody reads them.

use crate::support::{Place, Running, WATCHDOG, end_of, read_exactly, read_to_end};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::{BufRead, BufReader, PipeWriter, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

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
fn an_output_that_cannot_be_written_is_told() {
    let place = Place::new();
    for arguments in [&["ls"][..], &["man"], &["--help"], &["help", "ls"], &["ls", "-h"], &["--version"]] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let said = place.command(arguments).stdin(Stdio::null()).stdout(full).output().unwrap();
        let text = String::from_utf8(said.stderr).unwrap();
        assert_eq!(said.status.code(), Some(1), "{arguments:?}: {text}");
        assert!(text.contains("write to the standard output"), "{arguments:?}: {text}");
        assert_eq!(unread(&place, arguments).wait().unwrap().code(), Some(0), "{arguments:?}");
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

/// Writes to a pipe until it has no more room.
fn fill(pipe: &mut PipeWriter) {
    rustix::io::ioctl_fionbio(&pipe, true).unwrap();
    while pipe.write(&[0]).is_ok() {}
    rustix::io::ioctl_fionbio(&pipe, false).unwrap();
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
        fill(&mut full);
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

/// Interrupts it again and again until it has ended. What it has said on the standard error.
fn interrupt_until_it_ends(mut process: Child) -> String {
    let start = Instant::now();
    while process.try_wait().unwrap().is_none() {
        if start.elapsed() > WATCHDOG {
            process.kill().unwrap();
            process.wait().unwrap();
            panic!("it runs still");
        }
        kill_process(Pid::from_child(&process), Signal::TERM).unwrap();
        thread::yield_now();
    }
    let output = process.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn who_waits_for_somebody_to_read_the_standard_output_is_ended_by_an_interrupt() {
    let scripts = Place::new();
    let steps = scripts.file("steps", "echo");
    let recording = scripts.file("recording", "moorline-tap 1\n0 1 open\n1 1 to-server 61\n2 1 close\n");
    // Full when there is a name to print, or a report.
    for (arguments, prints_name) in [
        (&["serve", "x", "--json"][..], true),
        (&["serve", "x", "--json", "--script", &steps], true),
        (&["serve", "x", "--json", "--", "cat"], true),
        (&["proxy", "x", "echo", "--json"], true),
        (&["replay", &recording, "--listen", "x"], true),
        (&["serve", "x", "--json"], false),
        (&["serve", "x", "--json", "--script", &steps], false),
        (&["serve", "x", "--json", "--", "cat"], false),
        (&["proxy", "x", "echo", "--json"], false),
    ] {
        let place = Place::new();
        let (reader, writer) = std::io::pipe().unwrap();
        let mut full = writer.try_clone().unwrap();
        let mut command = place.command(arguments);
        command.stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped());
        if prints_name {
            fill(&mut full);
        }
        let process = command.spawn().unwrap();
        if prints_name {
            drop(connect_when_it_listens(&place, "x"));
        } else {
            BufReader::new(&reader).read_line(&mut String::new()).unwrap();
            fill(&mut full);
        }
        let said = interrupt_until_it_ends(process);
        assert!(said.contains("standard output: operation interrupted"), "{arguments:?}: {said}");
        assert!(!place.path("x").exists(), "{arguments:?}");
        drop(reader);
    }
}

#[test]
fn a_standard_error_that_is_read_slowly_is_read_whole() {
    const LINES: usize = 5000;
    let place = Place::new();
    let _server = Running::serve(&place, &["echo"]);
    let is_read_whole = || {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut command =
            place.command(&["proxy", "x", "echo", "--flip-one-in", "1", "--direction", "to-server"]);
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(writer).spawn().unwrap();
        drop(command);
        let mut stream = connect_when_it_listens(&place, "x");
        stream.set_read_timeout(Some(WATCHDOG)).unwrap();
        stream.write_all(&[0; LINES]).unwrap();
        read_exactly(&mut stream, LINES);
        kill_process(Pid::from_child(&process), Signal::TERM).unwrap();
        // Altogether for longer than it waits until somebody reads anything.
        let mut text = Vec::new();
        while (&mut reader).take(10_000).read_to_end(&mut text).unwrap() > 0 {
            thread::sleep(Duration::from_millis(100));
        }
        assert_eq!(end_of(process).code(), Some(0));
        String::from_utf8(text).unwrap().matches(" becomes ").count() == LINES
    };
    // A machine may hold a reader up for so long that nobody seems to read.
    assert!((0..5).any(|_| is_read_whole()));
}

#[test]
fn what_is_the_matter_is_told_in_one_line_whatever_names_are_in_it() {
    let place = Place::new();
    let file = place.file("a\nfile\u{1b}[2J", "nothing of the kind\n");
    let file = file.as_str();
    let shown = "a\\nfile\\u{1b}[2J";
    let recording = place.file("recording", "moorline-tap 1\n0 1 open\n0 1 close\n");
    let _server = Running::serve(&place, &["echo"]);
    for arguments in [
        &["tap", "show", file][..],
        &["tap", "wire", "echo", file],
        &["replay", file, "--server", "echo"],
        &["replay", &recording, "--server", file],
        &["serve", "--script", file],
        &["serve", "--", file],
        &["connect", file],
        &["connect", "echo", "--file", &format!("{file}/")],
        &["exchange", file, "--connections", "1"],
        &["exchange", "echo", "--connections", "1", "--report", &format!("{file}/")],
    ] {
        let (code, text) = place.fails(arguments);
        assert_eq!(code, Some(1), "{arguments:?}: {text}");
        assert!(text.lines().all(|line| line.starts_with("moorline: ")), "{arguments:?}: {text}");
        assert!(text.contains(shown) && !text.contains('\u{1b}'), "{arguments:?}: {text}");
    }
    let proxy = Running::start(&place, &["proxy", "wire", place.path("no\nbody").to_str().unwrap()]);
    assert!(proxy.error().ends_with("clients will be turned away"));
    assert_eq!(proxy.interrupt().code, Some(0));
}

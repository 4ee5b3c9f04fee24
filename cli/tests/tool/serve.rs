//! `serve` and `connect`: a server and a client at the terminal.

use crate::support::{Place, Running, WATCHDOG, converse, ignored_signals, read_exactly, read_to_end};
use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixListener;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn an_echo_gives_back_what_is_sent_and_leaves_nothing_behind() {
    let place = Place::new();
    let server = Running::serve(&place, &["echo", "--json"]);
    assert_eq!(server.name, place.path("echo").to_str().unwrap());
    let large = vec![b'x'; 1 << 20];
    for input in [&b"hello\n"[..], b"", &large] {
        let answer = converse(&place, &["echo"], input);
        assert!(answer.status.success(), "{answer:?}");
        assert!(answer.stdout == input);
    }
    let file = place.path("input");
    fs::write(&file, "from a file").unwrap();
    let answer = place.run(&["connect", "echo", "--file", file.to_str().unwrap()]);
    assert_eq!((&answer.stdout[..], answer.status.code()), (&b"from a file"[..], Some(0)));

    let ended = server.interrupt();
    assert_eq!(ended.code, Some(0));
    let report = ended.json();
    assert_eq!((&report["accepted"], &report["unsent"]), (&4.into(), &0.into()));
    assert!(!place.path("echo").exists());
}

#[test]
fn a_sink_answers_nothing_and_a_name_is_made_where_none_is_given() {
    let place = Place::new();
    let server = Running::serve(&place, &["--mode", "sink"]);
    assert!(server.name.starts_with(place.path("moorline-").to_str().unwrap()), "{}", server.name);
    let answer = converse(&place, &[&server.name], b"swallowed");
    assert_eq!((&answer.stdout[..], answer.status.code()), (&b""[..], Some(0)));
    assert_eq!(server.interrupt().code, Some(0));
}

#[test]
fn messages_are_lines_at_the_terminal_whatever_they_are_on_the_wire() {
    for framing in ["big-endian", "little-endian", "lines", "checked"] {
        let place = Place::new();
        let arguments = ["messages", "--framing", framing];
        let server = Running::serve(&place, &arguments);
        let answer = converse(&place, &arguments, b"one\n\nthree\n");
        assert_eq!(
            (&answer.stdout[..], answer.status.code()),
            (&b"one\n\nthree\n"[..], Some(0)),
            "{framing}"
        );
        drop(server);
    }
}

#[test]
fn a_line_is_read_as_far_as_a_message_may_be_long() {
    let place = Place::new();
    let arguments = ["messages", "--framing", "big-endian", "--max-message", "3"];
    let _server = Running::serve(&place, &arguments);
    let answer = converse(&place, &arguments, b"abc\n\nabc");
    assert_eq!((&answer.stdout[..], answer.status.code()), (&b"abc\n\nabc\n"[..], Some(0)));
    let answer = converse(&place, &arguments, b"abc\n\nabcd\n");
    let text = String::from_utf8(answer.stderr).unwrap();
    assert_eq!(answer.status.code(), Some(1));
    assert!(
        text.starts_with("moorline: line 3 of the input: ") && text.contains("4 bytes, 3 at most"),
        "{text}"
    );
    // One that has no end, in a process that may not have much.
    let mut command = place.any_command("sh");
    let line = "ulimit -v 1000000; exec \"$0\" connect \"$@\" --file /dev/zero";
    let output = command.args(["-c", line, env!("CARGO_BIN_EXE_moorline")]).args(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn what_fails_says_what_and_why() {
    let place = Place::new();
    let answer = place.run(&["connect", "nobody"]);
    assert_eq!(answer.status.code(), Some(1));
    let text = String::from_utf8(answer.stderr).unwrap();
    assert!(text.contains(place.path("nobody").to_str().unwrap()), "{text}");

    let server = Running::serve(&place, &["taken"]);
    let answer = place.run(&["serve", "taken"]);
    assert_eq!(answer.status.code(), Some(1));
    drop(server);

    let server = Running::serve(&place, &["checked", "--framing", "checked", "--application", "one"]);
    let answer = converse(&place, &["checked", "--framing", "checked", "--application", "two"], b"x\n");
    assert_eq!(answer.status.code(), Some(1));
    let text = String::from_utf8(answer.stderr).unwrap();
    assert!(text.contains("one") && text.contains("two"), "{text}");
    drop(server);

    for wrong in
        [&["exchange", "--connections", "many"][..], &["no-such-command"], &["serve", "--mode", "shout"]]
    {
        assert_eq!(place.run(wrong).status.code(), Some(2), "{wrong:?}");
    }
    // Of a name that cannot be, so that nobody is waited for if they are taken.
    for (command, option, value, what) in [
        ("exchange", "--connections", "0", "--connections"),
        ("exchange", "--connections", "1048577", "--connections"),
        ("exchange", "--chunk", "0", "--chunk"),
        ("serve", "--max-connections", "0", "--max-connections"),
        ("serve", "--application", "me", "--framing"),
        ("serve", "--application-version", "1", "--framing"),
        ("connect", "--max-message", "10", "--framing"),
    ] {
        let (code, text) = place.fails(&[command, "..", option, value]);
        assert_eq!(code, Some(2), "{command} {option} {value}");
        assert!(text.contains(what), "{text}");
    }
    for (command, bytes) in [("serve", "0"), ("connect", "0"), ("serve", "4294967296")] {
        let (code, text) = place.fails(&[command, "..", "--framing", "lines", "--max-message", bytes]);
        assert_eq!(code, Some(2), "{command} {bytes}: {text}");
        assert!(text.contains("--max-message"), "{text}");
    }
    for (option, value) in [("--application", "me"), ("--application-version", "1")] {
        for command in ["serve", "connect"] {
            let (code, text) = place.fails(&[command, "..", "--framing", "lines", option, value]);
            assert_eq!(code, Some(2), "{command} {option}: {text}");
            assert!(text.contains(option) && text.contains("--framing checked"), "{text}");
        }
    }
}

#[test]
fn a_server_that_says_no_more_still_gets_what_there_is_to_send() {
    let place = Place::new();
    let listener = UnixListener::bind(place.path("server")).unwrap();
    let mut client = place
        .command(&["connect", "server"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut server, _) = listener.accept().unwrap();
    server.write_all(b"bye").unwrap();
    server.shutdown(Shutdown::Write).unwrap();
    let mut said = [0; 3];
    client.stdout.as_mut().unwrap().read_exact(&mut said).unwrap();
    let mut input = client.stdin.take().unwrap();
    for _ in 0..3 {
        // Time enough for a client to leave that takes the end of one direction for that of both.
        thread::sleep(Duration::from_millis(100));
        input.write_all(b"late").unwrap();
        assert_eq!(read_exactly(&mut server, 4), b"late");
    }
    drop(input);
    assert_eq!(read_to_end(&mut server), b"");
    assert_eq!(client.wait_with_output().unwrap().status.code(), Some(0));
}

#[test]
fn a_server_that_leaves_ends_the_client_whatever_there_is_to_send() {
    let place = Place::new();
    let listener = UnixListener::bind(place.path("server")).unwrap();
    let mut command = place.command(&["connect", "server"]);
    let mut client = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let input = client.stdin.take();
    let (server, _) = listener.accept().unwrap();
    server.shutdown(Shutdown::Write).unwrap();
    drop(server);
    assert_eq!(client.wait().unwrap().code(), Some(0));
    drop(input);
}

#[test]
fn a_server_that_leaves_before_it_has_taken_all_has_its_answer_printed_and_the_exit_code_says_so() {
    let more = "x".repeat(3_000_000);
    // What the server has not taken was sent in part, was sent whole, or comes when it has left.
    for (input, answer) in [(format!("y\n{more}"), &b"bye\n"[..]), ("y\nz".to_owned(), b"bye\n"), (more, b"")]
    {
        let place = Place::new();
        let listener = UnixListener::bind(place.path("server")).unwrap();
        let file = place.file("input", &input);
        let client = place
            .command(&["connect", "server", "--file", &file])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (mut server, _) = listener.accept().unwrap();
        if !answer.is_empty() {
            assert_eq!(read_exactly(&mut server, 2), b"y\n");
            server.write_all(answer).unwrap();
        }
        drop(server);
        let output = client.wait_with_output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!((&output.stdout[..], output.status.code()), (answer, Some(1)), "{errors}");
        assert!(errors.contains("the server left before it had taken all"), "{errors}");
    }
}

#[test]
fn an_answer_that_is_not_read_yet_outlasts_a_send_that_fails() {
    let place = Place::new();
    let listener = UnixListener::bind(place.path("server")).unwrap();
    let file = place.file("input", &"x".repeat(3_000_000));
    let mut command = place.command(&["connect", "server", "--file", &file]);
    let client = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let (mut server, _) = listener.accept().unwrap();
    // More than the pipe and the client hold, so that some of it waits in the socket.
    let answer = vec![b'y'; 200_000];
    server.write_all(&answer).unwrap();
    drop(server);
    // Until the thread that sends has ended.
    let threads = || fs::read_dir(format!("/proc/{}/task", client.id())).unwrap().count();
    let start = Instant::now();
    while threads() > 1 {
        assert!(start.elapsed() < WATCHDOG);
        thread::yield_now();
    }
    let output = client.wait_with_output().unwrap();
    assert!(output.stdout == answer, "{} bytes", output.stdout.len());
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn input_that_cannot_be_read_ends_the_connection_and_is_told() {
    let place = Place::new();
    let _server = Running::serve(&place, &["echo"]);
    let directory = place.directory().to_str().unwrap();
    let (code, text) = place.fails(&["connect", "echo", "--file", directory]);
    assert_eq!(code, Some(1));
    assert!(text.contains(&format!("read {directory}: Is a directory")), "{text}");
    let mut command = place.command(&["connect", "echo"]);
    let output = command.stdin(std::fs::File::open(directory).unwrap()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("read the input: Is a directory"), "{text}");
}

#[test]
fn a_signal_that_was_ignored_at_the_start_is_ignored_still() {
    for (number, name) in [(1, "HUP"), (2, "INT")] {
        let place = Place::new();
        let mut command = place.any_command("sh");
        let script = format!("trap '' {name}; exec \"$0\" serve echo");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_moorline")]);
        let server = Running::of(command);
        assert_ne!(ignored_signals(&server.id().to_string()) & 1 << (number - 1), 0, "{name}");
        server.signal(&format!("-{name}"));
        assert!(converse(&place, &["echo"], b"there").stdout == b"there");
        server.signal("-TERM");
        let ended = server.wait();
        assert_eq!((ended.code, place.path("echo").exists()), (Some(0), false));
    }
}

#[test]
fn times_that_no_clock_has_are_refused() {
    let place = Place::new();
    // Of names that cannot be, so that nothing is served for so long if they are not.
    for (arguments, option, time) in [
        (&["serve", ".."][..], "--linger", "1e19"),
        (&["serve", ".."], "--linger", "1e99"),
        (&["connect", ".."], "--timeout", "4e9s"),
        (&["exchange", ".."], "--timeout", "1e22ms"),
        (&["proxy", "..", "b"], "--linger", "1e19"),
        (&["proxy", "..", "b"], "--backlog-full", "1e19"),
        (&["proxy", "..", "b"], "--delay", "1ms-1e22ms"),
    ] {
        let (code, text) = place.fails(&[arguments, &[&format!("{option}={time}")]].concat());
        assert_eq!(code, Some(2), "{option} {time}: {text}");
        assert!(text.contains(time) && text.contains(option), "{text}");
        assert!(time == "1e99" || text.contains("longer than a hundred years"), "{text}");
    }
    // So long it may be.
    for arguments in [&["serve"][..], &["serve", "--", "cat"]] {
        let server =
            Running::start(&place, &[&arguments[..1], &["--linger", "3153600000"], &arguments[1..]].concat());
        assert_eq!(server.interrupt().code, Some(0), "{arguments:?}");
    }
}

#[test]
fn another_interrupt_ends_the_linger() {
    let place = Place::new();
    let server = Running::serve(&place, &["echo", "--linger", "9999", "--json"]);
    let mut client = place.connect("echo");
    // More than the client's side of the connection holds, and it reads nothing of it.
    client.write_all(&[0; 400_000]).unwrap();
    let start = Instant::now();
    server.signal("-INT");
    // It gives its name back first.
    while place.path("echo").exists() {
        assert!(start.elapsed() < WATCHDOG);
        thread::yield_now();
    }
    server.signal("-INT");
    let ended = server.wait();
    // A service gives a client up that takes nothing for so long.
    assert!(start.elapsed() < Duration::from_secs(10));
    let report = ended.json();
    assert_eq!((ended.code, &report["open_at_stop"]), (Some(0), &1.into()), "{report}");
    assert!(report["unsent"].as_u64().unwrap() > 0, "{report}");
    drop(client);
}

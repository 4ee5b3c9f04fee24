//! `serve --script`: clients that are expected to say what a script says.

use crate::support::{Ended, Place, Running, read_to_end};
use std::io::Write;
use std::net::Shutdown;
use std::process::Stdio;

/// A client that says this and then ends its sending, or does not until the server has ended.
fn talk(place: &Place, says: &str, ends: bool) -> Vec<u8> {
    let mut stream = place.connect("script");
    // The server may have left in the middle of it.
    let _ = stream.write_all(says.as_bytes());
    if ends {
        let _ = stream.shutdown(Shutdown::Write);
    }
    read_to_end(&mut stream)
}

fn follow(script: &str, says: &str, ends: bool) -> (Vec<u8>, Ended) {
    let place = Place::new();
    let file = place.file("steps", script);
    let server = Running::serve(&place, &["script", "--script", &file, "--connections", "1", "--json"]);
    let answer = talk(&place, says, ends);
    let ended = server.wait();
    assert!(!place.path("script").exists());
    (answer, ended)
}

#[test]
fn a_client_that_says_what_is_expected_is_answered() {
    for (script, says, ends, answer) in [
        ("expect \"a\"\nsend \"b\"\nexpect \"c\" within 30s\nexpect-end\nclose", "ac", true, "b"),
        ("framing lines\nexpect-message \"a\"\nsend-message \"b\"\nexpect-end", "a\n", true, "b\n"),
        ("expect \"a\"\nsend \"b\"\nclose", "a", false, "b"),
        ("send \"b\"\nend\nexpect-end", "", true, "b"),
        ("expect \"a\"\nsend \"b\"\nwait 1ms\nreset", "a", false, "b"),
        ("echo", "abc", true, "abc"),
        ("sink\nsend \"done\"", "abc", true, "done"),
        ("flood 5\nexpect-end", "", true, "\0\x01\x02\x03\x04"),
        ("# nothing is expected", "", true, ""),
    ] {
        let (found, ended) = follow(script, says, ends);
        assert_eq!(ended.code, Some(0), "{script}: {}", ended.errors);
        assert_eq!(found, answer.as_bytes(), "{script}");
        let report = ended.json();
        assert_eq!((&report["finished"], &report["missed"]), (&1.into(), &0.into()), "{script}: {report}");
        assert_eq!(report["failures"].as_array().unwrap().len(), 0);
        assert_eq!(ended.errors, "");
    }
}

#[test]
fn a_client_that_says_something_else_is_told_of_with_the_whole_transcript() {
    for (script, says, ends, line, how) in [
        ("\nexpect \"ab\"", "ax", false, 2, "byte 1 is \"x\", not \"b\""),
        ("expect \"ab\"", "a", true, 1, "the peer ended when 1 of 2 bytes came"),
        ("expect \"ab\" within 20ms", "a", false, 1, "only 1 of 2 bytes came in time"),
        ("within 20ms\nexpect-end", "", false, 2, "it did not end"),
        ("expect \"a\"\nexpect-end", "ab", false, 2, "there came \"b\""),
        ("expect \"a\"", "ab", false, 1, "after the last step: there came \"b\""),
        ("framing big-endian\nexpect-message \"a\"", "a", true, 2, "byte 0 is \"a\""),
    ] {
        let (_, ended) = follow(script, says, ends);
        assert_eq!(ended.code, Some(1), "{script}");
        let report = ended.json();
        assert_eq!((&report["missed"], &report["unfinished"]), (&1.into(), &0.into()), "{script}: {report}");
        let failure = &report["failures"][0];
        assert_eq!(failure["line"], line, "{script}");
        for text in [failure["text"].as_str().unwrap(), &ended.errors] {
            assert!(text.contains(how) && text.contains("connected: user"), "{script}: {text}");
        }
    }
}

#[test]
fn it_goes_on_after_a_missed_expectation_and_says_so_at_the_end() {
    let place = Place::new();
    let file = place.file("steps", "expect \"a\"\nsend \"b\"\nclose");
    let server = Running::serve(&place, &["script", "--script", &file]);
    assert_eq!(talk(&place, "x", false), b"");
    assert_eq!(talk(&place, "a", false), b"b");
    let ended = server.interrupt();
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.errors.ends_with(
            "2 connections, 2 finished, 0 not, 1 missed an expectation; 2 bytes received, 1 sent\n"
        )
    );
    assert!(!place.path("script").exists());
}

#[test]
fn a_connection_in_the_middle_of_its_script_has_not_missed_anything() {
    let place = Place::new();
    let file = place.file("steps", "send \"hello\"\nexpect \"a\" within 9999s");
    let server = Running::serve(&place, &["script", "--script", &file, "--json"]);
    let mut stream = place.connect("script");
    crate::support::read_exactly(&mut stream, 5);
    let ended = server.interrupt();
    let report = ended.json();
    assert_eq!((ended.code, &report["unfinished"], &report["missed"]), (Some(0), &1.into(), &0.into()));
    assert_eq!(read_to_end(&mut stream), b"");
}

#[test]
fn a_script_comes_from_the_standard_input_too() {
    let place = Place::new();
    let mut command = place.command(&["serve", "script", "--script", "-"]);
    let mut server =
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    server.stdin.take().unwrap().write_all(b"jump").unwrap();
    let output = server.wait_with_output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("-: script, line 1: there is no step jump"), "{text}");
}

#[test]
fn a_bad_script_is_named_with_file_and_line_and_serves_nobody() {
    let place = Place::new();
    let file = place.file("steps", "expect \"a\"\nsend b\n");
    let (code, text) = place.fails(&["serve", "script", "--script", &file]);
    assert_eq!(code, Some(1));
    assert_eq!(text, format!("moorline: {file}: script, line 2: a text in quotes is missing at: b\n"));
    std::fs::write(&file, b"expect \"a\"\nsend \"\xe4\"\n").unwrap();
    let (code, text) = place.fails(&["serve", "script", "--script", &file]);
    assert_eq!(code, Some(1));
    assert_eq!(text, format!("moorline: {file}: script, line 2: it is not UTF-8\n"));
    // What some editors put before the text, and what would clear the terminal.
    std::fs::write(&file, "\u{feff}expect \"a\"\n").unwrap();
    let (_, text) = place.fails(&["serve", "script", "--script", &file]);
    assert!(text.contains("script, line 1: it begins with a byte order mark"), "{text}");
    std::fs::write(&file, "send \u{1b}[2J\n").unwrap();
    let (_, text) = place.fails(&["serve", "script", "--script", &file]);
    assert!(text.contains("missing at: \\u{1b}[2J\n"), "{text:?}");
    let (code, text) = place.fails(&["serve", "script", "--script", "/nowhere"]);
    assert_eq!(code, Some(1));
    assert!(text.contains("/nowhere"), "{text}");
    assert!(!place.path("script").exists());
}

#[test]
fn what_does_not_go_together_is_refused() {
    let place = Place::new();
    let file = place.file("steps", "echo");
    for more in [
        &["--mode", "sink"][..],
        &["--framing", "lines"],
        &["--max-connections", "1"],
        &["--linger", "1"],
        &["--", "cat"],
    ] {
        let (code, text) = place.fails(&[&["serve", "x", "--script", &file], more].concat());
        assert_eq!(code, Some(2), "{more:?}");
        assert!(text.contains("--script") && text.contains("cannot be used with"), "{text}");
    }
    for wrong in [
        &["serve", "--connections", "0", "--script", &file][..],
        &["serve", "--mode", "sink", "--", "cat"],
        &["serve", "--framing", "lines", "--", "cat"],
    ] {
        assert_eq!(place.fails(wrong).0, Some(2), "{wrong:?}");
    }
    let alone = place.fails(&["serve", "--connections", "1"]);
    let text = "error: --connections needs a script, --script FILE, or a command, -- COMMAND\n".to_owned();
    assert_eq!(alone, (Some(2), text));
}

#[test]
fn the_scripts_of_the_documentation_can_be_served() {
    let text = include_str!("../../../docs/script-language.md");
    let scripts: Vec<&str> =
        text.split("```script\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(scripts.len(), 2);
    for script in scripts {
        let place = Place::new();
        let file = place.file("steps", script);
        assert_eq!(
            Running::serve(&place, &["script", "--script", &file]).interrupt().code,
            Some(0),
            "{script}"
        );
    }
    let (answer, ended) =
        follow(text.split("```").nth(1).unwrap().trim_start_matches("script\n"), "hello\nme\n", true);
    assert_eq!((answer.as_slice(), ended.code), (&b"who?\n"[..], Some(0)));
}

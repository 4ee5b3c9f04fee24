//! Names and files whose bytes are no text, or are more than text to a terminal.

use crate::support::{Place, Running, to_json};
use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::Stdio;

const NO_TEXT: &[u8] = b"name\xff";

fn no_text(place: &Place) -> PathBuf {
    place.directory().join(OsStr::from_bytes(NO_TEXT))
}

/// Starts the tool with these arguments, among which an empty one stands for the name that is no text, in this place.
fn start(place: &Place, arguments: &[&str]) -> Running {
    let mut command = place.command(&[]);
    let path = no_text(place);
    command.args(arguments.iter().map(|&it| if it.is_empty() { path.as_os_str() } else { OsStr::new(it) }));
    Running::of(command)
}

#[test]
fn the_name_that_is_printed_is_the_name() {
    let place = Place::new();
    let steps = place.file("steps", "echo");
    let recording =
        place.file("recording", "moorline-tap 1\n0 1 open\n1 1 to-server 78\n2 1 to-client 78\n3 1 close\n");
    let new = place.path("new").into_os_string().into_string().unwrap();
    let _echo = Running::serve(&place, &["echo"]);
    for arguments in [
        &["serve", ""][..],
        &["serve", "", "--script", &steps],
        &["serve", "", "--", "cat"],
        &["proxy", "", "echo"],
        &["tap", "", "echo", &new],
        &["replay", &recording, "--listen", ""],
    ] {
        let server = start(&place, arguments);
        assert_eq!(server.raw_name, no_text(&place), "{arguments:?}");
        let mut command = place.command(&["connect"]);
        command.arg(&server.raw_name).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut client = command.spawn().unwrap();
        client.stdin.take().unwrap().write_all(b"x").unwrap();
        assert_eq!(client.wait_with_output().unwrap().stdout, b"x", "{arguments:?}");
    }
}

#[test]
fn files_that_are_no_text_are_in_json_with_a_mark_in_their_place() {
    let place = Place::new();
    let marked = no_text(&place).to_string_lossy().into_owned();
    let _echo = Running::serve(&place, &["echo"]);
    for arguments in
        [&["tap", "wire", "echo", "", "--json"][..], &["proxy", "wire", "echo", "--tap", "", "--json"]]
    {
        let ended = start(&place, arguments).interrupt();
        assert_eq!(
            (ended.code, &ended.json()["recording"]["file"]),
            (Some(0), &marked.as_str().into()),
            "{arguments:?}"
        );
        std::fs::remove_file(no_text(&place)).unwrap();
    }

    std::fs::write(no_text(&place), "expect \"a\"").unwrap();
    let server = start(&place, &["serve", "script", "--script", "", "--json", "--connections", "1"]);
    place.connect("script").write_all(b"b").unwrap();
    let ended = server.wait();
    assert_eq!((ended.code, &ended.json()["failures"][0]["file"]), (Some(1), &marked.as_str().into()));
    std::fs::remove_file(no_text(&place)).unwrap();

    drop(UnixListener::bind(no_text(&place)).unwrap());
    let (shown, code) = place.json(&["clean", "--json"]);
    assert_eq!((code, &shown[0]["path"]), (Some(0), &marked.as_str().into()));
}

#[test]
fn ls_looks_for_what_is_no_text() {
    let place = Place::new();
    let name = no_text(&place);
    drop(UnixListener::bind(&name).unwrap());
    place.dead("name");
    let output = place.command(&["ls", "--json"]).arg(&name).output().unwrap();
    let found = to_json(&output.stdout);
    assert_eq!(
        (output.status.code(), found.as_array().map(Vec::len), &found[0]["path"]),
        (Some(0), Some(1), &name.to_string_lossy().into_owned().into()),
        "{found}"
    );
}

#[test]
fn a_terminal_is_shown_what_a_name_would_do_to_it() {
    let place = Place::new();
    let wild = "\x1b[31mred\nlive  0\u{9b}m\u{e4}";
    let escaped = "\\u{1b}[31mred\\nlive  0\\u{9b}m\u{e4}";
    let prefix = place.directory().file_name().unwrap().to_str().unwrap();
    let abstract_name = format!("{prefix}{wild}");
    let _server = Running::serve(&place, &[&abstract_name, "--scope", "abstract"]);
    place.dead(wild);
    drop(UnixListener::bind(no_text(&place)).unwrap());
    let said = |arguments: &[&str]| String::from_utf8(place.run(arguments).stdout).unwrap();

    let table = said(&["ls", prefix]);
    assert_eq!((table.lines().count(), table.matches(escaped).count()), (4, 2), "{table:?}");
    assert!(table.contains("/name\\xff\n"), "{table:?}");
    let list = said(&["clean", "--dry-run"]);
    assert_eq!((list.lines().count(), list.matches(escaped).count()), (2, 1), "{list:?}");
    assert!(list.contains("/name\\xff\n"), "{list:?}");
    let diagnosis = said(&["doctor", wild]);
    assert_eq!((diagnosis.lines().count(), diagnosis.matches(escaped).count()), (2, 1), "{diagnosis:?}");
    let elsewhere = said(&["doctor", wild, "--scope", "runtime"]);
    assert_eq!((elsewhere.lines().count(), elsewhere.matches(escaped).count()), (2, 2), "{elsewhere:?}");
    for (scope, times) in [("temporary", 1), ("runtime", 2)] {
        let given = OsStr::from_bytes(NO_TEXT);
        let output = place.command(&["doctor", "--scope", scope]).arg(given).output().unwrap();
        let diagnosis = String::from_utf8(output.stdout).unwrap();
        assert_eq!(
            (diagnosis.lines().count(), diagnosis.matches("/name\\xff").count()),
            (2, times),
            "{diagnosis:?}"
        );
    }
    // JSON has escapes of its own.
    let (list, _) = place.json(&["ls", prefix, "--json"]);
    assert!(
        list.as_array().unwrap().iter().any(|entry| entry["name"] == format!("@{abstract_name}")),
        "{list}"
    );
}

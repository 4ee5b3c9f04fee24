//! `tap`: records what passes, and shows it.

use crate::support::{Place, Running, converse, read_exactly};
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

/// A conversation of "hello" with an echo, recorded.
fn record(place: &Place) -> String {
    let file = place.path("recording").into_os_string().into_string().unwrap();
    let _echo = Running::serve(place, &["echo"]);
    let tap = Running::start(place, &["tap", "wire", "echo", &file, "--json"]);
    assert_eq!(converse(place, &["wire"], b"hello\xff").stdout, b"hello\xff");
    let ended = tap.interrupt();
    assert_eq!((ended.code, ended.errors.as_str()), (Some(0), ""));
    let report = ended.json();
    assert_eq!(
        (&report["connections"], &report["to_server"], &report["to_client"]),
        (&1.into(), &6.into(), &6.into())
    );
    assert_eq!(
        (&report["recording"]["file"], &report["recording"]["error"]),
        (&file.clone().into(), &().into())
    );
    assert!(!place.path("wire").exists());
    file
}

#[test]
fn a_conversation_is_recorded_and_shown() {
    let place = Place::new();
    let file = record(&place);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

    let (shown, code) = place.json(&["tap", "show", &file, "--json"]);
    assert_eq!(code, Some(0));
    let entries = shown.as_array().unwrap();
    let (first, last) = (&entries[0], entries.last().unwrap());
    assert_eq!((&first["event"], &first["connection"]), (&"open".into(), &1.into()));
    assert_eq!(first["uid"], rustix::process::getuid().as_raw());
    assert_eq!(last["event"], "close");
    let said = |direction: &str| -> String {
        let data = entries.iter().filter(|entry| entry["event"] == "data" && entry["direction"] == direction);
        data.map(|entry| entry["hex"].as_str().unwrap()).collect()
    };
    assert_eq!((said("to-server"), said("to-client")), ("68656c6c6fff".into(), "68656c6c6fff".into()));
    assert!(entries.iter().any(|entry| entry["event"] == "end" && entry["direction"] == "to-server"));
    let times: Vec<f64> = entries.iter().map(|entry| entry["seconds"].as_f64().unwrap()).collect();
    assert!(times.is_sorted());

    let table = String::from_utf8(place.run(&["tap", "show", &file]).stdout).unwrap();
    assert!(table.starts_with("seconds"), "{table}");
    assert!(table.contains("to-server") && table.contains("\"hello\\xff\""), "{table}");
    let table = String::from_utf8(place.run(&["tap", "show", &file, "--bytes", "2"]).stdout).unwrap();
    assert!(table.contains("\"he\" and 4 bytes more"), "{table}");
    assert_eq!(place.json(&["tap", "show", &file, "--json", "--connection", "1"]).0, shown);
    let (code, text) = place.fails(&["tap", "show", &file, "--connection", "2"]);
    assert_eq!(code, Some(1));
    assert!(text.contains("no connection 2"), "{text}");
}

#[test]
fn a_proxy_records_what_comes_through_its_faults() {
    let place = Place::new();
    let file = place.path("recording").into_os_string().into_string().unwrap();
    let _echo = Running::serve(&place, &["echo"]);
    let options = ["--tap", &file, "--lose-at", "0", "--direction", "to-server", "--json"];
    let proxy = Running::start(&place, &[&["proxy", "wire", "echo"][..], &options].concat());
    assert_eq!(converse(&place, &["wire"], b"abc").stdout, b"bc");
    assert_eq!(proxy.interrupt().json()["recording"]["file"], file.as_str());
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains("to-server 6263\n") && text.contains("to-client 6263\n"), "{text}");
}

#[test]
fn nothing_is_recorded_over_and_nothing_is_left_when_it_cannot_begin() {
    let place = Place::new();
    let file = place.file("recording", "precious");
    let (code, text) = place.fails(&["tap", "wire", "echo", &file]);
    assert_eq!(code, Some(1));
    assert!(text.contains(&file), "{text}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
    assert!(!place.path("wire").exists());

    // There is no room for its first line.
    let new = place.path("new");
    let arguments = ["tap", "wire", "echo", new.to_str().unwrap()];
    let mut command = place.any_command("bash");
    command.args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_moorline")]);
    let output = command.args(arguments).stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), new.exists()), (Some(1), false), "{text}");
    assert!(text.contains("record to "), "{text}");

    // The name is taken.
    let _server = Running::serve(&place, &["wire"]);
    let (code, _) = place.fails(&arguments);
    assert_eq!(code, Some(1));
    assert!(!new.exists());

    // Nobody can be told the name.
    let place = Place::new();
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output = place.command(&arguments).stdin(Stdio::null()).stdout(full).output().unwrap();
    assert_eq!((output.status.code(), new.exists(), place.path("wire").exists()), (Some(1), false, false));
}

#[test]
fn a_full_disk_is_told_when_it_is_and_what_came_before_can_be_read() {
    let place = Place::new();
    let file = place.path("recording").into_os_string().into_string().unwrap();
    let _echo = Running::serve(&place, &["echo"]);
    // A file may have 4 KiB at most, with the write that goes beyond it cut short and the next one failing: setrlimit(2).
    let mut command = place.any_command("bash");
    let line = "trap '' XFSZ; ulimit -f 4; exec \"$0\" tap wire echo \"$1\" --json";
    command.args(["-c", line, env!("CARGO_BIN_EXE_moorline"), &file]);
    let tap = Running::of(command);
    let mut stream = place.connect("wire");
    stream.write_all(b"small").unwrap();
    assert_eq!(read_exactly(&mut stream, 5), b"small");
    stream.write_all(&[b'x'; 3000]).unwrap();
    // The conversation goes on.
    assert_eq!(read_exactly(&mut stream, 3000), [b'x'; 3000]);
    let told = tap.error();
    assert!(told.contains(&file) && told.contains("the recording ends here"), "{told}");
    let ended = tap.interrupt();
    assert_eq!(ended.code, Some(1));
    assert!(ended.json()["recording"]["error"].as_str().unwrap().contains(&file));
    let (shown, code) = place.json(&["tap", "show", &file, "--json"]);
    assert_eq!(code, Some(0));
    let all: Vec<&str> =
        shown.as_array().unwrap().iter().filter_map(|entry| entry["text"].as_str()).collect();
    assert_eq!(all, ["small", "small"]);
}

#[test]
fn a_file_that_is_no_recording_is_named_with_the_line() {
    let place = Place::new();
    let file = place.file("recording", "moorline-tap 1\n0 1 open\nwhat\n");
    let (code, text) = place.fails(&["tap", "show", &file]);
    assert_eq!(code, Some(1));
    assert!(text.contains(&file) && text.contains("line 3: "), "{text}");
    assert!(!text.contains("peer"), "{text}");
    let (code, text) = place.fails(&["tap", "show", "/nowhere"]);
    assert_eq!(code, Some(1));
    assert!(text.contains("/nowhere"), "{text}");
    for wrong in [&["tap"][..], &["tap", "wire", "echo"], &["tap", "show"]] {
        assert_eq!(place.fails(wrong).0, Some(2), "{wrong:?}");
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let place = Place::new();
    let lines: String = (0..100_000).map(|number| format!("{number} 1 to-server 61\n")).collect();
    let file = place.file("recording", &format!("moorline-tap 1\n0 1 open\n{lines}"));
    let mut show =
        place.command(&["tap", "show", &file]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(show.stdout.take());
    let output = show.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn the_recording_of_the_documentation_can_be_read() {
    let text = include_str!("../../../docs/tap-format.md");
    let place = Place::new();
    let file = place.file("recording", text.split("```tap\n").nth(1).unwrap().split("```").next().unwrap());
    let (shown, code) = place.json(&["tap", "show", &file, "--json"]);
    assert_eq!((code, shown.as_array().unwrap().len()), (Some(0), 7));
    assert_eq!((&shown[1]["text"], &shown[3]["descriptors"]), (&"hello\n".into(), &1.into()));
    let table = String::from_utf8(place.run(&["tap", "show", &file]).stdout).unwrap();
    assert!(
        table.contains("user 1000, group 1000, process 4711") && table.contains("and 1 descriptors"),
        "{table}"
    );
}

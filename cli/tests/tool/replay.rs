//! `replay`: a recording, played to a server or to clients that do the same, or something else.

use crate::support::{Ended, Place, Running, read_exactly, read_to_end, to_json};
use std::io::Write;
use std::net::Shutdown;
use std::process::Output;
use std::time::{Duration, Instant};

/// The client says "hello", the server answers "who?", the client says "me" and ends.
const CONVERSATION: &str = "moorline-tap 1\n\
                            0 1 open\n\
                            10 1 to-server 68656c6c6f\n\
                            20 1 to-client 77686f3f\n\
                            40000 1 to-server 6d65\n\
                            40001 1 end to-server\n\
                            40002 1 end to-client\n\
                            40003 1 close\n";

#[test]
fn a_server_that_does_the_same_is_told_to_be_so_and_one_that_does_not_where() {
    for (script, difference) in [
        ("expect \"hello\"\nsend \"who?\"\nexpect \"me\"\nexpect-end\nclose", None),
        ("expect \"hello\"\nsend \"what?\"\nsink", Some((2, "\"o?\"", "\"at\""))),
        ("expect \"hello\"\nsend \"wh\"\nclose", Some((2, "\"o?\"", "its end"))),
        ("expect \"hello\"\nsend \"wh\"\nsink", Some((2, "\"o?\"", "nothing in time"))),
        ("expect \"hello\"\nsend \"who?!\"\nsink", Some((4, "its end", "\"!\""))),
        ("expect \"hello\"\nsend \"who?\"\nsink\nwait 9999s", Some((4, "its end", "that it goes on"))),
    ] {
        let place = Place::new();
        let file = place.file("recording", CONVERSATION);
        let steps = place.file("steps", script);
        let _server = Running::serve(&place, &["server", "--script", &steps]);
        // Enough for one that does the same, as its answer would be given up otherwise.
        let patience = if difference.is_none() { "30" } else { "100ms" };
        let output = place.run(&["replay", &file, "--server", "server", "--json", "--patience", patience]);
        let report = to_json(&output.stdout);
        assert_eq!(output.status.code(), Some(i32::from(difference.is_some())), "{script}: {report}");
        assert_eq!(report["same"], difference.is_none(), "{script}");
        match difference {
            None => {
                assert_eq!((&report["sent"], &report["matched"]), (&7.into(), &4.into()), "{report}");
                assert_eq!((&report["connections"], &report["difference"]), (&1.into(), &().into()));
                assert!(report["error"].is_null(), "{report}");
            }
            Some((byte, expected, found)) => {
                let difference = &report["difference"];
                assert_eq!((&difference["connection"], &difference["byte"]), (&1.into(), &byte.into()));
                assert_eq!(
                    (&difference["expected"], &difference["found"]),
                    (&expected.into(), &found.into())
                );
            }
        }
    }
}

#[test]
fn the_first_difference_is_told_in_words() {
    let place = Place::new();
    let file = place.file("recording", CONVERSATION);
    let _server = Running::serve(&place, &["echo"]);
    let output = place.run(&["replay", &file, "--server", "echo"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text.ends_with("first difference: connection 1, byte 0: expected \"who?\", found \"hell\"\n"),
        "{text}"
    );
}

#[test]
fn a_client_meets_the_server_of_the_recording() {
    for (last, byte) in [("me", None), ("mu", Some(6)), ("m", Some(6)), ("me!", Some(7))] {
        let place = Place::new();
        let file = place.file("recording", CONVERSATION);
        let replay = Running::start(&place, &["replay", &file, "--listen", "server", "--json"]);
        assert_eq!(replay.name, place.path("server").to_str().unwrap());
        let mut client = place.connect("server");
        client.write_all(b"hello").unwrap();
        assert_eq!(read_exactly(&mut client, 4), b"who?");
        client.write_all(last.as_bytes()).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_to_end(&mut client), b"");
        let ended = replay.wait();
        let report = ended.json();
        assert_eq!(ended.code, Some(i32::from(byte.is_some())), "{last}: {report}");
        match byte {
            None => assert!(report["difference"].is_null()),
            Some(byte) => assert_eq!(report["difference"]["byte"], byte, "{last}: {report}"),
        }
        assert!(!place.path("server").exists());
    }
}

#[test]
fn a_difference_is_told_although_other_clients_are_waited_for() {
    let place = Place::new();
    let second = "50000 2 open\n50001 2 to-server 61\n50002 2 close\n";
    let file = place.file("recording", &format!("{CONVERSATION}{second}"));
    let replay = Running::start(&place, &["replay", &file, "--listen", "server", "--json"]);
    place.connect("server").write_all(b"hellO").unwrap();
    let ended = replay.wait();
    let report = ended.json();
    assert_eq!((ended.code, &report["same"]), (Some(1), &false.into()), "{report}");
    assert_eq!((&report["difference"]["connection"], &report["difference"]["byte"]), (&1.into(), &4.into()));
}

#[test]
fn what_was_recorded_of_a_server_is_what_it_does_again() {
    let place = Place::new();
    let file = place.path("recording").into_os_string().into_string().unwrap();
    let _server = Running::serve(&place, &["rot13", "--", "tr", "a-z", "n-za-m"]);
    let tap = Running::start(&place, &["tap", "wire", "rot13", &file]);
    assert_eq!(crate::support::converse(&place, &["wire"], b"hello").stdout, b"uryyb");
    assert_eq!(tap.interrupt().code, Some(0));
    assert_eq!(place.run(&["replay", &file, "--server", "rot13"]).status.code(), Some(0));
}

#[test]
fn real_time_is_the_time_of_the_recording() {
    let place = Place::new();
    let file = place.file("recording", CONVERSATION);
    let steps = place.file("steps", "expect \"hello\"\nsend \"who?\"\nexpect \"me\"\nexpect-end\nclose");
    let _server = Running::serve(&place, &["server", "--script", &steps]);
    let start = Instant::now();
    let (report, code) = place.json(&["replay", &file, "--server", "server", "--json", "--real-time"]);
    assert_eq!((code, &report["same"]), (Some(0), &true.into()), "{report}");
    assert!(start.elapsed() >= Duration::from_millis(40));
    let file =
        place.file("hour", "moorline-tap 1\n0 1 open\n3600000000 1 to-server 68\n3600000001 1 close\n");
    let (code, text) =
        place.fails(&["replay", &file, "--server", "server", "--real-time", "--timeout", "30"]);
    assert_eq!(code, Some(1));
    assert!(text.contains("takes longer than there is time"), "{text}");
}

#[test]
fn an_interrupt_ends_the_wait_for_clients_and_servers() {
    let place = Place::new();
    let file = place.file("recording", CONVERSATION);
    for signal in ["-INT", "-TERM", "-HUP"] {
        let replay = Running::start(&place, &["replay", &file, "--listen", "server"]);
        replay.signal(signal);
        let ended = replay.wait();
        assert_eq!(ended.code, Some(1));
        assert!(ended.errors.contains("interrupted"), "{}", ended.errors);
        assert!(!place.path("server").exists());
    }
    let (code, text) = place.fails(&["replay", &file, "--listen", "server", "--timeout", "10ms"]);
    assert_eq!(code, Some(1));
    assert!(text.contains("deadline"), "{text}");
    assert!(!place.path("server").exists());
}

#[test]
fn what_ends_a_replay_early_is_in_its_json_too() {
    let place = Place::new();
    let file = place.file("recording", CONVERSATION);
    let replay =
        Running::start(&place, &["replay", &file, "--listen", "server", "--json", "--timeout", "10ms"]);
    let late = replay.wait();
    let replay = Running::start(&place, &["replay", &file, "--listen", "server", "--json"]);
    let mut ends = vec![(late, "deadline"), (replay.interrupt(), "interrupted")];
    // Before there is a name to tell, it is all that is printed.
    let bad = place.file("bad", "moorline-tap 1\n0 1 open\n1 1 to-server 6\n");
    let long = "x".repeat(300);
    let early = [
        (&["replay", "--json", &bad, "--server", "nobody"][..], "line 3: these are no pairs"),
        (&["replay", "--json", &bad, "--listen", "server"], "line 3: these are no pairs"),
        (&["replay", "--json", "/nowhere", "--server", "nobody"], "/nowhere"),
        (&["replay", "--json", &file, "--server", &long], "too long"),
        (&["replay", "--json", &file, "--listen", &file], "recording"),
    ];
    for (arguments, what) in early {
        let Output { status, stdout, stderr } = place.run(arguments);
        let [output, errors] = [stdout, stderr].map(|text| String::from_utf8(text).unwrap());
        ends.push((Ended { code: status.code(), output, errors }, what));
    }
    for (ended, what) in ends {
        let report = ended.json();
        assert_eq!(
            (ended.code, &report["same"], &report["difference"]),
            (Some(1), &false.into(), &().into())
        );
        let error = report["error"].as_str().unwrap();
        assert!(error.contains(what) && ended.errors.contains(error), "{error}: {}", ended.errors);
    }
}

#[test]
fn what_cannot_be_played_is_told() {
    let place = Place::new();
    let file = place.file("recording", CONVERSATION);
    let bad = place.file("bad", "moorline-tap 2\n");
    let nobody = place.path("nobody");
    for (arguments, code, what) in [
        (&["replay", &file, "--server", "nobody"][..], 1, nobody.to_str().unwrap()),
        (&["replay", "/nowhere", "--server", "nobody"], 1, "/nowhere"),
        (&["replay", &bad, "--server", "nobody"], 1, "line 1: it is not \"moorline-tap 1\"\n"),
        (&["replay", &file], 2, "--server"),
        (&["replay", &file, "--server", "a", "--listen", "b"], 2, "cannot be used with"),
        (&["replay", &file, "--listen", "a", "--trust-anyone"], 2, "cannot be used with"),
    ] {
        let (found, text) = place.fails(arguments);
        assert_eq!(found, Some(code), "{arguments:?}");
        assert!(text.contains(what), "{text}");
    }
}

//! `exchange`: every byte verified, and the progress at a terminal.

use crate::support::Place;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};
use std::thread::{self, JoinHandle};

#[test]
fn an_exchange_is_verified_and_reported() {
    let place = Place::new();
    let arguments = ["exchange", "--connections", "3", "--chunk", "1000", "--round-trips", "30", "--json"];
    let (report, code) = place.json(&arguments);
    assert_eq!(code, Some(0));
    assert_eq!(report["right"], true);
    let row = &report["rows"][0];
    assert_eq!(
        (&row["connections"], &row["round_trips"], &row["bytes_received"]),
        (&3.into(), &30.into(), &30_000.into())
    );

    let table = place.run(&["exchange", "--chunk", "10"]);
    let text = String::from_utf8(table.stdout).unwrap();
    assert!(text.contains("data, 1 x 10 B"), "{text}");

    let page = place.path("report.html");
    let page = page.to_str().unwrap();
    // Of an earlier one, which is longer, nothing is left.
    fs::write(page, "<rect".repeat(10_000)).unwrap();
    assert!(place.run(&["exchange", "--connections", "2", "--report", page]).status.success());
    let page = fs::read_to_string(page).unwrap();
    assert_eq!((page.matches("<rect").count(), page.matches("ping-pong, 2").count()), (1, 2), "{page}");

    let liar = liar(&place, 0);
    let arguments = ["exchange", "liar", "--chunk", "4", "--round-trips", "1", "--json"];
    let (report, code) = place.json(&arguments);
    assert_eq!((&report["right"], code), (&false.into(), Some(1)));
    liar.join().unwrap();
}

/// A server that sends four bytes back so often, and then answers something else.
fn liar(place: &Place, truths: usize) -> JoinHandle<()> {
    let listener = UnixListener::bind(place.path("liar")).unwrap();
    thread::spawn(move || {
        let (mut stream, _): (UnixStream, _) = listener.accept().unwrap();
        for said in 0..=truths {
            let mut bytes = [0; 4];
            stream.read_exact(&mut bytes).unwrap();
            stream.write_all(if said < truths { &bytes } else { b"lies" }).unwrap();
        }
    })
}

#[test]
fn a_terminal_sees_the_progress() {
    let place = Place::new();
    let tool = env!("CARGO_BIN_EXE_moorline");
    let exchange = format!("{tool} exchange --connections 2 --round-trips 200000");
    let run = Command::new("script")
        .args(["--quiet", "--return", "--command", &exchange, "/dev/null"])
        .env("TMPDIR", place.directory())
        .env("TERM", "xterm")
        .stdin(Stdio::null())
        .output();
    let Ok(output) = run else {
        eprintln!("skipped: script(1) is not installed");
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("ping-pong, 2") && text.contains(" %"), "{text}");
    assert!(output.status.success());
}

#[test]
fn an_interrupted_exchange_tells_how_far_it_came_and_leaves_nothing_behind() {
    let place = Place::new();
    let arguments = ["exchange", "--connections", "1", "--round-trips", "1000000000000", "--json"];
    let mut exchange =
        place.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let names = || {
        let entries = fs::read_dir(place.directory()).unwrap().flatten();
        entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("exchange-")).count()
    };
    while names() == 0 {
        assert!(exchange.try_wait().unwrap().is_none());
    }
    let status = Command::new("kill").args(["-TERM", &exchange.id().to_string()]).status().unwrap();
    assert!(status.success());
    let output = exchange.wait_with_output().unwrap();
    let report = crate::support::to_json(&output.stdout);
    assert_eq!((output.status.code(), &report["right"]), (Some(1), &false.into()), "{report}");
    assert!(report["rows"][0]["error"].as_str().unwrap().contains("cancelled"), "{report}");
    assert_eq!(names(), 0);
}

#[test]
fn a_page_that_cannot_be_written_does_not_take_the_results_with_it() {
    let place = Place::new();
    let output = place.run(&["exchange", "--connections", "2", "--report", "/dev/full"]);
    let (table, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(table.contains("ping-pong, 2") && errors.contains("write /dev/full"), "{table}{errors}");
    assert_eq!(output.status.code(), Some(1));

    // What was measured is told as well.
    let liar = liar(&place, 1);
    let (code, text) =
        place.fails(&["exchange", "liar", "--chunk", "4", "--round-trips", "2", "--report", "/dev/full"]);
    assert_eq!(code, Some(1));
    assert!(text.contains("connection 0: byte 4 ") && text.contains("write /dev/full"), "{text}");
    liar.join().unwrap();

    // None is left where nothing was measured, and an earlier one stays as it was.
    for earlier in [None, Some("an earlier page")] {
        let page = place.path("page.html");
        earlier.iter().for_each(|text| fs::write(&page, text).unwrap());
        for begin in [&["--scope", "runtime"][..], &["nobody"]] {
            let arguments = [&["exchange", "--report", page.to_str().unwrap()], begin].concat();
            let output = place.command(&arguments).env_remove("XDG_RUNTIME_DIR").output().unwrap();
            assert_eq!(output.status.code(), Some(1));
            assert_eq!(fs::read_to_string(&page).ok().as_deref(), earlier, "{begin:?}");
        }
    }

    // One that cannot be made is told before there is a connection.
    let (code, text) = place.fails(&["exchange", "nobody", "--report", "/nowhere/report.html"]);
    assert_eq!(code, Some(1));
    assert!(text.contains("create /nowhere/report.html") && !text.contains("nobody"), "{text}");
}

#[test]
fn a_page_behind_a_link_is_written_there_and_not_left_in_vain() {
    let place = Place::new();
    fs::create_dir(place.path("pages")).unwrap();
    for (link, target) in [("first", "pages/second"), ("pages/second", "third"), ("round", "round")] {
        symlink(target, place.path(link)).unwrap();
    }
    let (page, made) = (place.path("first"), place.path("pages/third"));
    let exchange = |name: &[&str]| {
        let arguments =
            [&["exchange", "--connections", "1", "--report", page.to_str().unwrap()], name].concat();
        place.run(&arguments).status.code()
    };
    assert_eq!((exchange(&["nobody"]), made.exists()), (Some(1), false));
    assert_eq!(exchange(&[]), Some(0));
    let written = fs::read_to_string(&made).unwrap();
    assert!(written.contains("ping-pong, 1"), "{written}");
    // What is there stays.
    assert_eq!((exchange(&["nobody"]), fs::read_to_string(&made).unwrap()), (Some(1), written));
    assert!(fs::symlink_metadata(&page).unwrap().is_symlink());

    let round = place.path("round");
    let (code, text) = place.fails(&["exchange", "--report", round.to_str().unwrap()]);
    assert!(code == Some(1) && text.contains(&format!("create {}", round.display())), "{text}");
}

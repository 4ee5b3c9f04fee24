//! `proxy`: each fault, when it happens and when it does not.

use crate::support::{Ended, Place, Running, converse, may_exceed_limits, read_exactly, read_to_end};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use serde_json::Value;
use std::io::{IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::fs::symlink;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

/// An echo and a proxy before it.
struct Scene {
    place: Place,
    echo: Option<Running>,
    proxy: Option<Running>,
}

impl Scene {
    fn new(options: &[&str]) -> Scene {
        let place = Place::new();
        let echo = Running::serve(&place, &["echo"]);
        let proxy = Running::start(&place, &[&["proxy", "wire", "echo", "--json"], options].concat());
        Scene { place, echo: Some(echo), proxy: Some(proxy) }
    }

    /// What comes back of these bytes.
    fn exchange(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = self.place.connect("wire");
        // A connection that breaks takes no more.
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(Shutdown::Write);
        read_to_end(&mut stream)
    }

    fn end(mut self) -> Value {
        let ended: Ended = self.proxy.take().unwrap().interrupt();
        assert_eq!(ended.code, Some(0), "{}", ended.errors);
        assert!(!self.place.path("wire").exists());
        assert_eq!(self.echo.take().unwrap().interrupt().code, Some(0));
        ended.json()
    }
}

const FAULTS: [&str; 7] =
    ["flipped", "lost", "resets", "stops", "refused", "without_descriptor", "delayed_accepts"];

/// How often it counted each fault but this one.
fn others(report: &Value, fault: &str) -> u64 {
    FAULTS.iter().filter(|name| **name != fault).map(|name| report["faults"][name].as_u64().unwrap()).sum()
}

#[test]
fn without_faults_everything_passes_both_ways() {
    let scene = Scene::new(&[]);
    let bytes: Vec<u8> = (0..1000_u32).map(|place| place as u8).collect();
    assert_eq!(scene.exchange(&bytes), bytes);
    assert_eq!(converse(&scene.place, &["wire"], b"by the tool").stdout, b"by the tool");
    let report = scene.end();
    assert_eq!((&report["connections"], &report["not_connected"]), (&2.into(), &0.into()));
    assert_eq!((&report["to_server"], &report["to_client"]), (&1011.into(), &1011.into()));
    assert_eq!((others(&report, ""), &report["happened"]), (0, &Value::Array(vec![])));
}

#[test]
fn bytes_are_lost_and_flipped_where_and_which_way_they_are_to_be() {
    for (options, fault, count, change) in [
        (&["--lose-at", "1", "--direction", "to-client"][..], "lost", 1, Some("acd")),
        (&["--lose-at", "1", "--direction", "to-server"], "lost", 1, Some("acd")),
        // The byte that is the second on the way back was the third.
        (&["--lose-at", "1"], "lost", 2, Some("ad")),
        (&["--flip-at", "2", "--direction", "to-client"], "flipped", 1, None),
        // It never comes so far.
        (&["--lose-at", "4"], "lost", 0, Some("abcd")),
        (&["--flip-at", "4"], "flipped", 0, Some("abcd")),
    ] {
        let scene = Scene::new(options);
        let back = scene.exchange(b"abcd");
        match change {
            Some(expected) => assert_eq!(back, expected.as_bytes(), "{options:?}"),
            None => {
                assert_eq!((back.len(), &back[..2], back[3]), (4, &b"ab"[..], b'd'), "{options:?}");
                assert_eq!((back[2] ^ b'c').count_ones(), 1, "{options:?}");
            }
        }
        let report = scene.end();
        assert_eq!((&report["faults"][fault], others(&report, fault)), (&count.into(), 0), "{options:?}");
        assert_eq!(report["happened"].as_array().unwrap().len(), count);
    }
}

#[test]
fn chance_depends_on_the_seed_alone() {
    let bytes = vec![0; 20_000];
    let run = |seed: &str, option: &str| {
        let scene = Scene::new(&["--seed", seed, option, "1000", "--direction", "to-client"]);
        let back = scene.exchange(&bytes);
        let report = scene.end();
        assert_eq!(report["seed"].to_string(), seed);
        (back, report["happened"].clone())
    };
    for option in ["--flip-one-in", "--lose-one-in"] {
        let first = run("1", option);
        assert!(first.0 != bytes);
        assert_eq!(first.1, run("1", option).1);
        assert_ne!(first.1, run("2", option).1);
    }
}

#[test]
fn a_connection_breaks_or_stands_still_after_so_many_bytes() {
    let scene = Scene::new(&["--reset-after", "10", "--direction", "to-client"]);
    assert_eq!(scene.exchange(b"123456789"), b"123456789");
    assert_eq!(scene.exchange(b"1234567890"), b"");
    let report = scene.end();
    assert_eq!((&report["faults"]["resets"], others(&report, "resets")), (&1.into(), 0));

    let scene = Scene::new(&["--stop-after", "3"]);
    let mut stream = scene.place.connect("wire");
    stream.write_all(b"abcdef").unwrap();
    assert_eq!(read_exactly(&mut stream, 3), b"abc");
    stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    assert!(stream.read(&mut [0]).is_err());
    let report = scene.end();
    assert_eq!((&report["faults"]["stops"], others(&report, "stops")), (&2.into(), 0));
    assert_eq!(report["broken_at_stop"], true);
}

#[test]
fn pieces_are_small_and_late() {
    let scene = Scene::new(&["--pieces", "1-3", "--delay", "5ms-6ms", "--direction", "to-client"]);
    let mut stream = scene.place.connect("wire");
    let start = Instant::now();
    stream.write_all(b"123456789012").unwrap();
    let (mut back, mut buffer) = (Vec::new(), [0; 100]);
    while back.len() < 12 {
        let count = stream.read(&mut buffer).unwrap();
        assert!((1..=3).contains(&count), "{count}");
        back.extend_from_slice(&buffer[..count]);
    }
    assert_eq!(back, b"123456789012");
    // Four pieces at least.
    assert!(start.elapsed() >= Duration::from_millis(20));
    let report = scene.end();
    assert!(report["faults"]["pieces"].as_u64().unwrap() >= 5, "{report}");
    assert_eq!(others(&report, ""), 0);
}

#[test]
fn a_connection_is_refused_or_accepted_late() {
    let scene = Scene::new(&["--refuse-accept", "2"]);
    assert_eq!(scene.exchange(b"x"), b"x");
    assert_eq!(scene.exchange(b"x"), b"");
    assert_eq!(scene.exchange(b"x"), b"x");
    let report = scene.end();
    assert_eq!((&report["faults"]["refused"], others(&report, "refused")), (&1.into(), 0));

    let scene = Scene::new(&["--accept-delay", "30ms"]);
    let start = Instant::now();
    assert_eq!(scene.exchange(b"x"), b"x");
    assert!(start.elapsed() >= Duration::from_millis(30));
    let report = scene.end();
    assert_eq!((&report["faults"]["delayed_accepts"], others(&report, "delayed_accepts")), (&1.into(), 0));
}

#[test]
fn an_accept_without_a_descriptor_is_told_and_the_connection_served_all_the_same() {
    let scene = Scene::new(&["--no-descriptors-at", "1"]);
    assert_eq!(scene.exchange(b"x"), b"x");
    let report = scene.end();
    let fault = "without_descriptor";
    assert_eq!((&report["faults"][fault], others(&report, fault)), (&1.into(), 0));
    assert!(report["failures"][0].as_str().unwrap().contains("accept a connection"), "{report}");
}

#[test]
fn a_full_backlog_lets_nobody_connect_until_its_time() {
    let scene = Scene::new(&["--backlog-full"]);
    let refused = scene.place.run(&["connect", "wire", "--timeout", "0"]);
    assert_eq!(refused.status.code(), Some(1));
    let (diagnosis, _) = scene.place.json(&["doctor", "wire", "--json"]);
    assert_eq!(diagnosis["diagnosis"], "backlog-full");
    assert_eq!(scene.end()["connections"], 0);

    let scene = Scene::new(&["--backlog-full=100ms"]);
    assert_eq!(converse(&scene.place, &["wire"], b"patience").stdout, b"patience");
    assert_eq!(scene.end()["connections"], 1);
}

#[test]
fn what_happens_is_told_when_it_does_and_counted_in_a_table() {
    let place = Place::new();
    let _echo = Running::serve(&place, &["echo"]);
    let proxy =
        Running::start(&place, &["proxy", "wire", "echo", "--lose-at", "0", "--direction", "to-client"]);
    assert_eq!(converse(&place, &["wire"], b"abc").stdout, b"bc");
    let told = proxy.error();
    assert!(told.contains("connection 1, to the client, after 0 bytes: 0x61 is lost"), "{told}");
    let ended = proxy.interrupt();
    assert_eq!(ended.code, Some(0));
    let row = |words: &str| {
        let line = ended.output.lines().find(|line| line.starts_with(words)).unwrap_or_default();
        line.split_whitespace().next_back().unwrap_or_default().to_owned()
    };
    assert_eq!(
        (row("bytes left out"), row("bytes to the server"), row("bytes to the client")),
        ("1".into(), "3".into(), "2".into())
    );

    let quiet = Running::start(&place, &["proxy", "wire", "echo", "--lose-at", "0", "--quiet"]);
    converse(&place, &["wire"], b"abc");
    assert_eq!(quiet.interrupt().errors, "");
}

#[test]
fn a_link_to_a_server_is_no_reason_to_warn_and_one_that_leads_nowhere_is() {
    let place = Place::new();
    let server = Running::serve(&place, &["echo"]);
    symlink(&server.name, place.path("link")).unwrap();
    let proxy = Running::start(&place, &["proxy", "wire", "link"]);
    assert_eq!(converse(&place, &["wire"], b"passes").stdout, b"passes");
    let ended = proxy.interrupt();
    assert_eq!((ended.code, ended.errors.as_str()), (Some(0), ""));

    symlink("nowhere", place.path("dangling")).unwrap();
    let told = Running::start(&place, &["proxy", "wire", "dangling"]).error();
    assert!(told.contains("the link there cannot be followed"), "{told}");
}

#[test]
fn a_server_that_is_not_there_is_told_at_once_and_may_come_later() {
    let place = Place::new();
    place.dead("dead");
    for (target, scope, what) in [
        ("absent", "temporary", "no server of that name yet"),
        ("dead", "temporary", "its server has gone"),
        (place.path("nobody").to_str().unwrap(), "abstract", "no server of that name yet"),
    ] {
        let proxy = Running::start(&place, &["proxy", "wire", target, "--target-scope", scope, "--json"]);
        let told = proxy.error();
        assert!(told.contains("warning") && told.contains(target) && told.contains(what), "{told}");
        assert_eq!(read_to_end(&mut place.connect("wire")), b"");
        let told = proxy.error();
        assert!(told.contains(target), "{told}");

        let server = Running::serve(&place, &[target, "--scope", scope]);
        assert_eq!(converse(&place, &["wire"], b"now").stdout, b"now");
        let ended = proxy.interrupt();
        let report = ended.json();
        assert_eq!(
            (ended.code, &report["not_connected"], &report["connections"]),
            (Some(1), &1.into(), &2.into())
        );
        // One that is there is not warned of.
        let proxy = Running::start(&place, &["proxy", "wire", target, "--target-scope", scope]);
        let ended = proxy.interrupt();
        assert_eq!((ended.code, ended.errors.as_str()), (Some(0), ""));
        drop(server);
    }
}

#[test]
fn conversations_are_broken_at_once_or_after_the_linger_or_another_interrupt() {
    for (linger, again) in [("0", false), ("20ms", false), ("9999", true)] {
        let place = Place::new();
        let _echo = Running::serve(&place, &["echo"]);
        let proxy = Running::start(&place, &["proxy", "wire", "echo", "--json", "--linger", linger]);
        let mut stream = place.connect("wire");
        stream.write_all(b"x").unwrap();
        read_exactly(&mut stream, 1);
        proxy.signal("-TERM");
        if again {
            while place.path("wire").exists() {
                std::thread::yield_now();
            }
            // It lingers: the conversation goes on.
            stream.write_all(b"y").unwrap();
            assert_eq!(read_exactly(&mut stream, 1), b"y");
            proxy.signal("-INT");
        }
        assert_eq!(read_to_end(&mut stream), b"");
        let ended = proxy.wait();
        assert_eq!((ended.code, &ended.json()["broken_at_stop"]), (Some(0), &true.into()), "{linger}");
    }
    let place = Place::new();
    let _echo = Running::serve(&place, &["echo"]);
    let proxy = Running::start(&place, &["proxy", "wire", "echo", "--json", "--linger", "9999"]);
    let mut stream = place.connect("wire");
    stream.write_all(b"x").unwrap();
    read_exactly(&mut stream, 1);
    proxy.signal("-INT");
    drop(stream);
    assert_eq!(proxy.wait().json()["broken_at_stop"], false);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let place = Place::new();
    for wrong in [
        &["proxy", "wire"][..],
        &["proxy", "wire", "echo", "--pieces", "x"],
        &["proxy", "wire", "echo", "--delay", "1h"],
        &["proxy", "wire", "echo", "--direction", "up"],
        &["proxy", "wire", "echo", "--backlog", "0"],
    ] {
        assert_eq!(place.fails(wrong).0, Some(2), "{wrong:?}");
    }
    for (option, value) in [
        ("--pieces", "0"),
        ("--pieces", "0-3"),
        ("--pieces", "3-1"),
        ("--delay", "2ms-1ms"),
        ("--flip-one-in", "0"),
        ("--lose-one-in", "0"),
        ("--refuse-accept", "0"),
        ("--no-descriptors-at", "0"),
    ] {
        // To itself, which only comes up when the faults make sense.
        let (code, text) = place.fails(&["proxy", "wire", "wire", option, value]);
        assert_eq!(code, Some(2), "{option} {value}");
        assert!(text.contains(option) && text.contains(value), "{text}");
    }
    let (code, text) = place.fails(&["proxy", "wire", place.path("wire").to_str().unwrap()]);
    assert_eq!(code, Some(1));
    assert!(text.contains("its own server"), "{text}");
    assert!(!place.path("wire").exists());
}

#[test]
fn faults_that_are_only_counted_are_said_to_be_so() {
    let scene = Scene::new(&["--flip-one-in", "1", "--direction", "to-client"]);
    assert_eq!(scene.exchange(&[0; 20_000]).len(), 20_000);
    let Scene { place: _place, proxy, .. } = scene;
    let ended = proxy.unwrap().interrupt();
    let report = ended.json();
    let happened = report["happened"].as_array().unwrap();
    assert_eq!((&report["faults"]["flipped"], happened.len()), (&20_000.into(), 10_000));
    let last = "what else happens is only counted";
    assert_eq!(happened.last().unwrap(), last);
    assert_eq!(
        (ended.errors.lines().count(), ended.errors.lines().last()),
        (10_000, Some(&*format!("moorline: {last}")))
    );
}

/// A proxy that may have so many descriptors.
fn limited(place: &Place, descriptors: &str) -> Running {
    let line = "ulimit -n \"$1\"; exec \"$0\" proxy wire server --json";
    let mut command = place.any_command("sh");
    command.args(["-c", line, env!("CARGO_BIN_EXE_moorline"), descriptors]);
    Running::of(command)
}

/// Sends a byte, and so many duplicates of a descriptor with it.
fn send_descriptors(peer: &UnixStream, count: usize) {
    let file = tempfile::tempfile().unwrap();
    let descriptors = vec![file.as_fd(); count];
    let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(count))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(control.push(SendAncillaryMessage::ScmRights(&descriptors)));
    sendmsg(peer, &[IoSlice::new(b"x")], &mut control, SendFlags::NOSIGNAL).unwrap();
}

#[test]
fn descriptors_that_it_cannot_receive_break_the_connection_and_are_told() {
    let place = Place::new();
    let server = UnixListener::bind(place.path("server")).unwrap();
    let proxy = limited(&place, "60");
    let client = place.connect("wire");
    let mut accepted = server.accept().unwrap().0;
    send_descriptors(&client, 100);
    assert_eq!(read_to_end(&mut accepted), b"");
    let ended = proxy.interrupt();
    let report = ended.json();
    assert_eq!((ended.code, &report["not_connected"]), (Some(1), &1.into()));
    let told = "connection 1: receive descriptors: a limit is reached";
    assert!(ended.errors.contains(told), "{}", ended.errors);
    assert!(report["failures"][0].as_str().unwrap().starts_with(told), "{report}");
}

/// As unix(7) says of ETOOMANYREFS.
#[test]
fn descriptors_that_it_cannot_pass_on_yet_are_told_and_passed_on_later() {
    let place = Place::new();
    let server = UnixListener::bind(place.path("server")).unwrap();
    let proxy = limited(&place, "60");
    if may_exceed_limits(&proxy.id().to_string()) {
        eprintln!("left out: this user's processes may have any number of descriptors on their way");
        return;
    }
    let on_their_way = UnixStream::pair().unwrap();
    send_descriptors(&on_their_way.0, 100);
    let client = place.connect("wire");
    let mut accepted = server.accept().unwrap().0;
    send_descriptors(&client, 1);
    let told = proxy.error();
    assert!(told.contains("connection 1: pass on what came: a limit is reached"), "{told}");
    drop(on_their_way);
    assert_eq!(read_exactly(&mut accepted, 1), b"x");
    drop((client, accepted));
    let ended = proxy.interrupt();
    let report = ended.json();
    assert_eq!((ended.code, &report["to_server"]), (Some(0), &1.into()), "{}", ended.errors);
    assert_eq!(report["failures"].as_array().unwrap().len(), 1, "{report}");
}

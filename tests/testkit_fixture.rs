//! Fixtures: each step of a script does what it says, and a missed expectation is told with everything that led to it.

mod support;

use moorline::socket::Direction as Half;
use moorline::testkit::{FaultPlan, Faults, Fixture, FixtureOptions, Script, Verdicts};
use moorline::{Clock, Socket, SocketOptions, Status, Timeout};
use std::time::Duration;
use support::{WATCHDOG, receive_exactly, until};

fn start(script: &str) -> Fixture {
    start_with(script, FixtureOptions::default())
}

fn start_with(script: &str, options: FixtureOptions) -> Fixture {
    Fixture::start(Script::parse(script).unwrap(), FixtureOptions { quiet: true, ..options }).unwrap()
}

fn connect(fixture: &Fixture) -> Socket {
    Socket::connect(fixture.full_name().unwrap(), &SocketOptions::default(), WATCHDOG).unwrap()
}

fn end_of(socket: &Socket) -> Status {
    socket.receive(&mut [0; 10], WATCHDOG).unwrap_err().status()
}

/// The text of the expectation that was missed.
fn missed(fixture: &Fixture) -> String {
    let error = fixture.wait(1, WATCHDOG).unwrap_err();
    assert_eq!(error.status(), Status::Mismatch);
    error.to_string()
}

#[test]
fn an_echo_sends_back_and_a_sink_takes_and_a_flood_sends() {
    let echo = Fixture::start(Script::echo(), FixtureOptions::default()).unwrap();
    let client = connect(&echo);
    client.send(b"hello", WATCHDOG).unwrap();
    assert_eq!(receive_exactly(&client, 5), b"hello");
    client.shut_down(Half::Sending, WATCHDOG).unwrap();
    assert_eq!(end_of(&client), Status::Disconnected);
    echo.wait(1, WATCHDOG).unwrap();

    let sink = Fixture::start(Script::sink(), FixtureOptions::default()).unwrap();
    let client = connect(&sink);
    client.send(&vec![1; 1 << 20], WATCHDOG).unwrap();
    sink.wait_received(1 << 20, WATCHDOG).unwrap();
    assert_eq!(sink.wait_received((1 << 20) + 1, Timeout::None).unwrap_err().status(), Status::WouldBlock);
    drop(client);
    sink.wait(1, WATCHDOG).unwrap();

    let flood = Fixture::start(Script::flood(Some(1 << 20)), FixtureOptions::default()).unwrap();
    let client = connect(&flood);
    let flooded = receive_exactly(&client, 1 << 20);
    assert!(flooded.iter().enumerate().all(|(place, byte)| place % 251 == usize::from(*byte)));
    let endless = Fixture::start(Script::flood(None), FixtureOptions::default()).unwrap();
    let client = connect(&endless);
    receive_exactly(&client, 1 << 22);
    drop(client);
    endless.wait(1, WATCHDOG).unwrap();
    assert!(endless.report().sent >= 1 << 22);
}

#[test]
fn a_large_echo_is_held_up_by_a_peer_that_does_not_read_and_loses_nothing() {
    let echo = Fixture::start(Script::echo(), FixtureOptions::default()).unwrap();
    let client = connect(&echo);
    let sent: Vec<u8> = (0..3_000_000_u32).map(|place| (place % 253) as u8).collect();
    std::thread::scope(|scope| {
        scope.spawn(|| client.send(&sent, WATCHDOG).unwrap());
        assert!(receive_exactly(&client, sent.len()) == sent);
    });
}

#[test]
fn a_script_is_followed_to_its_end() {
    let fixture = start(
        "expect \"hello\\n\" within 30s\nsend \"who?\"\nframing big-endian\nexpect-message \"me\"\nsend-message \"ok\"\nwait 1ms\nend\nexpect-end",
    );
    let client = connect(&fixture);
    // In pieces: what counts are the bytes.
    client.send(b"hel", WATCHDOG).unwrap();
    client.send(b"lo\n\0\0", WATCHDOG).unwrap();
    assert_eq!(receive_exactly(&client, 4), b"who?");
    client.send(b"\0\x02me", WATCHDOG).unwrap();
    assert_eq!(receive_exactly(&client, 6), b"\0\0\0\x02ok");
    assert_eq!(end_of(&client), Status::Disconnected);
    assert_eq!(fixture.wait(1, Timeout::None).unwrap_err().status(), Status::WouldBlock);
    drop(client);
    fixture.wait(1, WATCHDOG).unwrap();
    let report = fixture.report();
    assert_eq!((report.connections, report.finished, report.missed), (1, 1, 0));
    assert_eq!((report.received, report.sent), (12, 10));
    let transcript = fixture.transcript();
    for part in ["connected: user ", "<- ", "waits for 1ms", "-> 4 bytes \"who?\"", "-> the end"] {
        assert!(transcript.contains(part), "{part} in {transcript}");
    }
}

#[test]
fn wrong_bytes_are_told_with_the_whole_transcript_and_the_connection_breaks() {
    let fixture = start("send \"hi\"\nexpect \"hello\"");
    let client = connect(&fixture);
    client.send(b"help!", WATCHDOG).unwrap();
    let text = missed(&fixture);
    for part in [
        "line 2, expect \"hello\"",
        "byte 3 is \"p!\", not \"lo\"",
        "-> 2 bytes \"hi\"",
        "<- 5 bytes \"help!\"",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    // What happened is told in lines.
    assert!(text.lines().filter(|line| line.starts_with("  [1] ")).count() > 3, "{text}");
    receive_exactly(&client, 2);
    assert_eq!(end_of(&client), Status::Disconnected);
}

#[test]
fn what_does_not_come_in_time_is_missed_and_what_does_is_not() {
    let fixture = start("expect \"hello\" within 20ms");
    let client = connect(&fixture);
    client.send(b"hel", WATCHDOG).unwrap();
    let text = missed(&fixture);
    assert!(text.contains("only 3 of 5 bytes came in time"), "{text}");

    let ends_early = start("expect \"hello\"");
    drop(connect(&ends_early));
    assert!(missed(&ends_early).contains("the peer ended when 0 of 5 bytes came"));

    let goes_on = start("expect-end within 10ms");
    let _client = connect(&goes_on);
    assert!(missed(&goes_on).contains("it did not end"));

    let too_much = start("expect \"a\"");
    let client = connect(&too_much);
    client.send(b"ab", WATCHDOG).unwrap();
    assert!(missed(&too_much).contains("after the last step: there came \"b\""));
}

#[test]
fn each_flood_of_a_script_sends_its_own_bytes() {
    let fixture = start("flood 300\nexpect \"more\"\nflood 20\nflood 300\nend");
    let client = connect(&fixture);
    let counted_up =
        |bytes: Vec<u8>| bytes.iter().enumerate().all(|(place, byte)| place % 251 == usize::from(*byte));
    assert!(counted_up(receive_exactly(&client, 300)));
    client.send(b"more", WATCHDOG).unwrap();
    for bytes in [20, 300] {
        assert!(counted_up(receive_exactly(&client, bytes)));
    }
    assert_eq!(end_of(&client), Status::Disconnected);
    drop(client);
    fixture.wait(1, WATCHDOG).unwrap();
    assert_eq!(fixture.report().sent, 620);
}

#[test]
fn close_and_reset_end_the_connection() {
    for (script, sent) in [("send \"x\"\nclose", 1), ("reset", 0)] {
        let fixture = start(script);
        let client = connect(&fixture);
        receive_exactly(&client, sent);
        assert_eq!(end_of(&client), Status::Disconnected);
        fixture.wait(1, WATCHDOG).unwrap();
    }
}

#[test]
fn the_deadlines_of_a_script_run_on_a_clock_that_the_test_moves() {
    let clock = Clock::manual();
    let options = FixtureOptions { clock: clock.clone(), ..FixtureOptions::default() };
    let fixture = start_with("wait 3600s\nsend \"x\"\nexpect \"y\" within 3600s", options);
    let client = connect(&fixture);
    until(|| fixture.report().connections > 0);
    clock.advance(Duration::from_secs(3599)).unwrap();
    assert_eq!(
        client.receive(&mut [0; 10], Timeout::After(Duration::from_millis(10))).unwrap_err().status(),
        Status::TimedOut
    );
    clock.advance(Duration::from_secs(1)).unwrap();
    receive_exactly(&client, 1);
    assert_eq!(fixture.wait(1, Timeout::None).unwrap_err().status(), Status::WouldBlock);
    clock.advance(Duration::from_secs(3600)).unwrap();
    assert!(missed(&fixture).contains("0 of 1 bytes came in time"));
}

#[test]
fn a_missed_expectation_ends_the_wait_of_the_verdicts() {
    let verdicts = Verdicts::new();
    let options = FixtureOptions { verdicts: Some(verdicts.clone()), ..FixtureOptions::default() };
    let fixture = start_with("\n\nexpect \"x\"", options);
    let client = connect(&fixture);
    client.send(b"y", WATCHDOG).unwrap();
    assert_eq!(verdicts.wait(WATCHDOG).unwrap_err().status(), Status::Mismatch);
    let failure = verdicts.take_first().unwrap();
    assert_eq!((failure.file.as_str(), failure.line), ("script", 3));
    assert!(failure.text.contains("byte 0 is \"y\", not \"x\""), "{failure}");
}

#[test]
fn who_has_waited_for_a_missed_expectation_finds_its_verdict() {
    // Whoever comes to wait at any moment of its end.
    for _ in 0..300 {
        let verdicts = Verdicts::new();
        let options =
            FixtureOptions { verdicts: Some(verdicts.clone()), quiet: true, ..FixtureOptions::default() };
        let fixture = start_with("expect \"hello\"", options);
        connect(&fixture).send(b"help!", WATCHDOG).unwrap();
        until(|| !fixture.wait(1, Timeout::None).is_err_and(|error| error.status() == Status::WouldBlock));
        assert_eq!(verdicts.count(), 1);
    }
}

#[test]
fn fixtures_never_have_each_others_names_and_each_connection_has_its_script() {
    let fixtures: Vec<_> = (0..20).map(|_| start("send \"x\"\nclose")).collect();
    let names: std::collections::BTreeSet<_> = fixtures.iter().map(|it| it.full_name().unwrap()).collect();
    assert_eq!(names.len(), 20);
    let clients: Vec<_> = (0..5).map(|_| connect(&fixtures[0])).collect();
    for client in &clients {
        receive_exactly(client, 1);
    }
    fixtures[0].wait(5, WATCHDOG).unwrap();
}

#[test]
fn stopping_gives_the_name_back_and_ends_who_waits() {
    let fixture = start("expect \"x\"");
    let name = fixture.full_name().unwrap();
    let client = connect(&fixture);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| fixture.wait(1, Timeout::Forever).unwrap_err().status());
        fixture.stop();
        assert_eq!(waiting.join().unwrap(), Status::Closed);
    });
    assert_eq!(end_of(&client), Status::Disconnected);
    assert!(!std::path::Path::new(&name).exists());
    fixture.stop();
}

#[test]
fn a_fixture_can_have_faults() {
    let faults =
        FaultPlan::new(Faults { pieces: Some(1..=1), no_descriptors_at: Some(1), ..Faults::default() })
            .unwrap();
    let options = FixtureOptions { faults: Some(faults.clone()), ..FixtureOptions::default() };
    let fixture = start_with("expect \"hello\"\nsend \"world\"", options);
    let client = connect(&fixture);
    client.send(b"hello", WATCHDOG).unwrap();
    let mut buffer = [0; 10];
    assert_eq!(client.receive(&mut buffer, WATCHDOG).unwrap(), 1);
    assert_eq!(receive_exactly(&client, 4), b"orld");
    assert_eq!(faults.counts().without_descriptor, 1);
}

#[test]
fn many_that_wait_to_be_served_for_an_instant_are_served_one_after_another() {
    const CLIENTS: u64 = 3000;
    let never = Faults { accept_delay: Some(Duration::MAX), ..Faults::default() };
    let plan = FaultPlan::new(never).unwrap();
    let fixture =
        start_with("close", FixtureOptions { faults: Some(plan.clone()), ..FixtureOptions::default() });
    let name = fixture.full_name().unwrap();
    // As many as the system lets wait.
    let clients = (0..CLIENTS)
        .take_while(|_| Socket::connect(&name, &SocketOptions::default(), Timeout::None).is_ok())
        .count();
    assert!(clients > 0);
    assert_eq!(fixture.report().connections, 0);
    plan.end();
    fixture.wait(clients as u64, WATCHDOG).unwrap();
}

#[test]
fn a_fixture_can_be_stopped_while_it_floods_somebody_who_never_pauses() {
    let flood = start("flood");
    let client = connect(&flood);
    std::thread::scope(|scope| {
        let (reads, flows) = std::sync::mpsc::channel();
        scope.spawn(move || {
            let mut buffer = vec![0; 1 << 20];
            while client.receive(&mut buffer, WATCHDOG).is_ok() {
                let _ = reads.send(());
            }
        });
        flows.recv().unwrap();
        flood.stop();
    });
    assert_eq!(flood.wait(1, Timeout::Forever).unwrap_err().status(), Status::Closed);
}

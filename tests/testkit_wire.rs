//! The proxy, the tap and the replay.

mod support;

use moorline::name::{Name, Scope};
use moorline::socket::Direction as Half;
use moorline::testkit::faults::Direction;
use moorline::testkit::proxy::ProxyStatistics;
use moorline::testkit::tap::TapEvent;
use moorline::testkit::{
    FaultPlan, Faults, Fixture, FixtureOptions, Proxy, ProxyOptions, Recording, ReplayOptions, Script, Tap,
};
use moorline::{Framing, MessageOptions, Server, ServerOptions, Socket, SocketOptions, Status, Timeout};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::symlink;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::{WATCHDOG, connect, listening, receive_exactly, until};

fn name(prefix: &str) -> Name {
    Name::unique(prefix, Scope::Temporary).unwrap()
}

fn proxy_to(target: Name, options: ProxyOptions) -> Proxy {
    Proxy::start(name("proxy"), target, options).unwrap()
}

fn name_of(server: &Server) -> Name {
    server.name().unwrap().unwrap()
}

fn client_of(proxy: &Proxy) -> Socket {
    Socket::connect(proxy.full_name().unwrap(), &SocketOptions::default(), WATCHDOG).unwrap()
}

#[test]
fn a_proxy_is_not_its_own_server() {
    let own = name("own");
    let error = Proxy::start(own.clone(), own.clone(), ProxyOptions::default()).err().unwrap();
    assert_eq!(error.status(), Status::InvalidArgument);
    assert!(error.to_string().contains(&own.to_string()), "{error}");
    assert!(!own.as_path().unwrap().exists());
    let own = Name::unique("own", Scope::Abstract).unwrap();
    let error = Proxy::start(own.clone(), own, ProxyOptions::default()).err().unwrap();
    assert_eq!(error.status(), Status::InvalidArgument);

    // Each client would have it connect to itself until there are no descriptors.
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("own");
    let link = directory.path().join("link");
    symlink(directory.path(), &link).unwrap();
    let [own, same] = [path.clone(), link.join("own")].map(|it| Name::resolve(it, Scope::Temporary).unwrap());
    for (name, target) in [(&own, &same), (&same, &own)] {
        let error = Proxy::start(name.clone(), target.clone(), ProxyOptions::default()).err().unwrap();
        assert_eq!(error.status(), Status::InvalidArgument);
        assert!(error.to_string().contains("its own server"), "{error}");
        assert!(!path.exists());
    }
}

#[test]
fn two_foreign_programs_talk_through_a_proxy() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("server");
    let server = UnixListener::bind(&path).unwrap();
    let proxy = proxy_to(Name::resolve(&path, Scope::Temporary).unwrap(), ProxyOptions::default());
    let mut client = UnixStream::connect(proxy.full_name().unwrap()).unwrap();
    let sent: Vec<u8> = (0..1_000_000_u32).map(|place| (place % 249) as u8).collect();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (mut accepted, _) = server.accept().unwrap();
            let mut all = Vec::new();
            accepted.read_to_end(&mut all).unwrap();
            accepted.write_all(&all).unwrap();
        });
        client.write_all(&sent).unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        let mut back = Vec::new();
        client.read_to_end(&mut back).unwrap();
        assert!(back == sent);
    });
    drop(client);
    proxy.stop(WATCHDOG).unwrap();
    assert_eq!(proxy.take_failures(), Vec::<String>::new());
    let size = sent.len() as u64;
    let ProxyStatistics { accepted, not_connected, to_server, to_client, .. } = proxy.statistics();
    assert_eq!((accepted, not_connected, to_server, to_client), (1, 0, size, size));
}

#[test]
fn descriptors_for_a_server_that_takes_none_do_not_end_the_conversation() {
    let messages = Some(Arc::new(MessageOptions::new(Framing::BigEndian)));
    let server = listening(ServerOptions { messages: messages.clone(), ..ServerOptions::default() });
    let proxy = proxy_to(name_of(&server), ProxyOptions::default());
    // Of a client's that sends descriptors, which the proxy takes, and the server does not.
    let takes = MessageOptions { max_descriptors: 1, ..MessageOptions::new(Framing::BigEndian) };
    let options = SocketOptions { messages: Some(Arc::new(takes)), ..SocketOptions::default() };
    let client = Socket::connect(proxy.full_name().unwrap(), &options, WATCHDOG).unwrap();
    let accepted = server.accept(WATCHDOG).unwrap();
    let file = tempfile::tempfile().unwrap();
    client.send_message_with(b"with", &[file.as_fd()], WATCHDOG).unwrap();
    client.send_message(b"without", WATCHDOG).unwrap();
    for expected in [&b"with"[..], b"without"] {
        let message = accepted.receive_message(WATCHDOG).unwrap();
        assert_eq!((&message.data[..], message.descriptors.len()), (expected, 0));
    }
}

#[test]
fn faults_of_the_proxy_reach_programs_that_know_nothing_of_it() {
    let echo = Fixture::start(Script::echo(), FixtureOptions::default()).unwrap();
    let faults = Faults {
        pieces: Some(1..=2),
        lose_at: Some(1),
        direction: Some(Direction::ToClient),
        ..Faults::default()
    };
    let plan = FaultPlan::new(faults).unwrap();
    let target = Name::resolve(echo.full_name().unwrap(), Scope::Temporary).unwrap();
    let proxy = proxy_to(target, ProxyOptions { faults: Some(plan.clone()), ..Default::default() });
    let mut client = UnixStream::connect(proxy.full_name().unwrap()).unwrap();
    client.write_all(b"abcdef").unwrap();
    let mut back = Vec::new();
    let mut buffer = [0; 10];
    while back.len() < 5 {
        let received = client.read(&mut buffer).unwrap();
        assert!(received <= 2);
        back.extend_from_slice(&buffer[..received]);
    }
    assert_eq!(back, b"acdef");
    assert_eq!(plan.counts().lost, 1);
}

#[test]
fn a_proxy_can_refuse_a_client() {
    let server = listening(ServerOptions::default());
    let plan = FaultPlan::new(Faults { refuse_accept_at: Some(1), ..Faults::default() }).unwrap();
    let proxy = proxy_to(name_of(&server), ProxyOptions { faults: Some(plan), ..Default::default() });
    let refused = client_of(&proxy);
    assert_eq!(refused.receive(&mut [0; 10], WATCHDOG).unwrap_err().status(), Status::Disconnected);
    let served = client_of(&proxy);
    served.send(b"x", WATCHDOG).unwrap();
    let accepted = server.accept(WATCHDOG).unwrap();
    receive_exactly(&accepted, 1);
}

#[test]
fn a_proxy_without_a_server_behind_it_says_so_and_goes_on() {
    let target = name("target");
    let proxy = proxy_to(target.clone(), ProxyOptions::default());
    let client = client_of(&proxy);
    assert_eq!(client.receive(&mut [0; 10], WATCHDOG).unwrap_err().status(), Status::Disconnected);
    let failures = proxy.take_failures();
    assert!(failures[0].contains(&target.to_string()), "{failures:?}");
    let statistics = proxy.statistics();
    assert_eq!((statistics.accepted, statistics.not_connected), (1, 1));
    let server = Server::new(ServerOptions::default());
    server.listen_on(target).unwrap();
    let _client = client_of(&proxy);
    server.accept(WATCHDOG).unwrap();
}

#[test]
fn each_failure_is_a_line_whatever_the_name_of_the_server() {
    let proxy = proxy_to(name("two\nlines"), ProxyOptions::default());
    assert_eq!(client_of(&proxy).receive(&mut [0], WATCHDOG).unwrap_err().status(), Status::Disconnected);
    let failures = proxy.take_failures();
    assert_eq!(failures.len(), 1);
    assert!(failures[0].contains("two\\nlines") && !failures[0].contains('\n'), "{failures:?}");
}

#[test]
fn stopping_waits_for_conversations_and_breaks_them_at_the_deadline() {
    let server = listening(ServerOptions::default());
    let proxy = proxy_to(name_of(&server), ProxyOptions::default());
    let path = proxy.full_name().unwrap();
    let client = client_of(&proxy);
    let accepted = server.accept(WATCHDOG).unwrap();
    let begin = Instant::now();
    let error = proxy.stop(Timeout::After(Duration::from_millis(20))).unwrap_err();
    assert_eq!(error.status(), Status::TimedOut);
    assert!(begin.elapsed() >= Duration::from_millis(20));
    assert_eq!(client.receive(&mut [0; 10], WATCHDOG).unwrap_err().status(), Status::Disconnected);
    assert_eq!(accepted.receive(&mut [0; 10], WATCHDOG).unwrap_err().status(), Status::Disconnected);
    assert!(!std::path::Path::new(&path).exists());
}

/// Nobody need have looked at it since.
#[test]
fn a_stop_does_not_wait_for_a_server_that_has_no_room() {
    let server = listening(ServerOptions { backlog: Some(1), ..ServerOptions::default() });
    let options = SocketOptions::default();
    let connect = || Socket::connect(server.full_name().unwrap(), &options, Timeout::None);
    let _waiting: Vec<Socket> = std::iter::from_fn(|| connect().ok()).collect();
    let for_ever = ProxyOptions { connect_timeout: Duration::MAX, ..ProxyOptions::default() };
    let proxy = proxy_to(name_of(&server), for_ever);
    let _client = client_of(&proxy);
    until(|| proxy.statistics().accepted == 1);
    proxy.stop(WATCHDOG).unwrap();
    assert_eq!(proxy.statistics().not_connected, 1);
}

#[test]
fn a_server_that_has_no_room_is_tried_for_as_long_as_was_said() {
    const SHORT: Duration = Duration::from_millis(50);
    let server = listening(ServerOptions { backlog: Some(1), ..ServerOptions::default() });
    let options = SocketOptions::default();
    let connect = || Socket::connect(server.full_name().unwrap(), &options, Timeout::None);
    let _waiting: Vec<Socket> = std::iter::from_fn(|| connect().ok()).collect();
    let proxy =
        proxy_to(name_of(&server), ProxyOptions { connect_timeout: SHORT, ..ProxyOptions::default() });
    let begun = Instant::now();
    let client = client_of(&proxy);
    assert_eq!(client.receive(&mut [0], WATCHDOG).unwrap_err().status(), Status::Disconnected);
    assert!(begun.elapsed() >= SHORT, "{:?}", begun.elapsed());
    assert_eq!((proxy.statistics().not_connected, proxy.take_failures().len()), (1, 1));
}

#[test]
fn a_stop_breaks_no_conversation_whose_client_has_left() {
    let echo = Fixture::start(Script::echo(), FixtureOptions::default()).unwrap();
    let target = Name::resolve(echo.full_name().unwrap(), Scope::Temporary).unwrap();
    for _ in 0..50 {
        let proxy = proxy_to(target.clone(), ProxyOptions::default());
        let client = client_of(&proxy);
        client.send(b"x", WATCHDOG).unwrap();
        receive_exactly(&client, 1);
        drop(client);
        proxy.stop(Timeout::None).unwrap();
    }
}

/// A conversation in which the client says "hello", the server answers "who?", the client says "me" and leaves.
fn record(directory: &std::path::Path) -> Recording {
    let file = directory.join("recording");
    let script = "expect \"hello\"\nsend \"who?\"\nexpect \"me\"\nexpect-end\nclose";
    let fixture = Fixture::start(Script::parse(script).unwrap(), FixtureOptions::default()).unwrap();
    let tap = Tap::create(&file).unwrap();
    let target = Name::resolve(fixture.full_name().unwrap(), Scope::Temporary).unwrap();
    let proxy = proxy_to(target, ProxyOptions { tap: Some(tap.clone()), ..Default::default() });
    let client = client_of(&proxy);
    client.send(b"hello", WATCHDOG).unwrap();
    receive_exactly(&client, 4);
    client.send(b"me", WATCHDOG).unwrap();
    client.shut_down(Half::Sending, WATCHDOG).unwrap();
    fixture.wait(1, WATCHDOG).unwrap();
    drop(client);
    proxy.stop(WATCHDOG).unwrap();
    tap.check().unwrap();
    Recording::read(&file).unwrap()
}

#[test]
fn a_tap_records_both_directions_and_who_and_when() {
    let directory = tempfile::tempdir().unwrap();
    let recording = record(directory.path());
    let mut said = [Vec::new(), Vec::new()];
    for entry in &recording.entries {
        if let TapEvent::Data { direction, bytes, descriptors } = &entry.event {
            said[*direction as usize].extend_from_slice(bytes);
            assert_eq!(*descriptors, 0);
        }
    }
    assert_eq!(said, [b"hellome".to_vec(), b"who?".to_vec()]);
    let TapEvent::Open(Some(client)) = recording.entries[0].event else { panic!("{recording:?}") };
    assert_eq!(client.pid, Some(std::process::id()));
    assert_eq!(recording.entries.last().unwrap().event, TapEvent::Close);
    assert!(recording.entries.iter().any(|entry| entry.event == TapEvent::End(Direction::ToServer)));
    assert!(recording.entries.is_sorted_by_key(|entry| entry.at));
    // The file is this user's alone, and never one that was there.
    use std::os::unix::fs::PermissionsExt;
    let file = directory.path().join("recording");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(Tap::create(&file).err().unwrap().status(), Status::NameInUse);
}

#[test]
fn a_recording_is_played_to_a_server_that_does_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let recording = record(directory.path());
    let script = "expect \"hello\"\nsend \"who?\"\nexpect \"me\"\nexpect-end\nclose";
    let fixture = Fixture::start(Script::parse(script).unwrap(), FixtureOptions::default()).unwrap();
    let target = Name::resolve(fixture.full_name().unwrap(), Scope::Temporary).unwrap();
    let replay = recording.play_clients(&target, &ReplayOptions::default(), WATCHDOG).unwrap();
    assert_eq!(replay.difference, None);
    assert_eq!((replay.connections, replay.sent, replay.matched), (1, 7, 4));
    fixture.wait(1, WATCHDOG).unwrap();
}

#[test]
fn the_first_difference_of_a_server_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let recording = record(directory.path());
    let difference = |script: &str, patience| {
        let options = FixtureOptions { quiet: true, ..FixtureOptions::default() };
        let fixture = Fixture::start(Script::parse(script).unwrap(), options).unwrap();
        let target = Name::resolve(fixture.full_name().unwrap(), Scope::Temporary).unwrap();
        let options = ReplayOptions { patience, ..ReplayOptions::default() };
        let played = recording.play_clients(&target, &options, Timeout::Forever).unwrap();
        let difference = played.difference.expect(script);
        assert_eq!((difference.connection, played.matched), (1, difference.byte), "{script}: {difference}");
        difference
    };
    let longest = Duration::from_secs(30);
    for (script, byte, found) in [
        ("expect \"hello\"\nsend \"what?\"\nsink", 2, "\"at\""),
        ("expect \"hello\"\nsend \"wh\"\nclose", 2, "its end"),
        ("expect \"hello\"\nsend \"who?!\"\nsink", 4, "\"!\""),
        ("expect \"hello\"\nsend \"who?\"\nsink\nsend \"!\"", 4, "\"!\""),
    ] {
        let difference = difference(script, longest);
        assert_eq!((difference.byte, difference.found.as_str()), (byte, found), "{script}: {difference}");
    }

    // A server that is held up for as long as it is waited for has said less than this.
    let falls_silent = |patience| difference("expect \"hello\"\nsend \"wh\"\nsink", patience);
    let mut patience = Duration::from_millis(10);
    let mut silence = falls_silent(patience);
    while silence.byte < 2 && patience < longest {
        patience *= 2;
        silence = falls_silent(patience);
    }
    assert_eq!((silence.byte, silence.found.as_str()), (2, "nothing in time"), "{silence}");
}

/// Whose time is over makes the difference.
#[test]
fn who_does_nothing_differs_unless_the_play_itself_has_no_more_time() {
    let server = listening(ServerOptions::default());
    let short = Duration::from_millis(50);
    let more_than_is_taken = format!("to-server {}", "78".repeat(1 << 20));
    for (event, found) in [
        ("to-client 78", "nothing in time"),
        ("end to-client", "that it goes on"),
        (&more_than_is_taken, "that it does not"),
    ] {
        let recording = Recording::parse(format!("moorline-tap 1\n0 1 open\n0 1 {event}\n")).unwrap();
        let play = |options, timeout| recording.play_clients(&name_of(&server), &options, timeout);
        let impatient = ReplayOptions { patience: short, ..ReplayOptions::default() };
        assert_eq!(play(impatient, WATCHDOG).unwrap().difference.unwrap().found, found);
        let error = play(ReplayOptions::default(), Timeout::After(short)).unwrap_err();
        assert_eq!(error.status(), Status::TimedOut, "{error}");
    }
}

#[test]
fn a_recording_is_played_to_a_client() {
    let directory = tempfile::tempdir().unwrap();
    let recording = record(directory.path());
    for (last, differs) in [(&b"me"[..], None), (&b"mu"[..], Some(6))] {
        let server = listening(ServerOptions::default());
        let client = connect(&server);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                client.send(b"hello", WATCHDOG).unwrap();
                receive_exactly(&client, 4);
                client.send(last, WATCHDOG).unwrap();
                client.shut_down(Half::Sending, WATCHDOG).unwrap();
            });
            let replay = recording.play_server(&server, &ReplayOptions::default(), WATCHDOG).unwrap();
            assert_eq!(replay.difference.map(|difference| difference.byte), differs);
        });
    }
}

#[test]
fn a_client_that_leaves_in_the_middle_of_an_answer_does_the_same_again() {
    // More than the sockets hold: it is passed on until the client leaves.
    let answer = vec![b'a'; 4_000_000];
    let client = |client: Socket| {
        client.send(b"ask", WATCHDOG).unwrap();
        receive_exactly(&client, 10);
    };
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("recording");
    let server = listening(ServerOptions::default());
    let tap = Tap::create(&file).unwrap();
    let proxy = proxy_to(name_of(&server), ProxyOptions { tap: Some(tap), ..Default::default() });
    std::thread::scope(|scope| {
        scope.spawn(|| client(client_of(&proxy)));
        let accepted = server.accept(WATCHDOG).unwrap();
        receive_exactly(&accepted, 3);
        assert_eq!(accepted.send(&answer, WATCHDOG).unwrap_err().status(), Status::Disconnected);
    });
    proxy.stop(WATCHDOG).unwrap();
    let recorded = std::fs::read_to_string(&file).unwrap();
    assert!(!recorded.contains("end to-client"), "{recorded:.300}");
    // So much at once is seen not to be taken in any case.
    let head = "moorline-tap 1\n0 1 open\n0 1 to-server 61736b\n0 1 to-client ";
    let told = format!("{head}{}\n", "61".repeat(answer.len()));
    for (text, expected) in [
        (recorded, None),
        (format!("{told}0 1 end to-server\n0 1 close\n"), None),
        // It said more then, or was there until it had been sent all.
        (format!("{told}0 1 to-server 62\n0 1 close\n"), Some("\"b\"")),
        (format!("{told}0 1 end to-client\n0 1 close\n"), Some("that it takes what is sent")),
    ] {
        let recording = Recording::parse(&text).unwrap();
        let server = listening(ServerOptions::default());
        let replay = std::thread::scope(|scope| {
            scope.spawn(|| client(connect(&server)));
            recording.play_server(&server, &ReplayOptions::default(), WATCHDOG).unwrap()
        });
        assert_eq!(replay.difference.as_ref().map(|it| it.expected.as_str()), expected, "{replay:?}");
        assert_eq!((replay.connections, replay.matched), (u64::from(expected.is_none()), 3));
    }
}

#[test]
fn the_first_difference_ends_the_play_on_every_connection() {
    let one_by_one = "moorline-tap 1\n0 1 open\n1 1 to-server 61\n2 1 close\n3 2 open\n4 2 close\n";
    let together = "moorline-tap 1\n0 1 open\n1 2 open\n2 1 to-server 61\n3 2 to-server 61\n4 1 close\n";
    // The last to come says something else. Those before it say nothing, and those after it never come.
    for (text, clients) in [(one_by_one, 1), (together, 2)] {
        let recording = Recording::parse(text).unwrap();
        let server = listening(ServerOptions::default());
        let clients: Vec<_> = (0..clients).map(|_| connect(&server)).collect();
        clients.last().unwrap().send(b"b", WATCHDOG).unwrap();
        let options = ReplayOptions { patience: Duration::MAX, ..ReplayOptions::default() };
        let (begun, limit) = (Instant::now(), Duration::from_secs(30));
        let replay = recording.play_server(&server, &options, Timeout::After(limit)).unwrap();
        assert!(begun.elapsed() < limit, "{text}");
        let difference = replay.difference.unwrap();
        assert_eq!((difference.connection, difference.byte), (clients.len() as u64, 0), "{difference}");
        assert_eq!((difference.found.as_str(), replay.connections), ("\"b\"", 0), "{text}");
        for client in clients {
            assert_eq!(client.receive(&mut [0], WATCHDOG).unwrap_err().status(), Status::Disconnected);
        }
    }
}

#[test]
fn a_difference_is_told_when_the_recording_goes_on_much_later() {
    let later = Duration::from_secs(30);
    let (at, head) = (later.as_micros(), "moorline-tap 1\n0 1 open\n1 1 to-client 61\n2 1 close\n");
    let text = format!("{head}{at} 2 open\n{at} 2 close\n");
    let recording = Recording::parse(&text).unwrap();
    let server = listening(ServerOptions::default());
    std::thread::scope(|scope| {
        scope.spawn(|| server.accept(WATCHDOG).unwrap().send(b"b", WATCHDOG).unwrap());
        let options = ReplayOptions { real_time: true, ..ReplayOptions::default() };
        let begun = Instant::now();
        let replay = recording.play_clients(&name_of(&server), &options, Timeout::Forever).unwrap();
        assert!(begun.elapsed() < later);
        assert_eq!(replay.difference.unwrap().found, "\"b\"");
    });
}

#[test]
fn a_difference_is_told_when_a_later_connection_cannot_be_made() {
    let text = "moorline-tap 1\n0 1 open\n1 2 open\n2 2 to-client 62\n3 2 close\n\
                4 3 open\n5 1 to-client 41\n6 1 close\n7 3 close\n";
    let recording = Recording::parse(text).unwrap();
    let server = listening(ServerOptions::default());
    let name = name_of(&server);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let [first, second] = [0; 2].map(|_| server.accept(WATCHDOG).unwrap());
            server.close().unwrap();
            // After that the third is tried, which does not end the first.
            second.send(b"b", WATCHDOG).unwrap();
            let early = first.receive(&mut [0], Timeout::After(Duration::from_millis(50)));
            assert_eq!(early.unwrap_err().status(), Status::TimedOut);
            first.send(b"B", WATCHDOG).unwrap();
        });
        let options = ReplayOptions { patience: Duration::MAX, ..ReplayOptions::default() };
        let replay = recording.play_clients(&name, &options, WATCHDOG).unwrap();
        let difference = replay.difference.unwrap();
        assert_eq!((difference.connection, difference.found.as_str()), (1, "\"B\""), "{difference}");
    });
}

#[test]
fn in_real_time_a_recording_takes_as_long_as_it_took() {
    let text = "moorline-tap 1\n0 1 open\n10 1 to-server 61\n40000 1 to-server 62\n40001 1 close\n";
    let recording = Recording::parse(text).unwrap();
    let server = listening(ServerOptions::default());
    let begin = Instant::now();
    let options = ReplayOptions { real_time: true, ..ReplayOptions::default() };
    let replay = recording.play_clients(&name_of(&server), &options, WATCHDOG).unwrap();
    assert_eq!((replay.sent, replay.difference), (2, None));
    assert!(begin.elapsed() >= Duration::from_millis(40));
    let accepted = server.accept(WATCHDOG).unwrap();
    assert_eq!(receive_exactly(&accepted, 2), b"ab");
    let too_short =
        recording.play_clients(&name_of(&server), &options, Timeout::After(Duration::from_millis(5)));
    assert_eq!(too_short.unwrap_err().status(), Status::TimedOut);
}

/// Whatever is the last that it does, and at once where times are not kept.
#[test]
fn each_step_of_a_recording_has_its_time() {
    let server = listening(ServerOptions::default());
    for last in ["2 open", "1 to-server 78", "1 end to-server", "1 close"] {
        for (at, real_time) in [(Duration::from_millis(50), true), (Duration::from_secs(3600), false)] {
            let text = format!("moorline-tap 1\n0 1 open\n{} {last}\n", at.as_micros());
            let options = ReplayOptions { real_time, ..ReplayOptions::default() };
            let begun = Instant::now();
            let played = Recording::parse(text).unwrap().play_clients(&name_of(&server), &options, WATCHDOG);
            assert_eq!(played.unwrap().difference, None);
            assert!(!real_time || begun.elapsed() >= at, "{last}: {:?}", begun.elapsed());
        }
    }
}

#[test]
fn a_play_whose_time_is_over_before_it_waits_has_timed_out() {
    let recording = Recording::parse("moorline-tap 1\n0 1 open\n1 1 close\n").unwrap();
    let server = listening(ServerOptions::default());
    for (timeout, status) in
        [(Timeout::After(Duration::from_nanos(1)), Status::TimedOut), (Timeout::None, Status::WouldBlock)]
    {
        let error = recording.play_server(&server, &ReplayOptions::default(), timeout).unwrap_err();
        assert_eq!(error.status(), status);
        // Who is waited for, of many that may come.
        assert!(error.to_string().starts_with("connection 1: "), "{error}");
    }
}

#[test]
fn connections_that_came_one_after_the_other_are_played_so() {
    // The second one is answered only when the first has gone.
    let text = "moorline-tap 1\n0 1 open\n1 1 to-server 61\n2 1 to-client 62\n3 1 close\n\
                4 2 open\n5 2 to-server 63\n6 2 to-client 64\n7 2 close\n";
    let recording = Recording::parse(text).unwrap();
    let server = listening(ServerOptions::default());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let first = server.accept(WATCHDOG).unwrap();
            receive_exactly(&first, 1);
            let early = server.accept(Timeout::After(Duration::from_millis(50)));
            assert_eq!(early.err().unwrap().status(), Status::TimedOut);
            first.send(b"b", WATCHDOG).unwrap();
            let second = server.accept(WATCHDOG).unwrap();
            receive_exactly(&second, 1);
            second.send(b"d", WATCHDOG).unwrap();
        });
        let replay = recording.play_clients(&name_of(&server), &ReplayOptions::default(), WATCHDOG).unwrap();
        assert_eq!((replay.connections, replay.matched, replay.difference), (2, 2, None));
    });
}

#[test]
fn connections_that_were_there_at_once_are_played_so() {
    let text =
        "moorline-tap 1\n0 1 open\n1 2 open\n2 1 to-client 61\n3 2 to-client 62\n4 1 close\n5 2 close\n";
    let recording = Recording::parse(text).unwrap();
    let server = listening(ServerOptions::default());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let both = [server.accept(WATCHDOG).unwrap(), server.accept(WATCHDOG).unwrap()];
            both[0].send(b"a", WATCHDOG).unwrap();
            both[1].send(b"b", WATCHDOG).unwrap();
        });
        let replay = recording.play_clients(&name_of(&server), &ReplayOptions::default(), WATCHDOG).unwrap();
        assert_eq!((replay.connections, replay.matched, replay.difference), (2, 2, None));
    });
}

#[test]
fn what_comes_is_taken_while_much_is_sent() {
    // More than the sockets hold: an echo takes no more of it before what it sent back is taken.
    let bytes = "61".repeat(2_000_000);
    let text = format!("moorline-tap 1\n0 1 open\n1 1 to-server {bytes}\n2 1 to-client {bytes}\n3 1 close\n");
    let recording = Recording::parse(&text).unwrap();
    let echo = Fixture::start(Script::echo(), FixtureOptions::default()).unwrap();
    let target = Name::resolve(echo.full_name().unwrap(), Scope::Temporary).unwrap();
    let replay = recording.play_clients(&target, &ReplayOptions::default(), WATCHDOG).unwrap();
    assert_eq!((replay.sent, replay.matched, replay.difference), (2_000_000, 2_000_000, None));
}

#[test]
fn a_stop_that_waits_for_conversations_is_told_when_another_breaks_them() {
    let echo = Fixture::start(Script::echo(), FixtureOptions::default()).unwrap();
    let target = Name::resolve(echo.full_name().unwrap(), Scope::Temporary).unwrap();
    let proxy = proxy_to(target, ProxyOptions::default());
    let client = client_of(&proxy);
    client.send(b"x", WATCHDOG).unwrap();
    receive_exactly(&client, 1);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| proxy.stop(Timeout::Forever));
        let mut broken = false;
        while !waiting.is_finished() {
            // Whoever comes first finds the conversation, which is then broken for both.
            let answer = proxy.stop(Timeout::None).unwrap_err().status();
            assert!(matches!(answer, Status::WouldBlock | Status::Closed), "{answer}");
            broken = true;
        }
        let answer = waiting.join().unwrap();
        assert!(broken && answer.is_err_and(|error| error.status() == Status::Closed));
    });
}

#[test]
fn a_plan_that_has_ended_does_nothing_to_those_that_come_to_a_proxy_later() {
    let echo = Fixture::start(Script::echo(), FixtureOptions::default()).unwrap();
    let target = Name::resolve(echo.full_name().unwrap(), Scope::Temporary).unwrap();
    let faults = Faults { lose_at: Some(0), ..Faults::default() };
    let plan = FaultPlan::new(faults).unwrap();
    let proxy = proxy_to(target, ProxyOptions { faults: Some(plan.clone()), ..Default::default() });
    let before = client_of(&proxy);
    before.send(b"abc", WATCHDOG).unwrap();
    assert_eq!(receive_exactly(&before, 1), b"c");
    plan.end();
    let after = client_of(&proxy);
    after.send(b"abc", WATCHDOG).unwrap();
    assert_eq!(receive_exactly(&after, 3), b"abc");
}

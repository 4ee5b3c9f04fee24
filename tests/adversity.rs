//! Peers that are hostile or merely broken, one for each limit: each loses its own connection, for a typed reason, while the
//! others of the service go on.

mod support;

use moorline::{
    Application, Clock, Framing, MessageOptions, ServiceOptions, Socket, SocketOptions, Status, Timeout,
};
use rustix::io::Errno;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::TryRecvError;
use std::time::{Duration, Instant};
use support::descriptors::{send_with, system_turns_descriptors_away, tracked};
use support::scene::{Event, PATIENCE, Scene, expect_gone};
use support::*;

/// How late a peer may be where the test has to wait for that.
const SHORT: Duration = Duration::from_millis(50);
/// And where the test moves the clock, so that nobody else is late.
const HOUR: Duration = Duration::from_secs(3600);

fn greeting(magic: &[u8; 4], protocol: u16, name: &str, version: u32) -> Vec<u8> {
    let mut bytes = magic.to_vec();
    bytes.extend(protocol.to_be_bytes());
    bytes.extend([0; 2]);
    bytes.extend(u32::MAX.to_be_bytes());
    bytes.extend(version.to_be_bytes());
    bytes.push(name.len() as u8);
    bytes.extend(name.as_bytes());
    bytes.extend(crc_fast::crc32_iscsi(&bytes).to_be_bytes());
    bytes
}

fn small(framing: Framing) -> MessageOptions {
    let editor = Application { name: "editor".to_owned(), version: 7 };
    let application = if framing == Framing::Checked { editor } else { Application::default() };
    MessageOptions { max_message: 10, application, ..MessageOptions::new(framing) }
}

/// Streams that end in an error: the framing, the bytes, whether the peer leaves after them, the error, and what its text
/// says.
type Broken = (Framing, Vec<u8>, bool, Status, [&'static str; 2]);

fn broken_streams() -> Vec<Broken> {
    use Framing::{BigEndian, Checked, Lines, LittleEndian};
    let good = || greeting(b"MOOR", 1, "editor", 7);
    let after_greeting = |bytes: &[u8]| [&good(), bytes].concat();
    let mut damaged = good();
    damaged[9] ^= 1;
    let (too_large, malformed) = (Status::MessageTooLarge, Status::Malformed);
    let mismatch = Status::Mismatch;
    vec![
        (BigEndian, b"\0\0\0\x0b".to_vec(), false, too_large, ["11 bytes", "10 at most"]),
        (LittleEndian, b"\x0b\0\0\0".to_vec(), false, too_large, ["11 bytes", "10 at most"]),
        (
            Checked,
            after_greeting(b"\xff\0\0\0\0\0\0\0"),
            false,
            too_large,
            ["4278190080 bytes", "10 at most"],
        ),
        (Lines, b"12345678901\n".to_vec(), false, too_large, ["11 bytes", "10 at most"]),
        (Lines, b"123456789012".to_vec(), false, too_large, ["12 bytes", "10 at most"]),
        (Lines, b"ok\n12345678901".to_vec(), true, too_large, ["11 bytes", "10 at most"]),
        (BigEndian, b"\0\0\0\x01x\0".to_vec(), true, malformed, ["left after 1 bytes", ""]),
        (LittleEndian, b"\x05\0\0\0ab".to_vec(), true, malformed, ["left after 6 bytes", ""]),
        (Checked, after_greeting(b"\0\0\0\x05\0\0\0\0x"), true, malformed, ["left after 9 bytes", ""]),
        (Checked, good()[..20].to_vec(), true, malformed, ["left after 20 bytes", "handshake"]),
        (
            Checked,
            after_greeting(b"\0\0\0\x01\0\0\0\0x"),
            false,
            malformed,
            ["said to be 00000000", "CRC32C"],
        ),
        (Checked, damaged, false, malformed, ["handshake", "CRC32C"]),
        (Checked, b"GET /".to_vec(), false, mismatch, ["47, 45, 54, 20", "MOOR"]),
        (Checked, greeting(b"MOOR", 9, "editor", 7), false, mismatch, ["version 9", "this side 1"]),
        (Checked, greeting(b"MOOR", 1, "viewer", 7), false, mismatch, ["\"viewer\" version 7", "\"editor\""]),
        (Checked, greeting(b"MOOR", 1, "editor", 8), false, mismatch, ["\"editor\" version 8", "version 7"]),
    ]
}

#[test]
fn a_broken_stream_ends_a_socket_with_an_error_that_says_what_came() {
    for (framing, bytes, leaves, expected, texts) in broken_streams() {
        let (near, mut far) = UnixStream::pair().unwrap();
        let options = SocketOptions { messages: Some(Arc::new(small(framing))), ..SocketOptions::default() };
        let near = Socket::adopt(near, &options).unwrap();
        far.write_all(&bytes).unwrap();
        if leaves {
            far.shutdown(Shutdown::Write).unwrap();
        }
        let error = loop {
            match near.receive_message(WATCHDOG) {
                Ok(message) => assert!(message.data.len() <= 10),
                Err(error) => break error,
            }
        };
        assert_eq!(error.status(), expected, "{framing:?}: {error}");
        let text = error.to_string();
        assert!(texts.iter().all(|part| text.contains(part)), "{framing:?}: {text}, not {texts:?}");
        assert_eq!(status(near.receive_message(WATCHDOG)), Status::Closed);
        far.set_read_timeout(Some(PATIENCE)).unwrap();
        expect_gone(&mut far);
    }
}

#[test]
fn a_broken_stream_costs_its_own_connection_of_a_service() {
    for framing in [Framing::BigEndian, Framing::LittleEndian, Framing::Lines, Framing::Checked] {
        let scene = Scene::with_messages(small(framing));
        for (_, bytes, leaves, reason, _) in broken_streams().into_iter().filter(|it| it.0 == framing) {
            let mut peer = scene.peer();
            peer.write_all(&bytes).unwrap();
            if leaves {
                peer.shutdown(Shutdown::Write).unwrap();
            }
            scene.expect_end(peer, reason);
        }
        assert_eq!(scene.end().endings.other, 0);
    }
}

#[test]
fn a_line_that_never_ends_is_ended() {
    let scene = Scene::with_messages(MessageOptions { max_message: 100_000, ..small(Framing::Lines) });
    let mut peer = scene.peer();
    let written = (0..u32::MAX).take_while(|_| peer.write_all(&[b'x'; 1000]).is_ok()).count();
    assert!(written >= 100, "{written} pieces");
    scene.expect_end(peer, Status::MessageTooLarge);
    scene.end();
}

/// Writes single bytes until the other side has had enough.
fn drip(peer: &mut UnixStream) {
    let start = Instant::now();
    while peer.write_all(b"x").is_ok() {
        assert!(start.elapsed() < PATIENCE, "the service takes it for ever");
    }
}

#[test]
fn a_peer_that_drips_is_late_however_often_it_sends() {
    let patient = MessageOptions { message_timeout: Some(SHORT), ..MessageOptions::new(Framing::BigEndian) };
    let scene = Scene::with_messages(MessageOptions { max_message: 1 << 30, ..patient });
    let mut peer = scene.peer();
    let start = Instant::now();
    peer.write_all(&(1_u32 << 30).to_be_bytes()).unwrap();
    drip(&mut peer);
    assert!(start.elapsed() >= SHORT);
    scene.expect_end(peer, Status::TimedOut);

    // Whatever came before in the same breath: as many bytes as are read at a time, and messages as are served in a row.
    for (count, length) in [(16, 256), (16, 512), (40, 256), (200, 100)] {
        let mut peer = scene.peer();
        let message = [&(length - 4_u32).to_be_bytes()[..], &vec![b'x'; length as usize - 4]].concat();
        peer.write_all(&[message.repeat(count), b"\0\0\0\x09x".to_vec()].concat()).unwrap();
        peer.read_exact(&mut vec![0; count * length as usize]).unwrap();
        scene.expect_end(peer, Status::TimedOut);
    }
    scene.end();
}

#[test]
fn a_peer_that_does_not_greet_or_does_so_by_half_is_late() {
    let (clock, instant) = (Clock::manual(), Duration::from_millis(1));
    let messages = Some(Arc::new(MessageOptions { handshake_timeout: HOUR, ..small(Framing::Checked) }));
    let scene = Scene::new(ServiceOptions { messages, clock: clock.clone(), ..ServiceOptions::default() });
    let whole = greeting(b"MOOR", 1, "editor", 7);
    for length in [0, 1, whole.len() - 1] {
        let mut peer = scene.peer();
        peer.write_all(&whole[..length]).unwrap();
        clock.advance(HOUR - instant).unwrap();
        scene.others_go_on();
        assert_eq!(scene.events.try_recv(), Err(TryRecvError::Empty));
        clock.advance(instant).unwrap();
        scene.expect_end(peer, Status::TimedOut);
    }
    assert_eq!(scene.end().endings.timed_out, 3);
}

/// Writes pieces until the kernel takes no more; gives what it took.
fn write_all_it_takes(peer: &mut UnixStream, piece: &[u8]) -> Vec<u8> {
    let mut taken = Vec::new();
    peer.set_nonblocking(true).unwrap();
    loop {
        match peer.write(&piece[taken.len() % piece.len()..]) {
            Ok(written) => taken.extend_from_slice(&piece[taken.len() % piece.len()..][..written]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error}"),
        }
    }
    peer.set_nonblocking(false).unwrap();
    taken
}

#[test]
fn a_peer_that_sends_and_never_reads_waits_by_itself_and_loses_nothing() {
    let message = [&60_u32.to_be_bytes()[..], &[b'm'; 60]].concat();
    for messages in [None, Some(Arc::new(MessageOptions::new(Framing::BigEndian)))] {
        let scene = Scene::new(ServiceOptions { messages, ..ServiceOptions::default() });
        let mut peer = scene.peer();
        let mut sent = Vec::new();
        let mut send_more = |peer: &mut UnixStream| {
            let (before, after) = message.split_at(sent.len() % message.len());
            sent.extend(write_all_it_takes(peer, &[after, before].concat()));
        };
        let start = Instant::now();
        loop {
            send_more(&mut peer);
            match scene.events.try_recv() {
                Ok(event) => break assert_eq!(event, Event::Paused),
                Err(_) => assert!(start.elapsed() < PATIENCE, "the service reads on"),
            }
        }
        // Nothing of this is read now: there may be no room to answer.
        send_more(&mut peer);
        scene.others_go_on();
        let whole = sent.len() / message.len() * message.len();
        let mut answer = vec![0; whole];
        peer.read_exact(&mut answer).unwrap();
        assert!(answer == sent[..whole]);
        assert_eq!(scene.next(), Event::Resumed);
        scene.others_go_on();
        // One that leaves without having read ends like any that leaves.
        drop(peer);
        while scene.next() != Event::Ended(Status::Disconnected) {}
        scene.end();
    }
}

#[test]
fn a_flood_of_connections_finds_the_door_shut_and_later_open_again() {
    const MOST: usize = 4;
    let scene = Scene::new(ServiceOptions { max_connections: Some(MOST), ..ServiceOptions::default() });
    let mut inside: Vec<UnixStream> = (1..MOST).map(|_| scene.peer()).collect();
    for _ in 0..50 {
        let mut outside = UnixStream::connect(&scene.name).unwrap();
        outside.set_read_timeout(Some(PATIENCE)).unwrap();
        expect_gone(&mut outside);
    }
    scene.others_go_on();
    drop(inside.pop());
    assert_eq!(scene.next(), Event::Ended(Status::Disconnected));
    let mut late = scene.peer();
    late.write_all(b"in").unwrap();
    late.read_exact(&mut [0; 2]).unwrap();
    let report = scene.end();
    assert_eq!((report.accepted, report.refused), (MOST as u64 + 1, 50));
}

#[test]
fn no_more_connections_wait_than_the_backlog_says() {
    let rate = ServiceOptions { connection_rate: Some(1), backlog: Some(2), ..ServiceOptions::default() };
    let start = Instant::now();
    let scene = Scene::new(rate);
    // The well-behaved client was the one of the first second.
    let attempts = (0..50).map(|_| Socket::connect(&scene.name, &SocketOptions::default(), Timeout::None));
    let (waiting, turned_away): (Vec<_>, Vec<_>) = attempts.partition(Result::is_ok);
    let most = 2 + start.elapsed().as_secs() as usize + 1;
    assert!(waiting.len() >= 2 && waiting.len() <= most, "{} wait", waiting.len());
    for refusal in turned_away {
        assert_eq!(status(refusal), Status::WouldBlock);
    }
    scene.end();
}

#[test]
fn idle_peers_leave_and_busy_ones_stay() {
    let clock = Clock::manual();
    let idle_timeout = Some(HOUR);
    let scene =
        Scene::new(ServiceOptions { idle_timeout, clock: clock.clone(), ..ServiceOptions::default() });
    let peers: Vec<UnixStream> = (0..20).map(|_| scene.peer()).collect();
    for _ in 0..4 {
        clock.advance(HOUR / 2).unwrap();
        scene.others_go_on();
    }
    for peer in peers {
        scene.expect_end(peer, Status::TimedOut);
    }
    let report = scene.end();
    assert_eq!((report.endings.timed_out, report.endings.disconnected + report.endings.closed), (20, 1));
}

#[test]
fn descriptors_that_nobody_asked_for_are_turned_away_or_closed_and_the_bytes_arrive() {
    let framed = MessageOptions::new(Framing::BigEndian);
    for messages in [None, Some(Arc::new(framed))] {
        let scene = Scene::new(ServiceOptions { messages, ..ServiceOptions::default() });
        let mut peer = scene.peer();
        let (handed, mut watching) = tracked();
        let many = vec![handed.as_fd(); 253];
        for count in [1, 10, 253] {
            let sent = send_with(&peer, b"\0\0\0\x02hi", &many[..count]);
            if system_turns_descriptors_away() {
                assert_eq!(sent, Err(Errno::PERM));
                peer.write_all(b"\0\0\0\x02hi").unwrap();
            } else {
                assert_eq!(sent, Ok(6));
            }
            let mut answer = [0; 6];
            peer.read_exact(&mut answer).unwrap();
            assert_eq!(&answer, b"\0\0\0\x02hi");
        }
        drop(handed);
        expect_gone(&mut watching);
        scene.end();
    }
}

#[test]
fn bytes_behind_unwanted_descriptors_are_not_left_unread() {
    if system_turns_descriptors_away() {
        return;
    }
    let scene = Scene::new(ServiceOptions::default());
    let mut peer = scene.peer();
    let (handed, _watching) = tracked();
    // Often enough that the second piece is there before the first is read.
    for _ in 0..200 {
        send_with(&peer, b"with", &[handed.as_fd()]).unwrap();
        peer.write_all(b"without").unwrap();
        let mut answer = [0; 11];
        peer.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"withwithout");
    }
    scene.end();
}

#[test]
fn more_descriptors_than_asked_for_end_the_connection_and_none_stays_open() {
    for (most, at_once, pieces) in [(1, 3, 1), (1, 1, 3), (2, 253, 1), (100, 100, 3)] {
        let taken = MessageOptions { max_descriptors: most, ..MessageOptions::new(Framing::BigEndian) };
        let scene = Scene::with_messages(taken);
        let peer = scene.peer();
        let (handed, mut watching) = tracked();
        let many = vec![handed.as_fd(); at_once];
        // A message that never becomes whole, each byte with descriptors.
        for piece in 0..pieces {
            match send_with(&peer, &[0], &many) {
                Ok(_) => {}
                Err(errno) => assert!(piece > 0, "{errno}"),
            }
        }
        drop(handed);
        scene.expect_end(peer, Status::LimitReached);
        expect_gone(&mut watching);
        assert_eq!(scene.end().endings.other, 1);
    }
}

#[test]
fn as_many_descriptors_as_the_system_passes_come_and_one_more_is_not_sent() {
    let with = MessageOptions { max_descriptors: 300, ..MessageOptions::new(Framing::BigEndian) };
    let options = SocketOptions { messages: Some(Arc::new(with)), ..SocketOptions::default() };
    let (near, far) = Socket::pair(&options).unwrap();
    let (handed, mut watching) = tracked();
    let many = vec![handed.as_fd(); 254];
    assert_eq!(status(near.send_message_with(b"no", &many, WATCHDOG)), Status::LimitReached);
    near.send_message_with(b"yes", &many[..253], WATCHDOG).unwrap();
    near.send_message_with(b"untaken", &many[..253], WATCHDOG).unwrap();
    drop(handed);
    let message = far.receive_message(WATCHDOG).unwrap();
    assert_eq!((&message.data[..], message.descriptors.len()), (&b"yes"[..], 253));
    drop(message);
    // What has come and was not taken goes with the socket.
    far.wait(moorline::Interest::READABLE, WATCHDOG).unwrap();
    drop(far);
    expect_gone(&mut watching);
}

//! Messages on sockets.

mod support;

use moorline::socket::CloseReport;
use moorline::{
    Application, Clock, Event, Framing, Interest, MessageOptions, Poller, PollerOptions, Socket,
    SocketOptions, Status, Timeout,
};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak, mpsc};
use std::thread;
use std::time::{Duration, Instant};
use support::messages::{FRAMINGS, against_plain, pair, receive, socket_options};
use support::scene::PATIENCE;
use support::*;

/// Receives into a buffer with so much room.
fn receive_into(socket: &Socket, room: usize) -> Vec<u8> {
    let (mut buffer, mut length) = (vec![0; room], 0);
    socket.receive_message_into(&mut buffer, &mut length, WATCHDOG).unwrap();
    buffer.truncate(length);
    buffer
}

/// Another thread is receiving still, from which it is just coming back.
#[test]
fn what_is_closed_says_so_also_to_who_does_not_wait_for_another_receive() {
    for _ in 0..100 {
        let (near, _far) = pair(MessageOptions::new(Framing::BigEndian));
        thread::scope(|scope| {
            let receiving = scope.spawn(|| status(near.receive_message(Timeout::Forever)));
            (0..20).for_each(|_| thread::yield_now());
            let _ = near.close(Timeout::None);
            assert_eq!(status(near.receive_message(Timeout::None)), Status::Closed);
            assert_eq!(receiving.join().unwrap(), Status::Closed);
        });
    }
}

/// What a validator owns may end with it, and use the socket.
#[test]
fn a_validator_that_goes_as_another_takes_its_place_may_use_the_socket() {
    struct TakesItBack(Weak<Socket>);
    impl Drop for TakesItBack {
        fn drop(&mut self) {
            self.0.upgrade().unwrap().set_validator(None).unwrap();
        }
    }
    let (near, _far) = pair(MessageOptions::new(Framing::BigEndian));
    let near = Arc::new(near);
    let owned = TakesItBack(Arc::downgrade(&near));
    let owner = move |_: &[u8]| owned.0.strong_count() > 0;
    near.set_validator(Some(Arc::new(owner))).unwrap();
    let (told, tells) = mpsc::channel();
    // Not one that the test joins: it must not wait for ever itself.
    thread::spawn(move || {
        near.set_validator(None).unwrap();
        told.send(())
    });
    tells.recv_timeout(PATIENCE).unwrap();
}

/// A send that looks for the handshake may be in the way of just the receive that an edge called for.
#[test]
fn a_send_takes_no_event_from_who_receives() {
    const CONNECTIONS: usize = 2000;
    let options = MessageOptions::new(Framing::Checked);
    let mut first_words = vec![0; 1000];
    let (talker, mut far) = against_plain(options.clone());
    talker.send_message(b"ping", WATCHDOG).unwrap();
    drop(talker);
    far.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut length = 0;
    while let Ok(more @ 1..) = far.read(&mut first_words[length..]) {
        length += more;
    }
    let (hand, handed) = mpsc::sync_channel::<Arc<Socket>>(0);
    let sender = thread::spawn(move || {
        for socket in handed {
            // The peer may have left by then.
            let _ = socket.send_message(b"hello", WATCHDOG);
        }
    });
    let mut events = [Event::default(); 4];
    for _ in 0..CONNECTIONS {
        let poller = Poller::new(PollerOptions::default()).unwrap();
        let (socket, mut far) = against_plain(options.clone());
        let socket = Arc::new(socket);
        poller.add(&*socket, Interest::READABLE_EDGE, 1).unwrap();
        far.write_all(&first_words[..length]).unwrap();
        hand.send(socket.clone()).unwrap();
        let received = loop {
            poller.wait(&mut events, WATCHDOG).unwrap();
            match socket.receive_message(Timeout::None) {
                Err(error) if error.status() == Status::WouldBlock => {}
                received => break received.unwrap(),
            }
        };
        assert_eq!(received.data, b"ping");
    }
    drop(hand);
    sender.join().unwrap();
}

#[test]
fn messages_arrive_whole_and_in_order() {
    for framing in FRAMINGS {
        let (near, far) = pair(MessageOptions::new(framing));
        for message in [&b""[..], b"one", b"two", &[b'x'; 100_000]] {
            near.send_message(message, WATCHDOG).unwrap();
            assert_eq!(receive(&far), message, "{framing:?}");
        }
        assert_eq!(status(far.receive_message(Timeout::None)), Status::WouldBlock);
        drop(near);
        assert_eq!(status(far.receive_message(WATCHDOG)), Status::Disconnected);
    }
}

#[test]
fn what_several_threads_send_and_receive_stays_whole() {
    const MESSAGES: usize = 50;
    let (near, far) = pair(MessageOptions::new(Framing::Checked));
    thread::scope(|scope| {
        for tag in 1..=4_usize {
            let near = &near;
            scope.spawn(move || {
                for _ in 0..MESSAGES {
                    near.send_message(&vec![tag as u8; tag * 40_000], WATCHDOG).unwrap();
                }
            });
        }
        for _ in 0..2 {
            let far = &far;
            scope.spawn(move || {
                for _ in 0..2 * MESSAGES {
                    let message = receive(far);
                    assert_eq!(message.len(), usize::from(message[0]) * 40_000);
                    assert!(message.iter().all(|byte| *byte == message[0]));
                }
            });
        }
    });
}

#[test]
fn too_large_is_refused_on_both_sides() {
    for framing in FRAMINGS {
        let small = MessageOptions { max_message: 10, ..MessageOptions::new(framing) };
        let (near, far) = pair(small.clone());
        assert_eq!(status(near.send_message(b"12345678901", WATCHDOG)), Status::MessageTooLarge);
        near.send_message(b"1234567890", WATCHDOG).unwrap();
        assert_eq!(receive(&far), b"1234567890");
    }
    let small = MessageOptions { max_message: 10, ..MessageOptions::new(Framing::BigEndian) };
    let (near, mut far) = against_plain(small);
    far.write_all(&u32::MAX.to_be_bytes()).unwrap();
    let error = near.receive_message(WATCHDOG).unwrap_err();
    assert_eq!(error.status(), Status::MessageTooLarge);
    assert!(error.to_string().contains("4294967295"), "{error}");
    assert_eq!(status(near.receive_message(WATCHDOG)), Status::Closed);
    assert_eq!(far.read(&mut [0; 1]).unwrap(), 0);
}

#[test]
fn a_limit_of_the_other_side_is_respected_once_it_is_known() {
    let (near, far) = UnixStream::pair().unwrap();
    let large = socket_options(MessageOptions::new(Framing::Checked));
    let small = socket_options(MessageOptions { max_message: 10, ..MessageOptions::new(Framing::Checked) });
    let near = Socket::adopt(near, &large).unwrap();
    let far = Socket::adopt(far, &small).unwrap();
    assert_eq!(near.max_message().unwrap(), MessageOptions::new(Framing::Checked).max_message);
    assert_eq!(far.max_message().unwrap(), 10);
    assert_eq!(status(near.send_message(b"12345678901", WATCHDOG)), Status::MessageTooLarge);
    assert_eq!(near.max_message().unwrap(), 10);
    near.send_message(b"1234567890", WATCHDOG).unwrap();
    assert_eq!(receive(&far), b"1234567890");
    assert_eq!(far.max_message().unwrap(), 10);
}

#[test]
fn long_messages_of_one_length_and_of_others_arrive_whole_in_the_callers_buffer() {
    const LONG: usize = 20_000;
    for framing in FRAMINGS {
        let (near, far) = pair(MessageOptions::new(framing));
        let lengths = [LONG, LONG, LONG, LONG + 1, LONG - 1, LONG, 0, LONG, LONG, 7, LONG, LONG];
        let message = |index: usize| -> Vec<u8> {
            (0..lengths[index]).map(|at| b'a' + ((at + index) % 23) as u8).collect()
        };
        // One by one; all at once; and the end of each when a receive has found its beginning.
        for (index, length) in lengths.iter().enumerate() {
            near.send_message(&message(index), WATCHDOG).unwrap();
            assert_eq!(receive_into(&far, LONG + 1), message(index), "{framing:?} {length}");
        }
        for index in 0..lengths.len() {
            near.send_message(&message(index), WATCHDOG).unwrap();
        }
        for index in 0..lengths.len() {
            assert_eq!(receive_into(&far, LONG + 1), message(index), "{framing:?}");
        }
        assert_eq!(status(far.receive_message(Timeout::None)), Status::WouldBlock);
        assert!(!far.may_have_message().unwrap());
        let statistics = far.statistics();
        assert_eq!(statistics.messages_received, 2 * lengths.len() as u64);
        assert_eq!(statistics.received, near.statistics().sent);
    }
}

#[test]
fn a_long_message_that_comes_in_parts_is_put_together() {
    const LONG: usize = 20_000;
    let (socket, mut plain) = against_plain(MessageOptions::new(Framing::BigEndian));
    let message: Vec<u8> = (0..LONG).map(|at| (at % 251) as u8).collect();
    let frame = [&u32::try_from(LONG).unwrap().to_be_bytes()[..], &message].concat();
    plain.write_all(&frame).unwrap();
    assert_eq!(receive_into(&socket, LONG), message);
    for cut in [1, 3, 4, 5, 16, LONG, LONG + 3] {
        plain.write_all(&frame[..cut]).unwrap();
        let mut buffer = vec![0; LONG];
        let waited = socket.receive_message_into(&mut buffer, &mut 0, Timeout::None);
        assert_eq!(status(waited), Status::WouldBlock, "{cut}");
        plain.write_all(&frame[cut..]).unwrap();
        assert_eq!(receive_into(&socket, LONG), message, "{cut}");
        plain.write_all(&frame).unwrap();
        assert_eq!(receive_into(&socket, LONG), message, "{cut}");
    }
    // A buffer that is shorter than what is expected, and one that is too short.
    plain.write_all(&frame).unwrap();
    let mut needed = 0;
    let answer = socket.receive_message_into(&mut [0; LONG - 1], &mut needed, WATCHDOG);
    assert_eq!((status(answer), needed), (Status::BufferTooSmall, LONG));
    assert_eq!(receive_into(&socket, LONG), message);
    plain.write_all(&frame[..LONG]).unwrap();
    drop(plain);
    assert_eq!(status(socket.receive_message_into(&mut [0; LONG], &mut 0, WATCHDOG)), Status::Malformed);
}

#[test]
fn what_comes_right_into_the_callers_buffer_is_checked_all_the_same() {
    const LONG: usize = 20_000;
    let (near, far) = pair(MessageOptions::new(Framing::BigEndian));
    far.set_validator(Some(Arc::new(|message: &[u8]| !message.ends_with(b"no")))).unwrap();
    let mut message = vec![b'x'; LONG];
    for _ in 0..2 {
        near.send_message(&message, WATCHDOG).unwrap();
        assert_eq!(receive_into(&far, LONG), message);
    }
    message[LONG - 2..].copy_from_slice(b"no");
    near.send_message(&message, WATCHDOG).unwrap();
    assert_eq!(status(far.receive_message_into(&mut [0; LONG], &mut 0, WATCHDOG)), Status::Refused);
    assert_eq!(status(far.receive_message_into(&mut [0; LONG], &mut 0, WATCHDOG)), Status::Closed);
    assert_eq!(far.statistics().messages_received, 2);
}

#[test]
fn a_buffer_too_small_loses_nothing() {
    let (near, far) = pair(MessageOptions::new(Framing::LittleEndian));
    near.send_message(b"message", WATCHDOG).unwrap();
    let mut needed = 0;
    let mut small = [0; 3];
    assert_eq!(status(far.receive_message_into(&mut small, &mut needed, WATCHDOG)), Status::BufferTooSmall);
    assert_eq!(needed, 7);
    let mut enough = [0; 7];
    far.receive_message_into(&mut enough, &mut needed, WATCHDOG).unwrap();
    assert_eq!(&enough, b"message");
}

#[test]
fn applications_that_differ_are_told_what_each_side_is() {
    let editor = |version| MessageOptions {
        application: Application { name: "editor".to_owned(), version },
        ..MessageOptions::new(Framing::Checked)
    };
    let (near, far) = UnixStream::pair().unwrap();
    let near = Socket::adopt(near, &socket_options(editor(7))).unwrap();
    let far = Socket::adopt(far, &socket_options(editor(8))).unwrap();
    let error = near.receive_message(WATCHDOG).unwrap_err();
    assert_eq!(error.status(), Status::Mismatch);
    let text = error.to_string();
    assert!(text.contains("version 7") && text.contains("version 8"), "{text}");
    assert_eq!(status(far.receive_message(WATCHDOG)), Status::Mismatch);
}

/// Who asks until it has would ask for ever.
#[test]
fn who_shakes_no_hands_never_says_what_application_it_is() {
    for framing in FRAMINGS {
        let (near, far) = pair(MessageOptions::new(framing));
        far.send_message(b"x", WATCHDOG).unwrap();
        receive(&near);
        let expected = if framing == Framing::Checked { Status::Ok } else { Status::InvalidState };
        assert_eq!(status(near.peer_application()), expected, "{framing:?}");
    }
}

#[test]
fn a_greeting_that_is_there_before_the_first_send_ends_that_if_it_is_wrong() {
    let (near, mut far) = against_plain(MessageOptions::new(Framing::Checked));
    far.write_all(b"this is no greeting at all, however long one waits for more of it").unwrap();
    assert_eq!(status(near.send_message(b"x", WATCHDOG)), Status::Mismatch);
    assert_eq!(status(near.send_message(b"x", WATCHDOG)), Status::Closed);
}

/// It has ended its sending direction before it said what it is, and still receives.
#[test]
fn a_send_reaches_who_has_ended_sending_before_the_handshake() {
    let (near, mut far) = against_plain(MessageOptions::new(Framing::Checked));
    far.shutdown(Shutdown::Write).unwrap();
    near.send_message(b"x", WATCHDOG).unwrap();
    drop(near);
    let mut received = Vec::new();
    far.read_to_end(&mut received).unwrap();
    assert_eq!(received, first_words(b"x"));
}

#[test]
fn a_peer_that_drips_and_one_that_does_not_greet_lose_their_connection() {
    let short = Duration::from_millis(30);
    let dripping = MessageOptions { message_timeout: Some(short), ..MessageOptions::new(Framing::BigEndian) };
    let (near, mut far) = against_plain(dripping);
    assert_eq!(status(near.receive_message(Timeout::After(2 * short))), Status::TimedOut);
    far.write_all(b"\0\0").unwrap();
    let start = Instant::now();
    let error = near.receive_message(WATCHDOG).unwrap_err();
    assert_eq!(error.status(), Status::TimedOut);
    assert!(error.to_string().contains("the rest of a message"), "{error}");
    assert!(start.elapsed() >= short);
    assert_eq!(status(near.receive_message(WATCHDOG)), Status::Closed);

    let silent = MessageOptions { handshake_timeout: short, ..MessageOptions::new(Framing::Checked) };
    let (near, _far) = against_plain(silent);
    let error = near.receive_message(WATCHDOG).unwrap_err();
    assert_eq!(error.status(), Status::TimedOut);
    assert!(error.to_string().contains("handshake"), "{error}");
}

#[test]
fn a_damaged_frame_and_an_end_in_the_middle_are_malformed() {
    let (near, mut far) = against_plain(MessageOptions::new(Framing::BigEndian));
    far.write_all(b"\0\0\0\x05abc").unwrap();
    drop(far);
    assert_eq!(status(near.receive_message(WATCHDOG)), Status::Malformed);

    let (near, mut far) = against_plain(MessageOptions::new(Framing::Checked));
    // The other side's greeting, sent back: the same application.
    let mut greeting = vec![0; 21];
    far.read_exact(&mut greeting).unwrap();
    far.write_all(&greeting).unwrap();
    far.write_all(b"\0\0\0\x01\0\0\0\0x").unwrap();
    assert_eq!(status(near.receive_message(WATCHDOG)), Status::Malformed);
}

#[test]
fn a_close_ends_receives_that_wait_while_a_validator_is_asked() {
    ends_receives_that_wait_while_a_validator_is_asked(|far| far.close(Timeout::None));
}

#[test]
fn so_does_an_abort() {
    ends_receives_that_wait_while_a_validator_is_asked(Socket::abort);
}

/// Before it sends what is queued, for which the other side may have no room for long.
#[test]
fn so_does_a_close_that_sends_what_is_queued() {
    ends_receives_that_wait_while_a_validator_is_asked(|far| {
        // More than the system takes.
        far.send_message(&vec![0; 4 << 20], Timeout::None).unwrap();
        far.close(WATCHDOG)
    });
}

fn ends_receives_that_wait_while_a_validator_is_asked(end: impl Fn(&Socket) -> CloseReport + Sync) {
    let (near, far) = pair(MessageOptions::new(Framing::BigEndian));
    let (begun, begins) = mpsc::channel();
    let (goes_on, go_on) = mpsc::channel();
    let go_on = Mutex::new(go_on);
    let validator = move |_: &[u8]| {
        begun.send(()).unwrap();
        go_on.lock().unwrap().recv().is_ok()
    };
    far.set_validator(Some(Arc::new(validator))).unwrap();
    near.send_message(b"message", WATCHDOG).unwrap();
    thread::scope(|scope| {
        let asks = scope.spawn(|| far.receive_message(WATCHDOG).map(|message| message.data));
        begins.recv_timeout(Duration::from_secs(30)).unwrap();
        let waits = scope.spawn(|| far.receive_message(WATCHDOG).map(drop));
        let ends = scope.spawn(|| end(&far));
        let waited = waits.join().unwrap();
        goes_on.send(()).unwrap();
        while near.receive_message(WATCHDOG).is_ok() {}
        assert_eq!(waited.unwrap_err().status(), Status::Closed);
        assert_eq!(asks.join().unwrap().unwrap(), b"message");
        assert_eq!(ends.join().unwrap().unsent, 0);
    });
}

#[test]
fn a_close_sends_the_rest_of_a_message_whose_send_it_ends() {
    let (near, far) = pair(MessageOptions::new(Framing::BigEndian));
    let message = vec![7; 4 << 20];
    thread::scope(|scope| {
        let sends = scope.spawn(|| near.send_message(&message, WATCHDOG));
        until(|| near.statistics().messages_sent == 1);
        let closes = scope.spawn(|| near.close(WATCHDOG));
        assert_eq!(status(sends.join().unwrap()), Status::Closed);
        assert!(far.receive_message(WATCHDOG).unwrap().data == message);
        assert_eq!(closes.join().unwrap().unsent, 0);
    });
}

/// Another message came with the one that was being received then.
#[test]
fn what_was_closed_while_a_validator_was_asked_receives_nothing_more() {
    let (near, far) = pair(MessageOptions::new(Framing::BigEndian));
    near.send_message(b"one", WATCHDOG).unwrap();
    near.send_message(b"two", WATCHDOG).unwrap();
    let far = Arc::new(far);
    let closing = Arc::downgrade(&far);
    let validator = move |_: &[u8]| {
        let _ = closing.upgrade().unwrap().close(Timeout::None);
        true
    };
    far.set_validator(Some(Arc::new(validator))).unwrap();
    assert_eq!(receive(&far), b"one");
    assert_eq!(status(far.receive_message(Timeout::None)), Status::Closed);
}

#[test]
fn a_validator_sees_each_message_first() {
    let (near, far) = pair(MessageOptions::new(Framing::Lines));
    far.set_validator(Some(Arc::new(|message: &[u8]| message.starts_with(b"ok")))).unwrap();
    near.send_message(b"ok 1", WATCHDOG).unwrap();
    near.send_message(b"bad", WATCHDOG).unwrap();
    assert_eq!(receive(&far), b"ok 1");
    assert_eq!(status(far.receive_message(WATCHDOG)), Status::Refused);
    assert_eq!(status(far.receive_message(WATCHDOG)), Status::Closed);
}

#[test]
fn a_validator_is_asked_once_however_often_there_is_no_room_for_the_message() {
    let (near, far) = pair(MessageOptions::new(Framing::Lines));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sees = seen.clone();
    let validator = move |message: &[u8]| {
        sees.lock().unwrap().push(message.to_vec());
        true
    };
    far.set_validator(Some(Arc::new(validator))).unwrap();
    for message in [&b"one"[..], b"two"] {
        near.send_message(message, WATCHDOG).unwrap();
        for _ in 0..2 {
            assert_eq!(
                status(far.receive_message_into(&mut [0; 2], &mut 0, WATCHDOG)),
                Status::BufferTooSmall
            );
        }
        assert_eq!(receive_into(&far, 3), message);
    }
    assert_eq!(*seen.lock().unwrap(), [b"one", b"two"]);
}

#[test]
fn a_message_is_sent_whole_or_not_at_all() {
    let (near, far) = pair(MessageOptions::new(Framing::BigEndian));
    let message = vec![3; 50_000];
    let mut accepted = 0;
    loop {
        match status(near.send_message(&message, Timeout::None)) {
            Status::Ok => accepted += 1,
            Status::WouldBlock => break,
            other => panic!("{other:?}"),
        }
    }
    let receiver = thread::spawn(move || {
        let mut received = 0;
        while let Ok(message) = far.receive_message(WATCHDOG) {
            assert_eq!(message.data.len(), 50_000);
            received += 1;
        }
        received
    });
    assert_eq!(near.close(WATCHDOG).unsent, 0);
    assert_eq!(receiver.join().unwrap(), accepted);
}

/// Without a queue the caller waits for the rest to be sent; with one it does not.
#[test]
fn a_message_of_which_the_system_took_a_part_is_accepted_and_the_next_one_waits_no_longer_than_it_may() {
    let short = Timeout::After(Duration::from_millis(20));
    for (send_queue_limit, timeout) in [(0, short), (1000, Timeout::Forever)] {
        let messages = socket_options(MessageOptions::new(Framing::BigEndian));
        let (near, far) = Socket::pair(&SocketOptions { send_queue_limit, ..messages }).unwrap();
        let near = Arc::new(near);
        let (told, tells) = mpsc::channel();
        let sender = near.clone();
        // Not one that the test joins: it must not wait for ever itself.
        thread::spawn(move || told.send(status(sender.send_message(&[3; 1 << 22], timeout))));
        assert_eq!(tells.recv_timeout(PATIENCE), Ok(Status::Ok));
        assert!(near.queued() > send_queue_limit);
        assert_eq!(status(near.send_message(b"next", Timeout::None)), Status::WouldBlock);
        assert_eq!(status(near.send_message(b"next", short)), Status::TimedOut);
        assert_eq!(near.statistics().messages_sent, 1);
        let receiver = thread::spawn(move || receive(&far).len());
        near.flush(WATCHDOG).unwrap();
        assert_eq!(receiver.join().unwrap(), 1 << 22);
    }
}

/// It has kept receives away meanwhile. The beginning of another message keeps it refused.
#[test]
fn a_release_that_is_refused_takes_no_event_from_who_receives() {
    for _ in 0..200 {
        let (socket, mut peer) = against_plain(MessageOptions::new(Framing::BigEndian));
        let poller = Poller::new(PollerOptions::default()).unwrap();
        poller.add(&socket, Interest::READABLE_EDGE, 1).unwrap();
        peer.write_all(b"\0\0\0\x07b").unwrap();
        let mut events = [Event::default(); 1];
        poller.wait(&mut events, WATCHDOG).unwrap();
        assert_eq!(status(socket.receive_message(Timeout::None)), Status::WouldBlock);
        let received = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !received.load(Ordering::Relaxed) {
                    assert_eq!(status(socket.release()), Status::InvalidState);
                }
            });
            scope.spawn(|| peer.write_all(b"egun-x\0").unwrap());
            let message = loop {
                match poller.wait(&mut events, WATCHDOG).and_then(|_| socket.receive_message(Timeout::None)) {
                    Err(error) if error.status() == Status::WouldBlock => {}
                    received => break received,
                }
            };
            received.store(true, Ordering::Relaxed);
            assert_eq!(message.unwrap().data, b"begun-x");
        });
    }
}

#[test]
fn whether_another_message_may_be_there_is_known_without_asking_the_system() {
    for framing in FRAMINGS {
        let (near, far) = pair(MessageOptions::new(framing));
        let may = || far.may_have_message().unwrap();
        assert!(may(), "nobody has looked");
        near.send_message(b"first", WATCHDOG).unwrap();
        near.send_message(b"second", WATCHDOG).unwrap();
        assert_eq!(receive(&far), b"first");
        assert!(may(), "the second came with the first");
        assert_eq!(receive(&far), b"second");
        assert!(may(), "more may have come since the system was asked");
        assert_eq!(status(far.receive_message(Timeout::None)), Status::WouldBlock);
        assert!(!may(), "{framing:?}");
        near.send_message(b"alone", WATCHDOG).unwrap();
        assert_eq!(receive(&far), b"alone");
        assert!(!may(), "{framing:?}");
        near.send_message(&vec![b'x'; 70_000], WATCHDOG).unwrap();
        near.send_message(b"behind", WATCHDOG).unwrap();
        assert_eq!(receive(&far).len(), 70_000);
        assert!(may(), "the last receive did not see the end");
        assert_eq!(receive(&far), b"behind");
        assert_eq!(status(far.receive_message(Timeout::None)), Status::WouldBlock);
        assert!(!may());
    }
    let (near, mut far) = against_plain(MessageOptions::new(Framing::Lines));
    far.write_all(b"one\ntw").unwrap();
    assert_eq!(receive(&near), b"one");
    assert!(!near.may_have_message().unwrap(), "a part is no message");
    let (plain, _) = Socket::pair(&SocketOptions::default()).unwrap();
    assert_eq!(status(plain.may_have_message()), Status::InvalidState);
}

/// What a poller has told while messages from before were there still is not told again.
#[test]
fn what_came_while_messages_were_left_is_not_overlooked() {
    let (near, mut far) = against_plain(MessageOptions::new(Framing::Lines));
    let poller = Poller::new(PollerOptions::default()).unwrap();
    poller.add(&near, Interest::READABLE_EDGE, 1).unwrap();
    let mut events = [Event::default(); 4];
    far.write_all(b"one\ntwo\n").unwrap();
    poller.wait(&mut events, WATCHDOG).unwrap();
    assert_eq!(receive(&near), b"one");
    // Others get their turn meanwhile.
    far.write_all(b"three\n").unwrap();
    poller.wait(&mut events, WATCHDOG).unwrap();
    assert_eq!(receive(&near), b"two");
    assert!(near.may_have_message().unwrap());
    assert_eq!(receive(&near), b"three");
}

#[test]
fn there_may_be_a_message_while_another_thread_receives_and_after_it_was_in_the_way() {
    let (near, far) = pair(MessageOptions::new(Framing::BigEndian));
    let may = || far.may_have_message().unwrap();
    near.send_message(b"first", WATCHDOG).unwrap();
    assert_eq!(receive(&far), b"first");
    assert!(!may());
    thread::scope(|scope| {
        let receiver = scope.spawn(|| receive(&far));
        until(may);
        // Whoever comes now was perhaps told of what the other one does not see.
        assert_eq!(status(far.receive_message(Timeout::None)), Status::WouldBlock);
        near.send_message(b"second", WATCHDOG).unwrap();
        assert_eq!(receiver.join().unwrap(), b"second");
    });
    assert!(may());
    assert_eq!(status(far.receive_message(Timeout::None)), Status::WouldBlock);
    assert!(!may());
}

/// Whoever receives for as long as there may be a message would do nothing else until the rest comes.
#[test]
fn a_part_of_the_handshake_is_no_message() {
    let (near, mut far) = against_plain(MessageOptions::new(Framing::Checked));
    let words = first_words(b"message");
    for byte in &words[..words.len() - 1] {
        far.write_all(&[*byte]).unwrap();
        assert_eq!(status(near.receive_message(Timeout::None)), Status::WouldBlock);
        assert!(!near.may_have_message().unwrap());
        assert_eq!(status(near.wait(Interest::READABLE, Timeout::None)), Status::WouldBlock);
    }
    far.write_all(&words[words.len() - 1..]).unwrap();
    assert_eq!(receive(&near), b"message");
}

/// A send reads the greeting, for its limit, and what comes with it.
#[test]
fn what_came_with_the_greeting_is_not_overlooked() {
    let (near, mut far) = against_plain(MessageOptions::new(Framing::Checked));
    let (source, mut wire) = against_plain(MessageOptions::new(Framing::Checked));
    assert_eq!(status(near.receive_message(Timeout::None)), Status::WouldBlock);
    assert!(!near.may_have_message().unwrap());
    source.send_message(b"message", WATCHDOG).unwrap();
    let mut greeting_and_message = [0; 1000];
    let length = wire.read(&mut greeting_and_message).unwrap();
    far.write_all(&greeting_and_message[..length]).unwrap();
    near.send_message(b"answer", WATCHDOG).unwrap();
    assert!(near.may_have_message().unwrap());
    assert_eq!(receive(&near), b"message");
}

/// A poller tells of what has not been received.
#[test]
fn a_send_that_looks_for_the_handshake_leaves_the_messages_behind_it() {
    let (near, far) = pair(MessageOptions::new(Framing::Checked));
    near.send_message(b"message", WATCHDOG).unwrap();
    far.send_message(b"answer", WATCHDOG).unwrap();
    assert_eq!(far.peer_application().unwrap(), Application::default(), "it has the handshake");
    let poller = Poller::new(PollerOptions::default()).unwrap();
    poller.add(&far, Interest::READABLE_EDGE, 1).unwrap();
    let mut events = [Event::default(); 1];
    assert_eq!(poller.wait(&mut events, WATCHDOG).unwrap(), 1);
    assert_eq!(receive(&far), b"message");
}

#[test]
fn a_receive_asks_a_clock_that_a_test_moves_whether_the_rest_of_a_message_is_late() {
    const HOUR: Duration = Duration::from_secs(3600);
    let begun = |message_timeout| {
        let clock = Clock::manual();
        let options = MessageOptions {
            message_timeout: Some(message_timeout),
            clock: clock.clone(),
            ..MessageOptions::new(Framing::BigEndian)
        };
        let (socket, mut far) = against_plain(options);
        far.write_all(b"\0\0\0\x03a").unwrap();
        assert_eq!(status(socket.receive_message(Timeout::None)), Status::WouldBlock);
        (socket, far, clock)
    };
    for timeout in [Timeout::None, Timeout::Forever] {
        let (socket, _far, clock) = begun(HOUR);
        clock.advance(HOUR - Duration::from_nanos(1)).unwrap();
        assert_eq!(status(socket.receive_message(Timeout::None)), Status::WouldBlock);
        clock.advance(Duration::from_nanos(1)).unwrap();
        let (told, tells) = mpsc::channel();
        // Not one that the test joins: it must not wait for ever itself.
        thread::spawn(move || {
            let late = status(socket.receive_message(timeout));
            told.send((late, status(socket.receive_message(Timeout::None))))
        });
        assert_eq!(tells.recv_timeout(PATIENCE), Ok((Status::TimedOut, Status::Closed)));
    }

    // On its clock no time passes.
    let (socket, mut far, _clock) = begun(Duration::from_nanos(1));
    let (begins, waits) = (Instant::now(), Duration::from_millis(50));
    assert_eq!(status(socket.receive_message(Timeout::After(waits))), Status::TimedOut);
    assert!(begins.elapsed() >= waits);
    far.write_all(b"bc").unwrap();
    assert_eq!(receive(&socket), b"abc");
}

#[test]
fn what_is_queued_goes_out_with_a_receive_that_does_not_wait() {
    let messages = socket_options(MessageOptions::new(Framing::BigEndian));
    let (near, far) = Socket::pair(&SocketOptions { send_queue_limit: 1, ..messages }).unwrap();
    near.send_message(&[9; 1 << 20], Timeout::None).unwrap();
    assert!(near.queued() > 0);
    let peer = thread::spawn(move || {
        receive(&far);
        far.send_message(b"answer", WATCHDOG).unwrap();
    });
    until(|| near.receive_message(Timeout::None).is_ok());
    peer.join().unwrap();
}

#[cfg(target_pointer_width = "64")]
#[test]
fn messages_are_no_larger_than_four_bytes_can_count() {
    for (max_message, outcome) in [(u32::MAX as usize, Status::Ok), (1 << 32, Status::InvalidArgument)] {
        let options = MessageOptions { max_message, ..MessageOptions::new(Framing::BigEndian) };
        assert_eq!(status(Socket::pair(&socket_options(options))), outcome);
    }
}

#[test]
fn a_send_after_the_handshake_reads_nothing() {
    for framing in FRAMINGS {
        let (near, far) = pair(MessageOptions::new(framing));
        let poller = Poller::new(PollerOptions::default()).unwrap();
        near.send_message(b"hello", WATCHDOG).unwrap();
        far.send_message(b"hello", WATCHDOG).unwrap();
        assert_eq!((receive(&near), receive(&far)), (b"hello".to_vec(), b"hello".to_vec()));
        poller.add(&near, Interest::READABLE, 1).unwrap();
        far.send_message(b"to be told of", WATCHDOG).unwrap();
        near.send_message(b"a send", WATCHDOG).unwrap();
        assert_eq!(poller.wait(&mut [Event::default(); 4], Timeout::None).unwrap(), 1, "{framing:?}");
        assert_eq!(receive(&near), b"to be told of");
    }
}

#[test]
fn a_message_that_was_read_along_with_another_is_not_waited_for() {
    for framing in FRAMINGS {
        let (near, far) = pair(MessageOptions::new(framing));
        for message in [b"one", b"two"] {
            near.send_message(message, WATCHDOG).unwrap();
        }
        assert_eq!(receive(&far), b"one");
        for writable in [false, true] {
            let ready = far.wait(Interest { writable, ..Interest::READABLE }, WATCHDOG).unwrap();
            assert_eq!((ready.readable, ready.writable), (true, writable));
        }
        assert_eq!(receive(&far), b"two");
        assert_eq!(status(far.wait(Interest::READABLE, Timeout::None)), Status::WouldBlock);
    }
}

#[test]
fn parts_of_messages_are_not_for_the_caller() {
    let (near, far) = pair(MessageOptions::new(Framing::Lines));
    assert_eq!(status(near.send(b"x", WATCHDOG)), Status::InvalidState);
    assert_eq!(status(far.receive(&mut [0; 1], WATCHDOG)), Status::InvalidState);
    let (plain, _) = Socket::pair(&SocketOptions::default()).unwrap();
    assert_eq!(status(plain.send_message(b"x", WATCHDOG)), Status::InvalidState);
    assert_eq!(plain.max_message().map_err(|error| error.status()), Err(Status::InvalidState));
}

#[test]
fn the_peers_application_is_known_after_the_handshake() {
    let options = MessageOptions {
        application: Application { name: "editor".to_owned(), version: 3 },
        ..MessageOptions::new(Framing::Checked)
    };
    let (near, far) = pair(options.clone());
    assert_eq!(status(far.peer_application()), Status::WouldBlock);
    near.send_message(b"x", WATCHDOG).unwrap();
    receive(&far);
    assert_eq!(far.peer_application().unwrap(), options.application);
}

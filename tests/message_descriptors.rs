//! Descriptors that come with the messages of sockets.

mod support;

use moorline::{Framing, MessageOptions, Socket, Status, Timeout};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;
use support::descriptors::{send_with, system_turns_descriptors_away, tracked};
use support::messages::{FRAMINGS, adopted_pair, against_plain, pair, receive};
use support::*;

#[test]
fn a_validator_that_panics_leaves_the_message_with_its_descriptors() {
    let (near, far) = pair(MessageOptions { max_descriptors: 1, ..MessageOptions::new(Framing::BigEndian) });
    far.set_validator(Some(Arc::new(|_: &[u8]| panic!("on purpose")))).unwrap();
    let (sent, _other) = UnixStream::pair().unwrap();
    near.send_message_with(b"message", &[sent.as_fd()], WATCHDOG).unwrap();
    let receive = || far.receive_message(WATCHDOG);
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(receive)).unwrap_err();
    far.set_validator(None).unwrap();
    let message = receive().unwrap();
    assert_eq!((&message.data[..], message.descriptors.len()), (&b"message"[..], 1));
}

#[test]
fn a_buffer_too_small_leaves_the_descriptors_with_the_message() {
    let (near, far) = pair(MessageOptions { max_descriptors: 2, ..MessageOptions::new(Framing::BigEndian) });
    let (left, right) = UnixStream::pair().unwrap();
    near.send_message_with(b"message", &[left.as_fd(), right.as_fd()], WATCHDOG).unwrap();
    let mut buffer = [0; 7];
    for _ in 0..2 {
        let answer = far.receive_message_into(&mut buffer[..6], &mut 0, WATCHDOG);
        assert_eq!(status(answer), Status::BufferTooSmall);
    }
    let descriptors = far.receive_message_into(&mut buffer, &mut 0, WATCHDOG).unwrap();
    assert_eq!((&buffer, descriptors.len()), (b"message", 2));
}

#[test]
fn descriptors_come_with_their_message_and_no_more_than_allowed() {
    let with = MessageOptions { max_descriptors: 2, ..MessageOptions::new(Framing::BigEndian) };
    let (near, far) = pair(with);
    let (left, mut right) = UnixStream::pair().unwrap();
    near.send_message(b"without", WATCHDOG).unwrap();
    near.send_message_with(b"with", &[left.as_fd()], WATCHDOG).unwrap();
    near.send_message(b"again without", WATCHDOG).unwrap();
    drop(left);
    assert!(far.receive_message(WATCHDOG).unwrap().descriptors.is_empty());
    let mut message = far.receive_message(WATCHDOG).unwrap();
    assert_eq!((&message.data[..], message.descriptors.len()), (&b"with"[..], 1));
    let mut handed_over = UnixStream::from(message.descriptors.pop().unwrap());
    assert!(far.receive_message(WATCHDOG).unwrap().descriptors.is_empty());
    handed_over.write_all(b"over").unwrap();
    let mut buffer = [0; 4];
    right.read_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"over");

    let three = [right.as_fd(), right.as_fd(), right.as_fd()];
    near.send_message_with(b"too many", &three, WATCHDOG).unwrap();
    assert_eq!(status(far.receive_message(WATCHDOG)), Status::LimitReached);

    let (near, far) = adopted_pair(MessageOptions::new(Framing::BigEndian));
    near.send_message_with(b"none allowed", &[right.as_fd()], WATCHDOG).unwrap();
    assert!(far.receive_message(WATCHDOG).unwrap().descriptors.is_empty());
}

#[test]
fn what_comes_before_too_many_descriptors_is_received() {
    for most in 1..4 {
        let options = MessageOptions { max_descriptors: most, ..MessageOptions::new(Framing::BigEndian) };
        let (near, far) = pair(options);
        let (descriptor, _) = UnixStream::pair().unwrap();
        near.send_message(b"good", WATCHDOG).unwrap();
        near.send_message_with(b"bad", &[descriptor.as_fd(); 20], WATCHDOG).unwrap();
        assert_eq!(far.receive_message(WATCHDOG).unwrap().data, b"good");
        let error = far.receive_message(WATCHDOG).unwrap_err();
        assert_eq!(error.status(), Status::LimitReached);
        assert!(error.to_string().contains(&format!("more than {most} descriptors")), "{error}");
    }
}

#[test]
fn a_validator_does_not_see_what_came_with_too_many_descriptors() {
    let options = MessageOptions { max_descriptors: 1, ..MessageOptions::new(Framing::BigEndian) };
    let (socket, peer) = against_plain(options);
    socket.set_validator(Some(Arc::new(|_: &[u8]| panic!("it was asked")))).unwrap();
    let (descriptor, _) = UnixStream::pair().unwrap();
    for part in [b"\0\0\0\x02a", &b"b"[..]] {
        send_with(&peer, part, &[descriptor.as_fd()]).unwrap();
    }
    assert_eq!(status(socket.receive_message(WATCHDOG)), Status::LimitReached);
}

/// Of a message that is not whole there may be those of the one before, with whose end it began.
#[test]
fn twice_as_many_descriptors_as_a_message_may_have_are_kept_at_most() {
    for most in [1, 3] {
        let options = MessageOptions { max_descriptors: most, ..MessageOptions::new(Framing::BigEndian) };
        let (socket, peer) = against_plain(options);
        let (descriptor, _) = UnixStream::pair().unwrap();
        let comes = |part: &[u8], count| {
            send_with(&peer, part, &vec![descriptor.as_fd(); count]).unwrap();
            status(socket.receive_message(Timeout::None))
        };
        for part in [b"\0\0\0\x04", &b"a"[..]] {
            assert_eq!(comes(part, most), Status::WouldBlock);
        }
        assert_eq!(comes(b"b", 1), Status::LimitReached);
    }
}

/// The rest of the message need not come for that.
#[test]
fn too_many_descriptors_with_a_part_of_a_message_end_the_connection() {
    for most in [1, 3] {
        let options = MessageOptions { max_descriptors: most, ..MessageOptions::new(Framing::BigEndian) };
        let (socket, peer) = against_plain(options);
        let (descriptor, _) = UnixStream::pair().unwrap();
        send_with(&peer, b"\0\0", &vec![descriptor.as_fd(); most + 1]).unwrap();
        assert_eq!(status(socket.receive_message(Timeout::None)), Status::LimitReached);
    }
}

#[test]
fn what_can_never_be_sent_is_not_told_to_wait() {
    const MOST: usize = 253;
    let (near, _far) =
        pair(MessageOptions { max_descriptors: MOST, ..MessageOptions::new(Framing::BigEndian) });
    let file = tempfile::tempfile().unwrap();
    let send = |count| near.send_message_with(b"x", &vec![file.as_fd(); count], Timeout::None);
    for full in [false, true] {
        while full && near.send_message(&[0; 4096], Timeout::None).is_ok() {}
        assert_eq!(status(send(MOST)), if full { Status::WouldBlock } else { Status::Ok });
        for count in [MOST + 1, 10 * MOST] {
            let error = send(count).unwrap_err();
            assert_eq!(error.status(), Status::LimitReached);
            assert!(error.to_string().contains(&format!("{count} descriptors")), "{error}");
        }
    }
}

/// As many as the system sends at once, to who takes them, or whatever comes.
#[test]
fn all_descriptors_that_the_system_sends_at_once_come_to_who_allows_so_many() {
    const MOST: usize = 253;
    let file = tempfile::tempfile().unwrap();
    for max_descriptors in [MOST, usize::MAX / 2 + 1, usize::MAX] {
        let (near, far) = pair(MessageOptions { max_descriptors, ..MessageOptions::new(Framing::BigEndian) });
        for sent in [1, MOST] {
            near.send_message_with(b"message", &vec![file.as_fd(); sent], WATCHDOG).unwrap();
            assert_eq!(far.receive_message(WATCHDOG).unwrap().descriptors.len(), sent);
        }
    }
}

/// A receive that ends the connection, and one during which another thread closes the socket.
#[test]
fn descriptors_of_what_is_never_received_are_closed_with_the_connection() {
    for peer_leaves in [true, false] {
        let options = MessageOptions { max_descriptors: 1, ..MessageOptions::new(Framing::BigEndian) };
        let (socket, peer) = against_plain(options);
        let (handed, mut watching) = tracked();
        send_with(&peer, b"\0\0\0\x06begun", &[handed.as_fd()]).unwrap();
        drop(handed);
        thread::scope(|scope| {
            let receiver = scope.spawn(|| status(socket.receive_message(WATCHDOG)));
            if peer_leaves {
                drop(peer);
                assert_eq!(receiver.join().unwrap(), Status::Malformed);
            } else {
                until(|| socket.statistics().received >= 9);
                let _ = socket.close(Timeout::None);
                assert_eq!(receiver.join().unwrap(), Status::Closed);
            }
        });
        assert_eq!(watching.read(&mut [0]).unwrap(), 0);
    }
}

#[test]
fn a_close_closes_descriptors_of_what_nobody_is_receiving() {
    let options = MessageOptions { max_descriptors: 1, ..MessageOptions::new(Framing::BigEndian) };
    let (socket, peer) = against_plain(options);
    let (handed, mut watching) = tracked();
    send_with(&peer, b"\0\0\0\x06begun", &[handed.as_fd()]).unwrap();
    drop(handed);
    assert_eq!(status(socket.receive_message(Timeout::None)), Status::WouldBlock);
    let _ = socket.close(Timeout::None);
    assert_eq!(watching.read(&mut [0]).unwrap(), 0);
}

/// Whose calls it is that has them when the connection ends.
#[test]
fn nor_does_a_call_that_had_them_meanwhile_keep_descriptors_open() {
    let sends: fn(&Socket) -> Status = |socket| status(socket.send_message(b"x", WATCHDOG));
    let receives: fn(&Socket) -> Status = |socket| status(socket.receive_message(WATCHDOG));
    let no_greeting = (Framing::Checked, &[b'!'; 32][..], sends, Status::Mismatch);
    let closed_meanwhile = (Framing::BigEndian, &b"\0\0\0\x01a\0\0\0\x05"[..], receives, Status::Ok);
    for (framing, sent, call, expected) in [no_greeting, closed_meanwhile] {
        let options = MessageOptions { max_descriptors: 1, ..MessageOptions::new(framing) };
        let (socket, peer) = against_plain(options);
        let (handed, mut watching) = tracked();
        send_with(&peer, sent, &[handed.as_fd()]).unwrap();
        drop(handed);
        let socket = Arc::new(socket);
        let closing = Arc::downgrade(&socket);
        let validator = move |_: &[u8]| {
            let closes = closing.upgrade().unwrap();
            thread::scope(|scope| scope.spawn(|| closes.close(Timeout::None)).join()).unwrap();
            true
        };
        socket.set_validator(Some(Arc::new(validator))).unwrap();
        assert_eq!(call(&socket), expected);
        assert_eq!(watching.read(&mut [0]).unwrap(), 0);
    }
}

/// Who sends looks for the handshake, and the descriptors that come with it are no fewer for that.
#[test]
fn too_many_descriptors_that_a_send_finds_end_the_connection() {
    let options = MessageOptions { max_descriptors: 1, ..MessageOptions::new(Framing::Checked) };
    let (socket, peer) = against_plain(options);
    let (descriptor, _) = UnixStream::pair().unwrap();
    send_with(&peer, b"MOOR", &[descriptor.as_fd(); 5]).unwrap();
    assert_eq!(status(socket.send_message(b"x", WATCHDOG)), Status::LimitReached);
    assert_eq!(status(socket.receive_message(WATCHDOG)), Status::Closed);
}

#[test]
fn descriptors_come_with_long_messages_too() {
    let (near, far) =
        adopted_pair(MessageOptions { max_descriptors: 1, ..MessageOptions::new(Framing::BigEndian) });
    let file = tempfile::tempfile().unwrap();
    let message = vec![b'x'; 20_000];
    for _ in 0..3 {
        near.send_message_with(&message, &[file.as_fd()], WATCHDOG).unwrap();
        let mut buffer = vec![0; message.len()];
        let descriptors = far.receive_message_into(&mut buffer, &mut 0, WATCHDOG).unwrap();
        assert_eq!((descriptors.len(), buffer), (1, message.clone()));
    }
}

#[test]
fn who_sends_descriptors_to_a_socket_that_takes_none_is_told() {
    if !system_turns_descriptors_away() {
        return;
    }
    let (descriptor, _) = UnixStream::pair().unwrap();
    for framing in FRAMINGS {
        let (near, far) = pair(MessageOptions::new(framing));
        let refused = near.send_message_with(b"with", &[descriptor.as_fd()], WATCHDOG).unwrap_err();
        assert_eq!(refused.status(), Status::PermissionDenied);
        assert!(refused.to_string().contains("takes no descriptors"), "{refused}");
        near.send_message(b"without", WATCHDOG).unwrap();
        assert_eq!(receive(&far), b"without");
        let back = far.send_message_with(b"with", &[descriptor.as_fd()], WATCHDOG);
        assert_eq!(status(back), Status::PermissionDenied);
    }
}

#[test]
fn what_is_behind_descriptors_is_not_overlooked() {
    for allowed in [0, 1] {
        let (near, far) = adopted_pair(MessageOptions {
            max_descriptors: allowed,
            ..MessageOptions::new(Framing::BigEndian)
        });
        let (descriptor, _) = UnixStream::pair().unwrap();
        near.send_message_with(b"with", &[descriptor.as_fd()], WATCHDOG).unwrap();
        near.send_message(b"behind", WATCHDOG).unwrap();
        assert_eq!(receive(&far), b"with");
        // The system has stopped at the descriptor.
        assert!(far.may_have_message().unwrap(), "{allowed} allowed");
        assert_eq!(receive(&far), b"behind");
        assert!(!far.may_have_message().unwrap());
    }
}

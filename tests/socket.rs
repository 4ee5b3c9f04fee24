//! Sockets.

mod support;

use moorline::socket::Direction;
use moorline::{
    BusyPoll, Framing, Interest, MessageOptions, ServerOptions, Socket, SocketOptions, Status, Timeout,
};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use support::*;

fn pair(send_queue_limit: usize) -> (Socket, Socket) {
    Socket::pair(&SocketOptions { send_queue_limit, ..SocketOptions::default() }).unwrap()
}

#[test]
fn a_send_that_does_not_fit_says_how_much_was_taken() {
    let (near, far) = pair(0);
    let taken = fill(&near);
    let (more, result) = near.send_counted(b"x", Timeout::None);
    assert_eq!((more, status(result)), (0, Status::WouldBlock));
    let short = std::time::Duration::from_millis(20);
    assert_eq!(status(near.send(b"x", Timeout::After(short))), Status::TimedOut);
    assert_eq!(receive_exactly(&far, taken).len(), taken);
    assert_eq!(near.close(Timeout::None).sent, taken as u64);
}

#[test]
fn what_several_threads_send_does_not_interleave() {
    const BLOCK: usize = 300_000;
    let (near, far) = pair(0);
    thread::scope(|scope| {
        for tag in 1..=4_u8 {
            let near = &near;
            scope.spawn(move || {
                for _ in 0..5 {
                    near.send(&vec![tag; BLOCK], WATCHDOG).unwrap();
                }
            });
        }
        for _ in 0..20 {
            let block = receive_exactly(&far, BLOCK);
            assert!(block.iter().all(|byte| *byte == block[0]));
        }
    });
}

#[test]
fn closing_ends_every_call_that_waits() {
    let (near, _far) = pair(0);
    fill(&near);
    thread::scope(|scope| {
        let calls = [
            scope.spawn(|| status(near.receive(&mut [0; 1], Timeout::Forever))),
            scope.spawn(|| status(near.send(b"x", Timeout::Forever))),
            scope.spawn(|| status(near.send(b"y", Timeout::Forever))),
            scope.spawn(|| status(near.wait(Interest::READABLE, Timeout::Forever))),
        ];
        thread::yield_now();
        let _ = near.close(Timeout::None);
        for call in calls {
            assert_eq!(call.join().unwrap(), Status::Closed);
        }
    });
}

/// Another thread has the turn still, which it is just leaving.
#[test]
fn what_is_closed_says_so_also_to_who_does_not_wait_for_a_turn() {
    for _ in 0..100 {
        let (near, _far) = pair(0);
        fill(&near);
        thread::scope(|scope| {
            let sending = scope.spawn(|| status(near.send(b"x", Timeout::Forever)));
            (0..20).for_each(|_| thread::yield_now());
            let _ = near.close(Timeout::None);
            assert_eq!(status(near.send(b"y", Timeout::None)), Status::Closed);
            assert_eq!(status(near.shut_down(Direction::Sending, Timeout::None)), Status::Closed);
            assert_eq!(sending.join().unwrap(), Status::Closed);
        });
    }
}

#[test]
fn an_abort_ends_every_call_that_waits() {
    let (near, _far) = pair(0);
    fill(&near);
    thread::scope(|scope| {
        let calls = [
            scope.spawn(|| status(near.receive(&mut [0; 1], WATCHDOG))),
            scope.spawn(|| status(near.send(b"x", WATCHDOG))),
            scope.spawn(|| status(near.wait(Interest::READABLE, WATCHDOG))),
        ];
        thread::yield_now();
        near.abort();
        for call in calls {
            assert_eq!(call.join().unwrap(), Status::Closed);
        }
    });
}

#[test]
fn a_queue_is_flushed_by_close_and_what_stays_is_counted() {
    let (near, far) = pair(1 << 20);
    let data = vec![5; 1 << 20];
    near.send(&data, Timeout::None).unwrap();
    assert!(near.queued() > 0);
    let reader = thread::spawn(move || receive_exactly(&far, 1 << 20));
    let report = near.close(WATCHDOG);
    assert_eq!((report.sent, report.unsent, report.outcome), (1 << 20, 0, Status::Ok));
    assert_eq!(reader.join().unwrap(), data);

    let (near, far) = pair(1 << 20);
    near.send(&data, Timeout::None).unwrap();
    let queued = near.queued() as u64;
    let report = near.close(Timeout::None);
    assert_eq!((report.unsent, report.outcome), (queued, Status::WouldBlock));
    assert_eq!(report.sent + report.unsent, 1 << 20);
    assert_eq!(receive_exactly(&far, report.sent as usize).len() as u64, report.sent);
}

#[test]
fn all_or_nothing_is_taken_by_who_only_tries() {
    let (near, far) = pair(1 << 20);
    let data: Vec<u8> = (0..1 << 20).map(|index| (index % 251) as u8).collect();
    near.try_send(&data).unwrap();
    let queued = near.queued();
    assert!(queued > 0);
    assert_eq!(status(near.try_send(&data)), Status::WouldBlock);
    assert_eq!(status(near.try_send(&[data.as_slice(), b"x"].concat())), Status::InvalidArgument);
    near.try_send(&data[queued..]).unwrap();
    assert_eq!(near.queued(), 1 << 20);
    thread::scope(|scope| {
        scope.spawn(|| near.flush(WATCHDOG).unwrap());
        let all = [&data, &data[queued..]].concat();
        assert!(receive_exactly(&far, all.len()) == all);
    });
    let (near, _far) = pair(0);
    assert_eq!(status(near.try_send(b"x")), Status::InvalidArgument);
}

#[test]
fn an_abort_ends_a_close_that_flushes() {
    let (near, _far) = pair(1 << 20);
    near.send(&vec![5; 1 << 20], Timeout::None).unwrap();
    thread::scope(|scope| {
        let closing = scope.spawn(|| near.close(Timeout::Forever));
        // Aborted before or while it flushes: it must end either way.
        thread::yield_now();
        near.abort();
        assert!(closing.join().unwrap().unsent > 0);
    });
}

#[test]
fn what_has_come_is_not_received_while_a_close_flushes() {
    let (near, far) = pair(1 << 20);
    near.send(&vec![5; 1 << 20], Timeout::None).unwrap();
    far.send(b"late", WATCHDOG).unwrap();
    thread::scope(|scope| {
        let closing = scope.spawn(|| near.close(Timeout::Forever));
        while status(near.send(b"x", Timeout::None)) != Status::Closed {
            thread::yield_now();
        }
        let told = [status(near.receive(&mut [0; 4], Timeout::None)), status(near.descriptor())];
        near.abort();
        closing.join().unwrap();
        assert_eq!((told, near.received()), ([Status::Closed; 2], 0));
    });
}

#[test]
fn what_is_queued_goes_out_while_waiting_for_the_answer() {
    let (near, far) = pair(1 << 20);
    let request = vec![9; 1 << 20];
    near.send(&request, Timeout::None).unwrap();
    let peer = thread::spawn(move || {
        let request = receive_exactly(&far, 1 << 20);
        far.send(b"answer", WATCHDOG).unwrap();
        request
    });
    assert_eq!(receive_exactly(&near, 6), b"answer");
    assert_eq!(peer.join().unwrap(), request);
}

#[test]
fn what_is_queued_goes_out_with_a_receive_that_does_not_wait_or_does_not_sleep() {
    for (busy_poll, timeout) in
        [(BusyPoll::Never, Timeout::None), (BusyPoll::For(Duration::from_secs(3600)), WATCHDOG)]
    {
        let options = SocketOptions { send_queue_limit: 1 << 20, busy_poll, ..SocketOptions::default() };
        let (near, far) = Socket::pair(&options).unwrap();
        near.send(&vec![9; 1 << 20], Timeout::None).unwrap();
        let peer = thread::spawn(move || {
            receive_exactly(&far, 1 << 20);
            far.send(b"answer", WATCHDOG).unwrap();
        });
        until(|| near.receive(&mut [0; 6], timeout).is_ok());
        peer.join().unwrap();
    }
}

#[test]
fn what_is_closed_is_gone() {
    let (near, _far) = pair(0);
    assert!(!near.is_gone());
    let _ = near.close(Timeout::None);
    assert!(near.is_gone());
}

#[test]
fn nothing_is_done_with_what_the_options_are_wrong_for() {
    let messages = Some(Arc::new(MessageOptions { max_message: 0, ..MessageOptions::new(Framing::Lines) }));
    let wrong = SocketOptions { messages, ..SocketOptions::default() };
    let server = listening(ServerOptions::default());
    let connected = Socket::connect(server.full_name().unwrap(), &wrong, WATCHDOG);
    assert_eq!(status(connected), Status::InvalidArgument);
    assert_eq!(status(server.accept(Timeout::None)), Status::WouldBlock);
    let (mut near, mut far) = UnixStream::pair().unwrap();
    assert_eq!(status(Socket::adopt(near.try_clone().unwrap(), &wrong)), Status::InvalidArgument);
    near.write_all(b"x").unwrap();
    far.read_exact(&mut [0]).unwrap();
}

#[test]
fn a_peer_that_has_left_is_disconnected_after_its_last_byte() {
    let (near, far) = pair(0);
    far.send(b"bye", WATCHDOG).unwrap();
    drop(far);
    assert_eq!(status(near.send(b"x", WATCHDOG)), Status::Disconnected);
    assert_eq!(receive_exactly(&near, 3), b"bye");
    assert_eq!(status(near.receive(&mut [0; 1], WATCHDOG)), Status::Disconnected);
}

#[test]
fn only_a_local_stream_is_adopted_and_what_is_not_stays_as_it_is() {
    let (datagrams, _other) = UnixDatagram::pair().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let own = tempfile::tempfile().unwrap();
    let descriptors = [datagrams.as_fd(), far.as_fd(), listener.as_fd(), own.as_fd()];
    for descriptor in descriptors.map(|descriptor| descriptor.try_clone_to_owned().unwrap()) {
        let adopted = Socket::adopt(descriptor, &SocketOptions::default());
        assert_eq!(status(adopted), Status::InvalidArgument);
    }
    datagrams.send(b"x").unwrap();
    assert_eq!(far.peer_addr().unwrap(), listener.local_addr().unwrap());
}

#[test]
fn a_released_descriptor_lives_on() {
    let (near, far) = pair(0);
    let descriptor = near.release_owned().unwrap();
    assert_eq!(status(near.send(b"x", WATCHDOG)), Status::Closed);
    let again = Socket::adopt(descriptor, &SocketOptions::default()).unwrap();
    again.send(b"still here", WATCHDOG).unwrap();
    assert_eq!(receive_exactly(&far, 10), b"still here");
    drop(again);
    // Nothing of it is left with the one that gave it away.
    assert_eq!(status(far.receive(&mut [0], WATCHDOG)), Status::Disconnected);
}

#[test]
fn a_released_socket_has_no_time_limit_of_the_connect() {
    let server = listening(ServerOptions::default());
    let released = UnixStream::from(connect(&server).release_owned().unwrap());
    assert_eq!(released.write_timeout().unwrap(), None);
}

/// What was read ahead would be neither with the caller nor in the descriptor.
#[test]
fn a_socket_is_not_released_with_messages_that_nobody_has_received() {
    let messages = Some(Arc::new(MessageOptions::new(Framing::Lines)));
    let (near, far) = Socket::pair(&SocketOptions { messages, ..SocketOptions::default() }).unwrap();
    for message in [b"one", b"two"] {
        far.send_message(message, WATCHDOG).unwrap();
    }
    assert_eq!(near.receive_message(WATCHDOG).unwrap().data, b"one");
    assert_eq!(status(near.release_owned()), Status::InvalidState);
    assert_eq!(near.receive_message(WATCHDOG).unwrap().data, b"two");
    let mut released = UnixStream::from(near.release_owned().unwrap());
    far.send_message(b"three", WATCHDOG).unwrap();
    let mut line = [0; 6];
    released.set_nonblocking(false).unwrap();
    released.read_exact(&mut line).unwrap();
    assert_eq!(&line, b"three\n");
    assert_eq!(status(near.receive_message(WATCHDOG)), Status::Closed);
}

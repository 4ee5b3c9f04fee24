use super::{Socket, Timeout};
use crate::error::{Result, Status};
use crate::models::explore;
use crate::sys::{File, pass_time};
use loom::thread::{self, JoinHandle};
use std::sync::Arc;
use std::time::Duration;

/// Until a moment that comes when a model says so.
const A_WHILE: Timeout = Timeout::After(Duration::from_secs(3600));

fn status<T>(answer: Result<T>) -> Status {
    answer.err().map_or(Status::Ok, |error| error.status())
}

/// A socket whose peer has room for so many bytes, and which queues so many.
fn socket(room: usize, queue_limit: usize) -> (Arc<Socket>, Arc<File>) {
    let (socket, file) = Socket::with(File::with_room(room), queue_limit);
    (Arc::new(socket), file)
}

fn in_thread<T: 'static>(socket: &Arc<Socket>, work: impl FnOnce(&Socket) -> T + 'static) -> JoinHandle<T> {
    let socket = socket.clone();
    thread::spawn(move || work(&socket))
}

fn sender(socket: &Arc<Socket>, data: &'static [u8], timeout: Timeout) -> JoinHandle<Status> {
    in_thread(socket, move |socket| status(socket.send(data, timeout)))
}

/// What the peer reads until it has so much.
fn read(file: &File, length: usize) -> Vec<u8> {
    let mut read = Vec::new();
    while read.len() < length {
        read.extend(file.read());
    }
    read
}

/// What the peer reads while two send, each in its way, through a socket that queues so much.
fn read_while_two_send(
    queue_limit: usize,
    send: impl Fn(&Socket, &[u8]) -> Status + Copy + 'static,
) -> Vec<u8> {
    let (socket, file) = socket(1, queue_limit);
    let other = in_thread(&socket, move |socket| send(socket, b"aa"));
    let peer = thread::spawn(move || read(&file, 4));
    assert_eq!(send(&socket, b"bb"), Status::Ok);
    assert_eq!(other.join().unwrap(), Status::Ok);
    assert_eq!(status(socket.flush(Timeout::Forever)), Status::Ok);
    peer.join().unwrap()
}

#[test]
fn what_two_send_is_not_mixed() {
    explore(2, || {
        let read = read_while_two_send(0, |socket, data| status(socket.send(data, Timeout::Forever)));
        assert!(read == b"aabb" || read == b"bbaa", "{read:?}");
    });
}

#[test]
fn what_two_queue_is_not_mixed() {
    explore(2, || {
        let read = read_while_two_send(2, |socket, data| status(socket.send(data, Timeout::Forever)));
        assert!(read == b"aabb" || read == b"bbaa", "{read:?}");
    });
}

#[test]
fn messages_of_two_are_not_mixed() {
    explore(2, || {
        let send =
            |socket: &Socket, data: &[u8]| status(socket.send_message_with(data, &[], Timeout::Forever));
        let read = read_while_two_send(0, send);
        assert!(read == b"aabb" || read == b"bbaa", "{read:?}");
    });
}

/// A turn that nobody hands on is a deadlock, which loom reports.
#[test]
fn who_waits_for_a_turn_has_it_when_it_ends() {
    explore(2, || {
        let (socket, file) = socket(0, 0);
        let senders = [sender(&socket, b"a", Timeout::Forever), sender(&socket, b"b", Timeout::Forever)];
        file.make_room(2);
        for sender in senders {
            assert_eq!(sender.join().unwrap(), Status::Ok);
        }
    });
}

#[test]
fn every_one_of_many_has_its_turn() {
    explore(2, || {
        let (socket, file) = socket(0, 0);
        let senders =
            [b"a", b"b", b"c"].map(|data: &'static [u8; 1]| sender(&socket, data, Timeout::Forever));
        file.make_room(3);
        for sender in senders {
            assert_eq!(sender.join().unwrap(), Status::Ok);
        }
    });
}

#[test]
fn a_turn_is_waited_for_until_the_deadline() {
    explore(2, || {
        let (socket, _file) = socket(0, 0);
        let first = sender(&socket, b"a", Timeout::Forever);
        let second = sender(&socket, b"b", A_WHILE);
        pass_time();
        assert_eq!(second.join().unwrap(), Status::TimedOut);
        socket.abort();
        assert_eq!(first.join().unwrap(), Status::Closed);
    });
}

#[test]
fn a_turn_that_is_not_to_be_waited_for_is_not() {
    explore(2, || {
        let (socket, _file) = socket(0, 0);
        let first = sender(&socket, b"a", Timeout::Forever);
        assert_eq!(status(socket.send(b"b", Timeout::None)), Status::WouldBlock);
        socket.abort();
        assert_eq!(first.join().unwrap(), Status::Closed);
    });
}

/// Who runs out of time just then does not take it along.
#[test]
fn a_turn_that_ends_at_a_deadline_is_not_lost() {
    explore(2, || {
        let (socket, file) = socket(0, 0);
        let patient = [sender(&socket, b"a", Timeout::Forever), sender(&socket, b"c", Timeout::Forever)];
        let hasty = sender(&socket, b"b", A_WHILE);
        file.make_room(3);
        pass_time();
        for sender in patient {
            assert_eq!(sender.join().unwrap(), Status::Ok);
        }
        let answer = hasty.join().unwrap();
        assert!([Status::Ok, Status::TimedOut].contains(&answer), "{answer:?}");
    });
}

#[test]
fn aborting_ends_who_waits_for_room_and_who_waits_for_a_turn() {
    explore(2, || {
        let (socket, _file) = socket(0, 0);
        let senders = [sender(&socket, b"a", Timeout::Forever), sender(&socket, b"b", A_WHILE)];
        socket.abort();
        for sender in senders {
            assert_eq!(sender.join().unwrap(), Status::Closed);
        }
    });
}

#[test]
fn closing_ends_who_waits_for_room_and_who_waits_for_a_turn() {
    explore(2, || {
        let (socket, _file) = socket(0, 0);
        let senders = [sender(&socket, b"a", Timeout::Forever), sender(&socket, b"b", A_WHILE)];
        assert_eq!(socket.close(Timeout::Forever).outcome, Status::Ok);
        for sender in senders {
            assert_eq!(sender.join().unwrap(), Status::Closed);
        }
    });
}

#[test]
fn aborting_ends_a_receive() {
    explore(3, || {
        let (socket, _file) = socket(0, 0);
        let receiver = in_thread(&socket, |socket| status(socket.receive(&mut [0], Timeout::Forever)));
        socket.abort();
        assert_eq!(receiver.join().unwrap(), Status::Closed);
    });
}

#[test]
fn closing_ends_a_receive_before_it_flushes() {
    explore(2, || {
        let (socket, file) = socket(0, 1);
        socket.send(b"a", Timeout::None).unwrap();
        let receiver = in_thread(&socket, |socket| status(socket.receive(&mut [0], Timeout::Forever)));
        let closer = in_thread(&socket, |socket| socket.close(Timeout::Forever));
        assert_eq!(receiver.join().unwrap(), Status::Closed);
        file.make_room(1);
        let report = closer.join().unwrap();
        assert_eq!((report.sent, report.unsent, report.outcome), (1, 0, Status::Ok));
    });
}

#[test]
fn aborting_ends_a_close_that_flushes() {
    explore(2, || {
        let (socket, _file) = socket(0, 1);
        socket.send(b"a", Timeout::None).unwrap();
        let closer = in_thread(&socket, |socket| socket.close(Timeout::Forever));
        for report in [socket.abort(), closer.join().unwrap()] {
            assert_eq!((report.sent, report.unsent, report.outcome), (0, 1, Status::Closed));
        }
    });
}

#[test]
fn what_a_send_was_told_is_taken_is_in_the_report() {
    explore(2, || {
        let (socket, _file) = socket(1, 1);
        let sender = in_thread(&socket, |socket| socket.send_counted(b"abc", Timeout::Forever));
        let report = socket.abort();
        let (taken, result) = sender.join().unwrap();
        assert_eq!(status(result), Status::Closed);
        assert_eq!(report.sent + report.unsent, taken as u64);
        assert_eq!(report.outcome == Status::Ok, report.unsent == 0, "{report:?}");
    });
}

#[test]
fn a_close_with_time_loses_nothing_that_was_taken() {
    explore(2, || {
        let (socket, file) = socket(0, 1);
        let sender = in_thread(&socket, |socket| socket.send_counted(b"a", Timeout::None).0);
        let peer = thread::spawn(move || file.make_room(1));
        let report = socket.close(Timeout::Forever);
        let taken = sender.join().unwrap() as u64;
        assert_eq!((report.sent, report.unsent, report.outcome), (taken, 0, Status::Ok));
        peer.join().unwrap();
    });
}

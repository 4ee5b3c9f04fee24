//! Descriptors that come with the messages of a service.

mod support;

use moorline::{
    Connection, Framing, Handler, MessageOptions, Service, ServiceOptions, Socket, SocketOptions, Status,
};
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, mpsc};
use std::time::Duration;
use support::*;

const PATIENCE: Duration = Duration::from_secs(60);

fn started(handler: Arc<dyn Handler>) -> (Service, Socket) {
    let messages = MessageOptions { max_descriptors: 2, ..MessageOptions::new(Framing::BigEndian) };
    let messages = Some(Arc::new(messages));
    let options = ServiceOptions { messages: messages.clone(), ..ServiceOptions::default() };
    let service = Service::new(options, handler).unwrap();
    service.start_unique("descriptors").unwrap();
    let options = SocketOptions { messages, ..SocketOptions::default() };
    let socket = Socket::connect(service.full_name().unwrap(), &options, WATCHDOG).unwrap();
    (service, socket)
}

/// A descriptor to hand over, and what sees when all duplicates of it are closed.
fn tracked() -> (UnixStream, UnixStream) {
    let (handed, watching) = UnixStream::pair().unwrap();
    watching.set_read_timeout(Some(PATIENCE)).unwrap();
    (handed, watching)
}

#[test]
fn a_handler_gets_them_and_sends_others() {
    struct HandsBack;
    impl Handler for HandsBack {
        fn message_with_descriptors(&self, to: &Connection, message: &[u8], descriptors: Vec<OwnedFd>) {
            let borrowed: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
            to.send_message_with(message, &borrowed, WATCHDOG).unwrap();
        }
    }
    let (_service, socket) = started(Arc::new(HandsBack));
    let (handed, mut watching) = tracked();
    for count in 0..=2 {
        socket.send_message_with(b"back", &vec![handed.as_fd(); count], WATCHDOG).unwrap();
        let message = socket.receive_message(WATCHDOG).unwrap();
        assert_eq!((&message.data[..], message.descriptors.len()), (&b"back"[..], count));
        for descriptor in message.descriptors {
            UnixStream::from(descriptor).write_all(b"x").unwrap();
            watching.read_exact(&mut [0]).unwrap();
        }
    }
    drop(handed);
    assert_eq!(watching.read(&mut [0]).unwrap(), 0);
}

/// Tells of messages, and keeps each connection that has ended.
struct Keeper(mpsc::Sender<Result<Vec<u8>, (Connection, Status)>>);

impl Handler for Keeper {
    fn message(&self, _: &Connection, message: &[u8]) {
        self.0.send(Ok(message.to_vec())).unwrap();
    }

    fn disconnected(&self, connection: &Connection, reason: Status) {
        self.0.send(Err((connection.clone(), reason))).unwrap();
    }
}

#[test]
fn a_handler_that_does_not_ask_for_them_has_them_closed() {
    let (sender, events) = mpsc::channel();
    let (_service, socket) = started(Arc::new(Keeper(sender)));
    let (handed, mut watching) = tracked();
    socket.send_message_with(b"with", &[handed.as_fd()], WATCHDOG).unwrap();
    drop(handed);
    assert!(matches!(events.recv_timeout(PATIENCE).unwrap(), Ok(message) if message == b"with"));
    assert_eq!(watching.read(&mut [0]).unwrap(), 0);
}

#[test]
fn what_a_connection_has_not_delivered_ends_with_it_though_it_is_kept() {
    let (sender, events) = mpsc::channel();
    let (service, socket) = started(Arc::new(Keeper(sender)));
    let (handed, mut watching) = tracked();
    let three = [handed.as_fd(), handed.as_fd(), handed.as_fd()];
    socket.send_message_with(b"too many", &three, WATCHDOG).unwrap();
    drop(handed);
    let Err((_kept, reason)) = events.recv_timeout(PATIENCE).unwrap() else { panic!("delivered") };
    assert_eq!(reason, Status::LimitReached);
    assert_eq!(watching.read(&mut [0]).unwrap(), 0);

    // The same of a message that never becomes whole.
    let name = service.full_name().unwrap();
    let lines = MessageOptions::new(Framing::Lines);
    let options = SocketOptions { messages: Some(Arc::new(lines)), ..SocketOptions::default() };
    let broken = Socket::connect(name, &options, WATCHDOG).unwrap();
    let (handed, mut watching) = tracked();
    broken.send_message_with(b"x", &[handed.as_fd()], WATCHDOG).unwrap();
    drop((handed, broken));
    let Err((_kept, reason)) = events.recv_timeout(PATIENCE).unwrap() else { panic!("delivered") };
    assert_eq!(reason, Status::Malformed);
    assert_eq!(watching.read(&mut [0]).unwrap(), 0);
}

//! Descriptors that come with the messages of a service.

mod support;

use moorline::{
    Connection, Framing, Handler, MessageOptions, ServerOptions, Service, ServiceOptions, Socket,
    SocketOptions, Status,
};
use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use std::io::{IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, mpsc};
use support::descriptors::{send_with, system_turns_descriptors_away, tracked};
use support::scene::PATIENCE;
use support::*;

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

/// How many descriptors come with the next byte.
fn receive_one(to: &UnixStream) -> usize {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let received = recvmsg(to, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::empty()).unwrap();
    assert_eq!(received.bytes, 1);
    control
        .drain()
        .map(|message| match message {
            RecvAncillaryMessage::ScmRights(descriptors) => descriptors.count(),
            _ => 0,
        })
        .sum()
}

#[test]
fn sockets_with_messages_that_take_none_have_them_turned_away_whoever_made_the_connection() {
    if !system_turns_descriptors_away() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("plain");
    let listener = UnixListener::bind(&path).unwrap();
    let takes = |max_descriptors| {
        let messages = MessageOptions { max_descriptors, ..MessageOptions::new(Framing::BigEndian) };
        SocketOptions { messages: Some(Arc::new(messages)), ..SocketOptions::default() }
    };
    for (options, taken) in
        [(SocketOptions::default(), true), (takes(0), false), (takes(1), true), (takes(253), true)]
    {
        let outcome = if taken { Ok(1) } else { Err(Errno::PERM) };
        // To a client.
        let client = Socket::connect(&path, &options, WATCHDOG).unwrap();
        let peer = listener.accept().unwrap().0;
        assert_eq!(send_with(&peer, b"x", &[peer.as_fd()]), outcome);
        // To a server, before the connection is accepted.
        let server =
            listening(ServerOptions { messages: options.messages.clone(), ..ServerOptions::default() });
        let peer = UnixStream::connect(server.full_name().unwrap()).unwrap();
        assert_eq!(send_with(&peer, b"x", &[peer.as_fd()]), outcome);
        let accepted = server.accept(WATCHDOG).unwrap();
        assert_eq!(send_with(&peer, b"x", &[peer.as_fd()]), outcome);
        drop((client, accepted));
    }
}

#[test]
fn a_released_socket_takes_them_as_any_does() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("plain");
    let listener = UnixListener::bind(&path).unwrap();
    let messages = Some(Arc::new(MessageOptions::new(Framing::BigEndian)));
    let options = SocketOptions { messages: messages.clone(), ..SocketOptions::default() };
    let client = Socket::connect(&path, &options, WATCHDOG).unwrap();
    let server = listening(ServerOptions { messages, ..ServerOptions::default() });
    let to_server = UnixStream::connect(server.full_name().unwrap()).unwrap();
    let (first, second) = Socket::pair(&options).unwrap();
    let second = UnixStream::from(second.release_owned().unwrap());
    for (socket, peer) in [
        (client, listener.accept().unwrap().0),
        (server.accept(WATCHDOG).unwrap(), to_server),
        (first, second),
    ] {
        let released = UnixStream::from(socket.release_owned().unwrap());
        assert_eq!(send_with(&peer, b"x", &[peer.as_fd()]), Ok(1));
        assert_eq!(receive_one(&released), 1);
    }
}

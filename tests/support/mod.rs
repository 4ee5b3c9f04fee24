//! What the integration tests share.

#![allow(dead_code)] // each test file uses its part

pub mod contended;
pub mod descriptors;
pub mod messages;
pub mod scene;
pub mod services;

use moorline::{
    Framing, MessageOptions, Result, Server, ServerOptions, Socket, SocketOptions, Status, Timeout,
};
use std::io::Read;
use std::time::{Duration, Instant};

/// Long enough that only a hang gets here.
pub const WATCHDOG: Timeout = Timeout::After(Duration::from_secs(30));

pub fn status<T>(result: Result<T>) -> Status {
    result.err().map_or(Status::Ok, |error| error.status())
}

/// Waits until something is so.
pub fn until(mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(30), "it never is");
        std::thread::yield_now();
    }
}

/// A server that listens under a new name.
pub fn listening(options: ServerOptions) -> Server {
    let server = Server::new(options);
    server.listen_unique("test").unwrap();
    server
}

pub fn connect(server: &Server) -> Socket {
    Socket::connect(server.full_name().unwrap(), &SocketOptions::default(), WATCHDOG).unwrap()
}

/// Receives exactly so many bytes.
pub fn receive_exactly(socket: &Socket, length: usize) -> Vec<u8> {
    let mut all = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    while all.len() < length {
        let room = buffer.len().min(length - all.len());
        let received = socket.receive(&mut buffer[..room], WATCHDOG).unwrap();
        all.extend_from_slice(&buffer[..received]);
    }
    all
}

/// Sends until the kernel takes no more; tells how much it took.
pub fn fill(socket: &Socket) -> usize {
    let mut total = 0;
    loop {
        let (taken, result) = socket.send_counted(&[7; 4096], Timeout::None);
        total += taken;
        match status(result) {
            Status::Ok => {}
            Status::WouldBlock => return total,
            other => panic!("{other:?}"),
        }
    }
}

/// What a client sends first: its part of the handshake, and a message.
pub fn first_words(message: &[u8]) -> Vec<u8> {
    let (socket, mut far) = messages::against_plain(MessageOptions::new(Framing::Checked));
    socket.send_message(message, WATCHDOG).unwrap();
    drop(socket);
    let mut bytes = Vec::new();
    far.read_to_end(&mut bytes).unwrap();
    bytes
}

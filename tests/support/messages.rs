//! Sockets with messages.

use super::WATCHDOG;
use moorline::{Framing, MessageOptions, Socket, SocketOptions};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

pub const FRAMINGS: [Framing; 4] =
    [Framing::BigEndian, Framing::LittleEndian, Framing::Lines, Framing::Checked];

pub fn socket_options(messages: MessageOptions) -> SocketOptions {
    SocketOptions { messages: Some(Arc::new(messages)), ..SocketOptions::default() }
}

pub fn pair(messages: MessageOptions) -> (Socket, Socket) {
    Socket::pair(&socket_options(messages)).unwrap()
}

/// A socket with messages, and the plain other end of its stream.
pub fn against_plain(messages: MessageOptions) -> (Socket, UnixStream) {
    let (near, far) = UnixStream::pair().unwrap();
    (Socket::adopt(near, &socket_options(messages)).unwrap(), far)
}

/// Two sockets that others made, to which descriptors may be on their way already, so that the system turns none away.
pub fn adopted_pair(messages: MessageOptions) -> (Socket, Socket) {
    let (near, far) = UnixStream::pair().unwrap();
    let adopt = |end: UnixStream| Socket::adopt(end, &socket_options(messages.clone())).unwrap();
    (adopt(near), adopt(far))
}

pub fn receive(socket: &Socket) -> Vec<u8> {
    socket.receive_message(WATCHDOG).unwrap().data
}

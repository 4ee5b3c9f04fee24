//! Bugs on purpose, in memory that the library reads: a sanitizer that does not find them would find nothing else either.
//! Not run unless asked for.

#![allow(unsafe_code)]

mod support;

use moorline::{Framing, MessageOptions, Socket, SocketOptions};
use std::sync::{Arc, Barrier};
use support::WATCHDOG;

const LENGTH: usize = 64;

/// To send a line, the library's own code searches it for the end of one.
fn send_line(socket: &Socket, line: *const u8) {
    // SAFETY: none: each caller says what is wrong with it.
    let line = unsafe { std::slice::from_raw_parts(line, LENGTH) };
    let _ = socket.send_message(line, WATCHDOG);
}

fn lines() -> (Socket, Socket) {
    let messages = Some(Arc::new(MessageOptions::new(Framing::Lines)));
    Socket::pair(&SocketOptions { messages, ..SocketOptions::default() }).unwrap()
}

#[test]
#[ignore = "a data race, for ThreadSanitizer to find"]
fn race() {
    struct Shared(*mut u8);
    // SAFETY: none: one thread reads what another writes.
    unsafe impl Sync for Shared {}

    let (socket, _peer) = lines();
    let shared = Shared(Box::leak(vec![b'x'; LENGTH].into_boxed_slice()).as_mut_ptr());
    let shared = &shared;
    // Of a thread that had ended before the other one began, the sanitizer may have forgotten what it did.
    let both_run = Barrier::new(2);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            both_run.wait();
            send_line(&socket, shared.0);
        });
        scope.spawn(|| {
            both_run.wait();
            // SAFETY: it is there, but read meanwhile.
            unsafe { shared.0.write(b'y') };
        });
    });
}

#[test]
#[ignore = "a use after free, for AddressSanitizer to find"]
fn use_after_free() {
    let (socket, _peer) = lines();
    let line = vec![b'x'; LENGTH];
    let dangling = line.as_ptr();
    drop(line);
    send_line(&socket, dangling);
}

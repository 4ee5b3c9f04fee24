//! Parts of the library on their own, on one thread: nanoseconds of processor time that each takes.

use moorline::{
    Event, Framing, Interest, MessageOptions, Poller, PollerOptions, Socket, SocketOptions, Status, Timeout,
};
use moorline_benches::arguments::Arguments;
use moorline_benches::measurement::read_clock;
use moorline_benches::{checked, fail};
use nix::time::ClockId;
use std::hint::black_box;
use std::sync::Arc;

fn main() {
    let mut arguments = Arguments::of_process();
    let times = arguments.number("times", 100_000);
    let what = arguments.text("what", "");
    let length = arguments.number("length", 1) as usize;
    let framing = arguments.text("framing", "raw");
    let watched = arguments.number("watched", 1) as usize;
    arguments.finish();
    let data: Vec<u8> = (0..length).map(|at| (at * 31 + 7) as u8).collect();
    match &*what {
        "crc32c" => time(times, || {
            let mut digest = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi);
            digest.update(black_box(&data));
            black_box(digest.finalize());
        }),
        "message" => time_messages(times, &framing, &data),
        "poller-vain" => time_vain_waits(times, watched),
        "poller-event" => time_events(times, watched),
        other => fail(format_args!("unknown: {other}")),
    }
}

/// Prints what a call takes, once it has been called a tenth as often.
fn time(times: u64, mut call: impl FnMut()) {
    (0..times / 10).for_each(|_| call());
    let begin = read_clock(ClockId::CLOCK_THREAD_CPUTIME_ID);
    (0..times).for_each(|_| call());
    let seconds = read_clock(ClockId::CLOCK_THREAD_CPUTIME_ID) - begin;
    println!("{{\"nanoseconds\": {:.3}}}", seconds * 1e9 / times as f64);
}

/// From one end of a pair to the other: sent, received, compared.
fn time_messages(times: u64, framing: &str, data: &[u8]) {
    let framing = match framing {
        "raw" => None,
        "length" => Some(Framing::BigEndian),
        "checked" => Some(Framing::Checked),
        other => fail(format_args!("unknown framing: {other}")),
    };
    let messages = framing.map(|framing| Arc::new(MessageOptions::new(framing)));
    let options = SocketOptions { messages, ..SocketOptions::default() };
    let (left, right) = checked(Socket::pair(&options), "Socket::pair");
    let mut buffer = vec![0; data.len()];
    time(times, || {
        if framing.is_some() {
            let mut length = 0;
            checked(left.send_message(data, Timeout::None), "send_message");
            checked(right.receive_message_into(&mut buffer, &mut length, Timeout::None), "receive_message");
        } else {
            checked(left.send(data, Timeout::None), "send");
            let mut received = 0;
            while received < data.len() {
                received += checked(right.receive(&mut buffer[received..], Timeout::None), "receive");
            }
        }
        if buffer != data {
            fail("something else came than was sent");
        }
    });
}

/// A poller and pairs, of which it watches the right ends.
fn watch(count: usize) -> (Poller, Vec<(Socket, Socket)>) {
    let poller = checked(Poller::new(PollerOptions::default()), "Poller::new");
    let pair = |token| {
        let pair = checked(Socket::pair(&SocketOptions::default()), "Socket::pair");
        checked(poller.add(&pair.1, Interest::READABLE_EDGE, token), "Poller::add");
        pair
    };
    let pairs = (0..count as u64).map(pair).collect();
    (poller, pairs)
}

fn time_vain_waits(times: u64, watched: usize) {
    let (poller, _pairs) = watch(watched);
    let mut events = [Event::default(); 64];
    time(times, || match poller.wait(&mut events, Timeout::None) {
        Err(error) if error.status() == Status::WouldBlock => {}
        other => fail(format_args!("something is ready: {other:?}")),
    });
}

/// A byte to one of the sockets, the wait that tells of it, and its receipt.
fn time_events(times: u64, watched: usize) {
    let (poller, pairs) = watch(watched);
    let mut events = [Event::default(); 64];
    let mut next = 0;
    time(times, || {
        let (left, right) = &pairs[next];
        checked(left.send(b"x", Timeout::None), "send");
        if checked(poller.wait(&mut events, Timeout::None), "wait") != 1 || events[0].token != next as u64 {
            fail("another socket is ready than was sent to");
        }
        checked(right.receive(&mut [0; 16], Timeout::None), "receive");
        next = (next + 1) % watched;
    });
}

//! Every call that waits, each for a while in vain.

use super::support::{connect, fill, listening, status};
use moorline::{
    Framing, Interest, MessageOptions, Poller, PollerOptions, ServerOptions, Socket, SocketOptions, Status,
    Timeout,
};
use std::sync::Arc;
use std::time::{Duration, Instant};

const WHILE: Duration = Duration::from_millis(30);

/// How a call is made, and what goes on meanwhile.
pub type Around<'a> = &'a dyn Fn(&mut dyn FnMut());

/// It ends when its time is over, not earlier.
fn times_out<T>(around: Around<'_>, call: impl Fn(Timeout) -> moorline::Result<T>) {
    let begun = Instant::now();
    let mut answer = Status::Ok;
    around(&mut || answer = status(call(Timeout::After(WHILE))));
    assert_eq!(answer, Status::TimedOut);
    assert!(begun.elapsed() >= WHILE, "it ended early, after {:?}", begun.elapsed());
}

fn messages() -> SocketOptions {
    let messages = Some(Arc::new(MessageOptions::new(Framing::BigEndian)));
    SocketOptions { messages, ..SocketOptions::default() }
}

/// Each wait lasts its time, whatever is around it.
pub fn each_lasts_its_time(around: Around<'_>) {
    let server = listening(ServerOptions::default());
    times_out(around, |time| server.accept(time));
    let (socket, _peer) = Socket::pair(&SocketOptions::default()).unwrap();
    times_out(around, |time| socket.receive(&mut [0], time));
    times_out(around, |time| socket.wait(Interest::READABLE, time));
    fill(&socket);
    times_out(around, |time| socket.send(b"x", time));
    a_turn_to_send_lasts_its_time(around, &socket);
    let (with_messages, _peer) = Socket::pair(&messages()).unwrap();
    times_out(around, |time| with_messages.receive_message(time));
    let poller = Poller::new(PollerOptions::default()).unwrap();
    times_out(around, |time| poller.wait(&mut [moorline::Event::default()], time));
    let queueing = SocketOptions { send_queue_limit: 1 << 20, ..SocketOptions::default() };
    let (queueing, _peer) = Socket::pair(&queueing).unwrap();
    queueing.send(&vec![0; 1 << 20], Timeout::None).unwrap();
    times_out(around, |time| queueing.flush(time));
    a_close_lasts_its_time(around, &queueing);
    a_connect_to_a_full_backlog_lasts_its_time(around);
}

/// One thread has the turn, and this one waits for it.
fn a_turn_to_send_lasts_its_time(around: Around<'_>, full: &Socket) {
    std::thread::scope(|scope| {
        let holder = scope.spawn(|| full.send(b"x", Timeout::Forever));
        times_out(around, |time| full.send(b"x", time));
        full.abort();
        assert_eq!(status(holder.join().unwrap()), Status::Closed);
    });
}

fn a_close_lasts_its_time(around: Around<'_>, queueing: &Socket) {
    let begun = Instant::now();
    let mut report = None;
    around(&mut || report = Some(queueing.close(Timeout::After(WHILE))));
    let report = report.unwrap();
    assert!(report.unsent > 0 && begun.elapsed() >= WHILE, "{report:?} after {:?}", begun.elapsed());
    assert_eq!(report.sent + report.unsent, 1 << 20);
}

fn a_connect_to_a_full_backlog_lasts_its_time(around: Around<'_>) {
    let server = listening(ServerOptions { backlog: Some(1), ..ServerOptions::default() });
    let name = server.full_name().unwrap();
    let mut waiting = vec![connect(&server)];
    while let Ok(socket) = Socket::connect(&name, &SocketOptions::default(), Timeout::None) {
        waiting.push(socket);
    }
    times_out(around, |time| Socket::connect(&name, &SocketOptions::default(), time));
}

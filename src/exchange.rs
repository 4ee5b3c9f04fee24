//! N sockets that exchange data with an echo, every byte verified.

use crate::busy_poll::BusyPoll;
use crate::deadline::{Deadline, Timeout};
use crate::error::{Error, Result, Status};
use crate::poller::{Event, Interest, Poller, PollerOptions};
use crate::socket::{Socket, SocketOptions};
use std::ffi::OsStr;
use std::time::{Duration, Instant};

/// What to exchange.
#[derive(Clone, Debug)]
pub struct ExchangeOptions {
    /// How the sockets connect.
    pub socket: SocketOptions,
    /// Sockets, all connected at the same time.
    pub connections: usize,
    /// Bytes of a round trip.
    pub chunk: usize,
    /// Round trips over all connections together. Each connection has one chunk on its way at a time.
    pub round_trips: u64,
    /// [`PollerOptions::busy_poll`] of the exchange.
    pub busy_poll: BusyPoll,
}

impl Default for ExchangeOptions {
    fn default() -> Self {
        ExchangeOptions {
            socket: SocketOptions::default(),
            connections: 1,
            chunk: 1,
            round_trips: 1,
            busy_poll: BusyPoll::default(),
        }
    }
}

/// What was exchanged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExchangeReport {
    /// Round trips that came back whole and right.
    pub round_trips: u64,
    /// Bytes sent.
    pub sent: u64,
    /// Bytes received and found right.
    pub received: u64,
    /// From the first send to the last receive; connecting is not in it.
    pub duration: Duration,
}

/// How far an exchange is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Round trips done.
    pub done: u64,
    /// Round trips in all.
    pub total: u64,
}

const EVENTS: usize = 1024;
const RECEIVE_SIZE: usize = 64 * 1024;
/// So much of a longer chunk is sent at a time: what is sent is kept, and making it takes its time.
const SEND_SIZE: usize = 1 << 20;
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);
const CONNECTIONS_LIMIT: usize = 1 << 20;
const CHUNK_LIMIT: usize = 1 << 30;

/// Connects the sockets to an echo and runs the round trips; returns when all are done. `progress` is called about ten times
/// a second, while it connects, too; and at the start, when all are connected and nothing is sent yet, and at the end. When it returns
/// false the exchange ends with `Cancelled`.
///
/// Returns what was exchanged, in any case, and whether all was right.
///
/// # Errors
///
/// As [`Socket::connect`]. `Mismatch`: something else came back than was sent, on the connection and at the place of its
/// stream that the text names. `Disconnected`: the server left. `TimedOut`, `Cancelled`. `InvalidArgument`: no connections,
/// an empty chunk, or more than a million connections or a gibibyte.
pub fn run(
    name: impl AsRef<OsStr>,
    options: &ExchangeOptions,
    timeout: Timeout,
    progress: impl FnMut(Progress) -> bool,
) -> (ExchangeReport, Result<()>) {
    let mut report = ExchangeReport::default();
    let result = check(options).and_then(|()| {
        let deadline = Deadline::from(timeout);
        let mut teller = Teller { progress, total: options.round_trips, due: Instant::now() };
        let mut exchange = Exchange::connect(name.as_ref(), options, deadline, &mut teller)?;
        teller.tell(0)?;
        let start = Instant::now();
        let result = exchange.run(deadline, &mut teller);
        report = ExchangeReport { duration: start.elapsed(), ..exchange.report };
        result
    });
    (report, result)
}

fn check(options: &ExchangeOptions) -> Result<()> {
    let ExchangeOptions { connections, chunk, .. } = *options;
    if connections == 0 || connections > CONNECTIONS_LIMIT {
        let context = format!("exchange over {connections} connections: 1 to {CONNECTIONS_LIMIT}");
        return Err(Error::new(Status::InvalidArgument, context));
    }
    if chunk == 0 || chunk > CHUNK_LIMIT {
        let context = format!("exchange chunks of {chunk} bytes: 1 to {CHUNK_LIMIT}");
        return Err(Error::new(Status::InvalidArgument, context));
    }
    Ok(())
}

/// Tells how far the exchange is, and is told whether it goes on.
struct Teller<P> {
    progress: P,
    total: u64,
    /// When to tell again.
    due: Instant,
}

impl<P: FnMut(Progress) -> bool> Teller<P> {
    fn tell(&mut self, done: u64) -> Result<(), Status> {
        self.due = Instant::now() + PROGRESS_INTERVAL;
        if (self.progress)(Progress { done, total: self.total }) { Ok(()) } else { Err(Status::Cancelled) }
    }

    /// Tells, if that is due; and until when to go on without.
    fn tell_if_due(&mut self, done: u64) -> Result<Instant, Status> {
        if self.due <= Instant::now() {
            self.tell(done)?;
        }
        Ok(self.due)
    }
}

struct Exchange {
    poller: Poller,
    lanes: Vec<Lane>,
    pattern: Pattern,
    chunk: usize,
    total: u64,
    report: ExchangeReport,
    buffer: Vec<u8>,
}

/// One connection's part.
struct Lane {
    socket: Socket,
    /// Round trips still to finish, the present one among them.
    left: u64,
    /// Bytes of the present chunk that went out, and that came back.
    sent: usize,
    received: usize,
    /// Where in its stream the present chunk begins.
    position: u64,
    /// A send fell short, so room to send is watched for.
    waiting: bool,
}

impl Exchange {
    fn connect(
        name: &OsStr,
        options: &ExchangeOptions,
        deadline: Deadline,
        teller: &mut Teller<impl FnMut(Progress) -> bool>,
    ) -> Result<Exchange> {
        let poller = Poller::new(PollerOptions { busy_poll: options.busy_poll, ..PollerOptions::default() })?;
        let connections = options.connections as u64;
        // It keeps itself what the kernel does not take.
        let socket_options = SocketOptions { send_queue_limit: 0, ..options.socket.clone() };
        let mut lanes = Vec::with_capacity(options.connections);
        for index in 0..connections {
            let socket = loop {
                // While the server's backlog is full, somebody may want to end it.
                let part = deadline.earlier(teller.tell_if_due(0)?);
                match Socket::connect(name, &socket_options, part.timeout()) {
                    Err(error) if error.status() == Status::TimedOut && !deadline.has_passed() => {}
                    connected => break connected,
                }
            }
            .map_err(|error| error.within(&format!("connection {index} of {connections}")))?;
            poller.add(&socket, Interest::READABLE_EDGE, index)?;
            let left =
                options.round_trips / connections + u64::from(index < options.round_trips % connections);
            lanes.push(Lane { socket, left, sent: 0, received: 0, position: 0, waiting: false });
        }
        Ok(Exchange {
            poller,
            lanes,
            pattern: Pattern::new(options.chunk),
            chunk: options.chunk,
            total: options.round_trips,
            report: ExchangeReport::default(),
            buffer: vec![0; RECEIVE_SIZE],
        })
    }

    fn run(&mut self, deadline: Deadline, teller: &mut Teller<impl FnMut(Progress) -> bool>) -> Result<()> {
        for index in 0..self.lanes.len() {
            self.send(index)?;
        }
        let mut events = Vec::with_capacity(EVENTS);
        while self.report.round_trips < self.total {
            let due = teller.tell_if_due(self.report.round_trips)?;
            if deadline.has_passed() {
                return Err(Error::new(deadline.expiry(), self.state()));
            }
            events.clear();
            let timeout = deadline.earlier(due).timeout();
            match self.poller.wait_each(EVENTS, timeout, |event: Event| events.push(event)) {
                Err(error) if !matches!(error.status(), Status::TimedOut | Status::WouldBlock) => {
                    return Err(error);
                }
                _ => {}
            }
            for event in &events {
                self.handle(event)?;
            }
        }
        Ok(teller.tell(self.report.round_trips)?)
    }

    fn handle(&mut self, event: &Event) -> Result<()> {
        let index = event.token as usize;
        if event.writable {
            self.send(index)?;
        }
        if event.readable {
            self.receive(index, event.hangup)?;
        }
        Ok(())
    }

    fn send(&mut self, index: usize) -> Result<()> {
        let lane = &mut self.lanes[index];
        if lane.left == 0 || lane.sent == self.chunk {
            return Ok(());
        }
        let mut waiting = false;
        while lane.sent < self.chunk && !waiting {
            let length = (self.chunk - lane.sent).min(SEND_SIZE);
            let part = self.pattern.at(index, lane.position + lane.sent as u64, length);
            let (sent, result) = lane.socket.send_counted(part, Timeout::None);
            lane.sent += sent;
            self.report.sent += sent as u64;
            waiting = match result {
                Err(error) if error.status() != Status::WouldBlock => {
                    return Err(error.within(&format!("connection {index}")));
                }
                result => result.is_err(),
            };
        }
        if lane.waiting != waiting {
            lane.waiting = waiting;
            let interest = if waiting { Interest::EDGE } else { Interest::READABLE_EDGE };
            self.poller.modify(&lane.socket, interest, index as u64)?;
        }
        Ok(())
    }

    fn receive(&mut self, index: usize, hangup: bool) -> Result<()> {
        loop {
            let lane = &mut self.lanes[index];
            let received = match lane.socket.receive(&mut self.buffer, Timeout::None) {
                Ok(received) => received,
                Err(error) if error.status() == Status::WouldBlock => return Ok(()),
                // Who has had all its answers may be left.
                Err(error) if error.status() == Status::Disconnected && lane.left == 0 => {
                    return Ok(());
                }
                Err(error) => return Err(error.within(&format!("connection {index}"))),
            };
            self.verify(index, received)?;
            if received < self.buffer.len() && !hangup {
                return Ok(());
            }
        }
    }

    fn verify(&mut self, index: usize, received: usize) -> Result<()> {
        let lane = &mut self.lanes[index];
        let start = lane.position + lane.received as u64;
        let outstanding = lane.sent - lane.received;
        if received > outstanding {
            let at = start + outstanding as u64;
            let context = format!("connection {index}: more came back than was sent, at byte {at}");
            return Err(Error::new(Status::Mismatch, context));
        }
        let data = &self.buffer[..received];
        let expected = self.pattern.at(index, start, received);
        if data != expected {
            let wrong = data.iter().zip(expected).position(|(got, want)| got != want).unwrap_or(0);
            let (at, got, want) = (start + wrong as u64, data[wrong], expected[wrong]);
            let context = format!("connection {index}: byte {at} of its stream is {got}, not {want}");
            return Err(Error::new(Status::Mismatch, context));
        }
        self.report.received += received as u64;
        lane.received += received;
        if lane.received == self.chunk {
            self.report.round_trips += 1;
            lane.left -= 1;
            if lane.left > 0 {
                lane.position += self.chunk as u64;
                lane.sent = 0;
                lane.received = 0;
                self.send(index)?;
            }
        }
        Ok(())
    }

    fn state(&self) -> String {
        format!("exchange: {} of {} round trips done", self.report.round_trips, self.total)
    }
}

/// What is sent: a sequence without short repeats, in which each connection begins elsewhere, so that bytes of another
/// connection or another place are found out.
struct Pattern(Vec<u8>);

impl Pattern {
    /// A prime, so that no power of two of bytes is a whole number of periods.
    const PERIOD: usize = 65_521;
    /// How far apart connections begin; with the period it has no factor in common.
    const STRIDE: u64 = 251;

    fn new(chunk: usize) -> Pattern {
        // The generator of Marsaglia, "Xorshift RNGs", 2003; any that repeats late would do.
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut period = Vec::with_capacity(Self::PERIOD);
        period.resize_with(Self::PERIOD, || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[0]
        });
        let length = Self::PERIOD + chunk.clamp(RECEIVE_SIZE, SEND_SIZE);
        Pattern(period.iter().copied().cycle().take(length).collect())
    }

    fn at(&self, connection: usize, position: u64, length: usize) -> &[u8] {
        let start = (connection as u64 * Self::STRIDE + position) % Self::PERIOD as u64;
        &self.0[start as usize..][..length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::{Server, ServerOptions};

    /// Neither its memory nor the time of making it, which no deadline would end.
    #[test]
    fn a_long_chunk_is_not_there_as_a_whole() {
        assert!(Pattern::new(CHUNK_LIMIT).0.len() <= 2 * SEND_SIZE);
    }

    #[test]
    fn it_tells_when_all_are_connected_and_nothing_is_sent() {
        const CONNECTIONS: usize = 3;
        let server = Server::new(ServerOptions::default());
        server.listen_unique("exchange").unwrap();
        let options =
            ExchangeOptions { connections: CONNECTIONS, round_trips: 10, ..ExchangeOptions::default() };
        let mut accepted = Vec::new();
        // Nobody answers: it would tell that for ever.
        let stop_when_connected = |progress: Progress| {
            assert_eq!((progress.done, progress.total), (0, 10));
            accepted.extend(std::iter::from_fn(|| server.accept(Timeout::None).ok()));
            accepted.len() < CONNECTIONS
        };
        let patience = Timeout::After(Duration::from_secs(30));
        let (report, result) = run(server.full_name().unwrap(), &options, patience, stop_when_connected);
        assert_eq!(result.unwrap_err().status(), Status::Cancelled);
        assert_eq!((accepted.len(), report.sent), (CONNECTIONS, 0));
        for socket in accepted {
            assert_eq!(
                socket.receive(&mut [0; 8], Timeout::None).unwrap_err().status(),
                Status::Disconnected
            );
        }
    }
}

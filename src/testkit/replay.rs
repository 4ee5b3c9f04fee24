//! A recorded conversation, played to one of its sides.

use super::faults::Direction;
use super::stage::Play;
pub(crate) use super::stage::Stage;
use super::tap::{Recording, TapEntry, TapEvent};
use super::text::excerpt;
use crate::deadline::{Deadline, Timeout};
use crate::error::{Error, Result, Status};
use crate::name::Name;
use crate::poller::Interest;
use crate::server::Server;
use crate::socket::{self, Socket, SocketOptions, Trust};
use crate::thread;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

/// How a recording is played.
#[derive(Clone, Debug)]
pub struct ReplayOptions {
    /// Keep the times of the recording. Otherwise each side's part comes as soon as what was before it has come.
    pub real_time: bool,
    /// How long the other side may take for what it said in the recording, beyond the time that it took then, if times are kept.
    pub patience: Duration,
    /// Whose server is connected to.
    pub trust: Trust,
}

impl Default for ReplayOptions {
    fn default() -> Self {
        ReplayOptions { real_time: false, patience: Duration::from_secs(10), trust: Trust::SameUser }
    }
}

/// Where the other side first did something else than in the recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The connection, as in the recording.
    pub connection: u64,
    /// The byte of what the other side sends on this connection, from 0.
    pub byte: u64,
    /// What it did in the recording from there on.
    pub expected: String,
    /// What it did now.
    pub found: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { connection, byte, expected, found } = self;
        write!(f, "connection {connection}, byte {byte}: expected {expected}, found {found}")
    }
}

/// What was played.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replay {
    /// Connections that were played to their ends.
    pub connections: u64,
    /// Bytes sent.
    pub sent: u64,
    /// Bytes of the other side that were as recorded.
    pub matched: u64,
    /// The first difference, with which the play has ended: nothing that comes after it is told.
    pub difference: Option<Difference>,
}

impl Recording {
    /// Plays the clients' part to a server. A connection begins when those before it in the recording have begun, and those have
    /// ended that had ended before it there.
    ///
    /// # Errors
    ///
    /// As [`Socket::connect`]. `TimedOut`, `WouldBlock`: not all was played in time. `LimitReached`: no descriptors or threads left.
    /// That the server does something else is in the answer.
    pub fn play_clients(&self, server: &Name, options: &ReplayOptions, timeout: Timeout) -> Result<Replay> {
        self.play_clients_on(&Stage::default(), server, options, timeout)
    }

    pub(crate) fn play_clients_on(
        &self,
        stage: &Stage,
        server: &Name,
        options: &ReplayOptions,
        timeout: Timeout,
    ) -> Result<Replay> {
        let deadline = Deadline::from(timeout);
        let socket_options = SocketOptions { trust: options.trust, ..SocketOptions::default() };
        self.play(stage, Direction::ToServer, options, deadline, |wait| {
            Socket::connect_to(server, &socket_options, wait)
        })
    }

    /// Plays the server's part to clients, which connect to a server that listens: the first to come has the part of the first
    /// connection, and so on.
    ///
    /// # Errors
    ///
    /// As [`Server::accept`]. `TimedOut`, `WouldBlock`: not all clients came, or not all was played, in time. `LimitReached`: no
    /// descriptors or threads left. That a client does something else is in the answer.
    pub fn play_server(&self, server: &Server, options: &ReplayOptions, timeout: Timeout) -> Result<Replay> {
        self.play_server_on(&Stage::default(), server, options, timeout)
    }

    pub(crate) fn play_server_on(
        &self,
        stage: &Stage,
        server: &Server,
        options: &ReplayOptions,
        timeout: Timeout,
    ) -> Result<Replay> {
        let deadline = Deadline::from(timeout);
        self.play(stage, Direction::ToClient, options, deadline, |wait| server.accept(wait))
    }

    fn play(
        &self,
        stage: &Stage,
        ours: Direction,
        options: &ReplayOptions,
        deadline: Deadline,
        connect: impl Fn(Timeout) -> Result<Socket>,
    ) -> Result<Replay> {
        let mut parts: BTreeMap<u64, Vec<&TapEntry>> = BTreeMap::new();
        for entry in &self.entries {
            parts.entry(entry.connection).or_default().push(entry);
        }
        let is_open = |entry: &TapEntry| matches!(entry.event, TapEvent::Open(_));
        // What ends after the last beginning keeps nobody waiting.
        let beginnings = self.entries.iter().rposition(is_open).map_or(0, |last| last + 1);
        let begun = Instant::now();
        let play = stage.begin()?;
        let mut played = Vec::new();
        let all_came = std::thread::scope(|scope| {
            let mut players = BTreeMap::new();
            let mut join = |player: ScopedJoinHandle<'_, Played>| {
                let panicked =
                    |_| (Replay::default(), Err(Error::new(Status::Internal, "a replay panicked")));
                played.push(player.join().unwrap_or_else(panicked));
            };
            let all_came = self.entries[..beginnings].iter().try_for_each(|entry| {
                let (connection, first) = (entry.connection, entry.at);
                if entry.event == TapEvent::Close {
                    players.remove(&connection).into_iter().for_each(&mut join);
                }
                if !is_open(entry) {
                    return Ok(());
                }
                if options.real_time && ours == Direction::ToServer {
                    play.sleep_until(begun + first, deadline)?;
                }
                let part = parts.remove(&connection).unwrap_or_default();
                let player = Player {
                    connection,
                    was_all_taken: part.iter().any(|entry| entry.event == TapEvent::End(ours)),
                    socket: play
                        .connect(deadline, &connect)
                        .map_err(|error| error.within(&format!("connection {connection}")))?,
                    play: &play,
                    ours,
                    options,
                    deadline,
                    // What a client does late is later by as much.
                    epoch: Instant::now().checked_sub(first).unwrap_or(begun),
                    replay: Replay::default(),
                    place: 0,
                    ahead: VecDeque::new(),
                };
                let spawned = thread::start("moorline-replay", |builder| {
                    builder.spawn_scoped(scope, move || player.play(&part))
                })?;
                players.insert(connection, spawned);
                Ok(())
            });
            // Otherwise the other side is the reason, and those that have begun may find what it did differently before.
            if all_came.as_ref().is_err_and(|error: &Error| error.status() == Status::LimitReached) {
                play.end();
            }
            players.into_values().for_each(join);
            all_came
        });
        let mut total = Replay { difference: play.difference(), ..Replay::default() };
        let mut answer = all_came;
        for (Replay { connections, sent, matched, .. }, to_its_end) in played {
            total.connections += connections;
            total.sent += sent;
            total.matched += matched;
            answer = answer.and(to_its_end);
        }
        // It has ended everything else, whatever that was told then.
        if total.difference.is_none() {
            answer?;
        }
        Ok(total)
    }
}

/// How far a connection was played, and why no further.
type Played = (Replay, Result<()>);

/// Plays one connection.
struct Player<'a> {
    connection: u64,
    socket: Arc<Socket>,
    play: &'a Play,
    ours: Direction,
    options: &'a ReplayOptions,
    deadline: Deadline,
    /// The other side was there until all was passed on to it. Otherwise it may have left before, at whatever byte.
    was_all_taken: bool,
    /// When the recording would have begun.
    epoch: Instant,
    replay: Replay,
    /// How far the other side's bytes have come.
    place: u64,
    /// What has come and was not compared yet.
    ahead: VecDeque<u8>,
}

/// What ends a play early.
enum Stop {
    Differs(Difference),
    Fails(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Stop::Fails(error)
    }
}

/// Bytes that are taken at most while something is sent, so that memory is bounded; far more than sockets hold.
const AHEAD: usize = 16 * 1024 * 1024;
/// How much of what differs is shown.
const SHOWN: usize = 60;

impl Player<'_> {
    fn play(mut self, part: &[&TapEntry]) -> Played {
        for entry in part {
            match self.play_entry(entry) {
                Ok(()) => {}
                Err(Stop::Differs(difference)) => {
                    self.play.differs(difference);
                    return (self.replay, Ok(()));
                }
                Err(Stop::Fails(error)) => {
                    return (self.replay, Err(error.within(&format!("connection {}", self.connection))));
                }
            }
        }
        self.replay.connections = 1;
        (self.replay, Ok(()))
    }

    fn play_entry(&mut self, entry: &TapEntry) -> Result<(), Stop> {
        match &entry.event {
            TapEvent::Open(_) => Ok(()),
            TapEvent::Data { direction, bytes, .. } if *direction == self.ours => self.send(entry.at, bytes),
            TapEvent::Data { bytes, .. } => self.receive(entry.at, bytes),
            TapEvent::End(direction) if *direction == self.ours => {
                self.keep_time(entry.at)?;
                match self.socket.shut_down(socket::Direction::Sending, Timeout::None) {
                    // It has left meanwhile, as it did in the recording, or will be seen not to have.
                    Err(error) if error.status() == Status::Disconnected => Ok(()),
                    answer => Ok(answer?),
                }
            }
            TapEvent::End(_) => self.receive_end(entry.at),
            TapEvent::Close => {
                self.keep_time(entry.at)?;
                let _ = self.socket.close(Timeout::None);
                Ok(())
            }
        }
    }

    fn keep_time(&self, at: Duration) -> Result<()> {
        if self.options.real_time { self.play.sleep_until(self.epoch + at, self.deadline) } else { Ok(()) }
    }

    /// Until when the other side has to do something.
    fn due(&self, at: Duration) -> Deadline {
        let now = Instant::now();
        let recorded = if self.options.real_time { now.max(self.epoch + at) } else { now };
        recorded.checked_add(self.options.patience).map_or(self.deadline, |due| self.deadline.earlier(due))
    }

    /// Sends, and takes meanwhile what comes, for which the other side may have to find room before it takes more.
    fn send(&mut self, at: Duration, bytes: &[u8]) -> Result<(), Stop> {
        self.keep_time(at)?;
        let due = self.due(at);
        let mut left = bytes;
        loop {
            let (sent, answer) = self.socket.send_counted(left, Timeout::None);
            self.replay.sent += sent as u64;
            left = &left[sent..];
            let answer = match answer {
                Err(error) if error.status() == Status::WouldBlock => self.wait_for_room(due),
                other => other,
            };
            match answer {
                Ok(()) if left.is_empty() => return Ok(()),
                Ok(()) => {}
                // What it said before it left is compared still.
                Err(error) if error.status() == Status::Disconnected && !self.was_all_taken => return Ok(()),
                Err(error) if error.status() == Status::Disconnected => {
                    return Err(self.difference("that it takes what is sent", "that it has left"));
                }
                Err(_) if self.deadline.has_passed() => return Err(self.out_of_time()),
                Err(error) if error.status() == due.expiry() => {
                    return Err(self.difference("that it takes what is sent", "that it does not"));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Waits until something can be sent, or takes what has come.
    fn wait_for_room(&mut self, due: Deadline) -> Result<()> {
        let interest = Interest { readable: self.ahead.len() < AHEAD, writable: true, ..Interest::default() };
        if !self.socket.wait(interest, due.timeout())?.readable {
            return Ok(());
        }
        let mut buffer = [0; 4096];
        match self.socket.receive(&mut buffer, Timeout::None) {
            Ok(received) => {
                self.ahead.extend(&buffer[..received]);
                Ok(())
            }
            Err(error) if error.status() == Status::WouldBlock => Ok(()),
            // It has ended its sending, and may take what is sent all the same.
            Err(error) if error.status() == Status::Disconnected => {
                self.socket.wait(Interest { readable: false, ..interest }, due.timeout()).map(|_| ())
            }
            Err(error) => Err(error),
        }
    }

    /// What has come before is received first.
    fn take(&mut self, buffer: &mut [u8], due: Deadline) -> Result<usize> {
        if self.ahead.is_empty() {
            return self.socket.receive(buffer, due.timeout());
        }
        let count = buffer.len().min(self.ahead.len());
        for (place, byte) in buffer.iter_mut().zip(self.ahead.drain(..count)) {
            *place = byte;
        }
        Ok(count)
    }

    fn receive(&mut self, at: Duration, expected: &[u8]) -> Result<(), Stop> {
        let due = self.due(at);
        let mut found = vec![0; expected.len()];
        let mut filled = 0;
        while filled < expected.len() {
            match self.take(&mut found[filled..], due) {
                Ok(received) => {
                    let same = |place: &usize| found[*place] == expected[*place];
                    let end = filled + received;
                    if let Some(wrong) = (filled..end).find(|place| !same(place)) {
                        self.place += wrong as u64;
                        self.replay.matched += wrong as u64;
                        let (want, got) = (&expected[wrong..], &found[wrong..end]);
                        return Err(self.difference(&excerpt(want, SHOWN), &excerpt(got, SHOWN)));
                    }
                    filled = end;
                }
                Err(error) => {
                    self.place += filled as u64;
                    self.replay.matched += filled as u64;
                    let want = excerpt(&expected[filled..], SHOWN);
                    return Err(match error.status() {
                        Status::Disconnected => self.difference(&want, "its end"),
                        _ if self.deadline.has_passed() => self.out_of_time(),
                        status if status == due.expiry() => self.difference(&want, "nothing in time"),
                        _ => error.into(),
                    });
                }
            }
        }
        self.place += filled as u64;
        self.replay.matched += filled as u64;
        Ok(())
    }

    fn receive_end(&mut self, at: Duration) -> Result<(), Stop> {
        let due = self.due(at);
        let mut more = [0; SHOWN];
        match self.take(&mut more, due) {
            Ok(received) => Err(self.difference("its end", &excerpt(&more[..received], SHOWN))),
            Err(error) if error.status() == Status::Disconnected => Ok(()),
            Err(_) if self.deadline.has_passed() => Err(self.out_of_time()),
            Err(error) if error.status() == due.expiry() => {
                Err(self.difference("its end", "that it goes on"))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn difference(&self, expected: &str, found: &str) -> Stop {
        Stop::Differs(Difference {
            connection: self.connection,
            byte: self.place,
            expected: expected.to_owned(),
            found: found.to_owned(),
        })
    }

    fn out_of_time(&self) -> Stop {
        Stop::Fails(Error::new(self.deadline.expiry(), "not all was played"))
    }
}

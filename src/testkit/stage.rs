//! Where recordings are played, and what ends a play before its time.

use super::replay::Difference;
use crate::deadline::{Deadline, Timeout};
use crate::error::{Error, Result, Status};
use crate::gate::Gate;
use crate::socket::Socket;
use crate::sys::Waker;
use parking_lot::Mutex;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// Where recordings are played. Closing it ends the plays with `Closed`, now and later.
#[derive(Default)]
pub(crate) struct Stage {
    open: Gate,
    /// Dead ones go when others come.
    plays: Mutex<Vec<Weak<Play>>>,
}

impl Stage {
    pub fn close(&self) {
        self.open.shut();
        self.plays.lock().iter().filter_map(Weak::upgrade).for_each(|play| play.end());
    }

    pub(super) fn begin(&self) -> Result<Arc<Play>> {
        let play = Arc::default();
        enter(&self.plays, &play);
        // Asked after it can be found, which closing does after it has shut the gate.
        self.open.check()?;
        Ok(play)
    }
}

/// A play of one recording. When it has ended, whatever it waits for ends with `Closed`.
#[derive(Default)]
pub(super) struct Play {
    open: Gate,
    /// Dead ones go when others come.
    sockets: Mutex<Vec<Weak<Socket>>>,
    difference: Mutex<Option<Difference>>,
}

/// How often a play that waits for a connection sees whether it has ended: the wait itself ends with the server.
const LOOK: Duration = Duration::from_millis(20);

impl Play {
    pub fn end(&self) {
        self.open.shut();
        for socket in self.sockets.lock().iter().filter_map(Weak::upgrade) {
            socket.abort();
        }
    }

    /// Ends it: what comes after the first difference is not what was recorded, on no connection.
    pub fn differs(&self, difference: Difference) {
        self.difference.lock().get_or_insert(difference);
        self.end();
    }

    pub fn difference(&self) -> Option<Difference> {
        self.difference.lock().clone()
    }

    /// A connection by `connect`, which gets how long it may wait.
    pub fn connect(
        &self,
        deadline: Deadline,
        connect: impl Fn(Timeout) -> Result<Socket>,
    ) -> Result<Arc<Socket>> {
        loop {
            let look = deadline.earlier(Instant::now() + LOOK).timeout();
            match connect(look) {
                Ok(socket) => {
                    let socket = Arc::new(socket);
                    enter(&self.sockets, &socket);
                    // Asked after it can be found, which ending does after it has shut the gate.
                    self.open.check()?;
                    return Ok(socket);
                }
                Err(error) if error.status() == Status::TimedOut && !deadline.has_passed() => {
                    self.open.check()?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Keeps to a time of the recording, unless the deadline is before it.
    pub fn sleep_until(&self, time: Instant, deadline: Deadline) -> Result<()> {
        let wait = time.saturating_duration_since(Instant::now());
        if deadline.remaining().is_some_and(|left| left < wait) {
            let context = "the recording takes longer than there is time";
            return Err(Error::new(deadline.expiry(), context));
        }
        let never = Waker::new()?;
        match self.open.wait(|closed| never.wait(closed, Deadline::At(time))) {
            Err(error) if error.status() == Status::TimedOut => Ok(()),
            answer => answer.map(drop),
        }
    }
}

fn enter<T>(those: &Mutex<Vec<Weak<T>>>, one: &Arc<T>) {
    let mut those = those.lock();
    those.retain(|other| other.strong_count() > 0);
    those.push(Arc::downgrade(one));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::{Name, Scope};
    use crate::server::{Server, ServerOptions};
    use crate::testkit::{Recording, ReplayOptions};

    #[test]
    fn closing_ends_the_plays_that_are_and_those_to_come() {
        let recording =
            Recording::parse("moorline-tap 1\n0 1 open\n1 1 close\n2 2 open\n3 2 close\n").unwrap();
        let server = Server::new(ServerOptions::default());
        server.listen_unique("stage").unwrap();
        let name = Name::resolve(server.full_name().unwrap(), Scope::Temporary).unwrap();
        let (stage, options) = (Stage::default(), ReplayOptions::default());
        let play = || recording.play_server_on(&stage, &server, &options, Timeout::Forever);
        std::thread::scope(|scope| {
            let playing = scope.spawn(play);
            let client = Socket::connect_to(&name, &Default::default(), Timeout::Forever).unwrap();
            assert_eq!(
                client.receive(&mut [0], Timeout::Forever).unwrap_err().status(),
                Status::Disconnected
            );
            // The first connection is over, and the second is waited for.
            stage.close();
            assert_eq!(playing.join().unwrap().unwrap_err().status(), Status::Closed);
        });
        assert_eq!(play().unwrap_err().status(), Status::Closed);
    }

    #[test]
    fn those_that_are_over_do_not_add_up() {
        let stage = Stage::default();
        let lasting = stage.begin().unwrap();
        for _ in 0..100 {
            stage.begin().unwrap();
        }
        assert_eq!(stage.plays.lock().len(), 2);
        drop(lasting);
    }

    /// Whoever ends it has not found the connection.
    #[test]
    fn a_connection_that_comes_while_the_play_ends_is_not_played() {
        let play = Play::default();
        let connect = |_| {
            play.end();
            Socket::pair(&Default::default()).map(|(near, _)| near)
        };
        assert_eq!(
            play.connect(Deadline::Never, connect).err().map(|error| error.status()),
            Some(Status::Closed)
        );
    }
}

//! What a plan of faults does with accepting: delays, refusals, a lack of descriptors, a backlog that is full.

use super::{FaultPlan, Faults};
use crate::deadline::Deadline;
use crate::endpoint::Endpoint;
use crate::error::{Error, Result, Status};
use crate::name::Name;
use crate::sys::{self, Listener, Stream, Waker};
use std::sync::{Arc, Weak};
use std::time::Instant;

/// How far a plan is with accepting.
#[derive(Default)]
pub(super) struct Accepting {
    /// Connections that were accepted, or refused, or found no descriptor.
    seen: u64,
    exhausted: bool,
    /// Connections of our own that fill a backlog.
    fillers: Vec<Stream>,
    /// How many of those that fill, or have filled, are still to be met in whose backlog.
    fillers_to_skip: Vec<(Weak<Endpoint<Listener>>, usize)>,
    full: bool,
    /// Of each server at most one.
    holds: Vec<Arc<Hold>>,
}

impl Accepting {
    pub fn new(faults: &Faults) -> Accepting {
        Accepting { full: faults.backlog_full, ..Accepting::default() }
    }

    /// How many of those that have filled the backlog are still to be met there.
    fn fillers_to_skip(&mut self, listener: &Arc<Endpoint<Listener>>) -> Option<&mut usize> {
        self.fillers_to_skip.retain(|(other, left)| *left > 0 && other.strong_count() > 0);
        let own = self.fillers_to_skip.iter_mut().find(|(other, _)| other.as_ptr() == Arc::as_ptr(listener));
        own.map(|(_, left)| left)
    }
}

/// What comes before the next connection may be accepted.
enum Before {
    Nothing,
    /// The connection itself, which has its delay from then on.
    Connection,
    /// The end of a hold.
    Over(Arc<Hold>),
}

/// A connection waits, and is not to be accepted yet.
struct Hold {
    /// Whose: what another server of the plan accepts, or finds that it cannot, is nothing to this one.
    listener: Weak<Endpoint<Listener>>,
    /// Signalled when it may be.
    over: Waker,
    /// The system's time; none: until the backlog is opened.
    until: Option<Instant>,
}

impl Hold {
    fn new(listener: &Arc<Endpoint<Listener>>, until: Option<Instant>) -> Result<Hold> {
        Ok(Hold { listener: Arc::downgrade(listener), over: Waker::new()?, until })
    }

    fn end(&self) {
        self.over.signal();
        if let Some(listener) = self.listener.upgrade() {
            listener.report_anew();
        }
    }
}

impl FaultPlan {
    /// Lets connections into the backlog that was full, and has them accepted. What filled it stays there, as one that has left, until
    /// the server accepts: so there is room when it does that next, even if it finds nothing.
    pub fn open_backlog(&self) {
        let mut accepting = self.0.accepting.lock();
        accepting.full = false;
        accepting.fillers.clear();
        // What only has its delay keeps it, unless nothing tells any more when that is over.
        let ends = |hold: &Arc<Hold>| hold.until.is_none() || self.0.wire.has_ended();
        let holds = std::mem::take(&mut accepting.holds);
        let (over, kept): (Vec<_>, Vec<_>) = holds.into_iter().partition(ends);
        accepting.holds = kept;
        drop(accepting);
        over.iter().for_each(|hold| hold.end());
    }

    /// Waits until the next connection may be accepted, if one waits that may not be yet.
    pub(crate) fn wait_to_accept(
        &self,
        listener: &Arc<Endpoint<Listener>>,
        deadline: Deadline,
    ) -> Result<()> {
        loop {
            let before = {
                let mut accepting = self.0.accepting.lock();
                self.before_accept(&mut accepting, listener)?
            };
            if let Before::Nothing = before {
                return Ok(());
            }
            deadline.check_may_wait()?;
            listener.wait(deadline, |listener, closed, deadline| match &before {
                Before::Over(hold) => hold.over.wait(closed, deadline),
                Before::Connection | Before::Nothing => listener.wait(closed, deadline),
            })?;
        }
    }

    /// What to wait for before the next connection may be accepted.
    fn before_accept(&self, accepting: &mut Accepting, listener: &Arc<Endpoint<Listener>>) -> Result<Before> {
        // Asked with the lock: the end of a plan ends what it holds up after that, and nothing would end what came later.
        if self.0.wire.has_ended() {
            return Ok(Before::Nothing);
        }
        accepting.holds.retain(|hold| hold.listener.strong_count() > 0);
        let own = accepting.holds.iter().position(|hold| hold.listener.as_ptr() == Arc::as_ptr(listener));
        if let Some(own) = own {
            let hold = &accepting.holds[own];
            if hold.until.is_none_or(|until| until > Instant::now()) {
                return Ok(Before::Over(hold.clone()));
            }
            accepting.holds.swap_remove(own);
            return Ok(Before::Nothing);
        }
        let delay = self.0.faults.accept_delay;
        if !accepting.full {
            let lacks_descriptor =
                !accepting.exhausted && self.0.faults.no_descriptors_at == Some(accepting.seen + 1);
            // Those that have filled the backlog were there before everybody else, and are no connections with which something could
            // go wrong.
            if accepting.fillers_to_skip(listener).is_some() || delay.is_none() && !lacks_descriptor {
                return Ok(Before::Nothing);
            }
            if !has_waiting(listener) {
                // Not left to the accept: what came just before it would come without its delay, or its failure.
                return Ok(Before::Connection);
            }
            if lacks_descriptor {
                return Err(self.lack_descriptor(accepting));
            }
        }
        // A time beyond what the clock can say is for ever.
        let until = delay.filter(|_| !accepting.full).and_then(|delay| Instant::now().checked_add(delay));
        let hold = Arc::new(Hold::new(listener, until)?);
        if !accepting.full {
            self.0.log.note(
                |counts| &mut counts.delayed_accepts,
                || format!("connection {}: its accept waits", accepting.seen + 1),
            );
        }
        if let Some(until) = until {
            let over = hold.clone();
            // The hold itself stays, as one that is over, for the accept that comes then.
            self.0.wire.at(until, move || over.end())?;
        }
        accepting.holds.push(hold.clone());
        Ok(Before::Over(hold))
    }

    fn lack_descriptor(&self, accepting: &mut Accepting) -> Error {
        accepting.exhausted = true;
        self.0.log.note(
            |counts| &mut counts.without_descriptor,
            || format!("connection {}: no descriptor to accept it", accepting.seen + 1),
        );
        Error::os(sys::no_descriptors(), "accept a connection")
    }

    /// Whether the connection that was accepted is to be closed at once: by plan, or because it only filled the backlog.
    pub(crate) fn refuses(&self, stream: &Stream, listener: &Arc<Endpoint<Listener>>) -> bool {
        let mut accepting = self.0.accepting.lock();
        if let Some(left) = accepting.fillers_to_skip(listener)
            && is_own(stream)
            && stream.is_gone()
        {
            *left -= 1;
            return true;
        }
        accepting.seen += 1;
        let refused = !self.0.wire.has_ended() && self.0.faults.refuse_accept_at == Some(accepting.seen);
        if refused {
            self.0
                .log
                .note(|counts| &mut counts.refused, || format!("connection {}: refused", accepting.seen));
        }
        refused
    }

    /// Fills the backlog of a server that has just begun to listen, if that is planned.
    pub(crate) fn fill_backlog(&self, name: &Name, listener: &Arc<Endpoint<Listener>>) -> Result<()> {
        let mut accepting = self.0.accepting.lock();
        if !accepting.full {
            return Ok(());
        }
        let mut count = 0;
        loop {
            match Stream::connect(name.place(), false, Deadline::Now) {
                Ok(filler) => {
                    accepting.fillers.push(filler);
                    count += 1;
                }
                Err(error) if error.status() == Status::WouldBlock => {
                    accepting.fillers_to_skip.push((Arc::downgrade(listener), count));
                    return Ok(());
                }
                Err(error) => {
                    accepting.fillers.clear();
                    let place = "fill the backlog, for which the server should have a small one";
                    return Err(error.within(place));
                }
            }
        }
    }
}

fn has_waiting(listener: &Endpoint<Listener>) -> bool {
    listener.wait(Deadline::Now, |listener, closed, now| listener.wait(closed, now)).is_ok()
}

fn is_own(stream: &Stream) -> bool {
    stream.credentials().is_ok_and(|peer| peer.pid == Some(sys::process_number()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deadline::Timeout;
    use crate::server::{Server, ServerOptions};
    use crate::socket::{Socket, SocketOptions};
    use std::time::Duration;

    /// Who comes to look just as the plan ends would wait for an end that has been already.
    #[test]
    fn a_plan_that_has_ended_holds_nobody_up() {
        let hour = Duration::from_secs(3600);
        let plan = FaultPlan::new(Faults { accept_delay: Some(hour), ..Faults::default() }).unwrap();
        let server = Server::new(ServerOptions::default());
        server.listen_unique("accepting").unwrap();
        let name = server.full_name().unwrap();
        let _client = Socket::connect(name, &SocketOptions::default(), Timeout::None).unwrap();
        plan.end();
        let listener = server.endpoint().unwrap();
        let before = plan.before_accept(&mut plan.0.accepting.lock(), &listener).unwrap();
        assert!(matches!(before, Before::Nothing));
    }
}

//! Waiting for one descriptor, until it is ready, woken, or the deadline.

use super::super::Readiness;
use super::RawDescriptor;
use super::platform::{END_OF_STREAM, Event};
use crate::deadline::Deadline;
use crate::error::{Error, Status};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fd::AsFd;
use rustix::io::Errno;

/// Ends the waits of every thread that uses it, now and later: once signalled it stays so.
pub(crate) struct Waker {
    event: Event,
    process: u32,
}

impl Waker {
    pub fn new() -> Result<Waker, Error> {
        let event = Event::new().map_err(|errno| Error::os(errno, "prepare to wait"))?;
        Ok(Waker { event, process: super::process_id() })
    }

    pub fn descriptor(&self) -> RawDescriptor {
        super::raw(&self.event)
    }

    pub fn signal(&self) {
        // A forked child shares the event with its parent, whose waits are not the child's to end.
        if self.process == super::process_id() {
            self.event.set();
        }
    }
}

impl Waker {
    /// Waits until it was signalled, or the other was, or the deadline.
    pub fn wait(&self, other: &Waker, deadline: Deadline) -> Result<Readiness, Error> {
        wait(&self.event, Readiness { readable: true, ..Readiness::default() }, other, deadline)
    }
}

/// Waits for `wanted`. Answers with what was found, which is nothing when the waker was signalled.
pub(super) fn wait(
    descriptor: impl AsFd,
    wanted: Readiness,
    waker: &Waker,
    deadline: Deadline,
) -> Result<Readiness, Error> {
    loop {
        let mut polled = [PollFd::new(&descriptor, asked(wanted)), PollFd::new(&waker.event, PollFlags::IN)];
        let timeout = deadline
            .remaining()
            .map(|left| Timespec::try_from(left).unwrap_or(Timespec { tv_sec: i64::MAX, tv_nsec: 0 }));
        match rustix::event::poll(&mut polled, timeout.as_ref()) {
            Ok(0) => return Err(deadline.expiry().into()),
            Ok(_) if !polled[1].revents().is_empty() => return Ok(Readiness::default()),
            Ok(_) => return found(polled[0].revents()),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(Error::os(errno, "wait for a socket")),
        }
    }
}

/// What is so of `wanted` at this moment, for who does not wait and so need not be woken.
pub(super) fn look(descriptor: impl AsFd, wanted: Readiness) -> Result<Readiness, Error> {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    loop {
        let mut polled = [PollFd::new(&descriptor, asked(wanted))];
        match rustix::event::poll(&mut polled, Some(&now)) {
            Ok(0) => return Err(Status::WouldBlock.into()),
            Ok(_) => return found(polled[0].revents()),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(Error::os(errno, "look at a socket")),
        }
    }
}

/// What could be received at this moment: nothing, too, if the system does not say.
pub(super) fn glance(descriptor: impl AsFd) -> Readiness {
    look(descriptor, Readiness { readable: true, ..Readiness::default() }).unwrap_or_default()
}

fn asked(wanted: Readiness) -> PollFlags {
    let mut flags = PollFlags::empty();
    flags.set(PollFlags::IN | END_OF_STREAM, wanted.readable);
    flags.set(PollFlags::OUT, wanted.writable);
    flags
}

fn found(events: PollFlags) -> Result<Readiness, Error> {
    if events.contains(PollFlags::NVAL) {
        let what = "wait for a socket: somebody else closed its descriptor";
        return Err(Error::new(Status::InvalidState, what));
    }
    let ended = events.intersects(PollFlags::HUP | PollFlags::ERR);
    Ok(Readiness {
        readable: ended || events.intersects(PollFlags::IN | END_OF_STREAM),
        writable: ended || events.contains(PollFlags::OUT),
        hangup: ended || events.intersects(END_OF_STREAM),
    })
}

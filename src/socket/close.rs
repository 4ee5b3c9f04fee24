//! How a socket ends: one direction, by close, by abort, or given away.

use super::{Descriptor, RawDescriptor, Socket};
use crate::deadline::{Deadline, Timeout, lock_until};
use crate::error::{Error, Result, Status};
use crate::sys::{self, Readiness};

/// A direction of a connection, seen from this side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From this side to the peer.
    Sending,
    /// From the peer to this side.
    Receiving,
}

/// What became of everything that a socket was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CloseReport {
    /// Bytes that the kernel took, over the socket's life.
    pub sent: u64,
    /// Bytes that [`Socket::send`] accepted and the kernel never got.
    pub unsent: u64,
    /// Bytes received, over the socket's life.
    pub received: u64,
    /// `Ok` if nothing stayed unsent, otherwise why: `WouldBlock`, `TimedOut`, `Disconnected`, `Closed` if it was ended
    /// before this or meanwhile, or `LimitReached` if there was no descriptor left to wait with.
    pub outcome: Status,
}

impl Socket {
    /// Ends one direction; the other works on.
    ///
    /// Ending the sending one sends what is queued first; sends fail with `Closed` from then on, and the peer sees the end of
    /// the stream. Ending the receiving one makes the peer's sends fail, but for one that waits for room already: the system does not
    /// tell that one before there is some. What has come already can be read.
    ///
    /// # Errors
    ///
    /// `WouldBlock`, `TimedOut`: something is queued still, and nothing has ended. `Closed`. `Disconnected`.
    pub fn shut_down(&self, direction: Direction, timeout: Timeout) -> Result<()> {
        let deadline = Deadline::from(timeout);
        let endpoint = self.endpoint()?;
        if direction == Direction::Receiving {
            return endpoint.source().shut_down(false);
        }
        // A send that is under way is not to be cut in two.
        // Of a socket that was closed meanwhile the one that has the turn is just leaving it.
        let turn = self.outgoing.turn(deadline);
        let mut turn = turn.or_else(|expiry| self.endpoint().and(Err(expiry.into())))?;
        turn.flush_until(deadline)?;
        self.outgoing.shut();
        endpoint.source().shut_down(true)
    }

    /// Gives the descriptor away, still connected, non-blocking and close-on-exec. The socket is closed. From then on it is passed
    /// descriptors as any socket is, for whoever else has a descriptor of it, too.
    ///
    /// # Errors
    ///
    /// `Closed`. `InvalidState`: something is queued to be sent, so flush first; or a message or a part of one has come in that
    /// nobody has received; or a send, or a receive of a message, is under way. `LimitReached`: no descriptor left.
    pub fn release(&self) -> Result<RawDescriptor> {
        self.release_owned().map(sys::give_away)
    }

    /// Gives the descriptor away, as [`Socket::release`] does, with an owner.
    ///
    /// # Errors
    ///
    /// As [`Socket::release`].
    pub fn release_owned(&self) -> Result<Descriptor> {
        let endpoint = self.endpoint()?;
        // No send may be under way or begin, or its bytes would be cut in two.
        let turn = self.outgoing.turn(Deadline::Now).map_err(|_| busy("a send is under way"))?;
        if !turn.has_sent_all() {
            return Err(busy("something is queued to be sent"));
        }
        // What was read ahead of those who receive messages would be lost, and what is just being read, too.
        let release = || {
            let descriptor = endpoint.source().release()?;
            turn.end();
            self.end();
            Ok(descriptor)
        };
        self.with_empty_inbox(release).map_err(busy)?
    }

    /// Ends calls that wait, with `Closed`; sends what is queued until the deadline; closes. It is closed in any case, and
    /// the report says what was lost. Closing again only reports; while another call sends what is queued, it ends that at its own
    /// deadline.
    ///
    /// ```
    /// use moorline::{Socket, SocketOptions, Timeout};
    /// use std::time::Duration;
    ///
    /// let options = SocketOptions { send_queue_limit: 1 << 20, ..SocketOptions::default() };
    /// let (near, _far) = Socket::pair(&options)?;
    /// near.send(&[0; 1 << 20], Timeout::None)?;
    /// let report = near.close(Timeout::After(Duration::from_millis(1)));
    /// assert_eq!(report.sent + report.unsent, 1 << 20);
    /// # Ok::<(), moorline::Error>(())
    /// ```
    ///
    /// Who does not want to know says so, or calls [`Socket::abort`]:
    ///
    /// ```compile_fail
    /// # #![deny(unused_must_use)]
    /// # use moorline::{Socket, SocketOptions, Timeout};
    /// # let (near, _far) = Socket::pair(&SocketOptions::default()).unwrap();
    /// near.close(Timeout::None);
    /// ```
    #[must_use = "it says what was lost"]
    pub fn close(&self, timeout: Timeout) -> CloseReport {
        let deadline = Deadline::from(timeout);
        let outcome = self.flush_and_end(deadline).map_or_else(|error| error.status(), |()| Status::Ok);
        self.finish(outcome)
    }

    /// Closes without sending what is queued, also when another thread is just flushing in [`Socket::close`].
    pub fn abort(&self) -> CloseReport {
        self.finish(Status::Closed)
    }

    fn flush_and_end(&self, deadline: Deadline) -> Result<()> {
        let _closing = lock_until(&self.closing, deadline)?;
        let Some(endpoint) = self.open.lock().take() else { return Ok(()) };
        self.shut_inbox();
        self.outgoing.shut();
        endpoint.close();
        while self.outgoing.flush()? > 0 {
            let wanted = Readiness { writable: true, ..Readiness::default() };
            self.flushing.wait(|waker| endpoint.source().wait(wanted, waker, deadline))?;
        }
        Ok(())
    }

    fn end(&self) {
        self.outgoing.shut();
        self.shut_inbox();
        if let Some(endpoint) = self.open.lock().take() {
            endpoint.close();
        }
    }

    /// Gives up what is queued, of a peer that has left.
    pub(crate) fn drop_queue(&self) {
        self.outgoing.drop_queue();
    }

    fn finish(&self, outcome: Status) -> CloseReport {
        // Another close that still flushes has nothing left to flush.
        self.flushing.shut();
        self.end();
        self.drop_inbox();
        let unsent = self.outgoing.end();
        let outcome = match outcome {
            _ if unsent == 0 => Status::Ok,
            // There was nothing to flush: somebody else had given it up.
            Status::Ok => Status::Closed,
            why => why,
        };
        CloseReport { sent: self.sent(), unsent, received: self.received(), outcome }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.abort();
    }
}

fn busy(why: &str) -> Error {
    Error::new(Status::InvalidState, format!("release the descriptor: {why}"))
}

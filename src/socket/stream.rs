//! A stream of bytes on a socket, and how it waits: also for messages.

use super::{Socket, add_locked};
use crate::busy_poll::Looking;
use crate::deadline::{Deadline, Timeout};
use crate::endpoint::Endpoint;
use crate::error::{Error, Result, Status};
use crate::poller::{Event, Interest};
use crate::sys::{Readiness, Stream};

impl Socket {
    /// Sends all of `data`, and tells how much of it was taken and why not all, if so. Taken is what the kernel has, and what
    /// the queue of [`crate::SocketOptions::send_queue_limit`] has.
    ///
    /// What one call sends is never mixed with what other threads send.
    ///
    /// # Errors
    ///
    /// `WouldBlock`, `TimedOut`: not all was taken in time. `Closed`. `Disconnected`: the peer has gone. `InvalidState`: the
    /// socket has messages, not a stream. `LimitReached`: no descriptor left to wait with.
    pub fn send_counted(&self, data: &[u8], timeout: Timeout) -> (usize, Result<()>) {
        let deadline = Deadline::from(timeout);
        let mut taken = 0;
        let result = self.send_all(data, deadline, &mut taken);
        (taken, result)
    }

    /// As [`Socket::send_counted`], where it does not matter how much of a failed send was taken.
    ///
    /// # Errors
    ///
    /// As [`Socket::send_counted`].
    pub fn send(&self, data: &[u8], timeout: Timeout) -> Result<()> {
        self.send_counted(data, timeout).1
    }

    fn send_all(&self, data: &[u8], deadline: Deadline, taken: &mut usize) -> Result<()> {
        self.check_unframed()?;
        let mut turn = self.outgoing.turn_to_send(deadline)?;
        loop {
            turn.send(data, taken)?;
            if *taken == data.len() {
                return Ok(());
            }
            deadline.check_may_wait()?;
            turn.wait_for_room(deadline)?;
        }
    }

    /// Sends or queues all of `data` or nothing, and does not wait. Any room is not enough: there must be enough for all of it in the
    /// queue, which [`crate::SocketOptions::send_queue_limit`] gives the socket.
    ///
    /// # Errors
    ///
    /// `WouldBlock`: the queue has no room for all of it now, or another thread's send is under way. `InvalidArgument`: it has no room
    /// for so much when it is empty either. `Closed`. `Disconnected`. `InvalidState`: the socket has messages, of which none is ever sent
    /// in part.
    pub fn try_send(&self, data: &[u8]) -> Result<()> {
        self.check_unframed()?;
        self.outgoing.check_can_hold(data.len())?;
        let mut turn = self.outgoing.turn_to_send(Deadline::Now)?;
        if turn.send_whole(data)? { Ok(()) } else { Err(Status::WouldBlock.into()) }
    }

    /// Ends sends, with `Closed`, now and later. What is queued may still go out.
    pub(crate) fn end_sending(&self) {
        self.outgoing.shut();
    }

    /// Sends what is queued.
    ///
    /// # Errors
    ///
    /// `WouldBlock`, `TimedOut`: some is queued still. `Closed`. `Disconnected`. `LimitReached`: no descriptor left to wait with.
    pub fn flush(&self, timeout: Timeout) -> Result<()> {
        let deadline = Deadline::from(timeout);
        let endpoint = self.endpoint()?;
        loop {
            if self.outgoing.flush()? == 0 {
                return Ok(());
            }
            deadline.check_may_wait()?;
            let wanted = Readiness { writable: true, ..Readiness::default() };
            endpoint.wait_ready(wanted, deadline)?;
        }
    }

    /// Bytes queued to be sent.
    pub fn queued(&self) -> usize {
        self.outgoing.queued()
    }

    /// Receives what is there, at least one byte; waits until something is. What is queued to be sent when it begins goes
    /// out meanwhile.
    ///
    /// # Errors
    ///
    /// `WouldBlock`, `TimedOut`: nothing came in time. `Closed`. `Disconnected`: the peer has gone, or has ended its
    /// sending direction, and all it sent was read. `InvalidArgument`: the buffer has no room. `InvalidState`: the socket
    /// has messages, not a stream. `LimitReached`: no descriptor left to wait with.
    pub fn receive(&self, buffer: &mut [u8], timeout: Timeout) -> Result<usize> {
        if buffer.is_empty() {
            return Err(Error::new(Status::InvalidArgument, "receive into a buffer without room"));
        }
        self.check_unframed()?;
        let deadline = Deadline::from(timeout);
        let mut looking = deadline.check_may_wait().is_ok().then(|| self.busy_poller().begin());
        loop {
            if let Some(received) = self.receive_by(|stream| stream.receive(buffer), |received| *received)? {
                looking.into_iter().for_each(|it: Looking| it.found(1));
                return Ok(received);
            }
            if let Err(status) = deadline.check_may_wait() {
                self.flush_if_queued();
                return Err(status.into());
            }
            if !self.looks_again(&mut looking, deadline) {
                self.wait_flushing(&*self.endpoint()?, Interest::READABLE, deadline)?;
            }
        }
    }

    /// Receives what is there, as `receive` does that may not wait; also tells whether there may be more although the buffer was not
    /// filled.
    pub(crate) fn receive_now(&self, buffer: &mut [u8]) -> Result<(usize, bool)> {
        match self.receive_by(|stream| stream.receive_to_stop(buffer), |(received, _)| *received)? {
            Some((received, stopped)) => Ok((received, stopped || received == buffer.len())),
            None => {
                self.flush_if_queued();
                Err(Status::WouldBlock.into())
            }
        }
    }

    /// Receives what is there; none if nothing is. The lock is held meanwhile: that is cheaper than to hold the endpoint, and the call
    /// does not wait.
    pub(super) fn receive_by<T>(
        &self,
        receive: impl FnOnce(&Stream) -> Result<T>,
        count: impl FnOnce(&T) -> usize,
    ) -> Result<Option<T>> {
        let open = self.open.lock();
        let endpoint = open.as_ref().ok_or(Status::Closed)?;
        match receive(endpoint.source()) {
            Ok(received) => match count(&received) {
                0 => Err(Status::Disconnected.into()),
                bytes => {
                    add_locked(&self.received, bytes);
                    Ok(Some(received))
                }
            },
            Err(error) if error.status() == Status::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Waits until a receive or a send, as asked, would not wait, and tells which. Messages that another thread's receive reads ahead
    /// meanwhile do not end it.
    ///
    /// # Errors
    ///
    /// `WouldBlock`, `TimedOut`: neither. `Closed`. `InvalidArgument`: nothing was asked. `LimitReached`: no descriptor left to wait
    /// with.
    pub fn wait(&self, interest: Interest, timeout: Timeout) -> Result<Event> {
        if !interest.readable && !interest.writable {
            return Err(Error::new(Status::InvalidArgument, "wait for nothing"));
        }
        let endpoint = self.endpoint()?;
        let has_message = interest.readable && self.has_message();
        let deadline = if has_message { Deadline::Now } else { Deadline::from(timeout) };
        let Readiness { readable, writable, hangup } = match self.wait_flushing(&endpoint, interest, deadline)
        {
            Err(error) if has_message && error.status() == Status::WouldBlock => Readiness::default(),
            ready => ready?,
        };
        Ok(Event { token: 0, readable: readable || has_message, writable, hangup })
    }

    /// Sends what is queued, as far as it goes at once; tells whether something is left. A failure to send is the next send's
    /// to tell: there may be data to read still.
    pub(super) fn flush_if_queued(&self) -> bool {
        self.queued() > 0 && self.outgoing.flush().is_ok_and(|left| left > 0)
    }

    /// Whether a receive that has found nothing looks again at once, instead of sleeping.
    pub(super) fn looks_again<'socket>(
        &'socket self,
        looking: &mut Option<Looking<'socket>>,
        deadline: Deadline,
    ) -> bool {
        let Some(look) = looking else { return false };
        look.found_nothing();
        if !look.goes_on() {
            return false;
        }
        if deadline.has_passed() {
            looking.take().into_iter().for_each(Looking::ends);
            return false;
        }
        self.flush_if_queued();
        true
    }

    /// Waits for what is asked, and sends meanwhile what is queued already: it may be what the peer waits for.
    pub(super) fn wait_flushing(
        &self,
        endpoint: &Endpoint<Stream>,
        interest: Interest,
        deadline: Deadline,
    ) -> Result<Readiness> {
        let Interest { readable, writable, .. } = interest;
        loop {
            let flushing = self.flush_if_queued();
            let wanted = Readiness { readable, writable: writable || flushing, hangup: false };
            let ready = endpoint.wait_ready(wanted, deadline)?;
            if (readable && ready.readable) || (writable && ready.writable) {
                return Ok(Readiness { writable: ready.writable && writable, ..ready });
            }
        }
    }

    /// Parts of messages are not for the caller to send or take.
    pub(super) fn check_unframed(&self) -> Result<()> {
        match self.messaging {
            None => Ok(()),
            Some(_) => Err(Error::new(Status::InvalidState, "the socket has messages, not a stream")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Framing;
    use crate::socket::{MessageOptions, SocketOptions};
    use crate::sys;
    use std::sync::Arc;

    #[test]
    fn who_does_not_wait_needs_no_descriptor_to_be_woken_by() {
        let messages = Some(Arc::new(MessageOptions::new(Framing::Lines)));
        let (near, far) = Socket::pair(&SocketOptions { messages, ..SocketOptions::default() }).unwrap();
        let wait = |timeout| near.wait(Interest::READABLE, timeout).map_err(|error| error.status());
        assert_eq!(wait(Timeout::None), Err(Status::WouldBlock));
        let is_there = Ok(Event { readable: true, ..Event::default() });
        for message in [&b"one"[..], b"two"] {
            far.send_message(message, Timeout::None).unwrap();
        }
        assert_eq!(wait(Timeout::None), is_there);
        // It has the second one then.
        near.receive_message(Timeout::None).unwrap();
        assert_eq!(wait(Timeout::Forever), is_there);
        assert_eq!(near.descriptors(), [near.descriptor().unwrap()]);
        near.abort();
        assert_eq!(wait(Timeout::None), Err(Status::Closed));
    }

    #[test]
    fn what_is_behind_descriptors_that_nobody_took_is_told_of() {
        let (near, far) = Stream::pair().unwrap();
        let far = Socket::new(far, &SocketOptions::default()).unwrap();
        let file: sys::Descriptor = tempfile::tempfile().unwrap().into();
        near.send_pieces([b"with"], &[sys::lend(&file)]).unwrap();
        near.send(b"without").unwrap();
        let mut buffer = [0; 100];
        assert_eq!(far.receive_now(&mut buffer).unwrap(), (4, true));
        assert_eq!(far.receive_now(&mut buffer).unwrap(), (7, false));
    }
}

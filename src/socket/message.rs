//! Messages on a socket.

use super::messaging::{Messaging, Validator};
use super::{Socket, add_locked};
use crate::busy_poll::Looking;
use crate::deadline::{Deadline, Timeout};
use crate::error::{Error, Result, Status};
use crate::frame::{Envelope, Framing};
use crate::handshake::{Application, Greeting};
use crate::inbox::Inbox;
use crate::poller::Interest;
use crate::sys::{BorrowedDescriptor, DESCRIPTORS_LIMIT, Descriptor, Stream};
use crate::visited::Working;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

const WAITED_FOR: &str = "there is a first message";

/// A received message.
#[derive(Debug)]
pub struct Message {
    /// Its bytes.
    pub data: Vec<u8>,
    /// The descriptors that came with it, close-on-exec.
    pub descriptors: Vec<Descriptor>,
}

/// What a receive has filled.
enum Filled {
    Nothing,
    Inbox,
    /// The place of a message, with one of so many bytes.
    InPlace(usize),
}

/// What becomes of a connection whose peer is late.
#[derive(Clone, Copy)]
enum Lateness {
    EndsIt,
    IsTheCallers,
}

impl Socket {
    /// Sends a message, whole or not at all.
    ///
    /// The kernel may take a part of it only. The rest is then queued, beyond the limit of the queue if need be, and goes out
    /// until the deadline and with the following calls; what never does is counted by close.
    ///
    /// # Errors
    ///
    /// `MessageTooLarge`: more than either side takes. `InvalidArgument`: a line with a line feed in it, or a carriage return at
    /// its end. `WouldBlock`,
    /// `TimedOut`: nothing could be sent in time. `LimitReached`: nothing could be sent at once, and no descriptor is left to wait with.
    /// `InvalidState`: the socket has no framing. `Closed`: also, without a queue, while the rest of it goes out, which the close that
    /// ends this still sends, and counts if it does not. `Disconnected`.
    /// `Mismatch`, `Malformed`: the other side's part of the handshake came and was wrong.
    pub fn send_message(&self, message: &[u8], timeout: Timeout) -> Result<()> {
        self.send_message_with(message, &[], timeout)
    }

    /// Sends a message, whole or not at all, and duplicates of descriptors with it.
    ///
    /// # Errors
    ///
    /// As [`Socket::send_message`]. `LimitReached`: more descriptors than the system sends at once (253, unix(7)).
    /// `PermissionDenied`: the peer takes none; where the system does not tell, the message arrives without them.
    pub fn send_message_with(
        &self,
        message: &[u8],
        descriptors: &[BorrowedDescriptor<'_>],
        timeout: Timeout,
    ) -> Result<()> {
        let deadline = Deadline::from(timeout);
        let messaging = self.messaging()?;
        // What never works is not told to wait.
        if descriptors.len() > DESCRIPTORS_LIMIT {
            let context = format!("send {} descriptors, {DESCRIPTORS_LIMIT} at most", descriptors.len());
            return Err(Error::new(Status::LimitReached, context));
        }
        // Before the turn: what is wrong with the greeting ends the socket, for which nobody may have the turn.
        self.look_for_greeting(messaging)?;
        let turn = self.outgoing.turn_to_send(deadline);
        let envelope = Envelope::new(messaging.options.framing, messaging.limit(), message)?;
        let mut turn = turn?;
        let pieces = [envelope.head(), message, envelope.tail];
        while !turn.commit(pieces, descriptors)? {
            deadline.check_may_wait()?;
            turn.wait_for_room(deadline)?;
        }
        add_locked(&messaging.sent, 1);
        // Accepted now. Without a queue the caller wants it sent, too, as far as there is time, and what waiting takes. Where that is
        // missing nothing has failed: the peer has a part of it, and whoever were told of a failure would send it again.
        if !turn.queues() && deadline.check_may_wait().is_ok() {
            match turn.flush_until(deadline) {
                Err(error) if [deadline.expiry(), Status::LimitReached].contains(&error.status()) => {}
                flushed => flushed?,
            }
        }
        Ok(())
    }

    /// Reads the other side's greeting if it has come, for its limit, unless another thread is reading anyway. Nothing behind it: who
    /// waits with a poller is to be told of that.
    fn look_for_greeting(&self, messaging: &Messaging) -> Result<()> {
        if messaging.awaited().is_none() {
            return Ok(());
        }
        let read = |inbox: &mut Inbox| {
            messaging.more.store(true, Ordering::Release);
            let greeted = self.read_greeting(messaging, inbox);
            inbox.rest();
            greeted
        };
        self.visit_inbox(messaging, read).unwrap_or(Ok(()))
    }

    fn read_greeting(&self, messaging: &Messaging, inbox: &mut Inbox) -> Result<()> {
        let most = messaging.options.max_descriptors;
        loop {
            let missing = Greeting::missing(inbox.bytes());
            if missing == 0 {
                return self.or_break_off(messaging.greeted(inbox)).map(drop);
            }
            let receive =
                |stream: &Stream| inbox.fill_at_most(missing, |room| stream.receive_with(room, most));
            match self.receive_by(receive, |received| *received) {
                Ok(Some(_)) => self.or_break_off(check_descriptors(inbox, most))?,
                Err(error) if error.status() == Status::Closed => return Err(error),
                Err(error) if error.status() == Status::LimitReached => return self.or_break_off(Err(error)),
                // That no more came, or that the peer has left, is what a receive tells.
                _ => return self.or_break_off(messaging.greeted(inbox)).map(drop),
            }
        }
    }

    /// Does something with the inbox that does not take long, unless another thread has it. A receive that is turned away meanwhile is
    /// told anew by its poller, whose edge brought it here in vain.
    fn visit_inbox<T>(&self, messaging: &Messaging, work: impl FnOnce(&mut Inbox) -> T) -> Option<T> {
        let work = |inbox: &mut Inbox| (work(inbox), inbox.has_descriptors());
        let ((done, has_descriptors), has_turned_away) = messaging.inbox.visit(work)?;
        if has_turned_away && let Ok(endpoint) = self.endpoint() {
            endpoint.report_anew();
        }
        if has_descriptors {
            self.drop_inbox_if_ended();
        }
        Some(done)
    }

    /// When the inbox is unlocked: who ended the socket meanwhile could not give up what is left in it.
    fn drop_inbox_if_ended(&self) {
        if self.endpoint().is_err() {
            self.drop_inbox();
        }
    }

    /// Receives a message.
    ///
    /// A socket with messages has read more than the one: it may have messages when the system has nothing more to read, so
    /// after a poller's report they are received until `WouldBlock`, whatever the trigger, or until
    /// [`Socket::may_have_message`] says no, which costs less. Where several threads receive only the latter tells: `WouldBlock` may only
    /// mean that another thread was receiving.
    ///
    /// # Errors
    ///
    /// `WouldBlock`, `TimedOut`: none came in time. `Disconnected`: the peer has gone, and all it sent was read. `Closed`.
    /// `InvalidState`: the socket has no framing. `LimitReached`: no descriptor left to wait with.
    ///
    /// The following end the connection: `MessageTooLarge`; `Malformed`, also when the peer left in the middle of a message;
    /// `Mismatch`: the handshake; `Refused`: by the validator; `LimitReached`, with a text that says so: too many descriptors came, or
    /// more than this process may have; `TimedOut`, likewise: the peer took longer than [`crate::MessageOptions`] allow for the rest of
    /// a message or its handshake.
    pub fn receive_message(&self, timeout: Timeout) -> Result<Message> {
        self.receiving(timeout, |messaging, inbox, deadline| {
            self.await_message(messaging, inbox, deadline, Lateness::EndsIt, &mut [])?;
            self.deliver(messaging, inbox, |data, descriptors| {
                Ok(Message { data: data.to_vec(), descriptors: std::mem::take(descriptors) })
            })
        })
    }

    /// Receives a message into the front of a buffer; tells its length. All of the buffer may be written to, whatever comes.
    ///
    /// # Errors
    ///
    /// As [`Socket::receive_message`]. `BufferTooSmall`: the message stays; `needed` is told its length.
    pub fn receive_message_into(
        &self,
        buffer: &mut [u8],
        needed: &mut usize,
        timeout: Timeout,
    ) -> Result<Vec<Descriptor>> {
        self.receiving(timeout, |messaging, inbox, deadline| {
            if let Some(length) = self.await_message(messaging, inbox, deadline, Lateness::EndsIt, buffer)? {
                *needed = length;
                add_locked(&messaging.received, 1);
                return Ok(Vec::new());
            }
            self.deliver(messaging, inbox, |data, descriptors| {
                *needed = data.len();
                let room = buffer.get_mut(..data.len()).ok_or_else(|| {
                    let context = format!("a message of {} bytes, room for fewer", data.len());
                    Error::new(Status::BufferTooSmall, context)
                })?;
                room.copy_from_slice(data);
                Ok(std::mem::take(descriptors))
            })
        })
    }

    /// Receives a message without waiting, and lets `take` have it with its descriptors; if that fails, the message stays. Descriptors
    /// that it does not take are closed. For who ends the connection himself when [`Socket::peer_due`] has come.
    pub(crate) fn receive_message_now<T>(
        &self,
        take: impl FnOnce(&[u8], &mut Vec<Descriptor>) -> Result<T>,
    ) -> Result<T> {
        self.receiving(Timeout::None, |messaging, inbox, deadline| {
            self.await_message(messaging, inbox, deadline, Lateness::IsTheCallers, &mut [])?;
            self.deliver(messaging, inbox, take)
        })
    }

    /// Lets nobody else receive meanwhile. Who asks afterwards whether there may be more is told no only if the system was asked: what
    /// has come since an earlier receive asked it may have been told by a poller already.
    fn receiving<T>(
        &self,
        timeout: Timeout,
        receive: impl FnOnce(&Messaging, &mut Working<'_, Inbox>, Deadline) -> Result<T>,
    ) -> Result<T> {
        let deadline = Deadline::from(timeout);
        let messaging = self.messaging()?;
        // Of a socket that was closed meanwhile the one that is receiving is just coming back.
        let inbox = messaging.inbox.lock_until(deadline);
        let mut inbox = inbox.or_else(|why| self.endpoint().and(Err(why.into())))?;
        messaging.more.store(true, Ordering::Release);
        inbox.forget_drained();
        let answer = receive(messaging, &mut inbox, deadline);
        let more = messaging.may_have_more(&mut inbox);
        if !more {
            inbox.rest();
        }
        messaging.more.store(more, Ordering::Release);
        let has_descriptors = inbox.has_descriptors();
        drop(inbox);
        if answer.is_err() || has_descriptors {
            self.drop_inbox_if_ended();
        }
        answer
    }

    /// Waits until a message is the first in the inbox; or it came right into `place`, without its descriptors, of which none are
    /// taken then: tells its length.
    fn await_message(
        &self,
        messaging: &Messaging,
        inbox: &mut Inbox,
        deadline: Deadline,
        lateness: Lateness,
        place: &mut [u8],
    ) -> Result<Option<usize>> {
        if !inbox.bytes().is_empty() {
            // Of a closed socket nothing is delivered any more. What fills the inbox looks for itself.
            self.endpoint()?;
        }
        let mut ended = false;
        let mut looking = None;
        let found = loop {
            // Mostly there is nothing yet.
            if !inbox.bytes().is_empty() && self.or_break_off(messaging.greeted(inbox))? {
                let first = if ended { inbox.last() } else { inbox.first() };
                if self.or_break_off(first.map(|first| first.is_some()))? {
                    break None;
                }
            }
            if ended {
                return match inbox.bytes().len() {
                    0 => Err(Status::Disconnected.into()),
                    // Messages would have been found: it is a part of the greeting.
                    left => self.or_break_off(Err(cut_greeting(left))),
                };
            }
            if looking.is_none() && deadline.check_may_wait().is_ok() {
                looking = Some(self.busy_poller().begin());
            }
            // No whole message comes before what they came with.
            self.or_break_off(check_descriptors(inbox, messaging.options.max_descriptors))?;
            match self.fill(messaging, inbox, place) {
                Ok(Filled::InPlace(length)) => break Some(length),
                Ok(Filled::Inbox) => {}
                Ok(Filled::Nothing) => {
                    self.wait_for_rest(messaging, inbox, deadline, lateness, &mut looking)?
                }
                // It may have left with something of ours unread, and what it sent before is still to be taken.
                Err(error) if error.status() == Status::Disconnected => ended = true,
                Err(error) if error.status() == Status::LimitReached => return self.or_break_off(Err(error)),
                Err(error) => return Err(error),
            }
        };
        looking.into_iter().for_each(|it: Looking| it.found(1));
        Ok(found)
    }

    /// Lets `take` have the first message of the inbox.
    fn deliver<T>(
        &self,
        messaging: &Messaging,
        inbox: &mut Working<'_, Inbox>,
        take: impl FnOnce(&[u8], &mut Vec<Descriptor>) -> Result<T>,
    ) -> Result<T> {
        if messaging.validates.load(Ordering::Acquire) && !inbox.is_validated() {
            // Those who wait meanwhile are told when the socket is closed.
            inbox.step_out(|inbox| self.validate_first(messaging, inbox))?;
        }
        let (message, mut descriptors) = inbox.open_first().expect(WAITED_FOR);
        let most = messaging.options.max_descriptors;
        if descriptors.len() > most {
            return self.or_break_off(Err(too_many_descriptors(most)));
        }
        let taken = take(message, &mut descriptors);
        inbox.set_validated();
        if taken.is_ok() {
            add_locked(&messaging.received, 1);
            inbox.drop_first();
        } else {
            inbox.close_first(descriptors);
        }
        taken
    }

    fn validate_first(&self, messaging: &Messaging, inbox: &Inbox) -> Result<()> {
        let most = messaging.options.max_descriptors;
        self.or_break_off(if inbox.first_descriptors() > most {
            Err(too_many_descriptors(most))
        } else {
            validate(messaging, inbox.message().expect(WAITED_FOR))
        })
    }

    /// Whether a receive may find another message without waiting: one is there already, the last receive took what had come before
    /// it or left something with the system, nothing was received yet, or another thread is receiving. If not, a poller tells of what
    /// comes next, whatever the trigger. After a poller's report of a hang-up the end of the stream is still to be received.
    ///
    /// Does not block.
    ///
    /// # Errors
    ///
    /// `InvalidState`: the socket has no framing.
    pub fn may_have_message(&self) -> Result<bool> {
        let messaging = self.messaging()?;
        // Who was turned away may have been so for something that the other one did not see.
        Ok(messaging.more.load(Ordering::Acquire) || messaging.inbox.has_turned_away())
    }

    /// Whether a message is there already, unless another thread is just receiving.
    pub(super) fn has_message(&self) -> bool {
        let Some(messaging) = self.messaging.as_deref() else { return false };
        self.visit_inbox(messaging, |inbox| messaging.has_message(inbox)).unwrap_or(false)
    }

    fn fill(&self, messaging: &Messaging, inbox: &mut Inbox, place: &mut [u8]) -> Result<Filled> {
        let most = messaging.options.max_descriptors;
        // With a validator nothing gets to the caller that it has not seen. recvmsg(2) into pieces takes no descriptors.
        let may_place = most == 0 && !messaging.validates.load(Ordering::Acquire);
        let expected = inbox.expected().filter(|_| may_place);
        let mut in_place = None;
        let receive = |stream: &Stream| match expected.and_then(|length| place.get_mut(..length)) {
            Some(place) => {
                let (received, whole) = inbox.fill_around(place, |pieces| stream.receive_pieces(pieces))?;
                in_place = whole.then_some(place.len());
                Ok(received)
            }
            None => inbox.fill(|room| stream.receive_with(room, most)),
        };
        if self.receive_by(receive, |received| *received)?.is_none() {
            return Ok(Filled::Nothing);
        }
        Ok(in_place.map_or(Filled::Inbox, Filled::InPlace))
    }

    fn wait_for_rest<'socket>(
        &'socket self,
        messaging: &Messaging,
        inbox: &mut Inbox,
        deadline: Deadline,
        lateness: Lateness,
        looking: &mut Option<Looking<'socket>>,
    ) -> Result<()> {
        let clock = &messaging.options.clock;
        let due = match lateness {
            Lateness::EndsIt => messaging.due(inbox),
            Lateness::IsTheCallers => None,
        };
        if due.is_none_or(|(due, _)| due > clock.now())
            && let Err(status) = deadline.check_may_wait()
        {
            self.flush_if_queued();
            return Err(status.into());
        }
        let until = match due {
            Some((due, _)) if due <= clock.now() => Deadline::Now,
            Some((due, _)) if !clock.is_manual() => deadline.earlier(due),
            _ => deadline,
        };
        if self.looks_again(looking, until) {
            return Ok(());
        }
        inbox.rest();
        match self.wait_flushing(&*self.endpoint()?, Interest::READABLE, until) {
            Err(error) if error.status() == until.expiry() => match due {
                Some((due, what)) if due <= clock.now() => {
                    let context = format!("the peer took too long for {what}");
                    self.or_break_off(Err(Error::new(Status::TimedOut, context)))
                }
                _ => Err(deadline.expiry().into()),
            },
            waited => waited.map(drop),
        }
    }

    /// Lets a function see each message first; the connection ends with `Refused` when it says no. None: all are delivered. While it
    /// is asked, receives of other threads wait for it, until the socket is closed.
    ///
    /// # Errors
    ///
    /// `InvalidState`: the socket has no framing.
    pub fn set_validator(&self, validator: Option<Arc<Validator>>) -> Result<()> {
        let messaging = self.messaging()?;
        let mut kept = messaging.validator.lock();
        messaging.validates.store(validator.is_some(), Ordering::Release);
        let replaced = std::mem::replace(&mut *kept, validator);
        // What ends with it is the caller's, and may set another.
        drop(kept);
        drop(replaced);
        Ok(())
    }

    /// The largest message that both sides take, as far as is known: the other side of checked frames tells its own with its part of
    /// the handshake, of others only this side's is known.
    ///
    /// # Errors
    ///
    /// `InvalidState`: the socket has no framing.
    pub fn max_message(&self) -> Result<usize> {
        Ok(self.messaging()?.limit())
    }

    /// What the other side of checked frames said that it is, once it has.
    ///
    /// # Errors
    ///
    /// `InvalidState`: the socket has no checked frames. `WouldBlock`: it has not said so yet.
    pub fn peer_application(&self) -> Result<Application> {
        let messaging = self.messaging()?;
        if messaging.options.framing != Framing::Checked {
            return Err(Error::new(Status::InvalidState, "the socket has no checked frames"));
        }
        let peer = messaging.peer.get().ok_or(Status::WouldBlock)?;
        Ok(peer.application.clone())
    }

    /// The time that the peer has for the rest of a message begins now.
    pub(crate) fn restart_peer_clock(&self) {
        if let Some(mut inbox) = self.messaging.as_ref().and_then(|messaging| messaging.inbox.lock()) {
            inbox.restart_clock();
        }
    }

    /// Until when the peer has to go on, if it has begun something. For the only thread that receives: another one may look for the
    /// greeting at most, which does not take long.
    pub(crate) fn peer_due(&self) -> Option<Instant> {
        let messaging = self.messaging.as_deref()?;
        if messaging.awaited().is_some() {
            return messaging.greeting_due();
        }
        messaging.options.message_timeout?;
        messaging.rest_due(&*messaging.inbox.lock()?)
    }

    /// What the peer did wrong, for which the connection was ended.
    pub(crate) fn broken_off(&self) -> Option<Status> {
        self.messaging.as_deref()?.broken_off.get().copied()
    }

    /// Does something while no message is being received. If one is, or something has come in that was not taken, it says so instead.
    pub(super) fn with_empty_inbox<T>(&self, work: impl FnOnce() -> T) -> Result<T, &'static str> {
        let Some(messaging) = &self.messaging else { return Ok(work()) };
        let unless_read_ahead = |inbox: &mut Inbox| {
            inbox.bytes().is_empty().then(work).ok_or("nobody has received what was read ahead")
        };
        self.visit_inbox(messaging, unless_read_ahead).unwrap_or(Err("a receive of a message is under way"))
    }

    /// Nobody waits any longer for what a validator says.
    pub(super) fn shut_inbox(&self) {
        if let Some(messaging) = &self.messaging {
            messaging.inbox.shut();
        }
    }

    /// Gives up what came and was not taken, unless somebody is just receiving.
    pub(super) fn drop_inbox(&self) {
        if let Some(messaging) = &self.messaging {
            // Nobody is told anything of an ended socket.
            messaging.inbox.visit(Inbox::clear);
        }
    }

    /// The peer has broken the rules: it gets nothing more, and nothing more is taken from it.
    fn or_break_off<T>(&self, result: Result<T>) -> Result<T> {
        if let Err(error) = &result {
            if let Some(messaging) = &self.messaging {
                // The first is what ended it.
                let _ = messaging.broken_off.set(error.status());
            }
            self.abort();
        }
        result
    }

    fn messaging(&self) -> Result<&Messaging> {
        self.messaging.as_deref().ok_or_else(|| Error::new(Status::InvalidState, "the socket has no framing"))
    }
}

fn cut_greeting(length: usize) -> Error {
    Error::new(Status::Malformed, format!("handshake: the peer left after {length} bytes of it"))
}

/// Those of the first message may be there, and of the one whose beginning came with its end.
#[inline]
fn check_descriptors(inbox: &Inbox, most: usize) -> Result<()> {
    // Mostly there are none, nor may there be.
    let too_many = most > 0
        && (inbox.arrivals().any(|at_a_time| at_a_time > most)
            || inbox.arrivals().sum::<usize>() > most.saturating_mul(2));
    if too_many { Err(too_many_descriptors(most)) } else { Ok(()) }
}

fn validate(messaging: &Messaging, message: &[u8]) -> Result<()> {
    let validator = messaging.validator.lock().clone();
    match validator {
        Some(validator) if !validator(message) => {
            let context = format!("the validator refused a message of {} bytes", message.len());
            Err(Error::new(Status::Refused, context))
        }
        _ => Ok(()),
    }
}

fn too_many_descriptors(most: usize) -> Error {
    Error::new(Status::LimitReached, format!("more than {most} descriptors came with a message"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room;
    use crate::socket::{MessageOptions, SocketOptions};
    use std::time::Duration;

    const WATCHDOG: Timeout = Timeout::After(Duration::from_secs(30));

    /// What is left after a receive that has found a message, one that has found nothing, and one that has found the beginning of a
    /// message, by one that may wait and one that may not.
    #[test]
    fn what_waits_for_a_message_leaves_the_room_to_others() {
        const ROOM: usize = 200_000;
        for (timeout, outcome) in [
            (Timeout::None, Status::WouldBlock),
            (Timeout::After(Duration::from_millis(1)), Status::TimedOut),
        ] {
            let messages = Some(Arc::new(MessageOptions::new(Framing::BigEndian)));
            let (near, far) = Stream::pair().unwrap();
            let socket = Socket::new(near, &SocketOptions { messages, ..SocketOptions::default() }).unwrap();
            drop(room::take());
            room::give(vec![0; ROOM]);
            far.send(b"\0\0\0\x03one\0\0\0\x03t").unwrap();
            assert_eq!(socket.receive_message(WATCHDOG).unwrap().data, b"one");
            for more in [&b""[..], b"w"] {
                let room = room::take();
                assert_eq!(room.len(), ROOM);
                room::give(room);
                far.send(more).unwrap();
                assert_eq!(socket.receive_message(timeout).unwrap_err().status(), outcome);
            }
            far.send(b"o").unwrap();
            assert_eq!(socket.receive_message(WATCHDOG).unwrap().data, b"two");
            // The smaller one that it had meanwhile, and the other one.
            let given_back = [room::take().len(), room::take().len()];
            assert!((1..ROOM).contains(&given_back[0]) && given_back[1] == ROOM, "{given_back:?}");
            // At the end of the stream it holds nothing, either.
            room::give(vec![0; ROOM]);
            drop(far);
            assert_eq!(socket.receive_message(WATCHDOG).unwrap_err().status(), Status::Disconnected);
            assert_eq!(room::take().len(), ROOM);
        }
    }

    /// Another thread's send may be looking for the handshake just when the peer's time for it is asked for.
    #[test]
    fn the_time_for_the_handshake_is_known_whoever_is_reading() {
        let messages = Some(Arc::new(MessageOptions::new(Framing::Checked)));
        let (near, _far) = Stream::pair().unwrap();
        let socket = Socket::new(near, &SocketOptions { messages, ..SocketOptions::default() }).unwrap();
        let _reading = socket.messaging.as_ref().unwrap().inbox.lock();
        assert!(socket.peer_due().is_some());
    }

    /// While another thread's send waits for room.
    #[test]
    fn a_message_that_can_never_be_sent_is_not_told_to_wait_for_its_turn() {
        let messages = Some(Arc::new(MessageOptions::new(Framing::Lines)));
        let (near, far) = Socket::pair(&SocketOptions { messages, ..SocketOptions::default() }).unwrap();
        let send =
            |message: &[u8], timeout| near.send_message(message, timeout).map_err(|error| error.status());
        let free = near.descriptors().len();
        while send(&[b'x'; 4096], Timeout::None).is_ok() {}
        std::thread::scope(|scope| {
            scope.spawn(|| send(b"waits", WATCHDOG));
            // It has something to be woken by.
            while near.descriptors().len() == free {
                std::thread::yield_now();
            }
            assert_eq!(send(b"can wait", Timeout::None), Err(Status::WouldBlock));
            assert_eq!(send(b"two\nlines", Timeout::None), Err(Status::InvalidArgument));
            let longer = vec![b'x'; near.max_message().unwrap() + 1];
            assert_eq!(send(&longer, Timeout::None), Err(Status::MessageTooLarge));
            far.abort();
        });
    }

    #[test]
    fn a_long_message_as_long_as_the_last_one_is_received_right_into_the_buffer() {
        const LENGTH: usize = 20_000;
        let received = |options: MessageOptions, validator: Option<Arc<Validator>>| {
            let options = SocketOptions { messages: Some(Arc::new(options)), ..SocketOptions::default() };
            let (near, far) = Socket::pair(&options).unwrap();
            far.set_validator(validator).unwrap();
            near.send_message(&[b'x'; LENGTH], WATCHDOG).unwrap();
            far.receive_message(WATCHDOG).unwrap();
            // One byte more than was expected, and than there is room for: what was written to the buffer came from the system.
            near.send_message(&[b'x'; LENGTH + 1], WATCHDOG).unwrap();
            let (mut buffer, mut needed) = (vec![0; LENGTH], 0);
            let answer = far.receive_message_into(&mut buffer, &mut needed, WATCHDOG);
            assert_eq!((answer.unwrap_err().status(), needed), (Status::BufferTooSmall, LENGTH + 1));
            assert_eq!(far.receive_message(WATCHDOG).unwrap().data, vec![b'x'; LENGTH + 1]);
            buffer == [b'x'; LENGTH]
        };
        let options = MessageOptions::new(Framing::BigEndian);
        assert!(received(options.clone(), None));
        assert!(received(MessageOptions::new(Framing::Checked), None));
        assert!(!received(options.clone(), Some(Arc::new(|_: &[u8]| true))), "a validator sees it first");
        assert!(!received(MessageOptions { max_descriptors: 1, ..options }, None), "descriptors may come");
        assert!(!received(MessageOptions::new(Framing::Lines), None), "its end has to be looked for");
    }
}

//! The sending side of a socket: whose turn it is, what is queued, and where it goes.

use super::{add_locked, is_would_block};
use crate::deadline::{Deadline, wait_until};
use crate::endpoint::Endpoint;
use crate::error::{Error, Result, Status};
use crate::gate::Gate;
use crate::outbox::Outbox;
use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use crate::sync::{Condvar, Mutex, MutexGuard};
use crate::sys::{self, BorrowedDescriptor, RawDescriptor, Readiness, Stream};
use std::io;
use std::sync::Arc;

/// The sending side. One lock guards all of it, so that a send which the kernel takes at once needs no other.
// See `Socket`.
#[repr(C)]
pub(super) struct Outgoing {
    /// Shut when nothing may be sent any more; what is queued may still go out.
    gate: Gate,
    sent: AtomicU64,
    /// How much is queued: for those who don't lock, and at hand for those who do.
    queued: AtomicUsize,
    state: Mutex<State>,
    /// Told when a send that had to wait is through.
    turns: Condvar,
    unsent: AtomicU64,
}

#[repr(C)]
struct State {
    /// None: it has ended.
    endpoint: Option<Arc<Endpoint<Stream>>>,
    /// How many wait for their turn.
    waiting: u32,
    /// A send waits for room in its middle, so no other may begin.
    taken: bool,
    /// Of what was ever to be sent, so much at the front is this side's own, and no send's. A greeting is short.
    first_words: u16,
    outbox: Outbox,
}

impl Outgoing {
    /// A sending side that has something to say first.
    pub fn new(endpoint: Arc<Endpoint<Stream>>, limit: usize, first_words: &[u8]) -> Outgoing {
        let mut outbox = Outbox::new(limit);
        outbox.push_all(first_words);
        Outgoing {
            queued: AtomicUsize::new(outbox.len()),
            state: Mutex::new(State {
                endpoint: Some(endpoint),
                waiting: 0,
                taken: false,
                outbox,
                first_words: first_words.len().try_into().unwrap_or(u16::MAX),
            }),
            turns: Condvar::new(),
            gate: Gate::default(),
            sent: AtomicU64::new(0),
            unsent: AtomicU64::new(0),
        }
    }

    /// The turn to send, which nobody else has until it is dropped: what several threads send does not interleave.
    pub fn turn(&self, deadline: Deadline) -> Result<Turn<'_>, Status> {
        let mut state = self.state.lock();
        while state.taken {
            state.waiting += 1;
            let timed_out = wait_until(&self.turns, &mut state, deadline);
            state.waiting -= 1;
            if timed_out && state.taken {
                return Err(deadline.expiry());
            }
        }
        Ok(Turn { outgoing: self, state })
    }

    /// The turn to send something new. Who does not get it in time is told that the gate is shut, if it is: who has the turn then is
    /// just leaving it, and no time would have been enough.
    pub fn turn_to_send(&self, deadline: Deadline) -> Result<Turn<'_>> {
        self.turn(deadline).or_else(|expiry| self.gate.check().and(Err(expiry.into())))
    }

    /// Sends of what is queued what is possible at once; tells how much is left. It may be in the middle of somebody's turn.
    pub fn flush(&self) -> Result<usize> {
        let mut state = self.state.lock();
        self.flush_locked(&mut state)?;
        Ok(self.queued())
    }

    #[inline]
    fn flush_locked(&self, state: &mut State) -> Result<()> {
        if self.queued() == 0 { Ok(()) } else { self.flush_queue(state) }
    }

    fn flush_queue(&self, state: &mut State) -> Result<()> {
        let State { endpoint, outbox, .. } = state;
        let endpoint = endpoint.as_ref().ok_or(Status::Closed)?;
        let before = outbox.len();
        let result = outbox.flush(endpoint.source()).map_err(send_error);
        add_locked(&self.sent, before - outbox.len());
        self.queued.store(outbox.len(), Ordering::Relaxed);
        result.map(drop)
    }

    /// Ends sends, with `Closed`, now and later. What is queued may still go out.
    pub fn shut(&self) {
        self.gate.shut();
    }

    /// The descriptor that waits for room are woken by, once one has waited.
    pub fn waker_descriptor(&self) -> Option<RawDescriptor> {
        self.gate.descriptor()
    }

    /// Gives up what is queued; tells how much that is, with what was given up before.
    pub fn drop_queue(&self) -> u64 {
        self.drop_queue_of(&mut self.state.lock())
    }

    fn drop_queue_of(&self, state: &mut State) -> u64 {
        let left = state.outbox.clear() as u64;
        // Nobody is told of the loss of what nobody has sent.
        let own = u64::from(std::mem::take(&mut state.first_words)).saturating_sub(self.sent());
        let dropped = left - own.min(left);
        self.queued.store(0, Ordering::Relaxed);
        self.unsent.fetch_add(dropped, Ordering::Relaxed) + dropped
    }

    /// Lets go of the descriptor and of what is queued; tells how much was never sent. With the lock held, no send that was under
    /// way is counted on one side only.
    pub fn end(&self) -> u64 {
        let mut state = self.state.lock();
        state.endpoint = None;
        self.drop_queue_of(&mut state)
    }

    /// The most bytes that were ever queued.
    pub fn queue_peak(&self) -> usize {
        self.state.lock().outbox.peak()
    }

    /// Bytes queued.
    pub fn queued(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }

    /// Whether so much may be queued at all.
    pub fn check_can_hold(&self, length: usize) -> Result<()> {
        let limit = self.state.lock().outbox.limit();
        if length <= limit {
            return Ok(());
        }
        let context = format!("queue {length} bytes where at most {limit} are queued");
        Err(Error::new(Status::InvalidArgument, context))
    }

    /// Bytes that the kernel took.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Bytes that were accepted and given up.
    pub fn unsent(&self) -> u64 {
        self.unsent.load(Ordering::Relaxed)
    }
}

/// The turn to send.
pub(super) struct Turn<'a> {
    outgoing: &'a Outgoing,
    state: MutexGuard<'a, State>,
}

impl Turn<'_> {
    /// Sends what is possible at once: first what is queued, then of the data what was not taken yet; then queues what there is room
    /// for. Adds to `taken` what was.
    pub fn send(&mut self, data: &[u8], taken: &mut usize) -> Result<()> {
        self.begin()?;
        self.send_begun(data, taken)
    }

    /// Sends all of the data at once, as far as the kernel takes it, and queues the rest; or does nothing, if there is no room for all.
    pub fn send_whole(&mut self, data: &[u8]) -> Result<bool> {
        self.begin()?;
        let fits = data.len() <= self.state.outbox.room();
        if fits {
            self.send_begun(data, &mut 0)?;
        }
        Ok(fits)
    }

    fn send_begun(&mut self, data: &[u8], taken: &mut usize) -> Result<()> {
        let Turn { outgoing, state } = self;
        let State { endpoint, outbox, .. } = &mut **state;
        let endpoint = endpoint.as_ref().ok_or(Status::Closed)?;
        while outgoing.queued() == 0 && *taken < data.len() {
            match endpoint.source().send(&data[*taken..]) {
                Ok(sent) => {
                    *taken += sent;
                    add_locked(&outgoing.sent, sent);
                }
                Err(errno) if is_would_block(errno) => break,
                Err(errno) => return Err(send_error(errno)),
            }
        }
        if *taken < data.len() {
            *taken += outbox.push(&data[*taken..]);
            outgoing.queued.store(outbox.len(), Ordering::Relaxed);
        }
        Ok(())
    }

    /// Gives the kernel what it takes of a message and queues the rest; or queues all, if there is room; or does nothing.
    pub fn commit(&mut self, pieces: [&[u8]; 3], descriptors: &[BorrowedDescriptor<'_>]) -> Result<bool> {
        self.begin()?;
        let Turn { outgoing, state } = self;
        let State { endpoint, outbox, .. } = &mut **state;
        let endpoint = endpoint.as_ref().ok_or(Status::Closed)?;
        let mut sent = 0;
        if outgoing.queued() == 0 {
            match endpoint.source().send_pieces(pieces, descriptors) {
                Ok(taken) => sent = taken,
                Err(errno) if is_would_block(errno) => {}
                Err(errno) if !descriptors.is_empty() && sys::is_refusal_of_descriptors(errno) => {
                    let context = "send a message with descriptors: the peer takes no descriptors";
                    return Err(Error::os(errno, context));
                }
                Err(errno) => return Err(send_error(errno)),
            }
        }
        // Any room is enough, or a message larger than the limit would have to wait for an empty queue: the bound is the limit
        // and one message.
        if sent == 0 && (!descriptors.is_empty() || outbox.room() == 0) {
            return Ok(false);
        }
        add_locked(&outgoing.sent, sent);
        let length: usize = pieces.iter().map(|piece| piece.len()).sum();
        if sent < length {
            for piece in pieces {
                let skipped = sent.min(piece.len());
                sent -= skipped;
                outbox.push_all(&piece[skipped..]);
            }
            outgoing.queued.store(outbox.len(), Ordering::Relaxed);
        }
        Ok(true)
    }

    /// Sends of what is queued what is possible at once; tells how much is left.
    pub fn flush(&mut self) -> Result<usize> {
        self.outgoing.flush_locked(&mut self.state)?;
        Ok(self.outgoing.queued())
    }

    /// Sends what is queued.
    pub fn flush_until(&mut self, deadline: Deadline) -> Result<()> {
        while self.flush()? > 0 {
            deadline.check_may_wait()?;
            self.wait_for_room(deadline)?;
        }
        Ok(())
    }

    fn begin(&mut self) -> Result<()> {
        // Asked with the lock: what is accepted after the gate was shut would be in no report.
        self.outgoing.gate.check()?;
        self.outgoing.flush_locked(&mut self.state)
    }

    /// Waits until the kernel has room, or sending is shut. The turn stays this one's meanwhile.
    pub fn wait_for_room(&mut self, deadline: Deadline) -> Result<()> {
        let endpoint = self.state.endpoint.clone().ok_or(Status::Closed)?;
        let gate = &self.outgoing.gate;
        let wanted = Readiness { writable: true, ..Readiness::default() };
        self.state.taken = true;
        let waited = MutexGuard::unlocked(&mut self.state, || {
            gate.wait(|waker| endpoint.source().wait(wanted, waker, deadline))
        });
        self.state.taken = false;
        waited.map(drop)
    }

    /// Lets go of the descriptor, which somebody else has now.
    pub fn end(mut self) {
        self.outgoing.gate.shut();
        self.state.endpoint = None;
    }

    /// Whether it may queue what it need not.
    pub fn queues(&self) -> bool {
        self.state.outbox.limit() > 0
    }

    /// Whether nothing is queued.
    pub fn has_sent_all(&self) -> bool {
        self.outgoing.queued() == 0
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.state.waiting > 0 {
            self.outgoing.turns.notify_one();
        }
    }
}

fn send_error(error: impl Into<io::Error>) -> Error {
    Error::os(error, "send")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deadline::Timeout;
    use std::sync::mpsc;
    use std::time::{Duration, Instant};

    /// Long enough that only a hang gets here.
    const WATCHDOG: Duration = Duration::from_secs(30);
    /// More than the kernel takes at once.
    const MUCH: usize = 4 << 20;

    fn outgoing(limit: usize, first_words: &[u8]) -> (Arc<Outgoing>, Stream) {
        let (near, far) = Stream::pair().unwrap();
        (Arc::new(Outgoing::new(Arc::new(Endpoint::new(near)), limit, first_words)), far)
    }

    fn turn(outgoing: &Outgoing) -> Turn<'_> {
        outgoing.turn(Deadline::Now).unwrap()
    }

    /// Sends at once; tells how much was taken.
    fn send(outgoing: &Outgoing, data: &[u8]) -> Result<usize> {
        let mut taken = 0;
        turn(outgoing).send(data, &mut taken).map(|()| taken)
    }

    /// All that there is to receive.
    fn receive(far: &Stream) -> Vec<u8> {
        let (mut all, mut buffer) = (Vec::new(), vec![0; 1 << 16]);
        while let Ok(received @ 1..) = far.receive(&mut buffer) {
            all.extend_from_slice(&buffer[..received]);
        }
        all
    }

    fn numbered(length: usize) -> Vec<u8> {
        (0..length).map(|index| (index % 251) as u8).collect()
    }

    fn status<T>(result: Result<T>) -> Status {
        result.err().map_or(Status::Ok, |error| error.status())
    }

    fn until(happens: impl Fn() -> bool) {
        let begun = Instant::now();
        while !happens() {
            assert!(begun.elapsed() < WATCHDOG);
            std::thread::yield_now();
        }
    }

    /// What [`Outgoing::queued`] is to tell without the lock.
    fn queue_length(outgoing: &Outgoing) -> usize {
        outgoing.state.lock().outbox.len()
    }

    #[test]
    fn what_the_kernel_does_not_take_is_queued_and_goes_out_in_order() {
        let (outgoing, far) = outgoing(1000, b"first");
        assert!(turn(&outgoing).queues());
        assert_eq!((outgoing.queued(), outgoing.flush().unwrap()), (5, 0));
        let data = numbered(MUCH);
        let mut taken = send(&outgoing, &data).unwrap();
        assert_eq!((queue_length(&outgoing), outgoing.queue_peak(), outgoing.queued()), (1000, 1000, 1000));
        assert_eq!(outgoing.sent(), 5 + taken as u64 - 1000);
        // There is no room anywhere.
        assert_eq!(send(&outgoing, &data).unwrap(), 0);
        assert!(!turn(&outgoing).has_sent_all());
        assert_eq!((outgoing.flush().unwrap(), turn(&outgoing).flush().unwrap()), (1000, 1000));

        let mut received = receive(&far);
        // What is queued comes before what is new.
        taken += send(&outgoing, &data[taken..taken + 10]).unwrap();
        assert_eq!((outgoing.queued(), outgoing.queue_peak()), (0, 1000));
        assert!(turn(&outgoing).has_sent_all());
        assert_eq!(turn(&outgoing).flush().unwrap(), 0);
        received.extend(receive(&far));
        assert!(received == [b"first", &data[..taken]].concat());
        assert_eq!((outgoing.sent(), outgoing.unsent()), (5 + taken as u64, 0));
    }

    #[test]
    fn first_words_that_are_given_up_are_no_loss() {
        let (outgoing, far) = outgoing(1000, b"first");
        drop(far);
        assert_eq!((outgoing.queued(), outgoing.drop_queue(), outgoing.end()), (5, 0, 0));
    }

    #[test]
    fn what_is_given_up_is_counted() {
        let (outgoing, _far) = outgoing(1000, b"");
        let data = numbered(MUCH);
        for given_up in [1000, 2000] {
            send(&outgoing, &data).unwrap();
            assert_eq!(outgoing.drop_queue(), given_up);
            assert_eq!((outgoing.unsent(), outgoing.queued(), queue_length(&outgoing)), (given_up, 0, 0));
        }
        send(&outgoing, &data).unwrap();
        assert_eq!((outgoing.end(), outgoing.unsent()), (3000, 3000));
        assert_eq!(status(send(&outgoing, b"x")), Status::Closed);
    }

    #[test]
    fn a_message_is_taken_whole_or_not_at_all() {
        for limit in [0, 1] {
            let (outgoing, far) = outgoing(limit, b"");
            assert_eq!(turn(&outgoing).queues(), limit > 0);
            let message = numbered(MUCH);
            // The kernel takes a part, and the rest is queued whatever the limit.
            assert!(turn(&outgoing).commit([b"head", &message, b"tail"], &[]).unwrap());
            let queued = outgoing.queued();
            assert!(queued > limit);
            assert_eq!(outgoing.sent(), (MUCH + 8 - queued) as u64);
            assert!(!turn(&outgoing).commit([b"no", b"ro", b"om"], &[]).unwrap());
            assert_eq!(outgoing.queued(), queued);
            let mut received = Vec::new();
            while outgoing.flush().unwrap() > 0 {
                received.extend(receive(&far));
            }
            received.extend(receive(&far));
            assert!(received == [b"head", &message[..], b"tail"].concat());

            // Now the kernel takes none of it.
            while outgoing.state.lock().endpoint.as_ref().unwrap().source().send(&[7; 4096]).is_ok() {}
            let descriptor = tempfile::tempfile().unwrap().into();
            let descriptors = [sys::lend(&descriptor)];
            assert!(!turn(&outgoing).commit([b"a", b"b", b"c"], &descriptors).unwrap());
            assert_eq!(turn(&outgoing).commit([b"a", b"b", b"c"], &[]).unwrap(), limit > 0);
            assert_eq!(outgoing.queued(), 3 * limit);
        }
    }

    #[test]
    fn a_peer_that_has_left_is_an_error_and_not_a_lack_of_room() {
        let (outgoing, far) = outgoing(1000, b"");
        drop(far);
        assert_eq!(status(send(&outgoing, b"x")), Status::Disconnected);
        assert_eq!(status(turn(&outgoing).commit([b"", b"x", b""], &[])), Status::Disconnected);
    }

    #[test]
    fn nothing_is_taken_after_the_end() {
        let (shut, _far) = outgoing(1000, b"");
        shut.shut();
        assert_eq!(status(send(&shut, b"x")), Status::Closed);
        assert_eq!(status(turn(&shut).commit([b"", b"x", b""], &[])), Status::Closed);
        shut.state.lock().taken = true;
        assert_eq!(shut.turn(Deadline::Now).err(), Some(Status::WouldBlock));
        assert_eq!(status(shut.turn_to_send(Deadline::Now)), Status::Closed);
        let (given_away, _far) = outgoing(1000, b"");
        turn(&given_away).end();
        assert_eq!(status(send(&given_away, b"x")), Status::Closed);
        assert!(given_away.state.lock().endpoint.is_none());
    }

    #[test]
    fn a_turn_that_waits_for_room_stays_one() {
        let (outgoing, far) = outgoing(0, b"");
        let mut first = turn(&outgoing);
        assert!(outgoing.waker_descriptor().is_none());
        first.wait_for_room(Timeout::After(WATCHDOG).into()).unwrap();
        assert!(outgoing.waker_descriptor().is_some());
        assert_eq!(outgoing.waker_descriptor(), outgoing.gate.descriptor());
        let mut sent = 0;
        first.send(&vec![7; MUCH], &mut sent).unwrap();
        assert_eq!(status(first.wait_for_room(Deadline::At(Instant::now()))), Status::TimedOut);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // The lock is free only once the first waits.
                until(|| outgoing.state.try_lock().is_some_and(|state| state.taken));
                assert_eq!(outgoing.turn(Deadline::Now).err(), Some(Status::WouldBlock));
                let passed = Deadline::At(Instant::now());
                assert_eq!(outgoing.turn(passed).err(), Some(Status::TimedOut));
                assert_eq!(outgoing.flush().unwrap(), 0);
                assert_eq!(receive(&far).len(), sent);
            });
            first.wait_for_room(Timeout::After(WATCHDOG).into()).unwrap();
        });
        drop(first);
        assert!(outgoing.turn(Deadline::Now).is_ok());
        assert_eq!(outgoing.state.lock().waiting, 0);
    }

    #[test]
    fn who_is_woken_while_the_turn_is_taken_waits_again() {
        let (outgoing, _far) = outgoing(0, b"");
        outgoing.state.lock().taken = true;
        let (told, answers) = mpsc::channel();
        let waits = outgoing.clone();
        // Not one that the test joins: it must not wait for ever itself.
        std::thread::spawn(move || told.send(waits.turn(Deadline::Never).err()));
        // Woken too early, it waits again, or nobody could be woken for the second time.
        for _ in 0..2 {
            until(|| outgoing.turns.notify_one());
            assert_eq!(answers.try_recv(), Err(mpsc::TryRecvError::Empty));
        }
        outgoing.state.lock().taken = false;
        outgoing.turns.notify_one();
        assert_eq!(answers.recv_timeout(WATCHDOG), Ok(None));
    }

    #[test]
    fn who_ends_a_turn_wakes_one_that_waits() {
        let (outgoing, _far) = outgoing(0, b"");
        outgoing.state.lock().taken = true;
        let (told, answers) = mpsc::channel();
        let waits = outgoing.clone();
        std::thread::spawn(move || told.send(waits.turn(Deadline::Never).err()));
        until(|| outgoing.state.lock().waiting == 1);
        let mut turn = Turn { outgoing: &outgoing, state: outgoing.state.lock() };
        turn.state.taken = false;
        drop(turn);
        assert_eq!(answers.recv_timeout(WATCHDOG), Ok(None));
        assert_eq!(outgoing.state.lock().waiting, 0);
    }

    #[test]
    fn a_peer_that_takes_no_descriptors_is_told_from_other_failures() {
        let (near, mut far) = Stream::pair().unwrap();
        far.refuse_descriptors();
        let outgoing = Outgoing::new(Arc::new(Endpoint::new(near)), 0, &[]);
        let file: sys::Descriptor = tempfile::tempfile().unwrap().into();
        let handed = [sys::lend(&file)];
        let mut turn = turn(&outgoing);
        // Older systems let them through.
        if let Err(error) = turn.commit([b"with", b"", b""], &handed) {
            assert_eq!(error.status(), Status::PermissionDenied);
            assert!(error.to_string().contains("takes no descriptors"), "{error}");
        }
        assert!(turn.commit([b"without", b"", b""], &[]).unwrap());
        drop(far);
        let error = turn.commit([b"with", b"", b""], &handed).unwrap_err();
        assert_eq!(error.status(), Status::Disconnected);
        assert!(!error.to_string().contains("takes no descriptors"), "{error}");
    }
}

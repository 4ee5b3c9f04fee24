//! The sending side of a socket: whose turn it is, what is queued, and where it goes.

use super::is_would_block;
use crate::deadline::Deadline;
use crate::endpoint::Endpoint;
use crate::error::{Error, Result, Status};
use crate::gate::Gate;
use crate::outbox::Outbox;
use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use crate::sync::{Condvar, Mutex, MutexGuard};
use crate::sys::{BorrowedDescriptor, RawDescriptor, Readiness, Stream};
use std::io;
use std::sync::Arc;

/// The sending side. One lock guards all of it, so that a send which the kernel takes at once needs no other.
pub(super) struct Outgoing {
    state: Mutex<State>,
    /// Told when a send that had to wait is through.
    turns: Condvar,
    /// Shut when nothing may be sent any more; what is queued may still go out.
    gate: Gate,
    /// How much is queued, for those who don't lock.
    queued: AtomicUsize,
    sent: AtomicU64,
    unsent: AtomicU64,
    limit: usize,
}

struct State {
    /// None: it has ended.
    endpoint: Option<Arc<Endpoint<Stream>>>,
    outbox: Outbox,
    /// A send waits for room in its middle, so no other may begin.
    taken: bool,
    /// How many wait for their turn.
    waiting: usize,
}

/// What is queued, and was, at most.
pub(super) struct Queue {
    pub length: usize,
    pub peak: usize,
}

impl Outgoing {
    /// A sending side that has something to say first.
    pub fn new(endpoint: Arc<Endpoint<Stream>>, limit: usize, first_words: &[u8]) -> Outgoing {
        let mut outbox = Outbox::new(limit);
        outbox.push_all(first_words);
        Outgoing {
            queued: AtomicUsize::new(outbox.len()),
            state: Mutex::new(State { endpoint: Some(endpoint), outbox, taken: false, waiting: 0 }),
            turns: Condvar::new(),
            gate: Gate::default(),
            sent: AtomicU64::new(0),
            unsent: AtomicU64::new(0),
            limit,
        }
    }

    /// The turn to send, which nobody else has until it is dropped: what several threads send does not interleave.
    pub fn turn(&self, deadline: Deadline) -> Result<Turn<'_>, Status> {
        let mut state = self.state.lock();
        while state.taken {
            state.waiting += 1;
            let timed_out = match deadline {
                Deadline::Now => true,
                Deadline::At(at) => self.turns.wait_until(&mut state, at).timed_out(),
                Deadline::Never => {
                    self.turns.wait(&mut state);
                    false
                }
            };
            state.waiting -= 1;
            if timed_out && state.taken {
                return Err(deadline.expiry());
            }
        }
        Ok(Turn { outgoing: self, state })
    }

    /// Sends of what is queued what is possible at once; tells how much is left. It may be in the middle of somebody's turn.
    pub fn flush(&self) -> Result<usize> {
        let mut state = self.state.lock();
        self.flush_locked(&mut state)?;
        Ok(state.outbox.len())
    }

    fn flush_locked(&self, state: &mut State) -> Result<()> {
        if state.outbox.is_empty() {
            return Ok(());
        }
        let State { endpoint, outbox, .. } = state;
        let endpoint = endpoint.as_ref().ok_or(Status::Closed)?;
        let before = outbox.len();
        let result = outbox.flush(endpoint.source()).map_err(send_error);
        self.count_sent(before - outbox.len());
        self.queued.store(outbox.len(), Ordering::Relaxed);
        result.map(drop)
    }

    /// With the lock held, which makes it a plain addition.
    fn count_sent(&self, bytes: usize) {
        self.sent.store(self.sent.load(Ordering::Relaxed) + bytes as u64, Ordering::Relaxed);
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
        let dropped = state.outbox.clear() as u64;
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

    pub fn queue(&self) -> Queue {
        let state = self.state.lock();
        Queue { length: state.outbox.len(), peak: state.outbox.peak() }
    }

    /// Bytes queued.
    pub fn queued(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }

    /// Whether it may queue what it need not.
    pub fn queues(&self) -> bool {
        self.limit > 0
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
        let Turn { outgoing, state } = self;
        let State { endpoint, outbox, .. } = &mut **state;
        let endpoint = endpoint.as_ref().ok_or(Status::Closed)?;
        while outbox.is_empty() && *taken < data.len() {
            match endpoint.source().send(&data[*taken..]) {
                Ok(sent) => {
                    *taken += sent;
                    outgoing.count_sent(sent);
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
        if outbox.is_empty() {
            match endpoint.source().send_pieces(pieces, descriptors) {
                Ok(taken) => sent = taken,
                Err(errno) if is_would_block(errno) => {}
                Err(errno) => return Err(send_error(errno)),
            }
        }
        // Any room is enough, or a message larger than the limit would have to wait for an empty queue: the bound is the limit
        // and one message.
        let may_queue = descriptors.is_empty() && outbox.room() > 0;
        if sent == 0 && !may_queue {
            return Ok(false);
        }
        outgoing.count_sent(sent);
        for piece in pieces {
            let skipped = sent.min(piece.len());
            sent -= skipped;
            outbox.push_all(&piece[skipped..]);
        }
        outgoing.queued.store(outbox.len(), Ordering::Relaxed);
        Ok(true)
    }

    /// Sends of what is queued what is possible at once; tells how much is left.
    pub fn flush(&mut self) -> Result<usize> {
        self.outgoing.flush_locked(&mut self.state)?;
        Ok(self.state.outbox.len())
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

    /// Whether nothing is queued.
    pub fn has_sent_all(&self) -> bool {
        self.state.outbox.is_empty()
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

//! The bounded queue of what a socket has yet to send.

use crate::sys::Stream;
use std::collections::VecDeque;
use std::io;

/// More spare room than this is given back when the queue runs empty.
const KEPT_CAPACITY: usize = 64 * 1024;

/// Bytes that were accepted and that the kernel has not taken yet, in order.
pub(crate) struct Outbox {
    queue: VecDeque<u8>,
    limit: usize,
    peak: usize,
}

impl Outbox {
    pub fn new(limit: usize) -> Self {
        Outbox { queue: VecDeque::new(), limit, peak: 0 }
    }

    pub fn len(&self) -> usize {
        self.queue.len()
    }

    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Accepts as much as the limit allows; tells how much.
    pub fn push(&mut self, data: &[u8]) -> usize {
        let taken = data.len().min(self.room());
        self.push_all(&data[..taken]);
        taken
    }

    /// How much more the limit allows.
    pub fn room(&self) -> usize {
        self.limit.saturating_sub(self.queue.len())
    }

    /// Accepts everything, whatever the limit: the rest of what the kernel has taken a part of.
    pub fn push_all(&mut self, data: &[u8]) {
        self.queue.extend(data);
        self.peak = self.peak.max(self.queue.len());
    }

    /// The most that was ever queued.
    pub fn peak(&self) -> usize {
        self.peak
    }

    /// Gives the kernel what it takes; tells how much. Ends early, without an error, when it takes no more.
    pub fn flush(&mut self, stream: &Stream) -> io::Result<usize> {
        let mut flushed = 0;
        while !self.queue.is_empty() {
            let (first, second) = self.queue.as_slices();
            match stream.send_pieces([first, second], &[]) {
                Ok(sent) => {
                    self.queue.drain(..sent);
                    flushed += sent;
                }
                Err(errno) if io::Error::from(errno).kind() == io::ErrorKind::WouldBlock => break,
                Err(errno) => return Err(errno.into()),
            }
        }
        if self.queue.is_empty() && self.queue.capacity() > KEPT_CAPACITY {
            self.queue = VecDeque::new();
        }
        Ok(flushed)
    }

    /// Drops what is left; tells how much that was.
    pub fn clear(&mut self) -> usize {
        std::mem::take(&mut self.queue).len()
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 1 << 20;

    /// All that a stream receives at once.
    fn receive_all(stream: &Stream) -> Vec<u8> {
        let (mut all, mut buffer) = (Vec::new(), vec![0; 1 << 16]);
        while let Ok(received @ 1..) = stream.receive(&mut buffer) {
            all.extend_from_slice(&buffer[..received]);
        }
        all
    }

    #[test]
    fn the_limit_is_for_what_need_not_be_queued() {
        let mut outbox = Outbox::new(4);
        assert_eq!(outbox.len(), 0);
        assert_eq!((outbox.push(b"abc"), outbox.room(), outbox.len()), (3, 1, 3));
        assert_eq!((outbox.push(b"def"), outbox.room(), outbox.len()), (1, 0, 4));
        outbox.push_all(b"ef");
        assert_eq!((outbox.push(b"g"), outbox.room(), outbox.len()), (0, 0, 6));
        assert!(outbox.len() > 0);
        assert_eq!(outbox.clear(), 6);
        assert_eq!((outbox.push(b"ab"), outbox.len(), outbox.peak()), (2, 2, 6));
    }

    #[test]
    fn what_the_kernel_takes_is_gone_and_the_rest_stays_in_order() {
        let (near, far) = Stream::pair().unwrap();
        let sent: Vec<u8> = (0..LIMIT).map(|index| (index % 251) as u8).collect();
        let mut outbox = Outbox::new(LIMIT);
        assert_eq!(outbox.push(&sent), LIMIT);
        let mut received = Vec::new();
        while outbox.len() > 0 {
            let before = outbox.len();
            let flushed = outbox.flush(&near).unwrap();
            assert!(flushed > 0);
            assert_eq!(outbox.len(), before - flushed);
            received.extend(receive_all(&far));
        }
        assert!(received == sent);
        assert_eq!((outbox.peak(), outbox.flush(&near).unwrap()), (LIMIT, 0));
    }

    #[test]
    fn much_spare_room_is_given_back_when_nothing_is_queued_any_more() {
        let (near, far) = Stream::pair().unwrap();
        let mut outbox = Outbox::new(LIMIT);
        for (spare, kept) in [(65_536, 65_536), (65_537, 0)] {
            outbox.queue = VecDeque::with_capacity(spare);
            assert_eq!(outbox.queue.capacity(), spare);
            outbox.push(b"x");
            assert_eq!(outbox.flush(&near).unwrap(), 1);
            assert_eq!(outbox.queue.capacity(), kept);
        }
        // What is still queued keeps its place.
        outbox.push(&vec![0; LIMIT]);
        outbox.flush(&near).unwrap();
        assert!(outbox.len() > 0 && outbox.queue.capacity() >= LIMIT);
        assert_eq!(receive_all(&far).len(), 2 + LIMIT - outbox.len());
    }

    #[test]
    fn a_peer_that_has_left_is_an_error() {
        let (near, far) = Stream::pair().unwrap();
        let mut outbox = Outbox::new(LIMIT);
        outbox.push(b"x");
        drop(far);
        assert_eq!(outbox.flush(&near).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}

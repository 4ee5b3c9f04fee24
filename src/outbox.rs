//! The bounded queue of what a socket has yet to send.

use crate::socket::is_would_block;
use crate::sys::Stream;
use std::collections::VecDeque;
use std::io;

/// More spare room than this is given back when the queue runs empty.
const KEPT_CAPACITY: usize = 64 * 1024;

/// Bytes that were accepted and that the kernel has not taken yet, in order.
pub(crate) struct Outbox {
    limit: usize,
    /// None: nothing was ever queued, as mostly.
    queue: Option<Box<Queue>>,
}

#[derive(Default)]
struct Queue {
    bytes: VecDeque<u8>,
    peak: usize,
}

impl Outbox {
    pub fn new(limit: usize) -> Self {
        Outbox { limit, queue: None }
    }

    pub fn len(&self) -> usize {
        self.queue.as_ref().map_or(0, |queue| queue.bytes.len())
    }

    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Accepts as much as the limit allows; tells how much.
    pub fn push(&mut self, data: &[u8]) -> usize {
        let taken = data.len().min(self.room());
        self.push_all(&data[..taken]);
        taken
    }

    /// How much more the limit allows.
    pub fn room(&self) -> usize {
        self.limit.saturating_sub(self.len())
    }

    /// Accepts everything, whatever the limit: the rest of what the kernel has taken a part of.
    pub fn push_all(&mut self, data: &[u8]) {
        if data.is_empty() {
            return;
        }
        let Queue { bytes, peak } = &mut **self.queue.get_or_insert_default();
        bytes.extend(data);
        *peak = bytes.len().max(*peak);
    }

    /// The most that was ever queued.
    pub fn peak(&self) -> usize {
        self.queue.as_ref().map_or(0, |queue| queue.peak)
    }

    /// Gives the kernel what it takes; tells how much. Ends early, without an error, when it takes no more.
    pub fn flush(&mut self, stream: &Stream) -> io::Result<usize> {
        let Some(Queue { bytes, .. }) = self.queue.as_deref_mut() else { return Ok(0) };
        let mut flushed = 0;
        while !bytes.is_empty() {
            let (first, second) = bytes.as_slices();
            match stream.send_pieces([first, second], &[]) {
                Ok(sent) => {
                    bytes.drain(..sent);
                    flushed += sent;
                }
                Err(errno) if is_would_block(errno) => break,
                Err(errno) => return Err(errno.into()),
            }
        }
        if bytes.is_empty() && bytes.capacity() > KEPT_CAPACITY {
            *bytes = VecDeque::new();
        }
        Ok(flushed)
    }

    /// Drops what is left; tells how much that was.
    pub fn clear(&mut self) -> usize {
        self.queue.as_mut().map_or(0, |queue| std::mem::take(&mut queue.bytes).len())
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

    fn capacity(outbox: &Outbox) -> usize {
        outbox.queue.as_ref().map_or(0, |queue| queue.bytes.capacity())
    }

    #[test]
    fn much_spare_room_is_given_back_when_nothing_is_queued_any_more() {
        let (near, far) = Stream::pair().unwrap();
        let mut outbox = Outbox::new(LIMIT);
        for (spare, kept) in [(65_536, 65_536), (65_537, 0)] {
            outbox.queue = Some(Box::new(Queue { bytes: VecDeque::with_capacity(spare), peak: 0 }));
            assert_eq!(capacity(&outbox), spare);
            outbox.push(b"x");
            assert_eq!(outbox.flush(&near).unwrap(), 1);
            assert_eq!(capacity(&outbox), kept);
        }
        // What is still queued keeps its place.
        outbox.push(&vec![0; LIMIT]);
        outbox.flush(&near).unwrap();
        assert!(outbox.len() > 0 && capacity(&outbox) >= LIMIT);
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

//! Memory stays within the limits, whatever the peers do. This test counts, so it has its process to itself.

mod support;

use moorline::{
    Connection, Framing, Handler, MessageOptions, Service, ServiceOptions, Socket, SocketOptions, Timeout,
};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use support::*;

struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

fn grown(size: usize) {
    let in_use = IN_USE.fetch_add(size, Ordering::Relaxed) + size;
    PEAK.fetch_max(in_use, Ordering::Relaxed);
}

// SAFETY: every call is the system allocator's; only the sizes are counted besides.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grown(layout.size());
        // SAFETY: as the caller says.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller says.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// An echo that counts the peers whose queue is above high water.
#[derive(Default)]
struct CountingEcho {
    stuck: AtomicUsize,
}

impl Handler for CountingEcho {
    fn received(&self, connection: &Connection, data: &[u8]) {
        connection.send(data, Timeout::None).unwrap();
    }

    fn message(&self, connection: &Connection, message: &[u8]) {
        connection.send_message(message, Timeout::None).unwrap();
    }

    fn high_water(&self, _: &Connection, _: usize) {
        self.stuck.fetch_add(1, Ordering::Relaxed);
    }
}

/// Many peers that send as much as they can and read nothing: all the service keeps for each is its queue, and with messages
/// the one that is just coming.
#[test]
fn a_thousand_peers_that_send_and_never_read_cost_no_more_than_the_limits() {
    const PEERS: usize = 1000;
    const QUEUE_LIMIT: usize = 64 << 10;
    const MAX_MESSAGE: usize = 16 << 10;
    const FRAME: usize = 4 + MAX_MESSAGE;
    // Both buffers grow by doubling; the rest is what a connection is made of.
    const ALLOWED: usize = 2 * (QUEUE_LIMIT + FRAME) + 2 * FRAME + (8 << 10);
    raise_descriptor_limit();
    let framed = MessageOptions { max_message: MAX_MESSAGE, ..MessageOptions::new(Framing::BigEndian) };
    for messages in [None, Some(Arc::new(framed))] {
        let options = ServiceOptions {
            queue_limit: QUEUE_LIMIT,
            high_water: QUEUE_LIMIT / 2,
            low_water: QUEUE_LIMIT / 4,
            messages,
            ..ServiceOptions::default()
        };
        let handler = Arc::new(CountingEcho::default());
        let service = Service::new(options, handler.clone()).unwrap();
        service.start_unique("memory").unwrap();
        let name = service.full_name().unwrap();
        let raw = SocketOptions::default();
        let peers: Vec<Socket> =
            (0..PEERS).map(|_| Socket::connect(&name, &raw, WATCHDOG).unwrap()).collect();
        let before = IN_USE.load(Ordering::Relaxed);
        PEAK.store(before, Ordering::Relaxed);

        let mut frame = Vec::from(u32::try_from(MAX_MESSAGE).unwrap().to_be_bytes());
        frame.resize(FRAME, b'x');
        let mut offsets = vec![0; PEERS];
        let start = Instant::now();
        while handler.stuck.load(Ordering::Relaxed) < PEERS {
            assert!(start.elapsed() < Duration::from_secs(60), "the service reads on");
            for (peer, offset) in peers.iter().zip(&mut offsets) {
                let (taken, _) = peer.send_counted(&frame[*offset..], Timeout::None);
                *offset = (*offset + taken) % FRAME;
            }
        }
        let used = PEAK.load(Ordering::Relaxed) - before;
        assert!(used <= PEERS * ALLOWED, "{} bytes a peer, {ALLOWED} allowed", used / PEERS);
    }
}

fn raise_descriptor_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
}

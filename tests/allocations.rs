//! No message costs an allocation once things run: neither on a service's thread nor on that of who uses sockets and a poller.
//! The allocations of each thread are counted for itself. How much room a buffer needs depends on where receives happen to
//! end, so buffers may still grow a while after the first messages; what counts is that it comes to an end.

mod support;

use moorline::{
    Connection, Event, Framing, Handler, Interest, MessageOptions, Poller, PollerOptions, Service,
    ServiceOptions, Socket, SocketOptions, Timeout,
};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use support::*;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // A thread that ends may have no counter any more, and is not looked at.
    let _ = ALLOCATIONS.try_with(|allocations| allocations.set(allocations.get() + 1));
}

fn allocations() -> u64 {
    ALLOCATIONS.with(Cell::get)
}

/// Over how many rounds buffers may grow.
const ROUNDS: usize = 20;

/// What a round allocates in the end: rounds are made until one allocates nothing, and if none does, it is what the best one did.
fn settled(mut round: impl FnMut() -> u64) -> u64 {
    let mut fewest = u64::MAX;
    for _ in 0..ROUNDS {
        fewest = fewest.min(round());
        if fewest == 0 {
            break;
        }
    }
    fewest
}

// SAFETY: every call is the system allocator's; they are counted besides, in a place that needs no allocation.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as the caller says.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as the caller says.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count();
        // SAFETY: as the caller says.
        unsafe { System.realloc(pointer, layout, new_size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller says.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// An echo that tells how many allocations its thread has made when it was last called, and waits while the gate is shut.
#[derive(Default)]
struct Telling {
    allocations: AtomicU64,
    gate: Mutex<()>,
}

impl Telling {
    fn tell(&self) {
        let _open = self.gate.lock().unwrap();
        self.allocations.store(allocations(), Ordering::SeqCst);
    }
}

impl Handler for Telling {
    fn received(&self, connection: &Connection, data: &[u8]) {
        self.tell();
        connection.send(data, Timeout::None).unwrap();
    }

    fn message(&self, connection: &Connection, message: &[u8]) {
        self.tell();
        connection.send_message(message, Timeout::None).unwrap();
    }
}

const CONNECTIONS: usize = 20;
/// Messages over each connection in a round.
const TIMES: usize = 30;

/// Sends the data over each connection in turn, all at once, and takes it back; so often.
fn exchange(clients: &[Socket], has_messages: bool, data: &[u8], times: usize) {
    let mut buffer = vec![0; data.len()];
    for _ in 0..times {
        for client in clients {
            if has_messages {
                client.send_message(data, WATCHDOG).unwrap();
            } else {
                client.send(data, WATCHDOG).unwrap();
            }
        }
        for client in clients {
            if has_messages {
                let mut length = 0;
                client.receive_message_into(&mut buffer, &mut length, WATCHDOG).unwrap();
            } else {
                let mut received = 0;
                while received < data.len() {
                    received += client.receive(&mut buffer[received..], WATCHDOG).unwrap();
                }
            }
            assert_eq!(buffer, data);
        }
    }
}

/// A service that echoes, and clients of it.
fn service(framing: Option<Framing>) -> (Service, Arc<Telling>, Vec<Socket>) {
    let messages = framing.map(|framing| Arc::new(MessageOptions::new(framing)));
    let handler = Arc::new(Telling::default());
    let options = ServiceOptions { messages: messages.clone(), ..ServiceOptions::default() };
    let service = Service::new(options, handler.clone()).unwrap();
    service.start_unique("allocations").unwrap();
    let name = service.full_name().unwrap();
    let options = SocketOptions { messages, ..SocketOptions::default() };
    let clients: Vec<Socket> =
        (0..CONNECTIONS).map(|_| Socket::connect(&name, &options, WATCHDOG).unwrap()).collect();
    (service, handler, clients)
}

/// Allocations that a service's thread makes from one call of its handler to another many messages later.
fn allocations_of_a_service(framing: Option<Framing>, length: usize) -> u64 {
    let (_service, handler, clients) = service(framing);
    let data = vec![b'x'; length];
    settled(|| {
        let before = handler.allocations.load(Ordering::SeqCst);
        exchange(&clients, framing.is_some(), &data, TIMES);
        handler.allocations.load(Ordering::SeqCst) - before
    })
}

#[test]
fn a_service_that_echoes_bytes_allocates_nothing() {
    for length in [1, 1_000, 100_000] {
        assert_eq!(allocations_of_a_service(None, length), 0, "chunks of {length} bytes");
    }
}

#[test]
fn a_service_that_echoes_messages_allocates_nothing() {
    let mut costly = Vec::new();
    for framing in [Framing::BigEndian, Framing::LittleEndian, Framing::Lines, Framing::Checked] {
        for length in [1, 1_000, 100_000] {
            let made = allocations_of_a_service(Some(framing), length);
            if made > 0 {
                costly.push(format!("{made} for {framing:?} of {length} bytes"));
            }
        }
    }
    assert!(costly.is_empty(), "allocations for {} messages: {costly:#?}", TIMES * CONNECTIONS);
}

#[test]
fn a_service_whose_connections_have_more_than_their_share_allocates_nothing() {
    let (_service, handler, clients) = service(Some(Framing::BigEndian));
    let made = settled(|| {
        let before = handler.allocations.load(Ordering::SeqCst);
        let shut = handler.gate.lock().unwrap();
        for client in &clients {
            (0..TIMES).for_each(|_| client.send_message(b"message", WATCHDOG).unwrap());
        }
        drop(shut);
        for client in &clients {
            (0..TIMES).for_each(|_| assert_eq!(client.receive_message(WATCHDOG).unwrap().data, b"message"));
        }
        handler.allocations.load(Ordering::SeqCst) - before
    });
    assert_eq!(made, 0);
}

/// What a thread that uses sockets and a poller allocates for messages, or as many bytes, through all of the pairs.
fn allocations_of_a_client(framing: Option<Framing>, interest: Interest) -> u64 {
    let messages = framing.map(|framing| Arc::new(MessageOptions::new(framing)));
    let options = SocketOptions { messages, ..SocketOptions::default() };
    let poller = Poller::new(PollerOptions::default()).unwrap();
    let pairs: Vec<(Socket, Socket)> = (0..CONNECTIONS).map(|_| Socket::pair(&options).unwrap()).collect();
    for (token, (_, right)) in (0..).zip(&pairs) {
        poller.add(right, interest, token).unwrap();
    }
    let mut events = [Event::default(); CONNECTIONS];
    let mut buffer = [0; 2_000];
    settled(|| {
        let before = allocations();
        for _ in 0..TIMES {
            for (left, _) in &pairs {
                match framing {
                    Some(_) => left.send_message(&[7; 1_000], Timeout::None).unwrap(),
                    None => left.send(&[7; 1_000], Timeout::None).unwrap(),
                }
            }
            let mut taken = 0;
            while taken < pairs.len() {
                let count = poller.wait(&mut events, WATCHDOG).unwrap();
                for event in &events[..count] {
                    let right = &pairs[event.token as usize].1;
                    let mut length = 0;
                    // The other side's greeting makes a socket ready, too.
                    taken += usize::from(match framing {
                        Some(_) => {
                            right.receive_message_into(&mut buffer, &mut length, Timeout::None).is_ok()
                        }
                        None => right.receive(&mut buffer, Timeout::None).is_ok(),
                    });
                }
            }
        }
        allocations() - before
    })
}

#[test]
fn sockets_and_a_level_triggered_poller_allocate_nothing() {
    for framing in [None, Some(Framing::BigEndian), Some(Framing::Checked)] {
        assert_eq!(allocations_of_a_client(framing, Interest::READABLE), 0, "{framing:?}");
    }
}

#[test]
fn sockets_and_an_edge_triggered_poller_allocate_nothing() {
    for framing in [None, Some(Framing::BigEndian), Some(Framing::Checked)] {
        assert_eq!(allocations_of_a_client(framing, Interest::READABLE_EDGE), 0, "{framing:?}");
    }
}

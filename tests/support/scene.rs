//! A service that a well-behaved client talks to all the time, and what befalls its other connections.

use super::{WATCHDOG, receive_exactly};
use moorline::service::ServiceReport;
use moorline::{
    Connection, Handler, MessageOptions, Service, ServiceOptions, Socket, SocketOptions, Status, Timeout,
};
use std::ffi::OsString;
use std::io::{ErrorKind, Read};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

pub const PATIENCE: Duration = Duration::from_secs(60);
pub const QUEUE_LIMIT: usize = 64 << 10;

#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    Connected,
    Paused,
    Resumed,
    Ended(Status),
}

/// An echo that tells of all connections but the first, which is the well-behaved one's.
struct Watched {
    events: mpsc::Sender<Event>,
    connected: AtomicUsize,
}

impl Watched {
    fn tell(&self, connection: &Connection, event: Event) {
        if connection.tag() > 1 {
            self.events.send(event).unwrap();
        }
    }
}

impl Handler for Watched {
    fn connected(&self, connection: &Connection) {
        connection.set_tag(self.connected.fetch_add(1, Ordering::Relaxed) + 1);
        self.tell(connection, Event::Connected);
    }

    fn received(&self, connection: &Connection, data: &[u8]) {
        let _ = connection.send(data, Timeout::None);
    }

    fn message(&self, connection: &Connection, message: &[u8]) {
        let _ = connection.send_message(message, Timeout::None);
    }

    fn high_water(&self, connection: &Connection, queued: usize) {
        assert!(queued <= QUEUE_LIMIT + 4096, "{queued} bytes are queued");
        self.tell(connection, Event::Paused);
    }

    fn low_water(&self, connection: &Connection, _: usize) {
        self.tell(connection, Event::Resumed);
    }

    fn disconnected(&self, connection: &Connection, reason: Status) {
        self.tell(connection, Event::Ended(reason));
    }
}

/// A service, and a well-behaved client that talks to it all the time.
pub struct Scene {
    service: Service,
    pub name: OsString,
    pub events: mpsc::Receiver<Event>,
    round_trips: mpsc::Receiver<()>,
    client: JoinHandle<()>,
}

impl Scene {
    pub fn new(options: ServiceOptions) -> Scene {
        let messages = options.messages.clone();
        let options = ServiceOptions {
            queue_limit: QUEUE_LIMIT,
            high_water: QUEUE_LIMIT / 2,
            low_water: QUEUE_LIMIT / 8,
            ..options
        };
        let (sender, events) = mpsc::channel();
        let handler = Watched { events: sender, connected: AtomicUsize::new(0) };
        let service = Service::new(options, Arc::new(handler)).unwrap();
        service.start_unique("adversity").unwrap();
        let name = service.full_name().unwrap();
        let options = SocketOptions { messages, ..SocketOptions::default() };
        let socket = Socket::connect(&name, &options, WATCHDOG).unwrap();
        let (done, round_trips) = mpsc::sync_channel(0);
        let client = thread::spawn(move || {
            loop {
                round_trip(&socket, options.messages.is_some());
                if let Err(mpsc::TrySendError::Disconnected(())) = done.try_send(()) {
                    return;
                }
            }
        });
        let scene = Scene { service, name, events, round_trips, client };
        scene.others_go_on();
        scene
    }

    pub fn with_messages(options: MessageOptions) -> Scene {
        Scene::new(ServiceOptions { messages: Some(Arc::new(options)), ..ServiceOptions::default() })
    }

    /// A peer that knows nothing of this library.
    pub fn peer(&self) -> UnixStream {
        let peer = UnixStream::connect(&self.name).unwrap();
        peer.set_read_timeout(Some(PATIENCE)).unwrap();
        assert_eq!(self.next(), Event::Connected);
        peer
    }

    pub fn next(&self) -> Event {
        self.events.recv_timeout(PATIENCE).expect("the service says something")
    }

    /// The peer's connection has ended for this reason, and the well-behaved one's has not.
    pub fn expect_end(&self, mut peer: UnixStream, reason: Status) {
        assert_eq!(self.next(), Event::Ended(reason));
        expect_gone(&mut peer);
        self.others_go_on();
    }

    /// A round trip of the well-behaved client begins and ends.
    pub fn others_go_on(&self) {
        for _ in 0..2 {
            self.round_trips.recv_timeout(PATIENCE).expect("the well-behaved client goes on");
        }
    }

    /// The well-behaved client leaves, content. Answers what the service says it did.
    pub fn end(self) -> ServiceReport {
        self.others_go_on();
        drop(self.round_trips);
        self.client.join().unwrap();
        self.service.stop(WATCHDOG).unwrap()
    }
}

fn round_trip(socket: &Socket, messages: bool) {
    const SAID: &[u8] = b"well-said";
    if messages {
        socket.send_message(SAID, WATCHDOG).unwrap();
        assert_eq!(socket.receive_message(WATCHDOG).unwrap().data, SAID);
    } else {
        socket.send(SAID, WATCHDOG).unwrap();
        assert_eq!(receive_exactly(socket, SAID.len()), SAID);
    }
}

/// Reads what is left, up to the end of the stream.
pub fn expect_gone(peer: &mut UnixStream) {
    match peer.read_to_end(&mut Vec::new()) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("the connection stays: {error}"),
        _ => {}
    }
}

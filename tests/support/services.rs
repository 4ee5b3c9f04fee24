//! What the tests of services share.

use super::{WATCHDOG, until};
use moorline::{Connection, Handler, Service, ServiceOptions, Socket, SocketOptions, Status, Timeout};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

pub fn connect_to(service: &Service) -> Socket {
    Socket::connect(service.full_name().unwrap(), &SocketOptions::default(), WATCHDOG).unwrap()
}

/// Reports what happens; floods whoever says so.
struct Reporter(Mutex<mpsc::Sender<String>>);

impl Reporter {
    fn say(&self, what: impl Into<String>) {
        let _ = self.0.lock().unwrap().send(what.into());
    }
}

impl Handler for Reporter {
    fn connected(&self, connection: &Connection) {
        connection.set_tag(1);
        self.say("connected");
    }

    fn received(&self, connection: &Connection, data: &[u8]) {
        match data {
            b"close" => connection.close(),
            b"flood" => {
                let (taken, result) = connection.send_counted(&vec![1; 1 << 20], Timeout::None);
                self.say(format!("took all: {}", taken == 1 << 20 && result.is_ok()));
            }
            _ => self.say("data"),
        }
    }

    fn disconnected(&self, connection: &Connection, reason: Status) {
        self.say(format!("disconnected {} {reason:?}", connection.tag()));
    }

    fn high_water(&self, _: &Connection, queued: usize) {
        self.say(format!("high {}", queued > 300_000));
    }

    fn low_water(&self, _: &Connection, queued: usize) {
        self.say(format!("low {}", queued <= 100_000));
    }
}

/// A service that does so, and what it tells.
pub fn reporting() -> (Service, mpsc::Receiver<String>) {
    let (sender, reports) = mpsc::channel();
    let options = ServiceOptions {
        queue_limit: 2 << 20,
        high_water: 300_000,
        low_water: 100_000,
        ..ServiceOptions::default()
    };
    let service = Service::new(options, Arc::new(Reporter(Mutex::new(sender)))).unwrap();
    service.start_unique("reporter").unwrap();
    (service, reports)
}

pub fn next(reports: &mpsc::Receiver<String>) -> String {
    reports.recv_timeout(Duration::from_secs(30)).expect("the service says something")
}

/// Keeps the connection that came last.
#[derive(Default)]
pub struct Keeper(Mutex<Option<Connection>>);

impl Keeper {
    /// That connection, once there is one.
    pub fn connection(&self) -> Connection {
        until(|| self.0.lock().unwrap().is_some());
        self.0.lock().unwrap().clone().unwrap()
    }
}

impl Handler for Keeper {
    fn connected(&self, connection: &Connection) {
        *self.0.lock().unwrap() = Some(connection.clone());
    }
}

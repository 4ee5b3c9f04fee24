//! Who has nothing to do uses no processor: a thread that waits is not woken. It looks at the threads of the process by their
//! names, so it has the process to itself.

mod support;

use moorline::{
    BusyPoll, Event, Interest, Poller, PollerOptions, Service, ServiceOptions, Socket, SocketOptions, Status,
    Timeout,
};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use support::*;

/// What the kernel says a thread has used: its turns on a processor, and nanoseconds on it. proc(5), status and schedstat.
#[derive(Debug, PartialEq, Eq)]
struct Usage {
    switches: u64,
    nanoseconds: u64,
}

struct Watched {
    name: String,
    directory: PathBuf,
}

impl Watched {
    /// The thread of this process with that name, once it has it.
    fn named(name: &str) -> Watched {
        let start = Instant::now();
        loop {
            for entry in fs::read_dir("/proc/self/task").unwrap() {
                let directory = entry.unwrap().path();
                let comm = fs::read_to_string(directory.join("comm")).unwrap_or_default();
                if comm.trim() == name {
                    return Watched { name: name.to_owned(), directory };
                }
            }
            assert!(start.elapsed() < Duration::from_secs(30), "there is no thread {name}");
            thread::yield_now();
        }
    }

    fn field(&self, name: &str) -> String {
        let status = fs::read_to_string(self.directory.join("status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim_start_matches(':').trim().to_owned()
    }

    fn usage(&self) -> Usage {
        let number = |text: &str| text.parse::<u64>().unwrap();
        let schedule = fs::read_to_string(self.directory.join("schedstat")).unwrap();
        Usage {
            switches: number(&self.field("voluntary_ctxt_switches"))
                + number(&self.field("nonvoluntary_ctxt_switches")),
            nanoseconds: number(schedule.split(' ').next().unwrap()),
        }
    }

    /// Waits until it sleeps, for longer than what it was doing can take it to.
    fn settle(&self, pause: &Pause) {
        let start = Instant::now();
        loop {
            let before = self.usage();
            pause.wait(Duration::from_millis(100));
            if self.field("State").starts_with('S') && self.usage() == before {
                return;
            }
            assert!(start.elapsed() < Duration::from_secs(30), "{} does not come to rest", self.name);
        }
    }
}

/// A wait on something else: for what never comes over a connection of its own.
struct Pause(Socket, #[allow(dead_code)] Socket);

impl Pause {
    fn wait(&self, duration: Duration) {
        assert_eq!(status(self.0.receive(&mut [0], Timeout::After(duration))), Status::TimedOut);
    }
}

#[test]
fn waiting_threads_are_not_woken_while_nothing_happens() {
    let (one, other) = Socket::pair(&SocketOptions::default()).unwrap();
    let pause = Pause(one, other);
    for busy_poll in [BusyPoll::Never, BusyPoll::Adaptive, BusyPoll::For(Duration::from_micros(50))] {
        let service = Service::echo(ServiceOptions { busy_poll, ..ServiceOptions::default() }).unwrap();
        service.start_unique("idle").unwrap();
        let name = service.full_name().unwrap();
        let clients: Vec<Socket> =
            (0..10).map(|_| Socket::connect(&name, &SocketOptions::default(), WATCHDOG).unwrap()).collect();
        for client in &clients {
            client.send(b"hello", WATCHDOG).unwrap();
            assert_eq!(receive_exactly(client, 5), b"hello");
        }
        let poller = Arc::new(Poller::new(PollerOptions { busy_poll, ..PollerOptions::default() }).unwrap());
        for (token, client) in (0..).zip(&clients) {
            poller.add(client, Interest::READABLE_EDGE, token).unwrap();
        }
        let waits = poller.clone();
        let wait = move || waits.wait(&mut [Event::default(); 8], Timeout::Forever);
        let waiter = thread::Builder::new().name("waiter".to_owned()).spawn(wait).unwrap();

        let threads = ["moorline-0", "waiter"].map(Watched::named);
        for thread in &threads {
            thread.settle(&pause);
        }
        let before = threads.each_ref().map(Watched::usage);
        pause.wait(Duration::from_millis(500));
        let after = threads.each_ref().map(Watched::usage);
        assert_eq!(after, before, "busy polling for {busy_poll:?}");
        poller.wake().unwrap();
        assert_eq!(waiter.join().unwrap().unwrap(), 0);
    }
}

//! interprocess's local sockets as its first example uses them: calls that wait, a thread for each connection on either side.

use interprocess::local_socket::{GenericFilePath, ListenerOptions, Stream, prelude::*};
use moorline_benches::system::{Client, Request, Server, run};
use moorline_benches::workload::{READ_SIZE, Workload};
use moorline_benches::{checked, fail};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::thread;
use tempfile::TempDir;

struct ThreadServer {
    path: PathBuf,
    _directory: TempDir,
}

impl Server for ThreadServer {
    const TUNABLE: bool = false;

    fn start(_: &Request) -> Self {
        let directory = checked(TempDir::new(), "a directory");
        let path = directory.path().join("socket");
        let name = checked(path.as_path().to_fs_name::<GenericFilePath>(), "the name");
        let listener = checked(ListenerOptions::new().name(name).create_sync(), "listen");
        thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = checked(stream, "accept");
                thread::spawn(move || echo(stream));
            }
        });
        ThreadServer { path, _directory: directory }
    }

    fn address(&self) -> String {
        self.path.display().to_string()
    }
}

fn echo(mut stream: Stream) {
    let mut buffer = vec![0; READ_SIZE];
    while let length @ 1.. = checked(stream.read(&mut buffer), "read") {
        checked(stream.write_all(&buffer[..length]), "write");
    }
}

struct ThreadClient {
    lanes: Vec<Lane>,
}

/// A connection with work of its own, since nothing is shared between threads.
struct Lane {
    stream: Stream,
    buffer: Vec<u8>,
    work: Workload,
}

impl Client for ThreadClient {
    fn connect(address: &str, request: &Request) -> Self {
        let lane = |_| {
            let name = checked(Path::new(address).to_fs_name::<GenericFilePath>(), "the name");
            let stream = checked(Stream::connect(name), "connect");
            Lane { stream, buffer: vec![0; READ_SIZE], work: Workload::new(1, request.chunk) }
        };
        ThreadClient { lanes: (0..request.all_connections()).map(lane).collect() }
    }

    fn exchange(&mut self, round_trips: u64, active: usize) {
        let share = |index: usize| {
            round_trips / active as u64 + u64::from((index as u64) < round_trips % active as u64)
        };
        let (first, others) = self.lanes[..active].split_at_mut(1);
        thread::scope(|scope| {
            for (index, lane) in (1..).zip(others) {
                scope.spawn(move || lane.exchange(share(index)));
            }
            // One needs no further thread.
            first[0].exchange(share(0));
        });
    }

    fn rest(&mut self) -> ! {
        let lane = &mut self.lanes[0];
        match lane.stream.read(&mut lane.buffer) {
            Ok(length) => fail(format_args!("{length} bytes came")),
            Err(error) => fail(error),
        }
    }
}

impl Lane {
    fn exchange(&mut self, round_trips: u64) {
        self.work.begin(round_trips, 1);
        while !self.work.is_done() {
            let chunk = self.work.to_send(0);
            let length = chunk.len();
            checked(self.stream.write_all(chunk), "write");
            self.work.sent(0, length);
            while self.work.is_under_way(0) {
                let received = checked(self.stream.read(&mut self.buffer), "read");
                self.work.received(0, &self.buffer[..received]);
            }
        }
    }
}

fn main() {
    run::<ThreadServer, ThreadClient>();
}

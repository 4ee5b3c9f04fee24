//! Moorline in Rust: the service's echo, and a client of sockets and a poller.

use moorline::{
    BusyPoll, Event, Interest, Poller, PollerOptions, Service, ServiceOptions, Socket, SocketOptions, Status,
    Timeout,
};
use moorline_benches::system::{Client, Request, Server, run};
use moorline_benches::workload::{EVENTS_AT_ONCE, READ_SIZE, Workload};
use moorline_benches::{checked, fail};
use std::time::Duration;

struct Echo(Service);

fn busy_poll(request: &Request) -> BusyPoll {
    match request.busy_poll_us {
        0 => BusyPoll::Adaptive,
        u32::MAX => BusyPoll::Never,
        time => BusyPoll::For(Duration::from_micros(time.into())),
    }
}

impl Server for Echo {
    const TUNABLE: bool = true;

    fn start(request: &Request) -> Self {
        let options = ServiceOptions { busy_poll: busy_poll(request), ..ServiceOptions::default() };
        let service = checked(Service::echo(options), "Service::echo");
        checked(service.start_unique("bench"), "Service::start_unique");
        Echo(service)
    }

    fn address(&self) -> String {
        checked(self.0.full_name(), "Service::full_name").to_string_lossy().into_owned()
    }
}

struct Sockets {
    poller: Poller,
    work: Workload,
    lanes: Vec<Lane>,
    buffer: Vec<u8>,
    events: Vec<Event>,
}

struct Lane {
    socket: Socket,
    wants_room: bool,
}

impl Client for Sockets {
    fn connect(address: &str, request: &Request) -> Self {
        let polling = PollerOptions { busy_poll: busy_poll(request), ..PollerOptions::default() };
        let poller = checked(Poller::new(polling), "Poller::new");
        let lane = |index| {
            let patience = Timeout::After(Duration::from_secs(10));
            let socket =
                checked(Socket::connect(address, &SocketOptions::default(), patience), "Socket::connect");
            checked(poller.add(&socket, Interest::READABLE_EDGE, index), "Poller::add");
            Lane { socket, wants_room: false }
        };
        let lanes = (0..request.all_connections() as u64).map(lane).collect();
        Sockets {
            lanes,
            poller,
            work: Workload::new(request.all_connections(), request.chunk),
            buffer: vec![0; READ_SIZE],
            events: vec![Event::default(); EVENTS_AT_ONCE],
        }
    }

    fn exchange(&mut self, round_trips: u64, active: usize) {
        self.work.begin(round_trips, active);
        for index in 0..active {
            self.send_next(index);
        }
        while !self.work.is_done() {
            self.wait();
        }
    }

    fn rest(&mut self) -> ! {
        loop {
            self.wait();
        }
    }
}

impl Sockets {
    fn wait(&mut self) {
        let count = checked(self.poller.wait(&mut self.events, Timeout::Forever), "Poller::wait");
        for at in 0..count {
            let event = self.events[at];
            if event.writable {
                self.send_next(event.token as usize);
            }
            if event.readable {
                self.receive(event.token as usize);
            }
        }
    }

    fn send_next(&mut self, index: usize) {
        let lane = &mut self.lanes[index];
        let chunk = self.work.to_send(index);
        let mut wants_room = false;
        if !chunk.is_empty() {
            let (sent, result) = lane.socket.send_counted(chunk, Timeout::None);
            wants_room = match result {
                Err(error) if error.status() == Status::WouldBlock => true,
                result => {
                    checked(result, "Socket::send");
                    false
                }
            };
            self.work.sent(index, sent);
        }
        // Room to send is only asked for after a send that fell short.
        if wants_room != lane.wants_room {
            lane.wants_room = wants_room;
            let interest = if wants_room { Interest::EDGE } else { Interest::READABLE_EDGE };
            checked(self.poller.modify(&lane.socket, interest, index as u64), "Poller::modify");
        }
    }

    fn receive(&mut self, index: usize) {
        loop {
            let received = match self.lanes[index].socket.receive(&mut self.buffer, Timeout::None) {
                Err(error) if error.status() == Status::WouldBlock => return,
                Err(error) => fail(format_args!("Socket::receive: {error}")),
                Ok(received) => received,
            };
            if self.work.received(index, &self.buffer[..received]) {
                self.send_next(index);
            }
            if received < self.buffer.len() {
                return;
            }
        }
    }
}

fn main() {
    run::<Echo, Sockets>();
}

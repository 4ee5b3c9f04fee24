//! A thread of a service: accepts, reads, calls the handler, and sends what is queued.

mod accepting;
mod ending;
mod lateness;
mod reading;

use super::Handler;
use super::connection::{Connection, Wish};
use super::mailbox::{Mailbox, Order, enter_thread};
use super::running::Shared;
use crate::clock::Clock;
use crate::deadline::{Deadline, Timeout};
use crate::error::{Result, Status, panic_text};
use crate::poller::{Event, Interest, Waiter};
use crate::server::Server;
use crate::socket::Socket;
use accepting::{Acceptor, Due};
use lateness::{HeldUp, Work};
use slab::Slab;
use std::any::Any;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// The server's token; the connections' are their slots.
const SERVER: u64 = u64::MAX;
const EVENTS: usize = 1024;
const READ_SIZE: usize = 64 * 1024;
/// How often in a row one source is served before the others get their turn.
const FAIR_SHARE: usize = 16;
/// So many failures are kept: a handler may panic for as long as the service runs.
const FAILURES: usize = 1000;

/// A worker, until it is dropped, which is when it has left.
pub(super) struct Worker {
    shared: Arc<Shared>,
    mailbox: Arc<Mailbox>,
    acceptor: Option<Acceptor>,
    served: Slab<Served>,
    buffer: Vec<u8>,
    /// What the present wait has found; empty between two turns, its room is kept.
    events: Vec<Event>,
    /// Slots with more to read than their share, each once, and the numbers of their connections.
    again: Vec<(usize, u64)>,
    stopping: Option<Deadline>,
    /// Connections have something to be late with, before they end.
    minds_time: bool,
    /// Its work, if messages have to be whole in time.
    work: Option<Work>,
    /// When to look whether a connection is late, and which. Early ones are put in again.
    alarms: BinaryHeap<Reverse<(Instant, usize, u64)>>,
    /// Connections served, ever.
    numbers: u64,
    /// The last to be dropped: when nobody is present, nothing is left of anybody.
    _presence: Presence,
}

/// Counts among those who are at work.
struct Presence(Arc<Shared>);

impl Presence {
    fn new(shared: Arc<Shared>) -> Presence {
        shared.workers.enter();
        Presence(shared)
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.0.workers.leave();
    }
}

// See `Socket`.
#[repr(C)]
struct Served {
    connection: Connection,
    /// Above high water: nothing is read.
    paused: bool,
    /// An edge came that was not read to its end.
    readable: bool,
    /// It is among those that are read again after the others.
    again: bool,
    /// The peer has ended its sending, so the end of the stream is to be found.
    hangup: bool,
    /// Something is queued, so room to send is watched for.
    flushing: bool,
    /// The peer will send no more.
    finished: bool,
    /// Why it ends once the queue is empty, and since when nothing of that was sent, as far as it was noticed.
    ending: Option<(Status, Instant)>,
    /// Tells it from others that had its slot.
    number: u64,
    /// When something last went either way, as far as it was noticed, and how much had by then.
    active: Instant,
    traffic: u64,
    /// If messages have to be whole in time.
    held_up: Option<Box<HeldUp>>,
    /// The earliest time at which its turn with the alarms comes.
    alarm: Option<Instant>,
}

impl Worker {
    pub fn new(
        shared: Arc<Shared>,
        mailbox: Arc<Mailbox>,
        accepts: Option<(Arc<Server>, Vec<Arc<Mailbox>>)>,
    ) -> Result<Worker> {
        let now = shared.options.clock.now();
        let acceptor =
            accepts.map(|(server, workers)| Acceptor::new(server, workers, &mailbox, now)).transpose()?;
        // What is read at a time must fit into the queue above high water, so that a handler can always answer as much as
        // it was given.
        let read_size = READ_SIZE.min(shared.options.queue_limit - shared.options.high_water);
        let messages = shared.options.messages.as_ref();
        let minds_time = shared.options.idle_timeout.is_some()
            || messages.is_some_and(|messages| messages.have_deadlines());
        let times_messages = messages.is_some_and(|messages| messages.message_timeout.is_some());
        let clock = shared.options.clock.clone();
        Ok(Worker {
            _presence: Presence::new(shared.clone()),
            shared,
            mailbox,
            acceptor,
            served: Slab::new(),
            buffer: vec![0; read_size],
            events: Vec::with_capacity(EVENTS),
            again: Vec::new(),
            stopping: None,
            minds_time,
            work: times_messages.then(|| Work::new(&clock)),
            alarms: BinaryHeap::new(),
            numbers: 0,
        })
    }

    pub fn run(mut self) {
        enter_thread(&self.mailbox, self.shared.service);
        let mailbox = self.mailbox.clone();
        // Nobody else waits with it.
        let mut wait = mailbox.poller.turn(Deadline::Never).expect("it may wait for ever");
        let mut turns = Vec::new();
        self.begin_work();
        loop {
            self.follow_orders();
            if self.stopping.is_some() && self.finish_if_stopped() {
                break;
            }
            // It ends early, in vain, or because it was woken; the loop looks at everything anyway.
            self.end_work();
            let _ = wait.wait_each(EVENTS, self.patience(), &mut self);
            self.has_waited(wait.has_told_of_all());
            self.begin_work();
            for index in 0..self.events.len() {
                let event = self.events[index];
                self.handle(&event);
            }
            self.events.clear();
            // Reading may give it another turn, after the others'.
            std::mem::swap(&mut turns, &mut self.again);
            for (slot, number) in turns.drain(..) {
                if let Some(served) = self.get(slot).filter(|it| it.number == number) {
                    served.again = false;
                    self.read(slot);
                    self.set_alarm(slot);
                }
            }
            self.accept_if_due();
            self.end_late_ones();
        }
    }

    /// How long to wait for events: until the next thing to do without one.
    fn patience(&self) -> Timeout {
        if !self.again.is_empty() {
            return Timeout::None;
        }
        let until_stop = self.stopping.and_then(Deadline::remaining);
        let accepting = self.acceptor.as_ref().and_then(|acceptor| acceptor.due.as_ref());
        let until_accept = accepting.and_then(Due::patience);
        let alarm = self.alarms.peek().map(|Reverse((alarm, ..))| *alarm);
        let until_alarm = alarm.and_then(|alarm| self.clock().patience(alarm));
        let until_due = [until_stop, until_accept, until_alarm].into_iter().flatten().min();
        until_due.map_or(Timeout::Forever, Timeout::from)
    }

    fn clock(&self) -> &Clock {
        &self.shared.options.clock
    }

    fn now(&self) -> Instant {
        self.clock().now()
    }

    fn handle(&mut self, event: &Event) {
        if event.token == SERVER {
            self.accept_now();
            return;
        }
        let slot = event.token as usize;
        if event.writable {
            self.flush(slot);
        }
        if event.hangup
            && let Some(served) = self.get(slot)
        {
            served.hangup = true;
        }
        if event.hangup && self.get(slot).is_some_and(|it| it.finished && it.connection.socket().is_gone()) {
            return self.end(slot, Status::Disconnected);
        }
        if event.readable {
            self.read(slot);
        }
        self.set_alarm(slot);
    }

    fn follow_orders(&mut self) {
        // Following an order may give another: a connection that a handler closes as it connects.
        while let Some(orders) = self.mailbox.take() {
            if orders.stop.is_some() && self.stopping.is_none() {
                self.begin_stop();
            }
            self.stopping = orders.stop;
            for order in orders.list {
                match order {
                    Order::Serve(socket) => self.serve(*socket),
                    Order::Look(connection) => {
                        connection.answered();
                        let slot = connection.slot();
                        if !self.get(slot).is_some_and(|it| it.connection.is(&connection)) {
                            continue;
                        }
                        if let Some(reason) = connection.socket().broken_off() {
                            self.end(slot, reason);
                        } else {
                            self.look(slot);
                            self.set_alarm(slot);
                        }
                    }
                }
            }
        }
    }

    fn get(&mut self, slot: usize) -> Option<&mut Served> {
        self.served.get_mut(slot)
    }

    // Connections.

    fn serve(&mut self, socket: Socket) {
        let (now, held_up) = (self.now(), self.not_held_up());
        let clock = &self.shared.options.clock;
        let entry = self.served.vacant_entry();
        let slot = entry.key();
        let connection = Connection::new(socket, &self.mailbox, slot, clock);
        let ending = self.stopping.map(|_| (Status::Closed, now));
        if ending.is_some() {
            // It was accepted before the worker that accepts knew of the stop.
            self.shared.totals.open_at_stop.fetch_add(1, Ordering::Relaxed);
        }
        self.numbers += 1;
        self.mailbox.enter(&connection);
        entry.insert(Served {
            connection: connection.clone(),
            paused: false,
            readable: false,
            again: false,
            hangup: false,
            flushing: false,
            ending,
            finished: false,
            active: now,
            traffic: 0,
            held_up,
            alarm: None,
            number: self.numbers,
        });
        self.call(slot, |handler, connection| handler.connected(connection));
        if ending.is_some() {
            connection.socket().end_sending();
        }
        if let Err(error) = self.mailbox.poller.add(connection.socket(), Interest::READABLE_EDGE, slot as u64)
        {
            self.end(slot, error.status());
        } else {
            // It may be ending, or have something queued.
            self.look(slot);
        }
        self.set_alarm(slot);
    }

    fn flush(&mut self, slot: usize) {
        let Some(served) = self.served.get_mut(slot) else { return };
        served.connection.forget_use();
        if served.connection.socket().queued() == 0 {
            // Somebody else's send has taken the queue along.
            return self.look(slot);
        }
        let flushed = served.connection.socket().flush(Timeout::None).map_err(|error| error.status());
        match flushed {
            Ok(()) | Err(Status::WouldBlock) => self.look(slot),
            Err(Status::Disconnected) => {
                // The peer has left. What it sent before is still to be read, up to the end; if nothing is read any more, as this side
                // was to end it, the peer has ended it first.
                served.connection.socket().drop_queue();
                served.hangup = true;
                if let Some((reason, _)) = &mut served.ending {
                    *reason = Status::Disconnected;
                }
                self.look(slot);
                self.read(slot);
            }
            // The peer is there, and must not get what comes next without this.
            Err(reason) => self.end(slot, reason),
        }
    }

    /// Does what the state of the connection asks for.
    fn look(&mut self, slot: usize) {
        let Some(served) = self.served.get_mut(slot) else { return };
        match served.connection.wish() {
            Wish::Abort => return self.end(slot, Status::Closed),
            Wish::Close => {
                let reason = if served.finished { Status::Disconnected } else { Status::Closed };
                let clock = &self.shared.options.clock;
                served
                    .ending
                    .get_or_insert_with(|| (reason, served.connection.used().unwrap_or_else(|| clock.now())));
            }
            Wish::Stay => {}
        }
        let queued = served.connection.socket().queued();
        if let (Some((reason, _)), 0) = (served.ending, queued) {
            // Its queue was not sent if a stop has closed it meanwhile, whatever it was to end for.
            let is_open = served.connection.socket().endpoint().is_ok();
            return self.end(slot, if is_open { reason } else { Status::Closed });
        }
        if served.flushing != (queued > 0) {
            served.flushing = queued > 0;
            let interest = if served.flushing { Interest::EDGE } else { Interest::READABLE_EDGE };
            // It fails when it was closed meanwhile, which ends it.
            let _ = self.mailbox.poller.modify(served.connection.socket(), interest, slot as u64);
        }
        let lacks_room = served.connection.take_lack_of_room() || queued > self.shared.options.high_water;
        if !served.paused && lacks_room {
            served.paused = true;
            self.call(slot, |handler, connection| handler.high_water(connection, queued));
            // Of who has found no room the queue may be gone by now, of which nothing else tells.
            self.look(slot);
        } else if served.paused
            && queued <= self.shared.options.low_water
            // A queue that a stop has given up has not drained.
            && served.connection.socket().endpoint().is_ok()
        {
            served.paused = false;
            // It was this side that made the peer wait.
            served.connection.socket().restart_peer_clock();
            if served.readable {
                self.read_again(slot);
            }
            self.call(slot, |handler, connection| handler.low_water(connection, queued));
        }
    }

    /// Calls the handler. A panic costs the connection.
    fn call(&mut self, slot: usize, call: impl FnOnce(&dyn Handler, &Connection)) {
        let Some(served) = self.served.get(slot) else { return };
        let (handler, connection) = (&*self.shared.handler, &served.connection);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| call(handler, connection))) {
            self.record(&*panic);
            self.end(slot, Status::Internal);
        }
    }

    fn record(&self, panic: &(dyn Any + Send)) {
        let mut failures = self.shared.failures.lock();
        if failures.len() < FAILURES {
            failures.push(panic_text(panic).unwrap_or("a panic without a message").to_owned());
        }
    }
}

impl Waiter for &mut Worker {
    fn found(&mut self, event: Event) {
        self.events.push(event);
    }

    fn receive(&mut self, token: u64) -> Option<bool> {
        if token == SERVER {
            return None;
        }
        let slot = token as usize;
        self.begin_work();
        let before = self.progress(slot);
        self.read(slot);
        let came = self.progress(slot) != before;
        if came {
            self.set_alarm(slot);
        } else {
            self.end_work();
        }
        Some(came)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        for order in self.mailbox.close().list {
            if let Order::Serve(_) = order {
                self.shared.count_unserved();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poller::PollerOptions;
    use crate::server::ServerOptions;
    use crate::service::headcount::Headcount;
    use crate::service::running::Totals;
    use crate::service::{Echo, Endings, ServiceOptions};
    use crate::socket::{Direction, SocketOptions};
    use crate::sync::Mutex;
    use std::sync::atomic::{AtomicBool, AtomicUsize};

    /// What the workers of a service have in common that was told to stop.
    fn shared() -> Arc<Shared> {
        shared_with(ServiceOptions::default())
    }

    fn shared_with(options: ServiceOptions) -> Arc<Shared> {
        shared_by(Arc::new(Echo), options)
    }

    fn shared_by(handler: Arc<dyn Handler>, options: ServiceOptions) -> Arc<Shared> {
        Arc::new(Shared {
            service: 1,
            options,
            handler,
            totals: Totals::default(),
            stopped: AtomicBool::new(true),
            endings: Mutex::default(),
            failures: Mutex::default(),
            workers: Headcount::default(),
        })
    }

    fn mailbox() -> Arc<Mailbox> {
        Arc::new(Mailbox::new(PollerOptions::default()).unwrap())
    }

    /// A worker that nobody has given anything to do.
    fn idle_worker() -> Worker {
        Worker::new(shared(), mailbox(), None).unwrap()
    }

    #[test]
    fn a_service_that_panics_for_ever_keeps_the_first_failures() {
        let worker = idle_worker();
        for number in 0..=FAILURES {
            worker.record(&number.to_string());
        }
        let failures = worker.shared.failures.lock();
        assert_eq!((failures.len(), &*failures[0]), (FAILURES, "0"));
    }

    #[test]
    fn alarms_of_connections_that_have_ended_do_not_add_up() {
        let hour = std::time::Duration::from_secs(3600);
        let options = ServiceOptions { idle_timeout: Some(hour), ..ServiceOptions::default() };
        let mut worker = Worker::new(shared_with(options), mailbox(), None).unwrap();
        worker.shared.totals.open.store(1000, Ordering::Relaxed);
        for _ in 0..1000 {
            let (socket, _peer) = Socket::pair(&SocketOptions::default()).unwrap();
            worker.serve(socket);
            assert!(worker.alarms.iter().any(|Reverse((_, _, number))| *number == worker.numbers));
            worker.end(0, Status::Closed);
        }
        assert!(worker.alarms.len() <= 100, "{}", worker.alarms.len());
    }

    /// Another worker has accepted it, and knows nothing more of it.
    #[test]
    fn a_connection_that_comes_too_late_is_one_that_ended() {
        let worker = idle_worker();
        let (shared, mailbox) = (worker.shared.clone(), worker.mailbox.clone());
        shared.totals.open.store(1, Ordering::Relaxed);
        let (socket, _peer) = Socket::pair(&SocketOptions::default()).unwrap();
        assert!(mailbox.post(Order::Serve(Box::new(socket))).is_ok());
        drop(worker);
        let totals = &shared.totals;
        assert_eq!([&totals.open_at_stop, &totals.open].map(|total| total.load(Ordering::Relaxed)), [1, 0]);
        assert_eq!(shared.endings.lock().closed, 1);
    }

    #[test]
    fn who_is_given_to_a_worker_together_with_the_stop_was_there_before() {
        let mut worker = idle_worker();
        let (shared, mailbox) = (worker.shared.clone(), worker.mailbox.clone());
        shared.totals.open.store(1, Ordering::Relaxed);
        let (socket, _peer) = Socket::pair(&SocketOptions::default()).unwrap();
        assert!(mailbox.post(Order::Serve(Box::new(socket))).is_ok());
        mailbox.order_stop(Deadline::Never);
        worker.follow_orders();
        let totals = &shared.totals;
        assert_eq!([&totals.open_at_stop, &totals.open].map(|total| total.load(Ordering::Relaxed)), [1, 0]);
        assert_eq!(shared.endings.lock().closed, 1);
    }

    #[test]
    fn so_is_one_for_a_worker_that_has_left() {
        let server = Arc::new(Server::new(ServerOptions::default()));
        server.listen_unique("worker").unwrap();
        let (shared, mailboxes) = (shared(), vec![mailbox(), mailbox()]);
        let accepts = (server.clone(), mailboxes.clone());
        let mut accepting = Worker::new(shared.clone(), mailboxes[0].clone(), Some(accepts)).unwrap();
        drop(Worker::new(shared.clone(), mailboxes[1].clone(), None).unwrap());
        let name = server.full_name().unwrap();
        let _peer = Socket::connect(name, &SocketOptions::default(), Timeout::Forever).unwrap();
        accepting.accept_now();
        accepting.accept_if_due();
        let totals = &shared.totals;
        assert_eq!([&totals.accepted, &totals.open].map(|total| total.load(Ordering::Relaxed)), [1, 0]);
        assert_eq!(shared.endings.lock().closed, 1);
    }

    /// A worker that serves one connection, with something queued that its peer does not read.
    pub(super) fn sending_worker() -> (Worker, Connection, Socket) {
        sending_worker_of(Arc::new(Echo))
    }

    fn sending_worker_of(handler: Arc<dyn Handler>) -> (Worker, Connection, Socket) {
        let shared = shared_by(handler, ServiceOptions::default());
        let mut worker = Worker::new(shared, mailbox(), None).unwrap();
        worker.shared.totals.open.store(1, Ordering::Relaxed);
        let options = SocketOptions { send_queue_limit: usize::MAX, ..SocketOptions::default() };
        let (socket, peer) = Socket::pair(&options).unwrap();
        worker.serve(socket);
        let connection = worker.served[0].connection.clone();
        while connection.socket().queued() == 0 {
            connection.send(&[1; 4096], Timeout::None).unwrap();
        }
        (worker, connection, peer)
    }

    /// Counts what it is told, and closes nothing.
    #[derive(Default)]
    struct Counts {
        received: AtomicUsize,
        finished: AtomicUsize,
    }

    impl Handler for Counts {
        fn received(&self, _: &Connection, _: &[u8]) {
            self.received.fetch_add(1, Ordering::Relaxed);
        }

        fn finished(&self, _: &Connection) {
            self.finished.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The system tells of it once, and of the queue only when that is empty.
    #[test]
    fn what_came_while_reading_paused_is_read_at_low_water() {
        let counts = Arc::new(Counts::default());
        let (mut worker, connection, peer) = sending_worker_of(counts.clone());
        let ServiceOptions { high_water, .. } = worker.shared.options;
        connection.send(&vec![1; high_water], Timeout::None).unwrap();
        worker.look(0);
        assert!(worker.served[0].paused);
        peer.send(b"more", Timeout::None).unwrap();
        worker.read(0);
        assert_eq!(counts.received.load(Ordering::Relaxed), 0);
        while worker.served[0].paused {
            peer.receive(&mut [0; 4096], Timeout::None).unwrap();
            worker.flush(0);
        }
        assert!(connection.socket().queued() > 0);
        assert_eq!(worker.again.len(), 1, "it is to be read");
        worker.read_again(0);
        assert_eq!(worker.again.len(), 1, "once");
        worker.read(0);
        assert_eq!(counts.received.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn nothing_is_read_of_who_is_to_end_or_has_finished() {
        let counts = Arc::new(Counts::default());
        let (mut worker, connection, peer) = sending_worker_of(counts.clone());
        connection.close();
        worker.look(0);
        peer.send(b"too late", Timeout::None).unwrap();
        worker.read(0);
        assert_eq!((worker.served.len(), counts.received.load(Ordering::Relaxed)), (1, 0));

        let (mut worker, _connection, peer) = sending_worker_of(counts.clone());
        peer.shut_down(Direction::Sending, Timeout::None).unwrap();
        // Room to send, of which the system tells again and again, comes with the end of the stream each time.
        for _ in 0..2 {
            worker.read(0);
        }
        assert_eq!((worker.served.len(), counts.finished.load(Ordering::Relaxed)), (1, 1));
    }

    /// Nothing else would end a connection whose handler waits for more to send.
    #[test]
    fn who_has_gone_altogether_has_not_only_finished() {
        let counts = Arc::new(Counts::default());
        let mut worker =
            Worker::new(shared_by(counts.clone(), ServiceOptions::default()), mailbox(), None).unwrap();
        let (socket, peer) = Socket::pair(&SocketOptions::default()).unwrap();
        worker.serve(socket);
        drop(peer);
        worker.read(0);
        assert_eq!((worker.served.len(), counts.finished.load(Ordering::Relaxed)), (0, 0));
        assert_eq!(worker.shared.endings.lock().disconnected, 1);
    }

    #[test]
    fn who_has_found_no_room_in_a_queue_that_has_gone_meanwhile_is_told_at_once() {
        let mut worker = idle_worker();
        let options = SocketOptions { send_queue_limit: 100, ..SocketOptions::default() };
        let (socket, peer) = Socket::pair(&options).unwrap();
        worker.serve(socket);
        let connection = worker.served[0].connection.clone();
        while connection.try_send(&[1; 100]).is_ok() {}
        while peer.receive(&mut [0; 1 << 16], Timeout::None).is_ok() {}
        // Takes the queue along.
        connection.try_send(b"x").unwrap();
        assert_eq!(connection.socket().queued(), 0);
        worker.follow_orders();
        assert!(!worker.served[0].paused, "low_water was called, too");
    }

    /// Sends on a stream fail for want of memory only while the peer is there. So these are datagrams, of which none can be as long as
    /// what is queued in the end.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_connection_whose_queue_cannot_be_sent_ends_and_the_queue_with_it() {
        let (near, _far) = std::os::unix::net::UnixDatagram::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        let stream = crate::sys::Stream::from(std::os::fd::OwnedFd::from(near));
        let options = SocketOptions { send_queue_limit: usize::MAX, ..SocketOptions::default() };
        let mut worker = idle_worker();
        worker.shared.totals.open.store(1, Ordering::Relaxed);
        worker.serve(Socket::new(stream, &options).unwrap());
        let connection = worker.served[0].connection.clone();
        while connection.send(&[1; 1000], Timeout::None).is_ok() {}
        let queued = connection.socket().queued() as u64;
        worker.flush(0);
        assert!(worker.served.is_empty());
        assert_eq!((queued > 0, connection.unsent()), (true, queued));
        assert_eq!(worker.shared.totals.cut_off.load(Ordering::Relaxed), queued, "the stop has lost it");
        // What a datagram is that cannot be sent.
        assert_eq!(*worker.shared.endings.lock(), Endings { malformed: 1, ..Endings::default() });
    }
}

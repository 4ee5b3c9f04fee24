//! Each fault of a plan: it happens when it is planned, and not otherwise.

mod support;

use moorline::poller::{Interest, Poller, PollerOptions};
use moorline::socket::Direction as Half;
use moorline::testkit::faults::Direction;
use moorline::testkit::{FaultPlan, Faults};
use moorline::{
    Clock, Server, ServerOptions, Service, ServiceOptions, Socket, SocketOptions, Status, Timeout,
};
use std::sync::Barrier;
use std::time::{Duration, Instant};
use support::{WATCHDOG, status, until};

fn plan(faults: Faults) -> FaultPlan {
    FaultPlan::new(faults).unwrap()
}

/// A connection through a plan at the server's side: the client, which has none, and the server's socket.
fn faulty(plan: &FaultPlan) -> (Socket, Socket) {
    let server = Server::new(ServerOptions { faults: Some(plan.clone()), ..ServerOptions::default() });
    server.listen_unique("faulty").unwrap();
    let client = connect(&server);
    (client, server.accept(WATCHDOG).unwrap())
}

fn connect(server: &Server) -> Socket {
    Socket::connect(server.full_name().unwrap(), &SocketOptions::default(), WATCHDOG).unwrap()
}

/// Everything that comes until the end, in the pieces in which it comes.
fn receive_all(socket: &Socket) -> Vec<Vec<u8>> {
    let mut pieces = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match socket.receive(&mut buffer, WATCHDOG) {
            Ok(received) => pieces.push(buffer[..received].to_vec()),
            Err(error) if error.status() == Status::Disconnected => return pieces,
            Err(error) => panic!("{error}"),
        }
    }
}

fn stream(length: usize) -> Vec<u8> {
    (0..length).map(|place| (place % 251) as u8).collect()
}

/// Sends a stream from the client to the server through a plan, and tells in which pieces it arrives.
fn send_through(plan: &FaultPlan, sent: &[u8]) -> Vec<Vec<u8>> {
    let (client, accepted) = faulty(plan);
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            // It fails where the plan breaks the connection.
            let _ = client.send(sent, WATCHDOG);
            let _ = client.shut_down(Half::Sending, WATCHDOG);
        });
        let pieces = receive_all(&accepted);
        drop(accepted);
        sender.join().unwrap();
        pieces
    })
}

#[test]
fn without_faults_everything_passes_both_ways() {
    let plan = plan(Faults::default());
    let (client, accepted) = faulty(&plan);
    let sent = stream(1_000_000);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            client.send(&sent, WATCHDOG).unwrap();
            client.shut_down(Half::Sending, WATCHDOG).unwrap();
        });
        assert!(receive_all(&accepted).concat() == sent);
    });
    accepted.send(b"answer", WATCHDOG).unwrap();
    drop(accepted);
    assert_eq!(receive_all(&client).concat(), b"answer");
    assert_eq!(plan.happened(), Vec::<String>::new());
    let counts = plan.counts();
    assert_eq!((counts.connections, counts.flipped, counts.lost, counts.resets), (1, 0, 0, 0));
}

#[test]
fn reads_are_as_short_as_planned_and_nothing_is_lost() {
    let sent = stream(500);
    let plan = plan(Faults { seed: 3, pieces: Some(1..=7), ..Faults::default() });
    let pieces = send_through(&plan, &sent);
    assert_eq!(pieces.concat(), sent);
    // A read that is interrupted when it has emptied what the system had finds the next piece, too.
    let longer = pieces.iter().filter(|piece| piece.len() > 7).count();
    assert!(longer <= pieces.len() / 10, "{pieces:?}");
}

#[test]
fn the_same_seed_does_the_same_again() {
    let sent = stream(20_000);
    let faults = |seed| Faults { seed, flip_one_in: Some(900), lose_one_in: Some(700), ..Faults::default() };
    let run = |seed| {
        let plan = plan(faults(seed));
        let arrived = send_through(&plan, &sent).concat();
        let mut lines = plan.happened();
        lines.sort();
        (arrived, lines)
    };
    let first = run(5);
    assert!(first.1.len() > 20);
    assert_eq!(run(5), first);
    assert_ne!(run(6), first);
}

#[test]
fn writes_are_short_where_the_window_is_small() {
    let taken = |window| {
        // Nothing is taken further, so that nothing but the sender's own buffer counts.
        let plan = plan(Faults { window, stop_reading_after: Some(0), ..Faults::default() });
        let (_client, accepted) = faulty(&plan);
        accepted.send_counted(&vec![0; 1 << 20], Timeout::None).0
    };
    let with_all_room = taken(None);
    let with_little = taken(Some(1));
    assert!(0 < with_little && with_little < with_all_room, "{with_little} {with_all_room}");
}

#[test]
fn a_byte_is_flipped_or_lost_where_planned_and_in_the_direction_planned() {
    let sent = stream(100);
    let flip = plan(Faults { flip_at: Some(10), direction: Some(Direction::ToServer), ..Faults::default() });
    let arrived = send_through(&flip, &sent).concat();
    let wrong: Vec<usize> = (0..100).filter(|place| arrived[*place] != sent[*place]).collect();
    assert_eq!(wrong, [10]);
    assert_eq!((arrived[10] ^ sent[10]).count_ones(), 1);
    assert!(flip.happened()[0].starts_with("connection 1, to the server, after 10 bytes: 0x0a becomes"));

    let lose = plan(Faults { lose_at: Some(10), ..Faults::default() });
    let arrived = send_through(&lose, &sent).concat();
    assert_eq!(arrived, [&sent[..10], &sent[11..]].concat());

    let other_way =
        plan(Faults { lose_at: Some(10), direction: Some(Direction::ToClient), ..Faults::default() });
    assert_eq!(send_through(&other_way, &sent).concat(), sent);
}

#[test]
fn a_connection_breaks_at_the_byte_planned() {
    let plan = plan(Faults { reset_after: Some(50), pieces: Some(10..=10), ..Faults::default() });
    let (client, accepted) = faulty(&plan);
    client.send(&stream(40), WATCHDOG).unwrap();
    let mut arrived = Vec::new();
    let mut buffer = [0; 100];
    while arrived.len() < 40 {
        let received = accepted.receive(&mut buffer, WATCHDOG).unwrap();
        arrived.extend_from_slice(&buffer[..received]);
    }
    client.send(&stream(10), WATCHDOG).unwrap();
    assert_eq!(accepted.receive(&mut buffer, WATCHDOG).unwrap_err().status(), Status::Disconnected);
    assert_eq!(client.receive(&mut buffer, WATCHDOG).unwrap_err().status(), Status::Disconnected);
    assert_eq!(plan.counts().resets, 1);
}

#[test]
fn a_peer_stops_reading_where_planned() {
    let plan = plan(Faults { stop_reading_after: Some(1000), ..Faults::default() });
    let (client, accepted) = faulty(&plan);
    // More than all buffers hold.
    let (taken, answer) = client.send_counted(&stream(1 << 22), Timeout::After(Duration::from_millis(50)));
    assert_eq!(answer.unwrap_err().status(), Status::TimedOut);
    assert!(taken >= 1000);
    let mut buffer = [0; 4096];
    let mut arrived = 0;
    while arrived < 1000 {
        arrived += accepted.receive(&mut buffer, WATCHDOG).unwrap();
    }
    assert_eq!(arrived, 1000);
    let nothing = accepted.receive(&mut buffer, Timeout::After(Duration::from_millis(20)));
    assert_eq!(nothing.unwrap_err().status(), Status::TimedOut);
    // The plan's thread may still be to come there.
    until(|| plan.counts().stops > 0);
    assert_eq!(plan.counts().stops, 1);
}

#[test]
fn who_leaves_is_seen_to_although_nothing_more_was_taken() {
    let plan = plan(Faults { stop_reading_after: Some(3), ..Faults::default() });
    let (client, accepted) = faulty(&plan);
    client.send(b"abcdef", WATCHDOG).unwrap();
    assert_eq!(accepted.receive(&mut [0; 10], WATCHDOG).unwrap(), 3);
    drop(client);
    assert_eq!(accepted.receive(&mut [0; 10], WATCHDOG).unwrap_err().status(), Status::Disconnected);
}

#[test]
fn calls_are_turned_away_as_often_as_planned_and_nothing_is_lost() {
    let storm = plan(Faults { would_block: Some(3..=3), ..Faults::default() });
    let (client, accepted) = faulty(&storm);
    // Calls that may not wait get to see each.
    let turned_away = |answer: moorline::Result<()>| match answer {
        Ok(()) => false,
        Err(error) if error.status() == Status::WouldBlock => true,
        Err(error) => panic!("{error}"),
    };
    for round in 1..=5 {
        let mut sends = 0;
        while turned_away(accepted.send(b"x", Timeout::None)) {
            sends += 1;
        }
        assert_eq!(client.receive(&mut [0; 10], WATCHDOG).unwrap(), 1);
        assert_eq!((sends, storm.counts().would_blocks), (3, 6 * (round - 1) + 3));
        client.send(b"y", WATCHDOG).unwrap();
        // It is reported as ready meanwhile.
        accepted.wait(Interest::READABLE, WATCHDOG).unwrap();
        let mut receives = 0;
        while turned_away(accepted.receive(&mut [0; 10], Timeout::None).map(drop)) {
            receives += 1;
        }
        assert_eq!((receives, storm.counts().would_blocks), (3, 6 * round));
    }
    // Calls that may wait try until they are let through.
    accepted.send(b"x", WATCHDOG).unwrap();
    assert_eq!(client.receive(&mut [0; 10], WATCHDOG).unwrap(), 1);

    let one_way =
        plan(Faults { would_block: Some(2..=2), direction: Some(Direction::ToClient), ..Faults::default() });
    let (client, accepted) = faulty(&one_way);
    client.send(b"y", WATCHDOG).unwrap();
    accepted.wait(Interest::READABLE, WATCHDOG).unwrap();
    assert_eq!(accepted.receive(&mut [0; 10], Timeout::None).unwrap(), 1);
    assert!(turned_away(accepted.send(b"x", Timeout::None)));
}

#[test]
fn a_storm_gets_everything_through_pollers_services_and_messages() {
    let storm =
        plan(Faults { seed: 2, would_block: Some(0..=5), pieces: Some(1..=900), ..Faults::default() });
    // A service waits for each change only once.
    let service =
        Service::echo(ServiceOptions { faults: Some(storm.clone()), ..Default::default() }).unwrap();
    service.start_unique("faulty").unwrap();
    let client = Socket::connect(service.full_name().unwrap(), &SocketOptions::default(), WATCHDOG).unwrap();
    let sent = stream(100_000);
    std::thread::scope(|scope| {
        scope.spawn(|| client.send(&sent, WATCHDOG).unwrap());
        assert!(support::receive_exactly(&client, sent.len()) == sent);
    });
    assert!(storm.counts().would_blocks > 100);

    let poller = Poller::new(PollerOptions::default()).unwrap();
    let (client, accepted) = faulty(&storm);
    poller.add(&accepted, Interest::READABLE_EDGE, 1).unwrap();
    client.send(b"abc", WATCHDOG).unwrap();
    let mut arrived = 0;
    while arrived < 3 {
        poller.wait(&mut [Default::default(); 4], WATCHDOG).unwrap();
        if let Ok(received) = accepted.receive(&mut [0; 10], Timeout::None) {
            arrived += received;
        }
    }
}

#[test]
fn pieces_are_held_back_as_long_as_planned() {
    let delay = Duration::from_millis(20);
    let plan = plan(Faults { pieces: Some(5..=5), delay: Some(delay..=delay), ..Faults::default() });
    let start = Instant::now();
    let pieces = send_through(&plan, &stream(25));
    assert_eq!(pieces.len(), 5);
    assert!(start.elapsed() >= 5 * delay, "{:?}", start.elapsed());
}

/// Pieces are of five bytes, and their sender sends three at a time.
#[test]
fn what_fills_no_piece_is_held_back_as_long_too() {
    let delay = Duration::from_millis(20);
    let plan = plan(Faults { pieces: Some(5..=5), delay: Some(delay..=delay), ..Faults::default() });
    let (client, accepted) = faulty(&plan);
    for _ in 0..4 {
        let start = Instant::now();
        client.send(b"abc", WATCHDOG).unwrap();
        let mut arrived = Vec::new();
        while arrived.len() < 3 {
            let mut buffer = [0; 3];
            let received = accepted.receive(&mut buffer, WATCHDOG).unwrap();
            assert!(start.elapsed() >= delay, "{:?}", start.elapsed());
            arrived.extend_from_slice(&buffer[..received]);
        }
        assert_eq!(arrived, b"abc");
    }
}

#[test]
fn one_connection_is_refused_and_the_next_is_not() {
    let plan = plan(Faults { refuse_accept_at: Some(1), ..Faults::default() });
    let server = Server::new(ServerOptions { faults: Some(plan.clone()), ..ServerOptions::default() });
    server.listen_unique("faulty").unwrap();
    let refused = connect(&server);
    let served = connect(&server);
    served.send(b"x", WATCHDOG).unwrap();
    let accepted = server.accept(WATCHDOG).unwrap();
    let mut buffer = [0; 10];
    assert_eq!(refused.receive(&mut buffer, WATCHDOG).unwrap_err().status(), Status::Disconnected);
    assert_eq!(accepted.receive(&mut buffer, WATCHDOG).unwrap(), 1);
    assert_eq!(plan.counts().refused, 1);
}

#[test]
fn one_accept_finds_no_descriptor_and_the_next_serves_the_connection() {
    let plan = plan(Faults { no_descriptors_at: Some(2), ..Faults::default() });
    let server = Server::new(ServerOptions { faults: Some(plan.clone()), ..ServerOptions::default() });
    server.listen_unique("faulty").unwrap();
    let _first = connect(&server);
    let _second = connect(&server);
    server.accept(WATCHDOG).unwrap();
    let error = server.accept(WATCHDOG).err().unwrap();
    assert_eq!((error.status(), error.os_error()), (Status::LimitReached, Some(libc::EMFILE)));
    server.accept(WATCHDOG).unwrap();
    assert_eq!(plan.counts().without_descriptor, 1);
}

#[test]
fn a_descriptor_is_lacked_by_a_connection_and_not_before_it_comes() {
    let plan = plan(Faults { no_descriptors_at: Some(1), backlog_full: true, ..Faults::default() });
    let server = Server::new(ServerOptions {
        backlog: Some(2),
        faults: Some(plan.clone()),
        ..ServerOptions::default()
    });
    server.listen_unique("faulty").unwrap();
    let early = |timeout| server.accept(timeout).err().unwrap().status();
    assert_eq!(early(Timeout::None), Status::WouldBlock);
    plan.open_backlog();
    assert_eq!(early(Timeout::After(Duration::from_millis(5))), Status::TimedOut);
    assert_eq!(plan.counts().without_descriptor, 0);
    let _client = connect(&server);
    assert_eq!(early(WATCHDOG), Status::LimitReached);
    server.accept(WATCHDOG).unwrap();
    assert_eq!(plan.counts().without_descriptor, 1);
}

/// Also on a clock that nobody moves: whether there is one is the system's affair.
#[test]
fn a_service_goes_on_after_an_accept_without_a_descriptor() {
    for clock in [Clock::system(), Clock::manual()] {
        let plan = plan(Faults { no_descriptors_at: Some(1), ..Faults::default() });
        let faults = Some(plan.clone());
        let service = Service::echo(ServiceOptions { faults, clock, ..Default::default() }).unwrap();
        service.start_unique("faulty").unwrap();
        let client =
            Socket::connect(service.full_name().unwrap(), &SocketOptions::default(), WATCHDOG).unwrap();
        client.send(b"x", WATCHDOG).unwrap();
        assert_eq!(client.receive(&mut [0; 10], WATCHDOG).unwrap(), 1);
        assert_eq!(plan.counts().without_descriptor, 1);
    }
}

#[test]
fn an_accept_waits_as_long_as_planned_also_in_a_service_and_at_a_poller() {
    let delay = Duration::from_millis(30);
    let faults = || Some(plan(Faults { accept_delay: Some(delay), ..Faults::default() }));
    let server = Server::new(ServerOptions { faults: faults(), ..ServerOptions::default() });
    server.listen_unique("faulty").unwrap();
    let start = Instant::now();
    let _client = connect(&server);
    assert_eq!(server.accept(Timeout::None).err().map(|error| error.status()), Some(Status::WouldBlock));
    server.accept(WATCHDOG).unwrap();
    assert!(start.elapsed() >= delay);

    let service = Service::echo(ServiceOptions { faults: faults(), ..Default::default() }).unwrap();
    service.start_unique("faulty").unwrap();
    let start = Instant::now();
    let client = Socket::connect(service.full_name().unwrap(), &SocketOptions::default(), WATCHDOG).unwrap();
    client.send(b"x", WATCHDOG).unwrap();
    client.receive(&mut [0; 10], WATCHDOG).unwrap();
    assert!(start.elapsed() >= delay);

    let server = Server::new(ServerOptions { faults: faults(), ..ServerOptions::default() });
    server.listen_unique("faulty").unwrap();
    let poller = Poller::new(PollerOptions::default()).unwrap();
    poller.add(&server, Interest::READABLE_EDGE, 1).unwrap();
    let start = Instant::now();
    let _client = connect(&server);
    let mut events = [Default::default(); 4];
    while server.accept(Timeout::None).is_err() {
        poller.wait(&mut events, WATCHDOG).unwrap();
    }
    assert!(start.elapsed() >= delay);
}

#[test]
fn a_full_backlog_turns_clients_away_until_it_is_opened() {
    let plan = plan(Faults { backlog_full: true, ..Faults::default() });
    let server = Server::new(ServerOptions {
        backlog: Some(3),
        faults: Some(plan.clone()),
        ..ServerOptions::default()
    });
    server.listen_unique("faulty").unwrap();
    let name = server.full_name().unwrap();
    for _ in 0..2 {
        let error = Socket::connect(&name, &SocketOptions::default(), Timeout::None).err().unwrap();
        assert_eq!(error.status(), Status::WouldBlock, "{error}");
        assert_eq!(server.accept(Timeout::None).err().unwrap().status(), Status::WouldBlock);
    }
    std::thread::scope(|scope| {
        let accepting = scope.spawn(|| server.accept(WATCHDOG).unwrap());
        let connecting = scope.spawn(|| Socket::connect(&name, &SocketOptions::default(), WATCHDOG).unwrap());
        plan.open_backlog();
        let (accepted, client) = (accepting.join().unwrap(), connecting.join().unwrap());
        client.send(b"x", WATCHDOG).unwrap();
        assert_eq!(accepted.receive(&mut [0; 10], WATCHDOG).unwrap(), 1);
    });
}

#[test]
fn what_has_filled_a_backlog_is_no_connection_whose_accept_waits() {
    let faults =
        Faults { backlog_full: true, accept_delay: Some(Duration::from_millis(20)), ..Faults::default() };
    let plan = plan(faults);
    let server = Server::new(ServerOptions {
        backlog: Some(5),
        faults: Some(plan.clone()),
        ..ServerOptions::default()
    });
    server.listen_unique("faulty").unwrap();
    plan.open_backlog();
    for connection in 1..=2 {
        std::thread::scope(|scope| {
            let accepting = scope.spawn(|| server.accept(WATCHDOG).unwrap());
            let client = Socket::connect(server.full_name().unwrap(), &SocketOptions::default(), WATCHDOG);
            drop((accepting.join().unwrap(), client.unwrap()));
        });
        assert_eq!(plan.counts().delayed_accepts, connection, "{:?}", plan.happened());
    }
}

#[test]
fn closing_a_server_ends_an_accept_that_a_plan_holds_up() {
    let plan = plan(Faults { backlog_full: true, ..Faults::default() });
    let server =
        Server::new(ServerOptions { backlog: Some(1), faults: Some(plan), ..ServerOptions::default() });
    server.listen_unique("faulty").unwrap();
    std::thread::scope(|scope| {
        let accepting = scope.spawn(|| server.accept(Timeout::Forever).err().unwrap().status());
        while !accepting.is_finished() && server.full_name().is_ok() {
            server.close().unwrap();
        }
        let status = accepting.join().unwrap();
        assert!(matches!(status, Status::Closed | Status::InvalidState), "{status}");
    });
}

#[test]
fn a_socket_of_a_client_can_have_faults_too_and_still_knows_its_peer() {
    let plan = plan(Faults { lose_at: Some(0), direction: Some(Direction::ToClient), ..Faults::default() });
    let service = Service::echo(ServiceOptions::default()).unwrap();
    service.start_unique("faulty").unwrap();
    let options = SocketOptions { faults: Some(plan.clone()), ..SocketOptions::default() };
    let client = Socket::connect(service.full_name().unwrap(), &options, WATCHDOG).unwrap();
    assert_eq!(client.peer_credentials().unwrap().pid, Some(std::process::id()));
    client.send(b"xyz", WATCHDOG).unwrap();
    let mut buffer = [0; 10];
    assert_eq!(client.receive(&mut buffer, WATCHDOG).unwrap(), 2);
    assert_eq!(&buffer[..2], b"yz");
    drop(client);
    // The service sees the end, and nothing is left.
    let report = service.stop(WATCHDOG).unwrap();
    assert_eq!((report.accepted, report.received), (1, 3));
}

#[test]
fn a_connection_that_comes_just_before_its_accept_waits_as_long_as_planned_too() {
    let delay = Duration::from_millis(1);
    for _ in 0..500 {
        let faults = Some(plan(Faults { accept_delay: Some(delay), ..Faults::default() }));
        let server = Server::new(ServerOptions { faults, ..ServerOptions::default() });
        server.listen_unique("faulty").unwrap();
        let both = Barrier::new(2);
        std::thread::scope(|scope| {
            let accepted = scope.spawn(|| {
                both.wait();
                server.accept(WATCHDOG).unwrap();
                Instant::now()
            });
            both.wait();
            let start = Instant::now();
            let _client = connect(&server);
            assert!(accepted.join().unwrap() - start >= delay);
        });
    }
}

/// A server of a plan, with a client whose accept is just delayed, and when the delay had begun.
fn with_delayed_accept(plan: &FaultPlan) -> (Server, Socket, Instant) {
    loop {
        let server = Server::new(ServerOptions { faults: Some(plan.clone()), ..ServerOptions::default() });
        server.listen_unique("faulty").unwrap();
        let client = connect(&server);
        // Who is slow finds the delay over.
        if let Err(error) = server.accept(Timeout::None) {
            assert_eq!(error.status(), Status::WouldBlock);
            return (server, client, Instant::now());
        }
    }
}

/// Or who looks for connections all the time would keep the other server's from being accepted.
#[test]
fn an_accept_waits_once_whatever_another_server_of_the_plan_does_meanwhile() {
    let delay = Duration::from_millis(1);
    let plan = plan(Faults { accept_delay: Some(delay), ..Faults::default() });
    let other = Server::new(ServerOptions { faults: Some(plan.clone()), ..ServerOptions::default() });
    other.listen_unique("faulty").unwrap();
    let (server, _client, begun) = with_delayed_accept(&plan);
    let delayed = plan.counts().delayed_accepts;
    until(|| begun.elapsed() > delay);
    assert_eq!(status(other.accept(Timeout::None)), Status::WouldBlock);
    server.accept(Timeout::None).unwrap();
    assert_eq!(plan.counts().delayed_accepts, delayed, "{:?}", plan.happened());
}

#[test]
fn a_backlog_that_is_opened_although_it_was_not_full_delays_no_accept_once_more() {
    let delay = Duration::from_millis(1);
    let plan = plan(Faults { accept_delay: Some(delay), ..Faults::default() });
    let (server, _client, begun) = with_delayed_accept(&plan);
    let delayed = plan.counts().delayed_accepts;
    plan.open_backlog();
    until(|| begun.elapsed() > delay);
    server.accept(Timeout::None).unwrap();
    assert_eq!(plan.counts().delayed_accepts, delayed, "{:?}", plan.happened());
}

#[test]
fn servers_of_one_plan_whose_accepts_wait_are_all_told_when_they_may() {
    let delay = Duration::from_millis(20);
    let plan = plan(Faults { accept_delay: Some(delay), ..Faults::default() });
    let poller = Poller::new(PollerOptions::default()).unwrap();
    let servers = [(); 2].map(|()| {
        let server = Server::new(ServerOptions { faults: Some(plan.clone()), ..ServerOptions::default() });
        server.listen_unique("faulty").unwrap();
        server
    });
    let (mut clients, mut served) = (Vec::new(), 0);
    for (token, server) in servers.iter().enumerate() {
        poller.add(server, Interest::READABLE_EDGE, token as u64).unwrap();
        clients.push(connect(server));
        // Who is slow finds the delay over.
        served += usize::from(server.accept(Timeout::None).is_ok());
    }
    while served < servers.len() {
        let mut events = [Default::default(); 4];
        let count = poller.wait(&mut events, WATCHDOG).unwrap();
        for event in &events[..count] {
            served += usize::from(servers[event.token as usize].accept(Timeout::None).is_ok());
        }
    }
}

#[test]
fn a_plan_that_has_ended_ends_also_while_a_peer_never_pauses() {
    let plan = plan(Faults::default());
    let (client, accepted) = faulty(&plan);
    std::thread::scope(|scope| {
        scope.spawn(|| while client.send(&[7; 4096], WATCHDOG).is_ok() {});
        let (reads, all_flows) = std::sync::mpsc::channel();
        scope.spawn(move || {
            let mut buffer = vec![0; 1 << 16];
            while accepted.receive(&mut buffer, WATCHDOG).is_ok() {
                let _ = reads.send(());
            }
        });
        all_flows.recv().unwrap();
        plan.end();
    });
}

#[test]
fn numbers_beyond_all_bounds_are_no_surprise() {
    let everything = plan(Faults {
        window: Some(usize::MAX),
        pieces: Some(1..=usize::MAX),
        delay: Some(Duration::ZERO..=Duration::ZERO),
        flip_one_in: Some(u64::MAX),
        lose_one_in: Some(u64::MAX),
        flip_at: Some(u64::MAX),
        reset_after: Some(u64::MAX),
        stop_reading_after: Some(u64::MAX),
        ..Faults::default()
    });
    assert_eq!(send_through(&everything, &stream(1000)).concat(), stream(1000));
    let never = plan(Faults { accept_delay: Some(Duration::MAX), ..Faults::default() });
    let server = Server::new(ServerOptions { faults: Some(never.clone()), ..ServerOptions::default() });
    server.listen_unique("faulty").unwrap();
    let _client = connect(&server);
    assert_eq!(server.accept(Timeout::None).err().unwrap().status(), Status::WouldBlock);
    // The end of the plan lets it go on.
    never.end();
    server.accept(WATCHDOG).unwrap();
}

#[test]
fn a_pair_and_an_adopted_socket_have_the_faults_of_their_options() {
    let lossy = plan(Faults { lose_at: Some(0), ..Faults::default() });
    let options = SocketOptions { faults: Some(lossy.clone()), ..SocketOptions::default() };
    let (first, second) = Socket::pair(&options).unwrap();
    let (plain, descriptor) = std::os::unix::net::UnixStream::pair().unwrap();
    let adopted = Socket::adopt(descriptor, &options).unwrap();
    let other = Socket::adopt(plain, &Default::default()).unwrap();
    for (from, to) in [(&first, &second), (&second, &first), (&adopted, &other), (&other, &adopted)] {
        from.send(b"abc", WATCHDOG).unwrap();
        assert_eq!(support::receive_exactly(to, 2), b"bc");
    }
    assert_eq!(lossy.counts().lost, 4);
}

#[test]
fn the_end_of_a_plan_breaks_its_connections_and_later_ones_have_no_faults() {
    let plan = plan(Faults { lose_at: Some(0), ..Faults::default() });
    let (client, accepted) = faulty(&plan);
    plan.end();
    assert_eq!(client.receive(&mut [0; 10], WATCHDOG).unwrap_err().status(), Status::Disconnected);
    assert_eq!(accepted.receive(&mut [0; 10], WATCHDOG).unwrap_err().status(), Status::Disconnected);
    let (client, accepted) = faulty(&plan);
    client.send(b"xyz", WATCHDOG).unwrap();
    assert_eq!(accepted.receive(&mut [0; 10], WATCHDOG).unwrap(), 3);
}

#[test]
fn faults_that_make_no_sense_are_named() {
    for (faults, what) in [
        (Faults { pieces: Some(0..=5), ..Faults::default() }, "one byte"),
        #[allow(clippy::reversed_empty_ranges)]
        (Faults { pieces: Some(5..=4), ..Faults::default() }, "lesser"),
        (Faults { flip_one_in: Some(0), ..Faults::default() }, "one in no"),
        (Faults { refuse_accept_at: Some(0), ..Faults::default() }, "from 1"),
    ] {
        let error = FaultPlan::new(faults).err().unwrap();
        assert_eq!(error.status(), Status::InvalidArgument);
        assert!(error.to_string().contains(what), "{error}");
    }
}

#[test]
fn descriptors_pass_through_a_plan() {
    use moorline::{Framing, socket::MessageOptions};
    use std::sync::Arc;
    let messages = MessageOptions { max_descriptors: 1, ..MessageOptions::new(Framing::BigEndian) };
    let messages = Some(Arc::new(messages));
    let plan = plan(Faults { pieces: Some(3..=3), ..Faults::default() });
    let server = Server::new(ServerOptions {
        faults: Some(plan),
        messages: messages.clone(),
        ..ServerOptions::default()
    });
    server.listen_unique("faulty").unwrap();
    let options = SocketOptions { messages, ..SocketOptions::default() };
    let client = Socket::connect(server.full_name().unwrap(), &options, WATCHDOG).unwrap();
    let accepted = server.accept(WATCHDOG).unwrap();
    let file = tempfile::tempfile().unwrap();
    client.send_message_with(b"a file", &[std::os::fd::AsFd::as_fd(&file)], WATCHDOG).unwrap();
    let message = accepted.receive_message(WATCHDOG).unwrap();
    assert_eq!((&message.data[..], message.descriptors.len()), (&b"a file"[..], 1));
}

//! Descriptors and memory run out.

use super::role::Actor;
use super::rounds;
use super::support::descriptors::send_with;
use super::support::messages::against_plain;
use super::support::{WATCHDOG, until};
use moorline::name::{Name, Scope};
use moorline::testkit::leaks::LeakKind;
use moorline::testkit::{
    Fixture, FixtureOptions, LeakGuard, Proxy, ProxyOptions, Recording, ReplayOptions, Script,
};
use moorline::{
    Clock, Framing, Interest, MessageOptions, Poller, PollerOptions, Result, Server, ServerOptions, Service,
    ServiceOptions, Socket, SocketOptions, Status, Timeout,
};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::cell::RefCell;
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A server, a client, a service and a poller, from their beginnings to their ends.
fn everything(place: &Path) -> Result<()> {
    let server = Server::new(ServerOptions::default());
    server.listen(place.join("server"))?;
    let client = Socket::connect(place.join("server"), &SocketOptions::default(), WATCHDOG)?;
    let accepted = server.accept(WATCHDOG)?;
    let poller = Poller::new(PollerOptions::default())?;
    poller.add(&accepted, Interest::READABLE, 1)?;
    client.send(b"hello", WATCHDOG)?;
    poller.wait(&mut [moorline::Event::default()], WATCHDOG)?;
    accepted.receive(&mut [0; 8], WATCHDOG)?;
    // A wait of its own, which needs something to be woken by.
    match accepted.receive(&mut [0; 8], Timeout::After(Duration::from_millis(1))) {
        Err(error) if error.status() == Status::TimedOut => {}
        answer => drop(answer?),
    }
    let service = Service::echo(ServiceOptions::default())?;
    service.start(place.join("service"))?;
    let client = Socket::connect(place.join("service"), &SocketOptions::default(), WATCHDOG)?;
    client.send(b"x", WATCHDOG)?;
    let answer = client.receive(&mut [0; 8], Timeout::After(Duration::from_secs(1)));
    service.stop(WATCHDOG)?;
    match answer {
        // The service had no descriptor for it, and stopped without.
        Err(error) if [Status::TimedOut, Status::Disconnected].contains(&error.status()) => {
            Err(Status::LimitReached.into())
        }
        answer => answer.map(drop),
    }
}

/// The number of the descriptor that comes next: all below are in use.
fn next_descriptor() -> u64 {
    std::fs::File::open("/dev/null").unwrap().as_raw_fd() as u64
}

pub fn use_up_descriptors(place: &Path) {
    // What is made once and stays.
    everything(place).unwrap();
    let whole = getrlimit(Resource::Nofile);
    let next = next_descriptor();
    let mut needed = None;
    for room in 0..200 {
        let guard = LeakGuard::new();
        setrlimit(Resource::Nofile, Rlimit { current: Some(next + room), ..whole }).unwrap();
        let answer = everything(place);
        setrlimit(Resource::Nofile, whole).unwrap();
        let left = guard.wait(
            &[LeakKind::Descriptor, LeakKind::Thread, LeakKind::SocketFile],
            Timeout::After(Duration::from_secs(10)),
        );
        assert!(left.is_empty(), "with room for {room} descriptors: {left:?}");
        assert!(
            std::fs::read_dir(place).unwrap().next().is_none(),
            "with room for {room} descriptors a file stays"
        );
        match answer {
            Ok(()) => {
                needed = Some(room);
                break;
            }
            Err(error) => {
                assert_eq!(error.status(), Status::LimitReached, "with room for {room} descriptors: {error}")
            }
        }
    }
    println!("needs {} descriptors", needed.expect("there is enough room at last"));
    everything(place).unwrap();
}

#[test]
fn each_call_that_lacks_a_descriptor_says_so_and_leaves_nothing() {
    let place = tempfile::tempdir().unwrap();
    Actor::start("use up descriptors", place.path()).ends_well();
}

/// Connects while there is no descriptor to accept it. When there are some again, and that was noticed, it is served.
fn connect_without_descriptors(name: &OsStr, was_noticed: impl Fn() -> bool) {
    let client = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
    let whole = getrlimit(Resource::Nofile);
    // What the other threads open and close meanwhile leaves no gap below: 0, 1 and 2 are in use.
    setrlimit(Resource::Nofile, Rlimit { current: Some(3), ..whole }).unwrap();
    rustix::net::connect(&client, &SocketAddrUnix::new(name).unwrap()).unwrap();
    until(was_noticed);
    setrlimit(Resource::Nofile, whole).unwrap();
    let mut client = UnixStream::from(client);
    client.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    client.write_all(b"x").unwrap();
    client.read_exact(&mut [0]).unwrap();
}

pub fn be_a_proxy_without_descriptors(place: &Path) {
    let echo = Fixture::start(Script::echo(), FixtureOptions::default()).unwrap();
    let resolved = |name: &OsStr| Name::resolve(name, Scope::Temporary).unwrap();
    let (name, target) = (resolved(place.join("proxy").as_os_str()), resolved(&echo.full_name().unwrap()));
    let proxy = Proxy::start(name, target, ProxyOptions::default()).unwrap();
    let (begun, told) = (Instant::now(), RefCell::new(Vec::new()));
    let was_noticed = || {
        told.borrow_mut().extend(proxy.take_failures());
        // It has tried again by then, which is no other failure.
        !told.borrow().is_empty() && begun.elapsed() >= Duration::from_millis(50)
    };
    connect_without_descriptors(&proxy.full_name().unwrap(), was_noticed);
    proxy.stop(WATCHDOG).unwrap();
    let told = [told.into_inner(), proxy.take_failures()].concat();
    assert_eq!(told.iter().filter(|failure| failure.contains("accept")).count(), 1, "{told:?}");
}

#[test]
fn a_proxy_that_lacked_a_descriptor_serves_who_waited_for_it() {
    let place = tempfile::tempdir().unwrap();
    Actor::start("be a proxy without descriptors", place.path()).ends_well();
}

pub fn be_a_fixture_without_descriptors(_place: &Path) {
    // With a clock that stands still, which is none of its accepts' business.
    let options = FixtureOptions { clock: Clock::manual(), ..FixtureOptions::default() };
    let echo = Fixture::start(Script::echo(), options).unwrap();
    let was_noticed = || echo.transcript().contains("accept");
    connect_without_descriptors(&echo.full_name().unwrap(), was_noticed);
    assert_eq!(echo.transcript().matches("accept").count(), 1);
}

#[test]
fn a_fixture_that_lacked_a_descriptor_serves_who_waited_for_it() {
    let place = tempfile::tempdir().unwrap();
    Actor::start("be a fixture without descriptors", place.path()).ends_well();
}

/// Sends more than the kernel takes, without a descriptor to wait with for the rest.
pub fn send_without_descriptors(_place: &Path) {
    const MUCH: usize = 4 << 20;
    let messages = Some(Arc::new(MessageOptions::new(Framing::BigEndian)));
    let (near, far) = Socket::pair(&SocketOptions { messages, ..SocketOptions::default() }).unwrap();
    let whole = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(next_descriptor()), ..whole }).unwrap();
    let first = near.send_message(&vec![1; MUCH], WATCHDOG);
    let second = near.send_message(&vec![2; MUCH], WATCHDOG);
    setrlimit(Resource::Nofile, whole).unwrap();
    // The peer has a part of the first, so it was accepted; of the second it has nothing.
    first.unwrap();
    assert_eq!(second.unwrap_err().status(), Status::LimitReached);
    assert_eq!(near.statistics().messages_sent, 1);
    std::thread::scope(|scope| {
        scope.spawn(|| near.send_message(b"third", WATCHDOG).unwrap());
        assert!(far.receive_message(WATCHDOG).unwrap().data == vec![1; MUCH]);
        assert_eq!(far.receive_message(WATCHDOG).unwrap().data, b"third");
    });
}

#[test]
fn a_message_whose_rest_cannot_be_waited_for_is_sent_once() {
    let place = tempfile::tempdir().unwrap();
    Actor::start("send without descriptors", place.path()).ends_well();
}

/// Is sent a descriptor that it has no room for: the bytes beside it are lost with it, so nothing after them is to be believed.
pub fn receive_without_descriptors(_place: &Path) {
    type Call<'a> = &'a dyn Fn(&Socket) -> Result<()>;
    let receives = |socket: &Socket| socket.receive_message(WATCHDOG).map(drop);
    // Who sends looks for the handshake.
    let sends = |socket: &Socket| socket.send_message(b"x", WATCHDOG);
    let cases: [(_, &[u8], Call<'_>); 3] = [
        (Framing::BigEndian, b"\0\0\0\x01x", &receives),
        (Framing::Checked, b"MOOR", &receives),
        (Framing::Checked, b"MOOR", &sends),
    ];
    for (framing, bytes, call) in cases {
        let (socket, peer) =
            against_plain(MessageOptions { max_descriptors: 1, ..MessageOptions::new(framing) });
        send_with(&peer, bytes, &[peer.as_fd()]).unwrap();
        let whole = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, Rlimit { current: Some(next_descriptor()), ..whole }).unwrap();
        let answer = call(&socket);
        setrlimit(Resource::Nofile, whole).unwrap();
        let error = answer.unwrap_err();
        assert_eq!(error.status(), Status::LimitReached, "{error}");
        assert!(error.to_string().contains("receive descriptors"), "{error}");
        assert_eq!(call(&socket).unwrap_err().status(), Status::Closed, "{framing:?}");
    }
}

#[test]
fn a_descriptor_that_cannot_be_received_ends_the_connection() {
    let place = tempfile::tempdir().unwrap();
    Actor::start("receive without descriptors", place.path()).ends_well();
}

/// A process that has so many bytes of memory more.
fn limit_memory(bytes: u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let used = status.lines().find_map(|line| line.strip_prefix("VmSize:")?.strip_suffix("kB")).unwrap();
    let limit = used.trim().parse::<u64>().unwrap() * 1024 + bytes;
    setrlimit(Resource::As, Rlimit { current: Some(limit), ..getrlimit(Resource::As) }).unwrap();
}

/// Plays more connections at once than it has memory for the threads of, with a server that never answers.
pub fn play_without_threads(name: &Path) {
    const CONNECTIONS: u64 = 64;
    let server = Server::new(ServerOptions::default());
    server.listen(name).unwrap();
    let each = |entry: fn(u64) -> String| (1..=CONNECTIONS).map(entry).collect::<String>();
    let opens = each(|number| format!("1 {number} open\n"));
    let answers = each(|number| format!("2 {number} to-client 41\n"));
    let ends = each(|number| format!("3 {number} close\n"));
    let recording = Recording::parse(format!("moorline-tap 1\n{opens}{answers}{ends}")).unwrap();
    let server_name = Name::resolve(name, Scope::Temporary).unwrap();
    let options = ReplayOptions { patience: Duration::from_secs(3600), ..ReplayOptions::default() };
    let (begun, whole, longest) = (Instant::now(), getrlimit(Resource::As), Duration::from_secs(60));
    limit_memory(16 << 20);
    let answer = recording.play_clients(&server_name, &options, Timeout::After(longest));
    setrlimit(Resource::As, whole).unwrap();
    let error = answer.unwrap_err();
    assert_eq!(error.status(), Status::LimitReached, "{error}");
    assert!(error.to_string().contains("thread"), "{error}");
    assert!(begun.elapsed() < longest, "those that had begun were waited for");
}

#[test]
fn a_replay_that_lacks_a_thread_says_so_and_ends_those_that_it_has() {
    let place = tempfile::tempdir().unwrap();
    Actor::start("play without threads", &place.path().join("server")).ends_well();
}

/// Takes ever more memory while it serves. Rust ends a process that has none.
pub fn use_up_memory(name: &Path) {
    let service = Service::echo(ServiceOptions::default()).unwrap();
    service.start(name).unwrap();
    println!("serves");
    limit_memory(4 << 20);
    let mut sockets = Vec::new();
    loop {
        match Socket::pair(&SocketOptions { send_queue_limit: 1 << 20, ..SocketOptions::default() }) {
            Ok((first, second)) => {
                let _ = first.send(&vec![0; 1 << 20], Timeout::None);
                sockets.push((first, second));
            }
            Err(error) => assert_eq!(error.status(), Status::LimitReached, "{error}"),
        }
    }
}

#[test]
fn a_server_that_ran_out_of_memory_leaves_its_name_to_the_next() {
    let place = tempfile::tempdir().unwrap();
    let name = place.path().join("server");
    for round in 0..(rounds() / 10).max(1) {
        let mut server = Actor::start("use up memory", &name);
        assert!(server.says("serves"), "round {round}");
        let (how, said) = server.end();
        assert!(!how.success() && said.contains("memory"), "round {round}: {how}: {said}");
        let next = Server::new(ServerOptions::default());
        next.listen(&name).unwrap();
        next.close().unwrap();
        assert!(std::fs::read_dir(place.path()).unwrap().next().is_none(), "round {round}: a file stays");
    }
}

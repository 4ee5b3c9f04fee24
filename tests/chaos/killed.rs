//! Servers and clients are killed at random moments.

use super::role::Actor;
use super::support::{WATCHDOG, status};
use super::{random, rounds};
use moorline::name::{Name, NameState};
use moorline::{
    Framing, MessageOptions, Scope, Server, ServerOptions, Service, ServiceOptions, Socket, SocketOptions,
    Status, Timeout,
};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

fn messages() -> Option<Arc<MessageOptions>> {
    Some(Arc::new(MessageOptions::new(Framing::Checked)))
}

fn socket_options() -> SocketOptions {
    SocketOptions { messages: messages(), ..SocketOptions::default() }
}

fn is_empty(directory: &Path) -> bool {
    std::fs::read_dir(directory).unwrap().next().is_none()
}

/// Takes the name again and again, echoes, and gives it back, so that it may be killed while it does any of that.
pub fn serve(name: &Path) {
    println!("starts");
    let mut seed = fastrand::Rng::with_seed(std::process::id().into());
    loop {
        let options = ServiceOptions { messages: messages(), ..ServiceOptions::default() };
        let service = Service::echo(options).unwrap();
        service.start(name).unwrap();
        std::thread::sleep(Duration::from_micros(seed.u64(0..2000)));
        service.stop(WATCHDOG).unwrap();
    }
}

/// Now and then more than the kernel takes at once, so that some clients are killed in the middle of a message.
fn length(number: u64) -> usize {
    if number % 8 == 7 { 300_000 } else { 1000 }
}

/// Sends numbered messages for as long as it lives.
pub fn send(name: &Path) {
    let socket = Socket::connect(name, &socket_options(), WATCHDOG).unwrap();
    for number in 0..=u64::MAX {
        let mut message = vec![number as u8; length(number)];
        message[..8].copy_from_slice(&number.to_be_bytes());
        socket.send_message(&message, WATCHDOG).unwrap();
    }
}

/// Talks to whoever has the name until that one has gone; tells how many answers came. Each is what was asked.
fn talk(name: &Path) -> u64 {
    let Ok(socket) = Socket::connect(name, &socket_options(), Timeout::After(Duration::from_millis(100)))
    else {
        return 0;
    };
    for number in 0..=u64::MAX {
        let answer = socket
            .send_message(&number.to_be_bytes(), WATCHDOG)
            .and_then(|()| socket.receive_message(WATCHDOG));
        match answer {
            Ok(message) => assert_eq!(message.data, number.to_be_bytes()),
            Err(error) => {
                let expected = [Status::Disconnected, Status::Malformed];
                assert!(expected.contains(&error.status()), "a killed server is {error}");
                return number;
            }
        }
    }
    unreachable!("the server lives for ever")
}

#[test]
fn the_name_of_a_killed_server_is_taken_at_once_and_nothing_stays() {
    let mut random = random("killed servers");
    let place = tempfile::tempdir().unwrap();
    let name = place.path().join("server");
    let (mut answers, mut dead) = (0, 0);
    for round in 0..rounds() {
        let mut server = Actor::start("serve", &name);
        assert!(server.says("starts"), "round {round}");
        let moment = Duration::from_micros(random.u64(0..10_000));
        answers += std::thread::scope(|scope| {
            let client = scope.spawn(|| talk(&name));
            // Not to wait for something: this is the random moment.
            std::thread::sleep(moment);
            server.kill();
            client.join().unwrap()
        });
        let state = Name::resolve(&name, Scope::Temporary).unwrap().state().unwrap();
        assert!([NameState::Absent, NameState::Dead].contains(&state), "round {round}: {state:?}");
        dead += u64::from(state == NameState::Dead);
        let next = Server::new(ServerOptions::default());
        next.listen(&name).unwrap_or_else(|error| panic!("round {round}, killed after {moment:?}: {error}"));
        next.close().unwrap();
        assert!(is_empty(place.path()), "round {round}, killed after {moment:?}: a file stays");
    }
    println!("killed {} servers, {dead} of them with the name; {answers} answers before", rounds());
}

/// What a killed client had sent is there, whole and in order, up to where it was killed.
#[test]
fn what_a_killed_client_had_sent_is_read_to_its_end() {
    let mut random = random("killed clients");
    let place = tempfile::tempdir().unwrap();
    let name = place.path().join("server");
    let server = Server::new(ServerOptions { messages: messages(), ..ServerOptions::default() });
    server.listen(&name).unwrap();
    let mut received = 0;
    for round in 0..rounds() {
        let client = Actor::start("send", &name);
        let socket = server.accept(WATCHDOG).unwrap();
        let moment = Duration::from_micros(random.u64(0..3000));
        let killer = std::thread::spawn(move || {
            std::thread::sleep(moment);
            client.kill();
        });
        let end = (0_u64..).find_map(|number| match socket.receive_message(WATCHDOG) {
            Ok(message) => {
                assert_eq!(message.data[..8], number.to_be_bytes(), "round {round}");
                assert!(
                    message.data.len() == length(number)
                        && message.data[8..].iter().all(|byte| *byte == number as u8)
                );
                received += 1;
                None
            }
            Err(error) => Some(error.status()),
        });
        // Malformed: it was killed in the middle of a message, which is said.
        assert!(
            [Some(Status::Disconnected), Some(Status::Malformed)].contains(&end),
            "round {round}: {end:?}"
        );
        killer.join().unwrap();
    }
    assert_eq!(status(server.accept(Timeout::None)), Status::WouldBlock);
    println!("killed {} clients after {received} messages", rounds());
}

/// Several processes race for one name, and are killed: at any time at most one has it, and in the end none.
#[test]
fn servers_that_race_for_a_name_are_killed() {
    let mut random = random("racing servers");
    let place = tempfile::tempdir().unwrap();
    let name = place.path().join("server");
    for round in 0..rounds() / 4 {
        // The losers of a race end by themselves: they find the name in use.
        let racers: Vec<Actor> = (0..3).map(|_| Actor::start("serve", &name)).collect();
        std::thread::sleep(Duration::from_micros(random.u64(0..15_000)));
        racers.into_iter().for_each(Actor::kill);
        let next = Server::new(ServerOptions::default());
        next.listen(&name).unwrap_or_else(|error| panic!("round {round}: {error}"));
        next.close().unwrap();
        assert!(is_empty(place.path()), "round {round}: a file stays");
    }
}

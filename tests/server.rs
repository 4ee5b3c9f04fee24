//! Names and servers.

mod support;

use moorline::{
    Framing, MessageOptions, Policy, Scope, Server, ServerOptions, Socket, SocketOptions, Status, Timeout,
};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::{fs, thread};
use support::contended::Contended;
use support::*;

/// By a file, and by a link that leads to itself.
#[test]
fn a_name_that_no_directory_leads_to_is_invalid() {
    let directory = tempfile::tempdir().unwrap();
    let ways = ["file", "link"].map(|name| directory.path().join(name));
    fs::write(&ways[0], "").unwrap();
    symlink("link", &ways[1]).unwrap();
    for way in ways {
        let name = way.join("server");
        assert_eq!(status(Server::new(ServerOptions::default()).listen(&name)), Status::NameInvalid);
        assert_eq!(status(Socket::connect(&name, &SocketOptions::default(), WATCHDOG)), Status::NameInvalid);
    }
}

/// The longest has no NUL behind it, and bind(2) takes it nevertheless.
#[test]
fn an_adopted_listener_has_its_name_up_to_the_longest_that_there_is() {
    let directory = tempfile::tempdir().unwrap();
    for length in 106..=108 {
        let path = directory.path().join("x".repeat(length - directory.path().as_os_str().len() - 1));
        let listener = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
        rustix::net::bind(&listener, &SocketAddrUnix::new(&path).unwrap()).unwrap();
        rustix::net::listen(&listener, 1).unwrap();
        let server = Server::new(ServerOptions::default());
        server.listen_descriptor(listener).unwrap();
        assert_eq!(server.full_name().unwrap(), path.as_os_str());
        connect(&server);
    }
}

#[test]
fn a_live_name_is_never_taken_and_goes_on_serving() {
    let first = listening(ServerOptions::default());
    let second = Server::new(ServerOptions::default());
    assert_eq!(status(second.listen(first.full_name().unwrap())), Status::NameInUse);
    let client = connect(&first);
    client.send(b"x", WATCHDOG).unwrap();
    let mut buffer = [0; 4];
    assert_eq!(first.accept(WATCHDOG).unwrap().receive(&mut buffer, WATCHDOG).unwrap(), 1);
}

#[test]
fn a_dead_name_is_recovered_and_nothing_else_is_touched() {
    let directory = tempfile::tempdir().unwrap();
    let dead = directory.path().join("dead");
    drop(UnixListener::bind(&dead).unwrap());
    let server = Server::new(ServerOptions::default());
    server.listen(&dead).unwrap();
    connect(&server);
    server.close().unwrap();
    assert!(!dead.exists());

    let file = directory.path().join("file");
    fs::write(&file, "precious").unwrap();
    symlink(&file, directory.path().join("link")).unwrap();
    fs::create_dir(directory.path().join("directory")).unwrap();
    for name in ["file", "link", "directory"] {
        assert_eq!(status(server.listen(directory.path().join(name))), Status::NameInUse, "{name}");
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 3);
}

#[test]
fn of_those_who_race_for_a_dead_name_exactly_one_wins_each_time() {
    const RACERS: usize = 4;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("name");
    let (start, end) = (Barrier::new(RACERS), Barrier::new(RACERS));
    let wins: Vec<usize> = thread::scope(|scope| {
        let race = |racer| {
            let (path, start, end) = (&path, &start, &end);
            scope.spawn(move || {
                let mut wins = 0;
                for _ in 0..100 {
                    if racer == 0 {
                        drop(UnixListener::bind(path).unwrap());
                    }
                    start.wait();
                    let server = Server::new(ServerOptions::default());
                    match status(server.listen(path)) {
                        Status::Ok => wins += 1,
                        Status::NameInUse => {}
                        other => panic!("{other:?}"),
                    }
                    end.wait();
                    drop(server);
                    start.wait();
                }
                wins
            })
        };
        let racers: Vec<_> = (0..RACERS).map(race).collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    });
    assert_eq!(wins.iter().sum::<usize>(), 100, "{wins:?}");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn permissions_are_exact_and_the_file_is_a_socket() {
    let directory = tempfile::tempdir().unwrap();
    for (mode, expected) in [(None, 0o600), (Some(0o777), 0o777), (Some(0o070), 0o070)] {
        let server = Server::new(ServerOptions { mode, ..ServerOptions::default() });
        let path = directory.path().join(format!("{expected:o}"));
        server.listen(&path).unwrap();
        let metadata = fs::metadata(&path).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o7777, expected);
        assert!(metadata.file_type().is_socket());
    }
    let server = Server::new(ServerOptions { mode: Some(0o4777), ..ServerOptions::default() });
    assert_eq!(status(server.listen_unique("x")), Status::InvalidArgument);
}

#[test]
fn options_of_messages_are_checked_before_anything_is_taken() {
    let directory = tempfile::tempdir().unwrap();
    let messages = MessageOptions { max_message: 0, ..MessageOptions::new(Framing::BigEndian) };
    let server =
        Server::new(ServerOptions { messages: Some(Arc::new(messages)), ..ServerOptions::default() });
    let path = directory.path().join("name");
    assert_eq!(status(server.listen(&path)), Status::InvalidArgument);
    assert!(!path.exists());
    let listener = UnixListener::bind(&path).unwrap();
    let same = listener.try_clone().unwrap();
    assert_eq!(status(server.listen_descriptor(same)), Status::InvalidArgument);
    // It may still block.
    let _client = UnixStream::connect(&path).unwrap();
    assert!(listener.accept().is_ok());
    assert_eq!(status(server.full_name()), Status::InvalidState);
}

#[test]
fn a_listener_of_the_standard_library_is_taken_over_and_its_file_stays() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("name");
    let server = Server::new(ServerOptions::default());
    server.listen_descriptor(UnixListener::bind(&path).unwrap()).unwrap();
    assert_eq!(server.full_name().unwrap(), path);
    let client = connect(&server);
    server.accept(WATCHDOG).unwrap().send(b"x", WATCHDOG).unwrap();
    assert_eq!(receive_exactly(&client, 1), b"x");
    server.close().unwrap();
    assert!(path.exists());
}

#[test]
fn long_paths_work_on_both_sides() {
    let directory = tempfile::tempdir().unwrap();
    let deep = directory.path().join("d".repeat(120)).join("e".repeat(200));
    fs::create_dir_all(&deep).unwrap();
    let server = Server::new(ServerOptions::default());
    server.listen(deep.join("n".repeat(255))).unwrap();
    connect(&server);
    server.accept(WATCHDOG).unwrap();
    server.close().unwrap();
    assert_eq!(fs::read_dir(&deep).unwrap().count(), 0);
}

#[test]
fn abstract_names_are_another_world() {
    let options = ServerOptions { scope: Scope::Abstract, ..ServerOptions::default() };
    let server = listening(options.clone());
    let name = server.full_name().unwrap();
    assert_eq!(status(Socket::connect(&name, &SocketOptions::default(), WATCHDOG)), Status::NotFound);
    let scope = SocketOptions { scope: Scope::Abstract, ..SocketOptions::default() };
    Socket::connect(&name, &scope, WATCHDOG).unwrap();
    assert_eq!(status(Server::new(options).listen(&name)), Status::NameInUse);
    drop(server);
    assert_eq!(status(Socket::connect(&name, &scope, WATCHDOG)), Status::ConnectionRefused);
}

#[test]
fn closing_ends_an_accept_and_the_server_can_listen_again() {
    let server = listening(ServerOptions::default());
    thread::scope(|scope| {
        let accepting = scope.spawn(|| status(server.accept(Timeout::Forever)));
        // Closed before or while the other thread waits: it must end either way.
        thread::yield_now();
        server.close().unwrap();
        assert!(matches!(accepting.join().unwrap(), Status::Closed | Status::InvalidState));
    });
    assert_eq!(status(server.full_name()), Status::InvalidState);
    server.listen_unique("again").unwrap();
    connect(&server);
}

#[test]
fn a_full_backlog_makes_connect_wait_until_its_deadline() {
    let server = listening(ServerOptions { backlog: Some(1), ..ServerOptions::default() });
    let name = server.full_name().unwrap();
    let mut waiting = Vec::new();
    let refused = loop {
        match Socket::connect(&name, &SocketOptions::default(), Timeout::None) {
            Ok(socket) => waiting.push(socket),
            Err(error) => break error,
        }
    };
    assert_eq!(refused.status(), Status::WouldBlock);
    let short = std::time::Duration::from_millis(50);
    let start = std::time::Instant::now();
    let waited = Socket::connect(&name, &SocketOptions::default(), Timeout::After(short));
    assert_eq!(status(waited), Status::TimedOut);
    assert!(start.elapsed() >= short);
    thread::scope(|scope| {
        let connecting = scope.spawn(|| status(Socket::connect(&name, &SocketOptions::default(), WATCHDOG)));
        while server.accept(Timeout::None).is_ok() || !connecting.is_finished() {}
        assert_eq!(connecting.join().unwrap(), Status::Ok);
    });
}

#[test]
fn a_connect_whose_time_is_over_is_tried_once() {
    let over = Timeout::After(std::time::Duration::from_nanos(1));
    let connect = |name: &std::ffi::OsStr| status(Socket::connect(name, &SocketOptions::default(), over));
    let server = listening(ServerOptions::default());
    let name = server.full_name().unwrap();
    assert_eq!(connect(&name), Status::Ok);
    drop(server);
    assert_eq!(connect(&name), Status::NotFound);
}

#[test]
fn a_client_that_has_left_before_accept_can_still_be_read() {
    let server = listening(ServerOptions::default());
    let client = connect(&server);
    client.send(b"last words", WATCHDOG).unwrap();
    drop(client);
    let accepted = server.accept(WATCHDOG).unwrap();
    assert_eq!(receive_exactly(&accepted, 10), b"last words");
    assert_eq!(status(accepted.receive(&mut [0; 1], WATCHDOG)), Status::Disconnected);
}

#[test]
fn a_policy_turns_others_away_and_counts_them() {
    let nobody = Policy::Custom(std::sync::Arc::new(|_| false));
    let server = listening(ServerOptions { policy: nobody, ..ServerOptions::default() });
    let client = connect(&server);
    let error = server.accept(WATCHDOG).err().unwrap();
    assert_eq!(error.status(), Status::PermissionDenied);
    assert_eq!(status(client.receive(&mut [0; 1], WATCHDOG)), Status::Disconnected);
    assert_eq!((server.statistics().accepted, server.statistics().refused), (0, 1));

    let server = listening(ServerOptions { policy: Policy::SameUser, ..ServerOptions::default() });
    let _client = connect(&server);
    server.accept(WATCHDOG).unwrap();
    assert_eq!((server.statistics().accepted, server.statistics().refused), (1, 0));
}

#[test]
fn exactly_so_many_wait_as_the_backlog_says() {
    for backlog in [1, 2, 5] {
        let server = listening(ServerOptions { backlog: Some(backlog), ..ServerOptions::default() });
        let name = server.full_name().unwrap();
        let mut waiting = Vec::new();
        while let Ok(socket) = Socket::connect(&name, &SocketOptions::default(), Timeout::None) {
            waiting.push(socket);
        }
        assert_eq!(waiting.len() as u32, backlog);
    }
}

/// A claim gives up after a second, which a busy machine may take from it. One that others wait for always does.
const ATTEMPTS: usize = 5;

#[test]
fn nobody_waits_for_a_call_that_claims_a_name() {
    for _ in 0..ATTEMPTS {
        let contended = Contended::new();
        let server = Server::new(ServerOptions::default());
        let (listened, meanwhile) = std::thread::scope(|scope| {
            let listens = scope.spawn(|| status(server.listen(contended.name())));
            contended.until_claimed(|| listens.is_finished());
            let meanwhile = [
                status(server.accept(Timeout::None)),
                status(server.full_name()),
                status(server.descriptor()),
                status(server.listen_unique("other")),
            ];
            contended.release();
            (listens.join().unwrap(), meanwhile)
        });
        if listened == Status::Ok {
            assert_eq!(meanwhile, [Status::InvalidState; 4]);
            assert_eq!(server.full_name().unwrap(), contended.name());
            return;
        }
        assert_eq!(listened, Status::NameInUse);
    }
    panic!("the claim was always held up");
}

#[test]
fn who_closes_a_server_while_it_claims_a_name_ends_that() {
    for _ in 0..ATTEMPTS {
        let contended = Contended::new();
        let server = Server::new(ServerOptions::default());
        let listened = std::thread::scope(|scope| {
            let listens = scope.spawn(|| status(server.listen(contended.name())));
            contended.until_claimed(|| listens.is_finished());
            server.close().unwrap();
            contended.release();
            listens.join().unwrap()
        });
        assert_eq!(status(server.full_name()), Status::InvalidState);
        if listened == Status::Closed {
            // The dead one stays if the claim ended before it was free.
            assert!(contended.files() <= 1);
            server.listen(contended.name()).unwrap();
            return;
        }
        assert_eq!(listened, Status::NameInUse);
    }
    panic!("the claim was always held up");
}

/// Whatever keeps the claim, which somebody else holds up here until the end.
#[test]
fn who_makes_a_server_listen_that_is_closed_does_not_wait_for_the_name_any_longer() {
    for _ in 0..ATTEMPTS {
        let contended = Contended::new();
        let server = Server::new(ServerOptions::default());
        let (was_over, listened) = thread::scope(|scope| {
            let listens = scope.spawn(|| status(server.listen(contended.name())));
            contended.until_claimed(|| listens.is_finished());
            let was_over = listens.is_finished();
            server.close().unwrap();
            (was_over, listens.join().unwrap())
        });
        if !was_over {
            assert_eq!((listened, contended.files()), (Status::Closed, 1));
            return;
        }
    }
    panic!("the claim was always held up");
}

#[test]
fn when_a_server_is_closed_that_another_thread_makes_listen_its_name_does_not_come_any_more() {
    const ROUNDS: usize = 2000;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("name");
    let server = Server::new(ServerOptions::default());
    let meeting = Barrier::new(2);
    thread::scope(|scope| {
        let listening = scope.spawn(|| {
            for _ in 0..ROUNDS {
                meeting.wait();
                let listened = status(server.listen(&path));
                meeting.wait();
                // Who came after the close has the name still.
                meeting.wait();
                assert!([Status::Ok, Status::Closed].contains(&listened), "{listened:?}");
                server.close().unwrap();
            }
        });
        let mut late = 0;
        for round in 0..ROUNDS {
            meeting.wait();
            // What listens does so in the middle of this, sooner or later.
            for _ in 0..round % 50 {
                let _ = path.exists();
            }
            server.close().unwrap();
            let seen = (0..20).filter(|_| path.exists()).count();
            meeting.wait();
            late += usize::from(seen > 0 && server.full_name().is_err());
            meeting.wait();
        }
        listening.join().unwrap();
        assert_eq!(late, 0);
    });
}

/// Whichever of them removes the file.
#[test]
fn when_one_of_two_that_close_a_server_has_done_so_the_name_is_free() {
    const ROUNDS: usize = 2000;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("name");
    let server = Server::new(ServerOptions::default());
    let meeting = Barrier::new(2);
    let close = || {
        meeting.wait();
        server.close().unwrap();
        let is_free = !path.exists();
        meeting.wait();
        is_free
    };
    let free = thread::scope(|scope| {
        let other = scope.spawn(|| (0..ROUNDS).filter(|_| close()).count());
        let free = (0..ROUNDS)
            .filter(|_| {
                server.listen(&path).unwrap();
                close()
            })
            .count();
        [free, other.join().unwrap()]
    });
    assert_eq!(free, [ROUNDS; 2]);
}

#[test]
fn a_link_that_is_turned_all_the_time_costs_no_live_server_its_name() {
    const TRIES: usize = 4000;
    let root = tempfile::tempdir().unwrap();
    let [live, empty, link, next] = ["live", "empty", "link", "next"].map(|name| root.path().join(name));
    fs::create_dir(&live).unwrap();
    fs::create_dir(&empty).unwrap();
    symlink(&live, &link).unwrap();
    let server = Server::new(ServerOptions::default());
    server.listen(live.join("name")).unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for target in [&empty, &live].into_iter().cycle() {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                symlink(target, &next).unwrap();
                fs::rename(&next, &link).unwrap();
            }
        });
        let unharmed = (0..TRIES).all(|_| {
            let other = status(Server::new(ServerOptions::default()).listen(link.join("name")));
            [Status::Ok, Status::NameInUse].contains(&other) && live.join("name").exists()
        });
        done.store(true, Ordering::Relaxed);
        assert!(unharmed);
    });
    let files = |directory: &Path| directory.read_dir().unwrap().count();
    assert_eq!((files(&live), files(&empty)), (1, 0));
    drop(connect(&server));
    server.accept(WATCHDOG).unwrap();
}

//! Leaks of descriptors, threads and socket files. In a process of their own, one after another: what is looked at is the process's.

mod support;

use moorline::testkit::LeakGuard;
use moorline::testkit::leaks::{Age, LeakKind};
use moorline::{Server, ServerOptions, Service, ServiceOptions, Timeout};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::os::unix::net::UnixListener;
use std::sync::mpsc;
use support::WATCHDOG;

/// All in one test, as tests of one process run at the same time.
#[test]
fn what_is_left_is_told_and_what_is_not_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let guard = LeakGuard::new();
    assert_eq!(guard.look(&LeakKind::ALL), []);

    // A descriptor.
    let file = std::fs::File::create(directory.path().join("a file")).unwrap();
    let [leak] = &guard.look(&LeakKind::ALL)[..] else { panic!("one leak") };
    assert_eq!(leak.kind, LeakKind::Descriptor);
    assert!(leak.name.contains("a file"), "{leak}");
    assert!(matches!(leak.age, Age::AtMost(age) if age <= guard.age()));
    drop(file);
    assert_eq!(guard.look(&LeakKind::ALL), []);

    // A file that was open before, and has another name now, or none.
    let (path, moved) = (directory.path().join("log"), directory.path().join("log.1"));
    let log = std::fs::File::create(&path).unwrap();
    let later = LeakGuard::new();
    std::fs::rename(&path, &moved).unwrap();
    assert_eq!(later.look(&LeakKind::ALL), []);
    std::fs::remove_file(&moved).unwrap();
    assert_eq!(later.look(&LeakKind::ALL), []);
    drop(log);

    // All descriptors that there may be: none is left to list them with.
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(64), ..limit }).unwrap();
    let files: Vec<_> = std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect();
    let leaks = guard.look(&[LeakKind::Descriptor]);
    setrlimit(Resource::Nofile, limit).unwrap();
    assert_eq!((leaks.len(), files.is_empty()), (files.len(), false));
    drop(files);
    assert_eq!(guard.look(&LeakKind::ALL), []);

    // A thread, which goes while the guard waits.
    let (release, released) = mpsc::channel::<()>();
    let (running, runs) = mpsc::channel();
    let thread = std::thread::Builder::new()
        .name("forgotten".to_owned())
        .spawn(move || {
            running.send(()).unwrap();
            let _ = released.recv();
        })
        .unwrap();
    runs.recv().unwrap();
    let leaks = guard.look(&[LeakKind::Thread]);
    assert_eq!(leaks.len(), 1);
    assert!(leaks[0].name.contains("forgotten"), "{}", leaks[0]);
    assert_eq!(guard.look(&[LeakKind::SocketFile]), []);
    std::thread::scope(|scope| {
        scope.spawn(|| drop(release));
        assert_eq!(guard.wait(&[LeakKind::Descriptor], WATCHDOG), []);
    });
    thread.join().unwrap();
    assert_eq!(guard.wait(&LeakKind::ALL, WATCHDOG), []);

    // A thread whose name was cut in the middle of a character.
    let (release, released) = mpsc::channel::<()>();
    let (running, runs) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        rustix::thread::set_name(c"\xc3\xbcberwachung-\xc3").unwrap();
        running.send(()).unwrap();
        let _ = released.recv();
    });
    runs.recv().unwrap();
    let leaks = guard.look(&[LeakKind::Thread]);
    assert!(leaks.len() == 1 && leaks[0].name.contains("\u{fc}berwachung-\u{fffd}"), "{leaks:?}");
    drop(release);
    thread.join().unwrap();
    assert_eq!(guard.wait(&LeakKind::ALL, WATCHDOG), []);

    // A socket file of ours: exactly as old as it is, with its descriptor.
    let server = Server::new(ServerOptions::default());
    server.listen_unique("leak").unwrap();
    let leaks = guard.look(&LeakKind::ALL);
    let file = leaks.iter().find(|leak| leak.kind == LeakKind::SocketFile).unwrap();
    assert_eq!(file.name, server.full_name().unwrap().to_string_lossy());
    assert!(matches!(file.age, Age::Exactly(_)));
    assert!(leaks.iter().any(|leak| leak.kind == LeakKind::Descriptor));
    let later = LeakGuard::new();
    assert_eq!(later.look(&LeakKind::ALL), []);
    server.close().unwrap();
    assert_eq!(guard.look(&LeakKind::ALL), []);

    // A socket file of somebody else's.
    let path = directory.path().join("foreign");
    let foreign = UnixListener::bind(&path).unwrap();
    let leaks = guard.look(&[LeakKind::SocketFile]);
    assert_eq!(leaks.len(), 1);
    assert!(leaks[0].name.ends_with("foreign"));
    drop(foreign);

    // A service leaves nothing once it is dropped.
    let service = Service::echo(ServiceOptions::default()).unwrap();
    service.start_unique("leak").unwrap();
    // A thread takes its name after it has begun.
    while !guard.look(&[LeakKind::Thread]).iter().any(|leak| leak.name.contains("moorline-0")) {}
    let text = guard.look(&[LeakKind::SocketFile])[0].to_string();
    assert!(text.starts_with("socket file /") && text.ends_with(" s old"), "{text}");
    drop(service);
    assert_eq!(guard.wait(&LeakKind::ALL, WATCHDOG), []);
    assert_eq!(guard.wait(&LeakKind::ALL, Timeout::None), []);
}

//! `serve -- COMMAND`: a process for each connection, whose standard input and output the connection is.

use crate::support::{Place, Running, WATCHDOG, is_installed, read_exactly, read_to_end};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::Shutdown;
use std::time::Instant;

/// Runs a shell's line once for each connection.
fn serve(place: &Place, options: &[&str], line: &str) -> Running {
    Running::serve(place, &[&["command", "--json"], options, &["--", "sh", "-c", line]].concat())
}

/// What one client gets that says this.
fn ask(place: &Place, says: &[u8]) -> String {
    let mut stream = place.connect("command");
    // The command may have ended in the middle of it.
    let _ = stream.write_all(says);
    let _ = stream.shutdown(Shutdown::Write);
    String::from_utf8_lossy(&read_to_end(&mut stream)).into_owned()
}

/// Waits for something that the system does in its own time.
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < WATCHDOG, "never: {what}");
        std::thread::yield_now();
    }
}

/// Whether the process runs. One that has ended and was not waited for does not.
fn runs(process: &str) -> bool {
    fs::read_to_string(format!("/proc/{process}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z'))
}

fn children(process: u32) -> String {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).unwrap().flatten();
    tasks.map(|task| fs::read_to_string(task.path().join("children")).unwrap_or_default()).collect()
}

#[test]
fn each_connection_has_a_command_of_its_own() {
    let place = Place::new();
    let server = Running::serve(&place, &["command", "--json", "--", "cat"]);
    let mut waiting = place.connect("command");
    let large = "x".repeat(1_000_000);
    // More than the sockets hold: both directions at once.
    let mut stream = place.connect("command");
    let mut writer = stream.try_clone().unwrap();
    std::thread::scope(|threads| {
        threads.spawn(|| {
            writer.write_all(large.as_bytes()).unwrap();
            writer.shutdown(Shutdown::Write).unwrap();
        });
        assert!(read_to_end(&mut stream) == large.as_bytes());
    });
    waiting.write_all(b"late").unwrap();
    assert_eq!(read_exactly(&mut waiting, 4), b"late");
    waiting.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&mut waiting), b"");
    let ended = server.interrupt();
    let report = ended.json();
    assert_eq!((ended.code, &report["connections"], &report["succeeded"]), (Some(0), &2.into(), &2.into()));
    assert_eq!((&report["failed"], &report["killed"]), (&0.into(), &0.into()));
    assert!(!place.path("command").exists());
}

#[test]
fn it_knows_its_client_by_its_environment() {
    let place = Place::new();
    let line =
        "echo $MOORLINE_NAME $MOORLINE_CONNECTION $MOORLINE_PEER_UID $MOORLINE_PEER_GID $MOORLINE_PEER_PID";
    let server = serve(&place, &["--connections", "2"], line);
    let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    for connection in [1, 2] {
        let expected = format!("{} {connection} {uid} {gid} {}\n", server.name, std::process::id());
        assert_eq!(ask(&place, b""), expected);
    }
    let ended = server.wait();
    assert_eq!((ended.code, &ended.json()["succeeded"]), (Some(0), &2.into()));
}

#[test]
fn a_command_that_fails_is_told_of() {
    let place = Place::new();
    let server = serve(&place, &[], "read line; test \"$line\" = good || exit 3");
    ask(&place, b"good\n");
    ask(&place, b"bad\n");
    let told = server.error();
    assert!(told.contains("connection 2: process ") && told.contains("exit status 3"), "{told}");
    let ended = server.interrupt();
    let report = ended.json();
    assert_eq!((ended.code, &report["succeeded"], &report["failed"]), (Some(1), &1.into(), &1.into()));
    assert_eq!(report["failures"][0]["connection"], 2);

    let server = serve(&place, &["--connections", "1"], "kill -KILL $$");
    ask(&place, b"");
    let ended = server.wait();
    assert_eq!(ended.code, Some(1));
    assert!(ended.errors.contains("signal: 9"), "{}", ended.errors);
}

#[test]
fn a_client_that_leaves_early_is_no_failure_of_the_command() {
    let place = Place::new();
    let server = serve(&place, &["--connections", "1"], "exec yes");
    let mut stream = place.connect("command");
    read_exactly(&mut stream, 10);
    drop(stream);
    let ended = server.wait();
    let report = ended.json();
    assert_eq!((ended.code, &report["client_left"], &report["failed"]), (Some(0), &1.into(), &0.into()));
}

#[test]
fn a_command_that_is_not_there_is_told_before_anybody_comes() {
    let place = Place::new();
    let file = place.file("not-executable", "");
    for command in ["no-such-command", "/no/such/command", &file] {
        let (code, text) = place.fails(&["serve", "command", "--", command]);
        assert_eq!(code, Some(1));
        assert!(text.contains(command) && text.contains("no such command"), "{text}");
    }
    assert!(!place.path("command").exists());
    // That it cannot be run after all is seen when it is.
    let script = place.file("script", "#!/no/such/shell\n");
    fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let server = Running::serve(&place, &["command", "--connections", "1", "--", &script]);
    assert_eq!(ask(&place, b""), "");
    let ended = server.wait();
    assert_eq!(ended.code, Some(1));
    assert!(ended.errors.contains("connection 1: start "), "{}", ended.errors);
}

#[test]
fn an_interrupt_ends_the_input_and_waits_for_the_commands() {
    for signal in ["-INT", "-TERM", "-HUP"] {
        let place = Place::new();
        let server = serve(&place, &["--linger", "9999"], "echo ready; cat; echo bye");
        let mut stream = place.connect("command");
        read_exactly(&mut stream, 6);
        server.signal(signal);
        assert_eq!(read_to_end(&mut stream), b"bye\n");
        let ended = server.wait();
        let report = ended.json();
        assert_eq!((ended.code, &report["succeeded"], &report["killed"]), (Some(0), &1.into(), &0.into()));
        assert!(!place.path("command").exists());
    }
}

/// A command that does not care about its input, and what it has started itself.
const DEAF: &str = "trap '' TERM HUP INT; sleep 9999 & echo $$ $!; sleep 9999";

#[test]
fn what_does_not_end_is_killed_after_the_linger_with_all_it_started() {
    let place = Place::new();
    let server = serve(&place, &["--linger", "10ms"], DEAF);
    let stream = place.connect("command");
    let mut line = String::new();
    BufReader::new(&stream).read_line(&mut line).unwrap();
    let processes: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(processes.len(), 2);
    assert!(processes.iter().all(|process| runs(process)));
    let ended = server.interrupt();
    assert_eq!((ended.code, &ended.json()["killed"]), (Some(0), &1.into()));
    // Whoever adopts a process that was killed waits for it in its own time.
    eventually("they end", || !processes.iter().any(|process| runs(process)));
}

#[test]
fn a_command_that_has_joined_another_process_group_is_killed_as_well() {
    if !is_installed("python3") {
        return;
    }
    let place = Place::new();
    // That of whoever serves. It ends in time where nobody kills it.
    let join = "import os, time; os.setpgid(0, os.getpgid(os.getppid())); print(os.getpid(), flush=True); time.sleep(60)";
    let server =
        Running::serve(&place, &["command", "--json", "--linger", "10ms", "--", "python3", "-c", join]);
    let stream = place.connect("command");
    BufReader::new(&stream).read_line(&mut String::new()).unwrap();
    let ended = server.interrupt();
    assert_eq!((ended.code, &ended.json()["killed"]), (Some(0), &1.into()));
}

#[test]
fn commands_are_waited_for_also_where_their_signal_was_ignored_at_the_start() {
    let place = Place::new();
    let mut command = place.any_command("bash");
    let line = "trap '' CHLD; exec \"$0\" serve command --json --connections 1 -- sh -c 'echo in; exit 3'";
    command.args(["-c", line, env!("CARGO_BIN_EXE_moorline")]);
    let server = Running::of(command);
    assert_eq!(ask(&place, b""), "in\n");
    let ended = server.wait();
    assert_eq!(ended.code, Some(1));
    assert!(ended.errors.contains("exit status 3"), "{}", ended.errors);
}

#[test]
fn another_interrupt_ends_the_linger() {
    let place = Place::new();
    let server = serve(&place, &["--linger", "9999"], DEAF);
    let stream = place.connect("command");
    let mut reader = BufReader::new(&stream);
    reader.read_line(&mut String::new()).unwrap();
    server.signal("-INT");
    // The name has gone: it waits for the command now.
    eventually("it lingers", || !place.path("command").exists());
    let ended = server.interrupt();
    assert_eq!((ended.code, &ended.json()["killed"]), (Some(0), &1.into()));
}

#[test]
fn no_process_and_no_descriptor_is_left_of_a_connection() {
    let place = Place::new();
    let server = serve(&place, &[], "true");
    let descriptors = || fs::read_dir(format!("/proc/{}/fd", server.id())).unwrap().count();
    ask(&place, b"");
    eventually("the first one ends", || children(server.id()).is_empty());
    let before = descriptors();
    for _ in 0..20 {
        ask(&place, b"");
    }
    // What is made when first needed is there to stay, but not one for each connection.
    eventually("all end", || children(server.id()).is_empty() && descriptors() < before + 5);
    assert_eq!(server.interrupt().code, Some(0));
}

#[test]
fn a_command_has_the_descriptors_and_limits_of_whoever_serves_and_no_more() {
    let place = Place::new();
    let look = "ulimit -Sn; ls /proc/$$/fd";
    let line = "ulimit -Sn 300; exec \"$0\" serve command --connections 1 -- sh -c \"$1\"";
    let mut command = place.any_command("sh");
    command.args(["-c", line, env!("CARGO_BIN_EXE_moorline"), look]);
    let server = Running::of(command);
    // Standard input, output and error, and whatever this test was started with.
    let mut without = place.any_command("sh");
    without.args(["-c", &format!("ulimit -Sn 300; exec sh -c '{look}'")]);
    let expected = String::from_utf8(without.output().unwrap().stdout).unwrap();
    assert_eq!(ask(&place, b""), expected);
    assert!(expected.starts_with("300\n0\n1\n"), "{expected}");
    assert_eq!(server.wait().code, Some(0));
}

/// Whether the one before has ended just then is the system's choice, so there are many runs.
#[test]
fn the_last_command_has_its_time_also_when_the_one_before_ends_while_it_is_started() {
    let place = Place::new();
    for _ in 0..40 {
        let server = Running::serve(&place, &["command", "--json", "--connections", "2", "--", "cat"]);
        let mut first = place.connect("command");
        first.write_all(b"first").unwrap();
        assert_eq!(read_exactly(&mut first, 5), b"first");
        first.shutdown(Shutdown::Write).unwrap();
        let mut last = place.connect("command");
        assert_eq!(read_to_end(&mut first), b"");
        // It has ended, of which everybody has been told who is told.
        eventually("one command at most", || children(server.id()).split_whitespace().count() <= 1);
        last.write_all(b"last").unwrap();
        assert_eq!(read_exactly(&mut last, 4), b"last");
        drop(last);
        let ended = server.wait();
        assert_eq!((ended.code, &ended.json()["succeeded"]), (Some(0), &2.into()));
    }
}

#[test]
fn more_connections_than_may_be_at_once_are_refused() {
    let place = Place::new();
    let server = serve(&place, &["--max-connections", "1"], "echo in; cat");
    let mut first = place.connect("command");
    read_exactly(&mut first, 3);
    assert_eq!(ask(&place, b""), "");
    first.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&mut first), b"");
    eventually("another is let in", || ask(&place, b"") == "in\n");
    let report = server.interrupt().json();
    assert_eq!(report["connections"], 2);
    assert!(report["refused"].as_u64().unwrap() >= 1, "{report}");
}

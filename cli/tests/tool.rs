//! The tool as a person uses it: real processes, in a directory of their own.

#![forbid(unsafe_code)]

use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Far longer than anything takes, on however busy a machine; only a defect reaches it.
const WATCHDOG: Duration = Duration::from_secs(60);

/// A directory that is the temp and the runtime directory of the tool's processes.
struct Place(TempDir);

impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_moorline"));
        let runtime = self.path("runtime");
        fs::create_dir_all(&runtime).unwrap();
        fs::set_permissions(&runtime, fs::Permissions::from_mode(0o700)).unwrap();
        command.args(arguments).env("TMPDIR", self.0.path()).env("XDG_RUNTIME_DIR", runtime);
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).stdin(Stdio::null()).output().unwrap()
    }

    fn json(&self, arguments: &[&str]) -> (Value, Option<i32>) {
        let output = self.run(arguments);
        let text = String::from_utf8(output.stdout).unwrap();
        (serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")), output.status.code())
    }

    /// A name that a server left behind.
    fn dead(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        drop(UnixListener::bind(&path).unwrap());
        path
    }
}

/// `moorline serve`, ended by a signal at the end of the test.
struct Server {
    process: Child,
    output: BufReader<ChildStdout>,
    name: String,
}

impl Server {
    fn start(place: &Place, arguments: &[&str]) -> Server {
        let all = [&["serve"], arguments].concat();
        let mut process = place.command(&all).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut name = String::new();
        output.read_line(&mut name).unwrap();
        Server { process, output, name: name.trim_end().to_owned() }
    }

    fn interrupt(mut self) -> (String, Option<i32>) {
        let status = Command::new("kill").args(["-INT", &self.process.id().to_string()]).status().unwrap();
        assert!(status.success());
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        (rest, self.process.wait().unwrap().code())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already, or the test has failed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn converse(place: &Place, arguments: &[&str], input: &[u8]) -> Output {
    let all = [&["connect"], arguments].concat();
    let mut process = place
        .command(&all)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin: ChildStdin = process.stdin.take().unwrap();
    // A process that has ended already reads nothing.
    let _ = stdin.write_all(input);
    drop(stdin);
    process.wait_with_output().unwrap()
}

#[test]
fn an_echo_gives_back_what_is_sent_and_leaves_nothing_behind() {
    let place = Place::new();
    let server = Server::start(&place, &["echo", "--json"]);
    assert_eq!(server.name, place.path("echo").to_str().unwrap());
    let large = vec![b'x'; 1 << 20];
    for input in [&b"hello\n"[..], b"", &large] {
        let answer = converse(&place, &["echo"], input);
        assert!(answer.status.success(), "{answer:?}");
        assert!(answer.stdout == input);
    }
    let file = place.path("input");
    fs::write(&file, "from a file").unwrap();
    let answer = place.run(&["connect", "echo", "--file", file.to_str().unwrap()]);
    assert_eq!((&answer.stdout[..], answer.status.code()), (&b"from a file"[..], Some(0)));

    let (report, code) = server.interrupt();
    assert_eq!(code, Some(0));
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!((&report["accepted"], &report["unsent"]), (&4.into(), &0.into()));
    assert!(!place.path("echo").exists());
}

#[test]
fn a_sink_answers_nothing_and_a_name_is_made_where_none_is_given() {
    let place = Place::new();
    let server = Server::start(&place, &["--mode", "sink"]);
    assert!(server.name.starts_with(place.path("moorline-").to_str().unwrap()), "{}", server.name);
    let answer = converse(&place, &[&server.name], b"swallowed");
    assert_eq!((&answer.stdout[..], answer.status.code()), (&b""[..], Some(0)));
    let (_, code) = server.interrupt();
    assert_eq!(code, Some(0));
}

#[test]
fn messages_are_lines_at_the_terminal_whatever_they_are_on_the_wire() {
    for framing in ["big-endian", "little-endian", "lines", "checked"] {
        let place = Place::new();
        let server = Server::start(&place, &["messages", "--framing", framing, "--application", "test"]);
        let arguments = ["messages", "--framing", framing, "--application", "test"];
        let answer = converse(&place, &arguments, b"one\n\nthree\n");
        assert_eq!(
            (&answer.stdout[..], answer.status.code()),
            (&b"one\n\nthree\n"[..], Some(0)),
            "{framing}"
        );
        drop(server);
    }
}

#[test]
fn what_fails_says_what_and_why() {
    let place = Place::new();
    let answer = place.run(&["connect", "nobody"]);
    assert_eq!(answer.status.code(), Some(1));
    let text = String::from_utf8(answer.stderr).unwrap();
    assert!(text.contains(place.path("nobody").to_str().unwrap()), "{text}");

    let server = Server::start(&place, &["taken"]);
    let answer = place.run(&["serve", "taken"]);
    assert_eq!(answer.status.code(), Some(1));
    drop(server);

    let server = Server::start(&place, &["checked", "--framing", "checked", "--application", "one"]);
    let answer = converse(&place, &["checked", "--framing", "checked", "--application", "two"], b"x\n");
    assert_eq!(answer.status.code(), Some(1));
    let text = String::from_utf8(answer.stderr).unwrap();
    assert!(text.contains("one") && text.contains("two"), "{text}");
    drop(server);

    for wrong in
        [&["exchange", "--connections", "many"][..], &["no-such-command"], &["serve", "--mode", "shout"]]
    {
        assert_eq!(place.run(wrong).status.code(), Some(2), "{wrong:?}");
    }
}

#[test]
fn an_exchange_is_verified_and_reported() {
    let place = Place::new();
    let arguments = ["exchange", "--connections", "3", "--chunk", "1000", "--round-trips", "30", "--json"];
    let (report, code) = place.json(&arguments);
    assert_eq!(code, Some(0));
    assert_eq!(report["right"], true);
    let row = &report["rows"][0];
    assert_eq!(
        (&row["connections"], &row["round_trips"], &row["bytes_received"]),
        (&3.into(), &30.into(), &30_000.into())
    );

    let table = place.run(&["exchange", "--chunk", "10"]);
    let text = String::from_utf8(table.stdout).unwrap();
    assert!(text.contains("data, 1 x 10 B"), "{text}");

    let page = place.path("report.html");
    let page = page.to_str().unwrap();
    assert!(place.run(&["exchange", "--connections", "2", "--report", page]).status.success());
    let page = fs::read_to_string(page).unwrap();
    assert_eq!((page.matches("<rect").count(), page.matches("ping-pong, 2").count()), (1, 2), "{page}");

    // A server that answers something else.
    let listener = UnixListener::bind(place.path("liar")).unwrap();
    let liar = std::thread::spawn(move || {
        let (mut stream, _): (UnixStream, _) = listener.accept().unwrap();
        stream.read_exact(&mut [0; 4]).unwrap();
        stream.write_all(b"lies").unwrap();
    });
    let arguments = ["exchange", "liar", "--chunk", "4", "--round-trips", "1", "--json"];
    let (report, code) = place.json(&arguments);
    assert_eq!((&report["right"], code), (&false.into(), Some(1)));
    liar.join().unwrap();
}

#[test]
fn a_terminal_sees_the_progress() {
    let place = Place::new();
    let tool = env!("CARGO_BIN_EXE_moorline");
    let exchange = format!("{tool} exchange --connections 2 --round-trips 200000");
    let run = Command::new("script")
        .args(["--quiet", "--return", "--command", &exchange, "/dev/null"])
        .env("TMPDIR", place.0.path())
        .env("TERM", "xterm")
        .stdin(Stdio::null())
        .output();
    let Ok(output) = run else {
        eprintln!("skipped: script(1) is not installed");
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("ping-pong, 2") && text.contains(" %"), "{text}");
    assert!(output.status.success());
}

#[test]
fn ls_shows_the_living_and_the_dead() {
    let place = Place::new();
    let server = Server::start(&place, &["alive"]);
    let dead = place.dead("dead");
    fs::write(place.path("file"), "no socket").unwrap();
    let client = UnixStream::connect(&server.name).unwrap();
    let filter = place.0.path().to_str().unwrap();
    // Between the server's accepting and the kernel's showing it a connection is neither waiting nor open.
    let connected = |list: &Value| list.as_array().unwrap().iter().any(|entry| entry["connections"] == 1);
    let start = Instant::now();
    let (list, code) = loop {
        let (list, code) = place.json(&["ls", filter, "--json"]);
        if connected(&list) || start.elapsed() > WATCHDOG {
            break (list, code);
        }
    };
    assert_eq!(code, Some(0));
    let list = list.as_array().unwrap();
    assert_eq!(list.len(), 2, "{list:?}");
    let find = |path: &str| list.iter().find(|entry| entry["path"] == path).unwrap();
    let alive = find(&server.name);
    assert_eq!((&alive["state"], &alive["name"]), (&"live".into(), &"alive".into()));
    assert_eq!((&alive["pid"], &alive["program"]), (&server.process.id().into(), &"moorline".into()));
    assert_eq!(alive["connections"], 1);
    assert_eq!(find(dead.to_str().unwrap())["state"], "dead");

    // A server whose file somebody has removed, and an abstract one.
    fs::remove_file(&server.name).unwrap();
    let name = format!("{filter}/abstract");
    let hidden = Server::start(&place, &[&name, "--scope", "abstract"]);
    let (list, _) = place.json(&["ls", filter, "--json"]);
    let states: Vec<_> =
        list.as_array().unwrap().iter().map(|entry| (&entry["state"], &entry["abstract"])).collect();
    let [live, dead, unlinked] = ["live", "dead", "unlinked"].map(Value::from);
    let (yes, no) = (Value::from(true), Value::from(false));
    for expected in [(&unlinked, &no), (&dead, &no), (&live, &yes)] {
        assert!(states.contains(&expected), "{list}");
    }
    drop(hidden);

    let table = String::from_utf8(place.run(&["ls", filter]).stdout).unwrap();
    assert_eq!(table.lines().count(), 3, "{table}");
    assert!(table.starts_with("state"), "{table}");
    drop(client);
}

#[test]
fn clean_removes_the_dead_and_nothing_else() {
    let place = Place::new();
    let server = Server::start(&place, &["alive"]);
    let dead = place.dead("dead");
    let runtime = place.path("runtime");
    fs::create_dir_all(&runtime).unwrap();
    let second = place.dead("runtime/dead");
    let file = place.path("file");
    fs::write(&file, "no socket").unwrap();
    symlink(&dead, place.path("link")).unwrap();

    let shown = String::from_utf8(place.run(&["clean", "--dry-run"]).stdout).unwrap();
    assert_eq!(shown, format!("{}\n{}\n", dead.display(), second.display()));
    // Nobody can be asked.
    assert_eq!(place.run(&["clean"]).status.code(), Some(1));
    assert!(dead.exists() && second.exists());

    let (removed, code) = place.json(&["clean", "--json", "--yes", runtime.to_str().unwrap()]);
    assert_eq!(code, Some(0));
    assert_eq!(removed[0]["removed"], true);
    assert!(dead.exists() && !second.exists());

    assert_eq!(place.run(&["clean", "--yes"]).status.code(), Some(0));
    assert!(!dead.exists() && file.exists() && place.path("link").is_symlink());
    assert!(converse(&place, &[&server.name], b"still there").stdout == b"still there");
}

#[test]
fn doctor_tells_what_is_the_matter() {
    let place = Place::new();
    let check = |arguments: &[&str], expected: &str| {
        let (answer, code) = place.json(&[&["doctor", "--json"], arguments].concat());
        assert_eq!(answer["diagnosis"], expected, "{answer}");
        assert_eq!(code, Some(i32::from(expected != "reachable")));
        answer["text"].as_str().unwrap().to_owned()
    };
    check(&["nothing"], "absent");
    check(&["no/such/directory"], "no-directory");
    check(&[".."], "name-invalid");
    fs::write(place.path("file"), "no socket").unwrap();
    check(&["file"], "occupied");
    place.dead("dead");
    check(&["dead"], "dead");
    let server = Server::start(&place, &["elsewhere", "--scope", "runtime"]);
    assert!(check(&["elsewhere"], "elsewhere").contains(&server.name));
    let text = check(&["elsewhere", "--scope", "runtime"], "reachable");
    assert!(text.contains(&server.process.id().to_string()), "{text}");
    check(&["nobody", "--scope", "abstract"], "refused");

    // A queue of one waiting connection, which is taken: listen(2) counts from zero.
    let path = place.path("full");
    let listener = listening_with_backlog_0(&path);
    let _waiting = UnixStream::connect(&path).unwrap();
    check(&["full"], "backlog-full");
    drop(listener);

    let said = String::from_utf8(place.run(&["doctor", "dead"]).stdout).unwrap();
    assert!(said.contains("\ndead: "), "{said}");
}

fn listening_with_backlog_0(path: &std::path::Path) -> std::os::fd::OwnedFd {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, bind, listen, socket};
    let listener = socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
    bind(&listener, &SocketAddrUnix::new(path).unwrap()).unwrap();
    listen(&listener, 0).unwrap();
    listener
}

#[test]
fn completions_and_the_manual_name_every_command() {
    let place = Place::new();
    let manual = String::from_utf8(place.run(&["man"]).stdout).unwrap();
    for command in ["serve", "connect", "exchange", "ls", "clean", "doctor", "completions"] {
        assert!(manual.contains(&format!("MOORLINE {}", command.to_uppercase())), "{command}");
        for shell in ["bash", "zsh", "fish"] {
            let output = place.run(&["completions", shell]);
            assert!(String::from_utf8(output.stdout).unwrap().contains(command), "{shell} {command}");
        }
    }
}

//! The tool and programs that people have: nc and Python, as clients and as servers.

use crate::support::{Place, Running, converse, is_installed};
use std::io::Write;
use std::process::{Child, Command, Output, Stdio};

/// Whether nc has what is used of it: that of OpenBSD, as Debian's netcat-openbsd is.
fn has_nc() -> bool {
    if !is_installed("nc") {
        return false;
    }
    let help = Command::new("nc").arg("-h").output().unwrap();
    let text = String::from_utf8_lossy(&help.stderr).into_owned() + &String::from_utf8_lossy(&help.stdout);
    let has = text.contains("-N") && text.contains("-U") || text.contains('N') && text.contains("OpenBSD");
    if !has {
        eprintln!("skipped: this nc has no -N or no -U");
    }
    has
}

fn feed(mut command: Command, input: &[u8]) -> Output {
    let mut process =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    process.stdin.take().unwrap().write_all(input).unwrap();
    process.wait_with_output().unwrap()
}

fn nc(place: &Place, name: &str, input: &[u8]) -> Output {
    let mut command = place.any_command("nc");
    command.args(["-N", "-U"]).arg(place.path(name));
    feed(command, input)
}

#[test]
fn nc_is_a_client_of_everything_that_serves() {
    if !has_nc() {
        return;
    }
    let place = Place::new();
    let file = place.path("recording").into_os_string().into_string().unwrap();
    let steps = place.file("steps", "expect \"hello\\n\"\nsend \"hello\\n\"\nexpect-end");
    let _echo = Running::serve(&place, &["echo"]);
    let _script = Running::serve(&place, &["script", "--script", &steps]);
    let _command = Running::serve(&place, &["command", "--", "cat"]);
    let _proxy = Running::start(&place, &["proxy", "proxy", "echo", "--pieces", "1-2"]);
    let tap = Running::start(&place, &["tap", "tap", "echo", &file]);
    for name in ["echo", "script", "command", "proxy", "tap"] {
        let output = nc(&place, name, b"hello\n");
        assert_eq!((output.stdout.as_slice(), output.status.code()), (&b"hello\n"[..], Some(0)), "{name}");
    }
    assert_eq!(tap.interrupt().code, Some(0));
    let replay = Running::start(&place, &["replay", &file, "--listen", "replay"]);
    assert_eq!(nc(&place, "replay", b"hello\n").stdout, b"hello\n");
    assert_eq!(replay.wait().code, Some(0));
}

/// A process that is killed at the end.
struct Peer(Child);

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn nc_is_a_server_behind_a_proxy() {
    if !has_nc() {
        return;
    }
    let place = Place::new();
    let mut command = place.any_command("nc");
    command.args(["-l", "-N", "-U"]).arg(place.path("nc")).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut server = Peer(command.spawn().unwrap());
    while !place.path("nc").exists() {
        std::thread::yield_now();
    }
    let proxy =
        Running::start(&place, &["proxy", "wire", "nc", "--flip-at", "100", "--connect-timeout", "60"]);
    server.0.stdin.take().unwrap().write_all(b"from nc").unwrap();
    let answer = converse(&place, &["wire"], b"to nc");
    assert_eq!(String::from_utf8_lossy(&answer.stdout), "from nc");
    let mut said = String::new();
    std::io::Read::read_to_string(server.0.stdout.as_mut().unwrap(), &mut said).unwrap();
    assert_eq!(said, "to nc");
    assert_eq!(proxy.interrupt().code, Some(0));
}

const CLIENT: &str = "import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(60)
s.connect(sys.argv[1])
s.sendall(b'hello')
s.shutdown(socket.SHUT_WR)
answer = b''
while part := s.recv(100):
    answer += part
sys.exit(answer != b'olleh')
";

const SERVER: &str = "import socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen()
print(sys.argv[1], flush=True)
while True:
    c, _ = s.accept()
    asked = b''
    while part := c.recv(100):
        asked += part
    c.sendall(asked[::-1])
    c.close()
";

#[test]
fn python_is_a_client_and_a_server_and_a_command() {
    if !is_installed("python3") {
        return;
    }
    let place = Place::new();
    let path = |name: &str| place.path(name).into_os_string().into_string().unwrap();
    let file = path("recording");
    let mut command = place.any_command("python3");
    command.args(["-c", SERVER, &path("python")]);
    let _server = Running::of(command);
    let reverse = "import sys; print(sys.stdin.read()[::-1], end='')";
    let _command = Running::serve(&place, &["command", "--", "python3", "-c", reverse]);
    let tap = Running::start(&place, &["tap", "tap", "python", &file]);
    let proxy = Running::start(&place, &["proxy", "proxy", "tap", "--pieces", "2", "--delay", "1ms"]);
    let client = |name: &str| {
        let mut command = place.any_command("python3");
        command.args(["-c", CLIENT, &path(name)]);
        command.output().unwrap().status.code()
    };
    assert_eq!((client("python"), client("command"), client("proxy")), (Some(0), Some(0), Some(0)));
    assert_eq!((proxy.interrupt().code, tap.interrupt().code), (Some(0), Some(0)));
    let (report, code) = place.json(&["replay", &file, "--server", "python", "--json"]);
    assert_eq!((code, &report["same"], &report["matched"]), (Some(0), &true.into(), &5.into()));
    let replay = Running::start(&place, &["replay", &file, "--listen", "replay"]);
    assert_eq!((client("replay"), replay.wait().code), (Some(0), Some(0)));
}

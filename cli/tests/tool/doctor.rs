//! `doctor`: why a client cannot reach a name.

use crate::support::{Place, Running, to_json};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with};
use std::fs::{self, File, Permissions};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;

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
    for below in ["file/below", "file/below/it"] {
        check(&[below], "no-directory");
    }
    place.dead("dead");
    check(&["dead"], "dead");
    let server = Running::serve(&place, &["elsewhere", "--scope", "runtime"]);
    assert!(check(&["elsewhere"], "elsewhere").contains(&server.name));
    let text = check(&["elsewhere", "--scope", "runtime"], "reachable");
    assert!(text.contains(&server.id().to_string()), "{text}");
    check(&["nobody", "--scope", "abstract"], "refused");

    // The place in its queue is taken.
    let path = place.path("full");
    let listener = listening_with_backlog_0(&path);
    let _waiting = UnixStream::connect(&path).unwrap();
    check(&["full"], "backlog-full");
    drop(listener);

    let said = String::from_utf8(place.run(&["doctor", "dead"]).stdout).unwrap();
    assert!(said.contains("\ndead: "), "{said}");
}

#[test]
fn who_has_a_name_but_is_no_server_is_told_from_nobody() {
    let place = Place::new();
    let _datagrams = bound(&place.path("datagrams"), SocketType::DGRAM);
    let records = bound(&place.path("records"), SocketType::SEQPACKET);
    listen(&records, 1).unwrap();
    let _silent = bound(&place.path("silent"), SocketType::STREAM);
    for (name, diagnosis) in [("datagrams", "occupied"), ("records", "occupied"), ("silent", "refused")] {
        assert_eq!(place.json(&["doctor", "--json", name]).0["diagnosis"], diagnosis, "{name}");
    }
}

#[test]
fn a_link_is_what_it_leads_to() {
    let place = Place::new();
    let _server = Running::serve(&place, &["alive"]);
    place.dead("dead");
    place.file("file", "no socket");
    let expected = [("alive", "reachable"), ("dead", "dead"), ("file", "occupied"), ("nowhere", "occupied")];
    for (target, diagnosis) in expected {
        let link = format!("link to {target}");
        symlink(place.path(target), place.path(&link)).unwrap();
        let (answer, _) = place.json(&["doctor", "--json", &link]);
        assert_eq!(answer["diagnosis"], diagnosis, "{answer}");
        assert_eq!(answer["full_name"], place.path(&link).to_str().unwrap());
    }
}

#[test]
fn a_link_that_cannot_be_followed_is_told_from_what_is_no_socket() {
    let place = Place::new();
    for (link, target) in [("dangling", "nowhere"), ("loop", "loop")] {
        symlink(place.path(target), place.path(link)).unwrap();
        let (answer, _) = place.json(&["doctor", "--json", link]);
        let text = answer["text"].as_str().unwrap();
        assert!(answer["diagnosis"] == "occupied" && text.contains("leads nowhere"), "{answer}");
    }

    // Through a link to a link into a directory that nobody may search, as a user who is somebody.
    let private = place.path("private");
    fs::create_dir(&private).unwrap();
    let _server = Running::serve(&place, &[private.join("alive").to_str().unwrap()]);
    symlink(private.join("alive"), place.path("near")).unwrap();
    symlink("near", place.path("far")).unwrap();
    // By its descriptor, as the tool's own directory may be private as well.
    let tool = File::open(env!("CARGO_BIN_EXE_moorline")).unwrap();
    let mut command = place.any_command(&format!("/proc/self/fd/{}", tool.as_raw_fd()));
    command.args(["doctor", "--json", place.path("far").to_str().unwrap()]);
    fs::set_permissions(place.directory(), Permissions::from_mode(0o711)).unwrap();
    fs::set_permissions(&private, Permissions::from_mode(0o000)).unwrap();
    if rustix::process::geteuid().is_root() {
        command.uid(65534);
    }
    let answer = to_json(&command.output().unwrap().stdout);
    fs::set_permissions(&private, Permissions::from_mode(0o700)).unwrap();
    assert_eq!(answer["diagnosis"], "no-search-permission", "{answer}");
    assert!(answer["text"].as_str().unwrap().contains(private.to_str().unwrap()), "{answer}");
}

#[test]
fn a_name_is_not_blamed_for_a_runtime_directory_that_is_not_there() {
    let place = Place::new();
    let nowhere = place.path("nowhere");
    let open = place.path("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, Permissions::from_mode(0o755)).unwrap();
    let diagnosis = |name: &str, runtime: Option<&Path>| {
        let mut command = place.command(&["doctor", "--json", "--scope", "runtime", name]);
        match runtime {
            Some(path) => command.env("XDG_RUNTIME_DIR", path),
            None => command.env_remove("XDG_RUNTIME_DIR"),
        };
        let answer = to_json(&command.output().unwrap().stdout);
        (answer["diagnosis"].as_str().unwrap().to_owned(), answer["text"].as_str().unwrap().to_owned())
    };
    for runtime in [None, Some(&*nowhere), Some(&*open)] {
        let (code, text) = diagnosis("name", runtime);
        assert_eq!(code, "no-runtime-directory", "{runtime:?}: {text}");
        assert!(text.contains("runtime directory"), "{text}");
    }
    assert_eq!(diagnosis("..", Some(&place.path("runtime"))).0, "name-invalid");
    assert_eq!(diagnosis("/nowhere", None).0, "absent");
}

/// A listener for whom one connection may wait: listen(2) counts from zero.
pub fn listening_with_backlog_0(path: &Path) -> OwnedFd {
    let listener = bound(path, SocketType::STREAM);
    listen(&listener, 0).unwrap();
    listener
}

/// A socket with a name, which what other tests start does not inherit.
fn bound(path: &Path, kind: SocketType) -> OwnedFd {
    let socket = socket_with(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).unwrap();
    bind(&socket, &SocketAddrUnix::new(path).unwrap()).unwrap();
    socket
}

//! `doctor`: why a client cannot reach a name.

use crate::support::{Place, Running};
use std::fs;
use std::os::unix::net::UnixStream;

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
    let server = Running::serve(&place, &["elsewhere", "--scope", "runtime"]);
    assert!(check(&["elsewhere"], "elsewhere").contains(&server.name));
    let text = check(&["elsewhere", "--scope", "runtime"], "reachable");
    assert!(text.contains(&server.id().to_string()), "{text}");
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

//! `ls`: the local servers of the machine.

use crate::support::{Place, Running, WATCHDOG};
use serde_json::Value;
use std::fs;
use std::os::unix::net::UnixStream;
use std::time::Instant;

#[test]
fn ls_shows_the_living_and_the_dead() {
    let place = Place::new();
    let server = Running::serve(&place, &["alive"]);
    let dead = place.dead("dead");
    fs::write(place.path("file"), "no socket").unwrap();
    let client = UnixStream::connect(&server.name).unwrap();
    let filter = place.directory().to_str().unwrap();
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
    assert_eq!((&alive["pid"], &alive["program"]), (&server.id().into(), &"moorline".into()));
    assert_eq!(alive["connections"], 1);
    assert_eq!(find(dead.to_str().unwrap())["state"], "dead");

    // A server whose file somebody has removed, and an abstract one.
    fs::remove_file(&server.name).unwrap();
    let name = format!("{filter}/abstract");
    let hidden = Running::serve(&place, &[&name, "--scope", "abstract"]);
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

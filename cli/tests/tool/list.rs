//! `ls`: the local servers of the machine.

use crate::doctor::listening_with_backlog_0;
use crate::support::{Place, Running, WATCHDOG};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::thread;
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

#[test]
fn a_server_whose_directory_has_gone_with_its_file_is_unlinked() {
    let place = Place::new();
    let directory = place.path("directory");
    fs::create_dir(&directory).unwrap();
    let name = directory.join("server").into_os_string().into_string().unwrap();
    let _server = Running::serve(&place, &[&name]);
    let state = || place.json(&["ls", directory.to_str().unwrap(), "--json"]).0[0]["state"].clone();
    assert_eq!(state(), "live");
    fs::remove_dir_all(&directory).unwrap();
    assert_eq!(state(), "unlinked");
}

/// In a directory that is only there where it looks.
#[test]
fn a_server_is_live_whose_file_is_in_a_mount_of_its_own() {
    let place = Place::new();
    let directory = place.path("directory");
    fs::create_dir(&directory).unwrap();
    let mut command = place.any_command("unshare");
    let line = "mount -t tmpfs moorline-test \"$1\" && exec \"$0\" serve \"$1/server\"";
    command.args(["--mount", "sh", "-c", line, env!("CARGO_BIN_EXE_moorline")]).arg(&directory);
    let mut probe = place.any_command("unshare");
    probe.args(["--mount", "mount", "-t", "tmpfs", "moorline-test"]).arg(&directory);
    if !probe.output().is_ok_and(|output| output.status.success()) {
        println!("skipped: only root has mounts of its own");
        return;
    }
    let server = Running::of(command);
    let (list, _) = place.json(&["ls", directory.to_str().unwrap(), "--json"]);
    assert!(!Path::new(&server.name).exists());
    assert_eq!(list[0]["state"], "live", "{list}");
}

/// The system keeps 15 bytes of it.
#[test]
fn a_program_is_named_although_its_name_was_cut_in_the_middle_of_a_character() {
    let place = Place::new();
    let program = place.path("moorline-serve\u{fc}");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_moorline"), &program).unwrap();
    let mut command = place.any_command(program.to_str().unwrap());
    command.args(["serve", "cut"]);
    let _server = Running::of(command);
    let (list, _) = place.json(&["ls", place.directory().to_str().unwrap(), "--json"]);
    assert_eq!(list[0]["program"], "moorline-serve\u{fffd}", "{list}");
}

/// Which no address of a socket holds: unix(7).
#[test]
fn ls_shows_servers_with_long_paths() {
    let place = Place::new();
    let directory = place.path(&"long".repeat(40));
    fs::create_dir(&directory).unwrap();
    let server = Running::serve(&place, &[directory.join("name").to_str().unwrap()]);
    let state = || {
        let (list, _) = place.json(&["ls", directory.to_str().unwrap(), "--json"]);
        let list = list.as_array().unwrap();
        assert_eq!(list.len(), 1, "{list:?}");
        (list[0]["state"].clone(), list[0]["path"].clone())
    };
    assert_eq!(state(), ("live".into(), server.name.as_str().into()));
    fs::remove_file(&server.name).unwrap();
    assert_eq!(state().0, "unlinked");
}

/// A disk in memory laid over the place's own file system, until it is dropped.
struct Overlay<'a>(&'a Place);

impl Overlay<'_> {
    /// None for those who may not mount.
    fn mount(place: &Place) -> Option<Overlay<'_>> {
        let [lower, upper, here] = ["lower", "upper", "here"].map(|name| {
            fs::create_dir(place.path(name)).unwrap();
            place.path(name)
        });
        if !run("mount", &["-t", "tmpfs", "moorline-test"], &upper) {
            println!("skipped: only root mounts a disk");
            return None;
        }
        let overlay = Overlay(place);
        let [files, work] = ["files", "work"].map(|name| {
            fs::create_dir(upper.join(name)).unwrap();
            upper.join(name)
        });
        let options =
            format!("lowerdir={},upperdir={},workdir={}", lower.display(), files.display(), work.display());
        let mounted = run("mount", &["-t", "overlay", "-o", &options, "moorline-test"], &here);
        if !mounted {
            println!("skipped: no overlay can be made here");
        }
        mounted.then_some(overlay)
    }
}

impl Drop for Overlay<'_> {
    fn drop(&mut self) {
        for path in
            ["here", "upper"].map(|name| self.0.path(name)).into_iter().filter(|path| is_mounted(path))
        {
            // What another test is just starting has a copy of our descriptors until it is another program.
            let start = Instant::now();
            let unmounted = loop {
                match run("umount", &[], &path) {
                    false if start.elapsed() < WATCHDOG => thread::yield_now(),
                    unmounted => break unmounted,
                }
            };
            if !unmounted {
                // The machine is left as it was all the same.
                run("umount", &["-l"], &path);
                assert!(thread::panicking(), "{} is in use still", path.display());
            }
        }
    }
}

/// Whether a file system begins there.
fn is_mounted(path: &Path) -> bool {
    let device = |path: &Path| fs::metadata(path).unwrap().dev();
    device(path) != device(path.parent().unwrap())
}

fn run(command: &str, arguments: &[&str], place: &Path) -> bool {
    Command::new(command).args(arguments).arg(place).output().is_ok_and(|output| output.status.success())
}

#[test]
fn a_server_on_an_overlay_of_several_file_systems_has_its_name() {
    let place = Place::new();
    let Some(_overlay) = Overlay::mount(&place) else { return };
    let path = place.path("here/full");
    let name = path.to_str().unwrap();
    let server = Running::serve(&place, &[name]);
    let (list, _) = place.json(&["ls", name, "--json"]);
    assert_eq!((&list[0]["state"], &list[0]["pid"]), (&"live".into(), &server.id().into()), "{list}");
    drop(server);

    fs::remove_file(&path).unwrap();
    let listener = listening_with_backlog_0(&path);
    let _waiting = UnixStream::connect(&path).unwrap();
    let (answer, _) = place.json(&["doctor", "--json", name]);
    assert_eq!(answer["diagnosis"], "backlog-full");
    assert!(answer["text"].as_str().unwrap().ends_with(": 1 wait"), "{answer}");
    fs::remove_file(&path).unwrap();
    let (list, _) = place.json(&["ls", name, "--json"]);
    assert_eq!(list[0]["state"], "unlinked", "{list}");
    drop(listener);
}

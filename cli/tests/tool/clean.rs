//! `clean`: what dead servers have left.

use crate::support::{Place, Running, converse, is_installed, to_json};
use rustix::fs::inotify;
use std::fs::{self, File};
use std::mem::MaybeUninit;
use std::os::unix::fs::symlink;
use std::process::Stdio;

#[test]
fn clean_removes_the_dead_and_nothing_else() {
    let place = Place::new();
    let server = Running::serve(&place, &["alive"]);
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
fn a_dead_name_is_shown_once_also_where_its_directory_is_there_twice() {
    let place = Place::new();
    fs::create_dir(place.path("real")).unwrap();
    symlink("real", place.path("linked")).unwrap();
    place.dead("real/dead");
    let [directory, linked] = ["real", "linked"].map(|name| place.path(name).to_str().unwrap().to_owned());
    let again = format!("{directory}/.");
    // The last ones look in the temp directory and in the runtime directory.
    for (arguments, runtime) in [
        (&["clean", "--dry-run", &directory, &again][..], &directory),
        (&["clean", "--dry-run", &linked, &directory], &directory),
        (&["clean", "--dry-run"], &directory),
        (&["clean", "--dry-run"], &linked),
        (&["ls", "/dead"], &directory),
        (&["ls", "/dead"], &linked),
    ] {
        let mut command = place.command(arguments);
        let output = command.env("TMPDIR", &directory).env("XDG_RUNTIME_DIR", runtime).output().unwrap();
        let shown = String::from_utf8(output.stdout).unwrap();
        let of_this_place = |line: &&str| line.contains(place.directory().to_str().unwrap());
        assert_eq!(shown.lines().filter(of_this_place).count(), 1, "{arguments:?}, {runtime}: {shown}");
    }
}

#[test]
fn a_name_that_is_cleaned_is_nobodys_and_a_server_that_begins_just_then_gets_it() {
    let place = Place::new();
    fs::create_dir(place.path("work")).unwrap();
    let dead = place.dead("work/dead");
    let watch = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK).unwrap();
    let changes = inotify::WatchFlags::CREATE | inotify::WatchFlags::DELETE | inotify::WatchFlags::MOVE;
    inotify::add_watch(&watch, place.path("work"), changes).unwrap();
    assert_eq!(place.run(&["clean", "--yes", place.path("work").to_str().unwrap()]).status.code(), Some(0));
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut events = inotify::Reader::new(&watch, &mut buffer);
    let event = events.next().unwrap();
    let name = event.file_name().unwrap().to_str().unwrap();
    assert_eq!((event.events(), name), (inotify::ReadFlags::DELETE, "dead"));
    // Nothing that listens has been there meanwhile, to which a server would have lost the name.
    assert_eq!(events.next().unwrap_err(), rustix::io::Errno::AGAIN);
    assert!(!dead.exists());
}

#[test]
fn a_directory_is_where_the_working_directory_says_and_no_plain_name() {
    let place = Place::new();
    let directory = place.path("work");
    fs::create_dir(&directory).unwrap();
    let dead = place.dead("work/dead");
    let server = Running::serve(&place, &[place.path("work/name").to_str().unwrap()]);
    // What a plain name of the same text means.
    let other = place.dead("name");
    for given in [".", "../work", directory.to_str().unwrap()] {
        let command = |more: &str| {
            let output = place.command(&["clean", given, "--json", more]).current_dir(&directory).output();
            to_json(&output.unwrap().stdout)
        };
        let shown = command("--dry-run");
        assert_eq!((shown.as_array().unwrap().len(), &shown[0]["removed"]), (1, &false.into()), "{shown}");
        let removed = command("--yes");
        assert_eq!(
            (removed.as_array().unwrap().len(), &removed[0]["removed"]),
            (1, &true.into()),
            "{removed}"
        );
        assert!(!dead.exists() && other.exists());
        place.dead("work/dead");
    }
    assert!(converse(&place, &[&server.name], b"still there").stdout == b"still there");
}

#[test]
fn nothing_is_removed_when_the_question_cannot_be_asked() {
    // Only at a terminal is anybody asked: script makes one, and ends as the command in it does.
    if !is_installed("script") {
        return;
    }
    let place = Place::new();
    let dead = place.dead("dead");
    let at_a_terminal = |line: &str, answer: Stdio| {
        let mut script = place.any_command("script");
        let options = ["--quiet", "--return", "--command", line, "/dev/null"];
        script.args(options).env("SHELL", "/bin/sh").env("MOORLINE", env!("CARGO_BIN_EXE_moorline"));
        script.stdin(answer).output().unwrap()
    };
    let output = at_a_terminal("\"$MOORLINE\" clean 2>/dev/full", Stdio::null());
    assert_eq!((output.status.code(), dead.exists()), (Some(1), true));
    let yes = File::open(place.file("yes", "yes\n")).unwrap();
    let output = at_a_terminal("\"$MOORLINE\" clean", yes.into());
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!((output.status.code(), dead.exists()), (Some(0), false), "{said}");
    assert!(said.contains("remove 1? [y/N]"), "{said}");
}

#[test]
fn a_directory_that_cannot_be_read_is_told_and_the_others_are_cleaned() {
    let place = Place::new();
    let dead = place.dead("dead");
    let file = place.file("file", "no directory");
    let (nowhere, here) = (place.path("nowhere"), place.directory().to_str().unwrap());
    for arguments in [&["--dry-run"][..], &["--dry-run", "--json"], &["--yes"]] {
        let wrong = ["clean", &file, nowhere.to_str().unwrap(), here];
        let (code, text) = place.fails(&[&wrong, arguments].concat());
        assert_eq!(code, Some(1), "{arguments:?}");
        assert!(text.contains(&file) && text.contains(nowhere.to_str().unwrap()), "{text}");
        assert!(!text.contains(dead.to_str().unwrap()), "{text}");
    }
    assert!(!dead.exists());
}

#[test]
fn a_directory_that_cannot_be_read_is_told_of_in_one_line_whatever_its_name() {
    let place = Place::new();
    let (code, text) = place.fails(&["clean", "--dry-run", "/no\nwhere\u{1b}[2J"]);
    assert_eq!((code, text.lines().count()), (Some(1), 1), "{text}");
    assert!(text.starts_with("moorline: /no\\nwhere\\u{1b}[2J: "), "{text}");
}

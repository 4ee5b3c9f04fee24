//! `clean`: what dead servers have left.

use crate::support::{Place, Running, converse};
use std::fs;
use std::os::unix::fs::symlink;

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

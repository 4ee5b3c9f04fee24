//! Takes the library's own sources for the models, weakened in one place if the environment says so.

use std::path::Path;
use std::{env, fs};

/// The library's files that the models run.
const SOURCES: [&str; 19] = [
    "clock.rs",
    "deadline.rs",
    "endpoint.rs",
    "error.rs",
    "gate.rs",
    "outbox.rs",
    "poller/mod.rs",
    "poller/turn.rs",
    "ffi/handle.rs",
    "ffi/table.rs",
    "service/connection.rs",
    "service/headcount.rs",
    "service/mailbox.rs",
    "socket/close.rs",
    "socket/outgoing.rs",
    "socket/stream.rs",
    "soloist.rs",
    "sources.rs",
    "visited.rs",
];

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let out = env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    println!("cargo::rerun-if-env-changed=WEAKEN");
    let weakening = env::var("WEAKEN").ok().filter(|name| !name.is_empty()).map(|name| {
        let path = root.join("weakenings").join(&name);
        println!("cargo::rerun-if-changed={}", path.display());
        Weakening::read(&path)
    });
    for source in SOURCES {
        let path = root.join("../../src").join(source);
        println!("cargo::rerun-if-changed={}", path.display());
        let mut text =
            fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        // The models have tests of their own, and a file that is included cannot begin with the docs of its module, nor name others.
        text.truncate(text.find("#[cfg(test)]\nmod tests").unwrap_or(text.len()));
        let is_left_out =
            |line: &str| line.starts_with("//!") || line.starts_with("mod ") && line.ends_with(';');
        text = text.lines().filter(|line| !is_left_out(line)).map(|line| line.to_owned() + "\n").collect();
        // The crate is lock-free, with orderings that are for its own tests: the models have what it promises.
        text = text.replace("use arc_swap::", "use crate::arc_swap::");
        if let Some(weakening) = &weakening
            && weakening.source == source
        {
            text = replace_once(&text, &weakening.from, &weakening.to);
        }
        fs::write(Path::new(&out).join(source.replace('/', "_")), text).expect("write to OUT_DIR");
    }
}

/// A file: which model `fails:`, of which `source:`, then what is there, `=>`, and what takes its place.
struct Weakening {
    source: String,
    from: String,
    to: String,
}

impl Weakening {
    fn read(path: &Path) -> Weakening {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let body: String =
            text.lines().filter(|line| !line.starts_with('#')).map(|line| line.to_owned() + "\n").collect();
        // Which model fails by it is for `run`.
        let (source, change) = body
            .split_once("\nsource: ")
            .and_then(|(_, body)| body.split_once('\n'))
            .expect("a weakening names its source");
        let (from, to) = change.split_once("=>\n").expect("a weakening has an arrow");
        Weakening {
            source: source.to_owned(),
            from: from.trim_end().to_owned(),
            to: to.trim_end().to_owned(),
        }
    }
}

fn replace_once(text: &str, from: &str, to: &str) -> String {
    assert_eq!(text.matches(from).count(), 1, "this has to be in the source once: {from}");
    text.replace(from, to)
}

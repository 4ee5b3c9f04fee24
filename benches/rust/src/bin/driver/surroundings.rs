//! The machine and the versions.

use std::fs;
use std::process::Command;

/// Names and values, as they are before anything is measured.
pub fn surroundings() -> Vec<(&'static str, String)> {
    vec![
        ("date", output("date", &["-u", "+%Y-%m-%d %H:%M UTC"])),
        ("processor", field("/proc/cpuinfo", "model name")),
        (
            "processors",
            std::thread::available_parallelism().map_or_else(|_| String::new(), |count| count.to_string()),
        ),
        ("memory", field("/proc/meminfo", "MemTotal")),
        ("load", fs::read_to_string("/proc/loadavg").unwrap_or_default().trim().to_owned()),
        ("kernel", output("uname", &["-srm"])),
        ("distribution", field("/etc/os-release", "PRETTY_NAME")),
        ("compiler", output("c++", &["--version"])),
        ("rust", output("rustc", &["--version"])),
        ("moorline", output("git", &["describe", "--always", "--dirty", "--tags"])),
        ("qt", package("qt6-base-dev")),
        ("libuv", package("libuv1-dev")),
        ("boost", package("libboost-dev")),
        ("zeromq", package("libzmq3-dev")),
        ("nng", package("libnng-dev")),
        ("tokio", crate_version("tokio")),
        ("interprocess", crate_version("interprocess")),
    ]
}

/// The first line that a command prints; empty if there is none.
fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().next().unwrap_or_default().to_owned()
}

/// What Debian has installed.
fn package(name: &str) -> String {
    output("dpkg-query", &["--showformat=${Version}", "--show", name])
}

/// What the programs were built with.
fn crate_version(name: &str) -> String {
    let lock = include_str!("../../../Cargo.lock");
    let mut lines = lock.lines().skip_while(|line| *line != format!("name = \"{name}\"")).skip(1);
    lines.next().and_then(|line| line.split('"').nth(1)).unwrap_or_default().to_owned()
}

/// What follows a name in a file such as /proc/cpuinfo.
fn field(path: &str, name: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.trim_matches(|character: char| character.is_whitespace() || ":=\"".contains(character)).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_is_found() {
        for (name, value) in surroundings() {
            assert!(!value.is_empty(), "{name} is not known");
        }
    }
}

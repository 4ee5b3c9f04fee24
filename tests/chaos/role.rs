//! Processes that are made to be killed, or to run out of something: this very program, in another role.

#[cfg(target_os = "linux")]
use super::clocks;
use super::{disk, exhaustion, killed};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

const ROLE: &str = "MOORLINE_CHAOS_ROLE";
const PLACE: &str = "MOORLINE_CHAOS_PLACE";

/// Not a test, but how a process comes to its role.
#[test]
#[ignore = "the other processes of the other tests"]
fn play() {
    let (Ok(role), Ok(place)) = (std::env::var(ROLE), std::env::var(PLACE)) else { return };
    let place = Path::new(&place);
    match role.as_str() {
        "serve" => killed::serve(place),
        "send" => killed::send(place),
        "use up descriptors" => exhaustion::use_up_descriptors(place),
        "be a proxy without descriptors" => exhaustion::be_a_proxy_without_descriptors(place),
        "be a fixture without descriptors" => exhaustion::be_a_fixture_without_descriptors(place),
        "send without descriptors" => exhaustion::send_without_descriptors(place),
        "receive without descriptors" => exhaustion::receive_without_descriptors(place),
        "play without threads" => exhaustion::play_without_threads(place),
        "use up memory" => exhaustion::use_up_memory(place),
        "use a full disk" => disk::use_a_full_disk(place),
        "use a read-only disk" => disk::use_a_read_only_disk(place),
        #[cfg(target_os = "linux")]
        "wait without the time of day" => clocks::wait_without_the_time_of_day(place),
        #[cfg(target_os = "linux")]
        "wait by the time of day" => clocks::wait_by_the_time_of_day(place),
        _ => panic!("there is no role {role}"),
    }
}

/// A process with a role; it is killed when this is dropped.
pub struct Actor(Child);

impl Actor {
    pub fn start(role: &str, place: &Path) -> Actor {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "role::play", "--ignored", "--nocapture", "--test-threads=1"])
            .env(ROLE, role)
            .env(PLACE, place)
            // Threads take the memory that they take by default.
            .env_remove("RUST_MIN_STACK")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Actor(child)
    }

    /// Waits until it says this on a line; false if it ends without.
    pub fn says(&mut self, what: &str) -> bool {
        let output = self.0.stdout.as_mut().unwrap();
        BufReader::with_capacity(1, output).lines().map_while(Result::ok).any(|line| line.ends_with(what))
    }

    /// SIGKILL, and waits until it is gone.
    pub fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// Waits for its end; what it wrote, and how it ended.
    pub fn end(mut self) -> (ExitStatus, String) {
        let mut said = String::new();
        for stream in [
            Box::new(self.0.stdout.take().unwrap()) as Box<dyn std::io::Read>,
            Box::new(self.0.stderr.take().unwrap()),
        ] {
            BufReader::new(stream).lines().map_while(Result::ok).for_each(|line| said += &(line + "\n"));
        }
        (self.0.wait().unwrap(), said)
    }

    /// That it ends well.
    pub fn ends_well(self) {
        let (status, said) = self.end();
        assert!(status.success(), "{status}: {said}");
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

//! What this process has: descriptors, threads, and the names that its sockets are bound to. Read from proc(5); where there is none,
//! nothing is known.

use super::super::{OpenDescriptor, Place, RunningThread};
use super::address::bound_to;
use rustix::fd::BorrowedFd;
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

/// The open descriptors, by number.
pub(crate) fn descriptors() -> Vec<OpenDescriptor> {
    let mut open: Vec<OpenDescriptor> = numbers().into_iter().filter_map(look).collect();
    open.sort_unstable_by_key(|descriptor| descriptor.number);
    open
}

/// The numbers of the open descriptors.
fn numbers() -> Vec<i32> {
    match fs::read_dir("/proc/self/fd") {
        // Closed before they are looked at, so that the listing's own descriptor is none of them.
        Ok(listing) => {
            listing.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
        }
        // There is none left for the listing: all that the process may have are open.
        Err(error) if Errno::from_io_error(&error) == Some(Errno::MFILE) => {
            let limit = getrlimit(Resource::Nofile).current.unwrap_or_default();
            (0..i32::try_from(limit).unwrap_or(i32::MAX)).collect()
        }
        Err(_) => Vec::new(),
    }
}

fn look(number: i32) -> Option<OpenDescriptor> {
    let link = format!("/proc/self/fd/{number}");
    let what = fs::read_link(&link).ok()?.to_string_lossy().into_owned();
    // SAFETY: not negative; a number that is no open descriptor any more only makes the call fail.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    let bound = match what.starts_with("socket:").then(|| bound_to(borrowed)) {
        Some(Ok(Some(Place::Path(path)))) => Some(path),
        _ => None,
    };
    let file = what.starts_with('/').then(|| fs::metadata(&link).ok()).flatten();
    let file = file.map(|file| (file.dev(), file.ino()));
    Some(OpenDescriptor { number, what, file, bound })
}

/// The threads, by number.
pub(crate) fn threads() -> Vec<RunningThread> {
    let Ok(listing) = fs::read_dir("/proc/self/task") else { return Vec::new() };
    let uptime = uptime();
    let mut running: Vec<RunningThread> = listing
        .flatten()
        .filter_map(|entry| {
            let id = entry.file_name().to_str()?.parse().ok()?;
            // Its name need not be text: one that is too long is cut anywhere.
            let stat = fs::read(entry.path().join("stat")).ok()?;
            let stat = String::from_utf8_lossy(&stat);
            let (name, started) = parse_stat(&stat)?;
            let age = uptime.and_then(|uptime| uptime.checked_sub(started));
            Some(RunningThread { id, name, age })
        })
        .collect();
    running.sort_unstable_by_key(|thread| thread.id);
    running
}

/// Name and start, from the boot on, of a thread: the fields comm and starttime of proc(5). The name is in parentheses and may have
/// some itself.
fn parse_stat(stat: &str) -> Option<(String, Duration)> {
    const START_AFTER_NAME: usize = 19;
    let (begin, end) = (stat.find('(')?, stat.rfind(')')?);
    let ticks: u64 = stat[end + 1..].split_whitespace().nth(START_AFTER_NAME)?.parse().ok()?;
    // SAFETY: sysconf(3) takes a number and gives one. Asked of the C library, since rustix looks for it
    // in what the kernel maps, where Valgrind has hidden it: a program under Valgrind would crash.
    let per_second = u64::try_from(unsafe { libc::sysconf(libc::_SC_CLK_TCK) }).unwrap_or_default();
    let started = Duration::from_millis(ticks.saturating_mul(1000) / per_second.max(1));
    Some((stat[begin + 1..end].to_owned(), started))
}

fn uptime() -> Option<Duration> {
    let text = fs::read_to_string("/proc/uptime").ok()?;
    Duration::try_from_secs_f64(text.split_whitespace().next()?.parse().ok()?).ok()
}

/// The number of this thread, as in [`threads`].
pub(crate) fn thread_id() -> u32 {
    super::platform::thread_id()
}

/// The name of this thread, which the language may not know: the file comm of proc(5).
pub(crate) fn thread_name() -> Option<String> {
    let name = fs::read("/proc/thread-self/comm").ok()?;
    Some(String::from_utf8_lossy(&name).trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_is_whole() {
        let fields = vec!["0"; 18].join(" ");
        let (name, started) = parse_stat(&format!("12 (a) b (c) S {fields} 200 0")).unwrap();
        assert_eq!(name, "a) b (c");
        assert!(started > Duration::ZERO);
    }

    #[test]
    fn what_is_open_and_runs_is_listed() {
        let listener =
            std::os::unix::net::UnixListener::bind(tempfile::tempdir().unwrap().path().join("listener"))
                .unwrap();
        let number = std::os::fd::AsRawFd::as_raw_fd(&listener);
        let found = descriptors().into_iter().find(|descriptor| descriptor.number == number).unwrap();
        assert!(found.what.starts_with("socket:["), "{}", found.what);
        assert!(found.bound.unwrap().ends_with("listener"));
        assert!(threads().iter().any(|thread| thread.id == thread_id()));
    }
}

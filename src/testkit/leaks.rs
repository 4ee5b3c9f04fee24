//! What a test has left behind: descriptors, threads, socket files. The C ABI adds its handles to these.

use super::text::visible;
use crate::claim;
use crate::deadline::{Deadline, Timeout};
use crate::error::{Error, Result};
use crate::sys::{OpenDescriptor, RunningThread, resources};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// What kind of thing was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum LeakKind {
    /// A handle of the C ABI.
    Handle,
    /// An open descriptor of the process, whoever opened it. None is seen where proc(5) is not mounted, as in a chroot.
    Descriptor,
    /// A running thread of the process, whoever started it. None is seen while the process has no descriptor left, or where
    /// proc(5) is not mounted.
    Thread,
    /// A socket file that a server of this process, of whatever library, listens on. Of other libraries' none is seen where proc(5) is not
    /// mounted.
    SocketFile,
}

impl LeakKind {
    /// Every kind.
    pub const ALL: [LeakKind; 4] =
        [LeakKind::Handle, LeakKind::Descriptor, LeakKind::Thread, LeakKind::SocketFile];

    fn name(self) -> &'static str {
        match self {
            LeakKind::Handle => "handle",
            LeakKind::Descriptor => "descriptor",
            LeakKind::Thread => "thread",
            LeakKind::SocketFile => "socket file",
        }
    }
}

/// Something that was made after a guard was, and is still there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leak {
    /// What kind of thing it is.
    pub kind: LeakKind,
    /// Which one: a handle's type and number, a descriptor's number and what it is open on, a thread's number and name, a path.
    pub name: String,
    /// How old it is.
    pub age: Age,
    /// File and line that made it, where that is known: of handles that were made through the C++ header, and of their descriptors
    /// and socket files.
    pub origin: Option<(String, u32)>,
}

/// How old something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// So old.
    Exactly(Duration),
    /// Not known better than that it came after the guard.
    AtMost(Duration),
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (bound, age) = match self.age {
            Age::Exactly(age) => ("", age),
            Age::AtMost(age) => ("at most ", age),
        };
        // Whoever made it has chosen its name, with which it stays on its line.
        write!(f, "{} {}, {bound}{:.3} s old", self.kind.name(), visible(&self.name), age.as_secs_f64())?;
        match &self.origin {
            Some((file, line)) => write!(f, ", made at {file}:{line}"),
            None => Ok(()),
        }
    }
}

/// What is known of who made what: file and line.
#[derive(Default)]
pub(crate) struct Origins {
    pub descriptors: BTreeMap<i32, (String, u32)>,
    pub files: BTreeMap<PathBuf, (String, u32)>,
}

/// Remembers what the process has, to tell later what is new.
pub struct LeakGuard {
    made: Instant,
    /// By number.
    descriptors: Vec<OpenDescriptor>,
    threads: BTreeSet<u32>,
    claims: BTreeSet<u64>,
    bound: BTreeSet<PathBuf>,
}

/// How long to wait between two looks at what is still there: nobody tells when a descriptor or a thread goes.
const PAUSE: Duration = Duration::from_millis(2);

impl fmt::Debug for LeakGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeakGuard").finish_non_exhaustive()
    }
}

impl LeakGuard {
    /// What is there from here on is new.
    pub fn new() -> LeakGuard {
        let descriptors = resources::descriptors();
        LeakGuard {
            made: Instant::now(),
            bound: descriptors.iter().filter_map(|descriptor| descriptor.bound.clone()).collect(),
            descriptors,
            threads: resources::threads().into_iter().map(|thread| thread.id).collect(),
            claims: claim::claimed().into_iter().map(|(number, ..)| number).collect(),
        }
    }

    /// Everything new that is still there after a while in which it may go: threads that have been joined, and what other threads
    /// are just closing, take a moment. It waits until nothing of these kinds is left, or the timeout.
    pub fn wait(&self, kinds: &[LeakKind], timeout: Timeout) -> Vec<Leak> {
        wait_until_none(timeout, || Ok(self.look(kinds))).0
    }

    /// Everything new of these kinds that is there now.
    pub fn look(&self, kinds: &[LeakKind]) -> Vec<Leak> {
        self.look_with(kinds, &Origins::default())
    }

    /// As [`LeakGuard::look`], with what is known of who made what.
    pub(crate) fn look_with(&self, kinds: &[LeakKind], origins: &Origins) -> Vec<Leak> {
        let mut leaks = Vec::new();
        let descriptors = resources::descriptors();
        if kinds.contains(&LeakKind::Descriptor) {
            let new = |open: &&OpenDescriptor| !self.had(open);
            leaks.extend(descriptors.iter().filter(new).map(|open| self.descriptor(open, origins)));
        }
        if kinds.contains(&LeakKind::Thread) {
            let new = |thread: &RunningThread| !self.threads.contains(&thread.id);
            leaks.extend(resources::threads().into_iter().filter(new).map(|thread| self.thread(thread)));
        }
        if kinds.contains(&LeakKind::SocketFile) {
            leaks.extend(self.socket_files(&descriptors, origins));
        }
        leaks
    }

    /// How long the guard has been there.
    pub fn age(&self) -> Duration {
        self.made.elapsed()
    }

    /// Whether a descriptor was open before on what it is open on. A file that was renamed or removed meanwhile is the same, as is one
    /// that was opened anew.
    fn had(&self, open: &OpenDescriptor) -> bool {
        let place = self.descriptors.binary_search_by_key(&open.number, |before| before.number);
        place.is_ok_and(|place| {
            let before = &self.descriptors[place];
            before.what == open.what || before.file.is_some() && before.file == open.file
        })
    }

    fn descriptor(&self, open: &OpenDescriptor, origins: &Origins) -> Leak {
        let bound = open.bound.as_ref().map(|path| format!(" bound to {}", path.display()));
        Leak {
            kind: LeakKind::Descriptor,
            name: format!("{} ({}{})", open.number, open.what, bound.unwrap_or_default()),
            age: Age::AtMost(self.age()),
            origin: origins.descriptors.get(&open.number).cloned(),
        }
    }

    fn thread(&self, thread: RunningThread) -> Leak {
        Leak {
            kind: LeakKind::Thread,
            name: format!("{} \"{}\"", thread.id, thread.name),
            age: thread.age.map_or(Age::AtMost(self.age()), Age::Exactly),
            origin: None,
        }
    }

    /// Files that servers of this library have claimed, and those that other sockets of this process are bound to and are there.
    fn socket_files(&self, descriptors: &[OpenDescriptor], origins: &Origins) -> Vec<Leak> {
        let leak = |path: PathBuf, age| Leak {
            kind: LeakKind::SocketFile,
            name: path.display().to_string(),
            age,
            origin: origins.files.get(&path).cloned(),
        };
        let claimed = claim::claimed().into_iter().filter(|(number, ..)| !self.claims.contains(number));
        let claimed = claimed.map(|(_, path, since)| leak(path, Age::Exactly(since.elapsed())));
        let bound = descriptors.iter().filter_map(|open| open.bound.clone());
        let bound = bound.filter(|path| !self.bound.contains(path) && path.exists());
        claimed.chain(bound.map(|path| leak(path, Age::AtMost(self.age())))).collect()
    }
}

impl Default for LeakGuard {
    fn default() -> Self {
        LeakGuard::new()
    }
}

/// Looks again and again until nothing is found, or the timeout; gives what was found last, and an error if that is something.
pub(crate) fn wait_until_none(
    timeout: Timeout,
    look: impl Fn() -> Result<Vec<Leak>>,
) -> (Vec<Leak>, Result<()>) {
    let deadline = Deadline::from(timeout);
    loop {
        let leaks = match look() {
            Ok(leaks) if leaks.is_empty() => return (leaks, Ok(())),
            Ok(leaks) => leaks,
            Err(error) => return (Vec::new(), Err(error)),
        };
        if deadline.has_passed() {
            let error = Error::in_lines(deadline.expiry(), &format!("there is still:\n{}", report(&leaks)));
            return (leaks, Err(error));
        }
        std::thread::sleep(PAUSE);
    }
}

/// A line each.
pub(crate) fn report(leaks: &[Leak]) -> String {
    leaks.iter().map(|leak| format!("{leak}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_a_line_whatever_its_name() {
        let leak = Leak {
            kind: LeakKind::SocketFile,
            name: "/tmp/a\nb \u{1b}[2J\u{e4}".to_owned(),
            age: Age::Exactly(Duration::from_millis(4)),
            origin: None,
        };
        let line = "socket file /tmp/a\\nb \\u{1b}[2J\u{e4}, 0.004 s old\n";
        assert_eq!(report(&[leak.clone(), leak]), [line, line].concat());
    }
}

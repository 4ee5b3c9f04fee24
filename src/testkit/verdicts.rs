//! Failures that any thread may record, handed over on the test's own thread.

use crate::deadline::{Deadline, Timeout, wait_until};
use crate::error::{Error, Result, Status};
use parking_lot::{Condvar, Mutex};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A check that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The file of the check.
    pub file: String,
    /// The line of the check.
    pub line: u32,
    /// What was wrong: the check, and the values.
    pub text: String,
    /// The thread that found it: its name if it has one, and its number.
    pub thread: String,
    /// When, from the beginning of the test.
    pub after: Duration,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure { file, line, text, thread, after } = self;
        write!(f, "{file}:{line}: {text}\n  on {thread}, after {:.3} s", after.as_secs_f64())
    }
}

/// The verdicts of one test. Clones are the same. A check that fails in a callback records that here and goes on; the test's own thread
/// waits here, is woken by the first failure, and hands the failures to its framework.
#[derive(Clone)]
pub struct Verdicts(Arc<Shared>);

/// So many failures are kept.
const FAILURES: usize = 1000;

struct Shared {
    start: Instant,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    failures: Vec<Failure>,
    /// Failures that came when there was no room for them, of which the last one that is taken tells.
    only_counted: u64,
    /// Failures that were recorded, ever.
    failed: u64,
    /// How many times something has still to be done.
    awaited: u64,
    closed: bool,
}

impl Default for Verdicts {
    fn default() -> Self {
        Verdicts::new()
    }
}

impl Verdicts {
    /// No failures yet, and one thing to be done.
    pub fn new() -> Verdicts {
        Verdicts(Arc::new(Shared {
            start: Instant::now(),
            state: Mutex::new(State {
                failures: Vec::new(),
                only_counted: 0,
                failed: 0,
                awaited: 1,
                closed: false,
            }),
            changed: Condvar::new(),
        }))
    }

    /// Records a failure, and ends the wait. Of more than a thousand that nobody takes the others are only counted. Any thread. Does not block.
    pub fn fail(&self, file: &str, line: u32, text: impl Into<String>) {
        let failure = Failure {
            file: file.to_owned(),
            line,
            text: text.into(),
            thread: this_thread(),
            after: self.0.start.elapsed(),
        };
        let mut state = self.0.state.lock();
        if state.failures.len() < FAILURES {
            state.failures.push(failure);
        } else {
            state.only_counted += 1;
        }
        state.failed += 1;
        self.0.changed.notify_all();
    }

    /// So many more calls of [`Verdicts::done`] are waited for, instead of the one at the beginning or what is left of it.
    pub fn expect(&self, times: u64) {
        self.0.state.lock().awaited = times;
        self.0.changed.notify_all();
    }

    /// What the test waits for has been done, or one time of several. Any thread. Does not block.
    pub fn done(&self) {
        let mut state = self.0.state.lock();
        state.awaited = state.awaited.saturating_sub(1);
        self.0.changed.notify_all();
    }

    /// Waits until everything has been done, and ends at once with the first failure, also one that came before.
    ///
    /// # Errors
    ///
    /// `Mismatch`: there are failures, which the text has. `WouldBlock`, `TimedOut`: something has still to be done. `Closed`.
    pub fn wait(&self, timeout: Timeout) -> Result<()> {
        let deadline = Deadline::from(timeout);
        let mut state = self.0.state.lock();
        loop {
            if let [first, others @ ..] = state.failures.as_slice() {
                let more = match others.len() as u64 + state.only_counted {
                    0 => String::new(),
                    more => format!(" ({more} more)"),
                };
                return Err(Error::in_lines(Status::Mismatch, &format!("{first}{more}")));
            }
            if state.awaited == 0 {
                return Ok(());
            }
            if state.closed {
                return Err(Status::Closed.into());
            }
            let expired = wait_until(&self.0.changed, &mut state, deadline);
            if expired && state.failures.is_empty() && state.awaited > 0 && !state.closed {
                let context = format!("{} times something has still to be done", state.awaited);
                return Err(Error::new(deadline.expiry(), context));
            }
        }
    }

    /// Ends waits for what has still to be done with `Closed`, now and later. Failures are recorded and told as before.
    pub fn close(&self) {
        self.0.state.lock().closed = true;
        self.0.changed.notify_all();
    }

    /// How many failures were recorded, ever.
    pub fn count(&self) -> u64 {
        self.0.state.lock().failed
    }

    /// The failures that were not taken yet, which are taken with this. The last one says how many were only counted.
    pub fn take(&self) -> Vec<Failure> {
        let mut state = self.0.state.lock();
        let mut failures = std::mem::take(&mut state.failures);
        if let Some(last) = failures.last_mut() {
            state.tell_of_others(last);
        }
        failures
    }

    /// The first failure that was not taken yet.
    pub fn take_first(&self) -> Option<Failure> {
        let mut state = self.0.state.lock();
        if state.failures.is_empty() {
            return None;
        }
        let mut first = state.failures.remove(0);
        if state.failures.is_empty() {
            state.tell_of_others(&mut first);
        }
        Some(first)
    }
}

impl State {
    fn tell_of_others(&mut self, last: &mut Failure) {
        match std::mem::take(&mut self.only_counted) {
            0 => {}
            others => last.text += &format!("\n  {others} more failures were only counted"),
        }
    }
}

impl fmt::Debug for Verdicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failures", self.count())
    }
}

fn this_thread() -> String {
    let thread = std::thread::current();
    let number = crate::sys::resources::thread_id();
    match thread.name().map(ToOwned::to_owned).or_else(crate::sys::resources::thread_name) {
        Some(name) => format!("thread \"{name}\" ({number})"),
        None => format!("thread {number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WATCHDOG: Timeout = Timeout::After(Duration::from_secs(60));

    #[test]
    fn a_failure_on_another_thread_ends_the_wait_and_keeps_its_place() {
        let verdicts = Verdicts::new();
        let there = verdicts.clone();
        let thread = std::thread::Builder::new()
            .name("callback".to_owned())
            .spawn(move || there.fail("there.cpp", 12, "1 is not 2\n  left:  \u{1b}1"))
            .unwrap();
        let error = verdicts.wait(WATCHDOG).unwrap_err();
        assert_eq!(error.status(), Status::Mismatch);
        let text = error.to_string();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[..2], ["there.cpp:12: 1 is not 2", "  left:  \\u{1b}1"], "{error}");
        assert!(lines[2].starts_with("  on ") && lines.len() == 3, "{error}");
        thread.join().unwrap();
        let [failure] = &verdicts.take()[..] else { panic!("one failure") };
        assert!(failure.thread.contains("callback"), "{}", failure.thread);
        assert_eq!((verdicts.count(), verdicts.take()), (1, Vec::new()));
    }

    #[test]
    fn failures_that_are_only_counted_are_said_to_be_so() {
        let fail = |verdicts: &Verdicts| {
            (0..FAILURES + 5).for_each(|number| verdicts.fail("there.cpp", 1, number.to_string()));
        };
        let verdicts = Verdicts::new();
        fail(&verdicts);
        let error = verdicts.wait(Timeout::None).unwrap_err().to_string();
        assert!(error.contains("(1004 more)"), "{error}");
        let taken = verdicts.take();
        fail(&verdicts);
        let one_by_one: Vec<_> = std::iter::from_fn(|| verdicts.take_first()).collect();
        for failures in [taken, one_by_one] {
            let [first, .., before, last] = &failures[..] else { panic!("failures") };
            assert_eq!((first.text.as_str(), before.text.as_str(), failures.len()), ("0", "998", FAILURES));
            assert_eq!(last.text, "999\n  5 more failures were only counted");
        }
        assert_eq!(verdicts.count(), 2 * (FAILURES as u64 + 5));
    }

    #[test]
    fn it_waits_until_everything_is_done() {
        let verdicts = Verdicts::new();
        verdicts.expect(2);
        let error = verdicts.wait(Timeout::None).unwrap_err();
        assert_eq!(error.status(), Status::WouldBlock);
        verdicts.done();
        assert_eq!(
            verdicts.wait(Timeout::After(Duration::from_millis(1))).unwrap_err().status(),
            Status::TimedOut
        );
        let there = verdicts.clone();
        let thread = std::thread::spawn(move || there.done());
        verdicts.wait(WATCHDOG).unwrap();
        thread.join().unwrap();
        assert_eq!(verdicts.count(), 0);
    }
}

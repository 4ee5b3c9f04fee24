//! A recorded conversation. The format of its file is described in `docs/tap-format.md`.

use super::faults::Direction;
use super::text::{hex, text_of, unhex, visible};
use crate::error::{Error, Result, Status};
use crate::sys::{self, Credentials, RawDescriptor};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The first line of a file.
const HEAD: &str = "moorline-tap 1";
/// A tap's word that it goes on writing, and its last one. To readers of events they are comments.
const BEGIN: &str = "# begin";
const END: &str = "# end";

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TapEvent {
    /// A client connected; who it was, where the system tells.
    Open(Option<Credentials>),
    /// So many bytes passed at once, and so many descriptors with them, which are not recorded themselves.
    Data {
        /// Where to.
        direction: Direction,
        /// The bytes.
        bytes: Vec<u8>,
        /// How many descriptors.
        descriptors: usize,
    },
    /// One side will send no more.
    End(Direction),
    /// The connection is over.
    Close,
}

/// What happened, when, on which connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TapEntry {
    /// From the beginning of the recording.
    pub at: Duration,
    /// From 1, in the order in which they came.
    pub connection: u64,
    /// What.
    pub event: TapEvent,
}

/// A recorded conversation, read from a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recording {
    /// In the order in which it happened.
    pub entries: Vec<TapEntry>,
}

impl Recording {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// `NotFound`, `PermissionDenied`, `OsError`: of reading it. `Malformed`: it is not such a file; the text names the line.
    pub fn read(path: impl AsRef<Path>) -> Result<Recording> {
        let path = path.as_ref();
        let place = || format!("read {}", path.display());
        let text = std::fs::read(path).map_err(|error| Error::os(error, place()))?;
        Recording::parse(text).map_err(|error| error.within(&place()))
    }

    /// Reads the text of a file. Where a tap writes still, or was cut off, a last line without its line feed is left out.
    ///
    /// # Errors
    ///
    /// `Malformed`: it is none of a recording; the text names the line.
    pub fn parse(text: impl AsRef<[u8]>) -> Result<Recording> {
        let malformed = |line: usize, what: &str| {
            Error::new(Status::Malformed, format!("line {}: {}", line + 1, visible(what)))
        };
        let text = text_of(text.as_ref()).map_err(|(line, what)| malformed(line - 1, what))?;
        // Where a tap has not said that it ends, what follows the last line feed is being written still, or was cut off. Otherwise
        // somebody has written it by hand.
        let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
        let goes_on = whole.lines().rfind(|line| [BEGIN, END].contains(line)) == Some(BEGIN);
        let mut lines = if goes_on { whole } else { text }.lines().enumerate();
        if lines.next().is_none_or(|(_, line)| line != HEAD) {
            return Err(malformed(0, &format!("it is not \"{HEAD}\"")));
        }
        let mut recording = Recording::default();
        // Which sides of those that are open have ended their sending; None: it is over.
        let mut connections: BTreeMap<u64, Option<Vec<Direction>>> = BTreeMap::new();
        for (number, line) in lines {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let entry = parse_entry(line).map_err(|what| malformed(number, &what))?;
            match (&entry.event, connections.get_mut(&entry.connection)) {
                (TapEvent::Open(_), None) => drop(connections.insert(entry.connection, Some(Vec::new()))),
                (TapEvent::Open(_), Some(Some(_))) => {
                    return Err(malformed(number, "the connection is open already"));
                }
                (TapEvent::Open(_), Some(None)) => {
                    return Err(malformed(number, "a connection of that number has ended already"));
                }
                (_, None | Some(None)) => return Err(malformed(number, "the connection is not open")),
                (TapEvent::Close, Some(open)) => *open = None,
                (TapEvent::Data { direction, .. } | TapEvent::End(direction), Some(Some(ended))) => {
                    if ended.contains(direction) {
                        return Err(malformed(number, "that side has ended its sending already"));
                    }
                    if let TapEvent::End(direction) = entry.event {
                        ended.push(direction);
                    }
                }
            }
            if recording.entries.last().is_some_and(|last| last.at > entry.at) {
                return Err(malformed(number, "it is earlier than the line before"));
            }
            recording.entries.push(entry);
        }
        Ok(recording)
    }

    /// The text of a file.
    pub fn to_text(&self) -> String {
        let mut text = format!("{HEAD}\n");
        for entry in &self.entries {
            text.push_str(&entry.to_line());
        }
        text
    }

    /// The connections, in the order in which they came.
    pub fn connections(&self) -> Vec<u64> {
        let opened = self.entries.iter().filter(|entry| matches!(entry.event, TapEvent::Open(_)));
        opened.map(|entry| entry.connection).collect()
    }
}

impl TapEntry {
    fn to_line(&self) -> String {
        let mut line = format!("{} {} ", self.at.as_micros(), self.connection);
        // Writing to a string does not fail.
        let _ = match &self.event {
            TapEvent::Open(None) => writeln!(line, "open"),
            TapEvent::Open(Some(Credentials { uid, gid, pid })) => {
                let pid = pid.map_or("-".to_owned(), |pid| pid.to_string());
                writeln!(line, "open {uid} {gid} {pid}")
            }
            TapEvent::Data { direction, bytes, descriptors: 0 } => {
                writeln!(line, "{} {}", name(*direction), hex(bytes))
            }
            TapEvent::Data { direction, bytes, descriptors } => {
                writeln!(line, "{} {} {descriptors}", name(*direction), hex(bytes))
            }
            TapEvent::End(direction) => writeln!(line, "end {}", name(*direction)),
            TapEvent::Close => writeln!(line, "close"),
        };
        line
    }
}

fn name(direction: Direction) -> &'static str {
    match direction {
        Direction::ToServer => "to-server",
        Direction::ToClient => "to-client",
    }
}

fn direction(text: &str) -> Option<Direction> {
    [Direction::ToServer, Direction::ToClient].into_iter().find(|direction| name(*direction) == text)
}

fn parse_entry(line: &str) -> Result<TapEntry, String> {
    fn number<T: std::str::FromStr>(text: &str, what: &str) -> Result<T, String> {
        text.parse().map_err(|_| format!("{what} is not a number: {text:.20}"))
    }
    let fields: Vec<&str> = line.split(' ').collect();
    let [at, connection, what, arguments @ ..] = fields.as_slice() else {
        return Err("time, connection and event are missing".to_owned());
    };
    let event = match (*what, arguments) {
        ("open", []) => TapEvent::Open(None),
        ("open", [uid, gid, pid]) => TapEvent::Open(Some(Credentials {
            uid: number(uid, "the user")?,
            gid: number(gid, "the group")?,
            pid: if *pid == "-" { None } else { Some(number(pid, "the process")?) },
        })),
        ("end", [to]) => {
            TapEvent::End(direction(to).ok_or_else(|| format!("there is no direction {to:.20}"))?)
        }
        ("close", []) => TapEvent::Close,
        (to, [bytes, descriptors @ ..]) if direction(to).is_some() && descriptors.len() <= 1 => {
            let bytes = unhex(bytes)?;
            if bytes.is_empty() {
                return Err("there are no bytes".to_owned());
            }
            let direction = direction(to).unwrap_or(Direction::ToServer);
            let descriptors =
                descriptors.first().map_or(Ok(0), |count| number(count, "the count of descriptors"))?;
            TapEvent::Data { direction, bytes, descriptors }
        }
        (what, _) => return Err(format!("there is no event {what:.20} with {} fields", arguments.len())),
    };
    let at = Duration::from_micros(number(at, "the time")?);
    match number(connection, "the connection")? {
        // In a report it means that there is none.
        0 => Err("connections are counted from 1".to_owned()),
        connection => Ok(TapEntry { at, connection, event }),
    }
}

/// Records conversations to a file as they happen. Clones are the same tap. It is given to a proxy by its options.
#[derive(Clone)]
pub struct Tap(Arc<Recorder>);

struct Recorder {
    path: PathBuf,
    start: Instant,
    /// Whose it is: a forked child does not end what its parent writes.
    process: u32,
    connections: AtomicU64,
    state: Mutex<State>,
}

struct State {
    file: File,
    /// Bytes of the lines that were written whole.
    whole: u64,
    /// Of the first write that failed; nothing is written from then on.
    failure: Option<Error>,
}

impl State {
    /// Writes a line whole, at once; nothing after one that could not be written.
    fn write(&mut self, path: &Path, line: &str) {
        if self.failure.is_some() {
            return;
        }
        if let Err(error) = self.file.write_all(line.as_bytes()) {
            // What was written until then can be read, without half a line. A device has no length to set.
            let _ = self.file.set_len(self.whole);
            self.failure = Some(Error::os(error, format!("record to {}", path.display())));
            return;
        }
        self.whole += line.len() as u64;
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        if self.process == sys::process_id() {
            self.state.get_mut().write(&self.path, &format!("{END}\n"));
        }
    }
}

impl Tap {
    /// Records to a new file, which only this user may read: conversations have secrets.
    ///
    /// # Errors
    ///
    /// `NameInUse`: there is a file already. `NotFound`, `PermissionDenied`, `LimitReached`, `OsError`.
    pub fn create(path: impl AsRef<Path>) -> Result<Tap> {
        let path = path.as_ref();
        let context = || format!("record to {}", path.display());
        let mut file = sys::create_private_file(path).map_err(|error| Error::os(error, context()))?;
        // At once, as lines are: whoever reads the first one knows of the other.
        let head = format!("{HEAD}\n{BEGIN}\n");
        if let Err(error) = file.write_all(head.as_bytes()) {
            // It is a new one, in which there is nothing.
            let _ = std::fs::remove_file(path);
            return Err(Error::os(error, context()));
        }
        Ok(Tap(Arc::new(Recorder {
            path: path.to_owned(),
            start: Instant::now(),
            process: sys::process_id(),
            connections: AtomicU64::new(0),
            state: Mutex::new(State { file, whole: head.len() as u64, failure: None }),
        })))
    }

    /// Whether everything was written so far. The conversations go on whether or not.
    ///
    /// # Errors
    ///
    /// Of the first write that failed, after which nothing was written: `LimitReached` for a full disk, `OsError`.
    pub fn check(&self) -> Result<()> {
        match &self.0.state.lock().failure {
            None => Ok(()),
            Some(error) => Err(error.again()),
        }
    }

    /// The descriptor of its file.
    pub(crate) fn descriptor(&self) -> RawDescriptor {
        sys::raw(&self.0.state.lock().file)
    }

    pub(super) fn open(&self, client: Option<Credentials>) -> Conversation {
        let number = self.0.connections.fetch_add(1, Ordering::Relaxed) + 1;
        let conversation = Conversation { tap: self.clone(), number };
        conversation.write(TapEvent::Open(client));
        conversation
    }
}

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.path.display())
    }
}

/// One recorded connection; its end is recorded when this is dropped.
pub(super) struct Conversation {
    tap: Tap,
    number: u64,
}

impl Conversation {
    pub fn data(&mut self, direction: Direction, bytes: &[u8], descriptors: usize) {
        self.write(TapEvent::Data { direction, bytes: bytes.to_vec(), descriptors });
    }

    pub fn end(&mut self, direction: Direction) {
        self.write(TapEvent::End(direction));
    }

    fn write(&self, event: TapEvent) {
        let Recorder { path, start, state, .. } = &*self.tap.0;
        let mut state = state.lock();
        // The time is taken with the lock, so that lines are in its order.
        let entry = TapEntry { at: start.elapsed(), connection: self.number, event };
        state.write(path, &entry.to_line());
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        self.write(TapEvent::Close);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn event() -> impl Strategy<Value = TapEvent> {
        let direction = proptest::sample::select(&[Direction::ToServer, Direction::ToClient][..]);
        prop_oneof![
            (direction.clone(), proptest::collection::vec(any::<u8>(), 1..20), 0..3_usize)
                .prop_map(|(direction, bytes, descriptors)| TapEvent::Data { direction, bytes, descriptors }),
            direction.prop_map(TapEvent::End),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            events in proptest::collection::vec(event(), 0..10),
            pid in proptest::option::of(any::<u32>()),
        ) {
            let client = Credentials { uid: 1000, gid: 7, pid };
            let mut all = vec![TapEvent::Open(Some(client))];
            // Nothing comes from a side that has ended its sending.
            for event in events {
                let ends = |direction| all.contains(&TapEvent::End(direction));
                match event {
                    TapEvent::Data { direction, .. } | TapEvent::End(direction) if ends(direction) => {}
                    event => all.push(event),
                }
            }
            all.extend([TapEvent::Close, TapEvent::Open(None)]);
            let last = all.len() - 1;
            let entries = all.into_iter().enumerate().map(|(index, event)| TapEntry {
                at: Duration::from_micros(index as u64),
                connection: if index == last { 2 } else { 1 },
                event,
            });
            let recording = Recording { entries: entries.collect() };
            prop_assert_eq!(Recording::parse(recording.to_text()).unwrap(), recording);
        }

        #[test]
        fn no_text_is_a_surprise(text in "(moorline-tap 1\n)?([0-9]{1,3} [0-9] (open|close|end|to-server|to-client)?[ 0-9a-f]{0,9}\n){0,5}") {
            let _ = Recording::parse(&text);
        }
    }

    /// As who reads it while it is written may find it: the system writes long lines in pieces.
    #[test]
    fn half_a_line_is_none() {
        let lines = ["0 1 open 1000 1000 4711\n", "35 1 to-server 68656c6c6f0a 12\n", "41 1 end to-server\n"];
        let text = format!("{HEAD}\n{BEGIN}\n{}", lines.concat());
        let all = Recording::parse(&text).unwrap().entries;
        for cut in HEAD.len()..=text.len() {
            let whole = text[..cut].matches('\n').count().saturating_sub(2);
            assert_eq!(Recording::parse(&text[..cut]).unwrap().entries, all[..whole], "{:?}", &text[..cut]);
        }
    }

    /// Of a tap that has ended, or where there was none, nothing is cut off.
    #[test]
    fn a_last_line_by_hand_needs_no_line_feed() {
        let (first, last) = ("0 1 open", "35 1 to-server 68656c6c6f0a");
        let whole = Recording::parse(format!("{HEAD}\n{first}\n{last}\n")).unwrap();
        for (written, before) in [
            ("", ""),
            ("", "# begin of a comment\n"),
            ("# begin\n", "# end\n"),
            ("# end\n# begin\n", "# end\n"),
        ] {
            let text = format!("{HEAD}\n{written}{first}\n{before}{last}");
            assert_eq!(Recording::parse(&text).unwrap(), whole, "{text}");
            let line = text.lines().count();
            let error = Recording::parse(&text[..text.len() - 1]).unwrap_err();
            assert!(error.to_string().starts_with(&format!("line {line}: these are no pairs")), "{error}");
        }
        assert_eq!(Recording::parse(HEAD).unwrap(), Recording::default());
    }

    #[test]
    fn the_last_of_a_tap_says_that_it_ends() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tap");
        let read = || std::fs::read_to_string(&path).unwrap();
        let tap = Tap::create(&path).unwrap();
        let conversation = tap.open(None);
        drop(tap);
        assert!(read().ends_with(" open\n"), "{}", read());
        drop(conversation);
        assert!(read().ends_with(" close\n# end\n"), "{}", read());

        // As in a forked child, which has it, too.
        std::fs::remove_file(&path).unwrap();
        let mut tap = Tap::create(&path).unwrap();
        Arc::get_mut(&mut tap.0).unwrap().process ^= 1;
        drop(tap);
        assert_eq!(read(), format!("{HEAD}\n{BEGIN}\n"));
    }

    #[test]
    fn a_full_disk_is_told_and_nothing_is_written_from_then_on() {
        // The device that is always full: full(4).
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let state = Mutex::new(State { file: full, whole: 0, failure: None });
        let path = PathBuf::from("a file");
        let (start, process, connections) = (Instant::now(), sys::process_id(), AtomicU64::new(0));
        let tap = Tap(Arc::new(Recorder { path, start, process, connections, state }));
        tap.check().unwrap();
        drop(tap.open(None));
        let error = tap.check().unwrap_err();
        assert_eq!(error.status(), Status::LimitReached);
        // As any error of the system, in whose words its status is once.
        assert_eq!(error.os_error(), Some(libc::ENOSPC));
        let os = std::io::Error::from_raw_os_error(libc::ENOSPC);
        assert_eq!(error.to_string(), format!("record to a file: {} ({os})", error.status()));
        // There is room again: what came in between would be missing.
        let file = tempfile::tempfile().unwrap();
        tap.0.state.lock().file = file.try_clone().unwrap();
        drop(tap.open(None));
        assert_eq!(file.metadata().unwrap().len(), 0);
        assert_eq!(tap.check().unwrap_err().status(), Status::LimitReached);
    }

    /// Where a line that could not be written whole is cut off.
    #[test]
    fn how_much_was_written_whole_is_known() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tap");
        let tap = Tap::create(&path).unwrap();
        for _ in 0..3 {
            assert_eq!(tap.0.state.lock().whole, std::fs::metadata(&path).unwrap().len());
            drop(tap.open(None));
        }
    }

    #[test]
    fn mistakes_are_named_with_their_lines() {
        let good = "moorline-tap 1\n# a comment\n\n0 1 open 1 2 3\n";
        assert_eq!(Recording::parse(good).unwrap().connections(), [1]);
        for (text, what) in [
            ("", "line 1"),
            ("moorline-tap 2\n", "line 1"),
            ("moorline-tap 1\nx 1 open\n", "line 2: the time"),
            ("\u{feff}moorline-tap 1\n", "line 1: it begins with a byte order mark"),
            ("moorline-tap 1\n0 1 \u{1b}[2J\n", "line 2: there is no event \\u{1b}[2J"),
            ("moorline-tap 1\n0 0 open\n", "line 2: connections are counted from 1"),
            ("moorline-tap 1\n0 1 close\n", "line 2: the connection is not open"),
            ("moorline-tap 1\n0 1 open\n0 1 open\n", "line 3: the connection is open already"),
            ("moorline-tap 1\n0 1 open\n0 1 close\n0 1 open\n", "line 4: a connection of that number"),
            (
                "moorline-tap 1\n0 1 open\n0 1 end to-server\n0 1 to-server 61\n",
                "line 4: that side has ended",
            ),
            (
                "moorline-tap 1\n0 1 open\n0 1 end to-client\n0 1 end to-client\n",
                "line 4: that side has ended",
            ),
            ("moorline-tap 1\n5 1 open\n4 1 close\n", "line 3: it is earlier"),
            ("moorline-tap 1\n0 1 open\n0 1 to-server 0\n", "line 3: these are no pairs"),
            ("moorline-tap 1\n0 1 open\n0 1 to-server \n", "line 3: there are no bytes"),
            ("moorline-tap 1\n0 1 open\n0 1 end up\n", "line 3: there is no direction up"),
            ("moorline-tap 1\n0 1 open 5\n", "line 2: there is no event open with 1"),
            ("moorline-tap 1\n0\n", "line 2: time, connection"),
        ] {
            let error = Recording::parse(text).unwrap_err();
            assert_eq!(error.status(), Status::Malformed);
            assert!(error.to_string().starts_with(what), "{error}");
        }
        let error = Recording::parse(b"moorline-tap 1\n\xff\n").unwrap_err();
        assert!(error.to_string().starts_with("line 2: it is not UTF-8"), "{error}");
    }
}

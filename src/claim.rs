//! Taking, publishing, recovering and giving back a name that is a path.
//!
//! A socket is bound under a private name in the same directory, given its permissions, made to listen, and only then
//! published under its real name by link(2), which is atomic and displaces nothing. So the name leads to a listening
//! server from its first instant, and of several processes that race for it exactly one wins.
//!
//! A name whose server died is recovered: the dead file is removed under a lock on the directory, so that of several
//! processes that recover at once none removes what another has just published. The private names of a name are a
//! short fixed list, so that what a process killed half-way has left is found and removed by the next claim.

use crate::error::{Error, Result, Status};
use crate::sys::{self, Directory, FileIdentity, FileKind, Listener, Liveness, Published, RawDescriptor};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How many processes may be in the middle of claiming one name at the same time.
const PRIVATE_NAMES: u32 = 64;
/// How often a claim starts anew because others interfered, before it gives up.
const ATTEMPTS: u32 = 100;
/// How often, in all, a claim pauses for the lock that recovering needs, and how long. A holder has it for microseconds.
const LOCK_PAUSES: u32 = 500;
const LOCK_PAUSE: Duration = Duration::from_millis(2);
/// As often, and as long, do those pause that go on without it.
const SHORT_LOCK_PAUSES: u32 = 100;
const SHORT_LOCK_PAUSE: Duration = Duration::from_micros(200);
/// A server made without this library binds first and can be asked an instant later. What looks dead is asked again.
const SETTLE: Duration = Duration::from_millis(2);

/// A published name, until it is given back.
pub(crate) struct Claim {
    directory: Arc<Directory>,
    file: OsString,
    identity: FileIdentity,
    process: u32,
    _listed: Listed,
}

/// The names that this process has claimed and not given back, for those who look for what was left behind.
static CLAIMED: Mutex<BTreeMap<u64, (PathBuf, Instant)>> = Mutex::new(BTreeMap::new());

/// The claimed names: a number that no other claim has, the path, and since when.
pub(crate) fn claimed() -> Vec<(u64, PathBuf, Instant)> {
    CLAIMED.lock().iter().map(|(number, (path, since))| (*number, path.clone(), *since)).collect()
}

/// A place in the list.
struct Listed {
    number: u64,
    process: u32,
}

impl Listed {
    fn new(path: &Path) -> Listed {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        CLAIMED.lock().insert(number, (path.to_owned(), Instant::now()));
        Listed { number, process: sys::process_id() }
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        // A forked child has the parent's list, but perhaps locked by a thread that it does not have.
        if self.process == sys::process_id() {
            CLAIMED.lock().remove(&self.number);
        }
    }
}

impl Claim {
    /// Claims a path for a new listening socket with exactly these permissions.
    ///
    /// `go_on` is asked before the name is published, and whenever this has waited; what it answers is kept while the name is
    /// published, and given to the caller. Its error ends the claim.
    pub fn take<G>(
        path: &Path,
        mode: u32,
        backlog: Option<u32>,
        go_on: impl Fn() -> Result<G>,
    ) -> Result<Taken<G>> {
        Self::try_take(path, mode, backlog, &go_on)
            .map_err(|error| error.within(&format!("listen on {}", path.display())))
    }

    fn try_take<G>(
        path: &Path,
        mode: u32,
        backlog: Option<u32>,
        go_on: &impl Fn() -> Result<G>,
    ) -> Result<Taken<G>> {
        let (directory, file) = split(path)?;
        let check = || go_on().map(drop);
        let mut patience = Patience { pauses: LOCK_PAUSES, go_on: &check };
        for _ in 0..ATTEMPTS {
            let (private, listener, identity) =
                bind_private(&directory, &file, mode, backlog, &mut patience)?;
            let published = publish(&directory, &private, &file, go_on, &mut patience);
            let removed = directory.remove_same(&private, identity);
            if let Some(permission) = published? {
                // The name leads to this server now. That the private one stays, as after an input/output error, is no reason to leave it
                // behind dead: a later claim removes both.
                let directory = Arc::new(directory);
                let sweep =
                    Sweep { directory: directory.clone(), file: file.clone(), pauses: patience.pauses };
                let process = sys::process_id();
                let _listed = Listed::new(path);
                let claim = Claim { directory, file, identity, process, _listed };
                return Ok(Taken { claim, listener, permission, sweep });
            }
            removed?;
        }
        Err(in_use("others take and leave it all the time"))
    }

    /// The descriptor that it keeps.
    pub fn descriptor(&self) -> RawDescriptor {
        self.directory.descriptor()
    }

    /// Gives the name back: removes the socket file if it is still the very one that this process published. Called
    /// before the listening socket is closed, so that nobody sees the name dead.
    pub fn release(self) -> Result<()> {
        if self.process == sys::process_id() {
            // Between the look at the file and its removal nobody shall take the name over. Others that give theirs back may.
            let _lock = lock_if_possible(|| self.directory.try_share());
            self.directory.remove_same(&self.file, self.identity)?;
        }
        Ok(())
    }
}

/// What taking a name gives.
pub(crate) struct Taken<G> {
    pub claim: Claim,
    pub listener: Listener,
    /// What the claim was allowed with.
    pub permission: G,
    /// To be done when nobody waits for the claim any more.
    pub sweep: Sweep,
}

/// What processes killed half-way through claiming a name may have left.
pub(crate) struct Sweep {
    directory: Arc<Directory>,
    file: OsString,
    /// What the claim has left of its pauses.
    pauses: u32,
}

impl Sweep {
    /// Removes it.
    pub fn run(self) {
        let mut patience = Patience { pauses: self.pauses, ..Patience::default() };
        for index in 1..PRIVATE_NAMES {
            let private = private_name(&self.file, index);
            // Nothing there does not mean nothing behind it: of several that raced, one may have been killed that was not the first.
            if let Ok(Some(_)) = self.directory.look(&private) {
                // What can't be removed now is no reason to give up the name that was won.
                let _ = recover(&self.directory, &private, &mut patience);
            }
        }
    }
}

/// What stands at a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameState {
    /// Nothing.
    Absent,
    /// A socket file that no server listens on any more.
    Dead,
    /// A server.
    Live,
    /// Something that is no socket.
    Occupied,
}

/// What stands at a path, without changing anything.
pub(crate) fn state(path: &Path) -> Result<NameState> {
    let (directory, file) = match split(path) {
        Err(error) if error.status() == Status::NotFound => return Ok(NameState::Absent),
        parts => parts?,
    };
    Ok(match examine(&directory, &file)? {
        Seen::Dead(_) => NameState::Dead,
        Seen::Found(Found::Free) => NameState::Absent,
        Seen::Found(Found::Live) => NameState::Live,
        Seen::Found(Found::Occupied(_)) => NameState::Occupied,
    })
}

/// Removes the socket file at a path, live or dead: the explicit take-over.
pub(crate) fn remove(path: &Path) -> Result<()> {
    let (directory, file) = match split(path) {
        Err(error) if error.status() == Status::NotFound => return Ok(()),
        parts => parts?,
    };
    // Its server may be just about to remove the file, and must not have seen it before and remove another's afterwards; nor must this.
    let _lock = lock_if_possible(|| directory.try_lock());
    match directory.look(&file)? {
        None => Ok(()),
        Some((FileKind::Other(what), _)) => Err(in_use(&format!("remove {}: it is {what}", path.display()))),
        Some((FileKind::Socket, identity)) => directory.remove_same(&file, identity).map(drop),
    }
}

/// Removes the socket file at a path if its server has died, as the next claim would. Whether there is nothing now.
pub(crate) fn remove_dead(path: &Path) -> Result<bool> {
    let (directory, file) = match split(path) {
        Err(error) if error.status() == Status::NotFound => return Ok(true),
        parts => parts?,
    };
    let found = recover(&directory, &file, &mut Patience::default())
        .map_err(|error| error.within(&format!("recover {}", path.display())))?;
    Ok(matches!(found, Found::Free))
}

fn split(path: &Path) -> Result<(Directory, OsString)> {
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(file)) => Ok((Directory::open(parent)?, file.to_owned())),
        _ => Err(Error::new(Status::NameInvalid, format!("{} names no file", path.display()))),
    }
}

/// Binds under the first private name of `file` that nobody uses.
fn bind_private(
    directory: &Directory,
    file: &OsStr,
    mode: u32,
    backlog: Option<u32>,
    patience: &mut Patience<'_>,
) -> Result<(OsString, Listener, FileIdentity)> {
    for index in 0..PRIVATE_NAMES {
        let private = private_name(file, index);
        // Twice, because the first finding may be a dead one, which is removed.
        for _ in 0..2 {
            match directory.bind(&private, mode, backlog) {
                Err(error) if error.status() == Status::NameInUse => {}
                bound => return bound.map(|(listener, identity)| (private, listener, identity)),
            }
            match recover(directory, &private, patience) {
                Ok(Found::Free) => {}
                Ok(Found::Live | Found::Occupied(_)) => break,
                // It stays, as another user's does in a directory like /tmp, or all do while somebody keeps that locked; that is no
                // reason not to take a free name.
                Err(error) if [Status::PermissionDenied, Status::NameInUse].contains(&error.status()) => {
                    break;
                }
                Err(error) => return Err(error),
            }
        }
    }
    // As by servers killed half-way whose mode lets even their own user not ask them. Nobody but that user can know that they are dead.
    let [first, last] = [0, PRIVATE_NAMES - 1].map(|index| private_name(file, index));
    let (first, last) = (first.display(), last.display());
    Err(in_use(&format!(
        "its private names {first} to {last} beside it are all in use, or left over and to be removed"
    )))
}

/// A short name, so that long file names have private names too.
fn private_name(file: &OsStr, index: u32) -> OsString {
    OsString::from(format!(".moorline-{:016x}-{index}", fnv1a(file.as_encoded_bytes())))
}

/// The FNV-1a hash, by its definition in the IETF draft of Fowler, Noll, Vo and Eastlake. It spreads names over private
/// names and need not withstand an attacker, who could take a name directly as well.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Publishes the private file under its real name, recovering that from a dead server. None if the private file was
/// gone and must be made anew.
fn publish<G>(
    directory: &Directory,
    private: &OsStr,
    file: &OsStr,
    go_on: &impl Fn() -> Result<G>,
    patience: &mut Patience<'_>,
) -> Result<Option<G>> {
    for _ in 0..ATTEMPTS {
        let permission = go_on()?;
        let published = directory.publish(private, file)?;
        if let Published::Yes = published {
            return Ok(Some(permission));
        }
        drop(permission);
        match published {
            Published::Yes | Published::SourceGone => return Ok(None),
            Published::Taken => match recover(directory, file, patience)? {
                Found::Free => {}
                Found::Live => return Err(in_use("a server has it")),
                Found::Occupied(what) => return Err(in_use(&format!("it is {what}"))),
            },
        }
    }
    Ok(None)
}

enum Found {
    /// There is nothing, or was only something dead that has been removed.
    Free,
    Live,
    Occupied(&'static str),
}

/// What stands there, when somebody looked.
enum Seen {
    Found(Found),
    /// A socket whose server has gone.
    Dead(FileIdentity),
}

/// Removes a dead socket file, and nothing else.
fn recover(directory: &Directory, file: &OsStr, patience: &mut Patience<'_>) -> Result<Found> {
    if let Seen::Found(found) = examine(directory, file)? {
        return Ok(found);
    }
    std::thread::sleep(SETTLE);
    let _lock = lock(directory, patience)?;
    // Asked again with the lock: only now does dead mean that nobody else is just recovering it.
    match examine(directory, file)? {
        Seen::Found(found) => Ok(found),
        Seen::Dead(identity) => directory.remove_same(file, identity).map(|_| Found::Free),
    }
}

fn examine(directory: &Directory, file: &OsStr) -> Result<Seen> {
    for _ in 0..ATTEMPTS {
        match directory.look(file)? {
            None => return Ok(Seen::Found(Found::Free)),
            Some((FileKind::Other(what), _)) => return Ok(Seen::Found(Found::Occupied(what))),
            Some((FileKind::Socket, identity)) => match directory.probe(file)? {
                Some(Liveness::Alive) => return Ok(Seen::Found(Found::Live)),
                Some(Liveness::Dead) => return Ok(Seen::Dead(identity)),
                None => {}
            },
        }
    }
    Err(in_use("what has it can't be asked whether it is alive"))
}

/// What a claim has left of its pauses for the lock, however much it has to recover.
struct Patience<'claim> {
    pauses: u32,
    /// Asked after each of them.
    go_on: &'claim dyn Fn() -> Result<()>,
}

impl Default for Patience<'_> {
    fn default() -> Self {
        Patience { pauses: LOCK_PAUSES, go_on: &|| Ok(()) }
    }
}

fn lock(directory: &Directory, patience: &mut Patience<'_>) -> Result<impl Drop + use<>> {
    loop {
        if let Some(lock) = directory.try_lock()? {
            return Ok(lock);
        }
        if patience.pauses == 0 {
            return Err(in_use("its server is dead, but another process keeps its directory locked"));
        }
        patience.pauses -= 1;
        std::thread::sleep(LOCK_PAUSE);
        (patience.go_on)()?;
    }
}

/// The lock, for what must not fail without it: another user may keep it, and the directory may not be readable.
fn lock_if_possible<L>(try_lock: impl Fn() -> Result<Option<L>>) -> Option<L> {
    for _ in 0..SHORT_LOCK_PAUSES {
        match try_lock() {
            Ok(None) => std::thread::sleep(SHORT_LOCK_PAUSE),
            answer => return answer.ok().flatten(),
        }
    }
    None
}

fn in_use(why: &str) -> Error {
    Error::new(Status::NameInUse, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_is_the_published_one() {
        // Test vectors of the IETF draft, appendix C.
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn what_a_killed_process_left_half_way_is_removed_by_the_next_claim() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("name");
        // Those between may have been others', which were not killed.
        for index in [0, 1, 3, PRIVATE_NAMES - 1] {
            let left = directory.path().join(private_name(OsStr::new("name"), index));
            drop(std::os::unix::net::UnixListener::bind(left).unwrap());
        }
        let (claim, listener) = take(&path).unwrap();
        let files: Vec<_> =
            directory.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(files, ["name"]);
        claim.release().unwrap();
        drop(listener);
    }

    /// As another claim of the name may that finds it dead just when it is being bound.
    #[test]
    fn who_removes_a_private_name_under_a_claim_does_not_keep_it_from_the_name() {
        let directory = tempfile::tempdir().unwrap();
        let private = directory.path().join(private_name(OsStr::new("name"), 0));
        let ends = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !ends.load(Ordering::Relaxed) {
                    let _ = std::fs::remove_file(&private);
                }
            });
            let statuses: Vec<Status> = (0..1000)
                .map(|_| {
                    let taken = take(&directory.path().join("name"));
                    status(taken.and_then(|(claim, _listener)| claim.release()))
                })
                .collect();
            ends.store(true, Ordering::Relaxed);
            assert!(statuses.iter().all(|status| *status == Status::Ok), "{statuses:?}");
        });
    }

    /// As killed servers leave them whose mode denies even their own user to write: nobody can ask them whether they are dead.
    #[test]
    fn who_finds_no_private_name_is_told_which_to_remove() {
        let directory = tempfile::tempdir().unwrap();
        let place = |index| directory.path().join(private_name(OsStr::new("name"), index));
        let listeners: Vec<_> = (0..PRIVATE_NAMES)
            .map(|index| std::os::unix::net::UnixListener::bind(place(index)).unwrap())
            .collect();
        let error = take(&directory.path().join("name")).err().unwrap();
        assert_eq!(error.status(), Status::NameInUse);
        for index in [0, PRIVATE_NAMES - 1] {
            let private = private_name(OsStr::new("name"), index).into_string().unwrap();
            assert!(error.to_string().contains(&private), "{error}");
        }
        drop(listeners);
        // Those are dead, and can be asked.
        take(&directory.path().join("name")).unwrap().0.release().unwrap();
    }

    /// A second for each of them would be more than a minute.
    #[test]
    fn a_lock_held_elsewhere_is_waited_for_once_however_much_is_to_be_removed() {
        let directory = tempfile::tempdir().unwrap();
        for index in 1..PRIVATE_NAMES {
            let left = directory.path().join(private_name(OsStr::new("name"), index));
            drop(std::os::unix::net::UnixListener::bind(left).unwrap());
        }
        let held = Directory::open(directory.path()).unwrap().try_lock().unwrap().unwrap();
        let begun = Instant::now();
        let (claim, listener) = take(&directory.path().join("name")).unwrap();
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
        drop(held);
        // What stayed goes the next time.
        claim.release().unwrap();
        drop(listener);
        let (claim, _listener) = take(&directory.path().join("name")).unwrap();
        assert_eq!(directory.path().read_dir().unwrap().count(), 1);
        claim.release().unwrap();
    }

    #[test]
    fn what_was_left_under_a_private_name_and_cannot_be_removed_does_not_keep_a_free_name_from_being_taken() {
        let directory = tempfile::tempdir().unwrap();
        let left = directory.path().join(private_name(OsStr::new("name"), 0));
        drop(std::os::unix::net::UnixListener::bind(&left).unwrap());
        let held = Directory::open(directory.path()).unwrap().try_lock().unwrap().unwrap();
        let (claim, _listener) = take(&directory.path().join("name")).unwrap();
        claim.release().unwrap();
        assert!(left.exists());
        drop(held);
        let (claim, _listener) = take(&directory.path().join("name")).unwrap();
        assert!(!left.exists());
        claim.release().unwrap();
    }

    #[test]
    fn a_lock_held_elsewhere_delays_recovery_but_not_a_claim() {
        let directory = tempfile::tempdir().unwrap();
        let held = Directory::open(directory.path()).unwrap().try_lock().unwrap().unwrap();
        let (claim, _listener) = take(&directory.path().join("fresh")).unwrap();
        claim.release().unwrap();
        drop(held);
    }

    fn take(path: &Path) -> Result<(Claim, Listener)> {
        let Taken { claim, listener, sweep, .. } = Claim::take(path, 0o600, None, || Ok(()))?;
        sweep.run();
        Ok((claim, listener))
    }

    fn status<T>(result: Result<T>) -> Status {
        result.err().map_or(Status::Ok, |error| error.status())
    }

    #[test]
    fn a_claimed_name_is_listed_and_nobody_elses_until_it_is_given_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("name");
        let listed = || claimed().into_iter().filter(|(_, claimed, _)| *claimed == path).count();
        assert_eq!((state(&path).unwrap(), listed()), (NameState::Absent, 0));
        let (claim, _listener) = take(&path).unwrap();
        assert_eq!((state(&path).unwrap(), listed()), (NameState::Live, 1));
        assert_eq!(claim.descriptor(), claim.directory.descriptor());
        assert_eq!(status(take(&path)), Status::NameInUse);
        claim.release().unwrap();
        assert_eq!((state(&path).unwrap(), listed()), (NameState::Absent, 0));
    }

    /// Else a server that is just about to remove its file may remove that of who has taken its name over.
    #[test]
    fn who_gives_a_name_back_and_who_takes_it_over_keep_out_of_each_others_way_if_they_can() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("name");
        let locks = Directory::open(directory.path()).unwrap();
        let waits = |act: &dyn Fn() -> Result<()>| {
            let begun = Instant::now();
            act().unwrap();
            assert!(begun.elapsed() >= SHORT_LOCK_PAUSE * SHORT_LOCK_PAUSES, "{:?}", begun.elapsed());
            assert!(!path.exists());
        };
        let claim = Mutex::new(Some(take(&path).unwrap()));
        let give_back = || claim.lock().take().map_or(Ok(()), |(claim, _listener)| claim.release());
        let held = locks.try_lock().unwrap().unwrap();
        waits(&give_back);
        drop(held);
        let held = locks.try_share().unwrap().unwrap();
        // Those who give names back do not wait for each other.
        *claim.lock() = Some(take(&path).unwrap());
        assert!(locks.try_share().unwrap().is_some());
        waits(&|| remove(&path));
        drop(held);
    }

    #[test]
    fn sockets_are_removed_dead_or_live_and_nothing_else_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("name");
        for expected in [NameState::Dead, NameState::Live] {
            let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
            let _live = (expected == NameState::Live).then_some(listener);
            assert_eq!(state(&path).unwrap(), expected);
            remove(&path).unwrap();
            assert_eq!(state(&path).unwrap(), NameState::Absent);
            remove(&path).unwrap();
        }
        std::fs::write(&path, "precious").unwrap();
        assert_eq!(state(&path).unwrap(), NameState::Occupied);
        assert_eq!((status(remove(&path)), status(take(&path))), (Status::NameInUse, Status::NameInUse));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    }

    #[test]
    fn only_what_is_dead_is_removed_as_such_and_told_to_be_gone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("name");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let held = Directory::open(directory.path()).unwrap().try_lock().unwrap().unwrap();
        let begun = Instant::now();
        assert_eq!((status(remove_dead(&path)), state(&path).unwrap()), (Status::NameInUse, NameState::Dead));
        // Who has the lock may be just about to give it back.
        assert!(begun.elapsed() >= LOCK_PAUSE * LOCK_PAUSES, "{:?}", begun.elapsed());
        drop(held);
        let begun = Instant::now();
        for _ in 0..2 {
            assert_eq!((remove_dead(&path).unwrap(), state(&path).unwrap()), (true, NameState::Absent));
        }
        // And whoever bound it to listen an instant later.
        assert!(begun.elapsed() >= SETTLE, "{:?}", begun.elapsed());
        let (claim, _listener) = take(&path).unwrap();
        assert_eq!((remove_dead(&path).unwrap(), state(&path).unwrap()), (false, NameState::Live));
        claim.release().unwrap();
        std::fs::write(&path, "precious").unwrap();
        assert_eq!((remove_dead(&path).unwrap(), state(&path).unwrap()), (false, NameState::Occupied));
    }

    #[test]
    fn where_no_directory_is_there_is_nothing_and_what_names_no_file_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let absent = directory.path().join("absent/name");
        assert_eq!(state(&absent).unwrap(), NameState::Absent);
        assert_eq!((status(remove(&absent)), status(take(&absent))), (Status::Ok, Status::NotFound));
        assert!(remove_dead(&absent).unwrap());
        let root = Path::new("/");
        assert_eq!(status(state(root)), Status::NameInvalid);
        assert_eq!((status(remove(root)), status(take(root))), (Status::NameInvalid, Status::NameInvalid));
        assert_eq!(status(remove_dead(root)), Status::NameInvalid);
        // The directory has gone after it was opened.
        let opened = Directory::open(directory.path()).unwrap();
        directory.close().unwrap();
        let bound = bind_private(&opened, OsStr::new("name"), 0o600, None, &mut Patience::default());
        assert_eq!(status(bound), Status::NotFound);
    }
}

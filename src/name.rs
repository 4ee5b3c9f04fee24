//! What a name means: where its socket is.

use crate::claim;
pub use crate::claim::NameState;
use crate::error::{Error, Result, Status};
use crate::sys::{self, Place};
use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Component, Path, PathBuf};

/// Where plain names live. An absolute path is itself in every scope that has paths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scope {
    /// The temporary directory: `TMPDIR`, else `/tmp`. Where Qt's QLocalServer has plain names, so both meet.
    #[default]
    Temporary,
    /// The user's own runtime directory: `XDG_RUNTIME_DIR`, which must be set and private to the user.
    Runtime,
    /// The abstract namespace of Linux: no file, gone with its server, and no permissions. Whoever is on the same
    /// network namespace can connect.
    Abstract,
}

/// A name, resolved: where its socket is.
#[derive(Clone, PartialEq, Eq)]
pub struct Name(Place);

impl Name {
    /// What the name means in the scope.
    ///
    /// A plain name may lead into a subdirectory of the scope's, but not out of it.
    ///
    /// # Errors
    ///
    /// `NameInvalid`: empty, has a NUL, leads out by "..", ends without naming a file. `NameTooLong`: a component or the
    /// path or the abstract name is longer than the system takes. `NotFound`, `PermissionDenied`: there is no runtime
    /// directory, or it is not this user's alone.
    pub fn resolve(name: impl AsRef<OsStr>, scope: Scope) -> Result<Name> {
        let name = name.as_ref();
        check(name)?;
        if scope == Scope::Abstract {
            return Name::from_abstract(sys::native_bytes(name));
        }
        let path = if Path::new(name).is_absolute() {
            PathBuf::from(name)
        } else {
            check_plain(name)?;
            directory(scope)?.join(name)
        };
        check_path(&path)?;
        Ok(Name(Place::Path(path)))
    }

    /// The abstract name of these bytes, all of which count, NULs too.
    ///
    /// # Errors
    ///
    /// `NameInvalid`: empty. `NameTooLong`.
    pub fn from_abstract(bytes: &[u8]) -> Result<Name> {
        if bytes.is_empty() {
            return Err(Error::new(Status::NameInvalid, "a name is not empty"));
        }
        if bytes.len() > sys::ABSTRACT_LIMIT {
            let (length, most) = (bytes.len(), sys::ABSTRACT_LIMIT);
            let context = format!("abstract name of {length} bytes, {most} at most");
            return Err(Error::new(Status::NameTooLong, context));
        }
        Ok(Name(Place::Abstract(bytes.to_vec())))
    }

    /// A new name in the scope that nobody has: the prefix, this process and sixty-four random bits.
    ///
    /// # Errors
    ///
    /// As [`Name::resolve`] of the prefix; `OsError` if the system has no random bytes.
    pub fn unique(prefix: impl AsRef<OsStr>, scope: Scope) -> Result<Name> {
        let mut name = OsString::from(prefix.as_ref());
        name.push(format!("-{}-{:016x}", sys::process_number(), sys::random()?));
        Name::resolve(name, scope)
    }

    /// What stands there now.
    ///
    /// # Errors
    ///
    /// Of the system. An abstract name can't be looked at, only connected to: `NotSupported`.
    pub fn state(&self) -> Result<NameState> {
        claim::state(self.path_or("look at")?)
    }

    /// Removes the socket file, also a live server's: an explicit take-over. That there is none is fine.
    ///
    /// # Errors
    ///
    /// `NameInUse` if what is there is no socket; it is left alone. `PermissionDenied`. `NotSupported` for an abstract
    /// name, which goes with its server.
    pub fn remove(&self) -> Result<()> {
        claim::remove(self.path_or("remove")?)
    }

    /// Removes the socket file if its server has died, just as the next server of the name would, and nothing else; tells
    /// whether there is nothing at the name now. A server that takes the name meanwhile gets it, and keeps it.
    ///
    /// # Errors
    ///
    /// `NameInUse` if others keep the directory locked. `PermissionDenied`. `NotSupported` for an abstract name, which goes
    /// with its server.
    pub fn remove_dead(&self) -> Result<bool> {
        claim::remove_dead(self.path_or("remove")?)
    }

    /// The path, unless the name is abstract.
    pub fn as_path(&self) -> Option<&Path> {
        match &self.0 {
            Place::Path(path) => Some(path),
            Place::Abstract(_) => None,
        }
    }

    /// Whether it is in the abstract namespace.
    pub fn is_abstract(&self) -> bool {
        self.as_path().is_none()
    }

    /// As the system has it, for `connect` in the same scope: the whole path, or the abstract name.
    pub fn to_os_string(&self) -> OsString {
        match &self.0 {
            Place::Path(path) => path.clone().into_os_string(),
            Place::Abstract(name) => sys::native_string(name)
                .map_or_else(|_| String::from_utf8_lossy(name).into_owned().into(), ToOwned::to_owned),
        }
    }

    pub(crate) fn place(&self) -> &Place {
        &self.0
    }

    pub(crate) fn from_place(place: Place) -> Name {
        Name(place)
    }

    fn path_or(&self, verb: &str) -> Result<&Path> {
        self.as_path().ok_or_else(|| Error::new(Status::NotSupported, format!("{verb} {self}")))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({self})")
    }
}

fn check(name: &OsStr) -> Result<()> {
    if name.is_empty() {
        return Err(Error::new(Status::NameInvalid, "a name is not empty"));
    }
    if sys::native_bytes(name).contains(&0) {
        return Err(Error::new(Status::NameInvalid, format!("name {name:?} contains NUL")));
    }
    Ok(())
}

fn check_plain(name: &OsStr) -> Result<()> {
    let leads_out = |part| matches!(part, Component::ParentDir);
    if Path::new(name).components().any(leads_out) {
        let context = format!("name {name:?} leads out of its directory");
        return Err(Error::new(Status::NameInvalid, context));
    }
    Ok(())
}

fn check_path(path: &Path) -> Result<()> {
    let length = path.as_os_str().len();
    if length > sys::PATH_LIMIT {
        let context = format!("path of {length} bytes, {} at most", sys::PATH_LIMIT);
        return Err(Error::new(Status::NameTooLong, context));
    }
    let too_long = |part: &Component<'_>| part.as_os_str().len() > sys::FILE_NAME_LIMIT;
    if let Some(part) = path.components().find(too_long) {
        let (length, most) = (part.as_os_str().len(), sys::FILE_NAME_LIMIT);
        let context = format!("{}: a component has {length} bytes, {most} at most", path.display());
        return Err(Error::new(Status::NameTooLong, context));
    }
    // Path::file_name overlooks a trailing slash or dot, with which the name is a directory's.
    let bytes = sys::native_bytes(path.as_os_str());
    let names_directory = bytes.ends_with(b"/") || bytes.ends_with(b"/.");
    if names_directory || path.file_name().is_none() {
        let context = format!("{} names a directory", path.display());
        return Err(Error::new(Status::NameInvalid, context));
    }
    Ok(())
}

/// The directory of a scope's plain names.
fn directory(scope: Scope) -> Result<PathBuf> {
    match scope {
        Scope::Temporary => temporary_directory(env::var_os("TMPDIR")),
        Scope::Runtime => runtime_directory(env::var_os("XDG_RUNTIME_DIR")),
        Scope::Abstract => Err(Error::new(Status::InvalidArgument, "abstract names have no directory")),
    }
}

/// As QDir::tempPath of Qt 6 has it: the value of TMPDIR unless it is empty, else `/tmp`; absolute, so that the name means the same
/// wherever it is told, and cleaned.
fn temporary_directory(value: Option<OsString>) -> Result<PathBuf> {
    let path = value.filter(|value| !value.is_empty()).map_or_else(|| PathBuf::from("/tmp"), PathBuf::from);
    match std::path::absolute(&path) {
        Ok(path) => Ok(clean(&path)),
        Err(error) => Err(Error::os(error, format!("the temporary directory {}", path.display()))),
    }
}

/// The value of XDG_RUNTIME_DIR, if it is what the XDG Base Directory Specification says: absolute, owned by the user, mode 0700.
fn runtime_directory(value: Option<OsString>) -> Result<PathBuf> {
    let Some(path) = value.filter(|value| !value.is_empty()) else {
        let context = "the user's runtime directory: XDG_RUNTIME_DIR is not set";
        return Err(Error::new(Status::NotFound, context));
    };
    let path = PathBuf::from(path);
    let context = format!("the user's runtime directory {}", path.display());
    if !path.is_absolute() {
        return Err(Error::new(Status::NameInvalid, context + " is not an absolute path"));
    }
    match sys::is_private_directory(&path) {
        Ok(true) => Ok(path),
        Ok(false) => {
            let context = context + " is not a directory of this user's alone, with mode 0700";
            Err(Error::new(Status::PermissionDenied, context))
        }
        Err(error) => Err(Error::os(error, context)),
    }
}

/// Of an absolute path, drops `.`, resolves `..` by the text, and joins double slashes, as QDir::cleanPath does.
fn clean(path: &Path) -> PathBuf {
    let mut cleaned = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(cleaned.pop()),
            part => cleaned.push(part),
        }
    }
    cleaned
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status<T>(result: Result<T>) -> Status {
        result.err().map_or(Status::Ok, |error| error.status())
    }

    fn failure(name: impl AsRef<OsStr>, scope: Scope) -> Status {
        status(Name::resolve(name, scope))
    }

    #[test]
    fn bad_names_are_refused_with_a_reason() {
        for scope in [Scope::Temporary, Scope::Abstract] {
            assert_eq!(failure("", scope), Status::NameInvalid);
            assert_eq!(failure("a\0b", scope), Status::NameInvalid);
            assert_eq!(failure("x".repeat(256), scope), Status::NameTooLong);
        }
        for name in ["..", "../x", "a/../../x", ".", "a/", "a/.", "/", "/tmp/", "/tmp/.."] {
            assert_eq!(failure(name, Scope::Temporary), Status::NameInvalid, "{name}");
        }
        assert_eq!(failure(format!("/{}x", "d/".repeat(2100)), Scope::Temporary), Status::NameTooLong);
    }

    #[test]
    fn plain_names_are_in_the_temporary_directory_and_paths_are_themselves() {
        let plain = Name::resolve("plain", Scope::Temporary).unwrap();
        assert_eq!(
            plain.as_path().unwrap(),
            temporary_directory(env::var_os("TMPDIR")).unwrap().join("plain")
        );
        for scope in [Scope::Temporary, Scope::Runtime] {
            let path = Name::resolve("/some/where", scope).unwrap();
            assert_eq!(path.as_path(), Some(Path::new("/some/where")));
        }
        let dots = Name::resolve("a..b", Scope::Temporary).unwrap();
        assert!(dots.to_os_string().to_string_lossy().ends_with("/a..b"));
    }

    #[test]
    fn the_temporary_directory_is_that_of_the_environment_and_absolute() {
        let directory = |value: Option<&str>| temporary_directory(value.map(OsString::from)).unwrap();
        assert_eq!([None, Some("")].map(directory), [Path::new("/tmp"); 2]);
        assert_eq!(directory(Some("/some/./where//")), Path::new("/some/where"));
        let here = env::current_dir().unwrap();
        assert_eq!(
            ["relative", "./a/../relative/", "."].map(|value| directory(Some(value))),
            [here.join("relative"), here.join("relative"), here,]
        );
    }

    #[test]
    fn abstract_names_are_bytes() {
        let name = Name::resolve("a/../b", Scope::Abstract).unwrap();
        assert_eq!(name.to_os_string(), "a/../b");
        assert_eq!(name.state().unwrap_err().status(), Status::NotSupported);
    }

    #[test]
    fn cleaning_follows_the_text() {
        for (path, cleaned) in [("/a//b/./c/", "/a/b/c"), ("/a/../b", "/b"), ("/../a", "/a"), ("/a/..", "/")]
        {
            assert_eq!(clean(Path::new(path)), Path::new(cleaned), "{path}");
        }
    }

    #[test]
    fn limits_are_those_of_the_system_to_the_byte() {
        for (length, expected) in
            [(sys::ABSTRACT_LIMIT, Status::Ok), (sys::ABSTRACT_LIMIT + 1, Status::NameTooLong)]
        {
            assert_eq!(status(Name::from_abstract(&vec![b'x'; length])), expected);
        }
        assert_eq!(status(Name::from_abstract(b"")), Status::NameInvalid);
        assert_eq!(status(Name::from_abstract(b"x\0y")), Status::Ok);
        for (length, expected) in
            [(sys::FILE_NAME_LIMIT, Status::Ok), (sys::FILE_NAME_LIMIT + 1, Status::NameTooLong)]
        {
            assert_eq!(status(Name::resolve("x".repeat(length), Scope::Temporary)), expected);
        }
        for (length, expected) in [(sys::PATH_LIMIT, Status::Ok), (sys::PATH_LIMIT + 1, Status::NameTooLong)]
        {
            let path = format!("{}/{}", "/d".repeat(sys::PATH_LIMIT / 2 - 10), "x".repeat(32));
            assert_eq!(status(Name::resolve(&path[path.len() - length..], Scope::Temporary)), expected);
        }
    }

    #[test]
    fn a_unique_name_is_one_that_nobody_has() {
        let [first, second] = [(); 2].map(|()| Name::unique("prefix", Scope::Temporary).unwrap());
        assert!(first != second);
        let file = first.as_path().unwrap().file_name().unwrap().to_str().unwrap();
        assert!(file.starts_with(&format!("prefix-{}-", sys::process_number())), "{file}");
        assert_eq!(first.state().unwrap(), NameState::Absent);
    }

    #[test]
    fn what_stands_at_a_name_is_told_and_removed() {
        let directory = tempfile::tempdir().unwrap();
        let name = Name::resolve(directory.path().join("name"), Scope::Temporary).unwrap();
        drop(std::os::unix::net::UnixListener::bind(name.as_path().unwrap()).unwrap());
        assert_eq!(name.state().unwrap(), NameState::Dead);
        assert!(name.remove_dead().unwrap());
        assert_eq!(name.state().unwrap(), NameState::Absent);
        drop(std::os::unix::net::UnixListener::bind(name.as_path().unwrap()).unwrap());
        name.remove().unwrap();
        assert_eq!(name.state().unwrap(), NameState::Absent);
        std::fs::write(name.as_path().unwrap(), "").unwrap();
        assert_eq!(name.state().unwrap(), NameState::Occupied);
        assert_eq!(status(name.remove()), Status::NameInUse);
    }

    #[test]
    fn a_name_says_what_it_is() {
        let path = Name::resolve("/some/where", Scope::Temporary).unwrap();
        let other = Name::resolve("name", Scope::Abstract).unwrap();
        assert_eq!((path.is_abstract(), other.is_abstract()), (false, true));
        assert!(*other.place() == Place::Abstract(b"name".to_vec()));
        assert!(Name::from_place(path.place().clone()) == path);
        assert_eq!((path.to_os_string(), other.to_os_string()), ("/some/where".into(), "name".into()));
        assert_eq!(
            (path.to_string(), other.to_string()),
            ("/some/where".into(), "abstract name name".into())
        );
        assert_eq!(format!("{path:?} {other:?}"), "Name(/some/where) Name(abstract name name)");
        assert_eq!(status(other.remove_dead()), Status::NotSupported);
        let error = other.remove().unwrap_err();
        assert_eq!(error.status(), Status::NotSupported);
        assert!(error.to_string().contains("remove abstract name name"), "{error}");
    }

    #[test]
    fn a_runtime_directory_is_absolute_and_of_this_user_alone() {
        use std::os::unix::fs::PermissionsExt;
        let status = |value: Option<&str>| status(runtime_directory(value.map(OsString::from)));
        assert_eq!((status(None), status(Some(""))), (Status::NotFound, Status::NotFound));
        assert_eq!(status(Some("relative")), Status::NameInvalid);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().to_str().unwrap();
        let set_mode = |mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        for mode in [0o755, 0o770, 0o710, 0o707, 0o701] {
            set_mode(mode);
            assert_eq!(status(Some(path)), Status::PermissionDenied, "{mode:o}");
        }
        set_mode(0o700);
        assert_eq!(runtime_directory(Some(path.into())).unwrap(), directory.path());
        assert_eq!(status(Some(&format!("{path}/absent"))), Status::NotFound);
        let file = tempfile::Builder::new().permissions(std::fs::Permissions::from_mode(0o700)).tempfile();
        assert_eq!(status(file.unwrap().path().to_str()), Status::PermissionDenied);
        // Another user's: root can give it away, and for anybody else there is root's.
        let is_given_away = std::os::unix::fs::chown(path, Some(sys::user_id() + 1), None).is_ok();
        let of_another = if is_given_away { path } else { "/root" };
        if Path::new(of_another).exists() {
            assert_eq!(status(Some(of_another)), Status::PermissionDenied);
        }
    }
}

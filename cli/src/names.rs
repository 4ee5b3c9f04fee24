//! Where names are, and what stands at them.

use crate::kernel::File;
use moorline::Scope;
use moorline::name::{Name, NameState};
use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{self, Path, PathBuf};

/// The temp directory and the user's runtime directory.
pub fn usual_directories() -> Vec<PathBuf> {
    let parent = |scope| Some(Name::resolve("x", scope).ok()?.as_path()?.parent()?.to_owned());
    distinct([Scope::Temporary, Scope::Runtime].into_iter().filter_map(parent))
}

/// Each directory by the first of its names. What cannot be looked at stays, for whoever reads it to tell of.
pub fn distinct(directories: impl IntoIterator<Item = PathBuf>) -> Vec<PathBuf> {
    let mut seen = HashSet::new();
    let mut is_new =
        |path: &PathBuf| fs::metadata(path).map_or(true, |metadata| seen.insert(File::from(&metadata)));
    directories.into_iter().filter(|path| is_new(path)).collect()
}

/// What stands at a name for those who connect, whom a link there leads on.
pub fn state_for_clients(name: &Name) -> moorline::Result<NameState> {
    match name.as_path().and_then(|path| fs::canonicalize(path).ok()) {
        Some(path) => state_of(&path),
        None => name.state(),
    }
}

/// Why a link at the path, if there is one, leads to nothing that this user could reach.
pub fn failure_of_link(path: &Path) -> Option<io::Error> {
    fs::symlink_metadata(path).ok().filter(fs::Metadata::is_symlink)?;
    fs::canonicalize(path).err()
}

/// What stands at an absolute path.
pub fn state_of(path: &Path) -> moorline::Result<NameState> {
    Name::resolve(path, Scope::Temporary)?.state()
}

/// The names in a directory whose servers have died. Their paths are absolute, as a relative one would be a plain name.
pub fn dead_names_in(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut dead = Vec::new();
    for entry in fs::read_dir(path::absolute(directory)?)? {
        let entry = entry?;
        let path = entry.path();
        let is_socket = entry.file_type().is_ok_and(|kind| kind.is_socket());
        if is_socket && state_of(&path).is_ok_and(|state| state == NameState::Dead) {
            dead.push(path);
        }
    }
    dead.sort();
    Ok(dead)
}

//! `moorline ls`: the local servers of this machine.

use crate::failure::Answer;
use crate::kernel::{self, File, Listener, Process};
use crate::names::{dead_names_in, state_of, usual_directories};
use crate::output;
use clap::Args;
use moorline::name::NameState;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs::{self, DirEntry};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

#[derive(Args)]
#[command(
    after_help = "Live servers are those of the network namespace; an unlinked one listens, but its file has gone, so nobody can \
                        connect. Dead names are looked for in the temp directory and in the \
                        user's runtime directory. Whose process a server is, only its own user and root are told."
)]
pub struct Arguments {
    /// Only those whose path or abstract name contains this
    filter: Option<OsString>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

struct Server {
    state: State,
    /// A path, or an abstract name with @ for each NUL.
    name: OsString,
    is_abstract: bool,
    owner: Option<u32>,
    process: Option<Process>,
    connections: usize,
}

/// What came of a server, in one word.
#[derive(Clone, Copy)]
enum State {
    Live,
    /// It listens, but its file has been removed or replaced: nobody can connect.
    Unlinked,
    /// Its file is there, but nobody listens.
    Dead,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            State::Live => "live",
            State::Unlinked => "unlinked",
            State::Dead => "dead",
        }
    }
}

pub fn run(arguments: &Arguments) -> Answer {
    let servers: Vec<Server> = servers()?
        .into_iter()
        .filter(|server| arguments.filter.as_ref().is_none_or(|filter| contains(&server.name, filter)))
        .collect();
    if arguments.json {
        return output::print_json(&Value::Array(servers.iter().map(to_json).collect()));
    }
    let titles = ["state", "owner", "pid", "program", "connections", "name"];
    output::print_table(&titles, &servers.iter().map(to_cells).collect::<Vec<_>>())
}

/// By bytes, as neither need be text.
fn contains(name: &OsStr, filter: &OsStr) -> bool {
    let (name, filter) = (name.as_bytes(), filter.as_bytes());
    filter.is_empty() || name.windows(filter.len()).any(|part| part == filter)
}

fn servers() -> Answer<Vec<Server>> {
    let mut owners = kernel::owners();
    let mut listeners = kernel::listeners()?;
    for listener in &mut listeners {
        let own = listener.name.as_deref().zip(owners.get(&listener.inode));
        if let Some(name) = own.and_then(|(name, process)| in_real_directory(name, process)) {
            listener.name = Some(name);
        }
    }
    let files = SocketFiles::near(&listeners);
    let mut servers = Vec::new();
    for listener in listeners {
        // One without a name can only be inherited, not connected to.
        let Some(name) = &listener.name else { continue };
        let process = owners.remove(&listener.inode);
        let (state, path) = files.find(&listener, process.as_ref());
        servers.push(Server {
            state,
            owner: path.and_then(owner_of),
            name: path.map_or_else(|| with_signs(name), |path| path.as_os_str().to_owned()),
            is_abstract: listener.file.is_none(),
            process,
            connections: listener.connections,
        });
    }
    // Where this user may not look, there is nothing to show.
    let directories = usual_directories();
    let dead = directories.iter().flat_map(|directory| dead_names_in(directory).unwrap_or_default());
    servers.extend(dead.map(|path| Server {
        state: State::Dead,
        owner: owner_of(&path),
        name: path.into_os_string(),
        is_abstract: false,
        process: None,
        connections: 0,
    }));
    servers.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(servers)
}

/// A name that a process has bound through `/proc/self`, as one does whose path is too long: in the directory that this means there.
fn in_real_directory(name: &OsStr, process: &Process) -> Option<OsString> {
    let own = Path::new(name).strip_prefix("/proc/self").ok()?;
    let path = Path::new("/proc").join(process.pid.to_string()).join(own);
    let directory = fs::canonicalize(path.parent()?).ok().filter(|directory| directory.is_dir())?;
    Some(directory.join(path.file_name()?).into_os_string())
}

/// With the sign that stands for a NUL.
fn with_signs(name: &OsStr) -> OsString {
    OsString::from_vec(name.as_bytes().iter().map(|&byte| if byte == 0 { b'@' } else { byte }).collect())
}

/// The socket files in some directories. A file may have been renamed, or linked, since a socket was bound to it.
struct SocketFiles {
    paths: HashMap<File, PathBuf>,
    /// All of these could be read, or have gone with what was in them.
    directories: HashSet<PathBuf>,
}

impl SocketFiles {
    /// Those in the usual directories, and in those that the listeners were bound in.
    fn near(listeners: &[Listener]) -> SocketFiles {
        let bound_in = listeners.iter().filter_map(Listener::bound_in);
        // In /proc it is another process's directory to us, where that process is not known.
        let mut directories: HashSet<PathBuf> = bound_in
            .filter(|directory| directory.is_absolute() && !directory.starts_with("/proc"))
            .map(Path::to_owned)
            .collect();
        directories.extend(usual_directories());
        let mut paths = HashMap::new();
        directories.retain(|directory| {
            let entries = match fs::read_dir(directory) {
                Ok(entries) => entries,
                Err(error) => return error.kind() == io::ErrorKind::NotFound,
            };
            for entry in
                entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_socket()))
            {
                if let Ok(metadata) = entry.metadata() {
                    paths.insert(File::from(&metadata), entry.path());
                }
            }
            true
        });
        SocketFiles { paths, directories }
    }

    fn find(&self, listener: &Listener, process: Option<&Process>) -> (State, Option<&Path>) {
        let same = listener.file.and_then(|file| self.paths.get(&file));
        let near = || {
            let is_live = |path: &Path| state_of(path).is_ok_and(|state| state == NameState::Live);
            let mut files = self.paths.iter();
            let found = files.find(|&(file, path)| listener.may_be_at(*file, path) && is_live(path));
            found.map(|(_, path)| path)
        };
        match same.or_else(near) {
            Some(path) => (State::Live, Some(path)),
            None if listener.bound_in().is_some_and(|directory| self.directories.contains(directory))
                && !process.is_some_and(|process| has_file(listener, process)) =>
            {
                (State::Unlinked, None)
            }
            None => (State::Live, None),
        }
    }
}

/// Whether the listener's file is where its process sees it: mounts may be others there, as in a container.
fn has_file(listener: &Listener, process: &Process) -> bool {
    let bound_in = listener.bound_in();
    bound_in.and_then(|directory| Some((directory, directory.strip_prefix("/").ok()?))).is_some_and(
        |(directory, path)| {
            let seen = Path::new("/proc").join(process.pid.to_string()).join("root").join(path);
            let is_its = |entry: DirEntry| {
                let metadata = entry.metadata().ok().filter(|metadata| metadata.file_type().is_socket());
                metadata
                    .is_some_and(|it| listener.may_be_at(File::from(&it), &directory.join(entry.file_name())))
            };
            fs::read_dir(seen).into_iter().flatten().flatten().any(is_its)
        },
    )
}

fn owner_of(path: &Path) -> Option<u32> {
    fs::symlink_metadata(path).ok().map(|metadata| metadata.uid())
}

fn to_cells(server: &Server) -> Vec<String> {
    let known = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    vec![
        server.state.word().to_owned(),
        known(server.owner.map(|uid| uid.to_string())),
        known(server.process.as_ref().map(|process| process.pid.to_string())),
        known(server.process.as_ref().map(|process| process.program.clone())),
        server.connections.to_string(),
        output::visible(&server.name),
    ]
}

fn to_json(server: &Server) -> Value {
    let path = (!server.is_abstract).then(|| Path::new(&server.name));
    let name = path.and_then(Path::file_name).unwrap_or(&server.name);
    json!({
        "state": server.state.word(),
        "name": name.to_string_lossy(),
        "path": path.map(Path::to_string_lossy),
        "abstract": server.is_abstract,
        "uid": server.owner,
        "pid": server.process.as_ref().map(|process| process.pid),
        "program": server.process.as_ref().map(|process| &process.program),
        "connections": server.connections,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn where_the_device_tells_nothing_a_listener_is_at_the_live_file_of_its_inode_in_its_directory() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("name");
        let socket = UnixListener::bind(&path).unwrap();
        let mut listener = kernel::listeners()
            .unwrap_or_default()
            .into_iter()
            .find(|listener| listener.name.as_deref() == Some(path.as_os_str()))
            .unwrap();
        let found = |listener: &Listener| {
            let files = SocketFiles::near(std::slice::from_ref(listener));
            let (state, path) = files.find(listener, None);
            (state.word(), path.map(Path::to_owned))
        };
        // What another file system would tell of it.
        let file = listener.file.unwrap();
        listener.file = Some(File { device: !file.device, ..file });
        assert_eq!(found(&listener), ("live", Some(path.clone())));
        let elsewhere = Listener { name: Some(place.path().join("sub/name").into()), ..listener.clone() };
        fs::create_dir(place.path().join("sub")).unwrap();
        assert_eq!(found(&elsewhere), ("unlinked", None));
        let other = Listener { file: Some(File { inode: !file.inode, ..file }), ..listener.clone() };
        assert_eq!(found(&other), ("unlinked", None));
        drop(socket);
        assert_eq!(found(&listener), ("unlinked", None));
    }
}

//! `moorline doctor`: why a client cannot reach a name.

use crate::arguments::NameArguments;
use crate::failure::{Answer, Failure};
use crate::kernel::{self, File, Listener};
use crate::names::{failure_of_link, state_for_clients, usual_directories};
use crate::output;
use clap::Args;
use moorline::name::{Name, NameState};
use moorline::{Socket, SocketOptions, Status, Timeout, Trust};
use rustix::io::Errno;
use serde_json::json;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::iter;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

#[derive(Args)]
#[command(
    after_help = "Diagnoses: reachable, other-users-server, name-invalid, no-runtime-directory, no-directory, \
                        no-search-permission, absent, elsewhere, occupied, dead, permission-denied, backlog-full, refused, failed. Exit \
                        code 0: reachable; 1: any other."
)]
pub struct Arguments {
    #[command(flatten)]
    name: NameArguments,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What is the matter, as one word for programs, and in words for people.
struct Diagnosis {
    code: &'static str,
    text: String,
}

impl Diagnosis {
    fn new(code: &'static str, text: impl Into<String>) -> Diagnosis {
        Diagnosis { code, text: text.into() }
    }
}

pub fn run(arguments: &Arguments) -> Answer {
    let resolved = arguments.name.resolve();
    let full_name = resolved.as_ref().ok().map(Name::to_os_string);
    let diagnosis = match resolved {
        // Where no name can be, it is not this one's fault.
        Err(error) => match Name::resolve("x", arguments.name.scope.into()) {
            Err(error) => Diagnosis::new("no-runtime-directory", error.to_string()),
            Ok(_) => Diagnosis::new("name-invalid", error.to_string()),
        },
        Ok(name) => diagnose(&arguments.name, &name),
    };
    let reachable = diagnosis.code == "reachable";
    if arguments.json {
        output::print_json(&json!({
            "name": arguments.name.name.to_string_lossy(),
            "full_name": full_name.as_deref().map(OsStr::to_string_lossy),
            "reachable": reachable,
            "diagnosis": diagnosis.code,
            "text": diagnosis.text,
        }))?;
    } else {
        let full_name = full_name.as_ref().unwrap_or(&arguments.name.name);
        let Diagnosis { code, text } = diagnosis;
        output::print(&format!("{}\n{code}: {}\n", output::visible(full_name), output::visible(&text)))?;
    }
    if reachable { Ok(()) } else { Err(Failure::Said) }
}

fn diagnose(given: &NameArguments, name: &Name) -> Diagnosis {
    match name.as_path() {
        None => try_to_connect(name),
        Some(path) => directories(path)
            .or_else(|| link(path))
            .or_else(|| name_itself(given, name, path))
            .unwrap_or_else(|| try_to_connect(name)),
    }
}

/// What is the matter with the directories along the path, if anything is.
fn directories(path: &Path) -> Option<Diagnosis> {
    let mut parents: Vec<&Path> = path.ancestors().skip(1).collect();
    parents.reverse();
    for (directory, inside) in parents.iter().zip(parents.iter().skip(1).copied().chain([path])) {
        match fs::symlink_metadata(inside) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let directory = output::visible(directory);
                let text =
                    format!("this user may not search the directory {directory}{}", owner(&parents, inside));
                return Some(Diagnosis::new("no-search-permission", text));
            }
            Err(error) if inside != path || error.kind() == io::ErrorKind::NotADirectory => {
                return Some(Diagnosis::new("no-directory", format!("{}: {error}", output::visible(inside))));
            }
            _ => {}
        }
    }
    None
}

/// Whose the directory is that `inside` is in, and what its mode is.
fn owner(parents: &[&Path], inside: &Path) -> String {
    let directory = parents.iter().rev().find(|parent| inside.parent() == Some(parent));
    directory.and_then(|directory| fs::metadata(directory).ok()).map_or_else(String::new, |metadata| {
        format!(", which is of user {} with mode {:04o}", metadata.uid(), metadata.mode() & 0o7777)
    })
}

/// What is the matter with a link at the path, if anything is.
fn link(path: &Path) -> Option<Diagnosis> {
    let error = failure_of_link(path)?;
    if error.kind() == io::ErrorKind::PermissionDenied {
        let next = |path: &PathBuf| Some(path.parent()?.join(fs::read_link(path).ok()?));
        // As many as the system follows: path_resolution(7).
        let mut targets = iter::successors(Some(path.to_owned()), next).take(40);
        let denied =
            || Diagnosis::new("no-search-permission", format!("the link cannot be followed: {error}"));
        return Some(targets.find_map(|target| directories(&target)).unwrap_or_else(denied));
    }
    let text =
        format!("what stands there is a link that leads nowhere, so no server can take the name: {error}");
    Some(Diagnosis::new("occupied", text))
}

/// What is the matter with what stands at the path, if anything is.
fn name_itself(given: &NameArguments, name: &Name, path: &Path) -> Option<Diagnosis> {
    match state_for_clients(name) {
        Ok(NameState::Absent) => Some(absent(given, path)),
        Ok(NameState::Occupied) => {
            Some(Diagnosis::new("occupied", "what stands there is no socket, so no server can take the name"))
        }
        Ok(NameState::Dead) => Some(Diagnosis::new(
            "dead",
            "its server has gone and left the file behind; `moorline clean` removes it, and the next server takes it over",
        )),
        // A connect says what may be the matter still.
        Ok(NameState::Live) | Err(_) => None,
    }
}

/// There is nothing; perhaps because the server looked for its directory in another environment.
fn absent(given: &NameArguments, path: &Path) -> Diagnosis {
    let is_plain = Path::new(&given.name).is_relative();
    let elsewhere = other_directories()
        .into_iter()
        .map(|directory| directory.join(&given.name))
        .find(|other| is_plain && other != path && is_socket(other));
    match elsewhere {
        Some(other) => Diagnosis::new(
            "elsewhere",
            format!(
                "there is nothing, but {} is a socket: was the server started with another TMPDIR or scope?",
                output::visible(&other)
            ),
        ),
        None => {
            Diagnosis::new("absent", "there is nothing of that name: no server has been started under it")
        }
    }
}

/// Where a server that means the same plain name may have put it.
fn other_directories() -> Vec<PathBuf> {
    let usual = ["/tmp", "/var/tmp", "/run"].map(PathBuf::from);
    let users = fs::metadata("/proc/self").ok().map(|own| PathBuf::from(format!("/run/user/{}", own.uid())));
    usual_directories().into_iter().chain(usual).chain(users).collect()
}

fn is_socket(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket())
}

fn try_to_connect(name: &Name) -> Diagnosis {
    let anyone = SocketOptions { trust: Trust::Anyone, ..SocketOptions::default() };
    let socket = match Socket::connect_to(name, &anyone, Timeout::None) {
        Ok(socket) => socket,
        Err(error) => return refusal(name, &error),
    };
    let server = match socket.peer_credentials() {
        Ok(credentials) => {
            let pid = credentials.pid.map_or("unknown".to_owned(), |pid| pid.to_string());
            format!("user {}, process {pid}", credentials.uid)
        }
        Err(error) => error.to_string(),
    };
    drop(socket);
    match Socket::connect_to(name, &SocketOptions::default(), Timeout::None) {
        Err(error) if error.status() == Status::PermissionDenied => Diagnosis::new(
            "other-users-server",
            format!("a server of another user has it ({server}); a client has to say that it trusts anyone"),
        ),
        _ => Diagnosis::new("reachable", format!("a server answers ({server})")),
    }
}

/// The server whose socket is at the path, or where a link there leads.
fn listener_at(path: &Path) -> Option<Listener> {
    let path = fs::canonicalize(path).ok()?;
    let file = File::from(&fs::metadata(&path).ok()?);
    kernel::listeners().ok()?.into_iter().find(|listener| listener.may_be_at(file, &path))
}

fn refusal(name: &Name, error: &moorline::Error) -> Diagnosis {
    match error.status() {
        Status::PermissionDenied => {
            let mode = name.as_path().and_then(|path| fs::metadata(path).ok()).map_or_else(
                String::new,
                |metadata| {
                    format!(
                        "; the socket is of user {} with mode {:04o}",
                        metadata.uid(),
                        metadata.mode() & 0o7777
                    )
                },
            );
            Diagnosis::new("permission-denied", format!("{error}{mode}"))
        }
        Status::WouldBlock => {
            let waiting = name
                .as_path()
                .and_then(listener_at)
                .map_or_else(String::new, |server| format!(": {} wait", server.waiting.0));
            Diagnosis::new(
                "backlog-full",
                format!(
                    "the server lives but accepts nobody, and no more connections may wait for it{waiting}"
                ),
            )
        }
        Status::ConnectionRefused if error.os_error() == Some(Errno::PROTOTYPE.raw_os_error()) => {
            Diagnosis::new(
                "occupied",
                "a socket of another type has it, for datagrams or records, which no client of a stream reaches",
            )
        }
        Status::ConnectionRefused => Diagnosis::new("refused", error.to_string()),
        _ => Diagnosis::new("failed", error.to_string()),
    }
}

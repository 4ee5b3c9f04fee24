//! `moorline clean`: removes names whose servers have died.

use crate::diagnostics;
use crate::failure::{Answer, Failure};
use crate::interrupt;
use crate::names::{dead_names_in, distinct, usual_directories};
use crate::output;
use clap::Args;
use moorline::Scope;
use moorline::name::Name;
use serde_json::json;
use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

#[derive(Args)]
#[command(
    after_help = "A name is freed just as the next server would do it, which only a dead one allows: so a server that begins to \
                        listen meanwhile gets its name, and keeps it. Nothing that is not a socket is touched."
)]
pub struct Arguments {
    /// Look in these directories instead of the temp directory and the user's runtime directory
    directories: Vec<PathBuf>,
    /// Do not ask
    #[arg(long, conflicts_with = "dry_run")]
    yes: bool,
    /// Show them only
    #[arg(long)]
    dry_run: bool,
    /// Print JSON; implies not to ask, and without --yes to show them only
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Answer {
    let directories = match arguments.directories.as_slice() {
        [] => usual_directories(),
        given => distinct(given.to_owned()),
    };
    let mut dead = BTreeSet::new();
    let mut failed = false;
    for directory in &directories {
        match dead_names_in(directory) {
            Ok(names) => dead.extend(names),
            Err(error) => {
                diagnostics::complain(&format!("{}: {error}", output::visible(directory)));
                failed = true;
            }
        }
    }
    failed |= if arguments.json { clean_as_json(&dead, arguments.yes)? } else { clean(&dead, arguments)? };
    if failed { Err(Failure::Said) } else { Ok(()) }
}

/// Tells whether something failed.
fn clean(dead: &BTreeSet<PathBuf>, arguments: &Arguments) -> Answer<bool> {
    for path in dead {
        output::print(&format!("{}\n", output::visible(path)))?;
    }
    if dead.is_empty() || arguments.dry_run || !(arguments.yes || confirmed(dead.len())?) {
        return Ok(false);
    }
    interrupt::defer()?;
    let mut failed = false;
    for path in dead {
        if is_interrupted() {
            return Err(Failure::Error("interrupted before all were removed".to_owned()));
        }
        if let Err(reason) = remove(path) {
            diagnostics::complain(&reason);
            failed = true;
        }
    }
    Ok(failed)
}

/// Tells whether something failed.
fn clean_as_json(dead: &BTreeSet<PathBuf>, yes: bool) -> Answer<bool> {
    interrupt::defer()?;
    let mut failed = false;
    let names: Vec<_> = dead
        .iter()
        .map(|path| {
            let removed = match is_interrupted() {
                _ if !yes => Ok(false),
                true => Err("interrupted".to_owned()),
                false => remove(path),
            };
            failed |= removed.is_err();
            let (removed, error) =
                removed.map_or_else(|error| (false, Some(error)), |removed| (removed, None));
            json!({ "path": path.to_string_lossy(), "removed": removed, "error": error })
        })
        .collect();
    output::print_json(&names.into())?;
    Ok(failed)
}

/// An interrupt does not come in the middle of removing a name, but before the next one.
fn is_interrupted() -> bool {
    interrupt::count() > 0
}

fn confirmed(count: usize) -> Answer<bool> {
    if !io::stdin().is_terminal() {
        return Err(Failure::Error("nobody can be asked here: say --yes or --dry-run".to_owned()));
    }
    let mut answer = String::new();
    write!(io::stderr(), "remove {count}? [y/N] ")
        .and_then(|()| io::stdin().read_line(&mut answer))
        .map_err(Failure::system("ask"))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// One that is in use by now is not dead, and stays: false.
fn remove(path: &Path) -> Result<bool, String> {
    Name::resolve(path, Scope::Temporary)
        .and_then(|name| name.remove_dead())
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn what_is_alive_by_now_stays_and_is_not_said_to_be_removed() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("name");
        let server = UnixListener::bind(&path).unwrap();
        assert_eq!((remove(&path), path.exists()), (Ok(false), true));
        drop(server);
        assert_eq!((remove(&path), path.exists()), (Ok(true), false));
    }
}

//! A command for each connection, whose standard input and output the connection is.

use super::{Arguments, FAILURES};
use crate::diagnostics;
use crate::failure::{Answer, Failure};
use crate::interrupt::{self, Ending};
use crate::output;
use moorline::socket::Credentials;
use moorline::{Server, ServerOptions, Socket, Status};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Access, access};
use rustix::io::Errno;
use rustix::net::{Shutdown, shutdown};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long accepting rests when it failed, for want of descriptors most likely.
const REST: Duration = Duration::from_millis(100);

pub fn serve(arguments: &Arguments, ending: &Ending) -> Answer {
    let Some((program, _)) = arguments.command.split_first() else {
        return Err(Failure::Error("there is no command".to_owned()));
    };
    if !can_be_run(program) {
        return Err(Failure::Error(format!("{}: there is no such command", output::visible(program))));
    }
    interrupt::keep_children()?;
    let server = Server::new(ServerOptions { scope: arguments.scope.into(), ..ServerOptions::default() });
    match &arguments.name {
        Some(name) => server.listen(name),
        None => server.listen_unique("moorline"),
    }?;
    let name = server.full_name()?;
    output::print_name(&name)?;

    let commands = Arc::new(Commands {
        command: arguments.command.clone(),
        name,
        most_at_once: arguments.max_connections,
        most: arguments.connections,
        state: Mutex::default(),
        changed: Condvar::new(),
        ended: ending.sender.clone(),
    });
    thread::scope(|threads| {
        let accepting = threads.spawn(|| commands.accept(&server));
        // An error means that nobody can interrupt any more, which does not happen.
        let _ = ending.receiver.recv();
        let closed = server.close();
        // It does not panic.
        let _ = accepting.join();
        commands.stop(arguments.linger, ending);
        closed
    })?;
    let state = commands.state();
    if arguments.json {
        output::print_json(&state.report.json())?;
    } else {
        diagnostics::tell(&state.report.text());
    }
    if state.report.failed > 0 { Err(Failure::Said) } else { Ok(()) }
}

/// Whether there is such a program, where the system looks for it: execvp(3).
fn can_be_run(program: &OsStr) -> bool {
    let is_program = |path: &Path| path.is_file() && access(path, Access::EXEC_OK).is_ok();
    if program.as_encoded_bytes().contains(&b'/') {
        return is_program(Path::new(program));
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/bin:/usr/bin".into());
    std::env::split_paths(&path).any(|directory| is_program(&directory.join(program)))
}

/// The commands that run, and those that ran.
struct Commands {
    command: Vec<OsString>,
    name: OsString,
    most_at_once: Option<usize>,
    most: Option<u64>,
    state: Mutex<State>,
    changed: Condvar,
    /// Told when as many connections as were asked for have ended.
    ended: Sender<()>,
}

#[derive(Default)]
struct State {
    /// By the number of the connection. Each is here until it has been waited for, so its process's number is no other's.
    running: BTreeMap<u64, Running>,
    /// One is being started, which takes as long as the system takes, and is not among those that run yet.
    starting: bool,
    stopping: bool,
    report: Report,
}

struct Running {
    process: Pid,
    /// The command has it as well; by this one its input can be ended.
    connection: OwnedFd,
    killed: bool,
}

/// What became of the connections.
#[derive(Default)]
struct Report {
    connections: u64,
    refused: u64,
    succeeded: u64,
    failed: u64,
    client_left: u64,
    interrupted: u64,
    killed: u64,
    failures: Vec<Value>,
}

impl Report {
    fn json(&self) -> Value {
        json!({
            "connections": self.connections,
            "refused": self.refused,
            "succeeded": self.succeeded,
            "failed": self.failed,
            "client_left": self.client_left,
            "interrupted": self.interrupted,
            "killed": self.killed,
            "failures": self.failures,
        })
    }

    fn text(&self) -> String {
        format!(
            "{} connections, {} refused; {} commands succeeded, {} failed, {} failed when their clients had left, \
             {} failed when interrupted, {} were killed",
            self.connections,
            self.refused,
            self.succeeded,
            self.failed,
            self.client_left,
            self.interrupted,
            self.killed
        )
    }

    fn fail(&mut self, connection: u64, process: Option<u32>, how: &str) {
        self.failed += 1;
        let whose = process.map_or(String::new(), |process| format!("process {process}: "));
        // Whoever has the state locked does not wait here.
        diagnostics::complain(&format!("connection {connection}: {whose}{how}"));
        if self.failures.len() < FAILURES {
            self.failures.push(json!({ "connection": connection, "pid": process, "text": how }));
        }
    }
}

impl Commands {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, limit: Duration) -> MutexGuard<'a, State> {
        self.changed.wait_timeout(state, limit).unwrap_or_else(PoisonError::into_inner).0
    }

    /// Starts a command for each connection, until the server is closed or there were as many as were asked for.
    fn accept(self: &Arc<Self>, server: &Server) {
        let mut number = 0;
        while self.most.is_none_or(|most| number < most) {
            match server.accept(moorline::Timeout::Forever) {
                Ok(socket) if self.is_full() => drop(socket),
                Ok(socket) => {
                    number += 1;
                    self.begin();
                    let started = self.start(number, &socket);
                    let mut state = self.state();
                    state.starting = false;
                    if let Err(error) = started {
                        state.report.fail(number, None, &error);
                    }
                }
                Err(error) if matches!(error.status(), Status::Closed | Status::InvalidState) => return,
                Err(error) => {
                    diagnostics::complain(&error.to_string());
                    // A command that ends frees descriptors.
                    drop(self.wait(self.state(), REST));
                }
            }
        }
        // It is closed once more at the end, which tells what is the matter, if anything is.
        let _ = server.close();
        self.tell_if_done(&self.state());
    }

    fn begin(&self) {
        let mut state = self.state();
        state.starting = true;
        state.report.connections += 1;
    }

    /// Whether as many commands run as may. Then the connection is refused.
    fn is_full(&self) -> bool {
        let mut state = self.state();
        let full = self.most_at_once.is_some_and(|most| state.running.len() >= most);
        state.report.refused += u64::from(full);
        full
    }

    fn start(self: &Arc<Self>, number: u64, socket: &Socket) -> Result<(), String> {
        let peer = socket.peer_credentials().ok();
        let connection = socket.release_owned().map_err(|error| error.to_string())?;
        // It is one with the descriptors that the command gets, and programs expect to wait when they read.
        let prepared = rustix::io::ioctl_fionbio(&connection, false).map_err(io::Error::from);
        let descriptors = prepared.and_then(|()| Ok((connection.try_clone()?, connection.try_clone()?)));
        let (input, output) = descriptors.map_err(|error| format!("duplicate the connection: {error}"))?;
        let child = self.spawn(number, peer, input, output)?;
        let process = Pid::from_child(&child);
        self.state().running.insert(number, Running { process, connection, killed: false });
        let commands = self.clone();
        let waiting = thread::Builder::new().spawn(move || commands.wait_for(number, child));
        // Without a thread nobody waits for it: it must not stay.
        waiting.map(drop).map_err(|error| {
            kill(process);
            let _ = rustix::process::waitpid(Some(process), rustix::process::WaitOptions::empty());
            self.state().running.remove(&number);
            format!("start a thread: {error}")
        })
    }

    fn spawn(
        &self,
        number: u64,
        peer: Option<Credentials>,
        input: OwnedFd,
        output: OwnedFd,
    ) -> Result<Child, String> {
        let [program, arguments @ ..] = self.command.as_slice() else { return Err("no command".to_owned()) };
        let peer_uid = peer.as_ref().map(|peer| peer.uid.to_string());
        let peer_gid = peer.as_ref().map(|peer| peer.gid.to_string());
        // Of another pid namespace there is none.
        let peer_pid = peer.as_ref().and_then(|peer| peer.pid).map(|pid| pid.to_string());
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::from(input)).stdout(Stdio::from(output));
        command.env("MOORLINE_NAME", &self.name).env("MOORLINE_CONNECTION", number.to_string());
        for (variable, value) in [
            ("MOORLINE_PEER_UID", peer_uid),
            ("MOORLINE_PEER_GID", peer_gid),
            ("MOORLINE_PEER_PID", peer_pid),
        ] {
            match value {
                Some(value) => command.env(variable, value),
                None => command.env_remove(variable),
            };
        }
        // A group of its own: Ctrl-C at the terminal is for us, and what it starts can be ended with it.
        command.process_group(0);
        command.spawn().map_err(|error| format!("start {}: {error}", output::visible(program)))
    }

    /// Waits until the command has ended, and tells how it did.
    fn wait_for(&self, number: u64, mut child: Child) {
        let process = Pid::from_child(&child);
        let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while matches!(waitid(WaitId::Pid(process), ended), Err(Errno::INTR)) {}
        let mut state = self.state();
        if state.stopping {
            // What it has left running is of its group still, which is no other's while it has not been waited for.
            let _ = kill_process_group(process, Signal::KILL);
        }
        let status = child.wait();
        let running = state.running.remove(&number);
        let killed = running.as_ref().is_some_and(|running| running.killed);
        let client_left = running.is_some_and(|running| has_ended(&running.connection));
        let stopping = state.stopping;
        let report = &mut state.report;
        match status {
            Ok(status) if status.success() => report.succeeded += 1,
            _ if killed => report.killed += 1,
            Ok(_) if stopping => report.interrupted += 1,
            // Writing to it fails: by SIGPIPE, or as the program has it.
            Ok(_) if client_left => report.client_left += 1,
            Ok(status) => report.fail(number, Some(child.id()), &words(status)),
            Err(error) => report.fail(number, Some(child.id()), &error.to_string()),
        }
        self.changed.notify_all();
        self.tell_if_done(&state);
    }

    fn tell_if_done(&self, state: &State) {
        let no_more = state.stopping || self.most.is_some_and(|most| state.report.connections >= most);
        if no_more && state.running.is_empty() && !state.starting {
            // Nobody waits any more when it is ending already.
            let _ = self.ended.send(());
        }
    }

    /// Ends the input of every command, and kills those that have not ended after so long, or when interrupted again.
    fn stop(&self, linger: Duration, ending: &Ending) {
        let until = Instant::now() + linger;
        let mut state = self.state();
        state.stopping = true;
        for running in state.running.values() {
            // It fails if the client has left, and then the input has ended.
            let _ = shutdown(&running.connection, Shutdown::Read);
        }
        while !state.running.is_empty() {
            drop(state);
            let told = ending.receiver.recv_timeout(until.saturating_duration_since(Instant::now()));
            state = self.state();
            // It is the end of the last command, if none runs; else another interrupt, if it is not the time.
            if told.is_err() || !state.running.is_empty() {
                break;
            }
        }
        for running in state.running.values_mut() {
            running.killed = true;
            let _ = shutdown(&running.connection, Shutdown::Both);
            kill(running.process);
        }
        while !state.running.is_empty() {
            state = self.wait(state, REST);
        }
    }
}

/// Kills a command that has not been waited for, with all of its group: itself as well where it has joined another.
fn kill(process: Pid) {
    let _ = kill_process_group(process, Signal::KILL);
    let _ = kill_process(process, Signal::KILL);
}

/// Whether the connection has ended in both directions: poll(2).
fn has_ended(connection: &OwnedFd) -> bool {
    let mut look = [PollFd::new(connection, PollFlags::empty())];
    let looked = poll(&mut look, Some(&Timespec::default()));
    looked.is_ok() && look[0].revents().contains(PollFlags::HUP)
}

fn words(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("it ended with exit status {code}"),
        None => format!("it was ended by {status}"),
    }
}

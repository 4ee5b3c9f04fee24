//! `moorline serve`: a server until it is interrupted.

mod command;
mod script;

use crate::arguments::{MessageArguments, ScopeName, count, seconds};
use crate::diagnostics;
use crate::failure::Answer;
use crate::interrupt::{self, Ending};
use crate::output;
use clap::error::ErrorKind;
use clap::{Args, ValueEnum};
use moorline::{Connection, Handler, Service, ServiceOptions};
use serde_json::json;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// More failures than this are only counted in a report.
const FAILURES: usize = 1000;

#[derive(Args)]
#[command(
    after_help = "A script expects bytes or messages and answers them; share/doc/moorline/docs/script-language.md, where it is \
                  installed, describes it. A missed expectation \
                  prints the transcript of its connection, and the exit code is 1.\n\n\
                  A command runs once for each connection, with the connection as its standard input and output and these \
                  variables: MOORLINE_NAME, the full name of the server; MOORLINE_CONNECTION, the number of the connection, from \
                  1; MOORLINE_PEER_UID, MOORLINE_PEER_GID and MOORLINE_PEER_PID, the client's user, group and process. When \
                  interrupted, the inputs of the commands end; those that run still after the linger, or when interrupted again, \
                  are killed, each with its process group. The exit code is 1 if a command failed before that."
)]
pub struct Arguments {
    /// A plain name, or an absolute path; a name that nobody else has if there is none
    name: Option<OsString>,
    /// Where a plain name lives
    #[arg(long, value_enum, default_value_t)]
    scope: ScopeName,
    /// What to do with what comes
    #[arg(long, value_enum, default_value_t)]
    mode: Mode,
    /// Follow the script in this file on each connection; - is the standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["mode", "framing", "max_message", "application", "application_version",
                                                          "max_connections", "linger", "command"])]
    script: Option<PathBuf>,
    #[command(flatten)]
    messages: MessageArguments,
    /// End when so many connections have ended, with a script or a command; with a script also when an expectation was missed
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    connections: Option<u64>,
    /// Connections at once; others are refused
    #[arg(long, value_name = "NUMBER", value_parser = count())]
    max_connections: Option<usize>,
    /// Seconds to send what is queued, or for the commands to end, when interrupted, unless interrupted again
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "5")]
    linger: Duration,
    /// Print the report at the end as JSON
    #[arg(long)]
    json: bool,
    /// Run this command for each connection, which is its standard input and output
    #[arg(last = true, value_name = "COMMAND", conflicts_with_all = ["mode", "framing", "max_message", "application",
                                                                     "application_version"])]
    command: Vec<OsString>,
}

impl Arguments {
    /// Whether it runs commands, which are to have the limits that this process was given.
    pub fn runs_commands(&self) -> bool {
        !self.command.is_empty()
    }

    /// Ends the process where the arguments do not go together, as the parser does, which would say so in words of its own.
    fn check(&self) {
        if self.connections.is_some() && self.script.is_none() && !self.runs_commands() {
            let text = "--connections needs a script, --script FILE, or a command, -- COMMAND\n";
            clap::Error::raw(ErrorKind::MissingRequiredArgument, text).exit();
        }
    }
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum Mode {
    /// Send it back
    #[default]
    Echo,
    /// Drop it
    Sink,
}

struct Sink;

impl Handler for Sink {
    fn received(&self, _: &Connection, _: &[u8]) {}
    fn message(&self, _: &Connection, _: &[u8]) {}
}

pub fn run(arguments: &Arguments) -> Answer {
    arguments.check();
    if let Some(file) = &arguments.script {
        return script::serve(arguments, file);
    }
    let ending = interrupt::watch()?;
    if arguments.runs_commands() { command::serve(arguments, &ending) } else { serve(arguments, &ending) }
}

fn serve(arguments: &Arguments, ending: &Ending) -> Answer {
    let options = ServiceOptions {
        scope: arguments.scope.into(),
        messages: arguments.messages.options(),
        max_connections: arguments.max_connections,
        ..ServiceOptions::default()
    };
    let service = match arguments.mode {
        Mode::Echo => Service::echo(options),
        Mode::Sink => Service::new(options, Arc::new(Sink)),
    }?;
    match &arguments.name {
        Some(name) => service.start(name),
        None => service.start_unique("moorline"),
    }?;
    output::print_name(&service.full_name()?)?;

    // An error means that nobody can interrupt any more, which does not happen.
    let _ = ending.receiver.recv();
    let report = ending.stop(arguments.linger, |timeout| service.stop(timeout))?;
    if arguments.json {
        return output::print_json(&json!({
            "accepted": report.accepted,
            "refused": report.refused,
            "open_at_stop": report.open_at_stop,
            "received": report.received,
            "sent": report.sent,
            "unsent": report.unsent,
        }));
    }
    diagnostics::tell(&format!(
        "{} connections, {} refused; {} bytes received, {} sent, {} lost",
        report.accepted, report.refused, report.received, report.sent, report.unsent
    ));
    Ok(())
}

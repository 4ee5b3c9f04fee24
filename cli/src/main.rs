//! `moorline`: serve, connect to, measure, test and diagnose local sockets.

#![forbid(unsafe_code)]

mod arguments;
mod clean;
mod connect;
mod diagnostics;
mod doctor;
mod exchange;
mod failure;
mod faults;
mod generate;
mod interrupt;
mod kernel;
mod list;
mod names;
mod output;
mod pipe;
mod proxy;
mod relay;
mod replay;
mod report;
mod serve;
mod tap;

use clap::{Parser, Subcommand};
use failure::Failure;
use rustix::process::{Resource, getrlimit, setrlimit};
use std::io::{self, Write};
use std::process::ExitCode;

#[derive(Parser)]
#[command(
    name = "moorline",
    version,
    about = "Serve, connect to, measure, test and diagnose local sockets",
    after_help = "Exit codes: 0 all was well; 1 what was asked for failed or is not so; 2 the command line was wrong.\n\n\
                  Ctrl-C, SIGTERM and SIGHUP end every command cleanly.",
    propagate_version = true
)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve under a name until interrupted
    Serve(serve::Arguments),
    /// Connect the terminal, or a file, to a server
    Connect(connect::Arguments),
    /// Exchange data with an echo server over many sockets, every byte verified
    Exchange(exchange::Arguments),
    /// List the local servers of this machine
    Ls(list::Arguments),
    /// Remove names whose servers have died
    Clean(clean::Arguments),
    /// Carry what clients and a server say, with faults
    Proxy(proxy::Arguments),
    /// Record what clients and a server say, or show what was recorded
    Tap(tap::Arguments),
    /// Play a recording to a server, or to clients, and tell the first difference
    Replay(replay::Arguments),
    /// Say why a client cannot reach a name
    Doctor(doctor::Arguments),
    /// Print completions for a shell
    Completions(generate::Completions),
    /// Print the manual page
    Man,
}

/// As many descriptors as the system lets this process have: each connection is one.
fn raise_descriptor_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Whoever needs more than there are is told so.
    let _ = setrlimit(Resource::Nofile, limit);
}

/// Prints the help, or the version, that was asked for: as whatever else is printed, it gets there, or has nobody who reads it.
fn say(asked: &clap::Error) -> ExitCode {
    let printed = asked.print().and_then(|()| io::stdout().flush());
    match printed {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Failure::system("write to the standard output")(error).say();
            diagnostics::finish();
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}

fn main() -> ExitCode {
    let command = match CommandLine::try_parse() {
        Ok(line) => line.command,
        Err(asked) if !asked.use_stderr() => return say(&asked),
        Err(wrong) => wrong.exit(),
    };
    // Commands that are run have the limits that this process was given, not ours.
    if !matches!(&command, Command::Serve(arguments) if arguments.runs_commands()) {
        raise_descriptor_limit();
    }
    let answer = match command {
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Connect(arguments) => connect::run(&arguments),
        Command::Exchange(arguments) => exchange::run(&arguments),
        Command::Ls(arguments) => list::run(&arguments),
        Command::Clean(arguments) => clean::run(&arguments),
        Command::Proxy(arguments) => proxy::run(&arguments),
        Command::Tap(arguments) => tap::run(&arguments),
        Command::Replay(arguments) => replay::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::Completions(arguments) => generate::completions::<CommandLine>(&arguments),
        Command::Man => generate::man::<CommandLine>(),
    };
    if let Err(failure) = &answer {
        failure.say();
    }
    diagnostics::finish();
    if answer.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

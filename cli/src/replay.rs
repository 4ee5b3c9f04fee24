//! `moorline replay`: plays a recording to a server, or to clients, and tells where they first do something else.

use crate::arguments::{ScopeName, TrustArguments, seconds, timeout};
use crate::failure::{self, Answer, Failure};
use crate::interrupt;
use crate::output;
use clap::{ArgGroup, Args};
use moorline::name::Name;
use moorline::testkit::{Recording, Replay, ReplayOptions};
use moorline::{Server, ServerOptions};
use serde_json::json;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

#[derive(Args)]
#[command(
    group = ArgGroup::new("side").args(["server", "listen"]).required(true),
    after_help = "Exit code 0: the other side did what it had done in the recording; 1: it did something else, of which the first \
                  difference is told, or not all could be played."
)]
pub struct Arguments {
    /// A recording of `moorline tap`
    file: PathBuf,
    /// Play the clients to the server of this name
    #[arg(long, value_name = "NAME")]
    server: Option<OsString>,
    /// Play the server, under this name: the first client to come has the part of the first connection, and so on
    #[arg(long, value_name = "NAME", conflicts_with = "trust_anyone")]
    listen: Option<OsString>,
    /// Where a plain name lives
    #[arg(long, value_enum, default_value_t)]
    scope: ScopeName,
    /// Keep the times of the recording, instead of going on as soon as what was before has come
    #[arg(long)]
    real_time: bool,
    /// Seconds that the other side may take longer for each thing than in the recording
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "10")]
    patience: Duration,
    /// Seconds that all of it may take, the waiting for clients included
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    timeout: Option<Duration>,
    #[command(flatten)]
    trust: TrustArguments,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Answer {
    match play(arguments) {
        Ok(replay) => report(arguments, &replay),
        // What was played until then is not told of by the library.
        Err(Failure::Error(text)) if arguments.json => {
            let told = output::print_json(&json!({
                "same": false,
                "connections": null,
                "sent": null,
                "matched": null,
                "difference": null,
                "error": text,
            }));
            failure::all([Err(Failure::Error(text)), told])
        }
        Err(failure) => Err(failure),
    }
}

fn play(arguments: &Arguments) -> Answer<Replay> {
    // While it is waited for, from another program, an interrupt ends the process still.
    let recording = Recording::read(&arguments.file).map_err(Failure::in_text)?;
    let ending = interrupt::watch()?;
    let options = ReplayOptions {
        real_time: arguments.real_time,
        patience: arguments.patience,
        trust: arguments.trust.trust(),
    };
    let limit = timeout(arguments.timeout);
    let server = Arc::new(Server::new(ServerOptions::default()));
    let play: Box<dyn FnOnce() -> moorline::Result<Replay> + Send> = match &arguments.server {
        Some(name) => {
            let name = Name::resolve(name, arguments.scope.into())?;
            Box::new(move || recording.play_clients(&name, &options, limit))
        }
        None => {
            server.listen_on(Name::resolve(
                arguments.listen.as_deref().unwrap_or_default(),
                arguments.scope.into(),
            )?)?;
            output::print_name(&server.full_name()?)?;
            let server = server.clone();
            Box::new(move || recording.play_server(&server, &options, limit))
        }
    };
    let (played, answers) = mpsc::channel();
    let ended = ending.sender;
    // Not joined: when interrupted it waits for the other side still, and has nothing that does not end with the process.
    thread::spawn(move || {
        // Nobody waits any more when the command is ending already.
        let _ = played.send(play());
        let _ = ended.send(());
    });
    // An error means that nobody can interrupt any more, which does not happen.
    let _ = ending.receiver.recv();
    let interrupted = |_| Failure::Error("interrupted before all was played".to_owned());
    let answer = answers.try_recv().map_err(interrupted);
    server.close()?;
    Ok(answer??)
}

fn report(arguments: &Arguments, replay: &Replay) -> Answer {
    let Replay { connections, sent, matched, difference } = replay;
    if arguments.json {
        let difference = difference.as_ref().map(|difference| {
            json!({
                "connection": difference.connection,
                "byte": difference.byte,
                "expected": difference.expected,
                "found": difference.found,
            })
        });
        output::print_json(&json!({
            "same": difference.is_none(),
            "connections": connections,
            "sent": sent,
            "matched": matched,
            "difference": difference,
            "error": null,
        }))?;
    } else {
        let rows = [
            ("connections played to their ends", connections),
            ("bytes sent", sent),
            ("bytes as recorded", matched),
        ];
        let rows: Vec<_> =
            rows.iter().map(|(words, count)| vec![(*words).to_owned(), count.to_string()]).collect();
        output::print_table(&["what", "count"], &rows)?;
        if let Some(difference) = difference {
            output::print(&format!("first difference: {difference}\n"))?;
        }
    }
    if difference.is_none() { Ok(()) } else { Err(Failure::Said) }
}

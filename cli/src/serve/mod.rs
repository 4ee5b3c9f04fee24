//! `moorline serve`: a server until it is interrupted.

use crate::arguments::{MessageArguments, ScopeName};
use crate::failure::{Answer, Failure};
use crate::output;
use clap::{Args, ValueEnum};
use moorline::{Connection, Handler, Service, ServiceOptions, Timeout};
use serde_json::json;
use std::ffi::OsString;
use std::sync::{Arc, mpsc};
use std::time::Duration;

#[derive(Args)]
pub struct Arguments {
    /// A plain name, or an absolute path; a name that nobody else has if there is none
    name: Option<OsString>,
    /// Where a plain name lives
    #[arg(long, value_enum, default_value_t)]
    scope: ScopeName,
    /// What to do with what comes
    #[arg(long, value_enum, default_value_t)]
    mode: Mode,
    #[command(flatten)]
    messages: MessageArguments,
    /// Connections at once
    #[arg(long, value_name = "NUMBER")]
    max_connections: Option<usize>,
    /// Seconds to send what is queued when interrupted
    #[arg(long, value_name = "SECONDS", value_parser = crate::arguments::seconds, default_value = "5")]
    linger: Duration,
    /// Print the report at the end as JSON
    #[arg(long)]
    json: bool,
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
    let (interrupt, interrupted) = mpsc::channel();
    let tell = move || {
        // Nobody waits any more when the server is ending already.
        let _ = interrupt.send(());
    };
    ctrlc::set_handler(tell).map_err(|error| Failure::Error(format!("watch for an interrupt: {error}")))?;

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
    output::print(&format!("{}\n", service.full_name()?.to_string_lossy()))?;

    // An error means that nobody can interrupt any more, which does not happen.
    let _ = interrupted.recv();
    let report = service.stop(Timeout::After(arguments.linger))?;
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
    eprintln!(
        "{} connections, {} refused; {} bytes received, {} sent, {} lost",
        report.accepted, report.refused, report.received, report.sent, report.unsent
    );
    Ok(())
}

//! `moorline tap`: records conversations to a file, and shows what was recorded.

use crate::failure::{Answer, Failure};
use crate::output;
use crate::relay::{Doings, RelayArguments, relay};
use clap::{Args, Subcommand};
use moorline::testkit::faults::Direction;
use moorline::testkit::tap::{TapEntry, TapEvent};
use moorline::testkit::{Recording, text};
use serde_json::{Value, json};
use std::path::PathBuf;

#[derive(Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "The file is a new one that only this user may read: conversations have secrets. \
                  share/doc/moorline/docs/tap-format.md, where it is installed, describes it. \
                  Exit code 1: not everything was recorded, or clients could not be connected to the server, or had their \
                  connections broken for want of descriptors or memory."
)]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    relay: RelayArguments,
    /// The new file to record to
    // Required, unless there is a subcommand.
    #[arg(required = true)]
    file: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// Show what was recorded
    Show(Show),
}

#[derive(Args)]
struct Show {
    /// A recording
    file: PathBuf,
    /// Only this connection
    #[arg(long, value_name = "NUMBER")]
    connection: Option<u64>,
    /// Bytes of each piece that are shown in the table
    #[arg(long, value_name = "NUMBER", default_value_t = 60)]
    bytes: usize,
    /// Print JSON, with all bytes
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Answer {
    match &arguments.command {
        Some(Command::Show(arguments)) => show(arguments),
        None => relay(&arguments.relay, Doings { record_to: arguments.file.as_deref(), ..Doings::default() }),
    }
}

fn show(arguments: &Show) -> Answer {
    let recording = Recording::read(&arguments.file).map_err(Failure::in_text)?;
    if let Some(connection) = arguments.connection
        && !recording.connections().contains(&connection)
    {
        let file = output::visible(&arguments.file);
        return Err(Failure::Error(format!("{file}: there is no connection {connection} in it")));
    }
    let shown = recording
        .entries
        .iter()
        .filter(|entry| arguments.connection.is_none_or(|connection| connection == entry.connection));
    if arguments.json {
        return output::print_json(&Value::Array(shown.map(to_json).collect()));
    }
    let rows: Vec<Vec<String>> = shown.map(|entry| to_cells(entry, arguments.bytes)).collect();
    output::print_table(&["seconds", "connection", "what", "bytes", "which"], &rows)
}

fn words(direction: Direction) -> &'static str {
    match direction {
        Direction::ToServer => "to-server",
        Direction::ToClient => "to-client",
    }
}

fn to_cells(entry: &TapEntry, most: usize) -> Vec<String> {
    let (what, bytes, which) = match &entry.event {
        TapEvent::Open(None) => ("open".to_owned(), String::new(), String::new()),
        TapEvent::Open(Some(client)) => {
            let process = client.pid.map_or("unknown".to_owned(), |pid| pid.to_string());
            let client = format!("user {}, group {}, process {process}", client.uid, client.gid);
            ("open".to_owned(), String::new(), client)
        }
        TapEvent::Data { direction, bytes, descriptors } => {
            let with = match descriptors {
                0 => String::new(),
                count => format!(" and {count} descriptors"),
            };
            let which = text::excerpt(bytes, most) + &with;
            (words(*direction).to_owned(), bytes.len().to_string(), which)
        }
        TapEvent::End(direction) => (format!("end {}", words(*direction)), String::new(), String::new()),
        TapEvent::Close => ("close".to_owned(), String::new(), String::new()),
    };
    vec![format!("{:.6}", entry.at.as_secs_f64()), entry.connection.to_string(), what, bytes, which]
}

fn to_json(entry: &TapEntry) -> Value {
    let mut line = json!({ "seconds": entry.at.as_secs_f64(), "connection": entry.connection });
    let more = match &entry.event {
        TapEvent::Open(None) => json!({ "event": "open" }),
        TapEvent::Open(Some(client)) => {
            json!({ "event": "open", "uid": client.uid, "gid": client.gid, "pid": client.pid })
        }
        TapEvent::Data { direction, bytes, descriptors } => json!({
            "event": "data",
            "direction": words(*direction),
            "bytes": bytes.len(),
            "hex": text::hex(bytes),
            "text": std::str::from_utf8(bytes).ok(),
            "descriptors": descriptors,
        }),
        TapEvent::End(direction) => json!({ "event": "end", "direction": words(*direction) }),
        TapEvent::Close => json!({ "event": "close" }),
    };
    if let (Some(line), Value::Object(more)) = (line.as_object_mut(), more) {
        line.extend(more);
    }
    line
}

//! `moorline exchange`: N sockets against an echo, every byte verified.

use crate::arguments::{ScopeName, count, seconds, timeout};
use crate::failure::{self, Answer, Failure};
use crate::interrupt;
use crate::output;
use crate::report::{self, Measured};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use moorline::exchange::{self, ExchangeOptions, ExchangeReport};
use moorline::{Service, ServiceOptions, SocketOptions, Timeout};
use serde_json::json;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Args)]
#[command(
    after_help = "Without --connections, --chunk and --round-trips it runs the usual rows: ping-pong of one byte over 10 to \
                        5,000 connections, and data of 100 to 100,000 bytes over 1, 5 and 10."
)]
pub struct Arguments {
    /// The echo server; one is started for the purpose if there is no name
    name: Option<OsString>,
    /// Where a plain name lives
    #[arg(long, value_enum, default_value_t)]
    scope: ScopeName,
    /// Sockets, all connected at the same time
    #[arg(long, value_name = "NUMBER", value_parser = count().range(..=1 << 20))]
    connections: Option<usize>,
    /// Bytes of a round trip
    #[arg(long, value_name = "BYTES", value_parser = count().range(..=1 << 30))]
    chunk: Option<usize>,
    /// Round trips over all connections together
    #[arg(long, value_name = "NUMBER")]
    round_trips: Option<u64>,
    /// A tenth of the usual rows' round trips
    #[arg(long, conflicts_with_all = ["connections", "chunk", "round_trips"])]
    quick: bool,
    /// Seconds that a row may take
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    timeout: Option<Duration>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Write a page with a table and a drawing as well
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
}

struct Row {
    connections: usize,
    chunk: usize,
    round_trips: u64,
}

impl Row {
    fn name(&self) -> String {
        match self.chunk {
            1 => format!("ping-pong, {}", self.connections),
            chunk => format!("data, {} x {chunk} B", self.connections),
        }
    }
}

fn rows(arguments: &Arguments) -> Vec<Row> {
    let Arguments { connections, chunk, round_trips, quick, .. } = *arguments;
    if connections.is_some() || chunk.is_some() || round_trips.is_some() {
        let (connections, chunk) = (connections.unwrap_or(1), chunk.unwrap_or(1));
        let round_trips = round_trips.unwrap_or_else(|| 1000.max(connections as u64));
        return vec![Row { connections, chunk, round_trips }];
    }
    let part: u64 = if quick { 10 } else { 1 };
    let ping_pong = [10, 50, 100, 1000, 5000].map(|connections| (connections, 1, 100_000));
    let data = [1, 5, 10].into_iter().flat_map(|connections| {
        [(100, 20_000), (1000, 20_000), (10_000, 10_000), (100_000, 2000)]
            .map(|(chunk, round_trips)| (connections, chunk, round_trips))
    });
    let row = |(connections, chunk, round_trips): (usize, usize, u64)| Row {
        connections,
        chunk,
        round_trips: round_trips / part,
    };
    ping_pong.into_iter().chain(data).map(row).collect()
}

/// The file of the page. An earlier page stays until this one is written, and none is left that was made in vain.
struct Page<'a> {
    path: &'a Path,
    file: File,
    /// Where it was made, while it is in vain.
    made: Option<PathBuf>,
}

impl Page<'_> {
    /// What is there already, if it can be written. A pipe is waited for until somebody reads it.
    fn open(path: &Path) -> Option<Page<'_>> {
        let opened = File::options().write(true).open(path);
        opened.ok().map(|file| Page { path, file, made: None })
    }

    fn create(path: &Path) -> Answer<Page<'_>> {
        let (file, made) =
            create_or_open(path).map_err(Failure::system(format!("create {}", output::visible(path))))?;
        Ok(Page { path, file, made })
    }

    fn write(mut self, text: &str) -> Answer {
        // Only of a file there can be something left.
        let prepared =
            self.file.metadata().and_then(|it| if it.is_file() { self.file.set_len(0) } else { Ok(()) });
        prepared
            .and_then(|()| self.file.write_all(text.as_bytes()))
            .map_err(Failure::system(format!("write {}", output::visible(&self.path))))?;
        self.made = None;
        Ok(())
    }
}

impl Drop for Page<'_> {
    fn drop(&mut self) {
        if let Some(made) = &self.made {
            let _ = fs::remove_file(made);
        }
    }
}

/// Makes a file, and tells where; or opens one that is there. A link that leads nowhere is followed by hand: the system makes a file there
/// as well, but does not tell whether it has.
fn create_or_open(path: &Path) -> io::Result<(File, Option<PathBuf>)> {
    let mut at = path.to_owned();
    loop {
        match File::options().write(true).create_new(true).open(&at) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made.map(|file| (file, Some(at))),
        }
        // Links that lead round in a circle are told of here.
        let there = File::options().write(true).open(&at);
        match (there, fs::read_link(&at)) {
            (Err(error), Ok(target)) if error.kind() == io::ErrorKind::NotFound => {
                at = at.with_file_name(target)
            }
            (there, _) => return there.map(|file| (file, None)),
        }
    }
}

pub fn run(arguments: &Arguments) -> Answer {
    let report = arguments.report.as_deref();
    // While a pipe is waited for, there is nothing to give back, and an interrupt ends the process still.
    let page_there = report.and_then(Page::open);
    interrupt::defer()?;
    // One that cannot be made is told before anything is measured.
    let page = page_there.map(Ok).or_else(|| report.map(Page::create)).transpose()?;
    let (service, name) = match &arguments.name {
        Some(name) => (None, name.clone()),
        None => {
            let scope = arguments.scope.into();
            let service = Service::echo(ServiceOptions { scope, ..ServiceOptions::default() })?;
            service.start_unique("exchange")?;
            let name = service.full_name()?;
            (Some(service), name)
        }
    };
    let mut done = Vec::new();
    for row in rows(arguments) {
        let (report, result) = measure(&row, &name, arguments);
        let failure = result.err().map(|error| error.to_string());
        let failed = failure.is_some();
        let Row { connections, chunk, .. } = row;
        done.push(Measured { name: row.name(), connections, chunk, report, failure });
        if failed {
            break;
        }
    }
    let stopped =
        service.map_or(Ok(()), |service| service.stop(Timeout::After(Duration::from_secs(5))).map(drop));
    let failure = done.iter().find_map(|measured| measured.failure.clone());
    let printed = if arguments.json {
        let rows: Vec<_> = done.iter().map(Measured::json).collect();
        output::print_json(&json!({ "right": failure.is_none(), "rows": rows }))
    } else {
        output::print_table(&Measured::TITLES, &done.iter().map(Measured::cells).collect::<Vec<_>>())
    };
    // Of nothing there is no page.
    let page = page.filter(|_| done.iter().any(|measured| measured.report.round_trips > 0));
    let written = page.map_or(Ok(()), |page| page.write(&report::page(&name.to_string_lossy(), &done)));
    let measured = failure.map_or(Ok(()), |text| Err(Failure::Error(text)));
    failure::all([measured, printed, written, stopped.map_err(Failure::from)])
}

fn measure(row: &Row, name: &OsString, arguments: &Arguments) -> (ExchangeReport, moorline::Result<()>) {
    let options = ExchangeOptions {
        socket: SocketOptions { scope: arguments.scope.into(), ..SocketOptions::default() },
        connections: row.connections,
        chunk: row.chunk,
        round_trips: row.round_trips,
        ..ExchangeOptions::default()
    };
    // It draws on the standard error, and only if that is a terminal.
    let bar = ProgressBar::new(row.round_trips);
    if let Ok(style) = ProgressStyle::with_template("{msg:22} [{bar:40}] {percent:>3} %") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_message(row.name());
    let answer = exchange::run(name, &options, timeout(arguments.timeout), |progress| {
        bar.set_position(progress.done);
        interrupt::count() == 0
    });
    bar.finish_and_clear();
    answer
}

//! Clients that are expected to say what a script says.

use super::{Arguments, FAILURES};
use crate::diagnostics;
use crate::failure::{Answer, Failure};
use crate::interrupt;
use crate::output;
use moorline::name::Name;
use moorline::testkit::{self, Fixture, FixtureOptions, Script, Verdicts};
use moorline::{Scope, Timeout};
use serde_json::json;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

/// Reads the script, serves with it, and tells of every expectation that was missed, when it is.
pub fn serve(arguments: &Arguments, file: &Path) -> Answer {
    // While it is waited for, from another program or a person, an interrupt ends the process still.
    let script = read(file)?;
    let ending = interrupt::watch()?;
    let verdicts = Verdicts::new();
    let scope: Scope = arguments.scope.into();
    // It is told here, where nobody waits for whoever reads it.
    let options =
        FixtureOptions { scope, verdicts: Some(verdicts.clone()), quiet: true, ..FixtureOptions::default() };
    let name = match &arguments.name {
        Some(name) => Name::resolve(name, scope),
        None => Name::unique("moorline", scope),
    }?;
    let fixture = Fixture::start_on(name, script, options)?;
    output::print_name(&fixture.full_name()?)?;

    let failures = std::thread::scope(|threads| {
        let telling = threads.spawn(|| tell_failures(&verdicts));
        if let Some(connections) = arguments.connections {
            let (fixture, ended) = (&fixture, ending.sender.clone());
            threads.spawn(move || {
                // A missed expectation ends it as well, and so does the stop.
                let _ = fixture.wait(connections, Timeout::Forever);
                let _ = ended.send(());
            });
        }
        // An error means that nobody can interrupt any more, which does not happen.
        let _ = ending.receiver.recv();
        fixture.stop();
        verdicts.done();
        // It does not panic.
        telling.join().unwrap_or_default()
    });
    let report = fixture.report();
    let unfinished = report.connections - report.finished;
    if arguments.json {
        let failures: Vec<_> = failures
            .into_iter()
            .map(|failure| json!({ "file": file.to_string_lossy(), "line": failure.line, "text": failure.text }))
            .collect();
        output::print_json(&json!({
            "connections": report.connections,
            "finished": report.finished,
            "unfinished": unfinished,
            "missed": report.missed,
            "received": report.received,
            "sent": report.sent,
            "failures": failures,
        }))?;
    } else {
        diagnostics::tell(&format!(
            "{} connections, {} finished, {unfinished} not, {} missed an expectation; {} bytes received, {} sent",
            report.connections, report.finished, report.missed, report.received, report.sent
        ));
    }
    if report.missed > 0 { Err(Failure::Said) } else { Ok(()) }
}

/// Tells of missed expectations as they are missed, until nothing is to be done any more. Those of which the report tells.
fn tell_failures(verdicts: &Verdicts) -> Vec<testkit::Failure> {
    let mut failures = Vec::new();
    while verdicts.wait(Timeout::Forever).is_err() {
        for failure in verdicts.take() {
            diagnostics::tell(&failure.text);
            if failures.len() < FAILURES {
                failures.push(failure);
            }
        }
    }
    failures
}

fn read(file: &Path) -> Answer<Script> {
    let mut text = Vec::new();
    let read = match file.to_str() {
        Some("-") => io::stdin().read_to_end(&mut text).map(|_| text),
        _ => fs::read(file),
    };
    let text = read.map_err(Failure::system(format!("read {}", output::visible(file))))?;
    Script::parse(&text).map_err(|error| Failure::in_text(error).within(output::visible(file)))
}

//! What stands between the clients of one name and the server of another: the part that `proxy` and `tap` share.

use crate::arguments::{ScopeName, TrustArguments, seconds};
use crate::diagnostics;
use crate::failure::{Answer, Failure};
use crate::faults::counted;
use crate::interrupt;
use crate::kernel;
use crate::names::{failure_of_link, state_for_clients};
use crate::output;
use clap::Args;
use moorline::Status;
use moorline::name::{Name, NameState};
use moorline::testkit::{FaultPlan, Proxy, ProxyOptions, Tap};
use serde_json::{Map, Value, json};
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

#[derive(Args)]
pub struct RelayArguments {
    /// The name that clients connect to: a plain name, or an absolute path
    // Required, unless the command has a subcommand and it is given.
    #[arg(required = true)]
    name: Option<OsString>,
    /// The name of the server
    #[arg(required = true)]
    target: Option<OsString>,
    /// Where a plain name lives
    #[arg(long, value_enum, default_value_t)]
    scope: ScopeName,
    /// Where a plain name of the server lives, if elsewhere
    #[arg(long, value_enum)]
    target_scope: Option<ScopeName>,
    #[command(flatten)]
    trust: TrustArguments,
    /// Seconds to try for a connection to a server whose backlog is full
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "10")]
    connect_timeout: Duration,
    /// Seconds that conversations may go on when interrupted, unless interrupted again; then they are broken
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "0")]
    linger: Duration,
    /// Print the report at the end as JSON
    #[arg(long)]
    json: bool,
    /// Do not tell on the standard error what happens when it does
    #[arg(long, short)]
    quiet: bool,
}

/// What is done with what passes.
#[derive(Default)]
pub struct Doings<'a> {
    pub plan: Option<FaultPlan>,
    /// When the backlog that the plan fills is opened.
    pub backlog_opens_after: Option<Duration>,
    pub backlog: Option<u32>,
    pub record_to: Option<&'a Path>,
    /// What more there is to say in the report.
    pub facts: Map<String, Value>,
}

/// How often it is looked whether there is something to tell.
const LOOK: Duration = Duration::from_millis(50);

pub fn relay(arguments: &RelayArguments, doings: Doings) -> Answer {
    let ending = interrupt::watch()?;
    let target_scope = arguments.target_scope.unwrap_or(arguments.scope);
    let name = Name::resolve(arguments.name.as_deref().unwrap_or_default(), arguments.scope.into())?;
    let target = Name::resolve(arguments.target.as_deref().unwrap_or_default(), target_scope.into())?;
    let tap = doings.record_to.map(Tap::create).transpose()?;
    let options = ProxyOptions {
        faults: doings.plan.clone(),
        tap: tap.clone(),
        backlog: doings.backlog,
        trust: arguments.trust.trust(),
        connect_timeout: arguments.connect_timeout,
        ..ProxyOptions::default()
    };
    let proxy = begin(name, &target, options).inspect_err(|_| {
        // What was only just made records nothing.
        let _ = doings.record_to.map(fs::remove_file);
    })?;

    let mut relay = Relay {
        proxy: &proxy,
        plan: doings.plan.as_ref(),
        tap: tap.as_ref(),
        record_to: doings.record_to,
        quiet: arguments.quiet,
        told: 0,
        failures: Vec::new(),
        record_failure: None,
    };
    relay.watch(&ending.receiver, doings.backlog_opens_after);
    let broken = match ending.stop(arguments.linger, |timeout| proxy.stop(timeout)) {
        Ok(()) => false,
        Err(error) if matches!(error.status(), Status::TimedOut | Status::Closed) => true,
        Err(error) => return Err(error.into()),
    };
    relay.look();
    relay.report(arguments.json, broken, doings.facts)
}

/// Starts a proxy, and tells its name.
fn begin(name: Name, target: &Name, options: ProxyOptions) -> Answer<Proxy> {
    let proxy = Proxy::start(name, target.clone(), options)?;
    warn_of(target);
    output::print_name(&proxy.full_name()?)?;
    Ok(proxy)
}

/// A server may come later, and a client is told then that it does not: but most likely the name is wrong.
fn warn_of(target: &Name) {
    if let Some(what) = obstacle(target) {
        diagnostics::complain(&format!("warning: {target}: {what}; clients will be turned away"));
    }
}

/// What keeps clients from the server, if anything does now.
fn obstacle(target: &Name) -> Option<String> {
    if let Some(error) = target.as_path().and_then(failure_of_link) {
        return Some(format!("the link there cannot be followed: {error}"));
    }
    let what = match state_for_clients(target) {
        Ok(NameState::Absent) => "there is no server of that name yet",
        Ok(NameState::Dead) => "its server has gone",
        Ok(NameState::Occupied) => "what stands there is no socket",
        Err(_) if target.is_abstract() && !is_taken(target) => "there is no server of that name yet",
        _ => return None,
    };
    Some(what.to_owned())
}

/// Whether a server has the abstract name. The kernel has it with a NUL before it.
fn is_taken(target: &Name) -> bool {
    let name = target.to_os_string();
    let matches =
        |full: &OsString| full.as_encoded_bytes().strip_prefix(b"\0") == Some(name.as_encoded_bytes());
    kernel::listeners().map_or(true, |all| all.iter().filter_map(|one| one.name.as_ref()).any(matches))
}

/// A proxy at work, and what was told of it.
struct Relay<'a> {
    proxy: &'a Proxy,
    plan: Option<&'a FaultPlan>,
    tap: Option<&'a Tap>,
    record_to: Option<&'a Path>,
    quiet: bool,
    /// So many lines of the plan were told.
    told: usize,
    failures: Vec<String>,
    record_failure: Option<String>,
}

impl Relay<'_> {
    /// Tells what happens until it is interrupted.
    fn watch(&mut self, interrupts: &Receiver<()>, backlog_opens_after: Option<Duration>) {
        let mut opens = backlog_opens_after.map(|delay| Instant::now() + delay);
        while interrupts.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
            if let Some(plan) = self.plan
                && opens.is_some_and(|opens| opens <= Instant::now())
            {
                opens = None;
                plan.open_backlog();
            }
            self.look();
        }
    }

    fn look(&mut self) {
        let happened = self.plan.map(FaultPlan::happened).unwrap_or_default();
        let new = happened.get(self.told..).unwrap_or_default().iter().cloned();
        let failures = self.proxy.take_failures();
        if !self.quiet {
            new.chain(failures.iter().cloned()).for_each(|line| diagnostics::complain(&line));
        }
        self.told = happened.len();
        self.failures.extend(failures);
        if self.record_failure.is_none()
            && let Some(Err(error)) = self.tap.map(Tap::check)
        {
            diagnostics::complain(&format!("{error}; the recording ends here, and the conversations go on"));
            self.record_failure = Some(error.to_string());
        }
    }

    fn report(self, as_json: bool, broken: bool, facts: Map<String, Value>) -> Answer {
        let statistics = self.proxy.statistics();
        let counts = self.plan.map(FaultPlan::counts);
        let well = self.record_failure.is_none() && statistics.not_connected == 0;
        if as_json {
            let mut report = json!({
                "connections": statistics.accepted,
                "not_connected": statistics.not_connected,
                "to_server": statistics.to_server,
                "to_client": statistics.to_client,
                "broken_at_stop": broken,
                "failures": self.failures,
            });
            report.as_object_mut().into_iter().for_each(|report| report.extend(facts.clone()));
            if let Some(plan) = self.plan {
                let counts: Map<_, _> = counted(&plan.counts())
                    .into_iter()
                    .map(|(_, name, count)| (name.to_owned(), Value::from(count)))
                    .collect();
                report["faults"] = counts.into();
                report["happened"] = plan.happened().into();
            }
            if let Some(file) = self.record_to {
                report["recording"] = json!({ "file": file.to_string_lossy(), "error": self.record_failure });
            }
            output::print_json(&report)?;
        } else {
            let general = [
                ("connections", statistics.accepted),
                ("connections not made to the server", statistics.not_connected),
                ("bytes to the server", statistics.to_server),
                ("bytes to the client", statistics.to_client),
            ];
            let faults =
                counts.iter().flat_map(|counts| counted(counts).map(|(words, _, count)| (words, count)));
            let rows: Vec<Vec<String>> = general
                .into_iter()
                .chain(faults)
                .map(|(words, count)| vec![words.to_owned(), count.to_string()])
                .collect();
            output::print_table(&["what", "count"], &rows)?;
        }
        if well { Ok(()) } else { Err(Failure::Said) }
    }
}

//! `moorline proxy`: a faulty wire between the clients of one name and the server of another.

use crate::failure::Answer;
use crate::faults::FaultArguments;
use crate::relay::{Doings, RelayArguments, relay};
use clap::Args;
use moorline::testkit::FaultPlan;
use serde_json::{Map, json};
use std::path::PathBuf;

#[derive(Args)]
#[command(
    after_help = "What goes wrong is told on the standard error as it does, and counted at the end. Programs are used unchanged: \
                        clients are given NAME instead of TARGET. Exit code 1: clients could not be connected to the server, or \
                        had their connections broken for want of descriptors or memory, or the recording is not whole."
)]
pub struct Arguments {
    #[command(flatten)]
    relay: RelayArguments,
    /// Record what passes to this new file, as `moorline tap` does
    #[arg(long, value_name = "FILE")]
    tap: Option<PathBuf>,
    /// Connections that may wait to be accepted [default: as many as the system allows; 1 with --backlog-full]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    backlog: Option<u32>,
    #[command(flatten)]
    faults: FaultArguments,
}

pub fn run(arguments: &Arguments) -> Answer {
    let faults = arguments.faults.faults();
    // Our own connections fill it, and each takes a descriptor.
    let backlog = arguments.backlog.or(faults.backlog_full.then_some(1));
    let facts = Map::from_iter([("seed".to_owned(), json!(faults.seed))]);
    relay(
        &arguments.relay,
        Doings {
            plan: Some(FaultPlan::new(faults)?),
            backlog_opens_after: arguments.faults.backlog_opens_after(),
            backlog,
            record_to: arguments.tap.as_deref(),
            facts,
        },
    )
}

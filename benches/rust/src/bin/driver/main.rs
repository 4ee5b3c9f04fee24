//! Runs all systems over all rows, interleaved round by round, each in a process of its own.

mod compare;
mod markdown;
mod page;
mod plan;
mod rivals;
mod sample;
mod surroundings;
mod svg;
mod systems;
mod table;

use clap::Parser;
use moorline_benches::checked;
use plan::{Group, Scope, Section};
use rivals::Rivals;
use std::path::PathBuf;
use std::time::Instant;
use systems::{MICRO, SYSTEMS};

/// Runs the exchange with every system, and what is measured beside it. Prints a table, and writes results.json with every
/// sample, results.html with charts and results.md with the tables of docs/performance.md.
#[derive(Parser)]
#[command(name = "benches/run")]
struct Options {
    /// How often everything is measured.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Only the rows whose names contain this, as "ping-pong", "idle", "Memory" or "handle".
    #[arg(long, default_value = "")]
    only: String,
    /// Only these systems, by the beginnings of what --list calls them, as "epoll,moorline-c". The first is what the others
    /// are compared with.
    #[arg(long, value_delimiter = ',')]
    systems: Vec<String>,
    /// Server and clients on a processor each, both on one, or as the kernel likes.
    #[arg(long, value_delimiter = ',', default_value = "apart,together", value_parser = ["apart", "together", "free"])]
    placement: Vec<String>,
    /// One round with a twentieth of the work: whether everything works, not how fast.
    #[arg(long)]
    quick: bool,
    /// Tell the systems and the rows, and measure nothing.
    #[arg(long)]
    list: bool,
    /// Where the programs in C++ are and the results go.
    #[arg(long, default_value = "build/bench", hide = true)]
    build: PathBuf,
}

fn main() {
    let options = Options::parse();
    for wanted in &options.systems {
        if wanted != MICRO && !SYSTEMS.iter().any(|system| system.key.starts_with(&**wanted)) {
            moorline_benches::fail(format_args!("no system begins with \"{wanted}\"; --list tells them"));
        }
    }
    let program = checked(std::env::current_exe(), "this program");
    let scope = Scope {
        cpp_programs: options.build.clone(),
        rust_programs: program.parent().map(PathBuf::from).unwrap_or_default(),
        placements: options.placement,
        systems: options.systems,
        quick: options.quick,
    };
    let mut groups = scope.groups();
    groups.retain(|group| group.full_name().contains(&options.only));
    if groups.is_empty() {
        moorline_benches::fail(format_args!("no row is called like \"{}\"; --list tells them", options.only));
    }
    if options.list {
        return list(&groups);
    }

    // As it was before it was loaded by this.
    let surroundings = surroundings::surroundings();
    let rounds = if options.quick { 1 } else { usize::from(options.rounds) };
    measure(&mut groups, rounds);
    table::print(&surroundings, &groups);
    let surroundings_by_name: serde_json::Map<_, _> =
        surroundings.iter().map(|(name, value)| ((*name).to_owned(), value.as_str().into())).collect();
    let results =
        serde_json::json!({ "surroundings": surroundings_by_name, "rounds": rounds, "groups": groups });
    let json = checked(serde_json::to_string_pretty(&results), "the results");
    let page = page::page(&surroundings, rounds, &groups);
    let markdown = markdown::markdown(&groups);
    println!();
    for (name, text) in [("results.json", json), ("results.html", page), ("results.md", markdown)] {
        let path = options.build.join(name);
        checked(std::fs::write(&path, text), &path.display().to_string());
        println!("{}", path.display());
    }
    let failures: Vec<&String> =
        groups.iter().flat_map(|group| &group.series).flat_map(|series| &series.failures).collect();
    if !failures.is_empty() {
        moorline_benches::fail(format_args!(
            "{} samples failed, the first of them: {}",
            failures.len(),
            failures[0]
        ));
    }
    println!("Every byte was verified.");
}

fn list(groups: &[Group]) {
    println!("systems:");
    for system in &SYSTEMS {
        println!("  {:<22}{}", system.key, system.name);
    }
    println!("  {MICRO:<22}parts on their own\nrows:");
    for group in groups {
        println!("  {}", group.full_name());
    }
}

/// All series of all groups, so many times; every sample is a process.
fn measure(groups: &mut [Group], rounds: usize) {
    let temporary = checked(tempfile::tempdir(), "a directory for temporary files");
    let begin = Instant::now();
    for round in 0..rounds {
        for group in &mut *groups {
            eprintln!(
                "{:>5} s, round {} of {rounds}: {}",
                begin.elapsed().as_secs(),
                round + 1,
                group.full_name()
            );
            let _rivals = (group.section == Section::Rivals).then(Rivals::start);
            // Another begins in each round, so that none always comes after the same.
            let count = group.series.len();
            for index in 0..count {
                group.series[(round + index) % count].measure(temporary.path());
            }
        }
    }
}

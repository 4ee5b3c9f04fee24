//! What is measured: the rows, and which program with which arguments makes a sample of each.

use crate::sample::Series;
use crate::systems::{MICRO, Program, SYSTEMS, System};
use std::path::{Path, PathBuf};

/// What a part of the table is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Section {
    /// The 17 rows.
    Exchange,
    /// Looking again before sleeping.
    BusyPoll,
    /// Where somebody else always wants the processor.
    Rivals,
    /// A round trip while other connections do nothing.
    Idle,
    /// Messages against the raw stream.
    Framing,
    /// Resident memory of a connection.
    Memory,
    /// A process in which nothing happens.
    Rest,
    /// Parts on their own.
    Micro,
}

impl Section {
    /// All, in their order.
    pub const ALL: [Section; 8] = [
        Section::Exchange,
        Section::BusyPoll,
        Section::Rivals,
        Section::Idle,
        Section::Framing,
        Section::Memory,
        Section::Rest,
        Section::Micro,
    ];

    /// Its heading.
    pub fn title(self) -> &'static str {
        match self {
            Section::Exchange => "The exchange",
            Section::BusyPoll => "Busy polling",
            Section::Rivals => "Beside a thread that spins on each processor",
            Section::Idle => "A round trip among idle connections",
            Section::Framing => "Messages against the raw stream",
            Section::Memory => "Memory of an idle connection",
            Section::Rest => "A process in which nothing happens",
            Section::Micro => "Parts on their own",
        }
    }
}

/// Series that do the same work. The first is what the others are compared with.
#[derive(serde::Serialize)]
pub struct Group {
    /// Where it belongs.
    pub section: Section,
    /// The row's name.
    pub name: String,
    /// apart, together or free; empty where it does not matter.
    pub placement: String,
    /// Connections that do nothing.
    pub idle: usize,
    /// Bytes of a round trip; 0 where there are none.
    pub chunk: usize,
    /// Who does it.
    pub series: Vec<Series>,
}

impl Group {
    /// What `--only` is looked for in.
    pub fn full_name(&self) -> String {
        format!("{}: {} {}", self.section.title(), self.name, self.placement)
    }
}

/// The systems that are in any of the rows, in their order.
pub fn systems<'a>(rows: &[&'a Group]) -> Vec<&'a str> {
    let mut systems: Vec<&str> = Vec::new();
    for series in rows.iter().flat_map(|group| &group.series) {
        if !systems.contains(&&*series.system) {
            systems.push(&series.system);
        }
    }
    systems
}

/// What to plan for.
pub struct Scope {
    /// Where CMake put the programs in C++.
    pub cpp_programs: PathBuf,
    /// Where cargo put those in Rust.
    pub rust_programs: PathBuf,
    /// apart, together, free.
    pub placements: Vec<String>,
    /// Beginnings of keys; all if empty.
    pub systems: Vec<String>,
    /// A twentieth of the work.
    pub quick: bool,
}

impl Scope {
    fn wants(&self, key: &str) -> bool {
        self.systems.is_empty() || self.systems.iter().any(|wanted| key.starts_with(&**wanted))
    }

    fn systems(&self) -> impl Iterator<Item = &'static System> {
        SYSTEMS.iter().filter(|system| self.wants(system.key))
    }

    fn series(&self, system: &System, name: &str, arguments: String) -> Series {
        let program = match system.program {
            Program::Cpp(program) => self.cpp_programs.join(program),
            Program::Rust(program) => self.rust_programs.join(program),
        };
        self.series_of(&program, name, arguments, system.environment)
    }

    fn series_of(
        &self,
        program: &Path,
        name: &str,
        arguments: String,
        environment: &'static [(&'static str, &'static str)],
    ) -> Series {
        let arguments = arguments.split_whitespace().map(str::to_owned).collect();
        Series {
            system: name.to_owned(),
            program: program.to_owned(),
            arguments,
            environment,
            samples: Vec::new(),
            failures: Vec::new(),
        }
    }

    /// How much work, and how long it may take.
    fn amount(&self, section: Section, round_trips: usize) -> String {
        let (share, milliseconds) = match section {
            _ if self.quick => (20, 10),
            // For many slices of the scheduler's.
            Section::Rivals => (1, 400),
            _ => (1, 120),
        };
        format!("round_trips={} milliseconds={milliseconds}", (round_trips / share).max(1))
    }

    /// Everything that is asked for.
    pub fn groups(&self) -> Vec<Group> {
        let mut groups = Vec::new();
        for placement in &self.placements {
            groups.extend(WORKS.iter().map(|work| self.row(Section::Exchange, work, placement)));
        }
        for placement in &self.placements {
            groups.extend(BUSY_WORKS.iter().map(|work| self.busy_poll(work, placement)));
        }
        // Left to the kernel, a side would move to where no rival is.
        for placement in self.placements.iter().filter(|placement| *placement != "free") {
            groups.extend(WORKS_BESIDE_RIVALS.iter().map(|work| self.row(Section::Rivals, work, placement)));
        }
        // One processor shows best what is done beside the waking.
        let one_processor =
            if self.placements.iter().any(|it| it == "together") { "together" } else { "free" };
        groups.extend([0, 100, 1_000, 8_000].map(|idle| self.idle(idle, one_processor)));
        for placement in &self.placements {
            groups.extend(MESSAGE_SIZES.map(|chunk| self.framing(chunk, placement)));
        }
        groups.push(self.memory());
        groups.push(self.rest());
        groups.extend(self.micro());
        groups.retain(|group| !group.series.is_empty());
        groups
    }

    fn group(&self, section: Section, name: String, placement: &str, chunk: usize) -> Group {
        Group { section, name, placement: placement.to_owned(), idle: 0, chunk, series: Vec::new() }
    }

    /// All systems that take as many connections.
    fn row(&self, section: Section, work: &Work, placement: &str) -> Group {
        let Work { connections, chunk, round_trips } = *work;
        let mut group = self.group(section, work.name(), placement, chunk);
        for system in self.systems().filter(|system| connections <= system.most_connections) {
            let amount = self.amount(section, round_trips);
            let arguments = format!(
                "measure=exchange placement={placement} connections={connections} chunk={chunk} {amount}"
            );
            group.series.push(self.series(system, system.name, arguments));
        }
        group
    }

    fn busy_poll(&self, work: &Work, placement: &str) -> Group {
        let Work { connections, chunk, round_trips } = *work;
        let mut group = self.group(Section::BusyPoll, work.name(), placement, chunk);
        let variants: [(&str, &[u32]); 7] = [
            ("epoll", &[0]),
            ("qlocalsocket", &[0]),
            ("moorline-c", &[0, NEVER]),
            ("moorline-cpp", &[0]),
            ("moorline-rust", &[0, NEVER]),
            ("moorline-exchange", &[0, NEVER]),
            ("moorline-qt", &[0]),
        ];
        for (key, times) in variants {
            for system in self.systems().filter(|system| system.key == key) {
                for &time in times {
                    let name = match time {
                        NEVER => format!("{}, sleeping at once", system.name),
                        _ => system.name.to_owned(),
                    };
                    let amount = self.amount(Section::BusyPoll, round_trips);
                    let option = if time == 0 { String::new() } else { format!("busy_poll_us={time}") };
                    let arguments = format!(
                        "measure=exchange placement={placement} connections={connections} chunk={chunk} {amount} {option}"
                    );
                    group.series.push(self.series(system, &name, arguments));
                }
            }
        }
        group
    }

    fn idle(&self, idle: usize, placement: &str) -> Group {
        let name = format!("ping-pong, 1 among {idle} idle");
        let mut group = Group { idle, ..self.group(Section::Idle, name, placement, 1) };
        for system in self.systems().filter(|system| system.has_clients && idle < system.most_connections) {
            let amount = self.amount(Section::Idle, 50_000);
            let arguments =
                format!("measure=exchange placement={placement} connections=1 idle={idle} chunk=1 {amount}");
            group.series.push(self.series(system, system.name, arguments));
        }
        group
    }

    fn framing(&self, chunk: usize, placement: &str) -> Group {
        let mut group = self.group(Section::Framing, format!("10 x {chunk} B"), placement, chunk);
        for system in self.systems().filter(|system| system.key == "moorline-c") {
            for (framing, name) in [
                ("raw", "raw stream"),
                ("length", "length-prefixed messages"),
                ("checked", "checked messages"),
            ] {
                let amount = self.amount(Section::Framing, if chunk < 100_000 { 50_000 } else { 10_000 });
                let arguments = format!(
                    "measure=exchange placement={placement} connections=10 chunk={chunk} framing={framing} {amount}"
                );
                group.series.push(self.series(system, name, arguments));
            }
        }
        group
    }

    fn memory(&self) -> Group {
        let mut group = self.group(Section::Memory, "resident memory of a connection".to_owned(), "", 0);
        // Of each client: all are connected at the same time.
        let connections = if self.quick { 300 } else { 3_000 };
        for system in
            self.systems().filter(|system| system.has_clients && connections <= system.most_connections)
        {
            let arguments = format!("measure=memory connections={connections}");
            group.series.push(self.series(system, system.name, arguments));
        }
        if self.wants("moorline-c") {
            let stuck = self.cpp_programs.join("memory");
            let name = "Moorline C, a peer that never reads, queue limit 64 KiB";
            group.series.push(self.series_of(&stuck, name, String::new(), &[]));
        }
        group
    }

    fn rest(&self) -> Group {
        let mut group = self.group(Section::Rest, "10 connections and nothing to do".to_owned(), "", 0);
        let milliseconds = if self.quick { 50 } else { 400 };
        for system in self.systems().filter(|system| system.has_clients) {
            let arguments = format!("measure=rest connections=10 milliseconds={milliseconds}");
            group.series.push(self.series(system, system.name, arguments));
        }
        group
    }

    fn micro(&self) -> Vec<Group> {
        if !self.wants(MICRO) {
            return Vec::new();
        }
        let micro = self.rust_programs.join("micro");
        let share = if self.quick { 20 } else { 1 };
        let mut look_up = self.group(Section::Micro, "handle look-up".to_owned(), "", 0);
        let all = std::thread::available_parallelism().map_or(1, usize::from);
        let program = self.cpp_programs.join("lookup");
        for (name, handles, threads) in [
            ("the call alone", "none", 1),
            ("with a look-up", "own", 1),
            (&*format!("{all} threads, own handles"), "own", all),
            (&*format!("{all} threads, handles of one maker"), "neighbours", all),
            (&*format!("{all} threads, one handle"), "shared", all),
        ] {
            let arguments = format!("handles={handles} threads={threads}");
            look_up.series.push(self.series_of(&program, name, arguments, &[]));
        }
        let mut checksum = self.group(Section::Micro, "CRC32C".to_owned(), "", 0);
        for length in MESSAGE_SIZES {
            let times = 200_000_000 / length.max(1_000) / share;
            let arguments = format!("what=crc32c length={length} times={times}");
            checksum.series.push(self.series_of(&micro, &format!("{length} B"), arguments, &[]));
        }
        let mut messages =
            self.group(Section::Micro, "a message from end to end of a pair".to_owned(), "", 0);
        for length in [100, 1_000, 10_000] {
            for framing in ["raw", "length", "checked"] {
                let arguments =
                    format!("what=message framing={framing} length={length} times={}", 50_000 / share);
                messages.series.push(self.series_of(
                    &micro,
                    &format!("{framing}, {length} B"),
                    arguments,
                    &[],
                ));
            }
        }
        let mut poller = self.group(Section::Micro, "the poller".to_owned(), "", 0);
        for (what, name) in
            [("poller-vain", "a wait in vain"), ("poller-event", "a byte sent, waited for, received")]
        {
            for watched in [1, 1_000] {
                let arguments = format!("what={what} watched={watched} times={}", 50_000 / share);
                poller.series.push(self.series_of(
                    &micro,
                    &format!("{name}, {watched} watched"),
                    arguments,
                    &[],
                ));
            }
        }
        vec![look_up, checksum, messages, poller]
    }
}

/// A row of the exchange.
struct Work {
    connections: usize,
    chunk: usize,
    round_trips: usize,
}

impl Work {
    fn name(&self) -> String {
        let Work { connections, chunk, .. } = self;
        if *chunk == 1 {
            format!("ping-pong, {connections}")
        } else {
            format!("data, {connections} x {chunk} B")
        }
    }
}

const fn work(connections: usize, chunk: usize, round_trips: usize) -> Work {
    Work { connections, chunk, round_trips }
}

/// The 17 rows.
const WORKS: [Work; 17] = [
    work(10, 1, 100_000),
    work(50, 1, 100_000),
    work(100, 1, 100_000),
    work(1_000, 1, 100_000),
    work(5_000, 1, 100_000),
    work(1, 100, 50_000),
    work(1, 1_000, 50_000),
    work(1, 10_000, 50_000),
    work(1, 100_000, 10_000),
    work(5, 100, 50_000),
    work(5, 1_000, 50_000),
    work(5, 10_000, 50_000),
    work(5, 100_000, 10_000),
    work(10, 100, 50_000),
    work(10, 1_000, 50_000),
    work(10, 10_000, 50_000),
    work(10, 100_000, 10_000),
];

/// What `busy_poll_us` is for a system that sleeps at once: MOORLINE_BUSY_POLL_NEVER. 0 is the default, which looks again as long as
/// that pays.
const NEVER: u32 = u32::MAX;

/// Where busy polling pays, and rows where it may cost.
const BUSY_WORKS: [Work; 5] = [
    work(1, 1, 50_000),
    work(1, 100, 50_000),
    work(1, 1_000, 50_000),
    work(10, 1_000, 50_000),
    work(100, 1, 50_000),
];

/// Rows for beside rivals: one connection, and several.
const WORKS_BESIDE_RIVALS: [Work; 2] = [work(1, 100, 50_000), work(10, 1_000, 50_000)];

const MESSAGE_SIZES: [usize; 4] = [100, 1_000, 10_000, 100_000];

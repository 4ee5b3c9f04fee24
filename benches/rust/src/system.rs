//! A system's program: what is measured, given a server that echoes and a client of many connections.

use crate::arguments::Arguments;
use crate::measurement::{Measurement, resident_bytes};
use crate::placement::Placement;
use crate::{checked, fail};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

/// What is asked for.
pub struct Request {
    /// What is measured: exchange, memory or rest.
    pub measure: String,
    /// Where the two sides run.
    pub placement: Placement,
    /// Each has one chunk on its way at a time.
    pub connections: usize,
    /// Further connections, which have had one round trip and do nothing.
    pub idle: usize,
    /// Bytes.
    pub chunk: usize,
    /// In all.
    pub round_trips: u64,
    /// How long they may take: fewer are done if they would take longer.
    pub time: Duration,
    /// Moorline only, as its C ABI has it: 0 is the default.
    pub busy_poll_us: u32,
    is_server: bool,
}

impl Request {
    fn from_arguments() -> Request {
        let mut arguments = Arguments::of_process();
        let request = Request {
            measure: arguments.text("measure", "exchange"),
            placement: Placement::named(&arguments.text("placement", "free")),
            connections: arguments.number("connections", 1) as usize,
            idle: arguments.number("idle", 0) as usize,
            chunk: arguments.number("chunk", 1) as usize,
            round_trips: arguments.number("round_trips", 1000),
            time: Duration::from_millis(arguments.number("milliseconds", 1000)),
            busy_poll_us: u32::try_from(arguments.number("busy_poll_us", 0)).unwrap_or(u32::MAX),
            is_server: arguments.text("role", "both") == "server",
        };
        arguments.finish();
        if request.connections == 0 || request.chunk == 0 || request.round_trips == 0 {
            fail("connections, chunk and round_trips are at least 1");
        }
        request
    }

    /// Connections of a client, the idle ones among them.
    pub fn all_connections(&self) -> usize {
        self.connections + self.idle
    }
}

/// A server that echoes, on threads of its own, until the process ends.
pub trait Server {
    /// Whether it minds [`Request::busy_poll_us`].
    const TUNABLE: bool;
    /// Starts it.
    fn start(request: &Request) -> Self;
    /// Where to connect to.
    fn address(&self) -> String;
}

/// Its client, on the calling thread.
pub trait Client {
    /// Connects all.
    fn connect(address: &str, request: &Request) -> Self;
    /// Does so many round trips over the first `active` connections.
    fn exchange(&mut self, round_trips: u64, active: usize);
    /// Waits for what never comes.
    fn rest(&mut self) -> !;
}

/// The main function of a system.
pub fn run<S: Server, C: Client>() {
    let request = Request::from_arguments();
    if !S::TUNABLE && request.busy_poll_us != 0 {
        fail("busy_poll_us is not for this system");
    }
    // Both ends of all connections may be in this process.
    let (_, most) = checked(getrlimit(Resource::RLIMIT_NOFILE), "getrlimit");
    checked(setrlimit(Resource::RLIMIT_NOFILE, most, most), "setrlimit");
    match &*request.measure {
        "memory" if request.is_server => answer_memory::<S>(&request),
        "memory" => measure_memory::<C>(request),
        "exchange" => measure_exchange::<S, C>(&request),
        "rest" => measure_rest::<S, C>(&request),
        other => fail(format_args!("unknown measure: {other}")),
    }
}

/// What is not counted: a round trip of every connection, so that all are accepted, then a twentieth of the work, or of the
/// time. Returns how many round trips are to be measured.
fn warm_up(client: &mut impl Client, request: &Request) -> u64 {
    let (all, active) = (request.all_connections(), request.connections);
    client.exchange(all as u64, all);
    let enough = request.round_trips / 20;
    let step = (enough / 16).max(active as u64);
    let measurement = Measurement::start();
    let mut done = 0;
    loop {
        client.exchange(step, active);
        done += step;
        if done >= enough || measurement.seconds() >= request.time.as_secs_f64() / 20.0 {
            break;
        }
    }
    let fit = request.time.as_secs_f64() / measurement.seconds() * done as f64;
    (fit.min(request.round_trips as f64) as u64).max(active as u64)
}

fn measure_exchange<S: Server, C: Client>(request: &Request) {
    let server = request.placement.run_server(|| S::start(request));
    let mut client = C::connect(&server.address(), request);
    let round_trips = warm_up(&mut client, request);
    let measurement = Measurement::start();
    client.exchange(round_trips, request.connections);
    println!("{}", measurement.stop(round_trips));
}

/// What a process costs in which both sides wait and nothing comes.
fn measure_rest<S: Server, C: Client>(request: &Request) {
    let server = S::start(request);
    let mut client = C::connect(&server.address(), request);
    warm_up(&mut client, request);
    let time = request.time;
    thread::spawn(move || {
        thread::sleep(time / 4);
        let measurement = Measurement::start();
        thread::sleep(time);
        println!("{}", measurement.stop(0));
        std::process::exit(0)
    });
    client.rest()
}

/// The server's process of `measure_memory`: says its address, then its resident memory as often as it is asked.
fn answer_memory<S: Server>(request: &Request) {
    let server = S::start(request);
    println!("{}", server.address());
    for question in io::stdin().lock().bytes() {
        checked(question, "the question");
        println!("{}", resident_bytes());
    }
}

/// By how much a process for each side grows with a connection that has had one round trip. What the first hundred need is
/// not counted. Each client also has the workload and the buffers of one, which is little if there are thousands of
/// connections.
fn measure_memory<C: Client>(mut request: Request) {
    let program = checked(std::env::current_exe(), "this program");
    let mut command = Command::new(program);
    command.args(["measure=memory", "role=server"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut server = ServerProcess::new(checked(command.spawn(), "the server's process"));
    let address = server.next_line();

    let count = request.connections;
    let mut connect = |connections| {
        request.connections = connections;
        let mut client = C::connect(&address, &request);
        client.exchange(connections as u64, connections);
        client
    };
    let _first = connect(100);
    let before = [server.resident_bytes(), resident_bytes()];
    let _counted = connect(count);
    let after = [server.resident_bytes(), resident_bytes()];
    let [server_bytes, client_bytes] =
        [0, 1].map(|side| (after[side] as f64 - before[side] as f64) / count as f64);
    println!("{{\"server_bytes\": {server_bytes:.1}, \"client_bytes\": {client_bytes:.1}}}");
}

struct ServerProcess {
    process: Child,
    answers: BufReader<std::process::ChildStdout>,
}

impl ServerProcess {
    fn new(mut process: Child) -> ServerProcess {
        let Some(answers) = process.stdout.take() else { fail("the server's process has no output") };
        ServerProcess { process, answers: BufReader::new(answers) }
    }

    fn next_line(&mut self) -> String {
        let mut line = String::new();
        checked(self.answers.read_line(&mut line), "the server's process");
        if line.is_empty() {
            fail("the server's process does not answer");
        }
        line.trim_end().to_owned()
    }

    fn resident_bytes(&mut self) -> u64 {
        let Some(questions) = &mut self.process.stdin else { fail("the server's process has no input") };
        checked(questions.write_all(b"?").and_then(|()| questions.flush()), "the server's process");
        checked(self.next_line().parse(), "the answer of the server's process")
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // Without its input it ends.
        drop(self.process.stdin.take());
        checked(self.process.wait(), "the server's process");
    }
}

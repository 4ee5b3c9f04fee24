//! The tool's processes, and the directory that they have for themselves.

use rustix::fs::{CWD, FileType, Mode};
use serde_json::Value;
use signal_hook::consts::{SIGHUP, SIGINT};
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Once};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Far longer than anything takes, on however busy a machine; only a defect reaches it.
pub const WATCHDOG: Duration = Duration::from_secs(60);

/// A directory that is the temp and the runtime directory of the tool's processes.
pub struct Place(TempDir);

impl Place {
    pub fn new() -> Place {
        static INTERRUPTS: Once = Once::new();
        INTERRUPTS.call_once(heed_interrupts);
        Place(tempfile::tempdir().unwrap())
    }

    pub fn directory(&self) -> &Path {
        self.0.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory().join(name)
    }

    /// A file with this text, and its path.
    pub fn file(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path.into_os_string().into_string().unwrap()
    }

    /// A named pipe, and its path.
    pub fn pipe(&self, name: &str) -> String {
        let path = self.path(name);
        rustix::fs::mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        path.into_os_string().into_string().unwrap()
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.any_command(env!("CARGO_BIN_EXE_moorline"));
        command.args(arguments);
        command
    }

    /// Another program, in this place.
    pub fn any_command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let runtime = self.path("runtime");
        fs::create_dir_all(&runtime).unwrap();
        fs::set_permissions(&runtime, fs::Permissions::from_mode(0o700)).unwrap();
        command.env("TMPDIR", self.directory()).env("XDG_RUNTIME_DIR", runtime);
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).stdin(Stdio::null()).output().unwrap()
    }

    /// Runs it; the exit code, and what it said on the standard error.
    pub fn fails(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = self.run(arguments);
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    }

    pub fn json(&self, arguments: &[&str]) -> (Value, Option<i32>) {
        let output = self.run(arguments);
        (to_json(&output.stdout), output.status.code())
    }

    /// A name that a server left behind.
    pub fn dead(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        drop(UnixListener::bind(&path).unwrap());
        path
    }

    /// Connects to a name in this place, as any program does.
    pub fn connect(&self, name: &str) -> UnixStream {
        let stream = UnixStream::connect(self.path(name)).unwrap();
        stream.set_read_timeout(Some(WATCHDOG)).unwrap();
        stream
    }
}

/// The signals that a process ignores, a bit each from the first on.
pub fn ignored_signals(process: &str) -> u64 {
    mask_of(process, "SigIgn")
}

/// Whether a process may have more than its limits: CAP_SYS_ADMIN or CAP_SYS_RESOURCE of capabilities(7).
pub fn may_exceed_limits(process: &str) -> bool {
    mask_of(process, "CapEff") & (1 << 21 | 1 << 24) != 0
}

/// A line of proc_pid_status(5) that is a mask.
fn mask_of(process: &str, field: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(":\t")).unwrap();
    u64::from_str_radix(mask, 16).unwrap()
}

/// Has the tool interrupted by what this process ignores, in a shell's background or under nohup: a program does not inherit what is
/// caught.
fn heed_interrupts() {
    for signal in
        [SIGINT, SIGHUP].into_iter().filter(|signal| ignored_signals("self") & 1 << (signal - 1) != 0)
    {
        signal_hook::flag::register(signal, Arc::default()).unwrap();
    }
}

pub fn to_json(text: &[u8]) -> Value {
    let text = String::from_utf8_lossy(text);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A command that runs until it is ended; killed at the end of the test, if the test has failed.
pub struct Running {
    process: Child,
    output: BufReader<ChildStdout>,
    errors: Receiver<String>,
    /// The first line it printed.
    pub name: String,
    /// The same, if it is no text.
    pub raw_name: OsString,
}

/// What a command has said after its first line, and its exit code.
pub struct Ended {
    pub output: String,
    pub errors: String,
    pub code: Option<i32>,
}

impl Ended {
    pub fn json(&self) -> Value {
        to_json(self.output.as_bytes())
    }
}

impl Running {
    pub fn serve(place: &Place, arguments: &[&str]) -> Running {
        Running::start(place, &[&["serve"], arguments].concat())
    }

    /// Starts the tool, and waits until it has told its name.
    pub fn start(place: &Place, arguments: &[&str]) -> Running {
        Running::of(place.command(arguments))
    }

    pub fn of(mut command: Command) -> Running {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let (sender, errors) = mpsc::channel();
        thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let mut line = Vec::new();
        output.read_until(b'\n', &mut line).unwrap();
        let raw_name = OsString::from_vec(line.strip_suffix(b"\n").unwrap_or(&line).to_vec());
        Running { process, output, errors, name: raw_name.to_string_lossy().into_owned(), raw_name }
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The next line on its standard error.
    pub fn error(&self) -> String {
        self.errors.recv_timeout(WATCHDOG).unwrap()
    }

    pub fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    pub fn interrupt(self) -> Ended {
        self.signal("-INT");
        self.wait()
    }

    /// Waits until it has ended by itself.
    pub fn wait(mut self) -> Ended {
        let mut output = String::new();
        self.output.read_to_string(&mut output).unwrap();
        let code = self.process.wait().unwrap().code();
        let mut errors = String::new();
        loop {
            match self.errors.recv_timeout(WATCHDOG) {
                Ok(line) => errors = errors + &line + "\n",
                Err(RecvTimeoutError::Disconnected) => return Ended { output, errors, code },
                Err(RecvTimeoutError::Timeout) => panic!("something that it started runs still: {errors}"),
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already, or is not asked to end cleanly.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Waits until it has ended, which it does by itself.
pub fn end_of(mut process: Child) -> ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = process.try_wait().unwrap() {
            return status;
        }
        if start.elapsed() > WATCHDOG {
            process.kill().unwrap();
            process.wait().unwrap();
            panic!("it runs still");
        }
        thread::yield_now();
    }
}

pub fn converse(place: &Place, arguments: &[&str], input: &[u8]) -> Output {
    let all = [&["connect"], arguments].concat();
    let mut process = place
        .command(&all)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin: ChildStdin = process.stdin.take().unwrap();
    // A process that has ended already reads nothing.
    let _ = stdin.write_all(input);
    drop(stdin);
    process.wait_with_output().unwrap()
}

/// Reads so many bytes.
pub fn read_exactly(stream: &mut UnixStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

/// Reads to the end, which a broken connection is as well.
pub fn read_to_end(stream: &mut UnixStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Err(error) if error.kind() != std::io::ErrorKind::ConnectionReset => panic!("{error}"),
        _ => bytes,
    }
}

/// Whether there is such a program. If not, the test says that it is skipped.
pub fn is_installed(program: &str) -> bool {
    let found =
        Command::new("sh").args(["-c", "command -v \"$0\"", program]).output().unwrap().status.success();
    if !found {
        eprintln!("skipped: {program} is not installed");
    }
    found
}

//! `moorline connect`: the standard input and output, or a file, and a server.

use crate::arguments::{MessageArguments, NameArguments, TrustArguments, seconds, timeout};
use crate::failure::{Answer, Failure};
use crate::output;
use clap::Args;
use moorline::socket::Direction;
use moorline::{Socket, SocketOptions, Status, Timeout};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, BufRead, BufReader, PipeReader, PipeWriter, Read};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

#[derive(Args)]
#[command(after_help = "When the input ends, the server is told so and the rest of its answer is awaited. \
                        With --framing each line of the input is a message, and each message is printed as a line. \
                        Exit code 1: the server left before it had taken all of the input, or something failed.")]
pub struct Arguments {
    #[command(flatten)]
    name: NameArguments,
    /// Send this file instead of the standard input
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    messages: MessageArguments,
    /// Seconds to wait for the connection, at most
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    timeout: Option<Duration>,
    #[command(flatten)]
    trust: TrustArguments,
}

pub fn run(arguments: &Arguments) -> Answer {
    let messages = arguments.messages.options();
    let (input, left) = Input::open(arguments.file.as_deref())?;
    let max_message = messages.as_ref().map(|messages| messages.max_message);
    let framed = max_message.is_some();
    let options = SocketOptions { trust: arguments.trust.trust(), messages, ..SocketOptions::default() };
    let name = arguments.name.resolve()?;
    let socket = Arc::new(Socket::connect_to(&name, &options, timeout(arguments.timeout))?);
    // Not joined: when receiving fails, it may wait for the input still.
    let sender = socket.clone();
    let (done, sent_all) = mpsc::channel();
    thread::spawn(move || {
        let sent = match max_message {
            Some(max_message) => send_lines(&sender, input, max_message),
            None => send_bytes(&sender, input),
        };
        if matches!(sent, Err(Unsent::Failed(_) | Unsent::Unread(_))) {
            sender.abort();
        }
        // Nobody waits any more when receiving has failed.
        let _ = done.send(sent);
    });
    if !receive(&socket, framed)? {
        return Ok(());
    }
    // It says no more, but may take what there is to send still, until it has left altogether.
    let mut left = Some(left);
    let sent = loop {
        match sent_all.recv_timeout(LOOK) {
            Err(RecvTimeoutError::Timeout) if socket.is_gone() => left = None,
            Err(RecvTimeoutError::Timeout) => {}
            // It does not panic.
            answer => break answer.unwrap_or(Ok(())),
        }
    };
    drop(left);
    match sent {
        Ok(()) => Ok(()),
        Err(Unsent::Left) => Err(left_early()),
        Err(Unsent::Failed(failure)) => Err(failure),
        Err(Unsent::Unread(error)) => {
            let file = arguments.file.as_deref();
            let what = file.map_or("the input".to_owned(), output::visible);
            Err(Failure::system(format!("read {what}"))(error))
        }
    }
}

/// How often it is looked whether a server has left that had ended its sending before.
const LOOK: Duration = Duration::from_millis(50);

/// What there is to send. When the server has left it ends where it would have to be waited for: what is there already is read, so that
/// it is known whether all of it was sent.
struct Input {
    source: File,
    /// The other end is closed when the server has left.
    left: PipeReader,
}

impl Input {
    /// The file, or the standard input; and what to close when the server has left.
    fn open(file: Option<&Path>) -> Answer<(Input, PipeWriter)> {
        let source = match file {
            Some(path) => File::open(path).map_err(Failure::system(output::visible(path)))?,
            // Without a buffer before it: what is there is asked of the system.
            None => {
                io::stdin().as_fd().try_clone_to_owned().map_err(Failure::system("read the input"))?.into()
            }
        };
        let (left, leave) = io::pipe().map_err(Failure::system("make a pipe"))?;
        Ok((Input { source, left }, leave))
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut sources = [PollFd::new(&self.source, PollFlags::IN), PollFd::new(&self.left, PollFlags::IN)];
        poll(&mut sources, None)?;
        if sources[0].revents().is_empty() { Ok(0) } else { self.source.read(buffer) }
    }
}

/// Why not all of the input was sent.
enum Unsent {
    /// The server takes no more. What it has said before can be received still.
    Left,
    Failed(Failure),
    /// The input could not be read.
    Unread(io::Error),
}

impl From<moorline::Error> for Unsent {
    fn from(error: moorline::Error) -> Unsent {
        match error.status() {
            Status::Disconnected => Unsent::Left,
            _ => Unsent::Failed(error.into()),
        }
    }
}

impl Unsent {
    /// Names the line, if it is what is wrong.
    fn at_line(number: u64, error: moorline::Error) -> Unsent {
        match error.status() {
            Status::MessageTooLarge | Status::InvalidArgument => {
                Unsent::Failed(Failure::from(error).within(format_args!("line {number} of the input")))
            }
            _ => error.into(),
        }
    }
}

fn left_early() -> Failure {
    Failure::Error("the server left before it had taken all of the input".to_owned())
}

fn send_bytes(socket: &Socket, mut input: impl Read) -> Result<(), Unsent> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match input.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => socket.send(&buffer[..count], Timeout::Forever)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Unsent::Unread(error)),
        }
    }
    Ok(socket.shut_down(Direction::Sending, Timeout::Forever)?)
}

fn send_lines(socket: &Socket, input: impl Read, max_message: usize) -> Result<(), Unsent> {
    let mut input = BufReader::new(input);
    // The line feed; or one byte too many, with which sending says what is wrong, however much there is before the end of the line.
    let most = (max_message as u64).saturating_add(1);
    let mut line = Vec::new();
    let mut number = 0;
    while input.by_ref().take(most).read_until(b'\n', &mut line).map_err(Unsent::Unread)? > 0 {
        number += 1;
        socket
            .send_message(line.strip_suffix(b"\n").unwrap_or(&line), Timeout::Forever)
            .map_err(|error| Unsent::at_line(number, error))?;
        line.clear();
    }
    Ok(socket.shut_down(Direction::Sending, Timeout::Forever)?)
}

/// Prints what comes until the server says no more; false: until nobody reads it.
fn receive(socket: &Socket, framed: bool) -> Answer<bool> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let received = if framed {
            socket.receive_message(Timeout::Forever).map(|message| {
                let mut line = message.data;
                line.push(b'\n');
                line
            })
        } else {
            socket.receive(&mut buffer, Timeout::Forever).map(|count| buffer[..count].to_vec())
        };
        match received {
            Ok(data) if output::print_to_reader(&data)? => {}
            Ok(_) => return Ok(false),
            // By a reset the system tells that the server has not read all that was sent.
            Err(error) if error.os_error() == Some(Errno::CONNRESET.raw_os_error()) => {
                return Err(left_early());
            }
            Err(error) if error.status() == Status::Disconnected => return Ok(true),
            // It was the sender that ended the connection, and says why.
            Err(error) if error.status() == Status::Closed => return Ok(true),
            Err(error) => return Err(error.into()),
        }
    }
}

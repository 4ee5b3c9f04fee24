//! `moorline connect`: the standard input and output, or a file, and a server.

use crate::arguments::{MessageArguments, NameArguments, seconds, timeout};
use crate::failure::{Answer, Failure};
use crate::output;
use clap::Args;
use moorline::socket::Direction;
use moorline::{Socket, SocketOptions, Status, Timeout, Trust};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

#[derive(Args)]
#[command(after_help = "When the input ends, the server is told so and the rest of its answer is awaited. \
                        With --framing each line of the input is a message, and each message is printed as a line.")]
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
    /// Connect to a server of any user, not only to one of this user's or root's
    #[arg(long)]
    trust_anyone: bool,
}

pub fn run(arguments: &Arguments) -> Answer {
    let input: Box<dyn Read + Send> = match &arguments.file {
        Some(path) => Box::new(File::open(path).map_err(Failure::system(path.display().to_string()))?),
        None => Box::new(io::stdin()),
    };
    let messages = arguments.messages.options();
    let framed = messages.is_some();
    let options = SocketOptions {
        trust: if arguments.trust_anyone { Trust::Anyone } else { Trust::SameUser },
        messages,
        ..SocketOptions::default()
    };
    let name = arguments.name.resolve()?;
    let socket = Arc::new(Socket::connect_to(&name, &options, timeout(arguments.timeout))?);
    // Not joined: a terminal that nobody types at would keep it when the server has left.
    let sender = socket.clone();
    let (done, sent_all) = mpsc::channel();
    thread::spawn(move || {
        let sent = if framed { send_lines(&sender, input) } else { send_bytes(&sender, input) };
        if let Err(Failure::Error(text)) = sent {
            output::tell(&format!("moorline: {text}"));
            sender.abort();
        }
        // Nobody waits any more when the server has left.
        let _ = done.send(());
    });
    let received = receive(&socket, framed);
    if matches!(received, Err(Failure::Said)) {
        // The sender is just saying why.
        let _ = sent_all.recv();
    }
    received?;
    // It says no more, but may take what there is to send still, until it has left altogether.
    while sent_all.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) && !socket.is_gone() {}
    Ok(())
}

/// How often it is looked whether a server has left that had ended its sending before.
const LOOK: Duration = Duration::from_millis(50);

fn send_bytes(socket: &Socket, mut input: impl Read) -> Answer {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match input.read(&mut buffer).map_err(Failure::system("read the input"))? {
            0 => break,
            count => socket.send(&buffer[..count], Timeout::Forever)?,
        }
    }
    Ok(socket.shut_down(Direction::Sending, Timeout::Forever)?)
}

fn send_lines(socket: &Socket, input: impl Read) -> Answer {
    for line in BufReader::new(input).split(b'\n') {
        socket.send_message(&line.map_err(Failure::system("read the input"))?, Timeout::Forever)?;
    }
    Ok(socket.shut_down(Direction::Sending, Timeout::Forever)?)
}

fn receive(socket: &Socket, framed: bool) -> Answer {
    let mut output = io::stdout().lock();
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
            Ok(data) => match output.write_all(&data).and_then(|()| output.flush()) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Err(Failure::NoReader),
                Err(error) => return Err(Failure::Error(format!("write to the standard output: {error}"))),
            },
            Err(error) if error.status() == Status::Disconnected => return Ok(()),
            // It was the sender that ended the connection, and says why.
            Err(error) if error.status() == Status::Closed => return Err(Failure::Said),
            Err(error) => return Err(error.into()),
        }
    }
}

//! A server and a client on tokio's runtime for one thread, a task for each connection, for any stream that tokio can drive.

use crate::system::{Client, Request, Server};
use crate::workload::{READ_SIZE, Workload};
use crate::{checked, fail};
use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinSet, LocalSet};

/// How to get connected.
pub trait Transport: 'static {
    /// One end of a connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    /// What accepts them.
    type Listener;
    /// Listens.
    fn listen(path: &Path) -> io::Result<Self::Listener>;
    /// Accepts.
    fn accept(listener: &Self::Listener) -> impl Future<Output = io::Result<Self::Stream>>;
    /// Connects.
    fn connect(path: &Path) -> impl Future<Output = io::Result<Self::Stream>>;
}

fn runtime() -> Runtime {
    checked(Builder::new_current_thread().enable_io().build(), "a runtime")
}

/// A thread with a runtime that echoes.
pub struct AsyncServer {
    path: PathBuf,
    _directory: TempDir,
}

impl AsyncServer {
    /// Starts it.
    pub fn start<T: Transport>() -> AsyncServer {
        let directory = checked(TempDir::new(), "a directory");
        let path = directory.path().join("socket");
        let (listens, listening) = mpsc::channel();
        let place = path.clone();
        thread::spawn(move || {
            runtime().block_on(async {
                let listener = checked(T::listen(&place), "listen");
                checked(listens.send(()), "start");
                loop {
                    tokio::spawn(echo(checked(T::accept(&listener).await, "accept")));
                }
            });
        });
        checked(listening.recv(), "start");
        AsyncServer { path, _directory: directory }
    }

    /// Where to connect to.
    pub fn address(&self) -> String {
        self.path.display().to_string()
    }
}

async fn echo(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    // Read into as it is: to clear it first would make all of it resident.
    let mut buffer = Vec::with_capacity(READ_SIZE);
    while checked(stream.read_buf(&mut buffer).await, "read") > 0 {
        checked(stream.write_all(&buffer).await, "write");
        buffer.clear();
    }
}

/// The clients: a task for each connection that has something to do.
pub struct AsyncClient<T: Transport> {
    runtime: Runtime,
    work: Rc<RefCell<Workload>>,
    /// None while its task has it.
    lanes: Vec<Option<Lane<T::Stream>>>,
}

struct Lane<S> {
    index: usize,
    stream: S,
    buffer: Vec<u8>,
}

impl<T: Transport> Client for AsyncClient<T> {
    fn connect(address: &str, request: &Request) -> Self {
        let runtime = runtime();
        let count = request.all_connections();
        let lanes = runtime.block_on(async {
            let mut lanes = Vec::with_capacity(count);
            for index in 0..count {
                let mut stream = checked(T::connect(Path::new(address)).await, "connect");
                // Whether a full backlog can be waited for differs, so it never gets full: who has an answer was accepted, and
                // so were all before.
                if index % 64 == 63 {
                    checked(stream.write_all(b"?").await, "write");
                    checked(stream.read_u8().await, "read");
                }
                lanes.push(Some(Lane { index, stream, buffer: Vec::with_capacity(READ_SIZE) }));
            }
            lanes
        });
        let work = Rc::new(RefCell::new(Workload::new(count, request.chunk)));
        AsyncClient { runtime, work, lanes }
    }

    fn exchange(&mut self, round_trips: u64, active: usize) {
        self.work.borrow_mut().begin(round_trips, active);
        self.runtime.block_on(LocalSet::new().run_until(async {
            let mut tasks = JoinSet::new();
            for place in &mut self.lanes[..active] {
                let Some(lane) = place.take() else { fail("a connection is in use") };
                tasks.spawn_local(lane.run(self.work.clone()));
            }
            while let Some(lane) = tasks.join_next().await {
                let lane = checked(lane, "a task");
                let index = lane.index;
                self.lanes[index] = Some(lane);
            }
        }));
    }

    fn rest(&mut self) -> ! {
        match self.runtime.block_on(std::future::pending::<std::convert::Infallible>()) {}
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Lane<S> {
    /// All round trips of the connection.
    async fn run(mut self, work: Rc<RefCell<Workload>>) -> Self {
        let pattern = work.borrow().pattern();
        loop {
            let chunk = work.borrow().range_to_send(self.index);
            if chunk.is_empty() {
                return self;
            }
            work.borrow_mut().sent(self.index, chunk.len());
            checked(self.stream.write_all(&pattern[chunk]).await, "write");
            while work.borrow().is_under_way(self.index) {
                self.buffer.clear();
                checked(self.stream.read_buf(&mut self.buffer).await, "read");
                work.borrow_mut().received(self.index, &self.buffer);
            }
        }
    }
}

/// Makes a [`Server`] of an [`AsyncServer`] for a transport.
pub struct Echo<T>(AsyncServer, std::marker::PhantomData<T>);

impl<T: Transport> Server for Echo<T> {
    const TUNABLE: bool = false;

    fn start(_: &Request) -> Self {
        Echo(AsyncServer::start::<T>(), std::marker::PhantomData)
    }

    fn address(&self) -> String {
        self.0.address()
    }
}

//! interprocess's local sockets on tokio, which is its way to serve many connections.

use interprocess::local_socket::tokio::{Listener, Stream, prelude::*};
use interprocess::local_socket::{GenericFilePath, ListenerOptions, Name};
use moorline_benches::asynchronous::{AsyncClient, Echo, Transport};
use moorline_benches::system::run;
use std::io;
use std::path::Path;

struct Interprocess;

fn name_of(path: &Path) -> io::Result<Name<'_>> {
    path.to_fs_name::<GenericFilePath>()
}

impl Transport for Interprocess {
    type Stream = Stream;
    type Listener = Listener;

    fn listen(path: &Path) -> io::Result<Listener> {
        ListenerOptions::new().name(name_of(path)?).create_tokio()
    }

    async fn accept(listener: &Listener) -> io::Result<Stream> {
        listener.accept().await
    }

    async fn connect(path: &Path) -> io::Result<Stream> {
        Stream::connect(name_of(path)?).await
    }
}

fn main() {
    run::<Echo<Interprocess>, AsyncClient<Interprocess>>();
}

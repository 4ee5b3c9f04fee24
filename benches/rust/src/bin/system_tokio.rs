//! tokio's Unix streams.

use moorline_benches::asynchronous::{AsyncClient, Echo, Transport};
use moorline_benches::system::run;
use std::io;
use std::path::Path;
use tokio::net::{UnixListener, UnixStream};

struct Unix;

impl Transport for Unix {
    type Stream = UnixStream;
    type Listener = UnixListener;

    fn listen(path: &Path) -> io::Result<UnixListener> {
        UnixListener::bind(path)
    }

    async fn accept(listener: &UnixListener) -> io::Result<UnixStream> {
        Ok(listener.accept().await?.0)
    }

    async fn connect(path: &Path) -> io::Result<UnixStream> {
        UnixStream::connect(path).await
    }
}

fn main() {
    run::<Echo<Unix>, AsyncClient<Unix>>();
}

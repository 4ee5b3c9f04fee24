//! Writing to where somebody has to read before there is room.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::io;
use std::os::fd::AsFd;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Bytes that are written at a time: a pipe with room has as much, PIPE_BUF of pipe(7).
pub const PIECE: usize = 4096;
/// How often one who waits for room sees whether it is to wait on.
const LOOK: Duration = Duration::from_millis(50);

/// Writes all of it, also to a pipe that others have set not to wait for room. It waits nowhere else than here, and only as long as it is
/// to wait on: `Interrupted` otherwise.
pub fn write(output: impl AsFd, mut bytes: &[u8], waits_on: impl Fn() -> bool) -> io::Result<()> {
    while !bytes.is_empty() {
        match write_piece(&output, bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) if waits_on() => {
                match poll_for_room(&output, LOOK) {
                    // Perhaps by what ends the wait.
                    Ok(_) | Err(Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            Err(Errno::AGAIN) => return Err(io::ErrorKind::Interrupted.into()),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Writes what there is room for now.
fn write_piece(output: &impl AsFd, bytes: &[u8]) -> rustix::io::Result<usize> {
    // Both outputs may be one pipe, and who has seen room there is to find it.
    static ROOM: Mutex<()> = Mutex::new(());
    let _room = ROOM.lock().unwrap_or_else(PoisonError::into_inner);
    if poll_for_room(output, Duration::ZERO)? {
        rustix::io::write(output, &bytes[..bytes.len().min(PIECE)])
    } else {
        Err(Errno::AGAIN)
    }
}

fn poll_for_room(output: &impl AsFd, limit: Duration) -> rustix::io::Result<bool> {
    let limit = Timespec::try_from(limit).ok();
    Ok(poll(&mut [PollFd::new(output, PollFlags::OUT)], limit.as_ref())? > 0)
}

//! Descriptors that are handed over.

use super::scene::PATIENCE;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixStream;

/// Whether the system turns away who sends descriptors to a socket that takes none, as Linux does since 6.16. Others close them.
pub fn system_turns_descriptors_away() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release.split(['.', '-']).map_while(|number| number.parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(6), Some(16))
}

/// Sends bytes and, with the first, so many duplicates of a descriptor.
pub fn send_with(
    peer: &UnixStream,
    bytes: &[u8],
    descriptors: &[BorrowedFd<'_>],
) -> rustix::io::Result<usize> {
    let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(descriptors.len()))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(control.push(SendAncillaryMessage::ScmRights(descriptors)));
    sendmsg(peer, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL)
}

/// A descriptor to hand over, and what sees when all duplicates of it are closed.
pub fn tracked() -> (UnixStream, UnixStream) {
    let (handed, watching) = UnixStream::pair().unwrap();
    watching.set_read_timeout(Some(PATIENCE)).unwrap();
    (handed, watching)
}

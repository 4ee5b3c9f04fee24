//! What would be open, if anything could be opened: types without values, made by functions that answer NOT_SUPPORTED.

use super::super::{Credentials, FileIdentity, FileKind, Liveness, Place, Published, Readiness, TurnsAway};
use super::{BorrowedDescriptor, Descriptor, RawDescriptor, Source, not_supported};
use crate::deadline::Deadline;
use crate::error::Error;
use std::ffi::OsStr;
use std::io;
use std::os::windows::io::AsHandle;
use std::path::Path;
use std::time::Duration;

/// Has no value, so that nothing that holds it has one.
#[derive(Clone, Copy, Debug)]
enum Nothing {}

/// The error of a call on a socket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failure(Nothing);

impl From<Failure> for io::Error {
    fn from(failure: Failure) -> io::Error {
        match failure.0 {}
    }
}

/// A connected socket.
pub(crate) struct Stream(Nothing);

/// What the system said of the peer of a stream before something was put between.
pub(crate) struct Peer(Nothing);

/// A listening socket.
pub(crate) struct Listener(Nothing);

/// The place of a name.
pub(crate) struct Directory(Nothing);

/// Exclusive use of a directory.
pub(crate) struct DirectoryLock(Nothing);

/// What ends the waits of the threads that use it.
pub(crate) struct Waker(Nothing);

/// The side of a selector that any thread may use.
pub(crate) struct Selector(Nothing);

/// The side of a selector that one thread waits with.
pub(crate) struct Selection(Nothing);

impl Stream {
    pub fn connect(place: &Place, _refuses_descriptors: bool, _deadline: Deadline) -> Result<Stream, Error> {
        Err(not_supported(&format!("connect to {place}")))
    }

    pub fn pair() -> Result<(Stream, Stream), Error> {
        Err(not_supported("make a pair of sockets"))
    }

    pub fn adopt(descriptor: RawDescriptor) -> Result<Stream, Error> {
        Err(not_supported(&format!("adopt handle {descriptor}")))
    }

    pub fn adopt_owned(_descriptor: Descriptor) -> Result<Stream, Error> {
        Err(not_supported("adopt a handle"))
    }

    pub fn descriptor(&self) -> RawDescriptor {
        match self.0 {}
    }

    pub fn refuse_descriptors(&mut self) {
        match self.0 {}
    }

    pub fn release(&self) -> Result<Descriptor, Error> {
        match self.0 {}
    }

    pub fn send(&self, _data: &[u8]) -> Result<usize, Failure> {
        match self.0 {}
    }

    pub fn send_pieces<const N: usize>(
        &self,
        _pieces: [&[u8]; N],
        _descriptors: &[BorrowedDescriptor<'_>],
    ) -> Result<usize, Failure> {
        match self.0 {}
    }

    pub fn receive(&self, _buffer: &mut [u8]) -> Result<usize, Error> {
        match self.0 {}
    }

    pub fn receive_to_stop(&self, _buffer: &mut [u8]) -> Result<(usize, bool), Error> {
        match self.0 {}
    }

    pub fn receive_pieces<const N: usize>(&self, _buffers: [&mut [u8]; N]) -> Result<(usize, bool), Error> {
        match self.0 {}
    }

    pub fn receive_with(
        &self,
        _buffer: &mut [u8],
        _most: usize,
    ) -> Result<(usize, Vec<Descriptor>, bool), Error> {
        match self.0 {}
    }

    pub fn shut_down(&self, _sending: bool) -> Result<(), Error> {
        match self.0 {}
    }

    pub fn is_gone(&self) -> bool {
        match self.0 {}
    }

    pub fn wait(&self, _wanted: Readiness, _waker: &Waker, _deadline: Deadline) -> Result<Readiness, Error> {
        match self.0 {}
    }

    pub fn look(&self, _wanted: Readiness) -> Result<Readiness, Error> {
        match self.0 {}
    }

    pub fn peer(&self) -> Peer {
        match self.0 {}
    }

    pub fn between(self, _peer: Peer, _turns_away: Option<TurnsAway>) -> Stream {
        match self.0 {}
    }

    pub fn set_send_buffer(&self, _bytes: usize) -> Result<(), Error> {
        match self.0 {}
    }

    pub fn is_drained(&self) -> bool {
        match self.0 {}
    }

    pub fn peer_process(&self) -> Result<Descriptor, Error> {
        match self.0 {}
    }

    pub fn credentials(&self) -> Result<Credentials, Error> {
        match self.0 {}
    }
}

impl AsHandle for Stream {
    fn as_handle(&self) -> BorrowedDescriptor<'_> {
        match self.0 {}
    }
}

impl AsHandle for Listener {
    fn as_handle(&self) -> BorrowedDescriptor<'_> {
        match self.0 {}
    }
}

impl Listener {
    pub fn bind_abstract(_name: &[u8], _backlog: Option<u32>) -> io::Result<Listener> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub fn adopt(descriptor: RawDescriptor) -> Result<(Listener, Option<Place>), Error> {
        Err(not_supported(&format!("adopt handle {descriptor}")))
    }

    pub fn adopt_owned(_descriptor: Descriptor) -> Result<(Listener, Option<Place>), Error> {
        Err(not_supported("adopt a handle"))
    }

    pub fn refuse_descriptors(&mut self) {
        match self.0 {}
    }

    pub fn descriptor(&self) -> RawDescriptor {
        match self.0 {}
    }

    pub fn accept(&self) -> Result<Stream, Failure> {
        match self.0 {}
    }

    pub fn wait(&self, _waker: &Waker, _deadline: Deadline) -> Result<Readiness, Error> {
        match self.0 {}
    }
}

impl Directory {
    pub fn open(path: &Path) -> Result<Directory, Error> {
        Err(not_supported(&format!("open directory {}", path.display())))
    }

    pub fn look(&self, _file: &OsStr) -> Result<Option<(FileKind, FileIdentity)>, Error> {
        match self.0 {}
    }

    pub fn bind(
        &self,
        _file: &OsStr,
        _mode: u32,
        _backlog: Option<u32>,
    ) -> Result<(Listener, FileIdentity), Error> {
        match self.0 {}
    }

    pub fn publish(&self, _file: &OsStr, _name: &OsStr) -> Result<Published, Error> {
        match self.0 {}
    }

    pub fn remove_same(&self, _file: &OsStr, _identity: FileIdentity) -> Result<bool, Error> {
        match self.0 {}
    }

    pub fn try_lock(&self) -> Result<Option<DirectoryLock>, Error> {
        match self.0 {}
    }

    pub fn try_share(&self) -> Result<Option<DirectoryLock>, Error> {
        match self.0 {}
    }

    pub fn probe(&self, _file: &OsStr) -> Result<Option<Liveness>, Error> {
        match self.0 {}
    }

    pub fn descriptor(&self) -> RawDescriptor {
        match self.0 {}
    }
}

impl Drop for DirectoryLock {
    fn drop(&mut self) {
        match self.0 {}
    }
}

impl Waker {
    pub fn new() -> Result<Waker, Error> {
        Err(not_supported("prepare to wait"))
    }

    pub fn descriptor(&self) -> RawDescriptor {
        match self.0 {}
    }

    pub fn signal(&self) {
        match self.0 {}
    }

    pub fn wait(&self, _other: &Waker, _deadline: Deadline) -> Result<Readiness, Error> {
        match self.0 {}
    }
}

impl Selector {
    pub fn new() -> Result<(Selector, Selection), Error> {
        Err(not_supported("create a poller"))
    }

    pub fn descriptors(&self) -> Vec<RawDescriptor> {
        match self.0 {}
    }

    pub fn descriptor(&self) -> RawDescriptor {
        match self.0 {}
    }

    pub fn add(&self, _source: &impl Source, _key: usize, _wanted: Readiness) -> io::Result<()> {
        match self.0 {}
    }

    pub fn modify(&self, _source: &impl Source, _key: usize, _wanted: Readiness) -> io::Result<()> {
        match self.0 {}
    }

    pub fn remove(&self, _source: &impl Source) -> io::Result<()> {
        match self.0 {}
    }

    pub fn wake(&self) -> io::Result<()> {
        match self.0 {}
    }
}

impl Selection {
    pub fn wait(
        &mut self,
        _capacity: usize,
        _timeout: Option<Duration>,
        _found: impl FnMut(usize, Readiness),
    ) -> io::Result<bool> {
        match self.0 {}
    }
}

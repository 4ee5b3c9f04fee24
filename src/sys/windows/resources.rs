//! What this process has. Nothing is known of it here yet.

use std::path::PathBuf;
use std::time::Duration;

/// An open descriptor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OpenDescriptor {
    pub number: i32,
    pub what: String,
    pub file: Option<(u64, u64)>,
    pub bound: Option<PathBuf>,
}

/// A running thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RunningThread {
    pub id: u32,
    pub name: String,
    pub age: Option<Duration>,
}

/// The open descriptors: none is known.
pub(crate) fn descriptors() -> Vec<OpenDescriptor> {
    Vec::new()
}

/// The threads: none is known.
pub(crate) fn threads() -> Vec<RunningThread> {
    Vec::new()
}

/// The number of this thread, which std keeps to itself.
pub(crate) fn thread_id() -> u32 {
    0
}

/// The name of this thread, where the language does not know it.
pub(crate) fn thread_name() -> Option<String> {
    None
}

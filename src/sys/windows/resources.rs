//! What this process has. Nothing is known of it here yet.

use super::super::{OpenDescriptor, RunningThread};

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

//! The C ABI of the test kit: `include/moorline/testkit.h`. One file a C type, by the rules of [`super`].

mod clock;
mod faults;
mod fixture;
mod leaks;
mod proxy;
mod recording;
mod tap;
mod text;
mod verdicts;

pub(super) use clock::clock;
pub(super) use faults::faults;

/// All of it, for the fuzzers.
#[cfg(fuzzing)]
pub mod all {
    pub use super::clock::*;
    pub use super::faults::*;
    pub use super::fixture::*;
    pub use super::leaks::*;
    pub use super::proxy::*;
    pub use super::recording::*;
    pub use super::tap::*;
    pub use super::verdicts::*;
}

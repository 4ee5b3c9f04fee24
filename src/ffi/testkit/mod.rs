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

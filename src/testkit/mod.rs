//! The test kit: for those who test programs that talk over local sockets, with this library or without.
//!
//! | module | concept |
//! |---|---|
//! | [`verdicts`] | failures that any thread may record, handed over on the test's own thread |
//! | [`leaks`] | what a test has left behind: handles, descriptors, threads, socket files |
//! | [`fixture`] | a server on a private name that echoes, swallows, floods, or follows a script |
//! | [`script`] | what a fixture expects and answers, as text |
//! | [`faults`] | what a test wants to go wrong with a connection, from a seed |
//! | [`proxy`] | a faulty wire between two names, for programs that are not ours |
//! | [`tap`] | a recorded conversation |
//! | [`replay`] | a recorded conversation, played to one of its sides |
//! | [`text`] | bytes as text that people read and write |
//! | `stage` | where recordings are played, and what ends a play before its time |
//! | `schedule` | where in a stream of bytes which fault is |
//! | `wire` | the thread that carries bytes from one socket to another |
//!
//! Deadlines that a test moves by hand are [`crate::Clock`]'s.

pub mod faults;
pub mod fixture;
pub mod leaks;
pub mod proxy;
pub mod replay;
pub mod script;
pub mod tap;
pub mod text;
pub mod verdicts;

mod schedule;
mod stage;
mod wire;

pub use faults::{FaultPlan, Faults};
pub use fixture::{Fixture, FixtureOptions};
pub use leaks::{Leak, LeakGuard};
pub use proxy::{Proxy, ProxyOptions};
pub use replay::{Replay, ReplayOptions};
pub use script::Script;
pub use tap::{Recording, Tap};
pub use verdicts::{Failure, Verdicts};

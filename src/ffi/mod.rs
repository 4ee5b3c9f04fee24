//! The C ABI: one file a C type, nothing but translating.
//!
//! - Every exported function is one call of [`guard`], which catches panics, turns errors into statuses and keeps the
//!   thread's last error.
//! - Handles are looked up in [`handle`], never dereferenced.
//! - Every output is written on every path: [`arguments::Out`] zeroes it first.
//!
//! Documentation of the functions is for the header, so it is in the order: what it does; parameters; outputs; statuses;
//! blocking; threads.

mod arguments;
mod connection;
mod exchange;
mod guard;
mod handle;
mod library;
mod message;
mod name;
mod policy;
mod poller;
mod server;
mod service;
mod socket;
mod statistics;
mod status;
mod table;
mod testkit;

/// All of it, for the fuzzers, which call it as C does.
#[cfg(fuzzing)]
pub mod all {
    pub use super::connection::*;
    pub use super::exchange::*;
    pub use super::handle::*;
    pub use super::library::*;
    pub use super::message::*;
    pub use super::name::*;
    pub use super::policy::*;
    pub use super::poller::*;
    pub use super::server::*;
    pub use super::service::*;
    pub use super::socket::*;
    pub use super::statistics::*;
    pub use super::status::*;
    pub use super::testkit::all::*;
}

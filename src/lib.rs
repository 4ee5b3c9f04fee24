//! Local sockets whose lifetimes cannot go wrong.
//!
//! Programs on one machine talk over local sockets: Unix-domain sockets here. Moorline makes servers that always
//! own their name, sockets that any thread may use and any thread may close, and waits that always end. The same
//! core serves C, C++ and Qt through the C ABI of `include/moorline/moorline.h`.
//!
//! ```
//! use moorline::{Server, ServerOptions, Socket, SocketOptions, Timeout};
//! use std::time::Duration;
//!
//! # fn main() -> moorline::Result<()> {
//! let second = Timeout::After(Duration::from_secs(1));
//! let server = Server::new(ServerOptions::default());
//! server.listen_unique("example")?;
//!
//! let client = Socket::connect(&server.full_name()?, &SocketOptions::default(), second)?;
//! let accepted = server.accept(second)?;
//! client.send(b"hello", second)?;
//!
//! let mut buffer = [0; 16];
//! let received = accepted.receive(&mut buffer, second)?;
//! assert_eq!(&buffer[..received], b"hello");
//! # Ok(())
//! # }
//! ```
//!
//! # The map
//!
//! | module | concept |
//! |---|---|
//! | [`error`] | [`Error`] and the numbered [`Status`] |
//! | [`deadline`] | [`Timeout`]: how long a call may wait |
//! | [`busy_poll`] | [`BusyPoll`]: looking again and again before sleeping |
//! | [`clock`] | [`Clock`]: what deadlines are measured on |
//! | [`name`] | what a name means: [`Scope`], path, abstract |
//! | `claim` | taking, publishing, recovering and giving back a name |
//! | `slot` | a place for what takes its time to open |
//! | [`server`] | [`Server`]: listen and accept |
//! | [`socket`] | [`Socket`]: connect, send, receive |
//! | [`policy`] | who may connect to a server |
//! | [`poller`] | [`Poller`]: readiness of thousands of servers and sockets |
//! | [`service`] | [`Service`]: a server on threads of its own, with a [`Handler`] |
//! | [`exchange`] | N sockets that exchange data with an echo, every byte verified |
//! | `offers` | offering the processor to others between two looks |
//! | `soloist` | which of many endpoints alone has been ready of late |
//! | `sources` | what a poller watches, under keys of which none is soon given again |
//! | `frame` | messages in a stream of bytes: [`Framing`] |
//! | `handshake` | what both sides of a connection with checked frames say first |
//! | `endpoint` | an open socket, what ends the waits on it, and its poller |
//! | `gate` | what can be shut for good while others wait at it |
//! | `visited` | a lock of something that one thread works with while others may look in |
//! | `crc32c` | the checksum of checked frames and their handshake |
//! | `inbox` | what a socket has received and nobody has taken yet |
//! | `room` | room to receive into, which the sockets of a thread share |
//! | `outbox` | the bounded queue of what a socket has yet to send |
//! | [`testkit`] | fixtures, faults, verdicts, leaks, recordings, for tests |
//! | `sync` | what threads meet at |
//! | `thread` | threads of the library's own |
//! | `sys` | what the operating system does, behind one contract |
//! | `ffi` | the C ABI |
//! | `fuzzing` | what only the fuzzers reach |

pub mod busy_poll;
pub mod clock;
pub mod deadline;
pub mod error;
pub mod exchange;
#[allow(unsafe_code)]
#[cfg_attr(fuzzing, allow(missing_debug_implementations))]
mod ffi;
pub mod name;
pub mod policy;
pub mod poller;
pub mod server;
pub mod service;
pub mod socket;
#[allow(unsafe_code)]
mod sys;
pub mod testkit;

#[cfg(fuzzing)]
#[allow(missing_docs)]
pub mod fuzzing;

mod claim;
mod crc32c;
mod endpoint;
mod frame;
mod gate;
mod handshake;
mod inbox;
mod offers;
mod outbox;
mod room;
mod slot;
mod soloist;
mod sources;
mod sync;
mod thread;
mod visited;

pub use busy_poll::BusyPoll;
pub use clock::Clock;
pub use deadline::Timeout;
pub use error::{Error, Result, Status};
pub use frame::{DEFAULT_MAX_MESSAGE, Framing};
pub use handshake::Application;
pub use name::Scope;
pub use policy::Policy;
pub use poller::{Event, Interest, Poller, PollerOptions};
pub use server::{Server, ServerOptions};
pub use service::{Connection, Handler, Service, ServiceOptions};
pub use socket::{MessageOptions, Socket, SocketOptions, Trust};

/// The version of the library, as in Cargo.toml.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

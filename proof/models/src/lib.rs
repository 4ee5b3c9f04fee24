//! The library's own protocols of waiting, closing and waking, run by loom in every order that two or three threads can take.
//!
//! The sources are the library's. Around them stand `sync`, with loom's primitives in place of std's and parking_lot's, and what the
//! models need of the rest: `sys`, `server`, `socket`, `service`.

#![allow(dead_code, unused_imports)] // of the library's sources, a part is used

macro_rules! library {
    ($file:literal) => {
        include!(concat!(env!("OUT_DIR"), "/", $file));
    };
}

mod clock {
    library!("clock.rs");
}
mod deadline {
    library!("deadline.rs");
}
mod endpoint {
    library!("endpoint.rs");
}
mod error {
    library!("error.rs");
}
mod gate {
    library!("gate.rs");
}
mod outbox {
    library!("outbox.rs");
}
mod poller {
    library!("poller_mod.rs");
    mod turn {
        library!("poller_turn.rs");
    }
}
mod soloist {
    library!("soloist.rs");
}
mod sources {
    library!("sources.rs");
}
mod visited {
    library!("visited.rs");
}

mod arc_swap;
mod busy_poll;
mod ffi;
mod server;
mod service;
mod socket;
mod sync;
mod sys;
mod testkit;

#[cfg(test)]
mod models;

pub use clock::Clock;
pub use deadline::Timeout;
pub use error::{Error, Result, Status};
pub use poller::{Event, Interest, Poller, PollerOptions};

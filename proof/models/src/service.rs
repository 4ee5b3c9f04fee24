//! A service, as far as handles know it, and its real mailboxes, connections and headcount.

use crate::error::Result;
use std::ffi::OsString;

mod connection {
    library!("service_connection.rs");
}
mod headcount {
    library!("service_headcount.rs");
}
mod mailbox {
    library!("service_mailbox.rs");
}

pub use connection::Connection;

#[derive(Default)]
pub struct Service;

impl Service {
    pub fn full_name(&self) -> Result<OsString> {
        Ok(OsString::from("service"))
    }
}

#[cfg(test)]
#[path = "models/service.rs"]
mod models;

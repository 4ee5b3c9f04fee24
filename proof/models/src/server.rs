//! A server, as far as handles and pollers know it.

use crate::endpoint::Endpoint;
use crate::error::{Result, Status};
use crate::sys::Stream;
use std::ffi::OsString;
use std::sync::Arc;

#[derive(Default)]
pub struct Server;

impl Server {
    pub(crate) fn endpoint(&self) -> Result<Arc<Endpoint<Stream>>> {
        Err(Status::InvalidState.into())
    }

    pub fn full_name(&self) -> Result<OsString> {
        Ok(OsString::from("server"))
    }
}

//! The test kit, as far as handles know it.

use crate::error::Result;
use std::ffi::OsString;

pub struct Fixture;

impl Fixture {
    pub fn full_name(&self) -> Result<OsString> {
        Ok(OsString::from("fixture"))
    }
}

pub struct Proxy;

impl Proxy {
    pub fn full_name(&self) -> Result<OsString> {
        Ok(OsString::from("proxy"))
    }
}

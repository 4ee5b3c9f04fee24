//! The real handles and their real table.

pub mod handle {
    library!("ffi_handle.rs");
}
pub mod table {
    library!("ffi_table.rs");
}

handle::kind!(crate::testkit::Fixture, (), 9);
handle::kind!(crate::testkit::Proxy, (), 11);

#[cfg(test)]
#[path = "models/handle.rs"]
mod models;

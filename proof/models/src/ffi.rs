//! The real handle table.

pub mod handle {
    library!("ffi_handle.rs");
}

#[cfg(test)]
#[path = "models/handle.rs"]
mod models;

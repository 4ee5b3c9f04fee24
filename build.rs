//! Gives the shared library its soname, which rustc does not do.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // The soname's number is that of the ABI: it changes with the major version only.
    if env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        let major = env::var("CARGO_PKG_VERSION_MAJOR").expect("cargo sets CARGO_PKG_VERSION_MAJOR");
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libmoorline.so.{major}");
    }
}

//! What the programs of the benchmarks in Rust share; the headers beside `rust/` are the same in C++.

pub mod arguments;
pub mod asynchronous;
pub mod measurement;
pub mod placement;
pub mod system;
pub mod workload;

/// Ends the program with what went wrong.
pub fn fail(reason: impl std::fmt::Display) -> ! {
    eprintln!("{reason}");
    std::process::exit(1)
}

/// The value, or the end of the program with what failed.
pub fn checked<T, E: std::fmt::Display>(result: Result<T, E>, what: &str) -> T {
    result.unwrap_or_else(|error| fail(format_args!("{what}: {error}")))
}

//! What must not go wrong when everything around goes wrong: processes that are killed, resources that run out, disks that are full,
//! signals that come all the time, clocks that are set.
//!
//! Everything that is random comes from a seed, which a failure prints. `MOORLINE_CHAOS_ROUNDS` and `MOORLINE_CHAOS_SEED` set how
//! much and from where.

#[path = "../support/mod.rs"]
mod support;

#[cfg(target_os = "linux")]
mod clocks;
mod disk;
mod exhaustion;
mod killed;
mod role;
mod signals;
mod waits;

/// How often each thing goes wrong.
fn rounds() -> u64 {
    number("MOORLINE_CHAOS_ROUNDS").unwrap_or(40)
}

/// The same numbers for the same seed; what they are of tells them apart.
fn random(what: &str) -> fastrand::Rng {
    let seed = number("MOORLINE_CHAOS_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("{what}: MOORLINE_CHAOS_SEED={seed}");
    fastrand::Rng::with_seed(seed)
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}

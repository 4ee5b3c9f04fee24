//! The options that say what goes wrong, and the tables that say what did.

use crate::arguments::{range, seconds};
use clap::{Args, ValueEnum};
use moorline::testkit::Faults;
use moorline::testkit::faults::{Direction, FaultCounts};
use std::ops::RangeInclusive;
use std::time::Duration;

/// A direction whose bytes are affected.
#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum DirectionName {
    /// From the client to the server
    ToServer,
    /// From the server to the client
    ToClient,
    /// Each of the two by itself
    #[default]
    Both,
}

/// A plan of faults. Places are bytes of each connection and direction, from 0; connections are counted from 1.
#[derive(Args)]
#[command(next_help_heading = "What goes wrong")]
pub struct FaultArguments {
    /// Where chance decides, this decides what chance does: the same seed does the same again
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub seed: u64,
    /// Which way the affected bytes go
    #[arg(long, value_enum, default_value_t)]
    direction: DirectionName,
    /// Pass bytes on in pieces of so many, each one when the one before was received
    #[arg(long, value_name = "BYTES[-BYTES]", value_parser = sizes)]
    pieces: Option<RangeInclusive<usize>>,
    /// Hold each piece back for so long: 0.05, 50ms or 5ms-50ms
    #[arg(long, value_name = "SECONDS[-SECONDS]", value_parser = delays)]
    delay: Option<RangeInclusive<Duration>>,
    /// Break each connection after so many bytes
    #[arg(long, value_name = "BYTES")]
    reset_after: Option<u64>,
    /// Take nothing more after so many bytes, as a peer that has stopped reading
    #[arg(long, value_name = "BYTES")]
    stop_after: Option<u64>,
    /// Turn one bit of this byte over
    #[arg(long, value_name = "BYTE")]
    flip_at: Option<u64>,
    /// Turn one bit over in one of so many bytes, on average
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1..))]
    flip_one_in: Option<u64>,
    /// Leave this byte out
    #[arg(long, value_name = "BYTE")]
    lose_at: Option<u64>,
    /// Leave one of so many bytes out, on average
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1..))]
    lose_one_in: Option<u64>,
    /// Accept this connection and close it at once
    #[arg(long, value_name = "CONNECTION", value_parser = clap::value_parser!(u64).range(1..))]
    refuse_accept: Option<u64>,
    /// Fail to accept this connection once, as for want of a descriptor
    #[arg(long, value_name = "CONNECTION", value_parser = clap::value_parser!(u64).range(1..))]
    no_descriptors_at: Option<u64>,
    /// Accept each connection only after so long
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    accept_delay: Option<Duration>,
    /// Let nobody connect, as with a full backlog: for so long from the start, or until the end
    #[arg(long, value_name = "SECONDS", value_parser = seconds, num_args = 0..=1, require_equals = true)]
    backlog_full: Option<Option<Duration>>,
}

fn sizes(text: &str) -> Result<RangeInclusive<usize>, String> {
    range(text, |number| match number.parse() {
        Ok(0) => Err("pieces are of one byte at least".to_owned()),
        Ok(bytes) => Ok(bytes),
        Err(_) => Err("not a number of bytes, nor two with a hyphen".to_owned()),
    })
}

fn delays(text: &str) -> Result<RangeInclusive<Duration>, String> {
    range(text, seconds)
}

impl FaultArguments {
    pub fn faults(&self) -> Faults {
        Faults {
            seed: self.seed,
            direction: match self.direction {
                DirectionName::ToServer => Some(Direction::ToServer),
                DirectionName::ToClient => Some(Direction::ToClient),
                DirectionName::Both => None,
            },
            pieces: self.pieces.clone(),
            delay: self.delay.clone(),
            // Of sockets of the library only, which a proxy has not on its sides.
            window: None,
            would_block: None,
            reset_after: self.reset_after,
            stop_reading_after: self.stop_after,
            flip_at: self.flip_at,
            flip_one_in: self.flip_one_in,
            lose_at: self.lose_at,
            lose_one_in: self.lose_one_in,
            refuse_accept_at: self.refuse_accept,
            no_descriptors_at: self.no_descriptors_at,
            accept_delay: self.accept_delay,
            backlog_full: self.backlog_full.is_some(),
        }
    }

    /// For how long the backlog is full from the start, if it does not stay so.
    pub fn backlog_opens_after(&self) -> Option<Duration> {
        self.backlog_full.flatten()
    }
}

/// How often what went wrong, in words for people and for programs.
pub fn counted(counts: &FaultCounts) -> [(&'static str, &'static str, u64); 8] {
    let FaultCounts {
        flipped,
        lost,
        resets,
        stops,
        refused,
        without_descriptor,
        delayed_accepts,
        pieces,
        ..
    } = *counts;
    [
        ("pieces passed on", "pieces", pieces),
        ("bytes with a bit turned over", "flipped", flipped),
        ("bytes left out", "lost", lost),
        ("connections broken", "resets", resets),
        ("directions stopped", "stops", stops),
        ("connections refused", "refused", refused),
        ("accepts without a descriptor", "without_descriptor", without_descriptor),
        ("accepts delayed", "delayed_accepts", delayed_accepts),
    ]
}

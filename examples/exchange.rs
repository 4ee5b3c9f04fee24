//! Starts an echo service and exchanges data with it over many sockets, every byte verified.
//!
//! `cargo run --release --example exchange -- [CONNECTIONS [CHUNK [ROUND_TRIPS]]]`

use moorline::exchange::{self, ExchangeOptions};
use moorline::{Error, Service, ServiceOptions, Status, Timeout};
use std::time::Duration;

fn main() -> Result<(), Error> {
    let [connections, chunk, round_trips] = arguments()?;

    let service = Service::echo(ServiceOptions::default())?;
    service.start_unique("exchange")?;

    let options = ExchangeOptions {
        connections: connections as usize,
        chunk: chunk as usize,
        round_trips,
        ..ExchangeOptions::default()
    };
    let minute = Timeout::After(Duration::from_secs(60));
    let (report, result) = exchange::run(service.full_name()?, &options, minute, |_| true);
    result?;

    let stopped = service.stop(Timeout::After(Duration::from_secs(5)))?;
    println!(
        "{} round trips of {chunk} bytes over {connections} connections in {:.3} s; the service accepted {}",
        report.round_trips,
        report.duration.as_secs_f64(),
        stopped.accepted,
    );
    Ok(())
}

/// The numbers of the command line, with defaults.
fn arguments() -> Result<[u64; 3], Error> {
    let mut values = [10, 1, 100_000];
    for (value, text) in values.iter_mut().zip(std::env::args().skip(1)) {
        *value = text
            .parse()
            .map_err(|error| Error::new(Status::InvalidArgument, format!("\"{text}\": {error}")))?;
    }
    Ok(values)
}

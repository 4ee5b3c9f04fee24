//! The table on the standard output.

use crate::compare::{comparisons, relative_rate};
use crate::plan::{Group, Section};
use crate::sample::{Series, Spread, number};

/// Prints everything: medians, spreads and ratios.
pub fn print(surroundings: &[(&'static str, String)], groups: &[Group]) {
    for (name, value) in surroundings {
        println!("{name:<14}{value}");
    }
    for section in Section::ALL {
        let mut placement = None;
        for group in groups.iter().filter(|group| group.section == section) {
            if placement != Some(&group.placement) {
                placement = Some(&group.placement);
                heading(section, &group.placement);
            }
            for (index, series) in group.series.iter().enumerate() {
                let row = if index == 0 { &*group.name } else { "" };
                match section {
                    Section::Memory => memory(series),
                    Section::Rest => rest(series),
                    Section::Micro => micro(row, series),
                    _ => round_trips(row, group, series),
                }
            }
        }
        if section == Section::Exchange {
            print_comparisons(groups);
        }
    }
}

fn heading(section: Section, placement: &str) {
    println!();
    match placement {
        "" => println!("{}", section.title()),
        _ => println!("{}: server and clients {placement}", section.title()),
    }
    match section {
        Section::Memory => println!("{:<56} {:>10} {:>10}", "KiB a connection", "server", "client"),
        Section::Rest => {
            println!("{:<38} {:>14} {:>12}", "of a second, with the watch's own", "CPU us", "switches")
        }
        Section::Micro => println!("{:<38} {:<38} {:>10}", "", "nanoseconds of processor time", "median"),
        _ => println!(
            "{:<28} {:<24} {:>9} {:<20} {:>9} {:>8} {:>8} {:>8} {:>6} {:>6}",
            "", "system", "us a trip", "(spread)", "trips/s", "MB/s", "CPU us", "switches", "rate", "CPU"
        ),
    }
}

fn round_trips(row: &str, group: &Group, series: &Series) {
    let time = series.time();
    let cpu = series.cpu().median;
    println!(
        "{row:<28} {:<24} {:>9.2} {:<20} {:>9.0} {:>8.1} {:>8.2} {:>8.2} {:>6.2} {:>6.2}",
        series.system,
        time.median,
        spread(time),
        1e6 / time.median,
        // Both directions together.
        2.0 * group.chunk as f64 / time.median,
        cpu,
        series.switches().median,
        relative_rate(group, series),
        cpu / group.series[0].cpu().median,
    );
}

fn spread(spread: Spread) -> String {
    format!("({:.2} to {:.2})", spread.least, spread.most)
}

fn memory(series: &Series) {
    let side = |name: &str| series.spread(|sample| number(sample, name) / 1024.0).median;
    println!("{:<56} {:>10.2} {:>10.2}", series.system, side("server_bytes"), side("client_bytes"));
}

fn rest(series: &Series) {
    let each = |name: &str| series.spread(|sample| number(sample, name) / number(sample, "seconds"));
    println!(
        "{:<38} {:>14.0} {:>12.1}",
        series.system,
        each("cpu_seconds").median * 1e6,
        each("switches").median
    );
}

fn micro(row: &str, series: &Series) {
    let time = series.spread(|sample| number(sample, "nanoseconds"));
    println!("{row:<38} {:<38} {:>10.1} {}", series.system, time.median, spread(time));
}

fn print_comparisons(groups: &[Group]) {
    let comparisons = comparisons(groups);
    if comparisons.is_empty() {
        return;
    }
    println!(
        "\nus a trip, trips/s, MB/s (both directions), CPU us, switches: medians, both sides together. rate: trips/s relative to\n\
         the first system of the row, more is better. CPU: likewise, less is better."
    );
    println!("\n{:<10} {:<24} {:<24} {:>8} {:>8}", "rates", "of", "relative to", "mean", "least");
    for comparison in comparisons {
        if let Some((mean, least, row)) = comparison.ratios.summary() {
            println!(
                "{:<10} {:<24} {:<24} {mean:>8.2} {least:>8.2}  {row}",
                comparison.placement, comparison.ours, comparison.theirs
            );
        }
    }
}

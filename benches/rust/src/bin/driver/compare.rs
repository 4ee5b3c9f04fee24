//! The systems against each other over all rows of the exchange.

use crate::plan::{Group, Section, systems};
use crate::sample::{Ratios, Series};

/// Rates of one system relative to another's.
pub struct Comparison {
    /// Where the two sides ran.
    pub placement: String,
    /// Whose rate.
    pub ours: String,
    /// By whose it is divided.
    pub theirs: String,
    pub ratios: Ratios,
}

/// What the fastest of the peers did in each row, whichever that was.
pub const BEST: &str = "the fastest peer";

/// All that say something: everybody to the limit, ours to the fastest peer, Qt's to Qt's.
pub fn comparisons<'a>(groups: impl IntoIterator<Item = &'a Group>) -> Vec<Comparison> {
    let mut placements: Vec<&str> = Vec::new();
    let rows: Vec<&Group> = groups.into_iter().filter(|group| group.section == Section::Exchange).collect();
    for group in &rows {
        if !placements.contains(&&*group.placement) {
            placements.push(&group.placement);
        }
    }
    let systems = systems(&rows);
    let Some((limit, others)) = systems.split_first() else { return Vec::new() };
    let mut pairs: Vec<(&str, &str)> = others.iter().map(|system| (*system, *limit)).collect();
    pairs.extend(["Moorline C", "Moorline C++", "Moorline Rust"].map(|ours| (ours, BEST)));
    pairs.push(("Moorline Qt", "QLocalSocket"));
    pairs.push(("Moorline Qt, no GLib", "QLocalSocket, no GLib"));

    let mut comparisons = Vec::new();
    for placement in placements {
        for &(ours, theirs) in &pairs {
            let mut ratios = Ratios::default();
            for group in rows.iter().filter(|group| group.placement == placement) {
                if let (Some(ours), Some(theirs)) = (time_of(group, ours), time_of(group, theirs)) {
                    ratios.add(theirs / ours, &group.name);
                }
            }
            if ratios.summary().is_some() {
                let [placement, ours, theirs] = [placement, ours, theirs].map(str::to_owned);
                comparisons.push(Comparison { placement, ours, theirs, ratios });
            }
        }
    }
    comparisons
}

/// Whether a system is neither the limit nor ours.
fn is_peer(series: &Series) -> bool {
    series.system != "epoll" && !series.system.starts_with("Moorline")
}

fn time_of(group: &Group, system: &str) -> Option<f64> {
    let median = |series: &Series| series.time().median;
    if system == BEST {
        return group.series.iter().filter(|series| is_peer(series)).map(median).min_by(f64::total_cmp);
    }
    group.series.iter().find(|series| series.system == system).map(median)
}

/// How a series does relative to the first of its group: its rate, more is better.
pub fn relative_rate(group: &Group, series: &Series) -> f64 {
    group.series[0].time().median / series.time().median
}

//! The page with the charts. Everything is in the one file.

use crate::compare::{comparisons, relative_rate};
use crate::plan::{Group, Section, systems};
use crate::sample::{Series, Spread, number};
use crate::svg::{bars, escaped, lines};
use std::fmt::Write;

const STYLE: &str = "
body { font: 14px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 1480px; padding: 0 1.5em; color: #1c2530; background: #fff; }
h1 { font-size: 24px; } h2 { font-size: 19px; margin: 2em 0 .4em; border-top: 1px solid #d5dbe1; padding-top: 1em; }
h3 { font-size: 14px; margin: 1em 0 .3em; } p { max-width: 75em; }
table { border-collapse: collapse; font-size: 12px; } td, th { padding: 3px 8px; text-align: right; border-bottom: 1px solid #e6eaee; }
th { font-weight: 600; vertical-align: bottom; } td:first-child, th:first-child, .text td, .text th { text-align: left; white-space: nowrap; }
.charts { display: flex; flex-wrap: wrap; gap: 8px 20px; } .wide { overflow-x: auto; }
svg text { font: 11px system-ui, sans-serif; fill: #1c2530; } .label { text-anchor: end; } .column { text-anchor: middle; }
.ours { fill: #0b7a75; stroke: #0b7a75; } .limit { fill: #33414f; stroke: #33414f; } .peer { fill: #b3bec9; stroke: #b3bec9; }
rect { stroke: none !important; } .line { fill: none; stroke-width: 1.6; } .spread { stroke: #d1495b; stroke-width: 1.5; }
.grid { stroke: #e6eaee; } .leader { stroke: #d5dbe1; } svg text.end { stroke: none; } svg text.end.ours { fill: #0b7a75; font-weight: 600; }
svg text.end.peer { fill: #5d6b79; }
";

/// The whole page.
pub fn page(surroundings: &[(&'static str, String)], rounds: usize, groups: &[Group]) -> String {
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Moorline: benchmarks</title>\
         <style>{STYLE}</style></head><body><h1>Moorline: benchmarks</h1>\
         <p>Medians of {rounds} rounds; red lines go from the least to the most. Green: Moorline. Dark: hand-written epoll, the \
         limit. Grey: the others.</p><table class=\"text\">"
    );
    for (name, value) in surroundings {
        let _ = write!(page, "<tr><td>{name}</td><td>{}</td></tr>", escaped(value));
    }
    page += "</table>";
    for section in Section::ALL {
        let groups: Vec<&Group> = groups.iter().filter(|group| group.section == section).collect();
        let Some(first) = groups.first() else { continue };
        let _ = write!(page, "<h2>{}</h2>", section.title());
        match section {
            Section::Exchange | Section::BusyPoll | Section::Rivals | Section::Framing => {
                for placed in groups.chunk_by(|one, other| one.placement == other.placement) {
                    page += &exchange(placed);
                }
            }
            Section::Idle => page += &idle(&groups),
            Section::Memory => page += &memory(first),
            Section::Rest => page += &rest(first),
            Section::Micro => page += &micro(&groups),
        }
        if section == Section::Exchange {
            page += &summary(&groups);
        }
    }
    page + "</body></html>\n"
}

/// Rates in a table, relative to the first system, and as bars.
fn exchange(groups: &[&Group]) -> String {
    let systems = systems(groups);
    let mut html = format!(
        "<h3>Server and clients {}</h3><div class=\"wide\"><table><tr><th></th>",
        groups[0].placement
    );
    let _ = write!(html, "<th>us a round trip:<br>{}</th>", systems[0]);
    for system in &systems[1..] {
        let _ = write!(html, "<th>rate:<br>{}</th>", escaped(system));
    }
    html += "</tr>";
    for group in groups {
        let _ = write!(
            html,
            "<tr><td>{}</td><td>{:.2}</td>",
            escaped(&group.name),
            group.series[0].time().median
        );
        for system in &systems[1..] {
            match group.series.iter().find(|series| series.system == **system) {
                Some(series) => html += &cell(relative_rate(group, series)),
                None => html += "<td>-</td>",
            }
        }
        html += "</tr>";
    }
    html += "</table></div><p>Round trips in a second:</p><div class=\"charts\">";
    for group in groups {
        let rate = |series: &Series| {
            series.spread(|sample| number(sample, "round_trips") / number(sample, "seconds"))
        };
        html += &chart(&group.name, &group.series, rate, |value| format!("{value:.0}"));
    }
    html + "</div>"
}

/// A ratio, the greener the more above one.
fn cell(ratio: f64) -> String {
    let strength = (ratio.ln().abs() * 0.35).min(0.5);
    let colour = if ratio >= 1.0 { "11, 122, 117" } else { "209, 73, 91" };
    format!("<td style=\"background: rgba({colour}, {strength:.2})\">{ratio:.2}</td>")
}

fn chart(
    title: &str,
    series: &[Series],
    value: impl Fn(&Series) -> Spread,
    format: impl Fn(f64) -> String,
) -> String {
    let values: Vec<(&str, Spread)> = series.iter().map(|series| (&*series.system, value(series))).collect();
    format!("<div><h3>{}</h3>{}</div>", escaped(title), bars(&values, format))
}

fn summary(groups: &[&Group]) -> String {
    let mut html = "<h3>All rows together</h3><p>Rates of one system relative to another's.</p><table class=\"text\">\
                    <tr><th></th><th>of</th><th>relative to</th><th>geometric mean</th><th>least</th><th>in</th></tr>"
        .to_owned();
    for comparison in comparisons(groups.iter().copied()) {
        if let Some((mean, least, row)) = comparison.ratios.summary() {
            let _ = write!(
                html,
                "<tr><td>{}</td><td>{}</td><td>{}</td>{}{}<td>{row}</td></tr>",
                comparison.placement,
                escaped(&comparison.ours),
                escaped(&comparison.theirs),
                cell(mean),
                cell(least)
            );
        }
    }
    html + "</table>"
}

fn idle(groups: &[&Group]) -> String {
    let columns: Vec<String> = groups.iter().map(|group| format!("{} idle", group.idle)).collect();
    let systems: Vec<&str> = groups[0].series.iter().map(|series| &*series.system).collect();
    let time_in = |group: &&Group, system: &str| {
        group.series.iter().find(|series| series.system == system).map(|series| series.time().median)
    };
    let values: Vec<(&str, Vec<Option<f64>>)> = systems
        .iter()
        .map(|system| (*system, groups.iter().map(|group| time_in(group, system)).collect()))
        .collect();
    let mut html = format!(
        "<p>Server and clients {}.</p>{}<table><tr><th>us a round trip</th>",
        groups[0].placement,
        lines(&columns, &values, "us")
    );
    for column in &columns {
        let _ = write!(html, "<th>{column}</th>");
    }
    html += "<th>last to first</th></tr>";
    for (system, times) in &values {
        let _ = write!(html, "<tr><td>{}</td>", escaped(system));
        for time in times {
            html += &time.map_or_else(|| "<td>-</td>".to_owned(), |time| format!("<td>{time:.2}</td>"));
        }
        match (times.first(), times.last()) {
            (Some(Some(first)), Some(Some(last))) => {
                let _ = write!(html, "<td>{:.2}</td></tr>", last / first);
            }
            _ => html += "<td>-</td></tr>",
        }
    }
    html + "</table>"
}

fn memory(group: &Group) -> String {
    let side =
        |name: &'static str| move |series: &Series| series.spread(|sample| number(sample, name) / 1024.0);
    let kib = |value: f64| format!("{value:.2} KiB");
    format!(
        "<div class=\"charts\">{}{}</div>",
        chart("the server's side", &group.series, side("server_bytes"), kib),
        chart("the client's side", &group.series, side("client_bytes"), kib)
    )
}

fn rest(group: &Group) -> String {
    let each = |name: &'static str, unit: f64| {
        move |series: &Series| series.spread(|sample| number(sample, name) / number(sample, "seconds") * unit)
    };
    format!(
        "<p>In a second. The watch's own are in it: it wakes up once in each sample.</p><div class=\"charts\">{}{}</div>",
        chart("processor time", &group.series, each("cpu_seconds", 1e6), |value| format!("{value:.0} us")),
        chart("context switches", &group.series, each("switches", 1.0), |value| format!("{value:.1}"))
    )
}

fn micro(groups: &[&Group]) -> String {
    let mut html = "<p>Nanoseconds of processor time.</p><div class=\"charts\">".to_owned();
    for group in groups {
        let time = |series: &Series| series.spread(|sample| number(sample, "nanoseconds"));
        html += &chart(&group.name, &group.series, time, |value| format!("{value:.1}"));
    }
    html + "</div>"
}

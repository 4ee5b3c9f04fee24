//! Charts, as SVG that stands in a page.

use crate::sample::Spread;
use std::fmt::Write;

const LABEL_WIDTH: f64 = 168.0;
const BAR_WIDTH: f64 = 200.0;
const VALUE_WIDTH: f64 = 64.0;
const BAR_STEP: f64 = 17.0;

/// Text that can stand in a page.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// What a system is drawn with.
fn class_of(system: &str) -> &'static str {
    match system {
        _ if system.starts_with("Moorline") => "ours",
        "epoll" => "limit",
        _ => "peer",
    }
}

/// A bar for each value, from zero, with a line from the least to the most.
pub fn bars(values: &[(&str, Spread)], format: impl Fn(f64) -> String) -> String {
    let most = values.iter().map(|(_, value)| value.most).fold(f64::MIN_POSITIVE, f64::max);
    let scale = |value: f64| value.max(0.0) / most * BAR_WIDTH;
    let height = BAR_STEP * values.len() as f64 + 4.0;
    let width = LABEL_WIDTH + BAR_WIDTH + VALUE_WIDTH;
    let mut svg =
        format!("<svg viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\">");
    for (index, (system, value)) in values.iter().enumerate() {
        let top = BAR_STEP * index as f64 + 2.0;
        let (text, middle) = (top + 11.5, top + 7.5);
        let (least, median, end) = (scale(value.least), scale(value.median), scale(value.most));
        let (left, class) = (LABEL_WIDTH, class_of(system));
        let _ = write!(
            svg,
            "<text x=\"{}\" y=\"{text}\" class=\"label\">{}</text>\
             <rect x=\"{left}\" y=\"{}\" width=\"{median:.1}\" height=\"12\" class=\"{class}\"/>\
             <path d=\"M{:.1} {middle}H{:.1}\" class=\"spread\"/>\
             <text x=\"{:.1}\" y=\"{text}\" class=\"value\">{}</text>",
            left - 6.0,
            escaped(system),
            top + 1.5,
            left + least,
            left + end,
            left + end + 5.0,
            format(value.median),
        );
    }
    svg + "</svg>"
}

/// A line for each system over columns that are evenly apart; the scale is logarithmic.
pub fn lines(columns: &[String], series: &[(&str, Vec<Option<f64>>)], unit: &str) -> String {
    const LEFT: f64 = 64.0;
    const COLUMN: f64 = 150.0;
    const HEIGHT: f64 = 360.0;
    const TOP: f64 = 16.0;
    let values = || series.iter().flat_map(|(_, values)| values.iter().flatten().copied());
    let lowest = values().fold(f64::INFINITY, f64::min).log10().floor();
    let highest = values().fold(f64::MIN_POSITIVE, f64::max).log10().ceil().max(lowest + 1.0);
    let y = |value: f64| TOP + (highest - value.log10()) / (highest - lowest) * HEIGHT;
    let x = |column: usize| LEFT + 40.0 + COLUMN * column as f64;
    let right = x(columns.len().saturating_sub(1));
    let (width, height) = (right + 200.0, TOP + HEIGHT + 36.0);
    let mut svg =
        format!("<svg viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\">");
    for power in lowest as i32..=highest as i32 {
        let value = 10f64.powi(power);
        let at = y(value);
        let _ = write!(
            svg,
            "<path d=\"M{LEFT} {at:.1}H{right}\" class=\"grid\"/>\
             <text x=\"{}\" y=\"{:.1}\" class=\"label\">{value} {unit}</text>",
            LEFT - 6.0,
            at + 4.0
        );
    }
    for (index, column) in columns.iter().enumerate() {
        let below = TOP + HEIGHT + 22.0;
        let _ =
            write!(svg, "<text x=\"{}\" y=\"{below}\" class=\"column\">{}</text>", x(index), escaped(column));
    }
    let mut ends: Vec<(f64, f64, &str)> = Vec::new();
    for (system, values) in series {
        let points =
            values.iter().enumerate().filter_map(|(index, value)| value.map(|value| (x(index), y(value))));
        let points: Vec<(f64, f64)> = points.collect();
        let path: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
        let class = class_of(system);
        let _ = write!(svg, "<path d=\"M{}\" class=\"line {class}\"/>", path.join("L"));
        for (x, y) in &points {
            let _ = write!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" class=\"{class}\"/>");
        }
        if let Some((x, y)) = points.last() {
            ends.push((*y, *x, system));
        }
    }
    // Names at the lines' ends, none over another.
    ends.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut free = f64::NEG_INFINITY;
    for (y, x, system) in ends {
        let at = y.max(free);
        free = at + 13.0;
        let class = class_of(system);
        let _ = write!(
            svg,
            "<path d=\"M{x:.1} {y:.1}L{:.1} {at:.1}\" class=\"leader\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" class=\"end {class}\">{}</text>",
            right + 22.0,
            right + 26.0,
            at + 4.0,
            escaped(system)
        );
    }
    svg + "</svg>"
}

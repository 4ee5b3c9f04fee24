//! The exchange's report as a page: a table and a drawing in one file that needs no other.

use moorline::exchange::ExchangeReport;
use serde_json::{Value, json};
use std::fmt::Write;

/// A row that was measured.
pub struct Measured {
    pub name: String,
    pub connections: usize,
    pub chunk: usize,
    pub report: ExchangeReport,
    /// Why it ended before all was done.
    pub failure: Option<String>,
}

impl Measured {
    pub const TITLES: [&str; 5] = ["row", "round trips", "ms", "trips/s", "MB/s"];

    pub fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            self.report.round_trips.to_string(),
            format!("{:.1}", self.report.duration.as_secs_f64() * 1e3),
            format!("{:.0}", self.trips_per_second()),
            format!("{:.1}", self.megabytes_per_second()),
        ]
    }

    pub fn json(&self) -> Value {
        json!({
            "connections": self.connections,
            "chunk": self.chunk,
            "round_trips": self.report.round_trips,
            "bytes_sent": self.report.sent,
            "bytes_received": self.report.received,
            "seconds": self.report.duration.as_secs_f64(),
            "round_trips_per_second": self.trips_per_second(),
            "megabytes_per_second": self.megabytes_per_second(),
            "error": self.failure,
        })
    }

    fn trips_per_second(&self) -> f64 {
        self.report.round_trips as f64 / self.seconds()
    }

    /// Both directions together.
    fn megabytes_per_second(&self) -> f64 {
        (self.report.sent + self.report.received) as f64 / self.seconds() / 1e6
    }

    /// Of a row that failed at once there is no duration to divide by.
    fn seconds(&self) -> f64 {
        self.report.duration.as_secs_f64().max(1e-9)
    }
}

const STYLE: &str = "body{font:15px/1.5 sans-serif;margin:2em auto;max-width:60em;color:#222}\
    table{border-collapse:collapse;margin:1em 0}td,th{padding:.2em .8em;border-bottom:1px solid #ccc;text-align:right}\
    td:first-child,th:first-child{text-align:left}.failure{color:#a00}text{font:12px sans-serif;fill:#222}rect{fill:#3a7ca5}";
/// Pixels.
const LINE: usize = 22;
const NAMES: usize = 150;
const LONGEST_BAR: f64 = 480.0;
const WIDTH: usize = 760;

/// The page.
pub fn page(name: &str, rows: &[Measured]) -> String {
    let name = escaped(name);
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Exchange with {name}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<h1>Exchange</h1>\n<p>Server: {name}. Every byte was compared.</p>\n"
    );
    let row = |tag: &str, cells: &[String]| {
        let cells = cells.iter().map(|cell| format!("<{tag}>{}</{tag}>", escaped(cell)));
        format!("<tr>{}</tr>\n", cells.collect::<String>())
    };
    page += "<table>\n";
    page += &row("th", &Measured::TITLES.map(str::to_owned));
    for measured in rows {
        page += &row("td", &measured.cells());
        if let Some(text) = &measured.failure {
            page += &format!("<tr class=\"failure\"><td colspan=\"5\">{}</td></tr>\n", escaped(text));
        }
    }
    page + "</table>\n<h2>Round trips a second</h2>\n" + &drawing(rows) + "</body>\n</html>\n"
}

/// A bar for each row, as long as it was fast.
fn drawing(rows: &[Measured]) -> String {
    let most = rows.iter().map(Measured::trips_per_second).fold(f64::MIN_POSITIVE, f64::max);
    let height = rows.len() * LINE;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" role=\"img\">\n"
    );
    for (index, row) in rows.iter().enumerate() {
        let (top, baseline) = (index * LINE + 3, index * LINE + 15);
        let length = row.trips_per_second() / most * LONGEST_BAR;
        // Writing to a string does not fail.
        let _ = writeln!(
            svg,
            "<text x=\"0\" y=\"{baseline}\">{}</text>\
             <rect x=\"{NAMES}\" y=\"{top}\" width=\"{length:.1}\" height=\"{}\"/>\
             <text x=\"{:.1}\" y=\"{baseline}\">{:.0}</text>",
            escaped(&row.name),
            LINE - 6,
            NAMES as f64 + length + 6.0,
            row.trips_per_second(),
        );
    }
    svg + "</svg>\n"
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_markup_is_shown_as_text() {
        let mut report = ExchangeReport::default();
        report.round_trips = 1;
        let failure = Some("1 < 2 & \"so\"".to_owned());
        let measured = Measured { name: "<row>".to_owned(), connections: 1, chunk: 10, report, failure };
        let page = page("/tmp/<name>", &[measured]);
        assert!(page.contains("&lt;row&gt;"), "{page}");
        assert!(
            page.contains("/tmp/&lt;name&gt;") && page.contains("1 &lt; 2 &amp; &quot;so&quot;"),
            "{page}"
        );
        assert!(page.contains("width=\"480.0\""), "{page}");
    }
}

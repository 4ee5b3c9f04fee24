//! The medians as the tables of docs/performance.md.

use crate::compare::{BEST, comparisons, relative_rate};
use crate::plan::{Group, Section, systems};
use crate::sample::{Ratios, Series, Spread, number};

/// All tables, each under its heading.
pub fn markdown(groups: &[Group]) -> String {
    let mut page = String::new();
    for (placement, rows) in by_placement(groups, Section::Exchange) {
        let title = format!("The exchange, {placement}: rates relative to the first system's");
        page.push_str(&table(&title, exchange(&rows)));
    }
    page.push_str(&table("Against the fastest peer of each row", against_best(groups)));
    page.push_str(&table("QLocalSocket, Moorline Qt: µs, times as fast", qt(groups)));
    for (placement, rows) in by_placement(groups, Section::BusyPoll) {
        page.push_str(&table(
            &format!("Looking again before sleeping, {placement}: µs"),
            by_row(&rows, time),
        ));
    }
    for (placement, rows) in by_placement(groups, Section::Rivals) {
        let title = format!("Beside a thread that spins on each processor, {placement}: µs");
        page.push_str(&table(&title, by_row(&rows, time)));
    }
    let idle = of(groups, Section::Idle);
    page.push_str(&table("Idle connections beside one that is busy: µs", transposed(by_row(&idle, time))));
    for (placement, rows) in by_placement(groups, Section::Framing) {
        let title = format!("Messages, {placement}: rates relative to the raw stream's");
        page.push_str(&table(&title, by_row(&rows, time_or_rate)));
    }
    page.push_str(&table("Memory: bytes of an idle connection", memory(groups)));
    page.push_str(&table("Parts: ns", parts(groups)));
    page
}

/// Cells by rows; the first row is the heading's.
type Cells = Vec<Vec<String>>;

fn table(title: &str, cells: Cells) -> String {
    let Some((heading, rows)) = cells.split_first().filter(|(_, rows)| !rows.is_empty()) else {
        return String::new();
    };
    let line = |row: &[String]| format!("| {} |\n", row.join(" | "));
    let rule = format!("|{}\n", "---|".repeat(heading.len()));
    let rows: String = rows.iter().map(|row| line(row)).collect();
    format!("### {title}\n\n{}{rule}{rows}\n", line(heading))
}

fn of(groups: &[Group], section: Section) -> Vec<&Group> {
    groups.iter().filter(|group| group.section == section).collect()
}

/// The rows of a section, with where the two sides ran.
fn by_placement(groups: &[Group], section: Section) -> Vec<(&str, Vec<&Group>)> {
    of(groups, section)
        .chunk_by(|one, other| one.placement == other.placement)
        .map(|rows| (&*rows[0].placement, rows.to_vec()))
        .collect()
}

fn find<'a>(group: &'a Group, system: &str) -> Option<&'a Series> {
    group.series.iter().find(|series| series.system == system)
}

/// A column for each system, with what `cell` says of it.
fn by_row(rows: &[&Group], cell: impl Fn(&Group, &Series) -> String) -> Cells {
    let systems = systems(rows);
    let heading = ["row"].iter().chain(&systems).map(|name| (*name).to_owned()).collect();
    let cells = rows.iter().map(|group| {
        let of_system =
            |system: &&str| find(group, system).map(|series| cell(group, series)).unwrap_or_default();
        std::iter::once(group.name.clone()).chain(systems.iter().map(of_system)).collect()
    });
    std::iter::once(heading).chain(cells).collect()
}

fn transposed(cells: Cells) -> Cells {
    let columns = cells.first().map_or(0, Vec::len);
    (0..columns).map(|column| cells.iter().map(|row| row[column].clone()).collect()).collect()
}

fn time(_: &Group, series: &Series) -> String {
    format!("{:.1}", series.time().median)
}

/// Of the first system its time, of the others how they do beside it.
fn time_or_rate(group: &Group, series: &Series) -> String {
    if std::ptr::eq(series, &group.series[0]) {
        spread(series.time(), 2)
    } else {
        format!("{:.2}", relative_rate(group, series))
    }
}

fn spread(Spread { median, least, most }: Spread, digits: usize) -> String {
    format!("{median:.digits$} ({least:.digits$} to {most:.digits$})")
}

/// Those of Qt have a table of their own.
fn is_of_qt(system: &str) -> bool {
    system.starts_with("Moorline Qt") || system.starts_with("QLocalSocket")
}

fn exchange(rows: &[&Group]) -> Cells {
    let mut cells = transposed(by_row(rows, time_or_rate));
    cells.retain(|column| !is_of_qt(&column[0]));
    for column in &mut cells {
        let mut ratios = Ratios::default();
        for group in rows {
            if let Some(series) = find(group, &column[0]) {
                ratios.add(relative_rate(group, series), &group.name);
            }
        }
        let summary =
            ratios.summary().map(|(mean, least, _)| [mean, least].map(|ratio| format!("{ratio:.2}")));
        column.extend(summary.unwrap_or_else(|| ["geometric mean", "least"].map(str::to_owned)));
    }
    transposed(cells)
}

fn against_best(groups: &[Group]) -> Cells {
    let mut cells = vec![["", "where", "mean", "least", "in"].map(str::to_owned).to_vec()];
    for comparison in comparisons(groups).iter().filter(|comparison| comparison.theirs == BEST) {
        if let Some((mean, least, row)) = comparison.ratios.summary() {
            let [mean, least] = [mean, least].map(|ratio| format!("{ratio:.2}"));
            cells.push(vec![
                comparison.ours.clone(),
                comparison.placement.clone(),
                mean,
                least,
                row.to_owned(),
            ]);
        }
    }
    cells
}

/// Columns by where the two sides ran and by Qt's dispatcher.
fn qt(groups: &[Group]) -> Cells {
    let mut columns = Vec::new();
    for (placement, rows) in by_placement(groups, Section::Exchange) {
        for dispatcher in ["", ", no GLib"] {
            let mut column = vec![format!("{placement}{dispatcher}")];
            let mut ratios = Ratios::default();
            for group in &rows {
                let pair =
                    ["QLocalSocket", "Moorline Qt"].map(|name| find(group, &format!("{name}{dispatcher}")));
                let [Some(theirs), Some(ours)] = pair.map(|it| it.map(|series| series.time().median)) else {
                    column.push(String::new());
                    continue;
                };
                ratios.add(theirs / ours, &group.name);
                column.push(format!("{theirs:.1}, {ours:.1}: **{:.1}**", theirs / ours));
            }
            if let Some((mean, ..)) = ratios.summary() {
                column.push(format!("**{mean:.1}**"));
                if columns.is_empty() {
                    let names = rows.iter().map(|group| &*group.name);
                    let names = std::iter::once("row").chain(names).chain(["geometric mean"]);
                    columns.push(names.map(str::to_owned).collect());
                }
                columns.push(column);
            }
        }
    }
    transposed(columns)
}

fn memory(groups: &[Group]) -> Cells {
    let mut cells = vec![["", "client", "server"].map(str::to_owned).to_vec()];
    for series in of(groups, Section::Memory).iter().flat_map(|group| &group.series) {
        let side = |name: &str| format!("{:.0}", series.spread(|sample| number(sample, name)).median);
        cells.push(vec![series.system.clone(), side("client_bytes"), side("server_bytes")]);
    }
    cells
}

fn parts(groups: &[Group]) -> Cells {
    let mut cells = vec![["", "ns (least to most)"].map(str::to_owned).to_vec()];
    for group in of(groups, Section::Micro) {
        for series in &group.series {
            let time = series.spread(|sample| number(sample, "nanoseconds"));
            cells.push(vec![format!("{}: {}", group.name, series.system), spread(time, 1)]);
        }
    }
    cells
}

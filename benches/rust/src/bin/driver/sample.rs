//! Runs the programs, and says what can be said of what they measured.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A program with its arguments, and what it measured in each round.
#[derive(serde::Serialize)]
pub struct Series {
    /// What the tables call it.
    pub system: String,
    #[serde(skip)]
    pub program: PathBuf,
    pub arguments: Vec<String>,
    #[serde(skip)]
    pub environment: &'static [(&'static str, &'static str)],
    pub samples: Vec<Sample>,
    /// What was run, and how it failed.
    pub failures: Vec<String>,
}

/// What one run of a program printed, by name.
pub type Sample = BTreeMap<String, f64>;

impl Series {
    /// Runs the program once. How it failed, if it does, is kept.
    pub fn measure(&mut self, temporary: &Path) {
        match self.sample(temporary) {
            Ok(sample) => self.samples.push(sample),
            Err(reason) => {
                let failure = format!("{}: {reason}", self.command());
                eprintln!("failed: {failure}");
                self.failures.push(failure);
            }
        }
    }

    fn sample(&self, temporary: &Path) -> Result<Sample, String> {
        // A program that hangs ends by it, after two minutes.
        let output = Command::new("timeout")
            .arg("120")
            .arg(&self.program)
            .args(&self.arguments)
            .envs(self.environment.iter().copied())
            .env("TMPDIR", temporary)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .map_err(|error| error.to_string())?;
        if !output.status.success() {
            return Err(output.status.to_string());
        }
        serde_json::from_slice(&output.stdout)
            .map_err(|error| format!("it does not print a line of numbers: {error}"))
    }

    fn command(&self) -> String {
        let environment = self.environment.iter().map(|(name, value)| format!("{name}={value} "));
        format!("{}{} {}", environment.collect::<String>(), self.program.display(), self.arguments.join(" "))
    }

    /// What the samples say about a value of theirs; not a number if there is none.
    pub fn spread(&self, value: impl Fn(&Sample) -> f64) -> Spread {
        let mut values: Vec<f64> = self.samples.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        let (Some(&least), Some(&most)) = (values.first(), values.last()) else {
            return Spread { median: f64::NAN, least: f64::NAN, most: f64::NAN };
        };
        let half = values.len() / 2;
        let median =
            if values.len() % 2 == 1 { values[half] } else { (values[half - 1] + values[half]) / 2.0 };
        Spread { median, least, most }
    }

    /// Microseconds of a round trip.
    pub fn time(&self) -> Spread {
        self.spread(|sample| number(sample, "seconds") / number(sample, "round_trips") * 1e6)
    }

    /// Microseconds of processor time of a round trip, both sides together.
    pub fn cpu(&self) -> Spread {
        self.spread(|sample| number(sample, "cpu_seconds") / number(sample, "round_trips") * 1e6)
    }

    /// Context switches of a round trip, both sides together.
    pub fn switches(&self) -> Spread {
        self.spread(|sample| number(sample, "switches") / number(sample, "round_trips"))
    }
}

/// A number of a sample; not a number if it is not there, which no table hides.
pub fn number(sample: &Sample, name: &str) -> f64 {
    sample.get(name).copied().unwrap_or(f64::NAN)
}

/// Of the values of a series.
#[derive(Clone, Copy)]
pub struct Spread {
    pub median: f64,
    pub least: f64,
    pub most: f64,
}

/// Ratios of one system to another over several rows, more is better.
#[derive(Default)]
pub struct Ratios {
    log_sum: f64,
    count: usize,
    /// The least, and its row.
    least: Option<(f64, String)>,
}

impl Ratios {
    pub fn add(&mut self, ratio: f64, row: &str) {
        self.log_sum += ratio.ln();
        self.count += 1;
        if self.least.as_ref().is_none_or(|(least, _)| ratio < *least) {
            self.least = Some((ratio, row.to_owned()));
        }
    }

    /// The geometric mean, the least ratio and the row that has it; None if there is no row.
    pub fn summary(&self) -> Option<(f64, f64, &str)> {
        let (least, row) = self.least.as_ref()?;
        Some(((self.log_sum / self.count as f64).exp(), *least, row))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(seconds: &[f64]) -> Series {
        let sample = |&seconds: &f64| {
            Sample::from([("seconds".to_owned(), seconds), ("round_trips".to_owned(), 1000.0)])
        };
        let samples = seconds.iter().map(sample).collect();
        Series {
            system: String::new(),
            program: PathBuf::new(),
            arguments: Vec::new(),
            environment: &[],
            samples,
            failures: Vec::new(),
        }
    }

    #[test]
    fn the_median_is_the_middle_one_or_the_mean_of_two() {
        let odd = series(&[0.003, 0.001, 0.002]).time();
        assert_eq!([odd.least, odd.median, odd.most].map(f64::round), [1.0, 2.0, 3.0]);
        assert!((series(&[0.001, 0.002]).time().median - 1.5).abs() < 1e-9);
    }

    #[test]
    fn a_ratio_of_two_and_one_of_a_half_are_one_on_average() {
        let mut ratios = Ratios::default();
        assert!(ratios.summary().is_none());
        ratios.add(2.0, "fast");
        ratios.add(0.5, "slow");
        let (mean, least, row) = ratios.summary().unwrap();
        assert!((mean - 1.0).abs() < 1e-9);
        assert_eq!((least, row), (0.5, "slow"));
    }
}

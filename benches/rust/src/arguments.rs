//! What the driver asks of a program: arguments of the form name=value. Each must be known to the program.

use crate::fail;
use std::collections::BTreeMap;

/// The arguments that nothing has asked for yet.
pub struct Arguments(BTreeMap<String, String>);

impl Arguments {
    /// Those of this process.
    pub fn of_process() -> Arguments {
        let split = |argument: String| match argument.split_once('=') {
            Some((name, value)) => (name.to_owned(), value.to_owned()),
            None => fail(format_args!("not of the form name=value: {argument}")),
        };
        Arguments(std::env::args().skip(1).map(split).collect())
    }

    /// The value of that name, which counts as known from now on.
    pub fn text(&mut self, name: &str, otherwise: &str) -> String {
        self.0.remove(name).unwrap_or_else(|| otherwise.to_owned())
    }

    /// The same, a number.
    pub fn number(&mut self, name: &str, otherwise: u64) -> u64 {
        let value = self.text(name, &otherwise.to_string());
        match value.parse() {
            Ok(number) if number <= u64::from(u32::MAX) => number,
            _ => fail(format_args!("{name}: not a number from 0 to 4294967295: {value}")),
        }
    }

    /// Fails if there is one that nothing has asked for.
    pub fn finish(self) {
        if let Some(name) = self.0.keys().next() {
            fail(format_args!("unknown here: {name}"));
        }
    }
}

//! Why a command did not do what was asked for.

use crate::output;
use std::io;

pub enum Failure {
    /// To be said on the standard error.
    Error(String),
    /// The output says it already.
    Said,
}

pub type Answer<T = ()> = Result<T, Failure>;

impl Failure {
    /// Says it on the standard error, unless the output says it already.
    pub fn say(&self) {
        if let Failure::Error(text) = self {
            output::tell(&format!("moorline: {text}"));
        }
    }

    /// A failure of the system, and what it was about.
    pub fn system(what: impl Into<String>) -> impl FnOnce(io::Error) -> Failure {
        let what = what.into();
        move |error| Failure::Error(format!("{what}: {error}"))
    }
}

/// Says each failure of several things that were done: none hides another.
pub fn all(answers: impl IntoIterator<Item = Answer>) -> Answer {
    let failures: Vec<Failure> = answers.into_iter().filter_map(Result::err).collect();
    failures.iter().for_each(Failure::say);
    if failures.is_empty() { Ok(()) } else { Err(Failure::Said) }
}

impl From<moorline::Error> for Failure {
    fn from(error: moorline::Error) -> Failure {
        Failure::Error(error.to_string())
    }
}

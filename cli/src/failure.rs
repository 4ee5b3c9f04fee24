//! Why a command did not do what was asked for.

use crate::diagnostics;
use moorline::Status;
use std::fmt::Display;
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
            diagnostics::complain(text);
        }
    }

    /// What is wrong in a file's text. No peer and no argument is to blame, so the place and what is wrong there say it all.
    pub fn in_text(error: moorline::Error) -> Failure {
        match (error.status(), error.context()) {
            (Status::Malformed | Status::InvalidArgument, Some(context)) => {
                Failure::Error(context.to_owned())
            }
            _ => error.into(),
        }
    }

    /// The same, which happened somewhere.
    pub fn within(self, place: impl Display) -> Failure {
        match self {
            Failure::Error(text) => Failure::Error(format!("{place}: {text}")),
            Failure::Said => Failure::Said,
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

//! Why a command did not do what was asked for.

use std::io;

pub enum Failure {
    /// To be said on the standard error.
    Error(String),
    /// The output says it already.
    Said,
}

pub type Answer<T = ()> = Result<T, Failure>;

impl Failure {
    /// A failure of the system, and what it was about.
    pub fn system(what: impl Into<String>) -> impl FnOnce(io::Error) -> Failure {
        let what = what.into();
        move |error| Failure::Error(format!("{what}: {error}"))
    }
}

impl From<moorline::Error> for Failure {
    fn from(error: moorline::Error) -> Failure {
        Failure::Error(error.to_string())
    }
}

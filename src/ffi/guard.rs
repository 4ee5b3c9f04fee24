//! The guard around every exported function.

use super::status::moorline_status;
use crate::error::{Error, Result, Status, panic_text};
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static LAST_ERROR: RefCell<Option<Error>> = const { RefCell::new(None) };
}

/// Runs the body of a function that answers a status. An error, or a panic as `INTERNAL`, becomes the thread's last error.
/// Its text is only made when it is asked for: failing to wait must cost nothing.
pub(super) fn guard(body: impl FnOnce() -> Result<()>) -> moorline_status {
    let error = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => return Status::Ok.code(),
        Ok(Err(error)) => error,
        Err(panic) => {
            let text = panic_text(&*panic).unwrap_or("no message");
            Error::new(Status::Internal, format!("the library panicked: {text}"))
        }
    };
    let status = error.status().code();
    // Fails only while the thread ends, when there is nobody left to ask.
    let _ = LAST_ERROR.try_with(|last| last.replace(Some(error)));
    status
}

/// Runs the body of a function that answers something else; `fallback` if it has none, or panics.
pub(super) fn guard_or<T>(fallback: T, body: impl FnOnce() -> Option<T>) -> T {
    catch_unwind(AssertUnwindSafe(body)).ok().flatten().unwrap_or(fallback)
}

/// Asks the thread's last error something.
pub(super) fn last_error<T>(ask: impl FnOnce(Option<&Error>) -> T) -> T {
    LAST_ERROR.with(|last| ask(last.borrow().as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_internal_error_with_its_message() {
        let status = guard(|| panic!("planted {}", 1));
        assert_eq!(status, Status::Internal.code());
        let text = last_error(|error| error.map(ToString::to_string));
        assert!(text.is_some_and(|text| text.contains("planted 1")));
        assert_eq!(guard_or(7, || panic!("planted")), 7);
    }

    #[test]
    fn success_leaves_the_last_error_alone() {
        assert_eq!(guard(|| Err(Status::TimedOut.into())), Status::TimedOut.code());
        assert_eq!(guard(|| Ok(())), Status::Ok.code());
        assert_eq!(last_error(|error| error.map(Error::status)), Some(Status::TimedOut));
    }
}

//! Texts that go back to C.

use crate::error::{Error, Result, Status};
use std::cell::RefCell;
use std::ffi::{CString, c_char};
use std::thread::LocalKey;

/// Strings that a thread was given last, kept for it until the next.
pub(super) struct Kept<const N: usize>(RefCell<Option<[CString; N]>>);

impl<const N: usize> Kept<N> {
    pub const fn new() -> Kept<N> {
        Kept(RefCell::new(None))
    }
}

/// Keeps strings for this thread, in the place of those before, and tells where they are.
pub(super) fn kept<const N: usize>(
    place: &'static LocalKey<Kept<N>>,
    strings: [String; N],
) -> Result<[*const c_char; N]> {
    // What has a NUL inside ends there for C.
    let strings = strings.map(|string| CString::new(string.replace('\0', "\\0")).unwrap_or_default());
    let keep = |kept: &Kept<N>| kept.0.borrow_mut().insert(strings).each_ref().map(|string| string.as_ptr());
    place.try_with(keep).map_err(|_| Error::new(Status::InvalidState, "the thread is ending"))
}

/// A line each.
pub(super) fn lines(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

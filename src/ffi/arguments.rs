//! What comes from C, checked before it is used, and what goes back.

use crate::busy_poll::BusyPoll;
use crate::deadline::Timeout;
use crate::error::{Error, Result, Status};
use crate::name::Scope;
use crate::poller::Interest;
use crate::sys;
use std::ffi::{CStr, OsStr, c_char, c_void};
use std::time::Duration;

/// An output. It is zeroed when this is made, so that it is written on every path.
pub(super) struct Out<T>(*mut T);

impl<T> Out<T> {
    /// # Safety
    ///
    /// `pointer` is NULL or may be written to until the call ends. All-zero bytes are a `T`: it is an integer or a pointer.
    pub unsafe fn zeroed(pointer: *mut T) -> Out<T> {
        if !pointer.is_null() {
            // SAFETY: not NULL, so the caller says that it may be written to.
            unsafe { pointer.write_bytes(0, 1) };
        }
        Out(pointer)
    }

    /// That there is somewhere to write to.
    pub fn required(self, name: &str) -> Result<Out<T>> {
        if self.0.is_null() { Err(null(name)) } else { Ok(self) }
    }

    /// Writes it, unless the caller does not want it.
    pub fn set(&self, value: T) {
        if !self.0.is_null() {
            // SAFETY: as above.
            unsafe { self.0.write(value) };
        }
    }
}

/// A struct that begins with its own size, as the caller knows it.
///
/// # Safety
///
/// The type is `repr(C)`, begins with a `usize`, and any bytes are one of it as far as reading goes: integers, pointers and
/// nullable functions.
pub(super) unsafe trait Versioned: Copy {}

/// More than any such struct will ever have: a larger size is garbage.
const STRUCT_SIZE_LIMIT: usize = 4096;

fn check_size(size: usize, name: &str) -> Result<()> {
    // What begins with a `usize` is aligned as one, so its size is a multiple of that. Others would cut a pointer in two.
    let is_whole = size.is_multiple_of(align_of::<usize>());
    if is_whole && (size_of::<usize>()..=STRUCT_SIZE_LIMIT).contains(&size) {
        return Ok(());
    }
    let context = format!("{name}: struct_size is {size}; use the struct's initialiser");
    Err(Error::new(Status::InvalidArgument, context))
}

/// The options that the caller gave; zero, which is the default, for what it gave not or does not know.
///
/// # Safety
///
/// `pointer` is NULL or points to a struct of the size that it begins with.
pub(super) unsafe fn options<T: Versioned>(pointer: *const T, name: &str) -> Result<T> {
    // SAFETY: any bytes are a `T`, as its `Versioned` says.
    let mut options: T = unsafe { std::mem::zeroed() };
    if pointer.is_null() {
        return Ok(options);
    }
    // SAFETY: it begins with its size, says the caller.
    let size = unsafe { pointer.cast::<usize>().read() };
    check_size(size, name)?;
    // SAFETY: it has that size, says the caller.
    let given = unsafe { std::slice::from_raw_parts(pointer.cast::<u8>(), size) };
    let known = size.min(size_of::<T>());
    if given[known..].iter().any(|byte| *byte != 0) {
        let context = format!("{name}: options that this version does not know are set");
        return Err(Error::new(Status::InvalidArgument, context));
    }
    // SAFETY: `known` bytes are within both, which don't overlap.
    unsafe {
        std::ptr::copy_nonoverlapping(given.as_ptr(), (&raw mut options).cast::<u8>(), known);
    }
    Ok(options)
}

/// That a field is zero that fills a gap: a later version may give it a meaning, which this one would not heed.
pub(super) fn check_reserved(reserved: u32, name: &str) -> Result<()> {
    if reserved == 0 {
        return Ok(());
    }
    let context = format!("{name}: reserved is {reserved}, of which this version does not know");
    Err(Error::new(Status::InvalidArgument, context))
}

/// A struct that the caller gets, as much of it as it knows.
pub(super) struct OutStruct<T> {
    pointer: *mut T,
    size: usize,
}

impl<T: Versioned> OutStruct<T> {
    /// All but its size is zeroed.
    ///
    /// # Safety
    ///
    /// `pointer` is NULL or points to a struct of the size that it begins with, which may be written to until the call
    /// ends.
    pub unsafe fn zeroed(pointer: *mut T, name: &str) -> Result<OutStruct<T>> {
        if pointer.is_null() {
            return Ok(OutStruct { pointer, size: 0 });
        }
        // SAFETY: it begins with its size, says the caller.
        let size = unsafe { pointer.cast::<usize>().read() };
        check_size(size, name)?;
        let head = size_of::<usize>();
        // SAFETY: it has that size and may be written to, says the caller.
        unsafe { pointer.cast::<u8>().add(head).write_bytes(0, size - head) };
        Ok(OutStruct { pointer, size })
    }

    pub fn required(self, name: &str) -> Result<OutStruct<T>> {
        if self.pointer.is_null() { Err(null(name)) } else { Ok(self) }
    }

    /// Writes all but the size, unless the caller does not want it.
    pub fn set(&self, value: T) {
        let head = size_of::<usize>();
        let known = self.size.min(size_of::<T>());
        if known > head {
            let source = (&raw const value).cast::<u8>();
            // SAFETY: `known` bytes are within both.
            unsafe {
                let target = self.pointer.cast::<u8>().add(head);
                std::ptr::copy_nonoverlapping(source.add(head), target, known - head);
            }
        }
    }
}

/// The bytes of a buffer to read from. NULL with length 0 is the empty one.
///
/// # Safety
///
/// `length` bytes can be read there until the call ends.
pub(super) unsafe fn bytes<'call>(data: *const c_void, length: usize) -> Result<&'call [u8]> {
    check_buffer(data, length)?;
    if length == 0 {
        return Ok(&[]);
    }
    // SAFETY: not NULL, not longer than an allocation can be, and readable, says the caller.
    Ok(unsafe { std::slice::from_raw_parts(data.cast(), length) })
}

/// The bytes of a buffer to write to. NULL with length 0 is the empty one.
///
/// # Safety
///
/// `capacity` bytes can be written there until the call ends, by nobody else.
pub(super) unsafe fn bytes_mut<'call>(buffer: *mut c_void, capacity: usize) -> Result<&'call mut [u8]> {
    check_buffer(buffer, capacity)?;
    if capacity == 0 {
        return Ok(&mut []);
    }
    // SAFETY: not NULL, not longer than an allocation can be, and the call's alone, says the caller.
    Ok(unsafe { std::slice::from_raw_parts_mut(buffer.cast(), capacity) })
}

fn check_buffer(buffer: *const c_void, length: usize) -> Result<()> {
    if buffer.is_null() && length > 0 {
        return Err(null("the buffer"));
    }
    if isize::try_from(length).is_err() {
        let context = format!("a buffer of {length} bytes");
        return Err(Error::new(Status::InvalidArgument, context));
    }
    Ok(())
}

/// A string from C.
///
/// # Safety
///
/// `string` is NULL or ends with NUL, and does not change until the call ends.
pub(super) unsafe fn string<'call>(string: *const c_char, name: &str) -> Result<&'call OsStr> {
    if string.is_null() {
        return Err(null(name));
    }
    // SAFETY: not NULL, and the caller says that it ends.
    sys::native_string(unsafe { CStr::from_ptr(string) }.to_bytes())
}

/// Where a function puts a string: with NUL, and how many bytes that needs.
pub(super) struct OutText {
    buffer: *mut c_char,
    capacity: usize,
    needed: Out<usize>,
}

impl OutText {
    /// # Safety
    ///
    /// `capacity` bytes can be written at `buffer`, and `needed` is NULL or can be written to, until the call ends.
    pub unsafe fn empty(buffer: *mut c_char, capacity: usize, needed: *mut usize) -> OutText {
        if !buffer.is_null() && capacity > 0 {
            // SAFETY: there is room for at least one byte.
            unsafe { buffer.write(0) };
        }
        // SAFETY: as for this function.
        OutText { buffer, capacity, needed: unsafe { Out::zeroed(needed) } }
    }

    pub fn set(&self, text: &OsStr) -> Result<()> {
        let text = sys::native_bytes(text);
        check_buffer(self.buffer.cast(), self.capacity)?;
        let needed = text.len() + 1;
        self.needed.set(needed);
        if needed > self.capacity {
            let context = format!("{needed} bytes are needed, there are {}", self.capacity);
            return Err(Error::new(Status::BufferTooSmall, context));
        }
        // SAFETY: not NULL, as the capacity is not 0, and there is room for the text and the NUL.
        unsafe {
            std::ptr::copy_nonoverlapping(text.as_ptr(), self.buffer.cast::<u8>(), text.len());
            self.buffer.add(text.len()).write(0);
        }
        Ok(())
    }
}

/// Milliseconds: -1 for ever, 0 not at all.
#[inline]
pub(super) fn timeout(milliseconds: i64) -> Result<Timeout> {
    match milliseconds {
        -1 => Ok(Timeout::Forever),
        0 => Ok(Timeout::None),
        1.. => Ok(Timeout::After(Duration::from_millis(milliseconds.unsigned_abs()))),
        _ => {
            let context = format!("a timeout of {milliseconds} ms; -1 is for ever");
            Err(Error::new(Status::InvalidArgument, context))
        }
    }
}

/// Milliseconds of an option; zero stands for the default.
pub(super) fn milliseconds(count: u32) -> Option<Duration> {
    unless_zero(count).map(|count| Duration::from_millis(count.into()))
}

/// A duration as C is told it, in microseconds.
pub(super) fn microseconds(duration: Duration) -> u64 {
    duration.as_micros().try_into().unwrap_or(u64::MAX)
}

/// How many there are to be of something.
pub(super) fn count(number: u32) -> Result<usize> {
    usize::try_from(number)
        .map_err(|_| Error::new(Status::InvalidArgument, format!("{number}: more than the system can count")))
}

/// Sleep at once: a value of busy_poll_us.
pub const MOORLINE_BUSY_POLL_NEVER: u32 = u32::MAX;

/// Microseconds: 0 is the default.
pub(super) fn busy_poll(microseconds: u32) -> BusyPoll {
    match microseconds {
        0 => BusyPoll::Adaptive,
        MOORLINE_BUSY_POLL_NEVER => BusyPoll::Never,
        microseconds => BusyPoll::For(Duration::from_micros(microseconds.into())),
    }
}

/// Plain names are in the temporary directory, as Qt's are: TMPDIR, else /tmp.
pub const MOORLINE_SCOPE_TEMPORARY: u32 = 0;
/// Plain names are in the user's own runtime directory: XDG_RUNTIME_DIR.
pub const MOORLINE_SCOPE_RUNTIME: u32 = 1;
/// Names are in Linux's abstract namespace: no file, no permissions.
pub const MOORLINE_SCOPE_ABSTRACT: u32 = 2;

pub(super) fn scope(scope: u32) -> Result<Scope> {
    match scope {
        MOORLINE_SCOPE_TEMPORARY => Ok(Scope::Temporary),
        MOORLINE_SCOPE_RUNTIME => Ok(Scope::Runtime),
        MOORLINE_SCOPE_ABSTRACT => Ok(Scope::Abstract),
        _ => Err(Error::new(Status::InvalidArgument, format!("there is no scope {scope}"))),
    }
}

/// Data, the end of the peer's stream, or a connection to accept.
pub const MOORLINE_READABLE: u32 = 1;
/// Room to send. To be asked for after a send that fell short: otherwise nearly every wait finds it.
pub const MOORLINE_WRITABLE: u32 = 2;
/// The peer has ended its sending direction, or the connection. Reported, never asked for; the end of the sending direction alone only to
/// who asks for MOORLINE_READABLE.
pub const MOORLINE_HANGUP: u32 = 4;
/// Report each change once instead of as long as it lasts: who is told reads until WOULD_BLOCK and sends until WOULD_BLOCK. Less than
/// asked for is the end of what is there, too, unless the peer sends descriptors or out of band (MSG_OOB): the system ends a
/// receive with those, and what is behind them is told with what comes next. Now and then a change is reported twice. Asked for, never reported.
pub const MOORLINE_EDGE: u32 = 8;

pub(super) fn interest(flags: u32) -> Result<Interest> {
    if flags & !(MOORLINE_READABLE | MOORLINE_WRITABLE | MOORLINE_EDGE) != 0 {
        let context = format!("interest {flags:#x} has flags that can't be asked for");
        return Err(Error::new(Status::InvalidArgument, context));
    }
    Ok(Interest {
        readable: flags & MOORLINE_READABLE != 0,
        writable: flags & MOORLINE_WRITABLE != 0,
        edge: flags & MOORLINE_EDGE != 0,
    })
}

/// Zero stands for the default.
pub(super) fn unless_zero<T: Default + PartialEq>(value: T) -> Option<T> {
    (value != T::default()).then_some(value)
}

fn null(name: &str) -> Error {
    Error::new(Status::InvalidArgument, format!("{name} is NULL"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_mean_the_time_that_the_header_says() {
        assert_eq!(busy_poll(0), BusyPoll::Adaptive);
        assert_eq!(busy_poll(50), BusyPoll::For(Duration::from_micros(50)));
        assert_eq!(busy_poll(u32::MAX - 1), BusyPoll::For(Duration::from_micros(u64::from(u32::MAX) - 1)));
        // As a time to look it would be more than an hour.
        assert_eq!(busy_poll(MOORLINE_BUSY_POLL_NEVER), BusyPoll::Never);
        assert_eq!((milliseconds(0), milliseconds(1500)), (None, Some(Duration::from_millis(1500))));
        assert_eq!(
            (microseconds(Duration::from_nanos(2_001_999)), microseconds(Duration::MAX)),
            (2001, u64::MAX)
        );
        let times = [-1, 0, 1, i64::MAX].map(|milliseconds| timeout(milliseconds).unwrap());
        let after = |milliseconds| Timeout::After(Duration::from_millis(milliseconds));
        assert_eq!(times, [Timeout::Forever, Timeout::None, after(1), after(i64::MAX.unsigned_abs())]);
        for milliseconds in [-2, i64::MIN] {
            assert_eq!(timeout(milliseconds).unwrap_err().status(), Status::InvalidArgument);
        }
    }
}

//! Messages on `moorline_socket`.

use super::arguments::{
    Out, OutText, Versioned, bytes, bytes_mut, check_reserved, count, milliseconds, options, string, timeout,
    unless_zero,
};
use super::guard::guard;
use super::handle::{self, moorline_socket};
use super::status::moorline_status;
use crate::error::{Error, Result, Status};
use crate::frame::{DEFAULT_MAX_MESSAGE, Framing};
use crate::handshake::Application;
use crate::socket::{MessageOptions, Socket, Validator};
use crate::sys::{self, BorrowedDescriptor};
use std::ffi::{OsString, c_char, c_int, c_void};
use std::sync::Arc;

/// The length first, as four bytes, most significant first: what QDataStream does with a QByteArray.
pub const MOORLINE_FRAMING_BIG_ENDIAN: u32 = 1;
/// The length first, as four bytes, least significant first.
pub const MOORLINE_FRAMING_LITTLE_ENDIAN: u32 = 2;
/// A line feed after each message, which has none itself. A carriage return before it is dropped when received.
pub const MOORLINE_FRAMING_LINES: u32 = 3;
/// A handshake; then a length, a CRC32C and the message.
pub const MOORLINE_FRAMING_CHECKED: u32 = 4;

/// How messages are sent and received. Begin with MOORLINE_MESSAGE_OPTIONS_INIT and set framing; zero in another field is its
/// default.
#[allow(non_camel_case_types)]
#[derive(Clone, Copy)]
#[repr(C)]
pub struct moorline_message_options {
    /// sizeof(moorline_message_options).
    pub struct_size: usize,
    /// MOORLINE_FRAMING_*. It has no default.
    pub framing: u32,
    /// What the handshake of checked frames compares, beside the name. With another framing 0.
    pub application_version: u32,
    /// The largest message in bytes, sent or received. 0: 16 MiB.
    pub max_message: usize,
    /// Milliseconds that the rest of a message may take once its first byte came. 0: as long as it likes.
    pub message_timeout_ms: u32,
    /// Milliseconds that the peer may take for its part of the handshake of checked frames. 0: 10,000.
    pub handshake_timeout_ms: u32,
    /// What the handshake of checked frames compares: the application's name, UTF-8, at most 255 bytes; copied. NULL: "", as
    /// it has to be with another framing.
    pub application: *const c_char,
    /// Descriptors taken with one message at most; more end the connection. 0: none is taken: the kernel turns away who sends some
    /// (Linux 6.16 and newer, but for adopted sockets) or closes them.
    pub max_descriptors: u32,
    /// Zero.
    pub reserved: u32,
}

// SAFETY: integers and pointers only.
unsafe impl Versioned for moorline_message_options {}

/// The caller's options; None for NULL: a stream of bytes.
///
/// # Safety
///
/// `given` is NULL or as for [`options`], and the string in it as for [`string`].
pub(super) unsafe fn message_options(
    given: *const moorline_message_options,
) -> Result<Option<Arc<MessageOptions>>> {
    if given.is_null() {
        return Ok(None);
    }
    // SAFETY: as the caller says.
    let given = unsafe { options(given, "message options") }?;
    check_reserved(given.reserved, "message options")?;
    let framing = match given.framing {
        MOORLINE_FRAMING_BIG_ENDIAN => Framing::BigEndian,
        MOORLINE_FRAMING_LITTLE_ENDIAN => Framing::LittleEndian,
        MOORLINE_FRAMING_LINES => Framing::Lines,
        MOORLINE_FRAMING_CHECKED => Framing::Checked,
        other => return Err(Error::new(Status::InvalidArgument, format!("there is no framing {other}"))),
    };
    let name = if given.application.is_null() {
        String::new()
    } else {
        // SAFETY: as the caller says.
        let name = unsafe { string(given.application, "application") }?;
        name.to_str()
            .ok_or_else(|| Error::new(Status::InvalidArgument, "the application's name is not UTF-8"))?
            .to_owned()
    };
    let defaults = MessageOptions::new(framing);
    Ok(Some(Arc::new(MessageOptions {
        max_message: unless_zero(given.max_message).unwrap_or(DEFAULT_MAX_MESSAGE),
        message_timeout: milliseconds(given.message_timeout_ms),
        handshake_timeout: milliseconds(given.handshake_timeout_ms).unwrap_or(defaults.handshake_timeout),
        application: Application { name, version: given.application_version },
        max_descriptors: count(given.max_descriptors)?,
        ..defaults
    })))
}

/// Sends a message, whole or not at all. The kernel may take a part of it only: the rest is queued then, beyond the limit of the
/// queue if need be, and goes out until the timeout and with the following calls; what never does is counted by close.
///
/// @param socket      a socket with messages
/// @param data        the message; may be NULL if length is 0
/// @param length      bytes
/// @param timeout_ms  how long to wait for room, in milliseconds; -1 for ever, 0 not at all
/// @return MOORLINE_OK (it is on its way, whole); MOORLINE_WOULD_BLOCK, MOORLINE_TIMED_OUT (nothing could be sent in time);
///         MOORLINE_MESSAGE_TOO_LARGE (more than either side takes); MOORLINE_INVALID_STATE (the socket has no framing);
///         MOORLINE_DISCONNECTED; MOORLINE_CLOSED (also: without a queue, while the rest of it goes out, which the close that ends
///         this still sends, and counts if it does not); MOORLINE_MISMATCH, MOORLINE_MALFORMED (the peer's part of the
///         handshake was wrong); MOORLINE_LIMIT_REACHED; MOORLINE_INVALID_ARGUMENT (also: a line with a line feed in it, or a
///         carriage return at its end); MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Blocks until the timeout. Any thread; messages of several threads don't mix.
///
/// # Safety
///
/// The pointers are as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_socket_send_message(
    socket: *mut moorline_socket,
    data: *const c_void,
    length: usize,
    timeout_ms: i64,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let data = unsafe { bytes(data, length) }?;
        handle::get::<Socket>(socket)?.send_message(data, timeout(timeout_ms)?)
    })
}

/// As moorline_socket_send_message, and sends duplicates of descriptors with the message.
///
/// @param socket       a socket with messages
/// @param data         the message; may be NULL if length is 0
/// @param length       bytes
/// @param descriptors  open descriptors, which stay the caller's
/// @param count        how many, at most 253: unix(7)
/// @param timeout_ms   how long to wait for room, in milliseconds; -1 for ever, 0 not at all
/// @return as moorline_socket_send_message; MOORLINE_LIMIT_REACHED (too many descriptors); MOORLINE_PERMISSION_DENIED (the peer
///         takes none; where the system does not tell, the message arrives without them); MOORLINE_INVALID_ARGUMENT (also: one is
///         negative, or not open)
///
/// Blocks until the timeout. Any thread.
///
/// # Safety
///
/// The pointers are as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_socket_send_message_with_descriptors(
    socket: *mut moorline_socket,
    data: *const c_void,
    length: usize,
    descriptors: *const c_int,
    count: usize,
    timeout_ms: i64,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let data = unsafe { bytes(data, length) }?;
        // SAFETY: as the caller says.
        let borrowed = unsafe { borrow_all(descriptors, count) }?;
        handle::get::<Socket>(socket)?.send_message_with(data, &borrowed, timeout(timeout_ms)?)
    })
}

/// The caller's descriptors.
///
/// # Safety
///
/// `descriptors` is NULL or points to `count` of them.
pub(super) unsafe fn borrow_all<'call>(
    descriptors: *const c_int,
    count: usize,
) -> Result<Vec<BorrowedDescriptor<'call>>> {
    if descriptors.is_null() && count > 0 {
        return Err(Error::new(Status::InvalidArgument, "descriptors is NULL"));
    }
    let mut borrowed = Vec::new();
    // One more than there may be is enough to be told that they are too many.
    for index in 0..count.min(sys::DESCRIPTORS_LIMIT + 1) {
        // SAFETY: there are `count` of them, says the caller.
        let descriptor = unsafe { descriptors.add(index).read() };
        borrowed.push(sys::borrow(descriptor)?);
    }
    Ok(borrowed)
}

/// Receives a message.
///
/// A socket with messages has read more than the one: after a poller's report, receive until MOORLINE_WOULD_BLOCK, whatever
/// the trigger, or until moorline_socket_may_have_message says no, which costs less. Where several threads receive only the latter
/// tells: MOORLINE_WOULD_BLOCK may only mean that another thread was receiving.
///
/// @param socket      a socket with messages
/// @param buffer      where to put it; may be NULL if capacity is 0. All of it may be written to, whatever comes
/// @param capacity    bytes of room
/// @param timeout_ms  how long to wait for it, in milliseconds; -1 for ever, 0 not at all
/// @param length      out: the message's length; with MOORLINE_BUFFER_TOO_SMALL too
/// @return MOORLINE_OK; MOORLINE_BUFFER_TOO_SMALL (the message stays); MOORLINE_WOULD_BLOCK, MOORLINE_TIMED_OUT (none came in
///         time); MOORLINE_DISCONNECTED (the peer has gone, and all it sent was read); MOORLINE_CLOSED;
///         MOORLINE_INVALID_STATE (the socket has no framing); MOORLINE_LIMIT_REACHED (no descriptors to wait with);
///         MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND. These end the connection:
///         MOORLINE_MESSAGE_TOO_LARGE; MOORLINE_MALFORMED; MOORLINE_MISMATCH (the handshake); MOORLINE_REFUSED (by the validator);
///         MOORLINE_LIMIT_REACHED when moorline_last_error says that descriptors came, too many or more than this process may have;
///         MOORLINE_TIMED_OUT when it says that the peer took too long
///
/// Blocks until the timeout. Any thread; each gets whole messages.
///
/// # Safety
///
/// The pointers are as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_socket_receive_message(
    socket: *mut moorline_socket,
    buffer: *mut c_void,
    capacity: usize,
    timeout_ms: i64,
    length: *mut usize,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let (length, buffer) =
            unsafe { (Out::zeroed(length).required("length")?, bytes_mut(buffer, capacity)?) };
        let mut needed = 0;
        let received =
            handle::get::<Socket>(socket)?.receive_message_into(buffer, &mut needed, timeout(timeout_ms)?);
        length.set(needed);
        // Descriptors that the caller did not ask for are closed.
        received.map(drop)
    })
}

/// Tells whether a receive may find another message without waiting.
///
/// It may if one is there already, if the last receive took what had come before it or left something with the system, if nothing
/// was received yet, or if another thread is receiving. If not, a poller tells of what comes next, whatever the trigger, as after MOORLINE_WOULD_BLOCK; but
/// after its report of MOORLINE_HANGUP the end of the stream is still to be received.
///
/// @param socket  a socket with messages
/// @param may     out: 1 if it may, else 0
/// @return MOORLINE_OK; MOORLINE_INVALID_STATE (the socket has no framing); MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE;
///         MOORLINE_WRONG_KIND
///
/// Does not block. Any thread.
///
/// # Safety
///
/// The pointer is as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_socket_may_have_message(
    socket: *const moorline_socket,
    may: *mut u32,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let may = unsafe { Out::zeroed(may) }.required("may")?;
        may.set(handle::get::<Socket>(socket)?.may_have_message()?.into());
        Ok(())
    })
}

/// As moorline_socket_receive_message, and gives the descriptors that came with the message.
///
/// @param socket      a socket with messages
/// @param buffer      where to put the message; may be NULL if capacity is 0. All of it may be written to, whatever comes
/// @param capacity    bytes of room
/// @param timeout_ms  how long to wait for it, in milliseconds; -1 for ever, 0 not at all
/// @param length      out: the message's length; with MOORLINE_BUFFER_TOO_SMALL too
/// @param descriptors where to put the descriptors, to be closed by the caller; close-on-exec
/// @param room        how many there is room for: the max_descriptors of the options are enough; more are closed
/// @param count       out: how many there are
/// @return as moorline_socket_receive_message
///
/// Blocks until the timeout. Any thread.
///
/// # Safety
///
/// The pointers are as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_socket_receive_message_with_descriptors(
    socket: *mut moorline_socket,
    buffer: *mut c_void,
    capacity: usize,
    timeout_ms: i64,
    length: *mut usize,
    descriptors: *mut c_int,
    room: usize,
    count: *mut usize,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let (length, count, buffer) =
            unsafe { (Out::zeroed(length), Out::zeroed(count), bytes_mut(buffer, capacity)?) };
        let (length, count) = (length.required("length")?, count.required("count")?);
        if descriptors.is_null() && room > 0 {
            return Err(Error::new(Status::InvalidArgument, "descriptors is NULL"));
        }
        let mut needed = 0;
        let received =
            handle::get::<Socket>(socket)?.receive_message_into(buffer, &mut needed, timeout(timeout_ms)?);
        length.set(needed);
        let mut given = 0;
        for descriptor in received?.into_iter().take(room) {
            // SAFETY: there is room for `room` of them, says the caller.
            unsafe { descriptors.add(given).write(sys::give_away(descriptor)) };
            given += 1;
        }
        count.set(given);
        Ok(())
    })
}

/// Sees a message before it is delivered: 0 refuses it and ends the connection. It must return: no exception, no longjmp.
#[allow(non_camel_case_types)]
pub type moorline_validator =
    Option<unsafe extern "C" fn(context: *mut c_void, data: *const c_void, length: usize) -> i32>;

struct ForeignValidator {
    function: unsafe extern "C" fn(context: *mut c_void, data: *const c_void, length: usize) -> i32,
    context: *mut c_void,
}

// SAFETY: the context is only handed on; what it points to is shared between threads by the caller, who is told so.
unsafe impl Send for ForeignValidator {}
// SAFETY: as above.
unsafe impl Sync for ForeignValidator {}

impl ForeignValidator {
    fn accepts(&self, message: &[u8]) -> bool {
        // SAFETY: the caller's function with the caller's context, as both were given.
        unsafe { (self.function)(self.context, message.as_ptr().cast(), message.len()) != 0 }
    }
}

/// Lets a function see each message first, in the thread that receives it. When it refuses one, that receive answers
/// MOORLINE_REFUSED and the connection ends. Meanwhile receives of other threads wait for it, until the socket is closed; it must not
/// receive from the socket itself. Receives that are under way when another takes its place, or the socket is destroyed, may call
/// it still.
///
/// @param socket     a socket with messages
/// @param validator  may be NULL: all messages are delivered
/// @param context    what it gets as its first argument; the caller's; it must live until such receives have returned, too
/// @return MOORLINE_OK; MOORLINE_INVALID_STATE (the socket has no framing); MOORLINE_INVALID_ARGUMENT;
///         MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Does not block. Any thread.
///
/// # Safety
///
/// The function can be called with the context as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_socket_set_validator(
    socket: *mut moorline_socket,
    validator: moorline_validator,
    context: *mut c_void,
) -> moorline_status {
    guard(|| {
        let validator = validator.map(|function| -> Arc<Validator> {
            let foreign = ForeignValidator { function, context };
            Arc::new(move |message: &[u8]| foreign.accepts(message))
        });
        handle::get::<Socket>(socket)?.set_validator(validator)
    })
}

/// The largest message that both sides take, as far as is known: the other side of checked frames tells its own with its part of
/// the handshake, which a send or a receive takes note of; of others only this side's is known.
///
/// @param socket       a socket with messages
/// @param max_message  out: bytes
/// @return MOORLINE_OK; MOORLINE_INVALID_STATE (the socket has no framing); MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE;
///         MOORLINE_WRONG_KIND
///
/// Does not block. Any thread.
///
/// # Safety
///
/// The pointer is as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_socket_max_message(
    socket: *const moorline_socket,
    max_message: *mut usize,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let max_message = unsafe { Out::zeroed(max_message) }.required("max_message")?;
        max_message.set(handle::get::<Socket>(socket)?.max_message()?);
        Ok(())
    })
}

/// What the other side of checked frames said that it is, once it has.
///
/// @param socket    a socket with checked frames
/// @param buffer    room for the application's name and a NUL; may be NULL if capacity is 0
/// @param capacity  bytes of room
/// @param needed    out, may be NULL: bytes that the name needs, with its NUL
/// @param version   out: the application's version
/// @return MOORLINE_OK; MOORLINE_WOULD_BLOCK (it has not said so yet); MOORLINE_BUFFER_TOO_SMALL; MOORLINE_INVALID_STATE (the
///         socket has no checked frames); MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Does not block. Any thread.
///
/// # Safety
///
/// The pointers are as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_socket_peer_application(
    socket: *mut moorline_socket,
    buffer: *mut c_char,
    capacity: usize,
    needed: *mut usize,
    version: *mut u32,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let (text, version) = unsafe { (OutText::empty(buffer, capacity, needed), Out::zeroed(version)) };
        let version = version.required("version")?;
        let peer = handle::get::<Socket>(socket)?.peer_application()?;
        text.set(&OsString::from(peer.name))?;
        version.set(peer.version);
        Ok(())
    })
}

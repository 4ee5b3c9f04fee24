//! `moorline_fault_plan`.

use super::text::lines;
use crate::error::{Error, Result, Status};
use crate::ffi::arguments::{Out, OutStruct, OutText, Versioned, options, unless_zero};
use crate::ffi::guard::guard;
use crate::ffi::handle::{self, kind, moorline_fault_plan};
use crate::ffi::status::moorline_status;
use crate::testkit::faults::{Direction, FaultCounts, FaultPlan, Faults};
use std::ffi::{OsString, c_char};
use std::ops::RangeInclusive;
use std::time::Duration;

kind!(FaultPlan, moorline_fault_plan, 7);

/// Both directions of a conversation.
pub const MOORLINE_DIRECTION_BOTH: u32 = 0;
/// From the client to the server.
pub const MOORLINE_DIRECTION_TO_SERVER: u32 = 1;
/// From the server to the client.
pub const MOORLINE_DIRECTION_TO_CLIENT: u32 = 2;

/// What goes wrong. Begin with MOORLINE_FAULTS_INIT; zero in a field is that nothing of this kind does.
///
/// The fields that end in _nth say which one, from 1: the byte, from the beginning of each connection, in each direction that is
/// affected; or the connection, in the order in which they come. Of what has a least and a greatest number, one between them is
/// drawn each time, by the seed; a greatest number of 0 is as the least.
#[allow(non_camel_case_types)]
#[derive(Clone, Copy)]
#[repr(C)]
pub struct moorline_faults {
    /// sizeof(moorline_faults).
    pub struct_size: usize,
    /// Where chance decides, this decides what chance does: the same seed, the same faults.
    pub seed: u64,
    /// MOORLINE_DIRECTION_*: whose bytes are affected.
    pub direction: u32,
    /// Not 0: the backlog is full from the start, so that nobody can connect, until moorline_fault_plan_open_backlog. The server
    /// needs a backlog that is small against the number of descriptors. Of servers, services, fixtures and proxies.
    pub backlog_full: u32,
    /// Bytes pass in pieces of so many, each one only when the one before was received: the receiver's reads are short, and after
    /// each it is told that there is nothing more. Now and then one that is interrupted in the middle of a read finds the next
    /// piece, too.
    pub pieces_min: usize,
    /// As described above.
    pub pieces_max: usize,
    /// Each piece is held back for so many microseconds.
    pub delay_min_us: u64,
    /// As described above.
    pub delay_max_us: u64,
    /// The system takes about so many bytes from the affected socket and no more until some have passed: its writes are short, and
    /// many find no room. The system has a least size, of a few thousand bytes. Not of proxies, which have no hold over the sending
    /// side of others.
    pub window: usize,
    /// Each send and each receive of the affected socket is first turned away so many times in a row, as if there were no room or
    /// nothing to receive (EAGAIN), although it is reported as ready: a storm of would-blocks. Not of proxies.
    pub would_block_min: u32,
    /// As described above.
    pub would_block_max: u32,
    /// The connection breaks at this byte, which does not pass, nor does what is on its way.
    pub reset_nth: u64,
    /// From this byte on nothing more is taken, as from a peer that has stopped reading; the connection stays.
    pub stop_reading_nth: u64,
    /// One bit of this byte is turned over.
    pub flip_nth: u64,
    /// One bit is turned over in one of so many bytes, on average.
    pub flip_one_in: u64,
    /// This byte is left out.
    pub lose_nth: u64,
    /// One of so many bytes, on average, is left out.
    pub lose_one_in: u64,
    /// This connection is accepted and closed at once. Of servers, services, fixtures and proxies, as all that follow.
    pub refuse_accept_nth: u64,
    /// Accepting this connection fails for want of a descriptor, once; it stays in the backlog.
    pub no_descriptors_nth: u64,
    /// A connection that waits is accepted only after so many microseconds.
    pub accept_delay_us: u64,
}

// SAFETY: integers only.
unsafe impl Versioned for moorline_faults {}

/// How often what went wrong. Begin with MOORLINE_FAULT_COUNTS_INIT.
#[allow(non_camel_case_types)]
#[derive(Clone, Copy)]
#[repr(C)]
pub struct moorline_fault_counts {
    /// sizeof(moorline_fault_counts).
    pub struct_size: usize,
    /// Connections that went through the plan.
    pub connections: u64,
    /// Pieces passed on.
    pub pieces: u64,
    /// Bytes with a bit turned over.
    pub flipped: u64,
    /// Bytes left out.
    pub lost: u64,
    /// Connections broken.
    pub resets: u64,
    /// Directions from which nothing more is taken.
    pub stops: u64,
    /// Connections refused.
    pub refused: u64,
    /// Accepts without a descriptor.
    pub without_descriptor: u64,
    /// Accepts delayed.
    pub delayed_accepts: u64,
    /// Sends and receives turned away.
    pub would_blocks: u64,
}

// SAFETY: integers only.
unsafe impl Versioned for moorline_fault_counts {}

/// The plan of a handle; none for NULL.
pub(in crate::ffi) fn faults(plan: *const moorline_fault_plan) -> Result<Option<FaultPlan>> {
    if plan.is_null() { Ok(None) } else { Ok(Some(handle::get::<FaultPlan>(plan)?.clone())) }
}

/// None if both are zero.
fn range<T: Copy + Default + PartialEq>(least: T, greatest: T) -> Option<RangeInclusive<T>> {
    let zero = T::default();
    let greatest = if greatest == zero { least } else { greatest };
    (greatest != zero).then_some(least..=greatest)
}

fn read(given: &moorline_faults) -> Result<Faults> {
    let direction = match given.direction {
        MOORLINE_DIRECTION_BOTH => None,
        MOORLINE_DIRECTION_TO_SERVER => Some(Direction::ToServer),
        MOORLINE_DIRECTION_TO_CLIENT => Some(Direction::ToClient),
        other => {
            return Err(Error::new(
                Status::InvalidArgument,
                format!("faults: there is no direction {other}"),
            ));
        }
    };
    // Bytes have places from 0 inside.
    let place = |nth: u64| nth.checked_sub(1);
    Ok(Faults {
        seed: given.seed,
        direction,
        pieces: range(given.pieces_min, given.pieces_max),
        delay: range(given.delay_min_us, given.delay_max_us)
            .map(|delay| Duration::from_micros(*delay.start())..=Duration::from_micros(*delay.end())),
        window: unless_zero(given.window),
        would_block: range(given.would_block_min, given.would_block_max),
        reset_after: unless_zero(given.reset_nth),
        stop_reading_after: place(given.stop_reading_nth),
        flip_at: place(given.flip_nth),
        flip_one_in: unless_zero(given.flip_one_in),
        lose_at: place(given.lose_nth),
        lose_one_in: unless_zero(given.lose_one_in),
        refuse_accept_at: unless_zero(given.refuse_accept_nth),
        no_descriptors_at: unless_zero(given.no_descriptors_nth),
        accept_delay: unless_zero(given.accept_delay_us).map(Duration::from_micros),
        backlog_full: given.backlog_full != 0,
    })
}

/// Makes a plan of faults, to be given to any number of servers, sockets, services, fixtures and proxies by their options.
///
/// @param faults  what goes wrong; may be NULL: nothing
/// @param plan    out: the new handle, to be destroyed by the caller
/// @return MOORLINE_OK; MOORLINE_INVALID_ARGUMENT (also: they make no sense); MOORLINE_LIMIT_REACHED
///
/// Does not block. Any thread.
///
/// # Safety
///
/// The pointers are as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_fault_plan_create(
    faults: *const moorline_faults,
    plan: *mut *mut moorline_fault_plan,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let (plan, given) = unsafe { (Out::zeroed(plan).required("plan")?, options(faults, "faults")?) };
        plan.set(handle::create(FaultPlan::new(read(&given)?)?)?);
        Ok(())
    })
}

/// How often what went wrong so far.
///
/// @param plan    any plan
/// @param counts  out: with its struct_size set by the caller
/// @return MOORLINE_OK; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Does not block. Any thread.
///
/// # Safety
///
/// The pointer is as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_fault_plan_counts(
    plan: *mut moorline_fault_plan,
    counts: *mut moorline_fault_counts,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let out = unsafe { OutStruct::zeroed(counts, "counts") }?.required("counts")?;
        let FaultCounts {
            connections,
            pieces,
            flipped,
            lost,
            resets,
            stops,
            refused,
            without_descriptor,
            delayed_accepts,
            would_blocks,
        } = handle::get::<FaultPlan>(plan)?.counts();
        out.set(moorline_fault_counts {
            struct_size: 0,
            connections,
            pieces,
            flipped,
            lost,
            resets,
            stops,
            refused,
            without_descriptor,
            delayed_accepts,
            would_blocks,
        });
        Ok(())
    })
}

/// What went wrong so far, a line each, at most ten thousand: which connection, in which direction, after how many bytes. Pieces and
/// calls that were turned away are only counted.
///
/// @param plan      any plan
/// @param buffer    room for the text and a NUL; may be NULL if capacity is 0
/// @param capacity  bytes of room
/// @param needed    out, may be NULL: bytes that the text needs, with its NUL
/// @return MOORLINE_OK; MOORLINE_BUFFER_TOO_SMALL (the buffer gets an empty string); MOORLINE_INVALID_ARGUMENT;
///         MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Does not block. Any thread.
///
/// # Safety
///
/// The pointers are as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_fault_plan_happened(
    plan: *mut moorline_fault_plan,
    buffer: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let text = unsafe { OutText::empty(buffer, capacity, needed) };
        let happened = handle::get::<FaultPlan>(plan)?.happened();
        text.set(&OsString::from(lines(&happened)))
    })
}

/// Lets connections into the backlog that was full, and has them accepted: a server that accepts by hand has room when it accepts next,
/// even if that finds nothing. That it is not full is fine.
///
/// @param plan  any plan
/// @return MOORLINE_OK; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Does not block. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_fault_plan_open_backlog(plan: *mut moorline_fault_plan) -> moorline_status {
    guard(|| {
        handle::get::<FaultPlan>(plan)?.open_backlog();
        Ok(())
    })
}

/// Ends a plan: the connections that go through it break, except those of proxies, and its thread has ended when this returns.
/// Connections that are made later have no faults. What happened can be asked still. In a forked child it does nothing.
///
/// @param plan  any plan
/// @return MOORLINE_OK; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Does not block. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_fault_plan_end(plan: *mut moorline_fault_plan) -> moorline_status {
    guard(|| {
        handle::get::<FaultPlan>(plan)?.end();
        Ok(())
    })
}

/// Ends the plan, as moorline_fault_plan_end does, and makes its handle stale.
///
/// @param plan  any plan
/// @return MOORLINE_OK; MOORLINE_STALE_HANDLE (as when destroyed twice); MOORLINE_WRONG_KIND; MOORLINE_INVALID_ARGUMENT
///
/// Does not block. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_fault_plan_destroy(plan: *mut moorline_fault_plan) -> moorline_status {
    guard(|| handle::destroy_or_leave::<FaultPlan>(plan, FaultPlan::end, FaultPlan::leave_to_parent))
}

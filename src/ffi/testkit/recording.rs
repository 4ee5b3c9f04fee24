//! `moorline_recording`.

use crate::error::{Error, Result, Status};
use crate::ffi::arguments::{
    Out, OutStruct, OutText, Versioned, milliseconds, options, scope, string, timeout,
};
use crate::ffi::guard::guard;
use crate::ffi::handle::{self, kind, moorline_server};
use crate::ffi::socket::trust;
use crate::ffi::status::moorline_status;
use crate::name::Name;
use crate::server::Server;
use crate::testkit::replay::{Replay, ReplayOptions, Stage};
use crate::testkit::tap::Recording;
use std::ffi::{OsString, c_char};

/// A recorded conversation. Any thread may use it at any time.
#[allow(non_camel_case_types)]
pub struct moorline_recording(());

/// A recording, and what plays it.
struct Playable {
    recording: Recording,
    stage: Stage,
}

kind!(Playable, moorline_recording, 13);

/// How a recording is played. Begin with MOORLINE_REPLAY_OPTIONS_INIT; zero in a field is its default.
#[allow(non_camel_case_types)]
#[derive(Clone, Copy)]
#[repr(C)]
pub struct moorline_replay_options {
    /// sizeof(moorline_replay_options).
    pub struct_size: usize,
    /// MOORLINE_SCOPE_*: where a plain name lives. Of moorline_recording_play_clients.
    pub scope: u32,
    /// MOORLINE_TRUST_*: whose server to connect to. Of moorline_recording_play_clients.
    pub trust: u32,
    /// Not 0: the times of the recording are kept. Otherwise each part comes as soon as what was before it has come.
    pub real_time: u32,
    /// How long the other side may take for what it said in the recording, beyond the time that it took then if times are kept, in
    /// milliseconds. 0: 10,000.
    pub patience_ms: u32,
}

// SAFETY: integers only.
unsafe impl Versioned for moorline_replay_options {}

/// What was played. Begin with MOORLINE_REPLAY_REPORT_INIT.
#[allow(non_camel_case_types)]
#[derive(Clone, Copy)]
#[repr(C)]
pub struct moorline_replay_report {
    /// sizeof(moorline_replay_report).
    pub struct_size: usize,
    /// Connections that were played to their ends.
    pub connections: u64,
    /// Bytes sent.
    pub sent: u64,
    /// Bytes of the other side that were as recorded, over all connections.
    pub matched: u64,
    /// The connection of the recording on which the other side first did something else, with which the play has ended. 0: it nowhere
    /// did.
    pub differing_connection: u64,
    /// How many bytes of the other side were as recorded on this connection before it did something else.
    pub differing_after: u64,
}

// SAFETY: integers only.
unsafe impl Versioned for moorline_replay_report {}

fn replay_options(given: &moorline_replay_options) -> Result<ReplayOptions> {
    let patience = milliseconds(given.patience_ms).unwrap_or(ReplayOptions::default().patience);
    Ok(ReplayOptions { real_time: given.real_time != 0, patience, trust: trust(given.trust)? })
}

fn tell(played: Replay, report: &OutStruct<moorline_replay_report>) -> Result<()> {
    let Replay { connections, sent, matched, difference } = played;
    let (differing_connection, differing_after) =
        difference.as_ref().map_or((0, 0), |difference| (difference.connection, difference.byte));
    report.set(moorline_replay_report {
        struct_size: 0,
        connections,
        sent,
        matched,
        differing_connection,
        differing_after,
    });
    match difference {
        Some(difference) => Err(Error::new(Status::Mismatch, difference.to_string())),
        None => Ok(()),
    }
}

/// Reads a file that a tap has recorded.
///
/// @param path       the file's path; a relative one is from the working directory
/// @param recording  out: the new handle, to be destroyed by the caller
/// @return MOORLINE_OK; MOORLINE_MALFORMED (it is not such a file: moorline_last_error names the line and what is wrong in it);
///         MOORLINE_NOT_FOUND; MOORLINE_PERMISSION_DENIED; MOORLINE_LIMIT_REACHED; MOORLINE_INVALID_ARGUMENT; MOORLINE_OS_ERROR
///
/// Blocks only for the file system. Any thread.
///
/// # Safety
///
/// The pointers are as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_recording_read(
    path: *const c_char,
    recording: *mut *mut moorline_recording,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let (out, path) = unsafe { (Out::zeroed(recording).required("recording")?, string(path, "path")?) };
        let recording = Recording::read(path)?;
        out.set(handle::create(Playable { recording, stage: Stage::default() })?);
        Ok(())
    })
}

/// The text of a recording, as in its file, without comments.
///
/// @param recording  any recording
/// @param buffer     room for the text and a NUL; may be NULL if capacity is 0
/// @param capacity   bytes of room
/// @param needed     out, may be NULL: bytes that the text needs, with its NUL
/// @return MOORLINE_OK; MOORLINE_BUFFER_TOO_SMALL (the buffer gets an empty string); MOORLINE_INVALID_ARGUMENT;
///         MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Does not block. Any thread.
///
/// # Safety
///
/// The pointers are as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_recording_text(
    recording: *mut moorline_recording,
    buffer: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let text = unsafe { OutText::empty(buffer, capacity, needed) };
        text.set(&OsString::from(handle::get::<Playable>(recording)?.recording.to_text()))
    })
}

/// How much a recording has.
///
/// @param recording    any recording
/// @param connections  out, may be NULL: connections
/// @param entries      out, may be NULL: things that happened, which is lines of its text but the first
/// @return MOORLINE_OK; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Does not block. Any thread.
///
/// # Safety
///
/// The pointers are as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_recording_size(
    recording: *mut moorline_recording,
    connections: *mut usize,
    entries: *mut usize,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let (connections, entries) = unsafe { (Out::zeroed(connections), Out::zeroed(entries)) };
        let playable = handle::get::<Playable>(recording)?;
        connections.set(playable.recording.connections().len());
        entries.set(playable.recording.entries.len());
        Ok(())
    })
}

/// Plays the clients' part to a server, each connection when what came before it in the recording has been played or is being
/// played.
///
/// @param recording    any recording
/// @param server_name  the server's name: a plain name, or an absolute path
/// @param options      may be NULL: the defaults
/// @param timeout_ms   how long all of it may take, in milliseconds; -1 for ever
/// @param report       out, may be NULL: what was played; with its struct_size set by the caller
/// @return MOORLINE_OK (the server did what it does in the recording); MOORLINE_MISMATCH (it did something else: the report says
///         where, and moorline_last_error what); MOORLINE_WOULD_BLOCK, MOORLINE_TIMED_OUT (not all was played in time);
///         MOORLINE_CLOSED (another thread destroyed the recording meanwhile); MOORLINE_LIMIT_REACHED (no descriptors or threads
///         left); as moorline_socket_connect; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Blocks until all is played, or the timeout. Any thread.
///
/// # Safety
///
/// The pointers are as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_recording_play_clients(
    recording: *mut moorline_recording,
    server_name: *const c_char,
    options: *const moorline_replay_options,
    timeout_ms: i64,
    report: *mut moorline_replay_report,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let (out, name, given) = unsafe {
            (
                OutStruct::zeroed(report, "replay report")?,
                string(server_name, "server_name")?,
                self::options(options, "replay options")?,
            )
        };
        let Playable { recording, stage } = &*handle::get::<Playable>(recording)?;
        let server = Name::resolve(name, scope(given.scope)?)?;
        let options = replay_options(&given)?;
        tell(recording.play_clients_on(stage, &server, &options, timeout(timeout_ms)?)?, &out)
    })
}

/// Plays the server's part to clients, which connect to a server that listens: the first to come has the part of the first
/// connection, and so on.
///
/// @param recording   any recording
/// @param server      a server that listens
/// @param options     may be NULL: the defaults
/// @param timeout_ms  how long all of it may take, in milliseconds; -1 for ever
/// @param report      out, may be NULL: what was played; with its struct_size set by the caller
/// @return MOORLINE_OK (the clients did what they do in the recording); MOORLINE_MISMATCH (one did something else: the report says
///         where, and moorline_last_error what); MOORLINE_WOULD_BLOCK, MOORLINE_TIMED_OUT (not all clients came, or not all was
///         played, in time); MOORLINE_CLOSED (another thread destroyed the recording or the server meanwhile);
///         MOORLINE_LIMIT_REACHED (no descriptors or threads left); as moorline_server_accept; MOORLINE_INVALID_ARGUMENT;
///         MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
///
/// Blocks until all is played, or the timeout. Any thread.
///
/// # Safety
///
/// The pointers are as described.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_recording_play_server(
    recording: *mut moorline_recording,
    server: *mut moorline_server,
    options: *const moorline_replay_options,
    timeout_ms: i64,
    report: *mut moorline_replay_report,
) -> moorline_status {
    guard(|| {
        // SAFETY: as the caller says.
        let (out, given) = unsafe {
            (OutStruct::zeroed(report, "replay report")?, self::options(options, "replay options")?)
        };
        let Playable { recording, stage } = &*handle::get::<Playable>(recording)?;
        let server = handle::get::<Server>(server)?;
        let options = replay_options(&given)?;
        tell(recording.play_server_on(stage, &server, &options, timeout(timeout_ms)?)?, &out)
    })
}

/// Makes the handle stale. A play ends with MOORLINE_CLOSED.
///
/// @param recording  any recording
/// @return MOORLINE_OK; MOORLINE_STALE_HANDLE (as when destroyed twice); MOORLINE_WRONG_KIND; MOORLINE_INVALID_ARGUMENT
///
/// Does not block. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn moorline_recording_destroy(recording: *mut moorline_recording) -> moorline_status {
    guard(|| handle::destroy::<Playable>(recording, |playable| playable.stage.close()))
}

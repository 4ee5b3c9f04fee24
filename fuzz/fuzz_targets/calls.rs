//! A call of the C ABI: which, with what.

use crate::run::Make;
use arbitrary::Arbitrary;
use moorline::fuzzing::c::{self, *};
use std::ffi::{CStr, CString, c_void};
use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

const PLACES: usize = 12;
pub const ROOM: usize = 300;

/// Handles that the threads share. One that was destroyed stays, stale, until its place is used again.
#[derive(Default)]
pub struct Handles {
    places: [AtomicUsize; PLACES],
    /// All that were ever made.
    made: std::sync::Mutex<Vec<usize>>,
}

/// Any handle, whatever it is of, and what never was one.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Handle {
    At(u8),
    Null,
    Any(usize),
}

impl Handles {
    pub fn get<T>(&self, handle: Handle) -> *mut T {
        std::ptr::without_provenance_mut(match handle {
            Handle::At(place) => self.places[usize::from(place) % PLACES].load(Relaxed),
            Handle::Null => 0,
            Handle::Any(number) => number,
        })
    }

    pub fn put<T>(&self, place: u8, handle: *mut T) {
        if !handle.is_null() {
            self.made.lock().expect("not poisoned").push(handle.addr());
            self.places[usize::from(place) % PLACES].store(handle.addr(), Relaxed);
        }
    }

    /// Destroys what has not been, as what it is: of the others each says that it is another.
    pub fn destroy_all(&self) {
        for handle in self.made.lock().expect("not poisoned").drain(..) {
            // SAFETY: handles may be anything.
            unsafe {
                let _ = c::moorline_socket_destroy(std::ptr::without_provenance_mut(handle));
                let _ = c::moorline_server_destroy(std::ptr::without_provenance_mut(handle));
                let _ = c::moorline_poller_destroy(std::ptr::without_provenance_mut(handle));
                let _ = c::moorline_service_destroy(std::ptr::without_provenance_mut(handle));
                let _ = c::moorline_fixture_destroy(std::ptr::without_provenance_mut(handle));
                let _ = c::moorline_proxy_destroy(std::ptr::without_provenance_mut(handle));
                let _ = c::moorline_tap_destroy(std::ptr::without_provenance_mut(handle));
                let _ = c::moorline_recording_destroy(std::ptr::without_provenance_mut(handle));
                let _ = c::moorline_verdicts_destroy(std::ptr::without_provenance_mut(handle));
                let _ = c::moorline_leak_guard_destroy(std::ptr::without_provenance_mut(handle));
                let _ = c::moorline_clock_destroy(std::ptr::without_provenance_mut(handle));
                let _ = c::moorline_fault_plan_destroy(std::ptr::without_provenance_mut(handle));
            }
        }
    }
}

/// Names that are there, were there, or cannot be.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Name {
    Plain(u8),
    Upwards,
    Empty,
    Long,
    NoText,
}

impl Name {
    pub fn text(self) -> CString {
        let text = match self {
            Name::Plain(which) => format!("n{}", which % 3).into_bytes(),
            Name::Upwards => b"../n0".to_vec(),
            Name::Empty => Vec::new(),
            Name::Long => vec![b'n'; 5000],
            Name::NoText => vec![0xff, 0xfe],
        };
        CString::new(text).expect("there is no NUL in it")
    }
}

#[derive(Arbitrary, Clone, Copy, Debug)]
pub struct Messages {
    framing: u8,
    version: u32,
    max_message: u16,
    rest_ms: u8,
    handshake_ms: u8,
    named: bool,
    max_descriptors: u8,
}

/// What any of the option structs is filled from.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub struct Options {
    pub size: Option<u16>,
    pub tail: bool,
    pub scope: u8,
    pub trust: u8,
    pub numbers: [u16; 6],
    pub messages: Option<Messages>,
    pub rule: Option<u8>,
    pub callbacks: u16,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Call {
    ServerCreate(Options, u8),
    ServerListen(Handle, Name),
    ServerListenUnique(Handle, Name),
    ServerListenAbstract(Handle, u8),
    ServerListenDescriptor(Handle, u8),
    ServerAccept(Handle, u8, u8),
    ServerAsk(Handle, u16),
    ServerClose(Handle),
    ServerDestroy(Handle),
    Connect(Name, Options, u8, u8),
    Pair(Options, u8, u8),
    Adopt(Options, u8, u8),
    Release(Handle),
    Send(Handle, u16, u8),
    Receive(Handle, u16, u8),
    SendMessage(Handle, u16, u8, u8),
    ReceiveMessage(Handle, u16, u8, u8),
    Flush(Handle, u8),
    Wait(Handle, u32, u8),
    SetValidator(Handle, Option<bool>),
    SocketAsk(Handle, Options),
    SocketShutdown(Handle, u8, u8),
    SocketClose(Handle, Options, u8),
    SocketAbort(Handle),
    SocketDestroy(Handle),
    PollerCreate(Options, u8),
    PollerAdd(Handle, Handle, u32, u64),
    PollerModify(Handle, Handle, u32, u64),
    PollerRemove(Handle, Handle),
    PollerWait(Handle, u8, u8),
    PollerWake(Handle),
    PollerClose(Handle),
    PollerDestroy(Handle),
    ServiceCreate(Options, u8),
    ServiceStart(Handle, Option<Name>),
    ServiceStop(Handle, u8, Options),
    ServiceAsk(Handle, Options),
    ServiceDestroy(Handle),
    ConnectionUse(Handle, u16, u8),
    ConnectionEnd(Handle, bool),
    Exchange(Name, Options, u8),
    NameAsk(Name, u8, u16),
    NameRemove(Name, u8),
    SetOrigin(Handle, Name, u32),
    Report(u16),
}

/// A struct as a caller of any version has it: as long as it says, and with something behind what this version knows or not.
pub fn sized<T: Copy>(value: T, options: &Options) -> Vec<u64> {
    const WORDS: usize = 1024;
    let mut bytes = vec![0_u64; WORDS];
    if options.tail {
        bytes[size_of::<T>().div_ceil(8)..].fill(1);
    }
    // SAFETY: it is much larger than any of the structs, and as aligned.
    unsafe { bytes.as_mut_ptr().cast::<T>().write(value) };
    bytes[0] = options.size.map_or(size_of::<T>() as u64, |size| u64::from(size) % (WORDS as u64 * 8));
    bytes
}

/// What options name of the test kit's: mostly nothing, else any handle.
pub fn of_the_test_kit<T>(handles: &Handles, selector: u8) -> *const T {
    if selector < 0xc0 { null() } else { handles.get::<T>(Handle::At(selector)) }
}

/// Most calls don't wait, others do for a moment.
pub fn timeout(ms: u8) -> i64 {
    match ms {
        0..=150 => 0,
        151..=200 => i64::from(ms % 4),
        // There is no such timeout but -1, which is for ever: nobody is there to end it.
        _ => -2 - i64::from(ms),
    }
}

/// A bug that was caught is one all the same.
pub fn check(status: moorline_status) {
    assert!((0..=24).contains(&status) && status != 23, "status {status}");
}

unsafe extern "C" fn connected(_: *mut c_void, connection: *mut moorline_connection) {
    ask_for_peer(connection);
    // SAFETY: the data is there.
    check(unsafe { c::moorline_connection_send(connection, b"hello".as_ptr().cast(), 5, 0, null_mut()) });
}

fn ask_for_peer(connection: *mut moorline_connection) {
    let (mut process, mut credentials) = (0, sized_out::<moorline_credentials>());
    // SAFETY: handles may be anything, and the outputs are there.
    unsafe {
        check(c::moorline_connection_peer_credentials(connection, credentials.as_mut_ptr().cast()));
        let status = c::moorline_connection_peer_process(connection, &mut process);
        check(status);
        if status == 0 {
            close(process as i32);
        }
    }
}

unsafe extern "C" fn received(
    _: *mut c_void,
    connection: *mut moorline_connection,
    data: *const c_void,
    length: usize,
) {
    // SAFETY: the data is there until this returns.
    check(unsafe { c::moorline_connection_send(connection, data, length, 1, null_mut()) });
}

unsafe extern "C" fn message(
    _: *mut c_void,
    connection: *mut moorline_connection,
    data: *const c_void,
    length: usize,
) {
    // SAFETY: the data is there until this returns.
    check(unsafe { c::moorline_connection_send_message(connection, data, length, 1) });
}

/// Sends the descriptors back, and closes them, which are its own.
unsafe extern "C" fn message_with_descriptors(
    _: *mut c_void,
    connection: *mut moorline_connection,
    data: *const c_void,
    length: usize,
    descriptors: *const i32,
    count: usize,
) {
    // SAFETY: data and descriptors are there until this returns.
    unsafe {
        check(c::moorline_connection_send_message_with_descriptors(
            connection,
            data,
            length,
            descriptors,
            count,
            1,
        ));
        (0..count).for_each(|index| close(*descriptors.add(index)));
    }
}

unsafe extern "C" fn finished(_: *mut c_void, connection: *mut moorline_connection) {
    // SAFETY: handles may be anything.
    check(unsafe { c::moorline_connection_close(connection) });
}

unsafe extern "C" fn water(_: *mut c_void, _: *mut moorline_connection, _: usize) {}

unsafe extern "C" fn disconnected(
    _: *mut c_void,
    connection: *mut moorline_connection,
    reason: moorline_status,
) {
    check(reason);
    // SAFETY: handles may be anything.
    check(unsafe { c::moorline_connection_abort(connection) });
}

unsafe extern "C" fn admits(
    _: *mut c_void,
    _: *mut moorline_connection,
    _: *const c_void,
    length: usize,
) -> i32 {
    i32::from(!length.is_multiple_of(7))
}

unsafe extern "C" fn valid(context: *mut c_void, _: *const c_void, _: usize) -> i32 {
    context.addr() as i32
}

unsafe extern "C" fn admits_peer(_: *mut c_void, _: *const moorline_credentials) -> i32 {
    1
}

/// The structs that options point to, for as long as a call reads them.
struct Pointed {
    messages: Option<Vec<u64>>,
    policy: Option<Vec<u64>>,
    _application: CString,
    _ids: Box<[u32; 2]>,
}

impl Pointed {
    fn new(options: &Options) -> Pointed {
        let application = CString::new("fuzz").expect("no NUL");
        let ids = Box::new([0, 1000]);
        let messages = options.messages.map(|messages| {
            let value = moorline_message_options {
                struct_size: 0,
                framing: u32::from(messages.framing % 6),
                application_version: if messages.named { messages.version } else { 0 },
                max_message: usize::from(messages.max_message),
                message_timeout_ms: u32::from(messages.rest_ms),
                handshake_timeout_ms: u32::from(messages.handshake_ms),
                application: if messages.named { application.as_ptr() } else { null() },
                max_descriptors: u32::from(messages.max_descriptors),
                reserved: 0,
            };
            sized(value, &Options { size: None, ..*options })
        });
        let policy = options.rule.map(|rule| {
            let value = moorline_policy {
                struct_size: 0,
                rule: u32::from(rule % 6),
                reserved: 0,
                users: ids.as_ptr(),
                user_count: ids.len(),
                groups: null(),
                group_count: 0,
                admits: options.trust.is_multiple_of(2).then_some(admits_peer),
                context: null_mut(),
                release: None,
            };
            sized(value, &Options { size: None, ..*options })
        });
        Pointed { messages, policy, _application: application, _ids: ids }
    }

    fn messages(&self) -> *const moorline_message_options {
        self.messages.as_ref().map_or(null(), |messages| messages.as_ptr().cast())
    }

    fn policy(&self) -> *const moorline_policy {
        self.policy.as_ref().map_or(null(), |policy| policy.as_ptr().cast())
    }
}

fn socket_options(handles: &Handles, options: &Options, pointed: &Pointed) -> Vec<u64> {
    let value = moorline_socket_options {
        struct_size: 0,
        scope: u32::from(options.scope % 4),
        trust: u32::from(options.trust % 3),
        send_queue_limit: usize::from(options.numbers[0]),
        messages: pointed.messages(),
        faults: of_the_test_kit(handles, options.trust),
        busy_poll_us: u32::from(options.numbers[1] % 50),
        reserved: 0,
    };
    sized(value, options)
}

fn service_options(handles: &Handles, options: &Options, pointed: &Pointed) -> Vec<u64> {
    let [queue, high, low, connections, rate, times] = options.numbers;
    let value = moorline_service_options {
        struct_size: 0,
        scope: u32::from(options.scope % 4),
        mode: 0,
        backlog: u32::from(connections),
        workers: u32::from(times % 4),
        queue_limit: usize::from(queue),
        high_water: usize::from(high),
        low_water: usize::from(low),
        busy_poll_us: u32::from(times % 100),
        max_connections: u32::from(connections % 8),
        connection_rate: u32::from(rate),
        idle_timeout_ms: u32::from(times % 64),
        linger_ms: u32::from(rate % 64),
        reserved: 0,
        messages: pointed.messages(),
        policy: pointed.policy(),
        faults: of_the_test_kit(handles, options.trust),
        clock: of_the_test_kit(handles, options.scope),
    };
    sized(value, options)
}

fn callbacks(options: &Options) -> Vec<u64> {
    let has = |bit: u32| options.callbacks >> bit & 1 != 0;
    let value = moorline_service_callbacks {
        struct_size: 0,
        context: null_mut(),
        connected: has(0).then_some(connected),
        received: has(1).then_some(received),
        disconnected: has(2).then_some(disconnected),
        high_water: has(3).then_some(water),
        low_water: has(4).then_some(water),
        admits: has(5).then_some(admits),
        message: has(6).then_some(message),
        finished: has(7).then_some(finished),
        message_with_descriptors: has(9).then_some(message_with_descriptors),
    };
    sized(value, &Options { size: options.size.filter(|_| has(8)), ..*options })
}

impl Make for Call {
    fn make(&self, handles: &Handles) {
        let mut buffer = [0_u8; ROOM];
        let mut number = 0;
        let mut word = 0_u32;
        let mut descriptor = 0;
        let room = |wanted: u16| usize::from(wanted) % (ROOM + 1);
        let data = [b'x'; ROOM];
        // SAFETY: what is said about buffers is true; handles may be anything; descriptors are this program's.
        unsafe {
            match *self {
                Call::ServerCreate(options, place) => {
                    let pointed = Pointed::new(&options);
                    let value = moorline_server_options {
                        struct_size: 0,
                        scope: u32::from(options.scope % 4),
                        mode: u32::from(options.numbers[1]),
                        backlog: u32::from(options.numbers[2]),
                        send_queue_limit: usize::from(options.numbers[0]),
                        messages: pointed.messages(),
                        policy: pointed.policy(),
                        faults: of_the_test_kit(handles, options.trust),
                    };
                    let mut server = null_mut();
                    check(c::moorline_server_create(sized(value, &options).as_ptr().cast(), &mut server));
                    handles.put(place, server);
                }
                Call::ServerListen(server, name) => {
                    check(c::moorline_server_listen(handles.get(server), name.text().as_ptr()));
                }
                Call::ServerListenUnique(server, name) => {
                    check(c::moorline_server_listen_unique(handles.get(server), name.text().as_ptr()));
                }
                Call::ServerListenAbstract(server, length) => {
                    let (name, length) = abstract_name(length);
                    check(c::moorline_server_listen_abstract(
                        handles.get(server),
                        name.as_ptr().cast(),
                        length,
                    ));
                }
                Call::ServerListenDescriptor(server, kind) => {
                    let foreign = foreign(kind);
                    let status = c::moorline_server_listen_descriptor(handles.get(server), foreign);
                    check(status);
                    if status != 0 {
                        close(foreign);
                    }
                }
                Call::ServerAccept(server, ms, place) => {
                    let mut socket = null_mut();
                    check(c::moorline_server_accept(handles.get(server), timeout(ms), &mut socket));
                    handles.put(place, socket);
                }
                Call::ServerAsk(server, wanted) => {
                    let server = handles.get(server);
                    check(c::moorline_server_full_name(
                        server,
                        buffer.as_mut_ptr().cast(),
                        room(wanted),
                        &mut number,
                    ));
                    check(c::moorline_server_is_abstract(server, &mut word));
                    check(c::moorline_server_descriptor(server, &mut descriptor));
                    check(c::moorline_server_statistics(
                        server,
                        sized_out::<moorline_server_stats>().as_mut_ptr().cast(),
                    ));
                }
                Call::ServerClose(server) => check(c::moorline_server_close(handles.get(server))),
                Call::ServerDestroy(server) => check(c::moorline_server_destroy(handles.get(server))),
                Call::Connect(Name::Plain(length), options, ms, place) if options.tail => {
                    // For each plain name there is an abstract one.
                    let (name, length) = abstract_name(length);
                    let pointed = Pointed::new(&options);
                    let value = socket_options(handles, &options, &pointed);
                    let (name, value, ms) = (name.as_ptr().cast(), value.as_ptr().cast(), timeout(ms));
                    let mut socket = null_mut();
                    check(c::moorline_socket_connect_abstract(name, length, value, ms, &mut socket));
                    handles.put(place, socket);
                }
                Call::Connect(name, options, ms, place) => {
                    connect(handles, &name.text(), &options, ms, place);
                }
                Call::Pair(options, first_place, second_place) => {
                    let pointed = Pointed::new(&options);
                    let value = socket_options(handles, &options, &pointed);
                    let (mut first, mut second) = (null_mut(), null_mut());
                    check(c::moorline_socket_pair(value.as_ptr().cast(), &mut first, &mut second));
                    handles.put(first_place, first);
                    handles.put(second_place, second);
                }
                Call::Adopt(options, kind, place) => {
                    let pointed = Pointed::new(&options);
                    let value = socket_options(handles, &options, &pointed);
                    let mut socket = null_mut();
                    let foreign = foreign(kind);
                    let status =
                        c::moorline_socket_adopt_descriptor(foreign, value.as_ptr().cast(), &mut socket);
                    check(status);
                    if status != 0 && status != moorline::Status::LimitReached as i32 {
                        close(foreign);
                    }
                    handles.put(place, socket);
                }
                Call::Release(socket) => {
                    let socket = handles.get(socket);
                    check(c::moorline_socket_descriptor(socket, &mut descriptor));
                    let status = c::moorline_socket_release_descriptor(socket, &mut descriptor);
                    check(status);
                    if status == 0 {
                        close(descriptor as i32);
                    }
                }
                Call::Send(socket, length, ms) => {
                    let (socket, data) = (handles.get(socket), data.as_ptr().cast());
                    check(c::moorline_socket_send(socket, data, room(length), timeout(ms), &mut number));
                    check(c::moorline_socket_try_send(socket, data, room(length)));
                }
                Call::Receive(socket, wanted, ms) => {
                    let (socket, buffer) = (handles.get(socket), buffer.as_mut_ptr().cast());
                    check(c::moorline_socket_receive(socket, buffer, room(wanted), timeout(ms), &mut number));
                    assert!(number <= room(wanted));
                }
                Call::SendMessage(socket, length, count, ms) => {
                    let ours = [0_i32, 1];
                    let (socket, data) = (handles.get(socket), data.as_ptr().cast());
                    let (length, count, ms) = (room(length), usize::from(count % 3), timeout(ms));
                    let descriptors = ours.as_ptr();
                    check(c::moorline_socket_send_message_with_descriptors(
                        socket,
                        data,
                        length,
                        descriptors,
                        count,
                        ms,
                    ));
                    check(c::moorline_socket_send_message(socket, data, length, 0));
                }
                Call::ReceiveMessage(socket, wanted, places, ms) => {
                    let mut descriptors = [-1_i32; 4];
                    let mut count = 0;
                    check(c::moorline_socket_receive_message_with_descriptors(
                        handles.get(socket),
                        buffer.as_mut_ptr().cast(),
                        room(wanted),
                        timeout(ms),
                        &mut number,
                        descriptors.as_mut_ptr(),
                        usize::from(places % 5),
                        &mut count,
                    ));
                    let got = count.min(usize::from(places % 5));
                    descriptors[..got]
                        .iter()
                        .filter(|descriptor| **descriptor > 2)
                        .for_each(|got| close(*got));
                    let buffer = buffer.as_mut_ptr().cast();
                    check(c::moorline_socket_receive_message(
                        handles.get(socket),
                        buffer,
                        room(wanted),
                        0,
                        &mut number,
                    ));
                }
                Call::Flush(socket, ms) => check(c::moorline_socket_flush(handles.get(socket), timeout(ms))),
                Call::Wait(socket, interest, ms) => {
                    check(c::moorline_socket_wait(handles.get(socket), interest, timeout(ms), &mut word));
                }
                Call::SetValidator(socket, answer) => {
                    let context = std::ptr::without_provenance_mut(usize::from(answer == Some(true)));
                    check(c::moorline_socket_set_validator(
                        handles.get(socket),
                        answer.map(|_| valid as _),
                        context,
                    ));
                }
                Call::SocketAsk(socket, options) => {
                    let socket = handles.get(socket);
                    let report = |options: &Options| sized([0_u64; 8], options);
                    check(c::moorline_socket_statistics(socket, report(&options).as_mut_ptr().cast()));
                    check(c::moorline_socket_peer_credentials(socket, report(&options).as_mut_ptr().cast()));
                    let text = buffer.as_mut_ptr().cast();
                    check(c::moorline_socket_peer_application(socket, text, ROOM, &mut number, &mut word));
                    check(c::moorline_socket_may_have_message(socket, &mut word));
                    check(c::moorline_socket_max_message(socket, &mut number));
                    let status = c::moorline_socket_peer_process(socket, &mut descriptor);
                    check(status);
                    if status == 0 {
                        close(descriptor as i32);
                    }
                }
                Call::SocketShutdown(socket, direction, ms) => {
                    let direction = u32::from(direction % 4);
                    check(c::moorline_socket_shutdown(handles.get(socket), direction, timeout(ms)));
                }
                Call::SocketClose(socket, options, ms) => {
                    let mut report = sized([0_u64; 4], &options);
                    check(c::moorline_socket_close(
                        handles.get(socket),
                        timeout(ms),
                        report.as_mut_ptr().cast(),
                    ));
                }
                Call::SocketAbort(socket) => check(c::moorline_socket_abort(handles.get(socket), null_mut())),
                Call::SocketDestroy(socket) => check(c::moorline_socket_destroy(handles.get(socket))),
                Call::PollerCreate(options, place) => {
                    let value = moorline_poller_options {
                        struct_size: 0,
                        busy_poll_us: u32::from(options.numbers[0] % 50),
                        clock: of_the_test_kit(handles, options.scope),
                    };
                    let value = sized(value, &options);
                    let mut poller = null_mut();
                    check(c::moorline_poller_create(value.as_ptr().cast(), &mut poller));
                    handles.put(place, poller);
                }
                Call::PollerAdd(poller, what, interest, token) => {
                    let poller = handles.get(poller);
                    check(c::moorline_poller_add_socket(poller, handles.get(what), interest, token));
                    check(c::moorline_poller_add_server(poller, handles.get(what), interest, token));
                }
                Call::PollerModify(poller, what, interest, token) => {
                    let poller = handles.get(poller);
                    check(c::moorline_poller_modify_socket(poller, handles.get(what), interest, token));
                    check(c::moorline_poller_modify_server(poller, handles.get(what), interest, token));
                }
                Call::PollerRemove(poller, what) => {
                    let poller = handles.get(poller);
                    check(c::moorline_poller_remove_socket(poller, handles.get(what)));
                    check(c::moorline_poller_remove_server(poller, handles.get(what)));
                }
                Call::PollerWait(poller, wanted, ms) => {
                    let mut events = [moorline_event { token: 0, readiness: 0, reserved: 0 }; 4];
                    let capacity = usize::from(wanted % 5);
                    let (poller, events) = (handles.get(poller), events.as_mut_ptr());
                    check(c::moorline_poller_wait(poller, events, capacity, timeout(ms), &mut number));
                    assert!(number <= capacity);
                    let duration = u32::from(wanted);
                    check(c::moorline_poller_look(poller, events, capacity, duration, &mut number));
                    assert!(number <= capacity);
                }
                Call::PollerWake(poller) => {
                    let poller = handles.get(poller);
                    check(c::moorline_poller_wake(poller));
                    check(c::moorline_poller_descriptor(poller, &mut descriptor));
                }
                Call::PollerClose(poller) => check(c::moorline_poller_close(handles.get(poller))),
                Call::PollerDestroy(poller) => check(c::moorline_poller_destroy(handles.get(poller))),
                Call::ServiceCreate(options, place) => {
                    let pointed = Pointed::new(&options);
                    let value = service_options(handles, &options, &pointed);
                    let mut service = null_mut();
                    let callbacks = callbacks(&options);
                    let (value, callbacks) = (value.as_ptr().cast(), callbacks.as_ptr().cast());
                    check(c::moorline_service_create(value, callbacks, &mut service));
                    handles.put(place, service);
                }
                Call::ServiceStart(service, name) => check(match name {
                    Some(name) => c::moorline_service_start(handles.get(service), name.text().as_ptr()),
                    None => c::moorline_service_start_unique(handles.get(service), c"fuzz".as_ptr()),
                }),
                Call::ServiceStop(service, ms, options) => {
                    let mut report = sized([0_u64; 13], &options);
                    check(c::moorline_service_stop(
                        handles.get(service),
                        timeout(ms),
                        report.as_mut_ptr().cast(),
                    ));
                }
                Call::ServiceAsk(service, options) => {
                    let service = handles.get(service);
                    let mut report = sized([0_u64; 13], &options);
                    check(c::moorline_service_statistics(service, report.as_mut_ptr().cast()));
                    check(c::moorline_service_full_name(
                        service,
                        buffer.as_mut_ptr().cast(),
                        ROOM,
                        &mut number,
                    ));
                }
                Call::ServiceDestroy(service) => check(c::moorline_service_destroy(handles.get(service))),
                Call::ConnectionUse(connection, length, ms) => {
                    let connection = handles.get(connection);
                    let data = data.as_ptr().cast();
                    check(c::moorline_connection_send(
                        connection,
                        data,
                        room(length),
                        timeout(ms),
                        &mut number,
                    ));
                    check(c::moorline_connection_try_send(connection, data, room(length)));
                    check(c::moorline_connection_send_message_with_descriptors(
                        connection,
                        data,
                        room(length),
                        [0, 1].as_ptr(),
                        usize::from(ms % 3),
                        timeout(ms),
                    ));
                    check(c::moorline_connection_statistics(connection, null_mut()));
                    ask_for_peer(connection);
                }
                Call::ConnectionEnd(connection, at_once) => {
                    let connection = handles.get(connection);
                    let end =
                        if at_once { c::moorline_connection_abort } else { c::moorline_connection_close };
                    check(end(connection));
                }
                Call::Exchange(name, options, ms) => {
                    let value = moorline_exchange_options {
                        struct_size: 0,
                        scope: u32::from(options.scope % 4),
                        trust: u32::from(options.trust % 3),
                        connections: u32::from(options.numbers[0] % 4),
                        busy_poll_us: 0,
                        chunk: usize::from(options.numbers[1]),
                        round_trips: u64::from(options.numbers[2] % 20),
                        progress: None,
                        context: null_mut(),
                    };
                    let (name, value) = (name.text(), sized(value, &options));
                    let mut report = sized([0_u64; 5], &options);
                    let report = report.as_mut_ptr().cast();
                    check(c::moorline_exchange_run(
                        name.as_ptr(),
                        value.as_ptr().cast(),
                        timeout(ms),
                        report,
                    ));
                }
                Call::NameAsk(name, scope, wanted) => {
                    let (name, scope) = (name.text(), u32::from(scope % 4));
                    let (name, text) = (name.as_ptr(), buffer.as_mut_ptr().cast());
                    check(c::moorline_name_resolve(name, scope, text, room(wanted), &mut number));
                    check(c::moorline_name_state(name, scope, &mut word));
                }
                Call::NameRemove(name, scope) => {
                    check(c::moorline_name_remove(name.text().as_ptr(), u32::from(scope % 4)));
                }
                Call::SetOrigin(handle, file, line) => {
                    check(c::moorline_handle_set_origin(
                        handles.get::<c_void>(handle),
                        file.text().as_ptr(),
                        line,
                    ));
                }
                Call::Report(wanted) => {
                    let text = buffer.as_mut_ptr().cast();
                    check(c::moorline_live_handles_report(text, room(wanted), &mut number));
                    check(c::moorline_last_error(text, room(wanted), &mut number));
                    let _ = c::moorline_last_os_error();
                    let _ = c::moorline_abi_version();
                    let (name, version) = (c::moorline_status_name(i32::from(wanted)), c::moorline_version());
                    assert!(!name.is_null() && !version.is_null());
                }
            }
        }
    }
}

pub fn connect(handles: &Handles, name: &CStr, options: &Options, ms: u8, place: u8) {
    let pointed = Pointed::new(options);
    let value = socket_options(handles, options, &pointed);
    let mut socket = null_mut();
    // SAFETY: name and options are there.
    check(unsafe {
        c::moorline_socket_connect(name.as_ptr(), value.as_ptr().cast(), timeout(ms), &mut socket)
    });
    handles.put(place, socket);
}

pub fn sized_out<T>() -> Vec<u64> {
    let mut words = vec![0; size_of::<T>().div_ceil(8)];
    words[0] = size_of::<T>() as u64;
    words
}

/// One of the abstract names, and how much of it is meant: few, so that they meet, with those that are just short enough or too long.
fn abstract_name(length: u8) -> (String, usize) {
    let name = format!("moorline-fuzz-{}-{:>200}", std::process::id(), "x");
    let lengths = [0, 30, 107, 108, name.len()];
    (name, lengths[usize::from(length) % lengths.len()])
}

/// A descriptor to give away: of a socket of some kind, of a file that is none, or no descriptor.
fn foreign(kind: u8) -> i32 {
    static LISTENERS: AtomicUsize = AtomicUsize::new(0);
    let listen = || {
        let name = format!("{}-{}", std::process::id(), LISTENERS.fetch_add(1, Relaxed));
        UnixListener::bind_addr(&SocketAddr::from_abstract_name(name)?)
    };
    let made: std::io::Result<OwnedFd> = match kind % 5 {
        0 => return -1,
        1 => UnixStream::pair().map(|(one, _)| one.into()),
        2 => listen().map(OwnedFd::from),
        3 => UnixDatagram::unbound().map(OwnedFd::from),
        _ => std::fs::File::open("/dev/null").map(OwnedFd::from),
    };
    made.map_or(-1, IntoRawFd::into_raw_fd)
}

/// Closes a descriptor that is the caller's, if it is one.
fn close(descriptor: i32) {
    if descriptor != -1 {
        // SAFETY: the library has given it away, or has not taken it.
        drop(unsafe { OwnedFd::from_raw_fd(descriptor) });
    }
}

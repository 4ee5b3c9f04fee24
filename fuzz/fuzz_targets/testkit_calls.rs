//! A call of the test kit's part of the C ABI, or of the other: which, with what.

use crate::calls::{
    self, Handle, Handles, Name, Options, ROOM, check, of_the_test_kit, sized, sized_out, timeout,
};
use crate::run::{Make, recording};
use arbitrary::Arbitrary;
use moorline::fuzzing::c::{self, *};
use std::ffi::CString;
use std::ptr::null_mut;

/// Small numbers, none, and such that are next to what can be counted.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Number {
    None,
    Small(u8),
    Most(u8),
}

impl Number {
    fn get(self) -> u64 {
        match self {
            Number::None => 0,
            Number::Small(number) => u64::from(number),
            Number::Most(less) => u64::MAX - u64::from(less),
        }
    }
}

/// A server of somebody's: by its name, or whoever has this handle.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Place {
    Named(Name),
    Of(Handle),
}

impl Place {
    fn text(self, handles: &Handles) -> CString {
        let handle = match self {
            Place::Named(name) => return name.text(),
            Place::Of(handle) => handle,
        };
        // A call that fails empties its text.
        let mut texts = [[0_u8; ROOM]; 4];
        let [fixture, proxy, service, server] = texts.each_mut().map(|text| text.as_mut_ptr().cast());
        let mut length = 0;
        // SAFETY: the room is there, and handles may be anything.
        let answers = unsafe {
            [
                c::moorline_fixture_full_name(handles.get(handle), fixture, ROOM, &mut length),
                c::moorline_proxy_full_name(handles.get(handle), proxy, ROOM, &mut length),
                c::moorline_service_full_name(handles.get(handle), service, ROOM, &mut length),
                c::moorline_server_full_name(handles.get(handle), server, ROOM, &mut length),
            ]
        };
        answers.into_iter().for_each(check);
        // One at most is of its kind.
        let text =
            texts.iter().flat_map(|text| text.split(|byte| *byte == 0).next()).collect::<Vec<_>>().concat();
        CString::new(text).expect("it ends where the first NUL is")
    }
}

#[derive(Arbitrary, Clone, Copy, Debug)]
pub struct Faults {
    seed: u8,
    direction: u8,
    backlog_full: bool,
    pieces: [Number; 2],
    delays: [Number; 2],
    window: Number,
    would_block: [u8; 2],
    nth: [Number; 4],
    one_in: [Number; 2],
    accepts: [Number; 3],
}

impl Faults {
    fn options(&self) -> moorline_faults {
        let bytes = |number: Number| usize::try_from(number.get()).unwrap_or(usize::MAX);
        let [pieces_min, pieces_max] = self.pieces.map(bytes);
        let [delay_min_us, delay_max_us] = self.delays.map(Number::get);
        let [reset_nth, stop_reading_nth, flip_nth, lose_nth] = self.nth.map(Number::get);
        let [flip_one_in, lose_one_in] = self.one_in.map(Number::get);
        let [refuse_accept_nth, no_descriptors_nth, accept_delay_us] = self.accepts.map(Number::get);
        moorline_faults {
            struct_size: 0,
            seed: u64::from(self.seed),
            direction: u32::from(self.direction % 4),
            backlog_full: u32::from(self.backlog_full),
            pieces_min,
            pieces_max,
            delay_min_us,
            delay_max_us,
            window: bytes(self.window),
            would_block_min: u32::from(self.would_block[0]),
            would_block_max: u32::from(self.would_block[1]),
            reset_nth,
            stop_reading_nth,
            flip_nth,
            flip_one_in,
            lose_nth,
            lose_one_in,
            refuse_accept_nth,
            no_descriptors_nth,
            accept_delay_us,
        }
    }
}

/// What fixtures do, and what is no script.
const SCRIPTS: [&str; 8] = [
    "echo",
    "sink",
    "flood",
    "flood 1000\nend",
    "expect \"x\" within 2ms\nsend \"y\"\nexpect-end",
    "framing big-endian\nexpect-message \"x\"\nsend-message \"\"\nwait 1ms\nreset",
    "close",
    "none",
];

#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Call {
    Other(calls::Call),
    Connect(Place, Options, u8, u8),
    VerdictsCreate(u8),
    VerdictsFail(Handle, Name, u32),
    VerdictsExpect(Handle, Number),
    VerdictsDone(Handle),
    VerdictsAsk(Handle, Options, u8),
    VerdictsDestroy(Handle),
    FaultsCreate(Faults, Options, u8),
    FaultsAsk(Handle, Options, u16),
    FaultsOpenBacklog(Handle),
    FaultsEnd(Handle),
    FaultsDestroy(Handle),
    ClockCreate(u8),
    ClockAdvance(Handle, Number),
    ClockPassed(Handle),
    ClockDestroy(Handle),
    FixtureStart(u8, Options, Handle, u8),
    FixtureAsk(Handle, Options, u16),
    FixtureWait(Handle, Number, u8),
    FixtureStop(Handle),
    FixtureDestroy(Handle),
    LeaksCreate(u8),
    LeaksAsk(Handle, u32, Options, u8),
    LeaksDestroy(Handle),
    TapCreate(u8, u8),
    TapCheck(Handle),
    TapDestroy(Handle),
    ProxyStart(Place, Place, Options, Handle, u8),
    ProxyAsk(Handle, u16),
    ProxyStop(Handle, u8),
    ProxyDestroy(Handle),
    RecordingRead(u8, u8),
    RecordingAsk(Handle, u16),
    RecordingPlayClients(Handle, Place, Options, u8),
    RecordingPlayServer(Handle, Handle, Options, u8),
    RecordingDestroy(Handle),
}

impl Make for Call {
    fn make(&self, handles: &Handles) {
        let mut text = [0_u8; ROOM];
        let mut length = 0;
        let mut number = 0;
        let text = text.as_mut_ptr().cast();
        let room = |wanted: u16| usize::from(wanted) % (ROOM + 1);
        // SAFETY: what is said about buffers is true, and handles may be anything.
        unsafe {
            match *self {
                Call::Other(call) => call.make(handles),
                Call::Connect(place, options, ms, at) => {
                    calls::connect(handles, &place.text(handles), &options, ms, at);
                }
                Call::VerdictsCreate(at) => {
                    let mut verdicts = null_mut();
                    check(c::moorline_verdicts_create(&mut verdicts));
                    handles.put(at, verdicts);
                }
                Call::VerdictsFail(verdicts, name, line) => {
                    let name = name.text();
                    let name = name.as_ptr();
                    check(c::moorline_verdicts_fail(handles.get(verdicts), name, line, name));
                }
                Call::VerdictsExpect(verdicts, times) => {
                    check(c::moorline_verdicts_expect(handles.get(verdicts), times.get()));
                }
                Call::VerdictsDone(verdicts) => check(c::moorline_verdicts_done(handles.get(verdicts))),
                Call::VerdictsAsk(verdicts, options, ms) => {
                    let verdicts = handles.get(verdicts);
                    check(c::moorline_verdicts_wait(verdicts, timeout(ms)));
                    check(c::moorline_verdicts_count(verdicts, &mut number));
                    let mut failure = sized([0_u64; 7], &options);
                    check(c::moorline_verdicts_take_first(verdicts, failure.as_mut_ptr().cast()));
                }
                Call::VerdictsDestroy(verdicts) => check(c::moorline_verdicts_destroy(handles.get(verdicts))),
                Call::FaultsCreate(faults, options, at) => {
                    let mut plan = null_mut();
                    let faults = sized(faults.options(), &options);
                    check(c::moorline_fault_plan_create(faults.as_ptr().cast(), &mut plan));
                    handles.put(at, plan);
                }
                Call::FaultsAsk(plan, options, wanted) => {
                    let plan = handles.get(plan);
                    let mut counts = sized([0_u64; 11], &options);
                    check(c::moorline_fault_plan_counts(plan, counts.as_mut_ptr().cast()));
                    check(c::moorline_fault_plan_happened(plan, text, room(wanted), &mut length));
                }
                Call::FaultsOpenBacklog(plan) => {
                    check(c::moorline_fault_plan_open_backlog(handles.get(plan)))
                }
                Call::FaultsEnd(plan) => check(c::moorline_fault_plan_end(handles.get(plan))),
                Call::FaultsDestroy(plan) => check(c::moorline_fault_plan_destroy(handles.get(plan))),
                Call::ClockCreate(at) => {
                    let mut clock = null_mut();
                    check(c::moorline_clock_create(&mut clock));
                    handles.put(at, clock);
                }
                Call::ClockAdvance(clock, by) => {
                    check(c::moorline_clock_advance(handles.get(clock), by.get()));
                }
                Call::ClockPassed(clock) => check(c::moorline_clock_passed(handles.get(clock), &mut number)),
                Call::ClockDestroy(clock) => check(c::moorline_clock_destroy(handles.get(clock))),
                Call::FixtureStart(script, options, verdicts, at) => {
                    let script = CString::new(SCRIPTS[usize::from(script) % SCRIPTS.len()]).expect("no NUL");
                    let value = moorline_fixture_options {
                        struct_size: 0,
                        scope: u32::from(options.scope % 4),
                        backlog: u32::from(options.numbers[0]),
                        quiet: 1,
                        reserved: 0,
                        prefix: c"fuzz".as_ptr(),
                        faults: of_the_test_kit(handles, options.trust),
                        clock: of_the_test_kit(handles, options.scope),
                        verdicts: if options.tail {
                            handles.get::<moorline_verdicts>(verdicts)
                        } else {
                            null_mut()
                        },
                    };
                    let mut fixture = null_mut();
                    let value = sized(value, &Options { tail: false, ..options });
                    check(c::moorline_fixture_start(script.as_ptr(), value.as_ptr().cast(), &mut fixture));
                    handles.put(at, fixture);
                }
                Call::FixtureAsk(fixture, options, wanted) => {
                    let fixture = handles.get(fixture);
                    let mut statistics = sized([0_u64; 6], &options);
                    check(c::moorline_fixture_statistics(fixture, statistics.as_mut_ptr().cast()));
                    check(c::moorline_fixture_transcript(fixture, text, room(wanted), &mut length));
                }
                Call::FixtureWait(fixture, times, ms) => {
                    let fixture = handles.get(fixture);
                    check(c::moorline_fixture_wait(fixture, times.get(), timeout(ms)));
                    check(c::moorline_fixture_wait_received(fixture, times.get(), timeout(ms)));
                }
                Call::FixtureStop(fixture) => check(c::moorline_fixture_stop(handles.get(fixture))),
                Call::FixtureDestroy(fixture) => check(c::moorline_fixture_destroy(handles.get(fixture))),
                Call::LeaksCreate(at) => {
                    let mut guard = null_mut();
                    check(c::moorline_leak_guard_create(&mut guard));
                    handles.put(at, guard);
                }
                Call::LeaksAsk(guard, kinds, options, ms) => {
                    let guard = handles.get(guard);
                    check(c::moorline_leak_guard_wait(guard, kinds % 17, timeout(ms), &mut length));
                    check(c::moorline_leak_guard_report(guard, text, ROOM, &mut length));
                    let mut leak = sized([0_u64; 7], &options);
                    let index = usize::from(options.scope % 4);
                    check(c::moorline_leak_guard_leak(guard, index, leak.as_mut_ptr().cast()));
                }
                Call::LeaksDestroy(guard) => check(c::moorline_leak_guard_destroy(handles.get(guard))),
                Call::TapCreate(which, at) => {
                    let mut tap = null_mut();
                    check(c::moorline_tap_create(path(which).as_ptr(), &mut tap));
                    handles.put(at, tap);
                }
                Call::TapCheck(tap) => check(c::moorline_tap_check(handles.get(tap))),
                Call::TapDestroy(tap) => check(c::moorline_tap_destroy(handles.get(tap))),
                Call::ProxyStart(name, target, options, tap, at) => {
                    let (name, target) = (name.text(handles), target.text(handles));
                    let value = moorline_proxy_options {
                        struct_size: 0,
                        scope: u32::from(options.scope % 4),
                        mode: u32::from(options.numbers[1]),
                        backlog: u32::from(options.numbers[2]),
                        trust: u32::from(options.trust % 3),
                        connect_timeout_ms: u32::from(options.numbers[3] % 50),
                        reserved: 0,
                        faults: of_the_test_kit(handles, options.trust),
                        tap: if options.tail { handles.get::<moorline_tap>(tap) } else { null_mut() },
                    };
                    let mut proxy = null_mut();
                    let value = sized(value, &Options { tail: false, ..options });
                    let value = value.as_ptr().cast();
                    check(c::moorline_proxy_start(name.as_ptr(), target.as_ptr(), value, &mut proxy));
                    handles.put(at, proxy);
                }
                Call::ProxyAsk(proxy, wanted) => {
                    check(c::moorline_proxy_take_failures(
                        handles.get(proxy),
                        text,
                        room(wanted),
                        &mut length,
                    ));
                }
                Call::ProxyStop(proxy, ms) => check(c::moorline_proxy_stop(handles.get(proxy), timeout(ms))),
                Call::ProxyDestroy(proxy) => check(c::moorline_proxy_destroy(handles.get(proxy))),
                Call::RecordingRead(which, at) => {
                    let mut read = null_mut();
                    check(c::moorline_recording_read(path(which).as_ptr(), &mut read));
                    handles.put(at, read);
                }
                Call::RecordingAsk(read, wanted) => {
                    let read = handles.get(read);
                    let mut entries = 0;
                    check(c::moorline_recording_size(read, &mut length, &mut entries));
                    check(c::moorline_recording_text(read, text, room(wanted), &mut length));
                }
                Call::RecordingPlayClients(read, place, options, ms) => {
                    let (name, value) = (place.text(handles), replay_options(&options));
                    let mut report = sized_out::<moorline_replay_report>();
                    let (value, report) = (value.as_ptr().cast(), report.as_mut_ptr().cast());
                    let read = handles.get(read);
                    check(c::moorline_recording_play_clients(
                        read,
                        name.as_ptr(),
                        value,
                        timeout(ms),
                        report,
                    ));
                }
                Call::RecordingPlayServer(read, server, options, ms) => {
                    let value = replay_options(&options);
                    let mut report = sized_out::<moorline_replay_report>();
                    let (value, report) = (value.as_ptr().cast(), report.as_mut_ptr().cast());
                    let (read, server) = (handles.get(read), handles.get(server));
                    check(c::moorline_recording_play_server(read, server, value, timeout(ms), report));
                }
                Call::RecordingDestroy(read) => check(c::moorline_recording_destroy(handles.get(read))),
            }
        }
    }
}

fn path(which: u8) -> CString {
    CString::new(recording(which).into_os_string().into_encoded_bytes()).expect("no NUL")
}

fn replay_options(options: &Options) -> Vec<u64> {
    let value = moorline_replay_options {
        struct_size: 0,
        scope: u32::from(options.scope % 4),
        trust: u32::from(options.trust % 3),
        real_time: u32::from(options.tail),
        patience_ms: u32::from(options.numbers[0] % 8),
    };
    sized(value, &Options { tail: false, ..*options })
}

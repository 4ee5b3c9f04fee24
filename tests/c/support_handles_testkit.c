#include "support_handles.h"

void *live[KINDS];
void *stale[KINDS];

/* --- one caller for each function and each handle that it takes: right but for the handle; outputs must come back zero --- */

CALLER(clock_advance, moorline_clock_advance(handle, 1))

static moorline_status clock_passed(void *handle)
{
    uint64_t passed = POISON;
    moorline_status status = moorline_clock_passed(handle, &passed);
    CHECK_NUMBER(passed, 0);
    return status;
}

CALLER(clock_destroy, moorline_clock_destroy(handle))
STRUCT_CALLER(fault_plan_counts, moorline_fault_counts, moorline_fault_plan_counts(handle, out))
TEXT_CALLER(fault_plan_happened)
CALLER(fault_plan_open_backlog, moorline_fault_plan_open_backlog(handle))
CALLER(fault_plan_end, moorline_fault_plan_end(handle))
CALLER(fault_plan_destroy, moorline_fault_plan_destroy(handle))
CALLER(verdicts_fail, moorline_verdicts_fail(handle, "file", 1, "text"))
CALLER(verdicts_expect, moorline_verdicts_expect(handle, 1))
CALLER(verdicts_done, moorline_verdicts_done(handle))
CALLER(verdicts_wait, moorline_verdicts_wait(handle, 0))

static moorline_status verdicts_count(void *handle)
{
    uint64_t count = POISON;
    moorline_status status = moorline_verdicts_count(handle, &count);
    CHECK_NUMBER(count, 0);
    return status;
}

STRUCT_CALLER(verdicts_take_first, moorline_failure, moorline_verdicts_take_first(handle, out))
CALLER(verdicts_destroy, moorline_verdicts_destroy(handle))
TEXT_CALLER(fixture_full_name)
STRUCT_CALLER(fixture_statistics, moorline_fixture_stats, moorline_fixture_statistics(handle, out))
TEXT_CALLER(fixture_transcript)
CALLER(fixture_wait, moorline_fixture_wait(handle, 1, 0))
CALLER(fixture_wait_received, moorline_fixture_wait_received(handle, 1, 0))
CALLER(fixture_stop, moorline_fixture_stop(handle))
CALLER(fixture_destroy, moorline_fixture_destroy(handle))

static moorline_status leak_guard_wait(void *handle)
{
    size_t count = POISON;
    moorline_status status = moorline_leak_guard_wait(handle, 0, 0, &count);
    CHECK_NUMBER(count, 0);
    return status;
}

TEXT_CALLER(leak_guard_report)
STRUCT_CALLER(leak_guard_leak, moorline_leak, moorline_leak_guard_leak(handle, 0, out))
CALLER(leak_guard_destroy, moorline_leak_guard_destroy(handle))
TEXT_CALLER(proxy_full_name)
TEXT_CALLER(proxy_take_failures)
CALLER(proxy_stop, moorline_proxy_stop(handle, 0))
CALLER(proxy_destroy, moorline_proxy_destroy(handle))
CALLER(tap_check, moorline_tap_check(handle))
CALLER(tap_destroy, moorline_tap_destroy(handle))
TEXT_CALLER(recording_text)

static moorline_status recording_size(void *handle)
{
    size_t connections = POISON;
    size_t entries = POISON;
    moorline_status status = moorline_recording_size(handle, &connections, &entries);
    CHECK_NUMBER(connections, 0);
    CHECK_NUMBER(entries, 0);
    return status;
}

STRUCT_CALLER(recording_play_clients, moorline_replay_report, moorline_recording_play_clients(handle, "nobody", NULL, 0, out))
STRUCT_CALLER(recording_play_server, moorline_replay_report, moorline_recording_play_server(handle, live[SERVER], NULL, 0, out))
CALLER(recording_play_this_server, moorline_recording_play_server(live[RECORDING], handle, NULL, 0, NULL))
CALLER(recording_destroy, moorline_recording_destroy(handle))

const struct function testkit_functions[] = {
    {"moorline_clock_advance", CLOCK, clock_advance},
    {"moorline_clock_passed", CLOCK, clock_passed},
    {"moorline_clock_destroy", CLOCK, clock_destroy},
    {"moorline_fault_plan_counts", FAULT_PLAN, fault_plan_counts},
    {"moorline_fault_plan_happened", FAULT_PLAN, fault_plan_happened},
    {"moorline_fault_plan_open_backlog", FAULT_PLAN, fault_plan_open_backlog},
    {"moorline_fault_plan_end", FAULT_PLAN, fault_plan_end},
    {"moorline_fault_plan_destroy", FAULT_PLAN, fault_plan_destroy},
    {"moorline_verdicts_fail", VERDICTS, verdicts_fail},
    {"moorline_verdicts_expect", VERDICTS, verdicts_expect},
    {"moorline_verdicts_done", VERDICTS, verdicts_done},
    {"moorline_verdicts_wait", VERDICTS, verdicts_wait},
    {"moorline_verdicts_count", VERDICTS, verdicts_count},
    {"moorline_verdicts_take_first", VERDICTS, verdicts_take_first},
    {"moorline_verdicts_destroy", VERDICTS, verdicts_destroy},
    {"moorline_fixture_full_name", FIXTURE, fixture_full_name},
    {"moorline_fixture_statistics", FIXTURE, fixture_statistics},
    {"moorline_fixture_transcript", FIXTURE, fixture_transcript},
    {"moorline_fixture_wait", FIXTURE, fixture_wait},
    {"moorline_fixture_wait_received", FIXTURE, fixture_wait_received},
    {"moorline_fixture_stop", FIXTURE, fixture_stop},
    {"moorline_fixture_destroy", FIXTURE, fixture_destroy},
    {"moorline_leak_guard_wait", LEAK_GUARD, leak_guard_wait},
    {"moorline_leak_guard_report", LEAK_GUARD, leak_guard_report},
    {"moorline_leak_guard_leak", LEAK_GUARD, leak_guard_leak},
    {"moorline_leak_guard_destroy", LEAK_GUARD, leak_guard_destroy},
    {"moorline_proxy_full_name", PROXY, proxy_full_name},
    {"moorline_proxy_take_failures", PROXY, proxy_take_failures},
    {"moorline_proxy_stop", PROXY, proxy_stop},
    {"moorline_proxy_destroy", PROXY, proxy_destroy},
    {"moorline_tap_check", TAP, tap_check},
    {"moorline_tap_destroy", TAP, tap_destroy},
    {"moorline_recording_text", RECORDING, recording_text},
    {"moorline_recording_size", RECORDING, recording_size},
    {"moorline_recording_play_clients", RECORDING, recording_play_clients},
    {"moorline_recording_play_server", RECORDING, recording_play_server},
    {"moorline_recording_play_server", SERVER, recording_play_this_server},
    {"moorline_recording_destroy", RECORDING, recording_destroy},
};
const size_t testkit_function_count = sizeof testkit_functions / sizeof testkit_functions[0];

/* test_testkit_options.c has their bad arguments. */
const char *const testkit_without_handle[] = {
    "moorline_clock_create",      "moorline_fault_plan_create", "moorline_verdicts_create", "moorline_fixture_start",
    "moorline_leak_guard_create", "moorline_proxy_start",       "moorline_tap_create",      "moorline_recording_read",
};
const size_t testkit_without_handle_count = sizeof testkit_without_handle / sizeof testkit_without_handle[0];

/* --- the handles --- */

static void make_one(enum kind kind, void **handle)
{
    *handle = NULL;
    switch (kind) {
    case CLOCK: {
        moorline_clock *clock = NULL;
        CHECK_OK(moorline_clock_create(&clock));
        *handle = clock;
        break;
    }
    case FAULT_PLAN: {
        moorline_fault_plan *plan = NULL;
        CHECK_OK(moorline_fault_plan_create(NULL, &plan));
        *handle = plan;
        break;
    }
    case VERDICTS: {
        moorline_verdicts *verdicts = NULL;
        CHECK_OK(moorline_verdicts_create(&verdicts));
        *handle = verdicts;
        break;
    }
    case FIXTURE: {
        moorline_fixture *fixture = NULL;
        CHECK_OK(moorline_fixture_start("echo", NULL, &fixture));
        *handle = fixture;
        break;
    }
    case LEAK_GUARD: {
        moorline_leak_guard *guard = NULL;
        CHECK_OK(moorline_leak_guard_create(&guard));
        *handle = guard;
        break;
    }
    case PROXY: {
        moorline_proxy *proxy = NULL;
        CHECK_OK(moorline_proxy_start("proxy", "nobody", NULL, &proxy));
        *handle = proxy;
        break;
    }
    case TAP: {
        struct path file = in_test_directory("tap");
        moorline_tap *tap = NULL;
        (void)unlink(file.text);
        CHECK_OK(moorline_tap_create(file.text, &tap));
        *handle = tap;
        break;
    }
    case RECORDING: {
        struct path file = in_test_directory("recording");
        moorline_recording *recording = NULL;
        write_file(file.text, "moorline-tap 1\n0 1 open\n");
        CHECK_OK(moorline_recording_read(file.text, &recording));
        CHECK_SYSTEM(unlink(file.text));
        *handle = recording;
        break;
    }
    default: fail("kind %d is not of the test kit", (int)kind);
    }
}

static moorline_status destroy_one(enum kind kind, void *handle)
{
    switch (kind) {
    case CLOCK: return moorline_clock_destroy(handle);
    case FAULT_PLAN: return moorline_fault_plan_destroy(handle);
    case VERDICTS: return moorline_verdicts_destroy(handle);
    case FIXTURE: return moorline_fixture_destroy(handle);
    case LEAK_GUARD: return moorline_leak_guard_destroy(handle);
    case PROXY: return moorline_proxy_destroy(handle);
    case TAP: return moorline_tap_destroy(handle);
    default: return moorline_recording_destroy(handle);
    }
}

void make_testkit_handles(void)
{
    for (int kind = CLOCK; kind < KINDS; ++kind) {
        make_one((enum kind)kind, &stale[kind]);
        CHECK_OK(destroy_one((enum kind)kind, stale[kind]));
        make_one((enum kind)kind, &live[kind]);
    }
}

void destroy_testkit_handles(void)
{
    for (int kind = CLOCK; kind < KINDS; ++kind) {
        CHECK_OK(destroy_one((enum kind)kind, live[kind]));
    }
    CHECK_SYSTEM(unlink(in_test_directory("tap").text));
}

void expect_testkit_handles_stale(void)
{
    for (int kind = CLOCK; kind < KINDS; ++kind) {
        CHECK_STATUS(destroy_one((enum kind)kind, live[kind]), MOORLINE_STALE_HANDLE);
    }
}

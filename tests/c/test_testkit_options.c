/* Arguments of the test kit that are no handles: structs of any size, numbers out of range, timeouts, missing outputs; and handles
   in options. */
#include "support_options.h"
#include "support_testkit.h"

/* --- option structs: each is given in all sizes --- */

static moorline_status faults_of(union sized *options)
{
    moorline_fault_plan *plan = (moorline_fault_plan *)options;
    moorline_status status = moorline_fault_plan_create((const moorline_faults *)options, &plan);
    if (status == MOORLINE_OK) {
        CHECK_OK(moorline_fault_plan_destroy(plan));
    } else {
        CHECK_POINTER(plan, NULL);
    }
    return status;
}

static moorline_status fixture_options(union sized *options)
{
    moorline_fixture *fixture = (moorline_fixture *)options;
    moorline_status status = moorline_fixture_start("echo", (const moorline_fixture_options *)options, &fixture);
    if (status == MOORLINE_OK) {
        CHECK_OK(moorline_fixture_destroy(fixture));
    } else {
        CHECK_POINTER(fixture, NULL);
    }
    return status;
}

static moorline_status proxy_options(union sized *options)
{
    moorline_proxy *proxy = (moorline_proxy *)options;
    moorline_status status = moorline_proxy_start("proxy", "nobody", (const moorline_proxy_options *)options, &proxy);
    if (status == MOORLINE_OK) {
        CHECK_OK(moorline_proxy_destroy(proxy));
    } else {
        CHECK_POINTER(proxy, NULL);
    }
    return status;
}

static moorline_recording *recording;

static moorline_status replay_options(union sized *options)
{
    moorline_status status =
        moorline_recording_play_clients(recording, "nobody", (const moorline_replay_options *)options, 0, NULL);
    return status == MOORLINE_NOT_FOUND ? MOORLINE_OK : status; /* so far it came */
}

static void read_recording(void)
{
    const struct path file = in_test_directory("record");
    write_file(file.text, "moorline-tap 1\n0 1 open\n0 1 close\n");
    CHECK_OK(moorline_recording_read(file.text, &recording));
    CHECK_SYSTEM(unlink(file.text));
}

static void test_sizes_of_options(void)
{
    static const struct sized_options cases[] = {
        {"moorline_faults", sizeof(moorline_faults), faults_of},
        {"moorline_fixture_options", sizeof(moorline_fixture_options), fixture_options},
        {"moorline_proxy_options", sizeof(moorline_proxy_options), proxy_options},
        {"moorline_replay_options", sizeof(moorline_replay_options), replay_options},
    };
    read_recording();
    check_sizes_of_options(cases, sizeof cases / sizeof cases[0]);
    CHECK_OK(moorline_recording_destroy(recording));
}

/* Options of a program that was built before there were faults and clocks: what follows them in memory is not theirs. */
static void test_options_from_before(void)
{
    static union sized options;
    moorline_server *server = NULL;
    moorline_socket *first = NULL;
    moorline_socket *second = NULL;
    moorline_poller *poller = NULL;
    moorline_service *service = NULL;
    memset(&options, 0xee, sizeof options);
    memset(&options, 0, offsetof(moorline_server_options, faults));
    options.struct_size = offsetof(moorline_server_options, faults);
    CHECK_OK(moorline_server_create((const moorline_server_options *)&options, &server));
    memset(&options, 0xee, sizeof options);
    memset(&options, 0, offsetof(moorline_socket_options, faults));
    options.struct_size = offsetof(moorline_socket_options, faults);
    CHECK_OK(moorline_socket_pair((const moorline_socket_options *)&options, &first, &second));
    memset(&options, 0xee, sizeof options);
    memset(&options, 0, offsetof(moorline_poller_options, clock));
    options.struct_size = offsetof(moorline_poller_options, clock);
    CHECK_OK(moorline_poller_create((const moorline_poller_options *)&options, &poller));
    memset(&options, 0xee, sizeof options);
    memset(&options, 0, offsetof(moorline_service_options, faults));
    options.struct_size = offsetof(moorline_service_options, faults);
    CHECK_OK(moorline_service_create((const moorline_service_options *)&options, NULL, &service));
    send_text(first, "x");
    expect_text(second, "x");
    CHECK_OK(moorline_server_destroy(server));
    CHECK_OK(moorline_socket_destroy(first));
    CHECK_OK(moorline_socket_destroy(second));
    CHECK_OK(moorline_poller_destroy(poller));
    CHECK_OK(moorline_service_destroy(service));
}

/* --- handles in options --- */

static void expect_refused(const void *faults, const void *clock, moorline_status expected)
{
    moorline_server_options of_server = MOORLINE_SERVER_OPTIONS_INIT;
    moorline_socket_options of_socket = MOORLINE_SOCKET_OPTIONS_INIT;
    moorline_service_options of_service = MOORLINE_SERVICE_OPTIONS_INIT;
    moorline_poller_options of_poller = MOORLINE_POLLER_OPTIONS_INIT;
    moorline_fixture_options of_fixture = MOORLINE_FIXTURE_OPTIONS_INIT;
    moorline_proxy_options of_proxy = MOORLINE_PROXY_OPTIONS_INIT;
    moorline_server *server = NULL;
    moorline_socket *first = NULL;
    moorline_socket *second = NULL;
    moorline_service *service = NULL;
    moorline_poller *poller = NULL;
    moorline_fixture *fixture = NULL;
    moorline_proxy *proxy = NULL;
    of_server.faults = faults;
    CHECK_STATUS(moorline_server_create(&of_server, &server), expected);
    of_socket.faults = faults;
    CHECK_STATUS(moorline_socket_connect("nobody", &of_socket, 0, &first), expected);
    CHECK_STATUS(moorline_socket_connect_abstract("nobody", 6, &of_socket, 0, &first), expected);
    CHECK_STATUS(moorline_socket_pair(&of_socket, &first, &second), expected);
    CHECK_STATUS(moorline_socket_adopt_descriptor(-1, &of_socket, &first), expected);
    of_service.faults = faults;
    CHECK_STATUS(moorline_service_create(&of_service, NULL, &service), expected);
    of_service.faults = NULL;
    of_service.clock = clock;
    CHECK_STATUS(moorline_service_create(&of_service, NULL, &service), expected);
    of_poller.clock = clock;
    CHECK_STATUS(moorline_poller_create(&of_poller, &poller), expected);
    of_fixture.faults = faults;
    CHECK_STATUS(moorline_fixture_start("echo", &of_fixture, &fixture), expected);
    of_fixture.faults = NULL;
    of_fixture.clock = clock;
    CHECK_STATUS(moorline_fixture_start("echo", &of_fixture, &fixture), expected);
    of_fixture.clock = NULL;
    of_fixture.verdicts = clock;
    CHECK_STATUS(moorline_fixture_start("echo", &of_fixture, &fixture), expected);
    of_proxy.faults = faults;
    CHECK_STATUS(moorline_proxy_start("proxy", "nobody", &of_proxy, &proxy), expected);
    of_proxy.faults = NULL;
    of_proxy.tap = clock;
    CHECK_STATUS(moorline_proxy_start("proxy", "nobody", &of_proxy, &proxy), expected);
    CHECK(server == NULL && first == NULL && second == NULL && service == NULL && poller == NULL);
    CHECK(fixture == NULL && proxy == NULL);
}

static void test_handles_in_options(void)
{
    moorline_server *server = new_server();
    expect_refused(server, server, MOORLINE_WRONG_KIND);
    CHECK_OK(moorline_server_destroy(server));
    moorline_fault_plan *plan = plan_of(NULL);
    moorline_clock *clock = NULL;
    CHECK_OK(moorline_clock_create(&clock));
    expect_refused(clock, plan, MOORLINE_WRONG_KIND);
    CHECK_OK(moorline_fault_plan_destroy(plan));
    CHECK_OK(moorline_clock_destroy(clock));
    expect_refused((const void *)(uintptr_t)1, (const void *)(uintptr_t)1, MOORLINE_STALE_HANDLE);
}

/* --- values --- */

static void expect_faults(const moorline_faults *faults, const char *why)
{
    moorline_fault_plan *plan = NULL;
    CHECK_STATUS(moorline_fault_plan_create(faults, &plan), MOORLINE_INVALID_ARGUMENT);
    CHECK_CONTAINS(last_error().text, why);
}

static void test_values_of_options(void)
{
    const size_t size = sizeof(moorline_faults);
    expect_faults(&(moorline_faults){.struct_size = size, .direction = 3}, "there is no direction 3");
    expect_faults(&(moorline_faults){.struct_size = size, .pieces_min = 3, .pieces_max = 2}, "the lesser number first");
    expect_faults(&(moorline_faults){.struct_size = size, .pieces_max = 2}, "pieces are of one byte or more");
    expect_faults(&(moorline_faults){.struct_size = size, .delay_min_us = 3, .delay_max_us = 2}, "the lesser delay comes first");
    expect_faults(&(moorline_faults){.struct_size = size, .would_block_min = 3, .would_block_max = 2}, "the lesser number");
    /* The most of everything is no surprise. */
    moorline_faults most = MOORLINE_FAULTS_INIT;
    memset((unsigned char *)&most + sizeof(size_t), 0xff, sizeof most - sizeof(size_t));
    most.direction = MOORLINE_DIRECTION_TO_CLIENT;
    most.pieces_min = 1;
    most.delay_min_us = 1;
    most.would_block_min = 0;
    most.would_block_max = 1;
    most.backlog_full = 0;
    moorline_fault_plan *plan = plan_of(&most);
    CHECK_OK(moorline_fault_plan_destroy(plan));

    moorline_fixture *fixture = NULL;
    moorline_proxy *proxy = NULL;
    static const uint32_t bad_enums[] = {3, 100, UINT32_MAX};
    for (size_t i = 0; i < sizeof bad_enums / sizeof bad_enums[0]; ++i) {
        moorline_fixture_options of_fixture = {.struct_size = sizeof of_fixture, .scope = bad_enums[i]};
        moorline_proxy_options of_proxy = {.struct_size = sizeof of_proxy, .scope = bad_enums[i]};
        CHECK_STATUS(moorline_fixture_start("echo", &of_fixture, &fixture), MOORLINE_INVALID_ARGUMENT);
        CHECK_STATUS(moorline_proxy_start("proxy", "nobody", &of_proxy, &proxy), MOORLINE_INVALID_ARGUMENT);
        of_proxy = (moorline_proxy_options){.struct_size = sizeof of_proxy, .trust = bad_enums[i]};
        CHECK_STATUS(moorline_proxy_start("proxy", "nobody", &of_proxy, &proxy), MOORLINE_INVALID_ARGUMENT);
    }
    moorline_fixture_options of_fixture = {.struct_size = sizeof of_fixture, .reserved = 1};
    moorline_proxy_options of_proxy = {.struct_size = sizeof of_proxy, .reserved = 1};
    CHECK_STATUS(moorline_fixture_start("echo", &of_fixture, &fixture), MOORLINE_INVALID_ARGUMENT);
    CHECK_STATUS(moorline_proxy_start("proxy", "nobody", &of_proxy, &proxy), MOORLINE_INVALID_ARGUMENT);
    CHECK_STATUS(moorline_fixture_start("jump", NULL, &fixture), MOORLINE_INVALID_ARGUMENT);
    CHECK_CONTAINS(last_error().text, "script, line 1: there is no step jump");
    CHECK_STATUS(moorline_fixture_start("echo\nsend \"\xff\"", NULL, &fixture), MOORLINE_INVALID_ARGUMENT);
    CHECK_CONTAINS(last_error().text, "script, line 2: it is not UTF-8");
    moorline_leak_guard *guard = NULL;
    size_t count = 77;
    CHECK_OK(moorline_leak_guard_create(&guard));
    CHECK_STATUS(moorline_leak_guard_wait(guard, 16, 0, &count), MOORLINE_INVALID_ARGUMENT);
    CHECK_NUMBER(count, 0);
    CHECK_OK(moorline_leak_guard_destroy(guard));
}

static void test_timeouts(void)
{
    static const int64_t bad[] = {-2, INT64_MIN};
    moorline_fixture *fixture = fixture_of("echo");
    moorline_verdicts *verdicts = NULL;
    moorline_leak_guard *guard = NULL;
    moorline_proxy *proxy = NULL;
    moorline_server *server = listening("server");
    CHECK_OK(moorline_verdicts_create(&verdicts));
    CHECK_OK(moorline_leak_guard_create(&guard));
    CHECK_OK(moorline_proxy_start("proxy", "nobody", NULL, &proxy));
    read_recording();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; ++i) {
        CHECK_STATUS(moorline_fixture_wait(fixture, 0, bad[i]), MOORLINE_INVALID_ARGUMENT);
        CHECK_STATUS(moorline_fixture_wait_received(fixture, 0, bad[i]), MOORLINE_INVALID_ARGUMENT);
        CHECK_STATUS(moorline_verdicts_wait(verdicts, bad[i]), MOORLINE_INVALID_ARGUMENT);
        CHECK_STATUS(moorline_leak_guard_wait(guard, 0, bad[i], NULL), MOORLINE_INVALID_ARGUMENT);
        CHECK_STATUS(moorline_proxy_stop(proxy, bad[i]), MOORLINE_INVALID_ARGUMENT);
        CHECK_STATUS(moorline_recording_play_clients(recording, "nobody", NULL, bad[i], NULL), MOORLINE_INVALID_ARGUMENT);
        CHECK_STATUS(moorline_recording_play_server(recording, server, NULL, bad[i], NULL), MOORLINE_INVALID_ARGUMENT);
    }
    CHECK_OK(moorline_fixture_wait(fixture, 0, INT64_MAX));
    CHECK_OK(moorline_proxy_stop(proxy, INT64_MAX));
    CHECK_OK(moorline_recording_destroy(recording));
    CHECK_OK(moorline_proxy_destroy(proxy));
    CHECK_OK(moorline_leak_guard_destroy(guard));
    CHECK_OK(moorline_verdicts_destroy(verdicts));
    CHECK_OK(moorline_server_destroy(server));
    CHECK_OK(moorline_fixture_destroy(fixture));
}

/* --- pointers --- */

static void test_missing_outputs_and_names(void)
{
    moorline_fixture *fixture = NULL;
    moorline_proxy *proxy = NULL;
    moorline_tap *tap = NULL;
    moorline_recording *read = NULL;
    moorline_verdicts *verdicts = NULL;
    CHECK_STATUS(moorline_clock_create(NULL), MOORLINE_INVALID_ARGUMENT);
    CHECK_STATUS(moorline_fault_plan_create(NULL, NULL), MOORLINE_INVALID_ARGUMENT);
    CHECK_STATUS(moorline_verdicts_create(NULL), MOORLINE_INVALID_ARGUMENT);
    CHECK_STATUS(moorline_fixture_start("echo", NULL, NULL), MOORLINE_INVALID_ARGUMENT);
    CHECK_STATUS(moorline_fixture_start(NULL, NULL, &fixture), MOORLINE_INVALID_ARGUMENT);
    CHECK_STATUS(moorline_leak_guard_create(NULL), MOORLINE_INVALID_ARGUMENT);
    CHECK_STATUS(moorline_proxy_start("proxy", "nobody", NULL, NULL), MOORLINE_INVALID_ARGUMENT);
    CHECK_STATUS(moorline_proxy_start(NULL, "nobody", NULL, &proxy), MOORLINE_INVALID_ARGUMENT);
    CHECK_STATUS(moorline_proxy_start("proxy", NULL, NULL, &proxy), MOORLINE_INVALID_ARGUMENT);
    CHECK_STATUS(moorline_tap_create("record", NULL), MOORLINE_INVALID_ARGUMENT);
    CHECK_STATUS(moorline_tap_create(NULL, &tap), MOORLINE_INVALID_ARGUMENT);
    CHECK_STATUS(moorline_recording_read("record", NULL), MOORLINE_INVALID_ARGUMENT);
    CHECK_STATUS(moorline_recording_read(NULL, &read), MOORLINE_INVALID_ARGUMENT);
    CHECK_NUMBER(live_handles(), 0);

    CHECK_OK(moorline_verdicts_create(&verdicts));
    CHECK_STATUS(moorline_verdicts_fail(verdicts, NULL, 1, "text"), MOORLINE_INVALID_ARGUMENT);
    CHECK_STATUS(moorline_verdicts_fail(verdicts, "file", 1, NULL), MOORLINE_INVALID_ARGUMENT);
    CHECK_STATUS(moorline_verdicts_count(verdicts, NULL), MOORLINE_INVALID_ARGUMENT);
    CHECK_OK(moorline_verdicts_fail(verdicts, "file", 1, "text"));
    CHECK_STATUS(moorline_verdicts_take_first(verdicts, NULL), MOORLINE_INVALID_ARGUMENT);
    moorline_failure failure = MOORLINE_FAILURE_INIT;
    CHECK_OK(moorline_verdicts_take_first(verdicts, &failure)); /* it was not lost by that */
    CHECK_OK(moorline_verdicts_destroy(verdicts));

    read_recording();
    CHECK_OK(moorline_recording_size(recording, NULL, NULL));
    CHECK_STATUS(moorline_recording_play_clients(recording, NULL, NULL, 0, NULL), MOORLINE_INVALID_ARGUMENT);
    CHECK_OK(moorline_recording_destroy(recording));
}

/* --- out structs: written as far as the caller knows them --- */

static void test_a_caller_that_knows_less(void)
{
    static union sized report;
    moorline_fault_plan *plan = plan_of(NULL);
    memset(&report, 0xee, sizeof report);
    report.struct_size = offsetof(moorline_fault_counts, flipped);
    CHECK_OK(moorline_fault_plan_counts(plan, (moorline_fault_counts *)&report));
    CHECK_NUMBER(report.bytes[offsetof(moorline_fault_counts, pieces)], 0);
    CHECK_NUMBER(report.bytes[offsetof(moorline_fault_counts, flipped)], 0xee);
    report.struct_size = 0;
    CHECK_STATUS(moorline_fault_plan_counts(plan, (moorline_fault_counts *)&report), MOORLINE_INVALID_ARGUMENT);
    CHECK_OK(moorline_fault_plan_destroy(plan));
}

int main(void)
{
    RUN(test_sizes_of_options);
    RUN(test_options_from_before);
    RUN(test_handles_in_options);
    RUN(test_values_of_options);
    RUN(test_timeouts);
    RUN(test_missing_outputs_and_names);
    RUN(test_a_caller_that_knows_less);
    return 0;
}

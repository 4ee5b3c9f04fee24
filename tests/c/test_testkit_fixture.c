/* Fixtures, verdicts and clocks through the C ABI. */
#include "support_service.h"
#include "support_testkit.h"

static void test_an_echo_a_sink_and_a_flood(void)
{
    moorline_fixture *echo = fixture_of("echo");
    moorline_socket *client = connected_to_fixture(echo);
    send_text(client, "hello");
    expect_text(client, "hello");
    CHECK_STATUS(moorline_fixture_wait(echo, 1, 0), MOORLINE_WOULD_BLOCK);
    CHECK_OK(moorline_socket_shutdown(client, MOORLINE_WRITABLE, -1));
    expect_end(client);
    CHECK_OK(moorline_fixture_wait(echo, 1, -1));
    CHECK_OK(moorline_socket_destroy(client));
    CHECK_OK(moorline_fixture_destroy(echo));

    moorline_fixture *sink = fixture_of("sink");
    client = connected_to_fixture(sink);
    send_text(client, "hello");
    CHECK_OK(moorline_fixture_wait_received(sink, 5, -1));
    CHECK_STATUS(moorline_fixture_wait_received(sink, 6, 1), MOORLINE_TIMED_OUT);
    CHECK_OK(moorline_socket_destroy(client));
    CHECK_OK(moorline_fixture_wait(sink, 1, -1));
    moorline_fixture_stats stats = fixture_stats(sink);
    CHECK_NUMBER(stats.connections, 1);
    CHECK_NUMBER(stats.finished, 1);
    CHECK_NUMBER(stats.missed, 0);
    CHECK_NUMBER(stats.received, 5);
    CHECK_NUMBER(stats.sent, 0);
    CHECK_OK(moorline_fixture_destroy(sink));

    moorline_fixture *flood = fixture_of("flood 1000");
    client = connected_to_fixture(flood);
    unsigned char bytes[1000];
    receive_exactly(client, bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; ++i) {
        CHECK_NUMBER(bytes[i], i % 251);
    }
    CHECK_OK(moorline_socket_destroy(client));
    CHECK_OK(moorline_fixture_wait(flood, 1, -1));
    CHECK_OK(moorline_fixture_destroy(flood));
}

static void test_a_script_that_is_kept_and_one_that_is_missed(void)
{
    static const char script[] = "expect \"ping\"\nsend \"pong\"\nexpect-end within 20s";
    moorline_fixture *fixture = fixture_of(script);
    moorline_socket *client = connected_to_fixture(fixture);
    send_text(client, "ping");
    expect_text(client, "pong");
    CHECK_OK(moorline_socket_destroy(client));
    CHECK_OK(moorline_fixture_wait(fixture, 1, -1));

    client = connected_to_fixture(fixture);
    send_text(client, "pang");
    CHECK_STATUS(moorline_fixture_wait(fixture, 2, -1), MOORLINE_MISMATCH);
    const struct path missed = last_error();
    CHECK_CONTAINS(missed.text, "connection 2: line 1, expect \"ping\" within 10s: byte 1 is \"ang\", not \"ing\"");
    CHECK_CONTAINS(missed.text, "<- 4 bytes \"pang\"");
    expect_end(client);
    CHECK_OK(moorline_socket_destroy(client));
    CHECK_NUMBER(fixture_stats(fixture).missed, 1);
    char transcript[4096];
    CHECK_OK(moorline_fixture_transcript(fixture, transcript, sizeof transcript, NULL));
    CHECK_CONTAINS(transcript, "[1]");
    CHECK_CONTAINS(transcript, "-> 4 bytes \"pong\"");
    CHECK_CONTAINS(transcript, "[2]");
    CHECK_OK(moorline_fixture_stop(fixture));
    CHECK_OK(moorline_fixture_stop(fixture));
    CHECK_STATUS(moorline_fixture_full_name(fixture, transcript, sizeof transcript, NULL), MOORLINE_INVALID_STATE);
    CHECK_NUMBER(fixture_stats(fixture).connections, 2);
    CHECK_OK(moorline_fixture_destroy(fixture));
}

static void test_a_missed_expectation_is_printed_unless_quiet(void)
{
    for (uint32_t quiet = 0; quiet < 2; ++quiet) {
        int printed[2];
        CHECK_SYSTEM(pipe(printed));
        const int before = CHECK_SYSTEM(dup(STDERR_FILENO));
        CHECK_SYSTEM(dup2(printed[1], STDERR_FILENO));
        moorline_fixture_options options = MOORLINE_FIXTURE_OPTIONS_INIT;
        options.quiet = quiet;
        moorline_fixture *fixture = NULL;
        moorline_status started = moorline_fixture_start("expect \"a\"", &options, &fixture);
        moorline_socket *client = started == MOORLINE_OK ? connected_to_fixture(fixture) : NULL;
        moorline_status ended = moorline_socket_destroy(client);
        moorline_status waited = moorline_fixture_wait(fixture, 1, -1);
        CHECK_OK(moorline_fixture_destroy(fixture)); /* so that it has printed */
        CHECK_SYSTEM(dup2(before, STDERR_FILENO));
        CHECK_SYSTEM(close(before));
        CHECK_SYSTEM(close(printed[1]));
        CHECK_OK(started);
        CHECK_OK(ended);
        CHECK_STATUS(waited, MOORLINE_MISMATCH);
        char text[4096] = "";
        const size_t length = raw_read_all(printed[0], text, sizeof text - 1);
        CHECK_SYSTEM(close(printed[0]));
        if (quiet) {
            CHECK_NUMBER(length, 0);
        } else {
            CHECK_CONTAINS(text, "connection 1: line 1, expect \"a\" within 10s: the peer ended when 0 of 1 bytes came");
            CHECK_CONTAINS(text, "connected: user");
        }
    }
}

static void test_options(void)
{
    moorline_faults faults = MOORLINE_FAULTS_INIT;
    faults.lose_nth = 1;
    faults.direction = MOORLINE_DIRECTION_TO_CLIENT;
    moorline_fault_plan *plan = plan_of(&faults);
    moorline_fixture_options options = MOORLINE_FIXTURE_OPTIONS_INIT;
    options.scope = MOORLINE_SCOPE_ABSTRACT;
    options.prefix = "chosen";
    options.backlog = 5;
    options.faults = plan;
    moorline_fixture *fixture = NULL;
    CHECK_OK(moorline_fixture_start("echo", &options, &fixture));
    const struct path name = fixture_name(fixture);
    CHECK(strncmp(name.text, "chosen", 6) == 0);
    moorline_socket_options of_socket = MOORLINE_SOCKET_OPTIONS_INIT;
    of_socket.scope = MOORLINE_SCOPE_ABSTRACT;
    moorline_socket *client = NULL;
    CHECK_OK(moorline_socket_connect(name.text, &of_socket, -1, &client));
    send_text(client, "abc");
    expect_text(client, "bc");
    CHECK_OK(moorline_socket_destroy(client));
    CHECK_OK(moorline_fixture_destroy(fixture));
    CHECK_OK(moorline_fault_plan_destroy(plan));

    fixture = fixture_of("echo");
    CHECK_CONTAINS(fixture_name(fixture).text, "/fixture");
    CHECK_OK(moorline_fixture_destroy(fixture));
}

/* --- verdicts --- */

static void fail_from_a_thread(void *verdicts)
{
    CHECK_NUMBER(pthread_setname_np(pthread_self(), "callback"), 0);
    CHECK_OK(moorline_verdicts_fail(verdicts, "there.c", 12, "1 is not 2"));
    CHECK_OK(moorline_verdicts_fail(verdicts, "there.c", 13, "nor is 3"));
}

static void test_verdicts_of_another_thread_end_the_wait(void)
{
    moorline_verdicts *verdicts = NULL;
    CHECK_OK(moorline_verdicts_create(&verdicts));
    struct worker worker;
    worker_start(&worker, fail_from_a_thread, verdicts);
    CHECK_STATUS(moorline_verdicts_wait(verdicts, -1), MOORLINE_MISMATCH);
    CHECK_CONTAINS(last_error().text, "there.c:12: 1 is not 2");
    worker_join(&worker);
    moorline_failure failure = MOORLINE_FAILURE_INIT;
    CHECK_OK(moorline_verdicts_take_first(verdicts, &failure));
    CHECK_TEXT(failure.file, "there.c");
    CHECK_NUMBER(failure.line, 12);
    CHECK_TEXT(failure.text, "1 is not 2");
    CHECK_CONTAINS(failure.thread, "callback");
    CHECK_OK(moorline_verdicts_take_first(verdicts, &failure));
    CHECK_TEXT(failure.text, "nor is 3");
    CHECK_STATUS(moorline_verdicts_take_first(verdicts, &failure), MOORLINE_NOT_FOUND);
    CHECK(failure.file == NULL && failure.text == NULL && failure.thread == NULL && failure.line == 0);
    uint64_t count = 0;
    CHECK_OK(moorline_verdicts_count(verdicts, &count));
    CHECK_NUMBER(count, 2);
    CHECK_STATUS(moorline_verdicts_wait(verdicts, 0), MOORLINE_WOULD_BLOCK); /* they were taken, and nothing is done */
    CHECK_OK(moorline_verdicts_destroy(verdicts));
}

static void do_twice(void *verdicts)
{
    CHECK_OK(moorline_verdicts_done(verdicts));
    CHECK_OK(moorline_verdicts_done(verdicts));
}

static void test_verdicts_wait_until_everything_is_done(void)
{
    moorline_verdicts *verdicts = NULL;
    CHECK_OK(moorline_verdicts_create(&verdicts));
    CHECK_STATUS(moorline_verdicts_wait(verdicts, 1), MOORLINE_TIMED_OUT);
    CHECK_OK(moorline_verdicts_done(verdicts)); /* one time, as nothing else was said */
    CHECK_OK(moorline_verdicts_wait(verdicts, -1));
    CHECK_OK(moorline_verdicts_expect(verdicts, 2));
    CHECK_STATUS(moorline_verdicts_wait(verdicts, 0), MOORLINE_WOULD_BLOCK);
    struct worker worker;
    worker_start(&worker, do_twice, verdicts);
    CHECK_OK(moorline_verdicts_wait(verdicts, -1));
    worker_join(&worker);
    CHECK_OK(moorline_verdicts_destroy(verdicts));
}

static void test_of_endless_failures_some_are_kept_and_all_are_counted(void)
{
    moorline_verdicts *verdicts = NULL;
    CHECK_OK(moorline_verdicts_create(&verdicts));
    for (int i = 0; i < 1500; ++i) {
        CHECK_OK(moorline_verdicts_fail(verdicts, "file", 1, "text"));
    }
    uint64_t count = 0;
    CHECK_OK(moorline_verdicts_count(verdicts, &count));
    CHECK_NUMBER(count, 1500);
    moorline_failure failure = MOORLINE_FAILURE_INIT;
    int taken = 0;
    while (moorline_verdicts_take_first(verdicts, &failure) == MOORLINE_OK) {
        ++taken;
    }
    CHECK_NUMBER(taken, 1000);
    CHECK_OK(moorline_verdicts_destroy(verdicts));
}

static void test_a_missed_expectation_is_a_verdict(void)
{
    moorline_verdicts *verdicts = NULL;
    CHECK_OK(moorline_verdicts_create(&verdicts));
    moorline_fixture_options options = MOORLINE_FIXTURE_OPTIONS_INIT;
    options.quiet = 1;
    options.verdicts = verdicts;
    moorline_fixture *fixture = NULL;
    CHECK_OK(moorline_fixture_start("\nexpect \"a\"", &options, &fixture));
    moorline_socket *client = connected_to_fixture(fixture);
    send_text(client, "b");
    CHECK_STATUS(moorline_verdicts_wait(verdicts, -1), MOORLINE_MISMATCH);
    moorline_failure failure = MOORLINE_FAILURE_INIT;
    CHECK_OK(moorline_verdicts_take_first(verdicts, &failure));
    CHECK_TEXT(failure.file, "script");
    CHECK_NUMBER(failure.line, 2);
    CHECK_CONTAINS(failure.text, "byte 0 is \"b\", not \"a\"");
    CHECK_CONTAINS(failure.thread, "moorline-fixture");
    /* A fixture that has verdicts which are gone goes on. */
    CHECK_OK(moorline_verdicts_destroy(verdicts));
    CHECK_OK(moorline_socket_destroy(client));
    client = connected_to_fixture(fixture);
    send_text(client, "b");
    expect_end(client);
    CHECK_OK(moorline_socket_destroy(client));
    CHECK_OK(moorline_fixture_destroy(fixture));
}

/* --- clocks --- */

static moorline_clock *new_clock(void)
{
    moorline_clock *clock = NULL;
    CHECK_OK(moorline_clock_create(&clock));
    return clock;
}

static void advance(moorline_clock *clock, uint64_t by_us)
{
    CHECK_OK(moorline_clock_advance(clock, by_us));
}

static void test_a_fixture_is_late_only_on_its_clock(void)
{
    moorline_clock *clock = new_clock();
    moorline_fixture_options options = MOORLINE_FIXTURE_OPTIONS_INIT;
    options.quiet = 1;
    options.clock = clock;
    moorline_fixture *fixture = NULL;
    CHECK_OK(moorline_fixture_start("expect \"a\" within 1us\nexpect \"b\" within 3600s", &options, &fixture));
    moorline_socket *client = connected_to_fixture(fixture);
    let_time_pass_ms(5); /* of another clock */
    send_text(client, "a");
    CHECK_OK(moorline_fixture_wait_received(fixture, 1, -1));
    CHECK_STATUS(moorline_fixture_wait(fixture, 1, 5), MOORLINE_TIMED_OUT);
    advance(clock, UINT64_C(3600000000));
    CHECK_STATUS(moorline_fixture_wait(fixture, 1, -1), MOORLINE_MISMATCH);
    CHECK_CONTAINS(last_error().text, "only 0 of 1 bytes came in time");
    uint64_t passed = 0;
    CHECK_OK(moorline_clock_passed(clock, &passed));
    CHECK_NUMBER(passed, INT64_C(3600000000));
    CHECK_OK(moorline_clock_advance(clock, (uint64_t)INT64_MAX - passed));
    CHECK_STATUS(moorline_clock_advance(clock, 1), MOORLINE_INVALID_ARGUMENT); /* further than C++ can be told */
    CHECK_OK(moorline_socket_destroy(client));
    CHECK_OK(moorline_fixture_destroy(fixture));
    CHECK_OK(moorline_clock_destroy(clock));
}

struct waiting {
    moorline_poller *poller;
    moorline_status status;
};

static void wait_for_an_hour(void *context)
{
    struct waiting *waiting = context;
    moorline_event event;
    size_t count = 0;
    waiting->status = moorline_poller_wait(waiting->poller, &event, 1, 3600000, &count);
}

static void test_a_poller_waits_on_its_clock(void)
{
    moorline_clock *clock = new_clock();
    moorline_poller_options options = MOORLINE_POLLER_OPTIONS_INIT;
    options.clock = clock;
    struct waiting waiting = {.poller = NULL};
    CHECK_OK(moorline_poller_create(&options, &waiting.poller));
    struct worker worker;
    worker_start(&worker, wait_for_an_hour, &waiting);
    worker_wait_until_blocked(&worker);
    advance(clock, UINT64_C(3599999999));
    worker_wait_until_blocked(&worker);
    advance(clock, 1);
    worker_join(&worker);
    CHECK_STATUS(waiting.status, MOORLINE_TIMED_OUT);
    CHECK_OK(moorline_clock_destroy(clock));
    CHECK_OK(moorline_poller_destroy(waiting.poller));
}

static void test_an_idle_peer_of_a_service_is_late_on_its_clock(void)
{
    moorline_clock *clock = new_clock();
    moorline_service_options options = MOORLINE_SERVICE_OPTIONS_INIT;
    options.idle_timeout_ms = 1000;
    options.clock = clock;
    struct log log = {.service = NULL};
    const moorline_service_callbacks callbacks = callbacks_of(&log);
    moorline_service *service = started(&options, &callbacks);
    moorline_socket *client = connected("name");
    wait_for(&log.connected, 1);
    advance(clock, 999999);
    char byte = 0;
    size_t received = 0;
    CHECK_STATUS(moorline_socket_receive(client, &byte, 1, 10, &received), MOORLINE_TIMED_OUT);
    advance(clock, 1);
    expect_end(client);
    wait_for(&log.disconnected, 1);
    CHECK_STATUS(atomic_load(&log.reason), MOORLINE_TIMED_OUT);
    CHECK_OK(moorline_socket_destroy(client));
    CHECK_OK(moorline_service_destroy(service));
    CHECK_OK(moorline_clock_destroy(clock));
}

int main(void)
{
    RUN(test_an_echo_a_sink_and_a_flood);
    RUN(test_a_script_that_is_kept_and_one_that_is_missed);
    RUN(test_a_missed_expectation_is_printed_unless_quiet);
    RUN(test_options);
    RUN(test_verdicts_of_another_thread_end_the_wait);
    RUN(test_verdicts_wait_until_everything_is_done);
    RUN(test_of_endless_failures_some_are_kept_and_all_are_counted);
    RUN(test_a_missed_expectation_is_a_verdict);
    RUN(test_a_fixture_is_late_only_on_its_clock);
    RUN(test_a_poller_waits_on_its_clock);
    RUN(test_an_idle_peer_of_a_service_is_late_on_its_clock);
    return 0;
}

/* A service that ends under difficulties: by several threads at once, while a callback runs, with a file that can't be removed. */
#include "support_service.h"

#include <moorline/testkit.h>

#include <sys/socket.h>
#include <sys/stat.h>

static const uid_t NOBODY = 65534;

/* A callback that goes on until it may return. */
struct held {
    atomic_int begun;
    atomic_int may_return;
    atomic_int returned;
};

static void hold(void *context, moorline_connection *connection)
{
    struct held *held = context;
    (void)connection;
    atomic_fetch_add(&held->begun, 1);
    wait_for(&held->may_return, 1);
    atomic_fetch_add(&held->returned, 1);
}

static moorline_service *started_and_held(struct held *held, moorline_socket **client)
{
    moorline_service_callbacks callbacks = {.struct_size = sizeof callbacks, .context = held, .connected = hold};
    moorline_service *service = started(NULL, &callbacks);
    *client = connected("name");
    wait_for(&held->begun, 1);
    return service;
}

struct destroying {
    moorline_service *service;
    struct held *held;
    moorline_status status;
    int returned; /* callbacks, by the time that it was answered */
};

static void destroy(void *context)
{
    struct destroying *destroying = context;
    destroying->status = moorline_service_destroy(destroying->service);
    destroying->returned = atomic_load(&destroying->held->returned);
}

/* Whoever is told that it is destroyed may free what the callbacks use. */
static void test_no_destroy_returns_while_a_callback_runs(void)
{
    enum { THREADS = 3 };
    struct held held = {0};
    moorline_socket *client = NULL;
    moorline_service *service = started_and_held(&held, &client);
    struct destroying destroying[THREADS];
    struct worker workers[THREADS];
    for (int i = 0; i < THREADS; ++i) {
        destroying[i] = (struct destroying){.service = service, .held = &held};
        worker_start(&workers[i], destroy, &destroying[i]);
        worker_wait_until_blocked(&workers[i]);
    }
    CHECK_STATUS(moorline_service_start(service, "other"), MOORLINE_CLOSED);
    atomic_store(&held.may_return, 1);
    int destroyed = 0;
    for (int i = 0; i < THREADS; ++i) {
        worker_join(&workers[i]);
        CHECK_NUMBER(destroying[i].returned, 1);
        CHECK(destroying[i].status == MOORLINE_OK || destroying[i].status == MOORLINE_STALE_HANDLE);
        destroyed += destroying[i].status == MOORLINE_OK;
    }
    CHECK_NUMBER(destroyed, 1);
    CHECK_OK(moorline_socket_destroy(client));
}

struct stopping {
    moorline_service *service;
    moorline_service_report report;
    moorline_status status;
};

static void stop(void *context)
{
    struct stopping *stopping = context;
    stopping->status = moorline_service_stop(stopping->service, -1, &stopping->report);
}

static void test_of_two_stops_one_has_the_report(void)
{
    struct held held = {0};
    moorline_socket *client = NULL;
    moorline_service *service = started_and_held(&held, &client);
    struct stopping stopping[2];
    struct worker workers[2];
    for (int i = 0; i < 2; ++i) {
        stopping[i] = (struct stopping){.service = service, .report = MOORLINE_SERVICE_REPORT_INIT};
        worker_start(&workers[i], stop, &stopping[i]);
        worker_wait_until_blocked(&workers[i]);
    }
    atomic_store(&held.may_return, 1);
    for (int i = 0; i < 2; ++i) {
        worker_join(&workers[i]);
        CHECK_NUMBER(stopping[i].report.accepted, stopping[i].status == MOORLINE_OK ? 1 : 0);
    }
    CHECK_STATUS(stopping[0].status, stopping[1].status == MOORLINE_OK ? MOORLINE_CLOSED : MOORLINE_OK);
    CHECK(stopping[0].status == MOORLINE_OK || stopping[1].status == MOORLINE_OK);
    CHECK_OK(moorline_socket_destroy(client));
    CHECK_OK(moorline_service_destroy(service));
}

static void stop_where_the_file_stays(int line, void *context)
{
    (void)line;
    (void)context;
    if (getuid() == 0) {
        CHECK_SYSTEM(setgid(NOBODY));
        CHECK_SYSTEM(setuid(NOBODY));
    }
    struct path own = in_test_directory("own");
    struct path file = in_test_directory("own/name");
    CHECK_SYSTEM(mkdir(own.text, 0700));
    enum { ALL_WELL, LOST, FIRST_TOO_EARLY, CASES };
    for (int i = 0; i < CASES; ++i) {
        struct held held = {.may_return = i != FIRST_TOO_EARLY};
        struct log log = {0};
        moorline_service_callbacks holding = {.struct_size = sizeof holding, .context = &held, .connected = hold};
        moorline_service_callbacks logging = callbacks_of(&log);
        moorline_service *service = NULL;
        CHECK_OK(moorline_service_create(NULL, i == LOST ? &logging : &holding, &service));
        CHECK_OK(moorline_service_start(service, file.text));
        moorline_socket *client = connected(file.text);
        wait_for(i == LOST ? &log.connected : &held.begun, 1);
        uint64_t queued = i == LOST ? fill_connection(atomic_load(&log.connection)) : 0;
        CHECK_SYSTEM(chmod(own.text, 0500));
        if (i == FIRST_TOO_EARLY) {
            CHECK_NUMBER(stopped(service, 0, MOORLINE_WOULD_BLOCK).accepted, 0);
            atomic_store(&held.may_return, 1);
        }
        moorline_service_report report =
            stopped(service, i == LOST ? 0 : -1, i == LOST ? MOORLINE_WOULD_BLOCK : MOORLINE_PERMISSION_DENIED);
        CHECK_CONTAINS(last_error().text, i == LOST ? "unsent" : "stop");
        CHECK_CONTAINS(last_error().text, file.text);
        CHECK_NUMBER(report.accepted, 1);
        CHECK_NUMBER(report.sent + report.unsent, queued);
        CHECK_NUMBER(report.unsent > 0, i == LOST);
        CHECK_STATUS(moorline_service_stop(service, -1, NULL), MOORLINE_INVALID_STATE); /* it has stopped */
        CHECK_SYSTEM(chmod(own.text, 0700));
        CHECK_SYSTEM(unlink(file.text));
        CHECK_OK(moorline_socket_destroy(client));
        CHECK_OK(moorline_service_destroy(service));
    }
    CHECK_SYSTEM(rmdir(own.text));
}

/* What was lost is told whatever becomes of the file, and that the file stays is told even if the first stop came too early. */
static void test_the_report_is_told_though_the_file_stays(void)
{
    CHECK_SYSTEM(chmod(test_directory(), 0777));
    struct child child = child_start(stop_where_the_file_stays, NULL);
    child_expect_success(&child);
}

/* A service that has no say in it, of bytes and of messages. */
static void test_who_says_no_more_is_closed(void)
{
    moorline_message_options messages = {.struct_size = sizeof messages, .framing = MOORLINE_FRAMING_LINES};
    const moorline_message_options *kinds[] = {NULL, &messages};
    for (size_t i = 0; i < 2; ++i) {
        struct log log = {0};
        moorline_service_options options = {.struct_size = sizeof options, .messages = kinds[i]};
        moorline_service_callbacks callbacks = callbacks_of(&log);
        CHECK(callbacks.finished == NULL);
        moorline_service *service = started(&options, &callbacks);
        int client = raw_connect(in_test_directory("name").text);
        CHECK_SYSTEM(shutdown(client, SHUT_WR));
        char byte = 0;
        CHECK_NUMBER(raw_read_all(client, &byte, 1), 0);
        wait_for(&log.disconnected, 1);
        CHECK_NUMBER(atomic_load(&log.reason), MOORLINE_DISCONNECTED);
        CHECK_SYSTEM(close(client));
        CHECK_NUMBER(stopped(service, -1, MOORLINE_OK).ended_by_peer, 1);
        CHECK_OK(moorline_service_destroy(service));
    }
}

/* Moves the clock until the connection has ended, because of the time; gives the minutes that this took. */
static uint64_t minutes_until_it_is_late(moorline_clock *clock, const struct log *log)
{
    uint64_t minutes = 0;
    while (atomic_load(&log->disconnected) == 0) {
        CHECK_OK(moorline_clock_advance(clock, UINT64_C(60) * 1000000));
        ++minutes;
        let_time_pass_ms(1);
    }
    CHECK_NUMBER(atomic_load(&log->reason), MOORLINE_TIMED_OUT);
    return minutes;
}

/* To who does not read; on a clock of its own, so that nobody has to wait. */
static void test_a_closing_connection_lingers_as_long_as_was_said(void)
{
    struct log log = {0};
    moorline_clock *clock = NULL;
    CHECK_OK(moorline_clock_create(&clock));
    moorline_service_options options = {.struct_size = sizeof options, .linger_ms = 3600 * 1000, .clock = clock};
    moorline_service_callbacks callbacks = callbacks_of(&log);
    moorline_service *service = started(&options, &callbacks);
    moorline_socket *client = connected("name");
    wait_for(&log.connected, 1);
    static const char much[1 << 20];
    size_t sent = 0;
    CHECK_STATUS(moorline_connection_send(log.connection, much, sizeof much, 0, &sent), MOORLINE_OK);
    CHECK_OK(moorline_connection_close(log.connection));
    CHECK(minutes_until_it_is_late(clock, &log) >= 60);
    CHECK_OK(moorline_socket_destroy(client));
    CHECK_OK(moorline_service_destroy(service));
    CHECK_OK(moorline_clock_destroy(clock));
}

static void test_an_abort_drops_what_is_queued_and_does_not_linger(void)
{
    struct log log = {0};
    moorline_service_callbacks callbacks = callbacks_of(&log);
    moorline_service *service = started(NULL, &callbacks);
    moorline_socket *client = connected("name");
    wait_for(&log.connected, 1);
    static const char much[1 << 20];
    size_t sent = 0;
    CHECK_OK(moorline_connection_send(log.connection, much, sizeof much, 0, &sent));
    CHECK_OK(moorline_connection_abort(log.connection));
    wait_for(&log.disconnected, 1);
    CHECK_NUMBER(atomic_load(&log.reason), MOORLINE_CLOSED);
    CHECK(receive_until_disconnected(client) < sizeof much);
    CHECK_OK(moorline_socket_destroy(client));
    CHECK_OK(moorline_service_destroy(service));
}

static void test_a_handshake_may_take_as_long_as_was_said(void)
{
    struct log log = {0};
    moorline_clock *clock = NULL;
    CHECK_OK(moorline_clock_create(&clock));
    moorline_message_options messages = {
        .struct_size = sizeof messages, .framing = MOORLINE_FRAMING_CHECKED, .handshake_timeout_ms = 3600 * 1000};
    moorline_service_options options = {.struct_size = sizeof options, .messages = &messages, .clock = clock};
    moorline_service_callbacks callbacks = callbacks_of(&log);
    moorline_service *service = started(&options, &callbacks);
    int client = raw_connect(in_test_directory("name").text);
    wait_for(&log.connected, 1);
    CHECK(minutes_until_it_is_late(clock, &log) >= 60);
    CHECK_SYSTEM(close(client));
    CHECK_OK(moorline_service_destroy(service));
    CHECK_OK(moorline_clock_destroy(clock));
}

static void test_so_many_wait_for_a_busy_service_as_its_backlog_says(void)
{
    enum { BACKLOG = 3 };
    struct held held = {0};
    moorline_service_options options = {.struct_size = sizeof options, .backlog = BACKLOG};
    moorline_service_callbacks callbacks = {.struct_size = sizeof callbacks, .context = &held, .connected = hold};
    moorline_service *service = started(&options, &callbacks);
    moorline_socket *clients[1 + BACKLOG];
    clients[0] = connected("name");
    wait_for(&held.begun, 1);
    for (int i = 1; i <= BACKLOG; ++i) {
        CHECK_OK(moorline_socket_connect("name", NULL, 0, &clients[i]));
    }
    moorline_socket *more = NULL;
    CHECK_STATUS(moorline_socket_connect("name", NULL, 0, &more), MOORLINE_WOULD_BLOCK);
    atomic_store(&held.may_return, 1);
    wait_for(&held.returned, 1 + BACKLOG);
    for (int i = 0; i <= BACKLOG; ++i) {
        CHECK_OK(moorline_socket_destroy(clients[i]));
    }
    CHECK_OK(moorline_service_destroy(service));
}

int main(void)
{
    RUN(test_no_destroy_returns_while_a_callback_runs);
    RUN(test_of_two_stops_one_has_the_report);
    RUN(test_the_report_is_told_though_the_file_stays);
    RUN(test_who_says_no_more_is_closed);
    RUN(test_a_closing_connection_lingers_as_long_as_was_said);
    RUN(test_an_abort_drops_what_is_queued_and_does_not_linger);
    RUN(test_a_handshake_may_take_as_long_as_was_said);
    RUN(test_so_many_wait_for_a_busy_service_as_its_backlog_says);
    return 0;
}

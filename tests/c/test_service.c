/* A server on threads of its own: echo, start and stop, the report, limits. */
#include "support_service.h"

#include <sys/socket.h>

enum { MIB = 1 << 20 };

/* --- echo --- */

static char million[MIB];
static char echoed[MIB];

static void send_a_million(void *context)
{
    size_t sent = 0;
    CHECK_OK(moorline_socket_send(context, million, sizeof million, -1, &sent));
}

static void test_echo(void)
{
    for (uint32_t workers = 0; workers <= 3; workers += 3) {
        moorline_service_options options = {.struct_size = sizeof options, .workers = workers};
        moorline_service *service = started(&options, NULL);
        char name[PATH_MAX];
        size_t needed = 0;
        CHECK_OK(moorline_service_full_name(service, name, sizeof name, &needed));
        CHECK_TEXT(name, in_test_directory("name").text);
        moorline_socket *clients[10];
        for (int i = 0; i < 10; ++i) {
            clients[i] = connected("name");
            expect_echo(clients[i], "hello");
        }
        for (int i = 9; i >= 0; --i) {
            expect_echo(clients[i], "again");
        }
        struct worker sender;
        for (size_t i = 0; i < MIB; ++i) {
            million[i] = (char)(i * 7 % 251);
        }
        worker_start(&sender, send_a_million, clients[0]);
        receive_exactly(clients[0], echoed, MIB);
        CHECK(memcmp(echoed, million, MIB) == 0);
        worker_join(&sender);
        for (int i = 0; i < 10; ++i) {
            CHECK_OK(moorline_socket_destroy(clients[i]));
        }
        moorline_service_report report = stopped(service, -1, MOORLINE_OK);
        CHECK_NUMBER(report.accepted, 10);
        CHECK_NUMBER(report.refused, 0);
        CHECK_NUMBER(report.received, MIB + 100);
        CHECK_NUMBER(report.sent, MIB + 100);
        CHECK_NUMBER(report.unsent, 0);
        CHECK_OK(moorline_service_destroy(service));
    }
}

/* A client that sends more than all queues hold, says that this was all, and only then reads: the end of its stream comes while
   the service does not read from it. */
static void test_all_comes_back_after_the_clients_end(void)
{
    moorline_service_options options = {.struct_size = sizeof options, .queue_limit = 100000};
    moorline_service *service = started(&options, NULL);
    int client = raw_connect(in_test_directory("name").text);
    size_t length = 0;
    for (int idle = 0; idle < 100;) { /* full when nothing more is taken for a while */
        ssize_t count = send(client, million, 999, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (count > 0) {
            length += (size_t)count;
            idle = 0;
        } else {
            CHECK_NUMBER(errno, EAGAIN);
            let_time_pass_ms(1);
            ++idle;
        }
    }
    CHECK_SYSTEM(shutdown(client, SHUT_WR));
    let_time_pass_ms(20); /* so that it comes before the service reads again */
    CHECK_NUMBER(raw_read_all(client, echoed, sizeof echoed), length);
    CHECK_SYSTEM(close(client));
    CHECK_OK(moorline_service_destroy(service));
}

/* --- start, stop, limits --- */

static void test_start_fails_with_its_error(void)
{
    moorline_server *owner = listening("name");
    moorline_service *service = NULL;
    CHECK_OK(moorline_service_create(NULL, NULL, &service));
    const int threads = running_threads();
    CHECK_STATUS(moorline_service_start(service, "name"), MOORLINE_NAME_IN_USE);
    CHECK_CONTAINS(last_error().text, in_test_directory("name").text);
    CHECK_NUMBER(running_threads(), threads);
    CHECK_STATUS(moorline_service_start(service, in_test_directory("missing/name").text), MOORLINE_NOT_FOUND);
    CHECK_STATUS(moorline_service_stop(service, -1, NULL), MOORLINE_INVALID_STATE);
    CHECK_OK(moorline_server_destroy(owner));
    CHECK_OK(moorline_service_start(service, "name")); /* a failure spoils nothing */
    moorline_socket *client = connected("name");
    expect_echo(client, "hello");
    CHECK_OK(moorline_socket_destroy(client));
    CHECK_OK(moorline_service_destroy(service));
}

static void test_restart(void)
{
    moorline_service *service = NULL;
    CHECK_OK(moorline_service_create(NULL, NULL, &service));
    for (int i = 0; i < 20; ++i) {
        CHECK_OK(moorline_service_start(service, "name"));
        CHECK_STATUS(moorline_service_start(service, "other"), MOORLINE_INVALID_STATE);
        moorline_socket *client = connected("name");
        expect_echo(client, "hello");
        moorline_service_report report = stopped(service, -1, MOORLINE_OK);
        CHECK_NUMBER(report.accepted, 1); /* of this run alone */
        CHECK_NUMBER(report.open_at_stop, 1);
        CHECK_NUMBER(report.received, 5);
        CHECK_NUMBER(report.sent, 5);
        CHECK(!exists(in_test_directory("name").text));
        CHECK_NUMBER(receive_until_disconnected(client), 0);
        CHECK_OK(moorline_socket_destroy(client));
    }
    char name[PATH_MAX];
    size_t needed = 0;
    CHECK_OK(moorline_service_start_unique(service, "prefix"));
    CHECK_OK(moorline_service_full_name(service, name, sizeof name, &needed));
    CHECK_CONTAINS(name, in_test_directory("prefix").text);
    moorline_socket *client = connected(name);
    expect_echo(client, "hello");
    CHECK_OK(moorline_socket_destroy(client));
    CHECK_OK(moorline_service_destroy(service));
}

static void drain(void *context)
{
    (void)receive_until_disconnected(context);
}

static void test_stop_flushes_until_its_deadline(void)
{
    for (int reading = 0; reading < 2; ++reading) {
        struct log log = {0};
        moorline_service_callbacks callbacks = callbacks_of(&log);
        moorline_service *service = started(NULL, &callbacks);
        moorline_socket *client = connected("name");
        wait_for(&log.connected, 1);
        uint64_t total = fill_connection(atomic_load(&log.connection));
        struct worker reader;
        uint64_t begun = monotonic_ms();
        if (reading) {
            worker_start(&reader, drain, client);
        }
        moorline_service_report report = stopped(service, reading ? -1 : 100, reading ? MOORLINE_OK : MOORLINE_TIMED_OUT);
        CHECK_NUMBER(report.open_at_stop, 1);
        CHECK_NUMBER(report.sent + report.unsent, total);
        CHECK_NUMBER(atomic_load(&log.disconnected), 1);
        CHECK_STATUS(atomic_load(&log.reason), MOORLINE_CLOSED);
        if (reading) {
            CHECK_NUMBER(report.unsent, 0);
            worker_join(&reader);
        } else {
            CHECK(monotonic_ms() - begun >= 100);
            CHECK(report.unsent > 0);
            CHECK_CONTAINS(last_error().text, "unsent");
            CHECK_STATUS(moorline_service_stop(service, -1, NULL), MOORLINE_INVALID_STATE); /* it has stopped */
            CHECK_NUMBER(receive_until_disconnected(client), report.sent);
        }
        CHECK_OK(moorline_socket_destroy(client));
        CHECK_OK(moorline_service_destroy(service));
    }
}

struct racing {
    moorline_connection *connection;
    uint64_t taken;
};

static void send_until_ended(void *context)
{
    struct racing *racing = context;
    static const char block[1000];
    moorline_status status = MOORLINE_OK;
    while (status == MOORLINE_OK || status == MOORLINE_WOULD_BLOCK) {
        size_t sent = 0;
        status = moorline_connection_send(racing->connection, block, sizeof block, 0, &sent);
        racing->taken += sent;
    }
    CHECK(status == MOORLINE_CLOSED || status == MOORLINE_STALE_HANDLE);
}

/* Every byte that any send said was taken is in the report of the stop that came in between. */
static void test_the_report_counts_what_was_sent_meanwhile(void)
{
    enum { THREADS = 3, ROUNDS = 200 };
    for (int round = 0; round < ROUNDS; ++round) {
        struct log log = {0};
        moorline_service_callbacks callbacks = callbacks_of(&log);
        moorline_service *service = started(NULL, &callbacks);
        moorline_socket *client = connected("name");
        struct racing racing[THREADS];
        struct worker senders[THREADS];
        uint64_t taken = 0;
        wait_for(&log.connected, 1);
        for (int i = 0; i < THREADS; ++i) {
            racing[i] = (struct racing){.connection = atomic_load(&log.connection)};
            worker_start(&senders[i], send_until_ended, &racing[i]);
        }
        while (atomic_load(&senders[round % THREADS].id) == 0) {
        }
        moorline_service_report report = MOORLINE_SERVICE_REPORT_INIT;
        const moorline_status status = moorline_service_stop(service, 0, &report);
        CHECK_STATUS(status, report.unsent == 0 ? MOORLINE_OK : MOORLINE_WOULD_BLOCK);
        for (int i = 0; i < THREADS; ++i) {
            worker_join(&senders[i]);
            taken += racing[i].taken;
        }
        CHECK_NUMBER(report.sent + report.unsent, taken);
        CHECK_NUMBER(receive_until_disconnected(client), report.sent);
        CHECK_OK(moorline_socket_destroy(client));
        CHECK_OK(moorline_service_destroy(service));
    }
}

static void stop_for_ever(void *context)
{
    CHECK_STATUS(moorline_service_stop(context, -1, NULL), MOORLINE_CLOSED);
}

/* A stop that waits for a peer holds up nobody who only asks something, nor the one who ends it. */
static void test_a_waiting_stop_holds_nobody_up(void)
{
    struct log log = {0};
    moorline_service_callbacks callbacks = callbacks_of(&log);
    moorline_service *service = started(NULL, &callbacks);
    moorline_socket *client = connected("name");
    wait_for(&log.connected, 1);
    (void)fill_connection(atomic_load(&log.connection));
    struct worker stopper;
    worker_start(&stopper, stop_for_ever, service);
    worker_wait_until_blocked(&stopper);
    char text[PATH_MAX];
    size_t needed = 0;
    moorline_status status = moorline_service_full_name(service, text, sizeof text, &needed);
    CHECK(status == MOORLINE_OK || status == MOORLINE_INVALID_STATE);
    CHECK_OK(moorline_live_handles_report(text, sizeof text, &needed));
    CHECK_STATUS(moorline_service_start(service, "other"), MOORLINE_INVALID_STATE);
    CHECK_OK(moorline_service_destroy(service));
    worker_join(&stopper);
    CHECK_OK(moorline_socket_destroy(client));
}

static void test_destroy_while_connections_are_busy(void)
{
    for (int i = 0; i < 20; ++i) {
        moorline_service *service = NULL;
        moorline_service_options options = {.struct_size = sizeof options, .workers = (uint32_t)i % 3};
        CHECK_OK(moorline_service_create(&options, NULL, &service));
        CHECK_OK(moorline_service_start(service, "name"));
        moorline_socket *clients[8];
        for (int j = 0; j < 8; ++j) {
            clients[j] = connected("name");
            CHECK(fill(clients[j]) > 0); /* the echo fills up too: nobody reads it */
        }
        CHECK_OK(moorline_service_destroy(service));
        CHECK(!exists(in_test_directory("name").text));
        for (int j = 0; j < 8; ++j) {
            (void)receive_until_disconnected(clients[j]);
            CHECK_OK(moorline_socket_destroy(clients[j]));
        }
    }
}

static void test_max_connections(void)
{
    moorline_service_options options = {.struct_size = sizeof options, .max_connections = 2};
    moorline_service *service = started(&options, NULL);
    moorline_socket *first = connected("name");
    moorline_socket *second = connected("name");
    expect_echo(first, "one");
    expect_echo(second, "two");
    moorline_socket *third = connected("name");
    CHECK_NUMBER(receive_until_disconnected(third), 0); /* turned away, and told so */
    expect_echo(first, "still one");
    CHECK_OK(moorline_socket_destroy(third));
    CHECK_OK(moorline_socket_destroy(second));
    /* A place is free as soon as the service has noticed. */
    for (bool served = false; !served;) {
        char byte = 0;
        size_t count = 0;
        second = connected("name");
        served = moorline_socket_send(second, "x", 1, -1, &count) == MOORLINE_OK &&
                 moorline_socket_receive(second, &byte, 1, -1, &count) == MOORLINE_OK;
        CHECK_OK(moorline_socket_destroy(second));
    }
    CHECK_OK(moorline_socket_destroy(first));
    moorline_service_report report = stopped(service, -1, MOORLINE_OK);
    CHECK(report.refused >= 1);
    CHECK_NUMBER(report.accepted, 3);
    CHECK_OK(moorline_service_destroy(service));
}

static int threads_with(uint32_t workers)
{
    moorline_service_options options = {.struct_size = sizeof options, .workers = workers};
    int before = running_threads();
    moorline_service *service = started(&options, NULL);
    int threads = running_threads() - before;
    CHECK_OK(moorline_service_destroy(service));
    return threads;
}

static void test_each_worker_is_a_thread(void)
{
    CHECK(threads_with(1) > 0);
    CHECK_NUMBER(threads_with(0), threads_with(1));
    CHECK_NUMBER(threads_with(4), threads_with(1) + 3);
}

int main(void)
{
    RUN(test_echo);
    RUN(test_all_comes_back_after_the_clients_end);
    RUN(test_start_fails_with_its_error);
    RUN(test_restart);
    RUN(test_stop_flushes_until_its_deadline);
    RUN(test_the_report_counts_what_was_sent_meanwhile);
    RUN(test_a_waiting_stop_holds_nobody_up);
    RUN(test_destroy_while_connections_are_busy);
    RUN(test_max_connections);
    RUN(test_each_worker_is_a_thread);
    return 0;
}

/* The connections of a service: callbacks, sending from any thread, queues and their marks, ends. */
#include "support_service.h"

/* --- callbacks --- */

static void test_callbacks(void)
{
    struct log log = {0};
    moorline_service_callbacks callbacks = callbacks_of(&log);
    moorline_service *service = started(NULL, &callbacks);
    moorline_socket *client = connected("name");
    size_t sent = 0;
    CHECK_OK(moorline_socket_send(client, "hello", 5, -1, &sent));
    CHECK_OK(moorline_socket_destroy(client));
    wait_for(&log.disconnected, 1);
    CHECK_NUMBER(atomic_load(&log.connected), 1);
    CHECK_NUMBER(atomic_load(&log.received), 5); /* all of it before the end is told */
    CHECK_STATUS(atomic_load(&log.reason), MOORLINE_DISCONNECTED);
    CHECK_OK(moorline_service_destroy(service));
    CHECK_NUMBER(atomic_load(&log.disconnected), 1); /* told once */
}

static void test_callbacks_may_all_be_missing(void)
{
    moorline_service_callbacks callbacks = {.struct_size = sizeof callbacks};
    moorline_service *service = started(NULL, &callbacks);
    moorline_socket *client = connected("name");
    size_t count = 0;
    char byte;
    CHECK_OK(moorline_socket_send(client, "swallowed", 9, -1, &count));
    CHECK_STATUS(moorline_socket_receive(client, &byte, 1, 50, &count), MOORLINE_TIMED_OUT);
    CHECK_OK(moorline_socket_destroy(client));
    CHECK_OK(moorline_service_destroy(service));
}

/* Answers in upper case, and knows its peer. */
static void answer(void *context, moorline_connection *connection, const void *data, size_t length)
{
    char buffer[64];
    size_t sent = 0;
    moorline_credentials credentials = {.struct_size = sizeof credentials};
    (void)context;
    CHECK(length <= sizeof buffer);
    for (size_t i = 0; i < length; ++i) {
        buffer[i] = (char)(((const char *)data)[i] - 'a' + 'A');
    }
    CHECK_OK(moorline_connection_send(connection, buffer, length, 0, &sent));
    CHECK_OK(moorline_connection_peer_credentials(connection, &credentials));
    CHECK_NUMBER(credentials.pid, getpid());
    CHECK_NUMBER(credentials.uid, getuid());
    if (buffer[length - 1] == 'Q') {
        CHECK_OK(moorline_connection_close(connection));
    }
}

static void test_answering_and_closing_from_inside(void)
{
    struct log log = {0};
    moorline_service_callbacks callbacks = callbacks_of(&log);
    callbacks.received = answer;
    moorline_service *service = started(NULL, &callbacks);
    moorline_socket *client = connected("name");
    char buffer[4] = "";
    size_t sent = 0;
    CHECK_OK(moorline_socket_send(client, "abq", 3, -1, &sent));
    receive_exactly(client, buffer, 3);
    CHECK_TEXT(buffer, "ABQ"); /* what was queued before the close goes out */
    CHECK_NUMBER(receive_until_disconnected(client), 0);
    wait_for(&log.disconnected, 1);
    CHECK_STATUS(atomic_load(&log.reason), MOORLINE_CLOSED);
    CHECK_OK(moorline_socket_destroy(client));
    CHECK_OK(moorline_service_destroy(service));
}

static void greet(void *context, moorline_connection *connection)
{
    size_t sent = 0;
    CHECK_OK(moorline_connection_send(connection, "welcome", 7, 0, &sent));
    CHECK_OK(moorline_connection_close(connection));
    CHECK_STATUS(moorline_connection_send(connection, "more", 4, 0, &sent), MOORLINE_CLOSED);
    CHECK_NUMBER(sent, 0);
    on_connected(context, connection);
}

/* The handle is good for asking until this returns; there is nobody left to send to. */
static void farewell(void *context, moorline_connection *connection, moorline_status reason)
{
    size_t sent = 77;
    CHECK_STATUS(moorline_connection_send(connection, "x", 1, -1, &sent), MOORLINE_CLOSED);
    CHECK_NUMBER(sent, 0);
    CHECK_OK(moorline_connection_close(connection));
    CHECK_OK(moorline_connection_abort(connection));
    on_disconnected(context, connection, reason);
}

static void abort_at_once(void *context, moorline_connection *connection)
{
    CHECK_OK(moorline_connection_abort(connection));
    on_connected(context, connection);
}

static void test_ending_as_they_come(void)
{
    for (int abort = 0; abort < 2; ++abort) {
        struct log log = {0};
        moorline_service_callbacks callbacks = callbacks_of(&log);
        callbacks.connected = abort ? abort_at_once : greet;
        callbacks.disconnected = farewell;
        moorline_service *service = started(NULL, &callbacks);
        for (int i = 1; i <= 20; ++i) {
            moorline_socket *client = connected("name");
            CHECK_NUMBER(receive_until_disconnected(client), abort ? 0 : 7);
            CHECK_OK(moorline_socket_destroy(client));
            wait_for(&log.disconnected, i);
            CHECK_NUMBER(atomic_load(&log.connected), i);
            CHECK_STATUS(atomic_load(&log.reason), MOORLINE_CLOSED);
        }
        CHECK_OK(moorline_service_destroy(service));
    }
}

static void misbehave(void *context, moorline_connection *connection)
{
    struct log *log = context;
    moorline_service_report report = {.struct_size = sizeof report};
    atomic_store(&log->inside[0], moorline_service_stop(log->service, -1, &report));
    atomic_store(&log->inside[1], moorline_service_destroy(log->service));
    atomic_store(&log->inside[2], moorline_service_start(log->service, "other"));
    on_connected(context, connection);
}

static void test_stop_from_inside_is_refused(void)
{
    struct log log = {0};
    moorline_service_callbacks callbacks = callbacks_of(&log);
    callbacks.connected = misbehave;
    CHECK_OK(moorline_service_create(NULL, &callbacks, &log.service));
    CHECK_OK(moorline_service_start(log.service, "name"));
    moorline_socket *client = connected("name");
    wait_for(&log.connected, 1);
    for (int i = 0; i < 3; ++i) {
        CHECK_STATUS(atomic_load(&log.inside[i]), MOORLINE_INVALID_STATE);
    }
    CHECK_OK(moorline_socket_destroy(client));
    CHECK_OK(moorline_service_destroy(log.service)); /* which is still alive */
}

static void test_a_connection_is_stale_after_its_end(void)
{
    struct log log = {0};
    moorline_service_callbacks callbacks = callbacks_of(&log);
    moorline_service *service = started(NULL, &callbacks);
    moorline_socket *client = connected("name");
    wait_for(&log.connected, 1);
    moorline_connection *connection = atomic_load(&log.connection);
    size_t sent = 77;
    CHECK_OK(moorline_connection_send(connection, "x", 1, 0, &sent));
    CHECK_OK(moorline_socket_destroy(client));
    wait_for(&log.disconnected, 1);
    CHECK_OK(moorline_service_stop(service, -1, NULL)); /* so that the callback has returned */
    CHECK_STATUS(moorline_connection_send(connection, "x", 1, 0, &sent), MOORLINE_STALE_HANDLE);
    CHECK_NUMBER(sent, 0);
    CHECK_STATUS(moorline_connection_close(connection), MOORLINE_STALE_HANDLE);
    CHECK_STATUS(moorline_connection_abort(connection), MOORLINE_STALE_HANDLE);
    CHECK_OK(moorline_service_destroy(service));
}

/* --- sending from outside --- */

enum { SENDERS = 6, BLOCKS = 20, BLOCK = 50000 };

struct sender {
    moorline_connection *connection;
    char tag;
};

static void send_tagged_blocks(void *context)
{
    const struct sender *sender = context;
    static _Thread_local char block[BLOCK];
    memset(block, sender->tag, BLOCK);
    for (int i = 0; i < BLOCKS; ++i) {
        size_t sent = 0;
        CHECK_OK(moorline_connection_send(sender->connection, block, BLOCK, -1, &sent));
        CHECK_NUMBER(sent, BLOCK);
    }
}

static void test_sends_from_many_threads_are_whole(void)
{
    struct log log = {0};
    moorline_service_callbacks callbacks = callbacks_of(&log);
    /* A queue smaller than a block: each call waits in its middle. */
    moorline_service_options options = {.struct_size = sizeof options, .queue_limit = 20000};
    moorline_service *service = started(&options, &callbacks);
    moorline_socket *client = connected("name");
    struct worker workers[SENDERS];
    struct sender senders[SENDERS];
    wait_for(&log.connected, 1);
    for (int i = 0; i < SENDERS; ++i) {
        senders[i] = (struct sender){atomic_load(&log.connection), (char)('a' + i)};
        worker_start(&workers[i], send_tagged_blocks, &senders[i]);
    }
    static char block[BLOCK];
    for (int i = 0; i < SENDERS * BLOCKS; ++i) {
        receive_exactly(client, block, BLOCK);
        CHECK(memchr(block, block[0], BLOCK) == block);
        CHECK(memcmp(block, block + 1, BLOCK - 1) == 0); /* all bytes alike */
    }
    for (int i = 0; i < SENDERS; ++i) {
        worker_join(&workers[i]);
    }
    CHECK_OK(moorline_socket_destroy(client));
    CHECK_OK(moorline_service_destroy(service));
}

static void test_water_marks(void)
{
    struct log log = {0};
    moorline_service_callbacks callbacks = callbacks_of(&log);
    moorline_service_options options = {
        .struct_size = sizeof options, .queue_limit = 100000, .high_water = 50000, .low_water = 10000};
    moorline_service *service = started(&options, &callbacks);
    moorline_socket *client = connected("name");
    wait_for(&log.connected, 1);
    uint64_t total = fill_connection(atomic_load(&log.connection));
    CHECK(total > 100000);
    wait_for(&log.high, 1);
    CHECK(atomic_load(&log.high_at) >= 50000 && atomic_load(&log.high_at) <= 100000);
    CHECK_NUMBER(atomic_load(&log.low), 0);
    static char buffer[65536];
    for (uint64_t received = 0; received < total;) {
        size_t count = 0;
        CHECK_OK(moorline_socket_receive(client, buffer, sizeof buffer, -1, &count));
        received += count;
    }
    wait_for(&log.low, 1);
    CHECK(atomic_load(&log.low_at) <= 10000);
    CHECK_NUMBER(atomic_load(&log.high), 1); /* once a crossing, not once a call */
    CHECK_NUMBER(atomic_load(&log.low), 1);

    /* And the next crossing is told again. */
    CHECK(fill_connection(atomic_load(&log.connection)) > 100000);
    wait_for(&log.high, 2);
    CHECK_OK(moorline_socket_destroy(client));
    CHECK_OK(moorline_service_destroy(service));
}

static void test_abort_drops_the_queue(void)
{
    struct log log = {0};
    moorline_service_callbacks callbacks = callbacks_of(&log);
    moorline_service *service = started(NULL, &callbacks);
    moorline_socket *client = connected("name");
    wait_for(&log.connected, 1);
    uint64_t total = fill_connection(atomic_load(&log.connection));
    CHECK_OK(moorline_connection_abort(atomic_load(&log.connection)));
    wait_for(&log.disconnected, 1);
    uint64_t received = receive_until_disconnected(client);
    CHECK(received < total);
    moorline_service_report report = stopped(service, -1, MOORLINE_OK);
    CHECK_NUMBER(report.sent, received);
    CHECK_NUMBER(report.unsent, total - received);
    CHECK_OK(moorline_socket_destroy(client));
    CHECK_OK(moorline_service_destroy(service));
}

int main(void)
{
    RUN(test_callbacks);
    RUN(test_callbacks_may_all_be_missing);
    RUN(test_answering_and_closing_from_inside);
    RUN(test_ending_as_they_come);
    RUN(test_stop_from_inside_is_refused);
    RUN(test_a_connection_is_stale_after_its_end);
    RUN(test_sends_from_many_threads_are_whole);
    RUN(test_water_marks);
    RUN(test_abort_drops_the_queue);
    return 0;
}

#include "support_service.h"

void wait_for(const atomic_int *counter, int value)
{
    while (atomic_load(counter) < value) {
        let_time_pass_ms(1);
    }
}

void on_connected(void *context, moorline_connection *connection)
{
    struct log *log = context;
    atomic_store(&log->connection, connection);
    atomic_fetch_add(&log->connected, 1);
}

static void on_received(void *context, moorline_connection *connection, const void *data, size_t length)
{
    struct log *log = context;
    (void)connection;
    CHECK(data != NULL && length > 0);
    atomic_fetch_add(&log->received, length);
}

void on_disconnected(void *context, moorline_connection *connection, moorline_status reason)
{
    struct log *log = context;
    (void)connection;
    atomic_store(&log->reason, reason);
    atomic_fetch_add(&log->disconnected, 1);
}

static void on_high_water(void *context, moorline_connection *connection, size_t queued)
{
    struct log *log = context;
    (void)connection;
    atomic_store(&log->high_at, queued);
    atomic_fetch_add(&log->high, 1);
}

static void on_low_water(void *context, moorline_connection *connection, size_t queued)
{
    struct log *log = context;
    (void)connection;
    atomic_store(&log->low_at, queued);
    atomic_fetch_add(&log->low, 1);
}

moorline_service_callbacks callbacks_of(struct log *log)
{
    return (moorline_service_callbacks){.struct_size = sizeof(moorline_service_callbacks),
                                        .context = log,
                                        .connected = on_connected,
                                        .received = on_received,
                                        .disconnected = on_disconnected,
                                        .high_water = on_high_water,
                                        .low_water = on_low_water};
}

moorline_service *started(const moorline_service_options *options, const moorline_service_callbacks *callbacks)
{
    moorline_service *service = NULL;
    CHECK_OK(moorline_service_create(options, callbacks, &service));
    CHECK_OK(moorline_service_start(service, "name"));
    return service;
}

moorline_service_report stopped(moorline_service *service, int64_t timeout_ms, moorline_status expected)
{
    moorline_service_report report = {.struct_size = sizeof report};
    CHECK_STATUS(moorline_service_stop(service, timeout_ms, &report), expected);
    return report;
}

void expect_echo(moorline_socket *client, const char *text)
{
    char buffer[64] = "";
    size_t sent = 0;
    CHECK_OK(moorline_socket_send(client, text, strlen(text), -1, &sent));
    receive_exactly(client, buffer, strlen(text));
    CHECK_TEXT(buffer, text);
}

uint64_t fill_connection(moorline_connection *connection)
{
    static const char block[1000];
    uint64_t total = 0;
    for (moorline_status status = MOORLINE_OK; status != MOORLINE_TIMED_OUT;) {
        size_t sent = 0;
        status = moorline_connection_send(connection, block, sizeof block, 100, &sent);
        total += sent;
        CHECK(status == MOORLINE_OK || status == MOORLINE_TIMED_OUT);
    }
    return total;
}

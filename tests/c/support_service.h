/* What the tests of services share: a record of what callbacks saw, and shorthands. */
#ifndef MOORLINE_TESTS_SUPPORT_SERVICE_H
#define MOORLINE_TESTS_SUPPORT_SERVICE_H

#include "support.h"

/* What callbacks saw; one at a time per connection, but each connection on any thread. */
struct log {
    moorline_service *service;
    _Atomic(moorline_connection *) connection;
    atomic_int connected;
    atomic_int disconnected;
    atomic_int reason;
    atomic_int high;
    atomic_int low;
    atomic_size_t received;
    atomic_size_t high_at;
    atomic_size_t low_at;
    atomic_int inside[3];
};

/* Callbacks that record in `log`. */
moorline_service_callbacks callbacks_of(struct log *log);
void on_connected(void *context, moorline_connection *connection);
void on_disconnected(void *context, moorline_connection *connection, moorline_status reason);
/* Returns when the counter has come that far. */
void wait_for(const atomic_int *counter, int value);

/* A service that runs under "name". */
moorline_service *started(const moorline_service_options *options, const moorline_service_callbacks *callbacks);
moorline_service_report stopped(moorline_service *service, int64_t timeout_ms, moorline_status expected);
void expect_echo(moorline_socket *client, const char *text);
/* Queues until no more is taken for a while; gives the number of bytes taken. */
uint64_t fill_connection(moorline_connection *connection);

#endif

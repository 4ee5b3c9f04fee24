/* Arguments that are no handles: structs of any size, numbers out of range, timeouts, missing buffers and outputs. */
#include "support_options.h"

/* --- option structs: each is given in all sizes --- */

static moorline_status server_options(union sized *options)
{
    moorline_server *server = NULL;
    moorline_status status = moorline_server_create((const moorline_server_options *)options, &server);
    if (status == MOORLINE_OK) {
        CHECK_OK(moorline_server_destroy(server));
    } else {
        CHECK_POINTER(server, NULL);
    }
    return status;
}

static moorline_status socket_options(union sized *options)
{
    moorline_socket *first = (moorline_socket *)options;
    moorline_socket *second = (moorline_socket *)options;
    moorline_status status = moorline_socket_pair((const moorline_socket_options *)options, &first, &second);
    if (status == MOORLINE_OK) {
        CHECK_OK(moorline_socket_destroy(first));
        CHECK_OK(moorline_socket_destroy(second));
    } else {
        CHECK_POINTER(first, NULL);
        CHECK_POINTER(second, NULL);
    }
    return status;
}

static moorline_status poller_options(union sized *options)
{
    moorline_poller *poller = (moorline_poller *)options;
    moorline_status status = moorline_poller_create((const moorline_poller_options *)options, &poller);
    if (status == MOORLINE_OK) {
        CHECK_OK(moorline_poller_destroy(poller));
    } else {
        CHECK_POINTER(poller, NULL);
    }
    return status;
}

static moorline_status service_with(const void *options, const void *callbacks)
{
    moorline_service *service = (moorline_service *)&service;
    moorline_status status = moorline_service_create(options, callbacks, &service);
    if (status == MOORLINE_OK) {
        CHECK_OK(moorline_service_destroy(service));
    } else {
        CHECK_POINTER(service, NULL);
    }
    return status;
}

static moorline_status service_options(union sized *options)
{
    return service_with(options, NULL);
}

static moorline_status service_callbacks(union sized *callbacks)
{
    return service_with(NULL, callbacks);
}

static moorline_status exchange_options(union sized *options)
{
    moorline_exchange_report report = {.struct_size = sizeof report, .round_trips = 77};
    moorline_status status = moorline_exchange_run("nobody", (const moorline_exchange_options *)options, 0, &report);
    CHECK_NUMBER(report.round_trips, 0);
    return status == MOORLINE_NOT_FOUND ? MOORLINE_OK : status; /* so far it came */
}

static void test_sizes_of_options(void)
{
    static const struct sized_options cases[] = {
        {"moorline_server_options", sizeof(moorline_server_options), server_options},
        {"moorline_socket_options", sizeof(moorline_socket_options), socket_options},
        {"moorline_poller_options", sizeof(moorline_poller_options), poller_options},
        {"moorline_service_options", sizeof(moorline_service_options), service_options},
        {"moorline_service_callbacks", sizeof(moorline_service_callbacks), service_callbacks},
        {"moorline_exchange_options", sizeof(moorline_exchange_options), exchange_options},
    };
    check_sizes_of_options(cases, sizeof cases / sizeof cases[0]);
}

static moorline_status service_marks(size_t limit, size_t high, size_t low)
{
    moorline_service_options options = {
        .struct_size = sizeof options, .queue_limit = limit, .high_water = high, .low_water = low};
    return service_with(&options, NULL);
}

static void test_values_of_options(void)
{
    static const uint32_t bad_enums[] = {3, 4, 100, INT32_MAX, UINT32_MAX};
    moorline_server *server = NULL;
    moorline_socket *socket = NULL;
    moorline_exchange_report report = {.struct_size = sizeof report};
    for (size_t i = 0; i < sizeof bad_enums / sizeof bad_enums[0]; ++i) {
        moorline_server_options of_server = {.struct_size = sizeof of_server, .scope = bad_enums[i]};
        moorline_service_options of_service = {.struct_size = sizeof of_service, .scope = bad_enums[i]};
        moorline_socket_options of_socket = {.struct_size = sizeof of_socket, .scope = bad_enums[i]};
        moorline_exchange_options of_exchange = {.struct_size = sizeof of_exchange, .scope = bad_enums[i]};
        CHECK_STATUS(moorline_server_create(&of_server, &server), MOORLINE_INVALID_ARGUMENT);
        CHECK_STATUS(service_with(&of_service, NULL), MOORLINE_INVALID_ARGUMENT);
        CHECK_STATUS(moorline_socket_connect("nobody", &of_socket, 0, &socket), MOORLINE_INVALID_ARGUMENT);
        CHECK_STATUS(moorline_exchange_run("nobody", &of_exchange, 0, &report), MOORLINE_INVALID_ARGUMENT);
        of_socket = (moorline_socket_options){.struct_size = sizeof of_socket, .trust = bad_enums[i]};
        of_exchange = (moorline_exchange_options){.struct_size = sizeof of_exchange, .trust = bad_enums[i]};
        CHECK_STATUS(moorline_socket_connect("nobody", &of_socket, 0, &socket), MOORLINE_INVALID_ARGUMENT);
        CHECK_STATUS(moorline_exchange_run("nobody", &of_exchange, 0, &report), MOORLINE_INVALID_ARGUMENT);
    }
    static const uint32_t bad_modes[] = {01000, 04600, 010000, UINT32_MAX};
    for (size_t i = 0; i < sizeof bad_modes / sizeof bad_modes[0]; ++i) {
        moorline_server_options of_server = {.struct_size = sizeof of_server, .mode = bad_modes[i]};
        moorline_service_options of_service = {.struct_size = sizeof of_service, .mode = bad_modes[i]};
        moorline_service *service = NULL;
        CHECK_OK(moorline_server_create(&of_server, &server));
        CHECK_STATUS(moorline_server_listen(server, "name"), MOORLINE_INVALID_ARGUMENT);
        CHECK_OK(moorline_server_destroy(server));
        CHECK_OK(moorline_service_create(&of_service, NULL, &service));
        CHECK_STATUS(moorline_service_start(service, "name"), MOORLINE_INVALID_ARGUMENT);
        CHECK_OK(moorline_service_destroy(service));
    }
    /* What a later version may give a meaning to is set in vain no more than what it appends. */
    moorline_socket_options of_socket = {.struct_size = sizeof of_socket, .reserved = 1};
    moorline_service_options of_service = {.struct_size = sizeof of_service, .reserved = 1};
    moorline_message_options messages = {.struct_size = sizeof messages, .framing = MOORLINE_FRAMING_LINES, .reserved = 1};
    moorline_socket_options with_messages = {.struct_size = sizeof with_messages, .messages = &messages};
    moorline_policy policy = {.struct_size = sizeof policy, .reserved = 1};
    moorline_server_options of_server = {.struct_size = sizeof of_server, .policy = &policy};
    CHECK_STATUS(moorline_socket_connect("nobody", &of_socket, 0, &socket), MOORLINE_INVALID_ARGUMENT);
    CHECK_STATUS(moorline_socket_connect("nobody", &with_messages, 0, &socket), MOORLINE_INVALID_ARGUMENT);
    CHECK_CONTAINS(last_error().text, "message options: reserved is 1");
    CHECK_STATUS(service_with(&of_service, NULL), MOORLINE_INVALID_ARGUMENT);
    CHECK_STATUS(moorline_server_create(&of_server, &server), MOORLINE_INVALID_ARGUMENT);
    CHECK_CONTAINS(last_error().text, "policy: reserved is 1");

    CHECK_OK(service_marks(0, 0, 0));
    CHECK_OK(service_marks(100, 50, 10));
    CHECK_OK(service_marks(100, 0, 0)); /* the marks follow the limit */
    CHECK_STATUS(service_marks(100, 101, 10), MOORLINE_INVALID_ARGUMENT);
    CHECK_STATUS(service_marks(100, 50, 60), MOORLINE_INVALID_ARGUMENT);

    moorline_exchange_options of_exchange = {.struct_size = sizeof of_exchange, .connections = UINT32_MAX};
    CHECK_STATUS(moorline_exchange_run("nobody", &of_exchange, 0, &report), MOORLINE_INVALID_ARGUMENT);
    of_exchange = (moorline_exchange_options){.struct_size = sizeof of_exchange, .chunk = SIZE_MAX};
    CHECK_STATUS(moorline_exchange_run("nobody", &of_exchange, 0, &report), MOORLINE_INVALID_ARGUMENT);
    uint32_t state = 77;
    CHECK_STATUS(moorline_name_state("name", 3, &state), MOORLINE_INVALID_ARGUMENT);
    CHECK_NUMBER(state, 0);
    CHECK_STATUS(moorline_name_remove("name", 3), MOORLINE_INVALID_ARGUMENT);
}

/* --- report structs: written as far as the caller knows them, and no further --- */

static void test_sizes_of_reports(void)
{
    static const size_t bad[] = {0, 1, sizeof(size_t) - 1, sizeof(size_t) + 1, ROOM + 1, SIZE_MAX};
    static union sized report;
    moorline_socket *first = NULL;
    moorline_socket *second = NULL;
    size_t sent = 0;
    CHECK_OK(moorline_socket_pair(NULL, &first, &second));
    CHECK_OK(moorline_socket_send(first, "hello", 5, -1, &sent));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; ++i) {
        memset(&report, 0xee, sizeof report);
        report.struct_size = bad[i];
        CHECK_STATUS(moorline_socket_close(first, 0, (moorline_close_report *)&report), MOORLINE_INVALID_ARGUMENT);
        CHECK_STATUS(moorline_socket_peer_credentials(first, (moorline_credentials *)&report), MOORLINE_INVALID_ARGUMENT);
        CHECK_NUMBER(report.bytes[sizeof(size_t)], 0xee);
    }
    CHECK_OK(moorline_socket_send(first, "!", 1, -1, &sent)); /* it was not closed by that */

    /* Larger than known: what is not known is zero. */
    memset(&report, 0xee, sizeof report);
    report.struct_size = sizeof(moorline_credentials) + 8;
    moorline_credentials credentials;
    CHECK_OK(moorline_socket_peer_credentials(first, (moorline_credentials *)&report));
    memcpy(&credentials, &report, sizeof credentials);
    CHECK_NUMBER(credentials.pid, getpid());
    for (size_t i = sizeof(moorline_credentials); i < sizeof(moorline_credentials) + 8; ++i) {
        CHECK_NUMBER(report.bytes[i], 0);
    }
    CHECK_NUMBER(report.bytes[sizeof(moorline_credentials) + 8], 0xee);

    /* Smaller: what the caller has no room for is not written. */
    memset(&report, 0xee, sizeof report);
    report.struct_size = offsetof(moorline_close_report, unsent);
    moorline_close_report closed;
    CHECK_OK(moorline_socket_close(first, 0, (moorline_close_report *)&report));
    memcpy(&closed, &report, sizeof closed);
    CHECK_NUMBER(closed.sent, 6);
    CHECK_NUMBER(report.bytes[offsetof(moorline_close_report, unsent)], 0xee);
    CHECK_OK(moorline_socket_destroy(first));
    CHECK_OK(moorline_socket_destroy(second));

    moorline_service *service = NULL;
    CHECK_OK(moorline_service_create(NULL, NULL, &service));
    CHECK_OK(moorline_service_start(service, "name"));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; ++i) {
        memset(&report, 0xee, sizeof report);
        report.struct_size = bad[i];
        CHECK_STATUS(moorline_service_stop(service, 0, (moorline_service_report *)&report), MOORLINE_INVALID_ARGUMENT);
        CHECK_STATUS(moorline_exchange_run("name", NULL, -1, (moorline_exchange_report *)&report), MOORLINE_INVALID_ARGUMENT);
    }
    CHECK_OK(moorline_exchange_run("name", NULL, -1, NULL)); /* it was not stopped by that */
    CHECK_OK(moorline_service_stop(service, -1, NULL));
    CHECK_OK(moorline_service_destroy(service));
}

/* --- timeouts --- */

static void test_timeouts(void)
{
    static const int64_t bad[] = {-2, -1000, INT32_MIN, INT64_MIN};
    moorline_server *server = listening("name");
    moorline_socket *socket = connected("name");
    moorline_poller *poller = NULL;
    moorline_service *service = NULL;
    moorline_event event;
    char byte = 0;
    size_t count = 77;
    uint32_t ready = 77;
    CHECK_OK(moorline_poller_create(NULL, &poller));
    CHECK_OK(moorline_service_create(NULL, NULL, &service));
    CHECK_OK(moorline_service_start(service, "service"));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; ++i) {
        moorline_socket *other = (moorline_socket *)&server;
        CHECK_STATUS(moorline_server_accept(server, bad[i], &other), MOORLINE_INVALID_ARGUMENT);
        CHECK_POINTER(other, NULL);
        CHECK_STATUS(moorline_socket_connect("name", NULL, bad[i], &other), MOORLINE_INVALID_ARGUMENT);
        count = 77;
        CHECK_STATUS(moorline_socket_send(socket, "x", 1, bad[i], &count), MOORLINE_INVALID_ARGUMENT);
        CHECK_NUMBER(count, 0);
        CHECK_STATUS(moorline_socket_receive(socket, &byte, 1, bad[i], &count), MOORLINE_INVALID_ARGUMENT);
        CHECK_STATUS(moorline_socket_flush(socket, bad[i]), MOORLINE_INVALID_ARGUMENT);
        CHECK_STATUS(moorline_socket_wait(socket, MOORLINE_WRITABLE, bad[i], &ready), MOORLINE_INVALID_ARGUMENT);
        CHECK_NUMBER(ready, 0);
        CHECK_STATUS(moorline_socket_close(socket, bad[i], NULL), MOORLINE_INVALID_ARGUMENT);
        CHECK_STATUS(moorline_poller_wait(poller, &event, 1, bad[i], &count), MOORLINE_INVALID_ARGUMENT);
        CHECK_STATUS(moorline_service_stop(service, bad[i], NULL), MOORLINE_INVALID_ARGUMENT);
        CHECK_STATUS(moorline_exchange_run("service", NULL, bad[i], NULL), MOORLINE_INVALID_ARGUMENT);
    }
    /* None of which did anything. */
    moorline_socket *accepted = NULL;
    CHECK_OK(moorline_server_accept(server, INT64_MAX, &accepted)); /* longer than any clock: for ever */
    CHECK_OK(moorline_socket_send(accepted, "x", 1, INT64_MAX, &count));
    CHECK_OK(moorline_socket_receive(socket, &byte, 1, INT64_MAX, &count));
    CHECK_OK(moorline_exchange_run("service", NULL, INT64_MAX, NULL));
    CHECK_OK(moorline_service_stop(service, INT64_MAX, NULL));
    CHECK_OK(moorline_socket_close(socket, INT64_MAX, NULL));
    CHECK_OK(moorline_socket_destroy(socket));
    CHECK_OK(moorline_socket_destroy(accepted));
    CHECK_OK(moorline_poller_destroy(poller));
    CHECK_OK(moorline_service_destroy(service));
    CHECK_OK(moorline_server_destroy(server));
}

/* --- pointers --- */

static void test_missing_outputs(void)
{
    moorline_socket *socket = (moorline_socket *)&socket;
    CHECK_STATUS(moorline_server_create(NULL, NULL), MOORLINE_INVALID_ARGUMENT);
    CHECK_STATUS(moorline_poller_create(NULL, NULL), MOORLINE_INVALID_ARGUMENT);
    CHECK_STATUS(moorline_service_create(NULL, NULL, NULL), MOORLINE_INVALID_ARGUMENT);
    CHECK_STATUS(moorline_socket_pair(NULL, NULL, &socket), MOORLINE_INVALID_ARGUMENT);
    CHECK_POINTER(socket, NULL);
    socket = (moorline_socket *)&socket;
    CHECK_STATUS(moorline_socket_pair(NULL, &socket, NULL), MOORLINE_INVALID_ARGUMENT);
    CHECK_POINTER(socket, NULL);
    CHECK_STATUS(moorline_live_handles(NULL), MOORLINE_INVALID_ARGUMENT);
    CHECK_STATUS(moorline_name_state("name", MOORLINE_SCOPE_TEMPORARY, NULL), MOORLINE_INVALID_ARGUMENT);
    CHECK_NUMBER(live_handles(), 0);

    moorline_server *server = listening("name");
    CHECK_STATUS(moorline_socket_connect("name", NULL, 0, NULL), MOORLINE_INVALID_ARGUMENT);
    CHECK_STATUS(moorline_server_accept(server, 0, &socket), MOORLINE_WOULD_BLOCK); /* nobody knocked */
    moorline_socket *client = connected("name");
    CHECK_STATUS(moorline_server_accept(server, 0, NULL), MOORLINE_INVALID_ARGUMENT);
    CHECK_OK(moorline_server_accept(server, 0, &socket)); /* the client was not lost by that */
    CHECK_STATUS(moorline_server_descriptor(server, NULL), MOORLINE_INVALID_ARGUMENT);
    CHECK_STATUS(moorline_socket_descriptor(socket, NULL), MOORLINE_INVALID_ARGUMENT);
    CHECK_STATUS(moorline_socket_release_descriptor(socket, NULL), MOORLINE_INVALID_ARGUMENT);
    CHECK_STATUS(moorline_socket_peer_credentials(socket, NULL), MOORLINE_INVALID_ARGUMENT);
    CHECK_OK(moorline_socket_destroy(socket));
    CHECK_OK(moorline_socket_destroy(client));
    CHECK_OK(moorline_server_destroy(server));
}

static void test_missing_names(void)
{
    moorline_server *server = NULL;
    CHECK_OK(moorline_server_create(NULL, &server));
    CHECK_STATUS(moorline_server_listen(server, NULL), MOORLINE_INVALID_ARGUMENT);
    CHECK_STATUS(moorline_server_listen_unique(server, NULL), MOORLINE_INVALID_ARGUMENT);
    CHECK_STATUS(moorline_handle_set_origin(server, NULL, 1), MOORLINE_INVALID_ARGUMENT);
    CHECK_OK(moorline_server_destroy(server));
    moorline_service *service = NULL;
    CHECK_OK(moorline_service_create(NULL, NULL, &service));
    CHECK_STATUS(moorline_service_start(service, NULL), MOORLINE_INVALID_ARGUMENT);
    CHECK_STATUS(moorline_service_start_unique(service, NULL), MOORLINE_INVALID_ARGUMENT);
    CHECK_OK(moorline_service_destroy(service));
}

/* NULL with length 0 is the empty slice; with any other length it is a mistake. */
static atomic_int inside;

static void send_nothing(void *context, moorline_connection *connection)
{
    size_t sent = 77;
    (void)context;
    CHECK_OK(moorline_connection_send(connection, NULL, 0, 0, &sent));
    CHECK_NUMBER(sent, 0);
    sent = 77;
    CHECK_STATUS(moorline_connection_send(connection, NULL, 1, 0, &sent), MOORLINE_INVALID_ARGUMENT);
    CHECK_NUMBER(sent, 0);
    CHECK_STATUS(moorline_connection_send(connection, "x", 1, -2, &sent), MOORLINE_INVALID_ARGUMENT);
    CHECK_STATUS(moorline_connection_send(connection, "x", SIZE_MAX, 0, &sent), MOORLINE_INVALID_ARGUMENT);
    CHECK_OK(moorline_connection_try_send(connection, NULL, 0));
    CHECK_STATUS(moorline_connection_try_send(connection, NULL, 1), MOORLINE_INVALID_ARGUMENT);
    CHECK_STATUS(moorline_connection_try_send(connection, "x", SIZE_MAX), MOORLINE_INVALID_ARGUMENT);
    CHECK_STATUS(moorline_connection_peer_credentials(connection, NULL), MOORLINE_INVALID_ARGUMENT);
    atomic_store(&inside, 1);
}

static void test_missing_buffers(void)
{
    moorline_socket *first = NULL;
    moorline_socket *second = NULL;
    size_t count = 77;
    CHECK_OK(moorline_socket_pair(NULL, &first, &second));
    CHECK_OK(moorline_socket_send(first, NULL, 0, 0, &count));
    CHECK_NUMBER(count, 0);
    CHECK_STATUS(moorline_socket_send(first, NULL, 1, 0, &count), MOORLINE_INVALID_ARGUMENT);
    CHECK_STATUS(moorline_socket_receive(first, NULL, 1, 0, &count), MOORLINE_INVALID_ARGUMENT);
    CHECK_STATUS(moorline_socket_receive(first, NULL, SIZE_MAX, 0, &count), MOORLINE_INVALID_ARGUMENT);
    CHECK_OK(moorline_socket_destroy(first));
    CHECK_OK(moorline_socket_destroy(second));

    moorline_service *service = NULL;
    moorline_service_callbacks callbacks = {.struct_size = sizeof callbacks, .connected = send_nothing};
    CHECK_OK(moorline_service_create(NULL, &callbacks, &service));
    CHECK_OK(moorline_service_start(service, "name"));
    first = connected("name");
    while (atomic_load(&inside) == 0) {
        let_time_pass_ms(1);
    }
    CHECK_OK(moorline_socket_destroy(first));
    CHECK_OK(moorline_service_destroy(service));
}

/* The initialisers of the header are all the defaults. */
static void test_initialisers(void)
{
    moorline_server_options of_server = MOORLINE_SERVER_OPTIONS_INIT;
    moorline_socket_options of_socket = MOORLINE_SOCKET_OPTIONS_INIT;
    moorline_poller_options of_poller = MOORLINE_POLLER_OPTIONS_INIT;
    moorline_service_options of_service = MOORLINE_SERVICE_OPTIONS_INIT;
    moorline_service_callbacks callbacks = MOORLINE_SERVICE_CALLBACKS_INIT;
    moorline_exchange_options of_exchange = MOORLINE_EXCHANGE_OPTIONS_INIT;
    moorline_close_report close_report = MOORLINE_CLOSE_REPORT_INIT;
    moorline_credentials credentials = MOORLINE_CREDENTIALS_INIT;
    moorline_service_report service_report = MOORLINE_SERVICE_REPORT_INIT;
    moorline_exchange_report exchange_report = MOORLINE_EXCHANGE_REPORT_INIT;
    CHECK_NUMBER(of_server.struct_size, sizeof of_server);
    CHECK_NUMBER(of_socket.struct_size, sizeof of_socket);
    CHECK_NUMBER(of_poller.struct_size, sizeof of_poller);
    CHECK_NUMBER(of_service.struct_size, sizeof of_service);
    CHECK_NUMBER(callbacks.struct_size, sizeof callbacks);
    CHECK_NUMBER(of_exchange.struct_size, sizeof of_exchange);
    CHECK_NUMBER(close_report.struct_size, sizeof close_report);
    CHECK_NUMBER(credentials.struct_size, sizeof credentials);
    CHECK_NUMBER(service_report.struct_size, sizeof service_report);
    CHECK_NUMBER(exchange_report.struct_size, sizeof exchange_report);
    CHECK(of_server.scope == 0 && of_server.mode == 0 && of_server.backlog == 0);
    CHECK(of_socket.scope == 0 && of_socket.trust == 0 && of_socket.send_queue_limit == 0);
    CHECK(callbacks.context == NULL && callbacks.connected == NULL && callbacks.low_water == NULL);
}

int main(void)
{
    RUN(test_sizes_of_options);
    RUN(test_values_of_options);
    RUN(test_sizes_of_reports);
    RUN(test_timeouts);
    RUN(test_missing_outputs);
    RUN(test_missing_names);
    RUN(test_missing_buffers);
    RUN(test_initialisers);
    return 0;
}

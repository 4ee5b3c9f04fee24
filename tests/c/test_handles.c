/* No handle value, however wrong, does more than earn a status: NULL, stale, destroyed twice, of another kind, garbage.
   A table of every function of each header is driven with each of them. */
#include "support_handles.h"

#include <ctype.h>

/* All live ones. */
static void *everything_alive[KINDS + 2];
static int announcements[2];

/* --- one caller for each function and each handle that it takes: right but for the handle; outputs must come back zero --- */

CALLER(handle_set_origin, moorline_handle_set_origin(handle, __FILE__, __LINE__))
CALLER(server_listen, moorline_server_listen(handle, "name"))
CALLER(server_listen_unique, moorline_server_listen_unique(handle, "prefix"))
CALLER(server_listen_abstract, moorline_server_listen_abstract(handle, "name", 4))

static moorline_status server_is_abstract(void *handle)
{
    uint32_t is_abstract = POISON;
    moorline_status status = moorline_server_is_abstract(handle, &is_abstract);
    CHECK_NUMBER(is_abstract, 0);
    return status;
}

static moorline_status server_listen_descriptor(void *handle)
{
    struct path file = in_test_directory("raw");
    int descriptor = raw_listen(file.text);
    moorline_status status = moorline_server_listen_descriptor(handle, descriptor);
    CHECK_SYSTEM(close(descriptor)); /* still ours, because the call failed */
    CHECK_SYSTEM(unlink(file.text));
    return status;
}

TEXT_CALLER(server_full_name)

static moorline_status server_accept(void *handle)
{
    moorline_socket *socket = (moorline_socket *)&socket;
    moorline_status status = moorline_server_accept(handle, 0, &socket);
    CHECK_POINTER(socket, NULL);
    return status;
}

#define DESCRIPTOR_CALLER(name)                                        \
    static moorline_status name(void *handle)                          \
    {                                                                  \
        intptr_t descriptor = POISON;                                  \
        moorline_status status = moorline_##name(handle, &descriptor); \
        CHECK(descriptor != POISON && descriptor <= 0);                \
        return status;                                                 \
    }
DESCRIPTOR_CALLER(server_descriptor)
DESCRIPTOR_CALLER(socket_descriptor)
DESCRIPTOR_CALLER(socket_release_descriptor)
DESCRIPTOR_CALLER(socket_peer_process)
DESCRIPTOR_CALLER(poller_descriptor)
DESCRIPTOR_CALLER(connection_peer_process)

CALLER(server_close, moorline_server_close(handle))
CALLER(server_destroy, moorline_server_destroy(handle))

static moorline_status socket_send(void *handle)
{
    size_t sent = POISON;
    moorline_status status = moorline_socket_send(handle, "x", 1, 0, &sent);
    CHECK_NUMBER(sent, 0);
    return status;
}

static moorline_status socket_receive(void *handle)
{
    char buffer[8];
    size_t received = POISON;
    moorline_status status = moorline_socket_receive(handle, buffer, sizeof buffer, 0, &received);
    CHECK_NUMBER(received, 0);
    return status;
}

CALLER(socket_flush, moorline_socket_flush(handle, 0))

static moorline_status socket_wait(void *handle)
{
    uint32_t ready = POISON;
    moorline_status status = moorline_socket_wait(handle, MOORLINE_READABLE, 0, &ready);
    CHECK_NUMBER(ready, 0);
    return status;
}

static moorline_status socket_peer_credentials(void *handle)
{
    moorline_credentials credentials = {.struct_size = sizeof credentials, .uid = POISON, .gid = POISON, .pid = POISON};
    moorline_status status = moorline_socket_peer_credentials(handle, &credentials);
    CHECK_NUMBER(credentials.uid, 0);
    CHECK_NUMBER(credentials.gid, 0);
    CHECK_NUMBER(credentials.pid, 0);
    return status;
}

CALLER(socket_try_send, moorline_socket_try_send(handle, "x", 1))
CALLER(socket_send_message, moorline_socket_send_message(handle, "x", 1, 0))
CALLER(socket_send_message_with_descriptors, moorline_socket_send_message_with_descriptors(handle, "x", 1, NULL, 0, 0))
CALLER(socket_set_validator, moorline_socket_set_validator(handle, NULL, NULL))

static moorline_status socket_receive_message(void *handle)
{
    char buffer[4];
    size_t length = POISON;
    moorline_status status = moorline_socket_receive_message(handle, buffer, sizeof buffer, 0, &length);
    CHECK_NUMBER(length, 0);
    return status;
}

static moorline_status socket_receive_message_with_descriptors(void *handle)
{
    char buffer[4];
    int descriptors[2];
    size_t length = POISON;
    size_t count = POISON;
    moorline_status status =
        moorline_socket_receive_message_with_descriptors(handle, buffer, sizeof buffer, 0, &length, descriptors, 2, &count);
    CHECK_NUMBER(length, 0);
    CHECK_NUMBER(count, 0);
    return status;
}

static moorline_status socket_may_have_message(void *handle)
{
    uint32_t may = (uint32_t)POISON;
    moorline_status status = moorline_socket_may_have_message(handle, &may);
    CHECK_NUMBER(may, 0);
    return status;
}

static moorline_status socket_max_message(void *handle)
{
    size_t max_message = POISON;
    moorline_status status = moorline_socket_max_message(handle, &max_message);
    CHECK_NUMBER(max_message, 0);
    return status;
}

static moorline_status socket_peer_application(void *handle)
{
    char buffer[8] = "poison";
    size_t needed = POISON;
    uint32_t version = POISON;
    moorline_status status = moorline_socket_peer_application(handle, buffer, sizeof buffer, &needed, &version);
    CHECK_NUMBER(needed, 0);
    CHECK_NUMBER(version, 0);
    CHECK_TEXT(buffer, "");
    return status;
}

CALLER(socket_shutdown, moorline_socket_shutdown(handle, MOORLINE_WRITABLE, 0))
CALLER(connection_send_message, moorline_connection_send_message(handle, "x", 1, 0))

static moorline_status socket_abort(void *handle)
{
    moorline_close_report report = {.struct_size = sizeof report, .sent = POISON, .unsent = POISON, .received = POISON};
    moorline_status status = moorline_socket_abort(handle, &report);
    CHECK_NUMBER(report.sent + report.unsent + report.received, 0);
    return status;
}

STRUCT_CALLER(socket_statistics, moorline_socket_stats, moorline_socket_statistics(handle, out))
STRUCT_CALLER(connection_statistics, moorline_socket_stats, moorline_connection_statistics(handle, out))
STRUCT_CALLER(server_statistics, moorline_server_stats, moorline_server_statistics(handle, out))
STRUCT_CALLER(service_statistics, moorline_service_report, moorline_service_statistics(handle, out))

static moorline_status socket_close(void *handle)
{
    moorline_close_report report = {.struct_size = sizeof report, .sent = POISON, .unsent = POISON, .received = POISON};
    moorline_status status = moorline_socket_close(handle, 0, &report);
    CHECK_NUMBER(report.sent, 0);
    CHECK_NUMBER(report.unsent, 0);
    CHECK_NUMBER(report.received, 0);
    return status;
}

CALLER(socket_destroy, moorline_socket_destroy(handle))
CALLER(poller_add_socket, moorline_poller_add_socket(handle, live[SOCKET], MOORLINE_READABLE, 1))
CALLER(poller_add_this_socket, moorline_poller_add_socket(live[POLLER], handle, MOORLINE_READABLE, 1))
CALLER(poller_modify_socket, moorline_poller_modify_socket(handle, live[SOCKET], MOORLINE_READABLE, 1))
CALLER(poller_modify_this_socket, moorline_poller_modify_socket(live[POLLER], handle, MOORLINE_READABLE, 1))
CALLER(poller_remove_socket, moorline_poller_remove_socket(handle, live[SOCKET]))
CALLER(poller_remove_this_socket, moorline_poller_remove_socket(live[POLLER], handle))
CALLER(poller_add_server, moorline_poller_add_server(handle, live[SERVER], MOORLINE_READABLE, 1))
CALLER(poller_add_this_server, moorline_poller_add_server(live[POLLER], handle, MOORLINE_READABLE, 1))
CALLER(poller_modify_server, moorline_poller_modify_server(handle, live[SERVER], MOORLINE_READABLE, 1))
CALLER(poller_modify_this_server, moorline_poller_modify_server(live[POLLER], handle, MOORLINE_READABLE, 1))
CALLER(poller_remove_server, moorline_poller_remove_server(handle, live[SERVER]))
CALLER(poller_remove_this_server, moorline_poller_remove_server(live[POLLER], handle))

static moorline_status poller_wait(void *handle)
{
    moorline_event events[4];
    size_t count = POISON;
    moorline_status status = moorline_poller_wait(handle, events, 4, 0, &count);
    CHECK_NUMBER(count, 0);
    return status;
}

static moorline_status poller_look(void *handle)
{
    moorline_event events[4];
    size_t count = POISON;
    moorline_status status = moorline_poller_look(handle, events, 4, 0, &count);
    CHECK_NUMBER(count, 0);
    return status;
}

CALLER(poller_wake, moorline_poller_wake(handle))

CALLER(poller_close, moorline_poller_close(handle))
CALLER(poller_destroy, moorline_poller_destroy(handle))
CALLER(service_start, moorline_service_start(handle, "name"))
CALLER(service_start_unique, moorline_service_start_unique(handle, "prefix"))

TEXT_CALLER(service_full_name)

static moorline_status service_stop(void *handle)
{
    moorline_service_report report = {.struct_size = sizeof report,
                                      .accepted = POISON,
                                      .refused = POISON,
                                      .open_at_stop = POISON,
                                      .received = POISON,
                                      .sent = POISON,
                                      .unsent = POISON};
    moorline_status status = moorline_service_stop(handle, 0, &report);
    CHECK(report.accepted + report.refused + report.open_at_stop + report.received + report.sent + report.unsent == 0);
    return status;
}

CALLER(service_destroy, moorline_service_destroy(handle))

static moorline_status connection_send(void *handle)
{
    size_t sent = POISON;
    moorline_status status = moorline_connection_send(handle, "x", 1, 0, &sent);
    CHECK_NUMBER(sent, 0);
    return status;
}

CALLER(connection_try_send, moorline_connection_try_send(handle, "x", 1))
CALLER(connection_send_message_with_descriptors, moorline_connection_send_message_with_descriptors(handle, "x", 1, NULL, 0, 0))
CALLER(connection_close, moorline_connection_close(handle))
CALLER(connection_abort, moorline_connection_abort(handle))

static moorline_status connection_peer_credentials(void *handle)
{
    moorline_credentials credentials = {.struct_size = sizeof credentials, .uid = POISON, .gid = POISON, .pid = POISON};
    moorline_status status = moorline_connection_peer_credentials(handle, &credentials);
    CHECK_NUMBER(credentials.uid, 0);
    CHECK_NUMBER(credentials.gid, 0);
    CHECK_NUMBER(credentials.pid, 0);
    return status;
}

static const struct function core_functions[] = {
    {"moorline_handle_set_origin", KINDS, handle_set_origin},
    {"moorline_server_listen", SERVER, server_listen},
    {"moorline_server_listen_unique", SERVER, server_listen_unique},
    {"moorline_server_listen_abstract", SERVER, server_listen_abstract},
    {"moorline_server_is_abstract", SERVER, server_is_abstract},
    {"moorline_server_listen_descriptor", SERVER, server_listen_descriptor},
    {"moorline_server_full_name", SERVER, server_full_name},
    {"moorline_server_accept", SERVER, server_accept},
    {"moorline_server_descriptor", SERVER, server_descriptor},
    {"moorline_server_close", SERVER, server_close},
    {"moorline_server_destroy", SERVER, server_destroy},
    {"moorline_socket_release_descriptor", SOCKET, socket_release_descriptor},
    {"moorline_socket_descriptor", SOCKET, socket_descriptor},
    {"moorline_socket_send", SOCKET, socket_send},
    {"moorline_socket_try_send", SOCKET, socket_try_send},
    {"moorline_socket_receive", SOCKET, socket_receive},
    {"moorline_socket_flush", SOCKET, socket_flush},
    {"moorline_socket_wait", SOCKET, socket_wait},
    {"moorline_socket_peer_credentials", SOCKET, socket_peer_credentials},
    {"moorline_socket_send_message", SOCKET, socket_send_message},
    {"moorline_socket_send_message_with_descriptors", SOCKET, socket_send_message_with_descriptors},
    {"moorline_socket_receive_message", SOCKET, socket_receive_message},
    {"moorline_socket_receive_message_with_descriptors", SOCKET, socket_receive_message_with_descriptors},
    {"moorline_socket_set_validator", SOCKET, socket_set_validator},
    {"moorline_socket_may_have_message", SOCKET, socket_may_have_message},
    {"moorline_socket_max_message", SOCKET, socket_max_message},
    {"moorline_socket_peer_application", SOCKET, socket_peer_application},
    {"moorline_socket_shutdown", SOCKET, socket_shutdown},
    {"moorline_socket_peer_process", SOCKET, socket_peer_process},
    {"moorline_socket_abort", SOCKET, socket_abort},
    {"moorline_socket_statistics", SOCKET, socket_statistics},
    {"moorline_connection_send_message", CONNECTION, connection_send_message},
    {"moorline_connection_statistics", CONNECTION, connection_statistics},
    {"moorline_server_statistics", SERVER, server_statistics},
    {"moorline_service_statistics", SERVICE, service_statistics},
    {"moorline_socket_close", SOCKET, socket_close},
    {"moorline_socket_destroy", SOCKET, socket_destroy},
    {"moorline_poller_add_socket", POLLER, poller_add_socket},
    {"moorline_poller_add_socket", SOCKET, poller_add_this_socket},
    {"moorline_poller_modify_socket", POLLER, poller_modify_socket},
    {"moorline_poller_modify_socket", SOCKET, poller_modify_this_socket},
    {"moorline_poller_remove_socket", POLLER, poller_remove_socket},
    {"moorline_poller_remove_socket", SOCKET, poller_remove_this_socket},
    {"moorline_poller_add_server", POLLER, poller_add_server},
    {"moorline_poller_add_server", SERVER, poller_add_this_server},
    {"moorline_poller_modify_server", POLLER, poller_modify_server},
    {"moorline_poller_modify_server", SERVER, poller_modify_this_server},
    {"moorline_poller_remove_server", POLLER, poller_remove_server},
    {"moorline_poller_remove_server", SERVER, poller_remove_this_server},
    {"moorline_poller_wait", POLLER, poller_wait},
    {"moorline_poller_look", POLLER, poller_look},
    {"moorline_poller_wake", POLLER, poller_wake},
    {"moorline_poller_descriptor", POLLER, poller_descriptor},
    {"moorline_poller_close", POLLER, poller_close},
    {"moorline_poller_destroy", POLLER, poller_destroy},
    {"moorline_service_start", SERVICE, service_start},
    {"moorline_service_start_unique", SERVICE, service_start_unique},
    {"moorline_service_full_name", SERVICE, service_full_name},
    {"moorline_service_stop", SERVICE, service_stop},
    {"moorline_service_destroy", SERVICE, service_destroy},
    {"moorline_connection_send", CONNECTION, connection_send},
    {"moorline_connection_try_send", CONNECTION, connection_try_send},
    {"moorline_connection_close", CONNECTION, connection_close},
    {"moorline_connection_abort", CONNECTION, connection_abort},
    {"moorline_connection_peer_credentials", CONNECTION, connection_peer_credentials},
    {"moorline_connection_peer_process", CONNECTION, connection_peer_process},
    {"moorline_connection_send_message_with_descriptors", CONNECTION, connection_send_message_with_descriptors},
};
#define CORE_FUNCTIONS (sizeof core_functions / sizeof core_functions[0])

static size_t function_count(void)
{
    return CORE_FUNCTIONS + testkit_function_count;
}

static const struct function *function_at(size_t index)
{
    return index < CORE_FUNCTIONS ? &core_functions[index] : &testkit_functions[index - CORE_FUNCTIONS];
}

/* Those that take no handle; test_options.c and test_strings.c have their bad arguments. */
static const char *const without_handle[] = {
    "moorline_version",
    "moorline_abi_version",
    "moorline_status_name",
    "moorline_last_error",
    "moorline_last_os_error",
    "moorline_live_handles",
    "moorline_live_handles_report",
    "moorline_name_resolve",
    "moorline_name_state",
    "moorline_name_remove",
    "moorline_server_create",
    "moorline_socket_connect",
    "moorline_socket_connect_abstract",
    "moorline_socket_pair",
    "moorline_socket_adopt_descriptor",
    "moorline_poller_create",
    "moorline_service_create",
    "moorline_exchange_run",
};

/* --- the handles --- */

static void announce(void *context, moorline_connection *connection)
{
    (void)context;
    raw_write_all(announcements[1], &connection, sizeof connection);
}

static void *announced(void)
{
    moorline_connection *connection = NULL;
    CHECK_NUMBER(raw_read_all(announcements[0], &connection, sizeof connection), sizeof connection);
    return connection;
}

static void make_one_of_each(void)
{
    CHECK_SYSTEM(pipe(announcements));

    moorline_server *server = NULL;
    CHECK_OK(moorline_server_create(NULL, &server));
    stale[SERVER] = server;
    CHECK_OK(moorline_server_destroy(server));
    CHECK_OK(moorline_server_create(NULL, &server));
    live[SERVER] = server;

    moorline_socket *first = NULL;
    moorline_socket *second = NULL;
    CHECK_OK(moorline_socket_pair(NULL, &first, &second));
    stale[SOCKET] = first;
    CHECK_OK(moorline_socket_destroy(first));
    CHECK_OK(moorline_socket_destroy(second));
    CHECK_OK(moorline_socket_pair(NULL, &first, &second));
    live[SOCKET] = first;

    moorline_poller *poller = NULL;
    CHECK_OK(moorline_poller_create(NULL, &poller));
    stale[POLLER] = poller;
    CHECK_OK(moorline_poller_destroy(poller));
    CHECK_OK(moorline_poller_create(NULL, &poller));
    live[POLLER] = poller;

    moorline_service *service = NULL;
    moorline_service_callbacks callbacks = {.struct_size = sizeof callbacks, .connected = announce};
    CHECK_OK(moorline_service_create(NULL, &callbacks, &service));
    stale[SERVICE] = service;
    CHECK_OK(moorline_service_destroy(service));
    CHECK_OK(moorline_service_create(NULL, &callbacks, &service));
    CHECK_OK(moorline_service_start(service, "service"));
    live[SERVICE] = service;

    moorline_socket *client = connected("service");
    stale[CONNECTION] = announced();
    CHECK_OK(moorline_socket_destroy(client));
    while (moorline_connection_abort(stale[CONNECTION]) != MOORLINE_STALE_HANDLE) {
        let_time_pass_ms(1); /* the service is still to notice that the client has gone */
    }
    client = connected("service");
    live[CONNECTION] = announced();

    make_testkit_handles();
    memcpy(everything_alive, live, sizeof live);
    everything_alive[KINDS] = second;
    everything_alive[KINDS + 1] = client;
}

static void destroy_them(void)
{
    CHECK_OK(moorline_server_destroy(live[SERVER]));
    CHECK_OK(moorline_socket_destroy(live[SOCKET]));
    CHECK_OK(moorline_socket_destroy(everything_alive[KINDS]));
    CHECK_OK(moorline_socket_destroy(everything_alive[KINDS + 1]));
    CHECK_OK(moorline_poller_destroy(live[POLLER]));
    CHECK_OK(moorline_service_destroy(live[SERVICE]));
    destroy_testkit_handles();
    CHECK_SYSTEM(close(announcements[0]));
    CHECK_SYSTEM(close(announcements[1]));
}

/* --- tests --- */

static void refused(const struct function *function, const char *what, void *handle, moorline_status expected)
{
    moorline_status status = function->call(handle);
    if (status != expected) {
        fail("%s with %s (%p) answers %s, expected %s", function->name, what, handle, moorline_status_name(status),
             moorline_status_name(expected));
    }
}

static void test_null(void)
{
    make_one_of_each();
    for (size_t i = 0; i < function_count(); ++i) {
        refused(function_at(i), "NULL", NULL, MOORLINE_INVALID_ARGUMENT);
    }
    destroy_them();
}

static void test_stale(void)
{
    make_one_of_each();
    for (size_t i = 0; i < function_count(); ++i) {
        for (int kind = 0; kind < KINDS; ++kind) {
            if (function_at(i)->kind == (enum kind)kind || function_at(i)->kind == KINDS) {
                refused(function_at(i), "a stale handle", stale[kind], MOORLINE_STALE_HANDLE);
            }
        }
    }
    destroy_them();
}

static void test_wrong_kind(void)
{
    make_one_of_each();
    for (size_t i = 0; i < function_count(); ++i) {
        for (int kind = 0; kind < KINDS; ++kind) {
            if (function_at(i)->kind != (enum kind)kind && function_at(i)->kind != KINDS) {
                refused(function_at(i), "a handle of another kind", live[kind], MOORLINE_WRONG_KIND);
            }
        }
    }
    destroy_them();
}

static bool is_alive(void *handle)
{
    for (size_t i = 0; i < sizeof everything_alive / sizeof everything_alive[0]; ++i) {
        if (handle == everything_alive[i]) {
            return true;
        }
    }
    return false;
}

static void check_garbage(const struct function *function, uintptr_t value)
{
    void *handle = (void *)value;
    if (value == 0 || is_alive(handle)) {
        return;
    }
    moorline_status status = function->call(handle);
    if (status != MOORLINE_STALE_HANDLE && status != MOORLINE_WRONG_KIND) {
        fail("%s with garbage (%p) answers %s", function->name, handle, moorline_status_name(status));
    }
}

static void test_garbage(void)
{
    make_one_of_each();
    int local = 0;
    const uintptr_t values[] = {1,
                                2,
                                3,
                                8,
                                0x1234,
                                0xdeadbeef,
                                UINTPTR_MAX,
                                UINTPTR_MAX - 1,
                                UINTPTR_MAX / 2,
                                UINTPTR_MAX / 2 + 1,
                                (uintptr_t)&local,
                                (uintptr_t)"text",
                                (uintptr_t)live,
                                (uintptr_t)test_garbage};
    for (size_t i = 0; i < function_count(); ++i) {
        for (size_t j = 0; j < sizeof values / sizeof values[0]; ++j) {
            check_garbage(function_at(i), values[j]);
        }
        /* Every neighbour of a good value at one bit's distance. */
        for (int kind = 0; kind < KINDS; ++kind) {
            for (unsigned bit = 0; bit < sizeof(uintptr_t) * CHAR_BIT; ++bit) {
                check_garbage(function_at(i), (uintptr_t)live[kind] ^ ((uintptr_t)1 << bit));
            }
        }
    }
    /* All that harmed nobody. */
    size_t sent = 0;
    CHECK_OK(moorline_socket_send(live[SOCKET], "x", 1, -1, &sent));
    CHECK_OK(moorline_socket_send(everything_alive[KINDS + 1], "x", 1, -1, &sent));
    destroy_them();
}

static void test_destroyed_twice(void)
{
    make_one_of_each();
    destroy_them();
    CHECK_STATUS(moorline_server_destroy(live[SERVER]), MOORLINE_STALE_HANDLE);
    CHECK_STATUS(moorline_socket_destroy(live[SOCKET]), MOORLINE_STALE_HANDLE);
    CHECK_STATUS(moorline_poller_destroy(live[POLLER]), MOORLINE_STALE_HANDLE);
    CHECK_STATUS(moorline_service_destroy(live[SERVICE]), MOORLINE_STALE_HANDLE);
    CHECK_STATUS(moorline_connection_abort(live[CONNECTION]), MOORLINE_STALE_HANDLE);
    expect_testkit_handles_stale();
    CHECK_NUMBER(live_handles(), 0);
}

/* --- the table is whole --- */

static bool is_known(const char *name)
{
    for (size_t i = 0; i < function_count(); ++i) {
        if (strcmp(name, function_at(i)->name) == 0) {
            return true;
        }
    }
    for (size_t i = 0; i < sizeof without_handle / sizeof without_handle[0]; ++i) {
        if (strcmp(name, without_handle[i]) == 0) {
            return true;
        }
    }
    for (size_t i = 0; i < testkit_without_handle_count; ++i) {
        if (strcmp(name, testkit_without_handle[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void expect_all_known(const char *name_of_header)
{
    /* The header of this source tree: two directories up from here. */
    char file[PATH_MAX] = __FILE__;
    char *here = strrchr(file, '/');
    CHECK(here != NULL);
    strcpy(here, "/../../include/moorline/");
    strcat(file, name_of_header);
    FILE *header = fopen(file, "re");
    CHECK(header != NULL);
    static char text[1 << 20];
    size_t length = fread(text, 1, sizeof text - 1, header);
    CHECK(length < sizeof text - 1);
    text[length] = '\0';
    fclose(header);
    int found = 0;
    for (const char *at = text; (at = strstr(at, "moorline_")) != NULL;) {
        const char *end = at;
        while (islower((unsigned char)*end) || isdigit((unsigned char)*end) || *end == '_') {
            ++end;
        }
        if (*end == '(') {
            char name[128];
            snprintf(name, sizeof name, "%.*s", (int)(end - at), at);
            if (!is_known(name)) {
                fail("%s is in a header and in no table of this test", name);
            }
            ++found;
        }
        at = end;
    }
    CHECK(found >= 40);
}

static void test_no_function_of_the_headers_is_forgotten(void)
{
    expect_all_known("moorline.h");
    expect_all_known("testkit.h");
}

int main(void)
{
    RUN(test_null);
    RUN(test_stale);
    RUN(test_wrong_kind);
    RUN(test_garbage);
    RUN(test_destroyed_twice);
    RUN(test_no_function_of_the_headers_is_forgotten);
    return 0;
}

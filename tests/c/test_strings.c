/* Text that comes out: sizes asked and told, names of statuses, and errors that say what was tried on which path. */
#include "support.h"

/* --- one convention for all strings --- */

static moorline_server *server;
static moorline_service *service;

static moorline_status get_server_name(char *buffer, size_t capacity, size_t *needed)
{
    return moorline_server_full_name(server, buffer, capacity, needed);
}

static moorline_status get_service_name(char *buffer, size_t capacity, size_t *needed)
{
    return moorline_service_full_name(service, buffer, capacity, needed);
}

static moorline_status get_resolved_name(char *buffer, size_t capacity, size_t *needed)
{
    return moorline_name_resolve("name", MOORLINE_SCOPE_TEMPORARY, buffer, capacity, needed);
}

static moorline_status get_last_error(char *buffer, size_t capacity, size_t *needed)
{
    CHECK_STATUS(moorline_server_destroy(NULL), MOORLINE_INVALID_ARGUMENT); /* so that there is one to tell of */
    return moorline_last_error(buffer, capacity, needed);
}

/* `expected` is the text, or NULL where only its size is known to stay the same from call to call. */
static void check_convention(moorline_status (*get)(char *, size_t, size_t *), const char *expected)
{
    char whole[PATH_MAX];
    char buffer[PATH_MAX];
    size_t needed = 77;
    CHECK_OK(get(whole, sizeof whole, &needed));
    const size_t size = strlen(whole) + 1;
    CHECK_NUMBER(needed, size);
    if (expected != NULL) {
        CHECK_TEXT(whole, expected);
    }

    needed = 77;
    CHECK_STATUS(get(NULL, 0, &needed), MOORLINE_BUFFER_TOO_SMALL); /* the question for the size */
    CHECK_NUMBER(needed, size);
    buffer[0] = '!';
    CHECK_STATUS(get(buffer, 0, &needed), MOORLINE_BUFFER_TOO_SMALL); /* nor is a place for nothing written to */
    CHECK_NUMBER(buffer[0], '!');
    for (size_t capacity = 1; capacity < size; ++capacity) {
        memset(buffer, '!', sizeof buffer);
        needed = 77;
        CHECK_STATUS(get(buffer, capacity, &needed), MOORLINE_BUFFER_TOO_SMALL);
        CHECK_NUMBER(needed, size);
        CHECK_TEXT(buffer, ""); /* never a part that could be taken for the whole */
        CHECK_NUMBER(buffer[capacity], '!');
    }
    memset(buffer, '!', sizeof buffer);
    CHECK_OK(get(buffer, size, &needed)); /* exactly enough */
    CHECK_NUMBER(strlen(buffer), size - 1);
    if (expected != NULL) {
        CHECK_TEXT(buffer, expected);
    }
    CHECK_NUMBER(buffer[size], '!');
    CHECK_OK(get(buffer, size, NULL)); /* who knows the size need not ask */
    needed = 77;
    CHECK_STATUS(get(NULL, 10, &needed), MOORLINE_INVALID_ARGUMENT);
    CHECK_NUMBER(needed, 0);
}

static void test_sizes(void)
{
    struct path name = in_test_directory("name");
    server = listening("name");
    check_convention(get_server_name, name.text);
    CHECK_OK(moorline_server_destroy(server));
    CHECK_OK(moorline_service_create(NULL, NULL, &service));
    CHECK_OK(moorline_service_start(service, "name"));
    check_convention(get_service_name, name.text);
    check_convention(moorline_live_handles_report, NULL);
    CHECK_OK(moorline_service_destroy(service));
    check_convention(get_resolved_name, name.text);
    check_convention(get_last_error, NULL);
}

/* --- statuses and versions --- */

static void test_status_names(void)
{
    static const struct {
        moorline_status status;
        const char *name;
    } statuses[] = {
        {MOORLINE_OK, "OK"},
        {MOORLINE_WOULD_BLOCK, "WOULD_BLOCK"},
        {MOORLINE_TIMED_OUT, "TIMED_OUT"},
        {MOORLINE_CLOSED, "CLOSED"},
        {MOORLINE_DISCONNECTED, "DISCONNECTED"},
        {MOORLINE_STALE_HANDLE, "STALE_HANDLE"},
        {MOORLINE_WRONG_KIND, "WRONG_KIND"},
        {MOORLINE_INVALID_ARGUMENT, "INVALID_ARGUMENT"},
        {MOORLINE_INVALID_STATE, "INVALID_STATE"},
        {MOORLINE_NAME_INVALID, "NAME_INVALID"},
        {MOORLINE_NAME_TOO_LONG, "NAME_TOO_LONG"},
        {MOORLINE_NAME_IN_USE, "NAME_IN_USE"},
        {MOORLINE_NOT_FOUND, "NOT_FOUND"},
        {MOORLINE_PERMISSION_DENIED, "PERMISSION_DENIED"},
        {MOORLINE_CONNECTION_REFUSED, "CONNECTION_REFUSED"},
        {MOORLINE_LIMIT_REACHED, "LIMIT_REACHED"},
        {MOORLINE_MESSAGE_TOO_LARGE, "MESSAGE_TOO_LARGE"},
        {MOORLINE_MALFORMED, "MALFORMED"},
        {MOORLINE_MISMATCH, "MISMATCH"},
        {MOORLINE_NOT_SUPPORTED, "NOT_SUPPORTED"},
        {MOORLINE_CANCELLED, "CANCELLED"},
        {MOORLINE_BUFFER_TOO_SMALL, "BUFFER_TOO_SMALL"},
        {MOORLINE_OS_ERROR, "OS_ERROR"},
        {MOORLINE_INTERNAL, "INTERNAL"},
    };
    const int count = (int)(sizeof statuses / sizeof statuses[0]);
    for (int i = 0; i < count; ++i) {
        CHECK_NUMBER(statuses[i].status, i); /* the numbers are for ever */
        CHECK_TEXT(moorline_status_name(statuses[i].status), statuses[i].name);
    }
    static const moorline_status unknown[] = {-1, 1000, INT32_MIN, INT32_MAX};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; ++i) {
        CHECK_TEXT(moorline_status_name(unknown[i]), "UNKNOWN");
    }
    CHECK_POINTER(moorline_status_name(MOORLINE_OK), moorline_status_name(MOORLINE_OK)); /* static text */
}

static void test_versions_agree(void)
{
    char version[64];
    snprintf(version, sizeof version, "%d.%d.%d", MOORLINE_VERSION_MAJOR, MOORLINE_VERSION_MINOR, MOORLINE_VERSION_PATCH);
    CHECK_TEXT(moorline_version(), version);
    CHECK_NUMBER(moorline_abi_version(), MOORLINE_ABI_VERSION);
}

/* --- what the last error says --- */

static void test_errors_name_the_full_path(void)
{
    struct path name = in_test_directory("name");
    moorline_socket *socket = NULL;
    CHECK_STATUS(moorline_socket_connect("name", NULL, 0, &socket), MOORLINE_NOT_FOUND);
    CHECK_CONTAINS(last_error().text, name.text);
    CHECK_CONTAINS(last_error().text, "connect");
    CHECK_CONTAINS(last_error().text, "No such file"); /* the system's own words */
    CHECK_NUMBER(moorline_last_os_error(), ENOENT);

    moorline_server *first = listening("name");
    moorline_server *second = NULL;
    CHECK_OK(moorline_server_create(NULL, &second));
    CHECK_STATUS(moorline_server_listen(second, "name"), MOORLINE_NAME_IN_USE);
    CHECK_CONTAINS(last_error().text, name.text);
    CHECK_CONTAINS(last_error().text, "listen");
    CHECK_OK(moorline_server_destroy(second));
    CHECK_OK(moorline_server_destroy(first));

    /* A failure without the system has no errno of an earlier one. */
    CHECK_STATUS(moorline_socket_connect("..", NULL, 0, &socket), MOORLINE_NAME_INVALID);
    CHECK_NUMBER(moorline_last_os_error(), 0);
    CHECK_CONTAINS(last_error().text, "..");
    CHECK_STATUS(moorline_server_destroy(first), MOORLINE_STALE_HANDLE);
    CHECK(strlen(last_error().text) > 0);
}

static void test_a_success_keeps_the_last_error(void)
{
    moorline_socket *socket = NULL;
    CHECK_STATUS(moorline_socket_connect("name", NULL, 0, &socket), MOORLINE_NOT_FOUND);
    struct path before = last_error();
    moorline_server *listener = listening("name");
    CHECK_OK(moorline_server_destroy(listener));
    CHECK_TEXT(last_error().text, before.text);
    CHECK_TEXT(last_error().text, before.text); /* and reading it does not spend it */
}

static void fail_in_another_thread(void *context)
{
    moorline_socket *socket = NULL;
    (void)context;
    CHECK_TEXT(last_error().text, ""); /* nothing has failed here yet */
    CHECK_NUMBER(moorline_last_os_error(), 0);
    CHECK_STATUS(moorline_socket_connect("theirs", NULL, 0, &socket), MOORLINE_NOT_FOUND);
    CHECK_CONTAINS(last_error().text, "theirs");
}

static void test_errors_belong_to_their_thread(void)
{
    moorline_socket *socket = NULL;
    struct worker other;
    CHECK_STATUS(moorline_socket_connect("ours", NULL, 0, &socket), MOORLINE_NOT_FOUND);
    worker_start(&other, fail_in_another_thread, NULL);
    worker_join(&other);
    CHECK_CONTAINS(last_error().text, "ours");
}

int main(void)
{
    RUN(test_sizes);
    RUN(test_status_names);
    RUN(test_versions_agree);
    RUN(test_errors_name_the_full_path);
    RUN(test_a_success_keeps_the_last_error);
    RUN(test_errors_belong_to_their_thread);
    return 0;
}

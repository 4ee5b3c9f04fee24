/* What is left behind is told with kind, name, age, file and line; what is not is not. */
#include "support_testkit.h"

#include <fcntl.h>
#include <sys/socket.h>

static moorline_leak_guard *new_guard(void)
{
    moorline_leak_guard *guard = NULL;
    CHECK_OK(moorline_leak_guard_create(&guard));
    return guard;
}

static size_t leaks(moorline_leak_guard *guard, uint32_t kinds)
{
    size_t count = 77;
    moorline_status status = moorline_leak_guard_wait(guard, kinds, 0, &count);
    CHECK_STATUS(status, count == 0 ? MOORLINE_OK : MOORLINE_WOULD_BLOCK);
    return count;
}

static void expect_no_leaks(moorline_leak_guard *guard)
{
    size_t count = 77;
    CHECK_OK(moorline_leak_guard_wait(guard, 0, -1, &count));
    CHECK_NUMBER(count, 0);
    char report[64] = "poison";
    CHECK_OK(moorline_leak_guard_report(guard, report, sizeof report, NULL));
    CHECK_TEXT(report, "");
}

/* The leak of the last wait whose name has this part. */
static moorline_leak leak_named(moorline_leak_guard *guard, const char *part)
{
    moorline_leak leak = MOORLINE_LEAK_INIT;
    for (size_t i = 0; moorline_leak_guard_leak(guard, i, &leak) == MOORLINE_OK; ++i) {
        if (strstr(leak.name, part) != NULL) {
            return leak;
        }
    }
    fail("no leak is named %s", part);
}

static void test_handles(void)
{
    moorline_server *earlier = new_server();
    moorline_leak_guard *guard = new_guard();
    expect_no_leaks(guard); /* neither what was there before, nor the guard itself */

    moorline_server *server = listening("leaked");
    CHECK_OK(moorline_handle_set_origin(server, "here.c", 17));
    CHECK_NUMBER(leaks(guard, MOORLINE_LEAK_HANDLES), 1);
    moorline_leak leak = MOORLINE_LEAK_INIT;
    CHECK_OK(moorline_leak_guard_leak(guard, 0, &leak));
    CHECK_NUMBER(leak.kind, MOORLINE_LEAK_HANDLES);
    char value[32];
    snprintf(value, sizeof value, "server %p", (void *)server);
    CHECK_CONTAINS(leak.name, value);
    CHECK_CONTAINS(leak.name, "/leaked\"");
    CHECK_NUMBER(leak.age_is_exact, 1);
    CHECK_TEXT(leak.file, "here.c");
    CHECK_NUMBER(leak.line, 17);
    let_time_pass_ms(2);
    CHECK_NUMBER(leaks(guard, MOORLINE_LEAK_HANDLES), 1);
    CHECK_OK(moorline_leak_guard_leak(guard, 0, &leak));
    CHECK(leak.age_us >= 2000);
    char report[4096];
    CHECK_OK(moorline_leak_guard_report(guard, report, sizeof report, NULL));
    CHECK(strncmp(report, "handle server 0x", 16) == 0);
    CHECK_CONTAINS(report, " s old, made at here.c:17\n");
    CHECK_STATUS(moorline_leak_guard_leak(guard, 1, &leak), MOORLINE_NOT_FOUND);
    CHECK(leak.name == NULL && leak.file == NULL && leak.kind == 0 && leak.age_us == 0);

    /* The error of the wait has it too. */
    CHECK_STATUS(moorline_leak_guard_wait(guard, MOORLINE_LEAK_HANDLES, 1, NULL), MOORLINE_TIMED_OUT);
    CHECK_CONTAINS(last_error().text, "made at here.c:17");

    /* A guard that is made now does not know of it; and it is new for the one before. */
    moorline_leak_guard *later = new_guard();
    expect_no_leaks(later);
    CHECK_NUMBER(leaks(guard, MOORLINE_LEAK_HANDLES), 2);
    CHECK_OK(moorline_leak_guard_destroy(later));

    /* What was there before may go, and what takes its place is new. */
    CHECK_OK(moorline_server_destroy(server));
    expect_no_leaks(guard);
    CHECK_OK(moorline_server_destroy(earlier));
    expect_no_leaks(guard);
    earlier = new_server();
    CHECK_NUMBER(leaks(guard, MOORLINE_LEAK_HANDLES), 1);
    CHECK_OK(moorline_server_destroy(earlier));
    CHECK_OK(moorline_leak_guard_destroy(guard));
}

/* Every type of handle has its name in the report, and can be told where it was made. */
static void test_each_type_of_handle(void)
{
    moorline_leak_guard *guard = new_guard();
    moorline_clock *clock = NULL;
    moorline_verdicts *verdicts = NULL;
    moorline_proxy *proxy = NULL;
    moorline_tap *tap = NULL;
    moorline_recording *recording = NULL;
    moorline_poller *poller = NULL;
    moorline_service *service = NULL;
    moorline_socket *first = NULL;
    moorline_socket *second = NULL;
    const struct path file = in_test_directory("tap");
    CHECK_OK(moorline_clock_create(&clock));
    CHECK_OK(moorline_verdicts_create(&verdicts));
    CHECK_OK(moorline_proxy_start("proxy", "nobody", NULL, &proxy));
    CHECK_OK(moorline_tap_create(file.text, &tap));
    CHECK_OK(moorline_recording_read(file.text, &recording));
    CHECK_OK(moorline_poller_create(NULL, &poller));
    CHECK_OK(moorline_service_create(NULL, NULL, &service));
    CHECK_OK(moorline_service_start(service, "service"));
    CHECK_OK(moorline_socket_pair(NULL, &first, &second));
    moorline_fixture *fixture = fixture_of("echo");
    moorline_fault_plan *plan = plan_of(NULL);
    moorline_leak_guard *other = new_guard();
    void *const handles[] = {clock, verdicts, proxy, tap, recording, poller, service, first, fixture, plan, other};
    static const char *const types[] = {"clock",   "verdicts", "proxy",   "tap",        "recording", "poller",
                                        "service", "socket",   "fixture", "fault plan", "leak guard"};
    for (size_t i = 0; i < sizeof handles / sizeof handles[0]; ++i) {
        CHECK_OK(moorline_handle_set_origin(handles[i], types[i], (uint32_t)i + 1));
    }
    CHECK_NUMBER(leaks(guard, MOORLINE_LEAK_HANDLES), sizeof handles / sizeof handles[0] + 1);
    for (size_t i = 0; i < sizeof handles / sizeof handles[0]; ++i) {
        char name[64];
        snprintf(name, sizeof name, "%s %p", types[i], handles[i]);
        const moorline_leak leak = leak_named(guard, name);
        CHECK_TEXT(leak.file, types[i]);
        CHECK_NUMBER(leak.line, i + 1);
    }
    CHECK_CONTAINS(leak_named(guard, "fixture 0x").name, fixture_name(fixture).text);
    CHECK_CONTAINS(leak_named(guard, "proxy 0x").name, "/proxy\"");
    CHECK_POINTER(leak_named(guard, "socket 0x").file != NULL ? NULL : guard, NULL);
    CHECK_NUMBER(live_handles(), sizeof handles / sizeof handles[0] + 2);

    CHECK_OK(moorline_clock_destroy(clock));
    CHECK_OK(moorline_verdicts_destroy(verdicts));
    CHECK_OK(moorline_proxy_destroy(proxy));
    CHECK_OK(moorline_tap_destroy(tap));
    CHECK_OK(moorline_recording_destroy(recording));
    CHECK_OK(moorline_poller_destroy(poller));
    CHECK_OK(moorline_service_destroy(service));
    CHECK_OK(moorline_socket_destroy(first));
    CHECK_OK(moorline_socket_destroy(second));
    CHECK_OK(moorline_fixture_destroy(fixture));
    CHECK_OK(moorline_fault_plan_destroy(plan));
    CHECK_OK(moorline_leak_guard_destroy(other));
    expect_no_leaks(guard);
    CHECK_OK(moorline_leak_guard_destroy(guard));
    CHECK_SYSTEM(unlink(file.text));
}

static void test_descriptors(void)
{
    moorline_leak_guard *guard = new_guard();
    const struct path file = in_test_directory("forgotten");
    const int descriptor = CHECK_SYSTEM(open(file.text, O_CREAT | O_RDWR | O_CLOEXEC, 0600));
    CHECK_NUMBER(leaks(guard, 0), 1);
    moorline_leak leak = leak_named(guard, "forgotten");
    CHECK_NUMBER(leak.kind, MOORLINE_LEAK_DESCRIPTORS);
    CHECK_NUMBER(leak.age_is_exact, 0);
    CHECK_NUMBER(atoi(leak.name), descriptor);
    CHECK_POINTER(leak.file, NULL);
    CHECK_NUMBER(leak.line, 0);
    CHECK_NUMBER(leaks(guard, MOORLINE_LEAK_HANDLES | MOORLINE_LEAK_THREADS | MOORLINE_LEAK_SOCKET_FILES), 0);
    CHECK_SYSTEM(close(descriptor));
    expect_no_leaks(guard);
    CHECK_OK(moorline_leak_guard_destroy(guard));
    CHECK_SYSTEM(unlink(file.text));
}

static void expect_origin(moorline_leak_guard *guard, uint32_t kind, const char *part, uint32_t line)
{
    CHECK(leaks(guard, kind) > 0);
    const moorline_leak leak = leak_named(guard, part);
    CHECK(leak.file != NULL);
    CHECK_TEXT(leak.file, "here.c");
    CHECK_NUMBER(leak.line, line);
}

/* Descriptors and files know the handle that they belong to. */
static void test_origins_of_descriptors_and_files(void)
{
    moorline_leak_guard *guard = new_guard();
    moorline_server *server = listening("server");
    CHECK_OK(moorline_handle_set_origin(server, "here.c", 1));
    intptr_t descriptor = -1;
    char part[32];
    CHECK_OK(moorline_server_descriptor(server, &descriptor));
    snprintf(part, sizeof part, "%d (", (int)descriptor);
    expect_origin(guard, MOORLINE_LEAK_DESCRIPTORS, part, 1);
    expect_origin(guard, MOORLINE_LEAK_DESCRIPTORS, test_directory(), 1); /* the directory of its name */
    expect_origin(guard, MOORLINE_LEAK_SOCKET_FILES, "/server", 1);
    for (size_t i = 0;; ++i) {
        moorline_leak leak = MOORLINE_LEAK_INIT;
        if (moorline_leak_guard_leak(guard, i, &leak) != MOORLINE_OK) {
            break;
        }
        CHECK(leak.file != NULL); /* no descriptor of it is of unknown origin */
    }

    moorline_socket *client = connected("server");
    CHECK_OK(moorline_handle_set_origin(client, "here.c", 2));
    CHECK_OK(moorline_socket_descriptor(client, &descriptor));
    snprintf(part, sizeof part, "%d (", (int)descriptor);
    expect_origin(guard, MOORLINE_LEAK_DESCRIPTORS, part, 2);

    moorline_poller *poller = NULL;
    CHECK_OK(moorline_poller_create(NULL, &poller));
    CHECK_OK(moorline_handle_set_origin(poller, "here.c", 3));
    CHECK_OK(moorline_poller_descriptor(poller, &descriptor));
    snprintf(part, sizeof part, "%d (", (int)descriptor);
    expect_origin(guard, MOORLINE_LEAK_DESCRIPTORS, part, 3);

    moorline_service *service = NULL;
    CHECK_OK(moorline_service_create(NULL, NULL, &service));
    CHECK_OK(moorline_service_start(service, "service"));
    CHECK_OK(moorline_handle_set_origin(service, "here.c", 4));
    expect_origin(guard, MOORLINE_LEAK_SOCKET_FILES, "/service", 4);

    moorline_fixture *fixture = fixture_of("echo");
    CHECK_OK(moorline_handle_set_origin(fixture, "here.c", 5));
    expect_origin(guard, MOORLINE_LEAK_SOCKET_FILES, fixture_name(fixture).text, 5);

    moorline_proxy *proxy = NULL;
    CHECK_OK(moorline_proxy_start("proxy", "server", NULL, &proxy));
    CHECK_OK(moorline_handle_set_origin(proxy, "here.c", 6));
    expect_origin(guard, MOORLINE_LEAK_SOCKET_FILES, "/proxy", 6);

    const struct path file = in_test_directory("record");
    moorline_tap *tap = NULL;
    CHECK_OK(moorline_tap_create(file.text, &tap));
    CHECK_OK(moorline_handle_set_origin(tap, "here.c", 7));
    expect_origin(guard, MOORLINE_LEAK_DESCRIPTORS, "/record", 7);

    CHECK_OK(moorline_tap_destroy(tap));
    CHECK_SYSTEM(unlink(file.text));
    CHECK_OK(moorline_proxy_destroy(proxy));
    CHECK_OK(moorline_fixture_destroy(fixture));
    CHECK_OK(moorline_service_destroy(service));
    CHECK_OK(moorline_poller_destroy(poller));
    CHECK_OK(moorline_socket_destroy(client));
    CHECK_OK(moorline_server_destroy(server));
    expect_no_leaks(guard);
    CHECK_OK(moorline_leak_guard_destroy(guard));
}

/* --- threads --- */

static void linger(void *context)
{
    char byte = 0;
    CHECK_NUMBER(pthread_setname_np(pthread_self(), "forgotten"), 0);
    raw_write_all(*(int *)context, "x", 1);
    (void)raw_read_all(*(int *)context, &byte, 1);
}

struct held_thread {
    struct worker worker;
    int line[2];
};

static void release(void *context)
{
    const struct held_thread *held = context;
    let_time_pass_ms(5); /* so that the guard waits; whether or not it does makes no difference to the outcome */
    raw_write_all(held->line[0], "x", 1);
}

static void test_threads(void)
{
    struct held_thread held;
    CHECK_SYSTEM(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, held.line));
    moorline_leak_guard *guard = new_guard();
    worker_start(&held.worker, linger, &held.line[1]);
    char byte = 0;
    CHECK_NUMBER(raw_read_all(held.line[0], &byte, 1), 1);
    CHECK_NUMBER(leaks(guard, MOORLINE_LEAK_THREADS), 1);
    const moorline_leak leak = leak_named(guard, "\"forgotten\"");
    CHECK_NUMBER(leak.kind, MOORLINE_LEAK_THREADS);
    CHECK_NUMBER(atoi(leak.name), atomic_load(&held.worker.id));
    CHECK_NUMBER(leaks(guard, MOORLINE_LEAK_DESCRIPTORS), 0);
    struct worker releasing;
    worker_start(&releasing, release, &held);
    expect_no_leaks(guard); /* it waits until both threads have gone */
    worker_join(&releasing);
    worker_join(&held.worker);
    CHECK_OK(moorline_leak_guard_destroy(guard));
    CHECK_SYSTEM(close(held.line[0]));
    CHECK_SYSTEM(close(held.line[1]));
}

static void test_socket_files_of_others(void)
{
    const struct path file = in_test_directory("foreign");
    moorline_leak_guard *guard = new_guard();
    const int descriptor = raw_listen(file.text);
    CHECK_NUMBER(leaks(guard, MOORLINE_LEAK_SOCKET_FILES), 1);
    CHECK_NUMBER(leak_named(guard, "/foreign").kind, MOORLINE_LEAK_SOCKET_FILES);
    CHECK_SYSTEM(unlink(file.text));
    CHECK_NUMBER(leaks(guard, MOORLINE_LEAK_SOCKET_FILES), 0);
    CHECK_SYSTEM(close(descriptor));
    CHECK_OK(moorline_leak_guard_destroy(guard));
}

int main(void)
{
    RUN(test_handles);
    RUN(test_each_type_of_handle);
    RUN(test_descriptors);
    RUN(test_origins_of_descriptors_and_files);
    RUN(test_threads);
    RUN(test_socket_files_of_others);
    return 0;
}

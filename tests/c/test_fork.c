/* A forked child has copies of its parent's handles. Whatever it does with them, and however it exits, the parent does not
   notice. */
#include "support_testkit.h"

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static moorline_server *server;
static moorline_service *service;
static moorline_poller *poller;
static moorline_socket *first;
static moorline_socket *second;

static void exit_at_once(int line, void *context)
{
    (void)line;
    (void)context;
}

static void run_exit_handlers(int line, void *context)
{
    (void)line;
    (void)context;
    exit(0);
}

/* What these answer is the child's affair, but that the last does not wait for its parent's threads. */
static void close_all_and_exit(int line, void *context)
{
    (void)line;
    (void)context;
    (void)!moorline_server_close(server);
    (void)!moorline_socket_close(first, 0, NULL);
    (void)!moorline_poller_close(poller);
    CHECK_STATUS(moorline_service_stop(service, -1, NULL), MOORLINE_INVALID_STATE);
}

static void destroy_all_and_exit(int line, void *context)
{
    (void)line;
    (void)context;
    (void)!moorline_poller_remove_socket(poller, first);
    (void)!moorline_server_destroy(server);
    (void)!moorline_socket_destroy(first);
    (void)!moorline_socket_destroy(second);
    (void)!moorline_poller_destroy(poller);
    (void)!moorline_service_destroy(service);
    exit(0);
}

static void (*const bodies[])(int, void *) = {exit_at_once, run_exit_handlers, close_all_and_exit, destroy_all_and_exit};
#define BODIES (sizeof bodies / sizeof bodies[0])

static void run_in_a_child(size_t body)
{
    struct child child = child_start(bodies[body], NULL);
    child_expect_success(&child);
}

static void send_byte(moorline_socket *socket)
{
    size_t sent = 0;
    CHECK_OK(moorline_socket_send(socket, "x", 1, -1, &sent));
}

static void expect_byte(moorline_socket *socket)
{
    char byte = 0;
    receive_exactly(socket, &byte, 1);
    CHECK_NUMBER(byte, 'x');
}

static void make_all(void)
{
    server = listening("server");
    CHECK_OK(moorline_service_create(NULL, NULL, &service));
    CHECK_OK(moorline_service_start(service, "service"));
    CHECK_OK(moorline_socket_pair(NULL, &first, &second));
    CHECK_OK(moorline_poller_create(NULL, &poller));
    CHECK_OK(moorline_poller_add_socket(poller, first, MOORLINE_READABLE, 7));
}

static void destroy_all(void)
{
    CHECK_OK(moorline_server_destroy(server));
    CHECK_OK(moorline_service_destroy(service));
    CHECK_OK(moorline_socket_destroy(first));
    CHECK_OK(moorline_socket_destroy(second));
    CHECK_OK(moorline_poller_destroy(poller));
}

static void test_everything_goes_on(void)
{
    make_all();
    for (size_t i = 0; i < BODIES; ++i) {
        run_in_a_child(i);

        moorline_socket *client = connected("server");
        moorline_socket *accepted = NULL;
        CHECK_OK(moorline_server_accept(server, -1, &accepted));
        send_byte(client);
        expect_byte(accepted);
        CHECK_OK(moorline_socket_destroy(client));
        CHECK_OK(moorline_socket_destroy(accepted));

        client = connected("service");
        send_byte(client);
        expect_byte(client);
        CHECK_OK(moorline_socket_destroy(client));

        moorline_event event;
        size_t count = 0;
        CHECK_STATUS(moorline_poller_wait(poller, &event, 1, 0, &count), MOORLINE_WOULD_BLOCK);
        send_byte(second);
        CHECK_OK(moorline_poller_wait(poller, &event, 1, -1, &count));
        CHECK_NUMBER(event.token, 7);
        expect_byte(first);
        send_byte(first);
        expect_byte(second);
    }
    destroy_all();
    CHECK_NUMBER(files_in(test_directory()), 0);
}

enum { MAY_NOT = 77 };

/* Forks the first process of another PID namespace, which is number 1 there; how it ended. MAY_NOT also where there may be no more of
   them, namespaces(7), or none at all. */
static int run_as_number_one(void (*body)(void))
{
    fflush(NULL);
    const long child = syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, NULL, NULL, NULL, NULL);
    if (child == -1 && (errno == EPERM || errno == ENOSPC || errno == EINVAL || errno == ENOSYS)) {
        return MAY_NOT;
    }
    if (CHECK_SYSTEM(child) == 0) {
        CHECK_SYSTEM(prctl(PR_SET_PDEATHSIG, SIGKILL));
        CHECK_NUMBER(getpid(), 1);
        body();
        fflush(NULL);
        _exit(0);
    }
    int status = 0;
    CHECK_SYSTEM(waitpid((pid_t)child, &status, 0));
    CHECK(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void destroy_as_number_one(void)
{
    CHECK_OK(moorline_poller_destroy(poller));
    CHECK_OK(moorline_socket_destroy(first));
    CHECK_OK(moorline_socket_destroy(second));
    CHECK_OK(moorline_server_destroy(server));
}

/* Without threads, which clone(2) does not make ready for a fork. */
static void fork_another_number_one(void)
{
    server = listening("server");
    CHECK_OK(moorline_poller_create(NULL, &poller));
    CHECK_OK(moorline_socket_pair(NULL, &first, &second));
    CHECK_OK(moorline_poller_add_socket(poller, first, MOORLINE_READABLE, 7));
    const int ended = run_as_number_one(destroy_as_number_one);
    CHECK(ended == 0 || ended == MAY_NOT);
    expect_served(server, "server", NULL);
    send_byte(second);
    moorline_event event;
    size_t count = 0;
    CHECK_OK(moorline_poller_wait(poller, &event, 1, -1, &count));
    CHECK_NUMBER(event.token, 7);
    CHECK_OK(moorline_poller_destroy(poller));
    destroy_pair(first, second);
    CHECK_OK(moorline_server_destroy(server));
    CHECK_NUMBER(files_in(test_directory()), 0);
    fflush(NULL);
    _exit(ended);
}

/* By which a child is told that has its parent's number: madvise(2), since Linux 4.14. */
static bool system_tells_children(void)
{
    const size_t size = (size_t)sysconf(_SC_PAGESIZE);
    void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(page != MAP_FAILED);
    const bool tells = madvise(page, size, MADV_WIPEONFORK) == 0;
    CHECK_SYSTEM(munmap(page, size));
    return tells;
}

static void be_number_one_if_allowed(int line, void *context)
{
    (void)line;
    (void)context;
    _exit(run_as_number_one(fork_another_number_one));
}

/* As where a container's first process puts another into a namespace of its own. */
static void test_a_child_of_the_same_number_is_a_child(void)
{
    if (!system_tells_children()) {
        skip("the system does not tell children from their parents");
        return;
    }
    struct child child = child_start(be_number_one_if_allowed, NULL);
    int status = child_wait(&child);
    CHECK(WIFEXITED(status));
    if (WEXITSTATUS(status) == MAY_NOT) {
        skip("PID namespaces are not allowed");
        return;
    }
    CHECK_NUMBER(WEXITSTATUS(status), 0);
}

static void wait_for_byte(void *context)
{
    (void)context;
    expect_byte(second);
}

static void wait_for_client(void *context)
{
    moorline_socket *accepted = NULL;
    (void)context;
    CHECK_OK(moorline_server_accept(server, -1, &accepted));
    CHECK_OK(moorline_socket_destroy(accepted));
}

static void wait_for_event(void *context)
{
    moorline_event event;
    size_t count = 0;
    (void)context;
    CHECK_OK(moorline_poller_wait(poller, &event, 1, -1, &count));
    CHECK_NUMBER(count, 1);
    CHECK_NUMBER(event.token, 7);
}

/* A close in the child is not one in the parent: who waits there goes on waiting, until what it waits for comes. */
static void test_nobody_is_woken(void)
{
    void (*const waits[])(void *) = {wait_for_byte, wait_for_client, wait_for_event};
    struct worker waiting[3];
    make_all();
    for (size_t body = 0; body < BODIES; ++body) {
        for (int i = 0; i < 3; ++i) {
            worker_start(&waiting[i], waits[i], NULL);
            worker_wait_until_blocked(&waiting[i]);
        }
        run_in_a_child(body);
        for (int i = 0; i < 3; ++i) {
            worker_wait_until_blocked(&waiting[i]);
        }
        send_byte(first);
        send_byte(second);
        moorline_socket *client = connected("server");
        for (int i = 0; i < 3; ++i) {
            worker_join(&waiting[i]);
        }
        expect_byte(first);
        CHECK_OK(moorline_socket_destroy(client));
    }
    destroy_all();
}

static atomic_bool making;

static void make_and_destroy(void *context)
{
    (void)context;
    while (atomic_load(&making)) {
        moorline_server *made = NULL;
        CHECK_OK(moorline_server_create(NULL, &made));
        CHECK_OK(moorline_server_destroy(made));
    }
}

static void destroy_one(int line, void *context)
{
    (void)line;
    (void)context;
    CHECK_OK(moorline_server_destroy(server));
    CHECK_STATUS(moorline_server_destroy(server), MOORLINE_STALE_HANDLE);
}

/* At the moment of a fork another thread may be in the middle of anything, with a lock that in the child nobody gives back. */
static void test_a_child_waits_for_nobody_of_its_parent(void)
{
    enum { FORKS = 120 };
    struct worker makers[2];
    CHECK_OK(moorline_server_create(NULL, &server));
    atomic_store(&making, true);
    for (int i = 0; i < 2; ++i) {
        worker_start(&makers[i], make_and_destroy, NULL);
    }
    for (int i = 0; i < FORKS; ++i) {
        struct child child = child_start(destroy_one, NULL);
        child_expect_success(&child);
    }
    atomic_store(&making, false);
    for (int i = 0; i < 2; ++i) {
        worker_join(&makers[i]);
    }
    CHECK_OK(moorline_server_destroy(server));
}

static atomic_bool busy;
static char block[65536];

static void send_all_the_time(void *context)
{
    (void)context;
    while (atomic_load(&busy)) {
        size_t sent = 0;
        (void)!moorline_socket_send(first, block, sizeof block, 10, &sent);
    }
}

static void receive_all_the_time(void *context)
{
    static char received[sizeof block];
    (void)context;
    while (atomic_load(&busy)) {
        size_t count = 0;
        (void)!moorline_socket_receive(second, received, sizeof received, 10, &count);
    }
}

static void wait_all_the_time(void *context)
{
    (void)context;
    while (atomic_load(&busy)) {
        moorline_event event;
        size_t count = 0;
        (void)!moorline_poller_wait(poller, &event, 1, 1, &count);
    }
}

static void ask_all_the_time(void *context)
{
    (void)context;
    while (atomic_load(&busy)) {
        char name[PATH_MAX];
        (void)!moorline_service_full_name(service, name, sizeof name, NULL);
        (void)!moorline_server_full_name(server, name, sizeof name, NULL);
    }
}

static void destroy_all_well(int line, void *context)
{
    (void)line;
    (void)context;
    destroy_all();
}

/* As above, with everything in use. */
static void test_a_child_waits_for_nobody_of_a_busy_parent(void)
{
    enum { FORKS = 60 };
    void (*const uses[])(void *) = {send_all_the_time, receive_all_the_time, wait_all_the_time, ask_all_the_time};
    enum { USES = sizeof uses / sizeof uses[0] };
    struct worker users[USES];
    make_all();
    atomic_store(&busy, true);
    for (int i = 0; i < USES; ++i) {
        worker_start(&users[i], uses[i], NULL);
    }
    for (int i = 0; i < FORKS; ++i) {
        struct child child = child_start(destroy_all_well, NULL);
        child_expect_success(&child);
    }
    atomic_store(&busy, false);
    for (int i = 0; i < USES; ++i) {
        worker_join(&users[i]);
    }
    destroy_all();
    CHECK_NUMBER(files_in(test_directory()), 0);
}

static void destroy_all_and_live_on(int line, void *context)
{
    (void)context;
    destroy_all();
    line_say(line, 'd');
    line_hear(line, '-');
}

/* What a child has destroyed it does not keep open: the peer sees the end when the parent closes, and a name of no file is free. */
static void test_a_child_keeps_nothing_open_that_it_destroyed(void)
{
    moorline_server_options server_options = {.struct_size = sizeof server_options, .scope = MOORLINE_SCOPE_ABSTRACT};
    moorline_service_options service_options = {.struct_size = sizeof service_options, .scope = MOORLINE_SCOPE_ABSTRACT};
    struct path server_name = in_test_directory("server"), service_name = in_test_directory("service");
    CHECK_OK(moorline_server_create(&server_options, &server));
    CHECK_OK(moorline_server_listen(server, server_name.text));
    CHECK_OK(moorline_service_create(&service_options, NULL, &service));
    CHECK_OK(moorline_service_start(service, service_name.text));
    CHECK_OK(moorline_socket_pair(NULL, &first, &second));
    CHECK_OK(moorline_poller_create(NULL, &poller));
    CHECK_OK(moorline_poller_add_socket(poller, first, MOORLINE_READABLE, 7));
    struct child child = child_start(destroy_all_and_live_on, NULL);
    line_hear(child.line, 'd');

    moorline_event event;
    size_t count = 0;
    send_byte(second);
    CHECK_OK(moorline_poller_wait(poller, &event, 1, -1, &count)); /* the child has taken nothing from the parent's poller */
    expect_byte(first);
    CHECK_OK(moorline_socket_close(first, 0, NULL));
    char byte = 0;
    CHECK_STATUS(moorline_socket_receive(second, &byte, 1, -1, &count), MOORLINE_DISCONNECTED);
    CHECK_OK(moorline_server_close(server));
    CHECK_OK(moorline_server_listen(server, server_name.text));
    CHECK_OK(moorline_service_stop(service, -1, NULL));
    CHECK_OK(moorline_service_start(service, service_name.text));
    line_say(child.line, '-');
    child_expect_success(&child);
    destroy_all();
}

static moorline_fixture *fixture;
static moorline_proxy *proxy;
static moorline_fault_plan *plan;

/* What has threads of its own, which have connections. The proxy's end before those of the server behind it. */
static void destroy_what_has_threads(void)
{
    CHECK_OK(moorline_proxy_destroy(proxy));
    CHECK_OK(moorline_service_destroy(service));
    CHECK_OK(moorline_fixture_destroy(fixture));
    CHECK_OK(moorline_fault_plan_destroy(plan));
}

static void destroy_what_has_threads_and_live_on(int line, void *context)
{
    (void)context;
    destroy_what_has_threads();
    line_say(line, 'd');
    line_hear(line, '-');
}

static void test_a_child_keeps_no_connection_open_of_what_it_destroyed(void)
{
    enum { CLIENTS = 3 };
    const moorline_faults none = MOORLINE_FAULTS_INIT;
    plan = plan_of(&none);
    fixture = fixture_of("echo");
    CHECK_OK(moorline_service_create(NULL, NULL, &service));
    CHECK_OK(moorline_service_start(service, "service"));
    CHECK_OK(moorline_proxy_start("proxy", "service", NULL, &proxy));
    moorline_socket *clients[CLIENTS] = {connected("service"), connected_to_fixture(fixture), connected("proxy")};
    for (size_t i = 0; i < CLIENTS; ++i) {
        send_text(clients[i], "x");
        expect_text(clients[i], "x");
    }
    moorline_socket_options options = {.struct_size = sizeof options, .faults = plan};
    CHECK_OK(moorline_socket_pair(&options, &first, &second));
    send_text(first, "x");
    expect_text(second, "x");
    wait_until_other_threads_sleep();
    struct child child = child_start(destroy_what_has_threads_and_live_on, NULL);
    line_hear(child.line, 'd');

    for (size_t i = 0; i < CLIENTS; ++i) {
        send_text(clients[i], "y"); /* the parent's threads go on */
        expect_text(clients[i], "y");
    }
    destroy_what_has_threads();
    for (size_t i = 0; i < CLIENTS; ++i) {
        expect_end(clients[i]);
        CHECK_OK(moorline_socket_destroy(clients[i]));
    }
    expect_end(first);
    expect_end(second);
    destroy_pair(first, second);
    line_say(child.line, '-');
    child_expect_success(&child);
}

int main(void)
{
    RUN(test_everything_goes_on);
    RUN(test_a_child_of_the_same_number_is_a_child);
    RUN(test_nobody_is_woken);
    RUN(test_a_child_waits_for_nobody_of_its_parent);
    RUN(test_a_child_waits_for_nobody_of_a_busy_parent);
    RUN(test_a_child_keeps_nothing_open_that_it_destroyed);
    RUN(test_a_child_keeps_no_connection_open_of_what_it_destroyed);
    return 0;
}

/* The host process is left alone: its descriptors, signals, umask, directory, threads, and what it holds in the end. */
#include "support.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>

static int threads_at_start;

/* What the process was started with is its parent's affair. */
enum { HIGHEST = 1024 };
static bool inherited[HIGHEST];

static void remember_inherited(void)
{
    for (int descriptor = 0; descriptor < HIGHEST; ++descriptor) {
        inherited[descriptor] = fcntl(descriptor, F_GETFD) != -1;
    }
}

static bool is_ours(int descriptor)
{
    return descriptor >= HIGHEST || !inherited[descriptor];
}

/* --- close-on-exec --- */

/* Checks every descriptor that the process was not born with; gives their number. */
static int check_all_close_on_exec(void)
{
    DIR *listing = opendir("/proc/self/fd");
    CHECK(listing != NULL);
    int count = 0;
    for (struct dirent *entry; (entry = readdir(listing)) != NULL;) {
        int descriptor = atoi(entry->d_name);
        if (entry->d_name[0] == '.' || descriptor == dirfd(listing) || !is_ours(descriptor)) {
            continue;
        }
        ++count;
        if ((CHECK_SYSTEM(fcntl(descriptor, F_GETFD)) & FD_CLOEXEC) == 0) {
            char target[256] = "";
            (void)!readlinkat(dirfd(listing), entry->d_name, target, sizeof target - 1);
            fail("descriptor %d (%s) survives exec", descriptor, target);
        }
    }
    closedir(listing);
    return count;
}

static atomic_bool looking_over;

/* From birth: whoever forks and executes at any moment passes nothing on. */
static void look_all_the_time(void *context)
{
    (void)context;
    while (!atomic_load(&looking_over)) {
        DIR *listing = opendir("/proc/self/fd");
        CHECK(listing != NULL);
        for (struct dirent *entry; (entry = readdir(listing)) != NULL;) {
            int descriptor = atoi(entry->d_name);
            /* It may be closed again by now: -1 is no fault. */
            int flags = entry->d_name[0] != '.' && is_ours(descriptor) ? fcntl(descriptor, F_GETFD) : FD_CLOEXEC;
            if (flags != -1 && (flags & FD_CLOEXEC) == 0) {
                fail("descriptor %d was seen without close-on-exec", descriptor);
            }
        }
        closedir(listing);
    }
}

static void expect_echo(moorline_socket *client)
{
    char byte = 0;
    size_t sent = 0;
    CHECK_OK(moorline_socket_send(client, "x", 1, -1, &sent));
    receive_exactly(client, &byte, 1);
}

/* One of everything, used, and gone again. `look` is called while all is alive. */
static void mixed_workload(int (*look)(void))
{
    moorline_server *server = listening("server");
    moorline_server *unique = NULL;
    moorline_socket *client = connected("server");
    moorline_socket *accepted = NULL;
    moorline_socket *first = NULL;
    moorline_socket *second = NULL;
    moorline_poller *poller = NULL;
    moorline_service *service = NULL;
    moorline_socket_options queued = {.struct_size = sizeof queued, .send_queue_limit = 1 << 20};
    size_t count = 0;
    CHECK_OK(moorline_server_create(NULL, &unique));
    CHECK_OK(moorline_server_listen_unique(unique, "unique"));
    CHECK_OK(moorline_server_accept(server, -1, &accepted));
    CHECK_OK(moorline_socket_pair(&queued, &first, &second));
    CHECK(fill(first) > 0);
    CHECK_OK(moorline_poller_create(NULL, &poller));
    CHECK_OK(moorline_poller_add_server(poller, server, MOORLINE_READABLE, 1));
    CHECK_OK(moorline_poller_add_socket(poller, client, MOORLINE_READABLE, 2));
    CHECK_OK(moorline_service_create(NULL, NULL, &service));
    CHECK_OK(moorline_service_start(service, "service"));
    moorline_socket *echoed = connected("service");
    expect_echo(echoed);
    moorline_exchange_options options = {.struct_size = sizeof options, .connections = 3, .chunk = 1000, .round_trips = 30};
    moorline_exchange_report report = {.struct_size = sizeof report};
    CHECK_OK(moorline_exchange_run("service", &options, -1, &report));
    CHECK_OK(moorline_socket_send(accepted, "x", 1, -1, &count));
    moorline_event event;
    CHECK_OK(moorline_poller_wait(poller, &event, 1, -1, &count));
    CHECK_NUMBER(event.token, 2);
    if (look != NULL) {
        CHECK(look() >= 10);
    }
    CHECK_OK(moorline_server_destroy(server));
    CHECK_OK(moorline_server_destroy(unique));
    CHECK_OK(moorline_socket_destroy(client));
    CHECK_OK(moorline_socket_destroy(accepted));
    CHECK_OK(moorline_socket_destroy(first));
    CHECK_OK(moorline_socket_destroy(second));
    CHECK_OK(moorline_socket_destroy(echoed));
    CHECK_OK(moorline_poller_destroy(poller));
    CHECK_OK(moorline_service_destroy(service));
}

static void test_descriptors_are_close_on_exec(void)
{
    mixed_workload(check_all_close_on_exec);
}

static void test_descriptors_are_close_on_exec_from_birth(void)
{
    struct worker looker;
    atomic_store(&looking_over, false);
    worker_start(&looker, look_all_the_time, NULL);
    for (int i = 0; i < 100; ++i) {
        mixed_workload(NULL);
    }
    /* Those that live for a moment only. */
    moorline_server *server = listening("live");
    moorline_server *other = NULL;
    CHECK_OK(moorline_server_create(NULL, &other));
    for (int i = 0; i < 10000; ++i) {
        uint32_t state = 0;
        CHECK_OK(moorline_name_state("live", MOORLINE_SCOPE_TEMPORARY, &state));
        CHECK_STATUS(moorline_server_listen(other, "live"), MOORLINE_NAME_IN_USE);
    }
    for (int i = 0; i < 100; ++i) {
        CHECK_SYSTEM(close(raw_listen(in_test_directory("dead").text)));
        CHECK_OK(moorline_server_listen(other, "dead"));
        CHECK_OK(moorline_server_close(other));
    }
    CHECK_OK(moorline_server_destroy(other));
    CHECK_OK(moorline_server_destroy(server));
    atomic_store(&looking_over, true);
    worker_join(&looker);
}

/* --- nothing is changed --- */

static void test_loading_starts_no_thread(void)
{
    CHECK_NUMBER(threads_at_start, 1);
    CHECK(strlen(moorline_version()) > 0);
    CHECK_NUMBER(live_handles(), 0);
    CHECK_NUMBER(running_threads(), 1);
}

static void test_signals_umask_and_directory_are_untouched(void)
{
    struct sigaction before[NSIG];
    struct sigaction after;
    sigset_t mask_before;
    sigset_t mask_after;
    char directory_before[PATH_MAX];
    char directory_after[PATH_MAX];
    static const char *const variables[] = {"TMPDIR", "HOME", "PATH"};
    char *values[3];
    memset(before, 0, sizeof before);
    for (int signal = 1; signal < NSIG; ++signal) {
        (void)sigaction(signal, NULL, &before[signal]); /* a few numbers are the C library's own */
    }
    CHECK_NUMBER(pthread_sigmask(SIG_SETMASK, NULL, &mask_before), 0);
    CHECK(getcwd(directory_before, sizeof directory_before) != NULL);
    mode_t mask = umask(0137);
    for (int i = 0; i < 3; ++i) {
        const char *value = getenv(variables[i]);
        values[i] = value == NULL ? NULL : strdup(value);
    }

    mixed_workload(NULL);

    CHECK_NUMBER(umask(mask), 0137);
    CHECK(getcwd(directory_after, sizeof directory_after) != NULL);
    CHECK_TEXT(directory_after, directory_before);
    for (int signal = 1; signal < NSIG; ++signal) {
        memset(&after, 0, sizeof after);
        if (sigaction(signal, NULL, &after) == 0) {
            CHECK(after.sa_handler == before[signal].sa_handler);
            CHECK_NUMBER(after.sa_flags, before[signal].sa_flags);
        }
    }
    CHECK_NUMBER(pthread_sigmask(SIG_SETMASK, NULL, &mask_after), 0);
    for (int signal = 1; signal < NSIG; ++signal) {
        CHECK_NUMBER(sigismember(&mask_after, signal), sigismember(&mask_before, signal));
    }
    for (int i = 0; i < 3; ++i) {
        const char *value = getenv(variables[i]);
        CHECK((value == NULL) == (values[i] == NULL));
        if (values[i] != NULL) {
            CHECK_TEXT(value, values[i]);
            free(values[i]);
        }
    }
}

/* The service's threads take no signal that is the program's. */
static pthread_t main_thread;
static atomic_int taken_here;
static atomic_int taken_elsewhere;

static void note_thread(int signal)
{
    (void)signal;
    atomic_fetch_add(pthread_equal(pthread_self(), main_thread) ? &taken_here : &taken_elsewhere, 1);
}

static void test_the_services_threads_take_no_signals(void)
{
    struct sigaction action = {.sa_handler = note_thread, .sa_flags = SA_RESTART};
    struct sigaction before;
    sigset_t blocked;
    sigset_t old;
    moorline_service *service = NULL;
    main_thread = pthread_self();
    CHECK_SYSTEM(sigaction(SIGUSR1, &action, &before));
    CHECK_OK(moorline_service_create(NULL, NULL, &service));
    CHECK_OK(moorline_service_start(service, "name"));
    /* This thread does not take it now, so that any other that could would. */
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    CHECK_NUMBER(pthread_sigmask(SIG_BLOCK, &blocked, &old), 0);
    CHECK_SYSTEM(kill(getpid(), SIGUSR1));
    moorline_socket *client = connected("name");
    for (int i = 0; i < 100; ++i) {
        expect_echo(client);
    }
    CHECK_NUMBER(atomic_load(&taken_elsewhere), 0);
    CHECK_NUMBER(pthread_sigmask(SIG_SETMASK, &old, NULL), 0);
    CHECK_NUMBER(atomic_load(&taken_here), 1);
    CHECK_OK(moorline_socket_destroy(client));
    CHECK_OK(moorline_service_destroy(service));
    CHECK_SYSTEM(sigaction(SIGUSR1, &before, NULL));
}

/* --- nothing is left behind --- */

static void work_and_leave(void *context)
{
    char name[32];
    snprintf(name, sizeof name, "of-%d", (int)(intptr_t)context);
    for (int i = 0; i < 50; ++i) {
        moorline_server *server = listening(name);
        moorline_socket *client = connected(name);
        moorline_socket *accepted = NULL;
        CHECK_OK(moorline_server_accept(server, -1, &accepted));
        size_t sent = 0;
        char byte = 0;
        CHECK_OK(moorline_socket_send(client, "x", 1, -1, &sent));
        receive_exactly(accepted, &byte, 1);
        CHECK_OK(moorline_server_destroy(server));
        CHECK_OK(moorline_socket_destroy(client));
        CHECK_OK(moorline_socket_destroy(accepted));
    }
}

static void test_nothing_is_left_behind(void)
{
    for (int round = 0; round < 20; ++round) {
        struct worker workers[4];
        for (int i = 0; i < 4; ++i) {
            worker_start(&workers[i], work_and_leave, (void *)(intptr_t)i);
        }
        mixed_workload(NULL);
        for (int i = 0; i < 4; ++i) {
            worker_join(&workers[i]);
        }
        expect_nothing_left();
    }
}

/* What is alive is known by kind, name and the place that made it. */
static void test_leaks_can_be_listed(void)
{
    char report[4096];
    size_t needed = 0;
    moorline_server *server = listening("forgotten");
    CHECK_OK(moorline_handle_set_origin(server, "somewhere.c", 4711));
    CHECK_NUMBER(live_handles(), 1);
    CHECK_OK(moorline_live_handles_report(report, sizeof report, &needed));
    CHECK_CONTAINS(report, "server");
    CHECK_CONTAINS(report, in_test_directory("forgotten").text);
    CHECK_CONTAINS(report, "somewhere.c:4711");
    CHECK_NUMBER(needed, strlen(report) + 1);
    CHECK_OK(moorline_server_destroy(server));
    CHECK_OK(moorline_live_handles_report(report, sizeof report, &needed));
    CHECK_TEXT(report, "");
}

/* --- interrupted calls --- */

static void do_nothing(int signal)
{
    (void)signal;
}

static char block[1 << 20];

static void talk_to_the_waiting(int line, void *context)
{
    (void)context;
    for (int i = 0; i < 5; ++i) {
        line_hear(line, 'c');
        let_time_pass_ms(20); /* long enough for a few signals to hit the call that waits */
        moorline_socket *client = connected("name");
        line_hear(line, 's');
        let_time_pass_ms(20);
        size_t sent = 0;
        CHECK_OK(moorline_socket_send(client, "x", 1, -1, &sent));
        line_hear(line, 'r');
        let_time_pass_ms(20);
        receive_exactly(client, block, sizeof block);
        line_hear(line, 'e');
        CHECK_OK(moorline_socket_destroy(client));
    }
}

/* A timer fires every millisecond, without SA_RESTART: no call says EINTR, none ends early. */
static void test_signals_do_not_surface(void)
{
    struct sigaction action = {.sa_handler = do_nothing};
    struct sigaction before;
    moorline_server *server = listening("name");
    moorline_poller *poller = NULL;
    moorline_socket *accepted = NULL;
    size_t count = 0;
    uint32_t ready = 0;
    moorline_event event;
    char byte = 0;
    struct child child = child_start(talk_to_the_waiting, NULL);
    CHECK_OK(moorline_poller_create(NULL, &poller));

    CHECK_SYSTEM(sigaction(SIGUSR1, &action, &before));
    struct sigevent to_this_thread = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1};
    to_this_thread._sigev_un._tid = gettid();
    timer_t timer;
    CHECK_SYSTEM(timer_create(CLOCK_MONOTONIC, &to_this_thread, &timer));
    struct itimerspec rain = {.it_interval = {.tv_nsec = 1000000}, .it_value = {.tv_nsec = 1000000}};
    CHECK_SYSTEM(timer_settime(timer, 0, &rain, NULL));

    for (int i = 0; i < 5; ++i) {
        line_say(child.line, 'c');
        CHECK_OK(moorline_server_accept(server, -1, &accepted));
        line_say(child.line, 's');
        switch (i % 3) {
        case 0: break;
        case 1: CHECK_OK(moorline_socket_wait(accepted, MOORLINE_READABLE, -1, &ready)); break;
        default:
            CHECK_OK(moorline_poller_add_socket(poller, accepted, MOORLINE_READABLE, 1));
            CHECK_OK(moorline_poller_wait(poller, &event, 1, -1, &count));
            CHECK_NUMBER(count, 1);
            break;
        }
        CHECK_OK(moorline_socket_receive(accepted, &byte, 1, -1, &count));
        line_say(child.line, 'r');
        CHECK_OK(moorline_socket_send(accepted, block, sizeof block, -1, &count));
        CHECK_NUMBER(count, sizeof block);
        uint64_t begun = monotonic_ms();
        CHECK_STATUS(moorline_socket_receive(accepted, &byte, 1, 50, &count), MOORLINE_TIMED_OUT);
        CHECK(monotonic_ms() - begun >= 50);
        moorline_socket *nobody = NULL;
        begun = monotonic_ms();
        CHECK_STATUS(moorline_server_accept(server, 50, &nobody), MOORLINE_TIMED_OUT);
        CHECK(monotonic_ms() - begun >= 50);
        line_say(child.line, 'e');
        CHECK_OK(moorline_socket_destroy(accepted));
    }

    CHECK_SYSTEM(timer_delete(timer));
    child_expect_success(&child);
    CHECK_SYSTEM(sigaction(SIGUSR1, &before, NULL));
    CHECK_OK(moorline_poller_destroy(poller));
    CHECK_OK(moorline_server_destroy(server));
}

enum { MAY_NOT = 77 };

/* fchmodat2(2), since Linux 6.6. */
static bool has_fchmodat2(void)
{
    return syscall(452, -1, "file", 0600, 0) == -1 && errno == EBADF;
}

static void listen_without_proc(int line, void *context)
{
    (void)line;
    (void)context;
    static const struct {
        mode_t umask;
        uint32_t mode;
    } cases[] = {{022, 0600}, {0777, 0666}};
    if (chroot(test_directory()) == -1 && errno == EPERM) {
        _exit(MAY_NOT);
    }
    CHECK_SYSTEM(chdir("/"));
    CHECK(!exists("/proc"));
    /* Without that call nothing can be taken back that the umask forbids. */
    const size_t count = has_fchmodat2() ? sizeof cases / sizeof cases[0] : 1;
    for (size_t i = 0; i < count; ++i) {
        umask(cases[i].umask);
        moorline_server *server = NULL;
        moorline_server_options options = {.struct_size = sizeof options, .mode = cases[i].mode};
        CHECK_OK(moorline_server_create(&options, &server));
        CHECK_SYSTEM(close(raw_listen("/name"))); /* which is dead, and recovered */
        CHECK_OK(moorline_server_listen(server, "/name"));
        expect_served(server, "/name", NULL);
        struct stat status;
        CHECK_SYSTEM(stat("/name", &status));
        CHECK_NUMBER(status.st_mode & 07777, cases[i].mode);
        CHECK_OK(moorline_server_destroy(server));
    }

    /* No path leads there that is short enough for an address. */
    char directory[120] = "/";
    memset(directory + 1, 'd', sizeof directory - 2);
    CHECK_SYSTEM(mkdir(directory, 0700));
    char name[128];
    snprintf(name, sizeof name, "%s/name", directory);
    moorline_server *server = new_server();
    CHECK_STATUS(moorline_server_listen(server, name), MOORLINE_NAME_TOO_LONG);
    CHECK_OK(moorline_server_destroy(server));
    CHECK_SYSTEM(rmdir(directory));
}

/* As in many a chroot(2). */
static void test_where_proc_is_not_mounted(void)
{
    if (getuid() != 0) {
        skip("only root can change the root");
        return;
    }
    struct child child = child_start(listen_without_proc, NULL);
    const int status = child_wait(&child);
    CHECK(WIFEXITED(status));
    if (WEXITSTATUS(status) == MAY_NOT) {
        skip("changing the root is not allowed");
        return;
    }
    CHECK_NUMBER(WEXITSTATUS(status), 0);
    CHECK_NUMBER(files_in(test_directory()), 0);
}

int main(void)
{
    threads_at_start = running_threads();
    remember_inherited();
    RUN(test_loading_starts_no_thread);
    RUN(test_descriptors_are_close_on_exec);
    RUN(test_descriptors_are_close_on_exec_from_birth);
    RUN(test_signals_umask_and_directory_are_untouched);
    RUN(test_the_services_threads_take_no_signals);
    RUN(test_nothing_is_left_behind);
    RUN(test_leaks_can_be_listed);
    RUN(test_signals_do_not_surface);
    RUN(test_where_proc_is_not_mounted);
    return 0;
}

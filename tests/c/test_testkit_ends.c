/* Whatever waits in the test kit ends when another thread destroys its handle, and a forked child neither waits for what its parent
   has nor disturbs it. */
#include "support_testkit.h"

#include <sys/wait.h>

/* --- destroyed while it waits --- */

static moorline_fixture *fixture;
static moorline_verdicts *verdicts;
static moorline_proxy *proxy;
static moorline_leak_guard *guard;
static moorline_recording *recording;
static moorline_server *server;
static moorline_fault_plan *plan;
static moorline_clock *clock_of_test;
static moorline_status answer;

/* Starts the call on a thread, waits until it blocks, destroys, and expects the answer of the call. */
static void expect_ended(void (*call)(void *), moorline_status destroyed(void), moorline_status expected)
{
    struct worker worker;
    worker_start(&worker, call, NULL);
    worker_wait_until_blocked(&worker);
    CHECK_OK(destroyed());
    worker_join(&worker);
    CHECK_STATUS(answer, expected);
}

static void wait_for_fixture(void *context)
{
    (void)context;
    answer = moorline_fixture_wait(fixture, 1, -1);
}

static void wait_for_bytes(void *context)
{
    (void)context;
    answer = moorline_fixture_wait_received(fixture, 1, -1);
}

static moorline_status destroy_fixture(void)
{
    return moorline_fixture_destroy(fixture);
}

static moorline_status stop_fixture(void)
{
    return moorline_fixture_stop(fixture);
}

static void test_fixture(void)
{
    fixture = fixture_of("echo");
    expect_ended(wait_for_fixture, stop_fixture, MOORLINE_CLOSED);
    CHECK_STATUS(moorline_fixture_wait(fixture, 1, -1), MOORLINE_CLOSED); /* and later ones do not wait */
    CHECK_OK(moorline_fixture_destroy(fixture));
    fixture = fixture_of("echo");
    expect_ended(wait_for_fixture, destroy_fixture, MOORLINE_CLOSED);
    fixture = fixture_of("echo");
    expect_ended(wait_for_bytes, destroy_fixture, MOORLINE_CLOSED);
}

static void wait_for_verdicts(void *context)
{
    (void)context;
    answer = moorline_verdicts_wait(verdicts, -1);
}

static moorline_status destroy_verdicts(void)
{
    return moorline_verdicts_destroy(verdicts);
}

static void test_verdicts(void)
{
    CHECK_OK(moorline_verdicts_create(&verdicts));
    expect_ended(wait_for_verdicts, destroy_verdicts, MOORLINE_CLOSED);
}

static void stop_proxy(void *context)
{
    (void)context;
    answer = moorline_proxy_stop(proxy, -1);
}

static moorline_status destroy_proxy(void)
{
    return moorline_proxy_destroy(proxy);
}

static void test_proxy(void)
{
    fixture = fixture_of("echo");
    CHECK_OK(moorline_proxy_start("proxy", fixture_name(fixture).text, NULL, &proxy));
    moorline_socket *client = connected("proxy");
    send_text(client, "x");
    expect_text(client, "x");
    expect_ended(stop_proxy, destroy_proxy, MOORLINE_CLOSED);
    expect_end(client);
    CHECK_OK(moorline_socket_destroy(client));
    CHECK_OK(moorline_fixture_destroy(fixture));
}

static void wait_for_leaks(void *context)
{
    (void)context;
    answer = moorline_leak_guard_wait(guard, MOORLINE_LEAK_HANDLES, -1, NULL);
}

static void test_leak_guard(void)
{
    CHECK_OK(moorline_leak_guard_create(&guard));
    server = new_server(); /* what it finds */
    struct worker worker;
    worker_start(&worker, wait_for_leaks, NULL);
    let_time_pass_ms(5); /* it looks again and again, so that it is never seen asleep for long; the outcome is the same */
    CHECK_OK(moorline_leak_guard_destroy(guard));
    worker_join(&worker);
    CHECK(answer == MOORLINE_CLOSED || answer == MOORLINE_STALE_HANDLE);
    CHECK_OK(moorline_server_destroy(server));
}

static void play_clients(void *context)
{
    (void)context;
    moorline_replay_options options = MOORLINE_REPLAY_OPTIONS_INIT;
    options.patience_ms = UINT32_MAX;
    answer = moorline_recording_play_clients(recording, fixture_name(fixture).text, &options, -1, NULL);
}

static void play_clients_in_real_time(void *context)
{
    (void)context;
    moorline_replay_options options = MOORLINE_REPLAY_OPTIONS_INIT;
    options.real_time = 1;
    answer = moorline_recording_play_clients(recording, fixture_name(fixture).text, &options, -1, NULL);
}

static void play_server(void *context)
{
    (void)context;
    answer = moorline_recording_play_server(recording, server, NULL, -1, NULL);
}

static moorline_status destroy_recording(void)
{
    return moorline_recording_destroy(recording);
}

static void read_recording(const char *text)
{
    const struct path file = in_test_directory("record");
    write_file(file.text, text);
    CHECK_OK(moorline_recording_read(file.text, &recording));
    CHECK_SYSTEM(unlink(file.text));
}

static void end_play(void (*play)(void *), const char *text)
{
    read_recording(text);
    struct worker worker;
    worker_start(&worker, play, NULL);
    if (play != play_server) {
        CHECK_OK(moorline_fixture_wait_received(fixture, 1, -1)); /* it has begun */
    }
    CHECK_OK(destroy_recording());
    worker_join(&worker);
    CHECK(answer == MOORLINE_CLOSED || (play == play_server && answer == MOORLINE_STALE_HANDLE));
}

static void test_recording(void)
{
    server = listening("server");
    end_play(play_server, "moorline-tap 1\n0 1 open\n0 1 close\n");
    CHECK_OK(moorline_server_destroy(server));
    fixture = fixture_of("sink");
    end_play(play_clients, "moorline-tap 1\n0 1 open\n0 1 to-server 70\n0 1 to-client 70\n");
    CHECK_OK(moorline_fixture_destroy(fixture));
    fixture = fixture_of("sink");
    end_play(play_clients_in_real_time, "moorline-tap 1\n0 1 open\n0 1 to-server 70\n3600000000 1 to-server 70\n");
    CHECK_OK(moorline_fixture_destroy(fixture));
}

/* --- many threads destroy and use everything at once --- */

static _Atomic(moorline_fixture *) contested_fixture;
static _Atomic(moorline_fault_plan *) contested_plan;
static _Atomic(moorline_proxy *) contested_proxy;
static pthread_barrier_t barrier;
enum { CROWD = 4, ROUNDS = 30 };

static void use_and_destroy(void *context)
{
    const int number = *(const int *)context;
    for (int round = 0; round < ROUNDS; ++round) {
        pthread_barrier_wait(&barrier);
        moorline_fixture_stats stats = MOORLINE_FIXTURE_STATS_INIT;
        moorline_fault_counts counts = MOORLINE_FAULT_COUNTS_INIT;
        char text[PATH_MAX];
        (void)!moorline_fixture_statistics(atomic_load(&contested_fixture), &stats);
        (void)!moorline_fault_plan_counts(atomic_load(&contested_plan), &counts);
        (void)!moorline_proxy_take_failures(atomic_load(&contested_proxy), text, sizeof text, NULL);
        switch ((number + round) % CROWD) {
        case 0: (void)!moorline_fixture_destroy(atomic_load(&contested_fixture)); break;
        case 1: (void)!moorline_fault_plan_destroy(atomic_load(&contested_plan)); break;
        case 2: (void)!moorline_proxy_destroy(atomic_load(&contested_proxy)); break;
        default:
            (void)!moorline_proxy_stop(atomic_load(&contested_proxy), 0);
            (void)!moorline_fixture_stop(atomic_load(&contested_fixture));
            (void)!moorline_fault_plan_end(atomic_load(&contested_plan));
            break;
        }
        pthread_barrier_wait(&barrier);
    }
}

static void test_a_crowd_that_destroys_in_any_order(void)
{
    struct worker crowd[CROWD];
    int numbers[CROWD];
    CHECK_NUMBER(pthread_barrier_init(&barrier, NULL, CROWD + 1), 0);
    for (int i = 0; i < CROWD; ++i) {
        numbers[i] = i;
        worker_start(&crowd[i], use_and_destroy, &numbers[i]);
    }
    for (int round = 0; round < ROUNDS; ++round) {
        moorline_faults faults = MOORLINE_FAULTS_INIT;
        faults.pieces_min = 1;
        plan = plan_of(&faults);
        moorline_fixture_options options = MOORLINE_FIXTURE_OPTIONS_INIT;
        options.faults = plan;
        options.quiet = 1;
        CHECK_OK(moorline_fixture_start("echo", &options, &fixture));
        moorline_proxy_options of_proxy = MOORLINE_PROXY_OPTIONS_INIT;
        of_proxy.faults = plan;
        CHECK_OK(moorline_proxy_start("proxy", fixture_name(fixture).text, &of_proxy, &proxy));
        moorline_socket *client = connected("proxy");
        send_text(client, "hello");
        atomic_store(&contested_fixture, fixture);
        atomic_store(&contested_plan, plan);
        atomic_store(&contested_proxy, proxy);
        pthread_barrier_wait(&barrier);
        pthread_barrier_wait(&barrier);
        CHECK_NUMBER(live_handles(), 1); /* all have gone, but for the client */
        CHECK_OK(moorline_socket_destroy(client));
    }
    for (int i = 0; i < CROWD; ++i) {
        worker_join(&crowd[i]);
    }
    pthread_barrier_destroy(&barrier);
}

/* --- fork --- */

static void use_what_is_the_parents(int line, void *context)
{
    (void)line;
    (void)context;
    alarm(20); /* a hang is a failure of the child */
    size_t count = 0;
    CHECK_STATUS(moorline_fixture_wait(fixture, 100, -1), MOORLINE_INVALID_STATE);
    CHECK_STATUS(moorline_fixture_wait_received(fixture, 100, -1), MOORLINE_INVALID_STATE);
    CHECK_STATUS(moorline_proxy_stop(proxy, -1), MOORLINE_INVALID_STATE);
    CHECK_OK(moorline_fixture_stop(fixture));
    CHECK_OK(moorline_fault_plan_end(plan));
    CHECK_OK(moorline_clock_advance(clock_of_test, 1));
    (void)!moorline_leak_guard_wait(guard, MOORLINE_LEAK_THREADS, 0, &count);
    moorline_socket_options options = MOORLINE_SOCKET_OPTIONS_INIT;
    options.faults = plan;
    moorline_socket *socket = NULL;
    CHECK_STATUS(moorline_socket_connect(fixture_name(fixture).text, &options, -1, &socket), MOORLINE_INVALID_STATE);
    CHECK_CONTAINS(last_error().text, "parent");
}

static void destroy_what_is_the_parents(int line, void *context)
{
    (void)line;
    (void)context;
    alarm(20);
    CHECK_OK(moorline_fixture_destroy(fixture));
    CHECK_OK(moorline_proxy_destroy(proxy));
    CHECK_OK(moorline_fault_plan_destroy(plan));
    CHECK_OK(moorline_verdicts_destroy(verdicts));
    CHECK_OK(moorline_leak_guard_destroy(guard));
    CHECK_OK(moorline_clock_destroy(clock_of_test));
    exit(0);
}

static void test_a_forked_child_disturbs_nothing_and_waits_for_nothing(void)
{
    moorline_faults faults = MOORLINE_FAULTS_INIT;
    faults.pieces_min = 1;
    plan = plan_of(&faults);
    CHECK_OK(moorline_verdicts_create(&verdicts));
    CHECK_OK(moorline_leak_guard_create(&guard));
    CHECK_OK(moorline_clock_create(&clock_of_test));
    moorline_fixture_options options = MOORLINE_FIXTURE_OPTIONS_INIT;
    options.faults = plan;
    options.clock = clock_of_test;
    CHECK_OK(moorline_fixture_start("echo", &options, &fixture));
    CHECK_OK(moorline_proxy_start("proxy", fixture_name(fixture).text, NULL, &proxy));
    moorline_socket *client = connected("proxy");
    send_text(client, "before");
    expect_text(client, "before");
    for (int i = 0; i < 2; ++i) {
        struct child child = child_start(i == 0 ? use_what_is_the_parents : destroy_what_is_the_parents, NULL);
        child_expect_success(&child);
        send_text(client, "after");
        expect_text(client, "after");
        moorline_socket *another = connected("proxy");
        send_text(another, "another");
        expect_text(another, "another");
        CHECK_OK(moorline_socket_destroy(another));
    }
    CHECK_OK(moorline_socket_destroy(client));
    CHECK_OK(moorline_proxy_stop(proxy, -1));
    CHECK_OK(moorline_fixture_wait(fixture, 3, -1));
    CHECK_OK(moorline_proxy_destroy(proxy));
    CHECK_OK(moorline_fixture_destroy(fixture));
    CHECK_OK(moorline_fault_plan_destroy(plan));
    CHECK_OK(moorline_verdicts_destroy(verdicts));
    CHECK_OK(moorline_clock_destroy(clock_of_test));
    CHECK_OK(moorline_leak_guard_destroy(guard));
}

int main(void)
{
    RUN(test_fixture);
    RUN(test_verdicts);
    RUN(test_proxy);
    RUN(test_leak_guard);
    RUN(test_recording);
    RUN(test_a_crowd_that_destroys_in_any_order);
    RUN(test_a_forked_child_disturbs_nothing_and_waits_for_nothing);
    return 0;
}

/* Readiness of many handles at once: level and edge, wake-up, the pollable descriptor, and nothing lost. */
#include "support.h"

#include <poll.h>
#include <sys/resource.h>

static moorline_poller *new_poller(void)
{
    moorline_poller *poller = NULL;
    CHECK_OK(moorline_poller_create(NULL, &poller));
    return poller;
}

static void make_pair(moorline_socket **first, moorline_socket **second)
{
    CHECK_OK(moorline_socket_pair(NULL, first, second));
}

static void send_byte(moorline_socket *socket)
{
    size_t sent = 0;
    CHECK_OK(moorline_socket_send(socket, "x", 1, -1, &sent));
}

/* Waits and expects exactly this one event. */
static void expect_event(moorline_poller *poller, uint64_t token, uint32_t readiness)
{
    moorline_event events[4];
    size_t count = 0;
    CHECK_OK(moorline_poller_wait(poller, events, 4, -1, &count));
    CHECK_NUMBER(count, 1);
    CHECK_NUMBER(events[0].token, token);
    CHECK_NUMBER(events[0].readiness, readiness);
    CHECK_NUMBER(events[0].reserved, 0);
}

static void expect_nothing(moorline_poller *poller)
{
    moorline_event events[4];
    size_t count = 77;
    CHECK_STATUS(moorline_poller_wait(poller, events, 4, 0, &count), MOORLINE_WOULD_BLOCK);
    CHECK_NUMBER(count, 0);
}

static bool is_pollable(moorline_poller *poller)
{
    intptr_t descriptor = -1;
    CHECK_OK(moorline_poller_descriptor(poller, &descriptor));
    struct pollfd entry = {.fd = (int)descriptor, .events = POLLIN};
    return CHECK_SYSTEM(poll(&entry, 1, 0)) == 1;
}

static void test_level(void)
{
    moorline_poller *poller = new_poller();
    moorline_socket *first = NULL;
    moorline_socket *second = NULL;
    char byte;
    make_pair(&first, &second);
    CHECK_OK(moorline_poller_add_socket(poller, first, MOORLINE_READABLE, 7));
    expect_nothing(poller);
    send_byte(second);
    send_byte(second);
    expect_event(poller, 7, MOORLINE_READABLE);
    expect_event(poller, 7, MOORLINE_READABLE); /* as long as it lasts */
    receive_exactly(first, &byte, 1);
    expect_event(poller, 7, MOORLINE_READABLE); /* one of two is still there */
    receive_exactly(first, &byte, 1);
    expect_nothing(poller);

    CHECK_OK(moorline_poller_modify_socket(poller, first, MOORLINE_READABLE | MOORLINE_WRITABLE, 8));
    expect_event(poller, 8, MOORLINE_WRITABLE);
    expect_event(poller, 8, MOORLINE_WRITABLE);
    CHECK(fill(first) > 0);
    expect_nothing(poller);
    send_byte(second);
    expect_event(poller, 8, MOORLINE_READABLE);
    CHECK_OK(moorline_poller_remove_socket(poller, first));
    expect_nothing(poller);
    CHECK_STATUS(moorline_poller_remove_socket(poller, first), MOORLINE_INVALID_STATE);
    CHECK_STATUS(moorline_poller_modify_socket(poller, first, MOORLINE_READABLE, 1), MOORLINE_INVALID_STATE);
    CHECK_OK(moorline_socket_destroy(first));
    CHECK_OK(moorline_socket_destroy(second));
    CHECK_OK(moorline_poller_destroy(poller));
}

static void test_edge(void)
{
    moorline_poller *poller = new_poller();
    moorline_socket *first = NULL;
    moorline_socket *second = NULL;
    char byte;
    make_pair(&first, &second);
    CHECK_OK(moorline_poller_add_socket(poller, first, MOORLINE_READABLE | MOORLINE_EDGE, 7));
    expect_nothing(poller);
    send_byte(second);
    expect_event(poller, 7, MOORLINE_READABLE);
    expect_nothing(poller); /* told once, though the byte is still there */
    send_byte(second);
    expect_event(poller, 7, MOORLINE_READABLE); /* another arrival */
    expect_nothing(poller);
    CHECK_OK(moorline_poller_modify_socket(poller, first, MOORLINE_READABLE | MOORLINE_EDGE, 9)); /* arms it again */
    expect_event(poller, 9, MOORLINE_READABLE);
    receive_exactly(first, &byte, 1);
    receive_exactly(first, &byte, 1);
    expect_nothing(poller);

    /* An edge that is there before the handle is added is reported too. */
    send_byte(second);
    CHECK_OK(moorline_poller_remove_socket(poller, first));
    CHECK_OK(moorline_poller_add_socket(poller, first, MOORLINE_READABLE | MOORLINE_EDGE, 10));
    expect_event(poller, 10, MOORLINE_READABLE);
    CHECK_OK(moorline_socket_destroy(first));
    CHECK_OK(moorline_socket_destroy(second));
    CHECK_OK(moorline_poller_destroy(poller));
}

static void test_hangup(void)
{
    for (uint32_t edge = 0; edge <= MOORLINE_EDGE; edge += MOORLINE_EDGE) {
        moorline_poller *poller = new_poller();
        moorline_socket *first = NULL;
        moorline_socket *second = NULL;
        moorline_event event;
        size_t count = 0;
        make_pair(&first, &second);
        CHECK_OK(moorline_poller_add_socket(poller, first, MOORLINE_READABLE | edge, 7));
        CHECK_OK(moorline_socket_destroy(second));
        CHECK_OK(moorline_poller_wait(poller, &event, 1, -1, &count));
        CHECK_NUMBER(count, 1);
        CHECK_NUMBER(event.token, 7);
        CHECK(event.readiness & MOORLINE_HANGUP);
        CHECK(event.readiness & MOORLINE_READABLE); /* receive does not block: it tells the end */
        CHECK_OK(moorline_socket_destroy(first));
        CHECK_OK(moorline_poller_destroy(poller));
    }
}

/* A peer that has ended both directions and reads nothing leaves no room either: who waits to send is told all the same. */
static void test_the_end_of_a_full_connection_is_writable(void)
{
    for (uint32_t edge = 0; edge <= MOORLINE_EDGE; edge += MOORLINE_EDGE) {
        moorline_poller *poller = new_poller();
        moorline_socket *first = NULL;
        moorline_socket *second = NULL;
        size_t sent = 77;
        uint32_t ready = 0;
        make_pair(&first, &second);
        CHECK(fill(first) > 0);
        CHECK_OK(moorline_poller_add_socket(poller, first, MOORLINE_WRITABLE | edge, 7));
        expect_nothing(poller);
        CHECK_OK(moorline_socket_shutdown(second, MOORLINE_WRITABLE, 0));
        expect_nothing(poller); /* it still reads */
        CHECK_OK(moorline_socket_shutdown(second, MOORLINE_READABLE, 0));
        expect_event(poller, 7, MOORLINE_READABLE | MOORLINE_WRITABLE | MOORLINE_HANGUP);
        CHECK_OK(moorline_socket_wait(first, MOORLINE_WRITABLE, 0, &ready));
        CHECK_NUMBER(ready, MOORLINE_READABLE | MOORLINE_WRITABLE | MOORLINE_HANGUP);
        CHECK_STATUS(moorline_socket_send(first, "x", 1, 0, &sent), MOORLINE_DISCONNECTED);
        destroy_pair(first, second);
        CHECK_OK(moorline_poller_destroy(poller));
    }
}

static void test_servers(void)
{
    moorline_poller *poller = new_poller();
    moorline_server *server = listening("name");
    CHECK_OK(moorline_poller_add_server(poller, server, MOORLINE_READABLE, UINT64_MAX));
    expect_nothing(poller);
    moorline_socket *client = connected("name");
    expect_event(poller, UINT64_MAX, MOORLINE_READABLE);
    CHECK_OK(moorline_poller_modify_server(poller, server, MOORLINE_READABLE, 0));
    expect_event(poller, 0, MOORLINE_READABLE);
    moorline_socket *accepted = NULL;
    CHECK_OK(moorline_server_accept(server, 0, &accepted));
    expect_nothing(poller);
    CHECK_OK(moorline_poller_remove_server(poller, server));
    CHECK_STATUS(moorline_poller_remove_server(poller, server), MOORLINE_INVALID_STATE);
    CHECK_OK(moorline_socket_destroy(client));
    CHECK_OK(moorline_socket_destroy(accepted));
    CHECK_OK(moorline_server_destroy(server));

    /* One that does not listen has nothing to be watched. */
    CHECK_OK(moorline_server_create(NULL, &server));
    CHECK_STATUS(moorline_poller_add_server(poller, server, MOORLINE_READABLE, 1), MOORLINE_INVALID_STATE);
    CHECK_OK(moorline_server_destroy(server));
    CHECK_OK(moorline_poller_destroy(poller));
}

static void test_tokens_come_back_as_they_were(void)
{
    static const uint64_t tokens[] = {0,         1, UINT32_MAX, (uint64_t)UINT32_MAX + 1, (uint64_t)INT64_MAX, UINT64_MAX - 1,
                                      UINT64_MAX};
    moorline_poller *poller = new_poller();
    moorline_socket *first = NULL;
    moorline_socket *second = NULL;
    make_pair(&first, &second);
    for (size_t i = 0; i < sizeof tokens / sizeof tokens[0]; ++i) {
        CHECK_OK(moorline_poller_add_socket(poller, first, MOORLINE_WRITABLE, tokens[i]));
        moorline_event event;
        size_t count = 0;
        CHECK_OK(moorline_poller_wait(poller, &event, 1, -1, &count));
        CHECK(event.token == tokens[i]);
        CHECK_OK(moorline_poller_remove_socket(poller, first));
    }
    CHECK_OK(moorline_socket_destroy(first));
    CHECK_OK(moorline_socket_destroy(second));
    CHECK_OK(moorline_poller_destroy(poller));
}

static void test_bad_arguments(void)
{
    moorline_poller *poller = new_poller();
    moorline_socket *first = NULL;
    moorline_socket *second = NULL;
    size_t count = 77;
    moorline_event event;
    make_pair(&first, &second);
    static const uint32_t interests[] = {MOORLINE_HANGUP, MOORLINE_READABLE | MOORLINE_HANGUP, 16, UINT32_MAX};
    for (size_t i = 0; i < sizeof interests / sizeof interests[0]; ++i) {
        CHECK_STATUS(moorline_poller_add_socket(poller, first, interests[i], 1), MOORLINE_INVALID_ARGUMENT);
    }
    CHECK_STATUS(moorline_poller_wait(poller, NULL, 1, 0, &count), MOORLINE_INVALID_ARGUMENT);
    CHECK_NUMBER(count, 0);
    CHECK_STATUS(moorline_poller_wait(poller, &event, 0, 0, &count), MOORLINE_INVALID_ARGUMENT);
    CHECK_OK(moorline_poller_add_socket(poller, first, MOORLINE_READABLE, 1));
    CHECK_STATUS(moorline_poller_add_socket(poller, first, MOORLINE_READABLE, 1), MOORLINE_INVALID_STATE);

    /* One poller at a time. */
    moorline_poller *other = new_poller();
    CHECK_STATUS(moorline_poller_add_socket(other, first, MOORLINE_READABLE, 2), MOORLINE_INVALID_STATE);
    CHECK_STATUS(moorline_poller_modify_socket(other, first, MOORLINE_READABLE, 2), MOORLINE_INVALID_STATE);
    CHECK_STATUS(moorline_poller_remove_socket(other, first), MOORLINE_INVALID_STATE);
    send_byte(second);
    expect_event(poller, 1, MOORLINE_READABLE); /* none of which disturbed it */
    expect_nothing(other);
    CHECK_OK(moorline_poller_remove_socket(poller, first));
    CHECK_OK(moorline_poller_add_socket(other, first, MOORLINE_READABLE, 2));
    expect_event(other, 2, MOORLINE_READABLE);
    CHECK_OK(moorline_poller_destroy(other)); /* lets go of what it held */
    CHECK_OK(moorline_poller_add_socket(poller, first, MOORLINE_READABLE, 3));
    expect_event(poller, 3, MOORLINE_READABLE);
    CHECK_OK(moorline_socket_destroy(first));
    CHECK_OK(moorline_socket_destroy(second));
    CHECK_OK(moorline_poller_destroy(poller));
}

static void wait_once(void *context)
{
    moorline_event event;
    size_t count = 77;
    CHECK_OK(moorline_poller_wait(context, &event, 1, -1, &count));
    CHECK_NUMBER(count, 0);
}

/* Any thread changes what is watched while another waits. */
static void wait_for_readable(void *context)
{
    expect_event(context, 9, MOORLINE_READABLE);
}

static void test_changes_while_another_waits(void)
{
    moorline_poller *poller = new_poller();
    moorline_socket *first = NULL;
    moorline_socket *second = NULL;
    struct worker waiting[2];
    char byte;
    make_pair(&first, &second);
    send_byte(second);
    worker_start(&waiting[0], wait_for_readable, poller);
    worker_wait_until_blocked(&waiting[0]);
    CHECK_OK(moorline_poller_add_socket(poller, first, MOORLINE_READABLE, 9));
    worker_join(&waiting[0]);
    receive_exactly(first, &byte, 1);

    /* In the poller, but never reported for now. */
    CHECK_OK(moorline_poller_modify_socket(poller, first, 0, 8));
    send_byte(second);
    expect_nothing(poller);
    CHECK(!is_pollable(poller));

    /* Two that wait take their turns. */
    for (int i = 0; i < 2; ++i) {
        worker_start(&waiting[i], wait_for_readable, poller);
        worker_wait_until_blocked(&waiting[i]);
    }
    CHECK_OK(moorline_poller_modify_socket(poller, first, MOORLINE_READABLE, 9));
    worker_join(&waiting[0]);
    worker_join(&waiting[1]);
    CHECK_OK(moorline_socket_destroy(first));
    CHECK_OK(moorline_socket_destroy(second));
    CHECK_OK(moorline_poller_destroy(poller));
}

static void look_for_readable(void *context)
{
    moorline_event event;
    size_t count = 0;
    CHECK_OK(moorline_poller_look(context, &event, 1, UINT32_MAX, &count));
    CHECK_NUMBER(count, 1);
    CHECK_NUMBER(event.token, 7);
}

/* A look finds what a wait finds, and uses the processor until then: even a poller whose waits sleep at once does. */
static void test_look(void)
{
    moorline_poller_options options = {.struct_size = sizeof options, .busy_poll_us = MOORLINE_BUSY_POLL_NEVER};
    moorline_poller *poller = NULL;
    moorline_socket *first = NULL;
    moorline_socket *second = NULL;
    moorline_event event;
    size_t count = 77;
    CHECK_OK(moorline_poller_create(&options, &poller));
    make_pair(&first, &second);
    CHECK_OK(moorline_poller_add_socket(poller, first, MOORLINE_READABLE | MOORLINE_EDGE, 7));
    CHECK_STATUS(moorline_poller_look(poller, &event, 1, 0, &count), MOORLINE_WOULD_BLOCK);
    CHECK_NUMBER(count, 0);
    const uint64_t begun = monotonic_ms();
    CHECK_STATUS(moorline_poller_look(poller, &event, 1, 20000, &count), MOORLINE_TIMED_OUT);
    CHECK(monotonic_ms() - begun >= 20);
    struct worker looking;
    worker_start(&looking, look_for_readable, poller);
    send_byte(second);
    worker_join(&looking);
    CHECK_STATUS(moorline_poller_look(poller, NULL, 1, 0, &count), MOORLINE_INVALID_ARGUMENT);
    CHECK_STATUS(moorline_poller_look(poller, &event, 0, 0, &count), MOORLINE_INVALID_ARGUMENT);
    CHECK_OK(moorline_poller_wake(poller));
    count = 77;
    CHECK_OK(moorline_poller_look(poller, &event, 1, UINT32_MAX, &count));
    CHECK_NUMBER(count, 0);
    CHECK_OK(moorline_socket_destroy(first));
    CHECK_OK(moorline_socket_destroy(second));
    CHECK_OK(moorline_poller_destroy(poller));
}

/* Looking again and again before sleeping changes the time that it takes and nothing else. */
static void test_busy_polling(void)
{
    moorline_poller_options options = {.struct_size = sizeof options, .busy_poll_us = 20000};
    moorline_poller *poller = NULL;
    moorline_socket *first = NULL;
    moorline_socket *second = NULL;
    moorline_event event;
    size_t count = 77;
    CHECK_OK(moorline_poller_create(&options, &poller));
    make_pair(&first, &second);
    CHECK_OK(moorline_poller_add_socket(poller, first, MOORLINE_READABLE, 7));
    expect_nothing(poller);
    for (int64_t timeout = 10; timeout <= 40; timeout += 30) { /* within the busy time, and beyond */
        uint64_t begun = monotonic_ms();
        CHECK_STATUS(moorline_poller_wait(poller, &event, 1, timeout, &count), MOORLINE_TIMED_OUT);
        CHECK(monotonic_ms() - begun >= (uint64_t)timeout);
    }
    /* After its busy time it sleeps. */
    const uint64_t cpu = thread_cpu_ms();
    CHECK_STATUS(moorline_poller_wait(poller, &event, 1, 400, &count), MOORLINE_TIMED_OUT);
    CHECK(thread_cpu_ms() - cpu < 200);
    send_byte(second);
    expect_event(poller, 7, MOORLINE_READABLE);
    CHECK_OK(moorline_socket_destroy(first));
    struct worker waiting;
    worker_start(&waiting, wait_once, poller);
    CHECK_OK(moorline_poller_wake(poller)); /* wherever in its wait it is */
    worker_join(&waiting);
    CHECK_OK(moorline_socket_destroy(second));
    CHECK_OK(moorline_poller_destroy(poller));
}

static void test_wake(void)
{
    moorline_poller *poller = new_poller();
    struct worker waiting;
    moorline_event event;
    size_t count = 77;
    worker_start(&waiting, wait_once, poller);
    worker_wait_until_blocked(&waiting);
    CHECK_OK(moorline_poller_wake(poller));
    worker_join(&waiting);

    /* A wake that comes before the wait is kept, and several are one. */
    expect_nothing(poller);
    CHECK_OK(moorline_poller_wake(poller));
    CHECK_OK(moorline_poller_wake(poller));
    CHECK(is_pollable(poller));
    CHECK_OK(moorline_poller_wait(poller, &event, 1, -1, &count));
    CHECK_NUMBER(count, 0);
    expect_nothing(poller);
    CHECK(!is_pollable(poller));

    uint64_t begun = monotonic_ms();
    CHECK_STATUS(moorline_poller_wait(poller, &event, 1, 50, &count), MOORLINE_TIMED_OUT);
    CHECK(monotonic_ms() - begun >= 50);

    /* One that comes with something that is ready ends the same wait, and no other. */
    moorline_socket *first = NULL;
    moorline_socket *second = NULL;
    char byte;
    make_pair(&first, &second);
    CHECK_OK(moorline_poller_add_socket(poller, first, MOORLINE_READABLE, 7));
    send_byte(second);
    CHECK_OK(moorline_poller_wake(poller));
    expect_event(poller, 7, MOORLINE_READABLE);
    receive_exactly(first, &byte, 1);
    expect_nothing(poller);
    destroy_pair(first, second);
    CHECK_OK(moorline_poller_destroy(poller));
}

/* Readable exactly when wait(0) would have something to say. */
static void test_the_descriptor_serves_a_foreign_loop(void)
{
    moorline_poller *poller = new_poller();
    moorline_socket *first = NULL;
    moorline_socket *second = NULL;
    char byte;
    make_pair(&first, &second);
    CHECK_OK(moorline_poller_add_socket(poller, first, MOORLINE_READABLE, 7));
    CHECK(!is_pollable(poller));
    send_byte(second);
    CHECK(is_pollable(poller));
    expect_event(poller, 7, MOORLINE_READABLE);
    CHECK(is_pollable(poller)); /* a level: the byte is still there */
    receive_exactly(first, &byte, 1);
    expect_nothing(poller);
    CHECK(!is_pollable(poller));

    CHECK_OK(moorline_poller_modify_socket(poller, first, MOORLINE_READABLE | MOORLINE_EDGE, 8));
    CHECK(!is_pollable(poller));
    send_byte(second);
    CHECK(is_pollable(poller));
    expect_event(poller, 8, MOORLINE_READABLE);
    CHECK(!is_pollable(poller)); /* an edge: told once */
    CHECK_OK(moorline_socket_destroy(first));
    CHECK_OK(moorline_socket_destroy(second));
    CHECK_OK(moorline_poller_destroy(poller));
}

static void test_a_destroyed_handle_disappears(void)
{
    moorline_poller *poller = new_poller();
    for (int i = 0; i < 4; ++i) {
        moorline_socket *first = NULL;
        moorline_socket *second = NULL;
        make_pair(&first, &second);
        send_byte(second);
        CHECK_OK(moorline_poller_add_socket(poller, first, MOORLINE_READABLE | MOORLINE_WRITABLE, 7));
        CHECK(is_pollable(poller));
        if (i % 2 == 0) {
            expect_event(poller, 7, MOORLINE_READABLE | MOORLINE_WRITABLE);
        }
        if (i < 2) {
            CHECK_OK(moorline_socket_destroy(first));
        } else {
            CHECK_OK(moorline_socket_close(first, 0, NULL));
        }
        expect_nothing(poller);
        CHECK(!is_pollable(poller));
        if (i >= 2) {
            CHECK_STATUS(moorline_poller_add_socket(poller, first, MOORLINE_READABLE, 7), MOORLINE_CLOSED);
            CHECK_OK(moorline_socket_destroy(first));
        }
        CHECK_OK(moorline_socket_destroy(second));

        moorline_server *server = listening("name");
        CHECK_OK(moorline_poller_add_server(poller, server, MOORLINE_READABLE, 8));
        moorline_socket *client = connected("name");
        CHECK(is_pollable(poller));
        CHECK_OK(moorline_server_destroy(server));
        expect_nothing(poller);
        CHECK_OK(moorline_socket_destroy(client));
    }
    CHECK_OK(moorline_poller_destroy(poller));
}

enum { THOUSANDS = 3000 };

/* Events come in small helpings; none is lost, none starves. */
static void expect_all_within(moorline_poller *poller, int sockets, size_t capacity, uint32_t edge, moorline_socket **first)
{
    static bool seen[THOUSANDS];
    memset(seen, 0, sizeof seen);
    for (int left = sockets; left > 0;) {
        moorline_event events[64];
        size_t count = 0;
        CHECK_OK(moorline_poller_wait(poller, events, capacity, -1, &count));
        CHECK(count > 0 && count <= capacity);
        for (size_t i = 0; i < count; ++i) {
            CHECK(events[i].token < (uint64_t)sockets);
            CHECK_NUMBER(events[i].readiness, MOORLINE_READABLE);
            char byte;
            if (edge) {
                CHECK(!seen[events[i].token]); /* told once */
            }
            if (!seen[events[i].token]) {
                seen[events[i].token] = true;
                --left;
                receive_exactly(first[events[i].token], &byte, 1);
            }
        }
    }
    expect_nothing(poller);
}

static void test_thousands_of_sockets(void)
{
    static moorline_socket *first[THOUSANDS];
    static moorline_socket *second[THOUSANDS];
    struct rlimit limit;
    CHECK_SYSTEM(getrlimit(RLIMIT_NOFILE, &limit));
    const rlim_t before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    CHECK_SYSTEM(setrlimit(RLIMIT_NOFILE, &limit));
    const int sockets = limit.rlim_max > 2 * THOUSANDS + 100 ? THOUSANDS : (int)(limit.rlim_max - 100) / 2;
    moorline_poller *poller = new_poller();
    for (uint32_t edge = 0; edge <= MOORLINE_EDGE; edge += MOORLINE_EDGE) {
        for (int i = 0; i < sockets; ++i) {
            make_pair(&first[i], &second[i]);
            CHECK_OK(moorline_poller_add_socket(poller, first[i], MOORLINE_READABLE | edge, (uint64_t)i));
        }
        expect_nothing(poller);
        static const size_t capacities[] = {1, 7, 64};
        for (size_t turn = 0; turn < 3; ++turn) {
            for (int i = 0; i < sockets; ++i) {
                send_byte(second[i]);
            }
            expect_all_within(poller, sockets, capacities[turn], edge, first);
        }
        for (int i = 0; i < sockets; ++i) {
            CHECK_OK(moorline_socket_destroy(first[i]));
            CHECK_OK(moorline_socket_destroy(second[i]));
        }
        expect_nothing(poller);
    }
    CHECK_OK(moorline_poller_destroy(poller));
    limit.rlim_cur = before;
    CHECK_SYSTEM(setrlimit(RLIMIT_NOFILE, &limit));
}

static void test_a_closed_poller(void)
{
    moorline_poller *poller = new_poller();
    moorline_socket *first = NULL;
    moorline_socket *second = NULL;
    moorline_event event;
    size_t count = 77;
    intptr_t descriptor = 77;
    make_pair(&first, &second);
    CHECK_OK(moorline_poller_add_socket(poller, first, MOORLINE_READABLE, 1));
    CHECK_OK(moorline_poller_close(poller));
    CHECK_STATUS(moorline_poller_wait(poller, &event, 1, -1, &count), MOORLINE_CLOSED);
    CHECK_NUMBER(count, 0);
    CHECK_STATUS(moorline_poller_wake(poller), MOORLINE_CLOSED);
    CHECK_STATUS(moorline_poller_descriptor(poller, &descriptor), MOORLINE_CLOSED);
    CHECK_STATUS(moorline_poller_add_socket(poller, second, MOORLINE_READABLE, 1), MOORLINE_CLOSED);
    CHECK_OK(moorline_poller_close(poller)); /* once more is harmless */
    moorline_poller *other = new_poller();
    CHECK_OK(moorline_poller_add_socket(other, first, MOORLINE_READABLE, 1));
    CHECK_OK(moorline_poller_destroy(other));
    CHECK_OK(moorline_poller_destroy(poller));
    CHECK_OK(moorline_socket_destroy(first));
    CHECK_OK(moorline_socket_destroy(second));
}

int main(void)
{
    RUN(test_level);
    RUN(test_edge);
    RUN(test_hangup);
    RUN(test_the_end_of_a_full_connection_is_writable);
    RUN(test_servers);
    RUN(test_tokens_come_back_as_they_were);
    RUN(test_bad_arguments);
    RUN(test_wake);
    RUN(test_changes_while_another_waits);
    RUN(test_look);
    RUN(test_busy_polling);
    RUN(test_the_descriptor_serves_a_foreign_loop);
    RUN(test_a_destroyed_handle_disappears);
    RUN(test_thousands_of_sockets);
    RUN(test_a_closed_poller);
    return 0;
}

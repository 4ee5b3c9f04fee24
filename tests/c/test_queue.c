/* The queue behind a send, and what close reports of it: every byte that was accepted is delivered or counted. */
#include "support.h"

#include <sched.h>

enum { MIB = 1 << 20 };

static char block[4 * MIB];

static void test_the_queue_takes_what_the_kernel_does_not(void)
{
    moorline_socket *first = NULL;
    moorline_socket *second = NULL;
    size_t sent = 77;
    make_queued_pair(&first, &second, MIB);
    CHECK_OK(moorline_socket_send(first, block, MIB, 0, &sent)); /* more than the kernel takes */
    CHECK_NUMBER(sent, MIB);
    CHECK_STATUS(moorline_socket_send(first, block, sizeof block, 0, &sent), MOORLINE_WOULD_BLOCK);
    CHECK(sent < sizeof block);
    const uint64_t accepted = MIB + (uint64_t)sent;
    CHECK_STATUS(moorline_socket_flush(first, 0), MOORLINE_WOULD_BLOCK);
    uint64_t begun = monotonic_ms();
    CHECK_STATUS(moorline_socket_flush(first, 50), MOORLINE_TIMED_OUT);
    CHECK(monotonic_ms() - begun >= 50);

    /* The limit is one: MIB bytes beyond those that the kernel has. */
    moorline_close_report report = close_report(first, 0, MOORLINE_WOULD_BLOCK);
    CHECK_NUMBER(report.unsent, MIB);
    CHECK_NUMBER(report.sent + report.unsent, accepted);
    CHECK_NUMBER(receive_until_disconnected(second), report.sent);
    destroy_pair(first, second);
}

static void test_all_or_nothing_is_taken(void)
{
    moorline_socket *first = NULL;
    moorline_socket *second = NULL;
    make_queued_pair(&first, &second, MIB);
    CHECK_OK(moorline_socket_try_send(first, NULL, 0));
    CHECK_OK(moorline_socket_try_send(first, block, MIB)); /* more than the kernel takes */
    CHECK_STATUS(moorline_socket_try_send(first, block, MIB), MOORLINE_WOULD_BLOCK);
    CHECK_STATUS(moorline_socket_try_send(first, block, MIB + 1), MOORLINE_INVALID_ARGUMENT);
    moorline_close_report report = close_report(first, 0, MOORLINE_WOULD_BLOCK);
    CHECK_NUMBER(report.sent + report.unsent, MIB);
    CHECK_STATUS(moorline_socket_try_send(first, "x", 1), MOORLINE_CLOSED);
    destroy_pair(first, second);

    /* Without a queue there is nowhere for what the kernel does not take. */
    CHECK_OK(moorline_socket_pair(NULL, &first, &second));
    CHECK_STATUS(moorline_socket_try_send(first, "x", 1), MOORLINE_INVALID_ARGUMENT);
    destroy_pair(first, second);
}

static void fill_with_counter(uint32_t *numbers, size_t count)
{
    static uint32_t next;
    for (size_t i = 0; i < count; ++i) {
        numbers[i] = next++;
    }
}

struct receiver {
    moorline_socket *socket;
    uint64_t expected;
};

static void receive_counter(void *context)
{
    struct receiver *receiver = context;
    uint32_t number = 0;
    for (uint32_t i = 0; i < receiver->expected; ++i) {
        receive_exactly(receiver->socket, &number, sizeof number);
        CHECK_NUMBER(number, i);
    }
    CHECK_NUMBER(receive_until_disconnected(receiver->socket), 0);
}

/* Direct and queued bytes keep their order, flush and close deliver all. */
static void test_flush_and_close_deliver_the_queue_in_order(void)
{
    enum { NUMBERS = 60000 };
    moorline_socket *first = NULL;
    moorline_socket *second = NULL;
    static uint32_t numbers[NUMBERS];
    size_t sent = 0;
    make_queued_pair(&first, &second, MIB);
    struct receiver receiver = {second, 4 * (uint64_t)NUMBERS};
    struct worker worker;
    for (int i = 0; i < 4; ++i) {
        fill_with_counter(numbers, NUMBERS);
        CHECK_OK(moorline_socket_send(first, numbers, sizeof numbers, 0, &sent));
        if (i == 1) {
            worker_start(&worker, receive_counter, &receiver);
            CHECK_OK(moorline_socket_flush(first, -1));
            CHECK_OK(moorline_socket_flush(first, 0)); /* nothing left */
        }
    }
    moorline_close_report report = close_report(first, -1, MOORLINE_OK);
    CHECK_NUMBER(report.sent, 4 * sizeof numbers);
    CHECK_NUMBER(report.unsent, 0);
    worker_join(&worker);
    report = close_report(second, -1, MOORLINE_OK);
    CHECK_NUMBER(report.received, 4 * sizeof numbers);
    destroy_pair(first, second);
}

struct exchange {
    moorline_socket *socket;
    char tag;
};

/* Sends more than the kernel takes, then reads as much: the one side's queue only empties as the other reads. */
static void send_then_receive(void *context)
{
    const struct exchange *exchange = context;
    char *data = malloc(MIB);
    size_t sent = 0;
    CHECK(data != NULL);
    memset(data, exchange->tag, MIB);
    CHECK_OK(moorline_socket_send(exchange->socket, data, MIB, 0, &sent));
    receive_exactly(exchange->socket, data, MIB);
    CHECK(memchr(data, exchange->tag, MIB) == NULL);
    free(data);
    CHECK_OK(moorline_socket_flush(exchange->socket, -1));
}

static void test_receive_moves_the_queue_on(void)
{
    /* The accepted side has the queue of its server's options. */
    moorline_server *server = NULL;
    moorline_server_options server_options = {.struct_size = sizeof server_options, .send_queue_limit = MIB};
    moorline_socket_options socket_options = {.struct_size = sizeof socket_options, .send_queue_limit = MIB};
    struct exchange sides[2] = {{NULL, 'a'}, {NULL, 'b'}};
    struct worker workers[2];
    CHECK_OK(moorline_server_create(&server_options, &server));
    CHECK_OK(moorline_server_listen(server, "name"));
    CHECK_OK(moorline_socket_connect("name", &socket_options, -1, &sides[0].socket));
    CHECK_OK(moorline_server_accept(server, -1, &sides[1].socket));
    for (int i = 0; i < 2; ++i) {
        worker_start(&workers[i], send_then_receive, &sides[i]);
    }
    for (int i = 0; i < 2; ++i) {
        worker_join(&workers[i]);
    }
    destroy_pair(sides[0].socket, sides[1].socket);
    CHECK_OK(moorline_server_destroy(server));
}

static void test_close_keeps_its_deadline(void)
{
    moorline_socket *first = NULL;
    moorline_socket *second = NULL;
    size_t sent = 0;
    make_queued_pair(&first, &second, MIB);
    CHECK_OK(moorline_socket_send(first, block, MIB, 0, &sent));
    uint64_t begun = monotonic_ms();
    moorline_close_report report = close_report(first, 100, MOORLINE_TIMED_OUT);
    CHECK(monotonic_ms() - begun >= 100);
    CHECK_NUMBER(report.sent + report.unsent, MIB);
    CHECK(report.unsent > 0);
    /* Closing again only reports, but not that all went well. */
    moorline_close_report again = MOORLINE_CLOSE_REPORT_INIT;
    CHECK_STATUS(moorline_socket_close(first, 0, &again), MOORLINE_CLOSED);
    CHECK_NUMBER(again.sent, report.sent);
    CHECK_NUMBER(again.unsent, report.unsent);
    CHECK_NUMBER(again.received, report.received);

    /* Closed all the same; and what was sent arrives. */
    CHECK_STATUS(moorline_socket_send(first, "x", 1, 0, &sent), MOORLINE_CLOSED);
    CHECK_NUMBER(receive_until_disconnected(second), report.sent);
    destroy_pair(first, second);
}

struct racing {
    moorline_socket *socket;
    uint64_t taken;
};

static void send_until_closed(void *context)
{
    struct racing *racing = context;
    moorline_status status = MOORLINE_OK;
    while (status != MOORLINE_CLOSED) {
        size_t sent = 0;
        status = moorline_socket_send(racing->socket, block, 100, 0, &sent);
        racing->taken += sent;
        CHECK(status == MOORLINE_OK || status == MOORLINE_CLOSED || status == MOORLINE_WOULD_BLOCK);
        if (status == MOORLINE_WOULD_BLOCK) {
            sched_yield();
        }
    }
}

/* Every byte that any send said was taken is in the report of the close that came in between. In as many rounds as there is time for,
 * of which each takes long under Valgrind. */
static void test_the_report_counts_what_was_sent_meanwhile(void)
{
    enum { THREADS = 2, ROUNDS = 1000, ENOUGH_MS = 10000 };
    const uint64_t begun = monotonic_ms();
    for (int round = 0; round < ROUNDS && monotonic_ms() - begun < ENOUGH_MS; ++round) {
        moorline_socket *first = NULL;
        moorline_socket *second = NULL;
        make_queued_pair(&first, &second, round % 2 == 0 ? 0 : MIB / 4);
        struct racing racing[THREADS];
        struct worker senders[THREADS];
        uint64_t taken = 0;
        for (int i = 0; i < THREADS; ++i) {
            racing[i] = (struct racing){.socket = first};
            worker_start(&senders[i], send_until_closed, &racing[i]);
        }
        while (atomic_load(&senders[round % THREADS].id) == 0) {
            sched_yield();
        }
        for (volatile int pause = 0; pause < round % 50 * 50; ++pause) {
        }
        moorline_close_report report = MOORLINE_CLOSE_REPORT_INIT;
        (void)!moorline_socket_close(first, 0, &report);
        for (int i = 0; i < THREADS; ++i) {
            worker_join(&senders[i]);
            taken += racing[i].taken;
        }
        CHECK_NUMBER(report.sent + report.unsent, taken);
        CHECK_NUMBER(receive_until_disconnected(second), report.sent);
        destroy_pair(first, second);
    }
}

int main(void)
{
    RUN(test_the_queue_takes_what_the_kernel_does_not);
    RUN(test_all_or_nothing_is_taken);
    RUN(test_flush_and_close_deliver_the_queue_in_order);
    RUN(test_receive_moves_the_queue_on);
    RUN(test_close_keeps_its_deadline);
    RUN(test_the_report_counts_what_was_sent_meanwhile);
    return 0;
}

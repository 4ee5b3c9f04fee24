/* Bytes: what send and receive answer, whole calls that never interleave, and descriptors adopted and released. */
#include "support.h"

#include <fcntl.h>
#include <sys/socket.h>

enum { MIB = 1 << 20 };

static char block[4 * MIB];

/* --- send and receive --- */

static void test_send_and_receive(void)
{
    moorline_socket *first = NULL;
    moorline_socket *second = NULL;
    make_queued_pair(&first, &second, 0);
    size_t count = 77;
    char buffer[16];
    CHECK_STATUS(moorline_socket_receive(second, buffer, sizeof buffer, 0, &count), MOORLINE_WOULD_BLOCK);
    CHECK_NUMBER(count, 0);
    uint64_t begun = monotonic_ms();
    CHECK_STATUS(moorline_socket_receive(second, buffer, sizeof buffer, 50, &count), MOORLINE_TIMED_OUT);
    CHECK(monotonic_ms() - begun >= 50);

    CHECK_OK(moorline_socket_send(first, NULL, 0, 0, &count));
    CHECK_NUMBER(count, 0);
    CHECK_OK(moorline_socket_send(first, "hello", 5, 0, &count));
    CHECK_NUMBER(count, 5);
    CHECK_OK(moorline_socket_receive(second, buffer, 2, 0, &count)); /* what fits; the rest stays */
    CHECK_NUMBER(count, 2);
    CHECK_OK(moorline_socket_receive(second, buffer + 2, sizeof buffer - 2, 0, &count));
    CHECK_NUMBER(count, 3);
    CHECK(memcmp(buffer, "hello", 5) == 0);
    destroy_pair(first, second);
}

static void test_partial_sends_say_how_much(void)
{
    moorline_socket *first = NULL;
    moorline_socket *second = NULL;
    size_t sent = 77;
    make_queued_pair(&first, &second, 0);
    CHECK_STATUS(moorline_socket_send(first, block, sizeof block, 0, &sent), MOORLINE_WOULD_BLOCK);
    CHECK(sent > 0 && sent < sizeof block);
    uint64_t total = sent + fill(first);
    CHECK_STATUS(moorline_socket_send(first, block, sizeof block, 0, &sent), MOORLINE_WOULD_BLOCK);
    CHECK_NUMBER(sent, 0);
    uint64_t begun = monotonic_ms();
    const uint64_t cpu = thread_cpu_ms();
    CHECK_STATUS(moorline_socket_send(first, block, sizeof block, 200, &sent), MOORLINE_TIMED_OUT);
    CHECK(monotonic_ms() - begun >= 200);
    CHECK(thread_cpu_ms() - cpu < 150);
    CHECK_NUMBER(sent, 0);

    /* A part goes while the call waits: the status is still TIMED_OUT, and the count is that of this call. */
    for (uint64_t drained = 0; drained < total;) {
        size_t received = 0;
        CHECK_OK(moorline_socket_receive(second, block, sizeof block, 0, &received));
        drained += received;
    }
    CHECK_STATUS(moorline_socket_send(first, block, sizeof block, 50, &sent), MOORLINE_TIMED_OUT);
    CHECK(sent > 0 && sent < sizeof block);
    total += sent;
    moorline_close_report report = close_report(first, 0, MOORLINE_OK);
    CHECK_NUMBER(report.sent, total);
    CHECK_NUMBER(report.unsent, 0);
    CHECK_NUMBER(receive_until_disconnected(second), sent);
    report = close_report(second, 0, MOORLINE_OK);
    CHECK_NUMBER(report.received, total);
    CHECK_NUMBER(report.sent, 0);
    destroy_pair(first, second);
}

static void test_bad_timeouts_and_buffers(void)
{
    moorline_socket *first = NULL;
    moorline_socket *second = NULL;
    size_t count = 77;
    uint32_t ready = 77;
    make_queued_pair(&first, &second, 0);
    CHECK_STATUS(moorline_socket_send(first, NULL, 1, 0, &count), MOORLINE_INVALID_ARGUMENT);
    CHECK_NUMBER(count, 0);
    count = 77;
    CHECK_STATUS(moorline_socket_receive(first, NULL, 1, 0, &count), MOORLINE_INVALID_ARGUMENT);
    CHECK_NUMBER(count, 0);
    CHECK_STATUS(moorline_socket_send(first, "x", SIZE_MAX, 0, &count), MOORLINE_INVALID_ARGUMENT);
    CHECK_STATUS(moorline_socket_wait(first, 0, 0, &ready), MOORLINE_INVALID_ARGUMENT);
    CHECK_NUMBER(ready, 0);
    CHECK_STATUS(moorline_socket_wait(first, 1U << 20, 0, &ready), MOORLINE_INVALID_ARGUMENT);
    CHECK_STATUS(moorline_socket_receive(first, block, 0, 0, &count), MOORLINE_INVALID_ARGUMENT); /* no byte has room */
    destroy_pair(first, second);
}

static void test_wait(void)
{
    moorline_socket *first = NULL;
    moorline_socket *second = NULL;
    size_t sent = 0;
    uint32_t ready = 77;
    make_queued_pair(&first, &second, 0);
    CHECK_STATUS(moorline_socket_wait(first, MOORLINE_READABLE, 0, &ready), MOORLINE_WOULD_BLOCK);
    CHECK_NUMBER(ready, 0);
    uint64_t begun = monotonic_ms();
    CHECK_STATUS(moorline_socket_wait(first, MOORLINE_READABLE, 50, &ready), MOORLINE_TIMED_OUT);
    CHECK(monotonic_ms() - begun >= 50);
    CHECK_OK(moorline_socket_wait(first, MOORLINE_READABLE | MOORLINE_WRITABLE, -1, &ready));
    CHECK_NUMBER(ready, MOORLINE_WRITABLE);
    CHECK_OK(moorline_socket_send(second, "x", 1, 0, &sent));
    CHECK_OK(moorline_socket_wait(first, MOORLINE_READABLE, -1, &ready));
    CHECK_NUMBER(ready, MOORLINE_READABLE);
    CHECK(fill(first) > 0);
    CHECK_STATUS(moorline_socket_wait(first, MOORLINE_WRITABLE, 0, &ready), MOORLINE_WOULD_BLOCK);
    destroy_pair(first, second);
}

/* --- several threads at one socket --- */

enum { SENDERS = 8, BLOCKS = 6, BLOCK = 300000 };

struct sender {
    moorline_socket *socket;
    char tag;
};

static void send_tagged_blocks(void *context)
{
    const struct sender *sender = context;
    char *tagged = malloc(BLOCK);
    CHECK(tagged != NULL);
    memset(tagged, sender->tag, BLOCK);
    for (int i = 0; i < BLOCKS; ++i) {
        size_t sent = 0;
        CHECK_OK(moorline_socket_send(sender->socket, tagged, BLOCK, -1, &sent));
        CHECK_NUMBER(sent, BLOCK);
    }
    free(tagged);
}

/* Larger than the kernel's buffer, so that each call waits in its middle while the others want to go. */
static void expect_whole_blocks(size_t queue)
{
    moorline_socket *first = NULL;
    moorline_socket *second = NULL;
    struct worker workers[SENDERS];
    struct sender senders[SENDERS];
    make_queued_pair(&first, &second, queue);
    for (int i = 0; i < SENDERS; ++i) {
        senders[i] = (struct sender){first, (char)('a' + i)};
        worker_start(&workers[i], send_tagged_blocks, &senders[i]);
    }
    /* A queue needs somebody who moves it on when no send does. */
    struct {
        char tag;
        size_t length;
    } run = {0, 0};
    int seen[SENDERS] = {0};
    for (size_t total = 0; total < (size_t)SENDERS * BLOCKS * BLOCK;) {
        char buffer[4096]; /* a slow reader */
        size_t received = 0;
        moorline_status status = moorline_socket_receive(second, buffer, sizeof buffer, queue == 0 ? -1 : 1, &received);
        if (status == MOORLINE_TIMED_OUT) {
            CHECK(queue > 0);
            status = moorline_socket_flush(first, 1);
            CHECK(status == MOORLINE_OK || status == MOORLINE_TIMED_OUT);
            continue;
        }
        CHECK_OK(status);
        total += received;
        for (size_t i = 0; i < received; ++i) {
            if (run.length == 0) {
                run.tag = buffer[i];
                CHECK(run.tag >= 'a' && run.tag < 'a' + SENDERS);
                ++seen[run.tag - 'a'];
            }
            CHECK_NUMBER(buffer[i], run.tag);
            run.length = (run.length + 1) % BLOCK;
        }
    }
    for (int i = 0; i < SENDERS; ++i) {
        worker_join(&workers[i]);
        CHECK_NUMBER(seen[i], BLOCKS);
    }
    destroy_pair(first, second);
}

static void test_sends_do_not_interleave(void)
{
    expect_whole_blocks(0);
}

static void test_queued_sends_do_not_interleave(void)
{
    expect_whole_blocks(MIB);
}

struct long_send {
    moorline_socket *socket;
    moorline_status status;
    size_t sent;
};

static void send_all(void *context)
{
    struct long_send *send = context;
    send->status = moorline_socket_send(send->socket, block, sizeof block, -1, &send->sent);
}

/* Behind a send that waits in its middle, the next keeps to its own deadline. */
static void test_a_send_behind_a_waiting_send(void)
{
    moorline_socket *first = NULL;
    moorline_socket *second = NULL;
    make_queued_pair(&first, &second, 0);
    struct long_send send = {.socket = first};
    struct worker sender;
    size_t sent = 77;
    worker_start(&sender, send_all, &send);
    worker_wait_until_blocked(&sender);
    CHECK_STATUS(moorline_socket_send(first, "x", 1, 0, &sent), MOORLINE_WOULD_BLOCK);
    CHECK_NUMBER(sent, 0);
    uint64_t begun = monotonic_ms();
    CHECK_STATUS(moorline_socket_send(first, "x", 1, 100, &sent), MOORLINE_TIMED_OUT);
    CHECK(monotonic_ms() - begun >= 100);
    CHECK_NUMBER(sent, 0);

    /* Receiving on the same socket is not held up by any of this. */
    char byte = 0;
    size_t received = 0;
    CHECK_OK(moorline_socket_send(second, "y", 1, 0, &sent));
    CHECK_OK(moorline_socket_receive(first, &byte, 1, 0, &received));
    CHECK_NUMBER(byte, 'y');

    /* The call that is interrupted says itself how much went; nothing was accepted for later. */
    moorline_close_report report = close_report(first, 0, MOORLINE_OK);
    worker_join(&sender);
    CHECK_STATUS(send.status, MOORLINE_CLOSED);
    CHECK(send.sent > 0);
    CHECK_NUMBER(report.sent, send.sent);
    CHECK_NUMBER(report.unsent, 0);
    CHECK_NUMBER(report.received, 1);
    CHECK_NUMBER(receive_until_disconnected(second), send.sent);
    destroy_pair(first, second);
}

static void test_a_closed_socket(void)
{
    moorline_socket *first = NULL;
    moorline_socket *second = NULL;
    size_t count = 77;
    uint32_t ready = 77;
    intptr_t descriptor = 77;
    char byte;
    make_queued_pair(&first, &second, 0);
    CHECK_OK(moorline_socket_send(second, "abc", 3, 0, &count));
    receive_exactly(first, &byte, 1);
    moorline_close_report report = close_report(first, 0, MOORLINE_OK);
    CHECK_NUMBER(report.received, 1);
    CHECK_STATUS(moorline_socket_receive(first, &byte, 1, -1, &count), MOORLINE_CLOSED);
    CHECK_NUMBER(count, 0);
    CHECK_STATUS(moorline_socket_send(first, "x", 1, -1, &count), MOORLINE_CLOSED);
    CHECK_STATUS(moorline_socket_wait(first, MOORLINE_READABLE, -1, &ready), MOORLINE_CLOSED);
    CHECK_STATUS(moorline_socket_flush(first, -1), MOORLINE_CLOSED);
    CHECK_STATUS(moorline_socket_descriptor(first, &descriptor), MOORLINE_CLOSED);
    destroy_pair(first, second);
}

/* --- descriptors --- */

static void test_adopt_and_release(void)
{
    int pair[2];
    CHECK_SYSTEM(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    moorline_socket *socket = NULL;
    size_t count = 0;
    char buffer[8] = "";
    CHECK_OK(moorline_socket_adopt_descriptor(pair[0], NULL, &socket));
    raw_write_all(pair[1], "in", 2);
    receive_exactly(socket, buffer, 2);
    CHECK_TEXT(buffer, "in");
    CHECK_STATUS(moorline_socket_receive(socket, buffer, 1, 0, &count), MOORLINE_WOULD_BLOCK); /* adopted ones do not block */
    CHECK_OK(moorline_socket_send(socket, "out", 3, -1, &count));
    CHECK_NUMBER(raw_read_all(pair[1], buffer, 3), 3);

    intptr_t borrowed = -1;
    intptr_t released = -1;
    CHECK_OK(moorline_socket_descriptor(socket, &borrowed));
    CHECK(CHECK_SYSTEM(fcntl((int)borrowed, F_GETFD)) & FD_CLOEXEC);
    CHECK_OK(moorline_socket_release_descriptor(socket, &released));
    CHECK(CHECK_SYSTEM(fcntl((int)released, F_GETFD)) & FD_CLOEXEC);
    CHECK_STATUS(moorline_socket_destroy(socket), MOORLINE_STALE_HANDLE);
    raw_write_all((int)released, "raw", 3);
    CHECK_NUMBER(raw_read_all(pair[1], buffer, 3), 3);
    CHECK_SYSTEM(close((int)released));
    CHECK_NUMBER(raw_read_all(pair[1], buffer, 1), 0); /* that was the only one */
    CHECK_SYSTEM(close(pair[1]));
}

/* What is on its way must not be cut in two, or lost. */
static void test_release_of_a_busy_socket(void)
{
    moorline_socket *first = NULL;
    moorline_socket *second = NULL;
    intptr_t descriptor = 77;
    make_queued_pair(&first, &second, MIB);
    size_t queued = fill(first);
    CHECK_STATUS(moorline_socket_release_descriptor(first, &descriptor), MOORLINE_INVALID_STATE);
    CHECK(descriptor <= 0);
    moorline_close_report report = close_report(first, 0, MOORLINE_WOULD_BLOCK); /* alive and well, with all its queue */
    CHECK_NUMBER(report.sent + report.unsent, queued);
    destroy_pair(first, second);

    make_queued_pair(&first, &second, 0);
    struct long_send send = {.socket = first};
    struct worker sender;
    worker_start(&sender, send_all, &send);
    worker_wait_until_blocked(&sender);
    CHECK_STATUS(moorline_socket_release_descriptor(first, &descriptor), MOORLINE_INVALID_STATE);
    destroy_pair(first, second);
    worker_join(&sender);
}

static void expect_not_adopted(int descriptor)
{
    moorline_socket *socket = (moorline_socket *)&descriptor;
    CHECK_STATUS(moorline_socket_adopt_descriptor(descriptor, NULL, &socket), MOORLINE_INVALID_ARGUMENT);
    CHECK_POINTER(socket, NULL);
    if (descriptor >= 0) {
        CHECK_SYSTEM(close(descriptor)); /* still the caller's */
    }
}

static void test_what_cannot_be_adopted(void)
{
    expect_not_adopted(-1);
    expect_not_adopted(CHECK_SYSTEM(open("/dev/null", O_RDWR | O_CLOEXEC)));
    expect_not_adopted(CHECK_SYSTEM(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)));
    expect_not_adopted(CHECK_SYSTEM(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)));
    struct path file = in_test_directory("name");
    expect_not_adopted(raw_listen(file.text));
    CHECK_SYSTEM(unlink(file.text));
}

static void test_a_call_that_may_not_wait_makes_nothing_to_wait_with(void)
{
    moorline_server *server = listening("io");
    moorline_socket *first = NULL;
    moorline_socket *second = NULL;
    moorline_socket *accepted = NULL;
    CHECK_OK(moorline_socket_pair(NULL, &first, &second));
    fill(first);
    int before = open_descriptors();
    char byte = 'x';
    size_t count = 0;
    CHECK_STATUS(moorline_socket_receive(first, &byte, 1, 0, &count), MOORLINE_WOULD_BLOCK);
    CHECK_STATUS(moorline_socket_send(first, &byte, 1, 0, &count), MOORLINE_WOULD_BLOCK);
    CHECK_STATUS(moorline_server_accept(server, 0, &accepted), MOORLINE_WOULD_BLOCK);
    CHECK_NUMBER(open_descriptors(), before);
    CHECK_OK(moorline_socket_destroy(first));
    CHECK_OK(moorline_socket_destroy(second));
    CHECK_OK(moorline_server_destroy(server));
}

int main(void)
{
    RUN(test_send_and_receive);
    RUN(test_partial_sends_say_how_much);
    RUN(test_bad_timeouts_and_buffers);
    RUN(test_wait);
    RUN(test_sends_do_not_interleave);
    RUN(test_queued_sends_do_not_interleave);
    RUN(test_a_send_behind_a_waiting_send);
    RUN(test_a_closed_socket);
    RUN(test_adopt_and_release);
    RUN(test_release_of_a_busy_socket);
    RUN(test_what_cannot_be_adopted);
    RUN(test_a_call_that_may_not_wait_makes_nothing_to_wait_with);
    return 0;
}

/* The exchange: it counts what it verified, and finds out every server that does not echo. */
#include "support.h"

static moorline_service *echo;

static void start(const moorline_service_callbacks *callbacks)
{
    CHECK_OK(moorline_service_create(NULL, callbacks, &echo));
    CHECK_OK(moorline_service_start(echo, "name"));
}

static void stop(void)
{
    CHECK_OK(moorline_service_destroy(echo));
}

static moorline_exchange_options options_of(uint32_t connections, size_t chunk, uint64_t round_trips)
{
    return (moorline_exchange_options){
        .struct_size = sizeof(moorline_exchange_options), .connections = connections, .chunk = chunk, .round_trips = round_trips};
}

static moorline_exchange_report run(const moorline_exchange_options *options, int64_t timeout_ms, moorline_status expected)
{
    moorline_exchange_report report = {
        .struct_size = sizeof report, .round_trips = 77, .bytes_sent = 77, .bytes_received = 77, .duration_ns = 77};
    CHECK_STATUS(moorline_exchange_run("name", options, timeout_ms, &report), expected);
    return report;
}

static void test_what_it_counts(void)
{
    static const struct {
        uint32_t connections;
        size_t chunk;
        uint64_t round_trips;
    } cases[] = {{1, 1, 1},     {1, 1, 1000},   {10, 1, 1000},  {100, 1, 1000}, {7, 1, 100}, /* that do not divide evenly */
                 {5, 100, 500}, {5, 1000, 500}, {5, 10000, 50}, {3, 100000, 9}, {1, 1000000, 3}, {100, 1, 10}};
    start(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
        moorline_exchange_options options = options_of(cases[i].connections, cases[i].chunk, cases[i].round_trips);
        moorline_exchange_report report = run(&options, -1, MOORLINE_OK);
        CHECK_NUMBER(report.round_trips, cases[i].round_trips);
        CHECK_NUMBER(report.bytes_sent, cases[i].round_trips * cases[i].chunk);
        CHECK_NUMBER(report.bytes_received, cases[i].round_trips * cases[i].chunk);
        CHECK(report.duration_ns > 0);
    }
    stop();
}

static void test_defaults(void)
{
    start(NULL);
    moorline_exchange_report report = run(NULL, -1, MOORLINE_OK);
    CHECK_NUMBER(report.round_trips, 1);
    CHECK_NUMBER(report.bytes_received, 1);
    moorline_exchange_options options = options_of(12, 0, 0); /* one each */
    report = run(&options, -1, MOORLINE_OK);
    CHECK_NUMBER(report.round_trips, 12);
    CHECK_NUMBER(report.bytes_received, 12);
    stop();
}

static atomic_uint flipped;

/* Echoes, but for one byte: the 5000th of all. */
static void flip_one(void *context, moorline_connection *connection, const void *data, size_t length)
{
    atomic_size_t *seen = context;
    size_t before = atomic_fetch_add(seen, length);
    size_t sent = 0;
    char *copy = malloc(length);
    CHECK(copy != NULL);
    memcpy(copy, data, length);
    if (before <= 5000 && 5000 < before + length) {
        copy[5000 - before] = (char)(copy[5000 - before] ^ 1);
        atomic_fetch_add(&flipped, 1);
    }
    (void)!moorline_connection_send(connection, copy, length, 0, &sent); /* the exchange may have left already */
    free(copy);
}

static void test_one_wrong_byte_is_found(void)
{
    static const struct {
        uint32_t connections;
        size_t chunk;
    } cases[] = {{1, 1}, {10, 1}, {1, 1000}, {5, 1000}, {1, 100000}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
        atomic_size_t seen = 0;
        atomic_store(&flipped, 0);
        moorline_service_callbacks callbacks = {.struct_size = sizeof callbacks, .context = &seen, .received = flip_one};
        start(&callbacks);
        moorline_exchange_options options = options_of(cases[i].connections, cases[i].chunk, 20000);
        (void)run(&options, -1, MOORLINE_MISMATCH);
        CHECK_NUMBER(atomic_load(&flipped), 1);
        CHECK_CONTAINS(last_error().text, "connection");
        CHECK_CONTAINS(last_error().text, cases[i].connections == 1 ? "5000" : "byte");
        stop();
    }
}

/* Sends more than was asked. */
static void stutter(void *context, moorline_connection *connection, const void *data, size_t length)
{
    size_t sent = 0;
    (void)context;
    (void)!moorline_connection_send(connection, data, length, 0, &sent);
    (void)!moorline_connection_send(connection, data, length, 0, &sent);
}

static void test_too_many_bytes_are_found(void)
{
    moorline_service_callbacks callbacks = {.struct_size = sizeof callbacks, .received = stutter};
    start(&callbacks);
    moorline_exchange_options options = options_of(1, 100, 100);
    (void)run(&options, -1, MOORLINE_MISMATCH);
    stop();
}

/* What waits for another connection's bytes, to be sent back in the place of them. */
struct waiting {
    pthread_mutex_t lock;
    moorline_connection *connection;
    size_t length;
    char data[1000];
};

static void swap(void *context, moorline_connection *connection, const void *data, size_t length)
{
    struct waiting *waiting = context;
    size_t sent = 0;
    CHECK(length <= sizeof waiting->data);
    CHECK_NUMBER(pthread_mutex_lock(&waiting->lock), 0);
    if (waiting->connection == NULL) {
        waiting->connection = connection;
        waiting->length = length;
        memcpy(waiting->data, data, length);
    } else {
        /* The exchange ends with the first that it sees. */
        (void)!moorline_connection_send(waiting->connection, data, length, 0, &sent);
        (void)!moorline_connection_send(connection, waiting->data, waiting->length, 0, &sent);
        waiting->connection = NULL;
    }
    CHECK_NUMBER(pthread_mutex_unlock(&waiting->lock), 0);
}

static void test_bytes_of_another_connection_are_found(void)
{
    struct waiting waiting = {.lock = PTHREAD_MUTEX_INITIALIZER};
    moorline_service_callbacks callbacks = {.struct_size = sizeof callbacks, .context = &waiting, .received = swap};
    start(&callbacks);
    moorline_exchange_options options = options_of(2, sizeof waiting.data, 2);
    moorline_exchange_report report = run(&options, -1, MOORLINE_MISMATCH);
    CHECK_NUMBER(report.round_trips, 0);
    CHECK_NUMBER(report.bytes_received, 0);
    CHECK_CONTAINS(last_error().text, "byte");
    stop();
}

static void hang_up(void *context, moorline_connection *connection, const void *data, size_t length)
{
    (void)context;
    (void)data;
    (void)length;
    (void)!moorline_connection_abort(connection);
}

static void test_a_server_that_hangs_up(void)
{
    moorline_service_callbacks callbacks = {.struct_size = sizeof callbacks, .received = hang_up};
    start(&callbacks);
    moorline_exchange_options options = options_of(3, 10, 30);
    (void)run(&options, -1, MOORLINE_DISCONNECTED);
    stop();
}

struct half {
    moorline_server *server;
    moorline_socket *accepted;
    char first;
};

/* Once the exchange is connected, half of the answer and the end are there before it has sent anything. */
static int32_t answer_half(void *context, uint64_t done, uint64_t total)
{
    struct half *half = context;
    size_t sent = 0;
    (void)done;
    (void)total;
    if (half->accepted == NULL && moorline_server_accept(half->server, 0, &half->accepted) == MOORLINE_OK) {
        CHECK_OK(moorline_socket_send(half->accepted, &half->first, 1, -1, &sent));
        CHECK_OK(moorline_socket_shutdown(half->accepted, MOORLINE_WRITABLE, -1));
    }
    return 1;
}

static void keep_first(void *context, moorline_connection *connection, const void *data, size_t length)
{
    char *first = context;
    CHECK(length > 0);
    *first = *(const char *)data;
    (void)!moorline_connection_abort(connection);
}

/* The system tells of the last bytes and of the end at once, and of neither again. */
static void test_an_end_that_comes_with_bytes(void)
{
    struct half half = {.server = NULL};
    moorline_service_callbacks callbacks = {.struct_size = sizeof callbacks, .context = &half.first, .received = keep_first};
    moorline_exchange_options options = options_of(1, 2, 1);
    start(&callbacks);
    (void)run(&options, -1, MOORLINE_DISCONNECTED);
    stop();

    half.server = listening("name");
    options.progress = answer_half;
    options.context = &half;
    moorline_exchange_report report = run(&options, -1, MOORLINE_DISCONNECTED);
    CHECK_NUMBER(report.bytes_sent, 2);
    CHECK_NUMBER(report.bytes_received, 1);
    CHECK_OK(moorline_socket_destroy(half.accepted));
    CHECK_OK(moorline_server_destroy(half.server));
}

static void test_no_server(void)
{
    moorline_exchange_report report = run(NULL, -1, MOORLINE_NOT_FOUND);
    CHECK_NUMBER(report.round_trips, 0);
    CHECK_NUMBER(report.bytes_sent, 0);
    CHECK_NUMBER(report.bytes_received, 0);
    CHECK_NUMBER(report.duration_ns, 0);
    CHECK_CONTAINS(last_error().text, in_test_directory("name").text);
}

static void test_busy_polling(void)
{
    moorline_service_options service_options = {.struct_size = sizeof service_options, .busy_poll_us = 50, .workers = 2};
    moorline_exchange_options options = options_of(10, 100, 2000);
    options.busy_poll_us = 50;
    CHECK_OK(moorline_service_create(&service_options, NULL, &echo));
    CHECK_OK(moorline_service_start(echo, "name"));
    moorline_exchange_report report = run(&options, -1, MOORLINE_OK);
    CHECK_NUMBER(report.round_trips, 2000);
    CHECK_NUMBER(report.bytes_received, 200000);
    stop();
}

/* Swallows all and never answers. */
static void test_the_deadline(void)
{
    moorline_service_callbacks callbacks = {.struct_size = sizeof callbacks};
    start(&callbacks);
    moorline_exchange_options options = options_of(4, 10, 100);
    uint64_t begun = monotonic_ms();
    (void)run(&options, 100, MOORLINE_TIMED_OUT);
    CHECK(monotonic_ms() - begun >= 100);
    stop();
}

static void answer_late(void *context, moorline_connection *connection, const void *data, size_t length)
{
    size_t sent = 0;
    (void)context;
    let_time_pass_ms(50);
    CHECK_OK(moorline_connection_send(connection, data, length, 0, &sent));
}

static void test_how_long_it_took(void)
{
    moorline_service_callbacks callbacks = {.struct_size = sizeof callbacks, .received = answer_late};
    start(&callbacks);
    moorline_exchange_options options = options_of(1, 1, 3);
    uint64_t begun = monotonic_ms();
    moorline_exchange_report report = run(&options, -1, MOORLINE_OK);
    CHECK(report.duration_ns >= UINT64_C(150) * 1000000);
    CHECK(report.duration_ns <= (monotonic_ms() - begun + 1) * 1000000);
    stop();
}

struct watching {
    uint64_t calls;
    uint64_t last;
    uint64_t total;
    uint64_t stop_after;
};

static int32_t watch(void *context, uint64_t done, uint64_t total)
{
    struct watching *watching = context;
    CHECK(done >= watching->last && done <= total);
    watching->last = done;
    watching->total = total;
    return ++watching->calls < watching->stop_after;
}

static void test_progress(void)
{
    struct watching watching = {.stop_after = UINT64_MAX};
    moorline_exchange_options options = options_of(10, 1, 50000);
    options.progress = watch;
    options.context = &watching;
    start(NULL);
    (void)run(&options, -1, MOORLINE_OK);
    CHECK(watching.calls >= 1);
    CHECK_NUMBER(watching.total, 50000);
    CHECK_NUMBER(watching.last, 50000); /* the end is told too */
    stop();
}

/* About ten times a second, also while nothing comes back; and no oftener while much does. The first two are at the start. */
static void test_how_often_progress_is_told(void)
{
    moorline_service_callbacks silent = {.struct_size = sizeof silent};
    const moorline_service_callbacks *services[] = {NULL, &silent};
    for (size_t i = 0; i < 2; ++i) {
        struct watching watching = {.stop_after = 5};
        moorline_exchange_options options = options_of(1, 1, UINT64_MAX);
        options.progress = watch;
        options.context = &watching;
        start(services[i]);
        uint64_t begun = monotonic_ms();
        (void)run(&options, -1, MOORLINE_CANCELLED);
        CHECK(monotonic_ms() - begun >= 300);
        stop();
    }
}

static void test_cancel(void)
{
    /* The silent server makes sure that only the cancellation can end it. */
    moorline_service_callbacks callbacks = {.struct_size = sizeof callbacks};
    struct watching watching = {.stop_after = 2};
    moorline_exchange_options options = options_of(10, 1, 1000);
    options.progress = watch;
    options.context = &watching;
    start(&callbacks);
    (void)run(&options, -1, MOORLINE_CANCELLED);
    CHECK_NUMBER(watching.calls, 2); /* not asked again */
    stop();
}

int main(void)
{
    RUN(test_what_it_counts);
    RUN(test_defaults);
    RUN(test_one_wrong_byte_is_found);
    RUN(test_too_many_bytes_are_found);
    RUN(test_bytes_of_another_connection_are_found);
    RUN(test_a_server_that_hangs_up);
    RUN(test_an_end_that_comes_with_bytes);
    RUN(test_no_server);
    RUN(test_busy_polling);
    RUN(test_the_deadline);
    RUN(test_how_long_it_took);
    RUN(test_progress);
    RUN(test_how_often_progress_is_told);
    RUN(test_cancel);
    return 0;
}

/* Closing or destroying a handle wakes every call that is blocked on it, in less than 100 ms, with CLOSED. */
#include "support.h"

/* The machine may be busy with other things: the best of a few tries counts. */
enum { TRIES = 5, PATIENCE_MS = 100, QUEUE = 1 << 20 };

struct scene {
    moorline_server *server;
    moorline_socket *socket;
    moorline_socket *peer;
    moorline_poller *poller;
    moorline_service *service;
    _Atomic(moorline_connection *) connection;
    moorline_status status;
    uint64_t ended_ms;
};

static void ended(struct scene *scene, moorline_status status)
{
    scene->ended_ms = monotonic_ms();
    scene->status = status;
}

/* --- what blocks --- */

static void accept_one(void *context)
{
    struct scene *scene = context;
    moorline_socket *socket = NULL;
    ended(scene, moorline_server_accept(scene->server, -1, &socket));
    CHECK_POINTER(socket, NULL);
}

static void receive_some(void *context)
{
    struct scene *scene = context;
    char buffer[8];
    size_t received = 77;
    ended(scene, moorline_socket_receive(scene->socket, buffer, sizeof buffer, -1, &received));
    CHECK_NUMBER(received, 0);
}

static void send_one(void *context)
{
    struct scene *scene = context;
    size_t sent = 77;
    ended(scene, moorline_socket_send(scene->socket, "x", 1, -1, &sent));
    CHECK_NUMBER(sent, 0);
}

static void wait_for_readable(void *context)
{
    struct scene *scene = context;
    uint32_t ready = 77;
    ended(scene, moorline_socket_wait(scene->socket, MOORLINE_READABLE, -1, &ready));
    CHECK_NUMBER(ready, 0);
}

static void flush_queue(void *context)
{
    struct scene *scene = context;
    ended(scene, moorline_socket_flush(scene->socket, -1));
}

static void close_with_queue(void *context)
{
    struct scene *scene = context;
    moorline_close_report report = MOORLINE_CLOSE_REPORT_INIT;
    ended(scene, moorline_socket_close(scene->socket, -1, &report));
    CHECK(report.unsent > 0); /* what the destroy gave up is told */
}

static void wait_for_events(void *context)
{
    struct scene *scene = context;
    moorline_event events[4];
    size_t count = 77;
    ended(scene, moorline_poller_wait(scene->poller, events, 4, -1, &count));
    CHECK_NUMBER(count, 0);
}

static void connection_send_one(void *context)
{
    struct scene *scene = context;
    size_t sent = 77;
    ended(scene, moorline_connection_send(atomic_load(&scene->connection), "x", 1, -1, &sent));
    CHECK_NUMBER(sent, 0);
}

static void stop_with_queue(void *context)
{
    struct scene *scene = context;
    ended(scene, moorline_service_stop(scene->service, -1, NULL));
}

/* --- what wakes --- */

static void server_close(struct scene *scene)
{
    CHECK_OK(moorline_server_close(scene->server));
}

static void server_destroy(struct scene *scene)
{
    CHECK_OK(moorline_server_destroy(scene->server));
    scene->server = NULL;
}

static void socket_close(struct scene *scene)
{
    moorline_status status = moorline_socket_close(scene->socket, 0, NULL);
    CHECK(status == MOORLINE_OK || status == MOORLINE_WOULD_BLOCK); /* the latter when something is queued */
}

/* With something to flush, this takes its time; but who sends is not to wait for that. */
static void socket_close_slowly(struct scene *scene)
{
    CHECK_STATUS(moorline_socket_close(scene->socket, 500, NULL), MOORLINE_TIMED_OUT);
}

static void socket_destroy(struct scene *scene)
{
    CHECK_OK(moorline_socket_destroy(scene->socket));
    scene->socket = NULL;
}

static void poller_close(struct scene *scene)
{
    CHECK_OK(moorline_poller_close(scene->poller));
}

static void poller_destroy(struct scene *scene)
{
    CHECK_OK(moorline_poller_destroy(scene->poller));
    scene->poller = NULL;
}

static void connection_close(struct scene *scene)
{
    CHECK_OK(moorline_connection_close(atomic_load(&scene->connection)));
}

static void connection_abort(struct scene *scene)
{
    CHECK_OK(moorline_connection_abort(atomic_load(&scene->connection)));
}

static void service_stop(struct scene *scene)
{
    moorline_status status = moorline_service_stop(scene->service, 0, NULL);
    CHECK(status == MOORLINE_OK || status == MOORLINE_WOULD_BLOCK);
}

static void service_destroy(struct scene *scene)
{
    CHECK_OK(moorline_service_destroy(scene->service));
    scene->service = NULL;
}

/* --- scenes --- */

static void make_server(struct scene *scene)
{
    scene->server = listening("name");
}

static void make_pair(struct scene *scene)
{
    CHECK_OK(moorline_socket_pair(NULL, &scene->socket, &scene->peer));
}

static void make_full_pair(struct scene *scene)
{
    make_pair(scene);
    CHECK(fill(scene->socket) > 0);
}

static void make_pair_with_queue(struct scene *scene)
{
    moorline_socket_options options = {.struct_size = sizeof options, .send_queue_limit = QUEUE};
    CHECK_OK(moorline_socket_pair(&options, &scene->socket, &scene->peer));
    CHECK(fill(scene->socket) > QUEUE);
}

static void make_poller(struct scene *scene)
{
    make_pair(scene);
    CHECK_OK(moorline_poller_create(NULL, &scene->poller));
    CHECK_OK(moorline_poller_add_socket(scene->poller, scene->socket, MOORLINE_READABLE, 1));
}

static void remember_connection(void *context, moorline_connection *connection)
{
    struct scene *scene = context;
    atomic_store(&scene->connection, connection);
}

static void make_full_service(struct scene *scene)
{
    moorline_service_options options = {.struct_size = sizeof options, .queue_limit = 65536};
    moorline_service_callbacks callbacks = {.struct_size = sizeof callbacks, .context = scene, .connected = remember_connection};
    CHECK_OK(moorline_service_create(&options, &callbacks, &scene->service));
    CHECK_OK(moorline_service_start(scene->service, "name"));
    scene->peer = connected("name"); /* and never reads */
    while (atomic_load(&scene->connection) == NULL) {
        let_time_pass_ms(1);
    }
    /* Full when nothing more is taken for a while: the kernel's buffer and the queue behind it. */
    static const char block[4096];
    for (size_t length = sizeof block; length > 0; length = length > 1 ? 1 : 0) {
        for (moorline_status status = MOORLINE_OK; status != MOORLINE_TIMED_OUT;) {
            size_t sent = 0;
            status = moorline_connection_send(atomic_load(&scene->connection), block, length, 100, &sent);
        }
    }
}

static void destroy_scene(struct scene *scene)
{
    if (scene->server != NULL) {
        CHECK_OK(moorline_server_destroy(scene->server));
    }
    if (scene->poller != NULL) {
        CHECK_OK(moorline_poller_destroy(scene->poller));
    }
    if (scene->socket != NULL) {
        CHECK_OK(moorline_socket_destroy(scene->socket));
    }
    if (scene->service != NULL) {
        CHECK_OK(moorline_service_destroy(scene->service));
    }
    if (scene->peer != NULL) {
        CHECK_OK(moorline_socket_destroy(scene->peer));
    }
}

static void expect_woken(const char *what, void (*make)(struct scene *), void (*block)(void *), void (*wake)(struct scene *))
{
    uint64_t best = UINT64_MAX;
    for (int try = 0; try < TRIES && best >= PATIENCE_MS; ++try) {
        struct scene scene = {0};
        struct worker blocked;
        make(&scene);
        worker_start(&blocked, block, &scene);
        worker_wait_until_blocked(&blocked);
        uint64_t begun = monotonic_ms();
        wake(&scene);
        worker_join(&blocked);
        CHECK_STATUS(scene.status, MOORLINE_CLOSED);
        uint64_t taken = scene.ended_ms > begun ? scene.ended_ms - begun : 0;
        best = taken < best ? taken : best;
        destroy_scene(&scene);
    }
    fprintf(stderr, "    %s: %llu ms\n", what, (unsigned long long)best);
    CHECK(best < PATIENCE_MS);
}

#define EXPECT_WOKEN(make, block, wake) expect_woken(#block " by " #wake, make, block, wake)

static void test_servers(void)
{
    EXPECT_WOKEN(make_server, accept_one, server_close);
    EXPECT_WOKEN(make_server, accept_one, server_destroy);
}

static void test_sockets(void)
{
    EXPECT_WOKEN(make_pair, receive_some, socket_close);
    EXPECT_WOKEN(make_pair, receive_some, socket_destroy);
    EXPECT_WOKEN(make_pair, wait_for_readable, socket_close);
    EXPECT_WOKEN(make_pair, wait_for_readable, socket_destroy);
    EXPECT_WOKEN(make_full_pair, send_one, socket_close);
    EXPECT_WOKEN(make_full_pair, send_one, socket_destroy);
}

static void test_queues(void)
{
    EXPECT_WOKEN(make_pair_with_queue, send_one, socket_close);
    EXPECT_WOKEN(make_pair_with_queue, send_one, socket_close_slowly);
    EXPECT_WOKEN(make_pair_with_queue, send_one, socket_destroy);
    EXPECT_WOKEN(make_pair_with_queue, flush_queue, socket_close);
    EXPECT_WOKEN(make_pair_with_queue, flush_queue, socket_close_slowly);
    EXPECT_WOKEN(make_pair_with_queue, flush_queue, socket_destroy);
    EXPECT_WOKEN(make_pair_with_queue, close_with_queue, socket_destroy);
}

static void test_pollers(void)
{
    EXPECT_WOKEN(make_poller, wait_for_events, poller_close);
    EXPECT_WOKEN(make_poller, wait_for_events, poller_destroy);
}

static void test_connections(void)
{
    EXPECT_WOKEN(make_full_service, connection_send_one, connection_close);
    EXPECT_WOKEN(make_full_service, connection_send_one, connection_abort);
    EXPECT_WOKEN(make_full_service, connection_send_one, service_stop);
    EXPECT_WOKEN(make_full_service, connection_send_one, service_destroy);
}

static void test_services(void)
{
    EXPECT_WOKEN(make_full_service, stop_with_queue, service_destroy);
}

/* A callback that waits in a send for ever, with a client that never reads, does not keep the service from ending. */
static atomic_bool inside;

static void send_for_ever(void *context, moorline_connection *connection)
{
    static const char block[1 << 22];
    struct scene *scene = context;
    size_t sent = 0;
    atomic_store(&inside, true);
    ended(scene, moorline_connection_send(connection, block, sizeof block, -1, &sent));
}

static void expect_callback_woken(const char *what, void (*wake)(struct scene *))
{
    struct scene scene = {0};
    moorline_service_callbacks callbacks = {.struct_size = sizeof callbacks, .context = &scene, .connected = send_for_ever};
    fprintf(stderr, "    %s\n", what);
    atomic_store(&inside, false);
    CHECK_OK(moorline_service_create(NULL, &callbacks, &scene.service));
    CHECK_OK(moorline_service_start(scene.service, "name"));
    scene.peer = connected("name");
    while (!atomic_load(&inside)) {
        let_time_pass_ms(1);
    }
    wake(&scene);
    destroy_scene(&scene);
    CHECK_STATUS(scene.status, MOORLINE_CLOSED);
}

static void test_sends_in_callbacks(void)
{
    expect_callback_woken("by service_stop", service_stop);
    expect_callback_woken("by service_destroy", service_destroy);
}

/* All that are blocked, not only one. */
static void test_everybody_is_woken(void)
{
    enum { CROWD = 8 };
    struct scene scenes[CROWD] = {0};
    struct worker crowd[CROWD];
    make_pair(&scenes[0]);
    for (int i = 0; i < CROWD; ++i) {
        scenes[i].socket = scenes[0].socket;
        worker_start(&crowd[i], i % 2 == 0 ? receive_some : wait_for_readable, &scenes[i]);
    }
    for (int i = 0; i < CROWD; ++i) {
        worker_wait_until_blocked(&crowd[i]);
    }
    CHECK_OK(moorline_socket_destroy(scenes[0].socket));
    for (int i = 0; i < CROWD; ++i) {
        worker_join(&crowd[i]);
        CHECK_STATUS(scenes[i].status, MOORLINE_CLOSED);
    }
    CHECK_OK(moorline_socket_destroy(scenes[0].peer));
}

int main(void)
{
    RUN(test_servers);
    RUN(test_sockets);
    RUN(test_queues);
    RUN(test_pollers);
    RUN(test_connections);
    RUN(test_services);
    RUN(test_sends_in_callbacks);
    RUN(test_everybody_is_woken);
    return 0;
}

/* Handles under repetition and under many threads: a value never comes back, one destroy wins, and a storm of calls on
   handles that others destroy ends with nothing left. */
#include "support.h"

static int compare(const void *left, const void *right)
{
    uintptr_t a = *(const uintptr_t *)left;
    uintptr_t b = *(const uintptr_t *)right;
    return (a > b) - (a < b);
}

/* The slot is used again and again; no value ever comes back. */
static void test_a_reused_slot_makes_a_new_handle(void)
{
    enum { ROUNDS = 100000 };
    uintptr_t *values = calloc(ROUNDS, sizeof *values);
    CHECK(values != NULL);
    for (int i = 0; i < ROUNDS; ++i) {
        moorline_server *server = NULL;
        CHECK_OK(moorline_server_create(NULL, &server));
        values[i] = (uintptr_t)server;
        if (i > 0) {
            CHECK_STATUS(moorline_server_close((moorline_server *)values[i - 1]), MOORLINE_STALE_HANDLE);
            CHECK_STATUS(moorline_server_close((moorline_server *)values[0]), MOORLINE_STALE_HANDLE);
        }
        CHECK_OK(moorline_server_destroy(server));
    }
    qsort(values, ROUNDS, sizeof *values, compare);
    for (int i = 1; i < ROUNDS; ++i) {
        CHECK(values[i - 1] != values[i]);
    }
    free(values);
}

/* --- many threads at one handle --- */

enum { CROWD = 8 };
static pthread_barrier_t barrier;
static _Atomic(moorline_socket *) contested;
static atomic_int winners;

static void destroy_contested(void *context)
{
    (void)context;
    for (int round = 0; round < 500; ++round) {
        pthread_barrier_wait(&barrier);
        moorline_status status = moorline_socket_destroy(atomic_load(&contested));
        if (status == MOORLINE_OK) {
            atomic_fetch_add(&winners, 1);
        } else {
            CHECK_STATUS(status, MOORLINE_STALE_HANDLE);
        }
        pthread_barrier_wait(&barrier);
    }
}

static void test_one_of_many_destroys_wins(void)
{
    struct worker crowd[CROWD];
    CHECK_NUMBER(pthread_barrier_init(&barrier, NULL, CROWD + 1), 0);
    for (int i = 0; i < CROWD; ++i) {
        worker_start(&crowd[i], destroy_contested, NULL);
    }
    for (int round = 0; round < 500; ++round) {
        moorline_socket *first = NULL;
        moorline_socket *second = NULL;
        CHECK_OK(moorline_socket_pair(NULL, &first, &second));
        atomic_store(&contested, first);
        atomic_store(&winners, 0);
        pthread_barrier_wait(&barrier);
        pthread_barrier_wait(&barrier);
        CHECK_NUMBER(atomic_load(&winners), 1);
        CHECK_OK(moorline_socket_destroy(second));
    }
    for (int i = 0; i < CROWD; ++i) {
        worker_join(&crowd[i]);
    }
    pthread_barrier_destroy(&barrier);
}

static _Atomic(moorline_socket *) shared[4];
static atomic_bool storm_over;

/* Uses whatever handles it finds, with others destroying them at any moment. */
static void use_shared(void *context)
{
    unsigned seed = (unsigned)(uintptr_t)context;
    char buffer[512] = {0};
    while (!atomic_load(&storm_over)) {
        moorline_socket *socket = atomic_load(&shared[(unsigned)rand_r(&seed) % 4]);
        size_t count = 0;
        uint32_t ready = 0;
        moorline_status status = MOORLINE_OK;
        switch (rand_r(&seed) % 5) {
        case 0: status = moorline_socket_send(socket, buffer, sizeof buffer, 1, &count); break;
        case 1: status = moorline_socket_receive(socket, buffer, sizeof buffer, 1, &count); break;
        case 2: status = moorline_socket_wait(socket, MOORLINE_READABLE | MOORLINE_WRITABLE, 1, &ready); break;
        case 3: status = moorline_socket_flush(socket, 1); break;
        default: status = moorline_socket_close(socket, 0, NULL); break;
        }
        if (status < MOORLINE_OK || status > MOORLINE_STALE_HANDLE) {
            fail("a contested socket answers %s", moorline_status_name(status));
        }
    }
}

static void test_a_storm_of_calls_and_destroys(void)
{
    struct worker crowd[CROWD];
    atomic_store(&storm_over, false);
    for (int i = 0; i < 4; i += 2) {
        moorline_socket *first = NULL;
        moorline_socket *second = NULL;
        CHECK_OK(moorline_socket_pair(NULL, &first, &second));
        atomic_store(&shared[i], first);
        atomic_store(&shared[i + 1], second);
    }
    for (int i = 0; i < CROWD; ++i) {
        worker_start(&crowd[i], use_shared, (void *)(uintptr_t)(i + 1));
    }
    for (int round = 0; round < 2000; ++round) {
        int i = round % 2 * 2;
        moorline_socket *first = NULL;
        moorline_socket *second = NULL;
        CHECK_OK(moorline_socket_pair(NULL, &first, &second));
        CHECK_OK(moorline_socket_destroy(atomic_exchange(&shared[i], first)));
        CHECK_OK(moorline_socket_destroy(atomic_exchange(&shared[i + 1], second)));
    }
    atomic_store(&storm_over, true);
    for (int i = 0; i < CROWD; ++i) {
        worker_join(&crowd[i]);
    }
    for (int i = 0; i < 4; ++i) {
        CHECK_OK(moorline_socket_destroy(atomic_load(&shared[i])));
    }
}

int main(void)
{
    RUN(test_a_reused_slot_makes_a_new_handle);
    RUN(test_one_of_many_destroys_wins);
    RUN(test_a_storm_of_calls_and_destroys);
    return 0;
}

/* When the system has no more: a full backlog and no descriptors left. Nothing spins, nothing leaks, all works again later. */
#include "support.h"

#include <fcntl.h>
#include <sys/resource.h>

enum { MANY = 64, LIMIT = 48 };

/* --- a full backlog --- */

struct crowded {
    moorline_server *server;
    moorline_socket *waiting[MANY];
    int count;
};

static void fill_backlog(struct crowded *crowded)
{
    moorline_server_options options = {.struct_size = sizeof options, .backlog = 2};
    CHECK_OK(moorline_server_create(&options, &crowded->server));
    CHECK_OK(moorline_server_listen(crowded->server, "name"));
    for (;;) {
        CHECK(crowded->count < MANY);
        moorline_status status = moorline_socket_connect("name", NULL, 0, &crowded->waiting[crowded->count]);
        if (status != MOORLINE_OK) {
            CHECK_STATUS(status, MOORLINE_WOULD_BLOCK);
            break;
        }
        ++crowded->count;
    }
    CHECK(crowded->count > 0);
}

static void destroy_crowd(struct crowded *crowded)
{
    for (int i = 0; i < crowded->count; ++i) {
        CHECK_OK(moorline_socket_destroy(crowded->waiting[i]));
    }
    CHECK_OK(moorline_server_destroy(crowded->server));
}

static void test_connect_to_a_full_backlog_ends_at_the_deadline(void)
{
    struct crowded crowded = {0};
    fill_backlog(&crowded);
    moorline_socket *socket = (moorline_socket *)&crowded;
    const uint64_t begun = monotonic_ms();
    const uint64_t cpu = thread_cpu_ms();
    CHECK_STATUS(moorline_socket_connect("name", NULL, 500, &socket), MOORLINE_TIMED_OUT);
    CHECK_POINTER(socket, NULL);
    CHECK(monotonic_ms() - begun >= 500);
    CHECK(thread_cpu_ms() - cpu < 250);
    CHECK_CONTAINS(last_error().text, in_test_directory("name").text);

    /* The failed attempts are not in the queue: as many can be accepted as were told OK. */
    for (int i = 0; i < crowded.count; ++i) {
        moorline_socket *accepted = NULL;
        CHECK_OK(moorline_server_accept(crowded.server, 0, &accepted));
        CHECK_OK(moorline_socket_destroy(accepted));
    }
    CHECK_STATUS(moorline_server_accept(crowded.server, 0, &socket), MOORLINE_WOULD_BLOCK);
    destroy_crowd(&crowded);
}

struct attempt {
    moorline_status status;
    moorline_socket *socket;
};

static void connect_for_ever(void *context)
{
    struct attempt *attempt = context;
    attempt->status = moorline_socket_connect("name", NULL, -1, &attempt->socket);
}

static void test_connect_to_a_full_backlog_goes_on_when_there_is_room(void)
{
    struct crowded crowded = {0};
    fill_backlog(&crowded);
    struct worker late;
    struct attempt attempt = {0};
    worker_start(&late, connect_for_ever, &attempt);
    worker_wait_until_blocked(&late);
    moorline_socket *accepted = NULL;
    CHECK_OK(moorline_server_accept(crowded.server, 0, &accepted));
    CHECK_OK(moorline_socket_destroy(accepted));
    worker_join(&late);
    CHECK_OK(attempt.status);
    CHECK_OK(moorline_socket_destroy(attempt.socket));
    destroy_crowd(&crowded);
}

static void test_connect_to_a_full_backlog_ends_when_the_server_goes(void)
{
    struct crowded crowded = {0};
    fill_backlog(&crowded);
    struct worker late;
    struct attempt attempt = {0};
    worker_start(&late, connect_for_ever, &attempt);
    worker_wait_until_blocked(&late);
    CHECK_OK(moorline_server_close(crowded.server));
    worker_join(&late);
    CHECK(attempt.status == MOORLINE_CONNECTION_REFUSED || attempt.status == MOORLINE_NOT_FOUND);
    CHECK_POINTER(attempt.socket, NULL);
    destroy_crowd(&crowded);
}

/* --- no descriptors left --- */

static rlim_t old_limit;
static int fillers[LIMIT];
static int filler_count;

/* Leaves `free_ones` descriptors. */
static void use_up_descriptors(int free_ones)
{
    struct rlimit limit;
    CHECK_SYSTEM(getrlimit(RLIMIT_NOFILE, &limit));
    old_limit = limit.rlim_cur;
    limit.rlim_cur = LIMIT;
    CHECK_SYSTEM(setrlimit(RLIMIT_NOFILE, &limit));
    for (filler_count = 0; filler_count < LIMIT; ++filler_count) {
        fillers[filler_count] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (fillers[filler_count] == -1) {
            CHECK_NUMBER(errno, EMFILE);
            break;
        }
    }
    while (free_ones-- > 0) {
        CHECK_SYSTEM(close(fillers[--filler_count]));
    }
}

static void free_descriptors(void)
{
    while (filler_count > 0) {
        CHECK_SYSTEM(close(fillers[--filler_count]));
    }
    struct rlimit limit;
    CHECK_SYSTEM(getrlimit(RLIMIT_NOFILE, &limit));
    limit.rlim_cur = old_limit;
    CHECK_SYSTEM(setrlimit(RLIMIT_NOFILE, &limit));
}

/* With room for one of two, and for none. */
static void test_receive_descriptors_without_descriptors(void)
{
    for (int left = 0; left < 2; ++left) {
        moorline_message_options messages = {
            .struct_size = sizeof messages, .framing = MOORLINE_FRAMING_BIG_ENDIAN, .max_descriptors = 2};
        moorline_socket_options options = {.struct_size = sizeof options, .messages = &messages};
        moorline_socket *near = NULL;
        moorline_socket *far = NULL;
        CHECK_OK(moorline_socket_pair(&options, &near, &far));
        const int sent[2] = {STDIN_FILENO, STDIN_FILENO};
        CHECK_OK(moorline_socket_send_message_with_descriptors(near, "x", 1, sent, 2, -1));

        use_up_descriptors(left);
        char byte = 0;
        size_t length = 0;
        int received[2];
        size_t count = 0;
        CHECK_STATUS(moorline_socket_receive_message_with_descriptors(far, &byte, 1, 0, &length, received, 2, &count),
                     MOORLINE_LIMIT_REACHED);
        CHECK_NUMBER(moorline_last_os_error(), EMFILE);
        CHECK_CONTAINS(last_error().text, "receive descriptors");
        free_descriptors();
        CHECK_OK(moorline_socket_destroy(near));
        CHECK_OK(moorline_socket_destroy(far));
    }
}

/* Of a receive that could not wait, the connection knows nothing. */
static void test_waiting_without_descriptors(void)
{
    moorline_message_options messages = {.struct_size = sizeof messages, .framing = MOORLINE_FRAMING_BIG_ENDIAN};
    moorline_socket_options options = {.struct_size = sizeof options, .messages = &messages};
    moorline_socket *near = NULL;
    moorline_socket *far = NULL;
    char byte = 0;
    size_t length = 77;
    CHECK_OK(moorline_socket_pair(&options, &near, &far));
    use_up_descriptors(0);
    CHECK_STATUS(moorline_socket_receive_message(far, &byte, 1, -1, &length), MOORLINE_LIMIT_REACHED);
    CHECK_NUMBER(length, 0);
    CHECK(strstr(last_error().text, "descriptors") == NULL); /* as it would have where those of a message are too many */
    CHECK_STATUS(moorline_name_remove("name", MOORLINE_SCOPE_TEMPORARY), MOORLINE_LIMIT_REACHED);
    free_descriptors();
    CHECK_OK(moorline_socket_send_message(near, "x", 1, -1));
    CHECK_OK(moorline_socket_receive_message(far, &byte, 1, -1, &length));
    CHECK_NUMBER(byte, 'x');
    CHECK_OK(moorline_socket_destroy(near));
    CHECK_OK(moorline_socket_destroy(far));
}

static void test_accept_without_descriptors(void)
{
    moorline_server *server = listening("name");
    moorline_socket *client = connected("name");
    moorline_socket *accepted = (moorline_socket *)&server;
    size_t count = 0;
    char byte = 0;
    CHECK_OK(moorline_socket_send(client, "x", 1, -1, &count));

    use_up_descriptors(0);
    for (int i = 0; i < 100; ++i) {
        CHECK_STATUS(moorline_server_accept(server, i % 2 == 0 ? 0 : -1, &accepted), MOORLINE_LIMIT_REACHED);
        CHECK_POINTER(accepted, NULL);
        CHECK_NUMBER(moorline_last_os_error(), EMFILE);
    }
    free_descriptors();

    CHECK(exists(in_test_directory("name").text));
    CHECK_OK(moorline_server_accept(server, -1, &accepted));
    CHECK_OK(moorline_socket_receive(accepted, &byte, 1, -1, &count));
    CHECK_NUMBER(byte, 'x');
    CHECK_OK(moorline_socket_destroy(accepted));
    CHECK_OK(moorline_socket_destroy(client));
    client = connected("name");
    CHECK_OK(moorline_server_accept(server, -1, &accepted));
    CHECK_OK(moorline_socket_destroy(accepted));
    CHECK_OK(moorline_socket_destroy(client));
    CHECK_OK(moorline_server_destroy(server));
}

/* Whatever the number of descriptors that are left, a call that fails keeps none of them. */
static void test_creating_without_descriptors(void)
{
    moorline_server *server = listening("name");
    for (int left = 0; left < 12; ++left) {
        moorline_server *other = NULL;
        moorline_socket *first = NULL;
        moorline_socket *second = NULL;
        moorline_poller *poller = NULL;
        moorline_service *service = NULL;
        moorline_exchange_report report = {.struct_size = sizeof report};
        CHECK_OK(moorline_server_create(NULL, &other));
        CHECK_OK(moorline_service_create(NULL, NULL, &service));
        use_up_descriptors(left);
        const moorline_status connect = moorline_socket_connect("name", NULL, 0, &first);
        if (connect == MOORLINE_OK) {
            CHECK_OK(moorline_socket_destroy(first));
        }
        const moorline_status pair = moorline_socket_pair(NULL, &first, &second);
        if (pair == MOORLINE_OK) {
            CHECK_OK(moorline_socket_destroy(first));
            CHECK_OK(moorline_socket_destroy(second));
        } else {
            CHECK_POINTER(first, NULL);
            CHECK_POINTER(second, NULL);
        }
        const moorline_status create = moorline_poller_create(NULL, &poller);
        if (create == MOORLINE_OK) {
            CHECK_OK(moorline_poller_destroy(poller));
        }
        const moorline_status listen = moorline_server_listen(other, "other");
        const moorline_status start = moorline_service_start(service, "service");
        const moorline_status run = moorline_exchange_run("name", NULL, 0, &report);
        /* Only whole failures: what is not OK left nothing in use. */
        if (listen != MOORLINE_OK) {
            CHECK(!exists(in_test_directory("other").text));
        }
        if (start != MOORLINE_OK) {
            CHECK(!exists(in_test_directory("service").text));
        }
        CHECK_OK(moorline_server_destroy(other));
        CHECK_OK(moorline_service_destroy(service));
        for (int i = 0; i < left; ++i) {
            fillers[filler_count++] = CHECK_SYSTEM(open("/dev/null", O_RDONLY | O_CLOEXEC)); /* all of them are free again */
        }
        free_descriptors();

        const moorline_status all[] = {connect, pair, create, listen, start};
        for (size_t i = 0; i < sizeof all / sizeof all[0]; ++i) {
            CHECK(all[i] == MOORLINE_LIMIT_REACHED || (left > 0 && all[i] == MOORLINE_OK));
        }
        CHECK(run == MOORLINE_LIMIT_REACHED || (left > 0 && (run == MOORLINE_WOULD_BLOCK || run == MOORLINE_TIMED_OUT)));
        CHECK_NUMBER(files_in(test_directory()), 1);
        /* What was connected meanwhile is in the backlog; take it out. */
        moorline_socket *accepted = NULL;
        while (moorline_server_accept(server, 0, &accepted) == MOORLINE_OK) {
            CHECK_OK(moorline_socket_destroy(accepted));
        }
    }
    CHECK_OK(moorline_server_destroy(server));
}

static void serve_without_descriptors(int line, void *context)
{
    (void)context;
    moorline_service *service = NULL;
    CHECK_OK(moorline_service_create(NULL, NULL, &service));
    CHECK_OK(moorline_service_start(service, "name"));
    line_say(line, 's');
    line_hear(line, 'u');
    use_up_descriptors(0);
    line_say(line, 'u');
    line_hear(line, 'f');
    free_descriptors();
    line_say(line, 'f');
    line_hear(line, 'e');
    CHECK_OK(moorline_service_destroy(service));
}

static void expect_echo(moorline_socket *client, char byte)
{
    char echoed = 0;
    size_t sent = 0;
    CHECK_OK(moorline_socket_send(client, &byte, 1, -1, &sent));
    receive_exactly(client, &echoed, 1);
    CHECK_NUMBER(echoed, byte);
}

/* The service neither gives up nor spins; who waits in its queue is served when there are descriptors again. */
static void test_a_service_without_descriptors(void)
{
    struct child child = child_start(serve_without_descriptors, NULL);
    line_hear(child.line, 's');
    moorline_socket *early = connected("name");
    expect_echo(early, 'e');
    line_say(child.line, 'u');
    line_hear(child.line, 'u');

    moorline_socket *late[3];
    for (int i = 0; i < 3; ++i) {
        late[i] = connected("name");
        size_t sent = 0;
        CHECK_OK(moorline_socket_send(late[i], "l", 1, -1, &sent));
    }
    const uint64_t cpu = process_cpu_ms(child.pid);
    let_time_pass_ms(1000);
    CHECK(process_cpu_ms(child.pid) - cpu < 500);
    expect_echo(early, 'E'); /* the others are served meanwhile */

    line_say(child.line, 'f');
    line_hear(child.line, 'f');
    for (int i = 0; i < 3; ++i) {
        char byte = 0;
        receive_exactly(late[i], &byte, 1);
        CHECK_NUMBER(byte, 'l');
        CHECK_OK(moorline_socket_destroy(late[i]));
    }
    expect_echo(early, 'a');
    CHECK_OK(moorline_socket_destroy(early));
    moorline_socket *fresh = connected("name");
    expect_echo(fresh, 'n');
    CHECK_OK(moorline_socket_destroy(fresh));
    line_say(child.line, 'e');
    child_expect_success(&child);
}

int main(void)
{
    RUN(test_connect_to_a_full_backlog_ends_at_the_deadline);
    RUN(test_connect_to_a_full_backlog_goes_on_when_there_is_room);
    RUN(test_connect_to_a_full_backlog_ends_when_the_server_goes);
    RUN(test_receive_descriptors_without_descriptors);
    RUN(test_waiting_without_descriptors);
    RUN(test_accept_without_descriptors);
    RUN(test_creating_without_descriptors);
    RUN(test_a_service_without_descriptors);
    return 0;
}

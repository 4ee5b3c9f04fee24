/* The other side: one that has gone, one that was never looked at, one that is somebody else. */
#include "support.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { NOBODY = 65534 };

static void make_pair(moorline_socket **first, moorline_socket **second)
{
    CHECK_OK(moorline_socket_pair(NULL, first, second));
}

/* --- gone --- */

static void expect_gone(moorline_socket *socket)
{
    char buffer[8];
    size_t count = 77;
    uint32_t ready = 0;
    for (int i = 0; i < 3; ++i) {
        CHECK_STATUS(moorline_socket_receive(socket, buffer, sizeof buffer, -1, &count), MOORLINE_DISCONNECTED);
        CHECK_NUMBER(count, 0);
        count = 77;
        CHECK_STATUS(moorline_socket_send(socket, "x", 1, -1, &count), MOORLINE_DISCONNECTED);
        CHECK_NUMBER(count, 0);
        CHECK_OK(moorline_socket_wait(socket, MOORLINE_READABLE, -1, &ready));
        CHECK(ready & MOORLINE_HANGUP);
    }
}

static void test_a_vanished_peer(void)
{
    moorline_socket *first = NULL;
    moorline_socket *second = NULL;
    make_pair(&first, &second);
    CHECK_OK(moorline_socket_destroy(second));
    expect_gone(first);
    CHECK_OK(moorline_socket_destroy(first));

    /* The first to notice is a send. */
    size_t sent = 77;
    make_pair(&first, &second);
    CHECK_OK(moorline_socket_close(second, -1, NULL));
    CHECK_STATUS(moorline_socket_send(first, "x", 1, 0, &sent), MOORLINE_DISCONNECTED);
    CHECK_NUMBER(sent, 0);
    expect_gone(first);
    CHECK_OK(moorline_socket_destroy(first));
    CHECK_OK(moorline_socket_destroy(second));
}

/* The kernel says "reset" when the peer left bytes unread; what it had sent can be read all the same. */
static void test_a_peer_that_did_not_read_all(void)
{
    for (int send_first = 0; send_first < 2; ++send_first) {
        moorline_socket *first = NULL;
        moorline_socket *second = NULL;
        size_t count = 0;
        char buffer[5];
        make_pair(&first, &second);
        CHECK_OK(moorline_socket_send(first, "never read", 10, -1, &count));
        CHECK_OK(moorline_socket_send(second, "hello", 5, -1, &count));
        CHECK_OK(moorline_socket_destroy(second));
        if (send_first) {
            CHECK_STATUS(moorline_socket_send(first, "x", 1, -1, &count), MOORLINE_DISCONNECTED);
        }
        receive_exactly(first, buffer, 5);
        CHECK(memcmp(buffer, "hello", 5) == 0);
        expect_gone(first);
        CHECK_OK(moorline_socket_destroy(first));
    }
}

static volatile sig_atomic_t pipe_signals;

static void count_signal(int signal)
{
    (void)signal;
    ++pipe_signals;
}

static void send_to_nobody(void)
{
    moorline_socket *first = NULL;
    moorline_socket *second = NULL;
    size_t sent = 0;
    static const char block[1 << 20];
    make_pair(&first, &second);
    CHECK_OK(moorline_socket_destroy(second));
    CHECK_STATUS(moorline_socket_send(first, "x", 1, -1, &sent), MOORLINE_DISCONNECTED);
    CHECK_STATUS(moorline_socket_send(first, block, sizeof block, -1, &sent), MOORLINE_DISCONNECTED);
    CHECK_OK(moorline_socket_destroy(first));

    /* With a queue the bytes leave in flush and in close. */
    moorline_socket_options options = {.struct_size = sizeof options, .send_queue_limit = sizeof block};
    for (int i = 0; i < 2; ++i) {
        CHECK_OK(moorline_socket_pair(&options, &first, &second));
        CHECK_OK(moorline_socket_send(first, block, sizeof block, 0, &sent));
        CHECK_OK(moorline_socket_destroy(second));
        CHECK_STATUS(i == 0 ? moorline_socket_flush(first, -1) : moorline_socket_close(first, -1, NULL), MOORLINE_DISCONNECTED);
        CHECK_OK(moorline_socket_destroy(first));
    }
}

/* The service writes to clients that leave without reading. */
static void echo_to_nobody(void)
{
    moorline_service *service = NULL;
    static const char block[1 << 16];
    CHECK_OK(moorline_service_create(NULL, NULL, &service));
    CHECK_OK(moorline_service_start(service, "name"));
    for (int i = 0; i < 100; ++i) {
        moorline_socket *client = connected("name");
        size_t sent = 0;
        CHECK_OK(moorline_socket_send(client, block, sizeof block, -1, &sent));
        CHECK_OK(moorline_socket_destroy(client));
    }
    CHECK_OK(moorline_service_stop(service, -1, NULL));
    CHECK_OK(moorline_service_destroy(service));
}

static void meet_closed_peers(int line, void *context)
{
    struct sigaction before = {.sa_handler = SIG_DFL};
    struct sigaction after;
    (void)line;
    if (context != NULL) {
        before.sa_handler = count_signal;
        sigaddset(&before.sa_mask, SIGUSR2);
    }
    CHECK_SYSTEM(sigaction(SIGPIPE, &before, NULL));
    CHECK_SYSTEM(sigaction(SIGPIPE, NULL, &before)); /* as the kernel sees it */
    send_to_nobody();
    echo_to_nobody();
    CHECK_SYSTEM(sigaction(SIGPIPE, NULL, &after));
    CHECK(after.sa_handler == before.sa_handler);
    CHECK_NUMBER(after.sa_flags, before.sa_flags);
    CHECK(sigismember(&after.sa_mask, SIGUSR2) == sigismember(&before.sa_mask, SIGUSR2));
    CHECK_NUMBER(pipe_signals, 0);
    sigset_t blocked;
    CHECK_NUMBER(pthread_sigmask(SIG_BLOCK, NULL, &blocked), 0);
    CHECK(!sigismember(&blocked, SIGPIPE));
    CHECK_NUMBER(live_handles(), 0);
}

static void test_no_sigpipe_and_its_disposition_untouched(void)
{
    /* In processes of their own: the default disposition would end this one. */
    struct child with_default = child_start(meet_closed_peers, NULL);
    child_expect_success(&with_default);
    char yes = 'y';
    struct child with_handler = child_start(meet_closed_peers, &yes);
    child_expect_success(&with_handler);
}

static void test_a_client_that_left_before_accept(void)
{
    moorline_server *server = listening("name");
    for (int raw = 0; raw < 2; ++raw) {
        size_t count = 0;
        if (raw) {
            int client = raw_connect(in_test_directory("name").text);
            raw_write_all(client, "farewell", 8);
            CHECK_SYSTEM(close(client));
        } else {
            moorline_socket *client = connected("name");
            CHECK_OK(moorline_socket_send(client, "farewell", 8, -1, &count));
            CHECK_OK(moorline_socket_destroy(client));
        }
        moorline_socket *accepted = NULL;
        char buffer[8];
        CHECK_OK(moorline_server_accept(server, -1, &accepted));
        uint32_t ready = 0;
        CHECK_OK(moorline_socket_wait(accepted, MOORLINE_READABLE, -1, &ready));
        CHECK(ready & MOORLINE_READABLE);
        receive_exactly(accepted, buffer, sizeof buffer);
        CHECK(memcmp(buffer, "farewell", 8) == 0);
        expect_gone(accepted);
        CHECK_OK(moorline_socket_destroy(accepted));
    }
    /* One that sent nothing at all. */
    CHECK_SYSTEM(close(raw_connect(in_test_directory("name").text)));
    moorline_socket *accepted = NULL;
    CHECK_OK(moorline_server_accept(server, -1, &accepted));
    expect_gone(accepted);
    CHECK_OK(moorline_socket_destroy(accepted));
    CHECK_OK(moorline_server_destroy(server));
}

/* Who will send no more may still listen. */
static void test_a_peer_that_ended_its_sending(void)
{
    int pair[2];
    moorline_socket *socket = NULL;
    char buffer[8] = "";
    size_t count = 77;
    uint32_t ready = 0;
    CHECK_SYSTEM(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
    CHECK_OK(moorline_socket_adopt_descriptor(pair[0], NULL, &socket));
    raw_write_all(pair[1], "last", 4);
    CHECK_SYSTEM(shutdown(pair[1], SHUT_WR));
    receive_exactly(socket, buffer, 4);
    CHECK_TEXT(buffer, "last");
    CHECK_STATUS(moorline_socket_receive(socket, buffer, 1, -1, &count), MOORLINE_DISCONNECTED);
    CHECK_NUMBER(count, 0);
    CHECK_OK(moorline_socket_wait(socket, MOORLINE_READABLE, -1, &ready));
    CHECK(ready & MOORLINE_HANGUP);
    CHECK_OK(moorline_socket_send(socket, "answer", 6, -1, &count));
    CHECK_NUMBER(raw_read_all(pair[1], buffer, 6), 6);
    CHECK_OK(moorline_socket_destroy(socket));
    CHECK_SYSTEM(close(pair[1]));
}

/* --- somebody else --- */

static void become_nobody(void)
{
    CHECK_SYSTEM(setgid(NOBODY));
    CHECK_SYSTEM(setuid(NOBODY));
}

static bool other_users_can_be_had(void)
{
    if (getuid() == 0) {
        /* They shall reach the test's directory, and make servers in it. */
        CHECK_SYSTEM(chmod(test_directory(), 0777));
        return true;
    }
    skip("only root can be two users");
    return false;
}

/* A server of another user: counts what it gets until its client leaves. */
static void squat(int line, void *context)
{
    (void)context;
    become_nobody();
    struct path file = in_test_directory("name");
    int listener = raw_listen(file.text);
    CHECK_SYSTEM(chmod(file.text, 0777));
    line_say(line, 'r');
    for (int i = 0; i < 2; ++i) {
        char buffer[64];
        int client = CHECK_SYSTEM(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
        size_t length = raw_read_all(client, buffer, sizeof buffer);
        CHECK_SYSTEM(close(client));
        line_say(line, length == 0 ? 'n' : 'd');
    }
    CHECK_SYSTEM(unlink(file.text));
}

static void test_a_squatter_gets_nobodys_data(void)
{
    if (!other_users_can_be_had()) {
        return;
    }
    struct child squatter = child_start(squat, NULL);
    line_hear(squatter.line, 'r');
    moorline_socket *socket = (moorline_socket *)&squatter;
    CHECK_STATUS(moorline_socket_connect("name", NULL, -1, &socket), MOORLINE_PERMISSION_DENIED);
    CHECK_POINTER(socket, NULL);
    CHECK_CONTAINS(last_error().text, in_test_directory("name").text);
    line_hear(squatter.line, 'n');

    moorline_socket_options options = {.struct_size = sizeof options, .trust = MOORLINE_TRUST_ANYONE};
    moorline_credentials credentials = {.struct_size = sizeof credentials};
    size_t sent = 0;
    CHECK_OK(moorline_socket_connect("name", &options, -1, &socket));
    CHECK_OK(moorline_socket_peer_credentials(socket, &credentials));
    CHECK_NUMBER(credentials.uid, NOBODY);
    CHECK_NUMBER(credentials.gid, NOBODY);
    CHECK_NUMBER(credentials.pid, squatter.pid);
    CHECK_OK(moorline_socket_send(socket, "data", 4, -1, &sent));
    CHECK_OK(moorline_socket_destroy(socket));
    line_hear(squatter.line, 'd');
    child_expect_success(&squatter);
}

static void exchange_with_a_squatter(int line, void *context)
{
    (void)context;
    become_nobody();
    moorline_service *service = NULL;
    moorline_service_options options = {.struct_size = sizeof options, .mode = 0777};
    CHECK_OK(moorline_service_create(&options, NULL, &service));
    CHECK_OK(moorline_service_start(service, "name"));
    line_say(line, 'r');
    line_hear(line, 'e');
    moorline_service_report report = {.struct_size = sizeof report};
    CHECK_OK(moorline_service_stop(service, -1, &report));
    CHECK_NUMBER(report.received, 1); /* that of the trusting exchange only */
    CHECK_OK(moorline_service_destroy(service));
}

static void test_the_exchange_is_as_careful(void)
{
    if (!other_users_can_be_had()) {
        return;
    }
    struct child squatter = child_start(exchange_with_a_squatter, NULL);
    line_hear(squatter.line, 'r');
    moorline_exchange_report report = {.struct_size = sizeof report};
    moorline_exchange_options options = {.struct_size = sizeof options};
    CHECK_STATUS(moorline_exchange_run("name", &options, -1, &report), MOORLINE_PERMISSION_DENIED);
    options.trust = MOORLINE_TRUST_ANYONE;
    CHECK_OK(moorline_exchange_run("name", &options, -1, &report));
    CHECK_NUMBER(report.round_trips, 1);
    line_say(squatter.line, 'e');
    child_expect_success(&squatter);
}

static void connect_as_nobody(int line, void *context)
{
    (void)line;
    (void)context;
    become_nobody();
    size_t sent = 0;
    moorline_socket *socket = connected("name"); /* a server of root is trusted by default */
    CHECK_OK(moorline_socket_send(socket, "x", 1, -1, &sent));
    CHECK_OK(moorline_socket_destroy(socket));
}

static void test_root_is_trusted(void)
{
    if (!other_users_can_be_had()) {
        return;
    }
    moorline_server *server = NULL;
    moorline_server_options options = {.struct_size = sizeof options, .mode = 0777};
    CHECK_OK(moorline_server_create(&options, &server));
    CHECK_OK(moorline_server_listen(server, "name"));
    struct child client = child_start(connect_as_nobody, NULL);
    moorline_socket *accepted = NULL;
    moorline_credentials credentials = {.struct_size = sizeof credentials};
    CHECK_OK(moorline_server_accept(server, -1, &accepted));
    CHECK_OK(moorline_socket_peer_credentials(accepted, &credentials));
    CHECK_NUMBER(credentials.uid, NOBODY);
    CHECK_NUMBER(credentials.pid, client.pid);
    child_expect_success(&client);
    CHECK_OK(moorline_socket_destroy(accepted));
    CHECK_OK(moorline_server_destroy(server));
}

static void connect_and_wait(int line, void *context)
{
    (void)context;
    moorline_socket *socket = connected("name");
    line_hear(line, 'e');
    CHECK_OK(moorline_socket_destroy(socket));
}

static void test_credentials(void)
{
    moorline_server *server = listening("name");
    struct child client = child_start(connect_and_wait, NULL);
    moorline_socket *accepted = NULL;
    moorline_credentials credentials = {.struct_size = sizeof credentials};
    CHECK_OK(moorline_server_accept(server, -1, &accepted));
    CHECK_OK(moorline_socket_peer_credentials(accepted, &credentials));
    CHECK_NUMBER(credentials.uid, getuid());
    CHECK_NUMBER(credentials.gid, getgid());
    CHECK_NUMBER(credentials.pid, client.pid);
    line_say(client.line, 'e');
    child_expect_success(&client);
    CHECK_OK(moorline_socket_close(accepted, 0, NULL));
    CHECK_STATUS(moorline_socket_peer_credentials(accepted, &credentials), MOORLINE_CLOSED);
    CHECK_OK(moorline_socket_destroy(accepted));
    CHECK_OK(moorline_server_destroy(server));
}

static void connect_and_hand_over(int line, void *context)
{
    (void)context;
    int connection = raw_connect(in_test_directory("name").text);
    pid_t other = CHECK_SYSTEM(fork());
    if (other == 0) {
        if (getuid() == 0) {
            become_nobody();
        }
        raw_write_all(connection, "x", 1);
        _exit(0);
    }
    int how = 0;
    CHECK_SYSTEM(waitpid(other, &how, 0));
    CHECK_NUMBER(how, 0);
    line_hear(line, 'e');
    CHECK_SYSTEM(close(connection));
}

/* Another process, and of another user if that can be had, sends on the connection that the first one made. */
static void test_credentials_are_those_of_the_connect(void)
{
    moorline_server *server = listening("name");
    struct child client = child_start(connect_and_hand_over, NULL);
    moorline_socket *accepted = NULL;
    CHECK_OK(moorline_server_accept(server, -1, &accepted));
    char byte = 0;
    receive_exactly(accepted, &byte, 1);
    moorline_credentials credentials = {.struct_size = sizeof credentials};
    CHECK_OK(moorline_socket_peer_credentials(accepted, &credentials));
    CHECK_NUMBER(credentials.uid, getuid());
    CHECK_NUMBER(credentials.gid, getgid());
    CHECK_NUMBER(credentials.pid, client.pid);
    line_say(client.line, 'e');
    child_expect_success(&client);
    CHECK_OK(moorline_socket_destroy(accepted));
    CHECK_OK(moorline_server_destroy(server));
}

int main(void)
{
    RUN(test_a_vanished_peer);
    RUN(test_a_peer_that_did_not_read_all);
    RUN(test_no_sigpipe_and_its_disposition_untouched);
    RUN(test_a_client_that_left_before_accept);
    RUN(test_a_peer_that_ended_its_sending);
    RUN(test_a_squatter_gets_nobodys_data);
    RUN(test_the_exchange_is_as_careful);
    RUN(test_root_is_trusted);
    RUN(test_credentials);
    RUN(test_credentials_are_those_of_the_connect);
    return 0;
}

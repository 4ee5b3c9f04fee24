/* Messages: told apart in the stream as documented, bounded before memory is taken, whole or not at all. */
#include "support.h"

#include <fcntl.h>
#include <sys/socket.h>

static const uint32_t framings[] = {MOORLINE_FRAMING_BIG_ENDIAN, MOORLINE_FRAMING_LITTLE_ENDIAN, MOORLINE_FRAMING_LINES,
                                    MOORLINE_FRAMING_CHECKED};

static moorline_message_options with_framing(uint32_t framing)
{
    moorline_message_options options = MOORLINE_MESSAGE_OPTIONS_INIT;
    options.framing = framing;
    return options;
}

static void make_pair(const moorline_message_options *messages, moorline_socket **first, moorline_socket **second)
{
    moorline_socket_options options = MOORLINE_SOCKET_OPTIONS_INIT;
    options.messages = messages;
    CHECK_OK(moorline_socket_pair(&options, first, second));
}

/* A socket with messages, and the plain other end of its stream. */
static int make_half(const moorline_message_options *messages, moorline_socket **socket)
{
    int ends[2];
    CHECK_SYSTEM(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
    moorline_socket_options options = MOORLINE_SOCKET_OPTIONS_INIT;
    options.messages = messages;
    CHECK_OK(moorline_socket_adopt_descriptor(ends[0], &options, socket));
    return ends[1];
}

static void destroy_both(moorline_socket *first, moorline_socket *second)
{
    CHECK_OK(moorline_socket_destroy(first));
    CHECK_OK(moorline_socket_destroy(second));
}

static void expect_message(moorline_socket *socket, const char *expected)
{
    char buffer[64] = "";
    size_t length = 0;
    CHECK_OK(moorline_socket_receive_message(socket, buffer, sizeof buffer - 1, -1, &length));
    CHECK_NUMBER(length, strlen(expected));
    buffer[length] = '\0';
    CHECK_TEXT(buffer, expected);
}

static void messages_arrive_whole_over_a_server(void)
{
    for (size_t i = 0; i < sizeof framings / sizeof framings[0]; i++) {
        moorline_message_options messages = with_framing(framings[i]);
        moorline_server_options server_options = MOORLINE_SERVER_OPTIONS_INIT;
        server_options.messages = &messages;
        moorline_socket_options socket_options = MOORLINE_SOCKET_OPTIONS_INIT;
        socket_options.messages = &messages;
        moorline_server *server = NULL;
        moorline_socket *client = NULL;
        moorline_socket *accepted = NULL;
        CHECK_OK(moorline_server_create(&server_options, &server));
        CHECK_OK(moorline_server_listen(server, "messages"));
        CHECK_OK(moorline_socket_connect("messages", &socket_options, -1, &client));
        CHECK_OK(moorline_server_accept(server, -1, &accepted));
        CHECK_OK(moorline_socket_send_message(client, "one", 3, -1));
        CHECK_OK(moorline_socket_send_message(client, NULL, 0, -1));
        CHECK_OK(moorline_socket_send_message(client, "two", 3, -1));
        expect_message(accepted, "one");
        expect_message(accepted, "");
        expect_message(accepted, "two");
        size_t length = 0;
        uint32_t may = 7;
        CHECK_STATUS(moorline_socket_receive_message(accepted, NULL, 0, 0, &length), MOORLINE_WOULD_BLOCK);
        CHECK_OK(moorline_socket_may_have_message(accepted, &may));
        CHECK_NUMBER(may, 0);
        CHECK_STATUS(moorline_socket_may_have_message(accepted, NULL), MOORLINE_INVALID_ARGUMENT);
        CHECK_OK(moorline_socket_destroy(client));
        CHECK_STATUS(moorline_socket_receive_message(accepted, NULL, 0, -1, &length), MOORLINE_DISCONNECTED);
        CHECK_OK(moorline_socket_destroy(accepted));
        CHECK_OK(moorline_server_destroy(server));
    }
}

static void the_bytes_are_those_that_are_documented(void)
{
    moorline_message_options messages = with_framing(MOORLINE_FRAMING_BIG_ENDIAN);
    moorline_socket *socket = NULL;
    int plain = make_half(&messages, &socket);
    CHECK_OK(moorline_socket_send_message(socket, "ab", 2, -1));
    char wire[6];
    CHECK_NUMBER(raw_read_all(plain, wire, sizeof wire), sizeof wire);
    CHECK(memcmp(wire, "\0\0\0\2ab", sizeof wire) == 0);
    raw_write_all(plain, "\0\0\0\3xyz", 7);
    expect_message(socket, "xyz");
    CHECK_SYSTEM(close(plain));
    CHECK_OK(moorline_socket_destroy(socket));
}

static void a_length_is_not_believed(void)
{
    moorline_message_options messages = with_framing(MOORLINE_FRAMING_LITTLE_ENDIAN);
    messages.max_message = 10;
    moorline_socket *socket = NULL;
    int plain = make_half(&messages, &socket);
    size_t max_message = 0;
    CHECK_OK(moorline_socket_max_message(socket, &max_message));
    CHECK_NUMBER(max_message, 10);
    CHECK_STATUS(moorline_socket_max_message(socket, NULL), MOORLINE_INVALID_ARGUMENT);
    CHECK_STATUS(moorline_socket_send_message(socket, "12345678901", 11, -1), MOORLINE_MESSAGE_TOO_LARGE);
    raw_write_all(plain, "\377\377\377\377", 4);
    char buffer[16];
    size_t length = 77;
    CHECK_STATUS(moorline_socket_receive_message(socket, buffer, sizeof buffer, -1, &length), MOORLINE_MESSAGE_TOO_LARGE);
    CHECK_NUMBER(length, 0);
    CHECK_CONTAINS(last_error().text, "4294967295");
    CHECK_STATUS(moorline_socket_receive_message(socket, buffer, sizeof buffer, -1, &length), MOORLINE_CLOSED);
    CHECK_NUMBER(raw_read_all(plain, buffer, sizeof buffer), 0);
    CHECK_SYSTEM(close(plain));
    CHECK_OK(moorline_socket_destroy(socket));
}

static void a_buffer_too_small_loses_nothing(void)
{
    moorline_message_options messages = with_framing(MOORLINE_FRAMING_CHECKED);
    moorline_socket *first = NULL;
    moorline_socket *second = NULL;
    make_pair(&messages, &first, &second);
    CHECK_OK(moorline_socket_send_message(first, "message", 7, -1));
    char buffer[3];
    size_t length = 0;
    CHECK_STATUS(moorline_socket_receive_message(second, buffer, sizeof buffer, -1, &length), MOORLINE_BUFFER_TOO_SMALL);
    CHECK_NUMBER(length, 7);
    expect_message(second, "message");
    destroy_both(first, second);
}

static void applications_are_compared(void)
{
    int ends[2];
    CHECK_SYSTEM(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
    moorline_socket *sockets[2];
    for (uint32_t i = 0; i < 2; i++) {
        moorline_message_options messages = with_framing(MOORLINE_FRAMING_CHECKED);
        messages.application = "editor";
        messages.application_version = 7 + i;
        moorline_socket_options options = MOORLINE_SOCKET_OPTIONS_INIT;
        options.messages = &messages;
        CHECK_OK(moorline_socket_adopt_descriptor(ends[i], &options, &sockets[i]));
    }
    size_t length = 0;
    CHECK_STATUS(moorline_socket_receive_message(sockets[0], NULL, 0, -1, &length), MOORLINE_MISMATCH);
    CHECK_CONTAINS(last_error().text, "version 7");
    CHECK_CONTAINS(last_error().text, "version 8");
    destroy_both(sockets[0], sockets[1]);

    moorline_message_options messages = with_framing(MOORLINE_FRAMING_CHECKED);
    messages.application = "editor";
    messages.application_version = 3;
    make_pair(&messages, &sockets[0], &sockets[1]);
    char name[16];
    uint32_t version = 0;
    CHECK_STATUS(moorline_socket_peer_application(sockets[1], name, sizeof name, NULL, &version), MOORLINE_WOULD_BLOCK);
    CHECK_OK(moorline_socket_send_message(sockets[0], "x", 1, -1));
    expect_message(sockets[1], "x");
    CHECK_OK(moorline_socket_peer_application(sockets[1], name, sizeof name, NULL, &version));
    CHECK_TEXT(name, "editor");
    CHECK_NUMBER(version, 3);
    destroy_both(sockets[0], sockets[1]);
}

static void slow_peers_lose_their_connection(void)
{
    moorline_message_options messages = with_framing(MOORLINE_FRAMING_BIG_ENDIAN);
    messages.message_timeout_ms = 30;
    moorline_socket *socket = NULL;
    int plain = make_half(&messages, &socket);
    raw_write_all(plain, "\0", 1);
    uint64_t start = monotonic_ms();
    size_t length = 0;
    CHECK_STATUS(moorline_socket_receive_message(socket, NULL, 0, -1, &length), MOORLINE_TIMED_OUT);
    CHECK(monotonic_ms() - start >= 29);
    CHECK_CONTAINS(last_error().text, "the rest of a message");
    CHECK_SYSTEM(close(plain));
    CHECK_OK(moorline_socket_destroy(socket));

    messages = with_framing(MOORLINE_FRAMING_CHECKED);
    messages.handshake_timeout_ms = 30;
    plain = make_half(&messages, &socket);
    CHECK_STATUS(moorline_socket_receive_message(socket, NULL, 0, -1, &length), MOORLINE_TIMED_OUT);
    CHECK_CONTAINS(last_error().text, "handshake");
    CHECK_SYSTEM(close(plain));
    CHECK_OK(moorline_socket_destroy(socket));
}

static int32_t starts_with_o(void *context, const void *data, size_t length)
{
    ++*(int *)context;
    return length > 0 && *(const char *)data == 'o';
}

static void a_validator_refuses(void)
{
    moorline_message_options messages = with_framing(MOORLINE_FRAMING_LINES);
    moorline_socket *first = NULL;
    moorline_socket *second = NULL;
    make_pair(&messages, &first, &second);
    int seen = 0;
    CHECK_OK(moorline_socket_set_validator(second, starts_with_o, &seen));
    CHECK_OK(moorline_socket_send_message(first, "ok", 2, -1));
    CHECK_OK(moorline_socket_send_message(first, "bad", 3, -1));
    expect_message(second, "ok");
    size_t length = 0;
    CHECK_STATUS(moorline_socket_receive_message(second, NULL, 0, -1, &length), MOORLINE_REFUSED);
    CHECK_NUMBER(seen, 2);
    destroy_both(first, second);
}

static void descriptors_come_with_their_message(void)
{
    moorline_message_options messages = with_framing(MOORLINE_FRAMING_CHECKED);
    messages.max_descriptors = 1;
    moorline_socket *first = NULL;
    moorline_socket *second = NULL;
    make_pair(&messages, &first, &second);
    int ends[2];
    CHECK_SYSTEM(pipe2(ends, O_CLOEXEC));
    CHECK_OK(moorline_socket_send_message(first, "without", 7, -1));
    CHECK_OK(moorline_socket_send_message_with_descriptors(first, "with", 4, &ends[1], 1, -1));
    CHECK_SYSTEM(close(ends[1]));
    expect_message(second, "without");
    char buffer[8];
    size_t length = 0;
    size_t count = 0;
    int given = -1;
    /* It stays, with its descriptor, where there is too little room for it. */
    CHECK_STATUS(moorline_socket_receive_message_with_descriptors(second, buffer, 3, -1, &length, &given, 1, &count),
                 MOORLINE_BUFFER_TOO_SMALL);
    CHECK_NUMBER(length, 4);
    CHECK_NUMBER(count, 0);
    CHECK_OK(moorline_socket_receive_message_with_descriptors(second, buffer, sizeof buffer, -1, &length, &given, 1, &count));
    CHECK_NUMBER(length, 4);
    CHECK_NUMBER(count, 1);
    CHECK(fcntl(given, F_GETFD) & FD_CLOEXEC);
    raw_write_all(given, "over", 4);
    CHECK_SYSTEM(close(given));
    CHECK_NUMBER(raw_read_all(ends[0], buffer, sizeof buffer), 4);

    /* One that the caller does not take is closed, and one too many ends the connection; expect_nothing_left sees to it. */
    CHECK_OK(moorline_socket_send_message_with_descriptors(first, "a", 1, &ends[0], 1, -1));
    CHECK_OK(moorline_socket_receive_message(second, buffer, sizeof buffer, -1, &length));
    int both[] = {ends[0], ends[0]};
    CHECK_OK(moorline_socket_send_message_with_descriptors(first, "b", 1, both, 2, -1));
    CHECK_STATUS(moorline_socket_receive_message(second, buffer, sizeof buffer, -1, &length), MOORLINE_LIMIT_REACHED);
    int bad = -1;
    CHECK_STATUS(moorline_socket_send_message_with_descriptors(first, "c", 1, &bad, 1, -1), MOORLINE_INVALID_ARGUMENT);
    CHECK_STATUS(moorline_socket_send_message_with_descriptors(first, "c", 1, NULL, 1, -1), MOORLINE_INVALID_ARGUMENT);
    CHECK_SYSTEM(close(ends[0]));
    destroy_both(first, second);
}

static void bad_options_and_mixing_are_refused(void)
{
    moorline_socket_options options = MOORLINE_SOCKET_OPTIONS_INIT;
    moorline_message_options messages = MOORLINE_MESSAGE_OPTIONS_INIT;
    options.messages = &messages;
    moorline_socket *first = NULL;
    moorline_socket *second = NULL;
    CHECK_STATUS(moorline_socket_pair(&options, &first, &second), MOORLINE_INVALID_ARGUMENT); /* no framing */
    messages.framing = 5;
    CHECK_STATUS(moorline_socket_pair(&options, &first, &second), MOORLINE_INVALID_ARGUMENT);
    messages = with_framing(MOORLINE_FRAMING_CHECKED);
    messages.application = "\xff";
    CHECK_STATUS(moorline_socket_pair(&options, &first, &second), MOORLINE_INVALID_ARGUMENT);
    char long_name[257];
    memset(long_name, 'n', 256);
    long_name[256] = '\0';
    messages.application = long_name;
    CHECK_STATUS(moorline_socket_pair(&options, &first, &second), MOORLINE_INVALID_ARGUMENT);
    messages = with_framing(MOORLINE_FRAMING_BIG_ENDIAN); /* there is no handshake to compare them */
    messages.application = "editor";
    CHECK_STATUS(moorline_socket_pair(&options, &first, &second), MOORLINE_INVALID_ARGUMENT);
    CHECK_CONTAINS(last_error().text, "checked frames");
    messages = with_framing(MOORLINE_FRAMING_BIG_ENDIAN);
    messages.application_version = 1;
    CHECK_STATUS(moorline_socket_pair(&options, &first, &second), MOORLINE_INVALID_ARGUMENT);
    CHECK_POINTER(first, NULL);

    messages = with_framing(MOORLINE_FRAMING_LINES);
    make_pair(&messages, &first, &second);
    size_t count = 77;
    char buffer[4];
    CHECK_STATUS(moorline_socket_send(first, "x", 1, -1, &count), MOORLINE_INVALID_STATE);
    CHECK_STATUS(moorline_socket_receive(first, buffer, sizeof buffer, -1, &count), MOORLINE_INVALID_STATE);
    CHECK_STATUS(moorline_socket_send_message(first, "a\nb", 3, -1), MOORLINE_INVALID_ARGUMENT);
    destroy_both(first, second);
    CHECK_OK(moorline_socket_pair(NULL, &first, &second));
    CHECK_STATUS(moorline_socket_send_message(first, "x", 1, -1), MOORLINE_INVALID_STATE);
    destroy_both(first, second);
}

static void *wait_for_a_message(void *socket)
{
    size_t length = 0;
    CHECK_STATUS(moorline_socket_receive_message(socket, NULL, 0, -1, &length), MOORLINE_CLOSED);
    return NULL;
}

static void destroying_ends_a_receive(void)
{
    moorline_message_options messages = with_framing(MOORLINE_FRAMING_BIG_ENDIAN);
    moorline_socket *first = NULL;
    moorline_socket *second = NULL;
    make_pair(&messages, &first, &second);
    pthread_t thread;
    CHECK_NUMBER(pthread_create(&thread, NULL, wait_for_a_message, first), 0);
    let_time_pass_ms(20); /* most often it waits by now; it must end either way */
    CHECK_OK(moorline_socket_close(first, 0, NULL));
    CHECK_NUMBER(pthread_join(thread, NULL), 0);
    destroy_both(first, second);
}

int main(void)
{
    RUN(messages_arrive_whole_over_a_server);
    RUN(the_bytes_are_those_that_are_documented);
    RUN(a_length_is_not_believed);
    RUN(a_buffer_too_small_loses_nothing);
    RUN(applications_are_compared);
    RUN(slow_peers_lose_their_connection);
    RUN(a_validator_refuses);
    RUN(descriptors_come_with_their_message);
    RUN(bad_options_and_mixing_are_refused);
    RUN(destroying_ends_a_receive);
    return 0;
}

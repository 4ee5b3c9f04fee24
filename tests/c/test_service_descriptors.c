/* Descriptors in a service: those that come with messages, those that go with them, and that of the peer's process. */
#include "support_service.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

enum { MOST = 2 };

/* Sends the message back with the descriptors that came with it, which are this side's to close. */
static void hand_back(void *context, moorline_connection *connection, const void *data, size_t length, const int *descriptors,
                      size_t count)
{
    struct log *log = context;
    CHECK(count <= MOST);
    for (size_t i = 0; i < count; ++i) {
        CHECK(fcntl(descriptors[i], F_GETFD) & FD_CLOEXEC);
    }
    CHECK_OK(moorline_connection_send_message_with_descriptors(connection, data, length, descriptors, count, 0));
    for (size_t i = 0; i < count; ++i) {
        CHECK_SYSTEM(close(descriptors[i]));
    }
    atomic_fetch_add(&log->received, 1);
}

static void hand_back_without(void *context, moorline_connection *connection, const void *data, size_t length)
{
    (void)context;
    CHECK_OK(moorline_connection_send_message(connection, data, length, 0));
}

static void refuse_to_be_called(void *context, moorline_connection *connection, const void *data, size_t length)
{
    (void)context;
    (void)connection;
    (void)data;
    (void)length;
    fail("called although there is a callback for descriptors, too");
}

static moorline_service *start(const moorline_service_callbacks *callbacks, moorline_message_options *messages)
{
    *messages = (moorline_message_options)MOORLINE_MESSAGE_OPTIONS_INIT;
    messages->framing = MOORLINE_FRAMING_BIG_ENDIAN;
    messages->max_descriptors = MOST;
    moorline_service_options options = MOORLINE_SERVICE_OPTIONS_INIT;
    options.messages = messages;
    return started(&options, callbacks);
}

static moorline_socket *connect_with(const moorline_message_options *messages)
{
    moorline_socket_options options = MOORLINE_SOCKET_OPTIONS_INIT;
    options.messages = messages;
    moorline_socket *socket = NULL;
    CHECK_OK(moorline_socket_connect("name", &options, -1, &socket));
    return socket;
}

/* Receives a message of one byte and gives its descriptors. */
static size_t receive_descriptors(moorline_socket *socket, int descriptors[MOST])
{
    char byte = 0;
    size_t length = 0;
    size_t count = 0;
    CHECK_OK(moorline_socket_receive_message_with_descriptors(socket, &byte, 1, -1, &length, descriptors, MOST, &count));
    CHECK_NUMBER(length, 1);
    return count;
}

/* Sends a message with `count` duplicates of a new pipe's writing end; gives the reading end, which ends when all are closed. */
static int send_pipe(moorline_socket *socket, size_t count)
{
    int ends[2];
    CHECK_SYSTEM(pipe2(ends, O_CLOEXEC));
    const int same[MOST + 1] = {ends[1], ends[1], ends[1]};
    CHECK_OK(moorline_socket_send_message_with_descriptors(socket, "x", 1, same, count, -1));
    CHECK_SYSTEM(close(ends[1]));
    return ends[0];
}

static void expect_all_closed(int reading_end)
{
    char byte;
    CHECK_NUMBER(raw_read_all(reading_end, &byte, 1), 0);
    CHECK_SYSTEM(close(reading_end));
}

static void descriptors_come_and_go_with_their_messages(void)
{
    struct log log = {0};
    moorline_message_options messages;
    moorline_service_callbacks callbacks = callbacks_of(&log);
    callbacks.message = refuse_to_be_called;
    callbacks.message_with_descriptors = hand_back;
    moorline_service *service = start(&callbacks, &messages);
    moorline_socket *socket = connect_with(&messages);
    for (size_t sent = 0; sent <= MOST; ++sent) {
        int reading_end = send_pipe(socket, sent);
        int descriptors[MOST];
        size_t count = receive_descriptors(socket, descriptors);
        CHECK_NUMBER(count, sent);
        for (size_t i = 0; i < count; ++i) {
            raw_write_all(descriptors[i], "!", 1);
            CHECK_SYSTEM(close(descriptors[i]));
            char byte = 0;
            CHECK_NUMBER(raw_read_all(reading_end, &byte, 1), 1);
        }
        expect_all_closed(reading_end);
    }

    /* One too many: the message is not delivered, all are closed, and the connection ends. */
    int reading_end = send_pipe(socket, MOST + 1);
    wait_for(&log.disconnected, 1);
    CHECK_STATUS(atomic_load(&log.reason), MOORLINE_LIMIT_REACHED);
    CHECK_NUMBER(atomic_load(&log.received), MOST + 1);
    expect_all_closed(reading_end);
    CHECK_OK(moorline_socket_destroy(socket));
    CHECK_OK(moorline_service_destroy(service));
}

static void descriptors_without_a_callback_for_them_are_closed(void)
{
    struct log log = {0};
    moorline_message_options messages;
    moorline_service_callbacks callbacks = callbacks_of(&log);
    callbacks.message = hand_back_without;
    moorline_service *service = start(&callbacks, &messages);
    moorline_socket *socket = connect_with(&messages);
    int reading_end = send_pipe(socket, MOST);
    int descriptors[MOST];
    CHECK_NUMBER(receive_descriptors(socket, descriptors), 0);
    expect_all_closed(reading_end);

    /* Nor does any of a message stay open that never becomes whole. */
    struct path name;
    CHECK_OK(moorline_service_full_name(service, name.text, sizeof name.text, NULL));
    moorline_socket_options plain = MOORLINE_SOCKET_OPTIONS_INIT;
    moorline_message_options longer = messages;
    longer.framing = MOORLINE_FRAMING_LINES; /* "x\n": half of a length */
    plain.messages = &longer;
    moorline_socket *broken = NULL;
    CHECK_OK(moorline_socket_connect("name", &plain, -1, &broken));
    reading_end = send_pipe(broken, 1);
    CHECK_OK(moorline_socket_destroy(broken));
    wait_for(&log.disconnected, 1);
    CHECK_STATUS(atomic_load(&log.reason), MOORLINE_MALFORMED);
    expect_all_closed(reading_end);
    CHECK_OK(moorline_socket_destroy(socket));
    CHECK_OK(moorline_service_destroy(service));
}

static void bad_descriptors_are_refused(void)
{
    struct log log = {0};
    moorline_message_options messages;
    moorline_service_callbacks callbacks = callbacks_of(&log);
    moorline_service *service = start(&callbacks, &messages);
    moorline_socket *socket = connect_with(&messages);
    wait_for(&log.connected, 1);
    moorline_connection *connection = atomic_load(&log.connection);
    int many[254] = {0};
    const int bad = -1;
    CHECK_STATUS(moorline_connection_send_message_with_descriptors(connection, "x", 1, many, 254, 0), MOORLINE_LIMIT_REACHED);
    CHECK_STATUS(moorline_connection_send_message_with_descriptors(connection, "x", 1, &bad, 1, 0), MOORLINE_INVALID_ARGUMENT);
    CHECK_STATUS(moorline_connection_send_message_with_descriptors(connection, "x", 1, NULL, 1, 0), MOORLINE_INVALID_ARGUMENT);
    CHECK_OK(moorline_connection_send_message_with_descriptors(connection, "x", 1, NULL, 0, 0));
    int descriptors[MOST];
    CHECK_NUMBER(receive_descriptors(socket, descriptors), 0);
    CHECK_OK(moorline_socket_destroy(socket));
    CHECK_OK(moorline_service_destroy(service));
}

static void a_pidfd_is_the_peers_process(void)
{
    struct log log = {0};
    moorline_service_callbacks callbacks = callbacks_of(&log);
    moorline_service *service = started(NULL, &callbacks);
    moorline_socket *socket = connected("name");
    wait_for(&log.connected, 1);
    intptr_t of_client = 0;
    intptr_t of_service = 0;
    moorline_status status = moorline_connection_peer_process(atomic_load(&log.connection), &of_client);
    CHECK_STATUS(moorline_socket_peer_process(socket, &of_service), status);
    if (status == MOORLINE_NOT_SUPPORTED) {
        skip("this kernel has no pidfd of a peer");
    } else {
        CHECK_OK(status);
        CHECK(fcntl((int)of_client, F_GETFD) & FD_CLOEXEC);
        CHECK(of_client != of_service);
        /* Both are this process. */
        char files[2][64];
        char information[2][256];
        snprintf(files[0], sizeof files[0], "/proc/self/fdinfo/%d", (int)of_client);
        snprintf(files[1], sizeof files[1], "/proc/self/fdinfo/%d", (int)of_service);
        for (int i = 0; i < 2; ++i) {
            FILE *file = fopen(files[i], "r");
            CHECK(file != NULL);
            information[i][fread(information[i], 1, sizeof information[i] - 1, file)] = '\0';
            CHECK_SYSTEM(fclose(file));
        }
        char expected[32];
        snprintf(expected, sizeof expected, "\nPid:\t%d\n", getpid());
        CHECK_CONTAINS(information[0], expected);
        CHECK_TEXT(information[0], information[1]);
        CHECK_SYSTEM(close((int)of_client));
        CHECK_SYSTEM(close((int)of_service));
    }
    CHECK_OK(moorline_socket_destroy(socket));
    CHECK_OK(moorline_service_destroy(service));
}

int main(void)
{
    RUN(descriptors_come_and_go_with_their_messages);
    RUN(descriptors_without_a_callback_for_them_are_closed);
    RUN(bad_descriptors_are_refused);
    RUN(a_pidfd_is_the_peers_process);
    return 0;
}

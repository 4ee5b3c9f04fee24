#include "support.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

static struct sockaddr_un address_of(const char *file)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    CHECK(strlen(file) < sizeof address.sun_path);
    strcpy(address.sun_path, file);
    return address;
}

int raw_listen(const char *file)
{
    struct sockaddr_un address = address_of(file);
    int descriptor = CHECK_SYSTEM(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    CHECK_SYSTEM(bind(descriptor, (const struct sockaddr *)&address, sizeof address));
    CHECK_SYSTEM(listen(descriptor, 16));
    return descriptor;
}

int raw_connect(const char *file)
{
    struct sockaddr_un address = address_of(file);
    int descriptor = CHECK_SYSTEM(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    CHECK_SYSTEM(connect(descriptor, (const struct sockaddr *)&address, sizeof address));
    return descriptor;
}

size_t raw_read_all(int descriptor, void *buffer, size_t capacity)
{
    size_t length = 0;
    while (length < capacity) {
        ssize_t count = read(descriptor, (char *)buffer + length, capacity - length);
        if (count == -1 && errno == EINTR) {
            continue;
        }
        if (CHECK_SYSTEM(count) == 0) {
            break;
        }
        length += (size_t)count;
    }
    return length;
}

void raw_write_all(int descriptor, const void *data, size_t length)
{
    for (size_t done = 0; done < length;) {
        ssize_t count = write(descriptor, (const char *)data + done, length - done);
        if (count == -1 && errno == EINTR) {
            continue;
        }
        done += (size_t)CHECK_SYSTEM(count);
    }
}

moorline_server *new_server(void)
{
    moorline_server *server = NULL;
    CHECK_OK(moorline_server_create(NULL, &server));
    return server;
}

moorline_server *listening(const char *name)
{
    moorline_server *server = new_server();
    CHECK_OK(moorline_server_listen(server, name));
    return server;
}

moorline_socket *connected(const char *name)
{
    moorline_socket *socket = NULL;
    CHECK_OK(moorline_socket_connect(name, NULL, -1, &socket));
    return socket;
}

void expect_served(moorline_server *server, const char *name, const moorline_socket_options *options)
{
    moorline_socket *client = NULL;
    moorline_socket *accepted = NULL;
    size_t count = 0;
    char byte = 0;
    CHECK_OK(moorline_socket_connect(name, options, -1, &client));
    CHECK_OK(moorline_server_accept(server, -1, &accepted));
    CHECK_OK(moorline_socket_send(client, "x", 1, -1, &count));
    CHECK_OK(moorline_socket_receive(accepted, &byte, 1, -1, &count));
    CHECK_NUMBER(byte, 'x');
    CHECK_OK(moorline_socket_destroy(client));
    CHECK_OK(moorline_socket_destroy(accepted));
}

struct path full_name(moorline_server *server)
{
    struct path result;
    size_t needed = 0;
    CHECK_OK(moorline_server_full_name(server, result.text, sizeof result.text, &needed));
    CHECK_NUMBER(needed, strlen(result.text) + 1);
    return result;
}

void make_queued_pair(moorline_socket **first, moorline_socket **second, size_t queue_limit)
{
    moorline_socket_options options = {.struct_size = sizeof options, .send_queue_limit = queue_limit};
    CHECK_OK(moorline_socket_pair(&options, first, second));
}

void destroy_pair(moorline_socket *first, moorline_socket *second)
{
    CHECK_OK(moorline_socket_destroy(first));
    CHECK_OK(moorline_socket_destroy(second));
}

moorline_close_report close_report(moorline_socket *socket, int64_t timeout_ms, moorline_status expected)
{
    moorline_close_report report = {.struct_size = sizeof report, .sent = 77, .unsent = 77, .received = 77};
    CHECK_STATUS(moorline_socket_close(socket, timeout_ms, &report), expected);
    return report;
}

struct path last_error(void)
{
    struct path result = {""};
    size_t needed = 0;
    (void)!moorline_last_error(result.text, sizeof result.text, &needed);
    return result;
}

size_t fill(moorline_socket *socket)
{
    static const char block[65536];
    size_t total = 0;
    for (;;) {
        size_t sent = 0;
        moorline_status status = moorline_socket_send(socket, block, sizeof block, 0, &sent);
        total += sent;
        if (status != MOORLINE_OK) {
            CHECK_STATUS(status, MOORLINE_WOULD_BLOCK);
            return total;
        }
    }
}

void receive_exactly(moorline_socket *socket, void *buffer, size_t length)
{
    for (size_t done = 0; done < length;) {
        size_t received = 0;
        CHECK_OK(moorline_socket_receive(socket, (char *)buffer + done, length - done, -1, &received));
        CHECK(received > 0);
        done += received;
    }
}

uint64_t receive_until_disconnected(moorline_socket *socket)
{
    static _Thread_local char buffer[65536];
    for (uint64_t total = 0;;) {
        size_t received = 0;
        moorline_status status = moorline_socket_receive(socket, buffer, sizeof buffer, -1, &received);
        if (status == MOORLINE_DISCONNECTED) {
            CHECK_NUMBER(received, 0);
            return total;
        }
        CHECK_OK(status);
        CHECK(received > 0);
        total += received;
    }
}

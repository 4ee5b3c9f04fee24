/* A server over a listening socket that somebody else made: path, abstract or unnamed. The owner's file stays. */
#include "support.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

static void expect_pending(moorline_server *server, int client)
{
    moorline_socket *accepted = NULL;
    size_t received = 0;
    char byte = 0;
    raw_write_all(client, "x", 1);
    CHECK_OK(moorline_server_accept(server, -1, &accepted));
    CHECK_OK(moorline_socket_receive(accepted, &byte, 1, -1, &received));
    CHECK_NUMBER(byte, 'x');
    CHECK_OK(moorline_socket_destroy(accepted));
    CHECK_SYSTEM(close(client));
}

static void test_a_path_listener(void)
{
    struct path file = in_test_directory("name");
    moorline_server *server = new_server();
    int listener = raw_listen(file.text);
    CHECK_SYSTEM(fcntl(listener, F_SETFD, 0));
    CHECK_OK(moorline_server_listen_descriptor(server, listener));
    CHECK_TEXT(full_name(server).text, file.text);
    expect_pending(server, raw_connect(file.text));
    CHECK_STATUS(moorline_server_listen(server, "other"), MOORLINE_INVALID_STATE);

    /* Adopted descriptors follow our rules: they neither survive exec nor block. */
    intptr_t descriptor = -1;
    CHECK_OK(moorline_server_descriptor(server, &descriptor));
    CHECK(CHECK_SYSTEM(fcntl((int)descriptor, F_GETFD)) & FD_CLOEXEC);
    moorline_socket *nobody = NULL;
    CHECK_STATUS(moorline_server_accept(server, 0, &nobody), MOORLINE_WOULD_BLOCK);

    CHECK_OK(moorline_server_close(server));
    CHECK(exists(file.text)); /* not ours to remove */
    CHECK_OK(moorline_server_listen(server, "other"));
    CHECK_OK(moorline_server_destroy(server));
    CHECK(exists(file.text));
    CHECK_SYSTEM(unlink(file.text));
}

static void test_an_abstract_listener(void)
{
    const char *name = strrchr(test_directory(), '/') + 1;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path + 1, name);
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
    int listener = CHECK_SYSTEM(socket(AF_UNIX, SOCK_STREAM, 0));
    CHECK_SYSTEM(bind(listener, (const struct sockaddr *)&address, length));
    CHECK_SYSTEM(listen(listener, 4));
    moorline_server *server = new_server();
    CHECK_OK(moorline_server_listen_descriptor(server, listener));
    CHECK_CONTAINS(full_name(server).text, name);
    int client = CHECK_SYSTEM(socket(AF_UNIX, SOCK_STREAM, 0));
    CHECK_SYSTEM(connect(client, (const struct sockaddr *)&address, length));
    expect_pending(server, client);
    CHECK_OK(moorline_server_destroy(server));
}

static void test_an_unnamed_listener(void)
{
    int listener = CHECK_SYSTEM(socket(AF_UNIX, SOCK_STREAM, 0));
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    CHECK_SYSTEM(bind(listener, (const struct sockaddr *)&address, sizeof(sa_family_t))); /* the kernel picks a name */
    CHECK_SYSTEM(listen(listener, 4));
    socklen_t length = sizeof address;
    CHECK_SYSTEM(getsockname(listener, (struct sockaddr *)&address, &length));
    moorline_server *server = new_server();
    CHECK_OK(moorline_server_listen_descriptor(server, listener));
    int client = CHECK_SYSTEM(socket(AF_UNIX, SOCK_STREAM, 0));
    CHECK_SYSTEM(connect(client, (const struct sockaddr *)&address, length));
    expect_pending(server, client);
    CHECK_OK(moorline_server_destroy(server));
}

static void expect_refused(int descriptor)
{
    moorline_server *server = new_server();
    CHECK_STATUS(moorline_server_listen_descriptor(server, descriptor), MOORLINE_INVALID_ARGUMENT);
    CHECK_OK(moorline_server_listen(server, "name")); /* the server is as good as before */
    CHECK_OK(moorline_server_destroy(server));
}

static void expect_refused_and_left(int descriptor)
{
    int flags = CHECK_SYSTEM(fcntl(descriptor, F_GETFL));
    expect_refused(descriptor);
    CHECK_NUMBER(CHECK_SYSTEM(fcntl(descriptor, F_GETFL)), flags); /* still the caller's, and as it was */
    CHECK_SYSTEM(close(descriptor));
}

static void test_what_cannot_be_adopted(void)
{
    int pair[2];
    CHECK_SYSTEM(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
    expect_refused_and_left(pair[0]); /* it does not listen */
    CHECK_SYSTEM(close(pair[1]));
    expect_refused_and_left(CHECK_SYSTEM(open("/dev/null", O_RDWR | O_CLOEXEC)));
    expect_refused_and_left(CHECK_SYSTEM(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)));
    expect_refused_and_left(CHECK_SYSTEM(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)));
    int closed = CHECK_SYSTEM(dup(STDERR_FILENO));
    CHECK_SYSTEM(close(closed));
    expect_refused(closed);
    expect_refused(-1);
}

int main(void)
{
    RUN(test_a_path_listener);
    RUN(test_an_abstract_listener);
    RUN(test_an_unnamed_listener);
    RUN(test_what_cannot_be_adopted);
    return 0;
}

/* A user's program in C: the library's version against its header's, and an echo. */
#include <moorline/moorline.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(int holds, const char* what) {
    if (!holds) {
        char reason[512] = "";
        size_t needed = 0;
        if (moorline_last_error(reason, sizeof reason, &needed) != MOORLINE_OK) {
            reason[0] = '\0';
        }
        fprintf(stderr, "consumer: failed: %s (last error: %s)\n", what, reason);
        exit(EXIT_FAILURE);
    }
}

static void check_version(void) {
    char expected[64];
    snprintf(expected, sizeof expected, "%d.%d.%d", MOORLINE_VERSION_MAJOR, MOORLINE_VERSION_MINOR, MOORLINE_VERSION_PATCH);
    check(strcmp(moorline_version(), expected) == 0, "the library has its header's version");
    check(strcmp(EXPECTED_VERSION, expected) == 0, "the package has its header's version");
    check(moorline_abi_version() == MOORLINE_ABI_VERSION, "the library has its header's ABI version");
}

static void check_echo(void) {
    static const char message[] = "the quick brown fox";
    const int64_t deadline = 30000;
    moorline_service* service = NULL;
    moorline_socket* socket = NULL;
    char name[512];
    char answer[sizeof message];
    size_t needed = 0, sent = 0, have = 0, handles = 1;

    check(moorline_service_create(NULL, NULL, &service) == MOORLINE_OK, "an echo service is created");
    check(moorline_service_start_unique(service, "consumer") == MOORLINE_OK, "it starts");
    check(moorline_service_full_name(service, name, sizeof name, &needed) == MOORLINE_OK, "it says its name");
    check(moorline_socket_connect(name, NULL, deadline, &socket) == MOORLINE_OK, "a socket connects");
    check(moorline_socket_send(socket, message, sizeof message, deadline, &sent) == MOORLINE_OK, "it sends");
    check(sent == sizeof message, "all is sent");
    while (have < sizeof answer) {
        size_t received = 0;
        check(moorline_socket_receive(socket, answer + have, sizeof answer - have, deadline, &received) == MOORLINE_OK,
              "it receives");
        have += received;
    }
    check(memcmp(answer, message, sizeof message) == 0, "the echo is what was sent");

    check(moorline_socket_destroy(socket) == MOORLINE_OK, "the socket is destroyed");
    check(moorline_service_destroy(service) == MOORLINE_OK, "the service is destroyed");
    check(moorline_live_handles(&handles) == MOORLINE_OK && handles == 0, "no handle is left");
}

int main(void) {
    check_version();
    check_echo();
    return EXIT_SUCCESS;
}

/* Work of which the instructions are counted: always the same, with no more threads than it takes.
 *
 *     runs echo-raw|echo-checked|poller TIMES */
#define _POSIX_C_SOURCE 200809L

#include <moorline/moorline.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LENGTH = 1000, WATCHED = 100 };

static void check(moorline_status status, const char* what) {
    if (status != MOORLINE_OK) {
        fprintf(stderr, "%s: %s\n", what, moorline_status_name(status));
        exit(1);
    }
}

/* Long enough for the service's thread to come to rest: otherwise it sometimes finds the next message before it has waited for it,
 * and takes fewer instructions. Asleep, none is counted. */
static void let_it_rest(void) {
    const struct timespec time = {.tv_sec = 0, .tv_nsec = 1000000};
    nanosleep(&time, NULL);
}

/* Round trips with a service's echo, one after another. Nobody looks again before sleeping: how often would be a matter of time. */
static void echo(const moorline_message_options* messages, unsigned long times) {
    moorline_service_options service_options = MOORLINE_SERVICE_OPTIONS_INIT;
    service_options.messages = messages;
    service_options.busy_poll_us = MOORLINE_BUSY_POLL_NEVER;
    moorline_service* service = NULL;
    check(moorline_service_create(&service_options, NULL, &service), "service_create");
    check(moorline_service_start_unique(service, "instructions"), "service_start_unique");
    char name[256];
    check(moorline_service_full_name(service, name, sizeof name, NULL), "service_full_name");

    moorline_socket_options socket_options = MOORLINE_SOCKET_OPTIONS_INIT;
    socket_options.messages = messages;
    moorline_socket* socket = NULL;
    check(moorline_socket_connect(name, &socket_options, -1, &socket), "socket_connect");
    moorline_poller_options poller_options = MOORLINE_POLLER_OPTIONS_INIT;
    poller_options.busy_poll_us = MOORLINE_BUSY_POLL_NEVER;
    moorline_poller* poller = NULL;
    check(moorline_poller_create(&poller_options, &poller), "poller_create");
    check(moorline_poller_add_socket(poller, socket, MOORLINE_READABLE | MOORLINE_EDGE, 0), "poller_add_socket");

    char data[LENGTH];
    char answer[LENGTH];
    memset(data, 'x', sizeof data);
    for (unsigned long i = 0; i < times; ++i) {
        let_it_rest();
        size_t length = 0;
        if (messages != NULL) {
            check(moorline_socket_send_message(socket, data, sizeof data, -1), "socket_send_message");
        } else {
            check(moorline_socket_send(socket, data, sizeof data, -1, &length), "socket_send");
        }
        moorline_status status = MOORLINE_WOULD_BLOCK;
        while (status == MOORLINE_WOULD_BLOCK) {
            moorline_event event;
            size_t count = 0;
            check(moorline_poller_wait(poller, &event, 1, -1, &count), "poller_wait");
            status = messages != NULL ? moorline_socket_receive_message(socket, answer, sizeof answer, 0, &length)
                                      : moorline_socket_receive(socket, answer, sizeof answer, 0, &length);
        }
        check(status, "receive");
        if (length != sizeof data || memcmp(answer, data, length) != 0) {
            fprintf(stderr, "something else came back than was sent\n");
            exit(1);
        }
    }
    check(moorline_socket_destroy(socket), "socket_destroy");
    check(moorline_poller_destroy(poller), "poller_destroy");
    check(moorline_service_destroy(service), "service_destroy");
}

/* On one thread: a look-up of a handle, a wait in vain, a byte that makes one of many sockets ready, and its receipt. */
static void poll_many(unsigned long times) {
    moorline_poller* poller = NULL;
    check(moorline_poller_create(NULL, &poller), "poller_create");
    moorline_socket* left[WATCHED];
    moorline_socket* right[WATCHED];
    for (unsigned i = 0; i < WATCHED; ++i) {
        check(moorline_socket_pair(NULL, &left[i], &right[i]), "socket_pair");
        check(moorline_poller_add_socket(poller, right[i], MOORLINE_READABLE | MOORLINE_EDGE, i), "poller_add_socket");
    }
    for (unsigned long i = 0; i < times; ++i) {
        const unsigned long which = i % WATCHED;
        ptrdiff_t descriptor = 0;
        check(moorline_poller_descriptor(poller, &descriptor), "poller_descriptor");
        moorline_event event;
        size_t count = 0;
        if (moorline_poller_wait(poller, &event, 1, 0, &count) != MOORLINE_WOULD_BLOCK) {
            fprintf(stderr, "something is ready\n");
            exit(1);
        }
        size_t length = 0;
        check(moorline_socket_send(left[which], "x", 1, 0, &length), "socket_send");
        check(moorline_poller_wait(poller, &event, 1, 0, &count), "poller_wait");
        char byte;
        check(moorline_socket_receive(right[event.token], &byte, 1, 0, &length), "socket_receive");
    }
    for (unsigned i = 0; i < WATCHED; ++i) {
        check(moorline_socket_destroy(left[i]), "socket_destroy");
        check(moorline_socket_destroy(right[i]), "socket_destroy");
    }
    check(moorline_poller_destroy(poller), "poller_destroy");
}

int main(int argc, char** argv) {
    const unsigned long times = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
    if (times > 0 && strcmp(argv[1], "echo-raw") == 0) {
        echo(NULL, times);
    } else if (times > 0 && strcmp(argv[1], "echo-checked") == 0) {
        moorline_message_options messages = MOORLINE_MESSAGE_OPTIONS_INIT;
        messages.framing = MOORLINE_FRAMING_CHECKED;
        echo(&messages, times);
    } else if (times > 0 && strcmp(argv[1], "poller") == 0) {
        poll_many(times);
    } else {
        fprintf(stderr, "usage: %s echo-raw|echo-checked|poller TIMES\n", argv[0]);
        return 2;
    }
    return 0;
}

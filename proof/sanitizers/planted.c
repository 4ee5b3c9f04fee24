/* Bugs on purpose, in memory that the library reads: a sanitizer that does not find them would find nothing else either.
   To send a line, the library's own code searches it for the end of one. */
#include <moorline/moorline.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH = 64 };

static moorline_socket* sender;
static char* line;
/* Of a thread that had ended before the other one began, the sanitizer may have forgotten what it did. */
static pthread_barrier_t both_run;

static void* send_line(void* unused) {
    (void)unused;
    if (moorline_socket_send_message(sender, line, LENGTH, 1000) != MOORLINE_OK) {
        fprintf(stderr, "planted: the line was not sent\n");
    }
    return NULL;
}

static void* send_line_meanwhile(void* unused) {
    pthread_barrier_wait(&both_run);
    return send_line(unused);
}

static void* change_line_meanwhile(void* unused) {
    (void)unused;
    pthread_barrier_wait(&both_run);
    line[0] = 'y';
    return NULL;
}

int main(int argc, char** argv) {
    moorline_message_options messages = MOORLINE_MESSAGE_OPTIONS_INIT;
    moorline_socket_options options = MOORLINE_SOCKET_OPTIONS_INIT;
    moorline_socket* receiver = NULL;
    messages.framing = MOORLINE_FRAMING_LINES;
    options.messages = &messages;
    if (argc != 2 || moorline_socket_pair(&options, &sender, &receiver) != MOORLINE_OK) {
        fprintf(stderr, "planted race|use_after_free\n");
        return 2;
    }
    line = malloc(LENGTH);
    memset(line, 'x', LENGTH);
    if (strcmp(argv[1], "race") == 0) {
        pthread_t threads[2];
        pthread_barrier_init(&both_run, NULL, 2);
        pthread_create(&threads[0], NULL, send_line_meanwhile, NULL);
        pthread_create(&threads[1], NULL, change_line_meanwhile, NULL);
        pthread_join(threads[0], NULL);
        pthread_join(threads[1], NULL);
        pthread_barrier_destroy(&both_run);
        free(line);
    } else {
        free(line);
        send_line(NULL);
    }
    return moorline_socket_destroy(sender) == MOORLINE_OK && moorline_socket_destroy(receiver) == MOORLINE_OK ? 0 : 1;
}

/* What the C tests share: checks that say what went wrong, a watchdog, a directory of its own for every test, and the
   proof that a test left nothing behind. Include it first: it asks for the GNU interfaces. */
#ifndef MOORLINE_TESTS_SUPPORT_H
#define MOORLINE_TESTS_SUPPORT_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include <moorline/moorline.h>

/* --- checks: each prints file, line, expression, both values and the library's last error, and ends the process --- */

#define CHECK(condition) check_true(__FILE__, __LINE__, #condition, (condition))
#define CHECK_STATUS(call, expected) check_status(__FILE__, __LINE__, #call, (call), (expected))
#define CHECK_OK(call) CHECK_STATUS(call, MOORLINE_OK)
#define CHECK_NUMBER(actual, expected)                                                               \
    check_number(__FILE__, __LINE__, #actual, (long long)(actual), #expected, (long long)(expected))
#define CHECK_POINTER(actual, expected)                                                          \
    check_pointer(__FILE__, __LINE__, #actual, (const void *)(actual), (const void *)(expected))
#define CHECK_TEXT(actual, expected) check_text(__FILE__, __LINE__, #actual, (actual), (expected))
#define CHECK_CONTAINS(text, part) check_contains(__FILE__, __LINE__, #text, (text), (part))
/* For a call of the system that answers -1 and sets errno; gives the answer back. */
#define CHECK_SYSTEM(call) check_system(__FILE__, __LINE__, #call, (long long)(call))

void check_true(const char *file, int line, const char *expression, bool holds);
void check_status(const char *file, int line, const char *expression, moorline_status actual, moorline_status expected);
void check_number(const char *file, int line, const char *expression, long long actual, const char *other, long long expected);
void check_pointer(const char *file, int line, const char *expression, const void *actual, const void *expected);
void check_text(const char *file, int line, const char *expression, const char *actual, const char *expected);
void check_contains(const char *file, int line, const char *expression, const char *text, const char *part);
int check_system(const char *file, int line, const char *expression, long long result);

/* Ends the process with 1 after `message`; for what no check above can say. */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* --- running --- */

/* Runs one test function under a watchdog, in a fresh directory that is also TMPDIR, and checks that nothing is left. */
#define RUN(test) run_test(#test, test)
void run_test(const char *name, void (*test)(void));

/* Says why the rest of this test makes no sense here; the caller then returns. */
void skip(const char *reason);

/* Fails unless, within the watchdog's patience, the library has no handle alive and the process has the descriptors,
   the threads and (in the test's directory) the files that it had when the test began. */
void expect_nothing_left(void);

/* Makes the state of this moment the one that expect_nothing_left compares with; for a forked child. */
void remember_what_is_here(void);

/* Seconds after which the watchdog ends a test that hangs. */
#define WATCHDOG_SECONDS 60

/* --- what the process holds --- */

int open_descriptors(void);
int running_threads(void);
size_t live_handles(void);
uint64_t monotonic_ms(void);
/* Processor time used by the calling thread, and by a whole process. */
uint64_t thread_cpu_ms(void);
uint64_t process_cpu_ms(pid_t pid);
/* Passes the time that a measurement needs; never a means to wait for something. */
void let_time_pass_ms(int64_t duration);

/* --- files --- */

struct path {
    char text[PATH_MAX];
};

const char *test_directory(void);
struct path in_test_directory(const char *name);
int files_in(const char *directory);
bool exists(const char *file);
void write_file(const char *file, const char *content);
void check_file(const char *file, const char *content);
unsigned mode_of(const char *file);

/* --- sockets made by plain C, the library not asked --- */

int raw_listen(const char *file);
int raw_connect(const char *file);
/* Reads until the peer leaves or `capacity` is full; gives the number of bytes. */
size_t raw_read_all(int descriptor, void *buffer, size_t capacity);
void raw_write_all(int descriptor, const void *data, size_t length);

/* --- shorthands of the library --- */

/* A server of default options that does not listen, and one that does under `name`. */
moorline_server *new_server(void);
moorline_server *listening(const char *name);
moorline_socket *connected(const char *name);
/* Connects to `name`, and expects that it is this server that accepts, and that a byte goes through. */
void expect_served(moorline_server *server, const char *name, const moorline_socket_options *options);
struct path full_name(moorline_server *server);
/* A pair whose sends queue up to so many bytes. */
void make_queued_pair(moorline_socket **first, moorline_socket **second, size_t queue_limit);
void destroy_pair(moorline_socket *first, moorline_socket *second);
/* Closes, expects this answer, and gives the report. */
moorline_close_report close_report(moorline_socket *socket, int64_t timeout_ms, moorline_status expected);
/* What the calling thread's last error says. */
struct path last_error(void);
/* Sends with timeout 0 until the kernel takes no more; gives the number of bytes taken. */
size_t fill(moorline_socket *socket);
/* Receives exactly `length` bytes. */
void receive_exactly(moorline_socket *socket, void *buffer, size_t length);
/* Receives until the peer has left; gives the number of bytes. */
uint64_t receive_until_disconnected(moorline_socket *socket);

/* --- threads --- */

struct worker {
    pthread_t thread;
    _Atomic pid_t id;
    atomic_bool finished;
    void (*body)(void *);
    void *context;
};

void worker_start(struct worker *worker, void (*body)(void *), void *context);
/* Returns when the thread sleeps in the kernel. The body must do nothing that sleeps before the call that is meant. */
void worker_wait_until_blocked(struct worker *worker);
/* Returns when all threads but the calling one sleep in the kernel, also those of the library: nobody has any of its locks. */
void wait_until_other_threads_sleep(void);
void worker_join(struct worker *worker);

/* --- processes --- */

/* A forked process and a line to it: both sides say and hear single bytes, which is all the synchronisation that is needed. */
struct child {
    pid_t pid;
    int line;
};

struct child child_start(void (*body)(int line, void *context), void *context);
void line_say(int line, char word);
/* Waits for the other side to say exactly `word`. */
void line_hear(int line, char word);
/* The next byte, whatever it is; -1 when the other side is gone. */
int line_hear_any(int line);
/* Waits for the end of the child, which must be a plain exit with 0. */
void child_expect_success(struct child *child);
/* SIGKILL, and waits: the child has no chance to tidy up. */
void child_kill(struct child *child);
/* Waits; the answer is what waitpid gave. */
int child_wait(struct child *child);

#endif

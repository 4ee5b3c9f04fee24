#include "support.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

static void *worker_main(void *argument)
{
    struct worker *self = argument;
    atomic_store(&self->id, gettid());
    self->body(self->context);
    atomic_store(&self->finished, true);
    return NULL;
}

void worker_start(struct worker *worker, void (*body)(void *), void *context)
{
    atomic_init(&worker->id, 0);
    atomic_init(&worker->finished, false);
    worker->body = body;
    worker->context = context;
    CHECK_NUMBER(pthread_create(&worker->thread, NULL, worker_main, worker), 0);
}

/* What a file of /proc says of a thread; nothing of one that has ended. */
static void read_task_file(pid_t id, const char *name, char *buffer, size_t capacity)
{
    char file[64];
    snprintf(file, sizeof file, "/proc/self/task/%d/%s", (int)id, name);
    buffer[0] = '\0';
    int descriptor = open(file, O_RDONLY | O_CLOEXEC);
    if (descriptor != -1) {
        ssize_t length = read(descriptor, buffer, capacity - 1);
        buffer[length > 0 ? length : 0] = '\0';
        close(descriptor);
    }
}

static char task_state(pid_t id)
{
    char text[512];
    read_task_file(id, "stat", text, sizeof text);
    const char *end_of_name = strrchr(text, ')');
    return end_of_name != NULL && end_of_name[1] == ' ' ? end_of_name[2] : '?';
}

/* What was seen of a thread: the system call that it is in; "running" when it is in none. */
struct look {
    char call[256];
};

/* Whether the thread is asleep in the same call on two looks in a row: not a short wait for some lock on the way. */
static bool sleeps(pid_t id, struct look *before)
{
    struct look now = {""};
    bool asleep = id != 0 && task_state(id) == 'S';
    if (asleep) {
        read_task_file(id, "syscall", now.call, sizeof now.call);
        asleep = strcmp(now.call, before->call) == 0 && strncmp(now.call, "running", 7) != 0;
    }
    *before = now;
    return asleep;
}

void worker_wait_until_blocked(struct worker *worker)
{
    struct look look = {""};
    while (!sleeps(atomic_load(&worker->id), &look)) {
        if (atomic_load(&worker->finished)) {
            fail("a call that should block came back");
        }
        let_time_pass_ms(1);
    }
}

void wait_until_other_threads_sleep(void)
{
    DIR *threads = opendir("/proc/self/task");
    CHECK(threads != NULL);
    for (struct dirent *entry; (entry = readdir(threads)) != NULL;) {
        pid_t id = (pid_t)strtol(entry->d_name, NULL, 10);
        struct look look = {""};
        while (id != 0 && id != gettid() && task_state(id) != '?' && !sleeps(id, &look)) {
            let_time_pass_ms(1);
        }
    }
    CHECK_SYSTEM(closedir(threads));
}

void worker_join(struct worker *worker)
{
    CHECK_NUMBER(pthread_join(worker->thread, NULL), 0);
}

struct child child_start(void (*body)(int line, void *context), void *context)
{
    int line[2];
    CHECK_SYSTEM(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, line));
    fflush(NULL);
    pid_t parent = getpid();
    struct child result = {.pid = CHECK_SYSTEM(fork()), .line = line[0]};
    if (result.pid == 0) {
        CHECK_SYSTEM(prctl(PR_SET_PDEATHSIG, SIGKILL));
        if (getppid() != parent) {
            _exit(1);
        }
        alarm(WATCHDOG_SECONDS); /* fork does not inherit it */
        CHECK_SYSTEM(close(line[0]));
        body(line[1], context);
        fflush(NULL);
        _exit(0);
    }
    CHECK_SYSTEM(close(line[1]));
    return result;
}

void line_say(int line, char word)
{
    CHECK_NUMBER(CHECK_SYSTEM(send(line, &word, 1, MSG_NOSIGNAL)), 1);
}

int line_hear_any(int line)
{
    for (;;) {
        char word = 0;
        ssize_t count = recv(line, &word, 1, 0);
        if (count == 1) {
            return word;
        }
        if (count == 0 || errno != EINTR) {
            return -1;
        }
    }
}

void line_hear(int line, char word)
{
    int heard = line_hear_any(line);
    if (heard != word) {
        fail("the other process should have said '%c', but said '%c' (%d)", word, heard < 32 ? '?' : heard, heard);
    }
}

int child_wait(struct child *child)
{
    int status = 0;
    while (waitpid(child->pid, &status, 0) == -1) {
        CHECK_NUMBER(errno, EINTR);
    }
    CHECK_SYSTEM(close(child->line));
    return status;
}

void child_expect_success(struct child *child)
{
    int status = child_wait(child);
    if (WIFSIGNALED(status)) {
        fail("the child process was ended by signal %d", WTERMSIG(status));
    }
    CHECK_NUMBER(WEXITSTATUS(status), 0);
}

void child_kill(struct child *child)
{
    CHECK_SYSTEM(kill(child->pid, SIGKILL));
    int status = child_wait(child);
    CHECK(WIFSIGNALED(status));
    CHECK_NUMBER(WTERMSIG(status), SIGKILL);
}

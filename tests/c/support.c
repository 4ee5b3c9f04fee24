#include "support.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <time.h>

static const char *test_name = "(none)";
static struct path directory;
static pid_t directory_owner;
static int descriptors_before;
static int threads_before;

static int remove_one(const char *file, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    return remove(file);
}

static void remove_directory(void)
{
    if (directory.text[0] != '\0' && directory_owner == getpid()) {
        (void)nftw(directory.text, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        directory.text[0] = '\0';
    }
}

/* Not exit(): other threads may be anywhere in the library. */
static _Noreturn void end_badly(void)
{
    fflush(NULL);
    remove_directory();
    _exit(1);
}

static void print_last_error(void)
{
    struct path error = last_error();
    fprintf(stderr, "    test: %s\n    last error: %s (errno %d)\n", test_name, error.text, (int)moorline_last_os_error());
}

void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "FAILED: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    print_last_error();
    end_badly();
}

void check_true(const char *file, int line, const char *expression, bool holds)
{
    if (!holds) {
        fprintf(stderr, "%s:%d: FAILED: %s is false\n", file, line, expression);
        print_last_error();
        end_badly();
    }
}

void check_status(const char *file, int line, const char *expression, moorline_status actual, moorline_status expected)
{
    if (actual != expected) {
        fprintf(stderr, "%s:%d: FAILED: %s\n    is %s (%d), expected %s (%d)\n", file, line, expression,
                moorline_status_name(actual), (int)actual, moorline_status_name(expected), (int)expected);
        print_last_error();
        end_badly();
    }
}

void check_number(const char *file, int line, const char *expression, long long actual, const char *other, long long expected)
{
    if (actual != expected) {
        fprintf(stderr, "%s:%d: FAILED: %s == %s\n    is %lld, expected %lld\n", file, line, expression, other, actual, expected);
        print_last_error();
        end_badly();
    }
}

void check_pointer(const char *file, int line, const char *expression, const void *actual, const void *expected)
{
    if (actual != expected) {
        fprintf(stderr, "%s:%d: FAILED: %s\n    is %p, expected %p\n", file, line, expression, actual, expected);
        print_last_error();
        end_badly();
    }
}

void check_text(const char *file, int line, const char *expression, const char *actual, const char *expected)
{
    if (actual == NULL || strcmp(actual, expected) != 0) {
        fprintf(stderr, "%s:%d: FAILED: %s\n    is \"%s\", expected \"%s\"\n", file, line, expression,
                actual == NULL ? "(NULL)" : actual, expected);
        print_last_error();
        end_badly();
    }
}

void check_contains(const char *file, int line, const char *expression, const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fprintf(stderr, "%s:%d: FAILED: %s\n    is \"%s\", expected to contain \"%s\"\n", file, line, expression, text, part);
        print_last_error();
        end_badly();
    }
}

int check_system(const char *file, int line, const char *expression, long long result)
{
    if (result == -1) {
        int code = errno;
        fprintf(stderr, "%s:%d: FAILED: %s: %s\n", file, line, expression, strerror(code));
        print_last_error();
        end_badly();
    }
    return (int)result;
}

/* Only what a signal handler may call. */
static void on_alarm(int signal)
{
    static const char text[] = "FAILED: the watchdog ended a test that hangs: ";
    (void)signal;
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    (void)!write(STDERR_FILENO, test_name, strlen(test_name));
    (void)!write(STDERR_FILENO, "\n", 1);
    abort();
}

void run_test(const char *name, void (*test)(void))
{
    test_name = name;
    fprintf(stderr, "%s\n", name);
    struct sigaction action = {.sa_handler = on_alarm};
    CHECK_SYSTEM(sigaction(SIGALRM, &action, NULL));
    alarm(WATCHDOG_SECONDS);

    /* Short on purpose: plain C sockets take 107 bytes of path. */
    strcpy(directory.text, "/tmp/moorline-XXXXXX");
    directory_owner = getpid();
    CHECK(mkdtemp(directory.text) != NULL);
    CHECK_SYSTEM(setenv("TMPDIR", directory.text, 1));

    remember_what_is_here();
    test();
    expect_nothing_left();

    remove_directory();
    alarm(0);
}

void skip(const char *reason)
{
    fprintf(stderr, "    skipped: %s\n", reason);
}

static int entries_of(const char *name)
{
    DIR *listing = opendir(name);
    CHECK(listing != NULL);
    int count = 0;
    for (struct dirent *entry; (entry = readdir(listing)) != NULL;) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            ++count;
        }
    }
    closedir(listing);
    return count;
}

static void print_entries(const char *name)
{
    DIR *listing = opendir(name);
    for (struct dirent *entry; listing != NULL && (entry = readdir(listing)) != NULL;) {
        char target[256] = "";
        (void)!readlinkat(dirfd(listing), entry->d_name, target, sizeof target - 1);
        fprintf(stderr, "    %s/%s %s\n", name, entry->d_name, target);
    }
    if (listing != NULL) {
        closedir(listing);
    }
}

int open_descriptors(void)
{
    return entries_of("/proc/self/fd") - 1; /* without the one that reads the directory */
}

int running_threads(void)
{
    return entries_of("/proc/self/task");
}

size_t live_handles(void)
{
    size_t count = 0;
    CHECK_OK(moorline_live_handles(&count));
    return count;
}

void remember_what_is_here(void)
{
    descriptors_before = open_descriptors();
    threads_before = running_threads();
}

/* Another thread may be just about to leave a call and drop the last reference, so this looks more than once. */
void expect_nothing_left(void)
{
    const uint64_t deadline = monotonic_ms() + 20000;
    for (;;) {
        if (live_handles() == 0 && open_descriptors() == descriptors_before && running_threads() == threads_before &&
            (directory_owner != getpid() || files_in(directory.text) == 0)) {
            return;
        }
        if (monotonic_ms() > deadline) {
            break;
        }
        let_time_pass_ms(1);
    }
    char report[4096] = "";
    size_t needed = 0;
    (void)!moorline_live_handles_report(report, sizeof report, &needed);
    fprintf(stderr, "    handles:\n%s\n    descriptors: %d, before %d\n", report, open_descriptors(), descriptors_before);
    print_entries("/proc/self/fd");
    fprintf(stderr, "    threads: %d, before %d\n    files:\n", running_threads(), threads_before);
    print_entries(directory.text);
    fail("something was left behind");
}

static uint64_t clock_ms(clockid_t clock)
{
    struct timespec time;
    CHECK_SYSTEM(clock_gettime(clock, &time));
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

uint64_t monotonic_ms(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

uint64_t thread_cpu_ms(void)
{
    return clock_ms(CLOCK_THREAD_CPUTIME_ID);
}

uint64_t process_cpu_ms(pid_t pid)
{
    clockid_t clock;
    CHECK_NUMBER(clock_getcpuclockid(pid, &clock), 0);
    return clock_ms(clock);
}

void let_time_pass_ms(int64_t duration)
{
    struct timespec rest = {.tv_sec = duration / 1000, .tv_nsec = duration % 1000 * 1000000};
    while (nanosleep(&rest, &rest) == -1 && errno == EINTR) {
    }
}

const char *test_directory(void)
{
    return directory.text;
}

struct path in_test_directory(const char *name)
{
    struct path result;
    int length = snprintf(result.text, sizeof result.text, "%s/%s", directory.text, name);
    CHECK(length > 0 && (size_t)length < sizeof result.text);
    return result;
}

int files_in(const char *name)
{
    return entries_of(name);
}

bool exists(const char *file)
{
    struct stat status;
    return lstat(file, &status) == 0;
}

void write_file(const char *file, const char *content)
{
    int descriptor = CHECK_SYSTEM(open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    raw_write_all(descriptor, content, strlen(content));
    CHECK_SYSTEM(close(descriptor));
}

void check_file(const char *file, const char *content)
{
    char buffer[4096];
    struct stat status;
    CHECK_SYSTEM(lstat(file, &status));
    CHECK(S_ISREG(status.st_mode));
    int descriptor = CHECK_SYSTEM(open(file, O_RDONLY | O_CLOEXEC));
    size_t length = raw_read_all(descriptor, buffer, sizeof buffer - 1);
    CHECK_SYSTEM(close(descriptor));
    buffer[length] = '\0';
    CHECK_TEXT(buffer, content);
}

unsigned mode_of(const char *file)
{
    struct stat status;
    CHECK_SYSTEM(lstat(file, &status));
    return status.st_mode & 07777U;
}

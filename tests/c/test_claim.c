/* Taking a name, keeping it, recovering a dead one and giving it back. */
#include "support.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static uint32_t state_of(const char *name)
{
    uint32_t state = 77;
    CHECK_OK(moorline_name_state(name, MOORLINE_SCOPE_TEMPORARY, &state));
    return state;
}

static ino_t inode_of(const char *file)
{
    struct stat status;
    CHECK_SYSTEM(lstat(file, &status));
    return status.st_ino;
}

static void test_a_live_name_is_never_taken(void)
{
    moorline_server *first = listening("name");
    ino_t inode = inode_of(in_test_directory("name").text);
    CHECK_NUMBER(state_of("name"), MOORLINE_NAME_LIVE);
    moorline_server *second = new_server();
    for (int i = 0; i < 10; ++i) {
        CHECK_STATUS(moorline_server_listen(second, "name"), MOORLINE_NAME_IN_USE);
        CHECK_CONTAINS(last_error().text, in_test_directory("name").text);
        CHECK_OK(moorline_server_close(second));
    }
    CHECK_OK(moorline_server_destroy(second));
    CHECK_NUMBER(inode_of(in_test_directory("name").text), inode);
    CHECK_NUMBER(files_in(test_directory()), 1);
    /* None of the attempts is in the backlog as a client. */
    moorline_socket *nobody = NULL;
    CHECK_STATUS(moorline_server_accept(first, 0, &nobody), MOORLINE_WOULD_BLOCK);
    expect_served(first, "name", NULL);
    CHECK_OK(moorline_server_destroy(first));
}

static void serve_until_killed(int line, void *context)
{
    moorline_server *server = listening(context);
    line_say(line, 'r');
    line_hear(line, '-');
    (void)server;
}

static void test_the_name_of_a_killed_process_is_recovered(void)
{
    char name[] = "name";
    struct child child = child_start(serve_until_killed, name);
    line_hear(child.line, 'r');
    moorline_server *server = new_server();
    CHECK_STATUS(moorline_server_listen(server, name), MOORLINE_NAME_IN_USE);
    child_kill(&child);

    CHECK(exists(in_test_directory(name).text));
    CHECK_NUMBER(state_of(name), MOORLINE_NAME_DEAD);
    moorline_socket *socket = NULL;
    CHECK_STATUS(moorline_socket_connect(name, NULL, 0, &socket), MOORLINE_CONNECTION_REFUSED);
    CHECK_OK(moorline_server_listen(server, name));
    CHECK_NUMBER(mode_of(in_test_directory(name).text), 0600);
    expect_served(server, name, NULL);
    CHECK_OK(moorline_server_close(server));
    CHECK_NUMBER(files_in(test_directory()), 0);
    CHECK_OK(moorline_server_destroy(server));
}

static void destroy_listener(moorline_server *server)
{
    CHECK_OK(moorline_server_destroy(server));
}

static void close_listener(moorline_server *server)
{
    CHECK_OK(moorline_server_close(server));
    CHECK_OK(moorline_server_destroy(server));
}

/* What somebody else put in the place of our socket file survives our close. */
static void test_a_replaced_path_is_theirs(void)
{
    struct path file = in_test_directory("name");
    void (*const endings[])(moorline_server *) = {destroy_listener, close_listener};
    for (int i = 0; i < 2; ++i) {
        moorline_server *server = listening("name");
        CHECK_SYSTEM(unlink(file.text));
        write_file(file.text, "theirs");
        endings[i](server);
        check_file(file.text, "theirs");
        CHECK_SYSTEM(unlink(file.text));

        server = listening("name");
        CHECK_SYSTEM(unlink(file.text));
        int listener = raw_listen(file.text);
        endings[i](server);
        CHECK_SYSTEM(close(raw_connect(file.text)));
        CHECK_SYSTEM(close(listener));
        CHECK_SYSTEM(unlink(file.text));

        /* Another server of this very process. */
        server = listening("name");
        CHECK_SYSTEM(unlink(file.text));
        moorline_server *successor = listening("name");
        endings[i](server);
        expect_served(successor, "name", NULL);
        CHECK_OK(moorline_server_destroy(successor));

        /* Simply gone. */
        server = listening("name");
        CHECK_SYSTEM(unlink(file.text));
        endings[i](server);
        CHECK(!exists(file.text));
    }
}

/* What the path of the directory leads to later is somebody else's: neither served nor cleared up. */
static void expect_theirs_is_left_alone(moorline_server *server, const char *ours, const char *path)
{
    int theirs = raw_listen(path);
    CHECK_OK(moorline_server_destroy(server));
    CHECK_NUMBER(files_in(ours), 0);
    int client = raw_connect(path);
    CHECK_SYSTEM(close(CHECK_SYSTEM(accept4(theirs, NULL, NULL, SOCK_CLOEXEC))));
    CHECK_SYSTEM(close(client));
    CHECK_SYSTEM(close(theirs));
    CHECK_SYSTEM(unlink(path));
}

static void test_a_replaced_directory_is_theirs(void)
{
    struct path directory = in_test_directory("directory");
    struct path moved = in_test_directory("moved");
    struct path file = in_test_directory("directory/name");
    CHECK_SYSTEM(mkdir(directory.text, 0700));
    moorline_server *server = listening(file.text);
    CHECK_SYSTEM(rename(directory.text, moved.text));
    CHECK_SYSTEM(mkdir(directory.text, 0700));
    CHECK(exists(in_test_directory("moved/name").text));
    expect_theirs_is_left_alone(server, moved.text, file.text);
    CHECK_SYSTEM(rmdir(directory.text));
    CHECK_SYSTEM(rmdir(moved.text));
}

static void test_a_link_in_the_path_is_followed_once(void)
{
    struct path ours = in_test_directory("ours");
    struct path theirs = in_test_directory("theirs");
    struct path link = in_test_directory("link");
    struct path file = in_test_directory("link/name");
    CHECK_SYSTEM(mkdir(ours.text, 0700));
    CHECK_SYSTEM(mkdir(theirs.text, 0700));
    CHECK_SYSTEM(symlink(ours.text, link.text));
    moorline_server *server = listening(file.text);
    CHECK(exists(in_test_directory("ours/name").text));
    CHECK_SYSTEM(unlink(link.text));
    CHECK_SYSTEM(symlink(theirs.text, link.text));
    expect_theirs_is_left_alone(server, ours.text, file.text);
    CHECK_SYSTEM(unlink(link.text));
    CHECK_SYSTEM(rmdir(ours.text));
    CHECK_SYSTEM(rmdir(theirs.text));
}

static void test_close_gives_the_name_back_and_listen_takes_it_again(void)
{
    moorline_server *server = new_server();
    for (int i = 0; i < 100; ++i) {
        const char *name = i % 2 == 0 ? "even" : "odd";
        CHECK_OK(moorline_server_listen(server, name));
        CHECK_STATUS(moorline_server_listen(server, "other"), MOORLINE_INVALID_STATE);
        CHECK_STATUS(moorline_server_listen_unique(server, "other"), MOORLINE_INVALID_STATE);
        expect_served(server, name, NULL);
        CHECK_OK(moorline_server_close(server));
        CHECK(!exists(in_test_directory(name).text));
        CHECK_NUMBER(state_of(name), MOORLINE_NAME_ABSENT);
        moorline_socket *socket = NULL;
        CHECK_STATUS(moorline_socket_connect(name, NULL, 0, &socket), MOORLINE_NOT_FOUND);
        CHECK_STATUS(moorline_server_accept(server, 0, &socket), MOORLINE_INVALID_STATE);
    }
    CHECK_OK(moorline_server_close(server)); /* harmless when it does not listen */
    CHECK_OK(moorline_server_destroy(server));
}

static void test_remove_is_the_explicit_take_over(void)
{
    CHECK_OK(moorline_name_remove("name", MOORLINE_SCOPE_TEMPORARY)); /* nothing there: fine */
    moorline_server *victim = listening("name");
    CHECK_OK(moorline_name_remove("name", MOORLINE_SCOPE_TEMPORARY));
    CHECK(!exists(in_test_directory("name").text));
    moorline_server *successor = listening("name");
    CHECK_OK(moorline_server_destroy(victim));
    expect_served(successor, "name", NULL);
    CHECK_OK(moorline_server_destroy(successor));

    CHECK_SYSTEM(close(raw_listen(in_test_directory("name").text)));
    CHECK_OK(moorline_name_remove("name", MOORLINE_SCOPE_TEMPORARY));
    CHECK(!exists(in_test_directory("name").text));
}

/* Servers that know nothing of this library are respected alive and recovered dead. */
static void test_plain_c_servers(void)
{
    struct path file = in_test_directory("name");
    int listener = raw_listen(file.text);
    moorline_server *server = new_server();
    CHECK_STATUS(moorline_server_listen(server, "name"), MOORLINE_NAME_IN_USE);
    CHECK_NUMBER(state_of("name"), MOORLINE_NAME_LIVE);
    /* The probe left nothing in its queue: the first that it accepts is the client below. */
    int client = raw_connect(file.text);
    raw_write_all(client, "x", 1);
    int accepted = CHECK_SYSTEM(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
    char byte = 0;
    CHECK_NUMBER(raw_read_all(accepted, &byte, 1), 1);
    CHECK_SYSTEM(close(client));
    CHECK_SYSTEM(close(accepted));
    CHECK_SYSTEM(close(listener));

    CHECK_OK(moorline_server_listen(server, "name"));
    expect_served(server, "name", NULL);
    CHECK_OK(moorline_server_destroy(server));
}

static void listen_as_nobody(int line, void *context)
{
    (void)line;
    CHECK_SYSTEM(setgid(65534));
    CHECK_SYSTEM(setuid(65534));
    moorline_server *server = new_server();
    CHECK_STATUS(moorline_server_listen(server, context), MOORLINE_PERMISSION_DENIED);
    CHECK_CONTAINS(last_error().text, context);
    CHECK_OK(moorline_server_destroy(server));
}

static void listen_on_what_may_not_be_asked(int line, void *context)
{
    (void)line;
    CHECK_SYSTEM(setgid(65534));
    CHECK_SYSTEM(setuid(65534));
    moorline_server *server = new_server();
    CHECK_STATUS(moorline_server_listen(server, context), MOORLINE_NAME_IN_USE);
    struct path own = in_test_directory("own");
    CHECK_SYSTEM(close(raw_listen(own.text)));
    CHECK_SYSTEM(chmod(own.text, 0060));
    CHECK_STATUS(moorline_server_listen(server, own.text), MOORLINE_NAME_IN_USE);
    CHECK_SYSTEM(chmod(own.text, 0200));
    CHECK_OK(moorline_server_listen(server, own.text));
    CHECK_OK(moorline_server_destroy(server));
}

/* A dead name of this user's with this mode, in a directory like /tmp, stays, and is all that there is after somebody else's try. */
static void expect_to_stay(mode_t mode, void (*tries)(int line, void *context))
{
    if (getuid() != 0) {
        skip("only root can be two users");
        return;
    }
    struct path file = in_test_directory("name");
    CHECK_SYSTEM(chmod(test_directory(), 01777));
    CHECK_SYSTEM(close(raw_listen(file.text)));
    CHECK_SYSTEM(chmod(file.text, mode));
    struct child child = child_start(tries, file.text);
    child_expect_success(&child);
    CHECK(exists(file.text));
    CHECK_NUMBER(files_in(test_directory()), 1);
    CHECK_SYSTEM(unlink(file.text));
}

/* Only the owner may remove it there; the others are told so. */
static void test_a_dead_name_of_another_user(void)
{
    expect_to_stay(0777, listen_as_nobody);
}

/* Whether a server is alive is told to those who may write to its file. */
static void test_a_dead_name_that_may_not_be_asked(void)
{
    expect_to_stay(0600, listen_on_what_may_not_be_asked);
}

/* The first of the names under which a claim of this one binds: FNV-1a of the name. */
static struct path private_name_of(const char *name)
{
    uint64_t hash = 0xcbf29ce484222325;
    for (; *name != '\0'; ++name) {
        hash = (hash ^ (unsigned char)*name) * 0x100000001b3;
    }
    char file[64];
    snprintf(file, sizeof file, ".moorline-%016llx-0", (unsigned long long)hash);
    return in_test_directory(file);
}

static void become_nobody(void)
{
    if (getuid() == 0) {
        CHECK_SYSTEM(setgid(65534));
        CHECK_SYSTEM(setuid(65534));
    }
}

static void listen_beside_what_stays(int line, void *context)
{
    (void)line;
    (void)context;
    become_nobody();
    moorline_server *server = listening("name");
    expect_served(server, "name", NULL);
    CHECK_OK(moorline_server_destroy(server));
}

/* What another user was killed in the middle of in a directory like /tmp can't be removed, and is no reason not to take a name. */
static void test_what_another_user_left_half_way(void)
{
    if (getuid() != 0) {
        skip("only root can be two users");
        return;
    }
    struct path left = private_name_of("name");
    CHECK_SYSTEM(chmod(test_directory(), 01777));
    CHECK_SYSTEM(close(raw_listen(left.text)));
    CHECK_SYSTEM(chmod(left.text, 0777));
    struct child child = child_start(listen_beside_what_stays, NULL);
    child_expect_success(&child);
    CHECK(exists(left.text));
    CHECK_NUMBER(files_in(test_directory()), 1);
    CHECK_SYSTEM(unlink(left.text));
}

static void listen_where_reading_is_forbidden(int line, void *context)
{
    (void)line;
    (void)context;
    become_nobody();
    struct path own = in_test_directory("own");
    struct path name = in_test_directory("own/name");
    CHECK_SYSTEM(mkdir(own.text, 0300));
    moorline_server *server = listening(name.text);
    expect_served(server, name.text, NULL);
    CHECK_OK(moorline_server_close(server));
    CHECK_SYSTEM(close(raw_listen(name.text)));
    CHECK_STATUS(moorline_server_listen(server, name.text), MOORLINE_PERMISSION_DENIED);
    CHECK_CONTAINS(last_error().text, "reading it");
    CHECK_SYSTEM(chmod(own.text, 0700));
    CHECK_OK(moorline_server_listen(server, name.text));
    CHECK_OK(moorline_server_destroy(server));
    CHECK_SYSTEM(rmdir(own.text));
}

/* A directory can only be locked by who may read it. A free name needs no lock, and who can't recover a dead one is told why. */
static void test_a_directory_that_may_not_be_read(void)
{
    CHECK_SYSTEM(chmod(test_directory(), 0777));
    struct child child = child_start(listen_where_reading_is_forbidden, NULL);
    child_expect_success(&child);
}

enum { MAY_NOT = 77 };

/* As on a disk that fails. */
static void listen_where_nothing_can_be_removed(int line, void *context)
{
    (void)line;
    (void)context;
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_unlinkat, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EIO),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {.len = sizeof filter / sizeof filter[0], .filter = filter};
    CHECK_SYSTEM(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == -1) {
        _exit(MAY_NOT);
    }
    moorline_server *server = listening("name");
    expect_served(server, "name", NULL);
    CHECK_STATUS(moorline_server_close(server), MOORLINE_OS_ERROR);
    CHECK_NUMBER(moorline_last_os_error(), EIO);
    CHECK_OK(moorline_server_destroy(server));
}

/* A name that is taken is served, whatever else fails then. */
static void test_a_private_name_that_cannot_be_removed(void)
{
    struct child child = child_start(listen_where_nothing_can_be_removed, NULL);
    const int status = child_wait(&child);
    CHECK(WIFEXITED(status));
    if (WEXITSTATUS(status) == MAY_NOT) {
        skip("the system has no filters of its calls");
        return;
    }
    CHECK_NUMBER(WEXITSTATUS(status), 0);
    CHECK_NUMBER(files_in(test_directory()), 2);
    moorline_server *server = listening("name");
    expect_served(server, "name", NULL);
    CHECK_NUMBER(files_in(test_directory()), 1);
    CHECK_OK(moorline_server_destroy(server));
}

/* Recovering takes a lock on the directory. Who keeps it delays a recovery, and nothing else, and not for ever. */
static void test_a_lock_that_is_kept(void)
{
    struct path file = in_test_directory("name");
    int lock = CHECK_SYSTEM(open(test_directory(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    CHECK_SYSTEM(flock(lock, LOCK_EX));
    moorline_server *server = listening("name");
    expect_served(server, "name", NULL);
    CHECK_OK(moorline_server_close(server));

    struct path left = private_name_of("name"); /* by a killed process */
    CHECK_SYSTEM(close(raw_listen(left.text)));
    CHECK_OK(moorline_server_listen(server, "name"));
    expect_served(server, "name", NULL);
    CHECK_OK(moorline_server_close(server));
    CHECK_SYSTEM(unlink(left.text));

    CHECK_SYSTEM(close(raw_listen(file.text)));
    CHECK_STATUS(moorline_server_listen(server, "name"), MOORLINE_NAME_IN_USE);
    CHECK_CONTAINS(last_error().text, "lock");
    CHECK_NUMBER(files_in(test_directory()), 1);
    CHECK_SYSTEM(close(lock));
    CHECK_OK(moorline_server_listen(server, "name"));
    expect_served(server, "name", NULL);
    CHECK_OK(moorline_server_destroy(server));
}

int main(void)
{
    RUN(test_a_live_name_is_never_taken);
    RUN(test_the_name_of_a_killed_process_is_recovered);
    RUN(test_a_replaced_path_is_theirs);
    RUN(test_a_replaced_directory_is_theirs);
    RUN(test_a_link_in_the_path_is_followed_once);
    RUN(test_close_gives_the_name_back_and_listen_takes_it_again);
    RUN(test_remove_is_the_explicit_take_over);
    RUN(test_plain_c_servers);
    RUN(test_a_dead_name_of_another_user);
    RUN(test_a_dead_name_that_may_not_be_asked);
    RUN(test_what_another_user_left_half_way);
    RUN(test_a_directory_that_may_not_be_read);
    RUN(test_a_private_name_that_cannot_be_removed);
    RUN(test_a_lock_that_is_kept);
    return 0;
}

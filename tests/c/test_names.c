/* What a name means, which names are refused, what is left alone, and the exact mode of what is made. */
#include "support.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { NOBODY = 65534 };

/* Every function that takes a name refuses this one, with this status. */
static void expect_refused(const char *name, uint32_t scope, moorline_status expected)
{
    moorline_server *server = NULL;
    moorline_service *service = NULL;
    moorline_socket *socket = NULL;
    moorline_server_options server_options = {.struct_size = sizeof server_options, .scope = scope};
    moorline_socket_options socket_options = {.struct_size = sizeof socket_options, .scope = scope};
    moorline_service_options service_options = {.struct_size = sizeof service_options, .scope = scope};
    moorline_exchange_options exchange_options = {.struct_size = sizeof exchange_options, .scope = scope};
    moorline_exchange_report report = {.struct_size = sizeof report};
    char buffer[PATH_MAX];
    size_t needed = 77;
    uint32_t state = 77;

    CHECK_OK(moorline_server_create(&server_options, &server));
    CHECK_STATUS(moorline_server_listen(server, name), expected);
    CHECK_OK(moorline_server_destroy(server));
    CHECK_OK(moorline_service_create(&service_options, NULL, &service));
    CHECK_STATUS(moorline_service_start(service, name), expected);
    CHECK_OK(moorline_service_destroy(service));
    CHECK_STATUS(moorline_socket_connect(name, &socket_options, 0, &socket), expected);
    CHECK_POINTER(socket, NULL);
    CHECK_STATUS(moorline_exchange_run(name, &exchange_options, 0, &report), expected);
    CHECK_STATUS(moorline_name_resolve(name, scope, buffer, sizeof buffer, &needed), expected);
    CHECK_NUMBER(needed, 0);
    CHECK_TEXT(buffer, "");
    CHECK_STATUS(moorline_name_state(name, scope, &state), expected);
    CHECK_NUMBER(state, 0);
    CHECK_STATUS(moorline_name_remove(name, scope), expected);
}

static void test_names_that_are_none(void)
{
    static const char *const names[] = {"",       "..",    ".", "../name", "a/../../name", "a/..",
                                        "a/../b", "name/", "/", "/tmp/",   "/tmp/.."};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; ++i) {
        fprintf(stderr, "    \"%s\"\n", names[i]);
        expect_refused(names[i], MOORLINE_SCOPE_TEMPORARY, MOORLINE_NAME_INVALID);
    }
    expect_refused(NULL, MOORLINE_SCOPE_TEMPORARY, MOORLINE_INVALID_ARGUMENT);
    expect_refused("", MOORLINE_SCOPE_ABSTRACT, MOORLINE_NAME_INVALID);
}

static void test_names_too_long(void)
{
    static char name[2 * PATH_MAX];
    memset(name, 'n', 256);
    expect_refused(name, MOORLINE_SCOPE_TEMPORARY, MOORLINE_NAME_TOO_LONG);

    /* A path with short components and too many of them. */
    for (size_t i = 0; i < PATH_MAX; ++i) {
        name[i] = i % 100 == 0 ? '/' : 'n';
    }
    expect_refused(name, MOORLINE_SCOPE_TEMPORARY, MOORLINE_NAME_TOO_LONG);

    /* A path whose last component alone is too long. */
    memset(name, 'n', 300);
    memcpy(name, "/tmp/", 5);
    name[300] = '\0';
    expect_refused(name, MOORLINE_SCOPE_TEMPORARY, MOORLINE_NAME_TOO_LONG);

    memset(name, 'n', 108);
    name[108] = '\0';
    expect_refused(name, MOORLINE_SCOPE_ABSTRACT, MOORLINE_NAME_TOO_LONG);
}

/* The longest name there can be, and a path far beyond the 107 bytes of the system's address. */
static void test_long_names_work(void)
{
    char name[256];
    memset(name, 'n', 255);
    name[255] = '\0';
    moorline_server *server = listening(name);
    CHECK_TEXT(full_name(server).text, in_test_directory(name).text);
    expect_served(server, name, NULL);
    CHECK_OK(moorline_server_destroy(server));

    struct path deep = in_test_directory("");
    char component[201];
    memset(component, 'd', 200);
    component[200] = '\0';
    struct path made[4];
    for (int i = 0; i < 4; ++i) {
        made[i] = deep;
        strcat(made[i].text, component);
        CHECK_SYSTEM(mkdir(made[i].text, 0700));
        deep = made[i];
        strcat(deep.text, "/");
    }
    strcat(deep.text, "name");
    server = listening(deep.text);
    CHECK_TEXT(full_name(server).text, deep.text);
    CHECK_NUMBER(mode_of(deep.text), 0600);
    CHECK_NUMBER(files_in(made[3].text), 1);
    expect_served(server, deep.text, NULL);

    moorline_server *second = NULL;
    CHECK_OK(moorline_server_create(NULL, &second));
    CHECK_STATUS(moorline_server_listen(second, deep.text), MOORLINE_NAME_IN_USE);
    CHECK_OK(moorline_server_destroy(second));
    CHECK_OK(moorline_server_destroy(server));
    CHECK(!exists(deep.text));
    for (int i = 3; i >= 0; --i) {
        CHECK_SYSTEM(rmdir(made[i].text));
    }
}

static void test_temporary_scope_follows_tmpdir(void)
{
    struct path other = in_test_directory("other");
    CHECK_SYSTEM(mkdir(other.text, 0700));
    moorline_server *below = listening("other/name");
    expect_served(below, "other/name", NULL);
    CHECK_OK(moorline_server_destroy(below));

    CHECK_SYSTEM(setenv("TMPDIR", other.text, 1));
    moorline_server *server = listening("name");
    CHECK_TEXT(full_name(server).text, in_test_directory("other/name").text);
    CHECK(exists(in_test_directory("other/name").text));
    expect_served(server, "name", NULL);
    CHECK_OK(moorline_server_destroy(server));
    CHECK_SYSTEM(setenv("TMPDIR", test_directory(), 1));
    CHECK_SYSTEM(rmdir(other.text));
}

static void test_runtime_scope_follows_xdg_runtime_dir(void)
{
    struct path runtime = in_test_directory("runtime");
    CHECK_SYSTEM(mkdir(runtime.text, 0700));
    CHECK_SYSTEM(setenv("XDG_RUNTIME_DIR", runtime.text, 1));
    moorline_server *server = NULL;
    moorline_server_options options = {.struct_size = sizeof options, .scope = MOORLINE_SCOPE_RUNTIME};
    moorline_socket_options socket_options = {.struct_size = sizeof socket_options, .scope = MOORLINE_SCOPE_RUNTIME};
    CHECK_OK(moorline_server_create(&options, &server));
    CHECK_OK(moorline_server_listen(server, "name"));
    CHECK_TEXT(full_name(server).text, in_test_directory("runtime/name").text);
    expect_served(server, "name", &socket_options);
    moorline_socket *socket = NULL;
    CHECK_STATUS(moorline_socket_connect("name", NULL, 0, &socket), MOORLINE_NOT_FOUND);
    CHECK_OK(moorline_server_close(server));

    /* One that others can use is not the user's own. */
    CHECK_SYSTEM(chmod(runtime.text, 0755));
    CHECK_STATUS(moorline_server_listen(server, "name"), MOORLINE_PERMISSION_DENIED);
    CHECK_CONTAINS(last_error().text, runtime.text);
    CHECK_SYSTEM(rmdir(runtime.text));
    CHECK_STATUS(moorline_server_listen(server, "name"), MOORLINE_NOT_FOUND);
    CHECK_SYSTEM(unsetenv("XDG_RUNTIME_DIR"));
    CHECK_STATUS(moorline_server_listen(server, "name"), MOORLINE_NOT_FOUND);
    CHECK_CONTAINS(last_error().text, "XDG_RUNTIME_DIR");
    CHECK_OK(moorline_server_destroy(server));
}

static void test_abstract_names(void)
{
    const char *name = strrchr(test_directory(), '/') + 1; /* the namespace is the whole machine's */
    moorline_server *server = NULL;
    moorline_server *second = NULL;
    moorline_socket *socket = NULL;
    moorline_server_options options = {.struct_size = sizeof options, .scope = MOORLINE_SCOPE_ABSTRACT};
    moorline_socket_options socket_options = {.struct_size = sizeof socket_options, .scope = MOORLINE_SCOPE_ABSTRACT};
    CHECK_STATUS(moorline_socket_connect(name, &socket_options, 0, &socket), MOORLINE_CONNECTION_REFUSED);
    CHECK_OK(moorline_server_create(&options, &server));
    CHECK_OK(moorline_server_listen(server, name));
    CHECK_NUMBER(files_in(test_directory()), 0);
    expect_served(server, name, &socket_options);

    CHECK_OK(moorline_server_create(&options, &second));
    CHECK_STATUS(moorline_server_listen(second, name), MOORLINE_NAME_IN_USE);
    CHECK_OK(moorline_server_destroy(second));
    expect_served(server, name, &socket_options);

    /* A path server of the same name is another server. */
    CHECK_STATUS(moorline_socket_connect(name, NULL, 0, &socket), MOORLINE_NOT_FOUND);
    second = listening(name);
    expect_served(second, name, NULL);
    expect_served(server, name, &socket_options);
    CHECK_OK(moorline_server_destroy(second));

    /* Such a name goes with its server, and can only be connected to. */
    uint32_t state = 77;
    CHECK_STATUS(moorline_name_state(name, MOORLINE_SCOPE_ABSTRACT, &state), MOORLINE_NOT_SUPPORTED);
    CHECK_NUMBER(state, 0);
    CHECK_STATUS(moorline_name_remove(name, MOORLINE_SCOPE_ABSTRACT), MOORLINE_NOT_SUPPORTED);
    CHECK_OK(moorline_server_close(server));
    CHECK_STATUS(moorline_socket_connect(name, &socket_options, 0, &socket), MOORLINE_CONNECTION_REFUSED);

    /* The longest there is. */
    char longest[108];
    memset(longest, 'n', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    memcpy(longest, name, strlen(name));
    CHECK_OK(moorline_server_listen(server, longest));
    expect_served(server, longest, &socket_options);
    CHECK_OK(moorline_server_destroy(server));
}

/* The system knows bytes, not characters; only '/' and NUL mean something. */
static void test_names_are_bytes(void)
{
    static const char *const names[] = {"\xff\xfe", "with space", "new\nline", "\xc3\xa4\xe2\x82\xac", "-", "~", "a..b",
                                        ".hidden",  "...",        "@at"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; ++i) {
        moorline_server *server = listening(names[i]);
        CHECK_TEXT(full_name(server).text, in_test_directory(names[i]).text);
        CHECK(exists(in_test_directory(names[i]).text));
        expect_served(server, names[i], NULL);
        expect_served(server, in_test_directory(names[i]).text, NULL);
        CHECK_OK(moorline_server_destroy(server));
    }
}

/* All bytes of such a name count, NULs too. */
static void test_abstract_names_of_any_bytes(void)
{
    char name[32];
    size_t length = (size_t)snprintf(name, sizeof name - 2, "%s", strrchr(test_directory(), '/')) + 2;
    name[length - 2] = '\0';
    name[length - 1] = '\0';
    moorline_server *server = NULL;
    moorline_server *shorter = NULL;
    moorline_socket *client = NULL;
    moorline_socket *accepted = NULL;
    uint32_t is_abstract = 77;
    CHECK_OK(moorline_server_create(NULL, &server)); /* whatever its scope */
    CHECK_STATUS(moorline_server_is_abstract(server, &is_abstract), MOORLINE_INVALID_STATE);
    CHECK_NUMBER(is_abstract, 0);
    CHECK_STATUS(moorline_server_listen_abstract(server, name, 0), MOORLINE_NAME_INVALID);
    CHECK_STATUS(moorline_server_listen_abstract(server, NULL, 0), MOORLINE_NAME_INVALID);
    CHECK_STATUS(moorline_server_listen_abstract(server, NULL, 3), MOORLINE_INVALID_ARGUMENT);
    char longest[108] = "";
    memcpy(longest, name, length);
    CHECK_STATUS(moorline_server_listen_abstract(server, longest, 108), MOORLINE_NAME_TOO_LONG);
    CHECK_STATUS(moorline_socket_connect_abstract(longest, 108, NULL, 0, &client), MOORLINE_NAME_TOO_LONG);
    CHECK_STATUS(moorline_socket_connect_abstract(NULL, 3, NULL, 0, &client), MOORLINE_INVALID_ARGUMENT);
    CHECK_STATUS(moorline_socket_connect_abstract(name, length, NULL, -2, &client), MOORLINE_INVALID_ARGUMENT);
    CHECK_STATUS(moorline_socket_connect_abstract(name, length, NULL, 0, NULL), MOORLINE_INVALID_ARGUMENT);

    CHECK_OK(moorline_server_listen_abstract(server, name, length));
    CHECK_STATUS(moorline_server_listen_abstract(server, name, length), MOORLINE_INVALID_STATE);
    CHECK_OK(moorline_server_is_abstract(server, &is_abstract));
    CHECK_NUMBER(is_abstract, 1);
    CHECK_STATUS(moorline_socket_connect_abstract(name, length - 1, NULL, 0, &client), MOORLINE_CONNECTION_REFUSED);
    CHECK_POINTER(client, NULL);
    CHECK_OK(moorline_server_create(NULL, &shorter));
    CHECK_STATUS(moorline_server_listen_abstract(shorter, name, length), MOORLINE_NAME_IN_USE);
    CHECK_OK(moorline_server_listen_abstract(shorter, name, length - 1)); /* another name */
    CHECK_OK(moorline_socket_connect_abstract(name, length, NULL, -1, &client));
    CHECK_OK(moorline_server_accept(server, -1, &accepted));
    CHECK_OK(moorline_socket_destroy(client));
    CHECK_OK(moorline_socket_destroy(accepted));
    CHECK_OK(moorline_server_destroy(shorter));
    CHECK_OK(moorline_server_close(server));
    CHECK_OK(moorline_server_listen(server, "name"));
    CHECK_OK(moorline_server_is_abstract(server, &is_abstract));
    CHECK_NUMBER(is_abstract, 0);
    CHECK_OK(moorline_server_destroy(server));
}

static void test_unique_names_differ(void)
{
    enum { SERVERS = 100 };
    moorline_server *servers[SERVERS];
    static struct path names[SERVERS];
    for (int i = 0; i < SERVERS; ++i) {
        CHECK_OK(moorline_server_create(NULL, &servers[i]));
        CHECK_OK(moorline_server_listen_unique(servers[i], "prefix"));
        names[i] = full_name(servers[i]);
        CHECK_CONTAINS(names[i].text, in_test_directory("prefix").text);
        for (int j = 0; j < i; ++j) {
            CHECK(strcmp(names[i].text, names[j].text) != 0);
        }
        expect_served(servers[i], names[i].text, NULL);
    }
    CHECK_NUMBER(files_in(test_directory()), SERVERS);
    for (int i = 0; i < SERVERS; ++i) {
        CHECK_OK(moorline_server_destroy(servers[i]));
    }

    moorline_server *server = NULL;
    CHECK_OK(moorline_server_create(NULL, &server));
    CHECK_STATUS(moorline_server_listen_unique(server, "../prefix"), MOORLINE_NAME_INVALID);
    CHECK_STATUS(moorline_server_listen_unique(server, NULL), MOORLINE_INVALID_ARGUMENT);
    char prefix[257];
    memset(prefix, 'p', 256);
    prefix[256] = '\0';
    CHECK_STATUS(moorline_server_listen_unique(server, prefix), MOORLINE_NAME_TOO_LONG);
    CHECK_OK(moorline_server_destroy(server));
}

static bool same_file(const struct stat *before, const struct stat *after)
{
    return before->st_ino == after->st_ino && before->st_dev == after->st_dev && before->st_mode == after->st_mode &&
           before->st_uid == after->st_uid && before->st_size == after->st_size && before->st_nlink == after->st_nlink &&
           before->st_mtim.tv_sec == after->st_mtim.tv_sec && before->st_mtim.tv_nsec == after->st_mtim.tv_nsec &&
           before->st_ctim.tv_sec == after->st_ctim.tv_sec && before->st_ctim.tv_nsec == after->st_ctim.tv_nsec;
}

/* Neither listening nor removing touches what is at the path. */
static void expect_left_alone(const char *file)
{
    struct stat before;
    struct stat after;
    CHECK_SYSTEM(lstat(file, &before));
    int neighbours = files_in(test_directory());
    moorline_server *server = NULL;
    moorline_service *service = NULL;
    CHECK_OK(moorline_server_create(NULL, &server));
    CHECK_STATUS(moorline_server_listen(server, file), MOORLINE_NAME_IN_USE);
    CHECK_CONTAINS(last_error().text, file);
    CHECK_OK(moorline_server_close(server));
    CHECK_OK(moorline_server_destroy(server));
    CHECK_OK(moorline_service_create(NULL, NULL, &service));
    CHECK_STATUS(moorline_service_start(service, file), MOORLINE_NAME_IN_USE);
    CHECK_OK(moorline_service_destroy(service));
    uint32_t state = 0;
    CHECK_OK(moorline_name_state(file, MOORLINE_SCOPE_TEMPORARY, &state));
    CHECK_NUMBER(state, MOORLINE_NAME_OCCUPIED);
    CHECK_STATUS(moorline_name_remove(file, MOORLINE_SCOPE_TEMPORARY), MOORLINE_NAME_IN_USE);
    CHECK_SYSTEM(lstat(file, &after));
    CHECK(same_file(&before, &after));
    CHECK_NUMBER(files_in(test_directory()), neighbours);
}

static void test_what_is_no_socket_is_left_alone(void)
{
    struct path name = in_test_directory("name");
    write_file(name.text, "somebody's only copy");
    expect_left_alone(name.text);
    check_file(name.text, "somebody's only copy");
    moorline_socket *socket = NULL;
    CHECK_STATUS(moorline_socket_connect(name.text, NULL, 0, &socket), MOORLINE_CONNECTION_REFUSED);
    CHECK_SYSTEM(unlink(name.text));

    CHECK_SYSTEM(mkdir(name.text, 0700));
    expect_left_alone(name.text);
    CHECK_SYSTEM(rmdir(name.text));

    CHECK_SYSTEM(mkfifo(name.text, 0600));
    expect_left_alone(name.text);
    CHECK_SYSTEM(unlink(name.text));
}

static void test_a_symlink_is_left_alone(void)
{
    struct path link = in_test_directory("link");
    struct path target = in_test_directory("target");
    CHECK_SYSTEM(symlink(target.text, link.text));
    expect_left_alone(link.text);
    CHECK(!exists(target.text));

    moorline_server *server = listening(target.text);
    struct stat before;
    struct stat after;
    CHECK_SYSTEM(lstat(target.text, &before));
    expect_left_alone(link.text);
    CHECK_SYSTEM(lstat(target.text, &after));
    CHECK(same_file(&before, &after));
    expect_served(server, target.text, NULL);
    CHECK_OK(moorline_server_destroy(server));

    /* To a dead socket: as little ours. */
    CHECK_SYSTEM(close(raw_listen(target.text)));
    CHECK_SYSTEM(lstat(target.text, &before));
    expect_left_alone(link.text);
    CHECK_SYSTEM(lstat(target.text, &after));
    CHECK(same_file(&before, &after));
    CHECK_SYSTEM(unlink(target.text));
    CHECK_SYSTEM(unlink(link.text));
}

static void test_a_missing_directory(void)
{
    struct path name = in_test_directory("missing/name");
    moorline_server *server = NULL;
    moorline_socket *socket = NULL;
    CHECK_OK(moorline_server_create(NULL, &server));
    CHECK_STATUS(moorline_server_listen(server, name.text), MOORLINE_NOT_FOUND);
    CHECK_CONTAINS(last_error().text, name.text);
    CHECK_NUMBER(moorline_last_os_error(), ENOENT);
    CHECK_OK(moorline_server_destroy(server));
    CHECK_STATUS(moorline_socket_connect(name.text, NULL, 0, &socket), MOORLINE_NOT_FOUND);
}

static void listen_and_connect_where_forbidden(int line, void *context)
{
    (void)line;
    (void)context;
    if (getuid() == 0) {
        CHECK_SYSTEM(setgid(NOBODY));
        CHECK_SYSTEM(setuid(NOBODY));
    }
    moorline_server *server = NULL;
    moorline_socket *socket = NULL;
    struct path name = in_test_directory("locked/name");
    CHECK_OK(moorline_server_create(NULL, &server));
    CHECK_STATUS(moorline_server_listen(server, name.text), MOORLINE_PERMISSION_DENIED);
    CHECK_CONTAINS(last_error().text, name.text);
    CHECK_NUMBER(moorline_last_os_error(), EACCES);
    CHECK_OK(moorline_server_destroy(server));
    CHECK_STATUS(moorline_socket_connect(in_test_directory("private").text, NULL, 0, &socket), MOORLINE_PERMISSION_DENIED);
}

static void listen_and_connect_here(int line, void *context)
{
    (void)line;
    (void)context;
    CHECK_SYSTEM(chdir(test_directory()));
    CHECK_SYSTEM(setenv("TMPDIR", ".", 1));
    moorline_server *server = listening("name");
    moorline_socket *client = connected("name");
    CHECK_OK(moorline_socket_destroy(client));
    CHECK(exists("name"));
    CHECK_OK(moorline_server_destroy(server));
    CHECK(!exists("name"));
}

static void test_the_working_directory_as_the_temporary_one(void)
{
    struct child child = child_start(listen_and_connect_here, NULL);
    child_expect_success(&child);
}

/* A directory that may not be written to, and a server's file that may not be used. */
static void test_permission_denied(void)
{
    struct path locked = in_test_directory("locked");
    CHECK_SYSTEM(mkdir(locked.text, 0500));
    CHECK_SYSTEM(chmod(locked.text, 0555));
    CHECK_SYSTEM(chmod(test_directory(), 0755));
    moorline_server *server = listening("private");
    CHECK_SYSTEM(chmod(in_test_directory("private").text, 0));
    struct child child = child_start(listen_and_connect_where_forbidden, NULL);
    child_expect_success(&child);
    CHECK_OK(moorline_server_destroy(server));
    CHECK_SYSTEM(rmdir(locked.text));
}

static void test_the_mode_is_exact_whatever_the_umask(void)
{
    static const struct {
        mode_t umask;
        uint32_t asked;
        unsigned expected;
    } cases[] = {{0, 0, 0600},       {077, 0, 0600},    {0777, 0, 0600}, {077, 0777, 0777},
                 {0777, 0660, 0660}, {022, 0007, 0007}, {0, 0700, 0700}, {027, 0070, 0070}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
        mode_t before = umask(cases[i].umask);
        moorline_server *server = NULL;
        moorline_server_options options = {.struct_size = sizeof options, .mode = cases[i].asked};
        CHECK_OK(moorline_server_create(&options, &server));
        CHECK_OK(moorline_server_listen(server, "name"));
        CHECK_NUMBER(mode_of(in_test_directory("name").text), cases[i].expected);
        CHECK_OK(moorline_server_destroy(server));

        moorline_service *service = NULL;
        moorline_service_options service_options = {.struct_size = sizeof service_options, .mode = cases[i].asked};
        CHECK_OK(moorline_service_create(&service_options, NULL, &service));
        CHECK_OK(moorline_service_start(service, "name"));
        CHECK_NUMBER(mode_of(in_test_directory("name").text), cases[i].expected);
        CHECK_OK(moorline_service_destroy(service));
        CHECK_NUMBER(umask(before), cases[i].umask);
    }
}

int main(void)
{
    RUN(test_names_that_are_none);
    RUN(test_names_too_long);
    RUN(test_long_names_work);
    RUN(test_temporary_scope_follows_tmpdir);
    RUN(test_runtime_scope_follows_xdg_runtime_dir);
    RUN(test_abstract_names);
    RUN(test_names_are_bytes);
    RUN(test_abstract_names_of_any_bytes);
    RUN(test_unique_names_differ);
    RUN(test_what_is_no_socket_is_left_alone);
    RUN(test_a_symlink_is_left_alone);
    RUN(test_a_missing_directory);
    RUN(test_the_working_directory_as_the_temporary_one);
    RUN(test_permission_denied);
    RUN(test_the_mode_is_exact_whatever_the_umask);
    return 0;
}

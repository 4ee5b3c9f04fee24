/* The proxy, the tap and the recording through the C ABI. */
#include "support_testkit.h"

#include <signal.h>
#include <sys/resource.h>

static moorline_proxy *proxy_to(moorline_fixture *target, moorline_fault_plan *faults, moorline_tap *tap)
{
    moorline_proxy_options options = MOORLINE_PROXY_OPTIONS_INIT;
    options.faults = faults;
    options.tap = tap;
    moorline_proxy *proxy = NULL;
    CHECK_OK(moorline_proxy_start("proxy", fixture_name(target).text, &options, &proxy));
    return proxy;
}

static struct path failures_of(moorline_proxy *proxy)
{
    struct path text;
    CHECK_OK(moorline_proxy_take_failures(proxy, text.text, sizeof text.text, NULL));
    return text;
}

static void test_a_proxy_carries_both_ways_without_faults(void)
{
    moorline_fixture *echo = fixture_of("echo");
    moorline_proxy *proxy = proxy_to(echo, NULL, NULL);
    struct path name;
    CHECK_OK(moorline_proxy_full_name(proxy, name.text, sizeof name.text, NULL));
    CHECK_CONTAINS(name.text, "/proxy");
    const int client = raw_connect(name.text); /* a program that knows nothing of it */
    raw_write_all(client, "hello", 5);
    char text[6] = "";
    CHECK_NUMBER(raw_read_all(client, text, 5), 5);
    CHECK_TEXT(text, "hello");
    CHECK_SYSTEM(close(client));
    CHECK_OK(moorline_proxy_stop(proxy, -1));
    CHECK_STATUS(moorline_proxy_full_name(proxy, name.text, sizeof name.text, NULL), MOORLINE_INVALID_STATE);
    CHECK_TEXT(failures_of(proxy).text, "");
    CHECK_OK(moorline_proxy_destroy(proxy));
    CHECK_OK(moorline_fixture_destroy(echo));
}

static void test_a_proxy_does_what_its_plan_says(void)
{
    moorline_faults faults = MOORLINE_FAULTS_INIT;
    faults.lose_nth = 1;
    faults.direction = MOORLINE_DIRECTION_TO_SERVER;
    faults.refuse_accept_nth = 2;
    moorline_fault_plan *plan = plan_of(&faults);
    moorline_fixture *echo = fixture_of("echo");
    moorline_proxy *proxy = proxy_to(echo, plan, NULL);
    moorline_socket *client = connected("proxy");
    send_text(client, "abc");
    expect_text(client, "bc");
    moorline_socket *refused = connected("proxy");
    expect_end(refused);
    CHECK_NUMBER(counts_of(plan).lost, 1);
    CHECK_OK(moorline_socket_destroy(refused));
    /* It breaks what goes on at the deadline, and says so. */
    CHECK_STATUS(moorline_proxy_stop(proxy, 1), MOORLINE_TIMED_OUT);
    expect_end(client);
    CHECK_STATUS(moorline_proxy_stop(proxy, -1), MOORLINE_CLOSED);
    CHECK_OK(moorline_socket_destroy(client));
    CHECK_OK(moorline_proxy_destroy(proxy));
    CHECK_OK(moorline_fixture_destroy(echo));
    CHECK_OK(moorline_fault_plan_destroy(plan));
}

static void test_clients_that_cannot_be_connected_are_told_once(void)
{
    moorline_proxy *proxy = NULL;
    CHECK_OK(moorline_proxy_start("proxy", "nobody", NULL, &proxy));
    moorline_socket *client = connected("proxy");
    expect_end(client);
    char none[1];
    size_t needed = 0;
    CHECK_STATUS(moorline_proxy_take_failures(proxy, none, sizeof none, &needed), MOORLINE_BUFFER_TOO_SMALL);
    const struct path failures = failures_of(proxy);
    CHECK_CONTAINS(failures.text, "/nobody");
    CHECK_NUMBER(strlen(failures.text) + 1, needed);
    CHECK_TEXT(failures_of(proxy).text, "");
    CHECK_OK(moorline_socket_destroy(client));
    CHECK_OK(moorline_proxy_destroy(proxy));
}

static void test_options_of_a_proxy(void)
{
    moorline_server *full = NULL;
    moorline_server_options of_server = MOORLINE_SERVER_OPTIONS_INIT;
    of_server.backlog = 1;
    CHECK_OK(moorline_server_create(&of_server, &full));
    CHECK_OK(moorline_server_listen(full, "full"));
    moorline_socket *fillers[16] = {NULL};
    size_t count = 0;
    while (moorline_socket_connect("full", NULL, 0, &fillers[count]) == MOORLINE_OK) {
        ++count;
    }
    moorline_proxy_options options = MOORLINE_PROXY_OPTIONS_INIT;
    options.mode = 0640;
    options.backlog = 3;
    options.trust = MOORLINE_TRUST_ANYONE;
    options.connect_timeout_ms = 1;
    moorline_proxy *proxy = NULL;
    CHECK_OK(moorline_proxy_start("proxy", "full", &options, &proxy));
    CHECK_NUMBER(mode_of(in_test_directory("proxy").text), 0640);
    moorline_socket *client = connected("proxy");
    expect_end(client);
    CHECK_CONTAINS(failures_of(proxy).text, "backlog is full");
    CHECK_OK(moorline_socket_destroy(client));
    CHECK_OK(moorline_proxy_destroy(proxy));
    while (count > 0) {
        CHECK_OK(moorline_socket_destroy(fillers[--count]));
    }
    CHECK_OK(moorline_server_destroy(full));

    moorline_fixture *echo = fixture_of("echo");
    options = (moorline_proxy_options)MOORLINE_PROXY_OPTIONS_INIT;
    options.scope = MOORLINE_SCOPE_ABSTRACT;
    CHECK_OK(moorline_proxy_start("proxy-of-this-test", fixture_name(echo).text, &options, &proxy));
    CHECK(!exists(in_test_directory("proxy-of-this-test").text));
    CHECK_OK(moorline_proxy_destroy(proxy));
    CHECK_OK(moorline_fixture_destroy(echo));
}

/* --- the tap and the recording --- */

/* Records "ping" that is answered with "pong", on two connections. */
static moorline_recording *record(struct path file)
{
    moorline_tap *tap = NULL;
    CHECK_OK(moorline_tap_create(file.text, &tap));
    CHECK_NUMBER(mode_of(file.text), 0600);
    moorline_fixture *server = fixture_of("expect \"ping\"\nsend \"pong\"\nexpect-end");
    moorline_proxy *proxy = proxy_to(server, NULL, tap);
    for (int i = 0; i < 2; ++i) {
        moorline_socket *client = connected("proxy");
        send_text(client, "ping");
        expect_text(client, "pong");
        CHECK_OK(moorline_socket_destroy(client));
        CHECK_OK(moorline_fixture_wait(server, (uint64_t)i + 1, -1));
    }
    CHECK_OK(moorline_proxy_stop(proxy, -1));
    CHECK_OK(moorline_proxy_destroy(proxy));
    CHECK_OK(moorline_fixture_destroy(server));
    CHECK_OK(moorline_tap_check(tap));
    CHECK_OK(moorline_tap_destroy(tap));
    moorline_recording *recording = NULL;
    CHECK_OK(moorline_recording_read(file.text, &recording));
    return recording;
}

static void test_a_tap_records_everything(void)
{
    const struct path file = in_test_directory("record");
    moorline_recording *recording = record(file);
    size_t connections = 0;
    size_t entries = 0;
    CHECK_OK(moorline_recording_size(recording, &connections, &entries));
    CHECK_NUMBER(connections, 2);
    CHECK(entries >= 2 * 5); /* open, two messages, an end, close */
    char text[4096];
    CHECK_OK(moorline_recording_text(recording, text, sizeof text, NULL));
    char opened[64];
    snprintf(opened, sizeof opened, " 1 open %u %u %d\n", (unsigned)getuid(), (unsigned)getgid(), (int)getpid());
    CHECK(strncmp(text, "moorline-tap 1\n", 15) == 0);
    CHECK_CONTAINS(text, opened);
    CHECK_CONTAINS(text, " 1 to-server 70696e67\n");
    CHECK_CONTAINS(text, " 2 to-client 706f6e67\n");
    CHECK_CONTAINS(text, " 2 end to-server\n");
    CHECK_CONTAINS(text, " 2 close\n");
    /* The text is the file's, without the tap's two comments. */
    char content[sizeof text + sizeof "# begin\n# end\n"];
    snprintf(content, sizeof content, "moorline-tap 1\n# begin\n%s# end\n", text + strlen("moorline-tap 1\n"));
    check_file(file.text, content);
    CHECK_OK(moorline_recording_destroy(recording));

    moorline_tap *tap = (moorline_tap *)&tap;
    CHECK_STATUS(moorline_tap_create(file.text, &tap), MOORLINE_NAME_IN_USE); /* nothing is written over */
    CHECK_POINTER(tap, NULL);
    CHECK_SYSTEM(unlink(file.text));
}

static void set_largest_file(rlim_t size)
{
    struct rlimit limit;
    CHECK_SYSTEM(getrlimit(RLIMIT_FSIZE, &limit));
    limit.rlim_cur = size;
    CHECK_SYSTEM(setrlimit(RLIMIT_FSIZE, &limit));
}

/* A file that may not grow, setrlimit(2), stands for a full disk. */
static void test_what_could_not_be_recorded_is_told(void)
{
    const struct path nowhere = in_test_directory("missing/record");
    moorline_tap *tap = NULL;
    CHECK_STATUS(moorline_tap_create(nowhere.text, &tap), MOORLINE_NOT_FOUND);
    CHECK_CONTAINS(last_error().text, "missing/record");

    const struct path file = in_test_directory("record");
    CHECK_OK(moorline_tap_create(file.text, &tap));
    CHECK_OK(moorline_tap_check(tap));
    moorline_fixture *echo = fixture_of("echo");
    moorline_proxy *proxy = proxy_to(echo, NULL, tap);
    CHECK(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    set_largest_file(16);
    moorline_socket *client = connected("proxy");
    send_text(client, "x");
    expect_text(client, "x"); /* the conversation goes on */
    CHECK(moorline_tap_check(tap) != MOORLINE_OK);
    CHECK_CONTAINS(last_error().text, file.text);
    set_largest_file(RLIM_INFINITY);
    CHECK_OK(moorline_socket_destroy(client));
    CHECK_OK(moorline_proxy_destroy(proxy));
    CHECK_OK(moorline_fixture_destroy(echo));
    CHECK_OK(moorline_tap_destroy(tap));
    CHECK_SYSTEM(unlink(file.text));
}

static void test_clients_are_played_to_a_server(void)
{
    const struct path file = in_test_directory("record");
    moorline_recording *recording = record(file);
    moorline_replay_report report = MOORLINE_REPLAY_REPORT_INIT;

    moorline_fixture *same = fixture_of("expect \"ping\"\nsend \"pong\"\nexpect-end");
    CHECK_OK(moorline_recording_play_clients(recording, fixture_name(same).text, NULL, -1, &report));
    CHECK_NUMBER(report.connections, 2);
    CHECK_NUMBER(report.sent, 8);
    CHECK_NUMBER(report.matched, 8);
    CHECK_NUMBER(report.differing_connection, 0);
    CHECK_NUMBER(report.differing_after, 0);
    moorline_replay_options options = MOORLINE_REPLAY_OPTIONS_INIT;
    options.real_time = 1;
    CHECK_OK(moorline_recording_play_clients(recording, fixture_name(same).text, &options, -1, NULL));
    CHECK_OK(moorline_fixture_destroy(same));

    moorline_fixture *other = fixture_of("expect \"ping\"\nsend \"poNG\"\nexpect-end");
    CHECK_STATUS(moorline_recording_play_clients(recording, fixture_name(other).text, NULL, -1, &report), MOORLINE_MISMATCH);
    CHECK_CONTAINS(last_error().text, ", byte 2: expected \"ng\", found \"NG\"");
    CHECK(report.differing_connection == 1 || report.differing_connection == 2); /* they are played at the same time */
    CHECK_NUMBER(report.differing_after, 2);
    CHECK_OK(moorline_fixture_destroy(other));

    moorline_fixture *silent = fixture_of("sink");
    options = (moorline_replay_options)MOORLINE_REPLAY_OPTIONS_INIT;
    options.patience_ms = 1;
    CHECK_STATUS(moorline_recording_play_clients(recording, fixture_name(silent).text, &options, -1, &report), MOORLINE_MISMATCH);
    CHECK_CONTAINS(last_error().text, "expected \"pong\", found nothing in time");
    CHECK_OK(moorline_fixture_destroy(silent));

    CHECK_STATUS(moorline_recording_play_clients(recording, "nobody", NULL, -1, &report), MOORLINE_NOT_FOUND);
    CHECK_NUMBER(report.sent + report.matched + report.connections, 0);
    CHECK_OK(moorline_recording_destroy(recording));
    CHECK_SYSTEM(unlink(file.text));
}

struct talk {
    const char *first;
    const char *second;
};

static void talk_to_server(void *context)
{
    const struct talk *talk = context;
    const char *const words[] = {talk->first, talk->second};
    for (int i = 0; i < 2; ++i) {
        moorline_socket *client = connected("server");
        size_t sent = 0;
        /* What is not as recorded may be broken off at any time. */
        (void)!moorline_socket_send(client, words[i], strlen(words[i]), -1, &sent);
        if (strcmp(words[i], "ping") == 0) {
            expect_text(client, "pong");
        }
        CHECK_OK(moorline_socket_destroy(client));
    }
}

static void test_a_server_is_played_to_clients(void)
{
    const struct path file = in_test_directory("record");
    moorline_recording *recording = record(file);
    moorline_server *server = listening("server");
    moorline_replay_report report = MOORLINE_REPLAY_REPORT_INIT;
    struct worker worker;

    worker_start(&worker, talk_to_server, &(struct talk){"ping", "ping"});
    CHECK_OK(moorline_recording_play_server(recording, server, NULL, -1, &report));
    worker_join(&worker);
    CHECK_NUMBER(report.connections, 2);
    CHECK_NUMBER(report.sent, 8);
    CHECK_NUMBER(report.matched, 8);
    CHECK_NUMBER(report.differing_connection, 0);

    worker_start(&worker, talk_to_server, &(struct talk){"ping", "pint"});
    CHECK_STATUS(moorline_recording_play_server(recording, server, NULL, -1, &report), MOORLINE_MISMATCH);
    worker_join(&worker);
    CHECK(report.connections <= 1); /* the first one's end may not have been seen when the difference ends the play */
    CHECK_NUMBER(report.differing_connection, 2);
    CHECK_NUMBER(report.differing_after, 3);

    CHECK_STATUS(moorline_recording_play_server(recording, server, NULL, 1, &report), MOORLINE_TIMED_OUT); /* nobody comes */
    CHECK_STATUS(moorline_recording_play_server(recording, server, NULL, 0, &report), MOORLINE_WOULD_BLOCK);
    CHECK_OK(moorline_server_destroy(server));
    CHECK_OK(moorline_recording_destroy(recording));
    CHECK_SYSTEM(unlink(file.text));
}

static void test_what_is_no_recording(void)
{
    const struct path file = in_test_directory("record");
    moorline_recording *recording = (moorline_recording *)&recording;
    CHECK_STATUS(moorline_recording_read(file.text, &recording), MOORLINE_NOT_FOUND);
    CHECK_POINTER(recording, NULL);
    write_file(file.text, "moorline-tap 1\n0 1 open\nx 1 close\n");
    CHECK_STATUS(moorline_recording_read(file.text, &recording), MOORLINE_MALFORMED);
    CHECK_CONTAINS(last_error().text, "line 3: the time is not a number: x");
    CHECK_POINTER(recording, NULL);
    CHECK_SYSTEM(unlink(file.text));
}

int main(void)
{
    RUN(test_a_proxy_carries_both_ways_without_faults);
    RUN(test_a_proxy_does_what_its_plan_says);
    RUN(test_clients_that_cannot_be_connected_are_told_once);
    RUN(test_options_of_a_proxy);
    RUN(test_a_tap_records_everything);
    RUN(test_what_could_not_be_recorded_is_told);
    RUN(test_clients_are_played_to_a_server);
    RUN(test_a_server_is_played_to_clients);
    RUN(test_what_is_no_recording);
    return 0;
}

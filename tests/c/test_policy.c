/* Who may connect: asked of the kernel before the first byte is read, counted, and nobody else notices. */
#include "support.h"

#include <fcntl.h>

static moorline_server *make_server(const moorline_policy *policy)
{
    moorline_server_options options = MOORLINE_SERVER_OPTIONS_INIT;
    options.policy = policy;
    moorline_server *server = NULL;
    CHECK_OK(moorline_server_create(&options, &server));
    CHECK_OK(moorline_server_listen(server, "policy"));
    return server;
}

static void expect_counts(moorline_server *server, uint64_t accepted, uint64_t refused)
{
    moorline_server_stats stats = MOORLINE_SERVER_STATS_INIT;
    CHECK_OK(moorline_server_statistics(server, &stats));
    CHECK_NUMBER(stats.accepted, accepted);
    CHECK_NUMBER(stats.refused, refused);
}

static void expect_admitted(const moorline_policy *policy)
{
    moorline_server *server = make_server(policy);
    moorline_socket *client = connected("policy");
    moorline_socket *accepted = NULL;
    CHECK_OK(moorline_server_accept(server, -1, &accepted));
    expect_counts(server, 1, 0);
    CHECK_OK(moorline_socket_destroy(client));
    CHECK_OK(moorline_socket_destroy(accepted));
    CHECK_OK(moorline_server_destroy(server));
}

static void expect_turned_away(const moorline_policy *policy)
{
    moorline_server *server = make_server(policy);
    moorline_socket *client = connected("policy");
    moorline_socket *accepted = NULL;
    CHECK_STATUS(moorline_server_accept(server, -1, &accepted), MOORLINE_PERMISSION_DENIED);
    CHECK_POINTER(accepted, NULL);
    CHECK_CONTAINS(last_error().text, "turned away");
    char byte;
    size_t received = 0;
    CHECK_STATUS(moorline_socket_receive(client, &byte, 1, -1, &received), MOORLINE_DISCONNECTED);
    CHECK_STATUS(moorline_server_accept(server, 0, &accepted), MOORLINE_WOULD_BLOCK);
    expect_counts(server, 0, 1);
    CHECK_OK(moorline_socket_destroy(client));
    CHECK_OK(moorline_server_destroy(server));
}

static moorline_policy rule(uint32_t number)
{
    moorline_policy policy = MOORLINE_POLICY_INIT;
    policy.rule = number;
    return policy;
}

static void rules_admit_whom_they_say(void)
{
    const uint32_t admitting[] = {MOORLINE_POLICY_EVERYONE, MOORLINE_POLICY_SAME_USER, MOORLINE_POLICY_SAME_USER_OR_ROOT};
    for (size_t i = 0; i < sizeof admitting / sizeof admitting[0]; i++) {
        moorline_policy policy = rule(admitting[i]);
        expect_admitted(&policy);
    }
    expect_admitted(NULL);

    moorline_policy policy = rule(MOORLINE_POLICY_LISTED);
    expect_turned_away(&policy); /* an empty list */
    const uint32_t users[] = {geteuid() + 1, geteuid()};
    const uint32_t groups[] = {getegid()};
    policy.users = users;
    policy.user_count = 1;
    expect_turned_away(&policy);
    policy.user_count = 2;
    expect_admitted(&policy);
    policy.user_count = 0;
    policy.groups = groups;
    policy.group_count = 1;
    expect_admitted(&policy);
}

static int32_t note_and_answer(void *context, const moorline_credentials *peer)
{
    CHECK_NUMBER(peer->uid, geteuid());
    CHECK_NUMBER(peer->gid, getegid());
    CHECK_NUMBER(peer->pid, getpid());
    return *(int32_t *)context;
}

static void a_function_decides(void)
{
    int32_t answer = 0;
    moorline_policy policy = rule(MOORLINE_POLICY_CUSTOM);
    policy.admits = note_and_answer;
    policy.context = &answer;
    expect_turned_away(&policy);
    answer = 1;
    expect_admitted(&policy);
}

static void count_up(void *context)
{
    ++*(int *)context;
}

static void the_context_is_given_back_once(void)
{
    int released = 0;
    moorline_policy policy = rule(MOORLINE_POLICY_CUSTOM);
    policy.context = &released;
    policy.release = count_up;
    moorline_server_options options = MOORLINE_SERVER_OPTIONS_INIT;
    options.policy = &policy;
    moorline_service_options service_options = MOORLINE_SERVICE_OPTIONS_INIT;
    service_options.policy = &policy;
    moorline_server *server = NULL;
    moorline_service *service = NULL;

    /* What fails gives it back at once: no function, then what else can be wrong. */
    CHECK_STATUS(moorline_server_create(&options, &server), MOORLINE_INVALID_ARGUMENT);
    CHECK_NUMBER(released, 1);
    policy.admits = note_and_answer;
    CHECK_STATUS(moorline_server_create(&options, NULL), MOORLINE_INVALID_ARGUMENT);
    CHECK_NUMBER(released, 2);
    const moorline_message_options no_framing = MOORLINE_MESSAGE_OPTIONS_INIT;
    options.messages = &no_framing;
    CHECK_STATUS(moorline_server_create(&options, &server), MOORLINE_INVALID_ARGUMENT);
    CHECK_NUMBER(released, 3);
    service_options.scope = 77;
    CHECK_STATUS(moorline_service_create(&service_options, NULL, &service), MOORLINE_INVALID_ARGUMENT);
    CHECK_NUMBER(released, 4);

    options.messages = NULL;
    CHECK_OK(moorline_server_create(&options, &server));
    CHECK_OK(moorline_server_listen(server, "policy"));
    CHECK_OK(moorline_server_close(server));
    CHECK_NUMBER(released, 4);
    CHECK_OK(moorline_server_destroy(server));
    CHECK_NUMBER(released, 5);

    service_options.scope = MOORLINE_SCOPE_TEMPORARY;
    CHECK_OK(moorline_service_create(&service_options, NULL, &service));
    CHECK_OK(moorline_service_start(service, "policy"));
    CHECK_OK(moorline_service_stop(service, -1, NULL));
    CHECK_NUMBER(released, 5);
    CHECK_OK(moorline_service_destroy(service));
    CHECK_NUMBER(released, 6);
}

static void a_service_turns_away_and_counts(void)
{
    moorline_policy policy = rule(MOORLINE_POLICY_LISTED);
    moorline_service_options options = MOORLINE_SERVICE_OPTIONS_INIT;
    options.policy = &policy;
    moorline_service *service = NULL;
    CHECK_OK(moorline_service_create(&options, NULL, &service));
    CHECK_OK(moorline_service_start(service, "policy"));
    moorline_socket *client = connected("policy");
    char byte;
    size_t received = 0;
    CHECK_STATUS(moorline_socket_receive(client, &byte, 1, -1, &received), MOORLINE_DISCONNECTED);
    CHECK_OK(moorline_socket_destroy(client));
    moorline_service_report report = MOORLINE_SERVICE_REPORT_INIT;
    CHECK_OK(moorline_service_stop(service, -1, &report));
    CHECK_NUMBER(report.accepted, 0);
    CHECK_NUMBER(report.refused, 1);
    CHECK_OK(moorline_service_destroy(service));
}

static void a_pidfd_is_the_peers_process(void)
{
    moorline_server *server = make_server(NULL);
    moorline_socket *client = connected("policy");
    intptr_t process = 0;
    moorline_status status = moorline_socket_peer_process(client, &process);
    if (status == MOORLINE_NOT_SUPPORTED) {
        skip("this kernel has no pidfd of a peer");
    } else {
        CHECK_STATUS(status, MOORLINE_OK);
        CHECK(fcntl((int)process, F_GETFD) & FD_CLOEXEC);
        char file[64];
        snprintf(file, sizeof file, "/proc/self/fdinfo/%d", (int)process);
        FILE *information = fopen(file, "r");
        CHECK(information != NULL);
        long long pid = 0;
        char line[128];
        while (fgets(line, sizeof line, information) != NULL) {
            if (strncmp(line, "Pid:", 4) == 0) {
                pid = atoll(line + 4);
            }
        }
        CHECK_SYSTEM(fclose(information));
        CHECK_NUMBER(pid, getpid());
        CHECK_SYSTEM(close((int)process));
    }
    CHECK_OK(moorline_socket_destroy(client));
    CHECK_OK(moorline_server_destroy(server));
}

static void bad_policies_are_refused(void)
{
    moorline_server_options options = MOORLINE_SERVER_OPTIONS_INIT;
    moorline_policy policy = rule(5);
    options.policy = &policy;
    moorline_server *server = NULL;
    CHECK_STATUS(moorline_server_create(&options, &server), MOORLINE_INVALID_ARGUMENT);
    policy = rule(MOORLINE_POLICY_CUSTOM);
    CHECK_STATUS(moorline_server_create(&options, &server), MOORLINE_INVALID_ARGUMENT);
    policy = rule(MOORLINE_POLICY_LISTED);
    policy.user_count = 1;
    CHECK_STATUS(moorline_server_create(&options, &server), MOORLINE_INVALID_ARGUMENT);
    CHECK_POINTER(server, NULL);
}

int main(void)
{
    RUN(rules_admit_whom_they_say);
    RUN(a_function_decides);
    RUN(the_context_is_given_back_once);
    RUN(a_service_turns_away_and_counts);
    RUN(a_pidfd_is_the_peers_process);
    RUN(bad_policies_are_refused);
    return 0;
}

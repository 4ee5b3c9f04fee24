#include "support_testkit.h"

moorline_fault_plan *plan_of(const moorline_faults *faults)
{
    moorline_fault_plan *plan = NULL;
    CHECK_OK(moorline_fault_plan_create(faults, &plan));
    return plan;
}

moorline_fault_counts counts_of(moorline_fault_plan *plan)
{
    moorline_fault_counts counts = MOORLINE_FAULT_COUNTS_INIT;
    CHECK_OK(moorline_fault_plan_counts(plan, &counts));
    return counts;
}

struct path happened(moorline_fault_plan *plan)
{
    struct path text;
    CHECK_OK(moorline_fault_plan_happened(plan, text.text, sizeof text.text, NULL));
    return text;
}

moorline_fixture *fixture_of(const char *script)
{
    moorline_fixture_options options = MOORLINE_FIXTURE_OPTIONS_INIT;
    options.quiet = 1;
    moorline_fixture *fixture = NULL;
    CHECK_OK(moorline_fixture_start(script, &options, &fixture));
    return fixture;
}

struct path fixture_name(moorline_fixture *fixture)
{
    struct path name;
    CHECK_OK(moorline_fixture_full_name(fixture, name.text, sizeof name.text, NULL));
    return name;
}

moorline_fixture_stats fixture_stats(moorline_fixture *fixture)
{
    moorline_fixture_stats stats = MOORLINE_FIXTURE_STATS_INIT;
    CHECK_OK(moorline_fixture_statistics(fixture, &stats));
    return stats;
}

moorline_socket *connected_to_fixture(moorline_fixture *fixture)
{
    return connected(fixture_name(fixture).text);
}

void send_text(moorline_socket *socket, const char *text)
{
    size_t sent = 0;
    CHECK_OK(moorline_socket_send(socket, text, strlen(text), -1, &sent));
}

void expect_text(moorline_socket *socket, const char *text)
{
    char buffer[256] = "";
    CHECK(strlen(text) < sizeof buffer);
    receive_exactly(socket, buffer, strlen(text));
    CHECK_TEXT(buffer, text);
}

void expect_end(moorline_socket *socket)
{
    char byte = 0;
    size_t received = 0;
    CHECK_STATUS(moorline_socket_receive(socket, &byte, 1, -1, &received), MOORLINE_DISCONNECTED);
}

/* Each fault of a plan through the C ABI: it happens when it is planned, and not otherwise. */
#include "support_testkit.h"

/* A server whose connections have these faults, and a client of it. */
struct faulty {
    moorline_fault_plan *plan;
    moorline_server *server;
    moorline_socket *client;
    moorline_socket *accepted;
};

static moorline_server *faulty_server(moorline_fault_plan *plan, uint32_t backlog)
{
    moorline_server_options options = MOORLINE_SERVER_OPTIONS_INIT;
    options.faults = plan;
    options.backlog = backlog;
    moorline_server *server = NULL;
    CHECK_OK(moorline_server_create(&options, &server));
    CHECK_OK(moorline_server_listen(server, "faulty"));
    return server;
}

static struct faulty make_faulty(const moorline_faults *faults)
{
    struct faulty made = {.plan = plan_of(faults)};
    made.server = faulty_server(made.plan, 0);
    made.client = connected("faulty");
    CHECK_OK(moorline_server_accept(made.server, -1, &made.accepted));
    return made;
}

static void destroy_faulty(struct faulty *made)
{
    CHECK_OK(moorline_socket_destroy(made->client));
    CHECK_OK(moorline_socket_destroy(made->accepted));
    CHECK_OK(moorline_server_destroy(made->server));
    CHECK_OK(moorline_fault_plan_destroy(made->plan));
}

static void test_nothing_planned_is_nothing_gone_wrong(void)
{
    struct faulty made = make_faulty(NULL);
    send_text(made.client, "there");
    expect_text(made.accepted, "there");
    send_text(made.accepted, "back");
    expect_text(made.client, "back");
    moorline_fault_counts counts = counts_of(made.plan);
    CHECK_NUMBER(counts.connections, 1);
    CHECK_NUMBER(counts.flipped + counts.lost + counts.resets + counts.stops + counts.refused, 0);
    CHECK_NUMBER(counts.without_descriptor + counts.delayed_accepts + counts.would_blocks, 0);
    CHECK_TEXT(happened(made.plan).text, "");
    destroy_faulty(&made);
}

static void test_pieces_and_their_delays(void)
{
    moorline_faults faults = MOORLINE_FAULTS_INIT;
    faults.pieces_min = 2; /* the greatest number, 0, is as the least */
    faults.delay_min_us = 1000;
    faults.delay_max_us = 2000;
    faults.direction = MOORLINE_DIRECTION_TO_SERVER;
    struct faulty made = make_faulty(&faults);
    const uint64_t begin = monotonic_ms();
    send_text(made.client, "abcdefghij");
    char text[16] = "";
    for (size_t at = 0; at < 10;) {
        size_t received = 0;
        CHECK_OK(moorline_socket_receive(made.accepted, text + at, sizeof text - at, -1, &received));
        CHECK_NUMBER(received, 2);
        at += received;
    }
    CHECK_TEXT(text, "abcdefghij");
    CHECK(monotonic_ms() - begin >= 5 * 1 - 1); /* a clock of whole milliseconds */
    CHECK(counts_of(made.plan).pieces >= 5);
    send_text(made.accepted, "whole");
    size_t received = 0;
    CHECK_OK(moorline_socket_receive(made.client, text, sizeof text, -1, &received));
    CHECK_NUMBER(received, 5); /* in this direction nothing is planned */
    destroy_faulty(&made);
}

static void test_a_window_makes_writes_short(void)
{
    static char much[1 << 20];
    size_t taken[2] = {0, 0};
    for (int i = 0; i < 2; ++i) {
        moorline_faults faults = MOORLINE_FAULTS_INIT;
        faults.stop_reading_nth = 1; /* so that nothing but the sender's own buffer counts */
        faults.window = i == 0 ? 0 : 1;
        struct faulty made = make_faulty(&faults);
        CHECK_STATUS(moorline_socket_send(made.accepted, much, sizeof much, 0, &taken[i]), MOORLINE_WOULD_BLOCK);
        destroy_faulty(&made);
    }
    CHECK(taken[1] > 0 && taken[1] < taken[0]);
}

/* How often a call that would be let through is told that it would block. */
static int turned_away(moorline_socket *socket, bool sending)
{
    for (int times = 0;; ++times) {
        char byte = 'x';
        size_t moved = 0;
        moorline_status status =
            sending ? moorline_socket_send(socket, &byte, 1, 0, &moved) : moorline_socket_receive(socket, &byte, 1, 0, &moved);
        if (status == MOORLINE_OK) {
            return times;
        }
        CHECK_STATUS(status, MOORLINE_WOULD_BLOCK);
    }
}

static void test_a_storm_of_would_blocks_in_both_directions(void)
{
    moorline_faults faults = MOORLINE_FAULTS_INIT;
    faults.would_block_min = 4;
    faults.would_block_max = 4;
    struct faulty made = make_faulty(&faults);
    for (int round = 0; round < 3; ++round) {
        CHECK_NUMBER(turned_away(made.accepted, true), 4);
        expect_text(made.client, "x");
        send_text(made.client, "y");
        uint32_t ready = 0;
        CHECK_OK(moorline_socket_wait(made.accepted, MOORLINE_READABLE, -1, &ready));
        CHECK_NUMBER(turned_away(made.accepted, false), 4);
    }
    CHECK_NUMBER(counts_of(made.plan).would_blocks, 3 * 8);
    destroy_faulty(&made);

    faults.direction = MOORLINE_DIRECTION_TO_CLIENT;
    made = make_faulty(&faults);
    CHECK_NUMBER(turned_away(made.accepted, true), 4);
    send_text(made.client, "y");
    uint32_t ready = 0;
    CHECK_OK(moorline_socket_wait(made.accepted, MOORLINE_READABLE, -1, &ready));
    CHECK_NUMBER(turned_away(made.accepted, false), 0);
    destroy_faulty(&made);
}

static void test_bytes_are_flipped_and_lost_where_planned(void)
{
    moorline_faults faults = MOORLINE_FAULTS_INIT;
    faults.direction = MOORLINE_DIRECTION_TO_SERVER;
    faults.lose_nth = 2;
    faults.flip_nth = 1; /* the very first */
    struct faulty made = make_faulty(&faults);
    send_text(made.client, "abc");
    char got[2];
    receive_exactly(made.accepted, got, sizeof got);
    const int difference = got[0] ^ 'a';
    CHECK(difference != 0 && (difference & (difference - 1)) == 0);
    CHECK_NUMBER(got[1], 'c');
    CHECK_CONTAINS(happened(made.plan).text, "connection 1, to the server, after 1 bytes: 0x62 is lost\n");
    send_text(made.accepted, "abc");
    expect_text(made.client, "abc");
    moorline_fault_counts counts = counts_of(made.plan);
    CHECK_NUMBER(counts.flipped, 1);
    CHECK_NUMBER(counts.lost, 1);
    destroy_faulty(&made);
}

static void run_at_random(uint64_t seed, char *arrived, size_t length)
{
    moorline_faults faults = MOORLINE_FAULTS_INIT;
    faults.seed = seed;
    faults.flip_one_in = 20;
    faults.lose_one_in = 50;
    struct faulty made = make_faulty(&faults);
    static char sent[4096];
    size_t count = 0;
    memset(sent, 0, sizeof sent);
    CHECK_OK(moorline_socket_send(made.client, sent, sizeof sent, -1, &count));
    CHECK_OK(moorline_socket_shutdown(made.client, MOORLINE_WRITABLE, -1));
    receive_exactly(made.accepted, arrived, length);
    CHECK(receive_until_disconnected(made.accepted) < sizeof sent - length);
    moorline_fault_counts counts = counts_of(made.plan);
    CHECK(counts.flipped > 100 && counts.lost > 40);
    destroy_faulty(&made);
}

static void test_the_same_seed_does_the_same_again(void)
{
    static char runs[3][3000];
    run_at_random(1, runs[0], sizeof runs[0]);
    run_at_random(1, runs[1], sizeof runs[1]);
    run_at_random(2, runs[2], sizeof runs[2]);
    CHECK(memcmp(runs[0], runs[1], sizeof runs[0]) == 0);
    CHECK(memcmp(runs[0], runs[2], sizeof runs[0]) != 0);
}

static void test_a_connection_breaks_at_the_byte_planned(void)
{
    moorline_faults faults = MOORLINE_FAULTS_INIT;
    faults.reset_nth = 4;
    struct faulty made = make_faulty(&faults);
    send_text(made.client, "abc");
    expect_text(made.accepted, "abc");
    send_text(made.client, "d");
    expect_end(made.accepted);
    expect_end(made.client);
    CHECK_NUMBER(counts_of(made.plan).resets, 1);
    destroy_faulty(&made);
}

static void test_a_peer_stops_reading(void)
{
    for (uint64_t nth = 1; nth <= 3; nth += 2) {
        moorline_faults faults = MOORLINE_FAULTS_INIT;
        faults.stop_reading_nth = nth;
        faults.direction = MOORLINE_DIRECTION_TO_SERVER;
        struct faulty made = make_faulty(&faults);
        send_text(made.client, "abcdef");
        CHECK(nth == 1 || (expect_text(made.accepted, "ab"), true));
        char byte = 0;
        size_t received = 0;
        CHECK_STATUS(moorline_socket_receive(made.accepted, &byte, 1, 10, &received), MOORLINE_TIMED_OUT);
        size_t taken = fill(made.client); /* in the end nothing more is taken */
        CHECK(taken > 0);
        while (counts_of(made.plan).stops == 0) {
            let_time_pass_ms(1); /* the plan's thread is still to come there */
        }
        CHECK_NUMBER(counts_of(made.plan).stops, 1);
        destroy_faulty(&made);
    }
}

static void test_accepts_are_refused_or_find_no_descriptor(void)
{
    moorline_faults faults = MOORLINE_FAULTS_INIT;
    faults.refuse_accept_nth = 1;
    faults.no_descriptors_nth = 2;
    moorline_fault_plan *plan = plan_of(&faults);
    moorline_server *server = faulty_server(plan, 0);
    moorline_socket *refused = connected("faulty");
    moorline_socket *served = connected("faulty");
    moorline_socket *accepted = NULL;
    CHECK_STATUS(moorline_server_accept(server, -1, &accepted), MOORLINE_LIMIT_REACHED);
    CHECK_NUMBER(moorline_last_os_error(), EMFILE);
    expect_end(refused);
    CHECK_OK(moorline_server_accept(server, -1, &accepted));
    send_text(served, "x");
    expect_text(accepted, "x");
    moorline_fault_counts counts = counts_of(plan);
    CHECK_NUMBER(counts.refused, 1);
    CHECK_NUMBER(counts.without_descriptor, 1);
    CHECK_OK(moorline_socket_destroy(refused));
    CHECK_OK(moorline_socket_destroy(served));
    CHECK_OK(moorline_socket_destroy(accepted));
    CHECK_OK(moorline_server_destroy(server));
    CHECK_OK(moorline_fault_plan_destroy(plan));
}

static void test_an_accept_is_stalled(void)
{
    moorline_faults faults = MOORLINE_FAULTS_INIT;
    faults.accept_delay_us = 20000;
    moorline_fault_plan *plan = plan_of(&faults);
    moorline_server *server = faulty_server(plan, 0);
    const uint64_t begin = monotonic_ms();
    moorline_socket *client = connected("faulty");
    moorline_socket *accepted = NULL;
    CHECK_STATUS(moorline_server_accept(server, 0, &accepted), MOORLINE_WOULD_BLOCK);
    CHECK_OK(moorline_server_accept(server, -1, &accepted));
    CHECK(monotonic_ms() - begin >= 19); /* a clock of whole milliseconds */
    CHECK_NUMBER(counts_of(plan).delayed_accepts, 1);
    CHECK_OK(moorline_socket_destroy(client));
    CHECK_OK(moorline_socket_destroy(accepted));
    CHECK_OK(moorline_server_destroy(server));
    CHECK_OK(moorline_fault_plan_destroy(plan));
}

static void test_a_backlog_is_full_until_it_is_opened(void)
{
    moorline_faults faults = MOORLINE_FAULTS_INIT;
    faults.backlog_full = 1;
    moorline_fault_plan *plan = plan_of(&faults);
    moorline_server *server = faulty_server(plan, 2);
    moorline_socket *client = NULL;
    moorline_socket *accepted = NULL;
    CHECK_STATUS(moorline_socket_connect("faulty", NULL, 0, &client), MOORLINE_WOULD_BLOCK);
    CHECK_STATUS(moorline_server_accept(server, 0, &accepted), MOORLINE_WOULD_BLOCK);
    CHECK_OK(moorline_fault_plan_open_backlog(plan));
    CHECK_OK(moorline_fault_plan_open_backlog(plan)); /* that it is open is fine */
    /* What filled it has gone, and only takes a turn still: then there is room. */
    CHECK_STATUS(moorline_server_accept(server, 0, &accepted), MOORLINE_WOULD_BLOCK);
    CHECK_OK(moorline_socket_connect("faulty", NULL, 0, &client));
    CHECK_OK(moorline_server_accept(server, -1, &accepted));
    CHECK_OK(moorline_socket_destroy(client));
    CHECK_OK(moorline_socket_destroy(accepted));
    CHECK_OK(moorline_server_destroy(server));
    CHECK_OK(moorline_fault_plan_destroy(plan));
}

static void test_a_plan_at_a_client_and_at_a_service(void)
{
    moorline_faults faults = MOORLINE_FAULTS_INIT;
    faults.lose_nth = 1;
    faults.direction = MOORLINE_DIRECTION_TO_CLIENT;
    moorline_fault_plan *plan = plan_of(&faults);
    moorline_fixture *echo = fixture_of("echo");
    moorline_socket_options of_socket = MOORLINE_SOCKET_OPTIONS_INIT;
    of_socket.faults = plan;
    moorline_socket *client = NULL;
    CHECK_OK(moorline_socket_connect(fixture_name(echo).text, &of_socket, -1, &client));
    send_text(client, "abc");
    expect_text(client, "bc");
    CHECK_OK(moorline_socket_destroy(client));
    CHECK_OK(moorline_fixture_destroy(echo));

    moorline_service_options of_service = MOORLINE_SERVICE_OPTIONS_INIT;
    of_service.faults = plan;
    moorline_service *service = NULL;
    CHECK_OK(moorline_service_create(&of_service, NULL, &service));
    CHECK_OK(moorline_service_start(service, "service"));
    client = connected("service");
    send_text(client, "abc");
    expect_text(client, "bc");
    CHECK_NUMBER(counts_of(plan).lost, 2);
    CHECK_OK(moorline_socket_destroy(client));
    CHECK_OK(moorline_service_destroy(service));
    CHECK_OK(moorline_fault_plan_destroy(plan));
}

/* Destroying a plan breaks its connections; what has it in its options goes on without. */
static void test_the_end_of_a_plan(void)
{
    moorline_faults faults = MOORLINE_FAULTS_INIT;
    faults.lose_nth = 1;
    struct faulty made = make_faulty(&faults);
    CHECK_OK(moorline_fault_plan_end(made.plan));
    expect_end(made.client);
    expect_end(made.accepted);
    CHECK_NUMBER(counts_of(made.plan).connections, 1);
    CHECK_OK(moorline_fault_plan_destroy(made.plan));
    CHECK_OK(moorline_socket_destroy(made.client));
    CHECK_OK(moorline_socket_destroy(made.accepted));
    expect_served(made.server, "faulty", NULL);
    CHECK_OK(moorline_server_destroy(made.server));
}

int main(void)
{
    RUN(test_nothing_planned_is_nothing_gone_wrong);
    RUN(test_pieces_and_their_delays);
    RUN(test_a_window_makes_writes_short);
    RUN(test_a_storm_of_would_blocks_in_both_directions);
    RUN(test_bytes_are_flipped_and_lost_where_planned);
    RUN(test_the_same_seed_does_the_same_again);
    RUN(test_a_connection_breaks_at_the_byte_planned);
    RUN(test_a_peer_stops_reading);
    RUN(test_accepts_are_refused_or_find_no_descriptor);
    RUN(test_an_accept_is_stalled);
    RUN(test_a_backlog_is_full_until_it_is_opened);
    RUN(test_a_plan_at_a_client_and_at_a_service);
    RUN(test_the_end_of_a_plan);
    return 0;
}

/* Messages in a service: delivered whole, bounded, refused, late, and each end with its reason and its numbers. */
#include "support.h"

#include <sys/socket.h>

/* What the service's callbacks saw; they write it to a pipe, one record an event. */
struct event {
    enum { MESSAGE, FINISHED, ENDED } what;
    moorline_status reason;
    size_t length;
    uint64_t unsent;
    uint64_t messages_received;
};

static int events[2];
static atomic_bool answer_after_the_end;

static void report(struct event event)
{
    raw_write_all(events[1], &event, sizeof event);
}

static struct event next_event(void)
{
    struct event event;
    CHECK_NUMBER(raw_read_all(events[0], &event, sizeof event), sizeof event);
    return event;
}

static int32_t begins_with_o(void *context, moorline_connection *connection, const void *data, size_t length)
{
    (void)context;
    (void)connection;
    return length == 0 || *(const char *)data == 'o';
}

static void echo_message(void *context, moorline_connection *connection, const void *data, size_t length)
{
    (void)context;
    report((struct event){.what = MESSAGE, .length = length});
    CHECK_OK(moorline_connection_send_message(connection, data, length, 0));
}

static void on_finished(void *context, moorline_connection *connection)
{
    (void)context;
    report((struct event){.what = FINISHED});
    if (atomic_load(&answer_after_the_end)) {
        CHECK_OK(moorline_connection_send_message(connection, "over", 4, 0));
    }
    CHECK_OK(moorline_connection_close(connection));
}

static void on_disconnected(void *context, moorline_connection *connection, moorline_status reason)
{
    (void)context;
    moorline_socket_stats stats = MOORLINE_SOCKET_STATS_INIT;
    CHECK_OK(moorline_connection_statistics(connection, &stats));
    report((struct event){.what = ENDED, .reason = reason, .unsent = stats.unsent, .messages_received = stats.messages_received});
}

static moorline_service *make_service(const moorline_service_options *options)
{
    CHECK_SYSTEM(pipe(events));
    moorline_service_callbacks callbacks = MOORLINE_SERVICE_CALLBACKS_INIT;
    callbacks.admits = begins_with_o;
    callbacks.message = echo_message;
    callbacks.finished = on_finished;
    callbacks.disconnected = on_disconnected;
    moorline_service *service = NULL;
    CHECK_OK(moorline_service_create(options, &callbacks, &service));
    CHECK_OK(moorline_service_start(service, "messages"));
    return service;
}

static void end_service(moorline_service *service, moorline_service_report *report)
{
    CHECK_OK(moorline_service_stop(service, -1, report));
    CHECK_OK(moorline_service_destroy(service));
    CHECK_SYSTEM(close(events[0]));
    CHECK_SYSTEM(close(events[1]));
}

static moorline_socket *connect_with(const moorline_message_options *messages)
{
    moorline_socket_options options = MOORLINE_SOCKET_OPTIONS_INIT;
    options.messages = messages;
    moorline_socket *socket = NULL;
    CHECK_OK(moorline_socket_connect("messages", &options, -1, &socket));
    return socket;
}

static void expect_end(moorline_status reason)
{
    struct event event = next_event();
    CHECK_NUMBER(event.what, ENDED);
    CHECK_NUMBER(event.reason, reason);
}

static void messages_are_delivered_whole_and_ends_have_reasons(void)
{
    moorline_message_options messages = MOORLINE_MESSAGE_OPTIONS_INIT;
    messages.framing = MOORLINE_FRAMING_BIG_ENDIAN;
    messages.max_message = 200000;
    messages.message_timeout_ms = 500; /* for what a loaded machine takes to carry a large one */
    moorline_service_options options = MOORLINE_SERVICE_OPTIONS_INIT;
    options.messages = &messages;
    moorline_service *service = make_service(&options);

    moorline_socket *good = connect_with(&messages);
    static char big[200000];
    memset(big, 'o', sizeof big);
    size_t length = 0;
    CHECK_OK(moorline_socket_send_message(good, big, sizeof big, -1));
    CHECK_OK(moorline_socket_receive_message(good, big, sizeof big, -1, &length));
    CHECK_NUMBER(length, sizeof big);
    CHECK_NUMBER(next_event().length, sizeof big);

    static const struct {
        const char *bytes;
        size_t length;
        moorline_status reason;
    } bad[] = {
        {"\0\0\0\3bad", 7, MOORLINE_REFUSED},
        {"\377\0\0\0", 4, MOORLINE_MESSAGE_TOO_LARGE},
        {"\0\0\0", 3, MOORLINE_TIMED_OUT},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct path name;
        CHECK_OK(moorline_service_full_name(service, name.text, sizeof name.text, NULL));
        int plain = raw_connect(name.text);
        raw_write_all(plain, bad[i].bytes, bad[i].length);
        char byte;
        CHECK_NUMBER(raw_read_all(plain, &byte, 1), 0);
        expect_end(bad[i].reason);
        CHECK_SYSTEM(close(plain));
        /* The others do not notice. */
        CHECK_OK(moorline_socket_send_message(good, "o", 1, -1));
        CHECK_OK(moorline_socket_receive_message(good, big, sizeof big, -1, &length));
        CHECK_NUMBER(next_event().length, 1);
    }

    atomic_store(&answer_after_the_end, true);
    CHECK_OK(moorline_socket_shutdown(good, MOORLINE_WRITABLE, -1));
    CHECK_STATUS(moorline_socket_send_message(good, "o", 1, -1), MOORLINE_CLOSED);
    CHECK_OK(moorline_socket_receive_message(good, big, sizeof big, -1, &length));
    CHECK_NUMBER(length, 4);
    CHECK_NUMBER(next_event().what, FINISHED);
    struct event end = next_event();
    CHECK_NUMBER(end.reason, MOORLINE_DISCONNECTED);
    CHECK_NUMBER(end.messages_received, 4);
    CHECK_NUMBER(end.unsent, 0);
    CHECK_OK(moorline_socket_destroy(good));

    moorline_service_report totals = MOORLINE_SERVICE_REPORT_INIT;
    end_service(service, &totals);
    CHECK_NUMBER(totals.ended_refused, 1);
    CHECK_NUMBER(totals.ended_malformed, 1);
    CHECK_NUMBER(totals.ended_late, 1);
    CHECK_NUMBER(totals.ended_by_peer, 1);
    CHECK_NUMBER(totals.accepted, 4);
}

static void an_idle_connection_ends(void)
{
    moorline_service_options options = MOORLINE_SERVICE_OPTIONS_INIT;
    options.idle_timeout_ms = 40;
    moorline_service *service = make_service(&options);
    uint64_t start = monotonic_ms();
    moorline_socket *idle = connected("messages");
    char byte;
    size_t received = 0;
    CHECK_STATUS(moorline_socket_receive(idle, &byte, 1, -1, &received), MOORLINE_DISCONNECTED);
    CHECK(monotonic_ms() - start >= 39);
    expect_end(MOORLINE_TIMED_OUT);
    CHECK_OK(moorline_socket_destroy(idle));
    moorline_service_report totals = MOORLINE_SERVICE_REPORT_INIT;
    CHECK_OK(moorline_service_statistics(service, &totals));
    CHECK_NUMBER(totals.ended_late, 1);
    end_service(service, &totals);
}

static void connections_come_no_faster_than_allowed(void)
{
    moorline_service_options options = MOORLINE_SERVICE_OPTIONS_INIT;
    options.connection_rate = 50;
    moorline_service *service = NULL;
    CHECK_OK(moorline_service_create(&options, NULL, &service));
    CHECK_OK(moorline_service_start(service, "rate"));
    uint64_t start = monotonic_ms();
    moorline_exchange_options exchange = MOORLINE_EXCHANGE_OPTIONS_INIT;
    exchange.connections = 16;
    CHECK_OK(moorline_exchange_run("rate", &exchange, -1, NULL));
    CHECK(monotonic_ms() - start >= 200); /* a tenth of a second's worth, five, may come at once */
    CHECK_OK(moorline_service_destroy(service));
}

static void an_abort_reports_what_is_lost(void)
{
    moorline_socket_options options = MOORLINE_SOCKET_OPTIONS_INIT;
    options.send_queue_limit = 1 << 20;
    moorline_socket *first = NULL;
    moorline_socket *second = NULL;
    CHECK_OK(moorline_socket_pair(&options, &first, &second));
    static char data[1 << 20];
    size_t sent = 0;
    CHECK_OK(moorline_socket_send(first, data, sizeof data, 0, &sent));
    moorline_socket_stats stats = MOORLINE_SOCKET_STATS_INIT;
    CHECK_OK(moorline_socket_statistics(first, &stats));
    CHECK(stats.queued > 0);
    CHECK_NUMBER(stats.queue_peak, stats.queued);
    CHECK_STATUS(moorline_socket_shutdown(first, MOORLINE_WRITABLE, 0), MOORLINE_WOULD_BLOCK);
    CHECK_STATUS(moorline_socket_shutdown(first, 3, 0), MOORLINE_INVALID_ARGUMENT);
    moorline_close_report report = MOORLINE_CLOSE_REPORT_INIT;
    CHECK_STATUS(moorline_socket_abort(first, &report), MOORLINE_CLOSED);
    CHECK_NUMBER(report.unsent, stats.queued);
    CHECK_NUMBER(report.sent + report.unsent, sizeof data);
    CHECK_OK(moorline_socket_destroy(first));
    CHECK_OK(moorline_socket_destroy(second));
}

static void a_direction_that_is_shut_fails_for_the_peer(void)
{
    moorline_socket *first = NULL;
    moorline_socket *second = NULL;
    CHECK_OK(moorline_socket_pair(NULL, &first, &second));
    size_t count = 0;
    CHECK_OK(moorline_socket_send(second, "before", 6, -1, &count));
    CHECK_OK(moorline_socket_shutdown(first, MOORLINE_READABLE, 0));
    CHECK_STATUS(moorline_socket_send(second, "after", 5, -1, &count), MOORLINE_DISCONNECTED);
    char buffer[8];
    receive_exactly(first, buffer, 6);
    CHECK_OK(moorline_socket_send(first, "on", 2, -1, &count));
    receive_exactly(second, buffer, 2);
    CHECK_OK(moorline_socket_destroy(first));
    CHECK_OK(moorline_socket_destroy(second));
}

int main(void)
{
    RUN(messages_are_delivered_whole_and_ends_have_reasons);
    RUN(an_idle_connection_ends);
    RUN(connections_come_no_faster_than_allowed);
    RUN(an_abort_reports_what_is_lost);
    RUN(a_direction_that_is_shut_fails_for_the_peer);
    return 0;
}

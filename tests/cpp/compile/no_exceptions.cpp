// The whole of the interface at work in a program compiled without exceptions and without type information.
#if defined(__cpp_exceptions) || defined(__GXX_RTTI)
#error "this is to be compiled with -fno-exceptions and -fno-rtti"
#endif

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <moorline/moorline.hpp>
#include <moorline/testkit.hpp>

using namespace std::chrono_literals;
using moorline::Timeout;

constexpr auto patience = 60s;

#define CHECK(condition)                                                         \
    do {                                                                         \
        if (!(condition)) {                                                      \
            std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            std::exit(1);                                                        \
        }                                                                        \
    } while (false)

static void talk() {
    auto server = moorline::Server::create();
    CHECK(server && server->listen_unique("no-exceptions"));
    auto client = moorline::Socket::connect(server->full_name().value_or(""), patience);
    CHECK(client);
    auto accepted = server->accept(patience);
    CHECK(accepted && accepted->send("hello", patience));
    auto poller = moorline::Poller::create();
    CHECK(poller && poller->add(*client, moorline::Interest::readable, 7));
    std::array<moorline::Event, 4> events;
    const auto count = poller->wait(events, patience);
    CHECK(count && *count == 1 && events[0].token == 7);
    std::array<char, 16> buffer;
    const auto received = client->receive(buffer, patience);
    CHECK(received && moorline::BytesView(buffer.data(), *received).text() == "hello");
    CHECK(client->receive(buffer, Timeout::none()).error().status() == moorline::Status::would_block);
}

static void talk_in_messages() {
    moorline::SocketOptions options;
    options.messages = moorline::Framing::checked;
    options.messages->max_descriptors = 1;
    auto sockets = moorline::Socket::pair(options);
    CHECK(sockets);
    auto& [first, second] = *sockets;
    CHECK(second.set_validator([](moorline::BytesView message) { return message.text() != "bad"; }));
    CHECK(first.send_message_with_descriptors("good", {1}, patience) && first.send_message("bad", patience));
    const auto received = second.receive_message_with_descriptors(patience);
    CHECK(received && received->data == "good" && received->descriptors.size() == 1);
    CHECK(second.peer_application() && second.max_message());
    CHECK(second.receive_message(patience).error().status() == moorline::Status::refused);
    CHECK(second.take_exception() == nullptr);
}

static void serve() {
    moorline::Service::Handler handler;
    handler.received = [](moorline::Connection connection, moorline::BytesView data) {
        CHECK(connection.send(data, Timeout::none()));
    };
    auto service = moorline::Service::create(std::move(handler));
    CHECK(service && service->start_unique("no-exceptions"));
    moorline::ExchangeOptions options;
    options.connections = 5;
    options.chunk = 100;
    options.round_trips = 50;
    options.progress = [](std::uint64_t, std::uint64_t) { return true; };
    const auto exchanged = moorline::run_exchange(service->full_name().value_or(""), options, patience);
    CHECK(exchanged && exchanged.report.bytes_received == 5000);
    const auto stopped = service->stop(patience);
    CHECK(stopped && stopped.report.exceptions.kept.empty());
}

static void test_with_the_kit() {
    auto verdicts = moorline::testkit::Verdicts::create();
    CHECK(verdicts);
    moorline::testkit::FixtureOptions options;
    options.verdicts = *verdicts;
    const auto fixture = moorline::testkit::Fixture::start("expect \"hello\"\nexpect-end", options);
    CHECK(fixture);
    auto client = moorline::Socket::connect(fixture->full_name().value_or(""), patience);
    CHECK(client && client->send("hello", patience));
    *client = moorline::Socket();
    CHECK(fixture->wait(1, patience));
    CHECK(verdicts->count().value_or(1u) == 0);
    CHECK(!MOORLINE_CHECK_EQ(*verdicts, 1, 2));
    CHECK(verdicts->wait(patience).error().status() == moorline::Status::mismatch);
}

int main() {
    test_with_the_kit();
    talk();
    talk_in_messages();
    serve();
    CHECK(moorline::live_handles().value_or(1u) == 0);
    std::puts("all right");
}

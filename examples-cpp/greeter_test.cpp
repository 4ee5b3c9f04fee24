// A test of a client and a server of one's own with GoogleTest and the test kit. The client asks for a greeting, one message each way.
#include <moorline/testkit/gtest.hpp>

#include <moorline/moorline.hpp>

namespace {

using moorline::BytesView;
using moorline::Connection;
using moorline::Result;
using moorline::Socket;
using moorline::Timeout;
using moorline::testkit::FaultPlan;
using moorline::testkit::Faults;
using moorline::testkit::Fixture;
using moorline::testkit::FixtureOptions;
using moorline::testkit::gtest::VerdictGuard;
using namespace std::chrono_literals;

// What is tested.

Result<std::string> greet(const std::string& server, const std::string& name, Timeout timeout) {
    moorline::SocketOptions options;
    options.messages = moorline::Framing::lines;
    auto socket = Socket::connect(server, timeout, options);
    if (!socket) {
        return moorline::Unexpected(socket.error());
    }
    if (auto sent = socket->send_message(name, timeout); !sent) {
        return moorline::Unexpected(sent.error());
    }
    return socket->receive_message(timeout);
}

// The tests.

// Ends what hangs; nothing else ever waits so long.
constexpr auto watchdog = 60s;

// Every test that leaves a handle, a descriptor, a thread or a socket file behind fails.
const bool leaks_are_found = moorline::testkit::gtest::install_leak_listener();

TEST(Greeter, SaysItsNameAndTellsTheAnswer) {
    VerdictGuard verdicts;
    FixtureOptions options;
    options.verdicts = verdicts;
    const auto server = Fixture::start(R"(
        framing lines
        within 30s
        expect-message "world"
        send-message "hello, world"
        expect-end
    )",
                                       options);
    ASSERT_TRUE(server);
    const auto greeting = greet(server->full_name().value(), "world", watchdog);
    ASSERT_TRUE(greeting);
    EXPECT_EQ(*greeting, "hello, world");
    EXPECT_TRUE(server->wait(1, watchdog));
}

TEST(Greeter, SurvivesShortReads) {
    Faults faults;
    faults.pieces = {1, 3};
    const auto plan = FaultPlan::create(faults);
    ASSERT_TRUE(plan);
    FixtureOptions options;
    options.faults = *plan;
    const auto server = Fixture::start("framing lines\nexpect-message \"world\"\nsend-message \"hello, world\"", options);
    ASSERT_TRUE(server);
    const auto greeting = greet(server->full_name().value(), "world", watchdog);
    ASSERT_TRUE(greeting);
    EXPECT_EQ(*greeting, "hello, world");
    EXPECT_GT(plan->counts().value().pieces, 5u);
}

TEST(Greeter, TellsThatTheServerHasGone) {
    const auto server = Fixture::start("framing lines\nexpect-message \"world\"\nreset");
    ASSERT_TRUE(server);
    const auto greeting = greet(server->full_name().value(), "world", watchdog);
    ASSERT_FALSE(greeting);
    EXPECT_EQ(greeting.error().status(), moorline::Status::disconnected);
}

// A callback of a service, on its thread: its checks fail this test on the test's own.
TEST(Service, GetsTheNameWhole) {
    VerdictGuard verdicts;
    moorline::Service::Handler handler;
    handler.message = [&](Connection connection, BytesView name) {
        MOORLINE_CHECK_EQ(verdicts, name, "world");
        MOORLINE_CHECK(verdicts, connection.send_message("hello, world", Timeout::none()));
        verdicts.done();
    };
    moorline::ServiceOptions options;
    options.messages = moorline::Framing::lines;
    auto service = moorline::Service::create(handler, options);
    ASSERT_TRUE(service && service->start_unique("greeter"));
    EXPECT_TRUE(greet(service->full_name().value(), "world", watchdog));
    EXPECT_TRUE(verdicts.finish(watchdog));
}

}  // namespace

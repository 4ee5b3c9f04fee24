// Deadlines that pass when a test moves the clock, and not before.
#include <moorline/testkit.hpp>

#include "support.hpp"

namespace {

using moorline::testkit::Clock;

class ClockTest : public Clean {
protected:
    void TearDown() override {
        clock = Clock();
        Clean::TearDown();
    }

    Clock clock = must(Clock::create());
};

TEST_F(ClockTest, ItStandsUntilItIsMovedAndNeverGoesBack) {
    EXPECT_EQ(must(clock.passed()), 0us);
    must(clock.advance(90s));
    must(clock.advance(5us));
    EXPECT_EQ(must(clock.passed()), 90s + 5us);
    EXPECT_FAILS(clock.advance(-1us), Status::invalid_argument);
    EXPECT_FAILS(Clock().advance(1us), Status::invalid_argument);
    EXPECT_EQ(must(clock.passed()), 90s + 5us);
}

TEST_F(ClockTest, APollerWaitsUntilItIsMoved) {
    moorline::PollerOptions options;
    options.clock = clock;
    auto poller = must(moorline::Poller::create(options));
    BlockedCall waiting([&] {
        moorline::Event event;
        const auto waited = poller.wait(&event, 1, 1h);
        return waited ? Status::ok : waited.error().status();
    });
    ASSERT_TRUE(waiting.wait_until_blocked());
    must(clock.advance(59min));
    EXPECT_TRUE(waiting.wait_until_blocked());
    must(clock.advance(1min));
    EXPECT_EQ(waiting.answer(), Status::timed_out);
}

TEST_F(ClockTest, AServiceEndsIdleConnectionsWhenItIsMoved) {
    std::promise<void> connected;
    std::promise<Status> ended;
    moorline::Service::Handler handler;
    handler.connected = [&](moorline::Connection) { connected.set_value(); };
    handler.disconnected = [&](moorline::Connection, Status reason) { ended.set_value(reason); };
    moorline::ServiceOptions options;
    options.clock = clock;
    options.idle_timeout = 1h;
    auto service = must(moorline::Service::create(handler, options));
    must(service.start("clock"));
    const auto client = must(moorline::Socket::connect("clock", patience));
    ASSERT_EQ(connected.get_future().wait_for(patience), std::future_status::ready);
    auto future = ended.get_future();
    must(clock.advance(59min));
    EXPECT_EQ(future.wait_for(20ms), std::future_status::timeout);
    must(clock.advance(1min));
    ASSERT_EQ(future.wait_for(patience), std::future_status::ready);
    EXPECT_EQ(future.get(), Status::timed_out);
}

TEST_F(ClockTest, AFixtureWaitsOnIt) {
    moorline::testkit::FixtureOptions options;
    options.clock = clock;
    const auto fixture = must(moorline::testkit::Fixture::start("send \"a\"\nwait 3600s\nsend \"b\"\nclose", options));
    auto client = must(moorline::Socket::connect(must(fixture.full_name()), patience));
    EXPECT_EQ(receive_exactly(client, 1), "a");
    char buffer[1];
    EXPECT_FAILS(client.receive(buffer, 20ms), Status::timed_out);
    // The wait begins when its step does, which may be a moment after the bytes have come.
    EXPECT_TRUE(eventually([&] {
        must(clock.advance(1h));
        return client.receive(buffer, Timeout::none()).has_value();
    }));
    EXPECT_EQ(buffer[0], 'b');
}

TEST_F(ClockTest, OptionsThatNameNoClockAreNamed) {
    const Clock none;
    moorline::PollerOptions poller;
    poller.clock = none;
    ASSERT_FAILS(moorline::Poller::create(poller), Status::invalid_argument);
    EXPECT_EQ(moorline::Poller::create(poller).error().message().find("clock: "), 0u);
    moorline::ServiceOptions service;
    service.clock = none;
    EXPECT_FAILS(moorline::Service::echo(service), Status::invalid_argument);
    moorline::testkit::FixtureOptions fixture;
    fixture.clock = none;
    EXPECT_FAILS(moorline::testkit::Fixture::echo(fixture), Status::invalid_argument);
    poller.clock = clock;
    must(clock.destroy());
    EXPECT_FAILS(moorline::Poller::create(poller), Status::stale_handle);
}

}  // namespace

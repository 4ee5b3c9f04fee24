// The exchange: verified round trips, progress, and what makes it fail.
#include <stdexcept>

#include "support.hpp"

namespace {

using moorline::BytesView;
using moorline::Connection;
using moorline::ExchangeOptions;
using moorline::run_exchange;
using moorline::Service;

class ExchangeTest : public Clean {
protected:
    void TearDown() override {
        service_ = Service();
        Clean::TearDown();
    }

    std::string echo() { return start(must(Service::echo())); }
    std::string start(Service service) {
        service_ = std::move(service);
        must(service_.start_unique("exchange"));
        return must(service_.full_name());
    }

    Service service_;
};

TEST_F(ExchangeTest, CountsWhatItVerified) {
    ExchangeOptions options;
    options.connections = 10;
    options.chunk = 1000;
    options.round_trips = 500;
    const auto [result, report] = run_exchange(echo(), options, patience);
    EXPECT_OK(result);
    EXPECT_EQ(report.round_trips, 500u);
    EXPECT_EQ(report.bytes_sent, 500'000u);
    EXPECT_EQ(report.bytes_received, 500'000u);
    EXPECT_GT(report.duration.count(), 0);
    EXPECT_EQ(report.exception, nullptr);
    const auto stopped = service_.stop(patience);
    EXPECT_EQ(stopped.report.accepted, 10u);
    EXPECT_EQ(stopped.report.received, 500'000u);
}

TEST_F(ExchangeTest, ItsDefaultIsOneRoundTripOfOneByte) {
    const auto exchanged = run_exchange(echo(), {}, patience);
    EXPECT_OK(exchanged);
    EXPECT_EQ(exchanged.report.round_trips, 1u);
    EXPECT_EQ(exchanged.report.bytes_received, 1u);
}

TEST_F(ExchangeTest, ReportsProgressOnTheCallingThread) {
    ExchangeOptions options;
    options.connections = 4;
    options.round_trips = 20'000;
    std::uint64_t last = 0;
    int calls = 0;
    const auto caller = std::this_thread::get_id();
    options.progress = [&](std::uint64_t done, std::uint64_t total) {
        EXPECT_EQ(std::this_thread::get_id(), caller);
        EXPECT_EQ(total, 20'000u);
        EXPECT_GE(done, last);
        EXPECT_LE(done, total);
        last = done;
        ++calls;
        return true;
    };
    EXPECT_OK(run_exchange(echo(), options, patience));
    EXPECT_GE(calls, 1);
}

// More than can be done before the first progress.
ExchangeOptions endless() {
    ExchangeOptions options;
    options.connections = 2;
    options.round_trips = std::uint64_t{1} << 50;
    return options;
}

TEST_F(ExchangeTest, ProgressCancels) {
    ExchangeOptions options = endless();
    options.progress = [](std::uint64_t done, std::uint64_t) { return done == 0; };
    const auto cancelled = run_exchange(echo(), options, patience);
    EXPECT_FAILS(cancelled, Status::cancelled);
    EXPECT_GT(cancelled.report.round_trips, 0u);
    EXPECT_EQ(cancelled.report.exception, nullptr);
}

TEST_F(ExchangeTest, AnExceptionFromProgressCancelsAndIsHandedOver) {
    ExchangeOptions options = endless();
    options.progress = [](std::uint64_t, std::uint64_t) -> bool { throw std::runtime_error("enough"); };
    const auto cancelled = run_exchange(echo(), options, patience);
    EXPECT_FAILS(cancelled, Status::cancelled);
    ASSERT_NE(cancelled.report.exception, nullptr);
    try {
        std::rethrow_exception(cancelled.report.exception);
    } catch (const std::runtime_error& error) {
        EXPECT_STREQ(error.what(), "enough");
    }
}

TEST_F(ExchangeTest, TheDeadlineEndsIt) {
    const std::string name = echo();
    std::uint64_t round_trips = 0;
    // How soon the first answer is there is the machine's business.
    for (auto timeout = 50ms; round_trips == 0 && timeout < patience; timeout *= 2) {
        const auto start_time = std::chrono::steady_clock::now();
        const auto late = run_exchange(name, endless(), timeout);
        EXPECT_FAILS(late, Status::timed_out);
        EXPECT_GE(std::chrono::steady_clock::now() - start_time, timeout);
        round_trips = late.report.round_trips;
    }
    EXPECT_GT(round_trips, 0u);
}

TEST_F(ExchangeTest, NobodyThereIsSaid) { EXPECT_FAILS(run_exchange(path("nobody"), {}, patience), Status::not_found); }

TEST_F(ExchangeTest, AWrongByteIsFoundWhereverItIs) {
    // The service changes one byte, the 77,777th that it receives.
    std::size_t seen = 0;
    Service::Handler handler;
    handler.received = [&](Connection connection, BytesView data) {
        std::string bytes(data.text());
        constexpr std::size_t wrong = 77'776;
        if (seen <= wrong && wrong < seen + bytes.size()) {
            bytes[wrong - seen] = static_cast<char>(bytes[wrong - seen] ^ 0x10);
        }
        seen += bytes.size();
        EXPECT_OK(connection.send(bytes, Timeout::none()));
    };
    const std::string name = start(must(Service::create(handler)));
    ExchangeOptions options;
    options.chunk = 10'000;
    options.round_trips = 20;
    const auto wrong = run_exchange(name, options, patience);
    EXPECT_FAILS(wrong, Status::mismatch);
    EXPECT_NE(wrong.error().message().find("77776"), std::string::npos) << wrong.error().message();
    EXPECT_EQ(wrong.report.round_trips, 7u);
    service_ = Service();
}

TEST_F(ExchangeTest, AServiceThatLeavesIsSaid) {
    Service::Handler handler;
    handler.received = [](Connection connection, BytesView) { EXPECT_OK(connection.abort()); };
    EXPECT_FAILS(run_exchange(start(must(Service::create(handler))), endless(), patience), Status::disconnected);
}

}  // namespace

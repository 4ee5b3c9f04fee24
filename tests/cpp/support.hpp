// What the C++ tests share: a place of their own, the proof that nothing is left behind, and waiting without sleeping.
#ifndef MOORLINE_TESTS_CPP_SUPPORT_HPP
#define MOORLINE_TESTS_CPP_SUPPORT_HPP

#include <gtest/gtest.h>
#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <moorline/moorline.hpp>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using moorline::Status;
using moorline::Timeout;

// Long enough for any machine; what takes longer hangs.
constexpr auto patience = 60s;

// The status of any result, ok included, so that a failed comparison names both.
template <class Result>
std::string status_of(const Result& result) {
    return result ? "OK" : moorline::to_string(result.error().status());
}

#define EXPECT_OK(result) EXPECT_EQ(status_of(result), "OK")
#define ASSERT_OK(result) ASSERT_EQ(status_of(result), "OK")
#define ASSERT_FAILS(result, expected) ASSERT_EQ(status_of(result), moorline::to_string(expected))
#define EXPECT_FAILS(result, expected) EXPECT_EQ(status_of(result), moorline::to_string(expected))

// The value, or the end of the test with the reason.
template <class T>
T must(moorline::Result<T> result) {
    if (!result) {
        throw std::runtime_error(status_of(result) + ": " + result.error().message());
    }
    if constexpr (!std::is_void_v<T>) {
        return std::move(*result);
    }
}

// A test in a temp directory of its own, which ends with as many handles, descriptors and threads as it began with, and with
// no file left. A test that hangs is ended.
class Clean : public testing::Test {
protected:
    Clean();
    ~Clean() override;
    void SetUp() override;
    void TearDown() override;

    const std::string& directory() const { return directory_; }
    std::string path(const std::string& name) const { return directory_ + "/" + name; }

private:
    std::string directory_;
    std::size_t descriptors_ = 0;
    std::size_t threads_ = 0;
};

std::size_t open_descriptors();
std::size_t running_threads();

// Processor time that the calling thread has used.
std::chrono::nanoseconds processor_time();

// Processor time that all the other threads of this process have used.
std::chrono::milliseconds processor_time_of_others();

// Looks again and again until `condition` holds; false if it does not within the patience.
bool eventually(const std::function<bool()>& condition);

// Receives exactly `size` bytes, or fewer if the peer ends or the patience does.
std::string receive_exactly(moorline::Socket& socket, std::size_t size);

// A thread that makes one call, and is known to sleep in it before anything else goes on.
class BlockedCall {
public:
    explicit BlockedCall(std::function<Status()> call);
    ~BlockedCall() { thread_.join(); }

    // Until the thread sleeps in the call (true), or has come back from it.
    bool wait_until_blocked();
    // What the call has answered; "STILL BLOCKED" after the patience ends the process.
    Status answer();
    std::chrono::steady_clock::time_point returned_at() const { return returned_at_; }

private:
    std::atomic<pid_t> thread_id_{0};
    std::chrono::steady_clock::time_point returned_at_;
    std::promise<Status> promise_;
    std::future<Status> future_ = promise_.get_future();
    std::thread thread_;
};

#endif

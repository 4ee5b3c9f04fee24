// The small values of the interface: Status, Timeout, BytesView, BufferView, Readiness.
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "support.hpp"

#if __cplusplus >= 202002L
#include <span>
#endif

namespace {

using moorline::BufferView;
using moorline::BytesView;

// Compiled without a default, -Wswitch and -Werror make this fail when an enumerator is added and not named here.
const char* expected_name(Status status) {
    switch (status) {
        case Status::ok: return "OK";
        case Status::would_block: return "WOULD_BLOCK";
        case Status::timed_out: return "TIMED_OUT";
        case Status::closed: return "CLOSED";
        case Status::disconnected: return "DISCONNECTED";
        case Status::stale_handle: return "STALE_HANDLE";
        case Status::wrong_kind: return "WRONG_KIND";
        case Status::invalid_argument: return "INVALID_ARGUMENT";
        case Status::invalid_state: return "INVALID_STATE";
        case Status::name_invalid: return "NAME_INVALID";
        case Status::name_too_long: return "NAME_TOO_LONG";
        case Status::name_in_use: return "NAME_IN_USE";
        case Status::not_found: return "NOT_FOUND";
        case Status::permission_denied: return "PERMISSION_DENIED";
        case Status::connection_refused: return "CONNECTION_REFUSED";
        case Status::limit_reached: return "LIMIT_REACHED";
        case Status::message_too_large: return "MESSAGE_TOO_LARGE";
        case Status::malformed: return "MALFORMED";
        case Status::mismatch: return "MISMATCH";
        case Status::not_supported: return "NOT_SUPPORTED";
        case Status::cancelled: return "CANCELLED";
        case Status::buffer_too_small: return "BUFFER_TOO_SMALL";
        case Status::os_error: return "OS_ERROR";
        case Status::internal: return "INTERNAL";
        case Status::refused: return "REFUSED";
    }
    return "no enumerator";
}

TEST(Status, HasAnEnumeratorForEveryStatusOfTheLibrary) {
    int known = 0;
    for (int number = 0; std::string_view("UNKNOWN") != to_string(Status{number}); ++number, ++known) {
        EXPECT_STREQ(to_string(Status{number}), expected_name(Status{number})) << number;
    }
    EXPECT_GT(known, 20);
    // What GoogleTest shows when two differ.
    EXPECT_EQ(testing::PrintToString(Status::timed_out), "TIMED_OUT");
    EXPECT_STREQ(to_string(Status{-1}), "UNKNOWN");
}

static_assert(Timeout::none().milliseconds() == 0);
static_assert(Timeout::unlimited().milliseconds() == -1);
static_assert(Timeout(5ms).milliseconds() == 5);
static_assert(Timeout(2h).milliseconds() == 7'200'000);
static_assert(Timeout(0s).milliseconds() == 0);
// Rounded up.
static_assert(Timeout(1ns).milliseconds() == 1);
static_assert(Timeout(1001us).milliseconds() == 2);
static_assert(Timeout(1000us).milliseconds() == 1);
static_assert(Timeout(std::chrono::duration<double>(0.0015)).milliseconds() == 2);
// Negative is none.
static_assert(Timeout(-1ms).milliseconds() == 0);
static_assert(Timeout(-5h).milliseconds() == 0);
static_assert(Timeout(std::chrono::duration<double>(-0.1)).milliseconds() == 0);
static_assert(Timeout(std::chrono::nanoseconds::min()).milliseconds() == 0);
static_assert(Timeout(std::chrono::hours::min()).milliseconds() == 0);
// Clamped.
constexpr std::int64_t longest = std::numeric_limits<std::int64_t>::max();
static_assert(Timeout(std::chrono::milliseconds::max()).milliseconds() == longest);
static_assert(Timeout(std::chrono::hours::max()).milliseconds() == longest);
static_assert(Timeout(std::chrono::duration<double>(1e300)).milliseconds() == longest);
static_assert(Timeout(std::chrono::duration<std::uint64_t>(~std::uint64_t{0})).milliseconds() == longest);
// No waiting by accident.
static_assert(!std::is_constructible_v<Timeout, int>);
static_assert(!std::is_constructible_v<Timeout, std::int64_t>);
static_assert(!std::is_default_constructible_v<Timeout>);

TEST(Timeout, WhatIsNotANumberIsNone) {
    EXPECT_EQ(Timeout(std::chrono::duration<double>(std::nan(""))).milliseconds(), 0);
    const double infinity = std::numeric_limits<double>::infinity();
    EXPECT_EQ(Timeout(std::chrono::duration<double>(infinity)).milliseconds(), longest);
    EXPECT_EQ(Timeout(std::chrono::duration<double>(-infinity)).milliseconds(), 0);
}

using TimeoutTest = Clean;

TEST_F(TimeoutTest, ANegativeDurationDoesNotWait) {
    auto pair = must(moorline::Socket::pair());
    char buffer[8];
    EXPECT_FAILS(pair.first.receive(buffer, Timeout(-5min)), Status::would_block);
}

TEST_F(TimeoutTest, ADurationIsWaitedOut) {
    auto pair = must(moorline::Socket::pair());
    char buffer[8];
    const auto start = std::chrono::steady_clock::now();
    EXPECT_FAILS(pair.first.receive(buffer, 50ms), Status::timed_out);
    EXPECT_GE(std::chrono::steady_clock::now() - start, 50ms);
}

TEST_F(TimeoutTest, TheLongestDurationsWait) {
    for (const Timeout timeout : {Timeout::unlimited(), Timeout(std::chrono::hours::max())}) {
        auto pair = must(moorline::Socket::pair());
        std::string received;
        BlockedCall reader([&] {
            received = receive_exactly(pair.first, 1);
            char more[1];
            const auto end = pair.first.receive(more, timeout);
            return end ? Status::ok : end.error().status();
        });
        must(pair.second.send("x", Timeout::none()));
        EXPECT_TRUE(reader.wait_until_blocked());
        must(pair.second.send("y", Timeout::none()));
        EXPECT_EQ(reader.answer(), Status::ok);
    }
}

TEST(BytesView, ShowsAnythingThatHoldsBytesInOnePiece) {
    const std::string text = "abc";
    const std::string_view view = text;
    const std::vector<std::uint8_t> vector = {'a', 'b', 'c'};
    const std::array<std::byte, 3> array = {std::byte{'a'}, std::byte{'b'}, std::byte{'c'}};
    for (const BytesView bytes :
         {BytesView(text), BytesView(view), BytesView(vector), BytesView(array), BytesView("abc"), BytesView("abcd", 3)}) {
        EXPECT_EQ(bytes.size(), 3u);
        EXPECT_EQ(bytes.text(), "abc");
        EXPECT_FALSE(bytes.empty());
    }
    EXPECT_EQ(BytesView(text).data(), text.data());
#if __cplusplus >= 202002L
    EXPECT_EQ(BytesView(std::span(array)).text(), "abc");
#endif
    EXPECT_TRUE(BytesView().empty());
    EXPECT_TRUE(BytesView(std::string()).empty());
    EXPECT_TRUE(BytesView().text().empty());
}

TEST(BytesView, GivesTheRest) {
    const BytesView bytes = "abcdef";
    EXPECT_EQ(bytes.without_first(0).text(), "abcdef");
    EXPECT_EQ(bytes.without_first(4).text(), "ef");
    EXPECT_TRUE(bytes.without_first(6).empty());
    EXPECT_TRUE(bytes.without_first(1000).empty());
}

// A number of elements is not a number of bytes, and pieces cannot be shown as one.
static_assert(!std::is_convertible_v<std::vector<int>, BytesView>);
static_assert(!std::is_convertible_v<std::u16string, BytesView>);
static_assert(!std::is_convertible_v<int, BytesView>);
// What is only to be read is not to be filled.
static_assert(!std::is_convertible_v<const std::string&, BufferView>);
static_assert(!std::is_convertible_v<std::string_view&, BufferView>);
static_assert(!std::is_convertible_v<const char (&)[4], BufferView>);
static_assert(!std::is_convertible_v<std::vector<int>&, BufferView>);
static_assert(std::is_convertible_v<std::string&, BufferView>);

TEST(BufferView, IsFilledToItsSizeNotItsCapacity) {
    std::string text(3, ' ');
    text.reserve(100);
    EXPECT_EQ(BufferView(text).size(), 3u);
    EXPECT_EQ(BufferView(text).data(), text.data());
    char array[5];
    EXPECT_EQ(BufferView(array).size(), 5u);
    std::array<std::byte, 7> bytes;
    EXPECT_EQ(BufferView(bytes).size(), 7u);
    EXPECT_EQ(BufferView(array, 2).size(), 2u);
#if __cplusplus >= 202002L
    EXPECT_EQ(BufferView(std::span(bytes)).size(), 7u);
#endif
}

static_assert(static_cast<std::uint32_t>(moorline::Interest::readable | moorline::Interest::edge) ==
              (MOORLINE_READABLE | MOORLINE_EDGE));

TEST(Readiness, NamesTheBits) {
    const moorline::Readiness both(MOORLINE_READABLE | MOORLINE_HANGUP);
    EXPECT_TRUE(both.readable());
    EXPECT_TRUE(both.hangup());
    EXPECT_FALSE(both.writable());
    EXPECT_TRUE(moorline::Readiness(MOORLINE_WRITABLE).writable());
}

TEST(Library, FitsItsHeader) {
    EXPECT_EQ(moorline::abi_version(), static_cast<std::uint32_t>(MOORLINE_ABI_VERSION));
    const std::string version = std::to_string(MOORLINE_VERSION_MAJOR) + "." + std::to_string(MOORLINE_VERSION_MINOR) + "." +
                                std::to_string(MOORLINE_VERSION_PATCH);
    EXPECT_EQ(moorline::version(), version);
}

}  // namespace

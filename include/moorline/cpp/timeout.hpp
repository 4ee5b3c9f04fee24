/// How long a call may wait.
#ifndef MOORLINE_CPP_TIMEOUT_HPP
#define MOORLINE_CPP_TIMEOUT_HPP

#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>

#include <moorline/cpp/config.hpp>
#include <moorline/moorline.h>

namespace moorline {
inline namespace MOORLINE_CPP_VARIANT {

/// How long a call may wait: not at all, for ever, or a duration. There is no default and no conversion from a
/// number: who waits says how long.
class Timeout {
public:
    /// Does not wait.
    [[nodiscard]] static constexpr Timeout none() noexcept { return Timeout(std::int64_t{0}); }

    /// Waits until it happens, or until the handle is closed or destroyed.
    [[nodiscard]] static constexpr Timeout unlimited() noexcept { return Timeout(std::int64_t{-1}); }

    /// Waits for a duration of any unit, rounded up to milliseconds, so that a short wait is never none. What is
    /// negative (or not a number) is none, never for ever; what is too long for the counter is the longest that it
    /// holds.
    template <class Rep, class Period>
    constexpr Timeout(std::chrono::duration<Rep, Period> duration) noexcept : milliseconds_(rounded_up(duration)) {}

    /// As the C ABI takes it: -1 is for ever, 0 not at all.
    [[nodiscard]] constexpr std::int64_t milliseconds() const noexcept { return milliseconds_; }

private:
    explicit constexpr Timeout(std::int64_t milliseconds) noexcept : milliseconds_(milliseconds) {}

    template <class Rep, class Period>
    [[nodiscard]] static constexpr std::int64_t rounded_up(std::chrono::duration<Rep, Period> duration) noexcept {
        // Compared as a floating-point number first, because the conversion of a long duration overflows.
        using Exact = std::chrono::duration<long double, std::milli>;
        constexpr std::int64_t longest = std::numeric_limits<std::int64_t>::max();
        const long double wanted = std::chrono::duration_cast<Exact>(duration).count();
        if (!(wanted > 0)) {
            return 0;
        }
        if (wanted >= static_cast<long double>(longest)) {
            return longest;
        }
        const std::int64_t whole = static_cast<std::int64_t>(wanted);
        return static_cast<long double>(whole) < wanted ? whole + 1 : whole;
    }

    std::int64_t milliseconds_;
};

namespace detail {

/// A duration of an option as the C ABI takes it: what is negative is none, what is too long is the longest.
[[nodiscard]] constexpr std::uint32_t clamped(std::int64_t count) noexcept {
    constexpr std::int64_t longest = std::numeric_limits<std::uint32_t>::max();
    return static_cast<std::uint32_t>(count < 0 ? 0 : count > longest ? longest : count);
}

/// A busy-poll time as the C ABI takes it.
[[nodiscard]] constexpr std::uint32_t busy_poll(std::optional<std::chrono::microseconds> duration) noexcept {
    if (!duration) {
        return 0;
    }
    const std::uint32_t wanted = clamped(duration->count());
    if (wanted == 0) {
        return MOORLINE_BUSY_POLL_NEVER;
    }
    return wanted == MOORLINE_BUSY_POLL_NEVER ? wanted - 1 : wanted;
}

/// What is left of a timeout that began at `start`. Not none unless it was none at first, so that it passes as timed_out.
[[nodiscard]] inline Timeout remaining(Timeout timeout, std::chrono::steady_clock::time_point start) noexcept {
    if (timeout.milliseconds() <= 0) {
        return timeout;
    }
    const auto passed = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start);
    const std::int64_t left = timeout.milliseconds() - passed.count();
    return std::chrono::milliseconds(left > 1 ? left : 1);
}

}  // namespace detail

}  // namespace MOORLINE_CPP_VARIANT
}  // namespace moorline

#endif

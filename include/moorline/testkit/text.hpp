/// What the C ABI takes as texts and durations.
#ifndef MOORLINE_TESTKIT_TEXT_HPP
#define MOORLINE_TESTKIT_TEXT_HPP

#include <chrono>
#include <cstdint>
#include <string>

#include <moorline/cpp/result.hpp>
#include <moorline/testkit.h>

namespace moorline {
inline namespace MOORLINE_CPP_VARIANT {
namespace testkit {
namespace detail {

using namespace ::moorline::detail;

/// A C string ends at its first NUL, so a text that holds one would mean another. `what` names it.
[[nodiscard]] inline Result<void> check_text(const std::string& text, const char* what,
                                             Status status = Status::invalid_argument) noexcept {
    if (text.find('\0') != std::string::npos) {
        return Unexpected(Error(status, std::string(what) + " must not hold a NUL byte"));
    }
    return {};
}

/// A duration as the C ABI takes it: what is negative is none.
[[nodiscard]] constexpr std::uint64_t whole_microseconds(std::chrono::microseconds duration) noexcept {
    return duration.count() < 0 ? 0 : static_cast<std::uint64_t>(duration.count());
}

}  // namespace detail
}  // namespace testkit
}  // namespace MOORLINE_CPP_VARIANT
}  // namespace moorline

#endif

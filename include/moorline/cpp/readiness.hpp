/// What a handle is asked about, and what it is ready for.
#ifndef MOORLINE_CPP_READINESS_HPP
#define MOORLINE_CPP_READINESS_HPP

#include <cstdint>

#include <moorline/cpp/config.hpp>

namespace moorline {
inline namespace MOORLINE_CPP_VARIANT {

/// What to wait for. Combines with |.
enum class Interest : std::uint32_t {
    readable = MOORLINE_READABLE,  ///< bytes, a connection to accept, or the peer's end
    writable = MOORLINE_WRITABLE,  ///< room for bytes
    edge = MOORLINE_EDGE,          ///< in a poller: report changes only, not the state
};

/// Both of them.
[[nodiscard]] constexpr Interest operator|(Interest a, Interest b) noexcept {
    return static_cast<Interest>(static_cast<std::uint32_t>(a) | static_cast<std::uint32_t>(b));
}

/// What a handle is ready for.
class Readiness {
public:
    /// From the bits of the C ABI: MOORLINE_READABLE and its kin.
    explicit constexpr Readiness(std::uint32_t bits) noexcept : bits_(bits) {}

    /// Whether there are bytes, a connection to accept, or the peer's end.
    [[nodiscard]] constexpr bool readable() const noexcept { return (bits_ & MOORLINE_READABLE) != 0; }
    /// Whether there is room for bytes.
    [[nodiscard]] constexpr bool writable() const noexcept { return (bits_ & MOORLINE_WRITABLE) != 0; }
    /// Whether the peer has closed its sending direction, or the connection has ended.
    [[nodiscard]] constexpr bool hangup() const noexcept { return (bits_ & MOORLINE_HANGUP) != 0; }

private:
    std::uint32_t bits_;
};

}  // namespace MOORLINE_CPP_VARIANT
}  // namespace moorline

#endif

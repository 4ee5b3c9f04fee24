/// A clock that a test moves.
#ifndef MOORLINE_TESTKIT_CLOCK_HPP
#define MOORLINE_TESTKIT_CLOCK_HPP

#include <moorline/cpp/handle.hpp>
#include <moorline/testkit/text.hpp>

namespace moorline {
inline namespace MOORLINE_CPP_VARIANT {
namespace testkit {

/// A clock that stands still until advance() moves it. The deadlines of a service, a poller or a fixture that has it in its
/// options (`options.clock = clock;`) pass when it has been moved that far, and not before. What has it in its options keeps it
/// when this ends, and is never moved any more. Move-only; any member function may be called from any thread at any time.
class Clock : public Owner<moorline_clock, moorline_clock_destroy> {
public:
    constexpr Clock() noexcept = default;

    /// Takes over a handle of the C ABI, as release() gave it.
    [[nodiscard]] static Clock adopt(moorline_clock* handle) noexcept { return Clock(handle); }

    /// A clock that was not moved yet. Never blocks. Errors: limit_reached.
    [[nodiscard]] static Result<Clock> create(SourceLocation where = SourceLocation::current()) noexcept {
        moorline_clock* handle = nullptr;
        const moorline_status status = moorline_clock_create(&handle);
        if (status != MOORLINE_OK) {
            return detail::failure(status);
        }
        return Clock(handle, where);
    }

    /// Moves it. Deadlines that have passed then take effect at once, on the threads that wait for them. Never blocks. Errors:
    /// invalid_argument (empty, backwards, or further than a clock goes), stale_handle.
    [[nodiscard]] Result<void> advance(std::chrono::microseconds by) noexcept {
        if (by.count() < 0) {
            return Unexpected(Error(Status::invalid_argument, "a clock does not go backwards"));
        }
        return detail::done(moorline_clock_advance(native_handle(), detail::whole_microseconds(by)));
    }

    /// How far it was moved in all. Never blocks. Errors: invalid_argument (empty), stale_handle.
    [[nodiscard]] Result<std::chrono::microseconds> passed() const noexcept {
        std::uint64_t passed = 0;
        const moorline_status status = moorline_clock_passed(native_handle(), &passed);
        if (status != MOORLINE_OK) {
            return detail::failure(status);
        }
        return std::chrono::microseconds(static_cast<std::chrono::microseconds::rep>(passed));
    }

private:
    using Owner::Owner;
};

}  // namespace testkit
}  // namespace MOORLINE_CPP_VARIANT
}  // namespace moorline

#endif

/// A handle that somebody else owns.
#ifndef MOORLINE_CPP_BORROWED_HPP
#define MOORLINE_CPP_BORROWED_HPP

#include <moorline/cpp/handle.hpp>

namespace moorline {
inline namespace MOORLINE_CPP_VARIANT {

/// The handle of an object that somebody else owns, or none: how an option names a part of the test kit without its headers.
/// `options.faults = plan;` takes any owner of such a handle, nullptr is none. Copied freely. What it names must be alive when the
/// option is used; if it is not, or was an owner of nothing, the call says so.
template <class Handle>
class Borrowed {
public:
    /// A handle of the C ABI, or none.
    constexpr Borrowed(Handle* handle = nullptr) noexcept : handle_(handle) {}

    /// The handle of an owner, which keeps it.
    template <moorline_status (*Destroy)(Handle*)>
    Borrowed(const Owner<Handle, Destroy>& owner) noexcept : handle_(owner.native_handle()), is_of_nothing_(handle_ == nullptr) {}

    /// Not here: it would have ended before anybody could use it.
    template <moorline_status (*Destroy)(Handle*)>
    Borrowed(const Owner<Handle, Destroy>&& owner) = delete;

    /// The handle, for calls of the C ABI. Null if there is none.
    [[nodiscard]] constexpr Handle* native_handle() const noexcept { return handle_; }

    /// Whether it was made from an owner that had no handle: not none on purpose, but a mistake.
    [[nodiscard]] constexpr bool is_of_nothing() const noexcept { return is_of_nothing_; }

private:
    Handle* handle_;
    bool is_of_nothing_ = false;
};

namespace detail {

/// That an option was given an owner of nothing. The option must not pass as one that was not given.
template <class Handle>
[[nodiscard]] Result<void> check_borrowed(const Borrowed<Handle>& borrowed, const char* option) noexcept {
    if (borrowed.is_of_nothing()) {
        return Unexpected(Error(Status::invalid_argument, std::string(option) + ": an owner of nothing"));
    }
    return {};
}

}  // namespace detail
}  // namespace MOORLINE_CPP_VARIANT
}  // namespace moorline

#endif

/// What every owner of a handle is made of, and where a handle comes from.
#ifndef MOORLINE_CPP_HANDLE_HPP
#define MOORLINE_CPP_HANDLE_HPP

#include <atomic>
#include <cstdint>
#include <utility>

#include <moorline/cpp/result.hpp>

namespace moorline {
inline namespace MOORLINE_CPP_VARIANT {

/// The line that made a handle, shown by live_handles_report(). Functions that make one take it as their last
/// parameter, whose default is the line of the call; a wrapper hands on its caller's. Converts from
/// std::source_location.
class SourceLocation {
public:
    /// The line that calls it.
    [[nodiscard]] static constexpr SourceLocation current(const char* file = __builtin_FILE(),
                                                          std::uint32_t line = __builtin_LINE()) noexcept {
        return SourceLocation(file, line);
    }

    /// `file` must be NUL-terminated and stay valid while this is used.
    constexpr SourceLocation(const char* file, std::uint32_t line) noexcept : file_(file), line_(line) {}

    /// A std::source_location, or what is like one.
    template <class Location, class = decltype(std::declval<const Location&>().file_name())>
    constexpr SourceLocation(const Location& location) noexcept
        : file_(location.file_name()), line_(static_cast<std::uint32_t>(location.line())) {}

    /// The file: static text, NUL-terminated.
    [[nodiscard]] constexpr const char* file() const noexcept { return file_; }
    /// The line, from 1.
    [[nodiscard]] constexpr std::uint32_t line() const noexcept { return line_; }

private:
    const char* file_;
    std::uint32_t line_;
};

/// A move-only owner of one C handle, or of nothing. An owner of nothing (made so, moved from, released or destroyed)
/// answers every call with Status::invalid_argument.
///
/// Threads: every member function but the moves and the destructor may be called from any thread at any time,
/// destroy() and release() included: a call that is under way then ends with Status::closed. Moving and the end of
/// the owner itself are like those of any other object: nobody else may be using the owner then.
template <class Handle, moorline_status (*Destroy)(Handle*)>
class Owner {
public:
    constexpr Owner() noexcept = default;
    /// Takes over from another owner, which then owns nothing.
    Owner(Owner&& other) noexcept : handle_(other.handle_.exchange(nullptr)) {}
    /// Destroys its own handle, and takes over from another owner, which then owns nothing.
    Owner& operator=(Owner&& other) noexcept {
        Handle* taken = other.handle_.exchange(nullptr);
        destroy_quietly(handle_.exchange(taken));
        return *this;
    }
    ~Owner() { destroy_quietly(handle_.exchange(nullptr)); }

    /// Whether there is a handle to own. Not whether it is still open.
    [[nodiscard]] explicit operator bool() const noexcept { return native_handle() != nullptr; }

    /// The handle, for calls of the C ABI. Still owned here. Null if there is none.
    [[nodiscard]] Handle* native_handle() const noexcept { return handle_.load(std::memory_order_acquire); }

    /// Gives up ownership: the caller destroys the handle by the C ABI. Null if there is none.
    [[nodiscard]] Handle* release() noexcept { return handle_.exchange(nullptr); }

    /// Destroys the handle now; every call that is blocked on it ends with Status::closed. The destructor does the
    /// same without an answer. Errors: invalid_argument (there is none), stale_handle (destroyed already).
    [[nodiscard]] Result<void> destroy() noexcept {
        Handle* handle = native_handle();
        const moorline_status status = Destroy(handle);
        if (status != MOORLINE_OK) {
            return detail::failure(status);
        }
        forget(handle);
        return {};
    }

protected:
    /// Takes over a handle of the C ABI.
    explicit Owner(Handle* handle) noexcept : handle_(handle) {}

    /// Takes over a handle of the C ABI that `where` has made.
    Owner(Handle* handle, SourceLocation where) noexcept : Owner(handle) {
        // Only the leak report is poorer if this fails.
        static_cast<void>(moorline_handle_set_origin(handle, where.file(), where.line()));
    }

    /// Owns nothing any more, if it still owns `handle`, which is gone.
    void forget(Handle* handle) noexcept { handle_.compare_exchange_strong(handle, nullptr); }

private:
    static void destroy_quietly(Handle* handle) noexcept {
        if (handle != nullptr) {
            static_cast<void>(Destroy(handle));
        }
    }

    std::atomic<Handle*> handle_{nullptr};
};

/// How many handles of this process are not destroyed, of every type, those of the test kit too, whoever made them. Not
/// connections, which are their service's. Never blocks; any thread. Errors: none in practice.
[[nodiscard]] inline Result<std::size_t> live_handles() noexcept {
    std::size_t count = 0;
    const moorline_status status = moorline_live_handles(&count);
    if (status != MOORLINE_OK) {
        return detail::failure(status);
    }
    return count;
}

/// One line for each of them: kind, name and the file and line that made it. Empty if there are none. Never blocks;
/// any thread. Errors: none in practice.
[[nodiscard]] inline Result<std::string> live_handles_report() noexcept { return detail::text(moorline_live_handles_report); }

/// The version of the library that is linked or loaded, as in "0.1.0". Static text.
[[nodiscard]] inline const char* version() noexcept { return moorline_version(); }

/// Its ABI version; equal to MOORLINE_ABI_VERSION if it fits this header.
[[nodiscard]] inline std::uint32_t abi_version() noexcept { return moorline_abi_version(); }

}  // namespace MOORLINE_CPP_VARIANT
}  // namespace moorline

#endif

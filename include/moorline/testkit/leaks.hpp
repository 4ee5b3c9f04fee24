/// What a test has left behind.
#ifndef MOORLINE_TESTKIT_LEAKS_HPP
#define MOORLINE_TESTKIT_LEAKS_HPP

#include <optional>
#include <vector>

#include <moorline/cpp/handle.hpp>
#include <moorline/cpp/timeout.hpp>
#include <moorline/testkit/text.hpp>

namespace moorline {
inline namespace MOORLINE_CPP_VARIANT {
namespace testkit {

/// Kinds of things that can be left behind. Combines with |.
enum class LeakKinds : std::uint32_t {
    all = 0,
    handles = MOORLINE_LEAK_HANDLES,            ///< of this library
    descriptors = MOORLINE_LEAK_DESCRIPTORS,    ///< open in this process, whoever opened them
    threads = MOORLINE_LEAK_THREADS,            ///< running in this process, whoever started them
    socket_files = MOORLINE_LEAK_SOCKET_FILES,  ///< that servers of this process, of whatever library, listen on
};

[[nodiscard]] constexpr LeakKinds operator|(LeakKinds a, LeakKinds b) noexcept {
    // All of them and some others are all of them.
    return a == LeakKinds::all || b == LeakKinds::all
               ? LeakKinds::all
               : static_cast<LeakKinds>(static_cast<std::uint32_t>(a) | static_cast<std::uint32_t>(b));
}

/// Something that was made after a guard was, and is still there.
struct Leak {
    LeakKinds kind;                 ///< one of them
    std::string name;  ///< a handle's type and value, a descriptor's number and file, a thread's number and name, a path
    std::chrono::microseconds age;  ///< how old it is
    bool age_is_exact;  ///< false: it is at most so old
    std::optional<std::string> file;  ///< that made it, where that is known
    std::uint32_t line;  ///< that made it
};

/// Tells what is new since it was made, itself aside. Move-only; any member function may be called from any thread at any time.
class LeakGuard : public Owner<moorline_leak_guard, moorline_leak_guard_destroy> {
public:
    constexpr LeakGuard() noexcept = default;

    /// Takes over a handle of the C ABI, as release() gave it.
    [[nodiscard]] static LeakGuard adopt(moorline_leak_guard* handle) noexcept { return LeakGuard(handle); }

    /// What is made from here on is new. What other threads make at the same time may be new or not. Never blocks. Errors:
    /// limit_reached.
    [[nodiscard]] static Result<LeakGuard> create(SourceLocation where = SourceLocation::current()) noexcept {
        moorline_leak_guard* handle = nullptr;
        const moorline_status status = moorline_leak_guard_create(&handle);
        if (status != MOORLINE_OK) {
            return detail::failure(status);
        }
        return LeakGuard(handle, where);
    }

    /// Waits until nothing new of these kinds is there any more, and says how many were there at the end: threads that have been
    /// joined, and what other threads are just closing, take a moment to go. Blocks until then or until the timeout. Errors:
    /// would_block and timed_out (there are some, which the message names, and report() and leaks() tell), closed (destroyed
    /// meanwhile), invalid_argument (empty), stale_handle.
    [[nodiscard]] Outcome<std::size_t> wait(LeakKinds kinds, Timeout timeout) noexcept {
        std::size_t count = 0;
        const moorline_status status =
            moorline_leak_guard_wait(native_handle(), static_cast<std::uint32_t>(kinds), timeout.milliseconds(), &count);
        return {detail::done(status), count};
    }

    /// What the last wait has found, a line each: kind, name, age, and file and line that made it where that is known. Never blocks.
    /// Errors: invalid_argument (empty), stale_handle.
    [[nodiscard]] Result<std::string> report() const noexcept {
        return detail::text([this](char* buffer, std::size_t capacity, std::size_t* needed) {
            return moorline_leak_guard_report(native_handle(), buffer, capacity, needed);
        });
    }

    /// What the last wait has found. Never blocks. Errors: invalid_argument (empty), stale_handle.
    [[nodiscard]] Result<std::vector<Leak>> leaks() const noexcept {
        std::vector<Leak> leaks;
        for (;;) {
            moorline_leak raw = {};
            raw.struct_size = sizeof raw;
            const moorline_status status = moorline_leak_guard_leak(native_handle(), leaks.size(), &raw);
            if (status == MOORLINE_NOT_FOUND) {
                return leaks;
            }
            if (status != MOORLINE_OK) {
                return detail::failure(status);
            }
            leaks.push_back(Leak{static_cast<LeakKinds>(raw.kind), raw.name,
                                 std::chrono::microseconds(static_cast<std::chrono::microseconds::rep>(raw.age_us)),
                                 raw.age_is_exact != 0, raw.file != nullptr ? std::optional<std::string>(raw.file) : std::nullopt,
                                 raw.line});
        }
    }

private:
    using Owner::Owner;
};

}  // namespace testkit
}  // namespace MOORLINE_CPP_VARIANT
}  // namespace moorline

#endif

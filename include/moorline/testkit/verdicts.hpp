/// Failures that any thread may record, handed over on the test's own thread.
#ifndef MOORLINE_TESTKIT_VERDICTS_HPP
#define MOORLINE_TESTKIT_VERDICTS_HPP

#include <cstdio>
#include <optional>
#include <utility>
#include <vector>

#include <moorline/cpp/borrowed.hpp>
#include <moorline/cpp/timeout.hpp>
#include <moorline/testkit/text.hpp>

namespace moorline {
inline namespace MOORLINE_CPP_VARIANT {
namespace testkit {

/// A check that failed.
struct Failure {
    std::string file;                     ///< of the check
    std::uint32_t line = 0;               ///< of the check
    std::string text;                     ///< the check, and the values
    std::string thread;                   ///< that found it: its name if it has one, and its number
    std::chrono::microseconds after{0};   ///< from the making of the verdicts on

    /// What a framework shows beside file and line.
    [[nodiscard]] std::string description() const {
        return thread.empty() ? text : text + "\n  on " + thread + ", after " + std::to_string(after.count()) + " us";
    }
};

/// Records a failure with verdicts of the given handle, from any thread, in a callback too. Never blocks, never throws. If the
/// verdicts have ended already it goes to stderr: a check has nobody to return an error to.
inline void fail(Borrowed<moorline_verdicts> verdicts, const std::string& text,
                 SourceLocation where = SourceLocation::current()) noexcept {
    // A NUL would end the text for C; quoted values have none, but what operator<< writes may.
    std::string shown = text;
    for (std::size_t nul = shown.find('\0'); nul != std::string::npos; nul = shown.find('\0', nul)) {
        shown.replace(nul, 1, "\\0");
    }
    const moorline_status status = moorline_verdicts_fail(verdicts.native_handle(), where.file(), where.line(), shown.c_str());
    if (status != MOORLINE_OK) {
        std::fprintf(stderr, "%s:%u: %s\n  and its verdicts have ended: %s\n", where.file(), static_cast<unsigned>(where.line()),
                     shown.c_str(), moorline_status_name(status));
    }
}

/// Says that what a test waits for has been done, or one time of several, from any thread, in a callback too. Never blocks, never
/// throws. Of verdicts that have ended it says so on stderr: nobody waits.
inline void done(Borrowed<moorline_verdicts> verdicts, SourceLocation where = SourceLocation::current()) noexcept {
    const moorline_status status = moorline_verdicts_done(verdicts.native_handle());
    if (status != MOORLINE_OK) {
        std::fprintf(stderr, "%s:%u: done, but its verdicts have ended: %s\n", where.file(), static_cast<unsigned>(where.line()),
                     moorline_status_name(status));
    }
}

/// The verdicts of one test: a check that fails in a callback records that here and goes on, and the test's own thread hands the
/// failures to its framework, which alone may touch that. The checks are in testkit/checks.hpp; guards that deliver by themselves in
/// testkit/gtest.hpp, catch2.hpp and qtest.hpp, and for other frameworks in guards.hpp.
///
/// A callback that may run later than these verdicts live takes native_handle() by value instead of a reference: checks take it as
/// well, and what comes too late goes to stderr. Move-only; any member function may be called from any thread at any time.
class Verdicts : public Owner<moorline_verdicts, moorline_verdicts_destroy> {
public:
    constexpr Verdicts() noexcept = default;

    /// Takes over a handle of the C ABI, as release() gave it.
    [[nodiscard]] static Verdicts adopt(moorline_verdicts* handle) noexcept { return Verdicts(handle); }

    /// No failures yet, and one thing to be done. Never blocks. Errors: limit_reached.
    [[nodiscard]] static Result<Verdicts> create(SourceLocation where = SourceLocation::current()) noexcept {
        moorline_verdicts* handle = nullptr;
        const moorline_status status = moorline_verdicts_create(&handle);
        if (status != MOORLINE_OK) {
            return detail::failure(status);
        }
        return Verdicts(handle, where);
    }

    /// As the function of this name.
    void fail(const std::string& text, SourceLocation where = SourceLocation::current()) const noexcept {
        testkit::fail(*this, text, where);
    }
    /// As the function of this name.
    void done(SourceLocation where = SourceLocation::current()) const noexcept { testkit::done(*this, where); }

    /// Sets how many more calls of done() are waited for, instead of the one at the beginning or what is left of it. Never blocks.
    /// Errors: invalid_argument (empty), stale_handle.
    [[nodiscard]] Result<void> expect(std::uint64_t times) noexcept {
        return detail::done(moorline_verdicts_expect(native_handle(), times));
    }

    /// Waits until everything has been done. Blocks until then, until the first failure that was not taken, also one that came
    /// before, or until the timeout. Errors: mismatch (a failure, which the message has; it is not taken with this), would_block and
    /// timed_out (something has still to be done), closed (destroyed meanwhile), invalid_argument (empty), stale_handle.
    [[nodiscard]] Result<void> wait(Timeout timeout) const noexcept {
        return detail::done(moorline_verdicts_wait(native_handle(), timeout.milliseconds()));
    }

    /// How many failures were recorded, ever. Never blocks. Errors: invalid_argument (empty), stale_handle.
    [[nodiscard]] Result<std::uint64_t> count() const noexcept {
        std::uint64_t count = 0;
        const moorline_status status = moorline_verdicts_count(native_handle(), &count);
        if (status != MOORLINE_OK) {
            return detail::failure(status);
        }
        return count;
    }

    /// The failures that were not taken yet, oldest first, which are taken with this. Never blocks. Errors: invalid_argument
    /// (empty), stale_handle.
    [[nodiscard]] Result<std::vector<Failure>> take() noexcept {
        std::vector<Failure> failures;
        for (;;) {
            moorline_failure raw = {};
            raw.struct_size = sizeof raw;
            const moorline_status status = moorline_verdicts_take_first(native_handle(), &raw);
            if (status == MOORLINE_NOT_FOUND) {
                return failures;
            }
            if (status != MOORLINE_OK) {
                return detail::failure(status);
            }
            failures.push_back(Failure{raw.file, raw.line, raw.text, raw.thread,
                                       std::chrono::microseconds(static_cast<std::chrono::microseconds::rep>(raw.after_us))});
        }
    }

private:
    using Owner::Owner;
};

}  // namespace testkit
}  // namespace MOORLINE_CPP_VARIANT
}  // namespace moorline

#endif

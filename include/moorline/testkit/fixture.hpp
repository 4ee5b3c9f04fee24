/// A server to test clients with.
#ifndef MOORLINE_TESTKIT_FIXTURE_HPP
#define MOORLINE_TESTKIT_FIXTURE_HPP

#include <moorline/cpp/borrowed.hpp>
#include <moorline/cpp/name.hpp>
#include <moorline/cpp/timeout.hpp>
#include <moorline/testkit/text.hpp>

namespace moorline {
inline namespace MOORLINE_CPP_VARIANT {
namespace testkit {

/// How a fixture works.
struct FixtureOptions {
    std::string prefix = "fixture";                  ///< what its name begins with
    Scope scope = Scope::temporary;                  ///< where its name is
    std::uint32_t backlog = 0;                       ///< as in ServerOptions
    bool quiet = false;                              ///< whether the transcript of a missed expectation is kept off stderr
    Borrowed<moorline_verdicts> verdicts = nullptr;  ///< where a missed expectation is recorded, so that it ends the test's wait
    Borrowed<moorline_fault_plan> faults = nullptr;  ///< a FaultPlan for its connections
    Borrowed<moorline_clock> clock = nullptr;  ///< a Clock that its script runs on; none: the system's
};

/// What a fixture has seen so far.
struct FixtureStatistics {
    std::uint64_t connections = 0;  ///< that came
    std::uint64_t finished = 0;  ///< of these, those whose script has come to its end, well or not
    std::uint64_t missed = 0;  ///< of these, those that missed an expectation
    std::uint64_t received = 0;  ///< bytes
    std::uint64_t sent = 0;  ///< bytes
};

/// A server under a name that nobody else has and only this user can connect to, with a thread that follows a script on each
/// connection. It listens when start() returns. (Two sockets that are connected with each other are Socket::pair.)
/// Move-only; the destructor ends its connections, its thread and its name. Any member function may be called from any thread at
/// any time.
class Fixture : public Owner<moorline_fixture, moorline_fixture_destroy> {
public:
    constexpr Fixture() noexcept = default;

    /// Takes over a handle of the C ABI, as release() gave it.
    [[nodiscard]] static Fixture adopt(moorline_fixture* handle) noexcept { return Fixture(handle); }

    /// A fixture that follows `script`, whose language docs/script-language.md describes. Never blocks. Errors: invalid_argument
    /// (the script is none: the message names the line and what is wrong in it; or an option), limit_reached, stale_handle (of the
    /// options), as Server::listen_unique().
    [[nodiscard]] static Result<Fixture> start(const std::string& script, const FixtureOptions& options = {},
                                               SourceLocation where = SourceLocation::current()) noexcept {
        for (const Result<void>& checked :
             {detail::check_text(script, "a script"), detail::check_text(options.prefix, "the prefix of a name"),
              detail::check_borrowed(options.verdicts, "verdicts"), detail::check_borrowed(options.faults, "faults"),
              detail::check_borrowed(options.clock, "clock")}) {
            if (!checked) {
                return Unexpected(checked.error());
            }
        }
        moorline_fixture_options raw = {};
        raw.struct_size = sizeof raw;
        raw.scope = static_cast<std::uint32_t>(options.scope);
        raw.backlog = options.backlog;
        raw.quiet = options.quiet ? 1 : 0;
        raw.prefix = options.prefix.c_str();
        raw.verdicts = options.verdicts.native_handle();
        raw.faults = options.faults.native_handle();
        raw.clock = options.clock.native_handle();
        moorline_fixture* handle = nullptr;
        const moorline_status status = moorline_fixture_start(script.c_str(), &raw, &handle);
        if (status != MOORLINE_OK) {
            return detail::failure(status);
        }
        return Fixture(handle, where);
    }

    /// One that sends back what comes, until the peer ends its sending. Otherwise as start().
    [[nodiscard]] static Result<Fixture> echo(const FixtureOptions& options = {},
                                              SourceLocation where = SourceLocation::current()) noexcept {
        return start("echo", options, where);
    }

    /// One that takes what comes. Otherwise as start().
    [[nodiscard]] static Result<Fixture> sink(const FixtureOptions& options = {},
                                              SourceLocation where = SourceLocation::current()) noexcept {
        return start("sink", options, where);
    }

    /// One that sends as much as the peer takes, until that leaves. The bytes count up from 0 to 250 and begin again. Otherwise as
    /// start().
    [[nodiscard]] static Result<Fixture> flood(const FixtureOptions& options = {},
                                               SourceLocation where = SourceLocation::current()) noexcept {
        return start("flood", options, where);
    }

    /// One that sends so many of these bytes, and then waits for the peer's end. Otherwise as start().
    [[nodiscard]] static Result<Fixture> flood(std::uint64_t bytes, const FixtureOptions& options = {},
                                               SourceLocation where = SourceLocation::current()) noexcept {
        return start("flood " + std::to_string(bytes), options, where);
    }

    /// The full name to connect to. Never blocks. Errors: invalid_state (it has stopped), invalid_argument (empty), stale_handle.
    [[nodiscard]] Result<std::string> full_name() const noexcept {
        return detail::text([this](char* buffer, std::size_t capacity, std::size_t* needed) {
            return moorline_fixture_full_name(native_handle(), buffer, capacity, needed);
        });
    }

    /// What it has seen so far, also when it has stopped. Never blocks. Errors: invalid_argument (empty), stale_handle.
    [[nodiscard]] Result<FixtureStatistics> statistics() const noexcept {
        moorline_fixture_stats raw = {};
        raw.struct_size = sizeof raw;
        const moorline_status status = moorline_fixture_statistics(native_handle(), &raw);
        if (status != MOORLINE_OK) {
            return detail::failure(status);
        }
        return FixtureStatistics{raw.connections, raw.finished, raw.missed, raw.received, raw.sent};
    }

    /// What happened on its connections so far, a line each, also when it has stopped. Of a long run the first thousand lines and the
    /// last thousand, and how many were left out between. Never blocks. Errors: invalid_argument (empty), stale_handle.
    [[nodiscard]] Result<std::string> transcript() const noexcept {
        return detail::text([this](char* buffer, std::size_t capacity, std::size_t* needed) {
            return moorline_fixture_transcript(native_handle(), buffer, capacity, needed);
        });
    }

    /// Waits until so many connections, since it was started, have come to the ends of their scripts. Blocks until then, until an
    /// expectation is missed, or until the timeout, which is of the system's clock. Errors: mismatch (an expectation was missed; the
    /// message has the whole transcript of its connection), would_block, timed_out, closed (it was stopped or destroyed before),
    /// invalid_state (in a forked child), invalid_argument (empty), stale_handle.
    [[nodiscard]] Result<void> wait(std::uint64_t connections, Timeout timeout) const noexcept {
        return detail::done(moorline_fixture_wait(native_handle(), connections, timeout.milliseconds()));
    }

    /// Waits until so many bytes, since it was started, have come over all connections. Blocks until then or until the timeout, which
    /// is of the system's clock. Errors: would_block, timed_out, closed (it was stopped or destroyed before), invalid_state (in a
    /// forked child), invalid_argument (empty), stale_handle.
    [[nodiscard]] Result<void> wait_received(std::uint64_t bytes, Timeout timeout) const noexcept {
        return detail::done(moorline_fixture_wait_received(native_handle(), bytes, timeout.milliseconds()));
    }

    /// Ends its connections, its thread and its name; waits end with closed. Doing so again does nothing. Blocks as little as
    /// Server::close(), unless nobody reads what the thread writes to stderr. Errors: invalid_argument (empty), stale_handle.
    [[nodiscard]] Result<void> stop() noexcept { return detail::done(moorline_fixture_stop(native_handle())); }

private:
    using Owner::Owner;
};

}  // namespace testkit
}  // namespace MOORLINE_CPP_VARIANT
}  // namespace moorline

#endif

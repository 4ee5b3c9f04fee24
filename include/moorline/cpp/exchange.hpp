/// N sockets that talk with a server, every byte verified.
#ifndef MOORLINE_CPP_EXCHANGE_HPP
#define MOORLINE_CPP_EXCHANGE_HPP

#include <exception>
#include <functional>

#include <moorline/cpp/callback.hpp>
#include <moorline/cpp/handle.hpp>
#include <moorline/cpp/name.hpp>
#include <moorline/cpp/timeout.hpp>

namespace moorline {
inline namespace MOORLINE_CPP_VARIANT {

/// What run_exchange() does.
struct ExchangeOptions {
    Scope scope = Scope::temporary;          ///< where a plain name lives
    Trust trust = Trust::same_user;          ///< whose server is accepted
    std::uint32_t connections = 1;           ///< sockets, all connected at once
    std::size_t chunk = 1;                   ///< bytes of one round trip; 1 is ping-pong
    std::uint64_t round_trips = 0;           ///< over all connections together; 0: one each
    /// How long to look again and again before sleeping. Nothing: some 50 µs, as long as that pays. 0: never.
    std::optional<std::chrono::microseconds> busy_poll = std::nullopt;

    /// Called on the thread of the call with round trips: about ten times a second, while it connects, too; and at the
    /// start, when all are connected and nothing is sent yet, and at the end. False, or an exception, cancels.
    std::function<bool(std::uint64_t done, std::uint64_t total)> progress = nullptr;
};

/// What run_exchange() has done.
struct ExchangeReport {
    std::uint64_t round_trips = 0;         ///< that came back whole and right
    std::uint64_t bytes_sent = 0;          ///< to the server
    std::uint64_t bytes_received = 0;      ///< from the server, and found right
    std::chrono::nanoseconds duration{0};  ///< from the first send to the last receive
    std::exception_ptr exception;          ///< what came out of `progress`, if anything did
};

/// Connects to an echoing server, sends chunks on every connection, each when the one before has come back, and
/// verifies every byte. Blocks until all is done or the timeout is over. Reports what was done in either case. Any
/// thread. Errors: as Socket::connect(), mismatch (a wrong byte; the message says on which connection and where),
/// disconnected, would_block, timed_out, cancelled (by `progress`), limit_reached (no descriptors left),
/// invalid_argument (more than a million connections, or chunks of more than a gibibyte).
[[nodiscard]] inline Outcome<ExchangeReport> run_exchange(const std::string& name, const ExchangeOptions& options,
                                                          Timeout timeout) noexcept {
    struct Progress {
        const ExchangeOptions& options;
        std::exception_ptr exception;
    } progress{options, nullptr};

    moorline_exchange_options raw = {};
    raw.struct_size = sizeof raw;
    raw.scope = static_cast<std::uint32_t>(options.scope);
    raw.trust = static_cast<std::uint32_t>(options.trust);
    raw.connections = options.connections;
    raw.chunk = options.chunk;
    raw.round_trips = options.round_trips;
    raw.busy_poll_us = detail::busy_poll(options.busy_poll);
    raw.context = &progress;
    if (options.progress) {
        raw.progress = [](void* context, std::uint64_t done, std::uint64_t total) {
            auto& self = *static_cast<Progress*>(context);
            std::int32_t go_on = 0;
            detail::guarded([&] { go_on = self.options.progress(done, total) ? 1 : 0; },
                            [&](std::exception_ptr exception) { self.exception = std::move(exception); });
            return go_on;
        };
    }

    moorline_exchange_report report = {};
    report.struct_size = sizeof report;
    Result<void> result = detail::with_name(
        name, [&](const char* text) { return moorline_exchange_run(text, &raw, timeout.milliseconds(), &report); });
    return {std::move(result),
            {report.round_trips, report.bytes_sent, report.bytes_received,
             std::chrono::nanoseconds(static_cast<std::chrono::nanoseconds::rep>(report.duration_ns)), progress.exception}};
}

}  // namespace MOORLINE_CPP_VARIANT
}  // namespace moorline

#endif

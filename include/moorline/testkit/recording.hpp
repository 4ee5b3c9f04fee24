/// Conversations to a file, and from a file to either side.
#ifndef MOORLINE_TESTKIT_RECORDING_HPP
#define MOORLINE_TESTKIT_RECORDING_HPP

#include <optional>

#include <moorline/cpp/server.hpp>
#include <moorline/testkit/text.hpp>

namespace moorline {
inline namespace MOORLINE_CPP_VARIANT {
namespace testkit {

/// Records conversations to a file, whose format docs/tap-format.md describes, as they happen: `options.tap = tap;` gives it to
/// proxies. What goes over a proxy that has it is recorded still when this has ended. Move-only; any member function may be called
/// from any thread at any time.
class Tap : public Owner<moorline_tap, moorline_tap_destroy> {
public:
    constexpr Tap() noexcept = default;

    /// Takes over a handle of the C ABI, as release() gave it.
    [[nodiscard]] static Tap adopt(moorline_tap* handle) noexcept { return Tap(handle); }

    /// A tap to a new file, which only this user may read: conversations have secrets. Blocks only for the file system. Errors:
    /// name_in_use (there is a file already), not_found, permission_denied, limit_reached, invalid_argument, os_error.
    [[nodiscard]] static Result<Tap> create(const std::string& path, SourceLocation where = SourceLocation::current()) noexcept {
        moorline_tap* handle = nullptr;
        if (const Result<void> checked = detail::check_text(path, "a path"); !checked) {
            return Unexpected(checked.error());
        }
        const moorline_status status = moorline_tap_create(path.c_str(), &handle);
        if (status != MOORLINE_OK) {
            return detail::failure(status);
        }
        return Tap(handle, where);
    }

    /// Whether everything was written so far. The conversations go on whether or not. Blocks only for the file system. Errors: of
    /// the first write that failed, after which nothing was written: limit_reached (the disk is full), os_error; invalid_argument
    /// (empty), stale_handle.
    [[nodiscard]] Result<void> check() const noexcept { return detail::done(moorline_tap_check(native_handle())); }

private:
    using Owner::Owner;
};

/// How a recording is played.
struct ReplayOptions {
    Scope scope = Scope::temporary;  ///< where a plain name lives; of Recording::play_clients
    Trust trust = Trust::same_user;  ///< whose server to connect to; of Recording::play_clients
    bool real_time = false;  ///< keeps the times; otherwise each part comes when what was before it has come
    std::chrono::milliseconds patience{
        10000};  ///< for what the other side said, beyond the time that it took then if times are kept
};

/// The first thing that the other side did otherwise than in the recording.
struct ReplayDifference {
    std::uint64_t connection = 0;  ///< of the recording, from 1
    std::uint64_t after = 0;  ///< bytes of the other side that were as recorded on this connection
};

/// What was played.
struct ReplayReport {
    std::uint64_t connections = 0;  ///< played to their ends
    std::uint64_t sent = 0;  ///< bytes
    std::uint64_t matched = 0;  ///< bytes of the other side that were as recorded, over all connections
    std::optional<ReplayDifference> difference;  ///< none: it nowhere did anything else
};

/// How much a recording has.
struct RecordingSize {
    std::size_t connections = 0;  ///< that were recorded
    std::size_t entries = 0;  ///< things that happened, which is lines of its text but the first
};

/// A recorded conversation. Move-only; any member function may be called from any thread at any time.
class Recording : public Owner<moorline_recording, moorline_recording_destroy> {
public:
    constexpr Recording() noexcept = default;

    /// Takes over a handle of the C ABI, as release() gave it.
    [[nodiscard]] static Recording adopt(moorline_recording* handle) noexcept { return Recording(handle); }

    /// Reads a file that a tap has recorded. Blocks only for the file system. Errors: malformed (it is not such a file: the message
    /// names the line and what is wrong in it), not_found, permission_denied, limit_reached, invalid_argument, os_error.
    [[nodiscard]] static Result<Recording> read(const std::string& path,
                                                SourceLocation where = SourceLocation::current()) noexcept {
        moorline_recording* handle = nullptr;
        if (const Result<void> checked = detail::check_text(path, "a path"); !checked) {
            return Unexpected(checked.error());
        }
        const moorline_status status = moorline_recording_read(path.c_str(), &handle);
        if (status != MOORLINE_OK) {
            return detail::failure(status);
        }
        return Recording(handle, where);
    }

    /// Its text, as in its file, without comments. Never blocks. Errors: invalid_argument (empty), stale_handle.
    [[nodiscard]] Result<std::string> text() const noexcept {
        return detail::text([this](char* buffer, std::size_t capacity, std::size_t* needed) {
            return moorline_recording_text(native_handle(), buffer, capacity, needed);
        });
    }

    /// How much it has. Never blocks. Errors: invalid_argument (empty), stale_handle.
    [[nodiscard]] Result<RecordingSize> size() const noexcept {
        RecordingSize size;
        const moorline_status status = moorline_recording_size(native_handle(), &size.connections, &size.entries);
        if (status != MOORLINE_OK) {
            return detail::failure(status);
        }
        return size;
    }

    /// Plays the clients' part to the server called `name`. Blocks until all is played or the timeout is over. Reports in either
    /// case. Errors: mismatch (the server did something else than in the recording: the message says what), would_block, timed_out,
    /// closed (destroyed meanwhile), limit_reached (no descriptors or threads left), invalid_argument (empty, or an option),
    /// stale_handle, as Socket::connect().
    [[nodiscard]] Outcome<ReplayReport> play_clients(const std::string& name, Timeout timeout,
                                                     const ReplayOptions& options = {}) noexcept {
        return play(options, [&](const moorline_replay_options* raw, moorline_replay_report* report) {
            return detail::with_name(name, [&](const char* text) {
                return moorline_recording_play_clients(native_handle(), text, raw, timeout.milliseconds(), report);
            });
        });
    }

    /// Plays the server's part to the clients of a server that listens: the first to come has the part of the first connection, and
    /// so on. Otherwise as above; errors: as Server::accept() instead of Socket::connect(), and timed_out also if not all clients
    /// came.
    [[nodiscard]] Outcome<ReplayReport> play_server(const Server& server, Timeout timeout,
                                                    const ReplayOptions& options = {}) noexcept {
        return play(options, [&](const moorline_replay_options* raw, moorline_replay_report* report) {
            return detail::done(
                moorline_recording_play_server(native_handle(), server.native_handle(), raw, timeout.milliseconds(), report));
        });
    }

private:
    using Owner::Owner;

    template <class Call>
    [[nodiscard]] static Outcome<ReplayReport> play(const ReplayOptions& options, Call call) noexcept {
        moorline_replay_options raw = {};
        raw.struct_size = sizeof raw;
        raw.scope = static_cast<std::uint32_t>(options.scope);
        raw.trust = static_cast<std::uint32_t>(options.trust);
        raw.real_time = options.real_time ? 1 : 0;
        raw.patience_ms = detail::clamped(options.patience.count());
        moorline_replay_report report = {};
        report.struct_size = sizeof report;
        Result<void> played = call(&raw, &report);
        ReplayReport out;
        out.connections = report.connections;
        out.sent = report.sent;
        out.matched = report.matched;
        if (report.differing_connection != 0) {
            out.difference = ReplayDifference{report.differing_connection, report.differing_after};
        }
        return {std::move(played), out};
    }
};

}  // namespace testkit
}  // namespace MOORLINE_CPP_VARIANT
}  // namespace moorline

#endif

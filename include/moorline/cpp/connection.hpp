/// A connection of a service.
#ifndef MOORLINE_CPP_CONNECTION_HPP
#define MOORLINE_CPP_CONNECTION_HPP

#include <vector>

#include <moorline/cpp/bytes.hpp>
#include <moorline/cpp/descriptor.hpp>
#include <moorline/cpp/name.hpp>
#include <moorline/cpp/result.hpp>
#include <moorline/cpp/statistics.hpp>
#include <moorline/cpp/timeout.hpp>

namespace moorline {
inline namespace MOORLINE_CPP_VARIANT {

/// One connection of a Service, which owns it: this is a name for it, as small as a pointer, to be copied freely.
/// Once Handler::disconnected has returned it leads nowhere, and calls answer stale_handle. Any function may be
/// called from any thread at any time, in a callback too.
class Connection {
public:
    /// A connection's handle of the C ABI.
    explicit constexpr Connection(moorline_connection* handle) noexcept : handle_(handle) {}

    /// The same at any time for the same connection: what to keep it by in a map.
    [[nodiscard]] constexpr moorline_connection* native_handle() const noexcept { return handle_; }

    /// Sends all of `data`; what the kernel does not take is queued. Calls from several threads never interleave
    /// within one call. Blocks while the queue is full, until the timeout is over; in a callback that holds up every
    /// connection of its thread. Errors: would_block and timed_out (not all was taken: Error::sent() says how much,
    /// and Handler::low_water will tell when to go on), disconnected, closed (after close(), too, and when the service stops), invalid_state (the service has messages),
    /// limit_reached (no descriptors to wait with), stale_handle.
    [[nodiscard]] Result<void> send(BytesView data, Timeout timeout) const noexcept {
        std::size_t sent = 0;
        const moorline_status status = moorline_connection_send(handle_, data.data(), data.size(), timeout.milliseconds(), &sent);
        return detail::done(status, sent);
    }
    /// As send(BytesView, Timeout), of `size` bytes at `data`.
    [[nodiscard]] Result<void> send(const void* data, std::size_t size, Timeout timeout) const noexcept {
        return send(BytesView(data, size), timeout);
    }

    /// Sends or queues all of `data` or nothing; there must be room for all of it in the queue. Never blocks. Errors: would_block
    /// (there is no room for all of it now: Handler::low_water will tell when to try again), invalid_argument (more than
    /// ServiceOptions::queue_limit), disconnected, closed (after close(), too, and when the service stops), invalid_state (the
    /// service has messages), stale_handle.
    [[nodiscard]] Result<void> try_send(BytesView data) const noexcept {
        return detail::done(moorline_connection_try_send(handle_, data.data(), data.size()));
    }

    /// Sends a message, whole or not at all; what the kernel does not take is queued. Any room is enough, so the limit and
    /// one message are queued at most. Blocks as send() does. Errors: would_block and timed_out (nothing was taken),
    /// message_too_large (more than either side takes), invalid_state (no framing), invalid_argument (a line with a line
    /// feed in it, or a carriage return at its end), disconnected, closed, mismatch and malformed (the peer's part of the
    /// handshake was wrong), limit_reached (no descriptors to wait with), stale_handle.
    [[nodiscard]] Result<void> send_message(BytesView message, Timeout timeout) const noexcept {
        return detail::done(moorline_connection_send_message(handle_, message.data(), message.size(), timeout.milliseconds()));
    }

    /// The same, and duplicates of open descriptors with it, which stay the caller's. With some, the message waits for an empty
    /// queue. Errors: as send_message(), limit_reached (more than Socket::max_descriptors), permission_denied (the peer takes none;
    /// where the system does not tell, the message arrives without them), invalid_argument (one is not open).
    [[nodiscard]] Result<void> send_message_with_descriptors(BytesView message, const std::vector<int>& descriptors,
                                                             Timeout timeout) const noexcept {
        return detail::done(moorline_connection_send_message_with_descriptors(
            handle_, message.data(), message.size(), descriptors.data(), descriptors.size(), timeout.milliseconds()));
    }

    /// Ends the connection when what is queued is sent; nothing more is read. Never blocks. Errors: stale_handle.
    [[nodiscard]] Result<void> close() const noexcept { return detail::done(moorline_connection_close(handle_)); }

    /// Ends the connection at once; what is queued is dropped. Never blocks. Errors: stale_handle.
    [[nodiscard]] Result<void> abort() const noexcept { return detail::done(moorline_connection_abort(handle_)); }

    /// Who connected. Never blocks. Errors: stale_handle, closed, not_supported.
    [[nodiscard]] Result<Credentials> peer_credentials() const noexcept {
        moorline_credentials raw = {};
        raw.struct_size = sizeof raw;
        const moorline_status status = moorline_connection_peer_credentials(handle_, &raw);
        if (status != MOORLINE_OK) {
            return detail::failure(status);
        }
        return Credentials{raw.uid, raw.gid, raw.pid};
    }

    /// A descriptor of the process that connected, as Socket::peer_process(). Never blocks. Errors: not_supported, not_found,
    /// closed, limit_reached, stale_handle.
    [[nodiscard]] Result<Descriptor> peer_process() const noexcept {
        std::ptrdiff_t descriptor = -1;
        const moorline_status status = moorline_connection_peer_process(handle_, &descriptor);
        if (status != MOORLINE_OK) {
            return detail::failure(status);
        }
        return Descriptor(static_cast<int>(descriptor));
    }

    /// What went over it so far; in Handler::disconnected, all that ever did. Never blocks. Errors: stale_handle.
    [[nodiscard]] Result<SocketStatistics> statistics() const noexcept {
        return detail::socket_statistics(
            [this](moorline_socket_stats* raw) { return moorline_connection_statistics(handle_, raw); });
    }

    [[nodiscard]] friend constexpr bool operator==(Connection a, Connection b) noexcept { return a.handle_ == b.handle_; }
    [[nodiscard]] friend constexpr bool operator!=(Connection a, Connection b) noexcept { return !(a == b); }

private:
    moorline_connection* handle_;
};

}  // namespace MOORLINE_CPP_VARIANT
}  // namespace moorline

#endif

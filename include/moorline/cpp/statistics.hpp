/// What went over sockets, servers and connections so far.
#ifndef MOORLINE_CPP_STATISTICS_HPP
#define MOORLINE_CPP_STATISTICS_HPP

#include <cstdint>

#include <moorline/cpp/result.hpp>

namespace moorline {
inline namespace MOORLINE_CPP_VARIANT {

/// Of a socket or a connection.
struct SocketStatistics {
    std::uint64_t sent = 0;               ///< bytes handed to the kernel
    std::uint64_t unsent = 0;             ///< bytes accepted and never sent, once it is closed
    std::uint64_t received = 0;           ///< bytes
    std::uint64_t messages_sent = 0;      ///< accepted to be sent
    std::uint64_t messages_received = 0;  ///< delivered
    std::uint64_t queued = 0;             ///< bytes queued to be sent, now
    std::uint64_t queue_peak = 0;         ///< bytes queued to be sent, at most
};

/// Of a server.
struct ServerStatistics {
    std::uint64_t accepted = 0;  ///< connections
    std::uint64_t refused = 0;   ///< connections turned away by the policy
};

namespace detail {

/// What `ask(&raw)` tells of a socket.
template <class Ask>
[[nodiscard]] Result<SocketStatistics> socket_statistics(Ask ask) noexcept {
    moorline_socket_stats raw = {};
    raw.struct_size = sizeof raw;
    const moorline_status status = ask(&raw);
    if (status != MOORLINE_OK) {
        return failure(status);
    }
    return SocketStatistics{raw.sent,   raw.unsent,    raw.received, raw.messages_sent, raw.messages_received,
                            raw.queued, raw.queue_peak};
}

}  // namespace detail
}  // namespace MOORLINE_CPP_VARIANT
}  // namespace moorline

#endif

/// The numbered answers of the C ABI, as a type.
#ifndef MOORLINE_CPP_STATUS_HPP
#define MOORLINE_CPP_STATUS_HPP

#include <iosfwd>

#include <moorline/cpp/config.hpp>

namespace moorline {
inline namespace MOORLINE_CPP_VARIANT {

/// What came of a call. The values are those of the C ABI by construction; a newer library may answer with more.
enum class Status : moorline_status {
    ok = MOORLINE_OK,
    would_block = MOORLINE_WOULD_BLOCK,              ///< nothing to be had now, and Timeout::none() was asked
    timed_out = MOORLINE_TIMED_OUT,                  ///< the deadline passed
    closed = MOORLINE_CLOSED,                        ///< closed or destroyed by us, perhaps during the call
    disconnected = MOORLINE_DISCONNECTED,            ///< the peer has gone
    stale_handle = MOORLINE_STALE_HANDLE,            ///< destroyed, or never a handle
    wrong_kind = MOORLINE_WRONG_KIND,                ///< a handle of another type
    invalid_argument = MOORLINE_INVALID_ARGUMENT,    ///< an empty owner, a null pointer, a number out of range
    invalid_state = MOORLINE_INVALID_STATE,          ///< not now: listening already, not listening, in another poller
    name_invalid = MOORLINE_NAME_INVALID,            ///< empty, or holds what a name must not hold
    name_too_long = MOORLINE_NAME_TOO_LONG,          ///< longer than the system can take
    name_in_use = MOORLINE_NAME_IN_USE,              ///< another server, or something that is no socket, has it
    not_found = MOORLINE_NOT_FOUND,                  ///< nobody has that name
    permission_denied = MOORLINE_PERMISSION_DENIED,  ///< the system or the trust option says no, or the peer to descriptors
    connection_refused = MOORLINE_CONNECTION_REFUSED,  ///< the name is there, its server is not
    limit_reached = MOORLINE_LIMIT_REACHED,          ///< no descriptors, memory or connections left
    message_too_large = MOORLINE_MESSAGE_TOO_LARGE,  ///< larger than the limit
    malformed = MOORLINE_MALFORMED,                  ///< the peer sent what the protocol does not allow
    mismatch = MOORLINE_MISMATCH,                    ///< an echoed byte was wrong
    not_supported = MOORLINE_NOT_SUPPORTED,          ///< not on this system
    cancelled = MOORLINE_CANCELLED,                  ///< a callback asked for the end
    buffer_too_small = MOORLINE_BUFFER_TOO_SMALL,    ///< a message did not fit; what grows by itself never says so
    os_error = MOORLINE_OS_ERROR,                    ///< another error of the system; see Error::os_error
    internal = MOORLINE_INTERNAL,                    ///< a defect of the library, caught at its boundary
    refused = MOORLINE_REFUSED,                      ///< a validator or a policy of the application turned it away
};

/// The name of a status, as in "NAME_IN_USE"; "UNKNOWN" for a number without one. Static text. Never blocks; any
/// thread.
[[nodiscard]] inline const char* to_string(Status status) noexcept {
    return moorline_status_name(static_cast<moorline_status>(status));
}

/// Writes its name, which test frameworks show then. A template, so that only who writes needs the header of streams.
template <class Traits>
std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& stream, Status status) {
    return stream << to_string(status);
}

}  // namespace MOORLINE_CPP_VARIANT
}  // namespace moorline

#endif

/// Messages on a socket: how they are told apart, what they may be, and what comes with them.
#ifndef MOORLINE_CPP_MESSAGE_HPP
#define MOORLINE_CPP_MESSAGE_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <moorline/cpp/descriptor.hpp>
#include <moorline/cpp/result.hpp>
#include <moorline/cpp/timeout.hpp>

namespace moorline {
inline namespace MOORLINE_CPP_VARIANT {

/// How messages are told apart in a stream. docs/wire.md says what each is on the wire.
enum class Framing : std::uint32_t {
    big_endian = MOORLINE_FRAMING_BIG_ENDIAN,        ///< a length of four bytes before each: QDataStream's QByteArray
    little_endian = MOORLINE_FRAMING_LITTLE_ENDIAN,  ///< the same, least significant byte first
    lines = MOORLINE_FRAMING_LINES,                  ///< a line feed after each
    checked = MOORLINE_FRAMING_CHECKED,              ///< a handshake; length and checksum before each
};

/// What an application says that it is in the handshake of checked frames.
struct Application {
    std::string name = {};      ///< UTF-8, at most 255 bytes, no NUL
    std::uint32_t version = 0;  ///< of the application, not of the protocol
};

/// How a socket sends and receives messages. The framing has no default: `options.messages = Framing::checked;`
struct MessageOptions {
    /// The defaults, with this framing.
    MessageOptions(Framing told_apart) noexcept : framing(told_apart) {}

    Framing framing;                                    ///< how they are told apart; both sides need the same
    std::size_t max_message = std::size_t{16} << 20U;   ///< bytes of the largest, sent or received; 0: 16 MiB
    std::chrono::milliseconds message_timeout{0};       ///< for the rest of one once its first byte came; 0: no limit
    std::chrono::milliseconds handshake_timeout{10000}; ///< for the peer's part of the handshake; 0: ten seconds
    Application application;                            ///< what the handshake compares; both sides need the same; only
                                                        ///< with Framing::checked
    std::uint32_t max_descriptors = 0;                  ///< taken with one message; more end the connection; 0: none is
                                                        ///< taken, the kernel turns away who sends some (Linux 6.16 and
                                                        ///< newer, but for adopted sockets) or closes what comes
};

/// A received message and the descriptors that came with it, which are close-on-exec.
template <class Bytes>
struct Message {
    /// The message, without what told it apart.
    Bytes data;
    /// The descriptors, in the order in which they were sent.
    std::vector<Descriptor> descriptors;
};

namespace detail {

/// Calls `call` with the options as the C ABI takes them; null for none. What `call` returns is the result.
template <class Call>
[[nodiscard]] Result<void> with_messages(const std::optional<MessageOptions>& options, Call call) noexcept {
    if (!options) {
        return call(static_cast<const moorline_message_options*>(nullptr));
    }
    // A C string ends at its first NUL, so a name that holds one would mean another application.
    if (options->application.name.find('\0') != std::string::npos) {
        return Unexpected(Error(Status::invalid_argument, "an application's name must not hold a NUL byte"));
    }
    moorline_message_options raw = {};
    raw.struct_size = sizeof raw;
    raw.framing = static_cast<std::uint32_t>(options->framing);
    raw.application_version = options->application.version;
    raw.max_message = options->max_message;
    raw.message_timeout_ms = clamped(options->message_timeout.count());
    raw.handshake_timeout_ms = clamped(options->handshake_timeout.count());
    raw.application = options->application.name.c_str();
    raw.max_descriptors = options->max_descriptors;
    return call(static_cast<const moorline_message_options*>(&raw));
}

}  // namespace detail
}  // namespace MOORLINE_CPP_VARIANT
}  // namespace moorline

#endif

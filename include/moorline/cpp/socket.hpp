/// One end of a connection.
#ifndef MOORLINE_CPP_SOCKET_HPP
#define MOORLINE_CPP_SOCKET_HPP

#include <array>
#include <cstring>
#include <utility>

#include <moorline/cpp/borrowed.hpp>
#include <moorline/cpp/bytes.hpp>
#include <moorline/cpp/handle.hpp>
#include <moorline/cpp/message.hpp>
#include <moorline/cpp/name.hpp>
#include <moorline/cpp/readiness.hpp>
#include <moorline/cpp/statistics.hpp>
#include <moorline/cpp/timeout.hpp>
#include <moorline/cpp/validator.hpp>

namespace moorline {
inline namespace MOORLINE_CPP_VARIANT {

class Server;

/// How a Socket connects, sends and receives.
struct SocketOptions {
    Scope scope = Scope::temporary;    ///< where a plain name lives
    Trust trust = Trust::same_user;    ///< whose server is accepted by Socket::connect
    std::size_t send_queue_limit = 0;  ///< bytes that send may keep for later when the kernel takes no more; 0: none. They
                                       ///< go out with the next sends, receives, waits and flushes, nothing else sends them
    std::optional<MessageOptions> messages = std::nullopt;  ///< messages; none: a stream of bytes
    /// How long a receive that waits looks again and again before it sleeps. Nothing: some 50 µs, as long as that pays. 0: never.
    std::optional<std::chrono::microseconds> busy_poll = std::nullopt;
    Borrowed<moorline_fault_plan> faults = nullptr;  ///< a testkit::FaultPlan: what goes wrong in a test; none: nothing
};

/// What became of a socket's bytes over its life.
struct CloseReport {
    std::uint64_t sent = 0;  ///< handed to the kernel
    std::uint64_t unsent = 0;  ///< accepted by send, never handed to the kernel
    std::uint64_t received = 0;  ///< read by receive
};

/// One end of a connected local socket. Move-only; the destructor closes it at once and drops what is queued: close()
/// first to know. Any member function may be called from any thread at any time; see Owner for what that means and
/// for native_handle(), release() and destroy().
class Socket : public Owner<moorline_socket, moorline_socket_destroy> {
public:
    constexpr Socket() noexcept = default;

    /// Takes over a handle of the C ABI, as release() gave it.
    [[nodiscard]] static Socket adopt(moorline_socket* handle) noexcept { return Socket(handle); }

    /// Takes over from another owner, which then owns nothing.
    Socket(Socket&&) noexcept = default;
    /// Closes its own socket, and takes over from another owner, which then owns nothing.
    Socket& operator=(Socket&& other) noexcept {
        // The handle ends before the validation that its calls use.
        Owner::operator=(static_cast<Owner&&>(other));
        validation_ = std::move(other.validation_);
        return *this;
    }
    ~Socket() {
        if (*this) {
            static_cast<void>(destroy());
        }
    }

    /// Connects to the server called `name`. Blocks until connected or the timeout is over. Errors: name_invalid,
    /// name_too_long, not_found, connection_refused, permission_denied (the system's, or not a server of
    /// SocketOptions::trust), would_block and timed_out (its backlog is full), limit_reached, invalid_argument (an
    /// option out of range), stale_handle (SocketOptions::faults), os_error.
    [[nodiscard]] static Result<Socket> connect(const std::string& name, Timeout timeout, const SocketOptions& options = {},
                                                SourceLocation where = SourceLocation::current()) noexcept {
        moorline_socket* handle = nullptr;
        const Result<void> connected = with_native(options, [&](const moorline_socket_options* raw) {
            return detail::with_name(
                name, [&](const char* text) { return moorline_socket_connect(text, raw, timeout.milliseconds(), &handle); });
        });
        if (!connected) {
            return Unexpected(connected.error());
        }
        return Socket(handle, where);
    }

    /// Connects to the server of an abstract name of any bytes, NULs too, whatever SocketOptions::scope says. Otherwise as
    /// connect(); connection_refused means that there is no such name.
    [[nodiscard]] static Result<Socket> connect_abstract(BytesView name, Timeout timeout, const SocketOptions& options = {},
                                                         SourceLocation where = SourceLocation::current()) noexcept {
        moorline_socket* handle = nullptr;
        const Result<void> connected = with_native(options, [&](const moorline_socket_options* raw) {
            return detail::done(moorline_socket_connect_abstract(name.data(), name.size(), raw, timeout.milliseconds(), &handle));
        });
        if (!connected) {
            return Unexpected(connected.error());
        }
        return Socket(handle, where);
    }

    /// Two sockets connected with each other. Never blocks. Errors: limit_reached, invalid_argument (an option out of
    /// range), stale_handle (SocketOptions::faults).
    [[nodiscard]] static Result<std::pair<Socket, Socket>> pair(const SocketOptions& options = {},
                                                                SourceLocation where = SourceLocation::current()) noexcept {
        moorline_socket* first = nullptr;
        moorline_socket* second = nullptr;
        const Result<void> made = with_native(options, [&](const moorline_socket_options* raw) {
            return detail::done(moorline_socket_pair(raw, &first, &second));
        });
        if (!made) {
            return Unexpected(made.error());
        }
        return std::pair<Socket, Socket>(Socket(first, where), Socket(second, where));
    }

    /// A socket over a connected stream descriptor, which it owns from success on. Never blocks. Errors:
    /// invalid_argument (no such descriptor, or not such a one; still the caller's), limit_reached (the descriptor is closed),
    /// stale_handle (SocketOptions::faults).
    [[nodiscard]] static Result<Socket> adopt_descriptor(int descriptor, const SocketOptions& options = {},
                                                         SourceLocation where = SourceLocation::current()) noexcept {
        moorline_socket* handle = nullptr;
        const Result<void> adopted = with_native(options, [&](const moorline_socket_options* raw) {
            return detail::done(moorline_socket_adopt_descriptor(descriptor, raw, &handle));
        });
        if (!adopted) {
            return Unexpected(adopted.error());
        }
        return Socket(handle, where);
    }

    /// Gives the descriptor to the caller; the handle is gone, blocked calls end with closed. From then on it is passed descriptors as
    /// any socket is. Errors: invalid_argument (empty), stale_handle, closed, limit_reached, invalid_state (something is queued, or
    /// a send is under way: flush first; or a message or a part of one was read ahead and nobody has received it, or a receive of
    /// a message is under way).
    [[nodiscard]] Result<std::ptrdiff_t> release_descriptor() noexcept {
        moorline_socket* handle = native_handle();
        std::ptrdiff_t descriptor = -1;
        const moorline_status status = moorline_socket_release_descriptor(handle, &descriptor);
        if (status != MOORLINE_OK) {
            return detail::failure(status);
        }
        forget(handle);
        return descriptor;
    }

    /// The descriptor, still the socket's: for options and for looking. Never blocks. Errors: invalid_argument
    /// (empty), stale_handle, closed.
    [[nodiscard]] Result<std::ptrdiff_t> descriptor() const noexcept {
        std::ptrdiff_t descriptor = -1;
        const moorline_status status = moorline_socket_descriptor(native_handle(), &descriptor);
        if (status != MOORLINE_OK) {
            return detail::failure(status);
        }
        return descriptor;
    }

    /// Sends all of `data`. Calls from several threads never interleave within one call. Blocks until all is taken or
    /// the timeout is over. Raises no SIGPIPE. Errors: would_block and timed_out (not all was taken: Error::sent()
    /// says how much, and BytesView::without_first gives the rest), disconnected, closed, invalid_state (it has
    /// messages), limit_reached, stale_handle, invalid_argument (empty).
    [[nodiscard]] Result<void> send(BytesView data, Timeout timeout) noexcept {
        std::size_t sent = 0;
        const moorline_status status =
            moorline_socket_send(native_handle(), data.data(), data.size(), timeout.milliseconds(), &sent);
        return detail::done(status, sent);
    }
    /// As send(BytesView, Timeout), of `size` bytes at `data`.
    [[nodiscard]] Result<void> send(const void* data, std::size_t size, Timeout timeout) noexcept {
        return send(BytesView(data, size), timeout);
    }

    /// Sends or queues all of `data` or nothing; there must be room for all of it in the queue, which
    /// SocketOptions::send_queue_limit gives the socket. Never blocks. Raises no SIGPIPE. Errors: would_block (there is no room
    /// for all of it now, or another thread's send is under way), invalid_argument (more than the limit; or empty owner),
    /// disconnected, closed, invalid_state (it has messages), stale_handle.
    [[nodiscard]] Result<void> try_send(BytesView data) noexcept {
        return detail::done(moorline_socket_try_send(native_handle(), data.data(), data.size()));
    }

    /// Receives what is there, at least one byte, into the front of `buffer`, and returns how many bytes. Blocks
    /// until there is something or the timeout is over. Errors: would_block, timed_out, disconnected (the peer has
    /// gone, or sends no more, and all that it sent was read), closed, invalid_state (it has messages), limit_reached,
    /// stale_handle, invalid_argument (empty owner, or a buffer of no size).
    [[nodiscard]] Result<std::size_t> receive(BufferView buffer, Timeout timeout) noexcept {
        std::size_t received = 0;
        const moorline_status status =
            moorline_socket_receive(native_handle(), buffer.data(), buffer.size(), timeout.milliseconds(), &received);
        if (status != MOORLINE_OK) {
            return detail::failure(status);
        }
        return received;
    }
    /// As receive(BufferView, Timeout), into `capacity` bytes at `buffer`.
    [[nodiscard]] Result<std::size_t> receive(void* buffer, std::size_t capacity, Timeout timeout) noexcept {
        return receive(BufferView(buffer, capacity), timeout);
    }

    /// Sends a message, whole or not at all; messages of several threads never mix. What the kernel does not take at
    /// once is queued, beyond the limit if need be; close() counts what never went out. Errors: would_block and
    /// timed_out (nothing could be sent in time), message_too_large (more than either side takes; nothing is sent),
    /// invalid_argument (a line with a line feed in it, or a carriage return at its end; or empty), invalid_state (no
    /// framing), mismatch and malformed (the peer's part of the handshake was wrong), disconnected, closed (also, without a
    /// queue, while the rest of it goes out, which the close that ends this still sends, and counts if it does not),
    /// limit_reached, stale_handle.
    [[nodiscard]] Result<void> send_message(BytesView message, Timeout timeout) noexcept {
        return detail::done(
            moorline_socket_send_message(native_handle(), message.data(), message.size(), timeout.milliseconds()));
    }

    /// The same, and duplicates of open descriptors with it, which stay the caller's. Errors: as send_message(),
    /// limit_reached (more than max_descriptors), permission_denied (the peer takes none; where the system does not tell, the message
    /// arrives without them), invalid_argument (one is not open).
    [[nodiscard]] Result<void> send_message_with_descriptors(BytesView message, const std::vector<int>& descriptors,
                                                             Timeout timeout) noexcept {
        return detail::done(moorline_socket_send_message_with_descriptors(
            native_handle(), message.data(), message.size(), descriptors.data(), descriptors.size(), timeout.milliseconds()));
    }

    /// Receives a message into the front of `buffer`, and reports its length. Descriptors that come with it are closed.
    /// All of the buffer may be written to, whatever comes.
    /// Blocks until one came whole or the timeout is over. A socket with messages has read more than the one: after a
    /// poller's event, receive until would_block, or until may_have_message() says no, which alone tells where several
    /// threads receive. Errors: buffer_too_small (the message stays; its length is reported all
    /// the same), would_block, timed_out, disconnected (the peer has gone, and all that it sent was read), closed,
    /// invalid_state (no framing), limit_reached (no descriptors to wait with), stale_handle, invalid_argument (empty owner).
    /// These end the connection: message_too_large, malformed, mismatch (the handshake; the message has what both sides
    /// said), refused (by the validator), limit_reached when the message says that descriptors came, too many or more than
    /// this process may have, and timed_out when it says that the peer took too long.
    [[nodiscard]] Outcome<std::size_t> receive_message(BufferView buffer, Timeout timeout) noexcept {
        std::size_t length = 0;
        const moorline_status status =
            moorline_socket_receive_message(native_handle(), buffer.data(), buffer.size(), timeout.milliseconds(), &length);
        return {detail::done(status), length};
    }

    /// Receives a message of any length as a std::string, or as a std::vector<std::byte> and the like. Otherwise as
    /// above.
    template <class Bytes = std::string>
    [[nodiscard]] Result<Bytes> receive_message(Timeout timeout) noexcept {
        return receive_any_length<Bytes>(timeout, [this](void* buffer, std::size_t room, Timeout left, std::size_t* length) {
            return moorline_socket_receive_message(native_handle(), buffer, room, left.milliseconds(), length);
        });
    }

    /// Whether a receive may find another message without waiting: one is there already, the last receive took what had come
    /// before it or left something with the system, nothing was received yet, or another thread is receiving. If not, a poller
    /// tells of what comes next, whatever the trigger, as after would_block; but after its report of a hang-up the end of the
    /// stream is still to be received.
    /// Errors: invalid_state (no framing), stale_handle, invalid_argument (empty owner).
    [[nodiscard]] Result<bool> may_have_message() const noexcept {
        std::uint32_t may = 0;
        const moorline_status status = moorline_socket_may_have_message(native_handle(), &may);
        if (status != MOORLINE_OK) {
            return detail::failure(status);
        }
        return may != 0;
    }

    /// Receives a message and the descriptors that came with it. Otherwise as above.
    template <class Bytes = std::string>
    [[nodiscard]] Result<Message<Bytes>> receive_message_with_descriptors(Timeout timeout) noexcept {
        std::array<int, max_descriptors> numbers;
        std::size_t count = 0;
        Result<Bytes> data =
            receive_any_length<Bytes>(timeout, [&](void* buffer, std::size_t room, Timeout left, std::size_t* length) {
                return moorline_socket_receive_message_with_descriptors(native_handle(), buffer, room, left.milliseconds(),
                                                                        length, numbers.data(), numbers.size(), &count);
            });
        if (!data) {
            return Unexpected(data.error());
        }
        Message<Bytes> message{std::move(*data), {}};
        message.descriptors.reserve(count);
        for (std::size_t i = 0; i < count; ++i) {
            message.descriptors.emplace_back(numbers[i]);
        }
        return message;
    }

    /// The most descriptors that the system sends with one message.
    static constexpr std::size_t max_descriptors = 253;

    /// Lets `validator` see each message first, on the thread that receives it; an empty one lets all pass. When it says
    /// no or throws, that receive answers refused and the connection ends. It belongs to this object, wherever that moves,
    /// and lives until another takes its place and no receive is in it. It must not receive from this socket, nor end it;
    /// destroy() is fine. While it is asked, receives of other threads wait for it, until the socket is closed. Never
    /// blocks. Errors: invalid_state (no framing), stale_handle, invalid_argument (empty).
    [[nodiscard]] Result<void> set_validator(Validator validator) noexcept {
        return validation_.alone([&](std::unique_ptr<detail::Validation>& validation) {
            if (validation == nullptr) {
                validation = std::make_unique<detail::Validation>();
            }
            validation->set(std::move(validator));
            return detail::done(moorline_socket_set_validator(native_handle(), detail::Validation::accepts, validation.get()));
        });
    }

    /// The exception that came out of the validator, once; null if none has. Never blocks.
    [[nodiscard]] std::exception_ptr take_exception() noexcept {
        return validation_.alone([](const std::unique_ptr<detail::Validation>& validation) {
            return validation ? validation->take_exception() : nullptr;
        });
    }

    /// Gives up ownership of the handle: the caller destroys it by the C ABI. Null if there is none. The validator stays
    /// behind, and sees nothing any more.
    [[nodiscard]] moorline_socket* release() noexcept {
        return validation_.alone([this](const std::unique_ptr<detail::Validation>& validation) {
            moorline_socket* handle = Owner::release();
            if (validation) {
                // A handle that is gone has no use for a validator either.
                static_cast<void>(moorline_socket_set_validator(handle, nullptr, nullptr));
            }
            return handle;
        });
    }

    /// Bytes of the largest message that both sides take, as far as is known: the other side of checked frames tells its own
    /// with its part of the handshake, which a send or a receive takes note of; of others only this side's is known. Never
    /// blocks. Errors: invalid_state (no framing), stale_handle, invalid_argument (empty).
    [[nodiscard]] Result<std::size_t> max_message() const noexcept {
        std::size_t bytes = 0;
        const moorline_status status = moorline_socket_max_message(native_handle(), &bytes);
        if (status != MOORLINE_OK) {
            return detail::failure(status);
        }
        return bytes;
    }

    /// What the other side of checked frames said that it is. Never blocks. Errors: would_block (it has not said so
    /// yet), invalid_state (no checked frames), stale_handle, invalid_argument (empty).
    [[nodiscard]] Result<Application> peer_application() const noexcept {
        Application application;
        Result<std::string> name = detail::text([&](char* buffer, std::size_t capacity, std::size_t* needed) {
            return moorline_socket_peer_application(native_handle(), buffer, capacity, needed, &application.version);
        });
        if (!name) {
            return Unexpected(name.error());
        }
        application.name = std::move(*name);
        return application;
    }

    /// Waits until all that send has queued is in the kernel. Errors: would_block, timed_out (something is still
    /// queued), disconnected, closed, limit_reached, stale_handle, invalid_argument (empty).
    [[nodiscard]] Result<void> flush(Timeout timeout) noexcept {
        return detail::done(moorline_socket_flush(native_handle(), timeout.milliseconds()));
    }

    /// Waits until a receive or a send, as `interest` says, would not wait, and returns which. Messages that another thread's
    /// receive reads ahead meanwhile do not end it. Errors: would_block, timed_out, closed, limit_reached, stale_handle,
    /// invalid_argument (empty, or Interest::edge).
    [[nodiscard]] Result<Readiness> wait(Interest interest, Timeout timeout) noexcept {
        std::uint32_t ready = 0;
        const moorline_status status =
            moorline_socket_wait(native_handle(), static_cast<std::uint32_t>(interest), timeout.milliseconds(), &ready);
        if (status != MOORLINE_OK) {
            return detail::failure(status);
        }
        return Readiness(ready);
    }

    /// Who is at the other end. Never blocks. Errors: closed, not_supported, stale_handle, invalid_argument (empty).
    [[nodiscard]] Result<Credentials> peer_credentials() const noexcept {
        moorline_credentials raw = {};
        raw.struct_size = sizeof raw;
        const moorline_status status = moorline_socket_peer_credentials(native_handle(), &raw);
        if (status != MOORLINE_OK) {
            return detail::failure(status);
        }
        return Credentials{raw.uid, raw.gid, raw.pid};
    }

    /// A descriptor of the process at the other end (a pidfd), which, unlike its number, never comes to mean another process.
    /// Never blocks. Errors: not_supported (Linux before 6.5), not_found (the process has ended), closed, limit_reached,
    /// stale_handle, invalid_argument (empty).
    [[nodiscard]] Result<Descriptor> peer_process() const noexcept {
        std::ptrdiff_t descriptor = -1;
        const moorline_status status = moorline_socket_peer_process(native_handle(), &descriptor);
        if (status != MOORLINE_OK) {
            return detail::failure(status);
        }
        return Descriptor(static_cast<int>(descriptor));
    }

    /// What went over it so far. Never blocks. Errors: stale_handle, invalid_argument (empty).
    [[nodiscard]] Result<SocketStatistics> statistics() const noexcept {
        return detail::socket_statistics(
            [this](moorline_socket_stats* raw) { return moorline_socket_statistics(native_handle(), raw); });
    }

    /// Ends one direction; the other works on. Interest::writable ends sending, after what is queued was sent: the peer sees
    /// the end of the stream. Interest::readable ends receiving: the peer's sends fail, but for one that waits for room already,
    /// which the system does not tell before there is some; and what has come can still be read.
    /// Blocks until the timeout. Errors: would_block and timed_out (something is still queued, nothing has ended),
    /// disconnected, closed, limit_reached, stale_handle, invalid_argument (empty, or not one of the two).
    [[nodiscard]] Result<void> shutdown(Interest direction, Timeout timeout) noexcept {
        return detail::done(
            moorline_socket_shutdown(native_handle(), static_cast<std::uint32_t>(direction), timeout.milliseconds()));
    }

    /// Closes at once; what is queued is dropped. Reports in either case. Never blocks. Errors: closed
    /// (CloseReport::unsent bytes were lost), stale_handle, invalid_argument (empty).
    [[nodiscard]] Outcome<CloseReport> abort() noexcept {
        moorline_close_report raw = {};
        raw.struct_size = sizeof raw;
        const moorline_status status = moorline_socket_abort(native_handle(), &raw);
        return {detail::done(status), {raw.sent, raw.unsent, raw.received}};
    }

    /// Sends what is queued until the timeout is over, closes, and reports in either case. Calls of other threads
    /// that wait end with closed. Closing again only reports; while another call sends what is queued, it ends that at its own
    /// timeout. Errors: would_block, timed_out, disconnected and limit_reached (closed all the same; CloseReport::unsent says what
    /// was lost), closed (destroyed meanwhile, or closed by a call that waited less), stale_handle, invalid_argument (empty).
    [[nodiscard]] Outcome<CloseReport> close(Timeout timeout) noexcept {
        moorline_close_report raw = {};
        raw.struct_size = sizeof raw;
        const moorline_status status = moorline_socket_close(native_handle(), timeout.milliseconds(), &raw);
        return {detail::done(status), {raw.sent, raw.unsent, raw.received}};
    }

private:
    friend class Server;
    using Owner::Owner;

    /// Calls `call` with the options as the C ABI takes them. What it returns is the result.
    template <class Call>
    [[nodiscard]] static Result<void> with_native(const SocketOptions& options, Call call) noexcept {
        moorline_socket_options raw = {};
        raw.struct_size = sizeof raw;
        raw.scope = static_cast<std::uint32_t>(options.scope);
        raw.trust = static_cast<std::uint32_t>(options.trust);
        raw.send_queue_limit = options.send_queue_limit;
        raw.busy_poll_us = detail::busy_poll(options.busy_poll);
        raw.faults = options.faults.native_handle();
        if (Result<void> checked = detail::check_borrowed(options.faults, "faults"); !checked) {
            return checked;
        }
        return detail::with_messages(options.messages, [&](const moorline_message_options* messages) {
            raw.messages = messages;
            return call(static_cast<const moorline_socket_options*>(&raw));
        });
    }

    /// Receives with `receive(buffer, room, timeout, &length)`, which says how much room a longer message needs.
    template <class Bytes, class Receive>
    [[nodiscard]] static Result<Bytes> receive_any_length(Timeout timeout, Receive receive) noexcept {
        // Most messages fit here and take one call, and none takes more memory than it needs.
        std::array<char, 4096> usual;
        std::size_t length = 0;
        const auto start = std::chrono::steady_clock::now();
        moorline_status status = receive(usual.data(), usual.size(), timeout, &length);
        Bytes bytes;
        if (status == MOORLINE_OK && length > 0) {
            bytes.resize(length);
            std::memcpy(bytes.data(), usual.data(), length);
        }
        // A loop, because another thread may take the message between two calls.
        while (status == MOORLINE_BUFFER_TOO_SMALL) {
            bytes.resize(length);
            status = receive(bytes.data(), bytes.size(), detail::remaining(timeout, start), &length);
            if (status == MOORLINE_OK) {
                bytes.resize(length);
            }
        }
        if (status != MOORLINE_OK) {
            return detail::failure(status);
        }
        return bytes;
    }

    detail::ValidationSlot validation_;
};

}  // namespace MOORLINE_CPP_VARIANT
}  // namespace moorline

#endif

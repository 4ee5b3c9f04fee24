/// A listening name.
#ifndef MOORLINE_CPP_SERVER_HPP
#define MOORLINE_CPP_SERVER_HPP

#include <memory>

#include <moorline/cpp/policy.hpp>
#include <moorline/cpp/socket.hpp>

namespace moorline {
inline namespace MOORLINE_CPP_VARIANT {

/// How a Server listens.
struct ServerOptions {
    Scope scope = Scope::temporary;    ///< where a plain name lives
    std::uint32_t mode = 0600;         ///< permission bits of the socket file, exact whatever the umask
    std::uint32_t backlog = 0;         ///< connections that may wait for accept; 0: the system's maximum
    std::size_t send_queue_limit = 0;  ///< of the accepted sockets, as in SocketOptions
    std::optional<MessageOptions> messages = std::nullopt;  ///< of the accepted sockets, as in SocketOptions
    Policy policy = Policy::everyone();                     ///< whom connections are taken from
    Borrowed<moorline_fault_plan> faults = nullptr;         ///< of accepting, and of the accepted sockets, as in SocketOptions
};

/// A server that accepts connections one by one. Move-only; the destructor closes it and gives its name back. Any
/// member function may be called from any thread at any time; see Owner for what that means and for native_handle(),
/// release() and destroy().
class Server : public Owner<moorline_server, moorline_server_destroy> {
public:
    constexpr Server() noexcept = default;

    /// Takes over a handle of the C ABI, as release() gave it.
    [[nodiscard]] static Server adopt(moorline_server* handle) noexcept { return Server(handle); }

    /// A server that does not listen yet. Never blocks. Errors: invalid_argument (an option out of range),
    /// limit_reached, stale_handle (ServerOptions::faults).
    [[nodiscard]] static Result<Server> create(const ServerOptions& options = {},
                                               SourceLocation where = SourceLocation::current()) noexcept {
        moorline_server_options raw = {};
        raw.struct_size = sizeof raw;
        raw.scope = static_cast<std::uint32_t>(options.scope);
        raw.mode = options.mode;
        raw.backlog = options.backlog;
        raw.send_queue_limit = options.send_queue_limit;
        raw.faults = options.faults.native_handle();
        if (const Result<void> checked = detail::check_borrowed(options.faults, "faults"); !checked) {
            return Unexpected(checked.error());
        }
        moorline_server* handle = nullptr;
        auto kept = std::make_shared<detail::KeptException>();
        const auto keep = [kept](std::exception_ptr exception) { kept->keep(std::move(exception)); };
        const Result<void> created = detail::with_messages(options.messages, [&](const moorline_message_options* messages) {
            raw.messages = messages;
            return detail::with_policy(options.policy, keep, [&](const moorline_policy* policy) {
                raw.policy = policy;
                return detail::done(moorline_server_create(&raw, &handle));
            });
        });
        if (!created) {
            return Unexpected(created.error());
        }
        Server server(handle, where);
        server.exception_ = std::move(kept);
        return server;
    }

    /// Takes `name` and listens: whoever finds the name from now on can connect. A name whose server has died is
    /// taken over, which takes milliseconds, or a second if somebody keeps its directory locked. Errors:
    /// name_invalid, name_too_long, name_in_use (a live server, something that is no socket, or a socket file that this
    /// user may not write to, of which nobody can tell; left alone),
    /// permission_denied, not_found (no such directory), invalid_state (listening already), closed (another thread
    /// closed or destroyed it meanwhile), limit_reached, stale_handle, invalid_argument (empty), os_error.
    [[nodiscard]] Result<void> listen(const std::string& name) noexcept {
        return detail::with_name(name, [&](const char* text) { return moorline_server_listen(native_handle(), text); });
    }

    /// The same with a name made for the purpose, which starts with `prefix` and nobody else has: full_name() says
    /// which.
    [[nodiscard]] Result<void> listen_unique(const std::string& prefix) noexcept {
        return detail::with_name(prefix, [&](const char* text) { return moorline_server_listen_unique(native_handle(), text); });
    }

    /// Listens under an abstract name of any bytes, NULs too, whatever ServerOptions::scope says. Never blocks. Errors: as
    /// listen(), where name_too_long means more than 107 bytes.
    [[nodiscard]] Result<void> listen_abstract(BytesView name) noexcept {
        return detail::done(moorline_server_listen_abstract(native_handle(), name.data(), name.size()));
    }

    /// Whether its name is in the abstract namespace, which full_name() does not tell. Never blocks. Errors: invalid_state
    /// (not listening), stale_handle, invalid_argument (empty).
    [[nodiscard]] Result<bool> is_abstract() const noexcept {
        std::uint32_t is_abstract = 0;
        const moorline_status status = moorline_server_is_abstract(native_handle(), &is_abstract);
        if (status != MOORLINE_OK) {
            return detail::failure(status);
        }
        return is_abstract != 0;
    }

    /// Listens on a descriptor that listens already (socket activation). The server owns it from success on, but
    /// never removes its file. Never blocks. Errors: invalid_argument (empty, or not such a descriptor; still the
    /// caller's), invalid_state (listening already), closed (another thread has just destroyed it), stale_handle.
    [[nodiscard]] Result<void> listen_descriptor(int descriptor) noexcept {
        return detail::done(moorline_server_listen_descriptor(native_handle(), descriptor));
    }

    /// The full path or abstract name of what the server listens on: what a client connects to. Never blocks. Errors:
    /// invalid_state (not listening), stale_handle, invalid_argument (empty).
    [[nodiscard]] Result<std::string> full_name() const noexcept {
        return detail::text([this](char* buffer, std::size_t capacity, std::size_t* needed) {
            return moorline_server_full_name(native_handle(), buffer, capacity, needed);
        });
    }

    /// The next connection. Blocks until there is one or the timeout is over. Errors: would_block, timed_out, closed,
    /// permission_denied (the policy has turned one away; go on), invalid_state (not listening), limit_reached (no
    /// descriptors left; it still listens), stale_handle, invalid_argument (empty).
    [[nodiscard]] Result<Socket> accept(Timeout timeout, SourceLocation where = SourceLocation::current()) noexcept {
        moorline_socket* handle = nullptr;
        const moorline_status status = moorline_server_accept(native_handle(), timeout.milliseconds(), &handle);
        if (status != MOORLINE_OK) {
            return detail::failure(status);
        }
        return Socket(handle, where);
    }

    /// The listening descriptor, still the server's. Never blocks. Errors: invalid_state (not listening),
    /// stale_handle, invalid_argument (empty).
    [[nodiscard]] Result<std::ptrdiff_t> descriptor() const noexcept {
        std::ptrdiff_t descriptor = -1;
        const moorline_status status = moorline_server_descriptor(native_handle(), &descriptor);
        if (status != MOORLINE_OK) {
            return detail::failure(status);
        }
        return descriptor;
    }

    /// What it has done so far. Never blocks. Errors: stale_handle, invalid_argument (empty).
    [[nodiscard]] Result<ServerStatistics> statistics() const noexcept {
        moorline_server_stats raw = {};
        raw.struct_size = sizeof raw;
        const moorline_status status = moorline_server_statistics(native_handle(), &raw);
        if (status != MOORLINE_OK) {
            return detail::failure(status);
        }
        return ServerStatistics{raw.accepted, raw.refused};
    }

    /// The last exception that came out of the policy's callable, once; null if none has. Never blocks.
    [[nodiscard]] std::exception_ptr take_exception() noexcept { return exception_ ? exception_->take() : nullptr; }

    /// Stops listening and gives the name back; blocked calls end with closed, connections that nobody accepted are
    /// reset. It may listen again. Does nothing if it does not listen. Does not block, except for milliseconds while a
    /// name of the same directory is recovered or taken over, and while another thread closes it. Errors: stale_handle,
    /// invalid_argument (empty), the system's reason why the file could not be removed (it does not listen even
    /// then).
    [[nodiscard]] Result<void> close() noexcept { return detail::done(moorline_server_close(native_handle())); }

private:
    using Owner::Owner;

    std::shared_ptr<detail::KeptException> exception_;
};

}  // namespace MOORLINE_CPP_VARIANT
}  // namespace moorline

#endif

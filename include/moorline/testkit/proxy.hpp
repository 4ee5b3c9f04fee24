/// A faulty wire between two names.
#ifndef MOORLINE_TESTKIT_PROXY_HPP
#define MOORLINE_TESTKIT_PROXY_HPP

#include <moorline/cpp/borrowed.hpp>
#include <moorline/cpp/name.hpp>
#include <moorline/cpp/timeout.hpp>
#include <moorline/testkit/text.hpp>

namespace moorline {
inline namespace MOORLINE_CPP_VARIANT {
namespace testkit {

/// How a proxy works.
struct ProxyOptions {
    Scope scope = Scope::temporary;                  ///< where plain names live, the proxy's and the target's
    std::uint32_t mode = 0600;                       ///< permission bits of the proxy's socket file
    std::uint32_t backlog = 0;                       ///< as in ServerOptions
    Trust trust = Trust::same_user;                  ///< whose server it connects to
    std::chrono::milliseconds connect_timeout{10000};  ///< to try for a server whose backlog is full; 0: ten seconds
    Borrowed<moorline_fault_plan> faults = nullptr;  ///< a FaultPlan: what goes wrong; none: nothing
    Borrowed<moorline_tap> tap = nullptr;            ///< a Tap that records what passes; none: nothing is recorded
};

/// A proxy: it listens under one name, connects each client to the server of another, and carries what they say, with its faults.
/// For programs that cannot be given a plan themselves. Move-only; the destructor breaks the conversations. Any member function may
/// be called from any thread at any time.
class Proxy : public Owner<moorline_proxy, moorline_proxy_destroy> {
public:
    constexpr Proxy() noexcept = default;

    /// Takes over a handle of the C ABI, as release() gave it.
    [[nodiscard]] static Proxy adopt(moorline_proxy* handle) noexcept { return Proxy(handle); }

    /// A proxy that listens when this returns. Whether the target has a server is seen when clients come. Blocks as little as
    /// Server::listen(). Errors: as Server::listen(), limit_reached, invalid_argument and stale_handle (of the options).
    [[nodiscard]] static Result<Proxy> start(const std::string& name, const std::string& target, const ProxyOptions& options = {},
                                             SourceLocation where = SourceLocation::current()) noexcept {
        for (const Result<void>& checked :
             {detail::check_text(name, "a name", Status::name_invalid),
              detail::check_text(target, "a name", Status::name_invalid), detail::check_borrowed(options.faults, "faults"),
              detail::check_borrowed(options.tap, "tap")}) {
            if (!checked) {
                return Unexpected(checked.error());
            }
        }
        moorline_proxy_options raw = {};
        raw.struct_size = sizeof raw;
        raw.scope = static_cast<std::uint32_t>(options.scope);
        raw.mode = options.mode;
        raw.backlog = options.backlog;
        raw.trust = static_cast<std::uint32_t>(options.trust);
        raw.connect_timeout_ms = detail::clamped(options.connect_timeout.count());
        raw.faults = options.faults.native_handle();
        raw.tap = options.tap.native_handle();
        moorline_proxy* handle = nullptr;
        const moorline_status status = moorline_proxy_start(name.c_str(), target.c_str(), &raw, &handle);
        if (status != MOORLINE_OK) {
            return detail::failure(status);
        }
        return Proxy(handle, where);
    }

    /// The full name to connect to. Never blocks. Errors: invalid_state (it has stopped), invalid_argument (empty), stale_handle.
    [[nodiscard]] Result<std::string> full_name() const noexcept {
        return detail::text([this](char* buffer, std::size_t capacity, std::size_t* needed) {
            return moorline_proxy_full_name(native_handle(), buffer, capacity, needed);
        });
    }

    /// Clients that could not be connected to the target; what came on a connection and could not be received for want of descriptors
    /// or memory, which breaks it, or passed on, which is tried again; and accepts that failed. What is tried again is told once,
    /// however often that is; a line each, which is taken with this. Never blocks. Errors: invalid_argument (empty), stale_handle.
    [[nodiscard]] Result<std::string> take_failures() noexcept {
        return detail::text([this](char* buffer, std::size_t capacity, std::size_t* needed) {
            return moorline_proxy_take_failures(native_handle(), buffer, capacity, needed);
        });
    }

    /// Stops listening, waits until the conversations have ended by themselves, and at the deadline breaks them. Blocks until the
    /// timeout. Errors: would_block and timed_out (some were broken), closed (destroyed or stopped before, which broke some),
    /// invalid_state (in a forked child), invalid_argument (empty), stale_handle, the system's reason why the socket file could not
    /// be removed.
    [[nodiscard]] Result<void> stop(Timeout timeout) noexcept {
        return detail::done(moorline_proxy_stop(native_handle(), timeout.milliseconds()));
    }

private:
    using Owner::Owner;
};

}  // namespace testkit
}  // namespace MOORLINE_CPP_VARIANT
}  // namespace moorline

#endif

/// Readiness of many handles at once.
#ifndef MOORLINE_CPP_POLLER_HPP
#define MOORLINE_CPP_POLLER_HPP

#include <moorline/cpp/server.hpp>

namespace moorline {
inline namespace MOORLINE_CPP_VARIANT {

/// How a Poller waits.
struct PollerOptions {
    /// How long to look again and again before sleeping. Nothing: some 50 µs, as long as that pays. 0: never.
    std::optional<std::chrono::microseconds> busy_poll = std::nullopt;
    Borrowed<moorline_clock> clock = nullptr;  ///< a testkit::Clock that timeouts run on; none: the system's
};

/// One answer of Poller::wait. Has the fields of moorline_event: `token`, as given to add, and `readiness`.
struct Event : moorline_event {
    /// Whether there are bytes, a connection to accept, or the peer's end.
    [[nodiscard]] bool readable() const noexcept { return ready().readable(); }
    /// Whether there is room for bytes.
    [[nodiscard]] bool writable() const noexcept { return ready().writable(); }
    /// Whether the peer has closed its sending direction, or the connection has ended.
    [[nodiscard]] bool hangup() const noexcept { return ready().hangup(); }
    /// All of it.
    [[nodiscard]] Readiness ready() const noexcept { return Readiness(readiness); }
};
static_assert(sizeof(Event) == sizeof(moorline_event), "the C ABI fills an array of events in place");

/// Waits for thousands of servers and sockets at the cost of one. Level-triggered unless Interest::edge is asked.
/// Move-only; the destructor lets go of what was added. Any member function may be called from any thread at any
/// time; see Owner for what that means and for native_handle(), release() and destroy().
class Poller : public Owner<moorline_poller, moorline_poller_destroy> {
public:
    constexpr Poller() noexcept = default;

    /// Takes over a handle of the C ABI, as release() gave it.
    [[nodiscard]] static Poller adopt(moorline_poller* handle) noexcept { return Poller(handle); }

    /// An empty poller. Never blocks. Errors: limit_reached, stale_handle and invalid_argument (PollerOptions::clock).
    [[nodiscard]] static Result<Poller> create(const PollerOptions& options = {},
                                               SourceLocation where = SourceLocation::current()) noexcept {
        moorline_poller_options raw = {};
        raw.struct_size = sizeof raw;
        raw.busy_poll_us = detail::busy_poll(options.busy_poll);
        raw.clock = options.clock.native_handle();
        if (const Result<void> checked = detail::check_borrowed(options.clock, "clock"); !checked) {
            return Unexpected(checked.error());
        }
        moorline_poller* handle = nullptr;
        const moorline_status status = moorline_poller_create(&raw, &handle);
        if (status != MOORLINE_OK) {
            return detail::failure(status);
        }
        return Poller(handle, where);
    }

    /// Watches a socket or a server, whose events carry `token`. A closed or destroyed one leaves by itself. Never
    /// blocks. Errors: invalid_state (in a poller already, or not listening), closed, stale_handle, invalid_argument
    /// (empty), limit_reached.
    [[nodiscard]] Result<void> add(const Socket& socket, Interest interest, std::uint64_t token) noexcept {
        return detail::done(moorline_poller_add_socket(native_handle(), socket.native_handle(), bits(interest), token));
    }
    /// As add() of a socket.
    [[nodiscard]] Result<void> add(const Server& server, Interest interest, std::uint64_t token) noexcept {
        return detail::done(moorline_poller_add_server(native_handle(), server.native_handle(), bits(interest), token));
    }

    /// Changes interest and token; what is ready now is reported anew. Never blocks. Errors: invalid_state (not in
    /// this poller), closed, stale_handle, invalid_argument (empty).
    [[nodiscard]] Result<void> modify(const Socket& socket, Interest interest, std::uint64_t token) noexcept {
        return detail::done(moorline_poller_modify_socket(native_handle(), socket.native_handle(), bits(interest), token));
    }
    /// As modify() of a socket.
    [[nodiscard]] Result<void> modify(const Server& server, Interest interest, std::uint64_t token) noexcept {
        return detail::done(moorline_poller_modify_server(native_handle(), server.native_handle(), bits(interest), token));
    }

    /// Watches it no longer. Never blocks. Errors: invalid_state (not in this poller), closed, stale_handle,
    /// invalid_argument (empty).
    [[nodiscard]] Result<void> remove(const Socket& socket) noexcept {
        return detail::done(moorline_poller_remove_socket(native_handle(), socket.native_handle()));
    }
    /// As remove() of a socket.
    [[nodiscard]] Result<void> remove(const Server& server) noexcept {
        return detail::done(moorline_poller_remove_server(native_handle(), server.native_handle()));
    }

    /// Fills the front of `events` with what is ready and returns how many; 0 means that wake() was called. Blocks
    /// until then or until the timeout is over; of several threads one waits for events and the others for their
    /// turn. Errors: would_block, timed_out, closed, stale_handle, invalid_argument (empty, or no room for events),
    /// os_error.
    [[nodiscard]] Result<std::size_t> wait(Event* events, std::size_t capacity, Timeout timeout) noexcept {
        std::size_t count = 0;
        const moorline_status status = moorline_poller_wait(native_handle(), events, capacity, timeout.milliseconds(), &count);
        if (status != MOORLINE_OK) {
            return detail::failure(status);
        }
        return count;
    }

    /// The same for a std::array, a std::vector (its size, not its capacity, is the room) or a std::span of events.
    template <class Events>
    [[nodiscard]] Result<std::size_t> wait(Events&& events, Timeout timeout) noexcept {
        return wait(events.data(), events.size(), timeout);
    }

    /// As wait() for the duration, but looks again and again instead of sleeping, whatever the options say: for foreign event loops,
    /// which go on when nothing was found, and sleep themselves until descriptor() is readable. Uses the processor meanwhile, and
    /// offers it to others from time to time. The duration is the system's, whatever the clock of the poller. Errors: as wait();
    /// would_block when the duration is zero.
    [[nodiscard]] Result<std::size_t> look(Event* events, std::size_t capacity, std::chrono::microseconds duration) noexcept {
        std::size_t count = 0;
        const std::uint32_t microseconds = detail::clamped(duration.count());
        const moorline_status status = moorline_poller_look(native_handle(), events, capacity, microseconds, &count);
        if (status != MOORLINE_OK) {
            return detail::failure(status);
        }
        return count;
    }

    /// The same for a std::array, a std::vector (its size, not its capacity, is the room) or a std::span of events.
    template <class Events>
    [[nodiscard]] Result<std::size_t> look(Events&& events, std::chrono::microseconds duration) noexcept {
        return look(events.data(), events.size(), duration);
    }

    /// Ends one wait, the present or the next one, with the events that are there then, often none. Whom it is to tell something
    /// looks for that after every wait, not only after one with no events. Never blocks. Errors: closed, stale_handle,
    /// invalid_argument (empty), os_error.
    [[nodiscard]] Result<void> wake() noexcept { return detail::done(moorline_poller_wake(native_handle())); }

    /// A descriptor that is readable when wait(Timeout::none()) would have something: for a foreign event loop. Still
    /// the poller's; never read from it. Never blocks. Errors: closed, stale_handle, invalid_argument (empty).
    [[nodiscard]] Result<std::ptrdiff_t> descriptor() const noexcept {
        std::ptrdiff_t descriptor = -1;
        const moorline_status status = moorline_poller_descriptor(native_handle(), &descriptor);
        if (status != MOORLINE_OK) {
            return detail::failure(status);
        }
        return descriptor;
    }

    /// Lets go of everything; blocked calls end with closed, and so do later ones. Never blocks. Errors:
    /// stale_handle, invalid_argument (empty).
    [[nodiscard]] Result<void> close() noexcept { return detail::done(moorline_poller_close(native_handle())); }

private:
    using Owner::Owner;

    [[nodiscard]] static std::uint32_t bits(Interest interest) noexcept { return static_cast<std::uint32_t>(interest); }
};

}  // namespace MOORLINE_CPP_VARIANT
}  // namespace moorline

#endif

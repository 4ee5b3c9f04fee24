/// A server on its own thread.
#ifndef MOORLINE_CPP_SERVICE_HPP
#define MOORLINE_CPP_SERVICE_HPP

#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <moorline/cpp/callback.hpp>
#include <moorline/cpp/connection.hpp>
#include <moorline/cpp/server.hpp>

namespace moorline {
inline namespace MOORLINE_CPP_VARIANT {

/// How a Service listens and serves.
struct ServiceOptions {
    Scope scope = Scope::temporary;          ///< where a plain name lives
    std::uint32_t mode = 0600;               ///< permission bits of the socket file, exact whatever the umask
    std::uint32_t backlog = 0;               ///< connections that may wait to be accepted; 0: the system's maximum
    std::uint32_t workers = 1;               ///< threads, each with its share of the connections
    std::size_t queue_limit = std::size_t{1024} * 1024;   ///< bytes queued to one peer at most
    std::size_t high_water = 0;              ///< above so many, nothing more is read from that peer; 0: half the limit
    std::size_t low_water = 0;               ///< at so few, reading goes on; 0: a quarter of the high water
    /// How long to look again and again before sleeping. Nothing: some 50 µs, as long as that pays. 0: never.
    std::optional<std::chrono::microseconds> busy_poll = std::nullopt;
    std::uint32_t max_connections = 0;       ///< at once, more are closed as they come; 0: as many as there are descriptors
    std::optional<MessageOptions> messages = std::nullopt;  ///< messages; none: a stream of bytes
    std::uint32_t connection_rate = 0;       ///< accepted in a second at most, on average; more wait; 0: as many as come
    /// Without a byte in either direction, then it ends; what other threads send that need not be queued is noticed only then,
    /// and begins it anew; on a clock that a test moves it does so from the send on. 0: for ever.
    std::chrono::milliseconds idle_timeout{0};
    std::chrono::milliseconds linger{10000};  ///< a closing one without sending what is queued; 0: ten seconds
    Policy policy = Policy::everyone();  ///< whom connections are taken from
    Borrowed<moorline_fault_plan> faults = nullptr;  ///< as in ServerOptions
    Borrowed<moorline_clock> clock = nullptr;  ///< a testkit::Clock that deadlines run on, not that of stop; none: the system's
};

/// Exceptions that came out of callbacks, oldest first.
struct Exceptions {
    std::vector<std::exception_ptr> kept;  ///< the first ones, at most Service::max_kept_exceptions
    std::uint64_t dropped = 0;  ///< how many came after those
};

/// What a service did between start and stop, or so far.
struct ServiceReport {
    std::uint64_t accepted = 0;  ///< connections
    std::uint64_t refused = 0;  ///< connections beyond ServiceOptions::max_connections, or turned away by the policy
    std::uint64_t open_at_stop = 0;  ///< connections that were there when it was told to stop
    std::uint64_t received = 0;  ///< bytes
    std::uint64_t sent = 0;  ///< bytes handed to the kernel
    std::uint64_t unsent = 0;  ///< bytes queued and never handed to the kernel
    std::uint64_t ended_by_peer = 0;  ///< connections that ended because the peer left
    std::uint64_t ended_by_us = 0;  ///< connections that this side closed
    std::uint64_t ended_late = 0;  ///< connections whose peer was idle or too slow
    std::uint64_t ended_malformed = 0;  ///< connections whose peer broke the protocol
    std::uint64_t ended_refused = 0;  ///< connections with a message that was refused
    std::uint64_t ended_otherwise = 0;  ///< connections that ended for another reason: limits, the system
    Exceptions exceptions;  ///< that nobody has taken before
};

/// A server that runs on threads of its own and calls back. Move-only; the destructor stops it without waiting for
/// what is queued: stop() first to flush and to know. Any member function may be called from any thread at any time;
/// see Owner for what that means and for native_handle() and destroy().
///
/// A callback cannot wait for the thread that it runs on: stop() and destroy() of its own service answer
/// invalid_state there. If a callback ends the Service object itself, a thread made for the purpose ends the service
/// as soon as its callbacks have returned; until then some may still be called. A process that exits before leaves the
/// socket file behind, dead, for the next listen to recover.
class Service : public Owner<moorline_service, moorline_service_destroy> {
public:
    /// What to call when. Each may be empty. Called on the service's threads, for one connection one call at a time,
    /// with several workers for several connections at the same time; the data of `received` is there until it
    /// returns. Without messages `received` gets the bytes; with them `admits` and `message` get each message instead.
    /// The reason of `disconnected` is Status::disconnected if the peer has gone, or had ended its sending before this side
    /// closed the connection; Status::closed if this side ended it otherwise; Status::timed_out if the peer was idle or too slow,
    /// or did not read what was queued for a close. An exception ends its connection (abort) and is kept for take_exceptions() and stop().
    /// The threads block all signals but those of faults, which threads and programs that a callback starts inherit: a program that is
    /// to end by SIGTERM is started with another mask, as posix_spawnattr_setsigmask(3) sets it.
    struct Handler {
        /// A connection was accepted.
        std::function<void(Connection)> connected = nullptr;
        /// Some bytes came: what one receive gave.
        std::function<void(Connection, BytesView data)> received = nullptr;
        /// The last call for a connection.
        std::function<void(Connection, Status reason)> disconnected = nullptr;
        /// The peer reads too slowly, or a send has found no room: send less. Nothing is read from it for now. low_water follows,
        /// unless the connection ends before.
        std::function<void(Connection, std::size_t queued)> high_water = nullptr;
        /// The queue has drained: go on.
        std::function<void(Connection, std::size_t queued)> low_water = nullptr;
        /// Whether a message may be delivered. False ends the connection with Status::refused; so does an exception.
        std::function<bool(Connection, BytesView message)> admits = nullptr;
        /// A whole message came.
        std::function<void(Connection, BytesView message)> message = nullptr;
        /// If there is one it is called instead of `message`, where descriptors that come with a message are closed.
        std::function<void(Connection, BytesView message, std::vector<Descriptor> descriptors)> message_with_descriptors =
            nullptr;
        /// The peer sends no more but may still read: the connection is this side's to close. Empty: it is closed.
        std::function<void(Connection)> finished = nullptr;
    };

    /// How many exceptions of callbacks are kept until they are taken; later ones are counted only.
    static constexpr std::size_t max_kept_exceptions = 64;

    Service() noexcept = default;

    /// A service that calls `handler`. It does not listen yet. Never blocks. Errors: invalid_argument (an option out
    /// of range, or not low water < high water < queue limit), limit_reached, stale_handle (its faults or
    /// clock).
    [[nodiscard]] static Result<Service> create(Handler handler, const ServiceOptions& options = {},
                                                SourceLocation where = SourceLocation::current()) noexcept {
        auto state = std::make_unique<State>(std::move(handler));
        const moorline_service_callbacks callbacks = state->callbacks();
        return make(&callbacks, std::move(state), options, where);
    }

    /// A service that sends back what it receives. Otherwise as create().
    [[nodiscard]] static Result<Service> echo(const ServiceOptions& options = {},
                                              SourceLocation where = SourceLocation::current()) noexcept {
        return make(nullptr, std::make_unique<State>(Handler()), options, where);
    }

    /// Takes `name` and serves: whoever finds the name from now on is served. Blocks as little as Server::listen(). Errors:
    /// as that, where invalid_state means started already, and closed (another thread stopped or destroyed it
    /// meanwhile).
    [[nodiscard]] Result<void> start(const std::string& name) noexcept {
        return detail::with_name(name, [&](const char* text) { return moorline_service_start(native_handle(), text); });
    }

    /// The same with a name made for the purpose, which starts with `prefix` and nobody else has: full_name() says
    /// which.
    [[nodiscard]] Result<void> start_unique(const std::string& prefix) noexcept {
        return detail::with_name(prefix, [&](const char* text) { return moorline_service_start_unique(native_handle(), text); });
    }

    /// The full path or abstract name that the service listens on: what a client connects to. Never blocks. Errors:
    /// invalid_state (not started), stale_handle, invalid_argument (empty).
    [[nodiscard]] Result<std::string> full_name() const noexcept {
        return detail::text([this](char* buffer, std::size_t capacity, std::size_t* needed) {
            return moorline_service_full_name(native_handle(), buffer, capacity, needed);
        });
    }

    /// Gives the name back, sends what is queued until the timeout is over, to who does not read no longer than
    /// ServiceOptions::linger, ends every connection and joins the threads: no callback runs after a success. As soon as a
    /// connection's thread has heard of it, after the callback that it is in, sends to the connection end with closed, also
    /// those that wait for room. Reports in either case; ServiceReport::unsent says what was lost. It may start again.
    /// Blocks until the timeout, and a quarter of a second longer for a callback that runs.
    /// Errors: would_block and timed_out (it has stopped, but ServiceReport::unsent bytes were lost; or, with a report that
    /// is all zero, a callback or a start runs still: stop again to wait), closed (another thread stopped or destroyed it
    /// meanwhile, and has the report), invalid_state (not started, or called in a callback), stale_handle, invalid_argument
    /// (empty), the system's reason why the file could not be removed.
    [[nodiscard]] Outcome<ServiceReport> stop(Timeout timeout) noexcept {
        moorline_service_report raw = {};
        raw.struct_size = sizeof raw;
        const moorline_status status = moorline_service_stop(native_handle(), timeout.milliseconds(), &raw);
        ServiceReport report = report_of(raw);
        report.exceptions = take_exceptions();
        return {detail::done(status), std::move(report)};
    }

    /// What it has done since it was started, without exceptions, which stay to be taken. Never blocks. Errors: invalid_state
    /// (not started), stale_handle, invalid_argument (empty).
    [[nodiscard]] Result<ServiceReport> statistics() const noexcept {
        moorline_service_report raw = {};
        raw.struct_size = sizeof raw;
        const moorline_status status = moorline_service_statistics(native_handle(), &raw);
        if (status != MOORLINE_OK) {
            return detail::failure(status);
        }
        return report_of(raw);
    }

    /// The exceptions that came out of callbacks since the last time. Never blocks; any thread.
    [[nodiscard]] Exceptions take_exceptions() noexcept { return state_ ? state_->take_exceptions() : Exceptions(); }

    /// Not here: the callables belong to the Service, and the handle must not outlive them.
    moorline_service* release() noexcept = delete;

    /// Takes over from another owner, which then owns nothing. Callbacks go on.
    Service(Service&&) noexcept = default;
    /// Ends its own service, and takes over from another owner, which then owns nothing.
    Service& operator=(Service&& other) noexcept {
        if (this != &other) {
            end();
            Owner::operator=(static_cast<Owner&&>(other));
            state_ = std::move(other.state_);
        }
        return *this;
    }
    ~Service() { end(); }

private:
    /// What the callbacks use; at one address for as long as the C handle lives.
    class State {
    public:
        explicit State(Handler handler) noexcept : handler_(std::move(handler)) {
            // So that keeping an exception needs no memory and cannot fail.
            exceptions_.kept.reserve(max_kept_exceptions);
        }

        /// Empty callables are not called, so they are no callbacks for the library.
        [[nodiscard]] moorline_service_callbacks callbacks() noexcept {
            moorline_service_callbacks raw = {};
            raw.struct_size = sizeof raw;
            raw.context = this;
            if (handler_.connected) {
                raw.connected = [](void* context, moorline_connection* connection) {
                    run(context, &Handler::connected, connection);
                };
            }
            if (handler_.received) {
                raw.received = [](void* context, moorline_connection* connection, const void* data, std::size_t size) {
                    run(context, &Handler::received, connection, BytesView(data, size));
                };
            }
            if (handler_.disconnected) {
                raw.disconnected = [](void* context, moorline_connection* connection, moorline_status reason) {
                    run(context, &Handler::disconnected, connection, static_cast<Status>(reason));
                };
            }
            if (handler_.high_water) {
                raw.high_water = [](void* context, moorline_connection* connection, std::size_t queued) {
                    run(context, &Handler::high_water, connection, queued);
                };
            }
            if (handler_.low_water) {
                raw.low_water = [](void* context, moorline_connection* connection, std::size_t queued) {
                    run(context, &Handler::low_water, connection, queued);
                };
            }
            if (handler_.admits) {
                raw.admits = [](void* context, moorline_connection* connection, const void* data, std::size_t size) {
                    auto& state = *static_cast<State*>(context);
                    bool admitted = false;
                    detail::guarded([&] { admitted = state.handler_.admits(Connection(connection), BytesView(data, size)); },
                                    [&](std::exception_ptr exception) { state.keep(std::move(exception)); });
                    return std::int32_t{admitted};
                };
            }
            if (handler_.message) {
                raw.message = [](void* context, moorline_connection* connection, const void* data, std::size_t size) {
                    run(context, &Handler::message, connection, BytesView(data, size));
                };
            }
            if (handler_.message_with_descriptors) {
                raw.message_with_descriptors = [](void* context, moorline_connection* connection, const void* data,
                                                  std::size_t size, const int* numbers, std::size_t count) {
                    std::size_t owned = 0;
                    guard(context, connection, [&](const Handler& handler) {
                        std::vector<Descriptor> descriptors;
                        descriptors.reserve(count);
                        while (owned < count) {
                            descriptors.emplace_back(numbers[owned++]);
                        }
                        handler.message_with_descriptors(Connection(connection), BytesView(data, size), std::move(descriptors));
                    });
                    // Those that there was no memory for.
                    while (owned < count) {
                        Descriptor(numbers[owned++]).close();
                    }
                };
            }
            if (handler_.finished) {
                raw.finished = [](void* context, moorline_connection* connection) {
                    run(context, &Handler::finished, connection);
                };
            }
            return raw;
        }

        /// Keeps an exception of the user's, on any thread.
        void keep(std::exception_ptr exception) noexcept {
            const std::lock_guard<std::mutex> lock(mutex_);
            if (exceptions_.kept.size() < max_kept_exceptions) {
                exceptions_.kept.push_back(std::move(exception));
            } else {
                ++exceptions_.dropped;
            }
        }

        [[nodiscard]] Exceptions take_exceptions() noexcept {
            Exceptions empty;
            empty.kept.reserve(max_kept_exceptions);
            const std::lock_guard<std::mutex> lock(mutex_);
            return std::exchange(exceptions_, std::move(empty));
        }

    private:
        template <class Callable, class... Arguments>
        static void run(void* context, Callable Handler::* callable, moorline_connection* connection,
                        Arguments... arguments) noexcept {
            guard(context, connection,
                  [&](const Handler& handler) { (handler.*callable)(Connection(connection), arguments...); });
        }

        /// An exception costs the connection.
        template <class Call>
        static void guard(void* context, moorline_connection* connection, const Call& call) noexcept {
            auto& state = *static_cast<State*>(context);
            detail::guarded([&] { call(state.handler_); },
                            [&](std::exception_ptr exception) {
                                state.keep(std::move(exception));
                                // In `disconnected` there is nothing left to abort, and the library says so.
                                static_cast<void>(moorline_connection_abort(connection));
                            });
        }

        const Handler handler_;
        std::mutex mutex_;
        Exceptions exceptions_;
    };

    Service(moorline_service* handle, std::unique_ptr<State> state, SourceLocation where) noexcept
        : Owner(handle, where), state_(std::move(state)) {}

    [[nodiscard]] static Result<Service> make(const moorline_service_callbacks* callbacks, std::unique_ptr<State> state,
                                              const ServiceOptions& options, SourceLocation where) noexcept {
        moorline_service_options raw = {};
        raw.struct_size = sizeof raw;
        raw.scope = static_cast<std::uint32_t>(options.scope);
        raw.mode = options.mode;
        raw.backlog = options.backlog;
        raw.workers = options.workers;
        raw.queue_limit = options.queue_limit;
        raw.high_water = options.high_water;
        raw.low_water = options.low_water;
        raw.busy_poll_us = detail::busy_poll(options.busy_poll);
        raw.max_connections = options.max_connections;
        raw.connection_rate = options.connection_rate;
        raw.idle_timeout_ms = detail::clamped(options.idle_timeout.count());
        raw.linger_ms = detail::clamped(options.linger.count());
        raw.faults = options.faults.native_handle();
        raw.clock = options.clock.native_handle();
        if (const Result<void> checked = detail::check_borrowed(options.faults, "faults"); !checked) {
            return Unexpected(checked.error());
        }
        if (const Result<void> checked = detail::check_borrowed(options.clock, "clock"); !checked) {
            return Unexpected(checked.error());
        }
        moorline_service* handle = nullptr;
        const auto keep = [&state = *state](std::exception_ptr exception) { state.keep(std::move(exception)); };
        const Result<void> created = detail::with_messages(options.messages, [&](const moorline_message_options* messages) {
            raw.messages = messages;
            return detail::with_policy(options.policy, keep, [&](const moorline_policy* policy) {
                raw.policy = policy;
                return detail::done(moorline_service_create(&raw, callbacks, &handle));
            });
        });
        if (!created) {
            return Unexpected(created.error());
        }
        return Service(handle, std::move(state), where);
    }

    [[nodiscard]] static ServiceReport report_of(const moorline_service_report& raw) noexcept {
        ServiceReport report;
        report.accepted = raw.accepted;
        report.refused = raw.refused;
        report.open_at_stop = raw.open_at_stop;
        report.received = raw.received;
        report.sent = raw.sent;
        report.unsent = raw.unsent;
        report.ended_by_peer = raw.ended_by_peer;
        report.ended_by_us = raw.ended_by_us;
        report.ended_late = raw.ended_late;
        report.ended_malformed = raw.ended_malformed;
        report.ended_refused = raw.ended_refused;
        report.ended_otherwise = raw.ended_otherwise;
        return report;
    }

    /// Destroys the handle before the state that its threads use.
    void end() noexcept {
        if (!*this) {
            return;
        }
        const Result<void> destroyed = destroy();
        if (!destroyed && destroyed.error().status() == Status::invalid_state) {
            end_elsewhere(Owner::release(), state_.release());
        }
    }

    /// The end in one of the service's own callbacks, which cannot wait for itself. Another thread can.
    static void end_elsewhere(moorline_service* handle, State* state) noexcept {
        const auto end = [handle, state] {
            static_cast<void>(moorline_service_destroy(handle));
            delete state;
        };
        // Without a thread both stay alive, and live_handles_report() shows the service.
        detail::guarded([&] { std::thread(end).detach(); }, [](const std::exception_ptr&) {});
    }

    std::unique_ptr<State> state_;
};

}  // namespace MOORLINE_CPP_VARIANT
}  // namespace moorline

#endif

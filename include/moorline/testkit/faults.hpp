/// What a test wants to go wrong.
#ifndef MOORLINE_TESTKIT_FAULTS_HPP
#define MOORLINE_TESTKIT_FAULTS_HPP

#include <cstddef>

#include <moorline/cpp/handle.hpp>
#include <moorline/testkit/text.hpp>

namespace moorline {
inline namespace MOORLINE_CPP_VARIANT {
namespace testkit {

/// A direction of a conversation.
enum class Direction : std::uint32_t {
    both = MOORLINE_DIRECTION_BOTH,            ///< the one and the other
    to_server = MOORLINE_DIRECTION_TO_SERVER,  ///< from the client to the server
    to_client = MOORLINE_DIRECTION_TO_CLIENT,  ///< from the server to the client
};

/// Exactly so many, or each time one between a least and a greatest number, drawn by Faults::seed.
template <class Number>
struct Between {
    /// Exactly so many.
    constexpr Between(Number exactly) noexcept : least(exactly), greatest(exactly) {}
    /// One between these.
    constexpr Between(Number the_least, Number the_greatest) noexcept : least(the_least), greatest(the_greatest) {}
    /// Of a duration, also in another unit.
    template <class Duration, class = std::enable_if_t<std::is_class_v<Duration> && std::is_convertible_v<Duration, Number>>>
    constexpr Between(Duration exactly) noexcept : Between(Number(exactly)) {}

    Number least;     ///< of what is drawn
    Number greatest;  ///< of what is drawn
};

/// What goes wrong; 0 is that nothing of this kind does. Fields that end in _nth say which one, from 1: the byte, from the beginning
/// of each connection, in each direction that is affected; or the connection, in the order in which they come.
struct Faults {
    std::uint64_t seed = 0;  ///< decides what chance does: the same seed, the same faults
    Direction direction = Direction::both;  ///< whose bytes are affected
    Between<std::size_t> pieces = 0;  ///< bytes pass in pieces of so many, each when the one before was received
    Between<std::chrono::microseconds> delay = std::chrono::microseconds(0);  ///< each piece is held back so long
    std::size_t window = 0;  ///< about so many bytes are taken from the affected socket until some have passed; the
    ///< system has a least size. Not of proxies
    Between<std::uint32_t> would_block = 0;  ///< each send and receive of the affected socket is first turned away so many times,
    ///< although it is ready. Not of proxies
    std::uint64_t reset_nth = 0;  ///< the connection breaks at this byte, which does not pass
    std::uint64_t stop_reading_nth = 0;  ///< from this byte on nothing more is taken; the connection stays
    std::uint64_t flip_nth = 0;  ///< one bit of this byte is turned over
    std::uint64_t flip_one_in = 0;  ///< one bit is turned over in one of so many bytes, on average
    std::uint64_t lose_nth = 0;  ///< this byte is left out
    std::uint64_t lose_one_in = 0;  ///< one of so many bytes, on average, is left out
    // Of what accepts: servers, services, fixtures and proxies.
    std::uint64_t refuse_accept_nth = 0;  ///< this connection is accepted and closed at once
    std::uint64_t no_descriptors_nth = 0;  ///< accepting this connection fails once for want of a descriptor
    std::chrono::microseconds accept_delay{0};  ///< a connection that waits is accepted only after so long
    bool backlog_full = false;  ///< nobody can connect until FaultPlan::open_backlog(); the server's backlog must be small
};

/// How often what went wrong.
struct FaultCounts {
    std::uint64_t connections = 0;  ///< that went through the plan
    std::uint64_t pieces = 0;  ///< passed on
    std::uint64_t flipped = 0;  ///< bytes with a bit turned over
    std::uint64_t lost = 0;  ///< bytes left out
    std::uint64_t resets = 0;  ///< connections broken
    std::uint64_t stops = 0;  ///< directions from which nothing more is taken
    std::uint64_t refused = 0;  ///< connections refused
    std::uint64_t without_descriptor = 0;  ///< accepts without a descriptor
    std::uint64_t delayed_accepts = 0;  ///< accepts delayed
    std::uint64_t would_blocks = 0;  ///< sends and receives turned away
};

/// A plan of faults at work: `options.faults = plan;` gives it to any number of servers, sockets, services, fixtures and proxies. It
/// must outlive the connections that are to go through it: they break when it ends. Move-only; any member function may be called
/// from any thread at any time.
class FaultPlan : public Owner<moorline_fault_plan, moorline_fault_plan_destroy> {
public:
    constexpr FaultPlan() noexcept = default;

    /// Takes over a handle of the C ABI, as release() gave it.
    [[nodiscard]] static FaultPlan adopt(moorline_fault_plan* handle) noexcept { return FaultPlan(handle); }

    /// A plan of these faults. Never blocks. Errors: invalid_argument (they make no sense; the message says why), limit_reached.
    [[nodiscard]] static Result<FaultPlan> create(const Faults& faults,
                                                  SourceLocation where = SourceLocation::current()) noexcept {
        moorline_faults raw = {};
        raw.struct_size = sizeof raw;
        raw.seed = faults.seed;
        raw.direction = static_cast<std::uint32_t>(faults.direction);
        raw.backlog_full = faults.backlog_full ? 1 : 0;
        raw.pieces_min = faults.pieces.least;
        raw.pieces_max = faults.pieces.greatest;
        raw.delay_min_us = detail::whole_microseconds(faults.delay.least);
        raw.delay_max_us = detail::whole_microseconds(faults.delay.greatest);
        raw.window = faults.window;
        raw.would_block_min = faults.would_block.least;
        raw.would_block_max = faults.would_block.greatest;
        raw.reset_nth = faults.reset_nth;
        raw.stop_reading_nth = faults.stop_reading_nth;
        raw.flip_nth = faults.flip_nth;
        raw.flip_one_in = faults.flip_one_in;
        raw.lose_nth = faults.lose_nth;
        raw.lose_one_in = faults.lose_one_in;
        raw.refuse_accept_nth = faults.refuse_accept_nth;
        raw.no_descriptors_nth = faults.no_descriptors_nth;
        raw.accept_delay_us = detail::whole_microseconds(faults.accept_delay);
        moorline_fault_plan* handle = nullptr;
        const moorline_status status = moorline_fault_plan_create(&raw, &handle);
        if (status != MOORLINE_OK) {
            return detail::failure(status);
        }
        return FaultPlan(handle, where);
    }

    /// How often what went wrong so far. Never blocks. Errors: invalid_argument (empty), stale_handle.
    [[nodiscard]] Result<FaultCounts> counts() const noexcept {
        moorline_fault_counts raw = {};
        raw.struct_size = sizeof raw;
        const moorline_status status = moorline_fault_plan_counts(native_handle(), &raw);
        if (status != MOORLINE_OK) {
            return detail::failure(status);
        }
        return FaultCounts{raw.connections,     raw.pieces,      raw.flipped, raw.lost,
                           raw.resets,          raw.stops,       raw.refused, raw.without_descriptor,
                           raw.delayed_accepts, raw.would_blocks};
    }

    /// What went wrong so far, a line each, at most ten thousand: which connection, in which direction, after how many bytes. Pieces
    /// and calls that were turned away are only counted. Never blocks. Errors: invalid_argument (empty), stale_handle.
    [[nodiscard]] Result<std::string> happened() const noexcept {
        return detail::text([this](char* buffer, std::size_t capacity, std::size_t* needed) {
            return moorline_fault_plan_happened(native_handle(), buffer, capacity, needed);
        });
    }

    /// Lets connections into the backlog that was full, and has them accepted: a server that accepts by hand has room when it accepts
    /// next, even if that finds nothing. That it is not full is fine. Never blocks. Errors: invalid_argument (empty), stale_handle.
    [[nodiscard]] Result<void> open_backlog() noexcept { return detail::done(moorline_fault_plan_open_backlog(native_handle())); }

    /// Ends the plan: the connections that go through it break, later ones have no faults, and what happened can be asked still.
    /// Never blocks. Errors: invalid_argument (empty), stale_handle.
    [[nodiscard]] Result<void> end() noexcept { return detail::done(moorline_fault_plan_end(native_handle())); }

private:
    using Owner::Owner;
};

}  // namespace testkit
}  // namespace MOORLINE_CPP_VARIANT
}  // namespace moorline

#endif

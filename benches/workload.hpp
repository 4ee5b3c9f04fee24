// The work that every system does: the systems differ only in how the bytes travel. rust/src/workload.rs is the same in Rust.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "arguments.hpp"

namespace bench {

// What each connection has to send and to receive next. Every byte is verified.
class Workload {
public:
    struct Piece {
        const char* data;
        std::size_t length;
    };

    Workload(std::size_t connections, std::size_t chunk) : chunk_(chunk), lanes_(connections) {
        // A sequence without short repeats. Each connection begins elsewhere in it, so bytes of another place or
        // another connection are found out.
        std::uint32_t state = 2'463'534'242;
        pattern_.resize(period + chunk_);
        for (std::size_t i = 0; i < pattern_.size(); ++i) {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            pattern_[i] = i < period ? static_cast<char>(state) : pattern_[i - period];
        }
        for (std::size_t i = 0; i < lanes_.size(); ++i) {
            lanes_[i].start = i * 251 % period;
        }
    }

    // Gives the first `active` connections their shares; the others have nothing to do. Whoever calls it sends the first
    // piece of each.
    void begin(std::uint64_t round_trips, std::size_t active) {
        for (std::size_t i = 0; i < active; ++i) {
            lanes_[i].left = round_trips / active + (i < round_trips % active ? 1 : 0);
            lanes_[i].sent = lanes_[i].received = 0;
        }
        left_ = round_trips;
    }

    bool is_done() const { return left_ == 0; }

    std::size_t connections() const { return lanes_.size(); }

    // What the connection may send now; nothing if it has to wait for the answer, or has no more to do.
    Piece to_send(std::size_t index) const {
        const Lane& lane = lanes_[index];
        return {&pattern_[lane.start + lane.sent], lane.left == 0 ? 0 : chunk_ - lane.sent};
    }

    void sent(std::size_t index, std::size_t length) { lanes_[index].sent += length; }

    // Verifies what came back; tells whether the chunk is complete and the next one may be sent.
    bool received(std::size_t index, const char* data, std::size_t length) {
        Lane& lane = lanes_[index];
        if (length > lane.sent - lane.received) {
            fail("connection " + std::to_string(index) + ": more came back than was sent");
        }
        if (std::memcmp(data, &pattern_[lane.start + lane.received], length) != 0) {
            fail("connection " + std::to_string(index) + ": something else came back than was sent");
        }
        lane.received += length;
        if (lane.received < chunk_) {
            return false;
        }
        lane.start = (lane.start + chunk_) % period;
        lane.sent = lane.received = 0;
        --left_;
        return --lane.left > 0;
    }

private:
    // A prime, so no power of two of bytes is a whole number of periods.
    static constexpr std::size_t period = 65'521;

    struct Lane {
        std::uint64_t left = 0;
        std::size_t start = 0;  // of the present chunk, in the pattern
        std::size_t sent = 0;
        std::size_t received = 0;
    };

    std::size_t chunk_;
    std::vector<Lane> lanes_;
    std::vector<char> pattern_;
    std::uint64_t left_ = 0;
};

// Events that one wait reports at most, and bytes that one read asks for: the same for all systems that let us choose.
constexpr int events_at_once = 1024;
constexpr std::size_t read_size = 64 * 1024;

}  // namespace bench

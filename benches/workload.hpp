// The work that every system does, and what it is measured by: the systems differ only in how the bytes travel.
#pragma once

#include <sys/resource.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

namespace bench {

[[noreturn]] inline void fail(const std::string& reason) {
    std::fprintf(stderr, "%s\n", reason.c_str());
    std::exit(1);
}

// One row of the table: so many connections, each with one chunk on its way at a time, so many round trips in all.
struct Row {
    std::size_t connections;
    std::size_t chunk;
    std::uint64_t round_trips;

    // What is not counted. Every connection has its turn, so that all are accepted when the clock starts.
    std::uint64_t warm_up() const { return std::max<std::uint64_t>(round_trips / 10, connections); }
};

// The row from the arguments of a system's program: PLACEMENT CONNECTIONS CHUNK ROUND_TRIPS.
inline Row row_from(int argc, char** argv) {
    if (argc != 5) {
        fail(std::string("usage: ") + argv[0] + " apart|together|free CONNECTIONS CHUNK ROUND_TRIPS");
    }
    const auto number = [&](int index) {
        char* end = nullptr;
        const std::uint64_t value = std::strtoull(argv[index], &end, 10);
        if (*end != '\0' || value == 0 || value > 1'000'000'000) {
            fail(std::string("not a number from 1 to a thousand million: ") + argv[index]);
        }
        return value;
    };
    return Row{number(2), number(3), number(4)};
}

// Both ends of every connection are in this process.
inline void make_room_for(const Row& row) {
    rlimit limit = {};
    getrlimit(RLIMIT_NOFILE, &limit);
    const rlim_t needed = 2 * row.connections + 64;
    if (limit.rlim_cur < needed) {
        limit.rlim_cur = needed;
        if (limit.rlim_max < needed || setrlimit(RLIMIT_NOFILE, &limit) != 0) {
            fail("too few descriptors are allowed: " + std::to_string(needed) + " are needed (ulimit -Hn)");
        }
    }
}

// What each connection has to send and to receive next. Every byte is verified.
class Workload {
public:
    struct Piece {
        const char* data;
        std::size_t length;
    };

    explicit Workload(const Row& row) : chunk_(row.chunk), lanes_(row.connections) {
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

    // Gives the connections their shares. Whoever calls it sends the first piece of each.
    void begin(std::uint64_t round_trips) {
        const std::uint64_t count = lanes_.size();
        for (std::uint64_t i = 0; i < count; ++i) {
            lanes_[i].left = round_trips / count + (i < round_trips % count ? 1 : 0);
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

// The clock's seconds.
inline double read_clock(clockid_t clock) {
    timespec time = {};
    clock_gettime(clock, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

// Time, processor time and context switches of the whole process, between start and stop.
class Measurement {
public:
    void start() { begin_ = now(); }
    void stop() { end_ = now(); }

    // One line of JSON, which the driver reads.
    void print() const {
        std::printf("{\"seconds\": %.9f, \"cpu_seconds\": %.9f, \"voluntary_switches\": %ld, \"involuntary_switches\": %ld}\n",
                    end_.time - begin_.time, end_.cpu_time - begin_.cpu_time,
                    end_.usage.ru_nvcsw - begin_.usage.ru_nvcsw, end_.usage.ru_nivcsw - begin_.usage.ru_nivcsw);
    }

private:
    struct Moment {
        double time;
        double cpu_time;
        rusage usage;
    };

    static Moment now() {
        Moment moment = {};
        getrusage(RUSAGE_SELF, &moment.usage);
        // Not the usage's own times, which the kernel counts in ticks.
        moment.cpu_time = read_clock(CLOCK_PROCESS_CPUTIME_ID);
        moment.time = read_clock(CLOCK_MONOTONIC);
        return moment;
    }

    Moment begin_ = {};
    Moment end_ = {};
};

// Events that one wait reports at most, and bytes that one read asks for: the same for all systems that let us choose.
constexpr int events_at_once = 1024;
constexpr std::size_t read_size = 64 * 1024;

}  // namespace bench

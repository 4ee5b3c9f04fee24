// Which processors the two sides run on. Left to itself the kernel puts them on one or on two as it happens, and waking a
// thread on another processor can cost thirty times a whole round trip on one: medians of such a mixture say nothing.
#pragma once

#include <sched.h>

#include <algorithm>
#include <string>

#include "arguments.hpp"

namespace bench {

// The processors that the process was started on.
inline const cpu_set_t& allowed_processors() {
    static const cpu_set_t allowed = [] {
        cpu_set_t set;
        CPU_ZERO(&set);
        sched_getaffinity(0, sizeof set, &set);
        return set;
    }();
    return allowed;
}

inline void run_on(const cpu_set_t& processors) {
    if (sched_setaffinity(0, sizeof processors, &processors) != 0) {
        fail("this thread cannot choose its processor");
    }
}

// Keeps this thread, and those that it starts from now on, on one processor: the one of that index among the allowed ones,
// counted round.
inline void stay_on_processor(std::size_t index) {
    const cpu_set_t& allowed = allowed_processors();
    index %= static_cast<std::size_t>(std::max(1, CPU_COUNT(&allowed)));
    std::size_t processor = 0;
    while (!CPU_ISSET(processor, &allowed) || index-- > 0) {
        ++processor;
    }
    cpu_set_t chosen;
    CPU_ZERO(&chosen);
    CPU_SET(processor, &chosen);
    run_on(chosen);
}

class Placement {
public:
    // apart: a processor for each side. together: one for both. free: as the kernel likes.
    explicit Placement(std::string name) : name_(std::move(name)) {
        if (name_ != "apart" && name_ != "together" && name_ != "free") {
            fail("unknown placement: " + name_);
        }
    }

    // The server's threads are to be started now.
    void enter_server() const { stay(0); }

    // From now on this thread is the clients'.
    void enter_clients() const { stay(name_ == "apart" ? 1 : 0); }

    // What is started now belongs to both sides.
    void enter_both() const {
        if (name_ != "together") {
            run_on(allowed_processors());
        }
    }

private:
    void stay(std::size_t index) const {
        if (name_ != "free") {
            stay_on_processor(index);
        }
    }

    std::string name_;
};

}  // namespace bench

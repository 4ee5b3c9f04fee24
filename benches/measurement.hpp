// What is measured of a process.
#pragma once

#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <ctime>
#include <fstream>

namespace bench {

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

    double seconds() const { return end_.time - begin_.time; }

    // One line of JSON, which the driver reads.
    void print(std::uint64_t round_trips) const {
        std::printf("{\"round_trips\": %llu, \"seconds\": %.9f, \"cpu_seconds\": %.9f, \"switches\": %ld}\n",
                    static_cast<unsigned long long>(round_trips), seconds(), end_.cpu_time - begin_.cpu_time,
                    end_.switches - begin_.switches);
        std::fflush(stdout);
    }

private:
    struct Moment {
        double time;
        double cpu_time;
        long switches;
    };

    static Moment now() {
        rusage usage = {};
        getrusage(RUSAGE_SELF, &usage);
        // Not the usage's own times, which the kernel counts in ticks.
        const double cpu_time = read_clock(CLOCK_PROCESS_CPUTIME_ID);
        return {read_clock(CLOCK_MONOTONIC), cpu_time, usage.ru_nvcsw + usage.ru_nivcsw};
    }

    Moment begin_ = {};
    Moment end_ = {};
};

// Resident memory of this process.
inline std::uint64_t resident_bytes() {
    std::ifstream file("/proc/self/statm");
    std::uint64_t total = 0;
    std::uint64_t resident = 0;
    file >> total >> resident;
    return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace bench

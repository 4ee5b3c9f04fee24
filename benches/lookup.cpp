// What a look-up of a handle costs: calls that do next to nothing else, on as many threads as asked.
//
// moorline_poller_descriptor checks and writes its output, looks its handle up, reads one atomic flag and answers a number that
// it has: no lock and no system call. moorline_abi_version is the same way into the library, with nothing to look up.
#include <atomic>
#include <functional>
#include <thread>
#include <vector>

#include "moorline_checked.hpp"

namespace {

using bench::check;

constexpr std::uint64_t calls = 2'000'000;

struct Poller {
    Poller() { check(moorline_poller_create(nullptr, &handle), "moorline_poller_create"); }
    Poller(const Poller&) = delete;
    Poller& operator=(const Poller&) = delete;
    ~Poller() { check(moorline_poller_destroy(handle), "moorline_poller_destroy"); }

    moorline_poller* handle = nullptr;
};

void call_only(std::uint64_t times) {
    std::uint64_t sum = 0;
    for (std::uint64_t i = 0; i < times; ++i) {
        sum += moorline_abi_version();
    }
    if (sum != times * MOORLINE_ABI_VERSION) {
        bench::fail("the library and its header are not of the same ABI");
    }
}

void look_up(const Poller& poller, std::uint64_t times) {
    for (std::uint64_t i = 0; i < times; ++i) {
        std::ptrdiff_t descriptor = 0;
        check(moorline_poller_descriptor(poller.handle, &descriptor), "moorline_poller_descriptor");
    }
}

// The processor time of a call, a mean over the threads, which all begin at the same time.
double time_calls(std::size_t thread_count, const std::function<void(std::size_t, std::uint64_t)>& work) {
    std::atomic<std::size_t> ready{0};
    std::vector<double> seconds(thread_count);
    std::vector<std::thread> threads;
    for (std::size_t index = 0; index < thread_count; ++index) {
        threads.emplace_back([&, index] {
            // Threads that take turns on one processor would not get in each other's way.
            bench::stay_on_processor(index);
            work(index, calls / 10);
            ++ready;
            while (ready < thread_count) {
                std::this_thread::yield();
            }
            const double begin = bench::read_clock(CLOCK_THREAD_CPUTIME_ID);
            work(index, calls);
            seconds[index] = bench::read_clock(CLOCK_THREAD_CPUTIME_ID) - begin;
        });
    }
    double sum = 0;
    for (std::size_t index = 0; index < thread_count; ++index) {
        threads[index].join();
        sum += seconds[index];
    }
    return sum / static_cast<double>(thread_count) / static_cast<double>(calls);
}

double time_mode(const std::string& mode, std::size_t threads) {
    if (mode == "none") {
        return time_calls(threads, [](std::size_t, std::uint64_t times) { call_only(times); });
    }
    if (mode == "shared") {
        const Poller poller;
        return time_calls(threads, [&](std::size_t, std::uint64_t times) { look_up(poller, times); });
    }
    if (mode == "neighbours") {
        const std::vector<Poller> pollers(threads);
        return time_calls(threads, [&](std::size_t index, std::uint64_t times) { look_up(pollers[index], times); });
    }
    if (mode == "own") {
        return time_calls(threads, [](std::size_t, std::uint64_t times) {
            thread_local const Poller poller;
            look_up(poller, times);
        });
    }
    bench::fail("handles: none, own, neighbours or shared, not " + mode);
}

}  // namespace

int main(int argc, char** argv) {
    bench::Arguments arguments(argc, argv);
    const std::string handles = arguments.text("handles", "own");
    const std::uint64_t threads = arguments.number("threads", 1);
    arguments.finish();
    if (threads == 0) {
        bench::fail("threads is at least 1");
    }
    std::printf("{\"nanoseconds\": %.3f}\n", time_mode(handles, threads) * 1e9);
}

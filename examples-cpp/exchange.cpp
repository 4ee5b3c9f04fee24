// The exchange: an echo service on a unique name, N sockets that talk with it, every byte verified, and a table at the end.
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <moorline/moorline.hpp>
#include <string>
#include <utility>
#include <vector>

static constexpr const char* usage =
    "Usage: exchange [--quick]\n"
    "\n"
    "Starts an echo service, connects sockets to it, and exchanges data with it, every byte verified:\n"
    "ping-pong of one byte over 10 to 5,000 connections, and chunks of 100 to 100,000 bytes over 1 to 10.\n"
    "Prints a table at the end. A round trip is one chunk sent and the same chunk received; MB/s are\n"
    "millions of bytes sent and received a second, both directions together.\n"
    "\n"
    "  --quick  up to 100 connections only, and a tenth of the round trips\n"
    "  --help   this text\n"
    "\n"
    "Exit code: 0 if all was right, 1 if anything was not, 2 for a bad option.\n";

struct Work {
    std::uint32_t connections;
    std::size_t chunk;
    std::uint64_t round_trips;
};

static constexpr std::array<Work, 17> all_work = {{
    // Ping-pong.
    {10, 1, 100'000},
    {50, 1, 100'000},
    {100, 1, 100'000},
    {1'000, 1, 100'000},
    {5'000, 1, 100'000},
    // Data exchange, of about a second or less each.
    {1, 100, 10'000},
    {1, 1'000, 10'000},
    {1, 10'000, 10'000},
    {1, 100'000, 3'000},
    {5, 100, 50'000},
    {5, 1'000, 50'000},
    {5, 10'000, 30'000},
    {5, 100'000, 5'000},
    {10, 100, 50'000},
    {10, 1'000, 50'000},
    {10, 10'000, 30'000},
    {10, 100'000, 5'000},
}};

static std::vector<Work> chosen_work(bool quick) {
    std::vector<Work> chosen;
    for (Work work : all_work) {
        if (quick) {
            work.round_trips /= 10;
        }
        if (!quick || work.connections <= 100) {
            chosen.push_back(work);
        }
    }
    return chosen;
}

// 1234567 as "1,234,567".
static std::string grouped(std::uint64_t number) {
    std::string digits = std::to_string(number);
    for (std::size_t from_end = 3; from_end < digits.size(); from_end += 4) {
        digits.insert(digits.size() - from_end, ",");
    }
    return digits;
}

static volatile std::sig_atomic_t interrupted = 0;

// Shows how far the work is, if anybody is looking; false when the user wants it to end.
static bool show_progress(const Work& work, std::uint64_t done, std::uint64_t total) {
    static const bool terminal = isatty(STDOUT_FILENO) == 1;
    if (terminal) {
        constexpr std::size_t width = 40;
        const std::size_t filled = static_cast<std::size_t>(width * done / std::max<std::uint64_t>(total, 1));
        const std::string bar = std::string(filled, '#') + std::string(width - filled, '.');
        std::printf("\r[%s] %s connections x %s bytes\033[K", bar.c_str(), grouped(work.connections).c_str(),
                    grouped(work.chunk).c_str());
        std::fflush(stdout);
    }
    return interrupted == 0;
}

static void clear_progress() {
    if (isatty(STDOUT_FILENO) == 1) {
        std::printf("\r\033[K");
        std::fflush(stdout);
    }
}

// Both ends of every connection are in this process. Raises its own soft limit if it must; empty if there is room.
static std::string make_room_for(std::uint32_t connections) {
    const rlim_t needed = 2 * rlim_t{connections} + 64;
    rlimit limit = {};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return std::string("the limit of descriptors is unknown: ") + std::strerror(errno);
    }
    if (limit.rlim_cur >= needed) {
        return "";
    }
    const std::string numbers = grouped(connections) + " connections need " + grouped(needed) +
                                " descriptors, the hard limit is " + grouped(limit.rlim_max);
    if (limit.rlim_max < needed) {
        return numbers + " (ulimit -Hn)";
    }
    limit.rlim_cur = needed;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0 ? "" : numbers + ": " + std::strerror(errno);
}

static void print_header() {
    std::printf("%11s  %9s  %11s  %9s  %13s  %9s\n", "connections", "chunk", "round trips", "time", "round trips/s", "MB/s");
}

static void print_row(const Work& work, const moorline::ExchangeReport& report) {
    const double seconds = std::chrono::duration<double>(report.duration).count();
    const double per_second = seconds > 0 ? static_cast<double>(report.round_trips) / seconds : 0;
    const double bytes = static_cast<double>(report.bytes_sent + report.bytes_received);
    std::printf("%11s  %7s B  %11s  %7.3f s  %13s  %9.1f\n", grouped(work.connections).c_str(), grouped(work.chunk).c_str(),
                grouped(report.round_trips).c_str(), seconds, grouped(static_cast<std::uint64_t>(per_second)).c_str(),
                seconds > 0 ? bytes / seconds / 1e6 : 0);
}

// Whether every byte came back as it was sent.
static bool is_right(const Work& work, const moorline::Outcome<moorline::ExchangeReport>& outcome) {
    const std::uint64_t bytes = work.round_trips * work.chunk;
    return outcome && outcome.report.round_trips == work.round_trips && outcome.report.bytes_sent == bytes &&
           outcome.report.bytes_received == bytes;
}

static int fail(const std::string& reason) {
    std::fprintf(stderr, "exchange: %s\n", reason.c_str());
    return 1;
}

static int run(const std::vector<Work>& all) {
    std::uint32_t most = 0;
    for (const Work& work : all) {
        most = std::max(most, work.connections);
    }
    if (const std::string problem = make_room_for(most); !problem.empty()) {
        return fail(problem);
    }

    auto service = moorline::Service::echo();
    if (!service) {
        return fail(service.error().message());
    }
    if (const auto started = service->start_unique("moorline-exchange"); !started) {
        return fail(started.error().message());
    }
    const auto name = service->full_name();
    if (!name) {
        return fail(name.error().message());
    }
    std::printf("echo service on %s\n", name->c_str());

    std::vector<std::pair<Work, moorline::ExchangeReport>> rows;
    std::uint64_t bytes = 0;
    bool all_right = true;
    for (const Work& work : all) {
        moorline::ExchangeOptions options;
        options.connections = work.connections;
        options.chunk = work.chunk;
        options.round_trips = work.round_trips;
        options.progress = [&work](std::uint64_t done, std::uint64_t total) { return show_progress(work, done, total); };
        const auto outcome = moorline::run_exchange(*name, options, std::chrono::minutes(1));
        clear_progress();
        rows.emplace_back(work, outcome.report);
        bytes += outcome.report.bytes_received;
        if (!is_right(work, outcome)) {
            all_right = false;
            fail(grouped(work.connections) + " connections x " + grouped(work.chunk) +
                 " bytes: " + (outcome ? "not all was exchanged" : outcome.error().message()));
        }
        if (interrupted != 0) {
            break;
        }
    }

    const auto [stopped, report] = service->stop(std::chrono::seconds(5));
    if (!stopped) {
        all_right = false;
        fail("the service did not stop well: " + stopped.error().message());
    } else if (all_right && (report.received != bytes || report.sent != bytes)) {
        all_right = false;
        fail("the service received " + grouped(report.received) + " and sent " + grouped(report.sent) + " of " + grouped(bytes) +
             " bytes");
    }

    print_header();
    for (const auto& [work, row_report] : rows) {
        print_row(work, row_report);
    }
    std::printf("%s\n", all_right ? "all right: every byte was verified" : "NOT all right, see above");
    return all_right ? 0 : 1;
}

int main(int argc, char** argv) {
    bool quick = false;
    for (int i = 1; i < argc; ++i) {
        const std::string option = argv[i];
        if (option == "--quick") {
            quick = true;
        } else if (option == "--help") {
            std::fputs(usage, stdout);
            return 0;
        } else {
            std::fprintf(stderr, "exchange: unknown option '%s'\n\n%s", option.c_str(), usage);
            return 2;
        }
    }
    std::signal(SIGINT, [](int) { interrupted = 1; });
    return run(chosen_work(quick));
}

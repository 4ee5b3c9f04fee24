// Runs all systems over all rows, interleaved round by round, each in a process of its own.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "report.hpp"

namespace {

constexpr const char* usage =
    "Usage: benches/run [--rounds N] [--only TEXT] [--placement NAME]\n"
    "\n"
    "Runs the exchange with every system, and the microbenchmarks; prints a table and writes build/bench/results.json.\n"
    "\n"
    "  --rounds N        how often everything is measured: 5 unless told\n"
    "  --only TEXT       only the rows whose names contain this\n"
    "  --placement NAME  apart: server and clients on a processor each; together: both on one; free: as the kernel likes.\n"
    "                    apart and then together unless told\n"
    "  --help            this text\n"
    "\n"
    "Exit code: 0 if all bytes were right, 1 if anything was not, 2 for a bad option.\n";

struct System {
    const char* name;
    const char* program;
};

// The first is the limit that the others are compared with.
constexpr std::array<System, 3> systems = {{
    {"epoll", "system_epoll"},
    {"Moorline C ABI", "system_moorline"},
    {"Moorline exchange", "system_exchange"},
}};

struct Work {
    std::size_t connections;
    std::size_t chunk;
    std::size_t round_trips;
};

// Round trips so that each takes a fraction of a second, wherever the two sides are.
constexpr std::array<Work, 17> all_work = {{
    // Ping-pong.
    {10, 1, 100'000},
    {50, 1, 100'000},
    {100, 1, 100'000},
    {1'000, 1, 100'000},
    {5'000, 1, 100'000},
    // Data exchange.
    {1, 100, 15'000},
    {1, 1'000, 15'000},
    {1, 10'000, 15'000},
    {1, 100'000, 5'000},
    {5, 100, 60'000},
    {5, 1'000, 60'000},
    {5, 10'000, 40'000},
    {5, 100'000, 10'000},
    {10, 100, 100'000},
    {10, 1'000, 100'000},
    {10, 10'000, 50'000},
    {10, 100'000, 10'000},
}};

void add_exchange(std::vector<bench::Group>& groups, const std::string& programs, const std::string& placement) {
    for (const Work& work : all_work) {
        const std::string connections = std::to_string(work.connections);
        const std::string chunk = std::to_string(work.chunk);
        const std::string name = work.chunk == 1 ? "ping-pong, " + connections : "data, " + connections + " x " + chunk + " B";
        bench::Group group{name, placement, work.round_trips, work.chunk, {}};
        for (const System& system : systems) {
            const std::string program = programs + system.program + " " + placement + " " + connections + " " + chunk + " ";
            group.series.push_back({system.name, program + std::to_string(work.round_trips)});
        }
        groups.push_back(std::move(group));
    }
}

bench::Group look_up_group(const std::string& programs) {
    const std::string all = std::to_string(std::max(1U, std::thread::hardware_concurrency()));
    const std::string lookup = programs + "lookup ";
    return {"handle look-up",
            "",
            0,
            0,
            {
                {"the call alone", lookup + "none 1"},
                {"with a look-up", lookup + "own 1"},
                {"... " + all + " threads, own handles", lookup + "own " + all},
                {"... " + all + " threads, handles of one maker", lookup + "neighbours " + all},
                {"... " + all + " threads, one handle", lookup + "shared " + all},
            }};
}

struct Options {
    std::size_t rounds = 5;
    std::string only;
    std::vector<std::string> placements = {"apart", "together"};
};

Options options_from(int argc, char** argv) {
    Options options;
    for (int i = 1; i < argc; ++i) {
        const std::string option = argv[i];
        if (option == "--help") {
            std::fputs(usage, stdout);
            std::exit(0);
        }
        const bool has_value = i + 1 < argc;
        if (option == "--rounds" && has_value) {
            options.rounds = std::strtoul(argv[++i], nullptr, 10);
        } else if (option == "--only" && has_value) {
            options.only = argv[++i];
        } else if (option == "--placement" && has_value) {
            options.placements = {argv[++i]};
        } else {
            options.rounds = 0;
        }
        if (options.rounds == 0) {
            std::fprintf(stderr, "bad option: %s\n\n%s", option.c_str(), usage);
            std::exit(2);
        }
    }
    return options;
}

// Runs a program once; false if it fails, hangs or prints no sample.
bool measure(bench::Series& series) {
    const std::string command = "timeout 120 " + series.program;
    FILE* pipe = popen(command.c_str(), "r");
    if (pipe == nullptr) {
        return false;
    }
    char line[1024] = "";
    const bool printed = std::fgets(line, sizeof line, pipe) != nullptr;
    if (pclose(pipe) != 0 || !printed) {
        return false;
    }
    const std::string text = line;
    const bench::Sample sample(text.substr(0, text.find('\n')));
    if (!sample.number("seconds") && !sample.number("nanoseconds")) {
        return false;
    }
    series.samples.push_back(sample);
    return true;
}

// The directory of this program, where the others are.
std::string program_directory() {
    std::array<char, 4096> path = {};
    const ssize_t length = readlink("/proc/self/exe", path.data(), path.size() - 1);
    const std::string self(path.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
    return self.substr(0, self.rfind('/') + 1);
}

}  // namespace

int main(int argc, char** argv) {
    const Options options = options_from(argc, argv);
    const std::string directory = program_directory();
    const std::string programs = "'" + directory + "'";
    std::vector<bench::Group> groups;
    for (const std::string& placement : options.placements) {
        add_exchange(groups, programs, placement);
    }
    groups.push_back(look_up_group(programs));
    groups.erase(std::remove_if(groups.begin(), groups.end(),
                                [&](const bench::Group& group) { return group.name.find(options.only) == std::string::npos; }),
                 groups.end());
    if (groups.empty()) {
        std::fprintf(stderr, "no row is called like '%s'\n", options.only.c_str());
        return 2;
    }

    // As it was before it was loaded by this.
    const bench::Surroundings surroundings = bench::surroundings();
    for (std::size_t round = 0; round < options.rounds; ++round) {
        for (bench::Group& group : groups) {
            std::fprintf(stderr, "round %zu of %zu: %s %s\n", round + 1, options.rounds, group.name.c_str(),
                         group.placement.c_str());
            // Another begins in each round, so that none always comes after the same.
            for (std::size_t i = 0; i < group.series.size(); ++i) {
                bench::Series& series = group.series[(round + i) % group.series.size()];
                if (!measure(series)) {
                    std::fprintf(stderr, "failed: %s\n", series.program.c_str());
                    return 1;
                }
            }
        }
    }

    bench::print_table(surroundings, groups);
    const std::string file = directory + "results.json";
    if (!bench::write_json(file, surroundings, groups, options.rounds)) {
        std::fprintf(stderr, "cannot write %s\n", file.c_str());
        return 1;
    }
    std::printf("\nevery byte was verified; every sample is in %s\n", file.c_str());
    return 0;
}

#include "report.hpp"

#include <sys/utsname.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <map>
#include <memory>
#include <thread>

namespace bench {
namespace {

// The ratios of one system to the first one, over all groups.
class Ratios {
public:
    void add(double ratio) {
        log_sum_ += std::log(ratio);
        most_ = std::max(most_, ratio);
        ++count_;
    }
    double mean() const { return std::exp(log_sum_ / static_cast<double>(count_)); }
    double most() const { return most_; }

private:
    double log_sum_ = 0;
    double most_ = 0;
    std::size_t count_ = 0;
};

std::string formatted(const char* format, double first, double second) {
    char buffer[64];
    std::snprintf(buffer, sizeof buffer, format, first, second);
    return buffer;
}

struct Totals {
    Ratios time;
    Ratios cpu;
};

void print_exchange(const Group& group, std::map<std::string, Totals>& totals) {
    const Series& first = group.series.front();
    const double time_of_first = spread_of(first.samples, "seconds").median;
    const double cpu_of_first = spread_of(first.samples, "cpu_seconds").median;
    for (const Series& series : group.series) {
        const auto trips = static_cast<double>(group.round_trips);
        const Spread time = spread_of(series.samples, "seconds");
        const double cpu = spread_of(series.samples, "cpu_seconds").median;
        const double switches = spread_of(series.samples, "voluntary_switches").median +
                                spread_of(series.samples, "involuntary_switches").median;
        const double bytes = 2 * trips * static_cast<double>(group.chunk);
        std::printf("%-22s  %-18s %7.1f %-14s %9.0f %8.1f  %6.2f %8.2f  %5.2f %5.2f\n", &series == &first ? group.name.c_str() : "",
                    series.system.c_str(), time.median * 1e3,
                    formatted("(%.0f to %.0f)", time.least * 1e3, time.most * 1e3).c_str(), trips / time.median,
                    bytes / time.median / 1e6, cpu / trips * 1e6, switches / trips, time.median / time_of_first, cpu / cpu_of_first);
        if (&series != &first) {
            totals[series.system].time.add(time.median / time_of_first);
            totals[series.system].cpu.add(cpu / cpu_of_first);
        }
    }
}

void print_heading(const std::string& placement) {
    if (!placement.empty()) {
        std::printf("\nserver and clients %s\n%-22s  %-18s %7s %-14s %9s %8s  %6s %8s  %5s %5s\n", placement.c_str(), "", "system", "ms",
                    "(spread)", "trips/s", "MB/s", "CPU us", "switches", "time", "CPU");
    }
}

void print_totals(const std::map<std::string, Totals>& totals) {
    if (!totals.empty()) {
        std::printf("\nms, trips/s, MB/s (both directions together): medians of the rounds. CPU us, switches: processor time and context\n"
                    "switches of a round trip, both sides together. time, CPU: ratios of medians to the first system's, less is better.\n");
    }
    for (const auto& [system, ratios] : totals) {
        std::printf("%-18s  time: geometric mean %.3f, worst row %.3f;  CPU: geometric mean %.3f, worst row %.3f\n", system.c_str(),
                    ratios.time.mean(), ratios.time.most(), ratios.cpu.mean(), ratios.cpu.most());
    }
}

void print_micro(const Group& group) {
    std::printf("\n%s: nanoseconds of processor time a call\n", group.name.c_str());
    for (const Series& series : group.series) {
        const Spread time = spread_of(series.samples, "nanoseconds");
        std::printf("%-36s %6.1f %s\n", series.system.c_str(), time.median, formatted("(%.1f to %.1f)", time.least, time.most).c_str());
    }
}

std::string quoted(const std::string& text) {
    std::string result = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            result += '\\';
        }
        result += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
    }
    return result + "\"";
}

// The first line that a command prints; empty if there is none.
std::string output_of(const std::string& command) {
    const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen((command + " 2>/dev/null").c_str(), "r"), pclose);
    char line[1024] = "";
    if (pipe == nullptr || std::fgets(line, sizeof line, pipe.get()) == nullptr) {
        return "";
    }
    const std::string text = line;
    return text.substr(0, text.find('\n'));
}

// What follows the first `key` and its separator in a file such as /proc/cpuinfo.
std::string field_of(const char* path, const std::string& key) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        if (line.compare(0, key.size(), key) == 0) {
            const std::size_t at = line.find_first_not_of("\t :=\"", key.size());
            return at == std::string::npos ? "" : line.substr(at, line.find_last_not_of('"') + 1 - at);
        }
    }
    return "";
}

}  // namespace

Surroundings surroundings() {
    utsname system = {};
    uname(&system);
    char date[32] = "";
    const std::time_t now = std::time(nullptr);
    std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", std::gmtime(&now));
    return {
        {"date", date},
        {"processor", field_of("/proc/cpuinfo", "model name")},
        {"processors", std::to_string(std::thread::hardware_concurrency())},
        {"memory", field_of("/proc/meminfo", "MemTotal")},
        {"load", output_of("cat /proc/loadavg")},
        {"kernel", std::string(system.sysname) + " " + system.release + " " + system.machine},
        {"distribution", field_of("/etc/os-release", "PRETTY_NAME")},
        {"compiler", "c++ " __VERSION__},
        {"rust", output_of("rustc --version")},
        {"moorline", output_of("git describe --always --dirty --tags")},
    };
}

void print_table(const Surroundings& surroundings, const std::vector<Group>& groups) {
    for (const auto& [name, value] : surroundings) {
        std::printf("%-14s%s\n", name.c_str(), value.c_str());
    }
    std::string placement;
    std::map<std::string, Totals> totals;
    for (const Group& group : groups) {
        if (group.placement != placement) {
            print_totals(totals);
            totals.clear();
            placement = group.placement;
            print_heading(placement);
        }
        if (group.round_trips > 0) {
            print_exchange(group, totals);
        } else {
            print_micro(group);
        }
    }
    print_totals(totals);
}

bool write_json(const std::string& path, const Surroundings& surroundings, const std::vector<Group>& groups, std::size_t rounds) {
    std::ofstream file(path);
    file << "{\n";
    for (const auto& [name, value] : surroundings) {
        file << "  " << quoted(name) << ": " << quoted(value) << ",\n";
    }
    file << "  \"rounds\": " << rounds << ",\n  \"groups\": [";
    const char* group_separator = "\n";
    for (const Group& group : groups) {
        file << group_separator << "    {\"name\": " << quoted(group.name) << ", \"placement\": " << quoted(group.placement) << ", \"round_trips\": " << group.round_trips
             << ", \"chunk\": " << group.chunk << ", \"series\": [";
        const char* series_separator = "\n";
        for (const Series& series : group.series) {
            file << series_separator << "      {\"system\": " << quoted(series.system) << ", \"samples\": [";
            const char* sample_separator = "\n";
            for (const Sample& sample : series.samples) {
                file << sample_separator << "        " << sample.json();
                sample_separator = ",\n";
            }
            file << "\n      ]}";
            series_separator = ",\n";
        }
        file << "\n    ]}";
        group_separator = ",\n";
    }
    file << "\n  ]\n}\n";
    file.close();
    return file.good();
}

}  // namespace bench

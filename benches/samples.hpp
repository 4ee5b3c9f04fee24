// What the systems' programs measured, and what can be said of it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace bench {

// One measured round of one system: the line of JSON that its program printed.
class Sample {
public:
    explicit Sample(std::string line) : line_(std::move(line)) {}

    const std::string& json() const { return line_; }

    // The number of that name; none if it is not there.
    std::optional<double> number(const std::string& name) const {
        const std::string key = "\"" + name + "\": ";
        const std::size_t at = line_.find(key);
        if (at == std::string::npos) {
            return std::nullopt;
        }
        const char* begin = line_.c_str() + at + key.size();
        char* end = nullptr;
        const double value = std::strtod(begin, &end);
        return end == begin ? std::nullopt : std::optional(value);
    }

private:
    std::string line_;
};

struct Spread {
    double median;
    double least;
    double most;
};

inline Spread spread_of(const std::vector<Sample>& samples, const std::string& name) {
    std::vector<double> values;
    for (const Sample& sample : samples) {
        values.push_back(sample.number(name).value_or(0));
    }
    if (values.empty()) {
        return {};
    }
    std::sort(values.begin(), values.end());
    const std::size_t half = values.size() / 2;
    const double median = values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
    return {median, values.front(), values.back()};
}

// One program with its arguments, and the samples of all rounds.
struct Series {
    std::string system;
    std::string program;
    std::vector<Sample> samples = {};
};

// Systems that do the same work. The first is what the others are compared with.
struct Group {
    std::string name;
    // How the two sides are placed, round trips, bytes of a chunk. Without round trips it is a microbenchmark in nanoseconds.
    std::string placement;
    std::size_t round_trips;
    std::size_t chunk;
    std::vector<Series> series;
};

}  // namespace bench

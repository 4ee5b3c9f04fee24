// What the driver asks of a program: arguments of the form name=value. Each must be known to the program.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

namespace bench {

[[noreturn]] inline void fail(const std::string& reason) {
    std::fprintf(stderr, "%s\n", reason.c_str());
    std::exit(1);
}

class Arguments {
public:
    Arguments(int argc, char** argv) {
        for (int i = 1; i < argc; ++i) {
            const std::string argument = argv[i];
            const std::size_t equals = argument.find('=');
            if (equals == std::string::npos) {
                fail("not of the form name=value: " + argument);
            }
            values_[argument.substr(0, equals)] = argument.substr(equals + 1);
        }
    }

    // The value of that name, which counts as known from now on.
    std::string text(const std::string& name, const std::string& otherwise) {
        const auto found = values_.find(name);
        if (found == values_.end()) {
            return otherwise;
        }
        std::string value = std::move(found->second);
        values_.erase(found);
        return value;
    }

    std::uint64_t number(const std::string& name, std::uint64_t otherwise) {
        const std::string value = text(name, std::to_string(otherwise));
        char* end = nullptr;
        const std::uint64_t number = std::strtoull(value.c_str(), &end, 10);
        if (value.empty() || *end != '\0' || number > UINT32_MAX) {
            fail(name + ": not a number from 0 to 4294967295: " + value);
        }
        return number;
    }

    // Fails if there is one that nothing has asked for.
    void finish() const {
        if (!values_.empty()) {
            fail("unknown here: " + values_.begin()->first);
        }
    }

private:
    std::map<std::string, std::string> values_;
};

}  // namespace bench

// What the programs that use Moorline share.
#pragma once

#include <moorline/moorline.h>

#include <string>

#include "workload.hpp"

namespace bench {

inline void check(moorline_status status, const char* what) {
    if (status != MOORLINE_OK) {
        std::string details(1024, '\0');
        const bool known = moorline_last_error(details.data(), details.size(), nullptr) == MOORLINE_OK;
        fail(std::string(what) + ": " + moorline_status_name(status) + ": " + (known ? details.c_str() : ""));
    }
}

// The service's built-in echo, under a name of its own.
class MoorlineEcho {
public:
    MoorlineEcho() {
        check(moorline_service_create(nullptr, nullptr, &service_), "moorline_service_create");
        check(moorline_service_start_unique(service_, "bench"), "moorline_service_start_unique");
        char buffer[4096];
        check(moorline_service_full_name(service_, buffer, sizeof buffer, nullptr), "moorline_service_full_name");
        name_ = buffer;
    }
    MoorlineEcho(const MoorlineEcho&) = delete;
    MoorlineEcho& operator=(const MoorlineEcho&) = delete;
    ~MoorlineEcho() { check(moorline_service_destroy(service_), "moorline_service_destroy"); }

    const char* name() const { return name_.c_str(); }

private:
    moorline_service* service_ = nullptr;
    std::string name_;
};

}  // namespace bench

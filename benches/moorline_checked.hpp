// What the programs that use Moorline's C ABI share.
#pragma once

#include <moorline/moorline.h>

#include <string>

#include "system.hpp"

namespace bench {

inline void check(moorline_status status, const char* what) {
    if (status != MOORLINE_OK) {
        std::string details(1024, '\0');
        const bool known = moorline_last_error(details.data(), details.size(), nullptr) == MOORLINE_OK;
        fail(std::string(what) + ": " + moorline_status_name(status) + ": " + (known ? details.c_str() : ""));
    }
}

// The options for messages that the request asks for; none for the raw stream.
class MessageOptions {
public:
    explicit MessageOptions(const Request& request) : is_raw_(request.framing == "raw") {
        if (request.framing == "length") {
            options_.framing = MOORLINE_FRAMING_BIG_ENDIAN;
        } else if (request.framing == "checked") {
            options_.framing = MOORLINE_FRAMING_CHECKED;
        } else if (!is_raw_) {
            fail("unknown framing: " + request.framing);
        }
    }

    const moorline_message_options* get() const { return is_raw_ ? nullptr : &options_; }

private:
    bool is_raw_;
    moorline_message_options options_ = MOORLINE_MESSAGE_OPTIONS_INIT;
};

// The service's built-in echo, under a name of its own.
class MoorlineEcho {
public:
    static constexpr bool tunable = true;

    explicit MoorlineEcho(const Request& request) {
        const MessageOptions messages(request);
        moorline_service_options options = MOORLINE_SERVICE_OPTIONS_INIT;
        options.busy_poll_us = static_cast<std::uint32_t>(request.busy_poll_us);
        options.messages = messages.get();
        check(moorline_service_create(&options, nullptr, &service_), "moorline_service_create");
        check(moorline_service_start_unique(service_, "bench"), "moorline_service_start_unique");
        char buffer[4096];
        check(moorline_service_full_name(service_, buffer, sizeof buffer, nullptr), "moorline_service_full_name");
        name_ = buffer;
    }
    MoorlineEcho(const MoorlineEcho&) = delete;
    MoorlineEcho& operator=(const MoorlineEcho&) = delete;
    ~MoorlineEcho() { check(moorline_service_destroy(service_), "moorline_service_destroy"); }

    const std::string& address() const { return name_; }

    // How many connections it has.
    std::uint64_t connections() const {
        moorline_service_report report = MOORLINE_SERVICE_REPORT_INIT;
        check(moorline_service_statistics(service_, &report), "moorline_service_statistics");
        const std::uint64_t ended = report.ended_by_peer + report.ended_by_us + report.ended_late + report.ended_malformed +
                                    report.ended_refused + report.ended_otherwise;
        return report.accepted - ended;
    }

private:
    moorline_service* service_ = nullptr;
    std::string name_;
};

}  // namespace bench

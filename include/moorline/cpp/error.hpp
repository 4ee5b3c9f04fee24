/// What went wrong, in full: the status, what was tried, and what the system said.
#ifndef MOORLINE_CPP_ERROR_HPP
#define MOORLINE_CPP_ERROR_HPP

#include <cstddef>
#include <string>
#include <utility>

#include <moorline/cpp/status.hpp>

namespace moorline {
inline namespace MOORLINE_CPP_VARIANT {

/// The failure of one call. A value: it keeps its text whatever is called later and on whichever thread.
class Error {
public:
    /// `os_error` is an errno or 0; `sent` the bytes that a failed send had taken.
    Error(Status status, std::string message, int os_error = 0, std::size_t sent = 0) noexcept
        : message_(std::move(message)), sent_(sent), os_error_(os_error), status_(status) {}

    /// What kind of failure it is.
    [[nodiscard]] Status status() const noexcept { return status_; }

    /// What was tried, on which full path, and why it failed. For Status::would_block, an ordinary answer in an event
    /// loop, only the status name.
    [[nodiscard]] const std::string& message() const noexcept { return message_; }

    /// The errno behind the failure, 0 if there was none.
    [[nodiscard]] int os_error() const noexcept { return os_error_; }

    /// After a failed send: how many bytes from the front were taken all the same. 0 after anything else.
    [[nodiscard]] std::size_t sent() const noexcept { return sent_; }

private:
    std::string message_;
    std::size_t sent_;
    int os_error_;
    Status status_;
};

namespace detail {

/// Fills `text` from a C function that copies a text out: `call(buffer, capacity, &needed)`.
template <class Call>
[[nodiscard]] moorline_status read_text(std::string& text, Call call) noexcept {
    std::size_t needed = 0;
    text.resize(256);
    moorline_status status = call(&text[0], text.size(), &needed);
    // A loop, because the text may have grown between two calls.
    while (status == MOORLINE_BUFFER_TOO_SMALL && needed > text.size()) {
        text.resize(needed);
        status = call(&text[0], text.size(), &needed);
    }
    text.resize(status == MOORLINE_OK && needed > 0 ? needed - 1 : 0);
    return status;
}

/// The error of a call on this thread that has just answered `status`.
[[nodiscard]] inline Error last_error(moorline_status status, std::size_t sent = 0) noexcept {
    // An event loop sees this answer after every burst of bytes: no second call and no memory for it.
    if (status == MOORLINE_WOULD_BLOCK) {
        return Error(Status::would_block, moorline_status_name(status), 0, sent);
    }
    const int os_error = moorline_last_os_error();
    std::string message;
    if (read_text(message, moorline_last_error) != MOORLINE_OK) {
        message = moorline_status_name(status);
    }
    return Error(static_cast<Status>(status), std::move(message), os_error, sent);
}

}  // namespace detail
}  // namespace MOORLINE_CPP_VARIANT
}  // namespace moorline

#endif

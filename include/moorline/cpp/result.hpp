/// A value or the reason why there is none: Result<T>.
#ifndef MOORLINE_CPP_RESULT_HPP
#define MOORLINE_CPP_RESULT_HPP

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <utility>
#include <variant>

#include <moorline/cpp/error.hpp>

#if defined(__cpp_lib_expected)
#include <expected>
#endif

namespace moorline {
inline namespace MOORLINE_CPP_VARIANT {

#if defined(__cpp_lib_expected)

/// A value or an Error: std::expected where there is one. Its value() throws std::bad_expected_access when there is
/// no value; nothing in this library calls it.
template <class T>
using Result = std::expected<T, Error>;

/// What a function that returns a Result returns to fail: `return Unexpected(result.error());`
using Unexpected = std::unexpected<Error>;

#else

/// What a function that returns a Result returns to fail: `return Unexpected(result.error());`
class Unexpected {
public:
    /// The failure for this reason.
    explicit Unexpected(Error error) noexcept : error_(std::move(error)) {}
    /// The reason.
    [[nodiscard]] const Error& error() const& noexcept { return error_; }
    /// The reason, to be moved from.
    [[nodiscard]] Error&& error() && noexcept { return std::move(error_); }

private:
    Error error_;
};

namespace detail {

/// Taking the value of a failure, or the error of a success, is a defect of the program: it ends here, with a reason.
[[noreturn]] inline void misuse(const char* reason, const char* message) noexcept {
    std::fprintf(stderr, "moorline: %s%s\n", reason, message);
    std::abort();
}

}  // namespace detail

/// A value or an Error: the part of std::expected that a caller needs, for C++17 and C++20. It never throws: value(),
/// * and -> on a failure and error() on a success end the program with a line on stderr that says why.
template <class T>
class [[nodiscard]] Result {
public:
    /// What it is a result of.
    using value_type = T;
    /// What it holds if it holds no value.
    using error_type = Error;

    /// The value.
    Result(T value) noexcept : content_(std::in_place_index<0>, std::move(value)) {}
    /// The reason why there is none.
    Result(Unexpected failure) noexcept : content_(std::in_place_index<1>, std::move(failure).error()) {}

    /// Whether there is a value.
    [[nodiscard]] bool has_value() const noexcept { return content_.index() == 0; }
    /// Whether there is a value.
    [[nodiscard]] explicit operator bool() const noexcept { return has_value(); }

    /// The value.
    [[nodiscard]] T& value() & noexcept { return *checked(); }
    /// The value.
    [[nodiscard]] const T& value() const& noexcept { return *checked(); }
    /// The value, to be moved from.
    [[nodiscard]] T&& value() && noexcept { return std::move(*checked()); }
    /// The value.
    [[nodiscard]] T& operator*() & noexcept { return *checked(); }
    /// The value.
    [[nodiscard]] const T& operator*() const& noexcept { return *checked(); }
    /// The value, to be moved from.
    [[nodiscard]] T&& operator*() && noexcept { return std::move(*checked()); }
    /// A member of the value.
    [[nodiscard]] T* operator->() noexcept { return checked(); }
    /// A member of the value.
    [[nodiscard]] const T* operator->() const noexcept { return checked(); }

    /// The reason why there is no value.
    [[nodiscard]] const Error& error() const& noexcept { return *checked_error(); }
    /// The reason why there is no value, to be moved from.
    [[nodiscard]] Error&& error() && noexcept { return std::move(*const_cast<Error*>(checked_error())); }

    /// The value, or `other` if there is none.
    template <class U>
    [[nodiscard]] T value_or(U&& other) const& {
        return has_value() ? *std::get_if<0>(&content_) : static_cast<T>(std::forward<U>(other));
    }
    /// The value, moved from, or `other` if there is none.
    template <class U>
    [[nodiscard]] T value_or(U&& other) && {
        return has_value() ? std::move(*std::get_if<0>(&content_)) : static_cast<T>(std::forward<U>(other));
    }

private:
    [[nodiscard]] T* checked() noexcept { return const_cast<T*>(std::as_const(*this).checked()); }
    [[nodiscard]] const T* checked() const noexcept {
        if (const Error* error = std::get_if<1>(&content_)) {
            detail::misuse("the value of a failure was taken: ", error->message().c_str());
        }
        return std::get_if<0>(&content_);
    }
    [[nodiscard]] const Error* checked_error() const noexcept {
        if (has_value()) {
            detail::misuse("the error of a success was taken", "");
        }
        return std::get_if<1>(&content_);
    }

    std::variant<T, Error> content_;
};

/// Success or an Error.
template <>
class [[nodiscard]] Result<void> {
public:
    /// Nothing.
    using value_type = void;
    /// What it holds of a failure.
    using error_type = Error;

    Result() noexcept = default;
    /// The failure for this reason.
    Result(Unexpected failure) noexcept : error_(std::move(failure).error()) {}

    /// Whether it is success.
    [[nodiscard]] bool has_value() const noexcept { return !error_.has_value(); }
    /// Whether it is success.
    [[nodiscard]] explicit operator bool() const noexcept { return has_value(); }

    /// Ends the program, with the reason on stderr, unless it is success.
    void value() const noexcept {
        if (error_) {
            detail::misuse("the value of a failure was taken: ", error_->message().c_str());
        }
    }
    /// As value().
    void operator*() const noexcept { value(); }

    /// The reason of the failure.
    [[nodiscard]] const Error& error() const& noexcept { return *checked_error(); }
    /// The reason of the failure, to be moved from.
    [[nodiscard]] Error&& error() && noexcept { return std::move(*const_cast<Error*>(checked_error())); }

private:
    [[nodiscard]] const Error* checked_error() const noexcept {
        if (!error_) {
            detail::misuse("the error of a success was taken", "");
        }
        return &*error_;
    }

    std::optional<Error> error_;
};

#endif

/// The answer of a call that has something to report whether it succeeded or not. Takes apart as `auto [result,
/// report] = socket.close(Timeout::none());`
template <class Report>
struct [[nodiscard]] Outcome {
    /// Success, or why not.
    Result<void> result;
    /// What there is to report in either case.
    Report report;

    /// Whether it is success.
    [[nodiscard]] explicit operator bool() const noexcept { return result.has_value(); }
    /// The reason of the failure.
    [[nodiscard]] const Error& error() const noexcept { return result.error(); }
};

namespace detail {

[[nodiscard]] inline Unexpected failure(moorline_status status, std::size_t sent = 0) noexcept {
    return Unexpected(last_error(status, sent));
}

/// Success or the error of a call that has just answered `status`.
[[nodiscard]] inline Result<void> done(moorline_status status, std::size_t sent = 0) noexcept {
    if (status == MOORLINE_OK) {
        return {};
    }
    return failure(status, sent);
}

/// The text of a C function that copies one out.
template <class Call>
[[nodiscard]] Result<std::string> text(Call call) noexcept {
    std::string out;
    const moorline_status status = read_text(out, call);
    if (status != MOORLINE_OK) {
        return failure(status);
    }
    return out;
}

}  // namespace detail
}  // namespace MOORLINE_CPP_VARIANT
}  // namespace moorline

#endif

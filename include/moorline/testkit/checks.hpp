/// Checks for callbacks, on any thread: they record, and never unwind.
#ifndef MOORLINE_TESTKIT_CHECKS_HPP
#define MOORLINE_TESTKIT_CHECKS_HPP

#include <functional>

#include <moorline/testkit/printing.hpp>
#include <moorline/testkit/verdicts.hpp>

/// MOORLINE_CHECK(verdicts, condition): what converts to bool. Of a Result, or what else has error().message(), the message is shown.
/// MOORLINE_CHECK_EQ(verdicts, actual, expected) and so on, for ==, !=, <, <=, >, >=. Both values are shown.
///
/// Each records a failure with these verdicts (a Verdicts, or its native_handle()), with file, line and thread, which ends the wait of
/// the test, and is an expression that says whether the check passed: `if (!MOORLINE_CHECK(...)) return;`. The values are evaluated
/// once, and compared and shown in place; an exception of an operator makes the check fail. What holds bytes (text, BytesView,
/// containers and arrays of bytes) is compared as bytes; C strings and arrays of char as text, up to the first NUL or the array's end,
/// and arrays of std::uint8_t or std::byte whole; integers by their values, whatever their signs. Never blocks. Any thread.
#define MOORLINE_CHECK(verdicts, ...)                                                                   \
    (::moorline::testkit::detail::check((verdicts), (__VA_ARGS__), "MOORLINE_CHECK(" #__VA_ARGS__ ")"))
#define MOORLINE_CHECK_EQ(verdicts, actual, expected) MOORLINE_TESTKIT_COMPARE_(EQ, equal_to, verdicts, actual, expected)
#define MOORLINE_CHECK_NE(verdicts, actual, other) MOORLINE_TESTKIT_COMPARE_(NE, not_equal_to, verdicts, actual, other)
#define MOORLINE_CHECK_LT(verdicts, actual, limit) MOORLINE_TESTKIT_COMPARE_(LT, less, verdicts, actual, limit)
#define MOORLINE_CHECK_LE(verdicts, actual, limit) MOORLINE_TESTKIT_COMPARE_(LE, less_equal, verdicts, actual, limit)
#define MOORLINE_CHECK_GT(verdicts, actual, limit) MOORLINE_TESTKIT_COMPARE_(GT, greater, verdicts, actual, limit)
#define MOORLINE_CHECK_GE(verdicts, actual, limit) MOORLINE_TESTKIT_COMPARE_(GE, greater_equal, verdicts, actual, limit)

/// MOORLINE_FAIL(verdicts, text): records a failure as it is.
#define MOORLINE_FAIL(verdicts, text) (::moorline::testkit::fail((verdicts), (text)))

#define MOORLINE_TESTKIT_COMPARE_(name, operation, verdicts, actual, other)                        \
    (::moorline::testkit::detail::compare<::std::operation<>, ::moorline::testkit::detail::Print>( \
        (verdicts), (actual), (other), "MOORLINE_CHECK_" #name "(" #actual ", " #other ")"))

namespace moorline {
inline namespace MOORLINE_CPP_VARIANT {
namespace testkit {
namespace detail {

template <class T>
inline constexpr bool is_counting = std::is_integral_v<T> && !std::is_same_v<T, bool> && !std::is_same_v<T, char> &&
                                    !std::is_same_v<T, wchar_t> && !std::is_same_v<T, char16_t> && !std::is_same_v<T, char32_t>;

/// -1, 0 or 1, by the values of two integers of whatever signs.
template <class A, class B>
[[nodiscard]] constexpr int order(A a, B b) noexcept {
    const bool a_is_negative = a < A{0};
    const bool b_is_negative = b < B{0};
    if (a_is_negative != b_is_negative) {
        return a_is_negative ? -1 : 1;
    }
    // Of equal signs, neither changes its value or its place beside the other.
    using Common = std::common_type_t<A, B>;
    const auto first = static_cast<Common>(a);
    const auto second = static_cast<Common>(b);
    return first < second ? -1 : second < first ? 1 : 0;
}

template <class Operation, class A, class B>
[[nodiscard]] bool holds(const A& a, const B& b) {
    if constexpr (has_bytes<A> && has_bytes<B>) {
        return Operation()(bytes_of(a), bytes_of(b));
    } else if constexpr (is_counting<A> && is_counting<B> && std::is_signed_v<A> != std::is_signed_v<B>) {
        return Operation()(order(a, b), 0);
    } else {
        return static_cast<bool>(Operation()(a, b));
    }
}

/// Runs `judge`, whose answer is whether a check passed, and `describe` if it did not. Exceptions of either make it fail.
template <class Judge, class Describe>
[[nodiscard]] bool judged(Borrowed<moorline_verdicts> verdicts, const char* check, SourceLocation where, Judge judge,
                          Describe describe) noexcept {
    bool passed = false;
    std::string text = check;
    guarded(
        [&] {
            passed = judge();
            if (!passed) {
                text += describe();
            }
        },
        [&](const std::exception_ptr&) { text += "\n  an exception came out of an operator of the values"; });
    if (!passed) {
        fail(verdicts, text, where);
    }
    return passed;
}

template <class Condition>
bool check(Borrowed<moorline_verdicts> verdicts, const Condition& condition, const char* text,
           SourceLocation where = SourceLocation::current()) noexcept {
    return judged(
        verdicts, text, where, [&] { return static_cast<bool>(condition); },
        [&]() -> std::string {
            if constexpr (has_error<Condition>::value) {
                return "\n  " + Print::text(condition);
            } else {
                return " is false";
            }
        });
}

/// A value as it is compared with another: a floating-point number with the digits of the more precise type of the two, by which they
/// may differ.
template <class Other, class T>
[[nodiscard]] constexpr decltype(auto) as_compared(const T& value) noexcept {
    if constexpr (std::is_floating_point_v<T> && std::is_floating_point_v<Other>) {
        return static_cast<std::common_type_t<T, Other>>(value);
    } else {
        return (value);
    }
}

template <class Operation, class Printer, class A, class B>
bool compare(Borrowed<moorline_verdicts> verdicts, const A& actual, const B& other, const char* text,
             SourceLocation where = SourceLocation::current()) noexcept {
    return judged(
        verdicts, text, where, [&] { return holds<Operation>(actual, other); },
        [&] {
            return "\n  left:  " + Printer::text(as_compared<B>(actual)) + "\n  right: " + Printer::text(as_compared<A>(other)) +
                   later_difference(actual, other);
        });
}

}  // namespace detail
}  // namespace testkit
}  // namespace MOORLINE_CPP_VARIANT
}  // namespace moorline

#endif

/// Values as text, for failures.
#ifndef MOORLINE_TESTKIT_PRINTING_HPP
#define MOORLINE_TESTKIT_PRINTING_HPP

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <limits>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>

#include <moorline/cpp/bytes.hpp>
#include <moorline/cpp/callback.hpp>
#include <moorline/cpp/status.hpp>

namespace moorline {
inline namespace MOORLINE_CPP_VARIANT {
namespace testkit {
namespace detail {

using namespace ::moorline::detail;

/// Bytes of a value that holds some: text, BytesView, containers and arrays of bytes. An array of char is text, up to its first NUL if
/// there is one: what is behind that may be anything, memory never written too. None for a null C string.
using Bytes = std::optional<std::string_view>;

template <class T>
inline constexpr bool is_byte_array = std::is_array_v<T> && is_byte<std::remove_cv_t<std::remove_extent_t<T>>>;

template <class T>
inline constexpr bool is_char_array = std::is_array_v<T> && std::is_same_v<std::remove_cv_t<std::remove_extent_t<T>>, char>;

template <class T>
inline constexpr bool has_bytes =
    is_byte_array<T> || (!std::is_same_v<T, std::nullptr_t> && std::is_convertible_v<const T&, BytesView>);

template <class T>
[[nodiscard]] Bytes bytes_of(const T& value) noexcept {
    if constexpr (is_char_array<T>) {
        return std::string_view(value, strnlen(value, sizeof value));
    } else if constexpr (is_byte_array<T>) {
        return BytesView(value, sizeof value).text();
    } else if constexpr (std::is_pointer_v<T>) {
        return value == nullptr ? Bytes() : std::string_view(value);
    } else {
        const BytesView bytes(value);
        // Without memory of its own an empty container is empty all the same, not null.
        return bytes.empty() ? std::string_view("") : bytes.text();
    }
}

/// More bytes of a value are not shown.
inline constexpr std::size_t most_shown = 400;

/// In quotes, with what cannot be seen as \xNN; of very many bytes the first ones, and how many there are.
[[nodiscard]] inline std::string quoted(std::string_view bytes) {
    std::string text = "\"";
    for (const char byte : bytes.substr(0, most_shown)) {
        const auto number = static_cast<unsigned char>(byte);
        if (byte == '"' || byte == '\\') {
            text += '\\';
            text += byte;
        } else if (byte == '\n') {
            text += "\\n";
        } else if (number < 0x20 || number >= 0x7f) {
            constexpr const char* digits = "0123456789abcdef";
            text += "\\x";
            text += digits[number >> 4U];
            text += digits[number & 0xfU];
        } else {
            text += byte;
        }
    }
    text += '"';
    if (bytes.size() > most_shown) {
        text += "... (" + std::to_string(bytes.size()) + " bytes)";
    }
    return text;
}

template <class T, class = void>
struct is_streamable : std::false_type {};
template <class T>
struct is_streamable<T, std::void_t<decltype(std::declval<std::ostream&>() << std::declval<const T&>())>> : std::true_type {};

template <class T, class = void>
struct has_error : std::false_type {};
template <class T>
struct has_error<T, std::void_t<decltype(std::string(std::declval<const T&>().error().message())),
                                decltype(static_cast<bool>(std::declval<const T&>()))>> : std::true_type {};

/// Values as operator<< writes them, but bytes in quotes, and numbers as numbers.
struct Print {
    template <class T>
    [[nodiscard]] static std::string text(const T& value) {
        if constexpr (has_bytes<T>) {
            const Bytes bytes = bytes_of(value);
            return bytes ? quoted(*bytes) : "null";
        } else if constexpr (std::is_same_v<T, bool>) {
            return value ? "true" : "false";
        } else if constexpr (std::is_same_v<T, std::nullptr_t>) {
            return "null";
        } else if constexpr (std::is_same_v<T, char>) {
            return quoted(std::string_view(&value, 1));
        } else if constexpr (is_byte<T>) {
            return std::to_string(static_cast<int>(value));
        } else if constexpr (std::is_pointer_v<T> && is_byte<std::remove_cv_t<std::remove_pointer_t<T>>>) {
            // A stream would take it for a C string.
            return text(const_cast<const void*>(static_cast<const volatile void*>(value)));
        } else if constexpr (std::is_same_v<T, Status>) {
            return to_string(value);
        } else if constexpr (has_error<T>::value) {
            return value ? "OK" : std::string(value.error().message());
        } else if constexpr (std::is_floating_point_v<T>) {
            return number(value);
        } else if constexpr (is_streamable<T>::value) {
            std::ostringstream stream;
            stream << value;
            return stream.str();
        } else if constexpr (std::is_enum_v<T>) {
            return std::to_string(static_cast<std::underlying_type_t<T>>(value));
        } else {
            return "a value of " + std::to_string(sizeof value) + " bytes that has no operator<<";
        }
    }

private:
    /// With more digits than operator<< writes unasked where another number has the same ones.
    template <class T>
    [[nodiscard]] static std::string number(T value) {
        std::string text;
        for (const int digits : {6, std::numeric_limits<T>::digits10, std::numeric_limits<T>::max_digits10}) {
            std::ostringstream stream;
            stream.precision(digits);
            stream << value;
            text = stream.str();
            T read{};
            if (std::istringstream(text) >> read && !(read < value) && !(value < read)) {
                break;
            }
        }
        return text;
    }
};

/// Where two values of bytes differ whose beginnings are the same, and all that is shown of them.
template <class A, class B>
[[nodiscard]] std::string later_difference(const A& left, const B& right) {
    if constexpr (has_bytes<A> && has_bytes<B>) {
        const Bytes a = bytes_of(left);
        const Bytes b = bytes_of(right);
        if (a && b) {
            const std::size_t both = std::min(a->size(), b->size());
            const auto place =
                static_cast<std::size_t>(std::mismatch(a->begin(), a->begin() + both, b->begin()).first - a->begin());
            if (place >= most_shown && *a != *b) {
                constexpr std::size_t some = 40;
                return "\n  from byte " + std::to_string(place) + " on: " + quoted(a->substr(place, some)) + " and " +
                       quoted(b->substr(place, some));
            }
        }
    }
    return {};
}

}  // namespace detail
}  // namespace testkit
}  // namespace MOORLINE_CPP_VARIANT
}  // namespace moorline

#endif

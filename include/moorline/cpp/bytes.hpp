/// Borrowed bytes: to be sent (BytesView) and to be filled (BufferView).
#ifndef MOORLINE_CPP_BYTES_HPP
#define MOORLINE_CPP_BYTES_HPP

#include <cstddef>
#include <string_view>
#include <type_traits>
#include <utility>

#include <moorline/cpp/config.hpp>

namespace moorline {
inline namespace MOORLINE_CPP_VARIANT {
namespace detail {

template <class T>
inline constexpr bool is_byte =
    std::is_same_v<T, char> || std::is_same_v<T, signed char> || std::is_same_v<T, unsigned char> || std::is_same_v<T, std::byte>;

template <class Range>
using data_of = decltype(std::declval<Range&>().data());
template <class Range>
using size_of = decltype(std::declval<Range&>().size());

/// Whether `Range` keeps its elements in one piece and each is a byte: std::string, std::vector<std::uint8_t>,
/// std::array<std::byte, N>, std::span<char>, std::string_view and whatever else has data() and size().
template <class Range, class Pointer, class = void>
struct holds_bytes : std::false_type {};
template <class Range, class Pointer>
struct holds_bytes<Range, Pointer, std::void_t<data_of<Range>, size_of<Range>>>
    : std::bool_constant<std::is_convertible_v<data_of<Range>, Pointer> &&
                         is_byte<std::remove_cv_t<std::remove_pointer_t<data_of<Range>>>>> {};

}  // namespace detail

/// Bytes that someone else owns, to be read. Converts from anything that holds bytes in one piece and from a C string
/// (without its NUL). It must not outlive what it shows.
class BytesView {
public:
    constexpr BytesView() noexcept = default;
    /// `size` bytes at `data`, which may be null if `size` is 0.
    constexpr BytesView(const void* data, std::size_t size) noexcept : data_(data), size_(size) {}
    /// A C string without its NUL.
    constexpr BytesView(const char* text) noexcept : BytesView(std::string_view(text)) {}
    /// What holds bytes in one piece.
    template <class Range, class = std::enable_if_t<detail::holds_bytes<const Range, const void*>::value>>
    constexpr BytesView(const Range& range) noexcept : data_(range.data()), size_(static_cast<std::size_t>(range.size())) {}

    /// The first byte; null if there is none of an empty view.
    [[nodiscard]] constexpr const void* data() const noexcept { return data_; }
    /// How many bytes.
    [[nodiscard]] constexpr std::size_t size() const noexcept { return size_; }
    /// Whether there are none.
    [[nodiscard]] constexpr bool empty() const noexcept { return size_ == 0; }

    /// The same bytes as text.
    [[nodiscard]] std::string_view text() const noexcept { return {static_cast<const char*>(data_), size_}; }

    /// What is left after the first `count` bytes; nothing if there are not that many.
    [[nodiscard]] BytesView without_first(std::size_t count) const noexcept {
        return count < size_ ? BytesView(static_cast<const char*>(data_) + count, size_ - count) : BytesView();
    }

private:
    const void* data_ = nullptr;
    std::size_t size_ = 0;
};

/// Memory that someone else owns, to be filled. Converts from anything that holds bytes in one piece and lets them be
/// written; what is filled is its size(), never more.
class BufferView {
public:
    /// Room for `size` bytes at `data`.
    constexpr BufferView(void* data, std::size_t size) noexcept : data_(data), size_(size) {}
    /// A whole array of bytes.
    template <class Byte, std::size_t N, class = std::enable_if_t<detail::is_byte<Byte>>>
    constexpr BufferView(Byte (&array)[N]) noexcept : data_(array), size_(N) {}
    /// What holds bytes in one piece, all of its size().
    template <class Range, class = std::enable_if_t<detail::holds_bytes<Range, void*>::value>>
    constexpr BufferView(Range&& range) noexcept : data_(range.data()), size_(static_cast<std::size_t>(range.size())) {}

    /// Where the room begins.
    [[nodiscard]] constexpr void* data() const noexcept { return data_; }
    /// How many bytes fit.
    [[nodiscard]] constexpr std::size_t size() const noexcept { return size_; }

private:
    void* data_;
    std::size_t size_;
};

}  // namespace MOORLINE_CPP_VARIANT
}  // namespace moorline

#endif

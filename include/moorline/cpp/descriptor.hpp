/// An open descriptor that came with a message.
#ifndef MOORLINE_CPP_DESCRIPTOR_HPP
#define MOORLINE_CPP_DESCRIPTOR_HPP

#include <unistd.h>

#include <utility>

#include <moorline/cpp/config.hpp>

namespace moorline {
inline namespace MOORLINE_CPP_VARIANT {

/// A move-only owner of one descriptor, or of none. The destructor closes it. As safe between threads as an int: use one
/// from one thread at a time.
class Descriptor {
public:
    constexpr Descriptor() noexcept = default;

    /// Takes over an open descriptor; a negative number is none.
    explicit constexpr Descriptor(int number) noexcept : number_(number) {}

    /// Takes over from another owner, which then has none.
    Descriptor(Descriptor&& other) noexcept : number_(other.release()) {}
    /// Closes its own, and takes over from another owner, which then has none.
    Descriptor& operator=(Descriptor&& other) noexcept {
        const int taken = other.release();
        close();
        number_ = taken;
        return *this;
    }
    ~Descriptor() { close(); }

    /// Whether there is one to own.
    [[nodiscard]] explicit constexpr operator bool() const noexcept { return number_ >= 0; }

    /// Its number, still owned here; -1 if there is none.
    [[nodiscard]] constexpr int get() const noexcept { return number_; }

    /// Gives it to the caller, who closes it. -1 if there is none.
    [[nodiscard]] int release() noexcept { return std::exchange(number_, -1); }

    /// Closes it now. Does nothing if there is none.
    void close() noexcept {
        if (number_ >= 0) {
            ::close(release());
        }
    }

private:
    int number_ = -1;
};

}  // namespace MOORLINE_CPP_VARIANT
}  // namespace moorline

#endif

/// The one place where an exception of the user's stops.
#ifndef MOORLINE_CPP_CALLBACK_HPP
#define MOORLINE_CPP_CALLBACK_HPP

#include <exception>

#include <moorline/cpp/config.hpp>

namespace moorline {
inline namespace MOORLINE_CPP_VARIANT {
namespace detail {

/// Runs `call`, and gives an exception that comes out of it to `failed`: nothing unwinds into the library.
template <class Call, class Failed>
void guarded(Call&& call, [[maybe_unused]] Failed&& failed) noexcept {
#if defined(__cpp_exceptions)
    try {
        call();
    } catch (...) {
        failed(std::current_exception());
    }
#else
    call();
#endif
}

}  // namespace detail
}  // namespace MOORLINE_CPP_VARIANT
}  // namespace moorline

#endif

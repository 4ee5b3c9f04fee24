/// What the other headers need to know about the compiler.
#ifndef MOORLINE_CPP_CONFIG_HPP
#define MOORLINE_CPP_CONFIG_HPP

#if __cplusplus < 201703L && (!defined(_MSVC_LANG) || _MSVC_LANG < 201703L)
#error "moorline.hpp needs C++17"
#endif

#if defined(__has_include)
#if __has_include(<version>)
#include <version>
#endif
#endif

#include <moorline/moorline.h>

// Result is a class of our own or std::expected, and callbacks are guarded by try and catch or not, as the compiler is
// set. Each combination has an inline namespace of its own, so that objects compiled with different settings can be
// linked into one program without one's inline functions being taken for the other's.
#if defined(__cpp_lib_expected)
#if defined(__cpp_exceptions)
#define MOORLINE_CPP_VARIANT v0_expected
#else
#define MOORLINE_CPP_VARIANT v0_expected_no_exceptions
#endif
#elif defined(__cpp_exceptions)
#define MOORLINE_CPP_VARIANT v0
#else
#define MOORLINE_CPP_VARIANT v0_no_exceptions
#endif

#endif

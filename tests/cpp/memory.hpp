// Memory that runs out when a test wants it to.
#ifndef MOORLINE_TESTS_CPP_MEMORY_HPP
#define MOORLINE_TESTS_CPP_MEMORY_HPP

// Clang's sanitizers bring an operator new of their own, beside which there is no room for another.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define MOORLINE_TESTS_MEMORY_IS_THE_SANITIZERS
#endif
#endif

#if !defined(MOORLINE_TESTS_MEMORY_IS_THE_SANITIZERS)
/// What the calling thread asks operator new for next, it does not get: std::bad_alloc.
void fail_next_allocation() noexcept;
#endif

#endif

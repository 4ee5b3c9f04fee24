// Memory that runs out when a test wants it to.
#ifndef MOORLINE_TESTS_CPP_MEMORY_HPP
#define MOORLINE_TESTS_CPP_MEMORY_HPP

/// What the calling thread asks operator new for next, it does not get: std::bad_alloc.
void fail_next_allocation() noexcept;

#endif

#include "memory.hpp"

#if !defined(MOORLINE_TESTS_MEMORY_IS_THE_SANITIZERS)

#include <cstdlib>
#include <new>
#include <utility>

static thread_local bool is_out_of_memory = false;

void fail_next_allocation() noexcept { is_out_of_memory = true; }

void* operator new(std::size_t size) {
    void* const memory = std::exchange(is_out_of_memory, false) ? nullptr : std::malloc(size == 0 ? 1 : size);
    if (memory == nullptr) {
        throw std::bad_alloc();
    }
    return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

#endif

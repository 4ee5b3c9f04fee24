#include "forks.h"

#include <pthread.h>

#include <atomic>

namespace moorline {

namespace {
std::atomic<quint32> forks = 0;
// Where there is no memory for it a child is taken for its parent.
[[maybe_unused]] const int registered = ::pthread_atfork(nullptr, nullptr, [] { ++forks; });
} // namespace

quint32 forksSoFar()
{
    return forks.load(std::memory_order_relaxed);
}

} // namespace moorline

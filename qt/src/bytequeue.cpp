#include "bytequeue.h"

#include <algorithm>
#include <cstring>

namespace moorline {

namespace {
// More than this an empty queue does not keep.
constexpr qint64 keptMemory = 512 * 1024;
}

char *ByteQueue::reserve(qint64 bytes)
{
    if (capacity_ - end_ >= bytes)
        return memory_.get() + end_;
    const qint64 used = size();
    // Moving what is there to the front is worth it only where that is the smaller part.
    if (capacity_ - used >= bytes && used <= capacity_ / 2) {
        std::memmove(memory_.get(), data(), static_cast<size_t>(used));
    } else {
        const qint64 capacity = std::max(used + bytes, capacity_ * 2);
        auto *memory = static_cast<char *>(std::malloc(static_cast<size_t>(capacity)));
        Q_CHECK_PTR(memory);
        if (used > 0)
            std::memcpy(memory, data(), static_cast<size_t>(used));
        memory_.reset(memory);
        capacity_ = capacity;
    }
    start_ = 0;
    end_ = used;
    return memory_.get() + end_;
}

void ByteQueue::append(const char *bytes, qint64 count)
{
    if (count <= 0)
        return;
    std::memcpy(reserve(count), bytes, static_cast<size_t>(count));
    commit(count);
}

void ByteQueue::consume(qint64 bytes)
{
    start_ += bytes;
    if (start_ == end_)
        clear();
}

void ByteQueue::clear()
{
    start_ = end_ = 0;
    if (capacity_ > keptMemory) {
        memory_.reset();
        capacity_ = 0;
    }
}

qint64 ByteQueue::read(char *into, qint64 most)
{
    const qint64 count = std::min(most, size());
    if (count > 0) {
        std::memcpy(into, data(), static_cast<size_t>(count));
        consume(count);
    }
    return count;
}

qint64 ByteQueue::lineLength() const
{
    if (isEmpty())
        return 0;
    const void *end = std::memchr(data(), '\n', static_cast<size_t>(size()));
    return end ? static_cast<const char *>(end) - data() + 1 : 0;
}

} // namespace moorline

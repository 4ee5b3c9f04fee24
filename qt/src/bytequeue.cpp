#include "bytequeue.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace moorline {

namespace {
// More than this an empty queue does not keep: 16 KiB, which chunks of that size are a little more than.
constexpr qint64 keptMemory = qint64{17} * 1024;
// More than this a thread does not keep.
constexpr qint64 largestSpare = qint64{512} * 1024;
// From here on sharing memory is cheaper than copying it.
constexpr qint64 worthSharing = qint64{4} * 1024;

// A queue may live longer than what its thread has: one of a static object.
thread_local bool sparesAreGone = false;

// What the queues of a thread have no use for at the moment, for the next that needs much: it is in the processor's cache, and to give
// so much back to malloc(3) may be to give it back to the system, and to get it anew a page at a time. A kind each: what is received is
// often given away, and would take along what is written with.
struct Spares {
    ~Spares() { sparesAreGone = true; }
    std::array<QByteArray, 2> memory;
};

QByteArray *spareOf(ByteQueue::Kind kind)
{
    if (sparesAreGone)
        return nullptr;
    thread_local Spares spares;
    return &spares.memory[kind];
}

QByteArray memoryFor(qint64 bytes, ByteQueue::Kind kind)
{
    QByteArray *const spare = bytes > keptMemory ? spareOf(kind) : nullptr;
    if (spare && bytes <= spare->size() && bytes >= spare->size() / 2)
        return std::exchange(*spare, QByteArray());
    return QByteArray(bytes, Qt::Uninitialized);
}
} // namespace

char *ByteQueue::reserve(qint64 bytes)
{
    const qint64 used = size();
    // What is shared with the application is not ours to write to.
    const qint64 capacity = memory_.isDetached() ? memory_.size() : 0;
    if (capacity - end_ < bytes) {
        // Moving what is there to the front is worth it only where that is the smaller part.
        if (capacity - used >= bytes && used <= capacity / 2) {
            std::memmove(memory_.data(), data(), static_cast<size_t>(used));
        } else {
            QByteArray larger = memoryFor(std::max(used + bytes, capacity * 2), kind_);
            if (used > 0)
                std::memcpy(larger.data(), data(), static_cast<size_t>(used));
            memory_ = std::move(larger);
        }
        start_ = 0;
        end_ = used;
    }
    return memory_.data() + end_;
}

void ByteQueue::append(const char *bytes, qint64 count)
{
    if (count <= 0)
        return;
    std::memcpy(reserve(count), bytes, static_cast<size_t>(count));
    commit(count);
}

void ByteQueue::append(const QByteArray &bytes)
{
    // What somebody else's memory stands behind (fromRawData) has no capacity, and may go when this returns.
    if (isEmpty() && bytes.size() >= worthSharing && bytes.capacity() > 0) {
        memory_ = bytes;
        start_ = 0;
        end_ = bytes.size();
    } else {
        append(bytes.constData(), bytes.size());
    }
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
    const bool isOurs = memory_.isDetached();
    // What came from the application may have more room than its size.
    const qint64 held = memory_.capacity();
    if (isOurs && held <= keptMemory)
        return;
    QByteArray *const spare = isOurs && held <= largestSpare ? spareOf(kind_) : nullptr;
    if (spare && memory_.size() > spare->size())
        *spare = std::move(memory_);
    memory_ = QByteArray();
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

QByteArray ByteQueue::takeAll()
{
    // Memory of which more than half is unused is not given away, nor kept: what comes next may fit into less.
    const bool isTooLarge = size() < memory_.size() / 2;
    if (start_ > 0 || isTooLarge) {
        const QByteArray all(data(), size());
        if (isTooLarge && all.size() >= worthSharing)
            memory_ = QByteArray();
        clear();
        return all;
    }
    // Not squeezed: that would make malloc(3) map and unmap large pieces again and again, which it stops doing when it gets one back
    // as large as it was.
    if (memory_.size() != end_)
        memory_.resize(end_);
    start_ = end_ = 0;
    return std::exchange(memory_, QByteArray());
}

qint64 ByteQueue::lineLength() const
{
    if (isEmpty())
        return 0;
    const void *end = std::memchr(data(), '\n', static_cast<size_t>(size()));
    return end ? static_cast<const char *>(end) - data() + 1 : 0;
}

} // namespace moorline

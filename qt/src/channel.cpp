#include "channel.h"

#include <QtCore/qmath.h>

#include <algorithm>

namespace moorline {

namespace {
constexpr qint64 smallestChunk = qint64{4} * 1024;
constexpr qint64 largestChunk = qint64{256} * 1024;
// So much of one peer's is taken before it is the others' turn again.
constexpr qint64 fairShare = qint64{4} * 1024 * 1024;
} // namespace

bool Channel::attach()
{
    if (!hub_) {
        hub_ = Hub::ofThisThread();
        if (!hub_)
            return false;
        token_ = hub_->add(client_);
    }
    if (isOpen() && !watched_) {
        watched_ = hub_->watch(socket(), MOORLINE_READABLE, token_) == MOORLINE_OK;
        writableWatched_ = false;
        return watched_;
    }
    return true;
}

void Channel::detach()
{
    if (!hub_)
        return;
    if (watched_)
        hub_->unwatch(socket());
    watched_ = false;
    hub_->remove(token_);
    token_ = 0;
    hub_.reset();
}

void Channel::close()
{
    detach();
    socket_.reset();
}

SocketHandle Channel::release()
{
    detach();
    return std::move(socket_);
}

void Channel::schedule()
{
    if (!hub_ && !attach())
        return;
    hub_->schedule(token_);
}

Channel::Result Channel::receive(qint64 limit, bool untilEnd)
{
    Result result;
    chunk_ = std::max(chunk_, smallestChunk);
    for (;;) {
        const qint64 room = limit > 0 ? std::min(chunk_, limit - in.size()) : chunk_;
        if (room <= 0 || result.bytes >= fairShare) {
            result.more = true;
            return result;
        }
        // Little is received here and copied, so that the queue takes no more memory than that, and hands it out without a copy.
        char little[smallestChunk];
        const bool isLittle = room <= smallestChunk;
        char *const into = isLittle ? little : in.reserve(room);
        size_t received = 0;
        const moorline_status status = moorline_socket_receive(socket(), into, static_cast<size_t>(room), 0, &received);
        if (status != MOORLINE_OK) {
            // What was reserved in vain is not kept.
            if (in.isEmpty())
                in.clear();
            result.gone = untilEnd || status != MOORLINE_WOULD_BLOCK;
            return result;
        }
        const auto count = static_cast<qint64>(received);
        if (isLittle)
            in.append(little, count);
        else
            in.commit(count);
        result.bytes += count;
        // A short read has emptied the system's buffer, and what comes after it is told again.
        if (count < room) {
            // Next time there may be as much again.
            const auto sameAgain = static_cast<qint64>(qNextPowerOfTwo(static_cast<quint64>(result.bytes)));
            chunk_ = std::clamp(sameAgain, std::max(chunk_ / 2, smallestChunk), largestChunk);
            if (!untilEnd)
                return result;
        } else {
            chunk_ = std::min(chunk_ * 4, largestChunk);
        }
    }
}

Channel::Result Channel::send()
{
    Result result;
    while (!out.isEmpty()) {
        size_t sent = 0;
        const moorline_status status = moorline_socket_send(socket(), out.data(), static_cast<size_t>(out.size()), 0, &sent);
        out.consume(static_cast<qint64>(sent));
        result.bytes += static_cast<qint64>(sent);
        if (status == MOORLINE_OK)
            continue;
        if (status == MOORLINE_WOULD_BLOCK)
            break;
        result.gone = true;
        return result;
    }
    watchWritable(!out.isEmpty());
    return result;
}

// Only while something waits to be sent: the system would tell with every byte that the peer reads.
void Channel::watchWritable(bool writable)
{
    if (!watched_ || writable == writableWatched_)
        return;
    const quint32 interest = MOORLINE_READABLE | (writable ? quint32(MOORLINE_WRITABLE) : 0u);
    if (hub_->change(socket(), interest, token_) == MOORLINE_OK)
        writableWatched_ = writable;
}

} // namespace moorline

// How messages come and go while a MessageSocket is connected.
#include "messagesocket_p.h"

#include <utility>

namespace moorline {

namespace {
// So many messages of one peer's are told before it is the others' turn again.
constexpr int fairShare = 256;
constexpr size_t shortMessage = 4096;
} // namespace

void MessageSocketPrivate::onReady(quint32 readiness)
{
    if (readiness & MOORLINE_HANGUP)
        peerHungUp_ = true;
    // The turn that follows sends: in an event loop that a slot of messageReceived runs, too.
    if (readiness & MOORLINE_WRITABLE)
        hub_->schedule(token_);
    if (readiness & (MOORLINE_READABLE | MOORLINE_HANGUP))
        receive();
}

void MessageSocketPrivate::onTurn()
{
    const Watch watch(&watchable_);
    watchHandshake();
    if (std::exchange(unfinished_, false)) {
        // An event loop that a slot of messageReceived runs has no other turn to send in.
        hub_->schedule(token_);
        receive();
    }
    if (watch.goesOn())
        sendSome();
}

void MessageSocketPrivate::receive()
{
    const Watch watch(&watchable_);
    for (int told = 0; told < fairShare; ++told) {
        // A slot that is told of the connection may move the socket, and the message is then told in the new thread.
        if (!untold_) {
            unfinished_ = false;
            const moorline_status status = takeMessage();
            // A peer that has only ended its sending still gets what is queued, and then the connection ends.
            if (status == MOORLINE_DISCONNECTED && undrained_ && !shakesHands_ && !takesNothing_) {
                closing_ = true;
                return hub_->schedule(token_);
            }
            if (status != MOORLINE_OK && status != MOORLINE_WOULD_BLOCK)
                return end(status);
        }
        if (shakesHands_) {
            if (untold_)
                comeBack();
            tellConnected();
            if (!watch.goesOn())
                return;
        }
        if (!untold_)
            return;
        quint32 more = 1;
        (void)moorline_socket_may_have_message(socket_.get(), &more);
        unfinished_ = false;
        if (more || peerHungUp_)
            comeBack();
        emit q->messageReceived(*std::exchange(untold_, std::nullopt));
        if (!watch.goesOn() || !unfinished_)
            return;
    }
}

// For what the hub does not tell again, when it is the others' turn or in an event loop that a slot runs.
void MessageSocketPrivate::comeBack()
{
    unfinished_ = true;
    hub_->schedule(token_);
}

moorline_status MessageSocketPrivate::takeMessage()
{
    char little[shortMessage];
    size_t length = 0;
    moorline_status status = moorline_socket_receive_message(socket_.get(), little, sizeof(little), 0, &length);
    if (status == MOORLINE_OK) {
        untold_ = QByteArray(little, static_cast<qsizetype>(length));
    } else if (status == MOORLINE_BUFFER_TOO_SMALL) {
        QByteArray message(static_cast<qsizetype>(length), Qt::Uninitialized);
        status = moorline_socket_receive_message(socket_.get(), message.data(), length, 0, &length);
        if (status == MOORLINE_OK)
            untold_ = std::move(message);
    }
    return status;
}

bool MessageSocketPrivate::send(const QByteArray &message)
{
    size_t limit = 0;
    if (!isConnected() || moorline_socket_max_message(socket_.get(), &limit) != MOORLINE_OK
        || static_cast<size_t>(message.size()) > limit)
        return false;
    if (options.framing == MOORLINE_FRAMING_LINES && (message.contains('\n') || message.endsWith('\r')))
        return false;
    queue_.append(message);
    queued_ += static_cast<quint64>(message.size());
    undrained_ = true;
    schedule();
    return true;
}

quint64 MessageSocketPrivate::bytesToWrite() const
{
    moorline_socket_stats statistics = MOORLINE_SOCKET_STATS_INIT;
    const bool isKnown = moorline_socket_statistics(socket_.get(), &statistics) == MOORLINE_OK;
    return queued_ + (isKnown ? statistics.queued : 0);
}

void MessageSocketPrivate::sendSome()
{
    moorline_status status = MOORLINE_OK;
    while (status == MOORLINE_OK && !queue_.isEmpty()) {
        const QByteArray &first = queue_.first();
        status = moorline_socket_send_message(socket_.get(), first.constData(), static_cast<size_t>(first.size()), 0);
        if (status == MOORLINE_OK)
            queued_ -= static_cast<quint64>(queue_.takeFirst().size());
    }
    if (status == MOORLINE_OK)
        status = moorline_socket_flush(socket_.get(), 0);
    const bool blocked = status == MOORLINE_WOULD_BLOCK;
    if (blocked != writableWatched_) {
        writableWatched_ = blocked;
        (void)hub_->change(socket_.get(), MOORLINE_READABLE | (blocked ? quint32(MOORLINE_WRITABLE) : 0u), token_);
    }
    if (blocked)
        return;
    if (status == MOORLINE_DISCONNECTED) {
        // What the peer sent before it went comes first. It may only have ended its receiving, and then no end follows.
        takesNothing_ = true;
        const QString details = failureDetails();
        const Watch watch(&watchable_);
        receive();
        if (watch.goesOn() && !unfinished_)
            end(status, details);
        return;
    }
    if (status != MOORLINE_OK || closing_)
        return end(status);
    if (std::exchange(undrained_, false))
        emit q->drained();
}

} // namespace moorline

// How a MessageSocket gets connected, where it lives, and how its connection ends.
#include "errors.h"
#include "localsocket_p.h"
#include "messagesocket_p.h"
#include "names.h"

#include <QtCore/qabstracteventdispatcher.h>

#include <algorithm>
#include <limits>
#include <utility>

namespace moorline {

namespace {

constexpr quint64 defaultMaxMessage = quint64{16} * 1024 * 1024;
constexpr int defaultHandshakeTimeoutMs = 10000;
// A handshake that is found not to be late when its timer has expired is looked at again after so long.
constexpr int handshakeAgainMs = 10;

quint32 framingOf(MessageSocket::Framing framing)
{
    switch (framing) {
    case MessageSocket::Framing::LittleEndian:
        return MOORLINE_FRAMING_LITTLE_ENDIAN;
    case MessageSocket::Framing::Lines:
        return MOORLINE_FRAMING_LINES;
    case MessageSocket::Framing::Checked:
        return MOORLINE_FRAMING_CHECKED;
    case MessageSocket::Framing::BigEndian:
        break;
    }
    return MOORLINE_FRAMING_BIG_ENDIAN;
}

} // namespace

MessageSocketPrivate::MessageSocketPrivate(MessageSocket *object, MessageSocket::Framing framing) : q(object)
{
    options.framing = framingOf(framing);
    options.max_message = defaultMaxMessage;
    options.handshake_timeout_ms = defaultHandshakeTimeoutMs;
}

void MessageSocketPrivate::connectTo(const QString &name)
{
    drop();
    name_ = name;
    connects_ = true;
    tryToConnect();
}

void MessageSocketPrivate::tryToConnect()
{
    const NativeName native(name_, false);
    moorline_socket *handle = nullptr;
    const moorline_status status = native.connect(0, trust, &handle, &options);
    if (status == MOORLINE_OK) {
        begin(SocketHandle(handle));
    } else if (status == MOORLINE_WOULD_BLOCK) {
        retry_.start();
    } else {
        const QString failure = errorText("moorline::MessageSocket", connectError(status), failureDetails(native.full()));
        drop();
        emit q->ended(failure);
    }
}

bool MessageSocketPrivate::takeOver(LocalSocket *bytes)
{
    if (!bytes || bytes->state() != LocalSocket::ConnectedState || bytes->bytesAvailable() > 0 || bytes->bytesToWrite() > 0)
        return false;
    const Watch watch(&watchable_);
    const SocketHandle released = bytes->d->channel.release();
    intptr_t descriptor = -1;
    SocketHandle taken;
    if (moorline_socket_release_descriptor(released.get(), &descriptor) == MOORLINE_OK) {
        moorline_socket_options socketOptions = MOORLINE_SOCKET_OPTIONS_INIT;
        socketOptions.messages = &options;
        moorline_socket *handle = nullptr;
        // It fails only where there is no room for another handle, which closes the descriptor.
        if (moorline_socket_adopt_descriptor(static_cast<int>(descriptor), &socketOptions, &handle) == MOORLINE_OK)
            taken.reset(handle);
    }
    bytes->abort();
    if (!taken || !watch.isHere())
        return false;
    drop();
    begin(std::move(taken));
    return true;
}

void MessageSocketPrivate::begin(SocketHandle handle)
{
    socket_ = std::move(handle);
    shakesHands_ = options.framing == MOORLINE_FRAMING_CHECKED;
    handshakeEnd_.setRemainingTime(options.handshake_timeout_ms, Qt::PreciseTimer);
    if (!attach())
        return end(MOORLINE_LIMIT_REACHED);
    // For this side's part of the handshake.
    hub_->schedule(token_);
    tellConnected();
}

bool MessageSocketPrivate::attach()
{
    if (hub_)
        return true;
    hub_ = Hub::ofThisThread();
    if (!hub_)
        return false;
    token_ = hub_->add(this);
    writableWatched_ = false;
    if (hub_->watch(socket_.get(), MOORLINE_READABLE, token_) == MOORLINE_OK)
        return true;
    detach();
    return false;
}

void MessageSocketPrivate::detach()
{
    if (!hub_)
        return;
    hub_->unwatch(socket_.get());
    hub_->remove(token_);
    hub_.reset();
}

void MessageSocketPrivate::schedule()
{
    // It fails only in a thread that the socket has come to, which finds that out again.
    if (attach())
        hub_->schedule(token_);
}

void MessageSocketPrivate::drop()
{
    watchable_.renew();
    retry_.stop();
    handshake_.stop();
    detach();
    socket_.reset();
    queue_.clear();
    queued_ = 0;
    untold_.reset();
    connects_ = shakesHands_ = unfinished_ = peerHungUp_ = undrained_ = takesNothing_ = closing_ = false;
}

void MessageSocketPrivate::end(moorline_status status, const QString &details)
{
    const bool ordinary = status == MOORLINE_OK || (status == MOORLINE_DISCONNECTED && !undrained_ && !connects_);
    const QString failure = ordinary ? QString() : QLatin1String(moorline_status_name(status)) + QLatin1String(": ") + details;
    drop();
    emit q->ended(failure);
}

// The library finds out that the other side is late when a receive asks.
void MessageSocketPrivate::watchHandshake()
{
    QAbstractEventDispatcher *const dispatcher = QAbstractEventDispatcher::instance();
    if (!shakesHands_ || handshake_.isActive() || !dispatcher)
        return;
    const qint64 left = std::clamp<qint64>(handshakeEnd_.remainingTime(), handshakeAgainMs, std::numeric_limits<int>::max());
    handshake_.start(static_cast<int>(left), Qt::PreciseTimer, q);
    // The timers of a thread that ends are gone when it is started again. The turn there starts it anew.
    QObject::disconnect(threadEnds_);
    threadEnds_ = QObject::connect(
        dispatcher, &QObject::destroyed, q,
        [this] {
            if (!handshake_.isActive())
                return;
            handshake_.stop();
            hub_->schedule(token_);
        },
        Qt::DirectConnection);
}

// False if the timer is not ours.
bool MessageSocketPrivate::onTimer(int id)
{
    if (retry_.hasExpired(id)) {
        tryToConnect();
        return true;
    }
    if (!handshake_.isActive() || id != handshake_.timerId())
        return false;
    handshake_.stop();
    const Watch watch(&watchable_);
    receive();
    if (watch.goesOn() && shakesHands_)
        handshake_.start(handshakeAgainMs, q);
    return true;
}

// Once there is nothing left to wait for.
void MessageSocketPrivate::tellConnected()
{
    quint32 version = 0;
    if (shakesHands_ && moorline_socket_peer_application(socket_.get(), nullptr, 0, nullptr, &version) != MOORLINE_WOULD_BLOCK) {
        shakesHands_ = false;
        handshake_.stop();
    }
    if (!shakesHands_ && std::exchange(connects_, false))
        emit q->connected();
}

void MessageSocketPrivate::disconnect()
{
    if (!socket_)
        return drop();
    connects_ = false;
    closing_ = true;
    schedule();
}

void MessageSocketPrivate::leaveThread()
{
    watchable_.end();
    retry_.leaveThread();
    // As with that: the turn there starts it again.
    handshake_.stop();
    QObject::disconnect(threadEnds_);
    if (!socket_)
        return;
    // The hub is this thread's.
    detach();
    // This event goes along.
    QMetaObject::invokeMethod(
        q,
        [this, generation = watchable_.generation()] {
            if (generation == watchable_.generation())
                goOnHere();
        },
        Qt::QueuedConnection);
}

void MessageSocketPrivate::goOnHere()
{
    if (!attach())
        return end(MOORLINE_LIMIT_REACHED);
    comeBack(); // for messages that were received with others
}

} // namespace moorline

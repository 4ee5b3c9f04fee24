// How a LocalSocket gets connected.
#include "errors.h"
#include "localsocket_p.h"
#include "names.h"

#include <QtCore/qabstracteventdispatcher.h>
#include <QtCore/qtimer.h>

#include <algorithm>

namespace moorline {

namespace {
constexpr char connecting[] = "moorline::LocalSocket::connectToServer";
// How long to wait before the next try while the server's backlog is full; twice as long each time.
constexpr int shortestRetryMs = 1;
constexpr int longestRetryMs = 100;
}

void LocalSocketPrivate::connectTo(OpenMode openMode)
{
    if (state == LocalSocket::ConnectedState || state == LocalSocket::ConnectingState) {
        q->setErrorString(errorText(connecting, LocalSocket::OperationError));
    emit q->errorOccurred(LocalSocket::OperationError);
        return;
    }
    handOver(); // what a connection that is closing has not sent yet
    channel.close();
    channel.in.clear();
    channel.out.clear();
    late.forgetAll();
    ++connection_;
    const ConnectionWatch watch(this);
    q->setErrorString(QString());
    mode = openMode;
    retryMs_ = shortestRetryMs;
    written_ = 0;
    paused_ = peerHungUp_ = discards_ = false;
    setState(LocalSocket::ConnectingState);
    if (watch.holds())
        tryToConnect(0, Retry::Later);
}

// One try, after which the socket may be gone.
void LocalSocketPrivate::tryToConnect(qint64 timeoutMs, Retry retry)
{
    const NativeName name(serverName, options.value().testFlag(LocalSocket::AbstractNamespaceOption));
    moorline_socket *socket = nullptr;
    const moorline_status status = name.connect(timeoutMs, &socket);
    if (status == MOORLINE_OK) {
        fullServerName = name.full();
        becomeConnected(SocketHandle(socket));
        return;
    }
    // The backlog is full: the server is there and will have time for us.
    if (status == MOORLINE_WOULD_BLOCK || status == MOORLINE_TIMED_OUT) {
        if (retry == Retry::Later)
            connectLater();
        return;
    }

    const ConnectionWatch watch(this);
    fail(connectError(status), connecting, failureDetails(name.full()));
    if (watch.holds()) {
        isUsable = false;
        serverName.clear();
        fullServerName.clear();
        setState(LocalSocket::UnconnectedState);
    }
}

void LocalSocketPrivate::connectLater()
{
    // Without an event loop to come back to, waitForConnected() tries again.
    if (!QAbstractEventDispatcher::instance())
        return;
    QTimer::singleShot(retryMs_, q, [this, connection = connection_] {
        if (connection == connection_ && state == LocalSocket::ConnectingState)
            tryToConnect(0, Retry::Later);
    });
    retryMs_ = std::min(retryMs_ * 2, longestRetryMs);
}

void LocalSocketPrivate::becomeConnected(SocketHandle socket)
{
    const ConnectionWatch watch(this);
    channel.open(std::move(socket));
    if (!channel.attach()) {
        channel.close();
        fail(LocalSocket::SocketResourceError, connecting, failureDetails());
        if (watch.holds())
            setState(LocalSocket::UnconnectedState);
        return;
    }
    isUsable = true;
    setState(LocalSocket::ConnectedState);
    if (!watch.holds())
        return;
    unbufferedAsked = mode.testFlag(QIODevice::Unbuffered);
    // The channel is the buffer.
    if (mode != QIODevice::NotOpen)
        q->QIODevice::open(mode | QIODevice::Unbuffered);
    late.telling(LateSubscribers::Connected);
    emit q->connected();
}

bool LocalSocketPrivate::setDescriptor(qintptr descriptor, State newState, OpenMode openMode)
{
    moorline_socket *adopted = nullptr;
    moorline_status status = MOORLINE_INVALID_ARGUMENT;
    if (descriptor >= 0) {
        const BoundName bound = BoundName::of(descriptor);
        status = moorline_socket_adopt_descriptor(static_cast<int>(descriptor), nullptr, &adopted);
        if (status == MOORLINE_OK) {
            serverName = bound.name;
            fullServerName = bound.full;
        }
    }
    handOver();
    channel.close();
    channel.in.clear();
    channel.out.clear();
    late.forgetAll();
    ++connection_;
    const ConnectionWatch watch(this);
    mode = openMode;
    written_ = 0;
    paused_ = peerHungUp_ = discards_ = false;
    channel.open(SocketHandle(adopted));
    isUsable = channel.isOpen();
    unbufferedAsked = mode.testFlag(QIODevice::Unbuffered);
    if (mode != QIODevice::NotOpen)
        q->QIODevice::open(mode | QIODevice::Unbuffered);
    state = newState;
    if (channel.isOpen() && isUp())
        channel.attach();
    return status == MOORLINE_OK;
}

} // namespace moorline

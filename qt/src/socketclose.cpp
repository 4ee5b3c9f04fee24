// How a LocalSocket's connection ends, by us or by the peer.
#include "backgroundsender_p.h"
#include "errors.h"
#include "localsocket_p.h"

#include <QtCore/qobject.h>

#include <utility>

namespace moorline {

void LocalSocketPrivate::disconnect()
{
    switch (state) {
    case LocalSocket::UnconnectedState:
    case LocalSocket::ClosingState:
        break;
    case LocalSocket::ConnectingState:
        cancelConnecting();
        break;
    case LocalSocket::ConnectedState: {
        const ConnectionWatch watch(this);
        setState(LocalSocket::ClosingState);
        if (watch.goesOn() && channel.out.isEmpty())
            end(Announce::Nothing);
        break;
    }
    }
}

void LocalSocketPrivate::close()
{
    const ConnectionWatch watch(this);
    closeDevice();
    if (!watch.holds())
        return;
    channel.in.clear();
    switch (state) {
    case LocalSocket::UnconnectedState:
        isUsable = false;
        serverName.clear();
        fullServerName.clear();
        channel.close();
        break;
    case LocalSocket::ConnectingState:
        cancelConnecting();
        break;
    case LocalSocket::ConnectedState:
    case LocalSocket::ClosingState:
        discards_ = true;
        setState(LocalSocket::ClosingState);
        if (!watch.goesOn())
            return;
        if (channel.out.isEmpty()) {
            end(Announce::Nothing);
        } else {
            serverName.clear();
            fullServerName.clear();
        }
        break;
    }
}

void LocalSocketPrivate::abort()
{
    const ConnectionWatch watch(this);
    channel.in.clear();
    channel.out.clear();
    if (state == LocalSocket::ConnectingState) {
        cancelConnecting();
    } else {
        isUsable = false;
        late.forgetAll();
        end(Announce::Nothing);
    }
    if (watch.holds())
        closeDevice();
}

// What QIODevice::close() does; but that goes on with an object that a slot of its signal has deleted.
void LocalSocketPrivate::closeDevice()
{
    if (!q->isOpen())
        return;
    const ConnectionWatch watch(this);
    emit q->aboutToClose();
    if (!watch.holds())
        return;
    const QSignalBlocker blocker(q);
    q->QIODevice::close();
}

void LocalSocketPrivate::cancelConnecting()
{
    const ConnectionWatch watch(this);
    serverName.clear();
    setState(LocalSocket::UnconnectedState);
    if (watch.holds())
        emit q->readChannelFinished();
}

// The connection is over. What was received stays to be read.
void LocalSocketPrivate::end(Announce announce)
{
    const ConnectionWatch watch(this);
    if (announce == Announce::Closing && state == LocalSocket::ConnectedState) {
        setState(LocalSocket::ClosingState);
        if (!watch.goesOn())
            return;
    }
    channel.close();
    isUsable = isUsable && !discards_;
    serverName.clear();
    fullServerName.clear();
    paused_ = false;
    if (state != LocalSocket::UnconnectedState) {
        setState(LocalSocket::UnconnectedState);
        if (!watch.holds())
            return;
        late.telling(LateSubscribers::Finished);
        emit q->readChannelFinished();
        if (!watch.holds())
            return;
        late.telling(LateSubscribers::Disconnected);
        emit q->disconnected();
        if (!watch.holds())
            return;
    }
    channel.out.clear();
}

// The peer has gone, and all that it sent was received.
void LocalSocketPrivate::loseConnection(Announce announce)
{
    const ConnectionWatch watch(this);
    isUsable = false;
    fail(LocalSocket::PeerClosedError, "moorline::LocalSocket", fullServerName);
    if (!watch.goesOn() || !isUp())
        return;
    isUsable = announce == Announce::Closing && q->isOpen();
    end(announce);
}

// What is not sent yet goes on being sent when the socket has left.
void LocalSocketPrivate::handOver()
{
    if (lingerTimeout == 0 || !isUp() || !channel.isOpen() || channel.out.isEmpty())
        return;
    channel.send();
    if (channel.out.isEmpty())
        return;
    const QString name = fullServerName;
    SocketHandle socket = channel.release();
    sendInBackground(std::move(socket), std::exchange(channel.out, ByteQueue(ByteQueue::Written)), name, lingerTimeout);
}

} // namespace moorline

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
        const Watch watch(&watchable);
        setState(LocalSocket::ClosingState);
        if (watch.goesOn() && channel.out.isEmpty())
            end(Announce::Nothing);
        break;
    }
    }
}

void LocalSocketPrivate::close()
{
    const Watch watch(&watchable);
    steps_ |= TellClosing | CloseDevice | CloseConnection;
    takeSteps(watch, TellClosing | CloseDevice | CloseConnection | EndIfSent);
}

void LocalSocketPrivate::abort()
{
    const Watch watch(&watchable);
    channel.in.clear();
    channel.out.clear();
    steps_ |= TellClosing | CloseDevice;
    if (state == LocalSocket::ConnectingState) {
        cancelConnecting();
    } else {
        isUsable = false;
        late.forgetAll();
        end(Announce::Nothing);
    }
    if (watch.goesOn())
        takeSteps(watch, TellClosing | CloseDevice);
}

void LocalSocketPrivate::cancelConnecting()
{
    const Watch watch(&watchable);
    serverName.clear();
    steps_ |= TellFinished;
    setState(LocalSocket::UnconnectedState);
    if (watch.goesOn())
        takeSteps(watch, TellFinished);
    // There was nothing of which somebody could want to know later.
    if (watch.goesOn())
        late.forget(LateSubscribers::Finished);
}

// The connection is over. What was received stays to be read.
void LocalSocketPrivate::end(Announce announce)
{
    const Watch watch(&watchable);
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
    const bool wasConnected = state != LocalSocket::UnconnectedState;
    const quint32 steps = DropUnsent | (wasConnected ? quint32(TellFinished | TellDisconnected) : 0u);
    steps_ |= steps;
    setState(LocalSocket::UnconnectedState);
    if (watch.goesOn())
        takeSteps(watch, steps);
}

// The peer has gone, and all that it sent was received.
void LocalSocketPrivate::loseConnection(Announce announce)
{
    const Watch watch(&watchable);
    isUsable = false;
    // The thread that a slot moves the socket to finds it out anew.
    if (!std::exchange(lossTold_, true))
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

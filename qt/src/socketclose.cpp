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
        steps_ |= EndIfSent;
        setState(LocalSocket::ClosingState);
        if (watch.goesOn())
            takeSteps(watch, EndIfSent);
        break;
    }
    }
}

void LocalSocketPrivate::close()
{
    const Watch watch(&watchable);
    steps_ |= closing;
    takeSteps(watch, closing | EndIfSent);
}

void LocalSocketPrivate::abort()
{
    const Watch watch(&watchable);
    channel.in.clear();
    channel.out.clear();
    steps_ |= CallClose;
    if (state == LocalSocket::ConnectingState) {
        cancelConnecting();
    } else {
        isUsable = false;
        late.forgetAll();
        end();
    }
    if (watch.goesOn())
        takeSteps(watch, CallClose | closing);
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
void LocalSocketPrivate::end()
{
    const Watch watch(&watchable);
    // Of a peer that has only ended its sending; one that has gone takes nothing, which a send finds out.
    if (!takesNothing_ && !channel.out.isEmpty() && channel.isOpen() && !channel.send().gone)
        handOver();
    channel.close();
    isUsable = isUsable && q->isOpen();
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
    // A wait in a slot that is being told of it comes here again, and only goes on with what is left.
    if (!(steps_ & End)) {
        isUsable = false;
        steps_ |= announce == Announce::Closing ? BecomeClosing | End : End;
        fail(LocalSocket::PeerClosedError, "moorline::LocalSocket", fullServerName);
    }
    if (watch.goesOn())
        takeSteps(watch, BecomeClosing | End);
}

// Slots are being told that it ends, and when they have run it does: an event loop that one of them runs leaves it at that, so that
// others are told of all in order, and the socket is there until all are told.
bool LocalSocketPrivate::isEnding() const
{
    return (steps_ & End) || ((steps_ & EndIfSent) && channel.out.isEmpty());
}

// What is not sent yet goes on being sent when the socket has left.
void LocalSocketPrivate::handOver()
{
    if (lingerTimeout == 0 || !isUp() || !channel.isOpen() || channel.out.isEmpty())
        return;
    // A forked child's copy of what its parent has written: the peer gets that from the parent.
    if (writtenAfterForks_ != forksSoFar())
        return;
    channel.send();
    if (channel.out.isEmpty())
        return;
    const QString name = fullServerName;
    SocketHandle socket = channel.release();
    sendInBackground(std::move(socket), std::exchange(channel.out, ByteQueue(ByteQueue::Written)), name, lingerTimeout);
}

} // namespace moorline

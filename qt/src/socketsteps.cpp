// What is left of a change of states when slots that were told of it have run, and what goes on in the thread that one of them has moved
// the socket to.
#include "errors.h"
#include "localsocket_p.h"

#include <QtCore/qobject.h>

#include <utility>

namespace moorline {

// Takes those of these steps that are to be taken. To be called only of an object that is there; a step may be the end of it.
void LocalSocketPrivate::takeSteps(const Watch &watch, quint32 steps)
{
    while (watch.goesOn() && (steps_ & steps) != 0) {
        const quint32 left = steps_ & steps;
        const quint32 first = left & (~left + 1);
        steps_ &= ~first;
        take(Step(first));
    }
}

void LocalSocketPrivate::take(Step step)
{
    switch (step) {
    case GiveUpConnecting:
        // As QLocalSocket, which closes then: the device may be open still, from the connection before.
        steps_ |= CallClose;
        if (state == LocalSocket::ConnectingState) {
            state = LocalSocket::UnconnectedState;
            steps_ |= TellGivenUp;
        }
        break;
    case TellConnected:
        if (!isUp())
            break;
        openDevice();
        resumeReading();
        late.telling(LateSubscribers::Connected);
        emit q->connected();
        break;
    case BecomeClosing:
        if (!isUp())
            break;
        isUsable = q->isOpen();
        setState(LocalSocket::ClosingState);
        break;
    case End:
        if (isUp())
            end();
        break;
    case TellFinished:
        late.telling(LateSubscribers::Finished);
        emit q->readChannelFinished();
        break;
    case TellDisconnected:
        late.telling(LateSubscribers::Disconnected);
        emit q->disconnected();
        break;
    case DropUnsent:
        channel.out.clear();
        break;
    // As QLocalSocket does it: a subclass may have a close() of its own.
    case CallClose:
        q->close();
        break;
    // The two are what QIODevice::close() does; but that goes on with an object that a slot of its signal has deleted.
    case TellClosing:
        if (q->isOpen())
            emit q->aboutToClose();
        break;
    case CloseDevice:
        if (q->isOpen()) {
            const QSignalBlocker blocker(q);
            // Not every Qt keeps the error's text there, and what went wrong is still to be asked for.
            const QString text = q->errorString();
            q->QIODevice::close();
            q->setErrorString(text);
        }
        break;
    case CloseConnection:
        channel.in.clear();
        if (state == LocalSocket::UnconnectedState) {
            isUsable = false;
            serverName.clear();
            fullServerName.clear();
            channel.close();
        } else if (state == LocalSocket::ConnectingState) {
            cancelConnecting();
        } else {
            discards_ = true;
            steps_ |= EndIfSent;
            setState(LocalSocket::ClosingState);
        }
        break;
    case TellGivenUp:
        emit q->stateChanged(state);
        break;
    case EndIfSent:
        if (!isUp())
            break;
        if (channel.out.isEmpty()) {
            end();
        } else if (discards_) {
            serverName.clear();
            fullServerName.clear();
        }
        break;
    }
}

void LocalSocketPrivate::leaveThread()
{
    watchable.end();
    // The slots that run meanwhile are no longer in the way of others.
    emittingReadyRead_ = emittingBytesWritten_ = false;
    late.leaveThread();
    // The hub is this thread's.
    channel.detach();
    // This event goes along.
    QMetaObject::invokeMethod(
        q,
        [this, generation = watchable.generation()] {
            if (generation == watchable.generation())
                goOnHere();
        },
        Qt::QueuedConnection);
    // After that, which tries at once.
    retry_.leaveThread();
}

void LocalSocketPrivate::goOnHere()
{
    const Watch watch(&watchable);
    takeSteps(watch, ~quint32(0));
    if (watch.goesOn() && state == LocalSocket::ConnectingState && connects_ && !retry_.isRunning())
        tryToConnect(0, Retry::Later);
    // What a slot had kept from being told.
    if (watch.goesOn())
        emitBytesWritten(0, watch);
    if (watch.goesOn() && arrivals != toldArrivals_ && q->bytesAvailable() > 0)
        emitReadyRead(watch);
    if (!watch.goesOn() || !isUp() || !channel.isOpen())
        return;
    if (channel.attach()) {
        channel.schedule();
        return;
    }
    fail(LocalSocket::SocketResourceError, "moorline::LocalSocket", failureDetails());
    if (watch.goesOn())
        end();
}

} // namespace moorline

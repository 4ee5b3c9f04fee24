// The wait functions of LocalSocket: they look at the socket itself, so they need no event loop.
#include "errors.h"
#include "localsocket_p.h"

#include <QtCore/qdeadlinetimer.h>

namespace moorline {

// Waits for the socket, and deals with what happened. The connection may have ended then, or the socket be gone.
LocalSocketPrivate::Waited LocalSocketPrivate::waitFor(quint32 interest, const QDeadlineTimer &deadline)
{
    quint32 ready = 0;
    const moorline_status status = moorline_socket_wait(channel.socket(), interest, deadline.remainingTime(), &ready);
    if (status == MOORLINE_TIMED_OUT || status == MOORLINE_WOULD_BLOCK)
        return Waited::TimedOut;
    if (status != MOORLINE_OK)
        ready = MOORLINE_READABLE;
    if (ready & MOORLINE_HANGUP)
        peerHungUp_ = true;
    // Bytes first: the end that follows them is for the next wait, or for the event loop.
    return handle(ready, false) ? Waited::Ready : Waited::Gone;
}

// A peer that goes on with something else does not keep the caller longer; one that has gone has little left.
bool LocalSocketPrivate::isLate(Waited waited, const QDeadlineTimer &deadline) const
{
    const bool isSoonOver = peerHungUp_ && !peerFinished_;
    return waited == Waited::TimedOut || (waited == Waited::Ready && !isSoonOver && deadline.hasExpired());
}

quint32 LocalSocketPrivate::wantedNow() const
{
    return (isFull() || peerFinished_ ? 0u : quint32(MOORLINE_READABLE))
        | (channel.out.isEmpty() ? 0u : quint32(MOORLINE_WRITABLE));
}

void LocalSocketPrivate::tellTimeout(const char *where)
{
    const Watch watch(&watchable);
    fail(LocalSocket::SocketTimeoutError, where, fullServerName);
    // Who waits knows it by the answer, and the connection goes on: it is nothing for somebody who comes later.
    if (watch.goesOn())
        late.forget(LateSubscribers::Error);
}

bool LocalSocketPrivate::waitForConnected(const QDeadlineTimer &deadline)
{
    // Not in a slot that is just told of the failure, nor for a descriptor that its owner connects.
    if (state == LocalSocket::ConnectingState && connects_ && !(steps_ & GiveUpConnecting)) {
        const Watch watch(&watchable);
        tryToConnect(deadline.remainingTime(), Retry::No);
        if (!watch.isHere())
            return false;
    }
    late.forget(LateSubscribers::Connected);
    return state == LocalSocket::ConnectedState;
}

bool LocalSocketPrivate::waitForReadyRead(const QDeadlineTimer &deadline)
{
    if (state == LocalSocket::ConnectingState && !waitForConnected(deadline))
        return false;
    const Watch watch(&watchable);
    const quint64 before = arrivals;
    // A full buffer gets no more until something is read.
    while (isUp() && !isFull() && !peerFinished_) {
        const Waited waited = waitFor(wantedNow(), deadline);
        if (!watch.goesOn())
            return false;
        if (arrivals != before) {
            late.forget(LateSubscribers::ReadyRead);
            return true;
        }
        if (isLate(waited, deadline)) {
            tellTimeout("moorline::LocalSocket::waitForReadyRead");
            return false;
        }
    }
    return false;
}

bool LocalSocketPrivate::waitForBytesWritten(const QDeadlineTimer &deadline)
{
    if (state == LocalSocket::UnconnectedState) {
        qWarning("moorline::LocalSocket::waitForBytesWritten() is not allowed in UnconnectedState");
        return false;
    }
    if (state == LocalSocket::ConnectingState && !waitForConnected(deadline))
        return false;
    const Watch watch(&watchable);
    const quint64 before = departures;
    while (isUp() && !channel.out.isEmpty()) {
        const Waited waited = waitFor(wantedNow(), deadline);
        if (!watch.goesOn())
            return false;
        if (departures != before)
            return true;
        if (isLate(waited, deadline)) {
            tellTimeout("moorline::LocalSocket::waitForBytesWritten");
            return false;
        }
        if (peerHungUp_ && isFull()) // nothing will ever be sent, and the end comes when the buffer is read
            return false;
    }
    return false;
}

bool LocalSocketPrivate::waitForDisconnected(const QDeadlineTimer &deadline)
{
    if (state == LocalSocket::UnconnectedState) {
        qWarning("moorline::LocalSocket::waitForDisconnected() is not allowed in UnconnectedState");
        return false;
    }
    if (state == LocalSocket::ConnectingState && !waitForConnected(deadline))
        return false;
    const Watch watch(&watchable);
    while (isUp() && watch.goesOn()) {
        const quint32 wanted = wantedNow();
        // A full buffer hides the end until it is read.
        const bool isHidden = wanted == 0 || (peerHungUp_ && isFull());
        const Waited waited = isHidden ? Waited::TimedOut : waitFor(wanted, deadline);
        if (!watch.isHere())
            return false;
        if (watch.goesOn() && isLate(waited, deadline)) {
            tellTimeout("moorline::LocalSocket::waitForDisconnected");
            return false;
        }
    }
    late.forget(LateSubscribers::Disconnected);
    return true;
}

} // namespace moorline

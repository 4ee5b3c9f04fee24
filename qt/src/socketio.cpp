// How bytes come and go while a LocalSocket is connected.
#include "localsocket_p.h"

#include <utility>

namespace moorline {

void LocalSocketPrivate::onReady(quint32 readiness)
{
    if (readiness & MOORLINE_HANGUP)
        peerHungUp_ = true;
    // The turn that follows sends: in an event loop that a slot of readyRead runs, too.
    if ((readiness & MOORLINE_WRITABLE) && !channel.out.isEmpty())
        channel.schedule();
    if (isEnding() || isBeginning()) {
        // It is told once: a slot that writes has the connection go on, and there is a time to read when its begin is told.
        paused_ = true;
        return;
    }
    handle(readiness & ~quint32(MOORLINE_WRITABLE), peerHungUp_);
}

// Deals with what the system says; takes bytes up to the end of the connection, or only what is there at once. False if
// the connection has ended, or the socket with it.
bool LocalSocketPrivate::handle(quint32 readiness, bool untilEnd)
{
    const Watch watch(&watchable);
    if (readiness & (MOORLINE_READABLE | MOORLINE_HANGUP)) {
        takeBytes(untilEnd, Announce::Closing, watch);
        if (!watch.goesOn() || !isUp())
            return false;
    }
    if ((readiness & MOORLINE_WRITABLE) && !channel.out.isEmpty()) {
        sendSome(Announce::Closing, watch);
        return watch.goesOn() && isUp();
    }
    return true;
}

void LocalSocketPrivate::onTurn()
{
    if (!isUp() || isEnding() || isBeginning() || !channel.attach())
        return;
    const Watch watch(&watchable);
    // With nothing to send, too, if it was left at that by a slot that moved the socket to this thread.
    if (!channel.out.isEmpty() || state == LocalSocket::ClosingState) {
        // An event loop that a slot of bytesWritten runs has no other turn to read in.
        resumeReading();
        sendSome(Announce::Closing, watch);
    }
    if (watch.goesOn() && isUp() && paused_ && !isFull())
        takeBytes(peerHungUp_, Announce::Closing, watch);
}

// Takes what has come, and tells.
void LocalSocketPrivate::takeBytes(bool untilEnd, Announce announce, const Watch &watch)
{
    paused_ = isFull();
    if (paused_)
        return;
    const Channel::Result result = channel.receive(readBufferSize, untilEnd);
    // What nobody can read is taken all the same, to notice the end.
    const bool isRead = !discards_ && mode.testFlag(QIODevice::ReadOnly);
    if (!isRead)
        channel.in.clear();
    // The hub tells of nothing twice, so somebody has to come back for what is left and for the end: an event loop that a slot runs, if
    // there is one.
    paused_ = result.more || result.gone || peerHungUp_;
    resumeReading();
    if (isRead && result.bytes > 0) {
        ++arrivals;
        emitReadyRead(watch);
        if (!watch.goesOn() || !isUp())
            return;
    }
    if (result.gone)
        finishReceiving(announce, watch);
}

// The peer sends no more, or has gone. In the former case it still gets what was written: of a connection that closes when that is sent
// all of it, and of another what the system takes now, and what it takes later from the background.
void LocalSocketPrivate::finishReceiving(Announce announce, const Watch &watch)
{
    if (!takesNothing_ && !channel.out.isEmpty()) {
        sendSome(announce, watch);
        if (!watch.goesOn() || !isUp())
            return;
        if (state == LocalSocket::ClosingState && !isEnding()) {
            peerFinished_ = true;
            paused_ = false;
            return;
        }
    }
    loseConnection(announce);
}

void LocalSocketPrivate::resumeReading()
{
    if (paused_ && !isFull())
        channel.schedule();
}

void LocalSocketPrivate::emitReadyRead()
{
    emitReadyRead(Watch(&watchable));
}

void LocalSocketPrivate::emitReadyRead(const Watch &watch)
{
    // What comes while a slot runs is told when that has returned, not inside it.
    if (emittingReadyRead_)
        return;
    emittingReadyRead_ = true;
    do {
        toldArrivals_ = arrivals;
        emit q->readyRead();
        if (!watch.isHere())
            return;
        // Where all was read somebody has heard it. It comes too often to ask each time who is connected, which takes a lock; and
        // disconnectNotify(), which would tell who leaves, is called by the thread that deletes the receiver, also when nothing but
        // QIODevice is left of the socket.
        if (channel.in.isEmpty())
            late.forget(LateSubscribers::ReadyRead);
        else
            late.telling(LateSubscribers::ReadyRead);
    } while (arrivals != toldArrivals_ && q->bytesAvailable() > 0);
    emittingReadyRead_ = false;
}

// Until nothing is left or the system takes no more: what slots of bytesWritten write belongs to it.
bool LocalSocketPrivate::flush()
{
    const Watch watch(&watchable);
    bool any = false;
    while (watch.goesOn() && isUp() && !channel.out.isEmpty() && sendSome(Announce::Nothing, watch) > 0)
        any = true;
    return any;
}

// Sends what the system takes, and tells.
qint64 LocalSocketPrivate::sendSome(Announce announce, const Watch &watch)
{
    const Channel::Result result = channel.send();
    if (result.bytes > 0) {
        ++departures;
        // An event loop that a slot runs comes back for the end.
        if (result.gone || (state == LocalSocket::ClosingState && channel.out.isEmpty()))
            channel.schedule();
        emitBytesWritten(result.bytes, watch);
        if (!watch.goesOn() || !isUp())
            return result.bytes;
    }
    if (result.gone) {
        // Who finds it out by writing, before the system tells that the peer has gone, is not told of ClosingState, as with QLocalSocket.
        if (!std::exchange(peerHungUp_, true))
            announce = Announce::Nothing;
        takesNothing_ = true;
        // What the peer sent before it went comes first.
        takeBytes(true, announce, watch);
    } else if (state == LocalSocket::ClosingState && channel.out.isEmpty()) {
        end();
    }
    return result.bytes;
}

void LocalSocketPrivate::emitBytesWritten(qint64 bytes, const Watch &watch)
{
    written_ += bytes;
    // What a slot flushes is told when that has returned, not inside it.
    if (emittingBytesWritten_)
        return;
    emittingBytesWritten_ = true;
    while (written_ > 0) {
        emit q->bytesWritten(std::exchange(written_, 0));
        if (!watch.isHere())
            return;
    }
    emittingBytesWritten_ = false;
}

} // namespace moorline

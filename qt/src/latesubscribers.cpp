#include "latesubscribers.h"

#include "localsocket_p.h"

#include <moorline/qt/options.h>

#include <QtCore/qmetaobject.h>
#include <QtCore/qthread.h>

#include <utility>

namespace moorline {

namespace {

struct Told {
    LateSubscribers::Event event;
    QMetaMethod signal;
};

const std::array<Told, 5> &toldSignals()
{
    static const std::array<Told, 5> all = {{
        {LateSubscribers::Connected, QMetaMethod::fromSignal(&LocalSocket::connected)},
        {LateSubscribers::ReadyRead, QMetaMethod::fromSignal(&QIODevice::readyRead)},
        {LateSubscribers::Error, QMetaMethod::fromSignal(&LocalSocket::errorOccurred)},
        {LateSubscribers::Finished, QMetaMethod::fromSignal(&QIODevice::readChannelFinished)},
        {LateSubscribers::Disconnected, QMetaMethod::fromSignal(&LocalSocket::disconnected)},
    }};
    return all;
}

const QMetaMethod &signalOf(LateSubscribers::Event event)
{
    for (const Told &told : toldSignals()) {
        if (told.event == event)
            return told.signal;
    }
    Q_UNREACHABLE();
}

} // namespace

LateSubscribers::LateSubscribers(LocalSocket *socket) : socket_(socket), on_(!qt::isStrict())
{
}

void LateSubscribers::telling(Event event)
{
    if (!on_)
        return;
    if (socket_->isSignalConnected(signalOf(event)))
        missed_ &= ~quint32(event);
    else
        missed_ |= event;
}

void LateSubscribers::connected(const QMetaMethod &signal)
{
    if (!on_)
        return;
    for (const Told &told : toldSignals()) {
        if (told.signal != signal)
            continue;
        const Event event = told.event;
        if (QThread::currentThread() == socket_->thread())
            want(event);
        else
            QMetaObject::invokeMethod(socket_, [this, event] { want(event); }, Qt::QueuedConnection);
    }
}

void LateSubscribers::want(quint32 events)
{
    events &= missed_;
    if (!events)
        return;
    // From the event loop, when the caller has connected its other signals too.
    if (wanted_ == 0)
        QMetaObject::invokeMethod(socket_, [this] { replay(); }, Qt::QueuedConnection);
    wanted_ |= events;
}

void LateSubscribers::leaveThread()
{
    want(std::exchange(untold_, 0));
}

void LateSubscribers::replay()
{
    const Watch watch(&socket_->d->watchable);
    untold_ |= std::exchange(wanted_, 0);
    for (const Told &told : toldSignals()) {
        const bool isWanted = untold_ & told.event;
        untold_ &= ~quint32(told.event);
        // A slot may have made what was missed a matter of the past.
        if (!isWanted || !(missed_ & told.event))
            continue;
        forget(told.event);
        if (told.event == ReadyRead) {
            if (socket_->bytesAvailable() > 0)
                socket_->d->emitReadyRead();
        } else if (told.event == Error) {
            emit socket_->errorOccurred(socket_->error());
        } else {
            told.signal.invoke(socket_, Qt::DirectConnection);
        }
        if (!watch.isHere())
            return;
    }
}

} // namespace moorline

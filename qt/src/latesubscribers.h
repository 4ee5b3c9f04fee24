// What a socket's signals told when nobody listened.
#ifndef MOORLINE_QT_LATESUBSCRIBERS_H
#define MOORLINE_QT_LATESUBSCRIBERS_H

#include <QtCore/qglobal.h>

QT_BEGIN_NAMESPACE
class QMetaMethod;
QT_END_NAMESPACE

namespace moorline {

class LocalSocket;

/// Whoever connects to a signal after its event gets the event then, from the event loop, provided that nobody was
/// connected when it happened. So a socket that was connected, got data or ended before the caller looked at it is
/// noticed all the same. It ends with the connection that it is about.
class LateSubscribers {
public:
    explicit LateSubscribers(LocalSocket *socket);

    /// In the order in which they are told again.
    enum Event : quint32 { Connected = 1, ReadyRead = 2, Error = 4, Finished = 8, Disconnected = 16 };

    /// The signal is being emitted: remembers it if nobody is connected.
    void telling(Event event);
    /// Somebody knows of it by other means.
    void forget(Event event) { missed_ &= ~quint32(event); }
    /// The connection is of no interest any more.
    void forgetAll() { missed_ = 0; }
    /// The socket is being moved from the calling thread to another, where what is not told again yet will be.
    void leaveThread();
    /// Somebody has connected to a signal. Any thread.
    void connected(const QMetaMethod &signal);

private:
    void want(quint32 events);
    void replay();

    LocalSocket *const socket_;
    const bool on_;
    quint32 missed_ = 0;
    quint32 wanted_ = 0;
    quint32 untold_ = 0; ///< Of those that are being told again, the ones still to come.
};

} // namespace moorline

#endif

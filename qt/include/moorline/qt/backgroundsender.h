// Tells what becomes of bytes whose socket was deleted before they were sent.
#ifndef MOORLINE_QT_BACKGROUNDSENDER_H
#define MOORLINE_QT_BACKGROUNDSENDER_H

#include <moorline/qt/global.h>

#include <QtCore/qobject.h>

namespace moorline {

/// What a LocalSocket has not sent when it is deleted, or when its peer ends its sending but may still receive, goes on being sent in the
/// background, until its linger timeout ends. This tells how that ends. There is one for the process; the thread that sends exists only
/// while there is something to send.
/// A process that ends in the ordinary way waits for it, which no linger timeout exceeds; also for sockets of static objects, of which
/// nobody is told any more if others were sent for before.
class MOORLINE_QT_EXPORT BackgroundSender : public QObject {
    Q_OBJECT

public:
    /// The one of the process. Any thread.
    static BackgroundSender *instance();

    /// Waits until nothing is left to send; false if that took longer. A negative time is for ever. Any thread.
    bool waitForFinished(int msecs = -1);

Q_SIGNALS:
    /// A deleted socket's bytes were sent, or given up: `unsent` of them, because the peer has gone or the timeout has passed.
    /// Emitted in the sending thread, so slots of objects in other threads are called from their event loops; in the thread that
    /// deletes the socket if the system has no other to give, and then after a single try to send. Only of
    /// bytes that the system did not take at once.
    void finished(const QString &fullServerName, qint64 sent, qint64 unsent);

private:
    BackgroundSender();
    ~BackgroundSender() override;
};

} // namespace moorline

#endif

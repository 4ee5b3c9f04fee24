// moorline::qt::Service: a server on threads of its own, with its events as signals.
#ifndef MOORLINE_QT_SERVICE_H
#define MOORLINE_QT_SERVICE_H

#include <moorline/qt/global.h>

#include <QtCore/qbytearray.h>
#include <QtCore/qobject.h>
#include <QtCore/qstring.h>

#include <memory>

namespace moorline::qt {

class ServicePrivate;

/// What a service did from its start to its stop.
struct ServiceReport {
    quint64 accepted = 0; ///< Connections.
    quint64 refused = 0; ///< Connections beyond the limit.
    quint64 openAtStop = 0; ///< Connections.
    quint64 received = 0; ///< Bytes.
    quint64 sent = 0; ///< Bytes.
    quint64 unsent = 0; ///< Bytes that were queued, and that no peer got.
};

/// A service of the library. Its threads read and write; its signals are emitted in the thread of this object, from the event
/// loop, in the order of what happened to a connection. What was received and not told yet is bounded: the service then reads
/// no more, and its peers wait. A connection whose peer ends its sending is closed when the slots were told of all that came, and, where a
/// send has found no room, of the drained() after which none did: what they send until then arrives.
///
/// The functions may be called from the object's thread; send() and the two that end a connection from any.
class MOORLINE_QT_EXPORT Service : public QObject {
    Q_OBJECT

public:
    /// A connection, for as long as the service lives: an id is never used twice.
    using Connection = quint64;

    /// A service that is not started.
    explicit Service(QObject *parent = nullptr);
    /// Stops the service and drops what is queued.
    ~Service() override;

    /// Threads; 1 by default. For the next start.
    void setWorkers(quint32 workers);
    /// Connections at once, more are closed as soon as they come; 0, the default, for no limit. For the next start.
    void setMaxConnections(quint32 connections);
    /// Bytes queued to one peer at most; 1 MiB by default. For the next start.
    void setQueueLimit(quint64 bytes);

    /// Starts the service under a name as LocalServer::listen() takes it. It listens when this returns true; otherwise
    /// errorString() tells why not. Only the same user can connect.
    bool start(const QString &name);
    /// Whether it is started.
    bool isRunning() const;
    /// The full path that it was started under.
    QString fullServerName() const;
    /// Why the last start() failed; empty if it did not.
    QString errorString() const;

    /// Stops the service: what is queued is sent for so many milliseconds at most; -1 for ever. Signals of what happened
    /// until then come still. Blocks until then.
    ServiceReport stop(int timeoutMs = 5000);

    /// Queues all of the data or none of it, and does not wait. False if the queue has no room for it now, in which case drained() tells
    /// when to try again; if it is more than the limit; or if the connection has ended.
    bool send(Connection connection, const QByteArray &data);
    /// Sends what is queued, then ends the connection.
    void closeConnection(Connection connection);
    /// Ends the connection at once.
    void abortConnection(Connection connection);

Q_SIGNALS:
    /// The first signal of a connection.
    void connected(quint64 connection);
    /// Some bytes came.
    void received(quint64 connection, const QByteArray &data);
    /// The last signal of a connection. The reason is in the library's words: "DISCONNECTED" if the peer has gone,
    /// or had ended its sending before this side closed the connection.
    void disconnected(quint64 connection, const QString &reason);
    /// More is queued than the peer takes, or a send has found no room; nothing is read from it until drained().
    void congested(quint64 connection, quint64 queuedBytes);
    /// What was queued has gone out but for this: go on.
    void drained(quint64 connection, quint64 queuedBytes);

private:
    Q_DISABLE_COPY(Service)
    const std::unique_ptr<ServicePrivate> d;
};

} // namespace moorline::qt

#endif

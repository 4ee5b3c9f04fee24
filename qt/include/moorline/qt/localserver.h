// moorline::LocalServer, a drop-in for QLocalServer.
#ifndef MOORLINE_QT_LOCALSERVER_H
#define MOORLINE_QT_LOCALSERVER_H

#include <moorline/qt/global.h>

#include <QtCore/qobject.h>
#include <QtCore/qproperty.h>
#include <QtNetwork/qabstractsocket.h>

#include <memory>

namespace moorline {

class LocalSocket;
class LocalServerPrivate;

/// A local server with the interface and the behaviour of QLocalServer; Qt's documentation of that class holds here.
///
/// The differences, each of them on purpose, are in docs/migrating-from-qlocalsocket.md. As any QObject it belongs to one
/// thread; it may be moved to another one, and deleted, at any time, also in a slot of its own signals.
class MOORLINE_QT_EXPORT LocalServer : public QObject {
    Q_OBJECT
    Q_PROPERTY(SocketOptions socketOptions READ socketOptions WRITE setSocketOptions BINDABLE bindableSocketOptions)

Q_SIGNALS:
    /// A connection is pending: nextPendingConnection() has it.
    void newConnection();

    /// A connection could not be accepted, for example for lack of descriptors. The server keeps listening and tries again
    /// by itself. Emitted once until an accept succeeds again. QLocalServer has no such signal; QTcpServer has.
    void acceptError(QAbstractSocket::SocketError socketError);

public:
    /// Who may connect, by the permissions of the socket file, and where the name lives; flags.
    enum SocketOption {
        NoOptions = 0x0,
        UserAccessOption = 0x01,
        GroupAccessOption = 0x2,
        OtherAccessOption = 0x4,
        WorldAccessOption = 0x7,
        AbstractNamespaceOption = 0x8
    };
    Q_ENUM(SocketOption)
    Q_DECLARE_FLAGS(SocketOptions, SocketOption)
    Q_FLAG(SocketOptions)

    /// A server that does not listen yet.
    explicit LocalServer(QObject *parent = nullptr);
    ~LocalServer() override;

    /// Listens no longer, and gives the name back. Connections that are pending are deleted, those that have stayed in another thread
    /// there, by its event loop.
    void close();
    /// The last error as text; empty if there was none.
    QString errorString() const;
    /// Whether nextPendingConnection() has one.
    virtual bool hasPendingConnections() const;
    /// Whether it listens.
    bool isListening() const;
    /// Listens under a name. False if it cannot: serverError() and errorString() tell why. A name that is in use is
    /// not taken.
    bool listen(const QString &name);
    /// Listens on a socket of the caller's that is bound and listens already, and takes it over. False if it
    /// cannot.
    bool listen(qintptr socketDescriptor);
    /// How many connections may be pending; beyond that none is accepted. 30 by default.
    int maxPendingConnections() const;
    /// The next connection that is pending, as a child of the server unless setSocketsParented() says otherwise;
    /// null if there is none.
    virtual LocalSocket *nextPendingConnection();
    /// The name that it listens under, as it was given; empty while it does not listen.
    QString serverName() const;
    /// The full path, or the abstract name; empty while it does not listen.
    QString fullServerName() const;
    /// Removes what a server has left at a name, a live one's too. False if there is something else, or it may not
    /// be removed.
    static bool removeServer(const QString &name);
    /// The last error.
    QAbstractSocket::SocketError serverError() const;
    /// Sets how many connections may be pending.
    void setMaxPendingConnections(int numConnections);
    /// Blocks until a connection is pending, for at most so many milliseconds; -1 for ever. False if none came;
    /// `timedOut` tells whether for that reason.
    bool waitForNewConnection(int msec = 0, bool *timedOut = nullptr);

    /// Sets how many connections the system keeps before they are accepted; 0 is taken as 1. For the next listen().
    void setListenBacklogSize(int size);
    /// How many connections the system keeps before they are accepted. 50 by default.
    int listenBacklogSize() const;

    /// Sets who may connect and where names live. For the next listen().
    void setSocketOptions(SocketOptions options);
    /// Who may connect and where names live.
    SocketOptions socketOptions() const;
    /// The property as a bindable one.
    QBindable<SocketOptions> bindableSocketOptions();

    /// The descriptor that it listens on, still the server's; -1 while it does not listen.
    qintptr socketDescriptor() const;

    // What QLocalServer does not have.

    /// Whether the sockets that nextPendingConnection() hands out are the server's children, as they are by default. Those
    /// that are not can be moved to other threads, and are the caller's to delete; while they wait to be handed out they stay in the
    /// thread that accepted them, also when the server is moved.
    void setSocketsParented(bool parented);
    /// Whether they are.
    bool socketsParented() const;

protected:
    /// Makes a LocalSocket of a new connection and queues it. One that a derived class makes itself it may hand out
    /// itself.
    virtual void incomingConnection(quintptr socketDescriptor);
    /// Of QObject.
    bool event(QEvent *event) override;
    /// Of QObject.
    void connectNotify(const QMetaMethod &signal) override;

private:
    friend class LocalServerPrivate;
    Q_DISABLE_COPY(LocalServer)
    const std::unique_ptr<LocalServerPrivate> d;
};

Q_DECLARE_OPERATORS_FOR_FLAGS(LocalServer::SocketOptions)

} // namespace moorline

#endif

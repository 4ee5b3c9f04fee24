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
/// thread. It may be deleted at any time, also in a slot of its own signals.
class MOORLINE_QT_EXPORT LocalServer : public QObject {
    Q_OBJECT
    Q_PROPERTY(SocketOptions socketOptions READ socketOptions WRITE setSocketOptions
               BINDABLE bindableSocketOptions)

Q_SIGNALS:
    void newConnection();

    /// A connection could not be accepted, for example for lack of descriptors. The server keeps listening and tries again
    /// by itself. Emitted once until an accept succeeds again. QLocalServer has no such signal; QTcpServer has.
    void acceptError(QAbstractSocket::SocketError socketError);

public:
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

    explicit LocalServer(QObject *parent = nullptr);
    ~LocalServer() override;

    void close();
    QString errorString() const;
    virtual bool hasPendingConnections() const;
    bool isListening() const;
    bool listen(const QString &name);
    bool listen(qintptr socketDescriptor);
    int maxPendingConnections() const;
    virtual LocalSocket *nextPendingConnection();
    QString serverName() const;
    QString fullServerName() const;
    static bool removeServer(const QString &name);
    QAbstractSocket::SocketError serverError() const;
    void setMaxPendingConnections(int numConnections);
    bool waitForNewConnection(int msec = 0, bool *timedOut = nullptr);

    void setListenBacklogSize(int size);
    int listenBacklogSize() const;

    void setSocketOptions(SocketOptions options);
    SocketOptions socketOptions() const;
    QBindable<SocketOptions> bindableSocketOptions();

    qintptr socketDescriptor() const;

    // What QLocalServer does not have.

    /// Whether the sockets that nextPendingConnection() hands out are the server's children, as they are by default. Those
    /// that are not can be moved to other threads, and are the caller's to delete.
    void setSocketsParented(bool parented);
    bool socketsParented() const;

protected:
    virtual void incomingConnection(quintptr socketDescriptor);
    bool event(QEvent *event) override;
    void connectNotify(const QMetaMethod &signal) override;

private:
    friend class LocalServerPrivate;
    Q_DISABLE_COPY(LocalServer)
    const std::unique_ptr<LocalServerPrivate> d;
};

Q_DECLARE_OPERATORS_FOR_FLAGS(LocalServer::SocketOptions)

} // namespace moorline

#endif

// moorline::LocalSocket, a drop-in for QLocalSocket.
#ifndef MOORLINE_QT_LOCALSOCKET_H
#define MOORLINE_QT_LOCALSOCKET_H

#include <moorline/qt/global.h>

#include <QtCore/qdebug.h>
#include <QtCore/qiodevice.h>
#include <QtCore/qproperty.h>
#include <QtNetwork/qabstractsocket.h>

#include <memory>
#include <optional>

namespace moorline {

class LocalServer;
class LocalSocketPrivate;
class MessageSocket;

/// Who is at the other end of a socket, as the system tells.
struct PeerCredentials {
    quint32 uid; ///< The user.
    quint32 gid; ///< The group.
    qint64 pid; ///< The process that connected, or that listened.
};

/// A local socket with the interface and the behaviour of QLocalSocket; Qt's documentation of that class holds here.
///
/// The differences, each of them on purpose, are in docs/migrating-from-qlocalsocket.md. As any QObject it belongs to one
/// thread; it may be moved to another one, connected or not. Nothing blocks but the wait functions, each until its
/// deadline. It may be deleted at any time, also in a slot of its own signals.
class MOORLINE_QT_EXPORT LocalSocket : public QIODevice {
    Q_OBJECT
    Q_PROPERTY(SocketOptions socketOptions READ socketOptions WRITE setSocketOptions
               BINDABLE bindableSocketOptions)

public:
    enum LocalSocketError {
        ConnectionRefusedError = QAbstractSocket::ConnectionRefusedError,
        PeerClosedError = QAbstractSocket::RemoteHostClosedError,
        ServerNotFoundError = QAbstractSocket::HostNotFoundError,
        SocketAccessError = QAbstractSocket::SocketAccessError,
        SocketResourceError = QAbstractSocket::SocketResourceError,
        SocketTimeoutError = QAbstractSocket::SocketTimeoutError,
        DatagramTooLargeError = QAbstractSocket::DatagramTooLargeError,
        ConnectionError = QAbstractSocket::NetworkError,
        UnsupportedSocketOperationError = QAbstractSocket::UnsupportedSocketOperationError,
        UnknownSocketError = QAbstractSocket::UnknownSocketError,
        OperationError = QAbstractSocket::OperationError
    };

    enum LocalSocketState {
        UnconnectedState = QAbstractSocket::UnconnectedState,
        ConnectingState = QAbstractSocket::ConnectingState,
        ConnectedState = QAbstractSocket::ConnectedState,
        ClosingState = QAbstractSocket::ClosingState
    };

    enum SocketOption { NoOptions = 0x00, AbstractNamespaceOption = 0x01 };
    Q_DECLARE_FLAGS(SocketOptions, SocketOption)
    Q_FLAG(SocketOptions)

    LocalSocket(QObject *parent = nullptr);
    ~LocalSocket() override;

    void connectToServer(OpenMode openMode = ReadWrite);
    void connectToServer(const QString &name, OpenMode openMode = ReadWrite);
    void disconnectFromServer();

    void setServerName(const QString &name);
    QString serverName() const;
    QString fullServerName() const;

    void abort();
    bool isSequential() const override;
    qint64 bytesAvailable() const override;
    qint64 bytesToWrite() const override;
    bool canReadLine() const override;
    bool open(OpenMode openMode = ReadWrite) override;
    void close() override;
    LocalSocketError error() const;
    bool flush();
    bool isValid() const;
    qint64 readBufferSize() const;
    void setReadBufferSize(qint64 size);

    /// As QIODevice's, which takes what there is in steps of 16 kB; this takes it at once.
    QByteArray readAll();

    using QIODevice::write;
    /// As QIODevice's, but a large array is shared instead of copied until it is sent.
    qint64 write(const QByteArray &data);

    /// As QIODevice's, without the flag Unbuffered that the adapter itself sets.
    OpenMode openMode() const;

    bool setSocketDescriptor(qintptr socketDescriptor, LocalSocketState socketState = ConnectedState,
                             OpenMode openMode = ReadWrite);
    qintptr socketDescriptor() const;

    void setSocketOptions(SocketOptions option);
    SocketOptions socketOptions() const;
    QBindable<SocketOptions> bindableSocketOptions();

    LocalSocketState state() const;
    bool waitForBytesWritten(int msecs = 30000) override;
    bool waitForConnected(int msecs = 30000);
    bool waitForDisconnected(int msecs = 30000);
    bool waitForReadyRead(int msecs = 30000) override;

    // What QLocalSocket does not have.

    /// Who is at the other end; nothing while not connected, or where the system does not tell.
    std::optional<PeerCredentials> peerCredentials() const;

    /// How long, in milliseconds, what was written may go on being sent after the socket was deleted: see
    /// BackgroundSender. Zero drops it, as QLocalSocket does. The default is 5,000, in strict mode zero.
    void setLingerTimeout(int msecs);
    int lingerTimeout() const;

Q_SIGNALS:
    void connected();
    void disconnected();
    void errorOccurred(moorline::LocalSocket::LocalSocketError socketError);
    void stateChanged(moorline::LocalSocket::LocalSocketState socketState);

protected:
    qint64 readData(char *data, qint64 maxSize) override;
    qint64 readLineData(char *data, qint64 maxSize) override;
    qint64 skipData(qint64 maxSize) override;
    qint64 writeData(const char *data, qint64 size) override;
    bool event(QEvent *event) override;
    void connectNotify(const QMetaMethod &signal) override;

private:
    friend class LocalSocketPrivate;
    friend class LateSubscribers;
    friend class MessageSocket;
    Q_DISABLE_COPY(LocalSocket)
    const std::unique_ptr<LocalSocketPrivate> d;
};

#ifndef QT_NO_DEBUG_STREAM
MOORLINE_QT_EXPORT QDebug operator<<(QDebug debug, LocalSocket::LocalSocketError error);
MOORLINE_QT_EXPORT QDebug operator<<(QDebug debug, LocalSocket::LocalSocketState state);
#endif

Q_DECLARE_OPERATORS_FOR_FLAGS(LocalSocket::SocketOptions)

} // namespace moorline

#endif

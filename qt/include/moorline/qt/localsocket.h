// moorline::LocalSocket, a drop-in for QLocalSocket.
#ifndef MOORLINE_QT_LOCALSOCKET_H
#define MOORLINE_QT_LOCALSOCKET_H

#include <moorline/qt/global.h>
#include <moorline/qt/servertrust.h>

#include <QtCore/qdebug.h>
#include <QtCore/qiodevice.h>
#include <QtCore/qproperty.h>
#include <QtNetwork/qabstractsocket.h>

#include <memory>
#include <optional>

namespace moorline {

class LocalServer;
class LocalSocketPrivate;
class MessageSocketPrivate;

/// Who is at the other end of a socket, as the system tells.
struct PeerCredentials {
    quint32 uid; ///< The user.
    quint32 gid; ///< The group.
    qint64 pid; ///< The process that connected, or that listened.
};

/// A local socket with the interface and the behaviour of QLocalSocket; Qt's documentation of that class holds here.
///
/// The differences, each of them on purpose, are in docs/migrating-from-qlocalsocket.md. As any QObject it belongs to one
/// thread; it may be moved to another one, connected or not, and deleted, at any time, also in a slot of its own signals: what
/// is left to tell is told in the new thread. Nothing blocks but the wait functions, each until its deadline.
class MOORLINE_QT_EXPORT LocalSocket : public QIODevice {
    Q_OBJECT
    Q_PROPERTY(SocketOptions socketOptions READ socketOptions WRITE setSocketOptions BINDABLE bindableSocketOptions)

public:
    /// What went wrong.
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

    /// How far a connection is.
    enum LocalSocketState {
        UnconnectedState = QAbstractSocket::UnconnectedState,
        ConnectingState = QAbstractSocket::ConnectingState,
        ConnectedState = QAbstractSocket::ConnectedState,
        ClosingState = QAbstractSocket::ClosingState
    };

    /// Where names live; flags.
    enum SocketOption { NoOptions = 0x00, AbstractNamespaceOption = 0x01 };
    Q_DECLARE_FLAGS(SocketOptions, SocketOption)
    Q_FLAG(SocketOptions)

    /// A socket that is not connected.
    LocalSocket(QObject *parent = nullptr);
    ~LocalSocket() override;

    /// Connects to the server of setServerName(). Does not block: connected() or errorOccurred() tells the outcome, before
    /// this returns where it is known by then, as QLocalSocket does.
    void connectToServer(OpenMode openMode = ReadWrite);
    /// Sets the name and connects.
    void connectToServer(const QString &name, OpenMode openMode = ReadWrite);
    /// Ends the connection when everything written is sent; disconnected() tells.
    void disconnectFromServer();

    /// Sets the name for the next connectToServer().
    void setServerName(const QString &name);
    /// The name, as it was given.
    QString serverName() const;
    /// The full path, or the abstract name; empty while there is none.
    QString fullServerName() const;

    /// Ends the connection at once and drops what is not sent.
    void abort();
    /// True: a stream has no place to go back to.
    bool isSequential() const override;
    /// Bytes that read() has at once.
    qint64 bytesAvailable() const override;
    /// Bytes that were written and are not sent.
    qint64 bytesToWrite() const override;
    /// Whether a whole line can be read.
    bool canReadLine() const override;
    /// As connectToServer().
    bool open(OpenMode openMode = ReadWrite) override;
    /// As disconnectFromServer(), and nothing can be read any more.
    void close() override;
    /// The last error.
    LocalSocketError error() const;
    /// Sends as much as the system takes now. True if it took any. Does not block.
    bool flush();
    /// Whether there is a connection to use.
    bool isValid() const;
    /// Bytes that are read ahead at most; 0 for no limit.
    qint64 readBufferSize() const;
    /// Sets how many bytes are read ahead at most; 0, the default, for no limit.
    void setReadBufferSize(qint64 size);

    /// As QIODevice's, which takes what there is in steps of 16 kB; this takes it at once.
    QByteArray readAll();

    using QIODevice::write;
    /// As QIODevice's, but a large array is shared instead of copied until it is sent.
    qint64 write(const QByteArray &data);

    /// As QIODevice's, without the flag Unbuffered that the adapter itself sets.
    OpenMode openMode() const;

    /// Takes over a socket of the caller's. False if it is not one that can be used, or, with a SocketResourceError and the socket
    /// closed, if the thread has no descriptors left for what it needs itself.
    bool setSocketDescriptor(qintptr socketDescriptor, LocalSocketState socketState = ConnectedState,
                             OpenMode openMode = ReadWrite);
    /// The descriptor, still the socket's; -1 if there is none.
    qintptr socketDescriptor() const;

    /// Sets where names live. For the next connectToServer().
    void setSocketOptions(SocketOptions option);
    /// Where names live.
    SocketOptions socketOptions() const;
    /// The property as a bindable one.
    QBindable<SocketOptions> bindableSocketOptions();

    /// How far the connection is.
    LocalSocketState state() const;
    /// Blocks until something was sent, for at most so many milliseconds; -1 for ever. False if nothing was.
    bool waitForBytesWritten(int msecs = 30000) override;
    /// Blocks until it is connected, for at most so many milliseconds; -1 for ever. False if it is not.
    bool waitForConnected(int msecs = 30000);
    /// Blocks until it is disconnected, for at most so many milliseconds; -1 for ever. False if it is not.
    bool waitForDisconnected(int msecs = 30000);
    /// Blocks until there is something new to read, for at most so many milliseconds; -1 for ever. False if there
    /// is not.
    bool waitForReadyRead(int msecs = 30000) override;

    // What QLocalSocket does not have.

    /// Whose server the next connectToServer() connects to. Anyone's by default, as with QLocalSocket; another one than those that are
    /// trusted is a SocketAccessError.
    void setServerTrust(ServerTrust trust);
    /// Whose server it connects to.
    ServerTrust serverTrust() const;

    /// Who is at the other end; nothing while not connected, or where the system does not tell.
    std::optional<PeerCredentials> peerCredentials() const;

    /// How long, in milliseconds, what was written may go on being sent after the socket was deleted, or the connection ended because
    /// the peer sends no more: see BackgroundSender. Zero drops it, as QLocalSocket does. The default is 5,000, in strict mode zero.
    void setLingerTimeout(int msecs);
    /// How long, in milliseconds.
    int lingerTimeout() const;

Q_SIGNALS:
    /// It is connected.
    void connected();
    /// It is not connected any more. What came before can be read.
    void disconnected();
    /// Something went wrong; errorString() says what.
    void errorOccurred(moorline::LocalSocket::LocalSocketError socketError);
    /// state() is another.
    void stateChanged(moorline::LocalSocket::LocalSocketState socketState);

protected:
    /// Of QIODevice.
    qint64 readData(char *data, qint64 maxSize) override;
    /// Of QIODevice.
    qint64 readLineData(char *data, qint64 maxSize) override;
    /// Of QIODevice.
    qint64 skipData(qint64 maxSize) override;
    /// Of QIODevice.
    qint64 writeData(const char *data, qint64 size) override;
    /// Of QObject.
    bool event(QEvent *event) override;
    /// Of QObject.
    void connectNotify(const QMetaMethod &signal) override;

private:
    friend class LocalSocketPrivate;
    friend class LateSubscribers;
    friend class MessageSocketPrivate;
    Q_DISABLE_COPY(LocalSocket)
    const std::unique_ptr<LocalSocketPrivate> d;
};

#ifndef QT_NO_DEBUG_STREAM
/// The name of an error.
MOORLINE_QT_EXPORT QDebug operator<<(QDebug debug, LocalSocket::LocalSocketError error);
/// The name of a state.
MOORLINE_QT_EXPORT QDebug operator<<(QDebug debug, LocalSocket::LocalSocketState state);
#endif

Q_DECLARE_OPERATORS_FOR_FLAGS(LocalSocket::SocketOptions)

} // namespace moorline

#endif

// The public face of LocalSocket: each member says what it does in terms of LocalSocketPrivate.
#include <moorline/qt/localsocket.h>

#include "children.h"
#include "errors.h"
#include "localsocket_p.h"

#include <moorline/qt/options.h>

#include <QtCore/qcoreevent.h>
#include <QtCore/qmetaobject.h>

#include <algorithm>
#include <typeinfo>

namespace moorline {

LocalSocketPrivate::LocalSocketPrivate(LocalSocket *socket) : q(socket), late(socket), lingerTimeout(qt::isStrict() ? 0 : 5000)
{
}

void LocalSocketPrivate::setState(State newState)
{
    if (state == newState)
        return;
    state = newState;
    emit q->stateChanged(newState);
}

void LocalSocketPrivate::setError(Error newError, const char *where, const QString &details)
{
    error = newError;
    q->setErrorString(errorText(where, newError, details));
}

void LocalSocketPrivate::fail(Error newError, const char *where, const QString &details)
{
    setError(newError, where, details);
    late.telling(LateSubscribers::Error);
    emit q->errorOccurred(newError);
}

LocalSocket::LocalSocket(QObject *parent) : QIODevice(parent), d(std::make_unique<LocalSocketPrivate>(this))
{
}

LocalSocket::~LocalSocket()
{
    d->handOver();
    d->abort();
    deleteChildren(this);
}

void LocalSocket::connectToServer(OpenMode openMode)
{
    d->connectTo(openMode);
}

void LocalSocket::connectToServer(const QString &name, OpenMode openMode)
{
    setServerName(name);
    connectToServer(openMode);
}

bool LocalSocket::open(OpenMode openMode)
{
    const Watch watch(&d->watchable);
    connectToServer(openMode);
    return watch.isHere() && isOpen();
}

void LocalSocket::disconnectFromServer()
{
    d->disconnect();
}

void LocalSocket::close()
{
    d->close();
}

void LocalSocket::abort()
{
    d->abort();
}

void LocalSocket::setServerName(const QString &name)
{
    if (d->state != UnconnectedState) {
        qWarning("moorline::LocalSocket::setServerName() called while not in unconnected state");
        return;
    }
    d->serverName = name;
}

QString LocalSocket::serverName() const
{
    return d->serverName;
}

QString LocalSocket::fullServerName() const
{
    return d->fullServerName;
}

bool LocalSocket::isSequential() const
{
    return true;
}

qint64 LocalSocket::bytesAvailable() const
{
    return QIODevice::bytesAvailable() + d->channel.in.size();
}

qint64 LocalSocket::bytesToWrite() const
{
    return d->channel.out.size();
}

bool LocalSocket::canReadLine() const
{
    return d->channel.in.lineLength() > 0 || QIODevice::canReadLine();
}

LocalSocket::LocalSocketError LocalSocket::error() const
{
    return d->error;
}

bool LocalSocket::flush()
{
    return d->flush();
}

bool LocalSocket::isValid() const
{
    return d->isUsable;
}

qint64 LocalSocket::readBufferSize() const
{
    return d->readBufferSize;
}

void LocalSocket::setReadBufferSize(qint64 size)
{
    d->readBufferSize = std::max<qint64>(size, 0);
    d->resumeReading();
}

QByteArray LocalSocket::readAll()
{
    // Where QIODevice has bytes of its own or changes them, or a subclass reads in another way, only that will do.
    const bool plain = typeid(*this) == typeid(LocalSocket) && isReadable() && !isTextModeEnabled() && !isTransactionStarted()
        && QIODevice::bytesAvailable() == 0;
    if (!plain)
        return QIODevice::readAll();
    const QByteArray all = d->channel.in.takeAll();
    d->resumeReading();
    return all;
}

qint64 LocalSocket::write(const QByteArray &data)
{
    const bool plain = typeid(*this) == typeid(LocalSocket) && isWritable() && !isTextModeEnabled() && d->isUp();
    if (!plain)
        return QIODevice::write(data);
    d->beginWriting();
    d->channel.out.append(data);
    d->channel.schedule();
    return data.size();
}

LocalSocket::OpenMode LocalSocket::openMode() const
{
    const OpenMode mode = QIODevice::openMode();
    return d->unbufferedAsked ? mode : mode & ~OpenMode(Unbuffered);
}

bool LocalSocket::setSocketDescriptor(qintptr socketDescriptor, LocalSocketState socketState, OpenMode openMode)
{
    return d->setDescriptor(socketDescriptor, socketState, openMode);
}

qintptr LocalSocket::socketDescriptor() const
{
    intptr_t descriptor = -1;
    if (!d->channel.isOpen() || moorline_socket_descriptor(d->channel.socket(), &descriptor) != MOORLINE_OK)
        return -1;
    return descriptor;
}

void LocalSocket::setSocketOptions(SocketOptions option)
{
    if (d->state != UnconnectedState) {
        qWarning("moorline::LocalSocket::setSocketOptions() called while not in unconnected state");
        return;
    }
    d->options = option;
}

LocalSocket::SocketOptions LocalSocket::socketOptions() const
{
    return d->options;
}

QBindable<LocalSocket::SocketOptions> LocalSocket::bindableSocketOptions()
{
    return QBindable<SocketOptions>(&d->options);
}

LocalSocket::LocalSocketState LocalSocket::state() const
{
    return d->state;
}

bool LocalSocket::waitForConnected(int msecs)
{
    return d->waitForConnected(QDeadlineTimer(msecs));
}

bool LocalSocket::waitForReadyRead(int msecs)
{
    return d->waitForReadyRead(QDeadlineTimer(msecs));
}

bool LocalSocket::waitForBytesWritten(int msecs)
{
    return d->waitForBytesWritten(QDeadlineTimer(msecs));
}

bool LocalSocket::waitForDisconnected(int msecs)
{
    return d->waitForDisconnected(QDeadlineTimer(msecs));
}

std::optional<PeerCredentials> LocalSocket::peerCredentials() const
{
    moorline_credentials credentials = {};
    credentials.struct_size = sizeof(credentials);
    if (!d->channel.isOpen() || moorline_socket_peer_credentials(d->channel.socket(), &credentials) != MOORLINE_OK)
        return std::nullopt;
    return PeerCredentials{credentials.uid, credentials.gid, credentials.pid};
}

void LocalSocket::setServerTrust(ServerTrust trust)
{
    d->trust = trust;
}

ServerTrust LocalSocket::serverTrust() const
{
    return d->trust;
}

void LocalSocket::setLingerTimeout(int msecs)
{
    d->lingerTimeout = std::max(msecs, 0);
}

int LocalSocket::lingerTimeout() const
{
    return d->lingerTimeout;
}

qint64 LocalSocket::readData(char *data, qint64 maxSize)
{
    if (maxSize == 0)
        return 0;
    const qint64 count = d->channel.in.read(data, maxSize);
    d->resumeReading();
    return count > 0 || d->mayReceive() ? count : -1;
}

qint64 LocalSocket::readLineData(char *data, qint64 maxSize)
{
    if (maxSize == 0)
        return 0;
    const qint64 line = d->channel.in.lineLength();
    // Not a subclass's readData(), as with QLocalSocket: what that does with the bytes its readLineData() does.
    const qint64 count = LocalSocket::readData(data, line > 0 ? std::min(line, maxSize) : maxSize);
    // QLocalSocket has another device within it, opened in the same mode. So the end of a line of text is translated here, and by QIODevice
    // what is left: as read() does, which takes every carriage return away.
    const bool isText = d->mode.testFlag(Text) && isTextModeEnabled();
    if (!isText || count < 2 || data[count - 1] != '\n' || data[count - 2] != '\r')
        return count;
    data[count - 2] = '\n';
    return count - 1;
}

qint64 LocalSocket::skipData(qint64 maxSize)
{
    if (d->channel.in.isEmpty())
        return d->mayReceive() ? 0 : -1;
    const qint64 count = std::min(maxSize, d->channel.in.size());
    d->channel.in.consume(count);
    d->resumeReading();
    return count;
}

qint64 LocalSocket::writeData(const char *data, qint64 size)
{
    if (!d->isUp()) {
        // As with QLocalSocket, error() says nothing of it.
        setErrorString(errorText("moorline::LocalSocket::write", OperationError));
        return -1;
    }
    d->beginWriting();
    d->channel.out.append(data, size);
    d->channel.schedule();
    return size;
}

bool LocalSocket::event(QEvent *event)
{
    if (event->type() == QEvent::ThreadChange)
        d->leaveThread();
    else if (event->type() == QEvent::Timer && d->onTimer(static_cast<QTimerEvent *>(event)->timerId()))
        return true;
    return QIODevice::event(event);
}

void LocalSocket::connectNotify(const QMetaMethod &signal)
{
    d->late.connected(signal);
    QIODevice::connectNotify(signal);
}

#ifndef QT_NO_DEBUG_STREAM
static const char *nameOf(LocalSocket::LocalSocketError error)
{
    switch (error) {
    case LocalSocket::ConnectionRefusedError:
        return "moorline::LocalSocket::ConnectionRefusedError";
    case LocalSocket::PeerClosedError:
        return "moorline::LocalSocket::PeerClosedError";
    case LocalSocket::ServerNotFoundError:
        return "moorline::LocalSocket::ServerNotFoundError";
    case LocalSocket::SocketAccessError:
        return "moorline::LocalSocket::SocketAccessError";
    case LocalSocket::SocketResourceError:
        return "moorline::LocalSocket::SocketResourceError";
    case LocalSocket::SocketTimeoutError:
        return "moorline::LocalSocket::SocketTimeoutError";
    case LocalSocket::DatagramTooLargeError:
        return "moorline::LocalSocket::DatagramTooLargeError";
    case LocalSocket::ConnectionError:
        return "moorline::LocalSocket::ConnectionError";
    case LocalSocket::UnsupportedSocketOperationError:
        return "moorline::LocalSocket::UnsupportedSocketOperationError";
    case LocalSocket::UnknownSocketError:
        return "moorline::LocalSocket::UnknownSocketError";
    case LocalSocket::OperationError:
        return "moorline::LocalSocket::OperationError";
    }
    return nullptr;
}

static const char *nameOf(LocalSocket::LocalSocketState state)
{
    switch (state) {
    case LocalSocket::UnconnectedState:
        return "moorline::LocalSocket::UnconnectedState";
    case LocalSocket::ConnectingState:
        return "moorline::LocalSocket::ConnectingState";
    case LocalSocket::ConnectedState:
        return "moorline::LocalSocket::ConnectedState";
    case LocalSocket::ClosingState:
        return "moorline::LocalSocket::ClosingState";
    }
    return nullptr;
}

QDebug operator<<(QDebug debug, LocalSocket::LocalSocketError error)
{
    const QDebugStateSaver saver(debug);
    debug.nospace();
    if (const char *name = nameOf(error))
        debug << name;
    else
        debug << "moorline::LocalSocket::SocketError(" << int(error) << ')';
    return debug;
}

QDebug operator<<(QDebug debug, LocalSocket::LocalSocketState state)
{
    const QDebugStateSaver saver(debug);
    debug.nospace();
    if (const char *name = nameOf(state))
        debug << name;
    else
        debug << "moorline::LocalSocket::SocketState(" << int(state) << ')';
    return debug;
}
#endif

} // namespace moorline

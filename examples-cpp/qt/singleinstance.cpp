#include "singleinstance.h"

#include <moorline/qt/LocalSocket>

#include <QtCore/QDataStream>

using moorline::LocalServer;
using moorline::LocalSocket;

namespace {
// A peer that sends more, or never comes to an end, is not one of ours.
constexpr qint64 mostBytes = 1024 * 1024;
constexpr char received = '!';
} // namespace

SingleInstance::Role SingleInstance::claim(const QString &name, const QStringList &arguments, int timeoutMs)
{
    // Taking a name is atomic, a dead instance's is recovered and a live one's never taken: so this decides it.
    server_.setSocketOptions(LocalServer::UserAccessOption);
    connect(&server_, &LocalServer::newConnection, this, &SingleInstance::accept, Qt::UniqueConnection);
    if (server_.listen(name))
        return Role::First;
    errorString_ = server_.errorString();
    if (server_.serverError() != QAbstractSocket::AddressInUseError)
        return Role::Failed;
    return forward(name, arguments, timeoutMs) ? Role::Forwarded : Role::Failed;
}

bool SingleInstance::forward(const QString &name, const QStringList &arguments, int timeoutMs)
{
    LocalSocket socket;
    // Anybody can take a free name in the temp directory first, and would get the arguments, and have this instance end.
    socket.setServerTrust(moorline::ServerTrust::SameUser);
    socket.connectToServer(name);
    if (!socket.waitForConnected(timeoutMs)) {
        errorString_ = socket.errorString();
        return false;
    }
    QDataStream stream(&socket);
    stream << arguments;
    // Only its answer tells that the other instance has them.
    char answer = 0;
    while (socket.bytesAvailable() == 0) {
        if (!socket.waitForReadyRead(timeoutMs)) {
            errorString_ = socket.errorString();
            return false;
        }
    }
    return socket.getChar(&answer) && answer == received;
}

void SingleInstance::accept()
{
    while (LocalSocket *socket = server_.nextPendingConnection()) {
        socket->setReadBufferSize(mostBytes);
        connect(socket, &LocalSocket::disconnected, socket, &QObject::deleteLater);
        connect(socket, &LocalSocket::readyRead, this, [this, socket] {
            QStringList arguments;
            QDataStream stream(socket);
            stream.startTransaction();
            stream >> arguments;
            if (stream.commitTransaction()) {
                socket->putChar(received);
                socket->disconnectFromServer();
                emit argumentsReceived(arguments);
            } else if (stream.status() == QDataStream::ReadCorruptData || socket->bytesAvailable() >= mostBytes) {
                socket->abort();
            }
        });
    }
}

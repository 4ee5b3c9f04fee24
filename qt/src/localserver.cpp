// The public face of LocalServer: each member says what it does in terms of LocalServerPrivate.
#include <moorline/qt/localserver.h>

#include "children.h"
#include "localserver_p.h"
#include "names.h"

#include <moorline/qt/options.h>

#include <QtCore/qcoreevent.h>
#include <QtCore/qmetaobject.h>

namespace moorline {

LocalServer::LocalServer(QObject *parent) : QObject(parent), d(std::make_unique<LocalServerPrivate>(this))
{
}

LocalServer::~LocalServer()
{
    close();
    deleteChildren(this);
}

void LocalServer::close()
{
    d->close();
}

QString LocalServer::errorString() const
{
    return d->errorString;
}

bool LocalServer::hasPendingConnections() const
{
    return d->hasPending();
}

bool LocalServer::isListening() const
{
    return d->server != nullptr;
}

bool LocalServer::listen(const QString &name)
{
    return d->listen(name);
}

bool LocalServer::listen(qintptr socketDescriptor)
{
    return d->listen(socketDescriptor);
}

int LocalServer::maxPendingConnections() const
{
    return d->maxPending;
}

void LocalServer::setMaxPendingConnections(int numConnections)
{
    d->maxPending = numConnections;
    d->resumeAccepting();
}

LocalSocket *LocalServer::nextPendingConnection()
{
    return d->takePending();
}

QString LocalServer::serverName() const
{
    return d->names.name;
}

QString LocalServer::fullServerName() const
{
    return d->names.full;
}

bool LocalServer::removeServer(const QString &name)
{
    return NativeName(name, false).remove() == MOORLINE_OK;
}

QAbstractSocket::SocketError LocalServer::serverError() const
{
    return d->error;
}

bool LocalServer::waitForNewConnection(int msec, bool *timedOut)
{
    return d->waitForNewConnection(msec, timedOut);
}

void LocalServer::setListenBacklogSize(int size)
{
    d->backlog = size;
    d->backlogAsked = true;
}

int LocalServer::listenBacklogSize() const
{
    return d->backlog;
}

void LocalServer::setSocketOptions(SocketOptions options)
{
    d->options = options;
}

LocalServer::SocketOptions LocalServer::socketOptions() const
{
    return d->options;
}

QBindable<LocalServer::SocketOptions> LocalServer::bindableSocketOptions()
{
    return QBindable<SocketOptions>(&d->options);
}

qintptr LocalServer::socketDescriptor() const
{
    intptr_t descriptor = -1;
    if (!d->server || moorline_server_descriptor(d->server.get(), &descriptor) != MOORLINE_OK)
        return -1;
    return descriptor;
}

void LocalServer::setSocketsParented(bool parented)
{
    d->parented = parented;
}

bool LocalServer::socketsParented() const
{
    return d->parented;
}

void LocalServer::incomingConnection(quintptr socketDescriptor)
{
    auto *socket = new LocalSocket(d->parented ? this : nullptr);
    socket->setSocketDescriptor(static_cast<qintptr>(socketDescriptor));
    d->enqueue(socket);
    d->newConnectionMissed = !qt::isStrict() && !isSignalConnected(QMetaMethod::fromSignal(&LocalServer::newConnection));
    emit newConnection();
}

bool LocalServer::event(QEvent *event)
{
    if (event->type() == QEvent::ThreadChange) {
        d->watchable.end();
        d->leaveThread();
        if (d->server) {
            // The hub is this thread's. This event goes along, and joins the new one's.
            d->leaveHub();
            QMetaObject::invokeMethod(this, [this] { d->joinHub(); }, Qt::QueuedConnection);
        }
    } else if (event->type() == QEvent::Timer && d->onTimer(static_cast<QTimerEvent *>(event)->timerId())) {
        return true;
    }
    return QObject::event(event);
}

void LocalServer::connectNotify(const QMetaMethod &signal)
{
    // Whoever connects late is told, from the event loop, of the connections that wait.
    if (signal == QMetaMethod::fromSignal(&LocalServer::newConnection)) {
        QMetaObject::invokeMethod(
            this,
            [this] {
                if (std::exchange(d->newConnectionMissed, false) && hasPendingConnections())
                    emit newConnection();
            },
            Qt::QueuedConnection);
    }
    QObject::connectNotify(signal);
}

} // namespace moorline

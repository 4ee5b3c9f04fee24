// The public face of MessageSocket: each member says what it does in terms of MessageSocketPrivate.
#include <moorline/qt/messagesocket.h>

#include "children.h"
#include "messagesocket_p.h"

#include <QtCore/qcoreevent.h>

#include <limits>

namespace moorline {

namespace {

// Its length is told in one byte: docs/wire.md.
constexpr qsizetype longestApplication = 255;

} // namespace

MessageSocket::MessageSocket(Framing framing, QObject *parent)
    : QObject(parent), d(std::make_unique<MessageSocketPrivate>(this, framing))
{
}

MessageSocket::~MessageSocket()
{
    deleteChildren(this);
}

void MessageSocket::setMaxMessageSize(quint64 bytes)
{
    if (bytes == 0 || bytes > std::numeric_limits<quint32>::max()) {
        qWarning("moorline::MessageSocket::setMaxMessageSize(%llu): there are messages of 1 to 4294967295 bytes", bytes);
        return;
    }
    d->options.max_message = static_cast<size_t>(bytes);
}

void MessageSocket::setHandshakeTimeout(int msecs)
{
    if (msecs <= 0) {
        qWarning("moorline::MessageSocket::setHandshakeTimeout(%d): it takes more than no time", msecs);
        return;
    }
    d->options.handshake_timeout_ms = static_cast<quint32>(msecs);
}

void MessageSocket::setApplication(const QString &name, quint32 version)
{
    if (d->options.framing != MOORLINE_FRAMING_CHECKED) {
        qWarning("moorline::MessageSocket::setApplication(): only the handshake of Checked tells it");
        return;
    }
    const QByteArray utf8 = name.toUtf8();
    if (utf8.size() > longestApplication || utf8.contains('\0')) {
        qWarning("moorline::MessageSocket::setApplication(): a name has 255 bytes at most, and no NUL");
        return;
    }
    d->application = utf8;
    d->options.application = d->application.constData();
    d->options.application_version = version;
}

void MessageSocket::setServerTrust(ServerTrust trust)
{
    d->trust = trust;
}

void MessageSocket::connectToServer(const QString &name)
{
    d->connectTo(name);
}

bool MessageSocket::takeOver(LocalSocket *socket)
{
    return d->takeOver(socket);
}

bool MessageSocket::isConnected() const
{
    return d->isConnected();
}

bool MessageSocket::sendMessage(const QByteArray &message)
{
    return d->send(message);
}

quint64 MessageSocket::bytesToWrite() const
{
    return d->bytesToWrite();
}

void MessageSocket::disconnectFromServer()
{
    d->disconnect();
}

bool MessageSocket::event(QEvent *event)
{
    if (event->type() == QEvent::ThreadChange)
        d->leaveThread();
    else if (event->type() == QEvent::Timer && d->onTimer(static_cast<QTimerEvent *>(event)->timerId()))
        return true;
    return QObject::event(event);
}

} // namespace moorline

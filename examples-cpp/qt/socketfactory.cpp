#include "socketfactory.h"

#include <moorline/qt/LocalSocket>

using moorline::LocalSocket;

static QByteArray makeMessage(int size)
{
    QByteArray message(size, Qt::Uninitialized);
    for (int i = 0; i < size; ++i)
        message[i] = char(i * 31 + 7);
    return message;
}

SocketFactory::SocketFactory(int sockets, int roundTrips, int messageSize)
    : message_(makeMessage(messageSize)), roundTrips_(roundTrips), exchanges_(size_t(sockets))
{
}

SocketFactory::~SocketFactory() = default;

void SocketFactory::start(const QString &serverName)
{
    for (Exchange &exchange : exchanges_) {
        exchange.left = roundTrips_;
        exchange.socket = std::make_unique<LocalSocket>();
        LocalSocket *socket = exchange.socket.get();
        connect(socket, &LocalSocket::connected, this, [this, socket] { socket->write(message_); });
        connect(socket, &LocalSocket::readyRead, this, [this, &exchange] { read(exchange); });
        connect(socket, &LocalSocket::errorOccurred, this, [this, socket] { finish(socket->errorString()); });
        socket->connectToServer(serverName);
        if (isDone_)
            return;
    }
}

void SocketFactory::read(Exchange &exchange)
{
    // What comes is the peer's choice: never more than what is expected is believed.
    const QByteArray data = exchange.socket->readAll();
    if (data.size() > message_.size() - exchange.returned)
        return finish(QStringLiteral("%1 bytes too many came back").arg(data.size() - (message_.size() - exchange.returned)));
    if (message_.mid(exchange.returned, data.size()) != data)
        return finish(QStringLiteral("other bytes came back than were sent"));
    exchange.returned += data.size();
    if (exchange.returned < message_.size())
        return;
    exchange.returned = 0;
    if (--exchange.left > 0)
        exchange.socket->write(message_);
    else if (++finished_ == int(exchanges_.size()))
        finish(QString());
}

void SocketFactory::finish(const QString &failure)
{
    if (isDone_)
        return;
    isDone_ = true;
    for (Exchange &exchange : exchanges_) {
        if (exchange.socket)
            exchange.socket->disconnect(this);
    }
    emit done(failure);
}

#include "socketfactory.h"

#include <moorline/qt/LocalSocket>
#include <moorline/testkit/qtest.hpp>

using moorline::LocalSocket;

static QByteArray makeMessage(int size)
{
    QByteArray message(size, Qt::Uninitialized);
    for (int i = 0; i < size; ++i)
        message[i] = char(i * 31 + 7);
    return message;
}

SocketFactory::SocketFactory(int sockets, int roundTrips, int messageSize, moorline::testkit::Verdicts &verdicts)
    : message_(makeMessage(messageSize)), roundTrips_(roundTrips), verdicts_(verdicts), exchanges_(size_t(sockets))
{
    MOORLINE_VERIFY(verdicts_, verdicts_.expect(exchanges_.size()));
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
        connect(socket, &LocalSocket::errorOccurred, this,
                [this, socket] { verdicts_.fail(socket->errorString().toStdString()); });
        socket->connectToServer(serverName);
    }
}

void SocketFactory::read(Exchange &exchange)
{
    const QByteArray data = exchange.socket->readAll();
    if (!check(exchange, data)) {
        exchange.socket->disconnect(this);
        return;
    }
    exchange.returned += data.size();
    if (exchange.returned < message_.size())
        return;
    exchange.returned = 0;
    if (--exchange.left > 0)
        exchange.socket->write(message_);
    else
        verdicts_.done();
}

bool SocketFactory::check(Exchange &exchange, const QByteArray &data)
{
    // What comes is the peer's choice: never more than what is expected is believed.
    return MOORLINE_CHECK_LE(verdicts_, data.size(), message_.size() - exchange.returned)
        && MOORLINE_COMPARE(verdicts_, data, message_.mid(exchange.returned, data.size()));
}

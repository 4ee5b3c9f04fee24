// Many sockets that exchange data with an echo server.
#pragma once

#include <moorline/testkit/verdicts.hpp>

#include <QtCore/QByteArray>
#include <QtCore/QObject>
#include <QtCore/QString>

#include <memory>
#include <vector>

namespace moorline {
class LocalSocket;
}

/// Each socket sends a message, checks every byte of what comes back, and sends the next, until each has done its round trips. It is
/// done with the verdicts once for each socket. What goes wrong is recorded there, and ends its socket.
class SocketFactory : public QObject {
    Q_OBJECT

public:
    SocketFactory(int sockets, int roundTrips, int messageSize, moorline::testkit::Verdicts &verdicts);
    ~SocketFactory() override;

    void start(const QString &serverName);

private:
    struct Exchange {
        std::unique_ptr<moorline::LocalSocket> socket;
        int left;
        qsizetype returned = 0;
    };

    void read(Exchange &exchange);
    bool check(Exchange &exchange, const QByteArray &data);

    const QByteArray message_;
    const int roundTrips_;
    moorline::testkit::Verdicts &verdicts_;
    std::vector<Exchange> exchanges_;
};

// Many sockets that exchange data with an echo server.
#pragma once

#include <QtCore/QByteArray>
#include <QtCore/QObject>
#include <QtCore/QString>

#include <memory>
#include <vector>

namespace moorline {
class LocalSocket;
}

/// Each socket sends a message, checks every byte of what comes back, and sends the next, until each has done its round
/// trips. Whatever goes wrong ends it all, with a text: nothing is asserted in a slot.
class SocketFactory : public QObject {
    Q_OBJECT

public:
    SocketFactory(int sockets, int roundTrips, int messageSize);
    ~SocketFactory() override;

    void start(const QString &serverName);
    int finishedSockets() const { return finished_; }

signals:
    /// The end: the text is empty if all is well.
    void done(const QString &failure);

private:
    struct Exchange {
        std::unique_ptr<moorline::LocalSocket> socket;
        int left;
        qsizetype returned = 0;
    };

    void read(Exchange &exchange);
    void finish(const QString &failure);

    const QByteArray message_;
    const int roundTrips_;
    std::vector<Exchange> exchanges_;
    int finished_ = 0;
    bool isDone_ = false;
};

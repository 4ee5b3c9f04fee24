// The exchange that is measured: the same source for Qt's classes and for ours.
#ifndef MOORLINE_BENCHES_QT_EXCHANGE_H
#define MOORLINE_BENCHES_QT_EXCHANGE_H

#include <QtCore/QByteArray>
#include <QtCore/QElapsedTimer>
#include <QtCore/QEventLoop>
#include <QtCore/QString>
#include <QtCore/QThread>

#include <memory>
#include <vector>

struct Load {
    int connections;
    int chunk; ///< Bytes of a message.
    int roundTrips; ///< Over all connections together.
    int idle = 0; ///< Further connections that do nothing.
};

/// A thread with a server that echoes.
template <class Server, class Socket>
class EchoThread : public QThread {
public:
    explicit EchoThread(QString name) : name_(std::move(name)) {}

    ~EchoThread() override
    {
        quit();
        wait();
    }

protected:
    void run() override
    {
        Server server;
        server.setMaxPendingConnections(1 << 20);
        server.setListenBacklogSize(4096);
        QObject::connect(&server, &Server::newConnection, &server, [&server] {
            while (Socket *socket = server.nextPendingConnection())
                QObject::connect(socket, &Socket::readyRead, socket, [socket] { socket->write(socket->readAll()); });
        });
        if (!server.listen(name_))
            qFatal("listen: %s", qPrintable(server.errorString()));
        exec();
    }

private:
    const QString name_;
};

/// What is left to do, over all clients.
struct Work {
    int unsent = 0;
    int unreturned = 0;
    QEventLoop loop;

    void begin(int roundTrips) { unsent = unreturned = roundTrips; }
};

/// Sends its chunk again whenever it has come back whole, and checks every byte.
template <class Socket>
class Client {
public:
    Client(const QByteArray &chunk, Work &work) : chunk_(chunk), work_(work)
    {
        QObject::connect(&socket, &Socket::readyRead, &socket, [this] { read(); });
    }

    void send()
    {
        if (work_.unsent == 0)
            return;
        --work_.unsent;
        returned_ = 0;
        socket.write(chunk_);
    }

    Socket socket;

private:
    void read()
    {
        const QByteArray data = socket.readAll();
        if (returned_ + data.size() > chunk_.size() || memcmp(data.constData(), chunk_.constData() + returned_, size_t(data.size())) != 0)
            qFatal("a byte came back wrong");
        returned_ += data.size();
        if (returned_ < chunk_.size())
            return;
        send();
        if (--work_.unreturned == 0)
            work_.loop.quit();
    }

    const QByteArray &chunk_;
    Work &work_;
    qsizetype returned_ = 0;
};

/// Seconds that the load takes, from the first byte to the last; connecting is not counted.
template <class Server, class Socket>
double measure(const QString &name, const Load &load)
{
    EchoThread<Server, Socket> echo(name);
    echo.start();

    QByteArray chunk(load.chunk, Qt::Uninitialized);
    for (qsizetype i = 0; i < chunk.size(); ++i)
        chunk[i] = char(i * 31 + 7);
    Work work;
    std::vector<std::unique_ptr<Client<Socket>>> clients;
    for (int i = 0; i < load.connections + load.idle; ++i) {
        auto client = std::make_unique<Client<Socket>>(chunk, work);
        // The server's thread may not listen yet.
        for (int tries = 0; tries < 10000 && !client->socket.waitForConnected(1000); ++tries) {
            client->socket.connectToServer(name);
            if (client->socket.state() == Socket::UnconnectedState)
                QThread::msleep(1);
        }
        if (client->socket.state() != Socket::ConnectedState)
            qFatal("connect: %s", qPrintable(client->socket.errorString()));
        clients.push_back(std::move(client));
    }
    // One round of all, so that every connection is accepted and warm.
    work.begin(int(clients.size()));
    for (auto &client : clients)
        client->send();
    work.loop.exec();

    work.begin(load.roundTrips);
    QElapsedTimer time;
    time.start();
    for (int i = 0; i < load.connections; ++i)
        clients[size_t(i)]->send();
    work.loop.exec();
    const double seconds = double(time.nsecsElapsed()) / 1e9;
    return seconds;
}

#endif

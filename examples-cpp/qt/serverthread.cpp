#include "serverthread.h"

#include <moorline/qt/LocalServer>
#include <moorline/qt/LocalSocket>
#include <moorline/testkit/qtest.hpp>

using moorline::LocalServer;
using moorline::LocalSocket;

ServerThread::~ServerThread()
{
    quit();
    wait();
}

QString ServerThread::listen(const QString &name)
{
    name_ = name;
    outcome_ = {};
    std::future<QString> outcome = outcome_.get_future();
    start();
    return outcome.get();
}

// Everything that belongs to this thread lives in this function, so no other thread can touch it.
void ServerThread::run()
{
    LocalServer server;
    connect(&server, &LocalServer::newConnection, &server, [&] {
        while (LocalSocket *socket = server.nextPendingConnection()) {
            connect(socket, &LocalSocket::readyRead, socket, [this, socket] {
                const QByteArray data = socket->readAll();
                MOORLINE_COMPARE(verdicts_, socket->write(data), data.size());
            });
            connect(socket, &LocalSocket::disconnected, socket, &QObject::deleteLater);
        }
    });
    const bool listens = server.listen(name_);
    outcome_.set_value(listens ? QString() : server.errorString());
    if (listens)
        exec();
}

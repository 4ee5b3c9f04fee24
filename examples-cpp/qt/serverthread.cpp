#include "serverthread.h"

#include <moorline/qt/LocalServer>
#include <moorline/qt/LocalSocket>

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
    connect(&server, &LocalServer::newConnection, &server, [&server] {
        while (LocalSocket *socket = server.nextPendingConnection()) {
            connect(socket, &LocalSocket::readyRead, socket, [socket] { socket->write(socket->readAll()); });
            connect(socket, &LocalSocket::disconnected, socket, &QObject::deleteLater);
        }
    });
    const bool listens = server.listen(name_);
    outcome_.set_value(listens ? QString() : server.errorString());
    if (listens)
        exec();
}

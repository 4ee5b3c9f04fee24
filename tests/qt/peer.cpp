// The other process of the tests that need one: an echo server, or a client that checks the echo, of Qt's own classes or
// of ours. Nothing here uses an event loop but the server.
#include <moorline/qt/LocalServer>
#include <moorline/qt/LocalSocket>

#include <QtCore/QCoreApplication>
#include <QtNetwork/QLocalServer>
#include <QtNetwork/QLocalSocket>

#include <cstdio>

template <class Server, class Socket>
static int serve(const QString &name, bool isAbstract)
{
    Server server;
    if (isAbstract)
        server.setSocketOptions(Server::AbstractNamespaceOption);
    QObject::connect(&server, &Server::newConnection, [&server] {
        while (Socket *socket = server.nextPendingConnection()) {
            QObject::connect(socket, &Socket::readyRead, socket, [socket] { socket->write(socket->readAll()); });
            // The last client ends it.
            QObject::connect(socket, &Socket::disconnected, socket, [] { QCoreApplication::quit(); });
        }
    });
    if (!server.listen(name))
        return 1;
    std::puts("listening");
    std::fflush(stdout);
    return QCoreApplication::exec();
}

template <class Socket>
static int exchange(const QString &name, bool isAbstract)
{
    Socket socket;
    if (isAbstract)
        socket.setSocketOptions(Socket::AbstractNamespaceOption);
    socket.connectToServer(name);
    if (!socket.waitForConnected(30000))
        return 1;
    for (const int size : {1, 1000, 3000000}) {
        const QByteArray data(size, char('a' + size % 26));
        socket.write(data);
        QByteArray echo;
        while (echo.size() < size) {
            if (!socket.waitForReadyRead(30000))
                return 2;
            echo += socket.readAll();
        }
        if (echo != data)
            return 3;
    }
    socket.disconnectFromServer();
    return 0;
}

int main(int argc, char **argv)
{
    QCoreApplication application(argc, argv);
    if (argc != 5)
        return 9;
    const bool qts = qstrcmp(argv[1], "qt") == 0;
    const bool server = qstrcmp(argv[2], "server") == 0;
    const bool isAbstract = qstrcmp(argv[3], "abstract") == 0;
    const QString name = QString::fromLocal8Bit(argv[4]);
    if (server)
        return qts ? serve<QLocalServer, QLocalSocket>(name, isAbstract)
                   : serve<moorline::LocalServer, moorline::LocalSocket>(name, isAbstract);
    return qts ? exchange<QLocalSocket>(name, isAbstract) : exchange<moorline::LocalSocket>(name, isAbstract);
}

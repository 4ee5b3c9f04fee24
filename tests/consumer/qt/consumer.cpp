// A user's program with Qt: bytes from a socket to a server.
#include <moorline/qt/localserver.h>
#include <moorline/qt/localsocket.h>

#include <QByteArray>
#include <QCoreApplication>
#include <QString>

#include <cstdio>

int main(int argc, char** argv) {
    const QCoreApplication application(argc, argv);
    const QString name = QStringLiteral("moorline-consumer-%1").arg(QCoreApplication::applicationPid());
    const QByteArray message = "the quick brown fox";
    constexpr int deadline = 30000;

    moorline::LocalServer server;
    moorline::LocalSocket socket;
    QByteArray received;
    if (server.listen(name)) {
        socket.connectToServer(name);
        if (server.waitForNewConnection(deadline) && socket.waitForConnected(deadline)) {
            moorline::LocalSocket* peer = server.nextPendingConnection();
            socket.write(message);
            socket.flush();
            while (received.size() < message.size() && peer->waitForReadyRead(deadline)) received += peer->readAll();
        }
    }
    if (received == message) return 0;
    std::fprintf(stderr, "consumer: server: %s, socket: %s\n", qPrintable(server.errorString()),
                 qPrintable(socket.errorString()));
    return 1;
}

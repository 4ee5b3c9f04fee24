// What is left of an application is not in the way of the next one in the same process.
#include "subject.h"

#include <QtCore/QTimer>

#include <memory>

namespace {

/// A server and a connection that the first application has not deleted.
std::unique_ptr<Pair> left;

} // namespace

class tst_Applications : public QObject {
    Q_OBJECT

private slots:
    // Events come by the dispatcher of the application that is there.
    void newConnections()
    {
        LocalServer server;
        QVERIFY(server.listen(support::uniqueName()));
        LocalSocket client;
        client.connectToServer(server.serverName());
        LocalSocket *peer = nullptr;
        connect(&server, &LocalServer::newConnection, this, [&] { peer = server.nextPendingConnection(); });
        EVENTUALLY_BY_EVENT(peer);
        connect(peer, &QIODevice::readyRead, this, [&] { peer->write(peer->readAll()); });
        client.write("question");
        EVENTUALLY_BY_EVENT(client.bytesAvailable() == 8);
    }

    // What was written when the first application ended was to be sent by an event that went with it.
    void oldConnections()
    {
        NOT_WITH_QT("they are deaf");
        left->client.write("after");
        EVENTUALLY_BY_EVENT(left->peer->bytesAvailable() == 11);
    }
};

int main(int argc, char **argv)
{
    const QTemporaryDir directory;
    qputenv("TMPDIR", directory.path().toLocal8Bit());
    {
        const QCoreApplication first(argc, argv);
        left = std::make_unique<Pair>();
        support::settle();
        left->client.write("before");
    }
    int result = 0;
    {
        const QCoreApplication second(argc, argv);
        tst_Applications test;
        result = QTest::qExec(&test, argc, argv);
    }
    left.reset();
    return result;
}

#include "tst_applications.moc"

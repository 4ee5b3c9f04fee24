// Ours and Qt's own classes at the two ends of a connection, in one process and in two.
#include "support.h"

#include <moorline/qt/LocalServer>
#include <moorline/qt/LocalSocket>

#include <QtCore/QDataStream>
#include <QtCore/QProcess>
#include <QtNetwork/QLocalServer>
#include <QtNetwork/QLocalSocket>

namespace {

template <class Server, class Accepted, class Client>
void exchangeInOneProcess(bool isAbstract)
{
    Server server;
    Client client;
    if (isAbstract) {
        server.setSocketOptions(Server::AbstractNamespaceOption);
        client.setSocketOptions(Client::AbstractNamespaceOption);
    }
    const QString name = support::uniqueName();
    QVERIFY2(server.listen(name), qPrintable(server.errorString()));
    Accepted *accepted = nullptr;
    QObject::connect(&server, &Server::newConnection, [&] { accepted = server.nextPendingConnection(); });
    client.connectToServer(name);
    EVENTUALLY(accepted && client.state() == Client::ConnectedState);
    QCOMPARE(accepted->fullServerName(), client.fullServerName());

    // A byte, something, and more than any buffer, both ways at once.
    for (const int size : {1, 5000, 5000000}) {
        const QByteArray there(size, 't');
        const QByteArray back(size, 'b');
        client.write(there);
        accepted->write(back);
        EVENTUALLY(accepted->bytesAvailable() == size && client.bytesAvailable() == size);
        QVERIFY(accepted->readAll() == there);
        QVERIFY(client.readAll() == back);
    }
    {
        QDataStream out(&client);
        out << QStringLiteral("through a stream") << 7;
        EVENTUALLY(accepted->bytesAvailable() > 4);
        QDataStream in(accepted);
        QString text;
        int number = 0;
        in >> text >> number;
        QCOMPARE(text, QStringLiteral("through a stream"));
        QCOMPARE(number, 7);
    }
    // The last words come before the end.
    client.write(QByteArray(300000, 'l'));
    client.disconnectFromServer();
    EVENTUALLY(accepted->state() == Accepted::UnconnectedState);
    QCOMPARE(accepted->bytesAvailable(), 300000);
    QCOMPARE(int(accepted->error()), int(Accepted::PeerClosedError));
}

} // namespace

class tst_Interop : public QObject {
    Q_OBJECT

private slots:
    void oneProcess_data()
    {
        QTest::addColumn<bool>("isAbstract");
        QTest::newRow("path") << false;
        QTest::newRow("abstract") << true;
    }

    void oneProcess()
    {
        QFETCH(bool, isAbstract);
        exchangeInOneProcess<moorline::LocalServer, moorline::LocalSocket, QLocalSocket>(isAbstract);
        exchangeInOneProcess<QLocalServer, QLocalSocket, moorline::LocalSocket>(isAbstract);
        exchangeInOneProcess<moorline::LocalServer, moorline::LocalSocket, moorline::LocalSocket>(isAbstract);
    }

    void twoProcesses_data()
    {
        QTest::addColumn<QString>("server");
        QTest::addColumn<QString>("client");
        QTest::addColumn<QString>("scope");
        for (const char *scope : {"path", "abstract"}) {
            QTest::addRow("Qt's server, our client, %s", scope)
                << QStringLiteral("qt") << QStringLiteral("ours") << QString::fromLatin1(scope);
            QTest::addRow("our server, Qt's client, %s", scope)
                << QStringLiteral("ours") << QStringLiteral("qt") << QString::fromLatin1(scope);
            QTest::addRow("ours both, %s", scope)
                << QStringLiteral("ours") << QStringLiteral("ours") << QString::fromLatin1(scope);
        }
    }

    void twoProcesses()
    {
        QFETCH(QString, server);
        QFETCH(QString, client);
        QFETCH(QString, scope);
        const QString name = support::uniqueName();
        QProcess serving;
        serving.start(QStringLiteral(MOORLINE_QT_TEST_PEER), {server, QStringLiteral("server"), scope, name});
        QVERIFY(serving.waitForReadyRead(support::watchdogMs));
        QProcess asking;
        asking.start(QStringLiteral(MOORLINE_QT_TEST_PEER), {client, QStringLiteral("client"), scope, name});
        QVERIFY(asking.waitForFinished(support::watchdogMs));
        QCOMPARE(asking.exitStatus(), QProcess::NormalExit);
        QCOMPARE(asking.exitCode(), 0);
        QVERIFY(serving.state() == QProcess::NotRunning || serving.waitForFinished(support::watchdogMs));
        QCOMPARE(serving.exitCode(), 0);
    }

    void peerIsKilled()
    {
        const QString name = support::uniqueName();
        QProcess serving;
        serving.start(QStringLiteral(MOORLINE_QT_TEST_PEER),
                      {QStringLiteral("ours"), QStringLiteral("server"), QStringLiteral("path"), name});
        QVERIFY(serving.waitForReadyRead(support::watchdogMs));
        moorline::LocalSocket socket;
        socket.connectToServer(name);
        socket.write("x");
        EVENTUALLY(socket.bytesAvailable() == 1);
        serving.kill();
        EVENTUALLY(socket.state() == moorline::LocalSocket::UnconnectedState);
        EVENTUALLY(serving.state() == QProcess::NotRunning);
        // The name that it left behind is taken over.
        moorline::LocalServer server;
        QVERIFY2(server.listen(name), qPrintable(server.errorString()));
        QLocalSocket client;
        client.connectToServer(name);
        QVERIFY(server.waitForNewConnection(support::watchdogMs));
    }

    void sameNameOnBothSides()
    {
        const QString name = support::uniqueName();
        moorline::LocalServer server;
        QVERIFY(server.listen(name));
        QLocalServer qts;
        QVERIFY(!qts.listen(name));
        QCOMPARE(qts.serverError(), QAbstractSocket::AddressInUseError);
        server.close();
        QVERIFY(qts.listen(name));
        QVERIFY(!server.listen(name));
        QCOMPARE(server.serverError(), QAbstractSocket::AddressInUseError);
    }
};

MOORLINE_TEST_MAIN(tst_Interop)
#include "tst_interop.moc"

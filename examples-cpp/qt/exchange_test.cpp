// A QtTest of a server thread and many sockets. Its slots collect what happens, and only the test function judges it.
#include "serverthread.h"
#include "socketfactory.h"

#include <QtCore/QTemporaryDir>
#include <QtTest/QtTest>

class ExchangeTest : public QObject {
    Q_OBJECT

private slots:
    void exchange_data()
    {
        QTest::addColumn<int>("sockets");
        QTest::addColumn<int>("roundTrips");
        QTest::addColumn<int>("messageSize");
        QTest::newRow("ping-pong, 1 socket") << 1 << 1000 << 1;
        QTest::newRow("ping-pong, 100 sockets") << 100 << 100 << 1;
        QTest::newRow("ping-pong, 400 sockets") << 400 << 10 << 1;
        QTest::newRow("100 kB, 10 sockets") << 10 << 20 << 100000;
    }

    void exchange()
    {
        QFETCH(int, sockets);
        QFETCH(int, roundTrips);
        QFETCH(int, messageSize);
        const QTemporaryDir directory;
        const QString name = directory.filePath(QStringLiteral("server"));
        ServerThread server;
        QCOMPARE(server.listen(name), QString());
        SocketFactory factory(sockets, roundTrips, messageSize);
        QSignalSpy done(&factory, &SocketFactory::done);
        factory.start(name);
        QVERIFY(!done.isEmpty() || done.wait(60000));
        QCOMPARE(done[0][0].toString(), QString());
        QCOMPARE(factory.finishedSockets(), sockets);
    }

    void nobodyListens()
    {
        SocketFactory factory(5, 1, 1);
        QSignalSpy done(&factory, &SocketFactory::done);
        factory.start(QStringLiteral("/nonexistent/server"));
        QCOMPARE(done.size(), 1);
        QVERIFY2(done[0][0].toString().contains(QStringLiteral("/nonexistent/server")), qPrintable(done[0][0].toString()));
    }

    void theNameIsTaken()
    {
        const QTemporaryDir directory;
        const QString name = directory.filePath(QStringLiteral("server"));
        ServerThread first;
        QCOMPARE(first.listen(name), QString());
        ServerThread second;
        QVERIFY2(second.listen(name).contains(name), "the second server must not take the first one's name");
    }
};

QTEST_GUILESS_MAIN(ExchangeTest)
#include "exchange_test.moc"

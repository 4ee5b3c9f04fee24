// Whole messages as signals.
#include "subject.h"

#include <moorline/qt/MessageSocket>

#include <QtCore/QDataStream>
#include <QtCore/QElapsedTimer>
#include <QtCore/QTimer>

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <thread>

using moorline::MessageSocket;

namespace {

/// Two ends of a connection with messages.
struct MessagePair {
    LocalServer server;
    MessageSocket client;
    MessageSocket peer;

    explicit MessagePair(MessageSocket::Framing framing = MessageSocket::Framing::BigEndian, quint64 largest = 1 << 24)
        : client(framing), peer(framing)
    {
        client.setMaxMessageSize(largest);
        const QString name = support::uniqueName();
        if (!server.listen(name))
            qFatal("listen: %s", qPrintable(server.errorString()));
        client.connectToServer(name);
        if (!server.waitForNewConnection(support::watchdogMs) || !peer.takeOver(server.nextPendingConnection()))
            qFatal("no connection");
    }
};

QElapsedTimer startedTimer()
{
    QElapsedTimer timer;
    timer.start();
    return timer;
}

} // namespace

class tst_Messages : public QObject {
    Q_OBJECT

private slots:
    void exchange_data()
    {
        QTest::addColumn<int>("framing");
        QTest::newRow("big endian") << int(MessageSocket::Framing::BigEndian);
        QTest::newRow("little endian") << int(MessageSocket::Framing::LittleEndian);
        QTest::newRow("lines") << int(MessageSocket::Framing::Lines);
        QTest::newRow("checked") << int(MessageSocket::Framing::Checked);
    }

    void exchange()
    {
        QFETCH(int, framing);
        MessagePair pair{MessageSocket::Framing(framing)};
        QList<QByteArray> received;
        connect(&pair.peer, &MessageSocket::messageReceived, this,
                [&](const QByteArray &message) { pair.peer.sendMessage(message); });
        connect(&pair.client, &MessageSocket::messageReceived, this, [&](const QByteArray &message) { received += message; });
        QList<QByteArray> sent;
        for (int i = 0; i < 1000; ++i)
            sent += QByteArray(i % 50, char('a' + i % 26));
        sent += QByteArray(5000000, 'l');
        for (const QByteArray &message : std::as_const(sent))
            QVERIFY(pair.client.sendMessage(message));
        QVERIFY(pair.client.bytesToWrite() > 5000000);
        QSignalSpy drained(&pair.client, &MessageSocket::drained);
        EVENTUALLY(received.size() == sent.size());
        QVERIFY(received == sent);
        QCOMPARE(pair.client.bytesToWrite(), 0u);
        QVERIFY(drained.size() >= 1);
    }

    void theLastMessagesArrive()
    {
        MessagePair pair;
        QSignalSpy received(&pair.peer, &MessageSocket::messageReceived);
        QSignalSpy ended(&pair.peer, &MessageSocket::ended);
        QSignalSpy clientEnded(&pair.client, &MessageSocket::ended);
        for (int i = 0; i < 20; ++i)
            pair.client.sendMessage(QByteArray(100000, 'x'));
        pair.client.disconnectFromServer();
        QVERIFY(!pair.client.isConnected());
        QVERIFY(!pair.client.sendMessage("too late"));
        EVENTUALLY(ended.size() == 1 && clientEnded.size() == 1);
        QCOMPARE(received.size(), 20);
        QCOMPARE(ended[0][0].toString(), QString());
        QCOMPARE(clientEnded[0][0].toString(), QString());
        QVERIFY(!pair.peer.isConnected());
    }

    void dataStreamAtTheOtherEnd()
    {
        LocalServer server;
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        MessageSocket client;
        QSignalSpy received(&client, &MessageSocket::messageReceived);
        client.connectToServer(name);
        QVERIFY(server.waitForNewConnection(support::watchdogMs));
        LocalSocket *peer = server.nextPendingConnection();
        QDataStream stream(peer);
        stream << QByteArray("from a stream");
        EVENTUALLY(received.size() == 1);
        QCOMPARE(received[0][0].toByteArray(), QByteArray("from a stream"));
        client.sendMessage("to a stream");
        EVENTUALLY(peer->bytesAvailable() == 15);
        QByteArray message;
        stream >> message;
        QCOMPARE(message, QByteArray("to a stream"));
    }

    void tooLarge()
    {
        MessagePair pair(MessageSocket::Framing::BigEndian, 1000);
        QVERIFY(!pair.client.sendMessage(QByteArray(1001, 'x')));
        QVERIFY(pair.client.isConnected());
        QSignalSpy ended(&pair.client, &MessageSocket::ended);
        QSignalSpy received(&pair.client, &MessageSocket::messageReceived);
        QVERIFY(pair.peer.sendMessage(QByteArray(1001, 'x')));
        EVENTUALLY(ended.size() == 1);
        QVERIFY2(ended[0][0].toString().startsWith(QStringLiteral("MESSAGE_TOO_LARGE")), qPrintable(ended[0][0].toString()));
        QCOMPARE(received.size(), 0);
    }

    void nobodyListens()
    {
        MessageSocket socket;
        QSignalSpy ended(&socket, &MessageSocket::ended);
        socket.connectToServer(QStringLiteral("/nonexistent/server"));
        QCOMPARE(ended.size(), 1);
        QVERIFY(ended[0][0].toString().contains(QStringLiteral("/nonexistent/server")));
        QVERIFY(!socket.isConnected());
        QVERIFY(!socket.sendMessage("nobody"));
    }

    void takeOverRefuses()
    {
        Pair pair;
        MessageSocket messages;
        LocalSocket unconnected;
        QVERIFY(!messages.takeOver(&unconnected));
        pair.client.write("in the middle");
        QVERIFY(!messages.takeOver(&pair.client));
        EVENTUALLY(pair.peer->bytesAvailable() == 13);
        QVERIFY(!messages.takeOver(pair.peer));
        pair.peer->readAll();
        QVERIFY(messages.takeOver(pair.peer));
        QCOMPARE(pair.peer->state(), LocalSocket::UnconnectedState);
        QCOMPARE(pair.client.state(), LocalSocket::ConnectedState);
    }

    void deletedInASlot_data()
    {
        QTest::addColumn<QByteArray>("signal");
        for (const char *name : {"connected()", "messageReceived(QByteArray)", "drained()", "ended(QString)"})
            QTest::newRow(name) << QByteArray(name);
    }

    void deletedInASlot()
    {
        QFETCH(QByteArray, signal);
        LocalServer server;
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        QPointer<MessageSocket> socket = new MessageSocket;
        connect(socket, (QByteArray("2") + signal).constData(), this, SLOT(deleteSender()));
        socket->connectToServer(name);
        QVERIFY(server.waitForNewConnection(support::watchdogMs));
        MessageSocket peer;
        QVERIFY(peer.takeOver(server.nextPendingConnection()));
        peer.sendMessage("one");
        peer.sendMessage("two");
        if (socket)
            socket->sendMessage("three");
        if (signal.startsWith("ended"))
            peer.disconnectFromServer();
        EVENTUALLY(!socket);
        support::settle();
    }

    void aFloodDoesNotKeepOtherWorkWaiting()
    {
        int ends[2];
        QCOMPARE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
        LocalSocket taken;
        QVERIFY(taken.setSocketDescriptor(ends[0]));
        auto flooded = std::make_unique<MessageSocket>();
        QVERIFY(flooded->takeOver(&taken));
        std::thread flood([end = ends[1]] {
            QByteArray block;
            for (int i = 0; i < 8000; ++i)
                block += QByteArray::fromRawData("\0\0\0\1x", 5);
            while (send(end, block.constData(), size_t(block.size()), MSG_NOSIGNAL) > 0) {}
            ::close(end);
        });
        qint64 messages = 0;
        connect(flooded.get(), &MessageSocket::messageReceived, this, [&](const QByteArray &) {
            ++messages;
            // So that not many fit into the time that an activation of the hub takes.
            const QElapsedTimer begun = startedTimer();
            while (begun.nsecsElapsed() < 2000) {}
        });
        // How many come between two turns of others: the fewest of some, as this thread may be interrupted.
        qint64 before = 0;
        qint64 fewest = std::numeric_limits<qint64>::max();
        int turns = 0;
        QTimer others;
        connect(&others, &QTimer::timeout, this, [&] {
            if (messages > 500000) {
                fewest = std::min(fewest, messages - before);
                ++turns;
            }
            before = messages;
        });
        others.start(0);
        const bool done = support::until([&] { return turns > 20; });
        flooded.reset();
        flood.join();
        QVERIFY(done);
        QVERIFY2(fewest < 2000, qPrintable(QString::number(fewest)));
    }

public slots:
    void deleteSender() { delete sender(); }
};

MOORLINE_TEST_MAIN(tst_Messages)
#include "tst_messages.moc"

// Whole messages, in each of the framings.
#include "foreignserver.h"
#include "fullserver.h"
#include "messages.h"

#include <QtCore/QDataStream>
#include <QtCore/QElapsedTimer>
#include <QtCore/QTimer>

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <limits>
#include <memory>
#include <thread>

namespace {

/// Two ends of a connection with messages.
struct MessagePair {
    LocalServer server;
    PatientSocket client;
    PatientSocket peer;

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

    void notALine()
    {
        MessagePair pair(MessageSocket::Framing::Lines);
        QSignalSpy received(&pair.peer, &MessageSocket::messageReceived);
        QVERIFY(!pair.client.sendMessage("two\nlines"));
        QVERIFY(!pair.client.sendMessage("the peer would drop this\r"));
        QVERIFY(pair.client.sendMessage("one \r line"));
        EVENTUALLY(received.size() == 1);
        QCOMPARE(received[0][0].toByteArray(), QByteArray("one \r line"));
        QVERIFY(pair.client.isConnected());
    }

    void theOtherSidesLimit()
    {
        LocalServer server;
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        PatientSocket client(MessageSocket::Framing::Checked);
        PatientSocket peer(MessageSocket::Framing::Checked);
        peer.setMaxMessageSize(1000);
        QSignalSpy connected(&client, &MessageSocket::connected);
        QSignalSpy ended(&client, &MessageSocket::ended);
        QSignalSpy received(&peer, &MessageSocket::messageReceived);
        client.connectToServer(name);
        QVERIFY(server.waitForNewConnection(support::watchdogMs));
        QVERIFY(peer.takeOver(server.nextPendingConnection()));
        EVENTUALLY(connected.size() == 1);
        QVERIFY(!client.sendMessage(QByteArray(1001, 'x')));
        QVERIFY(client.sendMessage(QByteArray(1000, 'x')));
        EVENTUALLY(received.size() == 1);
        QCOMPARE(ended.size(), 0);
    }

    void limitsAreForTheNextConnection()
    {
        MessagePair pair;
        pair.client.setMaxMessageSize(1);
        QVERIFY(pair.client.sendMessage("two"));
        support::Messages warnings;
        pair.client.setMaxMessageSize(0);
        pair.client.setMaxMessageSize(quint64{1} << 32);
        pair.client.setHandshakeTimeout(0);
        QCOMPARE(warnings.take().size(), 3);
        LocalServer server;
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        pair.client.connectToServer(name);
        QVERIFY(pair.client.isConnected());
        QVERIFY(!pair.client.sendMessage("two"));
        QVERIFY(pair.client.sendMessage("1"));
    }

    void connectedIsToldAfterTheHandshake()
    {
        LocalServer server;
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        PatientSocket client(MessageSocket::Framing::Checked);
        QSignalSpy connected(&client, &MessageSocket::connected);
        client.connectToServer(name);
        QVERIFY(server.waitForNewConnection(support::watchdogMs));
        LocalSocket *peer = server.nextPendingConnection();
        // The client's part, with a name of no bytes; the same is right for ours.
        EVENTUALLY(peer->bytesAvailable() == 21);
        support::settle();
        QCOMPARE(connected.size(), 0);
        peer->write(peer->readAll());
        EVENTUALLY(connected.size() == 1);
        support::settle();
        QCOMPARE(connected.size(), 1);
    }

    void theHandshakeComparesApplications_data()
    {
        QTest::addColumn<QString>("name");
        QTest::addColumn<quint32>("version");
        QTest::addColumn<bool>("isTheSame");
        QTest::newRow("the same") << QStringLiteral("größer") << quint32{7} << true;
        QTest::newRow("another version") << QStringLiteral("größer") << quint32{8} << false;
        QTest::newRow("another name") << QStringLiteral("kleiner") << quint32{7} << false;
        QTest::newRow("none") << QString() << quint32{0} << false;
    }

    void theHandshakeComparesApplications()
    {
        QFETCH(QString, name);
        QFETCH(quint32, version);
        QFETCH(bool, isTheSame);
        LocalServer server;
        const QString place = support::uniqueName();
        QVERIFY(server.listen(place));
        PatientSocket client(MessageSocket::Framing::Checked);
        PatientSocket peer(MessageSocket::Framing::Checked);
        client.setApplication(QStringLiteral("größer"), 7);
        peer.setApplication(name, version);
        QSignalSpy connected(&client, &MessageSocket::connected);
        QSignalSpy ended(&client, &MessageSocket::ended);
        client.connectToServer(place);
        QVERIFY(server.waitForNewConnection(support::watchdogMs));
        QVERIFY(peer.takeOver(server.nextPendingConnection()));
        EVENTUALLY(connected.size() + ended.size() == 1);
        QCOMPARE(connected.size() == 1, isTheSame);
        if (!isTheSame)
            QVERIFY2(ended[0][0].toString().startsWith(QStringLiteral("MISMATCH")), qPrintable(ended[0][0].toString()));
    }

    void applicationsThatAreNone()
    {
        MessageSocket socket(MessageSocket::Framing::Checked);
        MessageSocket lines(MessageSocket::Framing::Lines);
        support::Messages warnings;
        socket.setApplication(QString(256, QLatin1Char('x')), 1);
        socket.setApplication(QString(128, QChar(0xe4)), 1);
        socket.setApplication(QString(1, QChar()), 1);
        lines.setApplication(QStringLiteral("editor"), 1);
        QCOMPARE(warnings.take().size(), 4);
        socket.setApplication(QString(255, QLatin1Char('x')), 1);
        QCOMPARE(warnings.take().size(), 0);
    }

    void aHandshakeThatNeverComes_data()
    {
        QTest::addColumn<bool>("ofTheServer");
        QTest::newRow("the server's") << true;
        QTest::newRow("the client's") << false;
    }

    void aHandshakeThatNeverComes()
    {
        QFETCH(bool, ofTheServer);
        constexpr int timeoutMs = 30;
        LocalServer server;
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        MessageSocket messages(MessageSocket::Framing::Checked);
        messages.setHandshakeTimeout(timeoutMs);
        QSignalSpy connected(&messages, &MessageSocket::connected);
        QSignalSpy ended(&messages, &MessageSocket::ended);
        LocalSocket client;
        const QElapsedTimer begun = startedTimer();
        if (ofTheServer)
            messages.connectToServer(name);
        else
            client.connectToServer(name);
        QVERIFY(server.waitForNewConnection(support::watchdogMs));
        if (!ofTheServer)
            QVERIFY(messages.takeOver(server.nextPendingConnection()));
        EVENTUALLY(ended.size() == 1);
        QVERIFY(begun.elapsed() >= timeoutMs);
        QVERIFY2(ended[0][0].toString().startsWith(QStringLiteral("TIMED_OUT")), qPrintable(ended[0][0].toString()));
        QVERIFY2(ended[0][0].toString().contains(QStringLiteral("handshake")), qPrintable(ended[0][0].toString()));
        QCOMPARE(connected.size(), 0);
    }

    void theTimeForAHandshakeIsThatOfItsConnection()
    {
        LocalServer server;
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        MessageSocket client(MessageSocket::Framing::Checked);
        client.setHandshakeTimeout(1);
        QSignalSpy ended(&client, &MessageSocket::ended);
        client.connectToServer(name);
        client.setHandshakeTimeout(10 * support::watchdogMs);
        EVENTUALLY(ended.size() == 1);
        QVERIFY2(ended[0][0].toString().startsWith(QStringLiteral("TIMED_OUT")), qPrintable(ended[0][0].toString()));
    }

    void leftBeforeTheHandshake_data()
    {
        QTest::addColumn<bool>("hasSent");
        QTest::newRow("with a message that is not sent") << true;
        QTest::newRow("with none") << false;
    }

    void leftBeforeTheHandshake()
    {
        QFETCH(bool, hasSent);
        LocalServer server;
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        PatientSocket client(MessageSocket::Framing::Checked);
        QSignalSpy connected(&client, &MessageSocket::connected);
        QSignalSpy ended(&client, &MessageSocket::ended);
        client.connectToServer(name);
        if (hasSent)
            QVERIFY(client.sendMessage("in vain"));
        QVERIFY(server.waitForNewConnection(support::watchdogMs));
        server.nextPendingConnection()->abort();
        EVENTUALLY(ended.size() == 1);
        QVERIFY2(ended[0][0].toString().startsWith(QStringLiteral("DISCONNECTED")), qPrintable(ended[0][0].toString()));
        QCOMPARE(connected.size(), 0);
        QCOMPARE(client.bytesToWrite(), 0u);
    }

    void fullBacklog_data()
    {
        QTest::addColumn<bool>("moves");
        QTest::newRow("in one thread") << false;
        QTest::newRow("moved meanwhile") << true;
    }

    void fullBacklog()
    {
        QFETCH(bool, moves);
        const FullServer server;
        auto *socket = new MessageSocket;
        std::atomic<QThread *> connectedIn = nullptr;
        connect(socket, &MessageSocket::connected, socket, [&] { connectedIn = QThread::currentThread(); }, Qt::DirectConnection);
        support::LoopThread thread;
        connect(&thread, &QThread::finished, socket, &QObject::deleteLater);
        socket->connectToServer(server.path);
        QVERIFY(!socket->isConnected());
        if (moves)
            socket->moveToThread(&thread);
        const int accepted = server.acceptOne();
        EVENTUALLY(connectedIn);
        QCOMPARE(connectedIn.load(), moves ? &thread : QThread::currentThread());
        ::close(accepted);
        if (!moves)
            delete socket;
    }

    void fullBacklogGivenUp()
    {
        const FullServer server;
        MessageSocket socket;
        QSignalSpy connected(&socket, &MessageSocket::connected);
        socket.connectToServer(server.path);
        socket.disconnectFromServer();
        const int accepted = server.acceptOne();
        QEventLoop loop;
        QTimer::singleShot(20, &loop, &QEventLoop::quit);
        loop.exec();
        QCOMPARE(connected.size(), 0);
        QVERIFY(!socket.isConnected());
        ::close(accepted);
    }

    // Without descriptors for the thread's hub it would hear of nothing.
    void noDescriptorsInTheNewThread()
    {
        LocalServer server;
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        auto *socket = new MessageSocket;
        QString failure;
        std::atomic<bool> ended = false;
        support::LoopThread thread;
        connect(&thread, &QThread::finished, socket, &QObject::deleteLater);
        connect(
            socket, &MessageSocket::ended, socket,
            [&](const QString &told) {
                failure = told;
                ended = true;
            },
            Qt::DirectConnection);
        socket->connectToServer(name);
        QVERIFY(socket->isConnected());
        const support::DescriptorShortage shortage;
        socket->moveToThread(&thread);
        EVENTUALLY(ended);
        QVERIFY2(failure.startsWith(QStringLiteral("LIMIT_REACHED")), qPrintable(failure));
    }

    void anothersServer()
    {
        if (!ForeignServer::isPossible())
            QSKIP("only root can make another user's server");
        const ForeignServer server;
        MessageSocket socket;
        QSignalSpy ended(&socket, &MessageSocket::ended);
        socket.connectToServer(server.path);
        QCOMPARE(ended.size(), 1);
        QVERIFY2(ended[0][0].toString().contains(server.path), qPrintable(ended[0][0].toString()));
        socket.setServerTrust(moorline::ServerTrust::Anyone);
        socket.connectToServer(server.path);
        QVERIFY(socket.isConnected());
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
        QVERIFY(!messages.takeOver(nullptr));
        pair.client.write("in the middle");
        QVERIFY(!messages.takeOver(&pair.client));
        EVENTUALLY(pair.peer->bytesAvailable() == 13);
        QVERIFY(!messages.takeOver(pair.peer));
        pair.peer->readAll();
        QVERIFY(messages.takeOver(pair.peer));
        QCOMPARE(pair.peer->state(), LocalSocket::UnconnectedState);
        QCOMPARE(pair.client.state(), LocalSocket::ConnectedState);
    }

    void theEndAfterASingleMessage()
    {
        RawPeer peer;
        MessageSocket socket(MessageSocket::Framing::Lines);
        QVERIFY(peer.connect(socket));
        QSignalSpy received(&socket, &MessageSocket::messageReceived);
        QSignalSpy ended(&socket, &MessageSocket::ended);
        support::settle();
        QVERIFY(peer.send("last\n"));
        peer.close();
        EVENTUALLY(ended.size() == 1);
        QCOMPARE(received.size(), 1);
        QCOMPARE(ended[0][0].toString(), QString());
    }

    void repliesToOneThatSendsNoMore_data()
    {
        QTest::addColumn<bool>("disconnects");
        QTest::addColumn<int>("size");
        QTest::newRow("short") << false << 5;
        QTest::newRow("short, then disconnected") << true << 5;
        QTest::newRow("long") << false << 2000000;
        QTest::newRow("long, then disconnected") << true << 2000000;
    }

    // As of a client that ends its sending when it has asked, and reads until the end: nc -N does so.
    void repliesToOneThatSendsNoMore()
    {
        QFETCH(bool, disconnects);
        QFETCH(int, size);
        RawPeer peer;
        MessageSocket socket(MessageSocket::Framing::Lines);
        QVERIFY(peer.connect(socket));
        QSignalSpy ended(&socket, &MessageSocket::ended);
        connect(&socket, &MessageSocket::messageReceived, this, [&] {
            QVERIFY(socket.sendMessage(QByteArray(size, 'r')));
            if (disconnects)
                socket.disconnectFromServer();
        });
        QVERIFY(peer.send("ask\n"));
        peer.sendsNoMore();
        QByteArray received;
        EVENTUALLY((received += peer.takeAll(), ended.size() == 1));
        received += peer.takeAll();
        QCOMPARE(ended[0][0].toString(), QString());
        QCOMPARE(received.size(), size + 1);
    }

    void leavesBeforeTheReplyIsRead()
    {
        RawPeer peer;
        MessageSocket socket(MessageSocket::Framing::Lines);
        QVERIFY(peer.connect(socket));
        QSignalSpy ended(&socket, &MessageSocket::ended);
        connect(&socket, &MessageSocket::messageReceived, this, [&] { socket.sendMessage(QByteArray(2000000, 'r')); });
        QVERIFY(peer.send("ask\n"));
        peer.sendsNoMore();
        EVENTUALLY(!socket.isConnected());
        support::settle();
        QCOMPARE(ended.size(), 0);
        peer.close();
        EVENTUALLY(ended.size() == 1);
        QVERIFY2(ended[0][0].toString().startsWith(QStringLiteral("DISCONNECTED")), qPrintable(ended[0][0].toString()));
    }

    // The library has taken the message, and the system a part of it.
    void aMessageThatIsNotSentWholeIsNoOrdinaryEnd()
    {
        RawPeer peer;
        MessageSocket socket;
        QVERIFY(peer.connect(socket));
        QSignalSpy ended(&socket, &MessageSocket::ended);
        QSignalSpy drained(&socket, &MessageSocket::drained);
        QVERIFY(socket.sendMessage(QByteArray(5000000, 'x')));
        support::settle();
        const quint64 left = socket.bytesToWrite();
        QVERIFY(left > 0 && left < 5000000);
        peer.takeAll();
        EVENTUALLY(socket.bytesToWrite() < left);
        peer.takeAll();
        peer.close();
        EVENTUALLY(ended.size() == 1);
        QVERIFY2(ended[0][0].toString().startsWith(QStringLiteral("DISCONNECTED")), qPrintable(ended[0][0].toString()));
        QCOMPARE(drained.size(), 0);
        QCOMPARE(socket.bytesToWrite(), 0u);
    }

    void sentToOneThatReceivesNoMore()
    {
        RawPeer peer;
        MessageSocket socket(MessageSocket::Framing::Lines);
        QVERIFY(peer.connect(socket));
        QSignalSpy received(&socket, &MessageSocket::messageReceived);
        QSignalSpy ended(&socket, &MessageSocket::ended);
        support::settle();
        peer.takesNoMore();
        QVERIFY(peer.send(QByteArray("last\n").repeated(1000)));
        QVERIFY(socket.sendMessage("in vain"));
        EVENTUALLY(ended.size() == 1);
        QVERIFY2(ended[0][0].toString().startsWith(QStringLiteral("DISCONNECTED: ")), qPrintable(ended[0][0].toString()));
        QCOMPARE(received.size(), 1000);
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
            if (messages > 100000) {
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
        // The hub may be activated twice, by its notifier and by an event, for 2 ms and the turn that is begun then.
        QVERIFY2(fewest < 2 * (1000 + 256), qPrintable(QString::number(fewest)));
    }
};

MOORLINE_TEST_MAIN(tst_Messages)
#include "tst_messages.moc"

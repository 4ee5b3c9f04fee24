// Whole messages as signals.
#include "foreignserver.h"
#include "fullserver.h"
#include "subject.h"

#include <moorline/qt/MessageSocket>

#include <QtCore/QDataStream>
#include <QtCore/QElapsedTimer>
#include <QtCore/QSemaphore>
#include <QtCore/QTimer>

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <limits>
#include <memory>
#include <thread>

using moorline::MessageSocket;

namespace {

/// Has more time for the handshake than any test takes.
class PatientSocket : public MessageSocket {
public:
    explicit PatientSocket(Framing framing) : MessageSocket(framing) { setHandshakeTimeout(10 * support::watchdogMs); }
};

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

/// The other end of a connection, as the system gives it.
class RawPeer {
public:
    RawPeer() { support::socketPair(ends_); }
    ~RawPeer() { close(); }
    Q_DISABLE_COPY_MOVE(RawPeer)

    bool connect(MessageSocket &socket) const
    {
        LocalSocket bytes;
        return bytes.setSocketDescriptor(ends_[0]) && socket.takeOver(&bytes);
    }
    bool send(const QByteArray &bytes) const
    {
        return ::send(ends_[1], bytes.constData(), size_t(bytes.size()), MSG_NOSIGNAL) == bytes.size();
    }
    QByteArray takeAll() const
    {
        QByteArray all;
        char part[65536];
        for (ssize_t size; (size = ::recv(ends_[1], part, sizeof(part), MSG_DONTWAIT)) > 0;)
            all.append(part, qsizetype(size));
        return all;
    }
    void takesNoMore() const { (void)::shutdown(ends_[1], SHUT_RD); }
    void close()
    {
        if (ends_[1] >= 0)
            ::close(std::exchange(ends_[1], -1));
    }

private:
    int ends_[2];
};

/// So many messages are told before it is the others' turn.
constexpr int toldInATurn = 256;

/// What a client is told when the peer sends "0", it answers with three messages that come back, and leaves.
const QStringList eventsOfAnExchange = {"connected", "0", "drained", "1", "2", "3", "ended"};

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

    // The old thread has messages in hand when the slot of the first one returns.
    void movedAmongManyMessages()
    {
        constexpr int count = 2000;
        MessageSocket client;
        auto *moved = new MessageSocket;
        support::LoopThread thread;
        connect(&thread, &QThread::finished, moved, &QObject::deleteLater);
        std::atomic<int> told = 0;
        std::atomic<bool> inOrder = true;
        std::atomic<int> elsewhere = 0;
        connect(
            moved, &MessageSocket::messageReceived, moved,
            [&, moved](const QByteArray &message) {
                inOrder = inOrder && message == QByteArray::number(told.load());
                elsewhere += QThread::currentThread() != moved->thread();
                ++told;
                if (moved->thread() != &thread)
                    moved->moveToThread(&thread);
            },
            Qt::DirectConnection);
        LocalServer server;
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        client.connectToServer(name);
        QVERIFY(server.waitForNewConnection(support::watchdogMs));
        QVERIFY(moved->takeOver(server.nextPendingConnection()));
        for (int i = 0; i < count; ++i)
            QVERIFY(client.sendMessage(QByteArray::number(i)));
        EVENTUALLY(told == count);
        QVERIFY(inOrder);
        QCOMPARE(elsewhere.load(), 0);
    }

    void movedByASlotOfAnySignal_data()
    {
        QTest::addColumn<int>("framing");
        QTest::addColumn<int>("at");
        for (int at = 0; at < eventsOfAnExchange.size(); ++at) {
            const QByteArray event = eventsOfAnExchange[at].toLatin1();
            QTest::addRow("big endian: %s", event.constData()) << int(MessageSocket::Framing::BigEndian) << at;
            QTest::addRow("checked: %s", event.constData()) << int(MessageSocket::Framing::Checked) << at;
        }
    }

    // What happens is the same as without the move, each once, and after it in the new thread. The slot goes on meanwhile.
    void movedByASlotOfAnySignal()
    {
        QFETCH(int, framing);
        QFETCH(int, at);
        const QString name = support::uniqueName();
        QSemaphore listening;
        const std::unique_ptr<QThread> other(QThread::create([&] {
            QEventLoop loop;
            LocalServer server;
            PatientSocket peer{MessageSocket::Framing(framing)};
            connect(&server, &LocalServer::newConnection, &loop, [&] {
                peer.takeOver(server.nextPendingConnection());
                // So the other side hears of the connection and of a message at once.
                peer.sendMessage("0");
            });
            connect(&peer, &MessageSocket::messageReceived, &loop, [&](const QByteArray &message) { peer.sendMessage(message); });
            connect(&peer, &MessageSocket::ended, &loop, &QEventLoop::quit);
            server.listen(name);
            listening.release();
            loop.exec();
        }));
        other->start();
        QVERIFY(listening.tryAcquire(1, support::watchdogMs));

        auto *socket = new PatientSocket{MessageSocket::Framing(framing)};
        QStringList told;
        int elsewhere = 0;
        bool waited = true;
        QSemaphore done;
        std::atomic<bool> isDone = false;
        support::LoopThread thread;
        connect(&thread, &QThread::finished, socket, &QObject::deleteLater);
        const auto tell = [&](const QString &event) {
            const qsizetype index = told.size();
            told += event;
            elsewhere += QThread::currentThread() != socket->thread();
            const bool isLast = index == eventsOfAnExchange.size() - 1;
            if (event == QLatin1String("0")) {
                for (const char *message : {"1", "2", "3"})
                    socket->sendMessage(message);
            } else if (event == QLatin1String("3")) {
                socket->disconnectFromServer();
            }
            if (isLast) {
                done.release();
                isDone = true;
            }
            if (index == at) {
                socket->moveToThread(&thread);
                if (!isLast)
                    waited = done.tryAcquire(1, support::watchdogMs);
            }
        };
        const auto on = [&](auto signal, const QString &event) {
            connect(socket, signal, socket, [tell, event] { tell(event); }, Qt::DirectConnection);
        };
        on(&MessageSocket::connected, QStringLiteral("connected"));
        on(&MessageSocket::drained, QStringLiteral("drained"));
        on(&MessageSocket::ended, QStringLiteral("ended"));
        connect(
            socket, &MessageSocket::messageReceived, socket,
            [tell](const QByteArray &message) { tell(QString::fromLatin1(message)); }, Qt::DirectConnection);
        socket->connectToServer(name);
        EVENTUALLY(isDone);
        QVERIFY(waited);
        QCOMPARE(told, eventsOfAnExchange);
        QCOMPARE(elsewhere, 0);
        QVERIFY(other->wait(support::watchdogMs));
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

    void deletedInASlot_data()
    {
        QTest::addColumn<int>("framing");
        QTest::addColumn<QByteArray>("signal");
        for (const char *name : {"connected()", "messageReceived(QByteArray)", "drained()", "ended(QString)"}) {
            QTest::addRow("big endian: %s", name) << int(MessageSocket::Framing::BigEndian) << QByteArray(name);
            QTest::addRow("checked: %s", name) << int(MessageSocket::Framing::Checked) << QByteArray(name);
        }
    }

    void deletedInASlot()
    {
        QFETCH(int, framing);
        QFETCH(QByteArray, signal);
        LocalServer server;
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        QPointer<MessageSocket> socket = new PatientSocket{MessageSocket::Framing(framing)};
        connect(socket, (QByteArray("2") + signal).constData(), this, SLOT(deleteSender()));
        socket->connectToServer(name);
        QVERIFY(server.waitForNewConnection(support::watchdogMs));
        PatientSocket peer{MessageSocket::Framing(framing)};
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

    void whatFollowsIsToldInsideASlot_data()
    {
        QTest::addColumn<bool>("leaves");
        QTest::newRow("the peer leaves") << true;
        QTest::newRow("the peer stays") << false;
    }

    // Three messages, and the end, that come at once.
    void whatFollowsIsToldInsideASlot()
    {
        QFETCH(bool, leaves);
        RawPeer peer;
        MessageSocket socket(MessageSocket::Framing::Lines);
        QVERIFY(peer.connect(socket));
        int told = 0;
        bool ended = false;
        QList<bool> inside;
        connect(&socket, &MessageSocket::ended, this, [&] { ended = true; });
        connect(&socket, &MessageSocket::messageReceived, this, [&] {
            const int own = ++told;
            if (own < 3)
                inside += support::untilEvent([&] { return told > own; });
            else if (leaves)
                inside += support::untilEvent([&] { return ended; });
        });
        QVERIFY(peer.send("a\nb\nc\n"));
        if (leaves)
            peer.close();
        EVENTUALLY_BY_EVENT(told == 3 && ended == leaves);
        QCOMPARE(inside, QList<bool>(leaves ? 3 : 2, true));
    }

    void theFirstMessageIsToldInsideASlotOfConnected()
    {
        LocalServer server;
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        PatientSocket client(MessageSocket::Framing::Checked);
        bool connected = false;
        bool inside = false;
        QSignalSpy received(&client, &MessageSocket::messageReceived);
        connect(&client, &MessageSocket::connected, this, [&] {
            connected = true;
            inside = support::untilEvent([&] { return received.size() == 1; });
        });
        client.connectToServer(name);
        QVERIFY(server.waitForNewConnection(support::watchdogMs));
        LocalSocket *peer = server.nextPendingConnection();
        EVENTUALLY(peer->bytesAvailable() == 21);

        // What another one answers to the client's part of the handshake, all at once.
        RawPeer between;
        PatientSocket answering(MessageSocket::Framing::Checked);
        QVERIFY(between.connect(answering));
        QVERIFY(between.send(peer->readAll()));
        QSignalSpy drained(&answering, &MessageSocket::drained);
        QVERIFY(answering.sendMessage("with the handshake"));
        EVENTUALLY(drained.size() == 1);
        peer->write(between.takeAll());
        EVENTUALLY_BY_EVENT(connected);
        QVERIFY(inside);
    }

    // The system tells of a message that has come and of room for others at once.
    void messagesAreSentInsideASlot()
    {
        RawPeer peer;
        MessageSocket socket(MessageSocket::Framing::Lines);
        QVERIFY(peer.connect(socket));
        socket.sendMessage(QByteArray(4000000, 'x'));
        support::settle();
        QSignalSpy drained(&socket, &MessageSocket::drained);
        bool called = false;
        bool inside = false;
        connect(&socket, &MessageSocket::messageReceived, this, [&] {
            called = true;
            inside = support::untilEvent([&] {
                peer.takeAll();
                return drained.size() == 1;
            });
        });
        peer.takeAll();
        QVERIFY(peer.send("a\n"));
        EVENTUALLY_BY_EVENT(called);
        QVERIFY(inside);
    }

    // By the one message that is told in the next turn.
    void deletedInASlotOfALaterTurn()
    {
        RawPeer peer;
        auto *socket = new MessageSocket(MessageSocket::Framing::Lines);
        QVERIFY(peer.connect(*socket));
        int told = 0;
        connect(socket, &MessageSocket::messageReceived, this, [&] {
            if (++told == toldInATurn + 1)
                delete socket;
        });
        support::settle();
        QVERIFY(peer.send(QByteArray("a\n").repeated(toldInATurn + 1)));
        EVENTUALLY(told == toldInATurn + 1);
        support::settle();
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

    // One more message than are told before it is the others' turn: the last is told in the same turn in which the answer goes out.
    void anAnswerIsSentInsideTheNextSlot()
    {
        constexpr int count = toldInATurn + 1;
        RawPeer peer;
        MessageSocket socket(MessageSocket::Framing::Lines);
        QVERIFY(peer.connect(socket));
        int told = 0;
        bool inside = false;
        QSignalSpy drained(&socket, &MessageSocket::drained);
        connect(&socket, &MessageSocket::messageReceived, this, [&] {
            ++told;
            if (told == count - 1)
                socket.sendMessage("answer");
            else if (told == count)
                inside = support::untilEvent([&] { return drained.size() == 1; });
        });
        support::settle();
        QVERIFY(peer.send(QByteArray("a\n").repeated(count)));
        EVENTUALLY_BY_EVENT(told == count);
        QVERIFY(inside);
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

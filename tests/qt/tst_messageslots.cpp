// What slots see, and may do, while messages are told.
#include "messages.h"

#include <QtCore/QPointer>
#include <QtCore/QSemaphore>

#include <atomic>
#include <memory>

namespace {

/// So many messages are told before it is the others' turn.
constexpr int toldInATurn = 256;

/// What a client is told when the peer sends "0", it answers with three messages that come back, and leaves.
const QStringList eventsOfAnExchange = {"connected", "0", "drained", "1", "2", "3", "ended"};

} // namespace

class tst_MessageSlots : public QObject {
    Q_OBJECT

private slots:
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

    void whatBelongsToItMayAskIt()
    {
        RawPeer peer;
        auto *socket = new MessageSocket(MessageSocket::Framing::Lines);
        QVERIFY(peer.connect(*socket));
        bool asked = false;
        connect(new QObject(socket), &QObject::destroyed, this, [&](const QObject *child) {
            QCOMPARE(qobject_cast<MessageSocket *>(child->parent()), socket);
            asked = socket->isConnected();
        });
        delete socket;
        QVERIFY(asked);
    }

public slots:
    void deleteSender() { delete sender(); }
};

MOORLINE_TEST_MAIN(tst_MessageSlots)
#include "tst_messageslots.moc"

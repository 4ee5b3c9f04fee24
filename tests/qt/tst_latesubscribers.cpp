// Who connects to a signal when it was emitted already is told all the same.
#include "subject.h"

#include <QtCore/QSemaphore>

#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <optional>

class tst_LateSubscribers : public QObject {
    Q_OBJECT

private slots:
    void lateSubscribers()
    {
        LocalServer server;
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        LocalSocket socket;
        socket.connectToServer(name);
        QVERIFY(server.waitForNewConnection(support::watchdogMs));
        LocalSocket *peer = server.nextPendingConnection();
        peer->write("early");
        peer->flush();
        peer->abort();
        EVENTUALLY(socket.state() == LocalSocket::UnconnectedState);

        // In the order in which it happened, whatever the order of connecting.
        QStringList told;
        connect(&socket, &LocalSocket::disconnected, this, [&] { told += QStringLiteral("disconnected"); });
        connect(&socket, &QIODevice::readChannelFinished, this, [&] { told += QStringLiteral("readChannelFinished"); });
        connect(&socket, &LocalSocket::errorOccurred, this, [&] { told += QStringLiteral("errorOccurred"); });
        connect(&socket, &QIODevice::readyRead, this, [&] { told += QStringLiteral("readyRead"); });
        connect(&socket, &LocalSocket::connected, this, [&] { told += QStringLiteral("connected"); });
        QCOMPARE(told, QStringList());
        EVENTUALLY(told.size() == 5);
        support::settle();
        QCOMPARE(told,
                 QStringList({QStringLiteral("connected"), QStringLiteral("readyRead"), QStringLiteral("errorOccurred"),
                              QStringLiteral("readChannelFinished"), QStringLiteral("disconnected")}));
        QCOMPARE(socket.readAll(), QByteArray("early"));
    }

    void lateSubscribersAreNotToldTwice()
    {
        Pair pair;
        int first = 0;
        int second = 0;
        connect(&pair.client, &QIODevice::readyRead, this, [&] { ++first; });
        pair.peer->write("unread");
        EVENTUALLY(first == 1);
        connect(&pair.client, &QIODevice::readyRead, this, [&] { ++second; });
        support::settle();
        QCOMPARE(first, 1);
        QCOMPARE(second, 0);
    }

    void lateSubscribersAfterOthersHaveLeft()
    {
        Pair pair;
        QObject first;
        int told = 0;
        connect(&pair.client, &QIODevice::readyRead, &first, [&] {
            pair.client.readAll();
            ++told;
        });
        for (const bool leaves : {false, true}) {
            pair.peer->write("heard");
            EVENTUALLY(told == (leaves ? 2 : 1));
            if (leaves)
                pair.client.disconnect(&first);
        }
        pair.peer->write("unheard");
        EVENTUALLY(pair.client.bytesAvailable() == 7);
        connect(&pair.client, &QIODevice::readyRead, this, [&] { told = 100; });
        EVENTUALLY(told == 100);
    }

    // In another thread, exactly when the signal is emitted.
    void lateSubscribersAfterOthersWereDeleted()
    {
        struct Socket : LocalSocket {
            std::function<void()> left;
            void disconnectNotify(const QMetaMethod &signal) override
            {
                LocalSocket::disconnectNotify(signal);
                left();
            }
        };
        // Side by side, so that they are not among the objects that share one of Qt's locks: it holds the receiver's meanwhile.
        struct {
            Socket socket;
            std::optional<QObject> receiver;
        } both;
        Socket &socket = both.socket;
        int ends[2];
        QCOMPARE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
        QVERIFY(socket.setSocketDescriptor(ends[0]));
        int heard = 0;
        both.receiver.emplace();
        connect(&socket, &QIODevice::readyRead, &*both.receiver, [&] { ++heard; }, Qt::DirectConnection);
        QSemaphore isLeaving;
        QSemaphore isTold;
        socket.left = [&] {
            isLeaving.release();
            isTold.tryAcquire(1, support::watchdogMs);
        };
        const std::unique_ptr<QThread> other(QThread::create([&] { both.receiver.reset(); }));
        both.receiver->moveToThread(other.get());
        other->start();
        QVERIFY(isLeaving.tryAcquire(1, support::watchdogMs));
        QCOMPARE(::send(ends[1], "heard", 5, MSG_NOSIGNAL), ssize_t(5));
        EVENTUALLY(heard == 1);
        isTold.release();
        QVERIFY(other->wait(support::watchdogMs));
        QCOMPARE(::send(ends[1], "unheard", 7, MSG_NOSIGNAL), ssize_t(7));
        EVENTUALLY(socket.bytesAvailable() == 12);
        int late = 0;
        connect(&socket, &QIODevice::readyRead, this, [&] { ++late; });
        EVENTUALLY(late == 1);
        QCOMPARE(heard, 1);
        socket.left = [] {};
        ::close(ends[1]);
    }

    void lateSubscribersOfWhatWasRead()
    {
        Pair pair;
        pair.peer->write("read already");
        QVERIFY(pair.peer->flush());
        QVERIFY(pair.client.waitForReadyRead(support::watchdogMs));
        pair.client.readAll();
        int told = 0;
        connect(&pair.client, &QIODevice::readyRead, this, [&] { ++told; });
        support::settle();
        QCOMPARE(told, 0);
        pair.peer->write("more");
        EVENTUALLY(told == 1);
    }

    void lateSubscribersOfWaitsInVain()
    {
        Pair pair;
        QVERIFY(!pair.client.waitForReadyRead(1));
        QCOMPARE(pair.client.error(), LocalSocket::SocketTimeoutError);
        QSignalSpy errors(&pair.client, &LocalSocket::errorOccurred);
        support::settle();
        QCOMPARE(errors.size(), 0);
        pair.peer->abort();
        EVENTUALLY(errors.size() == 1);
        QCOMPARE(pair.client.error(), LocalSocket::PeerClosedError);
    }

    void lateSubscribersOfAnotherConnection()
    {
        LocalServer server;
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        LocalSocket socket;
        socket.connectToServer(name);
        QVERIFY(server.waitForNewConnection(support::watchdogMs));
        server.nextPendingConnection()->abort();
        EVENTUALLY(socket.state() == LocalSocket::UnconnectedState);
        socket.connectToServer(name);
        QSignalSpy disconnected(&socket, &LocalSocket::disconnected);
        support::settle();
        QCOMPARE(disconnected.size(), 0);
        socket.abort();
        QCOMPARE(disconnected.size(), 1);
    }

    void lateSubscriberOfNewConnection()
    {
        LocalServer server;
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        LocalSocket socket;
        socket.connectToServer(name);
        EVENTUALLY(server.hasPendingConnections());
        QSignalSpy newConnections(&server, &LocalServer::newConnection);
        EVENTUALLY(newConnections.size() == 1);
        support::settle();
        QCOMPARE(newConnections.size(), 1);
    }
};

MOORLINE_TEST_MAIN(tst_LateSubscribers)
#include "tst_latesubscribers.moc"

// The library's service, used from Qt.
#include "subject.h"

#include <moorline/qt/Service>

#include <QtCore/QFileInfo>
#include <QtCore/QSemaphore>
#include <QtCore/QThread>

#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <memory>

using moorline::qt::Service;

class tst_Service : public QObject {
    Q_OBJECT

private slots:
    void signalsInTheObjectsThread()
    {
        Service service;
        const QString name = support::uniqueName();
        QVERIFY2(service.start(name), qPrintable(service.errorString()));
        QVERIFY(service.isRunning());
        QVERIFY(QFileInfo::exists(service.fullServerName()));
        QStringList told;
        bool elsewhere = false;
        const auto tell = [&](const QString &what) {
            told += what;
            elsewhere = elsewhere || QThread::currentThread() != thread();
        };
        connect(&service, &Service::connected, this, [&] { tell(QStringLiteral("connected")); }, Qt::DirectConnection);
        connect(
            &service, &Service::received, this,
            [&](quint64 connection, const QByteArray &data) {
                tell(QStringLiteral("received ") + QString::fromLatin1(data));
                QVERIFY(service.send(connection, data.toUpper()));
            },
            Qt::DirectConnection);
        connect(
            &service, &Service::disconnected, this,
            [&](quint64 connection, const QString &reason) {
                tell(reason);
                QVERIFY(!service.send(connection, "too late"));
            },
            Qt::DirectConnection);
        LocalSocket socket;
        socket.connectToServer(name);
        socket.write("hello");
        EVENTUALLY(socket.bytesAvailable() == 5);
        QCOMPARE(socket.readAll(), QByteArray("HELLO"));
        socket.disconnectFromServer();
        EVENTUALLY(told.size() == 3);
        QCOMPARE(told,
                 QStringList({QStringLiteral("connected"), QStringLiteral("received hello"), QStringLiteral("DISCONNECTED")}));
        QVERIFY(!elsewhere);
        const moorline::qt::ServiceReport report = service.stop();
        QCOMPARE(report.accepted, 1u);
        QCOMPARE(report.received, 5u);
        QCOMPARE(report.sent, 5u);
        QCOMPARE(report.unsent, 0u);
        QVERIFY(!service.isRunning());
    }

    // As of a client that ends its sending when it has asked, and reads until the end: nc -N does so.
    void repliesToOneThatSendsNoMore()
    {
        Service service;
        const QString name = support::uniqueName();
        QVERIFY2(service.start(name), qPrintable(service.errorString()));
        QStringList told;
        connect(&service, &Service::received, this, [&](quint64 connection, const QByteArray &data) {
            if (!service.send(connection, data.toUpper()))
                told += QStringLiteral("not sent");
        });
        connect(&service, &Service::disconnected, this, [&](quint64, const QString &reason) { told += reason; });
        // So many that the service has found the end of some before this thread is told of anything.
        LocalSocket sockets[20];
        for (LocalSocket &socket : sockets) {
            socket.connectToServer(name);
            socket.write("ask");
            QVERIFY(socket.flush());
            QCOMPARE(::shutdown(int(socket.socketDescriptor()), SHUT_WR), 0);
        }
        EVENTUALLY(told.count(QStringLiteral("DISCONNECTED")) == 20);
        QCOMPARE(told.size(), 20);
        for (LocalSocket &socket : sockets) {
            EVENTUALLY(socket.state() == LocalSocket::UnconnectedState);
            QCOMPARE(socket.readAll(), QByteArray("ASK"));
        }
    }

    // An answer for which there never is room at once, when the one that asked has ended its sending long before.
    void longReplyToOneThatSendsNoMore()
    {
        constexpr int piece = 50000;
        const QByteArray reply(60 * piece, 'r');
        Service service;
        service.setQueueLimit(2 * piece);
        const QString name = support::uniqueName();
        QVERIFY2(service.start(name), qPrintable(service.errorString()));
        int answered = 0;
        int refusals = 0;
        const auto answer = [&](quint64 connection) {
            while (answered < reply.size()) {
                if (!service.send(connection, reply.mid(answered, piece))) {
                    ++refusals;
                    return;
                }
                answered += piece;
            }
        };
        connect(&service, &Service::received, this, answer);
        connect(&service, &Service::drained, this, answer);
        const QSignalSpy disconnected(&service, &Service::disconnected);
        LocalSocket socket;
        socket.connectToServer(name);
        socket.write("ask");
        QVERIFY(socket.flush());
        QCOMPARE(::shutdown(int(socket.socketDescriptor()), SHUT_WR), 0);
        EVENTUALLY(socket.state() == LocalSocket::UnconnectedState);
        QVERIFY(refusals > 0);
        QCOMPARE(socket.bytesAvailable(), qint64(reply.size()));
        QCOMPARE(socket.readAll(), reply);
        EVENTUALLY(disconnected.size() == 1);
    }

    // The same of one whose answers are given up where there is no room for them: it ends, too.
    void replyGivenUpToOneThatSendsNoMore()
    {
        constexpr int limit = 1000;
        Service service;
        service.setQueueLimit(limit);
        const QString name = support::uniqueName();
        QVERIFY2(service.start(name), qPrintable(service.errorString()));
        qint64 answered = 0;
        connect(&service, &Service::received, this, [&](quint64 connection) {
            while (service.send(connection, QByteArray(limit, 'r')))
                answered += limit;
        });
        LocalSocket socket;
        socket.connectToServer(name);
        socket.write("ask");
        QVERIFY(socket.flush());
        QCOMPARE(::shutdown(int(socket.socketDescriptor()), SHUT_WR), 0);
        EVENTUALLY(socket.state() == LocalSocket::UnconnectedState);
        QCOMPARE(socket.bytesAvailable(), answered);
    }

    void whatIsNotToldIsBounded()
    {
        Service service;
        const QString name = support::uniqueName();
        QVERIFY(service.start(name));
        qint64 told = 0;
        connect(&service, &Service::received, this, [&](quint64, const QByteArray &data) { told += data.size(); });
        const qint64 size = 64 * 1024 * 1024;
        qint64 sentWithoutAnyLoop = 0;
        QSemaphore stalled;
        const std::unique_ptr<QThread> thread(QThread::create([&] {
            LocalSocket socket;
            socket.connectToServer(name);
            socket.write(QByteArray(size, 'b'));
            while (socket.waitForBytesWritten(300)) {}
            sentWithoutAnyLoop = size - socket.bytesToWrite();
            stalled.release();
            while (socket.bytesToWrite() > 0 && socket.waitForBytesWritten(support::watchdogMs)) {}
        }));
        thread->start();
        // This thread runs no event loop meanwhile, so nothing is told.
        QVERIFY(stalled.tryAcquire(1, support::watchdogMs));
        EVENTUALLY(told == size);
        QVERIFY(thread->wait(support::watchdogMs));
        QVERIFY(sentWithoutAnyLoop < size / 2);
    }

    void stopWhilePeersAreHeldUp()
    {
        const QString name = support::uniqueName();
        LocalSocket socket;
        {
            Service service;
            service.setWorkers(2);
            QVERIFY(service.start(name));
            socket.connectToServer(name);
            socket.write(QByteArray(64 * 1024 * 1024, 'h'));
            while (socket.waitForBytesWritten(50)) {}
            service.stop(0);
            QVERIFY(service.start(name));
        }
        EVENTUALLY(socket.state() == LocalSocket::UnconnectedState);
    }

    void deletedInASlot()
    {
        const QString name = support::uniqueName();
        QPointer<Service> service = new Service;
        QVERIFY(service->start(name));
        connect(service, &Service::received, this, [&] { delete service; });
        LocalSocket socket;
        socket.connectToServer(name);
        socket.write("end");
        EVENTUALLY(!service);
        EVENTUALLY(socket.state() == LocalSocket::UnconnectedState);
    }

    void failures()
    {
        LocalServer server;
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        Service service;
        QVERIFY(!service.start(name));
        QVERIFY2(service.errorString().contains(server.fullServerName()), qPrintable(service.errorString()));
        QVERIFY(!service.isRunning());
        QVERIFY(!service.start(QString()));
        QVERIFY(!service.send(12345, "nobody"));
        server.close();
        // What has nothing to do with the name is told as well.
        service.setQueueLimit(1);
        QVERIFY(!service.start(name));
        QVERIFY2(service.errorString().contains(QLatin1String("limit 1:")), qPrintable(service.errorString()));
        service.setQueueLimit(0);
        {
            const support::DescriptorShortage shortage;
            QVERIFY(!service.start(name));
            QVERIFY2(service.errorString().contains(QString::fromLocal8Bit(strerror(EMFILE))), qPrintable(service.errorString()));
        }
        QVERIFY(service.start(name));
        QVERIFY(!service.start(support::uniqueName()));
        QCOMPARE(service.stop().accepted, 0u);
        QCOMPARE(service.stop().accepted, 0u);
    }

    void allOfASendOrNone()
    {
        constexpr int limit = 1000;
        constexpr int piece = 300;
        Service service;
        service.setQueueLimit(limit);
        const QString name = support::uniqueName();
        QVERIFY(service.start(name));
        QSignalSpy connected(&service, &Service::connected);
        LocalSocket socket;
        socket.setReadBufferSize(1);
        socket.connectToServer(name);
        EVENTUALLY(connected.size() == 1);
        const auto connection = connected[0][0].toULongLong();
        QVERIFY(!service.send(connection, QByteArray(limit + 1, 'x')));
        std::atomic<int> taken = 0;
        const auto fill = [&] {
            while (service.send(connection, QByteArray(piece, 'a')))
                ++taken;
        };
        const QSignalSpy drained(&service, &Service::drained);
        const std::unique_ptr<QThread> other(QThread::create(fill));
        other->start();
        fill();
        QVERIFY(other->wait(support::watchdogMs));
        QVERIFY(taken > 0);
        // Who was refused is told when to try again.
        socket.setReadBufferSize(0);
        EVENTUALLY(!drained.isEmpty());
        QVERIFY(service.send(connection, QByteArray(piece, 'a')));
        ++taken;
        service.closeConnection(connection);
        EVENTUALLY(socket.state() == LocalSocket::UnconnectedState);
        QCOMPARE(socket.readAll(), QByteArray(piece * taken, 'a'));
    }

    void stopWithLessThanNoTime()
    {
        Service service;
        const QString name = support::uniqueName();
        QVERIFY(service.start(name));
        QSignalSpy connected(&service, &Service::connected);
        LocalSocket socket;
        socket.connectToServer(name);
        EVENTUALLY(connected.size() == 1);
        QCOMPARE(service.stop(-5).accepted, 1u);
    }

    void connectionLimit()
    {
        Service service;
        service.setMaxConnections(1);
        const QString name = support::uniqueName();
        QVERIFY(service.start(name));
        QSignalSpy connected(&service, &Service::connected);
        LocalSocket first;
        first.connectToServer(name);
        EVENTUALLY(connected.size() == 1);
        LocalSocket second;
        second.connectToServer(name);
        EVENTUALLY(second.state() == LocalSocket::UnconnectedState);
        service.abortConnection(connected[0][0].toULongLong());
        EVENTUALLY(first.state() == LocalSocket::UnconnectedState);
        QCOMPARE(service.stop().refused, 1u);
    }

    void whatBelongsToItMayAskIt()
    {
        auto *service = new Service;
        QVERIFY(service->start(support::uniqueName()));
        bool asked = false;
        connect(new QObject(service), &QObject::destroyed, this, [&](const QObject *child) {
            QCOMPARE(qobject_cast<Service *>(child->parent()), service);
            asked = !service->isRunning() && service->fullServerName().isEmpty();
        });
        delete service;
        QVERIFY(asked);
    }

    // Its threads would tell an object that is not there any more.
    void whatIsStartedWhileItGoesGoesWithIt()
    {
        auto *service = new Service;
        const QString name = support::uniqueName();
        bool started = false;
        connect(new QObject(service), &QObject::destroyed, this, [&] { started = service->start(name); });
        delete service;
        QVERIFY(started);
        LocalSocket socket;
        socket.connectToServer(name);
        QCOMPARE(socket.error(), LocalSocket::ServerNotFoundError);
    }
};

MOORLINE_TEST_MAIN(tst_Service)
#include "tst_service.moc"

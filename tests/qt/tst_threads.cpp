// Sockets in many threads, with and without event loops, and many sockets in one thread.
#include "fullserver.h"
#include "subject.h"

#include <moorline/qt/MessageSocket>

#include <QtCore/QAbstractEventDispatcher>
#include <QtCore/QDir>
#include <QtCore/QSemaphore>
#include <QtCore/QThread>

#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <memory>
#include <thread>

class tst_Threads : public QObject {
    Q_OBJECT

private slots:
    void twentyThreadsWithoutEventLoops()
    {
        constexpr int count = 20;
        LocalServer server;
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        connect(&server, &LocalServer::newConnection, this, [&] {
            while (LocalSocket *socket = server.nextPendingConnection())
                connect(socket, &QIODevice::readyRead, socket, [socket] { socket->write(socket->readAll()); });
        });
        std::atomic<int> good = 0;
        std::atomic<int> left = count;
        std::vector<std::unique_ptr<QThread>> threads;
        for (int i = 0; i < count; ++i) {
            threads.emplace_back(QThread::create([&, i] {
                LocalSocket socket;
                socket.connectToServer(name);
                bool fine = socket.waitForConnected(support::watchdogMs);
                for (int round = 0; fine && round < 50; ++round) {
                    const QByteArray data(1 + i * 997, char('a' + i));
                    socket.write(data);
                    fine = socket.waitForBytesWritten(support::watchdogMs);
                    QByteArray echo;
                    while (fine && echo.size() < data.size()) {
                        fine = socket.bytesAvailable() > 0 || socket.waitForReadyRead(support::watchdogMs);
                        echo += socket.readAll();
                    }
                    fine = fine && echo == data;
                }
                socket.disconnectFromServer();
                fine = fine
                    && (socket.state() == LocalSocket::UnconnectedState || socket.waitForDisconnected(support::watchdogMs));
                good += fine;
                --left;
            }));
            threads.back()->start();
        }
        EVENTUALLY(left == 0);
        for (const auto &thread : threads)
            QVERIFY(thread->wait(support::watchdogMs));
        QCOMPARE(good.load(), count);
    }

    void serversInThreads()
    {
        constexpr int count = 8;
        std::atomic<int> good = 0;
        std::vector<std::unique_ptr<QThread>> threads;
        for (int i = 0; i < count; ++i) {
            threads.emplace_back(QThread::create([&] {
                Pair pair;
                bool fine = pair.peer != nullptr;
                QEventLoop loop;
                connect(pair.peer, &QIODevice::readyRead, &loop, [&] { pair.peer->write(pair.peer->readAll()); });
                connect(&pair.client, &QIODevice::readyRead, &loop, [&] {
                    if (pair.client.bytesAvailable() == 100000)
                        loop.quit();
                });
                pair.client.write(QByteArray(100000, 'x'));
                loop.exec();
                good += fine && pair.client.readAll() == QByteArray(100000, 'x');
            }));
            threads.back()->start();
        }
        for (const auto &thread : threads)
            QVERIFY(thread->wait(support::watchdogMs));
        QCOMPARE(good.load(), count);
    }

    void threadsThatQtDidNotStart()
    {
        LocalServer server;
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        connect(&server, &LocalServer::newConnection, this, [&] {
            LocalSocket *socket = server.nextPendingConnection();
            connect(socket, &QIODevice::readyRead, socket, [socket] { socket->write(socket->readAll()); });
        });
        std::atomic<bool> done = false;
        bool waited = false;
        bool looped = false;
        std::thread thread([&] {
            {
                LocalSocket socket;
                socket.connectToServer(name);
                socket.write("by waiting");
                waited = socket.waitForReadyRead(support::watchdogMs) && socket.readAll() == "by waiting";
                // The thread's first event loop comes after its first socket.
                socket.write("by looping");
                QEventLoop loop;
                connect(&socket, &QIODevice::readyRead, &loop, &QEventLoop::quit);
                loop.exec();
                looped = socket.readAll() == "by looping";
            }
            done = true;
        });
        EVENTUALLY(done);
        thread.join();
        QVERIFY(waited);
        QVERIFY(looped);
    }

    void movedToAnotherThread_data()
    {
        QTest::addColumn<bool>("whileConnected");
        QTest::newRow("before it connects") << false;
        QTest::newRow("while it is connected") << true;
    }

    void movedToAnotherThread()
    {
        NOT_WITH_QT("this is not theirs to promise");
        QFETCH(bool, whileConnected);
        LocalServer server;
        server.setSocketsParented(false);
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        auto *client = new LocalSocket;
        if (whileConnected) {
            client->connectToServer(name);
            QVERIFY(server.waitForNewConnection(support::watchdogMs));
        }
        QThread thread;
        thread.start();
        client->moveToThread(&thread);
        if (!whileConnected) {
            QMetaObject::invokeMethod(client, [=] { client->connectToServer(name); });
            QVERIFY(server.waitForNewConnection(support::watchdogMs));
        }
        LocalSocket *peer = server.nextPendingConnection();
        QVERIFY(!peer->parent());
        QThread second;
        second.start();
        peer->moveToThread(&second);
        connect(peer, &QIODevice::readyRead, peer, [peer] { peer->write(peer->readAll()); });
        std::atomic<int> echoed = 0;
        std::atomic<QThread *> seenIn = nullptr;
        connect(client, &QIODevice::readyRead, client, [&, client] {
            seenIn = QThread::currentThread();
            echoed += int(client->readAll().size());
        });
        QMetaObject::invokeMethod(client, [=] { client->write(QByteArray(100000, 'm')); });
        EVENTUALLY(echoed == 100000);
        QCOMPARE(seenIn.load(), &thread);
        // Each is deleted where it lives.
        connect(&thread, &QThread::finished, client, &QObject::deleteLater);
        connect(&second, &QThread::finished, peer, &QObject::deleteLater);
        thread.quit();
        second.quit();
        QVERIFY(thread.wait(support::watchdogMs));
        QVERIFY(second.wait(support::watchdogMs));
    }

    void movedByASlotOfAnySignal_data()
    {
        QTest::addColumn<QStringList>("events");
        QTest::addColumn<int>("at");
        const QStringList connecting = {"Connecting"};
        const QStringList talking = connecting + QStringList{"Connected", "connected", "bytesWritten", "readyRead"};
        const QStringList ending = {"Closing", "Unconnected", "readChannelFinished", "disconnected"};
        const QList<std::pair<QString, QStringList>> all = {
            {"refused", connecting + QStringList{"errorOccurred", "Unconnected"}},
            {"left", talking + ending},
            {"closed", talking + QStringList{"aboutToClose"} + ending},
            {"left by the peer", talking + QStringList{"errorOccurred"} + ending},
        };
        for (const auto &[how, events] : all) {
            for (int at = 0; at < events.size(); ++at)
                QTest::addRow("%s: %d, %s", qPrintable(how), at, qPrintable(events[at])) << events << at;
        }
    }

    // What happens is the same as without the move, each once, and after it in the new thread. The slot goes on meanwhile.
    void movedByASlotOfAnySignal()
    {
        NOT_WITH_QT("this is not theirs to promise");
        QFETCH(QStringList, events);
        QFETCH(int, at);
        const bool refused = events[1] == "errorOccurred";
        const bool leftByPeer = !refused && events.contains("errorOccurred");
        const QString name = support::uniqueName();
        QSemaphore listening;
        const std::unique_ptr<QThread> other(QThread::create([&] {
            LocalServer server;
            if (!refused)
                server.listen(name);
            listening.release();
            if (refused || !server.waitForNewConnection(support::watchdogMs))
                return;
            LocalSocket *peer = server.nextPendingConnection();
            peer->waitForReadyRead(support::watchdogMs);
            peer->write("answer");
            peer->waitForBytesWritten(support::watchdogMs);
            if (leftByPeer)
                peer->disconnectFromServer();
            else if (peer->state() != LocalSocket::UnconnectedState)
                peer->waitForDisconnected(support::watchdogMs);
        }));
        other->start();
        QVERIFY(listening.tryAcquire(1, support::watchdogMs));

        auto *socket = new LocalSocket;
        QStringList told;
        int elsewhere = 0;
        bool waited = true;
        QSemaphore done;
        std::atomic<bool> isDone = false;
        support::LoopThread thread;
        connect(&thread, &QThread::finished, socket, &QObject::deleteLater);
        const auto tell = [&](const QString &event) {
            const auto index = int(told.size());
            told += event;
            elsewhere += QThread::currentThread() != socket->thread();
            if (event == "connected") {
                socket->write("hello");
            } else if (event == "readyRead") {
                socket->readAll();
                if (events.contains("aboutToClose"))
                    socket->close();
                else if (!leftByPeer)
                    socket->disconnectFromServer();
            }
            if (index == events.size() - 1) {
                done.release();
                isDone = true;
            }
            if (index == at) {
                socket->moveToThread(&thread);
                if (index < events.size() - 1)
                    waited = done.tryAcquire(1, support::watchdogMs);
            }
        };
        const auto on = [&](auto signal, const QString &event) {
            connect(socket, signal, socket, [tell, event] { tell(event); }, Qt::DirectConnection);
        };
        connect(
            socket, &LocalSocket::stateChanged, socket,
            [tell](LocalSocket::LocalSocketState state) {
                tell(state == LocalSocket::ConnectingState      ? "Connecting"
                         : state == LocalSocket::ConnectedState ? "Connected"
                         : state == LocalSocket::ClosingState   ? "Closing"
                                                                : "Unconnected");
            },
            Qt::DirectConnection);
        on(&LocalSocket::errorOccurred, "errorOccurred");
        on(&LocalSocket::connected, "connected");
        on(&QIODevice::bytesWritten, "bytesWritten");
        on(&QIODevice::readyRead, "readyRead");
        on(&QIODevice::aboutToClose, "aboutToClose");
        on(&QIODevice::readChannelFinished, "readChannelFinished");
        on(&LocalSocket::disconnected, "disconnected");
        socket->connectToServer(name);
        EVENTUALLY(isDone);
        QVERIFY(waited);
        QCOMPARE(told, events);
        QCOMPARE(elsewhere, 0);
        QVERIFY(other->wait(support::watchdogMs));
    }

    // The new thread deletes it while the slot goes on.
    void movedByASlotAndDeleted()
    {
        NOT_WITH_QT("this is not theirs to promise");
        constexpr qint64 pieces = 200;
        LocalServer server;
        server.setSocketsParented(false);
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        QSemaphore isMoved;
        const std::unique_ptr<QThread> sender(QThread::create([&] {
            LocalSocket socket;
            socket.connectToServer(name);
            for (qint64 piece = 0; piece < pieces; ++piece) {
                socket.write(QByteArray(1000, 'm'));
                socket.flush();
                if (piece == 0)
                    isMoved.tryAcquire(1, support::watchdogMs);
            }
            socket.disconnectFromServer();
            if (socket.state() != LocalSocket::UnconnectedState)
                socket.waitForDisconnected(support::watchdogMs);
        }));
        sender->start();
        QVERIFY(server.waitForNewConnection(support::watchdogMs));
        LocalSocket *moved = server.nextPendingConnection();
        QObject inThread;
        qint64 received = 0;
        int elsewhere = 0;
        QSemaphore isDeleted;
        std::atomic<bool> waited = false;
        support::LoopThread thread;
        inThread.moveToThread(&thread);
        connect(
            moved, &QIODevice::readyRead, moved,
            [&, moved] {
                received += moved->readAll().size();
                elsewhere += QThread::currentThread() != moved->thread();
                if (moved->thread() != &thread) {
                    moved->moveToThread(&thread);
                    isMoved.release();
                    waited = isDeleted.tryAcquire(1, support::watchdogMs);
                }
            },
            Qt::DirectConnection);
        connect(
            moved, &LocalSocket::disconnected, moved,
            [&, moved] {
                elsewhere += QThread::currentThread() != &thread;
                moved->deleteLater();
                QMetaObject::invokeMethod(&inThread, [&] { isDeleted.release(); }, Qt::QueuedConnection);
            },
            Qt::DirectConnection);
        EVENTUALLY(waited);
        QCOMPARE(received, pieces * 1000);
        QCOMPARE(elsewhere, 0);
        QVERIFY(sender->wait(support::watchdogMs));
    }

    // It is closing, and its last bytes have just gone.
    void movedByASlotWhileItEnds()
    {
        NOT_WITH_QT("this is not theirs to promise");
        Pair pair;
        auto *moved = new LocalSocket;
        moved->connectToServer(pair.server.serverName());
        QVERIFY(pair.server.waitForNewConnection(support::watchdogMs));
        std::atomic<QThread *> endedIn = nullptr;
        support::LoopThread thread;
        connect(&thread, &QThread::finished, moved, &QObject::deleteLater);
        connect(moved, &QIODevice::bytesWritten, moved, [&] { moved->moveToThread(&thread); }, Qt::DirectConnection);
        connect(moved, &LocalSocket::disconnected, moved, [&] { endedIn = QThread::currentThread(); }, Qt::DirectConnection);
        moved->write("last words");
        moved->disconnectFromServer();
        QCOMPARE(moved->state(), LocalSocket::ClosingState);
        EVENTUALLY(endedIn);
        QCOMPARE(endedIn.load(), &thread);
    }

    // What is told of a slot's own doings waits until the slot returns, which is another thread's then.
    void movedByASlotThatIsOwedSignals()
    {
        NOT_WITH_QT("this is not theirs to promise");
        Pair pair;
        auto *moved = new LocalSocket;
        moved->connectToServer(pair.server.serverName());
        QVERIFY(pair.server.waitForNewConnection(support::watchdogMs));
        LocalSocket *peer = pair.server.nextPendingConnection();
        std::atomic<qint64> written = 0;
        std::atomic<qint64> readable = 0;
        int elsewhere = 0;
        support::LoopThread first;
        support::LoopThread second;
        connect(&second, &QThread::finished, moved, &QObject::deleteLater);
        connect(
            moved, &QIODevice::readyRead, moved,
            [&] {
                elsewhere += QThread::currentThread() != moved->thread();
                if (moved->thread() == &first) {
                    readable = moved->bytesAvailable();
                    return;
                }
                peer->write("another");
                peer->flush();
                moved->waitForReadyRead(support::watchdogMs);
                moved->moveToThread(&first);
            },
            Qt::DirectConnection);
        connect(
            moved, &QIODevice::bytesWritten, moved,
            [&](qint64 bytes) {
                elsewhere += QThread::currentThread() != moved->thread();
                if (moved->thread() == &first) {
                    moved->write("more");
                    moved->flush();
                    moved->moveToThread(&second);
                }
                written += bytes;
            },
            Qt::DirectConnection);
        peer->write("one");
        EVENTUALLY(readable == 10);
        QMetaObject::invokeMethod(moved, [&] { moved->write("first"); }, Qt::QueuedConnection);
        EVENTUALLY(written == 9);
        QCOMPARE(elsewhere, 0);
    }

    void movedByASlotThatIsToldLate()
    {
        NOT_WITH_QT("they tell nobody late");
        Pair pair;
        pair.client.write("gone by then");
        pair.client.disconnectFromServer();
        EVENTUALLY(pair.peer->state() == LocalSocket::UnconnectedState);
        pair.peer->setParent(nullptr);
        std::atomic<QThread *> endedIn = nullptr;
        support::LoopThread thread;
        connect(&thread, &QThread::finished, pair.peer, &QObject::deleteLater);
        connect(pair.peer, &QIODevice::readyRead, pair.peer, [&] { pair.peer->moveToThread(&thread); }, Qt::DirectConnection);
        connect(
            pair.peer, &LocalSocket::disconnected, pair.peer, [&] { endedIn = QThread::currentThread(); }, Qt::DirectConnection);
        EVENTUALLY(endedIn);
        QCOMPARE(endedIn.load(), &thread);
    }

    // Its connection is somebody else's to make.
    void movedWhileSomebodyElseConnectsIt()
    {
        NOT_WITH_QT("this is not theirs to promise");
        auto *socket = new LocalSocket;
        std::atomic<int> told = 0;
        connect(socket, &LocalSocket::stateChanged, socket, [&] { ++told; }, Qt::DirectConnection);
        connect(socket, &LocalSocket::errorOccurred, socket, [&] { ++told; }, Qt::DirectConnection);
        socket->setSocketDescriptor(-1, LocalSocket::ConnectingState);
        support::LoopThread thread;
        connect(&thread, &QThread::finished, socket, &QObject::deleteLater);
        socket->moveToThread(&thread);
        QMetaObject::invokeMethod(socket, [] {}, Qt::BlockingQueuedConnection);
        QCOMPARE(told.load(), 0);
        QCOMPARE(socket->state(), LocalSocket::ConnectingState);
    }

    // Qt starts the timers of an object that was moved again from the new thread's event loop, also those that were stopped before that
    // came to it; and nothing stops those when the object is deleted.
    void movedAndStoppedBeforeTheEventLoop_data()
    {
        QTest::addColumn<int>("what");
        QTest::newRow("socket") << 0;
        QTest::newRow("message socket") << 1;
        QTest::newRow("handshake") << 2;
    }
    void movedAndStoppedBeforeTheEventLoop()
    {
        QFETCH(int, what);
        const FullServer full;
        LocalServer server;
        QVERIFY(server.listen(support::uniqueName()));
        std::unique_ptr<QObject> object;
        std::function<void()> stop;
        if (what == 0) {
            auto *socket = new LocalSocket;
            object.reset(socket);
            socket->connectToServer(full.path);
            QCOMPARE(socket->state(), LocalSocket::ConnectingState);
            stop = [socket, &server] {
                socket->abort();
                socket->connectToServer(server.fullServerName());
            };
        } else {
            auto *socket = new moorline::MessageSocket(what == 1 ? moorline::MessageSocket::Framing::BigEndian
                                                                 : moorline::MessageSocket::Framing::Checked);
            object.reset(socket);
            socket->connectToServer(what == 1 ? full.path : server.fullServerName());
            QCoreApplication::processEvents();
            stop = [socket] { socket->connectToServer(QDir::tempPath() + QStringLiteral("/nobody/listens")); };
        }
        QVERIFY(!QAbstractEventDispatcher::instance()->registeredTimers(object.get()).isEmpty());
        qsizetype left = -1;
        const std::unique_ptr<QThread> thread(QThread::create([&] {
            stop();
            QEventLoop().processEvents();
            left = QAbstractEventDispatcher::instance()->registeredTimers(object.get()).size();
            object.reset();
        }));
        object->moveToThread(thread.get());
        thread->start();
        QVERIFY(thread->wait(support::watchdogMs));
        QCOMPARE(left, qsizetype(0));
    }

    void movedServer()
    {
        auto *server = new LocalServer;
        const QString name = support::uniqueName();
        QVERIFY(server->listen(name));
        LocalSocket early;
        early.connectToServer(name);
        QThread thread;
        thread.start();
        std::atomic<int> connections = 0;
        connect(server, &LocalServer::newConnection, server, [&] { ++connections; });
        server->moveToThread(&thread);
        EVENTUALLY(connections == 1);
        LocalSocket late;
        late.connectToServer(name);
        EVENTUALLY(connections == 2);
        connect(&thread, &QThread::finished, server, &QObject::deleteLater);
        thread.quit();
        QVERIFY(thread.wait(support::watchdogMs));
    }

    void movedServerClosesWithPendingSockets_data()
    {
        QTest::addColumn<bool>("ends");
        QTest::newRow("their thread goes on") << false;
        QTest::newRow("their thread has ended") << true;
    }
    // They have stayed where they were accepted, which may be at work with them.
    void movedServerClosesWithPendingSockets()
    {
        NOT_WITH_QT("theirs are the server's children");
        QFETCH(bool, ends);
        LocalServer server;
        server.setSocketsParented(false);
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        LocalSocket client;
        QSemaphore goesOn;
        std::atomic<bool> isBack = false;
        QObject inThread;
        support::LoopThread thread;
        inThread.moveToThread(&thread);
        connect(
            &server, &LocalServer::newConnection, &server,
            [&, here = QThread::currentThread()] {
                server.moveToThread(here);
                isBack = true;
            },
            Qt::DirectConnection);
        server.moveToThread(&thread);
        client.connectToServer(name);
        EVENTUALLY(isBack);
        QVERIFY(server.hasPendingConnections());
        if (ends) {
            thread.quit();
            QVERIFY(thread.wait(support::watchdogMs));
        } else {
            QMetaObject::invokeMethod(&inThread, [&] { goesOn.tryAcquire(1, support::watchdogMs); }, Qt::QueuedConnection);
        }
        server.close();
        QVERIFY(!server.hasPendingConnections());
        support::settle();
        if (!ends)
            QCOMPARE(client.state(), LocalSocket::ConnectedState);
        goesOn.release();
        EVENTUALLY(client.state() == LocalSocket::UnconnectedState);
    }

    void serverMovedByASlot()
    {
        NOT_WITH_QT("this is not theirs to promise");
        constexpr int count = 3;
        auto *server = new LocalServer;
        const QString name = support::uniqueName();
        QVERIFY(server->listen(name));
        std::vector<std::unique_ptr<LocalSocket>> clients;
        for (int i = 0; i < count; ++i) {
            clients.push_back(std::make_unique<LocalSocket>());
            clients.back()->connectToServer(name);
            QVERIFY(clients.back()->waitForConnected(support::watchdogMs));
        }
        // The new thread stops at its first connection until the slot's thread has come back to its event loop.
        QSemaphore isAtWork;
        QSemaphore isBack;
        std::atomic<int> told = 0;
        std::atomic<int> elsewhere = 0;
        int inThread = 0;
        support::LoopThread thread;
        connect(&thread, &QThread::finished, server, &QObject::deleteLater);
        connect(
            server, &LocalServer::newConnection, server,
            [&] {
                if (server->thread() != &thread) {
                    server->moveToThread(&thread);
                    isAtWork.tryAcquire(1, support::watchdogMs);
                    QMetaObject::invokeMethod(this, [&] { isBack.release(); }, Qt::QueuedConnection);
                } else if (QThread::currentThread() != &thread) {
                    ++elsewhere;
                } else if (++inThread == 1) {
                    isAtWork.release();
                    isBack.tryAcquire(1, support::watchdogMs);
                }
                ++told;
            },
            Qt::DirectConnection);
        EVENTUALLY(told == count);
        QCOMPARE(elsewhere.load(), 0);
    }

    // Nobody does anything with them there, so the thread has to find out itself that they are there.
    void heardInAThreadThatIsStartedAgain()
    {
        NOT_WITH_QT("they are deaf");
        int ends[2];
        support::socketPair(ends);
        auto *socket = new LocalSocket;
        QVERIFY(socket->setSocketDescriptor(ends[0]));
        auto *server = new LocalServer;
        QVERIFY(server->listen(support::uniqueName()));
        LocalSocket client;
        client.setServerName(server->fullServerName());
        std::atomic<int> connections = 0;
        std::atomic<qint64> received = 0;
        std::atomic<QThread *> seenIn = nullptr;
        connect(server, &LocalServer::newConnection, server, [&] { ++connections; }, Qt::DirectConnection);
        connect(
            socket, &QIODevice::readyRead, socket,
            [&] {
                received += socket->readAll().size();
                seenIn = QThread::currentThread();
            },
            Qt::DirectConnection);
        support::LoopThread thread;
        socket->moveToThread(&thread);
        server->moveToThread(&thread);
        // Both have begun to listen to the first event loop.
        QMetaObject::invokeMethod(server, [] {}, Qt::BlockingQueuedConnection);
        thread.quit();
        QVERIFY(thread.wait(support::watchdogMs));
        client.connectToServer();
        QCOMPARE(::send(ends[1], "hello", 5, MSG_NOSIGNAL), ssize_t(5));
        thread.start();
        EVENTUALLY(connections == 1);
        EVENTUALLY(received == 5);
        QCOMPARE(seenIn.load(), &thread);
        connect(&thread, &QThread::finished, socket, &QObject::deleteLater);
        connect(&thread, &QThread::finished, server, &QObject::deleteLater);
        ::close(ends[1]);
    }

    void triedAgainInAThreadThatIsStartedAgain_data()
    {
        QTest::addColumn<int>("what");
        QTest::addColumn<bool>("starts");
        for (const bool starts : {true, false}) {
            const char *const then = starts ? "" : ", and deleted instead";
            QTest::addRow("socket%s", then) << 0 << starts;
            QTest::addRow("message socket%s", then) << 1 << starts;
            QTest::addRow("handshake%s", then) << 2 << starts;
        }
    }
    void triedAgainInAThreadThatIsStartedAgain()
    {
        QFETCH(int, what);
        QFETCH(bool, starts);
        const FullServer full;
        LocalServer server;
        QVERIFY(server.listen(support::uniqueName()));
        std::unique_ptr<QObject> object;
        std::function<void()> begin;
        std::atomic<bool> isTold = false;
        const auto tell = [&] { isTold = true; };
        if (what == 0) {
            auto *socket = new LocalSocket;
            object.reset(socket);
            connect(socket, &LocalSocket::connected, socket, tell, Qt::DirectConnection);
            begin = [&, socket] { socket->connectToServer(full.path); };
        } else if (what == 1) {
            auto *socket = new moorline::MessageSocket;
            object.reset(socket);
            connect(socket, &moorline::MessageSocket::connected, socket, tell, Qt::DirectConnection);
            begin = [&, socket] { socket->connectToServer(full.path); };
        } else {
            auto *socket = new moorline::MessageSocket(moorline::MessageSocket::Framing::Checked);
            object.reset(socket);
            socket->setHandshakeTimeout(500);
            connect(socket, &moorline::MessageSocket::ended, socket, tell, Qt::DirectConnection);
            begin = [name = server.fullServerName(), socket] { socket->connectToServer(name); };
        }
        support::LoopThread thread;
        object->moveToThread(&thread);
        QMetaObject::invokeMethod(object.get(), begin, Qt::BlockingQueuedConnection);
        bool hasTimer = false;
        const auto look = [&] { hasTimer = !QAbstractEventDispatcher::instance()->registeredTimers(object.get()).isEmpty(); };
        EVENTUALLY((QMetaObject::invokeMethod(object.get(), look, Qt::BlockingQueuedConnection), hasTimer || isTold));
        support::Messages messages;
        thread.quit();
        QVERIFY(thread.wait(support::watchdogMs));
        int accepted = -1;
        if (starts) {
            thread.start();
            accepted = full.acceptOne();
            EVENTUALLY(isTold);
            thread.quit();
            QVERIFY(thread.wait(support::watchdogMs));
        }
        object.reset();
        QCOMPARE(messages.take(), QStringList());
        if (accepted >= 0)
            ::close(accepted);
    }

    void deletedAfterTheirThread()
    {
        const QString name = support::uniqueName();
        std::unique_ptr<LocalServer> server;
        const std::unique_ptr<QThread> thread(QThread::create([&] {
            server = std::make_unique<LocalServer>();
            server->listen(name);
            server->waitForNewConnection(0);
        }));
        thread->start();
        QVERIFY(thread->wait(support::watchdogMs));
        support::Messages messages;
        server.reset();
        QCOMPARE(messages.take(), QStringList());
    }

    void fiveThousandInOneThread()
    {
        constexpr int wanted = 5000;
        const int possible = int(support::raiseDescriptorLimit()) / 2 - 50;
        const int count = std::min(wanted, possible);
        if (count < wanted)
            QWARN("the limit of descriptors is low: fewer sockets than 5,000");
        LocalServer server;
        server.setMaxPendingConnections(count);
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        connect(&server, &LocalServer::newConnection, this, [&] {
            while (LocalSocket *socket = server.nextPendingConnection())
                connect(socket, &QIODevice::readyRead, socket, [socket] { socket->write(socket->readAll()); });
        });
        std::vector<std::unique_ptr<LocalSocket>> clients;
        int echoed = 0;
        for (int i = 0; i < count; ++i) {
            auto client = std::make_unique<LocalSocket>();
            connect(client.get(), &QIODevice::readyRead, this, [&, socket = client.get(), i] {
                if (socket->bytesAvailable() == 100 && socket->readAll() == QByteArray(100, char(i)))
                    ++echoed;
            });
            // Not at once for all of them: the backlog is shorter than that.
            connect(client.get(), &LocalSocket::connected, client.get(),
                    [socket = client.get(), i] { socket->write(QByteArray(100, char(i))); });
            client->connectToServer(name);
            clients.push_back(std::move(client));
        }
        EVENTUALLY(echoed == count);
        int left = count;
        for (LocalSocket *accepted : server.findChildren<LocalSocket *>())
            connect(accepted, &LocalSocket::disconnected, this, [&] { --left; });
        clients.clear();
        EVENTUALLY(left == 0);
    }
};

MOORLINE_TEST_MAIN(tst_Threads)
#include "tst_threads.moc"

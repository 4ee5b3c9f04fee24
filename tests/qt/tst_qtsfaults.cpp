// What Qt's own classes get wrong, each shown not to happen here.
#include "fullserver.h"
#include "subject.h"

#include <QtCore/QDir>
#include <QtCore/QFile>
#include <QtCore/QFileInfo>
#include <QtNetwork/QLocalSocket>

#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <memory>
#include <thread>

namespace {

QString inTemp(const QString &name)
{
    return QDir::tempPath() + QLatin1Char('/') + name;
}

quint64 inodeOf(const QString &path)
{
    struct stat status = {};
    return ::lstat(QFile::encodeName(path).constData(), &status) == 0 ? status.st_ino : 0;
}

/// Processor time of this thread, in milliseconds.
qint64 processorMs()
{
    rusage usage = {};
    ::getrusage(RUSAGE_THREAD, &usage);
    const auto ms = [](const timeval &time) { return qint64(time.tv_sec) * 1000 + time.tv_usec / 1000; };
    return ms(usage.ru_utime) + ms(usage.ru_stime);
}

/// A server that listens and has accepted one connection.
struct AcceptedOnce {
    LocalServer server;
    const QString name = support::uniqueName();
    const QSignalSpy acceptErrors{&server, &LocalServer::acceptError};
    const QSignalSpy newConnections{&server, &LocalServer::newConnection};
    LocalSocket early;

    bool hasAccepted()
    {
        if (!server.listen(name))
            return false;
        early.connectToServer(name);
        return support::until([this] { return newConnections.size() == 1; });
    }
};

} // namespace

class tst_QtsFaults : public QObject {
    Q_OBJECT

private slots:
    void noHijacking_data()
    {
        QTest::addColumn<int>("options");
        QTest::newRow("no options") << int(LocalServer::NoOptions);
        QTest::newRow("user") << int(LocalServer::UserAccessOption);
        QTest::newRow("world") << int(LocalServer::WorldAccessOption);
    }

    void noHijacking()
    {
        QFETCH(int, options);
        const QString name = support::uniqueName();
        auto victim = std::make_unique<LocalServer>();
        QVERIFY(victim->listen(name));
        const quint64 inode = inodeOf(inTemp(name));
        LocalServer hijacker;
        hijacker.setSocketOptions(LocalServer::SocketOptions(options));
        QVERIFY(!hijacker.listen(name));
        QCOMPARE(hijacker.serverError(), QAbstractSocket::AddressInUseError);
        QVERIFY2(hijacker.errorString().contains(inTemp(name)), qPrintable(hijacker.errorString()));
        QCOMPARE(inodeOf(inTemp(name)), inode);
        LocalSocket socket;
        socket.connectToServer(name);
        QVERIFY(victim->waitForNewConnection(support::watchdogMs));
        victim.reset();
        QVERIFY(hijacker.listen(name));
        QVERIFY(inodeOf(inTemp(name)) != 0);
    }

    void failedListenDeletesNothing_data()
    {
        QTest::addColumn<QString>("kind");
        QTest::newRow("a live server's socket") << QStringLiteral("server");
        QTest::newRow("a regular file") << QStringLiteral("file");
    }

    void failedListenDeletesNothing()
    {
        QFETCH(QString, kind);
        const QString name = support::uniqueName();
        LocalServer owner;
        if (kind == QLatin1String("server")) {
            QVERIFY(owner.listen(name));
        } else {
            QFile file(inTemp(name));
            QVERIFY(file.open(QIODevice::WriteOnly));
        }
        const quint64 inode = inodeOf(inTemp(name));
        QVERIFY(inode != 0);
        LocalServer server;
        server.setSocketOptions(LocalServer::WorldAccessOption);
        QVERIFY(!server.listen(name));
        {
            const support::DescriptorShortage shortage;
            QVERIFY(!server.listen(name));
        }
        QVERIFY(!server.listen(inTemp(name) + QLatin1Char('/') + QString(300, QLatin1Char('l'))));
        QCOMPARE(inodeOf(inTemp(name)), inode);
        QVERIFY(!server.isListening());
    }

    void noDescriptorsToListen()
    {
        const QString name = support::uniqueName();
        LocalServer server;
        {
            const support::DescriptorShortage shortage;
            QVERIFY(!server.listen(name));
            QCOMPARE(server.serverError(), QAbstractSocket::SocketResourceError);
            QVERIFY(!server.errorString().isEmpty());
        }
        QVERIFY(server.listen(name));
    }

    void adoptedFileStays()
    {
        const QString name = support::uniqueName();
        LocalServer owner;
        QVERIFY(owner.listen(name));
        {
            LocalServer second;
            QVERIFY(second.listen(qintptr(::dup(int(owner.socketDescriptor())))));
        }
        QVERIFY(QFileInfo::exists(inTemp(name)));
        LocalSocket socket;
        socket.connectToServer(name);
        QVERIFY(owner.waitForNewConnection(support::watchdogMs));
    }

    void forkedChildTakesNothing()
    {
        const QString name = support::uniqueName();
        auto *owner = new LocalServer;
        QVERIFY(owner->listen(name));
        const pid_t child = ::fork();
        if (child == 0) {
            delete owner;
            ::_exit(0);
        }
        int status = -1;
        QCOMPARE(::waitpid(child, &status, 0), child);
        QCOMPARE(status, 0);
        QVERIFY(QFileInfo::exists(inTemp(name)));
        LocalSocket socket;
        socket.connectToServer(name);
        QVERIFY(owner->waitForNewConnection(support::watchdogMs));
        delete owner;
        QVERIFY(!QFileInfo::exists(inTemp(name)));
    }

    void deletedWithUnsentBytes()
    {
        LocalServer server;
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        const QByteArray data(8 * 1024 * 1024, 'u');
        auto *socket = new LocalSocket;
        socket->connectToServer(name);
        QVERIFY(server.waitForNewConnection(support::watchdogMs));
        LocalSocket *peer = server.nextPendingConnection();
        socket->write(data);
        delete socket;
        EVENTUALLY(peer->state() == LocalSocket::UnconnectedState);
        QVERIFY(peer->readAll() == data);
    }

    void clientThatHasLeftAlready()
    {
        LocalServer server;
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        {
            LocalSocket socket;
            socket.connectToServer(name);
            socket.write("was here");
            QVERIFY(socket.flush());
        }
        QVERIFY(server.waitForNewConnection(support::watchdogMs));
        LocalSocket *peer = server.nextPendingConnection();
        // The event loop runs before anybody looks at the socket.
        support::settle();
        QSignalSpy readyRead(peer, &QIODevice::readyRead);
        QSignalSpy disconnected(peer, &LocalSocket::disconnected);
        EVENTUALLY(readyRead.size() == 1 && disconnected.size() == 1);
        QCOMPARE(peer->readAll(), QByteArray("was here"));
        support::settle();
        QCOMPARE(readyRead.size(), 1);
        QCOMPARE(disconnected.size(), 1);
    }

    void fullBacklog()
    {
        FullServer server;
        LocalSocket socket;
        QSignalSpy connected(&socket, &LocalSocket::connected);
        QSignalSpy errors(&socket, &LocalSocket::errorOccurred);
        socket.connectToServer(server.path);
        QCOMPARE(socket.state(), LocalSocket::ConnectingState);
        QVERIFY(!socket.waitForConnected(20));
        QCOMPARE(socket.state(), LocalSocket::ConnectingState);

        // It waits without working.
        QEventLoop loop;
        QTimer::singleShot(300, &loop, &QEventLoop::quit);
        const qint64 before = processorMs();
        loop.exec();
        QVERIFY(processorMs() - before < 100);
        QCOMPARE(socket.state(), LocalSocket::ConnectingState);
        QCOMPARE(errors.size(), 0);

        const int accepted = server.acceptOne();
        EVENTUALLY(connected.size() == 1);
        QCOMPARE(socket.state(), LocalSocket::ConnectedState);
        ::close(accepted);
    }

    void fullBacklogAndAMove()
    {
        FullServer server;
        auto *socket = new LocalSocket;
        std::atomic<QThread *> connectedIn = nullptr;
        connect(socket, &LocalSocket::connected, socket, [&] { connectedIn = QThread::currentThread(); }, Qt::DirectConnection);
        socket->connectToServer(server.path);
        QCOMPARE(socket->state(), LocalSocket::ConnectingState);
        support::LoopThread thread;
        connect(&thread, &QThread::finished, socket, &QObject::deleteLater);
        socket->moveToThread(&thread);
        const int accepted = server.acceptOne();
        EVENTUALLY(connectedIn);
        QCOMPARE(connectedIn.load(), &thread);
        ::close(accepted);
    }

    void fullBacklogAndNoEventLoopYet()
    {
        const FullServer server;
        int accepted = -1;
        LocalSocket::LocalSocketState state = LocalSocket::UnconnectedState;
        std::thread thread([&] {
            LocalSocket socket;
            socket.connectToServer(server.path);
            accepted = server.acceptOne();
            const QEventLoop first; // which is what gives the thread events and timers
            support::until([&] { return socket.state() == LocalSocket::ConnectedState; });
            state = socket.state();
        });
        thread.join();
        QCOMPARE(state, LocalSocket::ConnectedState);
        ::close(accepted);
    }

    void fullBacklogGivenUp()
    {
        FullServer server;
        for (const bool closes : {true, false}) {
            LocalSocket socket;
            QSignalSpy connected(&socket, &LocalSocket::connected);
            socket.connectToServer(server.path);
            QCOMPARE(socket.state(), LocalSocket::ConnectingState);
            if (closes)
                socket.close();
            else
                socket.abort();
            QCOMPARE(socket.state(), LocalSocket::UnconnectedState);
            QEventLoop loop;
            QTimer::singleShot(20, &loop, &QEventLoop::quit);
            loop.exec();
            QCOMPARE(connected.size(), 0);
            QCOMPARE(socket.state(), LocalSocket::UnconnectedState);
        }
    }

    void fullBacklogAndAWait()
    {
        FullServer server;
        LocalSocket socket;
        socket.connectToServer(server.path);
        QCOMPARE(socket.state(), LocalSocket::ConnectingState);
        int accepted = -1;
        const std::unique_ptr<QThread> thread(QThread::create([&] { accepted = server.acceptOne(); }));
        thread->start();
        QVERIFY(socket.waitForConnected(support::watchdogMs));
        QVERIFY(thread->wait(support::watchdogMs));
        ::close(accepted);
    }

    void fullBacklogAndAWaitThatFails()
    {
        auto server = std::make_unique<FullServer>();
        LocalSocket socket;
        QSignalSpy errors(&socket, &LocalSocket::errorOccurred);
        // As a message box does. It must not be tried again meanwhile.
        connect(&socket, &LocalSocket::errorOccurred, &socket, [] {
            QEventLoop loop;
            QTimer::singleShot(20, &loop, &QEventLoop::quit);
            loop.exec();
        });
        socket.connectToServer(server->path);
        QCOMPARE(socket.state(), LocalSocket::ConnectingState);
        server.reset();
        QVERIFY(!socket.waitForConnected(support::watchdogMs));
        QCOMPARE(errors.size(), 1);
        QCOMPARE(socket.state(), LocalSocket::UnconnectedState);
    }

    void noDescriptorsToAccept()
    {
        AcceptedOnce begun;
        QVERIFY(begun.hasAccepted());
        LocalSocket socket;
        {
            // One for the client, none for the server.
            support::DescriptorShortage shortage(1);
            socket.connectToServer(begun.name);
            QCOMPARE(socket.state(), LocalSocket::ConnectedState);
            EVENTUALLY(begun.acceptErrors.size() == 1);
            QVERIFY(begun.server.isListening());
            QVERIFY(!begun.server.errorString().isEmpty());
            QEventLoop loop;
            QTimer::singleShot(100, &loop, &QEventLoop::quit);
            const qint64 before = processorMs();
            loop.exec();
            QVERIFY(processorMs() - before < 50);
            QCOMPARE(begun.acceptErrors.size(), 1);
        }
        QCOMPARE(*static_cast<const int *>(begun.acceptErrors[0][0].constData()), int(QAbstractSocket::SocketResourceError));
        EVENTUALLY(begun.newConnections.size() == 2);
        QVERIFY(QFileInfo::exists(inTemp(begun.name)));
    }

    void noWatchLeft()
    {
        // A thread has one hub, which is made with the first server that it watches.
        bool isPossible = false;
        bool listens = false;
        bool comes = false;
        const std::unique_ptr<QThread> thread(QThread::create([&] {
            LocalServer first;
            listens = first.listen(support::uniqueName());
            isPossible = support::forbidCalls({__NR_epoll_ctl}, ENOSPC);
            if (!isPossible)
                return;
            LocalServer server;
            const QString name = support::uniqueName();
            listens = listens && server.listen(name);
            const QSignalSpy connections(&server, &LocalServer::newConnection);
            QLocalSocket client;
            client.connectToServer(name);
            comes = support::until([&] { return connections.size() == 1; });
        }));
        thread->start();
        QVERIFY(thread->wait(2 * support::watchdogMs));
        QVERIFY(listens);
        if (!isPossible)
            QSKIP("the system does not let a thread forbid itself calls");
        QVERIFY(comes);
    }

    void noDescriptorsToHandOn()
    {
        for (const bool closes : {false, true}) {
            AcceptedOnce begun;
            QVERIFY(begun.hasAccepted());
            LocalSocket socket;
            {
                // One for the client, one to accept it, and none for who is to have it.
                const support::DescriptorShortage shortage(2);
                socket.connectToServer(begun.name);
                QCOMPARE(socket.state(), LocalSocket::ConnectedState);
                EVENTUALLY(begun.acceptErrors.size() == 1);
                QCOMPARE(begun.newConnections.size(), 1);
                if (closes)
                    begun.server.close();
            }
            if (closes)
                EVENTUALLY(socket.state() == LocalSocket::UnconnectedState);
            else
                EVENTUALLY(begun.newConnections.size() == 2);
            QCOMPARE(begun.acceptErrors.size(), 1);
        }
    }

    void noDescriptorsAndAnotherListen()
    {
        AcceptedOnce begun;
        QVERIFY(begun.hasAccepted());
        LocalSocket socket;
        {
            const support::DescriptorShortage shortage(1);
            socket.connectToServer(begun.name);
            EVENTUALLY(begun.acceptErrors.size() == 1);
            begun.server.close();
        }
        int ends[2] = {-1, -1};
        QCOMPARE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        QVERIFY(begun.server.listen(qintptr(ends[0])));
        // Timers of a thread come in the order of their times: the next try would be before this one.
        QEventLoop loop;
        QTimer::singleShot(200, &loop, &QEventLoop::quit);
        loop.exec();
        QCOMPARE(begun.acceptErrors.size(), 1);
        ::close(ends[1]);
    }

    void noDescriptorsAndAMove()
    {
        auto *server = new LocalServer;
        const QString name = support::uniqueName();
        QVERIFY(server->listen(name));
        std::atomic<int> failures = 0;
        std::atomic<int> connections = 0;
        std::atomic<QThread *> lastIn = nullptr;
        QSemaphore mayGoOn;
        QObject inThread;
        support::LoopThread thread;
        inThread.moveToThread(&thread);
        connect(&thread, &QThread::finished, server, &QObject::deleteLater);
        connect(server, &LocalServer::acceptError, server, [&] { ++failures; }, Qt::DirectConnection);
        connect(
            server, &LocalServer::newConnection, server,
            [&] {
                lastIn = QThread::currentThread();
                ++connections;
            },
            Qt::DirectConnection);
        LocalSocket early;
        early.connectToServer(name);
        EVENTUALLY(connections == 1);
        LocalSocket socket;
        {
            support::DescriptorShortage shortage(1);
            socket.connectToServer(name);
            QCOMPARE(socket.state(), LocalSocket::ConnectedState);
            EVENTUALLY(failures == 1);
            QMetaObject::invokeMethod(&inThread, [&] { mayGoOn.tryAcquire(1, support::watchdogMs); }, Qt::QueuedConnection);
            server->moveToThread(&thread);
        }
        // Timers of a thread come in the order of their times: the next try would be before this one.
        QEventLoop loop;
        QTimer::singleShot(200, &loop, &QEventLoop::quit);
        loop.exec();
        QCOMPARE(connections.load(), 1);
        mayGoOn.release();
        EVENTUALLY(connections == 2);
        QCOMPARE(lastIn.load(), &thread);
    }

    // Without descriptors for the thread's hub it would hear of nothing.
    void noDescriptorsInTheNewThread()
    {
        LocalServer server;
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        auto *socket = new LocalSocket;
        std::atomic<LocalSocket::LocalSocketError> error = LocalSocket::UnknownSocketError;
        std::atomic<bool> ended = false;
        support::LoopThread thread;
        connect(&thread, &QThread::finished, socket, &QObject::deleteLater);
        connect(
            socket, &LocalSocket::errorOccurred, socket, [&](LocalSocket::LocalSocketError told) { error = told; },
            Qt::DirectConnection);
        connect(socket, &LocalSocket::disconnected, socket, [&] { ended = true; }, Qt::DirectConnection);
        socket->connectToServer(name);
        QCOMPARE(socket->state(), LocalSocket::ConnectedState);
        const support::DescriptorShortage shortage;
        socket->moveToThread(&thread);
        EVENTUALLY(ended);
        QCOMPARE(error.load(), LocalSocket::SocketResourceError);
    }

    void noDescriptorsToConnect()
    {
        LocalServer server;
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        LocalSocket socket;
        {
            const support::DescriptorShortage shortage;
            socket.connectToServer(name);
        }
        QCOMPARE(socket.state(), LocalSocket::UnconnectedState);
        QCOMPARE(socket.error(), LocalSocket::SocketResourceError);
        socket.connectToServer(name);
        QCOMPARE(socket.state(), LocalSocket::ConnectedState);
    }

    // Without descriptors for the thread's hub it would hear of nothing.
    void noDescriptorsToTakeOver()
    {
        int ends[2];
        QCOMPARE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
        bool taken = true;
        int state = -1;
        int error = -1;
        const std::unique_ptr<QThread> thread(QThread::create([&] {
            LocalSocket socket;
            const support::DescriptorShortage shortage;
            taken = socket.setSocketDescriptor(ends[0]);
            state = socket.state();
            error = socket.error();
        }));
        thread->start();
        QVERIFY(thread->wait(support::watchdogMs));
        QVERIFY(!taken);
        QCOMPARE(state, int(LocalSocket::UnconnectedState));
        QCOMPARE(error, int(LocalSocket::SocketResourceError));
        char byte = 0;
        QCOMPARE(::recv(ends[1], &byte, 1, MSG_DONTWAIT), ssize_t(0)); // it was closed
        ::close(ends[1]);
    }

    void pendingLimitIsExact()
    {
        LocalServer server;
        server.setMaxPendingConnections(2);
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        int newConnections = 0;
        connect(&server, &LocalServer::newConnection, this, [&] { ++newConnections; });
        LocalSocket sockets[6];
        for (LocalSocket &socket : sockets)
            socket.connectToServer(name);
        EVENTUALLY(newConnections == 2);
        support::settle();
        QCOMPARE(newConnections, 2);
        QVERIFY(server.nextPendingConnection());
        EVENTUALLY(newConnections == 3);
        support::settle();
        QCOMPARE(newConnections, 3);
        int handedOut = 1;
        EVENTUALLY([&] {
            while (server.nextPendingConnection())
                ++handedOut;
            return handedOut == 6;
        }());
    }

    void namesWithNuls()
    {
        const QString name = support::uniqueName();
        LocalServer server;
        QVERIFY(!server.listen(name + QChar(0) + QStringLiteral("tail")));
        QCOMPARE(server.serverError(), QAbstractSocket::HostNotFoundError);
        QVERIFY(!QFileInfo::exists(inTemp(name)));
        QVERIFY(server.listen(name));
        LocalSocket socket;
        socket.connectToServer(name + QChar(0) + QStringLiteral("tail"));
        QCOMPARE(socket.error(), LocalSocket::ServerNotFoundError);
        QVERIFY(!LocalServer::removeServer(name + QChar(0)));
        QVERIFY(QFileInfo::exists(inTemp(name)));
    }

    void errorsHaveTexts()
    {
        LocalServer server;
        const QString place = QStringLiteral("/nonexistent/") + support::uniqueName();
        QVERIFY(!server.listen(place));
        QVERIFY2(server.errorString().contains(place), qPrintable(server.errorString()));
        QVERIFY2(!server.errorString().contains(QStringLiteral("Unknown error")), qPrintable(server.errorString()));
        QVERIFY(!server.listen(qintptr(-1)));
        QVERIFY(!server.errorString().isEmpty());
        QVERIFY(!server.errorString().contains(QStringLiteral("Unknown error")));

        // One with a name, which is not what is wrong with it.
        const Pair pair;
        QVERIFY(!server.listen(pair.peer->socketDescriptor()));
        QVERIFY2(server.errorString().contains(QStringLiteral("does not listen")), qPrintable(server.errorString()));

        LocalSocket socket;
        socket.connectToServer(place);
        QVERIFY2(socket.errorString().contains(place), qPrintable(socket.errorString()));
        QVERIFY(!socket.errorString().contains(QStringLiteral("Unknown error")));
    }

    void signalDispositionIsLeftAlone()
    {
        struct sigaction before = {};
        before.sa_handler = SIG_DFL;
        QCOMPARE(::sigaction(SIGPIPE, &before, nullptr), 0);
        Pair pair;
        pair.client.write("x");
        pair.client.flush();
        pair.peer->abort();
        // This would raise it.
        pair.client.write("y");
        pair.client.flush();
        struct sigaction after = {};
        QCOMPARE(::sigaction(SIGPIPE, nullptr, &after), 0);
        QVERIFY(after.sa_handler == SIG_DFL);
    }

    void reconnectAfterAbortLosesNothing()
    {
        LocalServer server;
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        LocalSocket socket;
        socket.connectToServer(name);
        QVERIFY(server.waitForNewConnection(support::watchdogMs));
        delete server.nextPendingConnection();
        socket.abort();
        socket.connectToServer(name);
        QVERIFY(server.waitForNewConnection(support::watchdogMs));
        LocalSocket *peer = server.nextPendingConnection();
        socket.write("after an abort");
        socket.close();
        EVENTUALLY(peer->state() == LocalSocket::UnconnectedState);
        QCOMPARE(peer->readAll(), QByteArray("after an abort"));
    }
};

MOORLINE_TEST_MAIN(tst_QtsFaults)
#include "tst_qtsfaults.moc"

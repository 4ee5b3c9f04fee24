// What is not sent when a socket goes is sent in the background, and told of.
#include "subject.h"

#include <moorline/qt/BackgroundSender>

#include <QtCore/QDir>

#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <memory>
#include <vector>

using moorline::BackgroundSender;

class tst_Background : public QObject {
    Q_OBJECT

private slots:
    void backgroundReportsSuccess()
    {
        QSignalSpy finished(BackgroundSender::instance(), &BackgroundSender::finished);
        LocalServer server;
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        auto *socket = new LocalSocket;
        QCOMPARE(socket->lingerTimeout(), 5000);
        socket->setLingerTimeout(support::watchdogMs);
        socket->connectToServer(name);
        QVERIFY(server.waitForNewConnection(support::watchdogMs));
        LocalSocket *peer = server.nextPendingConnection();
        const QByteArray data(3000000, 'b');
        socket->write(data);
        delete socket;
        EVENTUALLY(peer->state() == LocalSocket::UnconnectedState);
        QVERIFY(peer->readAll() == data);
        QVERIFY(BackgroundSender::instance()->waitForFinished(support::watchdogMs));
        EVENTUALLY(finished.size() == 1);
        QCOMPARE(finished[0][0].toString(), QDir::tempPath() + QLatin1Char('/') + name);
        QVERIFY(finished[0][1].toLongLong() > 0);
        QCOMPARE(finished[0][2].toLongLong(), 0);
    }

    void backgroundReportsLoss_data()
    {
        QTest::addColumn<bool>("peerLeaves");
        QTest::newRow("the peer never reads") << false;
        QTest::newRow("the peer leaves") << true;
    }

    void backgroundReportsLoss()
    {
        QFETCH(bool, peerLeaves);
        QSignalSpy finished(BackgroundSender::instance(), &BackgroundSender::finished);
        const support::Messages messages;
        LocalServer server;
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        auto *socket = new LocalSocket;
        socket->setLingerTimeout(peerLeaves ? support::watchdogMs : 20);
        socket->connectToServer(name);
        QVERIFY(server.waitForNewConnection(support::watchdogMs));
        LocalSocket *peer = server.nextPendingConnection();
        peer->setReadBufferSize(1);
        socket->write(QByteArray(3000000, 'b'));
        delete socket;
        if (peerLeaves)
            peer->abort();
        EVENTUALLY(finished.size() == 1);
        QVERIFY(finished[0][2].toLongLong() > 0);
        QVERIFY(finished[0][1].toLongLong() + finished[0][2].toLongLong() < 3000001);
    }

    void backgroundTakesNoSignals()
    {
        const support::Messages messages;
        const QObject context;
        std::atomic<bool> told = false;
        std::atomic<bool> takesSignals = true;
        const auto takes = [](int signal) {
            sigset_t blocked;
            return pthread_sigmask(SIG_BLOCK, nullptr, &blocked) == 0 && sigismember(&blocked, signal) == 0;
        };
        const bool weTake = takes(SIGUSR1);
        connect(
            BackgroundSender::instance(), &BackgroundSender::finished, &context,
            [&] {
                takesSignals = takes(SIGTERM) || takes(SIGUSR1);
                told = true;
            },
            Qt::DirectConnection);
        {
            Pair pair;
            pair.peer->setReadBufferSize(1);
            pair.client.setLingerTimeout(20);
            pair.client.write(QByteArray(3000000, 'b'));
        }
        QVERIFY(BackgroundSender::instance()->waitForFinished(support::watchdogMs));
        QVERIFY(told);
        QVERIFY(!takesSignals);
        QCOMPARE(takes(SIGUSR1), weTake);
    }

    // Where the system has no thread to give, what it takes at once is sent, and the rest is told of.
    void backgroundWithoutAThread()
    {
        QVERIFY(BackgroundSender::instance()->waitForFinished(support::watchdogMs));
        const support::Messages messages;
        std::atomic<qint64> sent = -1;
        std::atomic<qint64> unsent = -1;
        const QObject context;
        connect(
            BackgroundSender::instance(), &BackgroundSender::finished, &context,
            [&](const QString &, qint64 sentOfIt, qint64 unsentOfIt) {
                sent = sentOfIt;
                unsent = unsentOfIt;
            },
            Qt::DirectConnection);
        int ends[2];
        QCOMPARE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
        bool isPossible = false;
        const std::unique_ptr<QThread> thread(QThread::create([&] {
            isPossible = support::forbidCalls({__NR_clone, __NR_clone3}, EAGAIN);
            LocalSocket socket;
            socket.setSocketDescriptor(ends[0]);
            if (isPossible)
                socket.write(QByteArray(3000000, 'b'));
        }));
        thread->start();
        QVERIFY(thread->wait(support::watchdogMs));
        ::close(ends[1]);
        if (!isPossible)
            QSKIP("the system does not let a thread forbid itself to make others");
        QVERIFY(sent >= 0);
        QVERIFY(unsent > 0 && unsent <= 3000000);
        QVERIFY(BackgroundSender::instance()->waitForFinished(support::watchdogMs));
    }

    void manyInTheBackground()
    {
        constexpr int count = 50;
        LocalServer server;
        server.setMaxPendingConnections(count);
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        const QByteArray data(500000, 'b');
        std::vector<LocalSocket *> peers;
        for (int i = 0; i < count; ++i) {
            LocalSocket socket;
            socket.setLingerTimeout(support::watchdogMs);
            socket.connectToServer(name);
            QVERIFY(server.waitForNewConnection(support::watchdogMs));
            peers.push_back(server.nextPendingConnection());
            socket.write(data);
        }
        for (LocalSocket *peer : peers) {
            EVENTUALLY(peer->state() == LocalSocket::UnconnectedState);
            QCOMPARE(peer->bytesAvailable(), data.size());
        }
    }

    void reconnectingKeepsWhatWasClosing()
    {
        LocalServer server;
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        LocalSocket socket;
        socket.setLingerTimeout(support::watchdogMs);
        socket.connectToServer(name);
        QVERIFY(server.waitForNewConnection(support::watchdogMs));
        LocalSocket *peer = server.nextPendingConnection();
        const QByteArray data(3000000, 'r');
        socket.write(data);
        socket.disconnectFromServer();
        QCOMPARE(socket.state(), LocalSocket::ClosingState);
        socket.connectToServer(QIODevice::ReadWrite);
        QCOMPARE(socket.state(), LocalSocket::ConnectedState);
        EVENTUALLY(peer->state() == LocalSocket::UnconnectedState);
        QVERIFY(peer->readAll() == data);
    }

    void abortIsNotSentOn()
    {
        Pair pair;
        pair.client.write(QByteArray(3000000, 'a'));
        pair.client.abort();
        EVENTUALLY(pair.peer->state() == LocalSocket::UnconnectedState);
        QVERIFY(pair.peer->bytesAvailable() < 3000000);
    }

    // It has a copy of what its parent has written and will send; and what it writes itself is sent.
    void aForkedChildSendsNothingOfItsParents()
    {
        int ends[2];
        support::socketPair(ends);
        LocalSocket peer;
        QVERIFY(peer.setSocketDescriptor(ends[1]));
        auto socket = std::make_unique<LocalSocket>();
        QVERIFY(socket->setSocketDescriptor(ends[0]));
        const auto deleteInAChild = [&socket](const QByteArray &written) {
            const pid_t child = ::fork();
            if (child == 0) {
                socket->write(written);
                socket.reset();
                ::_exit(0);
            }
            int status = -1;
            QCOMPARE(::waitpid(child, &status, 0), child);
            QCOMPARE(status, 0);
        };
        socket->write("parent's");
        deleteInAChild(QByteArray());
        QVERIFY(socket->flush());
        deleteInAChild(", child's");
        socket.reset();
        EVENTUALLY(peer.state() == LocalSocket::UnconnectedState);
        QCOMPARE(peer.readAll(), QByteArray("parent's, child's"));
    }
};

MOORLINE_TEST_MAIN(tst_Background)
#include "tst_background.moc"

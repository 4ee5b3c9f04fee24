// What the adapter does beyond Qt's classes.
#include "foreignserver.h"
#include "subject.h"

#include <moorline/qt/options.h>

#include <QtCore/QDir>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#if __GLIBC_PREREQ(2, 33)
#define MOORLINE_TEST_KNOWS_MEMORY
#endif
#endif

#include <array>
#include <cctype>
#include <cstddef>
#include <cstring>
#include <memory>
#include <thread>

namespace {

class StrictMode {
public:
    StrictMode() { moorline::qt::setStrict(true); }
    ~StrictMode() { moorline::qt::setStrict(false); }
};

} // namespace

class tst_Beyond : public QObject {
    Q_OBJECT

private slots:
    void whoseServerItConnectsTo()
    {
        if (!ForeignServer::isPossible())
            QSKIP("only root can make another user's server");
        const ForeignServer server;
        LocalSocket socket;
        QCOMPARE(socket.serverTrust(), moorline::ServerTrust::Anyone);
        socket.connectToServer(server.path);
        QCOMPARE(socket.state(), LocalSocket::ConnectedState);
        socket.abort();
        socket.setServerTrust(moorline::ServerTrust::SameUser);
        QCOMPARE(socket.serverTrust(), moorline::ServerTrust::SameUser);
        socket.connectToServer(server.path);
        QCOMPARE(socket.state(), LocalSocket::UnconnectedState);
        QCOMPARE(socket.error(), LocalSocket::SocketAccessError);
        QVERIFY2(socket.errorString().contains(server.path), qPrintable(socket.errorString()));

        // This user's own is trusted.
        LocalServer own;
        const QString name = support::uniqueName();
        QVERIFY(own.listen(name));
        socket.connectToServer(name);
        QCOMPARE(socket.state(), LocalSocket::ConnectedState);
    }

    void repliesToOneThatSendsNoMore_data()
    {
        QTest::addColumn<int>("size");
        QTest::newRow("at once") << 5;
        QTest::newRow("and in the background") << 2000000;
    }

    // Where nobody closes the connection it ends with the peer's sending, and what was written arrives all the same.
    void repliesToOneThatSendsNoMore()
    {
        QFETCH(int, size);
        int ends[2];
        support::socketPair(ends);
        LocalSocket socket;
        QVERIFY(socket.setSocketDescriptor(ends[0]));
        socket.setLingerTimeout(support::watchdogMs);
        QSignalSpy disconnected(&socket, &LocalSocket::disconnected);
        connect(&socket, &QIODevice::readyRead, this, [&] { socket.write(QByteArray(size, 'r')); });
        QCOMPARE(::send(ends[1], "ask", 3, MSG_NOSIGNAL), ssize_t(3));
        QCOMPARE(::shutdown(ends[1], SHUT_WR), 0);
        EVENTUALLY(disconnected.size() == 1);
        QCOMPARE(socket.error(), LocalSocket::PeerClosedError);
        QCOMPARE(socket.readAll(), QByteArray("ask"));
        QCOMPARE(socket.bytesToWrite(), qint64(0));
        qint64 received = 0;
        char bytes[4096];
        for (ssize_t count; (count = ::recv(ends[1], bytes, sizeof(bytes), 0)) > 0;)
            received += count;
        ::close(ends[1]);
        QCOMPARE(received, qint64(size));
    }

    void readAllOfASubclass()
    {
        // readAll() has a short way, which must not pass by what a subclass or QIODevice does.
        class Upper : public LocalSocket {
        protected:
            qint64 readData(char *data, qint64 size) override
            {
                const qint64 count = LocalSocket::readData(data, size);
                for (qint64 i = 0; i < count; ++i)
                    data[i] = char(std::toupper(data[i]));
                return count;
            }
        };
        LocalServer server;
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        Upper upper;
        upper.connectToServer(name);
        QVERIFY(server.waitForNewConnection(support::watchdogMs));
        LocalSocket *peer = server.nextPendingConnection();
        peer->write("small");
        EVENTUALLY(upper.bytesAvailable() == 5);
        LocalSocket *socket = &upper;
        QCOMPARE(socket->readAll(), QByteArray("SMALL"));

        upper.write("peeked at and more");
        EVENTUALLY(peer->bytesAvailable() == 18);
        QCOMPARE(peer->peek(6), QByteArray("peeked"));
        QCOMPARE(peer->readAll(), QByteArray("peeked at and more"));
        QCOMPARE(peer->readAll(), QByteArray());
        upper.write("again");
        EVENTUALLY(peer->bytesAvailable() == 5);
        peer->startTransaction();
        QCOMPARE(peer->readAll(), QByteArray("again"));
        peer->rollbackTransaction();
        QCOMPARE(peer->readAll(), QByteArray("again"));
    }

    void credentials()
    {
        LocalSocket unconnected;
        QVERIFY(!unconnected.peerCredentials());
        Pair pair;
        for (LocalSocket *socket : {&pair.client, pair.peer}) {
            const auto credentials = socket->peerCredentials();
            QVERIFY(credentials.has_value());
            QCOMPARE(credentials->uid, ::geteuid());
            QCOMPARE(credentials->gid, ::getegid());
            QCOMPARE(credentials->pid, qint64(::getpid()));
        }
    }

    void deadNameIsTakenOver_data()
    {
        QTest::addColumn<bool>("strict");
        QTest::newRow("by default") << false;
        QTest::newRow("not in strict mode") << true;
    }

    void deadNameIsTakenOver()
    {
        QFETCH(bool, strict);
        const QString path = QDir::tempPath() + QLatin1Char('/') + support::uniqueName();
        sockaddr_un address = {};
        address.sun_family = AF_UNIX;
        std::strcpy(address.sun_path, QFile::encodeName(path).constData());
        const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        QCOMPARE(::bind(descriptor, reinterpret_cast<sockaddr *>(&address), sizeof(address)), 0);
        ::close(descriptor);
        moorline::qt::setStrict(strict);
        LocalServer server;
        const bool listens = server.listen(path);
        moorline::qt::setStrict(false);
        QCOMPARE(listens, !strict);
        if (strict)
            QCOMPARE(server.serverError(), QAbstractSocket::AddressInUseError);
        QFile::remove(path);
    }

    void strictMode()
    {
        const StrictMode strict;
        QVERIFY(moorline::qt::isStrict());
        // Who is late gets nothing, and what is not sent is lost.
        LocalServer server;
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        auto socket = std::make_unique<LocalSocket>();
        QCOMPARE(socket->lingerTimeout(), 0);
        socket->connectToServer(name);
        QSignalSpy connected(socket.get(), &LocalSocket::connected);
        EVENTUALLY(server.hasPendingConnections());
        QSignalSpy newConnections(&server, &LocalServer::newConnection);
        LocalSocket *peer = server.nextPendingConnection();
        socket->write(QByteArray(3000000, 's'));
        socket.reset();
        EVENTUALLY(peer->state() == LocalSocket::UnconnectedState);
        QVERIFY(peer->bytesAvailable() < 3000000);
        QSignalSpy disconnected(peer, &LocalSocket::disconnected);
        support::settle();
        QCOMPARE(newConnections.size(), 0);
        QCOMPARE(disconnected.size(), 0);
    }

    void busyPollIsTheThreads()
    {
        using namespace std::chrono_literals;
        QCOMPARE(moorline::qt::busyPoll(), 50us);
        moorline::qt::setBusyPoll(0us);
        std::chrono::microseconds elsewhere{0};
        const std::unique_ptr<QThread> thread(QThread::create([&] { elsewhere = moorline::qt::busyPoll(); }));
        thread->start();
        QVERIFY(thread->wait(support::watchdogMs));
        QCOMPARE(elsewhere, 50us);
        Pair pair;
        connect(pair.peer, &QIODevice::readyRead, pair.peer, [&] { pair.peer->write(pair.peer->readAll()); });
        pair.client.write("still works");
        EVENTUALLY(pair.client.bytesAvailable() == 11);
        moorline::qt::setBusyPoll(10s);
        QCOMPARE(moorline::qt::busyPoll(), 1000us);
        moorline::qt::setBusyPoll(50us);
    }

    void anAnswerGoesOutBeforeOthersAreAsked()
    {
        std::array<Pair, 2> pairs;
        qint64 kept = -1;
        int answers = 0;
        for (int i : {0, 1}) {
            LocalSocket *peer = pairs[i].peer;
            LocalSocket *other = pairs[1 - i].peer;
            connect(peer, &QIODevice::readyRead, peer, [&, peer, other] {
                peer->write(peer->readAll());
                if (++answers == 2)
                    kept = other->bytesToWrite();
            });
            // Both are there before the event loop looks.
            pairs[i].client.write("question");
            QVERIFY(pairs[i].client.flush());
        }
        EVENTUALLY(answers == 2);
        QCOMPARE(kept, 0);
        for (Pair &pair : pairs)
            EVENTUALLY(pair.client.bytesAvailable() == 8);
    }

    void largePiecesAreHandedOutWithoutACopy()
    {
        constexpr qint64 length = 100000;
        Pair pair;
        QByteArray piece;
        for (int i = 0; i < 5; ++i) {
            pair.client.write(QByteArray(length, char('a' + i)));
            EVENTUALLY(pair.peer->bytesAvailable() == length);
            piece = pair.peer->readAll();
            QCOMPARE(piece, QByteArray(length, char('a' + i)));
        }
        // As much memory as was received into, which a copy would not have.
        QVERIFY2(piece.capacity() > length + 1000, qPrintable(QString::number(piece.capacity())));
    }

    // Large memory is shared by the connections of a thread, and little takes no more than it is.
    void connectionsAtRestHoldLittleMemory()
    {
#ifdef MOORLINE_TEST_KNOWS_MEMORY
        std::array<Pair, 50> pairs;
        const auto exchange = [&](const QByteArray &piece) {
            for (Pair &pair : pairs) {
                pair.client.write(piece.constData(), piece.size());
                EVENTUALLY(pair.peer->bytesAvailable() == piece.size());
                QCOMPARE(pair.peer->read(piece.size()), piece);
            }
        };
        const auto inUse = [] {
            const auto memory = mallinfo2();
            return memory.uordblks + memory.hblkhd;
        };
        const auto isLittle = [&](size_t before) { return inUse() < before + pairs.size() * 40000 + 1100000; };
        exchange("little");
        const size_t before = inUse();
        exchange(QByteArray(200000, 'x'));
        exchange("little");
        QVERIFY(isLittle(before));
        // What the application had made room for in vain.
        for (Pair &pair : pairs) {
            QByteArray roomy(5000, 'x');
            roomy.reserve(400000);
            pair.client.write(roomy);
            roomy.clear();
            EVENTUALLY(pair.peer->bytesAvailable() == 5000);
            QCOMPARE(pair.peer->read(5000), QByteArray(5000, 'x'));
        }
        QVERIFY(isLittle(before));
        // The end comes where as much was expected as came before.
        exchange(QByteArray(200000, 'x'));
        for (Pair &pair : pairs) {
            pair.client.abort();
            EVENTUALLY(pair.peer->state() == LocalSocket::UnconnectedState);
        }
        QVERIFY(isLittle(before));
#else
        QSKIP("what malloc(3) has handed out is asked of glibc 2.33 or newer");
#endif
    }

    // Of a thread's objects the last ones to go are those that were made first.
    void socketsMayOutliveWhatTheirThreadHas()
    {
        constexpr int length = 100000;
        static bool unharmed = false;
        struct Late {
            std::unique_ptr<Pair> pair;
            ~Late()
            {
                // In the memory that the thread had to spare, were that still used.
                const QByteArray other(length, 'o');
                pair->client.write(QByteArray(length, 'x').constData(), length);
                unharmed = other == QByteArray(length, 'o');
                pair.reset();
            }
        };
        std::thread([] {
            thread_local Late late;
            late.pair = std::make_unique<Pair>();
            late.pair->client.write(QByteArray(length, 'x').constData(), length);
            while (late.pair->client.bytesToWrite() > 0) {
                late.pair->client.flush();
                late.pair->peer->waitForReadyRead(1);
            }
        }).join();
        QVERIFY(unharmed);
    }

    void otherWorkIsNotKeptWaiting()
    {
        // A connection that never stops must not stop the timers.
        LocalServer server;
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        LocalSocket client;
        client.connectToServer(name);
        QVERIFY(server.waitForNewConnection(support::watchdogMs));
        LocalSocket *peer = server.nextPendingConnection();
        connect(peer, &QIODevice::readyRead, peer, [=] { peer->write(peer->readAll()); });
        connect(&client, &QIODevice::readyRead, &client, [&] { client.write(client.readAll()); });
        client.write("for ever");
        int ticks = 0;
        QTimer timer;
        connect(&timer, &QTimer::timeout, this, [&] { ++ticks; });
        timer.start(1);
        EVENTUALLY(ticks >= 20);
    }
};

MOORLINE_TEST_MAIN(tst_Beyond)
#include "tst_beyond.moc"

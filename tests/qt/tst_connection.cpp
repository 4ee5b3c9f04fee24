// How a LocalSocket connects and leaves, point by point.
#include "subject.h"

#include <QtCore/QDir>
#include <QtCore/QPointer>
#include <QtCore/QThread>
#include <QtCore/QTimer>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <utility>

Q_DECLARE_METATYPE(LocalSocket::LocalSocketError)
Q_DECLARE_METATYPE(LocalSocket::LocalSocketState)

namespace {

QList<int> values(const QSignalSpy &spy)
{
    QList<int> all;
    for (const QVariantList &arguments : spy)
        all += *static_cast<const int *>(arguments[0].constData());
    return all;
}

/// What a slot does that shows a dialogue: everything that is due happens inside an event loop of its own.
void runALoop()
{
    QEventLoop loop;
    QTimer timer;
    int rounds = 0;
    QObject::connect(&timer, &QTimer::timeout, &loop, [&] {
        if (++rounds == 50)
            loop.quit();
    });
    timer.start(0);
    loop.exec();
}

/// Opens in the one way that a subclass has.
class SubclassedSocket : public LocalSocket {
public:
    int opened = 0;

    bool open(OpenMode mode) override
    {
        ++opened;
        connectToServer(mode);
        return waitForConnected(support::watchdogMs);
    }
};

/// Has something of its own to end when the device closes.
class ClosingSocket : public LocalSocket {
public:
    int closed = 0;

    void close() override
    {
        ++closed;
        LocalSocket::close();
    }
};

} // namespace

class tst_Connection : public QObject {
    Q_OBJECT

private slots:
    void aboutToCloseSeesAllOpenWhateverItsSlotsDo()
    {
        Pair pair;
        pair.peer->write("unread");
        EVENTUALLY(pair.client.bytesAvailable() == 6);
        bool open = false;
        QByteArray unread;
        connect(&pair.client, &QIODevice::aboutToClose, this, [&] {
            pair.client.disconnectFromServer();
            open = pair.client.isOpen();
            unread = pair.client.readAll();
        });
        pair.client.close();
        QVERIFY(open);
        QCOMPARE(unread, "unread");
        QCOMPARE(pair.client.state(), LocalSocket::UnconnectedState);
        QVERIFY(!pair.client.isOpen());
    }

    void givenUpInASlotThatIsToldOfTheAttempt()
    {
        NOT_WITH_QT("they go on connecting");
        LocalServer server;
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        LocalSocket socket;
        int errors = 0;
        int connected = 0;
        connect(&socket, &LocalSocket::errorOccurred, this, [&] { ++errors; });
        connect(&socket, &LocalSocket::connected, this, [&] { ++connected; });
        connect(&socket, &LocalSocket::stateChanged, this, [&](LocalSocket::LocalSocketState state) {
            if (state == LocalSocket::ConnectingState)
                socket.abort();
        });
        socket.connectToServer(name);
        support::settle();
        QCOMPARE(errors, 0);
        QCOMPARE(connected, 0);
        QCOMPARE(socket.state(), LocalSocket::UnconnectedState);
    }

    void waitsInASlotThatIsToldOfTheFailure()
    {
        NOT_WITH_QT("they try again inside the slot, and tell it again");
        LocalSocket socket;
        int errors = 0;
        bool waited = false;
        connect(&socket, &LocalSocket::errorOccurred, this, [&] {
            if (++errors < 10)
                waited = socket.waitForConnected(1) || socket.waitForReadyRead(1) || socket.waitForBytesWritten(1);
        });
        socket.connectToServer(support::uniqueName());
        QCOMPARE(errors, 1);
        QVERIFY(!waited);
        QCOMPARE(socket.error(), LocalSocket::ServerNotFoundError);
        QCOMPARE(socket.state(), LocalSocket::UnconnectedState);
    }

    void fresh()
    {
        LocalSocket socket;
        QCOMPARE(socket.error(), LocalSocket::UnknownSocketError);
        QCOMPARE(socket.errorString(), QStringLiteral("Unknown error"));
        QCOMPARE(socket.state(), LocalSocket::UnconnectedState);
        QCOMPARE(socket.serverName(), QString());
        QCOMPARE(socket.fullServerName(), QString());
        QCOMPARE(socket.bytesAvailable(), 0);
        QCOMPARE(socket.bytesToWrite(), 0);
        QCOMPARE(socket.readBufferSize(), 0);
        QCOMPARE(socket.socketDescriptor(), qintptr(-1));
        QVERIFY(socket.isSequential());
        QVERIFY(!socket.isValid());
        QVERIFY(!socket.isOpen());
        QVERIFY(!socket.canReadLine());
        QVERIFY(!socket.flush());
    }

    void debugOutput()
    {
        QString text;
        QDebug(&text) << LocalSocket::PeerClosedError << LocalSocket::ClosingState << 1;
        QCOMPARE(text, QStringLiteral(SUBJECT "Socket::PeerClosedError " SUBJECT "Socket::ClosingState 1 "));
    }

    void connecting()
    {
        LocalServer server;
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        LocalSocket socket;
        QSignalSpy states(&socket, &LocalSocket::stateChanged);
        QSignalSpy connected(&socket, &LocalSocket::connected);
        QSignalSpy errors(&socket, &LocalSocket::errorOccurred);
        socket.connectToServer(name);
        QVERIFY(socket.waitForConnected(support::watchdogMs));
        support::settle();
        QCOMPARE(values(states), QList<int>({LocalSocket::ConnectingState, LocalSocket::ConnectedState}));
        QCOMPARE(connected.size(), 1);
        QCOMPARE(errors.size(), 0);
        QCOMPARE(socket.errorString(), QStringLiteral("Unknown error"));
        QCOMPARE(socket.error(), LocalSocket::UnknownSocketError);
        QVERIFY(socket.waitForConnected(0));
    }

    void nobodyListens()
    {
        LocalSocket socket;
        QSignalSpy states(&socket, &LocalSocket::stateChanged);
        QSignalSpy connected(&socket, &LocalSocket::connected);
        QSignalSpy errors(&socket, &LocalSocket::errorOccurred);
        const QString name = support::uniqueName();
        socket.connectToServer(name);
        QVERIFY(!socket.waitForConnected(0));
        support::settle();
        QCOMPARE(values(states), QList<int>({LocalSocket::ConnectingState, LocalSocket::UnconnectedState}));
        QCOMPARE(connected.size(), 0);
        QCOMPARE(values(errors), QList<int>({LocalSocket::ServerNotFoundError}));
        QCOMPARE(socket.error(), LocalSocket::ServerNotFoundError);
        QVERIFY(socket.errorString() != QStringLiteral("Unknown error"));
        if (!subjectIsQt)
            QVERIFY2(socket.errorString().contains(QDir::tempPath() + QLatin1Char('/') + name), qPrintable(socket.errorString()));
    }

    void nobodyListensAgain()
    {
        Pair pair;
        pair.peer->abort();
        EVENTUALLY(pair.client.state() == LocalSocket::UnconnectedState);
        QVERIFY(pair.client.isOpen());
        pair.client.setServerName(support::uniqueName());
        QVERIFY(!pair.client.open());
        QVERIFY(!pair.client.isOpen());
        QCOMPARE(pair.client.error(), LocalSocket::ServerNotFoundError);
        if (!subjectIsQt) // whose text names no path
            QVERIFY2(pair.client.errorString().contains(QDir::tempPath()), qPrintable(pair.client.errorString()));
    }

    void closedInASlotThatIsToldOfTheFailure()
    {
        LocalSocket socket;
        QSignalSpy states(&socket, &LocalSocket::stateChanged);
        connect(&socket, &LocalSocket::errorOccurred, &socket, &LocalSocket::close);
        socket.connectToServer(support::uniqueName());
        QCOMPARE(values(states), QList<int>({LocalSocket::ConnectingState, LocalSocket::UnconnectedState}));
        QVERIFY(!socket.isOpen());
    }

    void openConnects()
    {
        LocalServer server;
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        LocalSocket socket;
        socket.setServerName(name);
        QCOMPARE(socket.serverName(), name);
        QVERIFY(socket.open());
        QCOMPARE(socket.state(), LocalSocket::ConnectedState);
        QCOMPARE(socket.openMode(), QIODevice::ReadWrite);
        QCOMPARE(socket.fullServerName(), server.fullServerName());
    }

    void openOfASubclass()
    {
        LocalServer server;
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        SubclassedSocket socket;
        socket.connectToServer(name);
        QCOMPARE(socket.opened, 0);
        QCOMPARE(socket.state(), LocalSocket::ConnectedState);
        socket.abort();
        socket.setServerName(name);
        QIODevice *device = &socket;
        QVERIFY(device->open(QIODevice::ReadOnly));
        QCOMPARE(socket.opened, 1);
        QCOMPARE(socket.state(), LocalSocket::ConnectedState);
        QCOMPARE(socket.openMode(), QIODevice::ReadOnly);
    }

    void subclassThatOverridesClose()
    {
        Pair pair;
        ClosingSocket socket;
        socket.connectToServer(pair.server.serverName());
        QVERIFY(socket.waitForConnected(support::watchdogMs));
        socket.abort();
        QCOMPARE(socket.closed, 1);
        QVERIFY(!socket.isOpen());

        LocalSocket::LocalSocketState told = LocalSocket::ConnectedState;
        connect(&socket, &LocalSocket::stateChanged, this, [&] { told = socket.closed == 2 ? socket.state() : told; });
        socket.connectToServer(support::uniqueName());
        QCOMPARE(socket.closed, 2);
        QCOMPARE(told, LocalSocket::UnconnectedState);
        QCOMPARE(socket.error(), LocalSocket::ServerNotFoundError);

        // Who only disconnects leaves the device open.
        socket.connectToServer(pair.server.serverName());
        QVERIFY(socket.waitForConnected(support::watchdogMs));
        socket.disconnectFromServer();
        QCOMPARE(socket.closed, 2);
        QVERIFY(socket.isOpen());
    }

    void namesAfterDisconnect()
    {
        Pair pair;
        QVERIFY(!pair.client.serverName().isEmpty());
        pair.client.disconnectFromServer();
        QCOMPARE(pair.client.serverName(), QString());
        QCOMPARE(pair.client.fullServerName(), QString());
        EVENTUALLY(pair.peer->state() == LocalSocket::UnconnectedState);
        QCOMPARE(pair.peer->serverName(), QString());
        QCOMPARE(pair.peer->fullServerName(), QString());
    }

    void warnings()
    {
        LocalSocket socket;
        QTest::ignoreMessage(QtWarningMsg, SUBJECT "Socket::waitForDisconnected() is not allowed in UnconnectedState");
        QVERIFY(!socket.waitForDisconnected(0));
        Pair pair;
        QTest::ignoreMessage(QtWarningMsg, SUBJECT "Socket::setServerName() called while not in unconnected state");
        pair.client.setServerName(QStringLiteral("other"));
        QVERIFY(pair.client.serverName() != QStringLiteral("other"));
        QTest::ignoreMessage(QtWarningMsg, SUBJECT "Socket::setSocketOptions() called while not in unconnected state");
        pair.client.setSocketOptions(LocalSocket::AbstractNamespaceOption);
        QCOMPARE(pair.client.socketOptions(), LocalSocket::NoOptions);
    }

    void waitsWithoutEventLoop()
    {
        LocalServer server;
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        bool connected = false;
        bool written = false;
        bool read = false;
        bool disconnected = false;
        const std::unique_ptr<QThread> thread(QThread::create([&] {
            LocalSocket socket;
            socket.connectToServer(name);
            connected = socket.waitForConnected(support::watchdogMs);
            socket.write("ping");
            written = socket.waitForBytesWritten(support::watchdogMs);
            read = socket.waitForReadyRead(support::watchdogMs) && socket.readAll() == "pong";
            disconnected = socket.state() == LocalSocket::UnconnectedState || socket.waitForDisconnected(support::watchdogMs);
        }));
        thread->start();
        QVERIFY(server.waitForNewConnection(support::watchdogMs));
        LocalSocket *peer = server.nextPendingConnection();
        QVERIFY(peer->waitForReadyRead(support::watchdogMs));
        QCOMPARE(peer->readAll(), QByteArray("ping"));
        peer->write("pong");
        QVERIFY(peer->waitForBytesWritten(support::watchdogMs));
        peer->disconnectFromServer();
        QVERIFY(thread->wait(support::watchdogMs));
        QVERIFY(connected);
        QVERIFY(written);
        QVERIFY(read);
        QVERIFY(disconnected);
    }

    void waitsTakeTheirTime()
    {
        Pair pair;
        QElapsedTimer time;
        time.start();
        QVERIFY(!pair.client.waitForReadyRead(30));
        QVERIFY(time.elapsed() >= 29);
        QCOMPARE(pair.client.error(), LocalSocket::SocketTimeoutError);
        QCOMPARE(pair.client.state(), LocalSocket::ConnectedState);
    }

    void disconnectSendsTheRest_data()
    {
        QTest::addColumn<int>("size");
        QTest::newRow("3 bytes") << 3;
        QTest::newRow("4 MB") << 4 * 1000 * 1000;
    }

    void disconnectSendsTheRest()
    {
        QFETCH(int, size);
        Pair pair;
        QSignalSpy disconnected(&pair.client, &LocalSocket::disconnected);
        pair.peer->write("answer");
        EVENTUALLY(pair.client.bytesAvailable() == 6);
        const QByteArray data(size, 'd');
        pair.client.write(data);
        pair.client.disconnectFromServer();
        QCOMPARE(pair.client.state(), LocalSocket::ClosingState);
        EVENTUALLY(pair.peer->state() == LocalSocket::UnconnectedState);
        QCOMPARE(pair.peer->bytesAvailable(), qint64(size));
        QVERIFY(pair.peer->readAll() == data);
        EVENTUALLY(pair.client.state() == LocalSocket::UnconnectedState);
        support::settle();
        QCOMPARE(disconnected.size(), 1);
        QVERIFY(pair.client.isOpen());
        QCOMPARE(pair.client.readAll(), QByteArray("answer"));
    }

    void closeDropsTheUnread()
    {
        Pair pair;
        pair.peer->write("never read");
        EVENTUALLY(pair.client.bytesAvailable() == 10);
        bool wasOpen = false;
        connect(&pair.client, &QIODevice::aboutToClose, this, [&] { wasOpen = pair.client.isOpen(); });
        pair.client.close();
        QVERIFY(wasOpen);
        QCOMPARE(pair.client.state(), LocalSocket::UnconnectedState);
        QCOMPARE(pair.client.bytesAvailable(), 0);
        QVERIFY(!pair.client.isOpen());
    }

    void closeSendsTheRest()
    {
        Pair pair;
        const QByteArray data(4 * 1000 * 1000, 'c');
        pair.client.write(data);
        pair.client.close();
        QCOMPARE(pair.client.state(), LocalSocket::ClosingState);
        EVENTUALLY(pair.peer->state() == LocalSocket::UnconnectedState);
        QVERIFY(pair.peer->readAll() == data);
        EVENTUALLY(pair.client.state() == LocalSocket::UnconnectedState);
    }

    void abortDropsEverything()
    {
        Pair pair;
        QSignalSpy disconnected(&pair.client, &LocalSocket::disconnected);
        pair.peer->write("never read");
        EVENTUALLY(pair.client.bytesAvailable() == 10);
        pair.client.write("never sent");
        pair.client.abort();
        QCOMPARE(pair.client.state(), LocalSocket::UnconnectedState);
        QCOMPARE(pair.client.bytesAvailable(), 0);
        QCOMPARE(pair.client.bytesToWrite(), 0);
        EVENTUALLY(pair.peer->state() == LocalSocket::UnconnectedState);
        QCOMPARE(pair.peer->bytesAvailable(), 0);
        support::settle();
        QCOMPARE(disconnected.size(), 1);
    }

    void stateInSlots_data()
    {
        QTest::addColumn<QString>("way");
        for (const char *way : {"peer", "disconnect", "close", "abort"})
            QTest::newRow(way) << QString::fromLatin1(way);
    }

    void stateInSlots()
    {
        QFETCH(QString, way);
        Pair pair;
        QList<int> seen;
        const auto look = [&] { seen += pair.client.state(); };
        connect(&pair.client, &LocalSocket::disconnected, this, look);
        connect(&pair.client, &QIODevice::readChannelFinished, this, look);
        if (way == QLatin1String("peer"))
            pair.peer->abort();
        else if (way == QLatin1String("disconnect"))
            pair.client.disconnectFromServer();
        else if (way == QLatin1String("close"))
            pair.client.close();
        else
            pair.client.abort();
        EVENTUALLY(pair.client.state() == LocalSocket::UnconnectedState);
        support::settle();
        QCOMPARE(seen, QList<int>({LocalSocket::UnconnectedState, LocalSocket::UnconnectedState}));
    }

    void theEndIsToldInOrder_data()
    {
        QTest::addColumn<QString>("way");
        QTest::addColumn<QString>("at");
        QTest::addColumn<QStringList>("expected");
        const QStringList ending = {"Closing", "Unconnected", "finished", "disconnected"};
        const auto add = [](const QString &way, const QStringList &events, const QStringList &stops) {
            for (const QString &at : stops)
                QTest::addRow("%s, a loop in %s", qPrintable(way), qPrintable(at)) << way << at << events;
        };
        const QStringList lost = QStringList{"error"} + ending;
        add("the peer leaves", lost, lost);
        const QStringList read = QStringList{"readyRead"} + lost;
        add("the peer writes and leaves", read, lost);
        add("disconnect", ending, ending);
        add("disconnect when all is sent", ending, ending);
        add("close when all is sent", ending, ending);
        // The bytes go out meanwhile, and it ends with the last.
        QStringList sent = {"bytesWritten", "Unconnected", "finished", "disconnected", "Closing"};
        if (subjectIsQt)
            sent += "finished"; // once more
        add("disconnect with unsent bytes", sent, {"Closing"});
    }

    // One receiver of a signal runs an event loop, and another is told after it.
    void theEndIsToldInOrder()
    {
        QFETCH(QString, way);
        QFETCH(QString, at);
        QFETCH(QStringList, expected);
        int ends[2];
        QCOMPARE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
        LocalSocket socket;
        QVERIFY(socket.setSocketDescriptor(ends[0]));
        support::settle();
        const bool isSent = way.endsWith("all is sent");
        if (isSent) {
            socket.write("x");
            QVERIFY(socket.flush());
        }
        QStringList told;
        const auto listen = [&](auto event) {
            connect(&socket, &LocalSocket::errorOccurred, this, [=] { event("error"); });
            connect(&socket, &LocalSocket::stateChanged, this, [=](LocalSocket::LocalSocketState state) {
                event(state == LocalSocket::ClosingState ? "Closing" : "Unconnected");
            });
            connect(&socket, &QIODevice::readyRead, this, [=] { event("readyRead"); });
            connect(&socket, &QIODevice::bytesWritten, this, [=] { event("bytesWritten"); });
            connect(&socket, &QIODevice::readChannelFinished, this, [=] { event("finished"); });
            connect(&socket, &LocalSocket::disconnected, this, [=] { event("disconnected"); });
        };
        listen([&](const QString &event) {
            if (event == at)
                runALoop();
        });
        listen([&](const QString &event) { told += event; });
        if (way == "the peer writes and leaves")
            QCOMPARE(::send(ends[1], "last", 4, MSG_NOSIGNAL), ssize_t(4));
        if (way.startsWith("the peer"))
            ::close(std::exchange(ends[1], -1));
        else if (way == "disconnect with unsent bytes")
            socket.write("x");
        if (way.startsWith("disconnect"))
            socket.disconnectFromServer();
        else if (way.startsWith("close"))
            socket.close();
        EVENTUALLY(told.size() == expected.size());
        support::settle();
        QCOMPARE(told, expected);
        if (ends[1] >= 0)
            ::close(ends[1]);
    }

    // As many do, and nobody expects it to be done before the slot of an earlier signal has returned.
    void deletedLaterWhenDisconnected()
    {
        Pair pair;
        QPointer<LocalSocket> socket = new LocalSocket;
        socket->connectToServer(pair.server.serverName());
        QVERIFY(pair.server.waitForNewConnection(support::watchdogMs));
        connect(socket, &LocalSocket::disconnected, socket, &QObject::deleteLater);
        bool called = false;
        bool isThere = false;
        connect(socket, &LocalSocket::errorOccurred, this, [&] {
            called = true;
            runALoop();
            isThere = !socket.isNull();
        });
        pair.server.nextPendingConnection()->abort();
        EVENTUALLY(called && !socket);
        QVERIFY(isThere);
    }

    // There was nothing to send, so it was about to end; and what came meanwhile is read all the same.
    void aSlotOfTheClosingStateWrites()
    {
        NOT_WITH_QT("a socket that closes reads nothing");
        int ends[2];
        support::socketPair(ends);
        LocalSocket socket;
        QVERIFY(socket.setSocketDescriptor(ends[0]));
        const QByteArray unsent(1000000, 'x');
        connect(&socket, &LocalSocket::stateChanged, this, [&](LocalSocket::LocalSocketState state) {
            if (state != LocalSocket::ClosingState)
                return;
            QCOMPARE(::send(ends[1], "late", 4, MSG_NOSIGNAL), ssize_t(4));
            runALoop();
            socket.write(unsent);
        });
        socket.disconnectFromServer();
        QCOMPARE(socket.state(), LocalSocket::ClosingState);
        EVENTUALLY(socket.bytesAvailable() == 4);
        QByteArray received;
        char part[65536];
        EVENTUALLY([&] {
            for (ssize_t taken; (taken = ::recv(ends[1], part, sizeof(part), MSG_DONTWAIT)) > 0;)
                received.append(part, qsizetype(taken));
            return socket.state() == LocalSocket::UnconnectedState;
        }());
        QCOMPARE(received.size(), unsent.size());
        ::close(ends[1]);
    }

    void writeOnlyNoticesTheEnd()
    {
        Pair pair(QIODevice::WriteOnly);
        pair.client.write("data");
        EVENTUALLY(pair.peer->bytesAvailable() == 4);
        pair.peer->write("nobody reads this");
        pair.peer->flush();
        support::settle();
        QCOMPARE(pair.client.bytesAvailable(), 0);
        pair.peer->abort();
        EVENTUALLY(pair.client.state() == LocalSocket::UnconnectedState);
    }

    void waitForReadyReadOfTheGone()
    {
        Pair pair;
        pair.peer->abort();
        QVERIFY(!pair.client.waitForReadyRead(-1));
        QCOMPARE(pair.client.state(), LocalSocket::UnconnectedState);
    }

    void waitForReadyReadInASlot()
    {
        Pair pair;
        QList<bool> answers;
        connect(&pair.client, &QIODevice::readyRead, this, [&] { answers += pair.client.waitForReadyRead(-1); });
        pair.peer->write("last words");
        pair.peer->flush();
        pair.peer->abort();
        EVENTUALLY(pair.client.state() == LocalSocket::UnconnectedState);
        QCOMPARE(answers, QList<bool>({false}));
        QCOMPARE(pair.client.readAll(), QByteArray("last words"));
    }

    void manyTimes()
    {
        LocalServer server;
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        LocalSocket socket;
        for (int round = 0; round < 100; ++round) {
            socket.connectToServer(name);
            QVERIFY(socket.waitForConnected(support::watchdogMs));
            QVERIFY(server.waitForNewConnection(support::watchdogMs));
            const std::unique_ptr<LocalSocket> peer(server.nextPendingConnection());
            socket.write("hello");
            QVERIFY(socket.flush());
            QVERIFY(peer->waitForReadyRead(support::watchdogMs));
            QCOMPARE(peer->readAll(), QByteArray("hello"));
            socket.abort();
        }
    }

    void noDescriptor()
    {
        LocalSocket socket;
        QVERIFY(!socket.setSocketDescriptor(-1, LocalSocket::ClosingState, QIODevice::Append));
        QCOMPARE(socket.state(), LocalSocket::ClosingState);
        QVERIFY(socket.openMode().testFlag(QIODevice::Append));
        QVERIFY(socket.isOpen());
    }

    // Whose caller connects it makes no connection of its own, also where the other end has a name.
    void adoptedWhileItConnects()
    {
        Pair pair;
        LocalSocket socket;
        QVERIFY(socket.setSocketDescriptor(qintptr(::dup(int(pair.client.socketDescriptor()))), LocalSocket::ConnectingState));
        const QSignalSpy states(&socket, &LocalSocket::stateChanged);
        QVERIFY(!socket.waitForConnected(0));
        QCOMPARE(socket.state(), LocalSocket::ConnectingState);
        QCOMPARE(states.size(), 0);
        QVERIFY(!pair.server.waitForNewConnection(0));
    }

    void stringBasedConnects()
    {
#if defined(SUBJECT_IS_QT)
        const QByteArray type = "QLocalSocket::";
#else
        const QByteArray type = "moorline::LocalSocket::";
#endif
        const QMetaObject *meta = &LocalSocket::staticMetaObject;
        QVERIFY(meta->indexOfSignal("errorOccurred(" + type + "LocalSocketError)") >= 0);
        QVERIFY(meta->indexOfSignal("stateChanged(" + type + "LocalSocketState)") >= 0);
        LocalSocket socket;
        QSignalSpy states(&socket, QByteArray("2stateChanged(" + type + "LocalSocketState)").constData());
        QVERIFY(states.isValid());
        socket.connectToServer(support::uniqueName());
        QCOMPARE(states.size(), 2);
    }

    void queuedStates()
    {
        LocalSocket socket;
        QList<int> seen;
        connect(
            &socket, &LocalSocket::stateChanged, this, [&](LocalSocket::LocalSocketState state) { seen += state; },
            Qt::QueuedConnection);
        socket.connectToServer(support::uniqueName());
        EVENTUALLY(seen.size() == 2);
    }

    void refusals()
    {
        // A socket file whose server has gone.
        const QString path = QDir::tempPath() + QLatin1Char('/') + support::uniqueName();
        sockaddr_un address = {};
        address.sun_family = AF_UNIX;
        std::strcpy(address.sun_path, QFile::encodeName(path).constData());
        const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        QCOMPARE(::bind(descriptor, reinterpret_cast<sockaddr *>(&address), sizeof(address)), 0);
        ::close(descriptor);
        LocalSocket socket;
        socket.connectToServer(path);
        QCOMPARE(socket.error(), LocalSocket::ConnectionRefusedError);
        QVERIFY(QFile::remove(path));

        if (::geteuid() == 0)
            QSKIP("permissions do not hold for root");
        LocalServer server;
        server.setSocketOptions(LocalServer::OtherAccessOption);
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        socket.connectToServer(name);
        QCOMPARE(socket.error(), LocalSocket::SocketAccessError);
    }
};

MOORLINE_TEST_MAIN(tst_Connection)
#include "tst_connection.moc"

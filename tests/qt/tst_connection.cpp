// How a LocalSocket connects and leaves, point by point.
#include "subject.h"

#include <QtCore/QDir>
#include <QtCore/QThread>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <memory>

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

// What a LocalServer does on its own, point by point.
#include "subject.h"

#include <QtCore/QDir>
#include <QtCore/QFileInfo>
#include <QtCore/QProcess>
#include <QtCore/QThread>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <memory>

namespace {

QString inTemp(const QString &name)
{
    return QDir::tempPath() + QLatin1Char('/') + name;
}

/// A listening socket that no class of ours or Qt's has made.
int plainListener(const QByteArray &path, bool isAbstract)
{
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path + (isAbstract ? 1 : 0), path.constData(), size_t(path.size()));
    const auto length = socklen_t(offsetof(sockaddr_un, sun_path) + size_t(path.size()) + (isAbstract ? 1 : 0));
    const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::bind(descriptor, reinterpret_cast<sockaddr *>(&address), length) != 0 || ::listen(descriptor, 8) != 0)
        qFatal("cannot listen");
    return descriptor;
}

uint permissionsOf(const QString &path)
{
    struct stat status = {};
    return ::lstat(QFile::encodeName(path).constData(), &status) == 0 ? status.st_mode & 07777 : 0;
}

/// Sees each accepted descriptor, and hands it on or not.
class SubclassedServer : public LocalServer {
public:
    QList<quintptr> seen;
    int newConnections = 0;
    bool newConnectionCameFirst = false;
    bool handsOn = true;
    QList<LocalSocket *> own;

    SubclassedServer()
    {
        connect(this, &LocalServer::newConnection, this, [this] {
            ++newConnections;
            newConnectionCameFirst = newConnectionCameFirst || newConnections > seen.size();
        });
    }

protected:
    void incomingConnection(quintptr descriptor) override
    {
        seen += descriptor;
        if (handsOn) {
            LocalServer::incomingConnection(descriptor);
            return;
        }
        auto *socket = new LocalSocket(this);
        socket->setSocketDescriptor(qintptr(descriptor));
        own += socket;
    }
};

/// Leaves it to others to make something of a descriptor.
class KeepsDescriptors : public LocalServer {
public:
    qintptr kept = -1;

protected:
    void incomingConnection(quintptr descriptor) override { kept = qintptr(descriptor); }
};

} // namespace

class tst_Server : public QObject {
    Q_OBJECT

private slots:
    void fresh()
    {
        LocalServer server;
        QCOMPARE(server.maxPendingConnections(), 30);
        QCOMPARE(server.listenBacklogSize(), 50);
        QCOMPARE(server.serverName(), QString());
        QCOMPARE(server.fullServerName(), QString());
        QCOMPARE(server.errorString(), QString());
        QCOMPARE(server.serverError(), QAbstractSocket::UnknownSocketError);
        QVERIFY(!server.isListening());
        QVERIFY(!server.hasPendingConnections());
        QVERIFY(!server.nextPendingConnection());
        QCOMPARE(server.socketDescriptor(), qintptr(-1));
        server.close();
        QVERIFY(!server.isListening());
    }

    void emptyName()
    {
        LocalServer server;
        QVERIFY(!server.listen(QString()));
        QCOMPARE(server.serverError(), QAbstractSocket::HostNotFoundError);
        QVERIFY(!server.errorString().isEmpty());
        QVERIFY(!server.isListening());
    }

    void listenTwice()
    {
        LocalServer server;
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        QTest::ignoreMessage(QtWarningMsg, SUBJECT "Server::listen() called when already listening");
        QVERIFY(!server.listen(support::uniqueName()));
        QCOMPARE(server.serverName(), name);
        QVERIFY(server.isListening());
    }

    void names()
    {
        LocalServer server;
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        QCOMPARE(server.serverName(), name);
        QCOMPARE(server.fullServerName(), inTemp(name));
        QVERIFY(QFileInfo::exists(inTemp(name)));
        QVERIFY(server.socketDescriptor() >= 0);
        server.close();
        QCOMPARE(server.serverName(), QString());
        QCOMPARE(server.fullServerName(), QString());
        QVERIFY(!QFileInfo::exists(inTemp(name)));

        const QString absolute = inTemp(support::uniqueName());
        QVERIFY(server.listen(absolute));
        QCOMPARE(server.serverName(), absolute);
        QCOMPARE(server.fullServerName(), absolute);
    }

    void nameWithUmlauts()
    {
        LocalServer server;
        const QString name = QStringLiteral("grüße-") + support::uniqueName();
        QVERIFY(server.listen(name));
        LocalSocket socket;
        socket.connectToServer(name);
        QVERIFY(socket.waitForConnected(support::watchdogMs));
        QCOMPARE(socket.fullServerName(), inTemp(name));
    }

    void tooLongName()
    {
        const QString name(256, QLatin1Char('n'));
        support::Messages messages;
        LocalServer server;
        QVERIFY(!server.listen(name));
        LocalSocket socket;
        socket.connectToServer(name);
        QCOMPARE(socket.state(), LocalSocket::UnconnectedState);
        QCOMPARE(messages.take(), QStringList());
    }

    void waitWhenNotListening()
    {
        LocalServer server;
        bool timedOut = true;
        QVERIFY(!server.waitForNewConnection(1000000, &timedOut));
        QVERIFY(!timedOut);
    }

    void waitTimesOut()
    {
        LocalServer server;
        QVERIFY(server.listen(support::uniqueName()));
        bool timedOut = false;
        QElapsedTimer time;
        time.start();
        QVERIFY(!server.waitForNewConnection(30, &timedOut));
        QVERIFY(timedOut);
        QVERIFY(time.elapsed() >= 29);
        QVERIFY(server.isListening());
    }

    void waitWithOnePending()
    {
        LocalServer server;
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        LocalSocket socket;
        socket.connectToServer(name);
        QVERIFY(server.waitForNewConnection(support::watchdogMs));
        QVERIFY(server.hasPendingConnections());
        bool timedOut = false;
        QVERIFY(server.waitForNewConnection(0, &timedOut));
        QCOMPARE(timedOut, subjectIsQt); // which says both
    }

    void noneMayBePending()
    {
        LocalServer server;
        server.setMaxPendingConnections(0);
        QCOMPARE(server.maxPendingConnections(), 0);
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        LocalSocket socket;
        socket.connectToServer(name);
        QVERIFY(server.waitForNewConnection(support::watchdogMs));
        QVERIFY(server.nextPendingConnection());
    }

    void incomingConnectionFirst()
    {
        SubclassedServer server;
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        LocalSocket sockets[3];
        for (LocalSocket &socket : sockets)
            socket.connectToServer(name);
        EVENTUALLY(server.newConnections == 3);
        QCOMPARE(server.seen.size(), 3);
        QVERIFY(!server.newConnectionCameFirst);
    }

    void othersAreToldOfInsideASlotOfNewConnection()
    {
        LocalServer server;
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        LocalSocket sockets[3];
        for (LocalSocket &socket : sockets)
            socket.connectToServer(name);
        int told = 0;
        bool inside = false;
        connect(&server, &LocalServer::newConnection, this, [&] {
            if (++told == 1)
                inside = support::untilEvent([&] { return told == 3; });
        });
        EVENTUALLY_BY_EVENT(told == 3);
        QVERIFY(inside);
    }

    void theShortestBacklog()
    {
        LocalServer server;
        server.setListenBacklogSize(0);
        QCOMPARE(server.listenBacklogSize(), 0);
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        LocalSocket sockets[3];
        for (LocalSocket &socket : sockets)
            socket.connectToServer(name);
        QCOMPARE(sockets[0].state(), LocalSocket::ConnectedState);
        QCOMPARE(sockets[2].state(), LocalSocket::ConnectingState);
        EVENTUALLY(sockets[2].state() == LocalSocket::ConnectedState);
    }

    void incomingConnectionKeptByASubclass()
    {
        SubclassedServer server;
        server.handsOn = false;
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        LocalSocket socket;
        socket.connectToServer(name);
        EVENTUALLY(server.own.size() == 1);
        QVERIFY(!server.hasPendingConnections());
        QCOMPARE(server.newConnections, 0);
        QCOMPARE(server.own[0]->serverName(), name);
        QCOMPARE(server.own[0]->fullServerName(), inTemp(name));
        socket.write("to the subclass");
        EVENTUALLY(server.own[0]->bytesAvailable() == 15);
    }

    void accepted()
    {
        LocalServer server;
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        LocalSocket socket;
        socket.connectToServer(name);
        QVERIFY(server.waitForNewConnection(support::watchdogMs));
        LocalSocket *accepted = server.nextPendingConnection();
        QVERIFY(accepted);
        QCOMPARE(accepted->parent(), &server);
        QCOMPARE(accepted->state(), LocalSocket::ConnectedState);
        QVERIFY(accepted->isOpen());
        QVERIFY(accepted->isValid());
        QVERIFY(accepted->socketDescriptor() >= 0);
        QVERIFY(!server.nextPendingConnection());
        delete accepted;
        EVENTUALLY(socket.state() == LocalSocket::UnconnectedState);
        QVERIFY(server.isListening());
    }

    // The names of a connection are read from its descriptor, which does not tell how the server was given its own.
    void namesOfAConnectionToAPath()
    {
        const QString name = support::uniqueName();
        LocalServer server;
        QVERIFY(server.listen(inTemp(name)));
        LocalSocket socket;
        socket.connectToServer(inTemp(name));
        QVERIFY(server.waitForNewConnection(support::watchdogMs));
        const LocalSocket *const accepted = server.nextPendingConnection();
        QCOMPARE(accepted->serverName(), name);
        QCOMPARE(accepted->fullServerName(), inTemp(name));
        LocalServer other;
        QVERIFY(other.listen(qintptr(::dup(int(server.socketDescriptor())))));
        QCOMPARE(other.serverName(), name);
        QCOMPARE(other.fullServerName(), inTemp(name));
    }

    // As of a server that hands its connections to other threads.
    void namesOfWhatIsTakenOverElsewhere()
    {
        KeepsDescriptors server;
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        LocalSocket socket;
        socket.connectToServer(name);
        (void)server.waitForNewConnection(support::watchdogMs);
        QVERIFY(server.kept >= 0);
        QString nameThere;
        QString fullNameThere;
        const std::unique_ptr<QThread> thread(QThread::create([&] {
            LocalSocket accepted;
            if (!accepted.setSocketDescriptor(server.kept))
                return;
            nameThere = accepted.serverName();
            fullNameThere = accepted.fullServerName();
        }));
        thread->start();
        QVERIFY(thread->wait(support::watchdogMs));
        QCOMPARE(nameThere, name);
        QCOMPARE(fullNameThere, server.fullServerName());

        LocalServer other;
        QVERIFY(other.listen(qintptr(::dup(int(server.socketDescriptor())))));
        QCOMPARE(other.serverName(), name);
        QCOMPARE(other.fullServerName(), server.fullServerName());
        server.close();
        LocalServer again;
        QVERIFY(again.listen(qintptr(::dup(int(other.socketDescriptor())))));
        QCOMPARE(again.fullServerName(), other.fullServerName());
    }

    void anotherUnderTheNumberOfTheAccepted()
    {
        LocalServer server;
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        int ends[2];
        QCOMPARE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
        bool told = false;
        QString nameOfTheOther;
        connect(&server, &LocalServer::newConnection, this, [&] {
            LocalSocket *accepted = server.nextPendingConnection();
            const qintptr number = accepted->socketDescriptor();
            delete accepted;
            LocalSocket other;
            QVERIFY(other.setSocketDescriptor(::dup2(ends[0], int(number))));
            nameOfTheOther = other.serverName();
            told = true;
        });
        LocalSocket socket;
        socket.connectToServer(name);
        EVENTUALLY(told);
        QCOMPARE(nameOfTheOther, QString());
        ::close(ends[0]);
        ::close(ends[1]);
    }

    void pendingMayBeDeleted()
    {
        LocalServer server;
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        LocalSocket first;
        first.connectToServer(name);
        LocalSocket second;
        second.connectToServer(name);
        EVENTUALLY(server.findChildren<LocalSocket *>().size() == 2);
        if (subjectIsQt)
            NOT_WITH_QT("a pending socket that is deleted is handed out all the same");
        delete server.findChildren<LocalSocket *>().first();
        QVERIFY(server.nextPendingConnection());
        QVERIFY(!server.nextPendingConnection());
        QVERIFY(!server.hasPendingConnections());
    }

    void removeServer()
    {
        QVERIFY(LocalServer::removeServer(support::uniqueName()));
        LocalServer server;
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        QVERIFY(LocalServer::removeServer(name));
        QVERIFY(!QFileInfo::exists(inTemp(name)));
        LocalServer successor;
        QVERIFY(successor.listen(name));
        LocalSocket socket;
        socket.connectToServer(name);
        QVERIFY(successor.waitForNewConnection(support::watchdogMs));
        if (subjectIsQt)
            NOT_WITH_QT("the displaced server deletes its successor's file");
        server.close();
        QVERIFY(QFileInfo::exists(inTemp(name)));
    }

    void listenAgain()
    {
        LocalServer server;
        const QString first = support::uniqueName();
        const QString second = support::uniqueName();
        QVERIFY(server.listen(first));
        server.close();
        QVERIFY(server.listen(second));
        QCOMPARE(server.serverName(), second);
        LocalSocket socket;
        socket.connectToServer(first);
        QCOMPARE(socket.error(), LocalSocket::ServerNotFoundError);
        socket.connectToServer(second);
        QVERIFY(server.waitForNewConnection(support::watchdogMs));
    }

    void closeDropsThePending()
    {
        LocalServer server;
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        LocalSocket socket;
        socket.connectToServer(name);
        QVERIFY(server.waitForNewConnection(support::watchdogMs));
        server.close();
        QVERIFY(!server.hasPendingConnections());
        EVENTUALLY(socket.state() == LocalSocket::UnconnectedState);
    }

    void adoptPath()
    {
        const QString path = inTemp(support::uniqueName());
        const int descriptor = plainListener(QFile::encodeName(path), false);
        {
            LocalServer server;
            QVERIFY(server.listen(qintptr(descriptor)));
            QCOMPARE(server.serverName(), path.section(QLatin1Char('/'), -1));
            QCOMPARE(server.fullServerName(), path);
            LocalSocket socket;
            socket.connectToServer(path);
            QVERIFY(server.waitForNewConnection(support::watchdogMs));
            QCOMPARE(server.nextPendingConnection()->fullServerName(), path);
        }
        if (subjectIsQt)
            NOT_WITH_QT("the owner's file is removed");
        QVERIFY(QFileInfo::exists(path));
        QVERIFY(QFile::remove(path));
    }

    void adoptAbstract()
    {
        const QString name = support::uniqueName() + QStringLiteral("/last");
        const int descriptor = plainListener(QFile::encodeName(name), true);
        LocalServer server;
        QVERIFY(server.listen(qintptr(descriptor)));
        QCOMPARE(server.fullServerName(), name);
        LocalSocket socket;
        socket.setSocketOptions(LocalSocket::AbstractNamespaceOption);
        socket.connectToServer(name);
        QVERIFY(server.waitForNewConnection(support::watchdogMs));
        if (subjectIsQt)
            NOT_WITH_QT("the short name is the whole one");
        QCOMPARE(server.serverName(), QStringLiteral("last"));
    }

    void adoptUnnamed()
    {
        int ends[2];
        QCOMPARE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
        {
            LocalServer server;
            QVERIFY2(server.listen(qintptr(ends[0])), qPrintable(server.errorString()));
            QVERIFY(server.isListening() != subjectIsQt);
            bool timedOut = false;
            QVERIFY(!server.waitForNewConnection(1, &timedOut));
            QVERIFY(timedOut != subjectIsQt);
            QCOMPARE(server.serverName(), QString());
            QCOMPARE(server.fullServerName(), QString());
        }
        ::close(ends[1]);
    }

    void permissions_data()
    {
        QTest::addColumn<int>("options");
        QTest::addColumn<uint>("mode");
        QTest::newRow("user") << int(LocalServer::UserAccessOption) << 0700u;
        QTest::newRow("group") << int(LocalServer::GroupAccessOption) << 0070u;
        QTest::newRow("other") << int(LocalServer::OtherAccessOption) << 0007u;
        QTest::newRow("user, group") << int(LocalServer::UserAccessOption | LocalServer::GroupAccessOption) << 0770u;
        QTest::newRow("user, other") << int(LocalServer::UserAccessOption | LocalServer::OtherAccessOption) << 0707u;
        QTest::newRow("group, other") << int(LocalServer::GroupAccessOption | LocalServer::OtherAccessOption) << 0077u;
        QTest::newRow("world") << int(LocalServer::WorldAccessOption) << 0777u;
    }

    void permissions()
    {
        QFETCH(int, options);
        QFETCH(uint, mode);
        for (const mode_t mask : {mode_t(0), mode_t(0077), mode_t(0777)}) {
            // Qt makes a directory first, which such a mask keeps everybody but root out of.
            if (subjectIsQt && mask == 0777 && ::geteuid() != 0)
                continue;
            const mode_t before = ::umask(mask);
            LocalServer server;
            server.setSocketOptions(LocalServer::SocketOptions(options));
            const QString name = support::uniqueName();
            const bool listens = server.listen(name);
            ::umask(before);
            QVERIFY2(listens, qPrintable(server.errorString()));
            QCOMPARE(permissionsOf(inTemp(name)), mode);
        }
    }

    void optionsAreBindable()
    {
        LocalServer server;
        QProperty<LocalServer::SocketOptions> source(LocalServer::UserAccessOption);
        server.bindableSocketOptions().setBinding([&] { return source.value(); });
        QCOMPARE(server.socketOptions(), LocalServer::UserAccessOption);
        source = LocalServer::WorldAccessOption;
        QCOMPARE(server.socketOptions(), LocalServer::WorldAccessOption);
        QCOMPARE(server.property("socketOptions").value<LocalServer::SocketOptions>(), LocalServer::WorldAccessOption);
        server.setSocketOptions(LocalServer::NoOptions);
        QVERIFY(!server.bindableSocketOptions().hasBinding());

        LocalSocket socket;
        QProperty<LocalSocket::SocketOptions> other(LocalSocket::AbstractNamespaceOption);
        socket.bindableSocketOptions().setBinding([&] { return other.value(); });
        QCOMPARE(socket.socketOptions(), LocalSocket::AbstractNamespaceOption);
    }

    void abstractAndPathDoNotMix()
    {
        const QString name = support::uniqueName();
        LocalServer abstractServer;
        abstractServer.setSocketOptions(LocalServer::AbstractNamespaceOption);
        QVERIFY(abstractServer.listen(name));
        QCOMPARE(abstractServer.serverName(), name);
        QCOMPARE(abstractServer.fullServerName(), name);
        QVERIFY(!QFileInfo::exists(inTemp(name)));
        LocalSocket socket;
        socket.connectToServer(name);
        QCOMPARE(socket.error(), LocalSocket::ServerNotFoundError);

        LocalServer pathServer;
        QVERIFY(pathServer.listen(name));
        socket.connectToServer(name);
        QVERIFY(pathServer.waitForNewConnection(support::watchdogMs));
        QVERIFY(!abstractServer.waitForNewConnection(0));
        LocalSocket other;
        other.setSocketOptions(LocalSocket::AbstractNamespaceOption);
        other.connectToServer(name);
        QVERIFY(abstractServer.waitForNewConnection(support::watchdogMs));

        LocalServer second;
        second.setSocketOptions(LocalServer::AbstractNamespaceOption);
        QVERIFY(!second.listen(name));
        QCOMPARE(second.serverError(), QAbstractSocket::AddressInUseError);
    }

    void trailingNulsOfAbstractNames()
    {
        const QString name = support::uniqueName();
        LocalServer plain;
        plain.setSocketOptions(LocalServer::AbstractNamespaceOption);
        QVERIFY(plain.listen(name));
        LocalServer longer;
        longer.setSocketOptions(LocalServer::AbstractNamespaceOption);
        QVERIFY2(longer.listen(name + QChar(0)), qPrintable(longer.errorString()));
        LocalSocket socket;
        socket.setSocketOptions(LocalSocket::AbstractNamespaceOption);
        socket.connectToServer(name + QChar(0));
        QVERIFY(longer.waitForNewConnection(support::watchdogMs));
        QVERIFY(!plain.waitForNewConnection(0));
    }

    void nameInUse()
    {
        LocalServer server;
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        LocalServer second;
        QVERIFY(!second.listen(name));
        QCOMPARE(second.serverError(), QAbstractSocket::AddressInUseError);
        QVERIFY(!second.isListening());
        LocalSocket socket;
        socket.connectToServer(name);
        QVERIFY(server.waitForNewConnection(support::watchdogMs));
    }

    void stringBasedConnect()
    {
        LocalServer server;
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        QSignalSpy spy(&server, SIGNAL(newConnection()));
        LocalSocket socket;
        socket.connectToServer(name);
        EVENTUALLY(spy.size() == 1);
    }
};

MOORLINE_TEST_MAIN(tst_Server)
#include "tst_server.moc"

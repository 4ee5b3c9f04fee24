// Objects that are deleted at every moment at which a user can do that.
#include "subject.h"

#include <moorline/moorline.h>
#include <moorline/qt/backgroundsender.h>

#include <QtCore/QPointer>
#include <QtCore/QTimer>

#include <functional>
#include <memory>
#include <type_traits>

namespace {

size_t liveHandles()
{
    size_t count = 0;
    return moorline_live_handles(&count) == MOORLINE_OK ? count : ~size_t(0);
}

using Connect = std::function<void(LocalSocket *, std::function<void()>)>;

struct Signal {
    const char *name;
    Connect connect;
};

template <class Pointer>
Signal signal(const char *name, Pointer pointer)
{
    return {name, [pointer](LocalSocket *socket, std::function<void()> slot) {
                QObject::connect(socket, pointer, socket, [slot] { slot(); });
            }};
}

const std::vector<Signal> &allSignals()
{
    static const std::vector<Signal> all = {
        signal("connected", &LocalSocket::connected),         signal("disconnected", &LocalSocket::disconnected),
        signal("errorOccurred", &LocalSocket::errorOccurred), signal("stateChanged", &LocalSocket::stateChanged),
        signal("readyRead", &QIODevice::readyRead),           signal("bytesWritten", &QIODevice::bytesWritten),
        signal("aboutToClose", &QIODevice::aboutToClose),     signal("readChannelFinished", &QIODevice::readChannelFinished),
    };
    return all;
}

/// The ways in which the signals come about.
const QStringList &allWays()
{
    static const QStringList all = {
        QStringLiteral("connect"),
        QStringLiteral("connect to nobody"),
        QStringLiteral("peer aborts"),
        QStringLiteral("peer writes"),
        QStringLiteral("write"),
        QStringLiteral("flush"),
        QStringLiteral("disconnect"),
        QStringLiteral("disconnect unsent"),
        QStringLiteral("close"),
        QStringLiteral("close unsent"),
        QStringLiteral("abort"),
        QStringLiteral("flush to the gone"),
        QStringLiteral("wait for bytes"),
        QStringLiteral("wait for writing"),
        QStringLiteral("wait for the end"),
        QStringLiteral("wait in vain"),
        QStringLiteral("delete"),
    };
    return all;
}

} // namespace

class tst_Lifetime : public QObject {
    Q_OBJECT

private slots:
    void cleanup()
    {
        // A deleted socket's bytes are sent in the background.
        QVERIFY(moorline::BackgroundSender::instance()->waitForFinished(support::watchdogMs));
        char report[1000] = "";
        size_t needed = 0;
        if (moorline_live_handles_report(report, sizeof(report), &needed) != MOORLINE_OK)
            qWarning("no report");
        QCOMPARE(QByteArray(report), QByteArray());
    }

    void nothingIsToldOfASocketThatASlotHasDeleted()
    {
        Pair pair;
        auto *socket = new LocalSocket;
        socket->connectToServer(pair.server.serverName());
        QVERIFY(pair.server.waitForNewConnection(support::watchdogMs));
        int told = 0;
        connect(socket, &QIODevice::readChannelFinished, this, [&] { delete socket; });
        connect(socket, &LocalSocket::disconnected, this, [&] { ++told; });
        socket->disconnectFromServer();
        QCOMPARE(told, 0);
    }

    void deletedWhileItOpens()
    {
        auto *socket = new LocalSocket;
        socket->setServerName(support::uniqueName());
        connect(socket, &LocalSocket::errorOccurred, this, [&] { delete socket; });
        QVERIFY(!socket->open());
    }

    void deletedInASlot_data()
    {
        QTest::addColumn<int>("signal");
        QTest::addColumn<QString>("way");
        for (size_t i = 0; i < allSignals().size(); ++i) {
            for (const QString &way : allWays())
                QTest::addRow("%s, %s", allSignals()[i].name, qPrintable(way)) << int(i) << way;
        }
    }

    // The socket is deleted, or reset by abort() or by connecting anew, in the first slot of the signal that runs.
    void deletedInASlot()
    {
        QFETCH(int, signal);
        QFETCH(QString, way);
        for (const char *deed : {"delete", "abort", "reconnect", "close"}) {
            if (way == QLatin1String("delete") && qstrcmp(deed, "delete") == 0)
                continue; // twice is the user's error
            LocalServer server;
            const QString name = support::uniqueName();
            QVERIFY(server.listen(name));
            QPointer<LocalSocket> socket = new LocalSocket;
            const auto isConnecting = way.startsWith(QLatin1String("connect"));
            LocalSocket *peer = nullptr;
            if (!isConnecting) {
                socket->connectToServer(name);
                QVERIFY(server.waitForNewConnection(support::watchdogMs));
                peer = server.nextPendingConnection();
            }
            bool done = false;
            allSignals()[size_t(signal)].connect(socket, [&, object = socket.data()] {
                if (done)
                    return;
                done = true;
                if (qstrcmp(deed, "delete") == 0)
                    delete object;
                else if (qstrcmp(deed, "abort") == 0)
                    object->abort();
                else if (qstrcmp(deed, "close") == 0)
                    object->close();
                else if (object->state() == LocalSocket::UnconnectedState)
                    object->connectToServer(name);
            });
            perform(way, name, socket, peer);
            support::settle();
            done = true;
            delete socket;
        }
    }

    void serverDeletedInASlot_data()
    {
        QTest::addColumn<QString>("deed");
        for (const char *deed : {"delete", "close", "listen again", "take and delete"})
            QTest::newRow(deed) << QString::fromLatin1(deed);
    }

    void serverDeletedInASlot()
    {
        QFETCH(QString, deed);
        for (const bool waits : {false, true}) {
            QPointer<LocalServer> server = new LocalServer;
            const QString name = support::uniqueName();
            QVERIFY(server->listen(name));
            LocalSocket sockets[5];
            for (LocalSocket &socket : sockets)
                socket.connectToServer(name);
            bool done = false;
            connect(server, &LocalServer::newConnection, this, [&] {
                done = true;
                if (deed == QLatin1String("delete")) {
                    delete server;
                } else if (deed == QLatin1String("close")) {
                    server->close();
                } else if (deed == QLatin1String("take and delete")) {
                    delete server->nextPendingConnection();
                } else if (server->isListening()) {
                    server->close();
                    server->listen(support::uniqueName());
                }
            });
            if (waits)
                server->waitForNewConnection(support::watchdogMs);
            EVENTUALLY(done);
            support::settle();
            delete server;
        }
    }

    void theOtherSocketsOfABatch()
    {
        // Each of these finds the others in the batch of events that is being told.
        LocalServer server;
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        std::vector<QPointer<LocalSocket>> sockets;
        std::vector<LocalSocket *> peers;
        int told = 0;
        for (int i = 0; i < 50; ++i) {
            sockets.emplace_back(new LocalSocket);
            sockets.back()->connectToServer(name);
            QVERIFY(server.waitForNewConnection(support::watchdogMs));
            peers.push_back(server.nextPendingConnection());
            connect(sockets.back(), &QIODevice::readyRead, this, [&, own = sockets.back().data()] {
                ++told;
                for (QPointer<LocalSocket> &other : sockets) {
                    if (other != own)
                        delete other;
                }
            });
        }
        for (LocalSocket *peer : peers) {
            peer->write("all at once");
            peer->flush();
        }
        EVENTUALLY(told > 0);
        support::settle();
        QCOMPARE(told, 1);
        for (QPointer<LocalSocket> &socket : sockets)
            delete socket;
    }

    void newOnesInTheirPlace()
    {
        // The new sockets get the deleted ones' descriptors and slots, but not their events.
        LocalServer server;
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        std::vector<std::unique_ptr<LocalSocket>> sockets;
        std::vector<std::unique_ptr<LocalSocket>> fresh;
        int wrong = 0;
        bool replaced = false;
        for (int i = 0; i < 20; ++i) {
            auto socket = std::make_unique<LocalSocket>();
            socket->connectToServer(name);
            QVERIFY(server.waitForNewConnection(support::watchdogMs));
            LocalSocket *peer = server.nextPendingConnection();
            connect(socket.get(), &QIODevice::readyRead, this, [&, own = socket.get()] {
                if (std::exchange(replaced, true))
                    return;
                for (auto &other : sockets) {
                    if (other.get() == own)
                        continue;
                    other = std::make_unique<LocalSocket>();
                    connect(other.get(), &QIODevice::readyRead, this, [&] { ++wrong; });
                    connect(other.get(), &LocalSocket::disconnected, this, [&] { ++wrong; });
                    other->connectToServer(name);
                }
            });
            sockets.push_back(std::move(socket));
            peer->write("x");
            peer->flush();
        }
        EVENTUALLY(replaced);
        support::settle();
        QCOMPARE(wrong, 0);
    }

    void nestedLoopGoesOnWithTheBatch()
    {
        // The slot of the first socket of a batch runs an event loop until the others were told.
        LocalServer server;
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        std::vector<std::unique_ptr<LocalSocket>> sockets;
        std::vector<LocalSocket *> peers;
        int told = 0;
        bool nested = false;
        bool allTold = false;
        for (int i = 0; i < 10; ++i) {
            sockets.push_back(std::make_unique<LocalSocket>());
            sockets.back()->connectToServer(name);
            QVERIFY(server.waitForNewConnection(support::watchdogMs));
            peers.push_back(server.nextPendingConnection());
            connect(sockets.back().get(), &QIODevice::readyRead, this, [&] {
                ++told;
                if (!std::exchange(nested, true)) {
                    QEventLoop loop;
                    QTimer watchdog;
                    watchdog.setSingleShot(true);
                    connect(&watchdog, &QTimer::timeout, &loop, &QEventLoop::quit);
                    watchdog.start(support::watchdogMs);
                    // Nothing but the hub wakes this loop.
                    connect(this, &tst_Lifetime::tenTold, &loop, &QEventLoop::quit);
                    loop.exec();
                    allTold = told == 10;
                }
                if (told == 10)
                    emit tenTold();
            });
        }
        for (LocalSocket *peer : peers) {
            peer->write("all at once");
            peer->flush();
        }
        EVENTUALLY_BY_EVENT(allTold);
    }

    // A receiver that is deleted in another thread calls it, also when the destructor of LocalSocket has run and that of QObject, which
    // waits for the receiver, has not begun: there must be nothing of LocalSocket's that it touches.
    void receiversThatGoTouchNothing()
    {
        struct Socket : LocalSocket {
            using LocalSocket::disconnectNotify;
        };
        struct Server : LocalServer {
            using LocalServer::disconnectNotify;
        };
        using OfQObject = void (QObject::*)(const QMetaMethod &);
        QVERIFY((std::is_same_v<decltype(&Socket::disconnectNotify), OfQObject>));
        QVERIFY((std::is_same_v<decltype(&Server::disconnectNotify), OfQObject>));
    }

    void deleteLaterInSlots()
    {
        LocalServer server;
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        QPointer<LocalSocket> socket = new LocalSocket;
        connect(socket, &LocalSocket::disconnected, socket, &QObject::deleteLater);
        socket->connectToServer(name);
        QVERIFY(server.waitForNewConnection(support::watchdogMs));
        LocalSocket *peer = server.nextPendingConnection();
        connect(peer, &LocalSocket::disconnected, peer, &QObject::deleteLater);
        socket->write("x");
        socket->disconnectFromServer();
        const QPointer<LocalSocket> watched = peer;
        EVENTUALLY(!socket && !watched);
    }

    void serverGoesWithItsSockets()
    {
        auto server = std::make_unique<LocalServer>();
        const QString name = support::uniqueName();
        QVERIFY(server->listen(name));
        LocalSocket sockets[3];
        for (LocalSocket &socket : sockets)
            socket.connectToServer(name);
        QVERIFY(server->waitForNewConnection(support::watchdogMs));
        const QPointer<LocalSocket> taken = server->nextPendingConnection();
        server.reset();
        QVERIFY(!taken);
        for (LocalSocket &socket : sockets)
            EVENTUALLY(socket.state() == LocalSocket::UnconnectedState);
    }

    // A server's sockets are its children, and a socket's user may be the socket's. They go while it is there to be asked.
    void whoGoesWithItMayAskIt()
    {
        auto *server = new LocalServer;
        QVERIFY(server->listen(support::uniqueName()));
        LocalSocket client;
        client.connectToServer(server->serverName());
        QVERIFY(server->waitForNewConnection(support::watchdogMs));
        LocalSocket *socket = server->nextPendingConnection();
        bool asked = false;
        connect(socket, &LocalSocket::disconnected, this, [&] {
            QCOMPARE(qobject_cast<LocalServer *>(socket->parent()), server);
            asked = !server->isListening() && !server->hasPendingConnections();
        });
        QStringList gone;
        const auto ask = [&](const QObject *child) {
            QCOMPARE(qobject_cast<LocalSocket *>(child->parent()), socket);
            gone += child->objectName();
            QVERIFY(!socket->isValid());
            QCOMPARE(socket->state(), LocalSocket::UnconnectedState);
        };
        auto *user = new QObject(socket);
        auto *another = new QObject(socket);
        for (QObject *child : {user, another}) {
            child->setObjectName(child == user ? "user" : "another");
            connect(child, &QObject::destroyed, this, ask);
        }
        connect(user, &QObject::destroyed, this, [&] { delete another; });
        delete server;
        QVERIFY(asked);
        QCOMPARE(gone, QStringList({QStringLiteral("user"), QStringLiteral("another")}));
    }

    void nothingIsLeft()
    {
        const int before = support::openDescriptors();
        for (int round = 0; round < 20; ++round) {
            Pair pair;
            pair.client.write("x");
            EVENTUALLY(pair.peer->bytesAvailable() == 1);
        }
        QCOMPARE(support::openDescriptors(), before);
        QCOMPARE(liveHandles(), size_t(0));
    }

signals:
    void tenTold();

private:
    static void perform(const QString &way, const QString &name, const QPointer<LocalSocket> &socket, LocalSocket *peer)
    {
        const auto is = [&](const char *other) { return way == QLatin1String(other); };
        if (is("connect")) {
            socket->connectToServer(name);
        } else if (is("connect to nobody")) {
            socket->connectToServer(support::uniqueName());
        } else if (is("peer aborts")) {
            peer->write("last");
            peer->flush();
            peer->abort();
        } else if (is("peer writes")) {
            peer->write("data");
        } else if (is("write")) {
            socket->write("data");
        } else if (is("flush")) {
            socket->write("data");
            socket->flush();
        } else if (is("disconnect")) {
            socket->disconnectFromServer();
        } else if (is("disconnect unsent")) {
            socket->write("data");
            socket->disconnectFromServer();
        } else if (is("close")) {
            socket->close();
        } else if (is("close unsent")) {
            socket->write("data");
            socket->close();
        } else if (is("abort")) {
            socket->write("data");
            socket->abort();
        } else if (is("flush to the gone")) {
            peer->write("last");
            peer->flush();
            peer->abort();
            socket->write("data");
            socket->flush();
        } else if (is("wait for bytes")) {
            peer->write("data");
            peer->flush();
            socket->waitForReadyRead(support::watchdogMs);
        } else if (is("wait for writing")) {
            socket->write("data");
            socket->waitForBytesWritten(support::watchdogMs);
        } else if (is("wait for the end")) {
            peer->write("last");
            peer->flush();
            peer->abort();
            socket->waitForDisconnected(support::watchdogMs);
        } else if (is("wait in vain")) {
            socket->waitForReadyRead(1);
        } else if (is("delete")) {
            socket->write("data");
            delete socket.data();
        } else {
            qFatal("no such way");
        }
    }
};

MOORLINE_TEST_MAIN(tst_Lifetime)
#include "tst_lifetime.moc"

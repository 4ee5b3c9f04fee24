// The same scenarios with QLocalSocket and with LocalSocket: what a user sees must be the same, line by line.
#include "parity.h"
#include "support.h"

#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <memory>

namespace {

/// A server with a connected pair of sockets; the pair's client is traced.
template <class Kind>
struct Pair {
    typename Kind::Server server;
    typename Kind::Socket client;
    typename Kind::Socket *peer = nullptr;

    explicit Pair(Trace &trace, QIODevice::OpenMode mode = QIODevice::ReadWrite)
    {
        const QString name = support::uniqueName();
        server.listen(name);
        trace.record(&client);
        client.connectToServer(name, mode);
        server.waitForNewConnection(support::watchdogMs);
        peer = server.nextPendingConnection();
    }
};

template <class Kind>
void nobodyListens(Trace &trace)
{
    typename Kind::Socket socket;
    trace.record(&socket);
    trace.look("fresh", &socket);
    socket.connectToServer(support::uniqueName());
    trace.look("refused", &socket);
    trace.add("waitForConnected", socket.waitForConnected(0));
    socket.connectToServer(QString());
    socket.connectToServer(QStringLiteral("/nonexistent/place"));
    socket.connectToServer(QString(256, QLatin1Char('x')));
    socket.connectToServer(QStringLiteral("/etc/passwd"));
    socket.setServerName(support::uniqueName());
    trace.add("open", socket.open());
    trace.look("end", &socket);
}

template <class Kind>
void unconnectedCalls(Trace &trace)
{
    typename Kind::Socket socket;
    trace.record(&socket);
    trace.add("flush", socket.flush());
    trace.add("toWrite", socket.bytesToWrite());
    trace.add("canReadLine", socket.canReadLine());
    trace.add("atEnd", socket.atEnd());
    trace.add("isSequential", socket.isSequential());
    trace.add("waitForReadyRead", socket.waitForReadyRead(0));
    trace.add("descriptor", socket.socketDescriptor());
    socket.setReadBufferSize(7);
    trace.add("readBufferSize", socket.readBufferSize());
    socket.setServerName(QStringLiteral("name"));
    trace.look("named", &socket);
    socket.disconnectFromServer();
    trace.look("disconnectFromServer", &socket);
    socket.close();
    trace.look("close", &socket);
    socket.setServerName(QStringLiteral("name"));
    socket.abort();
    trace.look("abort", &socket);
}

template <class Kind>
void exchangeAndDisconnect(Trace &trace)
{
    Pair<Kind> pair(trace);
    trace.look("connected", &pair.client);
    pair.client.write("hello\nworld");
    trace.add("toWrite", pair.client.bytesToWrite());
    support::until([&] { return pair.peer->bytesAvailable() == 11; });
    trace.add("line", pair.peer->readLine());
    pair.peer->write("back");
    support::until([&] { return pair.client.bytesAvailable() == 4; });
    pair.client.disconnectFromServer();
    trace.look("disconnected", &pair.client);
    support::until([&] { return pair.peer->state() == Kind::Socket::UnconnectedState; });
    trace.add("peer reads", pair.peer->readAll());
    trace.add("reads", pair.client.readAll());
    char byte;
    trace.add("read", pair.client.read(&byte, 1));
    trace.add("write", pair.client.write("x"));
    trace.add("waitForReadyRead", pair.client.waitForReadyRead(0));
}

template <class Kind>
void secondConnect(Trace &trace)
{
    Pair<Kind> pair(trace);
    support::Messages messages;
    pair.client.connectToServer(support::uniqueName());
    pair.client.setServerName(support::uniqueName());
    trace.add("open", pair.client.open());
    trace.add("warnings", messages.take().size());
    trace.look("still", &pair.client);
}

template <class Kind>
void abortAndAgain(Trace &trace)
{
    const QString name = support::uniqueName();
    typename Kind::Server server;
    server.listen(name);
    typename Kind::Socket socket;
    trace.record(&socket);
    for (int round = 0; round < 3; ++round) {
        socket.connectToServer(name);
        socket.write("lost");
        socket.abort();
        trace.look("aborted", &socket);
    }
}

template <class Kind>
void openModes(Trace &trace)
{
    const QString name = support::uniqueName();
    typename Kind::Server server;
    server.listen(name);
    for (const QIODevice::OpenMode mode :
         {QIODevice::OpenMode(QIODevice::ReadWrite | QIODevice::Text), QIODevice::OpenMode(QIODevice::NotOpen),
          QIODevice::ReadWrite | QIODevice::Unbuffered}) {
        typename Kind::Socket socket;
        trace.record(&socket);
        socket.connectToServer(name, mode);
        trace.look("opened", &socket);
        socket.abort();
    }
}

template <class Kind>
void noModeOverAnOpenDevice(Trace &trace)
{
    Pair<Kind> pair(trace);
    pair.client.disconnectFromServer();
    trace.look("open still", &pair.client);
    pair.client.connectToServer(pair.server.serverName(), QIODevice::NotOpen);
    trace.look("connected", &pair.client);
    {
        support::Messages messages;
        trace.add("write", pair.client.write("x"));
        trace.add("warnings", messages.take().size());
    }
    pair.client.disconnectFromServer();
    trace.look("disconnected", &pair.client);
}

template <class Kind>
void closeAndAgain(Trace &trace)
{
    const QString name = support::uniqueName();
    typename Kind::Server server;
    server.listen(name);
    typename Kind::Socket socket;
    trace.record(&socket);
    for (const QIODevice::OpenMode mode : {QIODevice::ReadWrite, QIODevice::WriteOnly, QIODevice::ReadOnly}) {
        socket.connectToServer(name, mode);
        socket.close();
        trace.look("closed", &socket);
    }
}

template <class Kind>
void closeWithUnsent(Trace &trace)
{
    Pair<Kind> pair(trace);
    pair.client.write("abc");
    pair.client.close();
    trace.look("closing", &pair.client);
    support::until([&] { return pair.client.state() == Kind::Socket::UnconnectedState; });
    trace.look("closed", &pair.client);
}

template <class Kind>
void disconnectWithUnsent(Trace &trace)
{
    Pair<Kind> pair(trace);
    pair.client.write("abc");
    pair.client.disconnectFromServer();
    trace.look("closing", &pair.client);
    trace.add("write", pair.client.write("more"));
    trace.add("waitForDisconnected", pair.client.waitForDisconnected(support::watchdogMs));
    support::until([&] { return pair.peer->state() == Kind::Socket::UnconnectedState; });
    trace.add("peer reads", pair.peer->readAll());
}

template <class Kind>
void closeWithUnread(Trace &trace)
{
    Pair<Kind> pair(trace);
    pair.peer->write("unread");
    support::until([&] { return pair.client.bytesAvailable() == 6; });
    pair.client.close();
    trace.look("closed", &pair.client);
}

template <class Kind>
void reconnectWhileClosing(Trace &trace)
{
    Pair<Kind> pair(trace);
    const QString name = pair.client.serverName();
    pair.client.write("x");
    pair.client.disconnectFromServer();
    support::Messages messages;
    pair.client.connectToServer(name);
    trace.add("warnings", messages.take().size());
    trace.look("again", &pair.client);
}

template <class Kind>
void peerLeaves(Trace &trace)
{
    Pair<Kind> pair(trace);
    pair.peer->write("bye");
    pair.peer->flush();
    pair.peer->abort();
    support::until([&] { return pair.client.state() == Kind::Socket::UnconnectedState; });
    trace.look("gone", &pair.client);
    trace.add("read", pair.client.read(2));
    trace.add("atEnd", pair.client.atEnd());
    trace.add("read", pair.client.read(5));
    char byte;
    trace.add("read", pair.client.read(&byte, 1));
}

template <class Kind>
void peerLeavesUnread(Trace &trace)
{
    Pair<Kind> pair(trace);
    pair.client.write("never read");
    pair.client.flush();
    pair.peer->write("hello");
    pair.peer->flush();
    pair.peer->abort();
    support::until([&] { return pair.client.state() == Kind::Socket::UnconnectedState; });
    trace.add("read", pair.client.readAll());
}

template <class Kind>
void peerShutsDown(Trace &trace)
{
    Pair<Kind> pair(trace);
    ::shutdown(int(pair.peer->socketDescriptor()), SHUT_WR);
    support::until([&] { return pair.client.state() == Kind::Socket::UnconnectedState; });
    trace.look("gone", &pair.client);
}

template <class Kind>
void peerDeleted(Trace &trace)
{
    const QString name = support::uniqueName();
    typename Kind::Server server;
    server.listen(name);
    typename Kind::Socket client;
    client.connectToServer(name);
    server.waitForNewConnection(support::watchdogMs);
    typename Kind::Socket *peer = server.nextPendingConnection();
    trace.record(peer);
    peer->write("bye");
    peer->flush();
    delete peer;
}

template <class Kind>
void writeToTheGone(Trace &trace)
{
    Pair<Kind> pair(trace);
    pair.peer->abort();
    trace.add("write", pair.client.write("data"));
    trace.add("toWrite", pair.client.bytesToWrite());
    trace.add("waitForBytesWritten", pair.client.waitForBytesWritten(support::watchdogMs));
    trace.look("gone", &pair.client);
    trace.add("toWrite", pair.client.bytesToWrite());
    trace.add("write", pair.client.write("data"));
}

template <class Kind>
void flushToTheGone(Trace &trace)
{
    Pair<Kind> pair(trace);
    pair.peer->abort();
    trace.add("write", pair.client.write("data"));
    trace.add("flush", pair.client.flush());
    trace.look("gone", &pair.client);
}

template <class Kind>
void flushOfWhatSlotsWrite(Trace &trace)
{
    Pair<Kind> pair(trace);
    int left = 3;
    QObject::connect(&pair.client, &Kind::Socket::bytesWritten, [&] {
        if (left-- > 0)
            pair.client.write("more");
    });
    pair.client.write("first");
    trace.add("flush", pair.client.flush());
    trace.add("toWrite", pair.client.bytesToWrite());
    trace.add("flush", pair.client.flush());
    support::until([&] { return pair.peer->bytesAvailable() == 17; });
}

template <class Kind>
void waitForTheGone(Trace &trace)
{
    Pair<Kind> pair(trace);
    pair.peer->write("last");
    pair.peer->flush();
    pair.peer->abort();
    trace.add("waitForReadyRead", pair.client.waitForReadyRead(support::watchdogMs));
    trace.add("waitForReadyRead", pair.client.waitForReadyRead(support::watchdogMs));
    trace.look("gone", &pair.client);
}

template <class Kind>
void waitInsideReadyRead(Trace &trace)
{
    Pair<Kind> pair(trace);
    QObject::connect(&pair.client, &Kind::Socket::readyRead,
                     [&] { trace.add("waitForReadyRead", pair.client.waitForReadyRead(support::watchdogMs)); });
    pair.peer->write("first");
    pair.peer->flush();
    pair.peer->abort();
    support::until([&] { return pair.client.state() == Kind::Socket::UnconnectedState; });
}

template <class Kind>
void writeOnly(Trace &trace)
{
    Pair<Kind> pair(trace, QIODevice::WriteOnly);
    pair.client.write("to you");
    support::until([&] { return pair.peer->bytesAvailable() == 6; });
    pair.peer->abort();
    support::until([&] { return pair.client.state() == Kind::Socket::UnconnectedState; });
}

template <class Kind>
void readOnly(Trace &trace)
{
    Pair<Kind> pair(trace, QIODevice::ReadOnly);
    {
        support::Messages messages;
        trace.add("write", pair.client.write("x"));
    }
    pair.peer->write("to you");
    pair.peer->flush();
    support::until([&] { return pair.client.bytesAvailable() == 6; });
    pair.peer->close();
    support::until([&] { return pair.client.state() == Kind::Socket::UnconnectedState; });
}

template <class Kind>
void waitsThatTimeOut(Trace &trace)
{
    Pair<Kind> pair(trace);
    trace.add("waitForReadyRead", pair.client.waitForReadyRead(1));
    trace.add("waitForBytesWritten", pair.client.waitForBytesWritten(1));
    trace.add("waitForDisconnected", pair.client.waitForDisconnected(1));
    trace.add("error", int(pair.client.error()));
    trace.add("waitForConnected", pair.client.waitForConnected(0));
    pair.client.write("y");
    trace.add("waitForBytesWritten", pair.client.waitForBytesWritten(support::watchdogMs));
    trace.add("waitForBytesWritten", pair.client.waitForBytesWritten(1));
    pair.peer->abort();
    trace.add("waitForDisconnected", pair.client.waitForDisconnected(support::watchdogMs));
    trace.add("waitForConnected", pair.client.waitForConnected(1));
}

template <class Kind>
void adoptedDescriptors(Trace &trace)
{
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
        return;
    typename Kind::Socket socket;
    trace.record(&socket);
    trace.add("nothing", socket.setSocketDescriptor(-1, Kind::Socket::ConnectingState, QIODevice::ReadOnly));
    trace.look("kept", &socket);
    trace.add("adopts", socket.setSocketDescriptor(ends[0]));
    trace.look("adopted", &socket);
    typename Kind::Socket other;
    trace.add("adopts", other.setSocketDescriptor(ends[1], Kind::Socket::ConnectedState, QIODevice::WriteOnly));
    trace.look("other", &other);
    other.write("over there");
    support::until([&] { return socket.bytesAvailable() == 10; });
    other.abort();
    support::until([&] { return socket.state() == Kind::Socket::UnconnectedState; });
}

template <class Kind>
void connectsInVainAgain(Trace &trace)
{
    Pair<Kind> pair(trace);
    pair.peer->abort();
    support::until([&] { return pair.client.state() == Kind::Socket::UnconnectedState; });
    trace.look("gone", &pair.client);
    pair.client.setServerName(support::uniqueName());
    trace.add("open", pair.client.open());
    trace.look("in vain", &pair.client);
    trace.add("error", int(pair.client.error()));
}

template <class Kind>
void errorsOfTheConnectionBefore(Trace &trace)
{
    Pair<Kind> pair(trace);
    QObject::connect(&pair.client, &Kind::Socket::stateChanged, [&] { trace.add("error", int(pair.client.error())); });
    QObject::connect(&pair.client, &Kind::Socket::connected, [&] { trace.add("error", int(pair.client.error())); });
    pair.peer->abort();
    support::until([&] { return pair.client.state() == Kind::Socket::UnconnectedState; });
    pair.client.connectToServer(pair.server.serverName());
    trace.add("error", int(pair.client.error()));
    pair.server.waitForNewConnection(support::watchdogMs);
    delete pair.server.nextPendingConnection();
    support::until([&] { return pair.client.state() == Kind::Socket::UnconnectedState; });
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
        return;
    trace.add("adopts", pair.client.setSocketDescriptor(ends[0]));
    trace.add("error", int(pair.client.error()));
    ::close(ends[1]);
}

template <class Kind>
void errorTextsOfTheClosed(Trace &trace)
{
    const auto hasText
        = [](const typename Kind::Socket &socket) { return socket.errorString() != QLatin1String("Unknown error"); };
    for (const bool aborts : {false, true}) {
        for (const bool peerLeaves : {false, true}) {
            Pair<Kind> pair(trace);
            trace.add("none", hasText(pair.client));
            if (peerLeaves) {
                pair.peer->abort();
                support::until([&] { return pair.client.state() == Kind::Socket::UnconnectedState; });
            } else {
                trace.add("waitForReadyRead", pair.client.waitForReadyRead(1));
            }
            aborts ? pair.client.abort() : pair.client.close();
            trace.add("text", hasText(pair.client));
            pair.client.connectToServer(pair.server.serverName());
            trace.add("none", hasText(pair.client));
        }
    }
}

template <class Kind>
void readsInSlotsOfTheEnd(Trace &trace)
{
    Pair<Kind> pair(trace);
    const auto read = [&] {
        char byte;
        trace.add("read", pair.client.read(&byte, 1));
        trace.add("line", pair.client.readLine(&byte, 1));
        trace.add("skip", pair.client.skip(1));
    };
    QObject::connect(&pair.client, &Kind::Socket::errorOccurred, read);
    QObject::connect(&pair.client, &Kind::Socket::stateChanged, read);
    QObject::connect(&pair.client, &Kind::Socket::disconnected, read);
    pair.peer->abort();
    support::until([&] { return pair.client.state() == Kind::Socket::UnconnectedState; });
}

template <class Kind>
void skipsAfterTheEnd(Trace &trace)
{
    Pair<Kind> pair(trace);
    trace.add("skip", pair.client.skip(0));
    pair.peer->write("rest");
    pair.peer->flush();
    pair.peer->abort();
    support::until([&] { return pair.client.state() == Kind::Socket::UnconnectedState; });
    trace.add("skip", pair.client.skip(0));
    trace.add("skip", pair.client.skip(3));
    trace.add("skip", pair.client.skip(3));
    trace.add("skip", pair.client.skip(3));
    trace.add("skip", pair.client.skip(0));
}

template <class Kind>
void optionsThatDescriptorsTell(Trace &trace)
{
    for (const bool isAbstract : {false, true}) {
        typename Kind::Server server;
        server.setSocketOptions(isAbstract ? Kind::Server::AbstractNamespaceOption : Kind::Server::UserAccessOption);
        const QString name = support::uniqueName();
        server.listen(name);
        typename Kind::Socket client;
        client.setSocketOptions(isAbstract ? Kind::Socket::AbstractNamespaceOption : Kind::Socket::NoOptions);
        client.connectToServer(name);
        server.waitForNewConnection(support::watchdogMs);
        const typename Kind::Socket *accepted = server.nextPendingConnection();
        trace.add("accepted", int(accepted->socketOptions()));

        // And where it was told the contrary before.
        typename Kind::Server adopting;
        adopting.setSocketOptions(Kind::Server::AbstractNamespaceOption | Kind::Server::UserAccessOption);
        trace.add("adopts", adopting.listen(qintptr(::dup(int(server.socketDescriptor())))));
        trace.add("server", int(adopting.socketOptions()));
        typename Kind::Socket other;
        other.setSocketOptions(Kind::Socket::AbstractNamespaceOption);
        trace.add("adopts", other.setSocketDescriptor(::dup(int(accepted->socketDescriptor()))));
        trace.add("socket", int(other.socketOptions()));
    }
}

template <class Kind>
void readBufferLimit(Trace &trace)
{
    Pair<Kind> pair(trace);
    pair.client.setReadBufferSize(4);
    pair.peer->write("0123456789");
    pair.peer->flush();
    pair.peer->abort();
    support::until([&] { return pair.client.bytesAvailable() == 4; });
    trace.add("read", pair.client.read(4));
    support::until([&] { return pair.client.bytesAvailable() == 4; });
    trace.add("read", pair.client.readAll());
    support::until([&] { return pair.client.state() == Kind::Socket::UnconnectedState; });
    trace.add("read", pair.client.readAll());
}

template <class Kind>
void bytesInsideConnectedState(Trace &trace)
{
    const QString name = support::uniqueName();
    typename Kind::Server server;
    server.listen(name);
    typename Kind::Socket client;
    trace.record(&client);
    QObject::connect(&client, &Kind::Socket::readyRead, [&] { trace.add("read", client.readAll()); });
    QObject::connect(&client, &Kind::Socket::stateChanged, [&](auto state) {
        if (state != Kind::Socket::ConnectedState)
            return;
        server.waitForNewConnection(support::watchdogMs);
        auto *peer = server.nextPendingConnection();
        peer->write("first");
        peer->flush();
        peer->abort();
        support::settle();
    });
    client.connectToServer(name);
    support::until([&] { return client.state() == Kind::Socket::UnconnectedState; });
}

template <class Kind>
void disconnectInsideReadyRead(Trace &trace)
{
    Pair<Kind> pair(trace);
    QObject::connect(pair.peer, &Kind::Socket::readyRead, [peer = pair.peer] {
        peer->write(peer->readAll());
        peer->disconnectFromServer();
    });
    pair.client.write("abc");
    support::until([&] { return pair.client.state() == Kind::Socket::UnconnectedState; });
    trace.add("read", pair.client.readAll());
}

template <class Kind>
void serverLife(Trace &trace)
{
    typename Kind::Server server;
    const auto look = [&](const char *when) {
        trace.add(when, server.isListening());
        trace.add("named", !server.serverName().isEmpty());
        trace.add("full name", server.fullServerName().contains(server.serverName()));
        trace.add("descriptor", server.socketDescriptor() >= 0);
        trace.add("pending", server.hasPendingConnections());
        trace.add("most pending", server.maxPendingConnections());
        trace.add("backlog", server.listenBacklogSize());
    };
    look("fresh");
    trace.add("error", int(server.serverError()));
    trace.add("error text", !server.errorString().isEmpty());
    server.close();
    trace.add("listens", server.listen(QString()));
    trace.add("error", int(server.serverError()));
    trace.add("error text", !server.errorString().isEmpty());
    look("no name");
    trace.add("listens", server.listen(QString(256, QLatin1Char('x'))));
    trace.add("listening", server.isListening());
    const QString name = support::uniqueName();
    trace.add("listens", server.listen(name));
    look("listening");
    typename Kind::Server second;
    trace.add("second listens", second.listen(name));
    trace.add("error", int(second.serverError()));
    bool timedOut = true;
    trace.add("second waits", second.waitForNewConnection(0, &timedOut));
    trace.add("timed out", timedOut);
    trace.add("waits", server.waitForNewConnection(0, &timedOut));
    trace.add("timed out", timedOut);
    server.close();
    look("closed");
}

template <class Kind>
void newConnections(Trace &trace)
{
    typename Kind::Server server;
    const QString name = support::uniqueName();
    server.listen(name);
    int told = 0;
    QObject::connect(&server, &Kind::Server::newConnection, [&] {
        trace.add("newConnection", server.hasPendingConnections());
        ++told;
    });
    typename Kind::Socket clients[3];
    for (auto &client : clients)
        client.connectToServer(name);
    support::until([&] { return told == 3; });
    while (auto *socket = server.nextPendingConnection()) {
        trace.add("child", socket->parent() == &server);
        trace.add("names", socket->serverName() == name && socket->fullServerName() == server.fullServerName());
        trace.look("accepted", socket);
    }
    trace.add("none", server.nextPendingConnection() == nullptr);
}

} // namespace

class tst_Parity : public QObject {
    Q_OBJECT

private slots:
    void sameAsQt_data()
    {
        QTest::addColumn<int>("scenario");
        for (size_t i = 0; i < scenarios().size(); ++i)
            QTest::newRow(scenarios()[i].name) << int(i);
    }

    void sameAsQt()
    {
        QFETCH(int, scenario);
        const Scenario &chosen = scenarios()[size_t(scenario)];
        Trace reference;
        chosen.withQt(reference);
        Trace ours;
        chosen.withOurs(ours);
        QVERIFY(!reference.lines().isEmpty());
        for (qsizetype line = 0; line < std::max(reference.lines().size(), ours.lines().size()); ++line)
            QCOMPARE(ours.lines().value(line), reference.lines().value(line));
    }

private:
    struct Scenario {
        const char *name;
        std::function<void(Trace &)> withQt;
        std::function<void(Trace &)> withOurs;
    };

    static const std::vector<Scenario> &scenarios()
    {
#define SCENARIO(name)                  \
    {                                   \
        #name, name<QtsOwn>, name<Ours> \
    }
        static const std::vector<Scenario> all = {
            SCENARIO(nobodyListens),
            SCENARIO(unconnectedCalls),
            SCENARIO(exchangeAndDisconnect),
            SCENARIO(secondConnect),
            SCENARIO(abortAndAgain),
            SCENARIO(openModes),
            SCENARIO(noModeOverAnOpenDevice),
            SCENARIO(closeAndAgain),
            SCENARIO(closeWithUnsent),
            SCENARIO(disconnectWithUnsent),
            SCENARIO(closeWithUnread),
            SCENARIO(reconnectWhileClosing),
            SCENARIO(peerLeaves),
            SCENARIO(peerLeavesUnread),
            SCENARIO(peerShutsDown),
            SCENARIO(peerDeleted),
            SCENARIO(writeToTheGone),
            SCENARIO(flushToTheGone),
            SCENARIO(flushOfWhatSlotsWrite),
            SCENARIO(waitForTheGone),
            SCENARIO(waitInsideReadyRead),
            SCENARIO(writeOnly),
            SCENARIO(readOnly),
            SCENARIO(waitsThatTimeOut),
            SCENARIO(adoptedDescriptors),
            SCENARIO(connectsInVainAgain),
            SCENARIO(errorsOfTheConnectionBefore),
            SCENARIO(errorTextsOfTheClosed),
            SCENARIO(readsInSlotsOfTheEnd),
            SCENARIO(skipsAfterTheEnd),
            SCENARIO(optionsThatDescriptorsTell),
            SCENARIO(readBufferLimit),
            SCENARIO(bytesInsideConnectedState),
            SCENARIO(disconnectInsideReadyRead),
            SCENARIO(serverLife),
            SCENARIO(newConnections),
        };
#undef SCENARIO
        return all;
    }
};

MOORLINE_TEST_MAIN(tst_Parity)
#include "tst_parity.moc"

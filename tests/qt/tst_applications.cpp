// What is left of an application: it is not in the way of the next one in the same process, and what it has written is sent.
#include "subject.h"

#if !defined(SUBJECT_IS_QT)
#include "fullserver.h"
#include "messages.h"

#include <moorline/qt/Service>
#include <moorline/qt/backgroundsender.h>
#endif

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>

namespace {

/// A server and a connection that the first application has not deleted.
std::unique_ptr<Pair> left;

#if !defined(SUBJECT_IS_QT)
const QByteArray &much()
{
    static const QByteArray bytes(3000000, 'b');
    return bytes;
}

/// A service of the first application, with a connection by which more has come than it takes without having told it.
struct LeftService {
    moorline::qt::Service service;
    LocalSocket client;
    QByteArray received;

    LeftService()
    {
        QObject::connect(&service, &moorline::qt::Service::received, &service,
                         [this](quint64, const QByteArray &data) { received += data; });
        if (!service.start(support::uniqueName()))
            qFatal("start: %s", qPrintable(service.errorString()));
        client.connectToServer(service.fullServerName());
        client.write(much() + much());
        while (client.bytesToWrite() > much().size() && client.waitForBytesWritten(support::watchdogMs)) {}
    }
};
std::unique_ptr<LeftService> leftService;

/// What waits when the first application ends, and what ends last of it: slots that are told of that find the dispatcher gone.
struct LeftWaiting {
    FullServer full;
    LocalSocket connecting;
    RawPeer late;
    PatientSocket shakingHands{MessageSocket::Framing::Checked};
    RawPeer reader;
    MessageSocket told;
    moorline::qt::Service service;
    LocalSocket client;
    QByteArray received;

    LeftWaiting()
    {
        QObject::connect(&service, &moorline::qt::Service::received, &service,
                         [this](quint64, const QByteArray &data) { received += data; });
        if (!service.start(support::uniqueName()))
            qFatal("start: %s", qPrintable(service.errorString()));
        client.connectToServer(service.fullServerName());
        client.write("few");
        const QDeadlineTimer watchdog(support::watchdogMs);
        client.waitForBytesWritten(support::watchdogMs);
        int unread = 1;
        while (unread > 0 && !watchdog.hasExpired() && ::ioctl(int(client.socketDescriptor()), SIOCOUTQ, &unread) == 0)
            QThread::yieldCurrentThread();
        service.stop(); // its threads have ended, and it has nothing to tell but that
        connecting.connectToServer(full.path);
        if (connecting.state() != LocalSocket::ConnectingState || !late.connect(shakingHands) || !reader.connect(told))
            qFatal("no connections");
        QObject::connect(new QObject(qApp), &QObject::destroyed, &told, [this] { told.sendMessage("it ends"); });
    }
};
std::unique_ptr<LeftWaiting> leftWaiting;

/// A connection that nobody deletes before the end of the process.
std::unique_ptr<LocalSocket> last;

/// A process that sends all by sockets which it deletes at once: one while it runs, and one when its static objects go. Tells where they
/// arrive.
pid_t startSender(int (&ends)[2])
{
    int pairs[2][2];
    for (int (&pair)[2] : pairs)
        support::socketPair(pair);
    const pid_t child = ::fork();
    for (int i = 0; i < 2; ++i) {
        ends[i] = pairs[i][0];
        ::close(pairs[i][child == 0 ? 0 : 1]);
    }
    if (child != 0)
        return child;
    for (int i = 0; i < 2; ++i) {
        last = std::make_unique<LocalSocket>();
        last->setLingerTimeout(support::watchdogMs);
        if (!last->setSocketDescriptor(pairs[i][1]) || last->write(much()) != much().size())
            ::_exit(1);
    }
    if (!moorline::BackgroundSender::instance()->waitForFinished(support::watchdogMs))
        ::_exit(2);
    ::exit(0);
}

/// A process that forks another while it sends in the background, to somebody who does not read. What that sends at its end arrives at
/// the descriptor.
pid_t startForker(int &end)
{
    int sent[2];
    support::socketPair(sent);
    const pid_t child = ::fork();
    end = sent[0];
    ::close(sent[child == 0 ? 0 : 1]);
    if (child != 0)
        return child;
    ::alarm(support::watchdogMs / 1000);
    int unread[2];
    support::socketPair(unread);
    const auto writeAndDelete = [](int descriptor) {
        LocalSocket socket;
        socket.setLingerTimeout(2 * support::watchdogMs);
        if (!socket.setSocketDescriptor(descriptor) || socket.write(much()) != much().size())
            ::_exit(1);
    };
    writeAndDelete(unread[0]);
    const pid_t grandchild = ::fork();
    if (grandchild == 0) {
        ::alarm(support::watchdogMs / 1000);
        writeAndDelete(sent[1]);
        ::exit(0);
    }
    ::close(sent[1]);
    int status = -1;
    ::_exit(::waitpid(grandchild, &status, 0) == grandchild && status == 0 ? 0 : 2);
}
#endif

} // namespace

class tst_Applications : public QObject {
    Q_OBJECT

private slots:
#if !defined(SUBJECT_IS_QT)
    // These are the first, as any use of a connection wakes what this thread has left. Nobody touches any here but from the other end.
    void untouchedService() { EVENTUALLY_BY_EVENT(leftWaiting->received == "few"); }

    void untouchedSocket() { EVENTUALLY_BY_EVENT(left->peer->bytesAvailable() == 6); }

    void untouchedMessages() { EVENTUALLY_BY_EVENT(leftWaiting->reader.takeAll() == QByteArray("\0\0\0\7it ends", 11)); }

    void untouchedHandshake()
    {
        const QSignalSpy ended(&leftWaiting->shakingHands, &MessageSocket::ended);
        leftWaiting->late.close();
        EVENTUALLY_BY_EVENT(!ended.isEmpty());
    }

    void untouchedAttemptToConnect()
    {
        ::close(leftWaiting->full.acceptOne());
        EVENTUALLY_BY_EVENT(leftWaiting->connecting.state() != LocalSocket::ConnectingState);
    }
#endif

    // Events come by the dispatcher of the application that is there.
    void newConnections()
    {
        LocalServer server;
        QVERIFY(server.listen(support::uniqueName()));
        LocalSocket client;
        client.connectToServer(server.serverName());
        LocalSocket *peer = nullptr;
        connect(&server, &LocalServer::newConnection, this, [&] { peer = server.nextPendingConnection(); });
        EVENTUALLY_BY_EVENT(peer);
        connect(peer, &QIODevice::readyRead, this, [&] { peer->write(peer->readAll()); });
        client.write("question");
        EVENTUALLY_BY_EVENT(client.bytesAvailable() == 8);
    }

    // What was written when the first application ended was to be sent by an event that went with it.
    void oldConnections()
    {
        NOT_WITH_QT("they are deaf");
        left->client.write("after");
        EVENTUALLY_BY_EVENT(left->peer->bytesAvailable() == 11);
    }

#if !defined(SUBJECT_IS_QT)
    // What it had received when the first application ended was to be told by events that went with it.
    void oldServices()
    {
        leftService->client.write("after");
        EVENTUALLY(leftService->received.size() == 2 * much().size() + 5);
        QVERIFY(leftService->received == much() + much() + "after");
    }

    void whatIsDeletedAtTheEndOfTheProcess()
    {
        for (const int end : ends)
            muchArrives(end);
        endsWell(child);
    }

    // A forked child has the sender's memory, and not its thread: it waits for that in vain.
    void aForkedChildSendsWhatIsItsOwnAndEnds()
    {
        muchArrives(forkersEnd);
        endsWell(forker);
    }

private:
    static void muchArrives(int end)
    {
        QByteArray all(much().size() + 1, 'a');
        qsizetype size = 0;
        for (ssize_t count; (count = ::read(end, all.data() + size, size_t(all.size() - size))) > 0;)
            size += count;
        QCOMPARE(size, much().size());
        QVERIFY(all.startsWith(much()));
        ::close(end);
    }

    static void endsWell(pid_t process)
    {
        int status = -1;
        QCOMPARE(::waitpid(process, &status, 0), process);
        QCOMPARE(status, 0);
    }

public:
    pid_t child = -1;
    int ends[2] = {-1, -1};
    pid_t forker = -1;
    int forkersEnd = -1;
#endif
};

int main(int argc, char **argv)
{
    tst_Applications test;
#if !defined(SUBJECT_IS_QT)
    test.child = startSender(test.ends);
    test.forker = startForker(test.forkersEnd);
#endif
    const QTemporaryDir directory;
    qputenv("TMPDIR", directory.path().toLocal8Bit());
    {
        const QCoreApplication first(argc, argv);
        left = std::make_unique<Pair>();
        support::settle();
        left->client.write("before");
#if !defined(SUBJECT_IS_QT)
        leftService = std::make_unique<LeftService>();
        leftWaiting = std::make_unique<LeftWaiting>();
#endif
    }
    int result = 0;
    {
        const QCoreApplication second(argc, argv);
        result = QTest::qExec(&test, argc, argv);
    }
#if !defined(SUBJECT_IS_QT)
    leftWaiting.reset();
    leftService.reset();
#endif
    left.reset();
    return result;
}

#include "tst_applications.moc"

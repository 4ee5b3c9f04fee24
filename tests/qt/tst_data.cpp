// How bytes go through a LocalSocket, point by point.
#include "subject.h"

#include <QtCore/QDataStream>
#include <QtCore/QTextStream>
#include <QtCore/QThread>

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <numeric>
#include <thread>

namespace {

qsizetype total(const QList<QByteArray> &pieces)
{
    return std::accumulate(pieces.begin(), pieces.end(), qsizetype(0),
                           [](qsizetype sum, const QByteArray &piece) { return sum + piece.size(); });
}

/// Counts what it reads.
class CountingSocket : public LocalSocket {
public:
    qint64 count = 0;

protected:
    qint64 readData(char *data, qint64 most) override { return counted(LocalSocket::readData(data, most)); }
    qint64 readLineData(char *data, qint64 most) override { return counted(LocalSocket::readLineData(data, most)); }

private:
    qint64 counted(qint64 size)
    {
        count += size;
        return size;
    }
};

} // namespace

class tst_Data : public QObject {
    Q_OBJECT

private slots:
    void writesAreBuffered()
    {
        Pair pair;
        QSignalSpy written(&pair.client, &QIODevice::bytesWritten);
        QVERIFY(!pair.client.flush());
        QCOMPARE(pair.client.write("one"), 3);
        QCOMPARE(pair.client.write("two"), 3);
        QCOMPARE(pair.client.bytesToWrite(), 6);
        QVERIFY(!pair.peer->waitForReadyRead(1));
        EVENTUALLY(written.size() > 0);
        QCOMPARE(pair.client.bytesToWrite(), 0);
        QCOMPARE(written.size(), 1);
        QCOMPARE(written[0][0].toLongLong(), 6);
        EVENTUALLY(pair.peer->bytesAvailable() == 6);

        pair.client.write("three");
        QVERIFY(pair.client.flush());
        QVERIFY(!pair.client.flush());
        QCOMPARE(pair.client.bytesToWrite(), 0);
        QCOMPARE(written.size(), 2);

        pair.client.write("four");
        QVERIFY(pair.client.waitForBytesWritten(support::watchdogMs));
        QVERIFY(!pair.client.waitForBytesWritten(0));
        QCOMPARE(written.size(), 3);
    }

    // An application that takes its own events, of the first type that is for applications, from whomever they are for.
    void anApplicationsEventsAreItsOwn()
    {
        struct Taker : QObject {
            bool eventFilter(QObject *, QEvent *event) override
            {
                taken += event->type() == QEvent::User;
                return event->type() == QEvent::User;
            }
            int taken = 0;
        } taker;
        QCoreApplication::instance()->installEventFilter(&taker);
        Pair pair;
        pair.client.write("question");
        EVENTUALLY(pair.peer->bytesAvailable() == 8);
        QCOMPARE(taker.taken, 0);
    }

    void bytesWrittenAcrossThreads()
    {
        Pair pair;
        QThread thread;
        QObject receiver;
        qint64 total = 0;
        QThread *seenIn = nullptr;
        receiver.moveToThread(&thread);
        connect(
            &pair.client, &QIODevice::bytesWritten, &receiver,
            [&](qint64 bytes) {
                seenIn = QThread::currentThread();
                total += bytes;
            },
            Qt::QueuedConnection);
        thread.start();
        pair.client.write(QByteArray(100000, 'x'));
        EVENTUALLY(pair.peer->bytesAvailable() == 100000);
        EVENTUALLY(pair.client.bytesToWrite() == 0);
        QMetaObject::invokeMethod(&receiver, [&] { thread.quit(); });
        QVERIFY(thread.wait(support::watchdogMs));
        QCOMPARE(total, 100000);
        QCOMPARE(seenIn, &thread);
    }

    // Large arrays may go without a copy, which nobody is to notice.
    void largeArraysKeepTheirBytes()
    {
        Pair pair;
        QByteArray expected;
        QByteArray large(3 * 1000 * 1000, 'a');
        QCOMPARE(pair.client.write(large), large.size());
        expected += large;
        large.fill('b'); // the caller's is the caller's to change
        QVERIFY(pair.client.flush());
        QVERIFY(pair.client.bytesToWrite() > 0); // more than the system takes
        pair.client.write("behind what is left of it");
        expected += "behind what is left of it";

        char borrowed[100 * 1000];
        std::fill(std::begin(borrowed), std::end(borrowed), 'c');
        QByteArray received;
        EVENTUALLY(pair.client.bytesToWrite() == 0);
        pair.client.write(QByteArray::fromRawData(borrowed, sizeof borrowed));
        expected += QByteArray(sizeof borrowed, 'c');
        std::fill(std::begin(borrowed), std::end(borrowed), 'd'); // and so is what it only borrowed

        QCOMPARE(pair.client.write(QByteArray()), 0);
        EVENTUALLY(pair.peer->bytesAvailable() >= 100);
        received += pair.peer->read(100);
        QList<QByteArray> pieces;
        EVENTUALLY((pieces += pair.peer->readAll(), received.size() + total(pieces) == expected.size()));
        for (const QByteArray &piece : std::as_const(pieces))
            received += piece;
        QVERIFY(received == expected);
        QVERIFY(pair.peer->readAll().isEmpty());
    }

    void writeToTheGone()
    {
        Pair pair;
        QSignalSpy errors(&pair.client, &LocalSocket::errorOccurred);
        pair.peer->abort();
        QCOMPARE(pair.client.write("data"), 4);
        QCOMPARE(pair.client.bytesToWrite(), 4);
        QVERIFY(!pair.client.waitForBytesWritten(support::watchdogMs));
        QCOMPARE(errors.size(), 1);
        QCOMPARE(pair.client.error(), LocalSocket::PeerClosedError);
        QCOMPARE(pair.client.state(), LocalSocket::UnconnectedState);
        QCOMPARE(pair.client.write("data"), -1);
    }

    void writeToOneThatReceivesNoMore_data()
    {
        QTest::addColumn<QString>("way");
        for (const char *way : {"event loop", "flush", "disconnect", "bytes written", "disconnected", "ready read"})
            QTest::newRow(way) << QString::fromLatin1(way);
    }

    // The peer is there, but has ended its receiving.
    void writeToOneThatReceivesNoMore()
    {
        QFETCH(QString, way);
        int ends[2];
        QCOMPARE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
        LocalSocket socket;
        QVERIFY(socket.setSocketDescriptor(ends[0]));
        QSignalSpy disconnected(&socket, &LocalSocket::disconnected);
        QSignalSpy errors(&socket, &LocalSocket::errorOccurred);
        QStringList told;
        const auto tell = [&](const QString &event) { told += event + (socket.isValid() ? ", valid" : ", invalid"); };
        connect(&socket, &LocalSocket::errorOccurred, this, [&] { tell("error"); });
        connect(&socket, &LocalSocket::stateChanged, this, [&](LocalSocket::LocalSocketState state) {
            tell(state == LocalSocket::ClosingState ? "Closing" : "Unconnected");
        });
        QCOMPARE(::send(ends[1], "last", 4, MSG_NOSIGNAL), ssize_t(4));
        EVENTUALLY(socket.bytesAvailable() == 4);
        QCOMPARE(::shutdown(ends[1], SHUT_RD), 0);
        QCOMPARE(socket.write("in vain"), qint64(7));
        if (way == QLatin1String("flush"))
            (void)socket.flush();
        else if (way == QLatin1String("disconnect"))
            socket.disconnectFromServer();
        else if (way == QLatin1String("bytes written"))
            QVERIFY(!socket.waitForBytesWritten(support::watchdogMs));
        else if (way == QLatin1String("disconnected"))
            (void)socket.waitForDisconnected(support::watchdogMs);
        else if (way == QLatin1String("ready read"))
            QVERIFY(!socket.waitForReadyRead(support::watchdogMs));
        EVENTUALLY(disconnected.size() == 1);
        QCOMPARE(errors.size(), 1);
        QCOMPARE(socket.error(), LocalSocket::PeerClosedError);
        QCOMPARE(socket.state(), LocalSocket::UnconnectedState);
        // It is closing only if that was asked for.
        const QStringList asked = way == QLatin1String("disconnect") ? QStringList("Closing, valid") : QStringList();
        QCOMPARE(told, asked + QStringList({"error, invalid", "Unconnected, invalid"}));
        QVERIFY(!socket.isValid());
        QCOMPARE(socket.readAll(), QByteArray(subjectIsQt ? "" : "last")); // which drops it
        ::close(ends[1]);
    }

    void writeWithAFullBufferToOneThatReceivesNoMore()
    {
        NOT_WITH_QT("what the buffer has no room for is lost");
        int ends[2];
        QCOMPARE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
        LocalSocket socket;
        socket.setReadBufferSize(4);
        QVERIFY(socket.setSocketDescriptor(ends[0]));
        QCOMPARE(::send(ends[1], "onetwo!!", 8, MSG_NOSIGNAL), ssize_t(8));
        EVENTUALLY(socket.bytesAvailable() == 4);
        QCOMPARE(::shutdown(ends[1], SHUT_RD), 0);
        socket.write("in vain");
        QVERIFY(!socket.waitForBytesWritten(support::watchdogMs));
        QVERIFY(!socket.waitForDisconnected(support::watchdogMs));
        QCOMPARE(socket.state(), LocalSocket::ConnectedState);
        QCOMPARE(socket.readAll(), QByteArray("onet"));
        EVENTUALLY(socket.bytesAvailable() == 4);
        QCOMPARE(socket.readAll(), QByteArray("wo!!"));
        EVENTUALLY(socket.state() == LocalSocket::UnconnectedState);
        ::close(ends[1]);
    }

    void repliesToOneThatSendsNoMore_data()
    {
        QTest::addColumn<QString>("way");
        QTest::addColumn<int>("size");
        for (const char *way : {"disconnect", "close", "wait"}) {
            for (const int size : {5, 2000000})
                QTest::addRow("%s, %d bytes", way, size) << QString::fromLatin1(way) << size;
        }
    }

    // As of a client that ends its sending when it has asked, and reads until the end: nc -N does so.
    void repliesToOneThatSendsNoMore()
    {
        QFETCH(QString, way);
        QFETCH(int, size);
        int ends[2];
        support::socketPair(ends);
        LocalSocket socket;
        QVERIFY(socket.setSocketDescriptor(ends[0]));
        QSignalSpy disconnected(&socket, &LocalSocket::disconnected);
        QSignalSpy errors(&socket, &LocalSocket::errorOccurred);
        connect(&socket, &QIODevice::readyRead, this, [&] {
            QCOMPARE(socket.readAll(), QByteArray("ask"));
            QCOMPARE(socket.write(QByteArray(size, 'r')), qint64(size));
            if (way == QLatin1String("close"))
                socket.close();
            else
                socket.disconnectFromServer();
        });
        QCOMPARE(::send(ends[1], "ask", 3, MSG_NOSIGNAL), ssize_t(3));
        QCOMPARE(::shutdown(ends[1], SHUT_WR), 0);
        qint64 received = 0;
        std::thread peer([&] {
            char bytes[4096];
            for (ssize_t count; (count = ::recv(ends[1], bytes, sizeof(bytes), 0)) > 0;)
                received += count;
        });
        bool ended = false;
        if (way == QLatin1String("wait"))
            ended = socket.waitForReadyRead(support::watchdogMs) && socket.waitForDisconnected(support::watchdogMs);
        else
            ended = support::until([&] { return disconnected.size() == 1; });
        if (!ended)
            ::shutdown(ends[1], SHUT_RDWR);
        peer.join();
        ::close(ends[1]);
        QVERIFY(ended);
        QCOMPARE(received, qint64(size));
        QCOMPARE(socket.state(), LocalSocket::UnconnectedState);
        QCOMPARE(disconnected.size(), 1);
        QCOMPARE(errors.size(), 0);
    }

    void waitsWhileOneThatSendsNoMoreGetsItsReply()
    {
        NOT_WITH_QT("what is not sent yet when a wait finds the end is lost");
        int ends[2];
        support::socketPair(ends);
        LocalSocket socket;
        QVERIFY(socket.setSocketDescriptor(ends[0]));
        socket.write(QByteArray(2000000, 'r'));
        socket.disconnectFromServer();
        QCOMPARE(::shutdown(ends[1], SHUT_WR), 0);
        QVERIFY(socket.waitForBytesWritten(support::watchdogMs));
        // Nobody reads: what is left stays, and no wait goes on for ever.
        QVERIFY(!socket.waitForDisconnected(1));
        QCOMPARE(socket.state(), LocalSocket::ClosingState);
        support::settle();
        QVERIFY(!socket.waitForReadyRead(1));
        QVERIFY(!socket.waitForBytesWritten(1));
        QCOMPARE(socket.error(), LocalSocket::SocketTimeoutError);
        QCOMPARE(socket.state(), LocalSocket::ClosingState);
        ::close(ends[1]);
        EVENTUALLY(socket.state() == LocalSocket::UnconnectedState);
        QCOMPARE(socket.error(), LocalSocket::PeerClosedError);
    }

    void aBusyPeerKeepsNoWaitBeyondItsTime_data()
    {
        QTest::addColumn<QString>("wait");
        for (const char *wait : {"disconnected", "bytes written", "ready read"})
            QTest::newRow(wait) << QString::fromLatin1(wait);
    }

    // Whenever a slot has dealt with something, the next is there: but never that which is waited for.
    void aBusyPeerKeepsNoWaitBeyondItsTime()
    {
        NOT_WITH_QT("a wait for bytes to be written goes on for ever");
        QFETCH(QString, wait);
        int ends[2];
        support::socketPair(ends);
        LocalSocket socket;
        QVERIFY(socket.setSocketDescriptor(ends[0]));
        const auto sendOne = [&] { return ::send(ends[1], "x", 1, MSG_NOSIGNAL) == 1; };
        connect(&socket, &QIODevice::readyRead, this, [&] {
            socket.readAll();
            QVERIFY(sendOne());
        });
        char taken = 0;
        if (wait == QLatin1String("disconnected")) {
            QVERIFY(sendOne());
            QVERIFY(!socket.waitForDisconnected(20));
        } else if (wait == QLatin1String("bytes written")) {
            socket.write(QByteArray(4000000, 'x'));
            socket.flush();
            QVERIFY(sendOne());
            QVERIFY(!socket.waitForBytesWritten(20));
        } else {
            connect(&socket, &QIODevice::bytesWritten, this, [&] {
                QCOMPARE(::recv(ends[1], &taken, 1, MSG_DONTWAIT), ssize_t(1));
                socket.write("x");
            });
            socket.write("x");
            QVERIFY(!socket.waitForReadyRead(20));
        }
        QCOMPARE(socket.error(), LocalSocket::SocketTimeoutError);
        QCOMPARE(socket.state(), LocalSocket::ConnectedState);
        ::close(ends[1]);
    }

    void writeUnconnected()
    {
        LocalSocket socket;
        support::Messages messages;
        QCOMPARE(socket.write("data"), -1);
        Pair pair;
        pair.client.disconnectFromServer();
        QVERIFY(pair.client.isOpen());
        QCOMPARE(pair.client.write("data"), -1);
        QCOMPARE(pair.client.error(), LocalSocket::UnknownSocketError);
    }

    void dataThenClose_data()
    {
        QTest::addColumn<int>("pieces");
        QTest::newRow("one piece") << 1;
        QTest::newRow("twenty pieces") << 20;
    }

    void dataThenClose()
    {
        QFETCH(int, pieces);
        Pair pair;
        qint64 atTheEnd = -1;
        connect(pair.peer, &LocalSocket::disconnected, this, [&] { atTheEnd = pair.peer->bytesAvailable(); });
        for (int piece = 0; piece < pieces; ++piece) {
            pair.client.write(QByteArray(1000, 'p'));
            if (piece % 3 == 0)
                pair.client.flush();
        }
        pair.client.close();
        EVENTUALLY(pair.peer->state() == LocalSocket::UnconnectedState);
        QCOMPARE(atTheEnd, qint64(pieces) * 1000);
    }

    void readyReadIsNotRecursive()
    {
        Pair pair;
        int depth = 0;
        int deepest = 0;
        int times = 0;
        QByteArray all;
        connect(&pair.client, &QIODevice::readyRead, this, [&] {
            deepest = std::max(deepest, ++depth);
            if (times++ == 0) {
                pair.peer->write("second");
                pair.peer->flush();
                QVERIFY(pair.client.waitForReadyRead(support::watchdogMs));
                pair.peer->write("third");
                pair.peer->flush();
                EVENTUALLY(pair.client.bytesAvailable() == 16);
            }
            all += pair.client.readAll();
            --depth;
        });
        pair.peer->write("first");
        EVENTUALLY(all == "firstsecondthird");
        QCOMPARE(deepest, 1);
        pair.peer->write("fourth");
        EVENTUALLY(all == "firstsecondthirdfourth");
        QCOMPARE(deepest, 1);
    }

    void whatANestedLoopBringsIsTold()
    {
        NOT_WITH_QT("what comes while a slot of readyRead runs an event loop is never told");
        Pair pair;
        int times = 0;
        QByteArray all;
        connect(&pair.client, &QIODevice::readyRead, this, [&] {
            all += pair.client.readAll();
            if (times++ == 0) {
                pair.peer->write("second");
                pair.peer->flush();
                EVENTUALLY(pair.client.bytesAvailable() == 6);
            }
        });
        pair.peer->write("first");
        EVENTUALLY(all == "firstsecond");
        QCOMPARE(times, 2);
    }

    void theEndIsToldInsideASlotOfReadyRead()
    {
        Pair pair;
        bool told = false;
        bool inside = false;
        connect(&pair.client, &LocalSocket::disconnected, this, [&] { told = true; });
        connect(&pair.client, &QIODevice::readyRead, this, [&] { inside = support::untilEvent([&] { return told; }); });
        pair.peer->write("last");
        pair.peer->flush();
        pair.peer->abort();
        EVENTUALLY_BY_EVENT(told);
        QVERIFY(inside);
        QCOMPARE(pair.client.readAll(), QByteArray("last"));
    }

    void theEndIsToldInsideASlotOfBytesWritten()
    {
        Pair pair;
        bool told = false;
        bool inside = false;
        connect(&pair.client, &LocalSocket::disconnected, this, [&] { told = true; });
        connect(&pair.client, &QIODevice::bytesWritten, this, [&] { inside = support::untilEvent([&] { return told; }); });
        pair.client.write("last");
        pair.client.disconnectFromServer();
        EVENTUALLY_BY_EVENT(told);
        QVERIFY(inside);
    }

    // The system tells of bytes that have come and of room for others at once.
    void bytesAreSentInsideASlotOfReadyRead()
    {
        int ends[2];
        support::socketPair(ends);
        LocalSocket socket;
        QVERIFY(socket.setSocketDescriptor(ends[0]));
        socket.write(QByteArray(4000000, 'x'));
        socket.flush();
        support::settle();
        QVERIFY(socket.bytesToWrite() > 0);
        char part[65536];
        const auto takeAll = [&] {
            while (::recv(ends[1], part, sizeof(part), MSG_DONTWAIT) > 0) {}
        };
        bool called = false;
        bool inside = false;
        connect(&socket, &QIODevice::readyRead, this, [&] {
            called = true;
            inside = support::untilEvent([&] {
                takeAll();
                return socket.bytesToWrite() == 0;
            });
        });
        takeAll();
        QCOMPARE(::send(ends[1], "x", 1, MSG_NOSIGNAL), ssize_t(1));
        EVENTUALLY_BY_EVENT(called);
        QVERIFY(inside);
        ::close(ends[1]);
    }

    void theRestIsReadInsideASlotOfBytesWritten()
    {
        Pair pair;
        pair.client.setReadBufferSize(4);
        pair.peer->write("onetwo!!");
        EVENTUALLY(pair.client.bytesAvailable() == 4);
        bool called = false;
        bool inside = false;
        connect(&pair.client, &QIODevice::bytesWritten, this, [&] {
            called = true;
            inside = support::untilEvent([&] { return pair.client.bytesAvailable() == 4; });
        });
        QCOMPARE(pair.client.readAll(), QByteArray("onet"));
        pair.client.write("x");
        EVENTUALLY_BY_EVENT(called);
        QVERIFY(inside);
    }

    void unreadDataStays()
    {
        Pair pair;
        int times = 0;
        connect(&pair.client, &QIODevice::readyRead, this, [&] { ++times; });
        pair.peer->write("one");
        EVENTUALLY(times == 1);
        support::settle();
        QCOMPARE(times, 1);
        pair.peer->write("two");
        EVENTUALLY(times == 2);
        QCOMPARE(pair.client.readAll(), QByteArray("onetwo"));
    }

    void readBufferLimit()
    {
        Pair pair;
        const qint64 limit = 1000;
        const QByteArray data(5 * 1000 * 1000, 'l');
        pair.client.setReadBufferSize(limit);
        QCOMPARE(pair.client.readBufferSize(), limit);
        int arrivals = 0;
        bool kept = true;
        connect(&pair.client, &QIODevice::readyRead, this, [&] {
            ++arrivals;
            kept = kept && pair.client.bytesAvailable() <= limit;
        });
        pair.peer->write(data);
        EVENTUALLY(pair.client.bytesAvailable() == limit);
        // While nothing is read the system's buffer holds the peer up.
        support::settle();
        QVERIFY(pair.peer->bytesToWrite() > 0);
        QCOMPARE(arrivals, 1);
        QByteArray all;
        EVENTUALLY([&] {
            all += pair.client.read(pair.client.bytesAvailable());
            return all.size() == data.size();
        }());
        QVERIFY(all == data);
        QVERIFY(kept);
        QVERIFY(arrivals >= 5000);
        pair.client.setReadBufferSize(0);
        pair.peer->write(data);
        EVENTUALLY(pair.client.bytesAvailable() == data.size());
    }

    void exactReadsEmptyAFullBuffer()
    {
        Pair pair;
        pair.client.setReadBufferSize(4);
        pair.peer->write("0123456789");
        pair.peer->flush();
        QByteArray all;
        EVENTUALLY(pair.client.bytesAvailable() == 4);
        // Each read takes exactly what it asks for, so none comes up short.
        EVENTUALLY([&] {
            if (pair.client.bytesAvailable() >= 2)
                all += pair.client.read(2);
            return all.size() == 10;
        }());
        QCOMPARE(all, QByteArray("0123456789"));
    }

    void subclassThatOverridesTheReading()
    {
        Pair pair;
        CountingSocket socket;
        socket.connectToServer(pair.server.serverName());
        QVERIFY(pair.server.waitForNewConnection(support::watchdogMs));
        pair.server.nextPendingConnection()->write("line\nrest");
        EVENTUALLY(socket.bytesAvailable() == 9);
        QCOMPARE(socket.readLine(), QByteArray("line\n"));
        QCOMPARE(socket.count, 5);
        QCOMPARE(socket.read(4), QByteArray("rest"));
        QCOMPARE(socket.count, 9);
    }

    void lines()
    {
        Pair pair;
        pair.peer->write("first\nsecond and longer\nrest");
        EVENTUALLY(pair.client.bytesAvailable() == 28);
        QVERIFY(pair.client.canReadLine());
        char line[100];
        QCOMPARE(pair.client.readLine(line, 4), 3);
        QCOMPARE(QByteArray(line), QByteArray("fir"));
        QCOMPARE(pair.client.readLine(line, sizeof(line)), 3);
        QCOMPARE(QByteArray(line), QByteArray("st\n"));
        QCOMPARE(pair.client.readLine(7), QByteArray("second"));
        QCOMPARE(pair.client.readLine(), QByteArray(" and longer\n"));
        QVERIFY(!pair.client.canReadLine());
        QCOMPARE(pair.client.readLine(), QByteArray("rest"));
        QCOMPARE(pair.client.readLine(line, sizeof(line)), 0);
        QCOMPARE(pair.client.read(line, 1), 0);
    }

    void linesOfText()
    {
        Pair pair(QIODevice::ReadWrite | QIODevice::Text);
        pair.peer->write("one\r\ntwo\r\r\nthr\ree\r\r\r\nlong\r\r\n\r\r\n");
        EVENTUALLY(pair.client.bytesAvailable() == 31);
        QCOMPARE(pair.client.readLine(), QByteArray("one\n"));
        QCOMPARE(pair.client.readLine(), QByteArray("two\n"));
        QCOMPARE(pair.client.readLine(), QByteArray("thr\ree\r\n"));
        char line[100];
        QCOMPARE(pair.client.readLine(line, 7), 6);
        QCOMPARE(QByteArray(line), QByteArray("long\r\r"));
        QCOMPARE(pair.client.readLine(line, sizeof(line)), 1);
        QCOMPARE(QByteArray(line), QByteArray("\n"));
        QCOMPARE(pair.client.readLine(), QByteArray("\n"));
    }

    void longLinesAcrossChunks()
    {
        Pair pair;
        const QByteArray line = QByteArray(300000, 'x') + '\n';
        for (int piece = 0; piece < line.size(); piece += 7001) {
            pair.peer->write(line.mid(piece, 7001));
            pair.peer->flush();
            support::settle();
        }
        EVENTUALLY(pair.client.canReadLine());
        QByteArray all;
        while (all.size() < line.size()) {
            const QByteArray piece = pair.client.readLine(10000);
            QVERIFY(!piece.isEmpty());
            QVERIFY(piece.size() <= 10000);
            all += piece;
        }
        QVERIFY(all == line);
    }

    void endOfData()
    {
        Pair pair;
        pair.peer->write("xy");
        pair.peer->flush();
        pair.peer->abort();
        EVENTUALLY(pair.client.state() == LocalSocket::UnconnectedState);
        char data[4];
        QCOMPARE(pair.client.read(data, 1), 1);
        QCOMPARE(pair.client.read(data, 4), 1);
        QCOMPARE(pair.client.read(data, 4), -1);
        QCOMPARE(pair.client.readLine(data, 4), -1);
        QCOMPARE(pair.client.readAll(), QByteArray());
    }

    void devicesOnTop_data()
    {
        QTest::addColumn<bool>("gone");
        QTest::newRow("connected") << false;
        QTest::newRow("after the peer has gone") << true;
    }

    void devicesOnTop()
    {
        QFETCH(bool, gone);
        Pair pair;
        QByteArray data("skipped peeked ");
        {
            QDataStream out(&data, QIODevice::Append);
            out << QStringLiteral("stream") << quint32(42);
            QTextStream text(&data, QIODevice::Append);
            text << "words and 7\n";
        }
        pair.peer->write(data);
        pair.peer->flush();
        if (gone) {
            pair.peer->abort();
            EVENTUALLY(pair.client.state() == LocalSocket::UnconnectedState);
        }
        EVENTUALLY(pair.client.bytesAvailable() == data.size());
        QCOMPARE(pair.client.skip(8), 8);
        QCOMPARE(pair.client.peek(6), QByteArray("peeked"));
        QCOMPARE(pair.client.bytesAvailable(), data.size() - 8);
        QCOMPARE(pair.client.read(7), QByteArray("peeked "));

        QDataStream in(&pair.client);
        QString string;
        quint32 number = 0;
        in.startTransaction();
        in >> string;
        in.rollbackTransaction();
        in.startTransaction();
        in >> string >> number;
        QVERIFY(in.commitTransaction());
        QCOMPARE(string, QStringLiteral("stream"));
        QCOMPARE(number, 42u);

        pair.client.startTransaction();
        QCOMPARE(pair.client.read(5), QByteArray("words"));
        pair.client.rollbackTransaction();
        QTextStream text(&pair.client);
        QCOMPARE(text.readLine(), QStringLiteral("words and 7"));
        QCOMPARE(pair.client.bytesAvailable(), 0);
    }

    void incompleteTransaction()
    {
        Pair pair;
        QByteArray data;
        {
            QDataStream out(&data, QIODevice::WriteOnly);
            out << QByteArray(1000, 'm');
        }
        QByteArray message;
        QDataStream in(&pair.client);
        for (const char byte : data) {
            QVERIFY(message.isEmpty());
            pair.peer->write(&byte, 1);
            pair.peer->flush();
            QVERIFY(pair.client.waitForReadyRead(support::watchdogMs));
            in.startTransaction();
            in >> message;
            if (!in.commitTransaction())
                message.clear();
        }
        QCOMPARE(message, QByteArray(1000, 'm'));
    }

    void getAndUngetChar()
    {
        Pair pair;
        pair.peer->write("ab");
        EVENTUALLY(pair.client.bytesAvailable() == 2);
        char byte = 0;
        QVERIFY(pair.client.getChar(&byte));
        pair.client.ungetChar(byte);
        QCOMPARE(pair.client.bytesAvailable(), 2);
        QCOMPARE(pair.client.readAll(), QByteArray("ab"));
    }

    void manyBytes()
    {
        Pair pair;
        QByteArray data;
        data.reserve(32 * 1024 * 1024);
        for (int i = 0; i < 8 * 1024 * 1024; ++i)
            data.append(reinterpret_cast<const char *>(&i), sizeof(i));
        QByteArray echoed;
        connect(pair.peer, &QIODevice::readyRead, this, [&] { pair.peer->write(pair.peer->readAll()); });
        connect(&pair.client, &QIODevice::readyRead, this, [&] { echoed += pair.client.readAll(); });
        pair.client.write(data);
        EVENTUALLY(echoed.size() == data.size());
        QVERIFY(echoed == data);
    }
};

MOORLINE_TEST_MAIN(tst_Data)
#include "tst_data.moc"

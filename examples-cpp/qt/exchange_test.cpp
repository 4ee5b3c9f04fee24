// A QtTest of a server thread and many sockets, with the test kit: what goes wrong on any thread fails the test on its own, what is left
// behind fails it too, and it waits for what is to happen instead of for a while.
#include "serverthread.h"
#include "socketfactory.h"

#include <moorline/testkit/qtest.hpp>

#include <QtCore/QTemporaryDir>
#include <QtTest/QtTest>

using moorline::testkit::Fixture;
using moorline::testkit::FixtureOptions;
using moorline::testkit::Verdicts;
using moorline::testkit::qtest::LeakCheck;
using moorline::testkit::qtest::VerdictGuard;
using namespace std::chrono_literals;

/// Ends what hangs; nothing else ever waits so long.
constexpr auto watchdog = 60s;

class ExchangeTest : public QObject {
    Q_OBJECT

private slots:
    void init() { leaks_.begin(); }
    void cleanup() { leaks_.end(); }

    void exchange_data()
    {
        QTest::addColumn<int>("sockets");
        QTest::addColumn<int>("roundTrips");
        QTest::addColumn<int>("messageSize");
        QTest::newRow("ping-pong, 1 socket") << 1 << 1000 << 1;
        QTest::newRow("ping-pong, 100 sockets") << 100 << 100 << 1;
        QTest::newRow("ping-pong, 400 sockets") << 400 << 10 << 1;
        QTest::newRow("100 kB, 10 sockets") << 10 << 20 << 100000;
    }

    void exchange()
    {
        QFETCH(int, sockets);
        QFETCH(int, roundTrips);
        QFETCH(int, messageSize);
        const QTemporaryDir directory;
        const QString name = directory.filePath(QStringLiteral("server"));
        VerdictGuard verdicts;
        ServerThread server(verdicts);
        QCOMPARE(server.listen(name), QString());
        SocketFactory factory(sockets, roundTrips, messageSize, verdicts);
        factory.start(name);
        QVERIFY(verdicts.finish(watchdog));
    }

    // The sockets alone, against a server of the kit, which has a name of its own and is there when it has started.
    void theSocketsAlone()
    {
        VerdictGuard verdicts;
        const auto server = Fixture::echo();
        QVERIFY(server);
        SocketFactory factory(10, 100, 1000, verdicts);
        factory.start(QString::fromStdString(server->full_name().value()));
        QVERIFY(verdicts.finish(watchdog));
    }

    // A test that cannot fail proves nothing: one bit that is turned over on the way is found.
    void aWrongByteIsFound()
    {
        moorline::testkit::Faults faults;
        faults.flip_nth = 500;
        const auto plan = moorline::testkit::FaultPlan::create(faults);
        QVERIFY(plan);
        FixtureOptions options;
        options.faults = *plan;
        const auto server = Fixture::echo(options);
        QVERIFY(server);
        Verdicts verdicts = Verdicts::create().value();
        SocketFactory factory(1, 1, 1000, verdicts);
        factory.start(QString::fromStdString(server->full_name().value()));
        QTRY_COMPARE_WITH_TIMEOUT(verdicts.count().value(), 1u, 60000);
        const auto failures = verdicts.take().value();
        QVERIFY2(failures[0].text.find("message_.mid(") != std::string::npos, failures[0].text.c_str());
    }

    void nobodyListens()
    {
        Verdicts verdicts = Verdicts::create().value();
        SocketFactory factory(5, 1, 1, verdicts);
        factory.start(QStringLiteral("/nonexistent/server"));
        const auto failures = verdicts.take().value();
        QCOMPARE(failures.size(), 5u);
        QVERIFY2(failures[0].text.find("/nonexistent/server") != std::string::npos, failures[0].text.c_str());
    }

    void theNameIsTaken()
    {
        const QTemporaryDir directory;
        const QString name = directory.filePath(QStringLiteral("server"));
        VerdictGuard verdicts;
        ServerThread first(verdicts);
        QCOMPARE(first.listen(name), QString());
        ServerThread second(verdicts);
        QVERIFY2(second.listen(name).contains(name), "the second server must not take the first one's name");
    }

private:
    LeakCheck leaks_;
};

QTEST_GUILESS_MAIN(ExchangeTest)
#include "exchange_test.moc"

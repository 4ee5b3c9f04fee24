// The test kit with Qt: its proxy between QLocalSocket and QLocalServer, which know nothing of it, and its checks and guards.
#include "support.h"

#include <moorline/moorline.hpp>
#include <moorline/testkit/qtest.hpp>

#include <QtCore/QThread>
#include <QtCore/QTimer>
#include <QtNetwork/QLocalServer>
#include <QtNetwork/QLocalSocket>

#include <memory>

using moorline::Timeout;
using moorline::testkit::Direction;
using moorline::testkit::FaultPlan;
using moorline::testkit::Faults;
using moorline::testkit::Proxy;
using moorline::testkit::ProxyOptions;
using moorline::testkit::qtest::LeakGuard;
using moorline::testkit::qtest::VerdictGuard;

namespace {

constexpr std::chrono::milliseconds watchdog(support::watchdogMs);

/// The application under test: Qt's own server that sends everything back, and Qt's own client that asks under a name.
class Application {
public:
    explicit Application(const QString &serverName)
    {
        QObject::connect(&server_, &QLocalServer::newConnection, &server_, [this] {
            while (QLocalSocket *socket = server_.nextPendingConnection()) {
                QObject::connect(socket, &QLocalSocket::readyRead, socket, [socket] { socket->write(socket->readAll()); });
                QObject::connect(socket, &QLocalSocket::disconnected, socket, &QObject::deleteLater);
            }
        });
        if (!server_.listen(serverName))
            qFatal("%s", qPrintable(server_.errorString()));
        QObject::connect(&client, &QLocalSocket::readyRead, &client, [this] {
            ++reads;
            received += client.readAll();
        });
    }

    QString fullServerName() const { return server_.fullServerName(); }

    QLocalSocket client;
    QByteArray received;
    int reads = 0;

private:
    QLocalServer server_;
};

struct Scene {
    explicit Scene(const Faults &faults) : application(support::uniqueName()), plan(FaultPlan::create(faults).value())
    {
        ProxyOptions options;
        options.faults = plan;
        proxy = Proxy::start(support::uniqueName().toStdString(), application.fullServerName().toStdString(), options).value();
        application.client.connectToServer(QString::fromStdString(proxy.full_name().value()));
    }

    Application application;
    FaultPlan plan;
    Proxy proxy;
};

} // namespace

class tst_Testkit : public QObject {
    Q_OBJECT

private slots:
    void withoutFaultsQtsClassesTalkThroughAProxy()
    {
        Scene scene{Faults()};
        const QByteArray sent(100000, 'x');
        scene.application.client.write(sent);
        EVENTUALLY(scene.application.received.size() == sent.size());
        QCOMPARE(scene.application.received, sent);
        QCOMPARE(QString::fromStdString(scene.plan.happened().value()), QString());
    }

    void shortReadsComeToQtsClasses()
    {
        Faults faults;
        faults.pieces = {1, 3};
        Scene scene(faults);
        scene.application.client.write("a message in pieces");
        EVENTUALLY(scene.application.received.size() == 19);
        QCOMPARE(scene.application.received, QByteArray("a message in pieces"));
        QVERIFY(scene.application.reads >= 2);
    }

    void aLostByteComesToQtsClasses()
    {
        Faults faults;
        faults.lose_nth = 3;
        faults.direction = Direction::to_client;
        Scene scene(faults);
        scene.application.client.write("abcdef");
        EVENTUALLY(scene.application.received.size() == 5);
        QCOMPARE(scene.application.received, QByteArray("abdef"));
        QCOMPARE(scene.plan.counts().value().lost, 1u);
    }

    void aResetComesToQtsClasses()
    {
        Faults faults;
        faults.reset_nth = 4;
        Scene scene(faults);
        EVENTUALLY(scene.application.client.state() == QLocalSocket::ConnectedState);
        scene.application.client.write("abcdef");
        EVENTUALLY(scene.application.client.state() == QLocalSocket::UnconnectedState);
        QVERIFY(scene.application.received.size() <= 3);
    }

    void aRefusedConnectionComesToQtsClasses()
    {
        Faults faults;
        faults.refuse_accept_nth = 1;
        Scene scene(faults);
        EVENTUALLY(scene.application.client.state() == QLocalSocket::UnconnectedState);
        QCOMPARE(scene.plan.counts().value().refused, 1u);
    }

    void checksPassOnAnotherThread()
    {
        VerdictGuard verdicts;
        std::unique_ptr<QThread> thread(QThread::create([&verdicts] {
            MOORLINE_COMPARE(verdicts, QStringLiteral("x"), QLatin1String("x"));
            MOORLINE_COMPARE(verdicts, QByteArray("x"), "x");
            MOORLINE_COMPARE(verdicts, 0.1 + 0.2, 0.3);
            MOORLINE_VERIFY(verdicts, 1 == 1);
            MOORLINE_VERIFY2(verdicts, 1 == 1, QStringLiteral("it is"));
            verdicts.done();
        }));
        thread->start();
        QVERIFY(verdicts.finish(watchdog));
        QVERIFY(thread->wait());
    }

    void finishLetsTheTestsOwnObjectsGoOn()
    {
        VerdictGuard verdicts;
        QTimer::singleShot(1, this, [&verdicts] { verdicts.done(); });
        QVERIFY(verdicts.finish(watchdog));
    }

    void finishWaitsAlsoWhenTheSubjectEndsTheApplicationsEventLoops()
    {
        VerdictGuard verdicts;
        QTimer::singleShot(0, this, [] { QCoreApplication::exit(1); });
        QObject *object = nullptr;
        QTimer::singleShot(20, this, [&] {
            object = new QObject;
            connect(object, &QObject::destroyed, this, [&verdicts] { verdicts.done(); });
            object->deleteLater();
        });
        const bool isFinished = verdicts.finish(watchdog);
        // Event loops end at once until the application has had one.
        QTimer::singleShot(0, this, [] { QCoreApplication::exit(0); });
        QCoreApplication::exec();
        QVERIFY(isFinished);
    }

    void valuesAreShownAsQtShowsThem()
    {
        using moorline::testkit::qtest::Print;
        QCOMPARE(Print::text(QString::fromUtf8("gr\xc3\xbc\xc3\x9f")), std::string("\"gr\\u00FC\\u00DF\""));
        QCOMPARE(Print::text(QByteArray("a\0z", 3)), std::string("\"a\\x00z\""));
        QCOMPARE(Print::text("text"), std::string("text"));
        const struct {
            char full[4];
            char behind[4];
        } both = {{'t', 'e', 'x', 't'}, "..."};
        QCOMPARE(Print::text(both.full), std::string("text"));
        QCOMPARE(Print::text(QSize(1, 2)), std::string("QSize(1x2)"));
        struct Unknown {};
        QCOMPARE(Print::text(Unknown()), std::string("a value of 1 bytes that has no operator<<"));
    }

    void floatingPointNumbersAreEqualAsQCompareHasIt()
    {
        const moorline::testkit::qtest::Equal equal;
        QVERIFY(equal(1.0, 1.0 + 1e-13));
        QVERIFY(!equal(1.0, 1.001));
        QVERIFY(equal(qQNaN(), qQNaN()));
        QVERIFY(!equal(1.0, qQNaN()));
        QVERIFY(equal(qInf(), qInf()));
        QVERIFY(!equal(-qInf(), qInf()));
        QVERIFY(equal(1e-13, 0.0));
        QVERIFY(!equal(1, 2));
    }

    void qtsOwnObjectsLeaveNothing()
    {
        const LeakGuard guard;
        Scene scene{Faults()};
        scene.application.client.write("x");
        EVENTUALLY(scene.application.received == "x");
    }

    void aLeakOfQtsOwnIsFound()
    {
        auto guard = moorline::testkit::LeakGuard::create().value();
        {
            QLocalServer server;
            QVERIFY(server.listen(support::uniqueName()));
            const auto [waited, count] = guard.wait(moorline::testkit::LeakKinds::socket_files, Timeout::none());
            QVERIFY(!waited);
            QCOMPARE(count, 1u);
            QCOMPARE(QString::fromStdString(guard.leaks().value()[0].name), server.fullServerName());
        }
        QVERIFY(bool(guard.wait(moorline::testkit::LeakKinds::all, watchdog)));
    }
};

MOORLINE_TEST_MAIN(tst_Testkit)
#include "tst_testkit.moc"

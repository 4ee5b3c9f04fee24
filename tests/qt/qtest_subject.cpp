// QtTest with the kit's glue. Most of these must fail.
#include "../cpp/frameworks/leaks.hpp"

#include <moorline/testkit/qtest.hpp>

#include <QtTest/QtTest>

using moorline::testkit::LeakKinds;
using moorline::testkit::qtest::LeakCheck;
using moorline::testkit::qtest::LeakGuard;
using moorline::testkit::qtest::VerdictGuard;

class Subject : public QObject {
    Q_OBJECT

private slots:
    // What a guard is to find these must not find first.
    void init()
    {
        if (!qEnvironmentVariableIsSet("MOORLINE_WITHOUT_LISTENER"))
            leaks_.begin();
    }
    void cleanup() { leaks_.end(); }

    void Guarded_Handle()
    {
        const LeakGuard guard(LeakKinds::all, leaks::patience);
        leaks::handle();
    }
    void Guarded_Descriptor()
    {
        const LeakGuard guard(LeakKinds::all, leaks::patience);
        leaks::descriptor();
    }
    void Guarded_Thread()
    {
        const LeakGuard guard(LeakKinds::all, leaks::patience);
        leaks::thread();
    }
    void Guarded_SocketFile()
    {
        const LeakGuard guard(LeakKinds::all, leaks::patience);
        leaks::socket_file();
    }

    void Listened_Handle() { leaks::handle(); }
    void Listened_Descriptor() { leaks::descriptor(); }
    void Listened_Thread() { leaks::thread(); }
    void Listened_SocketFile() { leaks::socket_file(); }

    void Verdicts_Fail()
    {
        VerdictGuard verdicts;
        std::thread([&verdicts] {
            pthread_setname_np(pthread_self(), "callback");
            MOORLINE_COMPARE(verdicts, QStringLiteral("help"), QStringLiteral("hello"));
            MOORLINE_COMPARE(verdicts, moorline::Status::timed_out, moorline::Status::ok);
            MOORLINE_VERIFY(verdicts, verdicts.count().value() == 7);
        }).join();
    }
    void Verdicts_DoNotFinish()
    {
        VerdictGuard verdicts;
        if (verdicts.finish(std::chrono::milliseconds(20)))
            QFAIL("it does");
    }

    void Right_LeavesNothingBehind()
    {
        const LeakGuard guard;
        leaks::nothing();
    }
    void Right_Verdicts()
    {
        VerdictGuard verdicts;
        leaks::check(verdicts, "hello");
        QVERIFY(verdicts.finish(std::chrono::seconds(60)));
    }

private:
    LeakCheck leaks_{LeakKinds::all, leaks::patience};
};

QTEST_GUILESS_MAIN(Subject)
#include "qtest_subject.moc"

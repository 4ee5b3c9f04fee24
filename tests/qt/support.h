// What the tests of the Qt adapter share.
#ifndef MOORLINE_TESTS_QT_SUPPORT_H
#define MOORLINE_TESTS_QT_SUPPORT_H

#include <QtCore/QCoreApplication>
#include <QtCore/QTemporaryDir>
#include <QtCore/QThread>
#include <QtTest/QtTest>

#include <functional>
#include <initializer_list>

namespace support {

// Far longer than anything takes, on however busy a machine; only a defect reaches it.
constexpr int watchdogMs = 60000;

/// A name that no other test has, not even one that runs at the same time.
QString uniqueName();

/// Runs the event loop until the condition holds, which another thread may see to; false if it never does.
bool until(const std::function<bool()> &condition);

/// The same where an event of this thread makes it hold. Nothing else wakes the loop, nor one that a slot runs meanwhile: so it shows that
/// they are woken.
bool untilEvent(const std::function<bool()> &condition);

/// Lets everything happen that is due already: for the claim that something does not happen.
void settle();

/// A pair of connected sockets that hold some hundred thousand bytes at most, whatever the system's usual size is.
void socketPair(int (&ends)[2]);

/// How many descriptors this process has.
int openDescriptors();

/// Makes the soft limit of descriptors as large as it may be; tells it.
qsizetype raiseDescriptorLimit();

/// Takes all descriptors but so many, until it goes.
class DescriptorShortage {
public:
    explicit DescriptorShortage(int left = 0);
    ~DescriptorShortage();
    void end();

private:
    QList<int> taken_;
};

/// From here on these calls of the system fail with this error for the calling thread. False if the system has no such thing.
bool forbidCalls(std::initializer_list<quint32> calls, quint32 error);

/// A thread with an event loop, which ends with it. To be made after what its slots use.
class LoopThread : public QThread {
public:
    LoopThread() { start(); }
    ~LoopThread() override
    {
        quit();
        wait();
    }
};

/// Collects the warnings and other messages meanwhile.
class Messages {
public:
    Messages();
    ~Messages();
    QStringList take();
};

} // namespace support

#define EVENTUALLY(condition) QVERIFY2(support::until([&] { return bool(condition); }), "never: " #condition)
#define EVENTUALLY_BY_EVENT(condition) QVERIFY2(support::untilEvent([&] { return bool(condition); }), "never: " #condition)

/// The main function of a test: plain names get a directory of the test's own.
#define MOORLINE_TEST_MAIN(TestClass)                      \
    int main(int argc, char **argv)                        \
    {                                                      \
        const QTemporaryDir directory;                     \
        qputenv("TMPDIR", directory.path().toLocal8Bit()); \
        QCoreApplication application(argc, argv);          \
        TestClass test;                                    \
        return QTest::qExec(&test, argc, argv);            \
    }

#endif

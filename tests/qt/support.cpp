#include "support.h"

#include <QtCore/QAbstractEventDispatcher>
#include <QtCore/QDir>
#include <QtCore/QEventLoop>
#include <QtCore/QMutex>
#include <QtCore/QRandomGenerator>
#include <QtCore/QTimer>

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <vector>

namespace support {

QString uniqueName()
{
    static std::atomic<int> count;
    return QStringLiteral("mt-%1-%2-%3").arg(::getpid()).arg(++count).arg(QRandomGenerator::global()->generate(), 0, 36);
}

bool until(const std::function<bool()> &condition)
{
    QTimer look;
    look.start(20);
    return untilEvent(condition);
}

bool untilEvent(const std::function<bool()> &condition)
{
    QEventLoop loop;
    QTimer watchdog;
    watchdog.setSingleShot(true);
    QObject::connect(&watchdog, &QTimer::timeout, &loop, [&] { loop.exit(1); });
    watchdog.start(watchdogMs);
    // Whatever has happened, the loop comes by before it sleeps; one that a slot runs is not ours.
    const int level = QThread::currentThread()->loopLevel() + 1;
    const auto look = [&] {
        if (QThread::currentThread()->loopLevel() == level && condition())
            loop.quit();
    };
    QAbstractEventDispatcher *dispatcher = QAbstractEventDispatcher::instance();
    QObject::connect(dispatcher, &QAbstractEventDispatcher::aboutToBlock, &loop, look);
    QObject::connect(dispatcher, &QAbstractEventDispatcher::awake, &loop, look);
    return condition() || loop.exec() == 0;
}

void settle()
{
    for (int round = 0; round < 50; ++round) {
        QCoreApplication::processEvents();
        QCoreApplication::sendPostedEvents(nullptr, QEvent::DeferredDelete);
    }
}

void socketPair(int (&ends)[2])
{
    constexpr int size = 100000;
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        qFatal("no pair of sockets");
    for (const int end : ends) {
        if (::setsockopt(end, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) != 0)
            qFatal("no buffers of this size");
    }
}

int openDescriptors()
{
    return static_cast<int>(
        QDir(QStringLiteral("/proc/self/fd")).entryList(QDir::System | QDir::Files | QDir::NoDotAndDotDot).size());
}

qsizetype raiseDescriptorLimit()
{
    rlimit limit = {};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 0;
    limit.rlim_cur = limit.rlim_max;
    (void)::setrlimit(RLIMIT_NOFILE, &limit);
    (void)::getrlimit(RLIMIT_NOFILE, &limit);
    return static_cast<qsizetype>(limit.rlim_cur);
}

bool forbidCalls(std::initializer_list<quint32> calls, quint32 error)
{
    std::vector<sock_filter> filter = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
    for (const quint32 call : calls) {
        filter.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1));
        filter.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error));
    }
    filter.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    const sock_fprog program = {static_cast<unsigned short>(filter.size()), filter.data()};
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

DescriptorShortage::DescriptorShortage(int left)
{
    for (;;) {
        const int descriptor = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (descriptor < 0)
            break;
        taken_.append(descriptor);
    }
    for (int i = 0; i < left && !taken_.isEmpty(); ++i)
        ::close(taken_.takeLast());
}

DescriptorShortage::~DescriptorShortage()
{
    end();
}

void DescriptorShortage::end()
{
    for (const int descriptor : std::as_const(taken_))
        ::close(descriptor);
    taken_.clear();
}

static QMutex messagesMutex;
static QStringList messages;
static QtMessageHandler previousHandler = nullptr;

Messages::Messages()
{
    const QMutexLocker lock(&messagesMutex);
    messages.clear();
    previousHandler = qInstallMessageHandler([](QtMsgType, const QMessageLogContext &, const QString &text) {
        const QMutexLocker inner(&messagesMutex);
        messages.append(text);
    });
}

Messages::~Messages()
{
    qInstallMessageHandler(previousHandler);
}

QStringList Messages::take()
{
    const QMutexLocker lock(&messagesMutex);
    return std::exchange(messages, {});
}

} // namespace support

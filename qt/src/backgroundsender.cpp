#include "backgroundsender_p.h"

#include <moorline/qt/backgroundsender.h>

#include <QtCore/qloggingcategory.h>

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace moorline {

namespace {

Q_LOGGING_CATEGORY(category, "moorline.qt")

using Clock = std::chrono::steady_clock;

struct Job {
    SocketHandle socket;
    ByteQueue bytes;
    QString name;
    Clock::time_point deadline;
    qint64 sent = 0;
};

/// Threads that start meanwhile take none of the program's signals, which are for the program's own threads, as with those of the
/// library. What a fault of theirs raises is left alone.
class SignalsBlocked {
public:
    SignalsBlocked()
    {
        sigset_t blocked;
        sigfillset(&blocked);
        for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS})
            sigdelset(&blocked, fault);
        pthread_sigmask(SIG_SETMASK, &blocked, &before_);
    }
    ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    Q_DISABLE_COPY_MOVE(SignalsBlocked)

private:
    sigset_t before_;
};

/// The thread that sends. It starts with the first job and ends with the last.
class Worker {
public:
    explicit Worker(const Worker *parents = nullptr) : parents_(parents) {}
    ~Worker() { finish(); }
    Q_DISABLE_COPY_MOVE(Worker)

    /// Whether this is a forked child: the thread is its parent's then, and what it was at may be left half done here.
    bool isInherited() const { return process_ != ::getpid(); }
    /// Waits for all that there is to send.
    void finish();
    void add(Job job);
    bool waitUntilIdle(int msecs);

private:
    void run();
    bool takeNewJobs();
    bool advance(Job &job);
    void sleep();

    std::mutex mutex_;
    std::condition_variable idle_;
    std::list<Job> added_;
    bool running_ = false;
    std::thread thread_;
    moorline_poller *poller_ = nullptr;
    std::list<Job> jobs_; ///< The thread's own.
    const pid_t process_ = ::getpid();
    [[maybe_unused]] const Worker *const parents_; ///< Left alone; kept so that nobody takes it for lost.
};

// Static objects of the application may go after it, with sockets that have something to send.
std::atomic<bool> workerIsGone = false;

Worker &worker()
{
    static struct Current {
        std::atomic<Worker *> worker = new Worker;

        ~Current()
        {
            if (Worker *last = worker; !last->isInherited())
                last->finish();
            workerIsGone = true;
        }
    } current;
    Worker *present = current.worker;
    if (present->isInherited()) {
        auto made = std::make_unique<Worker>(present);
        if (current.worker.compare_exchange_strong(present, made.get()))
            present = made.release();
    }
    return *present;
}

void Worker::finish()
{
    if (thread_.joinable())
        thread_.join();
}

void Worker::add(Job job)
{
    std::unique_lock lock(mutex_);
    added_.push_back(std::move(job));
    if (running_) {
        (void)moorline_poller_wake(poller_);
        return;
    }
    if (thread_.joinable())
        thread_.join(); // it has ended
    if (moorline_poller_create(nullptr, &poller_) != MOORLINE_OK)
        poller_ = nullptr; // no descriptors left: a single try, then the report
    running_ = true;
    try {
        const SignalsBlocked blocked;
        thread_ = std::thread([this] { run(); });
    } catch (const std::system_error &) {
        // No thread to be had: a single try here, then the report.
        (void)moorline_poller_destroy(std::exchange(poller_, nullptr));
        lock.unlock();
        run();
    }
}

bool Worker::waitUntilIdle(int msecs)
{
    std::unique_lock lock(mutex_);
    const auto isIdle = [this] { return !running_; };
    if (msecs >= 0)
        return idle_.wait_for(lock, std::chrono::milliseconds(msecs), isIdle);
    idle_.wait(lock, isIdle);
    return true;
}

void Worker::run()
{
    while (takeNewJobs()) {
        for (auto job = jobs_.begin(); job != jobs_.end();)
            job = advance(*job) ? std::next(job) : jobs_.erase(job);
        if (!jobs_.empty())
            sleep();
    }
}

// False if there is nothing to do any more; whoever adds a job then starts anew.
bool Worker::takeNewJobs()
{
    const std::lock_guard lock(mutex_);
    for (Job &job : added_) {
        if (poller_)
            (void)moorline_poller_add_socket(poller_, job.socket.get(), MOORLINE_WRITABLE, 0);
    }
    jobs_.splice(jobs_.end(), added_);
    if (!jobs_.empty())
        return true;
    (void)moorline_poller_destroy(poller_);
    poller_ = nullptr;
    running_ = false;
    idle_.notify_all();
    return false;
}

// False if the job is done, one way or the other.
bool Worker::advance(Job &job)
{
    size_t sent = 0;
    const moorline_status status
        = moorline_socket_send(job.socket.get(), job.bytes.data(), static_cast<size_t>(job.bytes.size()), 0, &sent);
    job.bytes.consume(static_cast<qint64>(sent));
    job.sent += static_cast<qint64>(sent);
    if (status == MOORLINE_WOULD_BLOCK && poller_ && Clock::now() < job.deadline)
        return true;
    const qint64 unsent = job.bytes.size();
    job.socket.reset();
    if (unsent > 0)
        qCWarning(category, "moorline::LocalSocket: %lld bytes of a deleted socket were not sent to %ls",
                  static_cast<long long>(unsent), qUtf16Printable(job.name));
    // Then there is nobody who could be told.
    if (!workerIsGone)
        emit BackgroundSender::instance()->finished(job.name, job.sent, unsent);
    return false;
}

void Worker::sleep()
{
    const auto first
        = std::min_element(jobs_.begin(), jobs_.end(), [](const Job &a, const Job &b) { return a.deadline < b.deadline; });
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(first->deadline - Clock::now()).count();
    moorline_event events[64];
    size_t count = 0;
    (void)moorline_poller_wait(poller_, events, std::size(events), std::max<qint64>(left, 0), &count);
}

} // namespace

void sendInBackground(SocketHandle socket, ByteQueue bytes, const QString &fullServerName, int timeoutMs)
{
    Job job{std::move(socket), std::move(bytes), fullServerName, Clock::now() + std::chrono::milliseconds(timeoutMs)};
    if (workerIsGone) {
        // The process ends, and waits for this one here.
        Worker last;
        last.add(std::move(job));
        return;
    }
    // Made before the worker, hence gone after it.
    BackgroundSender::instance();
    worker().add(std::move(job));
}

BackgroundSender *BackgroundSender::instance()
{
    static BackgroundSender one;
    return &one;
}

bool BackgroundSender::waitForFinished(int msecs)
{
    return worker().waitUntilIdle(msecs);
}

BackgroundSender::BackgroundSender() = default;
BackgroundSender::~BackgroundSender() = default;

} // namespace moorline

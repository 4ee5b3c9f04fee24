#include <moorline/qt/service.h>

#include "applicationend.h"
#include "children.h"
#include "errors.h"
#include "names.h"

#include <QtCore/qabstracteventdispatcher.h>
#include <QtCore/qdeadlinetimer.h>
#include <QtCore/qpointer.h>
#include <QtCore/qset.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

namespace moorline::qt {

namespace {
// Bytes that were received and wait for the event loop.
constexpr qint64 mostUntold = qint64{4} * 1024 * 1024;

Service::Connection idOf(moorline_connection *connection)
{
    return reinterpret_cast<quintptr>(connection);
}

// A key in the shape of a pointer, which the library checks.
moorline_connection *handleOf(Service::Connection connection)
{
    // NOLINTNEXTLINE(performance-no-int-to-ptr): nothing is reached through it.
    return reinterpret_cast<moorline_connection *>(static_cast<quintptr>(connection));
}
} // namespace

// What the signals are to tell, which outlives the events that tell it: the end of an application drops those.
struct Telling {
    std::mutex mutex;
    std::condition_variable hasChanged;
    std::deque<std::function<void()>> waiting;
    size_t dropped = 0; ///< Events, in the place of which others have to come.
    qint64 untold = 0; ///< Bytes.
    bool isStopping = false;
};

// What an event has of it: the first of the signals is its to tell when it is delivered.
class Turn {
public:
    explicit Turn(std::shared_ptr<Telling> telling) : telling_(std::move(telling)) {}
    ~Turn()
    {
        if (!telling_)
            return;
        // Qt has its lock on the events of the thread here, so nothing can be posted.
        const std::lock_guard lock(telling_->mutex);
        ++telling_->dropped;
        telling_->hasChanged.notify_all();
    }
    Q_DISABLE_COPY_MOVE(Turn)

    void take()
    {
        const std::shared_ptr<Telling> telling = std::exchange(telling_, nullptr);
        std::unique_lock lock(telling->mutex);
        const std::function<void()> signal = std::move(telling->waiting.front());
        telling->waiting.pop_front();
        lock.unlock();
        signal();
    }

private:
    std::shared_ptr<Telling> telling_;
};

class ServicePrivate {
public:
    explicit ServicePrivate(Service *object) : q(object) {}

    static ServicePrivate *from(void *context) { return static_cast<ServicePrivate *>(context); }

    // From any thread into that of the object.
    void tell(std::function<void()> signal)
    {
        std::unique_lock lock(telling->mutex);
        telling->waiting.push_back(std::move(signal));
        const size_t events = 1 + std::exchange(telling->dropped, 0);
        lock.unlock();
        post(events);
    }

    // So that nothing has to come first in the next application. To be called in the thread of the object.
    void watchApplication()
    {
        const QAbstractEventDispatcher *const dispatcher = QAbstractEventDispatcher::instance();
        if (!dispatcher)
            return;
        QObject::disconnect(applicationEnds_);
        const auto postAgain = [this, object = QPointer<Service>(q)] {
            if (!object)
                return;
            std::unique_lock lock(telling->mutex);
            const size_t events = std::exchange(telling->dropped, 0);
            lock.unlock();
            post(events);
            QMetaObject::invokeMethod(q, [this] { watchApplication(); }, Qt::QueuedConnection);
        };
        applicationEnds_ = QObject::connect(
            dispatcher, &QObject::destroyed, q, [dispatcher, postAgain] { whenEventsStay(dispatcher, postAgain); },
            Qt::DirectConnection);
    }

    // Waits for room, in a thread of the service; a stop does not wait for it.
    void reserve(qint64 bytes)
    {
        std::unique_lock lock(telling->mutex);
        while (!telling->isStopping && telling->untold >= mostUntold) {
            if (const size_t events = std::exchange(telling->dropped, 0)) {
                lock.unlock();
                post(events);
                lock.lock();
            } else {
                telling->hasChanged.wait(lock);
            }
        }
        telling->untold += bytes;
    }

    void release(qint64 bytes)
    {
        const std::lock_guard lock(telling->mutex);
        telling->untold -= bytes;
        telling->hasChanged.notify_all();
    }

    void setStopping(bool stopping)
    {
        const std::lock_guard lock(telling->mutex);
        telling->isStopping = stopping;
        telling->hasChanged.notify_all();
    }

    // The library tells of room by low_water for each send that found none, so there is always an end to the waiting.
    bool send(Service::Connection connection, const QByteArray &data)
    {
        const auto attempt = [&] {
            return moorline_connection_try_send(handleOf(connection), data.constData(), static_cast<size_t>(data.size()));
        };
        moorline_status status = attempt();
        if (status == MOORLINE_WOULD_BLOCK) {
            // Again with the lock, so that what is told of room after this refusal finds it noted.
            const std::lock_guard lock(sending);
            status = attempt();
            if (status == MOORLINE_WOULD_BLOCK)
                refused.insert(connection);
        }
        return status == MOORLINE_OK;
    }

    // Its peer sends no more, and the slots know all that came. Who waits for drained() to go on answering may do so still.
    void closeIfAnswered(Service::Connection connection)
    {
        {
            const std::lock_guard lock(sending);
            if (!finished.contains(connection) || refused.contains(connection))
                return;
            finished.remove(connection);
        }
        (void)moorline_connection_close(handleOf(connection));
    }

    void forget(Service::Connection connection)
    {
        const std::lock_guard lock(sending);
        refused.remove(connection);
        finished.remove(connection);
    }

    Service *const q;
    moorline_service_options options = MOORLINE_SERVICE_OPTIONS_INIT;
    moorline_service *service = nullptr;
    QString fullName;
    QString errorString;

    std::mutex sending;
    QSet<Service::Connection> refused; ///< A send found no room, and drained() has not told since.
    QSet<Service::Connection> finished; ///< To be closed when nobody waits for room any more.

private:
    // One for each signal that waits.
    void post(size_t events)
    {
        for (; events > 0; --events)
            QMetaObject::invokeMethod(q, [turn = std::make_shared<Turn>(telling)] { turn->take(); }, Qt::QueuedConnection);
    }

    QMetaObject::Connection applicationEnds_;
    const std::shared_ptr<Telling> telling = std::make_shared<Telling>();
};

static void onConnected(void *context, moorline_connection *connection)
{
    auto *d = ServicePrivate::from(context);
    d->tell([q = d->q, id = idOf(connection)] { emit q->connected(id); });
}

static void onReceived(void *context, moorline_connection *connection, const void *data, size_t length)
{
    auto *d = ServicePrivate::from(context);
    const QByteArray bytes(static_cast<const char *>(data), static_cast<qsizetype>(length));
    d->reserve(bytes.size());
    d->tell([d, q = QPointer<Service>(d->q), id = idOf(connection), bytes] {
        emit q->received(id, bytes);
        if (q)
            d->release(bytes.size());
    });
}

static void onDisconnected(void *context, moorline_connection *connection, moorline_status reason)
{
    auto *d = ServicePrivate::from(context);
    d->tell([d, q = d->q, id = idOf(connection), reason] {
        d->forget(id);
        emit q->disconnected(id, QString::fromLatin1(moorline_status_name(reason)));
    });
}

static void onHighWater(void *context, moorline_connection *connection, size_t queued)
{
    auto *d = ServicePrivate::from(context);
    d->tell([q = d->q, id = idOf(connection), queued] { emit q->congested(id, queued); });
}

static void onLowWater(void *context, moorline_connection *connection, size_t queued)
{
    auto *d = ServicePrivate::from(context);
    d->tell([d, q = QPointer<Service>(d->q), id = idOf(connection), queued] {
        {
            const std::lock_guard lock(d->sending);
            d->refused.remove(id);
        }
        emit q->drained(id, queued);
        if (q)
            d->closeIfAnswered(id);
    });
}

// The slots that are told of what came before may answer still.
static void onFinished(void *context, moorline_connection *connection)
{
    auto *d = ServicePrivate::from(context);
    d->tell([d, id = idOf(connection)] {
        {
            const std::lock_guard lock(d->sending);
            d->finished.insert(id);
        }
        d->closeIfAnswered(id);
    });
}

Service::Service(QObject *parent) : QObject(parent), d(std::make_unique<ServicePrivate>(this))
{
}

Service::~Service()
{
    stop(0);
    deleteChildren(this);
    // A slot that was told of their ends may have started it anew.
    stop(0);
}

void Service::setWorkers(quint32 workers)
{
    d->options.workers = workers;
}

void Service::setMaxConnections(quint32 connections)
{
    d->options.max_connections = connections;
}

void Service::setQueueLimit(quint64 bytes)
{
    d->options.queue_limit = static_cast<size_t>(bytes);
}

bool Service::start(const QString &name)
{
    if (d->service) {
        d->errorString = tr("the service runs already");
        return false;
    }
    moorline_service_callbacks callbacks = MOORLINE_SERVICE_CALLBACKS_INIT;
    callbacks.context = d.get();
    callbacks.connected = onConnected;
    callbacks.received = onReceived;
    callbacks.disconnected = onDisconnected;
    callbacks.high_water = onHighWater;
    callbacks.low_water = onLowWater;
    callbacks.finished = onFinished;
    const NativeName native(name, false);
    moorline_status status = moorline_service_create(&d->options, &callbacks, &d->service);
    if (status == MOORLINE_OK)
        status = native.start(d->service);
    if (status != MOORLINE_OK) {
        // Most of what a service takes has nothing to do with the name.
        const QString details = status == MOORLINE_NAME_INVALID ? failureDetails(native.full()) : failureDetails();
        d->errorString = errorText("moorline::qt::Service::start", serverErrorOf(status), details);
        (void)moorline_service_destroy(d->service);
        d->service = nullptr;
        return false;
    }
    d->fullName = native.full();
    d->errorString.clear();
    // Where there is none yet, when the first comes.
    if (QAbstractEventDispatcher::instance())
        d->watchApplication();
    else
        QMetaObject::invokeMethod(this, [this] { d->watchApplication(); }, Qt::QueuedConnection);
    return true;
}

bool Service::isRunning() const
{
    return d->service != nullptr;
}

QString Service::fullServerName() const
{
    return d->fullName;
}

QString Service::errorString() const
{
    return d->errorString;
}

ServiceReport Service::stop(int timeoutMs)
{
    if (!d->service)
        return {};
    moorline_service_report report = {};
    report.struct_size = sizeof(report);
    d->setStopping(true);
    // What is left of a time may be less than none.
    (void)moorline_service_stop(d->service, QDeadlineTimer(timeoutMs).remainingTime(), &report);
    (void)moorline_service_destroy(d->service);
    d->setStopping(false);
    d->service = nullptr;
    d->fullName.clear();
    return {report.accepted, report.refused, report.open_at_stop, report.received, report.sent, report.unsent};
}

bool Service::send(Connection connection, const QByteArray &data)
{
    return d->send(connection, data);
}

void Service::closeConnection(Connection connection)
{
    (void)moorline_connection_close(handleOf(connection));
}

void Service::abortConnection(Connection connection)
{
    (void)moorline_connection_abort(handleOf(connection));
}

} // namespace moorline::qt

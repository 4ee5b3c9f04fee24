// How a LocalServer accepts.
#include "errors.h"
#include "localserver_p.h"

#include <QtCore/qdeadlinetimer.h>
#include <QtCore/qthread.h>

namespace moorline {

namespace {
// Between two tries while it waits without an event loop.
constexpr unsigned long pollMs = 10;
} // namespace

void LocalServerPrivate::joinHub()
{
    if (!server || unnamed || hub_)
        return;
    hub_ = Hub::ofThisThread();
    if (hub_) {
        token_ = hub_->add(this);
        if (hub_->watch(server.get(), token_) == MOORLINE_OK)
            return;
        leaveHub();
    }
    retry_.start(); // without descriptors for a hub, or with no more watches of the user's left, the tries alone
}

void LocalServerPrivate::leaveHub()
{
    if (!hub_)
        return;
    hub_->unwatch(server.get());
    hub_->remove(token_);
    hub_.reset();
}

void LocalServerPrivate::onReady(quint32)
{
    acceptAll();
}

void LocalServerPrivate::onTurn()
{
    if (unfinished_)
        acceptAll();
}

void LocalServerPrivate::resumeAccepting()
{
    if (unfinished_ && hub_)
        hub_->schedule(token_);
}

void LocalServerPrivate::acceptAll()
{
    const Watch watch(&watchable);
    while (server && !unnamed && watch.goesOn()) {
        hasPending(); // forgets those that were deleted
        unfinished_ = true;
        if (pending_.size() >= maxPending)
            return;
        // An event loop that a slot runs comes back for the next.
        resumeAccepting();
        const moorline_status status = acceptOne(0);
        if (!watch.isHere())
            return;
        if (status != MOORLINE_OK) {
            unfinished_ = false;
            if (status != MOORLINE_WOULD_BLOCK && watch.goesOn())
                acceptFailed(status);
            return;
        }
    }
}

moorline_status LocalServerPrivate::acceptOne(qint64 timeoutMs)
{
    if (!accepted_) {
        moorline_socket *socket = nullptr;
        const moorline_status status = moorline_server_accept(server.get(), timeoutMs, &socket);
        if (status != MOORLINE_OK)
            return status;
        accepted_.reset(socket);
    }
    // That takes another descriptor, for which it may have to wait as those do that are not accepted yet.
    intptr_t descriptor = -1;
    const moorline_status status = moorline_socket_release_descriptor(accepted_.get(), &descriptor);
    if (status != MOORLINE_OK)
        return status;
    (void)accepted_.release(); // its handle is stale
    acceptFails_ = false;
    retry_.reset();
    // A copy: a slot may close the server.
    const BoundName ours = names;
    const BoundName::Accepting accepting(descriptor, ours);
    q->incomingConnection(static_cast<quintptr>(descriptor));
    return status;
}

// The server goes on listening, whatever happens here.
void LocalServerPrivate::acceptFailed(moorline_status status)
{
    const Watch watch(&watchable);
    const bool news = !acceptFails_;
    acceptFails_ = true;
    setError(serverErrorOf(status), "moorline::LocalServer::accept", failureDetails());
    if (news) {
        retry_.reset();
        emit q->acceptError(error);
        if (!watch.isHere() || !server)
            return;
    }
    retry_.start();
}

// False if the timer is not ours.
bool LocalServerPrivate::onTimer(int id)
{
    if (!retry_.hasExpired(id))
        return false;
    joinHub();
    acceptAll();
    return true;
}

bool LocalServerPrivate::hasPending()
{
    pending_.removeIf([](const QPointer<LocalSocket> &socket) { return socket.isNull(); });
    return !pending_.isEmpty();
}

LocalSocket *LocalServerPrivate::takePending()
{
    if (!hasPending())
        return nullptr;
    LocalSocket *socket = pending_.takeFirst();
    resumeAccepting();
    return socket;
}

void LocalServerPrivate::enqueue(LocalSocket *socket)
{
    pending_.append(socket);
}

bool LocalServerPrivate::waitForNewConnection(int msecs, bool *timedOut)
{
    if (timedOut)
        *timedOut = false;
    if (!server)
        return false;
    if (q->hasPendingConnections())
        return true;
    if (unnamed) {
        if (timedOut)
            *timedOut = true;
        return false;
    }
    const Watch watch(&watchable);
    const QDeadlineTimer deadline(msecs);
    moorline_status status = acceptOne(deadline.remainingTime());
    // The system says at once that it has no descriptors left, so this waits itself.
    while (watch.goesOn() && status == MOORLINE_LIMIT_REACHED && !deadline.hasExpired()) {
        QThread::msleep(pollMs);
        status = acceptOne(deadline.remainingTime());
    }
    if (!watch.isHere())
        return false;
    if (status == MOORLINE_OK)
        return q->hasPendingConnections();
    if (status == MOORLINE_TIMED_OUT || status == MOORLINE_WOULD_BLOCK) {
        if (timedOut)
            *timedOut = true;
    } else if (watch.goesOn()) {
        acceptFailed(status);
    }
    return false;
}

} // namespace moorline

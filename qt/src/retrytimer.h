// When to try again what is not possible yet.
#ifndef MOORLINE_QT_RETRYTIMER_H
#define MOORLINE_QT_RETRYTIMER_H

#include "applicationend.h"

#include <QtCore/qabstracteventdispatcher.h>
#include <QtCore/qobject.h>
#include <QtCore/qpointer.h>

#include <algorithm>
#include <utility>

namespace moorline {

/// Waits longer each time. The timer is the object's own; the object's event() asks hasExpired() of each timer event, and calls
/// leaveThread() when the object is moved to another thread.
class RetryTimer {
public:
    RetryTimer(QObject *object, int shortestMs, int longestMs)
        : object_(object), shortestMs_(shortestMs), longestMs_(longestMs), nextMs_(shortestMs)
    {
    }
    Q_DISABLE_COPY_MOVE(RetryTimer)

    bool isRunning() const { return id_ != 0; }

    /// In a thread that has no event loop it starts when that has one; the functions that wait try again themselves.
    void start()
    {
        if (isRunning() || isPosted_)
            return;
        QAbstractEventDispatcher *const dispatcher = QAbstractEventDispatcher::instance();
        if (!dispatcher) {
            post();
            return;
        }
        id_ = object_->startTimer(nextMs_);
        nextMs_ = std::min(nextMs_ * 2, longestMs_);
        // The timers of a thread that ends are gone when it is started again, as those of an application are in the next one.
        threadEnds_ = QObject::connect(
            dispatcher, &QObject::destroyed, object_,
            [this, dispatcher] {
                kill();
                isPosted_ = true;
                whenEventsStay(dispatcher, [this, object = QPointer<QObject>(object_)] {
                    if (object && isPosted_)
                        post();
                });
            },
            Qt::DirectConnection);
    }

    /// It goes along. Qt would take it there, too, but starts it from the new thread's event loop, also if it was stopped before.
    void leaveThread()
    {
        if (!isRunning())
            return;
        kill();
        post();
    }

    /// The next wait is the shortest again.
    void reset() { nextMs_ = shortestMs_; }

    void stop()
    {
        reset();
        isPosted_ = false;
        if (isRunning())
            kill();
    }

    /// Whether it is this timer, which does not run any more then.
    bool hasExpired(int id)
    {
        if (!isRunning() || id != id_)
            return false;
        kill();
        return true;
    }

private:
    void kill()
    {
        object_->killTimer(std::exchange(id_, 0));
        QObject::disconnect(threadEnds_);
    }

    void post()
    {
        isPosted_ = true;
        QMetaObject::invokeMethod(object_, [this] { startPosted(); }, Qt::QueuedConnection);
    }

    // Unless it was stopped meanwhile.
    void startPosted()
    {
        if (std::exchange(isPosted_, false))
            start();
    }

    QObject *const object_;
    const int shortestMs_;
    const int longestMs_;
    int nextMs_;
    int id_ = 0;
    QMetaObject::Connection threadEnds_; ///< While it runs.
    bool isPosted_ = false; ///< An event is on its way that starts it.
};

} // namespace moorline

#endif

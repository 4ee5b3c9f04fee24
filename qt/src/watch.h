// Whether what was begun with an object may go on when slots have run.
#ifndef MOORLINE_QT_WATCH_H
#define MOORLINE_QT_WATCH_H

#include <QtCore/qobject.h>
#include <QtCore/qpointer.h>

namespace moorline {

class Watch;

/// What an object has that slots may delete or move to another thread while its own functions are on the stack.
class Watchable {
public:
    explicit Watchable(QObject *object) : object_(object) {}
    ~Watchable();
    Q_DISABLE_COPY_MOVE(Watchable)

    /// The object is being moved from the calling thread to another.
    void leaveThread();

private:
    friend class Watch;

    QObject *const object_;
    const Watch *innermost_ = nullptr; ///< Of those on the stack of the object's thread.
};

/// Made on the stack where something is begun, and handed down from there. It is told when the object goes or leaves the thread, so
/// asking it touches nothing that another thread may have by then.
class Watch {
public:
    explicit Watch(Watchable *watched);
    ~Watch();
    Q_DISABLE_COPY_MOVE(Watch)

    /// The object is there, and in this thread.
    bool isHere() const { return watched_ != nullptr; }
    /// The object is there, maybe in another thread.
    bool isAlive() const { return isHere() || !moved_.isNull(); }

private:
    friend class Watchable;

    mutable Watchable *watched_;
    mutable QPointer<QObject> moved_;
    const Watch *const outer_;
};

} // namespace moorline

#endif

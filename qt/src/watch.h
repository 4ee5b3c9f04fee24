// Whether what was begun with an object may go on when slots have run.
#ifndef MOORLINE_QT_WATCH_H
#define MOORLINE_QT_WATCH_H

#include <QtCore/qglobal.h>

namespace moorline {

class Watch;

/// What an object has that slots may delete or move to another thread while its own functions are on the stack.
class Watchable {
public:
    Watchable() = default;
    ~Watchable() { end(); }
    Q_DISABLE_COPY_MOVE(Watchable)

    /// Ends the watches: the object goes, or is being moved from the calling thread to another.
    void end();

    /// The object connects or listens anew, or has ceased to: what was begun before does not go on.
    void renew() { ++generation_; }
    quint64 generation() const { return generation_; }

private:
    friend class Watch;

    quint64 generation_ = 0;
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
    /// And it has the connection, or listens, as when this was made.
    bool goesOn() const { return watched_ && watched_->generation_ == generation_; }

private:
    friend class Watchable;

    mutable Watchable *watched_;
    const Watch *const outer_;
    const quint64 generation_;
};

} // namespace moorline

#endif

#include "watch.h"

#include <utility>

namespace moorline {

Watchable::~Watchable()
{
    for (const Watch *watch = innermost_; watch; watch = watch->outer_)
        watch->watched_ = nullptr;
}

void Watchable::leaveThread()
{
    for (const Watch *watch = std::exchange(innermost_, nullptr); watch; watch = watch->outer_) {
        watch->watched_ = nullptr;
        watch->moved_ = object_;
    }
}

Watch::Watch(Watchable *watched) : watched_(watched), outer_(std::exchange(watched->innermost_, this))
{
}

Watch::~Watch()
{
    if (watched_)
        watched_->innermost_ = outer_;
}

} // namespace moorline

#include "watch.h"

#include <utility>

namespace moorline {

void Watchable::end()
{
    for (const Watch *watch = std::exchange(innermost_, nullptr); watch; watch = watch->outer_)
        watch->watched_ = nullptr;
}

Watch::Watch(Watchable *watched)
    : watched_(watched), outer_(std::exchange(watched->innermost_, this)), generation_(watched->generation_)
{
}

Watch::~Watch()
{
    if (watched_)
        watched_->innermost_ = outer_;
}

} // namespace moorline

#include <moorline/qt/options.h>

#include "hub.h"

#include <atomic>

namespace moorline::qt {

static std::atomic<bool> strictMode = false;

void setBusyPoll(std::chrono::microseconds duration)
{
    Hub::setBusyPoll(duration);
}

std::chrono::microseconds busyPoll()
{
    return Hub::busyPoll();
}

void setStrict(bool strict)
{
    strictMode = strict;
}

bool isStrict()
{
    return strictMode;
}

} // namespace moorline::qt

// The options of the adapter that belong to no single socket or server.
#ifndef MOORLINE_QT_OPTIONS_H
#define MOORLINE_QT_OPTIONS_H

#include <moorline/qt/global.h>

#include <chrono>

namespace moorline::qt {

/// Sets how long the calling thread looks for further bytes, without sleeping, after its sockets had some. That saves the
/// 20 to 50 us that waking a sleeping thread costs, for the price of processor time. Each time that nothing comes of it the
/// thread leaves it for twice as often as the last time, so that it costs next to nothing where it does not pay, and between two
/// looks it offers the processor to others. Zero turns it off; the default is 50 us; at most a millisecond.
MOORLINE_QT_EXPORT void setBusyPoll(std::chrono::microseconds duration);

/// How long the calling thread looks for further bytes at most.
MOORLINE_QT_EXPORT std::chrono::microseconds busyPoll();

/// In strict mode the process gets Qt's behaviour also where this adapter would do more: a socket that is deleted loses
/// what it has not sent, late subscribers get nothing, a dead server's file is not taken over. Each of the differences is
/// listed in docs/migrating-from-qlocalsocket.md. For servers and sockets made from then on; off by default. Any thread may call it.
MOORLINE_QT_EXPORT void setStrict(bool strict);

/// Whether strict mode is on.
MOORLINE_QT_EXPORT bool isStrict();

} // namespace moorline::qt

#endif

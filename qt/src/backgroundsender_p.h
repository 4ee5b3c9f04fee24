// Sending on for sockets that were deleted.
#ifndef MOORLINE_QT_BACKGROUNDSENDER_P_H
#define MOORLINE_QT_BACKGROUNDSENDER_P_H

#include "channel.h"

#include <QtCore/qstring.h>

namespace moorline {

/// Takes the socket and its bytes, and sends these until so many milliseconds have passed. BackgroundSender tells the end.
void sendInBackground(SocketHandle socket, ByteQueue bytes, const QString &fullServerName, int timeoutMs);

} // namespace moorline

#endif

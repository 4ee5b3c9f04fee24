// Whose servers are connected to.
#ifndef MOORLINE_QT_SERVERTRUST_H
#define MOORLINE_QT_SERVERTRUST_H

#include <moorline/qt/global.h>

namespace moorline {

/// Whose server a socket connects to. The system says whose it is (SO_PEERCRED, unix(7)), and the socket looks before anything is
/// sent: whoever has taken the name of a server that was expected gets nothing.
enum class ServerTrust {
    Anyone, ///< Anybody's, as QLocalSocket does.
    SameUser, ///< A server of this process's user, or of root.
};

} // namespace moorline

#endif

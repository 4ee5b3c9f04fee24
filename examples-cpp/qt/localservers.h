// The local servers of this machine.
#pragma once

#include <QtCore/QList>
#include <QtCore/QString>

struct LocalServerInfo {
    QString name;
    QString place; ///< The directory, or "abstract".
    bool isLive; ///< Otherwise its server has gone and left the name.
};

/// The socket files in the temporary directory and in the runtime directories, and the abstract names. Looking at a server
/// does not connect to it.
QList<LocalServerInfo> localServers();

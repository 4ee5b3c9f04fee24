// Which process this is, among those that fork(2) makes of one.
#ifndef MOORLINE_QT_FORKS_H
#define MOORLINE_QT_FORKS_H

#include <QtCore/qglobal.h>

namespace moorline {

/// One more in a forked child than in its parent: for what a child has a copy of and is the parent's to do. Costs no call of the system,
/// as getpid(2) would with each write.
quint32 forksSoFar();

} // namespace moorline

#endif

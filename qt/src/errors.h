// What the library's statuses mean in Qt's words.
#ifndef MOORLINE_QT_ERRORS_H
#define MOORLINE_QT_ERRORS_H

#include <moorline/moorline.h>
#include <moorline/qt/localsocket.h>

#include <QtCore/qstring.h>

namespace moorline {

/// The error that QLocalSocket has for such a failure to connect.
LocalSocket::LocalSocketError connectError(moorline_status status);

/// The error that QLocalServer has for such a failure to listen or to accept.
QAbstractSocket::SocketError serverErrorOf(moorline_status status);

/// "<where>: <what>", in Qt's words, and in brackets the details if there are any.
QString errorText(const char *where, QAbstractSocket::SocketError error, const QString &details = QString());
QString errorText(const char *where, LocalSocket::LocalSocketError error, const QString &details = QString());

/// The library's own words about this thread's last failure: what was tried, on which path, and why it failed. The name
/// stands in where the library was not asked.
QString failureDetails(const QString &fullName = QString());

} // namespace moorline

#endif

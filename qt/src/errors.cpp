#include "errors.h"

#include <QtCore/qbytearray.h>

namespace moorline {

LocalSocket::LocalSocketError connectError(moorline_status status)
{
    switch (status) {
    case MOORLINE_NOT_FOUND:
    case MOORLINE_NAME_INVALID:
    case MOORLINE_NAME_TOO_LONG:
        return LocalSocket::ServerNotFoundError;
    case MOORLINE_CONNECTION_REFUSED:
        return LocalSocket::ConnectionRefusedError;
    case MOORLINE_PERMISSION_DENIED:
        return LocalSocket::SocketAccessError;
    case MOORLINE_LIMIT_REACHED:
        return LocalSocket::SocketResourceError;
    case MOORLINE_TIMED_OUT:
        return LocalSocket::SocketTimeoutError;
    case MOORLINE_NOT_SUPPORTED:
        return LocalSocket::UnsupportedSocketOperationError;
    default:
        return LocalSocket::UnknownSocketError;
    }
}

QAbstractSocket::SocketError serverErrorOf(moorline_status status)
{
    switch (status) {
    case MOORLINE_NAME_IN_USE:
        return QAbstractSocket::AddressInUseError;
    case MOORLINE_NAME_INVALID:
    case MOORLINE_NAME_TOO_LONG:
    case MOORLINE_NOT_FOUND:
        return QAbstractSocket::HostNotFoundError;
    case MOORLINE_PERMISSION_DENIED:
        return QAbstractSocket::SocketAccessError;
    case MOORLINE_LIMIT_REACHED:
        return QAbstractSocket::SocketResourceError;
    case MOORLINE_NOT_SUPPORTED:
    case MOORLINE_INVALID_ARGUMENT:
        return QAbstractSocket::UnsupportedSocketOperationError;
    default:
        return QAbstractSocket::UnknownSocketError;
    }
}

static QString words(QAbstractSocket::SocketError error)
{
    switch (error) {
    case QAbstractSocket::ConnectionRefusedError:
        return LocalSocket::tr("Connection refused");
    case QAbstractSocket::RemoteHostClosedError:
        return LocalSocket::tr("Remote closed");
    case QAbstractSocket::HostNotFoundError:
        return LocalSocket::tr("Invalid name");
    case QAbstractSocket::SocketAccessError:
        return LocalSocket::tr("Socket access error");
    case QAbstractSocket::SocketResourceError:
        return LocalSocket::tr("Socket resource error");
    case QAbstractSocket::SocketTimeoutError:
        return LocalSocket::tr("Socket operation timed out");
    case QAbstractSocket::AddressInUseError:
        return LocalSocket::tr("Address in use");
    case QAbstractSocket::UnsupportedSocketOperationError:
        return LocalSocket::tr("The socket operation is not supported");
    case QAbstractSocket::OperationError:
        return LocalSocket::tr("Operation not permitted when socket is in this state");
    default:
        return LocalSocket::tr("Unknown error");
    }
}

QString errorText(const char *where, QAbstractSocket::SocketError error, const QString &details)
{
    const QString text = QLatin1String(where) + QLatin1String(": ") + words(error);
    return details.isEmpty() ? text : text + QLatin1String(" (") + details + QLatin1Char(')');
}

QString errorText(const char *where, LocalSocket::LocalSocketError error, const QString &details)
{
    return errorText(where, static_cast<QAbstractSocket::SocketError>(error), details);
}

static QString lastFailure()
{
    size_t needed = 0;
    if (moorline_last_error(nullptr, 0, &needed) != MOORLINE_BUFFER_TOO_SMALL)
        return QString();
    QByteArray text(static_cast<qsizetype>(needed), '\0');
    if (moorline_last_error(text.data(), needed, &needed) != MOORLINE_OK)
        return QString();
    return QString::fromUtf8(text.constData());
}

QString failureDetails(const QString &fullName)
{
    const QString failure = lastFailure();
    return failure.contains(fullName) ? failure : fullName;
}

} // namespace moorline

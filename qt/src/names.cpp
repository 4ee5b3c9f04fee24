#include "names.h"

#include <QtCore/qdir.h>
#include <QtCore/qfile.h>

#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>
#include <utility>

namespace moorline {

namespace {

using Query = int (*)(int, sockaddr *, socklen_t *);

// Without the short name.
BoundName addressOf(int descriptor, Query query)
{
    sockaddr_un address = {};
    socklen_t length = sizeof(address);
    if (query(descriptor, reinterpret_cast<sockaddr *>(&address), &length) != 0 || address.sun_family != AF_UNIX)
        return {};
    constexpr size_t header = offsetof(sockaddr_un, sun_path);
    if (length <= header)
        return {};
    const size_t size = length - header;
    const char *path = address.sun_path;
    if (path[0] == '\0') // abstract: every byte counts
        return {QString(), QFile::decodeName(QByteArray(path + 1, static_cast<qsizetype>(size) - 1)), true};
    return {QString(), QFile::decodeName(QByteArray(path, static_cast<qsizetype>(strnlen(path, size)))), false};
}

} // namespace

NativeName::NativeName(const QString &name, bool isAbstract) : full_(name), isAbstract_(isAbstract)
{
    if (!isAbstract && !name.isEmpty() && !name.startsWith(QLatin1Char('/')))
        full_ = QDir::cleanPath(QDir::tempPath()) + QLatin1Char('/') + name;
    bytes_ = QFile::encodeName(full_);
    isValid_ = isAbstract || !bytes_.contains('\0');
}

moorline_status NativeName::listen(moorline_server *server) const
{
    if (isAbstract_)
        return moorline_server_listen_abstract(server, bytes_.constData(), static_cast<size_t>(bytes_.size()));
    return isValid_ ? moorline_server_listen(server, bytes_.constData()) : MOORLINE_NAME_INVALID;
}

moorline_status NativeName::connect(qint64 timeoutMs, ServerTrust trust, moorline_socket **socket,
                                    const moorline_message_options *messages) const
{
    moorline_socket_options options = MOORLINE_SOCKET_OPTIONS_INIT;
    options.messages = messages;
    options.trust = trust == ServerTrust::SameUser ? MOORLINE_TRUST_SAME_USER : MOORLINE_TRUST_ANYONE;
    if (isAbstract_)
        return moorline_socket_connect_abstract(bytes_.constData(), static_cast<size_t>(bytes_.size()), &options, timeoutMs,
                                                socket);
    return isValid_ ? moorline_socket_connect(bytes_.constData(), &options, timeoutMs, socket) : MOORLINE_NAME_INVALID;
}

moorline_status NativeName::start(moorline_service *service) const
{
    return isValid_ ? moorline_service_start(service, bytes_.constData()) : MOORLINE_NAME_INVALID;
}

moorline_status NativeName::remove() const
{
    return isValid_ ? moorline_name_remove(bytes_.constData(), MOORLINE_SCOPE_TEMPORARY) : MOORLINE_NAME_INVALID;
}

bool NativeName::isDead() const
{
    quint32 state = MOORLINE_NAME_ABSENT;
    return !isAbstract_ && isValid_ && moorline_name_state(bytes_.constData(), MOORLINE_SCOPE_TEMPORARY, &state) == MOORLINE_OK
        && state == MOORLINE_NAME_DEAD;
}

static thread_local BoundName::Accepting *accepting = nullptr;

BoundName::Accepting::Accepting(qintptr descriptor, const BoundName &names)
    : descriptor_(descriptor), names_(names), outer_(std::exchange(accepting, this))
{
}

BoundName::Accepting::~Accepting()
{
    accepting = outer_;
}

BoundName BoundName::of(qintptr descriptor)
{
    if (accepting && descriptor >= 0 && accepting->descriptor_ == descriptor) {
        accepting->descriptor_ = -1;
        return accepting->names_;
    }
    const int number = static_cast<int>(descriptor);
    BoundName bound = addressOf(number, ::getsockname);
    if (bound.full.isEmpty())
        bound = addressOf(number, ::getpeername);
    bound.name = bound.full.mid(bound.full.lastIndexOf(QLatin1Char('/')) + 1);
    return bound;
}

} // namespace moorline

#include "names.h"

#include <QtCore/qdir.h>
#include <QtCore/qfile.h>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstring>
#include <memory>
#include <mutex>
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

struct PublishedName::Registry {
    explicit Registry(const Registry *ofParent = nullptr) : parents(ofParent) {}

    const pid_t process = ::getpid();
    const Registry *const parents; ///< Kept so that nobody takes it for lost.
    std::mutex mutex;
    std::multimap<QString, BoundName> names; ///< By the private one. Two servers have the same if one's was removed.
};

// It never goes: a server of a static object may go after anything. A forked child has its own, as another thread of its parent's may
// have been at that.
PublishedName::Registry *PublishedName::registry()
{
    static std::atomic<Registry *> current = new Registry;
    Registry *present = current;
    if (present->process != ::getpid()) {
        auto made = std::make_unique<Registry>(present);
        if (current.compare_exchange_strong(present, made.get()))
            present = made.release();
    }
    return present;
}

PublishedName::PublishedName(qintptr listening, const BoundName &names) : registry_(registry())
{
    const BoundName bound = addressOf(static_cast<int>(listening), ::getsockname);
    const std::lock_guard lock(registry_->mutex);
    entry_ = registry_->names.emplace(bound.full, names);
}

PublishedName::~PublishedName()
{
    if (registry_ != registry())
        return;
    const std::lock_guard lock(registry_->mutex);
    registry_->names.erase(entry_);
}

BoundName BoundName::of(qintptr descriptor)
{
    if (accepting && descriptor >= 0 && accepting->descriptor_ == descriptor) {
        accepting->descriptor_ = -1;
        const BoundName &ours = accepting->names_;
        return ours.isAbstract ? ours : ours.shortened();
    }
    const int number = static_cast<int>(descriptor);
    BoundName bound = addressOf(number, ::getsockname);
    if (bound.full.isEmpty())
        bound = addressOf(number, ::getpeername);
    if (!bound.full.isEmpty() && !bound.isAbstract) {
        PublishedName::Registry *const registry = PublishedName::registry();
        const std::lock_guard lock(registry->mutex);
        if (const auto found = registry->names.find(bound.full); found != registry->names.end())
            return found->second.shortened();
    }
    return bound.shortened();
}

BoundName BoundName::shortened() const
{
    return {full.mid(full.lastIndexOf(QLatin1Char('/')) + 1), full, isAbstract};
}

} // namespace moorline

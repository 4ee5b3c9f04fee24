// How a LocalServer begins and ends to listen.
#include "errors.h"
#include "localserver_p.h"
#include "names.h"

#include <moorline/qt/options.h>

#include <QtCore/qthread.h>

namespace moorline {

namespace {

constexpr char listening[] = "moorline::LocalServer::listen";

// Exactly the asked permissions; the library's default, the user's alone, where none are.
quint32 modeOf(LocalServer::SocketOptions options)
{
    quint32 mode = 0;
    if (options & LocalServer::UserAccessOption)
        mode |= 0700;
    if (options & LocalServer::GroupAccessOption)
        mode |= 0070;
    if (options & LocalServer::OtherAccessOption)
        mode |= 0007;
    return mode;
}

} // namespace

bool LocalServerPrivate::listen(const QString &asked)
{
    if (refuseSecondListen() || !start())
        return false;
    const bool isAbstract = options.value().testFlag(LocalServer::AbstractNamespaceOption);
    const NativeName native(asked, isAbstract);
    // QLocalServer takes no dead server's place.
    const bool refused = qt::isStrict() && native.isDead();
    const moorline_status status = refused ? MOORLINE_NAME_IN_USE : native.listen(server.get());
    return finishListening(status, {asked, native.full(), isAbstract});
}

bool LocalServerPrivate::listen(qintptr descriptor)
{
    if (refuseSecondListen() || !start())
        return false;
    const BoundName bound = BoundName::of(descriptor);
    moorline_status status = moorline_server_listen_descriptor(server.get(), static_cast<int>(descriptor));
    // QLocalServer takes an end of a socketpair(2) too. There never is a connection to accept, so it is only kept.
    if (status == MOORLINE_INVALID_ARGUMENT && bound.full.isEmpty()) {
        moorline_socket *end = nullptr;
        status = moorline_socket_adopt_descriptor(static_cast<int>(descriptor), nullptr, &end);
        unnamed.reset(end);
    }
    // A descriptor that fails does so whatever its name is.
    if (!finishListening(status, status == MOORLINE_OK ? bound : BoundName()))
        return false;
    bound.tellOptions(options);
    return true;
}

bool LocalServerPrivate::refuseSecondListen()
{
    if (!server)
        return false;
    qWarning("moorline::LocalServer::listen() called when already listening");
    return true;
}

bool LocalServerPrivate::start()
{
    moorline_server_options serverOptions = MOORLINE_SERVER_OPTIONS_INIT;
    serverOptions.mode = modeOf(options);
    // The library's 0 is its default, and there is no shorter backlog than of one.
    serverOptions.backlog = backlogAsked ? static_cast<quint32>(backlog == 0 ? 1 : backlog) : 0;
    moorline_server *handle = nullptr;
    const moorline_status status = moorline_server_create(&serverOptions, &handle);
    server.reset(handle);
    return status == MOORLINE_OK || finishListening(status, {});
}

bool LocalServerPrivate::finishListening(moorline_status status, const BoundName &bound)
{
    if (status != MOORLINE_OK) {
        setError(serverErrorOf(status), listening, failureDetails(bound.full));
        server.reset();
        return false;
    }
    watchable.renew();
    names = bound;
    if (!names.full.isEmpty() && !names.isAbstract)
        published_.emplace(q->socketDescriptor(), names);
    error = QAbstractSocket::UnknownSocketError;
    errorString.clear();
    unfinished_ = acceptFails_ = newConnectionMissed = false;
    joinHub();
    return true;
}

void LocalServerPrivate::setError(QAbstractSocket::SocketError newError, const char *where, const QString &details)
{
    error = newError;
    errorString = errorText(where, newError, details);
}

void LocalServerPrivate::close()
{
    if (!server)
        return;
    watchable.renew();
    leaveHub();
    retry_.stop();
    published_.reset();
    server.reset();
    unnamed.reset();
    accepted_.reset();
    names = {};
    error = QAbstractSocket::UnknownSocketError;
    errorString.clear();
    // A slot of one of these may listen again, and its sockets are another matter.
    const QList<QPointer<LocalSocket>> pending = std::exchange(pending_, {});
    for (const QPointer<LocalSocket> &socket : pending) {
        // Those that are nobody's children have stayed where they were accepted, also when this was moved.
        QThread *const home = socket ? socket->thread() : nullptr;
        if (home && home != QThread::currentThread() && home->isRunning())
            socket->deleteLater();
        else
            delete socket.data();
    }
}

} // namespace moorline

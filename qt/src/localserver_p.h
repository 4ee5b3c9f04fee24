// The state of a LocalServer.
#ifndef MOORLINE_QT_LOCALSERVER_P_H
#define MOORLINE_QT_LOCALSERVER_P_H

#include "channel.h"
#include "hub.h"
#include "names.h"
#include "retrytimer.h"
#include "watch.h"

#include <moorline/qt/localserver.h>
#include <moorline/qt/localsocket.h>

#include <QtCore/qlist.h>
#include <QtCore/qpointer.h>

#include <memory>
#include <optional>

namespace moorline {

struct ServerDeleter {
    void operator()(moorline_server *server) const { (void)moorline_server_destroy(server); }
};
using ServerHandle = std::unique_ptr<moorline_server, ServerDeleter>;

class LocalServerPrivate final : public Hub::Client {
public:
    explicit LocalServerPrivate(LocalServer *object) : q(object) {}
    ~LocalServerPrivate() { leaveHub(); }

    bool listen(const QString &name);
    bool listen(qintptr descriptor);
    void close();
    bool waitForNewConnection(int msecs, bool *timedOut);
    LocalSocket *takePending();
    bool hasPending();
    void enqueue(LocalSocket *socket);

    void onReady(quint32 readiness) override;
    void onTurn() override;
    void joinHub();
    void leaveHub();
    bool onTimer(int id);
    void leaveThread() { retry_.leaveThread(); }
    /// Accepts, if somebody may be waiting still.
    void resumeAccepting();

    LocalServer *const q;
    Watchable watchable;
    ServerHandle server;
    SocketHandle unnamed; ///< Adopted in the place of a listening socket, which it is not.
    BoundName names;
    QString errorString;
    QAbstractSocket::SocketError error = QAbstractSocket::UnknownSocketError;
    QProperty<LocalServer::SocketOptions> options{LocalServer::NoOptions};
    int maxPending = 30;
    int backlog = 50;
    bool backlogAsked = false;
    bool parented = true;
    bool newConnectionMissed = false; ///< Emitted when nobody was connected to it.

private:
    bool refuseSecondListen();
    bool start();
    bool finishListening(moorline_status status, const BoundName &bound);
    void setError(QAbstractSocket::SocketError newError, const char *where, const QString &details);
    moorline_status acceptOne(qint64 timeoutMs);
    void acceptAll();
    void acceptFailed(moorline_status status);

    std::optional<PublishedName> published_;
    std::shared_ptr<Hub> hub_;
    Hub::Token token_ = 0;
    SocketHandle accepted_; ///< Nobody has got its descriptor yet.
    QList<QPointer<LocalSocket>> pending_;
    bool unfinished_
        = false; ///< Stopped by a slot or the limit of pending connections: the hub does not tell again of those that wait.
    bool acceptFails_ = false;
    RetryTimer retry_{q, 10, 1000}; ///< After an accept that failed.
};

} // namespace moorline

#endif

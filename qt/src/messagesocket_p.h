// The connection of a MessageSocket.
#ifndef MOORLINE_QT_MESSAGESOCKET_P_H
#define MOORLINE_QT_MESSAGESOCKET_P_H

#include "channel.h"
#include "errors.h"
#include "hub.h"
#include "retrytimer.h"
#include "watch.h"

#include <moorline/qt/messagesocket.h>

#include <QtCore/qbasictimer.h>
#include <QtCore/qdeadlinetimer.h>
#include <QtCore/qlist.h>

#include <memory>
#include <optional>

namespace moorline {

class MessageSocketPrivate final : public Hub::Client {
public:
    MessageSocketPrivate(MessageSocket *object, MessageSocket::Framing framing);
    ~MessageSocketPrivate() { drop(); }

    // The connection: messageconnection.cpp.
    void connectTo(const QString &name);
    bool takeOver(LocalSocket *bytes);
    bool isConnected() const { return socket_ && !closing_; }
    void disconnect();
    bool onTimer(int id);
    void leaveThread();

    // The messages: messageio.cpp.
    bool send(const QByteArray &message);
    quint64 bytesToWrite() const;
    void onReady(quint32 readiness) override;
    void onTurn() override;

    MessageSocket *const q;
    moorline_message_options options = MOORLINE_MESSAGE_OPTIONS_INIT;
    QByteArray application; ///< Where the options point to.
    ServerTrust trust = ServerTrust::SameUser;

private:
    void tryToConnect();
    void begin(SocketHandle handle);
    bool attach();
    void detach();
    void schedule();
    void drop();
    void end(moorline_status status) { end(status, failureDetails()); }
    void end(moorline_status status, const QString &details);
    void watchHandshake();
    void tellConnected();
    void goOnHere();
    void receive();
    void comeBack();
    moorline_status takeMessage();
    void sendSome();

    Watchable watchable_;
    QString name_; ///< Of the server that it connects to.
    RetryTimer retry_{q, 1, 100}; ///< While the server's backlog is full.
    QDeadlineTimer handshakeEnd_; ///< Of the present connection.
    QBasicTimer handshake_; ///< While the other side has time for its part of it.
    QMetaObject::Connection threadEnds_; ///< To restart that where this thread is started again.
    SocketHandle socket_;
    std::shared_ptr<Hub> hub_;
    Hub::Token token_ = 0;
    QList<QByteArray> queue_; ///< Messages that the library has not taken.
    quint64 queued_ = 0; ///< Their bytes.
    std::optional<QByteArray> untold_; ///< A message that was received.
    bool connects_ = false; ///< connected() is still to be told.
    bool shakesHands_ = false; ///< The other side's part of the handshake has not come.
    bool writableWatched_ = false;
    bool unfinished_ = false; ///< There may be messages of which the hub does not tell.
    bool peerHungUp_ = false; ///< The end of the stream is to be found, of which the hub does not tell again.
    bool undrained_ = false; ///< Something was queued, and drained() has not told of it.
    bool takesNothing_ = false; ///< The peer, as a send has found out.
    bool closing_ = false; ///< By us, or because the peer sends no more.
};

} // namespace moorline

#endif

// moorline::MessageSocket: whole messages over a local socket, as signals.
#ifndef MOORLINE_QT_MESSAGESOCKET_H
#define MOORLINE_QT_MESSAGESOCKET_H

#include <moorline/qt/global.h>
#include <moorline/qt/servertrust.h>

#include <QtCore/qbytearray.h>
#include <QtCore/qobject.h>
#include <QtCore/qstring.h>

#include <memory>

namespace moorline {

class LocalSocket;
class MessageSocketPrivate;

/// A connection on which both sides send messages. The limit of a message is checked before memory is taken for it, and
/// each is sent whole. It belongs to the thread that it lives in, needs that one's event loop, and may be moved to another one or
/// deleted at any time, in any slot, too: what it is at goes on there. Nothing blocks.
class MOORLINE_QT_EXPORT MessageSocket : public QObject {
    Q_OBJECT

public:
    /// How a message is told from the next.
    enum class Framing {
        BigEndian, ///< Its length first, as four bytes: what QDataStream does with a QByteArray.
        LittleEndian, ///< The same, least significant byte first.
        Lines, ///< A line feed after each, which has none itself.
        Checked ///< A handshake, then length, checksum and message: ours at both ends.
    };

    /// A socket that is not connected; both ends need the same framing.
    explicit MessageSocket(Framing framing = Framing::BigEndian, QObject *parent = nullptr);
    /// Drops what is not sent yet; disconnectFromServer() first if it matters.
    ~MessageSocket() override;

    /// Bytes of a message at most, either way, 1 to 4,294,967,295; 16 MiB by default. For the next connection.
    void setMaxMessageSize(quint64 bytes);
    /// How many milliseconds the other side may take for its part of the handshake of Checked; 10,000 by default. For the next
    /// connection.
    void setHandshakeTimeout(int msecs);
    /// What this side says that it is in the handshake of Checked, which ends when the other side says something else: a name of at most
    /// 255 bytes in UTF-8, and a version. An empty name and 0 by default. For the next connection.
    void setApplication(const QString &name, quint32 version);

    /// Whose server the next connectToServer() connects to. Only one of the same user, or of root, by default.
    void setServerTrust(ServerTrust trust);

    /// Connects to a server; connected() or ended() tells the outcome, ended() before this returns where it fails at once: nobody has
    /// that name, or nobody listens. Tries again while the server's backlog is full. A connection
    /// that it has is dropped, as by the destructor.
    void connectToServer(const QString &name);
    /// Takes over a connected socket's connection, as one of LocalServer::nextPendingConnection(); the socket, of the same
    /// thread, is then unconnected. connected() does not tell of it. False if it is null or not connected, or has bytes that were not read
    /// or not sent yet.
    bool takeOver(LocalSocket *socket);
    /// Whether it is connected, and not being disconnected.
    bool isConnected() const;

    /// Queues a message. False, and nothing happens, if it is not connected, if the message is larger than either side takes, or
    /// if it is not a line where each is one: it has a line feed, or a carriage return at its end. How much the other side takes
    /// is only known to Checked, when the handshake is done; a larger message that was queued before ends the connection.
    bool sendMessage(const QByteArray &message);
    /// Bytes of the messages that are not sent, and of what the framing has put around them so far.
    quint64 bytesToWrite() const;
    /// Ends the connection when everything queued is sent; ended() tells. An attempt to connect is given up, and nothing tells.
    void disconnectFromServer();

Q_SIGNALS:
    /// It is connected, and the handshake is done where there is one.
    void connected();
    /// A whole message came.
    void messageReceived(const QByteArray &message);
    /// Everything queued was sent.
    void drained();
    /// The connection is over, or was not made. The text is empty if either side ended it in the ordinary way; otherwise it
    /// says what was wrong: a peer that has left before everything queued was sent to it, a message too large, one that is malformed, a
    /// peer of another version, or one that is late with the handshake. A peer that only sends no more gets what is queued before.
    void ended(const QString &failure);

protected:
    bool event(QEvent *event) override;

private:
    Q_DISABLE_COPY(MessageSocket)
    const std::unique_ptr<MessageSocketPrivate> d;
};

} // namespace moorline

#endif

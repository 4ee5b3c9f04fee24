#include <moorline/qt/messagesocket.h>

#include "errors.h"
#include "localsocket_p.h"
#include "names.h"

#include <QtCore/qlist.h>
#include <QtCore/qpointer.h>
#include <QtCore/qtimer.h>

#include <algorithm>

namespace moorline {

namespace {

constexpr quint64 defaultMaxMessage = quint64{16} * 1024 * 1024;
// So many messages of one peer's are told before it is the others' turn again.
constexpr int fairShare = 256;
// Between two tries while the server's backlog is full.
constexpr int retryMs = 10;

quint32 framingOf(MessageSocket::Framing framing)
{
    switch (framing) {
    case MessageSocket::Framing::LittleEndian:
        return MOORLINE_FRAMING_LITTLE_ENDIAN;
    case MessageSocket::Framing::Lines:
        return MOORLINE_FRAMING_LINES;
    case MessageSocket::Framing::Checked:
        return MOORLINE_FRAMING_CHECKED;
    case MessageSocket::Framing::BigEndian:
        break;
    }
    return MOORLINE_FRAMING_BIG_ENDIAN;
}

} // namespace

class MessageSocketPrivate final : public Hub::Client {
public:
    MessageSocketPrivate(MessageSocket *object, MessageSocket::Framing framing) : q(object)
    {
        options.framing = framingOf(framing);
        options.max_message = defaultMaxMessage;
    }

    ~MessageSocketPrivate() { drop(); }

    void onReady(quint32 readiness) override
    {
        const QPointer<MessageSocket> alive(q);
        if (readiness & MOORLINE_HANGUP)
            peerHungUp = true;
        if (readiness & (MOORLINE_READABLE | MOORLINE_HANGUP))
            receive();
        if (alive && socket && (readiness & MOORLINE_WRITABLE))
            send();
    }

    void onTurn() override
    {
        const QPointer<MessageSocket> alive(q);
        if (!attach())
            return;
        if (std::exchange(unfinished, false))
            receive();
        if (alive && socket)
            send();
    }

    void tryToConnect(const QString &name)
    {
        const NativeName native(name, false);
        moorline_socket *handle = nullptr;
        const moorline_status status = native.connect(0, &handle, &options);
        if (status == MOORLINE_OK) {
            open(SocketHandle(handle));
            emit q->connected();
        } else if (status == MOORLINE_WOULD_BLOCK) {
            QTimer::singleShot(retryMs, q, [this, name, wanted = attempt] {
                if (wanted == attempt)
                    tryToConnect(name);
            });
        } else {
            emit q->ended(errorText("moorline::MessageSocket", connectError(status), failureDetails(native.full())));
        }
    }

    void open(SocketHandle handle)
    {
        socket = std::move(handle);
        queue.clear();
        queued = 0;
        closing = unfinished = undrained = peerHungUp = false;
        attach();
    }

    bool attach()
    {
        if (!socket)
            return false;
        if (!hub) {
            hub = Hub::ofThisThread();
            if (!hub)
                return false;
            token = hub->add(this);
            (void)hub->watch(socket.get(), MOORLINE_READABLE, token);
            writableWatched = false;
        }
        return true;
    }

    void detach()
    {
        if (!hub)
            return;
        hub->unwatch(socket.get());
        hub->remove(token);
        hub.reset();
    }

    void drop()
    {
        ++attempt;
        detach();
        socket.reset();
    }

    void end(moorline_status status)
    {
        const bool ordinary = status == MOORLINE_OK || (status == MOORLINE_DISCONNECTED && queue.isEmpty());
        const QString failure
            = ordinary ? QString() : QLatin1String(moorline_status_name(status)) + QLatin1String(": ") + failureDetails();
        drop();
        queue.clear();
        emit q->ended(failure);
    }

    void receive()
    {
        const QPointer<MessageSocket> alive(q);
        const quint64 now = attempt;
        for (int told = 0; told < fairShare; ++told) {
            size_t length = 0;
            moorline_status status
                = moorline_socket_receive_message(socket.get(), buffer.data(), static_cast<size_t>(buffer.size()), 0, &length);
            if (status == MOORLINE_BUFFER_TOO_SMALL) {
                buffer.resize(static_cast<qsizetype>(length));
                status = moorline_socket_receive_message(socket.get(), buffer.data(), length, 0, &length);
            }
            if (status == MOORLINE_WOULD_BLOCK)
                return;
            if (status != MOORLINE_OK)
                return end(status);
            emit q->messageReceived(QByteArray(buffer.constData(), static_cast<qsizetype>(length)));
            if (!alive || now != attempt || !socket)
                return;
            quint32 more = 1;
            (void)moorline_socket_may_have_message(socket.get(), &more);
            if (!more && !peerHungUp)
                return;
        }
        unfinished = true;
        hub->schedule(token);
    }

    void send()
    {
        moorline_status status = MOORLINE_OK;
        while (status == MOORLINE_OK && !queue.isEmpty()) {
            const QByteArray &first = queue.first();
            status = moorline_socket_send_message(socket.get(), first.constData(), static_cast<size_t>(first.size()), 0);
            if (status == MOORLINE_OK)
                queued -= static_cast<quint64>(queue.takeFirst().size());
        }
        if (status == MOORLINE_OK)
            status = moorline_socket_flush(socket.get(), 0);
        const bool blocked = status == MOORLINE_WOULD_BLOCK;
        if (blocked != writableWatched) {
            writableWatched = blocked;
            (void)hub->change(socket.get(), MOORLINE_READABLE | (blocked ? quint32(MOORLINE_WRITABLE) : 0u), token);
        }
        if (blocked)
            return;
        if (status == MOORLINE_DISCONNECTED) // what the peer sent before it went comes first
            return receive();
        if (status != MOORLINE_OK || closing)
            return end(status);
        if (std::exchange(undrained, false))
            emit q->drained();
    }

    MessageSocket *const q;
    moorline_message_options options = MOORLINE_MESSAGE_OPTIONS_INIT;
    SocketHandle socket;
    std::shared_ptr<Hub> hub;
    Hub::Token token = 0;
    QList<QByteArray> queue;
    quint64 queued = 0;
    QByteArray buffer = QByteArray(4096, Qt::Uninitialized);
    quint64 attempt = 0; ///< Counts the connections, so that a slot that makes a new one is noticed.
    bool writableWatched = false;
    bool unfinished = false;
    bool peerHungUp = false; ///< The end of the stream is to be found, of which the hub does not tell again.
    bool undrained = false; ///< Something was queued, and drained() has not told of it.
    bool closing = false;
};

MessageSocket::MessageSocket(Framing framing, QObject *parent)
    : QObject(parent), d(std::make_unique<MessageSocketPrivate>(this, framing))
{
}

MessageSocket::~MessageSocket() = default;

void MessageSocket::setMaxMessageSize(quint64 bytes)
{
    d->options.max_message = static_cast<size_t>(bytes);
}

void MessageSocket::connectToServer(const QString &name)
{
    d->drop();
    d->tryToConnect(name);
}

bool MessageSocket::takeOver(LocalSocket *socket)
{
    if (socket->state() != LocalSocket::ConnectedState || socket->bytesAvailable() > 0 || socket->bytesToWrite() > 0)
        return false;
    const SocketHandle bytes = socket->d->channel.release();
    intptr_t descriptor = -1;
    moorline_socket *handle = nullptr;
    moorline_socket_options options = MOORLINE_SOCKET_OPTIONS_INIT;
    options.messages = &d->options;
    bool taken = false;
    if (moorline_socket_release_descriptor(bytes.get(), &descriptor) == MOORLINE_OK) {
        taken = moorline_socket_adopt_descriptor(static_cast<int>(descriptor), &options, &handle) == MOORLINE_OK;
        if (taken)
            d->drop();
    }
    socket->abort();
    if (taken)
        d->open(SocketHandle(handle));
    return taken;
}

bool MessageSocket::isConnected() const
{
    return d->socket && !d->closing;
}

bool MessageSocket::sendMessage(const QByteArray &message)
{
    if (!isConnected() || static_cast<quint64>(message.size()) > d->options.max_message)
        return false;
    d->queue.append(message);
    d->undrained = true;
    d->queued += static_cast<quint64>(message.size());
    if (d->attach())
        d->hub->schedule(d->token);
    return true;
}

quint64 MessageSocket::bytesToWrite() const
{
    return d->queued;
}

void MessageSocket::disconnectFromServer()
{
    ++d->attempt; // an attempt to connect is over, too
    if (!d->socket)
        return;
    d->closing = true;
    if (d->attach())
        d->hub->schedule(d->token);
}

} // namespace moorline

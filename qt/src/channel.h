// The bytes of one connection.
#ifndef MOORLINE_QT_CHANNEL_H
#define MOORLINE_QT_CHANNEL_H

#include "bytequeue.h"
#include "hub.h"

#include <memory>

namespace moorline {

struct SocketDeleter {
    void operator()(moorline_socket *socket) const { (void)moorline_socket_destroy(socket); }
};
using SocketHandle = std::unique_ptr<moorline_socket, SocketDeleter>;

/// The library's socket with what was received and not read, and what was written and not sent. It knows bytes and the hub,
/// and nothing of states and signals. Nothing here blocks.
class Channel {
public:
    explicit Channel(Hub::Client *client) : client_(client) {}
    ~Channel() { close(); }
    Q_DISABLE_COPY_MOVE(Channel)

    bool isOpen() const { return socket_ != nullptr; }
    moorline_socket *socket() const { return socket_.get(); }
    void open(SocketHandle socket) { socket_ = std::move(socket); }

    /// Joins the hub of the calling thread, if it has not. False if that is not possible for want of descriptors.
    bool attach();
    /// Leaves the hub.
    void detach();
    /// Detaches and closes. What was received and what was not sent stays.
    void close();
    /// Hands the socket out, detached, with what is not sent yet in `out`.
    SocketHandle release();

    /// Asks for a turn of the client's.
    void schedule();

    struct Result {
        qint64 bytes = 0;
        bool gone = false; ///< The connection is over in this direction.
        bool more = false; ///< It was stopped by a bound, not for want of bytes.
    };

    /// Takes what the system has, until `in` holds `limit` bytes; no limit if that is 0. `untilEnd`: the peer has hung up, so
    /// the connection is over with the last byte, even if the system does not say so: a peer may only have ended its receiving.
    Result receive(qint64 limit, bool untilEnd);
    /// Gives what is in `out` to the system, as much as it takes.
    Result send();

    ByteQueue in{ByteQueue::Received};
    ByteQueue out{ByteQueue::Written};

private:
    void watchWritable(bool writable);

    Hub::Client *const client_;
    SocketHandle socket_;
    std::shared_ptr<Hub> hub_;
    Hub::Token token_ = 0;
    bool watched_ = false;
    bool writableWatched_ = false;
    qint64 chunk_ = 0; ///< How much to ask for at once: as much as came lately.
};

} // namespace moorline

#endif

// What the tests of messages share.
#ifndef MOORLINE_TESTS_QT_MESSAGES_H
#define MOORLINE_TESTS_QT_MESSAGES_H

#include "subject.h"

#include <moorline/qt/MessageSocket>

#include <sys/socket.h>
#include <unistd.h>

#include <utility>

using moorline::MessageSocket;

/// Has more time for the handshake than any test takes.
class PatientSocket : public MessageSocket {
public:
    explicit PatientSocket(Framing framing) : MessageSocket(framing) { setHandshakeTimeout(10 * support::watchdogMs); }
};

/// The other end of a connection, as the system gives it.
class RawPeer {
public:
    RawPeer() { support::socketPair(ends_); }
    ~RawPeer() { close(); }
    Q_DISABLE_COPY_MOVE(RawPeer)

    bool connect(MessageSocket &socket) const
    {
        LocalSocket bytes;
        return bytes.setSocketDescriptor(ends_[0]) && socket.takeOver(&bytes);
    }
    bool send(const QByteArray &bytes) const
    {
        return ::send(ends_[1], bytes.constData(), size_t(bytes.size()), MSG_NOSIGNAL) == bytes.size();
    }
    QByteArray takeAll() const
    {
        QByteArray all;
        char part[65536];
        for (ssize_t size; (size = ::recv(ends_[1], part, sizeof(part), MSG_DONTWAIT)) > 0;)
            all.append(part, qsizetype(size));
        return all;
    }
    void takesNoMore() const { (void)::shutdown(ends_[1], SHUT_RD); }
    void sendsNoMore() const { (void)::shutdown(ends_[1], SHUT_WR); }
    void close()
    {
        if (ends_[1] >= 0)
            ::close(std::exchange(ends_[1], -1));
    }

private:
    int ends_[2];
};

#endif

// The same scenario with Qt's classes and with ours, and what was seen of it.
#ifndef MOORLINE_TESTS_QT_PARITY_H
#define MOORLINE_TESTS_QT_PARITY_H

#include <moorline/qt/localserver.h>
#include <moorline/qt/localsocket.h>

#include <QtCore/QStringList>
#include <QtNetwork/QLocalServer>
#include <QtNetwork/QLocalSocket>

struct QtsOwn {
    using Socket = QLocalSocket;
    using Server = QLocalServer;
};

struct Ours {
    using Socket = moorline::LocalSocket;
    using Server = moorline::LocalServer;
};

/// What a user sees of one object, line by line.
class Trace {
public:
    template <class Value>
    void add(const char *what, Value value)
    {
        QString line;
        QDebug(&line).nospace() << what << ' ' << value;
        lines_ += line;
    }

    /// Notes every signal, with what the socket looks like inside its slot.
    template <class Socket>
    void record(Socket *socket)
    {
        const auto note = [this, socket](const char *signal, qint64 value) {
            lines_ += QStringLiteral("%1(%2) %3").arg(QLatin1String(signal)).arg(value).arg(describe(socket));
        };
        QObject::connect(socket, &Socket::connected, [=] { note("connected", 0); });
        QObject::connect(socket, &Socket::disconnected, [=] { note("disconnected", 0); });
        QObject::connect(socket, &Socket::errorOccurred, [=](auto error) { note("errorOccurred", error); });
        QObject::connect(socket, &Socket::stateChanged, [=](auto state) { note("stateChanged", state); });
        QObject::connect(socket, &Socket::readyRead, [=] { note("readyRead", 0); });
        QObject::connect(socket, &Socket::channelReadyRead, [=](int channel) { note("channelReadyRead", channel); });
        QObject::connect(socket, &Socket::bytesWritten, [=](qint64 bytes) { note("bytesWritten", bytes); });
        QObject::connect(socket, &Socket::aboutToClose, [=] { note("aboutToClose", 0); });
        QObject::connect(socket, &Socket::readChannelFinished, [=] { note("readChannelFinished", 0); });
        QObject::connect(socket, &QObject::destroyed, [this] { lines_ += QStringLiteral("destroyed"); });
    }

    template <class Socket>
    void look(const char *when, Socket *socket)
    {
        lines_ += QStringLiteral("-- %1: %2").arg(QLatin1String(when), describe(socket));
    }

    const QStringList &lines() const { return lines_; }

private:
    template <class Socket>
    static QString describe(const Socket *socket)
    {
        return QStringLiteral("state %1 open %2 mode %3 available %4 name %5 full %6 valid %7")
            .arg(socket->state())
            .arg(socket->isOpen())
            .arg(int(socket->openMode()))
            .arg(socket->bytesAvailable())
            .arg(!socket->serverName().isEmpty())
            .arg(!socket->fullServerName().isEmpty())
            .arg(socket->isValid());
    }

    QStringList lines_;
};

#endif

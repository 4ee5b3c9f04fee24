// The states of a LocalSocket, and the signals that tell of them.
#ifndef MOORLINE_QT_LOCALSOCKET_P_H
#define MOORLINE_QT_LOCALSOCKET_P_H

#include "channel.h"
#include "forks.h"
#include "latesubscribers.h"
#include "retrytimer.h"
#include "watch.h"

#include <moorline/qt/localsocket.h>

#include <QtCore/qdeadlinetimer.h>
#include <QtCore/qproperty.h>

namespace moorline {

class LocalSocketPrivate final : public Hub::Client {
public:
    using OpenMode = QIODevice::OpenMode;
    using State = LocalSocket::LocalSocketState;
    using Error = LocalSocket::LocalSocketError;

    explicit LocalSocketPrivate(LocalSocket *socket);

    // Connecting: socketconnect.cpp.
    void connectTo(OpenMode mode);
    enum class Retry { Later, No };
    void tryToConnect(qint64 timeoutMs, Retry retry);
    bool onTimer(int id);
    bool setDescriptor(qintptr descriptor, State newState, OpenMode mode);

    // Leaving: socketclose.cpp.
    void disconnect();
    void close();
    void abort();
    void cancelConnecting();
    void handOver();

    // Data: socketio.cpp.
    void onReady(quint32 readiness) override;
    void onTurn() override;
    bool flush();
    /// To be called before something is written.
    void beginWriting()
    {
        if (channel.out.isEmpty())
            writtenAfterForks_ = forksSoFar();
    }
    void resumeReading();
    void emitReadyRead();

    // Going on, also in another thread: socketsteps.cpp.
    void leaveThread();

    // Waiting: socketwait.cpp.
    bool waitForConnected(const QDeadlineTimer &deadline);
    bool waitForReadyRead(const QDeadlineTimer &deadline);
    bool waitForBytesWritten(const QDeadlineTimer &deadline);
    bool waitForDisconnected(const QDeadlineTimer &deadline);

    bool isUp() const { return state == LocalSocket::ConnectedState || state == LocalSocket::ClosingState; }
    /// False also in slots that are told that the peer has gone.
    bool mayReceive() const { return isUp() && !peerFinished_ && !(steps_ & End); }
    void setState(State newState);
    void setError(Error newError, const char *where, const QString &details = QString());
    void fail(Error newError, const char *where, const QString &details = QString());

    LocalSocket *const q;
    Watchable watchable;
    Channel channel{this};
    LateSubscribers late;
    State state = LocalSocket::UnconnectedState;
    Error error = LocalSocket::UnknownSocketError;
    QString serverName;
    QString fullServerName;
    QProperty<LocalSocket::SocketOptions> options{LocalSocket::NoOptions};
    OpenMode mode = QIODevice::NotOpen; ///< Of the connection: the device's own is reset when it closes.
    ServerTrust trust = ServerTrust::Anyone;
    qint64 readBufferSize = 0;
    int lingerTimeout;
    quint64 arrivals = 0; ///< Counts the batches of bytes that came.
    quint64 departures = 0; ///< Counts those that went.
    bool isUsable = false; ///< What QLocalSocket::isValid() says.
    bool unbufferedAsked = false;

private:
    /// What is still to be done of a change of states, in this order, when the slots that are told of it have run: here, or in the thread
    /// that one of them has moved the socket to. Who sets some takes them; a slot that comes here leaves those of its caller alone.
    enum Step : quint32 {
        GiveUpConnecting = 1,
        TellConnected = 2,
        BecomeClosing = 4,
        End = 8,
        TellFinished = 16,
        TellDisconnected = 32,
        DropUnsent = 64,
        CallClose = 128,
        TellClosing = 256,
        CloseDevice = 512,
        CloseConnection = 1024,
        TellGivenUp = 2048,
        EndIfSent = 4096,
    };
    static constexpr quint32 closing = TellClosing | CloseDevice | CloseConnection;
    static constexpr quint32 givingUp = GiveUpConnecting | CallClose | closing | TellGivenUp;
    enum class Announce { Closing, Nothing };
    enum class Waited { Ready, TimedOut, Gone };

    void beginConnection(OpenMode openMode);
    void becomeConnected(SocketHandle socket);
    void openDevice();
    void takeSteps(const Watch &watch, quint32 steps);
    void take(Step step);
    void goOnHere();
    void end();
    bool isEnding() const;
    /// Slots are told of ConnectedState, and the device is not open yet: what comes in an event loop that one of them runs could not be
    /// read.
    bool isBeginning() const { return steps_ & TellConnected; }
    void finishReceiving(Announce announce, const Watch &watch);
    void loseConnection(Announce announce);
    qint64 sendSome(Announce announce, const Watch &watch);
    void emitReadyRead(const Watch &watch);
    void emitBytesWritten(qint64 bytes, const Watch &watch);
    bool isFull() const { return readBufferSize > 0 && channel.in.size() >= readBufferSize; }
    void takeBytes(bool untilEnd, Announce announce, const Watch &watch);
    Waited waitFor(quint32 interest, const QDeadlineTimer &deadline);
    bool isLate(Waited waited, const QDeadlineTimer &deadline) const;
    quint32 wantedNow() const;
    bool handle(quint32 readiness, bool untilEnd);
    void tellTimeout(const char *where);

    quint32 steps_ = 0; ///< Those to be taken.
    RetryTimer retry_{q, 1, 100}; ///< While the server's backlog is full.
    quint64 toldArrivals_ = 0; ///< What arrivals was when readyRead was emitted last.
    qint64 written_ = 0; ///< Sent, and not told by bytesWritten yet.
    quint32 writtenAfterForks_ = 0; ///< Which process has written what is not sent yet, or the first of it.
    bool paused_ = false; ///< The read buffer is full, or its share is used up.
    bool peerHungUp_ = false; ///< Or takes nothing any more.
    bool peerFinished_ = false; ///< All that it sends has come, and what it gets is being sent still.
    bool takesNothing_ = false; ///< The peer, as a send has found out.
    bool connects_ = false; ///< The connection is for us to make.
    bool discards_ = false; ///< Closed while bytes are sent still: nobody will read.
    bool emittingReadyRead_ = false;
    bool emittingBytesWritten_ = false;
};

} // namespace moorline

#endif

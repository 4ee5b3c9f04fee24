// How a LocalSocket gets connected.
#include "errors.h"
#include "localsocket_p.h"
#include "names.h"

namespace moorline {

namespace {
constexpr char connecting[] = "moorline::LocalSocket::connectToServer";
}

void LocalSocketPrivate::connectTo(OpenMode openMode)
{
    if (state == LocalSocket::ConnectedState || state == LocalSocket::ConnectingState) {
        q->setErrorString(errorText(connecting, LocalSocket::OperationError));
        emit q->errorOccurred(LocalSocket::OperationError);
        return;
    }
    handOver(); // what a connection that is closing has not sent yet
    channel.close();
    channel.in.clear();
    channel.out.clear();
    late.forgetAll();
    beginConnection(openMode);
    const Watch watch(&watchable);
    q->setErrorString(QString());
    connects_ = true;
    setState(LocalSocket::ConnectingState);
    if (watch.goesOn() && state == LocalSocket::ConnectingState)
        tryToConnect(0, Retry::Later);
}

void LocalSocketPrivate::beginConnection(OpenMode openMode)
{
    watchable.renew();
    mode = openMode;
    steps_ = 0;
    retry_.stop();
    written_ = 0;
    toldArrivals_ = arrivals;
    paused_ = peerHungUp_ = peerFinished_ = takesNothing_ = connects_ = discards_ = false;
}

// One try, after which the socket may be gone.
void LocalSocketPrivate::tryToConnect(qint64 timeoutMs, Retry retry)
{
    const NativeName name(serverName, options.value().testFlag(LocalSocket::AbstractNamespaceOption));
    moorline_socket *socket = nullptr;
    const moorline_status status = name.connect(timeoutMs, trust, &socket);
    // The backlog is full: the server is there and will have time for us.
    if (status == MOORLINE_WOULD_BLOCK || status == MOORLINE_TIMED_OUT) {
        if (retry == Retry::Later)
            retry_.start();
        return;
    }
    // Slots that are told what came of it may run an event loop, in which it is not to be tried again.
    retry_.stop();
    if (status == MOORLINE_OK) {
        fullServerName = name.full();
        becomeConnected(SocketHandle(socket));
        return;
    }

    const Watch watch(&watchable);
    steps_ |= GiveUpConnecting;
    fail(connectError(status), connecting, failureDetails(name.full()));
    if (watch.goesOn())
        takeSteps(watch, givingUp);
}

// False if the timer is not ours.
bool LocalSocketPrivate::onTimer(int id)
{
    if (!retry_.hasExpired(id))
        return false;
    if (state == LocalSocket::ConnectingState)
        tryToConnect(0, Retry::Later);
    return true;
}

void LocalSocketPrivate::becomeConnected(SocketHandle socket)
{
    const Watch watch(&watchable);
    channel.open(std::move(socket));
    if (!channel.attach()) {
        channel.close();
        steps_ |= GiveUpConnecting;
        fail(LocalSocket::SocketResourceError, connecting, failureDetails());
    } else {
        isUsable = true;
        error = LocalSocket::UnknownSocketError;
        steps_ |= TellConnected;
        setState(LocalSocket::ConnectedState);
    }
    if (watch.goesOn())
        takeSteps(watch, givingUp | TellConnected);
}

// Also for a mode that is none: the device may be open still, from the connection before.
void LocalSocketPrivate::openDevice()
{
    unbufferedAsked = mode.testFlag(QIODevice::Unbuffered);
    // The channel is the buffer.
    q->QIODevice::open(mode == QIODevice::NotOpen ? mode : mode | QIODevice::Unbuffered);
}

bool LocalSocketPrivate::setDescriptor(qintptr descriptor, State newState, OpenMode openMode)
{
    moorline_socket *adopted = nullptr;
    moorline_status status = MOORLINE_INVALID_ARGUMENT;
    if (descriptor >= 0) {
        const BoundName bound = BoundName::of(descriptor);
        status = moorline_socket_adopt_descriptor(static_cast<int>(descriptor), nullptr, &adopted);
        if (status == MOORLINE_OK) {
            serverName = bound.name;
            fullServerName = bound.full;
            bound.tellOptions(options);
        }
    }
    handOver();
    channel.close();
    channel.in.clear();
    channel.out.clear();
    late.forgetAll();
    beginConnection(openMode);
    channel.open(SocketHandle(adopted));
    state = newState;
    if (channel.isOpen() && isUp() && !channel.attach()) {
        channel.close();
        isUsable = false;
        serverName.clear();
        fullServerName.clear();
        state = LocalSocket::UnconnectedState;
        fail(LocalSocket::SocketResourceError, "moorline::LocalSocket::setSocketDescriptor", failureDetails());
        return false; // from here on a slot may have deleted it
    }
    isUsable = channel.isOpen();
    error = LocalSocket::UnknownSocketError;
    openDevice();
    return status == MOORLINE_OK;
}

} // namespace moorline

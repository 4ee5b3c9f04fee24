#include "hub.h"

#include "applicationend.h"

#include <QtCore/qabstracteventdispatcher.h>
#include <QtCore/qcoreapplication.h>
#include <QtCore/qcoreevent.h>
#include <QtCore/qsocketnotifier.h>

#include <algorithm>
#include <utility>

namespace moorline {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;

// The longest that one activation keeps the thread's other work waiting, while bytes keep coming.
constexpr microseconds longestActivation{2000};
constexpr microseconds usualBusyPoll{50};
constexpr microseconds longestBusyPoll{1000};
// Looking for more that finds nothing is left for twice as many activations as the last time, up to this.
constexpr int mostSkipped = 2048;

thread_local std::weak_ptr<Hub> thisThreadsHub;
thread_local microseconds thisThreadsBusyPoll = usualBusyPoll;

// Of a type that Qt gives to nobody else: those from QEvent::User on are the application's, which may look at all events and take its own.
QEvent::Type wakeType()
{
    static const auto type = static_cast<QEvent::Type>(QEvent::registerEventType());
    return type;
}

quint32 indexOf(Hub::Token token)
{
    return static_cast<quint32>(token);
}

quint32 generationOf(Hub::Token token)
{
    return static_cast<quint32>(token >> 32);
}

} // namespace

std::shared_ptr<Hub> Hub::ofThisThread()
{
    std::shared_ptr<Hub> hub = thisThreadsHub.lock();
    if (!hub) {
        moorline_poller *poller = nullptr;
        if (moorline_poller_create(nullptr, &poller) != MOORLINE_OK)
            return nullptr;
        hub.reset(new Hub(poller));
        thisThreadsHub = hub;
    }
    hub->ensureNotifier();
    return hub;
}

Hub::Hub(moorline_poller *poller) : poller_(poller)
{
}

Hub::~Hub()
{
    delete notifier_; // before the descriptor that it watches
    (void)moorline_poller_destroy(poller_);
}

void Hub::ensureNotifier()
{
    if (notifier_)
        return;
    QAbstractEventDispatcher *dispatcher = QAbstractEventDispatcher::instance();
    if (!dispatcher) {
        // A thread gets its dispatcher with its first event loop, and that will deliver this.
        wakeLater();
        return;
    }
    intptr_t descriptor = -1;
    if (moorline_poller_descriptor(poller_, &descriptor) != MOORLINE_OK)
        return;
    notifier_ = new QSocketNotifier(descriptor, QSocketNotifier::Read);
    connect(notifier_, &QSocketNotifier::activated, this, [this] { dispatch(Why::Notified); });
    // An event loop that a slot runs is not woken for what the outer dispatch has taken from the poller already.
    const auto beforeLoop = [this] {
        if (depth_ > 0 && hasWaiting())
            wakeLater();
    };
    connect(dispatcher, &QAbstractEventDispatcher::awake, this, beforeLoop);
    connect(dispatcher, &QAbstractEventDispatcher::aboutToBlock, this, beforeLoop);
    // It goes with the application or the thread. What is posted is delivered by the next application, or when the thread is started
    // again, and the next notifier is made then. What was posted before may be gone.
    connect(dispatcher, &QObject::destroyed, this, [this, dispatcher] {
        delete std::exchange(notifier_, nullptr);
        whenEventsStay(dispatcher, [weak = weak_from_this()] {
            if (const std::shared_ptr<Hub> hub = weak.lock()) {
                hub->wakePosted_ = false;
                hub->wakeLater();
            }
        });
    });
}

void Hub::wakeLater()
{
    if (wakePosted_)
        return;
    wakePosted_ = true;
    QCoreApplication::postEvent(this, new QEvent(wakeType()));
}

bool Hub::event(QEvent *event)
{
    if (event->type() != wakeType())
        return QObject::event(event);
    wakePosted_ = false;
    ensureNotifier();
    dispatch(Why::Posted); // may end with the hub gone
    return true;
}

Hub::Token Hub::add(Client *client)
{
    quint32 index;
    if (free_.empty()) {
        index = static_cast<quint32>(slots_.size());
        slots_.emplace_back();
    } else {
        index = free_.back();
        free_.pop_back();
    }
    slots_[index].client = client;
    return (Token(slots_[index].generation) << 32) | index;
}

void Hub::remove(Token token)
{
    Slot *slot = find(token);
    if (!slot)
        return;
    slot->client = nullptr;
    slot->scheduled = false;
    slot->listed = false;
    // A slot whose generations are used up is never used again.
    if (++slot->generation != 0)
        free_.push_back(indexOf(token));
}

Hub::Slot *Hub::find(Token token)
{
    const quint32 index = indexOf(token);
    if (index >= slots_.size())
        return nullptr;
    Slot &slot = slots_[index];
    return slot.client && slot.generation == generationOf(token) ? &slot : nullptr;
}

void Hub::schedule(Token token)
{
    Slot *slot = find(token);
    // Without a notifier what was posted for a turn may be gone.
    if (!slot || (slot->scheduled && notifier_))
        return;
    slot->scheduled = true;
    if (!slot->listed) {
        slot->listed = true;
        turns_.push_back(token);
    }
    if (depth_ == 0)
        wakeLater();
}

moorline_status Hub::watch(moorline_socket *socket, quint32 interest, Token token)
{
    return moorline_poller_add_socket(poller_, socket, interest | MOORLINE_EDGE, token);
}

moorline_status Hub::change(moorline_socket *socket, quint32 interest, Token token)
{
    return moorline_poller_modify_socket(poller_, socket, interest | MOORLINE_EDGE, token);
}

void Hub::unwatch(moorline_socket *socket)
{
    (void)moorline_poller_remove_socket(poller_, socket);
}

moorline_status Hub::watch(moorline_server *server, Token token)
{
    return moorline_poller_add_server(poller_, server, MOORLINE_READABLE | MOORLINE_EDGE, token);
}

void Hub::unwatch(moorline_server *server)
{
    (void)moorline_poller_remove_server(poller_, server);
}

bool Hub::hasWaiting() const
{
    return eventsNext_ < eventsCount_ || turnsNext_ < turns_.size();
}

// Tells one batch of events and gives the turns that were asked for until then. If there are neither it looks for events for so
// long. False if there was nothing.
bool Hub::tellOnce(microseconds look)
{
    if (eventsNext_ == eventsCount_) {
        const auto duration = static_cast<quint32>(hasWaiting() ? 0 : look.count());
        eventsNext_ = 0;
        if (moorline_poller_look(poller_, events_.data(), events_.size(), duration, &eventsCount_) != MOORLINE_OK)
            eventsCount_ = 0;
    }
    const bool any = hasWaiting();
    while (eventsNext_ < eventsCount_) {
        const moorline_event event = events_[eventsNext_++];
        if (Slot *slot = find(event.token)) {
            slot->client->onReady(event.readiness);
            // An answer goes out while it is in the processor's cache.
            giveTurn(event.token);
        }
    }
    // Turns asked for from here on wait for the next round, so that no client keeps the others waiting.
    for (size_t count = turns_.size() - turnsNext_; count > 0 && turnsNext_ < turns_.size(); --count) {
        const Token token = turns_[turnsNext_++];
        if (Slot *slot = find(token))
            slot->listed = false;
        giveTurn(token);
    }
    if (turnsNext_ == turns_.size()) {
        turns_.clear();
        turnsNext_ = 0;
    }
    return any;
}

// Gives the client the turn that it asked for, unless it has had it.
void Hub::giveTurn(Token token)
{
    Slot *slot = find(token);
    if (!slot || !slot->scheduled)
        return;
    slot->scheduled = false;
    slot->client->onTurn();
}

void Hub::dispatch(Why why)
{
    const std::shared_ptr<Hub> self = shared_from_this();
    ++depth_;
    const bool spins = skip_ == 0;
    const microseconds spin = spins ? thisThreadsBusyPoll : microseconds::zero();
    const Clock::time_point start = Clock::now();
    // The first round tells of what woke us, and the others of what has come since.
    (void)tellOnce(microseconds::zero());
    bool foundMore = false;
    for (;;) {
        const auto left = std::chrono::duration_cast<microseconds>(start + longestActivation - Clock::now());
        if (left <= microseconds::zero() || !tellOnce(std::min(spin, left)))
            break;
        foundMore = true;
    }
    // Without looking a second round may find more, too, but that says nothing.
    if (!spins) {
        --skip_;
    } else if (spin > microseconds::zero()) {
        penalty_ = foundMore ? 0 : std::clamp(2 * penalty_, 1, mostSkipped);
        skip_ = penalty_;
    }
    --depth_;
    if (!hasWaiting())
        return;
    // By the other way than this time: Qt delivers events that are posted meanwhile before it does anything else, and GLib
    // runs timers only when no descriptor is ready, or after such events.
    if (why == Why::Posted && notifier_)
        (void)moorline_poller_wake(poller_);
    else
        wakeLater();
}

void Hub::setBusyPoll(microseconds duration)
{
    thisThreadsBusyPoll = std::clamp(duration, microseconds::zero(), longestBusyPoll);
}

microseconds Hub::busyPoll()
{
    return thisThreadsBusyPoll;
}

} // namespace moorline

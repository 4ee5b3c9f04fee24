// The hub of a thread: the one place where its sockets and servers learn what happened.
#ifndef MOORLINE_QT_HUB_H
#define MOORLINE_QT_HUB_H

#include <moorline/moorline.h>

#include <QtCore/qobject.h>

#include <array>
#include <chrono>
#include <memory>
#include <vector>

QT_BEGIN_NAMESPACE
class QSocketNotifier;
QT_END_NAMESPACE

namespace moorline {

/// Every thread that uses sockets or servers has one: one poller, and one QSocketNotifier on the poller's descriptor, however
/// many sockets there are. It is made on first use and goes with the last client.
///
/// Clients are known by tokens that are never used twice, so an event that comes late for one that has gone finds nobody.
/// Slots may do anything meanwhile: delete clients, run event loops, leave the hub without clients.
class Hub final : public QObject, public std::enable_shared_from_this<Hub> {
public:
    /// Whom the hub tells.
    class Client {
    public:
        /// The system has news, MOORLINE_READABLE and the like. They are told once: what is not read until nothing is left
        /// is not told again.
        virtual void onReady(quint32 readiness) = 0;
        /// The turn that the client asked for.
        virtual void onTurn() = 0;

    protected:
        ~Client() = default;
    };
    using Token = quint64; ///< 0 is no client's.

    /// The calling thread's hub; null if the system has no descriptors left for one.
    static std::shared_ptr<Hub> ofThisThread();
    ~Hub() override;

    Token add(Client *client);
    void remove(Token token);

    /// Asks for a turn: after the events that are being told, or when the event loop comes round.
    void schedule(Token token);

    moorline_status watch(moorline_socket *socket, quint32 interest, Token token);
    moorline_status change(moorline_socket *socket, quint32 interest, Token token);
    void unwatch(moorline_socket *socket);
    moorline_status watch(moorline_server *server, Token token);
    void unwatch(moorline_server *server);

    static void setBusyPoll(std::chrono::microseconds duration);
    static std::chrono::microseconds busyPoll();

protected:
    bool event(QEvent *event) override;

private:
    struct Slot {
        Client *client = nullptr;
        quint32 generation = 1;
        bool scheduled = false; ///< A turn is asked for.
        bool listed = false; ///< It is in turns_, also if it has had its turn meanwhile.
    };

    explicit Hub(moorline_poller *poller);
    Slot *find(Token token);
    void ensureNotifier();
    void wakeLater();
    enum class Why { Notified, Posted };
    void dispatch(Why why);
    bool tellOnce(std::chrono::microseconds look);
    void giveTurn(Token token);
    bool hasWaiting() const;

    moorline_poller *const poller_;
    QSocketNotifier *notifier_ = nullptr;
    bool wakePosted_ = false;
    int depth_ = 0; ///< How many dispatches are on the stack: more than one where a slot runs an event loop.
    int skip_ = 0; ///< How many activations from here on do not look for more before the thread sleeps.
    int penalty_ = 0; ///< What skip_ was set to when looking last found nothing.
    std::vector<Slot> slots_;
    std::vector<quint32> free_;
    // Both lists are the hub's and not a dispatch's, so that an event loop inside a slot goes on where the outer one is.
    std::array<moorline_event, 256> events_;
    size_t eventsNext_ = 0;
    size_t eventsCount_ = 0;
    std::vector<Token> turns_;
    size_t turnsNext_ = 0;
};

} // namespace moorline

#endif

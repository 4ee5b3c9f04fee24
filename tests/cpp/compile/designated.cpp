// What a caller fills in, member by member: the compiler has nothing to say of those that are left out.
#include <moorline/moorline.hpp>

namespace moorline {

Result<Service> echoes();
Result<Service> echoes() {
    return Service::create(
        {.received = [](Connection connection, BytesView bytes) { static_cast<void>(connection.send(bytes, Timeout::none())); }},
        {.workers = 2, .policy = Policy::same_user()});
}

Result<Service> closes();
Result<Service> closes() {
    return Service::create(
        {.connected = [](Connection connection) { static_cast<void>(connection.close()); }, .finished = [](Connection) {}},
        {.max_connections = 1});
}

Result<Socket> connects(const char* name);
Result<Socket> connects(const char* name) {
    MessageOptions messages = Framing::checked;
    messages.application = {.version = 2};
    return Socket::connect(name, Timeout::none(), {.trust = Trust::anyone, .messages = messages});
}

Result<Server> listens();
Result<Server> listens() { return Server::create({.mode = 0666, .messages = Framing::lines}); }

Result<Poller> polls();
Result<Poller> polls() { return Poller::create({.busy_poll = std::chrono::microseconds(0)}); }

Outcome<ExchangeReport> exchanges(const char* name);
Outcome<ExchangeReport> exchanges(const char* name) { return run_exchange(name, {.connections = 2}, Timeout::none()); }

}  // namespace moorline

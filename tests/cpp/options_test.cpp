// Each field of each options struct does what it says, with a value that the default does not have. Trust has a test of its
// own, since it needs another user.
#include <sys/stat.h>

#include <array>

#include "support.hpp"

namespace {

using moorline::BytesView;
using moorline::Connection;
using moorline::Scope;
using moorline::Server;
using moorline::ServerOptions;
using moorline::Service;
using moorline::ServiceOptions;
using moorline::Socket;
using moorline::SocketOptions;

using OptionsTest = Clean;

// More than any kernel takes for a socket whose peer does not read.
constexpr std::size_t much = std::size_t{64} * 1024 * 1024;

mode_t mode_of(const std::string& path) {
    struct stat status = {};
    return stat(path.c_str(), &status) == 0 ? status.st_mode & 07777 : 0;
}

// An abstract name that nobody else has: the test's own directory is one as well.
std::string own_name(const std::string& directory) { return directory.substr(directory.rfind('/') + 1); }

// How the attempt to connect ends that finds no room, of many that nobody accepts.
Status fill_backlog(const std::string& name, std::vector<Socket>& waiting) {
    for (int i = 0; i < 50; ++i) {
        auto client = Socket::connect(name, Timeout::none());
        if (!client) {
            return client.error().status();
        }
        waiting.push_back(std::move(*client));
    }
    return Status::ok;
}

TEST_F(OptionsTest, ServerMode) {
    ServerOptions options;
    options.mode = 0642;
    Server server = must(Server::create(options));
    must(server.listen("mode"));
    EXPECT_EQ(mode_of(path("mode")), 0642u);
}

TEST_F(OptionsTest, ServerBacklog) {
    ServerOptions options;
    options.backlog = 1;
    Server server = must(Server::create(options));
    must(server.listen("backlog"));
    std::vector<Socket> waiting;
    EXPECT_EQ(fill_backlog("backlog", waiting), Status::would_block);
}

TEST_F(OptionsTest, ServerAndSocketScope) {
    const std::string name = own_name(directory());
    ServerOptions options;
    options.scope = Scope::abstract;
    Server server = must(Server::create(options));
    must(server.listen(name));
    EXPECT_EQ(mode_of(path(name)), 0u);
    EXPECT_FAILS(Socket::connect(name, Timeout::none()), Status::not_found);
    SocketOptions socket_options;
    socket_options.scope = Scope::abstract;
    Socket client = must(Socket::connect(name, patience, socket_options));
    EXPECT_OK(server.accept(patience));
}

TEST_F(OptionsTest, ServerSendQueueLimit) {
    ServerOptions options;
    options.send_queue_limit = 2 * much;
    Server server = must(Server::create(options));
    must(server.listen("queue"));
    Socket client = must(Socket::connect("queue", patience));
    Socket accepted = must(server.accept(patience));
    EXPECT_OK(accepted.send(std::string(much, 'x'), Timeout::none()));
    EXPECT_FAILS(client.send(std::string(much, 'x'), Timeout::none()), Status::would_block);
}

TEST_F(OptionsTest, SocketSendQueueLimit) {
    SocketOptions options;
    options.send_queue_limit = 2 * much;
    auto pair = must(Socket::pair(options));
    EXPECT_OK(pair.first.send(std::string(much, 'x'), Timeout::none()));
    EXPECT_OK(pair.first.try_send("x"));
    EXPECT_FAILS(pair.first.try_send(std::string(2 * much, 'x')), Status::would_block);
    EXPECT_FAILS(pair.first.try_send(std::string(2 * much + 1, 'x')), Status::invalid_argument);

    Server server = must(Server::create());
    must(server.listen("queue"));
    Socket client = must(Socket::connect("queue", patience, options));
    EXPECT_OK(client.send(std::string(much, 'x'), Timeout::none()));
}

TEST_F(OptionsTest, SocketBusyPoll) {
    SocketOptions options;
    options.busy_poll = 10s;
    auto [first, second] = must(Socket::pair(options));
    char buffer[1];
    EXPECT_TRUE(eventually([&, &socket = first] {
        const auto before = processor_time();
        EXPECT_FAILS(socket.receive(buffer, 50ms), Status::timed_out);
        return processor_time() - before > 10ms;
    }));
    must(second.send("x", patience));
    EXPECT_EQ(must(first.receive(buffer, patience)), 1u);
}

TEST_F(OptionsTest, PollerBusyPoll) {
    moorline::PollerOptions options;
    options.busy_poll = 10s;
    std::array<moorline::Event, 4> events;
    {
        moorline::Poller poller = must(moorline::Poller::create(options));
        // Until it has been seen to work and not to sleep: a busy machine may not give it much time.
        EXPECT_TRUE(eventually([&] {
            const auto before = processor_time();
            EXPECT_FAILS(poller.wait(events, 50ms), Status::timed_out);
            return processor_time() - before > 10ms;
        }));
    }
    // Too long and negative times are no surprise either.
    options.busy_poll = std::chrono::microseconds::max();
    must(moorline::Poller::create(options));
    options.busy_poll = -1us;
    moorline::Poller poller = must(moorline::Poller::create(options));
    EXPECT_FAILS(poller.wait(events, 10ms), Status::timed_out);
}

TEST_F(OptionsTest, ServiceModeAndScope) {
    ServiceOptions options;
    options.mode = 0642;
    Service service = must(Service::echo(options));
    must(service.start("mode"));
    EXPECT_EQ(mode_of(path("mode")), 0642u);

    options.scope = Scope::abstract;
    const std::string name = own_name(directory());
    Service abstract = must(Service::echo(options));
    must(abstract.start(name));
    EXPECT_EQ(mode_of(path(name)), 0u);
    SocketOptions socket_options;
    socket_options.scope = Scope::abstract;
    EXPECT_OK(Socket::connect(name, patience, socket_options));
}

TEST_F(OptionsTest, ServiceBacklog) {
    std::promise<void> connected;
    std::promise<void> go_on;
    Service::Handler handler;
    handler.connected = [&, first = true](Connection) mutable {
        if (first) {
            first = false;
            connected.set_value();
            go_on.get_future().wait();
        }
    };
    ServiceOptions options;
    options.backlog = 1;
    Service service = must(Service::create(handler, options));
    must(service.start("backlog"));
    std::vector<Socket> waiting;
    waiting.push_back(must(Socket::connect("backlog", patience)));
    // The worker is busy with the first one, and accepts no more.
    EXPECT_EQ(connected.get_future().wait_for(patience), std::future_status::ready);
    EXPECT_EQ(fill_backlog("backlog", waiting), Status::would_block);
    go_on.set_value();
}

TEST_F(OptionsTest, ServiceWorkers) {
    const std::size_t threads = running_threads();
    ServiceOptions options;
    options.workers = 3;
    Service service = must(Service::echo(options));
    must(service.start("workers"));
    EXPECT_GE(running_threads(), threads + 3);
}

TEST_F(OptionsTest, ServiceMaxConnections) {
    ServiceOptions options;
    options.max_connections = 1;
    Service service = must(Service::echo(options));
    must(service.start("max"));
    Socket first = must(Socket::connect("max", patience));
    must(first.send("x", patience));
    EXPECT_EQ(receive_exactly(first, 1), "x");
    Socket second = must(Socket::connect("max", patience));
    char buffer[1];
    EXPECT_FAILS(second.receive(buffer, patience), Status::disconnected);
    EXPECT_EQ(service.stop(patience).report.refused, 1u);
}

TEST_F(OptionsTest, ServiceBusyPoll) {
    ServiceOptions options;
    options.busy_poll = 1h;
    Service service = must(Service::echo(options));
    must(service.start("busy"));
    const auto before = processor_time_of_others();
    EXPECT_TRUE(eventually([&] { return processor_time_of_others() - before > 50ms; }));
}

// The marks are far from their defaults, half of the limit and a quarter of that.
TEST_F(OptionsTest, ServiceQueueLimitAndWaterMarks) {
    constexpr std::size_t million = 1'000'000;
    std::atomic<std::size_t> high{0};
    std::atomic<std::size_t> low{0};
    std::promise<Connection> connected;
    Service::Handler handler;
    handler.connected = [&](Connection connection) { connected.set_value(connection); };
    handler.high_water = [&](Connection, std::size_t queued) { high = queued; };
    handler.low_water = [&](Connection, std::size_t queued) { low = queued; };
    ServiceOptions options;
    options.queue_limit = 100 * million;
    options.high_water = 20 * million;
    options.low_water = 15 * million;
    Service service = must(Service::create(handler, options));
    must(service.start("queue"));
    Socket client = must(Socket::connect("queue", patience));
    auto future = connected.get_future();
    ASSERT_EQ(future.wait_for(patience), std::future_status::ready);
    const Connection connection = future.get();

    const std::string data(40 * million, 'x');
    must(connection.send(data, Timeout::none()));
    EXPECT_TRUE(eventually([&] { return high > 0; }));
    EXPECT_GT(high, 20 * million);
    EXPECT_EQ(low, 0u);
    // Not all of it: of a queue that empties while it is read, the mark would tell nothing but that.
    EXPECT_EQ(receive_exactly(client, 27 * million).size(), 27 * million);
    EXPECT_TRUE(eventually([&] { return low > 0; }));
    EXPECT_LE(low, 15 * million);
    EXPECT_GT(low, 10 * million);
    EXPECT_EQ(receive_exactly(client, 13 * million).size(), 13 * million);

    // And the limit is one.
    std::size_t taken = 0;
    auto sent = connection.send(data, Timeout::none());
    for (; sent; sent = connection.send(data, Timeout::none())) {
        taken += data.size();
    }
    EXPECT_FAILS(sent, Status::would_block);
    taken += sent.error().sent();
    EXPECT_GE(taken, 90 * million);
    EXPECT_LE(taken, 120 * million);
    EXPECT_FAILS(connection.try_send("no room"), Status::would_block);
    EXPECT_FAILS(connection.try_send({data.data(), options.queue_limit + 1}), Status::invalid_argument);
}

// All or nothing, and who has found no room is told when there is some, however little is queued.
TEST_F(OptionsTest, ServiceSendsThatFindNoRoom) {
    std::atomic<int> low{0};
    std::promise<Connection> connected;
    Service::Handler handler;
    handler.connected = [&](Connection connection) { connected.set_value(connection); };
    handler.low_water = [&](Connection, std::size_t) { ++low; };
    Service service = must(Service::create(handler));
    must(service.start("room"));
    Socket client = must(Socket::connect("room", patience));
    auto future = connected.get_future();
    ASSERT_EQ(future.wait_for(patience), std::future_status::ready);
    const Connection connection = future.get();

    std::size_t taken = 0;
    while (must(connection.statistics()).queued == 0) {
        must(connection.try_send("some"));
        taken += 4;
    }
    const std::string full_queue(1 << 20, 'x');
    EXPECT_FAILS(connection.try_send(full_queue), Status::would_block);
    EXPECT_EQ(receive_exactly(client, taken).size(), taken);
    EXPECT_TRUE(eventually([&] { return low == 1; }));
    must(connection.try_send(full_queue));
    EXPECT_EQ(receive_exactly(client, full_queue.size()), full_queue);
}

TEST_F(OptionsTest, ServicePolicy) {
    ServiceOptions options;
    options.policy = moorline::Policy::listed({});
    Service service = must(Service::echo(options));
    must(service.start("policy"));
    Socket client = must(Socket::connect("policy", patience));
    char buffer[1];
    EXPECT_FAILS(client.receive(buffer, patience), Status::disconnected);
    EXPECT_EQ(service.stop(patience).report.refused, 1u);
}

TEST_F(OptionsTest, ServiceConnectionRate) {
    ServiceOptions options;
    options.connection_rate = 20;
    Service service = must(Service::echo(options));
    must(service.start("rate"));
    const auto start = std::chrono::steady_clock::now();
    // Some may come at once; what is beyond that waits.
    for (int i = 0; i < 30; ++i) {
        Socket client = must(Socket::connect("rate", patience));
        must(client.send("x", patience));
        EXPECT_EQ(receive_exactly(client, 1), "x");
    }
    EXPECT_GE(std::chrono::steady_clock::now() - start, 400ms);
}

TEST_F(OptionsTest, ServiceIdleTimeout) {
    std::promise<Status> ended;
    Service::Handler handler;
    handler.disconnected = [&](Connection, Status reason) { ended.set_value(reason); };
    ServiceOptions options;
    options.idle_timeout = 20ms;
    Service service = must(Service::create(handler, options));
    must(service.start("idle"));
    Socket client = must(Socket::connect("idle", patience));
    auto future = ended.get_future();
    ASSERT_EQ(future.wait_for(patience), std::future_status::ready);
    EXPECT_EQ(future.get(), Status::timed_out);
}

TEST_F(OptionsTest, ServiceLinger) {
    std::promise<Status> ended;
    Service::Handler handler;
    handler.connected = [](Connection connection) {
        // More than the kernel takes, to a peer that does not read.
        static_cast<void>(connection.send(std::string(8 << 20, 'x'), Timeout::none()));
        must(connection.close());
    };
    handler.disconnected = [&](Connection, Status reason) { ended.set_value(reason); };
    ServiceOptions options;
    options.queue_limit = 16 << 20;
    options.linger = 1h;
    Service patient = must(Service::create(handler, options));
    must(patient.start("patient"));
    Socket held_up = must(Socket::connect("patient", patience));

    options.linger = 20ms;
    std::promise<Status> ended_soon;
    handler.disconnected = [&](Connection, Status reason) { ended_soon.set_value(reason); };
    Service hasty = must(Service::create(handler, options));
    must(hasty.start("hasty"));
    Socket client = must(Socket::connect("hasty", patience));
    auto soon = ended_soon.get_future();
    ASSERT_EQ(soon.wait_for(patience), std::future_status::ready);
    EXPECT_EQ(soon.get(), Status::timed_out);
    EXPECT_EQ(ended.get_future().wait_for(0s), std::future_status::timeout);
}

TEST_F(OptionsTest, ExchangeScope) {
    ServiceOptions service_options;
    service_options.scope = Scope::abstract;
    Service service = must(Service::echo(service_options));
    const std::string name = own_name(directory());
    must(service.start(name));
    moorline::ExchangeOptions options;
    EXPECT_FAILS(run_exchange(name, options, patience), Status::not_found);
    options.scope = Scope::abstract;
    EXPECT_OK(run_exchange(name, options, patience));
}

TEST_F(OptionsTest, ExchangeBusyPoll) {
    Service service = must(Service::create({}));
    must(service.start("silence"));
    moorline::ExchangeOptions options;
    options.busy_poll = 10s;
    EXPECT_TRUE(eventually([&] {
        const auto before = processor_time();
        EXPECT_FAILS(run_exchange("silence", options, 50ms), Status::timed_out);
        return processor_time() - before > 10ms;
    }));
}

}  // namespace

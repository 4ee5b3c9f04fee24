// Service: its threads, its callbacks, its end.
#include <unistd.h>

#include <mutex>
#include <set>

#include "support.hpp"

namespace {

using moorline::BytesView;
using moorline::Connection;
using moorline::Service;
using moorline::Socket;

using ServiceTest = Clean;

Service started(moorline::Result<Service> created, const std::string& name) {
    Service service = must(std::move(created));
    must(service.start(name));
    return service;
}

TEST_F(ServiceTest, EchoesFromTheMomentItHasStarted) {
    Service service = started(Service::echo(), "echo");
    EXPECT_EQ(must(service.full_name()), path("echo"));
    Socket client = must(Socket::connect("echo", Timeout::none()));
    const std::string data(1'000'000, 'e');
    std::thread sender([&] { EXPECT_OK(client.send(data, patience)); });
    EXPECT_TRUE(receive_exactly(client, data.size()) == data);
    sender.join();
    const auto [result, report] = service.stop(patience);
    EXPECT_OK(result);
    EXPECT_EQ(report.accepted, 1u);
    EXPECT_EQ(report.open_at_stop, 1u);
    EXPECT_EQ(report.received, data.size());
    EXPECT_EQ(report.sent, data.size());
    EXPECT_EQ(report.unsent, 0u);
    EXPECT_EQ(report.refused, 0u);
    EXPECT_EQ(moorline::name_state("echo").value(), moorline::NameState::absent);
}

TEST_F(ServiceTest, AStartThatFailsSaysWhy) {
    Service first = started(Service::echo(), "echo");
    Service second = must(Service::echo());
    EXPECT_FAILS(second.start("echo"), Status::name_in_use);
    EXPECT_FAILS(first.start("other"), Status::invalid_state);
    EXPECT_FAILS(second.stop(Timeout::none()), Status::invalid_state);
    must(second.start_unique("echo"));
    EXPECT_EQ(must(second.full_name()).find(path("echo")), 0u);
    EXPECT_OK(Socket::connect(must(second.full_name()), Timeout::none()));
}

TEST_F(ServiceTest, StartsAgainAfterItsStop) {
    Service service = must(Service::echo());
    for (int i = 0; i < 3; ++i) {
        must(service.start("again"));
        Socket client = must(Socket::connect("again", patience));
        must(client.send("x", patience));
        EXPECT_EQ(receive_exactly(client, 1), "x");
        const auto stopped = service.stop(patience);
        EXPECT_OK(stopped);
        EXPECT_EQ(stopped.report.accepted, 1u);
    }
}

TEST_F(ServiceTest, CallsBackForConnectionBytesAndEnd) {
    std::mutex mutex;
    std::vector<std::string> log;
    std::set<moorline_connection*> connections;
    const auto note = [&](Connection connection, const std::string& line) {
        const std::lock_guard<std::mutex> lock(mutex);
        log.push_back(line);
        connections.insert(connection.native_handle());
    };
    Service::Handler handler;
    handler.connected = [&](Connection connection) {
        note(connection, "connected");
        EXPECT_EQ(must(connection.peer_credentials()).pid, getpid());
        EXPECT_OK(connection.send("welcome", Timeout::none()));
    };
    handler.received = [&](Connection connection, BytesView data) {
        note(connection, "received " + std::string(data.text()));
        EXPECT_OK(connection.send(data, Timeout::none()));
    };
    handler.disconnected = [&](Connection connection, Status reason) {
        note(connection, std::string("disconnected ") + to_string(reason));
    };
    Service service = started(Service::create(handler), "name");
    {
        Socket client = must(Socket::connect("name", patience));
        EXPECT_EQ(receive_exactly(client, 7), "welcome");
        must(client.send("data", patience));
        EXPECT_EQ(receive_exactly(client, 4), "data");
    }
    EXPECT_TRUE(eventually([&] {
        const std::lock_guard<std::mutex> lock(mutex);
        return log.size() >= 3;
    }));
    const auto stopped = service.stop(patience);
    EXPECT_OK(stopped);
    EXPECT_EQ(stopped.report.open_at_stop, 0u);
    EXPECT_EQ(log, (std::vector<std::string>{"connected", "received data", "disconnected DISCONNECTED"}));
    EXPECT_EQ(connections.size(), 1u);
}

TEST_F(ServiceTest, CallablesMayBeEmpty) {
    Service service = started(Service::create({}), "sink");
    Socket client = must(Socket::connect("sink", patience));
    must(client.send("into the void", patience));
    EXPECT_TRUE(eventually([&] { return client.send("more", patience).has_value(); }));
    EXPECT_OK(service.stop(patience));
}

TEST_F(ServiceTest, AConnectionIsUsedFromAnyThreadWhileItLasts) {
    std::promise<Connection> connected;
    std::promise<void> disconnected;
    Service::Handler handler;
    handler.connected = [&](Connection connection) { connected.set_value(connection); };
    handler.disconnected = [&](Connection, Status) { disconnected.set_value(); };
    Service service = started(Service::create(handler), "name");
    Socket client = must(Socket::connect("name", patience));
    auto future = connected.get_future();
    ASSERT_EQ(future.wait_for(patience), std::future_status::ready);
    const Connection connection = future.get();
    EXPECT_TRUE(connection == Connection(connection.native_handle()));
    EXPECT_FALSE(connection != Connection(connection.native_handle()));

    must(connection.send("from outside", patience));
    EXPECT_EQ(receive_exactly(client, 12), "from outside");
    must(connection.send("the end", patience));
    must(connection.close());
    EXPECT_EQ(receive_exactly(client, 7), "the end");
    char buffer[1];
    EXPECT_FAILS(client.receive(buffer, patience), Status::disconnected);

    ASSERT_EQ(disconnected.get_future().wait_for(patience), std::future_status::ready);
    EXPECT_TRUE(eventually([&] { return status_of(connection.send("x", Timeout::none())) == "STALE_HANDLE"; }));
    EXPECT_FAILS(connection.close(), Status::stale_handle);
    EXPECT_FAILS(connection.abort(), Status::stale_handle);
    EXPECT_FAILS(connection.peer_credentials(), Status::stale_handle);
}

TEST_F(ServiceTest, StopReportsWhatWasLost) {
    std::promise<void> queued;
    std::size_t accepted = 0;
    Service::Handler handler;
    handler.connected = [&](Connection connection) {
        const std::string chunk(10'000, 'x');
        auto sent = connection.send(chunk, Timeout::none());
        for (; sent; sent = connection.send(chunk, Timeout::none())) {
            accepted += chunk.size();
        }
        accepted += sent.error().sent();
        queued.set_value();
    };
    Service service = started(Service::create(handler), "name");
    Socket client = must(Socket::connect("name", patience));
    ASSERT_EQ(queued.get_future().wait_for(patience), std::future_status::ready);
    const auto stopped = service.stop(20ms);
    EXPECT_FAILS(stopped, Status::timed_out);
    EXPECT_GT(stopped.report.unsent, 0u);
    EXPECT_EQ(stopped.report.sent + stopped.report.unsent, accepted);
    EXPECT_EQ(stopped.report.open_at_stop, 1u);
    EXPECT_EQ(must(moorline::name_state("name")), moorline::NameState::absent);
}

TEST_F(ServiceTest, MovesWhileItRuns) {
    int calls = 0;
    Service::Handler handler;
    handler.received = [&](Connection connection, BytesView data) {
        ++calls;
        EXPECT_OK(connection.send(data, Timeout::none()));
    };
    Service first = started(Service::create(handler), "name");
    Socket client = must(Socket::connect("name", patience));
    Service second = std::move(first);
    must(client.send("x", patience));
    EXPECT_EQ(receive_exactly(client, 1), "x");
    // Assignment ends the service that was there: after it no callback runs.
    second = must(Service::echo());
    EXPECT_EQ(calls, 1);
    EXPECT_FAILS(Socket::connect("name", Timeout::none()), Status::not_found);
}

TEST_F(ServiceTest, ACallbackCannotWaitForItself) {
    Service service;
    std::promise<std::pair<std::string, std::string>> answers;
    Service::Handler handler;
    handler.received = [&](Connection, BytesView) {
        const std::string stop = status_of(service.stop(Timeout::none()));
        const std::string destroy = status_of(service.destroy());
        answers.set_value({stop, destroy});
    };
    service = must(Service::create(handler));
    must(service.start("name"));
    Socket client = must(Socket::connect("name", patience));
    must(client.send("x", patience));
    auto future = answers.get_future();
    ASSERT_EQ(future.wait_for(patience), std::future_status::ready);
    EXPECT_EQ(future.get(), std::make_pair(std::string("INVALID_STATE"), std::string("INVALID_STATE")));
    EXPECT_OK(service.stop(patience));
}

TEST_F(ServiceTest, ACallbackMayAssignToItsServiceObject) {
    Service service;
    std::promise<int> assigned;
    Service::Handler handler;
    handler.received = [&, kept = std::string(1000, 'k')](Connection, BytesView) {
        service = Service();
        assigned.set_value(static_cast<int>(kept.size()));
    };
    service = must(Service::create(std::move(handler)));
    must(service.start("name"));
    Socket client = must(Socket::connect("name", patience));
    must(client.send("x", patience));
    auto future = assigned.get_future();
    ASSERT_EQ(future.wait_for(patience), std::future_status::ready);
    EXPECT_EQ(future.get(), 1000);
    must(client.destroy());
    EXPECT_TRUE(eventually([] { return must(moorline::live_handles()) == 0; }));
}

TEST_F(ServiceTest, ACallbackMayEndItsServiceObject) {
    auto service = std::make_unique<Service>();
    std::promise<int> ended;
    Service::Handler handler;
    const auto alive = std::make_shared<int>();
    handler.received = [&, alive, kept = std::string(1000, 'k')](Connection, BytesView) {
        service.reset();
        // What the callable holds is still there.
        ended.set_value(static_cast<int>(kept.size()));
    };
    *service = must(Service::create(std::move(handler)));
    must(service->start("name"));
    Socket client = must(Socket::connect("name", patience));
    must(client.send("x", patience));
    auto future = ended.get_future();
    ASSERT_EQ(future.wait_for(patience), std::future_status::ready);
    EXPECT_EQ(future.get(), 1000);
    char buffer[1];
    EXPECT_FAILS(client.receive(buffer, patience), Status::disconnected);
    must(client.destroy());
    EXPECT_TRUE(eventually([] { return must(moorline::live_handles()) == 0; }));
    // And then the callables go.
    EXPECT_TRUE(eventually([&] { return alive.use_count() == 1; }));
}

}  // namespace

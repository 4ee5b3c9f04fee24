// Poller: readiness of many, alone and within a foreign event loop.
#include <poll.h>
#include <unistd.h>

#include <array>
#include <map>
#include <set>

#include "support.hpp"

namespace {

using moorline::Event;
using moorline::Interest;
using moorline::Poller;
using moorline::Server;
using moorline::Socket;

using PollerTest = Clean;

TEST_F(PollerTest, ReportsWhatIsReadyByItsToken) {
    Poller poller = must(Poller::create());
    Server server = must(Server::create());
    must(server.listen("name"));
    auto [first, second] = must(Socket::pair());
    must(poller.add(server, Interest::readable, 1));
    must(poller.add(first, Interest::readable, 2));
    std::array<Event, 8> events;
    EXPECT_FAILS(poller.wait(events, Timeout::none()), Status::would_block);
    EXPECT_FAILS(poller.wait(events, 20ms), Status::timed_out);

    must(second.send("x", patience));
    ASSERT_EQ(must(poller.wait(events, patience)), 1u);
    EXPECT_EQ(events[0].token, 2u);
    EXPECT_TRUE(events[0].readable());
    EXPECT_FALSE(events[0].writable());
    EXPECT_EQ(receive_exactly(first, 1), "x");

    Socket client = must(Socket::connect("name", Timeout::none()));
    ASSERT_EQ(must(poller.wait(events.data(), events.size(), patience)), 1u);
    EXPECT_EQ(events[0].token, 1u);
    EXPECT_OK(server.accept(Timeout::none()));

    must(second.destroy());
    ASSERT_EQ(must(poller.wait(events, patience)), 1u);
    EXPECT_TRUE(events[0].hangup());
}

TEST_F(PollerTest, LooksWithoutSleeping) {
    Poller poller = must(Poller::create());
    auto [first, second] = must(Socket::pair());
    must(poller.add(first, Interest::readable, 2));
    std::array<Event, 8> events;
    EXPECT_FAILS(poller.look(events, 0us), Status::would_block);
    EXPECT_FAILS(poller.look(events, 100us), Status::timed_out);
    must(second.send("x", patience));
    ASSERT_EQ(must(poller.look(events, patience)), 1u);
    EXPECT_EQ(events[0].token, 2u);
    ASSERT_EQ(must(poller.look(events.data(), events.size(), 0us)), 1u);
}

TEST_F(PollerTest, InterestAndTokenChange) {
    Poller poller = must(Poller::create());
    auto [first, second] = must(Socket::pair());
    std::vector<Event> events(4);
    must(poller.add(first, Interest::readable, 1));
    EXPECT_FAILS(poller.add(first, Interest::readable, 1), Status::invalid_state);
    must(poller.modify(first, Interest::writable, 7));
    ASSERT_EQ(must(poller.wait(events, patience)), 1u);
    EXPECT_EQ(events[0].token, 7u);
    EXPECT_TRUE(events[0].writable());
    must(poller.remove(first));
    EXPECT_FAILS(poller.wait(events, Timeout::none()), Status::would_block);
    EXPECT_FAILS(poller.remove(first), Status::invalid_state);

    Server server = must(Server::create());
    must(server.listen("name"));
    must(poller.add(server, Interest::readable, 1));
    must(poller.modify(server, Interest::readable, 9));
    Socket client = must(Socket::connect("name", Timeout::none()));
    ASSERT_EQ(must(poller.wait(events, patience)), 1u);
    EXPECT_EQ(events[0].token, 9u);
    must(poller.remove(server));
    EXPECT_FAILS(poller.wait(events, Timeout::none()), Status::would_block);
}

TEST_F(PollerTest, LevelsRepeatAndEdgesDoNot) {
    Poller poller = must(Poller::create());
    auto level = must(Socket::pair());
    auto edge = must(Socket::pair());
    must(poller.add(level.first, Interest::readable, 1));
    must(poller.add(edge.first, Interest::readable | Interest::edge, 2));
    must(level.second.send("x", patience));
    must(edge.second.send("x", patience));

    const auto seen = [&] {
        std::array<Event, 8> events;
        std::set<std::uint64_t> tokens;
        const auto count = poller.wait(events, Timeout::none());
        for (std::size_t i = 0; i < count.value_or(0u); ++i) {
            tokens.insert(events[i].token);
        }
        return tokens;
    };
    EXPECT_EQ(seen(), (std::set<std::uint64_t>{1, 2}));
    EXPECT_EQ(seen(), (std::set<std::uint64_t>{1}));
    must(poller.modify(edge.first, Interest::readable | Interest::edge, 3));
    EXPECT_EQ(seen(), (std::set<std::uint64_t>{1, 3}));
}

TEST_F(PollerTest, AWakeEndsOneWait) {
    Poller poller = must(Poller::create());
    std::array<Event, 4> events;
    must(poller.wake());
    EXPECT_EQ(must(poller.wait(events, patience)), 0u);
    EXPECT_FAILS(poller.wait(events, Timeout::none()), Status::would_block);

    std::size_t count = 1;
    BlockedCall waiting([&] {
        const auto woken = poller.wait(events, Timeout::unlimited());
        count = woken.value_or(1u);
        return woken ? Status::ok : woken.error().status();
    });
    EXPECT_TRUE(waiting.wait_until_blocked());
    must(poller.wake());
    EXPECT_EQ(waiting.answer(), Status::ok);
    EXPECT_EQ(count, 0u);
}

TEST_F(PollerTest, ADestroyedHandleLeavesByItself) {
    Poller poller = must(Poller::create());
    auto [first, second] = must(Socket::pair());
    must(poller.add(first, Interest::readable, 1));
    must(second.send("x", patience));
    must(first.destroy());
    std::array<Event, 4> events;
    EXPECT_FAILS(poller.wait(events, Timeout::none()), Status::would_block);
}

TEST_F(PollerTest, AClosedPollerLetsGo) {
    Poller poller = must(Poller::create());
    auto [first, second] = must(Socket::pair());
    must(poller.add(first, Interest::readable, 1));
    must(poller.close());
    std::array<Event, 4> events;
    EXPECT_FAILS(poller.wait(events, Timeout::none()), Status::closed);
    Poller next = must(Poller::create());
    EXPECT_OK(next.add(first, Interest::readable, 1));
}

// Whether the poller's descriptor is readable for someone who knows nothing of the poller.
bool looks_ready(const Poller& poller, std::chrono::milliseconds timeout) {
    pollfd entry = {};
    entry.fd = static_cast<int>(must(poller.descriptor()));
    entry.events = POLLIN;
    return ::poll(&entry, 1, static_cast<int>(timeout.count())) == 1 && (entry.revents & POLLIN) != 0;
}

TEST_F(PollerTest, ItsDescriptorIsReadableWhenThereIsSomething) {
    Poller poller = must(Poller::create());
    std::array<Event, 4> events;
    EXPECT_FALSE(looks_ready(poller, 0ms));
    auto [first, second] = must(Socket::pair());
    must(poller.add(first, Interest::readable, 1));
    EXPECT_FALSE(looks_ready(poller, 0ms));
    must(second.send("x", patience));
    EXPECT_TRUE(looks_ready(poller, patience));
    EXPECT_EQ(must(poller.wait(events, Timeout::none())), 1u);
    EXPECT_EQ(receive_exactly(first, 1), "x");
    EXPECT_FALSE(looks_ready(poller, 0ms));
    must(poller.wake());
    EXPECT_TRUE(looks_ready(poller, patience));
    EXPECT_EQ(must(poller.wait(events, Timeout::none())), 0u);
    EXPECT_FALSE(looks_ready(poller, 0ms));
}

TEST_F(PollerTest, AForeignLoopServesManyByOneDescriptor) {
    constexpr int clients = 20;
    constexpr int rounds = 10;
    Server server = must(Server::create());
    must(server.listen("loop"));
    Poller poller = must(Poller::create());
    must(poller.add(server, Interest::readable, 0));
    int pipe_ends[2];
    ASSERT_EQ(pipe(pipe_ends), 0);

    std::thread peers([&] {
        std::vector<Socket> sockets;
        for (int i = 0; i < clients; ++i) {
            sockets.push_back(must(Socket::connect("loop", patience)));
        }
        for (int round = 0; round < rounds; ++round) {
            for (Socket& socket : sockets) {
                must(socket.send("ping", patience));
            }
            for (Socket& socket : sockets) {
                EXPECT_EQ(receive_exactly(socket, 4), "ping");
            }
        }
        sockets.clear();
        EXPECT_EQ(write(pipe_ends[1], "q", 1), 1);
    });

    std::map<std::uint64_t, Socket> accepted;
    std::uint64_t next = 1;
    int foreign_events = 0;
    int disconnected = 0;
    const auto serve = [&] {
        std::array<Event, 8> events;
        const std::size_t count = poller.wait(events, Timeout::none()).value_or(0u);
        for (std::size_t i = 0; i < count; ++i) {
            if (events[i].token == 0) {
                while (auto socket = server.accept(Timeout::none())) {
                    must(poller.add(*socket, Interest::readable, next));
                    accepted.emplace(next++, std::move(*socket));
                }
                continue;
            }
            char buffer[64];
            Socket& socket = accepted.at(events[i].token);
            const auto received = socket.receive(buffer, Timeout::none());
            if (received) {
                must(socket.send(buffer, *received, patience));
            } else if (received.error().status() != Status::would_block) {
                EXPECT_FAILS(received, Status::disconnected);
                accepted.erase(events[i].token);
                ++disconnected;
            }
        }
    };
    while (foreign_events == 0 || disconnected < clients) {
        pollfd entries[2] = {};
        entries[0].fd = foreign_events == 0 ? pipe_ends[0] : -1;
        entries[0].events = POLLIN;
        entries[1].fd = static_cast<int>(must(poller.descriptor()));
        entries[1].events = POLLIN;
        ASSERT_GT(::poll(entries, 2, static_cast<int>(std::chrono::milliseconds(patience).count())), 0);
        foreign_events += (entries[0].revents & POLLIN) != 0;
        if ((entries[1].revents & POLLIN) != 0) {
            serve();
        }
    }
    peers.join();
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    EXPECT_TRUE(accepted.empty());
}

}  // namespace

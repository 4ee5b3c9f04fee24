// A call that is blocked ends with CLOSED, at once, when its handle is destroyed or closed on another thread.
#include <algorithm>
#include <array>

#include "support.hpp"

namespace {

using moorline::Connection;
using moorline::Interest;
using moorline::Poller;
using moorline::Server;
using moorline::Service;
using moorline::Socket;

using WakeTest = Clean;

template <class Result>
Status answer_of(const Result& result) {
    return result ? Status::ok : result.error().status();
}

// `prepare` returns a pair: the blocking call, and what ends it. The fastest of several tries counts, since one alone may
// have lost the processor to others.
template <class Prepare>
void expect_woken(Prepare prepare) {
    std::chrono::nanoseconds fastest = std::chrono::nanoseconds::max();
    for (int attempt = 0; attempt < 5; ++attempt) {
        auto [call, end] = prepare();
        BlockedCall blocked(call);
        EXPECT_TRUE(blocked.wait_until_blocked());
        const auto ended_at = std::chrono::steady_clock::now();
        end();
        EXPECT_EQ(blocked.answer(), Status::closed);
        fastest = std::min<std::chrono::nanoseconds>(fastest, blocked.returned_at() - ended_at);
    }
    EXPECT_LT(fastest, 100ms);
}

TEST_F(WakeTest, Accept) {
    for (const bool destroy : {true, false}) {
        expect_woken([destroy] {
            auto server = std::make_shared<Server>(must(Server::create()));
            must(server->listen_unique("wake"));
            return std::pair([server] { return answer_of(server->accept(Timeout::unlimited())); },
                             [server, destroy] { EXPECT_OK(destroy ? server->destroy() : server->close()); });
        });
    }
}

struct Pair {
    Pair() : Pair(must(Socket::pair())) {}
    explicit Pair(std::pair<Socket, Socket> both) : socket(std::move(both.first)), peer(std::move(both.second)) {}

    void end(bool destroy) {
        if (destroy) {
            EXPECT_OK(socket.destroy());
        } else {
            const auto closed = socket.close(Timeout::none());
            EXPECT_TRUE(closed || closed.error().status() == Status::would_block);
        }
    }

    Socket socket;
    Socket peer;
};

template <class Call>
void expect_socket_woken(Call call) {
    for (const bool destroy : {true, false}) {
        expect_woken([destroy, call] {
            auto pair = std::make_shared<Pair>();
            return std::pair([pair, call] { return call(pair->socket); }, [pair, destroy] { pair->end(destroy); });
        });
    }
}

TEST_F(WakeTest, Receive) {
    expect_socket_woken([](Socket& socket) {
        char buffer[8];
        return answer_of(socket.receive(buffer, Timeout::unlimited()));
    });
}

TEST_F(WakeTest, Send) {
    const std::string data(16 * 1024 * 1024, 'x');
    expect_socket_woken([&data](Socket& socket) { return answer_of(socket.send(data, Timeout::unlimited())); });
}

TEST_F(WakeTest, WaitForReadiness) {
    expect_socket_woken([](Socket& socket) { return answer_of(socket.wait(Interest::readable, Timeout::unlimited())); });
}

TEST_F(WakeTest, Flush) {
    for (const bool destroy : {true, false}) {
        expect_woken([destroy] {
            moorline::SocketOptions options;
            options.send_queue_limit = std::size_t{64} * 1024 * 1024;
            auto pair = std::make_shared<Pair>(must(Socket::pair(options)));
            must(pair->socket.send(std::string(16 * 1024 * 1024, 'x'), Timeout::none()));
            return std::pair([pair] { return answer_of(pair->socket.flush(Timeout::unlimited())); },
                             [pair, destroy] { pair->end(destroy); });
        });
    }
}

TEST_F(WakeTest, PollerWait) {
    for (const bool destroy : {true, false}) {
        expect_woken([destroy] {
            auto pair = std::make_shared<Pair>();
            auto poller = std::make_shared<Poller>(must(Poller::create()));
            must(poller->add(pair->socket, Interest::readable, 1));
            return std::pair(
                [poller] {
                    std::array<moorline::Event, 4> events;
                    return answer_of(poller->wait(events, Timeout::unlimited()));
                },
                [pair, poller, destroy] { EXPECT_OK(destroy ? poller->destroy() : poller->close()); });
        });
    }
}

TEST_F(WakeTest, ConnectionSend) {
    const std::string data(16 * 1024 * 1024, 'x');
    expect_woken([&data] {
        struct State {
            std::promise<Connection> connected;
            Service service;
            Socket client;
        };
        auto state = std::make_shared<State>();
        Service::Handler handler;
        handler.connected = [s = state.get()](Connection connection) { s->connected.set_value(connection); };
        state->service = must(Service::create(std::move(handler)));
        must(state->service.start_unique("wake"));
        state->client = must(Socket::connect(must(state->service.full_name()), patience));
        const Connection connection = state->connected.get_future().get();
        return std::pair([connection, &data] { return answer_of(connection.send(data, Timeout::unlimited())); },
                         [state] { EXPECT_OK(state->service.destroy()); });
    });
}

// The thread that is woken finds the rest of its loop in order: an owner can be destroyed under a whole loop of calls.
TEST_F(WakeTest, AnAcceptLoopEndsWithItsServer) {
    Server server = must(Server::create());
    must(server.listen("loop"));
    int accepted = 0;
    BlockedCall loop([&] {
        while (true) {
            auto socket = server.accept(Timeout::unlimited());
            if (!socket) {
                return socket.error().status();
            }
            ++accepted;
        }
    });
    for (int i = 0; i < 3; ++i) {
        Socket client = must(Socket::connect("loop", patience));
        char buffer[1];
        EXPECT_FAILS(client.receive(buffer, patience), Status::disconnected);
    }
    EXPECT_TRUE(loop.wait_until_blocked());
    must(server.destroy());
    EXPECT_EQ(loop.answer(), Status::closed);
    EXPECT_EQ(accepted, 3);
}

}  // namespace

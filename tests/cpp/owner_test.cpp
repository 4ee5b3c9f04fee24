// Owners: moves, ends, and misuse that is answered.
#include <stdexcept>
#include <type_traits>

#include "support.hpp"

namespace {

using moorline::Connection;
using moorline::Interest;
using moorline::Poller;
using moorline::Server;
using moorline::Service;
using moorline::Socket;

template <class Owner>
constexpr bool is_move_only = std::is_nothrow_move_constructible_v<Owner> && std::is_nothrow_move_assignable_v<Owner> &&
                              std::is_nothrow_destructible_v<Owner> && std::is_nothrow_default_constructible_v<Owner> &&
                              !std::is_copy_constructible_v<Owner> && !std::is_copy_assignable_v<Owner>;
static_assert(is_move_only<Server> && is_move_only<Socket> && is_move_only<Poller> && is_move_only<Service>);
static_assert(std::is_trivially_copyable_v<Connection> && sizeof(Connection) == sizeof(void*));

using OwnerTest = Clean;

Server listening(const std::string& path) {
    Server server = must(Server::create());
    must(server.listen(path));
    return server;
}

TEST_F(OwnerTest, AMoveCarriesTheHandleOver) {
    Server first = listening(path("a"));
    moorline_server* handle = first.native_handle();
    Server second = std::move(first);
    EXPECT_FALSE(first);
    EXPECT_TRUE(second);
    EXPECT_EQ(second.native_handle(), handle);
    EXPECT_EQ(must(second.full_name()), path("a"));
    EXPECT_EQ(must(moorline::live_handles()), 1u);
}

TEST_F(OwnerTest, AssignmentDestroysWhatWasOwned) {
    Server server = listening(path("a"));
    server = listening(path("b"));
    EXPECT_EQ(must(moorline::live_handles()), 1u);
    EXPECT_EQ(must(moorline::name_state(path("a"))), moorline::NameState::absent);
    EXPECT_EQ(must(moorline::name_state(path("b"))), moorline::NameState::live);
    server = Server();
    EXPECT_EQ(must(moorline::live_handles()), 0u);
    EXPECT_EQ(must(moorline::name_state(path("b"))), moorline::NameState::absent);
}

TEST_F(OwnerTest, ASelfMoveChangesNothing) {
    Server server = listening(path("a"));
    Server& same = server;
    server = std::move(same);
    EXPECT_EQ(must(server.full_name()), path("a"));

    Service service = must(Service::echo());
    must(service.start(path("b")));
    Service& same_service = service;
    service = std::move(same_service);
    EXPECT_EQ(must(service.full_name()), path("b"));
}

TEST_F(OwnerTest, AnEarlyReturnLeavesNothingBehind) {
    const auto start = [this](bool give_up) -> moorline::Result<Service> {
        auto service = Service::echo();
        if (!service) {
            return service;
        }
        if (auto started = service->start(path("a")); !started) {
            return moorline::Unexpected(started.error());
        }
        auto client = Socket::connect(path("a"), patience);
        auto pair = Socket::pair();
        if (!client || !pair || give_up) {
            return moorline::Unexpected(moorline::Error(Status::cancelled, "given up"));
        }
        return service;
    };
    EXPECT_FAILS(start(true), Status::cancelled);
    EXPECT_EQ(must(moorline::live_handles()), 0u);
    const auto kept = start(false);
    EXPECT_OK(kept);
    EXPECT_EQ(must(moorline::live_handles()), 1u);
}

TEST_F(OwnerTest, AnExceptionLeavesNothingBehind) {
    const auto work = [this] {
        Server server = listening(path("a"));
        Socket client = must(Socket::connect(path("a"), patience));
        Socket accepted = must(server.accept(patience));
        Poller poller = must(Poller::create());
        must(poller.add(accepted, Interest::readable, 1));
        Service service = must(Service::echo());
        must(service.start(path("b")));
        EXPECT_EQ(must(moorline::live_handles()), 5u);
        throw std::runtime_error("on the way");
    };
    EXPECT_THROW(work(), std::runtime_error);
    EXPECT_EQ(must(moorline::live_handles()), 0u);
}

// Every call of an owner fails with `expected`.
void expect_every_call_fails(Server& server, Status expected) {
    EXPECT_FAILS(server.listen("/tmp/unused"), expected);
    EXPECT_FAILS(server.listen_unique("unused"), expected);
    EXPECT_FAILS(server.listen_descriptor(0), expected);
    EXPECT_FAILS(server.full_name(), expected);
    EXPECT_FAILS(server.accept(Timeout::none()), expected);
    EXPECT_FAILS(server.descriptor(), expected);
    EXPECT_FAILS(server.close(), expected);
    EXPECT_FAILS(server.destroy(), expected);
}
void expect_every_call_fails(Socket& socket, Status expected) {
    char buffer[8];
    EXPECT_FAILS(socket.send("x", Timeout::none()), expected);
    EXPECT_FAILS(socket.send("x", 1, Timeout::none()), expected);
    EXPECT_FAILS(socket.receive(buffer, Timeout::none()), expected);
    EXPECT_FAILS(socket.receive(buffer, sizeof buffer, Timeout::none()), expected);
    EXPECT_FAILS(socket.flush(Timeout::none()), expected);
    EXPECT_FAILS(socket.wait(Interest::readable, Timeout::none()), expected);
    EXPECT_FAILS(socket.peer_credentials(), expected);
    EXPECT_FAILS(socket.descriptor(), expected);
    EXPECT_FAILS(socket.release_descriptor(), expected);
    EXPECT_FAILS(socket.close(Timeout::none()), expected);
    EXPECT_FAILS(socket.destroy(), expected);
}
void expect_every_call_fails(Poller& poller, Status expected) {
    auto pair = must(Socket::pair());
    Server server = must(Server::create());
    must(server.listen_unique("poller"));
    moorline::Event events[4];
    EXPECT_FAILS(poller.add(pair.first, Interest::readable, 0), expected);
    EXPECT_FAILS(poller.modify(pair.first, Interest::readable, 0), expected);
    EXPECT_FAILS(poller.remove(pair.first), expected);
    EXPECT_FAILS(poller.add(server, Interest::readable, 0), expected);
    EXPECT_FAILS(poller.modify(server, Interest::readable, 0), expected);
    EXPECT_FAILS(poller.remove(server), expected);
    EXPECT_FAILS(poller.wait(events, 4, Timeout::none()), expected);
    EXPECT_FAILS(poller.wake(), expected);
    EXPECT_FAILS(poller.descriptor(), expected);
    EXPECT_FAILS(poller.close(), expected);
    EXPECT_FAILS(poller.destroy(), expected);
}
void expect_every_call_fails(Service& service, Status expected) {
    EXPECT_FAILS(service.start("/tmp/unused"), expected);
    EXPECT_FAILS(service.start_unique("unused"), expected);
    EXPECT_FAILS(service.full_name(), expected);
    EXPECT_FAILS(service.stop(Timeout::none()), expected);
    EXPECT_FAILS(service.destroy(), expected);
    EXPECT_TRUE(service.take_exceptions().kept.empty());
}

TEST_F(OwnerTest, AnOwnerOfNothingAnswersEveryCall) {
    Server server;
    Socket socket;
    Poller poller;
    Service service;
    expect_every_call_fails(server, Status::invalid_argument);
    expect_every_call_fails(socket, Status::invalid_argument);
    expect_every_call_fails(poller, Status::invalid_argument);
    expect_every_call_fails(service, Status::invalid_argument);
}

TEST_F(OwnerTest, AMovedFromOwnerAnswersEveryCall) {
    Server server = listening(path("a"));
    auto pair = must(Socket::pair());
    Poller poller = must(Poller::create());
    Service service = must(Service::echo());
    const Server kept_server = std::move(server);
    const Socket kept_socket = std::move(pair.first);
    const Poller kept_poller = std::move(poller);
    const Service kept_service = std::move(service);
    expect_every_call_fails(server, Status::invalid_argument);
    expect_every_call_fails(pair.first, Status::invalid_argument);
    expect_every_call_fails(poller, Status::invalid_argument);
    expect_every_call_fails(service, Status::invalid_argument);
}

TEST_F(OwnerTest, ADestroyedOwnerAnswersEveryCall) {
    Server server = listening(path("a"));
    auto pair = must(Socket::pair());
    Poller poller = must(Poller::create());
    Service service = must(Service::echo());
    must(server.destroy());
    must(pair.first.destroy());
    must(poller.destroy());
    must(service.destroy());
    EXPECT_EQ(must(moorline::live_handles()), 1u);
    expect_every_call_fails(server, Status::invalid_argument);
    expect_every_call_fails(pair.first, Status::invalid_argument);
    expect_every_call_fails(poller, Status::invalid_argument);
    expect_every_call_fails(service, Status::invalid_argument);
}

TEST_F(OwnerTest, AHandleDestroyedElsewhereIsStale) {
    Server server = listening(path("a"));
    auto pair = must(Socket::pair());
    Poller poller = must(Poller::create());
    Service service = must(Service::echo());
    ASSERT_EQ(moorline_server_destroy(server.native_handle()), MOORLINE_OK);
    ASSERT_EQ(moorline_socket_destroy(pair.first.native_handle()), MOORLINE_OK);
    ASSERT_EQ(moorline_poller_destroy(poller.native_handle()), MOORLINE_OK);
    ASSERT_EQ(moorline_service_destroy(service.native_handle()), MOORLINE_OK);
    expect_every_call_fails(server, Status::stale_handle);
    expect_every_call_fails(pair.first, Status::stale_handle);
    expect_every_call_fails(poller, Status::stale_handle);
    expect_every_call_fails(service, Status::stale_handle);
}

TEST_F(OwnerTest, AHandleOfAnotherKindIsFoundOut) {
    auto pair = must(Socket::pair());
    Server server = Server::adopt(reinterpret_cast<moorline_server*>(pair.first.native_handle()));
    expect_every_call_fails(server, Status::wrong_kind);
    static_cast<void>(server.release());
    Socket socket = Socket::adopt(reinterpret_cast<moorline_socket*>(&pair));
    const auto failed = socket.flush(Timeout::none());
    EXPECT_FALSE(failed);
    static_cast<void>(socket.release());
}

TEST_F(OwnerTest, ReleaseGivesTheHandleUpAndAdoptTakesItOver) {
    Server server = listening(path("a"));
    moorline_server* handle = server.release();
    ASSERT_NE(handle, nullptr);
    EXPECT_FALSE(server);
    EXPECT_EQ(server.release(), nullptr);
    EXPECT_EQ(must(moorline::live_handles()), 1u);
    {
        const Server adopted = Server::adopt(handle);
        EXPECT_EQ(must(adopted.full_name()), path("a"));
    }
    EXPECT_EQ(must(moorline::live_handles()), 0u);

    Socket socket = std::move(must(Socket::pair()).first);
    const Socket adopted_socket = Socket::adopt(socket.release());
    EXPECT_OK(adopted_socket.descriptor());
    Poller poller = must(Poller::create());
    const Poller adopted_poller = Poller::adopt(poller.release());
    EXPECT_OK(adopted_poller.descriptor());
}

TEST_F(OwnerTest, ManyThreadsMayDestroyOneOwner) {
    for (int round = 0; round < 50; ++round) {
        auto pair = must(Socket::pair());
        std::atomic<int> successes{0};
        {
            std::vector<std::thread> threads;
            for (int i = 0; i < 4; ++i) {
                threads.emplace_back([&] { successes += pair.first.destroy().has_value(); });
            }
            for (std::thread& thread : threads) {
                thread.join();
            }
        }
        EXPECT_EQ(successes, 1);
        EXPECT_FALSE(pair.first);
    }
}

}  // namespace

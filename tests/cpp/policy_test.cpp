// Who may connect: rules, a callable and its lifetime, and what is counted.
#include <unistd.h>

#include "support.hpp"

namespace {

using moorline::Credentials;
using moorline::Policy;
using moorline::Server;
using moorline::ServerOptions;
using moorline::Service;
using moorline::ServiceOptions;
using moorline::Socket;

using PolicyTest = Clean;

Server listening(Policy policy) {
    ServerOptions options;
    options.policy = std::move(policy);
    Server server = must(Server::create(options));
    must(server.listen("policy"));
    return server;
}

// What accept answers to a client of this process.
std::string answer(Server& server) {
    Socket client = must(Socket::connect("policy", patience));
    return status_of(server.accept(patience));
}

TEST_F(PolicyTest, RulesAdmitWhomTheySay) {
    const std::uint32_t user = geteuid();
    const std::uint32_t group = getegid();
    const std::string denied = moorline::to_string(Status::permission_denied);
    const std::vector<std::pair<Policy, std::string>> cases = {
        {Policy(), "OK"},
        {Policy::everyone(), "OK"},
        {Policy::same_user(), "OK"},
        {Policy::same_user_or_root(), "OK"},
        {Policy::listed({user + 1, user}), "OK"},
        {Policy::listed({}, {group}), "OK"},
        {Policy::listed({user + 1}, {group + 1}), denied},
        {Policy::listed({}), denied},
        {Policy::custom([](const Credentials&) { return true; }), "OK"},
        {Policy::custom([](const Credentials&) { return false; }), denied},
    };
    for (const auto& [policy, expected] : cases) {
        Server server = listening(policy);
        EXPECT_EQ(answer(server), expected) << "rule " << policy.rule();
        const moorline::ServerStatistics statistics = must(server.statistics());
        EXPECT_EQ(statistics.accepted, expected == "OK" ? 1u : 0u);
        EXPECT_EQ(statistics.refused, expected == "OK" ? 0u : 1u);
    }
    ServerOptions options;
    options.policy = Policy::custom(nullptr);
    EXPECT_FAILS(Server::create(options), Status::invalid_argument);
}

TEST_F(PolicyTest, TheCallableSeesWhoConnects) {
    Credentials seen;
    Server server = listening(Policy::custom([&](const Credentials& peer) {
        seen = peer;
        return true;
    }));
    EXPECT_EQ(answer(server), "OK");
    EXPECT_EQ(seen.uid, geteuid());
    EXPECT_EQ(seen.gid, getegid());
    EXPECT_EQ(seen.pid, getpid());
}

TEST_F(PolicyTest, AnExceptionTurnsAwayAndIsKept) {
    const Policy policy = Policy::custom([](const Credentials&) -> bool { throw std::runtime_error("who?"); });
    Server server = listening(policy);
    EXPECT_EQ(server.take_exception(), nullptr);
    EXPECT_EQ(answer(server), moorline::to_string(Status::permission_denied));
    Server moved = std::move(server);
    EXPECT_EQ(server.take_exception(), nullptr);
    EXPECT_NE(moved.take_exception(), nullptr);
    EXPECT_EQ(moved.take_exception(), nullptr);
    must(moved.destroy());

    ServiceOptions options;
    options.policy = policy;
    Service service = must(Service::echo(options));
    must(service.start("policy"));
    Socket client = must(Socket::connect("policy", patience));
    char byte;
    EXPECT_FAILS(client.receive(&byte, 1, patience), Status::disconnected);
    const auto [result, report] = service.stop(patience);
    EXPECT_OK(result);
    EXPECT_EQ(report.accepted, 0u);
    EXPECT_EQ(report.refused, 1u);
    EXPECT_EQ(report.exceptions.kept.size(), 1u);
}

// A callable that knows when its last copy has gone.
struct Alive {
    explicit Alive(std::atomic<int>& alive) : count(&alive) { ++alive; }
    Alive(const Alive& other) : Alive(*other.count) {}
    Alive& operator=(const Alive&) = delete;
    ~Alive() { --*count; }
    std::atomic<int>* count;
};

TEST_F(PolicyTest, TheCallableEndsWithTheServer) {
    std::atomic<int> alive{0};
    const auto make = [&] {
        ServerOptions options;
        options.policy = Policy::custom([token = Alive(alive)](const Credentials&) { return token.count != nullptr; });
        return options;
    };
    {
        Server server = must(Server::create(make()));
        EXPECT_GT(alive, 0);
        must(server.destroy());
        EXPECT_EQ(alive, 0);
    }
    ServerOptions bad = make();
    bad.messages = moorline::Framing::lines;
    bad.messages->framing = static_cast<moorline::Framing>(77);
    EXPECT_FAILS(Server::create(bad), Status::invalid_argument);
    bad = ServerOptions();
    EXPECT_EQ(alive, 0);

    // Who takes the handle over keeps the callable with it.
    moorline_server* handle = must(Server::create(make())).release();
    EXPECT_GT(alive, 0);
    EXPECT_EQ(moorline_server_destroy(handle), MOORLINE_OK);
    EXPECT_EQ(alive, 0);
}

// destroy() returns while the callable is at work in another thread, which goes on in it.
TEST_F(PolicyTest, TheCallableOutlivesADestroyInAnotherThread) {
    std::atomic<int> alive{0};
    std::promise<void> entered;
    std::promise<void> go_on;
    Server server = listening(Policy::custom([token = Alive(alive), &entered, &go_on](const Credentials&) {
        entered.set_value();
        go_on.get_future().wait();
        return *token.count > 0;
    }));
    Socket client = must(Socket::connect("policy", patience));
    std::thread accepting([&] { static_cast<void>(server.accept(patience)); });
    ASSERT_EQ(entered.get_future().wait_for(patience), std::future_status::ready);
    must(server.destroy());
    EXPECT_GT(alive, 0);
    go_on.set_value();
    accepting.join();
    EXPECT_EQ(alive, 0);
}

}  // namespace

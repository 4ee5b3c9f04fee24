// Each fault of a plan, through the options of a server, a socket and a service: where it happens, and where it does not.
#include <moorline/testkit.hpp>

#include <array>

#include "support.hpp"

namespace {

using moorline::Server;
using moorline::ServerOptions;
using moorline::Service;
using moorline::ServiceOptions;
using moorline::Socket;
using moorline::SocketOptions;
using moorline::testkit::Direction;
using moorline::testkit::FaultPlan;
using moorline::testkit::Faults;

// Whose options have the plan.
enum class At { server, socket, service };

std::string stream(std::size_t length) {
    std::string bytes(length, '\0');
    for (std::size_t i = 0; i < length; ++i) {
        bytes[i] = static_cast<char>(i % 251);
    }
    return bytes;
}

// Faults of the bytes to the server alone, so that what comes back from an echo is what came there.
Faults to_server() {
    Faults faults;
    faults.direction = Direction::to_server;
    return faults;
}

class FaultsTest : public Clean, public testing::WithParamInterface<At> {
protected:
    // A client and an echo, one of which has the plan.
    class Echo {
    public:
        Echo(At at, const FaultPlan& plan) {
            SocketOptions client_options;
            if (at == At::server) {
                ServerOptions options;
                options.faults = plan;
                server_ = must(Server::create(options));
                must(server_.listen_unique("faulty"));
                thread_ = std::thread([this] { serve(); });
            } else {
                ServiceOptions options;
                if (at == At::service) {
                    options.faults = plan;
                } else {
                    client_options.faults = plan;
                }
                service_ = must(Service::echo(options));
                must(service_.start_unique("faulty"));
            }
            const std::string name = must(at == At::server ? server_.full_name() : service_.full_name());
            client = must(Socket::connect(name, patience, client_options));
        }
        ~Echo() {
            client = Socket();
            if (thread_.joinable()) {
                must(server_.close());
                thread_.join();
            }
        }

        // What comes back of what is sent, until the echo ends.
        std::string exchange(const std::string& sent) {
            std::thread sender([&] {
                // It fails where the plan breaks the connection.
                static_cast<void>(client.send(sent, patience));
                static_cast<void>(client.shutdown(moorline::Interest::writable, patience));
            });
            std::string back;
            char buffer[4096];
            for (;;) {
                const auto received = client.receive(buffer, patience);
                if (!received) {
                    break;
                }
                back.append(buffer, *received);
            }
            sender.join();
            return back;
        }

        Socket client;

    private:
        void serve() {
            auto accepted = server_.accept(patience);
            if (!accepted) {
                return;
            }
            char buffer[4096];
            for (;;) {
                const auto received = accepted->receive(buffer, patience);
                if (!received || !accepted->send(moorline::BytesView(buffer, *received), patience)) {
                    return;
                }
            }
        }

        Server server_;
        Service service_;
        std::thread thread_;
    };
};

INSTANTIATE_TEST_SUITE_P(At, FaultsTest, testing::Values(At::server, At::socket, At::service), [](const auto& at) {
    return at.param == At::server ? "Server" : at.param == At::socket ? "Socket" : "Service";
});

TEST_P(FaultsTest, WithoutFaultsEverythingPasses) {
    const FaultPlan plan = must(FaultPlan::create(Faults()));
    Echo echo(GetParam(), plan);
    const std::string sent = stream(300000);
    EXPECT_TRUE(echo.exchange(sent) == sent);
    EXPECT_EQ(must(plan.happened()), "");
    const auto counts = must(plan.counts());
    EXPECT_EQ(counts.connections, 1u);
    EXPECT_EQ(counts.flipped + counts.lost + counts.resets + counts.stops + counts.refused + counts.without_descriptor +
                  counts.delayed_accepts + counts.would_blocks,
              0u);
}

TEST_P(FaultsTest, Pieces) {
    Faults faults = to_server();
    faults.pieces = {1, 7};
    const FaultPlan plan = must(FaultPlan::create(faults));
    Echo echo(GetParam(), plan);
    const std::string sent = stream(500);
    EXPECT_EQ(echo.exchange(sent), sent);
    EXPECT_GE(must(plan.counts()).pieces, 500u / 7);
}

TEST_P(FaultsTest, Delay) {
    Faults faults = to_server();
    faults.pieces = 5;
    faults.delay = 20ms;
    const FaultPlan plan = must(FaultPlan::create(faults));
    Echo echo(GetParam(), plan);
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(echo.exchange(stream(25)), stream(25));
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 5 * 20ms);
}

TEST_P(FaultsTest, WouldBlock) {
    Faults faults;
    faults.would_block = 3;
    const FaultPlan plan = must(FaultPlan::create(faults));
    Echo echo(GetParam(), plan);
    const std::string sent = stream(100000);
    EXPECT_TRUE(echo.exchange(sent) == sent);
    EXPECT_GE(must(plan.counts()).would_blocks, 6u);
}

TEST_P(FaultsTest, Reset) {
    Faults faults = to_server();
    faults.reset_nth = 51;
    faults.pieces = 10;
    const FaultPlan plan = must(FaultPlan::create(faults));
    Echo echo(GetParam(), plan);
    EXPECT_LE(echo.exchange(stream(1000)).size(), 50u);
    EXPECT_EQ(must(plan.counts()).resets, 1u);
}

TEST_P(FaultsTest, StopReading) {
    Faults faults = to_server();
    faults.stop_reading_nth = 1001;
    const FaultPlan plan = must(FaultPlan::create(faults));
    Echo echo(GetParam(), plan);
    // More than all buffers hold.
    EXPECT_FAILS(echo.client.send(stream(1 << 22), 50ms), Status::timed_out);
    EXPECT_TRUE(receive_exactly(echo.client, 1000) == stream(1000));
    char buffer[1];
    EXPECT_FAILS(echo.client.receive(buffer, 20ms), Status::timed_out);
    EXPECT_EQ(must(plan.counts()).stops, 1u);
}

TEST_P(FaultsTest, FlipAndLoseOneByte) {
    Faults faults = to_server();
    faults.flip_nth = 11;
    const FaultPlan flip = must(FaultPlan::create(faults));
    const std::string sent = stream(100);
    std::string back = Echo(GetParam(), flip).exchange(sent);
    ASSERT_EQ(back.size(), sent.size());
    EXPECT_NE(back[10], sent[10]);
    back[10] = sent[10];
    EXPECT_EQ(back, sent);
    EXPECT_EQ(must(flip.counts()).flipped, 1u);
    EXPECT_EQ(must(flip.happened()).find("connection 1, to the server, after 10 bytes: 0x0a becomes"), 0u)
        << must(flip.happened());

    faults = to_server();
    faults.lose_nth = 11;
    const FaultPlan lose = must(FaultPlan::create(faults));
    EXPECT_EQ(Echo(GetParam(), lose).exchange(sent), sent.substr(0, 10) + sent.substr(11));
    EXPECT_EQ(must(lose.counts()).lost, 1u);

    faults.direction = Direction::to_client;
    const FaultPlan back_way = must(FaultPlan::create(faults));
    EXPECT_EQ(Echo(GetParam(), back_way).exchange(sent).size(), 99u);
    EXPECT_NE(must(back_way.happened()).find("to the client"), std::string::npos);
}

TEST_P(FaultsTest, ChanceIsDecidedByTheSeed) {
    const std::string sent = stream(20000);
    const auto run = [&](std::uint64_t seed) {
        Faults faults = to_server();
        faults.seed = seed;
        faults.flip_one_in = 900;
        faults.lose_one_in = 700;
        const FaultPlan plan = must(FaultPlan::create(faults));
        std::string back = Echo(GetParam(), plan).exchange(sent);
        const auto counts = must(plan.counts());
        EXPECT_GT(counts.flipped, 0u);
        EXPECT_GT(counts.lost, 0u);
        EXPECT_EQ(back.size(), sent.size() - counts.lost);
        return back;
    };
    const std::string first = run(5);
    EXPECT_TRUE(run(5) == first);
    EXPECT_FALSE(run(6) == first);
}

TEST_P(FaultsTest, TheEndOfAPlanBreaksItsConnections) {
    FaultPlan plan = must(FaultPlan::create(Faults()));
    Echo echo(GetParam(), plan);
    must(echo.client.send("x", patience));
    EXPECT_EQ(receive_exactly(echo.client, 1), "x");
    must(plan.end());
    EXPECT_EQ(receive_exactly(echo.client, 1), "");
    EXPECT_EQ(must(plan.counts()).connections, 1u);
}

// A listening server with this plan, and clients that connect to it.
struct Listening {
    explicit Listening(const FaultPlan& plan, std::uint32_t backlog = 0) {
        ServerOptions options;
        options.faults = plan;
        options.backlog = backlog;
        server = must(Server::create(options));
        must(server.listen_unique("faulty"));
    }
    Socket connect() const { return must(Socket::connect(must(server.full_name()), patience)); }

    Server server;
};

using FaultOptionsTest = Clean;

TEST_F(FaultOptionsTest, AWindowMakesWritesShort) {
    const auto taken = [](const Faults& faults) {
        const FaultPlan plan = must(FaultPlan::create(faults));
        // Of both sides: nobody reads, so what is taken is what the system has room for.
        Listening listening(plan);
        Socket plain = listening.connect();
        Socket accepted = must(listening.server.accept(patience));
        SocketOptions options;
        options.faults = plan;
        Socket client = must(Socket::connect(must(listening.server.full_name()), patience, options));
        std::array<std::size_t, 2> sizes = {};
        for (const auto& [socket, size] : {std::pair(&accepted, &sizes[0]), std::pair(&client, &sizes[1])}) {
            const auto sent = socket->send(stream(1 << 22), Timeout::none());
            EXPECT_FAILS(sent, Status::would_block);
            *size = sent ? 0 : sent.error().sent();
        }
        return sizes;
    };
    Faults small;
    small.window = 1;
    const auto with_little = taken(small);
    const auto with_all_room = taken(Faults());
    EXPECT_LT(with_little[0], with_all_room[0]);
    EXPECT_LT(with_little[1], with_all_room[1]);
}

Service echo_service(const FaultPlan& plan) {
    ServiceOptions options;
    options.faults = plan;
    options.backlog = 2;
    Service service = must(Service::echo(options));
    must(service.start_unique("faulty"));
    return service;
}

std::string echoed(const Service& service, const std::string& sent) {
    Socket client = must(Socket::connect(must(service.full_name()), patience));
    must(client.send(sent, patience));
    return receive_exactly(client, sent.size());
}

TEST_F(FaultOptionsTest, ARefusedAccept) {
    Faults faults;
    faults.refuse_accept_nth = 1;
    const FaultPlan plan = must(FaultPlan::create(faults));
    {
        Listening listening(plan);
        Socket refused = listening.connect();
        Socket served = listening.connect();
        Socket accepted = must(listening.server.accept(patience));
        must(served.send("x", patience));
        EXPECT_EQ(receive_exactly(accepted, 1), "x");
        EXPECT_EQ(receive_exactly(refused, 1), "");
        EXPECT_EQ(must(plan.counts()).refused, 1u);
    }
    const FaultPlan another = must(FaultPlan::create(faults));
    const Service service = echo_service(another);
    Socket refused = must(Socket::connect(must(service.full_name()), patience));
    EXPECT_EQ(receive_exactly(refused, 1), "");
    EXPECT_EQ(echoed(service, "x"), "x");
}

TEST_F(FaultOptionsTest, AnAcceptWithoutADescriptor) {
    Faults faults;
    faults.no_descriptors_nth = 1;
    const FaultPlan plan = must(FaultPlan::create(faults));
    {
        Listening listening(plan);
        Socket client = listening.connect();
        EXPECT_FAILS(listening.server.accept(patience), Status::limit_reached);
        EXPECT_OK(listening.server.accept(patience));
    }
    const FaultPlan another = must(FaultPlan::create(faults));
    const Service service = echo_service(another);
    EXPECT_EQ(echoed(service, "x"), "x");
    EXPECT_EQ(must(another.counts()).without_descriptor, 1u);
}

TEST_F(FaultOptionsTest, ADelayedAccept) {
    Faults faults;
    faults.accept_delay = 30ms;
    const FaultPlan plan = must(FaultPlan::create(faults));
    Listening listening(plan);
    const auto begin = std::chrono::steady_clock::now();
    Socket client = listening.connect();
    EXPECT_FAILS(listening.server.accept(Timeout::none()), Status::would_block);
    EXPECT_OK(listening.server.accept(patience));
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 30ms);
    const FaultPlan another = must(FaultPlan::create(faults));
    const Service service = echo_service(another);
    const auto start = std::chrono::steady_clock::now();
    EXPECT_EQ(echoed(service, "x"), "x");
    EXPECT_GE(std::chrono::steady_clock::now() - start, 30ms);
    EXPECT_EQ(must(another.counts()).delayed_accepts, 1u);
}

TEST_F(FaultOptionsTest, AFullBacklogUntilItIsOpened) {
    Faults faults;
    faults.backlog_full = true;
    FaultPlan plan = must(FaultPlan::create(faults));
    Listening listening(plan, 2);
    EXPECT_FAILS(Socket::connect(must(listening.server.full_name()), Timeout::none()), Status::would_block);
    EXPECT_FAILS(Socket::connect(must(listening.server.full_name()), 5ms), Status::timed_out);
    must(plan.open_backlog());
    std::thread accepting([&] { EXPECT_OK(listening.server.accept(patience)); });
    EXPECT_OK(Socket::connect(must(listening.server.full_name()), patience));
    accepting.join();

    FaultPlan another = must(FaultPlan::create(faults));
    const Service service = echo_service(another);
    EXPECT_FAILS(Socket::connect(must(service.full_name()), Timeout::none()), Status::would_block);
    must(another.open_backlog());
    EXPECT_EQ(echoed(service, "x"), "x");
}

TEST_F(FaultOptionsTest, FaultsThatMakeNoSenseAreNamed) {
    Faults faults;
    faults.pieces = {5, 4};
    const auto plan = FaultPlan::create(faults);
    ASSERT_FAILS(plan, Status::invalid_argument);
    EXPECT_NE(plan.error().message().find("pieces"), std::string::npos) << plan.error().message();
    faults = Faults();
    faults.pieces = {0, 4};
    EXPECT_FAILS(FaultPlan::create(faults), Status::invalid_argument);
}

TEST_F(FaultOptionsTest, AnOwnerOfNothingIsNoOptionThatWasNotGiven) {
    FaultPlan plan = must(FaultPlan::create(Faults()));
    const FaultPlan moved = std::move(plan);
    ServerOptions server;
    server.faults = plan;
    EXPECT_FAILS(Server::create(server), Status::invalid_argument);
    EXPECT_EQ(Server::create(server).error().message().find("faults: "), 0u);
    SocketOptions socket;
    socket.faults = plan;
    EXPECT_FAILS(Socket::pair(socket), Status::invalid_argument);
    EXPECT_FAILS(Socket::connect("nobody", Timeout::none(), socket), Status::invalid_argument);
    ServiceOptions service;
    service.faults = plan;
    EXPECT_FAILS(Service::echo(service), Status::invalid_argument);
    server.faults = nullptr;
    EXPECT_OK(Server::create(server));
}

TEST_F(FaultOptionsTest, APlanThatHasEndedAsAnObjectIsStale) {
    FaultPlan plan = must(FaultPlan::create(Faults()));
    ServerOptions server;
    server.faults = plan;
    ServiceOptions service;
    service.faults = plan;
    SocketOptions socket;
    socket.faults = plan;
    must(plan.destroy());
    EXPECT_FAILS(Server::create(server), Status::stale_handle);
    EXPECT_FAILS(Service::echo(service), Status::stale_handle);
    EXPECT_FAILS(Socket::pair(socket), Status::stale_handle);
}

static_assert(!std::is_constructible_v<moorline::Borrowed<moorline_fault_plan>, FaultPlan&&>,
              "a temporary would have ended before the option is used");
static_assert(std::is_constructible_v<moorline::Borrowed<moorline_fault_plan>, const FaultPlan&>);

}  // namespace

// Server: listening, accepting, closing.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <set>

#include "support.hpp"

namespace {

using moorline::Server;
using moorline::Socket;

using ServerTest = Clean;

TEST_F(ServerTest, ServesFromTheMomentItListens) {
    Server server = must(Server::create());
    must(server.listen("hello"));
    EXPECT_EQ(must(server.full_name()), path("hello"));
    Socket client = must(Socket::connect("hello", Timeout::none()));
    Socket accepted = must(server.accept(patience));
    must(client.send("ping", patience));
    EXPECT_EQ(receive_exactly(accepted, 4), "ping");
    must(accepted.send("pong", patience));
    EXPECT_EQ(receive_exactly(client, 4), "pong");
}

TEST_F(ServerTest, ALiveNameIsNotTaken) {
    Server first = must(Server::create());
    must(first.listen("name"));
    Server second = must(Server::create());
    const auto refused = second.listen("name");
    ASSERT_FAILS(refused, Status::name_in_use);
    EXPECT_NE(refused.error().message().find(path("name")), std::string::npos) << refused.error().message();
    must(second.destroy());
    Socket client = must(Socket::connect("name", Timeout::none()));
    EXPECT_OK(first.accept(patience));
}

TEST_F(ServerTest, UniqueNamesDiffer) {
    std::set<std::string> names;
    std::vector<Server> servers;
    for (int i = 0; i < 20; ++i) {
        servers.push_back(must(Server::create()));
        must(servers.back().listen_unique("test"));
        names.insert(must(servers.back().full_name()));
    }
    EXPECT_EQ(names.size(), 20u);
    EXPECT_EQ(names.begin()->find(path("test")), 0u) << *names.begin();
}

TEST_F(ServerTest, AcceptsWhatIsThereAndWaitsNoLongerThanAsked) {
    Server server = must(Server::create());
    EXPECT_FAILS(server.accept(Timeout::none()), Status::invalid_state);
    must(server.listen("name"));
    EXPECT_FAILS(server.accept(Timeout::none()), Status::would_block);
    const auto start = std::chrono::steady_clock::now();
    EXPECT_FAILS(server.accept(50ms), Status::timed_out);
    EXPECT_GE(std::chrono::steady_clock::now() - start, 50ms);
}

TEST_F(ServerTest, ListensAgainAfterClose) {
    Server server = must(Server::create());
    must(server.listen("first"));
    EXPECT_FAILS(server.listen("second"), Status::invalid_state);
    must(server.close());
    EXPECT_FAILS(server.full_name(), Status::invalid_state);
    EXPECT_EQ(must(moorline::name_state("first")), moorline::NameState::absent);
    must(server.listen("second"));
    Socket client = must(Socket::connect("second", Timeout::none()));
    EXPECT_OK(server.accept(patience));
}

TEST_F(ServerTest, TheDefaultModeIsTheOwnersAlone) {
    Server server = must(Server::create());
    must(server.listen("mode"));
    struct stat status = {};
    ASSERT_EQ(stat(path("mode").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0600u);
}

TEST_F(ServerTest, ListensOnADescriptorThatListensAlready) {
    const int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_GE(descriptor, 0);
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    path("given").copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(listen(descriptor, 5), 0);
    {
        Server server = must(Server::create());
        must(server.listen_descriptor(descriptor));
        EXPECT_GE(must(server.descriptor()), 0);
        Socket client = must(Socket::connect("given", Timeout::none()));
        EXPECT_OK(server.accept(patience));
    }
    // It did not make the file, so it does not remove it.
    EXPECT_EQ(unlink(path("given").c_str()), 0);
}

}  // namespace

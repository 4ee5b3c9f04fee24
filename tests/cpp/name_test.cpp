// Names: what they mean, what is there, and which are refused.
#include <fstream>

#include "support.hpp"

namespace {

using moorline::NameState;
using moorline::Scope;
using moorline::Server;
using moorline::Socket;

using NameTest = Clean;

TEST_F(NameTest, APlainNameMeansTheTempDirectory) {
    EXPECT_EQ(must(moorline::resolve_name("plain")), path("plain"));
    EXPECT_EQ(must(moorline::resolve_name("/somewhere/else")), "/somewhere/else");
    EXPECT_NE(must(moorline::resolve_name("plain", Scope::abstract)), path("plain"));
}

TEST_F(NameTest, ALongNameComesBackWhole) {
    const std::string longer_than_the_first_buffer = path(std::string(200, 'a') + "/" + std::string(200, 'b'));
    EXPECT_EQ(must(moorline::resolve_name(longer_than_the_first_buffer)), longer_than_the_first_buffer);
}

TEST_F(NameTest, TheStateOfANameIsSeen) {
    EXPECT_EQ(must(moorline::name_state(path("a"))), NameState::absent);
    Server server = must(Server::create());
    must(server.listen("a"));
    EXPECT_EQ(must(moorline::name_state(path("a"))), NameState::live);
    EXPECT_EQ(must(moorline::name_state("a")), NameState::live);
    std::ofstream(path("file")) << "not a socket";
    EXPECT_EQ(must(moorline::name_state(path("file"))), NameState::occupied);
    EXPECT_FAILS(moorline::remove_name(path("file")), Status::name_in_use);
    std::remove(path("file").c_str());
}

TEST_F(NameTest, ANameIsRemovedOnRequestOnly) {
    Server server = must(Server::create());
    must(server.listen(path("a")));
    must(moorline::remove_name(path("a")));
    EXPECT_EQ(must(moorline::name_state(path("a"))), NameState::absent);
    EXPECT_OK(moorline::remove_name(path("a")));
}

// As a C string it would be another name, one that may exist.
TEST_F(NameTest, ANameWithANulByteIsRefused) {
    const std::string name("a\0b", 3);
    Server server = must(Server::create());
    EXPECT_FAILS(server.listen(name), Status::name_invalid);
    EXPECT_FAILS(server.listen_unique(name), Status::name_invalid);
    EXPECT_FAILS(moorline::Socket::connect(name, Timeout::none()), Status::name_invalid);
    EXPECT_FAILS(moorline::resolve_name(name), Status::name_invalid);
    EXPECT_FAILS(moorline::name_state(name), Status::name_invalid);
    EXPECT_FAILS(moorline::remove_name(name), Status::name_invalid);
    moorline::Service service = must(moorline::Service::echo());
    EXPECT_FAILS(service.start(name), Status::name_invalid);
    EXPECT_FAILS(service.start_unique(name), Status::name_invalid);
    EXPECT_FAILS(moorline::run_exchange(name, {}, Timeout::none()), Status::name_invalid);
    EXPECT_EQ(must(moorline::name_state("a")), NameState::absent);
}

TEST_F(NameTest, BadNamesAreRefused) {
    Server server = must(Server::create());
    for (const char* name : {"", "..", "../up", "a/../b"}) {
        EXPECT_FAILS(server.listen(name), Status::name_invalid) << name;
    }
    EXPECT_FAILS(server.listen(path(std::string(300, 'a'))), Status::name_too_long);
}

TEST_F(NameTest, AbstractNamesOfAnyBytes) {
    const std::string name = std::string("abstract\0", 9) + directory();
    Server server = must(Server::create());
    EXPECT_FAILS(server.is_abstract(), Status::invalid_state);
    must(server.listen_abstract(name));
    EXPECT_TRUE(must(server.is_abstract()));
    Socket client = must(Socket::connect_abstract(name, patience));
    EXPECT_OK(server.accept(patience));
    EXPECT_FAILS(Socket::connect_abstract(name.substr(0, 8), patience), Status::connection_refused);
    Server other = must(Server::create());
    EXPECT_FAILS(other.listen_abstract(name), Status::name_in_use);
    EXPECT_FAILS(other.listen_abstract(std::string(108, 'x')), Status::name_too_long);
    must(other.listen("path"));
    EXPECT_FALSE(must(other.is_abstract()));
}

}  // namespace

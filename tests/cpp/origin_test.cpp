// A handle knows the line of the program that made it.
#include "support.hpp"

#if __cplusplus >= 202002L
#include <source_location>
#endif

namespace {

using moorline::Poller;
using moorline::Server;
using moorline::Service;
using moorline::Socket;
using moorline::SourceLocation;

std::string here(int line) { return std::string(__FILE__) + ":" + std::to_string(line); }

// The line of the report for the handle that was made at `line` of this file; empty if there is none.
std::string reported(int line) {
    const std::string report = must(moorline::live_handles_report());
    const std::size_t at = report.find(here(line));
    if (at == std::string::npos) {
        return "";
    }
    const std::size_t begin = report.rfind('\n', at) + 1;
    return report.substr(begin, report.find('\n', at) - begin);
}

#define EXPECT_REPORTED(line, kind)                                                                  \
    EXPECT_NE(reported(line).find(kind), std::string::npos) << must(moorline::live_handles_report())

using OriginTest = Clean;

TEST_F(OriginTest, IsEmptyWhenThereIsNoHandle) { EXPECT_EQ(must(moorline::live_handles_report()), ""); }

TEST_F(OriginTest, IsTheLineOfTheCall) {
    // clang-format off
    Server server = must(Server::create()); const int server_line = __LINE__;
    must(server.listen(path("a")));
    Socket client = must(Socket::connect(path("a"), patience)); const int client_line = __LINE__;
    Socket accepted = must(server.accept(patience)); const int accepted_line = __LINE__;
    auto pair = must(Socket::pair()); const int pair_line = __LINE__;
    const auto descriptor = must(pair.first.release_descriptor());
    Socket adopted = must(Socket::adopt_descriptor(static_cast<int>(descriptor))); const int adopted_line = __LINE__;
    Poller poller = must(Poller::create()); const int poller_line = __LINE__;
    Service echo = must(Service::echo()); const int echo_line = __LINE__;
    Service service = must(Service::create({})); const int service_line = __LINE__;
    // clang-format on
    EXPECT_REPORTED(server_line, "server");
    EXPECT_REPORTED(server_line, path("a"));
    EXPECT_REPORTED(client_line, "socket");
    EXPECT_REPORTED(accepted_line, "socket");
    EXPECT_REPORTED(pair_line, "socket");
    EXPECT_REPORTED(adopted_line, "socket");
    EXPECT_REPORTED(poller_line, "poller");
    EXPECT_REPORTED(echo_line, "service");
    EXPECT_REPORTED(service_line, "service");
}

TEST_F(OriginTest, OfAnotherWhenAWrapperHandsItOn) {
    const auto wrapper = [](SourceLocation where = SourceLocation::current()) { return must(Server::create({}, where)); };
    Server first = wrapper();
    const int first_line = __LINE__ - 1;
    EXPECT_REPORTED(first_line, "server");

    const Server second = must(Server::create({}, SourceLocation("elsewhere.cpp", 77)));
    EXPECT_NE(must(moorline::live_handles_report()).find("elsewhere.cpp:77"), std::string::npos);

#if defined(__cpp_lib_source_location)
    const Server third = must(Server::create({}, std::source_location::current()));
    const int third_line = __LINE__ - 1;
    EXPECT_REPORTED(third_line, "server");
#endif
}

TEST_F(OriginTest, StaysWithAHandleThatIsMoved) {
    Server first = must(Server::create());
    const int line = __LINE__ - 1;
    const Server second = std::move(first);
    EXPECT_REPORTED(line, "server");
}

}  // namespace

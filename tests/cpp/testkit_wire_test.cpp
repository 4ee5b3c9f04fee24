// A proxy carries and spoils, a tap records, and a recording is played to either side.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <moorline/testkit.hpp>

#include "support.hpp"

namespace {

using moorline::Server;
using moorline::Socket;
using moorline::testkit::FaultPlan;
using moorline::testkit::Faults;
using moorline::testkit::Fixture;
using moorline::testkit::Proxy;
using moorline::testkit::ProxyOptions;
using moorline::testkit::Recording;
using moorline::testkit::Tap;

class WireTest : public Clean {
protected:
    static Socket connect(const Proxy& proxy) { return must(Socket::connect(must(proxy.full_name()), patience)); }

    // The script of the conversation that is recorded, and the recording.
    const std::string script = "expect \"hello\"\nsend \"who?\"\nexpect \"me\"\nexpect-end\nclose";
    Recording record() {
        const Fixture fixture = must(Fixture::start(script));
        const Tap tap = must(Tap::create(path("recording")));
        ProxyOptions options;
        options.tap = tap;
        Proxy proxy = must(Proxy::start("tapped", must(fixture.full_name()), options));
        Socket client = connect(proxy);
        must(client.send("hello", patience));
        EXPECT_EQ(receive_exactly(client, 4), "who?");
        must(client.send("me", patience));
        must(client.shutdown(moorline::Interest::writable, patience));
        must(fixture.wait(1, patience));
        client = Socket();
        must(proxy.stop(patience));
        must(tap.check());
        struct stat status = {};
        EXPECT_EQ(stat(path("recording").c_str(), &status), 0);
        EXPECT_EQ(status.st_mode & 0777U, 0600u);
        EXPECT_FAILS(Tap::create(path("recording")), Status::name_in_use);
        Recording recording = must(Recording::read(path("recording")));
        unlink(path("recording").c_str());
        return recording;
    }
};

TEST_F(WireTest, AProxyCarriesBothWays) {
    const Fixture fixture = must(Fixture::echo());
    Proxy proxy = must(Proxy::start("proxy", must(fixture.full_name())));
    EXPECT_EQ(must(proxy.full_name()), path("proxy"));
    Socket client = connect(proxy);
    must(client.send("hello", patience));
    EXPECT_EQ(receive_exactly(client, 5), "hello");
    client = Socket();
    EXPECT_OK(proxy.stop(patience));
    EXPECT_FAILS(proxy.full_name(), Status::invalid_state);
    EXPECT_EQ(must(proxy.take_failures()), "");
}

TEST_F(WireTest, AProxySpoilsByPlan) {
    const Fixture fixture = must(Fixture::echo());
    Faults faults;
    faults.lose_nth = 1;
    faults.direction = moorline::testkit::Direction::to_server;
    const FaultPlan plan = must(FaultPlan::create(faults));
    ProxyOptions options;
    options.faults = plan;
    const Proxy proxy = must(Proxy::start("proxy", must(fixture.full_name()), options));
    Socket client = connect(proxy);
    must(client.send("hello", patience));
    EXPECT_EQ(receive_exactly(client, 4), "ello");
    EXPECT_EQ(must(plan.counts()).lost, 1u);
}

TEST_F(WireTest, AProxyTellsWhomItCouldNotConnect) {
    Proxy proxy = must(Proxy::start("proxy", "nobody"));
    Socket client = connect(proxy);
    EXPECT_EQ(receive_exactly(client, 1), "");
    std::string failures;
    EXPECT_TRUE(eventually([&] {
        failures += must(proxy.take_failures());
        return !failures.empty();
    }));
    EXPECT_NE(failures.find(path("nobody")), std::string::npos) << failures;
    EXPECT_EQ(must(proxy.take_failures()), "");
}

TEST_F(WireTest, StoppingAProxyBreaksWhatDoesNotEnd) {
    const Fixture fixture = must(Fixture::echo());
    Proxy proxy = must(Proxy::start("proxy", must(fixture.full_name())));
    Socket client = connect(proxy);
    must(client.send("x", patience));
    EXPECT_EQ(receive_exactly(client, 1), "x");
    EXPECT_FAILS(proxy.stop(Timeout::none()), Status::would_block);
    EXPECT_EQ(receive_exactly(client, 1), "");
}

TEST_F(WireTest, OptionsOfAProxyAreUsed) {
    const Fixture fixture = must(Fixture::echo());
    ProxyOptions options;
    options.mode = 0642;
    const Proxy proxy = must(Proxy::start("proxy", must(fixture.full_name()), options));
    struct stat status = {};
    ASSERT_EQ(stat(path("proxy").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0642u);
    const Tap none;
    options.tap = none;
    EXPECT_FAILS(Proxy::start("another", "nobody", options), Status::invalid_argument);
    EXPECT_FAILS(Proxy::start(std::string("a\0b", 3), "nobody"), Status::name_invalid);
    EXPECT_FAILS(Proxy::start("proxy", "nobody"), Status::name_in_use);
}

TEST_F(WireTest, ATapRecordsBothSides) {
    const Recording recording = record();
    const std::string text = must(recording.text());
    EXPECT_EQ(text.find("moorline-tap 1\n"), 0u) << text;
    for (const char* part : {" open ", " to-server 68656c6c6f\n", " to-client 77686f3f\n", " end to-server\n", " close\n"}) {
        EXPECT_NE(text.find(part), std::string::npos) << part << " is not in:\n" << text;
    }
    const auto size = must(recording.size());
    EXPECT_EQ(size.connections, 1u);
    EXPECT_EQ(size.entries, static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n') - 1));
}

TEST_F(WireTest, ARecordingIsPlayedToAServerThatDoesTheSame) {
    Recording recording = record();
    const Fixture same = must(Fixture::start(script));
    const auto [played, report] = recording.play_clients(must(same.full_name()), patience);
    EXPECT_OK(played);
    EXPECT_EQ(report.connections, 1u);
    EXPECT_EQ(report.sent, 7u);
    EXPECT_EQ(report.matched, 4u);
    EXPECT_FALSE(report.difference);
    EXPECT_OK(same.wait(1, patience));
}

TEST_F(WireTest, TheFirstDifferenceOfAServerIsTold) {
    Recording recording = record();
    const Fixture other = must(Fixture::start("expect \"hello\"\nsend \"what?\"\nsink"));
    const auto [played, report] = recording.play_clients(must(other.full_name()), patience);
    ASSERT_FAILS(played, Status::mismatch);
    ASSERT_TRUE(report.difference);
    EXPECT_EQ(report.difference->connection, 1u);
    EXPECT_EQ(report.difference->after, 2u);
    EXPECT_NE(played.error().message().find("\"at\""), std::string::npos) << played.error().message();
}

TEST_F(WireTest, PatienceIsAnOption) {
    Recording recording = record();
    const Fixture silent = must(Fixture::sink());
    moorline::testkit::ReplayOptions options;
    options.patience = 20ms;
    // The patience that it has by itself is longer than all may take here.
    EXPECT_FAILS(recording.play_clients(must(silent.full_name()), 9s, options).result, Status::mismatch);
    EXPECT_FAILS(recording.play_clients("nobody", patience).result, Status::not_found);
}

TEST_F(WireTest, ARecordingIsPlayedToAClient) {
    Recording recording = record();
    for (const bool same : {true, false}) {
        Server server = must(Server::create());
        must(server.listen_unique("played"));
        Socket client = must(Socket::connect(must(server.full_name()), patience));
        std::thread thread([&] {
            must(client.send("hello", patience));
            EXPECT_EQ(receive_exactly(client, 4), "who?");
            must(client.send(same ? "me" : "mu", patience));
            must(client.shutdown(moorline::Interest::writable, patience));
        });
        const auto [played, report] = recording.play_server(server, patience);
        thread.join();
        if (same) {
            EXPECT_OK(played);
            EXPECT_EQ(report.matched, 7u);
        } else {
            EXPECT_FAILS(played, Status::mismatch);
            EXPECT_EQ(report.difference->after, 6u);
        }
    }
}

TEST_F(WireTest, InRealTimeAReplayTakesAsLongAsTheRecording) {
    std::ofstream(path("slow")) << "moorline-tap 1\n0 1 open\n10 1 to-server 61\n40000 1 to-server 62\n40001 1 close\n";
    Recording recording = must(Recording::read(path("slow")));
    unlink(path("slow").c_str());
    const Fixture sink = must(Fixture::sink());
    moorline::testkit::ReplayOptions options;
    options.real_time = true;
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_OK(recording.play_clients(must(sink.full_name()), patience, options).result);
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 40ms);
}

TEST_F(WireTest, AFileThatIsNoRecordingIsNamedWithItsLine) {
    std::ofstream(path("bad")) << "moorline-tap 1\n0 1 open\nnonsense\n";
    const auto recording = Recording::read(path("bad"));
    ASSERT_FAILS(recording, Status::malformed);
    EXPECT_NE(recording.error().message().find("line 3"), std::string::npos) << recording.error().message();
    EXPECT_NE(recording.error().message().find(path("bad")), std::string::npos);
    EXPECT_FAILS(Recording::read(path("absent")), Status::not_found);
    EXPECT_FAILS(Recording::read(std::string("a\0b", 3)), Status::invalid_argument);
    unlink(path("bad").c_str());
}

}  // namespace

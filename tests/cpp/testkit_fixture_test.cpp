// Each fixture does what it says, and a missed expectation is told with everything that led to it.
#include <moorline/testkit.hpp>

#include "support.hpp"

namespace {

using moorline::Socket;
using moorline::testkit::Fixture;
using moorline::testkit::FixtureOptions;

class FixtureTest : public Clean {
protected:
    static Socket connect(const Fixture& fixture) { return must(Socket::connect(must(fixture.full_name()), patience)); }

    static void end_sending(Socket& socket) { must(socket.shutdown(moorline::Interest::writable, patience)); }

    // What stays on stderr of a fixture of this script that gets these bytes and then the end, and the error of the wait.
    static std::pair<std::string, moorline::Error> missed(const std::string& script, const std::string& bytes,
                                                          const FixtureOptions& options = {}) {
        testing::internal::CaptureStderr();
        const Fixture fixture = must(Fixture::start(script, options));
        Socket client = connect(fixture);
        must(client.send(bytes, patience));
        end_sending(client);
        const auto waited = fixture.wait(1, patience);
        const std::string printed = testing::internal::GetCapturedStderr();
        if (waited) {
            throw std::runtime_error("nothing was missed");
        }
        EXPECT_EQ(must(fixture.statistics()).missed, 1u);
        return {printed, waited.error()};
    }
};

void expect_parts(const std::string& text, const std::vector<std::string>& parts) {
    for (const std::string& part : parts) {
        EXPECT_NE(text.find(part), std::string::npos) << part << " is not in:\n" << text;
    }
}

TEST_F(FixtureTest, AnEchoSendsBack) {
    const Fixture echo = must(Fixture::echo());
    Socket client = connect(echo);
    must(client.send("hello", patience));
    EXPECT_EQ(receive_exactly(client, 5), "hello");
    EXPECT_FAILS(echo.wait(1, Timeout::none()), Status::would_block);
    end_sending(client);
    EXPECT_OK(echo.wait(1, patience));
    EXPECT_EQ(receive_exactly(client, 1), "");
    const auto statistics = must(echo.statistics());
    EXPECT_EQ(statistics.connections, 1u);
    EXPECT_EQ(statistics.finished, 1u);
    EXPECT_EQ(statistics.missed, 0u);
    EXPECT_EQ(statistics.received, 5u);
    EXPECT_EQ(statistics.sent, 5u);
}

TEST_F(FixtureTest, ASinkTakes) {
    const Fixture sink = must(Fixture::sink());
    Socket client = connect(sink);
    must(client.send(std::string(1 << 20, 'x'), patience));
    EXPECT_OK(sink.wait_received(1 << 20, patience));
    EXPECT_FAILS(sink.wait_received((1 << 20) + 1, Timeout::none()), Status::would_block);
    end_sending(client);
    EXPECT_OK(sink.wait(1, patience));
    EXPECT_EQ(must(sink.statistics()).sent, 0u);
}

TEST_F(FixtureTest, AFloodSends) {
    const Fixture some = must(Fixture::flood(1000));
    Socket client = connect(some);
    const std::string bytes = receive_exactly(client, 1000);
    ASSERT_EQ(bytes.size(), 1000u);
    end_sending(client);
    EXPECT_OK(some.wait(1, patience));
    EXPECT_EQ(receive_exactly(client, 1), "");
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        ASSERT_EQ(static_cast<unsigned char>(bytes[i]), i % 251);
    }
    const Fixture endless = must(Fixture::flood());
    Socket drinker = connect(endless);
    EXPECT_EQ(receive_exactly(drinker, 1 << 22).size(), std::size_t{1} << 22U);
}

TEST_F(FixtureTest, AScriptIsFollowedWithItsMessages) {
    const Fixture fixture = must(Fixture::start(R"(
        expect "hello\n" within 30s
        send "who?"
        framing big-endian
        expect-message "me"
        send-message "ok"
        expect-end
    )"));
    Socket client = connect(fixture);
    must(client.send("hel", patience));
    must(client.send("lo\n", patience));
    EXPECT_EQ(receive_exactly(client, 4), "who?");
    const auto descriptor = must(client.release_descriptor());
    moorline::SocketOptions options;
    options.messages = moorline::Framing::big_endian;
    Socket messenger = must(Socket::adopt_descriptor(static_cast<int>(descriptor), options));
    must(messenger.send_message("me", patience));
    EXPECT_EQ(must(messenger.receive_message(patience)), "ok");
    end_sending(messenger);
    EXPECT_OK(fixture.wait(1, patience));
    expect_parts(must(fixture.transcript()), {"connected", "\"who?\"", "<- "});
}

TEST_F(FixtureTest, AMissedExpectationPrintsTheWholeTranscript) {
    const auto [printed, error] = missed("send \"hi\"\nexpect \"hello\"", "help!");
    EXPECT_EQ(error.status(), Status::mismatch);
    for (const std::string& text : {printed, error.message()}) {
        expect_parts(text,
                     {"line 2, expect \"hello\"", "byte 3 is \"p!\", not \"lo\"", "-> 2 bytes \"hi\"", "<- 5 bytes \"help!\""});
    }
    const auto messages = missed("framing lines\nexpect-message \"ab\"", "ax\n").second;
    expect_parts(messages.message(), {"line 2", "\"x\\n\"", "\"b\\n\""});
    const auto early = missed("expect \"hello\"", "hel").second;
    expect_parts(early.message(), {"3 of 5 bytes"});
}

TEST_F(FixtureTest, AQuietOnePrintsNothing) {
    FixtureOptions options;
    options.quiet = true;
    const auto [printed, error] = missed("expect \"x\"", "y", options);
    EXPECT_EQ(printed, "");
    expect_parts(error.message(), {"line 1, expect \"x\""});
}

TEST_F(FixtureTest, AMissedExpectationIsAVerdict) {
    auto verdicts = must(moorline::testkit::Verdicts::create());
    FixtureOptions options;
    options.quiet = true;
    options.verdicts = verdicts;
    missed("expect \"x\"", "y", options);
    EXPECT_FAILS(verdicts.wait(patience), Status::mismatch);
    const auto failures = must(verdicts.take());
    ASSERT_EQ(failures.size(), 1u);
    expect_parts(failures[0].text, {"line 1, expect \"x\"", "<- 1 byte"});
}

TEST_F(FixtureTest, MistakesInAScriptAreNamed) {
    const auto started = Fixture::start("send \"x\"\njump");
    ASSERT_FAILS(started, Status::invalid_argument);
    expect_parts(started.error().message(), {"line 2", "jump"});
    EXPECT_FAILS(Fixture::start(std::string("echo\0", 5)), Status::invalid_argument);
    FixtureOptions options;
    options.prefix = std::string("a\0b", 3);
    EXPECT_FAILS(Fixture::echo(options), Status::invalid_argument);
}

TEST_F(FixtureTest, ItsNameIsItsOwn) {
    FixtureOptions options;
    options.prefix = "peer";
    const Fixture first = must(Fixture::echo(options));
    const Fixture second = must(Fixture::echo(options));
    EXPECT_NE(must(first.full_name()), must(second.full_name()));
    EXPECT_EQ(must(first.full_name()).find(path("peer")), 0u);
    options.scope = moorline::Scope::abstract;
    const Fixture abstract = must(Fixture::echo(options));
    moorline::SocketOptions socket_options;
    socket_options.scope = moorline::Scope::abstract;
    EXPECT_OK(Socket::connect(must(abstract.full_name()), patience, socket_options));
}

TEST_F(FixtureTest, StoppingEndsWaitsAndConnections) {
    Fixture fixture = must(Fixture::echo());
    Socket client = connect(fixture);
    BlockedCall waiting([&] {
        const auto waited = fixture.wait(1, Timeout::unlimited());
        return waited ? Status::ok : waited.error().status();
    });
    EXPECT_TRUE(waiting.wait_until_blocked());
    must(fixture.stop());
    EXPECT_EQ(waiting.answer(), Status::closed);
    EXPECT_EQ(receive_exactly(client, 1), "");
    EXPECT_FAILS(fixture.full_name(), Status::invalid_state);
    EXPECT_OK(fixture.transcript());
    EXPECT_OK(fixture.stop());
}

}  // namespace

// Messages in a service: options, callbacks, refusals, and what becomes of exceptions.
#include "support.hpp"

namespace {

using moorline::BytesView;
using moorline::Connection;
using moorline::Framing;
using moorline::MessageOptions;
using moorline::Service;
using moorline::ServiceOptions;
using moorline::Socket;
using moorline::SocketOptions;

using ServiceMessageTest = Clean;

ServiceOptions serving(MessageOptions messages) {
    ServiceOptions options;
    options.messages = std::move(messages);
    return options;
}

Service started(moorline::Result<Service> created) {
    Service service = must(std::move(created));
    must(service.start("name"));
    return service;
}

Socket connected(MessageOptions messages) {
    SocketOptions options;
    options.messages = std::move(messages);
    return must(Socket::connect("name", patience, options));
}

// A handler that sends messages back, admits none that begins with "bad", and says how a connection ended.
Service::Handler polite(std::promise<Status>& ended) {
    Service::Handler handler;
    handler.message = [](Connection connection, BytesView message) {
        static_cast<void>(connection.send_message(message, Timeout::none()));
    };
    handler.admits = [](Connection, BytesView message) { return message.text().substr(0, 3) != "bad"; };
    handler.disconnected = [&ended](Connection, Status reason) { ended.set_value(reason); };
    return handler;
}

Status outcome(std::promise<Status>& ended) {
    auto future = ended.get_future();
    return future.wait_for(patience) == std::future_status::ready ? future.get() : Status::ok;
}

TEST_F(ServiceMessageTest, AreAnsweredWholeInEveryFraming) {
    for (const Framing framing : {Framing::big_endian, Framing::little_endian, Framing::lines, Framing::checked}) {
        std::promise<Status> ended;
        Service service = started(Service::create(polite(ended), serving(framing)));
        Socket client = connected(framing);
        for (const std::string& message : {std::string("one"), std::string(), std::string(100'000, 'x')}) {
            must(client.send_message(message, patience));
            EXPECT_TRUE(must(client.receive_message(patience)) == message);
        }
        must(client.destroy());
        EXPECT_EQ(outcome(ended), Status::disconnected);
    }
}

TEST_F(ServiceMessageTest, ARefusedOneEndsItsConnection) {
    std::promise<Status> ended;
    Service service = started(Service::create(polite(ended), serving(Framing::checked)));
    Socket client = connected(Framing::checked);
    must(client.send_message("bad", patience));
    EXPECT_EQ(outcome(ended), Status::refused);
    EXPECT_FAILS(client.receive_message(patience), Status::disconnected);
    EXPECT_TRUE(service.take_exceptions().kept.empty());
}

TEST_F(ServiceMessageTest, AnExceptionWhileAdmittingRefusesAndIsKept) {
    std::promise<Status> ended;
    Service::Handler handler = polite(ended);
    handler.admits = [](Connection, BytesView message) -> bool { throw std::string(message.text()); };
    Service service = started(Service::create(std::move(handler), serving(Framing::lines)));
    Socket client = connected(Framing::lines);
    must(client.send_message("words", patience));
    EXPECT_EQ(outcome(ended), Status::refused);
    const auto stopped = service.stop(patience);
    ASSERT_EQ(stopped.report.exceptions.kept.size(), 1u);
    try {
        std::rethrow_exception(stopped.report.exceptions.kept[0]);
    } catch (const std::string& words) {
        EXPECT_EQ(words, "words");
    }
}

TEST_F(ServiceMessageTest, AnExceptionFromAMessageEndsItsConnectionAndIsKept) {
    std::promise<Status> ended;
    Service::Handler handler = polite(ended);
    handler.message = [](Connection, BytesView) { throw std::runtime_error("no good"); };
    Service service = started(Service::create(std::move(handler), serving(Framing::lines)));
    Socket client = connected(Framing::lines);
    must(client.send_message("words", patience));
    EXPECT_EQ(outcome(ended), Status::closed);
    EXPECT_EQ(service.stop(patience).report.exceptions.kept.size(), 1u);
}

TEST_F(ServiceMessageTest, LimitsAreThoseOfTheOptions) {
    MessageOptions messages = Framing::big_endian;
    messages.max_message = 10;
    std::promise<Status> ended;
    std::promise<Status> answered;
    Service::Handler handler = polite(ended);
    handler.message = [&answered](Connection connection, BytesView) {
        const auto sent = connection.send_message("12345678901", Timeout::none());
        answered.set_value(sent ? Status::ok : sent.error().status());
    };
    Service service = started(Service::create(std::move(handler), serving(messages)));
    Socket client = connected(Framing::big_endian);
    must(client.send_message("1234567890", patience));
    EXPECT_EQ(outcome(answered), Status::message_too_large);
    must(client.send_message("12345678901", patience));
    EXPECT_EQ(outcome(ended), Status::message_too_large);
}

TEST_F(ServiceMessageTest, BytesAndMessagesAreNotMixed) {
    EXPECT_FAILS(Service::echo(serving(static_cast<Framing>(77))), Status::invalid_argument);
    std::promise<Status> answered;
    Service::Handler handler;
    handler.received = [&answered](Connection connection, BytesView) {
        const auto sent = connection.send_message("x", Timeout::none());
        answered.set_value(sent ? Status::ok : sent.error().status());
    };
    Service service = started(Service::create(std::move(handler)));
    Socket client = must(Socket::connect("name", patience));
    must(client.send("x", patience));
    EXPECT_EQ(outcome(answered), Status::invalid_state);
}

TEST_F(ServiceMessageTest, AnEchoSendsThemBack) {
    Service service = started(Service::echo(serving(Framing::checked)));
    Socket client = connected(Framing::checked);
    must(client.send_message("hello", patience));
    EXPECT_EQ(must(client.receive_message(patience)), "hello");
}

}  // namespace

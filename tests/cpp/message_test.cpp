// Messages: every option reaches the library, messages of any size and kind, validators, and descriptors.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <optional>

#include "support.hpp"

namespace {

using moorline::BytesView;
using moorline::Descriptor;
using moorline::Framing;
using moorline::MessageOptions;
using moorline::Server;
using moorline::ServerOptions;
using moorline::Socket;
using moorline::SocketOptions;

using MessageTest = Clean;

constexpr Framing framings[] = {Framing::big_endian, Framing::little_endian, Framing::lines, Framing::checked};

SocketOptions with(MessageOptions messages) {
    SocketOptions options;
    options.messages = std::move(messages);
    return options;
}

std::pair<Socket, Socket> pair(MessageOptions messages) { return must(Socket::pair(with(std::move(messages)))); }

// A socket with messages, and the plain other end of its stream.
std::pair<Socket, Descriptor> half(MessageOptions messages) {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    return {must(Socket::adopt_descriptor(ends[0], with(std::move(messages)))), Descriptor(ends[1])};
}

void write_all(const Descriptor& descriptor, const std::string& bytes) {
    EXPECT_EQ(write(descriptor.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
}

bool is_open(int descriptor) { return fcntl(descriptor, F_GETFD) >= 0; }

std::string what(const std::exception_ptr& exception) {
    try {
        std::rethrow_exception(exception);
    } catch (const std::exception& error) {
        return error.what();
    }
}

TEST_F(MessageTest, ArriveWholeOverAServerInEveryFraming) {
    for (const Framing framing : framings) {
        ServerOptions options;
        options.messages = framing;
        Server server = must(Server::create(options));
        must(server.listen("messages"));
        Socket client = must(Socket::connect("messages", patience, with(framing)));
        Socket accepted = must(server.accept(patience));
        must(client.send_message("one", patience));
        must(client.send_message("", patience));
        const std::vector<std::byte> bytes(2, std::byte{'2'});
        must(client.send_message(bytes, patience));
        EXPECT_TRUE(must(accepted.may_have_message()));
        EXPECT_EQ(must(accepted.receive_message(patience)), "one");
        EXPECT_EQ(must(accepted.receive_message(patience)), "");
        EXPECT_EQ(must(accepted.receive_message<std::vector<std::byte>>(patience)), bytes);
        EXPECT_FAILS(accepted.receive_message(Timeout::none()), Status::would_block);
        EXPECT_FALSE(must(accepted.may_have_message()));
        EXPECT_FAILS(accepted.receive_message(10ms), Status::timed_out);
        must(accepted.send_message("back", patience));
        EXPECT_EQ(must(client.receive_message(patience)), "back");
        must(client.destroy());
        EXPECT_FAILS(accepted.receive_message(patience), Status::disconnected);
    }
}

TEST_F(MessageTest, OfAnyLengthGrowByThemselves) {
    auto [first, second] = pair(Framing::checked);
    for (const std::size_t size : {4095u, 4096u, 4097u, 100'000u, 1'000'000u}) {
        std::string message(size, '\0');
        for (std::size_t i = 0; i < size; ++i) {
            message[i] = static_cast<char>(i * 31 + i / 997);
        }
        std::thread sender([&message, peer = &first] {
            EXPECT_OK(peer->send_message(message, patience));
            EXPECT_OK(peer->send_message(message, patience));
        });
        EXPECT_TRUE(must(second.receive_message(patience)) == message) << size;
        EXPECT_TRUE(BytesView(must(second.receive_message<std::vector<std::uint8_t>>(patience))).text() == message) << size;
        sender.join();
    }
}

TEST_F(MessageTest, ABufferTooSmallLosesNothingAndTellsTheLength) {
    auto [first, second] = pair(Framing::lines);
    must(first.send_message("message", patience));
    std::array<char, 3> small;
    const auto [result, length] = second.receive_message(small, patience);
    EXPECT_FAILS(result, Status::buffer_too_small);
    EXPECT_EQ(length, 7u);
    std::array<char, 7> enough;
    const auto again = second.receive_message(enough, patience);
    EXPECT_OK(again);
    EXPECT_EQ(again.report, 7u);
    EXPECT_EQ(BytesView(enough).text(), "message");
}

TEST_F(MessageTest, SeveralReceiversGetWholeMessagesOfAnyLength) {
    auto [first, second] = pair(Framing::little_endian);
    constexpr std::size_t count = 200;
    std::atomic<std::size_t> received{0};
    std::vector<std::thread> receivers;
    for (int i = 0; i < 3; ++i) {
        receivers.emplace_back([&received, peer = &second] {
            while (const auto message = peer->receive_message(patience)) {
                EXPECT_EQ(message->find_first_not_of((*message)[0]), std::string::npos);
                received += 1;
            }
        });
    }
    for (std::size_t i = 0; i < count; ++i) {
        EXPECT_OK(first.send_message(std::string(1 + i * 50, static_cast<char>('a' + i % 26)), patience));
    }
    must(first.destroy());
    for (std::thread& receiver : receivers) {
        receiver.join();
    }
    EXPECT_EQ(received, count);
}

// A message that was read ahead would be lost with the socket that has it.
TEST_F(MessageTest, AreNotLeftBehindByADescriptorThatIsGivenAway) {
    auto [near, far] = pair(Framing::lines);
    must(far.send_message("one", Timeout::none()));
    must(far.send_message("two", Timeout::none()));
    EXPECT_EQ(must(near.receive_message(Timeout::none())), "one");
    EXPECT_FAILS(near.release_descriptor(), Status::invalid_state);
    EXPECT_EQ(must(near.receive_message(Timeout::none())), "two");
    Descriptor descriptor(static_cast<int>(must(near.release_descriptor())));
    EXPECT_TRUE(descriptor);
}

TEST_F(MessageTest, AreNotMixedWithBytes) {
    auto [first, second] = pair(Framing::lines);
    char buffer[4];
    EXPECT_FAILS(first.send("x", Timeout::none()), Status::invalid_state);
    EXPECT_FAILS(first.receive(buffer, Timeout::none()), Status::invalid_state);
    EXPECT_FAILS(first.send_message("a\nb", Timeout::none()), Status::invalid_argument);
    auto [plain, other] = must(Socket::pair());
    EXPECT_FAILS(plain.send_message("x", Timeout::none()), Status::invalid_state);
    EXPECT_FAILS(plain.receive_message(Timeout::none()), Status::invalid_state);
    EXPECT_FAILS(plain.set_validator([](BytesView) { return true; }), Status::invalid_state);
    EXPECT_FAILS(plain.peer_application(), Status::invalid_state);
    Socket empty;
    EXPECT_FAILS(empty.send_message("x", Timeout::none()), Status::invalid_argument);
    EXPECT_FAILS(empty.receive_message(Timeout::none()), Status::invalid_argument);
    EXPECT_FAILS(empty.set_validator(nullptr), Status::invalid_argument);
    EXPECT_EQ(empty.take_exception(), nullptr);
}

TEST_F(MessageTest, OptionMaxMessage) {
    MessageOptions messages = Framing::big_endian;
    messages.max_message = 10;
    auto [socket, plain] = half(messages);
    EXPECT_EQ(must(socket.max_message()), 10u);
    EXPECT_OK(socket.send_message("1234567890", patience));
    EXPECT_FAILS(socket.send_message("12345678901", patience), Status::message_too_large);
    write_all(plain, std::string("\0\0\0\x0b", 4));
    const auto received = socket.receive_message(patience);
    ASSERT_FAILS(received, Status::message_too_large);
    EXPECT_NE(received.error().message().find("11"), std::string::npos) << received.error().message();
    EXPECT_FAILS(socket.receive_message(patience), Status::closed);
}

TEST_F(MessageTest, OptionMessageTimeout) {
    MessageOptions messages = Framing::big_endian;
    messages.message_timeout = 30ms;
    auto [socket, plain] = half(messages);
    write_all(plain, std::string(1, '\0'));
    const auto start = std::chrono::steady_clock::now();
    EXPECT_FAILS(socket.receive_message(Timeout::unlimited()), Status::timed_out);
    EXPECT_GE(std::chrono::steady_clock::now() - start, 29ms);
    EXPECT_FAILS(socket.receive_message(Timeout::unlimited()), Status::closed);
}

TEST_F(MessageTest, OptionHandshakeTimeout) {
    MessageOptions messages = Framing::checked;
    messages.handshake_timeout = 30ms;
    auto [socket, plain] = half(messages);
    const auto received = socket.receive_message(Timeout::unlimited());
    ASSERT_FAILS(received, Status::timed_out);
    EXPECT_NE(received.error().message().find("handshake"), std::string::npos) << received.error().message();
}

TEST_F(MessageTest, OptionApplication) {
    MessageOptions messages = Framing::checked;
    messages.application = {"editor", 3};
    auto [first, second] = pair(messages);
    EXPECT_FAILS(second.peer_application(), Status::would_block);
    must(first.send_message("x", patience));
    EXPECT_EQ(must(second.receive_message(patience)), "x");
    const auto peer = must(second.peer_application());
    EXPECT_EQ(peer.name, "editor");
    EXPECT_EQ(peer.version, 3u);

    ServerOptions options;
    options.messages = messages;
    Server server = must(Server::create(options));
    must(server.listen("editor"));
    messages.application.version = 4;
    Socket client = must(Socket::connect("editor", patience, with(messages)));
    Socket accepted = must(server.accept(patience));
    const auto received = accepted.receive_message(patience);
    ASSERT_FAILS(received, Status::mismatch);
    EXPECT_NE(received.error().message().find("version 3"), std::string::npos) << received.error().message();
    EXPECT_NE(received.error().message().find("version 4"), std::string::npos) << received.error().message();
}

TEST_F(MessageTest, OptionsOutOfRangeAreRefused) {
    EXPECT_FAILS(Socket::pair(with(static_cast<Framing>(77))), Status::invalid_argument);
    MessageOptions messages = Framing::checked;
    messages.application.name = std::string("a\0b", 3);
    EXPECT_FAILS(Socket::pair(with(messages)), Status::invalid_argument);
    ServerOptions options;
    options.messages = messages;
    EXPECT_FAILS(Server::create(options), Status::invalid_argument);
    messages.application.name = std::string(256, 'n');
    EXPECT_FAILS(Socket::pair(with(messages)), Status::invalid_argument);
}

TEST_F(MessageTest, AValidatorRefuses) {
    auto [first, second] = pair(Framing::lines);
    int seen = 0;
    must(second.set_validator([&seen](BytesView message) {
        ++seen;
        return message.text() != "bad";
    }));
    must(first.send_message("good", patience));
    must(first.send_message("bad", patience));
    EXPECT_EQ(must(second.receive_message(patience)), "good");
    EXPECT_FAILS(second.receive_message(patience), Status::refused);
    EXPECT_EQ(seen, 2);
    EXPECT_EQ(second.take_exception(), nullptr);
    EXPECT_FAILS(second.receive_message(patience), Status::closed);
}

TEST_F(MessageTest, AValidatorsExceptionRefusesAndReachesTheOwner) {
    auto [first, second] = pair(Framing::lines);
    must(second.set_validator(
        [](BytesView message) -> bool { throw std::runtime_error("no good: " + std::string(message.text())); }));
    EXPECT_EQ(second.take_exception(), nullptr);
    must(first.send_message("x", patience));
    EXPECT_FAILS(second.receive_message(patience), Status::refused);
    const std::exception_ptr exception = second.take_exception();
    ASSERT_NE(exception, nullptr);
    EXPECT_EQ(what(exception), "no good: x");
    EXPECT_EQ(second.take_exception(), nullptr);
}

TEST_F(MessageTest, AValidatorGivesWayToAnotherAndToNone) {
    auto [first, second] = pair(Framing::lines);
    const auto alive = std::make_shared<int>();
    must(second.set_validator([alive](BytesView) { return false; }));
    EXPECT_EQ(alive.use_count(), 2);
    must(second.set_validator([&second = second](BytesView) {
        // The next message sees the next one.
        return status_of(second.set_validator(nullptr)) == "OK";
    }));
    EXPECT_EQ(alive.use_count(), 1);
    must(first.send_message("1", patience));
    must(first.send_message("2", patience));
    EXPECT_EQ(must(second.receive_message(patience)), "1");
    EXPECT_EQ(must(second.receive_message(patience)), "2");
}

TEST_F(MessageTest, AValidatorMovesWithItsSocketAndEndsWithIt) {
    const auto alive = std::make_shared<int>();
    {
        auto [first, second] = pair(Framing::lines);
        must(second.set_validator([alive](BytesView message) { return message.text() != "bad"; }));
        Socket moved = std::move(second);
        Socket assigned;
        assigned = std::move(moved);
        must(first.send_message("good", patience));
        must(first.send_message("bad", patience));
        EXPECT_EQ(must(assigned.receive_message(patience)), "good");
        EXPECT_FAILS(assigned.receive_message(patience), Status::refused);
        EXPECT_EQ(alive.use_count(), 2);
        assigned = Socket();
        EXPECT_EQ(alive.use_count(), 1);
    }
}

TEST_F(MessageTest, AValidatorOutlivesADestroyThatFindsItAtWork) {
    auto [first, second] = pair(Framing::lines);
    std::promise<void> inside;
    std::promise<void> destroyed;
    std::string kept(1000, 'k');
    must(second.set_validator([&, kept](BytesView) {
        inside.set_value();
        destroyed.get_future().wait();
        return kept == std::string(1000, 'k');
    }));
    must(first.send_message("x", patience));
    std::string answer;
    std::thread receiver([&answer, peer = &second] { answer = status_of(peer->receive_message(patience)); });
    inside.get_future().wait();
    EXPECT_OK(second.destroy());
    destroyed.set_value();
    receiver.join();
    EXPECT_TRUE(answer == "OK" || answer == "CLOSED") << answer;
}

TEST_F(MessageTest, AReleasedHandleLeavesItsValidatorBehind) {
    Socket first;
    moorline_socket* released = nullptr;
    {
        auto [one, second] = pair(Framing::lines);
        first = std::move(one);
        must(second.set_validator([kept = std::string(1000, 'k')](BytesView) { return kept.empty(); }));
        released = second.release();
        ASSERT_NE(released, nullptr);
        EXPECT_FALSE(second);
    }
    must(first.send_message("x", patience));
    Socket adopted = Socket::adopt(released);
    EXPECT_EQ(must(adopted.receive_message(patience)), "x");
}

TEST_F(MessageTest, DescriptorsComeWithTheirMessage) {
    MessageOptions messages = Framing::checked;
    messages.max_descriptors = 2;
    auto [first, second] = pair(messages);
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    Descriptor reading(ends[0]);
    Descriptor writing(ends[1]);
    must(first.send_message("without", patience));
    must(first.send_message_with_descriptors("with", {writing.get(), reading.get()}, patience));
    writing.close();
    EXPECT_EQ(must(second.receive_message(patience)), "without");
    {
        auto message = must(second.receive_message_with_descriptors(patience));
        EXPECT_EQ(message.data, "with");
        ASSERT_EQ(message.descriptors.size(), 2u);
        EXPECT_TRUE(fcntl(message.descriptors[0].get(), F_GETFD) & FD_CLOEXEC);
        write_all(message.descriptors[0], "over");
    }
    std::array<char, 8> buffer;
    EXPECT_EQ(read(reading.get(), buffer.data(), buffer.size()), 4);
    // The received end is closed with its owner, so the pipe has ended.
    EXPECT_EQ(read(reading.get(), buffer.data(), buffer.size()), 0);

    // One of a message longer than the usual; one that nobody takes; and one too many. Clean sees that none is left.
    const std::string longer(100'000, 'x');
    must(first.send_message_with_descriptors(longer, {reading.get()}, patience));
    const auto message = must(second.receive_message_with_descriptors<std::vector<char>>(patience));
    EXPECT_EQ(message.data.size(), longer.size());
    EXPECT_EQ(message.descriptors.size(), 1u);
    must(first.send_message_with_descriptors("a", {reading.get()}, patience));
    EXPECT_EQ(must(second.receive_message(patience)), "a");
    must(first.send_message_with_descriptors("b", std::vector<int>(3, reading.get()), patience));
    EXPECT_FAILS(second.receive_message(patience), Status::limit_reached);
    EXPECT_FAILS(first.send_message_with_descriptors("c", {-1}, patience), Status::invalid_argument);
    const std::vector<int> many(Socket::max_descriptors + 1, reading.get());
    EXPECT_FALSE(first.send_message_with_descriptors("d", many, patience));
}

TEST_F(MessageTest, ADescriptorHasOneOwner) {
    Descriptor none;
    EXPECT_FALSE(none);
    EXPECT_EQ(none.get(), -1);
    none.close();
    const int number = open("/dev/null", O_RDONLY | O_CLOEXEC);
    Descriptor first(number);
    Descriptor second = std::move(first);
    EXPECT_FALSE(first);
    EXPECT_EQ(second.get(), number);
    first = std::move(second);
    EXPECT_TRUE(is_open(number));
    EXPECT_EQ(first.release(), number);
    EXPECT_TRUE(is_open(number));
    {
        const Descriptor third(number);
    }
    EXPECT_FALSE(is_open(number));
    Descriptor replaced(open("/dev/null", O_RDONLY | O_CLOEXEC));
    const int old = replaced.get();
    replaced = Descriptor(open("/dev/null", O_RDONLY | O_CLOEXEC));
    EXPECT_FALSE(is_open(old));
    EXPECT_TRUE(is_open(replaced.get()));
}

}  // namespace

// Socket: bytes in both directions, and what became of them.
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "support.hpp"

namespace {

using moorline::BytesView;
using moorline::Interest;
using moorline::Server;
using moorline::Socket;
using moorline::SocketOptions;

using SocketTest = Clean;

constexpr std::size_t more_than_the_kernel_takes = std::size_t{64} * 1024 * 1024;

TEST_F(SocketTest, SaysWhyItCannotConnect) {
    EXPECT_FAILS(Socket::connect("nobody", Timeout::none()), Status::not_found);
    const auto failed = Socket::connect(path("no/such/directory"), Timeout::none());
    EXPECT_FAILS(failed, Status::not_found);
}

TEST_F(SocketTest, SendsAndReceivesAllKindsOfBuffers) {
    auto [first, second] = must(Socket::pair());
    const std::vector<std::uint8_t> vector = {'a', 'b'};
    must(first.send("1", patience));
    must(first.send(std::string("23"), patience));
    must(first.send(vector, patience));
    must(first.send(vector.data(), 1, patience));
    EXPECT_EQ(receive_exactly(second, 6), "123aba");

    must(first.send("xyz", patience));
    std::array<std::byte, 2> array;
    EXPECT_EQ(must(second.receive(array, patience)), 2u);
    EXPECT_EQ(BytesView(array).text(), "xy");
    char rest[10];
    EXPECT_EQ(must(second.receive(rest, sizeof rest, patience)), 1u);
    EXPECT_EQ(rest[0], 'z');
}

TEST_F(SocketTest, SendingNothingIsFine) {
    auto [first, second] = must(Socket::pair());
    EXPECT_OK(first.send("", Timeout::none()));
    EXPECT_OK(first.send(nullptr, 0, Timeout::none()));
    char buffer[4];
    EXPECT_FAILS(second.receive(buffer, Timeout::none()), Status::would_block);
}

TEST_F(SocketTest, AFullPeerLeavesACountAndTheRestCanFollow) {
    auto [first, second] = must(Socket::pair());
    std::string data(more_than_the_kernel_takes, '\0');
    for (std::size_t i = 0; i < data.size(); ++i) {
        data[i] = static_cast<char>(i * 31 + i / 997);
    }
    const auto partly = first.send(data, Timeout::none());
    ASSERT_FAILS(partly, Status::would_block);
    const std::size_t sent = partly.error().sent();
    EXPECT_GT(sent, 0u);
    EXPECT_LT(sent, data.size());

    const auto late = first.send(BytesView(data).without_first(sent), 20ms);
    ASSERT_FAILS(late, Status::timed_out);
    const std::size_t sent_later = sent + late.error().sent();

    std::string received;
    std::thread reader([&, peer = &second] { received = receive_exactly(*peer, data.size()); });
    EXPECT_OK(first.send(BytesView(data).without_first(sent_later), patience));
    reader.join();
    EXPECT_TRUE(received == data);
}

TEST_F(SocketTest, WhatThePeerSentBeforeItLeftIsRead) {
    auto [first, second] = must(Socket::pair());
    must(first.send("last words", patience));
    must(first.destroy());
    EXPECT_EQ(receive_exactly(second, 10), "last words");
    char buffer[4];
    EXPECT_FAILS(second.receive(buffer, patience), Status::disconnected);
    EXPECT_FAILS(second.receive(buffer, Timeout::none()), Status::disconnected);
}

TEST_F(SocketTest, SendingToNobodyIsAnErrorAndNoSignal) {
    auto [first, second] = must(Socket::pair());
    must(second.destroy());
    EXPECT_FAILS(first.send("x", patience), Status::disconnected);
    struct sigaction action = {};
    ASSERT_EQ(sigaction(SIGPIPE, nullptr, &action), 0);
    EXPECT_EQ(action.sa_handler, SIG_DFL);
}

TEST_F(SocketTest, CloseReportsWhatBecameOfTheBytes) {
    auto [first, second] = must(Socket::pair());
    must(first.send("12345", patience));
    must(second.send("123", patience));
    EXPECT_EQ(receive_exactly(first, 3), "123");
    const auto [result, report] = first.close(Timeout::none());
    EXPECT_OK(result);
    EXPECT_EQ(report.sent, 5u);
    EXPECT_EQ(report.received, 3u);
    EXPECT_EQ(report.unsent, 0u);
    const auto again = first.close(Timeout::none());
    EXPECT_OK(again);
    EXPECT_EQ(again.report.sent, 5u);
    EXPECT_FAILS(first.send("x", Timeout::none()), Status::closed);
}

TEST_F(SocketTest, CloseReportsWhatWasLost) {
    SocketOptions options;
    options.send_queue_limit = 2 * more_than_the_kernel_takes;
    auto [first, second] = must(Socket::pair(options));
    const std::string data(more_than_the_kernel_takes, 'x');
    EXPECT_OK(first.send(data, Timeout::none()));
    EXPECT_FAILS(first.flush(Timeout::none()), Status::would_block);
    EXPECT_FAILS(first.flush(10ms), Status::timed_out);
    const auto closed = first.close(10ms);
    EXPECT_FAILS(closed, Status::timed_out);
    EXPECT_GT(closed.report.unsent, 0u);
    EXPECT_EQ(closed.report.sent + closed.report.unsent, data.size());
}

TEST_F(SocketTest, FlushWaitsForTheQueue) {
    SocketOptions options;
    options.send_queue_limit = 2 * more_than_the_kernel_takes;
    auto [first, second] = must(Socket::pair(options));
    const std::string data(more_than_the_kernel_takes, 'x');
    EXPECT_OK(first.send(data, Timeout::none()));
    std::thread reader([&data, peer = &second] { EXPECT_EQ(receive_exactly(*peer, data.size()).size(), data.size()); });
    EXPECT_OK(first.flush(patience));
    reader.join();
    EXPECT_EQ(first.close(Timeout::none()).report.sent, data.size());
}

TEST_F(SocketTest, WaitsForReadiness) {
    auto [first, second] = must(Socket::pair());
    EXPECT_FAILS(first.wait(Interest::readable, Timeout::none()), Status::would_block);
    EXPECT_FAILS(first.wait(Interest::readable, 20ms), Status::timed_out);
    const auto writable = must(first.wait(Interest::readable | Interest::writable, Timeout::none()));
    EXPECT_TRUE(writable.writable());
    EXPECT_FALSE(writable.readable());
    must(second.send("x", patience));
    EXPECT_TRUE(must(first.wait(Interest::readable, patience)).readable());
    must(second.destroy());
    EXPECT_EQ(receive_exactly(first, 1), "x");
    EXPECT_TRUE(must(first.wait(Interest::readable, patience)).hangup());
}

TEST_F(SocketTest, KnowsItsPeer) {
    Server server = must(Server::create());
    must(server.listen("name"));
    const Socket client = must(Socket::connect("name", Timeout::none()));
    const Socket accepted = must(server.accept(patience));
    for (const Socket* socket : {&client, &accepted}) {
        const moorline::Credentials peer = must(socket->peer_credentials());
        EXPECT_EQ(peer.uid, geteuid());
        EXPECT_EQ(peer.gid, getegid());
        EXPECT_EQ(peer.pid, getpid());
    }
}

TEST_F(SocketTest, DescriptorsComeAndGo) {
    int descriptors[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, descriptors), 0);
    Socket socket = must(Socket::adopt_descriptor(descriptors[0]));
    EXPECT_EQ(must(socket.descriptor()), descriptors[0]);
    must(socket.send("x", patience));
    char byte = 0;
    EXPECT_EQ(read(descriptors[1], &byte, 1), 1);
    EXPECT_EQ(byte, 'x');

    const int released = static_cast<int>(must(socket.release_descriptor()));
    EXPECT_FALSE(socket);
    EXPECT_EQ(must(moorline::live_handles()), 0u);
    EXPECT_EQ(write(released, "y", 1), 1);
    EXPECT_EQ(read(descriptors[1], &byte, 1), 1);
    close(released);
    close(descriptors[1]);

    EXPECT_FAILS(Socket::adopt_descriptor(-1), Status::invalid_argument);
}

TEST_F(SocketTest, OneCallsBytesStayTogetherWhicheverThreadsSend) {
    auto [first, second] = must(Socket::pair());
    constexpr std::size_t size = 100'000;
    constexpr int messages = 20;
    std::vector<std::thread> senders;
    for (char letter : {'a', 'b', 'c', 'd'}) {
        senders.emplace_back([letter, socket = &first] {
            const std::string message(size, letter);
            for (int i = 0; i < messages; ++i) {
                EXPECT_OK(socket->send(message, patience));
            }
        });
    }
    for (int i = 0; i < 4 * messages; ++i) {
        const std::string message = receive_exactly(second, size);
        ASSERT_EQ(message.size(), size);
        EXPECT_EQ(message.find_first_not_of(message[0]), std::string::npos);
    }
    for (std::thread& sender : senders) {
        sender.join();
    }
}

}  // namespace

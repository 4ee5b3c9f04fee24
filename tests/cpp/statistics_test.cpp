// What is counted, both directions of a socket on their own, and how ends are told.
#include <fcntl.h>
#include <unistd.h>

#include "support.hpp"

namespace {

using moorline::BytesView;
using moorline::Connection;
using moorline::Descriptor;
using moorline::Framing;
using moorline::Interest;
using moorline::Service;
using moorline::ServiceOptions;
using moorline::Socket;
using moorline::SocketOptions;
using moorline::SocketStatistics;

using StatisticsTest = Clean;

TEST_F(StatisticsTest, OfASocket) {
    SocketOptions options;
    options.messages = Framing::big_endian;
    auto [first, second] = must(Socket::pair(options));
    must(first.send_message("four", patience));
    EXPECT_EQ(must(second.receive_message(patience)), "four");
    const SocketStatistics sender = must(first.statistics());
    EXPECT_EQ(sender.sent, 8u);
    EXPECT_EQ(sender.messages_sent, 1u);
    EXPECT_EQ(sender.received, 0u);
    EXPECT_EQ(sender.queued, 0u);
    const SocketStatistics receiver = must(second.statistics());
    EXPECT_EQ(receiver.received, 8u);
    EXPECT_EQ(receiver.messages_received, 1u);
}

TEST_F(StatisticsTest, AnAbortReportsWhatIsLost) {
    SocketOptions options;
    options.send_queue_limit = 16 << 20;
    auto [first, second] = must(Socket::pair(options));
    const std::string data(8 << 20, 'x');
    must(first.send(data, Timeout::none()));
    const SocketStatistics before = must(first.statistics());
    EXPECT_GT(before.queued, 0u);
    EXPECT_GE(before.queue_peak, before.queued);
    const auto [result, report] = first.abort();
    EXPECT_FAILS(result, Status::closed);
    EXPECT_EQ(report.unsent, before.queued);
    EXPECT_EQ(report.sent + report.unsent, data.size());
    EXPECT_EQ(must(first.statistics()).unsent, report.unsent);
    const auto [again, nothing] = second.abort();
    EXPECT_OK(again);
    EXPECT_EQ(nothing.unsent, 0u);
}

TEST_F(StatisticsTest, OneDirectionEndsAndTheOtherWorksOn) {
    auto [first, second] = must(Socket::pair());
    must(first.send("last words", patience));
    must(first.shutdown(Interest::writable, patience));
    EXPECT_FAILS(first.send("x", patience), Status::closed);
    EXPECT_EQ(receive_exactly(second, 10), "last words");
    char byte;
    EXPECT_FAILS(second.receive(&byte, 1, patience), Status::disconnected);
    must(second.send("answer", patience));
    EXPECT_EQ(receive_exactly(first, 6), "answer");

    must(first.shutdown(Interest::readable, patience));
    EXPECT_FAILS(second.send("x", patience), Status::disconnected);
    EXPECT_FAILS(first.shutdown(Interest::edge, patience), Status::invalid_argument);
}

// The pid that a pidfd stands for.
long long process_of(const Descriptor& descriptor) {
    const std::string file = "/proc/self/fdinfo/" + std::to_string(descriptor.get());
    FILE* information = std::fopen(file.c_str(), "r");
    long long pid = 0;
    char line[128];
    while (information != nullptr && std::fgets(line, sizeof line, information) != nullptr) {
        std::sscanf(line, "Pid: %lld", &pid);
    }
    if (information != nullptr) {
        std::fclose(information);
    }
    return pid;
}

TEST_F(StatisticsTest, ThePeersProcess) {
    auto [first, second] = must(Socket::pair());
    const auto process = first.peer_process();
    if (!process && process.error().status() == Status::not_supported) {
        GTEST_SKIP() << "this kernel has no pidfd of a peer";
    }
    ASSERT_OK(process);
    EXPECT_EQ(process_of(*process), getpid());
    EXPECT_TRUE(fcntl(process->get(), F_GETFD) & FD_CLOEXEC);
}

TEST_F(StatisticsTest, OfAConnectionAndItsService) {
    std::promise<SocketStatistics> last;
    std::promise<long long> process;
    Service::Handler handler;
    handler.connected = [&](Connection connection) {
        const auto descriptor = connection.peer_process();
        process.set_value(descriptor ? process_of(*descriptor) : -1);
    };
    handler.received = [](Connection connection, BytesView data) { must(connection.send(data, Timeout::none())); };
    handler.disconnected = [&](Connection connection, Status) { last.set_value(must(connection.statistics())); };
    Service service = must(Service::create(std::move(handler)));
    EXPECT_FAILS(service.statistics(), Status::invalid_state);
    must(service.start("statistics"));
    Socket client = must(Socket::connect("statistics", patience));
    must(client.send("hello", patience));
    EXPECT_EQ(receive_exactly(client, 5), "hello");
    EXPECT_EQ(must(service.statistics()).accepted, 1u);
    must(client.destroy());
    auto future = last.get_future();
    ASSERT_EQ(future.wait_for(patience), std::future_status::ready);
    const SocketStatistics statistics = future.get();
    EXPECT_EQ(statistics.sent, 5u);
    EXPECT_EQ(statistics.received, 5u);
    const long long pid = process.get_future().get();
    EXPECT_TRUE(pid == getpid() || pid == -1);
    const auto [result, report] = service.stop(patience);
    EXPECT_OK(result);
    EXPECT_EQ(report.ended_by_peer, 1u);
    EXPECT_EQ(report.ended_by_us + report.ended_late + report.ended_malformed + report.ended_refused + report.ended_otherwise,
              0u);
}

TEST_F(StatisticsTest, EndsAreCountedByTheirReasons) {
    ServiceOptions options;
    options.messages = Framing::big_endian;
    options.messages->max_message = 10;
    Service::Handler handler;
    handler.admits = [](Connection, BytesView message) { return message.text() != "no"; };
    handler.message = [](Connection connection, BytesView) { must(connection.close()); };
    Service service = must(Service::create(std::move(handler), options));
    must(service.start("ends"));
    for (const std::string& bytes : {std::string("\0\0\0\2no", 6), std::string("\1\0\0\0", 4), std::string("\0\0\0\1x", 5)}) {
        Socket client = must(Socket::connect("ends", patience));
        must(client.send(bytes, patience));
        char byte;
        EXPECT_FAILS(client.receive(&byte, 1, patience), Status::disconnected);
    }
    const auto [result, report] = service.stop(patience);
    EXPECT_OK(result);
    EXPECT_EQ(report.ended_refused, 1u);
    EXPECT_EQ(report.ended_malformed, 1u);
    EXPECT_EQ(report.ended_by_us, 1u);
}

TEST_F(StatisticsTest, APeerThatHasFinishedStillGetsItsAnswer) {
    std::promise<Connection> finished;
    Service::Handler handler;
    handler.finished = [&](Connection connection) { finished.set_value(connection); };
    Service service = must(Service::create(std::move(handler)));
    must(service.start("finished"));
    Socket client = must(Socket::connect("finished", patience));
    must(client.shutdown(Interest::writable, patience));
    auto future = finished.get_future();
    ASSERT_EQ(future.wait_for(patience), std::future_status::ready);
    const Connection connection = future.get();
    must(connection.send("answer", patience));
    EXPECT_EQ(receive_exactly(client, 6), "answer");
    must(connection.close());
    char byte;
    EXPECT_FAILS(client.receive(&byte, 1, patience), Status::disconnected);
}

TEST_F(StatisticsTest, DescriptorsReachAServiceAndComeBack) {
    ServiceOptions options;
    options.messages = Framing::checked;
    options.messages->max_descriptors = 2;
    Service::Handler handler;
    handler.message_with_descriptors = [](Connection connection, BytesView message, std::vector<Descriptor> descriptors) {
        std::vector<int> numbers;
        for (const Descriptor& descriptor : descriptors) {
            numbers.push_back(descriptor.get());
        }
        must(connection.send_message_with_descriptors(message, numbers, Timeout::none()));
    };
    Service service = must(Service::create(std::move(handler), options));
    must(service.start("descriptors"));
    SocketOptions socket_options;
    socket_options.messages = options.messages;
    Socket client = must(Socket::connect("descriptors", patience, socket_options));
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    const Descriptor reading(ends[0]);
    Descriptor writing(ends[1]);
    must(client.send_message_with_descriptors("pipe", {writing.get()}, patience));
    writing.close();
    const auto back = must(client.receive_message_with_descriptors(patience));
    EXPECT_EQ(back.data, "pipe");
    ASSERT_EQ(back.descriptors.size(), 1u);
    ASSERT_EQ(write(back.descriptors[0].get(), "x", 1), 1);
    char byte = 0;
    EXPECT_EQ(read(reading.get(), &byte, 1), 1);
    EXPECT_EQ(byte, 'x');
}

}  // namespace

// Exceptions from a service's callbacks: caught, kept, and handed to the owner; one connection ends by each.
#include <unistd.h>

#include <array>
#include <new>
#include <stdexcept>

#include "memory.hpp"
#include "support.hpp"

namespace {

using moorline::BytesView;
using moorline::Connection;
using moorline::Descriptor;
using moorline::Exceptions;
using moorline::Framing;
using moorline::Service;
using moorline::ServiceOptions;
using moorline::Socket;
using moorline::SocketOptions;

using ServiceExceptionsTest = Clean;

std::string what(const std::exception_ptr& exception) {
    try {
        std::rethrow_exception(exception);
    } catch (const std::exception& error) {
        return error.what();
    } catch (int number) {
        return std::to_string(number);
    }
}

Service started(Service::Handler handler) {
    Service service = must(Service::create(std::move(handler)));
    must(service.start("name"));
    return service;
}

Exceptions wait_for_exceptions(Service& service) {
    Exceptions exceptions;
    EXPECT_TRUE(eventually([&] {
        exceptions = service.take_exceptions();
        return !exceptions.kept.empty();
    }));
    return exceptions;
}

TEST_F(ServiceExceptionsTest, ReachTheOwnerAndEndOneConnection) {
    Service::Handler handler;
    handler.received = [](Connection connection, BytesView data) {
        if (data.text() == "bad") {
            throw std::runtime_error("no good: " + std::string(data.text()));
        }
        static_cast<void>(connection.send(data, Timeout::none()));
    };
    Service service = started(std::move(handler));
    EXPECT_TRUE(service.take_exceptions().kept.empty());
    Socket good = must(Socket::connect("name", patience));
    Socket bad = must(Socket::connect("name", patience));
    must(bad.send("bad", patience));
    char buffer[8];
    EXPECT_FAILS(bad.receive(buffer, patience), Status::disconnected);

    const Exceptions exceptions = wait_for_exceptions(service);
    ASSERT_EQ(exceptions.kept.size(), 1u);
    EXPECT_EQ(what(exceptions.kept[0]), "no good: bad");
    EXPECT_EQ(exceptions.dropped, 0u);
    EXPECT_TRUE(service.take_exceptions().kept.empty());

    must(good.send("fine", patience));
    EXPECT_EQ(receive_exactly(good, 4), "fine");
}

TEST_F(ServiceExceptionsTest, OfAnyTypeFromAnyCallback) {
    Service::Handler handler;
    handler.connected = [](Connection) { throw 1; };
    handler.disconnected = [](Connection, Status) { throw 2; };
    Service service = started(std::move(handler));
    Socket client = must(Socket::connect("name", patience));
    char buffer[1];
    EXPECT_FAILS(client.receive(buffer, patience), Status::disconnected);
    const auto stopped = service.stop(patience);
    EXPECT_OK(stopped);
    ASSERT_EQ(stopped.report.exceptions.kept.size(), 2u);
    EXPECT_EQ(what(stopped.report.exceptions.kept[0]), "1");
    EXPECT_EQ(what(stopped.report.exceptions.kept[1]), "2");
}

TEST_F(ServiceExceptionsTest, FromTheWaterMarks) {
    Service::Handler handler;
    handler.connected = [](Connection connection) {
        const std::string chunk(50'000, 'x');
        while (connection.send(chunk, Timeout::none())) {
        }
    };
    handler.high_water = [](Connection, std::size_t) { throw std::runtime_error("high"); };
    Service service = started(std::move(handler));
    const Socket client = must(Socket::connect("name", patience));
    EXPECT_EQ(what(wait_for_exceptions(service).kept.at(0)), "high");
}

#if !defined(MOORLINE_TESTS_MEMORY_IS_THE_SANITIZERS)
TEST_F(ServiceExceptionsTest, ForWantOfMemoryForDescriptorsThatCame) {
    ServiceOptions options;
    options.messages = Framing::big_endian;
    options.messages->max_descriptors = 1;
    Service::Handler handler;
    // Right before, in the same thread.
    handler.admits = [](Connection, BytesView) {
        fail_next_allocation();
        return true;
    };
    handler.message_with_descriptors = [](Connection, BytesView, std::vector<Descriptor>) { FAIL(); };
    Service service = must(Service::create(std::move(handler), options));
    must(service.start("name"));
    SocketOptions messages;
    messages.messages = options.messages;
    Socket client = must(Socket::connect("name", patience, messages));
    std::array<int, 2> ends{};
    ASSERT_EQ(pipe(ends.data()), 0);
    const Descriptor reading(ends[0]);
    Descriptor writing(ends[1]);
    must(client.send_message_with_descriptors("with", {writing.get()}, patience));
    writing.close();
    EXPECT_EQ(what(wait_for_exceptions(service).kept.at(0)), std::bad_alloc().what());
    // Nobody has the other end any more.
    char byte = 0;
    EXPECT_EQ(read(reading.get(), &byte, 1), 0);
}
#endif

TEST_F(ServiceExceptionsTest, AreKeptWithinBounds) {
    Service::Handler handler;
    handler.connected = [number = 0](Connection) mutable { throw number++; };
    Service service = started(std::move(handler));
    constexpr std::size_t more = 10;
    for (std::size_t i = 0; i < Service::max_kept_exceptions + more; ++i) {
        Socket client = must(Socket::connect("name", patience));
        char buffer[1];
        EXPECT_FAILS(client.receive(buffer, patience), Status::disconnected);
    }
    const auto stopped = service.stop(patience);
    EXPECT_OK(stopped);
    const Exceptions& exceptions = stopped.report.exceptions;
    ASSERT_EQ(exceptions.kept.size(), Service::max_kept_exceptions);
    EXPECT_EQ(what(exceptions.kept.front()), "0");
    EXPECT_EQ(what(exceptions.kept.back()), std::to_string(Service::max_kept_exceptions - 1));
    EXPECT_EQ(exceptions.dropped, more);
}

TEST_F(ServiceExceptionsTest, CanStillBeTakenAfterDestroy) {
    Service::Handler handler;
    handler.connected = [](Connection) { throw 5; };
    Service service = started(std::move(handler));
    Socket client = must(Socket::connect("name", patience));
    char buffer[1];
    EXPECT_FAILS(client.receive(buffer, patience), Status::disconnected);
    must(service.destroy());
    EXPECT_EQ(what(service.take_exceptions().kept.at(0)), "5");
}

}  // namespace

// One part of a program whose parts are compiled differently; see CMakeLists.txt. PART is the name of its function.
#include <moorline/moorline.hpp>

int PART(const char* name);

// The number of the step that went wrong, 0 if none did.
int PART(const char* name) {
    using moorline::Timeout;
    const auto patience = std::chrono::seconds(60);

    // An error has the size and the shape that this part was compiled with.
    const auto missing = moorline::Socket::connect("/nonexistent/mixed", Timeout::none());
    if (missing || missing.error().status() != moorline::Status::not_found || missing.error().message().empty()) {
        return 1;
    }
    int calls = 0;
    moorline::Service::Handler handler;
    handler.connected = [&](moorline::Connection) {
        ++calls;
#if defined(__cpp_exceptions)
        // Must be caught here, not by a part that cannot catch.
        throw 1;
#endif
    };
    handler.received = [](moorline::Connection connection, moorline::BytesView data) {
        static_cast<void>(connection.send(data, Timeout::none()));
    };
    auto service = moorline::Service::create(std::move(handler));
    if (!service || !service->start_unique(name)) {
        return 2;
    }
    auto client = moorline::Socket::connect(service->full_name().value_or(""), patience);
    if (!client) {
        return 3;
    }
    char byte = 0;
#if defined(__cpp_exceptions)
    const auto received = client->receive(&byte, 1, patience);
    if (received || received.error().status() != moorline::Status::disconnected) {
        return 4;
    }
    constexpr std::size_t thrown = 1;
#else
    if (!client->send("x", patience) || !client->receive(&byte, 1, patience) || byte != 'x') {
        return 4;
    }
    constexpr std::size_t thrown = 0;
#endif
    const auto stopped = service->stop(patience);
    return stopped && calls == 1 && stopped.report.exceptions.kept.size() == thrown ? 0 : 5;
}

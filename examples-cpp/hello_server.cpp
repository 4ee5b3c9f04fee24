// The smallest server: greets every process that connects.  hello_server [name]
#include <chrono>
#include <cstdio>
#include <moorline/moorline.hpp>
#include <stdexcept>
#include <string>

using moorline::Timeout;

static void greet(moorline::Connection connection) {
    const auto peer = connection.peer_credentials();
    const std::string greeting = "Hello, process " + (peer ? std::to_string(peer->pid) : "without a number") + "!\n";
    if (const auto sent = connection.send(greeting, Timeout::none()); !sent) {
        // Ends this connection alone; stop() hands it to us.
        throw std::runtime_error(sent.error().message());
    }
    // Sends what is queued and ends the connection. It fails only if the client has gone already.
    static_cast<void>(connection.close());
}

int main(int argc, char** argv) {
    moorline::Service::Handler handler;
    handler.connected = greet;
    auto service = moorline::Service::create(std::move(handler));
    if (!service) {
        std::fprintf(stderr, "hello_server: %s\n", service.error().message().c_str());
        return 1;
    }
    if (const auto started = service->start(argc > 1 ? argv[1] : "moorline-hello"); !started) {
        std::fprintf(stderr, "hello_server: %s\n", started.error().message().c_str());
        return 1;
    }
    std::printf("listening on %s until you press Enter\n", service->full_name().value_or("?").c_str());
    std::fflush(stdout);
    std::getchar();

    const auto [result, report] = service->stop(std::chrono::seconds(1));
    std::printf("greeted %llu, failed with %zu\n", static_cast<unsigned long long>(report.accepted),
                report.exceptions.kept.size());
    return result ? 0 : 1;
}

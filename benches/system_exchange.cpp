// Moorline's own exchange with the service's echo: one call does all the work.
#include "moorline_checked.hpp"

#include <chrono>
#include <thread>

namespace {

struct Watch {
    const bench::MoorlineEcho& echo;
    std::uint64_t connections;
    bench::Measurement measurement{};
};

// As many as are connected when nobody comes or goes for so long: a service takes no longer for one.
constexpr std::chrono::milliseconds settled{20};

// Progress is told now and then while the sockets connect, then before the first send, and last just after the last receive.
std::int32_t measure(void* context, std::uint64_t done, std::uint64_t total) {
    auto& watch = *static_cast<Watch*>(context);
    if (done == 0) {
        // The others' connections have all been accepted by then, too; and those of the warm-up have gone.
        auto connections = watch.echo.connections();
        auto since = std::chrono::steady_clock::now();
        while (connections != watch.connections && std::chrono::steady_clock::now() - since < settled) {
            std::this_thread::yield();
            if (const auto now = watch.echo.connections(); now != connections) {
                connections = now;
                since = std::chrono::steady_clock::now();
            }
        }
        watch.measurement.start();
    } else if (done == total) {
        watch.measurement.stop();
    }
    return 1;
}

bench::Measurement exchange(const bench::MoorlineEcho& echo, const bench::Request& request, std::uint64_t round_trips) {
    Watch watch{echo, request.connections};
    moorline_exchange_options options = MOORLINE_EXCHANGE_OPTIONS_INIT;
    options.connections = static_cast<std::uint32_t>(request.connections);
    options.chunk = request.chunk;
    options.round_trips = round_trips;
    options.busy_poll_us = static_cast<std::uint32_t>(request.busy_poll_us);
    options.progress = measure;
    options.context = &watch;
    bench::check(moorline_exchange_run(echo.address().c_str(), &options, -1, nullptr), "moorline_exchange_run");
    return watch.measurement;
}

}  // namespace

int main(int argc, char** argv) {
    const bench::Request request = bench::Request::from(argc, argv);
    if (request.measure != "exchange" || request.idle != 0 || request.framing != "raw") {
        bench::fail("only the exchange of raw bytes is to be had, without idle connections");
    }
    bench::allow_descriptors();
    request.placement.enter_server();
    const bench::MoorlineEcho echo(request);
    request.placement.enter_clients();
    // Each exchange connects anew, so its first round trips are the first ones of their connections.
    const std::uint64_t round_trips =
        bench::warm_up(request, [&](std::uint64_t few) { return exchange(echo, request, few).seconds(); });
    exchange(echo, request, round_trips).print(round_trips);
}

// Moorline's own exchange with the service's echo: one call does all the work.
#include "moorline_checked.hpp"
#include "placement.hpp"

namespace {

struct Watch {
    bench::Measurement measurement;
    bool started = false;
};

// Progress is told first between connecting and the first send, and last just after the last receive.
std::int32_t measure(void* context, std::uint64_t done, std::uint64_t total) {
    auto& watch = *static_cast<Watch*>(context);
    if (!watch.started) {
        watch.started = true;
        watch.measurement.start();
    } else if (done == total) {
        watch.measurement.stop();
    }
    return 1;
}

void exchange(const char* name, const bench::Row& row, std::uint64_t round_trips, Watch& watch) {
    moorline_exchange_options options = MOORLINE_EXCHANGE_OPTIONS_INIT;
    options.connections = static_cast<std::uint32_t>(row.connections);
    options.chunk = row.chunk;
    options.round_trips = round_trips;
    options.progress = measure;
    options.context = &watch;
    bench::check(moorline_exchange_run(name, &options, -1, nullptr), "moorline_exchange_run");
}

}  // namespace

int main(int argc, char** argv) {
    const bench::Row row = bench::row_from(argc, argv);
    bench::make_room_for(row);
    const bench::Placement placement(argv[1]);
    placement.enter_server();
    const bench::MoorlineEcho echo;
    placement.enter_clients();
    Watch warm_up;
    exchange(echo.name(), row, row.warm_up(), warm_up);
    Watch watch;
    exchange(echo.name(), row, row.round_trips, watch);
    watch.measurement.print();
}

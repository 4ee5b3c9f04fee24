// How much memory of the process a service takes for a peer that sends and never reads.
//
// The peers are bare descriptors, so that what the process grows by is the service's. What the kernel keeps in the sockets'
// own buffers is not the process's and not counted.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <vector>

#include "moorline_checked.hpp"

namespace {

using bench::check;
using bench::fail;

constexpr std::size_t peers = 1000;
constexpr std::size_t queue_limit = 64 * 1024;

struct Counts {
    std::atomic<std::size_t> connected{0};
    std::atomic<std::size_t> stuck{0};
};

moorline_service* start(Counts& counts, std::string& name) {
    moorline_service_options options = MOORLINE_SERVICE_OPTIONS_INIT;
    options.queue_limit = queue_limit;
    moorline_service_callbacks callbacks = MOORLINE_SERVICE_CALLBACKS_INIT;
    callbacks.context = &counts;
    callbacks.connected = [](void* context, moorline_connection*) { ++static_cast<Counts*>(context)->connected; };
    callbacks.received = [](void*, moorline_connection* connection, const void* data, std::size_t size) {
        std::size_t sent = 0;
        check(moorline_connection_send(connection, data, size, 0, &sent), "moorline_connection_send");
    };
    callbacks.high_water = [](void* context, moorline_connection*, std::size_t) { ++static_cast<Counts*>(context)->stuck; };
    moorline_service* service = nullptr;
    check(moorline_service_create(&options, &callbacks, &service), "moorline_service_create");
    check(moorline_service_start_unique(service, "memory"), "moorline_service_start_unique");
    char buffer[4096];
    check(moorline_service_full_name(service, buffer, sizeof buffer, nullptr), "moorline_service_full_name");
    name = buffer;
    return service;
}

int connect_to(const std::string& path) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) {
        fail("the path is too long: " + path);
    }
    std::memcpy(address.sun_path, path.c_str(), path.size());
    const int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0 || connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        fcntl(descriptor, F_SETFL, O_NONBLOCK) != 0) {
        fail("connect: " + std::string(std::strerror(errno)));
    }
    return descriptor;
}

}  // namespace

int main() {
    bench::allow_descriptors();
    Counts counts;
    std::string name;
    moorline_service* service = start(counts, name);
    std::vector<int> descriptors;
    descriptors.reserve(peers);
    const std::vector<char> data(queue_limit, 'x');

    const std::uint64_t before = bench::resident_bytes();
    while (descriptors.size() < peers) {
        descriptors.push_back(connect_to(name));
    }
    while (counts.stuck < peers) {
        for (const int descriptor : descriptors) {
            if (send(descriptor, data.data(), data.size(), MSG_NOSIGNAL) < 0 && errno != EAGAIN) {
                fail("send: " + std::string(std::strerror(errno)));
            }
        }
    }
    const std::uint64_t full = bench::resident_bytes();
    std::printf("{\"server_bytes\": %.1f, \"client_bytes\": 0}\n", static_cast<double>(full - before) / peers);

    check(moorline_service_destroy(service), "moorline_service_destroy");
    for (const int descriptor : descriptors) {
        close(descriptor);
    }
    return 0;
}

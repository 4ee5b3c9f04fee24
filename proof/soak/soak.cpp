// Connects, exchanges and closes for a long time, in every way there is, and looks whether anything grows: handles, descriptors,
// threads, files and memory.
//   soak seconds
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <moorline/moorline.hpp>
#include <string>
#include <unistd.h>
#include <vector>

using moorline::Interest;
using moorline::Timeout;
using Clock = std::chrono::steady_clock;

namespace {

const Timeout patience = std::chrono::seconds(30);
constexpr std::size_t clients = 20;

// What grows when something is left behind.
struct Usage {
    std::size_t handles = 0;
    std::size_t descriptors = 0;
    std::size_t threads = 0;
    std::size_t files = 0;
    std::size_t resident_kib = 0;
};

[[noreturn]] void fail(const std::string& what) {
    std::fprintf(stderr, "soak: %s\n", what.c_str());
    std::exit(1);
}

template <class Result>
auto must(Result result, const char* what) {
    if (!result) {
        fail(std::string(what) + ": " + result.error().message());
    }
    if constexpr (!std::is_void_v<typename Result::value_type>) {
        return std::move(*result);
    }
}

std::size_t entries(const std::filesystem::path& directory) {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(directory), std::filesystem::directory_iterator()));
}

Usage usage(const std::filesystem::path& place) {
    std::size_t size = 0;
    std::size_t resident_pages = 0;
    std::ifstream("/proc/self/statm") >> size >> resident_pages;
    return {must(moorline::live_handles(), "count the handles"), entries("/proc/self/fd"), entries("/proc/self/task"),
            entries(place), resident_pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE)) / 1024};
}

std::string receive(moorline::Socket& socket, std::size_t length) {
    std::string all(length, '\0');
    for (std::size_t filled = 0; filled < length;) {
        filled += must(socket.receive(all.data() + filled, length - filled, patience), "receive");
    }
    return all;
}

// A server and its clients by hand, with a poller; half of the clients close, the others are let go.
void by_hand() {
    auto server = must(moorline::Server::create(), "create a server");
    must(server.listen_unique("soak"), "listen");
    const std::string name = must(server.full_name(), "ask for the name");
    auto poller = must(moorline::Poller::create(), "create a poller");
    must(poller.add(server, Interest::readable, 0), "add the server");
    std::vector<moorline::Socket> connected;
    std::vector<moorline::Socket> accepted;
    for (std::size_t i = 0; i < clients; ++i) {
        connected.push_back(must(moorline::Socket::connect(name, patience), "connect"));
        accepted.push_back(must(server.accept(patience), "accept"));
        must(poller.add(accepted.back(), Interest::readable, i + 1), "add a socket");
    }
    const std::string said(1000, 's');
    std::array<moorline::Event, 4> events;
    for (std::size_t i = 0; i < clients; ++i) {
        must(connected[i].send(said, patience), "send");
        must(poller.wait(events, patience), "wait");
        if (receive(accepted[i], said.size()) != said) {
            fail("what came is not what was sent");
        }
        if (i % 2 == 0) {
            must(connected[i].close(patience).result, "close");
        }
    }
}

// A service and clients with messages; the last of which leaves without a word.
void by_service() {
    moorline::ServiceOptions options;
    options.messages = moorline::Framing::checked;
    auto service = must(moorline::Service::echo(options), "create a service");
    must(service.start_unique("soak"), "start");
    moorline::SocketOptions with_messages;
    with_messages.messages = moorline::Framing::checked;
    const std::string name = must(service.full_name(), "ask for the name");
    for (std::size_t i = 0; i < clients; ++i) {
        auto client = must(moorline::Socket::connect(name, patience, with_messages), "connect");
        const std::string message(i * 500, 'm');
        must(client.send_message(message, patience), "send a message");
        if (must(client.receive_message(patience), "receive a message") != message) {
            fail("the message that came is not the one that was sent");
        }
    }
    const auto stopped = service.stop(patience);
    must(stopped.result, "stop");
}

void by_exchange() {
    auto service = must(moorline::Service::echo(), "create a service");
    must(service.start_unique("soak"), "start");
    moorline::ExchangeOptions options;
    options.connections = clients;
    options.chunk = 2000;
    options.round_trips = 10 * clients;
    must(moorline::run_exchange(must(service.full_name(), "ask for the name"), options, patience).result, "exchange");
}

void print(const char* when, std::size_t rounds, const Usage& usage) {
    std::printf("%-8s %9zu %8zu %12zu %8zu %6zu %9zu KiB\n", when, rounds, usage.handles, usage.descriptors, usage.threads,
                usage.files, usage.resident_kib);
    std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
    const long seconds = argc == 2 ? std::atol(argv[1]) : 0;
    if (seconds <= 0) {
        std::fputs("usage: soak seconds\n", stderr);
        return 2;
    }
    const std::filesystem::path place = std::filesystem::temp_directory_path() / ("moorline-soak-" + std::to_string(getpid()));
    std::filesystem::create_directory(place);
    setenv("TMPDIR", place.c_str(), 1);

    std::puts("                round  handles  descriptors  threads  files  resident");
    const auto begun = Clock::now();
    const auto length = std::chrono::seconds(seconds);
    Usage first;
    Usage last;
    std::size_t rounds = 0;
    // The first tenth is for what is made once and stays: pools of the allocator, tables that grow to their size.
    for (int tenth = 1; tenth <= 10; ++tenth) {
        while (Clock::now() - begun < length * tenth / 10) {
            by_hand();
            by_service();
            by_exchange();
            ++rounds;
        }
        last = usage(place);
        if (tenth == 1) {
            first = last;
        }
        print((std::to_string(tenth * 10) + " %").c_str(), rounds, last);
    }
    std::filesystem::remove(place);

    const bool same =
        last.handles == 0 && last.files == 0 && last.descriptors == first.descriptors && last.threads == first.threads;
    // A leak of one allocation a round would be more than this in a minute.
    constexpr std::size_t allowed_kib = 1024;
    const bool flat = last.resident_kib <= first.resident_kib + allowed_kib;
    std::printf("%zu rounds, %zu connections: %s\n", rounds, rounds * 3 * clients,
                same && flat ? "nothing grows"
                : same       ? "memory grows"
                             : "something is left behind");
    return same && flat ? 0 : 1;
}

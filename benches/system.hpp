// A system's program: what is measured, given a server that echoes and a client of many connections.
//
//     struct Server {                                          // on threads of its own, until it is destroyed
//         static constexpr bool tunable;                       // whether it minds Request::busy_poll_us and framing
//         explicit Server(const Request&);
//         std::string address() const;
//     };
//     struct Client {                                          // on the calling thread
//         Client(const std::string& address, const Request&);  // connects all
//         Workload& work();
//         void begin();                                        // sends what each connection may send
//         void run();                                          // sends and receives until the work is done
//     };
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>

#include "measurement.hpp"
#include "placement.hpp"
#include "workload.hpp"

namespace bench {

struct Request {
    std::string measure;
    Placement placement;
    // Each has one chunk on its way at a time.
    std::size_t connections;
    // Further connections, which have had one round trip and do nothing.
    std::size_t idle;
    std::size_t chunk;
    // In all, and how long they may take: fewer are done if they would take longer.
    std::uint64_t round_trips;
    std::uint64_t milliseconds;
    // Moorline only.
    std::uint64_t busy_poll_us;
    std::string framing;

    static Request from(int argc, char** argv) {
        Arguments arguments(argc, argv);
        Request request{arguments.text("measure", "exchange"),  Placement(arguments.text("placement", "free")),
                        arguments.number("connections", 1),     arguments.number("idle", 0),
                        arguments.number("chunk", 1),           arguments.number("round_trips", 1000),
                        arguments.number("milliseconds", 1000), arguments.number("busy_poll_us", 0),
                        arguments.text("framing", "raw")};
        arguments.finish();
        if (request.connections == 0 || request.chunk == 0 || request.round_trips == 0) {
            fail("connections, chunk and round_trips are at least 1");
        }
        return request;
    }
};

// As many descriptors as are allowed: both ends of all connections may be in this process.
inline void allow_descriptors() {
    rlimit limit = {};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
        fail("the limit of descriptors cannot be raised");
    }
}

// A path for a socket, in a directory of its own that goes with it.
class SocketPath {
public:
    SocketPath() {
        std::string directory = (std::filesystem::temp_directory_path() / "bench-XXXXXX").string();
        if (mkdtemp(directory.data()) == nullptr) {
            fail("no directory can be made: " + directory);
        }
        directory_ = directory;
    }
    SocketPath(const SocketPath&) = delete;
    SocketPath& operator=(const SocketPath&) = delete;
    ~SocketPath() {
        std::error_code ignored;
        std::filesystem::remove_all(directory_, ignored);
    }

    std::string text() const { return directory_ + "/socket"; }

private:
    std::string directory_;
};

// Does so many round trips over the first `active` connections.
template <class Client>
void exchange(Client& client, std::uint64_t round_trips, std::size_t active) {
    client.work().begin(round_trips, active);
    client.begin();
    client.run();
}

// How many round trips to measure, given how long some took. Each connection has at least one.
inline std::uint64_t round_trips_that_fit(const Request& request, std::uint64_t done, double seconds) {
    const double fit = static_cast<double>(request.milliseconds) * 1e-3 / seconds * static_cast<double>(done);
    return std::max<std::uint64_t>(static_cast<std::uint64_t>(std::min(fit, static_cast<double>(request.round_trips))),
                                   request.connections);
}

// What is not counted: a twentieth of the work, or of the time; `exchange` does so many round trips, and tells their seconds.
// Returns how many round trips are to be measured.
template <class Exchange>
std::uint64_t warm_up(const Request& request, Exchange exchange) {
    const std::uint64_t enough = request.round_trips / 20;
    const std::uint64_t step = std::max<std::uint64_t>(enough / 16, request.connections);
    std::uint64_t done = 0;
    double seconds = 0;
    do {
        seconds += exchange(step);
        done += step;
    } while (done < enough && seconds < static_cast<double>(request.milliseconds) * 1e-3 / 20);
    return round_trips_that_fit(request, done, seconds);
}

// The same, after a round trip of every connection, so that all are accepted.
template <class Client>
std::uint64_t warm_up_all(Client& client, const Request& request) {
    exchange(client, client.work().connections(), client.work().connections());
    return warm_up(request, [&](std::uint64_t round_trips) {
        const double begin = read_clock(CLOCK_MONOTONIC);
        exchange(client, round_trips, request.connections);
        return read_clock(CLOCK_MONOTONIC) - begin;
    });
}

template <class Server, class Client>
void measure_exchange(const Request& request) {
    request.placement.enter_server();
    const Server server(request);
    request.placement.enter_clients();
    Client client(server.address(), request);
    const std::uint64_t round_trips = warm_up_all(client, request);
    Measurement measurement;
    measurement.start();
    exchange(client, round_trips, request.connections);
    measurement.stop();
    measurement.print(round_trips);
}

// What a process costs in which both sides wait and nothing comes.
template <class Server, class Client>
void measure_rest(const Request& request) {
    const Server server(request);
    Client client(server.address(), request);
    warm_up_all(client, request);
    std::thread watch([&request] {
        const std::chrono::milliseconds time(request.milliseconds);
        std::this_thread::sleep_for(time / 4);
        Measurement measurement;
        measurement.start();
        std::this_thread::sleep_for(time);
        measurement.stop();
        measurement.print(0);
        // The client waits for ever. What is left in the directory for temporary files is the driver's to remove.
        std::_Exit(0);
    });
    client.work().begin(1, 1);
    client.run();
    watch.join();
}

// The server's process of measure_memory: says its address, then its resident memory as often as it is asked.
template <class Server>
void answer_memory(const Request& request, int questions, FILE* answers) {
    const Server server(request);
    std::fprintf(answers, "%s\n", server.address().c_str());
    std::fflush(answers);
    for (char question; read(questions, &question, 1) == 1;) {
        std::fprintf(answers, "%llu\n", static_cast<unsigned long long>(resident_bytes()));
        std::fflush(answers);
    }
}

// By how much a process for each side grows with a connection that has had one round trip. What the first hundred need is not
// counted. Each client also has the workload and the buffers of one, which is little if there are thousands of connections.
template <class Server, class Client>
void measure_memory(Request request) {
    int questions[2];
    int answers[2];
    if (pipe(questions) != 0 || pipe(answers) != 0) {
        fail("no pipe can be made");
    }
    const pid_t child = fork();
    if (child < 0) {
        fail("no process can be made");
    }
    if (child == 0) {
        close(questions[1]);
        close(answers[0]);
        answer_memory<Server>(request, questions[0], fdopen(answers[1], "w"));
        return;
    }
    close(questions[0]);
    close(answers[1]);
    FILE* const from_server = fdopen(answers[0], "r");
    const auto next_answer = [from_server] {
        char line[512] = "";
        if (std::fgets(line, sizeof line, from_server) == nullptr) {
            fail("the server's process does not answer");
        }
        std::string text = line;
        return text.substr(0, text.find('\n'));
    };
    const std::string address = next_answer();

    struct Memory {
        double server;
        double client;
    };
    const auto now = [&] {
        if (write(questions[1], "?", 1) != 1) {
            fail("the server's process has gone");
        }
        return Memory{std::stod(next_answer()), static_cast<double>(resident_bytes())};
    };
    const auto connect = [&](std::size_t connections) {
        request.connections = connections;
        auto client = std::make_unique<Client>(address, request);
        exchange(*client, connections, connections);
        return client;
    };

    const std::size_t count = request.connections;
    const auto first = connect(100);
    const Memory before = now();
    const auto counted = connect(count);
    const Memory after = now();
    const auto divisor = static_cast<double>(count);
    std::printf("{\"server_bytes\": %.1f, \"client_bytes\": %.1f}\n", (after.server - before.server) / divisor,
                (after.client - before.client) / divisor);
    std::fflush(stdout);
    close(questions[1]);
    waitpid(child, nullptr, 0);
}

// The main function of a system.
template <class Server, class Client>
int run_system(int argc, char** argv) {
    const Request request = Request::from(argc, argv);
    if (!Server::tunable && (request.busy_poll_us != 0 || request.framing != "raw")) {
        fail("busy_poll_us and framing are not for this system");
    }
    allow_descriptors();
    if (request.measure == "exchange") {
        measure_exchange<Server, Client>(request);
    } else if (request.measure == "memory") {
        measure_memory<Server, Client>(request);
    } else if (request.measure == "rest") {
        measure_rest<Server, Client>(request);
    } else {
        fail("unknown measure: " + request.measure);
    }
    return 0;
}

}  // namespace bench

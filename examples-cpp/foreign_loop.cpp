// A program that has an event loop of its own, here a plain poll(2): the poller brings a server and all its connections into
// it as one descriptor, beside a pipe that is the program's own business. It upper-cases what clients send, until the
// program's own thread says through the pipe that the clients are done.
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cctype>
#include <chrono>
#include <cstdio>
#include <map>
#include <moorline/moorline.hpp>
#include <string>
#include <thread>

using moorline::Interest;
using moorline::Timeout;

// What the loop serves: a server under token 0, connections under the numbers after it.
class Shouter {
public:
    // The program's reason to stop; empty if all is well.
    std::string start() {
        if (auto made = moorline::Server::create(); made) {
            server_ = std::move(*made);
        } else {
            return made.error().message();
        }
        if (auto made = moorline::Poller::create(); made) {
            poller_ = std::move(*made);
        } else {
            return made.error().message();
        }
        if (const auto listening = server_.listen_unique("moorline-foreign-loop"); !listening) {
            return listening.error().message();
        }
        if (const auto added = poller_.add(server_, Interest::readable, 0); !added) {
            return added.error().message();
        }
        return "";
    }

    std::string name() const { return server_.full_name().value_or(""); }

    // For the foreign loop: readable when serve() has something to do.
    int descriptor() const { return static_cast<int>(poller_.descriptor().value_or(-1)); }

    // Does all that can be done without waiting.
    void serve() {
        std::array<moorline::Event, 64> events;
        const std::size_t count = poller_.wait(events, Timeout::none()).value_or(0u);
        for (std::size_t i = 0; i < count; ++i) {
            if (events[i].token == 0) {
                accept();
            } else {
                answer(events[i].token);
            }
        }
    }

private:
    void accept() {
        while (auto socket = server_.accept(Timeout::none())) {
            if (poller_.add(*socket, Interest::readable, next_token_)) {
                connections_.emplace(next_token_++, std::move(*socket));
            }
        }
    }

    void answer(std::uint64_t token) {
        const auto found = connections_.find(token);
        if (found == connections_.end()) {
            return;
        }
        std::array<char, 256> buffer;
        const auto received = found->second.receive(buffer, Timeout::none());
        if (!received) {
            // The poller forgets a destroyed socket by itself.
            if (received.error().status() != moorline::Status::would_block) {
                connections_.erase(found);
            }
            return;
        }
        for (std::size_t i = 0; i < *received; ++i) {
            buffer[i] = static_cast<char>(std::toupper(static_cast<unsigned char>(buffer[i])));
        }
        // A client that does not read what it asked for loses its connection; nobody waits for it.
        if (!found->second.send(buffer.data(), *received, Timeout::none())) {
            connections_.erase(found);
        }
    }

    moorline::Server server_;
    moorline::Poller poller_;
    std::map<std::uint64_t, moorline::Socket> connections_;
    std::uint64_t next_token_ = 1;
};

// A client: whether it got back what it should.
static bool converse(const std::string& name, const std::string& words, const std::string& expected) {
    const Timeout patience = std::chrono::seconds(5);
    auto socket = moorline::Socket::connect(name, patience);
    if (!socket || !socket->send(words, patience)) {
        return false;
    }
    std::string answer;
    while (answer.size() < words.size()) {
        std::array<char, 256> buffer;
        const auto received = socket->receive(buffer, patience);
        if (!received) {
            return false;
        }
        answer.append(buffer.data(), *received);
    }
    std::printf("%s -> %s\n", words.c_str(), answer.c_str());
    return answer == expected;
}

int main() {
    Shouter shouter;
    if (const std::string problem = shouter.start(); !problem.empty()) {
        std::fprintf(stderr, "foreign_loop: %s\n", problem.c_str());
        return 1;
    }
    int pipe_ends[2];
    if (pipe(pipe_ends) != 0) {
        std::perror("foreign_loop: pipe");
        return 1;
    }

    bool all_right = true;
    std::thread clients([&, name = shouter.name()] {
        all_right &= converse(name, "hello", "HELLO");
        all_right &= converse(name, "anybody there?", "ANYBODY THERE?");
        close(pipe_ends[1]);
    });

    std::array<pollfd, 2> entries = {{{pipe_ends[0], POLLIN, 0}, {shouter.descriptor(), POLLIN, 0}}};
    while (poll(entries.data(), entries.size(), -1) >= 0) {
        if (entries[1].revents != 0) {
            shouter.serve();
        }
        if (entries[0].revents != 0) {
            break;
        }
    }
    clients.join();
    close(pipe_ends[0]);
    return all_right ? 0 : 1;
}

// Requests and responses in checked frames: both sides make sure at the start that they are the same application in the same
// version, and every frame has a checksum.
//   request_response serve [name]             answers until you press Enter
//   request_response ask name request...      asks, and prints each response
// Requests: "add" and two numbers, "shout" and any text.
#include <array>
#include <cctype>
#include <chrono>
#include <cstdio>
#include <map>
#include <moorline/moorline.hpp>
#include <sstream>
#include <string>
#include <thread>

using moorline::Interest;
using moorline::Timeout;

// What both sides agree on.
static moorline::MessageOptions protocol() {
    moorline::MessageOptions options = moorline::Framing::checked;
    options.application = {"moorline-request-response", 1};
    options.max_message = 64 * 1024;
    return options;
}

static std::string respond(const std::string& request) {
    std::istringstream words(request);
    std::string verb;
    words >> verb >> std::ws;
    if (verb == "add") {
        double first = 0;
        double second = 0;
        if (words >> first >> second) {
            std::ostringstream sum;
            sum << first + second;
            return sum.str();
        }
        return "error: add needs two numbers";
    }
    if (verb == "shout") {
        std::string text;
        std::getline(words, text);
        for (char& letter : text) {
            letter = static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
        }
        return text;
    }
    return "error: there is no request " + verb;
}

// Whether the client may go on. What it did wrong costs it its connection, and nobody else anything.
static bool answer(moorline::Socket& client) {
    // More than one request may have come: a poller tells of bytes, not of messages.
    while (true) {
        const auto request = client.receive_message(Timeout::none());
        if (!request) {
            const moorline::Status status = request.error().status();
            if (status != moorline::Status::would_block && status != moorline::Status::disconnected) {
                std::fprintf(stderr, "a client is turned away: %s\n", request.error().message().c_str());
            }
            return status == moorline::Status::would_block;
        }
        // A client that does not read its responses is not waited for.
        if (!client.send_message(respond(*request), Timeout::none())) {
            return false;
        }
    }
}

// Serves until the poller is closed.
static void run(moorline::Server& server, moorline::Poller& poller) {
    std::map<std::uint64_t, moorline::Socket> clients;
    std::uint64_t next_token = 1;
    std::array<moorline::Event, 64> events;
    while (const auto count = poller.wait(events, Timeout::unlimited())) {
        for (std::size_t i = 0; i < *count; ++i) {
            if (events[i].token == 0) {
                while (auto client = server.accept(Timeout::none())) {
                    if (poller.add(*client, Interest::readable, next_token)) {
                        clients.emplace(next_token++, std::move(*client));
                    }
                }
            } else if (const auto client = clients.find(events[i].token); client != clients.end()) {
                if (!answer(client->second)) {
                    clients.erase(client);
                }
            }
        }
    }
}

static int fail(const moorline::Error& error) {
    std::fprintf(stderr, "request_response: %s\n", error.message().c_str());
    return 1;
}

static int serve(const std::string& name) {
    moorline::ServerOptions options;
    options.messages = protocol();
    auto server = moorline::Server::create(options);
    if (!server) {
        return fail(server.error());
    }
    auto poller = moorline::Poller::create();
    if (!poller) {
        return fail(poller.error());
    }
    if (const auto listening = server->listen(name); !listening) {
        return fail(listening.error());
    }
    if (const auto added = poller->add(*server, Interest::readable, 0); !added) {
        return fail(added.error());
    }
    std::thread thread([&] { run(*server, *poller); });
    std::printf("listening on %s until you press Enter\n", server->full_name().value_or("?").c_str());
    std::fflush(stdout);
    std::getchar();
    // Ends the wait of the other thread.
    const auto closed = poller->close();
    thread.join();
    return closed ? 0 : fail(closed.error());
}

static int ask(const std::string& name, char** requests) {
    const Timeout patience = std::chrono::seconds(5);
    moorline::SocketOptions options;
    options.messages = protocol();
    auto socket = moorline::Socket::connect(name, patience, options);
    if (!socket) {
        return fail(socket.error());
    }
    for (; *requests != nullptr; ++requests) {
        if (const auto sent = socket->send_message(*requests, patience); !sent) {
            return fail(sent.error());
        }
        const auto response = socket->receive_message(patience);
        if (!response) {
            return fail(response.error());
        }
        std::printf("%s -> %s\n", *requests, response->c_str());
    }
    return 0;
}

int main(int argc, char** argv) {
    const std::string mode = argc > 1 ? argv[1] : "";
    if (mode == "serve" && argc <= 3) {
        return serve(argc > 2 ? argv[2] : "moorline-request-response");
    }
    if (mode == "ask" && argc > 3) {
        return ask(argv[2], argv + 3);
    }
    std::fputs("usage: request_response serve [name] | ask name request...\n", stderr);
    return 2;
}

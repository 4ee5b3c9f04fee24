// Hands an open file to another process, which may then read it although it could not open it: a server that has rights, and
// clients that get what it gives them and nothing else.
//   descriptor_hand_over give file [name]     hands the file to whoever asks, until you press Enter
//   descriptor_hand_over take name            asks, and prints the file
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <moorline/moorline.hpp>
#include <string>
#include <thread>

using moorline::Descriptor;
using moorline::Timeout;

// What both sides agree on: one descriptor comes with a message at most, whatever the other side sends.
static moorline::MessageOptions protocol() {
    moorline::MessageOptions options = moorline::Framing::checked;
    options.application = {"moorline-descriptor-hand-over", 1};
    options.max_descriptors = 1;
    return options;
}

static int fail(const std::string& reason) {
    std::fprintf(stderr, "descriptor_hand_over: %s\n", reason.c_str());
    return 1;
}

static int give(const std::string& file, const std::string& name) {
    const Descriptor opened(open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!opened) {
        return fail(file + ": " + std::strerror(errno));
    }
    moorline::ServerOptions options;
    options.messages = protocol();
    auto server = moorline::Server::create(options);
    if (!server) {
        return fail(server.error().message());
    }
    if (const auto listening = server->listen(name); !listening) {
        return fail(listening.error().message());
    }
    std::thread thread([&] {
        // Until the server is closed. The message is small enough for the kernel: nobody is waited for.
        while (auto client = server->accept(Timeout::unlimited())) {
            const auto given = client->send_message_with_descriptors(file, {opened.get()}, Timeout::none());
            if (!given) {
                fail(given.error().message());
            }
        }
    });
    std::printf("listening on %s until you press Enter\n", server->full_name().value_or("?").c_str());
    std::fflush(stdout);
    std::getchar();
    const auto closed = server->close();
    thread.join();
    return closed ? 0 : fail(closed.error().message());
}

static int take(const std::string& name) {
    const Timeout patience = std::chrono::seconds(5);
    moorline::SocketOptions options;
    options.messages = protocol();
    auto socket = moorline::Socket::connect(name, patience, options);
    if (!socket) {
        return fail(socket.error().message());
    }
    const auto message = socket->receive_message_with_descriptors(patience);
    if (!message) {
        return fail(message.error().message());
    }
    if (message->descriptors.size() != 1) {
        return fail("no file came with " + message->data);
    }
    std::fprintf(stderr, "got %s\n", message->data.c_str());
    // Whoever has the file shares its position; so each reads at its own.
    std::array<char, 4096> buffer;
    off_t position = 0;
    ssize_t count = 0;
    while ((count = pread(message->descriptors[0].get(), buffer.data(), buffer.size(), position)) > 0) {
        std::fwrite(buffer.data(), 1, static_cast<std::size_t>(count), stdout);
        position += count;
    }
    return count == 0 ? 0 : fail(std::strerror(errno));
}

int main(int argc, char** argv) {
    const std::string mode = argc > 1 ? argv[1] : "";
    if (mode == "give" && (argc == 3 || argc == 4)) {
        return give(argv[2], argc > 3 ? argv[3] : "moorline-hand-over");
    }
    if (mode == "take" && argc == 3) {
        return take(argv[2]);
    }
    std::fputs("usage: descriptor_hand_over give file [name] | take name\n", stderr);
    return 2;
}

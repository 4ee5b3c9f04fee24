// The smallest client: prints what the server says until it ends.  hello_client [name]
#include <array>
#include <chrono>
#include <cstdio>
#include <moorline/moorline.hpp>

int main(int argc, char** argv) {
    const moorline::Timeout patience = std::chrono::seconds(5);
    auto socket = moorline::Socket::connect(argc > 1 ? argv[1] : "moorline-hello", patience);
    if (!socket) {
        std::fprintf(stderr, "hello_client: %s\n", socket.error().message().c_str());
        return 1;
    }
    std::array<char, 256> buffer;
    while (true) {
        const auto received = socket->receive(buffer, patience);
        if (!received) {
            if (received.error().status() == moorline::Status::disconnected) {
                return 0;
            }
            std::fprintf(stderr, "hello_client: %s\n", received.error().message().c_str());
            return 1;
        }
        std::fwrite(buffer.data(), 1, *received, stdout);
    }
}

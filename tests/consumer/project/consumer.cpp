// A user's program in C++: an echo through the C++ header.
#include <moorline/moorline.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>

#if __cplusplus < 201703L
#error "C++17 does not come with the target"
#endif

using namespace std::chrono_literals;

static moorline::Result<void> check_echo(bool& same) {
    constexpr std::string_view message = "the quick brown fox";

    auto service = moorline::Service::echo();
    if (!service) return moorline::Unexpected(service.error());
    if (auto started = service->start_unique("consumer"); !started) return started;
    auto name = service->full_name();
    if (!name) return moorline::Unexpected(name.error());

    auto socket = moorline::Socket::connect(*name, 30s);
    if (!socket) return moorline::Unexpected(socket.error());
    if (auto sent = socket->send(message, 30s); !sent) return sent;
    std::string answer;
    while (answer.size() < message.size()) {
        std::array<char, 64> buffer{};
        auto received = socket->receive(buffer, 30s);
        if (!received) return moorline::Unexpected(received.error());
        answer.append(buffer.data(), *received);
    }
    same = answer == message;
    return {};
}

int main() {
    bool same = false;
    if (auto result = check_echo(same); !result) {
        std::fprintf(stderr, "consumer: %s\n", result.error().message().c_str());
        return 1;
    }
    if (!same) {
        std::fprintf(stderr, "consumer: the echo is not what was sent\n");
        return 1;
    }
    std::size_t handles = 1;
    if (std::string_view(moorline_version()) != EXPECTED_VERSION) return 1;
    return moorline_live_handles(&handles) == MOORLINE_OK && handles == 0 ? 0 : 1;
}

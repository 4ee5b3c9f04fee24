// The side of the interop tests that uses Moorline.
//   moorline_peer serve PATH FORMAT     sends back what one client sends; says "listening" when it does
//   moorline_peer connect PATH FORMAT   sends messages to a server that sends them back, and compares
// Its last line of output is how the conversation ended: the name of a status.
#include <array>
#include <chrono>
#include <cstdio>
#include <map>
#include <moorline/moorline.hpp>
#include <stdexcept>
#include <string>
#include <vector>

using moorline::Framing;
using moorline::Socket;
using moorline::Status;

namespace {

constexpr auto patience = std::chrono::seconds(60);

// What the other sides know, too.
std::optional<moorline::MessageOptions> options_for(const std::string& format) {
    static const std::map<std::string, Framing> framings = {{"big_endian", Framing::big_endian},
                                                            {"little_endian", Framing::little_endian},
                                                            {"lines", Framing::lines},
                                                            {"checked", Framing::checked}};
    if (format == "raw") {
        return std::nullopt;
    }
    moorline::MessageOptions options(framings.at(format));
    options.max_message = 200'000;
    if (options.framing == Framing::checked) {
        options.application = {"interop", 7};
    }
    return options;
}

std::string large_message() {
    std::string message;
    while (message.size() < 100'000) {
        message += static_cast<char>('a' + message.size() % 23);
    }
    return message;
}

// Sends back what comes, until it ends.
Status echo(Socket& socket) {
    while (true) {
        const auto message = socket.receive_message(patience);
        if (!message) {
            std::fprintf(stderr, "%s\n", message.error().message().c_str());
            return message.error().status();
        }
        if (const auto sent = socket.send_message(*message, patience); !sent) {
            return sent.error().status();
        }
    }
}

Status echo_bytes(Socket& socket) {
    std::array<char, 10'000> buffer;
    while (true) {
        const auto received = socket.receive(buffer, patience);
        if (!received) {
            return received.error().status();
        }
        if (const auto sent = socket.send(buffer.data(), *received, patience); !sent) {
            return sent.error().status();
        }
    }
}

Status converse(Socket& socket) {
    for (const std::string& message : {std::string("one"), std::string(), std::string("\0\r\xff", 3), large_message()}) {
        if (const auto sent = socket.send_message(message, patience); !sent) {
            return sent.error().status();
        }
        const auto answer = socket.receive_message(patience);
        if (!answer) {
            std::fprintf(stderr, "%s\n", answer.error().message().c_str());
            return answer.error().status();
        }
        if (*answer != message) {
            return Status::mismatch;
        }
    }
    return Status::ok;
}

Status converse_in_bytes(Socket& socket) {
    const std::string message = large_message();
    if (const auto sent = socket.send(message, patience); !sent) {
        return sent.error().status();
    }
    std::string answer;
    std::array<char, 10'000> buffer;
    while (answer.size() < message.size()) {
        const auto received = socket.receive(buffer, patience);
        if (!received) {
            return received.error().status();
        }
        answer.append(buffer.data(), *received);
    }
    return answer == message ? Status::ok : Status::mismatch;
}

template <class T>
T must(moorline::Result<T> result) {
    if (!result) {
        throw std::runtime_error(result.error().message());
    }
    return std::move(*result);
}

Status serve(const std::string& path, const std::string& format) {
    moorline::ServerOptions options;
    options.messages = options_for(format);
    moorline::Server server = must(moorline::Server::create(options));
    if (const auto listening = server.listen(path); !listening) {
        throw std::runtime_error(listening.error().message());
    }
    std::puts("listening");
    std::fflush(stdout);
    Socket socket = must(server.accept(patience));
    return options.messages ? echo(socket) : echo_bytes(socket);
}

Status connect(const std::string& path, const std::string& format) {
    moorline::SocketOptions options;
    options.messages = options_for(format);
    Socket socket = must(Socket::connect(path, patience, options));
    return options.messages ? converse(socket) : converse_in_bytes(socket);
}

}  // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> arguments(argv, argv + argc);
    try {
        if (arguments.size() == 4 && arguments[1] == "serve") {
            std::puts(to_string(serve(arguments[2], arguments[3])));
        } else if (arguments.size() == 4 && arguments[1] == "connect") {
            std::puts(to_string(connect(arguments[2], arguments[3])));
        } else {
            throw std::runtime_error("usage: moorline_peer serve|connect PATH FORMAT");
        }
    } catch (const std::exception& error) {
        std::fprintf(stderr, "moorline_peer: %s\n", error.what());
        return 1;
    }
    return 0;
}

// Moorline through its C ABI: the service's echo, and a client of sockets and a poller.
#include <array>
#include <vector>

#include "moorline_checked.hpp"

namespace {

using bench::check;

class Client {
public:
    Client(const std::string& name, const bench::Request& request)
        : work_(request.connections + request.idle, request.chunk), has_messages_(request.framing != "raw") {
        moorline_poller_options polling = MOORLINE_POLLER_OPTIONS_INIT;
        polling.busy_poll_us = static_cast<std::uint32_t>(request.busy_poll_us);
        check(moorline_poller_create(&polling, &poller_), "moorline_poller_create");
        const bench::MessageOptions messages(request);
        moorline_socket_options options = MOORLINE_SOCKET_OPTIONS_INIT;
        options.messages = messages.get();
        for (std::size_t i = 0; i < work_.connections(); ++i) {
            moorline_socket* socket = nullptr;
            check(moorline_socket_connect(name.c_str(), &options, 10'000, &socket), "moorline_socket_connect");
            check(moorline_poller_add_socket(poller_, socket, interest(false), i), "moorline_poller_add_socket");
            sockets_.push_back({socket, false});
        }
        if (has_messages_) {
            buffer_.resize(std::max(buffer_.size(), request.chunk));
        }
    }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;
    ~Client() {
        for (const Socket& socket : sockets_) {
            check(moorline_socket_destroy(socket.socket), "moorline_socket_destroy");
        }
        check(moorline_poller_destroy(poller_), "moorline_poller_destroy");
    }

    bench::Workload& work() { return work_; }

    void begin() {
        for (std::size_t i = 0; i < sockets_.size(); ++i) {
            send_next(i);
        }
    }

    void run() {
        while (!work_.is_done()) {
            std::size_t count = 0;
            check(moorline_poller_wait(poller_, events_.data(), events_.size(), -1, &count), "moorline_poller_wait");
            for (std::size_t i = 0; i < count; ++i) {
                const moorline_event& event = events_[i];
                if ((event.readiness & MOORLINE_WRITABLE) != 0) {
                    send_next(event.token);
                }
                if ((event.readiness & MOORLINE_READABLE) != 0) {
                    receive(event.token);
                }
            }
        }
    }

private:
    struct Socket {
        moorline_socket* socket;
        bool wants_room;
    };

    // Room to send is only asked for after a send that fell short.
    static std::uint32_t interest(bool wants_room) {
        return MOORLINE_EDGE | MOORLINE_READABLE | (wants_room ? std::uint32_t{MOORLINE_WRITABLE} : 0);
    }

    void send_next(std::size_t index) {
        Socket& socket = sockets_[index];
        const auto [data, length] = work_.to_send(index);
        bool wants_room = false;
        if (length > 0 && has_messages_) {
            // The service takes a message whole before it answers, so this wait ends.
            check(moorline_socket_send_message(socket.socket, data, length, -1), "moorline_socket_send_message");
            work_.sent(index, length);
        } else if (length > 0) {
            std::size_t sent = 0;
            const moorline_status status = moorline_socket_send(socket.socket, data, length, 0, &sent);
            wants_room = status == MOORLINE_WOULD_BLOCK;
            if (!wants_room) {
                check(status, "moorline_socket_send");
            }
            work_.sent(index, sent);
        }
        if (wants_room != socket.wants_room) {
            socket.wants_room = wants_room;
            check(moorline_poller_modify_socket(poller_, socket.socket, interest(wants_room), index),
                  "moorline_poller_modify_socket");
        }
    }

    void receive(std::size_t index) {
        std::size_t received = 0;
        do {
            const moorline_status status =
                has_messages_
                    ? moorline_socket_receive_message(sockets_[index].socket, buffer_.data(), buffer_.size(), 0, &received)
                    : moorline_socket_receive(sockets_[index].socket, buffer_.data(), buffer_.size(), 0, &received);
            if (status == MOORLINE_WOULD_BLOCK) {
                return;
            }
            check(status, "moorline_socket_receive");
            if (work_.received(index, buffer_.data(), received)) {
                send_next(index);
            }
        } while (has_messages_ ? may_have_message(index) : received == buffer_.size());
    }

    bool may_have_message(std::size_t index) {
        std::uint32_t may = 0;
        check(moorline_socket_may_have_message(sockets_[index].socket, &may), "moorline_socket_may_have_message");
        return may != 0;
    }

    bench::Workload work_;
    const bool has_messages_;
    moorline_poller* poller_ = nullptr;
    std::vector<Socket> sockets_;
    std::array<moorline_event, bench::events_at_once> events_ = {};
    std::vector<char> buffer_ = std::vector<char>(bench::read_size);
};

}  // namespace

int main(int argc, char** argv) { return bench::run_system<bench::MoorlineEcho, Client>(argc, argv); }

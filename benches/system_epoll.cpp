// The limit: what a careful programmer gets from the system calls themselves. Edge-triggered epoll; reads end at a short
// one; room to send is only asked for after a send that fell short, because the kernel reports it at every read of the peer.
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <thread>
#include <vector>

#include "system.hpp"

namespace {

using bench::fail;

class Descriptor {
public:
    Descriptor(int number, const char* what) : number_(number) {
        if (number < 0) {
            fail(std::string(what) + ": " + std::strerror(errno));
        }
    }
    Descriptor(Descriptor&& other) noexcept : number_(other.number_) { other.number_ = -1; }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    Descriptor& operator=(Descriptor&&) = delete;
    ~Descriptor() {
        if (number_ >= 0) {
            close(number_);
        }
    }
    operator int() const { return number_; }

private:
    int number_;
};

// The number of bytes, 0 if the call would have had to wait. That the peer has gone is an error here.
std::size_t counted(ssize_t answer, const char* what) {
    if (answer > 0) {
        return static_cast<std::size_t>(answer);
    }
    if (answer < 0 && errno == EAGAIN) {
        return 0;
    }
    fail(std::string(what) + ": " + (answer == 0 ? "the peer has gone" : std::strerror(errno)));
}

std::size_t send_some(int socket, const char* data, std::size_t length) {
    return counted(send(socket, data, length, MSG_NOSIGNAL), "send");
}

class Epoll {
public:
    void add(int descriptor, std::uint64_t token) { control(EPOLL_CTL_ADD, descriptor, EPOLLIN, token); }

    void want(int descriptor, std::uint64_t token, bool room) {
        control(EPOLL_CTL_MOD, descriptor, room ? EPOLLIN | EPOLLOUT : EPOLLIN, token);
    }

    template <typename Found>
    void wait(Found found) {
        const int count = epoll_wait(epoll_, events_.data(), bench::events_at_once, -1);
        if (count < 0 && errno != EINTR) {
            fail(std::string("epoll_wait: ") + std::strerror(errno));
        }
        for (int i = 0; i < count; ++i) {
            const epoll_event& event = events_[static_cast<std::size_t>(i)];
            found(event.data.u64, event.events);
        }
    }

private:
    void control(int operation, int descriptor, std::uint32_t events, std::uint64_t token) {
        epoll_event event = {};
        event.events = events | EPOLLET;
        event.data.u64 = token;
        if (epoll_ctl(epoll_, operation, descriptor, &event) != 0) {
            fail(std::string("epoll_ctl: ") + std::strerror(errno));
        }
    }

    Descriptor epoll_{epoll_create1(EPOLL_CLOEXEC), "epoll_create1"};
    std::array<epoll_event, bench::events_at_once> events_;
};

class Server {
public:
    static constexpr bool tunable = false;

    explicit Server(const bench::Request&) {
        // A name of the kernel's choice: bind(2) with nothing but the family, unix(7).
        sockaddr_un address = {};
        address.sun_family = AF_UNIX;
        if (bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof(sa_family_t)) != 0 ||
            listen(listener_, SOMAXCONN) != 0) {
            fail(std::string("listen: ") + std::strerror(errno));
        }
        epoll_.add(listener_, listener_token);
        epoll_.add(stop_, stop_token);
        thread_ = std::thread([this] { run(); });
    }

    ~Server() {
        eventfd_write(stop_, 1);
        thread_.join();
    }

    // The bytes of the name, the first of which is a NUL, without it.
    std::string address() const {
        sockaddr_un address = {};
        socklen_t length = sizeof address;
        getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length);
        return {address.sun_path + 1, length - sizeof(sa_family_t) - 1};
    }

private:
    static constexpr std::uint64_t listener_token = ~std::uint64_t{0};
    static constexpr std::uint64_t stop_token = listener_token - 1;

    struct Connection {
        Descriptor socket;
        // What the kernel did not take yet. Nothing is read until it is gone.
        std::vector<char> rest = {};
        std::size_t rest_sent = 0;
    };

    void run() {
        while (!stopped_) {
            epoll_.wait([this](std::uint64_t token, std::uint32_t) {
                if (token == listener_token) {
                    accept_all();
                } else if (token == stop_token) {
                    stopped_ = true;
                } else if (Connection& connection = connections_[token]; flush(connection, token)) {
                    echo(connection, token);
                }
            });
        }
    }

    void accept_all() {
        for (;;) {
            const int socket = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (socket < 0 && errno == EAGAIN) {
                return;
            }
            connections_.push_back({Descriptor{socket, "accept"}});
            epoll_.add(socket, connections_.size() - 1);
        }
    }

    // Whether there is nothing left to send.
    bool flush(Connection& connection, std::uint64_t token) {
        if (connection.rest.empty()) {
            return true;
        }
        std::size_t& sent = connection.rest_sent;
        sent += send_some(connection.socket, connection.rest.data() + sent, connection.rest.size() - sent);
        if (sent < connection.rest.size()) {
            return false;
        }
        connection.rest.clear();
        sent = 0;
        epoll_.want(connection.socket, token, false);
        return true;
    }

    void echo(Connection& connection, std::uint64_t token) {
        for (;;) {
            const ssize_t answer = recv(connection.socket, buffer_.data(), buffer_.size(), 0);
            if (answer == 0) {
                return;  // The client is through. All descriptors are closed at the end.
            }
            const std::size_t received = counted(answer, "recv");
            if (received == 0) {
                return;
            }
            const std::size_t sent = send_some(connection.socket, buffer_.data(), received);
            if (sent < received) {
                connection.rest.assign(buffer_.data() + sent, buffer_.data() + received);
                epoll_.want(connection.socket, token, true);
                return;
            }
            if (received < buffer_.size()) {
                return;
            }
        }
    }

    Descriptor listener_{socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket"};
    Descriptor stop_{eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd"};
    Epoll epoll_;
    std::vector<Connection> connections_;
    std::vector<char> buffer_ = std::vector<char>(bench::read_size);
    bool stopped_ = false;
    std::thread thread_;
};

Descriptor connect_to(const std::string& name) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    name.copy(address.sun_path + 1, sizeof address.sun_path - 1);
    const auto length = static_cast<socklen_t>(sizeof(sa_family_t) + 1 + name.size());
    Descriptor socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"};
    // It waits while the backlog is full; from then on it does not wait any more.
    if (connect(socket, reinterpret_cast<sockaddr*>(&address), length) != 0) {
        fail(std::string("connect: ") + std::strerror(errno));
    }
    return socket;
}

class Client {
public:
    Client(const std::string& address, const bench::Request& request) : work_(request.connections + request.idle, request.chunk) {
        for (std::size_t i = 0; i < work_.connections(); ++i) {
            sockets_.push_back({connect_to(address), false});
            epoll_.add(sockets_.back().socket, i);
        }
    }

    bench::Workload& work() { return work_; }

    void begin() {
        for (std::size_t i = 0; i < sockets_.size(); ++i) {
            send_next(i);
        }
    }

    void run() {
        while (!work_.is_done()) {
            epoll_.wait([this](std::uint64_t token, std::uint32_t events) {
                const std::size_t index = token;
                if ((events & EPOLLOUT) != 0) {
                    send_next(index);
                }
                if ((events & EPOLLIN) != 0) {
                    receive(index);
                }
            });
        }
    }

private:
    struct Socket {
        Descriptor socket;
        bool wants_room;
    };

    void send_next(std::size_t index) {
        const auto [data, length] = work_.to_send(index);
        std::size_t sent = 0;
        if (length > 0) {
            sent = counted(send(sockets_[index].socket, data, length, MSG_NOSIGNAL | MSG_DONTWAIT), "send");
            work_.sent(index, sent);
        }
        if (const bool wants_room = sent < length; wants_room != sockets_[index].wants_room) {
            sockets_[index].wants_room = wants_room;
            epoll_.want(sockets_[index].socket, index, wants_room);
        }
    }

    void receive(std::size_t index) {
        for (;;) {
            const ssize_t answer = recv(sockets_[index].socket, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
            const std::size_t received = counted(answer, "recv");
            if (received == 0) {
                return;
            }
            if (work_.received(index, buffer_.data(), received)) {
                send_next(index);
            }
            if (received < buffer_.size()) {
                return;
            }
        }
    }

    bench::Workload work_;
    Epoll epoll_;
    std::vector<Socket> sockets_;
    std::vector<char> buffer_ = std::vector<char>(bench::read_size);
};

}  // namespace

int main(int argc, char** argv) { return bench::run_system<Server, Client>(argc, argv); }

// ZeroMQ over ipc, which has only messages: a ROUTER that answers, and a DEALER for each connection. A context, with its one
// thread for input and output, for each side. The client watches the sockets' descriptors (ZMQ_FD) with epoll, because
// zmq_poll looks at all sockets each time.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

#include <array>
#include <cerrno>
#include <vector>

#include "system.hpp"

namespace {

int check(int answer, const char* what) {
    if (answer < 0) {
        bench::fail(std::string(what) + ": " + zmq_strerror(errno));
    }
    return answer;
}

class Context {
public:
    Context() {
        // 1,023 otherwise.
        check(zmq_ctx_set(context_, ZMQ_MAX_SOCKETS, 20'000), "zmq_ctx_set");
    }
    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;
    ~Context() { zmq_ctx_term(context_); }

    void* get() const { return context_; }

private:
    void* const context_ = zmq_ctx_new();
};

void* open_socket(const Context& context, int type) {
    void* socket = zmq_socket(context.get(), type);
    if (socket == nullptr) {
        check(-1, "zmq_socket");
    }
    // What was not sent is not waited for at the end.
    const int linger = 0;
    check(zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger), "ZMQ_LINGER");
    return socket;
}

class Server {
public:
    static constexpr bool tunable = false;

    explicit Server(const bench::Request&) : router_(open_socket(context_, ZMQ_ROUTER)) {
        const int backlog = SOMAXCONN;
        check(zmq_setsockopt(router_, ZMQ_BACKLOG, &backlog, sizeof backlog), "ZMQ_BACKLOG");
        check(zmq_bind(router_, address().c_str()), "zmq_bind");
        thread_ = std::thread([this] {
            while (echo()) {
            }
            zmq_close(router_);
        });
    }
    ~Server() {
        zmq_ctx_shutdown(context_.get());
        thread_.join();
    }

    std::string address() const { return "ipc://" + path_.text(); }

private:
    // Whom it is from, then what it is. False at the end.
    bool echo() {
        zmq_msg_t sender;
        zmq_msg_t message;
        zmq_msg_init(&sender);
        zmq_msg_init(&message);
        if (zmq_msg_recv(&sender, router_, 0) < 0 || zmq_msg_recv(&message, router_, 0) < 0 ||
            zmq_msg_send(&sender, router_, ZMQ_SNDMORE) < 0 || zmq_msg_send(&message, router_, 0) < 0) {
            if (errno != ETERM) {
                check(-1, "the echo");
            }
            return false;
        }
        return true;
    }

    bench::SocketPath path_;
    Context context_;
    void* const router_;
    std::thread thread_;
};

class Client {
public:
    Client(const std::string& address, const bench::Request& request)
        : work_(request.connections + request.idle, request.chunk), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
        for (std::size_t i = 0; i < work_.connections(); ++i) {
            void* dealer = open_socket(context_, ZMQ_DEALER);
            check(zmq_connect(dealer, address.c_str()), "zmq_connect");
            int descriptor = -1;
            std::size_t size = sizeof descriptor;
            check(zmq_getsockopt(dealer, ZMQ_FD, &descriptor, &size), "ZMQ_FD");
            epoll_event event = {};
            event.events = EPOLLIN;
            event.data.u64 = i;
            if (epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) != 0) {
                bench::fail("epoll_ctl: " + std::string(std::strerror(errno)));
            }
            dealers_.push_back(dealer);
        }
    }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;
    ~Client() {
        for (void* dealer : dealers_) {
            zmq_close(dealer);
        }
        close(epoll_);
    }

    bench::Workload& work() { return work_; }

    void begin() {
        for (std::size_t i = 0; i < dealers_.size(); ++i) {
            send_next(i);
            // The descriptor tells of changes only, and sending may have taken note of one.
            receive(i);
        }
    }

    void run() {
        while (!work_.is_done()) {
            const int count = epoll_wait(epoll_, events_.data(), bench::events_at_once, -1);
            for (int i = 0; i < count; ++i) {
                receive(events_[static_cast<std::size_t>(i)].data.u64);
            }
        }
    }

private:
    void send_next(std::size_t index) {
        const auto [data, length] = work_.to_send(index);
        if (length > 0) {
            // The pattern stays, so nothing needs to be copied.
            check(zmq_send_const(dealers_[index], data, length, 0), "zmq_send_const");
            work_.sent(index, length);
        }
    }

    // Until there is nothing more, which also takes note of what the descriptor told.
    void receive(std::size_t index) {
        for (;;) {
            zmq_msg_t message;
            zmq_msg_init(&message);
            const int length = zmq_msg_recv(&message, dealers_[index], ZMQ_DONTWAIT);
            if (length < 0 && errno == EAGAIN) {
                zmq_msg_close(&message);
                return;
            }
            check(length, "zmq_msg_recv");
            const bool next = work_.received(index, static_cast<const char*>(zmq_msg_data(&message)), zmq_msg_size(&message));
            zmq_msg_close(&message);
            if (next) {
                send_next(index);
            }
        }
    }

    bench::Workload work_;
    Context context_;
    const int epoll_;
    std::vector<void*> dealers_;
    std::array<epoll_event, bench::events_at_once> events_;
};

}  // namespace

int main(int argc, char** argv) { return bench::run_system<Server, Client>(argc, argv); }

// nng over ipc, which has only messages: a REP socket with many contexts that answer, and a REQ socket for each connection, all
// with asynchronous operations. Its threads belong to both sides, and its callbacks run on them. Everything is left to the end of the
// process: closing all in order sometimes waits for ever (1.5.2).
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>

#include <condition_variable>
#include <mutex>
#include <vector>

#include "system.hpp"

namespace {

void check(int status, const char* what) {
    if (status != 0) {
        bench::fail(std::string(what) + ": " + nng_strerror(status));
    }
}

class Server {
public:
    static constexpr bool tunable = false;

    explicit Server(const bench::Request& request) {
        // The threads start with the first socket.
        request.placement.enter_both();
        check(nng_rep0_open(&socket_), "nng_rep0_open");
        check(nng_listen(socket_, address().c_str(), nullptr, 0), "nng_listen");
        // As many requests are answered at a time.
        constexpr std::size_t parallel = 128;
        for (std::size_t i = 0; i < parallel; ++i) {
            new Answerer(socket_);
        }
    }

    std::string address() const { return "ipc://" + path_.text(); }

private:
    class Answerer {
    public:
        explicit Answerer(nng_socket socket) {
            check(nng_aio_alloc(&aio_, [](void* self) { static_cast<Answerer*>(self)->step(); }, this), "nng_aio_alloc");
            check(nng_ctx_open(&context_, socket), "nng_ctx_open");
            nng_ctx_recv(context_, aio_);
        }
        Answerer(const Answerer&) = delete;
        Answerer& operator=(const Answerer&) = delete;

    private:
        void step() {
            check(nng_aio_result(aio_), "the echo");
            answers_ = !answers_;
            if (answers_) {
                // The message that came is the one that goes.
                nng_ctx_send(context_, aio_);
            } else {
                nng_ctx_recv(context_, aio_);
            }
        }

        nng_aio* aio_ = nullptr;
        nng_ctx context_;
        bool answers_ = false;
    };

    bench::SocketPath path_;
    nng_socket socket_;
};

class Client {
public:
    Client(const std::string& address, const bench::Request& request) : work_(request.connections + request.idle, request.chunk) {
        for (std::size_t i = 0; i < work_.connections(); ++i) {
            lanes_.push_back(new Lane(*this, i, address));
        }
    }

    bench::Workload& work() { return work_; }

    void begin() {
        for (Lane* lane : lanes_) {
            const std::lock_guard lock(mutex_);
            lane->send_next();
        }
    }

    void run() {
        std::unique_lock lock(mutex_);
        done_.wait(lock, [this] { return work_.is_done(); });
    }

private:
    class Lane {
    public:
        Lane(Client& client, std::size_t index, const std::string& address) : client_(client), index_(index) {
            check(nng_req0_open(&socket_), "nng_req0_open");
            // No request is lost here, and the timers of those that wait are searched one by one for each new one.
            check(nng_socket_set_ms(socket_, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE), "NNG_OPT_REQ_RESENDTIME");
            check(nng_dial(socket_, address.c_str(), nullptr, 0), "nng_dial");
            check(nng_aio_alloc(&aio_, [](void* self) { static_cast<Lane*>(self)->step(); }, this), "nng_aio_alloc");
            check(nng_msg_alloc(&message_, 0), "nng_msg_alloc");
        }
        Lane(const Lane&) = delete;
        Lane& operator=(const Lane&) = delete;

        // The caller has the lock.
        void send_next() {
            const auto [data, length] = client_.work_.to_send(index_);
            if (length == 0) {
                return;
            }
            nng_msg_clear(message_);
            check(nng_msg_append(message_, data, length), "nng_msg_append");
            client_.work_.sent(index_, length);
            nng_aio_set_msg(aio_, message_);
            message_ = nullptr;
            receives_ = false;
            nng_send_aio(socket_, aio_);
        }

    private:
        void step() {
            check(nng_aio_result(aio_), "a round trip");
            if (!receives_) {
                receives_ = true;
                nng_recv_aio(socket_, aio_);
                return;
            }
            message_ = nng_aio_get_msg(aio_);
            const std::lock_guard lock(client_.mutex_);
            const auto* data = static_cast<const char*>(nng_msg_body(message_));
            if (client_.work_.received(index_, data, nng_msg_len(message_))) {
                send_next();
            } else if (client_.work_.is_done()) {
                client_.done_.notify_one();
            }
        }

        Client& client_;
        const std::size_t index_;
        nng_socket socket_;
        nng_aio* aio_ = nullptr;
        // Which is used again and again; nng has it while a round trip is under way.
        nng_msg* message_ = nullptr;
        bool receives_ = false;
    };

    bench::Workload work_;
    // The callbacks of several connections may come at the same time.
    std::mutex mutex_;
    std::condition_variable done_;
    std::vector<Lane*> lanes_;
};

}  // namespace

int main(int argc, char** argv) { return bench::run_system<Server, Client>(argc, argv); }

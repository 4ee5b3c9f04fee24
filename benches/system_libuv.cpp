// libuv's pipes: a loop for each side. What uv_try_write takes at once needs no request; the rest is written with one.
#include <uv.h>

#include <array>
#include <memory>
#include <vector>

#include "system.hpp"

namespace {

void check(int status, const char* what) {
    if (status < 0) {
        bench::fail(std::string(what) + ": " + uv_strerror(status));
    }
}

uv_buf_t buffer_of(const char* data, std::size_t length) {
    // libuv has no type for bytes that are only read.
    return uv_buf_init(const_cast<char*>(data), static_cast<unsigned int>(length));
}

// How much of it was written at once.
std::size_t try_write(uv_stream_t* stream, const char* data, std::size_t length) {
    const uv_buf_t buffer = buffer_of(data, length);
    const int written = uv_try_write(stream, &buffer, 1);
    if (written == UV_EAGAIN) {
        return 0;
    }
    check(written, "uv_try_write");
    return static_cast<std::size_t>(written);
}

// The buffer that all reads of a loop share: it is used up before the next read.
using ReadBuffer = std::array<char, bench::read_size>;

class Server {
public:
    static constexpr bool tunable = false;

    explicit Server(const bench::Request&) {
        check(uv_loop_init(&loop_), "uv_loop_init");
        check(uv_async_init(&loop_, &stop_, [](uv_async_t* stop) { uv_stop(stop->loop); }), "uv_async_init");
        check(uv_pipe_init(&loop_, &listener_, 0), "uv_pipe_init");
        listener_.data = this;
        check(uv_pipe_bind(&listener_, path_.text().c_str()), "uv_pipe_bind");
        const auto accept = [](uv_stream_t* listener, int status) {
            check(status, "connection");
            static_cast<Server*>(listener->data)->accept();
        };
        check(uv_listen(reinterpret_cast<uv_stream_t*>(&listener_), SOMAXCONN, accept), "uv_listen");
        thread_ = std::thread([this] { uv_run(&loop_, UV_RUN_DEFAULT); });
    }
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    ~Server() {
        uv_async_send(&stop_);
        thread_.join();
    }

    std::string address() const { return path_.text(); }

private:
    struct Rest {
        uv_write_t request;
        std::vector<char> data;
    };

    void accept() {
        auto pipe = std::make_unique<uv_pipe_t>();
        check(uv_pipe_init(&loop_, pipe.get(), 0), "uv_pipe_init");
        pipe->data = this;
        auto* stream = reinterpret_cast<uv_stream_t*>(pipe.get());
        check(uv_accept(reinterpret_cast<uv_stream_t*>(&listener_), stream), "uv_accept");
        const auto allocate = [](uv_handle_t* handle, std::size_t, uv_buf_t* buffer) {
            ReadBuffer& read = static_cast<Server*>(handle->data)->buffer_;
            *buffer = buffer_of(read.data(), read.size());
        };
        check(uv_read_start(stream, allocate, echo), "uv_read_start");
        pipes_.push_back(std::move(pipe));
    }

    static void echo(uv_stream_t* stream, ssize_t length, const uv_buf_t* buffer) {
        if (length == UV_EOF) {
            uv_read_stop(stream);
            return;
        }
        check(static_cast<int>(length), "read");
        const auto size = static_cast<std::size_t>(length);
        const std::size_t written = try_write(stream, buffer->base, size);
        if (written < size) {
            auto* rest = new Rest{{}, std::vector<char>(buffer->base + written, buffer->base + size)};
            rest->request.data = rest;
            const uv_buf_t data = buffer_of(rest->data.data(), rest->data.size());
            const auto done = [](uv_write_t* request, int status) {
                delete static_cast<Rest*>(request->data);
                check(status, "uv_write");
            };
            check(uv_write(&rest->request, stream, &data, 1, done), "uv_write");
        }
    }

    bench::SocketPath path_;
    uv_loop_t loop_;
    uv_async_t stop_;
    uv_pipe_t listener_;
    std::vector<std::unique_ptr<uv_pipe_t>> pipes_;
    ReadBuffer buffer_;
    std::thread thread_;
};

class Client {
public:
    Client(const std::string& path, const bench::Request& request) : work_(request.connections + request.idle, request.chunk) {
        check(uv_loop_init(&loop_), "uv_loop_init");
        for (std::size_t i = 0; i < work_.connections(); ++i) {
            connect(path);
        }
    }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    bench::Workload& work() { return work_; }

    void begin() {
        for (std::size_t i = 0; i < lanes_.size(); ++i) {
            send_next(i);
        }
    }

    void run() { uv_run(&loop_, UV_RUN_DEFAULT); }

private:
    struct Lane {
        uv_pipe_t pipe;
        uv_write_t write;
        Client* client;
        std::size_t index;

        uv_stream_t* stream() { return reinterpret_cast<uv_stream_t*>(&pipe); }
    };

    // One after another: libuv tells the client that a full backlog refused it instead of waiting.
    void connect(const std::string& path) {
        lanes_.push_back(std::make_unique<Lane>());
        Lane& lane = *lanes_.back();
        lane.client = this;
        lane.index = lanes_.size() - 1;
        check(uv_pipe_init(&loop_, &lane.pipe, 0), "uv_pipe_init");
        lane.pipe.data = &lane;
        int outcome = UV_EAGAIN;
        while (outcome == UV_EAGAIN) {
            uv_connect_t request;
            request.data = &outcome;
            uv_pipe_connect(&request, &lane.pipe, path.c_str(), [](uv_connect_t* connected, int status) {
                *static_cast<int*>(connected->data) = status;
                uv_stop(connected->handle->loop);
            });
            uv_run(&loop_, UV_RUN_DEFAULT);
        }
        check(outcome, "uv_pipe_connect");
        const auto allocate = [](uv_handle_t* handle, std::size_t, uv_buf_t* buffer) {
            ReadBuffer& read = static_cast<Lane*>(handle->data)->client->buffer_;
            *buffer = buffer_of(read.data(), read.size());
        };
        const auto received = [](uv_stream_t* stream, ssize_t length, const uv_buf_t* buffer) {
            check(static_cast<int>(length), "read");
            const Lane& reader = *static_cast<Lane*>(stream->data);
            reader.client->received(reader.index, buffer->base, static_cast<std::size_t>(length));
        };
        check(uv_read_start(lane.stream(), allocate, received), "uv_read_start");
    }

    void received(std::size_t index, const char* data, std::size_t length) {
        if (length > 0 && work_.received(index, data, length)) {
            send_next(index);
        } else if (work_.is_done()) {
            uv_stop(&loop_);
        }
    }

    void send_next(std::size_t index) {
        const auto [data, length] = work_.to_send(index);
        if (length == 0) {
            return;
        }
        Lane& lane = *lanes_[index];
        const std::size_t written = try_write(lane.stream(), data, length);
        work_.sent(index, length);
        if (written < length) {
            const uv_buf_t rest = buffer_of(data + written, length - written);
            check(uv_write(&lane.write, lane.stream(), &rest, 1, [](uv_write_t*, int status) { check(status, "uv_write"); }),
                  "uv_write");
        }
    }

    bench::Workload work_;
    uv_loop_t loop_;
    std::vector<std::unique_ptr<Lane>> lanes_;
    ReadBuffer buffer_;
};

}  // namespace

int main(int argc, char** argv) { return bench::run_system<Server, Client>(argc, argv); }

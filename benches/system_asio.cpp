// Boost.Asio's local stream sockets: an io_context for each side, told that one thread runs it, and sockets that know their
// executor's type, which spares the indirection of any_io_executor.
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <memory>
#include <vector>

#include "system.hpp"

namespace {

namespace asio = boost::asio;
using Protocol = asio::local::stream_protocol;
using Executor = asio::io_context::executor_type;
using Socket = asio::basic_stream_socket<Protocol, Executor>;
using Acceptor = asio::basic_socket_acceptor<Protocol, Executor>;
using Error = boost::system::error_code;

void check(const Error& error, const char* what) {
    if (error) {
        bench::fail(std::string(what) + ": " + error.message());
    }
}

class Server {
public:
    static constexpr bool tunable = false;

    explicit Server(const bench::Request&) {
        accept();
        thread_ = std::thread([this] { context_.run(); });
    }
    ~Server() {
        context_.stop();
        thread_.join();
    }

    std::string address() const { return path_.text(); }

private:
    struct Connection {
        explicit Connection(Socket accepted) : socket(std::move(accepted)) { read(); }

        void read() {
            socket.async_read_some(asio::buffer(buffer), [this](const Error& error, std::size_t length) {
                if (error != asio::error::eof) {
                    check(error, "async_read_some");
                    write(length);
                }
            });
        }

        void write(std::size_t length) {
            asio::async_write(socket, asio::buffer(buffer, length), [this](const Error& error, std::size_t) {
                check(error, "async_write");
                read();
            });
        }

        Socket socket;
        std::array<char, bench::read_size> buffer;
    };

    void accept() {
        acceptor_.async_accept([this](const Error& error, Socket socket) {
            check(error, "async_accept");
            connections_.push_back(std::make_unique<Connection>(std::move(socket)));
            accept();
        });
    }

    bench::SocketPath path_;
    asio::io_context context_{1};
    Acceptor acceptor_{context_, Protocol::endpoint(path_.text())};
    std::vector<std::unique_ptr<Connection>> connections_;
    std::thread thread_;
};

class Client {
public:
    Client(const std::string& path, const bench::Request& request) : work_(request.connections + request.idle, request.chunk) {
        for (std::size_t i = 0; i < work_.connections(); ++i) {
            lanes_.push_back(std::make_unique<Lane>(context_));
            // Blocking, so it waits while the backlog is full.
            Error error;
            lanes_.back()->socket.connect(Protocol::endpoint(path), error);
            check(error, "connect");
            read(i);
        }
    }

    bench::Workload& work() { return work_; }

    void begin() {
        for (std::size_t i = 0; i < lanes_.size(); ++i) {
            send_next(i);
        }
    }

    void run() {
        context_.restart();
        context_.run();
    }

private:
    struct Lane {
        explicit Lane(asio::io_context& context) : socket(context) {}

        Socket socket;
        std::array<char, bench::read_size> buffer;
    };

    void read(std::size_t index) {
        Lane& lane = *lanes_[index];
        lane.socket.async_read_some(asio::buffer(lane.buffer), [this, index, &lane](const Error& error, std::size_t length) {
            check(error, "async_read_some");
            if (work_.received(index, lane.buffer.data(), length)) {
                send_next(index);
            } else if (work_.is_done()) {
                context_.stop();
            }
            read(index);
        });
    }

    void send_next(std::size_t index) {
        const auto [data, length] = work_.to_send(index);
        if (length == 0) {
            return;
        }
        work_.sent(index, length);
        asio::async_write(lanes_[index]->socket, asio::buffer(data, length),
                          [](const Error& error, std::size_t) { check(error, "async_write"); });
    }

    bench::Workload work_;
    asio::io_context context_{1};
    std::vector<std::unique_ptr<Lane>> lanes_;
};

}  // namespace

int main(int argc, char** argv) { return bench::run_system<Server, Client>(argc, argv); }

// Moorline through its C++ header: as system_moorline.cpp, with owners and results.
#include <moorline/moorline.hpp>

#include <array>
#include <chrono>
#include <optional>
#include <vector>

#include "system.hpp"

namespace {

template <class T>
T checked(moorline::Result<T> result, const char* what) {
    if (!result) {
        bench::fail(std::string(what) + ": " + result.error().message());
    }
    if constexpr (!std::is_void_v<T>) {
        return std::move(*result);
    }
}

std::optional<std::chrono::microseconds> busy_poll(const bench::Request& request) {
    switch (request.busy_poll_us) {
        case 0: return std::nullopt;
        case MOORLINE_BUSY_POLL_NEVER: return std::chrono::microseconds(0);
        default: return std::chrono::microseconds(request.busy_poll_us);
    }
}

class Server {
public:
    static constexpr bool tunable = true;

    explicit Server(const bench::Request& request) {
        if (request.framing != "raw") {
            bench::fail("messages are measured through the C ABI");
        }
        moorline::ServiceOptions options;
        options.busy_poll = busy_poll(request);
        service_ = checked(moorline::Service::echo(options), "Service::echo");
        checked(service_.start_unique("bench"), "Service::start_unique");
    }

    std::string address() const { return checked(service_.full_name(), "Service::full_name"); }

private:
    moorline::Service service_;
};

class Client {
public:
    Client(const std::string& name, const bench::Request& request) : work_(request.connections + request.idle, request.chunk) {
        moorline::PollerOptions polling;
        polling.busy_poll = busy_poll(request);
        poller_ = checked(moorline::Poller::create(polling), "Poller::create");
        for (std::size_t i = 0; i < work_.connections(); ++i) {
            moorline::Socket socket = checked(moorline::Socket::connect(name, std::chrono::seconds(10)), "Socket::connect");
            checked(poller_.add(socket, receiving, i), "Poller::add");
            lanes_.push_back({std::move(socket), false});
        }
    }

    bench::Workload& work() { return work_; }

    void begin() {
        for (std::size_t i = 0; i < lanes_.size(); ++i) {
            send_next(i);
        }
    }

    void run() {
        while (!work_.is_done()) {
            const std::size_t count = checked(poller_.wait(events_, moorline::Timeout::unlimited()), "Poller::wait");
            for (std::size_t i = 0; i < count; ++i) {
                const moorline::Event& event = events_[i];
                if (event.writable()) {
                    send_next(event.token);
                }
                if (event.readable()) {
                    receive(event.token);
                }
            }
        }
    }

private:
    struct Lane {
        moorline::Socket socket;
        bool wants_room;
    };

    static constexpr moorline::Interest receiving = moorline::Interest::readable | moorline::Interest::edge;

    void send_next(std::size_t index) {
        Lane& lane = lanes_[index];
        const auto [data, length] = work_.to_send(index);
        bool wants_room = false;
        if (length > 0) {
            const auto sent = lane.socket.send(data, length, moorline::Timeout::none());
            wants_room = !sent && sent.error().status() == moorline::Status::would_block;
            if (!sent && !wants_room) {
                bench::fail("Socket::send: " + sent.error().message());
            }
            work_.sent(index, sent ? length : sent.error().sent());
        }
        // Room to send is only asked for after a send that fell short.
        if (wants_room != lane.wants_room) {
            lane.wants_room = wants_room;
            const auto interest = wants_room ? receiving | moorline::Interest::writable : receiving;
            checked(poller_.modify(lane.socket, interest, index), "Poller::modify");
        }
    }

    void receive(std::size_t index) {
        std::size_t count = 0;
        do {
            const auto received = lanes_[index].socket.receive(buffer_, moorline::Timeout::none());
            if (!received && received.error().status() == moorline::Status::would_block) {
                return;
            }
            if (!received) {
                bench::fail("Socket::receive: " + received.error().message());
            }
            count = *received;
            if (work_.received(index, buffer_.data(), count)) {
                send_next(index);
            }
        } while (count == buffer_.size());
    }

    bench::Workload work_;
    moorline::Poller poller_;
    std::vector<Lane> lanes_;
    std::array<moorline::Event, bench::events_at_once> events_ = {};
    std::vector<char> buffer_ = std::vector<char>(bench::read_size);
};

}  // namespace

int main(int argc, char** argv) { return bench::run_system<Server, Client>(argc, argv); }

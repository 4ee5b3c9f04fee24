// One leak of each kind, and none: what the subjects of all frameworks leave behind.
#ifndef MOORLINE_TESTS_CPP_FRAMEWORKS_LEAKS_HPP
#define MOORLINE_TESTS_CPP_FRAMEWORKS_LEAKS_HPP

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <future>
#include <moorline/moorline.hpp>
#include <moorline/testkit.hpp>
#include <string>
#include <thread>

namespace leaks {

// What leaks is found by then in any case; what does not leak is gone long before.
constexpr std::chrono::milliseconds patience{50};

inline void fail(const std::string& what) {
    std::fprintf(stderr, "%s\n", what.c_str());
    std::abort();
}

inline void handle() {
    auto server = moorline::Server::create();
    if (!server || server->release() == nullptr) {
        fail("no server");
    }
}

inline void descriptor() {
    char directory[] = "/tmp/moorline-leaks-XXXXXX";
    if (mkdtemp(directory) == nullptr) {
        fail("no directory");
    }
    const std::string file = std::string(directory) + "/leaked-file";
    if (open(file.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600) < 0) {
        fail("no file");
    }
    // Nothing stays on the disk; the name in the report is the one that it had.
    unlink(file.c_str());
    rmdir(directory);
}

inline void thread() {
    std::promise<void> running;
    std::thread([&running] {
        pthread_setname_np(pthread_self(), "left-behind");
        running.set_value();
        for (;;) {
            pause();
        }
    }).detach();
    running.get_future().wait();
}

inline void socket_file() {
    static moorline::Server* kept = new moorline::Server();
    auto server = moorline::Server::create();
    if (!server || !server->listen_unique("leaked")) {
        fail("no server");
    }
    *kept = std::move(*server);
    // The process ends with the file still there, but for this.
    std::atexit([] { *kept = moorline::Server(); });
}

// All of these, but gone when it returns, or a moment later.
inline void nothing() {
    auto server = moorline::Server::create();
    auto service = moorline::Service::echo();
    if (!server || !server->listen_unique("kept") || !service || !service->start_unique("kept")) {
        fail("nothing listens");
    }
    auto client = moorline::Socket::connect(service->full_name().value(), std::chrono::seconds(60));
    std::thread([] {}).join();
    if (!client) {
        fail("no client");
    }
}

// A check on another thread.
template <class Verdicts>
void check(const Verdicts& verdicts, const std::string& heard) {
    std::thread([&] {
        pthread_setname_np(pthread_self(), "callback");
        MOORLINE_CHECK_EQ(verdicts, heard, "hello");
        verdicts.done();
    }).join();
}

}  // namespace leaks

#endif

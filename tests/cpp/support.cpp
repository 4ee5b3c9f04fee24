#include "support.hpp"

#include <dirent.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <ctime>
#include <fstream>

namespace {

std::size_t entries(const std::string& directory) {
    std::size_t count = 0;
    DIR* stream = opendir(directory.c_str());
    if (stream == nullptr) {
        throw std::runtime_error("cannot read " + directory);
    }
    while (const dirent* entry = readdir(stream)) {
        count += entry->d_name[0] != '.';
    }
    closedir(stream);
    return count;
}

}  // namespace

std::size_t open_descriptors() { return entries("/proc/self/fd"); }
std::size_t running_threads() { return entries("/proc/self/task"); }

std::chrono::nanoseconds processor_time() {
    timespec used = {};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

std::chrono::milliseconds processor_time_of_others() {
    timespec all = {};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &all);
    const std::chrono::nanoseconds used = std::chrono::seconds(all.tv_sec) + std::chrono::nanoseconds(all.tv_nsec);
    return std::chrono::duration_cast<std::chrono::milliseconds>(used - processor_time());
}

bool eventually(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > deadline) {
            return false;
        }
        std::this_thread::sleep_for(1ms);
    }
    return true;
}

Clean::Clean() = default;
Clean::~Clean() = default;

void Clean::SetUp() {
    // The default action ends the process: a hanging test cannot be ended otherwise.
    alarm(static_cast<unsigned>(std::chrono::seconds(4 * patience).count()));
    char pattern[] = "/tmp/moorline-cpp-test-XXXXXX";
    ASSERT_NE(mkdtemp(pattern), nullptr);
    directory_ = pattern;
    setenv("TMPDIR", pattern, 1);
    descriptors_ = open_descriptors();
    threads_ = running_threads();
}

void Clean::TearDown() {
    EXPECT_EQ(must(moorline::live_handles()), 0u) << must(moorline::live_handles_report());
    EXPECT_EQ(open_descriptors(), descriptors_);
    // A joined thread's entry may outlive the join by a moment.
    EXPECT_TRUE(eventually([this] { return running_threads() <= threads_; })) << running_threads() << " threads";
    EXPECT_EQ(rmdir(directory_.c_str()), 0) << "files are left in " << directory_;
    alarm(0);
}

std::string receive_exactly(moorline::Socket& socket, std::size_t size) {
    std::string bytes(size, '\0');
    std::size_t have = 0;
    while (have < size) {
        const auto received = socket.receive(&bytes[have], size - have, patience);
        if (!received) {
            break;
        }
        have += *received;
    }
    bytes.resize(have);
    return bytes;
}

BlockedCall::BlockedCall(std::function<Status()> call)
    : thread_([this, call = std::move(call)] {
          thread_id_ = static_cast<pid_t>(syscall(SYS_gettid));
          const Status status = call();
          returned_at_ = std::chrono::steady_clock::now();
          promise_.set_value(status);
      }) {}

bool BlockedCall::wait_until_blocked() {
    bool blocked = false;
    eventually([&] {
        if (future_.wait_for(0s) == std::future_status::ready) {
            return true;
        }
        if (thread_id_ == 0) {
            return false;
        }
        // The state is the first letter after the program's name, which ends with the last parenthesis.
        std::ifstream file("/proc/self/task/" + std::to_string(thread_id_) + "/stat");
        const std::string stat{std::istreambuf_iterator<char>(file), {}};
        const std::size_t name_end = stat.rfind(") ");
        blocked = name_end != std::string::npos && stat[name_end + 2] == 'S';
        return blocked;
    });
    return blocked;
}

Status BlockedCall::answer() {
    if (future_.wait_for(patience) != std::future_status::ready) {
        std::fputs("a call is still blocked that should have ended\n", stderr);
        abort();
    }
    return future_.get();
}

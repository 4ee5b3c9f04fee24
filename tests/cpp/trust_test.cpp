// Whose server a socket connects to: with a server of another user, so only root can run this.
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.hpp"

namespace {

using moorline::Socket;
using moorline::Trust;

using TrustTest = Clean;

// An echo service of another user, in a process of its own, for as long as this lives.
class OtherUsersEcho {
public:
    explicit OtherUsersEcho(const std::string& path) {
        int ready[2];
        if (pipe(ready) != 0 || pipe(end_) != 0) {
            throw std::runtime_error("no pipe");
        }
        child_ = fork();
        if (child_ == 0) {
            close(ready[0]);
            close(end_[1]);
            _exit(serve(path, ready[1]));
        }
        close(ready[1]);
        close(end_[0]);
        char byte = 0;
        const bool started = read(ready[0], &byte, 1) == 1;
        close(ready[0]);
        if (!started) {
            throw std::runtime_error("the other user's service does not start");
        }
    }

    ~OtherUsersEcho() {
        close(end_[1]);
        int status = 0;
        EXPECT_EQ(waitpid(child_, &status, 0), child_);
        EXPECT_EQ(status, 0);
    }

private:
    int serve(const std::string& path, int ready) {
        constexpr uid_t nobody = 65534;
        if (setgid(nobody) != 0 || setuid(nobody) != 0) {
            return 1;
        }
        moorline::ServiceOptions options;
        options.mode = 0666;
        auto service = moorline::Service::echo(options);
        if (!service || !service->start(path)) {
            return 2;
        }
        char byte = 'r';
        if (write(ready, &byte, 1) != 1) {
            return 3;
        }
        // Until the parent closes its end.
        while (read(end_[0], &byte, 1) > 0) {
        }
        return service->stop(patience) ? 0 : 4;
    }

    pid_t child_ = -1;
    int end_[2] = {-1, -1};
};

TEST_F(TrustTest, AnotherUsersServerIsRefusedUnlessAnyoneIsTrusted) {
    if (geteuid() != 0) {
        GTEST_SKIP() << "only root can start a server of another user";
    }
    ASSERT_EQ(chmod(directory().c_str(), 0777), 0);
    const OtherUsersEcho echo(path("other"));

    const auto refused = Socket::connect("other", patience);
    ASSERT_FAILS(refused, Status::permission_denied);
    EXPECT_NE(refused.error().message().find(path("other")), std::string::npos) << refused.error().message();
    moorline::ExchangeOptions exchange;
    EXPECT_FAILS(run_exchange("other", exchange, patience), Status::permission_denied);

    moorline::SocketOptions options;
    options.trust = Trust::anyone;
    EXPECT_EQ(must(must(Socket::connect("other", patience, options)).peer_credentials()).uid, 65534u);
    exchange.trust = Trust::anyone;
    EXPECT_OK(run_exchange("other", exchange, patience));
}

}  // namespace

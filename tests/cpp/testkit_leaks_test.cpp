// Each kind of leak, where it happens and where it does not. The programs in frameworks/ show it with guards and listeners.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <condition_variable>
#include <moorline/testkit.hpp>
#include <mutex>

#include "support.hpp"

namespace {

using moorline::testkit::Leak;
using moorline::testkit::LeakGuard;
using moorline::testkit::LeakKinds;

class LeaksTest : public Clean {
protected:
    void SetUp() override {
        Clean::SetUp();
        guard = must(LeakGuard::create());
    }
    void TearDown() override {
        guard = LeakGuard();
        Clean::TearDown();
    }

    // What there is now of these kinds.
    std::vector<Leak> look(LeakKinds kinds) {
        const auto [waited, count] = guard.wait(kinds, Timeout::none());
        const auto leaks = must(guard.leaks());
        EXPECT_EQ(leaks.size(), count);
        EXPECT_EQ(status_of(waited), leaks.empty() ? "OK" : "WOULD_BLOCK");
        return leaks;
    }

    LeakGuard guard;
};

TEST_F(LeaksTest, NothingNewIsNoLeak) {
    EXPECT_OK(guard.wait(LeakKinds::all, patience).result);
    EXPECT_EQ(must(guard.report()), "");
    EXPECT_EQ(must(guard.leaks()).size(), 0u);
}

TEST_F(LeaksTest, AHandleIsToldWithItsPlaceAndAge) {
    {
        const std::uint32_t line = __LINE__ + 1;
        const auto server = must(moorline::Server::create());
        const auto leaks = look(LeakKinds::handles);
        ASSERT_EQ(leaks.size(), 1u);
        EXPECT_EQ(leaks[0].kind, LeakKinds::handles);
        EXPECT_EQ(leaks[0].name.find("server "), 0u) << leaks[0].name;
        EXPECT_EQ(leaks[0].file, __FILE__);
        EXPECT_EQ(leaks[0].line, line);
        EXPECT_TRUE(leaks[0].age_is_exact);
        const std::string report = must(guard.report());
        EXPECT_EQ(report.find("handle server "), 0u) << report;
        EXPECT_NE(report.find(" s old, made at " + std::string(__FILE__) + ":" + std::to_string(line)), std::string::npos)
            << report;
    }
    EXPECT_EQ(look(LeakKinds::all).size(), 0u);
}

TEST_F(LeaksTest, ADescriptorIsToldWithItsFile) {
    const int descriptor = open(path("opened").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    const auto leaks = look(LeakKinds::all);
    ASSERT_EQ(leaks.size(), 1u);
    EXPECT_EQ(leaks[0].kind, LeakKinds::descriptors);
    EXPECT_NE(leaks[0].name.find(path("opened")), std::string::npos) << leaks[0].name;
    EXPECT_FALSE(leaks[0].age_is_exact);
    EXPECT_FALSE(leaks[0].file);
    EXPECT_EQ(look(LeakKinds::handles | LeakKinds::threads | LeakKinds::socket_files).size(), 0u);
    close(descriptor);
    unlink(path("opened").c_str());
    EXPECT_EQ(look(LeakKinds::all).size(), 0u);
}

TEST_F(LeaksTest, AThreadIsWaitedForAndToldIfItStays) {
    std::promise<void> running;
    std::promise<void> end;
    std::thread thread([&] {
        pthread_setname_np(pthread_self(), "forgotten");
        running.set_value();
        end.get_future().wait();
    });
    running.get_future().wait();
    const auto leaks = look(LeakKinds::threads);
    ASSERT_EQ(leaks.size(), 1u);
    EXPECT_NE(leaks[0].name.find("\"forgotten\""), std::string::npos) << leaks[0].name;
    std::thread ends([&] { end.set_value(); });
    ends.join();
    thread.join();
    EXPECT_OK(guard.wait(LeakKinds::threads, patience).result);
}

TEST_F(LeaksTest, ASocketFileIsToldWhoeverMadeIt) {
    {
        auto server = must(moorline::Server::create());
        must(server.listen("ours"));
        const auto leaks = look(LeakKinds::socket_files);
        ASSERT_EQ(leaks.size(), 1u);
        EXPECT_EQ(leaks[0].name, path("ours"));
        EXPECT_TRUE(leaks[0].age_is_exact);
        EXPECT_EQ(leaks[0].file, __FILE__);
    }
    const int foreign = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    path("theirs").copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(bind(foreign, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    const auto leaks = look(LeakKinds::socket_files);
    ASSERT_EQ(leaks.size(), 1u);
    EXPECT_EQ(leaks[0].name, path("theirs"));
    EXPECT_FALSE(leaks[0].age_is_exact);
    close(foreign);
    unlink(path("theirs").c_str());
    EXPECT_EQ(look(LeakKinds::all).size(), 0u);
}

TEST_F(LeaksTest, KindsCombine) {
    EXPECT_EQ(LeakKinds::all | LeakKinds::threads, LeakKinds::all);
    EXPECT_NE(LeakKinds::handles | LeakKinds::threads, LeakKinds::handles);
}

}  // namespace

// GoogleTest with the kit's glue. Disabled tests are those that must fail.
#include <moorline/testkit/gtest.hpp>

#include "leaks.hpp"

namespace {

using moorline::testkit::LeakKinds;
using moorline::testkit::gtest::LeakGuard;
using moorline::testkit::gtest::VerdictGuard;

// What a guard is to find the listener must not find first.
const bool looked_at = getenv("MOORLINE_WITHOUT_LISTENER") != nullptr ||
                       moorline::testkit::gtest::install_leak_listener(LeakKinds::all, leaks::patience);

struct Watched {
    LeakGuard guard{LeakKinds::all, leaks::patience};
};

TEST(DISABLED_Guarded, Handle) {
    const Watched watched;
    leaks::handle();
}
TEST(DISABLED_Guarded, Descriptor) {
    const Watched watched;
    leaks::descriptor();
}
TEST(DISABLED_Guarded, Thread) {
    const Watched watched;
    leaks::thread();
}
TEST(DISABLED_Guarded, SocketFile) {
    const Watched watched;
    leaks::socket_file();
}

TEST(DISABLED_Listened, Handle) { leaks::handle(); }
TEST(DISABLED_Listened, Descriptor) { leaks::descriptor(); }
TEST(DISABLED_Listened, Thread) { leaks::thread(); }
TEST(DISABLED_Listened, SocketFile) { leaks::socket_file(); }

TEST(DISABLED_Verdicts, Fail) {
    VerdictGuard verdicts;
    leaks::check(verdicts, "help");
}

TEST(Right, LeavesNothingBehind) {
    const LeakGuard guard;
    leaks::nothing();
}

TEST(Right, Verdicts) {
    VerdictGuard verdicts;
    leaks::check(verdicts, "hello");
    EXPECT_TRUE(verdicts.finish(std::chrono::seconds(60)));
}

}  // namespace

// Catch2 with the kit's glue. Hidden test cases are those that must fail.
#define CATCH_CONFIG_MAIN
#include <moorline/testkit/catch2_listener.hpp>

#include "leaks.hpp"

namespace {

using moorline::testkit::LeakKinds;
using moorline::testkit::catch2::LeakGuard;
using moorline::testkit::catch2::LeakListener;
using moorline::testkit::catch2::VerdictGuard;

// What a guard is to find the listener must not find first.
class Listener : public LeakListener {
public:
    // The type depends on the version of Catch2.
    template <class Config>
    explicit Listener(const Config& config) : LeakListener(config, LeakKinds::all, leaks::patience) {}

    void sectionStarting(const Catch::SectionInfo& section) override {
        if (looks_) {
            LeakListener::sectionStarting(section);
        }
    }
    void sectionEnded(const Catch::SectionStats& section) override {
        if (looks_) {
            LeakListener::sectionEnded(section);
        }
    }

private:
    const bool looks_ = getenv("MOORLINE_WITHOUT_LISTENER") == nullptr;
};

}  // namespace

CATCH_REGISTER_LISTENER(Listener)

namespace {

struct Watched {
    LeakGuard guard{LeakKinds::all, leaks::patience};
};

TEST_CASE("Guarded.Handle", "[.]") {
    const Watched watched;
    leaks::handle();
    SUCCEED();
}
TEST_CASE("Guarded.Descriptor", "[.]") {
    const Watched watched;
    leaks::descriptor();
    SUCCEED();
}
TEST_CASE("Guarded.Thread", "[.]") {
    const Watched watched;
    leaks::thread();
    SUCCEED();
}
TEST_CASE("Guarded.SocketFile", "[.]") {
    const Watched watched;
    leaks::socket_file();
    SUCCEED();
}

TEST_CASE("Listened.Handle", "[.]") {
    leaks::handle();
    SUCCEED();
}
TEST_CASE("Listened.Descriptor", "[.]") {
    leaks::descriptor();
    SUCCEED();
}
TEST_CASE("Listened.Thread", "[.]") {
    // In a section, of which each is a run of its own.
    SECTION("none") { SUCCEED(); }
    SECTION("one") {
        leaks::thread();
        SUCCEED();
    }
}
TEST_CASE("Listened.SocketFile", "[.]") {
    leaks::socket_file();
    SUCCEED();
}

TEST_CASE("Verdicts.Fail", "[.]") {
    VerdictGuard verdicts;
    leaks::check(verdicts, "help");
    REQUIRE(verdicts.count().value() == 1);
}

TEST_CASE("Right.LeavesNothingBehind") {
    const LeakGuard guard;
    leaks::nothing();
    SUCCEED();
}

TEST_CASE("Right.Verdicts") {
    VerdictGuard verdicts;
    leaks::check(verdicts, "hello");
    REQUIRE(verdicts.finish(std::chrono::seconds(60)));
}

}  // namespace

// A user's test without a framework: a client against a fixture, a check that fails and one that does not, and nothing left behind.
#include <moorline/testkit.hpp>

#include <chrono>
#include <cstdio>

int main() {
    using namespace std::chrono_literals;
    auto leaks = moorline::testkit::LeakGuard::create();
    std::size_t failures = 0;
    {
        auto verdicts = moorline::testkit::Verdicts::create();
        const auto fixture = moorline::testkit::Fixture::start("expect \"hello\"\nsend \"who?\"\nexpect-end");
        if (!verdicts || !fixture) return 1;
        auto client = moorline::Socket::connect(fixture->full_name().value_or(""), 30s);
        char buffer[4];
        MOORLINE_CHECK(*verdicts, client && client->send("hello", 30s) && client->receive(buffer, 30s));
        client = moorline::Socket();
        MOORLINE_CHECK(*verdicts, fixture->wait(1, 30s));
        if (verdicts->count().value_or(1u) != 0) return 1;
        MOORLINE_CHECK_EQ(*verdicts, 1, 2);
        const auto taken = verdicts->take();
        failures = taken ? taken->size() : 0;
    }
    const bool is_clean = leaks && leaks->wait(moorline::testkit::LeakKinds::all, 30s);
    if (failures == 1 && is_clean) return 0;
    std::fprintf(stderr, "consumer: %zu failures\n%s", failures, leaks ? leaks->report().value_or("").c_str() : "");
    return 1;
}

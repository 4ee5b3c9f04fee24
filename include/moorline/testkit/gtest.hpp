/// Glue for GoogleTest: verdicts and leaks that fail its tests.
///
///     moorline::testkit::gtest::VerdictGuard   the verdicts of a test, delivered at their end or by finish()
///     moorline::testkit::gtest::LeakGuard      fails the test if its scope leaves anything behind
///     moorline::testkit::gtest::LeakListener   fails each test that leaves anything behind; install_leak_listener()
#ifndef MOORLINE_TESTKIT_GTEST_HPP
#define MOORLINE_TESTKIT_GTEST_HPP

#include <gtest/gtest.h>

#include <moorline/testkit.hpp>
#include <moorline/testkit/guards.hpp>

namespace moorline {
inline namespace MOORLINE_CPP_VARIANT {
namespace testkit {
namespace gtest {

/// How guards speak to GoogleTest.
struct Framework {
    /// Fails the test at the place of each failure.
    static void fail(const std::vector<Failure>& failures) {
        for (const Failure& failure : failures) {
            ADD_FAILURE_AT(failure.file.c_str(), static_cast<int>(failure.line)) << failure.description();
        }
    }
    /// Waits, and nothing else.
    [[nodiscard]] static Result<void> wait(const Verdicts& verdicts, Timeout timeout) noexcept { return verdicts.wait(timeout); }
};

/// The verdicts of a test, which fail it at their end.
using VerdictGuard = BasicVerdictGuard<Framework>;
/// Fails the test if its scope leaves anything behind.
using LeakGuard = BasicLeakGuard<Framework>;

/// Fails each test that leaves anything behind. What the fixture's destructor takes away is not left: it looks after that.
class LeakListener : public ::testing::EmptyTestEventListener {
public:
    /// Looks for these kinds, and waits so long at most for them to go.
    explicit LeakListener(LeakKinds kinds = LeakKinds::all, std::chrono::milliseconds at_most = leak_patience) noexcept
        : check_(kinds, at_most) {}

    /// Begins to look.
    void OnTestStart(const ::testing::TestInfo& test) override {
        check_.begin(SourceLocation(test.file(), static_cast<std::uint32_t>(test.line())));
    }
    /// Tells what is left.
    void OnTestEnd(const ::testing::TestInfo&) override { check_.end(); }

private:
    BasicLeakCheck<Framework> check_;
};

/// Has every test of the program looked at. At any time before RUN_ALL_TESTS, also before main:
/// `static const bool looked_at = moorline::testkit::gtest::install_leak_listener();`
inline bool install_leak_listener(LeakKinds kinds = LeakKinds::all, std::chrono::milliseconds at_most = leak_patience) {
    // GoogleTest owns it.
    ::testing::UnitTest::GetInstance()->listeners().Append(new LeakListener(kinds, at_most));
    return true;
}

}  // namespace gtest
}  // namespace testkit
}  // namespace MOORLINE_CPP_VARIANT
}  // namespace moorline

#endif

/// Glue for Catch2, versions 2 and 3: verdicts and leaks that fail its test cases.
///
///     moorline::testkit::catch2::VerdictGuard   the verdicts of a test case, delivered at their end or by finish()
///     moorline::testkit::catch2::LeakGuard      fails the test case if its scope leaves anything behind
///     moorline::testkit::catch2::LeakListener   in catch2_listener.hpp: fails each test case that leaves anything behind
#ifndef MOORLINE_TESTKIT_CATCH2_HPP
#define MOORLINE_TESTKIT_CATCH2_HPP

#if __has_include(<catch2/catch_test_macros.hpp>)
#include <catch2/catch_test_macros.hpp>
#else
#include <catch2/catch.hpp>
#endif

#include <set>

#include <moorline/testkit.hpp>
#include <moorline/testkit/guards.hpp>

namespace moorline {
inline namespace MOORLINE_CPP_VARIANT {
namespace testkit {
namespace catch2 {

/// How guards speak to Catch2.
struct Framework {
    /// Fails the test at the place of each failure.
    static void fail(const std::vector<Failure>& failures) {
        // Catch2 keeps the place of the last assertion by its pointer, as it comes from __FILE__.
        static std::set<std::string> files;
        for (const Failure& failure : failures) {
            const char* file = files.insert(failure.file).first->c_str();
            // What FAIL_CHECK does, at the place of the failure.
            Catch::AssertionHandler handler(Catch::StringRef("moorline"), Catch::SourceLineInfo(file, failure.line),
                                            Catch::StringRef(), Catch::ResultDisposition::ContinueOnFailure);
            handler.handleMessage(Catch::ResultWas::ExplicitFailure, failure.description());
            handler.complete();
        }
    }
    /// Waits, and nothing else.
    [[nodiscard]] static Result<void> wait(const Verdicts& verdicts, Timeout timeout) noexcept { return verdicts.wait(timeout); }
};

/// The verdicts of a test, which fail it at their end.
using VerdictGuard = BasicVerdictGuard<Framework>;
/// Fails the test if its scope leaves anything behind.
using LeakGuard = BasicLeakGuard<Framework>;

}  // namespace catch2
}  // namespace testkit
}  // namespace MOORLINE_CPP_VARIANT
}  // namespace moorline

#endif

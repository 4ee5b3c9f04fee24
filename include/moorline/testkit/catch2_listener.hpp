/// A listener that fails each test case of Catch2 that leaves anything behind, in one file of the program:
///
///     using moorline::testkit::catch2::LeakListener;
///     CATCH_REGISTER_LISTENER(LeakListener)
///
/// With Catch2 version 2 that is the file that has its main, or one that defines CATCH_CONFIG_EXTERNAL_INTERFACES.
#ifndef MOORLINE_TESTKIT_CATCH2_LISTENER_HPP
#define MOORLINE_TESTKIT_CATCH2_LISTENER_HPP

#include <moorline/testkit/catch2.hpp>

#if __has_include(<catch2/catch_test_macros.hpp>)
#include <catch2/reporters/catch_reporter_event_listener.hpp>
#include <catch2/reporters/catch_reporter_registrars.hpp>
#elif !defined(CATCH_CONFIG_EXTERNAL_INTERFACES)
#error "define CATCH_CONFIG_EXTERNAL_INTERFACES before the first header of Catch2, or include this in the file that has its main"
#endif

namespace moorline {
inline namespace MOORLINE_CPP_VARIANT {
namespace testkit {
namespace catch2 {

#if __has_include(<catch2/catch_test_macros.hpp>)
/// What listeners of this version of Catch2 derive from.
using ListenerBase = Catch::EventListenerBase;
#else
/// What listeners of this version of Catch2 derive from.
using ListenerBase = Catch::TestEventListenerBase;
#endif

/// Fails each test case that leaves anything behind.
class LeakListener : public ListenerBase {
public:
    /// Catch2 gives the configuration, whose type depends on its version. A class of one's own that derives from this and hands
    /// others on looks at other kinds, or is more patient.
    template <class Config>
    explicit LeakListener(const Config& config, LeakKinds kinds = LeakKinds::all,
                          std::chrono::milliseconds at_most = leak_patience)
        : ListenerBase(config), check_(kinds, at_most) {}

    // A test case is a section too, the outermost, and begins anew for each path through its sections. While it ends, what fails
    // still counts for the test case; later it would not.

    /// Of the outermost, begins to look.
    void sectionStarting(const Catch::SectionInfo& section) override {
        ListenerBase::sectionStarting(section);
        if (depth_++ == 0) {
            check_.begin(SourceLocation(section.lineInfo.file, static_cast<std::uint32_t>(section.lineInfo.line)));
        }
    }
    /// Of the outermost, tells what is left.
    void sectionEnded(const Catch::SectionStats& section) override {
        if (--depth_ == 0) {
            check_.end();
        }
        ListenerBase::sectionEnded(section);
    }

private:
    BasicLeakCheck<Framework> check_;
    int depth_ = 0;
};

}  // namespace catch2
}  // namespace testkit
}  // namespace MOORLINE_CPP_VARIANT
}  // namespace moorline

#endif

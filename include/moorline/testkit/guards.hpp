/// What hands verdicts and leaks to a test framework. The glue for a framework says how, by a type with two static functions, both called
/// on the test's thread:
///
///     void fail(const std::vector<Failure>& failures)                  the test has failed, with these
///     Result<void> wait(const Verdicts& verdicts, Timeout timeout)     as Verdicts::wait(), and whatever must go on meanwhile goes on
#ifndef MOORLINE_TESTKIT_GUARDS_HPP
#define MOORLINE_TESTKIT_GUARDS_HPP

#include <moorline/cpp/callback.hpp>
#include <moorline/testkit/checks.hpp>
#include <moorline/testkit/leaks.hpp>

namespace moorline {
inline namespace MOORLINE_CPP_VARIANT {
namespace testkit {

/// How long what is left behind may take to go, unless a guard is told otherwise: a joined thread or a closing peer on a busy machine.
/// Only a test that leaks takes so long.
inline constexpr std::chrono::milliseconds leak_patience{5000};

namespace detail {

/// Hands failures to a framework: `Framework::fail(failures)` on the test's thread. What a framework throws to end a test must not
/// unwind from the end of a guard; it has counted the failure by then.
template <class Framework>
void deliver(const std::vector<Failure>& failures) noexcept {
    if (!failures.empty()) {
        guarded([&] { Framework::fail(failures); }, [](const std::exception_ptr&) {});
    }
}

template <class Framework>
void deliver(const std::string& text, SourceLocation where) noexcept {
    Failure failure;
    failure.file = where.file();
    failure.line = where.line();
    failure.text = text;
    deliver<Framework>({failure});
}

}  // namespace detail

/// The verdicts of a test, which fail it at their end. Made and ended on the test's thread; otherwise as Verdicts.
template <class Framework>
class BasicVerdictGuard : public Verdicts {
public:
    /// Fails the test if there can be no verdicts.
    explicit BasicVerdictGuard(SourceLocation where = SourceLocation::current()) noexcept {
        Result<Verdicts> verdicts = Verdicts::create(where);
        if (verdicts) {
            Verdicts::operator=(std::move(*verdicts));
        } else {
            detail::deliver<Framework>("no verdicts: " + verdicts.error().message(), where);
        }
    }
    BasicVerdictGuard(const BasicVerdictGuard&) = delete;
    BasicVerdictGuard& operator=(const BasicVerdictGuard&) = delete;
    ~BasicVerdictGuard() { hand_over(); }

    /// Waits until everything has been done or something has failed, and hands what has failed to the framework, a timeout too.
    /// Returns whether all is well. Blocks until the timeout; the framework's glue says whether events are processed meanwhile.
    [[nodiscard]] bool finish(Timeout timeout, SourceLocation where = SourceLocation::current()) noexcept {
        const Result<void> waited = Framework::wait(*this, timeout);
        const bool is_right = hand_over();
        if (!waited && waited.error().status() != Status::mismatch) {
            detail::deliver<Framework>("the test does not finish: " + waited.error().message(), where);
        }
        return waited.has_value() && is_right;
    }

    /// Hands over what has failed so far. Returns whether there was nothing. Never blocks.
    bool hand_over() noexcept {
        const auto failures = take();
        if (failures) {
            detail::deliver<Framework>(*failures);
        }
        return failures && failures->empty();
    }
};

/// Looks for leaks between begin() and end(), which fails the test if there are any: for what a framework calls before and after each
/// test. On the test's thread.
template <class Framework>
class BasicLeakCheck {
public:
    /// Looks for these kinds, once begun, and waits so long at most for them to go.
    explicit BasicLeakCheck(LeakKinds kinds = LeakKinds::all, std::chrono::milliseconds at_most = leak_patience) noexcept
        : kinds_(kinds), patience_(at_most) {}

    /// What is made from here on is new. Fails the test if there can be no guard. Never blocks.
    void begin(SourceLocation where = SourceLocation::current()) noexcept {
        Result<LeakGuard> guard = LeakGuard::create(where);
        if (guard) {
            guard_ = std::move(*guard);
        } else {
            detail::deliver<Framework>("no leak guard: " + guard.error().message(), where);
        }
        begun_ = where;
    }

    /// Waits until nothing is left, or the patience is over, and then fails the test with the report, at the place of begin(). Does
    /// nothing if it has not begun. Blocks until the patience is over.
    void end() noexcept {
        if (guard_) {
            const auto [waited, count] = guard_.wait(kinds_, patience_);
            if (!waited) {
                const Result<std::string> report = guard_.report();
                detail::deliver<Framework>(count > 0 && report ? "the test leaves behind:\n" + *report : waited.error().message(),
                                           begun_);
            }
            guard_ = LeakGuard();
        }
    }

private:
    LeakKinds kinds_;
    std::chrono::milliseconds patience_;
    LeakGuard guard_;
    SourceLocation begun_ = SourceLocation::current();
};

/// Looks for leaks of a scope, whose end fails the test if there are any. Made before everything that must be gone by then.
template <class Framework>
class BasicLeakGuard {
public:
    /// Begins to look.
    explicit BasicLeakGuard(LeakKinds kinds = LeakKinds::all, std::chrono::milliseconds at_most = leak_patience,
                            SourceLocation where = SourceLocation::current()) noexcept
        : check_(kinds, at_most) {
        check_.begin(where);
    }
    BasicLeakGuard(const BasicLeakGuard&) = delete;
    BasicLeakGuard& operator=(const BasicLeakGuard&) = delete;
    ~BasicLeakGuard() { check_.end(); }

private:
    BasicLeakCheck<Framework> check_;
};

}  // namespace testkit
}  // namespace MOORLINE_CPP_VARIANT
}  // namespace moorline

#endif

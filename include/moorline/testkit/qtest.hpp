/// Glue for QtTest: verdicts and leaks that fail its test functions, and its checks for lambdas on other threads.
///
///     moorline::testkit::qtest::VerdictGuard   the verdicts of a test function, delivered at their end or by finish()
///     MOORLINE_COMPARE, MOORLINE_VERIFY(2)     as QCOMPARE and QVERIFY(2), in callbacks and on any thread
///     moorline::testkit::qtest::LeakGuard      fails the test function if its scope leaves anything behind
///     moorline::testkit::qtest::LeakCheck      the same for init(), which calls begin(), and cleanup(), which calls end()
///
/// finish() processes events while it waits, so objects of the test's thread go on; Verdicts::wait() does not.
#ifndef MOORLINE_TESTKIT_QTEST_HPP
#define MOORLINE_TESTKIT_QTEST_HPP

#include <QtCore/QCoreApplication>
#include <QtCore/QDeadlineTimer>
#include <QtCore/QEventLoop>
#include <QtCore/QTimer>
#include <QtCore/QtNumeric>
#include <QtTest/QTest>
#include <memory>

#include <moorline/testkit.hpp>
#include <moorline/testkit/guards.hpp>

/// MOORLINE_COMPARE(verdicts, actual, expected): as MOORLINE_CHECK_EQ, but floating-point numbers are equal as QCOMPARE has it, and
/// values are shown as QTest::toString does. MOORLINE_VERIFY(verdicts, condition), MOORLINE_VERIFY2(verdicts, condition, text): the
/// condition holds; otherwise the text is shown. Each says whether it passed.
#define MOORLINE_COMPARE(verdicts, actual, expected)                                                             \
    (::moorline::testkit::detail::compare<::moorline::testkit::qtest::Equal, ::moorline::testkit::qtest::Print>( \
        (verdicts), (actual), (expected), "MOORLINE_COMPARE(" #actual ", " #expected ")"))
#define MOORLINE_VERIFY(verdicts, ...)                                                                   \
    (::moorline::testkit::detail::check((verdicts), (__VA_ARGS__), "MOORLINE_VERIFY(" #__VA_ARGS__ ")"))
#define MOORLINE_VERIFY2(verdicts, condition, text)                                                           \
    (::moorline::testkit::qtest::verify((verdicts), (condition), "MOORLINE_VERIFY2(" #condition ")", (text)))

namespace moorline {
inline namespace MOORLINE_CPP_VARIANT {
namespace testkit {
namespace qtest {

/// How guards speak to QtTest.
struct Framework {
    /// One failure of the test function, at the place of the first, with the text of all.
    static void fail(const std::vector<Failure>& failures) {
        std::string text;
        for (const Failure& failure : failures) {
            if (!text.empty()) {
                text += '\n' + failure.file + ':' + std::to_string(failure.line) + ": ";
            }
            text += failure.description();
        }
        QTest::qFail(text.c_str(), failures.front().file.c_str(), static_cast<int>(failures.front().line));
    }

    /// Waits, and processes the events of this thread meanwhile, if there is an application.
    [[nodiscard]] static Result<void> wait(const Verdicts& verdicts, Timeout timeout) noexcept {
        if (QCoreApplication::instance() == nullptr) {
            return verdicts.wait(timeout);
        }
        Result<void> waited = verdicts.wait(Timeout::none());
        const auto is_over = [&] { return waited || waited.error().status() != Status::would_block; };
        // The library cannot wake an event loop, so the loop looks.
        const QDeadlineTimer deadline(timeout.milliseconds() < 0 ? QDeadlineTimer(QDeadlineTimer::Forever)
                                                                 : QDeadlineTimer(timeout.milliseconds()));
        QEventLoop loop;
        QTimer timer;
        timer.setTimerType(Qt::PreciseTimer);
        QObject::connect(&timer, &QTimer::timeout, &loop, [&] {
            waited = verdicts.wait(Timeout::none());
            if (is_over() || deadline.hasExpired()) {
                loop.quit();
            }
        });
        if (!is_over()) {
            timer.start(2);
            loop.exec();
        }
        // Who has ended the application's event loops has ended this one, too, and any other at its beginning.
        while (!is_over() && !deadline.hasExpired()) {
            loop.processEvents(QEventLoop::WaitForMoreEvents);
            QCoreApplication::sendPostedEvents(nullptr, QEvent::DeferredDelete);
        }
        // The last look says that time is over, unless there was none.
        return is_over() || timeout.milliseconds() == 0 ? waited : verdicts.wait(std::chrono::milliseconds(1));
    }
};

/// The verdicts of a test, which fail it at their end.
using VerdictGuard = BasicVerdictGuard<Framework>;
/// Fails the test if its scope leaves anything behind.
using LeakGuard = BasicLeakGuard<Framework>;
/// Fails the test function if anything is left behind between begin() and end().
using LeakCheck = BasicLeakCheck<Framework>;

/// Values as QTest::toString writes them; what that does not know as other checks of the kit do.
struct Print {
    /// The text of a value.
    template <class T>
    [[nodiscard]] static std::string text(const T& value) {
        std::unique_ptr<char[]> text;
        if constexpr (std::is_same_v<T, Status>) {
            // Its name: QtTest shows the numbers of enumerations that it knows nothing of.
        } else if constexpr (detail::is_char_array<T>) {
            // Its end is the text's, if there is no NUL before.
            text.reset(QTest::toString(std::string(*detail::bytes_of(value)).c_str()));
        } else if constexpr (std::is_array_v<T> || std::is_pointer_v<T>) {
            text.reset(QTest::toString(static_cast<std::decay_t<const T&>>(value)));
        } else {
            text.reset(QTest::toString(value));
        }
        return text ? std::string(text.get()) : detail::Print::text(value);
    }
};

/// Equality as QCOMPARE has it.
struct Equal {
    /// Whether they are equal.
    template <class A, class B>
    [[nodiscard]] bool operator()(const A& a, const B& b) const {
        if constexpr (std::is_floating_point_v<A> && std::is_same_v<A, B>) {
            if (qIsNaN(b) || qIsInf(b)) {
                return qIsNaN(b) ? qIsNaN(a) : qIsInf(a) && (a < 0) == (b < 0);
            }
            return qFuzzyIsNull(b) ? qFuzzyIsNull(a) : qFuzzyCompare(a, b);
        } else {
            return static_cast<bool>(a == b);
        }
    }
};

/// As MOORLINE_VERIFY2 says. The text is a C string or a QString.
template <class Condition, class Text>
bool verify(Borrowed<moorline_verdicts> verdicts, const Condition& condition, const char* check, const Text& text,
            SourceLocation where = SourceLocation::current()) noexcept {
    return detail::judged(
        verdicts, check, where, [&] { return static_cast<bool>(condition); },
        [&] {
            if constexpr (std::is_convertible_v<const Text&, const char*>) {
                return std::string("\n  ") + static_cast<const char*>(text);
            } else {
                return "\n  " + QString(text).toStdString();
            }
        });
}

}  // namespace qtest
}  // namespace testkit
}  // namespace MOORLINE_CPP_VARIANT
}  // namespace moorline

#endif

// Checks record on any thread and never unwind; a guard hands what they found to the framework on the test's own thread.
#include <gtest/gtest-spi.h>
#include <pthread.h>

#include <array>
#include <cstring>
#include <limits>
#include <map>
#include <moorline/testkit/gtest.hpp>

#include "support.hpp"

namespace {

using moorline::BytesView;
using moorline::testkit::Failure;
using moorline::testkit::Verdicts;
using moorline::testkit::gtest::VerdictGuard;

class VerdictsTest : public Clean {
protected:
    Verdicts verdicts = must(Verdicts::create());

    void TearDown() override {
        verdicts = Verdicts();
        Clean::TearDown();
    }

    // The only failure, which is taken.
    Failure only() {
        std::vector<Failure> failures = must(verdicts.take());
        if (failures.size() != 1) {
            throw std::runtime_error(std::to_string(failures.size()) + " failures");
        }
        return failures[0];
    }
};

// On a thread of that name.
void on_thread(const char* name, const std::function<void()>& call) {
    std::thread thread([&] {
        pthread_setname_np(pthread_self(), name);
        call();
    });
    thread.join();
}

// What the guard of a test gives to GoogleTest on this thread.
std::vector<testing::TestPartResult> delivered(const std::function<void(VerdictGuard&)>& test) {
    testing::TestPartResultArray array;
    {
        testing::ScopedFakeTestPartResultReporter reporter(
            testing::ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD, &array);
        VerdictGuard verdicts;
        test(verdicts);
    }
    std::vector<testing::TestPartResult> results;
    for (int i = 0; i < array.size(); ++i) {
        results.push_back(array.GetTestPartResult(i));
    }
    return results;
}

struct Case {
    std::function<bool(VerdictGuard&)> check;
    std::vector<std::string> parts;
};

TEST_F(VerdictsTest, EachCheckThatFailsOnAnotherThreadIsDeliveredOnThisOne) {
    // A line for each.
    // clang-format off
    const std::uint32_t line = __LINE__ + 2;
    const std::vector<Case> cases = {
        {[](VerdictGuard& v) { return MOORLINE_CHECK(v, 1 + 1 == 3); }, {"MOORLINE_CHECK(1 + 1 == 3) is false"}},
        {[](VerdictGuard& v) { return MOORLINE_CHECK_EQ(v, 1 + 1, 3); }, {"MOORLINE_CHECK_EQ(1 + 1, 3)", "left:  2", "right: 3"}},
        {[](VerdictGuard& v) { return MOORLINE_CHECK_NE(v, 2, 2); }, {"MOORLINE_CHECK_NE(2, 2)", "left:  2", "right: 2"}},
        {[](VerdictGuard& v) { return MOORLINE_CHECK_LT(v, 2, 2); }, {"MOORLINE_CHECK_LT(2, 2)", "left:  2"}},
        {[](VerdictGuard& v) { return MOORLINE_CHECK_LE(v, 3, 2); }, {"MOORLINE_CHECK_LE(3, 2)", "right: 2"}},
        {[](VerdictGuard& v) { return MOORLINE_CHECK_GT(v, 2, 2); }, {"MOORLINE_CHECK_GT(2, 2)", "left:  2"}},
        {[](VerdictGuard& v) { return MOORLINE_CHECK_GE(v, 2, 3); }, {"MOORLINE_CHECK_GE(2, 3)", "right: 3"}},
        {[](VerdictGuard& v) { MOORLINE_FAIL(v, "so it is"); return false; }, {"so it is"}},
    };
    // clang-format on
    for (std::size_t i = 0; i < cases.size(); ++i) {
        bool passed = true;
        const auto results = delivered([&](VerdictGuard& guard) {
            on_thread("callback", [&] { passed = cases[i].check(guard); });
            EXPECT_FAILS(guard.wait(Timeout::unlimited()), Status::mismatch);
        });
        EXPECT_FALSE(passed);
        ASSERT_EQ(results.size(), 1u);
        EXPECT_TRUE(results[0].nonfatally_failed());
        EXPECT_STREQ(results[0].file_name(), __FILE__);
        EXPECT_EQ(results[0].line_number(), static_cast<int>(line + i));
        for (const std::string& part : cases[i].parts) {
            EXPECT_NE(std::string(results[0].message()).find(part), std::string::npos) << results[0].message();
        }
        EXPECT_NE(std::string(results[0].message()).find("on thread \"callback\" ("), std::string::npos) << results[0].message();
    }
}

TEST_F(VerdictsTest, ChecksThatAreRightPassAndDeliverNothing) {
    const auto results = delivered([](VerdictGuard& guard) {
        on_thread("callback", [&] {
            EXPECT_TRUE(MOORLINE_CHECK(guard, true));
            EXPECT_TRUE(MOORLINE_CHECK(guard, (std::map<int, int>{{1, 2}}.size() == 1)));
            EXPECT_TRUE(MOORLINE_CHECK_EQ(guard, 2, 2));
            EXPECT_TRUE(MOORLINE_CHECK_NE(guard, 2, 3));
            EXPECT_TRUE(MOORLINE_CHECK_LT(guard, 2, 3));
            EXPECT_TRUE(MOORLINE_CHECK_LE(guard, 2, 2));
            EXPECT_TRUE(MOORLINE_CHECK_GT(guard, 3, 2));
            EXPECT_TRUE(MOORLINE_CHECK_GE(guard, 3, 3));
            guard.done();
        });
        EXPECT_OK(guard.wait(patience));
        EXPECT_TRUE(guard.finish(Timeout::none()));
    });
    EXPECT_EQ(results.size(), 0u);
}

TEST_F(VerdictsTest, BytesAreComparedAsBytesAndIntegersByTheirValues) {
    const std::vector<std::uint8_t> vector{'a', 'b'};
    const std::array<std::byte, 2> array{std::byte{'a'}, std::byte{'b'}};
    const char padded[8] = "ab";
    const char* const text = "ab";
    const char* const null = nullptr;
    EXPECT_TRUE(MOORLINE_CHECK_EQ(verdicts, vector, "ab"));
    EXPECT_TRUE(MOORLINE_CHECK_EQ(verdicts, array, vector));
    EXPECT_TRUE(MOORLINE_CHECK_EQ(verdicts, padded, text));
    EXPECT_TRUE(MOORLINE_CHECK_EQ(verdicts, std::string("ab").c_str(), text));
    EXPECT_TRUE(MOORLINE_CHECK_EQ(verdicts, BytesView(), ""));
    EXPECT_TRUE(MOORLINE_CHECK_EQ(verdicts, null, null));
    EXPECT_TRUE(MOORLINE_CHECK_LT(verdicts, "ab", BytesView("b")));
    EXPECT_TRUE(MOORLINE_CHECK_EQ(verdicts, vector.size(), 2));
    EXPECT_TRUE(MOORLINE_CHECK_LT(verdicts, -1, vector.size()));
    EXPECT_TRUE(MOORLINE_CHECK_GT(verdicts, std::uint64_t{1} << 63U, std::int64_t{-1}));
    EXPECT_EQ(must(verdicts.count()), 0u);
    EXPECT_FALSE(MOORLINE_CHECK_EQ(verdicts, null, ""));
    EXPECT_FALSE(MOORLINE_CHECK_EQ(verdicts, -1, std::size_t{} - 1));
    EXPECT_EQ(must(verdicts.count()), 2u);
}

TEST_F(VerdictsTest, ArraysOfBytesAreComparedWhole) {
    const std::uint8_t numbers[4] = {1, 2, 0, 4};
    const std::uint8_t same[4] = {1, 2, 0, 4};
    const std::byte bytes[2] = {std::byte{1}, std::byte{2}};
    const std::uint8_t length[4] = {0, 0, 0, 5};
    const std::uint8_t other[4] = {0, 0, 0, 7};
    EXPECT_TRUE(MOORLINE_CHECK_EQ(verdicts, numbers, same));
    EXPECT_TRUE(MOORLINE_CHECK_EQ(verdicts, numbers, std::string("\x01\x02\0\x04", 4)));
    EXPECT_TRUE(MOORLINE_CHECK_EQ(verdicts, bytes, "\x01\x02"));
    EXPECT_EQ(must(verdicts.count()), 0u);
    EXPECT_FALSE(MOORLINE_CHECK_EQ(verdicts, length, other));
    const std::string text = only().text;
    EXPECT_NE(text.find(R"(left:  "\x00\x00\x00\x05")"), std::string::npos) << text;
    EXPECT_NE(text.find(R"(right: "\x00\x00\x00\x07")"), std::string::npos) << text;
    // No memory without an end is read.
    const std::uint8_t* const begin = numbers;
    EXPECT_EQ(moorline::testkit::detail::Print::text(begin).find('"'), std::string::npos);
    volatile std::uint8_t changing = 1;
    volatile std::uint8_t* const place = &changing;
    EXPECT_TRUE(MOORLINE_CHECK_EQ(verdicts, place, place));
    EXPECT_FALSE(MOORLINE_CHECK_NE(verdicts, place, place));
    EXPECT_NE(only().text.find("left:  0x"), std::string::npos);
}

TEST_F(VerdictsTest, ArraysOfCharAreTextWhateverIsBehindItsEnd) {
    const char text[8] = {'h', 'e', 'l', 'l', 'o', '\0', 'x', 'y'};
    const char same[8] = {'h', 'e', 'l', 'l', 'o', '\0', 'z', '\0'};
    const char shorter[6] = "hello";
    // Memory checkers tell of what is read here and was never written.
    char unwritten[8];
    std::memcpy(static_cast<char*>(unwritten), "hello", 6);
    EXPECT_TRUE(MOORLINE_CHECK_EQ(verdicts, text, same));
    EXPECT_TRUE(MOORLINE_CHECK_EQ(verdicts, text, shorter));
    EXPECT_TRUE(MOORLINE_CHECK_EQ(verdicts, text, unwritten));
    EXPECT_TRUE(MOORLINE_CHECK_EQ(verdicts, text, "hello"));
    EXPECT_EQ(must(verdicts.count()), 0u);
    EXPECT_FALSE(MOORLINE_CHECK_NE(verdicts, text, same));
    EXPECT_NE(only().text.find("left:  \"hello\"\n  right: \"hello\""), std::string::npos);
    // Without a NUL it ends with the array.
    const struct {
        char full[5];
        char behind[4];
    } both = {{'h', 'e', 'l', 'l', 'o'}, "..."};
    EXPECT_TRUE(MOORLINE_CHECK_EQ(verdicts, both.full, text));
    EXPECT_FALSE(MOORLINE_CHECK_NE(verdicts, both.full, shorter));
    EXPECT_NE(only().text.find("left:  \"hello\"\n"), std::string::npos);
}

struct Unprintable {
    bool operator==(const Unprintable&) const { return false; }
};
struct Printable {
    bool operator==(const Printable&) const { return false; }
};
std::ostream& operator<<(std::ostream& stream, const Printable&) { return stream << "a printable one"; }

TEST_F(VerdictsTest, ValuesAreShownAsTheirReadersKnowThem) {
    using moorline::testkit::detail::Print;
    EXPECT_EQ(Print::text(std::string("say \"hi\"\n\0\xff", 11)), R"("say \"hi\"\n\x00\xff")");
    EXPECT_EQ(Print::text(std::vector<char>{'x'}), "\"x\"");
    EXPECT_EQ(Print::text(static_cast<const char*>(nullptr)), "null");
    EXPECT_EQ(Print::text(std::string(1000, 'x')).substr(395), "xxxxxx\"... (1000 bytes)");
    EXPECT_EQ(Print::text(true), "true");
    EXPECT_EQ(Print::text('x'), "\"x\"");
    EXPECT_EQ(Print::text(std::uint8_t{200}), "200");
    EXPECT_EQ(Print::text(std::byte{7}), "7");
    EXPECT_EQ(Print::text(2.5), "2.5");
    EXPECT_EQ(Print::text(Status::not_found), "NOT_FOUND");
    EXPECT_EQ(Print::text(moorline::Scope::abstract), "2");
    EXPECT_EQ(Print::text(moorline::Result<void>()), "OK");
    EXPECT_EQ(Print::text(Printable()), "a printable one");
    EXPECT_EQ(Print::text(Unprintable()), "a value of 1 bytes that has no operator<<");
    MOORLINE_CHECK_EQ(verdicts, Unprintable(), Unprintable());
    EXPECT_NE(only().text.find("no operator<<"), std::string::npos);
}

TEST_F(VerdictsTest, NumbersThatDifferAreShownDifferently) {
    EXPECT_FALSE(MOORLINE_CHECK_EQ(verdicts, 0.1 + 0.2, 0.3));
    EXPECT_EQ(only().text, "MOORLINE_CHECK_EQ(0.1 + 0.2, 0.3)\n  left:  0.30000000000000004\n  right: 0.3");
    EXPECT_FALSE(MOORLINE_CHECK_EQ(verdicts, 16777216.0F, 16777215.0F));
    EXPECT_EQ(only().text, "MOORLINE_CHECK_EQ(16777216.0F, 16777215.0F)\n  left:  16777216\n  right: 16777215");
    EXPECT_FALSE(MOORLINE_CHECK_EQ(verdicts, std::numeric_limits<double>::quiet_NaN(), 1.0L));
    EXPECT_NE(only().text.find("left:  nan\n  right: 1"), std::string::npos);
    // Each is the nearest to 0.1 of its type.
    EXPECT_FALSE(MOORLINE_CHECK_EQ(verdicts, 0.1F, 0.1));
    EXPECT_EQ(only().text, "MOORLINE_CHECK_EQ(0.1F, 0.1)\n  left:  0.10000000149011612\n  right: 0.1");
}

TEST_F(VerdictsTest, BytesThatDifferWhereTheyAreNotShownAnyMoreAreShownThere) {
    const std::string left(5000, 'a');
    std::string right = left;
    right[1000] = 'b';
    EXPECT_FALSE(MOORLINE_CHECK_EQ(verdicts, left, right));
    const std::string rest(39, 'a');
    EXPECT_NE(only().text.find("\n  from byte 1000 on: \"a" + rest + "\" and \"b" + rest + "\""), std::string::npos);
    EXPECT_FALSE(MOORLINE_CHECK_EQ(verdicts, left, left + "b"));
    EXPECT_NE(only().text.find("\n  from byte 5000 on: \"\" and \"b\""), std::string::npos);
    // Of these it is seen, or there is none.
    EXPECT_FALSE(MOORLINE_CHECK_EQ(verdicts, left, "b"));
    EXPECT_EQ(only().text.find("from byte"), std::string::npos);
    EXPECT_FALSE(MOORLINE_CHECK_NE(verdicts, left, left));
    EXPECT_EQ(only().text.find("from byte"), std::string::npos);
}

TEST_F(VerdictsTest, AResultIsACondition) {
    EXPECT_TRUE(MOORLINE_CHECK(verdicts, moorline::live_handles()));
    EXPECT_FALSE(MOORLINE_CHECK(verdicts, moorline::Socket::connect("nobody", Timeout::none())));
    EXPECT_NE(only().text.find(path("nobody")), std::string::npos);
}

struct Throws {
    bool operator==(const Throws&) const { throw std::runtime_error("no"); }
};

TEST_F(VerdictsTest, AnOperatorThatThrowsFailsTheCheckAndNothingUnwinds) {
    EXPECT_NO_THROW(MOORLINE_CHECK_EQ(verdicts, Throws(), Throws()));
    EXPECT_NE(only().text.find("an exception came out"), std::string::npos);
}

TEST_F(VerdictsTest, ArgumentsAreEvaluatedOnce) {
    int count = 0;
    MOORLINE_CHECK_EQ(verdicts, ++count, 7);
    MOORLINE_CHECK(verdicts, ++count == 7);
    EXPECT_EQ(count, 2);
    EXPECT_EQ(must(verdicts.take()).size(), 2u);
}

TEST_F(VerdictsTest, AFailureHasItsPlaceItsThreadAndItsTime) {
    const auto begin = std::chrono::steady_clock::now();
    std::uint32_t line = 0;
    on_thread("reader", [&] {
        line = __LINE__ + 1;
        verdicts.fail("wrong");
    });
    const Failure failure = only();
    EXPECT_EQ(failure.file, __FILE__);
    EXPECT_EQ(failure.line, line);
    EXPECT_EQ(failure.text, "wrong");
    EXPECT_EQ(failure.thread.find("thread \"reader\" ("), 0u) << failure.thread;
    EXPECT_LE(failure.after, std::chrono::steady_clock::now() - begin + 60s);
    EXPECT_EQ(must(verdicts.count()), 1u);
    EXPECT_EQ(must(verdicts.take()).size(), 0u);
}

TEST_F(VerdictsTest, AFailureEndsTheWaitAtOnce) {
    BlockedCall waiting([this] {
        const auto waited = verdicts.wait(Timeout::unlimited());
        return waited ? Status::ok : waited.error().status();
    });
    EXPECT_TRUE(waiting.wait_until_blocked());
    on_thread("callback", [this] { MOORLINE_CHECK(verdicts, false); });
    EXPECT_EQ(waiting.answer(), Status::mismatch);
    // As long as it was not taken.
    EXPECT_FAILS(verdicts.wait(patience), Status::mismatch);
    EXPECT_NE(verdicts.wait(patience).error().message().find("MOORLINE_CHECK(false)"), std::string::npos);
}

TEST_F(VerdictsTest, TheWaitIsForAllThatIsExpected) {
    must(verdicts.expect(2));
    EXPECT_FAILS(verdicts.wait(Timeout::none()), Status::would_block);
    verdicts.done();
    EXPECT_FAILS(verdicts.wait(1ms), Status::timed_out);
    on_thread("callback", [this] { verdicts.done(); });
    EXPECT_OK(verdicts.wait(patience));
}

TEST_F(VerdictsTest, FinishDeliversATimeoutAtThePlaceOfTheCall) {
    int line = 0;
    const auto results = delivered([&](VerdictGuard& guard) {
        line = __LINE__ + 1;
        EXPECT_FALSE(guard.finish(1ms));
    });
    ASSERT_EQ(results.size(), 1u);
    EXPECT_EQ(results[0].line_number(), line);
    EXPECT_STREQ(results[0].file_name(), __FILE__);
    EXPECT_NE(std::string(results[0].message()).find("does not finish"), std::string::npos) << results[0].message();
}

TEST_F(VerdictsTest, FinishDeliversAFailureOnceAndAtOnce) {
    const auto results = delivered([&](VerdictGuard& guard) {
        MOORLINE_FAIL(guard, "first");
        MOORLINE_FAIL(guard, "second");
        EXPECT_FALSE(guard.finish(Timeout::unlimited()));
    });
    ASSERT_EQ(results.size(), 2u);
    EXPECT_NE(std::string(results[0].message()).find("first"), std::string::npos);
    EXPECT_NE(std::string(results[1].message()).find("second"), std::string::npos);
}

// The defect that this is for: an assertion in a callback on a service's thread.
TEST_F(VerdictsTest, ACallbackOfAServiceChecksAndGoesOn) {
    moorline::Service::Handler handler;
    handler.received = [this](moorline::Connection connection, BytesView data) {
        MOORLINE_CHECK_EQ(verdicts, data, "hello");
        MOORLINE_CHECK(verdicts, connection.send(data, patience));
    };
    auto service = must(moorline::Service::create(handler));
    must(service.start_unique("verdicts"));
    auto client = must(moorline::Socket::connect(must(service.full_name()), patience));
    must(client.send("help!", patience));
    EXPECT_FAILS(verdicts.wait(patience), Status::mismatch);
    const Failure failure = only();
    EXPECT_NE(failure.text.find("left:  \"help!\"\n  right: \"hello\""), std::string::npos) << failure.text;
    EXPECT_NE(failure.thread.find("moorline-0"), std::string::npos) << failure.thread;
    EXPECT_EQ(receive_exactly(client, 5), "help!");
    EXPECT_EQ(service.stop(patience).report.exceptions.kept.size(), 0u);
}

TEST_F(VerdictsTest, WhatComesAfterTheEndIsNotLost) {
    moorline_verdicts* late = nullptr;
    {
        const Verdicts ended = must(Verdicts::create());
        late = ended.native_handle();
    }
    testing::internal::CaptureStderr();
    MOORLINE_CHECK_EQ(late, 1, 2);
    moorline::testkit::done(late);
    const std::string shown = testing::internal::GetCapturedStderr();
    EXPECT_NE(shown.find(__FILE__), std::string::npos) << shown;
    EXPECT_NE(shown.find("MOORLINE_CHECK_EQ(1, 2)"), std::string::npos) << shown;
    EXPECT_NE(shown.find("done, but its verdicts have ended"), std::string::npos) << shown;
}

TEST_F(VerdictsTest, DestroyingThemEndsTheWait) {
    BlockedCall waiting([this] {
        const auto waited = verdicts.wait(Timeout::unlimited());
        return waited ? Status::ok : waited.error().status();
    });
    EXPECT_TRUE(waiting.wait_until_blocked());
    must(verdicts.destroy());
    EXPECT_EQ(waiting.answer(), Status::closed);
}

}  // namespace

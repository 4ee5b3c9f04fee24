// Result, Outcome and Error, whatever Result is made of.
#include <memory>
#include <type_traits>

#include "support.hpp"

namespace {

using moorline::Error;
using moorline::Result;
using moorline::Unexpected;

#if defined(__cpp_lib_expected)
static_assert(std::is_same_v<Result<int>, std::expected<int, Error>>);
#endif

// No default constructor and no copies: what the owners are like.
struct OnlyMoves {
    explicit OnlyMoves(int number) : value(std::make_unique<int>(number)) {}
    std::unique_ptr<int> value;
};

Result<OnlyMoves> number(bool works) {
    if (works) {
        return OnlyMoves(42);
    }
    return Unexpected(Error(Status::not_found, "no number", 2, 3));
}

TEST(Result, HoldsAValue) {
    Result<OnlyMoves> result = number(true);
    EXPECT_TRUE(result.has_value());
    EXPECT_TRUE(result);
    EXPECT_EQ(*result->value, 42);
    EXPECT_EQ(*(*result).value, 42);
    EXPECT_EQ(*result.value().value, 42);
    const OnlyMoves taken = *std::move(result);
    EXPECT_EQ(*taken.value, 42);
    EXPECT_EQ(*number(true).value().value, 42);
}

TEST(Result, HoldsAnError) {
    const Result<OnlyMoves> result = number(false);
    EXPECT_FALSE(result.has_value());
    EXPECT_FALSE(result);
    EXPECT_EQ(result.error().status(), Status::not_found);
    EXPECT_EQ(result.error().message(), "no number");
    EXPECT_EQ(result.error().os_error(), 2);
    EXPECT_EQ(result.error().sent(), 3u);
    Result<OnlyMoves> other = number(false);
    const Error taken = std::move(other).error();
    EXPECT_EQ(taken.message(), "no number");
}

TEST(Result, PassesAnErrorOn) {
    const auto caller = []() -> Result<std::string> {
        const Result<OnlyMoves> result = number(false);
        if (!result) {
            return Unexpected(result.error());
        }
        return std::string("unused");
    };
    EXPECT_EQ(caller().error().message(), "no number");
}

TEST(Result, HasAnAlternative) {
    EXPECT_EQ(*number(true).value_or(OnlyMoves(7)).value, 42);
    EXPECT_EQ(*number(false).value_or(OnlyMoves(7)).value, 7);
    const Result<std::string> text = Unexpected(Error(Status::closed, ""));
    EXPECT_EQ(text.value_or("nothing"), "nothing");
    const Result<std::string> other = std::string("something");
    EXPECT_EQ(other.value_or("nothing"), "something");
}

TEST(Result, MayHoldNothing) {
    const Result<void> success;
    EXPECT_TRUE(success);
    success.value();
    *success;
    const Result<void> failure = Unexpected(Error(Status::closed, "gone"));
    EXPECT_FALSE(failure);
    EXPECT_FALSE(failure.has_value());
    EXPECT_EQ(failure.error().message(), "gone");
    Result<void> changing = failure;
    changing = Result<void>();
    EXPECT_TRUE(changing);
}

#if !defined(__cpp_lib_expected)
TEST(ResultDeathTest, EndsTheProgramOnMisuseAndSaysWhy) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_DEATH(static_cast<void>(number(false).value()), "moorline: the value of a failure was taken: no number");
    EXPECT_DEATH(static_cast<void>(*number(false)), "the value of a failure was taken");
    EXPECT_DEATH(static_cast<void>(number(false)->value), "the value of a failure was taken");
    EXPECT_DEATH(static_cast<void>(number(true).error()), "the error of a success was taken");
    const Result<void> failure = Unexpected(Error(Status::closed, "gone"));
    EXPECT_DEATH(failure.value(), "the value of a failure was taken: gone");
    EXPECT_DEATH(static_cast<void>(Result<void>().error()), "the error of a success was taken");
}
#endif

TEST(Outcome, HasAReportInEitherCase) {
    const moorline::Outcome<int> failed{Unexpected(Error(Status::timed_out, "late")), 5};
    EXPECT_FALSE(failed);
    EXPECT_EQ(failed.error().status(), Status::timed_out);
    const auto& [result, report] = failed;
    EXPECT_FALSE(result);
    EXPECT_EQ(report, 5);
    EXPECT_TRUE((moorline::Outcome<int>{{}, 5}));
}

using ErrorTest = Clean;

TEST_F(ErrorTest, SaysWhatWasTriedWhereAndWhy) {
    const auto failed = moorline::Socket::connect(path("nobody"), Timeout::none());
    ASSERT_FAILS(failed, Status::not_found);
    EXPECT_NE(failed.error().message().find(path("nobody")), std::string::npos) << failed.error().message();
    EXPECT_EQ(failed.error().os_error(), ENOENT);
    EXPECT_EQ(failed.error().sent(), 0u);
}

TEST_F(ErrorTest, IsCapturedWhenItHappens) {
    const auto first = moorline::Socket::connect(path("first"), Timeout::none());
    const auto second = moorline::Socket::connect(path("second"), Timeout::none());
    EXPECT_NE(first.error().message().find("/first"), std::string::npos) << first.error().message();
    EXPECT_NE(second.error().message().find("/second"), std::string::npos) << second.error().message();
    std::thread([message = first.error().message(), &first] { EXPECT_EQ(first.error().message(), message); }).join();
}

TEST_F(ErrorTest, ATextLongerThanTheFirstBufferIsWhole) {
    const std::string name = path(std::string(700, 'n'));
    const auto failed = moorline::name_state(name + "/missing");
    ASSERT_FALSE(failed);
    const std::string long_path = path(std::string(200, 'd') + "/" + std::string(200, 'e'));
    const auto connected = moorline::Socket::connect(long_path, Timeout::none());
    ASSERT_FALSE(connected);
    EXPECT_NE(connected.error().message().find(std::string(200, 'e')), std::string::npos) << connected.error().message();
}

TEST_F(ErrorTest, WouldBlockIsAnOrdinaryAnswer) {
    auto pair = must(moorline::Socket::pair());
    char buffer[8];
    const auto nothing = pair.first.receive(buffer, Timeout::none());
    ASSERT_FAILS(nothing, Status::would_block);
    EXPECT_EQ(nothing.error().message(), "WOULD_BLOCK");
    EXPECT_EQ(nothing.error().os_error(), 0);
}

}  // namespace

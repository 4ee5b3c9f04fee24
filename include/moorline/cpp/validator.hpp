/// What sees a socket's messages first.
#ifndef MOORLINE_CPP_VALIDATOR_HPP
#define MOORLINE_CPP_VALIDATOR_HPP

#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

#include <moorline/cpp/bytes.hpp>
#include <moorline/cpp/callback.hpp>

namespace moorline {
inline namespace MOORLINE_CPP_VARIANT {

/// Says of each message whether it may be delivered. An exception refuses it.
using Validator = std::function<bool(BytesView message)>;

namespace detail {

/// What the library's calls of a validator use: at one address from the first validator to the end of the owner, whatever
/// happens to the handle meanwhile, because a receive that is under way may be in it.
class Validation {
public:
    void set(Validator validator) noexcept {
        auto shared = validator ? std::make_shared<const Validator>(std::move(validator)) : nullptr;
        const std::lock_guard<std::mutex> lock(mutex_);
        validator_.swap(shared);
    }

    [[nodiscard]] std::exception_ptr take_exception() noexcept {
        const std::lock_guard<std::mutex> lock(mutex_);
        return std::exchange(exception_, nullptr);
    }

    /// A moorline_validator, whose context is a Validation.
    static std::int32_t accepts(void* context, const void* data, std::size_t size) noexcept {
        auto& self = *static_cast<Validation*>(context);
        // Not called with the lock, so that it may set another; and kept as long as it runs.
        std::unique_lock<std::mutex> lock(self.mutex_);
        const std::shared_ptr<const Validator> validator = self.validator_;
        lock.unlock();
        bool accepted = validator == nullptr;
        guarded(
            [&] {
                if (validator) {
                    accepted = (*validator)(BytesView(data, size));
                }
            },
            [&](std::exception_ptr exception) {
                lock.lock();
                self.exception_ = std::move(exception);
                lock.unlock();
            });
        return accepted ? 1 : 0;
    }

private:
    std::mutex mutex_;
    std::shared_ptr<const Validator> validator_;
    std::exception_ptr exception_;
};

/// Where an owner keeps its Validation, if it ever needed one. Moves with the owner; functions may be called by any thread.
class ValidationSlot {
public:
    constexpr ValidationSlot() noexcept = default;
    ValidationSlot(ValidationSlot&& other) noexcept : validation_(std::move(other.validation_)) {}
    ValidationSlot& operator=(ValidationSlot&& other) noexcept {
        validation_ = std::move(other.validation_);
        return *this;
    }

    /// Runs `call` alone among the calls of this function. It gets the place of the Validation.
    template <class Call>
    decltype(auto) alone(Call call) noexcept {
        const std::lock_guard<std::mutex> lock(mutex_);
        return call(validation_);
    }

private:
    std::mutex mutex_;
    std::unique_ptr<Validation> validation_;
};

}  // namespace detail
}  // namespace MOORLINE_CPP_VARIANT
}  // namespace moorline

#endif

/// Who may connect to a server.
#ifndef MOORLINE_CPP_POLICY_HPP
#define MOORLINE_CPP_POLICY_HPP

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include <moorline/cpp/callback.hpp>
#include <moorline/cpp/name.hpp>

namespace moorline {
inline namespace MOORLINE_CPP_VARIANT {

/// Whom a server takes connections from, by the kernel's word, before the first byte is read. It comes after the permissions of
/// the socket file; abstract names have only this.
class Policy {
public:
    /// Says whether this peer may connect.
    using Admits = std::function<bool(const Credentials& peer)>;

    /// Whoever could connect.
    Policy() noexcept = default;
    /// Whoever could connect.
    [[nodiscard]] static Policy everyone() noexcept { return Policy(); }
    /// The effective user of this process.
    [[nodiscard]] static Policy same_user() noexcept { return Policy(MOORLINE_POLICY_SAME_USER); }
    /// The effective user of this process, and root.
    [[nodiscard]] static Policy same_user_or_root() noexcept { return Policy(MOORLINE_POLICY_SAME_USER_OR_ROOT); }
    /// These users, and those whose effective group is one of these. Nobody else, not even this user.
    [[nodiscard]] static Policy listed(std::vector<std::uint32_t> users, std::vector<std::uint32_t> groups = {}) noexcept {
        Policy policy(MOORLINE_POLICY_LISTED);
        policy.users_ = std::move(users);
        policy.groups_ = std::move(groups);
        return policy;
    }
    /// Whoever `admits` says, called by the thread that accepts. An exception turns the peer away and is kept for
    /// Server::take_exception() or Service::take_exceptions(). It is kept until the last call that uses the server has ended.
    [[nodiscard]] static Policy custom(Admits admits) noexcept {
        Policy policy(MOORLINE_POLICY_CUSTOM);
        policy.admits_ = std::move(admits);
        return policy;
    }

    /// Which rule it is, as moorline_policy has it.
    [[nodiscard]] std::uint32_t rule() const noexcept { return rule_; }
    /// The users of listed().
    [[nodiscard]] const std::vector<std::uint32_t>& users() const noexcept { return users_; }
    /// The groups of listed().
    [[nodiscard]] const std::vector<std::uint32_t>& groups() const noexcept { return groups_; }
    /// The callable of custom(); empty otherwise.
    [[nodiscard]] const Admits& admits() const noexcept { return admits_; }

private:
    explicit Policy(std::uint32_t rule) noexcept : rule_(rule) {}

    std::uint32_t rule_ = MOORLINE_POLICY_EVERYONE;
    std::vector<std::uint32_t> users_;
    std::vector<std::uint32_t> groups_;
    Admits admits_;
};

namespace detail {

/// The callable of a policy, and where its exceptions go. The library keeps one reference, which it gives back.
class Admission {
public:
    using Failed = std::function<void(std::exception_ptr)>;

    Admission(Policy::Admits admits, Failed failed) noexcept : admits_(std::move(admits)), failed_(std::move(failed)) {}

    static std::int32_t admits(void* context, const moorline_credentials* peer) noexcept {
        auto& self = *static_cast<Admission*>(context);
        bool admitted = false;
        guarded([&] { admitted = self.admits_(Credentials{peer->uid, peer->gid, peer->pid}); },
                [&](std::exception_ptr exception) { self.failed_(std::move(exception)); });
        return admitted ? 1 : 0;
    }

    static void release(void* context) noexcept { delete static_cast<Admission*>(context); }

private:
    const Policy::Admits admits_;
    const Failed failed_;
};

/// Calls `call` with the policy as the C ABI takes it. Exceptions of a callable go to `failed`, on any thread.
template <class Call>
[[nodiscard]] Result<void> with_policy(const Policy& policy, Admission::Failed failed, Call call) noexcept {
    moorline_policy raw = {};
    raw.struct_size = sizeof raw;
    raw.rule = policy.rule();
    raw.users = policy.users().data();
    raw.user_count = policy.users().size();
    raw.groups = policy.groups().data();
    raw.group_count = policy.groups().size();
    if (policy.admits()) {
        raw.admits = Admission::admits;
        // NOLINTNEXTLINE(bugprone-unhandled-exception-at-new): without memory the program ends, as for all that is noexcept here
        raw.context = new Admission(policy.admits(), std::move(failed));
        raw.release = Admission::release;
    }
    return call(static_cast<const moorline_policy*>(&raw));
}

/// The last exception of a callable, for whoever asks first. Shared, since a call may fail after its owner has gone.
class KeptException {
public:
    void keep(std::exception_ptr exception) noexcept {
        const std::lock_guard<std::mutex> lock(mutex_);
        exception_ = std::move(exception);
    }

    [[nodiscard]] std::exception_ptr take() noexcept {
        const std::lock_guard<std::mutex> lock(mutex_);
        return std::exchange(exception_, nullptr);
    }

private:
    std::mutex mutex_;
    std::exception_ptr exception_;
};

}  // namespace detail
}  // namespace MOORLINE_CPP_VARIANT
}  // namespace moorline

#endif

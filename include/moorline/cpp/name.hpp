/// What a name means, and what is there now.
#ifndef MOORLINE_CPP_NAME_HPP
#define MOORLINE_CPP_NAME_HPP

#include <cstdint>
#include <string>

#include <moorline/cpp/result.hpp>

namespace moorline {
inline namespace MOORLINE_CPP_VARIANT {

/// Where a plain name lives. An absolute path is taken as it is, whatever the scope.
enum class Scope : std::uint32_t {
    temporary = MOORLINE_SCOPE_TEMPORARY,  ///< the temp directory, where QLocalServer and QLocalSocket look
    runtime = MOORLINE_SCOPE_RUNTIME,      ///< the user's own runtime directory
    abstract = MOORLINE_SCOPE_ABSTRACT,    ///< Linux's abstract names: no file
};

/// Whose server a connecting socket accepts.
enum class Trust : std::uint32_t {
    same_user = MOORLINE_TRUST_SAME_USER,  ///< the same user's or root's
    anyone = MOORLINE_TRUST_ANYONE,
};

/// What is found at a name.
enum class NameState : std::uint32_t {
    absent = MOORLINE_NAME_ABSENT,      ///< nothing
    dead = MOORLINE_NAME_DEAD,          ///< a socket file whose server has gone
    live = MOORLINE_NAME_LIVE,          ///< a listening server
    occupied = MOORLINE_NAME_OCCUPIED,  ///< something that is no socket
};

/// Who is at the other end of a connection, by the kernel's word when it was made; for the connecting side the
/// process that listens.
struct Credentials {
    std::uint32_t uid = 0;  ///< effective user
    std::uint32_t gid = 0;  ///< effective group
    std::int64_t pid = -1;  ///< -1 if the system does not tell; the process may have ended since
};

namespace detail {

/// Calls `call(name.c_str())`. A C string ends at its first NUL, so a name that holds one would mean another name.
template <class Call>
[[nodiscard]] Result<void> with_name(const std::string& name, Call call) noexcept {
    if (name.find('\0') != std::string::npos) {
        return Unexpected(Error(Status::name_invalid, "a name must not hold a NUL byte"));
    }
    return done(call(name.c_str()));
}

}  // namespace detail

/// The full path or abstract name that `name` means in `scope`. Does not look whether anything is there. Never
/// blocks; any thread. Errors: name_invalid, name_too_long, not_found and permission_denied (there is no runtime
/// directory, or it is not this user's alone), invalid_argument (no such scope).
[[nodiscard]] inline Result<std::string> resolve_name(const std::string& name, Scope scope = Scope::temporary) noexcept {
    std::string full;
    const Result<void> resolved = detail::with_name(name, [&](const char* text) {
        return detail::read_text(full, [&](char* buffer, std::size_t capacity, std::size_t* needed) {
            return moorline_name_resolve(text, static_cast<std::uint32_t>(scope), buffer, capacity, needed);
        });
    });
    if (!resolved) {
        return Unexpected(resolved.error());
    }
    return full;
}

/// What is at a name now. A live server does not notice the question. Never blocks; any thread. Errors: as
/// resolve_name(), permission_denied, not_supported (an abstract name), limit_reached.
[[nodiscard]] inline Result<NameState> name_state(const std::string& name, Scope scope = Scope::temporary) noexcept {
    std::uint32_t state = 0;
    const Result<void> looked = detail::with_name(
        name, [&](const char* text) { return moorline_name_state(text, static_cast<std::uint32_t>(scope), &state); });
    if (!looked) {
        return Unexpected(looked.error());
    }
    return static_cast<NameState>(state);
}

/// Removes the socket file at a name, a live server's too: the deliberate take-over. Succeeds if there is none. Does
/// not block, except for milliseconds while others take or give back names of the directory; any thread. Errors: as
/// resolve_name(), name_in_use (it is no socket and was left alone), permission_denied, not_supported (an abstract name),
/// limit_reached.
[[nodiscard]] inline Result<void> remove_name(const std::string& name, Scope scope = Scope::temporary) noexcept {
    return detail::with_name(name,
                             [&](const char* text) { return moorline_name_remove(text, static_cast<std::uint32_t>(scope)); });
}

}  // namespace MOORLINE_CPP_VARIANT
}  // namespace moorline

#endif

/// Moorline for C++17 and later: local sockets whose lifetime cannot go wrong. Header-only, over the C ABI of moorline.h.
///
///     moorline::Server, Socket, Poller, Service   move-only owners; a moved-from one answers every call with an error
///     moorline::Connection                        one connection of a Service
///     moorline::run_exchange                      N sockets against an echoing server, every byte verified
///     moorline::Result<T>, Outcome<R>, Error      what calls return
///     moorline::Timeout                           how long a call may wait: said at every call that can
///     moorline::BytesView, BufferView             borrowed bytes, from any container of bytes
///     moorline::MessageOptions, Framing           messages instead of a stream of bytes
///     moorline::Policy                            whom a server takes connections from
///     moorline::Descriptor                        an open descriptor that came with a message
///
/// - Nothing here throws. Exceptions from your callables are caught and handed to you: Service::take_exceptions(),
///   ServiceReport::exceptions, ExchangeReport::exception, Socket::take_exception(), Server::take_exception(). Running out
///   of memory ends the program, and so does a callable of yours that throws when it is copied.
/// - Every result is [[nodiscard]]: ignoring one warns.
/// - Any function may be called on any object from any thread at any time, but for the move and the end of an object
///   itself. destroy() from elsewhere is defined, and ends every call that is blocked with Status::closed.
/// - It compiles with -fno-exceptions and -fno-rtti. Objects compiled with and without, and as different versions of C++,
///   can be linked into one program; they cannot hand these types to each other.
#ifndef MOORLINE_HPP
#define MOORLINE_HPP

#include <moorline/cpp/exchange.hpp>
#include <moorline/cpp/poller.hpp>
#include <moorline/cpp/service.hpp>

#endif

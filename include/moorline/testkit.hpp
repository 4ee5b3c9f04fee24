/// Moorline's test kit for C++17 and later: local sockets that tests can drive, break and look into. For programs that use Moorline,
/// QLocalSocket or anything else. Header-only, over the C ABI of testkit.h; docs/testing-with-moorline.md has the how and why.
///
///     moorline::testkit::Fixture              a server on a private name that echoes, sinks, floods or follows a script
///     moorline::testkit::Verdicts             failures that any thread may record, delivered on the test's own thread
///     MOORLINE_CHECK, MOORLINE_CHECK_EQ ...   checks that are safe in callbacks
///     moorline::testkit::LeakGuard            what a test has left behind: handles, descriptors, threads, socket files
///     moorline::testkit::FaultPlan            what shall go wrong, for `faults` in the options of servers, sockets and services
///     moorline::testkit::Proxy                a faulty wire between two names, for programs that are not ours
///     moorline::testkit::Tap, Recording       a conversation to a file, and from the file to either side
///     moorline::testkit::Clock                a clock that a test moves, for `clock` in the options of services and pollers
///
/// Glue for a test framework is in a header of its own: moorline/testkit/gtest.hpp, catch2.hpp, qtest.hpp.
#ifndef MOORLINE_TESTKIT_HPP
#define MOORLINE_TESTKIT_HPP

#include <moorline/testkit/checks.hpp>
#include <moorline/testkit/clock.hpp>
#include <moorline/testkit/faults.hpp>
#include <moorline/testkit/fixture.hpp>
#include <moorline/testkit/leaks.hpp>
#include <moorline/testkit/proxy.hpp>
#include <moorline/testkit/recording.hpp>
#include <moorline/testkit/verdicts.hpp>

#endif

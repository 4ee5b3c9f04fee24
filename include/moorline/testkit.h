/*
 * Moorline's test kit: fixtures, verdicts, leaks, faults, a faulty wire, recordings, and clocks that a test moves, for programs that
 * talk over local sockets, with Moorline or without. docs/testing-with-moorline.md has the how and why.
 *
 * Generated from the sources in src/ffi/testkit/ by `MOORLINE_REWRITE_HEADER=1 cargo test --test header`.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The conventions of moorline.h hold here too. What an option struct names by a handle must be alive when it is used, and may be
 * destroyed at any time after that.
 */

#ifndef MOORLINE_TESTKIT_H
#define MOORLINE_TESTKIT_H

#include <moorline/moorline.h>

/* Initialisers: the size of the struct, and zero in every field. */
#define MOORLINE_FAULTS_INIT \
  {sizeof(moorline_faults), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
#define MOORLINE_FAULT_COUNTS_INIT {sizeof(moorline_fault_counts), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
#define MOORLINE_FAILURE_INIT {sizeof(moorline_failure), NULL, 0, 0, NULL, NULL, 0}
#define MOORLINE_FIXTURE_OPTIONS_INIT {sizeof(moorline_fixture_options), 0, 0, 0, 0, NULL, NULL, NULL, NULL}
#define MOORLINE_FIXTURE_STATS_INIT {sizeof(moorline_fixture_stats), 0, 0, 0, 0, 0}
#define MOORLINE_LEAK_INIT {sizeof(moorline_leak), 0, 0, 0, NULL, NULL, 0, 0}
#define MOORLINE_PROXY_OPTIONS_INIT {sizeof(moorline_proxy_options), 0, 0, 0, 0, 0, 0, NULL, NULL}
#define MOORLINE_REPLAY_OPTIONS_INIT {sizeof(moorline_replay_options), 0, 0, 0, 0}
#define MOORLINE_REPLAY_REPORT_INIT {sizeof(moorline_replay_report), 0, 0, 0, 0, 0}

/**
 * Both directions of a conversation.
 */
#define MOORLINE_DIRECTION_BOTH 0

/**
 * From the client to the server.
 */
#define MOORLINE_DIRECTION_TO_SERVER 1

/**
 * From the server to the client.
 */
#define MOORLINE_DIRECTION_TO_CLIENT 2

/**
 * Handles of this library.
 */
#define MOORLINE_LEAK_HANDLES 1

/**
 * Open descriptors of the process, whoever opened them. None is seen where proc(5) is not mounted, as in a chroot.
 */
#define MOORLINE_LEAK_DESCRIPTORS 2

/**
 * Running threads of the process, whoever started them. None is seen while the process has no descriptor left, or where
 * proc(5) is not mounted.
 */
#define MOORLINE_LEAK_THREADS 4

/**
 * Socket files that servers of this process, of whatever library, listen on. Of other libraries' none is seen where proc(5) is not
 * mounted.
 */
#define MOORLINE_LEAK_SOCKET_FILES 8

/**
 * A server on a private name that follows a script. Any thread may use it at any time.
 */
typedef struct moorline_fixture moorline_fixture;

/**
 * Tells what is new since it was made. Any thread may use it at any time.
 */
typedef struct moorline_leak_guard moorline_leak_guard;

/**
 * A faulty wire between two names. Any thread may use it at any time.
 */
typedef struct moorline_proxy moorline_proxy;

/**
 * A recorded conversation. Any thread may use it at any time.
 */
typedef struct moorline_recording moorline_recording;

/**
 * Records conversations to a file as they happen. Any thread may use it at any time.
 */
typedef struct moorline_tap moorline_tap;

/**
 * The verdicts of one test. Any thread may use them at any time.
 */
typedef struct moorline_verdicts moorline_verdicts;

/**
 * A check that failed. Begin with MOORLINE_FAILURE_INIT.
 *
 * The strings are the library's: they last until the same thread asks for the next failure, of whatever verdicts.
 */
typedef struct {
  /**
   * sizeof(moorline_failure).
   */
  size_t struct_size;
  /**
   * The file of the check.
   */
  const char *file;
  /**
   * The line of the check.
   */
  uint32_t line;
  /**
   * Zero.
   */
  uint32_t reserved;
  /**
   * What was wrong: the check, and the values.
   */
  const char *text;
  /**
   * The thread that found it: its name if it has one, and its number.
   */
  const char *thread;
  /**
   * When, in microseconds from the making of the verdicts on.
   */
  uint64_t after_us;
} moorline_failure;

/**
 * What goes wrong. Begin with MOORLINE_FAULTS_INIT; zero in a field is that nothing of this kind does.
 *
 * The fields that end in _nth say which one, from 1: the byte, from the beginning of each connection, in each direction that is
 * affected; or the connection, in the order in which they come. Of what has a least and a greatest number, one between them is
 * drawn each time, by the seed; a greatest number of 0 is as the least.
 */
typedef struct {
  /**
   * sizeof(moorline_faults).
   */
  size_t struct_size;
  /**
   * Where chance decides, this decides what chance does: the same seed, the same faults.
   */
  uint64_t seed;
  /**
   * MOORLINE_DIRECTION_*: whose bytes are affected.
   */
  uint32_t direction;
  /**
   * Not 0: the backlog is full from the start, so that nobody can connect, until moorline_fault_plan_open_backlog. The server
   * needs a backlog that is small against the number of descriptors. Of servers, services, fixtures and proxies.
   */
  uint32_t backlog_full;
  /**
   * Bytes pass in pieces of so many, each one only when the one before was received: the receiver's reads are short, and after
   * each it is told that there is nothing more. Now and then one that is interrupted in the middle of a read finds the next
   * piece, too.
   */
  size_t pieces_min;
  /**
   * As described above.
   */
  size_t pieces_max;
  /**
   * Each piece is held back for so many microseconds.
   */
  uint64_t delay_min_us;
  /**
   * As described above.
   */
  uint64_t delay_max_us;
  /**
   * The system takes about so many bytes from the affected socket and no more until some have passed: its writes are short, and
   * many find no room. The system has a least size, of a few thousand bytes. Not of proxies, which have no hold over the sending
   * side of others.
   */
  size_t window;
  /**
   * Each send and each receive of the affected socket is first turned away so many times in a row, as if there were no room or
   * nothing to receive (EAGAIN), although it is reported as ready: a storm of would-blocks. Not of proxies.
   */
  uint32_t would_block_min;
  /**
   * As described above.
   */
  uint32_t would_block_max;
  /**
   * The connection breaks at this byte, which does not pass, nor does what is on its way.
   */
  uint64_t reset_nth;
  /**
   * From this byte on nothing more is taken, as from a peer that has stopped reading; the connection stays.
   */
  uint64_t stop_reading_nth;
  /**
   * One bit of this byte is turned over.
   */
  uint64_t flip_nth;
  /**
   * One bit is turned over in one of so many bytes, on average.
   */
  uint64_t flip_one_in;
  /**
   * This byte is left out.
   */
  uint64_t lose_nth;
  /**
   * One of so many bytes, on average, is left out.
   */
  uint64_t lose_one_in;
  /**
   * This connection is accepted and closed at once. Of servers, services, fixtures and proxies, as all that follow.
   */
  uint64_t refuse_accept_nth;
  /**
   * Accepting this connection fails for want of a descriptor, once; it stays in the backlog.
   */
  uint64_t no_descriptors_nth;
  /**
   * A connection that waits is accepted only after so many microseconds.
   */
  uint64_t accept_delay_us;
} moorline_faults;

/**
 * How often what went wrong. Begin with MOORLINE_FAULT_COUNTS_INIT.
 */
typedef struct {
  /**
   * sizeof(moorline_fault_counts).
   */
  size_t struct_size;
  /**
   * Connections that went through the plan.
   */
  uint64_t connections;
  /**
   * Pieces passed on.
   */
  uint64_t pieces;
  /**
   * Bytes with a bit turned over.
   */
  uint64_t flipped;
  /**
   * Bytes left out.
   */
  uint64_t lost;
  /**
   * Connections broken.
   */
  uint64_t resets;
  /**
   * Directions from which nothing more is taken.
   */
  uint64_t stops;
  /**
   * Connections refused.
   */
  uint64_t refused;
  /**
   * Accepts without a descriptor.
   */
  uint64_t without_descriptor;
  /**
   * Accepts delayed.
   */
  uint64_t delayed_accepts;
  /**
   * Sends and receives turned away.
   */
  uint64_t would_blocks;
} moorline_fault_counts;

/**
 * How a fixture works. Begin with MOORLINE_FIXTURE_OPTIONS_INIT; zero in a field is its default.
 */
typedef struct {
  /**
   * sizeof(moorline_fixture_options).
   */
  size_t struct_size;
  /**
   * MOORLINE_SCOPE_*: where its name is.
   */
  uint32_t scope;
  /**
   * As in moorline_server_options.
   */
  uint32_t backlog;
  /**
   * Not 0: the transcript of a missed expectation is not printed to the standard error output.
   */
  uint32_t quiet;
  /**
   * Zero.
   */
  uint32_t reserved;
  /**
   * What its name begins with; copied. NULL: "fixture".
   */
  const char *prefix;
  /**
   * What goes wrong with its connections. NULL: nothing.
   */
  const moorline_fault_plan *faults;
  /**
   * What the deadlines and waits of its script run on. NULL: the system's clock.
   */
  const moorline_clock *clock;
  /**
   * Where a missed expectation is recorded, so that it ends the wait of the test. NULL: nowhere.
   */
  const moorline_verdicts *verdicts;
} moorline_fixture_options;

/**
 * What a fixture has seen so far. Begin with MOORLINE_FIXTURE_STATS_INIT.
 */
typedef struct {
  /**
   * sizeof(moorline_fixture_stats).
   */
  size_t struct_size;
  /**
   * Connections that came.
   */
  uint64_t connections;
  /**
   * Of these, those whose script has come to its end, well or not.
   */
  uint64_t finished;
  /**
   * Of these, those that missed an expectation.
   */
  uint64_t missed;
  /**
   * Bytes received.
   */
  uint64_t received;
  /**
   * Bytes sent.
   */
  uint64_t sent;
} moorline_fixture_stats;

/**
 * Something that was made after a guard was, and is still there. Begin with MOORLINE_LEAK_INIT.
 *
 * The strings are the library's: they last until the same thread asks for another leak, of whatever guard.
 */
typedef struct {
  /**
   * sizeof(moorline_leak).
   */
  size_t struct_size;
  /**
   * One of MOORLINE_LEAK_*: what kind of thing it is.
   */
  uint32_t kind;
  /**
   * Not 0: it is exactly as old as age_us says. 0: it is at most so old.
   */
  uint32_t age_is_exact;
  /**
   * How old it is, in microseconds.
   */
  uint64_t age_us;
  /**
   * Which one: a handle's type and value, a descriptor's number and what it is open on, a thread's number and name, a path.
   */
  const char *name;
  /**
   * The file that made it, as moorline_handle_set_origin told of its handle. NULL: unknown.
   */
  const char *file;
  /**
   * The line that made it.
   */
  uint32_t line;
  /**
   * Zero.
   */
  uint32_t reserved;
} moorline_leak;

/**
 * How a proxy works. Begin with MOORLINE_PROXY_OPTIONS_INIT; zero in a field is its default.
 */
typedef struct {
  /**
   * sizeof(moorline_proxy_options).
   */
  size_t struct_size;
  /**
   * MOORLINE_SCOPE_*: where plain names live, the proxy's and the target's.
   */
  uint32_t scope;
  /**
   * The permission bits of the proxy's socket file, as in moorline_server_options.
   */
  uint32_t mode;
  /**
   * As in moorline_server_options.
   */
  uint32_t backlog;
  /**
   * MOORLINE_TRUST_*: whose server the proxy connects to.
   */
  uint32_t trust;
  /**
   * How long to try for a connection to a server whose backlog is full, before the client's is closed, in milliseconds. 0: 10,000.
   */
  uint32_t connect_timeout_ms;
  /**
   * Zero.
   */
  uint32_t reserved;
  /**
   * What goes wrong. NULL: nothing.
   */
  const moorline_fault_plan *faults;
  /**
   * Records what passes. NULL: nothing is recorded.
   */
  const moorline_tap *tap;
} moorline_proxy_options;

/**
 * How a recording is played. Begin with MOORLINE_REPLAY_OPTIONS_INIT; zero in a field is its default.
 */
typedef struct {
  /**
   * sizeof(moorline_replay_options).
   */
  size_t struct_size;
  /**
   * MOORLINE_SCOPE_*: where a plain name lives. Of moorline_recording_play_clients.
   */
  uint32_t scope;
  /**
   * MOORLINE_TRUST_*: whose server to connect to. Of moorline_recording_play_clients.
   */
  uint32_t trust;
  /**
   * Not 0: the times of the recording are kept. Otherwise each part comes as soon as what was before it has come.
   */
  uint32_t real_time;
  /**
   * How long the other side may take for what it said in the recording, beyond the time that it took then if times are kept, in
   * milliseconds. 0: 10,000.
   */
  uint32_t patience_ms;
} moorline_replay_options;

/**
 * What was played. Begin with MOORLINE_REPLAY_REPORT_INIT.
 */
typedef struct {
  /**
   * sizeof(moorline_replay_report).
   */
  size_t struct_size;
  /**
   * Connections that were played to their ends.
   */
  uint64_t connections;
  /**
   * Bytes sent.
   */
  uint64_t sent;
  /**
   * Bytes of the other side that were as recorded, over all connections.
   */
  uint64_t matched;
  /**
   * The connection of the recording on which the other side first did something else, with which the play has ended. 0: it nowhere
   * did.
   */
  uint64_t differing_connection;
  /**
   * How many bytes of the other side were as recorded on this connection before it did something else.
   */
  uint64_t differing_after;
} moorline_replay_report;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Makes the verdicts of one test: no failures yet, and one thing to be done.
 *
 * @param verdicts  out: the new handle, to be destroyed by the caller
 * @return MOORLINE_OK; MOORLINE_LIMIT_REACHED; MOORLINE_INVALID_ARGUMENT
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD moorline_status moorline_verdicts_create(moorline_verdicts **verdicts);

/**
 * Records a failure, and ends the wait. It never unwinds. Of more than a thousand that nobody takes the others are only counted.
 *
 * @param verdicts  any verdicts
 * @param file      the file of the check; copied
 * @param line      the line of the check
 * @param text      what was wrong: the check, and the values; copied
 * @return MOORLINE_OK; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Does not block. Any thread, also in callbacks.
 */
MOORLINE_NODISCARD
moorline_status moorline_verdicts_fail(moorline_verdicts *verdicts,
                                       const char *file,
                                       uint32_t line,
                                       const char *text);

/**
 * Sets how many more calls of moorline_verdicts_done are waited for, instead of the one at the beginning or what is left of it.
 *
 * @param verdicts  any verdicts
 * @param times     how many
 * @return MOORLINE_OK; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_verdicts_expect(moorline_verdicts *verdicts,
                                         uint64_t times);

/**
 * Says that what the test waits for has been done, or one time of several.
 *
 * @param verdicts  any verdicts
 * @return MOORLINE_OK; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Does not block. Any thread, also in callbacks.
 */
MOORLINE_NODISCARD moorline_status moorline_verdicts_done(moorline_verdicts *verdicts);

/**
 * Waits until everything has been done, and ends at once with the first failure, also one that came before.
 *
 * @param verdicts    any verdicts
 * @param timeout_ms  how long to wait, in milliseconds; -1 for ever, 0 not at all
 * @return MOORLINE_OK; MOORLINE_MISMATCH (there are failures that were not taken: moorline_last_error tells the first);
 *         MOORLINE_WOULD_BLOCK, MOORLINE_TIMED_OUT (something has still to be done); MOORLINE_CLOSED (another thread destroyed
 *         the verdicts meanwhile); MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Blocks until the timeout. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_verdicts_wait(moorline_verdicts *verdicts,
                                       int64_t timeout_ms);

/**
 * How many failures were recorded, ever.
 *
 * @param verdicts  any verdicts
 * @param count     out: how many
 * @return MOORLINE_OK; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_verdicts_count(moorline_verdicts *verdicts,
                                        uint64_t *count);

/**
 * Takes the first failure that was not taken yet.
 *
 * @param verdicts  any verdicts
 * @param failure   out: with its struct_size set by the caller
 * @return MOORLINE_OK; MOORLINE_NOT_FOUND (there is none); MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE;
 *         MOORLINE_WRONG_KIND
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_verdicts_take_first(moorline_verdicts *verdicts,
                                             moorline_failure *failure);

/**
 * Makes the handle stale. A wait ends with MOORLINE_CLOSED; fixtures that have the verdicts in their options record there in vain.
 *
 * @param verdicts  any verdicts
 * @return MOORLINE_OK; MOORLINE_STALE_HANDLE (as when destroyed twice); MOORLINE_WRONG_KIND; MOORLINE_INVALID_ARGUMENT
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_verdicts_destroy(moorline_verdicts *verdicts);

/**
 * Makes a plan of faults, to be given to any number of servers, sockets, services, fixtures and proxies by their options.
 *
 * @param faults  what goes wrong; may be NULL: nothing
 * @param plan    out: the new handle, to be destroyed by the caller
 * @return MOORLINE_OK; MOORLINE_INVALID_ARGUMENT (also: they make no sense); MOORLINE_LIMIT_REACHED
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_fault_plan_create(const moorline_faults *faults,
                                           moorline_fault_plan **plan);

/**
 * How often what went wrong so far.
 *
 * @param plan    any plan
 * @param counts  out: with its struct_size set by the caller
 * @return MOORLINE_OK; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_fault_plan_counts(moorline_fault_plan *plan,
                                           moorline_fault_counts *counts);

/**
 * What went wrong so far, a line each, at most ten thousand: which connection, in which direction, after how many bytes. Pieces and
 * calls that were turned away are only counted.
 *
 * @param plan      any plan
 * @param buffer    room for the text and a NUL; may be NULL if capacity is 0
 * @param capacity  bytes of room
 * @param needed    out, may be NULL: bytes that the text needs, with its NUL
 * @return MOORLINE_OK; MOORLINE_BUFFER_TOO_SMALL (the buffer gets an empty string); MOORLINE_INVALID_ARGUMENT;
 *         MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_fault_plan_happened(moorline_fault_plan *plan,
                                             char *buffer,
                                             size_t capacity,
                                             size_t *needed);

/**
 * Lets connections into the backlog that was full, and has them accepted: a server that accepts by hand has room when it accepts next,
 * even if that finds nothing. That it is not full is fine.
 *
 * @param plan  any plan
 * @return MOORLINE_OK; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_fault_plan_open_backlog(moorline_fault_plan *plan);

/**
 * Ends a plan: the connections that go through it break, except those of proxies, and its thread has ended when this returns.
 * Connections that are made later have no faults. What happened can be asked still. In a forked child it does nothing.
 *
 * @param plan  any plan
 * @return MOORLINE_OK; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_fault_plan_end(moorline_fault_plan *plan);

/**
 * Ends the plan, as moorline_fault_plan_end does, and makes its handle stale.
 *
 * @param plan  any plan
 * @return MOORLINE_OK; MOORLINE_STALE_HANDLE (as when destroyed twice); MOORLINE_WRONG_KIND; MOORLINE_INVALID_ARGUMENT
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_fault_plan_destroy(moorline_fault_plan *plan);

/**
 * Makes a clock that stands still until moorline_clock_advance moves it. The deadlines of a service, a poller or a fixture that has
 * it in its options pass when it has been moved that far, and not before.
 *
 * @param clock  out: the new handle, to be destroyed by the caller
 * @return MOORLINE_OK; MOORLINE_LIMIT_REACHED; MOORLINE_INVALID_ARGUMENT
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_clock_create(moorline_clock **clock);

/**
 * Moves a clock. Deadlines that have passed then take effect at once, on the threads that wait for them.
 *
 * @param clock  any clock
 * @param by_us  how far, in microseconds
 * @return MOORLINE_OK; MOORLINE_INVALID_ARGUMENT (also: further than a clock goes); MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_clock_advance(moorline_clock *clock,
                                       uint64_t by_us);

/**
 * How far a clock was moved in all.
 *
 * @param clock      any clock
 * @param passed_us  out: microseconds
 * @return MOORLINE_OK; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_clock_passed(moorline_clock *clock,
                                      uint64_t *passed_us);

/**
 * Makes the handle stale. What has the clock in its options keeps it, and is never moved any more.
 *
 * @param clock  any clock
 * @return MOORLINE_OK; MOORLINE_STALE_HANDLE (as when destroyed twice); MOORLINE_WRONG_KIND; MOORLINE_INVALID_ARGUMENT
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_clock_destroy(moorline_clock *clock);

/**
 * Starts a fixture: a server under a unique name that only this user can connect to, with a thread that follows a script on each
 * connection. It listens when this returns.
 *
 * A script is lines of steps: `expect`, `expect-message`, `expect-end`, `send`, `send-message`, `wait`, `end`, `close`, `reset`,
 * and `echo`, `sink` and `flood`, each of which makes a whole script as well: "echo" sends back what comes, "sink" takes it, "flood"
 * sends without end, and "flood 1000" so many bytes, which count up from 0 to 250 and begin again.
 *
 * @param script   the script
 * @param options  may be NULL: the defaults
 * @param fixture  out: the new handle, to be destroyed by the caller
 * @return MOORLINE_OK; MOORLINE_INVALID_ARGUMENT (also: the script is none; moorline_last_error names the line and what is wrong
 *         in it); MOORLINE_LIMIT_REACHED (no descriptors or threads left); as moorline_server_listen; MOORLINE_STALE_HANDLE,
 *         MOORLINE_WRONG_KIND (of the options)
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_fixture_start(const char *script,
                                       const moorline_fixture_options *options,
                                       moorline_fixture **fixture);

/**
 * The full name to connect to.
 *
 * @param fixture   a fixture that was not stopped
 * @param buffer    room for the name and a NUL; may be NULL if capacity is 0
 * @param capacity  bytes of room
 * @param needed    out, may be NULL: bytes that the name needs, with its NUL
 * @return MOORLINE_OK; MOORLINE_BUFFER_TOO_SMALL (the buffer gets an empty string); MOORLINE_INVALID_STATE (it has stopped);
 *         MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_fixture_full_name(moorline_fixture *fixture,
                                           char *buffer,
                                           size_t capacity,
                                           size_t *needed);

/**
 * What a fixture has seen so far. Also of a stopped one.
 *
 * @param fixture     any fixture
 * @param statistics  out: with its struct_size set by the caller
 * @return MOORLINE_OK; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_fixture_statistics(moorline_fixture *fixture,
                                            moorline_fixture_stats *statistics);

/**
 * What happened on its connections so far, a line each: times, what came, what was sent. Of a long run the first thousand
 * lines and the last thousand, and how many were left out between. Also of a stopped fixture.
 *
 * @param fixture   any fixture
 * @param buffer    room for the text and a NUL; may be NULL if capacity is 0
 * @param capacity  bytes of room
 * @param needed    out, may be NULL: bytes that the text needs, with its NUL; what happens meanwhile changes that
 * @return MOORLINE_OK; MOORLINE_BUFFER_TOO_SMALL (the buffer gets an empty string); MOORLINE_INVALID_ARGUMENT;
 *         MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_fixture_transcript(moorline_fixture *fixture,
                                            char *buffer,
                                            size_t capacity,
                                            size_t *needed);

/**
 * Waits until so many connections have come to the ends of their scripts, and ends at once with a missed expectation.
 *
 * @param fixture      any fixture
 * @param connections  how many, since it was started
 * @param timeout_ms   how long to wait, in milliseconds of the system's clock; -1 for ever, 0 not at all
 * @return MOORLINE_OK; MOORLINE_MISMATCH (an expectation was missed: moorline_last_error has the whole transcript of its
 *         connection); MOORLINE_WOULD_BLOCK, MOORLINE_TIMED_OUT (fewer have come to their ends); MOORLINE_CLOSED (it was stopped
 *         or destroyed before); MOORLINE_INVALID_STATE (in a forked child); MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Blocks until the timeout. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_fixture_wait(moorline_fixture *fixture,
                                      uint64_t connections,
                                      int64_t timeout_ms);

/**
 * Waits until so many bytes have come, over all connections.
 *
 * @param fixture     any fixture
 * @param bytes       how many, since it was started
 * @param timeout_ms  how long to wait, in milliseconds of the system's clock; -1 for ever, 0 not at all
 * @return MOORLINE_OK; MOORLINE_WOULD_BLOCK, MOORLINE_TIMED_OUT (fewer have come); MOORLINE_CLOSED (it was stopped or destroyed
 *         before); MOORLINE_INVALID_STATE (in a forked child); MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Blocks until the timeout. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_fixture_wait_received(moorline_fixture *fixture,
                                               uint64_t bytes,
                                               int64_t timeout_ms);

/**
 * Ends its connections, its thread and its name. Waits end with MOORLINE_CLOSED. Doing so again does nothing, nor does it in a forked
 * child. What it has seen can be asked still. It waits for the thread, which writes what was missed to stderr: where nobody reads
 * that, it does not come back.
 *
 * @param fixture  any fixture
 * @return MOORLINE_OK; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Otherwise it blocks as little as moorline_server_close. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_fixture_stop(moorline_fixture *fixture);

/**
 * Stops the fixture, as moorline_fixture_stop, and makes its handle stale. Waits end with MOORLINE_CLOSED.
 *
 * @param fixture  any fixture
 * @return MOORLINE_OK; MOORLINE_STALE_HANDLE (as when destroyed twice); MOORLINE_WRONG_KIND; MOORLINE_INVALID_ARGUMENT
 *
 * Otherwise it blocks as little as moorline_server_close. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_fixture_destroy(moorline_fixture *fixture);

/**
 * Makes a guard. What is made from here on, of the kinds that moorline_leak_guard_wait asks for, is new; the guard itself is not.
 *
 * @param guard  out: the new handle, to be destroyed by the caller
 * @return MOORLINE_OK; MOORLINE_LIMIT_REACHED; MOORLINE_INVALID_ARGUMENT
 *
 * Does not block. Any thread. What other threads make at the same time may be new or not.
 */
MOORLINE_NODISCARD
moorline_status moorline_leak_guard_create(moorline_leak_guard **guard);

/**
 * Waits until nothing new of these kinds is there any more: threads that have been joined, and what other threads are just closing,
 * take a moment to go.
 *
 * @param guard       any guard
 * @param kinds       MOORLINE_LEAK_*; 0: all of them
 * @param timeout_ms  how long to wait, in milliseconds; -1 for ever, 0 not at all
 * @param count       out, may be NULL: how many were there at the end, on a timeout too
 * @return MOORLINE_OK (there are none); MOORLINE_WOULD_BLOCK, MOORLINE_TIMED_OUT (there are some: moorline_leak_guard_report tells
 *         which, and so does moorline_last_error); MOORLINE_CLOSED (another thread destroyed the guard meanwhile);
 *         MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Blocks until the timeout. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_leak_guard_wait(moorline_leak_guard *guard,
                                         uint32_t kinds,
                                         int64_t timeout_ms,
                                         size_t *count);

/**
 * What the last wait of this guard has found, a line each: kind, name, age, and file and line that made it where that is known.
 *
 * @param guard     any guard
 * @param buffer    room for the text and a NUL; may be NULL if capacity is 0
 * @param capacity  bytes of room
 * @param needed    out, may be NULL: bytes that the text needs, with its NUL
 * @return MOORLINE_OK; MOORLINE_BUFFER_TOO_SMALL (the buffer gets an empty string); MOORLINE_INVALID_ARGUMENT;
 *         MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_leak_guard_report(moorline_leak_guard *guard,
                                           char *buffer,
                                           size_t capacity,
                                           size_t *needed);

/**
 * One of those that the last wait of this guard has found.
 *
 * @param guard  any guard
 * @param index  which one, from 0
 * @param leak   out: with its struct_size set by the caller
 * @return MOORLINE_OK; MOORLINE_NOT_FOUND (there are fewer); MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_leak_guard_leak(moorline_leak_guard *guard,
                                         size_t index,
                                         moorline_leak *leak);

/**
 * Makes the handle stale. A wait ends with MOORLINE_CLOSED.
 *
 * @param guard  any guard
 * @return MOORLINE_OK; MOORLINE_STALE_HANDLE (as when destroyed twice); MOORLINE_WRONG_KIND; MOORLINE_INVALID_ARGUMENT
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_leak_guard_destroy(moorline_leak_guard *guard);

/**
 * Makes a tap, to be given to proxies by their options. It records to a new file, which only this user may read: conversations have
 * secrets.
 *
 * @param path  the file's path; a relative one is from the working directory
 * @param tap   out: the new handle, to be destroyed by the caller
 * @return MOORLINE_OK; MOORLINE_NAME_IN_USE (there is a file already); MOORLINE_NOT_FOUND; MOORLINE_PERMISSION_DENIED;
 *         MOORLINE_LIMIT_REACHED; MOORLINE_INVALID_ARGUMENT; MOORLINE_OS_ERROR
 *
 * Blocks only for the file system. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_tap_create(const char *path,
                                    moorline_tap **tap);

/**
 * Whether everything was written so far. The conversations go on whether or not.
 *
 * @param tap  any tap
 * @return MOORLINE_OK; of the first write that failed, after which nothing was written: MOORLINE_LIMIT_REACHED (the disk is full),
 *         MOORLINE_OS_ERROR; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Blocks only for the file system. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_tap_check(moorline_tap *tap);

/**
 * Makes the handle stale. What goes over a proxy that has the tap in its options is recorded still; the file is closed with the last
 * of those.
 *
 * @param tap  any tap
 * @return MOORLINE_OK; MOORLINE_STALE_HANDLE (as when destroyed twice); MOORLINE_WRONG_KIND; MOORLINE_INVALID_ARGUMENT
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_tap_destroy(moorline_tap *tap);

/**
 * Starts a proxy: it listens under one name, connects each client to the server of another, and carries what they say, with its
 * faults. It listens when this returns. Whether the target has a server is seen when clients come.
 *
 * @param name     the proxy's name: a plain name, or an absolute path
 * @param target   the server's name, likewise
 * @param options  may be NULL: the defaults
 * @param proxy    out: the new handle, to be destroyed by the caller
 * @return MOORLINE_OK; as moorline_server_listen; MOORLINE_LIMIT_REACHED (no descriptors or threads left);
 *         MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE, MOORLINE_WRONG_KIND (of the options)
 *
 * Blocks as little as moorline_server_listen. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_proxy_start(const char *name,
                                     const char *target,
                                     const moorline_proxy_options *options,
                                     moorline_proxy **proxy);

/**
 * The full name to connect to.
 *
 * @param proxy     a proxy that was not stopped
 * @param buffer    room for the name and a NUL; may be NULL if capacity is 0
 * @param capacity  bytes of room
 * @param needed    out, may be NULL: bytes that the name needs, with its NUL
 * @return MOORLINE_OK; MOORLINE_BUFFER_TOO_SMALL (the buffer gets an empty string); MOORLINE_INVALID_STATE (it has stopped);
 *         MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_proxy_full_name(moorline_proxy *proxy,
                                         char *buffer,
                                         size_t capacity,
                                         size_t *needed);

/**
 * Clients that could not be connected to the target; what came on a connection and could not be received for want of descriptors or
 * memory, which breaks it, or passed on, which is tried again; and accepts that failed. What is tried again is told once, however often
 * that is; a line each, at most ten thousand. They are taken with this, if there is room for all. Also of a stopped proxy.
 *
 * @param proxy     any proxy
 * @param buffer    room for the text and a NUL; may be NULL if capacity is 0
 * @param capacity  bytes of room
 * @param needed    out, may be NULL: bytes that the text needs, with its NUL; those that come meanwhile change that
 * @return MOORLINE_OK; MOORLINE_BUFFER_TOO_SMALL (the buffer gets an empty string, nothing is taken); MOORLINE_INVALID_ARGUMENT;
 *         MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_proxy_take_failures(moorline_proxy *proxy,
                                             char *buffer,
                                             size_t capacity,
                                             size_t *needed);

/**
 * Stops listening, waits until the conversations have ended by themselves, and at the deadline breaks them.
 *
 * @param proxy       any proxy
 * @param timeout_ms  how long to wait, in milliseconds; -1 for ever, 0 not at all
 * @return MOORLINE_OK; MOORLINE_WOULD_BLOCK, MOORLINE_TIMED_OUT (some were broken); MOORLINE_CLOSED (another thread destroyed the
 *         proxy, or stopped it earlier, which broke some); MOORLINE_INVALID_STATE (in a forked child); MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE;
 *         MOORLINE_WRONG_KIND; the system's reason when the socket file could not be removed
 *
 * Blocks until the timeout. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_proxy_stop(moorline_proxy *proxy,
                                    int64_t timeout_ms);

/**
 * Stops the proxy, which breaks the conversations, and makes its handle stale. A stop that waits ends with MOORLINE_CLOSED.
 *
 * @param proxy  any proxy
 * @return MOORLINE_OK; MOORLINE_STALE_HANDLE (as when destroyed twice); MOORLINE_WRONG_KIND; MOORLINE_INVALID_ARGUMENT
 *
 * Blocks as little as moorline_server_close. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_proxy_destroy(moorline_proxy *proxy);

/**
 * Reads a file that a tap has recorded.
 *
 * @param path       the file's path; a relative one is from the working directory
 * @param recording  out: the new handle, to be destroyed by the caller
 * @return MOORLINE_OK; MOORLINE_MALFORMED (it is not such a file: moorline_last_error names the line and what is wrong in it);
 *         MOORLINE_NOT_FOUND; MOORLINE_PERMISSION_DENIED; MOORLINE_LIMIT_REACHED; MOORLINE_INVALID_ARGUMENT; MOORLINE_OS_ERROR
 *
 * Blocks only for the file system. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_recording_read(const char *path,
                                        moorline_recording **recording);

/**
 * The text of a recording, as in its file, without comments.
 *
 * @param recording  any recording
 * @param buffer     room for the text and a NUL; may be NULL if capacity is 0
 * @param capacity   bytes of room
 * @param needed     out, may be NULL: bytes that the text needs, with its NUL
 * @return MOORLINE_OK; MOORLINE_BUFFER_TOO_SMALL (the buffer gets an empty string); MOORLINE_INVALID_ARGUMENT;
 *         MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_recording_text(moorline_recording *recording,
                                        char *buffer,
                                        size_t capacity,
                                        size_t *needed);

/**
 * How much a recording has.
 *
 * @param recording    any recording
 * @param connections  out, may be NULL: connections
 * @param entries      out, may be NULL: things that happened, which is lines of its text but the first
 * @return MOORLINE_OK; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_recording_size(moorline_recording *recording,
                                        size_t *connections,
                                        size_t *entries);

/**
 * Plays the clients' part to a server, each connection when what came before it in the recording has been played or is being
 * played.
 *
 * @param recording    any recording
 * @param server_name  the server's name: a plain name, or an absolute path
 * @param options      may be NULL: the defaults
 * @param timeout_ms   how long all of it may take, in milliseconds; -1 for ever
 * @param report       out, may be NULL: what was played; with its struct_size set by the caller
 * @return MOORLINE_OK (the server did what it does in the recording); MOORLINE_MISMATCH (it did something else: the report says
 *         where, and moorline_last_error what); MOORLINE_WOULD_BLOCK, MOORLINE_TIMED_OUT (not all was played in time);
 *         MOORLINE_CLOSED (another thread destroyed the recording meanwhile); MOORLINE_LIMIT_REACHED (no descriptors or threads
 *         left); as moorline_socket_connect; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Blocks until all is played, or the timeout. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_recording_play_clients(moorline_recording *recording,
                                                const char *server_name,
                                                const moorline_replay_options *options,
                                                int64_t timeout_ms,
                                                moorline_replay_report *report);

/**
 * Plays the server's part to clients, which connect to a server that listens: the first to come has the part of the first
 * connection, and so on.
 *
 * @param recording   any recording
 * @param server      a server that listens
 * @param options     may be NULL: the defaults
 * @param timeout_ms  how long all of it may take, in milliseconds; -1 for ever
 * @param report      out, may be NULL: what was played; with its struct_size set by the caller
 * @return MOORLINE_OK (the clients did what they do in the recording); MOORLINE_MISMATCH (one did something else: the report says
 *         where, and moorline_last_error what); MOORLINE_WOULD_BLOCK, MOORLINE_TIMED_OUT (not all clients came, or not all was
 *         played, in time); MOORLINE_CLOSED (another thread destroyed the recording or the server meanwhile);
 *         MOORLINE_LIMIT_REACHED (no descriptors or threads left); as moorline_server_accept; MOORLINE_INVALID_ARGUMENT;
 *         MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Blocks until all is played, or the timeout. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_recording_play_server(moorline_recording *recording,
                                               moorline_server *server,
                                               const moorline_replay_options *options,
                                               int64_t timeout_ms,
                                               moorline_replay_report *report);

/**
 * Makes the handle stale. A play ends with MOORLINE_CLOSED.
 *
 * @param recording  any recording
 * @return MOORLINE_OK; MOORLINE_STALE_HANDLE (as when destroyed twice); MOORLINE_WRONG_KIND; MOORLINE_INVALID_ARGUMENT
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_recording_destroy(moorline_recording *recording);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* MOORLINE_TESTKIT_H */

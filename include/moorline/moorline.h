/*
 * Moorline: local sockets whose lifetimes cannot go wrong.
 *
 * Generated from the sources in src/ffi/ by `MOORLINE_REWRITE_HEADER=1 cargo test --test header`.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Conventions:
 * - A handle is a number in the shape of a pointer and is never dereferenced. NULL, stale and foreign handles and those of
 *   another type are answered with a status, whatever the order of calls and the number of threads.
 * - Every function may be called from any thread at any time. Closing or destroying a handle ends the calls that wait on it.
 * - Nothing waits longer than its timeout: milliseconds, -1 for ever, 0 not at all.
 * - Every output is written on every path; it is zero on failure unless its description says otherwise.
 * - Option structs begin with their own size. Begin with their initialiser; zero in any other field is its default.
 * - A forked child destroys what it has of its parent's handles, or lets it be: the parent does not notice, and nothing waits.
 *   Other calls with such a handle may wait for threads that only the parent has, and destroying it ends no wait of the child's.
 * - A failure leaves its details for moorline_last_error and moorline_last_os_error of the same thread.
 */

#ifndef MOORLINE_H
#define MOORLINE_H

#include <stddef.h>
#include <stdint.h>

/* The version of this header. moorline_version() tells the library's. */
#define MOORLINE_VERSION "0.1.0"
#define MOORLINE_VERSION_MAJOR 0
#define MOORLINE_VERSION_MINOR 1
#define MOORLINE_VERSION_PATCH 0

/* Ignoring a status warns at compile time. */
#if defined(__cplusplus) && __cplusplus >= 201703L
#define MOORLINE_NODISCARD [[nodiscard]]
#elif defined(__GNUC__)
#define MOORLINE_NODISCARD __attribute__((warn_unused_result))
#else
#define MOORLINE_NODISCARD
#endif

/* Initialisers: the size of the struct, and zero, which is the default, in every field. */
#define MOORLINE_SERVER_OPTIONS_INIT {sizeof(moorline_server_options), 0, 0, 0, 0, NULL, NULL, NULL}
#define MOORLINE_SOCKET_OPTIONS_INIT {sizeof(moorline_socket_options), 0, 0, 0, NULL, NULL, 0, 0}
#define MOORLINE_MESSAGE_OPTIONS_INIT {sizeof(moorline_message_options), 0, 0, 0, 0, 0, NULL, 0, 0}
#define MOORLINE_POLLER_OPTIONS_INIT {sizeof(moorline_poller_options), 0, NULL}
#define MOORLINE_SERVICE_OPTIONS_INIT \
  {sizeof(moorline_service_options), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL}
#define MOORLINE_SERVICE_CALLBACKS_INIT \
  {sizeof(moorline_service_callbacks), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL}
#define MOORLINE_EXCHANGE_OPTIONS_INIT {sizeof(moorline_exchange_options), 0, 0, 0, 0, 0, 0, NULL, NULL}
#define MOORLINE_CLOSE_REPORT_INIT {sizeof(moorline_close_report), 0, 0, 0}
#define MOORLINE_CREDENTIALS_INIT {sizeof(moorline_credentials), 0, 0, 0}
#define MOORLINE_SERVICE_REPORT_INIT {sizeof(moorline_service_report), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
#define MOORLINE_SOCKET_STATS_INIT {sizeof(moorline_socket_stats), 0, 0, 0, 0, 0, 0, 0}
#define MOORLINE_SERVER_STATS_INIT {sizeof(moorline_server_stats), 0, 0}
#define MOORLINE_POLICY_INIT {sizeof(moorline_policy), 0, 0, NULL, 0, NULL, 0, NULL, NULL, NULL}
#define MOORLINE_EXCHANGE_REPORT_INIT {sizeof(moorline_exchange_report), 0, 0, 0, 0}

/**
 * Changes when a caller has to be compiled anew; the soname has it too.
 */
#define MOORLINE_ABI_VERSION 0

/**
 * Sleep at once: a value of busy_poll_us.
 */
#define MOORLINE_BUSY_POLL_NEVER UINT32_MAX

/**
 * Plain names are in the temporary directory, as Qt's are: TMPDIR, else /tmp.
 */
#define MOORLINE_SCOPE_TEMPORARY 0

/**
 * Plain names are in the user's own runtime directory: XDG_RUNTIME_DIR.
 */
#define MOORLINE_SCOPE_RUNTIME 1

/**
 * Names are in Linux's abstract namespace: no file, no permissions.
 */
#define MOORLINE_SCOPE_ABSTRACT 2

/**
 * Data, the end of the peer's stream, or a connection to accept.
 */
#define MOORLINE_READABLE 1

/**
 * Room to send. To be asked for after a send that fell short: otherwise nearly every wait finds it.
 */
#define MOORLINE_WRITABLE 2

/**
 * The peer has ended its sending direction, or the connection. Reported, never asked for; the end of the sending direction alone only to
 * who asks for MOORLINE_READABLE.
 */
#define MOORLINE_HANGUP 4

/**
 * Report each change once instead of as long as it lasts: who is told reads until WOULD_BLOCK and sends until WOULD_BLOCK. Less than
 * asked for is the end of what is there, too, unless the peer sends descriptors or out of band (MSG_OOB): the system ends a
 * receive with those, and what is behind them is told with what comes next. Now and then a change is reported twice. Asked for, never reported.
 */
#define MOORLINE_EDGE 8

/**
 * There is nothing of that name.
 */
#define MOORLINE_NAME_ABSENT 0

/**
 * A socket file that no server listens on any more.
 */
#define MOORLINE_NAME_DEAD 1

/**
 * A server has it.
 */
#define MOORLINE_NAME_LIVE 2

/**
 * Something has it that is no socket.
 */
#define MOORLINE_NAME_OCCUPIED 3

/**
 * Connect only to a server of the same user, or of root.
 */
#define MOORLINE_TRUST_SAME_USER 0

/**
 * Connect to anyone's server.
 */
#define MOORLINE_TRUST_ANYONE 1

/**
 * The length first, as four bytes, most significant first: what QDataStream does with a QByteArray.
 */
#define MOORLINE_FRAMING_BIG_ENDIAN 1

/**
 * The length first, as four bytes, least significant first.
 */
#define MOORLINE_FRAMING_LITTLE_ENDIAN 2

/**
 * A line feed after each message, which has none itself. A carriage return before it is dropped when received.
 */
#define MOORLINE_FRAMING_LINES 3

/**
 * A handshake; then a length, a CRC32C and the message.
 */
#define MOORLINE_FRAMING_CHECKED 4

/**
 * Whoever could connect.
 */
#define MOORLINE_POLICY_EVERYONE 0

/**
 * The effective user of this process.
 */
#define MOORLINE_POLICY_SAME_USER 1

/**
 * The effective user of this process, and root.
 */
#define MOORLINE_POLICY_SAME_USER_OR_ROOT 2

/**
 * The listed users, and those whose effective group is listed. Nobody else, not even this user.
 */
#define MOORLINE_POLICY_LISTED 3

/**
 * Whoever the function admits.
 */
#define MOORLINE_POLICY_CUSTOM 4

/**
 * The values of `moorline_status`. New ones are only ever appended.
 */
enum moorline_status_code
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * It worked.
   */
  MOORLINE_OK = 0,
  /**
   * The call would have had to wait, and its timeout was 0.
   */
  MOORLINE_WOULD_BLOCK = 1,
  /**
   * The timeout passed.
   */
  MOORLINE_TIMED_OUT = 2,
  /**
   * This side closed or destroyed the object, perhaps while the call was waiting.
   */
  MOORLINE_CLOSED = 3,
  /**
   * The peer has gone, and all that it sent was read.
   */
  MOORLINE_DISCONNECTED = 4,
  /**
   * The handle was destroyed, or never was one.
   */
  MOORLINE_STALE_HANDLE = 5,
  /**
   * The handle is one of another type.
   */
  MOORLINE_WRONG_KIND = 6,
  /**
   * NULL where something is needed, or a number out of its range.
   */
  MOORLINE_INVALID_ARGUMENT = 7,
  /**
   * The object is not in a state in which the call makes sense.
   */
  MOORLINE_INVALID_STATE = 8,
  /**
   * The name can't be one.
   */
  MOORLINE_NAME_INVALID = 9,
  /**
   * The name is longer than the system allows.
   */
  MOORLINE_NAME_TOO_LONG = 10,
  /**
   * Somebody serves that name, or something that is no socket has it.
   */
  MOORLINE_NAME_IN_USE = 11,
  /**
   * There is nothing of that name, or its directory is missing.
   */
  MOORLINE_NOT_FOUND = 12,
  /**
   * The system forbids it, or the trust that was asked for, or the peer takes no descriptors.
   */
  MOORLINE_PERMISSION_DENIED = 13,
  /**
   * The name is there, but nobody listens.
   */
  MOORLINE_CONNECTION_REFUSED = 14,
  /**
   * Descriptors, memory or a limit of an option are used up.
   */
  MOORLINE_LIMIT_REACHED = 15,
  /**
   * A message is larger than agreed.
   */
  MOORLINE_MESSAGE_TOO_LARGE = 16,
  /**
   * The peer sent something that the protocol does not allow.
   */
  MOORLINE_MALFORMED = 17,
  /**
   * What came back is not what was sent, or the two sides disagree.
   */
  MOORLINE_MISMATCH = 18,
  /**
   * This system can't do it.
   */
  MOORLINE_NOT_SUPPORTED = 19,
  /**
   * A callback asked to stop.
   */
  MOORLINE_CANCELLED = 20,
  /**
   * The caller's buffer can't hold the result.
   */
  MOORLINE_BUFFER_TOO_SMALL = 21,
  /**
   * The system refused for a reason that has no status of its own; moorline_last_os_error tells its number.
   */
  MOORLINE_OS_ERROR = 22,
  /**
   * A bug of the library: a panic that was caught.
   */
  MOORLINE_INTERNAL = 23,
  /**
   * A validator or a policy of this side refused it.
   */
  MOORLINE_REFUSED = 24,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum moorline_status_code moorline_status_code;
#else
typedef int32_t moorline_status_code;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * A clock that a test moves. It is made with moorline/testkit.h. Any thread may use it at any time.
 */
typedef struct moorline_clock moorline_clock;

/**
 * A connection of a service, which owns it: the handle is stale once its `disconnected` callback has returned. Any
 * thread may use it at any time.
 */
typedef struct moorline_connection moorline_connection;

/**
 * What a test wants to go wrong. It is made with moorline/testkit.h. Any thread may use it at any time.
 */
typedef struct moorline_fault_plan moorline_fault_plan;

/**
 * Watches servers and sockets. Any thread may use it at any time; one at a time waits.
 */
typedef struct moorline_poller moorline_poller;

/**
 * A server: listens under a name, accepts connections. Any thread may use it at any time.
 */
typedef struct moorline_server moorline_server;

/**
 * A server on threads of its own. Any thread may use it at any time.
 */
typedef struct moorline_service moorline_service;

/**
 * A connected socket. Any thread may use it at any time.
 */
typedef struct moorline_socket moorline_socket;

/**
 * What a function answers: one of the values of `moorline_status_code`. An integer, because a later version may know more
 * values than this one.
 */
typedef int32_t moorline_status;

/**
 * How messages are sent and received. Begin with MOORLINE_MESSAGE_OPTIONS_INIT and set framing; zero in another field is its
 * default.
 */
typedef struct {
  /**
   * sizeof(moorline_message_options).
   */
  size_t struct_size;
  /**
   * MOORLINE_FRAMING_*. It has no default.
   */
  uint32_t framing;
  /**
   * What the handshake of checked frames compares, beside the name. With another framing 0.
   */
  uint32_t application_version;
  /**
   * The largest message in bytes, sent or received. 0: 16 MiB.
   */
  size_t max_message;
  /**
   * Milliseconds that the rest of a message may take once its first byte came. 0: as long as it likes.
   */
  uint32_t message_timeout_ms;
  /**
   * Milliseconds that the peer may take for its part of the handshake of checked frames. 0: 10,000.
   */
  uint32_t handshake_timeout_ms;
  /**
   * What the handshake of checked frames compares: the application's name, UTF-8, at most 255 bytes; copied. NULL: "", as
   * it has to be with another framing.
   */
  const char *application;
  /**
   * Descriptors taken with one message at most; more end the connection. 0: none is taken: the kernel turns away who sends some
   * (Linux 6.16 and newer, but for adopted sockets) or closes them.
   */
  uint32_t max_descriptors;
  /**
   * Zero.
   */
  uint32_t reserved;
} moorline_message_options;

/**
 * Who is at the other end. Begin with MOORLINE_CREDENTIALS_INIT.
 */
typedef struct {
  /**
   * sizeof(moorline_credentials).
   */
  size_t struct_size;
  /**
   * Effective user.
   */
  uint32_t uid;
  /**
   * Effective group.
   */
  uint32_t gid;
  /**
   * Process, -1 where the system does not tell. It may have ended since, and the number may be another's.
   */
  int64_t pid;
} moorline_credentials;

/**
 * Whom a server takes connections from, by the kernel's word, before the first byte is read. It comes after the permissions of
 * the socket file; abstract names have only this. Begin with MOORLINE_POLICY_INIT.
 */
typedef struct {
  /**
   * sizeof(moorline_policy).
   */
  size_t struct_size;
  /**
   * MOORLINE_POLICY_*.
   */
  uint32_t rule;
  /**
   * Zero.
   */
  uint32_t reserved;
  /**
   * MOORLINE_POLICY_LISTED: user ids; copied.
   */
  const uint32_t *users;
  /**
   * How many.
   */
  size_t user_count;
  /**
   * MOORLINE_POLICY_LISTED: group ids; copied.
   */
  const uint32_t *groups;
  /**
   * How many.
   */
  size_t group_count;
  /**
   * MOORLINE_POLICY_CUSTOM: says of a peer whether it may connect; 0 turns it away. Called by the thread that accepts. It must
   * return: no exception, no longjmp.
   */
  int32_t (*admits)(void *context, const moorline_credentials *peer);
  /**
   * What `admits` gets as its first argument. The caller's; it must live as long as the server, or until `release`.
   */
  void *context;
  /**
   * MOORLINE_POLICY_CUSTOM: called once, with the context, when `admits` will not be called any more: by the last call that
   * uses the server, on whichever thread, or by the create that fails; but not by one that says of this struct, or of the options
   * that it is in, that struct_size is wrong or something is set that is not known. NULL: nothing is. It must return: no
   * exception, no longjmp.
   */
  void (*release)(void *context);
} moorline_policy;

/**
 * How a server listens. Begin with MOORLINE_SERVER_OPTIONS_INIT; zero in a field is its default.
 */
typedef struct {
  /**
   * sizeof(moorline_server_options).
   */
  size_t struct_size;
  /**
   * MOORLINE_SCOPE_*: where plain names live.
   */
  uint32_t scope;
  /**
   * Permission bits of the socket file, exactly these whatever the umask; who may write may connect. 0: 0600, this user
   * only. Abstract names have no permissions. Without the owner's right to write, a name whose server was killed is not
   * recovered.
   */
  uint32_t mode;
  /**
   * Connections that may wait to be accepted, exactly. 0: as many as the system allows.
   */
  uint32_t backlog;
  /**
   * Of the accepted sockets, as in moorline_socket_options.
   */
  size_t send_queue_limit;
  /**
   * Of the accepted sockets, as in moorline_socket_options.
   */
  const moorline_message_options *messages;
  /**
   * Whom connections are taken from; copied. NULL: everyone.
   */
  const moorline_policy *policy;
  /**
   * What a test wants to go wrong with the connections, and with accepting them: moorline/testkit.h. NULL: nothing, which costs
   * nothing.
   */
  const moorline_fault_plan *faults;
} moorline_server_options;

/**
 * How a socket connects and sends. Begin with MOORLINE_SOCKET_OPTIONS_INIT; zero in a field is its default.
 */
typedef struct {
  /**
   * sizeof(moorline_socket_options).
   */
  size_t struct_size;
  /**
   * MOORLINE_SCOPE_*: where plain names live.
   */
  uint32_t scope;
  /**
   * MOORLINE_TRUST_*: whose server to connect to. It is checked before anything is sent.
   */
  uint32_t trust;
  /**
   * Bytes that sending keeps for later when the kernel takes no more, of messages one more than that. 0: sending waits for the kernel
   * instead. What is kept goes out with the next sends, receives, waits and flushes, and while those wait that find it when they
   * begin; nothing else sends it.
   */
  size_t send_queue_limit;
  /**
   * Messages instead of a stream of bytes; copied. NULL: a stream of bytes.
   */
  const moorline_message_options *messages;
  /**
   * What a test wants to go wrong with the connection, of which this is the client's side: moorline/testkit.h. NULL: nothing, which costs nothing.
   */
  const moorline_fault_plan *faults;
  /**
   * As in moorline_poller_options, of a receive that waits.
   */
  uint32_t busy_poll_us;
  /**
   * Zero.
   */
  uint32_t reserved;
} moorline_socket_options;

/**
 * What became of everything that a socket was given. Begin with MOORLINE_CLOSE_REPORT_INIT.
 */
typedef struct {
  /**
   * sizeof(moorline_close_report).
   */
  size_t struct_size;
  /**
   * Bytes that the kernel took, over the socket's life.
   */
  uint64_t sent;
  /**
   * Bytes that sending accepted and the kernel never got.
   */
  uint64_t unsent;
  /**
   * Bytes received, over the socket's life.
   */
  uint64_t received;
} moorline_close_report;

/**
 * Sees a message before it is delivered: 0 refuses it and ends the connection. It must return: no exception, no longjmp.
 */
typedef int32_t (*moorline_validator)(void *context, const void *data, size_t length);

/**
 * How a poller waits. Begin with MOORLINE_POLLER_OPTIONS_INIT; zero in a field is its default.
 */
typedef struct {
  /**
   * sizeof(moorline_poller_options).
   */
  size_t struct_size;
  /**
   * Microseconds to look again and again before sleeping, at each wait: a waking thread costs tens of them. 0: some 50, as long
   * as that pays, and ever less often where it does not. MOORLINE_BUSY_POLL_NEVER: sleep at once.
   */
  uint32_t busy_poll_us;
  /**
   * What the timeouts of the waits run on: moorline/testkit.h. NULL: the system's clock.
   */
  const moorline_clock *clock;
} moorline_poller_options;

/**
 * What a wait found.
 */
typedef struct {
  /**
   * The number that the server or socket was added with.
   */
  uint64_t token;
  /**
   * MOORLINE_READABLE, MOORLINE_WRITABLE and MOORLINE_HANGUP. The end of a connection counts as readable, and if nothing
   * can be sent any more as writable too.
   */
  uint32_t readiness;
  /**
   * Zero.
   */
  uint32_t reserved;
} moorline_event;

/**
 * How a service runs. Begin with MOORLINE_SERVICE_OPTIONS_INIT; zero in a field is its default.
 */
typedef struct {
  /**
   * sizeof(moorline_service_options).
   */
  size_t struct_size;
  /**
   * As in moorline_server_options.
   */
  uint32_t scope;
  /**
   * As in moorline_server_options.
   */
  uint32_t mode;
  /**
   * As in moorline_server_options.
   */
  uint32_t backlog;
  /**
   * Threads, each serving its share of the connections. 0: one.
   */
  uint32_t workers;
  /**
   * Bytes queued to one peer at most, of messages one more than that. 0: 1 MiB.
   */
  size_t queue_limit;
  /**
   * Above so many queued bytes, nothing more is read from that peer. 0: half the limit.
   */
  size_t high_water;
  /**
   * At so few queued bytes, reading goes on. 0: a quarter of high_water.
   */
  size_t low_water;
  /**
   * As in moorline_poller_options.
   */
  uint32_t busy_poll_us;
  /**
   * Connections at once; more are closed as soon as they come. 0: as many as there are descriptors.
   */
  uint32_t max_connections;
  /**
   * Connections accepted in a second at most, on average; more wait in the backlog. 0: as many as come.
   */
  uint32_t connection_rate;
  /**
   * Milliseconds that a connection may be without a byte in either direction before it ends with MOORLINE_TIMED_OUT. What other
   * threads send that need not be queued is noticed only when they are over, and begins them anew; on a clock that a test moves
   * it does so from the send on. 0: for ever.
   */
  uint32_t idle_timeout_ms;
  /**
   * Milliseconds that a connection which closes may be without sending anything of what is queued; the rest is dropped then.
   * 0: 10,000.
   */
  uint32_t linger_ms;
  /**
   * Zero.
   */
  uint32_t reserved;
  /**
   * Messages instead of a stream of bytes; copied. NULL: a stream of bytes.
   */
  const moorline_message_options *messages;
  /**
   * As in moorline_server_options.
   */
  const moorline_policy *policy;
  /**
   * As in moorline_server_options.
   */
  const moorline_fault_plan *faults;
  /**
   * What its deadlines run on, except that of stopping: moorline/testkit.h. NULL: the system's clock.
   */
  const moorline_clock *clock;
} moorline_service_options;

/**
 * What a service calls. Begin with MOORLINE_SERVICE_CALLBACKS_INIT; each callback may be NULL.
 *
 * They are called on the service's threads, for one connection one after another, and with several workers for different
 * connections at the same time. They must return: no exception, no longjmp. They may call any function of the library,
 * except that stopping or destroying their own service answers MOORLINE_INVALID_STATE. None is called any more after
 * moorline_service_stop has stopped it, or after moorline_service_destroy.
 *
 * The service's threads block all signals but those of faults, and what a callback starts, a thread or a program, inherits that:
 * sigprocmask(2). A program that is to end by SIGTERM is started with another mask, as posix_spawnattr_setsigmask(3) sets it.
 */
typedef struct {
  /**
   * sizeof(moorline_service_callbacks).
   */
  size_t struct_size;
  /**
   * What the callbacks get as their first argument. The caller's; it must live as long as callbacks may come.
   */
  void *context;
  /**
   * Somebody connected.
   */
  void (*connected)(void *context, moorline_connection *connection);
  /**
   * Some bytes came: what one receive gave. They are the library's and end with the call. Descriptors that come with
   * them are closed. Not called with messages.
   */
  void (*received)(void *context, moorline_connection *connection, const void *data, size_t length);
  /**
   * The last call for this connection, whose handle is stale afterwards; moorline_connection_statistics has its numbers.
   * MOORLINE_DISCONNECTED: the peer has gone, or had ended its sending before this side closed the connection. MOORLINE_CLOSED: this
   * side closed it otherwise, or the service stops.
   * MOORLINE_TIMED_OUT: the peer was idle, or too slow with a message or its handshake, or did not read what was queued for
   * a close. MOORLINE_REFUSED: by `admits`. Others: as moorline_socket_receive and moorline_socket_receive_message; or why the
   * system did not send what was queued.
   */
  void (*disconnected)(void *context, moorline_connection *connection, moorline_status reason);
  /**
   * More than high_water bytes are queued to the peer, or a send has found no room: nothing is read from it for now. `low_water`
   * follows, unless the connection ends before.
   */
  void (*high_water)(void *context, moorline_connection *connection, size_t queued);
  /**
   * The queue has drained to low_water again, and reading goes on.
   */
  void (*low_water)(void *context, moorline_connection *connection, size_t queued);
  /**
   * Says of a message whether it may be delivered; 0 ends the connection with MOORLINE_REFUSED. NULL: all are.
   */
  int32_t (*admits)(void *context, moorline_connection *connection, const void *data, size_t length);
  /**
   * A message came. It is the library's and ends with the call. Called with messages only.
   */
  void (*message)(void *context, moorline_connection *connection, const void *data, size_t length);
  /**
   * The peer will send no more, but may still read: the connection is this side's to close. NULL: it is closed.
   */
  void (*finished)(void *context, moorline_connection *connection);
  /**
   * If not NULL it is called instead of `message`, which can take no descriptors and has them closed. The count is at most the
   * max_descriptors of the message options, often 0. Each descriptor is the callback's, to be closed by it, and close-on-exec;
   * the message and the array end with the call.
   */
  void (*message_with_descriptors)(void *context,
                                   moorline_connection *connection,
                                   const void *data,
                                   size_t length,
                                   const int *descriptors,
                                   size_t count);
} moorline_service_callbacks;

/**
 * What a service did from start to stop. Begin with MOORLINE_SERVICE_REPORT_INIT.
 */
typedef struct {
  /**
   * sizeof(moorline_service_report).
   */
  size_t struct_size;
  /**
   * Connections accepted.
   */
  uint64_t accepted;
  /**
   * Connections closed at once because of max_connections or the policy.
   */
  uint64_t refused;
  /**
   * Connections that were there when it was told to stop.
   */
  uint64_t open_at_stop;
  /**
   * Bytes received.
   */
  uint64_t received;
  /**
   * Bytes that the kernel took.
   */
  uint64_t sent;
  /**
   * Bytes that sending accepted and the kernel never got.
   */
  uint64_t unsent;
  /**
   * Connections that ended because the peer left.
   */
  uint64_t ended_by_peer;
  /**
   * Connections that this side closed.
   */
  uint64_t ended_by_us;
  /**
   * Connections whose peer was idle or too slow.
   */
  uint64_t ended_late;
  /**
   * Connections whose peer broke the protocol: MOORLINE_MALFORMED, _MISMATCH, _MESSAGE_TOO_LARGE.
   */
  uint64_t ended_malformed;
  /**
   * Connections with a message that was refused.
   */
  uint64_t ended_refused;
  /**
   * Connections that ended for another reason: limits, the system.
   */
  uint64_t ended_otherwise;
} moorline_service_report;

/**
 * What a socket or a connection has done so far. Begin with MOORLINE_SOCKET_STATS_INIT.
 */
typedef struct {
  /**
   * sizeof(moorline_socket_stats).
   */
  size_t struct_size;
  /**
   * Bytes that the kernel took.
   */
  uint64_t sent;
  /**
   * Bytes that were accepted and never sent, once it is closed.
   */
  uint64_t unsent;
  /**
   * Bytes received.
   */
  uint64_t received;
  /**
   * Messages accepted to be sent.
   */
  uint64_t messages_sent;
  /**
   * Messages delivered.
   */
  uint64_t messages_received;
  /**
   * Bytes queued to be sent, now.
   */
  uint64_t queued;
  /**
   * Bytes queued to be sent, at most.
   */
  uint64_t queue_peak;
} moorline_socket_stats;

/**
 * What a server has done so far. Begin with MOORLINE_SERVER_STATS_INIT.
 */
typedef struct {
  /**
   * sizeof(moorline_server_stats).
   */
  size_t struct_size;
  /**
   * Connections accepted.
   */
  uint64_t accepted;
  /**
   * Connections turned away by the policy.
   */
  uint64_t refused;
} moorline_server_stats;

/**
 * What to exchange. Begin with MOORLINE_EXCHANGE_OPTIONS_INIT; zero in a field is its default.
 */
typedef struct {
  /**
   * sizeof(moorline_exchange_options).
   */
  size_t struct_size;
  /**
   * As in moorline_socket_options.
   */
  uint32_t scope;
  /**
   * As in moorline_socket_options.
   */
  uint32_t trust;
  /**
   * Sockets, all connected at the same time. 0: one.
   */
  uint32_t connections;
  /**
   * As in moorline_poller_options.
   */
  uint32_t busy_poll_us;
  /**
   * Bytes of a round trip. 0: one, which is ping-pong.
   */
  size_t chunk;
  /**
   * Round trips over all connections together; each connection has one on its way at a time. 0: one a connection.
   */
  uint64_t round_trips;
  /**
   * Called on the calling thread about ten times a second, while it connects, too; and at the start, when all are connected
   * and nothing is sent yet, and at the end; 0 cancels. May be NULL. It must return: no exception, no longjmp.
   */
  int32_t (*progress)(void *context, uint64_t done, uint64_t total);
  /**
   * What `progress` gets as its first argument. The caller's.
   */
  void *context;
} moorline_exchange_options;

/**
 * What was exchanged. Begin with MOORLINE_EXCHANGE_REPORT_INIT.
 */
typedef struct {
  /**
   * sizeof(moorline_exchange_report).
   */
  size_t struct_size;
  /**
   * Round trips that came back whole and right.
   */
  uint64_t round_trips;
  /**
   * Bytes sent.
   */
  uint64_t bytes_sent;
  /**
   * Bytes received and found right.
   */
  uint64_t bytes_received;
  /**
   * Nanoseconds from the first send to the last receive; connecting is not in it.
   */
  uint64_t duration_ns;
} moorline_exchange_report;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The name of a status without its prefix, as "NAME_IN_USE".
 *
 * @param status  any number
 * @return static text; "UNKNOWN" for a number that this version does not know
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD const char *moorline_status_name(moorline_status status);

/**
 * The version of the library that is loaded, as "0.1.0". The header's own is in MOORLINE_VERSION.
 *
 * @return static text
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD const char *moorline_version(void);

/**
 * The version of the ABI of the library that is loaded. The header's own is MOORLINE_ABI_VERSION.
 *
 * @return a number that changes when callers have to be compiled anew
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD uint32_t moorline_abi_version(void);

/**
 * What the last call of this thread that failed has to say: what was tried, on which full name, and the system's words.
 * Control characters of names, as line feeds, are escapes in it, so that it is one line of a log; only the test kit's list
 * of what is left behind, its transcripts and the failures of its verdicts have lines. A call that succeeds leaves it as it
 * is; so does this function, whatever it answers.
 *
 * @param buffer    room for the text and a NUL; may be NULL if capacity is 0
 * @param capacity  bytes of room
 * @param needed    out, may be NULL: bytes that the text needs, with its NUL
 * @return MOORLINE_OK; MOORLINE_BUFFER_TOO_SMALL (the buffer gets an empty string); MOORLINE_INVALID_ARGUMENT
 *
 * Does not block. Any thread; each has its own.
 */
MOORLINE_NODISCARD
moorline_status moorline_last_error(char *buffer,
                                    size_t capacity,
                                    size_t *needed);

/**
 * The system's number for the last failure of this thread: errno on Unix.
 *
 * @return 0 if the system had no part in it, or nothing has failed yet
 *
 * Does not block. Any thread; each has its own.
 */
MOORLINE_NODISCARD int32_t moorline_last_os_error(void);

/**
 * How many handles were made and not destroyed, of every type, leak guards too. Connections are their service's.
 *
 * @param count  out: the number, of the whole process
 * @return MOORLINE_OK; MOORLINE_INVALID_ARGUMENT
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_live_handles(size_t *count);

/**
 * A line for each handle that was made and not destroyed: its type, value, name, age, and where it was made if
 * moorline_handle_set_origin told.
 *
 * @param buffer    room for the text and a NUL; may be NULL if capacity is 0
 * @param capacity  bytes of room
 * @param needed    out, may be NULL: bytes that the text needs, with its NUL; handles made meanwhile change that
 * @return MOORLINE_OK; MOORLINE_BUFFER_TOO_SMALL (the buffer gets an empty string); MOORLINE_INVALID_ARGUMENT
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_live_handles_report(char *buffer,
                                             size_t capacity,
                                             size_t *needed);

/**
 * Notes where in the caller's code a handle was made, for moorline_live_handles_report and leak guards. The C++ header
 * does it by itself.
 *
 * @param handle  a handle of any type but moorline_connection, which is its service's
 * @param file    the file's name; copied
 * @param line    the line
 * @return MOORLINE_OK; MOORLINE_STALE_HANDLE; MOORLINE_INVALID_ARGUMENT
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_handle_set_origin(const void *handle,
                                           const char *file,
                                           uint32_t line);

/**
 * Where the socket of a name is.
 *
 * @param name      a plain name, or an absolute path
 * @param scope     MOORLINE_SCOPE_*
 * @param buffer    room for the full name and a NUL; may be NULL if capacity is 0
 * @param capacity  bytes of room
 * @param needed    out, may be NULL: bytes that the full name needs, with its NUL
 * @return MOORLINE_OK; MOORLINE_NAME_INVALID; MOORLINE_NAME_TOO_LONG; MOORLINE_NOT_FOUND or MOORLINE_PERMISSION_DENIED
 *         (there is no runtime directory, or it is not this user's alone); MOORLINE_BUFFER_TOO_SMALL;
 *         MOORLINE_INVALID_ARGUMENT
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_name_resolve(const char *name,
                                      uint32_t scope,
                                      char *buffer,
                                      size_t capacity,
                                      size_t *needed);

/**
 * What stands at a name now. Does not disturb a server that is there.
 *
 * @param name   a plain name, or an absolute path
 * @param scope  MOORLINE_SCOPE_*, not abstract
 * @param state  out: MOORLINE_NAME_ABSENT, _DEAD, _LIVE or _OCCUPIED
 * @return MOORLINE_OK; as moorline_name_resolve; MOORLINE_PERMISSION_DENIED; MOORLINE_NOT_SUPPORTED for an abstract name;
 *         MOORLINE_LIMIT_REACHED
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_name_state(const char *name,
                                    uint32_t scope,
                                    uint32_t *state);

/**
 * Removes the socket file of a name, also a live server's: an explicit take-over, which that server will not notice.
 * moorline_server_listen recovers dead names by itself and needs no such help.
 *
 * @param name   a plain name, or an absolute path
 * @param scope  MOORLINE_SCOPE_*, not abstract
 * @return MOORLINE_OK, also if there was nothing; MOORLINE_NAME_IN_USE if what is there is no socket, which is left alone;
 *         as moorline_name_resolve; MOORLINE_PERMISSION_DENIED; MOORLINE_NOT_SUPPORTED for an abstract name;
 *         MOORLINE_LIMIT_REACHED
 *
 * Does not block, except for milliseconds while others take or give back names of the directory. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_name_remove(const char *name,
                                     uint32_t scope);

/**
 * Makes a server, which does not listen yet.
 *
 * @param options  may be NULL: the defaults
 * @param server   out: the new handle, to be destroyed by the caller
 * @return MOORLINE_OK; MOORLINE_INVALID_ARGUMENT; MOORLINE_LIMIT_REACHED; MOORLINE_STALE_HANDLE, MOORLINE_WRONG_KIND
 *         (options->faults)
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_server_create(const moorline_server_options *options,
                                       moorline_server **server);

/**
 * Listens under a name. When this returns, the name leads here. A name whose server died is taken over, if this user may
 * write to its file; a live server's never.
 *
 * @param server  a server that does not listen
 * @param name    a plain name, or an absolute path
 * @return MOORLINE_OK; MOORLINE_NAME_IN_USE (a server has it, or something that is no socket; or a socket file that this user
 *         may not write to, of which nobody can tell whether its server is alive); MOORLINE_NAME_INVALID;
 *         MOORLINE_NAME_TOO_LONG; MOORLINE_NOT_FOUND (its directory is missing); MOORLINE_PERMISSION_DENIED (also: the
 *         name is dead, and this user may not remove it or not read the directory, as recovering takes);
 *         MOORLINE_INVALID_STATE (it listens already, or another thread is just making it listen); MOORLINE_CLOSED (another
 *         thread closed or destroyed it meanwhile); MOORLINE_LIMIT_REACHED; MOORLINE_INVALID_ARGUMENT (also: the mode has
 *         more than permission bits); MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND; MOORLINE_OS_ERROR
 *
 * Does not block, except for milliseconds while a dead name is recovered, and at most for a second if somebody keeps its
 * directory locked; nobody else waits for that. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_server_listen(moorline_server *server,
                                       const char *name);

/**
 * Listens under a new name that nobody has: the prefix, the process and sixty-four random bits.
 * moorline_server_full_name tells it.
 *
 * @param server  a server that does not listen
 * @param prefix  what the name begins with
 * @return as moorline_server_listen
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_server_listen_unique(moorline_server *server,
                                              const char *prefix);

/**
 * Listens under an abstract name of any bytes, NULs too, whatever options.scope says.
 *
 * @param server  a server that does not listen
 * @param name    the bytes, all of which count
 * @param length  how many, 1 to 107
 * @return MOORLINE_OK; MOORLINE_NAME_IN_USE; MOORLINE_NAME_INVALID; MOORLINE_NAME_TOO_LONG; MOORLINE_INVALID_STATE (it
 *         listens already); MOORLINE_CLOSED (another thread closed or destroyed it meanwhile); MOORLINE_LIMIT_REACHED;
 *         MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND; MOORLINE_OS_ERROR
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_server_listen_abstract(moorline_server *server,
                                                const void *name,
                                                size_t length);

/**
 * Whether the server's name is in the abstract namespace, which moorline_server_full_name does not tell.
 *
 * @param server       a server that listens
 * @param is_abstract  out: 1 if so, otherwise 0
 * @return MOORLINE_OK; MOORLINE_INVALID_STATE (it does not listen); MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE;
 *         MOORLINE_WRONG_KIND
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_server_is_abstract(moorline_server *server,
                                            uint32_t *is_abstract);

/**
 * Listens with a socket that was made to listen elsewhere, as by a service manager. The file of its name, if it has one,
 * is never removed.
 *
 * @param server      a server that does not listen
 * @param descriptor  a listening local stream socket; the server's from MOORLINE_OK on, and made non-blocking and
 *                    close-on-exec; otherwise the caller's still
 * @return MOORLINE_OK; MOORLINE_INVALID_ARGUMENT (it is not such a socket); MOORLINE_INVALID_STATE (the server listens
 *         already); MOORLINE_CLOSED (another thread has just destroyed it); MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_server_listen_descriptor(moorline_server *server,
                                                  int descriptor);

/**
 * The full name to connect to: the path, or the abstract name. Empty for an adopted socket without a name.
 *
 * @param server    a server that listens
 * @param buffer    room for the name and a NUL; may be NULL if capacity is 0
 * @param capacity  bytes of room
 * @param needed    out, may be NULL: bytes that the name needs, with its NUL
 * @return MOORLINE_OK; MOORLINE_BUFFER_TOO_SMALL (the buffer gets an empty string); MOORLINE_INVALID_STATE (it does not
 *         listen); MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_server_full_name(moorline_server *server,
                                          char *buffer,
                                          size_t capacity,
                                          size_t *needed);

/**
 * Accepts the next connection.
 *
 * @param server      a server that listens
 * @param timeout_ms  how long to wait for one, in milliseconds; -1 for ever, 0 not at all
 * @param socket      out: the new handle, to be destroyed by the caller
 * @return MOORLINE_OK; MOORLINE_WOULD_BLOCK, MOORLINE_TIMED_OUT (there was none in time); MOORLINE_CLOSED (another thread
 *         closed or destroyed the server meanwhile); MOORLINE_LIMIT_REACHED (no descriptor left: it listens still, the
 *         connection waits); MOORLINE_PERMISSION_DENIED (somebody was turned away by the policy: call again);
 *         MOORLINE_INVALID_STATE (it does not listen); MOORLINE_INVALID_ARGUMENT;
 *         MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Blocks until the timeout. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_server_accept(moorline_server *server,
                                       int64_t timeout_ms,
                                       moorline_socket **socket);

/**
 * The descriptor, for asking the system about it and setting options. Accepting, closing or waiting for it is the library's, and so
 * is what comes beside the bytes: SO_PASSCRED, SO_PASSRIGHTS and their like.
 *
 * @param server      a server that listens
 * @param descriptor  out: its number, which is the server's until it is closed
 * @return MOORLINE_OK; MOORLINE_INVALID_STATE (it does not listen); MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE;
 *         MOORLINE_WRONG_KIND
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_server_descriptor(moorline_server *server,
                                           ptrdiff_t *descriptor);

/**
 * Stops listening and gives the name back. Calls that wait or are just making it listen end with MOORLINE_CLOSED,
 * connections that nobody accepted are reset, accepted ones live on. The server may listen again. That it does not listen
 * is fine. While another thread closes it, this waits until that is done, so that the name is free afterwards.
 *
 * @param server  any server
 * @return MOORLINE_OK; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND; MOORLINE_INVALID_ARGUMENT; the system's reason when the
 *         file could not be removed, and even then it does not listen any more
 *
 * Does not block, except for milliseconds while a name of the same directory is recovered or taken over. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_server_close(moorline_server *server);

/**
 * Closes the server, as moorline_server_close does, and makes its handle stale. Calls that wait end with MOORLINE_CLOSED.
 *
 * @param server  any server
 * @return MOORLINE_OK; MOORLINE_STALE_HANDLE (as when destroyed twice); MOORLINE_WRONG_KIND; MOORLINE_INVALID_ARGUMENT
 *
 * Blocks as little as moorline_server_close. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_server_destroy(moorline_server *server);

/**
 * Connects to a server. Waits while its backlog is full.
 *
 * @param name        a plain name, or an absolute path
 * @param options     may be NULL: the defaults
 * @param timeout_ms  how long to wait, in milliseconds; -1 for ever, 0 not at all
 * @param socket      out: the new handle, to be destroyed by the caller
 * @return MOORLINE_OK; MOORLINE_NOT_FOUND (there is no such name); MOORLINE_CONNECTION_REFUSED (nobody listens there);
 *         MOORLINE_PERMISSION_DENIED (by the system, or the server is not of a user that options->trust allows);
 *         MOORLINE_WOULD_BLOCK, MOORLINE_TIMED_OUT (the backlog stayed full); MOORLINE_LIMIT_REACHED;
 *         MOORLINE_NAME_INVALID; MOORLINE_NAME_TOO_LONG; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE,
 *         MOORLINE_WRONG_KIND (options->faults); MOORLINE_OS_ERROR
 *
 * Blocks until the timeout. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_socket_connect(const char *name,
                                        const moorline_socket_options *options,
                                        int64_t timeout_ms,
                                        moorline_socket **socket);

/**
 * Connects to the server of an abstract name of any bytes, NULs too, whatever options->scope says.
 *
 * @param name        the bytes, all of which count
 * @param length      how many, 1 to 107
 * @param options     may be NULL: the defaults
 * @param timeout_ms  how long to wait, in milliseconds; -1 for ever, 0 not at all
 * @param socket      out: the new handle, to be destroyed by the caller
 * @return as moorline_socket_connect; MOORLINE_CONNECTION_REFUSED: there is no such name
 *
 * Blocks until the timeout. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_socket_connect_abstract(const void *name,
                                                 size_t length,
                                                 const moorline_socket_options *options,
                                                 int64_t timeout_ms,
                                                 moorline_socket **socket);

/**
 * Makes two sockets that are connected to each other. options->faults are those of the first, as of a client.
 *
 * @param options  may be NULL: the defaults
 * @param first    out: the one handle, to be destroyed by the caller
 * @param second   out: the other handle, likewise
 * @return MOORLINE_OK; MOORLINE_LIMIT_REACHED; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE, MOORLINE_WRONG_KIND
 *         (options->faults)
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_socket_pair(const moorline_socket_options *options,
                                     moorline_socket **first,
                                     moorline_socket **second);

/**
 * Takes over a connected socket.
 *
 * @param descriptor  a connected local stream socket; the new socket's from MOORLINE_OK on, and made non-blocking and
 *                    close-on-exec; otherwise the caller's still
 * @param options     may be NULL: the defaults; scope and trust don't matter here
 * @param socket      out: the new handle, to be destroyed by the caller
 * @return MOORLINE_OK; MOORLINE_INVALID_ARGUMENT (also: it is not such a socket); MOORLINE_LIMIT_REACHED (too many handles
 *         are alive, or there are no descriptors for its faults; the descriptor is closed); MOORLINE_STALE_HANDLE,
 *         MOORLINE_WRONG_KIND (options->faults)
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_socket_adopt_descriptor(int descriptor,
                                                 const moorline_socket_options *options,
                                                 moorline_socket **socket);

/**
 * Gives the descriptor away, still connected, and destroys the socket. From then on it is passed descriptors as any socket is, for
 * whoever else has a descriptor of it, too.
 *
 * @param socket      any socket; its handle is stale from MOORLINE_OK on
 * @param descriptor  out: the descriptor, to be closed by the caller; non-blocking and close-on-exec
 * @return MOORLINE_OK; MOORLINE_INVALID_STATE (something is queued to be sent, or a send is under way: flush first; or a
 *         message or a part of one was read ahead and nobody has received it, or a receive of a message is under way);
 *         MOORLINE_CLOSED; MOORLINE_LIMIT_REACHED; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Does not block. Any thread. Other calls that wait end with MOORLINE_CLOSED.
 */
MOORLINE_NODISCARD
moorline_status moorline_socket_release_descriptor(moorline_socket *socket,
                                                   ptrdiff_t *descriptor);

/**
 * The descriptor, for asking the system about it and setting options. Reading, writing, closing or waiting for it is the
 * library's, and so is what comes beside the bytes: SO_PASSCRED, SO_PASSRIGHTS and their like.
 *
 * @param socket      a socket that is not closed
 * @param descriptor  out: its number, which is the socket's until it is closed
 * @return MOORLINE_OK; MOORLINE_CLOSED; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_socket_descriptor(moorline_socket *socket,
                                           ptrdiff_t *descriptor);

/**
 * Sends all the data. What one call sends is never mixed with what other threads send on the same socket.
 *
 * @param socket      any socket
 * @param data        what to send; may be NULL if length is 0
 * @param length      bytes
 * @param timeout_ms  how long to wait for room, in milliseconds; -1 for ever, 0 not at all
 * @param sent        out: how many bytes the kernel, or the queue of options.send_queue_limit, has taken; all on
 *                    MOORLINE_OK, perhaps some otherwise
 * @return MOORLINE_OK (all was taken); MOORLINE_WOULD_BLOCK, MOORLINE_TIMED_OUT (not all, in time); MOORLINE_DISCONNECTED
 *         (the peer has gone); MOORLINE_CLOSED; MOORLINE_INVALID_STATE (the socket has messages); MOORLINE_LIMIT_REACHED;
 *         MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Blocks until the timeout. Any thread. Raises no SIGPIPE.
 */
MOORLINE_NODISCARD
moorline_status moorline_socket_send(moorline_socket *socket,
                                     const void *data,
                                     size_t length,
                                     int64_t timeout_ms,
                                     size_t *sent);

/**
 * Sends or queues all the data or nothing, and does not wait. There must be room for all of it in the queue of
 * options.send_queue_limit.
 *
 * @param socket  any socket
 * @param data    what to send; may be NULL if length is 0
 * @param length  bytes
 * @return MOORLINE_OK; MOORLINE_WOULD_BLOCK (there is no room for all of it now, or another thread's send is under way);
 *         MOORLINE_INVALID_ARGUMENT (also: more than options.send_queue_limit); MOORLINE_DISCONNECTED (the peer has gone);
 *         MOORLINE_CLOSED; MOORLINE_INVALID_STATE (the socket has messages); MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Does not block. Any thread. Raises no SIGPIPE.
 */
MOORLINE_NODISCARD
moorline_status moorline_socket_try_send(moorline_socket *socket,
                                         const void *data,
                                         size_t length);

/**
 * Receives what is there, at least one byte. What is queued to be sent when it begins goes out while it waits.
 *
 * @param socket      any socket
 * @param buffer      where to put it
 * @param capacity    bytes of room, at least 1
 * @param timeout_ms  how long to wait for the first byte, in milliseconds; -1 for ever, 0 not at all
 * @param received    out: how many bytes came
 * @return MOORLINE_OK; MOORLINE_WOULD_BLOCK, MOORLINE_TIMED_OUT (nothing came in time); MOORLINE_DISCONNECTED (the peer has
 *         gone, or will send no more, and all it sent was read); MOORLINE_CLOSED; MOORLINE_INVALID_STATE (the socket has
 *         messages); MOORLINE_LIMIT_REACHED; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Blocks until the timeout. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_socket_receive(moorline_socket *socket,
                                        void *buffer,
                                        size_t capacity,
                                        int64_t timeout_ms,
                                        size_t *received);

/**
 * Sends what is queued.
 *
 * @param socket      any socket
 * @param timeout_ms  how long to wait for room, in milliseconds; -1 for ever, 0 not at all
 * @return MOORLINE_OK (nothing is queued any more); MOORLINE_WOULD_BLOCK, MOORLINE_TIMED_OUT; MOORLINE_DISCONNECTED;
 *         MOORLINE_CLOSED; MOORLINE_LIMIT_REACHED; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Blocks until the timeout. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_socket_flush(moorline_socket *socket,
                                      int64_t timeout_ms);

/**
 * Waits until a receive or a send would not wait. What is queued to be sent when it begins goes out meanwhile. Messages that another
 * thread's receive reads ahead meanwhile do not end it.
 *
 * @param socket      any socket
 * @param interest    MOORLINE_READABLE or MOORLINE_WRITABLE, or both
 * @param timeout_ms  how long to wait, in milliseconds; -1 for ever, 0 not at all
 * @param ready       out: which of MOORLINE_READABLE, MOORLINE_WRITABLE and MOORLINE_HANGUP is so
 * @return MOORLINE_OK; MOORLINE_WOULD_BLOCK, MOORLINE_TIMED_OUT; MOORLINE_CLOSED; MOORLINE_LIMIT_REACHED;
 *         MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Blocks until the timeout. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_socket_wait(moorline_socket *socket,
                                     uint32_t interest,
                                     int64_t timeout_ms,
                                     uint32_t *ready);

/**
 * Who is at the other end, by the kernel's word: for the connecting side the process that called listen.
 *
 * @param socket       a socket that is not closed
 * @param credentials  out: with its struct_size set by the caller
 * @return MOORLINE_OK; MOORLINE_CLOSED; MOORLINE_NOT_SUPPORTED; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE;
 *         MOORLINE_WRONG_KIND
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_socket_peer_credentials(moorline_socket *socket,
                                                 moorline_credentials *credentials);

/**
 * A descriptor of the process at the other end (a pidfd), which, unlike its number, never comes to mean another process.
 *
 * @param socket      a socket that is not closed
 * @param descriptor  out: the pidfd, to be closed by the caller; close-on-exec
 * @return MOORLINE_OK; MOORLINE_NOT_SUPPORTED (as on Linux before 6.5); MOORLINE_NOT_FOUND (the process has ended and is
 *         forgotten); MOORLINE_CLOSED; MOORLINE_LIMIT_REACHED; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE;
 *         MOORLINE_WRONG_KIND
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_socket_peer_process(moorline_socket *socket,
                                             ptrdiff_t *descriptor);

/**
 * Ends the calls of other threads that wait, with MOORLINE_CLOSED; sends what is queued until the timeout; closes. It is closed
 * whatever this answers but MOORLINE_INVALID_ARGUMENT. Closing again only reports; while another call sends what is queued, it ends
 * that at its own timeout. The handle is to be destroyed still.
 *
 * @param socket      any socket
 * @param timeout_ms  how long to wait for what is queued to go out, in milliseconds; -1 for ever, 0 not at all
 * @param report      out, may be NULL: what became of everything; with its struct_size set by the caller
 * @return MOORLINE_OK; MOORLINE_WOULD_BLOCK, MOORLINE_TIMED_OUT, MOORLINE_DISCONNECTED, MOORLINE_LIMIT_REACHED
 *         (report->unsent bytes were lost, and why); MOORLINE_CLOSED (likewise: it was closed before, or
 *         meanwhile destroyed, or closed by a call that waited less); MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE;
 *         MOORLINE_WRONG_KIND
 *
 * Blocks until the timeout. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_socket_close(moorline_socket *socket,
                                      int64_t timeout_ms,
                                      moorline_close_report *report);

/**
 * Ends one direction; the other works on. Ending the sending one sends what is queued first: sends answer MOORLINE_CLOSED from
 * then on, and the peer sees the end of the stream. Ending the receiving one makes the peer's sends fail, but for one that waits
 * for room already: the system does not tell that one before there is some. What has come already can be read.
 *
 * @param socket      any socket
 * @param direction   MOORLINE_WRITABLE: sending; MOORLINE_READABLE: receiving
 * @param timeout_ms  how long to wait for what is queued to go out, in milliseconds; -1 for ever, 0 not at all
 * @return MOORLINE_OK; MOORLINE_WOULD_BLOCK, MOORLINE_TIMED_OUT (something is queued still, nothing has ended);
 *         MOORLINE_DISCONNECTED; MOORLINE_CLOSED; MOORLINE_LIMIT_REACHED; MOORLINE_INVALID_ARGUMENT;
 *         MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Blocks until the timeout. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_socket_shutdown(moorline_socket *socket,
                                         uint32_t direction,
                                         int64_t timeout_ms);

/**
 * As moorline_socket_close, without sending what is queued.
 *
 * @param socket  any socket
 * @param report  out, may be NULL: what became of everything; with its struct_size set by the caller
 * @return MOORLINE_OK; MOORLINE_CLOSED (report->unsent bytes were lost); MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE;
 *         MOORLINE_WRONG_KIND
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_socket_abort(moorline_socket *socket,
                                      moorline_close_report *report);

/**
 * Closes the socket without sending what is queued, and makes its handle stale. Calls that wait end with MOORLINE_CLOSED.
 *
 * @param socket  any socket
 * @return MOORLINE_OK; MOORLINE_STALE_HANDLE (as when destroyed twice); MOORLINE_WRONG_KIND; MOORLINE_INVALID_ARGUMENT
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_socket_destroy(moorline_socket *socket);

/**
 * Sends a message, whole or not at all. The kernel may take a part of it only: the rest is queued then, beyond the limit of the
 * queue if need be, and goes out until the timeout and with the following calls; what never does is counted by close.
 *
 * @param socket      a socket with messages
 * @param data        the message; may be NULL if length is 0
 * @param length      bytes
 * @param timeout_ms  how long to wait for room, in milliseconds; -1 for ever, 0 not at all
 * @return MOORLINE_OK (it is on its way, whole); MOORLINE_WOULD_BLOCK, MOORLINE_TIMED_OUT (nothing could be sent in time);
 *         MOORLINE_MESSAGE_TOO_LARGE (more than either side takes); MOORLINE_INVALID_STATE (the socket has no framing);
 *         MOORLINE_DISCONNECTED; MOORLINE_CLOSED (also: without a queue, while the rest of it goes out, which the close that ends
 *         this still sends, and counts if it does not); MOORLINE_MISMATCH, MOORLINE_MALFORMED (the peer's part of the
 *         handshake was wrong); MOORLINE_LIMIT_REACHED; MOORLINE_INVALID_ARGUMENT (also: a line with a line feed in it, or a
 *         carriage return at its end); MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Blocks until the timeout. Any thread; messages of several threads don't mix.
 */
MOORLINE_NODISCARD
moorline_status moorline_socket_send_message(moorline_socket *socket,
                                             const void *data,
                                             size_t length,
                                             int64_t timeout_ms);

/**
 * As moorline_socket_send_message, and sends duplicates of descriptors with the message.
 *
 * @param socket       a socket with messages
 * @param data         the message; may be NULL if length is 0
 * @param length       bytes
 * @param descriptors  open descriptors, which stay the caller's
 * @param count        how many, at most 253: unix(7)
 * @param timeout_ms   how long to wait for room, in milliseconds; -1 for ever, 0 not at all
 * @return as moorline_socket_send_message; MOORLINE_LIMIT_REACHED (too many descriptors); MOORLINE_PERMISSION_DENIED (the peer
 *         takes none; where the system does not tell, the message arrives without them); MOORLINE_INVALID_ARGUMENT (also: one is
 *         negative, or not open)
 *
 * Blocks until the timeout. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_socket_send_message_with_descriptors(moorline_socket *socket,
                                                              const void *data,
                                                              size_t length,
                                                              const int *descriptors,
                                                              size_t count,
                                                              int64_t timeout_ms);

/**
 * Receives a message.
 *
 * A socket with messages has read more than the one: after a poller's report, receive until MOORLINE_WOULD_BLOCK, whatever
 * the trigger, or until moorline_socket_may_have_message says no, which costs less. Where several threads receive only the latter
 * tells: MOORLINE_WOULD_BLOCK may only mean that another thread was receiving.
 *
 * @param socket      a socket with messages
 * @param buffer      where to put it; may be NULL if capacity is 0. All of it may be written to, whatever comes
 * @param capacity    bytes of room
 * @param timeout_ms  how long to wait for it, in milliseconds; -1 for ever, 0 not at all
 * @param length      out: the message's length; with MOORLINE_BUFFER_TOO_SMALL too
 * @return MOORLINE_OK; MOORLINE_BUFFER_TOO_SMALL (the message stays); MOORLINE_WOULD_BLOCK, MOORLINE_TIMED_OUT (none came in
 *         time); MOORLINE_DISCONNECTED (the peer has gone, and all it sent was read); MOORLINE_CLOSED;
 *         MOORLINE_INVALID_STATE (the socket has no framing); MOORLINE_LIMIT_REACHED (no descriptors to wait with);
 *         MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND. These end the connection:
 *         MOORLINE_MESSAGE_TOO_LARGE; MOORLINE_MALFORMED; MOORLINE_MISMATCH (the handshake); MOORLINE_REFUSED (by the validator);
 *         MOORLINE_LIMIT_REACHED when moorline_last_error says that descriptors came, too many or more than this process may have;
 *         MOORLINE_TIMED_OUT when it says that the peer took too long
 *
 * Blocks until the timeout. Any thread; each gets whole messages.
 */
MOORLINE_NODISCARD
moorline_status moorline_socket_receive_message(moorline_socket *socket,
                                                void *buffer,
                                                size_t capacity,
                                                int64_t timeout_ms,
                                                size_t *length);

/**
 * Tells whether a receive may find another message without waiting.
 *
 * It may if one is there already, if the last receive took what had come before it or left something with the system, if nothing
 * was received yet, or if another thread is receiving. If not, a poller tells of what comes next, whatever the trigger, as after MOORLINE_WOULD_BLOCK; but
 * after its report of MOORLINE_HANGUP the end of the stream is still to be received.
 *
 * @param socket  a socket with messages
 * @param may     out: 1 if it may, else 0
 * @return MOORLINE_OK; MOORLINE_INVALID_STATE (the socket has no framing); MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE;
 *         MOORLINE_WRONG_KIND
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_socket_may_have_message(const moorline_socket *socket,
                                                 uint32_t *may);

/**
 * As moorline_socket_receive_message, and gives the descriptors that came with the message.
 *
 * @param socket      a socket with messages
 * @param buffer      where to put the message; may be NULL if capacity is 0. All of it may be written to, whatever comes
 * @param capacity    bytes of room
 * @param timeout_ms  how long to wait for it, in milliseconds; -1 for ever, 0 not at all
 * @param length      out: the message's length; with MOORLINE_BUFFER_TOO_SMALL too
 * @param descriptors where to put the descriptors, to be closed by the caller; close-on-exec
 * @param room        how many there is room for: the max_descriptors of the options are enough; more are closed
 * @param count       out: how many there are
 * @return as moorline_socket_receive_message
 *
 * Blocks until the timeout. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_socket_receive_message_with_descriptors(moorline_socket *socket,
                                                                 void *buffer,
                                                                 size_t capacity,
                                                                 int64_t timeout_ms,
                                                                 size_t *length,
                                                                 int *descriptors,
                                                                 size_t room,
                                                                 size_t *count);

/**
 * Lets a function see each message first, in the thread that receives it. When it refuses one, that receive answers
 * MOORLINE_REFUSED and the connection ends. Meanwhile receives of other threads wait for it, until the socket is closed; it must not
 * receive from the socket itself. Receives that are under way when another takes its place, or the socket is destroyed, may call
 * it still.
 *
 * @param socket     a socket with messages
 * @param validator  may be NULL: all messages are delivered
 * @param context    what it gets as its first argument; the caller's; it must live until such receives have returned, too
 * @return MOORLINE_OK; MOORLINE_INVALID_STATE (the socket has no framing); MOORLINE_INVALID_ARGUMENT;
 *         MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_socket_set_validator(moorline_socket *socket,
                                              moorline_validator validator,
                                              void *context);

/**
 * The largest message that both sides take, as far as is known: the other side of checked frames tells its own with its part of
 * the handshake, which a send or a receive takes note of; of others only this side's is known.
 *
 * @param socket       a socket with messages
 * @param max_message  out: bytes
 * @return MOORLINE_OK; MOORLINE_INVALID_STATE (the socket has no framing); MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE;
 *         MOORLINE_WRONG_KIND
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_socket_max_message(const moorline_socket *socket,
                                            size_t *max_message);

/**
 * What the other side of checked frames said that it is, once it has.
 *
 * @param socket    a socket with checked frames
 * @param buffer    room for the application's name and a NUL; may be NULL if capacity is 0
 * @param capacity  bytes of room
 * @param needed    out, may be NULL: bytes that the name needs, with its NUL
 * @param version   out: the application's version
 * @return MOORLINE_OK; MOORLINE_WOULD_BLOCK (it has not said so yet); MOORLINE_BUFFER_TOO_SMALL; MOORLINE_INVALID_STATE (the
 *         socket has no checked frames); MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_socket_peer_application(moorline_socket *socket,
                                                 char *buffer,
                                                 size_t capacity,
                                                 size_t *needed,
                                                 uint32_t *version);

/**
 * Makes a poller that watches nothing yet.
 *
 * @param options  may be NULL: the defaults
 * @param poller   out: the new handle, to be destroyed by the caller
 * @return MOORLINE_OK; MOORLINE_LIMIT_REACHED; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE, MOORLINE_WRONG_KIND
 *         (options->clock)
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_poller_create(const moorline_poller_options *options,
                                       moorline_poller **poller);

/**
 * Watches a socket. Events are reported as long as they last, unless MOORLINE_EDGE is asked for.
 *
 * @param poller    any poller
 * @param socket    a socket that is in no poller
 * @param interest  MOORLINE_READABLE, MOORLINE_WRITABLE, MOORLINE_EDGE; neither direction: never reported for now
 * @param token     what events about it carry
 * @return MOORLINE_OK; MOORLINE_INVALID_STATE (it is in a poller); MOORLINE_CLOSED; MOORLINE_LIMIT_REACHED;
 *         MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Does not block. Any thread, also while another waits. Closing or destroying the socket removes it.
 */
MOORLINE_NODISCARD
moorline_status moorline_poller_add_socket(moorline_poller *poller,
                                           moorline_socket *socket,
                                           uint32_t interest,
                                           uint64_t token);

/**
 * Changes what is looked for at a socket. What is ready now is reported anew.
 *
 * @param poller    any poller
 * @param socket    a socket that is in this poller
 * @param interest  as in moorline_poller_add_socket
 * @param token     what events about it carry from now on
 * @return MOORLINE_OK; MOORLINE_INVALID_STATE (it is not in this poller); MOORLINE_CLOSED; MOORLINE_INVALID_ARGUMENT;
 *         MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Does not block. Any thread, also while another waits.
 */
MOORLINE_NODISCARD
moorline_status moorline_poller_modify_socket(moorline_poller *poller,
                                              moorline_socket *socket,
                                              uint32_t interest,
                                              uint64_t token);

/**
 * Stops watching a socket. No wait that begins later reports it; one that is under way in another thread may still.
 *
 * @param poller  any poller
 * @param socket  a socket that is in this poller
 * @return MOORLINE_OK; MOORLINE_INVALID_STATE (it is not in this poller); MOORLINE_CLOSED; MOORLINE_INVALID_ARGUMENT;
 *         MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Does not block. Any thread, also while another waits.
 */
MOORLINE_NODISCARD
moorline_status moorline_poller_remove_socket(moorline_poller *poller,
                                              moorline_socket *socket);

/**
 * Watches a server: it is readable when there may be a connection to accept.
 *
 * @param poller    any poller
 * @param server    a server that listens and is in no poller; closing it removes it
 * @param interest  MOORLINE_READABLE, MOORLINE_EDGE; not readable: never reported for now
 * @param token     what events about it carry
 * @return MOORLINE_OK; MOORLINE_INVALID_STATE (it is in a poller, or does not listen); MOORLINE_CLOSED;
 *         MOORLINE_LIMIT_REACHED; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Does not block. Any thread, also while another waits.
 */
MOORLINE_NODISCARD
moorline_status moorline_poller_add_server(moorline_poller *poller,
                                           moorline_server *server,
                                           uint32_t interest,
                                           uint64_t token);

/**
 * Changes what is looked for at a server. What is ready now is reported anew.
 *
 * @param poller    any poller
 * @param server    a server that is in this poller
 * @param interest  as in moorline_poller_add_server
 * @param token     what events about it carry from now on
 * @return MOORLINE_OK; MOORLINE_INVALID_STATE (it is not in this poller, or does not listen); MOORLINE_CLOSED;
 *         MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Does not block. Any thread, also while another waits.
 */
MOORLINE_NODISCARD
moorline_status moorline_poller_modify_server(moorline_poller *poller,
                                              moorline_server *server,
                                              uint32_t interest,
                                              uint64_t token);

/**
 * Stops watching a server. No wait that begins later reports it; one that is under way in another thread may still.
 *
 * @param poller  any poller
 * @param server  a server that is in this poller
 * @return MOORLINE_OK; MOORLINE_INVALID_STATE (it is not in this poller, or does not listen); MOORLINE_INVALID_ARGUMENT;
 *         MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Does not block. Any thread, also while another waits.
 */
MOORLINE_NODISCARD
moorline_status moorline_poller_remove_server(moorline_poller *poller,
                                              moorline_server *server);

/**
 * Waits until something is ready.
 *
 * @param poller      any poller
 * @param events      where to put what was found
 * @param capacity    how many events there is room for, at least 1; what does not fit is reported by the next wait
 * @param timeout_ms  how long to wait, in milliseconds; -1 for ever, 0 not at all
 * @param count       out: how many were found
 * @return MOORLINE_OK (with count 0: moorline_poller_wake ended the wait); MOORLINE_WOULD_BLOCK, MOORLINE_TIMED_OUT (nothing
 *         was ready in time); MOORLINE_CLOSED (another thread closed or destroyed the poller); MOORLINE_INVALID_ARGUMENT;
 *         MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND; MOORLINE_OS_ERROR
 *
 * Blocks until the timeout. Any thread; one at a time waits for events, others wait for their turn.
 */
MOORLINE_NODISCARD
moorline_status moorline_poller_wait(moorline_poller *poller,
                                     moorline_event *events,
                                     size_t capacity,
                                     int64_t timeout_ms,
                                     size_t *count);

/**
 * Looks again and again for something that is ready, as a wait of so long, but never sleeps, whatever the options say: for event
 * loops of others, which go on when nothing was found, and sleep themselves until the poller's descriptor is readable. It uses the
 * processor meanwhile, and offers it to others from time to time. The duration is the system's, whatever the clock of the poller.
 *
 * @param poller       any poller
 * @param events       where to put what was found
 * @param capacity     how many events there is room for, at least 1; what does not fit is reported by the next wait
 * @param duration_us  how long to look, in microseconds; 0 once
 * @param count        out: how many were found
 * @return MOORLINE_OK (with count 0: moorline_poller_wake ended it); MOORLINE_WOULD_BLOCK (nothing was ready, and it was to look
 *         once), MOORLINE_TIMED_OUT (nothing was ready in time); MOORLINE_CLOSED (another thread closed or destroyed the poller);
 *         MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND; MOORLINE_OS_ERROR
 *
 * Blocks for the duration. Any thread; one at a time looks or waits for events, others wait for their turn.
 */
MOORLINE_NODISCARD
moorline_status moorline_poller_look(moorline_poller *poller,
                                     moorline_event *events,
                                     size_t capacity,
                                     uint32_t duration_us,
                                     size_t *count);

/**
 * Ends the wait that is under way, or else the next one, which answers MOORLINE_OK with what is ready then, often nothing. Whom it is to
 * tell something looks for that after every wait, not only after one with count 0.
 *
 * @param poller  any poller
 * @return MOORLINE_OK; MOORLINE_CLOSED; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND;
 *         MOORLINE_OS_ERROR
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_poller_wake(moorline_poller *poller);

/**
 * A descriptor that any other event loop can watch for reading: it is readable when a wait with timeout 0 may return
 * something. Reading from it is the library's.
 *
 * @param poller      any poller
 * @param descriptor  out: its number, which is the poller's until it is destroyed
 * @return MOORLINE_OK; MOORLINE_CLOSED; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_poller_descriptor(moorline_poller *poller,
                                           ptrdiff_t *descriptor);

/**
 * Ends every wait with MOORLINE_CLOSED, now and later. What the poller watched stays open.
 *
 * @param poller  any poller
 * @return MOORLINE_OK; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD moorline_status moorline_poller_close(moorline_poller *poller);

/**
 * Closes the poller and makes its handle stale. What it watched stays open, and may join another.
 *
 * @param poller  any poller
 * @return MOORLINE_OK; MOORLINE_STALE_HANDLE (as when destroyed twice); MOORLINE_WRONG_KIND; MOORLINE_INVALID_ARGUMENT
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_poller_destroy(moorline_poller *poller);

/**
 * Makes a service, which does not run yet.
 *
 * @param options    may be NULL: the defaults
 * @param callbacks  copied; may be NULL: it sends back what it gets
 * @param service    out: the new handle, to be destroyed by the caller
 * @return MOORLINE_OK; MOORLINE_INVALID_ARGUMENT (also: not low_water < high_water < queue_limit); MOORLINE_LIMIT_REACHED;
 *         MOORLINE_STALE_HANDLE, MOORLINE_WRONG_KIND (options->faults, options->clock)
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_service_create(const moorline_service_options *options,
                                        const moorline_service_callbacks *callbacks,
                                        moorline_service **service);

/**
 * Starts the service under a name. When this returns, it listens.
 *
 * @param service  a service that does not run
 * @param name     a plain name, or an absolute path
 * @return as moorline_server_listen; MOORLINE_INVALID_STATE (it runs already, or another thread is just starting it);
 *         MOORLINE_CLOSED (another thread stopped or destroyed it meanwhile); MOORLINE_LIMIT_REACHED (no descriptors or
 *         threads left)
 *
 * Blocks as little as moorline_server_listen. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_service_start(moorline_service *service,
                                       const char *name);

/**
 * Starts the service under a new name that nobody has. moorline_service_full_name tells it.
 *
 * @param service  a service that does not run
 * @param prefix   what the name begins with
 * @return as moorline_service_start
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_service_start_unique(moorline_service *service,
                                              const char *prefix);

/**
 * The full name to connect to.
 *
 * @param service   a service that runs
 * @param buffer    room for the name and a NUL; may be NULL if capacity is 0
 * @param capacity  bytes of room
 * @param needed    out, may be NULL: bytes that the name needs, with its NUL
 * @return MOORLINE_OK; MOORLINE_BUFFER_TOO_SMALL (the buffer gets an empty string); MOORLINE_INVALID_STATE (it does not
 *         run); MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_service_full_name(moorline_service *service,
                                           char *buffer,
                                           size_t capacity,
                                           size_t *needed);

/**
 * Stops: gives the name back, sends what is queued until the timeout, closes the connections and ends the threads. To who does
 * not read, it sends no longer than linger_ms, even if it may wait for ever. As soon as a connection's
 * thread has heard of it, after the callback that it is in, sends to the connection end with MOORLINE_CLOSED, also those that wait for
 * room. The service may start again.
 *
 * @param service     a service that runs
 * @param timeout_ms  how long to wait for what is queued to go out, in milliseconds; -1 for ever, 0 not at all
 * @param report      out, may be NULL: what it did since it started; with its struct_size set by the caller
 * @return MOORLINE_OK; MOORLINE_WOULD_BLOCK, MOORLINE_TIMED_OUT (it has stopped, and of the report->unsent bytes some were lost
 *         because of the timeout or linger_ms, or as the system could not send them; or, if the report is all zero, a callback
 *         or a start runs still: stop again to wait);
 *         MOORLINE_CLOSED (another thread stopped or destroyed it meanwhile, and has the report: this one is all zero);
 *         MOORLINE_INVALID_STATE (it does not run, or this is one of its callbacks); MOORLINE_INVALID_ARGUMENT;
 *         MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND; the system's reason when it has stopped and lost nothing, but the
 *         socket file could not be removed
 *
 * Blocks until the timeout, and at most 250 ms longer for a callback that runs. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_service_stop(moorline_service *service,
                                      int64_t timeout_ms,
                                      moorline_service_report *report);

/**
 * Stops the service without sending what is queued, and makes its handle stale. A call that is just starting it ends with
 * MOORLINE_CLOSED; its name is gone when this returns, and does not come any more.
 *
 * @param service  any service
 * @return MOORLINE_OK; MOORLINE_INVALID_STATE (this is one of its callbacks: nothing happened); MOORLINE_STALE_HANDLE (as
 *         when destroyed twice); MOORLINE_WRONG_KIND; MOORLINE_INVALID_ARGUMENT
 *
 * Blocks while a callback runs, so that none runs afterwards, whichever of several threads it is destroyed by; otherwise as little
 * as moorline_server_close. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_service_destroy(moorline_service *service);

/**
 * Sends all the data. When the queue is full it waits; in a callback that holds up all connections of its thread. What one
 * call sends is never mixed with what other threads send.
 *
 * @param connection  a connection that has not ended
 * @param data        what to send; may be NULL if length is 0
 * @param length      bytes
 * @param timeout_ms  how long to wait for room, in milliseconds; -1 for ever, 0 not at all
 * @param sent        out: how many bytes the kernel or the queue has taken; all on MOORLINE_OK, perhaps some otherwise
 * @return MOORLINE_OK (all was taken); MOORLINE_WOULD_BLOCK, MOORLINE_TIMED_OUT (not all, in time; the callback `low_water` will
 *         tell when to go on); MOORLINE_DISCONNECTED;
 *         MOORLINE_CLOSED (also after moorline_connection_close, and when the service stops); MOORLINE_INVALID_STATE (the
 *         service has messages); MOORLINE_LIMIT_REACHED (no descriptors to wait with); MOORLINE_INVALID_ARGUMENT;
 *         MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Blocks until the timeout. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_connection_send(moorline_connection *connection,
                                         const void *data,
                                         size_t length,
                                         int64_t timeout_ms,
                                         size_t *sent);

/**
 * Sends or queues all the data or nothing, and does not wait. There must be room for all of it in the queue.
 *
 * @param connection  a connection that has not ended
 * @param data        what to send; may be NULL if length is 0
 * @param length      bytes
 * @return MOORLINE_OK; MOORLINE_WOULD_BLOCK (there is no room for all of it now; the callback `low_water` will tell when to try
 *         again); MOORLINE_INVALID_ARGUMENT (also: more than the service's queue_limit); MOORLINE_DISCONNECTED; MOORLINE_CLOSED (also
 *         after moorline_connection_close, and when the service stops); MOORLINE_INVALID_STATE (the service has messages);
 *         MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_connection_try_send(moorline_connection *connection,
                                             const void *data,
                                             size_t length);

/**
 * Sends a message, whole or not at all. When the queue is full it waits; in a callback that holds up all connections of its
 * thread. Any room is enough for a message, so the limit and one message are queued at most.
 *
 * @param connection  a connection that has not ended, of a service with messages
 * @param data        the message; may be NULL if length is 0
 * @param length      bytes
 * @param timeout_ms  how long to wait for room, in milliseconds; -1 for ever, 0 not at all
 * @return as moorline_socket_send_message; after MOORLINE_WOULD_BLOCK and MOORLINE_TIMED_OUT the callback `low_water` will tell when
 *         to go on
 *
 * Blocks until the timeout. Any thread; messages of several threads don't mix.
 */
MOORLINE_NODISCARD
moorline_status moorline_connection_send_message(moorline_connection *connection,
                                                 const void *data,
                                                 size_t length,
                                                 int64_t timeout_ms);

/**
 * As moorline_connection_send_message, and sends duplicates of descriptors with the message. With some, the message waits for the
 * queue to be empty.
 *
 * @param connection   a connection that has not ended, of a service with messages
 * @param data         the message; may be NULL if length is 0
 * @param length       bytes
 * @param descriptors  open descriptors, which stay the caller's
 * @param count        how many, at most 253: unix(7)
 * @param timeout_ms   how long to wait for room, in milliseconds; -1 for ever, 0 not at all
 * @return as moorline_socket_send_message_with_descriptors
 *
 * Blocks until the timeout. Any thread; messages of several threads don't mix.
 */
MOORLINE_NODISCARD
moorline_status moorline_connection_send_message_with_descriptors(moorline_connection *connection,
                                                                  const void *data,
                                                                  size_t length,
                                                                  const int *descriptors,
                                                                  size_t count,
                                                                  int64_t timeout_ms);

/**
 * Ends the connection after what is queued was sent. Nothing more is read. The callback `disconnected` follows: with
 * MOORLINE_CLOSED, or with MOORLINE_DISCONNECTED if the peer had ended its sending before; or with the reason why not all that was
 * queued was sent, such as MOORLINE_TIMED_OUT.
 *
 * @param connection  a connection that has not ended
 * @return MOORLINE_OK; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_connection_close(moorline_connection *connection);

/**
 * Ends the connection and drops what is queued. The callback `disconnected` follows: with MOORLINE_CLOSED, unless the connection
 * ends for another reason just then.
 *
 * @param connection  a connection that has not ended
 * @return MOORLINE_OK; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_connection_abort(moorline_connection *connection);

/**
 * Who connected, by the kernel's word.
 *
 * @param connection   a connection that has not ended
 * @param credentials  out: with its struct_size set by the caller
 * @return MOORLINE_OK; MOORLINE_CLOSED; MOORLINE_NOT_SUPPORTED; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE;
 *         MOORLINE_WRONG_KIND
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_connection_peer_credentials(moorline_connection *connection,
                                                     moorline_credentials *credentials);

/**
 * A descriptor of the process at the other end (a pidfd), which, unlike its number, never comes to mean another process.
 *
 * @param connection  a connection that has not ended
 * @param descriptor  out: the pidfd, to be closed by the caller; close-on-exec
 * @return as moorline_socket_peer_process
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_connection_peer_process(moorline_connection *connection,
                                                 ptrdiff_t *descriptor);

/**
 * What a socket has done so far. Also of a closed one.
 *
 * @param socket      any socket
 * @param statistics  out: with its struct_size set by the caller
 * @return MOORLINE_OK; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_socket_statistics(moorline_socket *socket,
                                           moorline_socket_stats *statistics);

/**
 * What went over a connection so far; in the callback `disconnected`, all that ever did.
 *
 * @param connection  a connection that has not ended, or is just ending
 * @param statistics  out: with its struct_size set by the caller
 * @return MOORLINE_OK; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_connection_statistics(moorline_connection *connection,
                                               moorline_socket_stats *statistics);

/**
 * What a server has done so far, since it was made.
 *
 * @param server      any server
 * @param statistics  out: with its struct_size set by the caller
 * @return MOORLINE_OK; MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE; MOORLINE_WRONG_KIND
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_server_statistics(moorline_server *server,
                                           moorline_server_stats *statistics);

/**
 * What a service has done since it started; bytes and reasons count when their connection has ended.
 *
 * @param service     a service that runs
 * @param statistics  out: with its struct_size set by the caller
 * @return MOORLINE_OK; MOORLINE_INVALID_STATE (it does not run); MOORLINE_INVALID_ARGUMENT; MOORLINE_STALE_HANDLE;
 *         MOORLINE_WRONG_KIND
 *
 * Does not block. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_service_statistics(moorline_service *service,
                                            moorline_service_report *statistics);

/**
 * Connects sockets to an echo, exchanges data with it, and verifies every byte.
 *
 * @param name        the name of the echo, as for moorline_socket_connect
 * @param options     may be NULL: the defaults
 * @param timeout_ms  how long all of it may take, in milliseconds; -1 for ever
 * @param report      out, may be NULL: what was exchanged, also on failure; with its struct_size set by the caller
 * @return MOORLINE_OK (all came back, every byte right); MOORLINE_MISMATCH (moorline_last_error says on which connection and
 *         at which byte of its stream); MOORLINE_DISCONNECTED; MOORLINE_WOULD_BLOCK, MOORLINE_TIMED_OUT;
 *         MOORLINE_CANCELLED; as moorline_socket_connect; MOORLINE_INVALID_ARGUMENT (also: more than a million
 *         connections, or chunks of more than a gibibyte)
 *
 * Blocks until all is done, or the timeout. Any thread.
 */
MOORLINE_NODISCARD
moorline_status moorline_exchange_run(const char *name,
                                      const moorline_exchange_options *options,
                                      int64_t timeout_ms,
                                      moorline_exchange_report *report);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* MOORLINE_H */

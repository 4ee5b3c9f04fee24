/* What the test of handles asks of each header's functions. */
#ifndef MOORLINE_TESTS_SUPPORT_HANDLES_H
#define MOORLINE_TESTS_SUPPORT_HANDLES_H

#include "support.h"

#include <moorline/testkit.h>

enum kind {
    SERVER,
    SOCKET,
    POLLER,
    SERVICE,
    CONNECTION,
    CLOCK,
    FAULT_PLAN,
    VERDICTS,
    FIXTURE,
    LEAK_GUARD,
    PROXY,
    TAP,
    RECORDING,
    KINDS
};

/* One live and one stale handle of each kind. */
extern void *live[KINDS];
extern void *stale[KINDS];

/* `kind` is what the handle should be; KINDS means that any will do. */
struct function {
    const char *name;
    enum kind kind;
    moorline_status (*call)(void *handle);
};

#define POISON 77

#define CALLER(name, call)                    \
    static moorline_status name(void *handle) \
    {                                         \
        return call;                          \
    }

/* A function that gives a text. */
#define TEXT_CALLER(name)                                                                 \
    static moorline_status name(void *handle)                                             \
    {                                                                                     \
        char buffer[64] = "poison";                                                       \
        size_t needed = POISON;                                                           \
        moorline_status status = moorline_##name(handle, buffer, sizeof buffer, &needed); \
        CHECK_NUMBER(needed, 0);                                                          \
        CHECK_TEXT(buffer, "");                                                           \
        return status;                                                                    \
    }

/* A function that fills a struct, which it is given as "out": it is zero behind its size when the call fails. */
#define STRUCT_CALLER(name, type, call)                                   \
    static moorline_status name(void *handle)                             \
    {                                                                     \
        union {                                                           \
            type content;                                                 \
            unsigned char bytes[sizeof(type)];                            \
        } poisoned;                                                       \
        memset(&poisoned, POISON, sizeof poisoned);                       \
        type *out = &poisoned.content;                                    \
        out->struct_size = sizeof(type);                                  \
        moorline_status status = call;                                    \
        for (size_t i = sizeof(size_t); i < sizeof poisoned.bytes; i++) { \
            CHECK_NUMBER(poisoned.bytes[i], 0);                           \
        }                                                                 \
        return status;                                                    \
    }

/* Those of testkit.h: support_handles_testkit.c. */
extern const struct function testkit_functions[];
extern const size_t testkit_function_count;
/* Those that take no handle. */
extern const char *const testkit_without_handle[];
extern const size_t testkit_without_handle_count;
/* Makes a live and a stale handle of each of its kinds; destroys the live ones. */
void make_testkit_handles(void);
void destroy_testkit_handles(void);
/* Expects that each of them is stale. */
void expect_testkit_handles_stale(void);

#endif

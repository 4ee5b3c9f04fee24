/* What the tests of arguments share: structs of options, which are given in all sizes. */
#ifndef MOORLINE_TESTS_SUPPORT_OPTIONS_H
#define MOORLINE_TESTS_SUPPORT_OPTIONS_H

#include "support.h"

/* The largest size that is no garbage, and as much again. */
enum { ROOM = 4096 };

union sized {
    size_t struct_size;
    unsigned char bytes[2 * ROOM];
    max_align_t aligned;
};

struct sized_options {
    const char *name;
    size_t size;
    /* Gives them to the library, and tells what it says. */
    moorline_status (*use)(union sized *options);
};

/* Expects that they are taken in every size that a program of another version may have, and in no other. */
void check_sizes_of_options(const struct sized_options *cases, size_t count);

#endif

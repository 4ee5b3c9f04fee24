/* What the tests of the test kit share: shorthands. */
#ifndef MOORLINE_TESTS_SUPPORT_TESTKIT_H
#define MOORLINE_TESTS_SUPPORT_TESTKIT_H

#include "support.h"

#include <moorline/testkit.h>

moorline_fault_plan *plan_of(const moorline_faults *faults);
moorline_fault_counts counts_of(moorline_fault_plan *plan);
/* What a plan says that happened. */
struct path happened(moorline_fault_plan *plan);

/* A fixture that prints nothing; the other options are the defaults. */
moorline_fixture *fixture_of(const char *script);
struct path fixture_name(moorline_fixture *fixture);
moorline_fixture_stats fixture_stats(moorline_fixture *fixture);
moorline_socket *connected_to_fixture(moorline_fixture *fixture);

void send_text(moorline_socket *socket, const char *text);
/* Receives exactly as many bytes as the text has, which must be those. */
void expect_text(moorline_socket *socket, const char *text);
/* The peer ends its sending, and nothing comes before that. */
void expect_end(moorline_socket *socket);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * One valid description of every mechanism and form with every tensor that it knows, extents all
 * different, and no memory: what the tests of descriptions bend in one place at a time.
 */
#ifndef ATTUNE_TESTS_DESCRIBE_H
#define ATTUNE_TESTS_DESCRIBE_H

#include "attune/attune.h"

#define DESCRIBE_KINDS 11

const char *describe_name(int kind);
void describe_problem(struct attune_problem *problem, int kind);
/* Whether the mechanism cannot do without this input. */
int describe_is_required(int kind, enum attune_input input);

#endif

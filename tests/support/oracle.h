/* SPDX-License-Identifier: Apache-2.0
 *
 * The second fp64 implementation of every mechanism, for the tests alone. It works from the problem
 * and the arguments as the caller gave them, pair by pair, in long double, and shares no code and
 * no structure with engine/reference.c: nothing is projected ahead, no weight is split.
 */
#ifndef ATTUNE_TESTS_ORACLE_H
#define ATTUNE_TESTS_ORACLE_H

#include "attune/attune.h"

/* Element of an input as a number, whatever its type. */
double oracle_element(const struct attune_problem *problem, const struct attune_args *args,
                      enum attune_input input, int64_t offset);
/* Fills value[o], packed in natural shape, for each o that is not NULL. The problem is valid. */
void oracle_run(const struct attune_problem *problem, const struct attune_args *args,
                double *value[ATTUNE_OUTPUT_COUNT]);

#endif

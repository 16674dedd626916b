/* SPDX-License-Identifier: Apache-2.0
 *
 * One valid description of every mechanism and form with every tensor that it knows, extents all
 * different, and no memory: what the tests of descriptions bend in one place at a time.
 */
#ifndef ATTUNE_TESTS_DESCRIBE_H
#define ATTUNE_TESTS_DESCRIBE_H

#include "attune/attune.h"

#define DESCRIBE_KINDS 11

/* width: of a convolution; o: columns of `out` after out_weight. */
struct describe_extents {
    int64_t b, t_q, t_k, h, g, d, e, d_q, d_k, a, c, n, s, f, width, o;
};
/* No two of them alike, so that no axis can be taken for another. */
extern const struct describe_extents describe_different;

const char *describe_name(int kind);
void describe_problem(struct attune_problem *problem, int kind);
/* The same in other sizes. */
void describe_sized(struct attune_problem *problem, int kind,
                    const struct describe_extents *extents);
/* Plain self-attention of one sequence, float32. */
struct attune_problem describe_self(int64_t heads, int64_t t, int64_t d);
/* Whether the mechanism cannot do without this input. */
int describe_is_required(int kind, enum attune_input input);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * Random problems of every mechanism and form, with a random choice of everything that a problem
 * may have. The same seed gives the same problem.
 */
#ifndef ATTUNE_TESTS_GENERATE_H
#define ATTUNE_TESTS_GENERATE_H

#include "tests/support/box.h"

/* The ten lowerings of the library. */
struct generate_kind {
    const char *name;
    enum attune_mechanism mechanism;
    enum attune_form form;
    int from_x; /* self dot over x with in_weight */
    int step;   /* recurrent */
};
extern const struct generate_kind generate_kinds[];
extern const int generate_kind_count;

struct generate_options {
    int64_t t_q, t_k; /* -1: random, small */
    int64_t batch;    /* -1: random */
    int plain;        /* no masks, windows, lengths and so on */
    int packed;       /* every tensor packed */
    int only_f32;
    int all_outputs; /* out, alignments, lse and scores; else a random choice with out */
};
extern const struct generate_options generate_anything;

void generate(struct box *box, const struct generate_kind *kind,
              const struct generate_options *options, uint64_t seed);
/* Fills what no length lets anyone read with NaN; leaves tensors that share memory alone. */
void generate_poison(struct box *box);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * Scores of query rows against panels of keys. Needs a vocabulary; defines the wrappers of
 * SCORE_DOT(isa, variant, requires, rows, vectors), whose numbers are compile-time constants:
 * rows <= 12, and rows * vectors + vectors + 1 <= VREGISTERS.
 */
#include "arch/kernels.h"
#include "arch/template/dot_tile.inc.c"

/* Panels outside, rows inside: a panel stays in L1 while every row of the strip passes it. */
VINLINE void score_dot(const struct attune_score_dot_args *args, const int rows, const int vectors)
{
    const int width = vectors * VLANES;
    for (int64_t j = 0; j < args->n; j += width) {
        const float *panel = args->k + j * args->d;
        int64_t i = 0;
        for (; i + rows <= args->m; i += rows)
            dot_tile(args, args->q + i * args->ldq, panel, args->s + i * args->lds + j, rows, vectors,
                     width, NULL);
        dot_edge(args, args->q + i * args->ldq, panel, args->s + i * args->lds + j, args->m - i, rows,
                 vectors);
    }
}

#define SCORE_DOT(isa, variant, requires, rows, vectors)                                           \
    attune_score_dot_fn attune_score_dot_##isa##_##variant;                                        \
    void attune_score_dot_##isa##_##variant(const struct attune_score_dot_args *args)              \
    {                                                                                              \
        score_dot(args, rows, vectors);                                                            \
    }
#include "arch/kernels.def"

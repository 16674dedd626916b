/* SPDX-License-Identifier: Apache-2.0
 *
 * weights: a row of alignments from adjusted scores and the row's statistics. Needs a vocabulary and
 * f32_exp2.h; defines the wrappers of WEIGHTS.
 */
#include <math.h>

#include "arch/kernels.h"

/* -inf is 0 by selection, so that a row with nothing to attend, whose sum is 0, is 0 too, and a row
 * made NaN by one score keeps its masked entries at 0. */
VINLINE vf weights_vector(const struct attune_weights_args *args, vf s)
{
    const vf x = vmul(vset1(args->factor), vsub(s, vset1(args->row_max)));
    const vf w = vdiv(vexp2(x), vset1(args->row_sum));
    return vselect(veq(s, vset1(-INFINITY)), vzero(), w);
}

VINLINE void weights(const struct attune_weights_args *args)
{
    int64_t j = 0;
    for (; j + VLANES <= args->n; j += VLANES)
        vstore(args->w + j, weights_vector(args, vload(args->s + j)));
    if (j < args->n) {
        const int64_t rest = args->n - j;
        vstore_tail(args->w + j, weights_vector(args, vload_tail(args->s + j, rest)), rest);
    }
}

#define WEIGHTS(isa, variant, requires)                                                            \
    attune_weights_fn attune_weights_##isa##_##variant;                                            \
    void attune_weights_##isa##_##variant(const struct attune_weights_args *args)                  \
    {                                                                                              \
        weights(args);                                                                             \
    }
#include "arch/kernels.def"

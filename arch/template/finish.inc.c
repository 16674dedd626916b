/* SPDX-License-Identifier: Apache-2.0
 *
 * The division by the sum that ends a row. Needs a vocabulary; defines the wrapper of FINISH. A
 * division and not a product with a reciprocal: n equal integers over n must come out exact. Bound:
 * the divider, 4 to 10 cycles a vector, once a row of output.
 */
#include <float.h>

#include "arch/kernels.h"

/* 0 * x is 0 exactly where x is finite, and a denormal sum is added as it is: `flaw` stays 0 as long
 * as there is neither. */
VINLINE vf finish_vector(const struct attune_finish_args *args, vf o, vf *flaw)
{
    const vf out = vmul(vdiv(o, vset1(args->sum)), vset1(args->scale)), size = vabs(o);
    *flaw = vfma(out, vzero(), *flaw);
    *flaw = vadd(*flaw, vselect(vlt(size, vset1(FLT_MIN)), size, vzero()));
    return out;
}

VINLINE int finish(const struct attune_finish_args *args)
{
    vf flaw = vzero();
    int64_t c = 0;
    for (; c + VLANES <= args->e; c += VLANES)
        vstore(args->out + c, finish_vector(args, vload(args->o + c), &flaw));
    if (c < args->e) {
        /* The lanes beyond are 0 / sum: not of the row, so not of its flaw. */
        const int64_t left = args->e - c;
        vf rest = vzero();
        vstore_tail(args->out + c, finish_vector(args, vload_tail(args->o + c, left), &rest), left);
        flaw = vadd(flaw, vkeep(rest, left));
    }
    return vhsum(flaw) == 0.0f;
}

#define FINISH(isa, variant, requires)                                                             \
    attune_finish_fn attune_finish_##isa##_##variant;                                              \
    int attune_finish_##isa##_##variant(const struct attune_finish_args *args)                     \
    {                                                                                              \
        return finish(args);                                                                       \
    }
#include "arch/kernels.def"

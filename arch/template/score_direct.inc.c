/* SPDX-License-Identifier: Apache-2.0
 *
 * score_direct: the tanh score without expansion, for pairs out of score_tanh's range or where it is
 * too coarse. Needs a vocabulary and f32_math.h; defines the wrappers of SCORE_DIRECT.
 */
#include "arch/kernels.h"

/* Keys at once: their chains overlap. */
enum { DIRECT_KEYS = VMATH_MOST };

/* sum[i] += u tanh(x + y_i) for the next `rest` terms, or a vector of them. Lanes past the last term
 * load zeros and add u = 0 times tanh 0. */
VINLINE void direct_terms(const struct attune_score_direct_args *args, const float *y, int64_t t,
                          int whole, int keys, vf *sum)
{
    const int64_t rest = args->a - t;
    const vf x = whole ? vload(args->x + t) : vload_tail(args->x + t, rest);
    const vf u = whole ? vload(args->u + t) : vload_tail(args->u + t, rest);
    vf z[DIRECT_KEYS];
    VMATH_EACH(i, keys)
    {
        const float *at = y + i * args->ldy + t;
        z[i] = vadd(x, whole ? vload(at) : vload_tail(at, rest));
    }
    vtanh(z, keys);
    VMATH_EACH(i, keys) sum[i] = vfma(u, z[i], sum[i]);
}

VINLINE void direct_keys(const struct attune_score_direct_args *args, int64_t j, int keys)
{
    const float *y = args->y + j * args->ldy;
    vf sum[DIRECT_KEYS];
    VMATH_EACH(i, keys) sum[i] = vzero();
    int64_t t = 0;
    for (; t + VLANES <= args->a; t += VLANES) direct_terms(args, y, t, 1, keys, sum);
    if (t < args->a) direct_terms(args, y, t, 0, keys, sum);
    VMATH_EACH(i, keys) args->s[(j + i) * args->s_stride] = vhsum(sum[i]);
}

VINLINE void score_direct(const struct attune_score_direct_args *args)
{
    int64_t j = 0;
    for (; j + DIRECT_KEYS <= args->n; j += DIRECT_KEYS) direct_keys(args, j, DIRECT_KEYS);
    for (; j < args->n; j++) direct_keys(args, j, 1);
}

#define SCORE_DIRECT(isa, variant, requires)                                                       \
    attune_score_direct_fn attune_score_direct_##isa##_##variant;                                  \
    void attune_score_direct_##isa##_##variant(const struct attune_score_direct_args *args)        \
    {                                                                                              \
        score_direct(args);                                                                        \
    }
#include "arch/kernels.def"

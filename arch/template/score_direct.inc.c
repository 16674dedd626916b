/* SPDX-License-Identifier: Apache-2.0
 *
 * score_direct: the tanh score without expansion, for pairs out of score_tanh's range or where it is
 * too coarse. Needs a vocabulary and f32_math.h; defines the wrappers of SCORE_DIRECT.
 */
#include "arch/kernels.h"

/* Keys at once: their chains hide the latency of the division. */
enum { DIRECT_KEYS = 4 };

/* Lanes past the last term load zeros and add u = 0 times tanh 0. */
VINLINE void direct_keys(const struct attune_score_direct_args *args, int64_t j, int keys)
{
    const int64_t a = args->a, ldy = args->ldy;
    const float *y = args->y + j * ldy;
    vf sum[DIRECT_KEYS];
    _Pragma("GCC unroll 4") for (int i = 0; i < keys; i++) sum[i] = vzero();
    int64_t t = 0;
    for (; t + VLANES <= a; t += VLANES) {
        const vf x = vload(args->x + t), u = vload(args->u + t);
        _Pragma("GCC unroll 4") for (int i = 0; i < keys; i++) sum[i] =
            vfma(u, vtanh(vadd(x, vload(y + i * ldy + t))), sum[i]);
    }
    if (t < a) {
        const vf x = vload_tail(args->x + t, a - t), u = vload_tail(args->u + t, a - t);
        _Pragma("GCC unroll 4") for (int i = 0; i < keys; i++) sum[i] =
            vfma(u, vtanh(vadd(x, vload_tail(y + i * ldy + t, a - t))), sum[i]);
    }
    _Pragma("GCC unroll 4") for (int i = 0; i < keys; i++) args->s[(j + i) * args->s_stride] =
        vhsum(sum[i]);
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

/* SPDX-License-Identifier: Apache-2.0
 *
 * Joins the kv splits of one row. Needs a vocabulary; defines the wrapper of MERGE. Bound: reading
 * the parts once; weights are made anew for each block of columns, so that no scratch is needed.
 */
#include <float.h>

#include "arch/kernels.h"
#include "arch/simd/f32_exp2.h"

enum { MERGE_VECTORS = 4 };

/* 2^(factor (row_max - peak)) of one part, in every lane. */
VINLINE vf merge_weight(const struct attune_merge_args *args, int64_t part, float peak)
{
    const vf below = vsub(vbroadcast(args->row_max + part * args->stat_stride), vset1(peak));
    return vexp2(vmul(below, vset1(args->factor)));
}

VINLINE void merge_block(const struct attune_merge_args *args, float peak, int64_t c)
{
    vf sum[MERGE_VECTORS];
    _Pragma("GCC unroll 4") for (int v = 0; v < MERGE_VECTORS; v++) sum[v] = vzero();
    for (int64_t part = 0; part < args->parts; part++) {
        const vf weight = merge_weight(args, part, peak);
        const float *o = args->o + part * args->o_stride + c;
        _Pragma("GCC unroll 4") for (int v = 0; v < MERGE_VECTORS; v++)
            sum[v] = vfma(weight, vload(o + v * VLANES), sum[v]);
    }
    _Pragma("GCC unroll 4") for (int v = 0; v < MERGE_VECTORS; v++)
        vstore(args->out_o + c + v * VLANES, sum[v]);
}

VINLINE void merge_tail(const struct attune_merge_args *args, float peak, int64_t c, int64_t columns)
{
    vf sum = vzero();
    for (int64_t part = 0; part < args->parts; part++) {
        const vf o = vload_tail(args->o + part * args->o_stride + c, columns);
        sum = vfma(merge_weight(args, part, peak), o, sum);
    }
    vstore_tail(args->out_o + c, sum, columns);
}

VINLINE void merge(const struct attune_merge_args *args)
{
    float peak = -FLT_MAX;
    for (int64_t part = 0; part < args->parts; part++) {
        const float row_max = args->row_max[part * args->stat_stride];
        peak = row_max > peak ? row_max : peak;
    }
    vf total = vzero();
    for (int64_t part = 0; part < args->parts; part++) {
        const vf sum = vbroadcast(args->row_sum + part * args->stat_stride);
        total = vfma(merge_weight(args, part, peak), sum, total);
    }
    int64_t c = 0;
    for (; c + MERGE_VECTORS * VLANES <= args->e; c += MERGE_VECTORS * VLANES)
        merge_block(args, peak, c);
    for (; c < args->e; c += VLANES)
        merge_tail(args, peak, c, args->e - c < VLANES ? args->e - c : VLANES);
    *args->out_max = peak;
    vstore_tail(args->out_sum, total, 1);
}

#define MERGE(isa, variant, requires)                                                              \
    attune_merge_fn attune_merge_##isa##_##variant;                                                \
    void attune_merge_##isa##_##variant(const struct attune_merge_args *args)                      \
    {                                                                                              \
        merge(args);                                                                               \
    }
#include "arch/kernels.def"

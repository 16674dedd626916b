/* SPDX-License-Identifier: Apache-2.0
 *
 * expand_rows and expand_panels: e^(2x) of each side of the tanh score. Needs a vocabulary and
 * f32_math.h; defines the wrappers of EXPAND_ROWS and EXPAND_PANELS.
 */
#include "arch/kernels.h"

/* The largest |x|, which is NaN as soon as one was: the maximum drops a NaN, so those are kept aside. */
struct expand_peak {
    vf largest, nan;
};

VINLINE void expand_peak_take(struct expand_peak *peak, vf x)
{
    peak->largest = vmax(peak->largest, vabs(x));
    peak->nan = vselect(veq(x, x), peak->nan, x);
}

VINLINE vf expand_vector(vf x, struct expand_peak *peak)
{
    expand_peak_take(peak, x);
    x = vadd(x, x);
    vexp(&x, 1);
    return x;
}

/* A dropped term becomes 0 by selection: the product could be infinite or NaN. */
VINLINE vf expand_fold(vf e, vf fold)
{
    return vselect(veq(vabs(fold), vset1(ATTUNE_FOLD_DROPPED)), vzero(), vmul(e, fold));
}

VINLINE void expand_row(const struct attune_expand_rows_args *args, const float *x, float *dst,
                        float *row_peak)
{
    struct expand_peak peak = {vzero(), vzero()};
    int64_t t = 0;
    for (; t + VLANES <= args->a; t += VLANES) {
        const vf e = expand_vector(vload(x + t), &peak);
        vstore(dst + t, args->fold ? expand_fold(e, vload(args->fold + t)) : e);
    }
    if (t < args->a) {
        const int64_t rest = args->a - t;
        const vf e = expand_vector(vload_tail(x + t, rest), &peak);
        vstore_tail(dst + t, args->fold ? expand_fold(e, vload_tail(args->fold + t, rest)) : e, rest);
    }
    for (t = args->a; t < args->a_pad; t++) dst[t] = 0;
    *row_peak = vhmax(peak.largest) + vhsum(peak.nan);
}

VINLINE void expand_rows(const struct attune_expand_rows_args *args)
{
    for (int64_t i = 0; i < args->n; i++)
        expand_row(args, args->x + i * args->ldx, args->dst + i * args->ldd, args->peak + i);
}

/* VLANES keys of a panel, or the `keys` that its width leaves; padding terms are 0 and stay so. */
VINLINE void expand_lanes(const struct attune_expand_panels_args *args, float *panel, int64_t keys,
                          int64_t peaks, float *key_peak)
{
    struct expand_peak peak = {vzero(), vzero()};
    for (int64_t t = 0; t < args->a; t++, panel += args->width)
        if (keys >= VLANES)
            vstore(panel, expand_vector(vload(panel), &peak));
        else
            vstore_tail(panel, expand_vector(vload_tail(panel, keys), &peak), keys);
    if (peaks > 0)
        vstore_tail(key_peak, vadd(peak.largest, peak.nan), peaks < VLANES ? peaks : VLANES);
}

VINLINE void expand_panels(const struct attune_expand_panels_args *args)
{
    const int64_t width = args->width;
    for (int64_t j = 0; j < args->n; j += width)
        for (int64_t lane = 0; lane < width; lane += VLANES) {
            const int64_t keys = width - lane, peaks = args->n - j - lane;
            expand_lanes(args, args->panels + j * args->a_pad + lane, keys,
                         peaks < keys ? peaks : keys, args->peak + j + lane);
        }
}

#define EXPAND_ROWS(isa, variant, requires)                                                        \
    attune_expand_rows_fn attune_expand_rows_##isa##_##variant;                                    \
    void attune_expand_rows_##isa##_##variant(const struct attune_expand_rows_args *args)          \
    {                                                                                              \
        expand_rows(args);                                                                         \
    }
#define EXPAND_PANELS(isa, variant, requires)                                                      \
    attune_expand_panels_fn attune_expand_panels_##isa##_##variant;                                \
    void attune_expand_panels_##isa##_##variant(const struct attune_expand_panels_args *args)      \
    {                                                                                              \
        expand_panels(args);                                                                       \
    }
#include "arch/kernels.def"

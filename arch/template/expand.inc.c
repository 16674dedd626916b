/* SPDX-License-Identifier: Apache-2.0
 *
 * expand_rows and expand_panels: e^(2x) of each side of the tanh score. Needs a vocabulary and
 * f32_math.h; defines the wrappers of EXPAND_ROWS and EXPAND_PANELS.
 */
#include "arch/kernels.h"

/* x <- e^(2x), unspecified where that leaves the float range; peak: the largest |x|, and a NaN above
 * all. */
VINLINE void expand_vectors(vf *x, int count, vf *peak)
{
    VMATH_EACH(i, count) *peak = vlargest(*peak, vabs(x[i]));
    vexp_twice(x, count);
}

/* A dropped term becomes 0 by selection: the product could be infinite or NaN. */
VINLINE vf expand_fold(vf e, vf fold)
{
    return vselect(veq(vabs(fold), vset1(ATTUNE_FOLD_DROPPED)), vzero(), vmul(e, fold));
}

VINLINE void expand_terms(const float *x, const float *fold, float *dst, int count, vf *peak)
{
    vf e[VMATH_MOST];
    VMATH_EACH(i, count) e[i] = vload(x + i * VLANES);
    expand_vectors(e, count, peak);
    if (fold) VMATH_EACH(i, count) e[i] = expand_fold(e[i], vload(fold + i * VLANES));
    VMATH_EACH(i, count) vstore(dst + i * VLANES, e[i]);
}

VINLINE void expand_row(const struct attune_expand_rows_args *args, const float *x, float *dst,
                        float *row_peak)
{
    enum { BATCH = VMATH_MOST * VLANES };
    vf peak = vzero();
    const float *fold = args->fold;
    const int64_t a = args->a;
    int64_t t = 0;
    for (; t + BATCH <= a; t += BATCH)
        expand_terms(x + t, fold ? fold + t : NULL, dst + t, VMATH_MOST, &peak);
    for (; t + VLANES <= a; t += VLANES)
        expand_terms(x + t, fold ? fold + t : NULL, dst + t, 1, &peak);
    if (t < a) {
        vf e = vload_tail(x + t, a - t);
        expand_vectors(&e, 1, &peak);
        vstore_tail(dst + t, fold ? expand_fold(e, vload_tail(fold + t, a - t)) : e, a - t);
    }
    for (t = a; t < args->a_pad; t++) dst[t] = 0;
    *row_peak = vhmax(peak) + vhsum(vselect(veq(peak, peak), vzero(), peak)); /* vhmax drops a NaN */
}

VINLINE void expand_rows(const struct attune_expand_rows_args *args)
{
    for (int64_t i = 0; i < args->n; i++)
        expand_row(args, args->x + i * args->ldx, args->dst + i * args->ldd, args->peak + i);
}

/* VLANES keys of a panel, or the `keys` that its width leaves where they are not `whole`; `count` terms. */
VINLINE void expand_lanes(float *panel, int64_t width, int64_t keys, int whole, int count, vf *peak)
{
    vf e[VMATH_MOST];
    VMATH_EACH(i, count) e[i] = whole ? vload(panel + i * width) : vload_tail(panel + i * width, keys);
    expand_vectors(e, count, peak);
    VMATH_EACH(i, count)
    {
        if (whole)
            vstore(panel + i * width, e[i]);
        else
            vstore_tail(panel + i * width, e[i], keys);
    }
}

/* Padding terms are 0 and stay so. */
VINLINE void expand_column(float *panel, int64_t a, int64_t width, int64_t keys, int whole,
                           int64_t peaks, float *key_peak)
{
    vf peak = vzero();
    int64_t t = 0;
    for (; t + VMATH_MOST <= a; t += VMATH_MOST)
        expand_lanes(panel + t * width, width, keys, whole, VMATH_MOST, &peak);
    for (; t < a; t++) expand_lanes(panel + t * width, width, keys, whole, 1, &peak);
    if (peaks > 0) vstore_tail(key_peak, peak, peaks < VLANES ? peaks : VLANES);
}

VINLINE void expand_panels(const struct attune_expand_panels_args *args)
{
    const int64_t width = args->width, a = args->a;
    for (int64_t j = 0; j < args->n; j += width)
        for (int64_t lane = 0; lane < width; lane += VLANES) {
            const int64_t keys = width - lane, left = args->n - j - lane;
            const int64_t peaks = left < keys ? left : keys;
            float *panel = args->panels + j * args->a_pad + lane, *key_peak = args->peak + j + lane;
            if (keys >= VLANES)
                expand_column(panel, a, width, keys, 1, peaks, key_peak);
            else
                expand_column(panel, a, width, keys, 0, peaks, key_peak);
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

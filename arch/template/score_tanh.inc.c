/* SPDX-License-Identifier: Apache-2.0
 *
 * score_tanh: the folded tanh score over key panels. Needs a vocabulary; defines the wrappers of
 * SCORE_TANH. Axes: `rows` x `vectors` accumulators; `terms` (2 or 4) denominators over one division;
 * `estimated`, whether that is a product with an estimated reciprocal instead. The same for every key,
 * so that equal keys have equal scores: dividing for most keys and estimating for the rest would be
 * 4 % faster than dividing for all, and is not worth weights that differ where keys do not.
 *
 * What binds, on paper (two pipes that multiply, two more that add on Zen; a division of 8 floats
 * keeps its unit for 3 cycles on Zen 4, 3.5 on Zen 3, 5 on Intel, and takes 2 issue slots of the
 * multipliers), in cycles for 2 terms of 8 lanes:
 *   2 terms, division   2 FMA + 1 mul: 2.5 by the pipes, 3 by the divider      5.3 tanh a cycle
 *   2 terms, estimate   and estimate, mul, 2 FMA: 3.5 by the pipes             4.6
 *   4 terms, division   9 multiplications for 4 terms: 2.75                    5.8
 * Measured on Zen 4 at 3.7 GHz, 128 rows and keys of 256 terms, G tanh a second by the same rows, bound
 * in parentheses: 4x2_divide2 18.9 in AVX2 and 19.5 in AVX-512 (19.6),
 * 2x4_divide4 19.5 and 20.5 (21.5), 4x2_estimate2 15.0 and 16.2 (17.0); a row alone 2 to 10 % less.
 * On Zen 5 at 4.3 GHz a division, 2.5 cycles, is as wide as AVX-512, so that 2 terms bind the multipliers
 * and the divider alike (27.6 in AVX2, 55.2 in AVX-512): 2x4_divide2 27.0 and 54.0, 4x2_divide2 26.3 and
 * 54.6, 4x2_divide4 24.7 and 49.4, 4x2_estimate2 20.4 and 41.5.
 * On Intel additions share the pipes and the divider is slower: there 4 terms win. Loads: 4 keys for
 * each division and, shared by rows or vectors, 4 broadcasts of queries and folds: under 2 a cycle.
 */
#include "arch/kernels.h"

enum { TANH_STEP = ATTUNE_CENTER_STEP, TANH_AHEAD = 8192 };
_Static_assert(TANH_STEP == 4 && ATTUNE_TERM_STEP == 4, "a step is one entry of center");

VINLINE vf tanh_quotient(vf numerator, vf denominator, int estimated)
{
    if (!estimated) return vdiv(numerator, denominator);
    const vf estimate = vreciprocal(denominator);
    const vf newton = vmul(estimate, vfnma(denominator, estimate, vset1(2.0f)));
    return vmul(numerator, newton);
}

/* sum of 1 / d[t] over 4 terms, over one division or two. */
VINLINE vf tanh_reciprocals(const vf d[TANH_STEP], int terms, int estimated)
{
    const vf low = vmul(d[0], d[1]), high = vmul(d[2], d[3]);
    const vf low_sum = vadd(d[0], d[1]), high_sum = vadd(d[2], d[3]);
    if (terms == 4)
        return tanh_quotient(vfma(low_sum, high, vmul(high_sum, low)), vmul(low, high), estimated);
    return vadd(tanh_quotient(low_sum, low, estimated), tanh_quotient(high_sum, high, estimated));
}

/* What stays the same over all tiles of a kernel. */
struct tanh_axes {
    int vectors, terms, estimated;
};

/* The lines of a step's terms, TANH_AHEAD bytes of keys later. A decoder's one row reads each key once:
 * its divisions then hide the whole way from memory, which the hardware's prefetcher does not reach far
 * enough for. 33 MB of prepared keys and values on Zen 5, of 46 GB/s: 29 to 44 in AVX2, 46 to 51 in
 * AVX-512 (part of it from L3). */
VINLINE void tanh_fetch(const float *k, int64_t width)
{
    _Pragma("GCC unroll 4") for (int x = 0; x < TANH_STEP; x++)
        vprefetch(k + TANH_AHEAD / (int)sizeof *k + x * width);
}

/* `rows` x `used` sums; `used` is less than the panel's vectors where the last keys end before it.
 * fetch: the keys that follow are wanted from memory. */
VINLINE void tanh_tile(const struct attune_score_tanh_args *args, int64_t i, int64_t j, int rows,
                       int used, const struct tanh_axes axes, int fetch)
{
    enum { MOST = 32 };
    vf sum[MOST];
    const int64_t ldq = args->ldq, width = axes.vectors * VLANES;
    const float *q = args->q + i * ldq, *k = args->k + j * args->a_pad;
    float *s = args->s + i * args->lds + j;
    _Pragma("GCC unroll 32") for (int x = 0; x < rows * used; x++) sum[x] = vzero();
    for (int64_t t = 0; t < args->a_pad; t += TANH_STEP, k += TANH_STEP * width) {
        const vf center = vbroadcast(args->center + t / ATTUNE_CENTER_STEP);
        _Pragma("GCC unroll 8") for (int row = 0; row < rows; row++)
            _Pragma("GCC unroll 8") for (int v = 0; v < used; v++)
            {
                vf d[TANH_STEP];
                if (fetch && v * VLANES % 16 == 0) tanh_fetch(k + v * VLANES, width);
                _Pragma("GCC unroll 4") for (int x = 0; x < TANH_STEP; x++) d[x] =
                    vfma(vbroadcast(q + row * ldq + t + x), vload(k + x * width + v * VLANES),
                         vbroadcast(args->fold + t + x));
                const vf block = vsub(tanh_reciprocals(d, axes.terms, axes.estimated), center);
                sum[row * used + v] = vadd(sum[row * used + v], block);
            }
    }
    const vf scale = vset1(-2.0f * args->scale);
    _Pragma("GCC unroll 8") for (int row = 0; row < rows; row++)
        _Pragma("GCC unroll 8") for (int v = 0; v < used; v++)
            vstore(s + row * args->lds + v * VLANES, vmul(sum[row * used + v], scale));
}

/* All rows over one panel, which stays in the first-level cache. Left-over rows go one by one through
 * the same chain; one row alone fetches. */
VINLINE void tanh_panel(const struct attune_score_tanh_args *args, int64_t j, int rows, int used,
                        const struct tanh_axes axes)
{
    int64_t i = 0;
    if (args->m == 1) {
        tanh_tile(args, 0, j, 1, used, axes, 1);
        return;
    }
    for (; i + rows <= args->m; i += rows) tanh_tile(args, i, j, rows, used, axes, 0);
    if (rows > 1)
        for (; i < args->m; i++) tanh_tile(args, i, j, 1, used, axes, 0);
}

/* The last panel is cut to half or a quarter of its vectors where that holds its keys; not with one
 * lane, where that saves little and costs the compiler its own vectors of neighbouring lanes. */
VINLINE void score_tanh(const struct attune_score_tanh_args *args, int rows, int vectors, int terms,
                        int estimated)
{
    const struct tanh_axes axes = {vectors, terms, estimated};
    const int64_t width = vectors * VLANES, cut = VLANES == 1 ? 0 : width / 2;
    int64_t j = 0;
    for (; j + cut < args->n; j += width) tanh_panel(args, j, rows, vectors, axes);
    if (VLANES == 1 || vectors == 1 || j >= args->n) return;
    if (vectors == 4 && j + VLANES >= args->n)
        tanh_panel(args, j, rows, 1, axes);
    else
        tanh_panel(args, j, rows, vectors / 2, axes);
}

#define SCORE_TANH(isa, variant, requires, rows, vectors, terms, estimated)                        \
    _Static_assert((vectors) == 1 || (vectors) == 2 || (vectors) == 4, "halves of a panel");       \
    attune_score_tanh_fn attune_score_tanh_##isa##_##variant;                                      \
    void attune_score_tanh_##isa##_##variant(const struct attune_score_tanh_args *args)            \
    {                                                                                              \
        score_tanh(args, rows, vectors, terms, estimated);                                         \
    }
#include "arch/kernels.def"

/* SPDX-License-Identifier: Apache-2.0
 *
 * One block of the online softmax. Needs a vocabulary; defines the wrappers of SOFTMAX(isa, variant,
 * requires, unroll), unroll <= 4 chains of vectors. The horizontals of VLANES rows are taken together.
 */
#include <float.h>

#include "arch/kernels.h"
#include "arch/simd/f32_exp2.h"

enum { SOFTMAX_CHAINS = 4 };

VINLINE vf softmax_join(const vf chain[SOFTMAX_CHAINS], const int unroll)
{
    vf low = chain[0], high = chain[2];
    if (unroll > 1) low = vadd(low, chain[1]);
    if (unroll > 3) high = vadd(high, chain[3]);
    return unroll > 2 ? vadd(low, high) : low;
}

/* A NaN is dropped here: its exponential brings it into the sum. Bound: one load a vector. */
VINLINE vf softmax_peak(const float *s, int64_t n, const int unroll)
{
    vf chain[SOFTMAX_CHAINS];
    _Pragma("GCC unroll 4") for (int u = 0; u < unroll; u++) chain[u] = vset1(-FLT_MAX);
    int64_t j = 0;
    for (; j + unroll * VLANES <= n; j += unroll * VLANES)
        _Pragma("GCC unroll 4") for (int u = 0; u < unroll; u++)
            chain[u] = vmax(vload(s + j + u * VLANES), chain[u]);
    for (; j < n; j += VLANES) chain[0] = vmax(vload(s + j), chain[0]);
    _Pragma("GCC unroll 4") for (int u = 1; u < unroll; u++) chain[0] = vmax(chain[u], chain[0]);
    return chain[0];
}

/* `count` vectors of weights in place, each added to its chain. */
VINLINE void softmax_weights(float *s, vf peak, vf factor, vf *chain, const int count)
{
    vf p[SOFTMAX_CHAINS];
    _Pragma("GCC unroll 4") for (int u = 0; u < count; u++)
        p[u] = vmul(vsub(vload(s + u * VLANES), peak), factor);
    vexp2_each(p, count);
    _Pragma("GCC unroll 4") for (int u = 0; u < count; u++)
    {
        vstore(s + u * VLANES, p[u]);
        chain[u] = vadd(chain[u], p[u]);
    }
}

/* Vector v of a row goes to chain v % unroll, whatever n. Bound: 14 operations a vector, six each for
 * the units that multiply (mul, FMA) and add (sub, max, round, convert), two of integers, beside a
 * load and a store: 4 to 5 cycles where FMA takes a share of the adders' ports, 7 with two ports. */
VINLINE vf softmax_row(float *s, int64_t n, float row_peak, float row_factor, const int unroll)
{
    const vf peak = vset1(row_peak), factor = vset1(row_factor);
    vf chain[SOFTMAX_CHAINS];
    _Pragma("GCC unroll 4") for (int u = 0; u < SOFTMAX_CHAINS; u++) chain[u] = vzero();
    int64_t j = 0;
    for (; j + unroll * VLANES <= n; j += unroll * VLANES)
        softmax_weights(s + j, peak, factor, chain, unroll);
    _Pragma("GCC unroll 3") for (int u = 0; u < unroll - 1; u++)
        if (j + u * VLANES < n) softmax_weights(s + j + u * VLANES, peak, factor, chain + u, 1);
    return softmax_join(chain, unroll);
}

/* Up to VLANES rows. The scratch behind a row's last score becomes -inf, so that whole vectors do;
 * rows that are not there reduce to numbers nobody reads. */
VINLINE void softmax_rows(const struct attune_softmax_args *args, int64_t first, int64_t rows,
                          const int unroll)
{
    const int64_t padded = (args->n + VLANES - 1) / VLANES * VLANES;
    float *s = args->s + first * args->lds, peaks[VLANES];
    vf part[VLANES];
    for (int64_t i = 0; i < VLANES; i++) part[i] = vzero();
    for (int64_t i = 0; i < rows; i++) {
        for (int64_t j = args->n; j < padded; j++) s[i * args->lds + j] = -__builtin_inff();
        part[i] = softmax_peak(s + i * args->lds, padded, unroll);
    }
    const vf before = vload_tail(args->row_max + first, rows);
    const vf peak = vmax(vreduce_max(part), before);
    const vf alpha = vexp2(vmul(vsub(before, peak), vset1(args->factor)));
    vstore(peaks, peak);
    for (int64_t i = 0; i < rows; i++)
        part[i] = softmax_row(s + i * args->lds, padded, peaks[i], args->factor, unroll);
    const vf sum = vload_tail(args->row_sum + first, rows);
    vstore_tail(args->row_sum + first, vfma(sum, alpha, vreduce_add(part)), rows);
    vstore_tail(args->row_max + first, peak, rows);
    vstore_tail(args->alpha + first, alpha, rows);
}

VINLINE void softmax(const struct attune_softmax_args *args, const int unroll)
{
    for (int64_t i = 0; i < args->m; i += VLANES)
        softmax_rows(args, i, args->m - i < VLANES ? args->m - i : VLANES, unroll);
}

#define SOFTMAX(isa, variant, requires, unroll)                                                    \
    attune_softmax_fn attune_softmax_##isa##_##variant;                                            \
    void attune_softmax_##isa##_##variant(const struct attune_softmax_args *args)                  \
    {                                                                                              \
        softmax(args, unroll);                                                                     \
    }
#include "arch/kernels.def"

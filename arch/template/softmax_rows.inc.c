/* SPDX-License-Identifier: Apache-2.0
 *
 * One block of the online softmax, in the pieces that softmax and tile are made of. Needs a vocabulary;
 * `unroll` <= 4 chains of vectors is a compile-time constant. The horizontals of VLANES rows are taken
 * together.
 */
#ifndef ATTUNE_ARCH_TEMPLATE_SOFTMAX_ROWS
#define ATTUNE_ARCH_TEMPLATE_SOFTMAX_ROWS

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

/* The arguments of `count` vectors of weights, reduced. */
VINLINE void softmax_reduce(const float *s, vf peak, vf factor, vf *r, vi *n, const int count)
{
    _Pragma("GCC unroll 4") for (int u = 0; u < count; u++)
        r[u] = vmul(vsub(vload(s + u * VLANES), peak), factor);
    vexp2_reduce(r, n, count);
}

/* The weights themselves, in place, each vector added to its chain. */
VINLINE void softmax_raise(float *s, vf *r, const vi *n, vf *chain, const int count)
{
    vexp2_raise(r, n, count);
    _Pragma("GCC unroll 4") for (int u = 0; u < count; u++)
    {
        vstore(s + u * VLANES, r[u]);
        chain[u] = vadd(chain[u], r[u]);
    }
}

/* Vector v of a row goes to chain v % unroll, whatever n. Bound: 14 operations a vector, seven each for
 * the units that multiply (mul, max, FMA), five for those that add (sub, round, convert), two of integers,
 * beside a load and a store: 4 cycles where FMA takes a share of the adders' ports, 7 with two ports.
 * A vector's chain is 42 cycles long and a scheduler cannot hold the ten of them that would fill it: the
 * arguments of the next vectors are reduced beside the polynomials of these, which halves the chain. */
VINLINE vf softmax_row(float *s, int64_t n, float row_peak, float row_factor, const int unroll)
{
    const vf peak = vset1(row_peak), factor = vset1(row_factor);
    vf chain[SOFTMAX_CHAINS], r[SOFTMAX_CHAINS], next[SOFTMAX_CHAINS];
    vi power[SOFTMAX_CHAINS], next_power[SOFTMAX_CHAINS];
    _Pragma("GCC unroll 4") for (int u = 0; u < SOFTMAX_CHAINS; u++) chain[u] = vzero();
    int64_t j = 0;
    if (n >= unroll * VLANES) {
        softmax_reduce(s, peak, factor, r, power, unroll);
        for (; j + 2 * unroll * VLANES <= n; j += unroll * VLANES) {
            softmax_reduce(s + j + unroll * VLANES, peak, factor, next, next_power, unroll);
            softmax_raise(s + j, r, power, chain, unroll);
            _Pragma("GCC unroll 4") for (int u = 0; u < unroll; u++)
            {
                r[u] = next[u];
                power[u] = next_power[u];
            }
        }
        softmax_raise(s + j, r, power, chain, unroll);
        j += unroll * VLANES;
    }
    _Pragma("GCC unroll 3") for (int u = 0; u < unroll - 1; u++)
        if (j + u * VLANES < n) {
            softmax_reduce(s + j + u * VLANES, peak, factor, r, power, 1);
            softmax_raise(s + j + u * VLANES, r, power, chain + u, 1);
        }
    return softmax_join(chain, unroll);
}

/* The weights of several rows as work that rides along, a vector a step. It fits between the FMA of a
 * weighted sum, whose units leave those that add idle and whose loop, unlike this one's, never waits. One
 * vector, since the registers of one are free there. Sums of a row run in two chains, as in softmax_row().
 * No branch depends on the step: a wrong guess would stop the FMA too. */
struct softmax_rider {
    float *s;          /* scores of the step */
    const float *peak; /* of its row */
    float *chains;     /* of its row: two vectors */
    vf factor;
    int64_t left, at;  /* steps; vector of the row */
    int64_t row_steps, next_row; /* vectors of a row; floats from its end to the next */
    int64_t slots;     /* steps in a stretch of the weighted sum */
};

VINLINE void softmax_ride(struct softmax_rider *rider)
{
    vf weight;
    vi power;
    if (rider->left == 0) return;
    softmax_reduce(rider->s, vbroadcast(rider->peak), rider->factor, &weight, &power, 1);
    vexp2_raise(&weight, &power, 1);
    float *chain = rider->chains + (rider->at & 1) * VLANES;
    vstore(rider->s, weight);
    vstore(chain, vadd(vload(chain), weight));
    rider->left--;
    rider->at++;
    const int64_t wrap = -(int64_t)(rider->at == rider->row_steps);
    rider->s += VLANES + (rider->next_row & wrap);
    rider->peak -= wrap;
    rider->chains += (2 * VLANES) & wrap;
    rider->at &= ~wrap;
}

/* New maxima and scales of up to VLANES rows whose maxima in this block lie lane by lane in `part`. */
VINLINE vf softmax_open(const vf *part, int64_t rows, vf factor, float *row_max, float *alpha)
{
    const vf before = vload_tail(row_max, rows);
    const vf peak = vmax(vreduce_max(part), before);
    vstore_tail(alpha, vexp2(vmul(vsub(before, peak), factor)), rows);
    vstore_tail(row_max, peak, rows);
    return peak;
}

/* Their new sums; `part` holds each row's weights of this block lane by lane. */
VINLINE void softmax_close(const vf *part, int64_t rows, const float *alpha, float *row_sum)
{
    const vf sum = vload_tail(row_sum, rows);
    vstore_tail(row_sum, vfma(sum, vload_tail(alpha, rows), vreduce_add(part)), rows);
}

#endif

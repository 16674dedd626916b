/* SPDX-License-Identifier: Apache-2.0
 *
 * The location-sensitive form's two weights made one, once an execution: k'_j += W_l f_j with f =
 * conv(previous alignments) is linear in the alignments, so C = W_l K of A x width adds to a key
 * sum_w C[.][w] x[j + w - width / 2]. core_location.c does.
 *
 * For each key and term that is `width` products, where W_l f costs F and f another width F / A.
 */
#include <math.h>
#include <string.h>

#include "engine/core.h"

/* Chains that the search below keeps apart: one alone is bound by its latency, 3 us of the location form's
 * 20 for one sequence. */
#define CHAINS 16

static int32_t magnitude_bits(float x)
{
    int32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits & 0x7fffffff;
}

static int32_t larger(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

/* The largest magnitude, NaN above all, by bits, which order as integers: loops that compilers vectorize. */
static float largest(const float *x, int64_t n)
{
    int32_t most[CHAINS] = {0};
    int64_t i = 0;
    for (; i + CHAINS <= n; i += CHAINS)
        for (int chain = 0; chain < CHAINS; chain++)
            most[chain] = larger(most[chain], magnitude_bits(x[i + chain]));
    for (; i < n; i++)
        most[0] = larger(most[0], magnitude_bits(x[i]));
    for (int chain = 1; chain < CHAINS; chain++)
        most[0] = larger(most[0], most[chain]);
    float magnitude;
    memcpy(&magnitude, &most[0], sizeof magnitude);
    return magnitude;
}

/* Whether float32 holds C to the precision of its factors: no sum overflowed, which few factors could make
 * it do, and the products that count are far from underflow. */
static int is_sound(const struct attune_execution *execution, const float *composed)
{
    const struct attune_shape *shape = &execution->plan->shape;
    const struct attune_location_layout *layout = &execution->plan->location;
    double product = (double)largest(attune_view_floats(execution, &layout->kernel), shape->f * shape->width) *
                     (double)largest(attune_view_floats(execution, &layout->w_location), shape->a * shape->f);
    if (product != 0 && !(product >= 0x1p-60))
        return 0;
    return product * (double)shape->f < 0x1p126 || isfinite(largest(composed, shape->a * shape->width));
}

/* C by rows, and whether it may be used. */
void attune_step_compose(const struct attune_execution *execution)
{
    const struct attune_plan *plan = execution->plan;
    const struct attune_location_layout *layout = &plan->location;
    int64_t a = plan->shape.a, f = plan->shape.f, width = plan->shape.width;
    float *base = (float *)(execution->workspace + layout->offset), *ones = base + layout->ones;
    memset(base, 0, (size_t)(a * width) * sizeof *base);
    for (int64_t row = 0; row < a; row++)
        ones[row] = 1;
    struct attune_wsum_args product = {.p = attune_view_floats(execution, &layout->w_location), .ldp = f,
                                       .m = a, .v = attune_view_floats(execution, &layout->kernel),
                                       .ldv = width, .panel_stride = layout->columns, .n = f, .e = width,
                                       .alpha = ones, .o = base, .ldo = width};
    layout->wsum(&product);
    base[layout->sound] = is_sound(execution, base) ? 1.0f : 0.0f;
}

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

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Bits of the largest magnitude, which order as integers, NaN last: a loop that compilers vectorize. */
static float largest(const float *x, int64_t n)
{
    int32_t most = 0;
    for (int64_t i = 0; i < n; i++) {
        int32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        bits &= 0x7fffffff;
        most = bits > most ? bits : most;
    }
    float magnitude;
    memcpy(&magnitude, &most, sizeof magnitude);
    return magnitude;
}

/* Whether float32 holds C to the precision of its factors: no product overflowed, and those that count
 * are far from underflow. */
static int is_sound(const struct attune_execution *execution, const float *composed)
{
    const struct attune_shape *shape = &execution->plan->shape;
    const struct attune_location_layout *layout = &execution->plan->location;
    double product = (double)largest(attune_view_floats(execution, &layout->kernel), shape->f * shape->width) *
                     (double)largest(attune_view_floats(execution, &layout->w_location), shape->a * shape->f);
    return isfinite(largest(composed, shape->a * shape->width)) && (product == 0 || product >= 0x1p-60);
}

/* C by rows, and whether it may be used. */
void attune_step_compose(const struct attune_execution *execution)
{
    const struct attune_plan *plan = execution->plan;
    const struct attune_location_layout *layout = &plan->location;
    int64_t a = plan->shape.a, f = plan->shape.f, width = plan->shape.width;
    float *base = (float *)(execution->workspace + layout->offset);
    memset(base, 0, (size_t)(a * width) * sizeof *base);
    for (int64_t row = 0; row < a; row += ATTUNE_LOCATION_ROWS) {
        struct attune_wsum_args product = {.p = attune_view_floats(execution, &layout->w_location) + row * f,
                                           .ldp = f, .m = least(ATTUNE_LOCATION_ROWS, a - row),
                                           .v = attune_view_floats(execution, &layout->kernel), .ldv = width,
                                           .panel_stride = layout->columns, .n = f, .e = width,
                                           .alpha = attune_core_ones, .o = base + row * width, .ldo = width};
        layout->wsum(&product);
    }
    base[layout->sound] = is_sound(execution, base) ? 1.0f : 0.0f;
}
